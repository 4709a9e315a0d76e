/*
 * The two ends of a transfer on disk: the source that is read, and the sink
 * that is written as a part file and gets its name only when it is whole. Who
 * reads and writes, and when, is for pump, intake and ibb.
 */
#ifndef XF_STREAM_FILE_H
#define XF_STREAM_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "base/err.h"
#include "stream/job.h"

/* --- source ------------------------------------------------------------- */

struct xf_source;

/*
 * Open a regular file to be sent; links are followed, it is the user's own.
 *
 * Returns 0, or with `info` filled in
 *   XF_E_USAGE  not a regular file
 *   XF_E_IO, XF_E_PERM, XF_E_LIMIT  it cannot be opened
 */
int xf_source_open(struct xf_source **out, const char *path,
                   struct xf_error_info *info);
/* The same file once more, with a descriptor of its own. Or XF_E_LIMIT. */
int xf_source_copy(struct xf_source **out, const struct xf_source *source);
void xf_source_close(struct xf_source *source); /* NULL is fine */

uint64_t xf_source_size(const struct xf_source *source); /* when opened */
int xf_source_fd(const struct xf_source *source);        /* stays ours */
/* When it was last written to, in words: the same of the same state only. */
#define XF_SOURCE_VERSION 32 /* bytes, NUL included */
void xf_source_version(const struct xf_source *source,
                       char out[XF_SOURCE_VERSION]);
const char *xf_source_path(const struct xf_source *source);
const char *xf_source_name(const struct xf_source *source); /* last part */

/*
 * Up to `len` bytes at `offset`: as many as there are. Returns how many (fewer
 * only at the end of the file), or a negative XF_E_ code with `info`.
 */
ssize_t xf_source_read(const struct xf_source *source, void *buf, size_t len,
                       uint64_t offset, struct xf_error_info *info);

/*
 * Whether the file is another than the one that was opened: longer, shorter,
 * written to. Renamed or deleted is not changed, the descriptor holds it.
 */
bool xf_source_changed(const struct xf_source *source);

/* Set XF_E_SRC and its words. Returns the code. */
int xf_source_set_changed(const struct xf_source *source,
                          struct xf_error_info *info);

/* About to be read: have the kernel fetch it, so that reading seldom blocks. */
void xf_source_will_read(const struct xf_source *source, uint64_t offset,
                         size_t len);

/* --- sum of a source ---------------------------------------------------- */

/* The sum over a whole source, by jobs of some 64 MiB each; as far as it is
 * let, so that it reads what a stream has just read and no disk goes to two
 * places. */
struct xf_source_digest;

/*
 * `notify` is called once, when it is over, well or not; that may be inside
 * of xf_source_digest_start(). The source may be closed before.
 *
 * Returns 0, or XF_E_LIMIT.
 */
int xf_source_digest_new(struct xf_source_digest **out,
                         const struct xf_source *source,
                         enum xf_digest_kind kind, struct xf_jobs *jobs,
                         void (*notify)(void *ctx), void *ctx);
void xf_source_digest_start(struct xf_source_digest *digest); /* once */
/* Read up to `offset`, from now on; never less than before. Until it is called
 * there is no limit. */
void xf_source_digest_let(struct xf_source_digest *digest, uint64_t offset);
/*
 * The sum of the first `offset` bytes is wanted, too: `notify` is called when
 * it is known, once more than otherwise. False when more was read already.
 * Before start.
 */
bool xf_source_digest_mark(struct xf_source_digest *digest, uint64_t offset);
/* At any time, within `notify` too; NULL is fine. */
void xf_source_digest_free(struct xf_source_digest *digest);

/* The sum as lower-case hex, or NULL when not (yet) known. */
const char *xf_source_digest_hex(const struct xf_source_digest *digest);
/* The same as bytes, in number as its kind has. */
const uint8_t *xf_source_digest_sum(const struct xf_source_digest *digest);
/* The sum at the mark, or NULL likewise. */
const uint8_t *xf_source_digest_at_mark(const struct xf_source_digest *digest);
/* Why there is none: XF_E_IO, XF_E_SRC, XF_E_LIMIT; else NULL. */
const struct xf_error_info *xf_source_digest_error(
    const struct xf_source_digest *digest);

/* --- sink --------------------------------------------------------------- */

#define XF_SINK_SIZE_UNKNOWN UINT64_MAX
#define XF_SINK_NUMBERS 999 /* "name (999).ext" is the last one tried */
#define XF_SINK_SYNC_BYTES (16u << 20) /* written between two fdatasyncs */

