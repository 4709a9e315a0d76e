/* Names and units as Prometheus advises: base units, _total for what only
 * grows. The manual, the dashboard and a test go by these names. */
#include "metrics.h"

#include <inttypes.h>

#define P "xferry_proxy_"

static void head(struct xf_page *page, const char *name, const char *type,
                 const char *help)
{
    xf_page_add(page, "# HELP " P "%s %s\n# TYPE " P "%s %s\n", name, help,
                name, type);
}

static void number(struct xf_page *page, const char *name, const char *type,
                   uint64_t value, const char *help)
{
    head(page, name, type, help);
    xf_page_add(page, P "%s %" PRIu64 "\n", name, value);
}

static void states(struct xf_page *page, const struct xf_proxy_stats *s)
{
    head(page, "pairs", "gauge",
         "Pairs by state; half_open counts connections in their handshake.");
    xf_page_add(page, P "pairs{state=\"half_open\"} %" PRIu64 "\n",
                s->half_open);
    xf_page_add(page, P "pairs{state=\"waiting_one\"} %" PRIu64 "\n",
                s->waiting_one);
    xf_page_add(page, P "pairs{state=\"waiting_two\"} %" PRIu64 "\n",
                s->waiting_two);
    xf_page_add(page, P "pairs{state=\"active\"} %" PRIu64 "\n", s->active);
}

static void refusals(struct xf_page *page, const struct xf_proxy_stats *s)
{
    head(page, "refused_total", "counter", "Refusals by reason.");
    for (int i = 0; i < XF_PROXY_REFUSALS; i++)
        xf_page_add(page, P "refused_total{reason=\"%s\"} %" PRIu64 "\n",
                    xf_proxy_refusal_name((enum xf_proxy_refusal)i),
                    s->refused[i]);
}

static void ends(struct xf_page *page, const struct xf_metrics *m)
{
    head(page, "pairs_ended_total", "counter",
         "Active pairs that ended, by reason.");
    for (int i = 0; i <= PAIR_LOST; i++)
        xf_page_add(page, P "pairs_ended_total{reason=\"%s\"} %" PRIu64 "\n",
                    workers_reason_name(i), m->ended[i]);
}

static void latency(struct xf_page *page, const struct xf_proxy_stats *s)
{
    uint64_t sum = 0;

    head(page, "pairing_seconds", "histogram",
         "From the second connection of a pair to its activation.");
    for (size_t i = 0; i < XF_PROXY_LATENCIES; i++) {
        sum += s->latency[i];
        xf_page_add(page, P "pairing_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                    (double)xf_proxy_latency_bound(i) / 1000, sum);
    }
    sum += s->latency[XF_PROXY_LATENCIES];
    xf_page_add(page, P "pairing_seconds_bucket{le=\"+Inf\"} %" PRIu64 "\n",
                sum);
    xf_page_add(page, P "pairing_seconds_sum %.3f\n",
                (double)s->latency_sum_ms / 1000);
    xf_page_add(page, P "pairing_seconds_count %" PRIu64 "\n", sum);
}

void xf_metrics_page(const struct xf_metrics *m, struct xf_page *page)
{
    const struct xf_proxy_stats *s = &m->proxy;

    head(page, "info", "gauge", "The version.");
    xf_page_add(page, P "info{version=\"%s\"} 1\n", xf_version());
    head(page, "start_time_seconds", "gauge", "When it started.");
    xf_page_add(page, P "start_time_seconds %.3f\n", m->started);
    number(page, "component_up", "gauge", s->online,
           "Whether the XMPP server has us.");
    number(page, "component_connects_total", "counter", s->connects,
           "How often the XMPP server took us.");
    number(page, "draining", "gauge", s->draining,
           "Whether it takes nobody new and is about to end.");
    states(page, s);
    number(page, "connections_total", "counter", s->accepted,
           "Connections accepted, those turned away included.");
    number(page, "pairs_activated_total", "counter", s->activated,
           "Pairs activated.");
    ends(page, m);
    number(page, "bytes_total", "counter", s->bytes,
           "Bytes relayed, both directions together.");
    refusals(page, s);
    latency(page, s);
    number(page, "workers", "gauge", m->workers, "Processes that move bytes.");
    number(page, "workers_died_total", "counter", m->workers_died,
           "Of these, how many died and were replaced.");
    number(page, "copied_bytes_total", "counter", m->relay.copied,
           "Bytes moved without a pipe, which takes more CPU.");
    number(page, "pipes", "gauge", m->relay.pipes, "Pipes opened.");
    number(page, "pipes_in_use", "gauge", m->relay.lent,
           "Pipes with bytes in them.");
    number(page, "log_lines_lost_total", "counter", m->log_lines_lost,
           "Log lines that nobody read in time.");
}
