/* The outside of stanzas: read and written. */
#include "wire/iq.h"

#include <string.h>

#include "wire/ns.h"

static enum xf_iq_type iq_type(const char *name)
{
    static const char *const names[] = {
        [XF_IQ_GET] = "get",
        [XF_IQ_SET] = "set",
        [XF_IQ_RESULT] = "result",
        [XF_IQ_ERROR] = "error",
    };

    for (int t = XF_IQ_GET; name && t <= XF_IQ_ERROR; t++) {
        if (strcmp(names[t], name) == 0)
            return (enum xf_iq_type)t;
    }
    return XF_IQ_NONE;
}

static bool read_kind(const struct xf_el *el, enum xf_kind *out)
{
    static const char *const names[] = {
        [XF_KIND_IQ] = "iq",
        [XF_KIND_MESSAGE] = "message",
        [XF_KIND_PRESENCE] = "presence",
    };

    for (int k = XF_KIND_IQ; k <= XF_KIND_PRESENCE; k++) {
        if (xf_el_is(el, names[k], XF_NS_CLIENT)) {
            *out = (enum xf_kind)k;
            return true;
        }
    }
    return false;
}

static bool is_request(const struct xf_stanza_head *head)
{
    return head->type == XF_IQ_GET || head->type == XF_IQ_SET;
}

bool xf_stanza_read(const struct xf_el *el, struct xf_stanza_head *out)
{
    const char *type = xf_el_attr(el, "type");

    *out = (struct xf_stanza_head){ .el = el };
    if (!read_kind(el, &out->kind))
        return false;
    out->id = xf_el_attr(el, "id");
    out->to = xf_el_attr(el, "to");
    out->from = xf_el_attr(el, "from");
    out->error = type && strcmp(type, "error") == 0;
    if (out->kind != XF_KIND_IQ)
        return true;
    out->type = iq_type(type);
    if (is_request(out) && el->children && !el->children->next)
        out->payload = el->children;
    return out->type != XF_IQ_NONE && out->id && out->id[0] != '\0' &&
           strlen(out->id) <= XF_STANZA_ID_MAX;
}

void xf_stanza_read_error(const struct xf_el *stanza,
                          struct xf_stanza_error *out)
{
    const struct xf_el *error = xf_el_child(stanza, "error", XF_NS_CLIENT);
    const struct xf_el *child = error ? error->children : NULL;

    *out = (struct xf_stanza_error){ .condition = XF_COND_OTHER };
    out->type = xf_el_attr(error, "type");
    out->text = xf_el_child_text(error, "text", XF_NS_STANZA_ERROR);
    out->no_valid_streams = xf_el_child(error, "no-valid-streams", XF_NS_SI);
    out->bad_profile = xf_el_child(error, "bad-profile", XF_NS_SI);
    for (; child; child = child->next) {
        if (strcmp(child->ns, XF_NS_STANZA_ERROR) != 0 ||
            strcmp(child->name, "text") == 0)
            continue;
        out->condition = xf_condition_of(child->name);
        return;
    }
}

static void addressed(struct xf_xml_writer *w, const char *name, const char *id,
                      const char *to, const char *from)
{
    xf_xml_open(w, name, NULL);
    xf_xml_attr(w, "id", id);
    xf_xml_attr(w, "to", to);
    xf_xml_attr(w, "from", from);
}

void xf_iq_open(struct xf_xml_writer *w, enum xf_iq_type type, const char *id,
                const char *to, const char *from)
{
    static const char *const names[] = {
        [XF_IQ_NONE] = NULL,       [XF_IQ_GET] = "get",     [XF_IQ_SET] = "set",
        [XF_IQ_RESULT] = "result", [XF_IQ_ERROR] = "error",
    };

    addressed(w, "iq", id, to, from);
    xf_xml_attr(w, "type", names[type]);
}

void xf_message_open(struct xf_xml_writer *w, const char *id, const char *to,
                     const char *from)
{
    addressed(w, "message", id, to, from);
}

void xf_iq_open_result(struct xf_xml_writer *w,
                       const struct xf_stanza_head *request)
{
    xf_iq_open(w, XF_IQ_RESULT, request->id, request->from, request->to);
}

void xf_iq_write_answer(struct xf_xml_writer *w,
                        const struct xf_stanza_head *request,
                        enum xf_answer answer, const char *text)
{
    if (answer == XF_ANSWER_NONE || !is_request(request))
        return;
    if (answer == XF_ANSWER_OK) {
        xf_iq_open_result(w, request);
        xf_xml_end(w, "iq");
        return;
    }
    xf_iq_open(w, XF_IQ_ERROR, request->id, request->from, request->to);
    xf_stanza_write_error(w, answer, text);
    xf_xml_close(w, "iq");
}

void xf_stanza_write_error(struct xf_xml_writer *w, enum xf_answer answer,
                           const char *text)
{
    const struct xf_answer_row *row = xf_answer_row(answer);
    const char *condition = xf_condition_name(row->condition);

    xf_xml_open(w, "error", NULL);
    xf_xml_attr(w, "type", row->type);
    xf_xml_open(w, condition, XF_NS_STANZA_ERROR);
    xf_xml_end(w, condition);
    if (text) {
        xf_xml_open(w, "text", XF_NS_STANZA_ERROR);
        xf_xml_text(w, text);
        xf_xml_close(w, "text");
    }
    if (row->si_child) {
        xf_xml_open(w, row->si_child, XF_NS_SI);
        xf_xml_end(w, row->si_child);
    }
    xf_xml_close(w, "error");
}
