/* Two sockets and a relay between them: every byte, every end, every reset. */
#include "rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xferry/relay.h>

#include "api/relay_inside.h"

#define PAIRS 16

/* One direction as its two peers see it. */
struct way {
    const char *bytes;
    size_t len, sent, got;
    bool hold;      /* the reader does not read */
    size_t piece;   /* bytes a send, 0: all that goes */
    bool shut;      /* the writer has sent its end */
    bool keep_open; /* the writer sends no end */
    bool ended, was_reset;
};

/* Peer `side` of a pair and the other end of its connection. */
struct pair {
    int peer[2];
    struct way way[2]; /* way[0] begins at peer 0 */
    bool over;
    struct xf_relay_event end;
    uint64_t moved_events;
};

static struct xf_relay *relay;
static struct pair pairs[PAIRS];
static unsigned count;
static char *random_bytes;
#define RANDOM (8u << 20)

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void begin(unsigned pipes)
{
    assert_int_equal(xf_relay_new(&relay, pipes), 0);
    memset(pairs, 0, sizeof pairs);
    count = 0;
}

/* Connections of a pair that is not relayed yet: ends[i] is the relay's. */
static struct pair *connect_pair(int ends[2])
{
    struct pair *p = &pairs[count++];

    for (int i = 0; i < 2; i++) {
        int fds[2];

        rig_connect(fds);
        p->peer[i] = fds[0];
        ends[i] = fds[1];
    }
    return p;
}

static struct pair *add_limited(const struct xf_relay_limits *limits)
{
    int ends[2];
    struct pair *p = connect_pair(ends);

    assert_int_equal(
        xf_relay_adopt(relay, (uint64_t)(p - pairs), ends[0], ends[1], limits),
        0);
    return p;
}

static struct pair *add(void)
{
    const struct xf_relay_limits none = { 0 };

    return add_limited(&none);
}

static void say(struct pair *p, int side, size_t offset, size_t len)
{
    p->way[side].bytes = random_bytes + offset;
    p->way[side].len = len;
}

static void hang_up(struct pair *p, int side)
{
    if (p->peer[side] >= 0)
        close(p->peer[side]);
    p->peer[side] = -1;
}

static void finish(void)
{
    xf_relay_free(relay);
    for (unsigned i = 0; i < count; i++) {
        hang_up(&pairs[i], 0);
        hang_up(&pairs[i], 1);
    }
}

static void write_some(struct pair *p, int side)
{
    struct way *way = &p->way[side];
    size_t left = way->len - way->sent;
    ssize_t n;

    if (p->peer[side] < 0 || way->shut || way->was_reset)
        return;
    if (way->piece > 0 && left > way->piece)
        left = way->piece;
    n = left > 0
            ? send(p->peer[side], way->bytes + way->sent, left, MSG_NOSIGNAL)
            : 0;
    if (n > 0)
        way->sent += (size_t)n;
    if (n < 0 && errno != EAGAIN)
        way->was_reset = true;
    if (way->sent == way->len && !way->keep_open && !way->was_reset) {
        (void)shutdown(p->peer[side], SHUT_WR);
        way->shut = true;
    }
}

static void read_some(struct pair *p, int side)
{
    struct way *way = &p->way[!side];
    static char buf[1u << 18];
    ssize_t n;

    if (p->peer[side] < 0 || way->hold || way->ended || way->was_reset)
        return;
    n = recv(p->peer[side], buf, sizeof buf, 0);
    if (n < 0) {
        if (errno != EAGAIN)
            way->was_reset = true;
        return;
    }
    if (n == 0) {
        way->ended = true;
        return;
    }
    assert_true(way->got + (size_t)n <= way->len);
    assert_memory_equal(buf, way->bytes + way->got, (size_t)n);
    way->got += (size_t)n;
}

static void hear(void)
{
    const struct xf_relay_event *ev;

    while ((ev = xf_relay_next(relay)) != NULL) {
        struct pair *p = &pairs[ev->id];

        assert_true(ev->id < count);
        assert_false(p->over);
        if (ev->type == XF_RELAY_MOVED) {
            p->moved_events++;
            continue;
        }
        p->over = true;
        p->end = *ev;
    }
}

