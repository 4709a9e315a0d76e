/* What two xferrys say to each other: what is read, and what is not taken. */
#include "fixture.h"

#include "proto/offer.h"
#include "wire/ns.h"
#include "wire/xferry.h"

#define KEY "0123456789abcdef0123456789abcdef"
#define ABC "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=" /* of "abc" */
#define HASH(attrs, text)                                                      \
    "<hash xmlns='urn:xmpp:hashes:2' " attrs ">" text "</hash>"
#define GOOD_HASH HASH("algo='sha-256'", ABC)

static const uint8_t abc[32] = {
    0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40,
    0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17,
    0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
};

/* --- the offer -------------------------------------------------------------- */

static struct xf_offer offer;

static void read_offer(const char *transfer)
{
    char xml[4096];

    snprintf(xml, sizeof xml, "<si xmlns='" XF_NS_SI "'>%s</si>", transfer);
    offer = (struct xf_offer){ .sid = "s" };
    xf_xferry_read_offer(parse(xml), &offer);
}

static void assert_stranger(const char *transfer)
{
    read_offer(transfer);
    if (offer.key || offer.version || offer.sum)
        fail_msg("taken: %s", transfer);
    assert_true(offer.most == UINT64_MAX);
    assert_string_equal(offer.sid, "s");
}

static void an_offer_of_ours_has_all_its_parts(void **state)
{
    (void)state;
    read_offer("<transfer xmlns='urn:xferry:0' id='" KEY
               "' version='17.5' sum='sha-256' most='4096'/>");
    assert_string_equal(offer.key, KEY);
    assert_string_equal(offer.version, "17.5");
    assert_true(offer.sum);
    assert_int_equal(offer.most, 4096);
    read_offer("<transfer xmlns='urn:xferry:0' id='" KEY "'/>");
    assert_string_equal(offer.key, KEY);
    assert_null(offer.version);
    assert_false(offer.sum);
    assert_true(offer.most == UINT64_MAX);
}

static void without_a_key_it_is_a_strangers(void **state)
{
    static const char *const none[] = {
        "",
        "<transfer xmlns='urn:xferry:1' id='" KEY "' sum='sha-256'/>",
        "<transfer id='" KEY "' sum='sha-256'/>",
        "<other xmlns='urn:xferry:0' id='" KEY "' sum='sha-256'/>",
        "<transfer xmlns='urn:xferry:0' version='1' sum='sha-256' most='0'/>",
        "<transfer xmlns='urn:xferry:0' id='' version='1' sum='sha-256'/>",
        "<transfer xmlns='urn:xferry:0' id='0123456789abcdef' most='1'/>",
        "<transfer xmlns='urn:xferry:0' id='" KEY "0' sum='sha-256'/>",
        "<transfer xmlns='urn:xferry:0' id='" KEY KEY "' version='1'/>",
        "<transfer xmlns='urn:xferry:0' id='0123456789ABCDEF0123456789abcdef' "
        "sum='sha-256'/>",
        "<transfer xmlns='urn:xferry:0' id='0123456789abcdef0123456789abcde/' "
        "sum='sha-256'/>",
        "<transfer xmlns='urn:xferry:0' id='0123456789abcdef 123456789abcdef' "
        "sum='sha-256'/>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_stranger(none[i]);
}

static void a_version_that_is_too_long_is_none(void **state)
{
    char version[XF_OFFER_VERSION_MAX + 2], xml[512];

    (void)state;
    memset(version, 'v', sizeof version);
    version[XF_OFFER_VERSION_MAX + 1] = '\0';
    for (int less = 0; less < 2; less++) {
        version[XF_OFFER_VERSION_MAX + 1 - less] = '\0';
        snprintf(xml, sizeof xml,
                 "<transfer xmlns='urn:xferry:0' id='" KEY "' version='%s'/>",
                 version);
        read_offer(xml);
        assert_string_equal(offer.key, KEY);
        if (less)
            assert_string_equal(offer.version, version);
        else
            assert_null(offer.version);
    }
}

static void a_most_that_is_no_number_is_the_beginning(void **state)
{
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "x", "0x1", "9223372036854775808"
    };
    char xml[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(xml, sizeof xml,
                 "<transfer xmlns='urn:xferry:0' id='" KEY "' most='%s'/>",
                 bad[i]);
        read_offer(xml);
        assert_int_equal(offer.most, 0);
    }
    read_offer("<transfer xmlns='urn:xferry:0' id='" KEY
               "' most='9223372036854775807'/>");
    assert_true(offer.most == INT64_MAX);
}

