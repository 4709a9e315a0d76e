/* Both ends of an in-band bytestream, joined in memory by two slow lines. */
#include "proto/ibb.h"

#include <xferry/error.h>

#include "base/encode.h"
#include "table.h"

/* --- lines -------------------------------------------------------------- */

/* A stanza under way, either direction. */
struct stanza {
    enum { OPEN, DATA, CLOSE, ANSWER } what;
    uint32_t block_size;
    uint16_t seq;
    size_t offset, len; /* of the file */
    enum { TO_OPEN, TO_DATA, TO_CLOSE } to;
    enum xf_answer answer;
};

#define LINE_MAX 256 /* a power of two; more than the widest window */

struct line {
    struct stanza at[LINE_MAX];
    unsigned first, count;
};

static void put(struct line *l, struct stanza s)
{
    assert_true(l->count < LINE_MAX);
    l->at[(l->first + l->count++) % LINE_MAX] = s;
}

static struct stanza take(struct line *l)
{
    struct stanza s = l->at[l->first];

    assert_true(l->count > 0);
    l->first = (l->first + 1) % LINE_MAX;
    l->count--;
    return s;
}

/* --- the two ends ------------------------------------------------------- */

struct talk {
    struct xf_ibb_sender tx;
    struct xf_ibb_receiver rx;
    struct line there, back;
    uint64_t seed;

    const uint8_t *file; /* NULL: bytes are only counted */
    size_t size;
    uint8_t *copy;
    size_t left_at; /* bytes sent so far */
    size_t copied;
    bool random_blocks;
    uint64_t lose; /* number of the block that is lost; UINT64_MAX: none */

    uint64_t blocks;
    size_t most_in_flight;
    enum xf_ibb_news end; /* of the receiver */
    int rx_code, tx_code;
    bool finished;
};

static void talk_init(struct talk *t, size_t size, uint32_t block,
                      uint32_t window, bool messages)
{
    memset(t, 0, sizeof *t);
    xf_ibb_sender_init(&t->tx, block, window, messages);
    xf_ibb_receiver_init(&t->rx, XF_IBB_BLOCK_MAX);
    t->seed = size + window;
    t->size = size;
    t->lose = UINT64_MAX;
    put(&t->there, (struct stanza){ .what = OPEN, .block_size = block });
}

static void sender_does(struct talk *t, struct xf_ibb_tx_todo todo)
{
    if (todo.what == XF_IBB_TX_OPEN_SMALLER)
        put(&t->there,
            (struct stanza){ .what = OPEN, .block_size = t->tx.block_size });
    if (todo.what == XF_IBB_TX_SEND_CLOSE || todo.close)
        put(&t->there, (struct stanza){ .what = CLOSE });
    if (todo.what == XF_IBB_TX_FAIL)
        t->tx_code = todo.code;
    if (todo.what == XF_IBB_TX_FINISHED)
        t->finished = true;
    if (todo.answer)
        put(&t->there, (struct stanza){ .what = ANSWER,
                                        .to = TO_CLOSE,
                                        .answer = todo.answer });
}

static void tell(struct talk *t, enum xf_ibb_tx_kind kind,
                 enum xf_condition condition)
{
    sender_does(
        t, xf_ibb_send(&t->tx, &(struct xf_ibb_tx_input){
                                   .kind = kind, .condition = condition }));
}

static void send_block(struct talk *t)
{
    size_t len = t->tx.block_size;
    struct stanza s = { .what = DATA, .seq = t->tx.seq, .offset = t->left_at };

    if (t->random_blocks)
        len = 1 + next_number(&t->seed) % len;
    if (len > t->size - t->left_at)
        len = t->size - t->left_at;
    s.len = len;
    if (t->blocks++ != t->lose)
        put(&t->there, s);
    t->left_at += len;
    xf_ibb_send(&t->tx, &(struct xf_ibb_tx_input){ .kind = XF_IBB_TX_SENT,
                                                   .len = len });
    if (t->tx.in_flight > t->most_in_flight)
        t->most_in_flight = t->tx.in_flight;
    if (t->left_at == t->size)
        tell(t, XF_IBB_TX_END, 0);
}

static enum xf_condition condition_of(enum xf_answer answer)
{
    switch (answer) {
    case XF_ANSWER_OK:
        return XF_COND_NONE;
    case XF_ANSWER_TOO_BIG:
        return XF_COND_RESOURCE_CONSTRAINT;
    case XF_ANSWER_UNEXPECTED:
        return XF_COND_UNEXPECTED_REQUEST;
    case XF_ANSWER_NOT_FOUND:
        return XF_COND_ITEM_NOT_FOUND;
    default:
        return XF_COND_BAD_REQUEST;
    }
}

