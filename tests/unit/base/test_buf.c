/* The byte queue: order, ceiling, memory that runs out. */
#include "base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sys.h"

static int no_memory(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    return call == XF_SYS_ALLOC ? ENOMEM : 0;
}

static void assert_holds(struct xf_buf *b, const char *text)
{
    assert_int_equal(b->len, strlen(text));
    assert_memory_equal(xf_buf_bytes(b), text, b->len);
    assert_string_equal(xf_buf_text(b), text);
}

static void what_goes_in_behind_comes_out_in_front(void **state)
{
    struct xf_buf b;

    (void)state;
    xf_buf_init(&b, 100);
    assert_holds(&b, "");
    xf_buf_put(&b, "ab", 2);
    xf_buf_puts(&b, "cde");
    xf_buf_putc(&b, 'f');
    xf_buf_printf(&b, "%d%s", 12, "g");
    assert_holds(&b, "abcdef12g");
    xf_buf_take(&b, 4);
    assert_holds(&b, "ef12g");
    xf_buf_take(&b, 99);
    assert_holds(&b, "");
    xf_buf_puts(&b, "again");
    assert_holds(&b, "again");
    assert_false(b.failed);
    xf_buf_clear(&b);
}

/* Every ceiling from none to 40, filled in every way up to it and over it. */
static void the_ceiling_holds_to_the_byte(void **state)
{
    char bytes[64];

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    for (size_t max = 0; max < 40; max++) {
        for (size_t first = 0; first <= max; first++) {
            struct xf_buf b;

            xf_buf_init(&b, max);
            xf_buf_put(&b, bytes, first);
            xf_buf_put(&b, bytes, max - first);
            assert_false(b.failed);
            assert_int_equal(strlen(xf_buf_text(&b)), max);
            xf_buf_putc(&b, 'y');
            assert_true(b.failed);
            assert_int_equal(b.len, max);
            assert_string_equal(xf_buf_text(&b), "");
            xf_buf_clear(&b);
        }
    }
}

static void after_a_failure_nothing_more_goes_in(void **state)
{
    struct xf_buf b;

    (void)state;
    xf_buf_init(&b, 8);
    xf_buf_puts(&b, "head");
    xf_buf_puts(&b, "too long");
    xf_buf_puts(&b, "end");
    xf_buf_printf(&b, "%d", 1);
    assert_true(b.failed);
    assert_null(xf_buf_room(&b, 1));
    assert_int_equal(b.len, 4);
    assert_memory_equal(xf_buf_bytes(&b), "head", 4);
    xf_buf_reset(&b);
    xf_buf_puts(&b, "end");
    assert_holds(&b, "end");
    xf_buf_clear(&b);
    assert_holds(&b, "");
    xf_buf_clear(&b);
}

static void room_counts_only_when_it_is_added(void **state)
{
    struct xf_buf b;
    char *room;

    (void)state;
    xf_buf_init(&b, 10);
    room = xf_buf_room(&b, 10);
    assert_non_null(room);
    memcpy(room, "0123456789", 10);
    assert_holds(&b, "");
    room = xf_buf_room(&b, 10);
    memcpy(room, "0123456789", 10);
    xf_buf_add(&b, 3);
    assert_holds(&b, "012");
    assert_null(xf_buf_room(&b, 8));
    assert_true(b.failed);
    xf_buf_clear(&b);
}

static void a_size_that_would_overflow_is_a_failure(void **state)
{
    struct xf_buf b;

    (void)state;
    xf_buf_init(&b, SIZE_MAX);
    xf_buf_puts(&b, "x");
    assert_null(xf_buf_room(&b, SIZE_MAX));
    assert_true(b.failed);
    xf_buf_reset(&b);
    assert_null(xf_buf_room(&b, SIZE_MAX / 4 + 1));
    assert_true(b.failed);
    xf_buf_clear(&b);
}

static void without_memory_what_is_in_stays(void **state)
{
    static char big[4096];
    struct xf_buf b;

    (void)state;
    memset(big, 'x', sizeof big);
    xf_buf_init(&b, sizeof big);
    xf_sys_set_gate(no_memory, NULL);
    xf_buf_puts(&b, "x");
    assert_true(b.failed);
    assert_string_equal(xf_buf_text(&b), "");
    xf_sys_set_gate(NULL, NULL);

    xf_buf_reset(&b);
    xf_buf_puts(&b, "abc");
    xf_buf_take(&b, 1);
    xf_sys_set_gate(no_memory, NULL);
    xf_buf_put(&b, big, sizeof big - 2);
    xf_sys_set_gate(NULL, NULL);
    assert_true(b.failed);
    assert_int_equal(b.len, 2);
    assert_memory_equal(xf_buf_bytes(&b), "bc", 2);
    xf_buf_clear(&b);
}

static void an_empty_queue_needs_no_memory(void **state)
{
    struct xf_buf b;

    (void)state;
    xf_buf_init(&b, 0);
    xf_buf_put(&b, NULL, 0);
    xf_buf_take(&b, 5);
    assert_holds(&b, "");
    assert_false(b.failed);
    xf_buf_clear(&b);
}

/* A counter runs through the queue in random steps and is never disturbed. */
static void bytes_keep_their_order_at_any_pace(void **state)
{
    struct xf_buf b;
    uint8_t in = 0, out = 0, bytes[300];

    (void)state;
    srand(1);
    xf_buf_init(&b, 1000);
    for (int round = 0; round < 20000; round++) {
        size_t put = (size_t)rand() % sizeof bytes;
        size_t take = (size_t)rand() % sizeof bytes;

        if (put > b.max - b.len)
            put = b.max - b.len;
        for (size_t i = 0; i < put; i++)
            bytes[i] = in++;
        xf_buf_put(&b, bytes, put);
        assert_false(b.failed);
        assert_true(b.cap <= 2 * (b.max + 1));
        if (take > b.len)
            take = b.len;
        for (size_t i = 0; i < take; i++)
            assert_int_equal((uint8_t)xf_buf_bytes(&b)[i], out++);
        xf_buf_take(&b, take);
    }
    xf_buf_clear(&b);
}

/* The price of a byte must not be the length of the queue. */
static void a_full_queue_seldom_moves_what_waits(void **state)
{
    struct xf_buf b;
    int moves = 0;

    (void)state;
    xf_buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        xf_buf_putc(&b, 'x');
    for (int i = 0; i < 10000; i++) {
        xf_buf_take(&b, 1);
        xf_buf_putc(&b, 'x');
        moves += b.head == 0;
    }
    assert_false(b.failed);
    assert_true(moves <= 11);
    xf_buf_clear(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_behind_comes_out_in_front),
        cmocka_unit_test(the_ceiling_holds_to_the_byte),
        cmocka_unit_test(after_a_failure_nothing_more_goes_in),
        cmocka_unit_test(room_counts_only_when_it_is_added),
        cmocka_unit_test(a_size_that_would_overflow_is_a_failure),
        cmocka_unit_test(without_memory_what_is_in_stays),
        cmocka_unit_test(an_empty_queue_needs_no_memory),
        cmocka_unit_test(bytes_keep_their_order_at_any_pace),
        cmocka_unit_test(a_full_queue_seldom_moves_what_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
