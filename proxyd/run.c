/* Ties front, workers and metrics together. Who may and what is moved the
 * library decides; here pairs change hands, are logged, and come to an end. */
#include "run.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http.h"
#include "log.h"
#include "metrics.h"
#include "notify.h"
#include "pairs.h"
#include "setup.h"

#define LEAVE_MS 1000   /* for the last words of workers and to the server */
#define STATUS_MS 10000 /* between two lines of status to systemd */

enum stage {
    RUNNING,
    DRAINING, /* takes nobody new; pairs have until `until` */
    LEAVING,  /* pairs are reset, the server is told */
    OVER,
};

struct run {
    const struct xf_run_start *start;
    struct workers *workers;
    struct xf_proxy *proxy;
    struct xf_http *http;
    struct xf_pairs pairs;
    uint64_t ended[PAIR_LOST + 1];
    enum stage stage;
    int64_t until;  /* of DRAINING and LEAVING */
    int64_t status; /* when its next line may go out */
    bool ready;     /* systemd knows */
    bool offline;   /* the server knows that we leave */
    int code;
    double started;
};

/* --- signals ------------------------------------------------------------- */

static volatile sig_atomic_t asked_to_end, asked_to_reload;
static sigset_t while_waiting; /* the mask of the loop's sleep */

static void on_end(int number)
{
    (void)number;
    if (asked_to_end < 2)
        asked_to_end++;
}

static void on_reload(int number)
{
    (void)number;
    asked_to_reload = 1;
}

/* Blocked but in ppoll(): so none is missed and no call is interrupted. */
void xf_run_signals(void)
{
    static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
    struct sigaction action = { 0 };
    sigset_t blocked;

    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        action.sa_handler = numbers[i] == SIGHUP ? on_reload : on_end;
        sigaction(numbers[i], &action, NULL);
        sigaddset(&blocked, numbers[i]);
    }
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
    sigprocmask(SIG_BLOCK, &blocked, &while_waiting);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigdelset(&while_waiting, numbers[i]);
}

/* --- telling ------------------------------------------------------------- */

static void tell_status(struct run *r)
{
    struct xf_proxy_stats s;

    xf_proxy_stats(r->proxy, &s);
    xf_notify("STATUS=%s, %" PRIu64 " pairs, %" PRIu64 " bytes so far",
              r->stage != RUNNING ? "draining"
              : s.online          ? "online"
                                  : "waiting for the server",
              s.active, s.bytes);
    r->status = xf_log_now() + STATUS_MS;
}

/* Whatever the server said first: from here on we do what can be done. */
static void tell_ready(struct run *r)
{
    if (!r->ready)
        xf_notify("READY=1");
    r->ready = true;
    tell_status(r);
}

static void page(void *data, struct xf_page *out)
{
    struct run *r = data;
    struct xf_metrics m = { .workers = workers_count(r->workers),
                            .log_lines_lost = xf_log_lost(),
                            .started = r->started };

    xf_proxy_stats(r->proxy, &m.proxy);
    workers_stats(r->workers, &m.relay, &m.workers_died);
    memcpy(m.ended, r->ended, sizeof m.ended);
    xf_metrics_page(&m, out);
}

/* --- pairs --------------------------------------------------------------- */

static void take_pair(struct run *r, const struct xf_proxy_event *ev)
{
    struct xf_relay_limits limits = {
        .rate = ev->pair_rate,
        /* Only a rate that they share ties pairs to one worker. */
        .group = ev->group_rate > 0 ? ev->group : 0,
        .group_rate = ev->group_rate,
        .idle_s = (uint32_t)r->start->conf->value[XF_CONF_IDLE_TIMEOUT].number,
    };
    char from[XF_LOG_JID], to[XF_LOG_JID], names[2 * XF_LOG_JID + 16];
    uint64_t id = ev->id;
    int err;

    snprintf(names, sizeof names, "from=%s to=%s",
             xf_log_jid(ev->requester, from), xf_log_jid(ev->target, to));
    if (!xf_pairs_add(&r->pairs, id, names)) {
        xf_log_seldom(XF_LOG_ERROR, "no memory for pairs",
                      "pair id=%" PRIu64 " %s: out of memory", id, names);
        names[0] = '\0';
    }
    err = workers_adopt(r->workers, id, ev->fd_a, ev->fd_b, &limits);
    if (!err) {
        xf_log(XF_LOG_DEBUG, "pair id=%" PRIu64 " %s activated", id, names);
        return;
    }
    xf_log_seldom(XF_LOG_ERROR, "pairs no worker took",
                  "pair id=%" PRIu64 " %s: no worker takes it (%s)", id, names,
                  xf_error_name(err));
    xf_pairs_remove(&r->pairs, id);
    xf_proxy_ended(r->proxy, id);
}

