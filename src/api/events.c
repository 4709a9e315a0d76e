/* The queue of what happened, from us to the embedder, who pulls. */
#include <string.h>

#include "api/probe.h"
#include "api/session.h"
#include "base/sys.h"

#define PROGRESS_MS 100

static void enqueue(struct xf_session *s, struct xf_event_node *node)
{
    node->queued = true;
    node->next = NULL;
    *s->events_last = node;
    s->events_last = &node->next;
}

/* The strings of an event, as a list that copying can walk. */
static const char **string(struct xf_event *ev, size_t i)
{
    const char **all[] = { &ev->peer,   &ev->name,    &ev->desc,
                           &ev->path,   &ev->host,    &ev->text,
                           &ev->stanza, &ev->dialect, &ev->evidence };

    return i < sizeof all / sizeof *all ? all[i] : NULL;
}

static const char **probe_string(struct xf_probe *probe, size_t i)
{
    const char **all[] = { &probe->jid, &probe->software, &probe->tls,
                           &probe->mechanism };

    return i < sizeof all / sizeof *all ? all[i] : NULL;
}

/* A string moves to where there is room for it; NULL stays. */
static void move_string(const char **text, char **to)
{
    size_t len = *text ? strlen(*text) + 1 : 0;

    if (!*text)
        return;
    memcpy(*to, *text, len);
    *text = *to;
    *to += len;
}

/* An event, and behind it what it points to. */
struct whole {
    struct xf_event_node node;
    struct xf_probe probe;
    char strings[];
};

bool xf_events_add(struct xf_session *s, const struct xf_event *ev)
{
    struct whole *whole;
    struct xf_event copy = *ev;
    struct xf_probe probe = ev->probe ? *ev->probe : (struct xf_probe){ 0 };
    const char **text;
    size_t room = 0;
    char *to;

    for (size_t i = 0; (text = string(&copy, i)) != NULL; i++)
        room += *text ? strlen(*text) + 1 : 0;
    for (size_t i = 0; (text = probe_string(&probe, i)) != NULL; i++)
        room += *text ? strlen(*text) + 1 : 0;
    whole = xf_sys_alloc(sizeof *whole + room);
    if (!whole)
        return false;
    to = whole->strings;
    for (size_t i = 0; (text = string(&copy, i)) != NULL; i++)
        move_string(text, &to);
    for (size_t i = 0; (text = probe_string(&probe, i)) != NULL; i++)
        move_string(text, &to);
    whole->probe = probe;
    whole->node.ev = copy;
    if (copy.probe)
        whole->node.ev.probe = &whole->probe;
    enqueue(s, &whole->node);
    return true;
}

/* Of an offer of theirs nothing may be known yet, of one of ours nobody found. */
static void describe_peer(const struct xf_transfer *t, struct xf_event *ev)
{
    bool asked = t->peer[0] && !(ev->type == XF_EVENT_OFFER);

    if (asked || t->evidence.weight > 0)
        ev->dialect = t->evidence.profile->name;
    if (t->evidence.weight > 0)
        ev->evidence = t->evidence.words;
}

/* What every event of a transfer says. */
static void describe(const struct xf_transfer *t, struct xf_event *ev)
{
    ev->transfer = (struct xf_transfer *)t;
    ev->peer = t->peer[0] ? t->peer : t->to;
    ev->name = t->name;
    ev->done = t->done;
    ev->total = t->size;
    ev->outgoing = t->outgoing;
    if (ev->via == XF_VIA_NONE)
        ev->via = t->via;
    if (ev->type != XF_EVENT_ATTEMPT && ev->type != XF_EVENT_PROGRESS)
        describe_peer(t, ev);
}

bool xf_events_transfer(struct xf_transfer *t, struct xf_event *ev)
{
    describe(t, ev);
    return xf_events_add(t->s, ev);
}

void xf_events_progress(struct xf_transfer *t)
{
    int64_t now = xf_now(t->s);

    if (now - t->told_at < PROGRESS_MS && t->done < t->size)
        return;
    /* The embedder is reading the last one; it is not to change meanwhile. */
    if (t->s->current == &t->progress)
        return;
    t->told_at = now;
    t->progress.embedded = true;
    t->progress.ev = (struct xf_event){ .type = XF_EVENT_PROGRESS };
    describe(t, &t->progress.ev);
    if (!t->progress.queued)
        enqueue(t->s, &t->progress);
}