/* One turn of a loop that waits as an embedder does, `ms` at most. */
static void turn_for(int ms)
{
    struct pollfd poll_relay = { xf_relay_fd(relay), POLLIN, 0 };
    int wait = xf_relay_timeout(relay);

    if (wait < 0 || wait > ms)
        wait = ms;
    assert_true(poll(&poll_relay, 1, wait) >= 0);
    xf_relay_dispatch(relay);
    hear();
}

static void turn(void)
{
    for (unsigned i = 0; i < count; i++) {
        for (int side = 0; side < 2; side++) {
            write_some(&pairs[i], side);
            read_some(&pairs[i], side);
        }
    }
    turn_for(1);
}

#define UNTIL(condition)                                                       \
    do {                                                                       \
        int64_t until = now() + 30000;                                         \
        while (!(condition)) {                                                 \
            assert_true(now() < until);                                        \
            turn();                                                            \
        }                                                                      \
    } while (0)

static bool all_over(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (!pairs[i].over)
            return false;
    }
    return true;
}

/* Whole, in both directions, with its end behind it. */
static void assert_whole(const struct pair *p)
{
    for (int side = 0; side < 2; side++) {
        assert_int_equal(p->way[side].got, p->way[side].len);
        assert_true(p->way[side].ended);
        assert_false(p->way[side].was_reset);
    }
    assert_true(p->over);
    assert_int_equal(p->end.reason, XF_RELAY_DONE);
    assert_int_equal(p->end.from_a, p->way[0].len);
    assert_int_equal(p->end.from_b, p->way[1].len);
}

static bool is_read_out(const struct pair *p, int side)
{
    return p->way[!side].ended || p->way[!side].was_reset;
}

/* --- bytes and ends -------------------------------------------------------- */

static void both_directions_bring_every_byte(void **state)
{
    static const unsigned pipes[] = { 8, 1, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof pipes / sizeof pipes[0]; i++) {
        struct xf_relay_stats stats;

        begin(pipes[i]);
        for (unsigned k = 0; k < 3; k++) {
            struct pair *p = add();

            say(p, 0, k, RANDOM - 7 * k);
            say(p, 1, 1000 + k, RANDOM - 1000 - 5 * k);
        }
        UNTIL(all_over() && is_read_out(&pairs[0], 0) &&
              is_read_out(&pairs[0], 1) && is_read_out(&pairs[1], 0) &&
              is_read_out(&pairs[1], 1) && is_read_out(&pairs[2], 0) &&
              is_read_out(&pairs[2], 1));
        for (unsigned k = 0; k < 3; k++)
            assert_whole(&pairs[k]);
        xf_relay_stats(relay, &stats);
        assert_int_equal(stats.pairs, 0);
        assert_int_equal(stats.lent, 0);
        assert_true(stats.pipes <= pipes[i]);
        assert_true(pipes[i] > 1 || stats.copied > 0);
        assert_int_equal(stats.bytes, 6 * RANDOM - 3000 - (7 + 14) - (5 + 10));
        finish();
    }
}

/* Nothing in one direction, a file in the other; and nothing at all. */
static void an_empty_direction_ends_too(void **state)
{
    (void)state;
    for (int silent = 0; silent < 4; silent++) {
        struct pair *p;

        begin(4);
        p = add();
        say(p, 0, 0, silent & 1 ? 0 : 597);
        say(p, 1, 0, silent & 2 ? 0 : 597);
        UNTIL(p->over && is_read_out(p, 0) && is_read_out(p, 1));
        assert_whole(p);
        finish();
    }
}

