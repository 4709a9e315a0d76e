/* Who is online, and which resource is chosen. */
#include "table.h"

#include <errno.h>

#include "base/jid.h"
#include "base/sys.h"
#include "proto/contacts.h"
#include "proto/profile.h"
#include "xferry/error.h"

#define ROMEO "romeo@example.org"
#define FILES (XF_FEATURE_SI | XF_FEATURE_SI_FILE)
#define OURS (FILES | XF_FEATURE_XFERRY)

/* We are juliet, and see romeo. */
static struct xf_contacts *table_of_juliet(void)
{
    struct xf_contacts *c = xf_contacts_new();

    assert_non_null(c);
    assert_int_equal(xf_contacts_own(c, "juliet@example.net/balcony"), 0);
    assert_int_equal(xf_contacts_subscription(c, ROMEO, true), 0);
    xf_contacts_roster_read(c);
    return c;
}

static void online(struct xf_contacts *c, const char *jid, int priority)
{
    assert_int_equal(xf_contacts_available(c, jid, priority), 0);
}

static void known(struct xf_contacts *c, const char *jid, int priority,
                  unsigned features)
{
    online(c, jid, priority);
    xf_contacts_answered(c, jid, features, NULL);
}

static void assert_chosen(const struct xf_contacts *c, const char *bare,
                          const char *jid)
{
    struct xf_choice choice;

    xf_contacts_choose(c, bare, &choice);
    assert_int_equal(choice.kind, XF_CHOICE_FOUND);
    assert_int_equal(choice.count, 1);
    assert_string_equal(choice.jids[0], jid);
}

static void assert_choice(const struct xf_contacts *c, const char *bare,
                          enum xf_choice_kind kind, size_t count)
{
    struct xf_choice choice;

    xf_contacts_choose(c, bare, &choice);
    assert_int_equal(choice.kind, kind);
    assert_int_equal(choice.count, count);
}

/* --- the choice ---------------------------------------------------------- */

static void the_highest_priority_that_takes_files_wins(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    known(c, ROMEO "/low", 1, FILES);
    known(c, ROMEO "/high", 10, FILES);
    known(c, ROMEO "/ours", 5, OURS);
    known(c, ROMEO "/top", 20, XF_FEATURE_IBB);
    assert_chosen(c, ROMEO, ROMEO "/high");
    online(c, ROMEO "/low", 11);
    assert_chosen(c, ROMEO, ROMEO "/low");
    xf_contacts_free(c);
}

static void a_program_of_ours_wins_a_tie(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    known(c, ROMEO "/ours", -1, OURS);
    known(c, ROMEO "/newer", -1, FILES);
    assert_chosen(c, ROMEO, ROMEO "/ours");
    xf_contacts_free(c);
}

static void the_newest_wins_what_is_left_of_a_tie(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    known(c, ROMEO "/a", 0, FILES);
    known(c, ROMEO "/b", 0, FILES);
    known(c, ROMEO "/c", 0, FILES);
    assert_chosen(c, ROMEO, ROMEO "/c");
    online(c, ROMEO "/a", 0); /* away and back: not newer */
    assert_chosen(c, ROMEO, ROMEO "/c");
    xf_contacts_gone(c, ROMEO "/a");
    known(c, ROMEO "/a", 0, FILES);
    assert_chosen(c, ROMEO, ROMEO "/a");
    xf_contacts_free(c);
}

static void those_that_might_win_are_asked_first(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    online(c, ROMEO "/a", 0);
    online(c, ROMEO "/b", 1);
    assert_choice(c, ROMEO, XF_CHOICE_ASK, 2);
    xf_contacts_asked(c, ROMEO "/a");
    assert_choice(c, ROMEO, XF_CHOICE_ASK, 1);
    xf_contacts_asked(c, ROMEO "/b");
    assert_choice(c, ROMEO, XF_CHOICE_WAIT, 0);
    xf_contacts_answered(c, ROMEO "/a", FILES, NULL);
    assert_choice(c, ROMEO, XF_CHOICE_WAIT, 0);
    xf_contacts_unanswered(c, ROMEO "/b");
    assert_chosen(c, ROMEO, ROMEO "/a");
    xf_contacts_free(c);
}

