/*
 * The relay of a bytestreams proxy: pairs of connected sockets, and what comes
 * in at one goes out at the other until both have ended. Who may have a pair
 * is left to the front (<xferry/proxy.h>).
 *
 * A relay has one descriptor and one timeout, so it lives in any loop:
 *
 *     for (;;) {
 *         struct pollfd p = { xf_relay_fd(r), POLLIN, 0 };
 *         poll(&p, 1, xf_relay_timeout(r));
 *         xf_relay_dispatch(r);
 *         while ((ev = xf_relay_next(r)) != NULL)
 *             ...
 *     }
 *
 * After every other xf_relay_ call ask xf_relay_timeout() again before
 * waiting. A relay is used from one thread at a time; there may be many, and
 * with one per process, each with half of the pairs, twice the descriptors.
 * One dispatch is bounded work, whatever the pairs have to move.
 */
#ifndef XFERRY_RELAY_H
#define XFERRY_RELAY_H

#include <xferry/xferry.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xf_relay;

/*
 * Pipes of a relay unless told otherwise. A user who is not root has 64 MiB
 * for all pipes together (fs.pipe-user-pages-soft); 192 of 256 KiB leave some
 * to others. Several relays of one user share them: each is told its part.
 */
#define XF_RELAY_PIPES 192

/*
 * Make a relay of at most `pipes` pipes (two descriptors each, opened when
 * first needed). A direction has one while it has data in hand; where there
 * is none left, or with 0, bytes are copied, which takes more CPU.
 *
 * Returns 0, or XF_E_LIMIT: out of memory or descriptors.
 */
XF_API int xf_relay_new(struct xf_relay **out, unsigned pipes);

/* Resets every pair and frees all; nothing is told any more. NULL is fine. */
XF_API void xf_relay_free(struct xf_relay *relay);

/* Readable when there is something to dispatch. Owned by the relay. */
XF_API int xf_relay_fd(const struct xf_relay *relay);

/* Milliseconds until dispatch is due, 0 for now, -1 for never. */
XF_API int xf_relay_timeout(const struct xf_relay *relay);

/* Move what can be moved, within bounds; never waits. */
XF_API void xf_relay_dispatch(struct xf_relay *relay);

/*
 * For who has no other loop: wait until there is something to do, `ms` at
 * most (-1: however long), and dispatch. That saves a call each time. A signal
 * ends the wait, too. True when the descriptor named by xf_relay_attend() can
 * be read.
 */
XF_API bool xf_relay_wait(struct xf_relay *relay, int ms);

/*
 * One descriptor of the caller's whose readiness to be read ends a wait. It is
 * forgotten when it is closed. While it can be read and is not, no wait lasts,
 * and xf_relay_fd() is readable.
 *
 * Returns 0, or XF_E_LIMIT.
 */
XF_API int xf_relay_attend(struct xf_relay *relay, int fd);

/* What a pair is held to. Rates count both directions together. */
struct xf_relay_limits {
    uint64_t rate;       /* bytes a second of this pair; 0: any */
    uint64_t group;      /* a number that pairs share; 0: of no group */
    uint64_t group_rate; /* bytes a second of all pairs of the group, in this
                            relay; 0: any. The last one told counts. */
    uint32_t idle_s;     /* seconds without a byte until the pair ends; 0: any
                            number */
};

/*
 * Relay between the sockets `a` and `b`, connected by TCP, from now on. `id`
 * is the caller's number for the pair, used by no other pair of this relay
 * until its XF_RELAY_END was taken. What waits to be read in the sockets,
 * an end included, is relayed like all that follows.
 *
 * On success the relay owns both descriptors (no copy of them may be used, or
 * kept for longer than the call, or an end would not be seen by the peers),
 * makes them non-blocking, and watches over them by keep-alives; a peer that
 * vanished is given up within 120 s. Otherwise they are left alone.
 *
 * Returns 0, or
 *   XF_E_USAGE  `id` is taken, or a descriptor is no TCP socket
 *   XF_E_LIMIT  out of memory or of the kernel's
 */
XF_API int xf_relay_adopt(struct xf_relay *relay, uint64_t id, int a, int b,
                          const struct xf_relay_limits *limits);

/* Other limits for a pair; they hold from the next byte on. 0, or XF_E_USAGE:
 * there is none of that number; or XF_E_LIMIT, and the old ones hold. */
XF_API int xf_relay_set_limits(struct xf_relay *relay, uint64_t id,
                               const struct xf_relay_limits *limits);

/* Reset both sides; XF_RELAY_END is told. Nothing if there is none. */
XF_API void xf_relay_close(struct xf_relay *relay, uint64_t id);

enum xf_relay_event_type {
    XF_RELAY_MOVED, /* bytes went through; once a second while they do */
    XF_RELAY_END,   /* the last of a pair; its number is free again */
};

enum xf_relay_reason {
    XF_RELAY_DONE,   /* both directions ended in order */
    XF_RELAY_RESET,  /* a side reset; the other was reset after the last byte
                        that came before */
    XF_RELAY_GONE,   /* a side does not answer any more */
    XF_RELAY_IDLE,   /* nothing moved for too long */
    XF_RELAY_CLOSED, /* by xf_relay_close() */
    XF_RELAY_FAILED, /* the system did not let us go on */
    XF_RELAY_REASONS
};

/* "done", "reset" and so on; "?" for what is none. Static. */
XF_API const char *xf_relay_reason_name(enum xf_relay_reason reason);

struct xf_relay_event {
    enum xf_relay_event_type type;
    uint64_t id;
    uint64_t from_a, from_b;     /* bytes relayed so far, from `a` to `b` and
                                back */
    int64_t ms;                  /* since it was adopted */
    enum xf_relay_reason reason; /* of an END */
};

/*
 * The next event, NULL for none. Lives until the next xf_relay_next() or
 * xf_relay_dispatch(). What is not taken is not lost and does not pile up: a
 * pair has one event at a time, which says the latest.
 */
XF_API const struct xf_relay_event *xf_relay_next(struct xf_relay *relay);

/* How it is doing. */
struct xf_relay_stats {
    uint64_t pairs;  /* adopted, their END not taken yet */
    uint64_t bytes;  /* relayed since it was made */
    uint64_t copied; /* of these without a pipe */
    unsigned pipes;  /* opened */
    unsigned lent;   /* of these with bytes in them */
};
XF_API void xf_relay_stats(const struct xf_relay *relay,
                           struct xf_relay_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
