/* Numbers, base64, hex and UTF-8: whole ranges where they can be counted. */
#include "base/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>

#include "base/sys.h"

/* --- numbers ------------------------------------------------------------- */

static void plain_decimal_digits_are_a_number(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } rows[] = {
        { "0", 0 },
        { "00", 0 },
        { "7", 7 },
        { "0000000000000000000000000000000000000042", 42 },
        { "2147483647", 2147483647 },
        { "2147483648", 2147483648 },
        { "4294967295", 4294967295 },
        { "4294967296", 4294967296 },
        { "9007199254740992", 9007199254740992 },
        { "9223372036854775807", INT64_MAX },
        { "9223372036854775808", (uint64_t)INT64_MAX + 1 },
        { "18446744073709551615", UINT64_MAX },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t value = 1, other = 1;

        assert_true(xf_read_uint(rows[i].text, UINT64_MAX, &value));
        assert_true(value == rows[i].value);
        assert_true(xf_read_uint(rows[i].text, value, &other));
        assert_true(other == value);
        if (value > 0)
            assert_false(xf_read_uint(rows[i].text, value - 1, &other));
    }
}

static void anything_else_is_none(void **state)
{
    static const char *const texts[] = {
        "",
        "-1",
        "+1",
        " 1",
        "1 ",
        "0x10",
        "1e3",
        "1.0",
        "NaN",
        "-0",
        "1\n",
        "\t1",
        "\u0661",
        "1,000",
        "18446744073709551616",
        "18446744073709551620",
        "99999999999999999999",
        "1000000000000000000000000000000000000000",
    };
    uint64_t value = 5;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_false(xf_read_uint(texts[i], UINT64_MAX, &value));
    assert_true(value == 5);
}

static void small_ceilings_hold(void **state)
{
    uint64_t value;
    char text[4];

    (void)state;
    for (unsigned max = 0; max < 30; max++) {
        for (unsigned n = 0; n < 100; n++) {
            text[0] = (char)('0' + n / 10);
            text[1] = (char)('0' + n % 10);
            text[2] = '\0';
            assert_int_equal(xf_read_uint(text, max, &value), n <= max);
        }
    }
}

/* --- base64 -------------------------------------------------------------- */

static int place(int c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c == '\0' ? NULL : strchr(alphabet, c);

    return at ? (int)(at - alphabet) : -1;
}

static void vectors_of_the_standard(void **state)
{
    static const struct {
        const char *plain, *text;
    } rows[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].plain), chars = strlen(rows[i].text);
        char text[16], plain[16];

        assert_int_equal(XF_BASE64_LEN(len), chars);
        xf_base64_encode(rows[i].plain, len, text);
        assert_memory_equal(text, rows[i].text, chars);
        assert_int_equal(xf_base64_decode(rows[i].text, chars, plain), len);
        assert_memory_equal(plain, rows[i].plain, len);
    }
}

/* Tables, so that the two loops below are short and owe our code nothing. */
static int places[256];

static int fill_places(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++)
        places[c] = place(c);
    return 0;
}

static void every_tail_of_two_characters(void **state)
{
    int taken = 0;

    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            const char text[4] = { (char)a, (char)b, '=', '=' };
            bool good = places[a] >= 0 && places[b] >= 0 && places[b] % 16 == 0;
            uint8_t out[3] = { 0 };

            assert_int_equal(xf_base64_decode(text, 4, out), good ? 1 : -1);
            if (good)
                assert_int_equal(out[0], places[a] * 4 + places[b] / 16);
            taken += good;
        }
    }
    assert_int_equal(taken, 256);
}

