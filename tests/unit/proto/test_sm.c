/* Counting stanzas both ways. */
#include "table.h"

#include <errno.h>

#include "base/sys.h"
#include "proto/sm.h"
#include "xferry/error.h"

/* A stanza of so many bytes. */
static int say(struct xf_sm *sm, size_t bytes)
{
    char *text = malloc(bytes + 1);
    int err;

    memset(text, 'x', bytes);
    text[bytes] = '\0';
    err = xf_sm_sent(sm, text, bytes);
    free(text);
    return err;
}

static struct xf_sm on(void)
{
    struct xf_sm sm;

    xf_sm_init(&sm);
    xf_sm_enable(&sm);
    assert_int_equal(xf_sm_enabled(&sm, "id", NULL, 300, true), 0);
    return sm;
}

static void nothing_counts_while_it_is_off(void **state)
{
    struct xf_sm sm;

    (void)state;
    xf_sm_init(&sm);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(say(&sm, 1000000), 0);
    xf_sm_received(&sm);
    xf_sm_flush(&sm);
    assert_false(xf_sm_ask(&sm));
    assert_true(xf_sm_all_acked(&sm));
    assert_int_equal(xf_sm_handled(&sm), 0);
    assert_int_equal(xf_sm_acked(&sm, 0), XF_E_STREAM);
    assert_int_equal(xf_sm_enabled(&sm, "id", NULL, 0, true), XF_E_STREAM);
    xf_sm_clear(&sm);
}

/* XEP-0198, 3: ours count from <enable/>, the server's from <enabled/>. */
static void each_side_counts_from_its_own_word(void **state)
{
    struct xf_sm sm;

    (void)state;
    xf_sm_init(&sm);
    xf_sm_enable(&sm);
    assert_int_equal(say(&sm, 10), 0);
    xf_sm_received(&sm);
    xf_sm_flush(&sm);
    assert_false(xf_sm_ask(&sm));
    assert_int_equal(xf_sm_enabled(&sm, NULL, NULL, 0, false), 0);
    xf_sm_received(&sm);
    assert_int_equal(xf_sm_handled(&sm), 1);
    assert_int_equal(xf_sm_unacked(&sm), 1);
    assert_true(xf_sm_ask(&sm));
    assert_int_equal(xf_sm_acked(&sm, 1), 0);
    assert_true(xf_sm_all_acked(&sm));
    xf_sm_clear(&sm);
}

static void a_server_that_will_not_count_turns_it_off(void **state)
{
    struct xf_sm sm;

    (void)state;
    xf_sm_init(&sm);
    xf_sm_enable(&sm);
    assert_int_equal(say(&sm, 10), 0);
    assert_false(xf_sm_all_acked(&sm));
    xf_sm_failed(&sm);
    assert_true(xf_sm_all_acked(&sm));
    assert_int_equal(sm.unacked_bytes, 0);
    xf_sm_clear(&sm);
}

static void what_a_resumption_needs_is_kept(void **state)
{
    struct xf_sm sm;

    (void)state;
    xf_sm_init(&sm);
    xf_sm_enable(&sm);
    assert_int_equal(xf_sm_enabled(&sm, "some-id", "[::1]:5222", 300, true), 0);
    assert_true(sm.resumable);
    assert_string_equal(sm.id, "some-id");
    assert_string_equal(sm.location, "[::1]:5222");
    assert_int_equal(sm.max_s, 300);
    xf_sm_enable(&sm);
    assert_null(sm.id);
    assert_int_equal(xf_sm_enabled(&sm, NULL, NULL, 300, true), 0);
    assert_false(sm.resumable); /* without an id there is no way */
    xf_sm_clear(&sm);
}

static void an_overlong_id_is_refused(void **state)
{
    char text[XF_SM_ID_MAX + 2];
    struct xf_sm sm;

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    xf_sm_init(&sm);
    xf_sm_enable(&sm);
    assert_int_equal(xf_sm_enabled(&sm, text, NULL, 0, true), XF_E_STREAM);
    xf_sm_enable(&sm);
    assert_int_equal(xf_sm_enabled(&sm, text + 1, text, 0, true), XF_E_STREAM);
    xf_sm_enable(&sm);
    assert_int_equal(xf_sm_enabled(&sm, text + 1, NULL, 0, true), 0);
    xf_sm_clear(&sm);
}

/* --- when to ask --------------------------------------------------------- */

