/* Reads the settings, says what is wrong with them and where, and what they
 * mean. What is done with them is left to setup.c. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xferry/error.h>

#include "keys.h"

static int fail(struct xf_conf *conf, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static int fail(struct xf_conf *conf, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(conf->error, sizeof conf->error, format, args);
    va_end(args);
    return code;
}

static int no_memory(struct xf_conf *conf)
{
    return fail(conf, XF_E_LIMIT, "out of memory");
}

static int from_errno(struct xf_conf *conf, const char *path)
{
    int code = errno == EACCES || errno == EPERM ? XF_E_PERM : XF_E_IO;

    return fail(conf, code, "%s: %s", path, strerror(errno));
}

const char *xf_conf_name(enum xf_conf_key key)
{
    return xf_keys[key].name;
}

int xf_conf_find(const char *name)
{
    for (int i = 0; i < XF_CONF_KEYS; i++)
        if (strcmp(xf_keys[i].name, name) == 0)
            return i;
    return -1;
}

bool xf_conf_reloads(enum xf_conf_key key)
{
    return xf_keys[key].reloads;
}

/* Where a mistake stands: "file:12: key", "--key", or the key alone. */
static void place(const struct xf_conf *conf, enum xf_conf_key key, int line,
                  enum xf_conf_layer layer, char *out, size_t size)
{
    const char *name = xf_keys[key].name;

    if (layer == XF_CONF_BY_OPTION)
        snprintf(out, size, "--%s", name);
    else if (layer == XF_CONF_BY_FILE)
        snprintf(out, size, "%s:%d: %s", conf->path, line, name);
    else
        snprintf(out, size, "%s", name);
}

int xf_conf_blame(struct xf_conf *conf, enum xf_conf_key key, size_t entry,
                  const char *words)
{
    const struct xf_conf_value *v = &conf->value[key];
    int line = entry < v->count ? v->lines[entry] : v->line;
    const char *text = entry < v->count ? v->list[entry] : v->text;
    char at[XF_CONF_ERROR / 2];

    place(conf, key, line, v->layer, at, sizeof at);
    if (text)
        return fail(conf, XF_E_USAGE, "%s = %s: %s", at, text, words);
    return fail(conf, XF_E_USAGE, "%s: %s", at, words);
}

/* --- setting one value --------------------------------------------------- */

static void drop(struct xf_conf_value *v)
{
    free(v->text);
    for (size_t i = 0; i < v->count; i++)
        free(v->list[i]);
    free(v->list);
    free(v->lines);
    *v = (struct xf_conf_value){ 0 };
}

static int add(struct xf_conf *conf, enum xf_conf_key key, const char *text,
               int line)
{
    struct xf_conf_value *v = &conf->value[key];
    char **list = realloc(v->list, (v->count + 1) * sizeof *list);
    int *lines;
    char *copy;

    if (!list)
        return no_memory(conf);
    v->list = list;
    lines = realloc(v->lines, (v->count + 1) * sizeof *lines);
    if (!lines)
        return no_memory(conf);
    v->lines = lines;
    copy = strdup(text);
    if (!copy)
        return no_memory(conf);
    v->list[v->count] = copy;
    v->lines[v->count++] = line;
    return 0;
}

/* What may stand there, for who wrote something else. */
static void say_range(const struct xf_key *key, char *out, size_t size)
{
    switch (key->kind) {
    case XF_KIND_CHOICE:
        snprintf(out, size, "one of %s", key->unit);
        break;
    case XF_KIND_SIZE:
        snprintf(out, size,
                 "bytes, %" PRIu64 " to %" PRIu64
                 ", with k, M, G or T for powers of 1024",
                 key->least, key->most);
        break;
    case XF_KIND_SECONDS:
        snprintf(out, size,
                 "%" PRIu64 " to %" PRIu64 " seconds, or with m or h",
                 key->least, key->most);
        break;
    case XF_KIND_NUMBER:
        snprintf(out, size, "a number from %" PRIu64 " to %" PRIu64, key->least,
                 key->most);
        break;
    case XF_KIND_TEXT:
    case XF_KIND_LIST:
        snprintf(out, size, "%s", key->unit);
        break;
    }
}

