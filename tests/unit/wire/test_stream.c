/* Setting up a stream, and stream management: words read and written. */
#include "fixture.h"

#include "wire/ns.h"
#include "wire/sm.h"
#include "wire/stream.h"

/* An element in the stream's namespace, which one stanza alone cannot have. */
#define STREAM(name) "<s:" name " xmlns:s='" XF_NS_STREAM "'"
#define SASL "xmlns='" XF_NS_SASL "'"

static void headers_open_a_stream(void **state)
{
    struct xf_xml_reader *r = xf_xml_reader_new();
    size_t used;
    struct xf_el *el;

    (void)state;
    xf_stream_write_header(fresh(), "example.net", NULL);
    assert_string_equal(
        written(), "<?xml version='1.0'?><stream:stream xmlns=\"jabber:client\""
                   " xmlns:stream=\"http://etherx.jabber.org/streams\""
                   " to=\"example.net\" xml:lang=\"en\" version=\"1.0\">");
    xf_stream_write_header(fresh(), "example.net", "a@example.net");
    xf_stream_write_close(&out);
    assert_int_equal(xf_xml_read(r, written(), strlen(written()), &used, &el),
                     XF_XML_OPENED);
    assert_string_equal(xf_el_attr(el, "from"), "a@example.net");
    assert_int_equal(
        xf_xml_read(r, written() + used, strlen(written()) - used, &used, &el),
        XF_XML_CLOSED);
    xf_xml_reader_free(r);
}

static void features_are_read(void **state)
{
    struct xf_features f;

    (void)state;
    assert_true(xf_stream_read_features(
        parse(STREAM(
            "features") "><starttls xmlns='" XF_NS_TLS
                        "'><required/></starttls><mechanisms " SASL
                        "><mechanism>SCRAM-SHA-1-PLUS</mechanism><mechanism/>"
                        "<mechanism>A-NAME-LONGER-THAN-20</mechanism>"
                        "<mechanism>PLAIN</mechanism></mechanisms>"
                        "<sasl-channel-binding xmlns='urn:xmpp:sasl-cb:0'>"
                        "<channel-binding type='tls-exporter'/>"
                        "<channel-binding type='tls-later'/><channel-binding/>"
                        "<channel-binding "
                        "type='tls-unique'/></sasl-channel-binding>"
                        "<sm xmlns='urn:xmpp:sm:3'/><bind xmlns='" XF_NS_BIND
                        "'/>"
                        "<limits xmlns='urn:xmpp:stream-limits:0'>"
                        "<max-bytes>262144</max-bytes></limits></s:features>"),
        &f));
    assert_true(f.starttls);
    assert_true(f.starttls_required);
    assert_int_equal(f.mechanisms_count, 2);
    assert_string_equal(f.mechanisms[0], "SCRAM-SHA-1-PLUS");
    assert_string_equal(f.mechanisms[1], "PLAIN");
    assert_true(f.bindings_said);
    assert_int_equal(f.bindings, XF_BINDING_EXPORTER | XF_BINDING_UNIQUE);
    assert_true(f.bind);
    assert_true(f.sm);
    assert_int_equal(f.stanza_limit, 262144);
}

static void features_may_be_none_or_unknown(void **state)
{
    struct xf_features f;

    (void)state;
    assert_true(xf_stream_read_features(parse(STREAM("features") "/>"), &f));
    assert_false(f.starttls || f.starttls_required || f.bind || f.sm);
    assert_false(f.bindings_said);
    assert_int_equal(f.mechanisms_count, 0);
    assert_int_equal(f.stanza_limit, 0);
    assert_true(xf_stream_read_features(
        parse(STREAM("features") "><sm xmlns='urn:xmpp:sm:2'/><bind/>"
                                 "<starttls/><limits xmlns='" XF_NS_LIMITS
                                 "'><max-bytes>-1</max-bytes></limits>"
                                 "</s:features>"),
        &f));
    assert_false(f.starttls || f.bind || f.sm);
    assert_int_equal(f.stanza_limit, 0);
    assert_false(xf_stream_read_features(parse("<features/>"), &f));
    assert_false(xf_stream_read_features(NULL, &f));
}

