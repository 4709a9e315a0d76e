/* The table of codes, and texts that are cut at a character. */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/encode.h"

static const int codes[] = {
    XF_E_USAGE,    XF_E_AUTH,     XF_E_TLS,   XF_E_STREAM,    XF_E_NOPEER,
    XF_E_DECLINED, XF_E_NOMETHOD, XF_E_OFFER, XF_E_NAME,      XF_E_SIZE,
    XF_E_EXISTS,   XF_E_POLICY,   XF_E_BUSY,  XF_E_CONNECT,   XF_E_PROXY,
    XF_E_PROTO,    XF_E_STALL,    XF_E_GONE,  XF_E_CANCELLED, XF_E_SHORT,
    XF_E_LONG,     XF_E_HASH,     XF_E_SRC,   XF_E_CRYPTO,    XF_E_NOENC,
    XF_E_NOSPC,    XF_E_IO,       XF_E_PERM,  XF_E_LIMIT,     XF_E_RESUME,
    XF_E_INTERNAL,
};
#define CODES (sizeof codes / sizeof codes[0])

static void every_code_has_a_name_and_a_text_of_its_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODES; i++) {
        assert_memory_equal(xf_err_name(codes[i]), "E-", 2);
        assert_string_not_equal(xf_err_name(codes[i]), "E-?");
        assert_string_not_equal(xf_err_text(codes[i]), "unknown error");
        for (size_t j = 0; j < i; j++) {
            assert_string_not_equal(xf_err_name(codes[i]),
                                    xf_err_name(codes[j]));
            assert_string_not_equal(xf_err_text(codes[i]),
                                    xf_err_text(codes[j]));
        }
    }
    assert_string_equal(xf_err_name(XF_E_NOSPC), "E-NOSPC");
    assert_string_equal(xf_err_text(XF_OK), "no error");
}

static void no_text_ends_in_a_full_stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < CODES; i++) {
        const char *text = xf_err_text(codes[i]);

        assert_int_not_equal(text[strlen(text) - 1], '.');
    }
}

static void what_is_no_code_is_named_so(void **state)
{
    static const int others[] = { -1, 1, 3, 9, 14, 28, 46, 54, 61, 71, 255 };

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_string_equal(xf_err_name(others[i]), "E-?");
        assert_string_equal(xf_err_text(others[i]), "unknown error");
    }
}

static void errno_becomes_the_code_a_user_can_act_on(void **state)
{
    static const struct {
        int err, code;
    } rows[] = {
        { ENOSPC, XF_E_NOSPC },  { EDQUOT, XF_E_NOSPC },
        { EACCES, XF_E_PERM },   { EPERM, XF_E_PERM },
        { EROFS, XF_E_PERM },    { EMFILE, XF_E_LIMIT },
        { ENFILE, XF_E_LIMIT },  { ENOMEM, XF_E_LIMIT },
        { ENOBUFS, XF_E_LIMIT }, { EEXIST, XF_E_EXISTS },
        { EIO, XF_E_IO },        { ENOENT, XF_E_IO },
        { ESTALE, XF_E_IO },     { 0, XF_E_IO },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(xf_err_from_errno(rows[i].err), rows[i].code);
}

static void code_and_words_are_set_together(void **state)
{
    struct xf_error_info info;

    (void)state;
    assert_int_equal(xf_err_set(&info, XF_E_STALL, "at byte %d", 17),
                     XF_E_STALL);
    assert_int_equal(info.code, XF_E_STALL);
    assert_string_equal(info.text, "at byte 17");
    assert_int_equal(xf_err_set(NULL, XF_E_GONE, "%s", "nobody looks"),
                     XF_E_GONE);
}

static void the_old_text_may_be_part_of_the_new(void **state)
{
    struct xf_error_info info;

    (void)state;
    xf_err_set(&info, XF_E_IO, "read: %s", "broken");
    xf_err_set(&info, XF_E_CONNECT, "proxy: %s; direct: %s", info.text,
               info.text);
    assert_string_equal(info.text, "proxy: read: broken; direct: read: broken");
}

/* Four characters of one to four bytes, at every distance from the end. */
static void a_long_text_is_cut_between_characters(void **state)
{
    static const char *const characters[] = { "a", "\u00fc", "\u20ac",
                                              "\U0001f600" };
    char text[XF_TEXT_MAX + 8], ascii[XF_TEXT_MAX + 8];
    struct xf_error_info info;

    (void)state;
    memset(ascii, 'x', sizeof ascii);
    for (size_t i = 0; i < 4; i++) {
        size_t size = strlen(characters[i]);

        for (size_t before = XF_TEXT_MAX - 8; before < XF_TEXT_MAX + 2;
             before++) {
            (void)snprintf(text, sizeof text, "%.*s%s", (int)before, ascii,
                           characters[i]);
            xf_err_set(&info, XF_E_IO, "%s", text);
            assert_true(xf_utf8_valid(info.text, strlen(info.text)));
            assert_memory_equal(info.text, text, strlen(info.text));
            if (before + size < XF_TEXT_MAX)
                assert_string_equal(info.text, text);
            else
                assert_int_equal(strlen(info.text), before < XF_TEXT_MAX - 1
                                                        ? before
                                                        : XF_TEXT_MAX - 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name_and_a_text_of_its_own),
        cmocka_unit_test(no_text_ends_in_a_full_stop),
        cmocka_unit_test(what_is_no_code_is_named_so),
        cmocka_unit_test(errno_becomes_the_code_a_user_can_act_on),
        cmocka_unit_test(code_and_words_are_set_together),
        cmocka_unit_test(the_old_text_may_be_part_of_the_new),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
