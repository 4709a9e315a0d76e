/* Setting up a stream: features and failures read, requests written. */
#include "wire/stream.h"

#include <string.h>

#include "base/encode.h"
#include "wire/iq.h"
#include "wire/ns.h"

/* --- what comes ---------------------------------------------------------- */

enum xf_nonza xf_nonza_of(const struct xf_el *el)
{
    static const struct {
        const char *name, *ns;
        enum xf_nonza nonza;
    } rows[] = {
        { "features", XF_NS_STREAM, XF_NONZA_FEATURES },
        { "error", XF_NS_STREAM, XF_NONZA_ERROR },
        { "proceed", XF_NS_TLS, XF_NONZA_PROCEED },
        { "failure", XF_NS_TLS, XF_NONZA_TLS_FAILURE },
        { "challenge", XF_NS_SASL, XF_NONZA_CHALLENGE },
        { "success", XF_NS_SASL, XF_NONZA_SUCCESS },
        { "failure", XF_NS_SASL, XF_NONZA_SASL_FAILURE },
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (xf_el_is(el, rows[i].name, rows[i].ns))
            return rows[i].nonza;
    }
    return XF_NONZA_NONE;
}

static void read_mechanisms(const struct xf_el *el, struct xf_features *out)
{
    const struct xf_el *m = xf_el_child(el, "mechanism", XF_NS_SASL);

    for (; m; m = xf_el_next(m, "mechanism", XF_NS_SASL)) {
        if (m->text_len == 0 || m->text_len > XF_MECHANISM_LEN)
            continue;
        if (out->mechanisms_count == XF_MECHANISMS_MAX)
            return;
        memcpy(out->mechanisms[out->mechanisms_count++], m->text,
               m->text_len + 1);
    }
}

static void read_bindings(const struct xf_el *el, struct xf_features *out)
{
    static const char name[] = "channel-binding";
    const struct xf_el *b = xf_el_child(el, name, XF_NS_BINDINGS);

    out->bindings_said = el;
    for (; b; b = xf_el_next(b, name, XF_NS_BINDINGS)) {
        const char *type = xf_el_attr(b, "type");

        if (type)
            out->bindings |= xf_binding_of(type);
    }
}

bool xf_stream_read_features(const struct xf_el *el, struct xf_features *out)
{
    const struct xf_el *tls = xf_el_child(el, "starttls", XF_NS_TLS);
    const struct xf_el *limits = xf_el_child(el, "limits", XF_NS_LIMITS);
    const char *bytes = xf_el_child_text(limits, "max-bytes", XF_NS_LIMITS);

    *out = (struct xf_features){ .starttls = tls };
    if (xf_nonza_of(el) != XF_NONZA_FEATURES)
        return false;
    out->starttls_required = xf_el_child(tls, "required", XF_NS_TLS);
    read_mechanisms(xf_el_child(el, "mechanisms", XF_NS_SASL), out);
    read_bindings(xf_el_child(el, "sasl-channel-binding", XF_NS_BINDINGS), out);
    out->bind = xf_el_child(el, "bind", XF_NS_BIND);
    out->sm = xf_el_child(el, "sm", XF_NS_SM);
    if (!bytes || !xf_read_uint(bytes, UINT64_MAX, &out->stanza_limit))
        out->stanza_limit = 0;
    return true;
}

void xf_stream_read_failure(const struct xf_el *el,
                            struct xf_stream_failure *out)
{
    bool sasl = xf_nonza_of(el) == XF_NONZA_SASL_FAILURE;
    const char *ns = sasl ? XF_NS_SASL : XF_NS_STREAM_ERROR;
    const struct xf_el *child = el ? el->children : NULL;

    *out = (struct xf_stream_failure){ .condition = "undefined-condition" };
    out->text = xf_el_child_text(el, "text", ns);
    out->other_host = xf_el_child_text(el, "see-other-host", ns);
    for (; child; child = child->next) {
        if (strcmp(child->ns, ns) == 0 && strcmp(child->name, "text") != 0) {
            out->condition = child->name;
            return;
        }
    }
}

ssize_t xf_sasl_read_data(const struct xf_el *el, char *out, size_t size)
{
    ssize_t len;

    if (!el || size == 0)
        return -1;
    out[0] = '\0';
    if (strcmp(el->text, "=") == 0)
        return 0;
    /* Room for whole groups of three is asked, padding or not. */
    if (XF_BASE64_BYTES(el->text_len) >= size)
        return -1;
    len = xf_base64_decode(el->text, el->text_len, out);
    out[len > 0 ? len : 0] = '\0';
    return len;
}

