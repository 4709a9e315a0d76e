/* The sending end of an in-band bytestream: every input in every state. */
#include "proto/ibb.h"

#include <xferry/error.h>

#include "base/err.h"
#include "table.h"

static const char *const states[] = { "OPENING", "SENDING", "DRAINING",
                                      "CLOSING", "CLOSED",  "BROKEN" };
static const char *const todos[] = { "-",          "OPEN_SMALLER", "START",
                                     "SEND_CLOSE", "FINISHED",     "FAIL" };

static struct xf_ibb_tx_todo feed(struct xf_ibb_sender *tx,
                                  enum xf_ibb_tx_kind kind,
                                  enum xf_condition condition)
{
    return xf_ibb_send(
        tx, &(struct xf_ibb_tx_input){ .kind = kind, .condition = condition });
}

/* --- the ways to a state ------------------------------------------------ */

static void opening(struct xf_ibb_sender *tx)
{
    xf_ibb_sender_init(tx, 4096, 2, false);
}

static void opening_smallest(struct xf_ibb_sender *tx)
{
    xf_ibb_sender_init(tx, XF_IBB_BLOCK_MIN, 2, false);
}

static void start(struct xf_ibb_sender *tx)
{
    opening(tx);
    assert_int_equal(feed(tx, XF_IBB_TX_OPENED, 0).what, XF_IBB_TX_START);
}

static void one_out(struct xf_ibb_sender *tx)
{
    start(tx);
    feed(tx, XF_IBB_TX_SENT, 0);
}

static void window_full(struct xf_ibb_sender *tx)
{
    one_out(tx);
    feed(tx, XF_IBB_TX_SENT, 0);
    assert_false(xf_ibb_may_send(tx));
}

static void draining_two(struct xf_ibb_sender *tx)
{
    window_full(tx);
    feed(tx, XF_IBB_TX_END, 0);
}

static void draining_one(struct xf_ibb_sender *tx)
{
    one_out(tx);
    feed(tx, XF_IBB_TX_END, 0);
}

static void closing(struct xf_ibb_sender *tx)
{
    start(tx);
    assert_int_equal(feed(tx, XF_IBB_TX_END, 0).what, XF_IBB_TX_SEND_CLOSE);
}

static void start_messages(struct xf_ibb_sender *tx)
{
    xf_ibb_sender_init(tx, 4096, 1, true);
    feed(tx, XF_IBB_TX_OPENED, 0);
    for (int i = 0; i < 3; i++)
        feed(tx, XF_IBB_TX_SENT, 0);
}

static void closing_messages(struct xf_ibb_sender *tx)
{
    start_messages(tx);
    assert_int_equal(feed(tx, XF_IBB_TX_END, 0).what, XF_IBB_TX_SEND_CLOSE);
}

static void closed(struct xf_ibb_sender *tx)
{
    closing(tx);
    feed(tx, XF_IBB_TX_CLOSE_ANSWERED, 0);
}

static void broken(struct xf_ibb_sender *tx)
{
    one_out(tx);
    feed(tx, XF_IBB_TX_NACKED, XF_COND_UNEXPECTED_REQUEST);
}

static const struct {
    const char *name;
    void (*enter)(struct xf_ibb_sender *tx);
} ways[] = {
    { "block of 4096", opening },
    { "block of 1024", opening_smallest },
    { "nothing sent yet", start },
    { "one block out", one_out },
    { "window full", window_full },
    { "messages, three out", start_messages },
    { "two blocks out", draining_two },
    { "one block out", draining_one },
    { "all acknowledged", closing },
    { "messages", closing_messages },
    { "confirmed", closed },
    { "a block was refused", broken },
};

/* --- the inputs --------------------------------------------------------- */

/* Kinds that come with a condition are tried with all there are. */
static const struct {
    const char *name;
    enum xf_ibb_tx_kind kind;
    bool conditions;
} kinds[] = {
    { "opened", XF_IBB_TX_OPENED, false },
    { "open refused", XF_IBB_TX_REFUSED, true },
    { "sent", XF_IBB_TX_SENT, false },
    { "acked", XF_IBB_TX_ACKED, false },
    { "nacked", XF_IBB_TX_NACKED, true },
    { "bounced", XF_IBB_TX_BOUNCED, true },
    { "end of data", XF_IBB_TX_END, false },
    { "close answered", XF_IBB_TX_CLOSE_ANSWERED, true },
    { "peer closes", XF_IBB_TX_PEER_CLOSED, false },
};

