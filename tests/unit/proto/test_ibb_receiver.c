/* The receiving end of an in-band bytestream: every input in every state. */
#include "proto/ibb.h"

#include <xferry/error.h>

#include "base/err.h"
#include "table.h"

#define BLOCK 4096
#define LIMIT 8192

static const char *const states[] = { "WAITING", "STREAMING", "OVER" };
static const char *const news[] = { "-", "OPENED", "BYTES", "CLOSED",
                                    "FAILED" };

static struct xf_ibb_todo feed_open(struct xf_ibb_receiver *rx, uint32_t size)
{
    return xf_ibb_receive(
        rx, &(struct xf_ibb_input){ .kind = XF_IBB_OPEN, .block_size = size });
}

static struct xf_ibb_todo feed_block(struct xf_ibb_receiver *rx, uint16_t seq,
                                     size_t len)
{
    return xf_ibb_receive(
        rx,
        &(struct xf_ibb_input){ .kind = XF_IBB_BLOCK, .seq = seq, .len = len });
}

static struct xf_ibb_todo feed(struct xf_ibb_receiver *rx,
                               enum xf_ibb_kind kind)
{
    return xf_ibb_receive(rx, &(struct xf_ibb_input){ .kind = kind });
}

/* --- the ways to a state ------------------------------------------------ */

static void waiting(struct xf_ibb_receiver *rx)
{
    xf_ibb_receiver_init(rx, LIMIT);
}

static void opened(struct xf_ibb_receiver *rx)
{
    waiting(rx);
    assert_int_equal(feed_open(rx, BLOCK).news, XF_IBB_OPENED);
}

/* Blocks 0 .. count - 1 of a sender whose counter goes to 0 at `wrap`. */
static void blocks(struct xf_ibb_receiver *rx, uint32_t count, uint32_t wrap)
{
    opened(rx);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(feed_block(rx, (uint16_t)(i % wrap), 1).news,
                         XF_IBB_BYTES);
}

static void after_3(struct xf_ibb_receiver *rx)
{
    blocks(rx, 3, 65536);
}

static void before_first_wrap(struct xf_ibb_receiver *rx)
{
    blocks(rx, 65535, 65536);
}

static void before_second_wrap(struct xf_ibb_receiver *rx)
{
    blocks(rx, 65536 + 65535, 65536);
}

static void before_old_wrap(struct xf_ibb_receiver *rx)
{
    blocks(rx, 65535 + 65535, 65535);
}

static void after_100_empty(struct xf_ibb_receiver *rx)
{
    opened(rx);
    for (int i = 0; i < XF_IBB_EMPTY_MAX; i++)
        assert_int_equal(feed_block(rx, (uint16_t)i, 0).news, XF_IBB_BYTES);
}

static void closed(struct xf_ibb_receiver *rx)
{
    after_3(rx);
    assert_int_equal(feed(rx, XF_IBB_CLOSE).news, XF_IBB_CLOSED);
}

static void failed(struct xf_ibb_receiver *rx)
{
    after_3(rx);
    assert_int_equal(feed_block(rx, 4, 1).news, XF_IBB_FAILED);
}

static const struct {
    const char *name;
    void (*enter)(struct xf_ibb_receiver *rx);
} ways[] = {
    { "waiting", waiting },
    { "just opened", opened },
    { "after 3 blocks", after_3 },
    { "65535 is next", before_first_wrap },
    { "65535 is next, again", before_second_wrap },
    { "65535 is skipped, 0 is next", before_old_wrap },
    { "after 100 empty blocks", after_100_empty },
    { "closed", closed },
    { "failed", failed },
};

/* --- the inputs --------------------------------------------------------- */

#define SEQ(name, number, bytes)                                               \
    {                                                                          \
        name,                                                                  \
        {                                                                      \
            .kind = XF_IBB_BLOCK, .seq = number, .len = bytes                  \
        }                                                                      \
    }

static const struct {
    const char *name;
    struct xf_ibb_input in;
} inputs[] = {
    { "open of 0", { .kind = XF_IBB_OPEN, .block_size = 0 } },
    { "open of 1", { .kind = XF_IBB_OPEN, .block_size = 1 } },
    { "open of 4096", { .kind = XF_IBB_OPEN, .block_size = 4096 } },
    { "open of the limit", { .kind = XF_IBB_OPEN, .block_size = LIMIT } },
    { "open of limit + 1", { .kind = XF_IBB_OPEN, .block_size = LIMIT + 1 } },
    { "open of 2^31", { .kind = XF_IBB_OPEN, .block_size = 1u << 31 } },
    SEQ("block 0", 0, 10),
    SEQ("block 1", 1, 10),
    SEQ("block 2", 2, 10),
    SEQ("block 3", 3, 10),
    SEQ("block 3, empty", 3, 0),
    SEQ("block 3, full", 3, BLOCK),
    SEQ("block 3, too large", 3, BLOCK + 1),
    SEQ("block 3, double", 3, 2 * BLOCK),
    SEQ("block 4", 4, 10),
    SEQ("block 35", 35, 10),
    SEQ("block 100", 100, 10),
    SEQ("block 100, empty", 100, 0),
    SEQ("block 32771", 32771, 10),
    SEQ("block 65534", 65534, 10),
    SEQ("block 65535", 65535, 10),
    SEQ("block 65535, too large", 65535, BLOCK + 1),
    { "block that cannot be read", { .kind = XF_IBB_BAD } },
    { "close", { .kind = XF_IBB_CLOSE } },
    { "bounce", { .kind = XF_IBB_BOUNCE } },
    { "silence", { .kind = XF_IBB_SILENCE } },
};

