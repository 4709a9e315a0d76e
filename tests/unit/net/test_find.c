/* From a domain to a server, by a name server and hosts made here. */
#include "net/find.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "dns.h"
#include "turn.h"

#define SRV(name) "_xmpp-client._tcp." name
#define SRVS(name) "_xmpps-client._tcp." name

/* The ports are filled in when the hosts are there. */
static struct dns_record table[] = {
    { SRVS("mixed.example"), DNS_SRV, "localhost", 10, 0, 0 },
    { SRV("mixed.example"), DNS_SRV, "localhost", 20, 0, 0 },
    { SRVS("mixed.example"), DNS_SRV, "localhost", 30, 0, 0 },
    { SRV("dead.example"), DNS_SRV, "nobody.example", 1, 0, 5222 },
    { SRV("dead.example"), DNS_SRV, "localhost", 2, 0, 0 },
    { SRV("no.example"), DNS_SRV, "", 0, 0, 0 },
    { SRV("only.example"), DNS_SRV, "localhost", 0, 0, 0 },
    { SRVS("only.example"), DNS_SRV, "", 0, 0, 0 },
    { SRV("abroad.example"), DNS_SRV, "192.0.2.1", 0, 0, 5222 },
    { "bare.example", DNS_A, "127.0.0.78", 0, 0, 0 },
    { "half.example", DNS_A, "127.0.0.1", 0, 0, 0 },
    { "half.example", DNS_A, "192.0.2.1", 0, 0, 0 },
    { NULL, 0, NULL, 0, 0, 0 },
};

struct fixture {
    struct xf_loop *loop;
    struct xf_names *names;
    struct dns server;
    int open, shut; /* a socket that listens, and one that does not */
    uint16_t open_port, shut_port;
};

static int host(int backlog, uint16_t *port)
{
    struct xf_address a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (!xf_address_read("127.0.0.1", 0, &a) || bind(fd, &a.any, a.len) != 0 ||
        !xf_address_local(fd, &a) || (backlog > 0 && listen(fd, backlog) != 0))
        return -1;
    *port = xf_address_port(&a);
    return fd;
}

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ 0 };
    *state = &f;
    f.open = host(50, &f.open_port);
    f.shut = host(0, &f.shut_port);
    table[0].port = f.shut_port;
    table[1].port = f.open_port;
    table[2].port = f.open_port;
    table[4].port = f.shut_port;
    table[6].port = f.open_port;
    if (xf_loop_new(&f.loop) != 0 || xf_names_new(f.loop, &f.names) != 0)
        return -1;
    return dns_open(&f.server, f.loop, f.names, table);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    dns_close(&f->server);
    xf_names_free(f->names);
    xf_loop_free(f->loop);
    close(f->open);
    close(f->shut);
    return 0;
}

struct heard {
    struct xf_find *find;
    bool told;
    int fd;
    bool direct;
    struct xf_error_info why;
};

static void hear(void *ctx, int fd, bool direct,
                 const struct xf_error_info *why)
{
    struct heard *h = ctx;

    assert_false(h->told);
    h->told = true;
    h->fd = fd;
    h->direct = direct;
    if (why)
        h->why = *why;
    if (fd >= 0)
        close(fd);
}

static void find(struct fixture *f, struct heard *h, const char *domain,
                 const char *server, bool plain)
{
    struct xf_find_config config = { domain, server, plain };

    *h = (struct heard){ .fd = -1 };
    assert_int_equal(xf_find_new(f->loop, f->names, &config, hear, h, &h->find),
                     0);
    assert_false(h->told);
    assert_true(turn_until(f->loop, &h->told, 8000));
}

/* Why there is none. */
static const char *missing(struct fixture *f, const char *domain,
                           const char *server, bool plain)
{
    static struct heard h;

    find(f, &h, domain, server, plain);
    assert_int_equal(h.fd, -1);
    xf_find_free(h.find);
    return h.why.text;
}

static void both_services_are_mixed_by_priority(void **state)
{
    struct fixture *f = *state;
    const struct xf_error_info why = { XF_E_TLS, "a bad certificate" };
    struct heard h;

    find(f, &h, "mixed.example", NULL, false);
    assert_true(h.fd >= 0); /* after the first, direct one has refused */
    assert_false(h.direct);
    h.told = false;
    xf_find_another(h.find, &why);
    assert_false(h.told);
    assert_true(turn_until(f->loop, &h.told, 2000));
    assert_true(h.fd >= 0);
    assert_true(h.direct);
    assert_in_range(xf_find_deadline(h.find) - xf_loop_now(f->loop), 5000,
                    XF_FIND_EACH_MS);
    h.told = false;
    xf_find_another(h.find, &why);
    assert_true(turn_until(f->loop, &h.told, 2000));
    assert_int_equal(h.fd, -1);
    assert_int_equal(h.why.code, XF_E_TLS);
    assert_string_equal(h.why.text, "a bad certificate");
    xf_find_free(h.find);
}

