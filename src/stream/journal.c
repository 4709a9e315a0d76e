/*
 * Lines out and in. What they mean for a part, and what may be believed
 * without looking at it, is for sink_find.
 */
#include "stream/journal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/encode.h"
#include "base/sys.h"

#define VERSION "xferry-part 1"

/* Every byte of every value escaped, and the words between them. */
#define LINE_MAX                                                               \
    (3 * (XF_JOURNAL_PEER_MAX + XF_NAME_MAX + XF_PART_VERSION_MAX +            \
          XF_JOURNAL_HASH_MAX) +                                               \
     256)
_Static_assert(LINE_MAX < XF_JOURNAL_MAX / 2, "a journal of one line");

struct line {
    size_t len;
    char text[LINE_MAX];
};

/* --- lines out ----------------------------------------------------------- */

static void put(struct line *line, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct line *line, const char *format, ...)
{
    size_t room = sizeof line->text - line->len;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(line->text + line->len, room, format, args);
    va_end(args);
    assert(n >= 0 && (size_t)n < room);
    line->len += (size_t)n;
}

static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || strchr("@._-", c) != NULL;
}

static void put_value(struct line *line, const char *key, const char *value)
{
    if (!value)
        return;
    put(line, " %s", key);
    for (; *value != '\0'; value++) {
        unsigned char c = (unsigned char)*value;

        if (is_plain(c))
            put(line, "%c", c);
        else
            put(line, "%%%02x", c);
    }
}

/* Over the line and the sum before it: no line can be left out. */
static bool sum_of(const char *before, const char *text, size_t len,
                   char sum[XF_JOURNAL_SUM + 1])
{
    struct xf_digest *digest = xf_digest_new(XF_DIGEST_SHA256);
    uint8_t out[XF_DIGEST_MAX];
    bool good = digest && xf_digest_add(digest, before, strlen(before)) &&
                xf_digest_add(digest, text, len) && xf_digest_end(digest, out);

    xf_digest_free(digest);
    if (good)
        xf_hex(out, XF_JOURNAL_SUM / 2, sum);
    return good;
}

static int write_all(int fd, const char *text, size_t len, uint64_t offset)
{
    while (len > 0) {
        ssize_t n = xf_sys_pwrite(fd, text, len, offset);

        if (n == 0)
            errno = EIO;
        if (n <= 0)
            return xf_err_from_errno(errno);
        text += n;
        offset += (size_t)n;
        len -= (size_t)n;
    }
    return 0;
}

/* Behind the good lines, over whatever a torn one has left. */
static int append(struct xf_journal *journal, struct line *line)
{
    char sum[XF_JOURNAL_SUM + 1];
    int err;

    if (!sum_of(journal->sum, line->text, line->len, sum)) {
        errno = ENOMEM;
        return XF_E_LIMIT;
    }
    put(line, " %s\n", sum);
    err = write_all(journal->fd, line->text, line->len, journal->length);
    if (err != 0)
        return err;
    journal->length += line->len;
    memcpy(journal->sum, sum, sizeof sum);
    return 0;
}

static int append_and_sync(struct xf_journal *journal, struct line *line)
{
    int err = append(journal, line);

    if (err == 0 && xf_sys_fdatasync(journal->fd) < 0)
        err = xf_err_from_errno(errno);
    return err;
}

/* --- writing ------------------------------------------------------------- */

bool xf_journal_fits(const struct xf_part_of *of)
{
    return strlen(of->peer) <= XF_JOURNAL_PEER_MAX &&
           strlen(of->name) <= XF_NAME_MAX &&
           (!of->version || strlen(of->version) <= XF_PART_VERSION_MAX) &&
           (!of->hash || strlen(of->hash) <= XF_JOURNAL_HASH_MAX);
}

static int append_first(struct xf_journal *journal, const struct xf_part_of *of)
{
    struct line line = { .len = 0 };
    int err;

    put(&line, VERSION);
    put_value(&line, "peer=", of->peer);
    put_value(&line, "name=", of->name);
    if (of->size == XF_SINK_SIZE_UNKNOWN)
        put(&line, " size=unknown");
    else
        put(&line, " size=%" PRIu64, of->size);
    put_value(&line, "version=", of->version);
    put_value(&line, "md5=", of->hash);
    put(&line, " dev=%" PRIu64 " ino=%" PRIu64, journal->dev, journal->ino);
    if ((err = append(journal, &line)) != 0)
        return err;
    journal->first = journal->length;
    memcpy(journal->first_sum, journal->sum, sizeof journal->sum);
    return 0;
}

