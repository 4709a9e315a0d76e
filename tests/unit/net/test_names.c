/* Names and services, asked of a name server made here. */
#include "net/names.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "dns.h"
#include "turn.h"

#define SRV(name) "_xmpp-client._tcp." name

static const struct dns_record table[] = {
    { "both.example", DNS_AAAA, "2001:db8::1", 0, 0, 0 },
    { "both.example", DNS_A, "192.0.2.1", 0, 0, 0 },
    { SRV("two.example"), DNS_SRV, "second.example", 20, 0, 5223 },
    { SRV("two.example"), DNS_SRV, "first.example", 10, 5, 5222 },
    { SRV("two.example"), DNS_SRV, "no-port.example", 30, 0, 0 },
    { SRV("closed.example"), DNS_SRV, "", 0, 0, 0 },
#define FIVE(n)                                                                \
    { SRV("many.example"), DNS_SRV, "h", n, 0, 5222 },                         \
        { SRV("many.example"), DNS_SRV, "h", n, 0, 5222 },                     \
        { SRV("many.example"), DNS_SRV, "h", n, 0, 5222 },                     \
        { SRV("many.example"), DNS_SRV, "h", n, 0, 5222 },                     \
    {                                                                          \
        SRV("many.example"), DNS_SRV, "h", n, 0, 5222                          \
    }
    FIVE(1),
    FIVE(2),
    FIVE(3),
    FIVE(4),
    { NULL, 0, NULL, 0, 0, 0 },
};

struct fixture {
    struct xf_loop *loop;
    struct xf_names *names;
    struct dns server;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){ 0 };
    *state = &f;
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
    return 0;
}

/* --- who asks ------------------------------------------------------------ */

struct heard {
    struct xf_lookup *lookup;
    bool told;
    enum xf_names_result result;
    size_t count;
    struct xf_address addresses[XF_NAMES_ADDRESSES];
    struct xf_srv srv[XF_NAMES_SRV];
};

static void hear_addresses(void *ctx, enum xf_names_result result,
                           const struct xf_address *list, size_t count)
{
    struct heard *h = ctx;

    assert_false(h->told);
    h->told = true;
    h->result = result;
    h->count = count;
    memcpy(h->addresses, list, count * sizeof *list);
    xf_lookup_free(h->lookup);
}

static void hear_srv(void *ctx, enum xf_names_result result,
                     const struct xf_srv *list, size_t count)
{
    struct heard *h = ctx;

    assert_false(h->told);
    h->told = true;
    h->result = result;
    h->count = count;
    memcpy(h->srv, list, count * sizeof *list);
    xf_lookup_free(h->lookup);
}

static struct heard ask(struct fixture *f, const char *host)
{
    struct heard h = { 0 };

    assert_int_equal(
        xf_names_addresses(f->names, host, 80, hear_addresses, &h, &h.lookup),
        0);
    assert_false(h.told);
    assert_true(turn_until(f->loop, &h.told, 5000));
    return h;
}

static struct heard ask_srv(struct fixture *f, const char *service)
{
    struct heard h = { 0 };

    assert_int_equal(xf_names_srv(f->names, service, hear_srv, &h, &h.lookup),
                     0);
    assert_false(h.told);
    assert_true(turn_until(f->loop, &h.told, 20000));
    return h;
}

static void literals_and_localhost_never_reach_dns(void **state)
{
    struct fixture *f = *state;
    struct heard h = ask(f, "192.0.2.7");
    char text[XF_ADDRESS_PORT_TEXT];

    assert_int_equal(h.count, 1);
    xf_address_port_text(&h.addresses[0], text);
    assert_string_equal(text, "192.0.2.7:80");
    assert_int_equal(ask(f, "[::1]").count, 1);
    assert_int_equal(ask(f, "localhost").count, 2);
    assert_int_equal(ask(f, "LocalHost.").count, 2);
    h = ask(f, "a.localhost");
    assert_int_equal(h.count, 2);
    assert_true(xf_address_is_loopback(&h.addresses[0]));
    assert_true(xf_address_is_loopback(&h.addresses[1]));
    assert_int_equal(ask_srv(f, "_xmpp-client._tcp.localhost").result,
                     XF_NAMES_NONE);
    assert_int_equal(f->server.asked, 0);
    assert_int_equal(ask(f, "notlocalhost").result, XF_NAMES_NONE);
    assert_true(f->server.asked > 0);
}

static void both_families_are_found_with_the_port_asked_for(void **state)
{
    struct heard h = ask(*state, "both.example");
    bool four = false, six = false;

    assert_int_equal(h.result, XF_NAMES_FOUND);
    assert_int_equal(h.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(xf_address_port(&h.addresses[i]), 80);
        four = four || h.addresses[i].any.sa_family == AF_INET;
        six = six || h.addresses[i].any.sa_family == AF_INET6;
    }
    assert_true(four && six);
}

