/*
 * How many bytes a second our own server takes from us (c2s), found out by
 * pings (XEP-0199) whose answers are timed: one small one for the round trip,
 * then a train of longer ones. What is done about it is left to who asks.
 */
#ifndef XF_API_RATE_H
#define XF_API_RATE_H

#include "api/session.h"

#define XF_RATE_FRESH_MS (10 * 60000) /* a result serves this long */
#define XF_RATE_WAIT_MS 20000         /* for the server's answers */

struct xf_rate {
    bool known;      /* false: the server did not answer in time, or we are
                        not online; the rest is 0 then */
    uint32_t bytes;  /* a second, XML included; 0: no limit noticed */
    uint32_t rtt_ms; /* of a small ping; 0 is below a millisecond */
};

/* Called once; `rate` is good for the call. */
typedef void xf_rate_fn(void *ctx, const struct xf_rate *rate);

/*
 * Measure, or take part in a measurement under way. `fn` is called within
 * twice XF_RATE_WAIT_MS; before this returns, when there is a fresh result or
 * when it cannot be measured: offline, or while an in-band stream of ours
 * sends, whose own rate is told then, or what was known before it.
 * xf_requests_drop(s, ctx) forgets who asked.
 *
 * Returns 0; or XF_E_LIMIT or XF_E_STREAM, and `fn` is not called.
 */
int xf_rate_measure(struct xf_session *s, xf_rate_fn *fn, void *ctx);

/* The last result while it is fresh, else one that is not known. */
struct xf_rate xf_rate_last(const struct xf_session *s);

/* What a measurement under way has shown by now: that little has passed yet
 * is known, too. Without one, as above. */
struct xf_rate xf_rate_so_far(const struct xf_session *s);

/* Is `ctx` still to be told? */
bool xf_rate_is_asked(const struct xf_session *s, const void *ctx);

/* Who asked with `ctx` is not told any more; of xf_requests_drop(). */
void xf_rate_drop(struct xf_session *s, const void *ctx);

/* Another connection, perhaps another server: forget the result. */
/* So long nothing could be measured: what is under way begins later. */
void xf_rate_shift(struct xf_session *s, int64_t ms);
void xf_rate_forget(struct xf_session *s);

void xf_rate_free(struct xf_session *s);

#endif
