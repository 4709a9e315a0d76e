/* The rate of a server, and what follows from it; see the header. */
#include "proto/pace.h"

#include "proto/ibb.h"

/* Both the bytes and the ping behind them go there and back. */
static int64_t excess(const struct xf_pace_time *t, int64_t rtt_ms)
{
    return t->ms - 2 * rtt_ms;
}

bool xf_pace_is_late(const struct xf_pace_time *t, int64_t rtt_ms)
{
    return excess(t, rtt_ms) > XF_PACE_NOTICED_MS;
}

/* While the server rests the ping is on its way: that counts once. */
uint32_t xf_pace_bound(const struct xf_pace_time *t, int64_t rtt_ms)
{
    int64_t ms = t->ms - rtt_ms;
    uint64_t rate = ms > 0 ? t->bytes * 1000 / (uint64_t)ms : UINT32_MAX;

    if (rate > UINT32_MAX)
        return UINT32_MAX;
    return rate > 0 ? (uint32_t)rate : 1;
}

uint32_t xf_pace_rate(const struct xf_pace_time *first,
                      const struct xf_pace_time *second, int64_t rtt_ms)
{
    uint32_t bound = xf_pace_bound(first, rtt_ms);
    uint64_t due = second->bytes * 1000 / bound;

    if (xf_pace_is_late(second, rtt_ms))
        return xf_pace_bound(second, rtt_ms);
    /* So short is a time on a slow line, too; else the first was a hiccup. */
    return excess(second, rtt_ms) * 2 > (int64_t)due ? bound : 0;
}

uint64_t xf_pace_stanza(uint32_t block, size_t envelope)
{
    return ((uint64_t)block + 2) / 3 * 4 + envelope;
}

/* Powers of two below the first, as every receiver has seen. */
uint32_t xf_pace_block(uint32_t rate, uint32_t block, size_t envelope)
{
    uint64_t most = (uint64_t)rate * XF_PACE_STANZA_MS / 1000;
    uint32_t power = XF_IBB_BLOCK_MAX + 1;

    if (rate == 0)
        return block;
    while (block > XF_IBB_BLOCK_MIN && xf_pace_stanza(block, envelope) > most) {
        while (power >= block)
            power /= 2;
        block = power > XF_IBB_BLOCK_MIN ? power : XF_IBB_BLOCK_MIN;
    }
    return block;
}

uint32_t xf_pace_window(uint32_t rate, uint32_t window, uint32_t block,
                        size_t envelope)
{
    uint64_t fits = (uint64_t)rate * XF_PACE_AHEAD_MS / 1000 /
                    xf_pace_stanza(block, envelope);

    if (rate == 0 || fits >= window)
        return window;
    return fits > 0 ? (uint32_t)fits : 1;
}

uint32_t xf_pace_payload(uint32_t rate, uint32_t block, size_t envelope)
{
    uint64_t stanza = xf_pace_stanza(block, envelope);

    return (uint32_t)((uint64_t)rate * block / stanza);
}
