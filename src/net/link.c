/*
 * The life of a link: found, connected, its handshakes, its end. The bytes
 * are left to link_io.c.
 */
#include "net/link.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "base/jid.h"
#include "base/sys.h"
#include "net/link_inside.h"

#define STARTTLS_MS 15000
#define CLOSE_FLUSH_MS 5000 /* for the last bytes to be taken */

/* --- endings ------------------------------------------------------------- */

static void drop_socket(struct xf_link *l)
{
    xf_watch_free(l->watch);
    l->watch = NULL;
    if (l->fd >= 0)
        (void)xf_sys_close(l->fd);
    l->fd = -1;
    xf_tls_free(l->tls);
    l->tls = NULL;
    l->secured = false;
    xf_buf_reset(&l->plain);
    xf_buf_reset(&l->out);
    if (l->limit)
        xf_timer_set(l->limit, XF_TIMER_OFF);
}

void xf_link_over(struct xf_link *l, const struct xf_error_info *why)
{
    l->state = XF_LINK_OVER;
    drop_socket(l);
    xf_timer_set(l->soon, XF_TIMER_OFF);
    xf_find_free(l->find);
    l->find = NULL;
    l->events->closed(l->ctx, why);
}

void xf_link_over_well(struct xf_link *l)
{
    xf_link_over(l, &(const struct xf_error_info){ .code = 0 });
}

void xf_link_over_stream(struct xf_link *l, const char *text)
{
    struct xf_error_info why = { 0 };

    (void)xf_err_set(&why, XF_E_STREAM, "the connection to %s %s", l->domain,
                     text);
    xf_link_over(l, &why);
}

/* A handshake that failed, or bytes that are no TLS. */
void xf_link_tls_failed(struct xf_link *l, const struct xf_error_info *why)
{
    struct xf_error_info copy = *why;

    if (l->state != XF_LINK_HANDSHAKE) {
        xf_link_over(l, &copy);
        return;
    }
    l->state = XF_LINK_LOOKING;
    drop_socket(l);
    xf_find_another(l->find, &copy);
}

void xf_link_handshake_ended(struct xf_link *l, const char *how)
{
    struct xf_error_info why = { 0 };

    (void)xf_err_set(&why, XF_E_TLS, "TLS check failed for %s: %s", l->domain,
                     how);
    l->cut = true;
    xf_link_tls_failed(l, &why);
}

bool xf_link_was_cut(const struct xf_link *l)
{
    return l->cut;
}

/* --- connecting ---------------------------------------------------------- */

static bool begin_tls(struct xf_link *l, bool direct, int64_t deadline,
                      struct xf_error_info *why)
{
    struct xf_tls_config config = { .domain = l->domain,
                                    .ca_file = l->ca_file,
                                    .direct = direct };

    l->cut = false;
    if (xf_tls_new(&config, why, &l->tls) != 0)
        return false;
    xf_timer_set(l->limit, deadline);
    xf_link_push(l);
    return true;
}

static bool use_socket(struct xf_link *l, int fd)
{
    const int on = 1;

    l->fd = fd;
    l->send_err = 0;
    /* Stanzas are written whole; Nagle would hold them for the last ack. */
    (void)xf_sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return xf_watch_new(l->loop, fd, xf_link_ready, l, &l->watch) == 0;
}

static void find_done(void *ctx, int fd, bool direct,
                      const struct xf_error_info *why)
{
    struct xf_error_info limit = { .code = XF_E_LIMIT,
                                   .text = "out of memory" };
    struct xf_link *l = ctx;

    if (fd < 0) {
        xf_link_over(l, why);
        return;
    }
    if (!use_socket(l, fd)) {
        xf_link_over(l, &limit);
        return;
    }
    if (direct) {
        l->state = XF_LINK_HANDSHAKE;
        if (!begin_tls(l, true, xf_find_deadline(l->find), &limit))
            xf_link_over(l, &limit);
        return;
    }
    xf_find_free(l->find);
    l->find = NULL;
    l->state = XF_LINK_OPEN;
    xf_link_push(l);
    l->events->connected(l->ctx, false);
}

static void too_late(void *ctx)
{
    struct xf_link *l = ctx;

    if (l->state == XF_LINK_CLOSING && l->shut)
        xf_link_over_well(l);
    else if (l->state == XF_LINK_CLOSING)
        xf_link_over_stream(l, "did not take the last bytes in time");
    else
        xf_link_handshake_ended(l, "the server is silent");
}

