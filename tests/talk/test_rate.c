/*
 * What our server lets through: when it is measured, by what, and what follows
 * for in-band streams. The server is played: its answers to pings come late.
 */
#include "talk.h"

#define PING "urn:xmpp:ping"
#define PADDED "xxxxxxxx"

static struct talk *talk_by(enum xf_via first, enum xf_via second)
{
    struct talk *t = talk_new();

    t->side[R].config.via[0] = first;
    t->side[R].config.via[1] = second;
    t->side[R].config.via[2] = XF_VIA_NONE;
    return t;
}

static struct talk *inband(void)
{
    return talk_by(XF_VIA_IBB, XF_VIA_NONE);
}

/* 16 kB a second: the second train, of 6.5 kB, takes 400 ms. */
static void throttle(struct talk *t)
{
    talk_rule(t, R, PADDED, 0, TALK_DELAY)->ms = 400;
}

static const struct talk_note *opened(const struct talk *t, unsigned nth)
{
    const struct talk_note *n =
        talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_OPEN, nth);

    assert_non_null(n);
    return n;
}

/* One more when the machine was busy: the small ping took too long to tell. */
static void assert_measured_once(const struct talk *t)
{
    assert_in_range(talk_count(t, R, PING), 16, 17);
}

static size_t place(const struct talk *t, const struct talk_stanza *one)
{
    assert_non_null(one);
    return (size_t)(one - t->trail);
}

static void where_nothing_is_late_no_limit_is_told(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(opened(t, 1)->rate, 0);
    assert_int_equal(opened(t, 1)->forecast_ms, 0);
    assert_int_equal(opened(t, 1)->block_size, 65535);
    /* One small, one train, one behind it. */
    assert_int_equal(talk_count(t, R, PING), 12);
    talk_free(t);
}

static void a_slow_server_gets_small_blocks_and_the_user_a_forecast(
    void **state)
{
    struct talk *t = inband();
    const struct talk_note *n;

    (void)state;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    n = opened(t, 1);
    assert_in_range(n->rate, 10000, 13000);
    assert_in_range(n->forecast_ms, 200000000 / n->rate - 100,
                    200000000 / n->rate + 100);
    assert_int_equal(n->block_size, 16384);
    n = talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_TRYING, 1);
    assert_in_range(n->rate, 10000, 13000);
    talk_free(t);
}

/* A later stanza of ours, a chat's too, is to wait four seconds at most. */
static void no_more_is_under_way_than_passes_in_four_seconds(void **state)
{
    struct talk *t = inband();
    unsigned under_way = 0, most = 0;

    (void)state;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_over(t, 1, 1);
    for (size_t i = place(t, talk_said(t, R, "<data ", 1)); i < t->trail_count;
         i++) {
        under_way += strstr(t->trail[i].xml, "<data ") != NULL;
        if (under_way > most)
            most = under_way;
        under_way -= t->trail[i].from == J && under_way > 0;
    }
    assert_int_equal(most, 2);
    talk_free(t);
}

static void messages_do_not_wait_in_a_heap_either(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[R].config.stanza = XF_STANZA_MESSAGE;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 400000);
    talk_until_said(t, R, "<open ", 1);
    xf_session_set_queued(t->side[R].s, 90000);
    talk_run(t, 300);
    assert_int_equal(talk_count(t, R, "<data "), 0);
    xf_session_set_queued(t->side[R].s, 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

/* Smack gives up 5 s after it accepted, so nothing is measured in between. */
static void an_offer_that_leaves_no_choice_goes_when_the_rate_is_known(
    void **state)
{
    struct talk *t = inband();

    (void)state;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    assert_measured_once(t);
    assert_true(place(t, talk_said(t, R, PING, 16)) <
                place(t, talk_said(t, R, "<si ", 1)));
    talk_free(t);
}

/* It waited behind our own words, or for a busy machine. */
static void a_first_ping_that_took_long_hides_no_limit(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_rule(t, R, PING, 1, TALK_DELAY)->ms = 150;
    /* Of the first train, 21 kB, the last comes back after 1.3 s. */
    talk_rule(t, R, PADDED, 10, TALK_DELAY)->ms = 1300;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    assert_int_equal(talk_count(t, R, PING), 17);
    assert_in_range(opened(t, 1)->rate, 10000, 13000);
    talk_free(t);
}

static void small_files_are_there_before_it_is_measured(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 49152);
    talk_until_over(t, 1, 1);
    assert_int_equal(talk_count(t, R, PING), 0);
    talk_free(t);
}

