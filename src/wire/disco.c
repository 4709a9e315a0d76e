/* Discovery, caps, version, ping, presence, roster: read and written. */
#include "wire/disco.h"

#include <string.h>

#include "base/encode.h"
#include "wire/ns.h"

static bool same(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

/* A get with nothing but <name xmlns='ns' [node='']/> in it. */
static void write_get(struct xf_xml_writer *w, const char *id, const char *to,
                      const char *from, const char *name, const char *ns,
                      const char *node)
{
    xf_iq_open(w, XF_IQ_GET, id, to, from);
    xf_xml_open(w, name, ns);
    xf_xml_attr(w, "node", node);
    xf_xml_end(w, name);
    xf_xml_close(w, "iq");
}

static void open_query(struct xf_xml_writer *w,
                       const struct xf_stanza_head *request, const char *ns)
{
    xf_iq_open_result(w, request);
    xf_xml_open(w, "query", ns);
    xf_xml_attr(w, "node", xf_el_attr(request->payload, "node"));
}

static void close_query(struct xf_xml_writer *w)
{
    xf_xml_end(w, "query");
    xf_xml_close(w, "iq");
}

/* --- info ---------------------------------------------------------------- */

static void read_identities(const struct xf_el *query,
                            struct xf_disco_info *out)
{
    const struct xf_el *i = xf_el_child(query, "identity", XF_NS_DISCO_INFO);

    out->category = xf_el_attr(i, "category");
    out->type = xf_el_attr(i, "type");
    out->name = xf_el_attr(i, "name");
    for (; i; i = xf_el_next(i, "identity", XF_NS_DISCO_INFO)) {
        if (same(xf_el_attr(i, "category"), "proxy") &&
            same(xf_el_attr(i, "type"), "bytestreams"))
            out->is_proxy = true;
    }
}

bool xf_disco_read_info(const struct xf_el *iq, struct xf_disco_info *out)
{
    const struct xf_el *query = xf_el_child(iq, "query", XF_NS_DISCO_INFO);
    const struct xf_el *f = xf_el_child(query, "feature", XF_NS_DISCO_INFO);

    *out = (struct xf_disco_info){ .features = 0 };
    if (!query)
        return false;
    out->features = XF_FEATURE_KNOWN;
    out->node = xf_el_attr(query, "node");
    read_identities(query, out);
    for (; f; f = xf_el_next(f, "feature", XF_NS_DISCO_INFO)) {
        const char *var = xf_el_attr(f, "var");

        if (var)
            out->features |= xf_disco_bit(var);
    }
    return true;
}

void xf_disco_write_info_get(struct xf_xml_writer *w, const char *id,
                             const char *to, const char *from, const char *node)
{
    write_get(w, id, to, from, "query", XF_NS_DISCO_INFO, node);
}

void xf_disco_write_info(struct xf_xml_writer *w,
                         const struct xf_stanza_head *request,
                         const struct xf_identity *identity,
                         const char *const *features, size_t count)
{
    open_query(w, request, XF_NS_DISCO_INFO);
    xf_xml_open(w, "identity", NULL);
    xf_xml_attr(w, "category", identity->category);
    xf_xml_attr(w, "type", identity->type);
    xf_xml_attr(w, "xml:lang", identity->lang);
    xf_xml_attr(w, "name", identity->name);
    xf_xml_end(w, "identity");
    for (size_t i = 0; i < count; i++) {
        xf_xml_open(w, "feature", NULL);
        xf_xml_attr(w, "var", features[i]);
        xf_xml_end(w, "feature");
    }
    close_query(w);
}

/* --- items --------------------------------------------------------------- */

size_t xf_disco_read_items(const struct xf_el *iq,
                           const char *jids[XF_DISCO_ITEMS_MAX])
{
    const struct xf_el *query = xf_el_child(iq, "query", XF_NS_DISCO_ITEMS);
    const struct xf_el *i = xf_el_child(query, "item", XF_NS_DISCO_ITEMS);
    size_t count = 0;

    for (; i && count < XF_DISCO_ITEMS_MAX;
         i = xf_el_next(i, "item", XF_NS_DISCO_ITEMS)) {
        const char *jid = xf_el_attr(i, "jid");

        /* An item with a node is a part of a service, not a service. */
        if (jid && jid[0] != '\0' && !xf_el_attr(i, "node"))
            jids[count++] = jid;
    }
    return count;
}

void xf_disco_write_items_get(struct xf_xml_writer *w, const char *id,
                              const char *to, const char *from)
{
    write_get(w, id, to, from, "query", XF_NS_DISCO_ITEMS, NULL);
}

void xf_disco_write_items(struct xf_xml_writer *w,
                          const struct xf_stanza_head *request)
{
    open_query(w, request, XF_NS_DISCO_ITEMS);
    close_query(w);
}

/* --- version, ping ------------------------------------------------------- */

bool xf_version_read(const struct xf_el *iq, struct xf_version_info *out)
{
    const struct xf_el *query = xf_el_child(iq, "query", XF_NS_VERSION);

    out->name = xf_el_child_text(query, "name", XF_NS_VERSION);
    out->version = xf_el_child_text(query, "version", XF_NS_VERSION);
    return query;
}

void xf_version_write_get(struct xf_xml_writer *w, const char *id,
                          const char *to, const char *from)
{
    write_get(w, id, to, from, "query", XF_NS_VERSION, NULL);
}

void xf_version_write(struct xf_xml_writer *w,
                      const struct xf_stanza_head *request, const char *name,
                      const char *version)
{
    xf_iq_open_result(w, request);
    xf_xml_open(w, "query", XF_NS_VERSION);
    xf_xml_open(w, "name", NULL);
    xf_xml_text(w, name);
    xf_xml_close(w, "name");
    xf_xml_open(w, "version", NULL);
    xf_xml_text(w, version);
    xf_xml_close(w, "version");
    close_query(w);
}

void xf_ping_write(struct xf_xml_writer *w, const char *id, const char *to,
                   const char *from)
{
    write_get(w, id, to, from, "ping", XF_NS_PING, NULL);
}

void xf_ping_write_padded(struct xf_xml_writer *w, const char *id,
                          const char *to, const char *from, const char *padding)
{
    xf_iq_open(w, XF_IQ_GET, id, to, from);
    xf_xml_open(w, "ping", XF_NS_PING);
    if (padding)
        xf_xml_text(w, padding);
    xf_xml_end(w, "ping");
    xf_xml_close(w, "iq");
}

/* --- presence, roster ---------------------------------------------------- */

static enum xf_presence_kind presence_kind(const char *type)
{
    if (!type)
        return XF_PRESENCE_AVAILABLE;
    if (strcmp(type, "unavailable") == 0)
        return XF_PRESENCE_UNAVAILABLE;
    return strcmp(type, "error") == 0 ? XF_PRESENCE_ERROR : XF_PRESENCE_OTHER;
}

static int read_priority(const char *text)
{
    bool negative = text && text[0] == '-';
    uint64_t size;

    if (!text || !xf_read_uint(text + negative, negative ? 128 : 127, &size))
        return 0;
    return negative ? -(int)size : (int)size;
}

void xf_presence_read(const struct xf_el *presence, struct xf_presence *out)
{
    const struct xf_el *c = xf_el_child(presence, "c", XF_NS_CAPS);

    *out = (struct xf_presence){
        .kind = presence_kind(xf_el_attr(presence, "type")),
        .priority =
            read_priority(xf_el_child_text(presence, "priority", XF_NS_CLIENT)),
    };
    if (xf_el_attr(c, "hash") && xf_el_attr(c, "node") &&
        xf_el_attr(c, "ver")) {
        out->hash = xf_el_attr(c, "hash");
        out->node = xf_el_attr(c, "node");
        out->ver = xf_el_attr(c, "ver");
    }
}

const struct xf_el *xf_roster_read(const struct xf_el *iq,
                                   const struct xf_el *last,
                                   struct xf_roster_item *out)
{
    const struct xf_el *query = xf_el_child(iq, "query", XF_NS_ROSTER);
    const struct xf_el *i = last ? xf_el_next(last, "item", XF_NS_ROSTER)
                                 : xf_el_child(query, "item", XF_NS_ROSTER);

    for (; i; i = xf_el_next(i, "item", XF_NS_ROSTER)) {
        const char *subscription = xf_el_attr(i, "subscription");

        out->jid = xf_el_attr(i, "jid");
        out->subscription = subscription ? subscription : "none";
        if (out->jid && out->jid[0] != '\0')
            return i;
    }
    return NULL;
}
