/* The one line at the bottom; what stands above it is left to the report. */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <xferry/xferry.h>

#define INTERVAL_MS 100
#define BAR_MAX 25 /* columns; a longer bar tells no more */
#define BAR_MIN 5

void xf_progress_init(struct xf_progress *p, FILE *out)
{
    const char *term = getenv("TERM");

    *p = (struct xf_progress){ .out = out, .drawn_ms = -INTERVAL_MS };
    p->terminal = isatty(fileno(out)) && (!term || strcmp(term, "dumb") != 0);
}

int64_t xf_progress_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

unsigned xf_progress_columns(const struct xf_progress *p)
{
    struct winsize size;

    if (ioctl(fileno(p->out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

/* Bytes of the first `columns` characters of UTF-8. */
static size_t clip(const char *line, unsigned columns)
{
    size_t i = 0;

    for (; line[i]; i++)
        if (((unsigned char)line[i] & 0xc0) != 0x80 && columns-- == 0)
            break;
    return i;
}

void xf_progress_show(struct xf_progress *p, const char *line, bool hurry)
{
    int64_t now = xf_progress_now();

    if (!p->terminal || (!hurry && now - p->drawn_ms < INTERVAL_MS))
        return;
    /* The last column stays free: a full line would wrap at some. */
    fprintf(p->out, "\r%.*s\033[K", (int)clip(line, xf_progress_columns(p) - 1),
            line);
    fflush(p->out);
    p->shown = true;
    p->drawn_ms = now;
}

void xf_progress_hide(struct xf_progress *p)
{
    if (p->shown)
        fputs("\r\033[K", p->out);
    p->shown = false;
}

void xf_progress_bytes(char out[32], double bytes)
{
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB" };
    size_t u = 0;

    while (bytes >= 999.5 && u < 4) {
        bytes /= 1000;
        u++;
    }
    snprintf(out, 32, "%.*f %s", u == 0 || bytes >= 99.95 ? 0 : 1, bytes,
             units[u]);
}

void xf_progress_time(char out[32], double seconds)
{
    unsigned s = seconds < 359999 ? (unsigned)(seconds + 0.5) : 359999;

    if (s >= 3600)
        snprintf(out, 32, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, 32, "%u:%02u", s / 60, s % 60);
}

/* Eighths of a column are drawn: the bar moves when the number does not. */
static void put_blocks(FILE *f, unsigned width, double part)
{
    static const char *const blocks[] = {
        "", "▏", "▎", "▍", "▌", "▋", "▊", "▉"
    };
    unsigned eighths = (unsigned)(part * width * 8);
    unsigned used = eighths / 8 + (eighths % 8 != 0);

    for (unsigned i = 0; i < eighths / 8; i++)
        fputs("█", f);
    fputs(blocks[eighths % 8], f);
    for (; used < width; used++)
        fputc(' ', f);
}

static void put_known(FILE *f, unsigned columns, uint64_t done, uint64_t total,
                      double rate, const char *rate_text)
{
    double part = total ? (double)done / (double)total : 1;
    unsigned width = columns > 40 + BAR_MAX ? BAR_MAX : 0;
    char left[32];

    if (!width && columns >= 40 + BAR_MIN)
        width = columns - 40;
    if (part > 1)
        part = 1;
    if (width) {
        fputs("  ", f);
        put_blocks(f, width, part);
    }
    fprintf(f, "  %3u %%  %s", (unsigned)(part * 100), rate_text);
    if (rate > 0 && done <= total) {
        xf_progress_time(left, (double)(total - done) / rate);
        fprintf(f, "  ETA %s", left);
    }
}

void xf_progress_bar(char out[XF_PROGRESS_MAX], unsigned columns, uint64_t done,
                     uint64_t total, double rate)
{
    char rate_text[40] = "";
    char bytes[32];
    FILE *f;

    out[0] = '\0';
    f = fmemopen(out, XF_PROGRESS_MAX, "w");
    if (!f)
        return;
    if (rate > 0) {
        xf_progress_bytes(bytes, rate);
        snprintf(rate_text, sizeof rate_text, "%s/s", bytes);
    }
    if (total != XF_SIZE_UNKNOWN) {
        put_known(f, columns, done, total, rate, rate_text);
    } else {
        xf_progress_bytes(bytes, (double)done);
        fprintf(f, "  %s  %s", bytes, rate_text);
    }
    fclose(f);
}
