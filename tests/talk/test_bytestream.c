/* SOCKS5 bytestreams between two ends, and the way from there to in-band. */
#include "talk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "leap.h"

static void only(struct talk *t, enum talk_who who, enum xf_via a,
                 enum xf_via b)
{
    t->side[who].config.via[0] = a;
    t->side[who].config.via[1] = b;
    t->side[who].config.via[2] = XF_VIA_NONE;
}

static const char *const unheard_of =
    "<identity category='client' type='pc' name='Unheard-of'/>"
    "<feature var='http://jabber.org/protocol/si'/>";
static const char *const smack =
    "<identity category='client' type='pc' name='Smack'/>"
    "<feature var='http://jabber.org/protocol/disco#info'/>"
    "<feature var='http://jabber.org/protocol/si'/>";

/* --- direct -------------------------------------------------------------------- */

static void a_file_goes_direct(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 3000000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_int_equal(talk_count(t, R, "<data "), 0);
    assert_int_equal(talk_count(t, R,
                                "<query xmlns=\"http://jabber.org/"
                                "protocol/bytestreams\""),
                     1);
    assert_non_null(talk_attempt(t, R, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 1));
    assert_non_null(talk_attempt(t, J, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 1));
    talk_free(t);
}

static void workers_and_none_and_small_files_go_direct(void **state)
{
    static const size_t sizes[] = { 0, 1, 597, 65536, 5000000 };

    (void)state;
    for (int workers = 0; workers <= 2; workers += 2) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct talk *t = talk_new();

            t->side[R].config.workers = t->side[J].config.workers = workers;
            talk_begin(t);
            talk_offer_new(t, "a.bin", sizes[i]);
            talk_until_over(t, 1, 1);
            talk_check_well(t, XF_VIA_DIRECT, "a.bin");
            talk_free(t);
        }
    }
}

static void an_empty_file_goes_direct_where_in_band_may_not(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    talk_free(t);
}

static void md5_is_checked_on_a_bytestream_too(void **state)
{
    struct xf_offer_options options = { .hash = "md5" };
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    talk_offer(t, talk_file(t, "a.bin", 100000), &options);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->verified, XF_VERIFIED);
    talk_free(t);
}

static void wrong_md5_on_a_bytestream_is_no_success_for_either(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_alter(t, R, "<si ", 1,
               " size=", " hash='00000000000000000000000000000000' size=");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_HASH);
    talk_check_nothing(t);
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
        { "size=\"0\"", XF_E_LONG },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct talk *t = talk_new();

        t->side[J].info = talk_stranger;
        talk_alter(t, R, "<si ", 1, "size=\"10000\"", cases[i].told);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 10000);
        talk_until_over(t, 1, 1);
        talk_check_failed(t, J, cases[i].code);
        /* What is short might have come whole another time. */
        t->parts_stay = cases[i].code == XF_E_SHORT;
        if (t->parts_stay)
            talk_check_no_names(t);
        else
            talk_check_nothing(t);
        talk_free(t);
    }
}

static void nobody_listens_before_or_after(void **state)
{
    struct talk *t = talk_new();
    unsigned before, meanwhile;

    (void)state;
    talk_begin(t);
    before = talk_fds();
    t->by_hand = true;
    talk_offer_new(t, "a.bin", 1000);
    talk_until_offers(t, 1);
    meanwhile = talk_fds();
    assert_true(meanwhile > before);
    assert_int_equal(xf_transfer_accept(t->offered, t->in_fd, t->exists), 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_int_equal(talk_fds(), before);
    talk_free(t);
}

/* No address of ours is told to who has not accepted. */
static void no_address_is_told_before_the_answer(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_offers(t, 1);
    talk_run(t, 50);
    assert_int_equal(talk_count(t, R, "streamhost"), 0);
    assert_int_equal(xf_transfer_decline(t->offered, 0, NULL), 0);
    talk_until_over(t, 1, 1);
    assert_int_equal(talk_count(t, R, "streamhost"), 0);
    talk_free(t);
}

static void two_files_at_once_find_their_own_streams(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 2000001);
    talk_offer_new(t, "b.bin", 1000003);
    talk_until_over(t, 2, 2);
    assert_null(talk_note(t, R, XF_EVENT_FAILED, 1));
    assert_null(talk_note(t, J, XF_EVENT_FAILED, 1));
    talk_check_same(t, "a.bin", "a.bin");
    talk_check_same(t, "b.bin", "b.bin");
    talk_free(t);
}

/* --- by proxy --------------------------------------------------------------------- */

static struct talk *by_proxy(void)
{
    struct talk *t = talk_new();