enum xf_sink_exists {
    XF_SINK_RENAME,    /* "name (1).ext" and so on */
    XF_SINK_REFUSE,    /* XF_E_EXISTS, now or at the end */
    XF_SINK_OVERWRITE, /* a regular file is replaced, at the very end */
};

#define XF_PART_VERSION_MAX 1023 /* bytes */

struct xf_sink;

/*
 * What a part file is of: kept in its journal, and what must be the same for
 * its bytes to be gone on with. Strings are the caller's.
 */
struct xf_part_of {
    const char *peer;    /* bare JID of who sends it */
    const char *name;    /* as offered; has passed xf_name_refused() */
    uint64_t size;       /* what is to come, or XF_SINK_SIZE_UNKNOWN */
    const char *version; /* of the source, in its sender's words, or NULL;
                            XF_PART_VERSION_MAX bytes at most */
    const char *hash;    /* its MD5 in lower-case hex as offered, or NULL */
};

/*
 * Have a part file `.xf-<16 hex>.part` in `dir_fd`, which is duplicated and
 * held, and beside it its journal `.xf-<16 hex>.journal`; the part is locked as
 * long as the sink lives. With `resume` a part of the same thing that an
 * earlier transfer left is gone on with. What else was left of the same peer
 * and name is removed: a retry never piles up parts. A part that another one
 * has locked is left alone, and a new one begun beside it.
 *
 * Returns 0, or with `info` filled in
 *   XF_E_EXISTS  the name is taken and not to be replaced
 *   XF_E_NOSPC   less space is left than what is still to come
 *   XF_E_NAME    too long for this file system
 *   XF_E_USAGE   peer, version or hash too long
 *   XF_E_IO, XF_E_PERM, XF_E_LIMIT  the part file cannot be made
 */
int xf_sink_open(struct xf_sink **out, int dir_fd, const struct xf_part_of *of,
                 enum xf_sink_exists exists, bool resume,
                 struct xf_error_info *info);

/*
 * Close, and leave nothing behind: no part, no journal, no final name (but
 * what has replaced an older file stays, and what had its name before this
 * transfer). NULL and half-built are fine.
 */
void xf_sink_discard(struct xf_sink *sink);
/* Close, and leave what is there: published, its journal removed, or a part
 * for another time. A part of which a sync has failed is no use then, and is discarded. */
void xf_sink_close(struct xf_sink *sink);

uint64_t xf_sink_size(const struct xf_sink *sink);
/* Bytes in the part; right after opening: what an earlier transfer left. */
uint64_t xf_sink_written(const struct xf_sink *sink);
/* Of these, as far as the journal tells, safe from a loss of power. */
uint64_t xf_sink_durable(const struct xf_sink *sink);
/* An earlier transfer gave it its name already, and only that was not told:
 * all bytes are there, and xf_sink_publish() has nothing left to do but sync. */
bool xf_sink_is_published(const struct xf_sink *sink);
/* The name in the directory: as asked, or once published as it came out. */
const char *xf_sink_name(const struct xf_sink *sink);

/*
 * These block and are called by jobs only. Write any number of times, then
 * sync, then publish; read and cut before the first write of a transfer. Each
 * returns 0 or an XF_E_ code with `info`; after a failure of write, sync or
 * publish only xf_sink_discard() and xf_sink_close() are left: what a failed
 * fsync has dropped, a second one calls clean.
 */
int xf_sink_write(struct xf_sink *sink, const void *bytes, size_t len,
                  struct xf_error_info *info);
/* `len` bytes of what is there, for the sums over it. */
int xf_sink_read(struct xf_sink *sink, void *buf, size_t len, uint64_t offset,
                 struct xf_error_info *info);
/* Keep the first `size` bytes of what is there; not of what is published. */
int xf_sink_cut(struct xf_sink *sink, uint64_t size,
                struct xf_error_info *info);
/* To be left as a part: what is written is synced and noted in the journal. */
int xf_sink_settle(struct xf_sink *sink, struct xf_error_info *info);
int xf_sink_sync(struct xf_sink *sink, struct xf_error_info *info);
/* Part to final name without replacing, then the directory is synced; the
 * journal waits for the close. */
int xf_sink_publish(struct xf_sink *sink, struct xf_error_info *info);
/* A part again, as if that had not come about: who was to be told of it has
 * given up meanwhile. What has replaced an older file stays. */
void xf_sink_take_back(struct xf_sink *sink);

#endif
