/* The reader of streams: cuts, ceilings, what XMPP forbids, lost memory. */
#include "fixture.h"

#include <errno.h>

#include "base/sys.h"
#include "wire/ns.h"

#define ROOT                                                                   \
    "<stream:stream xmlns='jabber:client' "                                    \
    "xmlns:stream='http://etherx.jabber.org/streams'>"

/* --- what was read, as text --------------------------------------------- */

static void dump(struct xf_buf *b, const struct xf_el *el)
{
    xf_buf_printf(b, "<{%s}%s", el->ns, el->name);
    for (const struct xf_attr *a = el->attrs; a; a = a->next)
        xf_buf_printf(b, " %s=[%s]", a->name, a->value);
    xf_buf_printf(b, " #%zu [%s]", el->text_len, el->text);
    for (const struct xf_el *c = el->children; c; c = c->next)
        dump(b, c);
    xf_buf_puts(b, ">\n");
}

static const char *const news_names[] = {
    [XF_XML_MORE] = "",           [XF_XML_OPENED] = "opened ",
    [XF_XML_STANZA] = "stanza ",  [XF_XML_CLOSED] = "closed\n",
    [XF_XML_BROKEN] = "broken\n",
};

/* Hands in one piece as a caller does; stops where the stream ends. */
static enum xf_xml_news feed(struct xf_xml_reader *r, struct xf_buf *b,
                             const char *bytes, size_t len)
{
    enum xf_xml_news news = XF_XML_MORE;
    struct xf_el *el;

    while (len > 0 && news != XF_XML_CLOSED && news != XF_XML_BROKEN) {
        size_t used;

        news = xf_xml_read(r, bytes, len, &used, &el);
        assert_true(used <= len);
        assert_true(news != XF_XML_MORE || used == len);
        bytes += used;
        len -= used;
        if (b)
            xf_buf_puts(b, news_names[news]);
        if (b && el)
            dump(b, el);
    }
    return news;
}

/* How a whole stream ends when it is handed in in pieces of `step` bytes. */
static enum xf_xml_fault fault_in_steps(const char *bytes, size_t len,
                                        size_t step)
{
    struct xf_xml_reader *r = xf_xml_reader_new();
    enum xf_xml_fault fault;

    assert_non_null(r);
    for (size_t at = 0; at < len; at += step)
        feed(r, NULL, bytes + at, len - at < step ? len - at : step);
    fault = xf_xml_fault(r);
    xf_xml_reader_free(r);
    return fault;
}

static enum xf_xml_fault fault_of(const char *xml)
{
    enum xf_xml_fault whole = fault_in_steps(xml, strlen(xml), strlen(xml));

    assert_int_equal(fault_in_steps(xml, strlen(xml), 1), whole);
    return whole;
}

/* --- reading -------------------------------------------------------------- */

static void a_session_reads_the_same_however_it_is_cut(void **state)
{
    size_t len;
    char *session = data_file("session.xml", &len);
    struct xf_buf whole, cut;
    struct xf_xml_reader *r;

    (void)state;
    xf_buf_init(&whole, 1024 * 1024);
    xf_buf_init(&cut, 1024 * 1024);
    r = xf_xml_reader_new();
    assert_int_equal(feed(r, &whole, session, len), XF_XML_CLOSED);
    xf_xml_reader_free(r);
    assert_true(whole.len > len);

    for (size_t at = 1; at < len; at++) {
        xf_buf_reset(&cut);
        r = xf_xml_reader_new();
        feed(r, &cut, session, at);
        feed(r, &cut, session + at, len - at);
        xf_xml_reader_free(r);
        assert_string_equal(xf_buf_text(&cut), xf_buf_text(&whole));
    }
    for (size_t step = 1; step < 40; step++) {
        xf_buf_reset(&cut);
        r = xf_xml_reader_new();
        for (size_t at = 0; at < len; at += step)
            feed(r, &cut, session + at, len - at < step ? len - at : step);
        xf_xml_reader_free(r);
        assert_string_equal(xf_buf_text(&cut), xf_buf_text(&whole));
    }
    xf_buf_clear(&whole);
    xf_buf_clear(&cut);
    free(session);
}

/* --- text that goes past expat ------------------------------------------- */

