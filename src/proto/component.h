/*
 * How an external component is taken by its server (XEP-0114), and how the two
 * know that the other is still there. No XML, no clock: times are arguments.
 *
 *   CONNECTING -connected-> HEADER -id-> PROOF -handshake-> ONLINE
 *        |                    |            |                 |
 *        +--closed, silence---+-- refused -+--- error, ...---+--> OVER
 */
#ifndef XF_PROTO_COMPONENT_H
#define XF_PROTO_COMPONENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define XF_COMPONENT_WAIT_MS 30000    /* connecting and shaking hands, each */
#define XF_COMPONENT_SILENCE_MS 60000 /* then the server is asked */
#define XF_COMPONENT_ANSWER_MS 30000  /* and has so long to say something */
#define XF_COMPONENT_ID_MAX 1024      /* bytes of a stream id */
#define XF_COMPONENT_PROOF_LEN 40     /* SHA-1 in lower-case hex */

enum xf_component_state {
    XF_COMPONENT_CONNECTING,
    XF_COMPONENT_HEADER, /* ours is sent, the server's is awaited */
    XF_COMPONENT_PROOF,  /* likewise <handshake/> */
    XF_COMPONENT_ONLINE,
    XF_COMPONENT_OVER,
    XF_COMPONENT_STATES
};

struct xf_component {
    enum xf_component_state state;
    int64_t deadline; /* feed TIME then; INT64_MAX: never */
    bool asked;       /* ONLINE: the server has not spoken since */
};

enum xf_component_kind {
    XF_COMPONENT_CONNECTED,
    XF_COMPONENT_ID,        /* the stream header, with `id` or NULL */
    XF_COMPONENT_HANDSHAKE, /* <handshake/> */
    XF_COMPONENT_STANZA,    /* anything else on the stream */
    XF_COMPONENT_ERROR,     /* of the stream: `condition`, `text` or NULL */
    XF_COMPONENT_CLOSED,    /* the connection ended, or never was: `why` */
    XF_COMPONENT_TIME,
    XF_COMPONENT_KINDS
};

struct xf_component_input {
    enum xf_component_kind kind;
    const char *id;
    const char *condition, *text;
    const struct xf_error_info *why;
};

enum xf_component_what {
    XF_COMPONENT_NOTHING,
    XF_COMPONENT_SEND_HEADER,
    XF_COMPONENT_SEND_PROOF, /* `proof` */
    XF_COMPONENT_GO_ONLINE,
    XF_COMPONENT_TAKE, /* the stanza is to be looked at */
    XF_COMPONENT_ASK,  /* send a ping */
    XF_COMPONENT_FAIL, /* `error`; `refused` */
};

struct xf_component_todo {
    enum xf_component_what what;
    char proof[XF_COMPONENT_PROOF_LEN + 1];
    struct xf_error_info error;
    /* The server said no, or nothing, to our handshake: trying again changes
     * that only when somebody changes something. */
    bool refused;
};

void xf_component_init(struct xf_component *c, int64_t now);

/* Every input is proof that time has come to `now`. */
struct xf_component_todo xf_component_step(struct xf_component *c,
                                           const struct xf_component_input *in,
                                           const void *secret,
                                           size_t secret_len, int64_t now);

#endif
