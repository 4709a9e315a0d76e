/* What is sent: only regular files, and only as long as they stay the same. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/encode.h"
#include "stream/file.h"

static struct xf_source *open_ok(const char *name)
{
    struct xf_source *source = NULL;
    struct xf_error_info info;

    assert_int_equal(xf_source_open(&source, rig_file(name), &info), 0);
    return source;
}

static void assert_refused(const char *path, int code, const char *words)
{
    struct xf_source *source = NULL;
    struct xf_error_info info = { 0 };

    assert_int_equal(xf_source_open(&source, path, &info), code);
    assert_null(source);
    assert_int_equal(info.code, code);
    assert_non_null(strstr(info.text, words));
}

static void only_regular_files_are_sent(void **state)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    (void)state;
    strncpy(addr.sun_path, rig_file("socket"), sizeof addr.sun_path - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    close(fd);
    assert_int_equal(mkfifoat(rig_dir, "fifo", 0600), 0);
    assert_refused(rig_path, XF_E_USAGE, "not a regular file");
    assert_refused(rig_file("fifo"), XF_E_USAGE, "not a regular file");
    assert_refused(rig_file("socket"), XF_E_USAGE, "not a regular file");
    assert_refused("/dev/null", XF_E_USAGE, "not a regular file");
    assert_refused(rig_file("none"), XF_E_IO, "No such file");
    assert_refused("", XF_E_IO, "No such file");
}

static void a_link_of_the_user_is_followed(void **state)
{
    struct xf_source *source;

    (void)state;
    rig_make("file", "abc", 3);
    assert_int_equal(symlinkat("file", rig_dir, "link"), 0);
    source = open_ok("link");
    assert_int_equal(xf_source_size(source), 3);
    assert_string_equal(xf_source_name(source), "link");
    xf_source_close(source);
}

static void the_name_is_the_last_part_of_the_path(void **state)
{
    struct xf_source *source;
    struct xf_error_info info;
    int home = open(".", O_RDONLY | O_DIRECTORY);

    (void)state;
    rig_make("a b.txt", "", 0);
    source = open_ok("a b.txt");
    assert_string_equal(xf_source_name(source), "a b.txt");
    assert_string_equal(xf_source_path(source), rig_file("a b.txt"));
    xf_source_close(source);
    assert_int_equal(fchdir(rig_dir), 0);
    assert_int_equal(xf_source_open(&source, "a b.txt", &info), 0);
    assert_string_equal(xf_source_name(source), "a b.txt");
    xf_source_close(source);
    assert_int_equal(fchdir(home), 0);
    close(home);
}

static void bytes_are_read_where_asked(void **state)
{
    struct xf_source *source;
    struct xf_error_info info;
    char buf[8];

    (void)state;
    rig_make("file", "abcdef", 6);
    source = open_ok("file");
    assert_int_equal(xf_source_read(source, buf, 3, 2, &info), 3);
    assert_memory_equal(buf, "cde", 3);
    assert_int_equal(xf_source_read(source, buf, 8, 4, &info), 2);
    assert_int_equal(xf_source_read(source, buf, 8, 6, &info), 0);
    xf_source_close(source);
}

static void a_read_that_fails_has_its_words(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_READ, .fail = 1, .err = EIO };
    struct xf_source *source;
    struct xf_error_info info;
    char buf[8];

    (void)state;
    rig_make("file", "abcdef", 6);
    source = open_ok("file");
    rig_gate_on(&gate);
    assert_int_equal(xf_source_read(source, buf, 3, 2, &info), -XF_E_IO);
    rig_gate_off();
    assert_non_null(strstr(info.text, "file: Input/output error"));
    xf_source_close(source);
}

/* What one change of the file makes of it. */
static bool changed_by(void (*change)(int fd))
{
    struct xf_source *source;
    bool changed;
    int fd;

    rig_make("file", "abcdef", 6);
    source = open_ok("file");
    assert_false(xf_source_changed(source));
    usleep(20000); /* a tick of the clock that file times are taken from */
    fd = openat(rig_dir, "file", O_WRONLY);
    change(fd);
    close(fd);
    changed = xf_source_changed(source);
    xf_source_close(source);
    return changed;
}

static void append(int fd)
{
    assert_int_equal(pwrite(fd, "g", 1, 6), 1);
}

static void cut(int fd)
{
    assert_int_equal(ftruncate(fd, 5), 0);
}

static void rewrite(int fd)
{
    assert_int_equal(pwrite(fd, "ABCDEF", 6, 0), 6);
}

