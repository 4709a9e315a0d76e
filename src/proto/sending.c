/* The sender's ladder; see the header for its picture. */
#include "proto/sending.h"

#include <stdio.h>
#include <string.h>

typedef void step_fn(struct xf_sending *s, const struct xf_sending_input *in,
                     struct xf_sending_todo *todo);

void xf_sending_init(struct xf_sending *s)
{
    *s = (struct xf_sending){ .state = XF_SENDING_RESOLVING };
}

void xf_sending_set_rules(struct xf_sending *s,
                          const struct xf_sending_rules *rules)
{
    s->rules = *rules;
}

void xf_sending_note(struct xf_sending *s, const char *what, const char *why)
{
    size_t used = strlen(s->attempts);

    snprintf(s->attempts + used, sizeof s->attempts - used, "%s%s: %s",
             used ? "; " : "", what, why);
}

static bool allowed(const struct xf_sending *s, enum xf_method method)
{
    for (size_t i = 0; i < s->rules.methods_count; i++)
        if (s->rules.methods[i] == method)
            return true;
    return false;
}

static void fail(struct xf_sending *s, struct xf_sending_todo *todo, int code,
                 const char *text)
{
    s->state = XF_SENDING_OVER;
    xf_err_set(&s->why, code, "%s", text ? text : xf_err_text(code));
    todo->what = XF_SENDING_FAIL;
}

static void try_s5b(struct xf_sending *s, struct xf_sending_todo *todo)
{
    s->tried_s5b = true;
    s->state = XF_SENDING_CONNECTING;
    todo->what = XF_SENDING_TRY_S5B;
}

static void try_ibb(struct xf_sending *s, struct xf_sending_todo *todo)
{
    s->tried_ibb = true;
    s->state = XF_SENDING_OPENING;
    todo->what = XF_SENDING_TRY_IBB;
}

/* Smack from 4.4 on is finished with a sid whose bytestream failed; an offer
 * that leaves no choice starts it anew. */
static void offer_again(struct xf_sending *s, struct xf_sending_todo *todo)
{
    s->second = true;
    s->tried_ibb = false;
    s->state = XF_SENDING_OFFERED;
    todo->what = XF_SENDING_OFFER;
    todo->methods_count = 1;
    todo->methods[0] = XF_METHOD_IBB;
}

unsigned xf_sending_ways(const struct xf_sending *s)
{
    return s->rules.ways & ~s->broken;
}

static void count_offer(struct xf_sending *s, bool progress)
{
    s->fruitless = progress ? 0 : s->fruitless + 1;
}

/* From an offer on, with what is left; without anything left, with all. One
 * that nobody has answered was none. */
static void begin_again(struct xf_sending *s, struct xf_sending_todo *todo,
                        enum xf_sending_state state)
{
    if (xf_sending_ways(s) == 0)
        s->broken = 0;
    s->further |= s->state > XF_SENDING_OFFERED;
    s->second = s->tried_s5b = s->tried_ibb = s->beside = false;
    s->state = state;
    todo->what =
        state == XF_SENDING_RESOLVING ? XF_SENDING_LOOK : XF_SENDING_PREPARE;
}

/* What broke once, or could not be made just now, may do next time. */
static bool retry_all(struct xf_sending *s, struct xf_sending_todo *todo)
{
    if (!s->further || s->fruitless >= XF_SENDING_FRUITLESS_MAX)
        return false;
    s->broken = 0;
    count_offer(s, false);
    begin_again(s, todo, XF_SENDING_PREPARING);
    return true;
}

/* The end of the ladder: the code of the only failure, else one for all. */
static void give_up(struct xf_sending *s, struct xf_sending_todo *todo)
{
    if (retry_all(s, todo))
        return;
    fail(s, todo, s->failures == 1 ? s->last_code : XF_E_CONNECT,
         s->attempts[0] ? s->attempts : "no way to reach the contact is left");
}

/* The next rung, or the end. */
static void climb(struct xf_sending *s, struct xf_sending_todo *todo)
{
    bool s5b = s->answered_s5b && s->can_s5b && !s->tried_s5b;
    bool ibb = allowed(s, XF_METHOD_IBB) && !s->tried_ibb &&
               xf_sending_ways(s) & XF_WAY_IBB;
    bool ibb_first = allowed(s, XF_METHOD_IBB) &&
                     s->rules.methods[0] == XF_METHOD_IBB && s->answered_ibb;

    if (s5b && !(ibb && ibb_first))
        try_s5b(s, todo);
    else if (ibb && (s->answered_ibb || s->rules.ibb_same_sid))
        try_ibb(s, todo);
    else if (allowed(s, XF_METHOD_IBB) && s->tried_s5b && !s->second &&
             s->rules.second_offer)
        offer_again(s, todo);
    else
        give_up(s, todo);
}

static void prepare(struct xf_sending *s, const struct xf_sending_input *in,
                    struct xf_sending_todo *todo)
{
    (void)in;
    s->state = XF_SENDING_PREPARING;
    todo->what = XF_SENDING_PREPARE;
}

