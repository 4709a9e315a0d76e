/*
 * Two of ours go on where a transfer stopped: what broke, and that the file is
 * whole all the same, each byte once. Who stops or restarts is in
 * test_going_on_anew.
 */
#include "talk.h"

#define SIZE 3000000

static void only(struct talk *t, enum talk_who who, enum xf_via a,
                 enum xf_via b, enum xf_via c)
{
    t->side[who].config.via[0] = a;
    t->side[who].config.via[1] = b;
    t->side[who].config.via[2] = c;
}

static struct talk *by(enum xf_via a, enum xf_via b)
{
    struct talk *t = talk_new();

    only(t, R, a, b, XF_VIA_NONE);
    t->side[R].config.block_size = 32768;
    if (a == XF_VIA_DIRECT)
        talk_relay_put(t);
    return t;
}

/* Both say so, it was compared, and nobody was asked a second time. */
static void check_whole(const struct talk *t, const char *name, enum xf_via via)
{
    talk_check_well(t, via, name);
    assert_int_equal(t->side[J].offers, 1);
    for (int i = 0; i < TALK_SIDES; i++)
        assert_int_equal(
            talk_note(t, (enum talk_who)i, XF_EVENT_DONE, 1)->verified,
            XF_VERIFIED);
    assert_true(talk_note(t, R, XF_EVENT_DONE, 1)->confirmed);
    assert_null(talk_note(t, R, XF_EVENT_ACCEPTED, 2));
    assert_null(talk_note(t, R, XF_EVENT_OFFERED, 2));
    assert_null(talk_note(t, R, XF_EVENT_RESUMED, 1));
    assert_null(talk_note(t, J, XF_EVENT_RESUMED, 1));
}

/* --- a way that breaks ---------------------------------------------------------- */

static void a_direct_stream_cut_at_any_byte_goes_on_in_band(void **state)
{
    static const uint64_t at[] = { 1,     32767,   32768,    32769,
                                   65536, 1000000, SIZE - 1, SIZE };
    static const enum talk_cut how[] = { TALK_END, TALK_RESET };

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof *at * 2; i++) {
        struct talk *t = by(XF_VIA_DIRECT, XF_VIA_IBB);
        uint64_t cut = at[i / 2];

        talk_relay_cut(t->relay, 1, cut, how[i % 2]);
        talk_begin(t);
        talk_offer_new(t, "a.bin", SIZE);
        talk_until_over(t, 1, 1);
        if (cut == SIZE) {
            /* All is there: no other stream is made. */
            talk_check_same(t, "a.bin", "a.bin");
            assert_int_equal(talk_in_blocks(t),
                             how[i % 2] == TALK_RESET ? talk_in_blocks(t) : 0);
            assert_true(talk_note(t, R, XF_EVENT_DONE, 1)->confirmed);
        } else if (how[i % 2] == TALK_END) {
            check_whole(t, "a.bin", XF_VIA_IBB);
            talk_check_once(t, "a.bin", 2);
            assert_int_equal(
                talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 1)->offset,
                cut);
        } else {
            /* A reset may take along what was on its way. */
            check_whole(t, "a.bin", XF_VIA_IBB);
            assert_in_range(
                talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 1)->offset, 0,
                cut);
            assert_int_equal(
                talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 1)->offset +
                    talk_in_blocks(t),
                SIZE);
        }
        talk_free(t);
    }
}

static void a_direct_stream_that_breaks_is_followed_by_another(void **state)
{
    struct talk *t = by(XF_VIA_DIRECT, XF_VIA_NONE);

    (void)state;
    talk_relay_cut(t->relay, 1, 700000, TALK_END);
    talk_relay_cut(t->relay, 2, 100001, TALK_END);
    talk_relay_cut(t->relay, 3, 1, TALK_END);
    talk_begin(t);
    talk_offer_new(t, "a.bin", SIZE);
    talk_until_over(t, 1, 1);
    check_whole(t, "a.bin", XF_VIA_DIRECT);
    talk_check_once(t, "a.bin", 4);
    assert_int_equal(talk_relay_bytes(t->relay), SIZE);
    talk_free(t);
}

/* A receiver that is held to a rate has the rest in its kernel when its sender
 * already knows that the stream broke. */
