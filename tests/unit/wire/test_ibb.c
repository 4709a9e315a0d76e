/* In-band opens, blocks and closes: what is taken, what is refused. */
#include "fixture.h"

#include "base/encode.h"
#include "wire/ibb.h"
#include "wire/ns.h"

#define NS " xmlns='" XF_NS_IBB "' "

static struct xf_ibb_open opened;

static enum xf_answer read_open(const char *attrs)
{
    char xml[4096];

    (void)snprintf(xml, sizeof xml, "<open" NS "%s/>", attrs);
    return xf_ibb_read_open(parse(xml), &opened);
}

static void a_block_size_is_1_to_65535(void **state)
{
    static const struct {
        const char *attr;
        enum xf_answer answer;
    } rows[] = {
        { "", XF_ANSWER_BAD_REQUEST_MODIFY },
        { "block-size=''", XF_ANSWER_BAD_REQUEST_MODIFY },
        { "block-size='0'", XF_ANSWER_BAD_REQUEST_MODIFY },
        { "block-size='-1'", XF_ANSWER_BAD_REQUEST_MODIFY },
        { "block-size='1'", XF_ANSWER_NONE },
        { "block-size='4096'", XF_ANSWER_NONE },
        { "block-size='65535'", XF_ANSWER_NONE },
        { "block-size='65536'", XF_ANSWER_TOO_BIG },
        { "block-size='2147483648'", XF_ANSWER_TOO_BIG },
        { "block-size='4294967297'", XF_ANSWER_TOO_BIG },
        { "block-size='abc'", XF_ANSWER_BAD_REQUEST_MODIFY },
        { "block-size='1 '", XF_ANSWER_BAD_REQUEST_MODIFY },
        { "block-size='1234567890123456789012345678901234567890'",
          XF_ANSWER_TOO_BIG },
    };
    char attrs[256];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(attrs, sizeof attrs, "sid='s' %s", rows[i].attr);
        assert_int_equal(read_open(attrs), rows[i].answer);
    }
    assert_int_equal(read_open("sid='s' block-size='61440'"), XF_ANSWER_NONE);
    assert_int_equal(opened.block_size, 61440);
    assert_string_equal(opened.sid, "s");
}

