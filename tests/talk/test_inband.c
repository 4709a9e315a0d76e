/* In-band bytestreams between two ends: blocks, their order and their end. */
#include "talk.h"

static const char *const nobody =
    "<identity category='client' type='pc' "
    "name='Unheard-of'/>"
    "<feature var='http://jabber.org/protocol/si'/>";

static struct talk *inband(void)
{
    struct talk *t = talk_new();

    t->side[R].config.via[0] = XF_VIA_IBB;
    t->side[R].config.via[1] = XF_VIA_NONE;
    return t;
}

/* Blocks of 4096 bytes to one who is not one of ours: what breaks is over. */
static struct talk *to_a_stranger(enum xf_stanza stanza)
{
    struct talk *t = inband();

    t->side[J].info = talk_stranger;
    t->side[R].config.stanza = stanza;
    t->side[R].config.block_size = 4096;
    return t;
}

/* The same to one of ours. */
static struct talk *to_ours(enum xf_stanza stanza)
{
    struct talk *t = inband();

    t->side[R].config.stanza = stanza;
    t->side[R].config.block_size = 4096;
    return t;
}

/* What broke at byte `at` was gone on with from there, once. */
static void check_went_on(struct talk *t, const char *name, uint64_t at)
{
    const struct talk_note *n;

    talk_check_well(t, XF_VIA_IBB, name);
    talk_check_once(t, name, 2);
    assert_int_equal(talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 2)->offset,
                     at);
    assert_int_equal(t->side[J].offers, 1);
    n = talk_note(t, R, XF_EVENT_DONE, 1);
    assert_true(n->confirmed);
    assert_int_equal(n->verified, XF_VERIFIED);
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    assert_non_null(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_FAILED, 1));
}

/* --- well ----------------------------------------------------------------------- */

static void a_file_goes_in_iqs_between_two_of_ours(void **state)
{
    struct talk *t = inband();
    const struct talk_note *n;

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_count(t, R, "<data "), 4);
    assert_int_equal(talk_count(t, R, "<message"), 0);
    assert_non_null(talk_said(t, R, "block-size=\"65535\"", 1));
    n = talk_note(t, R, XF_EVENT_DONE, 1);
    assert_true(n->confirmed);
    assert_int_equal(n->done, 200000);
    assert_int_equal(n->verified, XF_VERIFIED);
    n = talk_note(t, J, XF_EVENT_DONE, 1);
    assert_int_equal(n->verified, XF_VERIFIED);
    assert_true(t->side[J].progress > 0);
    talk_free(t);
}

static void a_file_goes_in_messages_when_told_to(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[R].config.stanza = XF_STANZA_MESSAGE;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 200000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_count(t, R, "<message"), 4);
    assert_non_null(talk_said(t, R, "stanza=\"message\"", 1));
    talk_free(t);
}

static void unknown_contact_gets_small_blocks_one_at_a_time(void **state)
{
    struct talk *t = inband();
    unsigned blocks;

    (void)state;
    t->side[J].info = nobody;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_non_null(talk_said(t, R, "block-size=\"4096\"", 1));
    blocks = talk_count(t, R, "<data ");
    assert_int_equal(blocks, 5);
    /* Of all that was said, no block follows a block. */
    for (size_t i = 1; i < t->trail_count; i++)
        assert_false(strstr(t->trail[i].xml, "<data ") &&
                     strstr(t->trail[i - 1].xml, "<data "));
    assert_false(talk_note(t, R, XF_EVENT_DONE, 1)->confirmed);
    talk_free(t);
}

static void who_says_nothing_about_itself_is_unknown(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_error(t, R, "disco#info", 1, TALK_NOT_ACCEPTABLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 5000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_non_null(talk_said(t, R, "block-size=\"4096\"", 1));
    talk_free(t);
}

static void files_of_0_1_and_597_bytes_arrive(void **state)
{
    static const size_t sizes[] = { 0, 1, 597, 4095, 4096, 4097, 65535, 65536 };
    static const enum xf_stanza forms[] = { XF_STANZA_IQ, XF_STANZA_MESSAGE };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t j = 0; j < 2; j++) {
            struct talk *t = inband();

            t->side[R].config.stanza = forms[j];
            t->side[R].config.block_size = 4096;
            talk_begin(t);
            talk_offer_new(t, "a.bin", sizes[i]);
            talk_until_over(t, 1, 1);
            talk_check_well(t, XF_VIA_IBB, "a.bin");
            talk_free(t);
        }
    }
}