static void a_list_of_mechanisms_has_a_ceiling(void **state)
{
    struct xf_xml_writer *w = fresh();
    struct xf_features f;

    (void)state;
    xf_xml_open(w, "s:features", NULL);
    xf_xml_attr(w, "xmlns:s", XF_NS_STREAM);
    xf_xml_open(w, "mechanisms", XF_NS_SASL);
    for (unsigned i = 0; i < 1000; i++) {
        xf_xml_open(w, "mechanism", NULL);
        xf_xml_text(w, "");
        xf_buf_printf(w->buf, "M-%u", i);
        xf_xml_close(w, "mechanism");
    }
    xf_xml_close(w, "mechanisms");
    xf_xml_close(w, "s:features");
    assert_true(xf_stream_read_features(parse(written()), &f));
    assert_int_equal(f.mechanisms_count, XF_MECHANISMS_MAX);
    assert_string_equal(f.mechanisms[XF_MECHANISMS_MAX - 1], "M-31");
}

static void words_are_known_by_name_and_namespace(void **state)
{
    (void)state;
    assert_int_equal(xf_nonza_of(parse("<proceed xmlns='" XF_NS_TLS "'/>")),
                     XF_NONZA_PROCEED);
    assert_int_equal(xf_nonza_of(parse("<failure xmlns='" XF_NS_TLS "'/>")),
                     XF_NONZA_TLS_FAILURE);
    assert_int_equal(xf_nonza_of(parse("<failure " SASL "/>")),
                     XF_NONZA_SASL_FAILURE);
    assert_int_equal(xf_nonza_of(parse("<challenge " SASL "/>")),
                     XF_NONZA_CHALLENGE);
    assert_int_equal(xf_nonza_of(parse("<success " SASL "/>")),
                     XF_NONZA_SUCCESS);
    assert_int_equal(xf_nonza_of(parse(STREAM("error") "/>")), XF_NONZA_ERROR);
    assert_int_equal(xf_nonza_of(parse("<proceed/>")), XF_NONZA_NONE);
    assert_int_equal(xf_nonza_of(parse("<iq/>")), XF_NONZA_NONE);
    assert_int_equal(xf_nonza_of(NULL), XF_NONZA_NONE);
}

static void failures_have_a_condition_and_words(void **state)
{
    struct xf_stream_failure f;

    (void)state;
    xf_stream_read_failure(
        parse("<failure " SASL "><text>No!</text><not-authorized/></failure>"),
        &f);
    assert_string_equal(f.condition, "not-authorized");
    assert_string_equal(f.text, "No!");
    assert_null(f.other_host);
    xf_stream_read_failure(parse("<failure " SASL "/>"), &f);
    assert_string_equal(f.condition, "undefined-condition");
    assert_null(f.text);
    xf_stream_read_failure(
        parse(STREAM("error") "><see-other-host xmlns='" XF_NS_STREAM_ERROR
                              "'>[::1]:5222</see-other-host></s:error>"),
        &f);
    assert_string_equal(f.condition, "see-other-host");
    assert_string_equal(f.other_host, "[::1]:5222");
    xf_stream_read_failure(parse(STREAM("error") "><conflict/></s:error>"), &f);
    assert_string_equal(f.condition, "undefined-condition");
}

static ssize_t sasl_data(const char *text, char *data, size_t size)
{
    xf_xml_open(fresh(), "success", XF_NS_SASL);
    xf_xml_text(&out, text);
    xf_xml_close(&out, "success");
    return xf_sasl_read_data(parse(written()), data, size);
}

static void sasl_data_is_decoded_within_its_room(void **state)
{
    char data[7];

    (void)state;
    assert_int_equal(sasl_data("", data, sizeof data), 0);
    assert_int_equal(sasl_data("=", data, sizeof data), 0);
    assert_int_equal(sasl_data("dj1hYmM=", data, sizeof data), 5);
    assert_string_equal(data, "v=abc");
    assert_int_equal(sasl_data("YWJjZGVm", data, sizeof data), 6);
    assert_string_equal(data, "abcdef");
    assert_int_equal(sasl_data("YWJjZGVm", data, 6), -1);
    assert_int_equal(sasl_data("YWJjZGVmYWJj", data, sizeof data), -1);
    assert_string_equal(data, "");
    assert_int_equal(sasl_data("dj1hYmM", data, sizeof data), -1);
    assert_int_equal(sasl_data("dj1\nhYm", data, sizeof data), -1);
    assert_int_equal(xf_sasl_read_data(NULL, data, sizeof data), -1);
    assert_int_equal(sasl_data("", data, 0), -1);
}

