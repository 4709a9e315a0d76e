/* Requests and whose replies count; conditions and answers. */
#include "table.h"

#include <errno.h>

#include "base/sys.h"
#include "proto/iq.h"
#include "xferry/error.h"

#define OWN "juliet@example.net/balcony"
#define PEER "romeo@example.org/garden"

static int things[8];

static struct xf_iq_table *with(const char *id, const char *to)
{
    struct xf_iq_table *t = xf_iq_table_new();

    assert_non_null(t);
    assert_int_equal(xf_iq_add(t, id, to, 1000, &things[0]), 0);
    return t;
}

/* --- whose reply --------------------------------------------------------- */

static void a_reply_counts_from_the_one_asked_and_once(void **state)
{
    struct xf_iq_table *t = with("a1", PEER);

    (void)state;
    assert_ptr_equal(xf_iq_match(t, "a1", PEER, OWN), &things[0]);
    assert_null(xf_iq_match(t, "a1", PEER, OWN));
    assert_int_equal(xf_iq_deadline(t), INT64_MAX);
    xf_iq_table_free(t);
}

/* The lesson of CVE-2013-6483: nobody else may answer. */
static void a_reply_from_anybody_else_changes_nothing(void **state)
{
    static const char *const spoofers[] = {
        NULL,
        "",
        "romeo@example.org",
        "romeo@example.org/",
        "romeo@example.org/Garden",
        "romeo@example.org/garden2",
        "romeo@example.org/other",
        "romeo@example.net/garden",
        "mercutio@example.org/garden",
        "example.org",
        "example.net",
        "juliet@example.net",
        OWN,
        "@",
        "romeo@example.org/garden\xff",
    };
    struct xf_iq_table *t = with("a1", PEER);

    (void)state;
    for (size_t i = 0; i < COUNT(spoofers); i++) {
        assert_null(xf_iq_match(t, "a1", spoofers[i], OWN));
        assert_int_equal(xf_iq_deadline(t), 1000);
    }
    assert_ptr_equal(xf_iq_match(t, "a1", PEER, OWN), &things[0]);
    xf_iq_table_free(t);
}

static void a_reply_to_an_id_never_sent_changes_nothing(void **state)
{
    static const char *const ids[] = { "", "a", "a11", "A1", "a1 ", "b1" };
    struct xf_iq_table *t = with("a1", PEER);

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++)
        assert_null(xf_iq_match(t, ids[i], PEER, OWN));
    assert_ptr_equal(xf_iq_match(t, "a1", PEER, OWN), &things[0]);
    xf_iq_table_free(t);
}

static void a_sender_is_compared_in_normal_form(void **state)
{
    struct xf_iq_table *t = with("a1", PEER);

    (void)state;
    assert_ptr_equal(xf_iq_match(t, "a1", "Romeo@EXAMPLE.org/garden", OWN),
                     &things[0]);
    xf_iq_table_free(t);
}

static void our_server_answers_under_its_names_and_ours(void **state)
{
    static const char *const right[] = { NULL, "example.net",
                                         "juliet@example.net", OWN,
                                         "EXAMPLE.net" };
    static const char *const wrong[] = { "",
                                         PEER,
                                         "example.org",
                                         "proxy.example.net",
                                         "romeo@example.net",
                                         "juliet@example.net/other",
                                         "example.net/balcony" };

    (void)state;
    for (size_t i = 0; i < COUNT(right); i++) {
        struct xf_iq_table *t = with("a1", NULL);

        for (size_t j = 0; j < COUNT(wrong); j++)
            assert_null(xf_iq_match(t, "a1", wrong[j], OWN));
        assert_ptr_equal(xf_iq_match(t, "a1", right[i], OWN), &things[0]);
        xf_iq_table_free(t);
    }
}

static void nobody_is_our_server_or_our_account(void **state)
{
    static const char *const right[] = { "example.net", "juliet@example.net" };
    static const char *const wrong[] = { OWN, "proxy.example.net",
                                         "juliet@example.net/other", PEER };

    (void)state;
    for (size_t i = 0; i < COUNT(right); i++) {
        struct xf_iq_table *t = with("a1", right[i]);

        assert_ptr_equal(xf_iq_match(t, "a1", NULL, OWN), &things[0]);
        xf_iq_table_free(t);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct xf_iq_table *t = with("a1", wrong[i]);

        assert_null(xf_iq_match(t, "a1", NULL, OWN));
        xf_iq_table_free(t);
    }
}

