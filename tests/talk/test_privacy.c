/* Who learns our addresses, and where a peer can send us: nobody too early,
 * nowhere that is not out there. No packet leaves: who would connect is told
 * that there is no route, and counted. */
#include "talk.h"

#include <ctype.h>
#include <errno.h>

#include "api/doors.h"
#include "api/session.h"
#include "base/sys.h"
#include "dns.h"
#include "net/address.h"

#define S5B "http://jabber.org/protocol/bytestreams"
#define IBB "http://jabber.org/protocol/ibb"
#define FAR "xmpp.montague.example" /* a server that is not on loopback */
#define NEAR "127.0.0.1"

/* --- what the kernel is asked for ---------------------------------------------- */

static struct {
    unsigned connects, listens;
    bool closed; /* no way out: every connect fails */
} net;

static int gate(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    net.connects += call == XF_SYS_CONNECT;
    net.listens += call == XF_SYS_LISTEN;
    return net.closed && call == XF_SYS_CONNECT ? ENETUNREACH : 0;
}

static void watch(bool closed)
{
    net.connects = net.listens = 0;
    net.closed = closed;
    xf_sys_set_gate(gate, NULL);
}

static int unwatch(void **state)
{
    (void)state;
    xf_sys_set_gate(NULL, NULL);
    return 0;
}

/* --- what is in a stanza --------------------------------------------------------- */

/* As a whole: random ids have digits in them, too. */
static bool has_word(const char *xml, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = xml; (at = strstr(at, word)) != NULL; at++)
        if ((at == xml || !isxdigit((unsigned char)at[-1])) &&
            !isxdigit((unsigned char)at[len]))
            return true;
    return false;
}

/* An address of this machine, or the port we listen on; NULL: neither. */
static const char *reveals(const struct talk *t, enum talk_who who,
                           const char *xml)
{
    static char text[XF_ADDRESS_TEXT];
    const struct xf_session *s = t->side[who].s;
    struct xf_address own[32];
    int n = xf_address_own(own, 32, true);

    for (int i = 0; i < n; i++) {
        xf_address_text(&own[i], text);
        if (has_word(xml, text))
            return text;
    }
    snprintf(text, sizeof text, "%u", (unsigned)xf_doors_port(s));
    if (xf_doors_port(s) != 0 && has_word(xml, text))
        return text;
    for (size_t i = 0; i < s->set.addresses_count; i++)
        if (strstr(xml, s->set.addresses[i].host))
            return s->set.addresses[i].host;
    return NULL;
}

/* How many stanzas reveal something, of all that were said. */
static unsigned revealing(const struct talk *t, enum talk_who who)
{
    unsigned n = 0;

    for (size_t i = 0; i < t->trail_count; i++)
        n += t->trail[i].from == who && reveals(t, who, t->trail[i].xml);
    return n;
}

static void allow(struct talk *t, enum talk_who who, enum xf_via a,
                  enum xf_via b)
{
    t->side[who].config.via[0] = a;
    t->side[who].config.via[1] = b;
    t->side[who].config.via[2] = XF_VIA_NONE;
}

static struct talk *on(const char *server)
{
    struct talk *t = talk_new();

    t->side[R].config.server = t->side[J].config.server = server;
    return t;
}

/* --- too early --------------------------------------------------------------------- */

static void configure(struct talk *t, int kind)
{
    struct xf_config *config = &t->side[R].config;

    switch (kind) {
    case 1:
        config->addresses[0] = "romeos-house.example:7777";
        config->addresses[1] = "198.51.100.99";
        return;
    case 2:
        config->listen_from = 45000;
        config->listen_to = 45999;
        return;
    case 3:
        t->proxy = talk_proxy_new();
        config->proxies[0] = PROXY;
        config->addresses[0] = "romeos-house.example";
        return;
    default:
        return;
    }
}

#define KINDS 4

