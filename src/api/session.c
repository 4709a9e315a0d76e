/*
 * A session: what it is made of, its clock, its beginning and end. The
 * connection is connection.c's, transfers are transfer.c's.
 */
#include "api/session.h"

#include <stdio.h>
#include <string.h>

#include "api/connection.h"
#include "api/doors.h"
#include "api/ending.h"
#include "api/probe.h"
#include "api/inband.h"
#include "api/peer.h"
#include "api/rate.h"
#include "api/receiving.h"
#include "api/resolve.h"
#include "api/settings.h"
#include "api/stanzas.h"
#include "api/throttle.h"
#include "base/encode.h"
#include "base/sys.h"
#include "net/address.h"

const char *xf_version(void)
{
    return XF_VERSION;
}

const char *xf_error_name(int code)
{
    return xf_err_name(code);
}

const char *xf_error_text(int code)
{
    return xf_err_text(code);
}

/* --- small questions ------------------------------------------------------------ */

int64_t xf_now(const struct xf_session *s)
{
    return xf_loop_now(s->loop);
}

bool xf_session_id(struct xf_session *s, char out[XF_SID_MAX + 1])
{
    if (!s->make_id)
        return xf_random_id(out);
    s->make_id(out, s->make_id_ctx);
    return true;
}

bool xf_session_is_loopback(const struct xf_session *s)
{
    return s->con ? xf_connection_is_loopback(s) : s->loopback;
}

int64_t xf_session_patience(const struct xf_session *s)
{
    if (s->online)
        return s->set.stall_ms;
    /* Not more than can be added to any time. */
    return s->set.retry_ms < 0 ? INT32_MAX * INT64_C(1000) : s->set.retry_ms;
}

bool xf_session_is_away(const struct xf_session *s)
{
    return s->con ? xf_connection_is_away(s) : !s->online;
}

bool xf_session_is_over(const struct xf_session *s)
{
    return s->con && s->con->state == XF_CONNECTION_OVER;
}

bool xf_session_allows(const struct xf_session *s, enum xf_via via)
{
    for (size_t i = 0; i < s->set.via_count; i++)
        if (s->set.via[i] == via)
            return true;
    return false;
}

/* --- the clock ------------------------------------------------------------------- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t next_deadline(const struct xf_session *s)
{
    int64_t when = xf_iq_deadline(s->iqs);

    when = sooner(when, xf_connection_deadline(s));
    when = sooner(when, xf_doors_deadline(s));
    when = sooner(when, xf_probing_deadline(s));
    when = sooner(when, xf_throttle_deadline(s));
    for (const struct xf_transfer *t = s->transfers; t; t = t->next)
        when = sooner(when, xf_transfer_deadline(t));
    return when;
}

/* While the stream is away no reply can come, and nobody is slow. */
static void hold_clocks(struct xf_session *s)
{
    int64_t ms = xf_connection_held_ms(s);

    if (ms <= 0)
        return;
    xf_iq_shift(s->iqs, ms);
    xf_rate_shift(s, ms);
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        xf_transfer_hold(t, ms);
}

void xf_session_tick(struct xf_session *s)
{
    int64_t now = xf_now(s);
    struct xf_transfer *t, *next;

    hold_clocks(s);
    xf_requests_tick(s, now);
    xf_connection_tick(s);
    xf_doors_tick(s);
    for (t = s->transfers; t; t = next) {
        next = t->next;
        xf_transfer_tick(t);
    }
    xf_probing_tick(s);
    xf_throttle_tick(s);
    xf_timer_set(s->timer, next_deadline(s));
}

void xf_session_tick_soon(struct xf_session *s)
{
    xf_timer_set(s->timer, 0);
}

static void on_timer(void *ctx)
{
    xf_session_tick(ctx);
}

/* --- on and off ------------------------------------------------------------------ */

void xf_session_online(struct xf_session *s, const char *full_jid)
{
    struct xf_event ev = { .type = XF_EVENT_ONLINE };
    bool renamed = strcmp(s->jid, full_jid) != 0;

    snprintf(s->jid, sizeof s->jid, "%s", full_jid);
    (void)xf_contacts_own(s->contacts, s->jid);
    s->online = true;
    s->online_since = xf_now(s);
    xf_rate_forget(s);
    (void)xf_events_add(s, &ev);
    for (struct xf_transfer *t = s->transfers; t; t = t->next) {
        t->renamed |= renamed;
        xf_transfer_back(t);
    }
    /* What every sender needs and nobody should wait for. */
    if (s->transfers && xf_session_allows(s, XF_VIA_PROXY)) {
        xf_proxies_prepare(s->proxies, xf_now(s));
        xf_resolve_proxies(s);
    }
    xf_session_tick_soon(s);
}

void xf_session_resumed(struct xf_session *s)
{
    struct xf_event ev = { .type = XF_EVENT_ONLINE, .resumed = true };

    hold_clocks(s);
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        xf_transfer_go_on(t);
    (void)xf_events_add(s, &ev);
    xf_session_tick_soon(s);
}

/* What waits for an answer on the stream gets none. */
static void fail_questions(struct xf_session *s,
                           const struct xf_error_info *why)
{
    xf_probing_stop(s, why->code ? why->code : XF_E_CANCELLED,
                    why->code ? why->text : NULL);
    xf_proxies_forget_questions(s->proxies);
    xf_requests_fail(s);
}

void xf_session_away(struct xf_session *s, const struct xf_error_info *why)
{
    struct xf_transfer *t, *next;

    s->online = false;
    s->roster_known = false;
    for (t = s->transfers; t; t = next) {
        next = t->next;
        xf_transfer_away(t, why);
    }
    fail_questions(s, why);
    xf_session_tick_soon(s);
}

