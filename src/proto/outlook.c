/* The ladder, climbed in thought; its rules are proto/sending's. */
#include "proto/outlook.h"

#include <string.h>

/* An offer, two answers of the contact, and every rung between. */
#define STEPS_MAX 16

/* What the contact says to an offer of these methods; its own order is that
 * of all programs we know but slixmpp's: a bytestream, if it can. */
static bool answer(const struct xf_outlook_peer *peer,
                   const struct xf_sending_todo *offered,
                   struct xf_offer_answer *out)
{
    struct xf_offer offer = { .list_multi = false,
                              .methods_count = offered->methods_count };

    memcpy(offer.methods, offered->methods, sizeof offer.methods);
    xf_offer_choose(&offer, peer->s5b, peer->ibb, peer->two_values, out);
    return out->count > 0;
}

static void note(struct xf_outlook *out, enum xf_method method, bool second)
{
    if (out->count == XF_OUTLOOK_MAX)
        return;
    out->rungs[out->count].method = method;
    out->rungs[out->count].second = second;
    out->count++;
}

/* What happens next, if the rung just tried has failed. */
static struct xf_sending_input next(const struct xf_sending_todo *todo,
                                    const struct xf_outlook_peer *peer,
                                    struct xf_offer_answer *said)
{
    struct xf_sending_input in = { .kind = XF_SENDING_FAILED,
                                   .code = XF_E_CONNECT,
                                   .text = "" };

    if (todo->what == XF_SENDING_PREPARE) {
        in.kind = XF_SENDING_READY;
    } else if (todo->what == XF_SENDING_OFFER && answer(peer, todo, said)) {
        in.kind = XF_SENDING_ACCEPTED;
        in.answer = said;
    } else if (todo->what == XF_SENDING_OFFER) {
        in.kind = XF_SENDING_REFUSED;
        in.code = XF_E_NOMETHOD;
        in.text = NULL;
    }
    return in;
}

void xf_outlook(const struct xf_sending_rules *rules, bool can_s5b,
                const struct xf_outlook_peer *peer, struct xf_outlook *out)
{
    struct xf_sending_input in = { .kind = XF_SENDING_PEER };
    struct xf_offer_answer said;
    struct xf_sending ladder;

    *out = (struct xf_outlook){ 0 };
    xf_sending_init(&ladder);
    xf_sending_set_rules(&ladder, rules);
    ladder.can_s5b = can_s5b;
    for (unsigned i = 0; i < STEPS_MAX; i++) {
        struct xf_sending_todo todo = xf_sending_step(&ladder, &in);

        if (todo.what == XF_SENDING_TRY_S5B)
            note(out, XF_METHOD_S5B, ladder.second);
        else if (todo.what == XF_SENDING_TRY_IBB)
            note(out, XF_METHOD_IBB, ladder.second);
        else if (todo.what == XF_SENDING_FAIL)
            break;
        in = next(&todo, peer, &said);
    }
    if (out->count == 0)
        out->why = ladder.why;
}
