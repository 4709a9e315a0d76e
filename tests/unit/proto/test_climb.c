/* How much of a stream is under way, against servers that are made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/climb.h"
#include "table.h"

/*
 * Blocks wait for one server, in turn; each takes it a time, and then half of
 * the round trip to come and half to be answered.
 */
struct server {
    int64_t rtt_us;
    int64_t block_us;      /* each, whatever its size */
    int64_t byte_ns;       /* and each of its bytes */
    int64_t crowd_us;      /* and for each that waits behind it */
    unsigned noise;        /* percent, up or down */
    int64_t done_us;       /* with what it had */
    int64_t answers[1024]; /* of blocks under way, oldest first */
    unsigned first, count;
    uint64_t seed;
};

struct ran {
    double rate;           /* MB/s, of the second half */
    int64_t delay_us;      /* that a word behind would have waited, of a hundred
                          the seventh longest */
    unsigned delays[1000]; /* how many of so many milliseconds */
    unsigned sends;
    unsigned most; /* blocks under way */
    uint32_t most_bytes;
    uint32_t smallest, largest; /* blocks */
};

static int64_t cost(struct server *s, uint32_t len)
{
    int64_t us = s->block_us + (int64_t)len * s->byte_ns / 1000 +
                 (int64_t)s->count * s->crowd_us;

    if (s->noise)
        us += us *
              ((int64_t)(next_number(&s->seed) % (2 * s->noise + 1)) -
               (int64_t)s->noise) /
              100;
    return us > 0 ? us : 1;
}

static void send(struct server *s, struct xf_climb *c, int64_t now,
                 struct ran *ran)
{
    while (xf_climb_may_send(c)) {
        uint32_t len = xf_climb_block(c);
        int64_t at = now + s->rtt_us / 2;

        if (s->done_us > at)
            at = s->done_us;
        s->done_us = at + cost(s, len);
        s->answers[(s->first + s->count++) % 1024] = s->done_us + s->rtt_us / 2;
        xf_climb_sent(c, len, now / 1000);
        if (c->count > ran->most)
            ran->most = c->count;
        if (c->bytes > ran->most_bytes)
            ran->most_bytes = c->bytes;
        if (len < ran->smallest)
            ran->smallest = len;
        if (len > ran->largest)
            ran->largest = len;
    }
}

static struct ran run_for(struct server *s, struct xf_climb *c, int64_t ms)
{
    struct ran ran = { .smallest = UINT32_MAX };
    int64_t now = 0;
    uint64_t bytes = 0;

    send(s, c, now, &ran);
    while (now < ms * 1000) {
        uint32_t len;
        int64_t waits;

        now = s->answers[s->first];
        s->first = (s->first + 1) % 1024;
        s->count--;
        len = xf_climb_acked(c, now / 1000);
        assert_true(len > 0);
        if (now > ms * 500)
            bytes += len;
        send(s, c, now, &ran);
        waits = (s->done_us - now) / 1000;
        if (now > ms * 500) {
            ran.delays[waits < 0 ? 0 : waits < 999 ? waits : 999]++;
            ran.sends++;
        }
    }
    ran.delay_us = 999000;
    for (unsigned late = 0; late * 100 < 6 * ran.sends && ran.delay_us > 0;)
        late += ran.delays[(ran.delay_us -= 1000) / 1000];
    ran.rate = (double)bytes / (double)(now - ms * 500);
    if (getenv("XF_SHOW"))
        print_message("%5.1f ms: %7.3f MB/s, block %u, window %u, waits %.1f "
                      "ms, most %u\n",
                      (double)s->rtt_us / 1000, ran.rate, c->home.block,
                      c->home.window, (double)ran.delay_us / 1000, ran.most);
    return ran;
}

static const struct xf_climb_limits ours = { 65535, 4096, 65535,
                                             4,     64,   XF_CLIMB_BYTES_MAX };
static const struct xf_climb_limits stranger = {
    4096, 4096, 65535, 4, 1, XF_CLIMB_BYTES_MAX
};

static struct ran run(struct server s, const struct xf_climb_limits *limits,
                      int64_t ms)
{
    struct xf_climb c;

    s.seed = 7;
    xf_climb_init(&c, limits);
    return run_for(&s, &c, ms);
}

static void is_at_least(double rate, double right)
{
    if (rate < right)
        print_message("%.2f MB/s, not %.2f\n", rate, right);
    assert_true(rate >= right);
}

/* It is heard within two round trips and a block; the way to whom it is for
 * is half of one. */
static void keeps_turns(const struct ran *ran, const struct server *s,
                        uint32_t block)
{
    int64_t most =
        3 * s->rtt_us / 2 + s->block_us + (int64_t)block * s->byte_ns / 1000;

    if (ran->delay_us > most)
        print_message("%.1f ms, not %.1f\n", (double)ran->delay_us / 1000,
                      (double)most / 1000);
    assert_true(ran->delay_us <= most);
}

