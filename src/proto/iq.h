/*
 * Requests that wait for their reply, and the answers we give to those of
 * others. A reply counts only when id and sender fit (RFC 6120, 8.1.2.1;
 * the lesson of CVE-2013-6483). No XML, no clock.
 */
#ifndef XF_PROTO_IQ_H
#define XF_PROTO_IQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XF_IQ_MAX 4096 /* requests under way at once */
#define XF_STANZA_ID_MAX 1024

/* Conditions of RFC 6120, 8.3.3 that we send or act on; others are OTHER. */
enum xf_condition {
    XF_COND_NONE,
    XF_COND_BAD_REQUEST,
    XF_COND_CONFLICT,
    XF_COND_FEATURE_NOT_IMPLEMENTED,
    XF_COND_FORBIDDEN,
    XF_COND_GONE,
    XF_COND_INTERNAL_SERVER_ERROR,
    XF_COND_ITEM_NOT_FOUND,
    XF_COND_JID_MALFORMED,
    XF_COND_NOT_ACCEPTABLE,
    XF_COND_NOT_ALLOWED,
    XF_COND_NOT_AUTHORIZED,
    XF_COND_POLICY_VIOLATION,
    XF_COND_RECIPIENT_UNAVAILABLE,
    XF_COND_REMOTE_SERVER_NOT_FOUND,
    XF_COND_REMOTE_SERVER_TIMEOUT,
    XF_COND_RESOURCE_CONSTRAINT,
    XF_COND_SERVICE_UNAVAILABLE,
    XF_COND_UNEXPECTED_REQUEST,
    XF_COND_OTHER,
    XF_COND_TIMEOUT, /* not on the wire: no reply came in time */
    XF_CONDITIONS
};

const char *xf_condition_name(enum xf_condition c);  /* "item-not-found" */
enum xf_condition xf_condition_of(const char *name); /* OTHER if unknown */

/* An error reply as it was read. Strings belong to the stanza. */
struct xf_stanza_error {
    enum xf_condition condition;
    const char *type;                   /* "cancel", "modify", ... or NULL */
    const char *text;                   /* or NULL */
    bool no_valid_streams, bad_profile; /* XEP-0095, 3.2 */
};

/* The answers we give to requests; each is one row of a table. */
enum xf_answer {
    XF_ANSWER_NONE,
    XF_ANSWER_OK,                 /* an empty result */
    XF_ANSWER_NO_VALID_STREAMS,   /* cancel, bad-request + no-valid-streams */
    XF_ANSWER_BAD_PROFILE,        /* cancel, bad-request + bad-profile */
    XF_ANSWER_BAD_REQUEST,        /* cancel, bad-request */
    XF_ANSWER_BAD_REQUEST_MODIFY, /* modify, bad-request */
    XF_ANSWER_DECLINED,           /* cancel, forbidden */
    XF_ANSWER_TOO_BIG,            /* modify, resource-constraint */
    XF_ANSWER_BUSY,               /* wait, resource-constraint */
    XF_ANSWER_NOT_ACCEPTABLE,     /* cancel, not-acceptable */
    XF_ANSWER_NOT_ACCEPTABLE_MODIFY, /* modify, not-acceptable */
    XF_ANSWER_NOT_FOUND,             /* cancel, item-not-found */
    XF_ANSWER_UNEXPECTED,            /* cancel, unexpected-request */
    XF_ANSWER_UNAVAILABLE,           /* cancel, service-unavailable */
    XF_ANSWER_FORBIDDEN,             /* auth, forbidden */
    XF_ANSWER_NOT_ALLOWED,           /* cancel, not-allowed */
    XF_ANSWER_JID_MALFORMED,         /* modify, jid-malformed */
    XF_ANSWER_INTERNAL,              /* cancel, internal-server-error */
    XF_ANSWERS
};

struct xf_answer_row {
    const char *type;
    enum xf_condition condition;
    const char *si_child; /* in http://jabber.org/protocol/si, or NULL */
};
const struct xf_answer_row *xf_answer_row(enum xf_answer a);

/* --- the table of our own requests ------------------------------------- */

struct xf_iq_table;

struct xf_iq_table *xf_iq_table_new(void); /* NULL: no memory */
void xf_iq_table_free(struct xf_iq_table *t);

/*
 * A request leaves: `cookie`, not NULL, comes back with its reply. `to` is
 * normalised; NULL is our own server: then a reply from nobody, from us (bare
 * or full) or from our domain counts.
 * Returns 0, XF_E_BUSY (too many, or this id is under way to `to`), or
 * XF_E_LIMIT.
 */
int xf_iq_add(struct xf_iq_table *t, const char *id, const char *to,
              int64_t deadline_ms, void *cookie);

/*
 * A result or error came. Returns the cookie and forgets the request, or NULL
 * for a reply to nothing or from somebody else. `from` is as it came, or
 * NULL; `own` is our full JID, normalised.
 */
void *xf_iq_match(struct xf_iq_table *t, const char *id, const char *from,
                  const char *own);

/* The next whose deadline has passed, forgotten; NULL when there is none. */
void *xf_iq_expired(struct xf_iq_table *t, int64_t now_ms);

/* Any one, forgotten: when the stream is lost, until NULL. */
void *xf_iq_any(struct xf_iq_table *t);

/* Forget the requests with this cookie; their late replies are strangers. */
void xf_iq_drop(struct xf_iq_table *t, const void *cookie);

/* All deadlines move: `ms` passed in which no reply could come. */
void xf_iq_shift(struct xf_iq_table *t, int64_t ms);

int64_t xf_iq_deadline(const struct xf_iq_table *t); /* INT64_MAX: none */

#endif
