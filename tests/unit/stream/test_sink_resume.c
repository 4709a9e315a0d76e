/* What is left of a transfer, and what the next one makes of it. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "stream/file.h"
#include "stream/journal.h"

static struct xf_error_info info;

#define SIZE 10000
static const struct xf_part_of of = {
    .peer = "romeo@example.net",
    .name = "file",
    .size = SIZE,
    .version = "v1",
    .hash = "900150983cd24fb0d6963f7d28e17f72",
};

static char bytes[SIZE];

static int open_of(struct xf_sink **sink, const struct xf_part_of *what,
                   bool resume)
{
    *sink = NULL;
    return xf_sink_open(sink, rig_dir, what, XF_SINK_RENAME, resume, &info);
}

static struct xf_sink *resume_of(const struct xf_part_of *what)
{
    struct xf_sink *sink;

    assert_int_equal(open_of(&sink, what, true), 0);
    return sink;
}

static struct xf_sink *begin(void)
{
    return resume_of(&of);
}

static void put(struct xf_sink *sink, size_t from, size_t to)
{
    assert_int_equal(xf_sink_write(sink, bytes + from, to - from, &info), 0);
}

/* A part of `have` bytes is left. */
static void leave(size_t have)
{
    struct xf_sink *sink = begin();

    put(sink, 0, have);
    xf_sink_close(sink);
}

static void finish(struct xf_sink *sink)
{
    put(sink, xf_sink_written(sink), SIZE);
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    assert_int_equal(xf_sink_publish(sink, &info), 0);
    xf_sink_close(sink);
}

/* The journal's name; static. */
static const char *journal_name(void)
{
    static char name[64];

    (void)snprintf(name, sizeof name, "%.20s.journal", rig_part());
    return name;
}

/* --- going on ------------------------------------------------------------ */

static void a_part_is_gone_on_with_wherever_it_ended(void **state)
{
    static const size_t ends[] = { 0,    1,        4095,     4096,
                                   4097, SIZE / 2, SIZE - 1, SIZE };

    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        static char back[SIZE];
        struct xf_sink *sink;
        char part[64];

        leave(ends[i]);
        assert_int_equal(rig_entries(), 2);
        (void)snprintf(part, sizeof part, "%s", rig_part());
        sink = resume_of(&of);
        assert_string_equal(rig_part(), part);
        assert_int_equal(xf_sink_written(sink), ends[i]);
        assert_int_equal(xf_sink_durable(sink), 0);
        assert_false(xf_sink_is_published(sink));
        assert_int_equal(xf_sink_read(sink, back, ends[i], 0, &info), 0);
        assert_memory_equal(back, bytes, ends[i]);
        assert_int_equal(xf_sink_read(sink, back, 1, ends[i], &info), XF_E_IO);
        finish(sink);
        rig_assert_file("file", bytes, SIZE);
        assert_int_equal(rig_entries(), 1);
        rig_empty(".");
    }
}

static void what_is_settled_is_known_to_be_safe(void **state)
{
    struct xf_sink *sink = begin();

    (void)state;
    put(sink, 0, 5000);
    assert_int_equal(xf_sink_settle(sink, &info), 0);
    assert_int_equal(xf_sink_durable(sink), 5000);
    put(sink, 5000, 6000);
    xf_sink_close(sink);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 6000);
    assert_int_equal(xf_sink_durable(sink), 5000);
    put(sink, 6000, 7000);
    assert_int_equal(xf_sink_settle(sink, &info), 0);
    xf_sink_close(sink);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_durable(sink), 7000);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 0);
}

static void sixteen_mib_are_noted_by_themselves(void **state)
{
    struct xf_part_of large = of;
    char *block = rig_bytes(XF_SINK_SYNC_BYTES);
    struct xf_sink *sink;

    (void)state;
    large.size = 100u << 20;
    sink = resume_of(&large);
    assert_int_equal(xf_sink_write(sink, block, XF_SINK_SYNC_BYTES, &info), 0);
    assert_int_equal(xf_sink_write(sink, block, 5, &info), 0);
    xf_sink_close(sink);
    sink = resume_of(&large);
    assert_int_equal(xf_sink_written(sink), XF_SINK_SYNC_BYTES + 5);
    assert_int_equal(xf_sink_durable(sink), XF_SINK_SYNC_BYTES);
    xf_sink_discard(sink);
    free(block);
}

