/* Signals: broken calls are made again, and SIGPIPE stays the host's. */
#include "base/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

static int rings, ring_fd;

/* The third ring also brings the byte that is waited for. */
static void on_ring(int sig)
{
    (void)sig;
    if (++rings == 3 && write(ring_fd, "x", 1) != 1)
        abort();
}

/* Rings every 5 ms and, without SA_RESTART, breaks what is waited in. */
static void ring(bool on)
{
    const struct itimerval often = { { 0, 5000 }, { 0, 5000 } };
    const struct itimerval never = { { 0, 0 }, { 0, 0 } };
    struct sigaction action = { .sa_handler = on ? on_ring : SIG_DFL };

    if (!on)
        assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    rings = 0;
    if (on)
        assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void a_broken_call_is_made_again(void **state)
{
    int ends[2];
    char c = 0;

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ring_fd = ends[0];
    ring(true);
    assert_int_equal(xf_sys_read(ends[1], &c, 1), 1);
    ring(true);
    assert_int_equal(xf_sys_recv(ends[1], &c, 1, 0), 1);
    ring(false);
    assert_int_equal(c, 'x');
    close(ends[0]);
    close(ends[1]);
}

static int pipes;

static void on_pipe(int sig)
{
    (void)sig;
    pipes++;
}

static bool pipe_waits(void)
{
    sigset_t set;

    assert_int_equal(sigpending(&set), 0);
    return sigismember(&set, SIGPIPE) == 1;
}

static bool pipe_blocked(void)
{
    sigset_t set;

    assert_int_equal(pthread_sigmask(SIG_BLOCK, NULL, &set), 0);
    return sigismember(&set, SIGPIPE) == 1;
}

static void block_pipe(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    assert_int_equal(pthread_sigmask(how, &set, NULL), 0);
}

static void handle_pipe(void (*handler)(int))
{
    struct sigaction action = { .sa_handler = handler };

    assert_int_equal(sigaction(SIGPIPE, &action, NULL), 0);
    pipes = 0;
}

/* What a plain write() would answer with SIGPIPE. */
static int dead_socket(int family)
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof addr;
    int ends[2], listener;

    if (family == AF_UNIX) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        close(ends[1]);
        return ends[0];
    }
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listener = socket(AF_INET, SOCK_STREAM, 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(connect(ends[0], (struct sockaddr *)&addr, len), 0);
    ends[1] = accept(listener, NULL, NULL);
    assert_true(ends[1] >= 0);
    assert_int_equal(shutdown(ends[0], SHUT_WR), 0);
    close(ends[1]);
    close(listener);
    return ends[0];
}

static void send_to_the_dead(int family)
{
    FILE *file = tmpfile();
    int out = dead_socket(family);

    assert_non_null(file);
    assert_true(fputs("some bytes", file) >= 0 && fflush(file) == 0);
    assert_int_equal(xf_sys_sendfile(out, fileno(file), 0, 10), -1);
    assert_int_equal(errno, EPIPE);
    assert_int_equal(xf_sys_send(out, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(out);
    fclose(file);
}

static const int families[] = { AF_UNIX, AF_INET };

/* With the default handler a signal that slips through ends this program. */
static void a_dead_socket_raises_no_signal(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        handle_pipe(SIG_DFL);
        send_to_the_dead(families[i]);
        handle_pipe(on_pipe);
        send_to_the_dead(families[i]);
        assert_int_equal(pipes, 0);
        assert_false(pipe_waits());
        assert_false(pipe_blocked());
    }
    handle_pipe(SIG_DFL);
}

static void no_signal_is_left_behind_for_a_host_that_blocks_it(void **state)
{
    (void)state;
    handle_pipe(on_pipe);
    block_pipe(SIG_BLOCK);
    for (size_t i = 0; i < 2; i++) {
        send_to_the_dead(families[i]);
        assert_false(pipe_waits());
        assert_true(pipe_blocked());
    }
    block_pipe(SIG_UNBLOCK);
    assert_int_equal(pipes, 0);
    handle_pipe(SIG_DFL);
}

static void a_signal_of_the_host_stays_the_hosts(void **state)
{
    (void)state;
    handle_pipe(on_pipe);
    block_pipe(SIG_BLOCK);
    assert_int_equal(raise(SIGPIPE), 0);
    for (size_t i = 0; i < 2; i++) {
        send_to_the_dead(families[i]);
        assert_true(pipe_waits());
    }
    block_pipe(SIG_UNBLOCK);
    assert_int_equal(pipes, 1);
    handle_pipe(SIG_DFL);
}

static void what_the_host_does_about_the_signal_is_not_touched(void **state)
{
    struct sigaction action;

    (void)state;
    handle_pipe(SIG_IGN);
    send_to_the_dead(AF_INET);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_IGN);
    assert_false(pipe_waits());
    handle_pipe(SIG_DFL);
    send_to_the_dead(AF_INET);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_call_is_made_again),
        cmocka_unit_test(a_dead_socket_raises_no_signal),
        cmocka_unit_test(no_signal_is_left_behind_for_a_host_that_blocks_it),
        cmocka_unit_test(a_signal_of_the_host_stays_the_hosts),
        cmocka_unit_test(what_the_host_does_about_the_signal_is_not_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