const char *xf_bind_read(const struct xf_el *iq)
{
    const char *jid = xf_el_child_text(xf_el_child(iq, "bind", XF_NS_BIND),
                                       "jid", XF_NS_BIND);

    return jid && jid[0] != '\0' ? jid : NULL;
}

/* --- what goes ----------------------------------------------------------- */

void xf_stream_write_header(struct xf_xml_writer *w, const char *to,
                            const char *from)
{
    xf_buf_puts(w->buf, "<?xml version='1.0'?>");
    xf_xml_open(w, "stream:stream", XF_NS_CLIENT);
    xf_xml_attr(w, "xmlns:stream", XF_NS_STREAM);
    xf_xml_attr(w, "to", to);
    xf_xml_attr(w, "from", from);
    xf_xml_attr(w, "xml:lang", "en");
    xf_xml_attr(w, "version", "1.0");
    xf_xml_text(w, ""); /* the tag ends here, the element does not */
}

void xf_stream_write_close(struct xf_xml_writer *w)
{
    xf_xml_close(w, "stream:stream");
}

void xf_stream_write_error(struct xf_xml_writer *w, const char *condition)
{
    xf_xml_open(w, "stream:error", NULL);
    xf_xml_open(w, condition, XF_NS_STREAM_ERROR);
    xf_xml_end(w, condition);
    xf_xml_close(w, "stream:error");
    xf_stream_write_close(w);
}

const char *xf_stream_condition(enum xf_xml_fault fault)
{
    switch (fault) {
    case XF_XML_NOT_WELL_FORMED:
        return "not-well-formed";
    case XF_XML_RESTRICTED:
        return "restricted-xml";
    case XF_XML_POLICY_VIOLATION:
        return "policy-violation";
    case XF_XML_BAD_NAMESPACE:
        return "invalid-namespace";
    case XF_XML_NO_MEMORY:
        return "resource-constraint";
    case XF_XML_FINE:
        break;
    }
    return "undefined-condition";
}

void xf_stream_write_starttls(struct xf_xml_writer *w)
{
    xf_xml_open(w, "starttls", XF_NS_TLS);
    xf_xml_end(w, "starttls");
}

void xf_sasl_write_auth(struct xf_xml_writer *w, const char *mechanism,
                        const void *data, size_t len)
{
    xf_xml_open(w, "auth", XF_NS_SASL);
    xf_xml_attr(w, "mechanism", mechanism);
    if (data && len == 0)
        xf_xml_text(w, "="); /* an empty one is not none: RFC 6120, 6.4.2 */
    else if (data)
        xf_xml_base64(w, data, len);
    xf_xml_end(w, "auth");
}

void xf_sasl_write_response(struct xf_xml_writer *w, const void *data,
                            size_t len)
{
    xf_xml_open(w, "response", XF_NS_SASL);
    if (len > 0)
        xf_xml_base64(w, data, len);
    xf_xml_end(w, "response");
}

void xf_bind_write(struct xf_xml_writer *w, const char *id,
                   const char *resource)
{
    xf_iq_open(w, XF_IQ_SET, id, NULL, NULL);
    xf_xml_open(w, "bind", XF_NS_BIND);
    if (resource) {
        xf_xml_open(w, "resource", NULL);
        xf_xml_text(w, resource);
        xf_xml_close(w, "resource");
    }
    xf_xml_end(w, "bind");
    xf_xml_close(w, "iq");
}

void xf_roster_write_get(struct xf_xml_writer *w, const char *id)
{
    xf_iq_open(w, XF_IQ_GET, id, NULL, NULL);
    xf_xml_open(w, "query", XF_NS_ROSTER);
    xf_xml_end(w, "query");
    xf_xml_close(w, "iq");
}

static void write_priority(struct xf_xml_writer *w, int priority)
{
    unsigned size = (unsigned)(priority < 0 ? -priority : priority);

    xf_xml_open(w, "priority", NULL);
    xf_xml_text(w, priority < 0 ? "-" : "");
    xf_buf_printf(w->buf, "%u", size);
    xf_xml_close(w, "priority");
}

void xf_presence_write(struct xf_xml_writer *w, int priority, const char *node,
                       const char *ver)
{
    xf_xml_open(w, "presence", NULL);
    write_priority(w, priority);
    xf_xml_open(w, "c", XF_NS_CAPS);
    xf_xml_attr(w, "hash", "sha-1");
    xf_xml_attr(w, "node", node);
    xf_xml_attr(w, "ver", ver);
    xf_xml_end(w, "c");
    xf_xml_close(w, "presence");
}

void xf_presence_write_unavailable(struct xf_xml_writer *w)
{
    xf_xml_open(w, "presence", NULL);
    xf_xml_attr(w, "type", "unavailable");
    xf_xml_end(w, "presence");
}
