/* Who knocks on our listener, and whether they are let in. */
#include "api/doors.h"

#include <string.h>

#include "api/bytestream.h"
#include "base/sys.h"
#include "net/address.h"

struct xf_inbound {
    struct xf_inbound *next;
    struct xf_session *s;
    struct xf_tcp *tcp;
    struct xf_watch *watch;
    int64_t deadline;
    char from[XF_ADDRESS_TEXT];
};

static void drop(struct xf_inbound *in)
{
    struct xf_inbound **at = &in->s->inbound;

    while (*at && *at != in)
        at = &(*at)->next;
    if (*at)
        *at = in->next;
    xf_watch_free(in->watch);
    xf_tcp_free(in->tcp);
    xf_sys_free(in);
}

/* Only who was told the sid by us can know the hash. */
static struct xf_transfer *whose(struct xf_session *s, const char *dstaddr)
{
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        if (!t->over && xf_bytestream_expects(t->s5b, dstaddr))
            return t;
    return NULL;
}

static void let_in(struct xf_inbound *in)
{
    struct xf_session *s = in->s;
    struct xf_tcp *tcp = in->tcp;
    /* The transfer may have ended while the reply was on its way. */
    struct xf_transfer *t = whose(s, xf_tcp_dstaddr(tcp));

    in->tcp = NULL;
    xf_watch_free(in->watch);
    in->watch = NULL;
    drop(in);
    if (t)
        xf_bytestream_admit(t->s5b, tcp);
    else
        xf_tcp_free(tcp);
}

static void ready(void *ctx, int events)
{
    struct xf_inbound *in = ctx;
    struct xf_session *s = in->s;
    enum xf_tcp_status status = xf_tcp_step(in->tcp);

    (void)events;
    if (status == XF_TCP_ASKED) {
        bool known = whose(s, xf_tcp_dstaddr(in->tcp)) != NULL;

        xf_tcp_answer(in->tcp, known ? XF_SOCKS5_OK : XF_SOCKS5_NOT_ALLOWED);
        status = xf_tcp_step(in->tcp);
    }
    if (status == XF_TCP_READY)
        let_in(in);
    else if (status == XF_TCP_FAILED)
        drop(in);
    else
        xf_watch_set(in->watch, xf_tcp_wants(in->tcp));
    xf_session_tick_soon(s);
}

/*
 * Where there is no room left the one that has waited longest goes: who means
 * it is through in two round trips, so a crowd that says nothing keeps nobody
 * out, and holds no more descriptors than the ceilings allow.
 */
static void make_room(struct xf_session *s, const char *from)
{
    struct xf_inbound *oldest = NULL, *oldest_same = NULL;
    unsigned all = 0, same = 0;

    for (struct xf_inbound *in = s->inbound; in; in = in->next) {
        all++;
        oldest = in; /* new ones are put in front */
        if (strcmp(in->from, from) == 0) {
            same++;
            oldest_same = in;
        }
    }
    if (same >= XF_HALF_OPEN_PER_ADDRESS)
        drop(oldest_same);
    else if (all >= XF_HALF_OPEN_MAX)
        drop(oldest);
}

static void accepted(void *ctx, int fd, const struct xf_address *peer)
{
    struct xf_session *s = ctx;
    struct xf_inbound *in = xf_sys_alloc(sizeof *in);
    char from[XF_ADDRESS_TEXT];

    xf_address_text(peer, from);
    make_room(s, from);
    if (!in || xf_tcp_new(&in->tcp, fd, XF_TCP_SERVER, NULL) != 0) {
        xf_sys_close(fd);
        xf_sys_free(in);
        return;
    }
    in->s = s;
    in->deadline = xf_now(s) + XF_HANDSHAKE_MS;
    memcpy(in->from, from, sizeof from);
    in->next = s->inbound;
    s->inbound = in;
    if (xf_watch_new(s->loop, fd, ready, in, &in->watch) != 0) {
        drop(in);
        return;
    }
    xf_watch_set(in->watch, XF_WATCH_READ);
    xf_session_tick_soon(s);
}

int xf_doors_use(struct xf_session *s)
{
    int err = 0;

    if (!s->listener)
        err = xf_listener_new(s->loop, NULL, 0, s->set.listen_from,
                              s->set.listen_to, accepted, s, &s->listener);
    if (err == 0)
        s->listener_users++;
    return err;
}

static void clear(struct xf_session *s)
{
    while (s->inbound)
        drop(s->inbound);
    xf_listener_free(s->listener);
    s->listener = NULL;
}

void xf_doors_release(struct xf_session *s)
{
    if (--s->listener_users == 0)
        clear(s);
}

void xf_doors_clear(struct xf_session *s)
{
    clear(s);
}

uint16_t xf_doors_port(const struct xf_session *s)
{
    return s->listener ? xf_listener_port(s->listener) : 0;
}

int64_t xf_doors_deadline(const struct xf_session *s)
{
    int64_t when = INT64_MAX;

    for (const struct xf_inbound *in = s->inbound; in; in = in->next)
        if (in->deadline < when)
            when = in->deadline;
    return when;
}

void xf_doors_tick(struct xf_session *s)
{
    struct xf_inbound *in = s->inbound, *next;

    for (; in; in = next) {
        next = in->next;
        if (xf_now(s) >= in->deadline)
            drop(in);
    }
}
