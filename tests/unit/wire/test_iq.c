/* The outside of stanzas: heads, answers, errors. */
#include "fixture.h"

#include "wire/ns.h"

static void a_head_says_who_what_and_whom(void **state)
{
    struct xf_stanza_head h = head_of(
        "<iq id='i' to='a@b/c' from='d' type='get'><q xmlns='x'/></iq>");

    (void)state;
    assert_int_equal(h.kind, XF_KIND_IQ);
    assert_int_equal(h.type, XF_IQ_GET);
    assert_false(h.error);
    assert_string_equal(h.id, "i");
    assert_string_equal(h.to, "a@b/c");
    assert_string_equal(h.from, "d");
    assert_true(xf_el_is(h.payload, "q", "x"));

    h = head_of("<message type='error'/>");
    assert_int_equal(h.kind, XF_KIND_MESSAGE);
    assert_int_equal(h.type, XF_IQ_NONE);
    assert_true(h.error);
    assert_null(h.id);
    assert_null(h.to);
    assert_null(h.from);
    assert_int_equal(head_of("<presence/>").kind, XF_KIND_PRESENCE);
    assert_int_equal(head_of("<iq id='i' type='result'/>").type, XF_IQ_RESULT);
    assert_true(head_of("<iq id='i' type='error'/>").error);
}

static void a_request_has_one_child(void **state)
{
    (void)state;
    assert_null(head_of("<iq id='i' type='set'/>").payload);
    assert_null(head_of("<iq id='i' type='set'><a/><b/></iq>").payload);
    assert_non_null(head_of("<iq id='i' type='set'> <a/> </iq>").payload);
    assert_null(head_of("<iq id='i' type='result'><a/></iq>").payload);
}

static void what_nobody_can_answer_is_no_stanza(void **state)
{
    static const char *const bad[] = {
        "<iq/>",
        "<iq id='i'/>",
        "<iq type='get'/>",
        "<iq type='get' id=''/>",
        "<iq type='other' id='i'/>",
        "<iq xmlns='jabber:server' type='get' id='i'/>",
        "<r xmlns='urn:xmpp:sm:3'/>",
    };
    struct xf_stanza_head h;
    char xml[2048];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(xf_stanza_read(parse(bad[i]), &h));
    assert_false(xf_stanza_read(NULL, &h));
    (void)snprintf(xml, sizeof xml, "<iq type='get' id='%0*d'/>",
                   XF_STANZA_ID_MAX, 0);
    assert_true(xf_stanza_read(parse(xml), &h));
    (void)snprintf(xml, sizeof xml, "<iq type='get' id='%0*d'/>",
                   XF_STANZA_ID_MAX + 1, 0);
    assert_false(xf_stanza_read(parse(xml), &h));
}

static void answers_go_back_where_the_request_came_from(void **state)
{
    struct xf_stanza_head h =
        head_of("<iq id='&lt;1&gt;' to='me' from='you' type='set'/>");

    (void)state;
    xf_iq_write_answer(fresh(), &h, XF_ANSWER_OK, NULL);
    assert_string_equal(
        written(),
        "<iq id=\"&lt;1&gt;\" to=\"you\" from=\"me\" type=\"result\"/>");
    h = head_of("<iq id='1' type='set'/>");
    xf_iq_write_answer(fresh(), &h, XF_ANSWER_OK, NULL);
    assert_string_equal(written(), "<iq id=\"1\" type=\"result\"/>");
    xf_iq_write_answer(fresh(), &h, XF_ANSWER_NONE, NULL);
    assert_string_equal(written(), "");
}

static void results_and_errors_are_never_answered(void **state)
{
    static const char *const silent[] = {
        "<iq id='1' type='result'/>",
        "<iq id='1' type='error'/>",
        "<message id='1' type='error'/>",
        "<message id='1'/>",
        "<presence id='1'/>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        struct xf_stanza_head h = head_of(silent[i]);

        xf_iq_write_answer(fresh(), &h, XF_ANSWER_UNAVAILABLE, NULL);
        xf_iq_write_answer(&out, &h, XF_ANSWER_OK, NULL);
        assert_string_equal(written(), "");
    }
}

#define COND(name) "<" name " xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\"/>"
#define SI(name) "<" name " xmlns=\"http://jabber.org/protocol/si\"/>"

