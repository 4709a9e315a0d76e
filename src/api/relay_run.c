/*
 * A dispatch of the relay: hear from the kernel who is ready, edge by edge,
 * and give each a turn, round and round, until nobody is or it was enough.
 */
#include "api/relay_inside.h"

#include <errno.h>

#include <xferry/error.h>

/* The address of a pair with the side in its lowest bit. */
static struct xf_relay_pair *pair_of(void *data, int *side)
{
    uintptr_t at = (uintptr_t)data;

    *side = (int)(at & 1);
    return (struct xf_relay_pair *)(at - (at & 1));
}

/* --- the end of a pair ---------------------------------------------------- */

/* What is unsent goes with a reset; after an end in order it follows. */
static void close_side(struct xf_relay *r, int fd, bool reset)
{
    const struct linger at_once = { 1, 0 };

    /* A copy of the descriptor elsewhere would keep it in there. */
    (void)xf_sys_epoll_remove(r->epoll, fd);
    if (reset)
        (void)xf_sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once,
                                sizeof at_once);
    xf_sys_close(fd);
}

void xf_relay_end(struct xf_relay *r, struct xf_relay_pair *pair,
                  enum xf_relay_reason reason)
{
    for (int side = 0; side < 2; side++) {
        xf_flow_stop(&pair->flow[side], &r->pipes);
        close_side(r, pair->fd[side], reason != XF_RELAY_DONE);
    }
    xf_relay_pace_leave(r, pair);
    pair->state = XF_PAIR_OVER;
    pair->reason = reason;
    pair->ended = r->now;
    xf_ring_remove(&pair->all);
    xf_ring_append(&r->news, &pair->told);
}

static enum xf_relay_reason reason_of(int err)
{
    switch (err) {
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
        return XF_RELAY_GONE;
    default:
        return XF_RELAY_RESET;
    }
}

/* All that came from `side` was passed on, and then it broke: the other side
 * is to see the same, but not before it has what came before. */
static void drain(struct xf_relay *r, struct xf_relay_pair *pair, int side)
{
    xf_flow_stop(&pair->flow[0], &r->pipes);
    xf_flow_stop(&pair->flow[1], &r->pipes);
    pair->reason = reason_of(pair->flow[side].err);
    if (pair->flow[!side].broken) {
        xf_relay_end(r, pair, pair->reason);
        return;
    }
    pair->state = XF_PAIR_DRAINING;
    pair->cut = side;
    pair->check_at = r->now + XF_RELAY_DRAIN_MS;
    xf_ring_remove(&pair->place);
    xf_ring_append(&r->draining, &pair->all);
    r->drain_at = r->now; /* mostly it is acknowledged already */
}

/* Nothing more goes to that side; what came from it still goes out. */
static void broke(struct xf_relay *r, struct xf_relay_pair *pair, int side,
                  int err)
{
    xf_flow_stop(&pair->flow[!side], &r->pipes);
    pair->flow[side].broken = true;
    pair->flow[side].readable = true;
    pair->flow[side].err = err;
    if (pair->flow[side].over)
        drain(r, pair, side);
}

/* --- turns ---------------------------------------------------------------- */

static void count(struct xf_relay *r, struct xf_relay_pair *pair,
                  uint64_t bytes, uint64_t copied)
{
    if (bytes == 0)
        return;
    r->bytes += bytes;
    r->copied += copied;
    pair->moved_at = r->now;
    if (pair->settled) {
        pair->settled = false;
        pair->check_at = r->now + XF_RELAY_CHECK_MS;
        xf_relay_watch_by(r, pair->check_at);
    }
    if (!xf_ring_is_empty(&pair->told))
        return;
    if (xf_ring_is_empty(&r->moving) && r->tell_at == XF_RELAY_NEVER)
        r->tell_at = r->now + XF_RELAY_TELL_MS;
    xf_ring_append(&r->moving, &pair->told);
}

/* One direction; false when the pair is not open any more. */
static bool step(struct xf_relay *r, struct xf_relay_pair *pair, int side,
                 uint64_t most, bool *more, uint64_t *work)
{
    struct xf_flow *flow = &pair->flow[side];
    uint64_t before = flow->moved, copied = flow->copied, taken;
    int err = flow->err;
    enum xf_flow_status status;

    if (flow->over)
        return true;
    status = xf_flow_step(flow, &r->pipes, most, &taken, &r->sigpipe);
    xf_relay_pace_took(pair, taken);
    count(r, pair, flow->moved - before, flow->copied - copied);
    *work += taken;
    switch (status) {
    case XF_FLOW_AGAIN:
        return true;
    case XF_FLOW_MORE:
        *more = true;
        return true;
    case XF_FLOW_DONE:
        if (!pair->flow[!side].over)
            return true;
        if (!flow->broken) {
            xf_relay_end(r, pair, XF_RELAY_DONE);
            return false;
        }
        break;
    case XF_FLOW_CUT:
        break;
    case XF_FLOW_SHUT:
        broke(r, pair, !side, flow->err);
        *more = true;
        return pair->state == XF_PAIR_OPEN;
    case XF_FLOW_FAILED:
        xf_relay_end(r, pair, XF_RELAY_FAILED);
        return false;
    }
    if (flow->broken)
        flow->err = err; /* the first word is the reason */
    drain(r, pair, side);
    return false;
}