static void touch(int fd)
{
    assert_int_equal(futimens(fd, NULL), 0);
}

/* Longer, but with its old times: what restores a backup does such. */
static void append_unnoticed(int fd)
{
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pwrite(fd, "g", 1, 6), 1);
    assert_int_equal(
        futimens(fd, (struct timespec[]){ st.st_atim, st.st_mtim }), 0);
}

static void rename_it(int fd)
{
    (void)fd;
    assert_int_equal(renameat(rig_dir, "file", rig_dir, "other"), 0);
}

static void delete_it(int fd)
{
    (void)fd;
    assert_int_equal(unlinkat(rig_dir, "file", 0), 0);
}

static void a_file_written_to_has_changed(void **state)
{
    (void)state;
    assert_true(changed_by(append));
    assert_true(changed_by(cut));
    assert_true(changed_by(rewrite));
    assert_true(changed_by(touch));
    assert_true(changed_by(append_unnoticed));
}

static void a_file_renamed_or_deleted_has_not_changed(void **state)
{
    (void)state;
    assert_false(changed_by(rename_it));
    assert_false(changed_by(delete_it));
}

/* --- sum ----------------------------------------------------------------- */

static struct xf_source_digest *the_digest;
static unsigned told;

static void tell(void *ctx)
{
    (void)ctx;
    told++;
}

static void tell_and_free(void *ctx)
{
    (void)ctx;
    told++;
    xf_source_digest_free(the_digest);
}

static void begin(const struct xf_source *source, struct xf_jobs *jobs,
                  void (*notify)(void *))
{
    told = 0;
    assert_int_equal(xf_source_digest_new(&the_digest, source, XF_DIGEST_MD5,
                                          jobs, notify, NULL),
                     0);
    xf_source_digest_start(the_digest);
}

static void assert_sum_of(const char *name, const char *bytes, size_t len)
{
    struct xf_source *source = open_ok(name);
    uint8_t sum[XF_DIGEST_MAX];
    char hex[2 * XF_DIGEST_MAX + 1];

    assert_true(xf_digest_of(XF_DIGEST_MD5, bytes, len, sum));
    xf_hex(sum, 16, hex);
    begin(source, &xf_jobs_inline, tell);
    assert_int_equal(told, 1);
    assert_string_equal(xf_source_digest_hex(the_digest), hex);
    assert_null(xf_source_digest_error(the_digest));
    xf_source_digest_free(the_digest);
    xf_source_close(source);
}

static void the_sum_is_that_of_the_whole_file(void **state)
{
    static const size_t sizes[] = { 0, 1, 262143, 262144, 262145, 1000000 };
    char *bytes = rig_bytes(1000000);

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        rig_make("file", bytes, sizes[i]);
        assert_sum_of("file", bytes, sizes[i]);
    }
    free(bytes);
}

/* The second slice is a job of its own. */
static void a_large_file_takes_several_jobs(void **state)
{
    size_t len = (128u << 20) + 1;
    struct rig_jobs jobs;
    struct xf_source *source;
    char *zeroes = calloc(1, len);

    (void)state;
    rig_make("file", "", 0);
    assert_int_equal(truncate(rig_file("file"), (off_t)len), 0);
    assert_sum_of("file", zeroes, len);
    rig_jobs_init(&jobs);
    source = open_ok("file");
    begin(source, &jobs.jobs, tell);
    xf_source_close(source);
    assert_true(rig_run(&jobs));
    assert_int_equal(told, 0);
    assert_null(xf_source_digest_hex(the_digest));
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    assert_int_equal(jobs.submitted, 3);
    xf_source_digest_free(the_digest);
    free(zeroes);
}

static void a_sum_may_be_freed_at_any_time(void **state)
{
    struct rig_jobs jobs;
    struct xf_source *source;

    (void)state;
    rig_jobs_init(&jobs);
    rig_make("file", "abc", 3);
    source = open_ok("file");
    xf_source_digest_free(NULL);
    begin(source, &jobs.jobs, tell);
    xf_source_digest_free(the_digest); /* before its job ran */
    rig_run_all(&jobs);
    assert_int_equal(told, 0);
    begin(source, &jobs.jobs, tell_and_free);
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    begin(source, &xf_jobs_inline, tell_and_free);
    assert_int_equal(told, 1);
    xf_source_close(source);
}

