/*
 * What a contact's program is taken for, from what it shows, and what is done
 * otherwise because of it. Juliet's program is played by what her side says.
 */
#include "talk.h"

#include <unistd.h>

#define FEATURE(name) "<feature var='" name "'/>"
#define TAKES_FILES                                                            \
    FEATURE("http://jabber.org/protocol/si")                                   \
    FEATURE("http://jabber.org/protocol/si/profile/file-transfer")             \
    FEATURE("http://jabber.org/protocol/bytestreams")                          \
    FEATURE("http://jabber.org/protocol/ibb")
#define DISCO FEATURE("http://jabber.org/protocol/disco#info")
#define VERSION FEATURE("jabber:iq:version")
#define NAMED(name) "<identity category='client' type='pc' name='" name "'/>"
#define ONE_S5B                                                                \
    "<field var=\"stream-method\"><value>"                                     \
    "http://jabber.org/protocol/bytestreams</value></field>"
#define TWO_VALUES                                                             \
    "<field var=\"stream-method\"><value>"                                     \
    "http://jabber.org/protocol/bytestreams</value><value>"                    \
    "http://jabber.org/protocol/ibb</value></field>"

static void is_dialect(const struct talk_note *n, const char *dialect,
                       const char *evidence)
{
    assert_non_null(n);
    assert_string_equal(n->dialect, dialect);
    assert_string_equal(n->evidence, evidence);
}

/* Romeo to Juliet, who says this of herself; by any way. */
static struct talk *to(const char *info)
{
    struct talk *t = talk_new();

    t->side[J].info = info;
    return t;
}

static void whole(struct talk *t, size_t size)
{
    talk_begin(t);
    talk_offer_new(t, "a.bin", size);
    talk_until_over(t, 1, 1);
}

/* --- what is told --------------------------------------------------------------- */

static void dialect_and_evidence_are_told_from_the_offer_to_the_end(
    void **state)
{
    static const enum xf_event_type told[] = { XF_EVENT_OFFERED,
                                               XF_EVENT_ACCEPTED,
                                               XF_EVENT_DONE };
    struct talk *t = to(NULL);

    (void)state;
    whole(t, 1000);
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        is_dialect(talk_note(t, R, told[i], 1), "xferry",
                   "feature urn:xferry:0");
    is_dialect(talk_note(t, J, XF_EVENT_DONE, 1), "xferry",
               "feature urn:xferry:0");
    /* Nobody is asked before the user is. */
    is_dialect(talk_note(t, J, XF_EVENT_OFFER, 1), "", "");
    is_dialect(talk_attempt(t, R, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 1), "", "");
    talk_free(t);
}

static void of_an_unknown_program_there_is_no_evidence(void **state)
{
    struct talk *t = to(NAMED("Unheard-of") DISCO TAKES_FILES);

    (void)state;
    whole(t, 1000);
    is_dialect(talk_note(t, R, XF_EVENT_OFFERED, 1), "unknown", "");
    is_dialect(talk_note(t, R, XF_EVENT_DONE, 1), "unknown", "");
    talk_free(t);
}

static void what_was_configured_is_told_as_such(void **state)
{
    struct talk *t = to(NAMED("Pidgin") TAKES_FILES);

    (void)state;
    t->side[R].config.dialect = "gloox";
    whole(t, 1000);
    is_dialect(talk_note(t, R, XF_EVENT_DONE, 1), "gloox", "as configured");
    talk_free(t);
}

static void presence_tells_before_anybody_is_asked(void **state)
{
    struct talk *t = to(NAMED("Whatever") DISCO TAKES_FILES VERSION);

    (void)state;
    talk_begin(t);
    (void)talk_feed(t, R,
                    "<presence from='%s' to='%s'><c "
                    "xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
                    "node='http://pidgin.im/' ver='x'/></presence>",
                    JULIET, ROMEO);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    is_dialect(talk_note(t, R, XF_EVENT_OFFERED, 1), "libpurple",
               "caps node http://pidgin.im/");
    assert_null(talk_said(t, R, "jabber:iq:version", 1));
    talk_free(t);
}

/* --- the version ------------------------------------------------------------------ */

static void smack_4_1(struct talk *t, const char *xml)
{
    talk_feed(t, R,
              "<iq type='result' id='%s' from='%s' to='%s'><query "
              "xmlns='jabber:iq:version'><name>Papyrus (Smack 4.1.9)</name>"
              "<version>2</version></query></iq>",
              talk_attr(xml, NULL, "id"), JULIET, ROMEO);
}

