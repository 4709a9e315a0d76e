/*
 * One address of a proxy, tried as a transfer would use it: two connections of
 * ours, joined by an activation in which we are initiator and target, and a
 * random word sent through and back. Which proxies there are is not known
 * here.
 *
 *   FIRST --SOCKS5--> SECOND --SOCKS5--> JOINING --result--> THERE --word-->
 *   BACK --word--> over, and anything else ends it, too
 */
#ifndef XF_API_PROXY_CHECK_H
#define XF_API_PROXY_CHECK_H

#include "api/session.h"
#include "proto/s5b.h"

#define XF_PROXY_CHECK_MS 8000      /* in all */
#define XF_PROXY_CHECK_EACH_MS 4000 /* to connect, SOCKS5 included */

struct xf_proxy_check;

struct xf_proxy_checked {
    bool answers;         /* somebody speaks SOCKS5 there */
    enum xf_truth relays; /* what goes in comes out */
    int64_t answer_ms;    /* until the first handshake was over */
    int64_t relay_ms;     /* from the word to its return */
    const char *text;     /* what is wrong; NULL: nothing */
};

/* Once, last; the check may be freed here. */
typedef void xf_proxy_check_fn(void *ctx, const struct xf_proxy_checked *found);

/* Begin; `host` is copied. Returns 0 or XF_E_LIMIT. */
int xf_proxy_check_new(struct xf_proxy_check **out, struct xf_session *s,
                       const struct xf_streamhost *host, xf_proxy_check_fn *fn,
                       void *ctx);
void xf_proxy_check_free(struct xf_proxy_check *c); /* NULL is fine */

int64_t xf_proxy_check_deadline(const struct xf_proxy_check *c);
void xf_proxy_check_tick(struct xf_proxy_check *c); /* may call back */

#endif
