/* What the user is told: lines, bar, JSON or trace, from the events of the
 * session. What is done about an event is left to the commands. */
#ifndef XF_CLI_REPORT_H
#define XF_CLI_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <xferry/xferry.h>

#include "item.h"
#include "options.h"
#include "progress.h"
#include "trace.h"

struct xf_report {
    const struct xf_options *options;
    FILE *out, *err;
    struct xf_progress progress;
    struct xf_trace trace;
    struct xf_item *items;
    const char *dir;  /* where received files go, as the user named it */
    bool lines;       /* tell about things at all */
    bool lost;        /* the connection was, at least once */
    bool asks;        /* offers are told by the question about them */
    char *question;   /* on the terminal, waiting for an answer */
    int64_t lined_ms; /* last progress line in a pipe */
};

void xf_report_init(struct xf_report *r, const struct xf_options *options,
                    FILE *out, FILE *err);
void xf_report_clear(struct xf_report *r);

/* Follow a transfer; NULL when there is no memory. */
struct xf_item *xf_report_follow(struct xf_report *r, struct xf_transfer *t,
                                 const char *name, bool sending);
void xf_report_drop(struct xf_report *r, struct xf_item *item);

/*
 * Tell about an event. `item` may be NULL; `jid` is our own. `concern` says
 * whether a failure is an error to the user, else it is told as a remark.
 */
void xf_report_event(struct xf_report *r, struct xf_item *item,
                     const struct xf_event *ev, const char *jid, bool concern);

/* "xferry: ..." */
void xf_report_error(struct xf_report *r, int code, const char *subject,
                     const char *text);

/*
 * Ask on the terminal whether to take the file; the question stands at the
 * bottom until xf_report_unask().
 */
void xf_report_ask(struct xf_report *r, const struct xf_item *item,
                   const char *desc);
void xf_report_unask(struct xf_report *r);

#endif
