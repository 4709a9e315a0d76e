/*
 * Two of ours go on with what an earlier process, an earlier transfer or an
 * earlier connection has left; and begin at 0 where that is of another file.
 */
#include "talk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/session.h"

#define BLOCK 32768u
#define BYTES 1000000u
#define PREFIX_AT "<prefix "
#define UNAVAILABLE                                                            \
    "<error type='cancel'><service-unavailable "                               \
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

static struct talk *by(enum xf_via via)
{
    struct talk *t = talk_new();

    t->side[R].config.via[0] = via;
    t->side[R].config.via[1] = XF_VIA_NONE;
    t->side[R].config.block_size = BLOCK;
    return t;
}

static char *part_of(const struct talk *t, const char *suffix)
{
    static char path[TALK_PATH + 256];
    DIR *dir = opendir(t->in);
    struct dirent *e;

    path[0] = '\0';
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL)
        if (strstr(e->d_name, suffix))
            snprintf(path, sizeof path, "%s/%s", t->in, e->d_name);
    closedir(dir);
    assert_string_not_equal(path, "");
    return path;
}

static uint64_t size_of(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return (uint64_t)st.st_size;
}

/* The last of all is well, compared and the same. */
static void check_last(const struct talk *t, const char *name)
{
    const struct talk_note *n = talk_note(t, R, XF_EVENT_DONE, 1);

    assert_non_null(n);
    assert_true(n->confirmed);
    assert_int_equal(n->verified, XF_VERIFIED);
    n = talk_note(t, J, XF_EVENT_DONE, 1);
    assert_non_null(n);
    assert_int_equal(n->verified, XF_VERIFIED);
    assert_null(talk_note(t, J, XF_EVENT_DONE, 2));
    talk_check_same(t, name, name);
    assert_string_equal(n->path, name);
}

/* --- a receiver that crashed ----------------------------------------------------- */

/* Both are killed with `bytes` at Juliet's; then both again, one offer. */
static struct talk *killed_at(uint64_t bytes, const char **path)
{
    struct talk *t = by(XF_VIA_DIRECT);

    talk_relay_put(t);
    talk_relay_cut(t->relay, 1, bytes, TALK_SILENCE);
    talk_begin(t);
    *path = talk_file(t, "a.bin", BYTES);
    talk_offer(t, *path, NULL);
    talk_until_offers(t, 1);
    while (t->offered->done < bytes)
        talk_run(t, 1);
    xf_transfer_cancel(t->offered); /* it stays as a part */
    talk_run(t, 20);
    talk_kill(t, J);
    talk_kill(t, R);
    return t;
}

static void what_a_killed_pair_left_is_gone_on_with(void **state)
{
    static const uint64_t at[] = { 1, BLOCK - 1, BLOCK, BLOCK + 1, BYTES - 1 };

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        const char *path;
        struct talk *t = killed_at(at[i], &path);
        const struct talk_note *n;

        assert_int_equal(size_of(part_of(t, ".part")), at[i]);
        t->side[R].ends = t->side[J].ends = 0;
        talk_again(t, J);
        talk_again(t, R);
        talk_offer(t, path, NULL);
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        n = talk_note(t, J, XF_EVENT_RESUMED, 1);
        assert_non_null(n);
        assert_int_equal(n->offset, at[i]);
        assert_int_equal(n->code, 0);
        n = talk_note(t, R, XF_EVENT_RESUMED, 1);
        assert_non_null(n);
        assert_int_equal(n->offset, at[i]);
        assert_int_equal(n->code, 0);
        assert_int_equal(talk_relay_bytes(t->relay), BYTES);
        assert_non_null(talk_said(t, J, PREFIX_AT, 1));
        talk_free(t);
    }
}

