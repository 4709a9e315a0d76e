/*
 * Who idles, who has vanished, and who has yet to acknowledge what came before
 * a reset. Pairs are looked through together and at most once a second; one
 * that is quiet and has nothing under way waits for its idle limit alone.
 */
#include "api/relay_inside.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

/* A peer that says nothing is asked after 45 s, and four times in 60 s. */
#define KEEP_IDLE_S 45
#define KEEP_INTERVAL_S 15
#define KEEP_COUNT 4

static bool set(int fd, int level, int name, int value)
{
    return xf_sys_setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/*
 * No TCP_USER_TIMEOUT: it also ends a connection whose peer is there and
 * acknowledges, but takes nothing for so long, like a receiver whose disk is
 * slow or whose user is asked something. What is sent to a peer that is gone
 * is noticed by is_gone().
 */
bool xf_relay_watch_begin(int fd)
{
    return set(fd, IPPROTO_TCP, TCP_NODELAY, 1) &&
           set(fd, SOL_SOCKET, SO_KEEPALIVE, 1) &&
           set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S) &&
           set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S) &&
           set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
}

void xf_relay_watch_by(struct xf_relay *r, int64_t at)
{
    if (at < r->sweep_at)
        r->sweep_at = at;
}

/*
 * While something of ours is under way the kernel sends no keep-alives, and
 * its own patience is a quarter of an hour.
 */
static bool is_gone(int fd, bool *settled)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    size_t unsent;

    if (xf_sys_unsent(fd, &unsent) < 0)
        return false;
    if (unsent == 0)
        return false;
    *settled = false;
    return xf_sys_getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_last_ack_recv >= XF_RELAY_GONE_MS;
}

/* True when it was ended. */
static bool check_acks(struct xf_relay *r, struct xf_relay_pair *pair)
{
    bool settled = r->now - pair->moved_at >= XF_RELAY_CHECK_MS;

    if (is_gone(pair->fd[0], &settled) || is_gone(pair->fd[1], &settled)) {
        xf_relay_end(r, pair, XF_RELAY_GONE);
        return true;
    }
    pair->settled = settled;
    pair->check_at = settled ? XF_RELAY_NEVER : r->now + XF_RELAY_CHECK_MS;
    return false;
}

static void look_at(struct xf_relay *r, struct xf_relay_pair *pair)
{
    int64_t idle_at = pair->idle_s > 0
                          ? pair->moved_at + (int64_t)pair->idle_s * 1000
                          : XF_RELAY_NEVER;

    if (r->now >= idle_at) {
        xf_relay_end(r, pair, XF_RELAY_IDLE);
        return;
    }
    if (r->now >= pair->check_at && check_acks(r, pair))
        return;
    xf_relay_watch_by(r, idle_at < pair->check_at ? idle_at : pair->check_at);
}

static void sweep(struct xf_relay *r)
{
    struct xf_ring *at, *next;

    r->sweep_at = XF_RELAY_NEVER;
    for (at = r->pairs.next; at != &r->pairs; at = next) {
        next = at->next;
        look_at(r, XF_RING_OF(at, struct xf_relay_pair, all));
    }
    /* One look a second serves all that is due meanwhile. */
    if (r->sweep_at < r->now + XF_RELAY_SWEEP_MS)
        r->sweep_at = r->now + XF_RELAY_SWEEP_MS;
}

/* Has the side that did not break acknowledged all? It may be gone, too. */
static bool is_drained(const struct xf_relay_pair *pair)
{
    size_t left;

    return xf_sys_unsent(pair->fd[!pair->cut], &left) < 0 || left == 0;
}

static void look_at_draining(struct xf_relay *r)
{
    struct xf_ring *at, *next;

    r->drain_at = XF_RELAY_NEVER;
    for (at = r->draining.next; at != &r->draining; at = next) {
        struct xf_relay_pair *pair = XF_RING_OF(at, struct xf_relay_pair, all);

        next = at->next;
        if (is_drained(pair) || r->now >= pair->check_at)
            xf_relay_end(r, pair, pair->reason);
        else
            r->drain_at = r->now + XF_RELAY_DRAIN_LOOK_MS;
    }
}

void xf_relay_watch_run(struct xf_relay *r)
{
    if (r->now >= r->drain_at)
        look_at_draining(r);
    if (r->now >= r->sweep_at)
        sweep(r);
}
