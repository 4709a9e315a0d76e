/*
 * The search for proxies; its picture is in the header. Writing the questions
 * and reading the answers is wire/disco and wire/s5b.
 */
#include "proto/proxies.h"

#include <string.h>

#include "base/jid.h"
#include "base/sys.h"

#define SERVICES_MAX (XF_PROXIES_MAX + XF_PROXY_ITEMS_MAX)

/* What becomes of one service; TO_ are for xf_proxies_next() to ask. */
enum step { TO_INFO, INFO_ASKED, TO_ADDRESS, ADDRESS_ASKED, OVER };

struct host {
    char *jid, *host;
    uint16_t port;
};

struct service {
    char *jid;
    enum step step;
    bool asked; /* where it is */
    size_t count;
    struct host hosts[XF_PROXY_HOSTS_MAX];
};

struct xf_proxies {
    char *configured[XF_PROXIES_MAX];
    size_t configured_count;
    char *domain;

    bool begun, items_to_ask, items_asked;
    int64_t since;
    struct service services[SERVICES_MAX];
    size_t count;
};

/* --- life ---------------------------------------------------------------- */

static void forget_services(struct xf_proxies *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct service *s = &p->services[i];

        for (size_t j = 0; j < s->count; j++) {
            xf_sys_free(s->hosts[j].jid);
            xf_sys_free(s->hosts[j].host);
        }
        xf_sys_free(s->jid);
    }
    memset(p->services, 0, sizeof p->services);
    p->count = 0;
    p->items_to_ask = p->items_asked = false;
}

void xf_proxies_free(struct xf_proxies *p)
{
    if (!p)
        return;
    forget_services(p);
    for (size_t i = 0; i < p->configured_count; i++)
        xf_sys_free(p->configured[i]);
    xf_sys_free(p->domain);
    xf_sys_free(p);
}

struct xf_proxies *xf_proxies_new(const char *const *configured,
                                  const char *domain)
{
    struct xf_proxies *p = xf_sys_alloc(sizeof *p);

    if (!p)
        return NULL;
    if (domain && !(p->domain = xf_sys_strdup(domain)))
        goto fail;
    for (; configured && *configured && p->configured_count < XF_PROXIES_MAX;
         configured++) {
        char *copy = xf_sys_strdup(*configured);

        if (!copy)
            goto fail;
        p->configured[p->configured_count++] = copy;
    }
    return p;

fail:
    xf_proxies_free(p);
    return NULL;
}

/* --- services ------------------------------------------------------------ */

static struct service *find(struct xf_proxies *p, const char *jid)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->services[i].jid, jid) == 0)
            return &p->services[i];
    }
    return NULL;
}

/* One that is no JID, is there already or finds no memory is left out: the
 * others may do. */
static void add(struct xf_proxies *p, const char *jid, enum step step)
{
    char normal[XF_JID_MAX + 1], *copy;

    if (p->count == SERVICES_MAX || xf_jid_prep(jid, normal) != 0 ||
        find(p, normal))
        return;
    copy = xf_sys_strdup(normal);
    if (copy)
        p->services[p->count++] = (struct service){ .jid = copy, .step = step };
}

static bool is_complete(const struct xf_proxies *p)
{
    if (p->items_to_ask || p->items_asked)
        return false;
    for (size_t i = 0; i < p->count; i++) {
        if (p->services[i].step != OVER)
            return false;
    }
    return true;
}

/* --- the search ---------------------------------------------------------- */

void xf_proxies_prepare(struct xf_proxies *p, int64_t now_ms)
{
    if (p->begun && now_ms - p->since < XF_PROXIES_FRESH_MS)
        return;
    forget_services(p);
    p->begun = true;
    p->since = now_ms;
    for (size_t i = 0; i < p->configured_count; i++)
        add(p, p->configured[i], TO_ADDRESS);
    p->items_to_ask = p->domain != NULL;
}

void xf_proxies_forget_questions(struct xf_proxies *p)
{
    if (is_complete(p))
        return;
    p->begun = false;
    p->items_to_ask = p->items_asked = false;
    for (size_t i = 0; i < p->count; i++)
        p->services[i].step = OVER;
}