/* A session that is freed in the middle leaves what a killed process does. */
static void a_receiver_killed_in_the_middle_goes_on_for_the_same_sender(
    void **state)
{
    struct talk *t = by(XF_VIA_IBB);
    const char *path = talk_file(t, "a.bin", BYTES);
    uint64_t had;

    (void)state;
    talk_rule(t, R, "seq=\"10\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer(t, path, NULL);
    talk_until_said(t, R, "seq=\"10\"", 1);
    talk_run(t, 10);
    talk_kill(t, J);
    /* The next stream may have begun meanwhile. */
    had = size_of(part_of(t, ".part"));
    assert_true(had >= 10 * BLOCK && had < BYTES);
    talk_again(t, J);
    talk_feed(t, R,
              "<presence type='unavailable' from='" JULIET "' to='" ROMEO
              "'/>");
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    assert_int_equal(t->side[J].offers, 2);
    assert_int_equal(talk_note(t, J, XF_EVENT_RESUMED, 1)->offset, had);
    /* It knows itself what it has brought. */
    assert_null(talk_note(t, R, XF_EVENT_RESUMED, 1));
    talk_free(t);
}

/* --- what was done to the part ------------------------------------------------------ */

enum harm { BIT, CUT, GROWN, DELETED, JOURNAL_GONE, JOURNAL_TORN, HARMS };

static void do_harm(struct talk *t, enum harm harm, uint64_t had)
{
    const char *path = part_of(t, harm < JOURNAL_GONE ? ".part" : ".journal");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char byte;

    assert_true(fd >= 0);
    switch (harm) {
    case BIT:
        assert_int_equal(pread(fd, &byte, 1, 7), 1);
        byte ^= 4;
        assert_int_equal(pwrite(fd, &byte, 1, 7), 1);
        break;
    case CUT:
        assert_int_equal(ftruncate(fd, (off_t)had / 2), 0);
        break;
    case GROWN:
        assert_int_equal(ftruncate(fd, (off_t)had + 5000), 0);
        break;
    case DELETED:
    case JOURNAL_GONE:
        assert_int_equal(unlink(path), 0);
        break;
    case JOURNAL_TORN:
        assert_int_equal(pwrite(fd, "?", 1, 20), 1);
        break;
    case HARMS:
        break;
    }
    close(fd);
}

static void a_part_that_was_tampered_with_makes_no_wrong_file(void **state)
{
    enum { HAD = 300001 };

    (void)state;
    for (int harm = 0; harm < HARMS; harm++) {
        const char *path;
        struct talk *t = killed_at(HAD, &path);
        const struct talk_note *n;

        do_harm(t, (enum harm)harm, HAD);
        t->side[R].ends = t->side[J].ends = 0;
        talk_again(t, J);
        talk_again(t, R);
        talk_offer(t, path, NULL);
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        n = talk_note(t, R, XF_EVENT_RESUMED, 1);
        switch (harm) {
        case BIT:
            assert_non_null(n);
            assert_int_equal(n->code, XF_E_RESUME);
            assert_int_equal(
                talk_attempt(t, R, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 2)->offset,
                0);
            break;
        case CUT:
            assert_non_null(n);
            assert_int_equal(n->code, 0);
            assert_int_equal(n->offset, HAD / 2);
            break;
        case GROWN: /* what is durable is not touched by it */
            assert_non_null(n);
            assert_int_equal(n->code, 0);
            assert_int_equal(n->offset, HAD);
            break;
        default:
            assert_null(n);
        }
        assert_int_equal(t->side[J].offers, 2);
        t->parts_stay = harm >= JOURNAL_GONE;
        talk_free(t);
    }
}

/* --- another state of the source ------------------------------------------------------ */

static void another_state_of_the_file_begins_at_the_beginning(void **state)
{
    (void)state;
    for (int how = 0; how < 3; how++) {
        const char *path;
        struct talk *t = killed_at(300000, &path);
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                     { .tv_sec = 1234567 } };
        int fd = open(path, O_RDWR | O_CLOEXEC);

        assert_true(fd >= 0);
        if (how > 0)
            assert_int_equal(pwrite(fd, "another", 7, how == 1 ? 0 : 500000),
                             7);
        else
            assert_int_equal(futimens(fd, times), 0);
        close(fd);
        t->side[R].ends = t->side[J].ends = 0;
        talk_again(t, J);
        talk_again(t, R);
        talk_offer(t, path, NULL);
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        assert_null(talk_note(t, J, XF_EVENT_RESUMED, 1));
        assert_int_equal(
            talk_attempt(t, J, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 2)->offset, 0);
        talk_free(t);
    }
}

