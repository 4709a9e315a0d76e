/*
 * What the files of the relay share. A pair is in one of `ready` and the
 * `waiting` of a gate, or in none: then a socket has to wake it.
 *
 *   OPEN -both directions passed their end on-> OVER
 *   OPEN -a side reset-> DRAINING -all of its bytes acknowledged-> OVER
 *   OPEN, DRAINING -anything else-> OVER -its END was taken-> freed
 */
#ifndef XF_API_RELAY_INSIDE_H
#define XF_API_RELAY_INSIDE_H

#include <xferry/relay.h>

#include "base/ring.h"
#include "base/sys.h"
#include "proto/bucket.h"
#include "stream/flow.h"
#include "stream/pipes.h"

#define XF_RELAY_WORK (8u << 20) /* bytes in a dispatch, about */
#define XF_RELAY_TURNS 256       /* turns in a dispatch */
#define XF_RELAY_EVENTS 128      /* told by the kernel at a time */

#define XF_RELAY_TELL_MS 1000 /* between two MOVED of a pair */
#define XF_RELAY_SLOT_MS 10   /* who waits for a rate is woken so exactly */
#define XF_RELAY_SLOTS 64
#define XF_RELAY_SHARE 4096    /* bytes that are worth a turn in any case */
#define XF_RELAY_SWEEP_MS 1000 /* the pairs are not looked through more often */
#define XF_RELAY_CHECK_MS 10000 /* between two looks at the acks of a pair */
#define XF_RELAY_GONE_MS 100000 /* without an ack of what was sent */
#define XF_RELAY_DRAIN_MS 30000 /* for the acks of what came before a reset */
#define XF_RELAY_DRAIN_LOOK_MS 20

#define XF_RELAY_NEVER INT64_MAX

/* What paces: a bucket, who waits for it, and when it is to be looked at. */
struct xf_relay_gate {
    struct xf_bucket bucket;
    struct xf_ring waiting; /* pairs, first come, first served */
    struct xf_ring slot;    /* in the wheel, while somebody waits */
    uint64_t share;         /* bytes for each of those who were called last */
};

struct xf_relay_group {
    struct xf_relay_group *next; /* of those whose number ends alike */
    uint64_t number;
    unsigned pairs;
    struct xf_relay_gate gate;
};

enum xf_relay_state { XF_PAIR_OPEN, XF_PAIR_DRAINING, XF_PAIR_OVER };

/* Side 0 is `a`; flow 0 goes from a to b, so it comes in at side 0. */
struct xf_relay_pair {
    struct xf_relay_pair *next; /* of those whose number ends alike */
    uint64_t id;
    enum xf_relay_state state;
    enum xf_relay_reason reason;
    int fd[2];
    struct xf_flow flow[2];
    const struct xf_relay_gate *called; /* by that one: may pass it before
                                           those who wait there */
    int cut;      /* the side that broke, when it is DRAINING */
    bool settled; /* all was acknowledged when nothing had moved for long */
    uint32_t idle_s;
    int64_t begun, ended, moved_at, check_at;
    struct xf_relay_gate own;
    struct xf_relay_group *group;
    struct xf_ring place; /* in `ready` or a gate's `waiting` */
    struct xf_ring all;   /* in `pairs`, or in `draining` */
    struct xf_ring told;  /* in `moving` or `news` */
};

struct xf_relay {
    int epoll;
    bool called; /* what xf_relay_attend() named is readable */
    int64_t now; /* the one reading of this dispatch */
    struct xf_pipes pipes;
    struct xf_sys_sigpipe sigpipe;
    bool ignored; /* SIGPIPE: nobody has to be kept from it */

    struct xf_relay_pair **by_id; /* `buckets` heads, a power of two */
    size_t buckets;
    size_t count;
    struct xf_relay_group *groups[64];

    struct xf_ring pairs, draining;
    struct xf_ring ready;  /* have something to do */
    struct xf_ring moving; /* moved since the last telling */
    struct xf_ring news;   /* have an event */
    struct xf_ring slots[XF_RELAY_SLOTS];
    int64_t slot_at; /* the slot looked at last, as a number of them */
    unsigned gates_waiting;
    int64_t tell_at, sweep_at, drain_at;

    struct xf_relay_event event;
    uint64_t bytes, copied;
};

/* --- relay_pace ---------------------------------------------------------- */

void xf_relay_pace_init(struct xf_relay *r);
void xf_relay_gate_init(struct xf_relay_gate *gate);
/* 0 or XF_E_LIMIT; leaves the old group, if there is one, and as it was when
 * it fails. */
int xf_relay_pace_set(struct xf_relay *r, struct xf_relay_pair *pair,
                      const struct xf_relay_limits *limits);
void xf_relay_pace_leave(struct xf_relay *r, struct xf_relay_pair *pair);
/* Bytes the pair may move now; 0: it was put where it waits. */
uint64_t xf_relay_pace_may(struct xf_relay *r, struct xf_relay_pair *pair);
void xf_relay_pace_took(struct xf_relay_pair *pair, uint64_t bytes);
/* Make those ready whose time has come. */
void xf_relay_pace_wake(struct xf_relay *r);
/* When that is to be called next. */
int64_t xf_relay_pace_next(const struct xf_relay *r);

/* --- relay_run ----------------------------------------------------------- */

/* It has nothing to do with its sockets any more; they are closed. */
void xf_relay_end(struct xf_relay *r, struct xf_relay_pair *pair,
                  enum xf_relay_reason reason);

/* --- relay_watch --------------------------------------------------------- */

/* Keep-alive and so on. False when a socket does not have it. */
bool xf_relay_watch_begin(int fd);
/* Look at who idles, vanished, or drains. */
void xf_relay_watch_run(struct xf_relay *r);
/* A pair is to be looked at, then. */
void xf_relay_watch_by(struct xf_relay *r, int64_t at);

#endif