bool xf_proxies_next(struct xf_proxies *p, struct xf_proxy_question *out)
{
    if (p->items_to_ask) {
        p->items_to_ask = false;
        p->items_asked = true;
        *out = (struct xf_proxy_question){ XF_PROXY_ASK_ITEMS, p->domain };
        return true;
    }
    for (size_t i = 0; i < p->count; i++) {
        struct service *s = &p->services[i];

        if (s->step != TO_INFO && s->step != TO_ADDRESS)
            continue;
        out->kind =
            s->step == TO_INFO ? XF_PROXY_ASK_INFO : XF_PROXY_ASK_ADDRESS;
        out->jid = s->jid;
        s->asked = s->step == TO_ADDRESS;
        s->step = s->step == TO_INFO ? INFO_ASKED : ADDRESS_ASKED;
        return true;
    }
    return false;
}

/* --- answers ------------------------------------------------------------- */

/* A linear congruence is chance enough to share work (Knuth, MMIX). */
static size_t below(uint64_t *random, size_t n)
{
    *random =
        *random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (size_t)((*random >> 33) % n);
}

void xf_proxies_items(struct xf_proxies *p, const char *const *jids,
                      size_t count, uint64_t random)
{
    const char *mixed[XF_PROXY_ITEMS_MAX];

    if (!p->items_asked)
        return;
    p->items_asked = false;
    if (count > XF_PROXY_ITEMS_MAX)
        count = XF_PROXY_ITEMS_MAX;
    for (size_t i = 0; i < count; i++) {
        size_t to = random ? below(&random, i + 1) : i;

        if (to < i)
            mixed[i] = mixed[to];
        mixed[to] = jids[i];
    }
    for (size_t i = 0; i < count; i++)
        add(p, mixed[i], TO_INFO);
}

void xf_proxies_info(struct xf_proxies *p, const char *jid, bool is_proxy)
{
    struct service *s = find(p, jid);

    if (s && s->step == INFO_ASKED)
        s->step = is_proxy ? TO_ADDRESS : OVER;
}

static void take_host(struct service *s, const struct xf_streamhost *from)
{
    struct host *to = &s->hosts[s->count];

    to->jid = xf_sys_strdup(from->jid);
    to->host = xf_sys_strdup(from->host);
    to->port = from->port;
    if (to->jid && to->host) {
        s->count++;
        return;
    }
    xf_sys_free(to->jid);
    xf_sys_free(to->host);
    *to = (struct host){ 0 };
}

void xf_proxies_address(struct xf_proxies *p, const char *jid,
                        const struct xf_streamhost *hosts, size_t count)
{
    struct service *s = find(p, jid);

    if (!s || s->step != ADDRESS_ASKED)
        return;
    s->step = OVER;
    for (size_t i = 0; i < count && s->count < XF_PROXY_HOSTS_MAX; i++)
        take_host(s, &hosts[i]);
}

void xf_proxies_failed(struct xf_proxies *p, enum xf_proxy_ask kind,
                       const char *jid)
{
    struct service *s = find(p, jid);

    switch (kind) {
    case XF_PROXY_ASK_ITEMS:
        p->items_asked = false;
        break;
    case XF_PROXY_ASK_INFO:
        if (s && s->step == INFO_ASKED)
            s->step = OVER;
        break;
    case XF_PROXY_ASK_ADDRESS:
        if (s && s->step == ADDRESS_ASKED)
            s->step = OVER;
        break;
    }
}

/* --- results ------------------------------------------------------------- */

int64_t xf_proxies_deadline(const struct xf_proxies *p, int64_t now_ms)
{
    int64_t end = p->since + XF_PROXIES_WAIT_MS;

    return p->begun && now_ms < end && !is_complete(p) ? end : INT64_MAX;
}

bool xf_proxies_ready(const struct xf_proxies *p, int64_t now_ms)
{
    return xf_proxies_deadline(p, now_ms) == INT64_MAX;
}

size_t xf_proxies_list(const struct xf_proxies *p,
                       struct xf_streamhost out[XF_PROXIES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct service *s = &p->services[i];

        for (size_t j = 0; j < s->count && count < XF_PROXIES_MAX; j++)
            out[count++] =
                (struct xf_streamhost){ s->hosts[j].jid, s->hosts[j].host,
                                        s->hosts[j].port };
    }
    return count;
}

size_t xf_proxies_mute(const struct xf_proxies *p,
                       const char *out[XF_PROXIES_MAX])
{
    size_t count = 0;

    for (size_t i = 0; i < p->count && count < XF_PROXIES_MAX; i++)
        if (p->services[i].asked && p->services[i].count == 0)
            out[count++] = p->services[i].jid;
    return count;
}
