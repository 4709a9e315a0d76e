/*
 * One port on several sockets. Where descriptors run out the connections wait
 * in the kernel and are tried again a second later: the sockets stay readable,
 * so going on at once would spin.
 */
#include "net/listen.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/sys.h"

#define BACKLOG 1024         /* the kernel cuts it to net.core.somaxconn */
#define ACCEPTS_A_TURN 64    /* of one socket; others want their turn too */
#define TRY_AGAIN_MS 1000    /* after running out of descriptors */
#define RANDOM_PORT_TRIES 16 /* until one is free in both families */

struct door {
    struct xf_listener *owner;
    int fd;
    struct xf_watch *watch;
};

struct xf_listener {
    struct xf_grave grave;
    struct xf_loop *loop;
    struct xf_timer *again; /* after running out of descriptors */
    xf_accept_fn *fn;
    xf_starved_fn *starved; /* or NULL */
    void *ctx;
    uint16_t port;
    bool paused;
    size_t count;
    struct door doors[XF_LISTEN_SOCKETS];
};

/* --- accepting ----------------------------------------------------------- */

static void watch_all(struct xf_listener *l, int events)
{
    for (size_t i = 0; i < l->count; i++)
        xf_watch_set(l->doors[i].watch, events);
}

/* True when there may be more to accept. */
static bool accept_one(struct door *door)
{
    struct xf_listener *l = door->owner;
    struct xf_address peer = { .len = sizeof peer.v6 };
    int fd = xf_sys_accept(door->fd, &peer.any, &peer.len);

    if (fd >= 0) {
        l->fn(l->ctx, fd, &peer);
        return true;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (xf_err_from_errno(errno) != XF_E_LIMIT)
        return true; /* that one has gone away; accept(2) names many reasons */
    watch_all(l, 0);
    xf_timer_set(l->again, xf_loop_now(l->loop) + TRY_AGAIN_MS);
    if (l->starved)
        l->starved(l->ctx);
    return false;
}

static void knocked(void *ctx, int events)
{
    struct door *door = ctx;
    struct xf_listener *l = door->owner;

    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        if (l->grave.dead || l->paused || !accept_one(door))
            return;
    }
}

static void try_again(void *ctx)
{
    struct xf_listener *l = ctx;

    if (!l->paused)
        watch_all(l, XF_WATCH_READ);
}

void xf_listener_pause(struct xf_listener *l)
{
    l->paused = true;
    watch_all(l, 0);
}

void xf_listener_resume(struct xf_listener *l)
{
    l->paused = false;
    xf_timer_set(l->again, XF_TIMER_OFF);
    watch_all(l, XF_WATCH_READ);
}

/* --- opening ------------------------------------------------------------- */

static void close_doors(struct xf_listener *l)
{
    for (size_t i = 0; i < l->count; i++) {
        xf_watch_free(l->doors[i].watch);
        (void)xf_sys_close(l->doors[i].fd);
    }
    l->count = 0;
}

/* 0 or an errno. */
static int prepare(int fd, const struct xf_address *a)
{
    const int on = 1;

    if (xf_sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0)
        return errno;
    /* Else it would take IPv4 as well, and the other socket's port. */
    if (a->any.sa_family == AF_INET6 &&
        xf_sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0)
        return errno;
    if (xf_sys_bind(fd, &a->any, a->len) != 0)
        return errno;
    return xf_sys_listen(fd, BACKLOG) == 0 ? 0 : errno;
}

/* 0 or an errno. */
static int open_door(struct xf_listener *l, struct xf_address a, uint16_t port)
{
    struct door *door = &l->doors[l->count];
    int err;

    xf_address_set_port(&a, port);
    *door = (struct door){ .owner = l };
    door->fd = xf_sys_socket(a.any.sa_family, SOCK_STREAM);
    if (door->fd < 0)
        return errno;
    err = prepare(door->fd, &a);
    if (err == 0 &&
        xf_watch_new(l->loop, door->fd, knocked, door, &door->watch) != 0)
        err = ENOMEM;
    if (err != 0) {
        (void)xf_sys_close(door->fd);
        return err;
    }
    xf_watch_set(door->watch, XF_WATCH_READ);
    l->count++;
    return 0;
}