static void no_address_leaves_before_the_contact_has_accepted(void **state)
{
    static const char *const servers[] = { NEAR, FAR };

    (void)state;
    for (int i = 0; i < 2 * KINDS; i++) {
        struct talk *t = on(servers[i / KINDS]);

        t->by_hand = true;
        configure(t, i % KINDS);
        watch(true);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 1000);
        talk_until_offers(t, 1);
        talk_run(t, 30);
        assert_int_equal(revealing(t, R), 0);
        assert_int_equal(revealing(t, J), 0);
        assert_int_equal(talk_count(t, R, "streamhost "), 0);
        assert_int_equal(net.connects, 0);
        assert_int_equal(xf_transfer_decline(t->offered, 0, NULL), 0);
        talk_until_over(t, 1, 1);
        assert_int_equal(revealing(t, R), 0);
        assert_int_equal(net.connects, 0);
        talk_free(t);
    }
}

/* So that the test above looks for what is really told. */
static void who_has_accepted_is_told_once_and_nobody_else(void **state)
{
    static const char *const servers[] = { NEAR, FAR };

    (void)state;
    for (int i = 0; i < 2 * KINDS; i++) {
        struct talk *t = on(servers[i / KINDS]);
        const struct talk_stanza *one;

        configure(t, i % KINDS);
        watch(true);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 1000);
        talk_until_said(t, R, "<streamhost ", 1);
        one = talk_said(t, R, "<streamhost ", 1);
        assert_non_null(reveals(t, R, one->xml));
        assert_string_equal(talk_attr(one->xml, NULL, "to"), JULIET);
        talk_until_over(t, 1, 1);
        assert_int_equal(revealing(t, R), 1);
        assert_int_equal(revealing(t, J), 0);
        talk_free(t);
    }
}

/* --- not at all ---------------------------------------------------------------------- */

static void inband_alone_tells_nothing_and_asks_the_kernel_for_nothing(
    void **state)
{
    static const char *const servers[] = { NEAR, FAR };

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct talk *t = on(servers[i % 2]);

        /* Either of the two alone keeps it from both. */
        allow(t, i / 2 ? R : J, XF_VIA_IBB, XF_VIA_NONE);
        if (i / 2 == 0)
            t->side[R].config.addresses[0] = "198.51.100.99";
        watch(true);
        talk_begin(t);
        talk_offer_new(t, "a.bin", 100000);
        talk_until_over(t, 1, 1);
        talk_check_well(t, XF_VIA_IBB, "a.bin");
        assert_int_equal(revealing(t, R), 0);
        assert_int_equal(revealing(t, J), 0);
        assert_int_equal(talk_count(t, R, "streamhost"), 0);
        assert_int_equal(net.connects, 0);
        if (i / 2)
            assert_int_equal(net.listens, 0);
        talk_free(t);
    }
}

static void by_proxy_or_inband_none_of_our_own_is_told(void **state)
{
    struct talk *t = on(NEAR);

    (void)state;
    t->proxy = talk_proxy_new();
    t->side[R].config.proxies[0] = PROXY;
    t->side[R].config.addresses[0] = "romeos-house.example";
    allow(t, R, XF_VIA_PROXY, XF_VIA_IBB);
    watch(false);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_PROXY, "a.bin");
    assert_int_equal(net.listens, 0);
    assert_int_equal(net.connects, 2); /* each of us to the proxy */
    assert_null(talk_said(t, R, "streamhost jid=\"" ROMEO, 1));
    assert_null(talk_said(t, R, "romeos-house", 1));
    assert_int_equal(talk_count(t, R, "<streamhost "), 1);
    talk_free(t);
}

static void by_proxy_or_inband_without_a_proxy_is_inband(void **state)
{
    struct talk *t = on(FAR);

    (void)state;
    allow(t, R, XF_VIA_PROXY, XF_VIA_IBB);
    t->side[R].config.addresses[0] = "romeos-house.example";
    watch(true);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(revealing(t, R), 0);
    assert_int_equal(net.listens + net.connects, 0);
    talk_free(t);
}

/* To connect is to tell. */
static void a_receiver_by_proxy_or_inband_dials_no_host_of_the_sender(
    void **state)
{
    struct talk *t = on(NEAR);

    (void)state;
    allow(t, J, XF_VIA_PROXY, XF_VIA_IBB);
    watch(false);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(net.connects, 0);
    assert_int_equal(revealing(t, J), 0);
    talk_free(t);
}

