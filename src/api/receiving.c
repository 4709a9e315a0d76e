/* The receiving side: from an offer on the wire to the file on the disk. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/bytestream.h"
#include "api/connection.h"
#include "api/ending.h"
#include "api/inband.h"
#include "api/mover.h"
#include "api/peer.h"
#include "api/receiving_inside.h"
#include "api/resolve.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/ibb.h"
#include "wire/s5b.h"
#include "wire/si.h"

#define SUM_MS 30000 /* all bytes are here, but not their sum */
#define END_MS 5000  /* ... nor the word that there is none */

/* What a step may have to answer or to use. */
struct request {
    const struct xf_stanza_head *head;
    const struct xf_s5b_query *query;
    const struct xf_ibb_open *open;
    int fd;
};

static void step(struct xf_transfer *t, const struct xf_receiving_input *in,
                 const struct request *r);
static void broken(struct xf_transfer *t, int code, const char *text);

/* --- the end ------------------------------------------------------------------- */

/* No to a person's no, and to every reason of ours not to take it. */
static void say_no(struct xf_transfer *t, int code, const char *text)
{
    enum xf_answer answer = XF_ANSWER_DECLINED;

    if (code == XF_E_BUSY || code == XF_E_LIMIT)
        answer = XF_ANSWER_BUSY;
    if (code == XF_E_NOPEER)
        answer = XF_ANSWER_UNAVAILABLE;
    if (!text && (code == XF_E_SIZE || code == XF_E_NOSPC))
        text = "too large";
    xf_asked_answer(t->s, &t->offer, answer, text);
}

/* Ends that do not mean the file: another offer of it is welcome. */
static bool may_come_again(int code)
{
    switch (code) {
    case XF_E_GONE:
    case XF_E_STALL:
    case XF_E_SHORT:
    case XF_E_STREAM:
    case XF_E_CANCELLED:
    case XF_E_CONNECT:
    case XF_E_PROTO:
    case XF_E_LIMIT:
        return true;
    default:
        return false;
    }
}

/* Is what is here of use to another transfer of the same file? */
static bool is_worth_keeping(const struct xf_transfer *t, int code)
{
    return may_come_again(code) && t->range && t->intake &&
           !t->source_changed && xf_intake_bytes(t->intake) > 0;
}

static void keep(struct xf_transfer *t)
{
    xf_intake_keep(t->intake);
    t->intake = NULL;
}

void xf_receiving_leave(struct xf_transfer *t)
{
    if (t->over || !is_worth_keeping(t, XF_E_CANCELLED))
        return;
    xf_transfer_drop_streams(t);
    keep(t);
}

static void fail(struct xf_transfer *t)
{
    int code = t->receiving.why.code;
    bool kept = is_worth_keeping(t, code);

    if (t->offer.id)
        say_no(t, code, t->say);
    xf_ending_fail(t, code);
    xf_inband_settled(t->ibb, code);
    if (!t->told_stop)
        xf_inband_abandon(t->ibb);
    xf_mover_abort(t->mover);
    if (t->s5b && t->query.id)
        xf_asked_answer(t->s, &t->query, XF_ANSWER_NOT_FOUND, NULL);
    /* Who was told so by a person does not ask that person again. */
    if (t->accepted &&
        (!may_come_again(code) || t->source_changed || code == XF_E_CANCELLED))
        xf_ending_remember(t, XF_ENDED_BADLY, XF_RECEIPT_HAD);
    if (kept)
        keep(t);
    xf_transfer_end(t, code, t->receiving.why.text);
}

/* --- streams ------------------------------------------------------------------- */

void xf_receiving_end(struct xf_transfer *t, int code, const char *text)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_STOP,
                                     .code = code,
                                     .text = text };

    step(t, &in, NULL);
}

static void dial(struct xf_transfer *t, const struct request *r)
{
    xf_bytestream_free(t->s5b);
    t->s5b = NULL;
    if (!xf_asked_keep(&t->query, r->head) ||
        xf_bytestream_dial(t, r->query) != 0) {
        xf_asked_clear(&t->query);
        xf_stanza_answer(t->s, r->head, XF_ANSWER_BUSY, NULL, true);
        xf_receiving_end(t, XF_E_LIMIT, NULL);
        return;
    }
    xf_session_tick_soon(t->s);
}

