/*
 * A file that is received: a part until it is whole, then published, or gone
 * without a trace, or left for another time.
 *
 *   PART -publish-> PUBLISHED -discard-> gone
 *    |  \--discard-> gone         \-close-> stays
 *     \--close-> part and journal stay; xf_sink_open() finds them again
 */
#include "stream/sink_inside.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/encode.h"
#include "base/sys.h"

#define PART_TRIES 4 /* two of 2^64 that meet are no accident */

int xf_sink_failed(const struct xf_sink *sink, const char *call,
                   struct xf_error_info *info)
{
    return xf_err_set(info, xf_err_from_errno(errno), "%s %s: %m", call,
                      sink->wanted);
}

/* --- opening ------------------------------------------------------------- */

/* What has the name is left alone, whatever it is, unless told otherwise. */
int xf_sink_look_at_name(const struct xf_sink *sink, struct xf_error_info *info)
{
    struct stat st;

    if (xf_sys_fstatat(sink->dir, sink->wanted, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno == ENOENT)
            return 0;
        return xf_err_set(
            info, errno == ENAMETOOLONG ? XF_E_NAME : xf_err_from_errno(errno),
            "stat %s: %m", sink->wanted);
    }
    if (sink->exists == XF_SINK_REFUSE)
        return xf_err_set(info, XF_E_EXISTS, "%s exists; not overwritten",
                          sink->wanted);
    if (sink->exists == XF_SINK_OVERWRITE && !S_ISREG(st.st_mode))
        return xf_err_set(info, XF_E_EXISTS,
                          "%s exists and is not a regular file; "
                          "not overwritten",
                          sink->wanted);
    return 0;
}

/* What the file system has still to find room for. Blocks that an earlier
 * transfer reserved are ours already; where files are compressed there may be
 * fewer of them than bytes. */
static uint64_t still_to_come(const struct xf_sink *sink)
{
    struct stat st;
    uint64_t there;

    if (!sink->resumed || xf_sys_fstat(sink->fd, &st) < 0)
        return sink->size;
    there = (uint64_t)st.st_blocks * 512;
    if (there < sink->written)
        there = sink->written;
    return there < sink->size ? sink->size - there : 0;
}

static int look_at_space(const struct xf_sink *sink, struct xf_error_info *info)
{
    struct statvfs fs;
    uint64_t unit, need;

    if (sink->size == XF_SINK_SIZE_UNKNOWN)
        return 0;
    if (xf_sys_fstatvfs(sink->dir, &fs) < 0)
        return xf_err_set(info, xf_err_from_errno(errno),
                          "statvfs of the directory for %s: %m", sink->wanted);
    need = still_to_come(sink);
    /* Some file systems do not know how large they are. */
    unit = fs.f_frsize > 0 ? fs.f_frsize : fs.f_bsize;
    if (fs.f_blocks == 0 || unit == 0 || need / unit < fs.f_bavail ||
        need <= fs.f_bavail * unit)
        return 0;
    return xf_err_set(info, XF_E_NOSPC,
                      "no space in directory: need %" PRIu64 ", have %" PRIu64,
                      need, (uint64_t)(fs.f_bavail * unit));
}

/* Locked before there is a journal to find it by. Not every network file
 * system can; then nobody else gets a lock on it either, and it is left alone.
 */
static int lock_part(struct xf_sink *sink)
{
    if (xf_sys_lock(sink->fd) == 0 || errno == ENOLCK || errno == ENOSYS ||
        errno == EOPNOTSUPP || errno == EINVAL)
        return 0;
    return -1;
}

/* Between the two somebody who tidies up may have found it, and removed it. */
static bool is_still_there(const struct xf_sink *sink, struct stat *st)
{
    return xf_sys_fstat(sink->fd, st) == 0 &&
           xf_part_is_at(sink->dir, sink->part, st);
}

/* Named by chance, not by the peer: a name of 255 bytes leaves no room for a
 * suffix, and a part left by a crash must block nobody. */
