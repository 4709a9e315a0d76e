/* What is received: under its name only whole, and in place of nothing. */
#include "rig.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/name.h"
#include "stream/file.h"

static struct xf_error_info info;

static struct xf_sink *open_ok(const char *name, uint64_t size,
                               enum xf_sink_exists exists)
{
    struct xf_sink *sink = NULL;

    assert_int_equal(rig_sink(&sink, rig_dir, name, size, exists, &info), 0);
    return sink;
}

static void assert_not_opened(const char *name, uint64_t size,
                              enum xf_sink_exists exists, int code)
{
    struct xf_sink *sink = NULL;
    unsigned before = rig_entries();

    assert_int_equal(rig_sink(&sink, rig_dir, name, size, exists, &info), code);
    assert_int_equal(info.code, code);
    assert_null(sink);
    assert_int_equal(rig_entries(), before);
}

/* "abc" into it; the result of what happened last. */
static int deliver(struct xf_sink *sink)
{
    int err = xf_sink_write(sink, "abc", 3, &info);

    if (err == 0)
        err = xf_sink_sync(sink, &info);
    return err == 0 ? xf_sink_publish(sink, &info) : err;
}

static void assert_delivered_as(const char *asked, enum xf_sink_exists exists,
                                const char *name)
{
    struct xf_sink *sink = open_ok(asked, 3, exists);

    assert_int_equal(deliver(sink), 0);
    assert_string_equal(xf_sink_name(sink), name);
    xf_sink_close(sink);
    rig_assert_file(name, "abc", 3);
}

static void the_name_appears_with_the_last_step(void **state)
{
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_RENAME);

    (void)state;
    assert_int_equal(xf_sink_write(sink, "abc", 3, &info), 0);
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    assert_false(rig_exists("file"));
    assert_int_equal(rig_entries(), 2); /* part and journal */
    assert_int_equal(xf_sink_publish(sink, &info), 0);
    xf_sink_close(sink);
    rig_assert_file("file", "abc", 3);
    assert_int_equal(rig_entries(), 1);
}

static void a_file_of_0_bytes_is_a_file(void **state)
{
    struct xf_sink *sink = open_ok("file", 0, XF_SINK_RENAME);

    (void)state;
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    assert_int_equal(xf_sink_publish(sink, &info), 0);
    xf_sink_close(sink);
    rig_assert_file("file", "", 0);
}

static void mode_is_0600_whatever_the_umask_allows(void **state)
{
    static const mode_t masks[] = { 0, 022, 0277 };
    char name[8];

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        mode_t before = umask(masks[i]);
        struct stat st;

        (void)snprintf(name, sizeof name, "file%u", i);
        assert_delivered_as(name, XF_SINK_RENAME, name);
        umask(before);
        assert_int_equal(fstatat(rig_dir, name, &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0600 & ~masks[i]);
        assert_int_equal(st.st_nlink, 1);
    }
}

static void what_is_discarded_leaves_nothing(void **state)
{
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_RENAME);

    (void)state;
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 0);
    sink = open_ok("file", 3, XF_SINK_RENAME);
    assert_int_equal(xf_sink_write(sink, "ab", 2, &info), 0);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 0);
    sink = open_ok("file", 3, XF_SINK_RENAME);
    assert_int_equal(deliver(sink), 0);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 0);
    xf_sink_discard(NULL);
    xf_sink_close(NULL);
}

/* --- names that are taken ------------------------------------------------ */

/* One of each kind: regular file, directory, dangling link, FIFO. */
static void take_names(void)
{
    rig_make("file.txt", "old", 3);
    assert_int_equal(mkdirat(rig_dir, "dir", 0700), 0);
    assert_int_equal(symlinkat("nowhere", rig_dir, "link"), 0);
    assert_int_equal(mkfifoat(rig_dir, "fifo", 0600), 0);
}

static const char *const taken[] = { "file.txt", "dir", "link", "fifo" };
static const char *const beside[] = { "file (1).txt", "dir (1)", "link (1)",
                                      "fifo (1)" };

static struct stat look(const char *name)
{
    struct stat st;