static void the_version_of_an_unknown_program_is_asked(void **state)
{
    struct talk *t = to(NAMED("Papyrus") DISCO TAKES_FILES VERSION);

    (void)state;
    talk_call(t, R, "jabber:iq:version", 1, smack_4_1);
    whole(t, 1000);
    is_dialect(talk_note(t, R, XF_EVENT_OFFERED, 1), "smack-3",
               "version Papyrus (Smack 4.1.9) 2");
    /* And kept: the next file asks nobody. */
    talk_offer_new(t, "b.bin", 1000);
    talk_until_over(t, 2, 2);
    is_dialect(talk_note(t, R, XF_EVENT_OFFERED, 2), "smack-3",
               "version Papyrus (Smack 4.1.9) 2");
    assert_int_equal(talk_count(t, R, "jabber:iq:version"), 1);
    talk_free(t);
}

static void who_does_not_announce_it_is_not_asked_for_its_version(void **state)
{
    struct talk *t = to(NAMED("Papyrus") DISCO TAKES_FILES);

    (void)state;
    whole(t, 1000);
    assert_null(talk_said(t, R, "jabber:iq:version", 1));
    talk_free(t);
}

static void a_version_that_is_never_told_delays_by_3_s_at_most(void **state)
{
    struct talk *t = to(NAMED("Papyrus") DISCO TAKES_FILES VERSION);
    int64_t ms;

    (void)state;
    talk_rule(t, R, "jabber:iq:version", 1, TALK_DROP);
    whole(t, 1000);
    ms = talk_said(t, R, "<si ", 1)->at_ms -
         talk_said(t, R, "jabber:iq:version", 1)->at_ms;
    assert_in_range(ms, 2900, 3500);
    is_dialect(talk_note(t, R, XF_EVENT_DONE, 1), "unknown", "");
    talk_free(t);
}

/* --- toward old Smacks --------------------------------------------------------------- */

/* The answer corrects what was thought: in-band under the same id, once. */
static void two_values_are_followed_by_in_band_under_the_same_id(void **state)
{
    struct talk *t = to(NAMED("Smack") DISCO TAKES_FILES);

    (void)state;
    talk_alter(t, J, "<si ", 1, ONE_S5B, TWO_VALUES);
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    whole(t, 20000);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    is_dialect(talk_note(t, R, XF_EVENT_OFFERED, 1), "smack",
               "identity \"Smack\"");
    is_dialect(talk_note(t, R, XF_EVENT_ACCEPTED, 1), "smack-3",
               "two values in the answer");
    is_dialect(talk_note(t, R, XF_EVENT_DONE, 1), "smack-3",
               "two values in the answer");
    assert_int_equal(talk_count(t, R, "<si "), 1);
    assert_string_equal(
        talk_attr(talk_said(t, R, "<open ", 1)->xml, "open", "sid"),
        talk_sid(t));
    assert_non_null(talk_said(t, R, "stanza=\"iq\"", 1));
    assert_int_equal(talk_count(t, R, "<message"), 0);
    for (size_t i = 1; i < t->trail_count; i++)
        assert_false(strstr(t->trail[i].xml, "<data ") &&
                     strstr(t->trail[i - 1].xml, "<data "));
    talk_free(t);
}

static void a_smack_from_before_3_3_is_offered_as_in_2007(void **state)
{
    struct talk *t = to(NAMED("Smack") TAKES_FILES VERSION);

    (void)state;
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    whole(t, 20000);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    is_dialect(talk_note(t, R, XF_EVENT_DONE, 1), "smack-early",
               "identity \"Smack\" without the feature disco#info");
    assert_non_null(talk_said(t, R, "list-multi", 1));
    /* The two of them read an <open/> that says messages. */
    assert_non_null(talk_said(t, R, "stanza=\"message\"", 1));
    assert_int_equal(talk_count(t, R, "<message"), 5);
    assert_int_equal(talk_count(t, R, "<si "), 1);
    assert_null(talk_said(t, R, "jabber:iq:version", 1));
    talk_free(t);
}

/* --- blocks out of order --------------------------------------------------------------- */

static void who_saw_blocks_out_of_order_gets_the_file_again_one_by_one(
    void **state)
{
    struct talk *t = to(NAMED("Pidgin") TAKES_FILES);
    size_t from = 0;

    (void)state;
    t->side[R].config.via[0] = XF_VIA_IBB;
    t->side[R].config.via[1] = XF_VIA_NONE;
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DELAY)->ms = 100;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 60000);
    talk_until_over(t, 1, 2);
    assert_int_equal(talk_note(t, J, XF_EVENT_FAILED, 1)->code, XF_E_PROTO);
    assert_non_null(talk_note(t, R, XF_EVENT_DONE, 1));
    talk_check_same(t, "a.bin", "a.bin");
    assert_int_equal(talk_count(t, R, "<si "), 2);
    assert_int_equal(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_FAILED, 1)->code,
                     XF_E_PROTO);
    assert_null(talk_note(t, R, XF_EVENT_OFFERED, 2));
    /* The next file, too, goes block by block. */
    talk_offer_new(t, "b.bin", 60000);
    talk_until_over(t, 2, 3);
    for (size_t i = 0; i < t->trail_count; i++)
        if (&t->trail[i] == talk_said(t, R, "<open ", 2))
            from = i;
    assert_true(from > 0);
    for (size_t i = from; i < t->trail_count; i++)
        assert_false(strstr(t->trail[i].xml, "<data ") &&
                     strstr(t->trail[i - 1].xml, "<data "));
    talk_free(t);
}