static int try_part(struct xf_sink *sink, struct stat *st)
{
    uint8_t random[XF_PART_ID / 2];

    if (xf_sys_random(random, sizeof random) < 0)
        return -1;
    xf_hex(random, sizeof random, sink->id);
    xf_part_file(sink->id, XF_PART_BYTES, sink->part);
    sink->fd =
        xf_sys_openat(sink->dir, sink->part,
                      O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (sink->fd < 0)
        return -1;
    sink->has_part = true;
    if (lock_part(sink) == 0 && is_still_there(sink, st))
        return 0;
    if (errno != EWOULDBLOCK && errno != ENOENT)
        return -1;
    xf_sink_remove_part(sink);
    xf_sys_close(sink->fd);
    sink->fd = -1;
    errno = EEXIST;
    return -1;
}

static int open_part(struct xf_sink *sink, const struct xf_part_of *of,
                     struct xf_error_info *info)
{
    struct stat st;
    int failed = -1, err;

    for (int i = 0; i < PART_TRIES && failed != 0; i++) {
        failed = try_part(sink, &st);
        if (failed != 0 && (sink->fd >= 0 || errno != EEXIST))
            break;
    }
    if (failed != 0)
        return xf_err_set(info,
                          errno == EEXIST ? XF_E_IO : xf_err_from_errno(errno),
                          "create a part file for %s: %m", sink->wanted);
    err = xf_journal_create(&sink->journal, sink->dir, sink->id, of, st.st_dev,
                            st.st_ino);
    if (err != 0)
        return xf_err_set(info, err, "create a journal for %s: %m",
                          sink->wanted);
    sink->has_journal = true;
    return 0;
}

/* More than was ever to come cannot be of this file; what is in front may. */
static int cut_to_size(struct xf_sink *sink, struct xf_error_info *info)
{
    if (sink->size == XF_SINK_SIZE_UNKNOWN || sink->written <= sink->size)
        return 0;
    return xf_sink_cut(sink, sink->size, info);
}

static int open_all(struct xf_sink *sink, int dir_fd,
                    const struct xf_part_of *of, bool resume,
                    struct xf_error_info *info)
{
    int taken, err;

    sink->dir = xf_sys_dup(dir_fd);
    if (sink->dir < 0)
        return xf_err_set(info, xf_err_from_errno(errno),
                          "hold the directory for %s: %m", sink->wanted);
    taken = xf_sink_look_at_name(sink, info);
    xf_sink_find(sink, of, resume, taken == 0);
    if (sink->found_named) /* then it may be our own that has the name */
        return 0;
    if (taken != 0)
        return taken;
    if ((err = cut_to_size(sink, info)) != 0 ||
        (err = look_at_space(sink, info)) != 0)
        return err;
    return sink->resumed ? 0 : open_part(sink, of, info);
}

int xf_sink_open(struct xf_sink **out, int dir_fd, const struct xf_part_of *of,
                 enum xf_sink_exists exists, bool resume,
                 struct xf_error_info *info)
{
    struct xf_sink *sink;
    int err;

    assert(*of->name != '\0' && !strchr(of->name, '/'));
    if (!xf_journal_fits(of))
        return xf_err_set(info, XF_E_USAGE,
                          "what is said of %.255s is too long", of->name);
    sink = xf_sys_alloc(sizeof *sink);
    if (!sink)
        return xf_err_set(info, XF_E_LIMIT, "open %s: out of memory", of->name);
    sink->dir = sink->fd = sink->journal.fd = -1;
    sink->size = of->size;
    sink->exists = exists;
    xf_name_numbered(of->name, 0, sink->wanted);
    xf_name_numbered(of->name, 0, sink->name);
    err = open_all(sink, dir_fd, of, resume, info);
    if (err == 0)
        *out = sink;
    else if (sink->resumed)
        xf_sink_close(sink);
    else
        xf_sink_discard(sink);
    return err;
}

/* --- the end ------------------------------------------------------------- */

void xf_sink_remove_part(struct xf_sink *sink)
{
    if (sink->has_part && xf_sys_unlinkat(sink->dir, sink->part) == 0)
        sink->has_part = false;
}

void xf_sink_remove_journal(struct xf_sink *sink)
{
    char file[XF_PART_FILE + 1];

    xf_part_file(sink->id, XF_PART_JOURNAL, file);
    if (sink->has_journal && xf_sys_unlinkat(sink->dir, file) == 0)
        sink->has_journal = false;
}

static void let_go(struct xf_sink *sink)
{
    xf_journal_close(&sink->journal);
    if (sink->fd >= 0)
        xf_sys_close(sink->fd);
    if (sink->dir >= 0)
        xf_sys_close(sink->dir);
    xf_sys_free(sink);
}

void xf_sink_close(struct xf_sink *sink)
{
    if (!sink)
        return;
    if (sink->lost) {
        xf_sink_discard(sink);
        return;
    }
    /* Left behind it does no harm: what it says is true. */
    if (sink->complete)
        xf_sink_remove_journal(sink);
    let_go(sink);
}

/* The journal goes last: it is what the others are found by. */
void xf_sink_discard(struct xf_sink *sink)
{
    if (!sink)
        return;
    xf_sink_remove_part(sink);
    if (sink->published && xf_sink_has_name(sink))
        (void)xf_sys_unlinkat(sink->dir, sink->name);
    xf_sink_remove_journal(sink);
    let_go(sink);
}

uint64_t xf_sink_size(const struct xf_sink *sink)
{
    return sink->size;
}

uint64_t xf_sink_written(const struct xf_sink *sink)
{
    return sink->written;
}

uint64_t xf_sink_durable(const struct xf_sink *sink)
{
    return sink->durable;
}

bool xf_sink_is_published(const struct xf_sink *sink)
{
    return sink->found_named;
}

const char *xf_sink_name(const struct xf_sink *sink)
{
    return sink->name;
}

/* --- what is there, by jobs ---------------------------------------------- */

int xf_sink_read(struct xf_sink *sink, void *buf, size_t len, uint64_t offset,
                 struct xf_error_info *info)
{
    char *next = buf;

    while (len > 0) {
        ssize_t n = xf_sys_pread(sink->fd, next, len, offset);

        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return xf_sink_failed(sink, "read", info);
        next += n;
        offset += (size_t)n;
        len -= (size_t)n;
    }
    return 0;
}

/* The journal first: it never says more than there is. */
int xf_sink_cut(struct xf_sink *sink, uint64_t size, struct xf_error_info *info)
{
    assert(!sink->found_named);
    if (size >= sink->written)
        return 0;
    if (size < sink->durable) {
        if (xf_journal_restart(&sink->journal, size) != 0)
            return xf_sink_failed(sink, "note in the journal of", info);
        sink->durable = size;
    }
    if (xf_sys_ftruncate(sink->fd, size) < 0)
        return xf_sink_failed(sink, "cut", info);
    sink->written = size;
    return 0;
}

/* --- writing, by jobs ---------------------------------------------------- */

/* Not every file system can; then the disk may yet be full, as ever. */
static int reserve(struct xf_sink *sink, struct xf_error_info *info)
{
    sink->reserved = true;
    if (sink->size == XF_SINK_SIZE_UNKNOWN || sink->size == 0 ||
        xf_sys_allocate(sink->fd, 0, sink->size) == 0 || errno == EOPNOTSUPP ||
        errno == ENOSYS)
        return 0;
    return xf_sink_failed(sink, "allocate", info);
}

/* Some network file systems cannot sync a directory, and say EINVAL. */
int xf_sink_sync_directory(struct xf_sink *sink, struct xf_error_info *info)
{
    if (xf_sys_fsync(sink->dir) == 0 || errno == EINVAL)
        return 0;
    return xf_sink_failed(sink, "sync the directory of", info);
}

/* Only then is it noted; and the first time the two names too are synced. */
static int make_durable(struct xf_sink *sink, struct xf_error_info *info)
{
    int err = 0;

    if (xf_sys_fdatasync(sink->fd) < 0) {
        sink->lost = true;
        return xf_sink_failed(sink, "sync", info);
    }
    if (xf_journal_durable(&sink->journal, sink->written) != 0)
        return xf_sink_failed(sink, "note in the journal of", info);
    if (!sink->dir_synced && (err = xf_sink_sync_directory(sink, info)) != 0)
        return err;
    sink->dir_synced = true;
    sink->durable = sink->written;
    return 0;
}

int xf_sink_write(struct xf_sink *sink, const void *bytes, size_t len,
                  struct xf_error_info *info)
{
    const char *next = bytes;
    int err;

    if (!sink->reserved && (err = reserve(sink, info)) != 0)
        return err;
    while (len > 0) {
        ssize_t n = xf_sys_pwrite(sink->fd, next, len, sink->written);

        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return xf_sink_failed(sink, "write", info);
        next += n;
        len -= (size_t)n;
        sink->written += (size_t)n;
    }
    /* Every now and then, so that the last sync is short: Smack waits only 5 s
     * for the answer to its close. */
    if (sink->written - sink->durable < XF_SINK_SYNC_BYTES)
        return 0;
    return make_durable(sink, info);
}

/* Space that was asked for is given back: nobody knows when the rest comes. */
int xf_sink_settle(struct xf_sink *sink, struct xf_error_info *info)
{
    if (sink->found_named || sink->published)
        return 0;
    if (sink->reserved) {
        (void)xf_sys_ftruncate(sink->fd, sink->written);
        sink->reserved = false;
    }
    return sink->durable == sink->written ? 0 : make_durable(sink, info);
}

/* Its line in the journal is that of its name, which follows at once. */
int xf_sink_sync(struct xf_sink *sink, struct xf_error_info *info)
{
    if (xf_sys_fsync(sink->fd) == 0)
        return 0;
    sink->lost = true;
    return xf_sink_failed(sink, "sync", info);
}
