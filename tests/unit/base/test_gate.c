/* The gate before the calls: each asks it once and fails as it is told. */
#include "base/sys.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[] = "/tmp/xf-test-gate-XXXXXX";
static int dir = -1;

static int open_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return dir < 0 ? -1 : 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = { "a", "b", "c" };

    (void)state;
    for (size_t i = 0; i < 3; i++)
        (void)unlinkat(dir, names[i], 0);
    close(dir);
    return rmdir(folder);
}

/* Lets calls pass, counts them by kind, and fails number `fail_at`. */
struct counter {
    int seen[XF_SYS_CALLS];
    int total, fail_at, err;
};

static int count(enum xf_sys_call call, void *ctx)
{
    struct counter *c = ctx;

    c->seen[call]++;
    return ++c->total == c->fail_at ? c->err : 0;
}

/* Every descriptor and address here is good for nothing: nothing happens. */
static char byte;
static struct stat st;
static struct statvfs vfs;

#define CALL(name, failed)                                                     \
    static bool name(void)                                                     \
    {                                                                          \
        return (failed);                                                       \
    }

/* clang-format off */
CALL(call_alloc, xf_sys_alloc(1) == NULL)
CALL(call_resize, xf_sys_resize(NULL, 1) == NULL)
CALL(call_strdup, xf_sys_strdup("x") == NULL)
CALL(call_strndup, xf_sys_strndup("x", 1) == NULL)
CALL(call_random, xf_sys_random(&byte, 1) == -1)
CALL(call_openat, xf_sys_openat(dir, ".", O_RDONLY | O_CLOEXEC, 0) == -1)
CALL(call_dup, xf_sys_dup(dir) == -1)
CALL(call_read, xf_sys_read(-1, &byte, 1) == -1)
CALL(call_pread, xf_sys_pread(-1, &byte, 1, 0) == -1)
CALL(call_write, xf_sys_write(-1, "x", 1) == -1)
CALL(call_pwrite, xf_sys_pwrite(-1, "x", 1, 0) == -1)
CALL(call_fstat, xf_sys_fstat(dir, &st) == -1)
CALL(call_fstatat, xf_sys_fstatat(dir, ".", &st, 0) == -1)
CALL(call_fstatvfs, xf_sys_fstatvfs(dir, &vfs) == -1)
CALL(call_fdatasync, xf_sys_fdatasync(dir) == -1)
CALL(call_fsync, xf_sys_fsync(dir) == -1)
CALL(call_ftruncate, xf_sys_ftruncate(-1, 0) == -1)
CALL(call_allocate, xf_sys_allocate(-1, 0, 1) == -1)
CALL(call_linkat, xf_sys_linkat(dir, "none", dir, "other") == -1)
CALL(call_unlinkat, xf_sys_unlinkat(dir, "none") == -1)
CALL(call_renameat, xf_sys_renameat(dir, "none", "other", 0) == -1)
CALL(call_lock, xf_sys_lock(dir) == -1)
CALL(call_list, xf_sys_list_open(dir) == NULL)
CALL(call_list_next, xf_sys_list_next(NULL) == NULL)
CALL(call_socket, xf_sys_socket(AF_UNIX, SOCK_STREAM) == -1)
CALL(call_connect, xf_sys_connect(-1, NULL, 0) == -1)
CALL(call_bind, xf_sys_bind(-1, NULL, 0) == -1)
CALL(call_listen, xf_sys_listen(-1, 1) == -1)
CALL(call_accept, xf_sys_accept(-1, NULL, NULL) == -1)
CALL(call_recv, xf_sys_recv(-1, &byte, 1, 0) == -1)
CALL(call_send, xf_sys_send(-1, "x", 1) == -1)
CALL(call_sendfile, xf_sys_sendfile(-1, -1, 0, 1) == -1)
CALL(call_shutdown, xf_sys_shutdown(-1, SHUT_RDWR) == -1)
CALL(call_setsockopt,
     xf_sys_setsockopt(-1, SOL_SOCKET, SO_REUSEADDR, NULL, 0) == -1)
CALL(call_getsockopt,
     xf_sys_getsockopt(-1, SOL_SOCKET, SO_ERROR, NULL, NULL) == -1)
CALL(call_getsockname, xf_sys_getsockname(-1, NULL, NULL) == -1)
CALL(call_getpeername, xf_sys_getpeername(-1, NULL, NULL) == -1)
CALL(call_tame, xf_sys_tame(-1) == -1)
CALL(call_drop, xf_sys_drop(-1, 1) == -1)
CALL(call_pipe, xf_sys_pipe(NULL, 1) == -1)
CALL(call_splice, xf_sys_splice(-1, -1, 1, NULL) == -1)
CALL(call_epoll_new, xf_sys_epoll_new() == -1)
CALL(call_epoll_add, xf_sys_epoll_add(-1, -1, 0, NULL) == -1)
CALL(call_epoll_wait, xf_sys_epoll_wait(-1, NULL, 1, 0) == -1)
/* clang-format on */

