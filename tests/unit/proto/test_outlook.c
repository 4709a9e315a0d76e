/* What would be tried, against what contacts can do. */
#include "table.h"

#include "proto/outlook.h"
#include "proto/profile.h"

/* "s5b ibb+2" and so on; the digit is the offer's. */
static const char *told(const struct xf_outlook *o)
{
    static char text[128];
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < o->count; i++)
        len += (size_t)snprintf(
            text + len, sizeof text - len, "%s%s%s", i ? " " : "",
            o->rungs[i].method == XF_METHOD_S5B ? "s5b" : "ibb",
            o->rungs[i].second ? "/2" : "");
    return text;
}

static struct xf_sending_rules rules_of(const char *dialect, const char *via)
{
    const struct xf_profile *p = xf_profile_named(dialect);
    struct xf_sending_rules rules = { .ways = ~0u,
                                      .ibb_same_sid = p->ibb_same_sid,
                                      .second_offer = p->second_offer };

    for (; *via; via++)
        rules.methods[rules.methods_count++] =
            *via == 's' ? XF_METHOD_S5B : XF_METHOD_IBB;
    return rules;
}

static void assert_outlook(const char *dialect, const char *via, bool can_s5b,
                           struct xf_outlook_peer peer, const char *want)
{
    struct xf_sending_rules rules = rules_of(dialect, via);
    struct xf_outlook o;

    xf_outlook(&rules, can_s5b, &peer, &o);
    assert_string_equal(told(&o), want);
    assert_int_equal(o.why.code, 0);
}

static void assert_hopeless(const char *dialect, const char *via, bool can_s5b,
                            struct xf_outlook_peer peer, int code)
{
    struct xf_sending_rules rules = rules_of(dialect, via);
    struct xf_outlook o;

    xf_outlook(&rules, can_s5b, &peer, &o);
    assert_int_equal(o.count, 0);
    assert_int_equal(o.why.code, code);
    assert_true(o.why.text[0] != '\0');
}

static const struct xf_outlook_peer both = { true, true, false };
static const struct xf_outlook_peer two = { true, true, true };
static const struct xf_outlook_peer only_s5b = { true, false, false };
static const struct xf_outlook_peer only_ibb = { false, true, false };
static const struct xf_outlook_peer neither = { false, false, false };

static void bytestreams_come_before_in_band(void **state)
{
    (void)state;
    assert_outlook("xferry", "si", true, both, "s5b ibb ibb/2");
    assert_outlook("unknown", "si", true, both, "s5b ibb ibb/2");
}

static void in_band_comes_to_a_finished_sid_by_another_offer(void **state)
{
    (void)state;
    assert_outlook("smack", "si", true, both, "s5b ibb/2");
}

static void two_values_leave_in_band_on_the_same_sid(void **state)
{
    (void)state;
    assert_outlook("spark-classic", "si", true, two, "s5b ibb");
}

static void only_what_is_allowed_is_tried(void **state)
{
    (void)state;
    assert_outlook("unknown", "i", false, both, "ibb");
    assert_outlook("unknown", "s", true, both, "s5b");
}

static void in_band_first_is_tried_first_where_it_was_answered(void **state)
{
    (void)state;
    assert_outlook("spark-classic", "is", true, two, "ibb s5b");
    assert_outlook("smack", "is", true, only_ibb, "ibb");
}

static void without_a_streamhost_only_in_band_is_left(void **state)
{
    (void)state;
    assert_outlook("unknown", "si", false, both, "ibb");
    assert_hopeless("unknown", "s", false, both, XF_E_CONNECT);
}

static void a_contact_is_offered_what_it_can(void **state)
{
    (void)state;
    assert_outlook("unknown", "si", true, only_ibb, "ibb");
    assert_outlook("smack", "si", true, only_ibb, "ibb");
    assert_outlook("unknown", "s", true, only_s5b, "s5b");
    assert_hopeless("unknown", "s", true, only_ibb, XF_E_NOMETHOD);
    assert_hopeless("unknown", "i", false, only_s5b, XF_E_NOMETHOD);
    assert_hopeless("unknown", "si", true, neither, XF_E_NOMETHOD);
}

/* Each dialect, each --via, each contact: rungs or a reason, never both. */
static void there_is_always_a_rung_or_a_reason(void **state)
{
    static const char *const ways[] = { "s", "i", "si", "is" };
    const struct xf_profile *p;

    (void)state;
    for (size_t i = 0; (p = xf_profile_at(i)) != NULL; i++) {
        for (unsigned bits = 0; bits < 4 * 16; bits++) {
            struct xf_sending_rules rules = rules_of(p->name, ways[bits % 4]);
            struct xf_outlook_peer peer = { bits & 4, bits & 8, bits & 16 };
            struct xf_outlook o;

            xf_outlook(&rules, bits & 32, &peer, &o);
            assert_true((o.count > 0) == (o.why.code == 0));
            assert_true(o.count < XF_OUTLOOK_MAX);
            for (size_t j = 0; j < o.count; j++)
                assert_true(o.rungs[j].method == XF_METHOD_IBB || bits & 32);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytestreams_come_before_in_band),
        cmocka_unit_test(in_band_comes_to_a_finished_sid_by_another_offer),
        cmocka_unit_test(two_values_leave_in_band_on_the_same_sid),
        cmocka_unit_test(only_what_is_allowed_is_tried),
        cmocka_unit_test(in_band_first_is_tried_first_where_it_was_answered),
        cmocka_unit_test(without_a_streamhost_only_in_band_is_left),
        cmocka_unit_test(a_contact_is_offered_what_it_can),
        cmocka_unit_test(there_is_always_a_rung_or_a_reason),
    };

    return cmocka_run_group_tests_name("outlook", tests, NULL, NULL);
}
