/*
 * Carries the handshake's bytes between proto/socks5 and the socket; what they
 * mean is decided there, what to wait for elsewhere.
 */
#include "stream/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/sys.h"

/* A peer that vanished without a word is noticed after two minutes. */
#define KEEP_IDLE_S 60
#define KEEP_INTERVAL_S 10
#define KEEP_PROBES 6

struct xf_tcp {
    int fd;
    enum xf_tcp_role role;
    enum xf_tcp_status status;
    struct xf_socks5_client client;
    struct xf_socks5_server server;
    bool answered; /* server: with `rep` */
    enum xf_socks5_rep rep;
    uint8_t in[XF_SOCKS5_MAX]; /* of a message that is not whole yet */
    size_t in_len;
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len, out_sent;
    char text[128];
};

static enum xf_tcp_status fail(struct xf_tcp *tcp, const char *why)
{
    (void)snprintf(tcp->text, sizeof tcp->text, "%s", why);
    return XF_TCP_FAILED;
}

static enum xf_tcp_status fail_errno(struct xf_tcp *tcp)
{
    (void)snprintf(tcp->text, sizeof tcp->text, "connection lost: %m");
    return XF_TCP_FAILED;
}

/* Comforts: whether they are to be had is no reason to give up. */
static void set(int fd, int level, int name, int value)
{
    (void)xf_sys_setsockopt(fd, level, name, &value, sizeof value);
}

static void keep_alive(int fd)
{
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_PROBES);
}

int xf_tcp_new(struct xf_tcp **out, int fd, enum xf_tcp_role role,
               const char *dstaddr)
{
    struct xf_tcp *tcp = xf_sys_alloc(sizeof *tcp);

    if (!tcp)
        return XF_E_LIMIT;
    tcp->fd = fd;
    tcp->role = role;
    if (role == XF_TCP_CLIENT) {
        xf_socks5_client_init(&tcp->client, dstaddr);
        memcpy(tcp->out, xf_socks5_greeting, XF_SOCKS5_GREETING_LEN);
        tcp->out_len = XF_SOCKS5_GREETING_LEN;
    } else {
        xf_socks5_server_init(&tcp->server);
    }
    keep_alive(fd);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    *out = tcp;
    return 0;
}

void xf_tcp_free(struct xf_tcp *tcp)
{
    if (!tcp)
        return;
    if (tcp->fd >= 0)
        xf_sys_close(tcp->fd);
    xf_sys_free(tcp);
}

int xf_tcp_wants(const struct xf_tcp *tcp)
{
    if (tcp->status != XF_TCP_AGAIN)
        return 0;
    return tcp->out_sent < tcp->out_len ? XF_WANT_WRITE : XF_WANT_READ;
}

/* --- one way and the other ----------------------------------------------- */

static bool later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* A message leaves by one call: Prosody, Openfire and others parse what one
 * segment holds. True when nothing is left to send. */
static bool flush(struct xf_tcp *tcp)
{
    while (tcp->out_sent < tcp->out_len) {
        ssize_t n = xf_sys_send(tcp->fd, tcp->out + tcp->out_sent,
                                tcp->out_len - tcp->out_sent);

        if (n < 0) {
            if (!later())
                tcp->status = fail_errno(tcp);
            return false;
        }
        tcp->out_sent += (size_t)n;
    }
    tcp->out_len = tcp->out_sent = 0;
    return true;
}

static size_t feed(struct xf_tcp *tcp, size_t len)
{
    if (tcp->role == XF_TCP_CLIENT)
        return xf_socks5_client_feed(&tcp->client, tcp->in, len, tcp->out,
                                     &tcp->out_len);
    return xf_socks5_server_feed(&tcp->server, tcp->in, len, tcp->out,
                                 &tcp->out_len);
}

/*
 * Looked at first and taken then, since only the parser knows where the
 * handshake ends: what is behind belongs to the file and stays in the kernel.
 * Of a message that is not whole yet all is taken, or the socket would be
 * readable for ever. True when something came.
 */
