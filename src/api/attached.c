/* A session on somebody else's connection: stanzas out and in by the face. */
#include <string.h>

#include "api/route.h"
#include "api/session.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "proto/disco.h"

/* Of what we announce on a connection of our own, what we answer here, too. */
const char *xf_feature(size_t i)
{
    static const char *const features[] = {
        XF_NS_BYTESTREAMS, XF_NS_FEATURE_NEG, XF_NS_IBB,
        XF_NS_SI,          XF_NS_SI_FILE,     XF_NS_XFERRY,
    };

    return i < sizeof features / sizeof *features ? features[i] : NULL;
}

/* Whose proxies to look for; an account in the configuration says it, too. */
static bool use_domain(struct xf_session *s, const char *jid)
{
    char domain[XF_JID_PART_MAX + 1];
    struct xf_proxies *proxies;

    if (s->set.account)
        return true;
    xf_jid_domain(jid, domain);
    proxies = xf_proxies_new((const char *const *)s->set.proxies, domain);
    if (!proxies)
        return false;
    xf_proxies_free(s->proxies);
    s->proxies = proxies;
    return true;
}

int xf_session_attach(struct xf_session *s, const char *full_jid)
{
    char jid[XF_JID_MAX + 1];
    struct xf_error_info lost;

    if (s->con)
        return XF_E_USAGE;
    if (!full_jid && !s->online)
        return 0;
    if (!full_jid) {
        xf_err_set(&lost, XF_E_STREAM, "the connection was lost");
        xf_session_away(s, &lost);
        xf_events_offline(s, &lost);
        /* They belong to that connection; the next one knows no such ids. */
        xf_stanzas_clear(s);
        s->queued = 0;
        return 0;
    }
    if (xf_jid_prep(full_jid, jid) != 0 || !xf_jid_is_full(jid))
        return XF_E_USAGE;
    if (s->online && strcmp(s->jid, jid) == 0)
        return 0;
    if (s->online)
        (void)xf_session_attach(s, NULL);
    if (!use_domain(s, jid))
        return XF_E_LIMIT;
    xf_session_online(s, jid);
    xf_session_tick(s);
    return 0;
}

int xf_session_feed(struct xf_session *s, const char *xml, size_t len)
{
    struct xf_el *el;
    struct xf_xml_doc *doc = xf_xml_parse(xml, len, &el);
    bool ours;

    if (!doc)
        return -XF_E_PROTO;
    ours = s->online && xf_route_attached(s, el);
    xf_xml_doc_free(doc);
    xf_session_tick(s);
    return ours;
}

const char *xf_session_next_stanza(struct xf_session *s, size_t *len)
{
    struct xf_stanza_out *one = s->stanzas;

    xf_sys_free(s->taken);
    s->taken = one;
    if (!one)
        return NULL;
    s->stanzas = one->next;
    if (!s->stanzas) {
        s->stanzas_last = &s->stanzas;
        xf_session_tick_soon(s); /* blocks in messages wait for this room */
    }
    *len = one->len;
    return one->text;
}

size_t xf_session_stanzas_waiting(const struct xf_session *s)
{
    size_t bytes = 0;

    for (const struct xf_stanza_out *o = s->stanzas; o; o = o->next)
        bytes += o->len;
    return bytes;
}

void xf_session_set_queued(struct xf_session *s, size_t bytes)
{
    s->queued = bytes;
    xf_session_tick(s);
}

void xf_session_set_stanza_limit(struct xf_session *s, size_t bytes)
{
    s->stanza_limit = bytes;
}