static int wrong(struct xf_conf *conf, enum xf_conf_key key, const char *text,
                 int line, enum xf_conf_layer layer)
{
    char at[XF_CONF_ERROR / 2], range[128];

    place(conf, key, line, layer, at, sizeof at);
    say_range(&xf_keys[key], range, sizeof range);
    return fail(conf, XF_E_USAGE, "%s = %.80s: it takes %s", at, text, range);
}

static int set(struct xf_conf *conf, enum xf_conf_key key, const char *text,
               int line, enum xf_conf_layer layer)
{
    const struct xf_key *k = &xf_keys[key];
    struct xf_conf_value *v = &conf->value[key];
    uint64_t number = 0;

    if (!*text)
        return wrong(conf, key, "", line, layer);
    if (k->kind > XF_KIND_LIST && !xf_key_number(k, text, &number))
        return wrong(conf, key, text, line, layer);
    if (v->layer < layer)
        drop(v);
    if (k->kind == XF_KIND_LIST && v->count == k->most)
        return wrong(conf, key, text, line, layer);
    if (v->count == 0)
        v->line = line;
    v->layer = layer;
    if (k->kind == XF_KIND_LIST)
        return add(conf, key, text, line);
    v->number = number;
    if (k->kind != XF_KIND_TEXT)
        return 0;
    free(v->text);
    v->text = strdup(text);
    return v->text ? 0 : no_memory(conf);
}

int xf_conf_option(struct xf_conf *conf, const char *name, const char *text)
{
    int key = xf_conf_find(name);

    if (key < 0)
        return fail(conf, XF_E_USAGE, "there is no option --%.40s", name);
    return set(conf, (enum xf_conf_key)key, text, 0, XF_CONF_BY_OPTION);
}

/* --- sections ------------------------------------------------------------ */

int xf_conf_blame_section(struct xf_conf *conf, size_t i, const char *words)
{
    return fail(conf, XF_E_USAGE, "%s:%d: [%.80s]: %s", conf->path,
                conf->sections[i].line, conf->sections[i].jid, words);
}

static int begin_section(struct xf_conf *conf, char *line, int number)
{
    size_t len = strlen(line), n = conf->section_count;
    struct xf_conf_section *more;

    if (len < 3 || line[len - 1] != ']')
        return fail(conf, XF_E_USAGE, "%s:%d: a section is `[JID]`", conf->path,
                    number);
    if (n == XF_CONF_LIST_MAX)
        return fail(conf, XF_E_USAGE, "%s:%d: more than %d sections",
                    conf->path, number, XF_CONF_LIST_MAX);
    line[len - 1] = '\0';
    more = realloc(conf->sections, (n + 1) * sizeof *more);
    if (!more)
        return no_memory(conf);
    conf->sections = more;
    more[n] =
        (struct xf_conf_section){ .jid = strdup(line + 1), .line = number };
    if (!more[n].jid)
        return no_memory(conf);
    conf->section_count++;
    conf->in_section = true;
    return 0;
}

static int set_in_section(struct xf_conf *conf, enum xf_conf_key key,
                          const char *text, int line)
{
    struct xf_conf_section *s = &conf->sections[conf->section_count - 1];
    int i = (int)key - XF_CONF_QUOTA_FIRST;
    uint64_t number;

    if (i < 0 || i >= XF_CONF_QUOTA_KEYS)
        return fail(conf, XF_E_USAGE,
                    "%s:%d: %s does not go into a section [JID]; move it "
                    "above the first",
                    conf->path, line, xf_keys[key].name);
    if (s->lines[i])
        return fail(conf, XF_E_USAGE, "%s:%d: %s stands in line %d already",
                    conf->path, line, xf_keys[key].name, s->lines[i]);
    if (!xf_key_number(&xf_keys[key], text, &number))
        return wrong(conf, key, text, line, XF_CONF_BY_FILE);
    s->number[i] = number;
    s->lines[i] = line;
    return 0;
}