static const struct {
    bool (*failed)(void);
    enum xf_sys_call kind;
} calls[] = {
    { call_alloc, XF_SYS_ALLOC },
    { call_resize, XF_SYS_ALLOC },
    { call_strdup, XF_SYS_ALLOC },
    { call_strndup, XF_SYS_ALLOC },
    { call_random, XF_SYS_RANDOM },
    { call_openat, XF_SYS_OPEN },
    { call_dup, XF_SYS_OPEN },
    { call_read, XF_SYS_READ },
    { call_pread, XF_SYS_READ },
    { call_write, XF_SYS_WRITE },
    { call_pwrite, XF_SYS_WRITE },
    { call_fstat, XF_SYS_STAT },
    { call_fstatat, XF_SYS_STAT },
    { call_fstatvfs, XF_SYS_STAT },
    { call_fdatasync, XF_SYS_SYNC },
    { call_fsync, XF_SYS_SYNC },
    { call_ftruncate, XF_SYS_ALLOCATE },
    { call_allocate, XF_SYS_ALLOCATE },
    { call_linkat, XF_SYS_LINK },
    { call_unlinkat, XF_SYS_UNLINK },
    { call_renameat, XF_SYS_RENAME },
    { call_lock, XF_SYS_LOCK },
    { call_list, XF_SYS_LIST },
    { call_list_next, XF_SYS_LIST },
    { call_socket, XF_SYS_SOCKET },
    { call_connect, XF_SYS_CONNECT },
    { call_bind, XF_SYS_BIND },
    { call_listen, XF_SYS_LISTEN },
    { call_accept, XF_SYS_ACCEPT },
    { call_recv, XF_SYS_RECV },
    { call_send, XF_SYS_SEND },
    { call_sendfile, XF_SYS_SENDFILE },
    { call_shutdown, XF_SYS_SHUTDOWN },
    { call_setsockopt, XF_SYS_SOCKOPT },
    { call_getsockopt, XF_SYS_SOCKOPT },
    { call_getsockname, XF_SYS_SOCKOPT },
    { call_getpeername, XF_SYS_SOCKOPT },
    { call_tame, XF_SYS_SOCKOPT },
    { call_drop, XF_SYS_RECV },
    { call_pipe, XF_SYS_PIPE },
    { call_splice, XF_SYS_SPLICE },
    { call_epoll_new, XF_SYS_EPOLL },
    { call_epoll_add, XF_SYS_EPOLL },
    { call_epoll_wait, XF_SYS_EPOLL },
};
#define CALLS (sizeof calls / sizeof calls[0])

/* EOWNERDEAD: an errno none of them would give by itself. */
static void every_call_asks_once_and_fails_as_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < CALLS; i++) {
        struct counter c = { .fail_at = 1, .err = EOWNERDEAD };
        bool failed;
        int err;

        errno = 0;
        xf_sys_set_gate(count, &c);
        failed = calls[i].failed();
        err = errno;
        xf_sys_set_gate(NULL, NULL);
        assert_true(failed);
        assert_int_equal(err, EOWNERDEAD);
        assert_int_equal(c.total, 1);
        assert_int_equal(c.seen[calls[i].kind], 1);
    }
}

/* A small errand of several kinds; true when all of it went well. */
static bool errand(void)
{
    char *name = xf_sys_strdup("a");
    bool done = false;
    int fd = -1;

    if (!name)
        return false;
    fd = xf_sys_openat(dir, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && xf_sys_write(fd, "x", 1) == 1 && xf_sys_fsync(fd) == 0)
        done = xf_sys_linkat(dir, name, dir, "b") == 0 &&
               xf_sys_unlinkat(dir, "b") == 0;
    if (fd >= 0 && xf_sys_close(fd) != 0)
        done = false;
    xf_sys_free(name);
    return done;
}

static void any_one_of_many_calls_can_be_made_to_fail(void **state)
{
    struct counter c = { .err = EIO };
    int total;

    (void)state;
    xf_sys_set_gate(count, &c);
    assert_true(errand());
    total = c.total;
    assert_int_equal(total, 7);
    for (int n = 1; n <= total; n++) {
        c = (struct counter){ .fail_at = n, .err = EIO };
        assert_false(errand());
        assert_true(c.total >= n);
        (void)unlinkat(dir, "b", 0);
    }
    c = (struct counter){ .fail_at = total + 1, .err = EIO };
    assert_true(errand());
    xf_sys_set_gate(NULL, NULL);
}

static void clocks_are_seen_and_go_on(void **state)
{
    struct counter c = { .fail_at = 1, .err = EIO };
    struct timespec t;
    int64_t first, second;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &t);
    xf_sys_set_gate(count, &c);
    first = xf_sys_now_ms();
    c.fail_at = 2;
    assert_true(llabs(xf_sys_wall() - (int64_t)time(NULL)) <= 1);
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(c.seen[XF_SYS_CLOCK], 2);
    second = xf_sys_now_ms();
    assert_true(first >= (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
    assert_true(second >= first && second < first + 60000);
}

static void a_close_that_is_to_fail_closes_all_the_same(void **state)
{
    struct counter c = { .fail_at = 1, .err = EIO };
    int fd = dup(dir);

    (void)state;
    assert_true(fd >= 0);
    xf_sys_set_gate(count, &c);
    assert_int_equal(xf_sys_close(fd), -1);
    assert_int_equal(errno, EIO);
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(c.seen[XF_SYS_CLOSE], 1);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(xf_sys_close(fd), -1);
    assert_int_equal(errno, EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_asks_once_and_fails_as_told),
        cmocka_unit_test(any_one_of_many_calls_can_be_made_to_fail),
        cmocka_unit_test(clocks_are_seen_and_go_on),
        cmocka_unit_test(a_close_that_is_to_fail_closes_all_the_same),
    };

    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
