/* A journal is believed line by line, and only what was written so. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/journal.h"

#define ID "0123456789abcdef"
#define FILE_NAME ".xf-" ID ".journal"

static const struct xf_part_of of = {
    .peer = "romeo@example.net",
    .name = "a b%\n\xc3\xa9.txt",
    .size = 50u << 20,
    .version = "Tue, \"v1\" =",
    .hash = "900150983cd24fb0d6963f7d28e17f72",
};

static struct xf_journal journal;
static char text[XF_JOURNAL_MAX + 1];
static size_t length;

static void create(const struct xf_part_of *what)
{
    assert_int_equal(xf_journal_create(&journal, rig_dir, ID, what, 7, 9), 0);
}

static void load(void)
{
    int fd = openat(rig_dir, FILE_NAME, O_RDONLY);
    ssize_t n = read(fd, text, sizeof text);

    assert_true(n > 0 && (size_t)n < sizeof text);
    length = (size_t)n;
    text[length] = '\0';
    close(fd);
}

static void assert_same_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a)
        assert_string_equal(a, b);
}

static void assert_is_of(const struct xf_part_of *what)
{
    assert_string_equal(journal.of.peer, what->peer);
    assert_string_equal(journal.of.name, what->name);
    assert_int_equal(journal.of.size, what->size);
    assert_same_text(journal.of.version, what->version);
    assert_same_text(journal.of.hash, what->hash);
    assert_int_equal(journal.dev, 7);
    assert_int_equal(journal.ino, 9);
}

static void reopen(void)
{
    assert_true(xf_journal_open(&journal, rig_dir, ID));
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    create(&of);
    assert_int_equal(xf_journal_durable(&journal, 16u << 20), 0);
    xf_journal_close(&journal);
    reopen();
    assert_is_of(&of);
    assert_int_equal(journal.durable, 16u << 20);
    assert_int_equal(journal.end, XF_JOURNAL_PART);
    /* And gone on with. */
    assert_int_equal(xf_journal_durable(&journal, 32u << 20), 0);
    assert_int_equal(xf_journal_as(&journal, "a b (1)", 50u << 20, false), 0);
    xf_journal_close(&journal);
    reopen();
    assert_is_of(&of);
    assert_int_equal(journal.durable, 50u << 20);
    assert_int_equal(journal.end, XF_JOURNAL_AS);
    assert_string_equal(journal.as, "a b (1)");
    assert_int_equal(journal.as_size, 50u << 20);
    assert_int_equal(xf_journal_as(&journal, "c", 50u << 20, true), 0);
    assert_true(xf_journal_reread(&journal));
    assert_int_equal(journal.end, XF_JOURNAL_OVER);
    assert_string_equal(journal.as, "c");
    xf_journal_close(&journal);
}

