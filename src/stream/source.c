/* A file that is sent: opened, read, watched for changes. */
#include "stream/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sys.h"

struct xf_source {
    int fd;
    uint64_t size;
    struct timespec written; /* when it was opened */
    char *path;
};

/*
 * Looked at before it is opened: opening a device or a pipe does things to
 * it. And again behind the descriptor, for what came in between.
 */
static int open_regular(struct xf_source *source, struct xf_error_info *info)
{
    const char *path = source->path;
    struct stat st;

    if (xf_sys_fstatat(AT_FDCWD, path, &st, 0) < 0)
        goto failed;
    if (!S_ISREG(st.st_mode))
        goto not_regular;
    source->fd = xf_sys_openat(AT_FDCWD, path,
                               O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (source->fd < 0 || xf_sys_fstat(source->fd, &st) < 0)
        goto failed;
    if (!S_ISREG(st.st_mode))
        goto not_regular;
    source->size = (uint64_t)st.st_size;
    source->written = st.st_mtim;
    return 0;

not_regular:
    return xf_err_set(info, XF_E_USAGE, "%s: not a regular file", path);
failed:
    return xf_err_set(info, xf_err_from_errno(errno), "open %s: %m", path);
}

int xf_source_open(struct xf_source **out, const char *path,
                   struct xf_error_info *info)
{
    struct xf_source *source = xf_sys_alloc(sizeof *source);
    int err;

    if (!source)
        return xf_err_set(info, XF_E_LIMIT, "open %s: out of memory", path);
    source->fd = -1;
    source->path = xf_sys_strdup(path);
    if (!source->path)
        err = xf_err_set(info, XF_E_LIMIT, "open %s: out of memory", path);
    else
        err = open_regular(source, info);
    if (err != 0)
        xf_source_close(source);
    else
        *out = source;
    return err;
}

int xf_source_copy(struct xf_source **out, const struct xf_source *source)
{
    struct xf_source *copy = xf_sys_alloc(sizeof *copy);

    if (!copy)
        return XF_E_LIMIT;
    copy->size = source->size;
    copy->written = source->written;
    copy->path = xf_sys_strdup(source->path);
    copy->fd = xf_sys_dup(source->fd);
    if (!copy->path || copy->fd < 0) {
        xf_source_close(copy);
        return XF_E_LIMIT;
    }
    *out = copy;
    return 0;
}

void xf_source_close(struct xf_source *source)
{
    if (!source)
        return;
    if (source->fd >= 0)
        xf_sys_close(source->fd);
    xf_sys_free(source->path);
    xf_sys_free(source);
}

uint64_t xf_source_size(const struct xf_source *source)
{
    return source->size;
}

int xf_source_fd(const struct xf_source *source)
{
    return source->fd;
}

void xf_source_version(const struct xf_source *source,
                       char out[XF_SOURCE_VERSION])
{
    (void)snprintf(out, XF_SOURCE_VERSION, "%" PRId64 ".%09ld",
                   (int64_t)source->written.tv_sec, source->written.tv_nsec);
}

const char *xf_source_path(const struct xf_source *source)
{
    return source->path;
}

const char *xf_source_name(const struct xf_source *source)
{
    const char *slash = strrchr(source->path, '/');

    return slash ? slash + 1 : source->path;
}

ssize_t xf_source_read(const struct xf_source *source, void *buf, size_t len,
                       uint64_t offset, struct xf_error_info *info)
{
    size_t have = 0;

    while (have < len) {
        ssize_t n = xf_sys_pread(source->fd, (char *)buf + have, len - have,
                                 offset + have);

        if (n < 0)
            return -xf_err_set(info, xf_err_from_errno(errno), "read %s: %m",
                               source->path);
        if (n == 0)
            break;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

bool xf_source_changed(const struct xf_source *source)
{
    struct stat st;

    return xf_sys_fstat(source->fd, &st) < 0 ||
           (uint64_t)st.st_size != source->size ||
           st.st_mtim.tv_sec != source->written.tv_sec ||
           st.st_mtim.tv_nsec != source->written.tv_nsec;
}

int xf_source_set_changed(const struct xf_source *source,
                          struct xf_error_info *info)
{
    return xf_err_set(info, XF_E_SRC, "%s changed while being sent",
                      source->path);
}

/* A hint: nothing hangs on its result, so it has no place in base/sys. */
void xf_source_will_read(const struct xf_source *source, uint64_t offset,
                         size_t len)
{
    xf_sys_will_read(source->fd, offset, len);
}
