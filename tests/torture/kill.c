/*
 * kill-at-N: the process of one end is killed right before, and right behind,
 * each of its calls of a file or a socket, and begun anew under the same JID.
 * In the end there is one whole file, and nothing else.
 */
#include <stdio.h>
#include <string.h>

#include "shim.h"
#include "torture.h"

#define SIZE 300000
#define TRIES 3 /* offers of a sender whose contact was killed */

#define CALLS (EVERY_CALL & ~CALL(XF_SYS_ALLOC) & ~CALL(XF_SYS_CLOCK))
/* Those that the shim has in its hands. */
#define BEHIND                                                                 \
    (CALL(XF_SYS_OPEN) | CALL(XF_SYS_READ) | CALL(XF_SYS_WRITE) |              \
     CALL(XF_SYS_SYNC) | CALL(XF_SYS_LINK) | CALL(XF_SYS_UNLINK) |             \
     CALL(XF_SYS_RENAME) | CALL(XF_SYS_ALLOCATE) | CALL(XF_SYS_CONNECT) |      \
     CALL(XF_SYS_ACCEPT) | CALL(XF_SYS_RECV) | CALL(XF_SYS_SEND) |             \
     CALL(XF_SYS_SENDFILE) | CALL(XF_SYS_SHUTDOWN))

static struct {
    unsigned count, went_on, twice, bare;
    uint64_t again, most;
} killed;

static enum who victim;
static bool was_done; /* when the victim was killed: whole, no journal */

static void arm(struct side *side, void *ctx)
{
    (void)side;
    plan_set(ctx);
}

/* It is begun anew, as soon as it was killed. */
static void raise_it(struct stage *st)
{
    struct side *side = &st->side[victim];
    struct found found;

    if (!stage_fell(st, victim))
        return;
    found = stage_look(st);
    killed.count++;
    was_done = found.whole > 0 && found.journals == 0;
    side->told = (struct told){ 0 };
    side->open_count = 0;
    side->before = NULL;
    st->moved = true;
    (void)stage_begin(st, victim);
}

static const char *judge(struct stage *st)
{
    const struct told *r = &st->side[R].told, *j = &st->side[J].told;
    struct found found = stage_look(st);

    if (st->hung)
        return st->hung;
    if (r->loop || j->loop || r->bad || j->bad)
        return "an event that is wrong";
    if (r->done == 0)
        return "the sender is not done";
    if (found.other > 0)
        return "another file lies there";
    if (found.whole == 0)
        return "it is not there";
    /* Without the first line of its journal a part is nobody's, and empty:
     * for `xferry gc`. */
    killed.bare += found.empty > 0;
    if (found.parts + found.journals > found.empty)
        return "a part or a journal is left";
    /* Who is killed when all is done, and its journal gone, cannot tell. */
    if (found.whole == 2 && was_done) {
        killed.twice++;
        return NULL;
    }
    return found.whole == 1 ? NULL : "it is there more than once";
}

static const char *try(struct stage *st, struct plan *p)
{
    unsigned fds = stage_fds();
    uint64_t before = atomic_load(&shim_shared->carried) + st->stanza_bytes;
    uint64_t sent;
    const char *what;

    stage_empty(st);
    stage_again(st);
    was_done = false;
    victim = p->who;
    st->side[victim].before = arm;
    st->side[victim].ctx = p;
    st->on_turn = raise_it;
    stage_play(st);
    for (int i = 1; i < TRIES && victim == J && !st->hung &&
                    st->side[R].told.done == 0 && st->side[R].told.failed > 0;
         i++) {
        stage_offer(st);
        stage_run(st);
    }
    st->on_turn = NULL;
    what = judge(st);
    sent = atomic_load(&shim_shared->carried) + st->stanza_bytes - before;
    if (sent > st->size && killed.twice == 0) {
        killed.again += sent - st->size;
        if (sent - st->size > killed.most)
            killed.most = sent - st->size;
    }
    killed.went_on += st->side[J].told.resumed > 0;
    stage_close(st);
    if (!what && stage_fds() != fds)
        what = "a descriptor is left";
    return what;
}

static unsigned how_many(struct stage *st, struct plan *p)
{
    p->at = 0;
    st->side[p->who].apart = false;
    stage_empty(st);
    stage_again(st);
    plan_set(p);
    stage_play(st);
    plan_clear();
    stage_close(st);
    st->side[p->who].apart = true;
    return plan.count;
}

static void one_row(enum who who, enum way way, bool behind)
{
    struct row row = { behind ? "kill-behind" : "kill-before",
                       who_is[who],
                       way_is[way],
                       0,
                       0,
                       0,
                       "" };
    struct plan p = { .who = who, .kinds = behind ? BEHIND : CALLS };
    struct stage st;

    stage_new(&st, way, SIZE);
    killed = (__typeof__(killed)){ 0 };
    row.points = how_many(&st, &p);
    p.deed = behind ? DIE_BEHIND : DIE_BEFORE;
    for (unsigned n = 1; n <= row.points && n < CALLS_MAX; n += torture_step) {
        (void)snprintf(torture_at, sizeof torture_at, "%s %s %s call %u",
                       row.loop, row.who, row.way, n);
        p.at = n;
        row_point(&row, &st, try(&st, &p), "call %u, %s", n,
                  plan_call_name((enum xf_sys_call)plan_calls[n]));
    }
    (void)snprintf(row.more, sizeof row.more,
                   "%u killed, %u went on, %u twice, %u bare parts; sent again "
                   "%llu kB, at most %llu kB",
                   killed.count, killed.went_on, killed.twice, killed.bare,
                   (unsigned long long)killed.again / 1000,
                   (unsigned long long)killed.most / 1000);
    stage_free(&st);
    row_print(&row);
}

void torture_kill(void)
{
    for (int way = 0; way < WAYS; way++)
        for (int who = 0; who < SIDES; who++)
            for (int behind = 0; behind < 2; behind++)
                one_row((enum who)who, (enum way)way, behind);
}