static void a_file_that_changes_meanwhile_has_no_sum(void **state)
{
    struct rig_jobs jobs;
    struct xf_source *source;

    (void)state;
    for (int longer = 0; longer < 2; longer++) {
        rig_jobs_init(&jobs);
        rig_make("file", "abc", 3);
        source = open_ok("file");
        begin(source, &jobs.jobs, tell);
        rig_make("file", "abcd", longer ? 4 : 2);
        rig_run_all(&jobs);
        assert_int_equal(told, 1);
        assert_null(xf_source_digest_hex(the_digest));
        assert_int_equal(xf_source_digest_error(the_digest)->code, XF_E_SRC);
        xf_source_digest_free(the_digest);
        xf_source_close(source);
    }
}

#define PIECE 100000u

static void assert_at_mark(const char *bytes, size_t len)
{
    uint8_t sum[XF_DIGEST_MAX];

    assert_true(xf_digest_of(XF_DIGEST_MD5, bytes, len, sum));
    assert_non_null(xf_source_digest_at_mark(the_digest));
    assert_memory_equal(xf_source_digest_at_mark(the_digest), sum, 16);
}

static void prepare(const struct xf_source *source, struct rig_jobs *jobs)
{
    told = 0;
    rig_jobs_init(jobs);
    assert_int_equal(xf_source_digest_new(&the_digest, source, XF_DIGEST_MD5,
                                          &jobs->jobs, tell, NULL),
                     0);
}

/* So that it reads what has just been sent, and not the whole disk before. */
static void a_sum_goes_no_further_than_it_is_let(void **state)
{
    char *bytes = rig_bytes(3 * PIECE);
    struct rig_gate gate = { .only = XF_SYS_READ };
    struct rig_jobs jobs;
    struct xf_source *source;
    unsigned calls;

    (void)state;
    rig_make("file", bytes, 3 * PIECE);
    source = open_ok("file");
    prepare(source, &jobs);
    xf_source_digest_let(the_digest, 0);
    rig_gate_on(&gate);
    xf_source_digest_start(the_digest);
    rig_run_all(&jobs);
    assert_int_equal(gate.calls, 0);
    xf_source_digest_let(the_digest, PIECE);
    rig_run_all(&jobs);
    calls = gate.calls;
    assert_true(calls > 0);
    xf_source_digest_let(the_digest, PIECE); /* nothing new */
    rig_run_all(&jobs);
    assert_int_equal(gate.calls, calls);
    /* While a job is under way: it is gone on with behind it. */
    xf_source_digest_let(the_digest, 2 * PIECE);
    xf_source_digest_let(the_digest, UINT64_MAX);
    assert_int_equal(told, 0);
    assert_null(xf_source_digest_sum(the_digest));
    rig_run_all(&jobs);
    rig_gate_off();
    assert_int_equal(told, 1);
    assert_non_null(xf_source_digest_sum(the_digest));
    xf_source_digest_free(the_digest);
    xf_source_close(source);
    free(bytes);
}

static void the_sum_at_a_mark_is_that_of_what_is_before(void **state)
{
    static const size_t marks[] = {
        0, 1, PIECE - 1, PIECE, PIECE + 1, 262144, 3 * PIECE - 1, 3 * PIECE
    };
    char *bytes = rig_bytes(3 * PIECE);

    (void)state;
    rig_make("file", bytes, 3 * PIECE);
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        struct rig_jobs jobs;
        struct xf_source *source = open_ok("file");
        bool whole = marks[i] == 3 * PIECE;

        prepare(source, &jobs);
        assert_true(xf_source_digest_mark(the_digest, marks[i]));
        assert_null(xf_source_digest_at_mark(the_digest));
        xf_source_digest_let(the_digest, marks[i]);
        xf_source_digest_start(the_digest);
        rig_run_all(&jobs);
        assert_int_equal(told, 1);
        assert_at_mark(bytes, marks[i]);
        assert_int_equal(xf_source_digest_sum(the_digest) != NULL, whole);
        /* And on from there, to the end. */
        xf_source_digest_let(the_digest, UINT64_MAX);
        rig_run_all(&jobs);
        assert_int_equal(told, whole ? 1 : 2);
        assert_non_null(xf_source_digest_sum(the_digest));
        assert_at_mark(bytes, marks[i]);
        xf_source_digest_free(the_digest);
        xf_source_close(source);
    }
    free(bytes);
}