static void what_came_before_it_broke_is_not_sent_again(void **state)
{
    struct talk *t = by(XF_VIA_DIRECT, XF_VIA_IBB);
    const uint64_t cut = 70000;

    (void)state;
    t->side[J].config.limit = 100000;
    talk_relay_cut(t->relay, 1, cut, TALK_END);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 150000);
    talk_until_over(t, 1, 1);
    check_whole(t, "a.bin", XF_VIA_IBB);
    talk_check_once(t, "a.bin", 2);
    assert_int_equal(talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 1)->offset,
                     cut);
    talk_free(t);
}

/* No byte for a third of the time that ends others. */
static void a_direct_stream_that_hangs_is_left(void **state)
{
    /* The second one goes into the buffers of our kernel, whole. */
    static const size_t sizes[] = { 16000000, 900000 };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = by(XF_VIA_DIRECT, XF_VIA_IBB);

        t->side[R].config.stall_ms = t->side[J].config.stall_ms = 4500;
        talk_relay_cut(t->relay, 1, 700000, TALK_SILENCE);
        talk_begin(t);
        talk_offer_new(t, "a.bin", sizes[i]);
        talk_until_over(t, 1, 1);
        check_whole(t, "a.bin", XF_VIA_IBB);
        talk_check_once(t, "a.bin", 2);
        assert_int_equal(
            talk_attempt(t, R, XF_VIA_DIRECT, XF_ATTEMPT_FAILED, 1)->code,
            i == 0 ? XF_E_STALL : XF_E_GONE);
        talk_free(t);
    }
}

static void a_proxy_that_breaks_is_followed_by_blocks(void **state)
{
    static const uint64_t at[] = { 1, 65536, 1000000, SIZE - 1 };

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        struct talk *t = talk_new();

        only(t, R, XF_VIA_PROXY, XF_VIA_IBB, XF_VIA_NONE);
        t->proxy = talk_proxy_new();
        t->side[R].config.proxies[0] = PROXY;
        talk_proxy_cut(t->proxy, at[i]);
        talk_begin(t);
        talk_offer_new(t, "a.bin", SIZE);
        talk_until_over(t, 1, 1);
        check_whole(t, "a.bin", XF_VIA_IBB);
        talk_check_once(t, "a.bin", 2);
        talk_free(t);
    }
}

static void all_three_ways_bring_one_file(void **state)
{
    struct talk *t = by(XF_VIA_DIRECT, XF_VIA_PROXY);

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_PROXY, XF_VIA_IBB);
    t->proxy = talk_proxy_new();
    t->side[R].config.proxies[0] = PROXY;
    talk_relay_cut(t->relay, 1, SIZE * 3 / 10, TALK_END);
    talk_proxy_cut(t->proxy, SIZE * 3 / 10);
    talk_begin(t);
    talk_offer_new(t, "a.bin", SIZE);
    talk_until_over(t, 1, 1);
    check_whole(t, "a.bin", XF_VIA_IBB);
    talk_check_once(t, "a.bin", 3);
    assert_int_equal(
        talk_attempt(t, J, XF_VIA_PROXY, XF_ATTEMPT_OPEN, 1)->offset,
        SIZE * 3 / 10);
    assert_int_equal(talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 1)->offset,
                     SIZE * 6 / 10);
    talk_free(t);
}

static void a_refused_block_of_any_kind_is_sent_again(void **state)
{
    static const char *const conditions[] = {
        "item-not-found",        "resource-constraint", "unexpected-request",
        "not-acceptable",        "bad-request",         "service-unavailable",
        "recipient-unavailable",
    };
    char error[256];

    (void)state;
    for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
        struct talk *t = by(XF_VIA_IBB, XF_VIA_NONE);

        snprintf(error, sizeof error,
                 "<error type='cancel'><%s "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
                 conditions[i]);
        talk_error(t, R, "seq=\"4\"", 1, error);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 400000);
        talk_until_over(t, 1, 1);
        check_whole(t, "a.bin", XF_VIA_IBB);
        assert_int_equal(
            talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 2)->offset,
            4 * 32768);
        talk_free(t);
    }
}

/* Three further offers in a row that move no byte. */
static void what_never_moves_ends_and_says_why(void **state)
{
    struct talk *t = by(XF_VIA_IBB, XF_VIA_NONE);

    (void)state;
    talk_error(t, R, "<data ", 0, TALK_NOT_ACCEPTABLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_PROTO);
    assert_non_null(talk_note(t, J, XF_EVENT_FAILED, 1));
    assert_int_equal(talk_count(t, R, "<si "), 3);
    assert_int_equal(talk_count(t, R, "<stop "), 1);
    talk_check_nothing(t);
    talk_free(t);
}