static bool is_left(const struct xf_sending *s, enum xf_method method)
{
    unsigned ways = xf_sending_ways(s);

    if (method == XF_METHOD_IBB)
        return ways & XF_WAY_IBB;
    return s->can_s5b && ways & (XF_WAY_DIRECT | XF_WAY_PROXY);
}

/* A bytestream without a streamhost to tell is no method: who would choose it
 * and takes no other on that sid (Smack) could not be reached any more. */
static void offer(struct xf_sending *s, const struct xf_sending_input *in,
                  struct xf_sending_todo *todo)
{
    (void)in;
    for (size_t i = 0; i < s->rules.methods_count; i++)
        if (is_left(s, s->rules.methods[i]))
            todo->methods[todo->methods_count++] = s->rules.methods[i];
    if (todo->methods_count == 0 && retry_all(s, todo))
        return;
    if (todo->methods_count == 0) {
        fail(s, todo, XF_E_CONNECT,
             s->attempts[0]
                 ? s->attempts
                 : "there is no address and no proxy to tell the contact");
        return;
    }
    s->state = XF_SENDING_OFFERED;
    todo->what = XF_SENDING_OFFER;
}

static void accepted(struct xf_sending *s, const struct xf_sending_input *in,
                     struct xf_sending_todo *todo)
{
    s->answered_s5b = s->answered_ibb = false;
    for (size_t i = 0; i < in->answer->count; i++) {
        s->answered_s5b |= in->answer->methods[i] == XF_METHOD_S5B;
        s->answered_ibb |= in->answer->methods[i] == XF_METHOD_IBB;
    }
    if (!in->whole) {
        climb(s, todo);
        return;
    }
    s->state = XF_SENDING_CONFIRMING;
    todo->what = XF_SENDING_ASK;
}

/* A second offer that is refused is one more attempt that failed. */
static void refused(struct xf_sending *s, const struct xf_sending_input *in,
                    struct xf_sending_todo *todo)
{
    bool nobody = in->code == XF_E_NOPEER;
    bool unheard = nobody || in->code == XF_E_STALL;
    bool look = (s->further && unheard) || (in->waits && nobody);

    if (look && s->fruitless < XF_SENDING_FRUITLESS_MAX) {
        count_offer(s, false);
        begin_again(s, todo, XF_SENDING_RESOLVING);
        return;
    }
    if (!s->second) {
        fail(s, todo,
             s->further && in->code == XF_E_NOPEER ? XF_E_GONE : in->code,
             in->text);
        return;
    }
    xf_sending_note(s, "second offer",
                    in->text ? in->text : xf_err_text(in->code));
    give_up(s, todo);
}

/* Whoever could be reached in time would have been by now; who goes on can
 * have the first blocks meanwhile. */
static void late(struct xf_sending *s, const struct xf_sending_input *in,
                 struct xf_sending_todo *todo)
{
    (void)in;
    if (!s->rules.goes_on || !allowed(s, XF_METHOD_IBB) || s->tried_ibb ||
        !(xf_sending_ways(s) & XF_WAY_IBB))
        return;
    try_ibb(s, todo);
    s->beside = true;
    todo->what = XF_SENDING_TRY_IBB_BESIDE;
}

static void open_stream(struct xf_sending *s, const struct xf_sending_input *in,
                        struct xf_sending_todo *todo)
{
    bool takes_over = s->beside && in->beside;

    s->state = XF_SENDING_MOVING;
    if (takes_over)
        s->beside = false;
    todo->what = takes_over ? XF_SENDING_SWITCH : XF_SENDING_MOVE;
}

/* Blocks are going. */
static void another(struct xf_sending *s, const struct xf_sending_input *in,
                    struct xf_sending_todo *todo)
{
    if (s->beside && in->beside)
        open_stream(s, in, todo);
}

/* One of two: the other may still come up. */
static void failed_beside(struct xf_sending *s,
                          const struct xf_sending_input *in)
{
    s->beside = false;
    if (!in->beside)
        s->state = XF_SENDING_CONNECTING;
}

static void failed(struct xf_sending *s, const struct xf_sending_input *in,
                   struct xf_sending_todo *todo)
{
    s->failures++;
    s->last_code = in->code;
    if (in->code == XF_E_DECLINED)
        fail(s, todo, in->code, in->text);
    else if (s->beside)
        failed_beside(s, in);
    else
        climb(s, todo);
}

/* News of the bytestream while blocks are going. */
static void gave_up_beside(struct xf_sending *s,
                           const struct xf_sending_input *in,
                           struct xf_sending_todo *todo)
{
    (void)in;
    (void)todo;
    s->beside = false;
}

static void finish(struct xf_sending *s, const struct xf_sending_input *in,
                   struct xf_sending_todo *todo)
{
    (void)in;
    s->state = XF_SENDING_OVER;
    todo->what = XF_SENDING_FINISH;
}

