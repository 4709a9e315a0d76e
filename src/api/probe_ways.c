/* Which ways a file would go: our addresses, proxies tried, the ladder. */
#include "api/probe_inside.h"

#include <stdio.h>
#include <string.h>

#include "api/inband.h"
#include "api/sending.h"
#include "proto/outlook.h"

/* --- what we would tell it ----------------------------------------------------------- */

static bool is_told(const struct xf_probing *p,
                    const struct xf_probing_check *c)
{
    for (size_t i = 0; i < p->told.count; i++) {
        const struct xf_told_host *h = &p->told.hosts[i];

        if (h->proxy && h->sh.port == c->port &&
            strcmp(h->sh.jid, c->jid) == 0 && strcmp(h->sh.host, c->host) == 0)
            return true;
    }
    return false;
}

static void checked(void *ctx, const struct xf_proxy_checked *found)
{
    struct xf_probing_check *c = ctx;
    struct xf_probe item = { .item = XF_PROBE_PROXY,
                             .jid = c->jid,
                             .answers = found->answers,
                             .relays = found->relays,
                             .relay_ms = found->relay_ms,
                             .told = is_told(c->p, c) };
    struct xf_event ev = { .via = XF_VIA_PROXY,
                           .host = c->host,
                           .port = c->port,
                           .elapsed_ms = found->answer_ms,
                           .text = found->text };

    c->relays = found->relays;
    xf_probing_tell(c->p, &ev, &item);
    c->p->checks_left--;
}

static void check(struct xf_probing *p, const struct xf_streamhost *host)
{
    struct xf_probing_check *c = &p->checks[p->checks_count++];

    c->p = p;
    snprintf(c->jid, sizeof c->jid, "%s", host->jid);
    snprintf(c->host, sizeof c->host, "%s", host->host);
    c->port = host->port;
    p->checks_left++;
    if (xf_proxy_check_new(&c->check, p->s, host, checked, c) != 0)
        p->checks_left--;
}

static void check_proxies(struct xf_probing *p)
{
    struct xf_streamhost hosts[XF_PROXIES_MAX];
    const char *mute[XF_PROXIES_MAX];
    size_t count = xf_proxies_list(p->s->proxies, hosts);

    for (size_t i = 0; i < count && i < XF_PROBE_CHECKS_MAX; i++)
        check(p, &hosts[i]);
    count = xf_proxies_mute(p->s->proxies, mute);
    for (size_t i = 0; i < count; i++) {
        struct xf_probe item = { .item = XF_PROBE_PROXY,
                                 .jid = mute[i],
                                 .relays = XF_NO };
        struct xf_event ev = { .via = XF_VIA_PROXY,
                               .text = "does not say where it is" };

        xf_probing_tell(p, &ev, &item);
    }
}

/* A port that is free now need not be so the next time. */
static uint16_t port_to_show(const struct xf_session *s, uint16_t port)
{
    return s->set.listen_from == 0 && s->listener &&
                   port == xf_listener_port(s->listener)
               ? 0
               : port;
}

static void tell_addresses(struct xf_probing *p)
{
    struct xf_probe item = { .item = XF_PROBE_ADDRESS };
    struct xf_event ev = { .via = XF_VIA_DIRECT };

    for (size_t i = 0; i < p->told.count; i++) {
        if (p->told.hosts[i].proxy)
            continue;
        ev.host = p->told.hosts[i].sh.host;
        ev.port = port_to_show(p->s, p->told.hosts[i].sh.port);
        xf_probing_tell(p, &ev, &item);
    }
    if (p->told.doors_err) {
        ev.host = NULL;
        ev.port = p->s->set.listen_from;
        ev.code = p->told.doors_err;
        ev.text = "no port to listen on can be had";
        xf_probing_tell(p, &ev, &item);
    }
}

void xf_probing_look_for_hosts(struct xf_probing *p)
{
    struct xf_session *s = p->s;
    bool proxies = xf_session_allows(s, XF_VIA_PROXY);

    if (p->listed || (proxies && !xf_proxies_ready(s->proxies, xf_now(s))))
        return;
    p->listed = true;
    if (xf_streamhosts_list(s, &p->told) != 0)
        xf_err_set(&p->why, XF_E_LIMIT, "%s", xf_err_text(XF_E_LIMIT));
    tell_addresses(p);
    if (proxies)
        check_proxies(p);
}

/* --- the way a file would go ------------------------------------------------------------- */

static enum xf_truth relays(const struct xf_probing *p,
                            const struct xf_streamhost *sh)
{
    for (size_t i = 0; i < p->checks_count; i++) {
        const struct xf_probing_check *c = &p->checks[i];

        if (c->port == sh->port && strcmp(c->jid, sh->jid) == 0 &&
            strcmp(c->host, sh->host) == 0)
            return c->relays;
    }
    return XF_NOT_KNOWN;
}

static void tell_hosts(struct xf_probing *p, struct xf_probe *item)
{
    for (size_t i = 0; i < p->told.count; i++) {
        const struct xf_told_host *h = &p->told.hosts[i];
        struct xf_event ev = {
            .via = h->proxy ? XF_VIA_PROXY : XF_VIA_DIRECT,
            .host = h->proxy ? h->sh.jid : h->sh.host,
            .port = h->proxy ? h->sh.port : port_to_show(p->s, h->sh.port),
        };

        item->number++;
        item->relays = h->proxy ? relays(p, &h->sh) : XF_NOT_KNOWN;
        xf_probing_tell(p, &ev, item);
    }
    item->relays = XF_NOT_KNOWN;
}

static void tell_in_band(struct xf_probing *p, struct xf_probe *item)
{
    struct xf_event ev = { .via = XF_VIA_IBB };

    ev.block_size = xf_inband_outlook(p->s, p->profile, p->peer, &item->rate);
    item->number++;
    xf_probing_tell(p, &ev, item);
    item->rate = 0;
}

static bool some_host_may_do(const struct xf_probing *p)
{
    for (size_t i = 0; i < p->told.count; i++)
        if (!p->told.hosts[i].proxy || relays(p, &p->told.hosts[i].sh) != XF_NO)
            return true;
    return false;
}

/* The ladder as a transfer would climb it, and whether it leads anywhere. */
void xf_probing_tell_ways(struct xf_probing *p)
{
    bool known = p->features & XF_FEATURE_KNOWN;
    struct xf_outlook_peer peer = {
        .s5b = !known || p->features & XF_FEATURE_S5B,
        .ibb = !known || p->features & XF_FEATURE_IBB,
        .two_values = p->profile->two_values,
    };
    struct xf_probe item = { .item = XF_PROBE_WAY, .jid = p->peer };
    struct xf_sending_rules rules;
    struct xf_outlook outlook;

    xf_sending_rules_for(p->s, p->profile, false, &rules);
    xf_outlook(&rules, p->told.count > 0, &peer, &outlook);
    for (size_t i = 0; i < outlook.count; i++) {
        item.second_offer = outlook.rungs[i].second;
        if (outlook.rungs[i].method == XF_METHOD_S5B)
            tell_hosts(p, &item);
        else
            tell_in_band(p, &item);
    }
    p->why = outlook.why;
    if (outlook.count == 0)
        return;
    xf_outlook(&rules, some_host_may_do(p), &peer, &outlook);
    if (outlook.why.code)
        xf_err_set(&p->why, outlook.why.code,
                   "no proxy relays, and no other way may be used");
}
