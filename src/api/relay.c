/*
 * The relay's face: pairs come, are found by their number, and what happened
 * to them is told. How bytes move is left to relay_run, when to relay_pace,
 * who is given up to relay_watch.
 */
#include "api/relay_inside.h"

#include <errno.h>

#include <xferry/error.h>

#define BUCKETS_LEAST 64

/* --- by number ------------------------------------------------------------- */

static struct xf_relay_pair **find(const struct xf_relay *r, uint64_t id)
{
    /* Numbers that count up, or carry a flag on top, are spread alike. */
    uint64_t mixed = (id ^ (id >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    struct xf_relay_pair **at = &r->by_id[(mixed >> 32) & (r->buckets - 1)];

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static int grow(struct xf_relay *r, size_t buckets)
{
    struct xf_relay_pair **old = r->by_id, **table, *pair;
    size_t count = r->buckets;

    table = xf_sys_alloc(buckets * sizeof(struct xf_relay_pair *));
    if (!table)
        return XF_E_LIMIT;
    r->by_id = table;
    r->buckets = buckets;
    for (size_t i = 0; i < count; i++) {
        while ((pair = old[i]) != NULL) {
            struct xf_relay_pair **at;

            old[i] = pair->next;
            pair->next = NULL;
            at = find(r, pair->id);
            *at = pair;
        }
    }
    xf_sys_free(old);
    return 0;
}

/* --- a relay --------------------------------------------------------------- */

int xf_relay_new(struct xf_relay **out, unsigned pipes)
{
    struct xf_relay *r = xf_sys_alloc(sizeof *r);

    if (!r)
        return XF_E_LIMIT;
    r->now = xf_sys_now_ms();
    r->ignored = xf_sys_ignores_sigpipe();
    r->tell_at = r->sweep_at = r->drain_at = XF_RELAY_NEVER;
    xf_ring_init(&r->pairs);
    xf_ring_init(&r->draining);
    xf_ring_init(&r->ready);
    xf_ring_init(&r->moving);
    xf_ring_init(&r->news);
    xf_relay_pace_init(r);
    r->epoll = xf_sys_epoll_new();
    if (r->epoll < 0 || xf_pipes_init(&r->pipes, pipes) != 0 ||
        grow(r, BUCKETS_LEAST) != 0) {
        xf_relay_free(r);
        return XF_E_LIMIT;
    }
    *out = r;
    return 0;
}

static void end_all(struct xf_relay *r, struct xf_ring *pairs)
{
    while (!xf_ring_is_empty(pairs))
        xf_relay_end(r, XF_RING_OF(pairs->next, struct xf_relay_pair, all),
                     XF_RELAY_CLOSED);
}

void xf_relay_free(struct xf_relay *r)
{
    if (!r)
        return;
    end_all(r, &r->pairs);
    end_all(r, &r->draining);
    while (xf_relay_next(r))
        ;
    xf_pipes_clear(&r->pipes);
    if (r->epoll >= 0)
        xf_sys_close(r->epoll);
    xf_sys_free(r->by_id);
    xf_sys_free(r);
}

int xf_relay_fd(const struct xf_relay *r)
{
    return r->epoll;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int xf_relay_timeout(const struct xf_relay *r)
{
    int64_t at = least(least(r->tell_at, r->sweep_at),
                       least(r->drain_at, xf_relay_pace_next(r)));
    int64_t wait;

    if (!xf_ring_is_empty(&r->ready) || !xf_ring_is_empty(&r->news))
        return 0;
    if (at == XF_RELAY_NEVER)
        return -1;
    wait = at - xf_sys_now_ms();
    if (wait < 0)
        return 0;
    return wait < INT32_MAX ? (int)wait : INT32_MAX;
}

/* --- a pair ---------------------------------------------------------------- */

#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)

static bool is_connected_tcp(int fd)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof peer;

    /* The options are TCP's own, so no other kind has them. */
    return xf_relay_watch_begin(fd) &&
           (xf_sys_getpeername(fd, (struct sockaddr *)&peer, &len) == 0 ||
            errno == ENOTCONN); /* reset meanwhile: to be told as such */
}

static void init_pair(struct xf_relay *r, struct xf_relay_pair *pair,
                      uint64_t id, int a, int b)
{
    pair->id = id;
    pair->fd[0] = a;
    pair->fd[1] = b;
    pair->flow[0] = (struct xf_flow){ .in = a, .out = b };
    pair->flow[1] = (struct xf_flow){ .in = b, .out = a };
    pair->begun = pair->moved_at = r->now;
    pair->check_at = r->now + XF_RELAY_CHECK_MS;
    xf_relay_gate_init(&pair->own);
    xf_ring_init(&pair->place);
    xf_ring_init(&pair->all);
    xf_ring_init(&pair->told);
}

static int watch(struct xf_relay *r, struct xf_relay_pair *pair)
{
    if (xf_sys_epoll_add(r->epoll, pair->fd[0], EDGES, pair) < 0)
        return XF_E_LIMIT;
    if (xf_sys_epoll_add(r->epoll, pair->fd[1], EDGES,
                         (void *)((uintptr_t)pair | 1)) == 0)
        return 0;
    (void)xf_sys_epoll_remove(r->epoll, pair->fd[0]);
    return XF_E_LIMIT;
}

static void set_idle(struct xf_relay *r, struct xf_relay_pair *pair,
                     uint32_t idle_s)
{
    pair->idle_s = idle_s;
    if (idle_s > 0)
        xf_relay_watch_by(r, pair->moved_at + (int64_t)idle_s * 1000);
}

int xf_relay_adopt(struct xf_relay *r, uint64_t id, int a, int b,
                   const struct xf_relay_limits *limits)
{
    struct xf_relay_pair *pair;
    int err;

    if (a == b || *find(r, id))
        return XF_E_USAGE;
    if (xf_sys_tame(a) < 0 || xf_sys_tame(b) < 0 || !is_connected_tcp(a) ||
        !is_connected_tcp(b))
        return XF_E_USAGE;
    /* A table that cannot grow is slower, and nothing else. */
    if (r->count >= r->buckets)
        (void)grow(r, r->buckets * 2);
    pair = xf_sys_alloc(sizeof *pair);
    if (!pair)
        return XF_E_LIMIT;
    r->now = xf_sys_now_ms();
    init_pair(r, pair, id, a, b);
    if ((err = xf_relay_pace_set(r, pair, limits)) == 0 &&
        (err = watch(r, pair)) != 0)
        xf_relay_pace_leave(r, pair);
    if (err != 0) {
        xf_sys_free(pair);
        return err;
    }
    *find(r, id) = pair;
    r->count++;
    xf_ring_append(&r->pairs, &pair->all);
    set_idle(r, pair, limits->idle_s);
    xf_relay_watch_by(r, pair->check_at);
    return 0;
}

int xf_relay_set_limits(struct xf_relay *r, uint64_t id,
                        const struct xf_relay_limits *limits)
{
    struct xf_relay_pair *pair = *find(r, id);
    int err;

    if (!pair)
        return XF_E_USAGE;
    if (pair->state == XF_PAIR_OVER)
        return 0;
    r->now = xf_sys_now_ms();
    err = xf_relay_pace_set(r, pair, limits);
    if (err == 0)
        set_idle(r, pair, limits->idle_s);
    return err;
}

void xf_relay_close(struct xf_relay *r, uint64_t id)
{
    struct xf_relay_pair *pair = *find(r, id);

    if (!pair || pair->state == XF_PAIR_OVER)
        return;
    r->now = xf_sys_now_ms();
    xf_relay_end(r, pair, XF_RELAY_CLOSED);
}

/* --- news ------------------------------------------------------------------ */

static void forget(struct xf_relay *r, struct xf_relay_pair *pair)
{
    *find(r, pair->id) = pair->next;
    r->count--;
    xf_sys_free(pair);
}

const struct xf_relay_event *xf_relay_next(struct xf_relay *r)
{
    struct xf_ring *first = xf_ring_take(&r->news);
    struct xf_relay_pair *pair;
    bool over;

    if (!first)
        return NULL;
    pair = XF_RING_OF(first, struct xf_relay_pair, told);
    over = pair->state == XF_PAIR_OVER;
    r->event = (struct xf_relay_event){
        .type = over ? XF_RELAY_END : XF_RELAY_MOVED,
        .id = pair->id,
        .from_a = pair->flow[0].moved,
        .from_b = pair->flow[1].moved,
        .ms = (over ? pair->ended : r->now) - pair->begun,
        .reason = over ? pair->reason : XF_RELAY_DONE,
    };
    if (over)
        forget(r, pair);
    return &r->event;
}

void xf_relay_stats(const struct xf_relay *r, struct xf_relay_stats *stats)
{
    *stats = (struct xf_relay_stats){
        .pairs = r->count,
        .bytes = r->bytes,
        .copied = r->copied,
        .pipes = r->pipes.opened,
        .lent = r->pipes.lent,
    };
}

const char *xf_relay_reason_name(enum xf_relay_reason reason)
{
    static const char *const names[] = {
        [XF_RELAY_DONE] = "done",     [XF_RELAY_RESET] = "reset",
        [XF_RELAY_GONE] = "gone",     [XF_RELAY_IDLE] = "idle",
        [XF_RELAY_CLOSED] = "closed", [XF_RELAY_FAILED] = "failed",
    };

    return (unsigned)reason < XF_RELAY_REASONS ? names[reason] : "?";
}
