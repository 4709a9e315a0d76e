/*
 * The calls behind the seam: gate first, then the call itself, again after
 * EINTR. What their results mean is decided by who calls.
 */
#include "base/sys.h"

#include <linux/sockios.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

static xf_sys_gate *the_gate;
static void *the_ctx;

void xf_sys_set_gate(xf_sys_gate *gate, void *ctx)
{
    the_gate = gate;
    the_ctx = ctx;
}

/* Whether the gate wants this call to fail; errno is set then. */
static bool refused(enum xf_sys_call call)
{
    int err = the_gate ? the_gate(call, the_ctx) : 0;

    if (err != 0)
        errno = err;
    return err != 0;
}

#define AGAIN(result, call)                                                    \
    do {                                                                       \
        (result) = (call);                                                     \
    } while ((result) < 0 && errno == EINTR)

/* --- memory, time, chance ------------------------------------------------ */

void *xf_sys_alloc(size_t size)
{
    if (refused(XF_SYS_ALLOC))
        return NULL;
    return calloc(1, size > 0 ? size : 1);
}

void *xf_sys_resize(void *p, size_t size)
{
    if (refused(XF_SYS_ALLOC))
        return NULL;
    return realloc(p, size > 0 ? size : 1);
}

void xf_sys_free(void *p)
{
    free(p);
}

char *xf_sys_strdup(const char *text)
{
    return xf_sys_strndup(text, strlen(text));
}

char *xf_sys_strndup(const char *text, size_t len)
{
    size_t used = strnlen(text, len);
    char *copy = xf_sys_alloc(used + 1);

    if (copy)
        memcpy(copy, text, used);
    return copy;
}

char *xf_sys_copy(const void *bytes, size_t len)
{
    char *copy = refused(XF_SYS_ALLOC) ? NULL : malloc(len + 1);

    if (copy) {
        memcpy(copy, bytes, len);
        copy[len] = '\0';
    }
    return copy;
}

/* These two cannot fail: the gate sees them, its answer changes nothing. */
static struct timespec now(clockid_t clock)
{
    struct timespec t = { 0, 0 };

    (void)refused(XF_SYS_CLOCK);
    (void)clock_gettime(clock, &t);
    return t;
}

