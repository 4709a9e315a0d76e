/* The one who is offered a file: every input in every state, and walks. */
#include "proto/receiving.h"

#include <xferry/error.h>

#include "table.h"

#define T0 1000000
#define DOOR XF_RECEIVING_DOOR_MS

static const char *const states[] = { "ASKED",       "WAITING",
                                      "DIALLING",    "STREAMING",
                                      "INBAND",      "INBAND_DIALLING",
                                      "INBAND_HELD", "OVER" };
static const char *const todos[] = { "-",
                                     "SAY_YES",
                                     "DIAL",
                                     "TAKE_STREAM",
                                     "TAKE_INBAND",
                                     "TAKE_INBAND_TOO",
                                     "TAKE_INBAND_FIRST",
                                     "HOLD_STREAM",
                                     "TAKE_HELD",
                                     "SAY_NONE",
                                     "REFUSE",
                                     "FINISH",
                                     "FAIL" };

/* --- the inputs ------------------------------------------------------------- */

enum {
    ACCEPT,
    DECLINE,
    QUERY,
    OPEN,
    OPEN_LATE,
    OPEN_BESIDE,
    UP,
    NONE_UP,
    CLOSED,
    DRY,
    AGAIN,
    AGAIN_LATE,
    GOES_ON,
    BROKEN,
    BROKEN_AWAY,
    WHOLE,
    STOP,
    TICK,
    TICK_LATE,
    TICK_ASKED,
    INPUTS
};

static const struct {
    const char *name;
    struct xf_receiving_input in;
    int64_t after; /* ms */
} inputs[INPUTS] = {
    [ACCEPT] = { "accept", { .kind = XF_RECEIVING_ACCEPT }, 0 },
    [DECLINE] = { "decline",
                  { .kind = XF_RECEIVING_DECLINE,
                    .code = XF_E_DECLINED,
                    .text = "not now" },
                  0 },
    [QUERY] = { "query", { .kind = XF_RECEIVING_QUERY }, 0 },
    [OPEN] = { "open", { .kind = XF_RECEIVING_OPEN }, 0 },
    [OPEN_LATE] = { "open, bytes came",
                    { .kind = XF_RECEIVING_OPEN, .got_bytes = true },
                    0 },
    [OPEN_BESIDE] = { "open, of one of ours",
                      { .kind = XF_RECEIVING_OPEN, .goes_on = true },
                      0 },
    [UP] = { "up", { .kind = XF_RECEIVING_UP }, 0 },
    [NONE_UP] = { "none up", { .kind = XF_RECEIVING_NONE_UP }, 0 },
    [CLOSED] = { "closed", { .kind = XF_RECEIVING_CLOSED }, 0 },
    [DRY] = { "dry", { .kind = XF_RECEIVING_DRY }, 0 },
    [AGAIN] = { "offered again", { .kind = XF_RECEIVING_OFFERED_AGAIN }, 0 },
    [AGAIN_LATE] = { "again, bytes came",
                     { .kind = XF_RECEIVING_OFFERED_AGAIN, .got_bytes = true },
                     0 },
    [GOES_ON] = { "again, to go on",
                  { .kind = XF_RECEIVING_OFFERED_AGAIN,
                    .got_bytes = true,
                    .goes_on = true },
                  0 },
    [BROKEN] = { "broken",
                 { .kind = XF_RECEIVING_BROKEN,
                   .code = XF_E_GONE,
                   .text = "reset",
                   .patience_ms = 20000 },
                 0 },
    [BROKEN_AWAY] = { "broken, we are away",
                      { .kind = XF_RECEIVING_BROKEN,
                        .code = XF_E_STREAM,
                        .patience_ms = INT64_MAX },
                      0 },
    [WHOLE] = { "whole", { .kind = XF_RECEIVING_WHOLE }, 0 },
    [STOP] = { "stop", { .kind = XF_RECEIVING_STOP, .code = XF_E_GONE }, 0 },
    [TICK] = { "tick, 59.999 s", { .kind = XF_RECEIVING_TICK }, DOOR - 1 },
    [TICK_LATE] = { "tick, 60 s", { .kind = XF_RECEIVING_TICK }, DOOR },
    [TICK_ASKED] = { "tick, 30 min",
                     { .kind = XF_RECEIVING_TICK },
                     XF_RECEIVING_ASKED_MS },
};

