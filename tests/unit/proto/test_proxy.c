/* The matcher of a proxy: every input in every state, and in any order. */
#include "proto/proxy.h"

#include "base/sys.h"
#include "table.h"

static const uint64_t secret[2] = { 1, 2 };

#define HASH "0123456789abcdef0123456789abcdef01234567"
#define OTHER "0123456789ABCDEF0123456789abcdef01234567"
#define ROMEO "romeo@example.net/orchard"
#define TYBALT "tybalt@example.net/street"
#define NOW 1000
#define WAIT 60000

static int a, b, c, request, request2;

static struct xf_pair *pair_of(struct xf_matcher *m)
{
    struct xf_pair *pair;

    xf_matcher_look(m, HASH, 0, &pair);
    return pair;
}

static enum xf_match join(struct xf_matcher *m, const char *hash, void *side,
                          size_t max)
{
    struct xf_pair *pair;

    return xf_matcher_connect(m, hash, side, NOW, NOW + WAIT, max, &pair);
}

static void clear(struct xf_matcher *m)
{
    struct xf_pair *pair;

    while ((pair = xf_matcher_waiting(m)) != NULL ||
           (pair = xf_matcher_flowing(m)) != NULL) {
        xf_matcher_unhold(m, pair);
        xf_matcher_end(m, pair);
    }
    assert_int_equal(m->ones + m->twos + m->active, 0);
    assert_int_equal(xf_matcher_deadline(m), INT64_MAX);
    xf_matcher_clear(m);
}

/* --- ways into each state ------------------------------------------------- */

static void unknown(struct xf_matcher *m)
{
    xf_matcher_init(m, secret);
}

static void one(struct xf_matcher *m)
{
    unknown(m);
    join(m, HASH, &a, 0);
}

static void asked(struct xf_matcher *m)
{
    one(m);
    assert_true(xf_matcher_hold(m, pair_of(m), &request, NOW));
}

static void two(struct xf_matcher *m)
{
    one(m);
    join(m, HASH, &b, 0);
}

static void active(struct xf_matcher *m)
{
    two(m);
    assert_true(xf_matcher_activate(m, pair_of(m), ROMEO));
}

static const struct {
    const char *name;
    void (*enter)(struct xf_matcher *m);
} ways[] = {
    { "unknown", unknown }, { "ONE", one },       { "ONE, asked", asked },
    { "TWO", two },         { "ACTIVE", active },
};

/* --- what may happen ------------------------------------------------------- */

static const char *const matches[] = { "FIRST", "SECOND", "THIRD", "FULL",
                                       "NO_MEMORY" };
static const char *const asks[] = { "UNKNOWN", "ONE", "READY", "AGAIN" };
static const char *const states[] = { "ONE", "TWO", "ACTIVE" };

static const char *connects(struct xf_matcher *m)
{
    return matches[join(m, HASH, &c, 0)];
}

static const char *connect_at_the_limit(struct xf_matcher *m)
{
    return matches[join(m, HASH, &c, 1)];
}

static const char *connect_another(struct xf_matcher *m)
{
    return matches[join(m, OTHER, &c, 1)];
}

static const char *first_leaves(struct xf_matcher *m)
{
    struct xf_pair *pair = pair_of(m);

    if (!pair || pair->state == XF_PAIR_ACTIVE || pair->held)
        return "may not be";
    xf_matcher_left(m, pair, pair->sides[0]);
    return "-";
}

static const char *second_leaves(struct xf_matcher *m)
{
    struct xf_pair *pair = pair_of(m);

    if (!pair || pair->state != XF_PAIR_TWO)
        return "may not be";
    xf_matcher_left(m, pair, &b);
    return "-";
}

static const char *ask(struct xf_matcher *m)
{
    struct xf_pair *pair;
    enum xf_ask told = xf_matcher_ask(m, HASH, ROMEO, &pair);

    assert_int_equal(pair == NULL, told == XF_ASK_UNKNOWN);
    return asks[told];
}

