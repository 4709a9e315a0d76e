/*
 * The rules for file names: Unix's, those of a terminal that shows the name,
 * and those of Windows, since others may read the folder from there.
 */
#include "base/name.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/encode.h"

/* Longer than this it is the rest of a sentence, not an extension. */
#define EXTENSION_MAX 16

/* One character of well-formed UTF-8; *next is moved behind it. */
static uint32_t take(const char **next)
{
    const unsigned char *in = (const unsigned char *)*next;
    uint32_t c = in[0];
    int more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

    if (more > 0)
        c &= 0x3fU >> more;
    for (int i = 1; i <= more; i++)
        c = c << 6 | (in[i] & 0x3f);
    *next += more + 1;
    return c;
}

/* Line and paragraph separator break a line just like a control does. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
}

/* Those that make "gpj.exe" look like "exe.jpg". */
static bool is_bidi(uint32_t c)
{
    return (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
           c == 0x200e || c == 0x200f || c == 0x061c;
}

static const char *character_refused(uint32_t c, char reason[XF_NAME_REASON])
{
    const char *what = is_control(c) ? "control" : is_bidi(c) ? "bidi" : NULL;

    if (c == '/' || c == '\\')
        return "separator";
    if (c == ':')
        return "stream";
    if (!what)
        return NULL;
    (void)snprintf(reason, XF_NAME_REASON, "%s U+%04X", what, (unsigned)c);
    return reason;
}

/* COM and LPT have one digit; Windows takes superscripts for digits too. */
static bool is_port_number(const char *text, size_t len)
{
    if (len == 1)
        return *text >= '0' && *text <= '9';
    return len == 2 &&
           (memcmp(text, "\u00b9", 2) == 0 || memcmp(text, "\u00b2", 2) == 0 ||
            memcmp(text, "\u00b3", 2) == 0);
}

/* Neither case, nor extension, nor blanks before it make it another thing. */
static bool is_device(const char *name)
{
    static const char *const devices[] = { "con",    "prn",     "aux",   "nul",
                                           "conin$", "conout$", "clock$" };
    size_t len = strcspn(name, ".");

    while (len > 0 && name[len - 1] == ' ')
        len--;
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        if (len == strlen(devices[i]) &&
            strncasecmp(name, devices[i], len) == 0)
            return true;
    }
    return len > 3 &&
           (strncasecmp(name, "com", 3) == 0 ||
            strncasecmp(name, "lpt", 3) == 0) &&
           is_port_number(name + 3, len - 3);
}

static const char *whole_refused(const char *name, size_t len)
{
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return "dot name";
    if (name[0] == '.')
        return "hidden name";
    if (is_device(name))
        return "device name";
    if (name[len - 1] == '.' || name[len - 1] == ' ')
        return "trailing";
    return NULL;
}

const char *xf_name_refused(const char *name, char reason[XF_NAME_REASON])
{
    size_t len = strlen(name);
    const char *why = NULL;

    if (len == 0)
        why = "empty";
    else if (len > XF_NAME_MAX)
        why = "too long";
    else if (!xf_utf8_valid(name, len))
        why = "not UTF-8";
    for (const char *next = name; !why && *next != '\0';)
        why = character_refused(take(&next), reason);
    if (!why)
        why = whole_refused(name, len);
    if (why && why != reason)
        (void)snprintf(reason, XF_NAME_REASON, "%s", why);
    return why ? reason : NULL;
}

/* The most of `text` that fits `max` and ends where a character ends. */
static size_t cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xc0) == 0x80)
        max--;
    return max;
}

void xf_name_numbered(const char *name, unsigned n, char *out)
{
    const char *end = name + strlen(name), *dot = strrchr(name, '.');
    char number[sizeof " (4294967295)"] = "";
    size_t stem, max;

    if (!dot || dot == name || end - dot > EXTENSION_MAX)
        dot = end;
    if (n > 0)
        (void)snprintf(number, sizeof number, " (%u)", n);
    max = XF_NAME_MAX - strlen(number) - (size_t)(end - dot);
    stem = cut(name, (size_t)(dot - name), max);
    (void)snprintf(out, XF_NAME_MAX + 1, "%.*s%s%s", (int)stem, name, number,
                   dot);
}