/* --- what a program cannot ---------------------------------------------------------------- */

static void a_file_that_a_program_cannot_count_is_not_sent_in_band(void **state)
{
    struct talk *t = to(NAMED("Based on QXmpp") TAKES_FILES);
    const char *path = talk_file(t, "a.bin", 1);
    const struct talk_note *n;

    (void)state;
    assert_int_equal(truncate(path, 300l << 20), 0);
    t->side[R].config.via[0] = XF_VIA_IBB;
    t->side[R].config.via[1] = XF_VIA_NONE;
    talk_begin(t);
    talk_offer(t, path, NULL);
    talk_until_over(t, 1, 0);
    n = talk_note(t, R, XF_EVENT_FAILED, 1);
    assert_non_null(n);
    assert_int_equal(n->code, XF_E_NOMETHOD);
    assert_non_null(strstr(n->text, "cannot count"));
    assert_null(talk_said(t, R, "<open ", 1));
    xf_transfer_cancel(t->offered);
    talk_until_over(t, 1, 1);
    talk_free(t);
}

static void where_in_band_cannot_be_it_is_not_offered(void **state)
{
    struct talk *t = to(NAMED("Based on QXmpp") TAKES_FILES);
    const char *path = talk_file(t, "a.bin", 1);

    (void)state;
    assert_int_equal(truncate(path, 300l << 20), 0);
    t->by_hand = true;
    talk_begin(t);
    talk_offer(t, path, NULL);
    talk_until_offers(t, 1);
    assert_null(talk_said(t, R, "protocol/ibb", 1));
    xf_transfer_cancel(t->sent);
    talk_until_over(t, 1, 0);
    talk_free(t);
}

static void libpurple_is_told_four_streamhosts_at_most(void **state)
{
    static const char *const five[] = { "127.0.0.1:9", "127.0.0.2:9",
                                        "127.0.0.3:9", "127.0.0.4:9",
                                        "127.0.0.5:9" };
    static const struct {
        const char *info;
        unsigned told;
    } cases[] = { { NAMED("Pidgin") TAKES_FILES, 4 },
                  { NAMED("Papyrus") TAKES_FILES, 5 } };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = to(cases[i].info);
        const char *at;
        unsigned told = 0;

        for (size_t j = 0; j < 5; j++)
            t->side[R].config.addresses[j] = five[j];
        whole(t, 1000);
        at = talk_said(t, R, "<streamhost ", 1)->xml;
        while ((at = strstr(at, "<streamhost ")) != NULL)
            told++, at++;
        assert_int_equal(told, cases[i].told);
        talk_free(t);
    }
}

/* --- offered by a Smack ------------------------------------------------------------------ */

/* Juliet is offered a file; Romeo is played. */
static struct talk *offered(const char *romeo, const char *sid)
{
    struct talk *t = talk_new();

    t->side[R].info = romeo;
    talk_begin(t);
    assert_int_equal(
        talk_feed(
            t, J,
            "<iq type='set' id='o1' from='%s' to='%s'><si "
            "xmlns='http://jabber.org/protocol/si' id='%s' profile="
            "'http://jabber.org/protocol/si/profile/file-transfer'><file "
            "xmlns='http://jabber.org/protocol/si/profile/file-transfer' "
            "name='a.bin' size='10'/><feature "
            "xmlns='http://jabber.org/protocol/feature-neg'><x "
            "xmlns='jabber:x:data' type='form'><field var='stream-method' "
            "type='list-single'><option><value>"
            "http://jabber.org/protocol/bytestreams</value></option><option>"
            "<value>http://jabber.org/protocol/ibb</value></option></field>"
            "</x></feature></si></iq>",
            ROMEO, JULIET, sid),
        1);
    return t;
}

static unsigned values(struct talk *t)
{
    const char *at;
    unsigned n = 0;

    talk_until_said(t, J, "<si ", 1);
    at = talk_said(t, J, "<si ", 1)->xml;
    while ((at = strstr(at, "<value>")) != NULL)
        n++, at++;
    return n;
}

