/* What the user is told; what is done about it is left to the commands. */
#include "report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "escape.h"
#include "json.h"

#define PIPE_INTERVAL_MS 5000 /* between progress lines in a pipe */
#define QUESTION_NAME 30      /* bytes of a name in the bottom line */
#define REASON_COLUMN 44      /* where the seconds of an attempt stand */

void xf_report_init(struct xf_report *r, const struct xf_options *options,
                    FILE *out, FILE *err)
{
    *r = (struct xf_report){ .options = options, .out = out, .err = err };
    r->lines = !options->quiet && !options->json;
    xf_progress_init(&r->progress, err);
}

void xf_report_clear(struct xf_report *r)
{
    xf_report_unask(r);
    xf_progress_hide(&r->progress);
    fflush(r->err);
    while (r->items) {
        struct xf_item *item = r->items;

        r->items = item->next;
        xf_item_free(item);
    }
}

struct xf_item *xf_report_follow(struct xf_report *r, struct xf_transfer *t,
                                 const char *name, bool sending)
{
    struct xf_item *item = xf_item_new(t, name, sending);

    if (item) {
        item->next = r->items;
        r->items = item;
    }
    return item;
}

void xf_report_drop(struct xf_report *r, struct xf_item *item)
{
    struct xf_item **p = &r->items;

    while (*p && *p != item)
        p = &(*p)->next;
    if (*p) {
        *p = item->next;
        xf_transfer_set_data(item->transfer, NULL);
        xf_item_free(item);
    }
}

/* --- lines --------------------------------------------------------------- */

/* One transfer on a terminal is told as a story; else each line has a name. */
static bool is_story(const struct xf_report *r)
{
    return r->progress.terminal && r->items && !r->items->next;
}

static void put_name(FILE *out, const struct xf_item *item,
                     const struct xf_event *ev)
{
    xf_escape(out, item ? item->name : ev->name ? ev->name : "a file");
}

/* Clear the bottom line and begin a whole one. */
static size_t begin_line(struct xf_report *r, const struct xf_item *item,
                         const struct xf_event *ev)
{
    xf_progress_hide(&r->progress);
    if (is_story(r)) {
        fputs("  ", r->err);
        return 2;
    }
    put_name(r->err, item, ev);
    fputs(": ", r->err);
    return 0;
}

static void end_line(struct xf_report *r, FILE *out)
{
    fputc('\n', out);
    fflush(out);
    if (r->question)
        xf_progress_show(&r->progress, r->question, true);
}

/* The bottom line while something is waited for. */
static void show_waiting(struct xf_report *r, const char *text)
{
    if (!r->question && is_story(r))
        xf_progress_show(&r->progress, text, true);
}

/* With -v: what the contact's program is taken for, and why. */
static void tell_dialect(struct xf_report *r, const struct xf_item *item,
                         const struct xf_event *ev)
{
    if (!r->options->verbose || !ev->dialect)
        return;
    begin_line(r, item, ev);
    fputs("speaks ", r->err);
    xf_escape(r->err, ev->dialect);
    if (ev->evidence) {
        fputs(" (", r->err);
        xf_escape(r->err, ev->evidence);
        fputs(")", r->err);
    }
    end_line(r, r->err);
}

static void tell_offered(struct xf_report *r, const struct xf_item *item,
                         const struct xf_event *ev)
{
    if (is_story(r)) {
        xf_progress_hide(&r->progress);
        put_name(r->err, item, ev);
        fputs(" → ", r->err);
    } else {
        begin_line(r, item, ev);
        fputs("offered to ", r->err);
    }
    xf_escape(r->err, ev->peer);
    end_line(r, r->err);
    tell_dialect(r, item, ev);
    show_waiting(r, "  offered …");
}

static void put_offer(FILE *out, const struct xf_item *item, const char *desc)
{
    xf_escape(out, item->name);
    fputs(" ← ", out);
    xf_escape(out, item->peer);
    if (item->total != XF_SIZE_UNKNOWN)
        fprintf(out, ", %" PRIu64 " bytes", item->total);
    if (desc && *desc) {
        fputs(", \"", out);
        xf_escape(out, desc);
        fputs("\"", out);
    }
    fputc('\n', out);
}

static void tell_offer(struct xf_report *r, const struct xf_item *item,
                       const struct xf_event *ev)
{
    if (r->asks || !item)
        return;
    xf_progress_hide(&r->progress);
    put_offer(r->err, item, r->options->verbose ? ev->desc : NULL);
    fflush(r->err);
    tell_dialect(r, item, ev);
}

