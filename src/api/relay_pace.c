/*
 * Rates of pairs and of groups. Who finds a bucket empty waits at its gate,
 * and the gate stands in a wheel of slots until there is enough for a call
 * that is worth it; then those who waited longest go first.
 */
#include "api/relay_inside.h"

#include <xferry/error.h>

static struct xf_relay_group **find(struct xf_relay *r, uint64_t number)
{
    struct xf_relay_group **at =
        &r->groups[number % (sizeof r->groups / sizeof r->groups[0])];

    while (*at && (*at)->number != number)
        at = &(*at)->next;
    return at;
}

void xf_relay_gate_init(struct xf_relay_gate *gate)
{
    xf_ring_init(&gate->waiting);
    xf_ring_init(&gate->slot);
}

void xf_relay_pace_init(struct xf_relay *r)
{
    for (size_t i = 0; i < XF_RELAY_SLOTS; i++)
        xf_ring_init(&r->slots[i]);
}

static struct xf_relay_group *join(struct xf_relay *r, uint64_t number)
{
    struct xf_relay_group **at = find(r, number), *group = *at;

    if (!group) {
        group = xf_sys_alloc(sizeof *group);
        if (!group)
            return NULL;
        group->number = number;
        xf_relay_gate_init(&group->gate);
        *at = group;
    }
    group->pairs++;
    return group;
}

static void unslot(struct xf_relay *r, struct xf_relay_gate *gate)
{
    if (xf_ring_is_empty(&gate->slot))
        return;
    xf_ring_remove(&gate->slot);
    r->gates_waiting--;
}

static void leave(struct xf_relay *r, struct xf_relay_group *group)
{
    struct xf_relay_group **at;

    if (!group || --group->pairs > 0)
        return;
    at = find(r, group->number);
    *at = group->next;
    unslot(r, &group->gate);
    xf_sys_free(group);
}

int xf_relay_pace_set(struct xf_relay *r, struct xf_relay_pair *pair,
                      const struct xf_relay_limits *limits)
{
    struct xf_relay_group *group = NULL;

    if (limits->group != 0 && (group = join(r, limits->group)) == NULL)
        return XF_E_LIMIT;
    /* It may stand at the gate of the old one; let it ask anew. */
    if (!xf_ring_is_empty(&pair->place))
        xf_ring_append(&r->ready, &pair->place);
    pair->called = NULL;
    unslot(r, &pair->own);
    leave(r, pair->group);
    pair->group = group;
    xf_bucket_set(&pair->own.bucket, limits->rate, r->now);
    if (group)
        xf_bucket_set(&group->gate.bucket, limits->group_rate, r->now);
    return 0;
}

void xf_relay_pace_leave(struct xf_relay *r, struct xf_relay_pair *pair)
{
    xf_ring_remove(&pair->place);
    unslot(r, &pair->own);
    leave(r, pair->group);
    pair->group = NULL;
}

/* Into the wheel; a wait of more than it has slots is cut, and found too
 * short then. */
static void slot(struct xf_relay *r, struct xf_relay_gate *gate)
{
    int64_t wait = xf_bucket_wait(&gate->bucket) / XF_RELAY_SLOT_MS + 1;
    int64_t now = r->now / XF_RELAY_SLOT_MS;

    if (!xf_ring_is_empty(&gate->slot))
        return;
    if (r->gates_waiting == 0)
        r->slot_at = now; /* else it is that already: only a dispatch gets here,
                             and it begins by looking */
    if (wait > XF_RELAY_SLOTS - 1)
        wait = XF_RELAY_SLOTS - 1;
    xf_ring_append(&r->slots[(size_t)(now + wait) % XF_RELAY_SLOTS],
                   &gate->slot);
    r->gates_waiting++;
}

/* What the gate lets through; 0 and the pair stands before it. */
static uint64_t pass(struct xf_relay *r, struct xf_relay_pair *pair,
                     struct xf_relay_gate *gate)
{
    uint64_t has = xf_bucket_has(&gate->bucket, r->now);

    if (pair->called == gate && has > 0)
        return has < gate->share ? has : gate->share;
    if (xf_ring_is_empty(&gate->waiting) &&
        has >= xf_bucket_worth(&gate->bucket))
        return has;
    xf_ring_append(&gate->waiting, &pair->place);
    slot(r, gate);
    return 0;
}

uint64_t xf_relay_pace_may(struct xf_relay *r, struct xf_relay_pair *pair)
{
    uint64_t own, all = UINT64_MAX;

    if (pair->own.bucket.rate == 0 && !pair->group)
        return UINT64_MAX;
    own = pass(r, pair, &pair->own);
    if (own > 0 && pair->group)
        all = pass(r, pair, &pair->group->gate);
    pair->called = NULL;
    if (own == 0 || all == 0)
        return 0;
    return own < all ? own : all;
}

void xf_relay_pace_took(struct xf_relay_pair *pair, uint64_t bytes)
{
    xf_bucket_take(&pair->own.bucket, bytes);
    if (pair->group)
        xf_bucket_take(&pair->group->gate.bucket, bytes);
}

/* Of what there is all who wait get the same; where that would be too little,
 * the first get enough, and the others stay in their order. */
static void open_gate(struct xf_relay *r, struct xf_relay_gate *gate)
{
    uint64_t has = xf_bucket_has(&gate->bucket, r->now), waiting = 0;
    uint64_t worth = xf_bucket_worth(&gate->bucket);
    struct xf_ring *one;

    for (one = gate->waiting.next; one != &gate->waiting; one = one->next)
        waiting++;
    if (has < worth)
        waiting = 0;
    if (waiting > 0)
        gate->share = has / waiting;
    if (gate->share < XF_RELAY_SHARE)
        gate->share = worth < XF_RELAY_SHARE ? worth : XF_RELAY_SHARE;
    for (; waiting > 0 && has >= gate->share; has -= gate->share, waiting--) {
        struct xf_relay_pair *pair = XF_RING_OF(xf_ring_take(&gate->waiting),
                                                struct xf_relay_pair, place);

        pair->called = gate;
        xf_ring_append(&r->ready, &pair->place);
    }
    if (!xf_ring_is_empty(&gate->waiting))
        slot(r, gate);
}

void xf_relay_pace_wake(struct xf_relay *r)
{
    int64_t now = r->now / XF_RELAY_SLOT_MS;
    struct xf_ring due, *one;

    if (r->gates_waiting == 0)
        return;
    xf_ring_init(&due);
    if (now - r->slot_at > XF_RELAY_SLOTS)
        r->slot_at = now - XF_RELAY_SLOTS;
    while (r->slot_at < now)
        xf_ring_move(&due, &r->slots[(size_t)++r->slot_at % XF_RELAY_SLOTS]);
    while ((one = xf_ring_take(&due)) != NULL) {
        r->gates_waiting--;
        open_gate(r, XF_RING_OF(one, struct xf_relay_gate, slot));
    }
}

int64_t xf_relay_pace_next(const struct xf_relay *r)
{
    if (r->gates_waiting == 0)
        return XF_RELAY_NEVER;
    for (int64_t i = 1; i <= XF_RELAY_SLOTS; i++) {
        size_t at = (size_t)(r->slot_at + i) % XF_RELAY_SLOTS;

        if (!xf_ring_is_empty(&r->slots[at]))
            return (r->slot_at + i) * XF_RELAY_SLOT_MS;
    }
    return XF_RELAY_NEVER;
}
