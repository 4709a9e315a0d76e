/*
 * Filled in one thread, emptied in another: the queue, and the job that works
 * it off. What it means that bytes came, or did not, is for others.
 *
 * One job at a time; while it is under way `struct work` is the job's and the
 * rest is the session's. Where there is much to be written and to be summed,
 * two jobs do that side by side: then what the sums need is the second's.
 */
#include "stream/intake.h"

#include <assert.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/encode.h"
#include "base/name.h"
#include "base/sys.h"

struct chunk {
    struct chunk *next;
    size_t len, size;
    char bytes[];
};

/* One of the sums that are computed. */
struct sum {
    enum xf_digest_kind kind; /* NONE: not this one */
    struct xf_digest *digest;
    bool compare;
    uint8_t expected[XF_DIGEST_MAX];
};

enum { MD5, SHA256, SUMS };

#define BESIDE (128u << 10) /* bytes that are worth a second job */
#define SLICE (64u << 20)   /* bytes read in one job to have their sums */

struct work {
    struct xf_sink *sink;
    struct sum sums[SUMS];
    struct chunk *batch;
    bool beside; /* the sums are the other job's */
    struct xf_error_info sum_error;
    bool cut; /* first of all, to `cut_to` */
    uint64_t cut_to;
    bool sum;        /* bytes that pass go into the sums */
    bool catch_up;   /* ... but first those that have passed already */
    uint64_t summed; /* bytes that are in the sums */
    bool keep;       /* after the batch: to be left as a part */
    bool finish;     /* after the batch */
    char *buf;       /* for reading back */
    struct xf_error_info error;
};

struct xf_intake {
    struct xf_job job; /* first: a job is its intake */
    struct xf_job sum_job;
    struct xf_jobs *jobs;
    void (*notify)(void *ctx);
    void *ctx;

    struct chunk *first, **last; /* full ones, to be written next */
    struct chunk *filling;       /* behind them, not full; or NULL */
    struct chunk *spare;         /* of the full size */
    size_t busy;                 /* bytes of chunks that hold some */
    size_t spares;               /* chunks that do not */
    struct xf_stock own, *stock;

    uint64_t size, bytes, written;
    bool finishing, finished;
    bool cutting;     /* to `bytes`, before anything else */
    bool catching_up; /* the sums lack some of what is there */
    bool later;       /* ... and nobody wants them as yet */
    struct xf_error_info error;
    char name[XF_NAME_MAX + 1];

    bool working;       /* a job is under way */
    unsigned jobs_left; /* of it, when it is two */
    unsigned held;      /* by that job, and by calls of ours that notify */
    atomic_bool orphan; /* freed while held: the last holder destroys */
    atomic_bool keep;   /* ... and leaves a part behind */
    struct work work;
};

/* --- the job ------------------------------------------------------------- */

static int no_sum(struct work *w)
{
    return xf_err_set(w->beside ? &w->sum_error : &w->error, XF_E_LIMIT,
                      "hash %s: out of memory", xf_sink_name(w->sink));
}

static int add_to_sums(struct work *w, const void *bytes, size_t len)
{
    for (size_t i = 0; i < SUMS; i++)
        if (w->sums[i].digest && !xf_digest_add(w->sums[i].digest, bytes, len))
            return no_sum(w);
    w->summed += len;
    return 0;
}

static int write_chunk(struct work *w, const struct chunk *chunk)
{
    int err = xf_sink_write(w->sink, chunk->bytes, chunk->len, &w->error);

    return err == 0 && w->sum && !w->beside
               ? add_to_sums(w, chunk->bytes, chunk->len)
               : err;
}

static bool has_sums(const struct work *w)
{
    return w->sums[MD5].kind || w->sums[SHA256].kind;
}

static int begin_sums(struct work *w)
{
    for (size_t i = 0; i < SUMS; i++) {
        struct sum *sum = &w->sums[i];

        if (sum->kind == XF_DIGEST_NONE)
            continue;
        xf_digest_free(sum->digest);
        sum->digest = xf_digest_new(sum->kind);
        if (!sum->digest)
            return no_sum(w);
    }
    w->summed = 0;
    return 0;
}

/* What is in the file and not in the sums; not more than a slice of it, for
 * the writes of other transfers want their turn. */
