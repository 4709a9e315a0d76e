/* Which address is tried when: every input in every state, and races. */
#include "proto/dial.h"

#include "table.h"

static const char *const tries[] = { "waiting", "trying", "failed", "won" };
static const char *const dos[] = { "nothing", "start", "drop", "use",
                                   "give up" };

/* Small numbers, easy to follow: 10 apart, 100 each, 220 in all. */
static const struct xf_dial_plan plan = { 10, 100, 220 };
static const struct xf_dial_plan in_turn = { -1, 100, 220 };

static void assert_next(struct xf_dial *d, int64_t now, enum xf_dial_do what,
                        size_t index)
{
    struct xf_dial_todo todo = xf_dial_next(d, now);

    assert_string_equal(dos[todo.what], dos[what]);
    if (what != XF_DIAL_NOTHING && what != XF_DIAL_GIVE_UP)
        assert_int_equal(todo.index, index);
}

/* --- the table ---------------------------------------------------------- */

static void none(struct xf_dial *d)
{
    xf_dial_init(d, &plan, 0, 0);
}

static void fresh(struct xf_dial *d)
{
    xf_dial_init(d, &plan, 3, 0);
}

static void first_trying(struct xf_dial *d)
{
    fresh(d);
    assert_next(d, 0, XF_DIAL_START, 0);
    assert_next(d, 0, XF_DIAL_NOTHING, 0);
}

static void two_trying(struct xf_dial *d)
{
    first_trying(d);
    assert_next(d, 10, XF_DIAL_START, 1);
}

static void first_failed(struct xf_dial *d)
{
    first_trying(d);
    xf_dial_result(d, 0, false);
}

static void all_trying(struct xf_dial *d)
{
    two_trying(d);
    assert_next(d, 20, XF_DIAL_START, 2);
}

static void last_trying(struct xf_dial *d)
{
    all_trying(d);
    xf_dial_result(d, 0, false);
    xf_dial_result(d, 1, false);
}

static void all_failed(struct xf_dial *d)
{
    last_trying(d);
    xf_dial_result(d, 2, false);
}

static void second_won(struct xf_dial *d)
{
    all_trying(d);
    xf_dial_result(d, 1, true);
}

static void two_well(struct xf_dial *d)
{
    second_won(d);
    xf_dial_result(d, 0, true);
}

static void used(struct xf_dial *d)
{
    second_won(d);
    while (xf_dial_next(d, 20).what != XF_DIAL_USE)
        ;
}

static void gave_up(struct xf_dial *d)
{
    all_failed(d);
    assert_next(d, 20, XF_DIAL_GIVE_UP, 0);
}

static void turn_fresh(struct xf_dial *d)
{
    xf_dial_init(d, &in_turn, 3, 0);
}

static void turn_first(struct xf_dial *d)
{
    turn_fresh(d);
    assert_next(d, 0, XF_DIAL_START, 0);
}

static void turn_second(struct xf_dial *d)
{
    turn_first(d);
    xf_dial_result(d, 0, false);
    assert_next(d, 10, XF_DIAL_START, 1);
}

static const struct {
    const char *name;
    void (*enter)(struct xf_dial *d);
} ways[] = {
    { "no address", none },
    { "three addresses", fresh },
    { "first under way", first_trying },
    { "two under way", two_trying },
    { "first failed", first_failed },
    { "all under way", all_trying },
    { "last under way", last_trying },
    { "all failed", all_failed },
    { "second won", second_won },
    { "second won, first too late", two_well },
    { "second in use", used },
    { "given up", gave_up },
    { "in turn, three addresses", turn_fresh },
    { "in turn, first under way", turn_first },
    { "in turn, second under way", turn_second },
};

/* `now` of the questions that follow; a result before them, or none. */
static const struct {
    const char *name;
    int index; /* -1: no result */
    bool well;
    int64_t now;
} inputs[] = {
    { "asked at 20", -1, false, 20 },    { "asked at 29", -1, false, 29 },
    { "asked at 30", -1, false, 30 },    { "asked at 99", -1, false, 99 },
    { "asked at 100", -1, false, 100 },  { "asked at 110", -1, false, 110 },
    { "asked at 120", -1, false, 120 },  { "asked at 219", -1, false, 219 },
    { "asked at 220", -1, false, 220 },  { "0 well, at 20", 0, true, 20 },
    { "0 failed, at 20", 0, false, 20 }, { "1 well, at 20", 1, true, 20 },
    { "1 failed, at 20", 1, false, 20 }, { "2 well, at 20", 2, true, 20 },
    { "2 failed, at 20", 2, false, 20 }, { "2 well, at 220", 2, true, 220 },
    { "3 well, at 20", 3, true, 20 },    { "99 failed, at 20", 99, false, 20 },
};

