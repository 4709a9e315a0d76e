/* Trying how much may be under way; the picture is in the header. */
#include "proto/climb.h"

#include <assert.h>
#include <string.h>

#define IN_VAIN_MAX 3 /* rounds of START */
#define FEW 8u
#define TIED 4u /* blocks under way before START makes them larger */

static uint32_t least(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

static uint32_t most(uint64_t a, uint64_t b)
{
    return (uint32_t)(a > b ? a : b);
}

/* --- settings ------------------------------------------------------------- */

/* Two round trips' worth and a little, and a block. None as long as no rate is
 * known. */
static uint32_t bound(const struct xf_climb *c, uint32_t block)
{
    uint64_t rtt = c->rtt_ms > 0 ? (uint64_t)c->rtt_ms : 0, itself;

    if (c->rate_top == 0)
        return UINT32_MAX;
    /* One block alone says nothing of where its time went. */
    itself = (uint64_t)c->home.block * 1000 / c->rate_top;
    rtt = rtt > 2 * itself ? rtt - itself : (rtt + 1) / 2;
    if (rtt < XF_CLIMB_RTT_FLOOR_MS)
        rtt = XF_CLIMB_RTT_FLOOR_MS;
    return least(rtt * c->rate_top / 1000 * 9 / 4 + block, UINT32_MAX);
}

/* What others allow: the peer, the receiver, the other streams. */
static struct xf_climb_setting capped(const struct xf_climb *c, uint64_t window,
                                      uint64_t block)
{
    struct xf_climb_setting s;

    s.block = least(block, c->block_max);
    s.block = most(least(s.block, c->bytes_max), c->block_min);
    s.window = least(window, (uint64_t)s.block * c->blocks_max);
    s.window = least(s.window, c->bytes_max);
    s.window = most(s.window - s.window % s.block, s.block);
    return s;
}

/* ... and a chat. */
static struct xf_climb_setting allowed(const struct xf_climb *c,
                                       uint64_t window, uint64_t block)
{
    struct xf_climb_setting s = capped(c, window, block);

    return capped(c, least(s.window, bound(c, s.block)), s.block);
}

static uint32_t half(uint32_t block)
{
    return (block + 1) / 2;
}

/* Twice as much; larger blocks where there are many of them, or may not be. */
static struct xf_climb_setting doubled(const struct xf_climb *c)
{
    uint64_t blocks = c->now.window / c->now.block;
    bool larger = c->now.block < c->block_max &&
                  (blocks >= TIED || blocks >= c->blocks_max);

    return capped(c, 2ull * c->now.window,
                  larger ? 2ull * c->now.block : c->now.block);
}

/* One block more may be tried even over the bound, seldom: one that follows
 * from a rate which came too low would else hold it there. */
static struct xf_climb_setting wider(const struct xf_climb *c)
{
    uint64_t window = c->home.window, block = c->home.block;
    struct xf_climb_setting one = capped(c, window + block, block);
    struct xf_climb_setting half_more =
        allowed(c, window + most(window / 2, 2 * block), block);

    return half_more.window > one.window ? half_more : one;
}

/* The bound is lower than it was: not all at once, for what lowers it may be
 * one bad moment. */
static struct xf_climb_setting drawn_in(const struct xf_climb *c)
{
    uint64_t step = most(c->home.window / 8, c->home.block);
    struct xf_climb_setting s = allowed(c, c->home.window, c->home.block);

    if (s.window + step < c->home.window)
        s.window = (uint32_t)(c->home.window - step);
    return capped(c, s.window, s.block);
}

static struct xf_climb_setting tried(const struct xf_climb *c,
                                     enum xf_climb_trial trial)
{
    uint64_t window = c->home.window, block = c->home.block;
    uint64_t quarter = most(window / 4, block);

    switch (trial) {
    case XF_CLIMB_WIDER:
        return wider(c);
    case XF_CLIMB_NARROWER:
        return allowed(c, window > quarter ? window - quarter : block, block);
    case XF_CLIMB_LARGER:
        return allowed(c, window, 2 * block);
    case XF_CLIMB_SMALLER:
        if (window <= (uint64_t)half(c->home.block) * c->blocks_max)
            return allowed(c, window, half(c->home.block));
        break;
    case XF_CLIMB_TRIALS:
        break;
    }
    return c->home;
}

static bool is_same(const struct xf_climb_setting *a,
                    const struct xf_climb_setting *b)
{
    return a->block == b->block && a->window == b->window;
}

/* What is under way by the setting before is not measured. */
static void set(struct xf_climb *c, struct xf_climb_setting to,
                enum xf_climb_phase phase)
{
    c->now = to;
    c->phase = phase;
    c->settled = c->total_sent;
    c->since = -1;
}

/* --- judging -------------------------------------------------------------- */

/* The next trial that would change something, or home once more. */
static void go_on(struct xf_climb *c)
{
    for (unsigned i = 0; i < XF_CLIMB_TRIALS; i++)
        if (c->until[i] > 0)
            c->until[i]--;
    for (unsigned i = 1; i <= XF_CLIMB_TRIALS; i++) {
        enum xf_climb_trial trial = (c->trial + i) % XF_CLIMB_TRIALS;
        struct xf_climb_setting to = tried(c, trial);

        if (c->until[trial] > 0 || is_same(&to, &c->home))
            continue;
        c->trial = trial;
        set(c, to, XF_CLIMB_TRIAL);
        return;
    }
    c->phase = XF_CLIMB_HOME;
}

static void settle(struct xf_climb *c, struct xf_climb_setting home)
{
    c->home = home;
    set(c, home, XF_CLIMB_HOME);
}

/* A round ends when a whole window of its own is acknowledged. */
static void begin_round(struct xf_climb *c, struct xf_climb_setting s)
{
    c->now = s;
    c->settled = c->total_acked + s.window;
}

static void round_over(struct xf_climb *c)
{
    struct xf_climb_setting most_next = doubled(c), next = most_next;
    bool gains = c->rate > c->best + c->best / 4;

    if (gains)
        c->best = c->rate;
    c->in_vain = gains ? 0 : c->in_vain + 1;
    /* Of few blocks the bound says little. */
    if (!gains || c->now.window / c->now.block >= FEW)
        next = allowed(c, next.window, next.block);
    if (next.window < c->now.window)
        next = c->now;
    if (c->in_vain >= IN_VAIN_MAX)
        settle(c, allowed(c, c->now.window, c->now.block));
    else if (gains && is_same(&most_next, &c->now))
        settle(c, next);
    else
        begin_round(c, next);
}

/* Less under way at the same rate is a gain, and so are larger blocks, which
 * are less work for everybody; but not where home itself is now this, now
 * that. */
static bool is_better(const struct xf_climb *c)
{
    uint64_t home = most(c->rate_home, c->rate), trial = c->rate_trial;
    bool steady = least(c->rate_home, c->rate) * 10ull >= home * 9;

    switch (c->trial) {
    case XF_CLIMB_NARROWER:
        return steady && trial * 100 >= home * 99;
    case XF_CLIMB_LARGER:
        return trial * 100 >= home * 99;
    case XF_CLIMB_WIDER:
    case XF_CLIMB_SMALLER:
    case XF_CLIMB_TRIALS:
        break;
    }
    return trial * 100 >= home * 106;
}

/* So much less that nothing can have waited. */
static bool is_less(const struct xf_climb *c)
{
    return c->rate_trial < most(c->rate_home, c->rate) / 10 * 9;
}

static void judge(struct xf_climb *c)
{
    bool better = is_better(c);
    struct xf_climb_setting to = tried(c, c->trial);
    bool free = c->trial == XF_CLIMB_WIDER && to.window <= bound(c, to.block);
    uint32_t rest = free ? XF_CLIMB_REST_WIDER : XF_CLIMB_REST_MAX;

    /* It cannot be; gcc 12 believes it can. */
    if (c->trial >= XF_CLIMB_TRIALS)
        return;
    if (c->trial == XF_CLIMB_WIDER && !free)
        c->rest[c->trial] = XF_CLIMB_REST_OVER / 2;
    rest = better ? 1 : least(2u * c->rest[c->trial], rest);
    c->rest[c->trial] = c->until[c->trial] = (uint8_t)rest;
    if (c->trial == XF_CLIMB_NARROWER && is_less(c))
        c->rtt_ms = c->trial_ms;
    if (better) {
        /* Where it is now is another place: all is worth a look. */
        memset(c->until, 0, sizeof c->until);
        settle(c, to);
        return;
    }
    c->rate_home = c->rate;
    go_on(c);
}

static void period_over(struct xf_climb *c)
{
    /* Forgotten slowly: one bad moment is not to narrow the bound. */
    c->rate_top = most(c->rate, c->rate_top - c->rate_top / 16);
    if (c->phase != XF_CLIMB_START && c->now.window < 2 * c->now.block)
        c->rtt_ms = c->period_ms; /* nothing waits behind another */
    switch (c->phase) {
    case XF_CLIMB_START:
        round_over(c);
        return;
    case XF_CLIMB_HOME:
        c->rate_home = c->rate;
        c->home = drawn_in(c);
        c->now = c->home;
        go_on(c);
        return;
    case XF_CLIMB_TRIAL:
        c->rate_trial = c->rate;
        c->trial_ms = c->period_ms;
        set(c, c->home, XF_CLIMB_AGAIN);
        return;
    case XF_CLIMB_AGAIN:
        judge(c);
        return;
    case XF_CLIMB_HELD:
        return;
    }
}

/* --- measuring ------------------------------------------------------------ */

static void time_trip(struct xf_climb *c, int64_t ms)
{
    if (ms < c->period_ms)
        c->period_ms = ms;
    if (ms < c->rtt_ms)
        c->rtt_ms = ms;
}

static void begin_period(struct xf_climb *c, int64_t now)
{
    c->since = now;
    c->measured = c->measured_blocks = 0;
    c->period_ms = INT64_MAX;
}

static bool is_over(const struct xf_climb *c, int64_t ms)
{
    if (c->phase == XF_CLIMB_START)
        return ms >= XF_CLIMB_ROUND_MS && c->total_acked >= c->settled;
    return ms >= XF_CLIMB_PERIOD_MS && ms >= 2 * c->rtt_ms &&
           c->measured_blocks >= XF_CLIMB_PERIOD_BLOCKS;
}

static void measure(struct xf_climb *c, uint32_t len, int64_t now)
{
    int64_t ms = now - c->since;
    uint64_t rate;

    if (c->since < 0) {
        if (c->total_acked >= c->settled)
            begin_period(c, now);
        return;
    }
    c->measured += len;
    c->measured_blocks++;
    if (!is_over(c, ms))
        return;
    rate = c->measured * 1000 / (uint64_t)(ms > 0 ? ms : 1);
    c->rate = most(least(rate, UINT32_MAX), 1);
    period_over(c);
    if (c->since >= 0)
        begin_period(c, now);
}

/* --- the way in ------------------------------------------------------------- */

void xf_climb_init(struct xf_climb *c, const struct xf_climb_limits *limits)
{
    assert(limits->block_min > 0 && limits->block_min <= limits->block);
    assert(limits->block <= limits->block_max);
    *c = (struct xf_climb){
        .block_min = limits->block_min,
        .block_max = limits->block_max,
        .blocks_max = most(least(limits->blocks_max, XF_CLIMB_BLOCKS_MAX), 1),
        .bytes_max = limits->bytes_max,
        .trial = XF_CLIMB_TRIALS - 1,
        .rtt_ms = INT64_MAX,
        .period_ms = INT64_MAX,
        .rest = { 1, 1, 4, 4 },
        .until = { 0, 0, 2, 4 },
    };
    c->home =
        capped(c, (uint64_t)limits->block * limits->blocks, limits->block);
    begin_round(c, c->home);
}

void xf_climb_hold(struct xf_climb *c)
{
    c->phase = XF_CLIMB_HELD;
    c->home = c->now = allowed(c, UINT32_MAX, c->now.block);
}

void xf_climb_limit(struct xf_climb *c, uint32_t bytes_max)
{
    c->bytes_max = bytes_max;
    c->now = capped(c, c->now.window, c->now.block);
    c->home = capped(c, c->home.window, c->home.block);
}

bool xf_climb_may_send(const struct xf_climb *c)
{
    if (c->count == 0)
        return true;
    return c->count < c->blocks_max &&
           (uint64_t)c->bytes + c->now.block <= c->now.window;
}

uint32_t xf_climb_block(const struct xf_climb *c)
{
    return c->now.block;
}

void xf_climb_sent(struct xf_climb *c, uint32_t len, int64_t now_ms)
{
    uint32_t at = (c->first + c->count) % XF_CLIMB_BLOCKS_MAX;

    assert(c->count < XF_CLIMB_BLOCKS_MAX);
    if (c->total_sent == 0)
        begin_period(c, now_ms);
    c->sent[at].at = now_ms;
    c->sent[at].len = len;
    c->count++;
    c->bytes += len;
    c->total_sent += len;
}

uint32_t xf_climb_acked(struct xf_climb *c, int64_t now_ms)
{
    uint32_t len;

    if (c->count == 0)
        return 0;
    len = c->sent[c->first].len;
    time_trip(c, now_ms - c->sent[c->first].at);
    c->first = (c->first + 1) % XF_CLIMB_BLOCKS_MAX;
    c->count--;
    c->bytes -= len;
    c->total_acked += len;
    measure(c, len, now_ms);
    return len;
}
