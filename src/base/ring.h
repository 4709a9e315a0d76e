/*
 * A list that its members carry in themselves: to be in it, at its end or out
 * of it costs nothing and cannot fail. A head, and a member that is in none,
 * point at themselves.
 */
#ifndef XF_BASE_RING_H
#define XF_BASE_RING_H

#include <stdbool.h>
#include <stddef.h>

struct xf_ring {
    struct xf_ring *prev, *next;
};

/* The struct of which `ring` is the member of that name. */
#define XF_RING_OF(ring, type, member)                                         \
    ((type *)(void *)((char *)(ring)-offsetof(type, member)))

static inline void xf_ring_init(struct xf_ring *ring)
{
    ring->prev = ring->next = ring;
}

/* Of a head: nobody is in it; of a member: it is in none. */
static inline bool xf_ring_is_empty(const struct xf_ring *ring)
{
    return ring->next == ring;
}

static inline void xf_ring_remove(struct xf_ring *member)
{
    member->prev->next = member->next;
    member->next->prev = member->prev;
    xf_ring_init(member);
}

/* Out of where it is, to the end of another. */
static inline void xf_ring_append(struct xf_ring *head, struct xf_ring *member)
{
    xf_ring_remove(member);
    member->prev = head->prev;
    member->next = head;
    head->prev->next = member;
    head->prev = member;
}

/* The first, taken out; NULL when there is none. */
static inline struct xf_ring *xf_ring_take(struct xf_ring *head)
{
    struct xf_ring *first = head->next;

    if (first == head)
        return NULL;
    xf_ring_remove(first);
    return first;
}

/* All of `from`, in order, to the end of `head`. */
static inline void xf_ring_move(struct xf_ring *head, struct xf_ring *from)
{
    struct xf_ring *one;

    while ((one = xf_ring_take(from)) != NULL)
        xf_ring_append(head, one);
}

#endif
