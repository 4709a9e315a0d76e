/* What lies unfinished is told as it is, and removed when nobody needs it. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xferry/xferry.h>

#include "stream/file.h"

static struct xf_error_info info;

static struct xf_sink *begin(const char *name, uint64_t size, size_t have)
{
    struct xf_part_of of = { .peer = "romeo@example.net",
                             .name = name,
                             .size = size };
    struct xf_sink *sink = NULL;
    char bytes[1000] = { 0 };

    assert_int_equal(
        xf_sink_open(&sink, rig_dir, &of, XF_SINK_RENAME, true, &info), 0);
    assert_int_equal(xf_sink_write(sink, bytes, have, &info), 0);
    return sink;
}

static void leave(const char *name, uint64_t size, size_t have)
{
    xf_sink_close(begin(name, size, have));
}

static struct xf_parts *list(void)
{
    struct xf_parts *parts = NULL;

    assert_int_equal(xf_parts_open(&parts, rig_dir), 0);
    return parts;
}

/* The only one there is. */
static const struct xf_part *only(struct xf_parts **parts)
{
    const struct xf_part *part;

    *parts = list();
    part = xf_parts_next(*parts);
    assert_non_null(part);
    return part;
}

static void assert_empty(void)
{
    struct xf_parts *parts = list();

    assert_null(xf_parts_next(parts));
    xf_parts_close(parts);
}

static void a_part_is_told_with_what_it_is_of(void **state)
{
    struct xf_sink *sink = begin("a b", 1000, 600);
    const struct xf_part *part;
    struct xf_parts *parts;
    char file[64];

    (void)state;
    (void)snprintf(file, sizeof file, "%s", rig_part());
    assert_int_equal(xf_sink_settle(sink, &info), 0);
    assert_int_equal(xf_sink_write(sink, "abc", 3, &info), 0);
    xf_sink_close(sink);
    rig_make("other", "x", 1);
    rig_make(".xf-other", "x", 1);
    rig_make(".xf-0123456789ABCDEF.part", "x", 1);
    part = only(&parts);
    assert_string_equal(part->file, file);
    assert_string_equal(part->peer, "romeo@example.net");
    assert_string_equal(part->name, "a b");
    assert_null(part->done);
    assert_int_equal(part->size, 1000);
    assert_int_equal(part->have, 603);
    assert_int_equal(part->durable, 600);
    assert_in_range(part->changed_at, time(NULL) - 60, time(NULL) + 1);
    assert_false(part->busy);
    assert_true(part->readable);
    assert_null(xf_parts_next(parts));
    xf_parts_close(parts);
    assert_int_equal(rig_entries(), 5);
}

static void an_unknown_size_is_told_as_such(void **state)
{
    struct xf_parts *parts;

    (void)state;
    leave("file", XF_SINK_SIZE_UNKNOWN, 5);
    assert_int_equal(only(&parts)->size, XF_SIZE_UNKNOWN);
    xf_parts_close(parts);
}

static void one_in_use_is_told_and_stays(void **state)
{
    struct xf_sink *sink = begin("file", 10, 5);
    const struct xf_part *part;
    struct xf_parts *parts;

    (void)state;
    part = only(&parts);
    assert_true(part->busy);
    assert_true(part->readable);
    assert_string_equal(part->name, "file");
    assert_int_equal(part->have, 5);
    assert_int_equal(xf_parts_remove(parts), XF_E_BUSY);
    xf_parts_close(parts);
    assert_int_equal(xf_sink_write(sink, "abcde", 5, &info), 0);
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    assert_int_equal(xf_sink_publish(sink, &info), 0);
    xf_sink_close(sink);
    assert_empty();
}

static void one_that_was_left_is_removed_with_its_journal(void **state)
{
    struct xf_parts *parts;
    unsigned seen = 0;

    (void)state;
    rig_make("other", "x", 1);
    leave("a", 10, 5);
    leave("b", 10, 0);
    leave("c", 10, 10);
    parts = list();
    while (xf_parts_next(parts)) {
        assert_int_equal(xf_parts_remove(parts), 0);
        assert_int_equal(xf_parts_remove(parts), 0); /* it has gone */
        seen++;
    }
    xf_parts_close(parts);
    assert_int_equal(seen, 3);
    assert_int_equal(rig_entries(), 1);
}

static void one_that_comes_into_use_meanwhile_stays(void **state)
{
    struct xf_parts *parts;
    struct xf_sink *sink;

    (void)state;
    leave("file", 10, 5);
    assert_false(only(&parts)->busy);
    sink = begin("file", 10, 0);
    assert_int_equal(xf_sink_written(sink), 5);
    assert_int_equal(xf_parts_remove(parts), XF_E_BUSY);
    xf_parts_close(parts);
    xf_sink_close(sink);
    assert_int_equal(rig_entries(), 2);
}