/* --- the file ------------------------------------------------------------ */

static char *trim(char *text)
{
    char *end;

    text += strspn(text, " \t");
    end = text + strlen(text);
    while (end > text && strchr(" \t\r", end[-1]))
        *--end = '\0';
    return text;
}

static int line_of_file(struct xf_conf *conf, char *line, int number)
{
    char *equals = strchr(line, '='), *name;
    int found;

    if (!equals)
        return fail(conf, XF_E_USAGE, "%s:%d: a line is `key = value`",
                    conf->path, number);
    *equals = '\0';
    name = trim(line);
    found = xf_conf_find(name);
    /* A descriptor is of one start, not of a file. */
    if (found < 0 || found == XF_CONF_SECRET_FD)
        return fail(conf, XF_E_USAGE, "%s:%d: there is no key `%.40s`",
                    conf->path, number, name);
    if (conf->in_section)
        return set_in_section(conf, (enum xf_conf_key)found, trim(equals + 1),
                              number);
    if (conf->value[found].layer == XF_CONF_BY_OPTION)
        return 0;
    if (conf->value[found].layer == XF_CONF_BY_FILE &&
        xf_keys[found].kind != XF_KIND_LIST)
        return fail(conf, XF_E_USAGE, "%s:%d: %s stands in line %d already",
                    conf->path, number, name, conf->value[found].line);
    return set(conf, (enum xf_conf_key)found, trim(equals + 1), number,
               XF_CONF_BY_FILE);
}

int xf_conf_text(struct xf_conf *conf, char *text)
{
    int number = 0, err = 0;
    char *line;

    while (!err && (line = strsep(&text, "\n")) != NULL) {
        number++;
        line = trim(line);
        if (*line == '[')
            err = begin_section(conf, line, number);
        else if (*line && *line != '#')
            err = line_of_file(conf, line, number);
    }
    return err;
}

/* The whole of a descriptor; `max` is a byte more than is taken. */
static ssize_t read_all(int fd, char *text, size_t max)
{
    size_t len = 0;
    ssize_t n;

    while (len < max && (n = read(fd, text + len, max - len)) != 0) {
        if (n < 0 && errno != EINTR)
            return -1;
        len += n > 0 ? (size_t)n : 0;
    }
    return (ssize_t)len;
}

int xf_conf_file(struct xf_conf *conf, const char *path, bool must)
{
    char *text = NULL;
    ssize_t len;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int err = 0;

    conf->path = path;
    if (fd < 0)
        return errno == ENOENT && !must ? 0 : from_errno(conf, path);
    text = malloc(XF_CONF_TEXT_MAX + 1);
    len = text ? read_all(fd, text, XF_CONF_TEXT_MAX + 1) : 0;
    if (!text)
        err = no_memory(conf);
    else if (len < 0)
        err = from_errno(conf, path);
    else if (len > XF_CONF_TEXT_MAX)
        err = fail(conf, XF_E_USAGE, "%s: longer than %d bytes", path,
                   XF_CONF_TEXT_MAX);
    else if (memchr(text, '\0', (size_t)len))
        err = fail(conf, XF_E_USAGE, "%s: there is a NUL in it", path);
    close(fd);
    if (!err) {
        text[len] = '\0';
        err = xf_conf_text(conf, text);
    }
    free(text);
    return err;
}

static int give_defaults(struct xf_conf *conf)
{
    int err = 0;

    for (int i = 0; i < XF_CONF_KEYS && !err; i++)
        if (conf->value[i].layer == XF_CONF_DEFAULT && xf_keys[i].standard &&
            conf->value[i].count == 0)
            err = set(conf, (enum xf_conf_key)i, xf_keys[i].standard, 0,
                      XF_CONF_DEFAULT);
    return err;
}

