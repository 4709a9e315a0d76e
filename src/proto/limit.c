/* A bucket of bytes; see the header. */
#include "proto/limit.h"

#include <assert.h>

#define BYTE INT64_C(1000)         /* in the units of the level */
#define LONG_MS (INT64_C(1) << 22) /* more fills any bucket, or any debt */
#define PARTS 4 /* of the bucket: one is worth being woken for */

static int64_t brim(const struct xf_limit *limit)
{
    int64_t full = (int64_t)limit->rate * XF_LIMIT_BURST_MS;

    return full < BYTE ? BYTE : full;
}

void xf_limit_init(struct xf_limit *limit, uint64_t rate, int64_t now_ms)
{
    *limit =
        (struct xf_limit){ .rate = rate < XF_LIMIT_RATE_MAX ? rate
                                                            : XF_LIMIT_RATE_MAX,
                           .filled = now_ms };
}

static void fill(struct xf_limit *limit, int64_t now_ms)
{
    int64_t ms = now_ms - limit->filled, full = brim(limit);

    if (ms <= 0)
        return;
    if (ms > LONG_MS)
        ms = LONG_MS;
    limit->level += (int64_t)limit->rate * ms;
    if (limit->level > full)
        limit->level = full;
    limit->filled = now_ms;
}

/* What has to be there before anything goes. */
static int64_t enough(const struct xf_limit *limit, uint64_t whole)
{
    int64_t full = brim(limit), least = full / PARTS;

    if (least < BYTE)
        least = BYTE;
    if (whole > (uint64_t)(full / BYTE))
        return full;
    return (int64_t)whole * BYTE > least ? (int64_t)whole * BYTE : least;
}

uint64_t xf_limit_share(struct xf_limit *limit, int64_t now_ms, size_t waiting,
                        uint64_t whole)
{
    uint64_t all, share;

    assert(waiting > 0);
    if (limit->rate == 0)
        return UINT64_MAX;
    fill(limit, now_ms);
    if (limit->level < enough(limit, whole))
        return 0;
    all = (uint64_t)(limit->level / BYTE);
    share = all / waiting;
    if (share < XF_LIMIT_PIECE)
        share = XF_LIMIT_PIECE;
    if (share > all)
        share = all;
    return share > whole ? share : whole;
}

int64_t xf_limit_due(const struct xf_limit *limit, uint64_t whole)
{
    int64_t missing, rate = (int64_t)limit->rate;

    if (limit->rate == 0)
        return limit->filled;
    missing = enough(limit, whole) - limit->level;
    return missing <= 0 ? limit->filled
                        : limit->filled + (missing + rate - 1) / rate;
}

void xf_limit_spend(struct xf_limit *limit, uint64_t bytes)
{
    if (limit->rate > 0)
        limit->level -= (int64_t)bytes * BYTE;
}

uint64_t xf_limit_burst(const struct xf_limit *limit)
{
    return limit->rate ? (uint64_t)(brim(limit) / BYTE) : 0;
}