/* --- where a peer can send us ----------------------------------------------------------- */

static void feed_offer(struct talk *t)
{
    talk_feed(t, J,
              "<iq type='set' id='o' from='" ROMEO "' to='" JULIET "'>"
              "<si xmlns='http://jabber.org/protocol/si' id='s' profile="
              "'http://jabber.org/protocol/si/profile/file-transfer'><file "
              "xmlns='http://jabber.org/protocol/si/profile/file-transfer' "
              "name='a.bin' size='3'/><feature "
              "xmlns='http://jabber.org/protocol/feature-neg'><x "
              "xmlns='jabber:x:data' type='form'><field var='stream-method' "
              "type='list-single'><option><value>" S5B "</value></option>"
              "</field></x></feature></si></iq>");
}

static void feed_query(struct talk *t, const char *id, const char *host)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='" ROMEO "' to='" JULIET "'><query "
              "xmlns='" S5B "' sid='s'><streamhost jid='" ROMEO "' host='%s' "
              "port='7777'/></query></iq>",
              id, host);
}

/* What evil.example's server of names says. */
static const struct dns_record zone[] = {
    { .name = "loopback.evil.example", DNS_A, "127.0.0.1" },
    { .name = "loopback6.evil.example", DNS_AAAA, "::1" },
    { .name = "mapped.evil.example", DNS_AAAA, "::ffff:127.0.0.1" },
    { .name = "metadata.evil.example", DNS_A, "169.254.169.254" },
    { .name = "link.evil.example", DNS_A, "169.254.7.7" },
    { .name = "link.evil.example", DNS_AAAA, "fe80::7" },
    { .name = "any.evil.example", DNS_A, "0.0.0.0" },
    { .name = "any.evil.example", DNS_AAAA, "::" },
    { .name = "group.evil.example", DNS_A, "224.0.0.251" },
    { .name = "group.evil.example", DNS_AAAA, "ff02::fb" },
    { .name = "broadcast.evil.example", DNS_A, "255.255.255.255" },
    { .name = "good.evil.example", DNS_A, "198.51.100.7" },
    { .name = "both.evil.example", DNS_A, "127.0.0.1" },
    { .name = "both.evil.example", DNS_A, "198.51.100.7" },
    { .name = NULL },
};

/* Juliet has accepted, and asks our server of names. */
static struct talk *accepted(const char *server, struct dns *dns)
{
    struct talk *t = on(server);
    struct xf_session *s;

    watch(true);
    talk_begin(t);
    s = t->side[J].s;
    assert_int_equal(dns_open(dns, s->loop, s->names, zone), 0);
    feed_offer(t);
    talk_until_said(t, J, "id=\"o\"", 1);
    return t;
}

/* How often it is asked to connect for the sake of `host`. */
static unsigned dialled(struct talk *t, unsigned n, const char *host)
{
    char id[16], key[32];

    net.connects = 0;
    snprintf(id, sizeof id, "q%u", n);
    snprintf(key, sizeof key, "id=\"%s\"", id);
    feed_query(t, id, host);
    talk_until_said(t, J, key, 1);
    if (!strstr(talk_said(t, J, key, 1)->xml, "item-not-found"))
        fail_msg("%s: %s", host, talk_said(t, J, key, 1)->xml);
    return net.connects;
}

static void check_dialled(const char *server, const char *const *hosts,
                          size_t count, bool any)
{
    struct dns dns;
    struct talk *t = accepted(server, &dns);

    for (unsigned i = 0; i < count; i++)
        if ((dialled(t, i, hosts[i]) > 0) != any)
            fail_msg("%s was%s dialled", hosts[i], any ? " not" : "");
    assert_int_equal(revealing(t, J), 0);
    dns_close(&dns);
    talk_free(t);
}

#define CHECK(server, hosts, any)                                              \
    check_dialled(server, hosts, sizeof(hosts) / sizeof *(hosts), any)

