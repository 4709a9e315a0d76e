/*
 * How many bytes may move when a session is held to a rate: a bucket that
 * fills with time and holds what comes in BURST_MS, so that over any two
 * seconds no more than a thirtieth is added to the rate. Who moves them, and
 * in which order, is left to others.
 */
#ifndef XF_PROTO_LIMIT_H
#define XF_PROTO_LIMIT_H

#include <stddef.h>
#include <stdint.h>

#define XF_LIMIT_BURST_MS 64 /* so late a loop may be and lose nothing */
#define XF_LIMIT_PIECE 4096  /* among many no one gets less, if there is */
#define XF_LIMIT_RATE_MAX (UINT64_C(1) << 40)

struct xf_limit {
    uint64_t rate;  /* bytes a second; 0: no limit */
    int64_t level;  /* in thousandths of a byte; below 0 is a debt */
    int64_t filled; /* when that was */
};

void xf_limit_init(struct xf_limit *limit, uint64_t rate, int64_t now_ms);

/*
 * What the first of `waiting` (at least 1) may move now; 0: not yet. `whole`
 * are bytes that go at once or not at all, 0 where they can be divided: it is
 * let go as soon as the bucket holds as much, or all it can.
 */
uint64_t xf_limit_share(struct xf_limit *limit, int64_t now_ms, size_t waiting,
                        uint64_t whole);

/* When that will be more than 0, if nothing is spent until then. */
int64_t xf_limit_due(const struct xf_limit *limit, uint64_t whole);

/* So many have moved. What could not be held back makes a debt. */
void xf_limit_spend(struct xf_limit *limit, uint64_t bytes);

/* The most that may go at once without a debt; 0: no limit. */
uint64_t xf_limit_burst(const struct xf_limit *limit);

#endif
