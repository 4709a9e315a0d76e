/* A transfer's SOCKS5 bytestream until it carries bytes; then a mover has it. */
#include "api/bytestream.h"

#include <stdio.h>
#include <string.h>

#include "api/dialler.h"
#include "api/stanzas.h"
#include "api/streamhosts.h"
#include "base/digest.h"
#include "base/sys.h"
#include "proto/s5b.h"

#define NOT_THERE "the contact is not there"
#define ADMITTED_MAX 8 /* connections of a target that tries several at once */

struct xf_bytestream {
    struct xf_transfer *t;
    struct xf_s5b machine;
    char dstaddr[XF_DSTADDR_LEN + 1];
    struct xf_streamhosts told;
    bool queried;
    int64_t since;
    size_t admitted_count;
    struct xf_tcp *admitted[ADMITTED_MAX];
    struct xf_dialler *dialler;
    int proxy_fd;
    char used[XF_JID_MAX + 1]; /* receiver: whose host it is */
};

void xf_bytestream_free(struct xf_bytestream *b)
{
    if (!b)
        return;
    xf_requests_drop(b->t->s, b);
    xf_dialler_free(b->dialler);
    for (size_t i = 0; i < b->admitted_count; i++)
        xf_tcp_free(b->admitted[i]);
    if (b->proxy_fd >= 0)
        xf_sys_close(b->proxy_fd);
    xf_streamhosts_clear(b->t->s, &b->told);
    xf_sys_free(b);
}

static struct xf_bytestream *new_stream(struct xf_transfer *t)
{
    struct xf_bytestream *b = xf_sys_alloc(sizeof *b);

    if (!b)
        return NULL;
    b->t = t;
    b->proxy_fd = -1;
    xf_s5b_init(&b->machine);
    return b;
}

int xf_bytestream_prepare(struct xf_transfer *t)
{
    struct xf_bytestream *b = new_stream(t);
    int err;

    if (!b)
        return XF_E_LIMIT;
    b->told.max = t->profile->hosts_max;
    b->told.ways = xf_sending_ways(&t->sending);
    err = xf_streamhosts_list(t->s, &b->told);
    if (err != 0 || b->told.count == 0) {
        xf_bytestream_free(b);
        return err;
    }
    t->s5b = b;
    return 0;
}

/* --- the initiator ----------------------------------------------------------- */

static void feed(struct xf_bytestream *b, const struct xf_s5b_input *in);

static enum xf_via via_of(const struct xf_told_host *h)
{
    return h->proxy ? XF_VIA_PROXY : XF_VIA_DIRECT;
}

/* One line for each streamhost we told; only the target knows which of them
 * it could not reach, and it does not say. */
static void tell_all(struct xf_bytestream *b, enum xf_attempt attempt, int code,
                     const char *text)
{
    for (size_t i = 0; i < b->told.count; i++) {
        const struct xf_told_host *h = &b->told.hosts[i];

        xf_events_attempt(b->t, via_of(h), attempt,
                          h->proxy ? h->sh.jid : h->sh.host, h->sh.port,
                          xf_now(b->t->s) - b->since, code, text);
    }
}

static void fail(struct xf_bytestream *b, int code, const char *text)
{
    struct xf_transfer *t = b->t;
    int index = b->machine.used;
    char what[XF_TEXT_MAX];
    size_t used = 0;

    tell_all(b, XF_ATTEMPT_FAILED, code, text);
    what[0] = '\0';
    for (size_t i = 0; i < b->told.count && used < sizeof what; i++) {
        const struct xf_told_host *h = &b->told.hosts[i];
        int n = snprintf(what + used, sizeof what - used, "%s%s %s:%u",
                         i ? ", " : "", h->proxy ? "proxy" : "direct",
                         h->proxy ? h->sh.jid : h->sh.host, h->sh.port);

        used += n > 0 ? (size_t)n : 0;
    }
    xf_sending_note(&t->sending, what, text);
    if (index >= 0)
        t->via = via_of(&b->told.hosts[index]);
    t->s5b = NULL;
    xf_bytestream_free(b);
    if (index >= 0)
        t->role->left(t, code, text);
    else
        t->role->failed(t, code, text);
}

static void go(struct xf_bytestream *b, enum xf_via via, int fd)
{
    struct xf_transfer *t = b->t;
    int used = b->machine.used;
    const struct xf_told_host *h = &b->told.hosts[used < 0 ? 0 : used];

    xf_transfer_opened(t, via, h->proxy ? h->sh.jid : h->sh.host, h->sh.port);
    t->s5b = NULL;
    xf_bytestream_free(b);
    t->role->up(t, fd);
}

/* A target closes what lost its race before it names the winner. */
static int take_admitted(struct xf_bytestream *b)
{
    for (size_t i = b->admitted_count; i-- > 0;)
        if (xf_tcp_alive(b->admitted[i]))
            return xf_tcp_take_fd(b->admitted[i]);
    return -1;
}

static void go_direct(struct xf_bytestream *b)
{
    struct xf_s5b_input lost = { .kind = XF_S5B_LOST };
    int fd = take_admitted(b);

    if (fd >= 0)
        go(b, XF_VIA_DIRECT, fd);
    else
        feed(b, &lost);
}