static void say_used(struct xf_transfer *t)
{
    struct xf_session *s = t->s;

    xf_s5b_write_used(xf_stanza_begin_answer(s), &t->query.head, t->sid,
                      xf_bytestream_used(t->s5b));
    (void)xf_stanza_send(s, true);
    xf_asked_clear(&t->query);
}

static void take_stream(struct xf_transfer *t, int fd)
{
    int err;

    say_used(t);
    if ((err = xf_mover_receive(t, fd)) != 0)
        xf_receiving_end(t, err, NULL);
}

/* The sender goes over to it once it knows. */
static void hold_stream(struct xf_transfer *t, int fd)
{
    t->next_stream.fd = fd;
    t->next_stream.up = true;
    say_used(t);
}

/* It is up, and the sender did not know when it opened this one. */
static void keep_stream(struct xf_transfer *t)
{
    t->next_stream.fd = xf_mover_release(t->mover);
    t->next_stream.up = t->next_stream.fd >= 0;
    t->mover = NULL;
    xf_transfer_keep_way(t);
}

static void take_held(struct xf_transfer *t)
{
    int err;

    /* A short stream is its sender's own doing. */
    xf_inband_settled(t->ibb, XF_E_SHORT);
    t->base = t->done;
    if ((err = xf_mover_receive(t, xf_transfer_take_over(t))) != 0)
        xf_receiving_end(t, err, NULL);
}

static void drop_bytestream(struct xf_transfer *t)
{
    if (t->query.id)
        xf_asked_answer(t->s, &t->query, XF_ANSWER_NOT_FOUND, NULL);
    xf_transfer_drop_streams(t);
}

static void take_inband(struct xf_transfer *t, const struct request *r)
{
    if (!xf_inband_take(t, r->head, r->open))
        xf_receiving_end(t, XF_E_PROTO, "the in-band stream cannot be opened");
}

static void say_none(struct xf_transfer *t)
{
    xf_asked_answer(t->s, &t->query, XF_ANSWER_NOT_FOUND, NULL);
    xf_bytestream_free(t->s5b);
    t->s5b = NULL;
}

static void finish(struct xf_transfer *t)
{
    /* Who offers the rest asks once more. */
    bool heard = t->end.id && !t->offer.id && t->s->online;
    enum xf_receipt receipt = heard ? XF_RECEIPT_SAID : XF_RECEIPT_OWED;

    xf_sys_free(t->path);
    t->path = xf_sys_strdup(xf_intake_name(t->intake));
    xf_inband_settled(t->ibb, 0);
    /* An offer that wanted the rest finds that there is none. */
    if (t->offer.id) {
        xf_receiving_choose(t);
        xf_receiving_set_range(t);
        xf_si_write_answer(xf_stanza_begin_answer(t->s), &t->offer.head,
                           &t->answer);
        (void)xf_stanza_send(t->s, true);
    }
    if (t->query.id) /* it came by blocks meanwhile */
        xf_asked_answer(t->s, &t->query, XF_ANSWER_NOT_FOUND, NULL);
    xf_ending_answer(t, 0);
    xf_ending_remember(t,
                       t->sum_promised && !t->has_end_sum ? XF_ENDED_UNPROVEN
                                                          : XF_ENDED_WELL,
                       receipt);
    /* The journal goes when DONE was looked at: not before this has left. */
    xf_connection_flush(t->s);
    xf_transfer_end(t, 0, NULL);
}

