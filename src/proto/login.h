/*
 * From a connected server to a bound JID: STARTTLS, SASL, bind and the wish
 * for acknowledgements (RFC 6120; XEP-0198, 3). Knows no sockets and no XML.
 */
#ifndef XF_PROTO_LOGIN_H
#define XF_PROTO_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/iq.h"

#define XF_MECHANISMS_MAX 32      /* read of one list; the rest is not seen */
#define XF_MECHANISM_LEN 20       /* RFC 4422, 3.1; longer ones are no names */
#define XF_LOGIN_TIMEOUT_MS 60000 /* for all of it, looking up included */

/* Kinds of channel binding, as bits (XEP-0440). */
#define XF_BINDING_UNIQUE 0x01u    /* "tls-unique", RFC 5929 */
#define XF_BINDING_EXPORTER 0x02u  /* "tls-exporter", RFC 9266 */
#define XF_BINDING_END_POINT 0x04u /* "tls-server-end-point", RFC 5929 */

/* The bit for a name, 0 for one we do not know. */
unsigned xf_binding_of(const char *name);

/* What <stream:features/> says. */
struct xf_features {
    bool starttls, starttls_required;
    size_t mechanisms_count;
    char mechanisms[XF_MECHANISMS_MAX][XF_MECHANISM_LEN + 1];
    bool bindings_said; /* there is a list of binding types at all */
    unsigned bindings;  /* XF_BINDING_ bits in it */
    bool bind;
    bool sm;               /* urn:xmpp:sm:3 */
    uint64_t stanza_limit; /* XEP-0478, bytes; 0: not said */
};

/* What TLS has to offer for channel binding; len 0: not to be had. */
#define XF_BINDING_MAX 64
struct xf_login_binding {
    bool tls13; /* TLS 1.3 or later */
    size_t unique_len, exporter_len;
    uint8_t unique[XF_BINDING_MAX], exporter[XF_BINDING_MAX];
};

/*
 *   CONNECTING --TCP--> FEATURES --starttls--> PROCEED --> SECURING
 *        |                 |                                   |
 *   direct TLS        plain, auth                           TLS up
 *        v                 v                                   |
 *   SAFE_FEATURES --auth--> SASL --success--> LAST_FEATURES    |
 *        ^-----------------------------------------------------+
 *   LAST_FEATURES --> BINDING --> ENABLING (if it counts) --> ONLINE
 *         |             ^                                        ^
 *     may resume    <failed/>                                    |
 *         +--------> RESUMING --<resumed/>-----------------------+
 *   any --refused, closed, out of turn, silence--> OVER
 */
enum xf_login_state {
    XF_LOGIN_CONNECTING,
    XF_LOGIN_FEATURES, /* of a stream without TLS */
    XF_LOGIN_PROCEED,
    XF_LOGIN_SECURING,
    XF_LOGIN_SAFE_FEATURES, /* of a stream inside TLS */
    XF_LOGIN_SASL,
    XF_LOGIN_LAST_FEATURES, /* of the stream after SASL */
    XF_LOGIN_RESUMING,
    XF_LOGIN_BINDING,
    XF_LOGIN_ENABLING,
    XF_LOGIN_ONLINE,
    XF_LOGIN_OVER,
    XF_LOGIN_STATES
};

enum xf_login_kind {
    XF_LOGIN_CONNECTED,    /* tls: direct TLS is up, with `binding` */
    XF_LOGIN_GOT_FEATURES, /* features; resume: a stream waits for it */
    XF_LOGIN_GOT_PROCEED,  /* left_over: bytes came behind it (injected) */
    XF_LOGIN_TLS_REFUSED,  /* <failure/> in the namespace of TLS */
    XF_LOGIN_TLS_UP,       /* binding */
    XF_LOGIN_CHALLENGE,    /* data, decoded */
    XF_LOGIN_SUCCESS,      /* data, or NULL */
    XF_LOGIN_FAILURE,      /* condition */
    XF_LOGIN_BOUND,        /* jid, as it came */
    XF_LOGIN_BIND_FAILED,  /* condition */
    XF_LOGIN_RESUMED,      /* the <resumed/> itself goes to proto/sm */
    XF_LOGIN_ENABLED,      /* ... and so does <enabled/> */
    XF_LOGIN_NOT_ENABLED,  /* <failed/>: nor resumed */
    XF_LOGIN_STREAM_ERROR, /* condition; see-other-host is not followed */
    XF_LOGIN_CLOSED,       /* error, or NULL; cut: not a failed check of TLS */
    XF_LOGIN_SILENCE,      /* XF_LOGIN_TIMEOUT_MS have passed */
    XF_LOGIN_KINDS
};

/* Fields that a kind does not name are 0 or NULL. All is borrowed. */
struct xf_login_input {
    enum xf_login_kind kind;
    bool tls, left_over, resume, cut;
    const struct xf_features *features;
    const struct xf_login_binding *binding;
    const void *data;
    size_t len;
    const char *condition; /* the element's name; NULL: there was none */
    const char *jid;
    const struct xf_error_info *error;
};

enum xf_login_do {
    XF_LOGIN_NOTHING,
    XF_LOGIN_OPEN_STREAM, /* a new reader, and the header again */
    XF_LOGIN_SEND_STARTTLS,
    XF_LOGIN_START_TLS,
    XF_LOGIN_SEND_AUTH,     /* mechanism, data (may be empty) */
    XF_LOGIN_SEND_RESPONSE, /* data (may be empty) */
    XF_LOGIN_SEND_BIND,     /* resource, or NULL: the server's choice */
    XF_LOGIN_SEND_RESUME,
    XF_LOGIN_SEND_ENABLE,
    XF_LOGIN_GO_ONLINE, /* jid */
    XF_LOGIN_GO_ON,     /* with the stream there was */
    XF_LOGIN_FAIL,      /* error, lasting; told once */
};

/* Belongs to the machine, until its next step. */
struct xf_login_todo {
    enum xf_login_do what;
    const char *mechanism;
    const void *data;
    size_t len;
    const char *resource;
    const char *jid; /* full, normalised */
    const struct xf_error_info *error;
    bool lasting; /* the next try would end so, too */
};

/* Is a stream that ended by this condition, or NULL, to be left alone? The one
 * who has taken our place would lose it to us, and we to him. */
bool xf_login_is_lasting(const char *condition);

struct xf_login;

/*
 * `jid` is normalised; its resource, if any, is asked for. `plain`: go on
 * without TLS; the caller has made sure that it is a loopback connection.
 * The password is copied, and wiped as soon as it is of no more use.
 *
 * Returns 0, XF_E_USAGE for a JID without a local part, or XF_E_LIMIT.
 */
int xf_login_new(struct xf_login **out, const char *jid, const char *password,
                 bool plain);
void xf_login_free(struct xf_login *login);

struct xf_login_todo xf_login_step(struct xf_login *login,
                                   const struct xf_login_input *in);

enum xf_login_state xf_login_state(const struct xf_login *login);

/* Of the last <stream:features/>: 0 when the server said none. */
uint64_t xf_login_stanza_limit(const struct xf_login *login);

/* The mechanism chosen, for a trace; "" before. */
const char *xf_login_mechanism(const struct xf_login *login);

#endif
