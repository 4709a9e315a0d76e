/*
 * What is said while a stream is set up (RFC 6120; XEP-0440, XEP-0478) and
 * right after it: headers, features, STARTTLS, SASL, bind, roster, presence,
 * stream errors. When each is said is decided by proto/login.
 */
#ifndef XF_WIRE_STREAM_H
#define XF_WIRE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "proto/login.h"
#include "wire/xml.h"

/* --- what comes --------------------------------------------------------- */

enum xf_nonza {
    XF_NONZA_NONE, /* a stanza, or something unknown */
    XF_NONZA_FEATURES,
    XF_NONZA_ERROR, /* of the stream; it is over */
    XF_NONZA_PROCEED,
    XF_NONZA_TLS_FAILURE,
    XF_NONZA_CHALLENGE,
    XF_NONZA_SUCCESS,
    XF_NONZA_SASL_FAILURE,
};

enum xf_nonza xf_nonza_of(const struct xf_el *el);

/* False when they are not <stream:features/>. Unknown ones are skipped. */
bool xf_stream_read_features(const struct xf_el *el, struct xf_features *out);

/* Strings belong to the element. */
struct xf_stream_failure {
    const char *condition; /* "not-authorized"; "undefined-condition" if none */
    const char *text;      /* or NULL */
    const char *other_host; /* of see-other-host, or NULL */
};

/* Of a stream error or a SASL failure. */
void xf_stream_read_failure(const struct xf_el *el,
                            struct xf_stream_failure *out);

/*
 * The bytes of a challenge or of a success, with a NUL behind that does not
 * count. Returns their number, or -1 for what is not base64 or longer than
 * size - 1.
 */
#define XF_SASL_DATA_MAX 4096
ssize_t xf_sasl_read_data(const struct xf_el *el, char *out, size_t size);

/* Our full JID in the result of a bind, as it came; NULL: there is none. */
const char *xf_bind_read(const struct xf_el *iq);

/* --- what goes ---------------------------------------------------------- */

/* `from` may be NULL: it is told inside TLS only (RFC 6120, 4.7.1). */
void xf_stream_write_header(struct xf_xml_writer *w, const char *to,
                            const char *from);
void xf_stream_write_close(struct xf_xml_writer *w);
/* A stream error of ours, followed by the close. */
void xf_stream_write_error(struct xf_xml_writer *w, const char *condition);
/* What the fault of a reader is called in a stream error. */
const char *xf_stream_condition(enum xf_xml_fault fault);

void xf_stream_write_starttls(struct xf_xml_writer *w);

/* `data` NULL: no initial response; `len` 0: an empty one, written "=". */
void xf_sasl_write_auth(struct xf_xml_writer *w, const char *mechanism,
                        const void *data, size_t len);
void xf_sasl_write_response(struct xf_xml_writer *w, const void *data,
                            size_t len);

/* `resource` NULL: the server picks one. */
void xf_bind_write(struct xf_xml_writer *w, const char *id,
                   const char *resource);
void xf_roster_write_get(struct xf_xml_writer *w, const char *id);
/* Available, with caps (XEP-0115): `ver` is the SHA-1 in base64. */
void xf_presence_write(struct xf_xml_writer *w, int priority, const char *node,
                       const char *ver);
void xf_presence_write_unavailable(struct xf_xml_writer *w);

#endif
