/* The sending end of an in-band stream: opens it, keeps blocks on the way. */
#include <stdio.h>
#include <string.h>

#include "api/connection.h"
#include "api/inband_inside.h"
#include "api/peer.h"
#include "api/rate.h"
#include "base/sys.h"

#define QUEUE_AHEAD XF_LINK_LOW       /* bytes not yet written to the server */
#define EMBEDDER_AHEAD (512u * 1024u) /* ... not yet taken by an embedder */
#define MESSAGES_AHEAD (64u * 1024u)  /* ... not yet acknowledged by it */
#define SHARE_BLOCKS 16u    /* as often it is asked who sends besides */
#define PEER_CLOSE_MS 5000  /* libpurple never answers a close */
#define SLOW_CLOSE_MS 60000 /* one of ours answers after its fsync */
#define OPEN_BY_MS 4000     /* Smack waits 5 s for an open, then gives up */

/* --- opening ------------------------------------------------------------------ */

bool xf_inband_by_message(const struct xf_transfer *t)
{
    enum xf_stanza stanza = t->s->set.stanza;

    return stanza == XF_STANZA_AUTO ? t->profile->ibb_messages
                                    : stanza == XF_STANZA_MESSAGE;
}

static void open_answered(void *ctx, const struct xf_stanza_head *reply,
                          const struct xf_stanza_error *error)
{
    struct xf_inband *b = ctx;
    struct xf_ibb_tx_input in = { .kind = XF_IBB_TX_OPENED };

    (void)reply;
    if (error) {
        in.kind = XF_IBB_TX_REFUSED;
        in.condition = error->condition;
    }
    xf_inband_feed(b, &in);
}

static int send_open(struct xf_inband *b)
{
    struct xf_transfer *t = b->t;
    struct xf_session *s = t->s;
    struct xf_ibb_open open = { .sid = t->sid, .block_size = b->tx.block_size };
    char id[XF_SID_MAX + 1];

    /* 'iq' is the default and left out where the dialect leaves it out. */
    if (b->tx.messages && t->profile->ibb_stanza_attribute)
        open.stanza = XF_IBB_STANZA_MESSAGE;
    else if (t->profile->ibb_stanza_attribute)
        open.stanza = XF_IBB_STANZA_IQ;
    xf_ibb_write_open(xf_stanza_begin(s, id), id, t->peer, s->jid, &open);
    memcpy(b->open_id, id, sizeof id);
    return xf_stanza_request(s, id, t->peer, xf_now(s) + XF_IBB_OPEN_MS, true,
                             open_answered, b);
}

/* Told first, so that who waits knows how long it will be. */
static int begin(struct xf_inband *b)
{
    struct xf_transfer *t = b->t;

    b->measure_by = INT64_MAX;
    xf_ibb_sender_init(&b->tx, xf_inband_fitting_block(b), xf_peer_window(t),
                       xf_inband_by_message(t));
    b->tx.wrap = t->profile->ibb_wrap ? t->profile->ibb_wrap : XF_IBB_WRAP;
    xf_inband_plan(b);
    xf_ibb_sender_hope(&b->tx, xf_inband_hoped_block(b, b->tx.block_size));
    xf_ibb_reader_init(&b->reader, t->source, t->done, t->size - t->done);
    b->sent = b->acked = b->from = t->done;
    xf_inband_tell(b, XF_ATTEMPT_TRYING, 0, NULL);
    return send_open(b);
}

static void begin_late(struct xf_inband *b)
{
    int err = begin(b);

    if (err != 0)
        xf_inband_fail(b, err, xf_err_text(err));
}

static void measured(void *ctx, const struct xf_rate *rate)
{
    struct xf_inband *b = ctx;

    b->rate = *rate;
    if (b->measure_by != INT64_MAX)
        begin_late(b);
}

bool xf_inband_can(const struct xf_transfer *t)
{
    return t->s->set.block_size > 0 ||
           xf_profile_block(t->profile, t->profile->ibb_block, t->size) > 0;
}

