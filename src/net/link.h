/*
 * The byte link to an XMPP server: finds it, connects, does TLS, queues what
 * is sent and hands up what comes. It knows nothing of XML; when to start
 * TLS and what the bytes mean is left to others.
 *
 *     LOOKING --> CONNECTING --> (HANDSHAKE) --> OPEN --> CLOSING --> OVER
 *        |            ^  |            |          ^  |        ^          ^
 *        |            +--+ next one   |          |  +--------|--> HANDSHAKE
 *        +------------+---------------+----------+-----------+----------+
 */
#ifndef XF_NET_LINK_H
#define XF_NET_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/address.h"
#include "net/loop.h"
#include "net/names.h"
#include "net/tls.h"

#define XF_LINK_QUEUE_MAX (8u << 20) /* bytes that wait to be sent */
#define XF_LINK_LOW (64u << 10)      /* `drained` is told below this */

/* Copied by xf_link_new(). */
struct xf_link_config {
    const char *domain;  /* of the JID; the certificate must name it */
    const char *server;  /* HOST[:PORT], port 5223 is direct TLS; NULL: SRV */
    const char *ca_file; /* NULL: the system's trust store */
    bool plain;          /* no TLS; loopback addresses only */
};

/* All from xf_loop_dispatch(); each may free the link. */
struct xf_link_events {
    /* Once, first. `tls`: direct TLS, its handshake is done. */
    void (*connected)(void *ctx, bool tls);
    /* The handshake after xf_link_start_tls() is done. */
    void (*secured)(void *ctx);
    void (*received)(void *ctx, const char *bytes, size_t len);
    /* The queue was above XF_LINK_LOW and now is below. */
    void (*drained)(void *ctx);
    /*
     * Once, last. `why->code` is 0 when either side ended it in good order; a
     * server that leaves out TLS's own goodbye gives XF_E_STREAM, which who
     * has seen the end of the XML stream need not mind.
     */
    void (*closed)(void *ctx, const struct xf_error_info *why);
};

struct xf_link;

/*
 * Begin to connect. `events` and `ctx` must outlive the link.
 *
 * Returns 0, or
 *   XF_E_USAGE  `domain` is no host name, `server` cannot be read
 *   XF_E_LIMIT  out of memory or descriptors
 */
int xf_link_new(struct xf_loop *loop, struct xf_names *names,
                const struct xf_link_config *config,
                const struct xf_link_events *events, void *ctx,
                struct xf_link **out);

/* At once and without a word. NULL is fine. */
void xf_link_free(struct xf_link *link);

/*
 * Queue bytes; they go out with those of the same turn. During a TLS handshake
 * they wait for its end. 0; XF_E_LIMIT when the queue is full, nothing was
 * taken then; XF_E_STREAM when the link is not open (any more).
 */
int xf_link_send(struct xf_link *link, const void *bytes, size_t len);

/* Write what is queued now instead of in the next dispatch. */
void xf_link_flush(struct xf_link *link);

/* Bytes that wait to be sent. */
size_t xf_link_queued(const struct xf_link *link);
/* The same with those that the kernel has and the server has not. */
size_t xf_link_unsent(const struct xf_link *link);

/*
 * After the server's go-ahead, from `received` or later. Bytes that came
 * behind the go-ahead are the caller's to look for, and to end the link for.
 * Success is told by `secured`, failure by `closed`. 0, or XF_E_STREAM when
 * the link is not open or has TLS.
 */
int xf_link_start_tls(struct xf_link *link);

bool xf_link_is_tls(const struct xf_link *link); /* its handshake is done */
const char *xf_link_tls_version(const struct xf_link *link); /* "" without */
/* As xf_tls_binding(); 0 without TLS. */
size_t xf_link_binding(const struct xf_link *link, enum xf_tls_binding kind,
                       uint8_t out[XF_TLS_BINDING_MAX]);

/*
 * Send what is queued, say the end, wait 2 s for the server's: unread bytes
 * would become a reset, and a reset makes the server drop what it had not yet
 * read. `received` goes on meanwhile; `closed` ends it.
 */
void xf_link_close(struct xf_link *link);

/* While paused, what arrives waits in the kernel. */
void xf_link_pause_reading(struct xf_link *link, bool pause);

/* For `closed` with XF_E_TLS: the connection ended within the handshake, so no
 * check has failed. */
bool xf_link_was_cut(const struct xf_link *link);

/* False while not connected. */
bool xf_link_local_address(const struct xf_link *link, struct xf_address *out);
bool xf_link_is_loopback(const struct xf_link *link); /* the server's end */

#endif
