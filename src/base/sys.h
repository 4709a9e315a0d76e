/*
 * The one seam to the system: every file, socket, allocation, clock and
 * random call of ours goes through here, so that a test can make call N fail
 * or be the last one.
 *
 * The table is one for the process, like the allocator hooks of the libraries
 * beside us: a pointer carried through every structure would be paid for by
 * all and used by tests alone. Results and errno are those of the calls of
 * the same name; the file and socket calls are restarted on EINTR.
 */
#ifndef XF_BASE_SYS_H
#define XF_BASE_SYS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>

/* What a call is, for a test that counts or picks them. */
enum xf_sys_call {
    XF_SYS_ALLOC,
    XF_SYS_CLOCK,
    XF_SYS_RANDOM,
    XF_SYS_OPEN,
    XF_SYS_CLOSE,
    XF_SYS_READ,
    XF_SYS_WRITE,
    XF_SYS_STAT,
    XF_SYS_SYNC,
    XF_SYS_LINK,
    XF_SYS_UNLINK,
    XF_SYS_RENAME,
    XF_SYS_ALLOCATE,
    XF_SYS_LOCK,
    XF_SYS_LIST,
    XF_SYS_SOCKET,
    XF_SYS_CONNECT,
    XF_SYS_BIND,
    XF_SYS_LISTEN,
    XF_SYS_ACCEPT,
    XF_SYS_RECV,
    XF_SYS_SEND,
    XF_SYS_SENDFILE,
    XF_SYS_SHUTDOWN,
    XF_SYS_SOCKOPT,
    XF_SYS_PIPE,
    XF_SYS_SPLICE,
    XF_SYS_EPOLL,
    XF_SYS_CALLS
};

/*
 * Asked before each call. Returns 0 to let it happen, or the errno it is to
 * fail with. The clocks cannot fail and happen anyway; a descriptor is closed
 * anyway. Never set outside tests, nor while threads run.
 */
typedef int xf_sys_gate(enum xf_sys_call call, void *ctx);

/* NULL takes the gate away. */
void xf_sys_set_gate(xf_sys_gate *gate, void *ctx);

/* Memory. alloc gives zeroes; resize does not; free takes NULL. */
void *xf_sys_alloc(size_t size);
void *xf_sys_resize(void *p, size_t size);
void xf_sys_free(void *p);
char *xf_sys_strdup(const char *text);
char *xf_sys_strndup(const char *text, size_t len);
/* All of it, whatever is in it, and a NUL behind. */
char *xf_sys_copy(const void *bytes, size_t len);

/* Monotonic, in milliseconds; and the wall clock in seconds. */
int64_t xf_sys_now_ms(void);
int64_t xf_sys_wall(void);

/* Fills `out` from the kernel. Returns 0, or -1 (errno) when it cannot. */
int xf_sys_random(void *out, size_t len);

int xf_sys_openat(int dir, const char *path, int flags, mode_t mode);
int xf_sys_close(int fd);
int xf_sys_dup(int fd); /* close-on-exec */
ssize_t xf_sys_read(int fd, void *buf, size_t len);
ssize_t xf_sys_pread(int fd, void *buf, size_t len, uint64_t offset);
ssize_t xf_sys_write(int fd, const void *buf, size_t len);
ssize_t xf_sys_pwrite(int fd, const void *buf, size_t len, uint64_t offset);
int xf_sys_fstat(int fd, struct stat *st);
int xf_sys_fstatat(int dir, const char *path, struct stat *st, int flags);
int xf_sys_fstatvfs(int fd, struct statvfs *st);
int xf_sys_fdatasync(int fd);
int xf_sys_fsync(int fd);
int xf_sys_ftruncate(int fd, uint64_t size);
/* fallocate(2); the file's length stays what was written */
int xf_sys_allocate(int fd, uint64_t offset, uint64_t len);
/* A hint, to have the kernel fetch it. */
void xf_sys_will_read(int fd, uint64_t offset, size_t len);
int xf_sys_linkat(int from_dir, const char *from, int to_dir, const char *to);
int xf_sys_unlinkat(int dir, const char *path);
/* rename, failing with EEXIST when the target exists and !replace */
int xf_sys_renameat(int dir, const char *from, const char *to, int replace);
/* flock(2), exclusive; does not wait, EWOULDBLOCK. Released by the close. */
int xf_sys_lock(int fd);
uid_t xf_sys_user(void); /* the effective one; never fails */

