/* File names: each that was ever thought of as a trick, and ten thousand. */
#include "base/name.h"

#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

static void assert_refused(const char *name, const char *why)
{
    char reason[XF_NAME_REASON] = "?";
    const char *said = xf_name_refused(name, reason);

    if (!said || strcmp(said, why) != 0)
        print_message("at '%s'\n", name);
    assert_non_null(said);
    assert_string_equal(said, why);
    assert_string_equal(reason, why);
}

static void assert_taken(const char *name)
{
    char reason[XF_NAME_REASON];

    if (xf_name_refused(name, reason))
        print_message("at '%s': %s\n", name, reason);
    assert_null(xf_name_refused(name, reason));
}

static void no_name_leaves_the_folder(void **state)
{
    static const char *const separators[] = {
        "../x",      "a/../../x",  "/etc/x",    "//h/s",     "\\\\h\\s",
        "..\\x",     "C:\\x",      "a/",        "./.",       "/",
        "\\",        "./x",        "../",       "..\\",      "x/..",
        "x\\..",     "../../x",    "..\\..\\x", "a/b",       "a\\b",
        "/x",        "\\x",        "x\\",       "~/x",       "./",
        ".\\",       ".../x",      "a//b",      "a/./b",     "..//x",
        "..\\/x",    "../.bashrc", "~root/x",   "$HOME/x",   "C:/x",
        "C:\\..\\x", "\\\\?\\x",   "\\\\.\\x",  "/dev/null", "/proc/self/mem",
    };

    (void)state;
    for (size_t i = 0; i < sizeof separators / sizeof separators[0]; i++) {
        /* The first offence from the left is the one that is named. */
        const char *name = separators[i];
        const char *why = name[1] == ':' ? "stream" : "separator";

        assert_refused(name, why);
    }
    assert_refused(".", "dot name");
    assert_refused("..", "dot name");
    assert_refused("", "empty");
    assert_refused("C:x", "stream");
}

static void controls_are_named_by_their_number(void **state)
{
    char name[16], why[XF_NAME_REASON];
    int cases = 0;

    (void)state;
    for (unsigned c = 1; c < 0xa0; c++) {
        if (c >= 0x20 && c < 0x7f)
            continue;
        if (c < 0x80)
            (void)snprintf(name, sizeof name, "a%cb.txt", (int)c);
        else
            (void)snprintf(name, sizeof name, "a\xc2%cb.txt", (int)c);
        (void)snprintf(why, sizeof why, "control U+%04X", c);
        assert_refused(name, why);
        cases++;
    }
    assert_int_equal(cases, 31 + 1 + 32);
    assert_refused("\n", "control U+000A");
    assert_refused("a\u2028b", "control U+2028");
    assert_refused("a\u2029b", "control U+2029");
    assert_taken("a\u00a0b");
}

static void letters_that_turn_the_reading_are_refused(void **state)
{
    assert_refused("photo\u202egpj.exe", "bidi U+202E");
    assert_refused("\u202aa", "bidi U+202A");
    assert_refused("a\u202b", "bidi U+202B");
    assert_refused("a\u202cb", "bidi U+202C");
    assert_refused("a\u202db", "bidi U+202D");
    assert_refused("a\u2066b", "bidi U+2066");
    assert_refused("a\u2067b", "bidi U+2067");
    assert_refused("a\u2068b", "bidi U+2068");
    assert_refused("a\u2069b", "bidi U+2069");
    assert_refused("a\u200eb", "bidi U+200E");
    assert_refused("a\u200fb", "bidi U+200F");
    assert_refused("a\u061cb", "bidi U+061C");
    /* their neighbours, and a script that is read from the right by itself */
    assert_taken("a\u200db");
    assert_taken("a\u2027b");
    assert_taken("a\u202fb");
    assert_taken("a\u206ab");
    assert_taken("a\u061bb");
    assert_taken("\u05e9\u05dc\u05d5\u05dd.txt");
    (void)state;
}

