/* What is told of an unfinished part: one line, for people or for scripts. */
#ifndef XF_CLI_GC_H
#define XF_CLI_GC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <xferry/xferry.h>

/* Until its time has come a part is kept, and so is one in use. */
enum xf_gc_fate { XF_GC_LEFT, XF_GC_REMOVED, XF_GC_FAILED };

/* `age` in seconds; -1: not known. `dir` is as the user named it. */
void xf_gc_print(FILE *out, const struct xf_part *part, int64_t age,
                 enum xf_gc_fate fate);
void xf_gc_json(FILE *out, const struct xf_part *part, const char *dir,
                int64_t age, enum xf_gc_fate fate);

#endif
