/* Offers: which methods are answered, which answers and refusals mean what. */
#include "proto/offer.h"

#include <xferry/error.h>

#include "table.h"

#define S XF_METHOD_S5B
#define I XF_METHOD_IBB
#define ALL UINT64_MAX

static struct xf_offer offer_of(size_t count, enum xf_method a,
                                enum xf_method b)
{
    return (struct xf_offer){ .sid = "s",
                              .name = "n",
                              .size = 597,
                              .methods_count = count,
                              .methods = { a, b } };
}

/* --- answering ---------------------------------------------------------- */

static void assert_chosen(const struct xf_offer *offer, bool s5b, bool ibb,
                          bool two, size_t count, enum xf_method a,
                          enum xf_method b)
{
    struct xf_offer_answer answer;

    memset(&answer, 0xff, sizeof answer);
    xf_offer_choose(offer, s5b, ibb, two, &answer);
    assert_int_equal(answer.count, count);
    if (count > 0)
        assert_int_equal(answer.methods[0], a);
    if (count > 1)
        assert_int_equal(answer.methods[1], b);
    assert_false(answer.range);
    assert_true(answer.range_length == ALL);
    /* What we answer is what we would take. */
    assert_int_equal(xf_offer_answer_check(offer, &answer),
                     count ? 0 : XF_E_NOMETHOD);
}

static void s5b_is_answered_before_ibb(void **state)
{
    struct xf_offer both = offer_of(2, S, I);
    struct xf_offer turned = offer_of(2, I, S);
    struct xf_offer s5b = offer_of(1, S, 0);
    struct xf_offer ibb = offer_of(1, I, 0);

    (void)state;
    assert_chosen(&both, true, true, false, 1, S, 0);
    assert_chosen(&turned, true, true, false, 1, S, 0);
    assert_chosen(&s5b, true, true, false, 1, S, 0);
    assert_chosen(&ibb, true, true, false, 1, I, 0);
}

static void only_what_is_offered_and_allowed_is_answered(void **state)
{
    struct xf_offer both = offer_of(2, S, I);
    struct xf_offer s5b = offer_of(1, S, 0);
    struct xf_offer ibb = offer_of(1, I, 0);
    struct xf_offer none = offer_of(0, 0, 0);

    (void)state;
    assert_chosen(&both, false, true, false, 1, I, 0);
    assert_chosen(&both, true, false, false, 1, S, 0);
    assert_chosen(&both, false, false, false, 0, 0, 0);
    assert_chosen(&s5b, false, true, false, 0, 0, 0);
    assert_chosen(&ibb, true, false, false, 0, 0, 0);
    assert_chosen(&none, true, true, true, 0, 0, 0);
}

static void two_values_go_to_those_who_read_them(void **state)
{
    struct xf_offer both = offer_of(2, S, I);
    struct xf_offer turned = offer_of(2, I, S);
    struct xf_offer one = offer_of(1, I, 0);

    (void)state;
    assert_chosen(&both, true, true, true, 2, S, I);
    assert_chosen(&turned, true, true, true, 2, I, S);
    both.list_multi = turned.list_multi = one.list_multi = true;
    assert_chosen(&both, true, true, false, 2, S, I);
    assert_chosen(&turned, true, true, false, 2, I, S);
    assert_chosen(&one, true, true, true, 1, I, 0);
    assert_chosen(&both, false, true, true, 1, I, 0);
}

/* --- being answered ----------------------------------------------------- */

static void an_answer_names_offered_methods_only(void **state)
{
    struct xf_offer both = offer_of(2, S, I);
    struct xf_offer ibb = offer_of(1, I, S); /* the second does not count */
    struct xf_offer_answer a = { .count = 1, .methods = { S } };

    (void)state;
    assert_int_equal(xf_offer_answer_check(&both, &a), 0);
    assert_int_equal(xf_offer_answer_check(&ibb, &a), XF_E_PROTO);
    a = (struct xf_offer_answer){ .count = 2, .methods = { I, S } };
    assert_int_equal(xf_offer_answer_check(&both, &a), 0);
    assert_int_equal(xf_offer_answer_check(&ibb, &a), XF_E_PROTO);
    a.count = 3;
    assert_int_equal(xf_offer_answer_check(&both, &a), XF_E_PROTO);
    a.count = 0;
    assert_int_equal(xf_offer_answer_check(&both, &a), XF_E_NOMETHOD);
    a = (struct xf_offer_answer){ .count = 1, .methods = { XF_METHOD_NONE } };
    assert_int_equal(xf_offer_answer_check(&both, &a), XF_E_PROTO);
}

static int check_range(const struct xf_offer *offer, uint64_t offset,
                       uint64_t length)
{
    struct xf_offer_answer a = { .count = 1,
                                 .methods = { S },
                                 .range = true,
                                 .range_offset = offset,
                                 .range_length = length };

    return xf_offer_answer_check(offer, &a);
}