static void step(struct xf_transfer *t, const struct xf_receiving_input *in,
                 const struct request *r)
{
    enum xf_receiving_do what;

    if (t->over)
        return;
    what = xf_receiving_step(&t->receiving, in, xf_now(t->s));
    /* What a request or a stream brings is there with its input. */
    assert(r ||
           (what != XF_RECEIVING_DIAL && what != XF_RECEIVING_TAKE_STREAM &&
            what != XF_RECEIVING_HOLD_STREAM &&
            what != XF_RECEIVING_TAKE_INBAND &&
            what != XF_RECEIVING_TAKE_INBAND_TOO &&
            what != XF_RECEIVING_TAKE_INBAND_FIRST));
    if (r && in->kind == XF_RECEIVING_UP && what != XF_RECEIVING_TAKE_STREAM &&
        what != XF_RECEIVING_HOLD_STREAM)
        xf_sys_close(r->fd);
    switch (what) {
    case XF_RECEIVING_NOTHING:
        return;
    case XF_RECEIVING_SAY_YES:
        xf_receiving_say_yes(t);
        return;
    case XF_RECEIVING_DIAL:
        dial(t, r);
        return;
    case XF_RECEIVING_TAKE_STREAM:
        take_stream(t, r->fd);
        return;
    case XF_RECEIVING_TAKE_INBAND:
        drop_bytestream(t);
        take_inband(t, r);
        return;
    case XF_RECEIVING_TAKE_INBAND_TOO:
        take_inband(t, r);
        return;
    case XF_RECEIVING_TAKE_INBAND_FIRST:
        keep_stream(t);
        take_inband(t, r);
        return;
    case XF_RECEIVING_HOLD_STREAM:
        hold_stream(t, r->fd);
        return;
    case XF_RECEIVING_TAKE_HELD:
        take_held(t);
        return;
    case XF_RECEIVING_SAY_NONE:
        say_none(t);
        return;
    case XF_RECEIVING_REFUSE:
        if (r)
            xf_stanza_answer(t->s, r->head,
                             r->query ? XF_ANSWER_NOT_ACCEPTABLE_MODIFY
                                      : XF_ANSWER_NOT_ACCEPTABLE,
                             NULL, true);
        return;
    case XF_RECEIVING_FINISH:
        finish(t);
        return;
    case XF_RECEIVING_FAIL:
        fail(t);
        return;
    }
}

/* --- the wire ------------------------------------------------------------------ */

void xf_receiving_known(struct xf_transfer *t)
{
    if (t->yes_held && !t->over)
        xf_receiving_say_yes(t);
}

void xf_receiving_feed(struct xf_transfer *t,
                       const struct xf_receiving_input *in)
{
    step(t, in, NULL);
}

void xf_receiving_query(struct xf_transfer *t,
                        const struct xf_stanza_head *head,
                        const struct xf_s5b_query *query)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_QUERY };
    struct request r = { .head = head, .query = query, .fd = -1 };

    if (xf_asked_is(&t->query, head))
        return; /* said twice, and its answer is to come */
    step(t, &in, &r);
}

void xf_receiving_open(struct xf_transfer *t, const struct xf_stanza_head *head,
                       const struct xf_ibb_open *open)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_OPEN,
                                     .goes_on = t->key[0] != '\0',
                                     .got_bytes =
                                         t->done > t->base || t->finishing };
    struct request r = { .head = head, .open = open, .fd = -1 };

    step(t, &in, &r);
}

void xf_receiving_again(struct xf_transfer *t, bool goes_on)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_OFFERED_AGAIN,
                                     .goes_on = goes_on };

    step(t, &in, NULL);
}

/* --- the streams --------------------------------------------------------------- */

static void up(struct xf_transfer *t, int fd)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_UP };
    struct request r = { .fd = fd };

    step(t, &in, &r);
}

static void failed(struct xf_transfer *t, int code, const char *text)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_NONE_UP,
                                     .code = code,
                                     .text = text };

    step(t, &in, NULL);
}

static void finish_file(struct xf_transfer *t)
{
    struct xf_intake_expected expected = { .md5 = t->hash,
                                           .sha256 = t->has_end_sum ? t->end_sum
                                                                    : NULL };
    int err;

    t->end_by = INT64_MAX;
    t->moved_at = 0; /* the disk has its own time */
    t->finishing = true;
    err = xf_intake_finish(t->intake, &expected);
    if (err != 0) {
        struct xf_error_info why = *xf_intake_error(t->intake);

        xf_receiving_end(t, why.code, why.text);
    }
}

