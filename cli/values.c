/* The values of options; which option takes which is not known here. */
#include "values.h"

#include <stddef.h>
#include <string.h>

#include <xferry/xferry.h>

#define MAX_SECONDS 604800u /* a week; in ms it still fits an int */

static bool read_digits(const char **text, uint64_t max, uint64_t *out)
{
    const char *p = *text;
    uint64_t n = 0;

    if (*p < '0' || *p > '9')
        return false;
    for (; *p >= '0' && *p <= '9'; p++) {
        unsigned digit = (unsigned)(*p - '0');

        if (n > (max - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *text = p;
    *out = n;
    return true;
}

bool xf_value_read_size(const char *text, uint64_t *out)
{
    static const char suffixes[] = "kMGT";
    unsigned shift = 0;
    uint64_t n;

    if (!read_digits(&text, INT64_MAX, &n))
        return false;
    if (*text) {
        const char *s = strchr(suffixes, *text == 'K' ? 'k' : *text);

        if (!s || text[1])
            return false;
        shift = 10 * (unsigned)(s - suffixes + 1);
    }
    if (n > (uint64_t)INT64_MAX >> shift)
        return false;
    *out = n << shift;
    return true;
}

static bool read_ms(const char *text, uint64_t *ms)
{
    uint64_t seconds;
    unsigned unit = 100;

    if (!read_digits(&text, MAX_SECONDS, &seconds))
        return false;
    *ms = seconds * 1000;
    if (*text == '.')
        for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
            *ms += (unsigned)(*text - '0') * unit;
    return *text == '\0';
}

const char *xf_value_text(void *field, const char *value)
{
    if (!*value)
        return "something";
    *(const char **)field = value;
    return NULL;
}

const char *xf_value_flag(void *field, const char *value)
{
    bool yes = strcmp(value, "yes") == 0;

    if (!yes && strcmp(value, "no") != 0)
        return "yes or no";
    *(bool *)field = yes;
    return NULL;
}

static const char *add(const char **list, size_t max, const char *value)
{
    size_t i = 0;

    if (!*value)
        return "something";
    while (i < max && list[i])
        i++;
    if (i == max)
        return "fewer of them";
    list[i] = value;
    return NULL;
}

const char *xf_value_list(void *field, const char *value)
{
    return add(field, XF_LIST_MAX - 1, value);
}

const char *xf_value_from(void *field, const char *value)
{
    return add(field, XF_FROM_MAX, value);
}

static enum xf_via read_via(const char *word, size_t len)
{
    static const struct {
        const char *name;
        enum xf_via via;
    } names[] = { { "direct", XF_VIA_DIRECT },
                  { "proxy", XF_VIA_PROXY },
                  { "ibb", XF_VIA_IBB } };

    for (size_t i = 0; i < 3; i++)
        if (strlen(names[i].name) == len &&
            memcmp(names[i].name, word, len) == 0)
            return names[i].via;
    return XF_VIA_NONE;
}

const char *xf_value_via(void *field, const char *value)
{
    static const char expected[] =
        "some of direct, proxy and ibb, each once, with commas between";
    enum xf_via via[3] = { XF_VIA_NONE, XF_VIA_NONE, XF_VIA_NONE };
    size_t n = 0;

    for (;;) {
        size_t len = strcspn(value, ",");
        enum xf_via v = read_via(value, len);

        if (v == XF_VIA_NONE || n == 3)
            return expected;
        for (size_t i = 0; i < n; i++)
            if (via[i] == v)
                return expected;
        via[n++] = v;
        if (!value[len])
            break;
        value += len + 1;
    }
    memcpy(field, via, sizeof via);
    return NULL;
}

const char *xf_value_size(void *field, const char *value)
{
    return xf_value_read_size(value, field)
               ? NULL
               : "a number of bytes, with k, M, G or T behind it if you like";
}

const char *xf_value_rate(void *field, const char *value)
{
    uint64_t n;

    if (!xf_value_read_size(value, &n) || n == 0)
        return "bytes a second like 500k or 20M";
    *(uint64_t *)field = n;
    return NULL;
}

const char *xf_value_block(void *field, const char *value)
{
    uint64_t n;

    if (!xf_value_read_size(value, &n) || n < 1 || n > 65535)
        return "1 to 65535 bytes";
    *(uint32_t *)field = (uint32_t)n;
    return NULL;
}

const char *xf_value_ms(void *field, const char *value)
{
    uint64_t ms;

    if (!read_ms(value, &ms) || ms == 0)
        return "a number of seconds, up to a week";
    *(int *)field = (int)ms;
    return NULL;
}

const char *xf_value_wait(void *field, const char *value)
{
    uint64_t ms;

    if (strcmp(value, "ever") == 0) {
        *(int64_t *)field = -1;
        return NULL;
    }
    if (!read_ms(value, &ms))
        return "a number of seconds, or ever";
    *(int64_t *)field = (int64_t)ms;
    return NULL;
}

/* Never a bare number but 0: nobody knows whether days or seconds are meant. */
const char *xf_value_age(void *field, const char *value)
{
    static const char expected[] =
        "0, or a time like 90s, 30m, 12h or 7d; up to ten years";
    static const struct {
        char letter;
        int64_t seconds;
    } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
    uint64_t n;

    if (!read_digits(&value, 10ULL * 366 * 86400, &n))
        return expected;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (*value != units[i].letter || value[1])
            continue;
        if (n > 10ULL * 366 * 86400 / (uint64_t)units[i].seconds)
            return expected;
        *(int64_t *)field = (int64_t)n * units[i].seconds;
        return NULL;
    }
    if (*value || n != 0)
        return expected;
    *(int64_t *)field = 0;
    return NULL;
}

const char *xf_value_count(void *field, const char *value)
{
    uint64_t n;

    if (!read_digits(&value, INT64_MAX, &n) || *value || n == 0)
        return "a number from 1 on";
    *(uint64_t *)field = n;
    return NULL;
}

const char *xf_value_ports(void *field, const char *value)
{
    static const char expected[] = "a port, or a range of them like 7000-7009";
    struct xf_config *config = field;
    uint64_t from, to;

    if (!read_digits(&value, 65535, &from) || from == 0)
        return expected;
    to = from;
    if (*value == '-') {
        value++;
        if (!read_digits(&value, 65535, &to))
            return expected;
    }
    if (*value || to < from)
        return expected;
    config->listen_from = (uint16_t)from;
    config->listen_to = (uint16_t)to;
    return NULL;
}

const char *xf_value_stanza(void *field, const char *value)
{
    enum xf_stanza *stanza = field;

    if (strcmp(value, "iq") == 0)
        *stanza = XF_STANZA_IQ;
    else if (strcmp(value, "message") == 0)
        *stanza = XF_STANZA_MESSAGE;
    else
        return "iq or message";
    return NULL;
}

const char *xf_value_exists(void *field, const char *value)
{
    enum xf_exists *exists = field;

    if (strcmp(value, "rename") == 0)
        *exists = XF_EXISTS_RENAME;
    else if (strcmp(value, "refuse") == 0)
        *exists = XF_EXISTS_REFUSE;
    else if (strcmp(value, "overwrite") == 0)
        *exists = XF_EXISTS_OVERWRITE;
    else
        return "rename, refuse or overwrite";
    return NULL;
}

const char *xf_value_hash(void *field, const char *value)
{
    if (strcmp(value, "sha-256") != 0 && strcmp(value, "md5") != 0 &&
        strcmp(value, "none") != 0)
        return "sha-256, md5 or none";
    *(const char **)field = value;
    return NULL;
}
