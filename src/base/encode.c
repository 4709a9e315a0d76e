/*
 * Numbers, base64, hex and UTF-8, as strict as the wire wants them; what the
 * numbers and bytes mean is for the readers above.
 */
#include "base/encode.h"

#include <string.h>

#include "base/sys.h"

bool xf_read_uint(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit = (uint64_t)(unsigned char)*text - '0';

        if (digit > 9 || digit > max || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

/* --- base64 -------------------------------------------------------------- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789+/";

#define NO 0x80 /* a bit that no value has */

/* clang-format off */
static const uint8_t values[256] = {
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, 62, NO, NO, NO, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, NO, NO, NO, NO, NO, NO,
    NO,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, NO, NO, NO, NO, NO,
    NO, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
    NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO,
};
/* clang-format on */

static uint8_t value_of(char c)
{
    return values[(unsigned char)c];
}

static void encode_3(const uint8_t *in, char *out)
{
    out[0] = alphabet[in[0] >> 2];
    out[1] = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
    out[2] = alphabet[(in[1] & 15) << 2 | in[2] >> 6];
    out[3] = alphabet[in[2] & 63];
}

void xf_base64_encode(const void *bytes, size_t len, char *out)
{
    const uint8_t *in = bytes;
    uint8_t last[3] = { 0, 0, 0 };

    for (; len >= 3; len -= 3, in += 3, out += 4)
        encode_3(in, out);
    if (len == 0)
        return;
    memcpy(last, in, len);
    encode_3(last, out);
    out[3] = '=';
    if (len == 1)
        out[2] = '=';
}

/* Four characters to three bytes; a set NO bit means that one was wrong. */
static unsigned decode_4(const char *in, uint8_t *out)
{
    unsigned a = value_of(in[0]), b = value_of(in[1]);
    unsigned c = value_of(in[2]), d = value_of(in[3]);

    out[0] = (uint8_t)(a << 2 | b >> 4);
    out[1] = (uint8_t)(b << 4 | c >> 2);
    out[2] = (uint8_t)(c << 6 | d);
    return a | b | c | d;
}

/* The last four characters, `pad` of them '='; a spare bit would be lost. */
static bool decode_padded(const char *in, size_t pad, uint8_t *out)
{
    char quad[4] = { in[0], in[1], pad == 2 ? 'A' : in[2], 'A' };
    uint8_t bytes[3];

    if (decode_4(quad, bytes) & NO)
        return false;
    if (bytes[2] != 0 || (pad == 2 && bytes[1] != 0))
        return false;
    memcpy(out, bytes, 3 - pad);
    return true;
}

ssize_t xf_base64_decode(const char *text, size_t len, void *out)
{
    uint8_t *next = out;
    size_t pad = 0, whole;
    unsigned seen = 0;

    if (len % 4 != 0)
        return -1;
    if (len > 0 && text[len - 1] == '=')
        pad = text[len - 2] == '=' ? 2 : 1;
    whole = pad > 0 ? len - 4 : len;
    for (size_t i = 0; i < whole; i += 4, next += 3)
        seen |= decode_4(text + i, next);
    if (seen & NO)
        return -1;
    if (pad > 0) {
        if (!decode_padded(text + whole, pad, next))
            return -1;
        next += 3 - pad;
    }
    return next - (uint8_t *)out;
}

/* --- hex ----------------------------------------------------------------- */

void xf_hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *in = bytes;

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[in[i] >> 4];
        out[2 * i + 1] = digits[in[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool xf_unhex(const char *text, void *out, size_t len)
{
    uint8_t *bytes = out;

    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * len] == '\0';
}

bool xf_random_id(char out[XF_ID_LEN + 1])
{
    uint8_t bits[XF_ID_LEN / 2];

    out[0] = '\0';
    if (xf_sys_random(bits, sizeof bits) != 0)
        return false;
    xf_hex(bits, sizeof bits, out);
    return true;
}

/* --- UTF-8 --------------------------------------------------------------- */

/*
 * What may follow a first byte (Unicode, table 3-7): how many bytes, and the
 * range of the first of them; the others are 80..BF.
 */
struct follow {
    uint8_t count, low, high;
};

static struct follow follow(uint8_t lead)
{
    const struct follow none = { 0, 0, 0 };

    if (lead < 0xc2 || lead > 0xf4)
        return none;
    if (lead < 0xe0)
        return (struct follow){ 1, 0x80, 0xbf };
    if (lead < 0xf0)
        return (struct follow){ 2, lead == 0xe0 ? 0xa0 : 0x80,
                                lead == 0xed ? 0x9f : 0xbf };
    return (struct follow){ 3, lead == 0xf0 ? 0x90 : 0x80,
                            lead == 0xf4 ? 0x8f : 0xbf };
}

/* Length of the character in front, 0 when it is none. */
static size_t character(const uint8_t *in, size_t len)
{
    struct follow f;

    if (in[0] < 0x80)
        return 1;
    f = follow(in[0]);
    if (f.count == 0 || len <= f.count || in[1] < f.low || in[1] > f.high)
        return 0;
    for (size_t i = 2; i <= f.count; i++) {
        if ((in[i] & 0xc0) != 0x80)
            return 0;
    }
    return (size_t)f.count + 1;
}

bool xf_utf8_valid(const char *text, size_t len)
{
    const uint8_t *in = (const uint8_t *)text;

    while (len > 0) {
        size_t n = character(in, len);

        if (n == 0)
            return false;
        in += n;
        len -= n;
    }
    return true;
}
