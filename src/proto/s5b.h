/*
 * SOCKS5 bytestreams (XEP-0065) on the initiator's side: from the query to a
 * stream that may carry bytes. Who dials what is proto/dial, the bytes of the
 * handshake are proto/socks5.
 */
#ifndef XF_PROTO_S5B_H
#define XF_PROTO_S5B_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/iq.h"

#define XF_STREAMHOSTS_MAX 32 /* read of one query; the rest is not tried */
#define XF_S5B_DEFAULT_PORT 1080

/* An address to reach an initiator or a proxy. Strings are borrowed. */
struct xf_streamhost {
    const char *jid;
    const char *host;
    uint16_t port;
};

struct xf_s5b_query {
    const char *sid;
    const char *dstaddr; /* XEP-0065 for rooms: 40 hex digits, or NULL */
    bool udp;
    size_t count;
    struct xf_streamhost hosts[XF_STREAMHOSTS_MAX];
};

/*
 *   QUERIED --used, ours--> OPEN
 *      | \--used, a proxy--> DIALLING --connected--> ACTIVATING --ok--> OPEN
 *      +--error, timeout, unknown streamhost--> OVER <--failed--+
 */
enum xf_s5b_state {
    XF_S5B_QUERIED,    /* the target is trying */
    XF_S5B_DIALLING,   /* we connect to the proxy the target uses */
    XF_S5B_ACTIVATING, /* the proxy is asked to join the two */
    XF_S5B_OPEN,
    XF_S5B_OVER,
    XF_S5B_STATES
};

enum xf_s5b_kind {
    XF_S5B_USED,      /* streamhost-used: `index` of our list, or -1 */
    XF_S5B_REFUSED,   /* error or timeout: `condition` */
    XF_S5B_CONNECTED, /* our own connection to the proxy passed SOCKS */
    XF_S5B_LOST,      /* it failed, or no connection of the target is there */
    XF_S5B_ACTIVATED,
    XF_S5B_NOT_ACTIVATED, /* `condition` */
    XF_S5B_KINDS
};

struct xf_s5b_input {
    enum xf_s5b_kind kind;
    int index;
    bool proxy; /* USED: is that streamhost a proxy? */
    enum xf_condition condition;
};

enum xf_s5b_do {
    XF_S5B_NOTHING,
    XF_S5B_DIAL_PROXY, /* connect to streamhost `index` */
    XF_S5B_ACTIVATE,   /* ask it to activate */
    XF_S5B_GO_DIRECT,  /* bytes may flow over the target's connection */
    XF_S5B_GO_PROXY,   /* bytes may flow over ours to the proxy */
    XF_S5B_FAIL,       /* this rung is over: code, text */
};

struct xf_s5b_todo {
    enum xf_s5b_do what;
    int index;
    int code;         /* XF_E_CONNECT, XF_E_PROXY, XF_E_PROTO, XF_E_DECLINED*/
    const char *text; /* static */
};

struct xf_s5b {
    enum xf_s5b_state state;
    int used;   /* streamhost in use, -1 before */
    bool proxy; /* it is a proxy */
};

void xf_s5b_init(struct xf_s5b *s5b);
struct xf_s5b_todo xf_s5b_step(struct xf_s5b *s5b,
                               const struct xf_s5b_input *in);

/*
 * Which of our streamhosts a streamhost-used names: compared as normalised
 * JIDs, resource included (ejabberd's proxies have one). `used_jid` may not be
 * normalised. Returns the index, or -1. Several may share one JID: the first.
 */
int xf_s5b_find(const struct xf_streamhost *hosts, size_t count,
                const char *used_jid);

#endif