int xf_journal_create(struct xf_journal *journal, int dir, const char *id,
                      const struct xf_part_of *of, uint64_t dev, uint64_t ino)
{
    char file[XF_PART_FILE + 1];
    int err, why;

    assert(xf_journal_fits(of));
    memset(journal, 0, sizeof *journal);
    journal->dev = dev;
    journal->ino = ino;
    xf_part_file(id, XF_PART_JOURNAL, file);
    journal->fd = xf_sys_openat(
        dir, file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (journal->fd < 0)
        return errno == EEXIST ? XF_E_IO : xf_err_from_errno(errno);
    if ((err = append_first(journal, of)) != 0) {
        why = errno;
        xf_journal_close(journal);
        (void)xf_sys_unlinkat(dir, file);
        errno = why;
    }
    return err;
}

int xf_journal_restart(struct xf_journal *journal, uint64_t bytes)
{
    if (xf_sys_ftruncate(journal->fd, journal->first) < 0)
        return xf_err_from_errno(errno);
    journal->length = journal->first;
    memcpy(journal->sum, journal->first_sum, sizeof journal->sum);
    return xf_journal_durable(journal, bytes);
}

int xf_journal_durable(struct xf_journal *journal, uint64_t bytes)
{
    struct line line = { .len = 0 };

    /* 1,200 of these lines make 20 GB; for a moment less is known then. */
    if (journal->length > XF_JOURNAL_MAX - LINE_MAX)
        return xf_journal_restart(journal, bytes);
    put(&line, "durable %" PRIu64, bytes);
    return append_and_sync(journal, &line);
}

int xf_journal_as(struct xf_journal *journal, const char *name, uint64_t size,
                  bool over)
{
    struct line line = { .len = 0 };

    if (journal->length > XF_JOURNAL_MAX - LINE_MAX) {
        int err = xf_journal_restart(journal, size);

        if (err != 0)
            return err;
    }
    put(&line, over ? "over" : "as");
    put_value(&line, "", name);
    put(&line, " %" PRIu64, size);
    return append_and_sync(journal, &line);
}

void xf_journal_close(struct xf_journal *journal)
{
    if (journal->fd >= 0)
        xf_sys_close(journal->fd);
    journal->fd = -1;
}

/* --- reading ------------------------------------------------------------- */

/* A word of `*text`, ended by a blank or the end, moved over. */
static bool take_word(char **text, const char *key, char **value)
{
    size_t len = strlen(key);
    char *end;

    if (!*text || strncmp(*text, key, len) != 0)
        return false;
    *value = *text + len;
    end = strchr(*value, ' ');
    if (end)
        *end++ = '\0';
    *text = end;
    return true;
}

static bool take_text(char **text, const char *key, char *out, size_t max)
{
    size_t n = 0;
    char *in;

    if (!take_word(text, key, &in))
        return false;
    for (; *in != '\0'; in++) {
        char hex[3] = { 0 };
        uint8_t c = (uint8_t)*in;

        if (n == max)
            return false;
        if (c == '%') {
            (void)snprintf(hex, sizeof hex, "%s", in + 1);
            if (!xf_unhex(hex, &c, 1) || c == 0)
                return false;
            in += 2;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

/* *out stays NULL when there is no such word; false when it is a bad one. */
static bool take_if_there(char **text, const char *key, char *room, size_t max,
                          const char **out)
{
    if (!*text || strncmp(*text, key, strlen(key)) != 0)
        return true;
    *out = room;
    return take_text(text, key, room, max);
}

static bool take_number(char **text, const char *key, uint64_t max,
                        uint64_t *out)
{
    char *in;

    return take_word(text, key, &in) && xf_read_uint(in, max, out);
}

/* It is going to be a name in a directory. */
static bool is_component(const char *name)
{
    return *name != '\0' && !strchr(name, '/') && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static bool take_size(char **text, uint64_t *out)
{
    char *in;

    if (!take_word(text, "size=", &in))
        return false;
    if (strcmp(in, "unknown") != 0)
        return xf_read_uint(in, INT64_MAX, out);
    *out = XF_SINK_SIZE_UNKNOWN;
    return true;
}

static bool read_first(struct xf_journal *journal, char *text)
{
    char *rest;

    if (strncmp(text, VERSION " ", sizeof VERSION) != 0)
        return false;
    rest = text + sizeof VERSION;
    if (!take_text(&rest, "peer=", journal->peer, XF_JOURNAL_PEER_MAX) ||
        !take_text(&rest, "name=", journal->name, XF_NAME_MAX) ||
        !is_component(journal->name) || !take_size(&rest, &journal->of.size))
        return false;
    journal->of.peer = journal->peer;
    journal->of.name = journal->name;
    return take_if_there(&rest, "version=", journal->version,
                         XF_PART_VERSION_MAX, &journal->of.version) &&
           take_if_there(&rest, "md5=", journal->hash, XF_JOURNAL_HASH_MAX,
                         &journal->of.hash) &&
           take_number(&rest, "dev=", UINT64_MAX, &journal->dev) &&
           take_number(&rest, "ino=", UINT64_MAX, &journal->ino) && !rest;
}

static bool read_as(struct xf_journal *journal, char *text,
                    enum xf_journal_end end)
{
    char name[XF_NAME_MAX + 1];
    uint64_t size;

    if (!take_text(&text, end == XF_JOURNAL_AS ? "as " : "over ", name,
                   XF_NAME_MAX) ||
        !is_component(name) || !take_number(&text, "", INT64_MAX, &size) ||
        text)
        return false;
    memcpy(journal->as, name, sizeof name);
    journal->as_size = size;
    journal->durable = size; /* whole, before it gets a name */
    journal->end = end;
    return true;
}

static bool read_next(struct xf_journal *journal, char *text)
{
    if (strncmp(text, "durable ", 8) == 0)
        return xf_read_uint(text + 8, INT64_MAX, &journal->durable);
    if (strncmp(text, "as ", 3) == 0)
        return read_as(journal, text, XF_JOURNAL_AS);
    if (strncmp(text, "over ", 5) == 0)
        return read_as(journal, text, XF_JOURNAL_OVER);
    return false;
}

/* The line at `text`, without its newline, when its sum is right. */
static bool read_line(struct xf_journal *journal, const char *text, size_t len)
{
    char copy[LINE_MAX], sum[XF_JOURNAL_SUM + 1];
    bool first = journal->length == 0;
    size_t said = len - XF_JOURNAL_SUM - 1;

    if (len < XF_JOURNAL_SUM + 2 || len >= sizeof copy || text[said] != ' ' ||
        memchr(text, '\0', len) || !sum_of(journal->sum, text, said, sum) ||
        memcmp(sum, text + said + 1, XF_JOURNAL_SUM) != 0)
        return false;
    memcpy(copy, text, said);
    copy[said] = '\0';
    if (!(first ? read_first : read_next)(journal, copy))
        return false;
    journal->length += len + 1;
    memcpy(journal->sum, sum, sizeof sum);
    if (first) {
        journal->first = journal->length;
        memcpy(journal->first_sum, sum, sizeof sum);
    }
    return true;
}

bool xf_journal_parse(struct xf_journal *journal, const char *text, size_t len)
{
    const char *end;
    int fd = journal->fd;

    memset(journal, 0, sizeof *journal);
    journal->fd = fd;
    while ((end = memchr(text, '\n', len)) != NULL &&
           read_line(journal, text, (size_t)(end - text))) {
        len -= (size_t)(end - text) + 1;
        text = end + 1;
    }
    return journal->length > 0;
}

static bool read_file(int fd, char *text, size_t max, size_t *len)
{
    ssize_t n;

    for (*len = 0; *len < max; *len += (size_t)n) {
        n = xf_sys_pread(fd, text + *len, max - *len, *len);
        if (n <= 0)
            return n == 0;
    }
    return true;
}

bool xf_journal_reread(struct xf_journal *journal)
{
    char *text = xf_sys_alloc(XF_JOURNAL_MAX);
    size_t len;
    bool good = text && read_file(journal->fd, text, XF_JOURNAL_MAX, &len) &&
                xf_journal_parse(journal, text, len);

    xf_sys_free(text);
    if (!good)
        xf_journal_close(journal);
    return good;
}

bool xf_journal_open(struct xf_journal *journal, int dir, const char *id)
{
    char file[XF_PART_FILE + 1];
    struct stat st;

    xf_part_file(id, XF_PART_JOURNAL, file);
    journal->fd = xf_sys_openat(
        dir, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (journal->fd < 0)
        return false;
    if (xf_sys_fstat(journal->fd, &st) < 0 || !S_ISREG(st.st_mode) ||
        st.st_uid != xf_sys_user()) {
        xf_journal_close(journal);
        return false;
    }
    return xf_journal_reread(journal);
}
