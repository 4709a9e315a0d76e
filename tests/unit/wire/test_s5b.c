/* Bytestream queries: which streamhosts are taken, what is refused. */
#include "fixture.h"

#include "wire/ns.h"
#include "wire/s5b.h"

#define HOST(attrs) "<streamhost jid='j' host='h' " attrs "/>"
#define QUERY(attrs, hosts)                                                    \
    "<query xmlns='" XF_NS_BYTESTREAMS "' " attrs ">" hosts "</query>"
#define DSTADDR "0123456789abcdef0123456789abcdef01234567"

static struct xf_s5b_query query;

static enum xf_answer read_query(const char *xml)
{
    return xf_s5b_read_query(parse(xml), &query);
}

static void a_query_is_read(void **state)
{
    (void)state;
    assert_int_equal(
        read_query(QUERY("sid='s' mode='tcp' other='x'",
                         "<streamhost jid='a@b/c' host='::1' port='1' x='y'/>"
                         "<fast xmlns='http://affinix.com/jabber/stream'/>"
                         "<streamhost jid='d' host='e'/>")),
        XF_ANSWER_NONE);
    assert_string_equal(query.sid, "s");
    assert_null(query.dstaddr);
    assert_false(query.udp);
    assert_int_equal(query.count, 2);
    assert_string_equal(query.hosts[0].jid, "a@b/c");
    assert_string_equal(query.hosts[0].host, "::1");
    assert_int_equal(query.hosts[0].port, 1);
    assert_string_equal(query.hosts[1].host, "e");
    assert_int_equal(query.hosts[1].port, 1080);
}

static void a_query_needs_a_sid(void **state)
{
    char xml[2000];

    (void)state;
    assert_int_equal(read_query(QUERY("", HOST(""))),
                     XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_null(query.sid);
    assert_int_equal(read_query(QUERY("sid=''", HOST(""))),
                     XF_ANSWER_BAD_REQUEST_MODIFY);
    (void)snprintf(xml, sizeof xml, QUERY("sid='%0*d'", HOST("")), 1024, 0);
    assert_int_equal(read_query(xml), XF_ANSWER_NONE);
    (void)snprintf(xml, sizeof xml, QUERY("sid='%0*d'", HOST("")), 1025, 0);
    assert_int_equal(read_query(xml), XF_ANSWER_BAD_REQUEST_MODIFY);
}

static void only_tcp_is_spoken(void **state)
{
    (void)state;
    assert_int_equal(read_query(QUERY("sid='s' mode='udp'", HOST(""))),
                     XF_ANSWER_NOT_ACCEPTABLE_MODIFY);
    assert_true(query.udp);
    assert_string_equal(query.sid, "s");
    assert_int_equal(read_query(QUERY("sid='s' mode=''", HOST(""))),
                     XF_ANSWER_NOT_ACCEPTABLE_MODIFY);
    assert_int_equal(read_query(QUERY("sid='s'", HOST(""))), XF_ANSWER_NONE);
}

static void streamhosts_have_a_ceiling(void **state)
{
    static const size_t counts[] = { 0, 1, 32, 33, 1000 };

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct xf_xml_writer *w = fresh();
        size_t want = counts[i] < 32 ? counts[i] : 32;

        xf_xml_open(w, "query", XF_NS_BYTESTREAMS);
        xf_xml_attr(w, "sid", "s");
        for (size_t n = 0; n < counts[i]; n++) {
            xf_xml_open(w, "streamhost", NULL);
            xf_xml_attr(w, "jid", "j");
            xf_xml_attr(w, "host", "h");
            xf_xml_attr_uint(w, "port", n + 1);
            xf_xml_end(w, "streamhost");
        }
        xf_xml_close(w, "query");
        assert_int_equal(read_query(written()),
                         want > 0 ? XF_ANSWER_NONE : XF_ANSWER_NOT_FOUND);
        assert_int_equal(query.count, want);
        for (size_t n = 0; n < want; n++)
            assert_int_equal(query.hosts[n].port, n + 1);
    }
}

static void a_bad_port_leaves_its_streamhost_out(void **state)
{
    static const struct {
        const char *port;
        uint16_t read; /* 0: left out */
    } rows[] = {
        { "0", 0 },  { "1", 1 },   { "65535", 65535 },  { "65536", 0 },
        { "-1", 0 }, { " 80", 0 }, { "4294967376", 0 }, { "abc", 0 },
        { "", 0 },   { "80 ", 0 }, { "0x50", 0 },       { "00080", 80 },
    };
    char xml[512];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(xml, sizeof xml,
                       QUERY("sid='s'", HOST("port='%s'") HOST("port='7777'")),
                       rows[i].port);
        assert_int_equal(read_query(xml), XF_ANSWER_NONE);
        assert_int_equal(query.count, rows[i].read ? 2 : 1);
        assert_int_equal(query.hosts[0].port,
                         rows[i].read ? rows[i].read : 7777);
    }
}

