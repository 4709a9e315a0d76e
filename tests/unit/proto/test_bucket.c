/* So many bytes a second, and no more than a moment's worth at once. */
#include "proto/bucket.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>

#include <cmocka.h>

static void without_a_rate_all_may_go(void **state)
{
    struct xf_bucket b = { 0 };

    (void)state;
    xf_bucket_set(&b, 0, 5);
    assert_true(xf_bucket_has(&b, 5) == UINT64_MAX);
    xf_bucket_take(&b, UINT64_MAX);
    assert_true(xf_bucket_has(&b, 6) == UINT64_MAX);
    assert_int_equal(xf_bucket_wait(&b), 0);
}

/* Looked at every `step` ms for ten seconds, taking all there is. */
static uint64_t taken(uint64_t rate, int64_t step)
{
    struct xf_bucket b = { 0 };
    uint64_t sum = 0;

    xf_bucket_set(&b, rate, 1000);
    for (int64_t now = 1000 + step; now <= 11000; now += step) {
        uint64_t has = xf_bucket_has(&b, now);

        xf_bucket_take(&b, has);
        sum += has;
    }
    return sum;
}

static void what_goes_is_the_rate_however_often_it_is_asked(void **state)
{
    static const uint64_t rates[] = { 1, 7, 999, 1000000,
                                      UINT64_C(12500000000) };
    static const int64_t steps[] = { 1, 10, 100 };

    (void)state;
    for (size_t r = 0; r < sizeof rates / sizeof rates[0]; r++) {
        for (size_t s = 0; s < 3; s++) {
            uint64_t sum = taken(rates[r], steps[s]);
            struct xf_bucket b = { .rate = rates[r] };

            assert_true(sum >= rates[r] * 10 - 1);
            assert_true(sum <= rates[r] * 10 + xf_bucket_worth(&b));
        }
    }
}

static void a_pause_is_not_made_up_for(void **state)
{
    struct xf_bucket b = { 0 };

    (void)state;
    xf_bucket_set(&b, 1000000, 0);
    assert_int_equal(xf_bucket_has(&b, 3600000), 120000);
    /* Nor is a clock believed that goes back. */
    assert_int_equal(xf_bucket_has(&b, 0), 120000);
}

static void the_wait_is_as_long_as_it_takes(void **state)
{
    static const uint64_t rates[] = { 1, 30, 1000, 5000000,
                                      XF_BUCKET_RATE_MAX };

    (void)state;
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        struct xf_bucket b = { 0 };
        int64_t wait;

        xf_bucket_set(&b, rates[i], 0);
        assert_int_equal(xf_bucket_wait(&b), 0);
        xf_bucket_take(&b, xf_bucket_has(&b, 0));
        wait = xf_bucket_wait(&b);
        assert_true(wait > 0);
        assert_true(xf_bucket_has(&b, wait) >= xf_bucket_worth(&b));
        assert_int_equal(xf_bucket_wait(&b), 0);
    }
}

static void another_rate_keeps_what_fits(void **state)
{
    struct xf_bucket b = { 0 };

    (void)state;
    xf_bucket_set(&b, 1000000, 0);
    (void)xf_bucket_has(&b, 1000);
    xf_bucket_set(&b, 1000, 1000);
    assert_int_equal(xf_bucket_has(&b, 1000), 120);
    xf_bucket_set(&b, UINT64_MAX, 1000);
    assert_true(b.rate == XF_BUCKET_RATE_MAX);
    assert_int_equal(xf_bucket_has(&b, 1000), 120);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_all_may_go),
        cmocka_unit_test(what_goes_is_the_rate_however_often_it_is_asked),
        cmocka_unit_test(a_pause_is_not_made_up_for),
        cmocka_unit_test(the_wait_is_as_long_as_it_takes),
        cmocka_unit_test(another_rate_keeps_what_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
