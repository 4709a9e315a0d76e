/* Sums of a file that is sent; see the header. */
#include "api/sum.h"

/* The pages that sendfile has just read are still in memory. */
#define AHEAD (32u << 20)

static void news(void *ctx)
{
    struct xf_transfer *t = ctx;

    t->sum_news = true;
    xf_session_tick_soon(t->s);
}

static int make(struct xf_transfer *t)
{
    xf_sum_free(t);
    return xf_source_digest_new(&t->sum, t->source, XF_DIGEST_SHA256,
                                xf_pool_jobs(t->s->pool), news, t);
}

static uint64_t reach(const struct xf_transfer *t)
{
    if (t->all_sent || t->size - t->done < AHEAD)
        return t->size;
    return t->done + AHEAD;
}

int xf_sum_begin(struct xf_transfer *t)
{
    int err = t->sum ? 0 : make(t);

    if (err != 0)
        return err;
    xf_source_digest_let(t->sum, reach(t));
    xf_source_digest_start(t->sum);
    return 0;
}

int xf_sum_check(struct xf_transfer *t, uint64_t offset)
{
    int err = make(t);

    if (err != 0)
        return err;
    (void)xf_source_digest_mark(t->sum, offset);
    xf_source_digest_let(t->sum, offset);
    xf_source_digest_start(t->sum);
    return 0;
}

const uint8_t *xf_sum_prefix(const struct xf_transfer *t)
{
    return t->sum ? xf_source_digest_at_mark(t->sum) : NULL;
}

void xf_sum_let(struct xf_transfer *t)
{
    if (t->sum)
        xf_source_digest_let(t->sum, reach(t));
}

void xf_sum_free(struct xf_transfer *t)
{
    xf_source_digest_free(t->sum);
    t->sum = NULL;
    t->sum_news = false;
}
