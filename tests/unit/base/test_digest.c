/* Sums against those of sha1sum, sha256sum and md5sum. */
#include "base/digest.h"

#include <errno.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"
#include "base/sys.h"

static const struct {
    const char *name;
    enum xf_digest_kind kind;
    size_t size;
    const char *of_nothing, *of_abc;
} rows[] = {
    { "md5", XF_DIGEST_MD5, 16, "d41d8cd98f00b204e9800998ecf8427e",
      "900150983cd24fb0d6963f7d28e17f72" },
    { "sha-1", XF_DIGEST_SHA1, 20, "da39a3ee5e6b4b0d3255bfef95601890afd80709",
      "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { "sha-256", XF_DIGEST_SHA256, 32,
      "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
};
#define ROWS (sizeof rows / sizeof rows[0])

static int no_memory(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    return call == XF_SYS_ALLOC ? ENOMEM : 0;
}

static void names_are_those_of_the_standard(void **state)
{
    enum xf_digest_kind kind;

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(xf_digest_kind(rows[i].name, &kind));
        assert_int_equal(kind, rows[i].kind);
        assert_int_equal(xf_digest_size(kind), rows[i].size);
    }
    assert_true(xf_digest_kind("none", &kind));
    assert_int_equal(kind, XF_DIGEST_NONE);
    assert_int_equal(xf_digest_size(kind), 0);
    assert_false(xf_digest_kind("", &kind));
    assert_false(xf_digest_kind("sha1", &kind));
    assert_false(xf_digest_kind("SHA-1", &kind));
    assert_false(xf_digest_kind("sha-512", &kind));
}

static void sums_are_those_of_other_programs(void **state)
{
    uint8_t sum[XF_DIGEST_MAX];
    char hex[2 * XF_DIGEST_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(xf_digest_of(rows[i].kind, "", 0, sum));
        xf_hex(sum, rows[i].size, hex);
        assert_string_equal(hex, rows[i].of_nothing);
        assert_true(xf_digest_of(rows[i].kind, "abc", 3, sum));
        xf_hex(sum, rows[i].size, hex);
        assert_string_equal(hex, rows[i].of_abc);
    }
}

static void a_sum_does_not_depend_on_the_cuts(void **state)
{
    uint8_t sum[XF_DIGEST_MAX], whole[XF_DIGEST_MAX];
    const char text[] = "a text of some length, cut at every place there is";
    size_t len = strlen(text);

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        assert_true(xf_digest_of(rows[i].kind, text, len, whole));
        for (size_t cut = 0; cut <= len; cut++) {
            struct xf_digest *d = xf_digest_new(rows[i].kind);

            assert_non_null(d);
            assert_true(xf_digest_add(d, text, cut));
            assert_true(xf_digest_add(d, text + cut, len - cut));
            assert_true(xf_digest_end(d, sum));
            assert_memory_equal(sum, whole, rows[i].size);
            xf_digest_free(d);
        }
    }
}

static void none_is_no_digest(void **state)
{
    uint8_t sum[XF_DIGEST_MAX];

    (void)state;
    assert_null(xf_digest_new(XF_DIGEST_NONE));
    assert_false(xf_digest_of(XF_DIGEST_NONE, "abc", 3, sum));
    xf_digest_free(NULL);
}

/* By: printf '%s' SID INITIATOR TARGET | sha1sum */
static void dstaddr_is_the_sum_of_sid_and_both_jids(void **state)
{
    char out[XF_DSTADDR_LEN + 1];

    (void)state;
    assert_true(xf_dstaddr("vxf9n471bn46", "requester@example.com/foo",
                           "target@example.org/bar", out));
    assert_string_equal(out, "98b8d688d0f5d895fd41c5e7309a2e9e33ba32ff");
    assert_true(xf_dstaddr("s5b_1", "juliet@example.net/balc\u00f3ny",
                           "r\u00f6meo@montague.lit/\u00f6rchard", out));
    assert_string_equal(out, "96487510ecfd0d0b1b64de4203d3579ba5fbead3");
}

static void without_memory_there_is_no_sum(void **state)
{
    char out[XF_DSTADDR_LEN + 1] = "old";
    uint8_t sum[XF_DIGEST_MAX];

    (void)state;
    xf_sys_set_gate(no_memory, NULL);
    assert_null(xf_digest_new(XF_DIGEST_SHA1));
    assert_false(xf_digest_of(XF_DIGEST_SHA1, "abc", 3, sum));
    assert_false(xf_dstaddr("sid", "a@b/c", "d@e/f", out));
    xf_sys_set_gate(NULL, NULL);
    assert_string_equal(out, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_standard),
        cmocka_unit_test(sums_are_those_of_other_programs),
        cmocka_unit_test(a_sum_does_not_depend_on_the_cuts),
        cmocka_unit_test(none_is_no_digest),
        cmocka_unit_test(dstaddr_is_the_sum_of_sid_and_both_jids),
        cmocka_unit_test(without_memory_there_is_no_sum),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
