/*
 * The client's side of TLS as a machine: bytes of the wire and plain bytes, in
 * and out. The socket is left to others.
 */
#ifndef XF_NET_TLS_H
#define XF_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct xf_tls_config {
    const char *domain;  /* that the certificate must name; ASCII, or a
                            literal address */
    const char *ca_file; /* PEM, only these are trusted; NULL: the system's */
    bool direct;         /* TLS from the first byte: ALPN "xmpp-client" */
    int max_version;     /* TLS1_2_VERSION in tests; 0: the newest */
};

enum xf_tls_state {
    XF_TLS_HANDSHAKE,
    XF_TLS_OPEN,
    XF_TLS_CLOSED, /* the peer said that no more will come */
    XF_TLS_FAILED, /* xf_tls_error() says why */
};

enum xf_tls_binding {
    XF_TLS_UNIQUE,           /* TLS 1.2 only (RFC 5929) */
    XF_TLS_EXPORTER,         /* RFC 9266 */
    XF_TLS_SERVER_END_POINT, /* RFC 5929 */
};

#define XF_TLS_BINDING_MAX 64 /* bytes */

struct xf_tls;

/*
 * The first bytes for the wire are ready when this returns. Returns 0 or the
 * code in `why`: XF_E_TLS when `ca_file` cannot be used, or XF_E_LIMIT.
 */
int xf_tls_new(const struct xf_tls_config *config, struct xf_error_info *why,
               struct xf_tls **out);
void xf_tls_free(struct xf_tls *t); /* NULL is fine */

enum xf_tls_state xf_tls_state(const struct xf_tls *t);
const struct xf_error_info *xf_tls_error(const struct xf_tls *t);

/*
 * Take bytes from the wire. Read until nothing is left before feeding again,
 * and drain: an alert or an answer may be waiting. 0, or the code of a failure.
 */
int xf_tls_feed(struct xf_tls *t, const void *bytes, size_t len);

/* Plain bytes that have arrived; 0: none now, the state tells the rest. */
size_t xf_tls_read(struct xf_tls *t, void *out, size_t len);

/* Plain bytes to send; the state is OPEN or CLOSED. 0, or the code. */
int xf_tls_write(struct xf_tls *t, const void *bytes, size_t len);

/* Bytes for the wire, at most `len`; 0: none now. */
size_t xf_tls_drain(struct xf_tls *t, void *out, size_t len);
size_t xf_tls_pending(const struct xf_tls *t); /* how many there are */

/* Say that no more will be written. */
void xf_tls_close(struct xf_tls *t);

/* "TLSv1.3"; "" before the handshake is done. Static. */
const char *xf_tls_version(const struct xf_tls *t);

/*
 * Channel binding data into `out`, XF_TLS_BINDING_MAX bytes. Returns how many,
 * or 0 when this connection has none of that kind.
 */
size_t xf_tls_binding(const struct xf_tls *t, enum xf_tls_binding kind,
                      uint8_t *out);

#endif