static void a_name_of_255_bytes_arrives(void **state)
{
    struct talk *t = inband();
    char name[256];

    (void)state;
    memset(name, 'n', 255);
    memcpy(name, "\xc3\xbc b", 4);
    name[255] = '\0';
    talk_begin(t);
    talk_offer_new(t, name, 100);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, name);
    talk_free(t);
}

static void workers_or_none_is_all_the_same(void **state)
{
    (void)state;
    for (int workers = 0; workers <= 2; workers += 2) {
        struct talk *t = inband();

        t->side[R].config.workers = t->side[J].config.workers = workers;
        talk_begin(t);
        talk_offer_new(t, "a.bin", 1500000);
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_IBB, "a.bin");
        talk_free(t);
    }
}

/* A server closes the connection over a stanza that is too large. */
static void no_stanza_is_larger_than_the_server_takes(void **state)
{
    static const size_t limits[] = { 10000, 30000, 0 };

    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct talk *t = inband();
        size_t limit = limits[i] ? limits[i] : 256 * 1024;

        t->side[R].config.block_size = 65535;
        talk_begin(t);
        xf_session_set_stanza_limit(t->side[R].s, limits[i]);
        talk_offer_new(t, "a.bin", 300000);
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_IBB, "a.bin");
        for (size_t j = 0; j < t->trail_count; j++)
            assert_true(strlen(t->trail[j].xml) <= limit);
        talk_free(t);
    }
}

static void a_block_that_is_too_large_for_the_contact_is_halved(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_error(t, R, "block-size=\"65535\"", 1,
               "<error type='modify'><resource-constraint "
               "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_non_null(talk_said(t, R, "block-size=\"32767\"", 1));
    talk_free(t);
}

/* For a file of many blocks larger ones are worth a refusal. */
static void a_large_file_hopes_for_large_blocks(void **state)
{
    (void)state;
    for (int refused = 0; refused < 2; refused++) {
        struct talk *t = inband();

        t->side[J].info = talk_stranger;
        if (refused)
            talk_error(t, R, "block-size=\"65535\"", 1,
                       "<error type='modify'><resource-constraint "
                       "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
        talk_begin(t);
        talk_offer_new(t, "a.bin", 1200000);
        talk_until_over(t, 1, 1);
        talk_check_same(t, "a.bin", "a.bin");
        assert_non_null(talk_said(t, R, "block-size=\"65535\"", 1));
        if (refused)
            assert_non_null(talk_said(t, R, "block-size=\"4096\"", 1));
        assert_int_equal(talk_count(t, R, "<open "), 1 + refused);
        /* They begin as small as ever. */
        assert_true(strlen(talk_said(t, R, "seq=\"0\"", 1)->xml) < 6000);
        talk_free(t);
    }
}

/* A slow embedder: no more is made than a window of messages. */
static void messages_wait_for_the_embedder(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[R].config.stanza = XF_STANZA_MESSAGE;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 3000000);
    talk_until_said(t, R, "<open ", 1);
    xf_session_set_queued(t->side[R].s, 1u << 30);
    talk_run(t, 200);
    assert_int_equal(talk_count(t, R, "<data "), 0);
    xf_session_set_queued(t->side[R].s, 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

/* --- the hash ----------------------------------------------------------------------- */

static void md5_is_told_and_checked_when_asked_for(void **state)
{
    struct xf_offer_options options = { .hash = "md5" };
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    talk_offer(t, talk_file(t, "a.bin", 100000), &options);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(
        strlen(talk_attr(talk_said(t, R, "<si ", 1)->xml, "file", "hash")), 32);
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    talk_free(t);
}

static void upper_case_md5_is_the_same_md5(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_alter(t, R, "<si ", 1,
               " size=", " hash='D41D8CD98F00B204E9800998ECF8427E' size=");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    talk_free(t);
}

static void wrong_md5_delivers_nothing_and_is_told(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_alter(t, R, "<si ", 1,
               " size=", " hash='00000000000000000000000000000000' size=");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_HASH);
    assert_int_equal(talk_note(t, J, XF_EVENT_FAILED, 1)->verified,
                     XF_MISMATCH);
    talk_check_nothing(t);
    assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
    talk_free(t);
}

static void what_is_no_md5_is_a_malformed_offer(void **state)
{
    static const char *const bad[] = {
        " hash='abc' size=", " hash='' size=",
        " hash='zz000000000000000000000000000000' size="
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct talk *t = inband();

        talk_alter(t, R, "<si ", 1, " size=", bad[i]);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 10);
        talk_until_over(t, 1, 1);
        talk_check_failed(t, J, XF_E_OFFER);
        assert_int_equal(t->side[J].offers, 0);
        talk_free(t);
    }
}

