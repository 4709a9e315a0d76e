/* Who may use a proxy, and how much of it. */
#include "proto/proxy_access.h"

#include <xferry/error.h>

#include "base/sys.h"
#include "table.h"

static const uint64_t secret[2] = { 3, 4 };

/* --- who ------------------------------------------------------------------ */

static void rule(struct xf_access *a, const char *jid, bool refuse,
                 uint32_t pairs)
{
    struct xf_quota quota = { .jid_pairs = pairs };

    assert_int_equal(xf_access_add(a, jid, refuse, &quota), 0);
}

/* The number of its rule, 0: may not. */
static unsigned look(const struct xf_access *a, const char *jid)
{
    const struct xf_quota *quota = xf_access_look(a, jid);

    return quota ? quota->jid_pairs : 0;
}

static void nobody_may_without_rules(void **state)
{
    struct xf_access a;

    (void)state;
    xf_access_init(&a, secret);
    assert_null(xf_access_look(&a, "romeo@example.net/orchard"));
    assert_null(xf_access_look(&a, "example.net"));
    xf_access_clear(&a);
}

static void rules_are_as_in_the_table(void **state)
{
    static const char *const jids[] = {
        "romeo@example.net/orchard",   "romeo@example.net/street",
        "romeo@example.net",           "juliet@example.net/balcony",
        "tybalt@example.net/street",   "example.net",
        "example.net/service",         "romeo@sub.example.net/orchard",
        "romeo@example.ne/orchard",    "romeo@xexample.net/orchard",
        "nurse@capulet.example/house", "nurse@capulet.example/street",
        "nurse@capulet.example",       "peter@capulet.example/house",
        "bot.montague.example/queue",  "bot.montague.example/other",
        "bot.montague.example",        "user@bot.montague.example/queue",
    };
    struct xf_access a;
    struct table t;

    (void)state;
    xf_access_init(&a, secret);
    rule(&a, "Example.NET", false, 1);
    rule(&a, "Romeo@example.net", false, 2);
    rule(&a, "romeo@example.net/orchard", false, 3);
    rule(&a, "tybalt@example.net", true, 4);
    rule(&a, "nurse@capulet.example/house", false, 5);
    rule(&a, "bot.montague.example/queue", false, 6);
    table_begin(&t, "proxy_access");
    for (size_t i = 0; i < COUNT(jids); i++)
        fprintf(t.out, "%-32s -> %s %u\n", jids[i],
                look(&a, jids[i]) ? "rule" : "refused", look(&a, jids[i]));
    table_check(&t);
    xf_access_clear(&a);
}

static void the_later_of_two_rules_holds(void **state)
{
    struct xf_access a;

    (void)state;
    xf_access_init(&a, secret);
    rule(&a, "example.net", false, 1);
    rule(&a, "EXAMPLE.net", true, 2);
    assert_int_equal(look(&a, "romeo@example.net/x"), 0);
    rule(&a, "example.net", false, 3);
    assert_int_equal(look(&a, "romeo@example.net/x"), 3);
    xf_access_clear(&a);
}

static void what_is_no_jid_is_no_rule(void **state)
{
    static const char *const bad[] = {
        "", "@example.net", "a@", "a@b@c", "/r", "a b", "example.net/"
    };
    struct xf_quota quota = { 0 };
    struct xf_access a;

    (void)state;
    xf_access_init(&a, secret);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(xf_access_add(&a, bad[i], false, &quota), XF_E_USAGE);
    assert_int_equal(a.rules.count, 0);
    xf_access_clear(&a);
}

/* --- how much -------------------------------------------------------------- */

#define ROMEO "romeo@example.net/orchard"
#define ROMEO2 "romeo@example.net/street"
#define JULIET "juliet@example.net/balcony"
#define NURSE "nurse@capulet.example/house"

static void pairs_at_once_are_counted_by_jid_and_by_domain(void **state)
{
    const struct xf_quota quota = { .jid_pairs = 2, .domain_pairs = 3 };
    struct xf_user *r1, *r2, *j, *other;
    struct xf_usage u;

    (void)state;
    xf_usage_init(&u, secret);
    assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 1, &r1), XF_USAGE_FINE);
    assert_int_equal(xf_usage_enter(&u, ROMEO2, &quota, 1, &r2), XF_USAGE_FINE);
    assert_ptr_equal(r1, r2);
    assert_int_equal(xf_usage_look(&u, ROMEO, &quota, 1), XF_USAGE_PAIRS);
    assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 1, &other),
                     XF_USAGE_PAIRS);
    assert_int_equal(xf_usage_enter(&u, JULIET, &quota, 1, &j), XF_USAGE_FINE);
    assert_int_not_equal(j->group, r1->group);
    xf_usage_leave(&u, r1);
    /* Juliet has one only, but the domain had three. */
    assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 1, &r1), XF_USAGE_FINE);
    assert_int_equal(xf_usage_look(&u, JULIET, &quota, 1), XF_USAGE_PAIRS);
    assert_int_equal(xf_usage_look(&u, NURSE, &quota, 1), XF_USAGE_FINE);
    xf_usage_leave(&u, r1);
    xf_usage_leave(&u, r2);
    xf_usage_leave(&u, j);
    assert_int_equal(u.users.count, 0);
    xf_usage_clear(&u);
}

