/*
 * The tables of resources and subscriptions. Reading presence and roster is
 * for others; so is sending the questions that choose() wants asked.
 */
#include "proto/contacts.h"

#include <stdint.h>
#include <string.h>

#include "base/jid.h"
#include "base/sys.h"
#include "proto/profile.h"
#include "xferry/error.h"

#define BUCKETS 1024u
#define RESOURCES_FIRST 16u

enum known { UNASKED, ASKED, KNOWN };

struct resource {
    char *jid;
    int priority;
    uint64_t since; /* larger: newer */
    enum known known;
    unsigned features;
    char *client_name;
    char *caps_node;
};

struct subscription {
    struct subscription *chain;
    char jid[];
};

struct xf_contacts {
    char own[XF_JID_MAX + 1];
    bool roster_read;

    struct subscription *buckets[BUCKETS];
    size_t subscriptions;

    struct resource *resources; /* in no order */
    size_t count, cap;
    uint64_t clock; /* counts arrivals */
};

/* --- life ---------------------------------------------------------------- */

struct xf_contacts *xf_contacts_new(void)
{
    return xf_sys_alloc(sizeof(struct xf_contacts));
}

static void remove_resource(struct xf_contacts *c, size_t i)
{
    xf_sys_free(c->resources[i].jid);
    xf_sys_free(c->resources[i].client_name);
    xf_sys_free(c->resources[i].caps_node);
    c->resources[i] = c->resources[--c->count];
}

static void forget_all(struct xf_contacts *c)
{
    while (c->count > 0)
        remove_resource(c, c->count - 1);
    for (size_t i = 0; i < BUCKETS; i++) {
        while (c->buckets[i]) {
            struct subscription *s = c->buckets[i];

            c->buckets[i] = s->chain;
            xf_sys_free(s);
        }
    }
    c->subscriptions = 0;
    c->roster_read = false;
}

void xf_contacts_free(struct xf_contacts *c)
{
    if (!c)
        return;
    forget_all(c);
    xf_sys_free(c->resources);
    xf_sys_free(c);
}

int xf_contacts_own(struct xf_contacts *c, const char *full_jid)
{
    size_t len = strnlen(full_jid, sizeof c->own);

    if (len == sizeof c->own || !xf_jid_is_full(full_jid))
        return XF_E_USAGE;
    forget_all(c);
    memcpy(c->own, full_jid, len + 1);
    return 0;
}

/* --- subscriptions ------------------------------------------------------- */

/* FNV-1a over the bare part. */
static struct subscription **bucket_of(const struct xf_contacts *c,
                                       const char *jid)
{
    size_t len = xf_jid_bare_len(jid);
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ (unsigned char)jid[i]) * 16777619u;
    return (struct subscription **)&c->buckets[hash % BUCKETS];
}

/* The link to it, or to NULL. */
static struct subscription **find_subscription(const struct xf_contacts *c,
                                               const char *jid)
{
    struct subscription **link = bucket_of(c, jid);

    while (*link && !xf_jid_same_bare((*link)->jid, jid))
        link = &(*link)->chain;
    return link;
}

static bool may_see(const struct xf_contacts *c, const char *jid)
{
    return xf_jid_same_bare(c->own, jid) || *find_subscription(c, jid) != NULL;
}

static int subscribe(struct xf_contacts *c, const char *jid,
                     struct subscription **link)
{
    size_t len = xf_jid_bare_len(jid);
    struct subscription *s;

    if (c->subscriptions >= XF_SUBSCRIPTIONS_MAX)
        return XF_E_BUSY;
    s = xf_sys_alloc(sizeof *s + len + 1);
    if (!s)
        return XF_E_LIMIT;
    memcpy(s->jid, jid, len);
    *link = s;
    c->subscriptions++;
    return 0;
}

static void unsubscribe(struct xf_contacts *c, struct subscription **link)
{
    struct subscription *s = *link;

    *link = s->chain;
    xf_sys_free(s);
    c->subscriptions--;
}

/* Once the roster is known, those we cannot see are not kept: presence sent
 * to us directly, by anybody, must not fill the table. */
static void drop_strangers(struct xf_contacts *c)
{
    for (size_t i = c->count; c->roster_read && i-- > 0;) {
        if (!may_see(c, c->resources[i].jid))
            remove_resource(c, i);
    }
}