/* Told on the way by a sum that need not stop there. */
static void a_mark_within_what_is_let_is_told_by_itself(void **state)
{
    char *bytes = rig_bytes(3 * PIECE);
    struct rig_jobs jobs;
    struct xf_source *source;

    (void)state;
    rig_make("file", bytes, 3 * PIECE);
    source = open_ok("file");
    prepare(source, &jobs);
    assert_true(xf_source_digest_mark(the_digest, PIECE));
    xf_source_digest_let(the_digest, 2 * PIECE);
    xf_source_digest_start(the_digest);
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    assert_at_mark(bytes, PIECE);
    assert_false(xf_source_digest_mark(the_digest, PIECE)); /* it is past it */
    xf_source_digest_let(the_digest, 3 * PIECE);
    rig_run_all(&jobs);
    assert_int_equal(told, 2);
    assert_non_null(xf_source_digest_sum(the_digest));
    assert_false(xf_source_digest_mark(the_digest, 3 * PIECE));
    xf_source_digest_free(the_digest);
    xf_source_close(source);
    free(bytes);
}

static void no_mark_is_set_while_a_job_is_under_way(void **state)
{
    struct rig_jobs jobs;
    struct xf_source *source;

    (void)state;
    rig_make("file", "abcdef", 6);
    source = open_ok("file");
    prepare(source, &jobs);
    xf_source_digest_let(the_digest, 3);
    xf_source_digest_start(the_digest);
    assert_false(xf_source_digest_mark(the_digest, 5));
    rig_run_all(&jobs);
    assert_true(xf_source_digest_mark(the_digest, 5));
    xf_source_digest_let(the_digest, 5);
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    assert_at_mark("abcde", 5);
    xf_source_digest_free(the_digest); /* at rest, before its end */
    xf_source_close(source);
}

static void a_file_that_is_cut_before_the_mark_has_none(void **state)
{
    struct rig_jobs jobs;
    struct xf_source *source;

    (void)state;
    rig_make("file", "abcdef", 6);
    source = open_ok("file");
    prepare(source, &jobs);
    assert_true(xf_source_digest_mark(the_digest, 5));
    xf_source_digest_let(the_digest, 5);
    assert_int_equal(truncate(rig_file("file"), 2), 0);
    xf_source_digest_start(the_digest);
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    assert_null(xf_source_digest_at_mark(the_digest));
    assert_int_equal(xf_source_digest_error(the_digest)->code, XF_E_SRC);
    xf_source_digest_let(the_digest, 6); /* it is over */
    rig_run_all(&jobs);
    assert_int_equal(told, 1);
    xf_source_digest_free(the_digest);
    xf_source_close(source);
}

/* Each call in turn; an error or the right sum, never a wrong one. */
static void no_failing_call_makes_a_wrong_sum(void **state)
{
    struct rig_gate gate = { .only = -1, .err = EIO };

    (void)state;
    rig_make("file", "abc", 3);
    do {
        struct xf_source *source = NULL;
        struct xf_error_info info;
        const char *hex = NULL;

        gate.fail++;
        the_digest = NULL;
        rig_gate_on(&gate);
        if (xf_source_open(&source, rig_file("file"), &info) == 0 &&
            xf_source_digest_new(&the_digest, source, XF_DIGEST_MD5,
                                 &xf_jobs_inline, tell, NULL) == 0) {
            xf_source_digest_start(the_digest);
            hex = xf_source_digest_hex(the_digest);
            assert_true(hex || xf_source_digest_error(the_digest));
            if (hex)
                assert_string_equal(hex, "900150983cd24fb0d6963f7d28e17f72");
        }
        xf_source_digest_free(the_digest);
        xf_source_close(source);
        rig_gate_off();
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 5, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(only_regular_files_are_sent),
        RIG_TEST(a_link_of_the_user_is_followed),
        RIG_TEST(the_name_is_the_last_part_of_the_path),
        RIG_TEST(bytes_are_read_where_asked),
        RIG_TEST(a_read_that_fails_has_its_words),
        RIG_TEST(a_file_written_to_has_changed),
        RIG_TEST(a_file_renamed_or_deleted_has_not_changed),
        RIG_TEST(the_sum_is_that_of_the_whole_file),
        RIG_TEST(a_large_file_takes_several_jobs),
        RIG_TEST(a_sum_may_be_freed_at_any_time),
        RIG_TEST(a_file_that_changes_meanwhile_has_no_sum),
        RIG_TEST(a_sum_goes_no_further_than_it_is_let),
        RIG_TEST(the_sum_at_a_mark_is_that_of_what_is_before),
        RIG_TEST(a_mark_within_what_is_let_is_told_by_itself),
        RIG_TEST(no_mark_is_set_while_a_job_is_under_way),
        RIG_TEST(a_file_that_is_cut_before_the_mark_has_none),
        RIG_TEST(no_failing_call_makes_a_wrong_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