static void one_that_cannot_win_is_not_waited_for(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    known(c, ROMEO "/best", 1, FILES);
    online(c, ROMEO "/silent", 0);
    assert_chosen(c, ROMEO, ROMEO "/best");
    online(c, ROMEO "/equal", 1);
    assert_choice(c, ROMEO, XF_CHOICE_ASK, 1);
    xf_contacts_free(c);
}

static void nobody_online_and_nobody_able_are_told_apart(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    assert_choice(c, ROMEO, XF_CHOICE_OFFLINE, 0);
    known(c, ROMEO "/a", 0, XF_FEATURE_IBB);
    assert_choice(c, ROMEO, XF_CHOICE_UNABLE, 0);
    online(c, ROMEO "/b", 0);
    xf_contacts_unanswered(c, ROMEO "/b");
    assert_choice(c, ROMEO, XF_CHOICE_UNABLE, 0);
    xf_contacts_free(c);
}

static void others_with_a_like_name_are_others(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    assert_int_equal(xf_contacts_subscription(c, "romeo@example.or", true), 0);
    known(c, "romeo@example.or/a", 0, FILES);
    assert_choice(c, ROMEO, XF_CHOICE_OFFLINE, 0);
    assert_choice(c, "romeo@example.o", XF_CHOICE_NOT_SUBSCRIBED, 0);
    xf_contacts_free(c);
}

/* --- ourselves ----------------------------------------------------------- */

/* The server sends us our own presence back. */
static void we_are_not_our_own_contact_but_our_other_programs_are(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    online(c, "juliet@example.net/balcony", 100);
    assert_choice(c, "juliet@example.net", XF_CHOICE_OFFLINE, 0);
    known(c, "juliet@example.net/laptop", 0, OURS);
    assert_chosen(c, "juliet@example.net", "juliet@example.net/laptop");
    xf_contacts_free(c);
}

/* --- strangers ----------------------------------------------------------- */

static void a_stranger_is_not_kept_and_called_so(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    assert_int_equal(xf_contacts_available(c, "paris@example.com/x", 5), 0);
    assert_false(xf_contacts_online(c, "paris@example.com/x"));
    assert_choice(c, "paris@example.com", XF_CHOICE_NOT_SUBSCRIBED, 0);
    xf_contacts_free(c);
}

static void before_the_roster_nobody_is_a_stranger(void **state)
{
    struct xf_contacts *c = xf_contacts_new();

    (void)state;
    assert_int_equal(xf_contacts_own(c, "juliet@example.net/balcony"), 0);
    assert_choice(c, ROMEO, XF_CHOICE_OFFLINE, 0);
    known(c, ROMEO "/a", 0, FILES);
    known(c, "paris@example.com/x", 0, FILES);
    assert_chosen(c, ROMEO, ROMEO "/a");
    assert_int_equal(xf_contacts_subscription(c, ROMEO, true), 0);
    xf_contacts_roster_read(c);
    assert_chosen(c, ROMEO, ROMEO "/a");
    assert_choice(c, "paris@example.com", XF_CHOICE_NOT_SUBSCRIBED, 0);
    xf_contacts_free(c);
}

static void a_lost_subscription_makes_a_stranger(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    known(c, ROMEO "/a", 0, FILES);
    assert_int_equal(xf_contacts_subscription(c, ROMEO, false), 0);
    assert_false(xf_contacts_online(c, ROMEO "/a"));
    assert_choice(c, ROMEO, XF_CHOICE_NOT_SUBSCRIBED, 0);
    assert_int_equal(xf_contacts_subscription(c, ROMEO, false), 0);
    assert_int_equal(xf_contacts_subscription(c, ROMEO, true), 0);
    assert_choice(c, ROMEO, XF_CHOICE_OFFLINE, 0);
    xf_contacts_free(c);
}

