/*
 * Measures what our server lets through; how a rate follows from the times is
 * proto/pace's. Each step begins when the one before is answered whole:
 *
 *     IDLE --asked--> SMALL --> TRAIN --> BEHIND --late--> TRAIN_2 --> BEHIND_2
 *      ^                          |          |                            |
 *      +------- no answer --------+----------+-- in time      late -------+
 *      +--------------------------------------------- QUIET <-- in time --+
 *
 * QUIET is one more small ping: the first may have waited behind words of
 * ours, and a round trip taken for too long hides a limit. The first train has
 * one behind it, too, where it is in time only by the round trip.
 */
#include "api/rate.h"

#include <string.h>

#include "api/inband.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "proto/pace.h"
#include "wire/disco.h"

/*
 * Parts of a train, each far below any server's limit of a stanza. The first
 * is more than ejabberd's burst of 20,000 bytes by so much that it shows.
 */
#define PADDING 2000
#define TRAIN 10
#define TRAIN_2 3
#define MUTE_MS 3000
#define FAST 100000u /* bytes a second that nobody need be told of */

enum step {
    IDLE,
    SMALL_PING,
    FIRST,
    BEHIND_FIRST,
    QUIET_FIRST,
    SECOND,
    BEHIND_SECOND,
    QUIET_PING
};

struct asker {
    struct asker *next;
    xf_rate_fn *fn;
    void *ctx;
};

/* A session's, made when it is first asked for. */
struct xf_rating {
    struct xf_session *s;
    struct asker *askers, **askers_last;
    enum step step;
    bool has_result;
    struct xf_rate result; /* not known: the server does not answer */
    int64_t result_at;
    int64_t begun;      /* of this train */
    int64_t rtt_ms;     /* of the quicker small ping */
    unsigned under_way; /* pings not yet answered */
    struct xf_pace_time first, second;
};

static struct xf_rating *rating_of(struct xf_session *s)
{
    if (!s->rating && (s->rating = xf_sys_alloc(sizeof *s->rating))) {
        s->rating->s = s;
        s->rating->askers_last = &s->rating->askers;
    }
    return s->rating;
}

/* Any of them may ask again, drop others or end its transfer. */
static void tell_all(struct xf_rating *r, const struct xf_rate *rate)
{
    struct xf_rate told = *rate;
    struct asker *one;

    while ((one = r->askers) != NULL) {
        struct asker was = *one;

        r->askers = one->next;
        if (!r->askers)
            r->askers_last = &r->askers;
        xf_sys_free(one);
        was.fn(was.ctx, &told);
    }
}

static void finish(struct xf_rating *r, const struct xf_rate *rate)
{
    r->step = IDLE;
    xf_requests_drop(r->s, r);
    r->has_result = r->s->online;
    r->result = *rate;
    r->result_at = xf_now(r->s);
    tell_all(r, rate);
}

/* By now: that little has passed yet is known, too. */
static struct xf_rate guess(const struct xf_rating *r)
{
    bool second = r->step >= SECOND;
    struct xf_pace_time now = { .ms = xf_now(r->s) - r->begun,
                                .bytes =
                                    second ? r->second.bytes : r->first.bytes };
    struct xf_rate rate = { .known = r->step > SMALL_PING,
                            .rtt_ms = (uint32_t)r->rtt_ms };

    if (second && xf_pace_is_late(&now, r->rtt_ms))
        rate.bytes = xf_pace_bound(&now, r->rtt_ms);
    else if (second)
        rate.bytes = xf_pace_bound(&r->first, r->rtt_ms);
    else if (rate.known && xf_pace_is_late(&now, r->rtt_ms))
        rate.bytes = xf_pace_bound(&now, r->rtt_ms);
    return rate;
}

static void answered(void *ctx, const struct xf_stanza_head *reply,
                     const struct xf_stanza_error *error);

