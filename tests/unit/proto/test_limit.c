/* A rate is held over any two seconds, by whoever asks for turns of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proto/limit.h"

#define WINDOW 2000 /* ms */
#define LONG 20000  /* ms that are looked at */

static uint64_t moved[LONG]; /* bytes, by the millisecond */
static uint32_t seed;

static uint32_t any(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* The least and the most that moved in any two seconds. */
static void windows(uint64_t *least, uint64_t *most)
{
    uint64_t sum = 0;

    *least = UINT64_MAX;
    *most = 0;
    for (int ms = 0; ms < LONG; ms++) {
        sum += moved[ms];
        if (ms >= WINDOW)
            sum -= moved[ms - WINDOW];
        if (sum > *most)
            *most = sum;
        if (ms >= WINDOW - 1 && sum < *least)
            *least = sum;
    }
}

static void holds(uint64_t rate)
{
    uint64_t least, most, right = rate * WINDOW / 1000;

    windows(&least, &most);
    assert_in_range(least, right - right / 20, right);
    assert_in_range(most, right, right + right / 20);
}

/* Some that always have more, woken when it is due or up to `late` after. */
static void play(uint64_t rate, size_t waiting, uint64_t whole, uint32_t late)
{
    struct xf_limit limit;
    int64_t begin = 12345, now;

    memset(moved, 0, sizeof moved);
    xf_limit_init(&limit, rate, begin);
    for (now = begin; now < begin + LONG;) {
        uint64_t share = xf_limit_share(&limit, now, waiting, whole);

        if (share == 0) {
            int64_t due = xf_limit_due(&limit, whole);

            assert_true(due > now);
            now = due + (late ? any(late + 1) : 0);
            continue;
        }
        share = whole ? whole : share;
        moved[now - begin] += share;
        xf_limit_spend(&limit, share);
    }
}

static void any_two_seconds_hold_the_rate(void **state)
{
    static const uint64_t rates[] = {
        1000, 10240, 99999, 512000, 1 << 20, 20 << 20, 300000000, 5000000000
    };

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        play(rates[i], 1, 0, 0);
        holds(rates[i]);
        play(rates[i], 1000, 0, 0);
        holds(rates[i]);
    }
}

static void a_loop_that_is_late_holds_it_too(void **state)
{
    (void)state;
    play(1 << 20, 1, 0, XF_LIMIT_BURST_MS / 2);
    holds(1 << 20);
    play(20 << 20, 7, 0, XF_LIMIT_BURST_MS / 2);
    holds(20 << 20);
}

static void blocks_that_fit_the_burst_hold_it(void **state)
{
    struct xf_limit limit;

    (void)state;
    xf_limit_init(&limit, 200000, 0);
    play(200000, 1, xf_limit_burst(&limit), 0);
    holds(200000);
    play(200000, 5, 4096, 0);
    holds(200000);
}

/* It cannot be divided, so it goes in debt: then others wait the longer. */
static void a_block_beyond_the_burst_goes_and_is_made_good(void **state)
{
    uint64_t all = 0;

    (void)state;
    play(1000, 1, 4096, 0);
    for (int ms = 0; ms < LONG; ms++)
        all += moved[ms];
    assert_in_range(all, 4 * 4096, 5 * 4096); /* of 20000 bytes */
}

static void what_was_not_used_is_not_kept(void **state)
{
    struct xf_limit limit;

    (void)state;
    xf_limit_init(&limit, 1000000, 0);
    assert_int_equal(xf_limit_share(&limit, 3600000, 1, 0),
                     1000000 * XF_LIMIT_BURST_MS / 1000);
}

static void a_debt_is_waited_for(void **state)
{
    struct xf_limit limit;

    (void)state;
    xf_limit_init(&limit, 1000, 0);
    xf_limit_spend(&limit, 5000);
    assert_int_equal(xf_limit_share(&limit, 5000, 1, 0), 0);
    assert_in_range(xf_limit_due(&limit, 0), 5001, 5064);
    assert_true(xf_limit_share(&limit, 5064, 1, 0) > 0);
}

static void many_share_alike_and_none_gets_crumbs(void **state)
{
    struct xf_limit limit;

    (void)state;
    xf_limit_init(&limit, 1 << 20, 0);
    assert_int_equal(xf_limit_share(&limit, 1000, 4, 0),
                     (1 << 20) / 1000.0 * XF_LIMIT_BURST_MS / 4);
    assert_int_equal(xf_limit_share(&limit, 1000, 1000, 0), XF_LIMIT_PIECE);
}

static void without_a_rate_nothing_is_held(void **state)
{
    struct xf_limit limit;

    (void)state;
    xf_limit_init(&limit, 0, 7);
    xf_limit_spend(&limit, UINT64_MAX);
    assert_true(xf_limit_share(&limit, 7, 1, 65535) == UINT64_MAX);
    assert_int_equal(xf_limit_burst(&limit), 0);
}

/* The first moment, a clock that goes back, and numbers beyond any wire. */
static void edges_are_safe(void **state)
{
    struct xf_limit limit;

    (void)state;
    xf_limit_init(&limit, UINT64_MAX, 1000);
    assert_int_equal(limit.rate, XF_LIMIT_RATE_MAX);
    assert_int_equal(xf_limit_share(&limit, 1000, 1, 0), 0);
    assert_int_equal(xf_limit_share(&limit, 999, 1, 0), 0);
    assert_true(xf_limit_share(&limit, INT64_MAX, 1, 0) > 0);
    xf_limit_init(&limit, 1, 0);
    assert_int_equal(xf_limit_share(&limit, 999, 1, 0), 0);
    assert_int_equal(xf_limit_due(&limit, 0), 1000);
    assert_int_equal(xf_limit_share(&limit, 1000, 1, 0), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_two_seconds_hold_the_rate),
        cmocka_unit_test(a_loop_that_is_late_holds_it_too),
        cmocka_unit_test(blocks_that_fit_the_burst_hold_it),
        cmocka_unit_test(a_block_beyond_the_burst_goes_and_is_made_good),
        cmocka_unit_test(what_was_not_used_is_not_kept),
        cmocka_unit_test(a_debt_is_waited_for),
        cmocka_unit_test(many_share_alike_and_none_gets_crumbs),
        cmocka_unit_test(without_a_rate_nothing_is_held),
        cmocka_unit_test(edges_are_safe),
    };

    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