static bool receive(struct xf_tcp *tcp)
{
    ssize_t n = xf_sys_recv(tcp->fd, tcp->in + tcp->in_len,
                            sizeof tcp->in - tcp->in_len, MSG_PEEK);
    size_t all, used, fresh;

    if (n < 0 && later())
        return false;
    if (n <= 0) {
        tcp->status = n < 0 ? fail_errno(tcp) : fail(tcp, "connection closed");
        return false;
    }
    all = tcp->in_len + (size_t)n;
    used = feed(tcp, all);
    fresh = used > 0 ? used - tcp->in_len : (size_t)n;
    if (xf_sys_recv(tcp->fd, tcp->in + tcp->in_len, fresh, 0) !=
        (ssize_t)fresh) {
        tcp->status = fail_errno(tcp);
        return false;
    }
    tcp->in_len = used > 0 ? 0 : all;
    return true;
}

/* --- what the machine says ----------------------------------------------- */

static enum xf_tcp_status ready(struct xf_tcp *tcp)
{
    set(tcp->fd, IPPROTO_TCP, TCP_NODELAY, 0);
    return XF_TCP_READY;
}

static enum xf_tcp_status client_status(struct xf_tcp *tcp)
{
    switch (tcp->client.state) {
    case XF_SOCKS5_GREETED:
    case XF_SOCKS5_REQUESTED:
        return XF_TCP_AGAIN;
    case XF_SOCKS5_READY:
        return ready(tcp);
    case XF_SOCKS5_FAILED:
        break;
    }
    if (tcp->client.rep < 0)
        return fail(tcp, "broke the SOCKS5 protocol");
    (void)snprintf(tcp->text, sizeof tcp->text, "refused, SOCKS5 reply %d",
                   tcp->client.rep);
    return XF_TCP_FAILED;
}

/* What came behind a bad message is dropped: closing a socket with unread
 * bytes resets it, and the reply might be lost. */
static enum xf_tcp_status refused(struct xf_tcp *tcp, const char *why)
{
    uint8_t rest[XF_SOCKS5_MAX];

    (void)xf_sys_recv(tcp->fd, rest, sizeof rest, 0);
    return fail(tcp, why);
}

static enum xf_tcp_status server_status(struct xf_tcp *tcp)
{
    switch (tcp->server.state) {
    case XF_SOCKS5_GREETING:
    case XF_SOCKS5_REQUEST:
        return XF_TCP_AGAIN;
    case XF_SOCKS5_ASKED:
        if (!tcp->answered)
            return XF_TCP_ASKED;
        return tcp->rep == XF_SOCKS5_OK ? ready(tcp)
                                        : refused(tcp, "was refused");
    case XF_SOCKS5_REFUSED:
        return refused(tcp, "asked for something else than a bytestream");
    case XF_SOCKS5_BROKEN:
        break;
    }
    return fail(tcp, "broke the SOCKS5 protocol");
}

enum xf_tcp_status xf_tcp_step(struct xf_tcp *tcp)
{
    while (tcp->status == XF_TCP_AGAIN && flush(tcp)) {
        tcp->status = tcp->role == XF_TCP_CLIENT ? client_status(tcp)
                                                 : server_status(tcp);
        if (tcp->status != XF_TCP_AGAIN || !receive(tcp))
            break;
    }
    return tcp->status;
}

const char *xf_tcp_dstaddr(const struct xf_tcp *tcp)
{
    return tcp->server.dstaddr;
}

void xf_tcp_answer(struct xf_tcp *tcp, enum xf_socks5_rep rep)
{
    if (tcp->status != XF_TCP_ASKED || tcp->answered)
        return;
    tcp->answered = true;
    tcp->rep = rep;
    tcp->out_len = xf_socks5_server_answer(&tcp->server, rep, tcp->out);
    tcp->status = XF_TCP_AGAIN;
}

const char *xf_tcp_text(const struct xf_tcp *tcp)
{
    return tcp->text;
}

int xf_tcp_reply(const struct xf_tcp *tcp)
{
    return tcp->role == XF_TCP_CLIENT && tcp->status == XF_TCP_FAILED
               ? tcp->client.rep
               : -1;
}

bool xf_tcp_alive(const struct xf_tcp *tcp)
{
    uint8_t byte;
    ssize_t n;

    if (tcp->fd < 0 || tcp->status == XF_TCP_FAILED)
        return false;
    n = xf_sys_recv(tcp->fd, &byte, 1, MSG_PEEK);
    return n > 0 || (n < 0 && later());
}

int xf_tcp_fd(const struct xf_tcp *tcp)
{
    return tcp->fd;
}

int xf_tcp_take_fd(struct xf_tcp *tcp)
{
    int fd = tcp->fd;

    tcp->fd = -1;
    return fd;
}