static void end_by_us(struct run *r, uint64_t id, const char *why)
{
    struct xf_pair *pair = xf_pairs_find(&r->pairs, id);

    if (pair)
        pair->why = why;
    workers_close(r->workers, id);
}

static void tell_moved(struct run *r, const struct workers_event *ev)
{
    struct xf_pair *pair = xf_pairs_find(&r->pairs, ev->id);
    uint64_t all = ev->from_a + ev->from_b;

    if (!pair || all <= pair->told)
        return;
    xf_proxy_moved(r->proxy, ev->id, all - pair->told);
    pair->told = all;
}

static void end_pair(struct run *r, const struct workers_event *ev)
{
    struct xf_pair *pair = xf_pairs_find(&r->pairs, ev->id);

    tell_moved(r, ev);
    r->ended[ev->reason <= PAIR_LOST ? ev->reason : PAIR_LOST]++;
    xf_log(XF_LOG_INFO,
           "pair id=%" PRIu64 " %s seconds=%.3f bytes_first=%" PRIu64
           " bytes_second=%" PRIu64 " reason=%s",
           ev->id, pair ? pair->names : "from=- to=-", (double)ev->ms / 1000,
           ev->from_a, ev->from_b,
           pair && pair->why ? pair->why : workers_reason_name(ev->reason));
    xf_proxy_ended(r->proxy, ev->id);
    xf_pairs_remove(&r->pairs, ev->id);
}

static void hear_workers(struct run *r)
{
    struct workers_event ev;

    workers_dispatch(r->workers);
    while (workers_next(r->workers, &ev))
        switch (ev.type) {
        case WORKERS_MOVED:
            tell_moved(r, &ev);
            break;
        case WORKERS_END:
            end_pair(r, &ev);
            break;
        case WORKERS_REPLACED:
            xf_log(XF_LOG_ERROR,
                   "worker %" PRIu64 " died and was replaced; its pairs are "
                   "lost",
                   ev.id);
            break;
        }
}

/* --- the front ----------------------------------------------------------- */

static void refused(const struct xf_proxy_event *ev)
{
    static const char *const words[XF_PROXY_REFUSALS] = {
        [XF_PROXY_BY_ACL] = "may not connect from there",
        [XF_PROXY_BY_ADDRESS] = "too many connections of this address",
        [XF_PROXY_BY_CROWD] = "too many handshakes under way",
        [XF_PROXY_BY_TIME] = "no whole handshake in time",
        [XF_PROXY_BY_SOCKS] = "not the SOCKS5 of bytestreams",
        [XF_PROXY_BY_THIRD] = "a third connection for one bytestream",
        [XF_PROXY_BY_PAIRS] = "too many pairs",
        [XF_PROXY_NOT_ACTIVATED] = "not activated in time",
        [XF_PROXY_BY_RULES] = "may not use the proxy",
        [XF_PROXY_BY_QUOTA] = "its quota is used up",
        [XF_PROXY_BY_STRANGER] = "activated what nobody connected for",
        [XF_PROXY_BY_ONE_SIDE] = "activated before both were connected",
        [XF_PROXY_BY_DESCRIPTORS] = "no descriptors left: accepting pauses",
    };
    char who[XF_LOG_JID];

    xf_log(ev->refusal == XF_PROXY_BY_DESCRIPTORS ? XF_LOG_ERROR
                                                  : XF_LOG_WARNING,
           "refused %s: %s reason=%s count=%" PRIu64, xf_log_jid(ev->who, who),
           words[ev->refusal], xf_proxy_refusal_name(ev->refusal), ev->count);
}

static void lost(struct run *r, const struct xf_proxy_event *ev)
{
    xf_log(XF_LOG_WARNING, "component: %s (%s); again in %.1f s", ev->text,
           xf_error_name(ev->code), (double)ev->retry_ms / 1000);
    tell_ready(r);
}

static void offline(struct run *r, const struct xf_proxy_event *ev)
{
    r->offline = true;
    if (ev->code == 0)
        return;
    xf_log(XF_LOG_ERROR, "component: %s (%s)", ev->text,
           xf_error_name(ev->code));
    r->code = ev->code;
    r->stage = OVER;
}