static void what_is_cut_is_written_again(void **state)
{
    struct xf_sink *sink;

    (void)state;
    sink = begin();
    put(sink, 0, 5000);
    assert_int_equal(xf_sink_settle(sink, &info), 0);
    xf_sink_close(sink);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_cut(sink, 1000, &info), 0);
    assert_int_equal(xf_sink_written(sink), 1000);
    assert_int_equal(xf_sink_durable(sink), 1000);
    xf_sink_close(sink);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 1000);
    assert_int_equal(xf_sink_durable(sink), 1000);
    assert_int_equal(xf_sink_cut(sink, 0, &info), 0);
    finish(sink);
    rig_assert_file("file", bytes, SIZE);
}

static void a_part_that_was_cut_or_grew_is_what_it_is_now(void **state)
{
    struct xf_sink *sink;
    int fd;

    (void)state;
    sink = begin();
    put(sink, 0, 5000);
    assert_int_equal(xf_sink_settle(sink, &info), 0);
    xf_sink_close(sink);
    fd = openat(rig_dir, rig_part(), O_RDWR);
    assert_int_equal(ftruncate(fd, 3000), 0);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 3000);
    assert_int_equal(xf_sink_durable(sink), 3000);
    xf_sink_close(sink);
    assert_int_equal(ftruncate(fd, 3 * SIZE), 0);
    close(fd);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), SIZE);
    assert_true(xf_sink_durable(sink) <= 5000);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 0);
}

static void only_what_is_still_to_come_needs_space(void **state)
{
    struct xf_part_of large = of;
    struct xf_sink *sink;
    struct statvfs fs;
    uint64_t left;
    int fd;

    (void)state;
    assert_int_equal(fstatvfs(rig_dir, &fs), 0);
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    large.size = left + (8ull << 30);
    assert_int_equal(open_of(&sink, &large, true), XF_E_NOSPC);
    large.size = 1000;
    sink = resume_of(&large);
    xf_sink_close(sink);
    /* Sparse, so that only its length is there. */
    rig_empty(".");
    large.size = left / 2;
    sink = resume_of(&large);
    xf_sink_close(sink);
    fd = openat(rig_dir, rig_part(), O_RDWR);
    assert_int_equal(ftruncate(fd, (off_t)large.size), 0);
    close(fd);
    sink = resume_of(&large);
    assert_int_equal(xf_sink_written(sink), large.size);
    xf_sink_discard(sink);
}

/* --- not going on -------------------------------------------------------- */

/* The part is left alone, and another one begun beside it. */
static void assert_fresh_beside(const struct xf_part_of *what)
{
    struct xf_sink *sink;

    leave(5000);
    sink = resume_of(what);
    assert_int_equal(xf_sink_written(sink), 0);
    assert_int_equal(rig_entries(), 4);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 2);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 5000);
    xf_sink_discard(sink);
}

static void of_another_peer_or_name_it_is_left_alone(void **state)
{
    struct xf_part_of what = of;

    (void)state;
    what.peer = "juliet@example.net";
    assert_fresh_beside(&what);
    what = of;
    what.name = "fil";
    assert_fresh_beside(&what);
}

/* The part is removed, a new one begun. */
static void assert_fresh_instead(const struct xf_part_of *what, bool resume)
{
    char part[64];
    struct xf_sink *sink;

    leave(5000);
    (void)snprintf(part, sizeof part, "%s", rig_part());
    assert_int_equal(open_of(&sink, what, resume), 0);
    assert_int_equal(xf_sink_written(sink), 0);
    assert_int_equal(rig_entries(), 2);
    assert_string_not_equal(rig_part(), part);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 0);
}

