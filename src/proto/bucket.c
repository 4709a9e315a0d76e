/* A token bucket in thousandths of bytes, so that nothing is lost between two
 * looks a millisecond apart. */
#include "proto/bucket.h"

/* It fills for so long and no longer: a pause of more is not made up for. */
#define DEPTH_MS 100
#define WORTH_MS 20
#define WORTH_MAX (64u << 10)

/* Above what is worth a call, or a small rate would overflow on its way there. */
static uint64_t depth(const struct xf_bucket *b)
{
    return b->rate * DEPTH_MS + xf_bucket_worth(b) * 1000;
}

void xf_bucket_set(struct xf_bucket *b, uint64_t rate, int64_t now_ms)
{
    uint64_t before = b->rate;

    (void)xf_bucket_has(b, now_ms);
    b->rate = rate < XF_BUCKET_RATE_MAX ? rate : XF_BUCKET_RATE_MAX;
    b->at = now_ms;
    if (before == 0)
        b->milli = xf_bucket_worth(b) * 1000;
    else if (b->milli > depth(b))
        b->milli = depth(b);
}

uint64_t xf_bucket_has(struct xf_bucket *b, int64_t now_ms)
{
    int64_t passed = now_ms - b->at;

    if (b->rate == 0)
        return UINT64_MAX;
    if (passed > 0) {
        /* What is more than full overflows in any case. */
        uint64_t ms = passed < 10000 ? (uint64_t)passed : 10000;

        b->milli += ms * b->rate;
        b->at = now_ms;
        if (b->milli > depth(b))
            b->milli = depth(b);
    }
    return b->milli / 1000;
}

void xf_bucket_take(struct xf_bucket *b, uint64_t bytes)
{
    if (b->rate > 0)
        b->milli -= bytes * 1000 < b->milli ? bytes * 1000 : b->milli;
}

uint64_t xf_bucket_worth(const struct xf_bucket *b)
{
    uint64_t worth = b->rate * WORTH_MS / 1000;

    if (worth < 1)
        return 1;
    return worth < WORTH_MAX ? worth : WORTH_MAX;
}

int64_t xf_bucket_wait(const struct xf_bucket *b)
{
    uint64_t want = xf_bucket_worth(b) * 1000;

    if (b->rate == 0 || b->milli >= want)
        return 0;
    return (int64_t)((want - b->milli + b->rate - 1) / b->rate);
}