static void sender_hears(struct talk *t, const struct stanza *s)
{
    enum xf_condition condition = condition_of(s->answer);

    if (s->what == CLOSE) {
        tell(t, XF_IBB_TX_PEER_CLOSED, 0);
    } else if (s->to == TO_OPEN) {
        tell(t, condition ? XF_IBB_TX_REFUSED : XF_IBB_TX_OPENED, condition);
        if (t->tx.state == XF_IBB_TX_SENDING && t->size == 0)
            tell(t, XF_IBB_TX_END, 0);
    } else if (s->to == TO_DATA) {
        tell(t, condition ? XF_IBB_TX_NACKED : XF_IBB_TX_ACKED, condition);
    } else {
        tell(t, XF_IBB_TX_CLOSE_ANSWERED, condition);
    }
}

/* The bytes go through base64, as they do on the wire. */
static void copy_block(struct talk *t, const struct stanza *s)
{
    if (t->lose == UINT64_MAX)
        assert_int_equal(s->offset, t->copied);
    if (t->file) {
        size_t chars = XF_BASE64_LEN(s->len);
        char *text = malloc(chars + 1);

        assert_non_null(text);
        xf_base64_encode(t->file + s->offset, s->len, text);
        assert_int_equal(xf_base64_decode(text, chars, t->copy + t->copied),
                         s->len);
        free(text);
    }
    t->copied += s->len;
}

static void receiver_hears(struct talk *t, const struct stanza *s)
{
    static const enum xf_ibb_kind kinds[] = { XF_IBB_OPEN, XF_IBB_BLOCK,
                                              XF_IBB_CLOSE };
    struct xf_ibb_input in = { .block_size = s->block_size,
                               .seq = s->seq,
                               .len = s->len };
    bool message = s->what == DATA && t->tx.messages;
    struct xf_ibb_todo todo;

    if (s->what == ANSWER)
        return;
    in.kind = kinds[s->what];
    todo = xf_ibb_receive(&t->rx, &in);
    if (todo.answer && !message)
        put(&t->back, (struct stanza){ .what = ANSWER,
                                       .to = (int)s->what,
                                       .answer = todo.answer });
    if (todo.news == XF_IBB_BYTES)
        copy_block(t, s);
    if (todo.news == XF_IBB_CLOSED || todo.news == XF_IBB_FAILED)
        t->end = todo.news;
    if (todo.news == XF_IBB_FAILED)
        t->rx_code = todo.code;
    if (todo.close)
        put(&t->back, (struct stanza){ .what = CLOSE });
}

/* One thing happens: which, is left to chance. */
static bool talk_step(struct talk *t)
{
    bool can_send = xf_ibb_may_send(&t->tx) && t->left_at < t->size &&
                    t->there.count < LINE_MAX / 2;
    bool can_there = t->there.count > 0;
    bool can_back = t->back.count > 0;

    if (!can_send && !can_there && !can_back)
        return false;
    for (;;) {
        struct stanza s;

        switch (next_number(&t->seed) % 3) {
        case 0:
            if (!can_send)
                break;
            send_block(t);
            return true;
        case 1:
            if (!can_there)
                break;
            s = take(&t->there);
            receiver_hears(t, &s);
            return true;
        default:
            if (!can_back)
                break;
            s = take(&t->back);
            sender_hears(t, &s);
            return true;
        }
    }
}

static void talk_run(struct talk *t)
{
    while (talk_step(t))
        ;
}

static void assert_whole(const struct talk *t)
{
    assert_int_equal(t->copied, t->size);
    assert_int_equal(t->end, XF_IBB_CLOSED);
    assert_int_equal(t->rx_code, 0);
    assert_int_equal(t->tx_code, 0);
    assert_true(t->finished);
    assert_true(t->tx.close_confirmed);
    assert_int_equal(t->tx.state, XF_IBB_TX_CLOSED);
}

/* --- what must hold ----------------------------------------------------- */

static void counter_wraps_with_every_window(void **state)
{
    static const size_t sizes[] = { 65537, 131073 };
    static struct talk t;

    (void)state;
    for (uint32_t window = 1; window <= 64; window++) {
        for (size_t i = 0; i < COUNT(sizes); i++) {
            talk_init(&t, sizes[i], 1, window, false);
            talk_run(&t);
            assert_whole(&t);
            assert_int_equal(t.blocks, sizes[i]);
            assert_true(t.most_in_flight <= window);
        }
    }
}

