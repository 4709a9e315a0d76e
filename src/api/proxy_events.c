/* The queue of what happened to a proxy, and refusals told in measure. */
#include "api/proxy.h"

#include <string.h>

#include "base/sys.h"

const char *xf_proxy_refusal_name(enum xf_proxy_refusal r)
{
    static const char *const names[XF_PROXY_REFUSALS] = {
        [XF_PROXY_BY_ACL] = "acl",
        [XF_PROXY_BY_ADDRESS] = "address",
        [XF_PROXY_BY_CROWD] = "crowd",
        [XF_PROXY_BY_TIME] = "time",
        [XF_PROXY_BY_SOCKS] = "socks",
        [XF_PROXY_BY_THIRD] = "third",
        [XF_PROXY_BY_PAIRS] = "pairs",
        [XF_PROXY_NOT_ACTIVATED] = "not-activated",
        [XF_PROXY_BY_RULES] = "rules",
        [XF_PROXY_BY_QUOTA] = "quota",
        [XF_PROXY_BY_STRANGER] = "stranger",
        [XF_PROXY_BY_ONE_SIDE] = "one-side",
        [XF_PROXY_BY_DESCRIPTORS] = "descriptors",
    };

    return (unsigned)r < XF_PROXY_REFUSALS ? names[r] : "?";
}

static const char *put(const char *text, char **at)
{
    size_t len = strlen(text) + 1;
    char *to = *at;

    memcpy(to, text, len);
    *at += len;
    return to;
}

static size_t size_of(const char *text)
{
    return text ? strlen(text) + 1 : 1;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

bool xf_proxy_tell(struct xf_proxy *x, const struct xf_proxy_event *ev)
{
    struct xf_proxy_node *node =
        xf_sys_alloc(sizeof *node + size_of(ev->text) + size_of(ev->requester) +
                     size_of(ev->target) + size_of(ev->who));
    char *at;

    if (!node)
        return false;
    at = node->strings;
    node->ev = *ev;
    node->ev.text = put(or_empty(ev->text), &at);
    node->ev.requester = put(or_empty(ev->requester), &at);
    node->ev.target = put(or_empty(ev->target), &at);
    node->ev.who = put(or_empty(ev->who), &at);
    if (ev->type != XF_PROXY_PAIR)
        node->ev.fd_a = node->ev.fd_b = -1;
    *x->events_last = node;
    x->events_last = &node->next;
    return true;
}

void xf_proxy_tell_code(struct xf_proxy *x, enum xf_proxy_event_type type,
                        const struct xf_error_info *why, int64_t retry_ms)
{
    (void)xf_proxy_tell(x, &(struct xf_proxy_event){ .type = type,
                                                     .code = why->code,
                                                     .text = why->text,
                                                     .retry_ms = retry_ms });
}

const struct xf_proxy_event *xf_proxy_next(struct xf_proxy *x)
{
    xf_sys_free(x->current);
    x->current = x->events;
    if (!x->current)
        return NULL;
    x->events = x->current->next;
    if (!x->events)
        x->events_last = &x->events;
    return &x->current->ev;
}

void xf_proxy_events_clear(struct xf_proxy *x)
{
    xf_sys_free(x->current);
    x->current = NULL;
    while (x->events) {
        struct xf_proxy_node *node = x->events;

        x->events = node->next;
        if (node->ev.fd_a >= 0)
            (void)xf_sys_close(node->ev.fd_a);
        if (node->ev.fd_b >= 0)
            (void)xf_sys_close(node->ev.fd_b);
        xf_sys_free(node);
    }
    x->events_last = &x->events;
}

/* --- refusals ------------------------------------------------------------ */

static void tell_refusal(struct xf_proxy *x, size_t i, int64_t now)
{
    struct xf_proxy_event ev = { .type = XF_PROXY_REFUSED,
                                 .refusal = (enum xf_proxy_refusal)i,
                                 .count = x->refusals[i].count,
                                 .who = x->refusals[i].who };

    if (!xf_proxy_tell(x, &ev))
        return; /* they are counted on */
    x->refusals[i].count = 0;
    x->refusals[i].told_at = now;
}

void xf_proxy_refuse(struct xf_proxy *x, enum xf_proxy_refusal refusal,
                     const char *who)
{
    int64_t now = xf_proxy_now(x);
    size_t len = strlen(who);

    x->stats.refused[refusal]++;
    x->refusals[refusal].count++;
    if (len > XF_PROXY_WHO_MAX)
        len = XF_PROXY_WHO_MAX;
    memcpy(x->refusals[refusal].who, who, len);
    x->refusals[refusal].who[len] = '\0';
    if (now - x->refusals[refusal].told_at >= XF_PROXY_TELL_MS)
        tell_refusal(x, refusal, now);
}

void xf_proxy_refuse_address(struct xf_proxy *x, enum xf_proxy_refusal refusal,
                             const struct xf_address *address)
{
    char text[XF_ADDRESS_TEXT];

    xf_address_text(address, text);
    xf_proxy_refuse(x, refusal, text);
}

void xf_proxy_events_tick(struct xf_proxy *x, int64_t now)
{
    for (size_t i = 0; i < XF_PROXY_REFUSALS; i++) {
        if (x->refusals[i].count > 0 &&
            now - x->refusals[i].told_at >= XF_PROXY_TELL_MS)
            tell_refusal(x, i, now);
    }
}

int64_t xf_proxy_events_deadline(const struct xf_proxy *x)
{
    int64_t least = INT64_MAX;

    for (size_t i = 0; i < XF_PROXY_REFUSALS; i++) {
        int64_t due = x->refusals[i].told_at + XF_PROXY_TELL_MS;

        if (x->refusals[i].count > 0 && due < least)
            least = due;
    }
    return least;
}