static void an_open_needs_a_sid(void **state)
{
    char attrs[2048];

    (void)state;
    assert_int_equal(read_open("block-size='1'"), XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(read_open("block-size='1' sid=''"),
                     XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(read_open("block-size='1' sid='not a token!'"),
                     XF_ANSWER_NONE);
    (void)snprintf(attrs, sizeof attrs, "block-size='1' sid='%0*d'", 1025, 0);
    assert_int_equal(read_open(attrs), XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_null(opened.sid);
}

static void blocks_travel_in_iqs_or_messages(void **state)
{
    (void)state;
    assert_int_equal(read_open("sid='s' block-size='1'"), XF_ANSWER_NONE);
    assert_int_equal(opened.stanza, XF_IBB_STANZA_ABSENT);
    assert_int_equal(read_open("sid='s' block-size='1' stanza='iq'"),
                     XF_ANSWER_NONE);
    assert_int_equal(opened.stanza, XF_IBB_STANZA_IQ);
    assert_int_equal(read_open("sid='s' block-size='1' stanza='message'"),
                     XF_ANSWER_NONE);
    assert_int_equal(opened.stanza, XF_IBB_STANZA_MESSAGE);
    assert_int_equal(read_open("sid='s' block-size='1' stanza=''"),
                     XF_ANSWER_BAD_REQUEST_MODIFY);
    assert_int_equal(read_open("sid='s' block-size='1' stanza='presence'"),
                     XF_ANSWER_BAD_REQUEST_MODIFY);
}

static void opens_are_written(void **state)
{
    struct xf_ibb_open o = { "s", 8192, XF_IBB_STANZA_ABSENT };

    (void)state;
    xf_ibb_write_open(fresh(), "1", "to", NULL, &o);
    o.stanza = XF_IBB_STANZA_IQ;
    xf_ibb_write_open(&out, "2", "to", NULL, &o);
    o.stanza = XF_IBB_STANZA_MESSAGE;
    xf_ibb_write_open(&out, "3", "to", NULL, &o);
    assert_string_equal(
        written(), "<iq id=\"1\" to=\"to\" type=\"set\">"
                   "<open xmlns=\"http://jabber.org/protocol/ibb\" sid=\"s\""
                   " block-size=\"8192\"></open></iq>"
                   "<iq id=\"2\" to=\"to\" type=\"set\">"
                   "<open xmlns=\"http://jabber.org/protocol/ibb\" sid=\"s\""
                   " block-size=\"8192\" stanza=\"iq\"></open></iq>"
                   "<iq id=\"3\" to=\"to\" type=\"set\">"
                   "<open xmlns=\"http://jabber.org/protocol/ibb\" sid=\"s\""
                   " block-size=\"8192\" stanza=\"message\"></open></iq>");
}

/* --- blocks --------------------------------------------------------------- */

#define SIZE 12

static uint8_t block[SIZE + 1]; /* one more, to see that it is left alone */

static struct xf_ibb_input read_data(const char *seq, const char *text)
{
    char xml[4096];

    memset(block, 0xaa, sizeof block);
    (void)snprintf(xml, sizeof xml, "<data" NS "sid='s' %s>%s</data>", seq,
                   text);
    return xf_ibb_read_data(parse(xml), block, SIZE);
}

static void a_number_is_16_bits_of_digits(void **state)
{
    static const char *const bad[] = {
        "",
        "seq=''",
        "seq='-1'",
        "seq='65536'",
        "seq=' 1'",
        "seq='0x1'",
        "seq='1 '",
        "seq='1.0'",
        "seq='99999999999999999999'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_data(bad[i], "YWJj").kind, XF_IBB_BAD);
    assert_int_equal(read_data("seq='0'", "YWJj").kind, XF_IBB_BLOCK);
    assert_int_equal(read_data("seq='65535'", "YWJj").seq, 65535);
}

static void base64_is_taken_to_the_letter(void **state)
{
    static const char *const bad[] = {
        "YW Jj",       "YWJj\n",      "\tYWJj",   "YWJj ",        "=YWJ",
        "YW=j",        "Y=Jj",        "A",        "AA",           "AAA",
        "====",        "A===",        "=",        "YWJ-",         "YWJ_",
        "YWJ\xc2\xb2", "\xd9\xa1WJj", "YWI=YWJj", "YWI=YWI=",     "YWJ=",
        "YX==",        "YWJjY",       "YWJjYW",   "YWJjYWJ",      "YWJjx===",
        "YWI==",       "YWJj!!!!",    "&#10;YWJ", "YQ=&#61;YQ==",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (read_data("seq='0'", bad[i]).kind != XF_IBB_BAD)
            fail_msg("taken: %s", bad[i]);
    }
}

/* All tails of one and two bytes, and pairs of characters that spill bits. */
static void every_tail_decodes_to_its_own_bytes(void **state)
{
    for (unsigned n = 0; n < 0x10000; n += n < 0x100 ? 1 : 61) {
        uint8_t bytes[2] = { (uint8_t)n, (uint8_t)(n >> 8) };

        for (size_t len = 1; len <= 2; len++) {
            char text[5] = "";
            struct xf_ibb_input in;

            xf_base64_encode(bytes, len, text);
            in = read_data("seq='3'", text);
            assert_int_equal(in.kind, XF_IBB_BLOCK);
            assert_int_equal(in.len, len);
            assert_memory_equal(block, bytes, len);
            forget(state);
        }
    }
}

static void text_is_text_in_whatever_form(void **state)
{
    struct xf_ibb_input in =
        read_data("seq='0'", "YW<![CDATA[JjZ]]>GVm&#x5a;2g=");

    (void)state;
    assert_int_equal(in.kind, XF_IBB_BLOCK);
    assert_int_equal(in.len, 8);
    assert_memory_equal(block, "abcdefgh", 8);
}

static void a_block_may_be_empty(void **state)
{
    struct xf_ibb_input in = read_data("seq='7'", "");

    (void)state;
    assert_int_equal(in.kind, XF_IBB_BLOCK);
    assert_int_equal(in.seq, 7);
    assert_int_equal(in.len, 0);
}

static void a_block_too_large_is_told_and_not_kept(void **state)
{
    static const uint8_t bytes[64] = { 1, 2, 3 };
    char text[128];

    (void)state;
    for (size_t len = 0; len <= sizeof bytes; len++) {
        struct xf_ibb_input in;

        memset(text, 0, sizeof text);
        xf_base64_encode(bytes, len, text);
        in = read_data("seq='0'", text);
        assert_int_equal(in.kind, XF_IBB_BLOCK);
        assert_int_equal(in.len, len);
        if (len <= SIZE)
            assert_memory_equal(block, bytes, len);
        else
            assert_int_equal(block[0], 0xaa);
        assert_int_equal(block[SIZE], 0xaa);
    }
}

static void data_is_one_element_with_text_alone(void **state)
{
    static const char one[] = "<data" NS "sid='s' seq='0'>YWJj</data>";
    char xml[1024];
    struct xf_el *el;

    (void)state;
    assert_int_equal(read_data("seq='0'", "YWJj<x/>").kind, XF_IBB_BAD);
    assert_int_equal(read_data("seq='0'", "<x>YWJj</x>").kind, XF_IBB_BAD);
    (void)snprintf(xml, sizeof xml, "<message>%s%s</message>", one, one);
    el = xf_el_child(parse(xml), "data", XF_NS_IBB);
    assert_int_equal(xf_ibb_read_data(el, block, SIZE).kind, XF_IBB_BAD);
    (void)snprintf(xml, sizeof xml, "<message>%s<close" NS "/></message>", one);
    el = xf_el_child(parse(xml), "data", XF_NS_IBB);
    assert_int_equal(xf_ibb_read_data(el, block, SIZE).kind, XF_IBB_BAD);
    (void)snprintf(xml, sizeof xml,
                   "<message><body/>%s<amp xmlns='urn:amp'/></message>", one);
    el = xf_el_child(parse(xml), "data", XF_NS_IBB);
    assert_int_equal(xf_ibb_read_data(el, block, SIZE).kind, XF_IBB_BLOCK);
    assert_int_equal(xf_ibb_read_data(NULL, block, SIZE).kind, XF_IBB_BAD);
    assert_null(xf_xml_parse("<data><!-- --></data>", 21, &el));
}

static void the_largest_block_goes_there_and_back(void **state)
{
    static uint8_t bytes[XF_IBB_BLOCK_MAX], back[XF_IBB_BLOCK_MAX];
    struct xf_ibb_input in;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t less = 0; less < 3; less++) {
        const struct xf_el *data;

        xf_ibb_write_data(fresh(), "1", "to", NULL, "s", 65535, bytes,
                          sizeof bytes - less);
        data = xf_el_child(parse(written()), "data", XF_NS_IBB);
        assert_string_equal(xf_ibb_read_sid(data), "s");
        memset(back, 0, sizeof back);
        in = xf_ibb_read_data(data, back, sizeof bytes - less);
        assert_int_equal(in.kind, XF_IBB_BLOCK);
        assert_int_equal(in.seq, 65535);
        assert_int_equal(in.len, sizeof bytes - less);
        assert_memory_equal(back, bytes, sizeof bytes - less);
    }
}

static void blocks_and_closes_are_written(void **state)
{
    (void)state;
    xf_ibb_write_data(fresh(), "1", "to", "me", "s", 0, "abc", 3);
    xf_ibb_write_data_message(&out, "2", "to", NULL, "s", 65535, "a", 1);
    xf_ibb_write_close(&out, "3", "to", "me", "s");
    assert_string_equal(
        written(),
        "<iq id=\"1\" to=\"to\" from=\"me\" type=\"set\">"
        "<data xmlns=\"http://jabber.org/protocol/ibb\" sid=\"s\" seq=\"0\">"
        "YWJj</data></iq>"
        "<message id=\"2\" to=\"to\">"
        "<data xmlns=\"http://jabber.org/protocol/ibb\" sid=\"s\""
        " seq=\"65535\">YQ==</data></message>"
        "<iq id=\"3\" to=\"to\" from=\"me\" type=\"set\">"
        "<close xmlns=\"http://jabber.org/protocol/ibb\" sid=\"s\"></close>"
        "</iq>");
}

static void a_sid_is_read_from_all_three(void **state)
{
    char xml[2048];

    (void)state;
    assert_string_equal(xf_ibb_read_sid(parse("<close" NS "sid='x'/>")), "x");
    assert_null(xf_ibb_read_sid(parse("<close" NS "/>")));
    assert_null(xf_ibb_read_sid(parse("<close" NS "sid=''/>")));
    (void)snprintf(xml, sizeof xml, "<close sid='%0*d'/>", 1025, 0);
    assert_null(xf_ibb_read_sid(parse(xml)));
    assert_null(xf_ibb_read_sid(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_block_size_is_1_to_65535),
        CASE(an_open_needs_a_sid),
        CASE(blocks_travel_in_iqs_or_messages),
        CASE(opens_are_written),
        CASE(a_number_is_16_bits_of_digits),
        CASE(base64_is_taken_to_the_letter),
        CASE(every_tail_decodes_to_its_own_bytes),
        CASE(text_is_text_in_whatever_form),
        CASE(a_block_may_be_empty),
        CASE(a_block_too_large_is_told_and_not_kept),
        CASE(data_is_one_element_with_text_alone),
        CASE(the_largest_block_goes_there_and_back),
        CASE(blocks_and_closes_are_written),
        CASE(a_sid_is_read_from_all_three),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
