/*
 * The outside of stanzas (RFC 6120, 8): who says what kind of thing to whom,
 * empty results and errors. What is inside is for the other files. The
 * attributes are written in the order id, to, from, type, because the
 * founding dialect is replayed byte for byte.
 */
#ifndef XF_WIRE_IQ_H
#define XF_WIRE_IQ_H

#include <stdbool.h>

#include "proto/iq.h"
#include "wire/xml.h"

enum xf_kind {
    XF_KIND_IQ,
    XF_KIND_MESSAGE,
    XF_KIND_PRESENCE,
};

enum xf_iq_type {
    XF_IQ_NONE, /* not an iq */
    XF_IQ_GET,
    XF_IQ_SET,
    XF_IQ_RESULT,
    XF_IQ_ERROR,
};

/* Strings belong to the stanza; what it does not say is NULL. */
struct xf_stanza_head {
    enum xf_kind kind;
    enum xf_iq_type type;
    bool error;                 /* type='error', whatever the kind */
    const char *id, *to, *from; /* JIDs as they came */
    const struct xf_el *el;
    /* Of a get or set: its only child element; NULL when it has none or
     * several, which is a bad request. */
    const struct xf_el *payload;
};

/*
 * False for what is no stanza, and for an iq that nobody can answer or match:
 * no known type, no id, or one longer than XF_STANZA_ID_MAX.
 */
bool xf_stanza_read(const struct xf_el *el, struct xf_stanza_head *out);

/* The error in a stanza of type error; condition OTHER when it has none. */
void xf_stanza_read_error(const struct xf_el *stanza,
                          struct xf_stanza_error *out);

/* Start tags; xf_xml_close(w, "iq") and so on ends them. NULL: left out. */
void xf_iq_open(struct xf_xml_writer *w, enum xf_iq_type type, const char *id,
                const char *to, const char *from);
void xf_message_open(struct xf_xml_writer *w, const char *id, const char *to,
                     const char *from);

/* A result to `request`, open for its payload. */
void xf_iq_open_result(struct xf_xml_writer *w,
                       const struct xf_stanza_head *request);

/*
 * A whole answer to `request`: XF_ANSWER_OK is an empty result, the others
 * are errors with `text`, which may be NULL. XF_ANSWER_NONE writes nothing,
 * nor is anything written in reply to what is not a get or set.
 */
void xf_iq_write_answer(struct xf_xml_writer *w,
                        const struct xf_stanza_head *request,
                        enum xf_answer answer, const char *text);

/* <error> by itself. */
void xf_stanza_write_error(struct xf_xml_writer *w, enum xf_answer answer,
                           const char *text);

#endif
