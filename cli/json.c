/* Events as JSON, one object a line; documented in xferry(1) and stable. */
#include "json.h"

#include <inttypes.h>
#include <string.h>

#include "escape.h"

static void put_unit(FILE *out, uint32_t unit)
{
    fprintf(out, "\\u%04x", (unsigned)unit);
}

static void put_char(FILE *out, const char *text, size_t bytes, uint32_t c)
{
    if (c & XF_ESCAPE_BYTE) {
        put_unit(out, 0xfffd);
    } else if (c == '"' || c == '\\') {
        fputc('\\', out);
        fputc((int)c, out);
    } else if (!xf_escape_is_unsafe(c)) {
        fwrite(text, 1, bytes, out);
    } else if (c < 0x10000) {
        put_unit(out, c);
    } else {
        put_unit(out, 0xd800 + ((c - 0x10000) >> 10));
        put_unit(out, 0xdc00 + ((c - 0x10000) & 0x3ff));
    }
}

void xf_json_string(FILE *out, const char *text)
{
    size_t len, bytes;
    uint32_t c;

    if (!text) {
        fputs("null", out);
        return;
    }
    fputc('"', out);
    len = strlen(text);
    while ((bytes = xf_escape_char(text, len, &c)) != 0) {
        put_char(out, text, bytes, c);
        text += bytes;
        len -= bytes;
    }
    fputc('"', out);
}

static void text_field(FILE *out, const char *key, const char *value)
{
    if (!value)
        return;
    fprintf(out, ",\"%s\":", key);
    xf_json_string(out, value);
}

static void number_field(FILE *out, const char *key, uint64_t value)
{
    fprintf(out, ",\"%s\":%" PRIu64, key, value);
}

static void duration_field(FILE *out, const char *key, int64_t ms)
{
    if (ms < 0)
        ms = 0;
    fprintf(out, ",\"%s\":%" PRId64 ".%03d", key, ms / 1000, (int)(ms % 1000));
}

static void seconds_field(FILE *out, int64_t ms)
{
    duration_field(out, "seconds", ms);
}

static void bool_field(FILE *out, const char *key, bool value)
{
    fprintf(out, ",\"%s\":%s", key, value ? "true" : "false");
}

static void size_field(FILE *out, uint64_t size)
{
    if (size == XF_SIZE_UNKNOWN)
        fputs(",\"size\":null", out);
    else
        number_field(out, "size", size);
}

static void via_field(FILE *out, enum xf_via via)
{
    static const char *const names[] = { NULL, "direct", "proxy", "ibb" };

    if (via > XF_VIA_NONE && via <= XF_VIA_IBB)
        text_field(out, "via", names[via]);
}

static void verified_field(FILE *out, enum xf_verified verified)
{
    static const char *const words[] = { "null", "true", "false" };

    fprintf(out, ",\"verified\":%s",
            verified <= XF_MISMATCH ? words[verified] : "null");
}

static void code_fields(FILE *out, const struct xf_event *ev)
{
    if (ev->code)
        text_field(out, "code", xf_error_name(ev->code));
    number_field(out, "exit", (uint64_t)ev->code);
    if (ev->code)
        text_field(out, "text", ev->text ? ev->text : xf_error_text(ev->code));
}

static void attempt_fields(FILE *out, const struct xf_event *ev)
{
    static const char *const states[] = { "trying", "failed", "open" };

    via_field(out, ev->via);
    text_field(out, "state",
               ev->attempt <= XF_ATTEMPT_OPEN ? states[ev->attempt] : "?");
    text_field(out, "host", ev->host);
    if (ev->port)
        number_field(out, "port", ev->port);
    if (ev->block_size)
        number_field(out, "block_size", ev->block_size);
    number_field(out, "offset", ev->offset);
    if (ev->rate) {
        number_field(out, "rate", ev->rate);
        duration_field(out, "forecast", ev->forecast_ms);
    }
    if (ev->attempt == XF_ATTEMPT_FAILED) {
        code_fields(out, ev);
        seconds_field(out, ev->elapsed_ms);
    }
}