static void without_tls_direct_tls_is_not_looked_for(void **state)
{
    struct fixture *f = *state;
    struct heard h;

    find(f, &h, "mixed.example", NULL, true);
    assert_true(h.fd >= 0);
    assert_false(h.direct);
    assert_int_equal(f->server.asked, 1);
    xf_find_free(h.find);
}

static void one_service_may_be_closed_and_the_other_open(void **state)
{
    struct heard h;

    find(*state, &h, "only.example", NULL, false);
    assert_true(h.fd >= 0);
    assert_false(h.direct);
    xf_find_free(h.find);
}

static void failures_are_told_host_by_host(void **state)
{
    struct fixture *f = *state;
    char text[200];

    (void)snprintf(text, sizeof text,
                   "cannot reach dead.example: nobody.example:5222 no such "
                   "host, localhost:%u refused",
                   f->shut_port);
    assert_string_equal(missing(f, "dead.example", NULL, false), text);
    assert_string_equal(missing(f, "nobody.example", NULL, false),
                        "cannot reach nobody.example: no such host");
    assert_string_equal(missing(f, "broken.example", NULL, false),
                        "cannot reach broken.example: no answer from DNS");
    assert_string_equal(missing(f, "no.example", NULL, false),
                        "cannot reach no.example: it offers no XMPP to "
                        "clients");
    assert_string_equal(missing(f, "bare.example", NULL, false),
                        "cannot reach bare.example: refused");
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", f->shut_port);
    assert_non_null(
        strstr(missing(f, "example.net", text, false), ": refused"));
}

static void a_given_server_is_taken_without_looking(void **state)
{
    struct fixture *f = *state;
    char text[32];
    struct heard h;

    (void)snprintf(text, sizeof text, "127.0.0.1:%u", f->open_port);
    find(f, &h, "mixed.example", text, false);
    assert_true(h.fd >= 0);
    assert_false(h.direct);
    assert_int_equal(f->server.asked, 0);
    xf_find_free(h.find);
}

static int connects;

static int count_connects(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    connects += call == XF_SYS_CONNECT;
    return 0;
}

static void in_clear_nothing_goes_beyond_loopback(void **state)
{
    static const char *const servers[] = { "192.0.2.1:5222", "192.0.2.1",
                                           "[2001:db8::1]:5223", NULL };

    connects = 0;
    xf_sys_set_gate(count_connects, NULL);
    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        struct heard h;

        find(*state, &h, "abroad.example", servers[i], true);
        assert_int_equal(h.fd, -1);
        assert_int_equal(h.why.code, XF_E_USAGE);
        assert_non_null(strstr(h.why.text, "loopback"));
        xf_find_free(h.find);
    }
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(connects, 0);
}

static void nor_where_a_name_may_mean_either(void **state)
{
    struct heard h;

    connects = 0;
    xf_sys_set_gate(count_connects, NULL);
    find(*state, &h, "half.example", NULL, true);
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(h.why.code, XF_E_USAGE);
    assert_int_equal(connects, 0);
    xf_find_free(h.find);
}

static void it_can_be_given_up_at_any_turn(void **state)
{
    struct fixture *f = *state;
    const struct xf_find_config config = { "dead.example", NULL, false };

    for (int turns = 0; turns < 12; turns++) {
        struct heard h = { .fd = -1 };

        assert_int_equal(
            xf_find_new(f->loop, f->names, &config, hear, &h, &h.find), 0);
        for (int i = 0; i < turns && !h.told; i++)
            turn(f->loop, 10);
        xf_find_free(h.find);
        h.told = false;
        turn_for(f->loop, 5);
        assert_false(h.told);
    }
    xf_find_free(NULL);
}

static void what_cannot_be_read_is_the_callers_mistake(void **state)
{
    static const char *const servers[] = { "", ":5222", "a:b", "a b",
                                           "host:99999" };
    struct fixture *f = *state;
    struct xf_find *find;

    for (size_t i = 0; i < sizeof servers / sizeof servers[0]; i++) {
        const struct xf_find_config config = { "example.net", servers[i],
                                               false };

        assert_int_equal(
            xf_find_new(f->loop, f->names, &config, hear, NULL, &find),
            XF_E_USAGE);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(both_services_are_mixed_by_priority),
        T(without_tls_direct_tls_is_not_looked_for),
        T(one_service_may_be_closed_and_the_other_open),
        T(failures_are_told_host_by_host),
        T(a_given_server_is_taken_without_looking),
        T(in_clear_nothing_goes_beyond_loopback),
        T(nor_where_a_name_may_mean_either),
        T(it_can_be_given_up_at_any_turn),
        T(what_cannot_be_read_is_the_callers_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