/* --- the table ----------------------------------------------------------- */

static void a_bare_jid_that_is_gone_takes_all_its_resources(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    online(c, ROMEO "/a", 0);
    online(c, ROMEO "/b", 0);
    online(c, "juliet@example.net/laptop", 0);
    xf_contacts_gone(c, ROMEO "/none");
    assert_true(xf_contacts_online(c, ROMEO "/a"));
    xf_contacts_gone(c, ROMEO);
    assert_false(xf_contacts_online(c, ROMEO "/a"));
    assert_false(xf_contacts_online(c, ROMEO "/b"));
    assert_true(xf_contacts_online(c, "juliet@example.net/laptop"));
    xf_contacts_free(c);
}

static void presence_of_a_bare_jid_is_not_a_resource(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    assert_int_equal(xf_contacts_available(c, ROMEO, 0), 0);
    assert_choice(c, ROMEO, XF_CHOICE_OFFLINE, 0);
    xf_contacts_free(c);
}

static void one_contact_has_64_resources_at_most(void **state)
{
    struct xf_contacts *c = table_of_juliet();
    char jid[64];

    (void)state;
    for (int i = 0; i < XF_RESOURCES_PER_CONTACT; i++) {
        snprintf(jid, sizeof jid, ROMEO "/%d", i);
        online(c, jid, 0);
    }
    assert_int_equal(xf_contacts_available(c, ROMEO "/more", 0), XF_E_BUSY);
    assert_int_equal(xf_contacts_available(c, ROMEO "/7", 9), 0);
    assert_choice(c, ROMEO, XF_CHOICE_ASK, XF_RESOURCES_PER_CONTACT);
    online(c, "juliet@example.net/laptop", 0);
    xf_contacts_gone(c, ROMEO "/0");
    assert_int_equal(xf_contacts_available(c, ROMEO "/more", 0), 0);
    xf_contacts_free(c);
}

static void all_contacts_have_1024_resources_at_most(void **state)
{
    struct xf_contacts *c = table_of_juliet();
    char jid[64];

    (void)state;
    for (int i = 0; i < XF_RESOURCES_MAX; i++) {
        snprintf(jid, sizeof jid, "c%d@example.org", i);
        assert_int_equal(xf_contacts_subscription(c, jid, true), 0);
        snprintf(jid, sizeof jid, "c%d@example.org/x", i);
        online(c, jid, 0);
    }
    assert_int_equal(xf_contacts_available(c, ROMEO "/a", 0), XF_E_BUSY);
    for (int i = 0; i < XF_RESOURCES_MAX; i++) {
        snprintf(jid, sizeof jid, "c%d@example.org/x", i);
        assert_true(xf_contacts_online(c, jid));
        xf_contacts_gone(c, jid);
    }
    assert_int_equal(xf_contacts_available(c, ROMEO "/a", 0), 0);
    xf_contacts_free(c);
}

static void a_roster_has_10000_entries_at_most(void **state)
{
    struct xf_contacts *c = xf_contacts_new();
    char jid[64];

    (void)state;
    assert_int_equal(xf_contacts_own(c, "juliet@example.net/balcony"), 0);
    for (int i = 0; i < XF_SUBSCRIPTIONS_MAX; i++) {
        snprintf(jid, sizeof jid, "c%d@example.org", i);
        assert_int_equal(xf_contacts_subscription(c, jid, true), 0);
        assert_int_equal(xf_contacts_subscription(c, jid, true), 0);
    }
    assert_int_equal(xf_contacts_subscription(c, ROMEO, true), XF_E_BUSY);
    assert_int_equal(xf_contacts_subscription(c, "c0@example.org", false), 0);
    assert_int_equal(xf_contacts_subscription(c, ROMEO, true), 0);
    xf_contacts_roster_read(c);
    assert_choice(c, "c9999@example.org", XF_CHOICE_OFFLINE, 0);
    assert_choice(c, "c0@example.org", XF_CHOICE_NOT_SUBSCRIBED, 0);
    xf_contacts_free(c);
}

