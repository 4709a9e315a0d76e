/*
 * Stream Initiation: the form with the stream methods, the file, the answer.
 */
#include "wire/si.h"

#include <string.h>

#include "base/encode.h"
#include "base/err.h"
#include "wire/ns.h"
#include "wire/xferry.h"

#define FIELD "stream-method"

/* Of an XEP-0082 date; longer ones are no dates and are not handed on. */
#define DATE_MAX 64

#define MD5_SIZE 16

static const char *method_name(enum xf_method m)
{
    switch (m) {
    case XF_METHOD_S5B:
        return XF_NS_BYTESTREAMS;
    case XF_METHOD_IBB:
        return XF_NS_IBB;
    case XF_METHOD_NONE:
        break;
    }
    return "";
}

static enum xf_method method_of(const char *name)
{
    if (name && strcmp(name, XF_NS_BYTESTREAMS) == 0)
        return XF_METHOD_S5B;
    return name && strcmp(name, XF_NS_IBB) == 0 ? XF_METHOD_IBB
                                                : XF_METHOD_NONE;
}

static bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* --- the form ------------------------------------------------------------ */

/* <feature><x type=''> in an <si/>, or NULL. */
static const struct xf_el *find_form(const struct xf_el *si, const char *type)
{
    const struct xf_el *x = xf_el_child(
        xf_el_child(si, "feature", XF_NS_FEATURE_NEG), "x", XF_NS_DATA_FORM);

    return same(xf_el_attr(x, "type"), type) ? x : NULL;
}

/* From `field` on (itself included), the next that is about the methods. */
static const struct xf_el *methods_field(const struct xf_el *field)
{
    while (field && !same(xf_el_attr(field, "var"), FIELD))
        field = xf_el_next(field, "field", XF_NS_DATA_FORM);
    return field;
}

static void add_method(struct xf_offer *out, enum xf_method m)
{
    if (m == XF_METHOD_NONE ||
        (out->methods_count > 0 && out->methods[0] == m) ||
        out->methods_count == 2)
        return;
    out->methods[out->methods_count++] = m;
}

/* --- reading an offer ---------------------------------------------------- */

static bool wrong(struct xf_offer_fault *fault, enum xf_answer answer, int code,
                  const char *field)
{
    *fault = (struct xf_offer_fault){ answer, code, field, NULL };
    return false;
}

static bool read_methods(const struct xf_el *si, struct xf_offer *out,
                         struct xf_offer_fault *fault)
{
    const struct xf_el *form = find_form(si, "form");
    const struct xf_el *field =
        methods_field(xf_el_child(form, "field", XF_NS_DATA_FORM));
    const struct xf_el *option = xf_el_child(field, "option", XF_NS_DATA_FORM);
    size_t options = 0;

    if (field && methods_field(xf_el_next(field, "field", XF_NS_DATA_FORM)))
        return wrong(fault, XF_ANSWER_BAD_REQUEST, XF_E_OFFER, FIELD);
    out->list_multi = same(xf_el_attr(field, "type"), "list-multi");
    for (; option; option = xf_el_next(option, "option", XF_NS_DATA_FORM)) {
        if (++options > XF_OFFER_OPTIONS_MAX)
            return wrong(fault, XF_ANSWER_BAD_REQUEST, XF_E_OFFER, FIELD);
        add_method(
            out, method_of(xf_el_child_text(option, "value", XF_NS_DATA_FORM)));
    }
    if (out->methods_count == 0)
        return wrong(fault, XF_ANSWER_NO_VALID_STREAMS, XF_E_NOMETHOD, FIELD);
    return true;
}

static bool is_md5(const char *hex)
{
    unsigned char bytes[MD5_SIZE];

    return xf_unhex(hex, bytes, sizeof bytes);
}

static bool read_file(const struct xf_el *file, struct xf_offer *out,
                      struct xf_offer_fault *fault)
{
    struct xf_el *desc = xf_el_child(file, "desc", XF_NS_SI_FILE);
    const char *name = xf_el_attr(file, "name");
    const char *size = xf_el_attr(file, "size");
    const char *date = xf_el_attr(file, "date");

    out->name = name ? name : "";
    /* Smack and QXmpp leave the size of an empty file out. */
    out->size = UINT64_MAX;
    if (size && !xf_read_uint(size, INT64_MAX, &out->size))
        return wrong(fault, XF_ANSWER_BAD_REQUEST, XF_E_SIZE, "size");
    out->hash = xf_el_attr(file, "hash");
    if (out->hash && !is_md5(out->hash))
        return wrong(fault, XF_ANSWER_BAD_REQUEST, XF_E_OFFER, "hash");
    out->date = date && strlen(date) <= DATE_MAX ? date : NULL;
    if (desc && desc->text_len > 0) {
        xf_el_cut_text(desc, XF_OFFER_DESC_MAX);
        out->desc = desc->text;
    }
    out->range = xf_el_child(file, "range", XF_NS_SI_FILE);
    return true;
}

bool xf_si_read_offer(struct xf_el *si, struct xf_offer *out,
                      struct xf_offer_fault *fault)
{
    const struct xf_el *file = xf_el_child(si, "file", XF_NS_SI_FILE);

