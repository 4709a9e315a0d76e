/* An intake that goes on with a part: its sums, what is cut, what is kept. */
#include "rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/intake.h"

#define SIZE 700000u
#define HAD 300000u

static const struct xf_part_of of = {
    .peer = "romeo@example.net", .name = "file", .size = SIZE, .version = "1"
};
static const struct xf_intake_sums both = { .md5 = true, .sha256 = true };

static struct xf_intake *in;
static struct rig_jobs jobs;
static struct xf_error_info info;
static unsigned told;
static char *bytes;

static void tell(void *ctx)
{
    (void)ctx;
    told++;
}

static int set_up(void **state)
{
    bytes = rig_bytes(SIZE);
    return rig_setup(state);
}

static int tear_down(void **state)
{
    free(bytes);
    return rig_teardown(state);
}

/* What is there is not yet summed. */
static void open_again(const struct xf_intake_sums *sums, bool resume)
{
    struct xf_sink *sink;

    told = 0;
    rig_jobs_init(&jobs);
    assert_int_equal(
        xf_sink_open(&sink, rig_dir, &of, XF_SINK_RENAME, resume, &info), 0);
    assert_int_equal(xf_intake_new(&in, sink, &jobs.jobs, sums, tell, NULL), 0);
}

static void put(size_t from, size_t to)
{
    while (from < to) {
        size_t len = to - from < 50000 ? to - from : 50000;

        assert_int_equal(xf_intake_put(in, bytes + from, len), 0);
        rig_run_all(&jobs);
        from += len;
    }
}

/* A part of so many bytes, all durable. */
static void leave(size_t len)
{
    open_again(&both, false);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    put(0, len);
    xf_intake_keep(in);
    rig_run_all(&jobs);
    assert_int_equal(rig_entries(), 2);
}

static void assert_sum(size_t len)
{
    uint8_t sum[XF_DIGEST_MAX], so_far[XF_DIGEST_MAX];

    assert_true(xf_digest_of(XF_DIGEST_SHA256, bytes, len, sum));
    assert_true(xf_intake_sum_so_far(in, so_far));
    assert_memory_equal(so_far, sum, 32);
}

static void finish_well(void)
{
    uint8_t sum[XF_DIGEST_MAX];

    assert_true(xf_digest_of(XF_DIGEST_SHA256, bytes, SIZE, sum));
    assert_int_equal(
        xf_intake_finish(in, &(struct xf_intake_expected){ .sha256 = sum }), 0);
    rig_run_all(&jobs);
    assert_null(xf_intake_error(in));
    assert_true(xf_intake_finished(in));
    assert_true(xf_intake_verified(in));
    assert_sum(SIZE); /* who offers it again meanwhile compares that */
    xf_intake_free(in);
    rig_assert_file("file", bytes, SIZE);
    assert_int_equal(rig_entries(), 1);
    rig_empty(".");
}

/* --- going on ----------------------------------------------------------------- */

static void what_is_there_is_summed_before_it_is_at_rest(void **state)
{
    static const size_t had[] = { 1, XF_INTAKE_BUFFER - 1, XF_INTAKE_BUFFER,
                                  XF_INTAKE_BUFFER + 1, SIZE };

    (void)state;
    for (size_t i = 0; i < sizeof had / sizeof *had; i++) {
        uint8_t sum[XF_DIGEST_MAX];

        leave(had[i]);
        open_again(&both, true);
        assert_int_equal(xf_intake_bytes(in), had[i]);
        assert_int_equal(xf_intake_written(in), had[i]);
        xf_intake_begin(in);
        assert_false(xf_intake_at_rest(in));
        assert_false(xf_intake_sum_so_far(in, sum));
        rig_run_all(&jobs);
        assert_true(xf_intake_at_rest(in));
        assert_int_equal(told, 1);
        assert_int_equal(xf_intake_durable(in), had[i]);
        assert_sum(had[i]);
        put(had[i], SIZE);
        assert_sum(SIZE);
        finish_well();
    }
}

static void nothing_there_and_nothing_to_sum_is_at_rest_at_once(void **state)
{
    (void)state;
    open_again(&(struct xf_intake_sums){ 0 }, false);
    xf_intake_begin(in);
    assert_true(xf_intake_at_rest(in));
    assert_int_equal(jobs.submitted, 0);
    xf_intake_free(in);
    assert_int_equal(rig_entries(), 0);
}