void xf_events_offline(struct xf_session *s, const struct xf_error_info *why)
{
    if (s->offline.queued)
        return;
    s->why_offline = *why;
    s->offline.embedded = true;
    s->offline.ev = (struct xf_event){
        .type = XF_EVENT_OFFLINE,
        .code = why->code,
        .text = why->code ? s->why_offline.text : NULL,
    };
    enqueue(s, &s->offline);
}

void xf_events_probed(struct xf_session *s, struct xf_event_node *node)
{
    node->embedded = true;
    enqueue(s, node);
}

void xf_events_last(struct xf_transfer *t, const struct xf_event *ev)
{
    t->last.embedded = true;
    t->last.ev = *ev;
    describe(t, &t->last.ev);
    t->last.ev.elapsed_ms = t->offered_at ? xf_now(t->s) - t->offered_at : 0;
    enqueue(t->s, &t->last);
}

void xf_events_attempt(struct xf_transfer *t, enum xf_via via,
                       enum xf_attempt attempt, const char *host, uint16_t port,
                       int64_t elapsed_ms, int code, const char *text)
{
    struct xf_event ev = { .type = XF_EVENT_ATTEMPT,
                           .via = via,
                           .attempt = attempt,
                           .host = host,
                           .port = port,
                           .offset = t->done,
                           .elapsed_ms = elapsed_ms,
                           .code = code,
                           .text = text };

    xf_events_transfer(t, &ev);
}

void xf_events_trace(struct xf_session *s, bool outgoing, const char *stanza)
{
    struct xf_event ev = { .type = XF_EVENT_TRACE,
                           .outgoing = outgoing,
                           .stanza = stanza };

    if (s->set.trace)
        (void)xf_events_add(s, &ev);
}

void xf_events_trace_el(struct xf_session *s, const struct xf_el *el)
{
    struct xf_buf text;
    struct xf_xml_writer w;

    if (!s->set.trace)
        return;
    xf_buf_init(&text, XF_XML_STANZA_MAX * 2);
    xf_xml_writer_init(&w, &text);
    xf_xml_copy(&w, el);
    if (!text.failed)
        xf_events_trace(s, false, xf_buf_text(&text));
    xf_buf_clear(&text);
}

/* The embedder is done with what next() gave it last. */
static void release_current(struct xf_session *s)
{
    struct xf_event_node *node = s->current;

    s->current = NULL;
    if (!node)
        return;
    if (!node->embedded) {
        xf_sys_free(node);
        return;
    }
    node->queued = false;
    if (node->ev.probe)
        xf_probing_free(s);
    else if (node->ev.transfer && node == &node->ev.transfer->last)
        xf_transfer_free(node->ev.transfer);
}

/* A transfer goes before its events were taken: only with its session. */
void xf_events_forget(struct xf_transfer *t)
{
    struct xf_session *s = t->s;
    struct xf_event_node **at = &s->events;

    if (s->current && s->current->embedded && s->current->ev.transfer == t)
        s->current = NULL;
    while (*at) {
        struct xf_event_node *node = *at;

        if (node->ev.transfer != t) {
            at = &node->next;
            continue;
        }
        *at = node->next;
        if (!node->embedded)
            xf_sys_free(node);
    }
    s->events_last = at;
}

void xf_events_clear(struct xf_session *s)
{
    release_current(s);
    while (s->events) {
        s->current = s->events;
        s->events = s->events->next;
        release_current(s);
    }
    s->events_last = &s->events;
}

/* Called where the promise of struct xf_event ends. */
void xf_events_release(struct xf_session *s)
{
    release_current(s);
}

const struct xf_event *xf_session_next(struct xf_session *s)
{
    release_current(s);
    if (!s->events)
        return NULL;
    s->current = s->events;
    s->events = s->events->next;
    if (!s->events)
        s->events_last = &s->events;
    return &s->current->ev;
}