/* Its time says that it is the same, and it is not. */
static void what_lies_about_its_time_is_found_out_by_its_sum(void **state)
{
    const char *path;
    struct talk *t = killed_at(300000, &path);
    struct stat st;
    struct timespec times[2];
    int fd = open(path, O_RDWR | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    times[0] = st.st_atim;
    times[1] = st.st_mtim;
    assert_int_equal(pwrite(fd, "another", 7, 100), 7);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    t->side[R].ends = t->side[J].ends = 0;
    talk_again(t, J);
    talk_again(t, R);
    talk_offer(t, path, NULL);
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    assert_int_equal(talk_note(t, R, XF_EVENT_RESUMED, 1)->code, XF_E_RESUME);
    assert_non_null(talk_said(t, R, " most=", 1));
    assert_int_equal(
        talk_attempt(t, J, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 2)->offset, 0);
    talk_free(t);
}

/* --- a sender that crashed --------------------------------------------------------------- */

static void a_sender_that_begins_anew_is_taken_for_the_same(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_DIRECT, XF_VIA_IBB };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = by(vias[i]);
        const char *path = talk_file(t, "a.bin", BYTES);
        const struct talk_note *n = NULL;

        if (i == 0) {
            talk_relay_put(t);
            talk_relay_cut(t->relay, 1, 400000, TALK_END);
            talk_rule(t, R, "<si ", 2, TALK_DROP);
        } else {
            talk_rule(t, R, "seq=\"10\"", 1, TALK_DROP);
        }
        talk_begin(t);
        talk_offer(t, path, NULL);
        talk_until_said(t, R, i == 0 ? "<si " : "seq=\"10\"", i == 0 ? 2 : 1);
        talk_run(t, 10);
        talk_kill(t, R);
        talk_feed(t, J,
                  "<presence type='unavailable' from='" ROMEO "' to='" JULIET
                  "'/>");
        talk_run(t, 10);
        assert_int_equal(t->side[J].ends, 0);
        talk_again(t, R);
        talk_offer(t, path, NULL);
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        assert_int_equal(t->side[J].offers, 1);
        for (unsigned nth = 2;
             talk_attempt(t, J, vias[i], XF_ATTEMPT_OPEN, nth); nth++)
            n = talk_attempt(t, J, vias[i], XF_ATTEMPT_OPEN, nth);
        assert_non_null(n);
        if (i == 0)
            assert_int_equal(n->offset, 400000);
        else /* the next stream may have begun meanwhile */
            assert_true(n->offset >= 10 * BLOCK && n->offset < BYTES);
        assert_int_equal(talk_note(t, R, XF_EVENT_RESUMED, 1)->offset,
                         n->offset);
        talk_free(t);
    }
}

/* --- the key ------------------------------------------------------------------------------ */

#define S5B_IBB                                                                \
    "<feature xmlns='http://jabber.org/protocol/feature-neg'><x "              \
    "xmlns='jabber:x:data' type='form'><field var='stream-method' "            \
    "type='list-single'><option><value>http://jabber.org/protocol/ibb"         \
    "</value></option></field></x></feature>"

