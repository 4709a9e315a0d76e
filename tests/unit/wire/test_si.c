/* Offers and answers of Stream Initiation: what is taken, what is refused. */
#include "fixture.h"

#include "base/err.h"
#include "wire/ns.h"
#include "wire/si.h"

#define S5B_OPTION "<option><value>" XF_NS_BYTESTREAMS "</value></option>"
#define IBB_OPTION "<option><value>" XF_NS_IBB "</value></option>"
#define ODD_OPTION "<option><value>urn:odd</value></option>"
#define FILE_TAG "<file xmlns='" XF_NS_SI_FILE "' name='n' size='5'/>"
#define FORM(type, fields)                                                     \
    "<feature xmlns='" XF_NS_FEATURE_NEG                                       \
    "'><x xmlns='jabber:x:data' type='" type "'>" fields "</x></feature>"
#define FIELD(options)                                                         \
    "<field var='stream-method' type='list-single'>" options "</field>"
#define BOTH FORM("form", FIELD(S5B_OPTION IBB_OPTION))
#define SI(attrs, children)                                                    \
    "<si xmlns='" XF_NS_SI "' " attrs ">" children "</si>"
#define GOOD "id='s' profile='" XF_NS_SI_FILE "'"

static struct xf_offer offer;
static struct xf_offer_fault fault;

static bool read_offer(const char *xml)
{
    return xf_si_read_offer(parse(xml), &offer, &fault);
}

static void assert_refused(const char *xml, enum xf_answer answer, int code,
                           const char *field)
{
    if (read_offer(xml))
        fail_msg("taken: %.300s", xml);
    assert_int_equal(fault.answer, answer);
    assert_int_equal(fault.code, code);
    assert_string_equal(fault.field, field);
}

static void assert_taken(const char *xml)
{
    if (!read_offer(xml))
        fail_msg("%s refused: %.300s", fault.field, xml);
    assert_int_equal(fault.answer, XF_ANSWER_NONE);
    assert_int_equal(fault.code, 0);
}

/* An offer whose `what` attribute of the file is `value`. */
static const char *with_file(const char *what, const char *value)
{
    struct xf_xml_writer *w = fresh();

    xf_xml_open(w, "si", XF_NS_SI);
    xf_xml_attr(w, "id", "s");
    xf_xml_attr(w, "profile", XF_NS_SI_FILE);
    xf_xml_open(w, "file", XF_NS_SI_FILE);
    xf_xml_attr(w, "name", "n");
    xf_xml_attr(w, what, value);
    xf_xml_end(w, "file");
    xf_buf_puts(w->buf, BOTH);
    xf_xml_close(w, "si");
    return written();
}

static void an_offer_has_all_its_parts(void **state)
{
    (void)state;
    assert_taken(SI(
        GOOD " mime-type='text/plain'",
        "<file xmlns='" XF_NS_SI_FILE "' name='\xc3\xa4 b' size='12'"
        " hash='0123456789abcdef0123456789ABCDEF' date='2026-01-01T00:00:00Z'>"
        "<desc>A &amp; B</desc><range/></file>" BOTH));
    assert_string_equal(offer.sid, "s");
    assert_string_equal(offer.mime_type, "text/plain");
    assert_string_equal(offer.name, "\xc3\xa4 b");
    assert_int_equal(offer.size, 12);
    assert_string_equal(offer.hash, "0123456789abcdef0123456789ABCDEF");
    assert_string_equal(offer.date, "2026-01-01T00:00:00Z");
    assert_string_equal(offer.desc, "A & B");
    assert_true(offer.range);
    assert_false(offer.list_multi);
    assert_int_equal(offer.methods_count, 2);
    assert_int_equal(offer.methods[0], XF_METHOD_S5B);
    assert_int_equal(offer.methods[1], XF_METHOD_IBB);

    assert_taken(SI(GOOD, "<file xmlns='" XF_NS_SI_FILE "'/>" BOTH));
    assert_string_equal(offer.name, "");
    assert_true(offer.size == UINT64_MAX);
    assert_null(offer.hash);
    assert_null(offer.date);
    assert_null(offer.desc);
    assert_null(offer.mime_type);
    assert_false(offer.range);
}