/* Is there anything it could do with a word from its gates? */
static bool is_able(const struct xf_flow *f)
{
    return !f->over && (f->readable || f->held > 0 || f->ending) &&
           (f->writable || f->ending);
}

static uint64_t turn(struct xf_relay *r, struct xf_relay_pair *pair)
{
    uint64_t may, work = 0;
    bool more = false;

    if (!is_able(&pair->flow[0]) && !is_able(&pair->flow[1]))
        return 0;
    may = xf_relay_pace_may(r, pair);
    if (may == 0)
        return 0;
    for (int side = 0; side < 2; side++) {
        uint64_t left = may == UINT64_MAX ? may : may - work;

        if (!step(r, pair, side, left, &more, &work))
            return work;
    }
    if (more)
        xf_ring_append(&r->ready, &pair->place);
    return work;
}

/* --- readiness ------------------------------------------------------------ */

static void side_is(struct xf_relay *r, struct xf_relay_pair *pair, int side,
                    uint32_t events)
{
    int err = 0;
    socklen_t len = sizeof err;

    if (pair->state == XF_PAIR_DRAINING && side != pair->cut &&
        (events & EPOLLERR))
        xf_relay_end(r, pair, pair->reason);
    if (pair->state != XF_PAIR_OPEN)
        return;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        pair->flow[side].readable = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        pair->flow[!side].writable = true;
    /* Of a side that is only written to, or to which nothing is to be said,
     * this is the only word. */
    if ((events & EPOLLERR) && !pair->flow[side].broken &&
        (xf_sys_getsockopt(pair->fd[side], SOL_SOCKET, SO_ERROR, &err, &len) <
             0 ||
         err != 0))
        broke(r, pair, side, err != 0 ? err : errno);
    if (pair->state == XF_PAIR_OPEN && xf_ring_is_empty(&pair->place))
        xf_ring_append(&r->ready, &pair->place);
}

static void hear(struct xf_relay *r, const struct epoll_event *events, int n)
{
    for (int i = 0; i < n; i++) {
        int side;
        struct xf_relay_pair *pair = pair_of(events[i].data.ptr, &side);

        if (pair)
            side_is(r, pair, side, events[i].events);
        else
            r->called = true;
    }
}

static void tell(struct xf_relay *r)
{
    if (r->now < r->tell_at)
        return;
    xf_ring_move(&r->news, &r->moving);
    r->tell_at = XF_RELAY_NEVER;
}

static void work(struct xf_relay *r)
{
    uint64_t bytes = 0;
    struct xf_ring *one;

    xf_relay_pace_wake(r);
    for (int i = 0; i < XF_RELAY_TURNS && bytes < XF_RELAY_WORK; i++) {
        if ((one = xf_ring_take(&r->ready)) == NULL)
            break;
        bytes += turn(r, XF_RING_OF(one, struct xf_relay_pair, place));
    }
    xf_relay_watch_run(r);
    tell(r);
}

static void dispatch(struct xf_relay *r, int ms)
{
    struct epoll_event events[XF_RELAY_EVENTS];
    int n = xf_sys_epoll_wait(r->epoll, events, XF_RELAY_EVENTS, ms);

    r->now = xf_sys_now_ms();
    if (!r->ignored)
        xf_sys_hold_sigpipe(&r->sigpipe);
    hear(r, events, n);
    work(r);
    if (!r->ignored)
        xf_sys_release_sigpipe(&r->sigpipe);
}

void xf_relay_dispatch(struct xf_relay *r)
{
    dispatch(r, 0);
}

int xf_relay_attend(struct xf_relay *r, int fd)
{
    return xf_sys_epoll_add(r->epoll, fd, EPOLLIN, NULL) < 0 ? XF_E_LIMIT : 0;
}

bool xf_relay_wait(struct xf_relay *r, int ms)
{
    int wait = xf_relay_timeout(r);

    r->called = false;
    dispatch(r, wait < 0 || (ms >= 0 && ms < wait) ? ms : wait);
    return r->called;
}
