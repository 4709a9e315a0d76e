/* Offers and what becomes of them: names, sizes, noes, cancels, strangers. */
#include "talk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/disco.h"

static struct talk *inband(void)
{
    struct talk *t = talk_new();

    t->side[R].config.via[0] = XF_VIA_IBB;
    t->side[R].config.via[1] = XF_VIA_NONE;
    return t;
}

/* One of whom nothing is known: one small block at a time. */
static struct talk *one_by_one(void)
{
    struct talk *t = inband();

    t->side[J].info = "<identity category='client' type='pc' name='Nobody'/>";
    return t;
}

static void feed_offer(struct talk *t, const char *from, const char *id,
                       const char *sid, const char *name, const char *size)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='%s' to='" JULIET "'>"
              "<si xmlns='http://jabber.org/protocol/si' id='%s' profile="
              "'http://jabber.org/protocol/si/profile/file-transfer'><file "
              "xmlns='http://jabber.org/protocol/si/profile/file-transfer' "
              "name='%s' size='%s'/><feature "
              "xmlns='http://jabber.org/protocol/feature-neg'><x "
              "xmlns='jabber:x:data' type='form'><field var='stream-method' "
              "type='list-single'><option><value>"
              "http://jabber.org/protocol/ibb</value></option></field></x>"
              "</feature></si></iq>",
              id, from, sid, name, size);
}

/* What Juliet answered to a request, or "". */
static const char *answer(const struct talk *t, const char *id)
{
    char key[64];
    const struct talk_stanza *one;

    snprintf(key, sizeof key, "id=\"%s\"", id);
    one = talk_said(t, J, key, 1);
    return one ? one->xml : "";
}

static void is_error(const struct talk *t, const char *id, const char *what)
{
    if (!strstr(answer(t, id), "type=\"error\"") ||
        !strstr(answer(t, id), what))
        fail_msg("not %s: %s", what, answer(t, id));
}

/* --- noes ----------------------------------------------------------------------- */

static void a_persons_no_is_told_as_one(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_offers(t, 1);
    assert_int_equal(
        xf_transfer_decline(t->offered, XF_E_DECLINED, "not <now>"), 0);
    assert_int_equal(xf_transfer_decline(t->offered, 0, NULL), XF_E_USAGE);
    assert_int_equal(xf_transfer_accept(t->offered, t->in_fd, t->exists),
                     XF_E_USAGE);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_DECLINED);
    talk_check_failed(t, J, XF_E_DECLINED);
    assert_non_null(
        strstr(talk_note(t, R, XF_EVENT_FAILED, 1)->text, "not <now>"));
    assert_non_null(talk_said(t, J, "forbidden", 1));
    talk_check_nothing(t);
    talk_free(t);
}

static void a_hostile_name_is_refused_without_a_question(void **state)
{
    static const char *const names[] = {
        "..",       ".",        "../x",     "a/../../x",  "/etc/x",
        "//h/s",    "\\\\h\\s", "..\\x",    "C:x",        "C:\\x",
        "",         "a/",       "./.",      ".bashrc",    ".ssh",
        "CON",      "nul.txt",  "COM1",     "a.",         "a ",
        "a:stream", "a&#10;b",  "a&#127;b", "a&#x202E;b", "a&#x85;b",
    };
    struct talk *t = inband();
    size_t n = sizeof names / sizeof *names;
    char id[16], sid[16];

    (void)state;
    talk_begin(t);
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "n%zu", i);
        snprintf(sid, sizeof sid, "s%zu", i);
        feed_offer(t, ROMEO, id, sid, names[i], "10");
        talk_until_over(t, 0, (unsigned)i + 1);
    }
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "n%zu", i);
        is_error(t, id, "forbidden");
        assert_int_equal(
            talk_note(t, J, XF_EVENT_FAILED, (unsigned)i + 1)->code, XF_E_NAME);
    }
    assert_int_equal(t->side[J].offers, 0);
    talk_check_nothing(t);
    talk_free(t);
}