/*
 * The names in a directory, "." and ".." left out. `dir` stays as it is. A
 * name lives until the next call; NULL is the end, with errno 0, or an error.
 */
struct xf_sys_list;
struct xf_sys_list *xf_sys_list_open(int dir); /* NULL: errno */
const char *xf_sys_list_next(struct xf_sys_list *list);
void xf_sys_list_close(struct xf_sys_list *list); /* NULL is fine */

/* Sockets; made non-blocking and close-on-exec. */
int xf_sys_socket(int domain, int type);
int xf_sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
int xf_sys_bind(int fd, const struct sockaddr *addr, socklen_t len);
int xf_sys_listen(int fd, int backlog);
int xf_sys_accept(int fd, struct sockaddr *addr, socklen_t *len);
ssize_t xf_sys_recv(int fd, void *buf, size_t len, int flags);
ssize_t xf_sys_send(int fd, const void *buf, size_t len); /* no SIGPIPE */
/* sendfile(2); a dead socket gives EPIPE and never SIGPIPE */
ssize_t xf_sys_sendfile(int out, int in, uint64_t offset, size_t len);
int xf_sys_shutdown(int fd, int how);
int xf_sys_setsockopt(int fd, int level, int name, const void *value,
                      socklen_t len);
int xf_sys_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int xf_sys_getsockname(int fd, struct sockaddr *addr, socklen_t *len);
/* Bytes (and the end, as one) that the other side has not acknowledged. */
int xf_sys_unsent(int fd, size_t *bytes);
int xf_sys_getpeername(int fd, struct sockaddr *addr, socklen_t *len);
/* As accept makes them, for a socket that somebody else made. */
int xf_sys_tame(int fd);
/* Throw away what was seen by MSG_PEEK: of a TCP socket, without a copy. */
ssize_t xf_sys_drop(int fd, size_t len);

/* --- pipes --------------------------------------------------------------- */

/*
 * ends[0] is read, ends[1] written; both non-blocking and close-on-exec. Of
 * `size` bytes or more, or EPERM: the user has no more pages for pipes.
 */
int xf_sys_pipe(int ends[2], size_t size);

/*
 * splice(2) raises SIGPIPE where no flag can stop it. Held for many of them,
 * then released: one that came in between is taken, and the host's own mask
 * and disposition stay as they were.
 */
struct xf_sys_sigpipe {
    sigset_t before;
    bool ours, raised;
};
void xf_sys_hold_sigpipe(struct xf_sys_sigpipe *held);
void xf_sys_release_sigpipe(struct xf_sys_sigpipe *held);
/* The host has turned it off, so that need not be. */
bool xf_sys_ignores_sigpipe(void);

/* Is it the errno of a socket that is no more, as against one of a file or of
 * the system? */
bool xf_sys_is_broken(int err);

/* splice(2), never waiting. `held` is told of a signal; NULL: `out` is a pipe
 * of ours, whose other end is open. */
ssize_t xf_sys_splice(int in, int out, size_t len, struct xf_sys_sigpipe *held);

/* --- readiness, of more descriptors than a poll should look at ----------- */

int xf_sys_epoll_new(void);
int xf_sys_epoll_add(int epoll, int fd, uint32_t events, void *data);
int xf_sys_epoll_remove(int epoll, int fd);
/* What is ready within `ms`; -1: when something is. EINTR ends the wait. */
int xf_sys_epoll_wait(int epoll, struct epoll_event *events, int max, int ms);

#endif
