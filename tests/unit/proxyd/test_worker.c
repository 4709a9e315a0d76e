/* Pairs handed over to real worker processes, which die when they are told
 * and when they are not. */
#include "rig.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "channel.h"
#include "worker.h"

#define PAIRS 64
#define LEN (1u << 20)

static struct workers *workers;
static char *bytes;
static const struct xf_relay_limits none;

static struct {
    int peer[2];
    bool over;
    struct workers_event end;
} pairs[PAIRS];
static unsigned count, replaced;

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void begin(unsigned n)
{
    memset(pairs, 0, sizeof pairs);
    count = replaced = 0;
    assert_int_equal(workers_start(&workers, n, 8), 0);
    assert_int_equal(workers_count(workers), n);
}

static void hang_up(unsigned i, int side)
{
    if (pairs[i].peer[side] >= 0)
        close(pairs[i].peer[side]);
    pairs[i].peer[side] = -1;
}

static void finish(void)
{
    workers_free(workers);
    for (unsigned i = 0; i < count; i++) {
        hang_up(i, 0);
        hang_up(i, 1);
    }
}

static int try_adopt(const struct xf_relay_limits *limits)
{
    int ends[2];

    for (int side = 0; side < 2; side++) {
        int fds[2];

        rig_connect(fds);
        pairs[count].peer[side] = fds[0];
        ends[side] = fds[1];
    }
    count++;
    return workers_adopt(workers, count - 1, ends[0], ends[1], limits);
}

static unsigned adopt(const struct xf_relay_limits *limits)
{
    assert_int_equal(try_adopt(limits), 0);
    return count - 1;
}

static void turn(int ms)
{
    struct pollfd polls[WORKERS_MAX];
    struct workers_event event;
    int wait = workers_timeout(workers);

    workers_poll(workers, polls);
    if (wait < 0 || wait > ms)
        wait = ms;
    assert_true(poll(polls, workers_count(workers), wait) >= 0);
    workers_dispatch(workers);
    while (workers_next(workers, &event)) {
        if (event.type == WORKERS_REPLACED)
            replaced++;
        if (event.type != WORKERS_END)
            continue;
        assert_true(event.id < count);
        assert_false(pairs[event.id].over);
        pairs[event.id].over = true;
        pairs[event.id].end = event;
    }
}

#define UNTIL(condition)                                                       \
    do {                                                                       \
        int64_t until = now() + 20000;                                         \
        while (!(condition)) {                                                 \
            assert_true(now() < until);                                        \
            turn(20);                                                          \
        }                                                                      \
    } while (0)

/* `len` bytes from one side to the other, and compared. */
static void bring(unsigned i, int side, size_t len)
{
    char *got = malloc(len);
    size_t sent = 0, have = 0;

    while (have < len) {
        ssize_t n;

        if (sent < len) {
            n = send(pairs[i].peer[side], bytes + sent, len - sent,
                     MSG_NOSIGNAL);
            assert_true(n > 0 || errno == EAGAIN);
            sent += n > 0 ? (size_t)n : 0;
        }
        n = recv(pairs[i].peer[!side], got + have, len - have, 0);
        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        have += n > 0 ? (size_t)n : 0;
        turn(n > 0 ? 0 : 1);
    }
    assert_memory_equal(got, bytes, len);
    free(got);
}

static bool was_reset(unsigned i, int side)
{
    char byte;

    assert_true(rig_readable(pairs[i].peer[side]));
    return recv(pairs[i].peer[side], &byte, 1, 0) < 0 && errno == ECONNRESET;
}

static void a_pair_is_relayed_to_its_end(void **state)
{
    struct xf_relay_stats stats;
    uint64_t died;

    (void)state;
    begin(2);
    for (int i = 0; i < 6; i++)
        adopt(&none);
    for (unsigned i = 0; i < 6; i++) {
        bring(i, 0, LEN);
        bring(i, 1, LEN - i);
    }
    for (unsigned i = 0; i < 6; i++) {
        (void)shutdown(pairs[i].peer[0], SHUT_WR);
        rig_assert_end(pairs[i].peer[1]);
        (void)shutdown(pairs[i].peer[1], SHUT_WR);
        rig_assert_end(pairs[i].peer[0]);
        UNTIL(pairs[i].over);
        assert_int_equal(pairs[i].end.reason, XF_RELAY_DONE);
        assert_int_equal(pairs[i].end.from_a, LEN);
        assert_int_equal(pairs[i].end.from_b, LEN - i);
    }
    workers_stats(workers, &stats, &died);
    assert_int_equal(stats.pairs, 0);
    assert_int_equal(died, 0);
    assert_true(stats.bytes > 0);
    finish();
}