/* Each has its answer; the user is not buried under them. */
static void a_flood_of_bad_offers_is_answered_and_told_in_part(void **state)
{
    struct talk *t = inband();
    char id[16], sid[16];

    (void)state;
    talk_begin(t);
    for (int i = 0; i < 1000; i++) {
        snprintf(id, sizeof id, "n%d", i);
        snprintf(sid, sizeof sid, "s%d", i);
        feed_offer(t, ROMEO, id, sid, "../x", "10");
    }
    talk_run(t, 20);
    assert_int_equal(talk_count(t, J, "forbidden"), 1000);
    assert_in_range(t->side[J].ends, 1, 100);
    /* Who behaves is heard as ever. */
    feed_offer(t, ROMEO, "good", "good", "a.bin", "10");
    talk_until_offers(t, 1);
    talk_free(t);
}

static void a_size_that_is_none_is_refused_without_a_question(void **state)
{
    static const char *const sizes[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x10",
        "1e3",
        "1.0",
        "9223372036854775808",
        "18446744073709551616",
        "1000000000000000000000000000000000000000",
        "NaN"
    };
    struct talk *t = inband();
    size_t n = sizeof sizes / sizeof *sizes;
    char id[16], sid[16];

    (void)state;
    talk_begin(t);
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "n%zu", i);
        snprintf(sid, sizeof sid, "s%zu", i);
        feed_offer(t, ROMEO, id, sid, "a.bin", sizes[i]);
    }
    talk_until_over(t, 0, (unsigned)n);
    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "n%zu", i);
        is_error(t, id, "bad-request");
        assert_int_equal(
            talk_note(t, J, XF_EVENT_FAILED, (unsigned)i + 1)->code, XF_E_SIZE);
    }
    assert_int_equal(t->side[J].offers, 0);
    talk_free(t);
}

static void more_than_there_is_room_for_is_declined(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    feed_offer(t, ROMEO, "n1", "s1", "a.bin", "9223372036854775807");
    talk_until_over(t, 0, 1);
    talk_check_failed(t, J, XF_E_NOSPC);
    is_error(t, "n1", "too large");
    talk_check_nothing(t);
    talk_free(t);
}

static void a_name_that_exists_is_declined_when_told_so(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    t->exists = XF_EXISTS_REFUSE;
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 2, 2);
    assert_int_equal(talk_note(t, J, XF_EVENT_FAILED, 1)->code, XF_E_EXISTS);
    assert_int_equal(talk_note(t, R, XF_EVENT_FAILED, 1)->code, XF_E_DECLINED);
    talk_check_same(t, "a.bin", "a.bin");
    talk_free(t);
}

static void a_ninth_offer_without_an_answer_has_to_wait(void **state)
{
    struct talk *t = inband();
    char id[16], sid[16];

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    for (int i = 0; i < 9; i++) {
        snprintf(id, sizeof id, "n%d", i);
        snprintf(sid, sizeof sid, "s%d", i);
        feed_offer(t, ROMEO, id, sid, "a.bin", "10");
    }
    talk_until_offers(t, 8);
    talk_run(t, 20);
    assert_int_equal(t->side[J].offers, 8);
    is_error(t, "n8", "resource-constraint");
    /* Of somebody else one is welcome. */
    feed_offer(t, MALLORY, "m1", "s0", "a.bin", "10");
    talk_until_offers(t, 9);
    talk_free(t);
}

static void a_sid_in_use_is_refused_and_free_again_afterwards(void **state)
{
    struct talk *t = one_by_one();

    (void)state;
    talk_rule(t, R, "seq=\"2\"", 1, TALK_DELAY)->ms = 150;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 50000);
    talk_until_said(t, R, "seq=\"1\"", 1);
    feed_offer(t, ROMEO, "n1", talk_sid(t), "b.bin", "10");
    talk_run(t, 20);
    is_error(t, "n1", "stream id in use");
    assert_int_equal(t->side[J].offers, 1);
    /* The same of another JID is another stream. */
    feed_offer(t, MALLORY, "n2", talk_sid(t), "b.bin", "10");
    talk_until_offers(t, 2);
    talk_until_over(t, 1, 1);
    talk_check_same(t, "a.bin", "a.bin");
    feed_offer(t, ROMEO, "n3", talk_sid(t), "c.bin", "10");
    talk_until_offers(t, 3);
    talk_free(t);
}

