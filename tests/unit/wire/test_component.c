/* A component's stream: what is written, and read as a client's is. */
#include "fixture.h"

#include "wire/component.h"
#include "wire/iq.h"
#include "wire/ns.h"
#include "wire/stream.h"

#define HEADER                                                                 \
    "<?xml version='1.0'?><stream:stream from='proxy.example.net'"             \
    " xmlns='jabber:component:accept' id='3BF96D32'"                           \
    " xmlns:stream='http://etherx.jabber.org/streams'>"

static void header_and_handshake_are_those_of_the_xep(void **state)
{
    (void)state;
    xf_component_write_header(fresh(), "proxy.example.net");
    xf_component_write_handshake(&out,
                                 "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e");
    xf_stream_write_close(&out);
    assert_string_equal(written(),
                        "<?xml version='1.0'?>"
                        "<stream:stream xmlns=\"jabber:component:accept\""
                        " xmlns:stream=\"http://etherx.jabber.org/streams\""
                        " to=\"proxy.example.net\">"
                        "<handshake>aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e"
                        "</handshake></stream:stream>");
}

/* A reader behind the header; `*id` is copied. */
static struct xf_xml_reader *opened(char id[64])
{
    struct xf_xml_reader *r = xf_xml_reader_new();
    struct xf_el *el;
    size_t used;

    assert_non_null(r);
    assert_int_equal(xf_xml_read(r, HEADER, sizeof HEADER - 1, &used, &el),
                     XF_XML_OPENED);
    (void)snprintf(id, 64, "%s", xf_component_read_id(el));
    return r;
}

static struct xf_el *next(struct xf_xml_reader *r, const char *xml)
{
    struct xf_el *el;
    size_t used;

    assert_int_equal(xf_xml_read(r, xml, strlen(xml), &used, &el),
                     XF_XML_STANZA);
    assert_int_equal(used, strlen(xml));
    return el;
}

static void a_server_s_words_are_read(void **state)
{
    char id[64];
    struct xf_xml_reader *r = opened(id);
    struct xf_stream_failure failure;
    struct xf_el *el;

    (void)state;
    assert_string_equal(id, "3BF96D32");
    assert_true(xf_component_is_handshake(next(r, "<handshake/>")));
    assert_true(xf_component_is_handshake(next(r, "<handshake></handshake>")));
    assert_false(xf_component_is_handshake(next(r, "<iq/>")));
    assert_false(xf_component_is_handshake(next(r, "<handshake xmlns='x'/>")));
    el = next(r, "<stream:error><conflict xmlns='" XF_NS_STREAM_ERROR
                 "'/><text xmlns='" XF_NS_STREAM_ERROR
                 "'>taken</text></stream:error>");
    assert_int_equal(xf_nonza_of(el), XF_NONZA_ERROR);
    xf_stream_read_failure(el, &failure);
    assert_string_equal(failure.condition, "conflict");
    assert_string_equal(failure.text, "taken");
    xf_xml_reader_free(r);
}

static void stanzas_are_read_as_a_client_s(void **state)
{
    char id[64];
    struct xf_xml_reader *r = opened(id);
    struct xf_stanza_head head;
    struct xf_stanza_error error;
    struct xf_el *el =
        next(r, "<iq type='get' id='1' from='a@b/c' to='proxy.example.net'>"
                "<query xmlns='" XF_NS_BYTESTREAMS "'><x/></query></iq>");

    (void)state;
    assert_false(xf_stanza_read(el, &head));
    xf_component_as_client(el);
    assert_true(xf_stanza_read(el, &head));
    assert_int_equal(head.type, XF_IQ_GET);
    assert_true(xf_el_is(head.payload, "query", XF_NS_BYTESTREAMS));
    assert_true(xf_el_is(head.payload->children, "x", XF_NS_BYTESTREAMS));
    el = next(r, "<iq type='error' id='1' from='a@b/c'><error type='cancel'>"
                 "<gone xmlns='" XF_NS_STANZA_ERROR "'/></error></iq>");
    xf_component_as_client(el);
    xf_stanza_read_error(el, &error);
    assert_int_equal(error.condition, XF_COND_GONE);
    xf_xml_reader_free(r);
}

static void the_stream_may_be_cut_anywhere(void **state)
{
    static const char whole[] =
        HEADER "<handshake/><iq type='set' id='2' from='a@b/c'"
               " to='proxy.example.net'><query xmlns='" XF_NS_BYTESTREAMS
               "' sid='s'><activate>d@e/f</activate></query></iq>";

    (void)state;
    for (size_t cut = 0; cut < sizeof whole; cut++) {
        struct xf_xml_reader *r = xf_xml_reader_new();
        const size_t ends[] = { cut, sizeof whole - 1 };
        int opened = 0, handshakes = 0, stanzas = 0;
        size_t at = 0;

        for (int part = 0; part < 2; part++) {
            while (at < ends[part]) {
                struct xf_el *el;
                size_t used;
                enum xf_xml_news news =
                    xf_xml_read(r, whole + at, ends[part] - at, &used, &el);

                at += used;
                opened += news == XF_XML_OPENED;
                if (news == XF_XML_STANZA && xf_component_is_handshake(el))
                    handshakes++;
                else
                    stanzas += news == XF_XML_STANZA;
            }
        }
        assert_int_equal(opened, 1);
        assert_int_equal(handshakes, 1);
        assert_int_equal(stanzas, 1);
        xf_xml_reader_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(header_and_handshake_are_those_of_the_xep),
        CASE(a_server_s_words_are_read),
        CASE(stanzas_are_read_as_a_client_s),
        CASE(the_stream_may_be_cut_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
