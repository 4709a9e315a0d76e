/*
 * A part gets its final name. The order is what a crash at any point, and a
 * loss of power at any point, leave either a part or a whole file by:
 *
 *   data synced, journal says the name, name, directory synced
 *
 * The journal goes when the sink is closed: until who sent the file has been
 * told, it is what another offer of the same finds the file by.
 */
#include "stream/sink_inside.h"

#include <errno.h>

#include "base/sys.h"

/* Who else may write to the directory may have put another file there. */
static int check_part(const struct xf_sink *sink, struct xf_error_info *info)
{
    struct stat ours, there;

    if (xf_sys_fstat(sink->fd, &ours) < 0 ||
        xf_sys_fstatat(sink->dir, sink->part, &there, AT_SYMLINK_NOFOLLOW) < 0)
        return xf_sink_failed(sink, "find the part file of", info);
    if (ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
        return 0;
    return xf_err_set(info, XF_E_IO, "the part file of %s was replaced",
                      sink->wanted);
}

static int note_name(struct xf_sink *sink, bool over,
                     struct xf_error_info *info)
{
    if (xf_journal_as(&sink->journal, sink->name, sink->written, over) == 0)
        return 0;
    return xf_sink_failed(sink, "note in the journal of", info);
}

/*
 * Rename, since a crash leaves one name then and not two; link for those file
 * systems that can only rename with replacing, NFS for one.
 */
static int move_without_replacing(struct xf_sink *sink)
{
    if (xf_sys_renameat(sink->dir, sink->part, sink->name, 0) == 0) {
        sink->has_part = false;
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -1;
    if (xf_sys_linkat(sink->dir, sink->part, sink->dir, sink->name) < 0)
        return -1;
    xf_sink_remove_part(sink);
    return 0;
}

/* To save a synced line in the journal; who is first decides the rename. */
static bool is_taken(const struct xf_sink *sink)
{
    struct stat st;

    return xf_sys_fstatat(sink->dir, sink->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int move_numbered(struct xf_sink *sink, struct xf_error_info *info)
{
    unsigned last = sink->exists == XF_SINK_RENAME ? XF_SINK_NUMBERS : 0;

    for (unsigned n = 0; n <= last; n++) {
        int err;

        xf_name_numbered(sink->wanted, n, sink->name);
        if (is_taken(sink))
            continue;
        if ((err = note_name(sink, false, info)) != 0)
            return err;
        if (move_without_replacing(sink) == 0) {
            sink->published = true;
            return 0;
        }
        if (errno != EEXIST)
            return xf_sink_failed(sink, "rename to", info);
    }
    if (last > 0)
        return xf_err_set(info, XF_E_EXISTS,
                          "%s exists, and so do its names up to (%u)",
                          sink->wanted, last);
    return xf_err_set(info, XF_E_EXISTS, "%s exists; not overwritten",
                      sink->wanted);
}

static int move_over(struct xf_sink *sink, struct xf_error_info *info)
{
    int err = note_name(sink, true, info);

    if (err != 0)
        return err;
    sink->published = move_without_replacing(sink) == 0;
    if (sink->published)
        return 0;
    if (errno != EEXIST)
        return xf_sink_failed(sink, "rename to", info);
    if ((err = xf_sink_look_at_name(sink, info)) != 0)
        return err;
    if (xf_sys_renameat(sink->dir, sink->part, sink->name, 1) < 0)
        return xf_sink_failed(sink, "rename to", info);
    sink->has_part = false;
    return 0;
}

static int give_name(struct xf_sink *sink, struct xf_error_info *info)
{
    int err;

    if (sink->found_named) {
        /* Its second name, where that was made by linking. */
        xf_sink_remove_part(sink);
        return 0;
    }
    if ((err = check_part(sink, info)) != 0)
        return err;
    return sink->exists == XF_SINK_OVERWRITE ? move_over(sink, info)
                                             : move_numbered(sink, info);
}

int xf_sink_publish(struct xf_sink *sink, struct xf_error_info *info)
{
    int err = give_name(sink, info);

    if (err == 0)
        err = xf_sink_sync_directory(sink, info);
    sink->complete = err == 0;
    return err;
}

bool xf_sink_has_name(const struct xf_sink *sink)
{
    struct stat st;

    return xf_sys_fstat(sink->fd, &st) == 0 &&
           xf_part_is_at(sink->dir, sink->name, &st);
}

void xf_sink_take_back(struct xf_sink *sink)
{
    if (!sink->published || !xf_sink_has_name(sink) ||
        xf_sys_renameat(sink->dir, sink->name, sink->part, 0) < 0)
        return;
    sink->published = sink->complete = false;
    sink->has_part = true;
}