static void an_id_has_one_to_1024_bytes(void **state)
{
    static const struct {
        size_t len;
        bool taken;
    } rows[] = { { 1, true },     { 1023, true },   { 1024, true },
                 { 1025, false }, { 65536, false }, { 0, false } };
    char *xml = malloc(70000);

    (void)state;
    assert_non_null(xml);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(
            xml, 70000,
            SI("profile='" XF_NS_SI_FILE "' id='%0*d'", FILE_TAG BOTH),
            (int)rows[i].len, 7);
        if (rows[i].len == 0)
            (void)snprintf(
                xml, 70000, "%s",
                SI("profile='" XF_NS_SI_FILE "' id=''", FILE_TAG BOTH));
        if (rows[i].taken)
            assert_taken(xml);
        else
            assert_refused(xml, XF_ANSWER_BAD_REQUEST, XF_E_OFFER, "id");
    }
    assert_refused(SI("profile='" XF_NS_SI_FILE "'", FILE_TAG BOTH),
                   XF_ANSWER_BAD_REQUEST, XF_E_OFFER, "id");
    free(xml);
}

static void only_the_profile_of_files_is_taken(void **state)
{
    static const char *const bad[] = {
        SI("id='s'", FILE_TAG BOTH),
        SI("id='s' profile=''", FILE_TAG BOTH),
        SI("id='s' profile='urn:other'", FILE_TAG BOTH),
        SI("id='s' profile='" XF_NS_SI_FILE " '", FILE_TAG BOTH),
        SI("id='s' profile='http://jabber.org/protocol/si/profile/"
           "File-Transfer'",
           FILE_TAG BOTH),
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i], XF_ANSWER_BAD_PROFILE, XF_E_OFFER, "profile");
}

