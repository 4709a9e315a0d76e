/* Whether anything a peer says can reach a terminal raw. */
#include "cli_test.h"

#include "escape.h"

static char *escaped(const char *text)
{
    struct ink ink;

    xf_escape(ink_begin(&ink), text);
    ink_end(&ink);
    return ink.text;
}

static void becomes(const char *text, const char *expected)
{
    char *out = escaped(text);

    assert_string_equal(out, expected);
    free(out);
}

static void plain_text_stays_as_it_is(void **state)
{
    (void)state;
    becomes("", "");
    becomes(NULL, "");
    becomes("report.pdf", "report.pdf");
    becomes("Übergröße 日本 😀", "Übergröße 日本 😀");
}

static void what_moves_a_terminal_is_shown_instead(void **state)
{
    (void)state;
    becomes("a\x1b[2J", "a\\x1B[2J");
    becomes("\a\r\n\t", "\\x07\\x0D\\x0A\\x09");
    becomes("\x7f", "\\x7F");
    becomes("\xc2\x9b"
            "5n",
            "\\u{9B}5n");
    becomes("gpj.\xe2\x80\xae"
            "exe",
            "gpj.\\u{202E}exe");
    becomes("\xf3\xa0\x81\x81", "\\u{E0041}");
}

static void what_is_not_utf8_is_shown_byte_by_byte(void **state)
{
    (void)state;
    becomes("\xff", "\\xFF");
    becomes("\xc0\xaf", "\\xC0\\xAF");          /* not the shortest form */
    becomes("\xed\xa0\x80", "\\xED\\xA0\\x80"); /* a surrogate */
    becomes("\xf4\x90\x80\x80", "\\xF4\\x90\\x80\\x80"); /* behind the end */
    becomes("\xe2\x82", "\\xE2\\x82");
}

/* Else a name could pretend to be an escaped one. */
static void a_backslash_is_doubled(void **state)
{
    (void)state;
    becomes("\\x1B", "\\\\x1B");
}

static void every_control_is_unsafe(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x20; c++)
        assert_true(xf_escape_is_unsafe(c));
    for (uint32_t c = 0x20; c < 0x7f; c++)
        assert_false(xf_escape_is_unsafe(c));
    for (uint32_t c = 0x7f; c < 0xa0; c++)
        assert_true(xf_escape_is_unsafe(c));
}

static void a_cut_character_is_never_read_beyond_its_end(void **state)
{
    static const char text[] = "\xf0\x9f\x98\x80";
    uint32_t c;

    (void)state;
    for (size_t cut = 1; cut < 4; cut++) {
        char *exact = malloc(cut); /* the sanitizer watches its end */

        assert_non_null(exact);
        memcpy(exact, text, cut);
        assert_int_equal(xf_escape_char(exact, cut, &c), 1);
        assert_int_equal(c, XF_ESCAPE_BYTE | 0xf0);
        free(exact);
    }
    assert_int_equal(xf_escape_char(text, 4, &c), 4);
    assert_int_equal(c, 0x1f600);
    assert_int_equal(xf_escape_char(text, 0, &c), 0);
}

static void no_hostile_text_comes_out_raw(void **state)
{
    uint32_t seed = 1;
    char text[256];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t len, bytes;
        uint32_t c;
        char *out;

        hostile_text(&seed, text, sizeof text);
        out = escaped(text);
        len = strlen(out);
        for (const char *p = out; (bytes = xf_escape_char(p, len, &c)) != 0;
             p += bytes, len -= bytes)
            assert_false(xf_escape_is_unsafe(c));
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_text_stays_as_it_is),
        cmocka_unit_test(what_moves_a_terminal_is_shown_instead),
        cmocka_unit_test(what_is_not_utf8_is_shown_byte_by_byte),
        cmocka_unit_test(a_backslash_is_doubled),
        cmocka_unit_test(every_control_is_unsafe),
        cmocka_unit_test(a_cut_character_is_never_read_beyond_its_end),
        cmocka_unit_test(no_hostile_text_comes_out_raw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
