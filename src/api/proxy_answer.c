/*
 * What a proxy says to whom: discovery, its addresses, activation. Every get
 * and set has one answer; nothing else has any.
 */
#include <string.h>

#include "api/proxy.h"
#include "base/sys.h"
#include "wire/component.h"
#include "wire/disco.h"
#include "wire/ns.h"
#include "wire/s5b.h"

#define DAY_S 86400

static const struct xf_identity identity = { .category = "proxy",
                                             .type = "bytestreams",
                                             .name = "SOCKS5 bytestreams" };

/* Sorted by bytes, as they are everywhere. */
static const char *const features[] = {
    XF_NS_BYTESTREAMS,
    XF_NS_DISCO_INFO,
    XF_NS_DISCO_ITEMS,
    XF_NS_PING,
};

/* A request, and who it is from: prepared, "" when it is nobody. */
struct ask {
    struct xf_proxy *x;
    const struct xf_stanza_head *head;
    char from[XF_JID_MAX + 1];
};

static int64_t today(void)
{
    return xf_sys_wall() / DAY_S;
}

static void answer(struct xf_proxy *x, const struct xf_stanza_head *head,
                   enum xf_answer what)
{
    if (what == XF_ANSWER_NONE)
        return;
    xf_iq_write_answer(xf_uplink_write(x), head, what, NULL);
    xf_uplink_send(x);
}

/* --- discovery ------------------------------------------------------------ */

static bool has_node(const struct ask *ask)
{
    const char *node = xf_el_attr(ask->head->payload, "node");

    return node && node[0] != '\0';
}

static enum xf_answer say_info(struct ask *ask)
{
    if (has_node(ask))
        return XF_ANSWER_NOT_FOUND;
    xf_disco_write_info(xf_uplink_write(ask->x), ask->head, &identity, features,
                        sizeof features / sizeof *features);
    xf_uplink_send(ask->x);
    return XF_ANSWER_NONE;
}

static enum xf_answer say_items(struct ask *ask)
{
    if (has_node(ask))
        return XF_ANSWER_NOT_FOUND;
    xf_disco_write_items(xf_uplink_write(ask->x), ask->head);
    xf_uplink_send(ask->x);
    return XF_ANSWER_NONE;
}

static enum xf_answer say_pong(struct ask *ask)
{
    (void)ask;
    return XF_ANSWER_OK;
}

/* --- where we are --------------------------------------------------------- */

static const struct xf_quota *allowed(struct ask *ask)
{
    const struct xf_quota *quota = NULL;

    if (ask->from[0] != '\0')
        quota = xf_access_look(&ask->x->set->access, ask->from);
    if (!quota)
        xf_proxy_refuse(ask->x, XF_PROXY_BY_RULES, ask->from);
    return quota;
}

static enum xf_answer say_address(struct ask *ask)
{
    struct xf_streamhost hosts[XF_PROXY_STREAMHOSTS_MAX];
    const struct xf_proxy_settings *set = ask->x->set;
    const struct xf_quota *quota = allowed(ask);

    if (!quota)
        return XF_ANSWER_FORBIDDEN;
    /* Told now, another proxy can be chosen; later it would be too late. */
    if (ask->x->draining)
        return XF_ANSWER_BUSY;
    if (xf_usage_look(&ask->x->usage, ask->from, quota, today()) !=
        XF_USAGE_FINE) {
        xf_proxy_refuse(ask->x, XF_PROXY_BY_QUOTA, ask->from);
        return XF_ANSWER_BUSY;
    }
    for (size_t i = 0; i < set->streamhosts_count; i++) {
        hosts[i].jid = set->domain;
        hosts[i].host = set->streamhosts[i].host;
        hosts[i].port = set->streamhosts[i].port ? set->streamhosts[i].port
                                                 : ask->x->ports[0];
    }
    xf_s5b_write_address(xf_uplink_write(ask->x), ask->head, hosts,
                         set->streamhosts_count);
    xf_uplink_send(ask->x);
    return XF_ANSWER_NONE;
}

/* --- activation ----------------------------------------------------------- */

void xf_activation_free(struct xf_activation *a)
{
    if (!a)
        return;
    xf_sys_free(a->id);
    xf_sys_free(a->from);
    xf_sys_free(a->to);
    xf_sys_free(a->requester);
    xf_sys_free(a->target);
    xf_sys_free(a);
}

static bool copy(char **out, const char *text)
{
    *out = text ? xf_sys_strdup(text) : NULL;
    return *out || !text;
}

/* NULL: no memory. */
static struct xf_activation *keep(const struct ask *ask, const char *target,
                                  const char *hash)
{
    struct xf_activation *a = xf_sys_alloc(sizeof *a);

    if (!a)
        return NULL;
    memcpy(a->hash, hash, sizeof a->hash);
    if (copy(&a->id, ask->head->id) && copy(&a->from, ask->head->from) &&
        copy(&a->to, ask->head->to) && copy(&a->requester, ask->from) &&
        copy(&a->target, target))
        return a;
    xf_activation_free(a);
    return NULL;
}