    *fault = (struct xf_offer_fault){ .answer = XF_ANSWER_NONE };
    *out = (struct xf_offer){ .sid = xf_el_attr(si, "id"), .name = "" };
    out->mime_type = xf_el_attr(si, "mime-type");
    if (!out->sid || out->sid[0] == '\0' || strlen(out->sid) > XF_SID_MAX)
        return wrong(fault, XF_ANSWER_BAD_REQUEST, XF_E_OFFER, "id");
    if (!same(xf_el_attr(si, "profile"), XF_NS_SI_FILE))
        return wrong(fault, XF_ANSWER_BAD_PROFILE, XF_E_OFFER, "profile");
    if (!file || xf_el_next(file, "file", XF_NS_SI_FILE))
        return wrong(fault, XF_ANSWER_BAD_REQUEST, XF_E_OFFER, "file");
    xf_xferry_read_offer(si, out);
    return read_file(file, out, fault) && read_methods(si, out, fault);
}

/* --- reading an answer --------------------------------------------------- */

static bool read_range(const struct xf_el *si, struct xf_offer_answer *out)
{
    const struct xf_el *range = xf_el_child(
        xf_el_child(si, "file", XF_NS_SI_FILE), "range", XF_NS_SI_FILE);
    const char *offset = xf_el_attr(range, "offset");
    const char *length = xf_el_attr(range, "length");

    out->range = range;
    if (offset && !xf_read_uint(offset, INT64_MAX, &out->range_offset))
        return false;
    return !length || xf_read_uint(length, INT64_MAX, &out->range_length);
}

int xf_si_read_answer(const struct xf_el *iq, struct xf_offer_answer *out)
{
    const struct xf_el *si = xf_el_child(iq, "si", XF_NS_SI);
    const struct xf_el *form = find_form(si, "submit");
    const struct xf_el *field =
        methods_field(xf_el_child(form, "field", XF_NS_DATA_FORM));
    const struct xf_el *value = xf_el_child(field, "value", XF_NS_DATA_FORM);

    *out = (struct xf_offer_answer){ .range_length = UINT64_MAX };
    for (; value && out->count < 2;
         value = xf_el_next(value, "value", XF_NS_DATA_FORM))
        out->methods[out->count++] = method_of(value->text);
    if (out->count == 0)
        return XF_E_NOMETHOD;
    xf_xferry_read_answer(si, out);
    return read_range(si, out) ? 0 : XF_E_PROTO;
}

/* --- writing ------------------------------------------------------------- */

static void write_range(struct xf_xml_writer *w, uint64_t offset,
                        uint64_t length)
{
    xf_xml_open(w, "range", NULL);
    if (offset > 0)
        xf_xml_attr_uint(w, "offset", offset);
    if (length != UINT64_MAX)
        xf_xml_attr_uint(w, "length", length);
    xf_xml_end(w, "range");
}

static void write_file(struct xf_xml_writer *w, const struct xf_offer *offer)
{
    xf_xml_open(w, "file", XF_NS_SI_FILE);
    xf_xml_attr(w, "name", offer->name);
    if (offer->size != UINT64_MAX)
        xf_xml_attr_uint(w, "size", offer->size);
    xf_xml_attr(w, "hash", offer->hash);
    xf_xml_attr(w, "date", offer->date);
    if (offer->desc) {
        xf_xml_open(w, "desc", NULL);
        xf_xml_text(w, offer->desc);
        xf_xml_close(w, "desc");
    }
    if (offer->range)
        write_range(w, 0, UINT64_MAX);
    xf_xml_close(w, "file");
}

static void open_form(struct xf_xml_writer *w, const char *type)
{
    xf_xml_open(w, "feature", XF_NS_FEATURE_NEG);
    xf_xml_open(w, "x", XF_NS_DATA_FORM);
    xf_xml_attr(w, "type", type);
    xf_xml_open(w, "field", NULL);
    xf_xml_attr(w, "var", FIELD);
}

static void write_value(struct xf_xml_writer *w, enum xf_method m)
{
    xf_xml_open(w, "value", NULL);
    xf_xml_text(w, method_name(m));
    xf_xml_close(w, "value");
}

static void close_form(struct xf_xml_writer *w)
{
    xf_xml_close(w, "field");
    xf_xml_close(w, "x");
    xf_xml_close(w, "feature");
}

static void close_all(struct xf_xml_writer *w)
{
    xf_xml_close(w, "si");
    xf_xml_close(w, "iq");
}

void xf_si_write_offer(struct xf_xml_writer *w, const char *id, const char *to,
                       const char *from, const struct xf_offer *offer)
{
    xf_iq_open(w, XF_IQ_SET, id, to, from);
    xf_xml_open(w, "si", XF_NS_SI);
    xf_xml_attr(w, "id", offer->sid);
    xf_xml_attr(w, "mime-type", offer->mime_type);
    xf_xml_attr(w, "profile", XF_NS_SI_FILE);
    write_file(w, offer);
    open_form(w, "form");
    xf_xml_attr(w, "type", offer->list_multi ? "list-multi" : "list-single");
    for (size_t i = 0; i < offer->methods_count; i++) {
        xf_xml_open(w, "option", NULL);
        write_value(w, offer->methods[i]);
        xf_xml_close(w, "option");
    }
    close_form(w);
    xf_xferry_write_offer(w, offer);
    close_all(w);
}

void xf_si_write_answer(struct xf_xml_writer *w,
                        const struct xf_stanza_head *request,
                        const struct xf_offer_answer *answer)
{
    xf_iq_open_result(w, request);
    xf_xml_open(w, "si", XF_NS_SI);
    if (answer->range) {
        xf_xml_open(w, "file", XF_NS_SI_FILE);
        write_range(w, answer->range_offset, answer->range_length);
        xf_xml_close(w, "file");
    }
    open_form(w, "submit");
    for (size_t i = 0; i < answer->count; i++)
        write_value(w, answer->methods[i]);
    close_form(w);
    xf_xferry_write_answer(w, answer);
    close_all(w);
}
