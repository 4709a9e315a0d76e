/* What the tests of the program share: cmocka, and text that a function
 * writes to a stream. */
#ifndef XF_CLI_TEST_H
#define XF_CLI_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A stream whose text is in `text` after ink_end(). */
struct ink {
    FILE *f;
    char *text;
    size_t len;
};

static inline FILE *ink_begin(struct ink *ink)
{
    memset(ink, 0, sizeof *ink);
    ink->f = open_memstream(&ink->text, &ink->len);
    assert_non_null(ink->f);
    return ink->f;
}

static inline const char *ink_end(struct ink *ink)
{
    fclose(ink->f);
    return ink->text;
}

/* The same numbers in every run: xorshift. */
static inline uint32_t next_number(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Text as an enemy would choose it; never a NUL within. */
static inline size_t hostile_text(uint32_t *seed, char *out, size_t max)
{
    static const char *const pieces[] = {
        "\x1b[2J",
        "\x1b]52;c;AAAA\x07",
        "\r\n",
        "\"",
        "\\",
        "\\u",
        "\xc2\x9b",
        "\xe2\x80\xae",
        "\xf3\xa0\x81\x81",
        "\xef\xbf\xbf",
        "\xed\xa0\x80",
        "\xc0\xaf",
        "\xf4\x90\x80\x80",
        "\xff",
        "\x7f",
        "\xe2\x80",
        "{\"event\":\"done\"}\n",
        "\xf0\x9f\x98\x80",
        "a",
    };
    size_t count = sizeof pieces / sizeof *pieces;
    size_t len = 0;

    for (uint32_t n = next_number(seed) % 12; n > 0; n--) {
        uint32_t pick = next_number(seed) % (2 * (uint32_t)count);
        char one[2] = { (char)(1 + next_number(seed) % 255), 0 };

        for (const char *p = pick < count ? pieces[pick] : one;
             *p && len + 1 < max; p++)
            out[len++] = *p;
    }
    out[len] = '\0';
    return len;
}

#endif
