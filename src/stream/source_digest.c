/*
 * The sum over a source, in jobs short enough that the writes of other
 * transfers get their turn between them.
 */
#include "stream/file.h"

#include <stdatomic.h>

#include "base/encode.h"
#include "base/sys.h"

#define SLICE (64u << 20) /* bytes a job */
#define CHUNK (128u << 10)

struct xf_source_digest {
    struct xf_job job; /* first: a job is its digest */
    struct xf_jobs *jobs;
    void (*notify)(void *ctx);
    void *ctx;
    atomic_bool orphan; /* its owner has let go while a job is under way */
    bool started;
    bool running;    /* a job is under way */
    bool submitting; /* and was not yet handed over */
    bool over;
    bool marked;    /* the sum at the mark is known and told */
    uint64_t limit; /* let so far */

    /* Belong to the job while one is under way. */
    struct xf_source *source;
    struct xf_digest *digest;
    uint64_t offset;
    uint64_t until; /* this job's end */
    uint64_t mark;  /* UINT64_MAX: none is wanted */
    bool has_mark, has_sum;
    uint8_t at_mark[XF_DIGEST_MAX], sum[XF_DIGEST_MAX];
    char hex[2 * XF_DIGEST_MAX + 1];
    struct xf_error_info error;
    size_t size; /* of the sum, in bytes */
    char *buf;   /* while it runs: many may wait */
};

static void no_memory(struct xf_source_digest *d)
{
    xf_err_set(&d->error, XF_E_LIMIT, "hash %s: out of memory",
               xf_source_path(d->source));
}

static void end(struct xf_source_digest *d)
{
    if (xf_source_changed(d->source)) {
        xf_source_set_changed(d->source, &d->error);
        return;
    }
    d->has_sum = xf_digest_end(d->digest, d->sum);
    if (d->has_sum)
        xf_hex(d->sum, d->size, d->hex);
    else
        no_memory(d);
}

static void look_at_mark(struct xf_source_digest *d)
{
    if (d->offset != d->mark || d->has_mark)
        return;
    d->has_mark = xf_digest_peek(d->digest, d->at_mark);
    if (!d->has_mark)
        no_memory(d);
}

/* Up to the end, the limit, the mark, or a chunk. */
static size_t next_length(const struct xf_source_digest *d)
{
    uint64_t end = d->until;

    if (d->offset < d->mark && d->mark < end)
        end = d->mark;
    return end - d->offset < CHUNK ? (size_t)(end - d->offset) : CHUNK;
}

static void add(struct xf_source_digest *d)
{
    size_t len = next_length(d);
    ssize_t n = xf_source_read(d->source, d->buf, len, d->offset, &d->error);

    if (n < 0)
        return;
    if ((size_t)n < len)
        xf_source_set_changed(d->source, &d->error);
    else if (!xf_digest_add(d->digest, d->buf, len))
        no_memory(d);
    else
        d->offset += len;
}

static void run(struct xf_job *job)
{
    struct xf_source_digest *d = (struct xf_source_digest *)job;
    uint64_t slice = d->offset + SLICE;

    d->buf = xf_sys_alloc(CHUNK);
    if (!d->buf)
        no_memory(d);
    look_at_mark(d);
    while (!atomic_load(&d->orphan) && d->error.code == 0 &&
           d->offset < d->until && d->offset < slice) {
        add(d);
        look_at_mark(d);
    }
    if (d->error.code == 0 && d->offset == xf_source_size(d->source))
        end(d);
    xf_sys_free(d->buf);
}

static void destroy(struct xf_source_digest *d)
{
    xf_source_close(d->source);
    xf_digest_free(d->digest);
    xf_sys_free(d);
}

/* A job has come back. False when it is to run again. */
static bool came_to_rest(struct xf_source_digest *d)
{
    bool news;

    if (atomic_load(&d->orphan)) {
        destroy(d);
        return true;
    }
    d->over = d->has_sum || d->error.code != 0;
    news = d->over || (d->has_mark && !d->marked);
    d->marked = d->has_mark;
    if (!d->over && d->offset < d->limit && !news)
        return false;
    if (!news)
        return true;
    d->notify(d->ctx); /* d may be gone now */
    return true;
}

/* In a loop, since a runner may call `done` inside of submit, any number of
 * times, and a stack has an end. */
static void submit(struct xf_source_digest *d)
{
    do {
        d->running = d->submitting = true;
        d->until = d->limit;
        d->jobs->submit(d->jobs, &d->job);
        d->submitting = false;
    } while (!d->running && !came_to_rest(d));
}

static void done(struct xf_job *job)
{
    struct xf_source_digest *d = (struct xf_source_digest *)job;

    d->running = false;
    if (!d->submitting && !came_to_rest(d))
        submit(d);
}

int xf_source_digest_new(struct xf_source_digest **out,
                         const struct xf_source *source,
                         enum xf_digest_kind kind, struct xf_jobs *jobs,
                         void (*notify)(void *ctx), void *ctx)
{
    struct xf_source_digest *d = xf_sys_alloc(sizeof *d);

    if (!d)
        return XF_E_LIMIT;
    d->job.run = run;
    d->job.done = done;
    d->jobs = jobs;
    d->notify = notify;
    d->ctx = ctx;
    d->mark = UINT64_MAX;
    d->limit = xf_source_size(source);
    d->size = xf_digest_size(kind);
    d->digest = xf_digest_new(kind);
    if (!d->digest || xf_source_copy(&d->source, source) != 0) {
        destroy(d);
        return XF_E_LIMIT;
    }
    *out = d;
    return 0;
}

void xf_source_digest_start(struct xf_source_digest *digest)
{
    if (digest->started)
        return;
    digest->started = true;
    submit(digest);
}

void xf_source_digest_let(struct xf_source_digest *digest, uint64_t offset)
{
    uint64_t size = xf_source_size(digest->source);

    digest->limit = offset < size ? offset : size;
    if (digest->started && !digest->running && !digest->over &&
        digest->offset < digest->limit)
        submit(digest);
}

bool xf_source_digest_mark(struct xf_source_digest *digest, uint64_t offset)
{
    if (digest->running || digest->over || offset < digest->offset)
        return false;
    digest->mark = offset;
    digest->has_mark = digest->marked = false;
    return true;
}

void xf_source_digest_free(struct xf_source_digest *digest)
{
    if (!digest)
        return;
    if (digest->running)
        atomic_store(&digest->orphan, true);
    else
        destroy(digest);
}

const char *xf_source_digest_hex(const struct xf_source_digest *digest)
{
    return digest->over && digest->has_sum ? digest->hex : NULL;
}

const uint8_t *xf_source_digest_sum(const struct xf_source_digest *digest)
{
    return digest->over && digest->has_sum ? digest->sum : NULL;
}

const uint8_t *xf_source_digest_at_mark(const struct xf_source_digest *digest)
{
    return digest->marked ? digest->at_mark : NULL;
}

const struct xf_error_info *xf_source_digest_error(
    const struct xf_source_digest *digest)
{
    return digest->over && digest->error.code != 0 ? &digest->error : NULL;
}