/* Bytes that are on a bytestream already need no server. */
void xf_session_offline(struct xf_session *s, const struct xf_error_info *why)
{
    struct xf_transfer *t, *next;

    s->online = false;
    s->roster_known = false;
    for (t = s->transfers; t; t = next) {
        next = t->next;
        if (!t->over && !t->mover)
            xf_transfer_stop(t, why->code ? why->code : XF_E_CANCELLED,
                             why->code ? why->text : NULL);
    }
    fail_questions(s, why);
    xf_events_offline(s, why);
    xf_session_tick_soon(s);
}

/* --- the face -------------------------------------------------------------------- */

static int build(struct xf_session *s, const struct xf_config *config,
                 bool attached)
{
    char domain[XF_JID_PART_MAX + 1];
    int err;

    s->events_last = &s->events;
    s->stanzas_last = &s->stanzas;
    s->turns_last = &s->turns;
    xf_buf_init(&s->out, XF_OUT_MAX);
    if ((err = xf_settings_take(&s->set, config, attached)) != 0 ||
        (err = xf_loop_new(&s->loop)) != 0 ||
        (err = xf_timer_new(s->loop, on_timer, s, &s->timer)) != 0 ||
        (err = xf_names_new(s->loop, &s->names)) != 0 ||
        (err = xf_pool_new(&s->pool, s->loop, s->set.workers)) != 0)
        return err;
    s->stock.most = XF_STOCK_MAX;
    xf_limit_init(&s->limit, s->set.limit, xf_now(s));
    if (s->set.account) {
        snprintf(s->jid, sizeof s->jid, "%s", s->set.account);
        xf_jid_domain(s->set.account, domain);
    }
    s->iqs = xf_iq_table_new();
    s->contacts = xf_contacts_new();
    s->proxies = xf_proxies_new((const char *const *)s->set.proxies,
                                s->set.account ? domain : NULL);
    return s->iqs && s->contacts && s->proxies ? 0 : XF_E_LIMIT;
}

/* Where a borrowed connection leads, as far as it matters here. */
static bool leads_to_loopback(const char *server)
{
    char host[XF_HOST_MAX + 1];
    uint16_t port = 0;
    struct xf_address address;

    if (!server || xf_address_split(server, host, &port) != 0)
        return false;
    if (strcmp(host, "localhost") == 0)
        return true;
    return xf_address_read(host, 1, &address) &&
           xf_address_is_loopback(&address);
}

static int make(struct xf_session **out, const struct xf_config *config,
                bool attached)
{
    struct xf_session *s = xf_sys_alloc(sizeof *s);
    int err;

    *out = NULL;
    if (!s)
        return XF_E_LIMIT;
    err = build(s, config, attached);
    if (err == 0 && attached)
        s->loopback = leads_to_loopback(s->set.server);
    else if (err == 0)
        err = xf_connection_new(s);
    if (err != 0) {
        xf_session_free(s);
        return err;
    }
    /* Else it is needed again when the connection is lost. */
    if (attached || s->set.retry_ms == 0)
        xf_settings_wipe(&s->set.password);
    xf_session_tick_soon(s);
    *out = s;
    return 0;
}

int xf_session_new(struct xf_session **out, const struct xf_config *config)
{
    return make(out, config, false);
}

int xf_session_new_attached(struct xf_session **out,
                            const struct xf_config *config)
{
    return make(out, config, true);
}

void xf_session_free(struct xf_session *s)
{
    if (!s)
        return;
    s->online = false;
    while (s->transfers) {
        if (!s->transfers->outgoing)
            xf_receiving_leave(s->transfers);
        xf_transfer_free(s->transfers);
    }
    if (s->events_last)
        xf_events_clear(s);
    xf_probing_free(s);
    if (s->iqs)
        xf_requests_fail(s);
    xf_rate_free(s);
    xf_inband_forget_peers(s);
    xf_doors_clear(s);
    xf_connection_free(s);
    xf_stanzas_clear(s);
    xf_sys_free(s->taken);
    xf_proxies_free(s->proxies);
    xf_contacts_free(s->contacts);
    xf_peer_forget(s, NULL);
    xf_ending_clear(s);
    xf_iq_table_free(s->iqs);
    xf_pool_free(s->pool);
    xf_names_free(s->names);
    xf_timer_free(s->timer);
    xf_loop_free(s->loop);
    xf_buf_clear(&s->out);
    xf_sys_free(s->block);
    xf_settings_clear(&s->set);
    xf_sys_free(s);
}

void xf_session_close(struct xf_session *s)
{
    struct xf_error_info fine = { 0 };
    struct xf_transfer *t, *next;

    for (t = s->transfers; t; t = next) {
        next = t->next;
        xf_transfer_stop(t, XF_E_CANCELLED, NULL);
    }
    xf_probing_stop(s, XF_E_CANCELLED, NULL);
    if (s->con)
        xf_connection_leave(s);
    else
        xf_session_offline(s, &fine);
    xf_session_tick(s);
}

int xf_session_fd(const struct xf_session *s)
{
    return xf_loop_fd(s->loop);
}

int xf_session_timeout(const struct xf_session *s)
{
    return s->events || s->stanzas ? 0 : xf_loop_timeout(s->loop);
}

int xf_session_dispatch(struct xf_session *s)
{
    xf_events_release(s);
    xf_loop_dispatch(s->loop);
    return 0;
}

const char *xf_session_jid(const struct xf_session *s)
{
    return s->jid;
}