static void each_direction_ends_by_itself(void **state)
{
    (void)state;
    for (int first = 0; first < 2; first++) {
        struct pair *p;

        begin(4);
        p = add();
        say(p, first, 0, 100000);
        say(p, !first, 5, 3u << 20);
        p->way[!first].keep_open = true;
        UNTIL(p->way[first].ended && p->way[!first].got == 3u << 20);
        /* One has ended for a while, and the other goes on. */
        for (int i = 0; i < 20; i++)
            turn();
        assert_false(p->over);
        assert_false(p->way[!first].ended);
        p->way[!first].len += 70000;
        p->way[!first].keep_open = false;
        UNTIL(p->over && p->way[!first].ended);
        assert_whole(p);
        finish();
    }
}

/* A sender that does not wait for the activation, and is gone before it. */
static void what_came_before_the_adoption_is_relayed(void **state)
{
    (void)state;
    for (int side = 0; side < 2; side++) {
        const struct xf_relay_limits none = { 0 };
        int ends[2];
        struct pair *p;

        begin(4);
        p = connect_pair(ends);
        say(p, side, 0, 597);
        while (!p->way[side].shut)
            write_some(p, side);
        assert_true(rig_readable(ends[side]));
        assert_int_equal(xf_relay_adopt(relay, 0, ends[0], ends[1], &none), 0);
        UNTIL(p->over && is_read_out(p, 0) && is_read_out(p, 1));
        assert_whole(p);
        finish();
    }
}

static void one_byte_at_a_time_goes_through(void **state)
{
    struct pair *p;

    (void)state;
    begin(4);
    p = add();
    say(p, 0, 0, 3000);
    say(p, 1, 9, 3000);
    p->way[0].piece = p->way[1].piece = 1;
    UNTIL(p->over && is_read_out(p, 0) && is_read_out(p, 1));
    assert_whole(p);
    finish();
}

/* --- resets ---------------------------------------------------------------- */

static void a_reset_is_passed_on_behind_the_bytes_before_it(void **state)
{
    static const size_t lens[] = { 0, 1, 100000, 1u << 20 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (int side = 0; side < 2; side++) {
            struct pair *p;
            size_t unsent = 0;

            begin(4);
            p = add();
            say(p, side, 0, lens[i]);
            p->way[side].keep_open = true;
            say(p, !side, 3, 500000);
            p->way[!side].keep_open = true;
            /* Their last word arrives, then they break off; the other has yet
             * to read most of it. */
            p->way[side].hold = true;
            /* Until the relay has them all, more than the other keeps. */
            while (p->way[side].sent < lens[i] || unsent > 0) {
                write_some(p, side);
                turn_for(1);
                assert_int_equal(xf_sys_unsent(p->peer[side], &unsent), 0);
            }
            rig_reset(p->peer[side]);
            p->peer[side] = -1;
            for (int k = 0; k < 10; k++)
                turn_for(1);
            p->way[side].hold = false;
            p->way[!side].shut = true; /* no send is to take the error */
            UNTIL(p->over && is_read_out(p, !side));
            assert_int_equal(p->end.reason, XF_RELAY_RESET);
            assert_true(p->way[side].was_reset);
            assert_false(p->way[side].ended);
            assert_int_equal(p->way[side].got, lens[i]);
            finish();
        }
    }
}

/* Its own end was passed on before, so only the other direction is left to
 * show it. */
static void a_reset_behind_an_end_is_passed_on(void **state)
{
    struct pair *p;

    (void)state;
    for (int talking = 0; talking < 2; talking++) {
        begin(4);
        p = add();
        say(p, 0, 0, 1000);
        p->way[1].keep_open = true;
        UNTIL(p->way[0].ended);
        if (talking)
            say(p, 1, 0, RANDOM);
        for (int i = 0; i < 10; i++)
            turn_for(1);
        rig_reset(p->peer[0]);
        p->peer[0] = -1;
        UNTIL(p->over);
        assert_int_equal(p->end.reason, XF_RELAY_RESET);
        assert_int_equal(p->end.from_a, 1000);
        assert_true(send(p->peer[1], "x", 1, MSG_NOSIGNAL) < 0);
        finish();
    }
}

