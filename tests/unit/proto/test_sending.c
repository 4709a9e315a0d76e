/* The ladder of the one who offers: every input in every state, and walks. */
#include "proto/sending.h"

#include <xferry/error.h>

#include "table.h"

static const char *const states[] = { "RESOLVING",  "PREPARING", "OFFERED",
                                      "CONNECTING", "OPENING",   "MOVING",
                                      "CONFIRMING", "OVER" };
static const char *const todos[] = { "-",       "PREPARE", "OFFER",
                                     "TRY_S5B", "TRY_IBB", "TRY_IBB_BESIDE",
                                     "MOVE",    "SWITCH",  "ASK",
                                     "LOOK",    "FINISH",  "FAIL" };

/* --- what may be allowed, and to whom ------------------------------------- */

#define WAYS (XF_WAY_DIRECT | XF_WAY_PROXY | XF_WAY_IBB)

static const struct xf_sending_rules unknown = {
    .methods_count = 2,
    .methods = { XF_METHOD_S5B, XF_METHOD_IBB },
    .ibb_same_sid = true,
    .second_offer = true,
    .ways = WAYS,
};
static const struct xf_sending_rules smack = {
    .methods_count = 2,
    .methods = { XF_METHOD_S5B, XF_METHOD_IBB },
    .second_offer = true,
    .ways = WAYS,
};
static const struct xf_sending_rules classic = {
    .methods_count = 2,
    .methods = { XF_METHOD_S5B, XF_METHOD_IBB },
    .ibb_same_sid = true,
    .ways = WAYS,
};
static const struct xf_sending_rules ibb_only = {
    .methods_count = 1,
    .methods = { XF_METHOD_IBB },
    .ibb_same_sid = true,
    .second_offer = true,
    .ways = WAYS,
};
static const struct xf_sending_rules s5b_only = {
    .methods_count = 1,
    .methods = { XF_METHOD_S5B },
    .ibb_same_sid = true,
    .second_offer = true,
    .ways = WAYS,
};
static const struct xf_sending_rules ibb_first = {
    .methods_count = 2,
    .methods = { XF_METHOD_IBB, XF_METHOD_S5B },
    .ibb_same_sid = true,
    .second_offer = true,
    .ways = WAYS,
};
static const struct xf_sending_rules ours = {
    .methods_count = 2,
    .methods = { XF_METHOD_S5B, XF_METHOD_IBB },
    .ibb_same_sid = true,
    .second_offer = true,
    .goes_on = true,
    .ways = WAYS,
};

/* --- the inputs ----------------------------------------------------------- */

static const struct xf_offer_answer s5b = { .count = 1,
                                            .methods = { XF_METHOD_S5B } };
static const struct xf_offer_answer ibb = { .count = 1,
                                            .methods = { XF_METHOD_IBB } };
static const struct xf_offer_answer both = {
    .count = 2, .methods = { XF_METHOD_S5B, XF_METHOD_IBB }
};

enum {
    PEER,
    READY,
    S5B,
    IBB,
    BOTH,
    NO,
    NO_TEXT,
    OPEN,
    OPEN_BESIDE,
    FAILED,
    FAILED_BESIDE,
    LATE,
    MOVED,
    RECEIPT,
    NO_RECEIPT,
    WHOLE,
    NO_PEER,
    NO_PEER_YET,
    BROKEN,
    PROXY_BROKEN,
    IBB_BROKEN,
    FRUITLESS,
    DISK,
    MIXED_UP,
    AWAY,
    STOP,
    INPUTS
};

