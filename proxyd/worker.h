/*
 * The processes that relay: the front hands a pair of sockets to one of them
 * and hears of it until its end. What a pair is for is the front's own.
 *
 * Each has an object of the library's (<xferry/relay.h>) and one channel to
 * the front. When the front is gone its channel ends, and with that the
 * worker: it resets its pairs. One that dies is replaced; its pairs are told
 * as ended, PAIR_LOST.
 */
#ifndef PROXYD_WORKER_H
#define PROXYD_WORKER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <xferry/relay.h>

#define WORKERS_MAX 64

struct workers;

/*
 * Fork `count` workers (0: as many as there are processors, WORKERS_MAX at
 * most) that share `pipes` pipes. Call it before anything else is opened or
 * allocated, once signals are as they are to be: each worker ignores SIGINT,
 * SIGTERM, SIGHUP, SIGPIPE, SIGUSR1 and SIGUSR2, since its front decides when
 * it ends, and raises its limit of descriptors as far as it may.
 *
 * Returns 0, or XF_E_LIMIT.
 */
int workers_start(struct workers **out, unsigned count, unsigned pipes);

/* Close every channel, so that the workers reset what they have and end, and
 * wait for them, killing those that take over a second. NULL is fine. */
void workers_free(struct workers *w);

unsigned workers_count(const struct workers *w);
pid_t workers_pid(const struct workers *w, unsigned i);

/* Fills one for each worker, `polls` has room for workers_count(). To be
 * asked again before every poll(). */
void workers_poll(const struct workers *w, struct pollfd *polls);

/* Milliseconds until dispatch is due without an event; -1 for never. */
int workers_timeout(const struct workers *w);

/* Read and write what can be, replace who died; never waits. No signal is
 * needed for that: SIGCHLD may stay as it is, but not ignored. */
void workers_dispatch(struct workers *w);

/*
 * Hand over a pair; `id` is not used by another that lives. All pairs of a
 * group (limits->group, not 0) that live at a time go to the same worker,
 * the others to the one with the fewest. The descriptors are closed here in
 * any case.
 *
 * Returns 0, or XF_E_BUSY: the worker takes no more now; or XF_E_LIMIT. Then
 * nothing is told of the pair.
 */
int workers_adopt(struct workers *w, uint64_t id, int a, int b,
                  const struct xf_relay_limits *limits);

/* Other limits for a pair that lives. It stays at its worker, so a group it
 * newly joins must be of that worker to be held whole. */
void workers_set_limits(struct workers *w, uint64_t id,
                        const struct xf_relay_limits *limits);

/* Reset it; its end is told. Nothing if there is none. */
void workers_close(struct workers *w, uint64_t id);

enum workers_event_type {
    WORKERS_MOVED,    /* bytes so far; about once a second while they move */
    WORKERS_END,      /* of a pair; its number is free again */
    WORKERS_REPLACED, /* a worker died, `id` is which; the ends of its pairs
                         are told one by one */
};

/* Beside those of the library: the worker died. */
#define PAIR_LOST ((int)XF_RELAY_REASONS)

struct workers_event {
    enum workers_event_type type;
    uint64_t id;
    uint64_t from_a, from_b; /* bytes */
    int64_t ms;              /* since it was handed over */
    int reason;              /* of an END: enum xf_relay_reason, PAIR_LOST */
};

/* "done" and so on, "lost". Static. */
const char *workers_reason_name(int reason);

/* The next event, false for none. */
bool workers_next(struct workers *w, struct workers_event *event);

/* Of all workers together; pairs is counted here, the rest was told within
 * the last seconds. `died`: how many workers did since the start. */
void workers_stats(const struct workers *w, struct xf_relay_stats *stats,
                   uint64_t *died);

#endif
