/* The offering side: from xf_offer_file() to the last event. */
#include "api/sending.h"

#include <string.h>

#include "api/bytestream.h"
#include "api/connection.h"
#include "api/ending.h"
#include "api/inband.h"
#include "api/mover.h"
#include "api/offering.h"
#include "api/rate.h"
#include "api/resolve.h"
#include "api/sending_inside.h"
#include "api/stanzas.h"
#include "api/sum.h"
#include "base/sys.h"

#define FORGIVE (256u << 20) /* bytes after which what broke may do again */
#define FORESEE_MS 2000      /* most bytestreams are there by then */
#define BESIDE_MS 1000       /* ... of two of ours, which need not choose */
#define ASK_MS 1000          /* for the receipt, once more */
#define RECEIPT_MS                                                             \
    30000 /* after the stream has ended well, in which case the
                            contact had the file on its disk before */

/* --- rungs ------------------------------------------------------------------- */

/* Nothing ends a bytestream without a byte but its end, which libpurple and
 * Smack take for an error; in-band there is a <close/>. One of ours knows. */
static bool needs_ibb(const struct xf_transfer *t)
{
    return t->size == 0 && xf_session_allows(t->s, XF_VIA_IBB) &&
           !(t->features & XF_FEATURE_XFERRY) &&
           (!(t->features & XF_FEATURE_KNOWN) || t->features & XF_FEATURE_IBB);
}

unsigned xf_sending_way(enum xf_via via)
{
    static const unsigned ways[] = { 0, XF_WAY_DIRECT, XF_WAY_PROXY,
                                     XF_WAY_IBB };

    return ways[via];
}

void xf_sending_rules_for(const struct xf_session *s,
                          const struct xf_profile *profile, bool only_ibb,
                          struct xf_sending_rules *out)
{
    bool s5b = only_ibb;

    *out = (struct xf_sending_rules){
        .ibb_same_sid = profile->ibb_same_sid,
        .second_offer = profile->second_offer,
        .goes_on = profile->goes_on,
    };
    /* Direct and by proxy are one method, told by one query. */
    for (size_t i = 0; i < s->set.via_count; i++) {
        if (s->set.via[i] == XF_VIA_IBB)
            out->methods[out->methods_count++] = XF_METHOD_IBB;
        else if (!s5b)
            out->methods[out->methods_count++] = XF_METHOD_S5B;
        s5b |= s->set.via[i] != XF_VIA_IBB;
        out->ways |= xf_sending_way(s->set.via[i]);
    }
}

/* Where there is another way it is not even offered. */
static void without_ibb(struct xf_sending_rules *rules)
{
    if (rules->methods_count < 2)
        return;
    rules->methods_count = 1;
    rules->methods[0] = XF_METHOD_S5B;
}

void xf_sending_rules(struct xf_transfer *t)
{
    struct xf_sending_rules rules;

    xf_sending_rules_for(t->s, t->profile, needs_ibb(t), &rules);
    if (!xf_inband_can(t))
        without_ibb(&rules);
    xf_sending_set_rules(&t->sending, &rules);
}

static void rate_noted(void *ctx, const struct xf_rate *rate)
{
    (void)ctx;
    (void)rate;
}

/* A bytestream takes its time: in-band may be next, and is to know by then. */
static void foresee_ibb(struct xf_transfer *t)
{
    if (xf_session_allows(t->s, XF_VIA_IBB) && xf_inband_wants_rate(t))
        (void)xf_rate_measure(t->s, rate_noted, t);
}

void xf_sending_fail_with(struct xf_transfer *t, int err)
{
    struct xf_sending_input in = { .kind = XF_SENDING_STOP, .code = err };

    xf_sending_feed(t, &in);
}

static void move(struct xf_transfer *t, int fd)
{
    int err;

    if (fd < 0) {
        xf_inband_start(t->ibb);
        return;
    }
    if ((err = xf_mover_send(t, fd)) != 0)
        xf_sending_fail_with(t, err);
}

