/*
 * Saying yes or no to an offer: the part that is begun or found, where the
 * stream is to begin, and the answer, once it is known what stands in it.
 */
#include <string.h>

#include "api/mover.h"
#include "api/receiving_inside.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/si.h"

#define HOLD_MS 3000 /* a yes that depends on who asks */

/* --- yes ------------------------------------------------------------------------ */

void xf_receiving_choose(struct xf_transfer *t)
{
    struct xf_offer offer = { .list_multi = t->asked_multi,
                              .methods_count = t->asked.methods_count };

    memcpy(offer.methods, t->asked.methods, sizeof offer.methods);
    xf_offer_choose(&offer,
                    xf_session_allows(t->s, XF_VIA_DIRECT) ||
                        xf_session_allows(t->s, XF_VIA_PROXY),
                    xf_session_allows(t->s, XF_VIA_IBB), t->profile->two_values,
                    &t->answer);
}

/* An old Smack falls back only where both methods were answered, a newer one
 * cannot read two, and the offer alone does not tell them apart. */
static bool is_too_early(const struct xf_transfer *t)
{
    return t->asking_info && t->profile->older_differ && !t->asked_multi &&
           t->asked.methods_count > 1;
}

/* What the kernel took of a stream that broke need not come again. */
static bool is_drained(struct xf_transfer *t)
{
    if (!t->mover || t->finishing)
        return true;
    if (!xf_mover_drain(t->mover))
        return false;
    xf_mover_free(t->mover);
    t->mover = NULL;
    return true;
}

/* The bytes that are there may be asked for no more; or not at all, of a
 * sender that can only begin at the beginning. False: not just now. */
static bool is_settled(struct xf_transfer *t)
{
    uint64_t most = t->range ? t->most : 0;

    if (!is_drained(t))
        return false;
    if (t->range && t->key[0])
        xf_intake_sum(t->intake, true);
    if (!xf_intake_at_rest(t->intake))
        return false;
    /* What no sum will prove must at least have been synced. */
    if (!t->key[0] && most > xf_intake_durable(t->intake))
        most = xf_intake_durable(t->intake);
    if (t->finishing || xf_intake_bytes(t->intake) <= most)
        return true;
    if (xf_intake_is_published(t->intake)) {
        xf_receiving_end(t, XF_E_RESUME,
                         "the file was delivered before and has changed since; "
                         "the next offer brings it anew");
        return false;
    }
    xf_intake_cut(t->intake, most);
    t->done = most;
    return xf_intake_at_rest(t->intake);
}

/* Behind what is here, which is proven to one of ours. */
void xf_receiving_set_range(struct xf_transfer *t)
{
    struct xf_offer_answer *answer = &t->answer;

    t->done = t->base = xf_intake_bytes(t->intake);
    if (t->done == 0 || !t->range)
        return;
    answer->range = true;
    answer->range_offset = t->done;
    answer->durable = xf_intake_durable(t->intake);
    answer->has_prefix =
        t->key[0] && xf_intake_sum_so_far(t->intake, answer->prefix);
}

/* Once, when the file begins behind what an earlier transfer has left, or
 * could have. */
static void tell_resumed(struct xf_transfer *t)
{
    struct xf_event ev = { .type = XF_EVENT_RESUMED, .offset = t->done };

    if (t->accepted || t->done == 0)
        return;
    xf_events_transfer(t, &ev);
}

/* Where none is compared at the end, the bytes pass without. */
static bool wants_sum(const struct xf_transfer *t)
{
    return t->sum_promised || t->hash;
}

void xf_receiving_say_yes(struct xf_transfer *t)
{
    struct xf_session *s = t->s;

    if (is_too_early(t) && !t->yes_held) {
        t->yes_held = true;
        t->next_look = xf_now(s) + HOLD_MS;
        return;
    }
    t->next_look = INT64_MAX;
    t->yes_held = !is_settled(t);
    if (t->yes_held) { /* the intake's news bring it back here */
        t->receiving.deadline = INT64_MAX;
        return;
    }
    /* The sender's time to begin is from now on, not from before our sum. */
    t->receiving.deadline =
        xf_now(s) + XF_RECEIVING_DOOR_MS + (int64_t)(t->done / XF_SUM_RATE);
    xf_receiving_choose(t);
    xf_receiving_set_range(t);
    xf_intake_sum(t->intake, wants_sum(t));
    tell_resumed(t);
    t->accepted = true;
    xf_si_write_answer(xf_stanza_begin_answer(s), &t->offer.head, &t->answer);
    (void)xf_stanza_send(s, true);
    xf_asked_clear(&t->offer);
}

/* --- the face -------------------------------------------------------------------- */

static void intake_notify(void *ctx)
{
    struct xf_transfer *t = ctx;

    t->intake_news = true;
    xf_session_tick_soon(t->s);
}

static int open_file(struct xf_transfer *t, int dir_fd, enum xf_exists exists,
                     struct xf_error_info *why)
{
    static const enum xf_sink_exists ways[] = {
        [XF_EXISTS_RENAME] = XF_SINK_RENAME,
        [XF_EXISTS_REFUSE] = XF_SINK_REFUSE,
        [XF_EXISTS_OVERWRITE] = XF_SINK_OVERWRITE,
    };
    char bare[XF_JID_MAX + 1];
    struct xf_part_of of = { .peer = bare,
                             .name = t->name,
                             .size = t->size,
                             .version = t->version,
                             .hash = t->hash };
    struct xf_intake_sums sums = { .md5 = t->hash != NULL,
                                   .sha256 = t->key[0] != '\0' };
    struct xf_sink *sink;
    int err;

    xf_jid_bare(t->peer, bare);
    /* Of strangers those that are known to mean it: who offers a range and then
     * sends all would make a file of two. */
    t->range = t->range && (t->key[0] || t->profile->range);
    err = xf_sink_open(&sink, dir_fd, &of, ways[exists], t->range, why);
    if (err != 0)
        return err;
    err = xf_intake_new(&t->intake, sink, xf_pool_jobs(t->s->pool), &sums,
                        intake_notify, t);
    if (err != 0) {
        xf_sink_discard(sink);
        xf_err_set(why, err, "%s", xf_err_text(err));
        return err;
    }
    xf_intake_share(t->intake, &t->s->stock);
    t->done = t->base = xf_intake_bytes(t->intake);
    xf_intake_begin(t->intake);
    return 0;
}

int xf_transfer_accept(struct xf_transfer *t, int dir_fd, enum xf_exists exists)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_ACCEPT };
    struct xf_error_info why;
    int err;

    if (t->outgoing || t->over || !t->asking || dir_fd < 0 ||
        exists > XF_EXISTS_OVERWRITE)
        return XF_E_USAGE;
    t->asking = false;
    err = open_file(t, dir_fd, exists, &why);
    if (err != 0)
        xf_receiving_end(t, why.code, why.text);
    else
        xf_receiving_feed(t, &in);
    xf_session_tick(t->s);
    return err;
}

int xf_transfer_decline(struct xf_transfer *t, int code, const char *text)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_DECLINE,
                                     .code = code ? code : XF_E_DECLINED,
                                     .text = text };

    if (t->outgoing || t->over || !t->asking ||
        (text && !xf_xml_can_write(text)))
        return XF_E_USAGE;
    t->asking = false;
    t->say = text;
    xf_receiving_feed(t, &in);
    t->say = NULL;
    xf_session_tick(t->s);
    return 0;
}