#define A64 "AAAABBBBCCCCDDDDEEEEFFFFGGGGHHHHIIIIJJJJKKKKLLLLMMMMNNNN0123456="

/* Cut at each byte, so that any of it stands where expat has all there is. */
static void long_text_reads_the_same_however_it_is_cut(void **state)
{
    static const char xml[] =
        ROOT "<iq id='1'><data seq='0'>" A64 A64 A64 "</data></iq>"
             "<iq id='2'><data seq='1'>" A64 A64 "&amp;" A64 A64 "</data></iq> "
             "<iq id='3'><d>" A64 A64 "<b/>" A64 "\r\n" A64 "&#9;</d>" A64
             "</iq><iq id='4'><d>" A64 A64 "\xc3\xa4" A64 A64 "</d></iq>\n"
             "<iq id='5'><![CDATA[" A64 A64 "<&]] >" A64 A64 "]]>" A64 A64
             "</iq><message>" A64 A64 "]]" A64 A64 ">" A64 "</message>";
    const size_t len = sizeof xml - 1;
    struct xf_buf first, cut;
    struct xf_xml_reader *r;

    (void)state;
    xf_buf_init(&first, 1024 * 1024);
    xf_buf_init(&cut, 1024 * 1024);
    r = xf_xml_reader_new();
    for (size_t at = 0; at < len; at++) /* never enough at once */
        feed(r, &first, xml + at, 1);
    assert_int_equal(xf_xml_fault(r), XF_XML_FINE);
    xf_xml_reader_free(r);
    assert_non_null(strstr(xf_buf_text(&first), A64 A64 "<&]] >" A64));
    for (size_t at = 0; at < len; at++) {
        xf_buf_reset(&cut);
        r = xf_xml_reader_new();
        feed(r, &cut, xml, at);
        feed(r, &cut, xml + at, len - at);
        xf_xml_reader_free(r);
        assert_string_equal(xf_buf_text(&cut), xf_buf_text(&first));
    }
    for (size_t step = 60; step < 200; step++) {
        xf_buf_reset(&cut);
        r = xf_xml_reader_new();
        for (size_t at = 0; at < len; at += step)
            feed(r, &cut, xml + at, len - at < step ? len - at : step);
        xf_xml_reader_free(r);
        assert_string_equal(xf_buf_text(&cut), xf_buf_text(&first));
    }
    xf_buf_clear(&first);
    xf_buf_clear(&cut);
}

/* Whatever is wrong is as wrong behind and within long text. */
static void long_text_hides_no_fault(void **state)
{
    static const char *const bad[] = { "]]>",     "\x01",     "\xff",
                                       "<?a b?>", "<!-- -->", "&b;",
                                       "</x>",    "<",        "&" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char xml[2048];
        enum xf_xml_fault fault;

        snprintf(xml, sizeof xml, ROOT "<iq><a>%s" A64 "</a></iq>", bad[i]);
        fault = fault_of(xml);
        assert_int_not_equal(fault, XF_XML_FINE);
        snprintf(xml, sizeof xml,
                 ROOT "<iq><a>" A64 A64 "</a></iq><iq><a>" A64 A64 "%s" A64 A64
                      "</a></iq>",
                 bad[i]);
        assert_int_equal(fault_of(xml), fault);
        for (size_t step = 2; step < 300; step++)
            assert_int_equal(fault_in_steps(xml, strlen(xml), step), fault);
    }
}

/* What goes past expat counts for the ceiling of a stanza all the same. */
static void long_text_is_not_endless(void **state)
{
    static const char start[] = ROOT "<iq><a>";
    struct xf_xml_reader *r = xf_xml_reader_new();
    enum xf_xml_news news = XF_XML_MORE;
    size_t fed = 0;

    (void)state;
    feed(r, NULL, start, sizeof start - 1);
    while (news != XF_XML_BROKEN && fed < 2 * XF_XML_STANZA_MAX) {
        news = feed(r, NULL, A64, sizeof A64 - 1);
        fed += sizeof A64 - 1;
    }
    assert_int_equal(xf_xml_fault(r), XF_XML_POLICY_VIOLATION);
    assert_in_range(fed, XF_XML_STANZA_MAX - 100, XF_XML_STANZA_MAX + 100);
    xf_xml_reader_free(r);
}