/* --- what breaks it ------------------------------------------------------------------ */

static void a_lost_block_of_messages_is_seen_and_nothing_kept(void **state)
{
    struct talk *t = to_a_stranger(XF_STANZA_MESSAGE);

    (void)state;
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 40000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_PROTO);
    assert_int_equal(talk_note(t, J, XF_EVENT_FAILED, 1)->done, 3 * 4096);
    talk_check_nothing(t);
    assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
    talk_free(t);
}

static void a_lost_block_of_messages_is_made_good_between_ours(void **state)
{
    struct talk *t = to_ours(XF_STANZA_MESSAGE);

    (void)state;
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 40000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 2)->offset,
                     3 * 4096);
    assert_true(talk_note(t, R, XF_EVENT_DONE, 1)->confirmed);
    talk_free(t);
}

static void the_last_block_lost_is_never_a_success(void **state)
{
    struct talk *t = to_a_stranger(XF_STANZA_MESSAGE);

    (void)state;
    talk_rule(t, R, "seq=\"9\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 40000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_SHORT);
    talk_check_nothing(t);
    talk_free(t);
}

static void the_last_block_lost_is_sent_again_between_ours(void **state)
{
    struct talk *t = to_ours(XF_STANZA_MESSAGE);

    (void)state;
    talk_rule(t, R, "seq=\"9\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 40000);
    talk_until_over(t, 1, 1);
    check_went_on(t, "a.bin", 9 * 4096);
    talk_free(t);
}

static void a_doubled_block_is_out_of_order(void **state)
{
    struct talk *t = to_a_stranger(XF_STANZA_IQ);

    (void)state;
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DOUBLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_PROTO);
    assert_non_null(talk_said(t, J, "unexpected-request", 1));
    assert_non_null(talk_said(t, J, "<close ", 1));
    assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
    talk_check_nothing(t);
    talk_free(t);
}

static void a_doubled_block_is_counted_once_between_ours(void **state)
{
    struct talk *t = to_ours(XF_STANZA_IQ);
    const struct talk_note *n;

    (void)state;
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DOUBLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_non_null(talk_said(t, J, "unexpected-request", 1));
    n = talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 2);
    assert_non_null(n);
    assert_in_range(n->offset, 4 * 4096, 100000);
    assert_int_equal(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_OPEN, 2)->offset,
                     n->offset);
    talk_free(t);
}

/* More than one on their way was too much for something in between. */
static void two_blocks_that_cross_are_out_of_order(void **state)
{
    struct talk *t = to_a_stranger(XF_STANZA_IQ);

    (void)state;
    t->side[R].config.dialect = "gloox"; /* four on their way */
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DELAY)->ms = 100;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 2);
    assert_int_equal(talk_note(t, J, XF_EVENT_FAILED, 1)->code, XF_E_PROTO);
    assert_non_null(talk_note(t, R, XF_EVENT_DONE, 1));
    talk_check_same(t, "a.bin", "a.bin");
    talk_free(t);
}

