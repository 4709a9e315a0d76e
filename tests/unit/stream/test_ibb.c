/* Blocks out of a source: all of it, once, in order, of one file only. */
#include "rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/ibb.h"

static struct xf_error_info info;

static struct xf_source *open_ok(const char *name)
{
    struct xf_source *source = NULL;

    assert_int_equal(xf_source_open(&source, rig_file(name), &info), 0);
    return source;
}

/* From `offset`, `length` bytes, in blocks of `block` (0: of any size). */
static void assert_blocks(const struct xf_source *source, const char *bytes,
                          size_t offset, size_t length, size_t block)
{
    struct xf_ibb_reader reader;
    char *buf = malloc(65536);
    size_t done = 0;

    xf_ibb_reader_init(&reader, source, offset, length);
    while (xf_ibb_reader_left(&reader) > 0) {
        size_t ask = block > 0 ? block : 1 + rig_random(65535);
        size_t want = length - done < ask ? length - done : ask;

        assert_int_equal(xf_ibb_reader_next(&reader, buf, ask, &info), want);
        assert_memory_equal(buf, bytes + offset + done, want);
        done += want;
        assert_int_equal(xf_ibb_reader_left(&reader), length - done);
    }
    assert_int_equal(done, length);
    assert_int_equal(xf_ibb_reader_next(&reader, buf, 4096, &info), 0);
    free(buf);
}

static void blocks_are_the_file_however_it_is_cut(void **state)
{
    static const size_t lens[] = { 0, 1, 597, 4095, 4096, 4097, 65535, 65536 };
    char *bytes = rig_bytes(65536);

    (void)state;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        struct xf_source *source;

        rig_make("file", bytes, lens[i]);
        source = open_ok("file");
        assert_blocks(source, bytes, 0, lens[i], 4096);
        assert_blocks(source, bytes, 0, lens[i], 65535);
        if (lens[i] < 5000)
            assert_blocks(source, bytes, 0, lens[i], 1);
        assert_blocks(source, bytes, lens[i] / 3, lens[i] / 2, 100);
        xf_source_close(source);
    }
    free(bytes);
}

static void the_block_size_may_change_on_the_way(void **state)
{
    size_t len = 5000000;
    char *bytes = rig_bytes(len);
    struct xf_source *source;

    (void)state;
    rig_make("file", bytes, len);
    source = open_ok("file");
    for (int i = 0; i < 20; i++)
        assert_blocks(source, bytes, 0, len, 0);
    xf_source_close(source);
    free(bytes);
}

static void the_last_block_of_a_changed_file_is_kept_back(void **state)
{
    struct xf_ibb_reader reader;
    struct xf_source *source;
    char buf[4];

    (void)state;
    for (int longer = 0; longer < 2; longer++) {
        rig_make("file", "abcdef", 6);
        source = open_ok("file");
        xf_ibb_reader_init(&reader, source, 0, 6);
        assert_int_equal(xf_ibb_reader_next(&reader, buf, 4, &info), 4);
        rig_make("file", "abcdefg", longer ? 7 : 5);
        assert_int_equal(xf_ibb_reader_next(&reader, buf, 4, &info), -XF_E_SRC);
        assert_int_equal(info.code, XF_E_SRC);
        assert_non_null(strstr(info.text, "file changed while being sent"));
        assert_int_equal(xf_ibb_reader_left(&reader), 2);
        xf_source_close(source);
    }
}

static void a_file_that_cannot_be_read_is_an_error(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_READ, .fail = 2, .err = EIO };
    struct xf_ibb_reader reader;
    struct xf_source *source;
    char buf[4];

    (void)state;
    rig_make("file", "abcdef", 6);
    source = open_ok("file");
    xf_ibb_reader_init(&reader, source, 0, 6);
    rig_gate_on(&gate);
    assert_int_equal(xf_ibb_reader_next(&reader, buf, 4, &info), 4);
    assert_int_equal(xf_ibb_reader_next(&reader, buf, 4, &info), -XF_E_IO);
    rig_gate_off();
    assert_int_equal(info.code, XF_E_IO);
    xf_source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(blocks_are_the_file_however_it_is_cut),
        RIG_TEST(the_block_size_may_change_on_the_way),
        RIG_TEST(the_last_block_of_a_changed_file_is_kept_back),
        RIG_TEST(a_file_that_cannot_be_read_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
