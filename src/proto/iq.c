/*
 * The names of conditions, the table of answers, and the requests that wait.
 * Nothing is read, written or timed here.
 */
#include "proto/iq.h"

#include <string.h>

#include "base/jid.h"
#include "base/sys.h"
#include "xferry/error.h"

/* --- conditions and answers ---------------------------------------------- */

static const char *const names[XF_CONDITIONS] = {
    [XF_COND_NONE] = "",
    [XF_COND_BAD_REQUEST] = "bad-request",
    [XF_COND_CONFLICT] = "conflict",
    [XF_COND_FEATURE_NOT_IMPLEMENTED] = "feature-not-implemented",
    [XF_COND_FORBIDDEN] = "forbidden",
    [XF_COND_GONE] = "gone",
    [XF_COND_INTERNAL_SERVER_ERROR] = "internal-server-error",
    [XF_COND_ITEM_NOT_FOUND] = "item-not-found",
    [XF_COND_JID_MALFORMED] = "jid-malformed",
    [XF_COND_NOT_ACCEPTABLE] = "not-acceptable",
    [XF_COND_NOT_ALLOWED] = "not-allowed",
    [XF_COND_NOT_AUTHORIZED] = "not-authorized",
    [XF_COND_POLICY_VIOLATION] = "policy-violation",
    [XF_COND_RECIPIENT_UNAVAILABLE] = "recipient-unavailable",
    [XF_COND_REMOTE_SERVER_NOT_FOUND] = "remote-server-not-found",
    [XF_COND_REMOTE_SERVER_TIMEOUT] = "remote-server-timeout",
    [XF_COND_RESOURCE_CONSTRAINT] = "resource-constraint",
    [XF_COND_SERVICE_UNAVAILABLE] = "service-unavailable",
    [XF_COND_UNEXPECTED_REQUEST] = "unexpected-request",
    [XF_COND_OTHER] = "undefined-condition",
    [XF_COND_TIMEOUT] = "timeout",
};

const char *xf_condition_name(enum xf_condition c)
{
    return (unsigned)c < XF_CONDITIONS ? names[c] : names[XF_COND_OTHER];
}

enum xf_condition xf_condition_of(const char *name)
{
    for (unsigned c = XF_COND_BAD_REQUEST; c < XF_COND_OTHER; c++) {
        if (strcmp(names[c], name) == 0)
            return (enum xf_condition)c;
    }
    return XF_COND_OTHER;
}

static const struct xf_answer_row answers[XF_ANSWERS] = {
    [XF_ANSWER_NONE] = { NULL, XF_COND_NONE, NULL },
    [XF_ANSWER_OK] = { NULL, XF_COND_NONE, NULL },
    [XF_ANSWER_NO_VALID_STREAMS] = { "cancel", XF_COND_BAD_REQUEST,
                                     "no-valid-streams" },
    [XF_ANSWER_BAD_PROFILE] = { "cancel", XF_COND_BAD_REQUEST, "bad-profile" },
    [XF_ANSWER_BAD_REQUEST] = { "cancel", XF_COND_BAD_REQUEST, NULL },
    [XF_ANSWER_BAD_REQUEST_MODIFY] = { "modify", XF_COND_BAD_REQUEST, NULL },
    [XF_ANSWER_DECLINED] = { "cancel", XF_COND_FORBIDDEN, NULL },
    [XF_ANSWER_TOO_BIG] = { "modify", XF_COND_RESOURCE_CONSTRAINT, NULL },
    [XF_ANSWER_BUSY] = { "wait", XF_COND_RESOURCE_CONSTRAINT, NULL },
    [XF_ANSWER_NOT_ACCEPTABLE] = { "cancel", XF_COND_NOT_ACCEPTABLE, NULL },
    [XF_ANSWER_NOT_ACCEPTABLE_MODIFY] = { "modify", XF_COND_NOT_ACCEPTABLE,
                                          NULL },
    [XF_ANSWER_NOT_FOUND] = { "cancel", XF_COND_ITEM_NOT_FOUND, NULL },
    [XF_ANSWER_UNEXPECTED] = { "cancel", XF_COND_UNEXPECTED_REQUEST, NULL },
    [XF_ANSWER_UNAVAILABLE] = { "cancel", XF_COND_SERVICE_UNAVAILABLE, NULL },
    [XF_ANSWER_FORBIDDEN] = { "auth", XF_COND_FORBIDDEN, NULL },
    [XF_ANSWER_NOT_ALLOWED] = { "cancel", XF_COND_NOT_ALLOWED, NULL },
    [XF_ANSWER_JID_MALFORMED] = { "modify", XF_COND_JID_MALFORMED, NULL },
    [XF_ANSWER_INTERNAL] = { "cancel", XF_COND_INTERNAL_SERVER_ERROR, NULL },
};

const struct xf_answer_row *xf_answer_row(enum xf_answer a)
{
    return (unsigned)a < XF_ANSWERS ? &answers[a] : &answers[XF_ANSWER_NONE];
}

/* --- the table ----------------------------------------------------------- */

#define BUCKETS 1024u

/* In a chain of its bucket, and in one list of all, oldest first. */
struct request {
    struct request *chain;
    struct request *before, *after;
    int64_t deadline;
    void *cookie;
    const char *to; /* NULL: our server; behind the id */
    char id[];
};

struct xf_iq_table {
    struct request *buckets[BUCKETS];
    struct request *first, *last;
    size_t count;
};