int xf_conf_finish(struct xf_conf *conf)
{
    static const enum xf_conf_key needed[] = { XF_CONF_COMPONENT,
                                               XF_CONF_ADVERTISE };
    int err = give_defaults(conf);

    for (size_t i = 0; i < sizeof needed / sizeof *needed && !err; i++)
        if (conf->value[needed[i]].layer == XF_CONF_DEFAULT)
            err = fail(conf, XF_E_USAGE, "%s%s%s is not set: %s",
                       conf->path ? conf->path : "", conf->path ? ": " : "",
                       xf_keys[needed[i]].name, xf_keys[needed[i]].meaning);
    if (!err && !conf->value[XF_CONF_SECRET_FILE].text &&
        conf->value[XF_CONF_SECRET_FD].layer == XF_CONF_DEFAULT)
        err = fail(conf, XF_E_USAGE,
                   "%s%ssecret-file is not set: the secret shared with the "
                   "server has to stand somewhere",
                   conf->path ? conf->path : "", conf->path ? ": " : "");
    return err;
}

void xf_conf_clear(struct xf_conf *conf)
{
    for (int i = 0; i < XF_CONF_KEYS; i++)
        drop(&conf->value[i]);
    for (size_t i = 0; i < conf->section_count; i++)
        free(conf->sections[i].jid);
    free(conf->sections);
    conf->sections = NULL;
    conf->section_count = 0;
}

/* --- the secret ---------------------------------------------------------- */

static int check_private(struct xf_conf *conf, int fd, const char *name,
                         bool ours)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return from_errno(conf, name);
    /* A pipe has one reader; a file has as many as its mode lets. */
    if (!ours && !S_ISREG(st.st_mode))
        return 0;
    if (!S_ISREG(st.st_mode))
        return fail(conf, XF_E_PERM, "%s is not a regular file", name);
    if (ours && st.st_uid != geteuid())
        return fail(conf, XF_E_PERM, "%s belongs to another user, number %lu",
                    name, (unsigned long)st.st_uid);
    if (st.st_mode & 077)
        return fail(conf, XF_E_PERM,
                    "%s has mode %04o: others may touch it; `chmod 600` it",
                    name, (unsigned)(st.st_mode & 07777));
    return 0;
}

static int first_line(struct xf_conf *conf, int fd, const char *name,
                      char secret[XF_CONF_SECRET_MAX])
{
    ssize_t len = read_all(fd, secret, XF_CONF_SECRET_MAX - 1);
    size_t line;

    if (len < 0)
        return from_errno(conf, name);
    line = strcspn(secret, "\r\n");
    if (line == 0)
        return fail(conf, XF_E_USAGE, "%s: there is no secret in it", name);
    /* The last byte is NUL, and a full buffer may have been cut. */
    if (line >= XF_CONF_SECRET_MAX - 1)
        return fail(conf, XF_E_USAGE, "%s: longer than %d bytes", name,
                    XF_CONF_SECRET_MAX - 2);
    explicit_bzero(secret + line, XF_CONF_SECRET_MAX - line);
    return 0;
}

int xf_conf_secret(struct xf_conf *conf, char secret[XF_CONF_SECRET_MAX])
{
    bool by_fd = conf->value[XF_CONF_SECRET_FD].layer == XF_CONF_BY_OPTION;
    const char *path = conf->value[XF_CONF_SECRET_FILE].text;
    char name[64];
    int fd, err;

    explicit_bzero(secret, XF_CONF_SECRET_MAX);
    snprintf(name, sizeof name, "descriptor %d",
             (int)conf->value[XF_CONF_SECRET_FD].number);
    fd = by_fd ? (int)conf->value[XF_CONF_SECRET_FD].number
               : open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK |
                                O_NOCTTY);
    if (fd < 0 && errno == ELOOP)
        return fail(conf, XF_E_PERM, "%s is a symbolic link", path);
    if (fd < 0)
        return from_errno(conf, path);
    err = check_private(conf, fd, by_fd ? name : path, !by_fd);
    if (!err)
        err = first_line(conf, fd, by_fd ? name : path, secret);
    close(fd);
    if (err)
        explicit_bzero(secret, XF_CONF_SECRET_MAX);
    return err;
}