    assert_int_equal(fstatat(rig_dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
    return st;
}

static void assert_same(const struct stat *a, const struct stat *b)
{
    assert_int_equal(a->st_ino, b->st_ino);
    assert_int_equal(a->st_mode, b->st_mode);
    assert_int_equal(a->st_size, b->st_size);
    assert_int_equal(a->st_mtim.tv_sec, b->st_mtim.tv_sec);
    assert_int_equal(a->st_mtim.tv_nsec, b->st_mtim.tv_nsec);
}

static void a_taken_name_is_numbered(void **state)
{
    (void)state;
    take_names();
    for (unsigned i = 0; i < 4; i++) {
        struct stat before = look(taken[i]), after;

        assert_delivered_as(taken[i], XF_SINK_RENAME, beside[i]);
        after = look(taken[i]);
        assert_same(&before, &after);
    }
    assert_false(rig_exists("nowhere"));
    assert_int_equal(rig_entries(), 8);
}

static void a_taken_name_is_refused_at_once(void **state)
{
    (void)state;
    take_names();
    for (unsigned i = 0; i < 4; i++) {
        assert_not_opened(taken[i], 3, XF_SINK_REFUSE, XF_E_EXISTS);
        assert_non_null(strstr(info.text, "exists; not overwritten"));
    }
}

static void a_name_taken_meanwhile_is_refused_at_the_end(void **state)
{
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_REFUSE);

    (void)state;
    rig_make("file", "old", 3);
    assert_int_equal(deliver(sink), XF_E_EXISTS);
    xf_sink_discard(sink);
    rig_assert_file("file", "old", 3);
    assert_int_equal(rig_entries(), 1);
}

static void only_a_regular_file_is_overwritten(void **state)
{
    (void)state;
    take_names();
    for (unsigned i = 1; i < 4; i++)
        assert_not_opened(taken[i], 3, XF_SINK_OVERWRITE, XF_E_EXISTS);
    assert_delivered_as("file.txt", XF_SINK_OVERWRITE, "file.txt");
    assert_delivered_as("new", XF_SINK_OVERWRITE, "new");
    assert_int_equal(rig_entries(), 5);
}

static void what_came_meanwhile_is_overwritten_only_if_regular(void **state)
{
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_OVERWRITE);

    (void)state;
    assert_int_equal(mkdirat(rig_dir, "file", 0700), 0);
    assert_int_equal(deliver(sink), XF_E_EXISTS);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 1);
    sink = open_ok("other", 3, XF_SINK_OVERWRITE);
    rig_make("other", "old", 3);
    assert_int_equal(deliver(sink), 0);
    xf_sink_close(sink);
    rig_assert_file("other", "abc", 3);
}

/* An old file is not thrown away twice. */
static void what_was_overwritten_with_stays_when_discarded(void **state)
{
    struct xf_sink *sink;

    (void)state;
    rig_make("file", "old", 3);
    sink = open_ok("file", 3, XF_SINK_OVERWRITE);
    xf_sink_discard(sink);
    rig_assert_file("file", "old", 3);
    sink = open_ok("file", 3, XF_SINK_OVERWRITE);
    assert_int_equal(deliver(sink), 0);
    xf_sink_discard(sink);
    rig_assert_file("file", "abc", 3);
    assert_int_equal(rig_entries(), 1);
}

static void take_numbers(unsigned from, unsigned to)
{
    char name[XF_NAME_MAX + 1];

    for (unsigned n = from; n <= to; n++) {
        xf_name_numbered("file.txt", n, name);
        rig_make(name, "", 0);
    }
}

static void number_999_is_the_last_one_tried(void **state)
{
    struct timespec before, after;
    struct xf_sink *sink;

    (void)state;
    take_numbers(0, 998);
    assert_delivered_as("file.txt", XF_SINK_RENAME, "file (999).txt");
    sink = open_ok("file.txt", 3, XF_SINK_RENAME);
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_int_equal(deliver(sink), XF_E_EXISTS);
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec <= 1);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 1000);
    assert_false(rig_exists("file (1000).txt"));
}

static void a_name_of_255_bytes_is_whole(void **state)
{
    char name[XF_NAME_MAX + 1], beside_it[XF_NAME_MAX + 1];

    (void)state;
    memset(name, 'n', XF_NAME_MAX);
    name[XF_NAME_MAX] = '\0';
    assert_delivered_as(name, XF_SINK_RENAME, name);
    xf_name_numbered(name, 1, beside_it);
    assert_int_equal(strlen(beside_it), XF_NAME_MAX);
    assert_delivered_as(name, XF_SINK_RENAME, beside_it);
    assert_int_equal(rig_entries(), 2);
}