static void an_offer_from_nowhere_is_refused(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    talk_feed(t, J,
              "<iq type='set' id='n1'><si "
              "xmlns='http://jabber.org/protocol/si' id='s1'/></iq>");
    talk_run(t, 20);
    is_error(t, "n1", "bad-request");
    assert_int_equal(t->side[J].offers, 0);
    talk_free(t);
}

/* --- the end before the end --------------------------------------------------------- */

static void sender_cancels_before_the_answer(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[J].info = talk_stranger;
    t->by_hand = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_offers(t, 1);
    xf_transfer_cancel(t->sent);
    talk_until_over(t, 1, 0);
    talk_check_failed(t, R, XF_E_CANCELLED);
    /* Yes to what is no more: nobody sends, and nobody is stuck. */
    assert_int_equal(xf_transfer_accept(t->offered, t->in_fd, t->exists), 0);
    talk_run(t, 20);
    talk_feed(t, J,
              "<presence type='unavailable' from='" ROMEO "' to='" JULIET
              "'/>");
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_GONE);
    talk_check_nothing(t);
    talk_free(t);
}

/* The question is taken back: nobody says yes to what is no more. */
static void a_cancel_before_the_answer_takes_the_offer_back_between_ours(
    void **state)
{
    struct talk *t = inband();

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_offers(t, 1);
    xf_transfer_cancel(t->sent);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_CANCELLED);
    talk_check_failed(t, J, XF_E_GONE);
    assert_int_equal(talk_count(t, R, "<stop "), 1);
    assert_non_null(talk_said(t, R, "reason=\"cancelled\"", 1));
    talk_check_nothing(t);
    talk_free(t);
}

static void sender_cancels_in_the_middle(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = talk_new();
        const struct talk_note *n;

        t->side[R].config.via[0] = vias[i];
        t->side[R].config.via[1] = XF_VIA_NONE;
        t->side[R].config.block_size = 4096;
        t->side[J].info = talk_stranger;
        talk_begin(t);
        talk_offer_new(t, "a.bin", 30000000);
        while (t->side[J].progress < 1)
            talk_run(t, 1);
        xf_transfer_cancel(t->sent);
        talk_until_over(t, 1, 1);
        talk_check_failed(t, R, XF_E_CANCELLED);
        n = talk_note(t, J, XF_EVENT_FAILED, 1);
        assert_non_null(n);
        assert_true(n->code == XF_E_SHORT || n->code == XF_E_GONE);
        talk_check_nothing(t);
        talk_free(t);
    }
}

static void receiver_cancels_in_the_middle(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = talk_new();
        const struct talk_note *n;

        t->side[R].config.via[0] = vias[i];
        t->side[R].config.via[1] = XF_VIA_NONE;
        t->side[R].config.block_size = 4096;
        t->side[J].info = talk_stranger;
        talk_begin(t);
        talk_offer_new(t, "a.bin", 30000000);
        while (t->side[J].progress < 1)
            talk_run(t, 1);
        xf_transfer_cancel(t->offered);
        talk_until_over(t, 1, 1);
        talk_check_failed(t, J, XF_E_CANCELLED);
        n = talk_note(t, R, XF_EVENT_FAILED, 1);
        assert_non_null(n);
        assert_int_equal(n->code, XF_E_GONE);
        talk_check_nothing(t);
        talk_free(t);
    }
}

/* Its presence says that it is one of ours: no question before the offer. Of
 * another it says nothing. */
static void whose_caps_are_ours_is_not_asked(void **state)
{
    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        struct talk *t = talk_new();
        char ver[XF_CAPS_VER_LEN + 1];

        assert_true(xf_caps_own(true, ver));
        if (!ours)
            ver[0] ^= 1;
        talk_begin(t);
        talk_feed(t, R,
                  "<presence from='" JULIET "' to='" ROMEO "'><c "
                  "xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
                  "node='" XF_CAPS_NODE "' ver='%s'/></presence>",
                  ver);
        talk_offer_new(t, "a.bin", 1000);
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_DIRECT, "a.bin");
        assert_int_equal(talk_count(t, R, "disco#info'/>") +
                             talk_count(t, R, "disco#info\"/>"),
                         !ours);
        assert_string_equal(talk_note(t, R, XF_EVENT_OFFERED, 1)->dialect,
                            "xferry");
        talk_free(t);
    }
}