static void moved_fields(FILE *out, const struct xf_event *ev,
                         const struct xf_json_more *more)
{
    size_field(out, ev->total);
    number_field(out, "bytes", ev->done);
    if (more->rate > 0)
        number_field(out, "rate", (uint64_t)more->rate);
    via_field(out, ev->via ? ev->via : more->via);
}

/* --- findings of a probe ---------------------------------------------------- */

static void null_field(FILE *out, const char *key, const char *value)
{
    if (value)
        text_field(out, key, value);
    else
        fprintf(out, ",\"%s\":null", key);
}

static void truth_field(FILE *out, const char *key, enum xf_truth truth)
{
    static const char *const words[] = { "null", "false", "true" };

    fprintf(out, ",\"%s\":%s", key, truth <= XF_YES ? words[truth] : "null");
}

static void server_fields(FILE *out, const struct xf_probe *p)
{
    null_field(out, "software", p->software);
    null_field(out, "tls", p->tls);
    null_field(out, "mechanism", p->mechanism);
    bool_field(out, "acks", p->acks);
    if (p->stanza_limit)
        number_field(out, "stanza_limit", p->stanza_limit);
    else
        null_field(out, "stanza_limit", NULL);
}

static void resource_fields(FILE *out, const struct xf_probe *p)
{
    null_field(out, "software", p->software);
    if (p->online)
        fprintf(out, ",\"priority\":%d", p->priority);
    else
        null_field(out, "priority", NULL);
    bool_field(out, "answers", p->answers);
    bool_field(out, "files", p->files);
    bool_field(out, "socks5", p->socks5);
    bool_field(out, "in_band", p->in_band);
    bool_field(out, "chosen", p->chosen);
}

static void proxy_fields(FILE *out, const struct xf_event *ev)
{
    const struct xf_probe *p = ev->probe;

    bool_field(out, "answers", p->answers);
    truth_field(out, "relays", p->relays);
    bool_field(out, "told", p->told);
    if (p->answers)
        seconds_field(out, ev->elapsed_ms);
    if (p->relays == XF_YES)
        duration_field(out, "relay_seconds", p->relay_ms);
    text_field(out, "text", ev->text);
}

static void rate_fields(FILE *out, const struct xf_event *ev)
{
    const struct xf_probe *p = ev->probe;

    if (p->answers && p->rate)
        number_field(out, "rate", p->rate);
    else
        null_field(out, "rate", NULL);
    truth_field(out, "limited",
                !p->answers ? XF_NOT_KNOWN
                : p->rate   ? XF_YES
                            : XF_NO);
    if (p->answers)
        seconds_field(out, ev->elapsed_ms);
    text_field(out, "text", ev->text);
}

static void way_fields(FILE *out, const struct xf_event *ev)
{
    const struct xf_probe *p = ev->probe;

    number_field(out, "number", p->number);
    bool_field(out, "second_offer", p->second_offer);
    if (ev->block_size)
        number_field(out, "block_size", ev->block_size);
    if (p->rate)
        number_field(out, "rate", p->rate);
    if (ev->via == XF_VIA_PROXY)
        truth_field(out, "relays", p->relays);
}

static void probe_fields(FILE *out, const struct xf_event *ev)
{
    static const char *const items[] = {
        [XF_PROBE_SERVER] = "server",   [XF_PROBE_RESOURCE] = "resource",
        [XF_PROBE_DIALECT] = "dialect", [XF_PROBE_ADDRESS] = "address",
        [XF_PROBE_PROXY] = "proxy",     [XF_PROBE_RATE] = "rate",
        [XF_PROBE_WAY] = "way",         [XF_PROBE_END] = "end",
    };
    const struct xf_probe *p = ev->probe;

    text_field(out, "item", p->item <= XF_PROBE_END ? items[p->item] : "?");
    text_field(out, "jid", p->jid);
    via_field(out, ev->via);
    text_field(out, "host", ev->host);
    if (ev->port)
        number_field(out, "port", ev->port);
    switch (p->item) {
    case XF_PROBE_SERVER:
        server_fields(out, p);
        break;
    case XF_PROBE_RESOURCE:
        resource_fields(out, p);
        break;
    case XF_PROBE_DIALECT:
        text_field(out, "dialect", ev->dialect);
        text_field(out, "evidence", ev->evidence);
        break;
    case XF_PROBE_ADDRESS:
        if (ev->code)
            code_fields(out, ev);
        break;
    case XF_PROBE_PROXY:
        proxy_fields(out, ev);
        break;
    case XF_PROBE_RATE:
        rate_fields(out, ev);
        break;
    case XF_PROBE_WAY:
        way_fields(out, ev);
        break;
    case XF_PROBE_END:
        code_fields(out, ev);
        seconds_field(out, ev->elapsed_ms);
        break;
    }
}