static void a_new_stream_begins_with_nobody(void **state)
{
    struct xf_contacts *c = table_of_juliet();

    (void)state;
    known(c, ROMEO "/a", 0, FILES);
    assert_int_equal(xf_contacts_own(c, "juliet@example.net/tower"), 0);
    assert_false(xf_contacts_online(c, ROMEO "/a"));
    assert_choice(c, ROMEO, XF_CHOICE_OFFLINE, 0);
    assert_int_equal(xf_contacts_own(c, "juliet@example.net"), XF_E_USAGE);
    xf_contacts_free(c);
    xf_contacts_free(NULL);
}

static void what_a_resource_said_is_remembered(void **state)
{
    struct xf_contacts *c = table_of_juliet();
    char name[XF_CLIENT_NAME_MAX + 2];
    const char *client = "x";

    (void)state;
    assert_int_equal(xf_contacts_features(c, ROMEO "/a", &client), 0);
    assert_null(client);
    online(c, ROMEO "/a", 0);
    assert_int_equal(xf_contacts_features(c, ROMEO "/a", &client), 0);
    xf_contacts_answered(c, ROMEO "/a", FILES, "Pidgin");
    assert_int_equal(xf_contacts_features(c, ROMEO "/a", &client),
                     FILES | XF_FEATURE_KNOWN);
    assert_string_equal(client, "Pidgin");
    /* A question that is late to fail does not undo the answer. */
    xf_contacts_unanswered(c, ROMEO "/a");
    xf_contacts_asked(c, ROMEO "/a");
    assert_chosen(c, ROMEO, ROMEO "/a");
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    xf_contacts_answered(c, ROMEO "/a", FILES, name);
    xf_contacts_features(c, ROMEO "/a", &client);
    assert_null(client);
    xf_contacts_answered(c, ROMEO "/gone", FILES, "Pidgin");
    assert_false(xf_contacts_online(c, ROMEO "/gone"));
    xf_contacts_free(c);
}

static int fail_at(enum xf_sys_call call, void *ctx)
{
    int *left = ctx;

    return call == XF_SYS_ALLOC && (*left)-- == 0 ? ENOMEM : 0;
}

static void no_memory_is_told_and_nothing_leaks(void **state)
{
    bool all_well = false;

    (void)state;
    for (int n = 0; n < 20 && !all_well; n++) {
        struct xf_contacts *c;
        int left = n, err = 0;

        xf_sys_set_gate(fail_at, &left);
        c = xf_contacts_new();
        if (c) {
            err = xf_contacts_subscription(c, ROMEO, true);
            if (err == 0)
                err = xf_contacts_available(c, ROMEO "/a", 0);
            xf_contacts_answered(c, ROMEO "/a", FILES, "Pidgin");
            assert_true(err == 0 || err == XF_E_LIMIT);
        }
        xf_sys_set_gate(NULL, NULL);
        all_well = left >= 0;
        xf_contacts_free(c);
    }
    assert_true(all_well);
}

/* --- the list ------------------------------------------------------------ */

static void all_that_are_online_are_listed_the_chosen_one_first(void **state)
{
    struct xf_contacts *c = table_of_juliet();
    struct xf_resource list[XF_RESOURCES_PER_CONTACT];

    (void)state;
    assert_int_equal(xf_contacts_list(c, ROMEO, list), 0);
    known(c, ROMEO "/chat", 5, XF_FEATURE_SI);
    known(c, ROMEO "/old", 1, FILES);
    known(c, ROMEO "/best", 1, OURS);
    online(c, ROMEO "/new", 9);
    online(c, ROMEO "/mute", 2);
    xf_contacts_asked(c, ROMEO "/mute");
    xf_contacts_unanswered(c, ROMEO "/mute");
    online(c, "juliet@example.net/garden", 0);
    assert_int_equal(xf_contacts_list(c, ROMEO, list), 5);
    assert_string_equal(list[0].jid, ROMEO "/best");
    assert_string_equal(list[1].jid, ROMEO "/old");
    assert_string_equal(list[2].jid, ROMEO "/new");
    assert_false(list[2].asked);
    assert_false(list[2].settled);
    assert_int_equal(list[2].priority, 9);
    assert_string_equal(list[3].jid, ROMEO "/chat");
    assert_true(list[3].settled);
    assert_int_equal(list[3].features & ~XF_FEATURE_KNOWN, XF_FEATURE_SI);
    assert_true(list[4].asked && list[4].settled);
    assert_int_equal(list[4].features, 0);
    /* We are not among our own. */
    online(c, "juliet@example.net/balcony", 0);
    assert_int_equal(xf_contacts_list(c, "juliet@example.net", list), 1);
    xf_contacts_free(c);
}

