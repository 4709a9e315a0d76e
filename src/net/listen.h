/*
 * A TCP port on which connections are accepted, on IPv4 and IPv6. How many may
 * wait for a handshake, and what is said, are left to who asked.
 */
#ifndef XF_NET_LISTEN_H
#define XF_NET_LISTEN_H

#include <stddef.h>
#include <stdint.h>

#include "net/address.h"
#include "net/loop.h"

#define XF_LISTEN_SOCKETS 8 /* addresses of one listener */

struct xf_listener;

/* `fd` is connected, non-blocking and yours. */
typedef void xf_accept_fn(void *ctx, int fd, const struct xf_address *peer);

/*
 * Listen on the first free port of `from` to `to`; 0, 0 is any. `addresses`
 * are `count` of our own (their ports do not count); none: every address, on
 * both families where the machine has them. One port serves all.
 *
 * Returns 0, or
 *   XF_E_USAGE  from > to, too many addresses
 *   XF_E_BUSY   no port of the range is free
 *   XF_E_PERM   the ports may not be used
 *   XF_E_LIMIT  out of memory or descriptors
 *   XF_E_IO     anything else, such as an address that is not ours
 */
int xf_listener_new(struct xf_loop *loop, const struct xf_address *addresses,
                    size_t count, uint16_t from, uint16_t to, xf_accept_fn *fn,
                    void *ctx, struct xf_listener **out);
void xf_listener_free(struct xf_listener *l); /* closes; NULL is fine */

/*
 * Have `fn` called, with what accepting is told with, each time that accepting
 * pauses for a second because descriptors or memory have run out.
 */
typedef void xf_starved_fn(void *ctx);
void xf_listener_on_starved(struct xf_listener *l, xf_starved_fn *fn);

uint16_t xf_listener_port(const struct xf_listener *l);

/* While paused, connections wait in the kernel. */
void xf_listener_pause(struct xf_listener *l);
void xf_listener_resume(struct xf_listener *l);

#endif