static const char *another_asks(struct xf_matcher *m)
{
    struct xf_pair *pair;
    enum xf_ask told = xf_matcher_ask(m, HASH, TYBALT, &pair);

    assert_int_equal(pair == NULL, told == XF_ASK_UNKNOWN);
    return asks[told];
}

static const char *hold(struct xf_matcher *m)
{
    struct xf_pair *pair = pair_of(m);

    if (!pair || pair->state != XF_PAIR_ONE)
        return "may not be";
    return xf_matcher_hold(m, pair, &request2, NOW) ? "held" : "refused";
}

static const char *activate(struct xf_matcher *m)
{
    struct xf_pair *pair = pair_of(m);

    if (!pair || pair->state != XF_PAIR_TWO)
        return "may not be";
    return xf_matcher_activate(m, pair, ROMEO) ? "with an id" : "no";
}

static const char *time_passes(struct xf_matcher *m)
{
    struct xf_pair *pair;

    assert_null(xf_matcher_expired(m, NOW + WAIT - 1));
    assert_null(xf_matcher_held(m, NOW + XF_PAIR_HOLD_MS - 1));
    pair = xf_matcher_held(m, NOW + XF_PAIR_HOLD_MS);
    if (pair) {
        assert_ptr_equal(xf_matcher_unhold(m, pair), &request);
        return "held is due, then the pair";
    }
    pair = xf_matcher_expired(m, NOW + WAIT);
    if (!pair)
        return "nothing is due";
    xf_matcher_end(m, pair);
    return "the pair is due";
}

static const char *end(struct xf_matcher *m)
{
    struct xf_pair *pair = xf_matcher_by_id(m, 1);

    if (!pair)
        return "may not be";
    xf_matcher_end(m, pair);
    return "-";
}

static const struct {
    const char *name;
    const char *(*fn)(struct xf_matcher *m);
} inputs[] = {
    { "connect", connects },
    { "connect, at the limit", connect_at_the_limit },
    { "connect, another hash, full", connect_another },
    { "the first leaves", first_leaves },
    { "the second leaves", second_leaves },
    { "ask", ask },
    { "another asks", another_asks },
    { "hold", hold },
    { "activate", activate },
    { "time passes", time_passes },
    { "end", end },
};

static void every_input_in_every_state_is_as_in_the_table(void **state)
{
    struct table t;

    (void)state;
    table_begin(&t, "proxy");
    for (size_t w = 0; w < COUNT(ways); w++) {
        fprintf(t.out, "%s\n", ways[w].name);
        for (size_t i = 0; i < COUNT(inputs); i++) {
            struct xf_matcher m;
            struct xf_pair *pair;
            const char *told;

            ways[w].enter(&m);
            told = inputs[i].fn(&m);
            pair = pair_of(&m);
            fprintf(t.out, "  %-28s -> %-8s %s\n", inputs[i].name,
                    pair ? states[pair->state] : "-", told);
            clear(&m);
        }
    }
    table_check(&t);
}

/* --- what else must hold ---------------------------------------------------- */

static void the_case_of_a_hash_counts(void **state)
{
    struct xf_matcher m;

    (void)state;
    one(&m);
    assert_int_equal(join(&m, OTHER, &b, 0), XF_MATCH_FIRST);
    assert_int_equal(m.ones, 2);
    clear(&m);
}

static void a_third_changes_nothing(void **state)
{
    struct xf_matcher m;
    struct xf_pair *pair;

    (void)state;
    two(&m);
    assert_int_equal(join(&m, HASH, &c, 0), XF_MATCH_THIRD);
    pair = pair_of(&m);
    assert_ptr_equal(pair->sides[0], &a);
    assert_ptr_equal(pair->sides[1], &b);
    assert_int_equal(xf_matcher_ask(&m, HASH, ROMEO, &pair), XF_ASK_READY);
    clear(&m);
}