static void print_row(FILE *out, const char *input,
                      const struct xf_ibb_receiver *rx,
                      const struct xf_ibb_todo *todo)
{
    fprintf(out, "  %-26s -> %-9s next %-5u  %-18s %-6s %s", input,
            states[rx->state], rx->next_seq, table_answer(todo->answer),
            news[todo->news], todo->close ? "close" : "-");
    if (todo->news == XF_IBB_FAILED)
        fprintf(out, "  %s: %s", xf_err_name(todo->code), todo->text);
    fprintf(out, "\n");
}

static void receiver_does_as_the_table_says(void **state)
{
    bool state_seen[XF_IBB_STATES] = { false };
    bool kind_seen[XF_IBB_KINDS] = { false };
    struct xf_ibb_receiver rx;
    struct table t;

    (void)state;
    table_begin(&t, "ibb_receiver");
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct xf_ibb_receiver start;

        ways[i].enter(&start);
        state_seen[start.state] = true;
        fprintf(t.out, "%s: %s\n", states[start.state], ways[i].name);
        for (size_t j = 0; j < COUNT(inputs); j++) {
            struct xf_ibb_todo todo;

            rx = start;
            kind_seen[inputs[j].in.kind] = true;
            todo = xf_ibb_receive(&rx, &inputs[j].in);
            print_row(t.out, inputs[j].name, &rx, &todo);
            /* What holds for all rows. */
            assert_true((todo.news == XF_IBB_FAILED) == (todo.code != 0));
            assert_true((todo.news == XF_IBB_FAILED) == (todo.text != NULL));
            assert_true(!todo.close || todo.news == XF_IBB_FAILED);
            if (todo.news == XF_IBB_FAILED || todo.news == XF_IBB_CLOSED)
                assert_int_equal(rx.state, XF_IBB_OVER);
            if (start.state == XF_IBB_OVER)
                assert_int_equal(todo.news, XF_IBB_NO_NEWS);
        }
    }
    for (size_t i = 0; i < COUNT(state_seen); i++)
        assert_true(state_seen[i]);
    for (size_t i = 0; i < COUNT(kind_seen); i++)
        assert_true(kind_seen[i]);
    table_check(&t);
}

static void a_wrong_number_is_refused_whichever_it_is(void **state)
{
    (void)state;
    for (uint32_t next = 0; next < 65536; next += 4369) {
        struct xf_ibb_receiver start;

        blocks(&start, next, 65536);
        for (uint32_t seq = 0; seq < 65536; seq++) {
            struct xf_ibb_receiver rx = start;
            struct xf_ibb_todo todo = feed_block(&rx, (uint16_t)seq, 1);
            bool fits = seq == next || (next == 65535 && seq == 0);

            assert_int_equal(todo.news, fits ? XF_IBB_BYTES : XF_IBB_FAILED);
            assert_int_equal(todo.answer,
                             fits ? XF_ANSWER_OK : XF_ANSWER_UNEXPECTED);
            assert_int_equal(todo.close, !fits);
        }
    }
}

static void empty_blocks_are_counted_in_a_row_only(void **state)
{
    struct xf_ibb_receiver rx;

    (void)state;
    opened(&rx);
    for (uint32_t i = 0; i < 10000; i++) {
        bool full = i % (XF_IBB_EMPTY_MAX + 1) == XF_IBB_EMPTY_MAX;

        assert_int_equal(feed_block(&rx, (uint16_t)i, full).news, XF_IBB_BYTES);
    }
}

static void refused_open_may_come_again_smaller(void **state)
{
    struct xf_ibb_receiver rx;

    (void)state;
    xf_ibb_receiver_init(&rx, 1 << 20);
    assert_int_equal(rx.block_limit, XF_IBB_BLOCK_MAX);
    assert_int_equal(feed_open(&rx, 65536).answer, XF_ANSWER_TOO_BIG);
    assert_int_equal(feed_open(&rx, 65535).answer, XF_ANSWER_OK);
    assert_int_equal(rx.block_size, 65535);
}

/* The XEP asks it of a receiver: no byte behind a gap is used. */
static void nothing_is_taken_after_a_failure(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct xf_ibb_receiver rx;
        bool over = false;

        opened(&rx);
        for (int i = 0; i < 20; i++) {
            struct xf_ibb_input in = {
                .kind = (enum xf_ibb_kind)(next_number(&seed) % XF_IBB_KINDS),
                .block_size = next_number(&seed) % 70000,
                .len = next_number(&seed) % (BLOCK + 2),
                .seq = (uint16_t)(rx.next_seq + (next_number(&seed) % 8 == 0)),
            };
            struct xf_ibb_todo todo = xf_ibb_receive(&rx, &in);

            if (over)
                assert_int_equal(todo.news, XF_IBB_NO_NEWS);
            over = over || todo.news == XF_IBB_FAILED ||
                   todo.news == XF_IBB_CLOSED;
            assert_int_equal(rx.state == XF_IBB_OVER, over);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receiver_does_as_the_table_says),
        cmocka_unit_test(a_wrong_number_is_refused_whichever_it_is),
        cmocka_unit_test(empty_blocks_are_counted_in_a_row_only),
        cmocka_unit_test(refused_open_may_come_again_smaller),
        cmocka_unit_test(nothing_is_taken_after_a_failure),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
