/*
 * Counting stanzas both ways and keeping what is not acknowledged; the
 * elements themselves are written and read in wire/sm.
 */
#include "proto/sm.h"

#include <string.h>

#include "base/sys.h"
#include "xferry/error.h"

#define QUEUE_FIRST 64u

void xf_sm_init(struct xf_sm *sm)
{
    *sm = (struct xf_sm){ .state = XF_SM_OFF };
}

uint32_t xf_sm_unacked(const struct xf_sm *sm)
{
    return sm->sent - sm->acked;
}

/* Of one that is acknowledged, or is not to be kept. */
static void forget_text(struct xf_sm *sm, struct xf_sm_stanza *one)
{
    if (one->text)
        sm->kept_bytes -= one->bytes;
    xf_sys_free(one->text);
    one->text = NULL;
}

static struct xf_sm_stanza *at(const struct xf_sm *sm, uint32_t i)
{
    return &sm->queue[(sm->head + i) % sm->cap];
}

void xf_sm_clear(struct xf_sm *sm)
{
    for (uint32_t i = 0; i < xf_sm_unacked(sm); i++)
        forget_text(sm, at(sm, i));
    xf_sys_free(sm->id);
    xf_sys_free(sm->location);
    xf_sys_free(sm->queue);
    xf_sm_init(sm);
}

void xf_sm_enable(struct xf_sm *sm)
{
    xf_sm_clear(sm);
    sm->state = XF_SM_ENABLING;
}

void xf_sm_failed(struct xf_sm *sm)
{
    xf_sm_clear(sm);
}

/* A copy into *out; NULL stays NULL. */
static int keep(const char *text, size_t max, char **out)
{
    if (!text)
        return 0;
    if (strnlen(text, max + 1) > max)
        return XF_E_STREAM;
    *out = xf_sys_strdup(text);
    return *out ? 0 : XF_E_LIMIT;
}

int xf_sm_enabled(struct xf_sm *sm, const char *id, const char *location,
                  uint64_t max_s, bool resumable)
{
    int err;

    if (sm->state != XF_SM_ENABLING)
        return XF_E_STREAM;
    err = keep(id, XF_SM_ID_MAX, &sm->id);
    if (err == 0)
        err = keep(location, XF_SM_LOCATION_MAX, &sm->location);
    if (err != 0)
        return err;
    sm->max_s = max_s;
    sm->resumable = resumable && id;
    sm->state = XF_SM_ON;
    for (uint32_t i = 0; !sm->resumable && i < xf_sm_unacked(sm); i++) {
        sm->unkept += at(sm, i)->text != NULL;
        forget_text(sm, at(sm, i));
    }
    return 0;
}

/* --- out ----------------------------------------------------------------- */

/* Twice the room, unrolled so that the ring begins at 0 again. */
static int grow(struct xf_sm *sm)
{
    size_t cap = sm->cap > 0 ? 2 * sm->cap : QUEUE_FIRST;
    struct xf_sm_stanza *queue = xf_sys_alloc(cap * sizeof *queue);

    if (!queue)
        return XF_E_LIMIT;
    for (size_t i = 0; i < sm->cap; i++)
        queue[i] = sm->queue[(sm->head + i) % sm->cap];
    xf_sys_free(sm->queue);
    sm->queue = queue;
    sm->cap = cap;
    sm->head = 0;
    return 0;
}

/* A copy to be sent again; without one it only counts. */
static char *keep_text(struct xf_sm *sm, const char *text, size_t bytes)
{
    bool wanted = sm->state == XF_SM_ENABLING || sm->resumable;

    if (!wanted || bytes > XF_SM_KEEP_MAX ||
        sm->kept_bytes > XF_SM_KEEP_MAX - bytes)
        return NULL;
    return xf_sys_copy(text, bytes);
}