static enum xf_receiving_do feed_at(struct xf_receiving *r, int input,
                                    int64_t now)
{
    return xf_receiving_step(r, &inputs[input].in, now);
}

static enum xf_receiving_do feed(struct xf_receiving *r, int input)
{
    return feed_at(r, input, T0);
}

/* --- the ways to a state ------------------------------------------------------ */

#define WALK_MAX 6
#define END (-1)

static const struct way {
    const char *name;
    int walk[WALK_MAX]; /* ends at END */
} ways[] = {
    { "offered", { END } },
    { "accepted", { ACCEPT, END } },
    { "dialling", { ACCEPT, QUERY, END } },
    { "none was reached", { ACCEPT, QUERY, NONE_UP, END } },
    { "dialling again", { ACCEPT, QUERY, NONE_UP, QUERY, END } },
    { "on a bytestream", { ACCEPT, QUERY, UP, END } },
    { "in-band", { ACCEPT, OPEN, END } },
    { "in-band after the bytestream", { ACCEPT, QUERY, UP, OPEN, END } },
    { "in-band while dialling", { ACCEPT, QUERY, OPEN_BESIDE, END } },
    { "in-band, a bytestream is held",
      { ACCEPT, QUERY, OPEN_BESIDE, UP, END } },
    { "in-band, none was reached",
      { ACCEPT, QUERY, OPEN_BESIDE, NONE_UP, END } },
    { "the bytestream took over",
      { ACCEPT, QUERY, OPEN_BESIDE, UP, CLOSED, END } },
    { "offered again", { ACCEPT, QUERY, AGAIN, END } },
    { "broken", { ACCEPT, QUERY, UP, BROKEN, END } },
    { "broken and offered again", { ACCEPT, QUERY, UP, BROKEN, GOES_ON, END } },
    { "over and well", { ACCEPT, OPEN, WHOLE, END } },
    { "declined", { DECLINE, END } },
};

static void go(struct xf_receiving *r, const int *walk)
{
    xf_receiving_init(r, T0);
    for (; *walk != END; walk++)
        (void)feed(r, *walk);
}

static void print_row(FILE *out, const char *input,
                      const struct xf_receiving *r, enum xf_receiving_do what)
{
    fprintf(out, "  %-17s -> %-9s ", input, states[r->state]);
    if (r->deadline == INT64_MAX)
        fprintf(out, "  never  ");
    else
        fprintf(out, "%7lld  ", (long long)(r->deadline - T0));
    fprintf(out, "%s", todos[what]);
    if (what == XF_RECEIVING_FAIL)
        fprintf(out, "  %s: %s", xf_err_name(r->why.code), r->why.text);
    fprintf(out, "\n");
}

static void check_row(const struct xf_receiving *start,
                      const struct xf_receiving *r, enum xf_receiving_do what)
{
    if (start->state == XF_RECEIVING_OVER) {
        assert_int_equal(r->state, XF_RECEIVING_OVER);
        assert_true(what == XF_RECEIVING_NOTHING ||
                    what == XF_RECEIVING_REFUSE);
        return;
    }
    assert_int_equal(r->state == XF_RECEIVING_OVER,
                     what == XF_RECEIVING_FINISH || what == XF_RECEIVING_FAIL);
    /* While we are away ourselves nobody can be late. */
    if (r->state != XF_RECEIVING_WAITING || r->why.code == 0)
        assert_int_equal(r->deadline != INT64_MAX,
                         r->state == XF_RECEIVING_WAITING ||
                             r->state == XF_RECEIVING_ASKED);
    if (what == XF_RECEIVING_REFUSE)
        assert_int_equal(r->state, start->state);
}