/* A file under way to one who leaves without a word, unread bytes and all. */
static void who_closes_in_the_middle_stops_the_sender(void **state)
{
    (void)state;
    for (unsigned pipes = 0; pipes < 2; pipes++) {
        struct pair *p;

        begin(pipes);
        p = add();
        say(p, 0, 0, RANDOM);
        p->way[1].keep_open = true;
        UNTIL(p->way[0].got > 100000);
        hang_up(p, 1);
        UNTIL(p->over && (p->way[0].was_reset || p->way[1].was_reset));
        assert_int_equal(p->end.reason, XF_RELAY_RESET);
        assert_true(p->end.from_a >= p->way[0].got);
        finish();
    }
}

static void both_may_reset_at_once(void **state)
{
    struct pair *p;

    (void)state;
    begin(4);
    p = add();
    say(p, 0, 0, RANDOM);
    say(p, 1, 0, RANDOM);
    UNTIL(p->way[0].got > 0 && p->way[1].got > 0);
    rig_reset(p->peer[0]);
    rig_reset(p->peer[1]);
    p->peer[0] = p->peer[1] = -1;
    UNTIL(p->over);
    assert_int_equal(p->end.reason, XF_RELAY_RESET);
    finish();
}

/* splice() would raise it, and this program has not turned it off. */
static void no_signal_reaches_the_host(void **state)
{
    sigset_t set;

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct pair *p;

        begin(4);
        p = add();
        say(p, 0, 0, RANDOM);
        UNTIL(p->way[0].got > 0);
        rig_reset(p->peer[1]);
        p->peer[1] = -1;
        UNTIL(p->over);
        finish();
    }
    assert_int_equal(sigpending(&set), 0);
    assert_false(sigismember(&set, SIGPIPE));
    assert_int_equal(sigprocmask(SIG_SETMASK, NULL, &set), 0);
    assert_false(sigismember(&set, SIGPIPE));
}

static void closing_resets_both(void **state)
{
    struct pair *p;

    (void)state;
    begin(4);
    p = add();
    say(p, 0, 0, RANDOM);
    p->way[1].keep_open = true;
    UNTIL(p->way[0].got > 0);
    xf_relay_close(relay, 7); /* nobody */
    xf_relay_close(relay, 0);
    xf_relay_close(relay, 0);
    UNTIL(p->over && p->way[0].was_reset);
    assert_int_equal(p->end.reason, XF_RELAY_CLOSED);
    finish();
}

/* A descriptor's copy keeps the socket in the kernel's list of readiness. */
static void a_copy_kept_elsewhere_wakes_nobody_dead(void **state)
{
    const struct xf_relay_limits none = { 0 };
    int ends[2], copy;
    struct pair *p;

    (void)state;
    begin(4);
    p = connect_pair(ends);
    copy = dup(ends[0]);
    assert_int_equal(xf_relay_adopt(relay, 0, ends[0], ends[1], &none), 0);
    turn_for(1);
    xf_relay_close(relay, 0);
    hear();
    assert_true(p->over);
    assert_int_equal(send(p->peer[0], "x", 1, MSG_NOSIGNAL), 1);
    assert_true(rig_readable(copy));
    for (int i = 0; i < 5; i++)
        turn_for(1);
    assert_true(xf_relay_timeout(relay) > 1000); /* to look for idle ones */
    close(copy);
    finish();
}

/* --- what is no pair ------------------------------------------------------- */

