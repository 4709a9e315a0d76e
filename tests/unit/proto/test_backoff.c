/* When a lost connection is tried again. */
#include "table.h"

#include "proto/backoff.h"

#define NEVER 0u
#define ALWAYS UINT32_MAX

/* The wait before the next try, with so much chance in it. */
static int64_t next(struct xf_backoff *b, int64_t now, uint32_t random)
{
    int64_t when = -1;

    assert_true(xf_backoff_next(b, now, random, &when));
    return when - now;
}

static struct xf_backoff lost(int64_t retry_ms, int64_t now)
{
    struct xf_backoff b;

    xf_backoff_init(&b, retry_ms);
    xf_backoff_online(&b, 0);
    xf_backoff_lost(&b, now);
    return b;
}

static void the_first_try_is_soon_and_the_others_double(void **state)
{
    static const int64_t whole[] = { 1000,  2000,  4000,  8000, 16000,
                                     32000, 60000, 60000, 60000 };
    struct xf_backoff b = lost(-1, 100000);

    (void)state;
    assert_int_equal(next(&b, 100000, NEVER), 0);
    for (size_t i = 0; i < COUNT(whole); i++)
        assert_int_equal(next(&b, 200000, NEVER), whole[i] / 2);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(next(&b, 200000, NEVER), XF_BACKOFF_MAX_MS / 2);
}

static void chance_stays_within_the_wait(void **state)
{
    (void)state;
    for (uint32_t random = 0; random < 200; random++) {
        struct xf_backoff b = lost(-1, 100000);
        uint32_t bits = random * 21474837u;

        assert_in_range(next(&b, 100000, bits), 0, XF_BACKOFF_SOON_MS);
        assert_in_range(next(&b, 100000, bits), 500, 1000);
        assert_in_range(next(&b, 100000, bits), 1000, 2000);
        assert_in_range(next(&b, 100000, ALWAYS - bits), 2000, 4000);
    }
}

static void a_good_connection_makes_the_next_loss_a_first_one(void **state)
{
    struct xf_backoff b = lost(-1, 100000);

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        (void)next(&b, 100000, NEVER);
    xf_backoff_online(&b, 110000);
    xf_backoff_lost(&b, 110000 + XF_BACKOFF_GOOD_MS - 1);
    assert_int_equal(next(&b, 170000, NEVER), 8000);
    xf_backoff_online(&b, 200000);
    xf_backoff_lost(&b, 200000 + XF_BACKOFF_GOOD_MS);
    assert_int_equal(next(&b, 270000, NEVER), 0);
}

static void when_the_time_is_over_there_is_no_more(void **state)
{
    struct xf_backoff b = lost(10000, 100000);
    int64_t when;

    (void)state;
    assert_int_equal(xf_backoff_end(&b), 110000);
    assert_int_equal(next(&b, 100000, NEVER), 0);
    assert_int_equal(next(&b, 109000, NEVER), 500);
    /* One that would come too late comes just in time. */
    assert_int_equal(next(&b, 109600, NEVER), 399);
    assert_false(xf_backoff_next(&b, 110000, NEVER, &when));
    assert_false(xf_backoff_next(&b, 500000, NEVER, &when));
}

static void nothing_is_tried_without_time_and_for_ever_has_no_end(void **state)
{
    struct xf_backoff none = lost(0, 100000), ever = lost(-1, 100000);
    int64_t when;

    (void)state;
    assert_false(xf_backoff_next(&none, 100000, NEVER, &when));
    assert_int_equal(xf_backoff_end(&ever), INT64_MAX);
    ever = lost(INT64_MAX, 100000);
    assert_int_equal(xf_backoff_end(&ever), INT64_MAX);
    assert_int_equal(next(&ever, INT64_MAX / 2, NEVER), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_try_is_soon_and_the_others_double),
        cmocka_unit_test(chance_stays_within_the_wait),
        cmocka_unit_test(a_good_connection_makes_the_next_loss_a_first_one),
        cmocka_unit_test(when_the_time_is_over_there_is_no_more),
        cmocka_unit_test(nothing_is_tried_without_time_and_for_ever_has_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
