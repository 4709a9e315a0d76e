/*
 * Between two of ours nobody waits for a dead streamhost: blocks go beside the
 * bytestream that is still being made, which takes over when it comes up.
 */
#include "leap.h"
#include "talk.h"

#define BLOCK 32768u
#define BYTES 10000000u

static struct talk *both(void)
{
    struct talk *t = talk_new();

    t->side[R].config.via[0] = XF_VIA_DIRECT;
    t->side[R].config.via[1] = XF_VIA_IBB;
    t->side[R].config.via[2] = XF_VIA_NONE;
    t->side[R].config.block_size = BLOCK;
    t->side[R].config.timeout_ms = 15000;
    return t;
}

/* Blocks would have brought all of it before the bytestream is there. */
static void slowly(struct talk *t)
{
    talk_rule(t, R, "<data ", 0, TALK_DELAY)->ms = 100;
}

static const struct talk_note *opened(const struct talk *t, enum talk_who who,
                                      enum xf_via via)
{
    return talk_attempt(t, who, via, XF_ATTEMPT_OPEN, 1);
}

static void check_verified(const struct talk *t)
{
    assert_true(talk_note(t, R, XF_EVENT_DONE, 1)->confirmed);
    for (int i = 0; i < TALK_SIDES; i++)
        assert_int_equal(
            talk_note(t, (enum talk_who)i, XF_EVENT_DONE, 1)->verified,
            XF_VERIFIED);
    assert_int_equal(t->side[J].offers, 1);
    assert_int_equal(talk_count(t, R, "<si "), 1);
}

/* A black hole is told; 1 s after the answer the blocks begin. */
static void a_dead_streamhost_holds_nobody_up(void **state)
{
    static const size_t sizes[] = { 0, 1, 597, 100000 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct talk *t = both();
        struct talk_hole hole;

        talk_hole_open(&hole);
        t->side[R].config.addresses[0] = hole.address;
        talk_begin(t);
        talk_offer_new(t, "a.bin", sizes[i]);
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_IBB, "a.bin");
        check_verified(t);
        assert_in_range(opened(t, J, XF_VIA_IBB)->at_ms -
                            talk_note(t, R, XF_EVENT_ACCEPTED, 1)->at_ms,
                        950, 2500);
        assert_non_null(talk_said(t, J, "item-not-found", 1));
        talk_hole_close(&hole);
        talk_free(t);
    }
}

/* What Juliet has reached is heard of late: blocks until then, and behind them
 * the bytestream, each byte once. */
static void a_late_bytestream_takes_over(void **state)
{
    static const int late[] = { 1010, 1100, 1500 };

    (void)state;
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        struct talk *t = both();
        const struct talk_note *r, *j;

        talk_rule(t, J, "streamhost-used", 1, TALK_DELAY)->ms = late[i];
        slowly(t);
        talk_begin(t);
        talk_offer_new(t, "a.bin", BYTES);
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_DIRECT, "a.bin");
        check_verified(t);
        r = opened(t, R, XF_VIA_DIRECT);
        /* Her first was before the blocks, and has brought nothing. */
        j = talk_attempt(t, J, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 2);
        assert_non_null(opened(t, R, XF_VIA_IBB));
        assert_int_equal(r->offset, j->offset);
        assert_true(r->offset < BYTES);
        assert_int_equal(talk_in_blocks(t), r->offset);
        assert_null(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_FAILED, 1));
        talk_free(t);
    }
}

/* Juliet's close is not answered: where the blocks ended nobody knows, and the
 * next offer asks. */
static void a_close_that_is_lost_is_asked_about(void **state)
{
    struct talk *t = both();

    (void)state;
    talk_rule(t, J, "streamhost-used", 1, TALK_DELAY)->ms = 1200;
    slowly(t);
    talk_rule(t, R, "<close ", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_said(t, R, "<close ", 1);
    talk_leap(5000);
    talk_until_over(t, 1, 1);
    talk_check_same(t, "a.bin", "a.bin");
    assert_int_equal(talk_note(t, R, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    assert_int_equal(talk_count(t, R, "<si "), 2);
    assert_int_equal(t->side[J].offers, 1);
    talk_free(t);
}

/* The contact takes no blocks now, but the streamhost. */
static void a_refused_open_leaves_the_bytestream(void **state)
{
    struct talk *t = both();

    (void)state;
    talk_rule(t, J, "streamhost-used", 1, TALK_DELAY)->ms = 1200;
    talk_error(t, R, "<open ", 1, TALK_NOT_ACCEPTABLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    check_verified(t);
    assert_int_equal(opened(t, R, XF_VIA_DIRECT)->offset, 0);
    talk_free(t);
}

/* Cut in the middle of what took over: the same as any stream that breaks. */
static void what_took_over_may_break(void **state)
{
    struct talk *t = both();

    (void)state;
    talk_relay_put(t);
    talk_relay_cut(t->relay, 1, 100000, TALK_RESET);
    talk_rule(t, J, "streamhost-used", 1, TALK_DELAY)->ms = 1200;
    slowly(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES / 2);
    talk_until_over(t, 1, 1);
    talk_check_same(t, "a.bin", "a.bin");
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    assert_non_null(opened(t, R, XF_VIA_DIRECT));
    assert_int_equal(t->side[J].offers, 1);
    talk_free(t);
}

/* Strangers keep to the order that was agreed on. */
static void a_stranger_is_waited_for(void **state)
{
    struct talk *t = both();

    (void)state;
    t->side[J].info = talk_stranger;
    t->side[R].config.timeout_ms = 3000;
    talk_rule(t, J, "streamhost-used", 1, TALK_DELAY)->ms = 1500;
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_null(talk_said(t, R, "<open ", 1));
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_streamhost_holds_nobody_up),
        cmocka_unit_test(a_late_bytestream_takes_over),
        cmocka_unit_test(a_close_that_is_lost_is_asked_about),
        cmocka_unit_test(a_refused_open_leaves_the_bytestream),
        cmocka_unit_test(what_took_over_may_break),
        cmocka_unit_test(a_stranger_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