static const char *const loopback[] = {
    "127.0.0.1",
    "127.1.2.3",
    "::1",
    "[::1]",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "localhost",
    "LocalHost",
    "localhost.",
    "a.localhost",
    "loopback.evil.example",
    "loopback6.evil.example",
    "mapped.evil.example",
};

static const char *const nowhere[] = {
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:0.0.0.0",
    "224.0.0.1",
    "239.255.255.250",
    "ff02::1",
    "ff0e::1",
    "::ffff:224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::ffff:255.255.255.255",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "fd00:ec2::254",
    "169.254.1.1",
    "fe80::1",
    "febf::1",
    "metadata.evil.example",
    "link.evil.example",
    "any.evil.example",
    "group.evil.example",
    "broadcast.evil.example",
    "Metadata.Evil.Example",
};

static const char *const elsewhere[] = {
    "198.51.100.7", "2001:db8::7",        "10.1.2.3",          "fd12:3456::7",
    "203.0.113.9",  "64:ff9b::c633:6407", "good.evil.example",
};

static void what_is_no_host_out_there_is_never_dialled(void **state)
{
    (void)state;
    CHECK(FAR, nowhere, false);
    CHECK(NEAR, nowhere, false);
}

static void loopback_is_dialled_only_where_our_server_is(void **state)
{
    (void)state;
    CHECK(FAR, loopback, false);
    CHECK(NEAR, loopback, true);
}

/* So that the two above are seen to look at the right thing. */
static void what_is_a_host_out_there_is_dialled(void **state)
{
    (void)state;
    CHECK(FAR, elsewhere, true);
}

static void of_a_name_with_two_faces_only_the_good_one_is_dialled(void **state)
{
    struct dns dns;
    struct talk *t = accepted(FAR, &dns);

    (void)state;
    assert_int_equal(dialled(t, 0, "both.evil.example"), 1);
    dns_close(&dns);
    talk_free(t);
}

/* The stream id is known to who offered, the answer is not given yet. */
static void nobody_is_dialled_before_we_have_accepted(void **state)
{
    struct talk *t = on(NEAR);

    (void)state;
    t->by_hand = true;
    watch(true);
    talk_begin(t);
    feed_offer(t);
    talk_until_offers(t, 1);
    feed_query(t, "q", "198.51.100.7");
    talk_until_said(t, J, "id=\"q\"", 1);
    talk_run(t, 20);
    assert_non_null(strstr(talk_said(t, J, "id=\"q\"", 1)->xml, "error"));
    assert_int_equal(net.connects, 0);
    talk_free(t);
}

/* A proxy says where it is, and is a stranger, too. */
static void a_proxy_that_names_a_loopback_address_is_not_dialled_by_us(
    void **state)
{
    struct talk *t = on(FAR);

    (void)state;
    t->proxy = talk_proxy_new(); /* on 127.0.0.1 */
    t->side[R].config.proxies[0] = PROXY;
    allow(t, R, XF_VIA_PROXY, XF_VIA_IBB);
    t->side[J].config.server = NEAR; /* she finds it, and says so */
    watch(false);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    assert_int_equal(net.connects, 1);
    talk_free(t);
}

#define TEST(name) cmocka_unit_test_teardown(name, unwatch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_address_leaves_before_the_contact_has_accepted),
        TEST(who_has_accepted_is_told_once_and_nobody_else),
        TEST(inband_alone_tells_nothing_and_asks_the_kernel_for_nothing),
        TEST(by_proxy_or_inband_none_of_our_own_is_told),
        TEST(by_proxy_or_inband_without_a_proxy_is_inband),
        TEST(a_receiver_by_proxy_or_inband_dials_no_host_of_the_sender),
        TEST(what_is_no_host_out_there_is_never_dialled),
        TEST(loopback_is_dialled_only_where_our_server_is),
        TEST(what_is_a_host_out_there_is_dialled),
        TEST(of_a_name_with_two_faces_only_the_good_one_is_dialled),
        TEST(nobody_is_dialled_before_we_have_accepted),
        TEST(a_proxy_that_names_a_loopback_address_is_not_dialled_by_us),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
