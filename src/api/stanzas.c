/* What goes out, and who waits for the reply. */
#include "api/stanzas.h"

#include <string.h>

#include "api/connection.h"
#include "api/rate.h"
#include "base/sys.h"

struct xf_request {
    struct xf_request *next, **self;
    xf_reply_fn *fn;
    void *ctx;
    bool traced;
};

struct xf_xml_writer *xf_stanza_begin_answer(struct xf_session *s)
{
    xf_buf_reset(&s->out);
    xf_xml_writer_init(&s->w, &s->out);
    return &s->w;
}

struct xf_xml_writer *xf_stanza_begin(struct xf_session *s,
                                      char id[XF_SID_MAX + 1])
{
    xf_stanza_begin_answer(s);
    if (!xf_session_id(s, id))
        s->out.failed = true;
    return &s->w;
}

static int keep_for_embedder(struct xf_session *s)
{
    size_t len = s->out.len;
    struct xf_stanza_out *one = xf_sys_alloc(sizeof *one + len + 1);

    if (!one)
        return XF_E_LIMIT;
    one->len = len;
    memcpy(one->text, xf_buf_bytes(&s->out), len);
    *s->stanzas_last = one;
    s->stanzas_last = &one->next;
    return 0;
}

void xf_stanzas_clear(struct xf_session *s)
{
    while (s->stanzas) {
        struct xf_stanza_out *one = s->stanzas;

        s->stanzas = one->next;
        xf_sys_free(one);
    }
    s->stanzas_last = &s->stanzas;
}

/* On a connection of our own. What is kept for a resumption is as good as
 * sent, whether or not there is a link at this moment. */
static int send_own(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    const char *text = xf_buf_bytes(&s->out);
    int err;

    if (xf_connection_is_away(s))
        return xf_sm_sent(&con->sm, text, s->out.len);
    if (con->state != XF_CONNECTION_ON)
        return XF_E_STREAM;
    err = xf_link_send(con->link, text, s->out.len);
    if (err == XF_E_STREAM && xf_sm_may_resume(&con->sm))
        err = 0;
    if (err == 0)
        err = xf_sm_sent(&con->sm, text, s->out.len);
    /* Leaving waits for the last stanza, and this is now the last. */
    if (con->leaving)
        xf_sm_flush(&con->sm);
    if (err == 0 && xf_sm_ask(&con->sm))
        err = xf_connection_ask_ack(con);
    return err;
}

int xf_stanza_send(struct xf_session *s, bool traced)
{
    if (s->out.failed)
        return XF_E_LIMIT;
    if (traced && s->set.trace)
        xf_events_trace(s, true, xf_buf_text(&s->out));
    if (!s->con)
        return s->online ? keep_for_embedder(s) : XF_E_STREAM;
    return send_own(s);
}

static void unlink_request(struct xf_request *r)
{
    *r->self = r->next;
    if (r->next)
        r->next->self = r->self;
}

int xf_stanza_request(struct xf_session *s, const char *id, const char *to,
                      int64_t deadline, bool traced, xf_reply_fn *fn, void *ctx)
{
    struct xf_request *r = xf_sys_alloc(sizeof *r);
    int err;

    if (!r)
        return XF_E_LIMIT;
    *r = (struct xf_request){ .fn = fn, .ctx = ctx, .traced = traced };
    err = xf_iq_add(s->iqs, id, to, deadline, r);
    if (err == 0 && (err = xf_stanza_send(s, traced)) != 0)
        xf_iq_drop(s->iqs, r);
    if (err != 0) {
        xf_sys_free(r);
        return err;
    }
    r->next = s->requests;
    r->self = &s->requests;
    if (r->next)
        r->next->self = &r->next;
    s->requests = r;
    return 0;
}

void xf_stanza_answer(struct xf_session *s, const struct xf_stanza_head *to,
                      enum xf_answer answer, const char *text, bool traced)
{
    struct xf_xml_writer *w = xf_stanza_begin_answer(s);

    xf_iq_write_answer(w, to, answer, text);
    /* An answer that cannot leave is the connection's end, told elsewhere. */
    if (s->out.len > 0)
        (void)xf_stanza_send(s, traced);
}

bool xf_asked_keep(struct xf_asked *asked, const struct xf_stanza_head *head)
{
    xf_asked_clear(asked);
    asked->id = xf_sys_strdup(head->id ? head->id : "");
    asked->from = xf_sys_strdup(head->from ? head->from : "");
    asked->to = xf_sys_strdup(head->to ? head->to : "");
    if (!asked->id || !asked->from || !asked->to) {
        xf_asked_clear(asked);
        return false;
    }
    asked->head.kind = head->kind;
    asked->head.type = head->type;
    asked->head.id = asked->id;
    asked->head.from = head->from ? asked->from : NULL;
    asked->head.to = head->to ? asked->to : NULL;
    return true;
}

bool xf_asked_is(const struct xf_asked *asked,
                 const struct xf_stanza_head *head)
{
    return asked->id && head->id && strcmp(asked->id, head->id) == 0;
}

void xf_asked_clear(struct xf_asked *asked)
{
    xf_sys_free(asked->id);
    xf_sys_free(asked->from);
    xf_sys_free(asked->to);
    *asked = (struct xf_asked){ 0 };
}

void xf_asked_answer(struct xf_session *s, struct xf_asked *asked,
                     enum xf_answer answer, const char *text)
{
    if (asked->id)
        xf_stanza_answer(s, &asked->head, answer, text, true);
    xf_asked_clear(asked);
}

static void tell(struct xf_session *s, struct xf_request *r,
                 const struct xf_stanza_head *reply,
                 const struct xf_stanza_error *error)
{
    struct xf_request was = *r;

    unlink_request(r);
    xf_sys_free(r);
    if (was.traced && reply)
        xf_events_trace_el(s, reply->el);
    was.fn(was.ctx, error ? NULL : reply, error);
}

bool xf_requests_reply(struct xf_session *s, const struct xf_stanza_head *in)
{
    struct xf_stanza_error error;
    struct xf_request *r = xf_iq_match(s->iqs, in->id, in->from, s->jid);

    if (!r)
        return false;
    if (in->type != XF_IQ_ERROR) {
        tell(s, r, in, NULL);
        return true;
    }
    xf_stanza_read_error(in->el, &error);
    tell(s, r, in, &error);
    return true;
}

static const struct xf_stanza_error no_reply = { .condition = XF_COND_TIMEOUT };

void xf_requests_tick(struct xf_session *s, int64_t now)
{
    struct xf_request *r;

    while ((r = xf_iq_expired(s->iqs, now)) != NULL)
        tell(s, r, NULL, &no_reply);
}

void xf_requests_fail(struct xf_session *s)
{
    struct xf_request *r;

    while ((r = xf_iq_any(s->iqs)) != NULL)
        tell(s, r, NULL, &no_reply);
}

void xf_requests_drop(struct xf_session *s, const void *ctx)
{
    struct xf_request *r = s->requests, *next;

    xf_rate_drop(s, ctx);
    for (; r; r = next) {
        next = r->next;
        if (r->ctx != ctx)
            continue;
        xf_iq_drop(s->iqs, r);
        unlink_request(r);
        xf_sys_free(r);
    }
}
