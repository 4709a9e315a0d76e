/*
 * The sending end of an in-band bytestream: when a block may leave, when the
 * stream is closed, and what its end means; blocks themselves, XML and clocks
 * are for others. The picture is in the header.
 */
#include "proto/ibb.h"

#include <assert.h>

#include <xferry/error.h>

typedef enum xf_ibb_tx_state step_fn(struct xf_ibb_sender *tx,
                                     const struct xf_ibb_tx_input *in,
                                     struct xf_ibb_tx_todo *todo);

static enum xf_ibb_tx_state fail(struct xf_ibb_tx_todo *todo, int code,
                                 const char *text)
{
    todo->what = XF_IBB_TX_FAIL;
    todo->code = code;
    todo->text = text;
    return XF_IBB_TX_BROKEN;
}

static enum xf_ibb_tx_state opened(struct xf_ibb_sender *tx,
                                   const struct xf_ibb_tx_input *in,
                                   struct xf_ibb_tx_todo *todo)
{
    (void)tx;
    (void)in;
    todo->what = XF_IBB_TX_START;
    return XF_IBB_TX_SENDING;
}

/* Was it perhaps the block that was hoped for? */
static bool is_too_much(enum xf_condition condition)
{
    return condition == XF_COND_RESOURCE_CONSTRAINT ||
           condition == XF_COND_NOT_ACCEPTABLE ||
           condition == XF_COND_BAD_REQUEST;
}

static enum xf_ibb_tx_state refused(struct xf_ibb_sender *tx,
                                    const struct xf_ibb_tx_input *in,
                                    struct xf_ibb_tx_todo *todo)
{
    if (tx->block_size > tx->block_first && is_too_much(in->condition)) {
        tx->block_size = tx->block_first;
        todo->what = XF_IBB_TX_OPEN_SMALLER;
        return XF_IBB_TX_OPENING;
    }
    switch (in->condition) {
    case XF_COND_RESOURCE_CONSTRAINT:
        /* QXmpp takes 4096 and less, slixmpp 8192. */
        if (tx->block_size <= XF_IBB_BLOCK_MIN)
            return fail(todo, XF_E_CONNECT,
                        "no block is small enough for the contact");
        tx->block_size = tx->block_size / 2 > XF_IBB_BLOCK_MIN
                             ? tx->block_size / 2
                             : XF_IBB_BLOCK_MIN;
        todo->what = XF_IBB_TX_OPEN_SMALLER;
        return XF_IBB_TX_OPENING;
    case XF_COND_TIMEOUT:
        return fail(todo, XF_E_STALL, "the open was not answered in time");
    case XF_COND_NOT_ACCEPTABLE: /* Smack */
    case XF_COND_ITEM_NOT_FOUND:
    case XF_COND_FORBIDDEN: /* Psi; a person's no answers the offer */
        return fail(todo, XF_E_CONNECT,
                    "the contact does not expect this stream");
    case XF_COND_FEATURE_NOT_IMPLEMENTED:
        return fail(todo, XF_E_NOMETHOD,
                    "the contact does not take in-band streams");
    case XF_COND_SERVICE_UNAVAILABLE:
    case XF_COND_RECIPIENT_UNAVAILABLE:
    case XF_COND_GONE:
    case XF_COND_REMOTE_SERVER_NOT_FOUND:
    case XF_COND_REMOTE_SERVER_TIMEOUT:
        return fail(todo, XF_E_GONE, "the contact is not there");
    default:
        return fail(todo, XF_E_CONNECT, "the contact refused the stream");
    }
}

static enum xf_ibb_tx_state sent(struct xf_ibb_sender *tx,
                                 const struct xf_ibb_tx_input *in,
                                 struct xf_ibb_tx_todo *todo)
{
    (void)in;
    (void)todo;
    assert(xf_ibb_may_send(tx));
    assert(in->len <= tx->block_size);
    tx->seq = tx->seq + 1u == tx->wrap ? 0 : (uint16_t)(tx->seq + 1u);
    if (!tx->messages)
        tx->in_flight++;
    return XF_IBB_TX_SENDING;
}

static void acked(struct xf_ibb_sender *tx)
{
    if (tx->in_flight > 0)
        tx->in_flight--;
}

