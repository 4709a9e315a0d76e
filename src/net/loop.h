/*
 * Where everything waits: one descriptor and one timeout for an embedder's
 * loop; readiness, timers and wake-ups for us. What to do then is left to the
 * callbacks.
 *
 * Callbacks are called from xf_loop_dispatch() and from nowhere else. Each may
 * free any object, the one that calls it included. Only xf_wake_send() may be
 * called from another thread.
 */
#ifndef XF_NET_LOOP_H
#define XF_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct xf_loop;

/* 0 or XF_E_LIMIT. */
int xf_loop_new(struct xf_loop **out);

/*
 * Not from a callback. What was made on the loop has been freed by its owners
 * before. NULL is fine.
 */
void xf_loop_free(struct xf_loop *loop);

/* Readable when there is something to dispatch. Owned by the loop. */
int xf_loop_fd(const struct xf_loop *loop);

/*
 * Milliseconds until dispatch is due, 0 for now, -1 for never. To be asked
 * again after every call that changes anything on the loop.
 */
int xf_loop_timeout(struct xf_loop *loop);

/* Do what is due; never waits. Not from a callback. */
void xf_loop_dispatch(struct xf_loop *loop);

/*
 * Monotonic milliseconds: the one reading of this dispatch, and a fresh one
 * outside of it.
 */
int64_t xf_loop_now(struct xf_loop *loop);

/* --- readiness of a descriptor ------------------------------------------- */

enum {
    XF_WATCH_READ = 1,
    XF_WATCH_WRITE = 2,
};

struct xf_watch;

/*
 * An error or a hang-up is told as all that was asked for: the call that
 * follows says what it is.
 */
typedef void xf_watch_fn(void *ctx, int events);

/* One watch a descriptor. Nothing is watched yet. 0 or XF_E_LIMIT. */
int xf_watch_new(struct xf_loop *loop, int fd, xf_watch_fn *fn, void *ctx,
                 struct xf_watch **out);

/* XF_WATCH_READ | XF_WATCH_WRITE, or 0 for none. Stays until changed. */
void xf_watch_set(struct xf_watch *w, int events);

/* The descriptor is left open and may be closed afterwards. NULL is fine. */
void xf_watch_free(struct xf_watch *w);

/* --- a point in time ----------------------------------------------------- */

struct xf_timer;
typedef void xf_timer_fn(void *ctx);

#define XF_TIMER_OFF INT64_MAX

/* Off at first. 0 or XF_E_LIMIT. */
int xf_timer_new(struct xf_loop *loop, xf_timer_fn *fn, void *ctx,
                 struct xf_timer **out);

/* On the scale of xf_loop_now(); what has passed is due at once. */
void xf_timer_set(struct xf_timer *t, int64_t deadline_ms);

void xf_timer_free(struct xf_timer *t); /* NULL is fine */

/* --- word from another thread -------------------------------------------- */

struct xf_wake;
typedef void xf_wake_fn(void *ctx);

/* 0 or XF_E_LIMIT. */
int xf_wake_new(struct xf_loop *loop, xf_wake_fn *fn, void *ctx,
                struct xf_wake **out);

/* From any thread; several before the dispatch may be told as one. */
void xf_wake_send(struct xf_wake *w);

/* After the last xf_wake_send() has returned. NULL is fine. */
void xf_wake_free(struct xf_wake *w);

/* --- for the objects of this floor --------------------------------------- */

/*
 * Memory that a callback freed while its caller still stands on it. First
 * member of what calls back; after each call the caller looks at `dead`
 * and returns when it is set.
 */
struct xf_grave {
    struct xf_grave *next;
    bool dead;
};

/*
 * Set `dead` and give the memory back when no callback can be running any
 * more. What the object owns has been freed before.
 */
void xf_loop_bury(struct xf_loop *loop, struct xf_grave *grave);

#endif
