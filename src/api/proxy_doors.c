/*
 * Who connects to a proxy: let in or not, his SOCKS5 handshake, and the wait
 * for the other one and for activation. While he waits his socket is not even
 * watched, so that what he sends stays in the kernel.
 */
#include <errno.h>
#include <string.h>

#include "api/proxy.h"
#include "base/sys.h"

/* --- one side ------------------------------------------------------------- */

static void line_up(struct xf_side *side)
{
    struct xf_proxy *x = side->x;

    side->before = x->last;
    if (x->last)
        x->last->after = side;
    else
        x->first = side;
    x->last = side;
}

static void step_out(struct xf_side *side)
{
    struct xf_proxy *x = side->x;

    if (side->before)
        side->before->after = side->after;
    else
        x->first = side->after;
    if (side->after)
        side->after->before = side->before;
    else
        x->last = side->before;
    side->before = side->after = NULL;
}

/* Whatever it stands in, it has been taken out of. */
static void destroy(struct xf_side *side)
{
    xf_watch_free(side->watch);
    xf_tcp_free(side->tcp);
    if (side->fd >= 0)
        (void)xf_sys_close(side->fd);
    xf_sys_free(side);
}

void xf_side_drop(struct xf_side *side)
{
    struct xf_proxy *x = side->x;

    if (side->tcp)
        step_out(side);
    if (side->caller)
        xf_crowd_leave(&x->crowd, side->caller, side->tcp != NULL);
    if (side->pair)
        xf_matcher_left(&x->matcher, side->pair, side);
    destroy(side);
}

void xf_side_hand_over(struct xf_side *side, int *fd, struct xf_caller **caller)
{
    *fd = side->fd;
    *caller = side->caller;
    side->fd = -1;
    destroy(side);
}

static bool is_dead(const struct xf_side *side)
{
    uint8_t byte;

    return xf_sys_recv(side->fd, &byte, 1, MSG_PEEK) < 0 && errno != EAGAIN &&
           errno != EWOULDBLOCK;
}

static void turn_away(struct xf_side *side, enum xf_proxy_refusal refusal)
{
    xf_proxy_refuse_address(side->x, refusal, &side->address);
    xf_side_drop(side);
}

/* --- the handshake -------------------------------------------------------- */

/*
 * A client whose first connection broke comes again with the same hash. Only
 * what was reset is known to be gone: one that has said its end may still wait
 * for the other's bytes, and has perhaps sent all of its own.
 */
void xf_pair_bury_dead(struct xf_pair *pair)
{
    struct xf_side *sides[2] = { pair->sides[0], pair->sides[1] };

    if (pair->state == XF_PAIR_ACTIVE || pair->held)
        return;
    /* The last one takes its pair along. */
    for (int i = 0; i < 2; i++) {
        if (sides[i] && is_dead(sides[i]))
            xf_side_drop(sides[i]);
    }
}

static enum xf_match look(struct xf_proxy *x, const char *hash)
{
    struct xf_pair *pair;
    enum xf_match match =
        xf_matcher_look(&x->matcher, hash, x->set->pairs_total, &pair);

    if (!pair)
        return match;
    xf_pair_bury_dead(pair);
    return xf_matcher_look(&x->matcher, hash, x->set->pairs_total, &pair);
}

/* What he is told; XF_SOCKS5_OK: he is in. */
static enum xf_socks5_rep judge(struct xf_side *side)
{
    switch (look(side->x, xf_tcp_dstaddr(side->tcp))) {
    case XF_MATCH_FIRST:
    case XF_MATCH_SECOND:
        return XF_SOCKS5_OK;
    case XF_MATCH_THIRD:
        side->refusal = XF_PROXY_BY_THIRD;
        return XF_SOCKS5_NOT_ALLOWED;
    case XF_MATCH_FULL:
    case XF_MATCH_NO_MEMORY:
        break;
    }
    side->refusal = XF_PROXY_BY_PAIRS;
    return XF_SOCKS5_FAILURE;
}

