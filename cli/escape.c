/* How text that others chose is shown; what it says is left to others. */
#include "escape.h"

#include <string.h>

static bool follows(const char *text, size_t len, size_t i)
{
    return i < len && ((unsigned char)text[i] & 0xc0) == 0x80;
}

/* Bytes of the character that `first` begins; 0 when it can begin none. */
static size_t bytes_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static bool well_formed(uint32_t c, size_t bytes)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };

    return c >= least[bytes] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

size_t xf_escape_char(const char *text, size_t len, uint32_t *c)
{
    static const unsigned char mask[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    unsigned char first;
    uint32_t value;
    size_t bytes;

    if (len == 0)
        return 0;
    first = (unsigned char)text[0];
    bytes = bytes_of(first);
    value = first & mask[bytes];
    for (size_t i = 1; i < bytes; i++) {
        if (!follows(text, len, i)) {
            bytes = 0;
            break;
        }
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (bytes == 0 || !well_formed(value, bytes)) {
        *c = XF_ESCAPE_BYTE | first;
        return 1;
    }
    *c = value;
    return bytes;
}

bool xf_escape_is_unsafe(uint32_t c)
{
    static const struct {
        uint32_t from, to;
    } ranges[] = {
        { 0x00, 0x1f },     { 0x7f, 0x9f },     { 0xad, 0xad },
        { 0x61c, 0x61c },   { 0x180e, 0x180e }, { 0x200b, 0x200f },
        { 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfdd0, 0xfdef },
        { 0xfeff, 0xfeff }, { 0xfff9, 0xfffb }, { 0xe0000, 0xe0fff },
    };

    if ((c & XF_ESCAPE_BYTE) || (c & 0xfffe) == 0xfffe)
        return true;
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (c >= ranges[i].from && c <= ranges[i].to)
            return true;
    return false;
}

static size_t put(FILE *out, const char *text, size_t bytes, uint32_t c)
{
    int n;

    if (c & XF_ESCAPE_BYTE)
        n = fprintf(out, "\\x%02X", (unsigned)(c & 0xff));
    else if (c == '\\')
        n = fprintf(out, "\\\\");
    else if (!xf_escape_is_unsafe(c))
        return fwrite(text, 1, bytes, out) == bytes;
    else if (c < 0x80)
        n = fprintf(out, "\\x%02X", (unsigned)c);
    else
        n = fprintf(out, "\\u{%X}", (unsigned)c);
    return n > 0 ? (size_t)n : 0;
}

size_t xf_escape_n(FILE *out, const char *text, size_t len)
{
    size_t width = 0;
    size_t bytes;
    uint32_t c;

    while ((bytes = xf_escape_char(text, len, &c)) != 0) {
        width += put(out, text, bytes, c);
        text += bytes;
        len -= bytes;
    }
    return width;
}

size_t xf_escape(FILE *out, const char *text)
{
    return text ? xf_escape_n(out, text, strlen(text)) : 0;
}