static void catch_up(struct xf_intake *in)
{
    struct work *w = &in->work;
    uint64_t end = xf_sink_written(w->sink), stop = w->summed + SLICE;

    if (!w->buf && !(w->buf = xf_sys_alloc(XF_INTAKE_BUFFER)))
        (void)no_sum(w);
    while (w->error.code == 0 && w->summed < end && w->summed < stop &&
           !atomic_load(&in->orphan)) {
        size_t len = end - w->summed < XF_INTAKE_BUFFER
                         ? (size_t)(end - w->summed)
                         : XF_INTAKE_BUFFER;

        if (xf_sink_read(w->sink, w->buf, len, w->summed, &w->error) == 0)
            (void)add_to_sums(w, w->buf, len);
    }
}

static int compare(struct work *w)
{
    uint8_t sum[XF_DIGEST_MAX];

    for (size_t i = 0; i < SUMS; i++) {
        struct sum *one = &w->sums[i];

        if (!one->compare)
            continue;
        /* Not ended: another offer of the file may yet ask for it. */
        if (!xf_digest_peek(one->digest, sum))
            return no_sum(w);
        if (memcmp(sum, one->expected, xf_digest_size(one->kind)) != 0)
            return xf_err_set(&w->error, XF_E_HASH,
                              "content does not match its hash; not delivered");
    }
    return 0;
}

/* The last moment at which an owner who gave up still stops us. */
static void publish(struct xf_intake *in)
{
    struct work *w = &in->work;

    if (compare(w) == 0 && xf_sink_sync(w->sink, &w->error) == 0 &&
        !atomic_load(&in->orphan))
        (void)xf_sink_publish(w->sink, &w->error);
}

static void cut(struct work *w)
{
    w->cut = false;
    if (xf_sink_cut(w->sink, w->cut_to, &w->error) == 0)
        (void)begin_sums(w);
}

/* A part that is to be kept has every byte that its sender knows to be here. */
static bool goes_on(struct xf_intake *in)
{
    return in->work.error.code == 0 &&
           (atomic_load(&in->keep) || !atomic_load(&in->orphan));
}

static void run(struct xf_job *job)
{
    struct xf_intake *in = (struct xf_intake *)job;
    struct work *w = &in->work;
    struct chunk *chunk = w->batch;

    if (w->cut)
        cut(w);
    if (!w->keep && w->catch_up && w->summed < xf_sink_written(w->sink)) {
        catch_up(in);
        return;
    }
    for (; chunk && goes_on(in); chunk = chunk->next)
        (void)write_chunk(w, chunk);
    if (w->keep && w->error.code == 0)
        (void)xf_sink_settle(w->sink, &w->error);
    else if (w->finish && goes_on(in))
        publish(in);
}

static void run_sums(struct xf_job *job)
{
    struct xf_intake *in =
        (struct xf_intake *)((char *)job - offsetof(struct xf_intake, sum_job));
    struct work *w = &in->work;
    struct chunk *chunk = w->batch;

    for (; chunk && !atomic_load(&in->orphan); chunk = chunk->next)
        if (add_to_sums(w, chunk->bytes, chunk->len) != 0)
            return;
}

/* --- chunks -------------------------------------------------------------- */

static void free_chunk(struct xf_intake *in, struct chunk *chunk)
{
    in->stock->bytes -= chunk->size;
    xf_sys_free(chunk);
}

static void free_chunks(struct xf_intake *in, struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        free_chunk(in, chunk);
        chunk = next;
    }
}

/* A name that it was given behind the back of an owner who had given up was
 * told to nobody. */
static void close_sink(struct xf_intake *in)
{
    struct xf_sink *sink = in->work.sink;

    if (in->finished) {
        xf_sink_close(sink);
    } else if (atomic_load(&in->keep) && in->work.error.code == 0) {
        xf_sink_take_back(sink);
        xf_sink_close(sink);
    } else {
        xf_sink_discard(sink);
    }
}

static void destroy(struct xf_intake *in)
{
    free_chunks(in, in->first);
    free_chunks(in, in->filling);
    free_chunks(in, in->spare);
    free_chunks(in, in->work.batch);
    for (size_t i = 0; i < SUMS; i++)
        xf_digest_free(in->work.sums[i].digest);
    xf_sys_free(in->work.buf);
    close_sink(in);
    xf_sys_free(in);
}

static void enter(struct xf_intake *in)
{
    in->held++;
}

static void leave(struct xf_intake *in)
{
    if (--in->held == 0 && atomic_load(&in->orphan))
        destroy(in);
}

/* What was written. It is at hand for the next bytes, unless that is beyond a
 * reader's need, or others need it more. */
static void recycle(struct xf_intake *in, struct chunk *chunk)
{
    in->busy -= chunk->size;
    if (in->spares >= XF_INTAKE_BUFFERS || chunk->size < XF_INTAKE_BUFFER ||
        in->stock->bytes > in->stock->most / 2) {
        free_chunk(in, chunk);
        return;
    }
    chunk->len = 0;
    chunk->next = in->spare;
    in->spare = chunk;
    in->spares++;
}