/* His reply has left. Meanwhile another may have come in before him. */
static void settle(struct xf_side *side)
{
    struct xf_proxy *x = side->x;
    int64_t now = xf_proxy_now(x);
    struct xf_activation *held;
    char hash[XF_DSTADDR_LEN + 1];
    enum xf_match match;

    memcpy(hash, xf_tcp_dstaddr(side->tcp), sizeof hash);
    match = xf_matcher_connect(&x->matcher, hash, side, now,
                               now + x->set->pairing_ms, x->set->pairs_total,
                               &side->pair);
    if (match != XF_MATCH_FIRST && match != XF_MATCH_SECOND) {
        side->pair = NULL;
        turn_away(side, match == XF_MATCH_THIRD ? XF_PROXY_BY_THIRD
                                                : XF_PROXY_BY_PAIRS);
        return;
    }
    step_out(side);
    xf_crowd_shaken(&x->crowd, side->caller);
    xf_watch_free(side->watch);
    side->watch = NULL;
    side->fd = xf_tcp_take_fd(side->tcp);
    xf_tcp_free(side->tcp);
    side->tcp = NULL;
    held = xf_matcher_unhold(&x->matcher, side->pair);
    if (held)
        xf_proxy_resume(x, held);
}

static void step(struct xf_side *side)
{
    enum xf_tcp_status status = xf_tcp_step(side->tcp);

    if (status == XF_TCP_ASKED && !side->answered) {
        side->answered = true;
        xf_tcp_answer(side->tcp, judge(side));
        status = xf_tcp_step(side->tcp);
    }
    if (status == XF_TCP_READY)
        settle(side);
    else if (status == XF_TCP_FAILED)
        turn_away(side, side->refusal);
    else
        xf_watch_set(side->watch, xf_tcp_wants(side->tcp));
}

static void ready(void *ctx, int events)
{
    (void)events;
    step(ctx);
}

/* --- letting in ----------------------------------------------------------- */

static bool may_connect(const struct xf_proxy_settings *set,
                        const uint8_t address[XF_CROWD_ADDRESS])
{
    for (size_t i = 0; i < set->acl_count; i++) {
        if (xf_network_has(&set->acl[i], address))
            return true;
    }
    return set->acl_count == 0;
}

/* False: without memory; `fd` is still the caller's. */
static bool let_in(struct xf_proxy *x, int fd, const struct xf_address *peer,
                   struct xf_caller *caller)
{
    struct xf_side *side = xf_sys_alloc(sizeof *side);

    if (!side)
        return false;
    side->x = x;
    side->address = *peer;
    side->fd = -1;
    side->refusal = XF_PROXY_BY_SOCKS;
    side->deadline = xf_proxy_now(x) + x->set->handshake_ms;
    if (xf_watch_new(x->loop, fd, ready, side, &side->watch) != 0 ||
        xf_tcp_new(&side->tcp, fd, XF_TCP_SERVER, NULL) != 0) {
        destroy(side);
        return false;
    }
    side->caller = caller;
    line_up(side);
    step(side);
    return true;
}

/* NULL when there is no reason to keep him out. */
static const enum xf_proxy_refusal *kept_out(struct xf_proxy *x,
                                             const struct xf_address *peer,
                                             struct xf_caller **caller)
{
    static const enum xf_proxy_refusal acl = XF_PROXY_BY_ACL,
                                       each = XF_PROXY_BY_ADDRESS,
                                       total = XF_PROXY_BY_CROWD;
    uint8_t address[XF_CROWD_ADDRESS];
    enum xf_crowd_verdict verdict;

    xf_proxy_crowd_address(peer, address);
    if (!may_connect(x->set, address))
        return &acl;
    verdict = xf_crowd_enter(&x->crowd, address, &x->set->crowd, caller);
    /* An honest handshake takes milliseconds: who has waited longest makes
     * room, or a flood would keep all others out. */
    if (verdict == XF_CROWD_TOTAL && x->first) {
        turn_away(x->first, XF_PROXY_BY_CROWD);
        verdict = xf_crowd_enter(&x->crowd, address, &x->set->crowd, caller);
    }
    switch (verdict) {
    case XF_CROWD_IN:
        break;
    case XF_CROWD_EACH:
        return &each;
    case XF_CROWD_TOTAL:
        return &total;
    }
    return NULL;
}