static const struct {
    const char *name;
    struct xf_sending_input in;
} inputs[INPUTS] = {
    [PEER] = { "peer", { .kind = XF_SENDING_PEER } },
    [READY] = { "ready", { .kind = XF_SENDING_READY } },
    [S5B] = { "accepted s5b", { .kind = XF_SENDING_ACCEPTED, .answer = &s5b } },
    [IBB] = { "accepted ibb", { .kind = XF_SENDING_ACCEPTED, .answer = &ibb } },
    [BOTH] = { "accepted both",
               { .kind = XF_SENDING_ACCEPTED, .answer = &both } },
    [NO] = { "refused, in words",
             { .kind = XF_SENDING_REFUSED,
               .code = XF_E_DECLINED,
               .text = "not now" } },
    [NO_TEXT] = { "refused",
                  { .kind = XF_SENDING_REFUSED, .code = XF_E_NOMETHOD } },
    [OPEN] = { "open", { .kind = XF_SENDING_OPEN } },
    [OPEN_BESIDE] = { "open, blocks go",
                      { .kind = XF_SENDING_OPEN, .beside = true } },
    [FAILED_BESIDE] = { "failed, blocks go",
                        { .kind = XF_SENDING_FAILED,
                          .beside = true,
                          .code = XF_E_CONNECT,
                          .text = "no route" } },
    [LATE] = { "late", { .kind = XF_SENDING_LATE } },
    [FAILED] = { "failed",
                 { .kind = XF_SENDING_FAILED,
                   .code = XF_E_CONNECT,
                   .text = "no route" } },
    [MOVED] = { "moved", { .kind = XF_SENDING_MOVED } },
    [RECEIPT] = { "receipt", { .kind = XF_SENDING_RECEIPT } },
    [NO_RECEIPT] = { "no receipt", { .kind = XF_SENDING_NO_RECEIPT } },
    [WHOLE] = { "accepted, all there",
                { .kind = XF_SENDING_ACCEPTED,
                  .answer = &s5b,
                  .whole = true } },
    [NO_PEER] = { "nobody there",
                  { .kind = XF_SENDING_REFUSED, .code = XF_E_NOPEER } },
    [NO_PEER_YET] = { "nobody there, yet",
                      { .kind = XF_SENDING_REFUSED,
                        .waits = true,
                        .code = XF_E_NOPEER } },
    [BROKEN] = { "broken",
                 { .kind = XF_SENDING_BROKEN,
                   .way = XF_WAY_DIRECT,
                   .progress = true,
                   .code = XF_E_GONE,
                   .text = "reset" } },
    [PROXY_BROKEN] = { "proxy broken",
                       { .kind = XF_SENDING_BROKEN,
                         .way = XF_WAY_PROXY,
                         .progress = true,
                         .code = XF_E_GONE,
                         .text = "proxy gone" } },
    [IBB_BROKEN] = { "in-band broken",
                     { .kind = XF_SENDING_BROKEN,
                       .way = XF_WAY_IBB,
                       .progress = true,
                       .code = XF_E_GONE,
                       .text = "forgotten" } },
    [FRUITLESS] = { "broken, no byte",
                    { .kind = XF_SENDING_BROKEN,
                      .way = XF_WAY_DIRECT,
                      .code = XF_E_SHORT,
                      .text = "closed" } },
    [DISK] = { "broken for good",
               { .kind = XF_SENDING_BROKEN,
                 .way = XF_WAY_DIRECT,
                 .final = true,
                 .progress = true,
                 .code = XF_E_IO,
                 .text = "read error" } },
    [AWAY] = { "away",
               { .kind = XF_SENDING_AWAY,
                 .progress = true,
                 .code = XF_E_STREAM,
                 .text = "no connection" } },
    [MIXED_UP] = { "broken, to begin anew",
                   { .kind = XF_SENDING_BROKEN,
                     .again = true,
                     .code = XF_E_PROTO,
                     .text = "blocks out of order" } },
    [STOP] = { "stop", { .kind = XF_SENDING_STOP, .code = XF_E_CANCELLED } },
};

static enum xf_sending_do feed(struct xf_sending *s, int input)
{
    return xf_sending_step(s, &inputs[input].in).what;
}

/* A rung has failed, as its streams tell it. */
static enum xf_sending_do rung_failed(struct xf_sending *s, const char *what,
                                      const char *why)
{
    xf_sending_note(s, what, why);
    return feed(s, FAILED);
}

/* --- the ways to a state --------------------------------------------------- */

#define WALK_MAX 12
#define END (-1)