static void feed_offer(struct talk *t, const char *id, const char *from,
                       const char *key, const char *more)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='%s' to='" JULIET "'>"
              "<si xmlns='http://jabber.org/protocol/si' id='sid-%s' profile="
              "'http://jabber.org/protocol/si/profile/file-transfer'><file "
              "xmlns='http://jabber.org/protocol/si/profile/file-transfer' "
              "name='a.bin' size='%u'><range/></file>" S5B_IBB "<transfer "
              "xmlns='urn:xferry:0' id='%s' sum='sha-256'%s/></si></iq>",
              id, from, id, BYTES, key, more);
}

static const char *answer(const struct talk *t, const char *id)
{
    char key[64];
    const struct talk_stanza *one;

    snprintf(key, sizeof key, "id=\"%s\"", id);
    one = talk_said(t, J, key, 1);
    return one ? one->xml : "";
}

static const char *key_of(const struct talk *t)
{
    return talk_attr(talk_said(t, R, "<transfer ", 1)->xml, "transfer", "id");
}

static void the_key_of_somebody_elses_transfer_is_a_new_offer(void **state)
{
    struct talk *t = by(XF_VIA_IBB);

    (void)state;
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DELAY)->ms = 200;
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_said(t, R, "seq=\"3\"", 1);
    t->by_hand = true;
    feed_offer(t, "m", MALLORY, key_of(t), "");
    talk_until_offers(t, 2);
    assert_string_equal(answer(t, "m"), "");
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    talk_free(t);
}

static void an_offer_that_ended_well_is_answered_with_the_whole(void **state)
{
    struct talk *t = by(XF_VIA_IBB);

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    feed_offer(t, "n", ROMEO, key_of(t), "");
    talk_run(t, 20);
    assert_non_null(strstr(answer(t, "n"), "offset=\"1000000\""));
    assert_int_equal(t->side[J].offers, 1);
    talk_feed(t, J,
              "<iq type='set' id='e' from='" ROMEO "' to='" JULIET "'><end "
              "xmlns='urn:xferry:0' id='%s'/></iq>",
              key_of(t));
    talk_run(t, 20);
    assert_non_null(strstr(answer(t, "e"), "type=\"result\""));
    /* Of another account it says nothing. */
    talk_feed(t, J,
              "<iq type='set' id='x' from='" MALLORY "' to='" JULIET "'><end "
              "xmlns='urn:xferry:0' id='%s'/></iq>",
              key_of(t));
    talk_run(t, 20);
    assert_non_null(strstr(answer(t, "x"), "item-not-found"));
    talk_free(t);
}

static void an_offer_that_ended_badly_is_refused(void **state)
{
    struct talk *t = by(XF_VIA_IBB);

    (void)state;
    talk_alter(t, R, "<end ", 1, "algo=\"sha-256\">",
               "algo='sha-256'>47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
               "</hash><hash>");
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_HASH);
    feed_offer(t, "n", ROMEO, key_of(t), "");
    talk_run(t, 20);
    assert_non_null(strstr(answer(t, "n"), "forbidden"));
    assert_int_equal(t->side[J].offers, 1);
    talk_check_nothing(t);
    talk_free(t);
}