static void bytes_of_a_day_are_used_up_until_the_next(void **state)
{
    const struct xf_quota quota = { .jid_bytes = 100, .domain_bytes = 150 };
    struct xf_user *r, *j;
    struct xf_usage u;

    (void)state;
    xf_usage_init(&u, secret);
    assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 7, &r), XF_USAGE_FINE);
    assert_false(xf_usage_moved(&u, r, 99, &quota, 7));
    assert_int_equal(xf_usage_look(&u, ROMEO2, &quota, 7), XF_USAGE_FINE);
    assert_true(xf_usage_moved(&u, r, 1, &quota, 7));
    assert_int_equal(xf_usage_look(&u, ROMEO2, &quota, 7), XF_USAGE_BYTES);
    xf_usage_leave(&u, r);
    /* Leaving does not bring it back. */
    assert_int_equal(xf_usage_look(&u, ROMEO, &quota, 7), XF_USAGE_BYTES);
    assert_int_equal(xf_usage_enter(&u, JULIET, &quota, 7, &j), XF_USAGE_FINE);
    assert_true(xf_usage_moved(&u, j, 50, &quota, 7));
    assert_int_equal(xf_usage_look(&u, JULIET, &quota, 7), XF_USAGE_BYTES);
    /* Midnight, while a pair flows. */
    assert_int_equal(xf_usage_look(&u, JULIET, &quota, 8), XF_USAGE_FINE);
    assert_int_equal(u.users.count, 2); /* Romeo is forgotten */
    assert_false(xf_usage_moved(&u, j, 99, &quota, 8));
    assert_true(xf_usage_moved(&u, j, 1, &quota, 8));
    xf_usage_leave(&u, j);
    xf_usage_clear(&u);
}

static void no_limit_is_no_limit(void **state)
{
    const struct xf_quota quota = { 0 };
    struct xf_user *r;
    struct xf_usage u;

    (void)state;
    xf_usage_init(&u, secret);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 1, &r),
                         XF_USAGE_FINE);
    assert_false(xf_usage_moved(&u, r, UINT64_MAX / 2, &quota, 1));
    for (int i = 0; i < 1000; i++)
        xf_usage_leave(&u, r);
    xf_usage_clear(&u);
}

static void a_domain_s_own_jid_is_not_its_domain(void **state)
{
    const struct xf_quota quota = { .jid_pairs = 1, .domain_pairs = 2 };
    struct xf_user *s, *r;
    struct xf_usage u;

    (void)state;
    xf_usage_init(&u, secret);
    assert_int_equal(xf_usage_enter(&u, "example.net/service", &quota, 1, &s),
                     XF_USAGE_FINE);
    assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 1, &r), XF_USAGE_FINE);
    assert_ptr_equal(s->domain, r->domain);
    assert_ptr_not_equal(s, r->domain);
    assert_int_equal(r->domain->pairs, 2);
    xf_usage_leave(&u, s);
    xf_usage_leave(&u, r);
    assert_int_equal(u.users.count, 0);
    xf_usage_clear(&u);
}

static void more_users_than_can_be_counted_wait(void **state)
{
    const struct xf_quota quota = { .jid_pairs = 1 };
    struct xf_user **all = calloc(XF_USERS_MAX, sizeof(*all));
    struct xf_user *one;
    struct xf_usage u;
    char jid[64];
    int count = XF_USERS_MAX - 1; /* and their domain */

    (void)state;
    assert_non_null(all);
    xf_usage_init(&u, secret);
    for (int i = 0; i < count; i++) {
        snprintf(jid, sizeof jid, "user%d@example.net/x", i);
        assert_int_equal(xf_usage_enter(&u, jid, &quota, 1, &all[i]),
                         XF_USAGE_FINE);
    }
    assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 1, &one), XF_USAGE_FULL);
    xf_usage_leave(&u, all[7]);
    assert_int_equal(xf_usage_enter(&u, ROMEO, &quota, 1, &all[7]),
                     XF_USAGE_FINE);
    for (int i = 0; i < count; i++)
        xf_usage_leave(&u, all[i]);
    assert_int_equal(u.users.count, 0);
    xf_usage_clear(&u);
    free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_may_without_rules),
        cmocka_unit_test(rules_are_as_in_the_table),
        cmocka_unit_test(the_later_of_two_rules_holds),
        cmocka_unit_test(what_is_no_jid_is_no_rule),
        cmocka_unit_test(pairs_at_once_are_counted_by_jid_and_by_domain),
        cmocka_unit_test(bytes_of_a_day_are_used_up_until_the_next),
        cmocka_unit_test(no_limit_is_no_limit),
        cmocka_unit_test(a_domain_s_own_jid_is_not_its_domain),
        cmocka_unit_test(more_users_than_can_be_counted_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