static void no_sum_but_sha_256_is_waited_for(void **state)
{
    static const char *const others[] = { "", "sha-1", "SHA-256", "sha-256 ",
                                          "sha-512" };
    char xml[256];

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        snprintf(xml, sizeof xml,
                 "<transfer xmlns='urn:xferry:0' id='" KEY "' sum='%s'/>",
                 others[i]);
        read_offer(xml);
        assert_non_null(offer.key);
        assert_false(offer.sum);
    }
}

static void what_is_written_is_read_again(void **state)
{
    struct xf_offer told = {
        .key = KEY, .version = "1700000000.5 & <x>", .sum = true, .most = 77
    };

    (void)state;
    xf_xferry_write_offer(fresh(), &told);
    read_offer(written());
    assert_string_equal(offer.key, told.key);
    assert_string_equal(offer.version, told.version);
    assert_true(offer.sum);
    assert_int_equal(offer.most, 77);
    told = (struct xf_offer){ .key = KEY, .most = UINT64_MAX };
    xf_xferry_write_offer(fresh(), &told);
    assert_null(strstr(written(), "most"));
    assert_null(strstr(written(), "sum"));
    assert_null(strstr(written(), "version"));
    told.key = NULL;
    told.version = "1";
    xf_xferry_write_offer(fresh(), &told);
    assert_string_equal(written(), "");
}

/* --- the answer ----------------------------------------------------------------- */

static struct xf_offer_answer answer;

static void read_answer(const char *prefix)
{
    char xml[4096];

    snprintf(xml, sizeof xml, "<si xmlns='" XF_NS_SI "'>%s</si>", prefix);
    answer = (struct xf_offer_answer){ .range_offset = 9 };
    xf_xferry_read_answer(parse(xml), &answer);
}

static void an_answer_proves_what_is_there(void **state)
{
    (void)state;
    read_answer("<prefix xmlns='urn:xferry:0' durable='7'>" GOOD_HASH
                "</prefix>");
    assert_true(answer.has_prefix);
    assert_memory_equal(answer.prefix, abc, 32);
    assert_int_equal(answer.durable, 7);
    /* Others beside it are not looked at. */
    read_answer("<prefix xmlns='urn:xferry:0'>" HASH("algo='sha-1'", "AAAA")
                    HASH("", ABC) GOOD_HASH "</prefix>");
    assert_true(answer.has_prefix);
    assert_memory_equal(answer.prefix, abc, 32);
}

static void a_proof_that_cannot_be_read_is_none(void **state)
{
    static const char *const bad[] = {
        "",
        "<prefix xmlns='urn:xferry:0'/>",
        "<prefix xmlns='urn:xferry:1'>" GOOD_HASH "</prefix>",
        "<prefix xmlns='urn:xferry:0'><hash algo='sha-256'>" ABC
        "</hash></prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH("algo='sha-512'", ABC) "</prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH("", ABC) "</prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH("algo='sha-256'", "") "</prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH("algo='sha-256'",
                                             "AAAA") "</prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH("algo='sha-256'",
                                             ABC "AAAA") "</prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH("algo='sha-256'",
                                             " " ABC) "</prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH(
            "algo='sha-256'",
            "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0A") "</prefix>",
        "<prefix xmlns='urn:xferry:0'>" HASH(
            "algo='sha-256'",
            "!ngWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=") "</prefix>",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        read_answer(bad[i]);
        if (answer.has_prefix)
            fail_msg("taken: %s", bad[i]);
    }
}

static void a_durable_that_is_no_number_is_nothing(void **state)
{
    static const char *const bad[] = { "", "-1", "x", "9223372036854775808" };
    char xml[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(xml, sizeof xml,
                 "<prefix xmlns='urn:xferry:0' durable='%s'>" GOOD_HASH
                 "</prefix>",
                 bad[i]);
        read_answer(xml);
        assert_true(answer.has_prefix);
        assert_int_equal(answer.durable, 0);
    }
}

static void an_answer_is_read_as_it_was_written(void **state)
{
    struct xf_offer_answer told = { .range_offset = 9,
                                    .durable = 4,
                                    .has_prefix = true };

    (void)state;
    memcpy(told.prefix, abc, 32);
    xf_xferry_write_answer(fresh(), &told);
    read_answer(written());
    assert_true(answer.has_prefix);
    assert_memory_equal(answer.prefix, abc, 32);
    assert_int_equal(answer.durable, 4);
    told.durable = 9; /* all of it: not worth a word */
    xf_xferry_write_answer(fresh(), &told);
    assert_null(strstr(written(), "durable"));
    told.has_prefix = false;
    xf_xferry_write_answer(fresh(), &told);
    assert_string_equal(written(), "");
}

/* --- the end ------------------------------------------------------------------------ */

static struct xf_xferry_end end;