static void of_another_state_of_the_file_it_is_replaced(void **state)
{
    struct xf_part_of what = of;

    (void)state;
    what.size = SIZE + 1;
    assert_fresh_instead(&what, true);
    what.size = XF_SINK_SIZE_UNKNOWN;
    assert_fresh_instead(&what, true);
    what = of;
    what.version = "v2";
    assert_fresh_instead(&what, true);
    what.version = NULL;
    assert_fresh_instead(&what, true);
    what = of;
    what.hash = "900150983cd24fb0d6963f7d28e17f73";
    assert_fresh_instead(&what, true);
    what.hash = NULL;
    assert_fresh_instead(&what, true);
}

static void without_being_asked_to_nothing_is_gone_on_with(void **state)
{
    (void)state;
    assert_fresh_instead(&of, false);
}

static void a_retry_never_piles_up_parts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        struct xf_part_of what = of;
        struct xf_sink *sink;
        char version[16];

        (void)snprintf(version, sizeof version, "%u", i);
        what.version = version;
        sink = resume_of(&what);
        assert_int_equal(xf_sink_write(sink, "abc", 3, &info), 0);
        xf_sink_close(sink);
        assert_int_equal(rig_entries(), 2);
    }
}

static void what_is_refused_for_its_name_keeps_its_part(void **state)
{
    struct xf_part_of what = of;
    struct xf_sink *sink;

    (void)state;
    leave(5000);
    rig_make("file", "old", 3);
    what.version = "v2";
    assert_int_equal(
        xf_sink_open(&sink, rig_dir, &what, XF_SINK_REFUSE, true, &info),
        XF_E_EXISTS);
    assert_int_equal(rig_entries(), 3);
    assert_int_equal(
        xf_sink_open(&sink, rig_dir, &of, XF_SINK_REFUSE, true, &info),
        XF_E_EXISTS);
    assert_int_equal(rig_entries(), 3);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 5000);
    finish(sink);
    rig_assert_file("file (1)", bytes, SIZE);
    rig_assert_file("file", "old", 3);
}

/* Another file in its place is not believed, whatever the journal says. */
static void a_file_put_in_place_of_the_part_is_replaced(void **state)
{
    struct xf_sink *sink;
    char part[64];

    (void)state;
    leave(5000);
    (void)snprintf(part, sizeof part, "%s", rig_part());
    rig_make("evil", bytes, 5000);
    assert_int_equal(renameat(rig_dir, "evil", rig_dir, part), 0);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 0);
    assert_int_equal(rig_entries(), 2);
    xf_sink_discard(sink);
}

static void a_link_in_place_of_the_part_is_not_followed(void **state)
{
    struct xf_sink *sink;
    char part[64];

    (void)state;
    leave(5000);
    (void)snprintf(part, sizeof part, "%s", rig_part());
    assert_int_equal(renameat(rig_dir, part, rig_dir, "mine"), 0);
    assert_int_equal(symlinkat("mine", rig_dir, part), 0);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 0);
    finish(sink);
    rig_assert_file("mine", bytes, 5000);
    rig_assert_file("file", bytes, SIZE);
    assert_int_equal(rig_entries(), 2);
}

/* None of these is opened for longer than a look. */
static void what_is_no_file_in_place_of_the_part_does_no_harm(void **state)
{
    struct xf_sink *sink;
    char part[64];

    (void)state;
    leave(5000);
    (void)snprintf(part, sizeof part, "%s", rig_part());
    assert_int_equal(unlinkat(rig_dir, part, 0), 0);
    assert_int_equal(mkfifoat(rig_dir, part, 0600), 0);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 0);
    xf_sink_discard(sink);
    leave(5000);
    (void)snprintf(part, sizeof part, "%s", rig_part());
    assert_int_equal(unlinkat(rig_dir, part, 0), 0);
    assert_int_equal(mkdirat(rig_dir, part, 0700), 0);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 0);
    xf_sink_discard(sink);
    assert_int_equal(unlinkat(rig_dir, part, AT_REMOVEDIR), 0);
}

static void a_part_that_is_gone_is_begun_anew(void **state)
{
    struct xf_sink *sink;

    (void)state;
    leave(5000);
    assert_int_equal(unlinkat(rig_dir, rig_part(), 0), 0);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 0);
    assert_int_equal(rig_entries(), 2);
    finish(sink);
}

/* --- two at once --------------------------------------------------------- */