/* --- the directory ------------------------------------------------------- */

static void the_directory_is_the_one_that_was_opened(void **state)
{
    struct xf_sink *sink;
    int link;

    (void)state;
    assert_int_equal(mkdirat(rig_dir, "real", 0700), 0);
    assert_int_equal(mkdirat(rig_dir, "evil", 0700), 0);
    assert_int_equal(symlinkat("real", rig_dir, "link"), 0);
    link = openat(rig_dir, "link", O_RDONLY | O_DIRECTORY);
    assert_int_equal(rig_sink(&sink, link, "file", 3, XF_SINK_RENAME, &info),
                     0);
    close(link);
    assert_int_equal(unlinkat(rig_dir, "link", 0), 0);
    assert_int_equal(symlinkat("evil", rig_dir, "link"), 0);
    assert_int_equal(deliver(sink), 0);
    xf_sink_close(sink);
    rig_assert_file("real/file", "abc", 3);
    assert_false(rig_exists("evil/file"));
}

static void a_directory_replaced_meanwhile_keeps_its_file(void **state)
{
    struct xf_sink *sink;
    int dir;

    (void)state;
    assert_int_equal(mkdirat(rig_dir, "dir", 0700), 0);
    dir = openat(rig_dir, "dir", O_RDONLY | O_DIRECTORY);
    assert_int_equal(rig_sink(&sink, dir, "file", 3, XF_SINK_RENAME, &info), 0);
    close(dir);
    assert_int_equal(renameat(rig_dir, "dir", rig_dir, "old"), 0);
    assert_int_equal(mkdirat(rig_dir, "dir", 0700), 0);
    assert_int_equal(deliver(sink), 0);
    xf_sink_close(sink);
    rig_assert_file("old/file", "abc", 3);
    assert_false(rig_exists("dir/file"));
}

static void a_directory_removed_meanwhile_is_an_error(void **state)
{
    struct xf_sink *sink;
    int dir;

    (void)state;
    assert_int_equal(mkdirat(rig_dir, "dir", 0700), 0);
    dir = openat(rig_dir, "dir", O_RDONLY | O_DIRECTORY);
    assert_int_equal(rig_sink(&sink, dir, "file", 3, XF_SINK_RENAME, &info), 0);
    rig_empty("dir");
    assert_int_equal(unlinkat(rig_dir, "dir", AT_REMOVEDIR), 0);
    assert_int_equal(deliver(sink), XF_E_IO);
    xf_sink_discard(sink);
    assert_int_equal(rig_sink(&sink, dir, "file", 3, XF_SINK_RENAME, &info),
                     XF_E_IO);
    close(dir);
    assert_int_equal(rig_entries(), 0);
}

static void a_part_that_was_replaced_is_not_delivered(void **state)
{
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_RENAME);

    (void)state;
    rig_make("evil", "EVIL", 4);
    assert_int_equal(renameat(rig_dir, "evil", rig_dir, rig_part()), 0);
    assert_int_equal(deliver(sink), XF_E_IO);
    assert_non_null(strstr(info.text, "replaced"));
    xf_sink_discard(sink);
    assert_false(rig_exists("file"));
    sink = open_ok("file", 3, XF_SINK_RENAME);
    assert_int_equal(renameat(rig_dir, rig_part(), rig_dir, "elsewhere"), 0);
    assert_int_equal(deliver(sink), XF_E_IO);
    xf_sink_discard(sink);
    assert_false(rig_exists("file"));
}

/* In place of the C library's: so many times it is known what comes. */
static unsigned known;

ssize_t getrandom(void *out, size_t len, unsigned flags)
{
    if (known == 0)
        return syscall(SYS_getrandom, out, len, flags);
    known--;
    memset(out, 0xab, len);
    return (ssize_t)len;
}

