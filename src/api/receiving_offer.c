/* Offers that come: read, refused, recognised as one that goes on, or new. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "api/connection.h"
#include "api/ending.h"
#include "api/peer.h"
#include "api/receiving_inside.h"
#include "api/resolve.h"
#include "api/stanzas.h"
#include "base/name.h"
#include "base/sys.h"
#include "wire/si.h"

#define BAD_OFFERS_TOLD 64 /* not yet looked at by the embedder */
#define OFFERS_MAX 16      /* of one file, without a byte between them */

/* --- refusing ------------------------------------------------------------------ */

/* Offers that were ended here and that the embedder has not yet looked at. */
static unsigned untold(const struct xf_session *s)
{
    unsigned n = 0;

    for (const struct xf_transfer *t = s->transfers; t; t = t->next)
        n += t->over && !t->outgoing;
    return n;
}

/* One event for each would let a peer fill our memory with them. */
static void tell_bad_offer(struct xf_session *s,
                           const struct xf_stanza_head *head, int code,
                           const char *text)
{
    struct xf_transfer *t = untold(s) < BAD_OFFERS_TOLD
                                ? xf_transfer_new(s, &xf_receiving_role, false)
                                : NULL;

    if (!t)
        return;
    snprintf(t->peer, sizeof t->peer, "%s", head->from ? head->from : "");
    xf_transfer_end(t, code, text);
}

/* --- the same file once more --------------------------------------------------- */

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

/* Another sum is another file. */
static bool same_hash(const struct xf_transfer *t, const struct xf_offer *offer)
{
    return !t->hash || !offer->hash || strcasecmp(t->hash, offer->hash) == 0;
}

static bool got_bytes(const struct xf_transfer *t)
{
    return t->done > t->base;
}

/* Today's Spark falls back by a second offer, in-band only: the same file from
 * the same full JID needs no second prompt. */
static bool falls_back(const struct xf_transfer *t, const char *from,
                       const struct xf_offer *offer)
{
    return offer->methods_count == 1 && offer->methods[0] == XF_METHOD_IBB &&
           !offer->key && t->size == offer->size &&
           strcmp(t->peer, from) == 0 && strcmp(t->name, offer->name) == 0 &&
           !got_bytes(t) && !t->finishing && same_hash(t, offer) &&
           (t->receiving.state == XF_RECEIVING_INBAND ||
            t->receiving.state == XF_RECEIVING_WAITING ||
            t->receiving.state == XF_RECEIVING_DIALLING ||
            t->receiving.state == XF_RECEIVING_STREAMING);
}

/* One of ours says so itself. Its program may have been begun anew meanwhile:
 * then it is the transfer of the same state of the file by another session. */
static bool continues(const struct xf_transfer *t, const char *from,
                      const struct xf_offer *offer)
{
    if (!offer->key || !t->key[0] || !xf_jid_same_bare(t->peer, from) ||
        t->size != offer->size || strcmp(t->name, offer->name) != 0)
        return false;
    if (strcmp(t->key, offer->key) == 0)
        return true;
    /* A bare JID is one person's where it stands in the roster, not in a room
     * of many; for the rest the same full JID will do. */
    if (strcmp(t->peer, from) != 0 && !xf_contacts_sees(t->s->contacts, from))
        return false;
    return offer->run && strcmp(t->run, offer->run) != 0 && t->version &&
           is_same(t->version, offer->version) && same_hash(t, offer);
}

/* ... of another file: two would hear what is said of one. */
static bool collides(const struct xf_transfer *t, const char *from,
                     const struct xf_offer *offer)
{
    return offer->key && strcmp(t->key, offer->key) == 0 &&
           xf_jid_same_bare(t->peer, from);
}

static struct xf_transfer *find_same(struct xf_session *s, const char *from,
                                     const struct xf_offer *offer,
                                     bool (*same)(const struct xf_transfer *,
                                                  const char *,
                                                  const struct xf_offer *))
{
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        if (!t->over && !t->outgoing && same(t, from, offer))
            return t;
    return NULL;
}

static bool keep_text(char **to, const char *text)
{
    if (!text || *to)
        return true;
    *to = xf_sys_strdup(text);
    return *to != NULL;
}

