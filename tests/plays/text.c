/* Words, variables and patterns of a play. */
#include "play.h"

#include <ctype.h>

#include "base/encode.h"

const char *play_get(const struct play *p, const char *name)
{
    for (size_t i = 0; i < p->vars_count; i++)
        if (strcmp(p->vars[i].name, name) == 0)
            return p->vars[i].value;
    return NULL;
}

static struct play_var *var(struct play *p, const char *name)
{
    for (size_t i = 0; i < p->vars_count; i++)
        if (strcmp(p->vars[i].name, name) == 0)
            return &p->vars[i];
    assert_true(p->vars_count < PLAY_VARS);
    assert_true(strlen(name) < sizeof p->vars[0].name);
    strcpy(p->vars[p->vars_count].name, name);
    return &p->vars[p->vars_count++];
}

static void set_part(struct play *p, const char *name, const char *value,
                     size_t len)
{
    struct play_var *v = var(p, name);

    free(v->value);
    v->value = value ? strndup(value, len) : NULL;
}

void play_set(struct play *p, const char *name, const char *value)
{
    set_part(p, name, value, value ? strlen(value) : 0);
}

/* --- what {...} stands for ------------------------------------------------------- */

/* `*at` is behind the "{"; afterwards behind the "}". */
static void name_of(struct play *p, const char **at, char name[64])
{
    const char *end = strchr(*at, '}');

    if (!end || end - *at >= 64)
        play_fail(p, "a { without its }");
    memcpy(name, *at, (size_t)(end - *at));
    name[end - *at] = '\0';
    *at = end + 1;
}

/* {bytes A B}: these of the file, in base64. */
static void put_bytes(struct play *p, FILE *out, char *range)
{
    size_t from = play_number(p, play_word(&range));
    size_t to = play_number(p, play_word(&range));
    char *text;

    if (from > to || to > p->file_len)
        play_fail(p, "no such bytes");
    text = malloc(XF_BASE64_LEN(to - from) + 1);
    assert_non_null(text);
    xf_base64_encode(p->file + from, to - from, text);
    fwrite(text, 1, XF_BASE64_LEN(to - from), out);
    free(text);
}

char *play_expand(struct play *p, const char *text)
{
    char *result = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&result, &len);
    char name[64];

    assert_non_null(out);
    while (*text) {
        if (*text != '{') {
            fputc(*text++, out);
            continue;
        }
        text++;
        name_of(p, &text, name);
        if (strncmp(name, "bytes ", 6) == 0)
            put_bytes(p, out, name + 6);
        else if (play_get(p, name))
            fputs(play_get(p, name), out);
        else
            play_fail(p, "{%s} is not known", name);
    }
    fclose(out);
    return result;
}

/* --- patterns ------------------------------------------------------------------------ */

static bool match(struct play *p, const char *pattern, const char *text);

static bool match_rest(struct play *p, const char *pattern, const char *text)
{
    for (;; text++) {
        if (match(p, pattern, text))
            return true;
        if (!*text)
            return false;
    }
}

static bool match_name(struct play *p, const char *pattern, const char *text)
{
    char name[64];
    const char *value;
    size_t len = 0;

    name_of(p, &pattern, name);
    value = play_get(p, name);
    if (value)
        return strncmp(text, value, strlen(value)) == 0 &&
               match(p, pattern, text + strlen(value));
    for (;; len++) {
        set_part(p, name, text, len);
        if (match(p, pattern, text + len))
            return true;
        if (!text[len] || strchr("\"'<>", text[len]))
            break;
    }
    play_set(p, name, NULL);
    return false;
}

static bool match(struct play *p, const char *pattern, const char *text)
{
    for (;; pattern++, text++) {
        if (strncmp(pattern, "...", 3) == 0)
            return match_rest(p, pattern + 3, text);
        if (*pattern == '{')
            return match_name(p, pattern + 1, text);
        if (*pattern != *text)
            return false;
        if (!*pattern)
            return true;
    }
}

/* The last tag begun before `end` is one that opens an element. */
static bool opens(const char *xml, const char *end)
{
    while (end > xml && *--end != '<')
        ;
    return *end == '<' && end[1] != '/';
}

/* <a b="c"></a> is written <a b="c"/>; the caller frees it. */
static char *shortest(const char *xml)
{
    char *out = strdup(xml), *to = out;

    assert_non_null(out);
    while (*xml) {
        const char *end =
            strncmp(xml, "></", 3) == 0 ? strchr(xml + 3, '>') : NULL;

        if (end && to > out && to[-1] != '/' && opens(out, to)) {
            *to++ = '/';
            xml = end;
        }
        *to++ = *xml++;
    }
    *to = '\0';
    return out;
}

/* Each stanza has an id of its own, so what begins with "id" is forgotten. */
bool play_match(struct play *p, const char *pattern, const char *text)
{
    char *a, *b;
    bool fits;

    for (size_t i = 0; i < p->vars_count; i++) {
        char name[40];

        snprintf(name, sizeof name, "{%s}", p->vars[i].name);
        if (strncmp(p->vars[i].name, "id", 2) == 0 && strstr(pattern, name))
            play_set(p, p->vars[i].name, NULL);
    }
    a = shortest(pattern);
    b = shortest(text);
    fits = match(p, a, b);
    free(a);
    free(b);
    return fits;
}

/* --- words --------------------------------------------------------------------------- */

const char *play_word(char **text)
{
    static char out[8][512];
    static unsigned next;
    char *to = out[next++ % 8];
    char *at = *text, end = ' ';
    size_t len = 0;

    while (*at == ' ')
        at++;
    if (*at == '"')
        end = *at++;
    while (*at && *at != end) {
        assert_true(len < sizeof out[0] - 1);
        to[len++] = *at++;
    }
    to[len] = '\0';
    if (*at == '"')
        at++;
    while (*at == ' ')
        at++;
    *text = at;
    return to;
}

bool play_takes(char **text, const char *words)
{
    size_t len = strlen(words);

    while (**text == ' ')
        (*text)++;
    if (strncmp(*text, words, len) != 0 ||
        ((*text)[len] != '\0' && (*text)[len] != ' '))
        return false;
    *text += len;
    while (**text == ' ')
        (*text)++;
    return true;
}

int play_ms(struct play *p, const char *word)
{
    char *unit;
    long n = strtol(word, &unit, 10);

    if (unit == word || n < 0 || n > 100000 ||
        (strcmp(unit, "ms") != 0 && strcmp(unit, "s") != 0))
        play_fail(p, "\"%s\" is no time", word);
    return (int)(unit[0] == 's' ? n * 1000 : n);
}

size_t play_number(struct play *p, const char *word)
{
    uint64_t n = 0;

    if (strcmp(word, "end") == 0)
        return p->file_len;
    if (!xf_read_uint(word, UINT32_MAX, &n))
        play_fail(p, "\"%s\" is no number", word);
    return (size_t)n;
}