/* Bytes that come before the sums have caught up wait for them. */
static void bytes_in_front_of_the_sums_are_written_behind_them(void **state)
{
    (void)state;
    leave(HAD);
    open_again(&both, true);
    xf_intake_begin(in);
    assert_int_equal(xf_intake_put(in, bytes + HAD, SIZE - HAD), 0);
    assert_false(xf_intake_at_rest(in));
    rig_run_all(&jobs);
    assert_true(xf_intake_at_rest(in));
    assert_sum(SIZE);
    finish_well();
}

static void an_end_in_front_of_the_sums_waits_for_them(void **state)
{
    (void)state;
    leave(SIZE);
    open_again(&both, true);
    xf_intake_begin(in);
    finish_well();
}

static void a_part_of_other_bytes_is_not_delivered(void **state)
{
    uint8_t sum[XF_DIGEST_MAX];

    (void)state;
    assert_true(xf_digest_of(XF_DIGEST_SHA256, bytes, SIZE, sum));
    bytes[5] ^= 1;
    leave(HAD);
    bytes[5] ^= 1;
    open_again(&both, true);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    put(HAD, SIZE);
    assert_int_equal(
        xf_intake_finish(in, &(struct xf_intake_expected){ .sha256 = sum }), 0);
    rig_run_all(&jobs);
    assert_int_equal(xf_intake_error(in)->code, XF_E_HASH);
    xf_intake_keep(in); /* it is in no order to be kept */
    rig_run_all(&jobs);
    assert_int_equal(rig_entries(), 0);
}

/* --- cutting ------------------------------------------------------------------- */

static void what_is_cut_is_summed_anew(void **state)
{
    static const size_t at[] = { 0, 1, HAD - 1, HAD };

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        leave(HAD);
        open_again(&both, true);
        xf_intake_begin(in);
        rig_run_all(&jobs);
        xf_intake_cut(in, at[i]);
        assert_int_equal(xf_intake_bytes(in), at[i]);
        assert_false(xf_intake_at_rest(in));
        rig_run_all(&jobs);
        assert_true(xf_intake_at_rest(in));
        assert_int_equal(xf_intake_written(in), at[i]);
        assert_int_equal(xf_intake_durable(in), at[i]);
        assert_sum(at[i]);
        put(at[i], SIZE);
        finish_well();
    }
}

static void without_sums_it_is_cut_as_well(void **state)
{
    struct xf_intake_sums none = { 0 };

    (void)state;
    leave(HAD);
    open_again(&none, true);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    xf_intake_cut(in, 1000);
    rig_run_all(&jobs);
    assert_true(xf_intake_at_rest(in));
    assert_int_equal(xf_intake_written(in), 1000);
    xf_intake_keep(in);
    rig_run_all(&jobs);
    rig_assert_file(rig_part(), bytes, 1000);
    rig_empty(".");
}

/* --- keeping ------------------------------------------------------------------- */

/* Taken is taken, written or not. */
static void what_waits_is_written_before_it_is_kept(void **state)
{
    (void)state;
    for (int run = 0; run < 2; run++) {
        open_again(&both, false);
        xf_intake_begin(in);
        if (run)
            rig_run_all(&jobs);
        assert_int_equal(xf_intake_put(in, bytes, 100), 0);
        assert_int_equal(xf_intake_put(in, bytes + 100, HAD - 100), 0);
        told = 0;
        xf_intake_keep(in); /* a job is under way */
        rig_run_all(&jobs);
        assert_int_equal(told, 0);
        assert_int_equal(rig_entries(), 2);
        rig_assert_file(rig_part(), bytes, HAD);
        open_again(&both, true);
        assert_int_equal(xf_intake_durable(in), HAD);
        xf_intake_free(in);
        rig_run_all(&jobs);
        assert_int_equal(rig_entries(), 0);
    }
}

static void a_part_may_be_kept_while_its_sums_catch_up(void **state)
{
    (void)state;
    leave(HAD);
    open_again(&both, true);
    xf_intake_begin(in);
    assert_int_equal(xf_intake_put(in, bytes + HAD, 1000), 0);
    xf_intake_keep(in);
    rig_run_all(&jobs);
    rig_assert_file(rig_part(), bytes, HAD + 1000);
    rig_empty(".");
}

static void a_part_that_is_being_cut_may_be_kept(void **state)
{
    (void)state;
    leave(HAD);
    open_again(&both, true);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    xf_intake_cut(in, 1000);
    xf_intake_keep(in);
    rig_run_all(&jobs);
    rig_assert_file(rig_part(), bytes, 1000);
    rig_empty(".");
}