static bool take_offer(struct xf_transfer *t, const struct xf_offer *offer)
{
    xf_sys_free(t->sid);
    t->sid = xf_sys_strdup(offer->sid);
    t->size = offer->size;
    t->range = offer->range;
    t->most = offer->key ? offer->most : UINT64_MAX;
    t->sum_promised = offer->key && offer->sum;
    snprintf(t->key, sizeof t->key, "%s", offer->key ? offer->key : "");
    snprintf(t->run, sizeof t->run, "%s", offer->run ? offer->run : "");
    t->asked_multi = offer->list_multi;
    t->asked.methods_count = offer->methods_count;
    memcpy(t->asked.methods, offer->methods, sizeof t->asked.methods);
    xf_receiving_choose(t);
    /* Once accepted it is settled what is summed. */
    return t->sid && keep_text(&t->name, offer->name) &&
           keep_text(&t->desc, offer->desc) &&
           keep_text(&t->version, offer->key ? offer->version : offer->date) &&
           (t->intake || keep_text(&t->hash, offer->hash));
}

/* One that goes on does so behind what the kernel still has of the old one. */
static void drop_streams(struct xf_transfer *t, bool goes_on)
{
    struct xf_mover *mover = t->mover;

    if (goes_on)
        t->mover = NULL;
    xf_transfer_drop_streams(t);
    if (goes_on)
        t->mover = mover;
}

static void offered_again(struct xf_transfer *t,
                          const struct xf_stanza_head *head,
                          const struct xf_offer *offer)
{
    if (t->query.id)
        xf_asked_answer(t->s, &t->query, XF_ANSWER_NOT_FOUND, NULL);
    t->offers_since = t->done > t->base ? 0 : t->offers_since + 1;
    if (t->offers_since > OFFERS_MAX) {
        xf_stanza_answer(t->s, head, XF_ANSWER_BUSY, NULL, true);
        xf_receiving_end(t, XF_E_PROTO, "offered again and again, and no byte");
        return;
    }
    /* Of a stream that broke; the sender does not wait for it any more. */
    xf_asked_clear(&t->end);
    drop_streams(t, offer->key != NULL);
    snprintf(t->peer, sizeof t->peer, "%s", head->from);
    if (!take_offer(t, offer) || !xf_asked_keep(&t->offer, head)) {
        xf_stanza_answer(t->s, head, XF_ANSWER_BUSY, NULL, true);
        xf_receiving_end(t, XF_E_LIMIT, NULL);
        return;
    }
    xf_receiving_again(t, offer->key != NULL);
}

/* It was delivered, and only our word for it was lost. */
static void say_delivered(struct xf_session *s,
                          const struct xf_stanza_head *head,
                          const struct xf_offer *offer)
{
    struct xf_offer_answer answer = { .count = 1,
                                      .methods = { offer->methods[0] },
                                      .range = true,
                                      .range_offset = offer->size,
                                      .range_length = UINT64_MAX,
                                      .durable = offer->size };

    xf_si_write_answer(xf_stanza_begin_answer(s), head, &answer);
    (void)xf_stanza_send(s, true);
}

/* --- a new one ------------------------------------------------------------------ */

/* What the offer alone says of the program that made it. */
static void offer_shown(struct xf_transfer *t,
                        const struct xf_stanza_head *head,
                        const struct xf_offer *offer)
{
    struct xf_fact look = { .kind = XF_FACT_OFFER, .text = offer->sid };
    struct xf_fact id = { .kind = XF_FACT_OFFER_ID, .text = head->id };

    look.look = (offer->list_multi ? XF_LOOK_LIST_MULTI : 0) |
                (offer->hash ? XF_LOOK_MD5 : 0) |
                (offer->range && !offer->key ? XF_LOOK_RANGE : 0) |
                (offer->methods[0] == XF_METHOD_IBB ? XF_LOOK_IBB_FIRST : 0);
    xf_peer_begin(t);
    xf_peer_shown(t, &look);
    xf_peer_shown(t, &id);
}

/* Who may not ask now, and why; XF_ANSWER_NONE for who may. */
static enum xf_answer too_many(const struct xf_session *s, const char *from)
{
    unsigned all = 0, pending = 0;

    for (const struct xf_transfer *t = s->transfers; t; t = t->next) {
        all += !t->over;
        pending += !t->over && t->asking && xf_jid_same_bare(t->peer, from);
    }
    return all >= XF_TRANSFERS_MAX || pending >= XF_PENDING_PER_PEER_MAX
               ? XF_ANSWER_BUSY
               : XF_ANSWER_NONE;
}