static void who_stays_moves_to_the_front(void **state)
{
    struct xf_matcher m;
    struct xf_pair *pair;

    (void)state;
    two(&m);
    xf_matcher_left(&m, pair_of(&m), &a);
    pair = pair_of(&m);
    assert_ptr_equal(pair->sides[0], &b);
    assert_null(pair->sides[1]);
    assert_int_equal(join(&m, HASH, &c, 0), XF_MATCH_SECOND);
    assert_ptr_equal(pair->sides[1], &c);
    clear(&m);
}

static void a_held_request_outlives_its_second_connection(void **state)
{
    struct xf_matcher m;
    struct xf_pair *pair;

    (void)state;
    asked(&m);
    pair = pair_of(&m);
    assert_int_equal(join(&m, HASH, &b, 0), XF_MATCH_SECOND);
    assert_ptr_equal(pair->held, &request);
    assert_ptr_equal(xf_matcher_unhold(&m, pair), &request);
    assert_null(xf_matcher_unhold(&m, pair));
    assert_int_equal(xf_matcher_deadline(&m), NOW + WAIT);
    clear(&m);
}

static void ids_are_never_used_again(void **state)
{
    struct xf_matcher m;
    struct xf_pair *pair;

    (void)state;
    active(&m);
    assert_int_equal(pair_of(&m)->id, 1);
    xf_matcher_end(&m, xf_matcher_by_id(&m, 1));
    assert_null(xf_matcher_by_id(&m, 1));
    join(&m, HASH, &a, 0);
    join(&m, HASH, &b, 0);
    pair = pair_of(&m);
    assert_true(xf_matcher_activate(&m, pair, TYBALT));
    assert_int_equal(pair->id, 2);
    assert_null(xf_matcher_by_id(&m, 1));
    assert_ptr_equal(xf_matcher_by_id(&m, 2), pair);
    clear(&m);
}

static int no_memory(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    return call == XF_SYS_ALLOC ? 12 /* ENOMEM */ : 0;
}

static void without_memory_nothing_has_changed(void **state)
{
    struct xf_matcher m;

    (void)state;
    two(&m);
    xf_sys_set_gate(no_memory, NULL);
    assert_int_equal(join(&m, OTHER, &c, 0), XF_MATCH_NO_MEMORY);
    assert_false(xf_matcher_activate(&m, pair_of(&m), ROMEO));
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(m.ones, 0);
    assert_int_equal(m.twos, 1);
    assert_true(xf_matcher_activate(&m, pair_of(&m), ROMEO));
    clear(&m);
}

/* --- any order --------------------------------------------------------------- */

#define HASHES 8
#define ROUNDS 200000

/* What the matcher should know, kept in the plainest way. */
struct model {
    int sides; /* 0, 1, 2; 3: active */
    bool held;
    uint64_t id;
    int64_t deadline, held_until;
};

struct play {
    struct xf_matcher m;
    struct model model[HASHES];
    char hash[HASHES][41];
    uint64_t ids, seed;
    int64_t now;
};

static struct xf_pair *at(struct play *p, size_t i)
{
    struct xf_pair *pair;

    xf_matcher_look(&p->m, p->hash[i], 0, &pair);
    return pair;
}

static void play_connect(struct play *p, size_t i)
{
    struct model *mo = &p->model[i];
    struct xf_pair *pair;
    enum xf_match got =
        xf_matcher_connect(&p->m, p->hash[i], mo->sides ? &b : &a, p->now,
                           p->now + WAIT, 0, &pair);

    assert_int_equal(got, mo->sides == 0   ? XF_MATCH_FIRST
                          : mo->sides == 1 ? XF_MATCH_SECOND
                                           : XF_MATCH_THIRD);
    if (mo->sides == 0)
        mo->deadline = p->now + WAIT;
    if (got == XF_MATCH_SECOND) {
        assert_int_equal(xf_matcher_unhold(&p->m, pair) != NULL, mo->held);
        mo->held = false;
    }
    if (mo->sides < 2)
        mo->sides++;
}

