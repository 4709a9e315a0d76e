/* In-band bytestreams: elements to plain values and back. */
#include "wire/ibb.h"

#include <string.h>

#include "base/encode.h"
#include "proto/offer.h"
#include "wire/ns.h"

const char *xf_ibb_read_sid(const struct xf_el *el)
{
    const char *sid = xf_el_attr(el, "sid");

    return sid && sid[0] != '\0' && strlen(sid) <= XF_SID_MAX ? sid : NULL;
}

/* --- open ---------------------------------------------------------------- */

static enum xf_answer read_block_size(const char *text, uint32_t *out)
{
    uint64_t size = 0;

    if (!text || text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return XF_ANSWER_BAD_REQUEST_MODIFY;
    /* A number whatever its length: then it is only too large. */
    if (!xf_read_uint(text, XF_IBB_BLOCK_MAX, &size))
        return XF_ANSWER_TOO_BIG;
    *out = (uint32_t)size;
    return size > 0 ? XF_ANSWER_NONE : XF_ANSWER_BAD_REQUEST_MODIFY;
}

static enum xf_answer read_stanza(const char *text, struct xf_ibb_open *out)
{
    if (!text)
        out->stanza = XF_IBB_STANZA_ABSENT;
    else if (strcmp(text, "iq") == 0)
        out->stanza = XF_IBB_STANZA_IQ;
    else if (strcmp(text, "message") == 0)
        out->stanza = XF_IBB_STANZA_MESSAGE;
    else
        return XF_ANSWER_BAD_REQUEST_MODIFY;
    return XF_ANSWER_NONE;
}

enum xf_answer xf_ibb_read_open(const struct xf_el *open,
                                struct xf_ibb_open *out)
{
    enum xf_answer answer;

    *out = (struct xf_ibb_open){ .sid = xf_ibb_read_sid(open) };
    if (!out->sid)
        return XF_ANSWER_BAD_REQUEST_MODIFY;
    answer = read_stanza(xf_el_attr(open, "stanza"), out);
    if (answer != XF_ANSWER_NONE)
        return answer;
    return read_block_size(xf_el_attr(open, "block-size"), &out->block_size);
}

void xf_ibb_write_open(struct xf_xml_writer *w, const char *id, const char *to,
                       const char *from, const struct xf_ibb_open *open)
{
    static const char *const names[] = {
        [XF_IBB_STANZA_ABSENT] = NULL,
        [XF_IBB_STANZA_IQ] = "iq",
        [XF_IBB_STANZA_MESSAGE] = "message",
    };

    xf_iq_open(w, XF_IQ_SET, id, to, from);
    xf_xml_open(w, "open", XF_NS_IBB);
    xf_xml_attr(w, "sid", open->sid);
    xf_xml_attr_uint(w, "block-size", open->block_size);
    xf_xml_attr(w, "stanza", names[open->stanza]);
    xf_xml_close(w, "open");
    xf_xml_close(w, "iq");
}

/* --- data ---------------------------------------------------------------- */

static bool read_seq(const char *text, uint16_t *out)
{
    uint64_t seq;

    if (!text || !xf_read_uint(text, UINT16_MAX, &seq))
        return false;
    *out = (uint16_t)seq;
    return true;
}

/* Bytes that well-formed base64 of this length decodes to. */
static size_t decoded_len(const struct xf_el *data)
{
    size_t len = XF_BASE64_BYTES(data->text_len);

    for (size_t i = data->text_len;
         len > 0 && i > 0 && i + 2 > data->text_len && data->text[i - 1] == '=';
         i--)
        len--;
    return len;
}

/* Two <data/> in one stanza, or data and close: which comes first? */
static bool is_alone(const struct xf_el *data)
{
    for (const struct xf_el *el = data->next; el; el = el->next) {
        if (strcmp(el->ns, XF_NS_IBB) == 0)
            return false;
    }
    return !data->children;
}

/*
 * The decoder wants room for whole groups of three, padding or not; the last
 * group is decoded apart, so that `size` bytes do for a block of that size.
 */
static bool decode(const struct xf_el *data, uint8_t *bytes)
{
    size_t whole = data->text_len > 4 ? data->text_len - 4 : 0;
    ssize_t front, back;
    uint8_t last[3];

    front = xf_base64_decode(data->text, whole, bytes);
    if (front < 0 || (whole > 0 && data->text[whole - 1] == '='))
        return false;
    back = xf_base64_decode(data->text + whole, data->text_len - whole, last);
    if (back < 0)
        return false;
    memcpy(bytes + front, last, (size_t)back);
    return true;
}

struct xf_ibb_input xf_ibb_read_data(const struct xf_el *data, void *bytes,
                                     size_t size)
{
    struct xf_ibb_input in = { .kind = XF_IBB_BAD };

    if (!data || !is_alone(data) || !read_seq(xf_el_attr(data, "seq"), &in.seq))
        return in;
    if (data->text_len % 4 != 0)
        return in;
    in.len = decoded_len(data);
    if (in.len > size || data->text_len == 0 || decode(data, bytes))
        in.kind = XF_IBB_BLOCK;
    return in;
}

static void write_data(struct xf_xml_writer *w, const char *sid, uint16_t seq,
                       const void *bytes, size_t len)
{
    xf_xml_open(w, "data", XF_NS_IBB);
    xf_xml_attr(w, "sid", sid);
    xf_xml_attr_uint(w, "seq", seq);
    xf_xml_base64(w, bytes, len);
    xf_xml_close(w, "data");
}

void xf_ibb_write_data(struct xf_xml_writer *w, const char *id, const char *to,
                       const char *from, const char *sid, uint16_t seq,
                       const void *bytes, size_t len)
{
    xf_iq_open(w, XF_IQ_SET, id, to, from);
    write_data(w, sid, seq, bytes, len);
    xf_xml_close(w, "iq");
}

void xf_ibb_write_data_message(struct xf_xml_writer *w, const char *id,
                               const char *to, const char *from,
                               const char *sid, uint16_t seq, const void *bytes,
                               size_t len)
{
    xf_message_open(w, id, to, from);
    write_data(w, sid, seq, bytes, len);
    xf_xml_close(w, "message");
}

/* --- close --------------------------------------------------------------- */

void xf_ibb_write_close(struct xf_xml_writer *w, const char *id, const char *to,
                        const char *from, const char *sid)
{
    xf_iq_open(w, XF_IQ_SET, id, to, from);
    xf_xml_open(w, "close", XF_NS_IBB);
    xf_xml_attr(w, "sid", sid);
    xf_xml_close(w, "close");
    xf_xml_close(w, "iq");
}