static void a_bytestream_that_works_is_asked_nothing(void **state)
{
    struct talk *t = talk_by(XF_VIA_DIRECT, XF_VIA_IBB);

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 3000000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_int_equal(talk_count(t, R, PING), 0);
    talk_free(t);
}

/* ... and one that does not is time enough. */
static void it_is_measured_while_a_bytestream_is_waited_for(void **state)
{
    struct talk *t = talk_by(XF_VIA_DIRECT, XF_VIA_IBB);
    struct talk_hole hole;
    const struct talk_stanza *query, *open;

    (void)state;
    talk_hole_open(&hole);
    t->side[R].config.addresses[0] = hole.address;
    t->side[R].config.timeout_ms = 4000;
    t->side[J].info = talk_stranger;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_in_range(opened(t, 1)->rate, 10000, 13000);
    query =
        talk_said(t, R, "<query xmlns=\"http://jabber.org/protocol/bytes", 1);
    open = talk_said(t, R, "<open ", 1);
    assert_true(place(t, query) < place(t, talk_said(t, R, PING, 1)));
    assert_in_range(open->at_ms - query->at_ms, 3900, 4400);
    talk_hole_close(&hole);
    talk_free(t);
}

static void one_measurement_serves_many_files(void **state)
{
    struct talk *t = inband();

    (void)state;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_offer_new(t, "b.bin", 100000);
    talk_until_over(t, 2, 2);
    talk_offer_new(t, "c.bin", 100000);
    talk_until_over(t, 3, 3);
    assert_measured_once(t);
    assert_true(opened(t, 3)->rate > 10000);
    talk_free(t);
}

/* Both send at once: each is told its part. */
static void two_streams_share_the_rate(void **state)
{
    struct talk *t = inband();
    uint32_t one, two;

    (void)state;
    throttle(t);
    talk_begin(t);
    talk_rule(t, J, "type=\"result\"", 0, TALK_DELAY)->ms = 200;
    talk_offer_new(t, "a.bin", 100000);
    talk_offer_new(t, "b.bin", 100000);
    talk_until_over(t, 2, 2);
    one = opened(t, 1)->rate;
    two = opened(t, 2)->rate;
    assert_in_range(two, one / 2 - 100, one / 2 + 100);
    talk_free(t);
}

/* Some embedders hand in nothing that is not a file's. */
static void who_answers_no_ping_is_waited_for_once_and_not_for_long(
    void **state)
{
    struct talk *t = inband();
    int64_t begun = talk_now();

    (void)state;
    talk_rule(t, R, PING, 0, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_in_range(talk_now() - begun, 4000, 6500);
    assert_int_equal(opened(t, 1)->rate, 0);
    begun = talk_now();
    talk_offer_new(t, "b.bin", 100000);
    talk_until_over(t, 2, 2);
    assert_in_range(talk_now() - begun, 0, 2000);
    assert_int_equal(talk_count(t, R, PING), 1);
    talk_free(t);
}

/* Nobody has been asked yet: it waits, and is measured anew. */
static void a_lost_connection_ends_a_measurement(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_rule(t, R, PADDED, 10, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_said(t, R, PADDED, 10);
    assert_int_equal(xf_session_attach(t->side[R].s, NULL), 0);
    talk_run(t, 50);
    assert_int_equal(t->side[R].ends, 0);
    assert_null(talk_said(t, R, "<si ", 1));
    assert_int_equal(xf_session_attach(t->side[R].s, ROMEO), 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_count(t, R, PADDED), 20);
    talk_free(t);
}

/* Nobody has been asked yet, so nobody can have refused. */
static void an_error_before_the_offer_left_is_nobodys(void **state)
{
    struct talk *t = inband();

    (void)state;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_said(t, R, PADDED, 10);
    talk_feed(t, R,
              "<iq type='error' id='b1' from='" JULIET "'>" TALK_NOT_FOUND
              "</iq>");
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void a_cancelled_transfer_hears_of_no_rate(void **state)
{
    struct talk *t = inband();

    (void)state;
    throttle(t);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_said(t, R, PADDED, 10);
    xf_transfer_cancel(t->sent);
    talk_run(t, 1500);
    talk_check_failed(t, R, XF_E_CANCELLED);
    assert_null(talk_said(t, R, "<si ", 1));
    talk_free(t);
}

/* --- what a contact takes -------------------------------------------------------- */

#define TOO_BIG                                                                \
    "<error type='modify'><resource-constraint "                               \
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

static void a_block_refused_once_is_not_tried_again(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_error(t, R, "block-size=\"65535\"", 0, TOO_BIG);
    talk_error(t, R, "block-size=\"32767\"", 0, TOO_BIG);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 40000);
    talk_until_over(t, 1, 1);
    talk_offer_new(t, "b.bin", 40000);
    talk_until_over(t, 2, 2);
    assert_int_equal(talk_count(t, R, "block-size=\"65535\""), 1);
    assert_int_equal(talk_count(t, R, "block-size=\"16383\""), 2);
    talk_check_same(t, "b.bin", "b.bin");
    talk_free(t);
}

static void a_block_that_was_too_much_on_its_way_is_smaller_next_time(
    void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[J].info = talk_stranger;
    t->side[R].config.block_size = 65535;
    talk_error(t, R, "<data ", 1, TOO_BIG);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 40000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_BUSY);
    talk_offer_new(t, "b.bin", 40000);
    talk_until_over(t, 2, 2);
    assert_int_equal(talk_count(t, R, "block-size=\"32767\""), 1);
    talk_check_same(t, "b.bin", "b.bin");
    talk_free(t);
}

static void a_block_that_was_too_much_is_smaller_at_once_between_ours(
    void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_error(t, R, "<data ", 1, TOO_BIG);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 40000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_check_once(t, "a.bin", 2);
    assert_int_equal(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_FAILED, 1)->code,
                     XF_E_BUSY);
    assert_int_equal(talk_count(t, R, "block-size=\"32767\""), 1);
    talk_offer_new(t, "b.bin", 40000);
    talk_until_over(t, 2, 2);
    assert_int_equal(talk_count(t, R, "block-size=\"32767\""), 2);
    talk_check_same(t, "b.bin", "b.bin");
    talk_free(t);
}

