/* The receiving end of an in-band stream: blocks into the intake, and acks. */
#include "api/connection.h"
#include "api/inband_inside.h"
#include "base/sys.h"

#define HELD_MAX 256     /* blocks that wait for the disk, unacknowledged */
#define NO_CLOSE_MS 5000 /* all bytes are here and the sender forgot to close */

struct xf_inband_held {
    struct xf_inband_held *next;
    struct xf_asked asked;
};

bool xf_inband_take(struct xf_transfer *t, const struct xf_stanza_head *head,
                    const struct xf_ibb_open *open)
{
    struct xf_inband *b = xf_inband_new(t, false);
    struct xf_ibb_input in = { .kind = XF_IBB_OPEN,
                               .block_size = open->block_size };
    struct xf_ibb_todo todo;

    if (!b) {
        xf_stanza_answer(t->s, head, XF_ANSWER_BUSY, NULL, true);
        return false;
    }
    xf_ibb_receiver_init(&b->rx, XF_IBB_BLOCK_MAX);
    todo = xf_ibb_receive(&b->rx, &in);
    if (todo.news != XF_IBB_OPENED) {
        xf_stanza_answer(t->s, head, todo.answer, todo.text, true);
        xf_inband_free(b);
        return false;
    }
    b->since = xf_now(t->s);
    b->messages = open->stanza == XF_IBB_STANZA_MESSAGE;
    t->ibb = b;
    xf_transfer_opened(t, XF_VIA_IBB, NULL, 0);
    t->moved_at = b->since;
    xf_inband_tell(b, XF_ATTEMPT_OPEN, 0, NULL);
    xf_stanza_answer(t->s, head, todo.answer, NULL, true);
    return true;
}

/* A message cannot be left unacknowledged: what holds its sender back is that
 * we stop to read. */
static void pause(struct xf_inband *b, bool pause)
{
    struct xf_session *s = b->t->s;

    if (s->con && b->paused != pause) {
        b->paused = pause;
        xf_connection_pause_reading(s, pause);
    }
}

/* A block is acknowledged when the next one will find room, not before. */
static void hold(struct xf_inband *b, const struct xf_stanza_head *head)
{
    struct xf_inband_held *h =
        b->held_count < HELD_MAX ? xf_sys_alloc(sizeof *h) : NULL;

    if (!h || !xf_asked_keep(&h->asked, head)) {
        xf_sys_free(h);
        b->t->role->broken(b->t, XF_E_LIMIT,
                           "the sender does not wait for acknowledgements");
        return;
    }
    *b->held_last = h;
    b->held_last = &h->next;
    b->held_count++;
}

/* Room on the way to the disk, and within the rate that is to be held: what
 * was taken beyond it is a debt by now. */
static bool may_come(struct xf_inband *b)
{
    if (xf_intake_space(b->t->intake) < b->rx.block_size ||
        xf_throttle_holds(b->t->s, &b->turn))
        return false;
    b->turn.share = 0;
    return true;
}

void xf_inband_resume(struct xf_inband *b)
{
    if (!b || b->sender)
        return;
    if (b->paused && may_come(b))
        pause(b, false);
    while (b->held && may_come(b)) {
        struct xf_inband_held *h = b->held;

        b->held = h->next;
        if (!b->held)
            b->held_last = &b->held;
        b->held_count--;
        xf_asked_answer(b->t->s, &h->asked, XF_ANSWER_OK, NULL);
        xf_sys_free(h);
    }
}

static void take_bytes(struct xf_inband *b, const struct xf_ibb_input *in,
                       const struct xf_stanza_head *head)
{
    struct xf_transfer *t = b->t;
    int err = xf_intake_put(t->intake, b->block, in->len);

    if (err != 0) {
        const struct xf_error_info *why = xf_intake_error(t->intake);

        /* Not "unexpected": the blocks came in order. */
        xf_stanza_answer(t->s, head, XF_ANSWER_NOT_ACCEPTABLE, NULL, true);
        t->role->broken(t, err, why ? why->text : NULL);
        return;
    }
    xf_transfer_moved(t, xf_intake_bytes(t->intake));
    xf_throttle_spend(t->s, in->len);
    if (t->done == t->size)
        b->forgot_at = xf_now(t->s) + NO_CLOSE_MS;
    if (head->kind != XF_KIND_IQ) {
        if (!may_come(b))
            pause(b, true);
        return;
    }
    if (b->held || !may_come(b))
        hold(b, head);
    else
        xf_stanza_answer(t->s, head, XF_ANSWER_OK, NULL, true);
}

void xf_inband_receive(struct xf_inband *b, const struct xf_ibb_input *in,
                       const struct xf_stanza_head *head)
{
    struct xf_transfer *t = b->t;
    struct xf_ibb_todo todo = xf_ibb_receive(&b->rx, in);

    switch (todo.news) {
    case XF_IBB_BYTES:
        take_bytes(b, in, head);
        return;
    case XF_IBB_CLOSED:
        b->forgot_at = INT64_MAX;
        if (!xf_asked_keep(&b->closing, head))
            xf_stanza_answer(t->s, head, XF_ANSWER_OK, NULL, true);
        t->role->moved(t);
        return;
    case XF_IBB_FAILED:
        xf_stanza_answer(t->s, head, todo.answer, NULL, true);
        if (todo.close)
            xf_inband_send_close(b);
        t->role->broken(t, todo.code, todo.text);
        return;
    case XF_IBB_NO_NEWS:
    case XF_IBB_OPENED:
        xf_stanza_answer(t->s, head, todo.answer, NULL, true);
        return;
    }
}

static void answer_oldest(struct xf_inband *b)
{
    struct xf_inband_held *h = b->held;

    b->held = h->next;
    if (!b->held)
        b->held_last = &b->held;
    b->held_count--;
    xf_asked_answer(b->t->s, &h->asked, XF_ANSWER_OK, NULL);
    xf_sys_free(h);
}

void xf_inband_settled(struct xf_inband *b, int code)
{
    if (!b)
        return;
    /* All is on the disk, so the last blocks are, too. */
    while (code == 0 && b->held)
        answer_oldest(b);
    /* A short stream is the sender's own doing and its close is fine; but
     * where blocks are not acknowledged it may not know that one was lost. */
    if (code == 0 || (code == XF_E_SHORT && !b->messages))
        xf_asked_answer(b->t->s, &b->closing, XF_ANSWER_OK, NULL);
    else if (code == XF_E_SHORT)
        xf_asked_answer(b->t->s, &b->closing, XF_ANSWER_UNEXPECTED, NULL);
    else
        xf_asked_answer(b->t->s, &b->closing, XF_ANSWER_BUSY, NULL);
}

void xf_inband_drop_held(struct xf_inband *b)
{
    pause(b, false);
    while (b->held) {
        struct xf_inband_held *h = b->held;

        b->held = h->next;
        xf_asked_clear(&h->asked);
        xf_sys_free(h);
    }
}
