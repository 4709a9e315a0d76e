/*
 * Torture of a transfer: `torture [LOOP...]`, all loops without. The variable
 * XF_STEP: of the points one in so many. Prints a table; ends with 1 when
 * anything was wrong.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "shim.h"
#include "torture.h"

unsigned torture_step = 1;
unsigned torture_wrong;
char torture_at[200];

#define POINT_S 20 /* of the clock on the wall; a point that takes more hangs */

static void too_long(int sig)
{
    static const char text[] = "# this hangs: ";

    (void)sig;
    (void)!write(1, text, sizeof text - 1);
    (void)!write(1, torture_at, strlen(torture_at));
    (void)!write(1, "\n", 1);
    abort();
}

static const struct {
    const char *name;
    void (*run)(void);
} loops[] = {
    { "fail", torture_fail },     { "kill", torture_kill },
    { "memory", torture_memory }, { "power", torture_power },
    { "eintr", torture_eintr },   { "limit", torture_limit },
    { "short", torture_short },   { "cut", torture_cut },
    { "clock", torture_clock },   { "disk", torture_disk },
};

void row_print(const struct row *row)
{
    printf("%-12s %-9s %-8s %5u points %6u tried %4u wrong%s%s\n", row->loop,
           row->who, row->way, row->points, row->tried, row->wrong,
           row->more[0] ? "  " : "", row->more);
    fflush(stdout);
    torture_wrong += row->wrong;
}

void row_point(struct row *row, struct stage *st, const char *what,
               const char *format, ...)
{
    va_list args;

    row->tried++;
    alarm(POINT_S);
    if (!what)
        return;
    row->wrong++;
    if (row->wrong > 6)
        return;
    printf("# %s %s %s: ", row->loop, row->who, row->way);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf(": %s\n", what);
    for (int i = 0; st && i < SIDES; i++) {
        const struct told *t = &st->side[i].told;

        printf("#    %s: refused %d, offers %u, done %u, failed %u: %d %s\n",
               who_is[i], t->refused, t->offers, t->done, t->failed, t->code,
               t->text);
    }
    fflush(stdout);
}

/* What is loaded once and never given back is no leak. */
static void warm_up(void)
{
    const struct plan p = { .who = SIDES };

    for (int way = 0; way < WAYS; way++) {
        struct stage st;

        stage_new(&st, (enum way)way, 1000);
        (void)attempt(&st, &p, false, false);
        (void)attempt(&st, &p, true, false);
        stage_free(&st);
    }
}

int main(int argc, char **argv)
{
    const char *step = getenv("XF_STEP");
    bool any = false;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, too_long);
    memory_begin();
    shim_begin();
    if (step && atoi(step) > 0)
        torture_step = (unsigned)atoi(step);
    warm_up();
    for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
        bool wanted = argc < 2;
        time_t begun = time(NULL);

        for (int k = 1; k < argc; k++)
            wanted |= strcmp(argv[k], loops[i].name) == 0;
        if (!wanted)
            continue;
        any = true;
        alarm(POINT_S);
        loops[i].run();
        fprintf(stderr, "# %s: %ld s\n", loops[i].name,
                (long)(time(NULL) - begun));
    }
    if (!any) {
        fprintf(stderr, "there is no such loop\n");
        return 2;
    }
    return torture_wrong > 0;
}
