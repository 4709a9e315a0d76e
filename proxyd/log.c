/* Lines to standard error: with a time for a person, with a level for the
 * journal, which knows the time itself. */
#include "log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KINDS 64        /* of what is told seldom; there are about 30 */
#define BACKLOG 262144  /* bytes that wait for a reader who is slow */
#define AGAIN_MS 20     /* until he is looked after again */
#define PATIENCE_MS 500 /* for him, at the end */

static struct {
    enum xf_log_level least;
    bool full_jids;
    bool asked, journal;
    uint64_t lost; /* lines that nobody read in time, not yet told */
    uint64_t lost_ever;
} state = { .least = XF_LOG_INFO };

/* Whole lines, from `from` to `to`; only what is behind is added to. */
static struct {
    char text[BACKLOG];
    size_t from, to;
} backlog;

static struct kind {
    const char *name;
    enum xf_log_level level;
    int64_t told_at; /* when its last line went out */
    uint64_t left_out;
} kinds[KINDS];

void xf_log_set(enum xf_log_level least, bool full_jids)
{
    state.least = least;
    state.full_jids = full_jids;
}

int64_t xf_log_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* systemd says which stream is the journal's (systemd.exec, JOURNAL_STREAM);
 * a redirection behind its back makes it another. */
static bool is_journal(void)
{
    const char *name = getenv("JOURNAL_STREAM");
    char here[64];
    struct stat st;

    if (!name || fstat(STDERR_FILENO, &st) != 0)
        return false;
    snprintf(here, sizeof here, "%lu:%lu", (unsigned long)st.st_dev,
             (unsigned long)st.st_ino);
    return strcmp(name, here) == 0;
}

static size_t begin_line(enum xf_log_level level, char *line, size_t size)
{
    static const char *const words[] = { "error", "warning", "info", "debug" };
    static const int numbers[] = { 3, 4, 6, 7 }; /* of syslog */
    struct timespec now;
    struct tm utc;
    size_t len;

    if (!state.asked)
        state.journal = is_journal();
    state.asked = true;
    if (state.journal)
        return (size_t)snprintf(line, size, "<%d>", numbers[level]);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    len = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &utc);
    return len + (size_t)snprintf(line + len, size - len,
                                  ".%03ldZ %s: ", now.tv_nsec / 1000000,
                                  words[level]);
}

/* Append with every byte that could be taken for something else shown. */
static size_t append(char *line, size_t len, size_t size, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        bool plain = c >= 0x20 && c < 0x7f;

        if (len + 5 >= size)
            break;
        if (plain)
            line[len++] = (char)c;
        else
            len += (size_t)snprintf(line + len, size - len, "\\x%02X", c);
    }
    return len;
}

/* A line is shorter than PIPE_BUF: where poll() sees room it goes whole. */
static bool put(const char *line, size_t len, int wait_ms)
{
    struct pollfd p = { STDERR_FILENO, POLLOUT, 0 };

    return poll(&p, 1, wait_ms) == 1 && (p.revents & POLLOUT) &&
           write(STDERR_FILENO, line, len) == (ssize_t)len;
}

/* What waits, line by line; true when nothing does any more. */
static bool flush(int wait_ms)
{
    while (backlog.from < backlog.to) {
        const char *line = backlog.text + backlog.from;
        const char *end = memchr(line, '\n', backlog.to - backlog.from);

        if (!put(line, (size_t)(end - line) + 1, wait_ms))
            return false;
        backlog.from += (size_t)(end - line) + 1;
    }
    backlog.from = backlog.to = 0;
    return true;
}

static bool keep(const char *line, size_t len)
{
    if (backlog.to + len > BACKLOG)
        return false;
    memcpy(backlog.text + backlog.to, line, len);
    backlog.to += len;
    return true;
}

static void say(enum xf_log_level level, const char *text)
{
    char line[XF_LOG_LINE + 64];
    size_t len = begin_line(level, line, sizeof line);

    len = append(line, len, sizeof line - 32, text);
    if (state.lost > 0)
        len += (size_t)snprintf(line + len, 31, " (%" PRIu32 " lines lost)",
                                (uint32_t)state.lost);
    line[len++] = '\n';
    if ((flush(0) && put(line, len, 0)) || keep(line, len)) {
        state.lost = 0;
    } else {
        state.lost++;
        state.lost_ever++;
    }
}

void xf_log_end(void)
{
    int64_t end = xf_log_now() + PATIENCE_MS;

    while (!flush(AGAIN_MS) && xf_log_now() < end)
        ;
}

uint64_t xf_log_lost(void)
{
    return state.lost_ever;
}

void xf_log(enum xf_log_level level, const char *format, ...)
{
    char text[XF_LOG_LINE];
    va_list args;

    if (level > state.least)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(level, text);
}

static struct kind *kind_of(const char *name)
{
    for (int i = 0; i < KINDS; i++) {
        if (!kinds[i].name)
            kinds[i] = (struct kind){ name, XF_LOG_INFO, -XF_LOG_SELDOM_MS, 0 };
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    }
    return NULL;
}

void xf_log_seldom(enum xf_log_level level, const char *kind,
                   const char *format, ...)
{
    struct kind *k = kind_of(kind);
    int64_t now = xf_log_now();
    char text[XF_LOG_LINE];
    va_list args;

    if (level > state.least || !k)
        return;
    k->level = level;
    if (now - k->told_at < XF_LOG_SELDOM_MS) {
        k->left_out++;
        return;
    }
    va_start(args, format);
    vsnprintf(text, sizeof text - 48, format, args);
    va_end(args);
    if (k->left_out > 0)
        snprintf(text + strlen(text), 48, " (and %" PRIu64 " more like it)",
                 k->left_out);
    k->told_at = now;
    k->left_out = 0;
    say(level, text);
}

int64_t xf_log_tick(void)
{
    int64_t now = xf_log_now(), wait = flush(0) ? -1 : AGAIN_MS;

    for (int i = 0; i < KINDS && kinds[i].name; i++) {
        struct kind *k = &kinds[i];
        int64_t left = k->told_at + XF_LOG_SELDOM_MS - now;

        if (k->left_out == 0)
            continue;
        if (left > 0) {
            wait = wait < 0 || left < wait ? left : wait;
            continue;
        }
        xf_log(k->level, "%s: %" PRIu64 " more in the last %d s", k->name,
               k->left_out, XF_LOG_SELDOM_MS / 1000);
        k->told_at = now;
        k->left_out = 0;
    }
    return wait;
}

const char *xf_log_jid(const char *jid, char out[XF_LOG_JID])
{
    char shown[XF_LOG_JID];
    const char *at = jid ? strchr(jid, '@') : NULL;
    const char *slash = jid ? strchr(jid, '/') : NULL;
    size_t len = 0;

    if (slash && at > slash)
        at = NULL;
    if (!jid || !*jid)
        snprintf(shown, sizeof shown, "-");
    else if (state.full_jids)
        snprintf(shown, sizeof shown, "%s", jid);
    else if (at)
        snprintf(shown, sizeof shown, "%.*s*%.*s", at > jid, jid,
                 (int)strcspn(at, "/"), at);
    else
        snprintf(shown, sizeof shown, "%.*s", (int)strcspn(jid, "/"), jid);
    for (const char *c = shown; *c && len + 5 < XF_LOG_JID; c++) {
        if (*c > 0x20 && *c < 0x7f && *c != '\\' && *c != '"')
            out[len++] = *c;
        else
            len += (size_t)snprintf(out + len, XF_LOG_JID - len, "\\x%02X",
                                    (unsigned char)*c);
    }
    out[len] = '\0';
    return out;
}
