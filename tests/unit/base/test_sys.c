/* The calls behind the seam do what their header promises. */
#include "base/sys.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

static char folder[] = "/tmp/xf-test-sys-XXXXXX";
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

static int make_file(const char *name, const char *text)
{
    int fd = openat(dir, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    return fd;
}

/* --- memory and chance --------------------------------------------------- */

static void memory_is_zero_and_never_null_for_nothing(void **state)
{
    char *p = xf_sys_alloc(1000), *none = xf_sys_alloc(0);

    (void)state;
    assert_non_null(none);
    xf_sys_free(none);
    assert_non_null(p);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    memset(p, 'x', 1000);
    p = xf_sys_resize(p, 5000);
    assert_non_null(p);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(p[i], 'x');
    p = xf_sys_resize(p, 0);
    assert_non_null(p);
    xf_sys_free(p);
    xf_sys_free(NULL);
}

static void text_is_copied_up_to_its_end(void **state)
{
    const char open_end[3] = { 'a', 'b', 'c' };
    char *copy = xf_sys_strdup("text");

    (void)state;
    assert_string_equal(copy, "text");
    xf_sys_free(copy);
    copy = xf_sys_strndup(open_end, 3);
    assert_string_equal(copy, "abc");
    xf_sys_free(copy);
    copy = xf_sys_strndup("text", 2);
    assert_string_equal(copy, "te");
    xf_sys_free(copy);
    copy = xf_sys_strndup("text", 200);
    assert_string_equal(copy, "text");
    xf_sys_free(copy);
}

/* More than 256 bytes, which the kernel may hand out in pieces. */
static void random_bytes_fill_all_of_it(void **state)
{
    static uint8_t bytes[3][70000];
    size_t zero_runs = 0;

    (void)state;
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(xf_sys_random(bytes[i], sizeof bytes[i]), 0);
    assert_memory_not_equal(bytes[0], bytes[1], sizeof bytes[0]);
    for (size_t at = 0; at + 16 <= sizeof bytes[0]; at += 16)
        zero_runs += memcmp(bytes[0] + at, bytes[2], 16) == 0;
    assert_int_equal(zero_runs, 0);
    assert_int_equal(xf_sys_random(bytes[0], 0), 0);
}

/* --- files --------------------------------------------------------------- */

static void bytes_are_where_they_were_put(void **state)
{
    int fd = xf_sys_openat(dir, "a", O_RDWR | O_CREAT | O_TRUNC, 0600);
    char text[16] = "";
    struct stat st, same;
    struct statvfs vfs;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(xf_sys_pwrite(fd, "world", 5, 6), 5);
    assert_int_equal(xf_sys_write(fd, "hello ", 6), 6);
    assert_int_equal(xf_sys_read(fd, text, 15), 5);
    assert_string_equal(text, "world");
    assert_int_equal(xf_sys_pread(fd, text, 15, 0), 11);
    assert_string_equal(text, "hello world");
    assert_int_equal(xf_sys_ftruncate(fd, 4), 0);
    assert_int_equal(xf_sys_fdatasync(fd), 0);
    assert_int_equal(xf_sys_fsync(fd), 0);
    assert_int_equal(xf_sys_fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(xf_sys_fstatat(dir, "a", &same, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(st.st_ino == same.st_ino);
    assert_int_equal(xf_sys_fstatvfs(dir, &vfs), 0);
    assert_true(vfs.f_bsize > 0);
    if (xf_sys_allocate(fd, 0, 5000) == 0) {
        assert_int_equal(xf_sys_fstat(fd, &st), 0);
        assert_int_equal(st.st_size, 4); /* reserved, not written */
    } else {
        assert_int_equal(errno, EOPNOTSUPP);
    }
    assert_int_equal(xf_sys_close(fd), 0);
}

static void an_offset_beyond_any_file_is_an_error(void **state)
{
    int fd = make_file("a", "text");
    char c;

    (void)state;
    assert_int_equal(xf_sys_pread(fd, &c, 1, UINT64_MAX), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xf_sys_pwrite(fd, &c, 1, (uint64_t)INT64_MAX + 1), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(xf_sys_ftruncate(fd, UINT64_MAX), -1);
    assert_int_equal(errno, EINVAL);
    close(fd);
}

static void rename_replaces_only_when_told(void **state)
{
    struct stat st;

    (void)state;
    close(make_file("a", "new"));
    close(make_file("b", "older"));
    assert_int_equal(xf_sys_renameat(dir, "a", "b", 0), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(fstatat(dir, "b", &st, 0), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(xf_sys_renameat(dir, "a", "b", 1), 0);
    assert_int_equal(fstatat(dir, "b", &st, 0), 0);
    assert_int_equal(st.st_size, 3);
    assert_int_equal(fstatat(dir, "a", &st, 0), -1);
    assert_int_equal(xf_sys_renameat(dir, "b", "c", 0), 0);
    assert_int_equal(fstatat(dir, "c", &st, 0), 0);
}

static void link_never_replaces(void **state)
{
    (void)state;
    close(make_file("a", "new"));
    close(make_file("b", "older"));
    assert_int_equal(xf_sys_linkat(dir, "a", dir, "b"), -1);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(xf_sys_unlinkat(dir, "b"), 0);
    assert_int_equal(xf_sys_linkat(dir, "a", dir, "b"), 0);
    assert_int_equal(xf_sys_unlinkat(dir, "b"), 0);
    assert_int_equal(xf_sys_unlinkat(dir, "b"), -1);
    assert_int_equal(errno, ENOENT);
}

/* --- sockets ------------------------------------------------------------- */

static void assert_never_waits_nor_inherits(int fd)
{
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void a_connection_is_made_and_carries_bytes(void **state)
{
    struct sockaddr_in addr = { .sin_family = AF_INET }, peer;
    socklen_t len = sizeof addr;
    int listener = xf_sys_socket(AF_INET, SOCK_STREAM);
    int client = xf_sys_socket(AF_INET, SOCK_STREAM), server, one = 1;
    char text[8] = "";

    (void)state;
    assert_never_waits_nor_inherits(listener);
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(
        xf_sys_setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one),
        0);
    assert_int_equal(xf_sys_bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(xf_sys_listen(listener, 1), 0);
    assert_int_equal(
        xf_sys_getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    assert_int_equal(xf_sys_accept(listener, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    if (xf_sys_connect(client, (struct sockaddr *)&addr, len) != 0)
        assert_int_equal(errno, EINPROGRESS);
    server = xf_sys_accept(listener, (struct sockaddr *)&peer, &len);
    assert_never_waits_nor_inherits(server);
    len = sizeof peer;
    assert_int_equal(xf_sys_getpeername(client, (struct sockaddr *)&peer, &len),
                     0);
    assert_int_equal(peer.sin_port, addr.sin_port);
    len = sizeof one;
    assert_int_equal(
        xf_sys_getsockopt(client, SOL_SOCKET, SO_ERROR, &one, &len), 0);
    assert_int_equal(one, 0);
    assert_int_equal(xf_sys_send(client, "hello", 5), 5);
    assert_int_equal(xf_sys_shutdown(client, SHUT_WR), 0);
    assert_int_equal(xf_sys_recv(server, text, 7, MSG_PEEK), 5);
    assert_int_equal(xf_sys_recv(server, text, 7, 0), 5);
    assert_string_equal(text, "hello");
    assert_int_equal(xf_sys_recv(server, text, 7, 0), 0);
    close(server);
    close(client);
    close(listener);
}

static void a_copy_of_a_descriptor_is_not_inherited(void **state)
{
    int fd = xf_sys_dup(dir);

    (void)state;
    assert_true(fd >= 0 && fd != dir);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void sendfile_sends_from_where_it_is_told(void **state)
{
    int fd = make_file("a", "hello world"), ends[2];
    char text[16] = "";

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    assert_int_equal(lseek(fd, 2, SEEK_SET), 2);
    assert_int_equal(xf_sys_sendfile(ends[0], fd, 6, 100), 5);
    assert_int_equal(read(ends[1], text, 15), 5);
    assert_string_equal(text, "world");
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 2);
    assert_int_equal(xf_sys_sendfile(ends[0], fd, 11, 100), 0);
    assert_int_equal(xf_sys_sendfile(ends[0], fd, UINT64_MAX, 1), -1);
    assert_int_equal(errno, EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

static void a_directory_is_listed_and_can_be_again(void **state)
{
    unsigned seen[2] = { 0, 0 }, found = 0;
    const char *name;

    (void)state;
    close(make_file("a", "x"));
    for (int i = 0; i < 2; i++) {
        struct xf_sys_list *list = xf_sys_list_open(dir);

        assert_non_null(list);
        while ((name = xf_sys_list_next(list)) != NULL) {
            assert_int_not_equal(name[0], '.');
            found += strcmp(name, "a") == 0;
            seen[i]++;
        }
        assert_int_equal(errno, 0);
        xf_sys_list_close(list);
    }
    assert_int_equal(found, 2);
    assert_int_equal(seen[0], seen[1]);
    xf_sys_list_close(NULL);
    assert_null(xf_sys_list_open(-1));
    assert_int_equal(errno, EBADF);
}

static void a_lock_is_of_one_and_never_waits(void **state)
{
    int fd = make_file("a", "x");
    int other = openat(dir, "a", O_RDONLY);

    (void)state;
    assert_int_equal(xf_sys_lock(fd), 0);
    assert_int_equal(xf_sys_lock(fd), 0);
    assert_int_equal(xf_sys_lock(other), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    close(fd);
    assert_int_equal(xf_sys_lock(other), 0);
    close(other);
    assert_int_equal(unlinkat(dir, "a", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zero_and_never_null_for_nothing),
        cmocka_unit_test(text_is_copied_up_to_its_end),
        cmocka_unit_test(random_bytes_fill_all_of_it),
        cmocka_unit_test(bytes_are_where_they_were_put),
        cmocka_unit_test(an_offset_beyond_any_file_is_an_error),
        cmocka_unit_test(rename_replaces_only_when_told),
        cmocka_unit_test(link_never_replaces),
        cmocka_unit_test(a_connection_is_made_and_carries_bytes),
        cmocka_unit_test(a_copy_of_a_descriptor_is_not_inherited),
        cmocka_unit_test(sendfile_sends_from_where_it_is_told),
        cmocka_unit_test(a_directory_is_listed_and_can_be_again),
        cmocka_unit_test(a_lock_is_of_one_and_never_waits),
    };

    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