static void finish(struct xf_transfer *t)
{
    xf_transfer_drop_streams(t);
    /* What the contact has compared was whole, whatever came after. */
    if (!(t->confirmed && t->sum_equal) && xf_source_changed(t->source)) {
        struct xf_error_info why;

        xf_source_set_changed(t->source, &why);
        xf_transfer_end(t, why.code, why.text);
        return;
    }
    xf_transfer_end(t, 0, NULL);
}

static int open_inband(struct xf_transfer *t)
{
    const char *why = "the contact's program cannot count the blocks of so "
                      "large a file";

    if (xf_inband_can(t))
        return xf_inband_open(t);
    xf_events_attempt(t, XF_VIA_IBB, XF_ATTEMPT_FAILED, NULL, 0, 0,
                      XF_E_NOMETHOD, why);
    xf_sending_note(&t->sending, "in-band", why);
    t->role->failed(t, XF_E_NOMETHOD, why);
    return 0;
}

/* A stream that broke may have brought some of it; the answer will say where
 * the next one begins. */
static void begin_anew(struct xf_transfer *t)
{
    xf_transfer_drop_streams(t);
    t->end_by = INT64_MAX;
    t->confirmed = false;
    if (!t->key[0])
        t->done = 0;
}

static void all_sent(struct xf_transfer *t)
{
    t->all_sent = true;
    xf_sum_let(t);
    xf_ending_ask(t);
}

/* For the contact, who may come back with another resource. */
static void look_again(struct xf_transfer *t)
{
    int64_t until = xf_now(t->s) + xf_session_patience(t->s);

    xf_requests_drop(t->s, t);
    xf_ending_forget(t);
    begin_anew(t);
    t->unanswered = t->checking = t->asking_info = false;
    t->peer[0] = '\0';
    if ((t->accepted || !t->s->online) && t->wait_until < until)
        t->wait_until = until;
    t->next_look = t->s->online ? xf_now(t->s) : t->wait_until;
}

/* Where in-band came first, what was prepared is gone. */
static int query(struct xf_transfer *t)
{
    int err = t->s5b ? 0 : xf_bytestream_prepare(t);

    if (err != 0)
        return err;
    if (t->s5b)
        return xf_bytestream_query(t);
    t->role->failed(t, XF_E_CONNECT, "there is no address to tell any more");
    return 0;
}

/* `fd` of the stream that is up, for MOVE. */
static void carry_out(struct xf_transfer *t, const struct xf_sending_todo *todo,
                      int fd)
{
    int err = 0;

    switch (todo->what) {
    case XF_SENDING_NOTHING:
        if (fd >= 0)
            xf_sys_close(fd);
        return;
    case XF_SENDING_PREPARE:
        if (t->sending.further)
            begin_anew(t);
        xf_resolve_prepare(t);
        return;
    case XF_SENDING_OFFER:
        if (t->sending.second || t->sending.further)
            begin_anew(t);
        err = xf_offering_make(t, todo);
        break;
    case XF_SENDING_TRY_S5B:
        t->next_look = xf_now(t->s) + (t->key[0] ? BESIDE_MS : FORESEE_MS);
        err = query(t);
        break;
    case XF_SENDING_TRY_IBB:
        xf_transfer_drop_streams(t);
        err = open_inband(t);
        break;
    case XF_SENDING_TRY_IBB_BESIDE:
        err = open_inband(t);
        break;
    case XF_SENDING_MOVE:
        move(t, fd);
        return;
    case XF_SENDING_SWITCH:
        t->next_stream.fd = fd;
        t->next_stream.up = true;
        if (!xf_inband_hand_over(t->ibb))
            xf_transfer_drop_next(t);
        return;
    case XF_SENDING_ASK:
        all_sent(t);
        return;
    case XF_SENDING_LOOK:
        look_again(t);
        return;
    case XF_SENDING_FINISH:
        finish(t);
        return;
    case XF_SENDING_FAIL:
        xf_ending_stop(t, t->sending.why.code);
        if (!t->told_stop) /* that ends the stream, too, and says why */
            xf_inband_abandon(t->ibb);
        xf_transfer_end(t, t->sending.why.code, t->sending.why.text);
        return;
    }
    if (err != 0)
        xf_sending_fail_with(t, err);
}