static void there_is_one_file(void **state)
{
    static const char *const bad[] = {
        SI(GOOD, BOTH),
        SI(GOOD, FILE_TAG FILE_TAG BOTH),
        SI(GOOD, "<file name='n' size='5'/>" BOTH),
        SI(GOOD, "<x xmlns='" XF_NS_SI_FILE "'>" FILE_TAG "</x>" BOTH),
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(bad[i], XF_ANSWER_BAD_REQUEST, XF_E_OFFER, "file");
}

static void without_a_usable_method_there_is_none(void **state)
{
    static const char *const none[] = {
        SI(GOOD, FILE_TAG),
        SI(GOOD, FILE_TAG "<feature xmlns='" XF_NS_FEATURE_NEG "'/>"),
        SI(GOOD, FILE_TAG FORM("submit", FIELD(S5B_OPTION))),
        SI(GOOD, FILE_TAG FORM("", FIELD(S5B_OPTION))),
        SI(GOOD, FILE_TAG FORM("form", "")),
        SI(GOOD,
           FILE_TAG FORM("form", "<field var='other'>" S5B_OPTION "</field>")),
        SI(GOOD, FILE_TAG FORM("form", FIELD(""))),
        SI(GOOD, FILE_TAG FORM("form", FIELD("<option/>"))),
        SI(GOOD, FILE_TAG FORM("form", FIELD(ODD_OPTION))),
        SI(GOOD, FILE_TAG FORM("form", FIELD("<value>" XF_NS_IBB "</value>"))),
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_refused(none[i], XF_ANSWER_NO_VALID_STREAMS, XF_E_NOMETHOD,
                       "stream-method");
}

static void only_what_is_offered_is_read_in_its_order(void **state)
{
    (void)state;
    assert_taken(SI(GOOD, FILE_TAG FORM("form", FIELD(IBB_OPTION S5B_OPTION))));
    assert_int_equal(offer.methods_count, 2);
    assert_int_equal(offer.methods[0], XF_METHOD_IBB);
    assert_int_equal(offer.methods[1], XF_METHOD_S5B);
    assert_taken(SI(GOOD, FILE_TAG FORM("form", FIELD(IBB_OPTION))));
    assert_int_equal(offer.methods_count, 1);
    assert_int_equal(offer.methods[0], XF_METHOD_IBB);
    assert_taken(SI(GOOD, FILE_TAG FORM("form", FIELD(ODD_OPTION S5B_OPTION))));
    assert_int_equal(offer.methods_count, 1);
    assert_int_equal(offer.methods[0], XF_METHOD_S5B);
    assert_taken(SI(GOOD, FILE_TAG FORM("form", FIELD(IBB_OPTION IBB_OPTION))));
    assert_int_equal(offer.methods_count, 1);
    assert_taken(SI(GOOD, FILE_TAG FORM("form", "<field var='other'/>"
                                                "<field var='stream-method' "
                                                "type='list-multi'>" IBB_OPTION
                                                "</field>")));
    assert_true(offer.list_multi);
}

static void a_form_is_neither_doubled_nor_endless(void **state)
{
    static const size_t counts[] = { 32, 33, 1000 };

    (void)state;
    assert_refused(
        SI(GOOD, FILE_TAG FORM("form", FIELD(S5B_OPTION) FIELD(S5B_OPTION))),
        XF_ANSWER_BAD_REQUEST, XF_E_OFFER, "stream-method");
    for (size_t i = 0; i < 3; i++) {
        struct xf_xml_writer *w = fresh();

        xf_buf_puts(w->buf, "<si xmlns='" XF_NS_SI "' " GOOD ">" FILE_TAG
                            "<feature xmlns='" XF_NS_FEATURE_NEG
                            "'><x xmlns='jabber:x:data' type='form'>"
                            "<field var='stream-method'>" IBB_OPTION);
        for (size_t n = 1; n < counts[i]; n++)
            xf_buf_puts(w->buf, ODD_OPTION);
        xf_buf_puts(w->buf, "</field></x></feature></si>");
        if (counts[i] <= XF_OFFER_OPTIONS_MAX)
            assert_taken(written());
        else
            assert_refused(written(), XF_ANSWER_BAD_REQUEST, XF_E_OFFER,
                           "stream-method");
    }
}

static void a_range_is_one_whatever_is_in_it(void **state)
{
#define RANGE(xml)                                                             \
    SI(GOOD, "<file xmlns='" XF_NS_SI_FILE "' name='n'>" xml "</file>" BOTH)

    (void)state;
    assert_taken(RANGE("<range/>"));
    assert_true(offer.range);
    assert_taken(RANGE("<range x='y' offset='-1'/>"));
    assert_true(offer.range);
    assert_taken(RANGE("<range><x/>text</range>"));
    assert_true(offer.range);
    assert_taken(RANGE("<range/><range/>"));
    assert_true(offer.range);
    assert_taken(RANGE("<range xmlns='urn:x'/>"));
    assert_false(offer.range);
}

static void a_hash_is_32_hex_digits(void **state)
{
    static const char *const bad[] = {
        "",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789abcdef0123456789abcdeg",
        " 123456789abcdef0123456789abcdef",
    };

    (void)state;
    assert_taken(with_file("hash", "0123456789abcdef0123456789abcdef"));
    assert_taken(with_file("hash", "0123456789ABCDEF0123456789ABCDEF"));
    assert_string_equal(offer.hash, "0123456789ABCDEF0123456789ABCDEF");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(with_file("hash", bad[i]), XF_ANSWER_BAD_REQUEST,
                       XF_E_OFFER, "hash");
}

static void a_date_decides_nothing(void **state)
{
    static const char *const dates[] = {
        "9999-12-31T23:59:59Z",
        "0000-00-00T00:00:00Z",
        "2026-01-01T00:00:00",
        "",
        "yesterday",
    };
    char *digits = malloc(10001);

    (void)state;
    assert_non_null(digits);
    for (size_t i = 0; i < sizeof dates / sizeof dates[0]; i++) {
        assert_taken(with_file("date", dates[i]));
        assert_string_equal(offer.date, dates[i]);
    }
    memset(digits, '1', 10000);
    digits[10000] = '\0';
    assert_taken(with_file("date", digits));
    assert_null(offer.date);
    free(digits);
}

static void a_size_is_plain_digits_up_to_63_bits(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {
        { "0", 0 },
        { "00", 0 },
        { "2147483647", INT32_MAX },
        { "2147483648", 2147483648u },
        { "4294967295", UINT32_MAX },
        { "4294967296", 4294967296u },
        { "9007199254740992", 9007199254740992u },
        { "9223372036854775807", INT64_MAX },
    };
    static const char *const bad[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x10",
        "1e3",
        "1.0",
        "\xd9\xa1",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "1234567890123456789012345678901234567890",
        "NaN",
    };
    struct xf_el *el;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_taken(with_file("size", good[i].text));
        assert_true(offer.size == good[i].size);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(with_file("size", bad[i]), XF_ANSWER_BAD_REQUEST,
                       XF_E_SIZE, "size");
    assert_taken(with_file("size", NULL));
    assert_true(offer.size == UINT64_MAX);
    assert_null(xf_xml_parse("<a size='1' size='2'/>", 22, &el));
}

static void a_description_is_kept_to_its_ceiling(void **state)
{
    char desc[XF_OFFER_DESC_MAX + 10];
    struct xf_offer in = { .sid = "s", .name = "n", .desc = desc };

    (void)state;
    in.methods[in.methods_count++] = XF_METHOD_IBB;
    memset(desc, 'd', sizeof desc);
    memcpy(desc + XF_OFFER_DESC_MAX - 1, "\xc3\xa4", 2);
    desc[sizeof desc - 1] = '\0';
    xf_si_write_offer(fresh(), "1", "to", "from", &in);
    assert_true(xf_si_read_offer(xf_el_child(parse(written()), "si", XF_NS_SI),
                                 &offer, &fault));
    assert_int_equal(strlen(offer.desc), XF_OFFER_DESC_MAX - 1);
    assert_memory_equal(offer.desc, desc, XF_OFFER_DESC_MAX - 1);
}

static void what_was_offered_reads_back(void **state)
{
    const struct xf_offer in = {
        .sid = "a'\"<",
        .name = "b & c.txt",
        .size = 7,
        .hash = "0123456789abcdef0123456789abcdef",
        .date = "2026-01-01T00:00:00Z",
        .mime_type = "text/plain",
        .desc = "<d>",
        .range = true,
        .methods_count = 2,
        .methods = { XF_METHOD_IBB, XF_METHOD_S5B },
    };

    (void)state;
    xf_si_write_offer(fresh(), "1", "to", "from", &in);
    assert_true(xf_si_read_offer(xf_el_child(parse(written()), "si", XF_NS_SI),
                                 &offer, &fault));
    assert_string_equal(offer.sid, in.sid);
    assert_string_equal(offer.name, in.name);
    assert_int_equal(offer.size, in.size);
    assert_string_equal(offer.hash, in.hash);
    assert_string_equal(offer.date, in.date);
    assert_string_equal(offer.mime_type, in.mime_type);
    assert_string_equal(offer.desc, in.desc);
    assert_true(offer.range);
    assert_int_equal(offer.methods_count, 2);
    assert_int_equal(offer.methods[0], XF_METHOD_IBB);
}

/* iris reads the first field only, and wants it to be a list-single. */
static void a_plain_offer_is_one_list_single(void **state)
{
    const struct xf_offer in = {
        .sid = "s",
        .name = "n",
        .size = UINT64_MAX,
        .methods_count = 1,
        .methods = { XF_METHOD_IBB },
    };

    (void)state;
    xf_si_write_offer(fresh(), "1", "to", NULL, &in);
    assert_string_equal(
        written(),
        "<iq id=\"1\" to=\"to\" type=\"set\">"
        "<si xmlns=\"http://jabber.org/protocol/si\" id=\"s\" profile=\""
        "http://jabber.org/protocol/si/profile/file-transfer\">"
        "<file xmlns=\"http://jabber.org/protocol/si/profile/file-transfer\""
        " name=\"n\"></file>"
        "<feature xmlns=\"http://jabber.org/protocol/feature-neg\">"
        "<x xmlns=\"jabber:x:data\" type=\"form\">"
        "<field var=\"stream-method\" type=\"list-single\"><option>"
        "<value>http://jabber.org/protocol/ibb</value></option></field></x>"
        "</feature></si></iq>");
}

/* --- answers -------------------------------------------------------------- */

#define ANSWER(children)                                                       \
    "<iq id='1' type='result'><si xmlns='" XF_NS_SI "'>" children "</si></iq>"
#define VALUES(values)                                                         \
    FORM("submit", "<field var='stream-method'>" values "</field>")
#define S5B_VALUE "<value>" XF_NS_BYTESTREAMS "</value>"
#define IBB_VALUE "<value>" XF_NS_IBB "</value>"

static struct xf_offer_answer answer;

static int read_answer(const char *xml)
{
    return xf_si_read_answer(parse(xml), &answer);
}

static void answers_name_one_or_two_methods(void **state)
{
    (void)state;
    assert_int_equal(read_answer(ANSWER(VALUES(S5B_VALUE))), 0);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.methods[0], XF_METHOD_S5B);
    assert_false(answer.range);
    assert_int_equal(read_answer(ANSWER(VALUES(IBB_VALUE S5B_VALUE))), 0);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.methods[0], XF_METHOD_IBB);
    assert_int_equal(answer.methods[1], XF_METHOD_S5B);
    assert_int_equal(
        read_answer(ANSWER(VALUES("<value>x</value>" IBB_VALUE IBB_VALUE))), 0);
    assert_int_equal(answer.count, 2);
    assert_int_equal(answer.methods[0], XF_METHOD_NONE);
}

