/* A server's rate from times, and block, window and forecast from the rate. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/ibb.h"
#include "proto/pace.h"

#define ENVELOPE 250

static uint32_t rate_of(uint64_t bytes, int64_t ms, uint64_t bytes_2,
                        int64_t ms_2, int64_t rtt)
{
    struct xf_pace_time first = { bytes, ms }, second = { bytes_2, ms_2 };

    return xf_pace_is_late(&first, rtt) ? xf_pace_rate(&first, &second, rtt)
                                        : 0;
}

static void is_near(uint32_t rate, uint32_t right)
{
    assert_in_range(rate, right - right / 10, right + right / 10);
}

static void what_is_answered_in_time_shows_no_limit(void **state)
{
    (void)state;
    assert_int_equal(rate_of(21500, 0, 0, 0, 0), 0);
    assert_int_equal(rate_of(21500, 250, 0, 0, 0), 0);
    /* A far server: twice there and back, and no more. */
    assert_int_equal(rate_of(21500, 1250, 0, 0, 600), 0);
}

/* Prosody as shipped, 10 kB/s without a burst. */
static void a_rate_without_a_burst_is_found(void **state)
{
    (void)state;
    is_near(rate_of(21500, 2170, 6450, 660, 1), 10000);
    /* ... 100 ms away: while it rests, the ping is on its way. */
    is_near(rate_of(21500, 2270, 6450, 745, 100), 10000);
}

/* ejabberd as shipped: 20,000 bytes pass, then 3000 a second. */
static void a_rate_behind_a_burst_is_found(void **state)
{
    (void)state;
    is_near(rate_of(21500, 500, 6450, 2150, 1), 3000);
}

static void a_slow_line_is_found(void **state)
{
    (void)state;
    is_near(rate_of(21500, 717, 6450, 217, 2), 30000);
}

/* The server was busy for a moment, or we were. */
static void a_hiccup_is_no_limit(void **state)
{
    (void)state;
    assert_int_equal(rate_of(21500, 400, 6450, 2, 1), 0);
    assert_int_equal(rate_of(21500, 4000, 6450, 3, 1), 0);
}

static void no_time_at_all_is_no_division(void **state)
{
    struct xf_pace_time none = { 1000, 0 }, slow = { 1, INT32_MAX };

    (void)state;
    assert_int_equal(xf_pace_bound(&none, 0), UINT32_MAX);
    assert_int_equal(xf_pace_bound(&none, 50), UINT32_MAX);
    assert_int_equal(xf_pace_bound(&slow, 0), 1);
}

static void a_stanza_is_base64_and_what_is_around_it(void **state)
{
    (void)state;
    assert_int_equal(xf_pace_stanza(3, 0), 4);
    assert_int_equal(xf_pace_stanza(4, 10), 18);
    assert_int_equal(xf_pace_stanza(65535, 0), 87380);
}

static void without_a_limit_nothing_is_smaller(void **state)
{
    (void)state;
    assert_int_equal(xf_pace_block(0, 65535, ENVELOPE), 65535);
    assert_int_equal(xf_pace_window(0, 16, 65535, ENVELOPE), 16);
    assert_int_equal(xf_pace_payload(0, 65535, ENVELOPE), 0);
}

static void a_stanza_passes_in_two_seconds_at_any_rate(void **state)
{
    (void)state;
    for (uint32_t rate = 1; rate < 300000; rate += 97) {
        uint32_t block = xf_pace_block(rate, 65535, ENVELOPE);
        uint32_t window = xf_pace_window(rate, 16, block, ENVELOPE);
        uint64_t stanza = xf_pace_stanza(block, ENVELOPE);

        assert_in_range(block, XF_IBB_BLOCK_MIN, 65535);
        assert_in_range(window, 1, 16);
        if (block > XF_IBB_BLOCK_MIN)
            assert_true(stanza <= 2 * (uint64_t)rate);
        if (window > 1)
            assert_true(window * stanza <= 4 * (uint64_t)rate);
        /* Nor smaller than need be. */
        if (block < 32768)
            assert_true(xf_pace_stanza(block * 2, ENVELOPE) >
                        2 * (uint64_t)rate);
    }
}

static void shipped_servers_get_the_blocks_they_pass_in_time(void **state)
{
    (void)state;
    assert_int_equal(xf_pace_block(10000, 65535, ENVELOPE), 8192);
    assert_int_equal(xf_pace_window(10000, 16, 8192, ENVELOPE), 3);
    assert_int_equal(xf_pace_block(3000, 65535, ENVELOPE), 4096);
    assert_int_equal(xf_pace_window(3000, 16, 4096, ENVELOPE), 2);
    is_near(xf_pace_payload(10000, 8192, ENVELOPE), 7300);
}

static void a_block_is_never_made_larger(void **state)
{
    (void)state;
    for (uint32_t block = 1; block <= 65535; block += 13)
        for (uint32_t rate = 1; rate < 1000000; rate *= 7)
            assert_true(xf_pace_block(rate, block, ENVELOPE) <= block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_answered_in_time_shows_no_limit),
        cmocka_unit_test(a_rate_without_a_burst_is_found),
        cmocka_unit_test(a_rate_behind_a_burst_is_found),
        cmocka_unit_test(a_slow_line_is_found),
        cmocka_unit_test(a_hiccup_is_no_limit),
        cmocka_unit_test(no_time_at_all_is_no_division),
        cmocka_unit_test(a_stanza_is_base64_and_what_is_around_it),
        cmocka_unit_test(without_a_limit_nothing_is_smaller),
        cmocka_unit_test(a_stanza_passes_in_two_seconds_at_any_rate),
        cmocka_unit_test(shipped_servers_get_the_blocks_they_pass_in_time),
        cmocka_unit_test(a_block_is_never_made_larger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