int xf_contacts_subscription(struct xf_contacts *c, const char *bare_jid,
                             bool sees)
{
    struct subscription **link = find_subscription(c, bare_jid);

    if (sees)
        return *link ? 0 : subscribe(c, bare_jid, link);
    if (*link) {
        unsubscribe(c, link);
        drop_strangers(c);
    }
    return 0;
}

bool xf_contacts_sees(const struct xf_contacts *c, const char *jid)
{
    return may_see(c, jid);
}

void xf_contacts_roster_read(struct xf_contacts *c)
{
    c->roster_read = true;
    drop_strangers(c);
}

/* --- resources ----------------------------------------------------------- */

static struct resource *find(const struct xf_contacts *c, const char *full_jid)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->resources[i].jid, full_jid) == 0)
            return &c->resources[i];
    }
    return NULL;
}

static size_t count_of(const struct xf_contacts *c, const char *jid)
{
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        if (xf_jid_same_bare(c->resources[i].jid, jid))
            count++;
    }
    return count;
}

static int grow(struct xf_contacts *c)
{
    size_t cap = c->cap > 0 ? 2 * c->cap : RESOURCES_FIRST;
    struct resource *more;

    if (c->count < c->cap)
        return 0;
    more = xf_sys_resize(c->resources, cap * sizeof *more);
    if (!more)
        return XF_E_LIMIT;
    c->resources = more;
    c->cap = cap;
    return 0;
}

static int add(struct xf_contacts *c, const char *full_jid, int priority)
{
    char *jid;

    if (c->count >= XF_RESOURCES_MAX ||
        count_of(c, full_jid) >= XF_RESOURCES_PER_CONTACT)
        return XF_E_BUSY;
    if (grow(c) != 0 || !(jid = xf_sys_strdup(full_jid)))
        return XF_E_LIMIT;
    c->resources[c->count++] = (struct resource){ .jid = jid,
                                                  .priority = priority,
                                                  .since = ++c->clock };
    return 0;
}

int xf_contacts_available(struct xf_contacts *c, const char *full_jid,
                          int priority)
{
    struct resource *r = find(c, full_jid);

    if (r) {
        r->priority = priority;
        return 0;
    }
    if (!xf_jid_is_full(full_jid) || (c->roster_read && !may_see(c, full_jid)))
        return 0;
    return add(c, full_jid, priority);
}

/* Presence may tell it again and again: mostly the same. */
void xf_contacts_caps(struct xf_contacts *c, const char *full_jid,
                      const char *node)
{
    struct resource *r = find(c, full_jid);

    if (!r || (node && r->caps_node && strcmp(node, r->caps_node) == 0))
        return;
    xf_sys_free(r->caps_node);
    r->caps_node = NULL;
    if (node && strlen(node) <= XF_CLIENT_NAME_MAX)
        r->caps_node = xf_sys_strdup(node);
}

const char *xf_contacts_caps_node(const struct xf_contacts *c,
                                  const char *full_jid)
{
    const struct resource *r = find(c, full_jid);

    return r ? r->caps_node : NULL;
}

void xf_contacts_gone(struct xf_contacts *c, const char *jid)
{
    bool all = !xf_jid_is_full(jid);

    for (size_t i = c->count; i-- > 0;) {
        const char *present = c->resources[i].jid;

        if (all ? xf_jid_same_bare(present, jid) : strcmp(present, jid) == 0)
            remove_resource(c, i);
    }
}

bool xf_contacts_online(const struct xf_contacts *c, const char *full_jid)
{
    return find(c, full_jid) != NULL;
}

/* --- what they can ------------------------------------------------------- */

void xf_contacts_asked(struct xf_contacts *c, const char *full_jid)
{
    struct resource *r = find(c, full_jid);

    if (r && r->known == UNASKED)
        r->known = ASKED;
}

/* The name is for display and for the row of proto/profile only, so one that
 * is too long or finds no memory is as good as none. */
void xf_contacts_answered(struct xf_contacts *c, const char *full_jid,
                          unsigned features, const char *client_name)
{
    struct resource *r = find(c, full_jid);

    if (!r)
        return;
    r->known = KNOWN;
    r->features = features | XF_FEATURE_KNOWN;
    xf_sys_free(r->client_name);
    r->client_name = NULL;
    if (client_name && strlen(client_name) <= XF_CLIENT_NAME_MAX)
        r->client_name = xf_sys_strdup(client_name);
}

