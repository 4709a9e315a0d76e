/* Whether `xferry gc` says what lies there, and removes that and no more. */
#include "cli_test.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "gc.h"

static const struct xf_part known = {
    .file = ".xf-0123456789abcdef.part",
    .peer = "romeo@example.net",
    .name = "report.pdf",
    .size = 4000000,
    .have = 1000000,
    .durable = 900000,
    .readable = true,
};

static const struct xf_part strange = {
    .file = ".xf-0123456789abcdef.part",
    .size = XF_SIZE_UNKNOWN,
    .have = 3,
};

static void words_are(const struct xf_part *part, int64_t age,
                      enum xf_gc_fate fate, const char *want)
{
    struct ink ink;

    xf_gc_print(ink_begin(&ink), part, age, fate);
    assert_string_equal(ink_end(&ink), want);
    free(ink.text);
}

static void json_is(const struct xf_part *part, int64_t age,
                    enum xf_gc_fate fate, const char *want)
{
    struct ink ink;

    xf_gc_json(ink_begin(&ink), part, "inbox", age, fate);
    assert_string_equal(ink_end(&ink), want);
    free(ink.text);
}

static void a_part_is_one_line_for_people(void **state)
{
    struct xf_part part = known;

    (void)state;
    words_are(&part, 3 * 3600, XF_GC_LEFT,
              "report.pdf from romeo@example.net: 25 %, 1.0 MB of 4.0 MB, "
              "missing 3.0 MB, 3 h old (.xf-0123456789abcdef.part)\n");
    part.have = 3999999;
    part.busy = true;
    words_are(&part, 5, XF_GC_LEFT,
              "report.pdf from romeo@example.net: 99 %, 4.0 MB of 4.0 MB, "
              "missing 1 bytes, 5 s old (.xf-0123456789abcdef.part), in use\n");
    part = known;
    part.size = XF_SIZE_UNKNOWN;
    words_are(&part, 10 * 86400, XF_GC_REMOVED,
              "report.pdf from romeo@example.net: 1.0 MB of a size not known, "
              "10 d old (.xf-0123456789abcdef.part), removed\n");
    part = known;
    part.size = part.have = 0;
    part.file = ".xf-0123456789abcdef.journal";
    part.done = "report (1).pdf";
    words_are(&part, 600, XF_GC_LEFT,
              "report.pdf from romeo@example.net: whole, as report (1).pdf; "
              "only its journal is left, 10 min old "
              "(.xf-0123456789abcdef.journal)\n");
    words_are(&strange, -1, XF_GC_LEFT,
              ".xf-0123456789abcdef.part: 3 bytes, not known what of, age not "
              "known\n");
}

static void a_part_is_one_object_for_scripts(void **state)
{
    struct xf_part part = known;

    (void)state;
    json_is(&part, 7, XF_GC_LEFT,
            "{\"event\":\"part\",\"file\":\".xf-0123456789abcdef.part\","
            "\"peer\":\"romeo@example.net\",\"name\":\"report.pdf\","
            "\"size\":4000000,\"bytes\":1000000,\"durable\":900000,\"age\":7,"
            "\"busy\":false,\"removed\":false}\n");
    part.size = XF_SIZE_UNKNOWN;
    part.busy = true;
    part.done = "a \"b\"";
    json_is(&part, -1, XF_GC_LEFT,
            "{\"event\":\"part\",\"file\":\".xf-0123456789abcdef.part\","
            "\"peer\":\"romeo@example.net\",\"name\":\"report.pdf\","
            "\"size\":null,\"bytes\":1000000,\"durable\":900000,"
            "\"path\":\"inbox/a \\\"b\\\"\",\"busy\":true,"
            "\"removed\":false}\n");
    json_is(&strange, 0, XF_GC_REMOVED,
            "{\"event\":\"part\",\"file\":\".xf-0123456789abcdef.part\","
            "\"bytes\":3,\"durable\":0,\"age\":0,\"busy\":false,"
            "\"removed\":true}\n");
}

static void assert_one_harmless_line(const char *text)
{
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    for (const unsigned char *c = (const unsigned char *)text; c[1]; c++)
        assert_true(*c >= 0x20 && *c != 0x7f);
    assert_null(strstr(text, "\xc2\x9b"));
    assert_null(strstr(text, "\xe2\x80\xae"));
}