/* Between what is there and what the sender can use the smaller counts. */
static void no_more_is_named_than_the_sender_takes(void **state)
{
    static const struct {
        const char *most;
        const char *offset;
    } cases[] = {
        { " most='0'", NULL },
        { " most='1'", "offset=\"1\"" },
        { " most='70000'", "offset=\"70000\"" },
        { " most='9223372036854775807'", "offset=\"98304\"" },
        { " most='-1'", NULL },
        { " most='9223372036854775808'", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const char *const lost[] = { "seq=\"3\"", "seq=\"4\"",
                                            "seq=\"5\"", "seq=\"6\"",
                                            "seq=\"7\"", "seq=\"8\"" };
        struct talk *t = by(XF_VIA_IBB);
        char key[64];

        /* None behind it either: Juliet would say that it is missing. */
        for (size_t k = 0; k < sizeof lost / sizeof *lost; k++)
            talk_rule(t, R, lost[k], 1, TALK_DROP);
        talk_begin(t);
        talk_offer_new(t, "a.bin", BYTES);
        talk_until_said(t, R, lost[0], 1);
        talk_run(t, 5);
        snprintf(key, sizeof key, "%s", key_of(t));
        talk_kill(t, R);
        feed_offer(t, "n", ROMEO, key, cases[i].most);
        talk_run(t, 20);
        assert_non_null(strstr(answer(t, "n"), "submit"));
        if (cases[i].offset)
            assert_non_null(strstr(answer(t, "n"), cases[i].offset));
        else
            assert_null(strstr(answer(t, "n"), "offset="));
        t->parts_stay = true;
        talk_free(t);
    }
}

/* --- the connection ------------------------------------------------------------------------ */

static void lose(struct talk *t, enum talk_who who, const char *as)
{
    assert_int_equal(xf_session_attach(t->side[who].s, NULL), 0);
    talk_run(t, 30);
    t->side[who].jid = as;
    assert_int_equal(xf_session_attach(t->side[who].s, as), 0);
}

#define ROMEO_2 "romeo@montague.example/balcony"

/* Of a transfer that was accepted nothing is lost with the connection. */
static void a_lost_connection_is_no_lost_transfer(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (int i = 0; i < 6; i++) {
        struct talk *t = by(vias[i % 2]);
        enum talk_who who = i / 2 == 2 ? J : R;
        const char *as = i / 2 == 0 ? ROMEO : i / 2 == 1 ? ROMEO_2 : JULIET;

        t->side[R].config.block_size = i % 2 ? 0 : 4096;
        talk_begin(t);
        talk_offer_new(t, "a.bin", i % 2 ? 30000000 : BYTES);
        if (i % 2 == 0)
            talk_until_said(t, R, "seq=\"20\"", 1);
        else
            while (t->side[J].progress < 1)
                talk_run(t, 1);
        lose(t, who, as);
        if (who == J && i % 2 == 0) /* or a block is not answered for long */
            talk_feed(t, R,
                      "<presence type='unavailable' from='" JULIET "' to='%s'"
                      "/>",
                      t->side[R].jid);
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        assert_int_equal(t->side[J].offers, 1);
        assert_non_null(talk_note(t, who, XF_EVENT_OFFLINE, 1));
        talk_free(t);
    }
}

static void an_offer_that_is_out_is_made_again(void **state)
{
    struct talk *t = by(XF_VIA_IBB);

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_offers(t, 1);
    lose(t, R, ROMEO);
    talk_until_said(t, R, "<si ", 2);
    talk_run(t, 20);
    assert_int_equal(t->side[J].offers, 1);
    assert_int_equal(xf_transfer_accept(t->offered, t->in_fd, t->exists), 0);
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    talk_free(t);
}

/* The receipt cannot come, and is asked for when it can. */
static void the_receipt_is_asked_for_again_on_a_new_connection(void **state)
{
    static const enum xf_via vias[] = { XF_VIA_IBB, XF_VIA_DIRECT };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct talk *t = by(vias[i]);

        talk_rule(t, R, "<end ", 1, TALK_DROP);
        talk_begin(t);
        talk_offer_new(t, "a.bin", BYTES);
        talk_until_said(t, R, "<end ", 1);
        talk_run(t, 10);
        lose(t, R, ROMEO);
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        assert_int_equal(t->side[J].offers, 1);
        talk_free(t);
    }
}

/* A contact that shows itself anew may have lost the question, or not: it is
 * asked again, and its answer to either will do. */
static void an_answer_to_the_first_question_is_a_receipt(void **state)
{
    struct talk *t = by(XF_VIA_DIRECT);

    (void)state;
    talk_rule(t, R, "<end ", 1, TALK_DELAY)->ms = 300;
    talk_rule(t, R, "<end ", 2, TALK_DROP);
    talk_begin(t);
    talk_feed(t, R, "<presence from='" JULIET "' to='" ROMEO "'/>");
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_said(t, R, "<end ", 1);
    talk_run(t, 10);
    talk_feed(t, R, "<presence from='" JULIET "' to='" ROMEO "'/>");
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    assert_int_equal(talk_count(t, R, "<end "), 2);
    assert_int_equal(talk_count(t, R, "<si "), 1);
    assert_true(talk_note(t, R, XF_EVENT_DONE, 1)->confirmed);
    talk_free(t);
}

