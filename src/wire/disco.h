/*
 * Who is there and what it can do: service discovery (XEP-0030), entity
 * capabilities (XEP-0115), software version (XEP-0092), ping (XEP-0199), and
 * presence and roster as they come (RFC 6121). What follows from it is for
 * proto/disco, proto/contacts and proto/proxies.
 *
 * Strings that are read belong to the element.
 */
#ifndef XF_WIRE_DISCO_H
#define XF_WIRE_DISCO_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/disco.h"
#include "proto/profile.h"
#include "wire/iq.h"

/* --- info --------------------------------------------------------------- */

struct xf_disco_info {
    unsigned features; /* XF_FEATURE_ bits, XF_FEATURE_KNOWN included */
    bool is_proxy;     /* an identity proxy/bytestreams */
    const char *category, *type, *name; /* first identity, or NULL */
    const char *node;                   /* as echoed, or NULL */
};

/* From the result iq; false when it carries no disco#info. */
bool xf_disco_read_info(const struct xf_el *iq, struct xf_disco_info *out);

void xf_disco_write_info_get(struct xf_xml_writer *w, const char *id,
                             const char *to, const char *from,
                             const char *node);

/* Ours, in answer to a get: a whole stanza, the node echoed. */
void xf_disco_write_info(struct xf_xml_writer *w,
                         const struct xf_stanza_head *request,
                         const struct xf_identity *identity,
                         const char *const *features, size_t count);

/* --- items -------------------------------------------------------------- */

#define XF_DISCO_ITEMS_MAX 64 /* further ones are not asked */

/* From the result iq; returns how many JIDs there are. */
size_t xf_disco_read_items(const struct xf_el *iq,
                           const char *jids[XF_DISCO_ITEMS_MAX]);
void xf_disco_write_items_get(struct xf_xml_writer *w, const char *id,
                              const char *to, const char *from);
/* We have none: a whole stanza, node echoed. */
void xf_disco_write_items(struct xf_xml_writer *w,
                          const struct xf_stanza_head *request);

/* --- version, ping ------------------------------------------------------ */

struct xf_version_info {
    const char *name, *version; /* or NULL */
};

bool xf_version_read(const struct xf_el *iq, struct xf_version_info *out);
void xf_version_write_get(struct xf_xml_writer *w, const char *id,
                          const char *to, const char *from);
/* A whole stanza; the operating system is nobody's business. */
void xf_version_write(struct xf_xml_writer *w,
                      const struct xf_stanza_head *request, const char *name,
                      const char *version);

void xf_ping_write(struct xf_xml_writer *w, const char *id, const char *to,
                   const char *from);
/* One with so much text in it, to see how long it takes. NULL: none. */
void xf_ping_write_padded(struct xf_xml_writer *w, const char *id,
                          const char *to, const char *from,
                          const char *padding);

/* --- presence, roster --------------------------------------------------- */

enum xf_presence_kind {
    XF_PRESENCE_AVAILABLE,
    XF_PRESENCE_UNAVAILABLE,
    XF_PRESENCE_ERROR,
    XF_PRESENCE_OTHER, /* about subscriptions, or unknown */
};

struct xf_presence {
    enum xf_presence_kind kind;
    int priority; /* -128 .. 127; 0 when it is not said or not readable */
    /* caps; NULL unless all three are there */
    const char *hash, *node, *ver;
};

void xf_presence_read(const struct xf_el *presence, struct xf_presence *out);

struct xf_roster_item {
    const char *jid;
    const char *subscription; /* "none", "to", "from", "both", "remove" */
};

/*
 * One after the other: `last` is NULL at first, then what was returned; NULL
 * is the end. Reads results and pushes; items without a JID are skipped.
 */
const struct xf_el *xf_roster_read(const struct xf_el *iq,
                                   const struct xf_el *last,
                                   struct xf_roster_item *out);

#endif
