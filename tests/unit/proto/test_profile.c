/* The rows of the dialects: the facts they hold, and those in words. */
#include "table.h"

#include "proto/ibb.h"
#include "proto/profile.h"

static const struct xf_profile *row(const char *name)
{
    const struct xf_profile *p = xf_profile_named(name);

    if (!p)
        fail_msg("there is no row %s", name);
    return p;
}

static void every_row_is_found_by_its_name_and_is_whole(void **state)
{
    const struct xf_profile *p;
    size_t i;

    (void)state;
    for (i = 0; (p = xf_profile_at(i)) != NULL; i++) {
        assert_ptr_equal(xf_profile_named(p->name), p);
        assert_true(strlen(p->summary) > 0);
        assert_in_range(p->ibb_block, XF_IBB_BLOCK_MIN, p->ibb_block_max);
        assert_in_range(p->ibb_block_max, p->ibb_block, XF_IBB_BLOCK_MAX);
        assert_in_range(p->ibb_window, 1, 64);
        assert_true(p->ibb_wrap == 0 || p->ibb_wrap == 65535 ||
                    p->ibb_wrap == 65536);
        assert_in_range(p->hosts_max, 1, 5);
        assert_non_null(p->dial);
        /* Somewhere to go on when a bytestream failed. */
        assert_true(p->ibb_same_sid || p->second_offer);
    }
    assert_int_equal(i, 12);
    assert_null(xf_profile_named("spark"));
    assert_null(xf_profile_named(""));
}

static void an_unknown_program_gets_what_is_safe_with_everybody(void **state)
{
    const struct xf_profile *p = xf_profile_at(0);

    (void)state;
    assert_string_equal(p->name, "unknown");
    assert_false(p->list_multi || p->two_values || p->ibb_messages);
    assert_true(p->ibb_stanza_attribute && p->ibb_same_sid && p->second_offer);
    assert_int_equal(p->ibb_block, 4096);
    assert_int_equal(p->ibb_window, 1);
    assert_int_equal(p->ibb_wrap, 65536);
}

static void spark_classic_is_the_founding_document(void **state)
{
    const struct xf_profile *p = row("spark-classic");

    (void)state;
    assert_true(p->list_multi && p->two_values && p->ibb_same_sid);
    assert_true(p->ibb_messages && !p->ibb_stanza_attribute);
    assert_false(p->second_offer);
    assert_int_equal(p->ibb_block, 4096);
}

static void smack_before_3_3_is_served_without_knowing_which_it_is(void **state)
{
    const struct xf_profile *p = row("smack-early");

    (void)state;
    assert_true(p->list_multi && p->two_values && p->ibb_same_sid);
    assert_true(p->ibb_messages && p->ibb_stanza_attribute);
}

static void smack_before_4_4_takes_two_values_and_falls_back_itself(
    void **state)
{
    const struct xf_profile *p = row("smack-3");

    (void)state;
    assert_true(p->two_values && !p->list_multi && !p->ibb_messages);
    /* ... but from 4.1 on nobody answers its <open/>. */
    assert_true(p->ibb_same_sid && p->second_offer);
}

static void smack_from_4_4_on_reads_one_value_and_needs_a_second_offer(
    void **state)
{
    const struct xf_profile *p = row("smack");

    (void)state;
    assert_false(p->two_values || p->list_multi || p->ibb_same_sid);
    assert_true(p->second_offer && p->older_differ);
}

/* It sends 65534 -> 0, and waits for 65535 all the same. */
static void no_smack_is_sent_two_blocks_at_once_or_the_wrap_it_sends(
    void **state)
{
    static const char *const smacks[] = { "spark-classic", "smack-early",
                                          "smack-3", "smack" };

    (void)state;
    for (size_t i = 0; i < COUNT(smacks); i++) {
        assert_int_equal(row(smacks[i])->ibb_window, 1);
        assert_int_equal(row(smacks[i])->ibb_wrap, 65536);
    }
}

static void libpurple_is_dialled_in_turn_and_told_few_streamhosts(void **state)
{
    const struct xf_profile *p = row("libpurple");

    (void)state;
    assert_ptr_equal(p->dial, &xf_dial_in_turn);
    assert_int_equal(p->hosts_max, 4);
    assert_true(p->ibb_same_sid && p->close_unanswered);
}

