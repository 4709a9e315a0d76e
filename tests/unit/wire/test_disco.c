/* Discovery, caps, version, ping, presence, roster. */
#include "fixture.h"

#include "wire/disco.h"
#include "wire/ns.h"

#define INFO "<iq id='1' type='result'><query xmlns='" XF_NS_DISCO_INFO "'"

static void info_tells_features_and_the_first_identity(void **state)
{
    struct xf_disco_info i;

    (void)state;
    assert_true(xf_disco_read_info(
        parse(INFO " node='n#v'>"
                   "<identity category='client' type='pc' name='Psi'/>"
                   "<identity category='proxy' type='bytestreams' name='P'/>"
                   "<feature var='" XF_NS_SI "'/><feature/>"
                   "<feature var='" XF_NS_SI_FILE "'/>"
                   "<feature var='" XF_NS_BYTESTREAMS "'/>"
                   "<feature var='" XF_NS_IBB "'/><feature var='other'/>"
                   "<feature var='" XF_NS_XFERRY "'/></query></iq>"),
        &i));
    assert_int_equal(i.features, XF_FEATURE_KNOWN | XF_FEATURE_SI |
                                     XF_FEATURE_SI_FILE | XF_FEATURE_S5B |
                                     XF_FEATURE_IBB | XF_FEATURE_XFERRY);
    assert_true(i.is_proxy);
    assert_string_equal(i.category, "client");
    assert_string_equal(i.type, "pc");
    assert_string_equal(i.name, "Psi");
    assert_string_equal(i.node, "n#v");
}

static void info_may_be_empty_or_missing(void **state)
{
    struct xf_disco_info i;

    (void)state;
    assert_true(xf_disco_read_info(parse(INFO "/></iq>"), &i));
    assert_int_equal(i.features, XF_FEATURE_KNOWN);
    assert_false(i.is_proxy);
    assert_null(i.name);
    assert_false(xf_disco_read_info(parse("<iq id='1' type='result'/>"), &i));
    assert_int_equal(i.features, 0);
    assert_true(xf_disco_read_info(
        parse(INFO "><identity category='proxy' type='other'/>"
                   "<identity type='bytestreams'/></query></iq>"),
        &i));
    assert_false(i.is_proxy);
}

static void info_of_ours_reads_back(void **state)
{
    static const char *const features[] = { XF_NS_SI, XF_NS_IBB };
    const struct xf_identity identity = { "client", "console", NULL, "f<" };
    struct xf_stanza_head h =
        head_of("<iq id='1' to='me' from='you' type='get'><query "
                "xmlns='" XF_NS_DISCO_INFO "' node='a&amp;b'/></iq>");
    struct xf_disco_info i;

    (void)state;
    xf_disco_write_info(fresh(), &h, &identity, features, 2);
    assert_string_equal(
        written(),
        "<iq id=\"1\" to=\"you\" from=\"me\" type=\"result\">"
        "<query xmlns=\"http://jabber.org/protocol/disco#info\""
        " node=\"a&amp;b\">"
        "<identity category=\"client\" type=\"console\" name=\"f&lt;\"/>"
        "<feature var=\"http://jabber.org/protocol/si\"/>"
        "<feature var=\"http://jabber.org/protocol/ibb\"/></query></iq>");
    assert_true(xf_disco_read_info(parse(written()), &i));
    assert_int_equal(i.features,
                     XF_FEATURE_KNOWN | XF_FEATURE_SI | XF_FEATURE_IBB);
}

static void items_are_services_with_a_jid(void **state)
{
    const char *jids[XF_DISCO_ITEMS_MAX];

    (void)state;
    assert_int_equal(
        xf_disco_read_items(
            parse("<iq><query xmlns='" XF_NS_DISCO_ITEMS
                  "'><item jid='a.b'/><item/><item jid=''/>"
                  "<item jid='c.b' node='n'/><item jid='d.b' name='D'/>"
                  "</query></iq>"),
            jids),
        2);
    assert_string_equal(jids[0], "a.b");
    assert_string_equal(jids[1], "d.b");
    assert_int_equal(xf_disco_read_items(parse("<iq/>"), jids), 0);
}

static void items_have_a_ceiling(void **state)
{
    const char *jids[XF_DISCO_ITEMS_MAX];
    struct xf_xml_writer *w = fresh();

    (void)state;
    xf_xml_open(w, "iq", NULL);
    xf_xml_open(w, "query", XF_NS_DISCO_ITEMS);
    for (unsigned i = 0; i < 1000; i++) {
        xf_xml_open(w, "item", NULL);
        xf_xml_attr_uint(w, "jid", i);
        xf_xml_end(w, "item");
    }
    xf_xml_close(w, "query");
    xf_xml_close(w, "iq");
    assert_int_equal(xf_disco_read_items(parse(written()), jids),
                     XF_DISCO_ITEMS_MAX);
    assert_string_equal(jids[XF_DISCO_ITEMS_MAX - 1], "63");
}