/* 20 MB/s, and a quarter of a millisecond for each block. */
static void a_far_server_is_used_as_far_as_its_rate(void **state)
{
    static const int64_t rtt_ms[] = { 0, 10, 50, 100 };

    (void)state;
    for (size_t i = 0; i < COUNT(rtt_ms); i++) {
        struct server s = { .rtt_us = rtt_ms[i] * 1000,
                            .block_us = 250,
                            .byte_ns = 46 };
        struct ran ran = run(s, &ours, 20000);

        is_at_least(ran.rate, 0.93 * 65535 / (250 + 65535 * .046));
        if (rtt_ms[i] >= 50)
            keeps_turns(&ran, &s, 65535);
    }
}

/* More than 4 MiB are never under way, whatever they would bring. */
static void the_ceiling_of_a_connection_holds(void **state)
{
    struct server s = { .rtt_us = 300000, .block_us = 10, .byte_ns = 10 };
    struct ran ran = run(s, &ours, 20000);

    (void)state;
    assert_true(ran.most_bytes <= XF_CLIMB_BYTES_MAX);
    is_at_least(ran.rate, 0.9 * XF_CLIMB_BYTES_MAX / 300000.);
}

static void a_climb_takes_seconds_not_minutes(void **state)
{
    struct server s = { .rtt_us = 200000, .block_us = 250, .byte_ns = 46 };
    struct ran ran = run(s, &ours, 6000);

    (void)state;
    is_at_least(ran.rate, 0.85 * 65535 / (250 + 65535 * .046));
}

static void a_slow_server_does_not_get_a_queue(void **state)
{
    struct server s = { .rtt_us = 50000, .block_us = 1000, .byte_ns = 700 };
    struct ran ran = run(s, &ours, 60000);

    (void)state;
    is_at_least(ran.rate, 0.9 * 65535 / (1000 + 65535 * .7));
    keeps_turns(&ran, &s, 65535);
}

/* Each block that waits makes the next one dearer. */
static void where_more_brings_less_it_stays_low(void **state)
{
    struct server s = {
        .rtt_us = 200, .block_us = 500, .byte_ns = 100, .crowd_us = 3000
    };
    struct ran ran = run(s, &ours, 20000);

    (void)state;
    is_at_least(ran.rate, 0.85 * 65535 / (700 + 6553.));
}

/* What changes by itself is no gain. */
static void noise_is_not_followed(void **state)
{
    (void)state;
    for (unsigned noise = 10; noise <= 90; noise += 20) {
        struct server near = {
            .rtt_us = 1000, .block_us = 250, .byte_ns = 46, .noise = noise
        };
        struct server far = {
            .rtt_us = 50000, .block_us = 250, .byte_ns = 46, .noise = noise
        };
        struct ran ran = run(near, &ours, 20000);

        is_at_least(ran.rate, 0.88 * 65535 / (250 + 65535 * .046));
        ran = run(far, &ours, 20000);
        is_at_least(ran.rate, 0.88 * 65535 / (250 + 65535 * .046));
    }
}

/* Where a block costs little and each byte more, the more bytes there are in
 * it, is for the server to show: here all that counts is the number. */
static void blocks_grow_where_that_helps(void **state)
{
    struct server s = { .rtt_us = 50000, .block_us = 2000, .byte_ns = 5 };
    struct xf_climb_limits four = {
        4096, 4096, 65535, 1, 4, XF_CLIMB_BYTES_MAX
    };
    struct ran ran = run(s, &four, 20000);

    (void)state;
    is_at_least(ran.rate, 0.9 * 4 * 65535 / 53000.);
    assert_true(ran.most <= 4);
}

/* Smack: its handlers may see two in the wrong order. */
static void who_gets_one_block_never_gets_two(void **state)
{
    struct server s = {
        .rtt_us = 50000, .block_us = 250, .byte_ns = 46, .noise = 20
    };
    struct ran ran = run(s, &stranger, 20000);

    (void)state;
    assert_int_equal(ran.most, 1);
    is_at_least(ran.rate, 0.9 * 65535 / 53300.);
    assert_int_equal(ran.largest, 65535);
}

static void a_block_that_is_all_it_takes_stays(void **state)
{
    struct server s = { .rtt_us = 50000, .block_us = 250, .byte_ns = 46 };
    struct xf_climb_limits slix = {
        8192, 8192, 8192, 4, 1, XF_CLIMB_BYTES_MAX
    };
    struct ran ran = run(s, &slix, 5000);

    (void)state;
    assert_int_equal(ran.most, 1);
    assert_int_equal(ran.smallest, 8192);
    assert_int_equal(ran.largest, 8192);
}