static void print_tries(FILE *out, const struct xf_dial *d)
{
    fprintf(out, "[");
    for (size_t i = 0; i < d->count; i++)
        fprintf(out, "%s%s", i ? " " : "", tries[d->tries[i]]);
    fprintf(out, "]");
}

static void print_deadline(FILE *out, int64_t deadline)
{
    if (deadline == INT64_MIN)
        fprintf(out, " due now\n");
    else if (deadline == INT64_MAX)
        fprintf(out, " due never\n");
    else
        fprintf(out, " due %d\n", (int)deadline);
}

static void row(FILE *out, const struct xf_dial *from, size_t i)
{
    struct xf_dial d = *from;
    struct xf_dial_todo todo;
    int said = 0;

    if (inputs[i].index >= 0)
        xf_dial_result(&d, (size_t)inputs[i].index, inputs[i].well);
    fprintf(out, "  %-16s ->", inputs[i].name);
    do {
        todo = xf_dial_next(&d, inputs[i].now);
        assert_true(said++ < 10);
        fprintf(out, " %s", dos[todo.what]);
        if (todo.what == XF_DIAL_START || todo.what == XF_DIAL_DROP ||
            todo.what == XF_DIAL_USE)
            fprintf(out, " %zu", todo.index);
        fprintf(out, ",");
    } while (todo.what == XF_DIAL_START || todo.what == XF_DIAL_DROP);
    fprintf(out, " ");
    print_tries(out, &d);
    print_deadline(out, xf_dial_deadline(&d));
    assert_true(d.over || xf_dial_deadline(&d) > inputs[i].now);
}

static void dial_does_as_the_table_says(void **state)
{
    struct table t;

    (void)state;
    table_begin(&t, "dial");
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct xf_dial d;

        ways[i].enter(&d);
        fprintf(t.out, "%s ", ways[i].name);
        print_tries(t.out, &d);
        print_deadline(t.out, xf_dial_deadline(&d));
        for (size_t j = 0; j < COUNT(inputs); j++)
            row(t.out, &d, j);
    }
    table_check(&t);
}

/* --- scripts with the plans of the house -------------------------------- */

static void silent_addresses_end_after_12_seconds(void **state)
{
    struct xf_dial d;

    (void)state;
    xf_dial_init(&d, &xf_dial_staggered, 32, 1000);
    for (size_t i = 0; i < 20; i++) {
        assert_next(&d, 1000 + 250 * (int64_t)i, XF_DIAL_START, i);
        assert_next(&d, 1000 + 250 * (int64_t)i, XF_DIAL_NOTHING, 0);
    }
    /* 5 s are over: the first goes, and the next need not wait. */
    assert_int_equal(xf_dial_deadline(&d), 6000);
    assert_next(&d, 6000, XF_DIAL_DROP, 0);
    assert_next(&d, 6000, XF_DIAL_START, 20);
    assert_next(&d, 6000, XF_DIAL_NOTHING, 0);
    for (size_t i = 1; i < 21; i++)
        assert_next(&d, 13000, XF_DIAL_DROP, i);
    assert_next(&d, 13000, XF_DIAL_GIVE_UP, 0);
    assert_next(&d, 13000, XF_DIAL_NOTHING, 0);
    assert_int_equal(xf_dial_deadline(&d), INT64_MAX);
}

static void refused_addresses_end_at_once(void **state)
{
    struct xf_dial d;

    (void)state;
    xf_dial_init(&d, &xf_dial_staggered, 5, 0);
    for (size_t i = 0; i < 5; i++) {
        assert_next(&d, 3, XF_DIAL_START, i);
        assert_next(&d, 3, XF_DIAL_NOTHING, 0);
        xf_dial_result(&d, i, false);
    }
    assert_next(&d, 3, XF_DIAL_GIVE_UP, 0);
}

static void losers_are_dropped_before_the_winner_is_used(void **state)
{
    struct xf_dial d;

    (void)state;
    xf_dial_init(&d, &xf_dial_staggered, 4, 0);
    for (size_t i = 0; i < 4; i++)
        assert_next(&d, 250 * (int64_t)i, XF_DIAL_START, i);
    xf_dial_result(&d, 2, true);
    xf_dial_result(&d, 0, true); /* in the same moment: second is second */
    xf_dial_result(&d, 3, false);
    assert_next(&d, 800, XF_DIAL_DROP, 0);
    assert_next(&d, 800, XF_DIAL_DROP, 1);
    assert_next(&d, 800, XF_DIAL_USE, 2);
    assert_next(&d, 800, XF_DIAL_NOTHING, 0);
    xf_dial_result(&d, 2, false); /* the stream's business from here on */
    assert_next(&d, 20000, XF_DIAL_NOTHING, 0);
}

