/* Sums by libcrypto's EVP; what is summed, and why, is for others to know. */
#include "base/digest.h"

#include <string.h>

#include <openssl/evp.h>

#include "base/encode.h"
#include "base/sys.h"

struct xf_digest {
    EVP_MD_CTX *ctx;
};

static const struct {
    const char *name;
    size_t size;
} kinds[] = {
    [XF_DIGEST_NONE] = { "none", 0 },
    [XF_DIGEST_MD5] = { "md5", 16 },
    [XF_DIGEST_SHA1] = { "sha-1", 20 },
    [XF_DIGEST_SHA256] = { "sha-256", 32 },
};

bool xf_digest_kind(const char *name, enum xf_digest_kind *out)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(name, kinds[i].name) == 0) {
            *out = (enum xf_digest_kind)i;
            return true;
        }
    }
    return false;
}

size_t xf_digest_size(enum xf_digest_kind kind)
{
    return kinds[kind].size;
}

static const EVP_MD *algorithm(enum xf_digest_kind kind)
{
    switch (kind) {
    case XF_DIGEST_NONE:
        return NULL;
    case XF_DIGEST_MD5:
        return EVP_md5();
    case XF_DIGEST_SHA1:
        return EVP_sha1();
    case XF_DIGEST_SHA256:
        return EVP_sha256();
    }
    return NULL;
}

struct xf_digest *xf_digest_new(enum xf_digest_kind kind)
{
    const EVP_MD *md = algorithm(kind);
    struct xf_digest *d = md ? xf_sys_alloc(sizeof *d) : NULL;

    if (!d)
        return NULL;
    d->ctx = EVP_MD_CTX_new();
    if (d->ctx && EVP_DigestInit_ex(d->ctx, md, NULL) == 1)
        return d;
    xf_digest_free(d);
    return NULL;
}

void xf_digest_free(struct xf_digest *d)
{
    if (!d)
        return;
    EVP_MD_CTX_free(d->ctx);
    xf_sys_free(d);
}

bool xf_digest_add(struct xf_digest *d, const void *bytes, size_t len)
{
    return EVP_DigestUpdate(d->ctx, bytes, len) == 1;
}

bool xf_digest_peek(const struct xf_digest *d, uint8_t out[XF_DIGEST_MAX])
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();
    bool done = copy && EVP_MD_CTX_copy_ex(copy, d->ctx) == 1 &&
                EVP_DigestFinal_ex(copy, out, NULL) == 1;

    EVP_MD_CTX_free(copy);
    return done;
}

bool xf_digest_end(struct xf_digest *d, uint8_t out[XF_DIGEST_MAX])
{
    return EVP_DigestFinal_ex(d->ctx, out, NULL) == 1;
}

bool xf_digest_of(enum xf_digest_kind kind, const void *bytes, size_t len,
                  uint8_t out[XF_DIGEST_MAX])
{
    struct xf_digest *d = xf_digest_new(kind);
    bool done = d && xf_digest_add(d, bytes, len) && xf_digest_end(d, out);

    xf_digest_free(d);
    return done;
}

bool xf_dstaddr(const char *sid, const char *initiator, const char *target,
                char out[XF_DSTADDR_LEN + 1])
{
    struct xf_digest *d = xf_digest_new(XF_DIGEST_SHA1);
    uint8_t sum[XF_DIGEST_MAX];
    bool done = d && xf_digest_add(d, sid, strlen(sid)) &&
                xf_digest_add(d, initiator, strlen(initiator)) &&
                xf_digest_add(d, target, strlen(target)) &&
                xf_digest_end(d, sum);

    if (done)
        xf_hex(sum, XF_DSTADDR_LEN / 2, out);
    else
        out[0] = '\0';
    xf_digest_free(d);
    return done;
}
