/*
 * The front's side of its workers: which of them has which pair, what is still
 * to be said to whom, and a new one for one that died.
 */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "relaying.h"

#define QUEUE_MAX 1024      /* orders that a worker does not take yet */
#define AGAIN_MS 10         /* until one is told again that met a limit */
#define REPLACE_MS 1000     /* at least between two starts of a worker */
#define MESSAGES_A_TURN 256 /* read from one worker in a dispatch */
#define PATIENCE_MS 1000    /* for workers to end */

/* An order that waits, with descriptors of ours or -1. */
struct queued {
    struct queued *next;
    struct order order;
    int fds[2];
};

struct worker {
    pid_t pid; /* 0: there is none */
    int channel;
    unsigned pairs;
    struct queued *first, **last;
    unsigned queued;
    int64_t started, again_at;
    struct xf_relay_stats stats;
    uint64_t bytes, copied; /* of those who had this place before */
};

/* A pair, by `id`; or a group, by its number, which has `count` pairs. */
struct entry {
    struct entry *next;
    uint64_t id;
    unsigned worker, count;
    uint64_t group;
    uint64_t from_a, from_b;
    int64_t begun;
};

struct table {
    struct entry **heads; /* `size`, a power of two */
    size_t size, count;
};

struct workers {
    unsigned count, pipes;
    struct worker worker[WORKERS_MAX];
    struct table pairs, groups;
    struct workers_event *news; /* a ring of `room`, a power of two */
    size_t first, used, room;
    uint64_t died;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- tables ---------------------------------------------------------------- */

static struct entry **find(const struct table *t, uint64_t id)
{
    uint64_t mixed = (id ^ (id >> 32)) * UINT64_C(0x9e3779b97f4a7c15);
    struct entry **at = &t->heads[(mixed >> 32) & (t->size - 1)];

    while (*at && (*at)->id != id)
        at = &(*at)->next;
    return at;
}

static bool grow(struct table *t, size_t size)
{
    struct table bigger = { calloc(size, sizeof(struct entry *)), size,
                            t->count };

    if (!bigger.heads)
        return false;
    for (size_t i = 0; i < t->size; i++) {
        struct entry *one;

        while ((one = t->heads[i]) != NULL) {
            t->heads[i] = one->next;
            one->next = NULL;
            *find(&bigger, one->id) = one;
        }
    }
    free(t->heads);
    *t = bigger;
    return true;
}

static struct entry *add(struct table *t, uint64_t id, unsigned worker)
{
    struct entry *one;

    if (t->count >= t->size)
        (void)grow(t, t->size * 2);
    one = calloc(1, sizeof *one);
    if (!one)
        return NULL;
    one->id = id;
    one->worker = worker;
    *find(t, id) = one;
    t->count++;
    return one;
}

static void drop(struct table *t, struct entry **at)
{
    struct entry *one = *at;

    *at = one->next;
    t->count--;
    free(one);
}

static void clear(struct table *t)
{
    for (size_t i = 0; i < t->size; i++) {
        while (t->heads[i])
            drop(t, &t->heads[i]);
    }
    free(t->heads);
}

/* --- news ------------------------------------------------------------------ */

/* Room for an event of each pair, so that telling an end cannot fail. */
static bool make_room(struct workers *w, size_t events)
{
    size_t room = w->room > 0 ? w->room : 64;
    struct workers_event *news;

    if (events <= w->room)
        return true;
    while (room < events)
        room *= 2;
    news = malloc(room * sizeof *news);
    if (!news)
        return false;
    for (size_t i = 0; i < w->used; i++)
        news[i] = w->news[(w->first + i) & (w->room - 1)];
    free(w->news);
    w->news = news;
    w->first = 0;
    w->room = room;
    return true;
}

static void tell(struct workers *w, struct workers_event event)
{
    if (w->used == w->room && !make_room(w, w->used + 1))
        return;
    w->news[(w->first + w->used++) & (w->room - 1)] = event;
}

bool workers_next(struct workers *w, struct workers_event *event)
{
    if (w->used == 0)
        return false;
    *event = w->news[w->first];
    w->first = (w->first + 1) & (w->room - 1);
    w->used--;
    return true;
}

const char *workers_reason_name(int reason)
{
    return reason == PAIR_LOST
               ? "lost"
               : xf_relay_reason_name((enum xf_relay_reason)reason);
}

/* --- processes ------------------------------------------------------------- */

static unsigned pipes_of(const struct workers *w)
{
    return w->pipes / w->count;
}

static int start(struct workers *w, struct worker *one)
{
    int ends[2];
    pid_t pid;

    one->started = now_ms();
    if (channel_open(ends) < 0)
        return XF_E_LIMIT;
    pid = fork();
    if (pid == 0)
        relaying_run(ends[1], pipes_of(w));
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return XF_E_LIMIT;
    }
    one->pid = pid;
    one->channel = ends[0];
    return 0;
}

