/*
 * From a domain to a connected socket: SRV records, then their hosts one after
 * the other until the caller is content. What is said on the socket is
 * left to the link.
 */
#ifndef XF_NET_FIND_H
#define XF_NET_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/names.h"

#define XF_FIND_TOTAL_MS 30000 /* for all hosts */
#define XF_FIND_EACH_MS 10000  /* for one, its TLS handshake included */

struct xf_find;

/*
 * `fd` is connected and yours, `direct` says that TLS begins at once. Or -1:
 * no host is left, and `why` tells of each.
 */
typedef void xf_find_fn(void *ctx, int fd, bool direct,
                        const struct xf_error_info *why);

struct xf_find_config {
    const char *domain; /* ASCII, or a literal address */
    const char *server; /* HOST[:PORT], or NULL */
    bool plain;         /* loopback only, and no direct TLS */
};

/* 0, XF_E_USAGE or XF_E_LIMIT. Calls back from later dispatches. */
int xf_find_new(struct xf_loop *loop, struct xf_names *names,
                const struct xf_find_config *config, xf_find_fn *fn, void *ctx,
                struct xf_find **out);

/*
 * What was found does not do, because of `why`; find another. `why` is what is
 * told in the end when nothing else does: a bad certificate says more than
 * the refusals of other hosts.
 */
void xf_find_another(struct xf_find *f, const struct xf_error_info *why);

/* When the one that was found last must be done with its handshake. */
int64_t xf_find_deadline(const struct xf_find *f);

void xf_find_free(struct xf_find *f); /* NULL is fine */

#endif