int64_t xf_sys_now_ms(void)
{
    struct timespec t = now(CLOCK_MONOTONIC);

    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t xf_sys_wall(void)
{
    return now(CLOCK_REALTIME).tv_sec;
}

int xf_sys_random(void *out, size_t len)
{
    unsigned char *next = out;
    ssize_t got;

    if (refused(XF_SYS_RANDOM))
        return -1;
    while (len > 0) {
        AGAIN(got, getrandom(next, len, 0));
        if (got < 0)
            return -1;
        next += got;
        len -= (size_t)got;
    }
    return 0;
}

/* --- files --------------------------------------------------------------- */

int xf_sys_openat(int dir, const char *path, int flags, mode_t mode)
{
    int fd;

    if (refused(XF_SYS_OPEN))
        return -1;
    AGAIN(fd, openat(dir, path, flags, mode));
    return fd;
}

/*
 * Linux lets go of the descriptor whatever close() returns, so it is never
 * called twice, and a failure the gate asks for does not leak it either.
 */
int xf_sys_close(int fd)
{
    int err = the_gate ? the_gate(XF_SYS_CLOSE, the_ctx) : 0;
    int result = close(fd);

    if (err == 0)
        return result;
    errno = err;
    return -1;
}

int xf_sys_dup(int fd)
{
    int copy;

    if (refused(XF_SYS_OPEN))
        return -1;
    AGAIN(copy, fcntl(fd, F_DUPFD_CLOEXEC, 0));
    return copy;
}

ssize_t xf_sys_read(int fd, void *buf, size_t len)
{
    ssize_t n;

    if (refused(XF_SYS_READ))
        return -1;
    AGAIN(n, read(fd, buf, len));
    return n;
}

/* An offset above INT64_MAX turns negative here, which is EINVAL there. */
ssize_t xf_sys_pread(int fd, void *buf, size_t len, uint64_t offset)
{
    ssize_t n;

    if (refused(XF_SYS_READ))
        return -1;
    AGAIN(n, pread(fd, buf, len, (off_t)offset));
    return n;
}

ssize_t xf_sys_write(int fd, const void *buf, size_t len)
{
    ssize_t n;

    if (refused(XF_SYS_WRITE))
        return -1;
    AGAIN(n, write(fd, buf, len));
    return n;
}

ssize_t xf_sys_pwrite(int fd, const void *buf, size_t len, uint64_t offset)
{
    ssize_t n;

    if (refused(XF_SYS_WRITE))
        return -1;
    AGAIN(n, pwrite(fd, buf, len, (off_t)offset));
    return n;
}

int xf_sys_fstat(int fd, struct stat *st)
{
    int result;

    if (refused(XF_SYS_STAT))
        return -1;
    AGAIN(result, fstat(fd, st));
    return result;
}

int xf_sys_fstatat(int dir, const char *path, struct stat *st, int flags)
{
    int result;

    if (refused(XF_SYS_STAT))
        return -1;
    AGAIN(result, fstatat(dir, path, st, flags));
    return result;
}

int xf_sys_fstatvfs(int fd, struct statvfs *st)
{
    int result;

    if (refused(XF_SYS_STAT))
        return -1;
    AGAIN(result, fstatvfs(fd, st));
    return result;
}

int xf_sys_fdatasync(int fd)
{
    int result;

    if (refused(XF_SYS_SYNC))
        return -1;
    AGAIN(result, fdatasync(fd));
    return result;
}

int xf_sys_fsync(int fd)
{
    int result;

    if (refused(XF_SYS_SYNC))
        return -1;
    AGAIN(result, fsync(fd));
    return result;
}

int xf_sys_ftruncate(int fd, uint64_t size)
{
    int result;

    if (refused(XF_SYS_ALLOCATE))
        return -1;
    AGAIN(result, ftruncate(fd, (off_t)size));
    return result;
}

int xf_sys_allocate(int fd, uint64_t offset, uint64_t len)
{
    int result;

    if (refused(XF_SYS_ALLOCATE))
        return -1;
    AGAIN(result,
          fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len));
    return result;
}

int xf_sys_linkat(int from_dir, const char *from, int to_dir, const char *to)
{
    int result;

    if (refused(XF_SYS_LINK))
        return -1;
    AGAIN(result, linkat(from_dir, from, to_dir, to, 0));
    return result;
}

int xf_sys_unlinkat(int dir, const char *path)
{
    int result;

    if (refused(XF_SYS_UNLINK))
        return -1;
    AGAIN(result, unlinkat(dir, path, 0));
    return result;
}

int xf_sys_renameat(int dir, const char *from, const char *to, int replace)
{
    unsigned flags = replace ? 0 : RENAME_NOREPLACE;
    int result;

    if (refused(XF_SYS_RENAME))
        return -1;
    AGAIN(result, renameat2(dir, from, dir, to, flags));
    return result;
}

int xf_sys_lock(int fd)
{
    int result;

    if (refused(XF_SYS_LOCK))
        return -1;
    AGAIN(result, flock(fd, LOCK_EX | LOCK_NB));
    return result;
}

uid_t xf_sys_user(void)
{
    return geteuid();
}

/* A list is a DIR; its own open description, since a place in it is kept. */
struct xf_sys_list *xf_sys_list_open(int dir)
{
    DIR *list;
    int fd, err;

    if (refused(XF_SYS_LIST))
        return NULL;
    AGAIN(fd, openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd < 0)
        return NULL;
    list = fdopendir(fd);
    if (!list) {
        err = errno;
        close(fd);
        errno = err;
    }
    return (struct xf_sys_list *)list;
}