static void what_cannot_be_relayed_is_left_alone(void **state)
{
    const struct xf_relay_limits none = { 0 };
    int ends[2], other[2];

    (void)state;
    begin(4);
    connect_pair(ends);
    assert_int_equal(pipe(other), 0);
    assert_int_equal(xf_relay_adopt(relay, 5, ends[0], other[0], &none),
                     XF_E_USAGE);
    assert_int_equal(xf_relay_adopt(relay, 5, ends[0], ends[0], &none),
                     XF_E_USAGE);
    assert_int_equal(xf_relay_adopt(relay, 5, ends[0], -1, &none), XF_E_USAGE);
    assert_int_equal(xf_relay_adopt(relay, 0, ends[0], ends[1], &none), 0);
    assert_int_equal(xf_relay_adopt(relay, 0, ends[0], ends[1], &none),
                     XF_E_USAGE);
    assert_int_equal(xf_relay_set_limits(relay, 1, &none), XF_E_USAGE);
    assert_int_equal(xf_relay_set_limits(relay, 0, &none), 0);
    /* Not closed by the refusals. */
    pairs[0].way[0].bytes = random_bytes;
    pairs[0].way[0].len = 10;
    UNTIL(pairs[0].over && is_read_out(&pairs[0], 0) &&
          is_read_out(&pairs[0], 1));
    assert_whole(&pairs[0]);
    close(other[0]);
    close(other[1]);
    finish();
}

static void numbers_are_found_however_many(void **state)
{
    const struct xf_relay_limits none = { 0 };
    struct xf_relay_stats stats;
    int ends[2 * 300], peers[2 * 300];

    (void)state;
    begin(0);
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < 2; k++) {
            int fds[2];

            rig_connect(fds);
            peers[2 * i + k] = fds[0];
            ends[2 * i + k] = fds[1];
        }
        assert_int_equal(xf_relay_adopt(relay, (uint64_t)i << 33, ends[2 * i],
                                        ends[2 * i + 1], &none),
                         0);
    }
    for (int i = 0; i < 300; i++)
        assert_int_equal(xf_relay_set_limits(relay, (uint64_t)i << 33, &none),
                         0);
    xf_relay_stats(relay, &stats);
    assert_int_equal(stats.pairs, 300);
    for (int i = 0; i < 300; i += 2)
        xf_relay_close(relay, (uint64_t)i << 33);
    while (xf_relay_next(relay))
        ;
    xf_relay_stats(relay, &stats);
    assert_int_equal(stats.pairs, 150);
    for (int i = 0; i < 300; i++)
        assert_int_equal(xf_relay_set_limits(relay, (uint64_t)i << 33, &none),
                         i % 2 ? 0 : XF_E_USAGE);
    for (int i = 0; i < 600; i++)
        close(peers[i]);
    xf_relay_free(relay);
}

/* --- times and rates -------------------------------------------------------- */

static void who_moves_nothing_for_too_long_is_ended(void **state)
{
    const struct xf_relay_limits limits = { .idle_s = 1 };
    struct pair *idle, *busy;
    int64_t begun;

    (void)state;
    begin(4);
    begun = now();
    idle = add_limited(&limits);
    busy = add_limited(&limits);
    say(busy, 0, 0, RANDOM);
    busy->way[0].keep_open = busy->way[1].keep_open = true;
    idle->way[0].keep_open = idle->way[1].keep_open = true;
    busy->way[0].piece = 100;
    while (!idle->over && now() < begun + 5000) {
        write_some(busy, 0);
        read_some(busy, 1);
        read_some(idle, 0);
        read_some(idle, 1);
        turn_for(50);
    }
    assert_true(now() - begun >= 1000 && now() - begun < 4000);
    assert_int_equal(idle->end.reason, XF_RELAY_IDLE);
    UNTIL(idle->way[0].was_reset && idle->way[1].was_reset);
    UNTIL(busy->moved_events >= 1);
    assert_false(busy->over);
    begun = now();
    while (!busy->over && now() < begun + 5000)
        turn_for(1000);
    assert_int_equal(busy->end.reason, XF_RELAY_IDLE);
    finish();
}

/* Bytes a second that went through in about `ms`, of all pairs together. */
static uint64_t rate_in(int ms)
{
    struct xf_relay_stats before, after;
    int64_t begun = now(), took;

    xf_relay_stats(relay, &before);
    do {
        turn();
        took = now() - begun;
    } while (took < ms);
    xf_relay_stats(relay, &after);
    return (after.bytes - before.bytes) * 1000 / (uint64_t)took;
}

