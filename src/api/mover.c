/* A pump and its socket's readiness; see the header. */
#include "api/mover.h"

#include "api/throttle.h"
#include "base/sys.h"
#include "stream/pump.h"
#include "stream/want.h"

#define LINGER_MS 15000 /* for the peer's close, after our last byte */
/* All who move bytes share so many of one round, that none waits long for its
 * turn, nor the stanzas for theirs. */
#define ROUND (16u << 20)
#define STEP_MIN (64u << 10)
#define LOOK_MS 200 /* when nothing of the peer can be watched any more */

/* Of a receiver that is held to a rate, so that its sender sees bytes leave as
 * they are read, and not once in minutes. */
#define HELD_BUFFER_MIN 4096
#define HELD_BUFFER_MAX (256u << 10)

struct xf_mover {
    struct xf_transfer *t;
    struct xf_pump *pump;
    struct xf_watch *watch;
    struct xf_turn turn;
    uint64_t base;      /* bytes of the transfer before this stream */
    int64_t linger;     /* INT64_MAX until the last byte has left */
    size_t unsent;      /* what the peer had not acknowledged by then */
    int64_t looked_for; /* the t->moved_at after which `had_unsent` was noted */
    size_t had_unsent;
    int64_t next_step; /* INT64_MAX unless stepped by the clock */
    bool over;
};

/* One of ours can have the rest another way, before its own patience ends. */
static int64_t linger_ms(const struct xf_transfer *t)
{
    int64_t third = t->s->set.stall_ms / 3;

    return t->key[0] && third < LINGER_MS ? third : LINGER_MS;
}

static void tell_over(struct xf_mover *m, const struct xf_error_info *why)
{
    struct xf_transfer *t = m->t;

    m->over = true;
    xf_watch_set(m->watch, 0);
    if (why)
        t->role->broken(t, why->code, why->text);
    else
        t->role->moved(t);
}

static uint64_t most(const struct xf_mover *m)
{
    uint64_t share = ROUND / m->t->s->movers;

    if (share < STEP_MIN)
        share = STEP_MIN;
    if (share > XF_PUMP_STEP)
        share = XF_PUMP_STEP;
    return m->turn.share < share ? m->turn.share : share;
}

static enum xf_pump_status move(struct xf_mover *m)
{
    uint64_t had = xf_pump_bytes(m->pump);
    enum xf_pump_status status;

    xf_pump_set_most(m->pump, most(m));
    status = xf_pump_step(m->pump);
    xf_throttle_spend(m->t->s, xf_pump_bytes(m->pump) - had);
    m->turn.share = 0;
    return status;
}

static void step(struct xf_mover *m)
{
    enum xf_pump_status status;
    int wants;

    if (xf_pump_moving(m->pump) && xf_throttle_holds(m->t->s, &m->turn)) {
        xf_watch_set(m->watch, 0);
        return;
    }
    status = move(m);
    wants = xf_pump_wants(m->pump);
    xf_transfer_moved(m->t, m->base + xf_pump_bytes(m->pump));
    if (status == XF_PUMP_DONE) {
        tell_over(m, NULL);
        return;
    }
    if (status == XF_PUMP_FAILED) {
        struct xf_error_info why = *xf_pump_error(m->pump);

        tell_over(m, &why);
        return;
    }
    xf_watch_set(m->watch, (wants & XF_WANT_READ ? XF_WATCH_READ : 0) |
                               (wants & XF_WANT_WRITE ? XF_WATCH_WRITE : 0));
    if (m->t->outgoing && xf_pump_waiting(m->pump)) {
        bool first = m->linger == INT64_MAX;

        m->next_step = wants ? INT64_MAX : xf_now(m->t->s) + LOOK_MS;
        if (!first)
            return;
        m->linger = xf_now(m->t->s) + linger_ms(m->t);
        (void)xf_sys_unsent(xf_pump_fd(m->pump), &m->unsent);
        m->t->moved_at = 0; /* its own patience counts from here on */
        m->t->role->sent(m->t);
    }
}

static void go(void *ctx)
{
    step(ctx);
}

static void ready(void *ctx, int events)
{
    struct xf_mover *m = ctx;
    struct xf_session *s = m->t->s;

    (void)events;
    step(m);
    /* Once for all that are ready in this turn. */
    xf_session_tick_soon(s);
}

static int begin(struct xf_transfer *t, struct xf_pump *pump)
{
    struct xf_mover *m = xf_sys_alloc(sizeof *m);

    if (!m) {
        xf_pump_free(pump);
        return XF_E_LIMIT;
    }
    m->t = t;
    m->pump = pump;
    m->turn.go = go;
    m->turn.ctx = m;
    t->s->movers++;
    m->base = t->done;
    m->linger = m->next_step = INT64_MAX;
    if (xf_watch_new(t->s->loop, xf_pump_fd(pump), ready, m, &m->watch) != 0) {
        xf_mover_free(m);
        return XF_E_LIMIT;
    }
    t->mover = m;
    t->moved_at = xf_now(t->s);
    /* Not at once: the caller has not yet said what it has to say. */
    m->next_step = 0;
    return 0;
}