/* As much as is to come, as far as that is known. */
static size_t useful(const struct xf_intake *in)
{
    uint64_t left = in->size - in->bytes;

    if (left > XF_INTAKE_BUFFER)
        return XF_INTAKE_BUFFER;
    return left > 0 ? (size_t)left : 1;
}

static bool is_used_up(const struct xf_intake *in)
{
    return !in->spare && in->stock->bytes + useful(in) > in->stock->most;
}

static struct chunk *fresh_chunk(struct xf_intake *in)
{
    struct chunk *chunk = in->spare;
    size_t size = useful(in);

    if (chunk) {
        in->spare = chunk->next;
        in->spares--;
    } else {
        if (is_used_up(in) && size > XF_INTAKE_SMALL)
            size = XF_INTAKE_SMALL;
        chunk = xf_sys_alloc(sizeof *chunk + size);
        if (!chunk)
            return NULL;
        chunk->size = size;
        in->stock->bytes += size;
    }
    chunk->next = NULL;
    in->busy += chunk->size;
    return chunk;
}

static void queue_filling(struct xf_intake *in)
{
    *in->last = in->filling;
    in->last = &in->filling->next;
    in->filling = NULL;
}

static size_t length(const struct chunk *chunk)
{
    size_t len = 0;

    for (; chunk; chunk = chunk->next)
        len += chunk->len;
    return len;
}

/* --- between job and session --------------------------------------------- */

/* Give the writer, when it is idle, all there is. */
static void start(struct xf_intake *in)
{
    struct work *w = &in->work;

    if (in->working || in->finished || in->error.code != 0)
        return;
    if (in->filling && in->filling->len > 0)
        queue_filling(in);
    w->keep = atomic_load(&in->keep);
    if (!in->first && !in->finishing && !in->catching_up && !w->keep)
        return;
    /* Before anything is put behind them the sums catch up. */
    if (!in->catching_up || w->keep) {
        w->batch = in->first;
        w->finish = in->finishing;
        in->first = NULL;
        in->last = &in->first;
    }
    w->sum = !in->later;
    w->catch_up = in->catching_up;
    w->cut = in->cutting;
    w->cut_to = in->bytes;
    in->cutting = false;
    in->working = true;
    enter(in);
    w->beside = w->sum && !w->catch_up && !w->cut && !w->keep && !w->finish &&
                has_sums(w) && length(w->batch) >= BESIDE;
    in->jobs_left = 1;
    if (w->beside) {
        in->jobs_left = 2;
        in->jobs->submit(in->jobs, &in->sum_job);
    }
    in->jobs->submit(in->jobs, &in->job);
}

static void collect(struct xf_intake *in)
{
    struct work *w = &in->work;

    in->working = false;
    in->written = xf_sink_written(w->sink);
    in->catching_up = in->catching_up && has_sums(w) && w->summed < in->written;
    while (w->batch) {
        struct chunk *chunk = w->batch;

        w->batch = chunk->next;
        recycle(in, chunk);
    }
    if (in->error.code == 0 && w->error.code == 0)
        w->error = w->sum_error;
    if (in->error.code == 0)
        in->error = w->error;
    if (!w->finish || in->error.code != 0 || in->catching_up)
        return;
    /* Nobody is left to be told: then it was not delivered. */
    in->finished = !atomic_load(&in->orphan);
    (void)snprintf(in->name, sizeof in->name, "%s", xf_sink_name(w->sink));
}

static void one_done(struct xf_intake *in)
{
    if (--in->jobs_left > 0)
        return;
    collect(in);
    if (!atomic_load(&in->orphan) || (atomic_load(&in->keep) && !in->work.keep))
        start(in);
    if (!atomic_load(&in->orphan))
        in->notify(in->ctx);
    leave(in);
}

static void done(struct xf_job *job)
{
    one_done((struct xf_intake *)job);
}

static void sums_done(struct xf_job *job)
{
    one_done((struct xf_intake *)((char *)job -
                                  offsetof(struct xf_intake, sum_job)));
}

/* --- for the session ----------------------------------------------------- */