/* Also of the disk: another way would not help. */
static void a_file_that_changes_while_it_goes_is_over_for_both(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = by(vias[i], XF_VIA_NONE);
        const char *path = talk_file(t, "a.bin", 30000000);
        FILE *f;

        talk_begin(t);
        talk_offer(t, path, NULL);
        while (t->side[J].progress < 1)
            talk_run(t, 1);
        f = fopen(path, "a");
        assert_non_null(f);
        fputs("more", f);
        fclose(f);
        talk_until_over(t, 1, 1);
        talk_check_failed(t, R, XF_E_SRC);
        talk_check_failed(t, J, XF_E_SHORT);
        assert_non_null(talk_said(t, R, "reason=\"changed\"", 1));
        talk_check_nothing(t);
        talk_free(t);
    }
}

/* --- the end ---------------------------------------------------------------------- */

static void the_end_may_be_doubled_or_late_and_so_may_its_answer(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (size_t i = 0; i < 2 * 4; i++) {
        struct talk *t = by(vias[i % 2], XF_VIA_NONE);

        if (i / 2 == 0)
            talk_rule(t, R, "<end ", 1, TALK_DOUBLE);
        else if (i / 2 == 1)
            talk_rule(t, R, "<end ", 1, TALK_DELAY)->ms = 400;
        else if (i / 2 == 2)
            talk_rule(t, J, "type=\"result\"", 0, TALK_DELAY)->ms = 60;
        else
            talk_rule(t, J, "<iq", 0, TALK_DOUBLE);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 100000);
        talk_until_over(t, 1, 1);
        check_whole(t, "a.bin", vias[i % 2]);
        talk_free(t);
    }
}

static void a_wrong_sum_delivers_nothing_and_both_know(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = by(vias[i], XF_VIA_NONE);

        talk_alter(t, R, "<end ", 1, "algo=\"sha-256\">",
                   "algo='sha-256'>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
                   "</hash><hash>");
        talk_begin(t);
        talk_offer_new(t, "a.bin", 100000);
        talk_until_over(t, 1, 1);
        for (int j = 0; j < TALK_SIDES; j++) {
            talk_check_failed(t, (enum talk_who)j, XF_E_HASH);
            assert_int_equal(
                talk_note(t, (enum talk_who)j, XF_EVENT_FAILED, 1)->verified,
                XF_MISMATCH);
        }
        talk_check_nothing(t);
        talk_free(t);
    }
}

static const char *key_of(const struct talk *t)
{
    return talk_attr(talk_said(t, R, "<transfer ", 1)->xml, "transfer", "id");
}

static const char *const strangers[] = {
    MALLORY,
    "romeo@montague.example/elsewhere",
    "romeo@montague.example",
    "juliet@capulet.example",
    "capulet.example",
};

/* Who knows the key, and is neither of the two. */
static void end_and_stop_of_strangers_are_not_heard(void **state)
{
    struct talk *t = by(XF_VIA_IBB, XF_VIA_NONE);
    size_t n = sizeof strangers / sizeof *strangers;
    char id[16], match[32];

    (void)state;
    talk_rule(t, R, "seq=\"2\"", 1, TALK_DELAY)->ms = 150;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_said(t, R, "seq=\"2\"", 1);
    for (size_t i = 0; i < n; i++) {
        for (int to = 0; to < TALK_SIDES; to++) {
            talk_feed(t, (enum talk_who)to,
                      "<iq type='set' id='e%zu' from='%s' to='%s'><end "
                      "xmlns='urn:xferry:0' id='%s'/></iq>",
                      i, strangers[i], t->side[to].jid, key_of(t));
            talk_feed(t, (enum talk_who)to,
                      "<iq type='set' id='s%zu' from='%s' to='%s'><stop "
                      "xmlns='urn:xferry:0' id='%s' reason='cancelled'/></iq>",
                      i, strangers[i], t->side[to].jid, key_of(t));
        }
    }
    talk_until_over(t, 1, 1);
    check_whole(t, "a.bin", XF_VIA_IBB);
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "e%zu", i);
        snprintf(match, sizeof match, "id=\"%s\"", id);
        assert_non_null(
            strstr(talk_said(t, J, match, 1)->xml, "item-not-found"));
    }
    talk_free(t);
}