static void the_limits_of_blocks_are_those_the_programs_have(void **state)
{
    (void)state;
    assert_int_equal(row("qxmpp")->ibb_block_max, 4096);
    assert_int_equal(row("slixmpp")->ibb_block_max, 8192);
    assert_int_equal(row("slixmpp")->ibb_window, 1);
    assert_int_equal(row("gloox")->ibb_block_max, 65535);
    assert_int_equal(row("libervia")->ibb_wrap, 65535);
    assert_int_equal(row("qxmpp")->ibb_wrap, 0);
    assert_true(row("qxmpp")->checks_md5);
    assert_true(row("gloox")->s5b_silent);
    assert_true(row("iris")->range && row("libervia")->range);
    assert_int_equal(row("iris")->hosts_max, 5);
}

/* Two values break Smack from 4.4 on, and messages everybody else. */
static void only_old_smacks_get_two_values_and_messages(void **state)
{
    const struct xf_profile *p;

    (void)state;
    for (size_t i = 0; (p = xf_profile_at(i)) != NULL; i++) {
        bool early = strcmp(p->name, "spark-classic") == 0 ||
                     strcmp(p->name, "smack-early") == 0;
        bool old = early || strcmp(p->name, "smack-3") == 0;

        assert_int_equal(p->two_values, old);
        assert_int_equal(p->list_multi, early);
        assert_int_equal(p->ibb_messages, early);
    }
}

/* --- counting blocks --------------------------------------------------------- */

static void a_block_grows_until_the_file_needs_no_wrap(void **state)
{
    static const struct {
        const char *row;
        uint32_t block;
        uint64_t size;
        uint32_t want;
    } cases[] = {
        { "unknown", 4096, 0, 4096 },
        { "unknown", 4096, 65535ull * 4096 - 1, 4096 },
        { "unknown", 4096, 65535ull * 4096, 8192 },
        { "unknown", 4096, 1ull << 31, 65535 },
        { "unknown", 4096, 1ull << 40, 65535 },
        { "unknown", 1, 100000, 2 },
        { "slixmpp", 65535, 10, 8192 },
        { "slixmpp", 8192, 1ull << 40, 8192 },
        { "qxmpp", 4096, 65535ull * 4096 - 1, 4096 },
        { "qxmpp", 4096, 65535ull * 4096, 0 },
        { "qxmpp", 1024, 100ull << 20, 2048 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(
            xf_profile_block(row(cases[i].row), cases[i].block, cases[i].size),
            cases[i].want);
}

/* --- in words ---------------------------------------------------------------- */

static void the_facts_in_words_are_as_the_table_says(void **state)
{
    const struct xf_profile *p;
    char text[XF_PROFILE_FACT_MAX];
    struct table t;

    (void)state;
    table_begin(&t, "profile");
    for (size_t i = 0; (p = xf_profile_at(i)) != NULL; i++) {
        fprintf(t.out, "%s\n", p->name);
        for (size_t j = 0; xf_profile_fact(i, j, text); j++) {
            assert_in_range(strlen(text), 1, XF_PROFILE_FACT_MAX - 2);
            assert_null(strchr(text, '%'));
            fprintf(t.out, "  %s\n", text);
        }
    }
    table_check(&t);
}

static void the_first_row_has_no_fact_and_each_other_has_one(void **state)
{
    char text[XF_PROFILE_FACT_MAX];

    (void)state;
    assert_false(xf_profile_fact(0, 0, text));
    for (size_t i = 1; xf_profile_at(i); i++)
        assert_true(xf_profile_fact(i, 0, text));
    assert_false(xf_profile_fact(1000, 0, text));
    assert_false(xf_profile_fact(1, 1000, text));
}

int main(void)
{
#define CASE(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        CASE(every_row_is_found_by_its_name_and_is_whole),
        CASE(an_unknown_program_gets_what_is_safe_with_everybody),
        CASE(spark_classic_is_the_founding_document),
        CASE(smack_before_3_3_is_served_without_knowing_which_it_is),
        CASE(smack_before_4_4_takes_two_values_and_falls_back_itself),
        CASE(smack_from_4_4_on_reads_one_value_and_needs_a_second_offer),
        CASE(no_smack_is_sent_two_blocks_at_once_or_the_wrap_it_sends),
        CASE(libpurple_is_dialled_in_turn_and_told_few_streamhosts),
        CASE(the_limits_of_blocks_are_those_the_programs_have),
        CASE(only_old_smacks_get_two_values_and_messages),
        CASE(a_block_grows_until_the_file_needs_no_wrap),
        CASE(the_facts_in_words_are_as_the_table_says),
        CASE(the_first_row_has_no_fact_and_each_other_has_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
