/*
 * Who may move bytes next, where a session is held to a rate (`limit`): one
 * queue for all its streams, both ways. How many is proto/limit's to say.
 */
#ifndef XF_API_THROTTLE_H
#define XF_API_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xf_session;

/* A stream's place in the queue; lives in the stream. */
struct xf_turn {
    void (*go)(void *ctx); /* it is its turn; may free anything */
    void *ctx;
    uint64_t whole; /* bytes that cannot be divided; 0: any number */
    uint64_t share; /* bytes it was given and has not used; UINT64_MAX:
                       there is no limit */
    struct xf_turn *next, **self; /* self not NULL: in the queue */
};

/*
 * True: not now; it stands in the queue from here on, and `go` comes. False:
 * move `share` bytes at most, and tell by xf_throttle_spend(); the next ones
 * are asked for anew.
 */
bool xf_throttle_holds(struct xf_session *s, struct xf_turn *turn);
void xf_throttle_spend(struct xf_session *s, uint64_t bytes);

bool xf_throttle_is_queued(const struct xf_turn *turn);
void xf_throttle_leave(struct xf_session *s, struct xf_turn *turn);

int64_t xf_throttle_deadline(const struct xf_session *s);
void xf_throttle_tick(struct xf_session *s);

#endif