int xf_inband_open(struct xf_transfer *t)
{
    struct xf_inband *b = xf_inband_new(t, true);
    int err;

    if (!b)
        return XF_E_LIMIT;
    b->since = xf_now(t->s);
    b->rate = xf_rate_last(t->s);
    t->ibb = b;
    if (xf_inband_wants_rate(t) && xf_rate_measure(t->s, measured, b) == 0 &&
        xf_rate_is_asked(t->s, b)) {
        b->measure_by = xf_now(t->s) + OPEN_BY_MS;
        return 0;
    }
    err = begin(b);
    if (err != 0) {
        t->ibb = NULL;
        xf_inband_free(b);
    }
    return err;
}

/* --- blocks ------------------------------------------------------------------- */

/* Replies come in the order of the blocks: each stands for the oldest. */
static void block_answered(void *ctx, const struct xf_stanza_head *reply,
                           const struct xf_stanza_error *error)
{
    struct xf_inband *b = ctx;
    struct xf_transfer *t = b->t;
    struct xf_ibb_tx_input in = { .kind = XF_IBB_TX_ACKED };

    (void)reply;
    if (error) {
        in.kind = XF_IBB_TX_NACKED;
        in.condition = error->condition;
    } else {
        if (b->blocks % SHARE_BLOCKS == 0)
            xf_inband_share(b);
        b->acked += xf_climb_acked(&b->climb, xf_now(t->s));
        xf_transfer_moved(t, b->acked);
    }
    xf_inband_feed(b, &in);
}

static int send_block(struct xf_inband *b, size_t len)
{
    struct xf_transfer *t = b->t;
    struct xf_session *s = t->s;
    char id[XF_SID_MAX + 8];
    int err;

    if (!b->tx.messages) {
        xf_ibb_write_data(xf_stanza_begin(s, id), id, t->peer, s->jid, t->sid,
                          b->tx.seq, b->block, len);
        err = xf_stanza_request(s, id, t->peer, INT64_MAX, true, block_answered,
                                b);
        if (s->con)
            b->last_sent = s->con->sm.sent;
        return err;
    }
    if (!b->message_id[0] && !xf_session_id(s, b->message_id))
        return XF_E_LIMIT;
    snprintf(id, sizeof id, "%s_%u", b->message_id, b->tx.seq);
    xf_ibb_write_data_message(xf_stanza_begin_answer(s), id, t->peer, s->jid,
                              t->sid, b->tx.seq, b->block, len);
    err = xf_stanza_send(s, true);
    if (s->con)
        b->last_sent = s->con->sm.sent;
    return err;
}

/* Nobody acknowledges messages; what our own server has not taken yet has not
 * even left, and a close answered by nobody would be taken for its end. */
static bool has_left(const struct xf_inband *b)
{
    struct xf_session *s = b->t->s;

    if (!b->tx.messages)
        return true;
    if (!s->con)
        return s->queued + xf_session_stanzas_waiting(s) == 0;
    if (s->con->sm.state != XF_SM_ON ||
        (int32_t)(s->con->sm.acked - b->last_sent) >= 0)
        return true;
    xf_sm_flush(&s->con->sm);
    if (xf_sm_ask(&s->con->sm))
        (void)xf_connection_ask_ack(s->con);
    return false;
}

/*
 * The connection is everybody's: however many streams there are, no more than
 * this waits in front of the next chat. And of messages, which nobody answers,
 * no more is on its way than the server was asked about.
 */
static bool crowded(const struct xf_inband *b)
{
    struct xf_session *s = b->t->s;

    if (!s->con)
        return s->queued + xf_session_stanzas_waiting(s) >
               xf_inband_ahead(b, EMBEDDER_AHEAD);
    if (xf_connection_queued(s) > xf_inband_ahead(b, QUEUE_AHEAD))
        return true;
    if (!b->tx.messages ||
        s->con->sm.unacked_bytes <= xf_inband_ahead(b, MESSAGES_AHEAD))
        return false;
    xf_sm_flush(&s->con->sm);
    if (xf_sm_ask(&s->con->sm))
        (void)xf_connection_ask_ack(s->con);
    return true;
}