static void a_range_lies_within_the_file(void **state)
{
    static const struct {
        uint64_t offset, length;
        int code;
    } rows[] = {
        { 0, ALL, 0 },
        { 0, 597, 0 },
        { 0, 598, XF_E_PROTO },
        { 300, ALL, 0 },
        { 300, 297, 0 },
        { 300, 298, XF_E_PROTO },
        { 300, 296, XF_E_PROTO }, /* not to the end */
        { 300, 0, XF_E_PROTO },
        { 597, ALL, 0 }, /* nothing to send */
        { 597, 0, 0 },
        { 597, 1, XF_E_PROTO },
        { 598, ALL, XF_E_PROTO },
        { 598, 0, XF_E_PROTO },
        { (uint64_t)1 << 63, ALL, XF_E_PROTO },
        { ALL, ALL, XF_E_PROTO },
        { ALL, 0, XF_E_PROTO },
        { 1, ALL - 1, XF_E_PROTO },
    };
    struct xf_offer offer = offer_of(1, S, 0);

    (void)state;
    offer.range = true;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(check_range(&offer, rows[i].offset, rows[i].length),
                         rows[i].code);
}

static void a_part_may_be_asked_for_only_if_that_was_offered(void **state)
{
    struct xf_offer offer = offer_of(1, S, 0);

    (void)state;
    assert_int_equal(check_range(&offer, 0, ALL), 0);
    assert_int_equal(check_range(&offer, 0, 597), 0);
    assert_int_equal(check_range(&offer, 1, ALL), XF_E_PROTO);
    assert_int_equal(check_range(&offer, 0, 596), XF_E_PROTO);
    offer.range = true;
    assert_int_equal(check_range(&offer, 1, ALL), 0);
    assert_int_equal(check_range(&offer, 1, 596), 0);
}

/* --- being refused ------------------------------------------------------ */

static void every_refusal_has_a_code(void **state)
{
    static const struct {
        struct xf_stanza_error error;
        int code;
    } rows[] = {
        { { .condition = XF_COND_BAD_REQUEST, .no_valid_streams = true },
          XF_E_NOMETHOD },
        { { .condition = XF_COND_BAD_REQUEST, .bad_profile = true },
          XF_E_NOMETHOD },
        { { .condition = XF_COND_OTHER, .no_valid_streams = true },
          XF_E_NOMETHOD },
        { { .condition = XF_COND_OTHER, .bad_profile = true }, XF_E_NOMETHOD },
        { { .condition = XF_COND_NONE }, XF_E_DECLINED },
        { { .condition = XF_COND_BAD_REQUEST }, XF_E_NOMETHOD },
        { { .condition = XF_COND_CONFLICT }, XF_E_DECLINED },
        { { .condition = XF_COND_FEATURE_NOT_IMPLEMENTED }, XF_E_NOMETHOD },
        { { .condition = XF_COND_FORBIDDEN }, XF_E_DECLINED },
        { { .condition = XF_COND_GONE }, XF_E_NOPEER },
        { { .condition = XF_COND_INTERNAL_SERVER_ERROR }, XF_E_DECLINED },
        { { .condition = XF_COND_ITEM_NOT_FOUND }, XF_E_NOPEER },
        { { .condition = XF_COND_JID_MALFORMED }, XF_E_NOPEER },
        { { .condition = XF_COND_NOT_ACCEPTABLE }, XF_E_NOMETHOD },
        { { .condition = XF_COND_NOT_ALLOWED }, XF_E_DECLINED },
        { { .condition = XF_COND_NOT_AUTHORIZED }, XF_E_DECLINED },
        { { .condition = XF_COND_POLICY_VIOLATION }, XF_E_DECLINED },
        { { .condition = XF_COND_RECIPIENT_UNAVAILABLE }, XF_E_NOPEER },
        { { .condition = XF_COND_REMOTE_SERVER_NOT_FOUND }, XF_E_NOPEER },
        { { .condition = XF_COND_REMOTE_SERVER_TIMEOUT }, XF_E_NOPEER },
        { { .condition = XF_COND_RESOURCE_CONSTRAINT, .type = "modify" },
          XF_E_SIZE },
        { { .condition = XF_COND_RESOURCE_CONSTRAINT, .type = "wait" },
          XF_E_BUSY },
        { { .condition = XF_COND_RESOURCE_CONSTRAINT }, XF_E_BUSY },
        { { .condition = XF_COND_SERVICE_UNAVAILABLE }, XF_E_NOPEER },
        { { .condition = XF_COND_UNEXPECTED_REQUEST }, XF_E_DECLINED },
        { { .condition = XF_COND_OTHER }, XF_E_DECLINED },
        { { .condition = XF_COND_TIMEOUT }, XF_E_STALL },
    };
    bool seen[XF_CONDITIONS] = { false };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        seen[rows[i].error.condition] = true;
        assert_int_equal(xf_offer_refusal_code(&rows[i].error), rows[i].code);
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        assert_true(seen[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(s5b_is_answered_before_ibb),
        cmocka_unit_test(only_what_is_offered_and_allowed_is_answered),
        cmocka_unit_test(two_values_go_to_those_who_read_them),
        cmocka_unit_test(an_answer_names_offered_methods_only),
        cmocka_unit_test(a_range_lies_within_the_file),
        cmocka_unit_test(a_part_may_be_asked_for_only_if_that_was_offered),
        cmocka_unit_test(every_refusal_has_a_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