static void step_with(struct xf_transfer *t, const struct xf_sending_input *in,
                      int fd)
{
    struct xf_sending_todo todo;

    if (t->over) {
        if (fd >= 0)
            xf_sys_close(fd);
        return;
    }
    todo = xf_sending_step(&t->sending, in);
    carry_out(t, &todo, fd);
}

void xf_sending_feed(struct xf_transfer *t, const struct xf_sending_input *in)
{
    step_with(t, in, -1);
}

/* --- news -------------------------------------------------------------------- */

void xf_sending_resolved(struct xf_transfer *t)
{
    struct xf_sending_input in = { .kind = XF_SENDING_PEER };

    xf_sending_rules(t);
    xf_sending_feed(t, &in);
}

void xf_sending_prepared(struct xf_transfer *t)
{
    struct xf_sending_input in = { .kind = XF_SENDING_READY };
    int err = xf_bytestream_prepare(t);

    if (err != 0) {
        xf_sending_fail_with(t, err);
        return;
    }
    t->sending.can_s5b = t->s5b != NULL;
    xf_sending_feed(t, &in);
}

static void up(struct xf_transfer *t, int fd)
{
    struct xf_sending_input in = { .kind = XF_SENDING_OPEN,
                                   .beside = fd >= 0 && t->ibb };

    step_with(t, &in, fd);
}

/* A bytestream hands all of a small file to the kernel at once: what has left
 * is not what has come. That is known by the answer to the next offer. */
static bool has_progress(const struct xf_transfer *t)
{
    return t->base > t->base_then || (!t->sending.further && t->high > 0);
}

static void tell(struct xf_transfer *t, enum xf_sending_kind kind, int code,
                 const char *text)
{
    struct xf_sending_input in = { .kind = kind,
                                   .beside = t->ibb != NULL,
                                   .code = code,
                                   .text = text,
                                   .progress = has_progress(t) };

    xf_sending_feed(t, &in);
}

/* The blocks are over, or never were: on with what has come up meanwhile. */
static void take_over(struct xf_transfer *t)
{
    move(t, xf_transfer_take_over(t));
}

/* Who has accepted and then is not there is looked for again. */
static void failed(struct xf_transfer *t, int code, const char *text)
{
    bool away = code == XF_E_GONE && t->accepted && t->key[0];

    if (t->next_stream.up)
        take_over(t);
    else
        tell(t, away ? XF_SENDING_AWAY : XF_SENDING_FAILED, code, text);
}

/* The receipt may be on its way already: it needs no end of the stream. */
static void moved(struct xf_transfer *t)
{
    if (t->next_stream.up) {
        take_over(t);
        return;
    }
    tell(t, XF_SENDING_MOVED, 0, NULL);
    if (t->over || t->sending.state != XF_SENDING_CONFIRMING)
        return;
    t->moved_at = 0; /* the receipt has its own time */
    t->end_by = xf_now(t->s) + RECEIPT_MS;
    all_sent(t);
}

static void sent(struct xf_transfer *t)
{
    if (t->key[0])
        all_sent(t);
}

/* Codes of what another stream would meet as well. */
static bool is_final(int code)
{
    switch (code) {
    case XF_E_GONE:
    case XF_E_STALL:
    case XF_E_SHORT:
    case XF_E_STREAM:
    case XF_E_CONNECT:
    case XF_E_PROXY:
    case XF_E_BUSY:
    case XF_E_PROTO:
        return false;
    default:
        return true;
    }
}

/* `told`: the attempt's end has been. */
static void break_off(struct xf_transfer *t, int code, const char *text,
                      bool told)
{
    struct xf_error_info why;
    struct xf_sending_input in = { .kind = XF_SENDING_BROKEN,
                                   .again = t->again,
                                   .final = is_final(code),
                                   .forgive = t->done - t->base >= FORGIVE,
                                   .way = xf_sending_way(t->via),
                                   .progress = has_progress(t),
                                   .code = code,
                                   .text = why.text };

    /* It may be the stream's own, which is about to go. */
    xf_err_set(&why, code, "%s", text ? text : xf_err_text(code));
    t->again = false;
    if (t->key[0] && !in.final) {
        xf_ending_forget(t);
        if (!told)
            xf_transfer_broke(t, code, why.text);
        /* Nobody can be offered the rest before we are back. */
        if (!t->s->online) {
            tell(t, XF_SENDING_AWAY, code, why.text);
            return;
        }
    }
    xf_sending_feed(t, &in);
}

