/*
 * The loop is libuv's, nested in the embedder's by its backend descriptor.
 * Handles are freed when libuv says that they are closed; what calls back is
 * kept in graves until the dispatch ends.
 */
#include "net/loop.h"

#include <assert.h>
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"
#include "base/sys.h"

struct xf_loop {
    uv_loop_t uv;
    bool inside; /* within a dispatch */
    bool firing; /* within the callback of a timer */
    struct xf_grave *graves;
};

struct xf_watch {
    uv_poll_t poll;
    xf_watch_fn *fn;
    void *ctx;
    int events; /* asked for */
};

struct xf_timer {
    uv_timer_t timer;
    struct xf_loop *loop;
    xf_timer_fn *fn;
    void *ctx;
};

struct xf_wake {
    uv_async_t async;
    xf_wake_fn *fn;
    void *ctx;
};

/* `data` of each handle is the memory that it lives in. */
static void closed(uv_handle_t *handle)
{
    xf_sys_free(handle->data);
}

static void close_handle(uv_handle_t *handle)
{
    if (!uv_is_closing(handle))
        uv_close(handle, closed);
}

/* --- the loop ------------------------------------------------------------ */

int xf_loop_new(struct xf_loop **out)
{
    struct xf_loop *loop = xf_sys_alloc(sizeof *loop);

    *out = NULL;
    if (!loop)
        return XF_E_LIMIT;
    if (uv_loop_init(&loop->uv) != 0) {
        xf_sys_free(loop);
        return XF_E_LIMIT;
    }
    *out = loop;
    return 0;
}

static void close_leftover(uv_handle_t *handle, void *ctx)
{
    (void)ctx;
    close_handle(handle);
}

static void empty_graves(struct xf_loop *loop)
{
    struct xf_grave *grave;

    while ((grave = loop->graves) != NULL) {
        loop->graves = grave->next;
        xf_sys_free(grave);
    }
}

void xf_loop_free(struct xf_loop *loop)
{
    int err;

    if (!loop)
        return;
    assert(!loop->inside);
    uv_walk(&loop->uv, close_leftover, NULL);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
    empty_graves(loop);
    err = uv_loop_close(&loop->uv);
    assert(err == 0);
    (void)err;
    xf_sys_free(loop);
}

int xf_loop_fd(const struct xf_loop *loop)
{
    return uv_backend_fd(&loop->uv);
}

/*
 * libuv counts from the time of its last turn, which may be long ago, and says
 * 0 where nothing is waited for: an embedder would sleep too long, or never.
 * For a watcher its backend does not know yet it says 0 by itself.
 */
int xf_loop_timeout(struct xf_loop *loop)
{
    if (!uv_loop_alive(&loop->uv))
        return -1;
    if (!loop->inside)
        uv_update_time(&loop->uv);
    return uv_backend_timeout(&loop->uv);
}

void xf_loop_dispatch(struct xf_loop *loop)
{
    assert(!loop->inside);
    loop->inside = true;
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    loop->inside = false;
    empty_graves(loop);
}

int64_t xf_loop_now(struct xf_loop *loop)
{
    if (!loop->inside)
        uv_update_time(&loop->uv);
    return (int64_t)uv_now(&loop->uv);
}

void xf_loop_bury(struct xf_loop *loop, struct xf_grave *grave)
{
    grave->dead = true;
    if (!loop->inside) {
        xf_sys_free(grave);
        return;
    }
    grave->next = loop->graves;
    loop->graves = grave;
}

/* --- watches ------------------------------------------------------------- */

static void arm(struct xf_watch *w);

/*
 * On an error libuv stops the poll and tells nothing but the error; the call
 * that follows in the callback is to find out, and polling goes on.
 */
static void ready(uv_poll_t *poll, int status, int events)
{
    struct xf_watch *w = poll->data;
    int told = 0;

    if (status < 0) {
        told = w->events;
        arm(w);
    }
    if (events & UV_READABLE)
        told |= XF_WATCH_READ;
    if (events & UV_WRITABLE)
        told |= XF_WATCH_WRITE;
    told &= w->events;
    if (told != 0)
        w->fn(w->ctx, told);
}

