/* The private elements between two of ours; see the header. */
#include "wire/xferry.h"

#include <string.h>

#include "base/encode.h"
#include "wire/ns.h"

#define SHA256 "sha-256"
#define SHA256_SIZE 32
#define SUM_TEXT XF_BASE64_LEN(SHA256_SIZE)

static const char *const reasons[XF_STOP_REASONS] = {
    [XF_STOP_FAILED] = "failed",         [XF_STOP_CANCELLED] = "cancelled",
    [XF_STOP_CHANGED] = "changed",       [XF_STOP_NO_SPACE] = "no-space",
    [XF_STOP_MISMATCH] = "sum-mismatch",
};

/* --- parts ------------------------------------------------------------------ */

static const char *read_key(const struct xf_el *el, const char *name)
{
    const char *key = xf_el_attr(el, name);

    return key && strlen(key) == XF_OFFER_KEY_LEN &&
                   strspn(key, "0123456789abcdef") == XF_OFFER_KEY_LEN
               ? key
               : NULL;
}

/* <hash xmlns='urn:xmpp:hashes:2' algo='sha-256'/>; others are not looked at. */
static bool read_sum(const struct xf_el *parent, uint8_t out[XF_DIGEST_MAX])
{
    const struct xf_el *hash = xf_el_child(parent, "hash", XF_NS_HASHES);
    uint8_t sum[XF_BASE64_BYTES(SUM_TEXT)];

    for (; hash; hash = xf_el_next(hash, "hash", XF_NS_HASHES)) {
        const char *algorithm = xf_el_attr(hash, "algo");

        if (!algorithm || strcmp(algorithm, SHA256) != 0)
            continue;
        if (hash->text_len != SUM_TEXT ||
            xf_base64_decode(hash->text, hash->text_len, sum) != SHA256_SIZE)
            return false;
        memcpy(out, sum, SHA256_SIZE);
        return true;
    }
    return false;
}

static void write_sum(struct xf_xml_writer *w, const uint8_t *sum)
{
    xf_xml_open(w, "hash", XF_NS_HASHES);
    xf_xml_attr(w, "algo", SHA256);
    xf_xml_base64(w, sum, SHA256_SIZE);
    xf_xml_close(w, "hash");
}

/* --- the offer -------------------------------------------------------------- */

void xf_xferry_read_offer(const struct xf_el *si, struct xf_offer *out)
{
    const struct xf_el *el = xf_el_child(si, "transfer", XF_NS_XFERRY);
    const char *version = xf_el_attr(el, "version");
    const char *most = xf_el_attr(el, "most");
    const char *sum = xf_el_attr(el, "sum");

    out->most = UINT64_MAX;
    out->key = read_key(el, "id");
    if (!out->key)
        return;
    out->run = read_key(el, "session");
    out->version =
        version && strlen(version) <= XF_OFFER_VERSION_MAX ? version : NULL;
    if (most && !xf_read_uint(most, INT64_MAX, &out->most))
        out->most = 0;
    out->sum = sum && strcmp(sum, SHA256) == 0;
}

void xf_xferry_write_offer(struct xf_xml_writer *w,
                           const struct xf_offer *offer)
{
    if (!offer->key)
        return;
    xf_xml_open(w, "transfer", XF_NS_XFERRY);
    xf_xml_attr(w, "id", offer->key);
    xf_xml_attr(w, "session", offer->run);
    xf_xml_attr(w, "version", offer->version);
    if (offer->most != UINT64_MAX)
        xf_xml_attr_uint(w, "most", offer->most);
    xf_xml_attr(w, "sum", offer->sum ? SHA256 : NULL);
    xf_xml_end(w, "transfer");
}

void xf_xferry_read_answer(const struct xf_el *si, struct xf_offer_answer *out)
{
    const struct xf_el *el = xf_el_child(si, "prefix", XF_NS_XFERRY);
    const char *durable = xf_el_attr(el, "durable");

    out->has_prefix = read_sum(el, out->prefix);
    if (durable && !xf_read_uint(durable, INT64_MAX, &out->durable))
        out->durable = 0;
}

void xf_xferry_write_answer(struct xf_xml_writer *w,
                            const struct xf_offer_answer *answer)
{
    if (!answer->has_prefix)
        return;
    xf_xml_open(w, "prefix", XF_NS_XFERRY);
    if (answer->durable < answer->range_offset)
        xf_xml_attr_uint(w, "durable", answer->durable);
    write_sum(w, answer->prefix);
    xf_xml_close(w, "prefix");
}

/* --- the end ---------------------------------------------------------------- */

static enum xf_stop_reason read_reason(const struct xf_el *el)
{
    const char *text = xf_el_attr(el, "reason");

    for (size_t i = 0; text && i < XF_STOP_REASONS; i++)
        if (strcmp(text, reasons[i]) == 0)
            return (enum xf_stop_reason)i;
    return XF_STOP_FAILED;
}

bool xf_xferry_read_end(const struct xf_el *el, struct xf_xferry_end *out)
{
    *out = (struct xf_xferry_end){ .key = read_key(el, "id") };
    out->stop = xf_el_is(el, "stop", XF_NS_XFERRY);
    if (!out->stop && !xf_el_is(el, "end", XF_NS_XFERRY))
        return false;
    if (out->stop)
        out->reason = read_reason(el);
    else
        out->has_sum = read_sum(el, out->sum);
    return true;
}

static void open_set(struct xf_xml_writer *w, const char *id, const char *to,
                     const char *from, const char *name, const char *key)
{
    xf_iq_open(w, XF_IQ_SET, id, to, from);
    xf_xml_open(w, name, XF_NS_XFERRY);
    xf_xml_attr(w, "id", key);
}

void xf_xferry_write_end(struct xf_xml_writer *w, const char *id,
                         const char *to, const char *from, const char *key,
                         const uint8_t *sum)
{
    open_set(w, id, to, from, "end", key);
    if (sum)
        write_sum(w, sum);
    xf_xml_end(w, "end");
    xf_xml_close(w, "iq");
}

void xf_xferry_write_stop(struct xf_xml_writer *w, const char *id,
                          const char *to, const char *from, const char *key,
                          enum xf_stop_reason reason)
{
    open_set(w, id, to, from, "stop", key);
    xf_xml_attr(w, "reason", reasons[reason]);
    xf_xml_end(w, "stop");
    xf_xml_close(w, "iq");
}
