/* What an offer would meet, its parts in time; see the header. */
#include "api/probe_inside.h"

#include <stdio.h>
#include <string.h>

#include "api/resolve.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/disco.h"

/* --- telling ------------------------------------------------------------------- */

void xf_probing_tell(struct xf_probing *p, struct xf_event *ev,
                     const struct xf_probe *item)
{
    ev->type = XF_EVENT_PROBE;
    ev->peer = p->to;
    ev->probe = item;
    (void)xf_events_add(p->s, ev);
}

static void tell_end(struct xf_probing *p)
{
    p->over = true;
    p->end.item = XF_PROBE_END;
    p->last.embedded = true;
    p->last.ev = (struct xf_event){
        .type = XF_EVENT_PROBE,
        .peer = p->to,
        .elapsed_ms = xf_now(p->s) - p->since,
        .code = p->why.code,
        .text = p->why.code ? p->why.text : NULL,
        .probe = &p->end,
    };
    xf_events_probed(p->s, &p->last);
}

/* --- our server ------------------------------------------------------------------ */

static void tell_server(struct xf_probing *p, const char *software)
{
    const struct xf_connection *con = p->s->con;
    char domain[XF_JID_PART_MAX + 1];
    struct xf_event ev = { 0 };
    struct xf_probe item = { .item = XF_PROBE_SERVER,
                             .jid = domain,
                             .software = software,
                             .stanza_limit = p->s->stanza_limit };

    xf_jid_domain(p->s->jid, domain);
    if (con && con->link) {
        if (xf_link_is_tls(con->link))
            item.tls = xf_link_tls_version(con->link);
        item.mechanism = xf_login_mechanism(con->login);
        item.acks = con->sm.state == XF_SM_ON;
    }
    p->server_told = true;
    xf_probing_tell(p, &ev, &item);
}

static void version_came(void *ctx, const struct xf_stanza_head *reply,
                         const struct xf_stanza_error *error)
{
    struct xf_probing *p = ctx;
    struct xf_version_info info;
    char software[XF_CLIENT_NAME_MAX + 1];

    if (error || !xf_version_read(reply->el, &info) || !info.name) {
        tell_server(p, NULL);
        return;
    }
    snprintf(software, sizeof software, "%s%s%s", info.name,
             info.version ? " " : "", info.version ? info.version : "");
    tell_server(p, software);
}

static void ask_server(struct xf_probing *p)
{
    struct xf_session *s = p->s;
    char domain[XF_JID_PART_MAX + 1], id[XF_SID_MAX + 1];

    xf_jid_domain(s->jid, domain);
    xf_version_write_get(xf_stanza_begin(s, id), id, domain, s->jid);
    if (xf_stanza_request(s, id, domain, xf_now(s) + XF_PROBE_VERSION_MS, false,
                          version_came, p) != 0)
        tell_server(p, NULL);
}

/* --- what our server lets through ------------------------------------------------------ */

static void rate_came(void *ctx, const struct xf_rate *found)
{
    struct xf_probing_rate *r = ctx;
    struct xf_probe item = { .item = XF_PROBE_RATE,
                             .answers = found->known,
                             .rate = found->bytes };
    struct xf_event ev = { .elapsed_ms = found->rtt_ms,
                           .text = found->known ? NULL : "no answer in time" };

    r->asked = XF_PROBING_ANSWERED;
    xf_probing_tell(r->p, &ev, &item);
    xf_session_tick_soon(r->p->s);
}

/* Its bytes would be in the way of all other questions, so they come first. */
static bool rate_may_be_asked(const struct xf_probing *p)
{
    return p->listed && p->checks_left == 0 && p->server_told &&
           (p->contact != XF_PROBING_SOUGHT ||
            xf_now(p->s) >= p->begun_at + XF_PROBE_BUSY_MS);
}

static void look_at_rate(struct xf_probing *p)
{
    static const struct xf_rate unknown;

    if (p->rate.asked == XF_PROBING_ANSWERED)
        return;
    if (xf_now(p->s) >= p->begun_at + XF_PROBE_MS) {
        xf_rate_drop(p->s, &p->rate);
        rate_came(&p->rate, &unknown);
    } else if (p->rate.asked == XF_PROBING_NOT_ASKED && rate_may_be_asked(p)) {
        p->rate.asked = XF_PROBING_ASKED;
        if (xf_rate_measure(p->s, rate_came, &p->rate) != 0)
            rate_came(&p->rate, &unknown);
    }
}

