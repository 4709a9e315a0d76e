/*
 * One TCP connection to a host by name or literal, with happy eyeballs
 * (RFC 8305). What is said on it is left to who asked.
 */
#ifndef XF_NET_DIAL_H
#define XF_NET_DIAL_H

#include <stdint.h>

#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/names.h"

struct xf_connect; /* one attempt */

/*
 * Called once. `fd` is connected, non-blocking and yours; or -1, then `why`
 * is told: XF_E_CONNECT with "refused", "timed out", "no route", "no such
 * host", ... in its text, XF_E_POLICY for an address that is not allowed, or
 * XF_E_LIMIT. `why` lives until the callback returns.
 */
typedef void xf_connect_fn(void *ctx, int fd, const struct xf_error_info *why);

/*
 * The call back comes from a later dispatch, at most `timeout_ms` from now,
 * looking up the name included. `reach` is held against what `host` resolves
 * to: addresses that are not allowed are left out; with XF_REACH_LOOPBACK one
 * such address refuses all.
 *
 * Returns 0, XF_E_USAGE for an impossible host name or port 0, or XF_E_LIMIT.
 */
int xf_connect_new(struct xf_loop *loop, struct xf_names *names,
                   const char *host, uint16_t port, enum xf_reach reach,
                   int timeout_ms, xf_connect_fn *fn, void *ctx,
                   struct xf_connect **out);

/* Gives up when it is still under way. NULL is fine. */
void xf_connect_free(struct xf_connect *c);

/* "refused", "no route", ... for the errno of a connection. Static. */
const char *xf_connect_words(int err);

#endif