    t->proxy = talk_proxy_new();
    t->side[R].config.proxies[0] = PROXY;
    return t;
}

static void a_file_goes_by_proxy(void **state)
{
    static const size_t sizes[] = { 0, 1, 597, 1000000 };

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct talk *t = by_proxy();

        only(t, R, XF_VIA_PROXY, XF_VIA_IBB);
        talk_begin(t);
        talk_offer_new(t, "a.bin", sizes[i]);
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_PROXY, "a.bin");
        assert_int_equal(talk_proxy_was_used(t->proxy), sizes[i] > 0);
        /* Its own addresses were not told. */
        assert_null(talk_said(t, R, "streamhost jid=\"" ROMEO, 1));
        talk_free(t);
    }
}

static void a_dead_direct_host_gives_way_to_the_proxy(void **state)
{
    struct talk *t = by_proxy();
    struct talk_hole hole;

    (void)state;
    talk_hole_open(&hole);
    t->side[R].config.addresses[0] = hole.address;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_PROXY, "a.bin");
    talk_hole_close(&hole);
    talk_free(t);
}

static void a_proxy_that_does_not_activate_gives_way_to_inband(void **state)
{
    struct talk *t = by_proxy();

    (void)state;
    only(t, R, XF_VIA_PROXY, XF_VIA_IBB);
    talk_error(t, R, "<activate", 1, TALK_NOT_FOUND);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_non_null(talk_attempt(t, R, XF_VIA_PROXY, XF_ATTEMPT_FAILED, 1));
    talk_free(t);
}

static void a_proxy_alone_without_a_proxy_is_not_offered(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_PROXY, XF_VIA_NONE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 0);
    talk_check_failed(t, R, XF_E_CONNECT);
    assert_int_equal(talk_count(t, R, "<si "), 0);
    talk_free(t);
}

static void without_a_proxy_smack_is_offered_inband_alone(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_PROXY, XF_VIA_IBB);
    t->side[J].info = smack;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_null(strstr(talk_said(t, R, "<si ", 1)->xml, "bytestreams"));
    talk_free(t);
}

/* --- to in-band --------------------------------------------------------------------- */

static void item_not_found_leads_to_inband_at_once(void **state)
{
    struct talk *t = talk_new();
    int64_t took;

    (void)state;
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    took = talk_said(t, R, "<open ", 1)->at_ms -
           talk_said(t, R, "<streamhost ", 1)->at_ms;
    assert_in_range(took, 0, 500);
    /* On the same sid: there was one offer. */
    assert_int_equal(talk_count(t, R, "<si "), 1);
    assert_string_equal(
        talk_attr(talk_said(t, R, "<open ", 1)->xml, "open", "sid"),
        talk_sid(t));
    talk_free(t);
}