static void a_streamhost_needs_a_jid_and_a_host(void **state)
{
    static const char *const none[] = {
        QUERY("sid='s'", ""),
        QUERY("sid='s'", "<streamhost host='h'/>"),
        QUERY("sid='s'", "<streamhost jid='' host='h'/>"),
        QUERY("sid='s'", "<streamhost jid='j'/>"),
        QUERY("sid='s'", "<streamhost jid='j' host=''/>"),
        QUERY("sid='s'", "<streamhost jid='j' zeroconf='_jabber.bs'/>"),
        QUERY("sid='s'", "<streamhost xmlns='x' jid='j' host='h'/>"),
        QUERY("sid='s'", "<x>" HOST("") "</x>"),
    };
    char xml[1024];

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_int_equal(read_query(none[i]), XF_ANSWER_NOT_FOUND);
    for (int len = 255; len <= 256; len++) {
        (void)snprintf(xml, sizeof xml,
                       QUERY("sid='s'", "<streamhost jid='j' host='%0*d'/>"),
                       len, 0);
        assert_int_equal(read_query(xml),
                         len == 255 ? XF_ANSWER_NONE : XF_ANSWER_NOT_FOUND);
    }
}

static void an_address_for_a_room_is_40_hex_digits(void **state)
{
    static const char *const bad[] = {
        QUERY("sid='s' dstaddr=''", HOST("")),
        QUERY("sid='s' dstaddr='" DSTADDR "0'", HOST("")),
        QUERY("sid='s' dstaddr='0123456789ABCDEF0123456789abcdef01234567'",
              HOST("")),
        QUERY("sid='s' dstaddr='g123456789abcdef0123456789abcdef01234567'",
              HOST("")),
    };

    (void)state;
    assert_int_equal(
        read_query(QUERY("sid='s' dstaddr='" DSTADDR "'", HOST(""))),
        XF_ANSWER_NONE);
    assert_string_equal(query.dstaddr, DSTADDR);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_query(bad[i]), XF_ANSWER_BAD_REQUEST_MODIFY);
}

static void what_was_asked_reads_back(void **state)
{
    const struct xf_streamhost hosts[] = { { "a@b/c&", "::1", 1 },
                                           { "p", "q", 65535 } };

    (void)state;
    xf_s5b_write_query(fresh(), "1", "to", "from", "s", DSTADDR, hosts, 2);
    assert_int_equal(
        xf_s5b_read_query(
            xf_el_child(parse(written()), "query", XF_NS_BYTESTREAMS), &query),
        XF_ANSWER_NONE);
    assert_string_equal(query.sid, "s");
    assert_string_equal(query.dstaddr, DSTADDR);
    assert_int_equal(query.count, 2);
    assert_string_equal(query.hosts[0].jid, "a@b/c&");
    assert_int_equal(query.hosts[1].port, 65535);
}

static void the_used_streamhost_is_told(void **state)
{
    struct xf_stanza_head h =
        head_of("<iq id='1' to='me' from='you' type='set'><a/></iq>");

    (void)state;
    xf_s5b_write_used(fresh(), &h, "s", "a@b/c");
    assert_string_equal(
        written(), "<iq id=\"1\" to=\"you\" from=\"me\" type=\"result\"><query"
                   " xmlns=\"http://jabber.org/protocol/bytestreams\""
                   " sid=\"s\"><streamhost-used jid=\"a@b/c\"/></query></iq>");
    assert_string_equal(xf_s5b_read_used(parse(written())), "a@b/c");
    assert_null(xf_s5b_read_used(parse("<iq/>")));
    assert_null(xf_s5b_read_used(
        parse("<iq>" QUERY("", "<streamhost-used/>") "</iq>")));
    assert_null(xf_s5b_read_used(
        parse("<iq>" QUERY("", "<streamhost-used jid=''/>") "</iq>")));
}