static void old_wrap_of_smack_is_understood(void **state)
{
    static struct talk t;

    (void)state;
    for (size_t size = 65530; size < 65545; size++) {
        talk_init(&t, size, 1, 1, false);
        t.tx.wrap = 65535;
        talk_run(&t);
        assert_whole(&t);
        assert_int_equal(t.rx.old_wrap, size > 65535);
    }
    talk_init(&t, 262145, 1, 16, false);
    t.tx.wrap = 65535;
    talk_run(&t);
    assert_whole(&t);
}

static void any_split_gives_the_same_file(void **state)
{
    enum { MAX = 65535 * 2 };
    uint8_t *file = malloc(MAX);
    uint8_t *copy = malloc(MAX);
    uint64_t seed = 4;
    static struct talk t;

    (void)state;
    assert_non_null(file);
    assert_non_null(copy);
    for (size_t i = 0; i < MAX; i++)
        file[i] = (uint8_t)next_number(&seed);
    for (int round = 0; round < 100000; round++) {
        /* Mostly small ones: there the borders are. */
        size_t size = next_number(&seed) % (round % 1000 ? 300 : MAX);
        uint32_t block =
            1 + next_number(&seed) % (round % 1000 ? 100 : XF_IBB_BLOCK_MAX);

        talk_init(&t, size, block, 1 + next_number(&seed) % 8, round % 2);
        t.file = file + next_number(&seed) % (MAX - size);
        t.copy = copy;
        t.random_blocks = round % 4 < 2;
        talk_run(&t);
        assert_whole(&t);
        assert_memory_equal(copy, t.file, size);
    }
    free(file);
    free(copy);
}

static void a_file_of_nothing_is_open_and_close(void **state)
{
    static struct talk t;

    (void)state;
    talk_init(&t, 0, 4096, 1, false);
    talk_run(&t);
    assert_whole(&t);
    assert_int_equal(t.blocks, 0);
}

static void a_receiver_of_small_blocks_gets_small_blocks(void **state)
{
    static struct talk t;

    (void)state;
    talk_init(&t, 200000, 61440, 1, false);
    xf_ibb_receiver_init(&t.rx, 4096);
    talk_run(&t);
    assert_whole(&t);
    assert_int_equal(t.rx.block_size, 3840);

    talk_init(&t, 200000, 61440, 1, false);
    xf_ibb_receiver_init(&t.rx, 1000);
    talk_run(&t);
    assert_int_equal(t.tx_code, XF_E_CONNECT);
    assert_int_equal(t.copied, 0);
    assert_int_equal(t.rx.state, XF_IBB_WAITING);
}

/* In messages nothing but the counter and the size tells of a loss. */
static void a_lost_block_is_never_a_whole_file(void **state)
{
    static struct talk t;

    (void)state;
    for (int messages = 0; messages < 2; messages++) {
        for (uint64_t lost = 0; lost < 50; lost++) {
            talk_init(&t, 50, 1, 64, messages);
            t.lose = lost;
            talk_run(&t);
            /* Not one byte behind the gap. */
            assert_int_equal(t.copied, lost);
            if (lost < 49) {
                assert_int_equal(t.end, XF_IBB_FAILED);
                assert_int_equal(t.rx_code, XF_E_PROTO);
                assert_int_not_equal(t.tx_code, 0);
                assert_false(t.finished);
            } else if (messages) {
                assert_int_equal(t.end, XF_IBB_CLOSED); /* and too short */
            }
        }
    }
}

static void a_lost_block_65535_is_found_by_the_next_wrap_or_the_count(
    void **state)
{
    static struct talk t;

    (void)state;
    talk_init(&t, 131073, 1, 1, true);
    t.lose = 65535; /* looks like the old wrap of Smack, once */
    talk_run(&t);
    assert_true(t.copied < t.size);

    talk_init(&t, 200000, 1, 1, true);
    t.lose = 65536 + 65535; /* no longer does */
    talk_run(&t);
    assert_int_equal(t.end, XF_IBB_FAILED);
    assert_int_equal(t.copied, 65536 + 65535);
    assert_false(t.finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counter_wraps_with_every_window),
        cmocka_unit_test(old_wrap_of_smack_is_understood),
        cmocka_unit_test(any_split_gives_the_same_file),
        cmocka_unit_test(a_file_of_nothing_is_open_and_close),
        cmocka_unit_test(a_receiver_of_small_blocks_gets_small_blocks),
        cmocka_unit_test(a_lost_block_is_never_a_whole_file),
        cmocka_unit_test(
            a_lost_block_65535_is_found_by_the_next_wrap_or_the_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