static void a_stop_that_is_malformed_stops_nothing(void **state)
{
    static const char *const bad[] = {
        "<stop xmlns='urn:xferry:0'/>",
        "<stop xmlns='urn:xferry:0' id=''/>",
        "<stop xmlns='urn:xferry:0' id='0123456789abcdef'/>",
        "<stop xmlns='urn:xferry:0' id='00000000000000000000000000000000'/>",
        "<other xmlns='urn:xferry:0'/>",
    };
    struct talk *t = by(XF_VIA_IBB, XF_VIA_NONE);

    (void)state;
    talk_rule(t, R, "seq=\"2\"", 1, TALK_DELAY)->ms = 100;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_said(t, R, "seq=\"2\"", 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        talk_feed(t, J,
                  "<iq type='set' id='b%zu' from='" ROMEO "' to='" JULIET
                  "'>%s</iq>",
                  i, bad[i]);
    talk_until_over(t, 1, 1);
    check_whole(t, "a.bin", XF_VIA_IBB);
    assert_non_null(
        strstr(talk_said(t, J, "id=\"b0\"", 1)->xml, "bad-request"));
    assert_non_null(
        strstr(talk_said(t, J, "id=\"b4\"", 1)->xml, "bad-request"));
    talk_free(t);
}

static void without_a_sum_it_is_confirmed_and_not_verified(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };
    struct xf_offer_options options = { .hash = "none" };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct talk *t = by(vias[i % 2], XF_VIA_NONE);
        const struct talk_note *n;

        if (i >= 2 && vias[i % 2] == XF_VIA_DIRECT)
            talk_relay_cut(t->relay, 1, 50000, TALK_END);
        else if (i >= 2)
            talk_error(t, R, "seq=\"1\"", 1, TALK_NOT_FOUND);
        talk_begin(t);
        talk_offer(t, talk_file(t, "a.bin", 100000), &options);
        talk_until_over(t, 1, 1);
        talk_check_well(t, vias[i % 2], "a.bin");
        /* Every block had left before one was refused. */
        assert_int_equal(talk_count(t, R, "<end "), i >= 2 ? 2 : 1);
        assert_null(talk_said(t, R, "sha-256", 1));
        n = talk_note(t, R, XF_EVENT_DONE, 1);
        assert_true(n->confirmed);
        assert_int_equal(n->verified, XF_NOT_VERIFIED);
        n = talk_note(t, J, XF_EVENT_DONE, 1);
        assert_int_equal(n->verified, XF_NOT_VERIFIED);
        talk_free(t);
    }
}

/* --- a cancel that crosses ----------------------------------------------------------- */

/* The stream is seen to break before the word arrives. */
static void who_cancelled_is_not_asked_again(void **state)
{
    struct talk *t = by(XF_VIA_DIRECT, XF_VIA_IBB);

    (void)state;
    talk_rule(t, J, "<stop ", 1, TALK_DELAY)->ms = 200;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 30000000);
    while (t->side[J].progress < 1)
        talk_run(t, 1);
    xf_transfer_cancel(t->offered);
    talk_until_over(t, 1, 1);
    talk_run(t, 300);
    talk_check_failed(t, J, XF_E_CANCELLED);
    talk_check_failed(t, R, XF_E_DECLINED);
    assert_int_equal(t->side[J].offers, 1);
    talk_check_parts(t, 1);
    t->parts_stay = true;
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_direct_stream_cut_at_any_byte_goes_on_in_band),
        cmocka_unit_test(a_direct_stream_that_breaks_is_followed_by_another),
        cmocka_unit_test(what_came_before_it_broke_is_not_sent_again),
        cmocka_unit_test(a_direct_stream_that_hangs_is_left),
        cmocka_unit_test(a_proxy_that_breaks_is_followed_by_blocks),
        cmocka_unit_test(all_three_ways_bring_one_file),
        cmocka_unit_test(a_refused_block_of_any_kind_is_sent_again),
        cmocka_unit_test(what_never_moves_ends_and_says_why),
        cmocka_unit_test(a_file_that_changes_while_it_goes_is_over_for_both),
        cmocka_unit_test(the_end_may_be_doubled_or_late_and_so_may_its_answer),
        cmocka_unit_test(a_wrong_sum_delivers_nothing_and_both_know),
        cmocka_unit_test(end_and_stop_of_strangers_are_not_heard),
        cmocka_unit_test(a_stop_that_is_malformed_stops_nothing),
        cmocka_unit_test(without_a_sum_it_is_confirmed_and_not_verified),
        cmocka_unit_test(who_cancelled_is_not_asked_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
