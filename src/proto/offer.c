/*
 * Chooses what to answer to an offer, and judges the answers to our own;
 * neither the form of them nor what follows is known here.
 */
#include "proto/offer.h"

#include <string.h>

#include <xferry/error.h>

static bool is_offered(const struct xf_offer *offer, enum xf_method method)
{
    for (size_t i = 0; i < offer->methods_count; i++) {
        if (offer->methods[i] == method)
            return true;
    }
    return false;
}

void xf_offer_choose(const struct xf_offer *offer, bool allow_s5b,
                     bool allow_ibb, bool two_values,
                     struct xf_offer_answer *out)
{
    bool s5b = allow_s5b && is_offered(offer, XF_METHOD_S5B);
    bool ibb = allow_ibb && is_offered(offer, XF_METHOD_IBB);

    memset(out, 0, sizeof *out);
    out->range_length = UINT64_MAX;
    if (s5b && ibb && (offer->list_multi || two_values)) {
        /* Two known methods are offered: these, in that order. */
        out->count = 2;
        memcpy(out->methods, offer->methods, sizeof out->methods);
    } else if (s5b || ibb) {
        out->count = 1;
        out->methods[0] = s5b ? XF_METHOD_S5B : XF_METHOD_IBB;
    }
}

static bool range_fits(const struct xf_offer *offer,
                       const struct xf_offer_answer *answer)
{
    uint64_t rest;

    if (answer->range_offset > offer->size)
        return false;
    rest = offer->size - answer->range_offset;
    /* Who wants less than the rest would find the file too long. */
    if (answer->range_length != UINT64_MAX && answer->range_length != rest)
        return false;
    /* An empty range asks for all of it, and may always be said. */
    return offer->range ||
           (answer->range_offset == 0 && (answer->range_length == UINT64_MAX ||
                                          answer->range_length == offer->size));
}

int xf_offer_answer_check(const struct xf_offer *offer,
                          const struct xf_offer_answer *answer)
{
    if (answer->count == 0)
        return XF_E_NOMETHOD;
    if (answer->count > 2)
        return XF_E_PROTO;
    for (size_t i = 0; i < answer->count; i++) {
        if (!is_offered(offer, answer->methods[i]))
            return XF_E_PROTO;
    }
    if (answer->range && !range_fits(offer, answer))
        return XF_E_PROTO;
    return 0;
}

int xf_offer_refusal_code(const struct xf_stanza_error *error)
{
    if (error->no_valid_streams || error->bad_profile)
        return XF_E_NOMETHOD;
    switch (error->condition) {
    case XF_COND_BAD_REQUEST:    /* Smack, QXmpp: without a child of SI */
    case XF_COND_NOT_ACCEPTABLE: /* Psi */
    case XF_COND_FEATURE_NOT_IMPLEMENTED:
        return XF_E_NOMETHOD;
    case XF_COND_SERVICE_UNAVAILABLE:
    case XF_COND_RECIPIENT_UNAVAILABLE:
    case XF_COND_ITEM_NOT_FOUND:
    case XF_COND_GONE:
    case XF_COND_JID_MALFORMED:
    case XF_COND_REMOTE_SERVER_NOT_FOUND:
    case XF_COND_REMOTE_SERVER_TIMEOUT:
        return XF_E_NOPEER;
    case XF_COND_RESOURCE_CONSTRAINT:
        /* "modify" speaks of the file, "wait" of the moment. */
        return error->type && strcmp(error->type, "modify") == 0 ? XF_E_SIZE
                                                                 : XF_E_BUSY;
    case XF_COND_TIMEOUT:
        return XF_E_STALL;
    default:
        /* forbidden is a person's no, not-allowed Openfire's; whatever else
         * came, the answer was no. */
        return XF_E_DECLINED;
    }
}