static void new_offer(struct xf_session *s, const struct xf_stanza_head *head,
                      const struct xf_offer *offer)
{
    struct xf_transfer *t = xf_transfer_new(s, &xf_receiving_role, false);
    struct xf_event ev = { .type = XF_EVENT_OFFER };

    if (!t || !xf_asked_keep(&t->offer, head)) {
        xf_stanza_answer(s, head, XF_ANSWER_BUSY, NULL, true);
        xf_transfer_free(t);
        return;
    }
    snprintf(t->peer, sizeof t->peer, "%s", head->from);
    offer_shown(t, head, offer);
    if (!take_offer(t, offer)) {
        xf_receiving_end(t, XF_E_LIMIT, NULL);
        return;
    }
    if (t->answer.count == 0) {
        xf_asked_answer(s, &t->offer, XF_ANSWER_NO_VALID_STREAMS, NULL);
        xf_receiving_end(t, XF_E_NOMETHOD, NULL);
        return;
    }
    t->asking = true;
    ev.desc = t->desc;
    if (!xf_events_transfer(t, &ev))
        xf_receiving_end(t, XF_E_LIMIT, NULL);
    else
        xf_resolve_peer(t);
}

void xf_receiving_offer(struct xf_session *s, const struct xf_stanza_head *head,
                        struct xf_el *si)
{
    struct xf_offer offer;
    struct xf_offer_fault fault = { .answer = XF_ANSWER_BAD_REQUEST };
    enum xf_ended_how ended = XF_ENDED_UNKNOWN;
    struct xf_transfer *same, *again;
    struct xf_error_info why;
    char reason[XF_NAME_REASON];
    const char *refused;

    if (!head->from || !xf_si_read_offer(si, &offer, &fault)) {
        xf_stanza_answer(s, head, fault.answer, fault.text, true);
        if (head->from) {
            xf_err_set(&why, fault.code, "malformed offer from %s: %s",
                       head->from, fault.field);
            tell_bad_offer(s, head, why.code, why.text);
        }
        return;
    }
    if (offer.key)
        ended = xf_ending_of(s, head->from, offer.key);
    refused = xf_name_refused(offer.name, reason);
    if (refused) {
        xf_stanza_answer(s, head, XF_ANSWER_DECLINED, "file name refused",
                         true);
        xf_err_set(&why, XF_E_NAME, "refused name from %s: %s (\"%s\")",
                   head->from, refused, offer.name);
        tell_bad_offer(s, head, why.code, why.text);
    } else if ((same = xf_transfer_find(s, head->from, offer.sid, false))) {
        if (!xf_asked_is(&same->offer, head))
            xf_stanza_answer(s, head, XF_ANSWER_BAD_REQUEST, "stream id in use",
                             true);
    } else if ((again = find_same(s, head->from, &offer, continues)) != NULL ||
               (again = find_same(s, head->from, &offer, falls_back)) != NULL) {
        offered_again(again, head, &offer);
    } else if (find_same(s, head->from, &offer, collides)) {
        xf_stanza_answer(s, head, XF_ANSWER_BAD_REQUEST,
                         "transfer id in use for another file", true);
    } else if ((ended == XF_ENDED_WELL || ended == XF_ENDED_UNPROVEN) &&
               offer.range && offer.most >= offer.size) {
        say_delivered(s, head, &offer);
        /* The other still gets the receipt that it asks for next. */
        if (ended == XF_ENDED_UNPROVEN)
            xf_ending_said(s, head->from, offer.key);
    } else if (ended != XF_ENDED_UNKNOWN) {
        xf_stanza_answer(s, head, XF_ANSWER_DECLINED, "this transfer is over",
                         true);
    } else if (xf_connection_is_leaving(s)) {
        /* As good as gone; another may come in our place. */
        xf_stanza_answer(s, head, XF_ANSWER_UNAVAILABLE, NULL, true);
    } else if (too_many(s, head->from) != XF_ANSWER_NONE) {
        xf_stanza_answer(s, head, XF_ANSWER_BUSY, NULL, true);
    } else {
        new_offer(s, head, &offer);
    }
}