static void whatever_a_peer_wrote_is_one_harmless_line(void **state)
{
    uint32_t seed = 7;

    (void)state;
    for (int i = 0; i < 2000; i++) {
        char peer[64], name[64], done[64];
        struct xf_part part = known;
        struct ink ink;

        hostile_text(&seed, peer, sizeof peer);
        hostile_text(&seed, name, sizeof name);
        hostile_text(&seed, done, sizeof done);
        part.peer = peer;
        part.name = name;
        part.done = i % 2 ? done : NULL;
        xf_gc_print(ink_begin(&ink), &part, 0, XF_GC_LEFT);
        assert_one_harmless_line(ink_end(&ink));
        free(ink.text);
        xf_gc_json(ink_begin(&ink), &part, "in", 0, XF_GC_LEFT);
        assert_one_harmless_line(ink_end(&ink));
        free(ink.text);
    }
}

/* --- the command --------------------------------------------------------- */

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/xf-gc-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *const files[] = { ".xf-0123456789abcdef.part",
                                     ".xf-0123456789abcde0.part", "mine" };

static int remove_folder(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++)
        unlink(path_of(files[i]));
    return rmdir(folder);
}

/* Three bytes, written to `age` seconds ago. */
static int make_file(const char *name, time_t age)
{
    struct timespec times[2] = { { time(NULL) - age, 0 },
                                 { time(NULL) - age, 0 } };
    int fd = open(path_of(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "abc", 3), 3);
    assert_int_equal(futimens(fd, times), 0);
    return fd;
}

static bool there(const char *name)
{
    return access(path_of(name), F_OK) == 0;
}

/* Run it on the folder; what it said is in `said`. */
static char said[4096];

static int run(const char *dir, int64_t delete_age, bool json)
{
    char *operands[] = { (char *)dir };
    struct xf_options o;
    int out = dup(STDOUT_FILENO), code;
    FILE *f = tmpfile();

    xf_options_init(&o, XF_COMMAND_GC);
    o.operands = operands;
    o.operands_len = 1;
    o.delete_age = delete_age;
    o.json = json;
    fflush(stdout);
    dup2(fileno(f), STDOUT_FILENO);
    code = xf_gc(&o);
    fflush(stdout);
    dup2(out, STDOUT_FILENO);
    close(out);
    rewind(f);
    said[fread(said, 1, sizeof said - 1, f)] = '\0';
    fclose(f);
    return code;
}

static void it_lists_and_removes_nothing_unless_asked(void **state)
{
    (void)state;
    assert_int_equal(run(folder, -1, false), 0);
    assert_memory_equal(said, "nothing unfinished in ", 22);
    assert_int_equal(run(folder, -1, true), 0);
    assert_string_equal(said, "");
    close(make_file(files[0], 3 * 86400));
    close(make_file(files[2], 0));
    assert_int_equal(run(folder, -1, false), 0);
    assert_string_equal(said,
                        ".xf-0123456789abcdef.part: 3 bytes, not known what "
                        "of, 3 d old\n");
    assert_true(there(files[0]));
}

static void it_removes_what_is_old_enough(void **state)
{
    (void)state;
    close(make_file(files[0], 3 * 86400));
    close(make_file(files[1], 60));
    close(make_file(files[2], 3 * 86400));
    assert_int_equal(run(folder, 86400, true), 0);
    assert_non_null(strstr(said, "\"removed\":true"));
    assert_non_null(strstr(said, "\"removed\":false"));
    assert_false(there(files[0]));
    assert_true(there(files[1]));
    assert_int_equal(run(folder, 0, false), 0);
    assert_non_null(strstr(said, ", removed\n"));
    assert_false(there(files[1]));
    assert_true(there(files[2]));
}

static void it_keeps_what_is_in_use(void **state)
{
    int fd = make_file(files[0], 3 * 86400);

    (void)state;
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(run(folder, 0, false), 0);
    assert_non_null(strstr(said, ", in use\n"));
    assert_true(there(files[0]));
    close(fd);
    assert_int_equal(run(folder, 0, false), 0);
    assert_false(there(files[0]));
}

static void where_there_is_no_directory_it_says_so(void **state)
{
    (void)state;
    assert_int_equal(run(path_of("none"), -1, false), XF_E_IO);
    close(make_file(files[2], 0));
    assert_int_equal(run(path_of(files[2]), -1, false), XF_E_USAGE);
}

#define FOLDER_TEST(f)                                                         \
    cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_is_one_line_for_people),
        cmocka_unit_test(a_part_is_one_object_for_scripts),
        cmocka_unit_test(whatever_a_peer_wrote_is_one_harmless_line),
        FOLDER_TEST(it_lists_and_removes_nothing_unless_asked),
        FOLDER_TEST(it_removes_what_is_old_enough),
        FOLDER_TEST(it_keeps_what_is_in_use),
        FOLDER_TEST(where_there_is_no_directory_it_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
