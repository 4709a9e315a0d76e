/* Ports are opened, shared by both families, and closed. */
#include "net/listen.h"

#include <errno.h>
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

struct host {
    struct xf_listener *listener;
    int count;
    bool told;
    bool free_it, pause_it;
    struct xf_address peer;
};

static void take(void *ctx, int fd, const struct xf_address *peer)
{
    struct host *h = ctx;

    h->count++;
    h->told = true;
    h->peer = *peer;
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    close(fd);
    if (h->pause_it)
        xf_listener_pause(h->listener);
    if (h->free_it) {
        xf_listener_free(h->listener);
        h->listener = NULL;
    }
}

/* -1 when refused. */
static int call(const char *ip, uint16_t port)
{
    struct xf_address a;
    int fd;

    assert_true(xf_address_read(ip, port, &a));
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, &a.any, a.len) == 0)
        return fd;
    close(fd);
    return -1;
}

static void open_any(struct xf_loop *loop, struct host *h)
{
    assert_int_equal(
        xf_listener_new(loop, NULL, 0, 0, 0, take, h, &h->listener), 0);
}

static void one_port_serves_both_families(void **state)
{
    struct host h = { 0 };
    uint16_t port;
    int four, six;

    open_any(*state, &h);
    port = xf_listener_port(h.listener);
    assert_true(port != 0);
    four = call("127.0.0.1", port);
    assert_true(four >= 0);
    assert_true(turn_until(*state, &h.told, 1000));
    assert_int_equal(h.peer.any.sa_family, AF_INET);
    assert_true(xf_address_is_loopback(&h.peer));
    h.told = false;
    six = call("::1", port);
    assert_true(six >= 0);
    assert_true(turn_until(*state, &h.told, 1000));
    assert_int_equal(h.peer.any.sa_family, AF_INET6);
    xf_listener_free(h.listener);
    assert_int_equal(call("127.0.0.1", port), -1);
    assert_int_equal(call("::1", port), -1);
    close(four);
    close(six);
}

static void the_first_free_port_of_a_range_is_taken(void **state)
{
    struct host a = { 0 }, b = { 0 }, c = { 0 };
    uint16_t from = 0;

    /* somewhere two neighbours are free */
    for (uint16_t port = 21000; port < 21100 && from == 0; port += 2) {
        if (xf_listener_new(*state, NULL, 0, port, port, take, &a,
                            &a.listener) != 0)
            continue;
        if (xf_listener_new(*state, NULL, 0, port + 1, port + 1, take, &b,
                            &b.listener) == 0)
            from = port;
        else
            xf_listener_free(a.listener);
    }
    assert_true(from != 0);
    assert_int_equal(xf_listener_port(a.listener), from);
    assert_int_equal(
        xf_listener_new(*state, NULL, 0, from, from + 1, take, &c, &c.listener),
        XF_E_BUSY);
    assert_null(c.listener);
    xf_listener_free(b.listener);
    assert_int_equal(
        xf_listener_new(*state, NULL, 0, from, from + 1, take, &c, &c.listener),
        0);
    assert_int_equal(xf_listener_port(c.listener), from + 1);
    xf_listener_free(a.listener);
    xf_listener_free(c.listener);
}

static void only_the_given_address_is_opened(void **state)
{
    struct host h = { 0 };
    struct xf_address a;
    uint16_t port;
    int fd;

    assert_true(xf_address_read("127.0.0.3", 0, &a));
    assert_int_equal(
        xf_listener_new(*state, &a, 1, 0, 0, take, &h, &h.listener), 0);
    port = xf_listener_port(h.listener);
    assert_int_equal(call("127.0.0.1", port), -1);
    fd = call("127.0.0.3", port);
    assert_true(fd >= 0);
    assert_true(turn_until(*state, &h.told, 1000));
    xf_listener_free(h.listener);
    close(fd);
}

static void what_cannot_be_opened_has_its_code(void **state)
{
    struct xf_address many[XF_LISTEN_SOCKETS + 1], a;
    struct xf_listener *l;

    memset(many, 0, sizeof many);
    assert_true(xf_address_read("192.0.2.1", 0, &a)); /* not ours */
    assert_int_equal(xf_listener_new(*state, &a, 1, 0, 0, take, NULL, &l),
                     XF_E_IO);
    assert_int_equal(xf_listener_new(*state, NULL, 0, 20, 10, take, NULL, &l),
                     XF_E_USAGE);
    assert_int_equal(xf_listener_new(*state, NULL, 0, 0, 10, take, NULL, &l),
                     XF_E_USAGE);
    assert_int_equal(xf_listener_new(*state, many, XF_LISTEN_SOCKETS + 1, 0, 0,
                                     take, NULL, &l),
                     XF_E_USAGE);
}