static void assert_near(uint64_t is, uint64_t wanted, unsigned percent)
{
    if (is * 100 < wanted * (100 - percent) ||
        is * 100 > wanted * (100 + percent))
        fail_msg("%llu is not within %u %% of %llu", (unsigned long long)is,
                 percent, (unsigned long long)wanted);
}

/* Never more; and not less, unless a busy machine stood still meanwhile: then
 * it may show it once more. */
static void assert_rate(uint64_t wanted, unsigned percent)
{
    uint64_t is = 0;

    for (int i = 0; i < 3 && is * 100 < wanted * (100 - percent); i++) {
        is = rate_in(2000);
        assert_true(is * 100 <= wanted * (100 + percent));
    }
    assert_near(is, wanted, percent);
}

static void a_pair_is_held_to_its_rate(void **state)
{
    static const uint64_t rates[] = { 20000, 500000, 2000000 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const struct xf_relay_limits limits = { .rate = rates[i] };
        struct pair *p;

        begin(4);
        p = add_limited(&limits);
        say(p, 0, 0, RANDOM);
        say(p, 1, 0, RANDOM);
        (void)rate_in(200);
        assert_rate(rates[i], 4);
        finish();
    }
}

static void a_group_shares_its_rate_and_nobody_starves(void **state)
{
    const struct xf_relay_limits limits = { .group = 77,
                                            .group_rate = 2000000 };
    const struct xf_relay_limits slow = { .group = 77,
                                          .group_rate = 2000000,
                                          .rate = 100000 };
    const struct xf_relay_limits changed = { .group = 77,
                                             .group_rate = 500000 };
    size_t before[PAIRS], least = SIZE_MAX, most = 0;
    int64_t begun, took;
    struct pair *p;

    (void)state;
    begin(4);
    for (int i = 0; i < 5; i++) {
        p = add_limited(i < 4 ? &limits : &slow);
        say(p, 0, 0, RANDOM);
        p->way[1].keep_open = true;
    }
    (void)rate_in(200);
    for (int i = 0; i < 5; i++)
        before[i] = pairs[i].way[0].got;
    begun = now();
    assert_rate(2000000, 4);
    took = now() - begun;
    for (int i = 0; i < 4; i++) {
        size_t had = pairs[i].way[0].got - before[i];

        least = had < least ? had : least;
        most = had > most ? had : most;
    }
    assert_true(least * 100 > most * 75);
    assert_near((pairs[4].way[0].got - before[4]) * 1000 / (uint64_t)took,
                100000, 15);
    /* And another rate from now on, told with any of them. */
    assert_int_equal(xf_relay_set_limits(relay, 0, &changed), 0);
    (void)rate_in(300);
    assert_rate(500000, 5);
    /* Out of the group, and free. */
    assert_int_equal(
        xf_relay_set_limits(relay, 1, &(struct xf_relay_limits){ 0 }), 0);
    UNTIL(pairs[1].way[0].got == RANDOM);
    finish();
}

static void a_limit_that_is_lifted_lets_go_at_once(void **state)
{
    const struct xf_relay_limits crawl = { .rate = 1 };
    struct pair *p;

    (void)state;
    begin(4);
    p = add_limited(&crawl);
    say(p, 0, 0, 1u << 20);
    assert_true(rate_in(1000) <= 2);
    assert_int_equal(
        xf_relay_set_limits(relay, 0, &(struct xf_relay_limits){ 0 }), 0);
    UNTIL(p->over && is_read_out(p, 1));
    assert_int_equal(p->way[0].got, 1u << 20);
    finish();
}

/* --- many ------------------------------------------------------------------- */

