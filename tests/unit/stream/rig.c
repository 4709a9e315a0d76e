/* See the header. */
#include "rig.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int rig_dir = -1;
char rig_path[64];
static unsigned open_before;
static uint32_t seed;

static unsigned count(const char *path)
{
    DIR *dir = opendir(path);
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

int rig_setup(void **state)
{
    (void)state;
    seed = 1;
    open_before = count("/proc/self/fd");
    (void)snprintf(rig_path, sizeof rig_path, "/tmp/xf-stream-XXXXXX");
    assert_non_null(mkdtemp(rig_path));
    rig_dir = open(rig_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(rig_dir >= 0);
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type,
                        struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int rig_teardown(void **state)
{
    (void)state;
    xf_sys_set_gate(NULL, NULL);
    close(rig_dir);
    nftw(rig_path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    assert_int_equal(count("/proc/self/fd"), open_before);
    return 0;
}

unsigned rig_entries(void)
{
    return count(rig_path);
}

bool rig_exists(const char *name)
{
    struct stat st;

    return fstatat(rig_dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static DIR *list(const char *name)
{
    DIR *dir = fdopendir(openat(rig_dir, name, O_RDONLY | O_DIRECTORY));

    assert_non_null(dir);
    return dir;
}

void rig_empty(const char *name)
{
    DIR *dir = list(name);
    struct dirent *entry;

    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            assert_int_equal(unlinkat(dirfd(dir), entry->d_name, 0), 0);
    }
    closedir(dir);
}

const char *rig_part(void)
{
    static char name[256];
    DIR *dir = list(".");
    struct dirent *entry;

    name[0] = '\0';
    while ((entry = readdir(dir)) != NULL) {
        const char *end = strrchr(entry->d_name, '.');

        if (strncmp(entry->d_name, ".xf-", 4) == 0 && strcmp(end, ".part") == 0)
            (void)snprintf(name, sizeof name, "%s", entry->d_name);
    }
    closedir(dir);
    assert_int_equal(strlen(name), strlen(".xf-.part") + 16);
    return name;
}

void rig_make(const char *name, const void *bytes, size_t len)
{
    int fd = openat(rig_dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    assert_true(fd >= 0);
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)bytes + done, len - done);

        assert_true(n > 0);
        done += (size_t)n;
    }
    close(fd);
}

void rig_assert_file(const char *name, const void *bytes, size_t len)
{
    int fd = openat(rig_dir, name, O_RDONLY | O_NOFOLLOW);
    char *found = malloc(len + 1);
    size_t have = 0;
    ssize_t n;

    assert_true(fd >= 0);
    assert_non_null(found);
    while ((n = read(fd, found + have, len + 1 - have)) > 0)
        have += (size_t)n;
    close(fd);
    assert_int_equal(have, len);
    assert_true(len == 0 || memcmp(found, bytes, len) == 0);
    free(found);
}

const char *rig_file(const char *name)
{
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", rig_path, name);
    return path;
}

uint32_t rig_random(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)seed * below) >> 32);
}

char *rig_bytes(size_t len)
{
    char *bytes = malloc(len + 1);
    uint32_t x = 12345;

    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        x = x * 1103515245u + 12345u;
        bytes[i] = (char)(x >> 16);
    }
    return bytes;
}

/* --- sinks --------------------------------------------------------------- */

int rig_sink(struct xf_sink **out, int dir, const char *name, uint64_t size,
             enum xf_sink_exists exists, struct xf_error_info *info)
{
    struct xf_part_of of = { .peer = "romeo@example.net",
                             .name = name,
                             .size = size };

    return xf_sink_open(out, dir, &of, exists, false, info);
}

/* --- jobs ---------------------------------------------------------------- */

static void submit(struct xf_jobs *jobs, struct xf_job *job)
{
    struct rig_jobs *r = (struct rig_jobs *)jobs;

    job->next = NULL;
    *r->last = job;
    r->last = &job->next;
    r->submitted++;
}

void rig_jobs_init(struct rig_jobs *jobs)
{
    *jobs = (struct rig_jobs){ .jobs = { submit } };
    jobs->last = &jobs->first;
}

bool rig_run(struct rig_jobs *jobs)
{
    struct xf_job *job = jobs->first;

    if (!job)
        return false;
    jobs->first = job->next;
    if (!jobs->first)
        jobs->last = &jobs->first;
    job->run(job);
    job->done(job);
    return true;
}

void rig_run_all(struct rig_jobs *jobs)
{
    for (int i = 0; i < 100000 && rig_run(jobs); i++)
        ;
    assert_null(jobs->first);
}

/* --- sockets ------------------------------------------------------------- */

void rig_connect(int fds[2])
{
    struct sockaddr_in addr = { .sin_family = AF_INET };
    socklen_t len = sizeof addr;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&addr, len), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(fds[1] >= 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    close(listener);
    /* Nagle and delayed acks would add 40 ms to each cut. */
    for (int i = 0; i < 2; i++)
        assert_int_equal(setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY,
                                    &(int){ 1 }, sizeof(int)),
                         0);
}

void rig_reset(int fd)
{
    struct linger hard = { 1, 0 };

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard),
                     0);
    close(fd);
}

static bool wait_for(int fd, short events)
{
    struct pollfd p = { fd, events, 0 };

    return poll(&p, 1, 10000) == 1;
}

bool rig_readable(int fd)
{
    return wait_for(fd, POLLIN);
}

bool rig_writable(int fd)
{
    return wait_for(fd, POLLOUT);
}

int rig_waiting(int fd)
{
    int n = -1;

    assert_int_equal(ioctl(fd, FIONREAD, &n), 0);
    return n;
}

void rig_send(int fd, const void *bytes, size_t len)
{
    const char *next = bytes;

    while (len > 0) {
        ssize_t n = send(fd, next, len, MSG_NOSIGNAL);

        assert_true(n > 0);
        next += n;
        len -= (size_t)n;
    }
}

void rig_recv(int fd, void *bytes, size_t len)
{
    char *next = bytes;

    while (len > 0) {
        ssize_t n;

        assert_true(rig_readable(fd));
        n = recv(fd, next, len, 0);
        assert_true(n > 0);
        next += n;
        len -= (size_t)n;
    }
}

void rig_assert_end(int fd)
{
    char byte;

    assert_true(rig_readable(fd));
    assert_int_equal(recv(fd, &byte, 1, 0), 0);
}

/* --- the gate ------------------------------------------------------------ */

static int gate_call(enum xf_sys_call call, void *ctx)
{
    struct rig_gate *gate = ctx;

    if (gate->only >= 0 && (int)call != gate->only)
        return 0;
    if (gate->calls < sizeof gate->log / sizeof gate->log[0])
        gate->log[gate->calls] = call;
    gate->calls++;
    if (gate->fail == 0 || gate->calls < gate->fail ||
        (gate->calls > gate->fail && !gate->onward))
        return 0;
    gate->failed = true;
    return gate->err;
}

void rig_gate_on(struct rig_gate *gate)
{
    gate->calls = 0;
    gate->failed = false;
    xf_sys_set_gate(gate_call, gate);
}

void rig_gate_off(void)
{
    xf_sys_set_gate(NULL, NULL);
}