#define OUTCOME_MAX 160

static void print_outcome(char out[OUTCOME_MAX], const struct xf_ibb_sender *tx,
                          const struct xf_ibb_tx_todo *todo)
{
    int n = snprintf(out, OUTCOME_MAX, "%-8s %u out  %-12s %-2s %-5s",
                     states[tx->state], tx->in_flight, todos[todo->what],
                     table_answer(todo->answer), todo->close ? "close" : "-");

    if (todo->what == XF_IBB_TX_OPEN_SMALLER)
        snprintf(out + n, (size_t)(OUTCOME_MAX - n), "  %u bytes",
                 tx->block_size);
    if (todo->what == XF_IBB_TX_FINISHED)
        snprintf(out + n, (size_t)(OUTCOME_MAX - n), "  %s",
                 tx->close_confirmed ? "confirmed" : "not confirmed");
    if (todo->what == XF_IBB_TX_FAIL)
        snprintf(out + n, (size_t)(OUTCOME_MAX - n), "  %s: %s",
                 xf_err_name(todo->code), todo->text);
    for (size_t end = strlen(out); end > 0 && out[end - 1] == ' '; end--)
        out[end - 1] = '\0';
}

static void try(const struct xf_ibb_sender *from, enum xf_ibb_tx_kind kind,
                enum xf_condition condition, char out[OUTCOME_MAX])
{
    struct xf_ibb_sender tx = *from;
    struct xf_ibb_tx_todo todo = feed(&tx, kind, condition);

    print_outcome(out, &tx, &todo);
    /* What holds for all rows. */
    assert_int_equal(todo.what == XF_IBB_TX_FAIL, todo.code != 0);
    assert_int_equal(todo.what == XF_IBB_TX_FAIL, todo.text != NULL);
    assert_true(!todo.close || todo.what == XF_IBB_TX_FAIL);
    if (from->state != XF_IBB_TX_BROKEN)
        assert_int_equal(todo.what == XF_IBB_TX_FAIL,
                         tx.state == XF_IBB_TX_BROKEN);
    assert_int_equal(todo.answer, kind == XF_IBB_TX_PEER_CLOSED
                                      ? XF_ANSWER_OK
                                      : XF_ANSWER_NONE);
}

/* One row when the condition makes no difference, else one for each. */
static void rows(struct table *t, const struct xf_ibb_sender *from, size_t k)
{
    char outcome[XF_CONDITIONS][OUTCOME_MAX];
    size_t count = kinds[k].conditions ? XF_CONDITIONS : 1;
    bool same = true;

    for (size_t c = 0; c < count; c++) {
        try(from, kinds[k].kind, (enum xf_condition)c, outcome[c]);
        same = same && strcmp(outcome[c], outcome[0]) == 0;
    }
    for (size_t c = 0; c < (same ? 1 : count); c++)
        fprintf(t->out, "  %-14s %-23s -> %s\n", kinds[k].name,
                count == 1 ? ""
                : same     ? "any"
                           : table_condition((enum xf_condition)c),
                outcome[c]);
}

static void sender_does_as_the_table_says(void **state)
{
    bool seen[XF_IBB_TX_STATES] = { false };
    struct table t;

    (void)state;
    assert_int_equal(COUNT(kinds), XF_IBB_TX_KINDS);
    table_begin(&t, "ibb_sender");
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct xf_ibb_sender tx;

        ways[i].enter(&tx);
        seen[tx.state] = true;
        fprintf(t.out, "%s: %s\n", states[tx.state], ways[i].name);
        for (size_t k = 0; k < COUNT(kinds); k++) {
            /* A block that may not leave is our own mistake: not an input. */
            if (kinds[k].kind == XF_IBB_TX_SENT &&
                tx.state == XF_IBB_TX_SENDING && !xf_ibb_may_send(&tx))
                continue;
            rows(&t, &tx, k);
        }
    }
    for (size_t i = 0; i < COUNT(seen); i++)
        assert_true(seen[i]);
    table_check(&t);
}

