/* Calls of the C library, made here instead; see the header. */
#include "shim.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <time.h>
#include <unistd.h>

#define HANDSHAKE 300 /* bytes; what is sent in smaller pieces is no file */

struct shim_shared *shim_shared;
bool shim_die_behind;
size_t shim_short;
void (*shim_observer)(const struct shim_deed *deed);
__typeof__(shim_inode) shim_inode;
size_t shim_inodes;

void shim_begin(void)
{
    shim_shared = mmap(NULL, sizeof *shim_shared, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shim_shared == MAP_FAILED)
        abort();
}

/* --- clocks ----------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    long result = syscall(SYS_clock_gettime, clock, ts);
    long long ms;

    if (result != 0 || !shim_shared)
        return (int)result;
    if (clock == CLOCK_REALTIME)
        ts->tv_sec += atomic_load(&shim_shared->wall_s);
    if (clock != CLOCK_MONOTONIC && clock != CLOCK_MONOTONIC_COARSE)
        return 0;
    ms = atomic_load(&shim_shared->ahead_ms);
    ts->tv_sec += ms / 1000;
    ts->tv_nsec += (ms % 1000) * 1000000L;
    if (ts->tv_nsec >= 1000000000L) {
        ts->tv_nsec -= 1000000000L;
        ts->tv_sec++;
    }
    return 0;
}

int64_t shim_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

void shim_leap(int64_t ms)
{
    atomic_fetch_add(&shim_shared->ahead_ms, ms);
}

/* --- helpers ------------------------------------------------------------------ */

static long behind(long result)
{
    if (shim_die_behind)
        (void)syscall(SYS_kill, getpid(), SIGKILL);
    return result;
}

static size_t cut(size_t len)
{
    return shim_short > 0 && len > shim_short ? shim_short : len;
}

static uint64_t real_ino(int fd)
{
    struct stat st;

    return syscall(SYS_fstat, fd, &st) == 0 ? (uint64_t)st.st_ino : 0;
}

static uint64_t real_ino_at(int dir, const char *name)
{
    struct stat st;

    return syscall(SYS_newfstatat, dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0
               ? (uint64_t)st.st_ino
               : 0;
}

static void tell(const struct shim_deed *deed)
{
    int err = errno;

    shim_observer(deed);
    errno = err;
}

static void count(ssize_t n)
{
    if (n > HANDSHAKE && shim_shared)
        atomic_fetch_add(&shim_shared->carried, (unsigned long long)n);
}

/* --- files ---------------------------------------------------------------------- */

int openat(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;
    long fd;

    if (flags & (O_CREAT | O_TMPFILE)) {
        va_start(args, flags);
        mode = va_arg(args, mode_t);
        va_end(args);
    }
    fd = syscall(SYS_openat, dir, path, flags, mode);
    if (fd >= 0 && shim_observer && (flags & O_CREAT))
        tell(&(struct shim_deed){
            .what = SHIM_CREATE, .name = path, .ino = real_ino((int)fd) });
    return (int)behind(fd);
}

ssize_t pread(int fd, void *buf, size_t len, off_t offset)
{
    return behind(syscall(SYS_pread64, fd, buf, cut(len), offset));
}

ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
{
    ssize_t n = syscall(SYS_pwrite64, fd, buf, cut(len), offset);

    if (n > 0 && shim_observer)
        tell(&(struct shim_deed){ .what = SHIM_WRITE,
                                  .ino = real_ino(fd),
                                  .offset = (uint64_t)offset,
                                  .bytes = buf,
                                  .len = (size_t)n });
    return behind(n);
}

int ftruncate(int fd, off_t size)
{
    long result = syscall(SYS_ftruncate, fd, size);

    if (result == 0 && shim_observer)
        tell(&(struct shim_deed){ .what = SHIM_TRUNCATE,
                                  .ino = real_ino(fd),
                                  .offset = (uint64_t)size });
    return (int)behind(result);
}

int fallocate(int fd, int mode, off_t offset, off_t len)
{
    return (int)behind(syscall(SYS_fallocate, fd, mode, offset, len));
}

static int synced(int fd, long result)
{
    if (result == 0 && shim_observer)
        tell(&(struct shim_deed){ .what = SHIM_SYNC, .ino = real_ino(fd) });
    return (int)behind(result);
}

int fsync(int fd)
{
    return synced(fd, syscall(SYS_fsync, fd));
}

int fdatasync(int fd)
{
    return synced(fd, syscall(SYS_fdatasync, fd));
}

int linkat(int from_dir, const char *from, int to_dir, const char *to,
           int flags)
{
    long result = syscall(SYS_linkat, from_dir, from, to_dir, to, flags);

    if (result == 0 && shim_observer)
        tell(&(struct shim_deed){ .what = SHIM_LINK,
                                  .name = from,
                                  .to = to,
                                  .ino = real_ino_at(to_dir, to) });
    return (int)behind(result);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags)
{
    long result = syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);

    if (result == 0 && shim_observer)
        tell(&(struct shim_deed){ .what = SHIM_RENAME,
                                  .name = from,
                                  .to = to,
                                  .ino = real_ino_at(to_dir, to) });
    return (int)behind(result);
}

int unlinkat(int dir, const char *path, int flags)
{
    uint64_t ino = shim_observer ? real_ino_at(dir, path) : 0;
    long result = syscall(SYS_unlinkat, dir, path, flags);

    if (result == 0 && shim_observer)
        tell(&(struct shim_deed){
            .what = SHIM_UNLINK, .name = path, .ino = ino });
    return (int)behind(result);
}

static void pretend(struct stat *st)
{
    for (size_t i = 0; i < shim_inodes; i++) {
        if (st->st_ino == shim_inode[i].real) {
            st->st_ino = shim_inode[i].told;
            return;
        }
    }
}

int fstat(int fd, struct stat *st)
{
    long result = syscall(SYS_fstat, fd, st);

    if (result == 0)
        pretend(st);
    return (int)result;
}

int fstatat(int dir, const char *path, struct stat *st, int flags)
{
    long result = syscall(SYS_newfstatat, dir, path, st, flags);

    if (result == 0)
        pretend(st);
    return (int)result;
}

/* --- sockets ---------------------------------------------------------------------- */

ssize_t recv(int fd, void *buf, size_t len, int flags)
{
    return behind(syscall(SYS_recvfrom, fd, buf, cut(len), flags, NULL, NULL));
}

ssize_t send(int fd, const void *buf, size_t len, int flags)
{
    ssize_t n = syscall(SYS_sendto, fd, buf, cut(len), flags, NULL, 0);

    count(n);
    return behind(n);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t len)
{
    ssize_t n = syscall(SYS_sendfile, to, from, offset, cut(len));

    if (n > 0 && n <= HANDSHAKE)
        atomic_fetch_add(&shim_shared->carried, (unsigned long long)n);
    count(n);
    return behind(n);
}

int connect(int fd, const struct sockaddr *at, socklen_t len)
{
    return (int)behind(syscall(SYS_connect, fd, at, len));
}

int accept4(int fd, struct sockaddr *at, socklen_t *len, int flags)
{
    return (int)behind(syscall(SYS_accept4, fd, at, len, flags));
}

int shutdown(int fd, int how)
{
    return (int)behind(syscall(SYS_shutdown, fd, how));
}
