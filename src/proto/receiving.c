/* The receiver's side of a transfer; see the header for its picture. */
#include "proto/receiving.h"

/* An offer cannot be taken back, so one that nobody answers lapses. */
void xf_receiving_init(struct xf_receiving *r, int64_t now_ms)
{
    *r = (struct xf_receiving){ .state = XF_RECEIVING_ASKED,
                                .deadline = now_ms + XF_RECEIVING_ASKED_MS };
}

static enum xf_receiving_do enter(struct xf_receiving *r,
                                  enum xf_receiving_state state,
                                  int64_t deadline, enum xf_receiving_do what)
{
    r->state = state;
    r->deadline = deadline;
    return what;
}

static enum xf_receiving_do fail(struct xf_receiving *r, int code,
                                 const char *text)
{
    xf_err_set(&r->why, code, "%s", text ? text : xf_err_text(code));
    return enter(r, XF_RECEIVING_OVER, INT64_MAX, XF_RECEIVING_FAIL);
}

/* What it has stays; the next offer begins behind it. */
static enum xf_receiving_do broken(struct xf_receiving *r,
                                   const struct xf_receiving_input *in,
                                   int64_t now_ms)
{
    int64_t until =
        in->patience_ms == INT64_MAX ? INT64_MAX : now_ms + in->patience_ms;

    /* Of several reasons the first is the cause. */
    if (r->why.code == 0)
        xf_err_set(&r->why, in->code, "%s",
                   in->text ? in->text : xf_err_text(in->code));
    return enter(r, XF_RECEIVING_WAITING, until, XF_RECEIVING_NOTHING);
}

/* Nothing is wrong any more. */
static enum xf_receiving_do go_on(struct xf_receiving *r,
                                  enum xf_receiving_state state,
                                  int64_t deadline, enum xf_receiving_do what)
{
    r->why.code = 0;
    return enter(r, state, deadline, what);
}

static enum xf_receiving_do asked(struct xf_receiving *r,
                                  const struct xf_receiving_input *in,
                                  int64_t now_ms)
{
    switch (in->kind) {
    case XF_RECEIVING_ACCEPT:
        return enter(r, XF_RECEIVING_WAITING, now_ms + XF_RECEIVING_DOOR_MS,
                     XF_RECEIVING_SAY_YES);
    case XF_RECEIVING_DECLINE:
    case XF_RECEIVING_STOP:
        return fail(r, in->code, in->text);
    case XF_RECEIVING_QUERY:
    case XF_RECEIVING_OPEN:
        return XF_RECEIVING_REFUSE;
    case XF_RECEIVING_TICK:
        if (now_ms < r->deadline)
            break;
        return fail(r, XF_E_STALL, "nobody answered the offer");
    case XF_RECEIVING_UP:
    case XF_RECEIVING_NONE_UP:
    case XF_RECEIVING_CLOSED:
    case XF_RECEIVING_OFFERED_AGAIN:
    case XF_RECEIVING_BROKEN:
    case XF_RECEIVING_DRY:
    case XF_RECEIVING_WHOLE:
    case XF_RECEIVING_KINDS:
        break;
    }
    return XF_RECEIVING_NOTHING;
}

static enum xf_receiving_do waiting(struct xf_receiving *r,
                                    const struct xf_receiving_input *in,
                                    int64_t now_ms)
{
    switch (in->kind) {
    case XF_RECEIVING_QUERY:
        return go_on(r, XF_RECEIVING_DIALLING, INT64_MAX, XF_RECEIVING_DIAL);
    case XF_RECEIVING_OPEN:
        return go_on(r, XF_RECEIVING_INBAND, INT64_MAX,
                     XF_RECEIVING_TAKE_INBAND);
    case XF_RECEIVING_OFFERED_AGAIN:
        return go_on(r, XF_RECEIVING_WAITING, now_ms + XF_RECEIVING_DOOR_MS,
                     XF_RECEIVING_SAY_YES);
    case XF_RECEIVING_STOP:
        return fail(r, in->code, in->text);
    case XF_RECEIVING_TICK:
        if (now_ms < r->deadline)
            break;
        if (r->why.code)
            return enter(r, XF_RECEIVING_OVER, INT64_MAX, XF_RECEIVING_FAIL);
        return fail(r, XF_E_STALL,
                    "accepted, but the sender opened no stream for 60 s");
    case XF_RECEIVING_BROKEN:
        return broken(r, in, now_ms);
    case XF_RECEIVING_WHOLE: /* it had all but the receipt */
        return enter(r, XF_RECEIVING_OVER, INT64_MAX, XF_RECEIVING_FINISH);
    case XF_RECEIVING_ACCEPT:
    case XF_RECEIVING_DECLINE:
    case XF_RECEIVING_UP:
    case XF_RECEIVING_NONE_UP:
    case XF_RECEIVING_CLOSED:
    case XF_RECEIVING_DRY:
    case XF_RECEIVING_KINDS:
        break;
    }
    return XF_RECEIVING_NOTHING;
}

