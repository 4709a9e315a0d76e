/*
 * The unfinished parts in a directory, for the embedder: told and removed.
 * What they are, and who holds them, stream/left knows.
 */
#include <xferry/xferry.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/sys.h"
#include "stream/left.h"

struct xf_parts {
    int dir;
    struct xf_sys_list *list;
    struct xf_left left;
    struct xf_part part;
    char file[XF_PART_FILE + 1];
};

int xf_parts_open(struct xf_parts **out, int dir_fd)
{
    struct xf_parts *parts = xf_sys_alloc(sizeof *parts);
    int err;

    if (!parts)
        return XF_E_LIMIT;
    parts->dir = xf_sys_dup(dir_fd);
    if (parts->dir >= 0)
        parts->list = xf_sys_list_open(parts->dir);
    if (parts->list) {
        *out = parts;
        return 0;
    }
    err = xf_err_from_errno(errno);
    xf_parts_close(parts);
    return err;
}

void xf_parts_close(struct xf_parts *parts)
{
    if (!parts)
        return;
    xf_sys_list_close(parts->list);
    if (parts->dir >= 0)
        xf_sys_close(parts->dir);
    xf_sys_free(parts);
}

static bool look(const struct xf_parts *parts, const char *file,
                 struct stat *st)
{
    return xf_sys_fstatat(parts->dir, file, st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Each is told once: by its part, or by its journal when that is alone. The
 * list may still name what was removed, or has got its name, since. */
static bool find_next(struct xf_parts *parts)
{
    enum xf_part_kind kind;
    const char *file;
    struct stat st;

    while ((file = xf_sys_list_next(parts->list)) != NULL) {
        bool has_part;

        if (!xf_part_read_file(file, parts->left.id, &kind))
            continue;
        xf_part_file(parts->left.id, XF_PART_BYTES, parts->file);
        has_part = look(parts, parts->file, &st);
        if (has_part && kind == XF_PART_BYTES)
            return true;
        if (has_part || kind == XF_PART_BYTES)
            continue;
        xf_part_file(parts->left.id, XF_PART_JOURNAL, parts->file);
        if (look(parts, parts->file, &st))
            return true;
    }
    return false;
}

/* What it holds, by the file itself where that is in our hands. */
static void measure(struct xf_parts *parts)
{
    const struct xf_left *left = &parts->left;
    struct xf_part *part = &parts->part;
    struct stat st;

    if (left->fd >= 0)
        st = left->st;
    else if (!look(parts, parts->file, &st))
        return;
    part->changed_at = st.st_mtim.tv_sec;
    /* A link's length, or the journal's, is nothing of the file. */
    if (left->fd >= 0 || (left->state != XF_PART_ABSENT && S_ISREG(st.st_mode)))
        part->have = (uint64_t)st.st_size;
    part->durable =
        left->journal.durable < part->have ? left->journal.durable : part->have;
}

static void describe(struct xf_parts *parts)
{
    const struct xf_left *left = &parts->left;
    struct xf_part *part = &parts->part;

    *part = (struct xf_part){ .file = parts->file, .size = XF_SIZE_UNKNOWN };
    part->busy = left->state == XF_PART_BUSY;
    part->readable = left->known;
    if (left->known) {
        part->peer = left->journal.of.peer;
        part->name = left->journal.of.name;
        part->size = left->journal.of.size;
        part->done = left->named ? left->journal.as : NULL;
    }
    measure(parts);
}

const struct xf_part *xf_parts_next(struct xf_parts *parts)
{
    if (!find_next(parts))
        return NULL;
    (void)xf_left_read(&parts->left, parts->dir);
    (void)xf_left_take(&parts->left, parts->dir);
    describe(parts);
    xf_left_let_go(&parts->left);
    return &parts->part;
}

int xf_parts_remove(struct xf_parts *parts)
{
    struct xf_left left;
    int err = 0;

    /* Again: it was let go since, and what it was told as lives on. */
    memcpy(left.id, parts->left.id, sizeof left.id);
    (void)xf_left_read(&left, parts->dir);
    if (!xf_left_take(&left, parts->dir))
        return left.state == XF_PART_BUSY ? XF_E_BUSY : XF_E_PERM;
    if (!xf_left_remove(&left, parts->dir))
        err = xf_err_from_errno(errno);
    xf_left_let_go(&left);
    return err;
}