static int send_ping(struct xf_rating *r, const char *padding)
{
    struct xf_session *s = r->s;
    char id[XF_SID_MAX + 1], domain[XF_JID_PART_MAX + 1];
    int err;

    xf_jid_domain(s->jid, domain);
    xf_ping_write_padded(xf_stanza_begin(s, id), id, domain, s->jid, padding);
    err = xf_stanza_request(s, id, domain, xf_now(s) + XF_RATE_WAIT_MS, false,
                            answered, r);
    r->under_way += err == 0;
    return err;
}

static void send_train(struct xf_rating *r, unsigned parts,
                       struct xf_pace_time *train)
{
    char padding[PADDING + 1];

    memset(padding, 'x', PADDING);
    padding[PADDING] = '\0';
    r->begun = xf_now(r->s);
    *train = (struct xf_pace_time){ 0 };
    while (parts-- > 0 && send_ping(r, padding) == 0)
        train->bytes += r->s->out.len;
}

/* --- the steps ------------------------------------------------------------------ */

static void small_over(struct xf_rating *r)
{
    r->rtt_ms = xf_now(r->s) - r->begun;
    r->step = FIRST;
    send_train(r, TRAIN, &r->first);
}

static void first_over(struct xf_rating *r)
{
    r->step = BEHIND_FIRST;
    (void)send_ping(r, NULL);
}

/* The small ping that is sent when nothing else is under way. */
static void look_again(struct xf_rating *r, enum step step)
{
    r->step = step;
    r->begun = xf_now(r->s);
    (void)send_ping(r, NULL);
}

static void take_quicker(struct xf_rating *r)
{
    int64_t ms = xf_now(r->s) - r->begun;

    if (ms < r->rtt_ms)
        r->rtt_ms = ms;
}

static void first_judged(struct xf_rating *r)
{
    struct xf_rate rate = { .known = true, .rtt_ms = (uint32_t)r->rtt_ms };

    if (!xf_pace_is_late(&r->first, r->rtt_ms)) {
        finish(r, &rate);
        return;
    }
    r->step = SECOND;
    send_train(r, TRAIN_2, &r->second);
}

static void behind_first_over(struct xf_rating *r)
{
    r->first.ms = xf_now(r->s) - r->begun;
    if (xf_pace_is_late(&r->first, 0) && !xf_pace_is_late(&r->first, r->rtt_ms))
        look_again(r, QUIET_FIRST);
    else
        first_judged(r);
}

static void quiet_first_over(struct xf_rating *r)
{
    take_quicker(r);
    first_judged(r);
}

static void second_over(struct xf_rating *r)
{
    r->step = BEHIND_SECOND;
    (void)send_ping(r, NULL);
}

static void tell_rate(struct xf_rating *r)
{
    struct xf_rate rate = { .known = true, .rtt_ms = (uint32_t)r->rtt_ms };

    rate.bytes = xf_pace_rate(&r->first, &r->second, r->rtt_ms);
    finish(r, &rate);
}

static void behind_second_over(struct xf_rating *r)
{
    r->second.ms = xf_now(r->s) - r->begun;
    if (xf_pace_is_late(&r->second, r->rtt_ms)) {
        tell_rate(r);
        return;
    }
    look_again(r, QUIET_PING);
}

static void quiet_over(struct xf_rating *r)
{
    take_quicker(r);
    tell_rate(r);
}

static void (*const over[])(struct xf_rating *r) = {
    [SMALL_PING] = small_over,
    [FIRST] = first_over,
    [BEHIND_FIRST] = behind_first_over,
    [QUIET_FIRST] = quiet_first_over,
    [SECOND] = second_over,
    [BEHIND_SECOND] = behind_second_over,
    [QUIET_PING] = quiet_over,
};

/* An error, too, says that the server has read it. */
static void answered(void *ctx, const struct xf_stanza_head *reply,
                     const struct xf_stanza_error *error)
{
    struct xf_rating *r = ctx;
    struct xf_rate rate;

    (void)reply;
    if (error && error->condition == XF_COND_TIMEOUT) {
        rate = guess(r);
        finish(r, &rate);
        return;
    }
    if (--r->under_way > 0)
        return;
    over[r->step](r);
    if (r->step == IDLE || r->under_way > 0)
        return;
    rate = guess(r); /* nothing more can be sent */
    finish(r, &rate);
}