static void it_is_text_of_our_user_only(void **state)
{
    struct stat st;

    (void)state;
    create(&of);
    xf_journal_close(&journal);
    load();
    assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyzT0123456789"
                                  " .@=%-\n"),
                     length);
    assert_int_equal(strchr(text, '\n') - text, length - 1);
    assert_int_equal(fstatat(rig_dir, FILE_NAME, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void nothing_and_unknown_are_told_from_something(void **state)
{
    struct xf_part_of what = { "p", "n", XF_SINK_SIZE_UNKNOWN, NULL, NULL };

    (void)state;
    create(&what);
    xf_journal_close(&journal);
    reopen();
    assert_is_of(&what);
    xf_journal_close(&journal);
    rig_empty(".");
    what.size = 0;
    what.version = what.hash = "";
    create(&what);
    xf_journal_close(&journal);
    reopen();
    assert_is_of(&what);
    xf_journal_close(&journal);
}

/* Every byte of all of them needs three. */
static void the_longest_values_fit(void **state)
{
    static char peer[XF_JOURNAL_PEER_MAX + 2], name[XF_NAME_MAX + 2];
    static char version[XF_PART_VERSION_MAX + 2];
    static char hash[XF_JOURNAL_HASH_MAX + 2];
    struct xf_part_of what = { peer, name, INT64_MAX, version, hash };

    (void)state;
    memset(peer, '%', XF_JOURNAL_PEER_MAX);
    memset(name, 0xff, XF_NAME_MAX);
    memset(version, ' ', XF_PART_VERSION_MAX);
    memset(hash, '\n', XF_JOURNAL_HASH_MAX);
    assert_true(xf_journal_fits(&what));
    create(&what);
    assert_int_equal(xf_journal_as(&journal, name, INT64_MAX, true), 0);
    xf_journal_close(&journal);
    reopen();
    assert_is_of(&what);
    assert_string_equal(journal.as, name);
    xf_journal_close(&journal);
    version[XF_PART_VERSION_MAX] = ' ';
    assert_false(xf_journal_fits(&what));
    what.version = NULL;
    assert_true(xf_journal_fits(&what));
    peer[XF_JOURNAL_PEER_MAX] = '%';
    assert_false(xf_journal_fits(&what));
}

/* --- damage -------------------------------------------------------------- */

/* Three lines that say more and more; where each ends in `ends`. */
static void write_three(size_t ends[4])
{
    create(&of);
    load();
    ends[0] = length;
    assert_int_equal(xf_journal_durable(&journal, 100), 0);
    load();
    ends[1] = length;
    assert_int_equal(xf_journal_durable(&journal, 200), 0);
    load();
    ends[2] = length;
    assert_int_equal(xf_journal_as(&journal, "file", 300, false), 0);
    xf_journal_close(&journal);
    load();
    ends[3] = length;
}

/* On the heap, so that one byte too many is seen. */
static bool parse(const char *bytes, size_t len)
{
    char *copy = malloc(len + !len);
    bool good;

    assert_non_null(copy);
    memcpy(copy, bytes, len);
    journal.fd = -1;
    good = xf_journal_parse(&journal, copy, len);
    free(copy);
    return good;
}

/* What the first `good` lines say, and not a bit more. */
static void assert_says_lines(size_t good, const size_t ends[4])
{
    static const uint64_t durable[] = { 0, 100, 200, 300 };

    assert_is_of(&of);
    assert_int_equal(journal.length, ends[good]);
    assert_int_equal(journal.durable, durable[good]);
    assert_int_equal(journal.end, good == 3 ? XF_JOURNAL_AS : XF_JOURNAL_PART);
}

static void cut_anywhere_it_says_its_whole_lines(void **state)
{
    size_t ends[4];

    (void)state;
    write_three(ends);
    for (size_t cut = 0; cut <= length; cut++) {
        size_t good = 0;

        while (good < 4 && ends[good] <= cut)
            good++;
        assert_int_equal(parse(text, cut), good > 0);
        if (good > 0)
            assert_says_lines(good - 1, ends);
    }
}

/* Each bit of each byte: it ends in front of that line. */
static void altered_anywhere_it_says_the_lines_before(void **state)
{
    size_t ends[4];

    (void)state;
    write_three(ends);
    for (size_t at = 0; at < length * 8; at++) {
        size_t good = 0;

        while (ends[good] <= at / 8)
            good++;
        text[at / 8] = (char)(text[at / 8] ^ 1 << at % 8);
        assert_int_equal(parse(text, length), good > 0);
        if (good > 0)
            assert_says_lines(good - 1, ends);
        text[at / 8] = (char)(text[at / 8] ^ 1 << at % 8);
    }
}

static void no_line_can_be_left_out_doubled_or_lent(void **state)
{
    char mixed[sizeof text];
    size_t ends[4];

    (void)state;
    write_three(ends);
    memcpy(mixed, text, ends[0]);
    memcpy(mixed + ends[0], text + ends[1], ends[3] - ends[1]);
    assert_true(parse(mixed, ends[0] + ends[3] - ends[1]));
    assert_says_lines(0, ends);
    memcpy(mixed, text, ends[1]);
    memcpy(mixed + ends[1], text + ends[0], ends[3] - ends[0]);
    assert_true(parse(mixed, ends[1] + ends[3] - ends[0]));
    assert_says_lines(1, ends);
    assert_false(parse(text + ends[0], ends[3] - ends[0]));
}

/* A torn line is written over, so what follows it is read again. */
static void behind_a_torn_line_it_goes_on(void **state)
{
    size_t ends[4];

    (void)state;
    write_three(ends);
    for (size_t cut = ends[0]; cut < ends[3]; cut++) {
        rig_make(FILE_NAME, text, cut);
        assert_int_equal(fchmodat(rig_dir, FILE_NAME, 0600, 0), 0);
        reopen();
        assert_int_equal(xf_journal_durable(&journal, 250), 0);
        xf_journal_close(&journal);
        reopen();
        assert_int_equal(journal.durable, 250);
        xf_journal_close(&journal);
    }
}

static void what_is_no_journal_is_none(void **state)
{
    static const char *const none[] = {
        "", "\n", " \n", "durable 1\n", "xferry-part 1", "xferry-part 2 x\n"
    };
    char zeros[64] = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        assert_false(parse(none[i], strlen(none[i])));
    assert_false(parse(zeros, sizeof zeros));
    memset(text, 'x', XF_JOURNAL_MAX);
    assert_false(parse(text, XF_JOURNAL_MAX));
    text[XF_JOURNAL_MAX - 1] = '\n';
    assert_false(parse(text, XF_JOURNAL_MAX));
}

static void only_a_file_of_ours_is_opened(void **state)
{
    (void)state;
    assert_false(xf_journal_open(&journal, rig_dir, ID));
    assert_int_equal(mkfifoat(rig_dir, FILE_NAME, 0600), 0);
    assert_false(xf_journal_open(&journal, rig_dir, ID));
    rig_empty(".");
    create(&of);
    xf_journal_close(&journal);
    assert_int_equal(renameat(rig_dir, FILE_NAME, rig_dir, "x"), 0);
    assert_int_equal(symlinkat("x", rig_dir, FILE_NAME), 0);
    assert_false(xf_journal_open(&journal, rig_dir, ID));
    assert_int_equal(xf_journal_create(&journal, rig_dir, ID, &of, 7, 9),
                     XF_E_IO);
    assert_int_equal(rig_entries(), 2);
}

/* --- limits -------------------------------------------------------------- */

static void a_cut_part_is_never_longer_again(void **state)
{
    size_t ends[4];

    (void)state;
    write_three(ends);
    reopen();
    assert_int_equal(xf_journal_restart(&journal, 50), 0);
    xf_journal_close(&journal);
    load();
    for (size_t cut = ends[0]; cut <= length; cut++) {
        assert_true(parse(text, cut));
        assert_true(journal.durable <= 50);
        assert_int_equal(journal.end, XF_JOURNAL_PART);
    }
    assert_int_equal(journal.durable, 50);
}

static void it_never_grows_beyond_its_limit(void **state)
{
    struct stat st;

    (void)state;
    create(&of);
    for (uint64_t i = 1; i <= 5000; i++) {
        assert_int_equal(xf_journal_durable(&journal, i << 24), 0);
        assert_int_equal(fstat(journal.fd, &st), 0);
        assert_true(st.st_size <= XF_JOURNAL_MAX);
    }
    for (int i = 0; i < XF_SINK_NUMBERS; i++)
        assert_int_equal(xf_journal_as(&journal, "some name.txt", 5, false), 0);
    assert_int_equal(fstat(journal.fd, &st), 0);
    assert_true(st.st_size <= XF_JOURNAL_MAX);
    xf_journal_close(&journal);
    reopen();
    assert_is_of(&of);
    assert_string_equal(journal.as, "some name.txt");
    xf_journal_close(&journal);
}

static void no_failing_call_makes_it_say_more(void **state)
{
    struct rig_gate gate = { .only = -1, .err = EIO };

    (void)state;
    do {
        uint64_t said = 0;

        gate.fail++;
        rig_gate_on(&gate);
        if (xf_journal_create(&journal, rig_dir, ID, &of, 7, 9) == 0) {
            for (said = 100; said < 300; said += 100)
                if (xf_journal_durable(&journal, said) != 0)
                    break;
            xf_journal_close(&journal);
        }
        rig_gate_off();
        if (xf_journal_open(&journal, rig_dir, ID)) {
            assert_is_of(&of);
            assert_true(journal.durable <= said);
            xf_journal_close(&journal);
        } else {
            assert_int_equal(said, 0);
            assert_int_equal(rig_entries(), 0);
        }
        rig_empty(".");
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 6, 999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(what_was_written_is_read),
        RIG_TEST(it_is_text_of_our_user_only),
        RIG_TEST(nothing_and_unknown_are_told_from_something),
        RIG_TEST(the_longest_values_fit),
        RIG_TEST(cut_anywhere_it_says_its_whole_lines),
        RIG_TEST(altered_anywhere_it_says_the_lines_before),
        RIG_TEST(no_line_can_be_left_out_doubled_or_lent),
        RIG_TEST(behind_a_torn_line_it_goes_on),
        RIG_TEST(what_is_no_journal_is_none),
        RIG_TEST(only_a_file_of_ours_is_opened),
        RIG_TEST(a_cut_part_is_never_longer_again),
        RIG_TEST(it_never_grows_beyond_its_limit),
        RIG_TEST(no_failing_call_makes_it_say_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
