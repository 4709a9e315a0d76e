/* `xferry probe`: says what an offer would meet. What is found out, and how,
 * is the library's. */
#include "probe.h"

#include <inttypes.h>

#include "commands.h"
#include "errors.h"
#include "escape.h"
#include "run.h"

/* --- in words ----------------------------------------------------------------- */

static void put_server(FILE *out, const struct xf_probe *p)
{
    xf_escape(out, p->jid);
    fputs(", ", out);
    xf_escape(out, p->software ? p->software : "does not say what it runs");
    fputs(", ", out);
    xf_escape(out, p->tls ? p->tls : "no TLS");
    if (p->mechanism) {
        fputs(", ", out);
        xf_escape(out, p->mechanism);
    }
    if (p->acks)
        fputs(", acknowledges stanzas", out);
    if (p->stanza_limit)
        fprintf(out, ", takes stanzas up to %zu bytes", p->stanza_limit);
    else
        fputs(", announces no limit of stanzas", out);
}

static void put_resource(FILE *out, const struct xf_probe *p)
{
    xf_escape(out, p->jid);
    if (p->online)
        fprintf(out, ", priority %d", p->priority);
    if (p->software) {
        fputs(", ", out);
        xf_escape(out, p->software);
    }
    if (!p->answers)
        fputs(": does not say what it can do", out);
    else if (!p->files)
        fputs(": takes no files", out);
    else
        fprintf(out, ": takes files%s%s", p->socks5 ? ", SOCKS5" : "",
                p->in_band ? ", in-band" : "");
    if (p->chosen)
        fputs("; an offer goes there", out);
}

static void put_host(FILE *out, const struct xf_event *ev)
{
    xf_escape(out, ev->host);
    if (ev->port)
        fprintf(out, " port %u", (unsigned)ev->port);
}

static void put_address(FILE *out, const struct xf_event *ev)
{
    if (ev->code) {
        xf_escape(out, ev->text);
        fprintf(out, ": %s", xf_error_text(ev->code));
        return;
    }
    put_host(out, ev);
    if (!ev->port)
        fputs(", a free port each time", out);
}

static void put_proxy(FILE *out, const struct xf_event *ev)
{
    const struct xf_probe *p = ev->probe;

    xf_escape(out, p->jid);
    if (ev->host) {
        fputs(" at ", out);
        put_host(out, ev);
    }
    fputs(":", out);
    if (p->answers)
        fprintf(out, " answers (%.3f s)", (double)ev->elapsed_ms / 1000);
    if (p->relays == XF_YES)
        fprintf(out, ", relays (%.3f s)", (double)p->relay_ms / 1000);
    if (ev->text) {
        fputs(p->answers ? ", " : " ", out);
        xf_escape(out, ev->text);
    }
    if (p->answers && !p->told)
        fputs("; not told, others come first", out);
}

static void put_rate(FILE *out, const struct xf_event *ev)
{
    const struct xf_probe *p = ev->probe;
    char text[32];

    if (!p->answers) {
        xf_escape(out, ev->text ? ev->text : "not known");
        return;
    }
    if (p->rate) {
        xf_progress_bytes(text, (double)p->rate);
        fprintf(out, "the server takes %s/s of us", text);
    } else {
        fputs("no limit noticed", out);
    }
    fprintf(out, ", answers a ping in %.3f s", (double)ev->elapsed_ms / 1000);
}

static void put_way(FILE *out, const struct xf_event *ev)
{
    const struct xf_probe *p = ev->probe;
    char text[32];

    fprintf(out, "%u. ", p->number);
    if (ev->via != XF_VIA_IBB) {
        fputs(ev->via == XF_VIA_PROXY ? "proxy " : "direct ", out);
        put_host(out, ev);
    } else {
        fprintf(out, "in-band, %u-byte blocks", (unsigned)ev->block_size);
    }
    if (p->rate) {
        xf_progress_bytes(text, (double)p->rate);
        fprintf(out, ", %s/s of the file", text);
    }
    if (p->relays == XF_NO)
        fputs(" (does not relay)", out);
    if (p->second_offer)
        fputs(", by a second offer", out);
}

void xf_probe_print(FILE *out, const struct xf_event *ev)
{
    static const char *const labels[] = {
        [XF_PROBE_SERVER] = "server",   [XF_PROBE_RESOURCE] = "program",
        [XF_PROBE_DIALECT] = "dialect", [XF_PROBE_ADDRESS] = "address",
        [XF_PROBE_PROXY] = "proxy",     [XF_PROBE_RATE] = "rate",
        [XF_PROBE_WAY] = "way",         [XF_PROBE_END] = "result",
    };
    const struct xf_probe *p = ev->probe;

    if (p->item > XF_PROBE_END || (p->item == XF_PROBE_END && ev->code))
        return;
    fprintf(out, "%-9s", labels[p->item]);
    switch (p->item) {
    case XF_PROBE_SERVER:
        put_server(out, p);
        break;
    case XF_PROBE_RESOURCE:
        put_resource(out, p);
        break;
    case XF_PROBE_DIALECT:
        xf_escape(out, ev->dialect);
        fputs(" (", out);
        xf_escape(out, ev->evidence);
        fputs(")", out);
        break;
    case XF_PROBE_ADDRESS:
        put_address(out, ev);
        break;
    case XF_PROBE_PROXY:
        put_proxy(out, ev);
        break;
    case XF_PROBE_RATE:
        put_rate(out, ev);
        break;
    case XF_PROBE_WAY:
        put_way(out, ev);
        break;
    case XF_PROBE_END:
        fprintf(out, "a transfer could work (probed in %.1f s)",
                (double)ev->elapsed_ms / 1000);
        break;
    }
    fputc('\n', out);
    fflush(out);
}

/* --- the command ---------------------------------------------------------------- */

static void take(struct xf_run *run, struct xf_item *item,
                 const struct xf_event *ev)
{
    (void)item;
    if (ev->type != XF_EVENT_PROBE)
        return;
    if (run->report.lines)
        xf_probe_print(run->report.out, ev);
    if (ev->probe->item != XF_PROBE_END)
        return;
    if (ev->code && !run->signal)
        xf_report_error(&run->report, ev->code, NULL, ev->text);
    if (ev->code)
        xf_run_fail(run, ev->code);
    xf_run_close(run);
}

int xf_probe_contact(struct xf_options *options)
{
    struct xf_run run = { .on_event = take };
    int err;

    if (xf_run_begin(&run, options) != 0)
        return xf_run_end(&run);
    err = xf_probe(run.session, options->operands[0], options->offer.wait_ms);
    if (err) {
        xf_report_error(&run.report, err, options->operands[0],
                        err == XF_E_USAGE ? "not a JID" : NULL);
        xf_run_fail(&run, err);
    } else {
        xf_run_loop(&run);
    }
    return xf_run_end(&run);
}