static void a_part_in_use_is_left_alone(void **state)
{
    struct xf_sink *first = begin(), *second;
    struct xf_part_of other = of;

    (void)state;
    put(first, 0, 5000);
    second = resume_of(&of);
    assert_int_equal(xf_sink_written(second), 0);
    assert_int_equal(rig_entries(), 4);
    xf_sink_discard(second);
    other.version = "v2"; /* not removed for being of another state either */
    second = resume_of(&other);
    assert_int_equal(rig_entries(), 4);
    xf_sink_discard(second);
    finish(first);
    rig_assert_file("file", bytes, SIZE);
    assert_int_equal(rig_entries(), 1);
}

/* Of two that were left the further one goes on, the other one goes. */
static void of_two_parts_the_longer_one_is_taken(void **state)
{
    for (int order = 0; order < 8; order++) {
        struct xf_sink *first = begin(), *second = resume_of(&of);

        put(first, 0, 5000 + (order & 1));
        put(second, 0, 5001 - (order & 1));
        xf_sink_close(first);
        xf_sink_close(second);
        assert_int_equal(rig_entries(), 4);
        first = resume_of(&of);
        assert_int_equal(xf_sink_written(first), 5001);
        assert_int_equal(rig_entries(), 2);
        xf_sink_discard(first);
        assert_int_equal(rig_entries(), 0);
    }
    (void)state;
}

/* --- the journal --------------------------------------------------------- */

static size_t read_journal(char *text, size_t max)
{
    int fd = openat(rig_dir, journal_name(), O_RDONLY);
    ssize_t n = read(fd, text, max);

    assert_true(n > 0);
    close(fd);
    return (size_t)n;
}

static void a_torn_journal_promises_less(void **state)
{
    struct xf_sink *sink = begin();
    char text[1024], name[64];
    size_t len, first;

    (void)state;
    put(sink, 0, 5000);
    assert_int_equal(xf_sink_settle(sink, &info), 0);
    xf_sink_close(sink);
    len = read_journal(text, sizeof text);
    first = (size_t)((char *)memchr(text, '\n', len) - text) + 1;
    (void)snprintf(name, sizeof name, "%s", journal_name());
    for (size_t cut = first; cut < len; cut++) {
        rig_make(name, text, cut);
        sink = resume_of(&of);
        assert_int_equal(xf_sink_written(sink), 5000);
        assert_int_equal(xf_sink_durable(sink), 0);
        xf_sink_close(sink);
    }
    /* Without a first line nobody knows what the part is of. */
    rig_make(name, text, first - 1);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 0);
    assert_int_equal(rig_entries(), 4);
    xf_sink_discard(sink);
}

/* --- published, but nobody was told -------------------------------------- */

/* The last calls fail, as if there had been none: the state of a crash. */
static void crash_at(enum xf_sys_call call, unsigned number, int err,
                     enum xf_sink_exists exists)
{
    struct rig_gate gate = {
        .only = (int)call, .fail = number, .onward = true, .err = err
    };
    struct xf_sink *sink = NULL;

    assert_int_equal(xf_sink_open(&sink, rig_dir, &of, exists, true, &info), 0);
    put(sink, 0, SIZE);
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    rig_gate_on(&gate);
    (void)xf_sink_publish(sink, &info);
    xf_sink_close(sink);
    rig_gate_off();
}

static void assert_is_found_as(const char *name)
{
    struct xf_sink *sink;
    char back[3];

    assert_int_equal(
        xf_sink_open(&sink, rig_dir, &of, XF_SINK_REFUSE, true, &info), 0);
    assert_true(xf_sink_is_published(sink));
    assert_string_equal(xf_sink_name(sink), name);
    assert_int_equal(xf_sink_written(sink), SIZE);
    assert_int_equal(xf_sink_durable(sink), SIZE);
    assert_int_equal(xf_sink_read(sink, back, 3, 5, &info), 0);
    assert_memory_equal(back, bytes + 5, 3);
    assert_int_equal(xf_sink_settle(sink, &info), 0);
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    assert_int_equal(xf_sink_publish(sink, &info), 0);
    xf_sink_close(sink);
    rig_assert_file(name, bytes, SIZE);
}