static void count_latency(struct xf_proxy *x, int64_t ms)
{
    size_t i = 0;

    while (i < XF_PROXY_LATENCIES && ms > xf_proxy_latency_bound(i))
        i++;
    x->stats.latency[i]++;
    x->stats.latency_sum_ms += (uint64_t)ms;
}

/* XF_USAGE_FULL when there is no memory. */
static enum xf_usage_verdict new_flow(struct xf_proxy *x, const char *requester,
                                      const struct xf_quota *quota,
                                      struct xf_flow **out)
{
    struct xf_flow *flow = xf_sys_alloc(sizeof *flow);
    enum xf_usage_verdict verdict = XF_USAGE_FULL;

    *out = flow;
    if (!flow)
        return verdict;
    flow->quota = *quota;
    verdict = xf_usage_enter(&x->usage, requester, quota, today(), &flow->user);
    if (verdict == XF_USAGE_FINE)
        return verdict;
    xf_sys_free(flow);
    *out = NULL;
    return verdict;
}

static void undo_flow(struct xf_proxy *x, struct xf_flow *flow)
{
    xf_usage_leave(&x->usage, flow->user);
    xf_sys_free(flow);
}

/* The event is queued first: what cannot be told is not handed over. */
static bool hand_over(struct xf_proxy *x, struct xf_pair *pair,
                      const char *target, struct xf_flow *flow)
{
    struct xf_side *sides[2] = { pair->sides[0], pair->sides[1] };
    struct xf_proxy_event ev = {
        .type = XF_PROXY_PAIR,
        .id = pair->id,
        .requester = pair->requester,
        .target = target,
        .fd_a = sides[0]->fd,
        .fd_b = sides[1]->fd,
        .pair_rate = flow->quota.pair_rate,
        .group = flow->user->group,
        .group_rate = flow->quota.jid_rate,
    };
    int fd;

    if (!xf_proxy_tell(x, &ev))
        return false;
    for (int i = 0; i < 2; i++)
        xf_side_hand_over(sides[i], &fd, &flow->callers[i]);
    pair->sides[0] = pair->sides[1] = NULL;
    pair->owner = flow;
    return true;
}

/* It is active, and nobody knows it. */
static void lose(struct xf_proxy *x, struct xf_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        struct xf_side *side = pair->sides[i];

        side->pair = NULL;
        xf_side_drop(side);
    }
    xf_matcher_end(&x->matcher, pair);
}

static enum xf_answer activate(struct xf_proxy *x, struct xf_pair *pair,
                               const char *requester, const char *target,
                               const struct xf_quota *quota)
{
    int64_t waited = xf_proxy_now(x) - pair->since;
    struct xf_flow *flow;

    if (new_flow(x, requester, quota, &flow) != XF_USAGE_FINE) {
        xf_proxy_refuse(x, XF_PROXY_BY_QUOTA, requester);
        return XF_ANSWER_BUSY;
    }
    if (!xf_matcher_activate(&x->matcher, pair, requester)) {
        undo_flow(x, flow);
        return XF_ANSWER_INTERNAL;
    }
    if (!hand_over(x, pair, target, flow)) {
        lose(x, pair);
        undo_flow(x, flow);
        return XF_ANSWER_INTERNAL;
    }
    x->stats.activated++;
    count_latency(x, waited);
    return XF_ANSWER_OK;
}

/*
 * NONE: one side is there, and the request may be held for the other. Rules are
 * looked at each time: they may have changed while it was held.
 */
static enum xf_answer judge(struct xf_proxy *x, const char *hash,
                            const char *requester, const char *target,
                            const struct xf_quota *quota, struct xf_pair **pair)
{
    switch (xf_matcher_ask(&x->matcher, hash, requester, pair)) {
    case XF_ASK_UNKNOWN:
        xf_proxy_refuse(x, XF_PROXY_BY_STRANGER, requester);
        return XF_ANSWER_NOT_FOUND;
    case XF_ASK_AGAIN:
        return XF_ANSWER_OK;
    case XF_ASK_ONE:
        return XF_ANSWER_NONE;
    case XF_ASK_READY:
        break;
    }
    xf_pair_bury_dead(*pair);
    if (xf_matcher_ask(&x->matcher, hash, requester, pair) == XF_ASK_READY)
        return activate(x, *pair, requester, target, quota);
    *pair = NULL; /* nobody new is awaited where one was there and went */
    return XF_ANSWER_NONE;
}

static enum xf_answer one_side(struct xf_proxy *x, const char *requester)
{
    xf_proxy_refuse(x, XF_PROXY_BY_ONE_SIDE, requester);
    return XF_ANSWER_NOT_ALLOWED;
}

static enum xf_answer take_activation(struct ask *ask)
{
    char target[XF_JID_MAX + 1], hash[XF_DSTADDR_LEN + 1];
    const struct xf_quota *quota = allowed(ask);
    const char *sid, *target_text;
    struct xf_activation *held;
    struct xf_pair *pair;
    enum xf_answer what;

