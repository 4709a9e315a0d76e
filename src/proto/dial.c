/*
 * Decides which of several addresses is tried when, and which wins; opening,
 * shaking hands and closing are the caller's.
 *
 *   WAITING --its turn--> TRYING --well, the first--> WON
 *                            \--failed, late, another won--> FAILED
 */
#include "proto/dial.h"

#include <string.h>

const struct xf_dial_plan xf_dial_staggered = { 250, 5000, 12000 };
const struct xf_dial_plan xf_dial_in_turn = { -1, 3000, 30000 };

#define NOW INT64_MIN /* whatever the clock says, it has come */
#define NEVER INT64_MAX

void xf_dial_init(struct xf_dial *d, const struct xf_dial_plan *plan,
                  size_t count, int64_t now_ms)
{
    memset(d, 0, sizeof *d);
    d->plan = *plan;
    d->count = count < XF_DIAL_MAX ? count : XF_DIAL_MAX;
    d->next_start = NOW;
    d->end = now_ms + plan->total_ms;
    d->winner = -1;
}

/* The first address in that state, or -1. */
static int first(const struct xf_dial *d, enum xf_dial_try state)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->tries[i] == state)
            return (int)i;
    }
    return -1;
}

/* The first under way whose time is up, or -1. */
static int late(const struct xf_dial *d, int64_t now_ms)
{
    for (size_t i = 0; i < d->count; i++) {
        if (d->tries[i] == XF_DIAL_TRYING && d->give_up[i] <= now_ms)
            return (int)i;
    }
    return -1;
}

/* A failure need not be waited for twice: the next may begin at once. */
static void fail(struct xf_dial *d, size_t i)
{
    d->tries[i] = XF_DIAL_FAILED;
    d->next_start = NOW;
}

void xf_dial_result(struct xf_dial *d, size_t index, bool well)
{
    /* Dropped in the same moment, or never started: not news. */
    if (d->over || index >= d->count || d->tries[index] != XF_DIAL_TRYING)
        return;
    if (!well) {
        fail(d, index);
    } else if (d->winner < 0) {
        d->tries[index] = XF_DIAL_WON;
        d->winner = (int)index;
    }
    /* A second that arrives stays TRYING, and is dropped with the others. */
}

static struct xf_dial_todo drop(struct xf_dial *d, int i)
{
    fail(d, (size_t)i);
    return (struct xf_dial_todo){ XF_DIAL_DROP, (size_t)i };
}

static struct xf_dial_todo start(struct xf_dial *d, int i, int64_t now_ms)
{
    d->tries[i] = XF_DIAL_TRYING;
    d->give_up[i] = now_ms + d->plan.each_ms;
    d->next_start =
        d->plan.stagger_ms < 0 ? NEVER : now_ms + d->plan.stagger_ms;
    return (struct xf_dial_todo){ XF_DIAL_START, (size_t)i };
}

static struct xf_dial_todo finish(struct xf_dial *d)
{
    d->over = true;
    if (d->winner < 0)
        return (struct xf_dial_todo){ XF_DIAL_GIVE_UP, 0 };
    return (struct xf_dial_todo){ XF_DIAL_USE, (size_t)d->winner };
}

struct xf_dial_todo xf_dial_next(struct xf_dial *d, int64_t now_ms)
{
    bool ending = d->winner >= 0 || now_ms >= d->end;
    int waiting = first(d, XF_DIAL_WAITING);
    int trying = first(d, XF_DIAL_TRYING);
    int i;

    if (d->over)
        return (struct xf_dial_todo){ XF_DIAL_NOTHING, 0 };
    if (ending)
        return trying >= 0 ? drop(d, trying) : finish(d);
    if ((i = late(d, now_ms)) >= 0)
        return drop(d, i);
    if (waiting >= 0 && now_ms >= d->next_start)
        return start(d, waiting, now_ms);
    if (waiting < 0 && trying < 0)
        return finish(d);
    return (struct xf_dial_todo){ XF_DIAL_NOTHING, 0 };
}

int64_t xf_dial_deadline(const struct xf_dial *d)
{
    int64_t soonest = d->end;
    bool waiting = first(d, XF_DIAL_WAITING) >= 0;

    if (d->over)
        return NEVER;
    if (d->winner >= 0 || (!waiting && first(d, XF_DIAL_TRYING) < 0))
        return NOW;
    if (waiting && d->next_start < soonest)
        soonest = d->next_start;
    for (size_t i = 0; i < d->count; i++) {
        if (d->tries[i] == XF_DIAL_TRYING && d->give_up[i] < soonest)
            soonest = d->give_up[i];
    }
    return soonest;
}