static void a_caps_node_is_kept_while_its_resource_is_online(void **state)
{
    struct xf_contacts *c = table_of_juliet();
    char longest[XF_CLIENT_NAME_MAX + 2];

    (void)state;
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    xf_contacts_caps(c, ROMEO "/a", "http://pidgin.im/"); /* not online yet */
    assert_null(xf_contacts_caps_node(c, ROMEO "/a"));
    online(c, ROMEO "/a", 0);
    assert_null(xf_contacts_caps_node(c, ROMEO "/a"));
    for (int i = 0; i < 2; i++) {
        xf_contacts_caps(c, ROMEO "/a", "http://pidgin.im/");
        assert_string_equal(xf_contacts_caps_node(c, ROMEO "/a"),
                            "http://pidgin.im/");
    }
    xf_contacts_caps(c, ROMEO "/a", longest);
    assert_null(xf_contacts_caps_node(c, ROMEO "/a"));
    xf_contacts_caps(c, ROMEO "/a", longest + 1);
    assert_string_equal(xf_contacts_caps_node(c, ROMEO "/a"), longest + 1);
    xf_contacts_caps(c, ROMEO "/a", NULL);
    assert_null(xf_contacts_caps_node(c, ROMEO "/a"));
    xf_contacts_caps(c, ROMEO "/a", "x");
    xf_contacts_gone(c, ROMEO "/a");
    online(c, ROMEO "/a", 0);
    assert_null(xf_contacts_caps_node(c, ROMEO "/a"));
    xf_contacts_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_highest_priority_that_takes_files_wins),
        cmocka_unit_test(a_program_of_ours_wins_a_tie),
        cmocka_unit_test(the_newest_wins_what_is_left_of_a_tie),
        cmocka_unit_test(those_that_might_win_are_asked_first),
        cmocka_unit_test(one_that_cannot_win_is_not_waited_for),
        cmocka_unit_test(nobody_online_and_nobody_able_are_told_apart),
        cmocka_unit_test(others_with_a_like_name_are_others),
        cmocka_unit_test(we_are_not_our_own_contact_but_our_other_programs_are),
        cmocka_unit_test(a_stranger_is_not_kept_and_called_so),
        cmocka_unit_test(before_the_roster_nobody_is_a_stranger),
        cmocka_unit_test(a_lost_subscription_makes_a_stranger),
        cmocka_unit_test(a_bare_jid_that_is_gone_takes_all_its_resources),
        cmocka_unit_test(presence_of_a_bare_jid_is_not_a_resource),
        cmocka_unit_test(one_contact_has_64_resources_at_most),
        cmocka_unit_test(all_contacts_have_1024_resources_at_most),
        cmocka_unit_test(a_roster_has_10000_entries_at_most),
        cmocka_unit_test(a_new_stream_begins_with_nobody),
        cmocka_unit_test(what_a_resource_said_is_remembered),
        cmocka_unit_test(no_memory_is_told_and_nothing_leaks),
        cmocka_unit_test(all_that_are_online_are_listed_the_chosen_one_first),
        cmocka_unit_test(a_caps_node_is_kept_while_its_resource_is_online),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
