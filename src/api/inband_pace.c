/*
 * How much of an in-band stream at once: the block, the window and the
 * forecast, from what is known of the contact and of our server. What a rate
 * means is proto/pace's, finding it out is api/rate's.
 */
#include <string.h>

#include "api/inband_inside.h"
#include "api/peer.h"
#include "base/sys.h"
#include "proto/pace.h"

/* Around a block in its stanza, with JIDs and sid of the greatest length. */
#define ENVELOPE (2u * XF_JID_MAX + XF_SID_MAX + 512u)
#define UNKNOWN_LIMIT (256u * 1024u) /* a server that announces nothing */
#define RATE_FROM 49152u             /* less is there before a rate is known */
#define RATE_MS 3000                 /* a stream's own rate shows after that */
#define PEERS_MAX 64u                /* whose blocks are remembered */
#define FIRST_BLOCKS 4u              /* where so many may be under way */
#define CHEAP 256u /* blocks of a file for which one round trip is little */
#define ENVELOPE_WORDS 160u /* of a block's stanza, but JIDs and sid */

/* A block that a contact took where it had refused a larger one. */
struct xf_peer_block {
    struct xf_peer_block *next;
    uint32_t block;
    char jid[];
};

static struct xf_peer_block *known_block(const struct xf_transfer *t)
{
    struct xf_peer_block *one = t->s->blocks_taken;

    while (one && strcmp(one->jid, t->peer) != 0)
        one = one->next;
    return one;
}

void xf_inband_remember_block(struct xf_transfer *t, uint32_t block)
{
    struct xf_session *s = t->s;
    struct xf_peer_block *one = known_block(t), **last = &s->blocks_taken;
    size_t len = strlen(t->peer) + 1;

    if (one) {
        one->block = block;
        return;
    }
    for (unsigned n = 1; *last && n < PEERS_MAX; n++)
        last = &(*last)->next;
    xf_sys_free(*last);
    *last = NULL;
    one = xf_sys_alloc(sizeof *one + len);
    if (!one)
        return;
    one->block = block;
    memcpy(one->jid, t->peer, len);
    one->next = s->blocks_taken;
    s->blocks_taken = one;
}

void xf_inband_forget_peers(struct xf_session *s)
{
    while (s->blocks_taken) {
        struct xf_peer_block *one = s->blocks_taken;

        s->blocks_taken = one->next;
        xf_sys_free(one);
    }
}

/* What stands around a block in its stanza. */
static size_t envelope(const struct xf_transfer *t)
{
    return strlen(t->peer) + strlen(t->s->jid) + strlen(t->sid) +
           ENVELOPE_WORDS;
}

/* This one and those that send besides. */
static uint32_t streams(const struct xf_inband *b)
{
    uint32_t count = 1;

    for (const struct xf_transfer *t = b->t->s->transfers; t; t = t->next)
        count += !t->over && t->ibb != b && xf_inband_is_sending(t->ibb);
    return count;
}

/* What is left of the server's rate for one stream more than send already;
 * they share it, in turn. 0: no limit is known. */
static uint32_t share(const struct xf_inband *b)
{
    return b->rate.bytes ? b->rate.bytes / streams(b) : 0;
}

/* What the server passes, and fits into a stanza of it. */
static uint32_t most_bytes(const struct xf_session *s)
{
    size_t limit = s->stanza_limit ? s->stanza_limit : UNKNOWN_LIMIT;

    return limit > ENVELOPE + 4 ? (uint32_t)((limit - ENVELOPE) / 4 * 3)
                                : XF_IBB_BLOCK_MIN;
}

/* A block goes at once: one that is longer than what the rate that is to be
 * held lets go at once would not hold it. */
static uint32_t within_limit(const struct xf_session *s, uint32_t block)
{
    uint64_t burst = xf_limit_burst(&s->limit);

    if (burst == 0 || burst >= block)
        return block;
    return burst > XF_IBB_BLOCK_MIN ? (uint32_t)burst : XF_IBB_BLOCK_MIN;
}

