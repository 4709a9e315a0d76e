/*
 * Connects to streamhosts as proto/dial says and speaks SOCKS5 to each: the
 * target's way to the initiator, and anyone's way to a proxy.
 */
#ifndef XF_API_DIALLER_H
#define XF_API_DIALLER_H

#include "api/session.h"
#include "proto/dial.h"
#include "proto/s5b.h"

struct xf_dialler;

struct xf_dialler_events {
    /* Host `index` is tried, or has failed (`why` not NULL) after `ms`. */
    void (*tried)(void *ctx, size_t index, int64_t ms, const char *why);
    /*
     * Over: `fd` past its handshake and the callee's, or -1 when none was
     * reached. The dialler may be freed here.
     */
    void (*over)(void *ctx, int fd, size_t index);
};

/*
 * Begin. `hosts` are copied. Loopback addresses are tried only when the XMPP
 * connection is on loopback itself. Returns 0 or XF_E_LIMIT.
 */
int xf_dialler_new(struct xf_dialler **out, struct xf_session *s,
                   const struct xf_streamhost *hosts, size_t count,
                   const struct xf_dial_plan *plan, const char *dstaddr,
                   const struct xf_dialler_events *events, void *ctx);
void xf_dialler_free(struct xf_dialler *d);

const struct xf_streamhost *xf_dialler_host(const struct xf_dialler *d,
                                            size_t index);

/* In `tried`, of a failure: the SOCKS5 reply it was, or -1. */
int xf_dialler_reply(const struct xf_dialler *d, size_t index);

int64_t xf_dialler_deadline(const struct xf_dialler *d); /* NULL: never */
void xf_dialler_tick(struct xf_dialler *d);

#endif