static void every_answer_is_written_as_in_its_table(void **state)
{
    static const char *const rows[XF_ANSWERS] = {
        [XF_ANSWER_NO_VALID_STREAMS] = "<error type=\"cancel\">" COND(
            "bad-request") SI("no-valid-streams") "</error>",
        [XF_ANSWER_BAD_PROFILE] = "<error type=\"cancel\">" COND("bad-request")
            SI("bad-profile") "</error>",
        [XF_ANSWER_BAD_REQUEST] =
            "<error type=\"cancel\">" COND("bad-request") "</error>",
        [XF_ANSWER_BAD_REQUEST_MODIFY] =
            "<error type=\"modify\">" COND("bad-request") "</error>",
        [XF_ANSWER_DECLINED] =
            "<error type=\"cancel\">" COND("forbidden") "</error>",
        [XF_ANSWER_TOO_BIG] =
            "<error type=\"modify\">" COND("resource-constraint") "</error>",
        [XF_ANSWER_BUSY] =
            "<error type=\"wait\">" COND("resource-constraint") "</error>",
        [XF_ANSWER_NOT_ACCEPTABLE] =
            "<error type=\"cancel\">" COND("not-acceptable") "</error>",
        [XF_ANSWER_NOT_ACCEPTABLE_MODIFY] =
            "<error type=\"modify\">" COND("not-acceptable") "</error>",
        [XF_ANSWER_NOT_FOUND] =
            "<error type=\"cancel\">" COND("item-not-found") "</error>",
        [XF_ANSWER_UNEXPECTED] =
            "<error type=\"cancel\">" COND("unexpected-request") "</error>",
        [XF_ANSWER_UNAVAILABLE] =
            "<error type=\"cancel\">" COND("service-unavailable") "</error>",
        [XF_ANSWER_FORBIDDEN] =
            "<error type=\"auth\">" COND("forbidden") "</error>",
        [XF_ANSWER_NOT_ALLOWED] =
            "<error type=\"cancel\">" COND("not-allowed") "</error>",
        [XF_ANSWER_JID_MALFORMED] =
            "<error type=\"modify\">" COND("jid-malformed") "</error>",
        [XF_ANSWER_INTERNAL] =
            "<error type=\"cancel\">" COND("internal-server-error") "</error>",
    };
    struct xf_stanza_head h =
        head_of("<iq id='1' to='me' from='you' type='get'/>");
    char want[1024];

    (void)state;
    for (int a = XF_ANSWER_NO_VALID_STREAMS; a < XF_ANSWERS; a++) {
        assert_non_null(rows[a]);
        (void)snprintf(
            want, sizeof want,
            "<iq id=\"1\" to=\"you\" from=\"me\" type=\"error\">%s</iq>",
            rows[a]);
        xf_iq_write_answer(fresh(), &h, (enum xf_answer)a, NULL);
        assert_string_equal(written(), want);
    }
}

static void an_error_may_have_words(void **state)
{
    struct xf_stanza_error e;

    (void)state;
    xf_stanza_write_error(fresh(), XF_ANSWER_DECLINED, "no <thanks>");
    assert_string_equal(
        written(),
        "<error type=\"cancel\">" COND(
            "forbidden") "<text xmlns=\"urn:ietf:params:xml:ns:xmpp-stanzas\">"
                         "no &lt;thanks&gt;</text></error>");
    xf_xml_open(fresh(), "iq", NULL);
    xf_stanza_write_error(&out, XF_ANSWER_NO_VALID_STREAMS, "why");
    xf_xml_close(&out, "iq");
    xf_stanza_read_error(parse(written()), &e);
    assert_int_equal(e.condition, XF_COND_BAD_REQUEST);
    assert_string_equal(e.type, "cancel");
    assert_string_equal(e.text, "why");
    assert_true(e.no_valid_streams);
    assert_false(e.bad_profile);
}

static void errors_are_read_in_any_order_and_form(void **state)
{
    struct xf_stanza_error e;

    (void)state;
    xf_stanza_read_error(
        parse("<iq type='error'><si xmlns='" XF_NS_SI "'/>"
              "<error code='403'><text xmlns='" XF_NS_STANZA_ERROR
              "'>t</text><x xmlns='y'/><forbidden xmlns='" XF_NS_STANZA_ERROR
              "'/></error></iq>"),
        &e);
    assert_int_equal(e.condition, XF_COND_FORBIDDEN);
    assert_null(e.type);
    assert_string_equal(e.text, "t");
    xf_stanza_read_error(parse("<iq type='error'><error type='auth'><new-one "
                               "xmlns='" XF_NS_STANZA_ERROR "'/></error></iq>"),
                         &e);
    assert_int_equal(e.condition, XF_COND_OTHER);
    assert_string_equal(e.type, "auth");
    xf_stanza_read_error(
        parse("<iq type='error'><error><forbidden/></error></iq>"), &e);
    assert_int_equal(e.condition, XF_COND_OTHER);
    xf_stanza_read_error(parse("<iq type='error'/>"), &e);
    assert_int_equal(e.condition, XF_COND_OTHER);
    assert_null(e.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_head_says_who_what_and_whom),
        CASE(a_request_has_one_child),
        CASE(what_nobody_can_answer_is_no_stanza),
        CASE(answers_go_back_where_the_request_came_from),
        CASE(results_and_errors_are_never_answered),
        CASE(every_answer_is_written_as_in_its_table),
        CASE(an_error_may_have_words),
        CASE(errors_are_read_in_any_order_and_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
