/* Pairs by hash while they wait, by hash and id while they flow. */
#include "proto/proxy.h"

#include <assert.h>
#include <string.h>

#include "base/sys.h"

static struct xf_pair *of_hash(struct xf_map_item *item)
{
    return item ? (struct xf_pair *)((char *)item -
                                     offsetof(struct xf_pair, by_hash))
                : NULL;
}

static struct xf_pair *of_id(struct xf_map_item *item)
{
    return item ? (struct xf_pair *)((char *)item -
                                     offsetof(struct xf_pair, by_id))
                : NULL;
}

void xf_matcher_init(struct xf_matcher *m, const uint64_t secret[2])
{
    *m = (struct xf_matcher){ .next_id = 1 };
    xf_map_init(&m->by_hash, secret);
    xf_map_init(&m->by_id, secret);
}

void xf_matcher_clear(struct xf_matcher *m)
{
    assert(m->by_hash.count == 0);
    xf_map_clear(&m->by_hash);
    xf_map_clear(&m->by_id);
}

/* --- states --------------------------------------------------------------- */

static size_t *count_of(struct xf_matcher *m, enum xf_pair_state state)
{
    switch (state) {
    case XF_PAIR_ONE:
        return &m->ones;
    case XF_PAIR_TWO:
        return &m->twos;
    case XF_PAIR_ACTIVE:
        break;
    }
    return &m->active;
}

static void set_state(struct xf_matcher *m, struct xf_pair *pair,
                      enum xf_pair_state state)
{
    --*count_of(m, pair->state);
    ++*count_of(m, state);
    pair->state = state;
}

/* Among those that wait: behind all others, so that the front is the oldest. */
static void line_up(struct xf_matcher *m, struct xf_pair *pair)
{
    pair->before = m->last;
    pair->after = NULL;
    if (m->last)
        m->last->after = pair;
    else
        m->first = pair;
    m->last = pair;
}

static void step_out(struct xf_matcher *m, struct xf_pair *pair)
{
    if (pair->before)
        pair->before->after = pair->after;
    else
        m->first = pair->after;
    if (pair->after)
        pair->after->before = pair->before;
    else
        m->last = pair->before;
    pair->before = pair->after = NULL;
}

/* --- connections ---------------------------------------------------------- */

static struct xf_pair *new_pair(struct xf_matcher *m, const char *hash)
{
    struct xf_pair *pair = xf_sys_alloc(sizeof *pair);

    if (!pair)
        return NULL;
    assert(strlen(hash) == XF_DSTADDR_LEN);
    memcpy(pair->hash, hash, XF_DSTADDR_LEN + 1);
    if (!xf_map_add(&m->by_hash, &pair->by_hash, pair->hash, XF_DSTADDR_LEN)) {
        xf_sys_free(pair);
        return NULL;
    }
    m->ones++;
    line_up(m, pair);
    return pair;
}

enum xf_match xf_matcher_look(const struct xf_matcher *m, const char *hash,
                              size_t max, struct xf_pair **out)
{
    struct xf_pair *pair =
        of_hash(xf_map_find(&m->by_hash, hash, XF_DSTADDR_LEN));

    *out = pair;
    if (pair)
        return pair->state == XF_PAIR_ONE ? XF_MATCH_SECOND : XF_MATCH_THIRD;
    return max > 0 && m->by_hash.count >= max ? XF_MATCH_FULL : XF_MATCH_FIRST;
}

enum xf_match xf_matcher_connect(struct xf_matcher *m, const char *hash,
                                 void *side, int64_t now, int64_t deadline,
                                 size_t max, struct xf_pair **out)
{
    enum xf_match match = xf_matcher_look(m, hash, max, out);
    struct xf_pair *pair = *out;

    if (match == XF_MATCH_SECOND) {
        pair->sides[1] = side;
        pair->since = now;
        set_state(m, pair, XF_PAIR_TWO);
    }
    if (match != XF_MATCH_FIRST)
        return match;
    *out = pair = new_pair(m, hash);
    if (!pair)
        return XF_MATCH_NO_MEMORY;
    pair->sides[0] = side;
    pair->since = now;
    pair->deadline = deadline;
    return XF_MATCH_FIRST;
}