/* Told by <stop/>, so that both end at once; and what is there is of use to
 * the next offer of the same file. */
static void cancel_in_the_middle(enum xf_via via, enum talk_who who)
{
    struct talk *t = talk_new();
    enum talk_who other = who == R ? J : R;
    /* More than goes at once. */
    const char *path =
        talk_file(t, "a.bin", via == XF_VIA_IBB ? 6000000 : 30000000);
    const struct talk_note *n;
    int64_t at;

    t->side[R].config.via[0] = via;
    t->side[R].config.via[1] = XF_VIA_NONE;
    t->side[R].config.block_size = 32768;
    talk_begin(t);
    talk_offer(t, path, NULL);
    while (t->side[J].progress < 1)
        talk_run(t, 1);
    at = talk_now();
    xf_transfer_cancel(who == R ? t->sent : t->offered);
    talk_until_over(t, 1, 1);
    assert_in_range(talk_now() - at, 0, 2000);
    talk_check_failed(t, who, XF_E_CANCELLED);
    talk_check_failed(t, other, who == R ? XF_E_GONE : XF_E_DECLINED);
    assert_int_equal(talk_count(t, who, "<stop "), 1);
    assert_int_equal(talk_count(t, other, "<stop "), 0);
    assert_non_null(talk_said(t, who, "reason=\"cancelled\"", 1));
    talk_check_parts(t, 1);
    talk_offer(t, path, NULL);
    talk_until_over(t, 2, 2);
    n = talk_note(t, J, XF_EVENT_RESUMED, 1);
    assert_non_null(n);
    assert_true(n->offset > 0);
    assert_int_equal(talk_note(t, R, XF_EVENT_RESUMED, 1)->offset, n->offset);
    assert_int_equal(talk_note(t, R, XF_EVENT_RESUMED, 1)->code, 0);
    assert_int_equal(t->side[J].offers, 2);
    assert_non_null(talk_note(t, R, XF_EVENT_DONE, 1));
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    talk_check_same(t, "a.bin", "a.bin");
    talk_free(t);
}

static void a_cancel_is_told_and_leaves_what_can_be_gone_on_with(void **state)
{
    (void)state;
    cancel_in_the_middle(XF_VIA_IBB, R);
    cancel_in_the_middle(XF_VIA_IBB, J);
    cancel_in_the_middle(XF_VIA_DIRECT, R);
    cancel_in_the_middle(XF_VIA_DIRECT, J);
}

static void a_contact_that_goes_away_is_told_at_once(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_offers(t, 1);
    talk_feed(t, R,
              "<presence type='unavailable' from='" JULIET "' to='" ROMEO
              "'/>");
    talk_feed(t, J,
              "<presence type='unavailable' from='" ROMEO "' to='" JULIET
              "'/>");
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_GONE);
    talk_check_failed(t, J, XF_E_GONE);
    talk_free(t);
}

static void a_contact_that_goes_away_in_the_middle_of_blocks_is_gone(
    void **state)
{
    struct talk *t = one_by_one();

    (void)state;
    talk_rule(t, R, "seq=\"5\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000000);
    talk_until_said(t, R, "seq=\"5\"", 1);
    talk_feed(t, J,
              "<presence type='unavailable' from='" ROMEO "' to='" JULIET
              "'/>");
    talk_feed(t, R,
              "<presence type='unavailable' from='" JULIET "' to='" ROMEO
              "'/>");
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_GONE);
    talk_check_failed(t, J, XF_E_GONE);
    talk_check_nothing(t);
    talk_free(t);
}

