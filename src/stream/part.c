/*
 * Names by chance, and one owner at a time: whoever works with a part holds a
 * lock on it, which ends with its process however that ends.
 */
#include "stream/part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"

static const char prefix[] = ".xf-";
static const char *const suffixes[] = {
    [XF_PART_BYTES] = ".part",
    [XF_PART_JOURNAL] = ".journal",
};

void xf_part_file(const char *id, enum xf_part_kind kind,
                  char out[XF_PART_FILE + 1])
{
    (void)snprintf(out, XF_PART_FILE + 1, "%s%s%s", prefix, id, suffixes[kind]);
}

bool xf_part_read_file(const char *file, char id[XF_PART_ID + 1],
                       enum xf_part_kind *kind)
{
    const char *digits = file + sizeof prefix - 1;

    if (strncmp(file, prefix, sizeof prefix - 1) != 0 ||
        strspn(digits, "0123456789abcdef") != XF_PART_ID)
        return false;
    if (strcmp(digits + XF_PART_ID, suffixes[XF_PART_BYTES]) == 0)
        *kind = XF_PART_BYTES;
    else if (strcmp(digits + XF_PART_ID, suffixes[XF_PART_JOURNAL]) == 0)
        *kind = XF_PART_JOURNAL;
    else
        return false;
    memcpy(id, digits, XF_PART_ID);
    id[XF_PART_ID] = '\0';
    return true;
}

bool xf_part_is_at(int dir, const char *name, const struct stat *st)
{
    struct stat there;

    return xf_sys_fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* Between opening and locking its last owner may have removed it, or given it
 * its final name: then what we hold is no part any more. */
static enum xf_part_state hold(int dir, const char *name, int fd,
                               struct stat *st)
{
    if (xf_sys_fstat(fd, st) < 0)
        return XF_PART_CLOSED;
    if (!S_ISREG(st->st_mode))
        return XF_PART_ODD;
    if (st->st_uid != xf_sys_user())
        return XF_PART_CLOSED;
    if (xf_sys_lock(fd) < 0)
        return errno == EWOULDBLOCK ? XF_PART_BUSY : XF_PART_CLOSED;
    /* Once more: what was written until it was ours counts too. */
    if (xf_sys_fstat(fd, st) < 0)
        return XF_PART_CLOSED;
    return xf_part_is_at(dir, name, st) ? XF_PART_OURS : XF_PART_BUSY;
}

enum xf_part_state xf_part_take(int dir, const char *name, bool write, int *fd,
                                struct stat *st)
{
    enum xf_part_state state;
    /* A FIFO in its place must not make us wait. */
    int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

    *fd = xf_sys_openat(dir, name, flags | (write ? O_RDWR : O_RDONLY), 0);
    if (*fd < 0 && errno == ENOENT)
        return XF_PART_ABSENT;
    if (*fd < 0)
        return errno == ELOOP || errno == EISDIR || errno == ENXIO
                   ? XF_PART_ODD
                   : XF_PART_CLOSED;
    state = hold(dir, name, *fd, st);
    if (state != XF_PART_OURS) {
        xf_sys_close(*fd);
        *fd = -1;
    }
    return state;
}
