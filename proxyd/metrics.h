/* What Prometheus reads of us, in its text format. */
#ifndef XFERRY_PROXYD_METRICS_H
#define XFERRY_PROXYD_METRICS_H

#include <xferry/proxy.h>
#include <xferry/relay.h>

#include "http.h"
#include "worker.h"

/* Everything that is told, taken at one moment. */
struct xf_metrics {
    struct xf_proxy_stats proxy;
    struct xf_relay_stats relay;
    uint64_t workers, workers_died;
    uint64_t ended[PAIR_LOST + 1]; /* pairs, by reason */
    uint64_t log_lines_lost;
    double started; /* seconds since 1970 */
};

void xf_metrics_page(const struct xf_metrics *m, struct xf_page *page);

#endif