/* A handshake done in time is not lost to a loop that was slow to ask. */
static void a_result_counts_even_if_asked_for_late(void **state)
{
    struct xf_dial d;

    (void)state;
    xf_dial_init(&d, &xf_dial_staggered, 1, 0);
    assert_next(&d, 0, XF_DIAL_START, 0);
    xf_dial_result(&d, 0, true);
    assert_next(&d, 99000, XF_DIAL_USE, 0);
}

static void two_dead_hosts_do_not_starve_the_proxy_of_libpurple(void **state)
{
    struct xf_dial d;

    (void)state;
    xf_dial_init(&d, &xf_dial_in_turn, 3, 0);
    assert_next(&d, 0, XF_DIAL_START, 0);
    assert_int_equal(xf_dial_deadline(&d), 3000);
    assert_next(&d, 2999, XF_DIAL_NOTHING, 0);
    assert_next(&d, 3000, XF_DIAL_DROP, 0);
    assert_next(&d, 3000, XF_DIAL_START, 1);
    assert_next(&d, 6000, XF_DIAL_DROP, 1);
    assert_next(&d, 6000, XF_DIAL_START, 2);
    xf_dial_result(&d, 2, true);
    assert_next(&d, 6500, XF_DIAL_USE, 2);
}

static void no_more_than_32_are_tried(void **state)
{
    static const struct xf_dial_plan at_once = { 0, 100, 100 };
    struct xf_dial d;

    (void)state;
    xf_dial_init(&d, &at_once, 1000, 0);
    for (size_t i = 0; i < XF_DIAL_MAX; i++)
        assert_next(&d, 0, XF_DIAL_START, i);
    assert_next(&d, 0, XF_DIAL_NOTHING, 0);
}

/* --- races -------------------------------------------------------------- */

/* What the caller of a dial knows: which sockets are open. */
struct world {
    struct xf_dial d;
    bool open[XF_DIAL_MAX], started[XF_DIAL_MAX];
    size_t count, open_count;
    bool over;
    int won;
};

static void obey(struct world *w, int64_t now)
{
    for (;;) {
        struct xf_dial_todo todo = xf_dial_next(&w->d, now);

        assert_false(w->over && todo.what != XF_DIAL_NOTHING);
        switch (todo.what) {
        case XF_DIAL_NOTHING:
            return;
        case XF_DIAL_START:
            assert_false(w->started[todo.index]);
            assert_true(todo.index < w->count);
            w->started[todo.index] = w->open[todo.index] = true;
            w->open_count++;
            assert_true(w->d.plan.stagger_ms >= 0 || w->open_count == 1);
            break;
        case XF_DIAL_DROP:
            assert_true(w->open[todo.index]);
            w->open[todo.index] = false;
            w->open_count--;
            break;
        case XF_DIAL_USE:
            assert_int_equal(todo.index, w->won);
            assert_true(w->open[todo.index]);
            assert_int_equal(w->open_count, 1);
            w->over = true;
            break;
        case XF_DIAL_GIVE_UP:
            assert_int_equal(w->won, -1);
            assert_int_equal(w->open_count, 0);
            w->over = true;
            break;
        }
    }
}

static void happen(struct world *w, size_t index, bool well)
{
    if (w->open[index] && !well) {
        w->open[index] = false;
        w->open_count--;
    }
    if (w->open[index] && well && w->won < 0)
        w->won = (int)index;
    xf_dial_result(&w->d, index, well);
}

static void every_race_ends_with_one_or_none_and_nothing_open(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct xf_dial_plan p = { (int64_t)(next_number(&seed) % 40) - 5,
                                  1 + next_number(&seed) % 100,
                                  1 + next_number(&seed) % 300 };
        struct world w = { .count = next_number(&seed) % 9, .won = -1 };
        int64_t now = (int64_t)next_number(&seed);
        int64_t end = now + p.total_ms;

        xf_dial_init(&w.d, &p, w.count, now);
        obey(&w, now);
        while (!w.over) {
            int64_t due = xf_dial_deadline(&w.d);

            assert_true(due > now && due <= end);
            if (w.count && next_number(&seed) % 2) {
                happen(&w, next_number(&seed) % w.count,
                       next_number(&seed) % 8 == 0);
                now += next_number(&seed) % 3;
            } else {
                now = due;
            }
            obey(&w, now);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dial_does_as_the_table_says),
        cmocka_unit_test(silent_addresses_end_after_12_seconds),
        cmocka_unit_test(refused_addresses_end_at_once),
        cmocka_unit_test(losers_are_dropped_before_the_winner_is_used),
        cmocka_unit_test(a_result_counts_even_if_asked_for_late),
        cmocka_unit_test(two_dead_hosts_do_not_starve_the_proxy_of_libpurple),
        cmocka_unit_test(no_more_than_32_are_tried),
        cmocka_unit_test(every_race_ends_with_one_or_none_and_nothing_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
