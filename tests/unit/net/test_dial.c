/* Connections to loopback: made, refused, and waited for in vain. */
#include "net/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "turn.h"

struct fixture {
    struct xf_loop *loop;
    struct xf_names *names;
};

static int set_up(void **state)
{
    static struct fixture f;

    *state = &f;
    if (xf_loop_new(&f.loop) != 0)
        return -1;
    return xf_names_new(f.loop, &f.names);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    xf_names_free(f->names);
    xf_loop_free(f->loop);
    return 0;
}

/* --- servers ------------------------------------------------------------- */

/* A socket bound to `ip`; with a backlog below 0 it refuses. */
static int server(const char *ip, int backlog, uint16_t *port)
{
    struct xf_address a;
    const int on = 1;
    int fd;

    assert_true(xf_address_read(ip, *port, &a));
    fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a.any.sa_family == AF_INET6)
        assert_int_equal(
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    assert_int_equal(bind(fd, &a.any, a.len), 0);
    assert_true(xf_address_local(fd, &a));
    *port = xf_address_port(&a);
    if (backlog >= 0)
        assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

/* One that answers nothing: its backlog is full. */
struct hole {
    int fd, fill[4];
};

static struct hole black_hole(const char *ip, uint16_t *port)
{
    struct hole h = { .fd = server(ip, 0, port) };
    struct xf_address a;

    assert_true(xf_address_read(ip, *port, &a));
    for (size_t i = 0; i < 4; i++) {
        h.fill[i] = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(h.fill[i], &a.any, a.len);
    }
    return h;
}

static void close_hole(struct hole *h)
{
    for (size_t i = 0; i < 4; i++)
        close(h->fill[i]);
    close(h->fd);
}

/* --- who connects -------------------------------------------------------- */

struct heard {
    struct xf_connect *connect;
    bool told;
    int fd;
    struct xf_error_info why;
    int64_t took;
};

static void hear(void *ctx, int fd, const struct xf_error_info *why)
{
    struct heard *h = ctx;

    assert_false(h->told);
    h->told = true;
    h->fd = fd;
    if (why)
        h->why = *why;
    xf_connect_free(h->connect);
}

static struct heard reach(struct fixture *f, const char *host, uint16_t port,
                          enum xf_reach reach, int timeout_ms)
{
    struct heard h = { .fd = -1 };
    int64_t start = xf_sys_now_ms();

    assert_int_equal(xf_connect_new(f->loop, f->names, host, port, reach,
                                    timeout_ms, hear, &h, &h.connect),
                     0);
    assert_false(h.told);
    assert_true(turn_until(f->loop, &h.told, 10000));
    h.took = xf_sys_now_ms() - start;
    return h;
}

static void a_listening_host_is_reached(void **state)
{
    uint16_t port = 0;
    int fd = server("127.0.0.1", 5, &port);
    struct heard h = reach(*state, "127.0.0.1", port, XF_REACH_ANY, 2000);
    struct xf_address peer;

    assert_true(h.fd >= 0);
    assert_true(xf_address_peer(h.fd, &peer));
    assert_int_equal(xf_address_port(&peer), port);
    assert_true(fcntl(h.fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(h.fd, F_GETFD) & FD_CLOEXEC);
    close(h.fd);
    close(fd);
}

static void a_refusal_says_so(void **state)
{
    uint16_t port = 0;
    int fd = server("127.0.0.1", -1, &port);
    struct heard h = reach(*state, "127.0.0.1", port, XF_REACH_ANY, 2000);

    assert_int_equal(h.fd, -1);
    assert_int_equal(h.why.code, XF_E_CONNECT);
    assert_string_equal(h.why.text, "refused");
    assert_true(h.took < 1000);
    close(fd);
}

static void a_host_that_answers_nothing_times_out(void **state)
{
    uint16_t port = 0;
    struct hole hole = black_hole("127.0.0.9", &port);
    struct heard h = reach(*state, "127.0.0.9", port, XF_REACH_ANY, 400);

    assert_int_equal(h.fd, -1);
    assert_int_equal(h.why.code, XF_E_CONNECT);
    assert_string_equal(h.why.text, "timed out");
    assert_in_range(h.took, 390, 2000);
    close_hole(&hole);
}

static void an_unreachable_network_has_no_route(void **state)
{
    /* multicast: the kernel refuses by itself, no packet leaves */
    struct heard h = reach(*state, "224.0.0.1", 80, XF_REACH_ANY, 2000);

    assert_int_equal(h.fd, -1);
    assert_string_equal(h.why.text, "no route");
}

static void the_other_family_is_tried_at_once_after_a_refusal(void **state)
{
    static const char *const ips[] = { "127.0.0.1", "::1" };

    for (size_t i = 0; i < 2; i++) {
        uint16_t port = 0;
        int fd = server(ips[i], 5, &port);
        struct heard h = reach(*state, "localhost", port, XF_REACH_ANY, 2000);
        struct xf_address peer;
        char text[XF_ADDRESS_TEXT];

        assert_true(h.fd >= 0);
        assert_true(xf_address_peer(h.fd, &peer));
        xf_address_text(&peer, text);
        assert_string_equal(text, ips[i]);
        assert_true(h.took < 200);
        close(h.fd);
        close(fd);
    }
}

static void the_other_family_is_tried_250_ms_after_silence(void **state)
{
    uint16_t port = 0;
    int fd = server("127.0.0.1", 5, &port); /* the busier family chooses */
    struct hole hole = black_hole("::1", &port);
    struct heard h = reach(*state, "localhost", port, XF_REACH_ANY, 3000);

    assert_true(h.fd >= 0);
    assert_in_range(h.took, 240, 1500);
    close(h.fd);
    close(fd);
    close_hole(&hole);
}

static void different_failures_are_told_one_by_one(void **state)
{
    uint16_t port = 0;
    int fd = server("127.0.0.1", -1, &port); /* the busier family chooses */
    struct hole hole = black_hole("::1", &port);
    struct heard h = reach(*state, "localhost", port, XF_REACH_ANY, 600);

    assert_int_equal(h.fd, -1);
    assert_string_equal(h.why.text, "::1 timed out, 127.0.0.1 refused");
    close(fd);
    close_hole(&hole);
}

static void a_peer_cannot_send_us_to_loopback(void **state)
{
    uint16_t port = 0;
    int fd = server("127.0.0.1", 5, &port);
    struct heard h = reach(*state, "localhost", port, XF_REACH_PEER, 2000);
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    assert_int_equal(h.why.code, XF_E_POLICY);
    assert_string_equal(h.why.text, "loopback address");
    h = reach(*state, "169.254.169.254", 80, XF_REACH_PEER, 2000);
    assert_int_equal(h.why.code, XF_E_POLICY);
    assert_string_equal(h.why.text, "metadata service");
    h = reach(*state, "192.0.2.1", 80, XF_REACH_LOOPBACK, 2000);
    assert_int_equal(h.why.code, XF_E_POLICY);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(accept(fd, (struct sockaddr *)&sa, &len), -1);
    h = reach(*state, "localhost", port, XF_REACH_PEER_LOCAL, 2000);
    assert_true(h.fd >= 0);
    close(h.fd);
    close(fd);
}

static void a_connection_given_up_is_not_told(void **state)
{
    struct fixture *f = *state;
    uint16_t port = 0;
    int fd = server("127.0.0.1", 5, &port);
    struct heard h = { .fd = -1 };

    /* before the name is known, and while the other end is connecting */
    for (int turns = 0; turns < 3; turns++) {
        assert_int_equal(xf_connect_new(f->loop, f->names, "127.0.0.1", port,
                                        XF_REACH_ANY, 1000, hear, &h,
                                        &h.connect),
                         0);
        for (int i = 0; i < turns && !h.told; i++)
            xf_loop_dispatch(f->loop);
        if (h.told) {
            close(h.fd);
            break;
        }
        xf_connect_free(h.connect);
        turn_for(f->loop, 30);
        assert_false(h.told);
    }
    xf_connect_free(NULL);
    close(fd);
}

static void an_impossible_host_is_the_callers_mistake(void **state)
{
    static const char *const hosts[] = { "", "a b", "a..b", "a/b" };
    struct fixture *f = *state;
    struct xf_connect *c;

    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        assert_int_equal(xf_connect_new(f->loop, f->names, hosts[i], 80,
                                        XF_REACH_ANY, 100, hear, NULL, &c),
                         XF_E_USAGE);
    assert_int_equal(xf_connect_new(f->loop, f->names, "127.0.0.1", 0,
                                    XF_REACH_ANY, 100, hear, NULL, &c),
                     XF_E_USAGE);
}

/* --- without memory or descriptors --------------------------------------- */

struct gate {
    enum xf_sys_call call;
    int skip, err;
};

static int refuse_one(enum xf_sys_call call, void *ctx)
{
    struct gate *g = ctx;

    if (call != g->call || g->skip-- != 0)
        return 0;
    return g->err;
}

static void without_descriptors_it_is_a_limit(void **state)
{
    struct gate g = { .call = XF_SYS_SOCKET, .err = EMFILE };
    struct heard h;

    xf_sys_set_gate(refuse_one, &g);
    h = reach(*state, "127.0.0.1", 80, XF_REACH_ANY, 1000);
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(h.why.code, XF_E_LIMIT);
    assert_string_equal(h.why.text, "out of descriptors");
}

static void every_allocation_may_fail(void **state)
{
    struct fixture *f = *state;
    uint16_t port = 0;
    int fd = server("127.0.0.1", 50, &port), refused = 0;

    for (int n = 0; n < 12; n++) {
        struct gate g = { .call = XF_SYS_ALLOC, .skip = n, .err = ENOMEM };
        struct heard h = { .fd = -1 };
        int err;

        xf_sys_set_gate(refuse_one, &g);
        err = xf_connect_new(f->loop, f->names, "127.0.0.1", port, XF_REACH_ANY,
                             1000, hear, &h, &h.connect);
        if (err == 0)
            assert_true(turn_until(f->loop, &h.told, 3000));
        xf_sys_set_gate(NULL, NULL);
        if (err != 0 || h.fd < 0) {
            assert_int_equal(err != 0 ? err : h.why.code, XF_E_LIMIT);
            refused++;
        }
        if (h.fd >= 0)
            close(h.fd);
    }
    assert_in_range(refused, 3, 11);
    close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_listening_host_is_reached),
        T(a_refusal_says_so),
        T(a_host_that_answers_nothing_times_out),
        T(an_unreachable_network_has_no_route),
        T(the_other_family_is_tried_at_once_after_a_refusal),
        T(the_other_family_is_tried_250_ms_after_silence),
        T(different_failures_are_told_one_by_one),
        T(a_peer_cannot_send_us_to_loopback),
        T(a_connection_given_up_is_not_told),
        T(an_impossible_host_is_the_callers_mistake),
        T(without_descriptors_it_is_a_limit),
        T(every_allocation_may_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
