/* Addresses are read, written and judged. */
#include "net/address.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static struct xf_address literal(const char *text)
{
    struct xf_address a;

    assert_true(xf_address_read(text, 80, &a));
    return a;
}

static const char *refused(const char *text, enum xf_reach reach)
{
    struct xf_address a = literal(text);

    return xf_address_refused(&a, reach);
}

static void literals_are_read_and_host_names_are_not(void **state)
{
    static const char *const names[] = { "",     "localhost", "1.2.3",
                                         "[::1", "1.2.3.4.5", "fe80::1%lo",
                                         "[]",   "::g",       "1.2.3.4:80" };
    char text[XF_ADDRESS_PORT_TEXT];
    struct xf_address a = literal("[2001:DB8::1]");

    (void)state;
    xf_address_port_text(&a, text);
    assert_string_equal(text, "[2001:db8::1]:80");
    xf_address_text(&a, text);
    assert_string_equal(text, "2001:db8::1");
    a = literal("192.0.2.1");
    xf_address_port_text(&a, text);
    assert_string_equal(text, "192.0.2.1:80");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(xf_address_read(names[i], 80, &a));
}

static void a_peer_may_name_hosts_out_there_only(void **state)
{
    static const char *const never[] = {
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "169.254.169.254",
        "::",
        "ff02::1",
        "::ffff:224.0.0.1",
        "::ffff:0.0.0.0",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "169.254.1.1",
        "fe80::1",
        "64:ff9b::7f00:1", /* translated to 127.0.0.1 */
        "64:ff9b::a9fe:a9fe",
    };
    static const char *const always[] = {
        "192.0.2.1", "10.0.0.1",        "2001:db8::1",
        "fd00::1",   "223.255.255.255", "64:ff9b::c000:201",
    };

    (void)state;
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
        assert_non_null(refused(never[i], XF_REACH_PEER));
        assert_non_null(refused(never[i], XF_REACH_PEER_LOCAL));
        assert_non_null(refused(never[i], XF_REACH_LOOPBACK));
        assert_null(refused(never[i], XF_REACH_ANY));
    }
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        assert_null(refused(always[i], XF_REACH_PEER));
        assert_null(refused(always[i], XF_REACH_PEER_LOCAL));
        assert_non_null(refused(always[i], XF_REACH_LOOPBACK));
    }
}

static void loopback_has_many_spellings(void **state)
{
    static const char *const all[] = { "127.0.0.1", "127.255.0.3", "::1",
                                       "::ffff:127.0.0.1", "::127.0.0.1" };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_non_null(refused(all[i], XF_REACH_PEER));
        assert_null(refused(all[i], XF_REACH_PEER_LOCAL));
        assert_null(refused(all[i], XF_REACH_LOOPBACK));
    }
}

static void a_host_and_its_port_are_told_apart(void **state)
{
    static const struct {
        const char *text, *host;
        uint16_t port;
    } good[] = {
        { "example.net", "example.net", 5222 },
        { "example.net:1", "example.net", 1 },
        { "127.0.0.1:65535", "127.0.0.1", 65535 },
        { "::1", "::1", 5222 },
        { "[::1]", "::1", 5222 },
        { "[::1]:80", "::1", 80 },
    };
    static const char *const bad[] = { "",        ":80",    "a:",     "a:0",
                                       "a:65536", "a:-1",   "a: 80",  "[::1",
                                       "[::1]80", "[a]:80", "a:b:c",  "[]:1",
                                       "::1]",    "a:80x",  "[[::1]]" };
    char host[XF_HOST_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint16_t port = 5222;

        assert_int_equal(xf_address_split(good[i].text, host, &port), 0);
        assert_string_equal(host, good[i].host);
        assert_int_equal(port, good[i].port);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint16_t port = 5222;

        assert_int_equal(xf_address_split(bad[i], host, &port), XF_E_USAGE);
    }
}

static void our_own_addresses_hold_loopback_only_when_asked(void **state)
{
    struct xf_address list[64];
    bool found = false;
    int count = xf_address_own(list, 64, false);

    (void)state;
    assert_true(count >= 0);
    for (int i = 0; i < count; i++) {
        assert_false(xf_address_is_loopback(&list[i]));
        assert_int_equal(xf_address_port(&list[i]), 0);
        if (list[i].any.sa_family == AF_INET6)
            assert_false(IN6_IS_ADDR_LINKLOCAL(&list[i].v6.sin6_addr));
    }
    count = xf_address_own(list, 64, true);
    for (int i = 0; i < count; i++)
        found = found || xf_address_is_loopback(&list[i]);
    assert_true(found);
    assert_int_equal(xf_address_own(list, 1, true), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals_are_read_and_host_names_are_not),
        cmocka_unit_test(a_peer_may_name_hosts_out_there_only),
        cmocka_unit_test(loopback_has_many_spellings),
        cmocka_unit_test(a_host_and_its_port_are_told_apart),
        cmocka_unit_test(our_own_addresses_hold_loopback_only_when_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