static void blocks_are_halved_down_to_1024(void **state)
{
    static const uint32_t sizes[] = { 61440, 30720, 15360, 7680,
                                      3840,  1920,  1024 };
    struct xf_ibb_sender tx;

    (void)state;
    xf_ibb_sender_init(&tx, sizes[0], 1, false);
    for (size_t i = 1; i < COUNT(sizes); i++) {
        assert_int_equal(
            feed(&tx, XF_IBB_TX_REFUSED, XF_COND_RESOURCE_CONSTRAINT).what,
            XF_IBB_TX_OPEN_SMALLER);
        assert_int_equal(tx.block_size, sizes[i]);
    }
    assert_int_equal(
        feed(&tx, XF_IBB_TX_REFUSED, XF_COND_RESOURCE_CONSTRAINT).what,
        XF_IBB_TX_FAIL);
}

/* ... and from there on as if the first had been asked for first. */
static void a_block_hoped_for_in_vain_becomes_the_first(void **state)
{
    static const enum xf_condition too_much[] = { XF_COND_RESOURCE_CONSTRAINT,
                                                  XF_COND_NOT_ACCEPTABLE,
                                                  XF_COND_BAD_REQUEST };
    struct xf_ibb_sender tx;

    (void)state;
    for (size_t i = 0; i < COUNT(too_much); i++) {
        xf_ibb_sender_init(&tx, 4096, 1, false);
        xf_ibb_sender_hope(&tx, 65535);
        assert_int_equal(tx.block_size, 65535);
        assert_int_equal(feed(&tx, XF_IBB_TX_REFUSED, too_much[i]).what,
                         XF_IBB_TX_OPEN_SMALLER);
        assert_int_equal(tx.block_size, 4096);
        assert_int_equal(
            feed(&tx, XF_IBB_TX_REFUSED, XF_COND_NOT_ACCEPTABLE).what,
            XF_IBB_TX_FAIL);
    }
    xf_ibb_sender_init(&tx, 4096, 1, false);
    xf_ibb_sender_hope(&tx, 65535);
    assert_int_equal(feed(&tx, XF_IBB_TX_REFUSED, XF_COND_GONE).what,
                     XF_IBB_TX_FAIL);
    xf_ibb_sender_init(&tx, 4096, 1, false);
    xf_ibb_sender_hope(&tx, 1024);
    assert_int_equal(tx.block_size, 4096);
    xf_ibb_sender_hope(&tx, 1 << 20);
    assert_int_equal(tx.block_size, XF_IBB_BLOCK_MAX);
}

static void sizes_and_windows_are_held_within_bounds(void **state)
{
    struct xf_ibb_sender tx;

    (void)state;
    xf_ibb_sender_init(&tx, 1 << 20, 0, false);
    assert_int_equal(tx.block_size, XF_IBB_BLOCK_MAX);
    assert_int_equal(tx.window, 1);
}

static void the_window_is_never_exceeded(void **state)
{
    (void)state;
    for (uint32_t window = 1; window <= 64; window++) {
        struct xf_ibb_sender tx;

        xf_ibb_sender_init(&tx, 1, window, false);
        assert_false(xf_ibb_may_send(&tx));
        feed(&tx, XF_IBB_TX_OPENED, 0);
        for (uint32_t i = 0; i < window; i++) {
            assert_true(xf_ibb_may_send(&tx));
            feed(&tx, XF_IBB_TX_SENT, 0);
        }
        assert_false(xf_ibb_may_send(&tx));
        feed(&tx, XF_IBB_TX_ACKED, 0);
        assert_true(xf_ibb_may_send(&tx));
        feed(&tx, XF_IBB_TX_END, 0);
        assert_false(xf_ibb_may_send(&tx));
    }
}

static void counter_goes_round_where_it_is_told(void **state)
{
    static const uint32_t wraps[] = { 65536, 65535 };

    (void)state;
    for (size_t i = 0; i < COUNT(wraps); i++) {
        struct xf_ibb_sender tx;

        xf_ibb_sender_init(&tx, 1, 1, true);
        tx.wrap = wraps[i];
        feed(&tx, XF_IBB_TX_OPENED, 0);
        for (uint32_t n = 0; n < 200000; n++) {
            assert_int_equal(tx.seq, n % wraps[i]);
            feed(&tx, XF_IBB_TX_SENT, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sender_does_as_the_table_says),
        cmocka_unit_test(blocks_are_halved_down_to_1024),
        cmocka_unit_test(a_block_hoped_for_in_vain_becomes_the_first),
        cmocka_unit_test(sizes_and_windows_are_held_within_bounds),
        cmocka_unit_test(the_window_is_never_exceeded),
        cmocka_unit_test(counter_goes_round_where_it_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