const char *xf_sys_list_next(struct xf_sys_list *list)
{
    const struct dirent *entry;

    if (refused(XF_SYS_LIST))
        return NULL;
    do {
        errno = 0;
        entry = readdir((DIR *)list);
    } while (entry && (strcmp(entry->d_name, ".") == 0 ||
                       strcmp(entry->d_name, "..") == 0));
    return entry ? entry->d_name : NULL;
}

void xf_sys_list_close(struct xf_sys_list *list)
{
    if (list)
        (void)closedir((DIR *)list);
}

/* --- sockets ------------------------------------------------------------- */

int xf_sys_socket(int domain, int type)
{
    int fd;

    if (refused(XF_SYS_SOCKET))
        return -1;
    AGAIN(fd, socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    return fd;
}

/*
 * Not called again after EINTR: the attempt goes on without us, and a second
 * call would say EALREADY.
 */
int xf_sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    int result;

    if (refused(XF_SYS_CONNECT))
        return -1;
    result = connect(fd, addr, len);
    if (result < 0 && errno == EINTR)
        errno = EINPROGRESS;
    return result;
}

int xf_sys_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
    int result;

    if (refused(XF_SYS_BIND))
        return -1;
    AGAIN(result, bind(fd, addr, len));
    return result;
}

int xf_sys_listen(int fd, int backlog)
{
    int result;

    if (refused(XF_SYS_LISTEN))
        return -1;
    AGAIN(result, listen(fd, backlog));
    return result;
}

int xf_sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    int result;

    if (refused(XF_SYS_ACCEPT))
        return -1;
    AGAIN(result, accept4(fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC));
    return result;
}

ssize_t xf_sys_recv(int fd, void *buf, size_t len, int flags)
{
    ssize_t n;

    if (refused(XF_SYS_RECV))
        return -1;
    AGAIN(n, recv(fd, buf, len, flags));
    return n;
}

ssize_t xf_sys_send(int fd, const void *buf, size_t len)
{
    ssize_t n;

    if (refused(XF_SYS_SEND))
        return -1;
    AGAIN(n, send(fd, buf, len, MSG_NOSIGNAL));
    return n;
}

/*
 * Block SIGPIPE in this thread. One that is raised from now on is ours to
 * take when none was waiting before; a signal that was not blocked cannot
 * have been waiting.
 */
void xf_sys_hold_sigpipe(struct xf_sys_sigpipe *held)
{
    sigset_t sigpipe, waiting;

    held->raised = false;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    if (pthread_sigmask(SIG_BLOCK, &sigpipe, &held->before) != 0) {
        held->before = sigpipe; /* nothing changed, nothing to take back */
        held->ours = false;
        return;
    }
    held->ours = !sigismember(&held->before, SIGPIPE) ||
                 (sigpending(&waiting) == 0 && !sigismember(&waiting, SIGPIPE));
}

void xf_sys_release_sigpipe(struct xf_sys_sigpipe *held)
{
    const struct timespec at_once = { 0, 0 };
    sigset_t sigpipe;
    int got;

    if (held->ours && held->raised) {
        sigemptyset(&sigpipe);
        sigaddset(&sigpipe, SIGPIPE);
        AGAIN(got, sigtimedwait(&sigpipe, NULL, &at_once));
    }
    if (!sigismember(&held->before, SIGPIPE))
        (void)pthread_sigmask(SIG_SETMASK, &held->before, NULL);
}

bool xf_sys_is_broken(int err)
{
    switch (err) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ESHUTDOWN:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ENETRESET:
        return true;
    default:
        return false;
    }
}