    if (!quota)
        return XF_ANSWER_FORBIDDEN;
    what = xf_s5b_read_activate(ask->head->payload, &sid, &target_text);
    if (what != XF_ANSWER_NONE)
        return what;
    if (xf_jid_prep(target_text, target) != 0)
        return XF_ANSWER_JID_MALFORMED;
    if (!xf_dstaddr(sid, ask->from, target, hash))
        return XF_ANSWER_INTERNAL;
    what = judge(ask->x, hash, ask->from, target, quota, &pair);
    if (what != XF_ANSWER_NONE)
        return what;
    held = pair ? keep(ask, target, hash) : NULL;
    if (held &&
        xf_matcher_hold(&ask->x->matcher, pair, held, xf_proxy_now(ask->x)))
        return XF_ANSWER_NONE;
    xf_activation_free(held);
    return one_side(ask->x, ask->from);
}

void xf_proxy_resume(struct xf_proxy *x, struct xf_activation *a)
{
    const struct xf_stanza_head head = { .kind = XF_KIND_IQ,
                                         .type = XF_IQ_SET,
                                         .id = a->id,
                                         .to = a->to,
                                         .from = a->from };
    const struct xf_quota *quota =
        xf_access_look(&x->set->access, a->requester);
    enum xf_answer what = XF_ANSWER_FORBIDDEN;
    struct xf_pair *pair;

    if (quota) {
        what = judge(x, a->hash, a->requester, a->target, quota, &pair);
        if (what == XF_ANSWER_NONE)
            what = one_side(x, a->requester);
    } else {
        xf_proxy_refuse(x, XF_PROXY_BY_RULES, a->requester);
    }
    answer(x, &head, what);
    xf_activation_free(a);
}

/* --- what became of a pair ------------------------------------------------- */

void xf_proxy_forget_flow(struct xf_proxy *x, struct xf_pair *pair)
{
    struct xf_flow *flow = pair->owner;

    for (int i = 0; i < 2; i++)
        xf_crowd_leave(&x->crowd, flow->callers[i], false);
    xf_matcher_end(&x->matcher, pair);
    undo_flow(x, flow);
}

void xf_proxy_moved(struct xf_proxy *x, uint64_t id, uint64_t bytes)
{
    struct xf_pair *pair = xf_matcher_by_id(&x->matcher, id);
    struct xf_flow *flow = pair ? pair->owner : NULL;

    if (!flow)
        return;
    x->stats.bytes += bytes;
    if (xf_usage_moved(&x->usage, flow->user, bytes, &flow->quota, today()) &&
        !flow->exceeded)
        flow->exceeded = xf_proxy_tell(
            x, &(struct xf_proxy_event){ .type = XF_PROXY_EXCEEDED, .id = id });
}

void xf_proxy_ended(struct xf_proxy *x, uint64_t id)
{
    struct xf_pair *pair = xf_matcher_by_id(&x->matcher, id);

    if (pair)
        xf_proxy_forget_flow(x, pair);
}

/* --- whatever comes -------------------------------------------------------- */

static const struct {
    const char *name, *ns;
    enum xf_iq_type type;
    enum xf_answer (*fn)(struct ask *ask);
} served[] = {
    { "query", XF_NS_DISCO_INFO, XF_IQ_GET, say_info },
    { "query", XF_NS_DISCO_ITEMS, XF_IQ_GET, say_items },
    { "ping", XF_NS_PING, XF_IQ_GET, say_pong },
    { "query", XF_NS_BYTESTREAMS, XF_IQ_GET, say_address },
    { "query", XF_NS_BYTESTREAMS, XF_IQ_SET, take_activation },
};

static bool is_for_us(const struct xf_proxy *x, const char *to)
{
    char jid[XF_JID_MAX + 1];

    return to && xf_jid_prep(to, jid) == 0 && strcmp(jid, x->set->domain) == 0;
}

static enum xf_answer serve(struct ask *ask)
{
    const struct xf_stanza_head *head = ask->head;

    if (!is_for_us(ask->x, head->to))
        return XF_ANSWER_UNAVAILABLE;
    if (!head->payload)
        return XF_ANSWER_BAD_REQUEST_MODIFY;
    for (size_t i = 0; i < sizeof served / sizeof *served; i++) {
        if (head->type == served[i].type &&
            xf_el_is(head->payload, served[i].name, served[i].ns))
            return served[i].fn(ask);
    }
    return XF_ANSWER_UNAVAILABLE;
}

void xf_proxy_take_stanza(struct xf_proxy *x, struct xf_el *el)
{
    struct xf_stanza_head head;
    struct ask ask = { .x = x, .head = &head };

    xf_component_as_client(el);
    if (!xf_stanza_read(el, &head) || head.kind != XF_KIND_IQ ||
        (head.type != XF_IQ_GET && head.type != XF_IQ_SET))
        return;
    if (head.from)
        (void)xf_jid_prep(head.from, ask.from);
    answer(x, &head, serve(&ask));
}