/* Its last moment: all of it is here, and had no name yet. */
static void what_is_being_finished_and_given_up_is_kept(void **state)
{
    (void)state;
    xf_intake_keep(NULL);
    open_again(&both, false);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    put(0, SIZE);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    xf_intake_keep(in);
    rig_run_all(&jobs);
    assert_false(rig_exists("file"));
    rig_assert_file(rig_part(), bytes, SIZE);
    rig_empty(".");
}

/* Between its name and our hearing of it: else it would be there, and told to
 * have failed. */
static void what_just_got_its_name_and_is_given_up_is_a_part_again(void **state)
{
    struct xf_job *job;

    (void)state;
    open_again(&both, false);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    put(0, SIZE);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    job = jobs.first;
    rig_jobs_init(&jobs);
    job->run(job);
    assert_true(rig_exists("file"));
    xf_intake_keep(in);
    job->done(job);
    rig_run_all(&jobs);
    assert_false(rig_exists("file"));
    rig_assert_file(rig_part(), bytes, SIZE);
    /* And it is of use. */
    open_again(&both, true);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    assert_int_equal(xf_intake_bytes(in), SIZE);
    assert_int_equal(xf_intake_finish(in, NULL), 0);
    rig_run_all(&jobs);
    assert_true(xf_intake_finished(in));
    xf_intake_free(in);
    rig_assert_file("file", bytes, SIZE);
    assert_int_equal(rig_entries(), 1);
}

/* ... but not what turns out to be wrong. */
static void a_wrong_sum_found_while_it_is_given_up_is_not_kept(void **state)
{
    static const uint8_t wrong[XF_DIGEST_MAX] = { 1 };

    (void)state;
    open_again(&both, false);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    put(0, SIZE);
    assert_int_equal(
        xf_intake_finish(in, &(struct xf_intake_expected){ .sha256 = wrong }),
        0);
    xf_intake_keep(in);
    rig_run_all(&jobs);
    assert_int_equal(rig_entries(), 0);
}

static void freed_while_the_sums_catch_up_it_leaves_nothing(void **state)
{
    (void)state;
    leave(HAD);
    open_again(&both, true);
    xf_intake_begin(in);
    xf_intake_free(in);
    rig_run_all(&jobs);
    assert_int_equal(told, 0);
    assert_int_equal(rig_entries(), 0);
}

/* --- errors --------------------------------------------------------------------- */

static void a_part_that_cannot_be_read_is_an_error(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_READ, .fail = 1, .err = EIO };

    (void)state;
    leave(HAD);
    open_again(&both, true);
    rig_gate_on(&gate);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    rig_gate_off();
    assert_true(gate.failed);
    assert_int_equal(xf_intake_error(in)->code, XF_E_IO);
    assert_int_equal(told, 1);
    assert_int_equal(xf_intake_put(in, "a", 1), XF_E_IO);
    xf_intake_free(in);
    rig_run_all(&jobs);
    rig_empty(".");
}

/* A failed sync is final: what it has dropped, a second one calls clean. */
static void a_part_that_cannot_be_synced_is_not_kept(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_SYNC, .fail = 1, .err = EIO };

    (void)state;
    open_again(&both, false);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    put(0, HAD);
    rig_gate_on(&gate);
    xf_intake_keep(in);
    rig_run_all(&jobs);
    rig_gate_off();
    assert_true(gate.failed);
    assert_int_equal(rig_entries(), 0);
}

