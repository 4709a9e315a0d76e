/* Doubling waits with jitter; its picture is in the header. */
#include "proto/backoff.h"

void xf_backoff_init(struct xf_backoff *b, int64_t retry_ms)
{
    *b = (struct xf_backoff){ .retry_ms = retry_ms };
}

void xf_backoff_online(struct xf_backoff *b, int64_t now_ms)
{
    b->online_at = now_ms;
}

void xf_backoff_lost(struct xf_backoff *b, int64_t now_ms)
{
    b->lost_at = now_ms;
    if (now_ms - b->online_at >= XF_BACKOFF_GOOD_MS)
        b->tries = 0;
}

int64_t xf_backoff_end(const struct xf_backoff *b)
{
    if (b->retry_ms < 0 || b->lost_at > INT64_MAX - b->retry_ms)
        return INT64_MAX;
    return b->lost_at + b->retry_ms;
}

/* Half of it is certain and half by chance, so that the clients of a server
 * that restarted do not come all at once. */
static int64_t wait_ms(unsigned tries, uint32_t random)
{
    int64_t whole = XF_BACKOFF_FIRST_MS;

    if (tries == 0)
        return random % (XF_BACKOFF_SOON_MS + 1);
    for (unsigned i = 1; i < tries && whole < XF_BACKOFF_MAX_MS; i++)
        whole *= 2;
    if (whole > XF_BACKOFF_MAX_MS)
        whole = XF_BACKOFF_MAX_MS;
    return whole / 2 + random % (whole / 2 + 1);
}

bool xf_backoff_next(struct xf_backoff *b, int64_t now_ms, uint32_t random,
                     int64_t *when_ms)
{
    int64_t end = xf_backoff_end(b);

    if (now_ms >= end)
        return false;
    *when_ms = now_ms + wait_ms(b->tries, random);
    /* The last one still falls into the time there is. */
    if (*when_ms >= end)
        *when_ms = end - 1;
    b->tries++;
    return true;
}
