/*
 * One direction of a relayed pair: what comes in at one socket goes out at the
 * other, and behind the last byte the end does. Both are TCP, non-blocking and
 * their owner's, who tells when they are ready, steps, and holds it to a rate.
 *
 *   OPEN -end of `in`, passed on-> DONE
 *   OPEN -`in` broke; what came before it was passed on-> CUT
 *   OPEN -`out` broke-> SHUT        OPEN -the system says no-> FAILED
 */
#ifndef XF_STREAM_FLOW_H
#define XF_STREAM_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/sys.h"
#include "stream/pipes.h"

enum xf_flow_status {
    XF_FLOW_AGAIN, /* once a side is ready */
    XF_FLOW_MORE,  /* there is more, but it was enough */
    XF_FLOW_DONE,
    XF_FLOW_CUT,
    XF_FLOW_SHUT,
    XF_FLOW_FAILED,
};

#define XF_FLOW_TURN                                                           \
    (256u << 10) /* bytes in a step, and as many more as came
                                     with the last of them */

/* Zeroes but for the descriptors are one that begins. */
struct xf_flow {
    int in, out;
    bool readable, writable; /* set by the owner, edge by edge; cleared here */
    bool broken;             /* set by the owner: `in` has reset, so what
                                looks like its end is none */
    bool ending;             /* `in` has ended, `out` was not told yet */
    bool over;               /* stepped to the end */
    int err;                 /* errno of CUT, SHUT and FAILED */
    struct xf_pipe *pipe;    /* lent, while there are bytes in it */
    size_t held;             /* that many */
    uint64_t moved;          /* bytes that went out */
    uint64_t copied;         /* of these without a pipe */
};

/*
 * Move some, at most `most` bytes (and what is held from before). `*taken` is
 * how many came in. Splices, so SIGPIPE is to be held.
 */
enum xf_flow_status xf_flow_step(struct xf_flow *flow, struct xf_pipes *pipes,
                                 uint64_t most, uint64_t *taken,
                                 struct xf_sys_sigpipe *held);

/* Drop what is held; it is over. */
void xf_flow_stop(struct xf_flow *flow, struct xf_pipes *pipes);

#endif
