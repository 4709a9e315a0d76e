/* The life of a session in a command: signals, waiting, events, the code at
 * the end. Which files go where is left to send and receive. */
#ifndef XF_CLI_RUN_H
#define XF_CLI_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <xferry/xferry.h>

#include "options.h"
#include "report.h"

struct xf_run {
    const struct xf_options *options;
    struct xf_session *session;
    struct xf_report report;

    /* What a command does about an event, after it was told. */
    void (*on_event)(struct xf_run *run, struct xf_item *item,
                     const struct xf_event *ev);
    /* Whether a failure counts; NULL: each does. */
    bool (*concerns)(const struct xf_run *run, const struct xf_item *item,
                     const struct xf_event *ev);
    void (*on_input)(struct xf_run *run); /* standard input is readable */
    bool wants_input;
    bool takes_offers;
    void *command; /* its own data */

    int signals; /* descriptor */
    int signal;  /* the one that stopped us, or 0 */
    int code;    /* of the first failure */
    bool closing;
    bool lost; /* the connection is gone */
    bool over;
    int64_t close_by; /* once closing */
};

/*
 * Begin to connect; the password in `options` is wiped. Returns 0 or a code that has been told; then only
 * xf_run_end() is to be called.
 */
int xf_run_begin(struct xf_run *run, struct xf_options *options);

/* Leave in good order; the loop ends soon. */
void xf_run_close(struct xf_run *run);

/* Note a failure; the first counts, unless a signal stopped us before. */
void xf_run_fail(struct xf_run *run, int code);

/* Run to the end. */
void xf_run_loop(struct xf_run *run);

/* Free all. Returns the exit status. */
int xf_run_end(struct xf_run *run);

#endif