static void every_tail_of_three_characters(void **state)
{
    int taken = 0, wrong = 0;

    (void)state;
    for (int i = 0; i < 1 << 24; i++) {
        int a = i >> 16, b = i >> 8 & 255, c = i & 255;
        const char text[4] = { (char)a, (char)b, (char)c, '=' };
        uint8_t out[3] = { 0 };
        ssize_t want = -1, got = xf_base64_decode(text, 4, out);
        bool good = places[a] >= 0 && places[b] >= 0;
        int bits = good ? places[a] * 4096 + places[b] * 64 + places[c] : -1;

        if (c == '=' && good && places[b] % 16 == 0)
            want = 1;
        else if (good && places[c] >= 0 && bits % 4 == 0)
            want = 2;
        wrong += got != want;
        if (want == 2)
            wrong += (out[0] << 8 | out[1]) != bits >> 2;
        taken += want == 2;
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(taken, 65536);
}

static void every_byte_at_every_place_of_a_block(void **state)
{
    (void)state;
    for (size_t at = 0; at < 12; at++) {
        for (int c = 0; c < 256; c++) {
            char text[12];
            uint8_t out[9];
            bool good = places[c] >= 0 || (at == 11 && c == '=');

            memset(text, 'A', sizeof text);
            text[at] = (char)c;
            assert_int_equal(xf_base64_decode(text, 12, out) >= 0, good);
        }
    }
}

static void only_whole_quads_are_taken(void **state)
{
    static const char *const texts[] = {
        "====",     "A===",   "AA==AAAA", "AAA=AAAA", "AA=A",     "=AAA",
        "AAAA====", "AAAA\n", "AAA\n",    " AAA",     "AAAA AAA",
    };
    char text[64];

    (void)state;
    memset(text, 'A', sizeof text);
    for (size_t len = 0; len <= sizeof text; len++) {
        uint8_t out[48];

        assert_int_equal(xf_base64_decode(text, len, out),
                         len % 4 == 0 ? (ssize_t)(len / 4 * 3) : -1);
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint8_t out[16];

        assert_int_equal(xf_base64_decode(texts[i], strlen(texts[i]), out), -1);
    }
}

/* Exactly as much memory as the header asks for, and OpenSSL's opinion. */
static void any_bytes_come_back_as_they_went(void **state)
{
    (void)state;
    srand(2);
    for (size_t len = 1; len < 600; len++) {
        size_t chars = XF_BASE64_LEN(len);
        uint8_t *bytes = malloc(len), *back = malloc(XF_BASE64_BYTES(chars));
        char *text = malloc(chars), *other = malloc(chars + 1);

        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)rand();
        xf_base64_encode(bytes, len, text);
        EVP_EncodeBlock((unsigned char *)other, bytes, (int)len);
        assert_memory_equal(text, other, chars);
        assert_int_equal(xf_base64_decode(text, chars, back), len);
        assert_memory_equal(back, bytes, len);
        free(bytes);
        free(back);
        free(text);
        free(other);
    }
}

/* --- hex ----------------------------------------------------------------- */

static void hex_is_written_lower_and_read_in_either_case(void **state)
{
    uint8_t bytes[3];
    char text[7];

    (void)state;
    xf_hex("\x00\x9a\xff", 3, text);
    assert_string_equal(text, "009aff");
    assert_true(xf_unhex("009aFf", bytes, 3));
    assert_memory_equal(bytes, "\x00\x9a\xff", 3);
    xf_hex("", 0, text);
    assert_string_equal(text, "");
    assert_true(xf_unhex("", bytes, 0));
}

static void hex_of_another_length_or_alphabet_is_refused(void **state)
{
    uint8_t bytes[2];

    (void)state;
    assert_false(xf_unhex("", bytes, 2));
    assert_false(xf_unhex("0", bytes, 2));
    assert_false(xf_unhex("012", bytes, 2));
    assert_false(xf_unhex("01234", bytes, 2));
    assert_false(xf_unhex("0123 ", bytes, 2));
    for (int c = 1; c < 256; c++) {
        const char text[3] = { '0', (char)c, '\0' };
        const char swapped[3] = { (char)c, '0', '\0' };
        bool good = strchr("0123456789abcdefABCDEF", c) != NULL;

        assert_int_equal(xf_unhex(text, bytes, 1), good);
        assert_int_equal(xf_unhex(swapped, bytes, 1), good);
    }
}

/* --- UTF-8 --------------------------------------------------------------- */

/* By the definition, not by our reader. Returns the length. */
static size_t write_character(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static void every_character_is_taken_and_no_surrogate(void **state)
{
    int wrong = 0;

    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char text[4];
        size_t len = write_character(c, text);
        bool good = c < 0x110000 && (c < 0xd800 || c > 0xdfff);

        wrong += xf_utf8_valid(text, len) != good;
        for (size_t cut = 1; cut < len; cut++)
            wrong += xf_utf8_valid(text, cut);
    }
    assert_int_equal(wrong, 0);
}

