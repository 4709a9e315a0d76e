/* Rules and users, each found by its JID. */
#include "proto/proxy_access.h"

#include <assert.h>
#include <string.h>

#include "base/jid.h"
#include "base/sys.h"
#include "xferry/error.h"

/* --- who ------------------------------------------------------------------ */

struct rule {
    struct xf_map_item item;
    struct xf_quota quota;
    bool refuse;
    char jid[];
};

static struct rule *rule_of(struct xf_map_item *item)
{
    return (struct rule *)item; /* its first member */
}

void xf_access_init(struct xf_access *a, const uint64_t secret[2])
{
    xf_map_init(&a->rules, secret);
}

void xf_access_clear(struct xf_access *a)
{
    struct xf_map_item *item = xf_map_next(&a->rules, NULL);

    while (item) {
        struct xf_map_item *next = xf_map_next(&a->rules, item);

        xf_sys_free(rule_of(item));
        item = next;
    }
    xf_map_clear(&a->rules);
}

int xf_access_add(struct xf_access *a, const char *jid, bool refuse,
                  const struct xf_quota *quota)
{
    char prepared[XF_JID_MAX + 1];
    struct xf_map_item *item;
    struct rule *rule;
    size_t len;

    if (xf_jid_prep(jid, prepared) != 0)
        return XF_E_USAGE;
    len = strlen(prepared);
    item = xf_map_find(&a->rules, prepared, len);
    if (item) {
        rule_of(item)->refuse = refuse;
        rule_of(item)->quota = *quota;
        return 0;
    }
    rule = xf_sys_alloc(sizeof *rule + len + 1);
    if (!rule)
        return XF_E_LIMIT;
    memcpy(rule->jid, prepared, len + 1);
    rule->refuse = refuse;
    rule->quota = *quota;
    if (xf_map_add(&a->rules, &rule->item, rule->jid, len))
        return 0;
    xf_sys_free(rule);
    return XF_E_LIMIT;
}

/* The domain within a prepared JID. */
static const char *domain_in(const char *jid, size_t *len)
{
    const char *domain = xf_jid_has_local(jid) ? strchr(jid, '@') + 1 : jid;

    *len = xf_jid_bare_len(domain);
    return domain;
}

const struct xf_quota *xf_access_look(const struct xf_access *a,
                                      const char *jid)
{
    struct xf_map_item *item = xf_map_find(&a->rules, jid, strlen(jid));
    size_t len;
    const char *domain = domain_in(jid, &len);

    if (!xf_jid_has_local(jid) && !xf_jid_is_full(jid))
        return NULL; /* a server */
    if (!item && xf_jid_has_local(jid))
        item = xf_map_find(&a->rules, jid, xf_jid_bare_len(jid));
    if (!item && xf_jid_has_local(jid))
        item = xf_map_find(&a->rules, domain, len);
    return item && !rule_of(item)->refuse ? &rule_of(item)->quota : NULL;
}

/* --- how much -------------------------------------------------------------- */

static struct xf_user *user_of(struct xf_map_item *item)
{
    return (struct xf_user *)item; /* its first member */
}

void xf_usage_init(struct xf_usage *u, const uint64_t secret[2])
{
    *u = (struct xf_usage){ .next_group = 1 };
    xf_map_init(&u->users, secret);
}

void xf_usage_clear(struct xf_usage *u)
{
    struct xf_map_item *item = xf_map_next(&u->users, NULL);

    while (item) {
        struct xf_map_item *next = xf_map_next(&u->users, item);

        xf_sys_free(user_of(item));
        item = next;
    }
    xf_map_clear(&u->users);
}

static void forget_idle(struct xf_usage *u, struct xf_user *user)
{
    if (!user || user->pairs > 0 || user->bytes > 0)
        return;
    xf_map_remove(&u->users, &user->item);
    xf_sys_free(user);
}

/* A new day: what was used is forgotten, and who uses nothing is too. A clock
 * that is set back makes a new day as well, and only one. */
