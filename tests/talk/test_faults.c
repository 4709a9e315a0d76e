/*
 * One stanza of a transfer between two of ours is lost, or comes twice,
 * whichever it is: the file is whole, or both ends say that it is not. Minutes
 * pass by a clock that leaps.
 */
#include "talk.h"

#include "leap.h"

#define SIZE 100000
#define ROUNDS 20000
#define HOURS (2 * 3600000)

static int due_in(const struct talk *t)
{
    int soon = 60000;

    for (int i = 0; i < TALK_SIDES; i++) {
        int ms = xf_session_timeout(t->side[i].s);

        if (ms >= 0 && ms < soon)
            soon = ms;
    }
    return soon;
}

/* Like talk_until_over(), but nobody waits. */
static bool come_to_an_end(struct talk *t)
{
    int64_t end = talk_now() + HOURS;
    size_t said = 0;
    unsigned quiet = 0;

    for (int i = 0; i < ROUNDS && talk_now() < end; i++) {
        int due;

        talk_run(t, 0);
        if (t->side[R].ends > 0 && t->side[J].ends == t->side[J].offers &&
            !t->way)
            return true;
        due = due_in(t);
        quiet = said == t->trail_count && due > 0 ? quiet + 1 : 0;
        said = t->trail_count;
        if (quiet > 3)
            talk_leap(due);
    }
    return false;
}

static struct talk *begin(enum xf_via via, enum talk_who who, unsigned nth,
                          enum talk_do what)
{
    struct talk *t = talk_new();

    t->side[R].config.via[0] = via;
    t->side[R].config.via[1] = XF_VIA_NONE;
    t->side[R].config.block_size = 32768;
    if (nth > 0)
        (void)talk_rule(t, who, "<", nth, what);
    return t;
}

static void check(struct talk *t, const char *what)
{
    const struct talk_note *sent = talk_note(t, R, XF_EVENT_DONE, 1);
    const struct talk_note *got = talk_note(t, J, XF_EVENT_DONE, 1);

    if (sent && sent->confirmed && !got)
        fail_msg("%s: confirmed, and not there", what);
    if (sent && sent->verified == XF_VERIFIED &&
        (!got || got->verified != XF_VERIFIED))
        fail_msg("%s: compared by nobody", what);
    if (got)
        talk_check_same(t, "a.bin", "a.bin");
    else
        talk_check_no_names(t);
    assert_int_equal(t->side[R].ends, 1);
}

/* How many were whole, of how many. */
struct tally {
    unsigned whole, all;
};

static void try_each(enum xf_via via, enum talk_do what, bool broken,
                     struct tally *tally)
{
    for (int who = 0; who < TALK_SIDES; who++) {
        for (unsigned nth = 1;; nth++) {
            struct talk *t = begin(via, (enum talk_who)who, nth, what);
            char label[64];
            bool over, used;

            snprintf(label, sizeof label, "%s %s %u, via %d%s",
                     what == TALK_DROP ? "lost" : "doubled",
                     who == R ? "R" : "J", nth, via, broken ? ", broken" : "");
            if (broken && via == XF_VIA_DIRECT) {
                talk_relay_put(t);
                talk_relay_cut(t->relay, 1, 50000, TALK_END);
            } else if (broken) {
                talk_error(t, R, "seq=\"1\"", 1, TALK_NOT_FOUND);
            }
            talk_begin(t);
            talk_offer_new(t, "a.bin", SIZE);
            over = come_to_an_end(t);
            used = t->rules[0].seen >= nth;
            if (used && !over)
                fail_msg("%s: does not end: %u, %u", label, t->side[R].ends,
                         t->side[J].ends);
            if (used) {
                check(t, label);
                tally->all++;
                if (talk_note(t, J, XF_EVENT_DONE, 1) &&
                    talk_note(t, R, XF_EVENT_DONE, 1))
                    tally->whole++;
                else
                    print_message(
                        "# %s: R %d J %d\n", label,
                        talk_note(t, R, XF_EVENT_FAILED, 1)
                            ? talk_note(t, R, XF_EVENT_FAILED, 1)->code
                            : 0,
                        talk_note(t, J, XF_EVENT_FAILED, 1)
                            ? talk_note(t, J, XF_EVENT_FAILED, 1)->code
                            : 0);
            }
            t->parts_stay = true;
            talk_free(t);
            if (!used)
                break;
        }
    }
}

static void any_stanza_may_come_twice(void **state)
{
    struct tally tally = { 0 };

    (void)state;
    for (int broken = 0; broken < 2; broken++) {
        try_each(XF_VIA_IBB, TALK_DOUBLE, broken, &tally);
        try_each(XF_VIA_DIRECT, TALK_DOUBLE, broken, &tally);
    }
    print_message("# %u of %u whole\n", tally.whole, tally.all);
    assert_int_equal(tally.whole, tally.all);
}

static void any_stanza_may_be_lost(void **state)
{
    struct tally tally = { 0 };

    (void)state;
    for (int broken = 0; broken < 2; broken++) {
        try_each(XF_VIA_IBB, TALK_DROP, broken, &tally);
        try_each(XF_VIA_DIRECT, TALK_DROP, broken, &tally);
    }
    print_message("# %u of %u whole\n", tally.whole, tally.all);
    /* The rest: what nobody heard of, what a person was to answer, what was
     * refused before the first stream, and a block that nobody answers. */
    assert_true(tally.whole * 3 > tally.all * 2);
}

static void show(const struct talk *t)
{
    for (size_t i = 0; i < t->trail_count; i++)
        print_message("%s %ld: %.330s\n", t->trail[i].from == R ? "R" : "J",
                      (long)(t->trail[i].at_ms - t->trail[0].at_ms),
                      t->trail[i].xml);
    for (int i = 0; i < TALK_SIDES; i++)
        for (size_t j = 0; j < t->side[i].notes_count; j++)
            print_message("%s: event %d via %d attempt %d code %d %s\n",
                          i == R ? "R" : "J", t->side[i].notes[j].type,
                          t->side[i].notes[j].via, t->side[i].notes[j].attempt,
                          t->side[i].notes[j].code, t->side[i].notes[j].text);
}

static void one(void **state)
{
    int who = atoi(getenv("WHO")), nth = atoi(getenv("NTH"));
    enum xf_via via = (enum xf_via)atoi(getenv("VIA"));
    struct talk *t = begin(via, (enum talk_who)who, (unsigned)nth,
                           getenv("DROP") ? TALK_DROP : TALK_DOUBLE);

    (void)state;
    if (getenv("BROKEN") && via == XF_VIA_DIRECT) {
        talk_relay_put(t);
        talk_relay_cut(t->relay, 1, 50000, TALK_END);
    } else if (getenv("BROKEN")) {
        talk_error(t, R, "seq=\"1\"", 1, TALK_NOT_FOUND);
    }
    talk_begin(t);
    talk_offer_new(t, "a.bin", SIZE);
    (void)come_to_an_end(t);
    show(t);
    t->parts_stay = true;
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest first[] = { cmocka_unit_test(one) };

    if (getenv("NTH"))
        return cmocka_run_group_tests(first, NULL, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_stanza_may_come_twice),
        cmocka_unit_test(any_stanza_may_be_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