static void answers_without_a_method_name_none(void **state)
{
    (void)state;
    assert_int_equal(read_answer("<iq id='1' type='result'/>"), XF_E_NOMETHOD);
    assert_int_equal(read_answer(ANSWER("")), XF_E_NOMETHOD);
    assert_int_equal(read_answer(ANSWER(VALUES(""))), XF_E_NOMETHOD);
    assert_int_equal(read_answer(ANSWER(FORM("form", FIELD(S5B_OPTION)))),
                     XF_E_NOMETHOD);
    assert_int_equal(read_answer(ANSWER(FORM(
                         "submit", "<field var='x'>" S5B_VALUE "</field>"))),
                     XF_E_NOMETHOD);
}

static void answers_may_ask_for_a_part(void **state)
{
#define PART(attrs)                                                            \
    ANSWER("<file xmlns='" XF_NS_SI_FILE "'><range " attrs                     \
           "/></file>" VALUES(IBB_VALUE))

    (void)state;
    assert_int_equal(read_answer(PART("")), 0);
    assert_true(answer.range);
    assert_int_equal(answer.range_offset, 0);
    assert_true(answer.range_length == UINT64_MAX);
    assert_int_equal(read_answer(PART("offset='5' length='6'")), 0);
    assert_int_equal(answer.range_offset, 5);
    assert_int_equal(answer.range_length, 6);
    assert_int_equal(read_answer(PART("offset='-1'")), XF_E_PROTO);
    assert_int_equal(read_answer(PART("offset=''")), XF_E_PROTO);
    assert_int_equal(read_answer(PART("offset='9223372036854775808'")),
                     XF_E_PROTO);
    assert_int_equal(read_answer(PART("length='x'")), XF_E_PROTO);
}