static void a_name_that_was_not_told_of_is_found(void **state)
{
    (void)state;
    /* Before the directory is synced, and before the journal goes. */
    crash_at(XF_SYS_SYNC, 2, EIO, XF_SINK_RENAME);
    assert_int_equal(rig_entries(), 2);
    assert_is_found_as("file");
    assert_int_equal(rig_entries(), 1);
    rig_make("file", "old", 3);
    crash_at(XF_SYS_UNLINK, 1, EIO, XF_SINK_RENAME);
    assert_int_equal(rig_entries(), 3);
    assert_is_found_as("file (1)");
    assert_int_equal(rig_entries(), 2);
    crash_at(XF_SYS_UNLINK, 1, EIO, XF_SINK_OVERWRITE);
    assert_is_found_as("file");
    assert_int_equal(rig_entries(), 2);
}

/* In between the part is a part: its name was noted, and is nobody's. */
static void a_name_that_was_only_noted_is_not_taken_for_made(void **state)
{
    struct xf_sink *sink;

    (void)state;
    crash_at(XF_SYS_RENAME, 1, EIO, XF_SINK_RENAME);
    assert_int_equal(rig_entries(), 2);
    sink = resume_of(&of);
    assert_false(xf_sink_is_published(sink));
    assert_int_equal(xf_sink_written(sink), SIZE);
    assert_int_equal(xf_sink_durable(sink), SIZE);
    xf_sink_close(sink);
    /* Nor is another file that has got it since. */
    rig_make("file", bytes, SIZE);
    sink = resume_of(&of);
    assert_false(xf_sink_is_published(sink));
    finish(sink);
    rig_assert_file("file (1)", bytes, SIZE);
}

static void another_file_of_that_name_is_not_taken_for_ours(void **state)
{
    struct xf_sink *sink;

    (void)state;
    crash_at(XF_SYS_UNLINK, 1, EIO, XF_SINK_RENAME);
    assert_int_equal(renameat(rig_dir, "file", rig_dir, "moved"), 0);
    rig_make("file", bytes, SIZE);
    sink = resume_of(&of);
    assert_false(xf_sink_is_published(sink));
    assert_int_equal(xf_sink_written(sink), 0);
    xf_sink_discard(sink);
    rig_assert_file("file", bytes, SIZE);
    rig_assert_file("moved", bytes, SIZE);
    assert_int_equal(rig_entries(), 2);
}

static void of_two_names_made_by_linking_one_stays(void **state)
{
    char part[64];
    struct xf_sink *sink;

    (void)state;
    /* Linked after all, as a crash right behind it leaves them. */
    crash_at(XF_SYS_RENAME, 1, EIO, XF_SINK_RENAME);
    (void)snprintf(part, sizeof part, "%s", rig_part());
    assert_int_equal(linkat(rig_dir, part, rig_dir, "file", 0), 0);
    assert_is_found_as("file");
    assert_int_equal(rig_entries(), 1);
    rig_empty(".");
    crash_at(XF_SYS_RENAME, 1, EIO, XF_SINK_RENAME);
    (void)snprintf(part, sizeof part, "%s", rig_part());
    assert_int_equal(linkat(rig_dir, part, rig_dir, "file", 0), 0);
    assert_int_equal(open_of(&sink, &of, false), 0);
    xf_sink_discard(sink);
    rig_assert_file("file", bytes, SIZE);
    assert_int_equal(rig_entries(), 1);
}

static void what_is_published_stays_unless_it_is_asked_for(void **state)
{
    struct xf_sink *sink;

    (void)state;
    crash_at(XF_SYS_UNLINK, 1, EIO, XF_SINK_RENAME);
    assert_int_equal(open_of(&sink, &of, false), 0);
    assert_false(xf_sink_is_published(sink));
    assert_int_equal(rig_entries(), 3);
    finish(sink);
    rig_assert_file("file", bytes, SIZE);
    rig_assert_file("file (1)", bytes, SIZE);
    assert_int_equal(rig_entries(), 2);
}

