/*
 * fail-at-N: each call of a file, a socket or of chance fails once, with each
 * errno that fits. Then the file is whole, or it failed and each end has one
 * code; and in any case the next try, undisturbed, delivers it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "shim.h"
#include "torture.h"

#define SIZE 300000 /* bytes; more than one buffer of the intake */
#define LARGE_SIZE ((17u << 20) + 1) /* synced in the middle, too */

/* Not those of memory, which have their own loop, nor clocks, that cannot. */
#define FILES_AND_SOCKETS                                                      \
    (EVERY_CALL & ~CALL(XF_SYS_ALLOC) & ~CALL(XF_SYS_CLOCK))

struct seen seen;

enum kind { PLAIN, GOES_ON, LARGE, KINDS };
static const char *const kind_is[] = { "", "a part is there", "17 MiB" };

static void lose_patience(struct stage *st)
{
    if (st->side[J].there && st->side[J].told.offers > 0 && plan.met &&
        ++plan.count > 50) {
        st->on_turn = NULL;
        xf_session_close(st->side[J].s);
    }
}

/* A part of the file, left by a transfer that its receiver broke off. */
static bool leave_part(struct stage *st)
{
    const struct plan p = { .who = R,
                            .kinds = CALL(XF_SYS_SENDFILE),
                            .at = 3,
                            .err = EAGAIN,
                            .on = true };
    enum way way = st->way;
    struct found found;

    stage_way(st, DIRECT);
    shim_short = 65536;
    plan_set(&p);
    st->on_turn = lose_patience;
    stage_play(st);
    st->on_turn = NULL;
    plan_clear();
    shim_short = 0;
    stage_close(st);
    stage_way(st, way);
    stage_again(st);
    found = stage_look(st);
    return found.whole == 0 && found.parts == 1 && found.journals == 1;
}

static const char *second(struct stage *st, bool anew)
{
    static char text[300];
    const struct told *r = &st->side[R].told, *j = &st->side[J].told;
    const char *what;

    if (anew || !st->side[R].there || !st->side[J].there)
        stage_close(st);
    stage_again(st);
    wire_clear(st->wire);
    if (st->side[R].there) {
        stage_offer(st);
        stage_run(st);
    } else {
        stage_play(st);
    }
    what = stage_judge(st);
    seen.later++;
    seen.went_on += j->resumed > 0;
    if (!what && (r->done != 1 || j->done != 1))
        what = "it is not delivered";
    if (what)
        (void)snprintf(text, sizeof text,
                       "then: %s (sender %d %.90s, receiver %d %.90s)", what,
                       r->code, r->text, j->code, j->text);
    return what ? text : NULL;
}

/* What cannot be read or locked is not there, and is left alone. */
static bool is_looking(void)
{
    return plan.call == XF_SYS_LIST || plan.call == XF_SYS_STAT ||
           plan.call == XF_SYS_OPEN || plan.call == XF_SYS_READ ||
           plan.call == XF_SYS_LOCK;
}

/* Only a name that could not be removed may lie there. */
static const char *left(struct stage *st, const struct found *found,
                        bool with_part)
{
    if (st->side[J].told.done == 0 || (found->parts + found->journals) == 0)
        return NULL;
    if (plan.call == XF_SYS_UNLINK || (with_part && is_looking()))
        return NULL;
    return "a part or a journal is left";
}

/* Who wrote or read, knows best why it cannot. */
static const char *wrong_code(struct stage *st)
{
    const struct told *t = &st->side[plan.who == R ? R : J].told;
    bool plain = plan.call == XF_SYS_WRITE || plan.call == XF_SYS_SYNC ||
                 plan.call == XF_SYS_ALLOCATE || plan.call == XF_SYS_RENAME;

    if (!plan.met || !plain || t->failed == 0 ||
        t->code == xf_err_from_errno(plan.met_err))
        return NULL;
    return "another code";
}

const char *attempt(struct stage *st, const struct plan *p, bool with_part,
                    bool anew)
{
    unsigned fds = stage_fds();
    uint64_t bytes = stage_bytes();
    const char *what;
    struct found found;

    stage_empty(st);
    stage_again(st);
    if (with_part && !leave_part(st))
        return "no part was left to begin with";
    plan_set(p);
    if (p->prepare)
        p->prepare(st);
    stage_play(st);
    plan_clear();
    what = stage_judge(st);
    found = stage_look(st);
    if (!what)
        what = left(st, &found, with_part);
    if (!what)
        what = wrong_code(st);
    seen.whole += found.whole > 0;
    if (!what && found.whole == 0)
        what = second(st, anew);
    found = stage_look(st);
    if (!what && (found.parts > 0 || found.journals > 0) &&
        plan.call != XF_SYS_UNLINK && !(with_part && is_looking()))
        what = "after the end a part or a journal is left";
    stage_close(st);
    if (!what && stage_fds() != fds)
        what = "a descriptor is left";
    if (!what && stage_bytes() > bytes + 64)
        what = "memory is left";
    return what;
}

void seen_more(struct row *row, const char *more)
{
    (void)snprintf(row->more, sizeof row->more,
                   "%u whole, %u in the next try, %u of these went on%s%s",
                   seen.whole, seen.later, seen.went_on, *more ? "; " : "",
                   more);
}

static void one_row(enum who who, enum way way, enum kind kind)
{
    struct row row = { "fail-at-N", who_is[who], way_is[way], 0, 0, 0, "" };
    struct plan p = { .who = who, .kinds = FILES_AND_SOCKETS };
    struct stage st;
    unsigned turn = 0;

    stage_new(&st, way, kind == LARGE ? LARGE_SIZE : SIZE);
    seen = (struct seen){ 0 };
    for (int i = 0; i < 2; i++) { /* what is loaded once; then the count */
        const char *what = attempt(&st, &p, kind == GOES_ON, false);

        if (i > 0 && (what || st.side[J].told.done != 1))
            row_point(&row, &st, what ? what : "nothing works", "undisturbed");
    }
    row.points = plan.count;
    for (unsigned n = 1; n <= row.points && n < CALLS_MAX; n++) {
        unsigned variants = plan_errnos((enum xf_sys_call)plan_calls[n]);

        for (p.variant = 0; p.variant < variants; p.variant++) {
            if (turn++ % (torture_step * (kind == LARGE ? 10 : 1)) != 0)
                continue;
            p.at = n;
            (void)snprintf(torture_at, sizeof torture_at, "%s %s call %u.%u",
                           who_is[who], way_is[way], n, p.variant);
            row_point(&row, &st, attempt(&st, &p, kind == GOES_ON, n % 2 == 0),
                      "call %u, %s: %s", n,
                      plan_call_name(plan.met
                                         ? plan.call
                                         : (enum xf_sys_call)plan_calls[n]),
                      plan.met ? strerrorname_np(plan.met_err) : "not met");
        }
    }
    stage_free(&st);
    seen_more(&row, kind_is[kind]);
    row_print(&row);
}

void torture_fail(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        for (int way = 0; way < WAYS; way++)
            for (int who = 0; who < SIDES; who++)
                if (kind != LARGE || way == DIRECT)
                    one_row((enum who)who, (enum way)way, (enum kind)kind);
}