static enum xf_receiving_do dialling(struct xf_receiving *r,
                                     const struct xf_receiving_input *in,
                                     int64_t now_ms)
{
    switch (in->kind) {
    case XF_RECEIVING_UP:
        return enter(r, XF_RECEIVING_STREAMING, INT64_MAX,
                     XF_RECEIVING_TAKE_STREAM);
    case XF_RECEIVING_NONE_UP:
        return enter(r, XF_RECEIVING_WAITING, now_ms + XF_RECEIVING_DOOR_MS,
                     XF_RECEIVING_SAY_NONE);
    case XF_RECEIVING_OPEN: /* the sender's patience was shorter than ours */
        if (in->goes_on)
            return enter(r, XF_RECEIVING_INBAND_DIALLING, INT64_MAX,
                         XF_RECEIVING_TAKE_INBAND_TOO);
        return enter(r, XF_RECEIVING_INBAND, INT64_MAX,
                     XF_RECEIVING_TAKE_INBAND);
    case XF_RECEIVING_OFFERED_AGAIN:
        return enter(r, XF_RECEIVING_WAITING, now_ms + XF_RECEIVING_DOOR_MS,
                     XF_RECEIVING_SAY_YES);
    case XF_RECEIVING_QUERY:
        return XF_RECEIVING_REFUSE;
    case XF_RECEIVING_BROKEN:
        return broken(r, in, now_ms);
    case XF_RECEIVING_STOP:
        return fail(r, in->code, in->text);
    case XF_RECEIVING_ACCEPT:
    case XF_RECEIVING_DECLINE:
    case XF_RECEIVING_CLOSED:
    case XF_RECEIVING_DRY:
    case XF_RECEIVING_WHOLE:
    case XF_RECEIVING_TICK:
    case XF_RECEIVING_KINDS:
        break;
    }
    return XF_RECEIVING_NOTHING;
}

/*
 * A stream we took may be one the sender gave up: its timer ran out while our
 * answer was on the way. As long as nothing came over it, in-band still may;
 * one of ours will take the stream once the answer is there.
 */
static enum xf_receiving_do streaming(struct xf_receiving *r,
                                      const struct xf_receiving_input *in,
                                      int64_t now_ms)
{
    switch (in->kind) {
    case XF_RECEIVING_OPEN:
        if (in->got_bytes)
            return XF_RECEIVING_REFUSE;
        if (in->goes_on)
            return enter(r, XF_RECEIVING_INBAND_HELD, INT64_MAX,
                         XF_RECEIVING_TAKE_INBAND_FIRST);
        return enter(r, XF_RECEIVING_INBAND, INT64_MAX,
                     XF_RECEIVING_TAKE_INBAND);
    case XF_RECEIVING_OFFERED_AGAIN:
        if (in->got_bytes && !in->goes_on)
            return XF_RECEIVING_REFUSE;
        return enter(r, XF_RECEIVING_WAITING, now_ms + XF_RECEIVING_DOOR_MS,
                     XF_RECEIVING_SAY_YES);
    case XF_RECEIVING_QUERY:
        return XF_RECEIVING_REFUSE;
    case XF_RECEIVING_WHOLE:
        return enter(r, XF_RECEIVING_OVER, INT64_MAX, XF_RECEIVING_FINISH);
    case XF_RECEIVING_BROKEN:
        return broken(r, in, now_ms);
    case XF_RECEIVING_STOP:
        return fail(r, in->code, in->text);
    case XF_RECEIVING_DRY:
        return enter(r, XF_RECEIVING_WAITING, now_ms + XF_RECEIVING_DOOR_MS,
                     XF_RECEIVING_NOTHING);
    case XF_RECEIVING_ACCEPT:
    case XF_RECEIVING_DECLINE:
    case XF_RECEIVING_UP:
    case XF_RECEIVING_NONE_UP:
    case XF_RECEIVING_CLOSED:
    case XF_RECEIVING_TICK:
    case XF_RECEIVING_KINDS:
        break;
    }
    return XF_RECEIVING_NOTHING;
}

