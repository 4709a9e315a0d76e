/* In-band streams, what both ends have in common; proto/ibb counts blocks. */
#include "api/inband_inside.h"

#include <string.h>

#include "base/encode.h"
#include "base/sys.h"

#define UNWANTED_MAX (64u * 1024u) /* bytes a receiver may talk back */

/* The rate that is to be held has room for us. */
static void go(void *ctx)
{
    struct xf_inband *b = ctx;

    if (b->sender)
        xf_inband_fill(b);
    else
        xf_inband_resume(b);
}

struct xf_inband *xf_inband_new(struct xf_transfer *t, bool sender)
{
    struct xf_inband *b = xf_sys_alloc(sizeof *b);

    if (!b)
        return NULL;
    b->t = t;
    b->sender = sender;
    b->turn.go = go;
    b->turn.ctx = b;
    b->since = xf_now(t->s);
    b->held_last = &b->held;
    b->forgot_at = b->measure_by = INT64_MAX;
    if (!t->s->block)
        t->s->block = xf_sys_alloc(XF_IBB_BLOCK_MAX);
    b->block = t->s->block;
    if (!b->block) {
        xf_inband_free(b);
        return NULL;
    }
    return b;
}

void xf_inband_free(struct xf_inband *b)
{
    if (!b)
        return;
    xf_requests_drop(b->t->s, b);
    xf_throttle_leave(b->t->s, &b->turn);
    xf_inband_drop_held(b);
    xf_asked_clear(&b->closing);
    xf_sys_free(b);
}

void xf_inband_tell(struct xf_inband *b, enum xf_attempt attempt, int code,
                    const char *text)
{
    struct xf_event ev = { .type = XF_EVENT_ATTEMPT,
                           .via = XF_VIA_IBB,
                           .attempt = attempt,
                           .block_size =
                               b->sender ? b->tx.block_size : b->rx.block_size,
                           .offset = b->t->done,
                           .rate = b->payload,
                           .forecast_ms = b->forecast_ms,
                           .elapsed_ms = xf_now(b->t->s) - b->since,
                           .code = code,
                           .text = text };

    if (attempt == XF_ATTEMPT_FAILED) {
        ev.rate = 0;
        ev.forecast_ms = 0;
    }
    xf_events_transfer(b->t, &ev);
}

void xf_inband_send_close(struct xf_inband *b)
{
    struct xf_transfer *t = b->t;
    char id[XF_SID_MAX + 1];

    xf_ibb_write_close(xf_stanza_begin(t->s, id), id, t->peer, t->s->jid,
                       t->sid);
    (void)xf_stanza_send(t->s, true);
}

/* In-band streams go both ways, but who receives a file has nothing to say on
 * the way back: taken politely, dropped, and not for ever. */
static void take_unwanted(struct xf_inband *b,
                          const struct xf_stanza_head *head,
                          const struct xf_el *data)
{
    b->unwanted += XF_BASE64_BYTES(data->text_len);
    if (b->unwanted <= UNWANTED_MAX) {
        xf_stanza_answer(b->t->s, head, XF_ANSWER_OK, NULL, true);
        return;
    }
    xf_stanza_answer(b->t->s, head, XF_ANSWER_UNEXPECTED, NULL, true);
    xf_inband_fail(b, XF_E_PROTO, "the receiver sends bytes of its own");
}

void xf_inband_data(struct xf_inband *b, const struct xf_stanza_head *head,
                    const struct xf_el *data)
{
    struct xf_ibb_input in;

    if (b->sender) {
        take_unwanted(b, head, data);
        return;
    }
    b->messages |= head->kind == XF_KIND_MESSAGE;
    in = xf_ibb_read_data(data, b->block, XF_IBB_BLOCK_MAX);
    xf_inband_receive(b, &in, head);
}

void xf_inband_close(struct xf_inband *b, const struct xf_stanza_head *head)
{
    struct xf_ibb_input in = { .kind = XF_IBB_CLOSE };
    struct xf_ibb_tx_input tx = { .kind = XF_IBB_TX_PEER_CLOSED };

    if (!b->sender) {
        xf_inband_receive(b, &in, head);
        return;
    }
    xf_stanza_answer(b->t->s, head, XF_ANSWER_OK, NULL, true);
    xf_inband_feed(b, &tx);
}

/* A second open by the same id is refused by it, too, and harms nothing. */
bool xf_inband_is_meant(const struct xf_inband *b, const char *id,
                        enum xf_condition condition)
{
    size_t len = strlen(b->message_id);

    if (!b->sender)
        return false;
    if (strcmp(id, b->open_id) == 0)
        return condition == XF_COND_UNEXPECTED_REQUEST;
    return len > 0 && strncmp(id, b->message_id, len) == 0 && id[len] == '_';
}

void xf_inband_bounced(struct xf_inband *b, enum xf_condition condition)
{
    struct xf_ibb_tx_input in = { .kind = XF_IBB_TX_BOUNCED,
                                  .condition = condition };

    if (b->sender)
        xf_inband_feed(b, &in);
}

void xf_inband_abandon(struct xf_inband *b)
{
    bool open = b && (b->sender ? b->tx.state == XF_IBB_TX_SENDING ||
                                      b->tx.state == XF_IBB_TX_DRAINING
                                : b->rx.state == XF_IBB_STREAMING);

    if (open)
        xf_inband_send_close(b);
}

bool xf_inband_is_held(const struct xf_inband *b)
{
    return b && xf_throttle_is_queued(&b->turn);
}

int64_t xf_inband_deadline(const struct xf_inband *b)
{
    if (b && b->sender)
        return xf_inband_send_deadline(b);
    return b ? b->forgot_at : INT64_MAX;
}

void xf_inband_tick(struct xf_inband *b)
{
    if (!b)
        return;
    if (b->sender) {
        xf_inband_send_tick(b);
        return;
    }
    if (xf_now(b->t->s) >= b->forgot_at) {
        b->forgot_at = INT64_MAX;
        b->t->role->moved(b->t);
    }
}