static void a_part_without_a_journal_is_told_too(void **state)
{
    const struct xf_part *part;
    struct xf_parts *parts;

    (void)state;
    leave("known", 100, 50);
    rig_empty(".");
    rig_make(".xf-0123456789abcdef.part", "abc", 3);
    part = only(&parts);
    assert_false(part->readable);
    assert_string_equal(part->file, ".xf-0123456789abcdef.part");
    assert_null(part->peer);
    assert_null(part->name);
    assert_int_equal(part->size, XF_SIZE_UNKNOWN);
    assert_int_equal(part->have, 3);
    assert_int_equal(part->durable, 0);
    assert_int_equal(xf_parts_remove(parts), 0);
    xf_parts_close(parts);
    /* Nor is one believed that is none. */
    rig_make(".xf-0123456789abcdef.part", "abc", 3);
    rig_make(".xf-0123456789abcdef.journal", "xferry-part 1 x\n", 16);
    part = only(&parts);
    assert_false(part->readable);
    assert_int_equal(part->have, 3);
    assert_null(part->peer);
    assert_int_equal(xf_parts_remove(parts), 0);
    xf_parts_close(parts);
    assert_int_equal(rig_entries(), 0);
}

static void a_journal_without_a_part_is_told_too(void **state)
{
    const struct xf_part *part;
    struct xf_parts *parts;

    (void)state;
    leave("file", 10, 5);
    assert_int_equal(unlinkat(rig_dir, rig_part(), 0), 0);
    part = only(&parts);
    assert_true(part->readable);
    assert_string_equal(part->file + 20, ".journal");
    assert_string_equal(part->name, "file");
    assert_int_equal(part->have, 0);
    assert_int_equal(xf_parts_remove(parts), 0);
    xf_parts_close(parts);
    assert_int_equal(rig_entries(), 0);
    rig_make(".xf-0123456789abcdef.journal", "x", 1);
    part = only(&parts);
    assert_false(part->readable);
    assert_int_equal(part->have, 0);
    assert_int_equal(xf_parts_remove(parts), 0);
    xf_parts_close(parts);
    assert_int_equal(rig_entries(), 0);
}

/* Whole, and only its journal is left: the file is the user's. */
static void a_file_that_has_its_name_is_never_removed(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_UNLINK, .fail = 1, .err = EIO };
    struct xf_sink *sink = begin("file", 5, 5);
    const struct xf_part *part;
    struct xf_parts *parts;

    (void)state;
    assert_int_equal(xf_sink_sync(sink, &info), 0);
    rig_gate_on(&gate);
    assert_int_equal(xf_sink_publish(sink, &info), 0);
    xf_sink_close(sink);
    rig_gate_off();
    part = only(&parts);
    assert_string_equal(part->done, "file");
    assert_string_equal(part->file + 20, ".journal");
    assert_int_equal(part->have, 5);
    assert_int_equal(xf_parts_remove(parts), 0);
    xf_parts_close(parts);
    assert_true(rig_exists("file"));
    assert_int_equal(rig_entries(), 1);
}

static void a_link_is_removed_and_not_followed(void **state)
{
    struct xf_parts *parts;

    (void)state;
    rig_make("mine", "abc", 3);
    assert_int_equal(symlinkat("mine", rig_dir, ".xf-0123456789abcdef.part"),
                     0);
    assert_int_equal(only(&parts)->have, 0);
    assert_int_equal(xf_parts_remove(parts), 0);
    xf_parts_close(parts);
    rig_assert_file("mine", "abc", 3);
    assert_int_equal(rig_entries(), 1);
}

static void what_is_no_directory_is_an_error(void **state)
{
    struct xf_parts *parts = NULL;
    int fd;

    (void)state;
    rig_make("file", "", 0);
    fd = openat(rig_dir, "file", O_RDONLY);
    assert_int_equal(xf_parts_open(&parts, fd), XF_E_IO);
    assert_int_equal(xf_parts_open(&parts, -1), XF_E_IO);
    assert_null(parts);
    xf_parts_close(NULL);
    close(fd);
}

static void no_failing_call_removes_what_is_not_to_be(void **state)
{
    struct rig_gate gate = { .only = -1, .err = EIO };

    (void)state;
    do {
        struct xf_sink *sink = begin("busy", 10, 5);
        struct xf_parts *parts;

        leave("left", 10, 5);
        rig_make("mine", "abc", 3);
        gate.fail++;
        rig_gate_on(&gate);
        if (xf_parts_open(&parts, rig_dir) == 0) {
            while (xf_parts_next(parts))
                (void)xf_parts_remove(parts);
            xf_parts_close(parts);
        }
        rig_gate_off();
        rig_assert_file("mine", "abc", 3);
        assert_int_equal(xf_sink_write(sink, "abcde", 5, &info), 0);
        assert_int_equal(xf_sink_sync(sink, &info), 0);
        assert_int_equal(xf_sink_publish(sink, &info), 0);
        xf_sink_close(sink);
        rig_empty(".");
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 10, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_part_is_told_with_what_it_is_of),
        RIG_TEST(an_unknown_size_is_told_as_such),
        RIG_TEST(one_in_use_is_told_and_stays),
        RIG_TEST(one_that_was_left_is_removed_with_its_journal),
        RIG_TEST(one_that_comes_into_use_meanwhile_stays),
        RIG_TEST(a_part_without_a_journal_is_told_too),
        RIG_TEST(a_journal_without_a_part_is_told_too),
        RIG_TEST(a_file_that_has_its_name_is_never_removed),
        RIG_TEST(a_link_is_removed_and_not_followed),
        RIG_TEST(what_is_no_directory_is_an_error),
        RIG_TEST(no_failing_call_removes_what_is_not_to_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