static void what_was_answered_reads_back(void **state)
{
    struct xf_stanza_head h =
        head_of("<iq id='1' to='me' from='you' type='set'><a/></iq>");
    const struct xf_offer_answer in = {
        .count = 1,
        .methods = { XF_METHOD_IBB },
        .range = true,
        .range_offset = 3,
        .range_length = UINT64_MAX,
    };

    (void)state;
    xf_si_write_answer(fresh(), &h, &in);
    assert_int_equal(read_answer(written()), 0);
    assert_int_equal(answer.count, 1);
    assert_int_equal(answer.methods[0], XF_METHOD_IBB);
    assert_true(answer.range);
    assert_int_equal(answer.range_offset, 3);
    assert_true(answer.range_length == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_offer_has_all_its_parts),
        CASE(an_id_has_one_to_1024_bytes),
        CASE(only_the_profile_of_files_is_taken),
        CASE(there_is_one_file),
        CASE(without_a_usable_method_there_is_none),
        CASE(only_what_is_offered_is_read_in_its_order),
        CASE(a_form_is_neither_doubled_nor_endless),
        CASE(a_range_is_one_whatever_is_in_it),
        CASE(a_hash_is_32_hex_digits),
        CASE(a_date_decides_nothing),
        CASE(a_size_is_plain_digits_up_to_63_bits),
        CASE(a_description_is_kept_to_its_ceiling),
        CASE(what_was_offered_reads_back),
        CASE(a_plain_offer_is_one_list_single),
        CASE(answers_name_one_or_two_methods),
        CASE(answers_without_a_method_name_none),
        CASE(answers_may_ask_for_a_part),
        CASE(what_was_answered_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