static void a_name_that_is_not_is_told_from_no_answer(void **state)
{
    assert_int_equal(ask(*state, "nobody.example").result, XF_NAMES_NONE);
    assert_int_equal(ask(*state, "broken.example").result, XF_NAMES_FAILED);
    assert_int_equal(ask_srv(*state, "_x._tcp.nobody.example").result,
                     XF_NAMES_NONE);
    assert_int_equal(ask_srv(*state, "_x._tcp.broken.example").result,
                     XF_NAMES_FAILED);
}

static void services_come_by_priority_and_without_useless_ones(void **state)
{
    struct heard h = ask_srv(*state, SRV("two.example"));

    assert_int_equal(h.result, XF_NAMES_FOUND);
    assert_int_equal(h.count, 2);
    assert_string_equal(h.srv[0].host, "first.example");
    assert_int_equal(h.srv[0].port, 5222);
    assert_string_equal(h.srv[1].host, "second.example");
    assert_int_equal(h.srv[1].port, 5223);
}

static void the_target_dot_means_not_offered(void **state)
{
    assert_int_equal(ask_srv(*state, SRV("closed.example")).result,
                     XF_NAMES_REFUSED);
}

static void more_records_than_the_ceiling_are_not_looked_at(void **state)
{
    struct heard h = ask_srv(*state, SRV("many.example"));

    assert_int_equal(h.count, XF_NAMES_SRV);
}

static void a_silent_server_is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct heard h = { 0 };
    int64_t start = xf_sys_now_ms();

    assert_int_equal(xf_names_srv(f->names, "_x._tcp.silent.example", hear_srv,
                                  &h, &h.lookup),
                     0);
    while (f->server.asked < 2 && xf_sys_now_ms() - start < 10000)
        turn(f->loop, 1000);
    assert_int_equal(f->server.asked, 2);
    assert_in_range(xf_sys_now_ms() - start, 1500, 5000);
    assert_false(h.told);
    xf_lookup_free(h.lookup);
}

static void servers_that_were_set_stay(void **state)
{
    struct fixture *f = *state;

    xf_names_refresh(f->names);
    assert_int_equal(ask(f, "both.example").result, XF_NAMES_FOUND);
    assert_true(f->server.asked > 0);
}

/* The system's own are read anew, and nothing else changes. */
static void the_systems_servers_are_read_anew(void **state)
{
    struct fixture *f = *state, own = { .loop = f->loop };

    assert_int_equal(xf_names_new(f->loop, &own.names), 0);
    xf_names_refresh(own.names);
    xf_names_refresh(own.names);
    assert_int_equal(ask(&own, "localhost").count, 2);
    xf_names_free(own.names);
}

static void a_question_taken_back_is_never_answered(void **state)
{
    struct fixture *f = *state;
    struct heard h[4] = { 0 };

    assert_int_equal(xf_names_addresses(f->names, "both.example", 80,
                                        hear_addresses, &h[0], &h[0].lookup),
                     0);
    assert_int_equal(xf_names_addresses(f->names, "127.0.0.1", 80,
                                        hear_addresses, &h[1], &h[1].lookup),
                     0);
    assert_int_equal(xf_names_srv(f->names, "_x._tcp.silent.example", hear_srv,
                                  &h[2], &h[2].lookup),
                     0);
    for (size_t i = 0; i < 3; i++)
        xf_lookup_free(h[i].lookup);
    xf_lookup_free(NULL);
    turn_for(f->loop, 100);
    for (size_t i = 0; i < 3; i++)
        assert_false(h[i].told);
}

/* --- the order of RFC 2782 ----------------------------------------------- */

static struct xf_srv record(uint16_t priority, uint16_t weight, uint16_t id)
{
    return (struct xf_srv){
        .host = "h", .port = id, .priority = priority, .weight = weight
    };
}

static void lots_choose_within_a_priority_by_weight(void **state)
{
    unsigned first[4] = { 0 };

    (void)state;
    for (uint32_t lot = 0; lot <= 100; lot++) {
        struct xf_srv list[] = { record(5, 10, 1), record(1, 90, 2),
                                 record(1, 0, 3), record(1, 10, 0) };
        const uint32_t lots[] = { lot, lot, lot, lot };
        unsigned seen = 0;

        xf_srv_order(list, 4, lots);
        first[list[0].port]++;
        assert_int_equal(list[3].port, 1);
        for (size_t i = 0; i < 4; i++)
            seen |= 1u << list[i].port;
        assert_int_equal(seen, 15);
    }
    assert_int_equal(first[3], 1);  /* of weight 0: by the lot 0 alone */
    assert_int_equal(first[2], 90); /* in proportion to the weights */
    assert_int_equal(first[0], 10);
    assert_int_equal(first[1], 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(literals_and_localhost_never_reach_dns),
        T(both_families_are_found_with_the_port_asked_for),
        T(a_name_that_is_not_is_told_from_no_answer),
        T(services_come_by_priority_and_without_useless_ones),
        T(the_target_dot_means_not_offered),
        T(more_records_than_the_ceiling_are_not_looked_at),
        T(a_silent_server_is_asked_again),
        T(a_question_taken_back_is_never_answered),
        T(servers_that_were_set_stay),
        T(the_systems_servers_are_read_anew),
        cmocka_unit_test(lots_choose_within_a_priority_by_weight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
