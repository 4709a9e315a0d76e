/* The loop, as an embedder sees it who has nothing but poll(2). */
#include "net/loop.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "turn.h"

static int open_loop(void **state)
{
    return xf_loop_new((struct xf_loop **)state);
}

static int close_loop(void **state)
{
    xf_loop_free(*state);
    return 0;
}

/* --- time ---------------------------------------------------------------- */

struct clock {
    struct xf_loop *loop;
    struct xf_timer *timer;
    int64_t fired_at;
    int count;
    bool fired;
};

static void note_time(void *ctx)
{
    struct clock *c = ctx;

    c->fired_at = xf_loop_now(c->loop);
    c->count++;
    c->fired = true;
}

static void a_loop_without_work_never_wants_a_turn(void **state)
{
    assert_int_equal(xf_loop_timeout(*state), -1);
    xf_loop_dispatch(*state);
    assert_int_equal(xf_loop_timeout(*state), -1);
}

static void a_timer_fires_once_and_not_before_its_time(void **state)
{
    struct clock c = { .loop = *state };
    int64_t deadline;

    assert_int_equal(xf_timer_new(c.loop, note_time, &c, &c.timer), 0);
    deadline = xf_loop_now(c.loop) + 30;
    xf_timer_set(c.timer, deadline);
    assert_true(turn_until(c.loop, &c.fired, 2000));
    assert_true(c.fired_at >= deadline);
    assert_true(c.fired_at < deadline + 500);
    turn_for(c.loop, 50);
    assert_int_equal(c.count, 1);
    xf_timer_free(c.timer);
}

/* libuv alone would count from its last turn, 60 ms ago. */
static void the_timeout_is_measured_from_now(void **state)
{
    struct clock c = { .loop = *state };
    int left;

    assert_int_equal(xf_timer_new(c.loop, note_time, &c, &c.timer), 0);
    xf_timer_set(c.timer, xf_loop_now(c.loop) + 100);
    xf_loop_dispatch(c.loop);
    usleep(60 * 1000);
    left = xf_loop_timeout(c.loop);
    assert_true(left >= 0 && left <= 45);
    usleep(60 * 1000);
    assert_int_equal(xf_loop_timeout(c.loop), 0);
    xf_timer_free(c.timer);
}

static void a_deadline_is_counted_from_now_after_a_long_sleep(void **state)
{
    struct clock c = { .loop = *state };

    assert_int_equal(xf_timer_new(c.loop, note_time, &c, &c.timer), 0);
    xf_loop_dispatch(c.loop);
    usleep(80 * 1000);
    xf_timer_set(c.timer, xf_loop_now(c.loop) + 40);
    xf_loop_dispatch(c.loop);
    assert_false(c.fired);
    assert_true(turn_until(c.loop, &c.fired, 2000));
    xf_timer_free(c.timer);
}

static void a_deadline_in_the_past_is_due_at_once(void **state)
{
    struct clock c = { .loop = *state };

    assert_int_equal(xf_timer_new(c.loop, note_time, &c, &c.timer), 0);
    xf_timer_set(c.timer, xf_loop_now(c.loop) - 1000);
    assert_int_equal(xf_loop_timeout(c.loop), 0);
    xf_loop_dispatch(c.loop);
    assert_true(c.fired);
    xf_timer_free(c.timer);
}

static void a_timer_that_is_off_does_not_fire(void **state)
{
    struct clock c = { .loop = *state };

    assert_int_equal(xf_timer_new(c.loop, note_time, &c, &c.timer), 0);
    xf_timer_set(c.timer, xf_loop_now(c.loop) + 5);
    xf_timer_set(c.timer, XF_TIMER_OFF);
    assert_int_equal(xf_loop_timeout(c.loop), -1);
    turn_for(c.loop, 30);
    assert_false(c.fired);
    xf_timer_free(c.timer);
}

static void fire_again(void *ctx)
{
    struct clock *c = ctx;

    note_time(c);
    xf_timer_set(c->timer, xf_loop_now(c->loop));
}

