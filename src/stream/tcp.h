/*
 * A connection on its way to carry a file: connected already, it speaks
 * SOCKS5 as client or as server (proto/socks5 does), and then hands its
 * descriptor on. Connecting, accepting, deadlines and watching are for others.
 *
 *   client: GREETING sent - REQUEST sent - READY
 *   server: GREETING read - REQUEST read - ASKED -answer-> READY
 *   both:   anything else -> FAILED
 */
#ifndef XF_STREAM_TCP_H
#define XF_STREAM_TCP_H

#include <stdbool.h>

#include "proto/socks5.h"
#include "stream/want.h"

enum xf_tcp_role { XF_TCP_CLIENT, XF_TCP_SERVER };

enum xf_tcp_status {
    XF_TCP_AGAIN,  /* step again when xf_tcp_wants() is there */
    XF_TCP_ASKED,  /* server: look at the dstaddr, then xf_tcp_answer() */
    XF_TCP_READY,  /* what comes next on it belongs to the file */
    XF_TCP_FAILED, /* xf_tcp_text() says why */
};

struct xf_tcp;

/*
 * Over `fd`, non-blocking and connected; owned from success on. `dstaddr` is
 * what a client asks for; NULL for a server. Nothing is sent before the first
 * step.
 *
 * Returns 0, or XF_E_LIMIT (then fd is still the caller's).
 */
int xf_tcp_new(struct xf_tcp **out, int fd, enum xf_tcp_role role,
               const char *dstaddr);
void xf_tcp_free(struct xf_tcp *tcp); /* closes; NULL is fine */

/* XF_WANT_ bits; 0 when ASKED, READY or FAILED. */
int xf_tcp_wants(const struct xf_tcp *tcp);
/*
 * Do what can be done now. Takes no byte from the socket that is behind the
 * handshake, and of garbage at most XF_SOCKS5_MAX.
 */
enum xf_tcp_status xf_tcp_step(struct xf_tcp *tcp);

/* Server, ASKED and later: the 40 hex digits that were asked for. */
const char *xf_tcp_dstaddr(const struct xf_tcp *tcp);
/*
 * Server, ASKED: reply; step on. XF_SOCKS5_OK leads to READY, all others to
 * FAILED as soon as the reply has left.
 */
void xf_tcp_answer(struct xf_tcp *tcp, enum xf_socks5_rep rep);

/* In plain words, why it FAILED. */
const char *xf_tcp_text(const struct xf_tcp *tcp);
/* Client: the SOCKS5 reply that refused it, -1 when it was something else. */
int xf_tcp_reply(const struct xf_tcp *tcp);

/* Whether the other side still holds the connection open; takes no byte. */
bool xf_tcp_alive(const struct xf_tcp *tcp);

int xf_tcp_fd(const struct xf_tcp *tcp); /* to watch; -1 once taken */
/* READY: the descriptor is the caller's from now on. */
int xf_tcp_take_fd(struct xf_tcp *tcp);

#endif
