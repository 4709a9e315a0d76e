/* Diallings under way; which, when and how long is proto/dial's to say. */
#include "api/dialler.h"

#include <string.h>

#include "base/sys.h"
#include "net/dial.h"
#include "stream/tcp.h"

struct attempt {
    struct xf_dialler *d;
    struct xf_streamhost host;
    struct xf_connect *connect;
    struct xf_tcp *tcp;
    struct xf_watch *watch;
    int64_t since;
    bool told; /* how it ended */
};

struct xf_dialler {
    struct xf_session *s;
    struct xf_dial dial;
    char dstaddr[41];
    const struct xf_dialler_events *events;
    void *ctx;
    bool stepping, *gone;
    size_t count;
    struct attempt attempts[XF_DIAL_MAX];
};

static void step(struct xf_dialler *d);

static void drop(struct attempt *a)
{
    xf_connect_free(a->connect);
    xf_watch_free(a->watch);
    xf_tcp_free(a->tcp);
    a->connect = NULL;
    a->watch = NULL;
    a->tcp = NULL;
}

static void tell(struct attempt *a, const char *why)
{
    struct xf_dialler *d = a->d;

    if (a->told)
        return;
    a->told = why != NULL;
    d->events->tried(d->ctx, (size_t)(a - d->attempts), xf_now(d->s) - a->since,
                     why);
}

static void failed(struct attempt *a, const char *why)
{
    struct xf_dialler *d = a->d;

    tell(a, why); /* which may be a text of what is dropped */
    drop(a);
    xf_dial_result(&d->dial, (size_t)(a - d->attempts), false);
    step(d);
}

static void shake_hands(void *ctx, int ready)
{
    struct attempt *a = ctx;
    struct xf_dialler *d = a->d;

    (void)ready;
    xf_session_tick_soon(d->s);
    switch (xf_tcp_step(a->tcp)) {
    case XF_TCP_AGAIN:
    case XF_TCP_ASKED:
        xf_watch_set(a->watch, xf_tcp_wants(a->tcp));
        return;
    case XF_TCP_READY:
        xf_watch_free(a->watch);
        a->watch = NULL;
        xf_dial_result(&d->dial, (size_t)(a - d->attempts), true);
        step(d);
        return;
    case XF_TCP_FAILED:
        failed(a, xf_tcp_text(a->tcp));
        return;
    }
}

static void connected(void *ctx, int fd, const struct xf_error_info *why)
{
    struct attempt *a = ctx;
    struct xf_dialler *d = a->d;

    xf_session_tick_soon(d->s);
    xf_connect_free(a->connect);
    a->connect = NULL;
    if (fd < 0) {
        failed(a, why->text);
        return;
    }
    if (xf_tcp_new(&a->tcp, fd, XF_TCP_CLIENT, d->dstaddr) != 0) {
        xf_sys_close(fd);
        failed(a, xf_err_text(XF_E_LIMIT));
        return;
    }
    if (xf_watch_new(d->s->loop, fd, shake_hands, a, &a->watch) != 0) {
        failed(a, xf_err_text(XF_E_LIMIT));
        return;
    }
    shake_hands(a, 0);
}

static void start(struct attempt *a)
{
    struct xf_dialler *d = a->d;
    int err;

    a->since = xf_now(d->s);
    tell(a, NULL);
    err = xf_connect_new(d->s->loop, d->s->names, a->host.host, a->host.port,
                         xf_session_is_loopback(d->s) ? XF_REACH_PEER_LOCAL
                                                      : XF_REACH_PEER,
                         (int)d->dial.plan.each_ms, connected, a, &a->connect);
    if (err != 0) {
        tell(a, xf_err_text(err));
        xf_dial_result(&d->dial, (size_t)(a - d->attempts), false);
    }
}

static void use(struct xf_dialler *d, size_t index)
{
    struct attempt *a = &d->attempts[index];
    int fd = xf_tcp_take_fd(a->tcp);

    drop(a);
    d->events->over(d->ctx, fd, index);
}

/* Callbacks below may lead here again, or free the dialler. */
static void step(struct xf_dialler *d)
{
    bool gone = false;

    if (d->stepping)
        return;
    d->stepping = true;
    d->gone = &gone;
    while (!gone) {
        struct xf_dial_todo todo = xf_dial_next(&d->dial, xf_now(d->s));

        switch (todo.what) {
        case XF_DIAL_START:
            start(&d->attempts[todo.index]);
            continue;
        case XF_DIAL_DROP:
            drop(&d->attempts[todo.index]);
            if (d->dial.winner < 0)
                tell(&d->attempts[todo.index], "timed out");
            continue;
        case XF_DIAL_USE:
            use(d, todo.index);
            break;
        case XF_DIAL_GIVE_UP:
            d->events->over(d->ctx, -1, 0);
            break;
        case XF_DIAL_NOTHING:
            break;
        }
        break;
    }
    if (gone)
        return;
    d->gone = NULL;
    d->stepping = false;
}

int xf_dialler_new(struct xf_dialler **out, struct xf_session *s,
                   const struct xf_streamhost *hosts, size_t count,
                   const struct xf_dial_plan *plan, const char *dstaddr,
                   const struct xf_dialler_events *events, void *ctx)
{
    struct xf_dialler *d = xf_sys_alloc(sizeof *d);

    if (!d)
        return XF_E_LIMIT;
    d->s = s;
    d->events = events;
    d->ctx = ctx;
    memcpy(d->dstaddr, dstaddr, sizeof d->dstaddr);
    for (; d->count < count && d->count < XF_DIAL_MAX; d->count++) {
        struct attempt *a = &d->attempts[d->count];

        a->d = d;
        a->host.jid = xf_sys_strdup(hosts[d->count].jid);
        a->host.host = xf_sys_strdup(hosts[d->count].host);
        a->host.port = hosts[d->count].port;
        if (!a->host.jid || !a->host.host) {
            d->count++;
            xf_dialler_free(d);
            return XF_E_LIMIT;
        }
    }
    xf_dial_init(&d->dial, plan, d->count, xf_now(s));
    *out = d;
    return 0;
}

void xf_dialler_free(struct xf_dialler *d)
{
    if (!d)
        return;
    if (d->gone)
        *d->gone = true;
    for (size_t i = 0; i < d->count; i++) {
        drop(&d->attempts[i]);
        xf_sys_free((char *)d->attempts[i].host.jid);
        xf_sys_free((char *)d->attempts[i].host.host);
    }
    xf_sys_free(d);
}

const struct xf_streamhost *xf_dialler_host(const struct xf_dialler *d,
                                            size_t index)
{
    return &d->attempts[index].host;
}

int xf_dialler_reply(const struct xf_dialler *d, size_t index)
{
    const struct xf_tcp *tcp = d->attempts[index].tcp;

    return tcp ? xf_tcp_reply(tcp) : -1;
}

int64_t xf_dialler_deadline(const struct xf_dialler *d)
{
    return d ? xf_dial_deadline(&d->dial) : INT64_MAX;
}

void xf_dialler_tick(struct xf_dialler *d)
{
    if (d && xf_now(d->s) >= xf_dial_deadline(&d->dial))
        step(d);
}