static void a_lost_connection_ends_what_needs_it(void **state)
{
    struct talk *t = one_by_one();

    (void)state;
    talk_rule(t, R, "seq=\"5\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000000);
    talk_until_said(t, R, "seq=\"5\"", 1);
    assert_int_equal(xf_session_attach(t->side[R].s, NULL), 0);
    assert_int_equal(xf_session_attach(t->side[J].s, NULL), 0);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_STREAM);
    talk_check_failed(t, J, XF_E_STREAM);
    talk_check_nothing(t);
    /* And it can be had again. */
    assert_int_equal(xf_session_attach(t->side[R].s, ROMEO), 0);
    assert_int_equal(xf_session_attach(t->side[J].s, JULIET), 0);
    talk_offer_new(t, "b.bin", 5000);
    talk_until_over(t, 2, 2);
    talk_check_same(t, "b.bin", "b.bin");
    talk_free(t);
}

static void no_byte_for_too_long_is_a_stall(void **state)
{
    struct talk *t = one_by_one();

    (void)state;
    t->side[R].config.stall_ms = t->side[J].config.stall_ms = 300;
    talk_rule(t, R, "seq=\"5\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_STALL);
    assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
    assert_non_null(talk_note(t, R, XF_EVENT_FAILED, 1));
    talk_check_nothing(t);
    talk_free(t);
}

static void sessions_may_be_freed_at_any_moment(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (int workers = 0; workers <= 2; workers += 2) {
        for (int turns = 0; turns < 40; turns++) {
            struct talk *t = talk_new();

            t->side[R].config.via[0] = vias[turns % 2];
            t->side[R].config.via[1] = XF_VIA_NONE;
            t->side[R].config.workers = t->side[J].config.workers = workers;
            talk_begin(t);
            talk_offer_new(t, "a.bin", 3000000);
            for (int i = 0; i < turns; i++)
                talk_run(t, 0);
            t->parts_stay = true;
            talk_free(t);
        }
    }
}

static void sessions_may_be_closed_at_any_moment(void **state)
{
    (void)state;
    for (int turns = 0; turns < 20; turns++) {
        struct talk *t = talk_new();

        t->side[R].config.via[0] = turns % 2 ? XF_VIA_IBB : XF_VIA_DIRECT;
        t->side[R].config.via[1] = XF_VIA_NONE;
        talk_begin(t);
        talk_offer_new(t, "a.bin", 3000000);
        for (int i = 0; i < turns; i++)
            talk_run(t, 0);
        xf_session_close(t->side[R].s);
        xf_session_close(t->side[J].s);
        talk_run(t, 10);
        assert_non_null(talk_note(t, R, XF_EVENT_OFFLINE, 1));
        assert_non_null(talk_note(t, J, XF_EVENT_OFFLINE, 1));
        if (!talk_note(t, J, XF_EVENT_DONE, 1))
            talk_check_no_names(t);
        t->parts_stay = true;
        talk_free(t);
    }
}

/* --- lost and doubled ------------------------------------------------------------------ */

/* Whatever is said twice: it ends, and nothing false is delivered. */
static void any_stanza_may_come_twice(void **state)
{
    (void)state;
    for (unsigned side = 0; side < TALK_SIDES; side++) {
        for (unsigned nth = 1; nth <= 8; nth++) {
            struct talk *t = inband();
            const struct talk_note *done;

            t->side[R].config.block_size = 4096;
            talk_rule(t, (enum talk_who)side, "<", nth, TALK_DOUBLE);
            talk_begin(t);
            talk_offer_new(t, "a.bin", 10000);
            talk_until_over(t, 1, 1);
            if (talk_note(t, J, XF_EVENT_DONE, 1))
                talk_check_same(t, "a.bin", "a.bin");
            else
                talk_check_nothing(t);
            done = talk_note(t, R, XF_EVENT_DONE, 1);
            if (done && done->confirmed)
                assert_non_null(talk_note(t, J, XF_EVENT_DONE, 1));
            talk_free(t);
        }
    }
}

/* Whatever is lost: who says "confirmed" is right, and no half file is there.
 * What needs minutes to be given up is ended by the contact's going away. */
static void any_stanza_may_be_lost(void **state)
{
    (void)state;
    for (unsigned side = 0; side < TALK_SIDES; side++) {
        for (unsigned nth = 1; nth <= 8; nth++) {
            struct talk *t = inband();
            const struct talk_note *done;

            t->side[J].info = talk_stranger;
            t->side[R].config.block_size = 4096;
            talk_rule(t, (enum talk_who)side, "<", nth, TALK_DROP);
            talk_begin(t);
            talk_offer_new(t, "a.bin", 10000);
            talk_run(t, 150);
            for (int i = 0; i < TALK_SIDES; i++)
                talk_feed(t, (enum talk_who)i,
                          "<presence type='unavailable' from='%s' to='%s'/>",
                          t->side[!i].jid, t->side[i].jid);
            talk_until_over(t, 1, 0);
            done = talk_note(t, R, XF_EVENT_DONE, 1);
            if (done && done->confirmed)
                assert_non_null(talk_note(t, J, XF_EVENT_DONE, 1));
            if (talk_note(t, J, XF_EVENT_DONE, 1))
                talk_check_same(t, "a.bin", "a.bin");
            else
                talk_check_nothing(t);
            talk_free(t);
        }
    }
}

static void a_doubled_offer_is_one_offer(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_rule(t, R, "<si ", 1, TALK_DOUBLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(t->side[J].offers, 1);
    talk_free(t);
}

static void a_doubled_answer_is_one_answer(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_rule(t, J, "submit", 1, TALK_DOUBLE);
    talk_rule(t, J, "<iq", 0, TALK_DOUBLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_count(t, R, "<open "), 1);
    talk_free(t);
}

/* --- strangers ------------------------------------------------------------------------- */

static const char *const strangers[] = {
    MALLORY,
    "romeo@montague.example/elsewhere",
    "romeo@montague.example",
    "montague.example",
    "capulet.example",
    NULL, /* who is told it, himself */
};

static const char *stranger(const struct talk *t, enum talk_who to, size_t i)
{
    i %= sizeof strangers / sizeof *strangers;
    return strangers[i] ? strangers[i] : t->side[to].jid;
}

#define STRANGERS (sizeof strangers / sizeof *strangers)

static void answer_falsely(struct talk *t, const char *xml)
{
    const char *id = talk_attr(xml, NULL, "id");

    for (size_t i = 0; i < STRANGERS; i++) {
        talk_feed(t, R,
                  "<iq type='error' id='%s' from='%s' to='" ROMEO "'>"
                  "<error type='cancel'><forbidden xmlns="
                  "'urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
                  id, stranger(t, R, i));
        talk_feed(t, R, "<iq type='result' id='%s' from='%s' to='" ROMEO "'/>",
                  id, stranger(t, R, i));
    }
    talk_feed(t, R, "<iq type='result' id='%s' to='" ROMEO "'/>", id);
}

/* The lesson of CVE-2013-6483 and CVE-2014-0364. */
static void answers_from_a_wrong_jid_are_no_answers(void **state)
{
    struct talk *t = talk_new();
    size_t said;

    (void)state;
    talk_call(t, R, "type=\"set\"", 0, answer_falsely);
    talk_call(t, R, "type=\"get\"", 0, answer_falsely);
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_begin(t);
    said = talk_count(t, R, "<");
    answer_falsely(t, "<iq id='never-said'/>");
    assert_int_equal(talk_count(t, R, "<"), said);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

/* They know the sid, and the number that is due. */
static void ten_thousand_blocks_of_strangers_are_not_kept(void **state)
{
    struct talk *t = one_by_one();
    unsigned refused;

    (void)state;
    talk_rule(t, R, "seq=\"2\"", 1, TALK_DELAY)->ms = 200;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 50000);
    talk_until_said(t, R, "seq=\"2\"", 1);
    for (unsigned i = 0; i < 10000; i++) {
        size_t len;

        talk_feed(t, J,
                  "<iq type='set' id='x%u' from='%s' to='" JULIET "'><data "
                  "xmlns='http://jabber.org/protocol/ibb' sid='%s' seq='2'>"
                  "TUFMTE9SWQ==</data></iq>",
                  i, stranger(t, J, i), talk_sid(t));
        /* Taken here: the trail is not made for so many. */
        refused = 0;
        for (const char *xml;
             (xml = xf_session_next_stanza(t->side[J].s, &len)) != NULL;)
            refused += strstr(xml, "item-not-found") != NULL;
        assert_int_equal(refused, 1);
    }
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void a_stranger_can_neither_open_nor_close_nor_offer_hosts(void **state)
{
    struct talk *t = one_by_one();
    char id[16];

    (void)state;
    talk_rule(t, R, "seq=\"2\"", 1, TALK_DELAY)->ms = 200;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 50000);
    talk_until_said(t, R, "seq=\"2\"", 1);
    for (size_t i = 0; i < STRANGERS; i++) {
        snprintf(id, sizeof id, "c%zu", i);
        talk_feed(t, J,
                  "<iq type='set' id='%s' from='%s'><close sid='%s' "
                  "xmlns='http://jabber.org/protocol/ibb'/></iq>",
                  id, stranger(t, J, i), talk_sid(t));
        talk_feed(t, R,
                  "<iq type='set' id='%s' from='%s'><close sid='%s' "
                  "xmlns='http://jabber.org/protocol/ibb'/></iq>",
                  id, stranger(t, R, i), talk_sid(t));
        snprintf(id, sizeof id, "o%zu", i);
        talk_feed(t, J,
                  "<iq type='set' id='%s' from='%s'><open sid='%s' "
                  "block-size='4096' "
                  "xmlns='http://jabber.org/protocol/ibb'/></iq>",
                  id, stranger(t, J, i), talk_sid(t));
        snprintf(id, sizeof id, "q%zu", i);
        talk_feed(t, J,
                  "<iq type='set' id='%s' from='%s'><query sid='%s' "
                  "xmlns='http://jabber.org/protocol/bytestreams'>"
                  "<streamhost jid='%s' host='127.0.0.1' port='9'/>"
                  "</query></iq>",
                  id, stranger(t, J, i), talk_sid(t), stranger(t, J, i));
    }
    talk_until_over(t, 1, 1);
    for (size_t i = 0; i < STRANGERS; i++) {
        snprintf(id, sizeof id, "c%zu", i);
        is_error(t, id, "item-not-found");
        snprintf(id, sizeof id, "o%zu", i);
        is_error(t, id, "not-acceptable");
        snprintf(id, sizeof id, "q%zu", i);
        is_error(t, id, "not-acceptable");
    }
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_null(talk_note(t, J, XF_EVENT_ATTEMPT, 2));
    talk_free(t);
}

static void what_was_not_offered_is_not_opened(void **state)
{
    struct talk *t = inband();
    unsigned fds;

    (void)state;
    talk_begin(t);
    fds = talk_fds();
    talk_feed(t, J,
              "<iq type='set' id='o1' from='" ROMEO "'><open sid='s1' "
              "block-size='4096' xmlns='http://jabber.org/protocol/ibb'/>"
              "</iq>");
    talk_feed(t, J,
              "<iq type='set' id='q1' from='" ROMEO "'><query sid='s1' "
              "xmlns='http://jabber.org/protocol/bytestreams'><streamhost "
              "jid='" ROMEO "' host='127.0.0.1' port='9'/></query></iq>");
    talk_run(t, 20);
    is_error(t, "o1", "not-acceptable");
    is_error(t, "q1", "not-acceptable");
    assert_int_equal(talk_fds(), fds);
    talk_free(t);
}

/* --- for the embedder ------------------------------------------------------------------- */

static void what_is_not_ours_is_left_to_the_embedder(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    assert_int_equal(talk_feed(t, J,
                               "<message from='" ROMEO
                               "'><body>hello</body></message>"),
                     0);
    assert_int_equal(talk_feed(t, J,
                               "<iq type='get' id='1' from='" ROMEO
                               "'><ping xmlns='urn:xmpp:ping'/></iq>"),
                     0);
    assert_int_equal(
        talk_feed(t, J, "<iq type='result' id='1' from='" ROMEO "'/>"), 0);
    assert_int_equal(talk_feed(t, J, "<presence from='" ROMEO "'/>"), 0);
    assert_int_equal(talk_feed(t, J, "<iq"), -XF_E_PROTO);
    assert_int_equal(talk_feed(t, J, "<!DOCTYPE a><a/>"), -XF_E_PROTO);
    talk_run(t, 10);
    assert_int_equal(talk_count(t, J, "<"), 0);
    talk_free(t);
}

static void what_cannot_be_offered_is_said_at_once(void **state)
{
    struct xf_offer_options name = { .name = "a/b" };
    struct xf_offer_options hash = { .hash = "crc" };
    struct talk *t = talk_new();
    struct xf_transfer *out;
    struct xf_session *s;
    const char *path = talk_file(t, "a.bin", 10);

    (void)state;
    talk_begin(t);
    s = t->side[R].s;
    assert_int_equal(xf_offer_file(s, JULIET, t->dir, NULL, &out), XF_E_USAGE);
    assert_int_equal(xf_offer_file(s, JULIET, "/nowhere", NULL, &out), XF_E_IO);
    assert_int_equal(xf_offer_file(s, "@", path, NULL, &out), XF_E_USAGE);
    assert_int_equal(xf_offer_file(s, JULIET, path, &name, &out), XF_E_USAGE);
    assert_int_equal(xf_offer_file(s, JULIET, path, &hash, &out), XF_E_USAGE);
    assert_null(out);
    talk_run(t, 10);
    assert_int_equal(talk_count(t, R, "<"), 0);
    talk_free(t);
}

static void the_name_and_the_words_of_the_offer_are_shown(void **state)
{
    struct xf_offer_options options = { .name = "b \xc3\xbc & <c>.bin",
                                        .desc = "x < y & \"z\"" };
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    talk_offer(t, talk_file(t, "a.bin", 10), &options);
    talk_until_over(t, 1, 1);
    assert_string_equal(talk_note(t, J, XF_EVENT_OFFER, 1)->name, options.name);
    talk_check_same(t, "a.bin", options.name);
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_persons_no_is_told_as_one),
        cmocka_unit_test(a_hostile_name_is_refused_without_a_question),
        cmocka_unit_test(a_flood_of_bad_offers_is_answered_and_told_in_part),
        cmocka_unit_test(a_size_that_is_none_is_refused_without_a_question),
        cmocka_unit_test(more_than_there_is_room_for_is_declined),
        cmocka_unit_test(a_name_that_exists_is_declined_when_told_so),
        cmocka_unit_test(a_ninth_offer_without_an_answer_has_to_wait),
        cmocka_unit_test(a_sid_in_use_is_refused_and_free_again_afterwards),
        cmocka_unit_test(an_offer_from_nowhere_is_refused),
        cmocka_unit_test(sender_cancels_before_the_answer),
        cmocka_unit_test(
            a_cancel_before_the_answer_takes_the_offer_back_between_ours),
        cmocka_unit_test(sender_cancels_in_the_middle),
        cmocka_unit_test(receiver_cancels_in_the_middle),
        cmocka_unit_test(whose_caps_are_ours_is_not_asked),
        cmocka_unit_test(a_cancel_is_told_and_leaves_what_can_be_gone_on_with),
        cmocka_unit_test(a_contact_that_goes_away_is_told_at_once),
        cmocka_unit_test(
            a_contact_that_goes_away_in_the_middle_of_blocks_is_gone),
        cmocka_unit_test(a_lost_connection_ends_what_needs_it),
        cmocka_unit_test(no_byte_for_too_long_is_a_stall),
        cmocka_unit_test(sessions_may_be_freed_at_any_moment),
        cmocka_unit_test(sessions_may_be_closed_at_any_moment),
        cmocka_unit_test(any_stanza_may_come_twice),
        cmocka_unit_test(any_stanza_may_be_lost),
        cmocka_unit_test(a_doubled_offer_is_one_offer),
        cmocka_unit_test(a_doubled_answer_is_one_answer),
        cmocka_unit_test(answers_from_a_wrong_jid_are_no_answers),
        cmocka_unit_test(ten_thousand_blocks_of_strangers_are_not_kept),
        cmocka_unit_test(a_stranger_can_neither_open_nor_close_nor_offer_hosts),
        cmocka_unit_test(what_was_not_offered_is_not_opened),
        cmocka_unit_test(what_is_not_ours_is_left_to_the_embedder),
        cmocka_unit_test(what_cannot_be_offered_is_said_at_once),
        cmocka_unit_test(the_name_and_the_words_of_the_offer_are_shown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