static void hear_proxy(struct run *r)
{
    const struct xf_proxy_event *ev;

    xf_proxy_dispatch(r->proxy);
    while ((ev = xf_proxy_next(r->proxy)) != NULL)
        switch (ev->type) {
        case XF_PROXY_ONLINE:
            xf_log(XF_LOG_INFO, "component: online as %s",
                   r->start->conf->value[XF_CONF_COMPONENT].text);
            tell_ready(r);
            break;
        case XF_PROXY_LOST:
            lost(r, ev);
            break;
        case XF_PROXY_OFFLINE:
            offline(r, ev);
            break;
        case XF_PROXY_PAIR:
            take_pair(r, ev);
            break;
        case XF_PROXY_EXCEEDED:
            end_by_us(r, ev->id, "quota");
            break;
        case XF_PROXY_REFUSED:
            refused(ev);
            break;
        }
}

/* --- reload -------------------------------------------------------------- */

static bool same(const struct xf_conf_value *a, const struct xf_conf_value *b)
{
    if (a->number != b->number || a->count != b->count ||
        !a->text != !b->text || (a->text && strcmp(a->text, b->text) != 0))
        return false;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->list[i], b->list[i]) != 0)
            return false;
    return true;
}

static void tell_what_waits(const struct xf_conf *old,
                            const struct xf_conf *conf)
{
    for (int i = 0; i < XF_CONF_KEYS; i++)
        if (!xf_conf_reloads((enum xf_conf_key)i) &&
            !same(&old->value[i], &conf->value[i]))
            xf_log(XF_LOG_WARNING, "reload: %s stays as it was until a restart",
                   xf_conf_name((enum xf_conf_key)i));
}

static void set_log(const struct xf_conf *conf)
{
    xf_log_set((enum xf_log_level)conf->value[XF_CONF_LOG_LEVEL].number,
               conf->value[XF_CONF_LOG_JIDS].number == 1);
}

/* The secret of a descriptor was read once and is kept. */
static int read_secret(const struct run *r, struct xf_conf *conf,
                       char secret[XF_CONF_SECRET_MAX])
{
    if (conf->value[XF_CONF_SECRET_FD].layer == XF_CONF_DEFAULT)
        return xf_conf_secret(conf, secret);
    memcpy(secret, r->start->secret, XF_CONF_SECRET_MAX);
    return 0;
}

static int reload_as(struct run *r, struct xf_conf *conf, char *secret)
{
    struct xf_setup setup;
    int err = xf_setup_make(&setup, conf, secret);

    if (!err)
        err = xf_proxy_reload(r->proxy, &setup.proxy, conf->error,
                              sizeof conf->error);
    xf_setup_clear(&setup);
    return err;
}

static void reload(struct run *r)
{
    char secret[XF_CONF_SECRET_MAX];
    struct xf_conf conf = { 0 };
    int err;

    xf_notify_reloading();
    err = r->start->read(r->start->data, &conf);
    if (!err)
        err = read_secret(r, &conf, secret);
    if (!err)
        err = reload_as(r, &conf, secret);
    if (err) {
        xf_log(XF_LOG_ERROR, "reload: %s (%s); everything stays as it was",
               conf.error, xf_error_name(err));
        xf_conf_clear(&conf);
    } else {
        tell_what_waits(r->start->conf, &conf);
        memcpy(r->start->secret, secret, sizeof secret);
        xf_conf_clear(r->start->conf);
        *r->start->conf = conf;
        set_log(&conf);
        xf_log(XF_LOG_INFO, "reload: done");
    }
    explicit_bzero(secret, sizeof secret);
    r->ready = false;
    tell_ready(r);
}

/* --- the end ------------------------------------------------------------- */

static void drain(struct run *r)
{
    uint64_t seconds = r->start->conf->value[XF_CONF_DRAIN_TIMEOUT].number;

    r->stage = DRAINING;
    r->until = xf_log_now() + (int64_t)seconds * 1000;
    xf_proxy_drain(r->proxy);
    xf_log(XF_LOG_INFO, "draining: %zu pairs have %" PRIu64 " s",
           r->pairs.count, seconds);
    xf_notify("STOPPING=1");
    tell_status(r);
}

static void reset_pair(void *data, struct xf_pair *pair)
{
    struct run *r = data;

    pair->why = "stopped";
    workers_close(r->workers, pair->id);
}

static void leave(struct run *r)
{
    r->stage = LEAVING;
    r->until = xf_log_now() + LEAVE_MS;
    if (r->pairs.count > 0)
        xf_log(XF_LOG_WARNING, "stopping: %zu pairs are reset", r->pairs.count);
    xf_pairs_each(&r->pairs, reset_pair, r);
    xf_proxy_close(r->proxy);
}