static void questions_are_written(void **state)
{
    (void)state;
    xf_disco_write_info_get(fresh(), "1", "a", NULL, NULL);
    xf_disco_write_info_get(&out, "2", "a", "me", "n#v");
    xf_disco_write_items_get(&out, "3", "a", NULL);
    xf_version_write_get(&out, "4", "a", NULL);
    xf_ping_write(&out, "5", NULL, NULL);
    assert_string_equal(
        written(),
        "<iq id=\"1\" to=\"a\" type=\"get\">"
        "<query xmlns=\"http://jabber.org/protocol/disco#info\"/></iq>"
        "<iq id=\"2\" to=\"a\" from=\"me\" type=\"get\">"
        "<query xmlns=\"http://jabber.org/protocol/disco#info\""
        " node=\"n#v\"/></iq>"
        "<iq id=\"3\" to=\"a\" type=\"get\">"
        "<query xmlns=\"http://jabber.org/protocol/disco#items\"/></iq>"
        "<iq id=\"4\" to=\"a\" type=\"get\">"
        "<query xmlns=\"jabber:iq:version\"/></iq>"
        "<iq id=\"5\" type=\"get\"><ping xmlns=\"urn:xmpp:ping\"/></iq>");
}

static void answers_are_written(void **state)
{
    struct xf_stanza_head h =
        head_of("<iq id='1' to='me' from='you' type='get'><query "
                "xmlns='" XF_NS_DISCO_ITEMS "' node='n'/></iq>");
    struct xf_version_info v;

    (void)state;
    xf_disco_write_items(fresh(), &h);
    assert_string_equal(
        written(), "<iq id=\"1\" to=\"you\" from=\"me\" type=\"result\"><query"
                   " xmlns=\"http://jabber.org/protocol/disco#items\""
                   " node=\"n\"/></iq>");
    xf_version_write(fresh(), &h, "xferry", "1.2.3");
    assert_string_equal(written(),
                        "<iq id=\"1\" to=\"you\" from=\"me\" type=\"result\">"
                        "<query xmlns=\"jabber:iq:version\"><name>xferry</name>"
                        "<version>1.2.3</version></query></iq>");
    assert_true(xf_version_read(parse(written()), &v));
    assert_string_equal(v.name, "xferry");
    assert_string_equal(v.version, "1.2.3");
    assert_false(xf_version_read(parse("<iq/>"), &v));
    assert_true(xf_version_read(
        parse("<iq><query xmlns='jabber:iq:version'/></iq>"), &v));
    assert_null(v.name);
    assert_null(v.version);
}

static void presence_is_read(void **state)
{
    struct xf_presence p;

    (void)state;
    xf_presence_read(parse("<presence><priority>-5</priority><c hash='sha-1'"
                           " node='n' ver='v' xmlns='" XF_NS_CAPS
                           "'/></presence>"),
                     &p);
    assert_int_equal(p.kind, XF_PRESENCE_AVAILABLE);
    assert_int_equal(p.priority, -5);
    assert_string_equal(p.hash, "sha-1");
    assert_string_equal(p.node, "n");
    assert_string_equal(p.ver, "v");
    /* Caps of before 2008 have no hash and cannot be checked. */
    xf_presence_read(parse("<presence><c node='n' ver='v' xmlns='" XF_NS_CAPS
                           "'/></presence>"),
                     &p);
    assert_int_equal(p.priority, 0);
    assert_null(p.node);
    xf_presence_read(parse("<presence type='unavailable'/>"), &p);
    assert_int_equal(p.kind, XF_PRESENCE_UNAVAILABLE);
    xf_presence_read(parse("<presence type='error'/>"), &p);
    assert_int_equal(p.kind, XF_PRESENCE_ERROR);
    xf_presence_read(parse("<presence type='subscribe'/>"), &p);
    assert_int_equal(p.kind, XF_PRESENCE_OTHER);
}

static void priorities_have_eight_bits(void **state)
{
    static const struct {
        const char *text;
        int priority;
    } rows[] = {
        { "127", 127 }, { "128", 0 }, { "-128", -128 }, { "-129", 0 },
        { "-", 0 },     { "", 0 },    { "--1", 0 },     { "1x", 0 },
        { "+1", 0 },    { "-0", 0 },  { "0", 0 },
    };
    struct xf_presence p;
    char xml[128];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(xml, sizeof xml,
                       "<presence><priority>%s</priority></presence>",
                       rows[i].text);
        xf_presence_read(parse(xml), &p);
        assert_int_equal(p.priority, rows[i].priority);
    }
}

static void a_roster_is_read_item_by_item(void **state)
{
    const struct xf_el *iq =
        parse("<iq type='result'><query xmlns='jabber:iq:roster'>"
              "<item jid='a@b' subscription='both'/><item/><item jid=''/>"
              "<other jid='x'/><item jid='c@d'><group>g</group></item>"
              "</query></iq>");
    struct xf_roster_item item;
    const struct xf_el *at = xf_roster_read(iq, NULL, &item);

    (void)state;
    assert_string_equal(item.jid, "a@b");
    assert_string_equal(item.subscription, "both");
    at = xf_roster_read(iq, at, &item);
    assert_non_null(at);
    assert_string_equal(item.jid, "c@d");
    assert_string_equal(item.subscription, "none");
    assert_null(xf_roster_read(iq, at, &item));
    assert_null(xf_roster_read(parse("<iq/>"), NULL, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(info_tells_features_and_the_first_identity),
        CASE(info_may_be_empty_or_missing),
        CASE(info_of_ours_reads_back),
        CASE(items_are_services_with_a_jid),
        CASE(items_have_a_ceiling),
        CASE(questions_are_written),
        CASE(answers_are_written),
        CASE(presence_is_read),
        CASE(priorities_have_eight_bits),
        CASE(a_roster_is_read_item_by_item),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