static void a_tree_has_names_attributes_text_and_children(void **state)
{
    struct xf_el *el = parse(
        "<message xmlns:f='urn:f' id='1' f:id='2' xml:lang='de'>"
        "a<x xmlns='urn:x'>1<y/>2<f:z q='&lt;&#10;'/>3</x>&amp;<![CDATA[<b>]]>"
        "</message>");
    struct xf_el *x = xf_el_child(el, "x", "urn:x");

    (void)state;
    assert_true(xf_el_is(el, "message", XF_NS_CLIENT));
    assert_string_equal(xf_el_attr(el, "id"), "1");
    assert_string_equal(xf_el_attr(el, "xml:lang"), "de");
    assert_null(xf_el_attr(el, "f:id"));
    assert_null(xf_el_attr(el, "xml:id"));
    assert_null(xf_el_attr(el, "xmlns:f"));
    assert_string_equal(el->text, "a&<b>");
    assert_int_equal(el->text_len, 5);
    assert_string_equal(x->text, "123");
    assert_ptr_equal(xf_el_child_in(el, "urn:x"), x);
    assert_null(xf_el_child_in(el, "urn:y"));
    assert_non_null(xf_el_child(x, "y", "urn:x"));
    assert_string_equal(xf_el_attr(xf_el_child(x, "z", "urn:f"), "q"), "<\n");
    assert_ptr_equal(xf_el_next(x->children, "z", "urn:f"), x->children->next);
    assert_null(xf_el_next(x, "x", "urn:x"));
    assert_string_equal(xf_el_child_text(el, "x", "urn:x"), "123");
    assert_null(xf_el_child_text(el, "x", XF_NS_CLIENT));
}

static void nothing_in_nothing_is_nothing(void **state)
{
    (void)state;
    assert_null(xf_el_attr(NULL, "a"));
    assert_false(xf_el_is(NULL, "a", "b"));
    assert_null(xf_el_child(NULL, "a", "b"));
    assert_null(xf_el_next(NULL, "a", "b"));
    assert_null(xf_el_child_in(NULL, "b"));
    assert_null(xf_el_child_text(NULL, "a", "b"));
    xf_el_cut_text(NULL, 3);
    xf_xml_reader_free(NULL);
    xf_xml_doc_free(NULL);
}

static void text_is_cut_at_a_character(void **state)
{
    struct xf_el *el = parse("<a>x\xc3\xa4\xf0\x9f\x8d\x8e</a>");

    (void)state;
    xf_el_cut_text(el, 7);
    assert_string_equal(el->text, "x\xc3\xa4\xf0\x9f\x8d\x8e");
    xf_el_cut_text(el, 6);
    assert_string_equal(el->text, "x\xc3\xa4");
    assert_int_equal(el->text_len, 3);
    xf_el_cut_text(el, 2);
    assert_string_equal(el->text, "x");
    xf_el_cut_text(el, 0);
    assert_string_equal(el->text, "");
}

/* What follows <proceed/> in the clear must not be taken for the stream. */
static void reading_stops_right_behind_each_element(void **state)
{
    static const char bytes[] =
        ROOT "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\x16\x03<&";
    struct xf_xml_reader *r = xf_xml_reader_new();
    size_t used, at;
    struct xf_el *el;

    (void)state;
    assert_int_equal(xf_xml_read(r, bytes, sizeof bytes - 1, &used, &el),
                     XF_XML_OPENED);
    assert_int_equal(used, sizeof ROOT - 1);
    at = used;
    assert_int_equal(
        xf_xml_read(r, bytes + at, sizeof bytes - 1 - at, &used, &el),
        XF_XML_STANZA);
    assert_true(xf_el_is(el, "proceed", XF_NS_TLS));
    assert_int_equal(at + used, sizeof bytes - 1 - 4);
    xf_xml_reader_free(r);
}