/* --- life ------------------------------------------------------------------------------------ */

static void begin(struct xf_probing *p)
{
    struct xf_session *s = p->s;

    p->begun = true;
    p->begun_at = xf_now(s);
    ask_server(p);
    if (xf_session_allows(s, XF_VIA_PROXY)) {
        xf_proxies_prepare(s->proxies, xf_now(s));
        xf_resolve_proxies(s);
    }
}

/* What it holds of the system; the rest goes with its last event. */
static void let_go(struct xf_probing *p)
{
    struct xf_session *s = p->s;

    xf_requests_drop(s, p);
    xf_rate_drop(s, &p->rate);
    for (size_t i = 0; i < p->checks_count; i++) {
        xf_proxy_check_free(p->checks[i].check);
        p->checks[i].check = NULL;
    }
    xf_streamhosts_clear(s, &p->told);
}

static void finish(struct xf_probing *p)
{
    if (p->why.code == 0 && p->contact == XF_PROBING_FOUND)
        xf_probing_tell_ways(p);
    else if (p->why.code == 0)
        p->why = p->nobody;
    let_go(p);
    tell_end(p);
}

void xf_probing_stop(struct xf_session *s, int code, const char *text)
{
    struct xf_probing *p = s->probing;

    if (!p || p->over)
        return;
    xf_err_set(&p->why, code, "%s", text ? text : xf_err_text(code));
    let_go(p);
    tell_end(p);
}

void xf_probing_free(struct xf_session *s)
{
    struct xf_probing *p = s->probing;

    if (!p)
        return;
    let_go(p);
    s->probing = NULL;
    xf_sys_free(p);
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t xf_probing_deadline(const struct xf_session *s)
{
    const struct xf_probing *p = s->probing;
    int64_t when = INT64_MAX;

    if (!p || p->over || !s->online)
        return when;
    if (!p->begun)
        return 0;
    if (p->contact == XF_PROBING_SOUGHT)
        when = p->next_look;
    if (!p->listed && xf_session_allows(s, XF_VIA_PROXY))
        when = sooner(when, xf_proxies_deadline(s->proxies, xf_now(s)));
    for (size_t i = 0; i < p->checks_count; i++)
        when = sooner(when, xf_proxy_check_deadline(p->checks[i].check));
    if (p->rate.asked != XF_PROBING_ANSWERED)
        when = sooner(when, p->begun_at + XF_PROBE_MS);
    if (p->rate.asked == XF_PROBING_NOT_ASKED && !rate_may_be_asked(p) &&
        xf_now(s) < p->begun_at + XF_PROBE_BUSY_MS)
        when = sooner(when, p->begun_at + XF_PROBE_BUSY_MS);
    return when;
}

void xf_probing_tick(struct xf_session *s)
{
    struct xf_probing *p = s->probing;

    if (!p || p->over || !s->online)
        return;
    if (!p->begun)
        begin(p);
    xf_probing_look_for_contact(p);
    xf_probing_look_for_hosts(p);
    for (size_t i = 0; i < p->checks_count; i++)
        xf_proxy_check_tick(p->checks[i].check);
    look_at_rate(p);
    if (p->contact != XF_PROBING_SOUGHT && p->listed && p->checks_left == 0 &&
        p->rate.asked == XF_PROBING_ANSWERED && p->server_told)
        finish(p);
}

int xf_probe(struct xf_session *s, const char *to, int64_t wait_ms)
{
    struct xf_probing *p;
    int err;

    if (s->probing)
        return XF_E_BUSY;
    if (xf_session_is_over(s))
        return XF_E_STREAM;
    p = xf_sys_alloc(sizeof *p);
    if (!p)
        return XF_E_LIMIT;
    err = xf_jid_prep(to, p->to);
    if (err != 0) {
        xf_sys_free(p);
        return err;
    }
    p->s = s;
    p->since = xf_now(s);
    p->wait_until = wait_ms < 0 ? INT64_MAX : p->since + wait_ms;
    p->rate.p = p;
    s->probing = p;
    xf_session_tick_soon(s);
    return 0;
}