static void who_does_not_read_takes_a_pipe_and_no_more(void **state)
{
    struct xf_relay_stats stats;

    (void)state;
    begin(2);
    for (int i = 0; i < 6; i++) {
        struct pair *p = add();

        say(p, 0, 0, RANDOM);
        p->way[0].hold = i < 4;
    }
    UNTIL(pairs[4].over && is_read_out(&pairs[4], 1));
    UNTIL(pairs[5].over && is_read_out(&pairs[5], 1));
    for (int i = 4; i < 6; i++)
        assert_int_equal(pairs[i].way[0].got, RANDOM);
    for (int i = 0; i < 50; i++)
        turn();
    /* All that stand still wait in the kernel. */
    assert_int_equal(xf_relay_timeout(relay) > 0, true);
    xf_relay_stats(relay, &stats);
    assert_true(stats.pipes <= 2);
    for (int i = 0; i < 4; i++)
        pairs[i].way[0].hold = false;
    UNTIL(all_over());
    for (int i = 0; i < 4; i++)
        UNTIL(is_read_out(&pairs[i], 1));
    for (int i = 0; i < 6; i++)
        assert_whole(&pairs[i]);
    xf_relay_stats(relay, &stats);
    assert_true(stats.copied > 0);
    finish();
}

static void a_dispatch_is_bounded_and_the_small_ones_have_their_turn(
    void **state)
{
    struct pair *small;
    uint64_t most = 0;
    unsigned turns = 0;

    (void)state;
    begin(8);
    for (int i = 0; i < PAIRS - 1; i++)
        say(add(), 0, 0, RANDOM);
    small = add();
    small->way[0].keep_open = small->way[1].keep_open = true;
    for (int i = 0; i < 5; i++)
        turn();
    /* All that the kernel takes, there to be moved at once. */
    for (int i = 0; i < 20 * PAIRS; i++) {
        write_some(&pairs[i % PAIRS], 0);
        read_some(&pairs[i % PAIRS], 1);
    }
    say(small, 0, 0, 1);
    write_some(small, 0);
    while (small->way[0].got == 0) {
        struct xf_relay_stats before, after;

        assert_true(++turns < 4);
        xf_relay_stats(relay, &before);
        turn();
        xf_relay_stats(relay, &after);
        if (after.bytes - before.bytes > most)
            most = after.bytes - before.bytes;
        read_some(small, 1);
    }
    assert_true(most <= XF_RELAY_WORK + 4 * XF_FLOW_TURN);
    finish();
}

/* Without another loop: it waits itself, and for one thing more. */
static void it_can_wait_by_itself(void **state)
{
    int ends[2];
    struct pair *p;
    int64_t begun = now();

    (void)state;
    begin(4);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(xf_relay_attend(relay, ends[0]), 0);
    assert_int_equal(xf_relay_attend(relay, -1), XF_E_LIMIT);
    assert_false(xf_relay_wait(relay, 50));
    assert_true(now() - begun >= 49);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_true(xf_relay_wait(relay, -1));
    assert_true(xf_relay_wait(relay, -1)); /* it was not read */
    assert_int_equal(read(ends[0], &(char){ 0 }, 1), 1);
    assert_false(xf_relay_wait(relay, 0));
    p = add();
    say(p, 0, 0, RANDOM);
    say(p, 1, 7, RANDOM - 7);
    while (!p->over || !is_read_out(p, 0) || !is_read_out(p, 1)) {
        assert_true(now() < begun + 30000);
        for (int side = 0; side < 2; side++) {
            write_some(p, side);
            read_some(p, side);
        }
        assert_false(xf_relay_wait(relay, 1));
        hear();
    }
    assert_whole(p);
    close(ends[0]);
    close(ends[1]);
    finish();
}

/* --- faults ------------------------------------------------------------------ */

static const struct {
    enum xf_sys_call call;
    int err;
} faults[] = {
    { XF_SYS_ALLOC, ENOMEM },     { XF_SYS_PIPE, EMFILE },
    { XF_SYS_PIPE, EPERM },       { XF_SYS_SPLICE, ECONNRESET },
    { XF_SYS_SPLICE, EPIPE },     { XF_SYS_SPLICE, ENOMEM },
    { XF_SYS_SPLICE, ETIMEDOUT }, { XF_SYS_RECV, ECONNRESET },
    { XF_SYS_RECV, ENOMEM },      { XF_SYS_SEND, EPIPE },
    { XF_SYS_SEND, ENOBUFS },     { XF_SYS_SHUTDOWN, ENOTCONN },
    { XF_SYS_SOCKOPT, EINVAL },   { XF_SYS_EPOLL, ENOMEM },
    { XF_SYS_CLOSE, EIO },
};