/* --- a stall ------------------------------------------------------------------- */

/* The embedder's connection is slow: no block is answered, but they leave. */
static void blocks_that_still_leave_are_no_stall(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[R].config.stall_ms = 400;
    talk_rule(t, R, "<data ", 1, TALK_DELAY)->ms = 1500;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_said(t, R, "<data ", 1);
    for (size_t left = 20000; left > 0; left -= 1000) {
        xf_session_set_queued(t->side[R].s, left);
        talk_run(t, 70);
    }
    xf_session_set_queued(t->side[R].s, 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void blocks_that_stand_are_a_stall(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[R].config.stall_ms = 400;
    talk_rule(t, R, "<data ", 0, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_said(t, R, "<data ", 1);
    xf_session_set_queued(t->side[R].s, 20000);
    talk_run(t, 800);
    talk_check_failed(t, R, XF_E_STALL);
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(where_nothing_is_late_no_limit_is_told),
        cmocka_unit_test(
            a_slow_server_gets_small_blocks_and_the_user_a_forecast),
        cmocka_unit_test(no_more_is_under_way_than_passes_in_four_seconds),
        cmocka_unit_test(messages_do_not_wait_in_a_heap_either),
        cmocka_unit_test(
            an_offer_that_leaves_no_choice_goes_when_the_rate_is_known),
        cmocka_unit_test(a_first_ping_that_took_long_hides_no_limit),
        cmocka_unit_test(small_files_are_there_before_it_is_measured),
        cmocka_unit_test(a_bytestream_that_works_is_asked_nothing),
        cmocka_unit_test(it_is_measured_while_a_bytestream_is_waited_for),
        cmocka_unit_test(one_measurement_serves_many_files),
        cmocka_unit_test(two_streams_share_the_rate),
        cmocka_unit_test(
            who_answers_no_ping_is_waited_for_once_and_not_for_long),
        cmocka_unit_test(a_lost_connection_ends_a_measurement),
        cmocka_unit_test(an_error_before_the_offer_left_is_nobodys),
        cmocka_unit_test(a_cancelled_transfer_hears_of_no_rate),
        cmocka_unit_test(a_block_refused_once_is_not_tried_again),
        cmocka_unit_test(
            a_block_that_was_too_much_on_its_way_is_smaller_next_time),
        cmocka_unit_test(
            a_block_that_was_too_much_is_smaller_at_once_between_ours),
        cmocka_unit_test(blocks_that_still_leave_are_no_stall),
        cmocka_unit_test(blocks_that_stand_are_a_stall),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
