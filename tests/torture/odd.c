/*
 * Signals all the time, few descriptors, short counts, connections that are
 * cut, clocks that jump.
 */
#include <sys/resource.h>
#include <sys/time.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "shim.h"
#include "torture.h"

/* --- EINTR -------------------------------------------------------------------- */

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
    (void)sig;
    alarms++;
}

void torture_eintr(void)
{
    struct sigaction act = { .sa_handler = on_alarm };
    struct itimerval every = { { 0, 100 }, { 0, 100 } }, never = { 0 };

    (void)sigaction(SIGVTALRM, &act, NULL);
    (void)sigaction(SIGPROF, &act, NULL);
    for (int way = 0; way < WAYS; way++) {
        struct row row = { "EINTR", "both", way_is[way], 1, 0, 0, "" };
        struct plan p = { .who = SIDES };
        struct sigaction old;
        struct stage st;
        const char *what;

        stage_new(&st, (enum way)way, 4000000);
        (void)attempt(&st, &p, false, false);
        alarm(0);
        (void)sigaction(SIGALRM, &act, &old);
        seen = (struct seen){ 0 };
        alarms = 0;
        (void)setitimer(ITIMER_REAL, &every, NULL);
        what = attempt(&st, &p, false, false);
        (void)setitimer(ITIMER_REAL, &never, NULL);
        (void)sigaction(SIGALRM, &old, NULL);
        if (!what && seen.whole == 0)
            what = "it failed";
        row_point(&row, &st, what, "4 MB");
        (void)snprintf(row.more, sizeof row.more, "%d signals", (int)alarms);
        stage_free(&st);
        row_print(&row);
    }
}

/* --- descriptors ---------------------------------------------------------------- */

static void few(struct side *side, void *ctx)
{
    const rlim_t *n = ctx;
    struct rlimit limit = { *n, *n };

    (void)side;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static void with_few(enum who who, enum way way, rlim_t n)
{
    struct row row = { "descriptors", who_is[who], way_is[way], 1, 0, 0, "" };
    struct stage st;
    const struct told *t;
    const char *what;

    stage_new(&st, way, 50000);
    stage_files(&st, 6);
    st.side[who].apart = true;
    st.side[who].before = few;
    st.side[who].ctx = &n;
    stage_play(&st);
    what = stage_judge(&st);
    t = &st.side[who].told;
    if (!what && t->refused != 0 && t->refused != XF_E_LIMIT)
        what = "refused with another code";
    if (!what && n >= 64 && t->done != 6)
        what = "there were enough";
    row_point(&row, &st, what, "%u", (unsigned)n);
    (void)snprintf(row.more, sizeof row.more,
                   "%u allowed: %u of 6 done, %u failed (%s), refused: %s",
                   (unsigned)n, t->done, t->failed,
                   t->code ? xf_error_name(t->code) : "-",
                   t->refused ? xf_error_name(t->refused) : "-");
    stage_free(&st);
    row_print(&row);
}

void torture_limit(void)
{
    static const rlim_t limits[] = { 8, 12, 16, 24, 32, 64 };

    for (int way = 0; way < WAYS; way++)
        for (int who = 0; who < SIDES; who++)
            for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
                with_few((enum who)who, (enum way)way, limits[i]);
}

/* --- short counts ----------------------------------------------------------------- */

void torture_short(void)
{
    static const struct {
        size_t count, size;
    } shorts[] = {
        { 1, 3000 }, { 7, 10001 }, { 100, 100000 }, { 4095, 300000 }
    };

    for (int way = 0; way < WAYS; way++) {
        struct row row = { "short counts", "both", way_is[way], 4, 0, 0, "" };

        for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++) {
            struct plan p = { .who = SIDES };
            struct stage st;
            const char *what;

            stage_new(&st, (enum way)way, shorts[i].size);
            (void)attempt(&st, &p, false, false);
            seen = (struct seen){ 0 };
            shim_short = shorts[i].count;
            what = attempt(&st, &p, false, false);
            shim_short = 0;
            if (!what && seen.whole == 0)
                what = "it failed";
            row_point(&row, &st, what, "%zu bytes a call", shorts[i].count);
            stage_free(&st);
        }
        row_print(&row);
    }
}

/* --- cuts -------------------------------------------------------------------------- */

static struct cut the_cut;

static void cut(struct stage *st)
{
    *wire_cut(st->wire) = the_cut;
}