static bool read_end(const char *xml)
{
    return xf_xferry_read_end(parse(xml), &end);
}

static void an_end_has_a_key_and_perhaps_a_sum(void **state)
{
    (void)state;
    assert_true(
        read_end("<end xmlns='urn:xferry:0' id='" KEY "'>" GOOD_HASH "</end>"));
    assert_false(end.stop);
    assert_string_equal(end.key, KEY);
    assert_true(end.has_sum);
    assert_memory_equal(end.sum, abc, 32);
    assert_true(read_end("<end xmlns='urn:xferry:0' id='" KEY "'/>"));
    assert_string_equal(end.key, KEY);
    assert_false(end.has_sum);
    assert_true(read_end("<end xmlns='urn:xferry:0' id='" KEY "x'/>"));
    assert_null(end.key);
    assert_true(read_end("<end xmlns='urn:xferry:0'>" GOOD_HASH "</end>"));
    assert_null(end.key);
    assert_true(read_end("<end xmlns='urn:xferry:0' id='" KEY
                         "'>" HASH("algo='sha-256'", "AAAA") "</end>"));
    assert_false(end.has_sum);
}

static void a_stop_has_a_reason_or_it_failed(void **state)
{
    static const struct {
        const char *text;
        enum xf_stop_reason reason;
    } cases[] = {
        { "changed", XF_STOP_CHANGED },   { "cancelled", XF_STOP_CANCELLED },
        { "no-space", XF_STOP_NO_SPACE }, { "sum-mismatch", XF_STOP_MISMATCH },
        { "failed", XF_STOP_FAILED },     { "", XF_STOP_FAILED },
        { "what else", XF_STOP_FAILED },  { "Cancelled", XF_STOP_FAILED },
    };
    char xml[256];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(xml, sizeof xml,
                 "<stop xmlns='urn:xferry:0' id='" KEY "' reason='%s'/>",
                 cases[i].text);
        assert_true(read_end(xml));
        assert_true(end.stop);
        assert_string_equal(end.key, KEY);
        assert_int_equal(end.reason, cases[i].reason);
        assert_false(end.has_sum);
    }
    assert_true(read_end("<stop xmlns='urn:xferry:0' id='" KEY "'/>"));
    assert_int_equal(end.reason, XF_STOP_FAILED);
}

static void what_is_neither_is_not_read(void **state)
{
    (void)state;
    assert_false(read_end("<ends xmlns='urn:xferry:0' id='" KEY "'/>"));
    assert_false(read_end("<end xmlns='urn:xferry:1' id='" KEY "'/>"));
    assert_false(read_end("<stop id='" KEY "'/>"));
    assert_false(read_end("<transfer xmlns='urn:xferry:0' id='" KEY "'/>"));
}

static void end_and_stop_are_read_as_they_were_written(void **state)
{
    struct xf_stanza_head head;

    (void)state;
    xf_xferry_write_end(fresh(), "i", "to@x/y", "from@x/y", KEY, abc);
    head = head_of(written());
    assert_int_equal(head.type, XF_IQ_SET);
    assert_string_equal(head.id, "i");
    assert_string_equal(head.to, "to@x/y");
    assert_true(xf_xferry_read_end(head.payload, &end));
    assert_string_equal(end.key, KEY);
    assert_memory_equal(end.sum, abc, 32);
    xf_xferry_write_end(fresh(), "i", "to@x/y", "from@x/y", KEY, NULL);
    head = head_of(written());
    assert_true(xf_xferry_read_end(head.payload, &end));
    assert_false(end.has_sum);
    for (int reason = 0; reason < XF_STOP_REASONS; reason++) {
        xf_xferry_write_stop(fresh(), "i", "to@x/y", "from@x/y", KEY,
                             (enum xf_stop_reason)reason);
        head = head_of(written());
        assert_true(xf_xferry_read_end(head.payload, &end));
        assert_true(end.stop);
        assert_int_equal(end.reason, reason);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_offer_of_ours_has_all_its_parts),
        CASE(without_a_key_it_is_a_strangers),
        CASE(a_version_that_is_too_long_is_none),
        CASE(a_most_that_is_no_number_is_the_beginning),
        CASE(no_sum_but_sha_256_is_waited_for),
        CASE(what_is_written_is_read_again),
        CASE(an_answer_proves_what_is_there),
        CASE(a_proof_that_cannot_be_read_is_none),
        CASE(a_durable_that_is_no_number_is_nothing),
        CASE(an_answer_is_read_as_it_was_written),
        CASE(an_end_has_a_key_and_perhaps_a_sum),
        CASE(a_stop_has_a_reason_or_it_failed),
        CASE(what_is_neither_is_not_read),
        CASE(end_and_stop_are_read_as_they_were_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