void xf_contacts_unanswered(struct xf_contacts *c, const char *full_jid)
{
    struct resource *r = find(c, full_jid);

    if (r && r->known != KNOWN)
        r->known = KNOWN;
}

unsigned xf_contacts_features(const struct xf_contacts *c, const char *full_jid,
                              const char **client_name)
{
    const struct resource *r = find(c, full_jid);

    *client_name = r ? r->client_name : NULL;
    return r ? r->features : 0;
}

/* --- the choice ---------------------------------------------------------- */

static bool takes_files(const struct resource *r)
{
    return r->known == KNOWN && (r->features & XF_FEATURE_SI_FILE);
}

static bool is_better(const struct resource *a, const struct resource *b)
{
    bool a_ours = a->features & XF_FEATURE_XFERRY;
    bool b_ours = b->features & XF_FEATURE_XFERRY;

    if (a->priority != b->priority)
        return a->priority > b->priority;
    if (a_ours != b_ours)
        return a_ours;
    return a->since > b->since;
}

static bool comes_before(const struct resource *a, const struct resource *b)
{
    if (takes_files(a) != takes_files(b))
        return takes_files(a);
    return is_better(a, b);
}

size_t xf_contacts_list(const struct xf_contacts *c, const char *bare_jid,
                        struct xf_resource out[XF_RESOURCES_PER_CONTACT])
{
    const struct resource *sorted[XF_RESOURCES_PER_CONTACT];
    size_t count = 0;

    for (size_t i = 0; i < c->count; i++) {
        const struct resource *r = &c->resources[i];
        size_t at = count;

        if (!xf_jid_same_bare(r->jid, bare_jid) || strcmp(r->jid, c->own) == 0)
            continue;
        for (; at > 0 && comes_before(r, sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = r;
        count++;
    }
    for (size_t i = 0; i < count; i++)
        out[i] = (struct xf_resource){ sorted[i]->jid,
                                       sorted[i]->priority,
                                       sorted[i]->known != UNASKED,
                                       sorted[i]->known == KNOWN,
                                       sorted[i]->features,
                                       sorted[i]->client_name };
    return count;
}

static const struct resource *best_of(const struct xf_contacts *c,
                                      const char *bare_jid, size_t *online)
{
    const struct resource *best = NULL;

    *online = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct resource *r = &c->resources[i];

        if (!xf_jid_same_bare(r->jid, bare_jid) || strcmp(r->jid, c->own) == 0)
            continue;
        ++*online;
        if (takes_files(r) && (!best || is_better(r, best)))
            best = r;
    }
    return best;
}

/* Those not known that would win over `best` if they turned out well. */
static void find_doubts(const struct xf_contacts *c, const char *bare_jid,
                        const struct resource *best, struct xf_choice *out)
{
    bool waiting = false;

    for (size_t i = 0; i < c->count; i++) {
        const struct resource *r = &c->resources[i];

        if (r->known == KNOWN || !xf_jid_same_bare(r->jid, bare_jid) ||
            strcmp(r->jid, c->own) == 0)
            continue;
        if (best && r->priority < best->priority)
            continue;
        if (r->known == ASKED)
            waiting = true;
        else
            out->jids[out->count++] = r->jid;
    }
    if (out->count > 0)
        out->kind = XF_CHOICE_ASK;
    else if (waiting)
        out->kind = XF_CHOICE_WAIT;
}

void xf_contacts_choose(const struct xf_contacts *c, const char *bare_jid,
                        struct xf_choice *out)
{
    size_t online;
    const struct resource *best = best_of(c, bare_jid, &online);

    *out = (struct xf_choice){ .kind = XF_CHOICE_OFFLINE };
    if (online == 0) {
        if (c->roster_read && !may_see(c, bare_jid))
            out->kind = XF_CHOICE_NOT_SUBSCRIBED;
        return;
    }
    out->kind = best ? XF_CHOICE_FOUND : XF_CHOICE_UNABLE;
    find_doubts(c, bare_jid, best, out);
    if (best && out->kind == XF_CHOICE_FOUND)
        out->jids[out->count++] = best->jid;
}