/* The user may have it open by now, however it got its name. */
static void what_was_found_published_is_not_taken_away(void **state)
{
    struct xf_sink *sink;

    (void)state;
    crash_at(XF_SYS_UNLINK, 1, EIO, XF_SINK_RENAME);
    sink = resume_of(&of);
    assert_true(xf_sink_is_published(sink));
    xf_sink_discard(sink);
    rig_assert_file("file", bytes, SIZE);
    assert_int_equal(rig_entries(), 1);
    crash_at(XF_SYS_UNLINK, 1, EIO, XF_SINK_OVERWRITE);
    sink = resume_of(&of);
    assert_true(xf_sink_is_published(sink));
    xf_sink_discard(sink);
    rig_assert_file("file", bytes, SIZE);
    assert_int_equal(rig_entries(), 1);
}

/* --- any call fails ------------------------------------------------------ */

/* Two transfers of the same file, the second goes on with the first; `fail`
 * of their calls, or all from it on, fail. Returns the code. */
static int in_two_halves(void)
{
    struct xf_sink *sink;
    int code = open_of(&sink, &of, true);

    if (code == 0 && !xf_sink_is_published(sink) &&
        xf_sink_written(sink) < SIZE / 2) {
        code = xf_sink_write(sink, bytes + xf_sink_written(sink),
                             SIZE / 2 - xf_sink_written(sink), &info);
        if (code == 0)
            code = xf_sink_settle(sink, &info);
    }
    xf_sink_close(sink);
    if (code != 0)
        return code;
    code = open_of(&sink, &of, true);
    if (code == 0 && !xf_sink_is_published(sink))
        code = xf_sink_write(sink, bytes + xf_sink_written(sink),
                             SIZE - xf_sink_written(sink), &info);
    if (code == 0)
        code = xf_sink_sync(sink, &info);
    if (code == 0)
        code = xf_sink_publish(sink, &info);
    xf_sink_close(sink);
    return code;
}

/* Whatever failed: under its name it is whole, what is left can be gone on
 * with, and then nothing is left but the file. */
static void fail_at_each_call(int err, bool onward)
{
    struct rig_gate gate = { .only = -1, .err = err, .onward = onward };

    do {
        int code;

        gate.fail++;
        rig_gate_on(&gate);
        code = in_two_halves();
        rig_gate_off();
        if (code == 0 || rig_exists("file"))
            rig_assert_file("file", bytes, SIZE);
        if (code != 0)
            assert_int_equal(info.code, code);
        assert_int_equal(in_two_halves(), 0);
        rig_assert_file("file", bytes, SIZE);
        if (rig_exists("file (1)"))
            rig_assert_file("file (1)", bytes, SIZE);
        rig_empty(".");
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 30, 999);
}

static void no_failing_call_spoils_what_is_left(void **state)
{
    static const int errs[] = { EIO, ENOSPC, EACCES, EINTR, ENOMEM, EINVAL };

    (void)state;
    for (unsigned i = 0; i < sizeof errs / sizeof errs[0]; i++) {
        fail_at_each_call(errs[i], false);
        fail_at_each_call(errs[i], true);
    }
}

/* What a failed sync has dropped, a second one calls clean. */
static void a_part_whose_sync_failed_is_not_left(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_SYNC, .fail = 1, .err = EIO };
    struct xf_sink *sink = begin();

    (void)state;
    put(sink, 0, 5000);
    rig_gate_on(&gate);
    assert_int_equal(xf_sink_settle(sink, &info), XF_E_IO);
    rig_gate_off();
    xf_sink_close(sink);
    assert_int_equal(rig_entries(), 0);
}

static void who_cannot_look_or_lock_begins_anew(void **state)
{
    struct rig_gate list = { .only = XF_SYS_LIST, .fail = 1, .err = EACCES };
    struct rig_gate lock = {
        .only = XF_SYS_LOCK, .fail = 1, .onward = true, .err = ENOLCK
    };
    struct xf_sink *sink;

    (void)state;
    leave(5000);
    rig_gate_on(&list);
    sink = resume_of(&of);
    rig_gate_off();
    assert_int_equal(xf_sink_written(sink), 0);
    xf_sink_discard(sink);
    rig_gate_on(&lock);
    sink = resume_of(&of);
    rig_gate_off();
    assert_int_equal(xf_sink_written(sink), 0);
    xf_sink_discard(sink);
    assert_int_equal(rig_entries(), 2);
}