static void dialect_fields(FILE *out, const struct xf_event *ev)
{
    text_field(out, "dialect", ev->dialect);
    text_field(out, "evidence", ev->evidence);
}

static void fields(FILE *out, const struct xf_event *ev,
                   const struct xf_json_more *more)
{
    switch (ev->type) {
    case XF_EVENT_ONLINE:
        text_field(out, "jid", more->jid);
        if (more->again)
            bool_field(out, "resumed", ev->resumed);
        break;
    case XF_EVENT_LOST:
    case XF_EVENT_OFFLINE:
        code_fields(out, ev);
        break;
    case XF_EVENT_OFFER:
    case XF_EVENT_OFFERED:
        size_field(out, ev->total);
        text_field(out, "text", ev->desc);
        dialect_fields(out, ev);
        break;
    case XF_EVENT_ACCEPTED:
        size_field(out, ev->total);
        dialect_fields(out, ev);
        break;
    case XF_EVENT_RESUMED:
        number_field(out, "offset", ev->offset);
        if (ev->code)
            code_fields(out, ev);
        break;
    case XF_EVENT_ATTEMPT:
        attempt_fields(out, ev);
        break;
    case XF_EVENT_PROGRESS:
        moved_fields(out, ev, more);
        break;
    case XF_EVENT_DONE:
        text_field(out, "path", more->path);
        moved_fields(out, ev, more);
        verified_field(out, ev->verified);
        if (ev->outgoing)
            bool_field(out, "confirmed", ev->confirmed);
        dialect_fields(out, ev);
        seconds_field(out, ev->elapsed_ms);
        break;
    case XF_EVENT_FAILED:
        text_field(out, "path", more->path);
        moved_fields(out, ev, more);
        verified_field(out, ev->verified);
        code_fields(out, ev);
        dialect_fields(out, ev);
        seconds_field(out, ev->elapsed_ms);
        break;
    case XF_EVENT_PROBE:
        probe_fields(out, ev);
        break;
    case XF_EVENT_TRACE:
        break;
    }
}

static bool is_of_session(enum xf_event_type type)
{
    return type == XF_EVENT_ONLINE || type == XF_EVENT_LOST ||
           type == XF_EVENT_OFFLINE;
}

void xf_json_event(FILE *out, const struct xf_event *ev,
                   const struct xf_json_more *more)
{
    static const char *const names[] = {
        [XF_EVENT_ONLINE] = "online",     [XF_EVENT_OFFLINE] = "offline",
        [XF_EVENT_OFFER] = "offer",       [XF_EVENT_OFFERED] = "offer",
        [XF_EVENT_ACCEPTED] = "accepted", [XF_EVENT_RESUMED] = "resumed",
        [XF_EVENT_ATTEMPT] = "attempt",   [XF_EVENT_PROGRESS] = "progress",
        [XF_EVENT_DONE] = "done",         [XF_EVENT_FAILED] = "failed",
        [XF_EVENT_PROBE] = "probe",       [XF_EVENT_LOST] = "lost",
    };

    if ((size_t)ev->type >= sizeof names / sizeof *names || !names[ev->type])
        return;
    fprintf(out, "{\"event\":\"%s\"", names[ev->type]);
    if (!is_of_session(ev->type)) {
        if (more->id)
            number_field(out, "id", more->id);
        if (ev->type != XF_EVENT_PROBE)
            text_field(out, "direction", ev->outgoing ? "send" : "receive");
        text_field(out, "peer", ev->peer);
        text_field(out, "name", ev->name);
    }
    fields(out, ev, more);
    fputs("}\n", out);
    fflush(out);
}