/* Who else may write to the directory and guesses 64 bits has won nothing. */
static void what_has_the_name_of_a_part_is_neither_opened_nor_followed(
    void **state)
{
    static const char guessed[] = ".xf-abababababababab.part";
    static const char *const links[] = { NULL, "victim", "nowhere" };
    struct xf_sink *sink = NULL;

    (void)state;
    rig_make("victim", "mine", 4);
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        if (links[i])
            assert_int_equal(symlinkat(links[i], rig_dir, guessed), 0);
        else
            rig_make(guessed, "theirs", 6);
        known = 1;
        assert_delivered_as("file", XF_SINK_OVERWRITE, "file");
        assert_int_equal(known, 0);
        known = UINT32_MAX;
        assert_int_equal(
            rig_sink(&sink, rig_dir, "file", 3, XF_SINK_OVERWRITE, &info),
            XF_E_IO);
        known = 0;
        if (!links[i])
            rig_assert_file(guessed, "theirs", 6);
        assert_int_equal(unlinkat(rig_dir, guessed, 0), 0);
        rig_assert_file("victim", "mine", 4);
        assert_int_equal(rig_entries(), 2); /* and "file" */
    }
}

/* --- space --------------------------------------------------------------- */

static void a_size_over_the_free_space_is_refused(void **state)
{
    struct statvfs fs;

    (void)state;
    assert_int_equal(fstatvfs(rig_dir, &fs), 0);
    assert_not_opened("file", INT64_MAX, XF_SINK_RENAME, XF_E_NOSPC);
    assert_ptr_equal(
        strstr(info.text,
               "no space in directory: need 9223372036854775807, have "),
        info.text);
    assert_not_opened("file", fs.f_blocks * fs.f_frsize + 1, XF_SINK_RENAME,
                      XF_E_NOSPC);
}

static void write_until_full(struct xf_sink *sink, unsigned *blocks)
{
    char *block = calloc(1, 65536);
    int err = 0;

    for (*blocks = 0; *blocks < 64 && err == 0; ++*blocks)
        err = xf_sink_write(sink, block, 65536, &info);
    free(block);
    assert_int_equal(err, XF_E_NOSPC);
    assert_string_equal(info.text, "write file: No space left on device");
}

/* A file system of 1 MiB in a namespace of our own, which only root gets. */
static void a_disk_that_is_full_is_no_space(void **state)
{
    struct xf_sink *sink;
    unsigned blocks;
    int dir, fill;

    (void)state;
    assert_int_equal(mkdirat(rig_dir, "disk", 0700), 0);
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("none", rig_file("disk"), "tmpfs", 0, "size=1m") != 0) {
        print_message("# not tried: only root can mount a small disk\n");
        return;
    }
    dir = open(rig_file("disk"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(
        rig_sink(&sink, dir, "file", 2u << 20, XF_SINK_RENAME, &info),
        XF_E_NOSPC);
    assert_int_equal(rig_sink(&sink, dir, "file", XF_SINK_SIZE_UNKNOWN,
                              XF_SINK_RENAME, &info),
                     0);
    write_until_full(sink, &blocks);
    assert_in_range(blocks, 14, 17);
    xf_sink_discard(sink);
    /* It fitted when it was offered, but something else came in between. */
    assert_int_equal(
        rig_sink(&sink, dir, "file", 900000, XF_SINK_RENAME, &info), 0);
    fill = openat(dir, "x", O_WRONLY | O_CREAT, 0600);
    assert_int_equal(posix_fallocate(fill, 0, 500000), 0);
    close(fill);
    assert_int_equal(xf_sink_write(sink, "a", 1, &info), XF_E_NOSPC);
    assert_string_equal(info.text, "allocate file: No space left on device");
    xf_sink_discard(sink);
    assert_int_equal(unlinkat(dir, "x", 0), 0);
    close(dir);
    assert_false(rig_exists("disk/file"));
    assert_int_equal(umount(rig_file("disk")), 0);
}

static void assert_allocate_gives(int err, int code)
{
    struct rig_gate gate = { .only = XF_SYS_ALLOCATE, .fail = 1, .err = err };
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_RENAME);

    rig_gate_on(&gate);
    assert_int_equal(xf_sink_write(sink, "abc", 3, &info), code);
    rig_gate_off();
    assert_int_equal(gate.calls, 1);
    xf_sink_discard(sink);
}