static void it_asks_after_64_stanzas_and_not_twice(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    for (unsigned i = 1; i < XF_SM_ASK_STANZAS; i++) {
        assert_int_equal(say(&sm, 1), 0);
        assert_false(xf_sm_ask(&sm));
    }
    assert_int_equal(say(&sm, 1), 0);
    assert_true(xf_sm_ask(&sm));
    for (unsigned i = 0; i < 2 * XF_SM_ASK_STANZAS; i++) {
        assert_int_equal(say(&sm, 1), 0);
        assert_false(xf_sm_ask(&sm));
    }
    assert_int_equal(xf_sm_acked(&sm, XF_SM_ASK_STANZAS), 0);
    assert_true(xf_sm_ask(&sm)); /* for the 128 that came behind */
    xf_sm_clear(&sm);
}

static void it_asks_after_256_kib(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    assert_int_equal(say(&sm, XF_SM_ASK_BYTES - 1), 0);
    assert_false(xf_sm_ask(&sm));
    assert_int_equal(say(&sm, 1), 0);
    assert_true(xf_sm_ask(&sm));
    xf_sm_clear(&sm);
}

static void a_flush_asks_until_all_is_acknowledged(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    xf_sm_flush(&sm);
    assert_false(xf_sm_ask(&sm)); /* nothing to ask for */
    assert_int_equal(say(&sm, 1), 0);
    assert_false(xf_sm_ask(&sm)); /* that flush was over */
    xf_sm_flush(&sm);
    assert_true(xf_sm_ask(&sm));
    assert_int_equal(say(&sm, 1), 0);
    assert_false(xf_sm_ask(&sm)); /* one is under way */
    assert_int_equal(xf_sm_acked(&sm, 1), 0);
    assert_true(xf_sm_ask(&sm));
    assert_int_equal(xf_sm_acked(&sm, 2), 0);
    assert_true(xf_sm_all_acked(&sm));
    assert_int_equal(say(&sm, 1), 0);
    assert_false(xf_sm_ask(&sm));
    xf_sm_clear(&sm);
}

/* --- acknowledgements ---------------------------------------------------- */

static void an_ack_beyond_what_was_sent_ends_the_stream(void **state)
{
    static const uint32_t wrong[] = { 4, 5, 1000, 0x80000000u, 0xffffffffu };
    struct xf_sm sm = on();

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(say(&sm, 1), 0);
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(xf_sm_acked(&sm, wrong[i]), XF_E_STREAM);
    assert_int_equal(xf_sm_unacked(&sm), 3);
    assert_int_equal(xf_sm_acked(&sm, 2), 0);
    assert_int_equal(xf_sm_acked(&sm, 1), XF_E_STREAM); /* nor back */
    assert_int_equal(xf_sm_acked(&sm, 2), 0);
    assert_int_equal(xf_sm_acked(&sm, 3), 0);
    xf_sm_clear(&sm);
}

static void bytes_are_counted_down_with_their_stanzas(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    for (size_t i = 1; i <= 200; i++)
        assert_int_equal(say(&sm, i), 0);
    assert_int_equal(sm.unacked_bytes, 200 * 201 / 2);
    assert_int_equal(xf_sm_acked(&sm, 150), 0);
    assert_int_equal(sm.unacked_bytes, 200 * 201 / 2 - 150 * 151 / 2);
    /* Round the ring and over its size. */
    for (size_t i = 201; i <= 1000; i++)
        assert_int_equal(say(&sm, i), 0);
    assert_int_equal(xf_sm_acked(&sm, 999), 0);
    assert_int_equal(sm.unacked_bytes, 1000);
    assert_int_equal(xf_sm_acked(&sm, 1000), 0);
    assert_int_equal(sm.unacked_bytes, 0);
    xf_sm_clear(&sm);
}

static void the_counters_wrap(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    sm.sent = sm.acked = sm.handled = 0xfffffffeu;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(say(&sm, 1), 0);
        xf_sm_received(&sm);
    }
    assert_int_equal(xf_sm_handled(&sm), 2);
    assert_int_equal(xf_sm_unacked(&sm), 4);
    assert_int_equal(xf_sm_acked(&sm, 3), XF_E_STREAM);
    assert_int_equal(xf_sm_acked(&sm, 0xffffffffu), 0);
    assert_int_equal(xf_sm_acked(&sm, 2), 0);
    assert_true(xf_sm_all_acked(&sm));
    xf_sm_clear(&sm);
}

static void a_server_that_never_acknowledges_has_a_ceiling(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    for (unsigned i = 0; i < XF_SM_QUEUE_MAX; i++)
        assert_int_equal(say(&sm, 1), 0);
    assert_int_equal(say(&sm, 1), XF_E_STREAM);
    assert_int_equal(xf_sm_acked(&sm, 1), 0);
    assert_int_equal(say(&sm, 1), 0);
    xf_sm_clear(&sm);
}

