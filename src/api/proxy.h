/*
 * The front of a proxy from inside: what its files share. proxy.c is its life
 * and its clock, proxy_settings.c what it was told, proxy_doors.c the SOCKS5
 * side, proxy_uplink.c the connection to the server, proxy_answer.c what is
 * said on it, proxy_events.c what the embedder hears.
 */
#ifndef XF_API_PROXY_H
#define XF_API_PROXY_H

#include <xferry/proxy.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/jid.h"
#include "net/link.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/names.h"
#include "proto/backoff.h"
#include "proto/component.h"
#include "proto/proxy.h"
#include "proto/proxy_access.h"
#include "proto/proxy_crowd.h"
#include "proto/s5b.h"
#include "stream/tcp.h"
#include "wire/iq.h"
#include "wire/xml.h"

/* Of one reason; what comes in between is counted. */
#define XF_PROXY_TELL_MS 10000
#define XF_PROXY_OUT_MAX (64u * 1024u) /* one answer, while written */
#define XF_PROXY_HIGH (1024u * 1024u)  /* answers that wait: read no more */
#define XF_PROXY_WHO_MAX XF_JID_MAX

/* --- settings ------------------------------------------------------------ */

/* The configuration, copied and checked. */
struct xf_proxy_settings {
    char domain[XF_JID_PART_MAX + 1];             /* prepared */
    char server[XF_HOST_MAX + sizeof "[]:65535"]; /* its port said */
    bool remote;
    uint8_t secret[XF_PROXY_SECRET_MAX];
    size_t secret_len;
    struct xf_address listen[XF_PROXY_LISTEN_MAX];
    size_t listen_count;
    struct {
        char host[XF_HOST_MAX + 1];
        uint16_t port; /* 0: that of the first listener */
    } streamhosts[XF_PROXY_STREAMHOSTS_MAX];
    size_t streamhosts_count;
    struct xf_network acl[XF_PROXY_ACL_MAX];
    size_t acl_count;
    struct xf_access access;
    int handshake_ms, pairing_ms;
    struct xf_crowd_limits crowd;
    size_t pairs_total;
};

/* `secret`: random bits for the hashes of maps. */
int xf_proxy_settings_new(struct xf_proxy_settings **out,
                          const struct xf_proxy_config *config,
                          const uint64_t secret[2], struct xf_error_info *why);
void xf_proxy_settings_free(struct xf_proxy_settings *set); /* NULL is fine */

/* As the crowd counts it. */
void xf_proxy_crowd_address(const struct xf_address *a,
                            uint8_t out[XF_CROWD_ADDRESS]);

/* --- the front ----------------------------------------------------------- */

/* One connection that was let in and not handed over yet. */
struct xf_side {
    struct xf_side *before, *after; /* within the handshake, oldest first */
    struct xf_proxy *x;
    struct xf_caller *caller;
    struct xf_address address;
    struct xf_tcp *tcp; /* within the handshake; then NULL */
    struct xf_watch *watch;
    enum xf_proxy_refusal refusal; /* what to count it as when it fails */
    bool answered;
    int64_t deadline;     /* of the handshake */
    int fd;               /* behind the handshake; else -1 */
    struct xf_pair *pair; /* behind the handshake; else NULL */
};

/* What is remembered of a pair that was handed over. */
struct xf_flow {
    struct xf_caller *callers[2];
    struct xf_user *user;
    struct xf_quota quota;
    bool exceeded; /* and that was told */
};

/* A request to activate that is to be answered, now or when it was held. */
struct xf_activation {
    char *id, *from, *to; /* as they came */
    char *requester, *target;
    char hash[XF_DSTADDR_LEN + 1];
};

struct xf_proxy_node {
    struct xf_proxy_node *next;
    struct xf_proxy_event ev;
    char strings[];
};

/* The connection to the server, or the wait for the next one. */
struct xf_uplink {
    struct xf_link *link; /* NULL: there is none */
    struct xf_xml_reader *reader;
    struct xf_component component;
    struct xf_backoff backoff;
    int64_t retry_at; /* without a link; INT64_MAX: no more */
    bool was_online;  /* ever */
    bool online;      /* now */
    bool closing;     /* our </stream:stream> has been said */
    int broken;       /* XF_E_ code: to be given up at the next turn */
};