bool xf_sys_ignores_sigpipe(void)
{
    struct sigaction now;

    return sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

/* The signal comes with a short count too, when a part had gone before. */
static void note_sigpipe(struct xf_sys_sigpipe *held, ssize_t n, size_t len)
{
    if (n < 0 ? errno == EPIPE : (size_t)n < len)
        held->raised = true;
}

ssize_t xf_sys_sendfile(int out, int in, uint64_t offset, size_t len)
{
    struct xf_sys_sigpipe held;
    off_t from = (off_t)offset;
    ssize_t n;
    int err;

    if (refused(XF_SYS_SENDFILE))
        return -1;
    xf_sys_hold_sigpipe(&held);
    AGAIN(n, sendfile(out, in, &from, len));
    err = errno;
    note_sigpipe(&held, n, len);
    xf_sys_release_sigpipe(&held);
    errno = err;
    return n;
}

int xf_sys_shutdown(int fd, int how)
{
    int result;

    if (refused(XF_SYS_SHUTDOWN))
        return -1;
    AGAIN(result, shutdown(fd, how));
    return result;
}

int xf_sys_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t len)
{
    int result;

    if (refused(XF_SYS_SOCKOPT))
        return -1;
    AGAIN(result, setsockopt(fd, level, name, value, len));
    return result;
}

int xf_sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    int result;

    if (refused(XF_SYS_SOCKOPT))
        return -1;
    AGAIN(result, getsockopt(fd, level, name, value, len));
    return result;
}

int xf_sys_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    int result;

    if (refused(XF_SYS_SOCKOPT))
        return -1;
    AGAIN(result, getsockname(fd, addr, len));
    return result;
}

int xf_sys_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    int result;

    if (refused(XF_SYS_SOCKOPT))
        return -1;
    AGAIN(result, getpeername(fd, addr, len));
    return result;
}

int xf_sys_unsent(int fd, size_t *bytes)
{
    int queued = 0;

    if (refused(XF_SYS_SOCKOPT) || ioctl(fd, SIOCOUTQ, &queued) < 0)
        return -1;
    *bytes = queued > 0 ? (size_t)queued : 0;
    return 0;
}

void xf_sys_will_read(int fd, uint64_t offset, size_t len)
{
    (void)posix_fadvise(fd, (off_t)offset, (off_t)len, POSIX_FADV_WILLNEED);
}

int xf_sys_tame(int fd)
{
    int flags;

    if (refused(XF_SYS_SOCKOPT))
        return -1;
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

ssize_t xf_sys_drop(int fd, size_t len)
{
    ssize_t n;

    if (refused(XF_SYS_RECV))
        return -1;
    AGAIN(n, recv(fd, NULL, len, MSG_TRUNC | MSG_DONTWAIT));
    return n;
}

/* --- pipes --------------------------------------------------------------- */

int xf_sys_pipe(int ends[2], size_t size)
{
    int err;

    if (refused(XF_SYS_PIPE) || pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    if (fcntl(ends[1], F_SETPIPE_SZ, (int)size) >= (int)size)
        return 0;
    err = errno;
    close(ends[0]);
    close(ends[1]);
    errno = err;
    return -1;
}

ssize_t xf_sys_splice(int in, int out, size_t len, struct xf_sys_sigpipe *held)
{
    ssize_t n;

    if (refused(XF_SYS_SPLICE))
        return -1;
    AGAIN(n,
          splice(in, NULL, out, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    if (held)
        note_sigpipe(held, n, len);
    return n;
}

/* --- readiness ----------------------------------------------------------- */

int xf_sys_epoll_new(void)
{
    if (refused(XF_SYS_EPOLL))
        return -1;
    return epoll_create1(EPOLL_CLOEXEC);
}

int xf_sys_epoll_add(int epoll, int fd, uint32_t events, void *data)
{
    struct epoll_event event = { .events = events, .data.ptr = data };

    if (refused(XF_SYS_EPOLL))
        return -1;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Like a close: it happens whatever the gate says, or a freed address would
 * stay in the kernel's hands. */
int xf_sys_epoll_remove(int epoll, int fd)
{
    (void)refused(XF_SYS_EPOLL);
    return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
}

/* How long is left after EINTR only the caller knows. */
int xf_sys_epoll_wait(int epoll, struct epoll_event *events, int max, int ms)
{
    if (refused(XF_SYS_EPOLL))
        return -1;
    return epoll_wait(epoll, events, max, ms);
}