/* A sender whose patience for our answer to its <open/> was too short offers
 * again; as long as no block came this stream is one it does not know of. */
static enum xf_receiving_do inband(struct xf_receiving *r,
                                   const struct xf_receiving_input *in,
                                   int64_t now_ms)
{
    switch (in->kind) {
    case XF_RECEIVING_WHOLE:
        return enter(r, XF_RECEIVING_OVER, INT64_MAX, XF_RECEIVING_FINISH);
    case XF_RECEIVING_BROKEN:
        return broken(r, in, now_ms);
    case XF_RECEIVING_STOP:
        return fail(r, in->code, in->text);
    case XF_RECEIVING_OFFERED_AGAIN:
        if (in->got_bytes && !in->goes_on)
            return XF_RECEIVING_REFUSE;
        return enter(r, XF_RECEIVING_WAITING, now_ms + XF_RECEIVING_DOOR_MS,
                     XF_RECEIVING_SAY_YES);
    case XF_RECEIVING_QUERY:
    case XF_RECEIVING_OPEN:
        return XF_RECEIVING_REFUSE;
    case XF_RECEIVING_UP:
        if (r->state != XF_RECEIVING_INBAND_DIALLING)
            break;
        return enter(r, XF_RECEIVING_INBAND_HELD, INT64_MAX,
                     XF_RECEIVING_HOLD_STREAM);
    case XF_RECEIVING_NONE_UP:
        if (r->state != XF_RECEIVING_INBAND_DIALLING)
            break;
        return enter(r, XF_RECEIVING_INBAND, INT64_MAX, XF_RECEIVING_SAY_NONE);
    case XF_RECEIVING_CLOSED:
        if (r->state != XF_RECEIVING_INBAND_HELD)
            break;
        return enter(r, XF_RECEIVING_STREAMING, INT64_MAX,
                     XF_RECEIVING_TAKE_HELD);
    case XF_RECEIVING_ACCEPT:
    case XF_RECEIVING_DECLINE:
    case XF_RECEIVING_DRY:
    case XF_RECEIVING_TICK:
    case XF_RECEIVING_KINDS:
        break;
    }
    return XF_RECEIVING_NOTHING;
}

enum xf_receiving_do xf_receiving_step(struct xf_receiving *r,
                                       const struct xf_receiving_input *in,
                                       int64_t now_ms)
{
    switch (r->state) {
    case XF_RECEIVING_ASKED:
        return asked(r, in, now_ms);
    case XF_RECEIVING_WAITING:
        return waiting(r, in, now_ms);
    case XF_RECEIVING_DIALLING:
        return dialling(r, in, now_ms);
    case XF_RECEIVING_STREAMING:
        return streaming(r, in, now_ms);
    case XF_RECEIVING_INBAND:
    case XF_RECEIVING_INBAND_DIALLING:
    case XF_RECEIVING_INBAND_HELD:
        return inband(r, in, now_ms);
    case XF_RECEIVING_OVER:
    case XF_RECEIVING_STATES:
        break;
    }
    /* What comes after the end finds no stream: the requests of it are
     * refused, the news of it is stale. */
    return in->kind == XF_RECEIVING_QUERY || in->kind == XF_RECEIVING_OPEN
               ? XF_RECEIVING_REFUSE
               : XF_RECEIVING_NOTHING;
}