static void arm(struct xf_watch *w)
{
    int events = 0;

    if (w->events & XF_WATCH_READ)
        events |= UV_READABLE;
    if (w->events & XF_WATCH_WRITE)
        events |= UV_WRITABLE;
    if (events != 0)
        (void)uv_poll_start(&w->poll, events, ready);
    else
        (void)uv_poll_stop(&w->poll);
}

int xf_watch_new(struct xf_loop *loop, int fd, xf_watch_fn *fn, void *ctx,
                 struct xf_watch **out)
{
    struct xf_watch *w = xf_sys_alloc(sizeof *w);

    *out = NULL;
    if (!w)
        return XF_E_LIMIT;
    w->fn = fn;
    w->ctx = ctx;
    if (uv_poll_init(&loop->uv, &w->poll, fd) != 0) {
        xf_sys_free(w);
        return XF_E_LIMIT;
    }
    w->poll.data = w;
    *out = w;
    return 0;
}

void xf_watch_set(struct xf_watch *w, int events)
{
    if (w->events == events)
        return;
    w->events = events;
    arm(w);
}

void xf_watch_free(struct xf_watch *w)
{
    if (!w)
        return;
    w->events = 0;
    close_handle((uv_handle_t *)&w->poll);
}

/* --- timers -------------------------------------------------------------- */

static void fire(uv_timer_t *timer)
{
    struct xf_timer *t = timer->data;
    struct xf_loop *loop = t->loop;

    loop->firing = true;
    t->fn(t->ctx);
    loop->firing = false;
}

int xf_timer_new(struct xf_loop *loop, xf_timer_fn *fn, void *ctx,
                 struct xf_timer **out)
{
    struct xf_timer *t = xf_sys_alloc(sizeof *t);

    *out = NULL;
    if (!t)
        return XF_E_LIMIT;
    t->loop = loop;
    t->fn = fn;
    t->ctx = ctx;
    (void)uv_timer_init(&loop->uv, &t->timer);
    t->timer.data = t;
    *out = t;
    return 0;
}

/*
 * libuv runs a timer that is due in the same turn in which another one set it:
 * one that sets itself to now would never let the turn end.
 */
void xf_timer_set(struct xf_timer *t, int64_t deadline_ms)
{
    int64_t soonest = t->loop->firing ? 1 : 0;
    int64_t now;

    if (deadline_ms == XF_TIMER_OFF) {
        (void)uv_timer_stop(&t->timer);
        return;
    }
    now = xf_loop_now(t->loop);
    if (deadline_ms < now + soonest)
        deadline_ms = now + soonest;
    (void)uv_timer_start(&t->timer, fire, (uint64_t)(deadline_ms - now), 0);
}

void xf_timer_free(struct xf_timer *t)
{
    if (t)
        close_handle((uv_handle_t *)&t->timer);
}

/* --- wake-ups ------------------------------------------------------------ */

static void woken(uv_async_t *async)
{
    struct xf_wake *w = async->data;

    w->fn(w->ctx);
}

int xf_wake_new(struct xf_loop *loop, xf_wake_fn *fn, void *ctx,
                struct xf_wake **out)
{
    struct xf_wake *w = xf_sys_alloc(sizeof *w);

    *out = NULL;
    if (!w)
        return XF_E_LIMIT;
    w->fn = fn;
    w->ctx = ctx;
    if (uv_async_init(&loop->uv, &w->async, woken) != 0) {
        xf_sys_free(w);
        return XF_E_LIMIT;
    }
    w->async.data = w;
    *out = w;
    return 0;
}

void xf_wake_send(struct xf_wake *w)
{
    (void)uv_async_send(&w->async);
}

void xf_wake_free(struct xf_wake *w)
{
    if (w)
        close_handle((uv_handle_t *)&w->async);
}
