/*
 * What front and worker say to each other: whole messages over a seqpacket
 * pair, some with descriptors. Both are one program, so structs go as they
 * are.
 */
#ifndef PROXYD_CHANNEL_H
#define PROXYD_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHANNEL_NEWS_MAX 64 /* in one message */

enum order_what {
    ORDER_ADOPT, /* with two descriptors */
    ORDER_LIMITS,
    ORDER_CLOSE,
};

/* From the front. */
struct order {
    enum order_what what;
    uint32_t idle_s;
    uint64_t id, rate, group, group_rate;
};

enum news_what {
    NEWS_MOVED,
    NEWS_END,
    NEWS_STATS, /* id: bytes, from_a: copied, from_b: pipes, ms: lent */
};

/* From a worker, up to CHANNEL_NEWS_MAX of them in a message. */
struct news {
    enum news_what what;
    int reason;
    uint64_t id, from_a, from_b;
    int64_t ms;
};

enum channel_result {
    CHANNEL_DONE,
    CHANNEL_LATER, /* not now: nothing to read, or no room */
    CHANNEL_OVER,  /* the other end is gone */
};

/* Two ends, non-blocking and close-on-exec. 0 or -1 (errno). */
int channel_open(int ends[2]);

/* All or nothing. `fds`: two descriptors that go along and stay open here, or
 * NULL. */
enum channel_result channel_send(int channel, const void *bytes, size_t len,
                                 const int *fds);

/*
 * One message of at most `max` bytes; *len is its length. `fds`: NULL when
 * none may come, else the two that came, or -1 and -1 where none did or where
 * there was no descriptor left for them.
 */
enum channel_result channel_receive(int channel, void *bytes, size_t max,
                                    size_t *len, int fds[2]);

#endif