/* The stream is at its end; one of ours has yet to say that all is there. */
static void moved(struct xf_sending *s, const struct xf_sending_input *in,
                  struct xf_sending_todo *todo)
{
    if (!s->rules.goes_on) {
        finish(s, in, todo);
        return;
    }
    s->state = XF_SENDING_CONFIRMING;
    todo->what = XF_SENDING_NOTHING;
}

/* The contact has what it has: the rest goes another way. */
static void go_on(struct xf_sending *s, const struct xf_sending_input *in,
                  struct xf_sending_todo *todo)
{
    s->failures++;
    s->last_code = in->code;
    s->broken = in->forgive ? in->way : s->broken | in->way;
    count_offer(s, in->progress);
    if (in->final || s->fruitless >= XF_SENDING_FRUITLESS_MAX)
        fail(s, todo, in->code, in->text);
    else
        begin_again(s, todo, XF_SENDING_PREPARING);
}

/* Its own side of the broken stream is over, so the file begins anew. */
static void broken(struct xf_sending *s, const struct xf_sending_input *in,
                   struct xf_sending_todo *todo)
{
    if (s->rules.goes_on) {
        go_on(s, in, todo);
        return;
    }
    if (!in->again || s->second || !s->rules.second_offer ||
        !allowed(s, XF_METHOD_IBB)) {
        fail(s, todo, in->code, in->text);
        return;
    }
    s->failures++;
    s->last_code = in->code;
    xf_sending_note(s, "in-band", in->text ? in->text : xf_err_text(in->code));
    offer_again(s, todo);
}

/* The contact had reached a streamhost. One that goes on may have been killed:
 * it is asked once more; the others' ladder goes on. */
static void left(struct xf_sending *s, const struct xf_sending_input *in,
                 struct xf_sending_todo *todo)
{
    if (s->rules.goes_on)
        go_on(s, in, todo);
    else
        failed(s, in, todo);
}

static void stop(struct xf_sending *s, const struct xf_sending_input *in,
                 struct xf_sending_todo *todo)
{
    fail(s, todo, in->code, in->text);
}

/* Wherever it was: whom to offer to is open again. */
static void away(struct xf_sending *s, const struct xf_sending_input *in,
                 struct xf_sending_todo *todo)
{
    /* An offer that nobody has answered was none. */
    if (s->state > XF_SENDING_OFFERED)
        count_offer(s, in->progress);
    if (s->fruitless >= XF_SENDING_FRUITLESS_MAX)
        fail(s, todo, in->code, in->text);
    else
        begin_again(s, todo, XF_SENDING_RESOLVING);
}

/* The whole machine. An empty cell is late news of what is over already. */
static step_fn *const steps[XF_SENDING_STATES][XF_SENDING_KINDS] = {
    [XF_SENDING_RESOLVING] = { [XF_SENDING_PEER] = prepare,
                               [XF_SENDING_STOP] = stop },
    [XF_SENDING_PREPARING] = { [XF_SENDING_READY] = offer,
                               [XF_SENDING_AWAY] = away,
                               [XF_SENDING_STOP] = stop },
    [XF_SENDING_OFFERED] = { [XF_SENDING_ACCEPTED] = accepted,
                             [XF_SENDING_REFUSED] = refused,
                             [XF_SENDING_AWAY] = away,
                             [XF_SENDING_STOP] = stop },
    [XF_SENDING_CONNECTING] = { [XF_SENDING_OPEN] = open_stream,
                                [XF_SENDING_FAILED] = failed,
                                [XF_SENDING_LATE] = late,
                                [XF_SENDING_BROKEN] = left,
                                [XF_SENDING_AWAY] = away,
                                [XF_SENDING_STOP] = stop },
    [XF_SENDING_OPENING] = { [XF_SENDING_OPEN] = open_stream,
                             [XF_SENDING_FAILED] = failed,
                             [XF_SENDING_AWAY] = away,
                             [XF_SENDING_STOP] = stop },
    [XF_SENDING_MOVING] = { [XF_SENDING_OPEN] = another,
                            [XF_SENDING_FAILED] = gave_up_beside,
                            [XF_SENDING_MOVED] = moved,
                            [XF_SENDING_RECEIPT] = finish,
                            [XF_SENDING_BROKEN] = broken,
                            [XF_SENDING_AWAY] = away,
                            [XF_SENDING_STOP] = stop },
    [XF_SENDING_CONFIRMING] = { [XF_SENDING_RECEIPT] = finish,
                                [XF_SENDING_NO_RECEIPT] = finish,
                                [XF_SENDING_BROKEN] = broken,
                                [XF_SENDING_AWAY] = away,
                                [XF_SENDING_STOP] = stop },
};

struct xf_sending_todo xf_sending_step(struct xf_sending *s,
                                       const struct xf_sending_input *in)
{
    struct xf_sending_todo todo = { .what = XF_SENDING_NOTHING };
    step_fn *step = steps[s->state][in->kind];

    if (step)
        step(s, in, &todo);
    return todo;
}