/* A caller that hands in less than was left over gets the same. */
static void the_rest_may_come_in_smaller_pieces(void **state)
{
    static const char bytes[] = ROOT "<a/><b><c/></b> <d/>";
    struct xf_xml_reader *r = xf_xml_reader_new();
    struct xf_buf b;
    size_t used;
    struct xf_el *el;

    (void)state;
    xf_buf_init(&b, 10000);
    xf_xml_read(r, bytes, sizeof bytes - 1, &used, &el);
    for (size_t at = used; at < sizeof bytes - 1; at++)
        feed(r, &b, bytes + at, 1);
    assert_string_equal(xf_buf_text(&b), "stanza <{jabber:client}a #0 []>\n"
                                         "stanza <{jabber:client}b #0 []"
                                         "<{jabber:client}c #0 []>\n>\n"
                                         "stanza <{jabber:client}d #0 []>\n");
    xf_buf_clear(&b);
    xf_xml_reader_free(r);
}

static void a_stanza_is_told_with_its_last_byte(void **state)
{
    static const char stanza[] = "<iq id='a'><q>text</q></iq>";
    struct xf_xml_reader *r = xf_xml_reader_new();
    size_t used;
    struct xf_el *el;

    (void)state;
    assert_int_equal(xf_xml_read(r, ROOT, sizeof ROOT - 1, &used, &el),
                     XF_XML_OPENED);
    for (size_t i = 0; i < sizeof stanza - 1; i++) {
        assert_int_equal(xf_xml_read(r, stanza + i, 1, &used, &el),
                         i + 2 < sizeof stanza ? XF_XML_MORE : XF_XML_STANZA);
    }
    xf_xml_reader_free(r);
}

static void a_stream_may_open_and_close_at_once(void **state)
{
    static const char bytes[] = "<s:stream xmlns:s='" XF_NS_STREAM "'/>";
    struct xf_xml_reader *r = xf_xml_reader_new();
    size_t used;
    struct xf_el *el;

    (void)state;
    assert_int_equal(xf_xml_read(r, bytes, sizeof bytes - 1, &used, &el),
                     XF_XML_OPENED);
    assert_int_equal(used, sizeof bytes - 1);
    assert_int_equal(xf_xml_read(r, "", 0, &used, &el), XF_XML_CLOSED);
    assert_null(el);
    xf_xml_reader_free(r);
}

/*
 * Long enough for the parser to be made anew more than once on the way; each
 * stanza as large as may be, with a prefix of the stream's.
 */
static void a_long_stream_is_read_to_its_end(void **state)
{
    static const char header[] =
        "<?xml version='1.0'?><S:stream xmlns='" XF_NS_CLIENT
        "' xmlns:S='" XF_NS_STREAM "' xmlns:db='urn:db'>";
    enum { COUNT = 40, STEP = 50021 };
    struct xf_xml_reader *r = xf_xml_reader_new();
    size_t seen = 0;
    struct xf_buf all;

    (void)state;
    xf_buf_init(&all, 64 * 1024 * 1024);
    xf_buf_puts(&all, header);
    for (int i = 0; i < COUNT; i++) {
        const int tags = (int)sizeof "<db:n10></db:n10>" - 1;

        xf_buf_printf(&all, "<db:n%02d>%0*d</db:n%02d>", i,
                      (int)XF_XML_STANZA_MAX - tags, i, i);
    }
    xf_buf_puts(&all, "</S:stream>");

    for (size_t at = 0; at < all.len;) {
        size_t step = STEP - at % STEP, used;
        struct xf_el *el;
        enum xf_xml_news news;

        if (step > all.len - at)
            step = all.len - at;
        news = xf_xml_read(r, all.data + at, step, &used, &el);
        at += used;
        assert_int_not_equal(news, XF_XML_BROKEN);
        assert_true(news != XF_XML_CLOSED || at == all.len);
        if (news == XF_XML_STANZA) {
            char name[16];

            (void)snprintf(name, sizeof name, "n%02zu", seen++);
            assert_true(xf_el_is(el, name, "urn:db"));
        }
    }
    assert_int_equal(seen, COUNT);
    xf_buf_clear(&all);
    xf_xml_reader_free(r);
}

/* --- what is refused ------------------------------------------------------ */