/* --- resumption ---------------------------------------------------------- */

/* What waits to be sent again, in its order. */
static void assert_again(const struct xf_sm *sm, const char *expected)
{
    const struct xf_sm_stanza *one;
    char all[256] = "";

    for (uint32_t i = 0; (one = xf_sm_unacked_at(sm, i)) != NULL; i++) {
        assert_non_null(one->text);
        assert_int_equal(strlen(one->text), one->bytes);
        strncat(all, one->text, sizeof all - strlen(all) - 1);
    }
    assert_string_equal(all, expected);
}

static void say_words(struct xf_sm *sm, const char *words)
{
    for (; *words; words++)
        assert_int_equal(xf_sm_sent(sm, words, 1), 0);
}

static void what_was_not_acknowledged_is_sent_again_in_its_order(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    say_words(&sm, "abcdef");
    assert_int_equal(xf_sm_acked(&sm, 2), 0);
    xf_sm_received(&sm);
    assert_true(xf_sm_may_resume(&sm));
    assert_true(xf_sm_lost(&sm));
    assert_int_equal(xf_sm_handled(&sm), 1);
    say_words(&sm, "gh"); /* while it is away, they wait behind the others */
    assert_false(xf_sm_ask(&sm));
    assert_int_equal(xf_sm_acked(&sm, 3), XF_E_STREAM);
    assert_true(xf_sm_lost(&sm)); /* a try was cut short */
    assert_int_equal(xf_sm_resumed(&sm, 4), 0);
    assert_again(&sm, "efgh");
    assert_true(xf_sm_ask(&sm)); /* at once: the old <r/> is lost */
    xf_sm_received(&sm);
    assert_int_equal(xf_sm_handled(&sm), 2);
    assert_int_equal(xf_sm_acked(&sm, 8), 0);
    assert_int_equal(sm.kept_bytes, 0);
    assert_again(&sm, "");
    xf_sm_clear(&sm);
}

static void a_resumption_finds_its_place_where_the_counters_wrap(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    sm.sent = sm.acked = 0xfffffffdu;
    say_words(&sm, "abcdef");
    assert_true(xf_sm_lost(&sm));
    assert_int_equal(xf_sm_resumed(&sm, 0xfffffffcu), XF_E_STREAM);
    assert_int_equal(xf_sm_resumed(&sm, 4), XF_E_STREAM);
    assert_again(&sm, "abcdef");
    assert_int_equal(xf_sm_resumed(&sm, 1), 0);
    assert_again(&sm, "ef");
    xf_sm_clear(&sm);
}

static void all_may_have_arrived_or_nothing(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    assert_int_equal(xf_sm_resumed(&sm, 0), XF_E_STREAM); /* not asked for */
    assert_true(xf_sm_lost(&sm));
    assert_int_equal(xf_sm_resumed(&sm, 0), 0);
    say_words(&sm, "ab");
    assert_true(xf_sm_lost(&sm));
    assert_int_equal(xf_sm_resumed(&sm, 0), 0);
    assert_again(&sm, "ab");
    assert_true(xf_sm_lost(&sm));
    assert_int_equal(xf_sm_resumed(&sm, 2), 0);
    assert_again(&sm, "");
    assert_false(xf_sm_ask(&sm));
    xf_sm_clear(&sm);
}

static void a_stream_the_server_forgot_is_off(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    say_words(&sm, "ab");
    assert_true(xf_sm_lost(&sm));
    xf_sm_failed(&sm);
    assert_int_equal(sm.state, XF_SM_OFF);
    assert_null(xf_sm_unacked_at(&sm, 0));
    assert_int_equal(xf_sm_resumed(&sm, 0), XF_E_STREAM);
    assert_false(xf_sm_lost(&sm));
    xf_sm_clear(&sm);
}

static void a_stream_that_cannot_be_resumed_keeps_no_text(void **state)
{
    struct xf_sm sm;

    (void)state;
    xf_sm_init(&sm);
    assert_false(xf_sm_lost(&sm));
    xf_sm_enable(&sm);
    say_words(&sm, "a");
    assert_int_equal(sm.kept_bytes, 1); /* nobody knows yet */
    assert_int_equal(xf_sm_enabled(&sm, "id", NULL, 0, false), 0);
    assert_int_equal(sm.kept_bytes, 0);
    say_words(&sm, "b");
    assert_int_equal(sm.kept_bytes, 0);
    assert_int_equal(xf_sm_acked(&sm, 2), 0);
    assert_int_equal(sm.unkept, 0);
    assert_false(xf_sm_lost(&sm));
    assert_int_equal(sm.state, XF_SM_OFF);
    xf_sm_enable(&sm);
    say_words(&sm, "a");
    assert_false(xf_sm_lost(&sm)); /* before <enabled/> */
    xf_sm_clear(&sm);
}