static void play_ask(struct play *p, size_t i)
{
    static const enum xf_ask want[] = { XF_ASK_UNKNOWN, XF_ASK_ONE,
                                        XF_ASK_READY, XF_ASK_AGAIN };
    struct model *mo = &p->model[i];
    struct xf_pair *pair;

    assert_int_equal(xf_matcher_ask(&p->m, p->hash[i], ROMEO, &pair),
                     want[mo->sides]);
    if (mo->sides == 1) {
        assert_int_equal(xf_matcher_hold(&p->m, pair, &request, p->now),
                         !mo->held);
        if (!mo->held)
            mo->held_until = p->now + XF_PAIR_HOLD_MS;
        mo->held = true;
    } else if (mo->sides == 2) {
        assert_true(xf_matcher_activate(&p->m, pair, ROMEO));
        mo->sides = 3;
        mo->id = pair->id;
        assert_int_equal(mo->id, ++p->ids);
    }
}

static void play_leave(struct play *p, size_t i)
{
    struct model *mo = &p->model[i];

    if ((mo->sides != 1 && mo->sides != 2) || mo->held)
        return;
    xf_matcher_left(&p->m, at(p, i), at(p, i)->sides[0]);
    mo->sides--;
}

static void play_end(struct play *p, size_t i)
{
    struct model *mo = &p->model[i];

    if (mo->sides != 3)
        return;
    xf_matcher_end(&p->m, xf_matcher_by_id(&p->m, mo->id));
    mo->sides = 0;
}

static void play_time(struct play *p, size_t step)
{
    struct xf_pair *pair;

    p->now += (int64_t)(step * step * step * 50);
    while ((pair = xf_matcher_held(&p->m, p->now)) != NULL)
        xf_matcher_unhold(&p->m, pair);
    while ((pair = xf_matcher_expired(&p->m, p->now)) != NULL) {
        xf_matcher_unhold(&p->m, pair);
        xf_matcher_end(&p->m, pair);
    }
    for (size_t i = 0; i < HASHES; i++) {
        struct model *mo = &p->model[i];

        if (mo->held && mo->held_until <= p->now)
            mo->held = false;
        if ((mo->sides == 1 || mo->sides == 2) && mo->deadline <= p->now) {
            mo->sides = 0;
            mo->held = false;
        }
    }
}

static void compare(struct play *p)
{
    size_t counts[4] = { 0 };

    for (size_t i = 0; i < HASHES; i++) {
        struct model *mo = &p->model[i];
        struct xf_pair *pair = at(p, i);

        counts[mo->sides]++;
        assert_int_equal(pair != NULL, mo->sides != 0);
        if (pair)
            assert_int_equal(pair->held != NULL, mo->held);
    }
    assert_int_equal(p->m.ones, counts[1]);
    assert_int_equal(p->m.twos, counts[2]);
    assert_int_equal(p->m.active, counts[3]);
}

static void any_order_gives_what_a_plain_model_gives(void **state)
{
    static void (*const acts[])(struct play *, size_t) = {
        play_connect, play_connect, play_ask, play_leave, play_end, play_time,
    };
    struct play p = { .seed = 42 };

    (void)state;
    xf_matcher_init(&p.m, secret);
    for (size_t i = 0; i < HASHES; i++)
        snprintf(p.hash[i], sizeof p.hash[i], "%040zu", i);
    for (int round = 0; round < ROUNDS; round++) {
        uint32_t lot = next_number(&p.seed);

        acts[lot % COUNT(acts)](&p, (lot >> 8) % HASHES);
        compare(&p);
    }
    assert_true(p.ids > 100);
    clear(&p.m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_in_every_state_is_as_in_the_table),
        cmocka_unit_test(the_case_of_a_hash_counts),
        cmocka_unit_test(a_third_changes_nothing),
        cmocka_unit_test(who_stays_moves_to_the_front),
        cmocka_unit_test(a_held_request_outlives_its_second_connection),
        cmocka_unit_test(ids_are_never_used_again),
        cmocka_unit_test(without_memory_nothing_has_changed),
        cmocka_unit_test(any_order_gives_what_a_plain_model_gives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