int xf_sm_sent(struct xf_sm *sm, const char *text, size_t bytes)
{
    uint32_t waiting = xf_sm_unacked(sm);
    char *copy;

    if (sm->state == XF_SM_OFF)
        return 0;
    if (waiting >= XF_SM_QUEUE_MAX)
        return XF_E_STREAM;
    if (waiting == sm->cap && grow(sm) != 0)
        return XF_E_LIMIT;
    copy = keep_text(sm, text, bytes);
    if (!copy && sm->state == XF_SM_AWAY)
        return XF_E_LIMIT; /* it has not left, and would be lost */
    *at(sm, waiting) = (struct xf_sm_stanza){ .bytes = bytes, .text = copy };
    sm->kept_bytes += copy ? bytes : 0;
    sm->unkept += !copy;
    sm->sent++;
    sm->unacked_bytes += bytes;
    sm->new_bytes += bytes;
    sm->new_stanzas++;
    return 0;
}

void xf_sm_flush(struct xf_sm *sm)
{
    sm->flush = !xf_sm_all_acked(sm);
}

/*
 * Sparingly: an <r/> behind every stanza costs in-band streams 40 % of their
 * speed. Those sent behind the last one are asked for when it was answered.
 */
bool xf_sm_ask(struct xf_sm *sm)
{
    if (sm->state != XF_SM_ON || sm->asked || xf_sm_unacked(sm) == 0)
        return false;
    if (!sm->flush && sm->new_bytes < XF_SM_ASK_BYTES &&
        sm->new_stanzas < XF_SM_ASK_STANZAS)
        return false;
    sm->asked = true;
    sm->new_bytes = 0;
    sm->new_stanzas = 0;
    return true;
}

/* All up to `h`, which is modulo 2^32: XEP-0198, 4. */
static int drop_acked(struct xf_sm *sm, uint32_t h)
{
    uint32_t count = h - sm->acked;

    if (count > xf_sm_unacked(sm))
        return XF_E_STREAM;
    for (uint32_t i = 0; i < count; i++) {
        struct xf_sm_stanza *one = at(sm, 0);

        sm->unacked_bytes -= one->bytes;
        sm->unkept -= !one->text;
        forget_text(sm, one);
        sm->head = (sm->head + 1) % sm->cap;
    }
    sm->acked = h;
    return 0;
}

int xf_sm_acked(struct xf_sm *sm, uint32_t h)
{
    if (sm->state != XF_SM_ON || drop_acked(sm, h) != 0)
        return XF_E_STREAM;
    sm->asked = false;
    if (xf_sm_all_acked(sm))
        sm->flush = false;
    return 0;
}

bool xf_sm_all_acked(const struct xf_sm *sm)
{
    return sm->state == XF_SM_OFF || xf_sm_unacked(sm) == 0;
}

/* --- resumption ---------------------------------------------------------- */

bool xf_sm_may_resume(const struct xf_sm *sm)
{
    return sm->state == XF_SM_ON && sm->resumable && sm->unkept == 0;
}

bool xf_sm_lost(struct xf_sm *sm)
{
    if (sm->state == XF_SM_AWAY)
        return true; /* lost once more, before it was back */
    if (!xf_sm_may_resume(sm)) {
        xf_sm_clear(sm);
        return false;
    }
    sm->state = XF_SM_AWAY;
    sm->asked = false;
    return true;
}

int xf_sm_resumed(struct xf_sm *sm, uint32_t h)
{
    if (sm->state != XF_SM_AWAY || drop_acked(sm, h) != 0)
        return XF_E_STREAM;
    sm->state = XF_SM_ON;
    sm->new_bytes = sm->unacked_bytes;
    sm->new_stanzas = xf_sm_unacked(sm);
    /* What the first connection took with it is asked for soon. */
    sm->flush = !xf_sm_all_acked(sm);
    return 0;
}

const struct xf_sm_stanza *xf_sm_unacked_at(const struct xf_sm *sm, uint32_t i)
{
    return i < xf_sm_unacked(sm) ? at(sm, i) : NULL;
}

/* --- in ------------------------------------------------------------------ */

void xf_sm_received(struct xf_sm *sm)
{
    if (sm->state == XF_SM_ON)
        sm->handled++;
}

uint32_t xf_sm_handled(const struct xf_sm *sm)
{
    return sm->handled;
}
