/*
 * Which streamhosts we would tell a contact: our own addresses and the proxies,
 * as far as the settings allow. One list for the query of a transfer and for
 * a probe that shows it; telling it is left to them.
 */
#ifndef XF_API_STREAMHOSTS_H
#define XF_API_STREAMHOSTS_H

#include "api/session.h"
#include "proto/s5b.h"

/* iris reads five streamhosts of a query and libpurple may take 15 s for each,
 * so the list is short and the proxies are within it. */
#define XF_HOSTS_TOLD 5
#define XF_PROXIES_TOLD 2

struct xf_told_host {
    struct xf_streamhost sh; /* strings are the list's */
    bool proxy;
};

struct xf_streamhosts {
    size_t max;    /* set before: no more than this; 0: XF_HOSTS_TOLD */
    unsigned ways; /* set before: XF_WAY_ bits, as far as allowed; 0: all */
    size_t count;
    struct xf_told_host hosts[XF_HOSTS_TOLD];
    bool doors;    /* it holds our listener open */
    int doors_err; /* why there is no listener, where one was wanted */
};

/*
 * All zero before, but `max` and `ways`. Opens the listener when an address of
 * ours is in it, until the list is cleared. Returns 0, also without any host, or XF_E_LIMIT; to be
 * cleared in any case.
 */
int xf_streamhosts_list(struct xf_session *s, struct xf_streamhosts *out);
void xf_streamhosts_clear(struct xf_session *s, struct xf_streamhosts *list);

#endif
