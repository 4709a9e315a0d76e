/* Which row follows from what a peer shows, and how that is said. */
#include "table.h"

#include "base/encode.h"
#include "proto/evidence.h"

#define SMACK_4 (XF_FEATURE_KNOWN | XF_FEATURE_DISCO | XF_FEATURE_SI_FILE)

static void feed(struct xf_evidence *e, enum xf_fact_kind kind,
                 const char *text, const char *version, unsigned bits)
{
    struct xf_fact fact = { .kind = kind, .text = text, .version = version };

    if (kind == XF_FACT_IDENTITY)
        fact.features = bits;
    else
        fact.look = bits;
    (void)xf_evidence_feed(e, &fact);
}

static void is_row(const struct xf_evidence *e, const char *row,
                   const char *words)
{
    assert_string_equal(e->profile->name, row);
    assert_string_equal(e->words, words);
}

/* One fact alone. */
static void one(enum xf_fact_kind kind, const char *text, const char *version,
                unsigned bits, const char *row, const char *words)
{
    struct xf_evidence e;

    xf_evidence_init(&e);
    feed(&e, kind, text, version, bits);
    is_row(&e, row, words);
}

static void from_nothing_nothing_follows(void **state)
{
    struct xf_evidence e;

    (void)state;
    xf_evidence_init(&e);
    is_row(&e, "unknown", "");
    assert_int_equal(e.weight, 0);
    for (int kind = 0; kind < XF_FACT_KINDS; kind++) {
        one((enum xf_fact_kind)kind, NULL, NULL, 0, "unknown", "");
        one((enum xf_fact_kind)kind, "", "", 0, "unknown", "");
        one((enum xf_fact_kind)kind, "Other", "4.4", 0, "unknown", "");
    }
}

static void a_caps_node_tells_the_library(void **state)
{
    static const struct {
        const char *node, *row;
    } nodes[] = {
        { "http://www.igniterealtime.org/projects/smack", "smack-3" },
        { "https://igniterealtime.org/projects/smack", "smack" },
        { "http://pidgin.im/", "libpurple" },
        { "https://github.com/qxmpp-project/qxmpp", "qxmpp" },
        { "http://code.google.com/p/qxmpp", "qxmpp" },
        { "http://camaya.net/gloox", "gloox" },
        { "http://slixmpp.com/ver/1.8.3", "slixmpp" },
        { "https://psi-im.org", "iris" },
        { "http://psi-im.org/caps", "iris" },
        { "https://psi-plus.com", "iris" },
        { "https://www.salut-a-toi.org", "libervia" },
    };
    char words[200];

    (void)state;
    for (size_t i = 0; i < COUNT(nodes); i++) {
        snprintf(words, sizeof words, "caps node %s", nodes[i].node);
        one(XF_FACT_CAPS, nodes[i].node, NULL, 0, nodes[i].row, words);
    }
    one(XF_FACT_CAPS, "https://gajim.org", NULL, 0, "unknown", "");
    one(XF_FACT_CAPS, "see http://pidgin.im/", NULL, 0, "unknown", "");
}

static void an_identity_tells_the_program(void **state)
{
    static const struct {
        const char *name, *row;
    } rows[] = {
        { "Spark", "smack" },
        { "Smack", "smack" },
        { "spark 3.0.2", "smack" },
        { "Pidgin", "libpurple" },
        { "Finch", "libpurple" },
        { "Adium", "libpurple" },
        { "BitlBee", "libpurple" },
        { "libpurple", "libpurple" },
        { "Based on QXmpp 1.4.0", "qxmpp" },
        { "based on gloox", "gloox" },
        { "Slixmpp", "slixmpp" },
        { "slixmpp 1.8.3", "slixmpp" },
        { "Psi", "iris" },
        { "Psi+ 1.5", "iris" },
        { "Libervia", "libervia" },
    };
    static const char *const others[] = { "Sparkling", "Pidginx", "My Spark",
                                          "Gajim",     "unknown", "xferry" };
    char words[200];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(words, sizeof words, "identity \"%s\"", rows[i].name);
        one(XF_FACT_IDENTITY, rows[i].name, NULL, SMACK_4, rows[i].row, words);
    }
    for (size_t i = 0; i < COUNT(others); i++)
        one(XF_FACT_IDENTITY, others[i], NULL, SMACK_4, "unknown", "");
}

static void a_program_of_ours_is_known_by_its_feature_alone(void **state)
{
    (void)state;
    one(XF_FACT_IDENTITY, NULL, NULL, XF_FEATURE_XFERRY, "xferry",
        "feature urn:xferry:0");
    one(XF_FACT_IDENTITY, "Pidgin", NULL, SMACK_4 | XF_FEATURE_XFERRY, "xferry",
        "feature urn:xferry:0");
}