static void broken(struct xf_transfer *t, int code, const char *text)
{
    break_off(t, code, text, false);
}

/* One of ours that was killed meanwhile comes back, perhaps; one that was not
 * is offered the ways that are left. */
static void left(struct xf_transfer *t, int code, const char *text)
{
    if (t->key[0] && !t->ibb)
        break_off(t, code, text, true);
    else
        failed(t, code, text);
}

static void stop(struct xf_transfer *t, int code, const char *text)
{
    /* Every byte is there; that nobody can say so any more is no failure. */
    if (t->sending.state == XF_SENDING_CONFIRMING && !t->told_stop &&
        code == XF_E_STREAM)
        tell(t, XF_SENDING_NO_RECEIPT, 0, NULL);
    else
        tell(t, XF_SENDING_STOP, code, text);
}

/*
 * Does it wait for the contact, or for our own connection? That comes back; the
 * embedder of a borrowed one may never bring it, so only what one of ours can
 * go on with waits for him, or what was not offered yet. A stranger that has
 * accepted and is away is gone; who has not can be waited for, as asked.
 */
static bool waits(const struct xf_transfer *t, bool ours)
{
    if (ours)
        return t->s->con || t->key[0] || !t->offered_at;
    return t->accepted ? t->key[0] : xf_now(t->s) < t->wait_until;
}

/* Whom a stream joins directly needs nobody else, as long as there are bytes;
 * but for the receipt, which is asked for anew when they are over. */
static bool needs_nobody(const struct xf_transfer *t, bool ours)
{
    return t->mover && (ours || t->sending.state == XF_SENDING_MOVING);
}

static bool waits_for_receipt(const struct xf_transfer *t)
{
    return t->all_sent && t->sending.state == XF_SENDING_CONFIRMING;
}

static void away(struct xf_transfer *t, bool ours, int code, const char *text)
{
    bool begun = t->sending.state != XF_SENDING_RESOLVING;

    if (ours && needs_nobody(t, ours)) {
        xf_ending_hold(t);
        return;
    }
    /* The receipt may be on its way; if there is nobody the server will say. */
    if (needs_nobody(t, ours) || (!ours && waits_for_receipt(t))) {
        xf_ending_ask_again(t);
        return;
    }
    if (!begun && !ours)
        return;
    if (!waits(t, ours)) {
        stop(t, code, text);
        return;
    }
    if (!begun) {
        xf_requests_drop(t->s, t);
        t->asking_info = false;
        return;
    }
    if (t->sending.state == XF_SENDING_MOVING)
        xf_transfer_broke(t, code, text);
    tell(t, XF_SENDING_AWAY, code, text);
}

static void back(struct xf_transfer *t)
{
    int64_t until = xf_now(t->s) + t->s->set.stall_ms;

    if (t->accepted && t->wait_until < until)
        t->wait_until = until;
    if (t->sending.state == XF_SENDING_RESOLVING)
        t->next_look = 0;
    xf_ending_ask(t);
}

/* The bytestream still stands, and who is not there just now may only have lost
 * his own connection. */
static bool asks_again(struct xf_transfer *t)
{
    if (t->sending.state != XF_SENDING_MOVING || !t->mover)
        return false;
    t->next_look = xf_now(t->s) + ASK_MS;
    return true;
}

/*
 * Who does not know of it was begun anew; who is silent, or not there, may have
 * been killed before the file was safe, and may come back: the answer to
 * another offer says what they have. While we are away ourselves nobody can
 * say anything, and the stream has ended well.
 */
static void no_receipt(struct xf_transfer *t)
{
    /* It was delivered before, and proves nothing any more. */
    bool had =
        t->yes.range && t->yes.range_offset == t->size && !t->yes.has_prefix;

    if (asks_again(t))
        return;
    if (xf_session_is_away(t->s) || had ||
        t->sending.state != XF_SENDING_CONFIRMING)
        tell(t, XF_SENDING_NO_RECEIPT, 0, NULL);
    else
        tell(t, XF_SENDING_AWAY, XF_E_GONE,
             "the contact went away before it had the file on its disk");
}