static void space_that_cannot_be_reserved_is_no_error_but_lack_of_it(
    void **state)
{
    (void)state;
    assert_allocate_gives(EOPNOTSUPP, 0);
    assert_allocate_gives(ENOSYS, 0);
    assert_allocate_gives(ENOSPC, XF_E_NOSPC);
    assert_allocate_gives(EDQUOT, XF_E_NOSPC);
    assert_allocate_gives(EIO, XF_E_IO);
}

/* --- the order of things ------------------------------------------------- */

static void assert_order(const struct rig_gate *gate,
                         const enum xf_sys_call *calls, size_t count)
{
    assert_int_equal(gate->calls, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(gate->log[i], calls[i]);
}

static void data_is_synced_then_named_then_the_name_is_synced(void **state)
{
    static const enum xf_sys_call order[] = {
        XF_SYS_ALLOCATE, XF_SYS_WRITE, XF_SYS_SYNC, /* the data */
        XF_SYS_STAT,     XF_SYS_STAT,               /* still our part? */
        XF_SYS_STAT,                                /* is the name free? */
        XF_SYS_ALLOC,    XF_SYS_WRITE, XF_SYS_SYNC, /* the journal */
        XF_SYS_RENAME,   XF_SYS_SYNC,               /* the directory */
    };
    struct rig_gate gate = { .only = -1 };
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_RENAME);

    (void)state;
    rig_gate_on(&gate);
    assert_int_equal(deliver(sink), 0);
    rig_gate_off();
    assert_order(&gate, order, sizeof order / sizeof order[0]);
    /* The journal waits until who sent it has been told. */
    assert_int_equal(rig_entries(), 2);
    xf_sink_close(sink);
    assert_int_equal(rig_entries(), 1);
}

/* Network file systems: rename cannot leave an existing file alone. */
static void where_rename_replaces_the_name_is_linked(void **state)
{
    struct rig_gate gate = {
        .only = XF_SYS_RENAME, .fail = 1, .onward = true, .err = EINVAL
    };

    (void)state;
    rig_make("file", "old", 3);
    rig_gate_on(&gate);
    assert_delivered_as("file", XF_SINK_RENAME, "file (1)");
    rig_gate_off();
    rig_assert_file("file", "old", 3);
    assert_int_equal(rig_entries(), 2);
    assert_int_equal(look("file (1)").st_nlink, 1);
}

static void what_is_written_is_synced_every_16_mib(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_SYNC };
    struct xf_sink *sink = open_ok("file", 40u << 20, XF_SINK_RENAME);
    char *bytes = calloc(1, 1u << 20);

    (void)state;
    rig_gate_on(&gate);
    for (unsigned i = 1; i <= 40; i++) {
        assert_int_equal(xf_sink_write(sink, bytes, 1u << 20, &info), 0);
        /* Data and journal; the directory once. */
        assert_int_equal(gate.calls, i < 16 ? 0 : 1 + i / 16 * 2);
    }
    rig_gate_off();
    free(bytes);
    xf_sink_discard(sink);
}

static void assert_sync_is_final(unsigned number, const char *words)
{
    struct rig_gate gate = { .only = XF_SYS_SYNC, .fail = number, .err = EIO };
    struct xf_sink *sink = open_ok("file", 3, XF_SINK_RENAME);

    rig_gate_on(&gate);
    assert_int_equal(deliver(sink), XF_E_IO);
    xf_sink_discard(sink);
    rig_gate_off();
    assert_string_equal(info.text, words);
    assert_int_equal(rig_entries(), 0);
}

static void a_failed_sync_is_final(void **state)
{
    (void)state;
    assert_sync_is_final(1, "sync file: Input/output error");
    assert_sync_is_final(2, "note in the journal of file: Input/output error");
    assert_sync_is_final(3, "sync the directory of file: Input/output error");
}

static void a_directory_that_cannot_be_synced_is_no_error(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_SYNC, .fail = 3, .err = EINVAL };

    (void)state;
    rig_gate_on(&gate);
    assert_delivered_as("file", XF_SINK_RENAME, "file");
    rig_gate_off();
    assert_true(gate.failed);
}

/* One call fails, or all from one on: either the whole file is there and it
 * was said, or it was not said; under its name it is never anything else. */