int workers_start(struct workers **out, unsigned count, unsigned pipes)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    struct workers *w = calloc(1, sizeof *w);
    int err = 0;

    if (!w)
        return XF_E_LIMIT;
    if (count == 0)
        count = processors > 0 ? (unsigned)processors : 1;
    w->count = count < WORKERS_MAX ? count : WORKERS_MAX;
    w->pipes = pipes;
    for (unsigned i = 0; i < w->count; i++) {
        w->worker[i].channel = -1;
        w->worker[i].last = &w->worker[i].first;
    }
    if (!grow(&w->pairs, 64) || !grow(&w->groups, 64) || !make_room(w, 64))
        err = XF_E_LIMIT;
    for (unsigned i = 0; i < w->count && err == 0; i++)
        err = start(w, &w->worker[i]);
    if (err == 0)
        *out = w;
    else
        workers_free(w);
    return err;
}

static void forget_queue(struct worker *one)
{
    struct queued *q;

    while ((q = one->first) != NULL) {
        one->first = q->next;
        if (q->fds[0] >= 0) {
            close(q->fds[0]);
            close(q->fds[1]);
        }
        free(q);
    }
    one->last = &one->first;
    one->queued = 0;
}

static void close_channel(struct worker *one)
{
    if (one->channel >= 0)
        close(one->channel);
    one->channel = -1;
    forget_queue(one);
}

/* Its channel is closed. A worker ends by that within a moment, unless it
 * hangs, and then it is no loss. */
static void bury(struct worker *one, int64_t until)
{
    const struct timespec moment = { 0, 5000000 };

    if (one->pid == 0)
        return;
    while (waitpid(one->pid, NULL, WNOHANG) == 0) {
        if (now_ms() >= until)
            (void)kill(one->pid, SIGKILL);
        (void)nanosleep(&moment, NULL);
    }
    one->pid = 0;
}

void workers_free(struct workers *w)
{
    int64_t until = now_ms() + PATIENCE_MS;

    if (!w)
        return;
    for (unsigned i = 0; i < w->count; i++)
        close_channel(&w->worker[i]);
    for (unsigned i = 0; i < w->count; i++)
        bury(&w->worker[i], until);
    clear(&w->pairs);
    clear(&w->groups);
    free(w->news);
    free(w);
}

unsigned workers_count(const struct workers *w)
{
    return w->count;
}

pid_t workers_pid(const struct workers *w, unsigned i)
{
    return w->worker[i].pid;
}

/* --- pairs ----------------------------------------------------------------- */

/* Out of the tables. */
static void leave(struct workers *w, struct entry **at)
{
    struct entry *pair = *at, **group;

    w->worker[pair->worker].pairs--;
    if (pair->group != 0) {
        group = find(&w->groups, pair->group);
        if (*group && --(*group)->count == 0)
            drop(&w->groups, group);
    }
    drop(&w->pairs, at);
}

static void end_pair(struct workers *w, struct entry **at,
                     const struct workers_event *event)
{
    leave(w, at);
    tell(w, *event);
}

static void lose_pairs(struct workers *w, unsigned worker)
{
    for (size_t i = 0; i < w->pairs.size; i++) {
        struct entry **at = &w->pairs.heads[i];

        while (*at) {
            struct entry *pair = *at;

            if (pair->worker != worker) {
                at = &pair->next;
                continue;
            }
            end_pair(w, at,
                     &(struct workers_event){ .type = WORKERS_END,
                                              .id = pair->id,
                                              .from_a = pair->from_a,
                                              .from_b = pair->from_b,
                                              .ms = now_ms() - pair->begun,
                                              .reason = PAIR_LOST });
        }
    }
}