int xf_intake_new(struct xf_intake **out, struct xf_sink *sink,
                  struct xf_jobs *jobs, const struct xf_intake_sums *sums,
                  void (*notify)(void *ctx), void *ctx)
{
    struct xf_intake *in = xf_sys_alloc(sizeof *in);

    if (!in)
        return XF_E_LIMIT;
    in->work.sink = sink;
    in->work.sums[MD5].kind = sums->md5 ? XF_DIGEST_MD5 : XF_DIGEST_NONE;
    in->work.sums[SHA256].kind =
        sums->sha256 ? XF_DIGEST_SHA256 : XF_DIGEST_NONE;
    if (begin_sums(&in->work) != 0) {
        for (size_t i = 0; i < SUMS; i++)
            xf_digest_free(in->work.sums[i].digest);
        xf_sys_free(in);
        return XF_E_LIMIT;
    }
    in->job.run = run;
    in->job.done = done;
    in->sum_job.run = run_sums;
    in->sum_job.done = sums_done;
    in->jobs = jobs;
    in->notify = notify;
    in->ctx = ctx;
    in->last = &in->first;
    in->own.most = SIZE_MAX;
    in->stock = &in->own;
    in->size = xf_sink_size(sink);
    in->bytes = in->written = xf_sink_written(sink);
    (void)snprintf(in->name, sizeof in->name, "%s", xf_sink_name(sink));
    *out = in;
    return 0;
}

void xf_intake_share(struct xf_intake *in, struct xf_stock *stock)
{
    in->stock = stock;
}

void xf_intake_free(struct xf_intake *in)
{
    if (!in)
        return;
    if (in->held > 0)
        atomic_store(&in->orphan, true);
    else
        destroy(in);
}

/* The last job of it; nobody hears of it any more. */
void xf_intake_keep(struct xf_intake *in)
{
    if (!in)
        return;
    if (in->error.code == 0) {
        atomic_store(&in->keep, true);
        enter(in);
        atomic_store(&in->orphan, true);
        start(in);
        leave(in);
        return;
    }
    xf_intake_free(in);
}

void xf_intake_begin(struct xf_intake *in)
{
    in->catching_up = has_sums(&in->work);
    start(in);
}

/* A file that is being finished has the sums that it is to have. */
static void want_sums(struct xf_intake *in)
{
    if (!in->later || in->finishing)
        return;
    in->later = false;
    in->catching_up =
        has_sums(&in->work) && (in->working || in->work.summed < in->written);
}

void xf_intake_sum(struct xf_intake *in, bool now)
{
    if (now)
        want_sums(in);
    else
        in->later = true;
    start(in);
}

void xf_intake_cut(struct xf_intake *in, uint64_t size)
{
    assert(xf_intake_at_rest(in) && size <= in->bytes);
    in->bytes = size;
    in->cutting = true;
    in->catching_up = true;
    start(in);
}

bool xf_intake_at_rest(const struct xf_intake *in)
{
    return !in->working && !in->catching_up && !in->first &&
           !(in->filling && in->filling->len > 0);
}

bool xf_intake_sum_so_far(const struct xf_intake *in,
                          uint8_t out[XF_DIGEST_MAX])
{
    const struct xf_digest *digest = in->work.sums[SHA256].digest;

    return digest && xf_intake_at_rest(in) && in->work.summed == in->written &&
           xf_digest_peek(digest, out);
}

static bool open_for_bytes(const struct xf_intake *in)
{
    return in->error.code == 0 && !in->finishing && !atomic_load(&in->orphan);
}

/* Room under a ceiling of `max` chunks. */
static size_t space(const struct xf_intake *in, size_t max)
{
    size_t ceiling = max * XF_INTAKE_BUFFER;

    return (in->busy < ceiling ? ceiling - in->busy : 0) +
           (in->filling ? in->filling->size - in->filling->len : 0);
}

/* Where the stock is used up there is one chunk for each: who has none gets
 * one, so that all come on, and who has one hears when it is written. */
static size_t shared_space(const struct xf_intake *in)
{
    if (!is_used_up(in))
        return space(in, XF_INTAKE_BUFFERS);
    if (in->filling)
        return in->filling->size - in->filling->len;
    return in->busy == 0 ? XF_INTAKE_SMALL : 0;
}

static bool have_chunk(struct xf_intake *in)
{
    if (in->filling)
        return true;
    in->filling = fresh_chunk(in);
    /* With a job under way this is just "later"; else nobody would call. */
    if (!in->filling && !in->working)
        xf_err_set(&in->error, XF_E_LIMIT, "receive %s: out of memory",
                   in->name);
    return in->filling != NULL;
}

char *xf_intake_room(struct xf_intake *in, size_t *len)
{
    if (!open_for_bytes(in) || shared_space(in) == 0 || !have_chunk(in))
        return NULL;
    *len = in->filling->size - in->filling->len;
    return in->filling->bytes + in->filling->len;
}