static void what_xmpp_forbids_ends_the_stream(void **state)
{
    static const struct {
        const char *xml;
        enum xf_xml_fault fault;
    } rows[] = {
        { "<!DOCTYPE a>" ROOT, XF_XML_RESTRICTED },
        { "<!DOCTYPE a [<!ENTITY b 'c'><!ENTITY d '&b;&b;'>]>" ROOT "&d;",
          XF_XML_RESTRICTED },
        { "<!DOCTYPE a SYSTEM 'file:///etc/passwd'>" ROOT, XF_XML_RESTRICTED },
        { ROOT "<a>&b;</a>", XF_XML_RESTRICTED },
        { "<?xml version='1.0'?><?php a?>" ROOT, XF_XML_RESTRICTED },
        { ROOT "<a><?php b?></a>", XF_XML_RESTRICTED },
        { "<!-- a -->" ROOT, XF_XML_RESTRICTED },
        { ROOT "<a><!-- b --></a>", XF_XML_RESTRICTED },
        { "<?xml version='1.0' encoding='ISO-8859-1'?>" ROOT,
          XF_XML_NOT_WELL_FORMED },
        { "<?xml version='1.0' encoding='UTF-16'?>" ROOT,
          XF_XML_NOT_WELL_FORMED },
        { "<?xml version='1.0' encoding='utf-7x'?>" ROOT,
          XF_XML_NOT_WELL_FORMED },
        { "\xef\xbb\xbf" ROOT, XF_XML_NOT_WELL_FORMED },
        { "\xff\xfe<", XF_XML_NOT_WELL_FORMED },
        { "<?xml version='1.0'?><?xml version='1.0'?>" ROOT,
          XF_XML_NOT_WELL_FORMED },
        { ROOT "<a/><?xml version='1.0'?>", XF_XML_NOT_WELL_FORMED },
        { ROOT "<a></b>", XF_XML_NOT_WELL_FORMED },
        { ROOT "<a b='1' b='2'/>", XF_XML_NOT_WELL_FORMED },
        { ROOT "<c:a/>", XF_XML_NOT_WELL_FORMED },
        { ROOT "<a>&#0;</a>", XF_XML_NOT_WELL_FORMED },
        { ROOT "<a b='&#0;'/>", XF_XML_NOT_WELL_FORMED },
        { ROOT "<a>\x01</a>", XF_XML_NOT_WELL_FORMED },
        { ROOT "<a>\xc0\x80</a>", XF_XML_NOT_WELL_FORMED },
        { ROOT "between", XF_XML_NOT_WELL_FORMED },
        { ROOT "<a/> between", XF_XML_NOT_WELL_FORMED },
        { "<stream xmlns='jabber:client'>", XF_XML_BAD_NAMESPACE },
        { "<a xmlns='" XF_NS_STREAM "'>", XF_XML_BAD_NAMESPACE },
        { "<stream>", XF_XML_BAD_NAMESPACE },
        { "HTTP/1.1 400 Bad Request", XF_XML_NOT_WELL_FORMED },
        { "<?xml version='1.0' encoding='utf-8'?>" ROOT
          "<a>&lt;&gt;&amp;&apos;&quot;&#x10ffff;</a>",
          XF_XML_FINE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (fault_of(rows[i].xml) != rows[i].fault)
            fail_msg("%s: fault %d", rows[i].xml, fault_of(rows[i].xml));
    }
}

static void a_raw_nul_is_refused_wherever_it_is(void **state)
{
    static const char stream[] = ROOT "<a b='c'>d</a>";
    char bytes[sizeof stream];

    (void)state;
    for (size_t i = 0; i < sizeof stream - 1; i++) {
        memcpy(bytes, stream, sizeof stream);
        bytes[i] = '\0';
        assert_int_not_equal(
            fault_in_steps(bytes, sizeof stream - 1, sizeof stream - 1),
            XF_XML_FINE);
    }
}

/* expat would find out by itself that every other byte is NUL. */
static void utf_16_is_refused_even_without_a_mark(void **state)
{
    static const char stream[] = ROOT "<a/>";
    char wide[2 * sizeof stream] = "";

    (void)state;
    for (size_t first = 0; first < 2; first++) {
        memset(wide, 0, sizeof wide);
        for (size_t i = 0; i < sizeof stream - 1; i++)
            wide[2 * i + first] = stream[i];
        assert_int_equal(
            fault_in_steps(wide, 2 * (sizeof stream - 1), sizeof wide),
            XF_XML_NOT_WELL_FORMED);
        assert_int_equal(fault_in_steps(wide, 2 * (sizeof stream - 1), 1),
                         XF_XML_NOT_WELL_FORMED);
    }
}

static void what_is_broken_stays_broken(void **state)
{
    struct xf_xml_reader *r = xf_xml_reader_new();
    size_t used;
    struct xf_el *el;

    (void)state;
    feed(r, NULL, ROOT "<!---->", sizeof ROOT + 6);
    assert_int_equal(xf_xml_read(r, "<a/>", 4, &used, &el), XF_XML_BROKEN);
    assert_int_equal(used, 4);
    assert_null(el);
    assert_int_equal(xf_xml_fault(r), XF_XML_RESTRICTED);
    xf_xml_reader_free(r);
}

/* `before`, `count` times `piece`, `after`. */
static enum xf_xml_fault fault_of_many(const char *before, const char *piece,
                                       size_t count, const char *after)
{
    struct xf_buf b;
    enum xf_xml_fault fault;

    xf_buf_init(&b, 64 * 1024 * 1024);
    xf_buf_puts(&b, before);
    for (size_t i = 0; i < count; i++)
        xf_buf_puts(&b, piece);
    xf_buf_puts(&b, after);
    assert_false(b.failed);
    fault = fault_in_steps(b.data, b.len, b.len);
    assert_int_equal(fault_in_steps(b.data, b.len, 1400), fault);
    xf_buf_clear(&b);
    return fault;
}

static enum xf_xml_fault fault_of_attributes(size_t count, const char *form)
{
    struct xf_buf b;
    enum xf_xml_fault fault;
    char attr[64];

    xf_buf_init(&b, 1024 * 1024);
    xf_buf_puts(&b, ROOT "<a");
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(attr, sizeof attr, " %s%zu='urn:%zu'", form, i, i);
        xf_buf_puts(&b, attr);
    }
    xf_buf_puts(&b, "/>");
    fault = fault_in_steps(b.data, b.len, b.len);
    xf_buf_clear(&b);
    return fault;
}