static void done_with(struct talk *t)
{
    xf_transfer_cancel(t->offered);
    talk_until_over(t, 0, 1);
    talk_free(t);
}

/* It falls back only where both were answered. */
static void an_old_smack_is_answered_both_methods(void **state)
{
    struct talk *t = offered(NAMED("Smack") TAKES_FILES, "jsi_12");

    (void)state;
    assert_int_equal(values(t), 2);
    done_with(t);
}

/* It cannot read two. */
static void a_new_smack_is_answered_one_method(void **state)
{
    struct talk *t = offered(NAMED("Smack") DISCO TAKES_FILES, "jsi_12");

    (void)state;
    assert_int_equal(values(t), 1);
    is_dialect(talk_note(t, J, XF_EVENT_OFFER, 1), "smack",
               "an offer with an id that begins jsi_");
    done_with(t);
}

static void spark_2_9(struct talk *t, const char *xml)
{
    talk_feed(t, J,
              "<iq type='result' id='%s' from='%s' to='%s'><query "
              "xmlns='jabber:iq:version'><name>Spark</name>"
              "<version>2.9.4</version></query></iq>",
              talk_attr(xml, NULL, "id"), ROMEO, JULIET);
}

static void the_answer_waits_for_the_version_of_a_smack(void **state)
{
    struct talk *t =
        offered(NAMED("Spark") DISCO TAKES_FILES VERSION, "jsi_12");

    (void)state;
    talk_call(t, J, "jabber:iq:version", 1, spark_2_9);
    assert_int_equal(values(t), 2);
    done_with(t);
}

static void a_smack_that_says_nothing_is_answered_after_3_s(void **state)
{
    struct talk *t = offered("", "jsi_12");
    int64_t since = talk_now(), ms;

    (void)state;
    assert_int_equal(values(t), 1);
    ms = talk_now() - since;
    assert_in_range(ms, 2900, 3600);
    done_with(t);
}

static void who_is_no_smack_is_answered_at_once(void **state)
{
    struct talk *t = offered("", "0a1b2c");
    int64_t since = talk_now();

    (void)state;
    assert_int_equal(values(t), 1);
    assert_in_range(talk_now() - since, 0, 500);
    done_with(t);
}

static void who_cancels_while_the_answer_waits_is_told_no(void **state)
{
    struct talk *t = offered("", "jsi_12");

    (void)state;
    talk_until_offers(t, 1);
    talk_run(t, 50);
    xf_transfer_cancel(t->offered);
    talk_until_over(t, 0, 1);
    assert_null(talk_said(t, J, "<si ", 1));
    assert_non_null(talk_said(t, J, "forbidden", 1));
    talk_free(t);
}

static void who_went_away_is_asked_anew(void **state)
{
    struct talk *t = to(NAMED("Papyrus") DISCO TAKES_FILES VERSION);

    (void)state;
    talk_call(t, R, "jabber:iq:version", 0, smack_4_1);
    whole(t, 1000);
    (void)talk_feed(t, R, "<presence type='unavailable' from='%s' to='%s'/>",
                    JULIET, ROMEO);
    talk_offer_new(t, "b.bin", 1000);
    talk_until_over(t, 2, 2);
    assert_int_equal(talk_count(t, R, "jabber:iq:version"), 2);
    talk_free(t);
}

int main(void)
{
#define CASE(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        CASE(dialect_and_evidence_are_told_from_the_offer_to_the_end),
        CASE(of_an_unknown_program_there_is_no_evidence),
        CASE(what_was_configured_is_told_as_such),
        CASE(presence_tells_before_anybody_is_asked),
        CASE(the_version_of_an_unknown_program_is_asked),
        CASE(who_does_not_announce_it_is_not_asked_for_its_version),
        CASE(a_version_that_is_never_told_delays_by_3_s_at_most),
        CASE(two_values_are_followed_by_in_band_under_the_same_id),
        CASE(a_smack_from_before_3_3_is_offered_as_in_2007),
        CASE(who_saw_blocks_out_of_order_gets_the_file_again_one_by_one),
        CASE(a_file_that_a_program_cannot_count_is_not_sent_in_band),
        CASE(where_in_band_cannot_be_it_is_not_offered),
        CASE(libpurple_is_told_four_streamhosts_at_most),
        CASE(an_old_smack_is_answered_both_methods),
        CASE(a_new_smack_is_answered_one_method),
        CASE(the_answer_waits_for_the_version_of_a_smack),
        CASE(a_smack_that_says_nothing_is_answered_after_3_s),
        CASE(who_is_no_smack_is_answered_at_once),
        CASE(who_cancels_while_the_answer_waits_is_told_no),
        CASE(who_went_away_is_asked_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