static void a_timer_that_sets_itself_to_now_lets_the_turn_end(void **state)
{
    struct clock c = { .loop = *state };

    assert_int_equal(xf_timer_new(c.loop, fire_again, &c, &c.timer), 0);
    xf_timer_set(c.timer, 0);
    xf_loop_dispatch(c.loop);
    assert_int_equal(c.count, 1);
    turn_for(c.loop, 20);
    assert_true(c.count > 1);
    xf_timer_free(c.timer);
}

static void free_timer(void *ctx)
{
    struct clock *c = ctx;

    note_time(c);
    xf_timer_free(c->timer);
    c->timer = NULL;
}

static void a_timer_may_free_itself(void **state)
{
    struct clock c = { .loop = *state };

    assert_int_equal(xf_timer_new(c.loop, free_timer, &c, &c.timer), 0);
    xf_timer_set(c.timer, 0);
    turn_for(c.loop, 10);
    assert_int_equal(c.count, 1);
    assert_int_equal(xf_loop_timeout(c.loop), -1);
}

/* --- readiness ----------------------------------------------------------- */

struct pipe_end {
    struct xf_watch *watch;
    int fd;
    int events;
    int count;
    bool told;
    bool drop; /* free the watch when told */
};

static void note_events(void *ctx, int events)
{
    struct pipe_end *end = ctx;
    char byte;

    end->events = events;
    end->count++;
    end->told = true;
    if (events & XF_WATCH_READ)
        (void)!read(end->fd, &byte, 1);
    if (end->drop) {
        xf_watch_free(end->watch);
        end->watch = NULL;
    }
}

static void make_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds),
                     0);
}