/* In-band the stream needs the contact: another one has the rest. */
static void who_is_replaced_behind_the_last_block_is_offered_it_again(
    void **state)
{
    struct talk *t = by(XF_VIA_IBB);

    (void)state;
    talk_rule(t, R, "<end ", 1, TALK_DROP);
    talk_rule(t, R, "<close ", 1, TALK_DROP);
    talk_begin(t);
    talk_feed(t, R, "<presence from='" JULIET "' to='" ROMEO "'/>");
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_said(t, R, "<end ", 1);
    talk_kill(t, J);
    talk_again(t, J);
    talk_feed(t, R, "<presence from='" JULIET "' to='" ROMEO "'/>");
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    assert_int_equal(talk_count(t, R, "<si "), 2);
    talk_free(t);
}

static void a_contact_that_comes_back_is_found_again(void **state)
{
    for (int who = 0; who < TALK_SIDES; who++) {
        struct talk *t = by(XF_VIA_IBB);

        (void)state;
        talk_rule(t, R, "seq=\"5\"", 1, TALK_DROP);
        talk_begin(t);
        talk_offer_new(t, "a.bin", BYTES);
        talk_until_said(t, R, "seq=\"5\"", 1);
        if (who == J)
            talk_feed(t, J,
                      "<presence type='unavailable' from='" ROMEO
                      "' to='" JULIET "'/>");
        talk_feed(t, R,
                  "<presence type='unavailable' from='" JULIET "' to='" ROMEO
                  "'/>");
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        for (int i = 0; i < TALK_SIDES; i++)
            assert_int_equal(talk_attempt(t, (enum talk_who)i, XF_VIA_IBB,
                                          XF_ATTEMPT_OPEN, 2)
                                 ->offset,
                             5 * BLOCK);
        assert_int_equal(t->side[J].offers, 1);
        talk_free(t);
    }
}

/* A server may let a question go down with the session it was meant for. */
static void who_comes_back_is_asked_at_once(void **state)
{
    struct talk *t = by(XF_VIA_IBB);
    unsigned asked;

    (void)state;
    talk_rule(t, R, "seq=\"5\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_said(t, R, "seq=\"5\"", 1);
    t->side[J].info = "";
    talk_feed(t, R,
              "<presence type='unavailable' from='" JULIET "' to='" ROMEO
              "'/>");
    talk_run(t, 50);
    asked = talk_count(t, R, "disco#info");
    t->side[J].info = NULL;
    talk_feed(t, R, "<presence from='" JULIET "' to='" ROMEO "'/>");
    talk_run(t, 50);
    assert_int_equal(talk_count(t, R, "disco#info"), asked + 1);
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    talk_free(t);
}

/* It had not answered: its death by its server's word, or by an error. */
static void who_died_before_its_yes_is_waited_for(void **state)
{
    static const struct xf_offer_options patient = { .wait_ms = TALK_MS };

    (void)state;
    for (int by_error = 0; by_error < 2; by_error++) {
        struct talk *t = by(XF_VIA_IBB);

        if (by_error)
            talk_error(t, R, "<si ", 1, UNAVAILABLE);
        t->by_hand = true;
        talk_begin(t);
        talk_offer(t, talk_file(t, "a.bin", BYTES), &patient);
        if (by_error) {
            talk_until_said(t, R, "<si ", 1);
        } else {
            talk_until_offers(t, 1);
            talk_kill(t, J);
            talk_feed(t, R,
                      "<presence type='unavailable' from='" JULIET
                      "' to='" ROMEO "'/>");
            talk_again(t, J);
        }
        t->by_hand = false;
        talk_until_over(t, 1, 1);
        check_last(t, "a.bin");
        assert_int_equal(talk_count(t, R, "<si "), 2);
        talk_free(t);
    }
}