static enum xf_ibb_tx_state go_on(struct xf_ibb_sender *tx,
                                  const struct xf_ibb_tx_input *in,
                                  struct xf_ibb_tx_todo *todo)
{
    (void)in;
    (void)todo;
    acked(tx);
    return XF_IBB_TX_SENDING;
}

static enum xf_ibb_tx_state end(struct xf_ibb_sender *tx,
                                const struct xf_ibb_tx_input *in,
                                struct xf_ibb_tx_todo *todo)
{
    (void)in;
    if (tx->in_flight > 0)
        return XF_IBB_TX_DRAINING;
    todo->what = XF_IBB_TX_SEND_CLOSE;
    return XF_IBB_TX_CLOSING;
}

static enum xf_ibb_tx_state drain(struct xf_ibb_sender *tx,
                                  const struct xf_ibb_tx_input *in,
                                  struct xf_ibb_tx_todo *todo)
{
    acked(tx);
    return end(tx, in, todo);
}

/*
 * A block was refused, came back, or was not answered. Not sent again: no
 * reply proves that the first did not arrive. Some receivers do not close
 * after a sequence error (QXmpp), so we do, where there may be something.
 */
static enum xf_ibb_tx_state nacked(struct xf_ibb_sender *tx,
                                   const struct xf_ibb_tx_input *in,
                                   struct xf_ibb_tx_todo *todo)
{
    (void)tx;
    todo->close = true;
    switch (in->condition) {
    case XF_COND_TIMEOUT:
        return fail(todo, XF_E_STALL, "a block was not answered in time");
    case XF_COND_ITEM_NOT_FOUND:
        todo->close = false;
        return fail(todo, XF_E_GONE, "the contact has given up the stream");
    case XF_COND_SERVICE_UNAVAILABLE:
    case XF_COND_RECIPIENT_UNAVAILABLE:
    case XF_COND_GONE:
    case XF_COND_REMOTE_SERVER_NOT_FOUND:
    case XF_COND_REMOTE_SERVER_TIMEOUT:
        todo->close = false;
        return fail(todo, XF_E_GONE, "the contact is not there any more");
    case XF_COND_UNEXPECTED_REQUEST:
        return fail(todo, XF_E_PROTO, "the contact saw blocks out of order");
    case XF_COND_POLICY_VIOLATION:
    case XF_COND_RESOURCE_CONSTRAINT:
        return fail(todo, XF_E_BUSY, "a block was too much on its way");
    default:
        return fail(todo, XF_E_PROTO, "the contact refused a block");
    }
}

static enum xf_ibb_tx_state unwanted(struct xf_ibb_sender *tx,
                                     const struct xf_ibb_tx_input *in,
                                     struct xf_ibb_tx_todo *todo)
{
    (void)tx;
    (void)in;
    todo->answer = XF_ANSWER_OK;
    return fail(todo, XF_E_DECLINED,
                "the contact closed the stream "
                "before it was open");
}

static enum xf_ibb_tx_state cut_off(struct xf_ibb_sender *tx,
                                    const struct xf_ibb_tx_input *in,
                                    struct xf_ibb_tx_todo *todo)
{
    (void)tx;
    (void)in;
    todo->answer = XF_ANSWER_OK;
    return fail(todo, XF_E_GONE, "the contact closed the stream too early");
}

/*
 * All blocks are acknowledged, so silence is no failure (libpurple answers no
 * close), nor is a stream forgotten or a contact gone by now; but only a
 * result is a confirmation. Any other error is a receiver's way to say that
 * it could not keep what it took.
 */
static enum xf_ibb_tx_state closed(struct xf_ibb_sender *tx,
                                   const struct xf_ibb_tx_input *in,
                                   struct xf_ibb_tx_todo *todo)
{
    switch (in->condition) {
    case XF_COND_NONE:
        tx->close_confirmed = true;
        break;
    case XF_COND_TIMEOUT:
    case XF_COND_ITEM_NOT_FOUND:
    case XF_COND_SERVICE_UNAVAILABLE:
    case XF_COND_RECIPIENT_UNAVAILABLE:
    case XF_COND_GONE:
    case XF_COND_REMOTE_SERVER_NOT_FOUND:
    case XF_COND_REMOTE_SERVER_TIMEOUT:
    case XF_COND_FEATURE_NOT_IMPLEMENTED:
        break;
    case XF_COND_UNEXPECTED_REQUEST: /* one of ours that counted messages */
        return fail(todo, XF_E_SHORT, "the contact lacks some of the blocks");
    default:
        return fail(todo, XF_E_DECLINED,
                    "the contact took all blocks and refused the end");
    }
    todo->what = XF_IBB_TX_FINISHED;
    return XF_IBB_TX_CLOSED;
}