/* False: stop for now, or for good (then all is told). */
static bool send_next(struct xf_inband *b)
{
    struct xf_transfer *t = b->t;
    struct xf_error_info why;
    struct xf_ibb_tx_input in = { .kind = XF_IBB_TX_SENT };
    uint32_t most =
        b->tx.messages ? b->tx.block_size : xf_climb_block(&b->climb);
    ssize_t n = xf_ibb_reader_next(&b->reader, b->block, most, &why);
    int err;

    if (n < 0) {
        t->role->broken(t, why.code, why.text);
        return false;
    }
    if (n == 0 && !has_left(b))
        return false;
    if (n == 0) {
        t->role->sent(t);
        if (t->ibb != b)
            return false;
        in.kind = XF_IBB_TX_END;
        xf_inband_feed(b, &in);
        return false;
    }
    err = send_block(b, (size_t)n);
    /* Too many requests of ours at once: these bytes are read again. */
    if (err == XF_E_BUSY && b->tx.in_flight > 0) {
        b->reader.next -= (uint64_t)n;
        return false;
    }
    if (err != 0) {
        t->role->broken(t, err, NULL);
        return false;
    }
    b->sent += (uint64_t)n;
    b->blocks++;
    xf_throttle_spend(t->s, (uint64_t)n);
    if (b->tx.messages)
        xf_transfer_moved(t, b->sent);
    else
        xf_climb_sent(&b->climb, (uint32_t)n, xf_now(t->s));
    in.len = (size_t)n;
    xf_inband_feed(b, &in);
    return true;
}

/* The end is told as soon as the last block has left, whatever waits. */
static bool may_send(const struct xf_inband *b)
{
    if (xf_ibb_reader_left(&b->reader) == 0)
        return b->tx.state == XF_IBB_TX_SENDING;
    return xf_ibb_may_send(&b->tx) &&
           (b->tx.messages || xf_climb_may_send(&b->climb)) && !crowded(b);
}

void xf_inband_fill(struct xf_inband *b)
{
    struct xf_transfer *t = b->t;

    while (t->ibb == b && b->started && !b->handing_over && may_send(b)) {
        b->turn.whole = b->tx.block_size;
        if (xf_ibb_reader_left(&b->reader) > 0 &&
            xf_throttle_holds(t->s, &b->turn))
            return;
        b->turn.share = 0; /* one block of it */
        if (!send_next(b))
            return;
    }
}

void xf_inband_start(struct xf_inband *b)
{
    b->started = true;
    b->started_at = b->t->moved_at = xf_now(b->t->s);
    xf_inband_fill(b);
}

static void end_blocks(struct xf_inband *b)
{
    struct xf_ibb_tx_input end = { .kind = XF_IBB_TX_END };

    xf_inband_feed(b, &end);
}

bool xf_inband_hand_over(struct xf_inband *b)
{
    struct xf_transfer *t = b->t;

    if (b->measure_by != INT64_MAX) { /* not even its block is settled */
        xf_rate_drop(t->s, b);
        t->role->moved(t);
        return true;
    }
    if (b->tx.state > XF_IBB_TX_SENDING || b->sent == t->size)
        return false;
    b->handing_over = true;
    if (b->tx.state == XF_IBB_TX_SENDING)
        end_blocks(b);
    return true;
}

static void close_answered(void *ctx, const struct xf_stanza_head *reply,
                           const struct xf_stanza_error *error)
{
    struct xf_inband *b = ctx;
    struct xf_ibb_tx_input in = { .kind = XF_IBB_TX_CLOSE_ANSWERED };

    (void)reply;
    if (error)
        in.condition = error->condition;
    xf_inband_feed(b, &in);
}