static bool has_all(const struct xf_transfer *t)
{
    return xf_intake_bytes(t->intake) == t->size;
}

static bool may_go_on(const struct xf_transfer *t, int code)
{
    return t->key[0] && t->range && t->accepted && !t->told_stop &&
           (code == XF_E_SHORT || code == XF_E_GONE || code == XF_E_STALL ||
            code == XF_E_STREAM || code == XF_E_PROTO);
}

/* A close in front of the last byte: blocks were lost, or its sender is about
 * to offer the rest. */
static bool closed_early(struct xf_transfer *t)
{
    struct xf_error_info why;

    if (t->size == XF_SIZE_UNKNOWN || has_all(t) || !may_go_on(t, XF_E_SHORT))
        return false;
    xf_err_set(&why, XF_E_SHORT, "stream ended at byte %llu of %llu",
               (unsigned long long)t->done, (unsigned long long)t->size);
    xf_inband_settled(t->ibb, XF_E_SHORT);
    broken(t, why.code, why.text);
    return true;
}

static int64_t end_ms(const struct xf_transfer *t)
{
    return t->sum_promised ? SUM_MS + (int64_t)(t->size / XF_SUM_RATE) : END_MS;
}

/* The stream stays open until the file is safe: its sender sees the end of it
 * as late as that, and a reset when it comes to nothing. One of ours has yet
 * to say what the sum is, or at least to ask for the receipt: who is done and
 * gone before that leaves it in doubt. */
static void moved(struct xf_transfer *t)
{
    struct xf_receiving_input closed = { .kind = XF_RECEIVING_CLOSED };

    if (t->over || t->finishing)
        return;
    if (t->next_stream.up && !has_all(t)) {
        step(t, &closed, NULL);
        return;
    }
    if (closed_early(t))
        return;
    t->moved_at = 0;
    if (t->key[0] && !t->end.id && has_all(t)) {
        if (t->end_by == INT64_MAX)
            t->end_by = xf_now(t->s) + end_ms(t);
        return;
    }
    finish_file(t);
}

/* The sender is one of ours, and offers the rest. */
static void wait_for_rest(struct xf_transfer *t, int code, const char *text)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_BROKEN,
                                     .code = code,
                                     .text = text,
                                     .patience_ms = xf_session_patience(t->s) };

    step(t, &in, NULL);
    drop_bytestream(t);
    xf_ending_answer(t, XF_E_SHORT);
}

static void broken(struct xf_transfer *t, int code, const char *text)
{
    struct xf_receiving_input dry = { .kind = XF_RECEIVING_DRY };
    struct xf_error_info why;

    /* A sender whose timer ran out closes what it never used; one that has said
     * what the sum is did use it. */
    if (t->receiving.state == XF_RECEIVING_STREAMING && t->done == t->base &&
        !t->end.id && !has_all(t) &&
        (code == XF_E_SHORT || code == XF_E_GONE)) {
        xf_transfer_broke(t, code, "closed before the first byte");
        xf_transfer_drop_streams(t);
        step(t, &dry, NULL);
        return;
    }
    if (!may_go_on(t, code)) {
        xf_receiving_end(t, code, text);
        return;
    }
    /* The words may be the stream's own, which is about to go. */
    xf_err_set(&why, code, "%s", text ? text : xf_err_text(code));
    xf_transfer_broke(t, why.code, why.text);
    wait_for_rest(t, why.code, why.text);
}

static void intake_news(struct xf_transfer *t)
{
    struct xf_receiving_input whole = { .kind = XF_RECEIVING_WHOLE };
    const struct xf_error_info *why;

    if (!t->intake)
        return;
    if ((why = xf_intake_error(t->intake)) != NULL) {
        struct xf_error_info copy = *why;

        xf_receiving_end(t, copy.code, copy.text);
    } else if (xf_intake_finished(t->intake)) {
        step(t, &whole, NULL);
    } else if (t->yes_held && t->next_look == INT64_MAX) {
        xf_receiving_say_yes(t);
    } else {
        xf_inband_resume(t->ibb);
        xf_mover_resume(t->mover);
    }
}