static const struct way {
    const char *name;
    const struct xf_sending_rules *rules;
    bool can_s5b;
    int walk[WALK_MAX]; /* ends at END */
} ways[] = {
    { "at first", &unknown, true, { END } },
    { "the contact is known", &unknown, true, { PEER, END } },
    { "offered", &unknown, true, { PEER, READY, END } },
    { "offered to Smack", &smack, true, { PEER, READY, END } },
    { "offered in 2007", &classic, true, { PEER, READY, END } },
    { "known, no streamhost", &unknown, false, { PEER, END } },
    { "known, bytestream only, no streamhost",
      &s5b_only,
      false,
      { PEER, END } },
    { "offered, no streamhost", &unknown, false, { PEER, READY, END } },
    { "offered to Smack, no streamhost", &smack, false, { PEER, READY, END } },
    { "offered, in-band only", &ibb_only, true, { PEER, READY, END } },
    { "offered, bytestream only", &s5b_only, true, { PEER, READY, END } },
    { "offered, in-band first", &ibb_first, true, { PEER, READY, END } },
    { "one value", &unknown, true, { PEER, READY, S5B, END } },
    { "two values", &unknown, true, { PEER, READY, BOTH, END } },
    { "one value of Smack", &smack, true, { PEER, READY, S5B, END } },
    { "two values of Smack", &smack, true, { PEER, READY, BOTH, END } },
    { "one value of 2007", &classic, true, { PEER, READY, S5B, END } },
    { "bytestream only", &s5b_only, true, { PEER, READY, S5B, END } },
    { "in-band after the bytestream",
      &unknown,
      true,
      { PEER, READY, S5B, FAILED, END } },
    { "the same in 2007", &classic, true, { PEER, READY, BOTH, FAILED, END } },
    { "in-band only", &ibb_only, true, { PEER, READY, IBB, END } },
    { "in-band first", &ibb_first, true, { PEER, READY, BOTH, END } },
    { "in-band first has failed",
      &ibb_first,
      true,
      { PEER, READY, BOTH, FAILED, END } },
    { "offered again",
      &unknown,
      true,
      { PEER, READY, S5B, FAILED, FAILED, END } },
    { "offered again to Smack",
      &smack,
      true,
      { PEER, READY, S5B, FAILED, END } },
    { "in-band by the second offer",
      &unknown,
      true,
      { PEER, READY, S5B, FAILED, FAILED, IBB, END } },
    { "bytes on a bytestream",
      &unknown,
      true,
      { PEER, READY, S5B, OPEN, END } },
    { "bytes in-band", &ibb_only, true, { PEER, READY, IBB, OPEN, END } },
    { "a bytestream between two of ours",
      &ours,
      true,
      { PEER, READY, S5B, END } },
    { "in-band beside the bytestream",
      &ours,
      true,
      { PEER, READY, BOTH, LATE, END } },
    { "blocks beside the bytestream",
      &ours,
      true,
      { PEER, READY, BOTH, LATE, OPEN, END } },
    { "the bytestream has taken over",
      &ours,
      true,
      { PEER, READY, BOTH, LATE, OPEN, OPEN_BESIDE, END } },
    { "blocks, the bytestream has failed",
      &ours,
      true,
      { PEER, READY, BOTH, LATE, OPEN, FAILED_BESIDE, END } },
    { "no blocks, the bytestream is still made",
      &ours,
      true,
      { PEER, READY, BOTH, LATE, FAILED, END } },
    { "offered to one of ours", &ours, true, { PEER, READY, END } },
    { "offered once more, as nobody was there",
      &ours,
      true,
      { PEER, READY, NO_PEER_YET, PEER, READY, END } },
    { "moved, the receipt is to come",
      &ours,
      true,
      { PEER, READY, S5B, OPEN, MOVED, END } },
    { "bytes between two of ours",
      &ours,
      true,
      { PEER, READY, S5B, OPEN, END } },
    { "direct is broken, prepared",
      &ours,
      true,
      { PEER, READY, S5B, OPEN, BROKEN, END } },
    { "offered for the rest",
      &ours,
      true,
      { PEER, READY, S5B, OPEN, BROKEN, READY, END } },
    { "both bytestreams are broken",
      &ours,
      true,
      { PEER, READY, S5B, OPEN, BROKEN, READY, S5B, OPEN, PROXY_BROKEN, READY,
        END } },
    { "all there", &ours, true, { PEER, READY, WHOLE, END } },
    { "looked for again", &ours, true, { PEER, READY, S5B, OPEN, AWAY, END } },
    { "over and well", &unknown, true, { PEER, READY, S5B, OPEN, MOVED, END } },
    { "over", &unknown, true, { PEER, READY, NO, END } },
};

static void go(struct xf_sending *s, const struct way *way)
{
    xf_sending_init(s);
    xf_sending_set_rules(s, way->rules);
    s->can_s5b = way->can_s5b;
    for (size_t i = 0; way->walk[i] != END; i++)
        (void)feed(s, way->walk[i]);
}