static void proxy_tried(void *ctx, size_t index, int64_t ms, const char *why)
{
    (void)ctx, (void)index, (void)ms, (void)why;
}

static void proxy_over(void *ctx, int fd, size_t index)
{
    struct xf_bytestream *b = ctx;
    struct xf_s5b_input in = { .kind =
                                   fd < 0 ? XF_S5B_LOST : XF_S5B_CONNECTED };

    (void)index;
    b->proxy_fd = fd;
    xf_dialler_free(b->dialler);
    b->dialler = NULL;
    feed(b, &in);
}

static const struct xf_dialler_events proxy_events = { proxy_tried,
                                                       proxy_over };

/* All addresses of that proxy: Openfire's has several under one JID. */
static void dial_proxy(struct xf_bytestream *b, int index)
{
    struct xf_s5b_input lost = { .kind = XF_S5B_LOST };
    struct xf_streamhost hosts[XF_HOSTS_TOLD];
    size_t n = 0;

    for (size_t i = 0; i < b->told.count && n < XF_HOSTS_TOLD; i++)
        if (strcmp(b->told.hosts[i].sh.jid, b->told.hosts[index].sh.jid) == 0)
            hosts[n++] = b->told.hosts[i].sh;
    if (xf_dialler_new(&b->dialler, b->t->s, hosts, n, &xf_dial_staggered,
                       b->dstaddr, &proxy_events, b) != 0)
        feed(b, &lost);
}

static void activated(void *ctx, const struct xf_stanza_head *reply,
                      const struct xf_stanza_error *error)
{
    struct xf_bytestream *b = ctx;
    struct xf_s5b_input in = { .kind = XF_S5B_ACTIVATED };

    (void)reply;
    if (error) {
        in.kind = XF_S5B_NOT_ACTIVATED;
        in.condition = error->condition;
    }
    feed(b, &in);
}

static void activate(struct xf_bytestream *b, int index)
{
    struct xf_session *s = b->t->s;
    struct xf_s5b_input lost = { .kind = XF_S5B_LOST };
    const char *proxy = b->told.hosts[index].sh.jid;
    char id[XF_SID_MAX + 1];

    xf_s5b_write_activate(xf_stanza_begin(s, id), id, proxy, s->jid, b->t->sid,
                          b->t->peer);
    if (xf_stanza_request(s, id, proxy, xf_now(s) + s->set.timeout_ms, true,
                          activated, b) != 0)
        feed(b, &lost);
}

static void feed(struct xf_bytestream *b, const struct xf_s5b_input *in)
{
    struct xf_s5b_todo todo = xf_s5b_step(&b->machine, in);
    int fd;

    switch (todo.what) {
    case XF_S5B_NOTHING:
        return;
    case XF_S5B_DIAL_PROXY:
        dial_proxy(b, todo.index);
        return;
    case XF_S5B_ACTIVATE:
        activate(b, todo.index);
        return;
    case XF_S5B_GO_DIRECT:
        go_direct(b);
        return;
    case XF_S5B_GO_PROXY:
        fd = b->proxy_fd;
        b->proxy_fd = -1;
        go(b, XF_VIA_PROXY, fd);
        return;
    case XF_S5B_FAIL:
        fail(b, todo.code, todo.text);
        return;
    }
}

/* No program of ours says so; its server does, for it. */
static bool is_gone(enum xf_condition condition)
{
    return condition == XF_COND_SERVICE_UNAVAILABLE ||
           condition == XF_COND_RECIPIENT_UNAVAILABLE;
}

static void answered(void *ctx, const struct xf_stanza_head *reply,
                     const struct xf_stanza_error *error)
{
    struct xf_bytestream *b = ctx;
    struct xf_s5b_input in = { .kind = XF_S5B_USED, .index = -1 };
    struct xf_streamhost hosts[XF_HOSTS_TOLD];
    const char *used = error ? NULL : xf_s5b_read_used(reply->el);
    struct xf_transfer *t = b->t;

    if (error && is_gone(error->condition) && t->accepted && t->key[0]) {
        tell_all(b, XF_ATTEMPT_FAILED, XF_E_GONE, NOT_THERE);
        t->role->failed(t, XF_E_GONE, NOT_THERE);
        return;
    }
    for (size_t i = 0; i < b->told.count; i++)
        hosts[i] = b->told.hosts[i].sh;
    if (error) {
        in.kind = XF_S5B_REFUSED;
        in.condition = error->condition;
    } else if (used) {
        in.index = xf_s5b_find(hosts, b->told.count, used);
        in.proxy = in.index >= 0 && b->told.hosts[in.index].proxy;
    }
    feed(b, &in);
}

/* As long as we were told to, unless the contact's own patience ends before. */
static int64_t patience(const struct xf_transfer *t)
{
    int64_t ours = t->s->set.timeout_ms;
    int64_t theirs = t->profile->s5b_wait_ms;

    return theirs && theirs < ours ? theirs : ours;
}

