/*
 * What stands between a stream and its sink: a queue of buffers that are
 * filled in the session's thread and written and hashed by jobs. TCP and
 * in-band receivers put into it alike; it outlives their attempts.
 */
#ifndef XF_STREAM_INTAKE_H
#define XF_STREAM_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "stream/file.h"
#include "stream/job.h"
#include "stream/stock.h"

#define XF_INTAKE_BUFFER (256u << 10) /* bytes */
#define XF_INTAKE_SMALL (64u << 10)   /* ... where the stock is used up */
#define XF_INTAKE_BUFFERS 4           /* busy ones that stop a reader */
/*
 * Blocks that were in flight before a sender felt our silence still have to
 * go somewhere: 4 MiB is the widest in-band window, and one more for the
 * buffers that were busy already.
 */
#define XF_INTAKE_BUFFERS_MAX 20

struct xf_intake;

/* Which sums are computed while the bytes pass. */
struct xf_intake_sums {
    bool md5, sha256;
};

/* What they are to be at the end; NULL: nothing to compare with. */
struct xf_intake_expected {
    const char *md5;       /* hex */
    const uint8_t *sha256; /* 32 bytes */
};

/*
 * Owns `sink` once it has succeeded. `notify` is called after each job: there
 * is space again, or an error, or it is at rest, or finished. With a runner
 * like xf_jobs_inline that is inside of commit, put and finish; it may step
 * pumps and free the intake even then.
 *
 * Returns 0, or XF_E_LIMIT (then the sink is still the caller's).
 */
int xf_intake_new(struct xf_intake **out, struct xf_sink *sink,
                  struct xf_jobs *jobs, const struct xf_intake_sums *sums,
                  void (*notify)(void *ctx), void *ctx);

/* Its buffers are of this stock, which outlives it; before any byte. */
void xf_intake_share(struct xf_intake *in, struct xf_stock *stock);

/*
 * Unless finished, the file is given up: no part and no name stays behind. A
 * job under way is let go; what it needs lives until it is done. NULL is fine.
 */
void xf_intake_free(struct xf_intake *in);
/* The same, but what is there by now is synced and stays as a part for another
 * transfer, if it is in order at all. */
void xf_intake_keep(struct xf_intake *in);

/*
 * Have the sums of what the sink holds already, if it does, then be at rest.
 * Once, before any byte.
 */
void xf_intake_begin(struct xf_intake *in);
/* Whether what comes goes into the sums, as it does at first. Once it is to
 * again, what has passed without is read back: at rest they are there. */
void xf_intake_sum(struct xf_intake *in, bool now);
/* Keep the first `size` bytes only. No stream may be filling it. */
void xf_intake_cut(struct xf_intake *in, uint64_t size);
/* No job is under way and none is due: all that was taken is in the file. */
bool xf_intake_at_rest(const struct xf_intake *in);
/* The SHA-256 of all that was taken; only at rest, and false without one. */
bool xf_intake_sum_so_far(const struct xf_intake *in,
                          uint8_t out[XF_DIGEST_MAX]);

/*
 * Where to read the next bytes to, and how many at most; NULL when it has no
 * buffer left (`notify` comes) or there is an error. Follow it by commit.
 */
char *xf_intake_room(struct xf_intake *in, size_t *len);
/* `n` bytes of the room are filled. Returns as put, but never XF_E_BUSY. */
int xf_intake_commit(struct xf_intake *in, size_t n);

/*
 * Take `n` bytes, all or none.
 *
 * Returns 0, or
 *   XF_E_LONG  more than the size of the sink; it is an error from now on
 *   XF_E_BUSY  XF_INTAKE_BUFFERS_MAX are full; try again after `notify`
 *   or the code of xf_intake_error()
 */
int xf_intake_put(struct xf_intake *in, const void *bytes, size_t n);
/*
 * Bytes that fit before the writer falls behind. An in-band receiver
 * acknowledges a block only while another one fits, else after `notify`.
 */
size_t xf_intake_space(const struct xf_intake *in);

uint64_t xf_intake_size(const struct xf_intake *in);    /* the sink's */
uint64_t xf_intake_bytes(const struct xf_intake *in);   /* there so far */
uint64_t xf_intake_written(const struct xf_intake *in); /* of these on file */
/* An earlier transfer gave it its name: it can be finished, and not be cut. */
bool xf_intake_is_published(const struct xf_intake *in);
/* Of these safe from a loss of power; only at rest. */
uint64_t xf_intake_durable(const struct xf_intake *in);

/* What has gone wrong, for good; NULL while nothing has. */
const struct xf_error_info *xf_intake_error(const struct xf_intake *in);

/*
 * No more bytes come: write what waits, compare its sums with those expected
 * (NULL: none; a sum that was not computed is not compared), sync, give the
 * file its name, sync the directory. Then `notify`.
 *
 * Returns 0, or at once XF_E_SHORT or the code of xf_intake_error(); the text
 * is in xf_intake_error(). XF_E_HASH comes later.
 */
int xf_intake_finish(struct xf_intake *in,
                     const struct xf_intake_expected *expected);

bool xf_intake_finished(const struct xf_intake *in); /* well, on disk */
bool xf_intake_verified(const struct xf_intake *in); /* a sum was equal */
/* The name in the directory; after finishing it may be "name (1).ext". */
const char *xf_intake_name(const struct xf_intake *in);

#endif