static void ask_close(struct xf_inband *b)
{
    struct xf_transfer *t = b->t;
    struct xf_session *s = t->s;
    bool ours = t->features & XF_FEATURE_XFERRY;
    int64_t patience = ours && !b->handing_over       ? SLOW_CLOSE_MS
                       : t->profile->close_unanswered ? 0
                                                      : PEER_CLOSE_MS;
    struct xf_ibb_tx_input none = { .kind = XF_IBB_TX_CLOSE_ANSWERED,
                                    .condition = XF_COND_TIMEOUT };
    char id[XF_SID_MAX + 1];

    /* What is not answered for that long is no stall of ours. */
    t->moved_at = 0;
    xf_ibb_write_close(xf_stanza_begin(s, id), id, t->peer, s->jid, t->sid);
    if (xf_stanza_request(s, id, t->peer, xf_now(s) + patience, true,
                          close_answered, b) != 0)
        xf_inband_feed(b, &none);
}

void xf_inband_fail(struct xf_inband *b, int code, const char *text)
{
    struct xf_transfer *t = b->t;

    if (b->started) {
        if (t->again && !t->key[0])
            xf_inband_tell(b, XF_ATTEMPT_FAILED, code, text);
        t->role->broken(t, code, text);
        return;
    }
    xf_inband_tell(b, XF_ATTEMPT_FAILED, code, text);
    xf_sending_note(&t->sending, "in-band", text);
    t->ibb = NULL;
    xf_inband_free(b);
    t->role->failed(t, code, text);
}

/* What was too much once is not tried again in this session. */
static void learn_block(struct xf_inband *b, const struct xf_ibb_tx_input *in)
{
    uint32_t half = b->tx.block_size / 2;

    if (in->kind == XF_IBB_TX_OPENED && b->halved)
        xf_inband_remember_block(b->t, b->tx.block_size);
    if ((in->kind == XF_IBB_TX_NACKED || in->kind == XF_IBB_TX_BOUNCED) &&
        (in->condition == XF_COND_RESOURCE_CONSTRAINT ||
         in->condition == XF_COND_POLICY_VIOLATION))
        xf_inband_remember_block(
            b->t, half > XF_IBB_BLOCK_MIN ? half : XF_IBB_BLOCK_MIN);
}

/* More than one under way may have come in another order; but who cannot count
 * so far is not helped by one after the other. */
static bool is_mixed_up(const struct xf_inband *b)
{
    const struct xf_transfer *t = b->t;

    return xf_peer_window(t) > 1 &&
           (t->profile->ibb_wrap || b->blocks < XF_IBB_WRAP);
}

void xf_inband_feed(struct xf_inband *b, const struct xf_ibb_tx_input *in)
{
    struct xf_transfer *t = b->t;
    struct xf_ibb_tx_todo todo = xf_ibb_send(&b->tx, in);

    learn_block(b, in);
    if (todo.what == XF_IBB_TX_FAIL && in->kind == XF_IBB_TX_NACKED &&
        in->condition == XF_COND_UNEXPECTED_REQUEST && is_mixed_up(b))
        xf_peer_mixed_up(t);
    switch (todo.what) {
    case XF_IBB_TX_NOTHING:
        if (in->kind == XF_IBB_TX_ACKED)
            xf_inband_fill(b);
        return;
    case XF_IBB_TX_OPEN_SMALLER:
        b->halved = true;
        if (send_open(b) != 0)
            xf_inband_fail(b, XF_E_STREAM, xf_err_text(XF_E_STREAM));
        return;
    case XF_IBB_TX_START:
        xf_transfer_opened(t, XF_VIA_IBB, NULL, 0);
        xf_inband_plan(b);
        xf_inband_climb(b);
        xf_inband_tell(b, XF_ATTEMPT_OPEN, 0, NULL);
        if (b->handing_over)
            end_blocks(b);
        else
            t->role->up(t, -1);
        return;
    case XF_IBB_TX_SEND_CLOSE:
        ask_close(b);
        return;
    case XF_IBB_TX_FINISHED:
        if (b->handing_over && !b->tx.close_confirmed) {
            t->role->broken(t, XF_E_STALL,
                            "the contact did not say where the blocks ended");
            return;
        }
        if (b->handing_over) {
            t->role->moved(t);
            return;
        }
        /* Others answer a close before they write, or never write. */
        t->confirmed =
            b->tx.close_confirmed && t->features & XF_FEATURE_XFERRY &&
            /* ... or do not know that there were messages, all of them lost */
            (!b->tx.messages || t->profile->ibb_stanza_attribute);
        t->role->moved(t);
        return;
    case XF_IBB_TX_FAIL:
        if (todo.close)
            xf_inband_send_close(b);
        xf_inband_fail(b, todo.code, todo.text);
        return;
    }
}