static void tell_accepted(struct xf_report *r, const struct xf_item *item,
                          const struct xf_event *ev)
{
    begin_line(r, item, ev);
    fputs(is_story(r) ? "offered … accepted" : "accepted", r->err);
    end_line(r, r->err);
}

static void tell_resumed(struct xf_report *r, const struct xf_item *item,
                         const struct xf_event *ev)
{
    begin_line(r, item, ev);
    if (ev->code)
        xf_escape(r->err, ev->text ? ev->text : xf_error_text(ev->code));
    else
        fprintf(r->err, "going on at byte %" PRIu64, ev->offset);
    end_line(r, r->err);
}

/* Said before it begins, as nothing else explains such a rate. */
static size_t put_forecast(FILE *out, const struct xf_event *ev)
{
    char rate[32], left[32];

    if (!ev->rate)
        return 0;
    xf_progress_bytes(rate, ev->rate);
    xf_progress_time(left, (double)ev->forecast_ms / 1000);
    return (size_t)fprintf(
        out, ", about %s at %s/s (the server limits the rate)", left, rate);
}

/* "direct 192.0.2.7:7777"; returns columns. */
static size_t put_way(FILE *out, const struct xf_event *ev, bool verbose)
{
    size_t width;

    switch (ev->via) {
    case XF_VIA_DIRECT:
        width = (size_t)fprintf(out, "direct ");
        break;
    case XF_VIA_PROXY:
        width = (size_t)fprintf(out, "proxy  ");
        break;
    case XF_VIA_IBB:
        width = (size_t)fprintf(out, "in-band");
        if (ev->block_size)
            width += (size_t)fprintf(out, ", %u-byte blocks",
                                     (unsigned)ev->block_size);
        return width + put_forecast(out, ev);
    case XF_VIA_NONE:
    default:
        width = (size_t)fprintf(out, "attempt");
        break;
    }
    width += xf_escape(out, ev->host);
    if (ev->port && (ev->via == XF_VIA_DIRECT || verbose))
        width += (size_t)fprintf(out, ":%u", (unsigned)ev->port);
    return width;
}

static void tell_trying(struct xf_report *r, const struct xf_item *item,
                        const struct xf_event *ev)
{
    char line[XF_PROGRESS_MAX] = "";
    FILE *f;

    if (r->options->verbose && !is_story(r)) {
        begin_line(r, item, ev);
        put_way(r->err, ev, true);
        fputs(" …", r->err);
        end_line(r, r->err);
        return;
    }
    f = fmemopen(line, sizeof line, "w");
    if (!f)
        return;
    fputs("  ", f);
    put_way(f, ev, r->options->verbose);
    fputs(" …", f);
    fclose(f);
    line[sizeof line - 1] = '\0';
    show_waiting(r, line);
}

static void tell_attempt(struct xf_report *r, const struct xf_item *item,
                         const struct xf_event *ev)
{
    size_t width;

    if (ev->attempt == XF_ATTEMPT_TRYING) {
        tell_trying(r, item, ev);
        return;
    }
    width = begin_line(r, item, ev);
    width += put_way(r->err, ev, r->options->verbose);
    if (ev->attempt == XF_ATTEMPT_FAILED) {
        fputs(" … ", r->err);
        width += 3 + xf_escape(r->err,
                               ev->text ? ev->text : xf_error_text(ev->code));
        if (!is_story(r))
            width = REASON_COLUMN;
        fprintf(r->err, "%*s(%.1f s)",
                width < REASON_COLUMN ? (int)(REASON_COLUMN - width) : 1, "",
                (double)ev->elapsed_ms / 1000);
    } else if (ev->offset) {
        fprintf(r->err, ", from byte %" PRIu64, ev->offset);
    }
    end_line(r, r->err);
}

/* --- progress ------------------------------------------------------------ */

static void show_bar(struct xf_report *r)
{
    unsigned columns = xf_progress_columns(&r->progress);
    char line[XF_PROGRESS_MAX];
    uint64_t done = 0, total = 0;
    double rate = 0;
    unsigned n = 0;

    for (const struct xf_item *item = r->items; item; item = item->next) {
        if (!item->open)
            continue;
        n++;
        done += item->done;
        rate += item->rate;
        if (total == XF_SIZE_UNKNOWN || item->total == XF_SIZE_UNKNOWN)
            total = XF_SIZE_UNKNOWN;
        else
            total += item->total;
    }
    xf_progress_bar(line, columns, done, total, rate);
    if (n > 1)
        snprintf(line + strlen(line), sizeof line - strlen(line), "  %u files",
                 n);
    if (!r->question)
        xf_progress_show(&r->progress, line, false);
}