static void sasl_tells_nothing_from_an_empty_word(void **state)
{
    (void)state;
    xf_sasl_write_auth(fresh(), "PLAIN", "\0a\0b", 4);
    xf_sasl_write_auth(&out, "X", "", 0);
    xf_sasl_write_auth(&out, "Y", NULL, 0);
    xf_sasl_write_response(&out, "abc", 3);
    xf_sasl_write_response(&out, "", 0);
    assert_string_equal(
        written(),
        "<auth xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\""
        " mechanism=\"PLAIN\">AGEAYg==</auth>"
        "<auth xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\""
        " mechanism=\"X\">=</auth>"
        "<auth xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\" mechanism=\"Y\"/>"
        "<response xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\">YWJj</response>"
        "<response xmlns=\"urn:ietf:params:xml:ns:xmpp-sasl\"/>");
}

static void requests_of_a_new_stream_are_written(void **state)
{
    (void)state;
    xf_stream_write_starttls(fresh());
    assert_string_equal(
        written(), "<starttls xmlns=\"urn:ietf:params:xml:ns:xmpp-tls\"/>");
    xf_bind_write(fresh(), "b", "home & away");
    xf_bind_write(&out, "c", NULL);
    assert_string_equal(
        written(), "<iq id=\"b\" type=\"set\">"
                   "<bind xmlns=\"urn:ietf:params:xml:ns:xmpp-bind\">"
                   "<resource>home &amp; away</resource></bind></iq>"
                   "<iq id=\"c\" type=\"set\">"
                   "<bind xmlns=\"urn:ietf:params:xml:ns:xmpp-bind\"/></iq>");
    xf_roster_write_get(fresh(), "r");
    assert_string_equal(written(), "<iq id=\"r\" type=\"get\">"
                                   "<query xmlns=\"jabber:iq:roster\"/></iq>");
    xf_presence_write(fresh(), -1, "urn:n", "v=");
    xf_presence_write(&out, 127, "urn:n", "v=");
    xf_presence_write_unavailable(&out);
    assert_string_equal(written(),
                        "<presence><priority>-1</priority>"
                        "<c xmlns=\"http://jabber.org/protocol/caps\""
                        " hash=\"sha-1\" node=\"urn:n\" ver=\"v=\"/></presence>"
                        "<presence><priority>127</priority>"
                        "<c xmlns=\"http://jabber.org/protocol/caps\""
                        " hash=\"sha-1\" node=\"urn:n\" ver=\"v=\"/></presence>"
                        "<presence type=\"unavailable\"/>");
}

static void a_bind_tells_our_jid(void **state)
{
    (void)state;
    assert_string_equal(xf_bind_read(parse("<iq><bind xmlns='" XF_NS_BIND
                                           "'><jid>a@b/c</jid></bind></iq>")),
                        "a@b/c");
    assert_null(xf_bind_read(
        parse("<iq><bind xmlns='" XF_NS_BIND "'><jid/></bind></iq>")));
    assert_null(xf_bind_read(parse("<iq/>")));
}

static void faults_have_names_in_stream_errors(void **state)
{
    (void)state;
    assert_string_equal(xf_stream_condition(XF_XML_NOT_WELL_FORMED),
                        "not-well-formed");
    assert_string_equal(xf_stream_condition(XF_XML_RESTRICTED),
                        "restricted-xml");
    assert_string_equal(xf_stream_condition(XF_XML_POLICY_VIOLATION),
                        "policy-violation");
    xf_stream_write_error(fresh(), "restricted-xml");
    assert_string_equal(written(),
                        "<stream:error><restricted-xml"
                        " xmlns=\"urn:ietf:params:xml:ns:xmpp-streams\"/>"
                        "</stream:error></stream:stream>");
}

/* --- stream management ---------------------------------------------------- */

#define SM " xmlns='urn:xmpp:sm:3'"