/*
 * With the test above it is enough to count: if all that should be taken is
 * taken, then nothing else is when the number is right.
 */
static void nothing_else_of_up_to_three_bytes_is_taken(void **state)
{
    const unsigned long one = 128, two = 0x800 - 0x80;
    const unsigned long three = 0x10000 - 0x800 - 0x800;
    unsigned long taken[4] = { 0 };

    (void)state;
    for (size_t len = 1; len <= 3; len++) {
        for (uint32_t i = 0; i < 1U << 8 * len; i++) {
            const char text[3] = { (char)(i >> 16), (char)(i >> 8), (char)i };

            taken[len] += xf_utf8_valid(text + 3 - len, len);
        }
    }
    assert_int_equal(taken[1], one);
    assert_int_equal(taken[2], one * one + two);
    assert_int_equal(taken[3], one * one * one + 2 * one * two + three);
}

static bool is_tail(uint8_t c)
{
    return c >= 0x80 && c <= 0xbf;
}

/* All first two bytes; the other two from both sides of each border. */
static void four_bytes_with_a_long_lead_are_one_character_or_none(void **state)
{
    static const uint8_t ends[] = { 0x00, 0x7f, 0x80, 0xa5, 0xbf, 0xc0, 0xff };
    const size_t n = sizeof ends;
    int wrong = 0;

    (void)state;
    for (uint32_t i = 0; i < 0x10000 * n * n; i++) {
        uint8_t a = (uint8_t)(i >> 8), b = (uint8_t)i;
        uint8_t c = ends[(i >> 16) % n], d = ends[(i >> 16) / n];
        const char text[4] = { (char)a, (char)b, (char)c, (char)d };
        uint32_t value = (a & 7U) << 18 | (b & 63U) << 12 | (c & 63U) << 6;

        if (a < 0xf0)
            continue;
        wrong += xf_utf8_valid(text, 4) !=
                 (a < 0xf8 && is_tail(b) && is_tail(c) && is_tail(d) &&
                  value >= 0x10000 && value < 0x110000);
    }
    assert_int_equal(wrong, 0);
}

/* --- ids ----------------------------------------------------------------- */

static int no_random(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    return call == XF_SYS_RANDOM ? EIO : 0;
}

static void ids_are_hex_and_differ(void **state)
{
    char ids[100][XF_ID_LEN + 1];

    (void)state;
    for (size_t i = 0; i < 100; i++) {
        assert_true(xf_random_id(ids[i]));
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), XF_ID_LEN);
        assert_int_equal(ids[i][XF_ID_LEN], '\0');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(ids[i], ids[j]);
    }
}

static void without_random_bytes_there_is_no_id(void **state)
{
    char id[XF_ID_LEN + 1] = "old";

    (void)state;
    xf_sys_set_gate(no_random, NULL);
    assert_false(xf_random_id(id));
    xf_sys_set_gate(NULL, NULL);
    assert_string_equal(id, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_decimal_digits_are_a_number),
        cmocka_unit_test(anything_else_is_none),
        cmocka_unit_test(small_ceilings_hold),
        cmocka_unit_test(vectors_of_the_standard),
        cmocka_unit_test(every_tail_of_two_characters),
        cmocka_unit_test(every_tail_of_three_characters),
        cmocka_unit_test(every_byte_at_every_place_of_a_block),
        cmocka_unit_test(only_whole_quads_are_taken),
        cmocka_unit_test(any_bytes_come_back_as_they_went),
        cmocka_unit_test(hex_is_written_lower_and_read_in_either_case),
        cmocka_unit_test(hex_of_another_length_or_alphabet_is_refused),
        cmocka_unit_test(every_character_is_taken_and_no_surrogate),
        cmocka_unit_test(nothing_else_of_up_to_three_bytes_is_taken),
        cmocka_unit_test(four_bytes_with_a_long_lead_are_one_character_or_none),
        cmocka_unit_test(ids_are_hex_and_differ),
        cmocka_unit_test(without_random_bytes_there_is_no_id),
    };

    return cmocka_run_group_tests(tests, fill_places, NULL);
}