static void turn_day(struct xf_usage *u, int64_t day)
{
    struct xf_map_item *item = xf_map_next(&u->users, NULL);

    if (day == u->day)
        return;
    u->day = day;
    while (item) {
        struct xf_map_item *next = xf_map_next(&u->users, item);

        user_of(item)->bytes = 0;
        forget_idle(u, user_of(item));
        item = next;
    }
}

static struct xf_user *find(const struct xf_usage *u, const char *name,
                            size_t len)
{
    struct xf_map_item *item = xf_map_find(&u->users, name, len);

    return item ? user_of(item) : NULL;
}

/*
 * A bare JID without a local part would be the same name as its domain: who is
 * no user, by a rule of his own, is counted by his full JID.
 */
static size_t name_len(const char *jid)
{
    return xf_jid_has_local(jid) ? xf_jid_bare_len(jid) : strlen(jid);
}

static enum xf_usage_verdict judge(const struct xf_user *user, uint32_t pairs,
                                   uint64_t bytes)
{
    if (!user)
        return XF_USAGE_FINE;
    if (pairs > 0 && user->pairs >= pairs)
        return XF_USAGE_PAIRS;
    return bytes > 0 && user->bytes >= bytes ? XF_USAGE_BYTES : XF_USAGE_FINE;
}

enum xf_usage_verdict xf_usage_look(struct xf_usage *u, const char *jid,
                                    const struct xf_quota *quota, int64_t day)
{
    size_t len;
    const char *domain = domain_in(jid, &len);
    enum xf_usage_verdict verdict;

    turn_day(u, day);
    verdict =
        judge(find(u, jid, name_len(jid)), quota->jid_pairs, quota->jid_bytes);
    if (verdict == XF_USAGE_FINE)
        verdict = judge(find(u, domain, len), quota->domain_pairs,
                        quota->domain_bytes);
    return verdict;
}

static struct xf_user *find_or_make(struct xf_usage *u, const char *name,
                                    size_t len)
{
    struct xf_user *user = find(u, name, len);

    if (user)
        return user;
    if (u->users.count >= XF_USERS_MAX)
        return NULL;
    user = xf_sys_alloc(sizeof *user + len + 1);
    if (!user)
        return NULL;
    memcpy(user->name, name, len);
    if (!xf_map_add(&u->users, &user->item, user->name, len)) {
        xf_sys_free(user);
        return NULL;
    }
    user->group = u->next_group++;
    return user;
}

enum xf_usage_verdict xf_usage_enter(struct xf_usage *u, const char *jid,
                                     const struct xf_quota *quota, int64_t day,
                                     struct xf_user **out)
{
    enum xf_usage_verdict verdict = xf_usage_look(u, jid, quota, day);
    size_t len;
    const char *name = domain_in(jid, &len);
    struct xf_user *domain, *user;

    *out = NULL;
    if (verdict != XF_USAGE_FINE)
        return verdict;
    domain = find_or_make(u, name, len);
    user = domain ? find_or_make(u, jid, name_len(jid)) : NULL;
    if (!user) {
        forget_idle(u, domain);
        return XF_USAGE_FULL;
    }
    user->domain = domain;
    user->pairs++;
    domain->pairs++;
    *out = user;
    return XF_USAGE_FINE;
}

bool xf_usage_moved(struct xf_usage *u, struct xf_user *user, uint64_t bytes,
                    const struct xf_quota *quota, int64_t day)
{
    turn_day(u, day);
    user->bytes += bytes;
    user->domain->bytes += bytes;
    return (quota->jid_bytes > 0 && user->bytes >= quota->jid_bytes) ||
           (quota->domain_bytes > 0 &&
            user->domain->bytes >= quota->domain_bytes);
}

void xf_usage_leave(struct xf_usage *u, struct xf_user *user)
{
    struct xf_user *domain = user->domain;

    assert(user->pairs > 0 && domain->pairs > 0);
    user->pairs--;
    domain->pairs--;
    forget_idle(u, user);
    forget_idle(u, domain);
}