static void behind_two_blocks_that_cross_they_go_one_by_one_between_ours(
    void **state)
{
    struct talk *t = to_ours(XF_STANZA_IQ);
    const struct talk_stanza *second;
    const struct talk_note *n;

    (void)state;
    talk_rule(t, R, "seq=\"3\"", 1, TALK_DELAY)->ms = 100;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    n = talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 2);
    assert_non_null(n);
    assert_int_equal(n->offset, 3 * 4096);
    assert_int_equal(t->side[J].offers, 1);
    second = talk_said(t, R, "<open ", 2);
    for (const struct talk_stanza *at = second + 1;
         at < t->trail + t->trail_count; at++)
        assert_false(strstr(at->xml, "<data ") && strstr(at[-1].xml, "<data "));
    talk_free(t);
}

static void size_told_is_the_size_that_must_come(void **state)
{
    static const struct {
        const char *told;
        int code;
    } cases[] = {
        { "size=\"10001\"", XF_E_SHORT },
        { "size=\"9999\"", XF_E_LONG },
        { "size=\"4096\"", XF_E_LONG },
        { "size=\"0\"", XF_E_LONG },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk *t = to_a_stranger(XF_STANZA_IQ);

        talk_alter(t, R, "<si ", 1, "size=\"10000\"", cases[i].told);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 10000);
        talk_until_over(t, 1, 1);
        talk_check_failed(t, J, cases[i].code);
        talk_check_nothing(t);
        if (cases[i].code == XF_E_LONG)
            assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
        talk_free(t);
    }
}

/* Who counts otherwise than he said is not helped by another try. */
static void a_size_that_is_not_the_one_told_ends_it_between_ours(void **state)
{
    static const char *const told[] = { "size=\"10001\"", "size=\"9999\"",
                                        "size=\"4096\"", "size=\"0\"" };

    (void)state;
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct talk *t = to_ours(XF_STANZA_IQ);

        talk_alter(t, R, "<si ", 0, "size=\"10000\"", told[i]);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 10000);
        talk_until_over(t, 1, 1);
        assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
        assert_null(talk_note(t, J, XF_EVENT_DONE, 1));
        talk_check_parts(t, i == 0);
        t->parts_stay = true;
        talk_free(t);
    }
}

