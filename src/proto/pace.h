/*
 * How fast in-band blocks may leave: reckons a server's rate from how long it
 * took some bytes of known length, and from the rate the block, the window and
 * how long a file will take. Who asks and who sends is left to others.
 */
#ifndef XF_PROTO_PACE_H
#define XF_PROTO_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XF_PACE_NOTICED_MS 250 /* later than this is a limit */
#define XF_PACE_STANZA_MS 2000 /* one stanza is to pass within this */
#define XF_PACE_AHEAD_MS 4000  /* and all that are under way within this */

/*
 * Some bytes were sent and answered, and then a small ping was sent and
 * answered: `ms` for all that. Only the ping tells: ejabberd answers what it
 * has read at once and then reads no more for a while, and so does Prosody
 * with every 8192 bytes.
 */
struct xf_pace_time {
    uint64_t bytes;
    int64_t ms;
};

/* Does a limit show at all? `rtt_ms` is what a small ping takes. */
bool xf_pace_is_late(const struct xf_pace_time *t, int64_t rtt_ms);

/* No more bytes a second than this, and 1 at least. */
uint32_t xf_pace_bound(const struct xf_pace_time *t, int64_t rtt_ms);

/*
 * Bytes a second, 0: no limit. `first` is late. It may have begun with a burst
 * that the server lets through (ejabberd: 20,000 bytes), and so `second`, right
 * behind it, tells the rate.
 */
uint32_t xf_pace_rate(const struct xf_pace_time *first,
                      const struct xf_pace_time *second, int64_t rtt_ms);

/* What a block of so many bytes is in its stanza of base64. */
uint64_t xf_pace_stanza(uint32_t block, size_t envelope);

/* The block to use where `block` would be; `rate` 0 is no limit. */
uint32_t xf_pace_block(uint32_t rate, uint32_t block, size_t envelope);

/* How many of them under way where `window` would be; 1 at least. */
uint32_t xf_pace_window(uint32_t rate, uint32_t window, uint32_t block,
                        size_t envelope);

/* Bytes of the file a second; 0 for a rate of 0. */
uint32_t xf_pace_payload(uint32_t rate, uint32_t block, size_t envelope);

#endif
