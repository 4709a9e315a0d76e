/*
 * An embedder for the tests: a loop nested in poll(2), for as long as a test
 * waits for something and no longer than it may take.
 */
#ifndef XF_TEST_NET_TURN_H
#define XF_TEST_NET_TURN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/sys.h"
#include "net/loop.h"

/* One turn of an embedder that has nothing else to do for `most_ms`. */
static inline void turn(struct xf_loop *loop, int most_ms)
{
    struct pollfd p = { .fd = xf_loop_fd(loop), .events = POLLIN };
    int ms = xf_loop_timeout(loop);

    if (ms < 0 || ms > most_ms)
        ms = most_ms;
    (void)poll(&p, 1, ms);
    xf_loop_dispatch(loop);
}

/* Whether `*done` came to be within `most_ms`. */
static inline bool turn_until(struct xf_loop *loop, const bool *done,
                              int most_ms)
{
    int64_t end = xf_sys_now_ms() + most_ms;

    while (!*done && xf_sys_now_ms() < end)
        turn(loop, (int)(end - xf_sys_now_ms()));
    return *done;
}

static inline void turn_for(struct xf_loop *loop, int ms)
{
    static const bool never;

    (void)turn_until(loop, &never, ms);
}

#endif