static void a_new_watch_wants_a_turn_and_then_wakes_the_embedder(void **state)
{
    struct xf_loop *loop = *state;
    struct pipe_end end = { 0 };
    struct pollfd p = { .fd = xf_loop_fd(loop), .events = POLLIN };
    int fds[2];

    make_pair(fds);
    end.fd = fds[0];
    assert_int_equal(xf_watch_new(loop, fds[0], note_events, &end, &end.watch),
                     0);
    xf_watch_set(end.watch, XF_WATCH_READ);
    assert_int_equal(xf_loop_timeout(loop), 0);
    xf_loop_dispatch(loop);
    assert_int_equal(xf_loop_timeout(loop), -1);
    assert_int_equal(poll(&p, 1, 0), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(poll(&p, 1, 1000), 1);
    xf_loop_dispatch(loop);
    assert_int_equal(end.events, XF_WATCH_READ);
    assert_int_equal(poll(&p, 1, 0), 0);
    xf_watch_free(end.watch);
    close(fds[0]);
    close(fds[1]);
}

static void only_what_is_asked_for_is_told(void **state)
{
    struct xf_loop *loop = *state;
    struct pipe_end end = { 0 };
    int fds[2];

    make_pair(fds);
    end.fd = fds[0];
    assert_int_equal(xf_watch_new(loop, fds[0], note_events, &end, &end.watch),
                     0);
    assert_int_equal(write(fds[1], "xy", 2), 2);
    turn_for(loop, 10);
    assert_false(end.told);
    xf_watch_set(end.watch, XF_WATCH_WRITE);
    assert_true(turn_until(loop, &end.told, 1000));
    assert_int_equal(end.events, XF_WATCH_WRITE);
    xf_watch_set(end.watch, XF_WATCH_READ | XF_WATCH_WRITE);
    end.told = false;
    assert_true(turn_until(loop, &end.told, 1000));
    assert_int_equal(end.events, XF_WATCH_READ | XF_WATCH_WRITE);
    xf_watch_set(end.watch, 0);
    end.told = false;
    turn_for(loop, 10);
    assert_false(end.told);
    xf_watch_free(end.watch);
    close(fds[0]);
    close(fds[1]);
}

static void a_watch_may_free_itself_and_its_number_be_used_again(void **state)
{
    struct xf_loop *loop = *state;
    int fds[2];

    for (int round = 0; round < 3; round++) {
        struct pipe_end end = { .drop = true };

        make_pair(fds);
        end.fd = fds[0];
        assert_int_equal(
            xf_watch_new(loop, fds[0], note_events, &end, &end.watch), 0);
        xf_watch_set(end.watch, XF_WATCH_READ | XF_WATCH_WRITE);
        assert_int_equal(write(fds[1], "xyz", 3), 3);
        turn_for(loop, 10);
        assert_int_equal(end.count, 1);
        assert_null(end.watch);
        close(fds[0]);
        close(fds[1]);
    }
}

/* Both are ready in one turn; whoever comes first takes the other away. */
struct rival {
    struct rival *other;
    struct xf_watch *watch;
    int *count;
};

static void take_other_away(void *ctx, int events)
{
    struct rival *r = ctx;

    (void)events;
    (*r->count)++;
    xf_watch_free(r->other->watch);
    r->other->watch = NULL;
    xf_watch_set(r->watch, 0);
}

static void a_freed_watch_is_not_told_what_was_ready(void **state)
{
    struct xf_loop *loop = *state;
    int fds[2], count = 0;
    struct rival a = { .count = &count }, b = { .count = &count };

    make_pair(fds);
    a.other = &b;
    b.other = &a;
    assert_int_equal(xf_watch_new(loop, fds[0], take_other_away, &a, &a.watch),
                     0);
    assert_int_equal(xf_watch_new(loop, fds[1], take_other_away, &b, &b.watch),
                     0);
    xf_watch_set(a.watch, XF_WATCH_WRITE);
    xf_watch_set(b.watch, XF_WATCH_WRITE);
    turn_for(loop, 10);
    assert_int_equal(count, 1);
    xf_watch_free(a.watch);
    xf_watch_free(b.watch);
    close(fds[0]);
    close(fds[1]);
}

/* --- other threads ------------------------------------------------------- */

struct bell {
    struct xf_wake *wake;
    int count;
    bool rung;
};

static void ring(void *ctx)
{
    struct bell *b = ctx;

    b->count++;
    b->rung = true;
}

static void *send_from_thread(void *ctx)
{
    usleep(20 * 1000);
    xf_wake_send(ctx);
    return NULL;
}

static void a_wake_from_a_thread_ends_the_embedders_poll(void **state)
{
    struct xf_loop *loop = *state;
    struct bell b = { 0 };
    pthread_t thread;
    int64_t start = xf_sys_now_ms();

    assert_int_equal(xf_wake_new(loop, ring, &b, &b.wake), 0);
    assert_int_equal(pthread_create(&thread, NULL, send_from_thread, b.wake),
                     0);
    assert_true(turn_until(loop, &b.rung, 5000));
    assert_true(xf_sys_now_ms() - start < 3000);
    pthread_join(thread, NULL);
    xf_wake_free(b.wake);
    turn_for(loop, 5);
    assert_int_equal(b.count, 1);
}

static void the_loop_closes_what_its_owners_left_open(void **state)
{
    struct xf_loop *loop;
    struct bell b = { 0 };
    struct clock c = { 0 };

    (void)state;
    assert_int_equal(xf_loop_new(&loop), 0);
    assert_int_equal(xf_wake_new(loop, ring, &b, &b.wake), 0);
    assert_int_equal(xf_timer_new(loop, note_time, &c, &c.timer), 0);
    xf_loop_free(loop); /* the sanitizer counts */
    xf_loop_free(NULL);
    xf_watch_free(NULL);
    xf_timer_free(NULL);
    xf_wake_free(NULL);
    assert_false(c.fired || b.rung);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_loop, close_loop)
    const struct CMUnitTest tests[] = {
        T(a_loop_without_work_never_wants_a_turn),
        T(a_timer_fires_once_and_not_before_its_time),
        T(the_timeout_is_measured_from_now),
        T(a_deadline_is_counted_from_now_after_a_long_sleep),
        T(a_deadline_in_the_past_is_due_at_once),
        T(a_timer_that_is_off_does_not_fire),
        T(a_timer_that_sets_itself_to_now_lets_the_turn_end),
        T(a_timer_may_free_itself),
        T(a_new_watch_wants_a_turn_and_then_wakes_the_embedder),
        T(only_what_is_asked_for_is_told),
        T(a_watch_may_free_itself_and_its_number_be_used_again),
        T(a_freed_watch_is_not_told_what_was_ready),
        T(a_wake_from_a_thread_ends_the_embedders_poll),
        T(the_loop_closes_what_its_owners_left_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