void xf_matcher_left(struct xf_matcher *m, struct xf_pair *pair, void *side)
{
    assert(pair->state != XF_PAIR_ACTIVE);
    if (pair->state == XF_PAIR_ONE) {
        assert(pair->sides[0] == side);
        xf_matcher_end(m, pair);
        return;
    }
    if (pair->sides[0] == side)
        pair->sides[0] = pair->sides[1];
    pair->sides[1] = NULL;
    set_state(m, pair, XF_PAIR_ONE);
}

/* --- activation ----------------------------------------------------------- */

/*
 * That the hash is the same does not make it the same JIDs: nothing stands
 * between the three of which it is the sum, so "ab" + "c@d" is "a" + "bc@d".
 */
enum xf_ask xf_matcher_ask(const struct xf_matcher *m, const char *hash,
                           const char *requester, struct xf_pair **out)
{
    struct xf_pair *pair =
        of_hash(xf_map_find(&m->by_hash, hash, XF_DSTADDR_LEN));

    *out = pair;
    if (!pair)
        return XF_ASK_UNKNOWN;
    switch (pair->state) {
    case XF_PAIR_ONE:
        return XF_ASK_ONE;
    case XF_PAIR_TWO:
        return XF_ASK_READY;
    case XF_PAIR_ACTIVE:
        break;
    }
    if (strcmp(pair->requester, requester) == 0)
        return XF_ASK_AGAIN;
    *out = NULL;
    return XF_ASK_UNKNOWN;
}

bool xf_matcher_hold(struct xf_matcher *m, struct xf_pair *pair, void *request,
                     int64_t now)
{
    assert(pair->state == XF_PAIR_ONE);
    if (pair->held)
        return false;
    pair->held = request;
    pair->held_until = now + XF_PAIR_HOLD_MS;
    pair->held_before = m->held_last;
    pair->held_after = NULL;
    if (m->held_last)
        m->held_last->held_after = pair;
    else
        m->held_first = pair;
    m->held_last = pair;
    return true;
}

void *xf_matcher_unhold(struct xf_matcher *m, struct xf_pair *pair)
{
    void *request = pair->held;

    if (!request)
        return NULL;
    pair->held = NULL;
    if (pair->held_before)
        pair->held_before->held_after = pair->held_after;
    else
        m->held_first = pair->held_after;
    if (pair->held_after)
        pair->held_after->held_before = pair->held_before;
    else
        m->held_last = pair->held_before;
    return request;
}

bool xf_matcher_activate(struct xf_matcher *m, struct xf_pair *pair,
                         const char *requester)
{
    assert(pair->state == XF_PAIR_TWO && !pair->held);
    pair->requester = xf_sys_strdup(requester);
    pair->id = m->next_id;
    if (!pair->requester ||
        !xf_map_add(&m->by_id, &pair->by_id, &pair->id, sizeof pair->id)) {
        xf_sys_free(pair->requester);
        pair->requester = NULL;
        return false;
    }
    m->next_id++;
    step_out(m, pair);
    set_state(m, pair, XF_PAIR_ACTIVE);
    return true;
}

/* --- which ---------------------------------------------------------------- */

struct xf_pair *xf_matcher_by_id(const struct xf_matcher *m, uint64_t id)
{
    return of_id(xf_map_find(&m->by_id, &id, sizeof id));
}

struct xf_pair *xf_matcher_waiting(const struct xf_matcher *m)
{
    return m->first;
}

struct xf_pair *xf_matcher_flowing(const struct xf_matcher *m)
{
    return of_id(xf_map_next(&m->by_id, NULL));
}

struct xf_pair *xf_matcher_expired(const struct xf_matcher *m, int64_t now)
{
    return m->first && m->first->deadline <= now ? m->first : NULL;
}

struct xf_pair *xf_matcher_held(const struct xf_matcher *m, int64_t now)
{
    struct xf_pair *pair = m->held_first;

    return pair && pair->held_until <= now ? pair : NULL;
}

int64_t xf_matcher_deadline(const struct xf_matcher *m)
{
    int64_t least = m->first ? m->first->deadline : INT64_MAX;

    if (m->held_first && m->held_first->held_until < least)
        least = m->held_first->held_until;
    return least;
}

void xf_matcher_end(struct xf_matcher *m, struct xf_pair *pair)
{
    assert(!pair->held);
    --*count_of(m, pair->state);
    xf_map_remove(&m->by_hash, &pair->by_hash);
    if (pair->state == XF_PAIR_ACTIVE)
        xf_map_remove(&m->by_id, &pair->by_id);
    else
        step_out(m, pair);
    xf_sys_free(pair->requester);
    xf_sys_free(pair);
}