static int fill(struct xf_link *l, const struct xf_link_config *config)
{
    struct xf_address literal;

    if (xf_address_read(config->domain, 0, &literal))
        xf_address_text(&literal, l->domain);
    else if (xf_jid_domain_ascii(config->domain, l->domain, sizeof l->domain) !=
             0)
        return XF_E_USAGE;
    if (config->ca_file && !(l->ca_file = xf_sys_strdup(config->ca_file)))
        return XF_E_LIMIT;
    if (xf_timer_new(l->loop, xf_link_turn, l, &l->soon) != 0 ||
        xf_timer_new(l->loop, too_late, l, &l->limit) != 0)
        return XF_E_LIMIT;
    return 0;
}

int xf_link_new(struct xf_loop *loop, struct xf_names *names,
                const struct xf_link_config *config,
                const struct xf_link_events *events, void *ctx,
                struct xf_link **out)
{
    struct xf_link *l = xf_sys_alloc(sizeof *l);
    struct xf_find_config find = { 0 };
    int err;

    *out = NULL;
    if (!l)
        return XF_E_LIMIT;
    l->loop = loop;
    l->events = events;
    l->ctx = ctx;
    l->fd = -1;
    xf_buf_init(&l->plain, XF_LINK_QUEUE_MAX);
    xf_buf_init(&l->out, XF_LINK_OUT_MAX);
    err = fill(l, config);
    find.domain = l->domain;
    find.server = config->server;
    find.plain = config->plain;
    if (err == 0)
        err = xf_find_new(loop, names, &find, find_done, l, &l->find);
    if (err != 0) {
        xf_link_free(l);
        return err;
    }
    *out = l;
    return 0;
}

void xf_link_free(struct xf_link *l)
{
    if (!l || l->grave.dead)
        return;
    drop_socket(l);
    xf_find_free(l->find);
    xf_timer_free(l->soon);
    xf_timer_free(l->limit);
    l->find = NULL;
    l->soon = NULL;
    l->limit = NULL;
    xf_buf_clear(&l->plain);
    xf_buf_clear(&l->out);
    xf_sys_free(l->ca_file);
    xf_loop_bury(l->loop, &l->grave);
}

/* --- the rest ------------------------------------------------------------ */

int xf_link_start_tls(struct xf_link *l)
{
    if (l->state != XF_LINK_OPEN || l->tls)
        return XF_E_STREAM;
    if (!begin_tls(l, false, xf_loop_now(l->loop) + STARTTLS_MS, &l->failure))
        xf_link_at_next_turn(l);
    return 0;
}

bool xf_link_is_tls(const struct xf_link *l)
{
    return l->secured;
}

const char *xf_link_tls_version(const struct xf_link *l)
{
    return l->secured ? xf_tls_version(l->tls) : "";
}

size_t xf_link_binding(const struct xf_link *l, enum xf_tls_binding kind,
                       uint8_t out[XF_TLS_BINDING_MAX])
{
    return l->secured ? xf_tls_binding(l->tls, kind, out) : 0;
}

void xf_link_close(struct xf_link *l)
{
    if (l->state == XF_LINK_CLOSING || l->state == XF_LINK_OVER)
        return;
    xf_find_free(l->find);
    l->find = NULL;
    if (l->tls && !l->secured)
        drop_socket(l); /* nothing can be said any more */
    l->state = XF_LINK_CLOSING;
    l->paused = false;
    xf_timer_set(l->limit, xf_loop_now(l->loop) + CLOSE_FLUSH_MS);
    xf_link_at_next_turn(l);
}

void xf_link_pause_reading(struct xf_link *l, bool pause)
{
    if (l->paused == pause || l->state == XF_LINK_CLOSING ||
        l->state == XF_LINK_OVER)
        return;
    l->paused = pause;
    xf_link_push(l);
    if (!pause)
        xf_link_at_next_turn(l);
}

bool xf_link_local_address(const struct xf_link *l, struct xf_address *out)
{
    return l->fd >= 0 && xf_address_local(l->fd, out);
}

bool xf_link_is_loopback(const struct xf_link *l)
{
    struct xf_address peer;

    return l->fd >= 0 && xf_address_peer(l->fd, &peer) &&
           xf_address_is_loopback(&peer);
}