/* A family that this machine does not have. */
static bool is_missing(int err)
{
    return err == EAFNOSUPPORT || err == EADDRNOTAVAIL;
}

struct place {
    struct xf_address list[XF_LISTEN_SOCKETS];
    size_t count;
    bool every; /* a family may be missing */
};

/*
 * All sockets on `port`, or on one that the kernel chooses for the first. 0 or
 * an errno, nothing is open then.
 */
static int open_all(struct xf_listener *l, const struct place *place,
                    uint16_t port)
{
    int missing = EADDRNOTAVAIL;

    for (size_t i = 0; i < place->count; i++) {
        int err = open_door(l, place->list[i], port);
        struct xf_address own;

        if (err != 0 && place->every && is_missing(err)) {
            missing = err;
            continue;
        }
        if (err == 0 && port == 0) {
            if (xf_address_local(l->doors[0].fd, &own))
                port = xf_address_port(&own);
            else
                err = errno;
        }
        if (err != 0) {
            close_doors(l);
            return err;
        }
    }
    l->port = port;
    return l->count > 0 ? 0 : missing;
}

static int open_any(struct xf_listener *l, const struct place *place)
{
    int err = EADDRINUSE;

    for (int i = 0; i < RANDOM_PORT_TRIES && err == EADDRINUSE; i++)
        err = open_all(l, place, 0);
    return err;
}

static int open_range(struct xf_listener *l, const struct place *place,
                      uint16_t from, uint16_t to)
{
    int err = EADDRINUSE;

    for (uint32_t port = from; port <= to && err == EADDRINUSE; port++)
        err = open_all(l, place, (uint16_t)port);
    return err;
}

static void choose_place(struct place *place, const struct xf_address *list,
                         size_t count)
{
    *place = (struct place){ .count = count, .every = count == 0 };
    if (count > 0) {
        memcpy(place->list, list, count * sizeof *list);
        return;
    }
    place->count = 2;
    (void)xf_address_read("0.0.0.0", 0, &place->list[0]);
    (void)xf_address_read("::", 0, &place->list[1]);
}

int xf_listener_new(struct xf_loop *loop, const struct xf_address *addresses,
                    size_t count, uint16_t from, uint16_t to, xf_accept_fn *fn,
                    void *ctx, struct xf_listener **out)
{
    struct xf_listener *l;
    struct place place;
    int err;

    *out = NULL;
    if (from > to || (from == 0 && to != 0) || count > XF_LISTEN_SOCKETS)
        return XF_E_USAGE;
    l = xf_sys_alloc(sizeof *l);
    if (!l)
        return XF_E_LIMIT;
    l->loop = loop;
    l->fn = fn;
    l->ctx = ctx;
    if (xf_timer_new(loop, try_again, l, &l->again) != 0) {
        xf_listener_free(l);
        return XF_E_LIMIT;
    }
    choose_place(&place, addresses, count);
    err = from == 0 ? open_any(l, &place) : open_range(l, &place, from, to);
    if (err != 0) {
        xf_listener_free(l);
        return err == EADDRINUSE ? XF_E_BUSY : xf_err_from_errno(err);
    }
    *out = l;
    return 0;
}

void xf_listener_free(struct xf_listener *l)
{
    if (!l || l->grave.dead)
        return;
    close_doors(l);
    xf_timer_free(l->again);
    xf_loop_bury(l->loop, &l->grave);
}

void xf_listener_on_starved(struct xf_listener *l, xf_starved_fn *fn)
{
    l->starved = fn;
}

uint16_t xf_listener_port(const struct xf_listener *l)
{
    return l->port;
}