static void add(struct xf_intake *in, size_t n)
{
    in->filling->len += n;
    in->bytes += n;
    if (in->filling->len == in->filling->size)
        queue_filling(in);
}

/* Not a byte of what is too much is kept; the rest is not delivered either. */
static int check_size(struct xf_intake *in, size_t n)
{
    if (!open_for_bytes(in))
        return in->error.code != 0 ? in->error.code : XF_E_INTERNAL;
    if (in->size == XF_SINK_SIZE_UNKNOWN || n <= in->size - in->bytes)
        return 0;
    return xf_err_set(&in->error, XF_E_LONG,
                      "more than the %" PRIu64 " bytes offered; not delivered",
                      in->size);
}

int xf_intake_commit(struct xf_intake *in, size_t n)
{
    int err = check_size(in, n);

    if (err != 0)
        return err;
    assert(in->filling && n <= in->filling->size - in->filling->len);
    enter(in);
    add(in, n);
    start(in);
    err = in->error.code;
    leave(in);
    return err;
}

int xf_intake_put(struct xf_intake *in, const void *bytes, size_t n)
{
    const char *next = bytes;
    int err = check_size(in, n);

    if (err != 0)
        return err;
    if (n > space(in, XF_INTAKE_BUFFERS_MAX))
        return XF_E_BUSY;
    enter(in);
    while (n > 0 && have_chunk(in)) {
        size_t room = in->filling->size - in->filling->len;
        size_t part = n < room ? n : room;

        memcpy(in->filling->bytes + in->filling->len, next, part);
        add(in, part);
        next += part;
        n -= part;
    }
    /* Half a block taken cannot be put again. */
    if (n > 0)
        xf_err_set(&in->error, XF_E_LIMIT, "receive %s: out of memory",
                   in->name);
    start(in);
    err = in->error.code;
    leave(in);
    return err;
}

size_t xf_intake_space(const struct xf_intake *in)
{
    return open_for_bytes(in) ? shared_space(in) : 0;
}

uint64_t xf_intake_size(const struct xf_intake *in)
{
    return in->size;
}

uint64_t xf_intake_bytes(const struct xf_intake *in)
{
    return in->bytes;
}

uint64_t xf_intake_written(const struct xf_intake *in)
{
    return in->written;
}

bool xf_intake_is_published(const struct xf_intake *in)
{
    return xf_sink_is_published(in->work.sink);
}

uint64_t xf_intake_durable(const struct xf_intake *in)
{
    return xf_sink_durable(in->work.sink);
}

const struct xf_error_info *xf_intake_error(const struct xf_intake *in)
{
    return in->error.code != 0 ? &in->error : NULL;
}

/* No job is under way that looks at them: who finishes sets them once. */
static int set_expected(struct xf_intake *in,
                        const struct xf_intake_expected *expected)
{
    struct sum *md5 = &in->work.sums[MD5], *sha256 = &in->work.sums[SHA256];

    if (!expected)
        return 0;
    if (expected->sha256 && sha256->kind) {
        memcpy(sha256->expected, expected->sha256,
               xf_digest_size(sha256->kind));
        sha256->compare = true;
        want_sums(in);
    }
    if (!expected->md5 || !md5->kind)
        return 0;
    md5->compare = true;
    if (xf_unhex(expected->md5, md5->expected, xf_digest_size(md5->kind)))
        return 0;
    return xf_err_set(&in->error, XF_E_HASH, "its hash is not one");
}

int xf_intake_finish(struct xf_intake *in,
                     const struct xf_intake_expected *expected)
{
    int err;

    if (!open_for_bytes(in))
        return in->error.code != 0 ? in->error.code : XF_E_INTERNAL;
    if (in->size != XF_SINK_SIZE_UNKNOWN && in->bytes < in->size)
        return xf_err_set(&in->error, XF_E_SHORT,
                          "stream ended at byte %" PRIu64 " of %" PRIu64
                          "; not delivered",
                          in->bytes, in->size);
    if ((err = set_expected(in, expected)) != 0)
        return err;
    enter(in);
    in->finishing = true;
    start(in);
    err = in->error.code;
    leave(in);
    return err;
}

bool xf_intake_finished(const struct xf_intake *in)
{
    return in->finished;
}

bool xf_intake_verified(const struct xf_intake *in)
{
    return in->finished &&
           (in->work.sums[MD5].compare || in->work.sums[SHA256].compare);
}

const char *xf_intake_name(const struct xf_intake *in)
{
    return in->name;
}