/* Bytes where to cut, of `all`; returns how many. */
static unsigned places(uint64_t all, uint64_t out[32])
{
    static const uint64_t early[] = {
        0, 1, 2, 3, 4, 5, 10, 48, 49, 50, 51, 52
    };
    const uint64_t late[] = { all / 2, all - 2, all - 1, all };
    unsigned n = 0;

    for (size_t i = 0; i < sizeof early / sizeof *early; i++)
        if (early[i] < all)
            out[n++] = early[i];
    for (size_t i = 0; i < 4; i++)
        if (late[i] <= all && (n == 0 || late[i] > out[n - 1]))
            out[n++] = late[i];
    return n;
}

static void cut_row(enum way way, unsigned connection, unsigned from)
{
    static const char *const whose[2][2] = { { "J dial", "J dialled" },
                                             { "R dial", "R dialled" } };
    struct row row = {
        "cut", whose[connection][from], way_is[way], 0, 0, 0, ""
    };
    struct plan p = { .who = SIDES, .prepare = cut };
    struct stage st;
    uint64_t at[32];
    unsigned n;

    stage_new(&st, way, 300000);
    the_cut = (struct cut){ .on = true, .connection = 99 };
    /* It goes through the relay, and is not cut. */
    row_point(&row, &st, attempt(&st, &p, false, false), "not cut");
    n = places(wire_bytes(st.wire, connection, from), at);
    seen = (struct seen){ 0 };
    row.points = 2 * n;
    for (unsigned i = 0; i < n; i++) {
        for (int reset = 0; reset < 2; reset++) {
            (void)snprintf(torture_at, sizeof torture_at, "cut %s %u %u at %u",
                           way_is[way], connection, from, (unsigned)at[i]);
            the_cut = (struct cut){ .on = true,
                                    .connection = connection,
                                    .from = from,
                                    .at = at[i],
                                    .reset = reset };
            row_point(&row, &st, attempt(&st, &p, false, i % 2 == 0),
                      "%s at byte %llu", reset ? "RST" : "FIN",
                      (unsigned long long)at[i]);
        }
    }
    stage_free(&st);
    seen_more(&row, "");
    row_print(&row);
}

void torture_cut(void)
{
    for (unsigned from = 0; from < 2; from++) {
        cut_row(DIRECT, 0, from);
        cut_row(BY_PROXY, 0, from);
        cut_row(BY_PROXY, 1, from);
    }
}

/* --- clocks ------------------------------------------------------------------------- */

static struct {
    unsigned at, seen;
    int64_t wall_s, ahead_ms;
} jump;

static void maybe_jump(struct stage *st, enum who from, const char *xml)
{
    (void)st;
    (void)from;
    (void)xml;
    if (++jump.seen != jump.at)
        return;
    atomic_fetch_add(&shim_shared->wall_s, jump.wall_s);
    shim_leap(jump.ahead_ms);
}

static void jump_row(enum way way, const char *name, int64_t wall_s,
                     int64_t ahead_ms)
{
    struct row row = { name, "both", way_is[way], 0, 0, 0, "" };
    struct plan p = { .who = SIDES };
    struct stage st;

    stage_new(&st, way, 300000);
    st.on_stanza = maybe_jump;
    jump = (__typeof__(jump)){ 0 };
    (void)attempt(&st, &p, false, false);
    row.points = jump.seen;
    seen = (struct seen){ 0 };
    for (unsigned n = 1; n <= row.points; n += torture_step) {
        const char *what;
        unsigned later = seen.later;

        jump = (__typeof__(jump)){ n, 0, wall_s, ahead_ms };
        what = attempt(&st, &p, false, false);
        if (!what && wall_s != 0 && seen.later > later)
            what = "the clock on the wall has changed something";
        row_point(&row, &st, what, "stanza %u", n);
    }
    stage_free(&st);
    seen_more(&row, "");
    row_print(&row);
}

void torture_clock(void)
{
    for (int way = 0; way < WAYS; way++) {
        jump_row((enum way)way, "wall +1 h", 3600, 0);
        jump_row((enum way)way, "wall -1 h", -3600, 0);
        jump_row((enum way)way, "wall +1 y", 31536000, 0);
        jump_row((enum way)way, "wall -1 y", -31536000, 0);
        jump_row((enum way)way, "asleep 8 h", 0, 8 * 3600000);
    }
}