static void one_id_may_be_under_way_to_two(void **state)
{
    struct xf_iq_table *t = with("a1", PEER);

    (void)state;
    assert_int_equal(xf_iq_add(t, "a1", NULL, 1000, &things[1]), 0);
    assert_int_equal(xf_iq_add(t, "a1", PEER, 1000, &things[2]), XF_E_BUSY);
    assert_int_equal(xf_iq_add(t, "a1", NULL, 1000, &things[2]), XF_E_BUSY);
    assert_ptr_equal(xf_iq_match(t, "a1", PEER, OWN), &things[0]);
    assert_ptr_equal(xf_iq_match(t, "a1", NULL, OWN), &things[1]);
    xf_iq_table_free(t);
}

/* --- many, and time ------------------------------------------------------ */

static void ids_of(unsigned n, char out[32])
{
    snprintf(out, 32, "id%u", n);
}

static void the_table_has_a_ceiling_and_every_entry_is_found(void **state)
{
    struct xf_iq_table *t = xf_iq_table_new();
    char id[32];

    (void)state;
    for (unsigned i = 0; i < XF_IQ_MAX; i++) {
        ids_of(i, id);
        assert_int_equal(xf_iq_add(t, id, PEER, i, &things[i % 8]), 0);
    }
    assert_int_equal(xf_iq_add(t, "more", PEER, 0, &things[0]), XF_E_BUSY);
    for (unsigned i = XF_IQ_MAX; i-- > 0;) {
        ids_of(i, id);
        assert_ptr_equal(xf_iq_match(t, id, PEER, OWN), &things[i % 8]);
        assert_int_equal(xf_iq_deadline(t), i > 0 ? 0 : INT64_MAX);
    }
    assert_int_equal(xf_iq_add(t, "more", PEER, 0, &things[0]), 0);
    xf_iq_table_free(t);
}

static void deadlines_pass_in_their_order(void **state)
{
    struct xf_iq_table *t = xf_iq_table_new();

    (void)state;
    assert_int_equal(xf_iq_deadline(t), INT64_MAX);
    assert_null(xf_iq_expired(t, INT64_MAX));
    assert_int_equal(xf_iq_add(t, "a", PEER, 300, &things[0]), 0);
    assert_int_equal(xf_iq_add(t, "b", PEER, 100, &things[1]), 0);
    assert_int_equal(xf_iq_add(t, "c", PEER, 200, &things[2]), 0);
    assert_int_equal(xf_iq_deadline(t), 100);
    assert_null(xf_iq_expired(t, 99));
    assert_ptr_equal(xf_iq_expired(t, 250), &things[1]);
    assert_ptr_equal(xf_iq_expired(t, 250), &things[2]);
    assert_null(xf_iq_expired(t, 250));
    assert_int_equal(xf_iq_deadline(t), 300);
    assert_null(xf_iq_match(t, "b", PEER, OWN));
    xf_iq_table_free(t);
}

static void dropped_requests_have_late_replies_of_strangers(void **state)
{
    struct xf_iq_table *t = xf_iq_table_new();

    (void)state;
    assert_int_equal(xf_iq_add(t, "a", PEER, 1, &things[0]), 0);
    assert_int_equal(xf_iq_add(t, "b", PEER, 2, &things[1]), 0);
    assert_int_equal(xf_iq_add(t, "c", PEER, 3, &things[0]), 0);
    xf_iq_drop(t, &things[0]);
    assert_null(xf_iq_match(t, "a", PEER, OWN));
    assert_null(xf_iq_match(t, "c", PEER, OWN));
    assert_int_equal(xf_iq_deadline(t), 2);
    assert_ptr_equal(xf_iq_match(t, "b", PEER, OWN), &things[1]);
    xf_iq_table_free(t);
}

static void a_lost_stream_gives_all_of_them_back(void **state)
{
    struct xf_iq_table *t = xf_iq_table_new();
    unsigned count = 0;
    char id[32];

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        ids_of(i, id);
        assert_int_equal(xf_iq_add(t, id, NULL, 5, &things[0]), 0);
    }
    while (xf_iq_any(t))
        count++;
    assert_int_equal(count, 10);
    assert_int_equal(xf_iq_deadline(t), INT64_MAX);
    xf_iq_table_free(t);
    xf_iq_table_free(NULL);
}

/* The connection was away: nobody is slower for that. */
static void deadlines_move_by_an_outage(void **state)
{
    struct xf_iq_table *t = xf_iq_table_new();

    (void)state;
    assert_int_equal(xf_iq_add(t, "a", PEER, 100, &things[0]), 0);
    assert_int_equal(xf_iq_add(t, "b", PEER, INT64_MAX, &things[1]), 0);
    xf_iq_shift(t, 50);
    assert_int_equal(xf_iq_deadline(t), 150);
    assert_null(xf_iq_expired(t, 149));
    assert_ptr_equal(xf_iq_expired(t, 150), &things[0]);
    assert_int_equal(xf_iq_deadline(t), INT64_MAX); /* it has none */
    xf_iq_table_free(t);
}

static int no_memory(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    return call == XF_SYS_ALLOC ? ENOMEM : 0;
}