static void stream_management_is_read(void **state)
{
    struct xf_sm_said said;

    (void)state;
    assert_true(xf_sm_read(parse("<enabled" SM " id='i' resume='true'"
                                 " max='600' location='[::1]:1'/>"),
                           &said));
    assert_int_equal(said.word, XF_SM_WORD_ENABLED);
    assert_string_equal(said.id, "i");
    assert_string_equal(said.location, "[::1]:1");
    assert_true(said.resume);
    assert_int_equal(said.max_s, 600);
    assert_true(
        xf_sm_read(parse("<enabled" SM " resume='0' max='x'/>"), &said));
    assert_int_equal(said.word, XF_SM_WORD_ENABLED);
    assert_false(said.resume);
    assert_null(said.id);
    assert_int_equal(said.max_s, 0);
    assert_true(xf_sm_read(parse("<enabled" SM " resume='1'/>"), &said));
    assert_true(said.resume);
    assert_true(xf_sm_read(parse("<r" SM "/>"), &said));
    assert_int_equal(said.word, XF_SM_WORD_REQUEST);
    assert_true(xf_sm_read(parse("<a" SM " h='4294967295'/>"), &said));
    assert_int_equal(said.word, XF_SM_WORD_ACK);
    assert_int_equal(said.h, UINT32_MAX);
    assert_true(xf_sm_read(parse("<resumed" SM " h='3' previd='i'/>"), &said));
    assert_int_equal(said.word, XF_SM_WORD_RESUMED);
    assert_string_equal(said.id, "i");
    assert_true(xf_sm_read(
        parse("<failed" SM " h='7'><item-not-found xmlns='" XF_NS_STANZA_ERROR
              "'/></failed>"),
        &said));
    assert_int_equal(said.word, XF_SM_WORD_FAILED);
    assert_true(said.has_h);
    assert_int_equal(said.h, 7);
    assert_string_equal(said.condition, "item-not-found");
    assert_true(xf_sm_read(parse("<failed" SM "/>"), &said));
    assert_false(said.has_h);
    assert_null(said.condition);
}

static void stream_management_must_make_sense(void **state)
{
    static const char *const bad[] = {
        "<a" SM "/>",        "<a" SM " h=''/>",
        "<a" SM " h='-1'/>", "<a" SM " h='4294967296'/>",
        "<a" SM " h=' 1'/>", "<resumed" SM " previd='i'/>",
        "<other" SM "/>",
    };
    struct xf_sm_said said;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_true(xf_sm_read(parse(bad[i]), &said));
        assert_int_equal(said.word, XF_SM_WORD_NONE);
    }
    assert_false(xf_sm_read(parse("<r xmlns='urn:xmpp:sm:2'/>"), &said));
    assert_false(xf_sm_read(parse("<r/>"), &said));
    assert_false(xf_sm_read(NULL, &said));
}

static void stream_management_is_written(void **state)
{
    (void)state;
    xf_sm_write_enable(fresh(), true);
    xf_sm_write_enable(&out, false);
    xf_sm_write_request(&out);
    xf_sm_write_ack(&out, UINT32_MAX);
    xf_sm_write_resume(&out, "i", 0);
    assert_string_equal(
        written(), "<enable xmlns=\"urn:xmpp:sm:3\" resume=\"true\"/>"
                   "<enable xmlns=\"urn:xmpp:sm:3\"/>"
                   "<r xmlns=\"urn:xmpp:sm:3\"/>"
                   "<a xmlns=\"urn:xmpp:sm:3\" h=\"4294967295\"/>"
                   "<resume xmlns=\"urn:xmpp:sm:3\" h=\"0\" previd=\"i\"/>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(headers_open_a_stream),
        CASE(features_are_read),
        CASE(features_may_be_none_or_unknown),
        CASE(a_list_of_mechanisms_has_a_ceiling),
        CASE(words_are_known_by_name_and_namespace),
        CASE(failures_have_a_condition_and_words),
        CASE(sasl_data_is_decoded_within_its_room),
        CASE(sasl_tells_nothing_from_an_empty_word),
        CASE(requests_of_a_new_stream_are_written),
        CASE(a_bind_tells_our_jid),
        CASE(faults_have_names_in_stream_errors),
        CASE(stream_management_is_read),
        CASE(stream_management_must_make_sense),
        CASE(stream_management_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