static void devices_of_windows_are_refused(void **state)
{
    static const char *const names[] = {
        "CON",          "con",      "Con",        "PRN",           "AUX",
        "NUL",          "nul.txt",  "nul.tar.gz", "CON.",          "CON ",
        "con .txt",     "aux. ",    "COM1",       "com9",          "COM0",
        "LPT1",         "lpt9.doc", "COM\u00b9",  "com\u00b2.txt", "LPT\u00b3",
        "lpt\u00b9 .x", "COM1.",    "COM1 ",      "NUL...",        "CONIN$",
        "conout$",      "CLOCK$",   "PrN.pdf",    "AUX .",         "nul  .txt",
    };
    static const char *const fine[] = {
        "CONX",          "xCON",      "CO",   "console",   "COM",
        "COM10",         "LPT",       "LPTX", "COM\u2074", "a.con",
        "nul1",          "null",      "con_", "COM1x.txt", "CON-1",
        "auxiliary.txt", "COM\u00bc", "c on", "COM\uff11",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_refused(names[i], "device name");
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        assert_taken(fine[i]);
}

static void streams_and_silent_ends_of_windows_are_refused(void **state)
{
    (void)state;
    assert_refused("a:stream", "stream");
    assert_refused("a.txt:b", "stream");
    assert_refused("a::$DATA", "stream");
    assert_refused(":", "stream");
    assert_refused("12:30.txt", "stream");
    assert_refused("a.", "trailing");
    assert_refused("a ", "trailing");
    assert_refused("a.txt.", "trailing");
    assert_refused("a. .", "trailing");
    assert_refused(" ", "trailing");
    assert_taken(" a");
    assert_taken("a b.txt");
    assert_taken("a..b");
}

static void hidden_names_are_refused(void **state)
{
    static const char *const names[] = {
        ".bashrc", ".ssh", ".profile", ".netrc", ".git",       ".htaccess",
        "...",     ".. ",  ". ",       "..x",    ".xf-0.part", ".a.",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_refused(names[i], "hidden name");
}

static void odd_names_of_honest_files_are_taken(void **state)
{
    static const char *const names[] = {
        "report.pdf",
        "-rf",
        "--help",
        "~",
        "~root",
        "$HOME",
        "`id`",
        "'",
        "\"",
        "a b c.txt",
        "\u00dcbung \u00df.odt",
        "u\u0308.txt",
        "a;rm",
        "a|b",
        "a&b",
        "<a>",
        "a?b",
        "a*b",
        "%2e%2e%2fx",
        "&#47;",
        "authorized_keys",
        "desktop.ini",
        "autorun.inf",
        "\u4f60\u597d",
        "\U0001f600.png",
        "a'b\"c",
        "!x",
        "(1)",
        "#",
        "x=y",
        "\u00e9",
        "a\xc2\xb7",
        "noext",
        "a.b.c.d",
    };

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_taken(names[i]);
}

static void a_name_has_255_bytes_and_no_more(void **state)
{
    static char name[65536];

    (void)state;
    memset(name, 'a', sizeof name - 1);
    assert_refused(name, "too long");
    name[1024] = '\0';
    assert_refused(name, "too long");
    name[256] = '\0';
    assert_refused(name, "too long");
    name[255] = '\0';
    assert_taken(name);
    memcpy(name + 253, "\u20ac", 2); /* cut before its last byte */
    assert_refused(name, "not UTF-8");
    name[253] = '\0';
    assert_taken(name);
    for (size_t i = 0; i < 255; i++)
        memcpy(name + 4 * i, "\U0001f600", 5);
    assert_refused(name, "too long");
    name[4 * 63] = '\0';
    assert_taken(name);
}

static void what_is_not_utf_8_is_refused(void **state)
{
    (void)state;
    assert_refused("a\xff.txt", "not UTF-8");
    assert_refused("\xc0\xaf", "not UTF-8");
    assert_refused("\xe0\x80\xaf", "not UTF-8");
    assert_refused("\xed\xa0\x80", "not UTF-8");
    assert_refused("a\xe4.txt", "not UTF-8");
    assert_refused("../\xff", "not UTF-8");
}

/* --- numbered names ------------------------------------------------------ */

static void numbers_stand_before_the_extension(void **state)
{
    static const struct {
        const char *name;
        unsigned n;
        const char *numbered;
    } rows[] = {
        { "a.txt", 0, "a.txt" },
        { "a.txt", 1, "a (1).txt" },
        { "a.txt", 999, "a (999).txt" },
        { "a.txt", 4294967295, "a (4294967295).txt" },
        { "a", 1, "a (1)" },
        { "a.tar.gz", 2, "a.tar (2).gz" },
        { "\u00fc b.c", 3, "\u00fc b (3).c" },
        { "a.fifteen-letters", 1, "a (1).fifteen-letters" },
        { "a.sixteen--letters", 1, "a.sixteen--letters (1)" },
        { "Dr. Faust, der Trag\u00f6die erster Teil", 1,
          "Dr. Faust, der Trag\u00f6die erster Teil (1)" },
    };
    char out[XF_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        xf_name_numbered(rows[i].name, rows[i].n, out);
        assert_string_equal(out, rows[i].numbered);
    }
}

/* Characters of one to four bytes before the cut, at every offset to it. */
static void a_long_stem_is_cut_at_a_character(void **state)
{
    static const char *const characters[] = { "a", "\u00fc", "\u20ac",
                                              "\U0001f600" };
    char name[2 * XF_NAME_MAX], out[XF_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        size_t size = strlen(characters[i]);

        for (size_t lead = 0; lead < 4; lead++) {
            size_t len = lead, room = XF_NAME_MAX - strlen(" (12).txt");

            memset(name, 'x', lead);
            for (; len + size <= XF_NAME_MAX - 4; len += size)
                memcpy(name + len, characters[i], size);
            memcpy(name + len, ".txt", 5);
            assert_taken(name);
            xf_name_numbered(name, 12, out);
            assert_taken(out);
            assert_string_equal(strrchr(out, ' '), " (12).txt");
            assert_int_equal(strlen(out) - 9,
                             lead + (room - lead) / size * size);
        }
    }
}

static void a_number_fits_however_long_the_name(void **state)
{
    char name[1000], out[XF_NAME_MAX + 1];

    (void)state;
    memset(name, 'a', sizeof name);
    for (size_t len = 1; len < sizeof name; len++) {
        name[len] = '\0';
        xf_name_numbered(name, 0, out);
        assert_int_equal(strlen(out), len < XF_NAME_MAX ? len : XF_NAME_MAX);
        xf_name_numbered(name, 4294967295, out);
        assert_string_equal(strrchr(out, ' '), " (4294967295)");
        name[len] = 'a';
    }
}

/* --- by chance ----------------------------------------------------------- */

/* Of what names are made of, mischief more often than not. */
static const char *const pieces[] = {
    "a",
    "B",
    "\u00fc",
    "\u20ac",
    "\U0001f600",
    "file",
    "1",
    "_",
    "-",
    " ",
    "~",
    "$",
    "'",
    "x",
    "photo",
    "report",
    "\u05d0",
    ".txt",
    ".jpg",
    "(1)",
    "e",
    ".",
    "..",
    "/",
    "\\",
    ":",
    "\n",
    "\x1b",
    "\x7f",
    "\xc2\x85",
    "\u202e",
    "\u2066",
    "\u2028",
    "con",
    "nul",
    "COM1",
    "\xff",
    "\xc3",
    "\u00b9",
    "\xed\xa0\x80",
    "a",
    "n",
    "0123456789012345678901234567890123456789",
    "abcdefghijklmnopqrstuvwxyz",
};
#define PIECES (sizeof pieces / sizeof pieces[0])

/* Every other name of good pieces only, so that enough are taken. */
static void make_name(char *out, size_t size, int round)
{
    size_t count = (size_t)rand() % (round % 10 == 0 ? 40 : 6);
    size_t choice = round % 2 ? 21 : PIECES;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[(size_t)rand() % choice];
        size_t len = strlen(out);

        if (len + strlen(piece) < size)
            (void)snprintf(out + len, size - len, "%s", piece);
    }
}

/* By libc, not by our reader. Returns the count, or -1. */
static int read_characters(const char *name, uint32_t out[XF_NAME_MAX])
{
    iconv_t cd = iconv_open("UCS-4LE", "UTF-8");
    char text[XF_NAME_MAX + 1], *in = text, *to = (char *)out;
    size_t in_left = strlen(name), out_left = XF_NAME_MAX * sizeof *out;
    size_t result;

    assert_true(cd != (iconv_t)-1);
    assert_true(in_left <= XF_NAME_MAX);
    memcpy(text, name, in_left + 1);
    result = iconv(cd, &in, &in_left, &to, &out_left);
    iconv_close(cd);
    return result == (size_t)-1 ? -1
                                : (int)(XF_NAME_MAX - out_left / sizeof *out);
}

static void assert_harmless(const char *name)
{
    uint32_t c[XF_NAME_MAX];
    int count = read_characters(name, c);

    assert_true(count > 0);
    assert_int_not_equal(c[0], '.');
    for (int i = 0; i < count; i++) {
        assert_true(c[i] >= 0x20 && !(c[i] >= 0x7f && c[i] <= 0x9f));
        assert_true(c[i] != '/' && c[i] != '\\' && c[i] != ':');
        assert_false(c[i] >= 0x2028 && c[i] <= 0x202e);
        assert_false(c[i] >= 0x2066 && c[i] <= 0x2069);
    }
    assert_true(c[count - 1] != ' ' && c[count - 1] != '.');
}

static void of_ten_thousand_names_only_harmless_ones_are_taken(void **state)
{
    char name[512], reason[XF_NAME_REASON], out[3][XF_NAME_MAX + 1];
    int taken = 0, refused = 0;

    (void)state;
    srand(3);
    for (int round = 0; round < 10000; round++) {
        make_name(name, sizeof name, round);
        if (xf_name_refused(name, reason)) {
            assert_true(reason[0] != '\0');
            refused++;
            continue;
        }
        taken++;
        assert_harmless(name);
        for (unsigned n = 0; n < 3; n++) {
            xf_name_numbered(name, n * n * 7, out[n]);
            assert_taken(out[n]);
        }
        assert_string_equal(out[0], name);
        assert_string_not_equal(out[1], out[0]);
        assert_string_not_equal(out[1], out[2]);
    }
    assert_true(taken > 2500);
    assert_true(refused > 2500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_name_leaves_the_folder),
        cmocka_unit_test(controls_are_named_by_their_number),
        cmocka_unit_test(letters_that_turn_the_reading_are_refused),
        cmocka_unit_test(devices_of_windows_are_refused),
        cmocka_unit_test(streams_and_silent_ends_of_windows_are_refused),
        cmocka_unit_test(hidden_names_are_refused),
        cmocka_unit_test(odd_names_of_honest_files_are_taken),
        cmocka_unit_test(a_name_has_255_bytes_and_no_more),
        cmocka_unit_test(what_is_not_utf_8_is_refused),
        cmocka_unit_test(numbers_stand_before_the_extension),
        cmocka_unit_test(a_long_stem_is_cut_at_a_character),
        cmocka_unit_test(a_number_fits_however_long_the_name),
        cmocka_unit_test(of_ten_thousand_names_only_harmless_ones_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