static void no_memory_is_told(void **state)
{
    struct xf_iq_table *t = xf_iq_table_new();

    (void)state;
    xf_sys_set_gate(no_memory, NULL);
    assert_int_equal(xf_iq_add(t, "a", PEER, 1, &things[0]), XF_E_LIMIT);
    assert_null(xf_iq_table_new());
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(xf_iq_deadline(t), INT64_MAX);
    xf_iq_table_free(t);
}

/* --- names --------------------------------------------------------------- */

static void conditions_are_known_by_their_names(void **state)
{
    (void)state;
    for (unsigned c = XF_COND_BAD_REQUEST; c < XF_COND_OTHER; c++) {
        const char *name = xf_condition_name((enum xf_condition)c);

        assert_int_equal(xf_condition_of(name), c);
    }
    assert_string_equal(xf_condition_name(XF_COND_ITEM_NOT_FOUND),
                        "item-not-found");
}

/* What is ours alone must not be said to us by a peer. */
static void a_peer_cannot_say_none_or_timeout(void **state)
{
    (void)state;
    assert_int_equal(xf_condition_of(""), XF_COND_OTHER);
    assert_int_equal(xf_condition_of("timeout"), XF_COND_OTHER);
    assert_int_equal(xf_condition_of("undefined-condition"), XF_COND_OTHER);
    assert_int_equal(xf_condition_of("redirect"), XF_COND_OTHER);
}

static void every_error_answer_has_type_and_condition(void **state)
{
    static const struct {
        enum xf_answer answer;
        const char *type, *condition, *child;
    } rows[] = {
        { XF_ANSWER_NO_VALID_STREAMS, "cancel", "bad-request",
          "no-valid-streams" },
        { XF_ANSWER_BAD_PROFILE, "cancel", "bad-request", "bad-profile" },
        { XF_ANSWER_BAD_REQUEST, "cancel", "bad-request", NULL },
        { XF_ANSWER_BAD_REQUEST_MODIFY, "modify", "bad-request", NULL },
        { XF_ANSWER_DECLINED, "cancel", "forbidden", NULL },
        { XF_ANSWER_TOO_BIG, "modify", "resource-constraint", NULL },
        { XF_ANSWER_BUSY, "wait", "resource-constraint", NULL },
        { XF_ANSWER_NOT_ACCEPTABLE, "cancel", "not-acceptable", NULL },
        { XF_ANSWER_NOT_ACCEPTABLE_MODIFY, "modify", "not-acceptable", NULL },
        { XF_ANSWER_NOT_FOUND, "cancel", "item-not-found", NULL },
        { XF_ANSWER_UNEXPECTED, "cancel", "unexpected-request", NULL },
        { XF_ANSWER_UNAVAILABLE, "cancel", "service-unavailable", NULL },
        { XF_ANSWER_FORBIDDEN, "auth", "forbidden", NULL },
        { XF_ANSWER_NOT_ALLOWED, "cancel", "not-allowed", NULL },
        { XF_ANSWER_JID_MALFORMED, "modify", "jid-malformed", NULL },
        { XF_ANSWER_INTERNAL, "cancel", "internal-server-error", NULL },
    };

    (void)state;
    assert_int_equal(COUNT(rows), XF_ANSWERS - 2); /* without NONE and OK */
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct xf_answer_row *row = xf_answer_row(rows[i].answer);

        assert_string_equal(row->type, rows[i].type);
        assert_string_equal(xf_condition_name(row->condition),
                            rows[i].condition);
        if (rows[i].child)
            assert_string_equal(row->si_child, rows[i].child);
        else
            assert_null(row->si_child);
    }
    assert_null(xf_answer_row(XF_ANSWER_OK)->type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_counts_from_the_one_asked_and_once),
        cmocka_unit_test(a_reply_from_anybody_else_changes_nothing),
        cmocka_unit_test(a_reply_to_an_id_never_sent_changes_nothing),
        cmocka_unit_test(a_sender_is_compared_in_normal_form),
        cmocka_unit_test(our_server_answers_under_its_names_and_ours),
        cmocka_unit_test(nobody_is_our_server_or_our_account),
        cmocka_unit_test(one_id_may_be_under_way_to_two),
        cmocka_unit_test(the_table_has_a_ceiling_and_every_entry_is_found),
        cmocka_unit_test(deadlines_pass_in_their_order),
        cmocka_unit_test(dropped_requests_have_late_replies_of_strangers),
        cmocka_unit_test(a_lost_stream_gives_all_of_them_back),
        cmocka_unit_test(deadlines_move_by_an_outage),
        cmocka_unit_test(no_memory_is_told),
        cmocka_unit_test(conditions_are_known_by_their_names),
        cmocka_unit_test(a_peer_cannot_say_none_or_timeout),
        cmocka_unit_test(every_error_answer_has_type_and_condition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
