/* Events as JSON, one object a line, for scripts. Which events there are is
 * the library's word. */
#ifndef XF_CLI_JSON_H
#define XF_CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <xferry/xferry.h>

/* A string with its quotes; what is not UTF-8 becomes U+FFFD, what must not
 * reach a terminal is escaped. NULL is null. */
void xf_json_string(FILE *out, const char *text);

/* What an event does not say by itself. */
struct xf_json_more {
    uint64_t id;
    const char *jid;  /* our own */
    bool again;       /* ONLINE: not for the first time */
    const char *path; /* where the file is, or came from */
    enum xf_via via;  /* the way that is open */
    double rate;      /* bytes a second; 0: not known */
};

/* One line, flushed; nothing for XF_EVENT_TRACE. */
void xf_json_event(FILE *out, const struct xf_event *ev,
                   const struct xf_json_more *more);

#endif
