/*
 * Stanzas out, and requests that wait for their reply. Writing one:
 *
 *     w = xf_stanza_begin(s, id);
 *     xf_si_write_offer(w, id, to, s->jid, &offer);
 *     xf_stanza_request(s, id, to, deadline, true, reply, ctx);
 *
 * `traced`: it belongs to a transfer's conversation.
 */
#ifndef XF_API_STANZAS_H
#define XF_API_STANZAS_H

#include "api/session.h"

/* A stanza that an attached session's embedder is to take. */
struct xf_stanza_out {
    struct xf_stanza_out *next;
    size_t len;
    char text[];
};

/*
 * What became of a request. `reply` is the result; NULL when it failed: then
 * `error` says how, XF_COND_TIMEOUT when no reply came. Called once, unless
 * xf_requests_drop() comes first.
 */
typedef void xf_reply_fn(void *ctx, const struct xf_stanza_head *reply,
                         const struct xf_stanza_error *error);

/*
 * Make room for one stanza; `id` is filled with a fresh one. Only one stanza
 * is written at a time.
 */
struct xf_xml_writer *xf_stanza_begin(struct xf_session *s,
                                      char id[XF_SID_MAX + 1]);

/* The same for an answer, which has its id already. */
struct xf_xml_writer *xf_stanza_begin_answer(struct xf_session *s);

/*
 * Send what is written; nobody waits for a reply.
 *
 * Returns 0, XF_E_LIMIT when it could not be written or queued, or
 * XF_E_STREAM without a connection.
 */
int xf_stanza_send(struct xf_session *s, bool traced);

/* Send what is written; `fn` is told what became of it. Returns as above. */
int xf_stanza_request(struct xf_session *s, const char *id, const char *to,
                      int64_t deadline, bool traced, xf_reply_fn *fn,
                      void *ctx);

/* Answer a request by an error or an empty result. */
void xf_stanza_answer(struct xf_session *s, const struct xf_stanza_head *to,
                      enum xf_answer answer, const char *text, bool traced);

/* Keep a request to be answered later; false when there is no memory. */
bool xf_asked_keep(struct xf_asked *asked, const struct xf_stanza_head *head);
void xf_asked_clear(struct xf_asked *asked);
/* Is it that one? A server that has resumed a stream may say it twice. */
bool xf_asked_is(const struct xf_asked *asked,
                 const struct xf_stanza_head *head);
/* Answer it, if there is one, and forget it. */
void xf_asked_answer(struct xf_session *s, struct xf_asked *asked,
                     enum xf_answer answer, const char *text);

/* A result or an error came: is it the reply to one of ours? */
bool xf_requests_reply(struct xf_session *s, const struct xf_stanza_head *in);

void xf_requests_tick(struct xf_session *s, int64_t now);
/* All fail, as if not answered in time. */
void xf_requests_fail(struct xf_session *s);
/* Forget those of `ctx`, questions for the rate included. */
void xf_requests_drop(struct xf_session *s, const void *ctx);

/* Those that an embedder has not taken go nowhere any more. */
void xf_stanzas_clear(struct xf_session *s);

#endif