static void fail_at_each_call(int err, bool onward, enum xf_sink_exists exists)
{
    struct rig_gate gate = { .only = -1, .err = err, .onward = onward };

    do {
        struct xf_sink *sink = NULL;
        int code;

        gate.fail++;
        rig_gate_on(&gate);
        code = rig_sink(&sink, rig_dir, "file", 3, exists, &info);
        if (code == 0)
            code = deliver(sink);
        if (code == 0)
            xf_sink_close(sink);
        else if (sink)
            xf_sink_discard(sink);
        rig_gate_off();
        if (code == 0 || rig_exists("file"))
            rig_assert_file("file", "abc", 3);
        if (code != 0 && !onward)
            assert_int_equal(rig_entries(), 0);
        if (code != 0)
            assert_int_equal(info.code, code);
        rig_empty(".");
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 10, 999);
}

static void no_failing_call_leaves_a_wrong_file(void **state)
{
    static const int errs[] = { EIO, ENOSPC, EACCES, EINTR, ENOMEM, EINVAL };

    (void)state;
    for (unsigned i = 0; i < sizeof errs / sizeof errs[0]; i++) {
        for (int onward = 0; onward < 2; onward++) {
            fail_at_each_call(errs[i], onward, XF_SINK_RENAME);
            fail_at_each_call(errs[i], onward, XF_SINK_REFUSE);
        }
    }
}

/* With an old file there, it is the old one or the new one. */
static void no_failing_call_loses_the_file_that_is_replaced(void **state)
{
    struct rig_gate gate = { .only = -1, .err = EIO };

    (void)state;
    do {
        struct xf_sink *sink = NULL;
        struct stat st;
        int code;

        rig_make("file", "older", 5);
        gate.fail++;
        rig_gate_on(&gate);
        code = rig_sink(&sink, rig_dir, "file", 3, XF_SINK_OVERWRITE, &info);
        if (code == 0)
            code = deliver(sink);
        /* A journal of what was delivered may stay, and does no harm. */
        if (code == 0)
            rig_gate_off();
        xf_sink_discard(sink);
        rig_gate_off();
        st = look("file");
        if (code == 0 || st.st_size == 3)
            rig_assert_file("file", "abc", 3);
        else
            rig_assert_file("file", "older", 5);
        assert_int_equal(rig_entries(), 1);
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 10, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(the_name_appears_with_the_last_step),
        RIG_TEST(a_file_of_0_bytes_is_a_file),
        RIG_TEST(mode_is_0600_whatever_the_umask_allows),
        RIG_TEST(what_is_discarded_leaves_nothing),
        RIG_TEST(a_taken_name_is_numbered),
        RIG_TEST(a_taken_name_is_refused_at_once),
        RIG_TEST(a_name_taken_meanwhile_is_refused_at_the_end),
        RIG_TEST(only_a_regular_file_is_overwritten),
        RIG_TEST(what_came_meanwhile_is_overwritten_only_if_regular),
        RIG_TEST(what_was_overwritten_with_stays_when_discarded),
        RIG_TEST(number_999_is_the_last_one_tried),
        RIG_TEST(a_name_of_255_bytes_is_whole),
        RIG_TEST(the_directory_is_the_one_that_was_opened),
        RIG_TEST(a_directory_replaced_meanwhile_keeps_its_file),
        RIG_TEST(a_directory_removed_meanwhile_is_an_error),
        RIG_TEST(a_part_that_was_replaced_is_not_delivered),
        RIG_TEST(what_has_the_name_of_a_part_is_neither_opened_nor_followed),
        RIG_TEST(a_size_over_the_free_space_is_refused),
        RIG_TEST(a_disk_that_is_full_is_no_space),
        RIG_TEST(space_that_cannot_be_reserved_is_no_error_but_lack_of_it),
        RIG_TEST(data_is_synced_then_named_then_the_name_is_synced),
        RIG_TEST(where_rename_replaces_the_name_is_linked),
        RIG_TEST(what_is_written_is_synced_every_16_mib),
        RIG_TEST(a_failed_sync_is_final),
        RIG_TEST(a_directory_that_cannot_be_synced_is_no_error),
        RIG_TEST(no_failing_call_leaves_a_wrong_file),
        RIG_TEST(no_failing_call_loses_the_file_that_is_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