/* With all that it had. Another takes its place in workers_dispatch(). */
static void lost(struct workers *w, struct worker *one)
{
    unsigned i = (unsigned)(one - w->worker);

    close_channel(one);
    if (one->pid > 0)
        (void)kill(one->pid, SIGKILL);
    bury(one, now_ms());
    one->bytes += one->stats.bytes;
    one->copied += one->stats.copied;
    memset(&one->stats, 0, sizeof one->stats);
    w->died++;
    tell(w, (struct workers_event){ .type = WORKERS_REPLACED, .id = i });
    lose_pairs(w, i);
}

/* --- what is said ---------------------------------------------------------- */

/* Tell it now; false when it has to wait. One whose worker is gone counts as
 * told: its end is found out when the channel is read. */
static bool say(struct worker *one, const struct order *order, const int *fds)
{
    switch (channel_send(one->channel, order, sizeof *order, fds)) {
    case CHANNEL_DONE:
    case CHANNEL_OVER:
        return true;
    case CHANNEL_LATER:
        break;
    }
    one->again_at = now_ms() + AGAIN_MS;
    return false;
}

static void flush(struct worker *one)
{
    struct queued *q;

    while ((q = one->first) != NULL) {
        if (!say(one, &q->order, q->fds[0] >= 0 ? q->fds : NULL))
            return;
        one->first = q->next;
        if (!one->first)
            one->last = &one->first;
        one->queued--;
        if (q->fds[0] >= 0) {
            close(q->fds[0]);
            close(q->fds[1]);
        }
        free(q);
    }
}

/* Now, or behind what waits already. False without memory. */
static bool order(struct worker *one, const struct order *order, int a, int b)
{
    int fds[2] = { a, b };
    struct queued *q;

    if (!one->first && say(one, order, a >= 0 ? fds : NULL)) {
        if (a >= 0) {
            close(a);
            close(b);
        }
        return true;
    }
    q = calloc(1, sizeof *q);
    if (!q)
        return false;
    *q = (struct queued){ .order = *order, .fds = { a, b } };
    *one->last = q;
    one->last = &q->next;
    one->queued++;
    return true;
}

static struct order order_of(enum order_what what, uint64_t id,
                             const struct xf_relay_limits *limits)
{
    return (struct order){ .what = what,
                           .id = id,
                           .rate = limits->rate,
                           .group = limits->group,
                           .group_rate = limits->group_rate,
                           .idle_s = limits->idle_s };
}

static bool takes(const struct worker *one)
{
    return one->channel >= 0 && one->queued < QUEUE_MAX;
}

/* The one that has the group, or who has the fewest; NULL: none takes it. */
static struct worker *pick(struct workers *w, const struct entry *group)
{
    struct worker *best = NULL;

    if (group)
        return takes(&w->worker[group->worker]) ? &w->worker[group->worker]
                                                : NULL;
    for (unsigned i = 0; i < w->count; i++) {
        if (takes(&w->worker[i]) && (!best || w->worker[i].pairs < best->pairs))
            best = &w->worker[i];
    }
    return best;
}

/* In the tables; 0 or an error, and then it is in none. */
static int enter(struct workers *w, uint64_t id, uint64_t number,
                 struct worker **out)
{
    struct entry *group = number != 0 ? *find(&w->groups, number) : NULL;
    struct worker *one = pick(w, group);
    struct entry *pair;

    if (!one)
        return XF_E_BUSY;
    if (!make_room(w, w->used + 2 * (w->pairs.count + 1)))
        return XF_E_LIMIT;
    pair = add(&w->pairs, id, (unsigned)(one - w->worker));
    if (!pair)
        return XF_E_LIMIT;
    if (number != 0 && !group)
        group = add(&w->groups, number, pair->worker);
    if (number != 0 && !group) {
        drop(&w->pairs, find(&w->pairs, id));
        return XF_E_LIMIT;
    }
    if (group)
        group->count++;
    pair->group = number;
    pair->begun = now_ms();
    one->pairs++;
    *out = one;
    return 0;
}

int workers_adopt(struct workers *w, uint64_t id, int a, int b,
                  const struct xf_relay_limits *limits)
{
    struct order adopt = order_of(ORDER_ADOPT, id, limits);
    struct worker *one;
    int err = enter(w, id, limits->group, &one);

    if (err == 0 && order(one, &adopt, a, b))
        return 0;
    if (err == 0) {
        leave(w, find(&w->pairs, id));
        err = XF_E_LIMIT;
    }
    close(a);
    close(b);
    return err;
}

