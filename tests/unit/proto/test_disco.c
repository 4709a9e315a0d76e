/* What we announce and the hash of it. */
#include "table.h"

#include "proto/disco.h"
#include "proto/profile.h"

/* XEP-0115, 5.2. */
static void the_hash_is_that_of_the_standards_example(void **state)
{
    const struct xf_identity exodus = { "client", "pc", NULL, "Exodus 0.9.1" };
    static const char *const features[] = {
        "http://jabber.org/protocol/muc",
        "http://jabber.org/protocol/disco#items",
        "http://jabber.org/protocol/disco#info",
        "http://jabber.org/protocol/caps",
    };
    char ver[XF_CAPS_VER_LEN + 1];

    (void)state;
    assert_true(xf_caps_ver(&exodus, features, COUNT(features), ver));
    assert_string_equal(ver, "QgayPKawpkPSDYmwT/WM94uAlu0=");
}

/* Computed apart from this code. */
static void our_own_hash_is_known(void **state)
{
    char ver[XF_CAPS_VER_LEN + 1];

    (void)state;
    assert_true(xf_caps_own(true, ver));
    assert_string_equal(ver, "ICAJ3TBaOKS6PD8F5rNiOab9MqA=");
}

static void no_features_are_a_hash_too_and_too_many_are_none(void **state)
{
    static const char *many[XF_CAPS_FEATURES_MAX + 1];
    char ver[XF_CAPS_VER_LEN + 1];

    (void)state;
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = "x";
    assert_true(xf_caps_ver(&xf_disco_identity, NULL, 0, ver));
    assert_true(
        xf_caps_ver(&xf_disco_identity, many, XF_CAPS_FEATURES_MAX, ver));
    assert_false(
        xf_caps_ver(&xf_disco_identity, many, XF_CAPS_FEATURES_MAX + 1, ver));
    assert_string_equal(ver, "");
}

static void the_features_are_sorted_and_each_once(void **state)
{
    const char *said[XF_DISCO_FEATURES];
    size_t count = xf_disco_features(true, said);

    (void)state;
    assert_int_equal(count, XF_DISCO_FEATURES);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(said[i - 1], said[i]) < 0);
}

/* What others ask for before they offer a file, and libpurple before it
 * falls back. */
static void everything_a_sender_looks_for_is_announced(void **state)
{
    const char *said[XF_DISCO_FEATURES];
    size_t count = xf_disco_features(true, said);
    unsigned bits = 0;

    (void)state;
    for (size_t i = 0; i < count; i++)
        bits |= xf_disco_bit(said[i]);
    assert_int_equal(bits, XF_FEATURE_SI | XF_FEATURE_SI_FILE | XF_FEATURE_S5B |
                               XF_FEATURE_IBB | XF_FEATURE_XFERRY |
                               XF_FEATURE_DISCO | XF_FEATURE_VERSION);
    assert_int_equal(xf_disco_bit("http://jabber.org/protocol/ib"), 0);
    assert_int_equal(xf_disco_bit(""), 0);
}

static void who_only_sends_does_not_say_that_it_takes_files(void **state)
{
    const char *said[XF_DISCO_FEATURES];
    char taker[XF_CAPS_VER_LEN + 1], sender[XF_CAPS_VER_LEN + 1];
    unsigned bits = 0;

    (void)state;
    for (size_t i = xf_disco_features(false, said); i-- > 0;)
        bits |= xf_disco_bit(said[i]);
    assert_int_equal(bits, XF_FEATURE_S5B | XF_FEATURE_IBB | XF_FEATURE_XFERRY |
                               XF_FEATURE_DISCO | XF_FEATURE_VERSION);
    assert_true(xf_caps_own(true, taker) && xf_caps_own(false, sender));
    assert_string_not_equal(taker, sender);
}

static void only_our_own_nodes_are_answered(void **state)
{
    char node[sizeof XF_CAPS_NODE + XF_CAPS_VER_LEN + 2];
    char ver[XF_CAPS_VER_LEN + 1];

    (void)state;
    assert_true(xf_caps_own(true, ver));
    snprintf(node, sizeof node, "%s#%s", XF_CAPS_NODE, ver);
    assert_true(xf_disco_node_is_ours(true, NULL));
    assert_true(xf_disco_node_is_ours(true, ""));
    assert_true(xf_disco_node_is_ours(true, node));
    node[strlen(node) - 2] = '?';
    assert_false(xf_disco_node_is_ours(true, node));
    assert_false(xf_disco_node_is_ours(true, XF_CAPS_NODE));
    assert_false(xf_disco_node_is_ours(true, XF_CAPS_NODE "#"));
    assert_false(xf_disco_node_is_ours(true, "urn"));
}

static void a_hash_of_ours_needs_no_question(void **state)
{
    const unsigned of_offers = XF_FEATURE_SI | XF_FEATURE_SI_FILE;
    char ver[XF_CAPS_VER_LEN + 1];

    (void)state;
    assert_true(xf_caps_own(true, ver));
    assert_int_equal(xf_caps_known("sha-1", ver) & of_offers, of_offers);
    assert_int_equal(xf_caps_known("sha-256", ver), 0);
    assert_int_equal(xf_caps_known(NULL, ver), 0);
    assert_int_equal(xf_caps_known("sha-1", NULL), 0);
    ver[0] ^= 1;
    assert_int_equal(xf_caps_known("sha-1", ver), 0);
    assert_true(xf_caps_own(false, ver));
    assert_true(xf_caps_known("sha-1", ver) & XF_FEATURE_XFERRY);
    assert_int_equal(xf_caps_known("sha-1", ver) & of_offers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_that_of_the_standards_example),
        cmocka_unit_test(our_own_hash_is_known),
        cmocka_unit_test(who_only_sends_does_not_say_that_it_takes_files),
        cmocka_unit_test(no_features_are_a_hash_too_and_too_many_are_none),
        cmocka_unit_test(the_features_are_sorted_and_each_once),
        cmocka_unit_test(everything_a_sender_looks_for_is_announced),
        cmocka_unit_test(only_our_own_nodes_are_answered),
        cmocka_unit_test(a_hash_of_ours_needs_no_question),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