/*
 * The two closes crossed. Of blocks in messages nobody has said that they
 * arrived, and this close is how a receiver tells of one that did not.
 */
static enum xf_ibb_tx_state crossed(struct xf_ibb_sender *tx,
                                    const struct xf_ibb_tx_input *in,
                                    struct xf_ibb_tx_todo *todo)
{
    if (tx->messages)
        return cut_off(tx, in, todo);
    todo->answer = XF_ANSWER_OK;
    todo->what = XF_IBB_TX_FINISHED;
    return XF_IBB_TX_CLOSED;
}

/* Smack reports an error when its own close gets one: say yes. */
static enum xf_ibb_tx_state nod(struct xf_ibb_sender *tx,
                                const struct xf_ibb_tx_input *in,
                                struct xf_ibb_tx_todo *todo)
{
    (void)in;
    todo->answer = XF_ANSWER_OK;
    return tx->state;
}

/* The whole machine. An empty cell is news that is too late to matter. */
static step_fn *const steps[XF_IBB_TX_STATES][XF_IBB_TX_KINDS] = {
    [XF_IBB_TX_OPENING] = { [XF_IBB_TX_OPENED] = opened,
                            [XF_IBB_TX_REFUSED] = refused,
                            [XF_IBB_TX_PEER_CLOSED] = unwanted },
    [XF_IBB_TX_SENDING] = { [XF_IBB_TX_SENT] = sent,
                            [XF_IBB_TX_ACKED] = go_on,
                            [XF_IBB_TX_NACKED] = nacked,
                            [XF_IBB_TX_BOUNCED] = nacked,
                            [XF_IBB_TX_END] = end,
                            [XF_IBB_TX_PEER_CLOSED] = cut_off },
    [XF_IBB_TX_DRAINING] = { [XF_IBB_TX_ACKED] = drain,
                             [XF_IBB_TX_NACKED] = nacked,
                             [XF_IBB_TX_BOUNCED] = nacked,
                             [XF_IBB_TX_PEER_CLOSED] = cut_off },
    [XF_IBB_TX_CLOSING] = { [XF_IBB_TX_BOUNCED] = nacked,
                            [XF_IBB_TX_CLOSE_ANSWERED] = closed,
                            [XF_IBB_TX_PEER_CLOSED] = crossed },
    [XF_IBB_TX_CLOSED] = { [XF_IBB_TX_PEER_CLOSED] = nod },
    [XF_IBB_TX_BROKEN] = { [XF_IBB_TX_PEER_CLOSED] = nod },
};

void xf_ibb_sender_init(struct xf_ibb_sender *tx, uint32_t block_size,
                        uint32_t window, bool messages)
{
    *tx = (struct xf_ibb_sender){
        .state = XF_IBB_TX_OPENING,
        .block_size =
            block_size < XF_IBB_BLOCK_MAX ? block_size : XF_IBB_BLOCK_MAX,
        .window = window ? window : 1,
        .wrap = XF_IBB_WRAP,
        .messages = messages,
    };
    tx->block_first = tx->block_size;
}

void xf_ibb_sender_hope(struct xf_ibb_sender *tx, uint32_t block_size)
{
    assert(tx->state == XF_IBB_TX_OPENING);
    if (block_size > tx->block_size)
        tx->block_size =
            block_size < XF_IBB_BLOCK_MAX ? block_size : XF_IBB_BLOCK_MAX;
}

struct xf_ibb_tx_todo xf_ibb_send(struct xf_ibb_sender *tx,
                                  const struct xf_ibb_tx_input *in)
{
    struct xf_ibb_tx_todo todo = { .what = XF_IBB_TX_NOTHING };
    step_fn *step;

    assert(tx->state < XF_IBB_TX_STATES && in->kind < XF_IBB_TX_KINDS);
    step = steps[tx->state][in->kind];
    if (step)
        tx->state = step(tx, in, &todo);
    return todo;
}

bool xf_ibb_may_send(const struct xf_ibb_sender *tx)
{
    return tx->state == XF_IBB_TX_SENDING && tx->in_flight < tx->window;
}