static void print_row(FILE *out, const char *input, const struct xf_sending *s,
                      const struct xf_sending_todo *todo)
{
    static const char *const methods[] = { "none", "s5b", "ibb" };

    fprintf(out, "  %-17s -> %-10s %s", input, states[s->state],
            todos[todo->what]);
    for (size_t i = 0; i < todo->methods_count; i++)
        fprintf(out, " %s", methods[todo->methods[i]]);
    if (todo->what == XF_SENDING_FAIL)
        fprintf(out, "  %s: %s", xf_err_name(s->why.code), s->why.text);
    fprintf(out, "\n");
}

static void check_row(const struct xf_sending *start,
                      const struct xf_sending *s,
                      const struct xf_sending_todo *todo)
{
    bool ends =
        todo->what == XF_SENDING_FAIL || todo->what == XF_SENDING_FINISH;

    bool waits = s->state == XF_SENDING_CONFIRMING ||
                 (start->beside && s->state == XF_SENDING_CONNECTING);

    if (start->state == XF_SENDING_OVER ||
        (todo->what == XF_SENDING_NOTHING && !waits))
        assert_int_equal(s->state, start->state);
    if (start->state != XF_SENDING_OVER)
        assert_int_equal(ends, s->state == XF_SENDING_OVER);
    else
        assert_int_equal(todo->what, XF_SENDING_NOTHING);
    if (todo->what == XF_SENDING_FAIL)
        assert_true(s->why.code != 0 && s->why.text[0]);
    assert_int_equal(todo->methods_count > 0, todo->what == XF_SENDING_OFFER);
}

static void the_ladder_does_as_the_table_says(void **state)
{
    bool state_seen[XF_SENDING_STATES] = { false };
    bool kind_seen[XF_SENDING_KINDS] = { false };
    struct table t;

    (void)state;
    table_begin(&t, "sending");
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct xf_sending start;

        go(&start, &ways[i]);
        state_seen[start.state] = true;
        fprintf(t.out, "%s: %s\n", states[start.state], ways[i].name);
        for (size_t j = 0; j < INPUTS; j++) {
            struct xf_sending s = start;
            struct xf_sending_todo todo = xf_sending_step(&s, &inputs[j].in);

            kind_seen[inputs[j].in.kind] = true;
            print_row(t.out, inputs[j].name, &s, &todo);
            check_row(&start, &s, &todo);
        }
    }
    for (size_t i = 0; i < COUNT(state_seen); i++)
        assert_true(state_seen[i]);
    for (size_t i = 0; i < COUNT(kind_seen); i++)
        assert_true(kind_seen[i]);
    table_check(&t);
}

/* --- walks ------------------------------------------------------------------ */

static void begin(struct xf_sending *s, const struct xf_sending_rules *rules)
{
    const struct way way = { "", rules, true, { PEER, READY, END } };

    go(s, &way);
}

static void two_values_answered_lead_from_bytestream_to_inband(void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &classic);
    assert_int_equal(feed(&s, BOTH), XF_SENDING_TRY_S5B);
    assert_int_equal(rung_failed(&s, "direct", "no route"), XF_SENDING_TRY_IBB);
    assert_int_equal(feed(&s, OPEN), XF_SENDING_MOVE);
    assert_int_equal(feed(&s, MOVED), XF_SENDING_FINISH);
}

/* libpurple answers one value and waits for in-band on that sid. */
static void one_value_answered_leads_to_inband_on_the_same_sid(void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &unknown);
    assert_int_equal(feed(&s, S5B), XF_SENDING_TRY_S5B);
    assert_int_equal(rung_failed(&s, "direct", "no route"), XF_SENDING_TRY_IBB);
    assert_false(s.second);
}

static void who_is_finished_with_the_sid_gets_a_second_offer_at_once(
    void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &smack);
    assert_int_equal(feed(&s, S5B), XF_SENDING_TRY_S5B);
    assert_int_equal(rung_failed(&s, "direct", "no route"), XF_SENDING_OFFER);
    assert_true(s.second);
    assert_int_equal(feed(&s, IBB), XF_SENDING_TRY_IBB);
    assert_int_equal(feed(&s, OPEN), XF_SENDING_MOVE);
}