/* Whatever fails: a wrong file is never delivered, and the next one is whole. */
static void no_failing_call_spoils_what_comes_next(void **state)
{
    struct rig_gate gate = { .only = -1, .err = EIO };

    (void)state;
    do {
        struct xf_sink *sink = NULL;
        uint8_t sum[XF_DIGEST_MAX];

        leave(HAD);
        assert_true(xf_digest_of(XF_DIGEST_SHA256, bytes, SIZE, sum));
        gate.fail++;
        rig_jobs_init(&jobs);
        in = NULL;
        rig_gate_on(&gate);
        if (xf_sink_open(&sink, rig_dir, &of, XF_SINK_RENAME, true, &info) ==
            0) {
            if (xf_intake_new(&in, sink, &jobs.jobs, &both, tell, NULL) != 0)
                xf_sink_discard(sink);
            else
                xf_intake_begin(in);
        }
        rig_run_all(&jobs);
        if (in && !xf_intake_error(in) && xf_intake_at_rest(in) &&
            xf_intake_bytes(in) > 1000) {
            xf_intake_cut(in, 1000);
            rig_run_all(&jobs);
        }
        xf_intake_keep(in);
        rig_run_all(&jobs);
        rig_gate_off();

        open_again(&both, true);
        xf_intake_begin(in);
        rig_run_all(&jobs);
        assert_null(xf_intake_error(in));
        assert_sum((size_t)xf_intake_bytes(in));
        put((size_t)xf_intake_bytes(in), SIZE);
        assert_int_equal(
            xf_intake_finish(in, &(struct xf_intake_expected){ .sha256 = sum }),
            0);
        rig_run_all(&jobs);
        assert_true(xf_intake_finished(in));
        xf_intake_free(in);
        rig_assert_file("file", bytes, SIZE);
        rig_empty(".");
    } while (gate.failed && gate.fail < 500);
    assert_in_range(gate.fail, 10, 499);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* --hash none: only who goes on with it wants to know, and then all of it. */
static void sums_come_later_where_they_are_asked_for_later(void **state)
{
    uint8_t sum[XF_DIGEST_MAX];

    (void)state;
    open_again(&both, false);
    xf_intake_begin(in);
    rig_run_all(&jobs);
    xf_intake_sum(in, false);
    put(0, HAD);
    assert_true(xf_intake_at_rest(in));
    assert_false(xf_intake_sum_so_far(in, sum));
    xf_intake_sum(in, true);
    assert_false(xf_intake_at_rest(in));
    rig_run_all(&jobs);
    assert_sum(HAD);
    /* ... and without again, and asked while a job is under way. */
    xf_intake_sum(in, false);
    assert_int_equal(xf_intake_put(in, bytes + HAD, 50000), 0);
    xf_intake_sum(in, true);
    put(HAD + 50000, SIZE - 1000);
    assert_sum(SIZE - 1000);
    xf_intake_free(in);
    assert_int_equal(rig_entries(), 0);
}

static void a_sum_that_is_told_at_the_end_is_compared_all_the_same(void **state)
{
    uint8_t sum[XF_DIGEST_MAX];
    struct xf_intake_expected expected = { .sha256 = sum };
    struct xf_digest *digest = xf_digest_new(XF_DIGEST_SHA256);

    (void)state;
    assert_true(xf_digest_add(digest, bytes, SIZE) &&
                xf_digest_end(digest, sum));
    xf_digest_free(digest);
    for (int wrong = 0; wrong < 2; wrong++) {
        open_again(&both, false);
        xf_intake_begin(in);
        xf_intake_sum(in, false);
        put(0, SIZE);
        sum[0] ^= (uint8_t)wrong;
        assert_int_equal(xf_intake_finish(in, &expected), 0);
        rig_run_all(&jobs);
        assert_int_equal(xf_intake_finished(in), !wrong);
        assert_int_equal(xf_intake_verified(in), !wrong);
        if (wrong)
            assert_int_equal(xf_intake_error(in)->code, XF_E_HASH);
        xf_intake_free(in);
        rig_empty(".");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_there_is_summed_before_it_is_at_rest),
        TEST(nothing_there_and_nothing_to_sum_is_at_rest_at_once),
        TEST(bytes_in_front_of_the_sums_are_written_behind_them),
        TEST(an_end_in_front_of_the_sums_waits_for_them),
        TEST(a_part_of_other_bytes_is_not_delivered),
        TEST(what_is_cut_is_summed_anew),
        TEST(without_sums_it_is_cut_as_well),
        TEST(what_waits_is_written_before_it_is_kept),
        TEST(a_part_may_be_kept_while_its_sums_catch_up),
        TEST(a_part_that_is_being_cut_may_be_kept),
        TEST(what_is_being_finished_and_given_up_is_kept),
        TEST(what_just_got_its_name_and_is_given_up_is_a_part_again),
        TEST(a_wrong_sum_found_while_it_is_given_up_is_not_kept),
        TEST(freed_while_the_sums_catch_up_it_leaves_nothing),
        TEST(a_part_that_cannot_be_read_is_an_error),
        TEST(a_part_that_cannot_be_synced_is_not_kept),
        TEST(no_failing_call_spoils_what_comes_next),
        TEST(sums_come_later_where_they_are_asked_for_later),
        TEST(a_sum_that_is_told_at_the_end_is_compared_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