/* One pair, with call number `n` failing; false when there was none. */
static bool play(unsigned pipes, enum xf_sys_call call, int err, unsigned n)
{
    struct rig_gate gate = { .only = (int)call, .fail = n, .err = err };
    const struct xf_relay_limits limits = { .group = 3 };
    int ends[2];
    struct pair *p;
    int made;

    memset(pairs, 0, sizeof pairs);
    count = 0;
    p = connect_pair(ends);
    say(p, 0, 0, 400000);
    say(p, 1, 3, 1000);
    rig_gate_on(&gate);
    made = xf_relay_new(&relay, pipes);
    if (made == 0) {
        made = xf_relay_adopt(relay, 0, ends[0], ends[1], &limits);
        if (made == 0)
            UNTIL(p->over && is_read_out(p, 0) && is_read_out(p, 1));
    } else {
        relay = NULL;
    }
    xf_relay_free(relay);
    rig_gate_off();
    if (made != 0) {
        /* Still ours, and still good. */
        assert_true(made == XF_E_LIMIT || made == XF_E_USAGE);
        assert_true(gate.failed);
        rig_send(ends[0], "x", 1);
        close(ends[0]);
        close(ends[1]);
    } else if (p->end.reason == XF_RELAY_DONE) {
        assert_whole(p);
    } else {
        assert_true(gate.failed);
        assert_true(p->way[0].was_reset || p->way[1].was_reset);
    }
    hang_up(p, 0);
    hang_up(p, 1);
    return gate.failed;
}

static void any_call_may_fail_and_no_byte_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        unsigned reached = 0;

        for (unsigned pipes = 0; pipes < 2; pipes++) {
            for (unsigned n = 1; n <= 60; n++) {
                if (!play(pipes, faults[i].call, faults[i].err, n))
                    break;
                reached++;
            }
        }
        assert_true(reached > 0);
    }
}

static int make_bytes(void **state)
{
    (void)state;
    random_bytes = rig_bytes(RANDOM);
    return 0;
}

static int free_bytes(void **state)
{
    (void)state;
    free(random_bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(both_directions_bring_every_byte),
        RIG_TEST(an_empty_direction_ends_too),
        RIG_TEST(each_direction_ends_by_itself),
        RIG_TEST(what_came_before_the_adoption_is_relayed),
        RIG_TEST(one_byte_at_a_time_goes_through),
        RIG_TEST(a_reset_is_passed_on_behind_the_bytes_before_it),
        RIG_TEST(a_reset_behind_an_end_is_passed_on),
        RIG_TEST(who_closes_in_the_middle_stops_the_sender),
        RIG_TEST(both_may_reset_at_once),
        RIG_TEST(no_signal_reaches_the_host),
        RIG_TEST(closing_resets_both),
        RIG_TEST(a_copy_kept_elsewhere_wakes_nobody_dead),
        RIG_TEST(what_cannot_be_relayed_is_left_alone),
        RIG_TEST(numbers_are_found_however_many),
        RIG_TEST(who_moves_nothing_for_too_long_is_ended),
        RIG_TEST(a_pair_is_held_to_its_rate),
        RIG_TEST(a_group_shares_its_rate_and_nobody_starves),
        RIG_TEST(a_limit_that_is_lifted_lets_go_at_once),
        RIG_TEST(who_does_not_read_takes_a_pipe_and_no_more),
        RIG_TEST(a_dispatch_is_bounded_and_the_small_ones_have_their_turn),
        RIG_TEST(it_can_wait_by_itself),
        RIG_TEST(any_call_may_fail_and_no_byte_is_wrong),
    };

    return cmocka_run_group_tests(tests, make_bytes, free_bytes);
}
