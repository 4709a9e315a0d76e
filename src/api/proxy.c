/* The life of a proxy's front, its clock and its numbers. */
#include "api/proxy.h"

#include <stdio.h>
#include <string.h>

#include "base/sys.h"

int64_t xf_proxy_now(struct xf_proxy *x)
{
    return xf_loop_now(x->loop);
}

/* --- time ------------------------------------------------------------------ */

static void wake(void *ctx)
{
    (void)ctx; /* xf_proxy_dispatch() looks at what is due */
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void set_timer(struct xf_proxy *x)
{
    int64_t next = least(xf_proxy_doors_deadline(x), xf_uplink_deadline(x));

    xf_timer_set(x->timer, least(next, xf_proxy_events_deadline(x)));
}

void xf_proxy_dispatch(struct xf_proxy *x)
{
    int64_t now;

    xf_loop_dispatch(x->loop);
    now = xf_proxy_now(x);
    xf_proxy_doors_tick(x, now);
    xf_uplink_tick(x, now);
    xf_proxy_events_tick(x, now);
    set_timer(x);
}

int xf_proxy_fd(const struct xf_proxy *x)
{
    return xf_loop_fd(x->loop);
}

int xf_proxy_timeout(const struct xf_proxy *x)
{
    return x->events ? 0 : xf_loop_timeout(x->loop);
}

/* --- the beginning --------------------------------------------------------- */

static void tell_text(const struct xf_error_info *why, char *text, size_t size)
{
    if (text && size > 0)
        (void)snprintf(text, size, "%s", why->text);
}

static void init(struct xf_proxy *x)
{
    xf_matcher_init(&x->matcher, x->secret);
    xf_crowd_init(&x->crowd, x->secret);
    xf_usage_init(&x->usage, x->secret);
    xf_backoff_init(&x->up.backoff, -1);
    xf_buf_init(&x->out, XF_PROXY_OUT_MAX);
    x->events_last = &x->events;
    for (size_t i = 0; i < XF_PROXY_REFUSALS; i++)
        x->refusals[i].told_at = -XF_PROXY_TELL_MS;
}

static int open_up(struct xf_proxy *x, struct xf_error_info *why)
{
    int err = xf_loop_new(&x->loop);

    if (err == 0)
        err = xf_names_new(x->loop, &x->names);
    if (err == 0)
        err = xf_timer_new(x->loop, wake, x, &x->timer);
    if (err != 0)
        return xf_err_set(why, err, "%s", xf_err_text(err));
    err = xf_proxy_doors_open(x, why);
    if (err == 0)
        xf_uplink_begin(x);
    return err;
}

int xf_proxy_new(struct xf_proxy **out, const struct xf_proxy_config *config,
                 char *text, size_t text_size)
{
    struct xf_error_info why = { 0 };
    struct xf_proxy *x = xf_sys_alloc(sizeof *x);
    int err;

    *out = NULL;
    if (!x || xf_sys_random(x->secret, sizeof x->secret) != 0) {
        xf_sys_free(x);
        err = xf_err_set(&why, XF_E_LIMIT, "%s", xf_err_text(XF_E_LIMIT));
        tell_text(&why, text, text_size);
        return err;
    }
    init(x);
    err = xf_proxy_settings_new(&x->set, config, x->secret, &why);
    if (err == 0)
        err = open_up(x, &why);
    tell_text(&why, text, text_size);
    if (err != 0) {
        xf_proxy_free(x);
        return err;
    }
    set_timer(x);
    *out = x;
    return 0;
}

int xf_proxy_config_check(const struct xf_proxy_config *config, char *text,
                          size_t text_size)
{
    static const uint64_t secret[2] = { 0, 0 }; /* the maps live briefly */
    struct xf_error_info why = { 0 };
    struct xf_proxy_settings *set;
    int err = xf_proxy_settings_new(&set, config, secret, &why);

    xf_proxy_settings_free(set);
    tell_text(&why, text, text_size);
    return err;
}

int xf_proxy_reload(struct xf_proxy *x, const struct xf_proxy_config *config,
                    char *text, size_t text_size)
{
    struct xf_error_info why = { 0 };
    struct xf_proxy_settings *set;
    int err = xf_proxy_settings_new(&set, config, x->secret, &why);

    tell_text(&why, text, text_size);
    if (err != 0)
        return err;
    memcpy(set->domain, x->set->domain, sizeof set->domain);
    memcpy(set->listen, x->set->listen, sizeof set->listen);
    set->listen_count = x->set->listen_count;
    xf_proxy_settings_free(x->set);
    x->set = set;
    return 0;
}

/* --- the end --------------------------------------------------------------- */

void xf_proxy_drain(struct xf_proxy *x)
{
    x->draining = true;
    xf_proxy_doors_close(x);
}

void xf_proxy_end(struct xf_proxy *x, const struct xf_error_info *why)
{
    if (x->over)
        return;
    x->over = true;
    xf_proxy_doors_close(x);
    xf_proxy_doors_clear(x);
    xf_uplink_clear(x);
    xf_proxy_tell_code(x, XF_PROXY_OFFLINE, why, 0);
}

void xf_proxy_close(struct xf_proxy *x)
{
    if (x->over || x->leaving)
        return;
    x->leaving = true;
    xf_proxy_drain(x);
    xf_proxy_doors_clear(x);
    xf_uplink_leave(x);
    set_timer(x);
}

void xf_proxy_free(struct xf_proxy *x)
{
    struct xf_pair *pair;

    if (!x)
        return;
    x->over = true; /* nobody is told any more */
    xf_proxy_doors_close(x);
    xf_uplink_clear(x);
    xf_proxy_doors_clear(x);
    while ((pair = xf_matcher_flowing(&x->matcher)) != NULL)
        xf_proxy_forget_flow(x, pair);
    xf_matcher_clear(&x->matcher);
    xf_crowd_clear(&x->crowd);
    xf_usage_clear(&x->usage);
    xf_proxy_events_clear(x);
    xf_buf_clear(&x->out);
    xf_timer_free(x->timer);
    xf_names_free(x->names);
    xf_loop_free(x->loop);
    xf_proxy_settings_free(x->set);
    xf_sys_free(x);
}

/* --- numbers --------------------------------------------------------------- */

uint16_t xf_proxy_port(const struct xf_proxy *x, size_t i)
{
    return i < x->set->listen_count ? x->ports[i] : 0;
}

int64_t xf_proxy_latency_bound(size_t i)
{
    static const int64_t bounds[XF_PROXY_LATENCIES] = {
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 20000
    };

    return i < XF_PROXY_LATENCIES ? bounds[i] : 0;
}

void xf_proxy_stats(const struct xf_proxy *x, struct xf_proxy_stats *out)
{
    *out = x->stats;
    out->online = x->up.online;
    out->draining = x->draining;
    out->half_open = x->crowd.half_open;
    out->waiting_one = x->matcher.ones;
    out->waiting_two = x->matcher.twos;
    out->active = x->matcher.active;
}