static void a_proxy_is_asked_and_activated(void **state)
{
    struct xf_streamhost hosts[2];

    (void)state;
    xf_s5b_write_address_get(fresh(), "1", "p", "me");
    xf_s5b_write_activate(&out, "2", "p", "me", "s", "you@b/c");
    assert_string_equal(
        written(),
        "<iq id=\"1\" to=\"p\" from=\"me\" type=\"get\">"
        "<query xmlns=\"http://jabber.org/protocol/bytestreams\"/></iq>"
        "<iq id=\"2\" to=\"p\" from=\"me\" type=\"set\">"
        "<query xmlns=\"http://jabber.org/protocol/bytestreams\" sid=\"s\">"
        "<activate>you@b/c</activate></query></iq>");
    assert_int_equal(
        xf_s5b_read_address(
            parse("<iq>" QUERY("", HOST("port='0'") HOST("port='1'") HOST("")
                                       HOST("")) "</iq>"),
            hosts, 2),
        2);
    assert_int_equal(hosts[0].port, 1);
    assert_int_equal(hosts[1].port, 1080);
    assert_int_equal(xf_s5b_read_address(parse("<iq/>"), hosts, 2), 0);
}

static void a_proxy_tells_its_addresses(void **state)
{
    static const struct xf_streamhost hosts[] = {
        { "proxy.example.net", "192.0.2.1", 1080 },
        { "proxy.example.net", "2001:db8::1", 1080 },
        { "proxy.example.net", "files.example.net", 443 },
    };
    struct xf_stanza_head asked =
        head_of("<iq id='1' to='proxy.example.net' from='a@b/c' type='get'>"
                "<query xmlns='" XF_NS_BYTESTREAMS "' sid='s&amp;1'/></iq>");
    struct xf_streamhost read[4];
    struct xf_el *el;

    (void)state;
    xf_s5b_write_address(fresh(), &asked, hosts, 3);
    assert_string_equal(
        written(),
        "<iq id=\"1\" to=\"a@b/c\" from=\"proxy.example.net\""
        " type=\"result\"><query xmlns=\"" XF_NS_BYTESTREAMS
        "\" sid=\"s&amp;1\">"
        "<streamhost jid=\"proxy.example.net\" host=\"192.0.2.1\""
        " port=\"1080\"></streamhost>"
        "<streamhost jid=\"proxy.example.net\" host=\"2001:db8::1\""
        " port=\"1080\"></streamhost>"
        "<streamhost jid=\"proxy.example.net\" host=\"files.example.net\""
        " port=\"443\"></streamhost></query></iq>");
    el = parse(written());
    assert_int_equal(xf_s5b_read_address(el, read, 4), 3);
    assert_string_equal(read[2].host, "files.example.net");
}

static enum xf_answer read_activate(const char *xml, const char **target)
{
    const char *sid;

    return xf_s5b_read_activate(parse(xml), &sid, target);
}

static void an_activation_names_a_sid_and_a_target(void **state)
{
    static char longer[3500];
    const char *sid, *target;

    (void)state;
    assert_int_equal(xf_s5b_read_activate(
                         parse(QUERY("sid='s'", "<activate>a@b/c</activate>")),
                         &sid, &target),
                     XF_ANSWER_NONE);
    assert_string_equal(sid, "s");
    assert_string_equal(target, "a@b/c");
    assert_int_equal(
        read_activate(QUERY("", "<activate>a@b/c</activate>"), &target),
        XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(
        read_activate(QUERY("sid=''", "<activate>a@b/c</activate>"), &target),
        XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(read_activate(QUERY("sid='s'", ""), &target),
                     XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(
        read_activate(QUERY("sid='s'", "<activate xmlns='x'>a@b/c</activate>"),
                      &target),
        XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(read_activate(QUERY("sid='s'", HOST("")), &target),
                     XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(read_activate(QUERY("sid='s'", "<activate/>"), &target),
                     XF_ANSWER_JID_MALFORMED);
    (void)snprintf(longer, sizeof longer,
                   QUERY("sid='s'", "<activate>%0*d</activate>"), 3072, 0);
    assert_int_equal(read_activate(longer, &target), XF_ANSWER_JID_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_query_is_read),
        CASE(a_query_needs_a_sid),
        CASE(only_tcp_is_spoken),
        CASE(streamhosts_have_a_ceiling),
        CASE(a_bad_port_leaves_its_streamhost_out),
        CASE(a_streamhost_needs_a_jid_and_a_host),
        CASE(an_address_for_a_room_is_40_hex_digits),
        CASE(what_was_asked_reads_back),
        CASE(the_used_streamhost_is_told),
        CASE(a_proxy_is_asked_and_activated),
        CASE(a_proxy_tells_its_addresses),
        CASE(an_activation_names_a_sid_and_a_target),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