bool xf_inband_takes_block(const struct xf_transfer *t, uint32_t block)
{
    return !t->key[0] || block <= XF_LIMIT_PIECE ||
           within_limit(t->s, block) == block;
}

uint32_t xf_inband_fitting_block(const struct xf_inband *b)
{
    const struct xf_transfer *t = b->t;
    const struct xf_session *s = t->s;
    const struct xf_peer_block *known = known_block(t);
    uint32_t fits = most_bytes(s),
             block = s->set.block_size
                         ? s->set.block_size
                         : xf_pace_block(share(b), t->profile->ibb_block,
                                         envelope(t));

    /* Never 0 here: see xf_inband_can(). */
    if (!s->set.block_size)
        block = xf_profile_block(t->profile, block, t->size);
    if (known && known->block < block)
        block = known->block;
    if (!s->set.block_size)
        block = within_limit(s, block);
    return block < fits ? block : fits;
}

uint32_t xf_inband_hoped_block(const struct xf_inband *b, uint32_t first)
{
    const struct xf_transfer *t = b->t;
    uint32_t most = t->profile->ibb_block_max, fits = most_bytes(t->s);

    if (b->tx.messages || t->s->set.block_size || share(b) || known_block(t) ||
        (t->size - t->done) / CHEAP <= first)
        return 0;
    return within_limit(t->s, most < fits ? most : fits);
}

/* Of ours any block is welcome; others count them, some not far. */
static uint32_t smallest(const struct xf_inband *b, uint32_t first)
{
    return b->t->profile->goes_on && !b->t->s->set.block_size &&
                   first > XF_CLIMB_BLOCK_MIN
               ? XF_CLIMB_BLOCK_MIN
               : first;
}

void xf_inband_share(struct xf_inband *b)
{
    xf_climb_limit(&b->climb, XF_CLIMB_BYTES_MAX / streams(b));
}

void xf_inband_climb(struct xf_inband *b)
{
    uint32_t most = b->tx.block_size;
    uint32_t first = b->tx.block_first < most ? b->tx.block_first : most;

    xf_climb_init(&b->climb, &(struct xf_climb_limits){
                                 .block = first,
                                 .block_min = smallest(b, first),
                                 .block_max = most,
                                 .blocks = FIRST_BLOCKS,
                                 .blocks_max = b->tx.window,
                                 .bytes_max = XF_CLIMB_BYTES_MAX / streams(b),
                             });
    if (share(b))
        xf_climb_hold(&b->climb);
}

void xf_inband_plan(struct xf_inband *b)
{
    const struct xf_transfer *t = b->t;
    uint32_t rate = share(b), block = b->tx.block_size;
    uint64_t left = t->size - t->done;

    b->tx.window = xf_pace_window(rate, xf_peer_window(t), block, envelope(t));
    b->payload = xf_pace_payload(rate, block, envelope(t));
    b->forecast_ms =
        b->payload ? (int64_t)(left * 1000 / b->payload) + b->rate.rtt_ms : 0;
}

size_t xf_inband_ahead(const struct xf_inband *b, size_t most)
{
    uint64_t rate = share(b);
    uint64_t bytes = rate * XF_PACE_AHEAD_MS / 1000;

    return rate && bytes < most ? (size_t)bytes : most;
}

bool xf_inband_wants_rate(const struct xf_transfer *t)
{
    return t->s->online && t->size - t->done > RATE_FROM;
}

uint32_t xf_inband_wire_rate(const struct xf_inband *b)
{
    const struct xf_transfer *t = b->t;
    int64_t ms = xf_now(t->s) - b->started_at;
    uint64_t blocks = b->blocks - b->tx.in_flight, rate;

    if (ms < RATE_MS)
        return 0;
    rate = ((b->acked - b->from) / 3 * 4 + blocks * envelope(t)) * 1000 /
           (uint64_t)ms;
    return rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
}