static void while_paused_connections_wait(void **state)
{
    struct host h = { .pause_it = true };
    int fds[3];

    open_any(*state, &h);
    for (size_t i = 0; i < 3; i++)
        assert_true(
            (fds[i] = call("127.0.0.1", xf_listener_port(h.listener))) >= 0);
    turn_for(*state, 50);
    assert_int_equal(h.count, 1); /* paused by the first */
    xf_listener_resume(h.listener);
    turn_for(*state, 50);
    assert_int_equal(h.count, 2);
    h.pause_it = false;
    xf_listener_resume(h.listener);
    turn_for(*state, 50);
    assert_int_equal(h.count, 3);
    xf_listener_free(h.listener);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}

static void it_may_be_freed_by_the_connection_it_tells(void **state)
{
    struct host h = { .free_it = true };
    int a, b;

    open_any(*state, &h);
    a = call("127.0.0.1", xf_listener_port(h.listener));
    b = call("127.0.0.1", xf_listener_port(h.listener));
    turn_for(*state, 50);
    assert_int_equal(h.count, 1);
    assert_null(h.listener);
    xf_listener_free(NULL);
    close(a);
    close(b);
}

static int accepts;

static int no_descriptors(enum xf_sys_call what, void *ctx)
{
    const bool *out = ctx;

    if (what != XF_SYS_ACCEPT)
        return 0;
    accepts++;
    return *out ? EMFILE : 0;
}

static int hungers;

static void starved(void *ctx)
{
    (void)ctx;
    hungers++;
}

static void without_descriptors_it_waits_a_second_and_does_not_spin(
    void **state)
{
    struct host h = { 0 };
    bool out = true;
    int64_t start;
    int fd;

    open_any(*state, &h);
    xf_listener_on_starved(h.listener, starved);
    fd = call("127.0.0.1", xf_listener_port(h.listener));
    accepts = hungers = 0;
    start = xf_sys_now_ms();
    xf_sys_set_gate(no_descriptors, &out);
    turn_for(*state, 300);
    assert_int_equal(accepts, 1);
    assert_int_equal(hungers, 1);
    out = false;
    assert_true(turn_until(*state, &h.told, 3000));
    xf_sys_set_gate(NULL, NULL);
    assert_in_range(xf_sys_now_ms() - start, 950, 2500);
    xf_listener_free(h.listener);
    close(fd);
}

struct nth {
    enum xf_sys_call call;
    int skip, err;
};

static int refuse_nth(enum xf_sys_call what, void *ctx)
{
    struct nth *n = ctx;

    if (what != n->call || n->skip-- != 0)
        return 0;
    return n->err;
}

static int fd_count(void)
{
    int fd = dup(0), lowest = fd;

    close(fd);
    return lowest;
}

static void every_step_of_opening_may_fail(void **state)
{
    static const enum xf_sys_call calls[] = { XF_SYS_ALLOC, XF_SYS_SOCKET,
                                              XF_SYS_SOCKOPT, XF_SYS_BIND,
                                              XF_SYS_LISTEN };
    int before = fd_count(), failures = 0;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        for (int skip = 0; skip < 8; skip++) {
            struct nth n = { calls[i], skip, ENOMEM };
            struct host h = { 0 };
            int err;

            xf_sys_set_gate(refuse_nth, &n);
            err = xf_listener_new(*state, NULL, 0, 0, 0, take, &h, &h.listener);
            xf_sys_set_gate(NULL, NULL);
            assert_true(err == 0 || err == XF_E_LIMIT);
            assert_true((err == 0) == (h.listener != NULL));
            failures += err != 0;
            xf_listener_free(h.listener);
            xf_loop_dispatch(*state);
            assert_int_equal(fd_count(), before);
        }
    }
    assert_true(failures >= 10);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, open_loop, close_loop)
    const struct CMUnitTest tests[] = {
        T(one_port_serves_both_families),
        T(the_first_free_port_of_a_range_is_taken),
        T(only_the_given_address_is_opened),
        T(what_cannot_be_opened_has_its_code),
        T(while_paused_connections_wait),
        T(it_may_be_freed_by_the_connection_it_tells),
        T(without_descriptors_it_waits_a_second_and_does_not_spin),
        T(every_step_of_opening_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
