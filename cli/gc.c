/* `xferry gc`: what lies unfinished in a directory, and its removal. */
#include "gc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "errors.h"
#include "escape.h"
#include "json.h"
#include "progress.h"

/* --- for people ---------------------------------------------------------- */

static void put_bytes(FILE *out, uint64_t bytes)
{
    char text[32];

    xf_progress_bytes(text, (double)bytes);
    fputs(text, out);
}

static void put_age(FILE *out, int64_t age)
{
    if (age < 0)
        fputs(", age not known", out);
    else if (age < 120)
        fprintf(out, ", %" PRId64 " s old", age);
    else if (age < 2 * 3600)
        fprintf(out, ", %" PRId64 " min old", age / 60);
    else if (age < 2 * 86400)
        fprintf(out, ", %" PRId64 " h old", age / 3600);
    else
        fprintf(out, ", %" PRId64 " d old", age / 86400);
}

/* Rounded down: what is not whole is never 100 %. */
static unsigned percent(const struct xf_part *part)
{
    if (part->have >= part->size)
        return 100;
    return (unsigned)((double)part->have / (double)part->size * 100);
}

static void put_state(FILE *out, const struct xf_part *part)
{
    if (part->done) {
        fputs("whole, as ", out);
        xf_escape(out, part->done);
        fputs("; only its journal is left", out);
        return;
    }
    if (!part->readable) {
        put_bytes(out, part->have);
        fputs(", not known what of", out);
        return;
    }
    if (part->size == XF_SIZE_UNKNOWN) {
        put_bytes(out, part->have);
        fputs(" of a size not known", out);
        return;
    }
    fprintf(out, "%u %%, ", percent(part));
    put_bytes(out, part->have);
    fputs(" of ", out);
    put_bytes(out, part->size);
    fputs(", missing ", out);
    put_bytes(out, part->have < part->size ? part->size - part->have : 0);
}

void xf_gc_print(FILE *out, const struct xf_part *part, int64_t age,
                 enum xf_gc_fate fate)
{
    if (part->readable) {
        xf_escape(out, part->name);
        fputs(" from ", out);
        xf_escape(out, part->peer);
        fputs(": ", out);
        put_state(out, part);
        put_age(out, age);
        fprintf(out, " (%s)", part->file);
    } else {
        fprintf(out, "%s: ", part->file);
        put_state(out, part);
        put_age(out, age);
    }
    if (part->busy)
        fputs(", in use", out);
    if (fate == XF_GC_REMOVED)
        fputs(", removed", out);
    fputc('\n', out);
}

/* --- for scripts --------------------------------------------------------- */

static void put_path(FILE *out, const char *dir, const char *name)
{
    char path[8192];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    fputs(",\"path\":", out);
    xf_json_string(out, path);
}

static void put_number(FILE *out, const char *key, uint64_t value)
{
    fprintf(out, ",\"%s\":%" PRIu64, key, value);
}

void xf_gc_json(FILE *out, const struct xf_part *part, const char *dir,
                int64_t age, enum xf_gc_fate fate)
{
    fputs("{\"event\":\"part\",\"file\":", out);
    xf_json_string(out, part->file);
    if (part->readable) {
        fputs(",\"peer\":", out);
        xf_json_string(out, part->peer);
        fputs(",\"name\":", out);
        xf_json_string(out, part->name);
        if (part->size == XF_SIZE_UNKNOWN)
            fputs(",\"size\":null", out);
        else
            put_number(out, "size", part->size);
    }
    put_number(out, "bytes", part->have);
    put_number(out, "durable", part->durable);
    if (age >= 0)
        put_number(out, "age", (uint64_t)age);
    if (part->done)
        put_path(out, dir, part->done);
    fprintf(out, ",\"busy\":%s,\"removed\":%s}\n",
            part->busy ? "true" : "false",
            fate == XF_GC_REMOVED ? "true" : "false");
}

/* --- the command --------------------------------------------------------- */

struct tidying {
    const struct xf_options *options;
    const char *dir;
    int64_t now;
    uint64_t seen;
    int code; /* of the first failure */
};

static int fail(struct tidying *t, int code, const char *subject,
                const char *text)
{
    xf_errors_print(stderr, code, subject, text);
    if (t->code == 0)
        t->code = code;
    return code;
}

/* A clock that was set back makes nothing old, nor anything young again. */
static int64_t age_of(const struct tidying *t, const struct xf_part *part)
{
    if (part->changed_at == 0)
        return -1;
    return part->changed_at < t->now ? t->now - part->changed_at : 0;
}

/* One that is in use, or comes into use just now, is kept: no failure. */
static enum xf_gc_fate decide(struct tidying *t, struct xf_parts *parts,
                              const struct xf_part *part, int64_t age)
{
    int err;

    if (t->options->delete_age < 0 || part->busy ||
        age < t->options->delete_age)
        return XF_GC_LEFT;
    err = xf_parts_remove(parts);
    if (err == 0)
        return XF_GC_REMOVED;
    if (err == XF_E_BUSY)
        return XF_GC_LEFT;
    fail(t, err, part->file, NULL);
    return XF_GC_FAILED;
}

static void look_at(struct tidying *t, struct xf_parts *parts,
                    const struct xf_part *part)
{
    int64_t age = age_of(t, part);
    enum xf_gc_fate fate = decide(t, parts, part, age);

    t->seen++;
    if (t->options->json)
        xf_gc_json(stdout, part, t->dir, age, fate);
    else if (!t->options->quiet)
        xf_gc_print(stdout, part, age, fate);
}

static void look_through(struct tidying *t, int dir)
{
    const struct xf_part *part;
    struct xf_parts *parts;
    int err = xf_parts_open(&parts, dir);

    if (err) {
        fail(t, err, t->dir, NULL);
        return;
    }
    while ((part = xf_parts_next(parts)) != NULL)
        look_at(t, parts, part);
    xf_parts_close(parts);
    if (t->seen == 0 && !t->options->json && !t->options->quiet) {
        fputs("nothing unfinished in ", stdout);
        xf_escape(stdout, t->dir);
        fputc('\n', stdout);
    }
}

int xf_gc(const struct xf_options *options)
{
    struct tidying t = { .options = options, .now = time(NULL) };
    int dir;

    t.dir = options->operands_len ? options->operands[0] : ".";
    dir = open(t.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return fail(&t, xf_errors_from_errno(errno), t.dir, strerror(errno));
    look_through(&t, dir);
    close(dir);
    if (fflush(stdout) != 0)
        fail(&t, XF_E_IO, "standard output", strerror(errno));
    return t.code;
}
