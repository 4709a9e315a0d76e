/*
 * The loops: each tries every point of its kind, prints one line a row, and
 * says how many results were wrong.
 */
#ifndef XF_TORTURE_H
#define XF_TORTURE_H

#include "base/sys.h"
#include "stage.h"

/* Of the points one in so many is tried; 1: all of them. */
extern unsigned torture_step;
/* In the whole run. */
extern unsigned torture_wrong;

/* Where it is, for the one who waits: said when a point takes too long. */
extern char torture_at[200];

/* A row of the table, begun and ended. */
struct row {
    const char *loop, *who, *way;
    unsigned points, tried, wrong;
    char more[120]; /* said behind the numbers */
};
void row_print(const struct row *row);
/* One point: `what` NULL is well. Prints what is wrong with it. */
void row_point(struct row *row, struct stage *st, const char *what,
               const char *format, ...) __attribute__((format(printf, 4, 5)));

/* --- the gate --------------------------------------------------------------- */

#define CALLS_MAX 100000
#define EVERY_CALL (~0ull)
#define CALL(kind) (1ull << (kind))

/* Whose memory; the rest is a matter of `kinds`. */
enum lib { OURS, EXPAT, CRYPTO, UV, ARES, LIBS };

/* What is to happen at call `at` (from 1) of `who` among those of `kinds`. */
struct plan {
    enum who who;
    uint64_t kinds;
    enum lib lib;     /* not OURS: allocations of that one, `kinds` is 0 */
    unsigned at;      /* 0: count only */
    unsigned variant; /* which of the errnos that fit; wraps */
    int err;          /* not 0: this one */
    bool on;          /* all behind it, too */
    enum { FAIL, DIE_BEFORE, DIE_BEHIND } deed;
    void (*prepare)(struct stage *st); /* just before it is played */
    /* seen */
    unsigned count;
    bool met;
    enum xf_sys_call call; /* that was met */
    int met_err;
};
extern struct plan plan;
void plan_set(const struct plan *p); /* and the gate */
void plan_clear(void);
/* What call N was, in the last run that only counted. */
extern unsigned char plan_calls[CALLS_MAX];
unsigned plan_errnos(enum xf_sys_call call);
const char *plan_call_name(enum xf_sys_call call);

/* A transfer under that plan, and if it fails another one without; the first
 * with a part already there, or with new sessions for the second. NULL, or
 * what is wrong. */
const char *attempt(struct stage *st, const struct plan *p, bool with_part,
                    bool anew);
struct seen {
    unsigned whole, later, went_on;
};
extern struct seen seen; /* of all attempts since it was cleared */
void seen_more(struct row *row, const char *more);

void torture_fail(void);
void torture_kill(void);
void torture_memory(void);
void torture_power(void);
void torture_eintr(void);
void torture_limit(void);
void torture_short(void);
void torture_cut(void);
void torture_clock(void);
void torture_disk(void);

void memory_begin(void); /* before anything else is called */

#endif