static void accepted(void *ctx, int fd, const struct xf_address *peer)
{
    struct xf_proxy *x = ctx;
    struct xf_caller *caller = NULL;
    const enum xf_proxy_refusal *why = kept_out(x, peer, &caller);

    x->stats.accepted++;
    if (why) {
        (void)xf_sys_close(fd);
        xf_proxy_refuse_address(x, *why, peer);
    } else if (!let_in(x, fd, peer, caller)) {
        (void)xf_sys_close(fd);
        xf_crowd_leave(&x->crowd, caller, true);
        xf_proxy_refuse_address(x, XF_PROXY_BY_DESCRIPTORS, peer);
    }
}

static void starved(void *ctx)
{
    xf_proxy_refuse(ctx, XF_PROXY_BY_DESCRIPTORS, "");
}

int xf_proxy_doors_open(struct xf_proxy *x, struct xf_error_info *why)
{
    for (size_t i = 0; i < x->set->listen_count; i++) {
        struct xf_address *a = &x->set->listen[i];
        uint16_t port = xf_address_port(a);
        char text[XF_ADDRESS_PORT_TEXT];
        struct xf_listener **l = &x->listeners[i];
        int err = xf_listener_new(x->loop, a, 1, port, port, accepted, x, l);

        xf_address_port_text(a, text);
        if (err != 0)
            return xf_err_set(why, err, "cannot listen on %s: %s", text,
                              err == XF_E_BUSY ? "it is in use"
                                               : xf_err_text(err));
        xf_listener_on_starved(*l, starved);
        x->listeners_count = i + 1;
        x->ports[i] = xf_listener_port(*l);
    }
    return 0;
}

void xf_proxy_doors_close(struct xf_proxy *x)
{
    for (size_t i = 0; i < x->listeners_count; i++)
        xf_listener_free(x->listeners[i]);
    x->listeners_count = 0;
}

/* --- time ----------------------------------------------------------------- */

/* A pair that waits ends, both of its sides do. */
static void end_waiting(struct xf_proxy *x, struct xf_pair *pair)
{
    struct xf_side *sides[2] = { pair->sides[0], pair->sides[1] };
    struct xf_activation *held = xf_matcher_unhold(&x->matcher, pair);

    if (held)
        xf_proxy_resume(x, held);
    for (int i = 0; i < 2; i++) {
        if (sides[i])
            xf_side_drop(sides[i]);
    }
}

void xf_proxy_doors_clear(struct xf_proxy *x)
{
    struct xf_pair *pair;

    while (x->first)
        xf_side_drop(x->first);
    while ((pair = xf_matcher_waiting(&x->matcher)) != NULL)
        end_waiting(x, pair);
}

void xf_proxy_doors_tick(struct xf_proxy *x, int64_t now)
{
    struct xf_pair *pair;

    while (x->first && x->first->deadline <= now)
        turn_away(x->first, XF_PROXY_BY_TIME);
    while ((pair = xf_matcher_held(&x->matcher, now)) != NULL)
        xf_proxy_resume(x, xf_matcher_unhold(&x->matcher, pair));
    while ((pair = xf_matcher_expired(&x->matcher, now)) != NULL) {
        struct xf_side *side = pair->sides[0];

        xf_proxy_refuse_address(x, XF_PROXY_NOT_ACTIVATED, &side->address);
        end_waiting(x, pair);
    }
}

int64_t xf_proxy_doors_deadline(const struct xf_proxy *x)
{
    int64_t least = xf_matcher_deadline(&x->matcher);

    if (x->first && x->first->deadline < least)
        least = x->first->deadline;
    return least;
}
