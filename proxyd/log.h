/* What the operator reads: one line a thing, nothing in it that others can
 * forge, and never more of the same than helps. */
#ifndef XFERRY_PROXYD_LOG_H
#define XFERRY_PROXYD_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum xf_log_level {
    XF_LOG_ERROR,
    XF_LOG_WARNING,
    XF_LOG_INFO,
    XF_LOG_DEBUG,
};

#define XF_LOG_LINE 1024       /* bytes of a line; what is longer is cut */
#define XF_LOG_JID 256         /* bytes of a JID as it is shown */
#define XF_LOG_SELDOM_MS 10000 /* between two lines of one kind */

/* What is logged from now on, and how JIDs are shown. */
void xf_log_set(enum xf_log_level least, bool full_jids);

/* One line to standard error. Bytes that are not printable ASCII are shown as
 * \xNN. A reader who does not keep up loses lines beyond 256 KiB, and never
 * stops us. */
void xf_log(enum xf_log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same for what strangers can bring about as often as they like: of each
 * `kind`, a static string, one line in XF_LOG_SELDOM_MS; how many were left
 * out is told with the next or by xf_log_tick().
 */
void xf_log_seldom(enum xf_log_level level, const char *kind,
                   const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tell what was left out, once its time has come, and what a slow reader did
 * not take. Returns the milliseconds until it is to be called again, or -1. */
int64_t xf_log_tick(void);

/* A JID for a log line: "r*@example.net", or whole if so set, without blanks.
 * Writes to `out` and returns it; NULL is "-". */
const char *xf_log_jid(const char *jid, char out[XF_LOG_JID]);

/* The last word: a slow reader is given a moment. */
void xf_log_end(void);

/* How many lines were lost, ever. */
uint64_t xf_log_lost(void);

/* The monotonic clock in milliseconds. */
int64_t xf_log_now(void);

#endif