/* --- telling ------------------------------------------------------------- */

static void tell_source(const struct xf_conf *conf,
                        const struct xf_conf_value *v, int line, FILE *out)
{
    if (v->layer == XF_CONF_BY_OPTION)
        fputs("option", out);
    else if (v->layer == XF_CONF_BY_FILE)
        fprintf(out, "%s:%d", conf->path, line);
    else
        fputs("default", out);
}

static void tell_value(const struct xf_key *key, const struct xf_conf_value *v,
                       FILE *out)
{
    const char *word = key->unit;

    switch (key->kind) {
    case XF_KIND_TEXT:
        fputs(v->text ? v->text : "(not set)", out);
        break;
    case XF_KIND_LIST:
        fputs("(none)", out);
        break;
    case XF_KIND_NUMBER:
        fprintf(out, "%" PRIu64, v->number);
        break;
    case XF_KIND_SIZE:
        fprintf(out, "%" PRIu64 " bytes", v->number);
        break;
    case XF_KIND_SECONDS:
        fprintf(out, "%" PRIu64 " s", v->number);
        break;
    case XF_KIND_CHOICE:
        for (uint64_t i = 0; i < v->number; i++)
            word += strcspn(word, "|") + 1;
        fprintf(out, "%.*s", (int)strcspn(word, "|"), word);
        break;
    }
}

static void tell_key(const struct xf_conf *conf, enum xf_conf_key key,
                     FILE *out)
{
    const struct xf_conf_value *v = &conf->value[key];

    if (key == XF_CONF_SECRET_FD && v->layer == XF_CONF_DEFAULT)
        return;
    for (size_t i = 0; i < v->count || i == 0; i++) {
        fprintf(out, "%s = ", xf_keys[key].name);
        if (i < v->count)
            fputs(v->list[i], out);
        else
            tell_value(&xf_keys[key], v, out);
        fputs("    # ", out);
        tell_source(conf, v, i < v->count ? v->lines[i] : v->line, out);
        fprintf(out, "; %s\n", xf_keys[key].meaning);
    }
}

static void tell_section(const struct xf_conf *conf,
                         const struct xf_conf_section *s, FILE *out)
{
    struct xf_conf_value v = { .layer = XF_CONF_BY_FILE };

    fprintf(out, "[%s]    # %s:%d; may use the proxy, with these limits\n",
            s->jid, conf->path, s->line);
    for (int i = 0; i < XF_CONF_QUOTA_KEYS; i++) {
        const struct xf_key *key = &xf_keys[XF_CONF_QUOTA_FIRST + i];

        if (!s->lines[i])
            continue;
        v.number = s->number[i];
        fprintf(out, "%s = ", key->name);
        tell_value(key, &v, out);
        fprintf(out, "    # %s:%d; %s\n", conf->path, s->lines[i],
                key->meaning);
    }
}

void xf_conf_tell(const struct xf_conf *conf, FILE *out)
{
    for (int i = 0; i < XF_CONF_KEYS; i++)
        tell_key(conf, (enum xf_conf_key)i, out);
    for (size_t i = 0; i < conf->section_count; i++)
        tell_section(conf, &conf->sections[i], out);
}

void xf_conf_help(FILE *out)
{
    for (int i = 0; i < XF_CONF_KEYS; i++) {
        const struct xf_key *key = &xf_keys[i];

        fprintf(out, "  --%s %s\n        %s%s%s%s\n", key->name, key->unit,
                key->meaning, key->standard ? " (" : "",
                key->standard ? key->standard : "", key->standard ? ")" : "");
    }
}
