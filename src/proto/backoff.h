/*
 * When to try a lost connection again: soon, then 1, 2, 4 ... 60 s apart, each
 * with some chance in it. Knows no clock: times and random bytes are arguments.
 *
 *   ONLINE --lost--> waiting --due--> trying --failed--> waiting
 *     ^                                 |          time is over: false
 *     +---------------back--------------+
 */
#ifndef XF_PROTO_BACKOFF_H
#define XF_PROTO_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define XF_BACKOFF_SOON_MS 500 /* at most, before the first */
#define XF_BACKOFF_FIRST_MS 1000
#define XF_BACKOFF_MAX_MS 60000
/* One that was online for so long counts as good: the next loss begins anew.
 * Else a server that throws us out behind each login would be hammered. */
#define XF_BACKOFF_GOOD_MS 60000

struct xf_backoff {
    int64_t retry_ms; /* in all, since it was lost; -1: for ever; 0: never */
    int64_t lost_at;
    int64_t online_at;
    unsigned tries; /* behind each other without a good one between */
};

void xf_backoff_init(struct xf_backoff *b, int64_t retry_ms);

/* It is online, for the first time or again. */
void xf_backoff_online(struct xf_backoff *b, int64_t now_ms);
/* It was online and is lost. */
void xf_backoff_lost(struct xf_backoff *b, int64_t now_ms);

/*
 * When the next try is due, by these random bits; call it after lost, and after
 * each try that failed. False: no more, the time is over.
 */
bool xf_backoff_next(struct xf_backoff *b, int64_t now_ms, uint32_t random,
                     int64_t *when_ms);

/* When whatever is under way is given up; INT64_MAX: never. */
int64_t xf_backoff_end(const struct xf_backoff *b);

#endif
