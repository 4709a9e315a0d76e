/*
 * The receiving end of an in-band bytestream: counts blocks and says what is
 * answered; blocks themselves, XML and clocks are for others. The picture is in
 * the header.
 */
#include "proto/ibb.h"

#include <assert.h>

#include <xferry/error.h>

typedef enum xf_ibb_state step_fn(struct xf_ibb_receiver *rx,
                                  const struct xf_ibb_input *in,
                                  struct xf_ibb_todo *todo);

static enum xf_ibb_state fail(struct xf_ibb_todo *todo, enum xf_answer answer,
                              int code, const char *text)
{
    todo->answer = answer;
    todo->news = XF_IBB_FAILED;
    todo->close = true;
    todo->code = code;
    todo->text = text;
    return XF_IBB_OVER;
}

static enum xf_ibb_state begin(struct xf_ibb_receiver *rx,
                               const struct xf_ibb_input *in,
                               struct xf_ibb_todo *todo)
{
    if (in->block_size == 0 || in->block_size > rx->block_limit) {
        /* Still waiting: a sender that can comes back with half of it. */
        todo->answer =
            in->block_size ? XF_ANSWER_TOO_BIG : XF_ANSWER_BAD_REQUEST_MODIFY;
        return XF_IBB_WAITING;
    }
    rx->block_size = in->block_size;
    todo->answer = XF_ANSWER_OK;
    todo->news = XF_IBB_OPENED;
    return XF_IBB_STREAMING;
}

/*
 * Is that the number of the next block? Smack to 4.3 and Libervia count
 * modulo 65535, so once a 0 may stand for 65535. What a sender did at its
 * first wrap holds for the others: later the same 0 would be a lost block.
 */
static bool in_sequence(struct xf_ibb_receiver *rx, uint16_t seq)
{
    if (rx->next_seq == UINT16_MAX && !rx->full_wrap) {
        rx->full_wrap = seq == UINT16_MAX;
        rx->old_wrap = seq == 0;
        return rx->full_wrap || rx->old_wrap;
    }
    return seq == rx->next_seq;
}

static enum xf_ibb_state take(struct xf_ibb_receiver *rx,
                              const struct xf_ibb_input *in,
                              struct xf_ibb_todo *todo)
{
    if (!in_sequence(rx, in->seq))
        return fail(todo, XF_ANSWER_UNEXPECTED, XF_E_PROTO,
                    "a block is missing or out of order");
    if (in->len > rx->block_size)
        return fail(todo, XF_ANSWER_BAD_REQUEST, XF_E_PROTO, "block too large");
    rx->empty = in->len ? 0 : rx->empty + 1;
    if (rx->empty > XF_IBB_EMPTY_MAX)
        return fail(todo, XF_ANSWER_BAD_REQUEST, XF_E_PROTO,
                    "too many empty blocks");
    /* 16 bits, and meant to wrap: XEP-0047, 2.2 */
    rx->next_seq = (uint16_t)(in->seq + 1u);
    if (rx->old_wrap && rx->next_seq == UINT16_MAX)
        rx->next_seq = 0;
    todo->answer = XF_ANSWER_OK;
    todo->news = XF_IBB_BYTES;
    return XF_IBB_STREAMING;
}

static enum xf_ibb_state choke(struct xf_ibb_receiver *rx,
                               const struct xf_ibb_input *in,
                               struct xf_ibb_todo *todo)
{
    (void)rx;
    (void)in;
    return fail(todo, XF_ANSWER_BAD_REQUEST, XF_E_PROTO,
                "a block cannot be read");
}

static enum xf_ibb_state finish(struct xf_ibb_receiver *rx,
                                const struct xf_ibb_input *in,
                                struct xf_ibb_todo *todo)
{
    (void)rx;
    (void)in;
    todo->answer = XF_ANSWER_OK;
    todo->news = XF_IBB_CLOSED;
    return XF_IBB_OVER;
}

static enum xf_ibb_state no_open(struct xf_ibb_receiver *rx,
                                 const struct xf_ibb_input *in,
                                 struct xf_ibb_todo *todo)
{
    (void)rx;
    (void)in;
    fail(todo, XF_ANSWER_NONE, XF_E_STALL, "the stream was not opened");
    todo->close = false; /* there is none */
    return XF_IBB_OVER;
}

static enum xf_ibb_state no_block(struct xf_ibb_receiver *rx,
                                  const struct xf_ibb_input *in,
                                  struct xf_ibb_todo *todo)
{
    (void)rx;
    (void)in;
    return fail(todo, XF_ANSWER_NONE, XF_E_STALL, "no block came");
}

/*
 * The whole machine. An empty cell is the peer out of turn: it gets the
 * answer below, and nothing changes. A bounce is nothing to a receiver: it
 * sends no blocks, and those of others are not to be read twice.
 */
/* clang-format off */
static step_fn *const steps[XF_IBB_STATES][XF_IBB_KINDS] = {
    /*                    OPEN   BLOCK BAD    CLOSE   BOUNCE SILENCE */
    [XF_IBB_WAITING]   = { begin, NULL, NULL,  NULL,   NULL,  no_open },
    [XF_IBB_STREAMING] = { NULL,  take, choke, finish, NULL,  no_block },
    [XF_IBB_OVER]      = { NULL,  NULL, NULL,  NULL,   NULL,  NULL },
};
/* clang-format on */

static const enum xf_answer out_of_turn[XF_IBB_KINDS] = {
    [XF_IBB_OPEN] = XF_ANSWER_NOT_ACCEPTABLE,
    [XF_IBB_BLOCK] = XF_ANSWER_NOT_FOUND,
    [XF_IBB_BAD] = XF_ANSWER_NOT_FOUND,
    [XF_IBB_CLOSE] = XF_ANSWER_NOT_FOUND,
    [XF_IBB_BOUNCE] = XF_ANSWER_NONE,
    [XF_IBB_SILENCE] = XF_ANSWER_NONE,
};

void xf_ibb_receiver_init(struct xf_ibb_receiver *rx, uint32_t block_limit)
{
    *rx = (struct xf_ibb_receiver){ .state = XF_IBB_WAITING };
    rx->block_limit =
        block_limit < XF_IBB_BLOCK_MAX ? block_limit : XF_IBB_BLOCK_MAX;
}

struct xf_ibb_todo xf_ibb_receive(struct xf_ibb_receiver *rx,
                                  const struct xf_ibb_input *in)
{
    struct xf_ibb_todo todo = { .answer = XF_ANSWER_NONE };
    step_fn *step;

    assert(rx->state < XF_IBB_STATES && in->kind < XF_IBB_KINDS);
    step = steps[rx->state][in->kind];
    if (step)
        rx->state = step(rx, in, &todo);
    else
        todo.answer = out_of_turn[in->kind];
    return todo;
}