static void what_was_sent_before_the_handover_arrives(void **state)
{
    int ends[2], fds[2];

    (void)state;
    begin(1);
    for (int side = 0; side < 2; side++) {
        rig_connect(fds);
        pairs[0].peer[side] = fds[0];
        ends[side] = fds[1];
    }
    count = 1;
    rig_send(pairs[0].peer[0], bytes, 597);
    hang_up(0, 0);
    assert_int_equal(workers_adopt(workers, 0, ends[0], ends[1], &none), 0);
    char got[597];
    rig_recv(pairs[0].peer[1], got, sizeof got);
    assert_memory_equal(got, bytes, sizeof got);
    rig_assert_end(pairs[0].peer[1]);
    finish();
}

static void a_pair_can_be_closed_and_limited(void **state)
{
    const struct xf_relay_limits idle = { .idle_s = 1 };

    (void)state;
    begin(1);
    adopt(&none);
    adopt(&none);
    bring(0, 0, 1000);
    workers_set_limits(workers, 1, &idle);
    workers_set_limits(workers, 9, &idle);
    workers_close(workers, 0);
    workers_close(workers, 9);
    UNTIL(pairs[0].over && pairs[1].over);
    assert_int_equal(pairs[0].end.reason, XF_RELAY_CLOSED);
    assert_int_equal(pairs[0].end.from_a, 1000);
    assert_int_equal(pairs[1].end.reason, XF_RELAY_IDLE);
    assert_true(was_reset(0, 0) && was_reset(1, 1));
    finish();
}

/* Which worker has a pair is seen when that worker dies. */
static void a_group_has_one_worker_and_others_are_spread(void **state)
{
    const struct xf_relay_limits group = { .group = 5, .group_rate = 1 << 20 };
    unsigned lost_of_group = 0, lost_of_rest = 0;

    (void)state;
    begin(4);
    for (int i = 0; i < 8; i++)
        adopt(&group);
    for (int i = 0; i < 24; i++)
        adopt(&none);
    for (unsigned i = 0; i < count; i++)
        bring(i, 1, 10);
    assert_int_equal(kill(workers_pid(workers, 0), SIGKILL), 0);
    UNTIL(replaced == 1);
    turn(0);
    for (unsigned i = 0; i < count; i++) {
        if (!pairs[i].over)
            continue;
        assert_int_equal(pairs[i].end.reason, PAIR_LOST);
        assert_string_equal(workers_reason_name(pairs[i].end.reason), "lost");
        *(i < 8 ? &lost_of_group : &lost_of_rest) += 1;
    }
    assert_true(lost_of_group == 0 || lost_of_group == 8);
    assert_int_equal(lost_of_group + lost_of_rest, 8);
    finish();
}

static void a_worker_that_dies_is_replaced(void **state)
{
    struct xf_relay_stats stats;
    uint64_t died;
    pid_t before;

    (void)state;
    begin(1);
    adopt(&none);
    bring(0, 0, 1000);
    before = workers_pid(workers, 0);
    assert_int_equal(kill(before, SIGKILL), 0);
    UNTIL(pairs[0].over);
    assert_int_equal(pairs[0].end.reason, PAIR_LOST);
    UNTIL(workers_pid(workers, 0) > 0);
    assert_true(workers_pid(workers, 0) != before);
    adopt(&none);
    bring(1, 1, LEN);
    workers_stats(workers, &stats, &died);
    assert_int_equal(died, 1);
    assert_int_equal(stats.pairs, 1);
    /* Its descriptors are its own: what the front has open ends with it. */
    hang_up(1, 0);
    UNTIL(pairs[1].over || rig_waiting(pairs[1].peer[1]) == 0);
    rig_assert_end(pairs[1].peer[1]);
    finish();
}

/* A service manager's signal goes to every process of the service. */
static void only_the_front_ends_a_worker(void **state)
{
    static const int signals[] = { SIGTERM, SIGINT,  SIGHUP,
                                   SIGPIPE, SIGUSR1, SIGUSR2 };

    (void)state;
    begin(1);
    adopt(&none);
    bring(0, 0, 10);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        assert_int_equal(kill(workers_pid(workers, 0), signals[i]), 0);
    bring(0, 0, LEN);
    assert_int_equal(replaced, 0);
    workers_free(workers);
    assert_true(was_reset(0, 0) && was_reset(0, 1));
    hang_up(0, 0);
    hang_up(0, 1);
}