static void second_offer_is_made_only_once_and_names_inband_alone(void **state)
{
    struct xf_sending s;
    struct xf_sending_todo todo;

    (void)state;
    begin(&s, &unknown);
    (void)feed(&s, S5B);
    assert_int_equal(rung_failed(&s, "direct a:1", "no route"),
                     XF_SENDING_TRY_IBB);
    xf_sending_note(&s, "in-band", "not expected");
    todo = xf_sending_step(&s, &inputs[FAILED].in);
    assert_int_equal(todo.what, XF_SENDING_OFFER);
    assert_int_equal(todo.methods_count, 1);
    assert_int_equal(todo.methods[0], XF_METHOD_IBB);
    assert_int_equal(feed(&s, IBB), XF_SENDING_TRY_IBB);
    assert_int_equal(rung_failed(&s, "in-band", "not answered"),
                     XF_SENDING_FAIL);
    assert_int_equal(s.why.code, XF_E_CONNECT);
    assert_string_equal(s.why.text, "direct a:1: no route; in-band: not "
                                    "expected; in-band: not answered");
}

static void second_offer_refused_names_all_attempts(void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &smack);
    (void)feed(&s, S5B);
    (void)rung_failed(&s, "direct a:1", "no route");
    assert_int_equal(feed(&s, NO), XF_SENDING_FAIL);
    assert_int_equal(s.why.code, XF_E_CONNECT);
    assert_string_equal(s.why.text,
                        "direct a:1: no route; second offer: not now");
}

static void first_offer_refused_is_the_contacts_word(void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &unknown);
    assert_int_equal(feed(&s, NO), XF_SENDING_FAIL);
    assert_int_equal(s.why.code, XF_E_DECLINED);
    assert_string_equal(s.why.text, "not now");
}

static void inband_alone_never_tries_a_bytestream(void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &ibb_only);
    assert_int_equal(feed(&s, IBB), XF_SENDING_TRY_IBB);
    assert_int_equal(rung_failed(&s, "in-band", "refused"), XF_SENDING_FAIL);
    assert_string_equal(s.why.text, "in-band: refused");
    assert_false(s.tried_s5b);
}

static void bytestream_alone_never_goes_inband(void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &s5b_only);
    assert_int_equal(feed(&s, S5B), XF_SENDING_TRY_S5B);
    assert_int_equal(rung_failed(&s, "direct a:1", "no route"),
                     XF_SENDING_FAIL);
    assert_string_equal(s.why.text, "direct a:1: no route");
}

/* Smack would choose the bytestream, and then takes nothing else. */
static void without_a_streamhost_inband_alone_is_offered(void **state)
{
    const struct way way = { "", &smack, false, { PEER, END } };
    struct xf_sending s;
    struct xf_sending_todo todo;

    (void)state;
    go(&s, &way);
    todo = xf_sending_step(&s, &inputs[READY].in);
    assert_int_equal(todo.what, XF_SENDING_OFFER);
    assert_int_equal(todo.methods_count, 1);
    assert_int_equal(todo.methods[0], XF_METHOD_IBB);
    assert_int_equal(feed(&s, IBB), XF_SENDING_TRY_IBB);
}

static void bytestream_alone_without_a_streamhost_is_not_offered(void **state)
{
    const struct way way = { "", &s5b_only, false, { PEER, END } };
    struct xf_sending s;

    (void)state;
    go(&s, &way);
    assert_int_equal(feed(&s, READY), XF_SENDING_FAIL);
    assert_int_equal(s.why.code, XF_E_CONNECT);
}

static void via_order_decides_which_is_first_when_both_are_answered(
    void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &ibb_first);
    assert_int_equal(feed(&s, BOTH), XF_SENDING_TRY_IBB);
    assert_int_equal(rung_failed(&s, "in-band", "refused"), XF_SENDING_TRY_S5B);
    assert_int_equal(rung_failed(&s, "direct", "no route"), XF_SENDING_OFFER);
    begin(&s, &ibb_first);
    assert_int_equal(feed(&s, S5B), XF_SENDING_TRY_S5B);
}

/* The contact has some of it: what is not heard, or opens no stream, is tried
 * again; three times in a row. */