/* --- the clock, and the end ------------------------------------------------------ */

static void tick(struct xf_transfer *t)
{
    struct xf_receiving_input in = { .kind = XF_RECEIVING_TICK };

    if (t->intake_news) {
        t->intake_news = false;
        intake_news(t);
    }
    if (!t->over && t->yes_held && xf_now(t->s) >= t->next_look)
        xf_receiving_say_yes(t);
    if (!t->over && xf_now(t->s) >= t->end_by)
        finish_file(t);
    if (!t->over && xf_now(t->s) >= t->receiving.deadline)
        step(t, &in, NULL);
}

static void stop(struct xf_transfer *t, int code, const char *text)
{
    struct xf_receiving_input whole = { .kind = XF_RECEIVING_WHOLE };

    /* It has its name already, and only that was not yet looked at. */
    if (t->intake && xf_intake_finished(t->intake)) {
        step(t, &whole, NULL);
        return;
    }
    /* Whole but for the sender's close or sum: nothing is lost by taking it.
     * Of an empty file there must at least have been a stream. */
    if (t->intake && !t->finishing && t->size != XF_SIZE_UNKNOWN &&
        has_all(t) && (t->mover || t->ibb || t->end_by != INT64_MAX) &&
        code != XF_E_CANCELLED && !t->source_changed) {
        finish_file(t);
        return;
    }
    if (t->finishing && code != XF_E_CANCELLED)
        return;
    xf_receiving_end(t, code, text);
}

void xf_receiving_end_came(struct xf_transfer *t,
                           const struct xf_stanza_head *head,
                           const struct xf_xferry_end *end)
{
    bool streams = t->mover || t->ibb || t->s5b;

    /* Who asks once more has given up waiting for the answer to the first. */
    xf_asked_clear(&t->end);
    if (!t->intake || !xf_asked_keep(&t->end, head)) {
        xf_stanza_answer(t->s, head, XF_ANSWER_BAD_REQUEST, NULL, true);
        return;
    }
    t->has_end_sum = end->has_sum;
    memcpy(t->end_sum, end->sum, sizeof t->end_sum);
    if (t->finishing)
        return;
    if (has_all(t) && t->size != XF_SIZE_UNKNOWN)
        finish_file(t);
    else if (!streams)
        xf_ending_answer(t, XF_E_SHORT);
}

void xf_receiving_stopped(struct xf_transfer *t, enum xf_stop_reason reason)
{
    struct xf_error_info why = t->receiving.why;

    t->source_changed = reason == XF_STOP_CHANGED;
    if (t->source_changed)
        stop(t, XF_E_SHORT,
             "the file changed while it was sent; not delivered");
    else if (why.code && reason != XF_STOP_CANCELLED)
        /* a stream broke, and was not followed by another */
        stop(t, why.code, why.text);
    else
        stop(t, XF_E_GONE,
             reason == XF_STOP_CANCELLED ? "the sender cancelled the transfer"
                                         : "the sender gave the transfer up");
}

/* Whom a stream joins directly needs nobody else; who is one of ours may come
 * back and go on. */
static void away(struct xf_transfer *t, bool ours, int code, const char *text)
{
    (void)ours;
    if (t->mover || t->finishing)
        return;
    if (!may_go_on(t, code))
        stop(t, code, text);
    else if (!has_all(t))
        wait_for_rest(t, code, text);
}

static void back(struct xf_transfer *t)
{
    if (t->end_by != INT64_MAX)
        t->end_by = xf_now(t->s) + end_ms(t);
    if (t->receiving.state == XF_RECEIVING_WAITING && t->receiving.why.code)
        wait_for_rest(t, t->receiving.why.code, NULL);
}

const struct xf_role xf_receiving_role = {
    .up = up,
    .failed = failed,
    .left = failed,
    .moved = moved,
    .broken = broken,
    .away = away,
    .back = back,
    .stop = stop,
    .tick = tick,
};