/* FNV-1a. The ids that are kept are our own, so nobody can make them clash. */
static unsigned bucket_of(const char *id)
{
    uint32_t hash = 2166136261u;

    for (; *id != '\0'; id++)
        hash = (hash ^ (unsigned char)*id) * 16777619u;
    return hash % BUCKETS;
}

struct xf_iq_table *xf_iq_table_new(void)
{
    return xf_sys_alloc(sizeof(struct xf_iq_table));
}

void xf_iq_table_free(struct xf_iq_table *t)
{
    while (t && t->first)
        (void)xf_iq_any(t);
    xf_sys_free(t);
}

static struct request *find(const struct xf_iq_table *t, const char *id,
                            const char *to)
{
    struct request *r = t->buckets[bucket_of(id)];

    for (; r; r = r->chain) {
        bool same_to = r->to && to ? strcmp(r->to, to) == 0 : r->to == to;

        if (same_to && strcmp(r->id, id) == 0)
            return r;
    }
    return NULL;
}

static struct request *request_new(const char *id, const char *to)
{
    size_t id_size = strlen(id) + 1, to_size = to ? strlen(to) + 1 : 0;
    struct request *r = xf_sys_alloc(sizeof *r + id_size + to_size);

    if (!r)
        return NULL;
    memcpy(r->id, id, id_size);
    if (to) {
        memcpy(r->id + id_size, to, to_size);
        r->to = r->id + id_size;
    }
    return r;
}

static void append(struct xf_iq_table *t, struct request *r)
{
    struct request **bucket = &t->buckets[bucket_of(r->id)];

    r->chain = *bucket;
    *bucket = r;
    r->before = t->last;
    *(t->last ? &t->last->after : &t->first) = r;
    t->last = r;
    t->count++;
}

int xf_iq_add(struct xf_iq_table *t, const char *id, const char *to,
              int64_t deadline_ms, void *cookie)
{
    struct request *r;

    if (t->count >= XF_IQ_MAX || find(t, id, to))
        return XF_E_BUSY;
    r = request_new(id, to);
    if (!r)
        return XF_E_LIMIT;
    r->deadline = deadline_ms;
    r->cookie = cookie;
    append(t, r);
    return 0;
}

/* Out of both lists; returns its cookie. */
static void *forget(struct xf_iq_table *t, struct request *r)
{
    struct request **link = &t->buckets[bucket_of(r->id)];
    void *cookie = r->cookie;

    while (*link != r)
        link = &(*link)->chain;
    *link = r->chain;
    *(r->before ? &r->before->after : &t->first) = r->after;
    *(r->after ? &r->after->before : &t->last) = r->before;
    t->count--;
    xf_sys_free(r);
    return cookie;
}

/* --- whose reply --------------------------------------------------------- */

static bool same_jid(const char *normal, const char *from)
{
    char prepared[XF_JID_MAX + 1];

    if (strcmp(normal, from) == 0)
        return true;
    return xf_jid_prep(from, prepared) == 0 && strcmp(normal, prepared) == 0;
}

/* Our server speaks for itself and for our account: nobody else can use
 * these names, for it stamps the `from` of all others. */
static bool is_own_server(const char *from, const char *own)
{
    char domain[XF_JID_PART_MAX + 1], bare[XF_JID_MAX + 1];

    if (!from)
        return true;
    xf_jid_domain(own, domain);
    xf_jid_bare(own, bare);
    return same_jid(domain, from) || same_jid(bare, from) ||
           same_jid(own, from);
}

static bool is_reply_from(const struct request *r, const char *from,
                          const char *own)
{
    char name[XF_JID_MAX + 1];

    if (!r->to)
        return is_own_server(from, own);
    if (from)
        return same_jid(r->to, from);
    /* Nobody is our account or our server, so it was one of them we asked. */
    xf_jid_bare(own, name);
    if (strcmp(r->to, name) == 0)
        return true;
    xf_jid_domain(own, name);
    return strcmp(r->to, name) == 0;
}

void *xf_iq_match(struct xf_iq_table *t, const char *id, const char *from,
                  const char *own)
{
    struct request *r = t->buckets[bucket_of(id)];

    for (; r; r = r->chain) {
        if (strcmp(r->id, id) == 0 && is_reply_from(r, from, own))
            return forget(t, r);
    }
    return NULL;
}

/* --- time ---------------------------------------------------------------- */

static struct request *soonest(const struct xf_iq_table *t)
{
    struct request *found = t->first;

    for (struct request *r = t->first; r; r = r->after) {
        if (r->deadline < found->deadline)
            found = r;
    }
    return found;
}

void *xf_iq_expired(struct xf_iq_table *t, int64_t now_ms)
{
    struct request *r = soonest(t);

    return r && r->deadline <= now_ms ? forget(t, r) : NULL;
}

void xf_iq_shift(struct xf_iq_table *t, int64_t ms)
{
    for (struct request *r = t->first; r; r = r->after)
        r->deadline =
            r->deadline < INT64_MAX - ms ? r->deadline + ms : INT64_MAX;
}

int64_t xf_iq_deadline(const struct xf_iq_table *t)
{
    const struct request *r = soonest(t);

    return r ? r->deadline : INT64_MAX;
}

void *xf_iq_any(struct xf_iq_table *t)
{
    return t->first ? forget(t, t->first) : NULL;
}

void xf_iq_drop(struct xf_iq_table *t, const void *cookie)
{
    struct request *next;

    for (struct request *r = t->first; r; r = next) {
        next = r->after;
        if (r->cookie == cookie)
            (void)forget(t, r);
    }
}