static void depth_has_a_ceiling(void **state)
{
    (void)state;
    assert_int_equal(fault_of_many(ROOT, "<a>", 64, ""), XF_XML_FINE);
    assert_int_equal(fault_of_many(ROOT, "<a>", 65, ""),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(ROOT, "<a>", 100000, ""),
                     XF_XML_POLICY_VIOLATION);
}

static void attributes_and_namespaces_have_a_ceiling(void **state)
{
    static const char *const forms[] = { "n", "xmlns:n" };

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(fault_of_attributes(64, forms[i]), XF_XML_FINE);
        assert_int_equal(fault_of_attributes(65, forms[i]),
                         XF_XML_POLICY_VIOLATION);
        assert_int_equal(fault_of_attributes(10000, forms[i]),
                         XF_XML_POLICY_VIOLATION);
    }
}

static void names_have_a_ceiling(void **state)
{
    (void)state;
    assert_int_equal(fault_of_many(ROOT "<", "n", 64 * 1024, "/>"),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(ROOT "<a ", "n", 64 * 1024, "='1'/>"),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(ROOT "<a xmlns='", "n", 64 * 1024, "'/>"),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(ROOT "<", "n", 1000, "/>"), XF_XML_FINE);
}

static void stanzas_have_a_ceiling(void **state)
{
    const size_t max = XF_XML_STANZA_MAX;

    (void)state;
    assert_int_equal(fault_of_many(ROOT "<a>", "x", max - 7, "</a>"),
                     XF_XML_FINE);
    assert_int_equal(fault_of_many(ROOT "<a>", "x", max - 6, "</a>"),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(ROOT "<a>", "x", 10 * 1024 * 1024, ""),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(ROOT "<a b='", "x", 1024 * 1024, ""),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(ROOT "<a b='", "x", 65536, "'/>"),
                     XF_XML_FINE);
    /* Each for itself, and white space for nothing. */
    assert_int_equal(fault_of_many(ROOT, "<a>0123456789</a>", 100000, ""),
                     XF_XML_FINE);
    assert_int_equal(fault_of_many(ROOT, "   \n", 500000, "<a/>"), XF_XML_FINE);
}