static void tell_progress(struct xf_report *r, const struct xf_item *item,
                          const struct xf_event *ev)
{
    char line[XF_PROGRESS_MAX];
    int64_t now = xf_progress_now();

    if (r->progress.terminal) {
        show_bar(r);
        return;
    }
    if (!item || now - item->opened_ms < PIPE_INTERVAL_MS ||
        now - r->lined_ms < PIPE_INTERVAL_MS)
        return;
    r->lined_ms = now;
    xf_progress_bar(line, 0, ev->done, ev->total, item->rate);
    begin_line(r, item, ev);
    fputs(line + strspn(line, " "), r->err);
    end_line(r, r->err);
}

/* --- ends ---------------------------------------------------------------- */

static void put_numbers(FILE *out, const struct xf_item *item,
                        const struct xf_event *ev)
{
    static const char *const ways[] = { "", ", by direct", ", by proxy",
                                        ", in-band" };
    enum xf_via via = ev->via ? ev->via : item ? item->via : XF_VIA_NONE;
    double rate = xf_item_whole_rate(item, ev);
    char text[32];

    fprintf(out, " in %.2f s", (double)xf_item_moving_ms(item, ev) / 1000);
    if (rate > 0) {
        xf_progress_bytes(text, rate);
        fprintf(out, ", %s/s", text);
    }
    fputs(ways[via <= XF_VIA_IBB ? via : 0], out);
}

static void tell_sent(struct xf_report *r, const struct xf_item *item,
                      const struct xf_event *ev)
{
    xf_progress_hide(&r->progress);
    fflush(r->err);
    if (!is_story(r)) {
        put_name(r->out, item, ev);
        fputs(": ", r->out);
    }
    fputs(ev->confirmed ? "delivered" : "sent (not confirmed)", r->out);
    fputs(ev->verified == XF_VERIFIED ? ", verified" : ", not verified",
          r->out);
    fprintf(r->out, ", %" PRIu64 " bytes", ev->done);
    put_numbers(r->out, item, ev);
    end_line(r, r->out);
}

static void tell_received(struct xf_report *r, const struct xf_item *item,
                          const struct xf_event *ev)
{
    static const char *const words[] = { "not verified", "verified",
                                         "does not match its hash" };

    xf_progress_hide(&r->progress);
    fflush(r->err);
    fputs("received ", r->out);
    put_name(r->out, item, ev);
    fprintf(r->out, " %" PRIu64 " bytes (%s) from ", ev->done,
            words[ev->verified <= XF_MISMATCH ? ev->verified : 0]);
    xf_escape(r->out, ev->peer);
    fputs(" → ", r->out);
    xf_escape(r->out, item && item->path ? item->path : ev->path);
    if (r->options->verbose)
        put_numbers(r->out, item, ev);
    end_line(r, r->out);
}

static void tell_refused(struct xf_report *r, const struct xf_item *item,
                         const struct xf_event *ev)
{
    xf_progress_hide(&r->progress);
    fputs("refused ", r->err);
    put_name(r->err, item, ev);
    fputs(" from ", r->err);
    xf_escape(r->err, ev->peer);
    fputs(": ", r->err);
    xf_escape(r->err, ev->text ? ev->text : xf_error_text(ev->code));
    end_line(r, r->err);
}

static void tell_lost(struct xf_report *r, const struct xf_event *ev)
{
    xf_progress_hide(&r->progress);
    fputs("connection lost, trying again: ", r->err);
    xf_escape(r->err, ev->text ? ev->text : xf_error_text(ev->code));
    end_line(r, r->err);
}

static void tell_back(struct xf_report *r, const struct xf_event *ev,
                      const char *jid)
{
    xf_progress_hide(&r->progress);
    fputs("online again as ", r->err);
    xf_escape(r->err, jid);
    if (ev->resumed)
        fputs(", nothing was lost", r->err);
    end_line(r, r->err);
}

