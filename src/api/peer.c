/* What peers have shown, remembered for the session; see the header. */
#include "api/peer.h"

#include <string.h>

#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/disco.h"

#define VERSION_MS 3000 /* for the answer to "which version?" */

static struct xf_known_peer *find(const struct xf_session *s, const char *jid)
{
    for (struct xf_known_peer *p = s->peers; p; p = p->next)
        if (strcmp(p->jid, jid) == 0)
            return p;
    return NULL;
}

static void drop(struct xf_known_peer **at)
{
    struct xf_known_peer *p = *at;

    *at = p->next;
    xf_sys_free(p);
}

/* The newest is the first; the oldest makes room. Without memory all is
 * shown once more, to the next transfer. */
static struct xf_known_peer *remember(struct xf_session *s, const char *jid)
{
    struct xf_known_peer *p = find(s, jid), **at;
    size_t len = strlen(jid) + 1, count = 0;

    if (p)
        return p;
    p = xf_sys_alloc(sizeof *p + len);
    if (!p)
        return NULL;
    memcpy(p->jid, jid, len);
    xf_evidence_init(&p->evidence);
    p->next = s->peers;
    s->peers = p;
    for (at = &s->peers; *at && count < XF_KNOWN_PEERS_MAX; at = &(*at)->next)
        count++;
    if (*at)
        drop(at);
    return p;
}

void xf_peer_forget(struct xf_session *s, const char *jid)
{
    struct xf_known_peer **at = &s->peers;

    while (*at) {
        const char *known = (*at)->jid;

        if (!jid || strcmp(known, jid) == 0 ||
            (!xf_jid_is_full(jid) && xf_jid_same_bare(known, jid)))
            drop(at);
        else
            at = &(*at)->next;
    }
}

/* --- looking ------------------------------------------------------------- */

void xf_peer_look(const struct xf_session *s, const char *full_jid,
                  struct xf_evidence *out)
{
    const struct xf_known_peer *p = find(s, full_jid);
    struct xf_fact caps = { .kind = XF_FACT_CAPS };
    struct xf_fact identity = { .kind = XF_FACT_IDENTITY };

    xf_evidence_init(out);
    if (s->set.dialect) {
        xf_evidence_force(out, s->set.dialect);
        return;
    }
    if (p)
        *out = p->evidence;
    caps.text = xf_contacts_caps_node(s->contacts, full_jid);
    if (caps.text)
        (void)xf_evidence_feed(out, &caps);
    identity.features =
        xf_contacts_features(s->contacts, full_jid, &identity.text);
    if (identity.features & XF_FEATURE_KNOWN)
        (void)xf_evidence_feed(out, &identity);
}

void xf_peer_begin(struct xf_transfer *t)
{
    const struct xf_known_peer *p = find(t->s, t->peer);
    const char *name;

    t->features = xf_contacts_features(t->s->contacts, t->peer, &name);
    xf_peer_look(t->s, t->peer, &t->evidence);
    t->profile = t->evidence.profile;
    t->one_block = p && p->one_block;
}

void xf_peer_shown(struct xf_transfer *t, const struct xf_fact *fact)
{
    struct xf_known_peer *p;

    if (fact->kind == XF_FACT_IDENTITY)
        t->features = fact->features;
    (void)xf_evidence_feed(&t->evidence, fact);
    t->profile = t->evidence.profile;
    if (!t->s->set.dialect && (p = remember(t->s, t->peer)) != NULL)
        p->evidence = t->evidence;
}

void xf_peer_mixed_up(struct xf_transfer *t)
{
    struct xf_known_peer *p = remember(t->s, t->peer);

    t->one_block = t->again = true;
    if (p)
        p->one_block = true;
}

uint32_t xf_peer_window(const struct xf_transfer *t)
{
    return t->one_block ? 1 : t->profile->ibb_window;
}

/* --- asking -------------------------------------------------------------- */

static void version_came(void *ctx, const struct xf_stanza_head *reply,
                         const struct xf_stanza_error *error)
{
    struct xf_transfer *t = ctx;
    struct xf_version_info info;
    struct xf_fact fact = { .kind = XF_FACT_VERSION };

    if (!error && xf_version_read(reply->el, &info) && info.name) {
        fact.text = info.name;
        fact.version = info.version;
        xf_peer_shown(t, &fact);
    }
    t->version_asked(t);
}

bool xf_peer_ask_version(struct xf_transfer *t,
                         void (*fn)(struct xf_transfer *t))
{
    struct xf_session *s = t->s;
    char id[XF_SID_MAX + 1];

    if (!xf_evidence_is_open(&t->evidence) ||
        !(t->features & XF_FEATURE_VERSION))
        return false;
    t->version_asked = fn;
    xf_version_write_get(xf_stanza_begin(s, id), id, t->peer, s->jid);
    return xf_stanza_request(s, id, t->peer, xf_now(s) + VERSION_MS, false,
                             version_came, t) == 0;
}
