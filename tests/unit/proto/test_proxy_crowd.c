/* Who may connect to a proxy, and how many of one address. */
#include "proto/proxy_crowd.h"

#include "table.h"

static const uint64_t secret[2] = { 5, 6 };

static void v4(uint8_t out[16], uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    const uint8_t bytes[16] = { 0, 0, 0,    0,    0, 0, 0, 0,
                                0, 0, 0xff, 0xff, a, b, c, d };

    memcpy(out, bytes, 16);
}

/* 2001:db8:0:`net`::`host` */
static void v6(uint8_t out[16], uint8_t net, uint8_t host)
{
    const uint8_t bytes[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, net,
                                0,    0,    0,    0,    0, 0, 0, host };

    memcpy(out, bytes, 16);
}

static void a_network_is_its_first_bits(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits <= 128; bits++) {
        struct xf_network n = { .bits = bits };

        memset(n.address, 0xa5, 16);
        for (unsigned flip = 0; flip < 128; flip++) {
            uint8_t address[16];

            memset(address, 0xa5, 16);
            assert_true(xf_network_has(&n, address));
            address[flip / 8] ^= (uint8_t)(0x80u >> flip % 8);
            assert_int_equal(xf_network_has(&n, address), flip >= bits);
        }
    }
}

static enum xf_crowd_verdict enter(struct xf_crowd *c,
                                   const uint8_t address[16],
                                   struct xf_caller **out)
{
    static const struct xf_crowd_limits limits = { .half_open_each = 2,
                                                   .half_open_total = 4,
                                                   .connections_each = 3 };

    return xf_crowd_enter(c, address, &limits, out);
}

static void limits_are_of_each_and_of_all(void **state)
{
    struct xf_caller *a[4], *b[3], *none;
    struct xf_crowd c;
    uint8_t one[16], two[16], three[16];

    (void)state;
    xf_crowd_init(&c, secret);
    v4(one, 192, 0, 2, 1);
    v4(two, 192, 0, 2, 2);
    v4(three, 192, 0, 2, 3);
    assert_int_equal(enter(&c, one, &a[0]), XF_CROWD_IN);
    assert_int_equal(enter(&c, one, &a[1]), XF_CROWD_IN);
    assert_ptr_equal(a[0], a[1]);
    assert_int_equal(enter(&c, one, &none), XF_CROWD_EACH);
    assert_null(none);
    assert_int_equal(enter(&c, two, &b[0]), XF_CROWD_IN);
    assert_int_equal(enter(&c, two, &b[1]), XF_CROWD_IN);
    assert_int_equal(enter(&c, three, &none), XF_CROWD_TOTAL);
    /* Behind the handshake it is one of the address still. */
    xf_crowd_shaken(&c, a[0]);
    xf_crowd_shaken(&c, a[1]);
    assert_int_equal(c.half_open, 2);
    assert_int_equal(enter(&c, one, &a[2]), XF_CROWD_IN);
    assert_int_equal(enter(&c, one, &none), XF_CROWD_EACH);
    xf_crowd_leave(&c, a[2], true);
    assert_int_equal(enter(&c, one, &a[2]), XF_CROWD_IN);
    xf_crowd_leave(&c, a[0], false);
    xf_crowd_leave(&c, a[1], false);
    xf_crowd_leave(&c, a[2], true);
    xf_crowd_leave(&c, b[0], true);
    xf_crowd_leave(&c, b[1], true);
    assert_int_equal(c.half_open, 0);
    assert_int_equal(c.callers.count, 0);
    xf_crowd_clear(&c);
}

static void a_network_of_64_bits_is_one_address(void **state)
{
    struct xf_caller *a[3];
    struct xf_crowd c;
    uint8_t one[16], same[16], other[16];

    (void)state;
    xf_crowd_init(&c, secret);
    v6(one, 1, 1);
    v6(same, 1, 2);
    v6(other, 2, 1);
    assert_int_equal(enter(&c, one, &a[0]), XF_CROWD_IN);
    assert_int_equal(enter(&c, same, &a[1]), XF_CROWD_IN);
    assert_ptr_equal(a[0], a[1]);
    assert_int_equal(enter(&c, other, &a[2]), XF_CROWD_IN);
    assert_ptr_not_equal(a[0], a[2]);
    for (int i = 0; i < 3; i++)
        xf_crowd_leave(&c, a[i], true);
    xf_crowd_clear(&c);
}

static void zero_is_no_limit(void **state)
{
    static const struct xf_crowd_limits none = { 0 };
    struct xf_caller *a = NULL;
    struct xf_crowd c;
    uint8_t one[16];

    (void)state;
    xf_crowd_init(&c, secret);
    v4(one, 192, 0, 2, 1);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(xf_crowd_enter(&c, one, &none, &a), XF_CROWD_IN);
    for (int i = 0; i < 10000; i++)
        xf_crowd_leave(&c, a,
                       i % 2 == 0 ? true : (xf_crowd_shaken(&c, a), false));
    assert_int_equal(c.half_open, 0);
    xf_crowd_clear(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_network_is_its_first_bits),
        cmocka_unit_test(limits_are_of_each_and_of_all),
        cmocka_unit_test(a_network_of_64_bits_is_one_address),
        cmocka_unit_test(zero_is_no_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