void workers_set_limits(struct workers *w, uint64_t id,
                        const struct xf_relay_limits *limits)
{
    struct order change = order_of(ORDER_LIMITS, id, limits);
    struct entry *pair = *find(&w->pairs, id);

    if (pair && w->worker[pair->worker].channel >= 0)
        (void)order(&w->worker[pair->worker], &change, -1, -1);
}

void workers_close(struct workers *w, uint64_t id)
{
    const struct order end = { .what = ORDER_CLOSE, .id = id };
    struct entry *pair = *find(&w->pairs, id);

    if (pair && w->worker[pair->worker].channel >= 0)
        (void)order(&w->worker[pair->worker], &end, -1, -1);
}

/* --- what is heard --------------------------------------------------------- */

static void hear_pair(struct workers *w, const struct news *news)
{
    struct entry **at = find(&w->pairs, news->id), *pair = *at;
    struct workers_event event = {
        .type = news->what == NEWS_END ? WORKERS_END : WORKERS_MOVED,
        .id = news->id,
        .from_a = news->from_a,
        .from_b = news->from_b,
        .ms = news->ms,
        .reason = news->reason,
    };

    if (!pair)
        return;
    pair->from_a = news->from_a;
    pair->from_b = news->from_b;
    if (news->what == NEWS_END)
        end_pair(w, at, &event);
    else
        tell(w, event);
}

static void hear(struct workers *w, struct worker *one, const struct news *news)
{
    if (news->what != NEWS_STATS) {
        hear_pair(w, news);
        return;
    }
    one->stats = (struct xf_relay_stats){ .bytes = news->id,
                                          .copied = news->from_a,
                                          .pipes = (unsigned)news->from_b,
                                          .lent = (unsigned)news->ms };
}

static void listen_to(struct workers *w, struct worker *one)
{
    struct news news[CHANNEL_NEWS_MAX];

    for (int i = 0; i < MESSAGES_A_TURN; i++) {
        size_t len = 0;

        switch (channel_receive(one->channel, news, sizeof news, &len, NULL)) {
        case CHANNEL_LATER:
            return;
        case CHANNEL_OVER:
            lost(w, one);
            return;
        case CHANNEL_DONE:
            for (size_t k = 0; k < len / sizeof news[0]; k++)
                hear(w, one, &news[k]);
        }
    }
}

void workers_poll(const struct workers *w, struct pollfd *polls)
{
    for (unsigned i = 0; i < w->count; i++)
        polls[i] = (struct pollfd){ w->worker[i].channel, POLLIN, 0 };
}

/* An order waits for a time rather than for room: a limit of descriptors under
 * way is met with room for a message. */
int workers_timeout(const struct workers *w)
{
    int64_t at = INT64_MAX, wait;

    for (unsigned i = 0; i < w->count; i++) {
        const struct worker *one = &w->worker[i];
        int64_t then = INT64_MAX;

        if (one->channel < 0)
            then = one->started + REPLACE_MS;
        else if (one->first)
            then = one->again_at;
        at = then < at ? then : at;
    }
    if (w->used > 0)
        return 0;
    if (at == INT64_MAX)
        return -1;
    wait = at - now_ms();
    return wait > 0 ? (int)wait : 0;
}

void workers_dispatch(struct workers *w)
{
    int64_t now = now_ms();

    for (unsigned i = 0; i < w->count; i++) {
        struct worker *one = &w->worker[i];

        if (one->channel < 0 && now >= one->started + REPLACE_MS)
            (void)start(w, one);
        if (one->channel < 0)
            continue;
        if (one->first && now >= one->again_at)
            flush(one);
        listen_to(w, one);
    }
}

void workers_stats(const struct workers *w, struct xf_relay_stats *stats,
                   uint64_t *died)
{
    memset(stats, 0, sizeof *stats);
    stats->pairs = w->pairs.count;
    for (unsigned i = 0; i < w->count; i++) {
        const struct worker *one = &w->worker[i];

        stats->bytes += one->bytes + one->stats.bytes;
        stats->copied += one->copied + one->stats.copied;
        stats->pipes += one->stats.pipes;
        stats->lent += one->stats.lent;
    }
    *died = w->died;
}