static void a_stream_header_has_a_ceiling(void **state)
{
    (void)state;
    assert_int_equal(fault_of_many("<?xml version='1.0'", " ", 20000, "?>"),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many(" ", " ", 20000, ROOT),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many("<s:stream xmlns:s='" XF_NS_STREAM "' a='",
                                   "x", 20000, "'>"),
                     XF_XML_POLICY_VIOLATION);
    assert_int_equal(fault_of_many("<s:stream xmlns:s='" XF_NS_STREAM "' a='",
                                   "x", 10000, "'><a/>"),
                     XF_XML_FINE);
}

/* Looking at an unfinished tag again for each byte would take minutes. */
static void a_tag_in_tiny_pieces_is_given_up(void **state)
{
    const size_t len = sizeof ROOT + 6 + 400 * 1024;
    char *bytes = malloc(len);

    (void)state;
    assert_non_null(bytes);
    memset(bytes, 'x', len);
    memcpy(bytes, ROOT "<a b='", sizeof ROOT + 5);
    assert_int_equal(fault_in_steps(bytes, len, 8), XF_XML_POLICY_VIOLATION);
    free(bytes);
}

/* --- single stanzas ------------------------------------------------------- */

static void one_stanza_is_read_and_nothing_else(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "text",
        "<a>",
        "<a/><b/>",
        "<a/>x",
        "x<a/>",
        "<a/></stream:stream>",
        "</stream:stream><a/>",
        "<?xml version='1.0'?><a/>",
        "<!-- --><a/>",
        "<a><!-- --></a>",
        "<a></b>",
    };
    struct xf_el *el;

    (void)state;
    assert_true(xf_el_is(parse(" <iq/>\r\n"), "iq", XF_NS_CLIENT));
    assert_true(
        xf_el_is(parse("<iq xmlns='jabber:client'/>"), "iq", XF_NS_CLIENT));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_null(xf_xml_parse(bad[i], strlen(bad[i]), &el));
        assert_null(el);
    }
    assert_null(xf_xml_parse("<a/>\0", 5, &el));
}

/* --- memory ---------------------------------------------------------------- */

static int fail_at(enum xf_sys_call call, void *ctx)
{
    int *left = ctx;

    return call == XF_SYS_ALLOC && (*left)-- == 0 ? ENOMEM : 0;
}

static void memory_may_run_out_anywhere(void **state)
{
    size_t len;
    char *session = data_file("session.xml", &len);
    bool whole = false;
    int n;

    (void)state;
    for (n = 0; !whole && n < 1000; n++) {
        struct xf_xml_reader *r;
        int left = n;

        xf_sys_set_gate(fail_at, &left);
        r = xf_xml_reader_new();
        if (r) {
            whole = feed(r, NULL, session, len) == XF_XML_CLOSED;
            assert_int_equal(xf_xml_fault(r),
                             whole ? XF_XML_FINE : XF_XML_NO_MEMORY);
        }
        xf_sys_set_gate(NULL, NULL);
        xf_xml_reader_free(r);
    }
    assert_true(whole);
    assert_true(n > 2);
    free(session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_session_reads_the_same_however_it_is_cut),
        CASE(long_text_reads_the_same_however_it_is_cut),
        CASE(long_text_hides_no_fault),
        CASE(long_text_is_not_endless),
        CASE(a_tree_has_names_attributes_text_and_children),
        CASE(nothing_in_nothing_is_nothing),
        CASE(text_is_cut_at_a_character),
        CASE(reading_stops_right_behind_each_element),
        CASE(the_rest_may_come_in_smaller_pieces),
        CASE(a_stanza_is_told_with_its_last_byte),
        CASE(a_stream_may_open_and_close_at_once),
        CASE(a_long_stream_is_read_to_its_end),
        CASE(what_xmpp_forbids_ends_the_stream),
        CASE(a_raw_nul_is_refused_wherever_it_is),
        CASE(utf_16_is_refused_even_without_a_mark),
        CASE(what_is_broken_stays_broken),
        CASE(depth_has_a_ceiling),
        CASE(attributes_and_namespaces_have_a_ceiling),
        CASE(names_have_a_ceiling),
        CASE(stanzas_have_a_ceiling),
        CASE(a_stream_header_has_a_ceiling),
        CASE(a_tag_in_tiny_pieces_is_given_up),
        CASE(one_stanza_is_read_and_nothing_else),
        CASE(memory_may_run_out_anywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