/* Nobody has anything to lose any more. */
static bool empty(const struct run *r)
{
    struct xf_proxy_stats s;

    xf_proxy_stats(r->proxy, &s);
    return r->pairs.count == 0 && s.waiting_two == 0;
}

static void see_to_the_end(struct run *r)
{
    bool late = r->stage != RUNNING && xf_log_now() >= r->until;

    if (r->stage == RUNNING && asked_to_end)
        drain(r);
    if (r->stage == DRAINING && (late || asked_to_end > 1 || empty(r)))
        leave(r);
    else if (r->stage == LEAVING &&
             (late || (r->offline && r->pairs.count == 0)))
        r->stage = OVER;
}

/* --- the loop ------------------------------------------------------------ */

static int64_t sooner(int64_t a, int64_t b)
{
    if (a < 0 || b < 0)
        return a < 0 ? b : a;
    return a < b ? a : b;
}

static int64_t due_in(struct run *r)
{
    int64_t now = xf_log_now();
    int64_t wait =
        sooner(xf_proxy_timeout(r->proxy), workers_timeout(r->workers));

    wait = sooner(wait, xf_http_timeout(r->http, now));
    wait = sooner(wait, xf_log_tick());
    wait = sooner(wait, xf_notify_watchdog(now));
    if (r->stage != RUNNING)
        wait = sooner(wait, r->until > now ? r->until - now : 0);
    return wait;
}

static void wait_for_news(struct run *r, struct pollfd *polls)
{
    size_t n = 0;
    int64_t ms = due_in(r);
    struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

    polls[n++] = (struct pollfd){ xf_proxy_fd(r->proxy), POLLIN, 0 };
    workers_poll(r->workers, polls + n);
    n += workers_count(r->workers);
    n += xf_http_polls(r->http, polls + n);
    ppoll(polls, n, ms < 0 ? NULL : &t, &while_waiting);
}

static void loop(struct run *r)
{
    struct pollfd polls[1 + WORKERS_MAX + XF_HTTP_POLLS];

    while (r->stage != OVER) {
        wait_for_news(r, polls);
        hear_proxy(r);
        hear_workers(r);
        xf_http_work(r->http, xf_log_now());
        if (asked_to_reload && r->stage == RUNNING)
            reload(r);
        asked_to_reload = 0;
        if (r->ready && xf_log_now() >= r->status)
            tell_status(r);
        see_to_the_end(r);
    }
}

static int open_metrics(struct run *r)
{
    const char *where = r->start->conf->value[XF_CONF_METRICS].text;
    char error[XF_HTTP_ERROR];
    int err;

    if (!where)
        return 0;
    err = xf_http_open(&r->http, where, page, r, error);
    if (err)
        xf_log(XF_LOG_ERROR, "metrics at %s: %s (%s)", where, error,
               xf_error_name(err));
    return err;
}

static int open_proxy(struct run *r)
{
    char text[XF_CONF_ERROR] = "";
    struct xf_setup setup;
    int err = xf_setup_make(&setup, r->start->conf, r->start->secret);

    if (err)
        snprintf(text, sizeof text, "%s", r->start->conf->error);
    else
        err = xf_proxy_new(&r->proxy, &setup.proxy, text, sizeof text);
    xf_setup_clear(&setup);
    if (err)
        xf_log(XF_LOG_ERROR, "%s (%s)", text, xf_error_name(err));
    return err;
}

static void tell_addresses(const struct run *r)
{
    const struct xf_conf_value *v = &r->start->conf->value[XF_CONF_LISTEN];

    for (size_t i = 0; i < v->count; i++)
        xf_log(XF_LOG_INFO, "listening on %s", v->list[i]);
    xf_log(XF_LOG_INFO, "%u workers", workers_count(r->workers));
}

int xf_run(const struct xf_run_start *start)
{
    struct run r = { .start = start, .workers = start->workers };
    struct timespec now;
    int err;

    clock_gettime(CLOCK_REALTIME, &now);
    r.started = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    set_log(start->conf);
    err = open_proxy(&r);
    if (!err)
        err = open_metrics(&r);
    if (!err) {
        tell_addresses(&r);
        loop(&r);
        err = r.code;
        xf_log(XF_LOG_INFO, "ended");
    }
    xf_log_end();
    xf_http_close(r.http);
    xf_proxy_free(r.proxy);
    xf_pairs_clear(&r.pairs);
    return err;
}