static void receiver_does_as_the_table_says(void **state)
{
    bool state_seen[XF_RECEIVING_STATES] = { false };
    bool kind_seen[XF_RECEIVING_KINDS] = { false };
    struct table t;

    (void)state;
    table_begin(&t, "receiving");
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct xf_receiving start;

        go(&start, ways[i].walk);
        state_seen[start.state] = true;
        fprintf(t.out, "%s: %s\n", states[start.state], ways[i].name);
        for (int j = 0; j < INPUTS; j++) {
            struct xf_receiving r = start;
            enum xf_receiving_do what = feed_at(&r, j, T0 + inputs[j].after);

            kind_seen[inputs[j].in.kind] = true;
            print_row(t.out, inputs[j].name, &r, what);
            check_row(&start, &r, what);
        }
    }
    for (size_t i = 0; i < COUNT(state_seen); i++)
        assert_true(state_seen[i]);
    for (size_t i = 0; i < COUNT(kind_seen); i++)
        assert_true(kind_seen[i]);
    table_check(&t);
}

/* --- walks ---------------------------------------------------------------------- */

static void begin(struct xf_receiving *r)
{
    go(r, (const int[]){ ACCEPT, END });
}

static void nothing_opens_before_the_offer_is_accepted(void **state)
{
    struct xf_receiving r;

    (void)state;
    xf_receiving_init(&r, T0);
    assert_int_equal(feed(&r, QUERY), XF_RECEIVING_REFUSE);
    assert_int_equal(feed(&r, OPEN), XF_RECEIVING_REFUSE);
    assert_int_equal(r.state, XF_RECEIVING_ASKED);
    assert_int_equal(r.deadline, T0 + XF_RECEIVING_ASKED_MS);
}

static void both_doors_are_open_in_any_order(void **state)
{
    struct xf_receiving r;

    (void)state;
    begin(&r);
    assert_int_equal(feed(&r, OPEN), XF_RECEIVING_TAKE_INBAND);
    begin(&r);
    assert_int_equal(feed(&r, QUERY), XF_RECEIVING_DIAL);
    assert_int_equal(feed(&r, NONE_UP), XF_RECEIVING_SAY_NONE);
    assert_int_equal(feed(&r, OPEN), XF_RECEIVING_TAKE_INBAND);
    begin(&r);
    assert_int_equal(feed(&r, QUERY), XF_RECEIVING_DIAL);
    assert_int_equal(feed(&r, NONE_UP), XF_RECEIVING_SAY_NONE);
    assert_int_equal(feed(&r, QUERY), XF_RECEIVING_DIAL);
    assert_int_equal(feed(&r, UP), XF_RECEIVING_TAKE_STREAM);
    assert_int_equal(feed(&r, WHOLE), XF_RECEIVING_FINISH);
}

/* The founding document's sender: 15 s, and then in-band. */
static void an_open_while_dialling_is_taken(void **state)
{
    struct xf_receiving r;

    (void)state;
    begin(&r);
    (void)feed(&r, QUERY);
    assert_int_equal(feed(&r, OPEN), XF_RECEIVING_TAKE_INBAND);
    assert_int_equal(feed(&r, UP), XF_RECEIVING_NOTHING);
    assert_int_equal(feed(&r, NONE_UP), XF_RECEIVING_NOTHING);
    assert_int_equal(feed(&r, WHOLE), XF_RECEIVING_FINISH);
}

static void second_offer_while_dialling_is_said_yes_to(void **state)
{
    struct xf_receiving r;

    (void)state;
    begin(&r);
    (void)feed(&r, QUERY);
    assert_int_equal(feed_at(&r, AGAIN, T0 + 15000), XF_RECEIVING_SAY_YES);
    assert_int_equal(r.deadline, T0 + 15000 + DOOR);
    assert_int_equal(feed(&r, UP), XF_RECEIVING_NOTHING);
    assert_int_equal(feed(&r, OPEN), XF_RECEIVING_TAKE_INBAND);
}

/* What crossed on the way: our answer and the sender's patience. */
static void a_stream_without_a_byte_gives_way_to_inband(void **state)
{
    struct xf_receiving r;

    (void)state;
    go(&r, (const int[]){ ACCEPT, QUERY, UP, END });
    assert_int_equal(feed(&r, OPEN), XF_RECEIVING_TAKE_INBAND);
    go(&r, (const int[]){ ACCEPT, QUERY, UP, END });
    assert_int_equal(feed(&r, OPEN_LATE), XF_RECEIVING_REFUSE);
    assert_int_equal(r.state, XF_RECEIVING_STREAMING);
    assert_int_equal(feed(&r, DRY), XF_RECEIVING_NOTHING);
    assert_int_equal(feed(&r, OPEN), XF_RECEIVING_TAKE_INBAND);
}

