/*
 * The bytes of SOCKS5 (RFC 1928) as XEP-0065 uses them: one parser for the
 * client, the direct streamhost and the proxy. Readers take what has arrived
 * so far and return the bytes used, 0 for "not whole yet", or -1 for "no more
 * bytes can save this".
 */
#ifndef XF_PROTO_SOCKS5_H
#define XF_PROTO_SOCKS5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define XF_SOCKS5_GREETING_LEN 3
#define XF_SOCKS5_REQUEST_LEN 47 /* 05 01 00 03 28 + 40 hex + 00 00 */
#define XF_SOCKS5_MAX 262        /* the longest message there is */

enum xf_socks5_rep {
    XF_SOCKS5_OK = 0x00,
    XF_SOCKS5_FAILURE = 0x01,
    XF_SOCKS5_NOT_ALLOWED = 0x02,
    XF_SOCKS5_BAD_COMMAND = 0x07,
    XF_SOCKS5_BAD_ADDRESS = 0x08,
};

/* --- client ------------------------------------------------------------- */

/*
 *   GREETED --05 00--> REQUESTED --05 00 .. --> READY
 *      \--anything else, too long--> FAILED <--/
 */
enum xf_socks5_state {
    XF_SOCKS5_GREETED,
    XF_SOCKS5_REQUESTED,
    XF_SOCKS5_READY,
    XF_SOCKS5_FAILED,
};

/*
 * Writes go out alone, each in one segment: Prosody, ejabberd, Openfire,
 * gloox and QXmpp parse per segment.
 */
struct xf_socks5_client {
    enum xf_socks5_state state;
    char dstaddr[41];
    int rep; /* FAILED by a reply: its code, else -1 */
};

void xf_socks5_client_init(struct xf_socks5_client *c, const char *dstaddr);

/* The greeting, to be sent on connection. XF_SOCKS5_GREETING_LEN bytes. */
extern const uint8_t xf_socks5_greeting[XF_SOCKS5_GREETING_LEN];

/*
 * Bytes have come. Returns how many belong to the handshake (what is behind
 * the reply is data and is left), 0 for "not whole yet". When `*out_len` is
 * not 0 afterwards, send `out`. Look at c->state.
 */
size_t xf_socks5_client_feed(struct xf_socks5_client *c, const uint8_t *in,
                             size_t len, uint8_t out[XF_SOCKS5_MAX],
                             size_t *out_len);

/* --- server ------------------------------------------------------------- */

/*
 *   GREETING --methods have 00--> REQUEST --40 hex--> ASKED
 *      \--05 FF--> REFUSED            \--05 01/07/08--> REFUSED
 * ASKED: somebody decides, then xf_socks5_server_answer().
 */
enum xf_socks5_server_state {
    XF_SOCKS5_GREETING,
    XF_SOCKS5_REQUEST,
    XF_SOCKS5_ASKED,
    XF_SOCKS5_REFUSED, /* send what is in `out`, then close */
    XF_SOCKS5_BROKEN,  /* not SOCKS5: close */
};

struct xf_socks5_server {
    enum xf_socks5_server_state state;
    char dstaddr[41];
};

void xf_socks5_server_init(struct xf_socks5_server *s);
/* As xf_socks5_client_feed(). */
size_t xf_socks5_server_feed(struct xf_socks5_server *s, const uint8_t *in,
                             size_t len, uint8_t out[XF_SOCKS5_MAX],
                             size_t *out_len);
/* The reply: the request echoed with `rep`, XF_SOCKS5_REQUEST_LEN bytes. */
size_t xf_socks5_server_answer(const struct xf_socks5_server *s,
                               enum xf_socks5_rep rep,
                               uint8_t out[XF_SOCKS5_MAX]);

#endif