struct xf_proxy {
    struct xf_loop *loop;
    struct xf_names *names;
    struct xf_timer *timer;
    uint64_t secret[2]; /* of the maps */
    struct xf_proxy_settings *set;

    struct xf_listener *listeners[XF_PROXY_LISTEN_MAX];
    size_t listeners_count;
    uint16_t ports[XF_PROXY_LISTEN_MAX];
    struct xf_side *first, *last; /* within the handshake */
    struct xf_matcher matcher;
    struct xf_crowd crowd;
    struct xf_usage usage;
    bool draining;
    bool leaving; /* xf_proxy_close() was called */
    bool over;    /* OFFLINE was told */

    struct xf_uplink up;
    struct xf_buf out;
    struct xf_xml_writer w;

    struct xf_proxy_node *events, **events_last, *current;
    struct {
        uint64_t count; /* not told yet */
        int64_t told_at;
        char who[XF_PROXY_WHO_MAX + 1]; /* the last one */
    } refusals[XF_PROXY_REFUSALS];
    struct xf_proxy_stats stats; /* what only rises; the rest is computed */
};

int64_t xf_proxy_now(struct xf_proxy *x);

/* --- proxy_doors.c ------------------------------------------------------- */

int xf_proxy_doors_open(struct xf_proxy *x, struct xf_error_info *why);
void xf_proxy_doors_close(struct xf_proxy *x); /* no new ones */
/* All that was not handed over, too. */
void xf_proxy_doors_clear(struct xf_proxy *x);
/* What is due; and when something will be. */
void xf_proxy_doors_tick(struct xf_proxy *x, int64_t now);
int64_t xf_proxy_doors_deadline(const struct xf_proxy *x);

/* Close it, and take it from its pair if it is in one. */
void xf_side_drop(struct xf_side *side);
/* Drop the sides of a pair that waits whose other end has reset them. It is
 * gone afterwards when none is left. */
void xf_pair_bury_dead(struct xf_pair *pair);
/* Its descriptor is taken out, its caller stays counted. */
void xf_side_hand_over(struct xf_side *side, int *fd,
                       struct xf_caller **caller);

/* --- proxy_uplink.c ------------------------------------------------------ */

void xf_uplink_begin(struct xf_proxy *x);
void xf_uplink_leave(struct xf_proxy *x);
void xf_uplink_clear(struct xf_proxy *x);
void xf_uplink_tick(struct xf_proxy *x, int64_t now);
int64_t xf_uplink_deadline(const struct xf_proxy *x);

/* Begin to write an answer; and send what was written. Without a connection it
 * goes nowhere: who asked is not there either. */
struct xf_xml_writer *xf_uplink_write(struct xf_proxy *x);
void xf_uplink_send(struct xf_proxy *x);

/* --- proxy_answer.c ------------------------------------------------------ */

/* A stanza has come. */
void xf_proxy_take_stanza(struct xf_proxy *x, struct xf_el *el);
/* The second connection has come, or will not: answer what was held, and free
 * it. */
void xf_proxy_resume(struct xf_proxy *x, struct xf_activation *activation);
void xf_activation_free(struct xf_activation *a); /* NULL is fine */
/* A pair that was handed over is gone. */
void xf_proxy_forget_flow(struct xf_proxy *x, struct xf_pair *pair);

/* --- proxy_events.c ------------------------------------------------------ */

/* Copies the strings. False: no memory. */
bool xf_proxy_tell(struct xf_proxy *x, const struct xf_proxy_event *ev);
void xf_proxy_tell_code(struct xf_proxy *x, enum xf_proxy_event_type type,
                        const struct xf_error_info *why, int64_t retry_ms);
void xf_proxy_refuse(struct xf_proxy *x, enum xf_proxy_refusal refusal,
                     const char *who);
void xf_proxy_refuse_address(struct xf_proxy *x, enum xf_proxy_refusal refusal,
                             const struct xf_address *address);
void xf_proxy_events_tick(struct xf_proxy *x, int64_t now);
int64_t xf_proxy_events_deadline(const struct xf_proxy *x);
void xf_proxy_events_clear(struct xf_proxy *x); /* descriptors too */

/* --- proxy.c ------------------------------------------------------------- */

/* For good: told once, from here only. */
void xf_proxy_end(struct xf_proxy *x, const struct xf_error_info *why);

#endif
