/*
 * How much of an in-band stream is under way at once, found by trying: told
 * each block that leaves and each that is acknowledged, it says how large the
 * next one is and whether it may leave. No clock, no bytes.
 *
 *   START --gains no more--> HOME --> TRIAL --> AGAIN --better--> HOME
 *   (doubles each round)                ^         |
 *                                       +- worse -+
 *
 * Neither block nor window has a right value: servers differ by a factor of
 * twenty, and with them which of the two matters. So a setting is compared
 * with its neighbours while the file passes: more or less under way, larger
 * or smaller blocks. A neighbour is measured between two measurements of home
 * and has to do better than both (one that is smaller: as well), for what
 * changes by itself would pass for a gain otherwise.
 *
 * Whatever is tried, no more is under way than the rate brings in two round
 * trips, and one block: what a chat says then waits a round trip and a block
 * longer than it would alone. The round trip is the shortest that a block had,
 * without the time it takes itself; a longer one is believed only where less
 * under way brought less, for then nothing waited.
 */
#ifndef XF_PROTO_CLIMB_H
#define XF_PROTO_CLIMB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XF_CLIMB_BLOCKS_MAX 256u      /* under way: what a receiver may hold */
#define XF_CLIMB_BYTES_MAX (4u << 20) /* ... of one connection */
#define XF_CLIMB_BLOCK_MIN 4096u      /* none smaller is tried */
#define XF_CLIMB_ROUND_MS 50          /* a round of START takes as long */
#define XF_CLIMB_PERIOD_MS 300        /* a measurement, or two round trips */
#define XF_CLIMB_PERIOD_BLOCKS 4u     /* ... and so many blocks */
#define XF_CLIMB_RTT_FLOOR_MS 25      /* nearer servers count as so far */
#define XF_CLIMB_REST_MAX 32u         /* periods between trials in vain */
#define XF_CLIMB_REST_WIDER 4u        /* ... that cost nothing */
#define XF_CLIMB_REST_OVER 32u        /* ... over the bound, the least */

struct xf_climb_setting {
    uint32_t block;  /* bytes of the next one */
    uint32_t window; /* bytes under way, one block at least */
};

enum xf_climb_phase {
    XF_CLIMB_START,
    XF_CLIMB_HOME,
    XF_CLIMB_TRIAL,
    XF_CLIMB_AGAIN,
    XF_CLIMB_HELD
};

enum xf_climb_trial {
    XF_CLIMB_WIDER,
    XF_CLIMB_LARGER,
    XF_CLIMB_NARROWER,
    XF_CLIMB_SMALLER,
    XF_CLIMB_TRIALS
};

struct xf_climb {
    uint32_t block_min, block_max, blocks_max, bytes_max;
    enum xf_climb_phase phase;
    enum xf_climb_trial trial;
    struct xf_climb_setting now, home;

    /* under way, the oldest first */
    struct {
        int64_t at;
        uint32_t len;
    } sent[XF_CLIMB_BLOCKS_MAX];
    uint32_t first, count, bytes;

    int64_t rtt_ms;    /* the shortest of a block, as far as it still counts */
    int64_t period_ms; /* ... and of this measurement; INT64_MAX: none */
    int64_t trial_ms;

    uint64_t total_sent, total_acked;
    uint64_t settled; /* what was sent by the setting before ends here; START:
                         the round does */
    int64_t since;    /* of this measurement; -1: it has yet to begin */
    uint64_t measured;
    uint32_t measured_blocks;

    uint32_t best;     /* START: bytes a second */
    unsigned in_vain;  /* START: rounds that gained nothing */
    uint32_t rate;     /* of the last measurement */
    uint32_t rate_top; /* what the bound is reckoned by */
    uint32_t rate_home, rate_trial;
    uint8_t rest[XF_CLIMB_TRIALS];  /* doubles with each in vain */
    uint8_t until[XF_CLIMB_TRIALS]; /* periods to go */
};

/* What it may try, in bytes and blocks. */
struct xf_climb_limits {
    uint32_t block, block_min, block_max; /* the first one's, all others' */
    uint32_t blocks;                      /* under way at first */
    uint32_t blocks_max; /* under way; at most XF_CLIMB_BLOCKS_MAX count */
    uint32_t bytes_max;  /* one block may always be under way */
};

void xf_climb_init(struct xf_climb *c, const struct xf_climb_limits *limits);

/* What is right is known by other means: `block`, and all that is allowed. */
void xf_climb_hold(struct xf_climb *c);

/* Others want their share of the connection, or want it no more. */
void xf_climb_limit(struct xf_climb *c, uint32_t bytes_max);

/* May a block leave now? At most so long: */
bool xf_climb_may_send(const struct xf_climb *c);
uint32_t xf_climb_block(const struct xf_climb *c);

void xf_climb_sent(struct xf_climb *c, uint32_t len, int64_t now_ms);
/* The oldest is acknowledged; returns its length, 0: none was under way. */
uint32_t xf_climb_acked(struct xf_climb *c, int64_t now_ms);

#endif