int xf_bytestream_query(struct xf_transfer *t)
{
    struct xf_bytestream *b = t->s5b;
    struct xf_session *s = t->s;
    struct xf_streamhost hosts[XF_HOSTS_TOLD];
    char id[XF_SID_MAX + 1];

    if (!xf_dstaddr(t->sid, s->jid, t->peer, b->dstaddr))
        return XF_E_LIMIT;
    b->queried = true;
    b->since = xf_now(s);
    for (size_t i = 0; i < b->told.count; i++)
        hosts[i] = b->told.hosts[i].sh;
    tell_all(b, XF_ATTEMPT_TRYING, 0, NULL);
    xf_s5b_write_query(xf_stanza_begin(s, id), id, t->peer, s->jid, t->sid,
                       NULL, hosts, b->told.count);
    return xf_stanza_request(s, id, t->peer, b->since + patience(t), true,
                             answered, b);
}

bool xf_bytestream_expects(const struct xf_bytestream *b, const char *dstaddr)
{
    return b && b->told.doors && b->queried && strcmp(b->dstaddr, dstaddr) == 0;
}

void xf_bytestream_admit(struct xf_bytestream *b, struct xf_tcp *tcp)
{
    if (b->admitted_count == ADMITTED_MAX) {
        xf_tcp_free(tcp);
        return;
    }
    b->admitted[b->admitted_count++] = tcp;
}

/* --- the target -------------------------------------------------------------- */

/* A peer names its hosts as it likes; only a service can be a proxy. */
static bool is_direct(const struct xf_transfer *t, const char *jid)
{
    return xf_jid_has_local(jid) || strcmp(jid, t->peer) == 0;
}

static void tried(void *ctx, size_t index, int64_t ms, const char *why)
{
    struct xf_bytestream *b = ctx;
    const struct xf_streamhost *sh = xf_dialler_host(b->dialler, index);
    bool proxy = !is_direct(b->t, sh->jid);

    xf_events_attempt(b->t, proxy ? XF_VIA_PROXY : XF_VIA_DIRECT,
                      why ? XF_ATTEMPT_FAILED : XF_ATTEMPT_TRYING,
                      proxy ? sh->jid : sh->host, sh->port, ms,
                      why ? XF_E_CONNECT : 0, why);
}

static void dialled(void *ctx, int fd, size_t index)
{
    struct xf_bytestream *b = ctx;
    struct xf_transfer *t = b->t;
    const struct xf_streamhost *sh;
    bool direct;

    if (fd < 0) {
        t->role->failed(t, XF_E_CONNECT, "no streamhost was reached");
        return;
    }
    sh = xf_dialler_host(b->dialler, index);
    direct = is_direct(t, sh->jid);
    snprintf(b->used, sizeof b->used, "%s", sh->jid);
    xf_transfer_opened(t, direct ? XF_VIA_DIRECT : XF_VIA_PROXY,
                       direct ? sh->host : sh->jid, sh->port);
    t->role->up(t, fd);
}

static const struct xf_dialler_events dial_events = { tried, dialled };

/* Better in-band than lost. */
static bool lost_by_proxy(const struct xf_transfer *t)
{
    return t->size < t->profile->proxy_from &&
           xf_session_allows(t->s, XF_VIA_IBB);
}

/* To connect is to tell our address, so only where that is allowed. */
static size_t allowed_hosts(const struct xf_transfer *t,
                            const struct xf_s5b_query *query,
                            struct xf_streamhost *out)
{
    size_t n = 0;

    for (size_t i = 0; i < query->count; i++) {
        bool direct = is_direct(t, query->hosts[i].jid);

        if (!direct && lost_by_proxy(t))
            continue;
        if (xf_session_allows(t->s, direct ? XF_VIA_DIRECT : XF_VIA_PROXY))
            out[n++] = query->hosts[i];
    }
    return n;
}

int xf_bytestream_dial(struct xf_transfer *t, const struct xf_s5b_query *query)
{
    struct xf_bytestream *b = new_stream(t);
    struct xf_streamhost hosts[XF_STREAMHOSTS_MAX];
    size_t count = allowed_hosts(t, query, hosts);
    int err = XF_E_LIMIT;

    if (!b)
        return XF_E_LIMIT;
    if (query->dstaddr)
        snprintf(b->dstaddr, sizeof b->dstaddr, "%s", query->dstaddr);
    if (query->dstaddr || xf_dstaddr(t->sid, t->peer, t->s->jid, b->dstaddr))
        err = xf_dialler_new(&b->dialler, t->s, hosts, count, t->profile->dial,
                             b->dstaddr, &dial_events, b);
    if (err != 0) {
        xf_bytestream_free(b);
        return err;
    }
    t->s5b = b;
    return 0;
}

const char *xf_bytestream_used(const struct xf_bytestream *b)
{
    return b->used;
}

int64_t xf_bytestream_deadline(const struct xf_bytestream *b)
{
    return b ? xf_dialler_deadline(b->dialler) : INT64_MAX;
}

void xf_bytestream_tick(struct xf_bytestream *b)
{
    if (b)
        xf_dialler_tick(b->dialler);
}