/* It announces its own discovery from 3.3 on. */
static void a_smack_that_does_not_announce_discovery_is_from_before_3_3(
    void **state)
{
    (void)state;
    one(XF_FACT_IDENTITY, "Smack", NULL, SMACK_4 & ~XF_FEATURE_DISCO,
        "smack-early", "identity \"Smack\" without the feature disco#info");
    one(XF_FACT_IDENTITY, "Pidgin", NULL, SMACK_4 & ~XF_FEATURE_DISCO,
        "libpurple", "identity \"Pidgin\"");
}

static void a_version_tells_which_smack(void **state)
{
    static const struct {
        const char *name, *version, *row;
    } rows[] = {
        { "Smack", "4.4.8", "smack" },
        { "Smack", "4.3.4", "smack-3" },
        { "Smack", "3.2.1", "smack-3" },
        { "Smack", "3.1.0", "spark-classic" },
        { "Smack", "10.0", "smack" },
        { "Tigase Messenger (Smack 4.1.9)", "2.0", "smack-3" },
        { "Something (Smack 4.4.0-beta1)", "2.0", "smack" },
        { "Something (Smack 5)", "2.0", "smack" },
        { "Something (Smack 4)", "2.0", "smack-3" },
        { "Spark", "3.0.2", "smack" },
        { "Spark", "2.9.4", "smack-3" },
        { "Spark", "2.5.8", "spark-classic" },
        { "Spark", "", "smack" },
        { "Spark", "Version 2", "smack" },
        { "Smack", "99999999999999999999.1", "smack" },
        { "Pidgin", "2.14.12 (libpurple 2.14.12)", "libpurple" },
        { "Based on QXmpp", "1.4.0", "qxmpp" },
        { "Libervia", "0.9", "libervia" },
    };
    char words[200];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        snprintf(words, sizeof words, "version %s%s%s", rows[i].name,
                 *rows[i].version ? " " : "", rows[i].version);
        one(XF_FACT_VERSION, rows[i].name, rows[i].version, 0, rows[i].row,
            words);
    }
    one(XF_FACT_VERSION, "Smack", NULL, 0, "smack", "version Smack");
}

static void an_offer_has_the_look_of_its_program(void **state)
{
    (void)state;
    one(XF_FACT_OFFER, "jsi_5471441136722873260", NULL, XF_LOOK_LIST_MULTI,
        "spark-classic", "a list-multi offer with an id that begins jsi_");
    one(XF_FACT_OFFER, "jsi_-12", NULL, 0, "smack",
        "an offer with an id that begins jsi_");
    one(XF_FACT_OFFER, "ft_09af", NULL, XF_LOOK_RANGE, "iris",
        "an offer with an id ft_ and four digits");
    one(XF_FACT_OFFER, "ft_09af", NULL, 0, "unknown", "");
    one(XF_FACT_OFFER, "ft_09afb", NULL, XF_LOOK_RANGE, "unknown", "");
    one(XF_FACT_OFFER, "ft_09ag", NULL, XF_LOOK_RANGE, "unknown", "");
    one(XF_FACT_OFFER, "0a1b", NULL, XF_LOOK_MD5 | XF_LOOK_IBB_FIRST, "qxmpp",
        "an offer with a hash, in-band first");
    one(XF_FACT_OFFER, "0a1b", NULL, XF_LOOK_MD5, "unknown", "");
    one(XF_FACT_OFFER, "0a1b", NULL, XF_LOOK_LIST_MULTI, "unknown", "");
    one(XF_FACT_OFFER_ID, "purple77c0d5a", NULL, 0, "libpurple",
        "stanza ids that begin purple");
}

static void two_values_are_a_smack_before_4_4(void **state)
{
    (void)state;
    one(XF_FACT_ANSWER, NULL, NULL, XF_LOOK_TWO, "smack-3",
        "two values in the answer");
    one(XF_FACT_ANSWER, NULL, NULL, 0, "unknown", "");
}

/* --- one against the other --------------------------------------------------- */

static void the_stronger_evidence_wins_whichever_came_first(void **state)
{
    struct xf_evidence e;

    (void)state;
    xf_evidence_init(&e);
    feed(&e, XF_FACT_CAPS, "http://pidgin.im/", NULL, 0);
    feed(&e, XF_FACT_IDENTITY, "Psi", NULL, SMACK_4);
    is_row(&e, "libpurple", "caps node http://pidgin.im/");
    feed(&e, XF_FACT_VERSION, "Smack", "4.4.8", 0);
    is_row(&e, "smack", "version Smack 4.4.8");
    feed(&e, XF_FACT_OFFER, "ft_1234", NULL, XF_LOOK_RANGE);
    is_row(&e, "smack", "version Smack 4.4.8");
}