/* One that is about to leave says what its server would say for it. */
static void who_is_leaving_is_waited_for(void **state)
{
    static const struct xf_offer_options patient = { .wait_ms = TALK_MS };
    struct talk *t = by(XF_VIA_IBB);

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    talk_offer(t, talk_file(t, "a.bin", BYTES), &patient);
    talk_until_offers(t, 1);
    t->by_hand = false;
    assert_int_equal(xf_transfer_decline(t->offered, XF_E_NOPEER, NULL), 0);
    talk_until_over(t, 1, 2);
    assert_int_equal(talk_note(t, R, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    assert_non_null(talk_said(t, J, "service-unavailable", 1));
    talk_check_same(t, "a.bin", "a.bin");
    talk_free(t);
}

/* Who does not wait is told at once. */
static void who_died_before_its_yes_is_nobody_without_a_wait(void **state)
{
    struct talk *t = by(XF_VIA_IBB);

    (void)state;
    talk_error(t, R, "<si ", 1, UNAVAILABLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_over(t, 1, 0);
    talk_check_failed(t, R, XF_E_NOPEER);
    talk_free(t);
}

static void drop_streams(struct talk *t, const char *xml)
{
    (void)xml;
    talk_proxy_drop(t->proxy);
}

/* The proxy joins nobody with one that has died; with the next of its name it
 * does. */
static void who_died_before_activation_is_offered_it_again(void **state)
{
    struct talk *t = by(XF_VIA_PROXY);

    (void)state;
    t->proxy = talk_proxy_new();
    t->side[R].config.proxies[0] = PROXY;
    talk_call(t, R, "<activate", 1, drop_streams);
    talk_begin(t);
    talk_offer_new(t, "a.bin", BYTES);
    talk_until_over(t, 1, 1);
    check_last(t, "a.bin");
    assert_int_equal(t->side[J].offers, 1);
    assert_int_equal(talk_count(t, R, "<si "), 2);
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_killed_pair_left_is_gone_on_with),
        cmocka_unit_test(
            a_receiver_killed_in_the_middle_goes_on_for_the_same_sender),
        cmocka_unit_test(a_part_that_was_tampered_with_makes_no_wrong_file),
        cmocka_unit_test(another_state_of_the_file_begins_at_the_beginning),
        cmocka_unit_test(what_lies_about_its_time_is_found_out_by_its_sum),
        cmocka_unit_test(a_sender_that_begins_anew_is_taken_for_the_same),
        cmocka_unit_test(the_key_of_somebody_elses_transfer_is_a_new_offer),
        cmocka_unit_test(an_offer_that_ended_well_is_answered_with_the_whole),
        cmocka_unit_test(an_offer_that_ended_badly_is_refused),
        cmocka_unit_test(no_more_is_named_than_the_sender_takes),
        cmocka_unit_test(a_lost_connection_is_no_lost_transfer),
        cmocka_unit_test(an_offer_that_is_out_is_made_again),
        cmocka_unit_test(the_receipt_is_asked_for_again_on_a_new_connection),
        cmocka_unit_test(an_answer_to_the_first_question_is_a_receipt),
        cmocka_unit_test(
            who_is_replaced_behind_the_last_block_is_offered_it_again),
        cmocka_unit_test(a_contact_that_comes_back_is_found_again),
        cmocka_unit_test(who_comes_back_is_asked_at_once),
        cmocka_unit_test(who_died_before_its_yes_is_waited_for),
        cmocka_unit_test(who_is_leaving_is_waited_for),
        cmocka_unit_test(who_died_before_its_yes_is_nobody_without_a_wait),
        cmocka_unit_test(who_died_before_activation_is_offered_it_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
