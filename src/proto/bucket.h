/*
 * How many bytes may go now, so that it is `rate` a second over any longer
 * time: a token bucket. Time is an argument.
 */
#ifndef XF_PROTO_BUCKET_H
#define XF_PROTO_BUCKET_H

#include <stdint.h>

#define XF_BUCKET_RATE_MAX                                                     \
    UINT64_C(1000000000000) /* 8 Tbit/s; more is as
                                                      good as no limit */

struct xf_bucket {
    uint64_t rate;  /* bytes a second; 0: any */
    uint64_t milli; /* thousandths of bytes that may go */
    int64_t at;     /* milliseconds, when that was so */
};

/* Another rate; what is in it stays, as far as it fits. A new bucket, all
 * zeroes, begins with as much as is worth a call. */
void xf_bucket_set(struct xf_bucket *b, uint64_t rate, int64_t now_ms);

/* Bytes that may go now; UINT64_MAX without a limit. */
uint64_t xf_bucket_has(struct xf_bucket *b, int64_t now_ms);

/* They went; not more than it had. */
void xf_bucket_take(struct xf_bucket *b, uint64_t bytes);

/* The bytes that make a call worth its while: of 20 ms, 64 KiB at most. */
uint64_t xf_bucket_worth(const struct xf_bucket *b);

/* Milliseconds until it has that many, after xf_bucket_has(). */
int64_t xf_bucket_wait(const struct xf_bucket *b);

#endif