static void silence_leads_to_inband_after_the_timeout(void **state)
{
    struct talk *t = talk_new();
    int64_t took;

    (void)state;
    t->side[R].config.timeout_ms = 300;
    talk_rule(t, R, "<streamhost ", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    took = talk_said(t, R, "<open ", 1)->at_ms -
           talk_said(t, R, "<streamhost ", 1)->at_ms;
    assert_in_range(took, 290, 800);
    talk_free(t);
}

/* Juliet is still dialling when the stream is opened on the same sid. */
static void inband_is_taken_while_streamhosts_are_dialled(void **state)
{
    struct talk *t = talk_new();
    struct talk_hole hole;

    (void)state;
    talk_hole_open(&hole);
    t->side[R].config.addresses[0] = hole.address;
    t->side[R].config.timeout_ms = 300;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(t->side[J].offers, 1);
    assert_non_null(talk_attempt(t, J, XF_VIA_DIRECT, XF_ATTEMPT_TRYING, 1));
    assert_null(talk_attempt(t, J, XF_VIA_DIRECT, XF_ATTEMPT_OPEN, 1));
    /* The query had its answer before the open had. */
    assert_non_null(talk_said(t, J, "item-not-found", 1));
    talk_hole_close(&hole);
    talk_free(t);
}

static void a_refused_port_leads_to_inband_by_the_receivers_word(void **state)
{
    struct talk *t = talk_new();
    struct talk_hole hole;

    (void)state;
    /* A port that was somebody's and is nobody's now: refused at once. */
    talk_hole_open(&hole);
    talk_hole_close(&hole);
    t->side[R].config.addresses[0] = hole.address;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_non_null(talk_said(t, J, "item-not-found", 1));
    assert_true(talk_said(t, R, "<open ", 1)->at_ms -
                    talk_said(t, R, "<streamhost ", 1)->at_ms <
                1000);
    talk_free(t);
}

/* The answer "this one" is on its way while the sender's patience ends. */
static void used_that_comes_too_late_crosses_the_open(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->side[R].config.timeout_ms = 300;
    talk_rule(t, J, "streamhost-used", 1, TALK_DELAY)->ms = 600;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_run(t, 400);
    talk_check_same(t, "a.bin", "a.bin");
    assert_int_equal(t->side[J].offers, 1);
    talk_free(t);
}

static void used_that_is_lost_leads_to_inband(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->side[R].config.timeout_ms = 300;
    talk_rule(t, J, "streamhost-used", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void used_that_was_not_told_leads_to_inband(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_alter(t, J, "streamhost-used", 1, "jid=\"" ROMEO "\"",
               "jid=\"" MALLORY "\"");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

static void a_doubled_query_harms_nothing(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_rule(t, R, "<streamhost ", 1, TALK_DOUBLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    assert_null(talk_note(t, R, XF_EVENT_FAILED, 1));
    assert_null(talk_note(t, J, XF_EVENT_FAILED, 1));
    talk_check_same(t, "a.bin", "a.bin");
    talk_free(t);
}

/* Somebody opens in-band although he asked for a bytestream before. */
static void open_and_query_may_cross(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->side[R].config.timeout_ms = 200;
    talk_rule(t, R, "<streamhost ", 1, TALK_DELAY)->ms = 400;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 2000000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_run(t, 400);
    talk_check_same(t, "a.bin", "a.bin");
    talk_free(t);
}

/* --- the second offer -------------------------------------------------------------- */

static void smack_gets_a_second_offer_without_a_second_question(void **state)
{
    struct talk *t = talk_new();
    char first[1100];

    (void)state;
    t->side[J].info = smack;
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_count(t, R, "<si "), 2);
    assert_null(strstr(talk_said(t, R, "<si ", 2)->xml, "bytestreams"));
    snprintf(first, sizeof first, "%s",
             talk_attr(talk_said(t, R, "<si ", 1)->xml, "si", "id"));
    assert_string_not_equal(first, talk_sid(t));
    assert_int_equal(t->side[J].offers, 1);
    assert_int_equal(talk_count(t, R, "<open "), 1);
    assert_string_equal(
        talk_attr(talk_said(t, R, "<open ", 1)->xml, "open", "sid"),
        talk_sid(t));
    /* Told once, too. */
    assert_null(talk_note(t, R, XF_EVENT_OFFERED, 2));
    assert_null(talk_note(t, R, XF_EVENT_ACCEPTED, 2));
    talk_free(t);
}

/* It comes while the old streamhosts are still being tried. */
static void second_offer_while_dialling_is_taken(void **state)
{
    struct talk *t = talk_new();
    struct talk_hole hole;

    (void)state;
    talk_hole_open(&hole);
    t->side[R].config.addresses[0] = hole.address;
    t->side[R].config.timeout_ms = 300;
    t->side[J].info = smack;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(t->side[J].offers, 1);
    assert_int_equal(talk_count(t, R, "<si "), 2);
    talk_hole_close(&hole);
    talk_free(t);
}

static void unknown_gets_the_same_sid_first_and_then_an_offer(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->side[J].info = unheard_of;
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_error(t, R, "<open ", 1, TALK_NOT_ACCEPTABLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_count(t, R, "<si "), 2);
    assert_int_equal(talk_count(t, R, "<open "), 2);
    assert_int_equal(t->side[J].offers, 1);
    talk_free(t);
}

static void at_the_end_every_attempt_is_named(void **state)
{
    struct talk *t = talk_new();
    const char *text;

    (void)state;
    t->side[J].info = unheard_of;
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_error(t, R, "<open ", 0, TALK_NOT_ACCEPTABLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 0);
    talk_check_failed(t, R, XF_E_CONNECT);
    text = talk_note(t, R, XF_EVENT_FAILED, 1)->text;
    assert_non_null(strstr(text, "direct 127.0.0.1:"));
    assert_non_null(strstr(text, "none of the addresses"));
    assert_non_null(strstr(text, "in-band: "));
    assert_int_equal(talk_count(t, R, "<si "), 2);
    assert_int_equal(talk_count(t, R, "<open "), 2);
    talk_free(t);
}

static void second_offer_that_is_refused_is_the_end(void **state)
{
    struct talk *t = talk_new();
    const char *text;

    (void)state;
    t->side[J].info = smack;
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_error(t, R, "<si ", 2,
               "<error type='cancel'><forbidden "
               "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 0);
    talk_check_failed(t, R, XF_E_CONNECT);
    text = talk_note(t, R, XF_EVENT_FAILED, 1)->text;
    assert_non_null(strstr(text, "direct 127.0.0.1:"));
    assert_non_null(strstr(text, "second offer: "));
    talk_free(t);
}

/* Same name, another size: another file, and a question of its own. */
static void second_offer_of_another_size_is_asked_for(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->side[J].info = smack;
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_alter(t, R, "<si ", 2, "size=\"10000\"", "size=\"10001\"");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_offers(t, 2);
    talk_free(t);
}

/* --- two values --------------------------------------------------------------------- */

static void list_multi_is_answered_by_both_and_led_by_the_first(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->side[R].config.dialect = "spark-classic";
    talk_error(t, R, "<streamhost ", 1, TALK_NOT_FOUND);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_non_null(strstr(talk_said(t, J, "submit", 1)->xml,
                           "<value>http://jabber.org/protocol/bytestreams"
                           "</value><value>http://jabber.org/protocol/ibb"
                           "</value>"));
    assert_int_equal(talk_count(t, R, "<message"), 3);
    talk_free(t);
}

static void list_single_is_answered_by_one(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_null(strstr(talk_said(t, J, "submit", 1)->xml, "ibb"));
    talk_free(t);
}

static void via_of_the_receiver_decides_what_it_answers(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, J, XF_VIA_IBB, XF_VIA_NONE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(talk_count(t, R, "streamhost"), 0);
    talk_free(t);
}

static void nothing_in_common_is_said_so_by_both(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    only(t, J, XF_VIA_IBB, XF_VIA_NONE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, R, XF_E_NOMETHOD);
    talk_check_failed(t, J, XF_E_NOMETHOD);
    assert_non_null(talk_said(t, J, "no-valid-streams", 1));
    talk_free(t);
}

/* --- at the door ----------------------------------------------------------------------- */

static int knock_from(struct talk *t, uint32_t address)
{
    const char *port = talk_attr(talk_said(t, R, "<streamhost ", 1)->xml,
                                 "streamhost", "port");
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port =
                                  htons((uint16_t)strtoul(port, NULL, 10)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in from = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(address) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof from), 0);
    (void)connect(fd, (struct sockaddr *)&at, sizeof at);
    return fd;
}

static int knock(struct talk *t)
{
    return knock_from(t, INADDR_LOOPBACK);
}

/* Who does not know the sid is told no, and the file goes its way. */
static void a_stranger_at_the_door_is_refused(void **state)
{
    static const char asks[] = "\x05\x01\x00\x05\x01\x00\x03\x28"
                               "0123456789012345678901234567890123456789"
                               "\x00";
    struct talk *t = talk_new();
    char got[64];
    ssize_t n = 0;
    int fd;

    (void)state;
    talk_rule(t, R, "<streamhost ", 1, TALK_DELAY)->ms = 300;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_said(t, R, "<streamhost ", 1);
    fd = knock(t);
    talk_run(t, 20);
    assert_int_equal(send(fd, asks, 3, 0), 3);
    talk_run(t, 20);
    assert_int_equal(send(fd, asks + 3, 47, 0), 47);
    talk_run(t, 50);
    n = recv(fd, got, sizeof got, 0);
    assert_true(n >= 4);
    assert_int_equal(got[0], 5);
    assert_int_equal(got[1], 0);
    assert_int_equal(got[3], 2); /* not allowed by the ruleset */
    close(fd);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    talk_free(t);
}

static void those_who_say_nothing_keep_nobody_out(void **state)
{
    struct talk *t = talk_new();
    int fds[20];

    (void)state;
    talk_rule(t, R, "<streamhost ", 1, TALK_DELAY)->ms = 300;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_said(t, R, "<streamhost ", 1);
    for (int i = 0; i < 20; i++)
        fds[i] = knock(t);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    for (int i = 0; i < 20; i++)
        close(fds[i]);
    talk_free(t);
}

static bool has_ended(int fd)
{
    char byte;

    return recv(fd, &byte, 1, 0) == 0;
}

/* More than there is room for, of one address as of many: those who came
 * first have to go. */
static void a_crowd_at_the_door_keeps_nobody_out(void **state)
{
    enum { CROWD = 160 };
    static const unsigned addresses[] = { 1, 8 }, ended[] = { 128, 32 };

    (void)state;
    for (int n = 0; n < 2; n++) {
        struct talk *t = talk_new();
        int fds[CROWD];
        unsigned gone = 0;

        talk_rule(t, R, "<streamhost ", 1, TALK_DELAY)->ms = 500;
        talk_begin(t);
        talk_offer_new(t, "a.bin", 100000);
        talk_until_said(t, R, "<streamhost ", 1);
        for (unsigned i = 0; i < CROWD; i++) {
            fds[i] = knock_from(t, INADDR_LOOPBACK + i % addresses[n]);
            if (i % 40 == 39)
                talk_run(t, 10); /* the backlog is shorter than the crowd */
        }
        talk_run(t, 20);
        for (unsigned i = 0; i < CROWD; i++)
            gone += has_ended(fds[i]);
        assert_int_equal(gone, ended[n]);
        assert_true(has_ended(fds[0]));
        assert_false(has_ended(fds[CROWD - 1]));
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_DIRECT, "a.bin");
        for (int i = 0; i < CROWD; i++)
            close(fds[i]);
        talk_free(t);
    }
}

/* Ten seconds for all of it, not for each byte. */
static void who_does_not_come_to_the_point_in_10_s_is_closed(void **state)
{
    struct talk *t = talk_new();
    char method[2];
    int silent, slow;

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    t->side[R].config.timeout_ms = 60000;
    talk_rule(t, R, "<streamhost ", 1, TALK_DELAY)->ms = 11000;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_said(t, R, "<streamhost ", 1);
    silent = knock(t);
    slow = knock(t);
    talk_run(t, 20);
    talk_leap(5000);
    assert_int_equal(send(slow, "\x05\x01\x00\x05\x01", 5, 0), 5);
    talk_run(t, 20);
    assert_int_equal(recv(slow, method, sizeof method, 0), 2);
    talk_leap(4800);
    talk_run(t, 20);
    assert_false(has_ended(silent));
    assert_false(has_ended(slow));
    talk_leap(300);
    talk_run(t, 20);
    assert_true(has_ended(silent));
    assert_true(has_ended(slow));
    talk_leap(1000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    close(silent);
    close(slow);
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_goes_direct),
        cmocka_unit_test(workers_and_none_and_small_files_go_direct),
        cmocka_unit_test(an_empty_file_goes_direct_where_in_band_may_not),
        cmocka_unit_test(md5_is_checked_on_a_bytestream_too),
        cmocka_unit_test(wrong_md5_on_a_bytestream_is_no_success_for_either),
        cmocka_unit_test(size_told_is_the_size_that_must_come),
        cmocka_unit_test(nobody_listens_before_or_after),
        cmocka_unit_test(no_address_is_told_before_the_answer),
        cmocka_unit_test(two_files_at_once_find_their_own_streams),
        cmocka_unit_test(a_file_goes_by_proxy),
        cmocka_unit_test(a_dead_direct_host_gives_way_to_the_proxy),
        cmocka_unit_test(a_proxy_that_does_not_activate_gives_way_to_inband),
        cmocka_unit_test(a_proxy_alone_without_a_proxy_is_not_offered),
        cmocka_unit_test(without_a_proxy_smack_is_offered_inband_alone),
        cmocka_unit_test(item_not_found_leads_to_inband_at_once),
        cmocka_unit_test(silence_leads_to_inband_after_the_timeout),
        cmocka_unit_test(inband_is_taken_while_streamhosts_are_dialled),
        cmocka_unit_test(a_refused_port_leads_to_inband_by_the_receivers_word),
        cmocka_unit_test(used_that_comes_too_late_crosses_the_open),
        cmocka_unit_test(used_that_is_lost_leads_to_inband),
        cmocka_unit_test(used_that_was_not_told_leads_to_inband),
        cmocka_unit_test(a_doubled_query_harms_nothing),
        cmocka_unit_test(open_and_query_may_cross),
        cmocka_unit_test(smack_gets_a_second_offer_without_a_second_question),
        cmocka_unit_test(second_offer_while_dialling_is_taken),
        cmocka_unit_test(unknown_gets_the_same_sid_first_and_then_an_offer),
        cmocka_unit_test(at_the_end_every_attempt_is_named),
        cmocka_unit_test(second_offer_that_is_refused_is_the_end),
        cmocka_unit_test(second_offer_of_another_size_is_asked_for),
        cmocka_unit_test(list_multi_is_answered_by_both_and_led_by_the_first),
        cmocka_unit_test(list_single_is_answered_by_one),
        cmocka_unit_test(via_of_the_receiver_decides_what_it_answers),
        cmocka_unit_test(nothing_in_common_is_said_so_by_both),
        cmocka_unit_test(a_stranger_at_the_door_is_refused),
        cmocka_unit_test(those_who_say_nothing_keep_nobody_out),
        cmocka_unit_test(a_crowd_at_the_door_keeps_nobody_out),
        cmocka_unit_test(who_does_not_come_to_the_point_in_10_s_is_closed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
