/* The proxy at work: front, workers and metrics in one loop. */
#ifndef XFERRY_PROXYD_RUN_H
#define XFERRY_PROXYD_RUN_H

#include "config.h"
#include "worker.h"

/* Read the settings anew, as at the start. Returns 0 or a code with
 * conf->error set. */
typedef int xf_run_read(void *data, struct xf_conf *conf);

/* What the loop is begun with. */
struct xf_run_start {
    struct xf_conf *conf;    /* finished; changed by a reload */
    struct workers *workers; /* running; freed by who started them */
    char *secret;            /* XF_CONF_SECRET_MAX bytes */
    xf_run_read *read;       /* for a reload */
    void *data;              /* of `read` */
};

/* Catch the signals that are meant for the front; they wait until the loop
 * runs. To be called before workers are started. */
void xf_run_signals(void);

/* Relay until a signal ends it or the server refuses us. Returns 0 or the code
 * the program ends with, whose words have been logged. */
int xf_run(const struct xf_run_start *start);

#endif