static int begin(struct xf_rating *r)
{
    int err;

    r->begun = xf_now(r->s);
    r->under_way = 0;
    err = send_ping(r, NULL);
    if (err == 0)
        r->step = SMALL_PING;
    return err;
}

/* --- who asks ------------------------------------------------------------------ */

static int enlist(struct xf_rating *r, xf_rate_fn *fn, void *ctx)
{
    struct asker *one = xf_sys_alloc(sizeof *one);

    if (!one)
        return XF_E_LIMIT;
    *one = (struct asker){ .fn = fn, .ctx = ctx };
    *r->askers_last = one;
    r->askers_last = &one->next;
    return 0;
}

static bool is_fresh(const struct xf_rating *r)
{
    return r && r->has_result && xf_now(r->s) - r->result_at < XF_RATE_FRESH_MS;
}

struct xf_rate xf_rate_last(const struct xf_session *s)
{
    struct xf_rate unknown = { 0 };

    return is_fresh(s->rating) ? s->rating->result : unknown;
}

struct xf_rate xf_rate_so_far(const struct xf_session *s)
{
    const struct xf_rating *r = s->rating;

    return r && r->step > SMALL_PING ? guess(r) : xf_rate_last(s);
}

/* An in-band stream that sends: ours would be measured with it. */
static bool is_busy(const struct xf_session *s, struct xf_rate *out)
{
    for (const struct xf_transfer *t = s->transfers; t; t = t->next) {
        if (!t->over && xf_inband_is_sending(t->ibb)) {
            out->bytes = xf_inband_wire_rate(t->ibb);
            out->known = out->bytes > 0;
            if (out->bytes >= FAST)
                out->bytes = 0;
            return true;
        }
    }
    return false;
}

/* Not even the small ping is answered: hardly will it ever be. */
static bool is_mute(const struct xf_rating *r)
{
    return r->step == SMALL_PING && xf_now(r->s) - r->begun >= MUTE_MS;
}

/* What can be said at once. */
static bool is_settled(const struct xf_session *s, const struct xf_rating *r,
                       struct xf_rate *out)
{
    *out = xf_rate_last(s);
    if (!s->online || is_fresh(r))
        return true;
    if (!is_busy(s, out))
        return false;
    if (r->has_result && r->result.known)
        *out = r->result;
    return true;
}

int xf_rate_measure(struct xf_session *s, xf_rate_fn *fn, void *ctx)
{
    struct xf_rating *r = rating_of(s);
    struct xf_rate rate = { 0 };
    int err;

    if (!r)
        return XF_E_LIMIT;
    if (is_mute(r) || (r->step == IDLE && is_settled(s, r, &rate))) {
        fn(ctx, &rate);
        return 0;
    }
    if ((err = enlist(r, fn, ctx)) != 0)
        return err;
    if (r->step == IDLE && (err = begin(r)) != 0)
        xf_rate_drop(s, ctx);
    return err;
}

bool xf_rate_is_asked(const struct xf_session *s, const void *ctx)
{
    const struct asker *one = s->rating ? s->rating->askers : NULL;

    while (one && one->ctx != ctx)
        one = one->next;
    return one;
}

void xf_rate_drop(struct xf_session *s, const void *ctx)
{
    struct xf_rating *r = s->rating;
    struct asker **at, *one;

    if (!r)
        return;
    for (at = &r->askers; (one = *at) != NULL;) {
        if (one->ctx != ctx) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        xf_sys_free(one);
    }
    r->askers_last = at;
}

void xf_rate_forget(struct xf_session *s)
{
    if (s->rating)
        s->rating->has_result = false;
}

void xf_rate_shift(struct xf_session *s, int64_t ms)
{
    if (s->rating)
        s->rating->begun += ms;
}

void xf_rate_free(struct xf_session *s)
{
    struct xf_rating *r = s->rating;

    if (!r)
        return;
    while (r->askers)
        xf_rate_drop(s, r->askers->ctx);
    xf_sys_free(r);
    s->rating = NULL;
}