static void further_offers_are_made_until_three_were_in_vain(void **state)
{
    static const int codes[] = { XF_E_STALL, XF_E_NOPEER, XF_E_CONNECT };

    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        struct xf_sending_input peer = { .kind = XF_SENDING_PEER };
        struct xf_sending_input ready = { .kind = XF_SENDING_READY };
        struct xf_sending_input yes = { .kind = XF_SENDING_ACCEPTED,
                                        .answer = &ibb };
        struct xf_sending_input open = { .kind = XF_SENDING_OPEN };
        struct xf_sending_input broken = { .kind = XF_SENDING_BROKEN,
                                           .way = XF_WAY_IBB,
                                           .progress = true,
                                           .code = XF_E_GONE };
        struct xf_sending_input refused = { .kind = XF_SENDING_REFUSED,
                                            .code = codes[i] };
        struct xf_sending_input failed = { .kind = XF_SENDING_FAILED,
                                           .code = codes[i] };
        struct xf_sending_rules rules = ours;
        struct xf_sending s;
        unsigned offers = 0;

        xf_sending_init(&s);
        rules.methods[0] = XF_METHOD_IBB;
        rules.methods_count = 1;
        rules.ways = XF_WAY_IBB;
        xf_sending_set_rules(&s, &rules);
        (void)xf_sending_step(&s, &peer);
        (void)xf_sending_step(&s, &ready);
        (void)xf_sending_step(&s, &yes);
        (void)xf_sending_step(&s, &open);
        (void)xf_sending_step(&s, &broken);
        while (s.state != XF_SENDING_OVER && offers < 10) {
            if (s.state == XF_SENDING_RESOLVING)
                (void)xf_sending_step(&s, &peer);
            assert_int_equal(s.state, XF_SENDING_PREPARING);
            assert_int_equal(xf_sending_step(&s, &ready).what,
                             XF_SENDING_OFFER);
            offers++;
            if (codes[i] != XF_E_CONNECT) {
                (void)xf_sending_step(&s, &refused);
                continue;
            }
            (void)xf_sending_step(&s, &yes);
            (void)xf_sending_step(&s, &failed);
        }
        assert_int_equal(offers, XF_SENDING_FRUITLESS_MAX + 1);
    }
}

static void a_long_list_of_attempts_is_cut_and_not_overrun(void **state)
{
    struct xf_sending s;

    (void)state;
    begin(&s, &unknown);
    for (int i = 0; i < 1000; i++)
        xf_sending_note(&s, "direct [2001:db8::1]:65535", "timed out");
    assert_int_equal(strlen(s.attempts), sizeof s.attempts - 1);
}

/* However the streams behave, it ends: no rung is climbed for ever. */
static void every_walk_ends(void **state)
{
    static const struct xf_sending_rules *const all[] = {
        &unknown, &smack, &classic, &ibb_only, &s5b_only, &ibb_first
    };
    uint64_t seed = 7;

    (void)state;
    for (int round = 0; round < 60000; round++) {
        struct xf_sending s;
        int offers = 1, tries = 0;

        xf_sending_init(&s);
        xf_sending_set_rules(&s, all[round % COUNT(all)]);
        s.can_s5b = next_number(&seed) % 2;
        (void)feed(&s, PEER);
        (void)feed(&s, READY);
        while (s.state != XF_SENDING_OVER) {
            int input = s.state == XF_SENDING_OFFERED
                            ? S5B + (int)(next_number(&seed) % 3)
                            : FAILED;
            enum xf_sending_do what = feed(&s, input);

            offers += what == XF_SENDING_OFFER;
            tries += what == XF_SENDING_TRY_S5B || what == XF_SENDING_TRY_IBB;
            assert_true(offers <= 2 && tries <= 4);
        }
        assert_int_equal(s.why.code, XF_E_CONNECT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ladder_does_as_the_table_says),
        cmocka_unit_test(two_values_answered_lead_from_bytestream_to_inband),
        cmocka_unit_test(one_value_answered_leads_to_inband_on_the_same_sid),
        cmocka_unit_test(
            who_is_finished_with_the_sid_gets_a_second_offer_at_once),
        cmocka_unit_test(second_offer_is_made_only_once_and_names_inband_alone),
        cmocka_unit_test(second_offer_refused_names_all_attempts),
        cmocka_unit_test(first_offer_refused_is_the_contacts_word),
        cmocka_unit_test(inband_alone_never_tries_a_bytestream),
        cmocka_unit_test(bytestream_alone_never_goes_inband),
        cmocka_unit_test(without_a_streamhost_inband_alone_is_offered),
        cmocka_unit_test(bytestream_alone_without_a_streamhost_is_not_offered),
        cmocka_unit_test(
            via_order_decides_which_is_first_when_both_are_answered),
        cmocka_unit_test(further_offers_are_made_until_three_were_in_vain),
        cmocka_unit_test(a_long_list_of_attempts_is_cut_and_not_overrun),
        cmocka_unit_test(every_walk_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
