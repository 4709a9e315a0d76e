/* The one line at the bottom that is redrawn: bar, percent, rate, time left.
 * What stands above it, and when, is left to the report. */
#ifndef XF_CLI_PROGRESS_H
#define XF_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define XF_PROGRESS_MAX 1024 /* bytes of the line, NUL included */

struct xf_progress {
    FILE *out;
    bool terminal; /* else nothing is ever drawn */
    bool shown;
    int64_t drawn_ms;
};

void xf_progress_init(struct xf_progress *p, FILE *out);

/* Monotonic milliseconds. */
int64_t xf_progress_now(void);

/*
 * Draw `line`, cut to the terminal's width, over the one shown. `hurry` also
 * within 100 ms of the last.
 */
void xf_progress_show(struct xf_progress *p, const char *line, bool hurry);

/* Take it away, so that a whole line can be printed. */
void xf_progress_hide(struct xf_progress *p);

/* Columns of the terminal; 80 when it does not say. */
unsigned xf_progress_columns(const struct xf_progress *p);

/*
 * Write bar, percent, rate and time left for `done` of `total` bytes
 * (XF_SIZE_UNKNOWN: bytes and rate only) into `out`, within `columns`.
 * `rate` is bytes a second, 0 when not known.
 */
void xf_progress_bar(char out[XF_PROGRESS_MAX], unsigned columns, uint64_t done,
                     uint64_t total, double rate);

/* "18.4 MB", 10^6 bytes each; `out` has 32 bytes. */
void xf_progress_bytes(char out[32], double bytes);

/* "0:43", "1:02:03"; `out` has 32 bytes. */
void xf_progress_time(char out[32], double seconds);

#endif
