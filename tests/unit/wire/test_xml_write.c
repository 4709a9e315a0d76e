/* The writer: form, escapes, and that what it wrote reads back the same. */
#include "fixture.h"

static void empty_elements_end_in_two_ways(void **state)
{
    struct xf_xml_writer *w = fresh();

    (void)state;
    xf_xml_open(w, "a", "urn:a");
    xf_xml_open(w, "b", NULL);
    xf_xml_attr(w, "x", "1");
    xf_xml_attr(w, "y", NULL);
    xf_xml_attr_uint(w, "z", 0);
    xf_xml_end(w, "b");
    xf_xml_open(w, "c", NULL);
    xf_xml_attr_uint(w, "z", UINT64_MAX);
    xf_xml_close(w, "c");
    xf_xml_open(w, "d", NULL);
    xf_xml_text(w, "t");
    xf_xml_end(w, "d");
    xf_xml_end(w, "a");
    assert_string_equal(written(), "<a xmlns=\"urn:a\"><b x=\"1\" z=\"0\"/>"
                                   "<c z=\"18446744073709551615\"></c>"
                                   "<d>t</d></a>");
}

static void what_means_something_in_xml_is_escaped(void **state)
{
    struct xf_xml_writer *w = fresh();

    (void)state;
    xf_xml_open(w, "a", NULL);
    xf_xml_attr(w, "b", "<&>\"'\t\r\n]]>");
    xf_xml_text(w, "<&>\"'\t\r\n]]>");
    xf_xml_close(w, "a");
    assert_string_equal(written(),
                        "<a b=\"&lt;&amp;&gt;&quot;'&#9;&#13;&#10;]]&gt;\">"
                        "&lt;&amp;&gt;\"'\t&#13;\n]]&gt;</a>");
}

static void what_was_written_reads_back_the_same(void **state)
{
    char text[4096];
    size_t len = 0;

    (void)state;
    for (char c = 0x20; c < 0x7f; c++)
        text[len++] = c;
    memcpy(text + len, "\t\r\n\xc2\x80\xef\xbf\xbd\xf4\x8f\xbf\xbf", 13);
    for (int i = 0; i < 2; i++) {
        struct xf_xml_writer *w = fresh();
        struct xf_el *el;

        xf_xml_open(w, "a", NULL);
        xf_xml_attr(w, "b", text);
        xf_xml_text(w, text);
        xf_xml_close(w, "a");
        el = parse(written());
        assert_string_equal(xf_el_attr(el, "b"), text);
        assert_string_equal(el->text, text);
    }
}

static void what_is_no_xml_text_fails(void **state)
{
    static const char *const bad[] = {
        "\x01",         "a\x1f",        "\xff",         "\xc0\x80",
        "\xed\xa0\x80", "\xef\xbf\xbe", "\xef\xbf\xbf", "\xe2\x82",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct xf_xml_writer *w = fresh();

        xf_xml_open(w, "a", NULL);
        xf_xml_attr(w, "b", bad[i]);
        assert_true(w->buf->failed);
        w = fresh();
        xf_xml_open(w, "a", NULL);
        xf_xml_text(w, bad[i]);
        assert_true(w->buf->failed);
    }
}

static void base64_goes_in_as_it_is(void **state)
{
    struct xf_xml_writer *w = fresh();

    (void)state;
    xf_xml_open(w, "a", NULL);
    xf_xml_base64(w, "\xff\xfe\x00z", 4);
    xf_xml_close(w, "a");
    xf_xml_open(w, "b", NULL);
    xf_xml_base64(w, "", 0);
    xf_xml_close(w, "b");
    assert_string_equal(written(), "<a>//4Aeg==</a><b></b>");
}

static void a_full_buffer_is_found_at_the_end(void **state)
{
    struct xf_xml_writer *w = fresh();
    char bytes[64] = "";

    (void)state;
    w->buf->max = 20;
    xf_xml_open(w, "a", NULL);
    xf_xml_base64(w, bytes, sizeof bytes);
    xf_xml_close(w, "a");
    assert_true(w->buf->failed);
}

static void a_tree_is_shown_as_it_may_have_stood(void **state)
{
    (void)state;
    xf_xml_copy(fresh(), parse("<iq id='&lt;' xml:lang='de'><f:q "
                               "xmlns:f='urn:f'>a<f:b/>&amp;<c/></f:q></iq>"));
    assert_string_equal(written(),
                        "<iq id=\"&lt;\" xml:lang=\"de\"><q xmlns=\"urn:f\">"
                        "a&amp;<b/><c xmlns=\"jabber:client\"/></q></iq>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(empty_elements_end_in_two_ways),
        CASE(what_means_something_in_xml_is_escaped),
        CASE(what_was_written_reads_back_the_same),
        CASE(what_is_no_xml_text_fails),
        CASE(base64_goes_in_as_it_is),
        CASE(a_full_buffer_is_found_at_the_end),
        CASE(a_tree_is_shown_as_it_may_have_stood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
