/* SHA-1, SHA-256 and MD5 by libcrypto, under their XEP-0300 names. */
#ifndef XF_BASE_DIGEST_H
#define XF_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum xf_digest_kind {
    XF_DIGEST_NONE,
    XF_DIGEST_MD5,
    XF_DIGEST_SHA1,
    XF_DIGEST_SHA256,
};

#define XF_DIGEST_MAX 32 /* bytes */

/* "md5", "sha-1", "sha-256", "none"; false for others. */
bool xf_digest_kind(const char *name, enum xf_digest_kind *out);
size_t xf_digest_size(enum xf_digest_kind kind);

struct xf_digest;

/* NULL when memory or the algorithm is not to be had. */
struct xf_digest *xf_digest_new(enum xf_digest_kind kind);
void xf_digest_free(struct xf_digest *d);
bool xf_digest_add(struct xf_digest *d, const void *bytes, size_t len);
/* The sum so far; more may be added. */
bool xf_digest_peek(const struct xf_digest *d, uint8_t out[XF_DIGEST_MAX]);
/* The sum; afterwards only free. */
bool xf_digest_end(struct xf_digest *d, uint8_t out[XF_DIGEST_MAX]);

/* All at once. */
bool xf_digest_of(enum xf_digest_kind kind, const void *bytes, size_t len,
                  uint8_t out[XF_DIGEST_MAX]);

/*
 * DST.ADDR of a SOCKS5 bytestream: SHA-1 of sid, initiator and target, in
 * lower-case hex (XEP-0065, 5.3.2). JIDs as they are routed.
 */
#define XF_DSTADDR_LEN 40
bool xf_dstaddr(const char *sid, const char *initiator, const char *target,
                char out[XF_DSTADDR_LEN + 1]);

#endif