/* Over it nothing is kept; once that is acknowledged all is well again. */
static void what_is_kept_has_a_ceiling(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(say(&sm, XF_SM_KEEP_MAX / 7), 0);
    assert_true(xf_sm_may_resume(&sm));
    assert_int_equal(say(&sm, 10), 0);
    assert_false(xf_sm_may_resume(&sm));
    assert_true(sm.kept_bytes <= XF_SM_KEEP_MAX);
    assert_int_equal(xf_sm_acked(&sm, 7), 0);
    assert_false(xf_sm_may_resume(&sm));
    assert_int_equal(say(&sm, 10), 0);
    assert_int_equal(xf_sm_acked(&sm, 8), 0);
    assert_true(xf_sm_may_resume(&sm));
    assert_int_equal(sm.kept_bytes, 10);
    assert_int_equal(say(&sm, XF_SM_KEEP_MAX + 1), 0);
    assert_false(xf_sm_lost(&sm));
    xf_sm_clear(&sm);
}

/* It has not left: better refused than lost. */
static void while_it_is_away_the_ceiling_refuses(void **state)
{
    struct xf_sm sm = on();

    (void)state;
    assert_true(xf_sm_lost(&sm));
    assert_int_equal(say(&sm, XF_SM_KEEP_MAX - 1), 0);
    assert_int_equal(say(&sm, 2), XF_E_LIMIT);
    assert_int_equal(say(&sm, 1), 0);
    assert_int_equal(xf_sm_resumed(&sm, 0), 0);
    assert_int_equal(xf_sm_unacked(&sm), 2);
    xf_sm_clear(&sm);
}

static int no_memory(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    return call == XF_SYS_ALLOC ? ENOMEM : 0;
}

static void no_memory_is_told(void **state)
{
    struct xf_sm sm;

    (void)state;
    xf_sm_init(&sm);
    xf_sm_enable(&sm);
    xf_sys_set_gate(no_memory, NULL);
    assert_int_equal(xf_sm_enabled(&sm, "id", NULL, 0, true), XF_E_LIMIT);
    assert_int_equal(say(&sm, 1), XF_E_LIMIT);
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(xf_sm_unacked(&sm), 0);
    xf_sm_clear(&sm);
    /* Room for the number and none for the text: it only counts. */
    sm = on();
    assert_int_equal(say(&sm, 1), 0);
    xf_sys_set_gate(no_memory, NULL);
    assert_int_equal(say(&sm, 1), 0);
    xf_sys_set_gate(NULL, NULL);
    assert_false(xf_sm_may_resume(&sm));
    assert_int_equal(xf_sm_acked(&sm, 2), 0);
    assert_true(xf_sm_may_resume(&sm));
    xf_sm_clear(&sm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_counts_while_it_is_off),
        cmocka_unit_test(each_side_counts_from_its_own_word),
        cmocka_unit_test(a_server_that_will_not_count_turns_it_off),
        cmocka_unit_test(what_a_resumption_needs_is_kept),
        cmocka_unit_test(an_overlong_id_is_refused),
        cmocka_unit_test(it_asks_after_64_stanzas_and_not_twice),
        cmocka_unit_test(it_asks_after_256_kib),
        cmocka_unit_test(a_flush_asks_until_all_is_acknowledged),
        cmocka_unit_test(an_ack_beyond_what_was_sent_ends_the_stream),
        cmocka_unit_test(bytes_are_counted_down_with_their_stanzas),
        cmocka_unit_test(the_counters_wrap),
        cmocka_unit_test(a_server_that_never_acknowledges_has_a_ceiling),
        cmocka_unit_test(what_was_not_acknowledged_is_sent_again_in_its_order),
        cmocka_unit_test(a_resumption_finds_its_place_where_the_counters_wrap),
        cmocka_unit_test(all_may_have_arrived_or_nothing),
        cmocka_unit_test(a_stream_the_server_forgot_is_off),
        cmocka_unit_test(a_stream_that_cannot_be_resumed_keeps_no_text),
        cmocka_unit_test(what_is_kept_has_a_ceiling),
        cmocka_unit_test(while_it_is_away_the_ceiling_refuses),
        cmocka_unit_test(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