static void tell_online(struct xf_report *r, const char *jid)
{
    bool receives = r->options->command == XF_COMMAND_RECEIVE;

    if (!receives && !r->options->verbose)
        return;
    xf_progress_hide(&r->progress);
    fputs(receives ? "waiting for files as " : "online as ", r->err);
    xf_escape(r->err, jid);
    end_line(r, r->err);
}

static void tell(struct xf_report *r, struct xf_item *item,
                 const struct xf_event *ev, const char *jid, bool concern)
{
    switch (ev->type) {
    case XF_EVENT_ONLINE:
        if (r->lost)
            tell_back(r, ev, jid);
        else
            tell_online(r, jid);
        break;
    case XF_EVENT_LOST:
        tell_lost(r, ev);
        break;
    case XF_EVENT_OFFER:
        tell_offer(r, item, ev);
        break;
    case XF_EVENT_OFFERED:
        tell_offered(r, item, ev);
        break;
    case XF_EVENT_ACCEPTED:
        tell_accepted(r, item, ev);
        if (item && ev->dialect && strcmp(item->dialect, ev->dialect) != 0)
            tell_dialect(r, item, ev);
        break;
    case XF_EVENT_RESUMED:
        tell_resumed(r, item, ev);
        break;
    case XF_EVENT_ATTEMPT:
        tell_attempt(r, item, ev);
        break;
    case XF_EVENT_PROGRESS:
        tell_progress(r, item, ev);
        break;
    case XF_EVENT_DONE:
        if (item && item->sending)
            tell_sent(r, item, ev);
        else
            tell_received(r, item, ev);
        break;
    case XF_EVENT_FAILED:
        if (!concern && !(item && (item->sending || item->accepted)))
            tell_refused(r, item, ev);
        break;
    case XF_EVENT_OFFLINE:
    case XF_EVENT_TRACE:
    case XF_EVENT_PROBE: /* its own command prints it */
        break;
    }
}

static void write_json(struct xf_report *r, const struct xf_item *item,
                       const struct xf_event *ev, const char *jid)
{
    struct xf_json_more more = { .jid = jid, .again = r->lost };

    if (item) {
        more.id = item->id;
        more.path = item->path;
        more.via = item->via;
        more.rate = ev->type == XF_EVENT_PROGRESS
                        ? item->rate
                        : xf_item_whole_rate(item, ev);
    } else if (ev->transfer) {
        more.id = xf_transfer_id(ev->transfer);
    }
    xf_json_event(r->out, ev, &more);
}

void xf_report_event(struct xf_report *r, struct xf_item *item,
                     const struct xf_event *ev, const char *jid, bool concern)
{
    if (ev->type == XF_EVENT_TRACE) {
        xf_progress_hide(&r->progress);
        xf_trace_stanza(&r->trace, r->err, ev->stanza, ev->outgoing, jid);
        return;
    }
    r->lost |= ev->type == XF_EVENT_LOST;
    if (item)
        xf_item_update(item, ev, r->dir);
    if (r->options->json)
        write_json(r, item, ev, jid);
    if (r->lines)
        tell(r, item, ev, jid, concern);
    if (item && ev->dialect)
        snprintf(item->dialect, sizeof item->dialect, "%s", ev->dialect);
    if (ev->type == XF_EVENT_FAILED && concern)
        xf_report_error(r, ev->code, item ? item->name : ev->name, ev->text);
}

void xf_report_error(struct xf_report *r, int code, const char *subject,
                     const char *text)
{
    xf_progress_hide(&r->progress);
    xf_errors_print(r->err, code, subject, text);
    if (r->question)
        xf_progress_show(&r->progress, r->question, true);
}

/* --- the question -------------------------------------------------------- */

/* The bottom line is short, so all of the offer stands in a line above it. */
void xf_report_ask(struct xf_report *r, const struct xf_item *item,
                   const char *desc)
{
    char *text = NULL;
    size_t len;
    FILE *f;

    xf_report_unask(r);
    put_offer(r->err, item, desc);
    f = open_memstream(&text, &len);
    if (f) {
        fputs("accept ", f);
        xf_escape_n(f, item->name, strnlen(item->name, QUESTION_NAME));
        fputs("? [y/N] ", f);
        fclose(f);
    }
    r->question = text;
    xf_progress_show(&r->progress, text ? text : "accept? [y/N] ", true);
}

void xf_report_unask(struct xf_report *r)
{
    free(r->question);
    r->question = NULL;
    xf_progress_hide(&r->progress);
}