static void of_equal_evidence_the_latest_wins(void **state)
{
    struct xf_evidence e;

    (void)state;
    xf_evidence_init(&e);
    feed(&e, XF_FACT_VERSION, "Pidgin", "2.14", 0);
    feed(&e, XF_FACT_VERSION, "Spark", "2.9.4", 0);
    is_row(&e, "smack-3", "version Spark 2.9.4");
}

static void conduct_corrects_what_a_peer_says_of_itself(void **state)
{
    struct xf_evidence e;

    (void)state;
    xf_evidence_init(&e);
    feed(&e, XF_FACT_VERSION, "Spark", "3.0.2", 0);
    feed(&e, XF_FACT_ANSWER, NULL, NULL, XF_LOOK_TWO);
    is_row(&e, "smack-3", "two values in the answer");
    feed(&e, XF_FACT_VERSION, "Spark", "3.0.2", 0);
    is_row(&e, "smack-3", "two values in the answer");
}

static void a_program_of_ours_stays_one_whatever_it_plays(void **state)
{
    struct xf_evidence e;

    (void)state;
    xf_evidence_init(&e);
    feed(&e, XF_FACT_IDENTITY, NULL, NULL, XF_FEATURE_XFERRY);
    feed(&e, XF_FACT_ANSWER, NULL, NULL, XF_LOOK_TWO);
    is_row(&e, "xferry", "feature urn:xferry:0");
}

static void what_was_configured_stays(void **state)
{
    struct xf_evidence e;

    (void)state;
    xf_evidence_init(&e);
    xf_evidence_force(&e, xf_profile_named("gloox"));
    feed(&e, XF_FACT_IDENTITY, NULL, NULL, XF_FEATURE_XFERRY);
    feed(&e, XF_FACT_ANSWER, NULL, NULL, XF_LOOK_TWO);
    is_row(&e, "gloox", "as configured");
    assert_false(xf_evidence_is_open(&e));
}

/* --- asking -------------------------------------------------------------------- */

static void the_version_is_asked_where_it_tells_more(void **state)
{
    static const struct {
        enum xf_fact_kind kind;
        const char *text;
        bool open;
    } cases[] = {
        { XF_FACT_IDENTITY, "Gajim", true },
        { XF_FACT_IDENTITY, "Spark", true },
        { XF_FACT_OFFER, "jsi_12", true },
        { XF_FACT_IDENTITY, "Pidgin", false },
        { XF_FACT_CAPS, "https://igniterealtime.org/projects/smack", false },
        { XF_FACT_CAPS, "http://www.igniterealtime.org/projects/smack", false },
        { XF_FACT_VERSION, "Spark", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct xf_evidence e;

        xf_evidence_init(&e);
        feed(&e, cases[i].kind, cases[i].text, "3.0", SMACK_4);
        assert_int_equal(xf_evidence_is_open(&e), cases[i].open);
    }
}

/* --- words --------------------------------------------------------------------- */

static void words_that_are_too_long_are_cut_between_characters(void **state)
{
    (void)state;
    for (size_t pad = 0; pad < 8; pad++) {
        struct xf_evidence e;
        char name[600] = "Pidgin ";

        memset(name + 7, '-', pad);
        for (size_t i = 7 + pad; i + 4 < sizeof name; i += 3)
            memcpy(name + i, "\xe2\x82\xac", 4);
        xf_evidence_init(&e);
        feed(&e, XF_FACT_VERSION, name, "1", 0);
        assert_in_range(strlen(e.words), XF_EVIDENCE_WORDS - 5,
                        XF_EVIDENCE_WORDS - 1);
        assert_true(xf_utf8_valid(e.words, strlen(e.words)));
    }
}

int main(void)
{
#define CASE(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        CASE(from_nothing_nothing_follows),
        CASE(a_caps_node_tells_the_library),
        CASE(an_identity_tells_the_program),
        CASE(a_program_of_ours_is_known_by_its_feature_alone),
        CASE(a_smack_that_does_not_announce_discovery_is_from_before_3_3),
        CASE(a_version_tells_which_smack),
        CASE(an_offer_has_the_look_of_its_program),
        CASE(two_values_are_a_smack_before_4_4),
        CASE(the_stronger_evidence_wins_whichever_came_first),
        CASE(of_equal_evidence_the_latest_wins),
        CASE(conduct_corrects_what_a_peer_says_of_itself),
        CASE(a_program_of_ours_stays_one_whatever_it_plays),
        CASE(what_was_configured_stays),
        CASE(the_version_is_asked_where_it_tells_more),
        CASE(words_that_are_too_long_are_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