static void it_begins_with_one_block(void **state)
{
    struct xf_climb_limits one = ours;
    struct xf_climb c;

    (void)state;
    one.blocks = 1;
    xf_climb_init(&c, &one);
    assert_true(xf_climb_may_send(&c));
    xf_climb_sent(&c, 65535, 0);
    assert_false(xf_climb_may_send(&c));
    assert_int_equal(xf_climb_acked(&c, 50), 65535);
    xf_climb_sent(&c, 65535, 50);
    assert_true(xf_climb_may_send(&c));
    xf_climb_sent(&c, 65535, 50);
    assert_false(xf_climb_may_send(&c));
}

static void an_answer_to_nothing_counts_nothing(void **state)
{
    struct xf_climb c;

    (void)state;
    xf_climb_init(&c, &ours);
    assert_int_equal(xf_climb_acked(&c, 1), 0);
    xf_climb_sent(&c, 17, 1);
    assert_int_equal(xf_climb_acked(&c, 1), 17);
    assert_int_equal(xf_climb_acked(&c, 1), 0);
}

/* A server whose rate is known: all that passes in time, from the start. */
static void what_is_known_is_not_tried(void **state)
{
    struct server s = { .rtt_us = 1000, .block_us = 1000, .byte_ns = 100000 };
    struct xf_climb_limits slow = {
        8192, 8192, 8192, 1, 3, XF_CLIMB_BYTES_MAX
    };
    struct xf_climb c;
    struct ran ran;

    (void)state;
    xf_climb_init(&c, &slow);
    xf_climb_hold(&c);
    for (int i = 0; i < 3; i++) {
        assert_true(xf_climb_may_send(&c));
        xf_climb_sent(&c, 8192, 0);
    }
    assert_false(xf_climb_may_send(&c));
    xf_climb_init(&c, &slow);
    xf_climb_hold(&c);
    ran = run_for(&s, &c, 60000);
    assert_int_equal(ran.most, 3);
    assert_int_equal(ran.smallest, 8192);
}

/* Whatever others send besides, one block may always go. */
static void many_share_a_connection(void **state)
{
    struct server s = { .rtt_us = 50000, .block_us = 25, .byte_ns = 46 };
    struct xf_climb c;
    struct ran ran;

    (void)state;
    xf_climb_init(&c, &ours);
    xf_climb_limit(&c, XF_CLIMB_BYTES_MAX / 1000);
    ran = run_for(&s, &c, 5000);
    assert_int_equal(ran.most, 1);
    assert_int_equal(ran.largest, XF_CLIMB_BYTES_MAX / 1000);
    s.done_us = s.first = s.count = 0;
    xf_climb_init(&c, &ours);
    xf_climb_limit(&c, XF_CLIMB_BYTES_MAX / 10);
    ran = run_for(&s, &c, 5000);
    assert_true(ran.most_bytes <= XF_CLIMB_BYTES_MAX / 10);
    is_at_least(ran.rate, 0.8 * XF_CLIMB_BYTES_MAX / 10 / 50000.);
}

/* A server that is farther away from one moment on, and one that is slower. */
static void a_change_is_followed(void **state)
{
    struct server s = { .rtt_us = 20000, .block_us = 250, .byte_ns = 46 };
    struct xf_climb c;
    struct ran ran;

    (void)state;
    xf_climb_init(&c, &ours);
    (void)run_for(&s, &c, 10000);
    for (unsigned i = 0; i < s.count; i++)
        s.answers[(s.first + i) % 1024] -= 10000000;
    s.done_us -= 10000000;
    for (unsigned i = 0; i < c.count; i++)
        c.sent[(c.first + i) % XF_CLIMB_BLOCKS_MAX].at -= 10000;
    c.since = c.since < 0 ? c.since : c.since - 10000;

    s.rtt_us = 120000;
    ran = run_for(&s, &c, 60000);
    is_at_least(ran.rate, 0.85 * 65535 / (250 + 65535 * .046));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_begins_with_one_block),
        cmocka_unit_test(an_answer_to_nothing_counts_nothing),
        cmocka_unit_test(a_far_server_is_used_as_far_as_its_rate),
        cmocka_unit_test(the_ceiling_of_a_connection_holds),
        cmocka_unit_test(a_climb_takes_seconds_not_minutes),
        cmocka_unit_test(a_slow_server_does_not_get_a_queue),
        cmocka_unit_test(where_more_brings_less_it_stays_low),
        cmocka_unit_test(noise_is_not_followed),
        cmocka_unit_test(blocks_grow_where_that_helps),
        cmocka_unit_test(who_gets_one_block_never_gets_two),
        cmocka_unit_test(a_block_that_is_all_it_takes_stays),
        cmocka_unit_test(what_is_known_is_not_tried),
        cmocka_unit_test(many_share_a_connection),
        cmocka_unit_test(a_change_is_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