/* --- limits -------------------------------------------------------------- */

static double seconds_since(const struct timespec *before)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - before->tv_sec) +
           (double)(now.tv_nsec - before->tv_nsec) / 1e9;
}

static void a_hundred_thousand_files_around_cost_little(void **state)
{
    struct timespec before;
    struct xf_sink *sink;
    char name[32];

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        (void)snprintf(name, sizeof name,
                       i < 1000 && i > 0 ? "file (%u)" : "other %u", i);
        assert_int_equal(mknodat(rig_dir, name, S_IFREG | 0600, 0), 0);
    }
    rig_make("file", "", 0);
    leave(5000);
    clock_gettime(CLOCK_MONOTONIC, &before);
    sink = resume_of(&of);
    assert_int_equal(xf_sink_written(sink), 5000);
    put(sink, 5000, SIZE);
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    assert_int_equal(xf_sink_publish(sink, &info), XF_E_EXISTS);
    assert_true(seconds_since(&before) < 1);
    xf_sink_discard(sink);
}

static void what_is_too_long_to_be_noted_is_refused(void **state)
{
    static char version[XF_PART_VERSION_MAX + 2];
    struct xf_part_of what = of;
    struct xf_sink *sink;

    (void)state;
    memset(version, 'v', sizeof version - 1);
    what.version = version;
    assert_int_equal(open_of(&sink, &what, true), XF_E_USAGE);
    assert_null(sink);
    version[XF_PART_VERSION_MAX] = '\0';
    sink = resume_of(&what);
    xf_sink_close(sink);
    assert_int_equal(rig_entries(), 2);
    sink = resume_of(&what);
    assert_int_equal(rig_entries(), 2);
    xf_sink_discard(sink);
}

static int make_bytes(void **state)
{
    char *random = rig_bytes(SIZE);

    (void)state;
    memcpy(bytes, random, SIZE);
    free(random);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_part_is_gone_on_with_wherever_it_ended),
        RIG_TEST(what_is_settled_is_known_to_be_safe),
        RIG_TEST(sixteen_mib_are_noted_by_themselves),
        RIG_TEST(what_is_cut_is_written_again),
        RIG_TEST(a_part_that_was_cut_or_grew_is_what_it_is_now),
        RIG_TEST(only_what_is_still_to_come_needs_space),
        RIG_TEST(of_another_peer_or_name_it_is_left_alone),
        RIG_TEST(of_another_state_of_the_file_it_is_replaced),
        RIG_TEST(without_being_asked_to_nothing_is_gone_on_with),
        RIG_TEST(a_retry_never_piles_up_parts),
        RIG_TEST(what_is_refused_for_its_name_keeps_its_part),
        RIG_TEST(a_file_put_in_place_of_the_part_is_replaced),
        RIG_TEST(a_link_in_place_of_the_part_is_not_followed),
        RIG_TEST(what_is_no_file_in_place_of_the_part_does_no_harm),
        RIG_TEST(a_part_that_is_gone_is_begun_anew),
        RIG_TEST(a_part_in_use_is_left_alone),
        RIG_TEST(of_two_parts_the_longer_one_is_taken),
        RIG_TEST(a_torn_journal_promises_less),
        RIG_TEST(a_name_that_was_not_told_of_is_found),
        RIG_TEST(a_name_that_was_only_noted_is_not_taken_for_made),
        RIG_TEST(another_file_of_that_name_is_not_taken_for_ours),
        RIG_TEST(of_two_names_made_by_linking_one_stays),
        RIG_TEST(what_is_published_stays_unless_it_is_asked_for),
        RIG_TEST(what_was_found_published_is_not_taken_away),
        RIG_TEST(no_failing_call_spoils_what_is_left),
        RIG_TEST(a_part_whose_sync_failed_is_not_left),
        RIG_TEST(who_cannot_look_or_lock_begins_anew),
        RIG_TEST(a_hundred_thousand_files_around_cost_little),
        RIG_TEST(what_is_too_long_to_be_noted_is_refused),
    };

    return cmocka_run_group_tests(tests, make_bytes, NULL);
}