/* --- time --------------------------------------------------------------------- */

bool xf_inband_is_sending(const struct xf_inband *b)
{
    return b && b->sender && b->started && !xf_inband_is_closing(b);
}

/* Bytes of ours on the way to the server. */
static size_t unsent(const struct xf_session *s)
{
    if (!s->con)
        return s->queued + xf_session_stanzas_waiting(s);
    return s->con->link ? xf_link_unsent(s->con->link) : 0;
}

static bool is_last_taken(const struct xf_inband *b)
{
    const struct xf_connection *con = b->t->s->con;

    return con && con->sm.state == XF_SM_ON &&
           (int32_t)(con->sm.acked - b->last_sent) >= 0;
}

/*
 * Half way to a stall: note where the connection stands, and ask the server
 * how far it has come. A throttled server answers no block while it reads,
 * but what waits grows less.
 */
static void look(struct xf_inband *b)
{
    struct xf_connection *con = b->t->s->con;

    b->looked_for = b->t->moved_at;
    b->seen_unsent = unsent(b->t->s);
    b->asked_sm = con && con->sm.state == XF_SM_ON && !is_last_taken(b);
    if (!b->asked_sm)
        return;
    b->seen_acked = con->sm.acked;
    xf_sm_flush(&con->sm);
    if (xf_sm_ask(&con->sm))
        (void)xf_connection_ask_ack(con);
}

bool xf_inband_creeps(struct xf_inband *b)
{
    const struct xf_connection *con;

    if (!xf_inband_is_sending(b) || b->looked_for != b->t->moved_at)
        return false;
    con = b->t->s->con;
    return unsent(b->t->s) < b->seen_unsent ||
           (con && b->asked_sm && con->sm.acked != b->seen_acked);
}

static int64_t look_at(const struct xf_inband *b)
{
    const struct xf_transfer *t = b->t;

    if (!b->started || !t->moved_at || b->looked_for == t->moved_at)
        return INT64_MAX;
    return t->moved_at + t->s->set.stall_ms / 2;
}

int64_t xf_inband_send_deadline(const struct xf_inband *b)
{
    int64_t look = look_at(b);

    return look < b->measure_by ? look : b->measure_by;
}

void xf_inband_send_tick(struct xf_inband *b)
{
    int64_t now = xf_now(b->t->s);

    if (now >= b->measure_by) {
        xf_rate_drop(b->t->s, b);
        b->rate = xf_rate_so_far(b->t->s);
        begin_late(b);
        return;
    }
    if (now >= look_at(b))
        look(b);
    xf_inband_fill(b);
}

bool xf_inband_is_closing(const struct xf_inband *b)
{
    return b && b->sender && b->tx.state == XF_IBB_TX_CLOSING;
}

/* --- for a probe ----------------------------------------------------------------- */

/* The rules of a stream, of one that is never opened. */
uint32_t xf_inband_outlook(struct xf_session *s,
                           const struct xf_profile *profile, const char *peer,
                           uint64_t *payload)
{
    char sid[] = "0123456789abcdef0123456789abcdef"; /* as long as any */
    struct xf_transfer *t = xf_sys_alloc(sizeof *t);
    struct xf_inband *b = xf_sys_alloc(sizeof *b);
    uint32_t block = profile->ibb_block;

    *payload = 0;
    if (t && b) {
        t->s = s;
        t->profile = profile;
        t->sid = sid;
        snprintf(t->peer, sizeof t->peer, "%s", peer);
        b->t = t;
        b->rate = xf_rate_last(s);
        b->tx.block_size = block = xf_inband_fitting_block(b);
        xf_inband_plan(b);
        *payload = b->payload;
    }
    xf_sys_free(b);
    xf_sys_free(t);
    return block;
}
