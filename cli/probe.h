/* The findings of a probe in words, a line each. */
#ifndef XF_CLI_PROBE_H
#define XF_CLI_PROBE_H

#include <stdio.h>

#include <xferry/xferry.h>

/* One line, flushed, of an XF_EVENT_PROBE; none for an end that is an error,
 * which is told as such. */
void xf_probe_print(FILE *out, const struct xf_event *ev);

#endif