static void without_a_size_the_close_is_the_end(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_alter(t, R, "<si ", 1, " size=\"10000\"", "");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void close_without_a_byte_is_short(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->by_hand = true;
    talk_rule(t, R, "<open ", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100);
    talk_until_offers(t, 1);
    assert_int_equal(xf_transfer_accept(t->offered, t->in_fd, t->exists), 0);
    talk_until_said(t, R, "<open ", 1);
    talk_feed(t, J,
              "<iq type='set' id='o1' from='" ROMEO "'><open sid='%s' "
              "block-size='4096' xmlns='http://jabber.org/protocol/ibb'/></iq>",
              talk_sid(t));
    talk_feed(t, J,
              "<iq type='set' id='c1' from='" ROMEO "'><close sid='%s' "
              "xmlns='http://jabber.org/protocol/ibb'/></iq>",
              talk_sid(t));
    talk_until_over(t, 0, 1);
    talk_check_failed(t, J, XF_E_SHORT);
    /* The close itself was fine and is answered so. */
    assert_non_null(talk_said(t, J, "id=\"c1\"", 1));
    assert_non_null(strstr(talk_said(t, J, "id=\"c1\"", 1)->xml, "result"));
    talk_check_nothing(t);
    talk_free(t);
}

static void data_before_open_and_after_close_changes_nothing(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_offers(t, 1);
    talk_feed(t, J,
              "<iq type='set' id='e1' from='" ROMEO "'><data sid='%s' seq='0' "
              "xmlns='http://jabber.org/protocol/ibb'>AAAA</data></iq>",
              talk_sid(t));
    talk_until_said(t, J, "id=\"e1\"", 1);
    assert_non_null(
        strstr(talk_said(t, J, "id=\"e1\"", 1)->xml, "item-not-found"));
    assert_int_equal(xf_transfer_accept(t->offered, t->in_fd, t->exists), 0);
    talk_until_over(t, 1, 1);
    talk_feed(t, J,
              "<iq type='set' id='e2' from='" ROMEO "'><data sid='%s' seq='1' "
              "xmlns='http://jabber.org/protocol/ibb'>AAAA</data></iq>",
              talk_sid(t));
    talk_feed(t, J,
              "<iq type='set' id='e3' from='" ROMEO "'><close sid='%s' "
              "xmlns='http://jabber.org/protocol/ibb'/></iq>",
              talk_sid(t));
    talk_run(t, 20);
    assert_non_null(
        strstr(talk_said(t, J, "id=\"e2\"", 1)->xml, "item-not-found"));
    assert_non_null(
        strstr(talk_said(t, J, "id=\"e3\"", 1)->xml, "item-not-found"));
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void second_open_of_a_stream_harms_nothing(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[R].config.block_size = 4096;
    talk_rule(t, R, "<open ", 1, TALK_DOUBLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 50000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void bytes_from_the_receiver_are_taken_and_dropped(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_rule(t, R, "<data ", 1, TALK_DELAY)->ms = 100;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 50000);
    talk_until_said(t, R, "<data ", 1);
    talk_feed(t, R,
              "<iq type='set' id='b1' from='" JULIET "'><data sid='%s' "
              "seq='0' xmlns='http://jabber.org/protocol/ibb'>AAAA</data></iq>",
              talk_sid(t));
    talk_until_over(t, 1, 1);
    assert_non_null(strstr(talk_said(t, R, "id=\"b1\"", 1)->xml, "result"));
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void too_many_bytes_from_the_receiver_end_it_once(void **state)
{
    struct talk *t = to_a_stranger(XF_STANZA_IQ);
    char text[16385];

    (void)state;
    memset(text, 'A', 16384);
    text[16384] = '\0';
    talk_rule(t, R, "<data ", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 50000);
    talk_until_said(t, R, "<data ", 1);
    for (int i = 0; i < 10; i++)
        talk_feed(t, R,
                  "<iq type='set' id='b%d' from='" JULIET "'><data sid='%s' "
                  "seq='%d' xmlns='http://jabber.org/protocol/ibb'>%s</data>"
                  "</iq>",
                  i, talk_sid(t), i, text);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_PROTO);
    assert_int_equal(talk_count(t, R, "<close "), 1);
    talk_check_nothing(t);
    talk_free(t);
}

static void too_many_bytes_from_the_receiver_end_the_stream_between_ours(
    void **state)
{
    struct talk *t = to_ours(XF_STANZA_IQ);
    char text[16385];

    (void)state;
    memset(text, 'A', 16384);
    text[16384] = '\0';
    talk_rule(t, R, "seq=\"2\"", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 50000);
    talk_until_said(t, R, "seq=\"2\"", 1);
    for (int i = 0; i < 10; i++)
        talk_feed(t, R,
                  "<iq type='set' id='b%d' from='" JULIET "'><data sid='%s' "
                  "seq='%d' xmlns='http://jabber.org/protocol/ibb'>%s</data>"
                  "</iq>",
                  i, talk_sid(t), i, text);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_FAILED, 1)->code,
                     XF_E_PROTO);
    assert_null(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_FAILED, 2));
    talk_free(t);
}

/* Refused, not repaired; closed; and no byte behind it is used. */
static void a_block_that_breaks_the_rules_ends_the_stream(void **state)
{
    static const struct {
        const char *find, *with, *answer;
    } cases[] = {
        { "seq=\"1\"", "seq=\"0\"", "unexpected-request" },
        { "seq=\"1\"", "seq=\"2\"", "unexpected-request" },
        { "seq=\"1\"", "seq=\"32769\"", "unexpected-request" },
        { "seq=\"1\"", "seq=\"65535\"", "unexpected-request" },
        { "seq=\"1\"", "", "bad-request" },
        { "seq=\"1\"", "seq=\"\"", "bad-request" },
        { "seq=\"1\"", "seq=\"-1\"", "bad-request" },
        { "seq=\"1\"", "seq=\"65536\"", "bad-request" },
        { "seq=\"1\"", "seq=\" 1\"", "bad-request" },
        { "seq=\"1\"", "seq=\"0x1\"", "bad-request" },
        { "</data>", "=</data>", "bad-request" },
        { "</data>", " </data>", "bad-request" },
        { "</data>", "A</data>", "bad-request" },
        { "</data>", "AAAA</data>", "bad-request" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk *t = inband();

        t->side[J].info = nobody;
        talk_alter(t, R, "seq=\"1\"", 1, cases[i].find, cases[i].with);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 20000);
        talk_until_over(t, 1, 1);
        talk_check_failed(t, J, XF_E_PROTO);
        assert_int_equal(talk_note(t, J, XF_EVENT_FAILED, 1)->done, 4096);
        assert_non_null(talk_said(t, J, cases[i].answer, 1));
        assert_int_equal(talk_count(t, J, "<close "), 1);
        talk_check_failed(t, R, XF_E_PROTO);
        talk_check_nothing(t);
        talk_free(t);
    }
}