int xf_mover_send(struct xf_transfer *t, int fd)
{
    struct xf_pump *pump;
    int err = xf_pump_send(&pump, t->source, t->done, t->size - t->done, fd);

    if (err != 0) {
        xf_sys_close(fd);
        return err;
    }
    return begin(t, pump);
}

/* About a second of the rate. */
static void hold_back(const struct xf_session *s, int fd)
{
    int bytes = (int)(s->limit.rate < HELD_BUFFER_MAX ? s->limit.rate
                                                      : HELD_BUFFER_MAX);

    if (s->limit.rate == 0 || s->limit.rate > HELD_BUFFER_MAX * 8)
        return;
    if (bytes < HELD_BUFFER_MIN)
        bytes = HELD_BUFFER_MIN;
    (void)xf_sys_setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

int xf_mover_receive(struct xf_transfer *t, int fd)
{
    struct xf_pump *pump;
    int err = xf_pump_receive(&pump, t->intake, fd);

    if (err != 0) {
        xf_sys_close(fd);
        return err;
    }
    hold_back(t->s, fd);
    return begin(t, pump);
}

void xf_mover_free(struct xf_mover *m)
{
    if (!m)
        return;
    m->t->s->movers--;
    xf_throttle_leave(m->t->s, &m->turn);
    xf_watch_free(m->watch);
    xf_pump_free(m->pump);
    xf_sys_free(m);
}

int xf_mover_release(struct xf_mover *m)
{
    int fd = m ? xf_sys_dup(xf_pump_fd(m->pump)) : -1;

    xf_mover_free(m);
    return fd;
}

void xf_mover_abort(struct xf_mover *m)
{
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    if (m)
        (void)xf_sys_setsockopt(xf_pump_fd(m->pump), SOL_SOCKET, SO_LINGER,
                                &now, sizeof now);
}

void xf_mover_resume(struct xf_mover *m)
{
    if (m && !m->over)
        step(m);
}

bool xf_mover_drain(struct xf_mover *m)
{
    enum xf_pump_status status;
    uint64_t had;

    m->over = true;
    xf_watch_set(m->watch, 0);
    xf_throttle_leave(m->t->s, &m->turn);
    xf_pump_set_most(m->pump, XF_PUMP_STEP);
    do {
        had = xf_pump_bytes(m->pump);
        status = xf_pump_step(m->pump);
        xf_throttle_spend(m->t->s, xf_pump_bytes(m->pump) - had);
    } while (status == XF_PUMP_AGAIN && xf_pump_bytes(m->pump) > had);
    return status != XF_PUMP_AGAIN || xf_pump_wants(m->pump) != 0;
}

bool xf_mover_is_held(const struct xf_mover *m)
{
    return m && xf_throttle_is_queued(&m->turn);
}

/*
 * What a slow peer takes from the kernel is no byte that moves here: the buffer
 * takes no more before a good part of it is free. Half way to where it would be
 * taken for one that hangs its state is noted.
 */
static int64_t look_at(const struct xf_mover *m)
{
    const struct xf_transfer *t = m->t;

    if (!t->outgoing || !t->moved_at || m->looked_for == t->moved_at)
        return INT64_MAX;
    return t->moved_at + t->s->set.stall_ms / 6;
}

static void look(struct xf_mover *m)
{
    m->looked_for = m->t->moved_at;
    if (xf_sys_unsent(xf_pump_fd(m->pump), &m->had_unsent) < 0)
        m->had_unsent = 0;
}

bool xf_mover_creeps(const struct xf_mover *m)
{
    size_t unsent;

    return m && m->t->outgoing && m->looked_for == m->t->moved_at &&
           xf_sys_unsent(xf_pump_fd(m->pump), &unsent) == 0 &&
           unsent < m->had_unsent;
}

int64_t xf_mover_deadline(const struct xf_mover *m)
{
    int64_t when;

    if (!m || m->over)
        return INT64_MAX;
    when = m->linger < m->next_step ? m->linger : m->next_step;
    return look_at(m) < when ? look_at(m) : when;
}

/* What the kernel took at once may leave it slowly: silence is what ends it. */
static bool still_leaving(struct xf_mover *m)
{
    size_t unsent;

    if (xf_sys_unsent(xf_pump_fd(m->pump), &unsent) < 0 || unsent >= m->unsent)
        return false;
    m->unsent = unsent;
    m->linger = xf_now(m->t->s) + linger_ms(m->t);
    return true;
}

void xf_mover_tick(struct xf_mover *m)
{
    int64_t now;

    if (!m || m->over)
        return;
    now = xf_now(m->t->s);
    if (now >= look_at(m))
        look(m);
    if (now >= m->linger) {
        struct xf_error_info why;

        if (still_leaving(m))
            return;
        if (xf_pump_lingered(m->pump)) {
            tell_over(m, NULL);
            return;
        }
        why = *xf_pump_error(m->pump);
        tell_over(m, &why);
    } else if (now >= m->next_step) {
        m->next_step = INT64_MAX;
        step(m);
    }
}