/* The front is another process here, so that it can be killed. */
static void a_killed_front_takes_its_workers_along(void **state)
{
    int said[2], ends[2], fds[2], status;
    pid_t front, worker[2];
    char byte = 0;

    (void)state;
    assert_int_equal(pipe(said), 0);
    memset(pairs, 0, sizeof pairs);
    for (int side = 0; side < 2; side++) {
        rig_connect(fds);
        pairs[0].peer[side] = fds[0];
        ends[side] = fds[1];
    }
    front = fork();
    if (front == 0) {
        if (workers_start(&workers, 2, 8) != 0 ||
            workers_adopt(workers, 0, ends[0], ends[1], &none) != 0)
            _exit(1);
        worker[0] = workers_pid(workers, 0);
        worker[1] = workers_pid(workers, 1);
        if (write(said[1], worker, sizeof worker) != sizeof worker)
            _exit(1);
        pause();
        _exit(1);
    }
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(read(said[0], worker, sizeof worker), sizeof worker);
    rig_send(pairs[0].peer[0], "x", 1);
    rig_recv(pairs[0].peer[1], &byte, 1);
    assert_int_equal(byte, 'x');
    assert_int_equal(kill(front, SIGKILL), 0);
    assert_int_equal(waitpid(front, &status, 0), front);
    assert_true(was_reset(0, 0) && was_reset(0, 1));
    /* Whoever inherited them has waited for them, or will. */
    for (int i = 0; i < 2; i++) {
        int64_t until = now() + 5000;
        char path[32], line[512] = "";

        snprintf(path, sizeof path, "/proc/%d/stat", worker[i]);
        while (now() < until) {
            FILE *f = fopen(path, "r");

            if (!f)
                break;
            if (!fgets(line, sizeof line, f))
                line[0] = '\0';
            fclose(f);
            if (strstr(line, ") Z "))
                break;
            poll(NULL, 0, 10);
        }
        assert_true(now() < until);
    }
    for (int i = 0; i < 2; i++) {
        close(pairs[0].peer[i]);
        close(said[i]);
    }
}

/* Orders wait, with their descriptors, for a worker that is slow. */
static void a_stopped_worker_loses_no_order(void **state)
{
    (void)state;
    begin(1);
    assert_int_equal(kill(workers_pid(workers, 0), SIGSTOP), 0);
    for (int i = 0; i < PAIRS - 1; i++)
        adopt(&none);
    for (int i = 0; i < 600; i++)
        workers_set_limits(workers, 3, &none);
    adopt(&none);
    workers_close(workers, 0);
    for (int i = 0; i < 5; i++)
        turn(5);
    assert_int_equal(kill(workers_pid(workers, 0), SIGCONT), 0);
    UNTIL(pairs[0].over);
    for (unsigned i = 1; i < count; i++)
        bring(i, 0, 100);
    finish();
}

static void orders_without_end_are_refused(void **state)
{
    (void)state;
    begin(1);
    adopt(&none);
    assert_int_equal(kill(workers_pid(workers, 0), SIGSTOP), 0);
    for (int i = 0; i < 3000; i++)
        workers_set_limits(workers, 0, &none);
    assert_int_equal(try_adopt(&none), XF_E_BUSY);
    /* Its sockets were closed. */
    rig_assert_end(pairs[1].peer[0]);
    rig_assert_end(pairs[1].peer[1]);
    assert_int_equal(kill(workers_pid(workers, 0), SIGCONT), 0);
    UNTIL(try_adopt(&none) == 0);
    bring(count - 1, 1, LEN);
    finish();
}

static int make_bytes(void **state)
{
    (void)state;
    bytes = rig_bytes(LEN);
    return 0;
}

static int free_bytes(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_pair_is_relayed_to_its_end),
        RIG_TEST(what_was_sent_before_the_handover_arrives),
        RIG_TEST(a_pair_can_be_closed_and_limited),
        RIG_TEST(a_group_has_one_worker_and_others_are_spread),
        RIG_TEST(a_worker_that_dies_is_replaced),
        RIG_TEST(only_the_front_ends_a_worker),
        RIG_TEST(a_killed_front_takes_its_workers_along),
        RIG_TEST(a_stopped_worker_loses_no_order),
        RIG_TEST(orders_without_end_are_refused),
    };

    return cmocka_run_group_tests(tests, make_bytes, free_bytes);
}