void xf_sending_receipt(struct xf_transfer *t,
                        const struct xf_stanza_error *error)
{
    if (!error) {
        t->confirmed = true;
        tell(t, XF_SENDING_RECEIPT, 0, NULL);
        return;
    }
    switch (error->condition) {
    case XF_COND_UNEXPECTED_REQUEST:
        broken(t, XF_E_SHORT, "the contact lacks some of the bytes");
        return;
    case XF_COND_NOT_ACCEPTABLE:
        t->told_stop = true;
        stop(t, XF_E_HASH, "what the contact got does not match the file");
        return;
    case XF_COND_RESOURCE_CONSTRAINT:
        t->told_stop = true;
        stop(t, XF_E_DECLINED, "the contact could not keep the file");
        return;
    default:
        /* Our word counts from the JID that has offered it: so offer it. */
        if (t->renamed)
            broken(t, XF_E_STREAM, "our own address has changed");
        else
            no_receipt(t);
    }
}

void xf_sending_stopped(struct xf_transfer *t, enum xf_stop_reason reason)
{
    static const struct {
        int code;
        const char *text;
    } ends[XF_STOP_REASONS] = {
        [XF_STOP_FAILED] = { XF_E_GONE, "the contact gave the transfer up" },
        [XF_STOP_CANCELLED] = { XF_E_DECLINED,
                                "the contact cancelled the transfer" },
        [XF_STOP_CHANGED] = { XF_E_GONE, "the contact gave the transfer up" },
        [XF_STOP_NO_SPACE] = { XF_E_DECLINED, "the contact has no space left" },
        [XF_STOP_MISMATCH] = { XF_E_HASH, "what the contact got does not "
                                          "match the file" },
    };

    stop(t, ends[reason].code, ends[reason].text);
}

/* The sum has come further, or to an end. */
static void sum_news(struct xf_transfer *t)
{
    const struct xf_error_info *why =
        t->sum ? xf_source_digest_error(t->sum) : NULL;

    t->sum_news = false;
    if (why) {
        struct xf_error_info copy = *why;

        stop(t, copy.code, copy.text);
        return;
    }
    xf_offering_summed(t);
    xf_ending_ask(t);
}

/* A sum that is not yet there takes its time. */
static void end_is_due(struct xf_transfer *t)
{
    if (t->sum && !xf_source_digest_sum(t->sum))
        t->end_by = xf_now(t->s) + RECEIPT_MS;
    else
        no_receipt(t);
}

static void tick(struct xf_transfer *t)
{
    if (t->sum_news)
        sum_news(t);
    if (!t->over && xf_now(t->s) >= t->end_by) {
        t->end_by = INT64_MAX;
        end_is_due(t);
    }
    if (t->over || xf_now(t->s) < t->next_look)
        return;
    t->next_look = INT64_MAX;
    if (t->sending.state == XF_SENDING_RESOLVING && t->s->online)
        xf_resolve_contact(t);
    else if (t->sending.state == XF_SENDING_RESOLVING && t->sending.further)
        stop(t, XF_E_STREAM, "the connection did not come back");
    else if (t->sending.state == XF_SENDING_PREPARING)
        xf_resolve_prepared(t);
    else if (t->sending.state == XF_SENDING_CONNECTING && t->key[0] &&
             !xf_inband_by_message(t))
        tell(t, XF_SENDING_LATE, 0, NULL);
    else if (t->sending.state == XF_SENDING_CONNECTING)
        foresee_ibb(t);
    else if (t->sending.state == XF_SENDING_OFFERED)
        xf_offering_overdue(t);
    else
        xf_ending_ask(t);
}

const struct xf_role xf_sending_role = {
    .up = up,
    .failed = failed,
    .sent = sent,
    .moved = moved,
    .left = left,
    .broken = broken,
    .away = away,
    .back = back,
    .stop = stop,
    .tick = tick,
};
