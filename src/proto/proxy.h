/*
 * Which two connections of a proxy belong together, and since when they may
 * flow (XEP-0065, 6). No sockets, no clock: a connection is whatever pointer
 * the caller has for it, times are arguments.
 *
 * A hash, from its first connection to the end of what it became:
 *
 *           connect         connect           activate
 *   unknown -------> ONE -----------> TWO ----------------> ACTIVE --end--> x
 *                   |   \            ^  |
 *                   |    ask, hold   |  +-- time is over --> x
 *                   |     \          |
 *                   |      (ASKED) --+ connect: the held request is answered
 *                   +-- it left, time is over --> x
 *
 * A third connection is refused and changes nothing. Sides of an ACTIVE pair
 * have been handed over.
 */
#ifndef XF_PROTO_PROXY_H
#define XF_PROTO_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/map.h"

/*
 * Activation may overtake the request of the second connection: they come by
 * different ways. So it is held for a moment before it is refused.
 */
#define XF_PAIR_HOLD_MS 200

enum xf_pair_state {
    XF_PAIR_ONE,
    XF_PAIR_TWO,
    XF_PAIR_ACTIVE,
};

struct xf_pair {
    enum xf_pair_state state;
    struct xf_map_item by_hash, by_id;
    char hash[XF_DSTADDR_LEN + 1];
    uint64_t id;    /* ACTIVE */
    void *sides[2]; /* in the order in which they came; NULL when there is none;
                       not changed by activation */
    int64_t since;  /* the last of them */
    int64_t deadline;
    void *held; /* ONE: a request to activate, or NULL */
    int64_t held_until;
    struct xf_pair *before, *after; /* those that wait, oldest first */
    struct xf_pair *held_before, *held_after; /* those with a held request */
    char *requester;                          /* ACTIVE: full JID */
    void *owner;                              /* ACTIVE: for the caller alone */
};

struct xf_matcher {
    struct xf_map by_hash, by_id;
    struct xf_pair *first, *last; /* not ACTIVE */
    struct xf_pair *held_first, *held_last;
    uint64_t next_id;
    size_t ones, twos, active; /* how many there are of each */
};

void xf_matcher_init(struct xf_matcher *m, const uint64_t secret[2]);
/* No pair is in it any more. */
void xf_matcher_clear(struct xf_matcher *m);

enum xf_match {
    XF_MATCH_FIRST,
    XF_MATCH_SECOND, /* a request that was held (pair->held) is to be asked
                        again, once it has been taken by xf_matcher_unhold() */
    XF_MATCH_THIRD,  /* refused: two are there, or flow */
    XF_MATCH_FULL,   /* refused: `max` pairs are there */
    XF_MATCH_NO_MEMORY,
};

/*
 * What would become of a connection that asks for `hash`: any of the above but
 * NO_MEMORY. `*out` is the pair that is there, or NULL.
 */
enum xf_match xf_matcher_look(const struct xf_matcher *m, const char *hash,
                              size_t max, struct xf_pair **out);

/*
 * A connection has asked for `hash`, 40 characters, compared as they are. It
 * waits until `deadline` at the latest, its pair with it. `max` 0 is no limit.
 */
enum xf_match xf_matcher_connect(struct xf_matcher *m, const char *hash,
                                 void *side, int64_t now, int64_t deadline,
                                 size_t max, struct xf_pair **out);

/* `side` of a pair that is not ACTIVE has gone; the pair, when it was the last
 * one, is freed. A held request is to be taken before. */
void xf_matcher_left(struct xf_matcher *m, struct xf_pair *pair, void *side);

enum xf_ask {
    XF_ASK_UNKNOWN, /* nobody has connected, or another may not know: it flows,
                       activated by another JID whose hash is the same */
    XF_ASK_ONE,
    XF_ASK_READY,
    XF_ASK_AGAIN, /* it flows, by this very JID */
};

/* `requester`, a full JID, asks to activate. `*out` is NULL when UNKNOWN. */
enum xf_ask xf_matcher_ask(const struct xf_matcher *m, const char *hash,
                           const char *requester, struct xf_pair **out);

/* ONE: keep `request` until the second comes. False: another is kept. */
bool xf_matcher_hold(struct xf_matcher *m, struct xf_pair *pair, void *request,
                     int64_t now);
void *xf_matcher_unhold(struct xf_matcher *m,
                        struct xf_pair *pair); /* or NULL */

/* TWO becomes ACTIVE and has an id. False: no memory, nothing has changed. */
bool xf_matcher_activate(struct xf_matcher *m, struct xf_pair *pair,
                         const char *requester);

/* ACTIVE ones only; NULL: there is none. */
struct xf_pair *xf_matcher_by_id(const struct xf_matcher *m, uint64_t id);

/* Any one that waits, or NULL. */
struct xf_pair *xf_matcher_waiting(const struct xf_matcher *m);
/* One that flows, or NULL. */
struct xf_pair *xf_matcher_flowing(const struct xf_matcher *m);

/* What is due: a pair whose time is over, NULL: none. The caller ends it. */
struct xf_pair *xf_matcher_expired(const struct xf_matcher *m, int64_t now);
/* A pair whose held request is to be answered now, NULL: none. */
struct xf_pair *xf_matcher_held(const struct xf_matcher *m, int64_t now);
/* When one of these will be; INT64_MAX: never. Waiting times that were made
 * shorter hold for who comes then: the oldest is looked at, not the earliest. */
int64_t xf_matcher_deadline(const struct xf_matcher *m);

/* Whatever its state: forgotten and freed. */
void xf_matcher_end(struct xf_matcher *m, struct xf_pair *pair);

#endif