static void door_closes_after_60_s_and_not_before(void **state)
{
    struct xf_receiving r;

    (void)state;
    begin(&r);
    assert_int_equal(r.deadline, T0 + 60000);
    assert_int_equal(feed_at(&r, TICK, T0 + 59999), XF_RECEIVING_NOTHING);
    assert_int_equal(feed_at(&r, TICK, T0 + 60000), XF_RECEIVING_FAIL);
    assert_int_equal(r.why.code, XF_E_STALL);
    assert_int_equal(feed_at(&r, OPEN, T0 + 60001), XF_RECEIVING_REFUSE);
    assert_int_equal(feed_at(&r, QUERY, T0 + 60001), XF_RECEIVING_REFUSE);
}

static void each_attempt_renews_the_60_s(void **state)
{
    struct xf_receiving r;

    (void)state;
    begin(&r);
    (void)feed_at(&r, QUERY, T0 + 50000);
    assert_int_equal(r.deadline, INT64_MAX);
    (void)feed_at(&r, NONE_UP, T0 + 62000);
    assert_int_equal(r.deadline, T0 + 62000 + DOOR);
    (void)feed_at(&r, AGAIN, T0 + 100000);
    assert_int_equal(r.deadline, T0 + 100000 + DOOR);
    (void)feed_at(&r, OPEN, T0 + 159999);
    assert_int_equal(r.state, XF_RECEIVING_INBAND);
    assert_int_equal(feed_at(&r, TICK, T0 + 500000), XF_RECEIVING_NOTHING);
}

static void an_offer_waits_for_its_answer_and_not_for_ever(void **state)
{
    const int64_t end = T0 + XF_RECEIVING_ASKED_MS;
    struct xf_receiving r;

    (void)state;
    xf_receiving_init(&r, T0);
    assert_int_equal(feed_at(&r, TICK, end - 1), XF_RECEIVING_NOTHING);
    assert_int_equal(feed_at(&r, ACCEPT, end - 1), XF_RECEIVING_SAY_YES);
    assert_int_equal(r.deadline, end - 1 + DOOR);
    xf_receiving_init(&r, T0);
    assert_int_equal(feed_at(&r, TICK, end), XF_RECEIVING_FAIL);
    assert_int_equal(r.why.code, XF_E_STALL);
    assert_int_equal(feed_at(&r, ACCEPT, end), XF_RECEIVING_NOTHING);
}

/* Accepted only once, ended only once, whatever comes in whatever order. */
static void no_order_of_inputs_ends_it_twice(void **state)
{
    uint64_t seed = 11;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct xf_receiving r;
        int ends = 0;
        bool accepted = false;

        xf_receiving_init(&r, T0);
        for (int i = 0; i < 20; i++) {
            int input = (int)(next_number(&seed) % INPUTS);
            enum xf_receiving_do what = feed(&r, input);

            accepted |= input == ACCEPT && what == XF_RECEIVING_SAY_YES;
            ends += what == XF_RECEIVING_FINISH || what == XF_RECEIVING_FAIL;
            if (!accepted)
                assert_true(what == XF_RECEIVING_NOTHING ||
                            what == XF_RECEIVING_REFUSE ||
                            what == XF_RECEIVING_FAIL);
            if (ends)
                assert_int_equal(r.state, XF_RECEIVING_OVER);
        }
        assert_true(ends <= 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receiver_does_as_the_table_says),
        cmocka_unit_test(nothing_opens_before_the_offer_is_accepted),
        cmocka_unit_test(both_doors_are_open_in_any_order),
        cmocka_unit_test(an_open_while_dialling_is_taken),
        cmocka_unit_test(second_offer_while_dialling_is_said_yes_to),
        cmocka_unit_test(a_stream_without_a_byte_gives_way_to_inband),
        cmocka_unit_test(door_closes_after_60_s_and_not_before),
        cmocka_unit_test(each_attempt_renews_the_60_s),
        cmocka_unit_test(an_offer_waits_for_its_answer_and_not_for_ever),
        cmocka_unit_test(no_order_of_inputs_ends_it_twice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
