/*
 * What we announce, and its hash. Reading what others announce is wire/disco,
 * except for which feature is which bit.
 */
#include "proto/disco.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/encode.h"
#include "proto/profile.h"

#define CAPS_TEXT_MAX (256u * 1024u) /* as much as a stanza may hold */

const struct xf_identity xf_disco_identity = { "client", "console", NULL,
                                               "xferry" };

/* Sorted by bytes. */
static const char *const features[] = {
    XF_NS_BYTESTREAMS, XF_NS_CAPS, XF_NS_DISCO_INFO, XF_NS_FEATURE_NEG,
    XF_NS_IBB,         XF_NS_SI,   XF_NS_SI_FILE,    XF_NS_VERSION,
    XF_NS_XFERRY,      XF_NS_PING,
};

static_assert(sizeof features / sizeof features[0] == XF_DISCO_FEATURES,
              "the header says how many");

size_t xf_disco_features(bool takes_offers, const char *out[XF_DISCO_FEATURES])
{
    const unsigned of_offers = XF_FEATURE_SI | XF_FEATURE_SI_FILE;
    size_t count = 0;

    for (size_t i = 0; i < XF_DISCO_FEATURES; i++) {
        if (takes_offers || !(xf_disco_bit(features[i]) & of_offers))
            out[count++] = features[i];
    }
    return count;
}

unsigned xf_disco_bit(const char *feature)
{
    static const struct {
        const char *name;
        unsigned bit;
    } bits[] = {
        { XF_NS_SI, XF_FEATURE_SI },
        { XF_NS_SI_FILE, XF_FEATURE_SI_FILE },
        { XF_NS_BYTESTREAMS, XF_FEATURE_S5B },
        { XF_NS_IBB, XF_FEATURE_IBB },
        { XF_NS_XFERRY, XF_FEATURE_XFERRY },
        { XF_NS_DISCO_INFO, XF_FEATURE_DISCO },
        { XF_NS_VERSION, XF_FEATURE_VERSION },
    };

    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        if (strcmp(bits[i].name, feature) == 0)
            return bits[i].bit;
    }
    return 0;
}

/* --- entity capabilities ------------------------------------------------- */

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* XEP-0115, 5.1: category/type/lang/name< and the sorted features, each with
 * a '<' behind it. */
static void write_caps(struct xf_buf *b, const struct xf_identity *id,
                       const char *const *vars, size_t count)
{
    xf_buf_printf(b, "%s/%s/%s/%s<", id->category, id->type, or_empty(id->lang),
                  or_empty(id->name));
    for (size_t i = 0; i < count; i++) {
        xf_buf_puts(b, vars[i]);
        xf_buf_putc(b, '<');
    }
}

bool xf_caps_ver(const struct xf_identity *identity, const char *const *vars,
                 size_t count, char out[XF_CAPS_VER_LEN + 1])
{
    const char *sorted[XF_CAPS_FEATURES_MAX];
    uint8_t sum[XF_DIGEST_MAX];
    struct xf_buf b;
    bool well;

    out[0] = '\0';
    if (count > XF_CAPS_FEATURES_MAX)
        return false;
    if (count > 0)
        memcpy(sorted, vars, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_bytes);

    xf_buf_init(&b, CAPS_TEXT_MAX);
    write_caps(&b, identity, sorted, count);
    well =
        !b.failed && xf_digest_of(XF_DIGEST_SHA1, xf_buf_bytes(&b), b.len, sum);
    xf_buf_clear(&b);
    if (!well)
        return false;
    xf_base64_encode(sum, xf_digest_size(XF_DIGEST_SHA1), out);
    out[XF_CAPS_VER_LEN] = '\0';
    return true;
}

bool xf_caps_own(bool takes_offers, char out[XF_CAPS_VER_LEN + 1])
{
    const char *said[XF_DISCO_FEATURES];
    size_t count = xf_disco_features(takes_offers, said);

    return xf_caps_ver(&xf_disco_identity, said, count, out);
}

unsigned xf_caps_known(const char *hash, const char *ver)
{
    if (!hash || !ver || strcmp(hash, "sha-1") != 0)
        return 0;
    for (int takes_offers = 0; takes_offers < 2; takes_offers++) {
        const char *said[XF_DISCO_FEATURES];
        size_t count = xf_disco_features(takes_offers, said);
        char own[XF_CAPS_VER_LEN + 1];
        unsigned bits = 0;

        if (!xf_caps_own(takes_offers, own) || strcmp(own, ver) != 0)
            continue;
        while (count > 0)
            bits |= xf_disco_bit(said[--count]);
        return bits;
    }
    return 0;
}

bool xf_disco_node_is_ours(bool takes_offers, const char *node)
{
    size_t len = strlen(XF_CAPS_NODE);
    char ver[XF_CAPS_VER_LEN + 1];

    if (!node || node[0] == '\0')
        return true;
    return strncmp(node, XF_CAPS_NODE, len) == 0 && node[len] == '#' &&
           xf_caps_own(takes_offers, ver) && strcmp(node + len + 1, ver) == 0;
}