static void a_block_larger_than_agreed_is_refused(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[J].info = nobody;
    talk_alter(t, R, "<open ", 1, "4096", "4095");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_PROTO);
    assert_int_equal(talk_note(t, J, XF_EVENT_FAILED, 1)->done, 0);
    assert_non_null(talk_said(t, J, "bad-request", 1));
    talk_check_nothing(t);
    talk_free(t);
}

static void an_open_that_cannot_be_is_refused_and_another_taken(void **state)
{
    static const char *const sizes[] = { "0", "-1", "abc", "65536",
                                         "2147483648" };
    struct talk *t = inband();
    char id[16], key[24];

    (void)state;
    talk_rule(t, R, "<open ", 1, TALK_DELAY)->ms = 150;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_said(t, R, "<open ", 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(id, sizeof id, "o%zu", i);
        snprintf(key, sizeof key, "id=\"%s\"", id);
        talk_feed(t, J,
                  "<iq type='set' id='%s' from='" ROMEO "'><open sid='%s' "
                  "block-size='%s' xmlns='http://jabber.org/protocol/ibb'/>"
                  "</iq>",
                  id, talk_sid(t), sizes[i]);
        talk_run(t, 5);
        assert_non_null(strstr(talk_said(t, J, key, 1)->xml, "modify"));
    }
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void bounce(struct talk *t, const char *xml)
{
    talk_feed(t, R,
              "<message type='error' id='%s' from='" JULIET "' to='" ROMEO
              "'><data xmlns='http://jabber.org/protocol/ibb' sid='%s' "
              "seq='1'>AAAA</data><error type='cancel'><service-unavailable "
              "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
              talk_attr(xml, NULL, "id"), talk_sid(t));
}

static void a_message_that_comes_back_is_never_a_success(void **state)
{
    struct talk *t = to_a_stranger(XF_STANZA_MESSAGE);

    (void)state;
    talk_rule(t, R, "</message>", 2, TALK_CALL)->call = bounce;
    talk_rule(t, R, "</message>", 2, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_over(t, 1, 1);
    assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
    assert_null(talk_note(t, J, XF_EVENT_DONE, 1));
    talk_check_nothing(t);
    talk_free(t);
}

static void a_message_that_comes_back_is_sent_again_between_ours(void **state)
{
    struct talk *t = to_ours(XF_STANZA_MESSAGE);

    (void)state;
    talk_rule(t, R, "</message>", 2, TALK_CALL)->call = bounce;
    talk_rule(t, R, "</message>", 2, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_attempt(t, J, XF_VIA_IBB, XF_ATTEMPT_OPEN, 2)->offset,
                     4096);
    assert_int_equal(t->side[J].offers, 1);
    talk_free(t);
}

static void close_that_is_lost_leaves_a_whole_file(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[J].info = nobody;
    talk_rule(t, R, "<close ", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_false(talk_note(t, R, XF_EVENT_DONE, 1)->confirmed);
    talk_free(t);
}

static void each_stanza_is_shown_when_asked_for(void **state)
{
    struct talk *t = inband();
    unsigned out = 0;

    (void)state;
    t->side[R].config.trace = t->side[J].config.trace = true;
    t->side[J].info = nobody;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 5000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    /* offer, open, two blocks, close; and an answer to each */
    for (int i = 0; i < TALK_SIDES; i++) {
        for (unsigned n = 1; talk_note(t, (enum talk_who)i, XF_EVENT_TRACE, n);
             n++)
            out++;
        assert_int_equal(out, 10);
        out = 0;
    }
    talk_free(t);
}

/* --- two and more ---------------------------------------------------------------------- */

static void two_transfers_at_once_do_not_mix(void **state)
{
    struct talk *t = inband();

    (void)state;
    t->side[R].config.block_size = 4096;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100001);
    talk_offer_new(t, "b.bin", 70003);
    talk_until_over(t, 2, 2);
    assert_null(talk_note(t, R, XF_EVENT_FAILED, 1));
    assert_null(talk_note(t, J, XF_EVENT_FAILED, 1));
    talk_check_same(t, "a.bin", "a.bin");
    talk_check_same(t, "b.bin", "b.bin");
    talk_free(t);
}

static void the_same_name_twice_gets_a_number(void **state)
{
    struct talk *t = inband();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 2, 2);
    talk_check_same(t, "a.bin", "a.bin");
    talk_check_same(t, "a.bin", "a (1).bin");
    assert_non_null(
        strstr(talk_note(t, J, XF_EVENT_DONE, 2)->path, "a (1).bin"));
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_in_iqs_between_two_of_ours),
        cmocka_unit_test(a_file_goes_in_messages_when_told_to),
        cmocka_unit_test(unknown_contact_gets_small_blocks_one_at_a_time),
        cmocka_unit_test(who_says_nothing_about_itself_is_unknown),
        cmocka_unit_test(files_of_0_1_and_597_bytes_arrive),
        cmocka_unit_test(a_name_of_255_bytes_arrives),
        cmocka_unit_test(workers_or_none_is_all_the_same),
        cmocka_unit_test(no_stanza_is_larger_than_the_server_takes),
        cmocka_unit_test(a_block_that_is_too_large_for_the_contact_is_halved),
        cmocka_unit_test(a_large_file_hopes_for_large_blocks),
        cmocka_unit_test(messages_wait_for_the_embedder),
        cmocka_unit_test(md5_is_told_and_checked_when_asked_for),
        cmocka_unit_test(upper_case_md5_is_the_same_md5),
        cmocka_unit_test(wrong_md5_delivers_nothing_and_is_told),
        cmocka_unit_test(what_is_no_md5_is_a_malformed_offer),
        cmocka_unit_test(a_lost_block_of_messages_is_seen_and_nothing_kept),
        cmocka_unit_test(a_lost_block_of_messages_is_made_good_between_ours),
        cmocka_unit_test(the_last_block_lost_is_never_a_success),
        cmocka_unit_test(the_last_block_lost_is_sent_again_between_ours),
        cmocka_unit_test(a_doubled_block_is_out_of_order),
        cmocka_unit_test(a_doubled_block_is_counted_once_between_ours),
        cmocka_unit_test(two_blocks_that_cross_are_out_of_order),
        cmocka_unit_test(
            behind_two_blocks_that_cross_they_go_one_by_one_between_ours),
        cmocka_unit_test(size_told_is_the_size_that_must_come),
        cmocka_unit_test(a_size_that_is_not_the_one_told_ends_it_between_ours),
        cmocka_unit_test(without_a_size_the_close_is_the_end),
        cmocka_unit_test(close_without_a_byte_is_short),
        cmocka_unit_test(data_before_open_and_after_close_changes_nothing),
        cmocka_unit_test(second_open_of_a_stream_harms_nothing),
        cmocka_unit_test(bytes_from_the_receiver_are_taken_and_dropped),
        cmocka_unit_test(too_many_bytes_from_the_receiver_end_it_once),
        cmocka_unit_test(
            too_many_bytes_from_the_receiver_end_the_stream_between_ours),
        cmocka_unit_test(a_block_that_breaks_the_rules_ends_the_stream),
        cmocka_unit_test(a_block_larger_than_agreed_is_refused),
        cmocka_unit_test(an_open_that_cannot_be_is_refused_and_another_taken),
        cmocka_unit_test(a_message_that_comes_back_is_never_a_success),
        cmocka_unit_test(a_message_that_comes_back_is_sent_again_between_ours),
        cmocka_unit_test(close_that_is_lost_leaves_a_whole_file),
        cmocka_unit_test(each_stanza_is_shown_when_asked_for),
        cmocka_unit_test(two_transfers_at_once_do_not_mix),
        cmocka_unit_test(the_same_name_twice_gets_a_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
