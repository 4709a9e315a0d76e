/*
 * The front of a SOCKS5 bytestreams proxy (XEP-0065), as an external component
 * of an XMPP server (XEP-0114): it answers the server's users, accepts their
 * connections, finds the two that belong together and, once their initiator
 * asks for it, hands the pair over. It never moves a byte of theirs: whoever
 * takes the two descriptors does (struct xf_relay, say, in another process).
 *
 * One descriptor and one timeout, as with a session:
 *
 *     for (;;) {
 *         struct pollfd p = { xf_proxy_fd(x), POLLIN, 0 };
 *         poll(&p, 1, xf_proxy_timeout(x));
 *         xf_proxy_dispatch(x);
 *         while ((ev = xf_proxy_next(x)) != NULL)
 *             ...
 *     }
 *
 * After every other xf_ call ask xf_proxy_timeout() again before waiting. A
 * proxy is used from one thread at a time.
 *
 * It connects to its XMPP server and nowhere else, and of what users say it
 * uses no address. What they sent before activation is not read but waits in
 * the kernel: nothing of it is lost, their FIN neither.
 *
 * Strings are UTF-8 and NUL-terminated. JIDs in events are prepared (RFC 6122)
 * but otherwise as users chose them: escape them before they reach a terminal
 * or a log. Times are milliseconds, sizes are bytes, rates bytes a second.
 */
#ifndef XFERRY_PROXY_H
#define XFERRY_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xferry/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef XF_API
#if defined(__GNUC__)
#define XF_API __attribute__((visibility("default")))
#else
#define XF_API
#endif
#endif

struct xf_proxy;

/* --- configuration ------------------------------------------------------ */

#define XF_PROXY_LISTEN_MAX 32      /* addresses to listen on */
#define XF_PROXY_STREAMHOSTS_MAX 16 /* addresses to tell */
#define XF_PROXY_ACL_MAX 1024       /* networks that may connect */
#define XF_PROXY_RULES_MAX 65536    /* who may and who may not */
#define XF_PROXY_SECRET_MAX 1024    /* bytes */

struct xf_proxy_address {
    const char *host; /* to listen on: "192.0.2.1", "2001:db8::1", "0.0.0.0",
                         "::" (IPv6 alone); to tell: those, or a host name */
    uint16_t port;    /* to listen on: 0 is any; to tell: 0 is the port of the
                         first address that is listened on */
};

/* What somebody may use at most. 0 is no limit, in each of them. */
struct xf_proxy_quota {
    uint32_t jid_pairs;          /* at once, of one bare JID */
    uint32_t domain_pairs;       /* at once, of one domain */
    uint64_t jid_bytes_a_day;    /* both ways; the day is that of UTC, and a */
    uint64_t domain_bytes_a_day; /* new process begins to count anew */
    uint64_t pair_rate;          /* handed on with the pair, */
    uint64_t jid_rate;           /* for all pairs of one bare JID together */
};

/*
 * Who may ask for addresses and activate. Of the rules that fit a JID the most
 * exact one counts: "user@domain/resource", "user@domain", "domain". A domain
 * stands for its users, not for the bare domain itself nor for what is below
 * it. Whom no rule fits is refused.
 */
struct xf_proxy_rule {
    const char *jid;
    bool refuse;
    const struct xf_proxy_quota *quota; /* NULL: that of the configuration */
};

/*
 * What a proxy is made of. Fill with xf_proxy_config_init(), change what is to
 * differ. Everything is copied. Limits of 0 are no limit, but for deadlines.
 */
struct xf_proxy_config {
    const char *domain; /* the component's JID, a domain */
    const char *server; /* HOST[:PORT] of its server, port 5347 */
    /*
     * The component protocol has no TLS: secret's proof and stanzas go in
     * clear. So only loopback addresses are connected to, unless this says
     * that the way there is safe, a tunnel or a network of one's own.
     */
    bool remote;
    const void *secret; /* shared with the server */
    size_t secret_len;

    const struct xf_proxy_address *listen; /* for SOCKS5; one at least */
    size_t listen_count;
    const struct xf_proxy_address *streamhosts; /* to tell; one at least */
    size_t streamhosts_count;
    const char *const *acl; /* "192.0.2.0/24", "2001:db8::/32", "::1"; who */
    size_t acl_count;       /* may connect. None: everybody */

    const struct xf_proxy_rule *rules; /* none: nobody may */
    size_t rules_count;
    struct xf_proxy_quota quota;

    int handshake_ms; /* for the whole SOCKS5 handshake */
    int pairing_ms;   /* from the handshake to activation */

    uint32_t half_open_each;   /* handshakes under way, of one address */
    uint32_t half_open_total;  /* the same of all; one more, and that which
                                  has waited longest is closed */
    uint32_t connections_each; /* connections of one address, those handed
                                  over included */
    uint32_t pairs_total;      /* waiting and handed over */
};

/*
 * The defaults: 127.0.0.1:5347, 10 s, 60 s; 64 and 2048 handshakes, 4096
 * connections of an address, 100,000 pairs; nobody may. Of an IPv6 address the first 64
 * bits count as the address.
 */
XF_API void xf_proxy_config_init(struct xf_proxy_config *config);

/* --- the proxy ---------------------------------------------------------- */

/*
 * Listen, and begin to connect to the server. The result is told by
 * XF_PROXY_ONLINE, _LOST or _OFFLINE. SOCKS5 connections are accepted from here
 * on, whatever becomes of the server.
 *
 * Returns 0, or (`text`, which may be NULL, gets a sentence about it, cut to
 * `text_size` bytes)
 *   XF_E_USAGE  the configuration cannot be: no domain, no secret, no address,
 *               too many of something, a JID or an address that is none
 *   XF_E_BUSY   an address is in use
 *   XF_E_PERM   a port may not be used
 *   XF_E_LIMIT  out of memory or descriptors
 *   XF_E_IO     anything else, such as an address that is not ours
 */
XF_API int xf_proxy_new(struct xf_proxy **out,
                        const struct xf_proxy_config *config, char *text,
                        size_t text_size);

/*
 * Would xf_proxy_new() and xf_proxy_reload() take this? Opens nothing. Returns
 * 0, XF_E_USAGE or XF_E_LIMIT, as xf_proxy_new().
 */
XF_API int xf_proxy_config_check(const struct xf_proxy_config *config,
                                 char *text, size_t text_size);

/*
 * Close everything that has not been handed over, at once, and free it. NULL is
 * fine.
 */
XF_API void xf_proxy_free(struct xf_proxy *x);

/*
 * From now on `config` holds, but for `domain` and `listen`, which stay as they
 * were. Server and secret are used when the connection is made anew. Pairs go
 * on, also of those who may no more. Returns 0, or XF_E_USAGE or XF_E_LIMIT as
 * xf_proxy_new(); then nothing has changed.
 */
XF_API int xf_proxy_reload(struct xf_proxy *x,
                           const struct xf_proxy_config *config, char *text,
                           size_t text_size);

/*
 * Take nobody new: listening ends, requests for addresses are answered with
 * resource-constraint. Connections that are there may still be activated.
 */
XF_API void xf_proxy_drain(struct xf_proxy *x);

/*
 * Leave the server in good order; XF_PROXY_OFFLINE with code 0 is told. What
 * waits for activation is closed. Pairs handed over are not touched.
 */
XF_API void xf_proxy_close(struct xf_proxy *x);

/* Readable when there is something to dispatch. Owned by the proxy. */
XF_API int xf_proxy_fd(const struct xf_proxy *x);

/* Milliseconds until dispatch is due, 0 for now, -1 for never. */
XF_API int xf_proxy_timeout(const struct xf_proxy *x);

/* Do what is due; never waits. */
XF_API void xf_proxy_dispatch(struct xf_proxy *x);

/* The port of listen address `i`; 0: there is no such. */
XF_API uint16_t xf_proxy_port(const struct xf_proxy *x, size_t i);

/* --- events ------------------------------------------------------------- */

enum xf_proxy_event_type {
    XF_PROXY_ONLINE,   /* the server has taken us; also again, after LOST */
    XF_PROXY_LOST,     /* no connection to the server, tried again in
                         `retry_ms`; code and text say why. Everything else
                         goes on */
    XF_PROXY_OFFLINE,  /* for good: xf_proxy_close(), or the very first
                         handshake was refused (XF_E_AUTH). Listening has
                         ended, what waited is closed */
    XF_PROXY_PAIR,     /* activated: `fd_a` and `fd_b` are yours, relay them */
    XF_PROXY_EXCEEDED, /* pair `id` has used up the bytes of its day: end it */
    XF_PROXY_REFUSED,  /* somebody was; at most one event a reason in 10 s, and
                         `count` is how many since the last one */
};

/* Why somebody was refused, or turned away later. */
enum xf_proxy_refusal {
    XF_PROXY_BY_ACL,         /* his address may not connect */
    XF_PROXY_BY_ADDRESS,     /* too many of his address */
    XF_PROXY_BY_CROWD,       /* too many handshakes in all */
    XF_PROXY_BY_TIME,        /* no whole handshake in time */
    XF_PROXY_BY_SOCKS,       /* no SOCKS5, or not what XEP-0065 asks for */
    XF_PROXY_BY_THIRD,       /* two have connected with that hash already */
    XF_PROXY_BY_PAIRS,       /* too many pairs in all */
    XF_PROXY_NOT_ACTIVATED,  /* handshake done, nobody activated in time */
    XF_PROXY_BY_RULES,       /* his JID may not use the proxy */
    XF_PROXY_BY_QUOTA,       /* pairs or bytes of his JID or domain used up */
    XF_PROXY_BY_STRANGER,    /* he activated what nobody has connected for */
    XF_PROXY_BY_ONE_SIDE,    /* he activated while one side was connected */
    XF_PROXY_BY_DESCRIPTORS, /* none left: accepting pauses for a second */
    XF_PROXY_REFUSALS
};

/* "acl", "address", ... for logs and metrics. Static. */
XF_API const char *xf_proxy_refusal_name(enum xf_proxy_refusal r);

/* Lives until the next call of xf_proxy_next() or xf_proxy_dispatch(). */
struct xf_proxy_event {
    enum xf_proxy_event_type type;

    int code;         /* LOST, OFFLINE: XF_E_ code; OFFLINE by our wish: 0 */
    const char *text; /* LOST, OFFLINE: a sentence; else "" */
    int64_t retry_ms; /* LOST */

    uint64_t id;           /* PAIR, EXCEEDED: of the pair, never used again */
    const char *requester; /* PAIR: full JID of who activated it; else "" */
    const char *target;    /* PAIR: full JID of the other; else "" */
    int fd_a, fd_b;        /* PAIR: who connected first, and second; they are
                              non-blocking, close-on-exec, their SOCKS5 replies
                              sent and not a byte behind it read. Else -1 */
    uint64_t pair_rate;    /* PAIR: 0: no limit */
    uint64_t group;        /* PAIR: the same for all pairs of a bare JID while
                              it has any */
    uint64_t group_rate;   /* PAIR: of all of them together; 0: no limit */

    enum xf_proxy_refusal refusal; /* REFUSED */
    uint64_t count;                /* REFUSED */
    const char *who;               /* REFUSED: JID, or "192.0.2.1", or "" */
};

/* The next event, or NULL. */
XF_API const struct xf_proxy_event *xf_proxy_next(struct xf_proxy *x);

/* --- what became of a pair ---------------------------------------------- */

/*
 * So many bytes more have gone through, both ways together. Not known pairs are
 * not counted. Tell about once a second, and before xf_proxy_ended().
 */
XF_API void xf_proxy_moved(struct xf_proxy *x, uint64_t id, uint64_t bytes);

/* It is over, or could not be taken. To be called once for each PAIR. */
XF_API void xf_proxy_ended(struct xf_proxy *x, uint64_t id);

/* --- numbers ------------------------------------------------------------ */

#define XF_PROXY_LATENCIES 12 /* bounds; there is one more count above them */

/* Since xf_proxy_new(), but for those that are marked "now". */
struct xf_proxy_stats {
    bool online;          /* now */
    bool draining;        /* now */
    uint64_t half_open;   /* now: handshakes under way */
    uint64_t waiting_one; /* now: pairs with one side connected */
    uint64_t waiting_two; /* now: pairs connected and not activated */
    uint64_t active;      /* now: handed over */
    uint64_t accepted;    /* connections, those turned away included */
    uint64_t activated;   /* pairs */
    uint64_t bytes;       /* told by xf_proxy_moved() */
    uint64_t connects;    /* how often the server has taken us */
    uint64_t refused[XF_PROXY_REFUSALS];

    /*
     * From the second connection of a pair to its activation: counts of those
     * of at most xf_proxy_latency_bound(i) ms and above that of i - 1; the
     * last one is of those above all. Their sum in milliseconds.
     */
    uint64_t latency[XF_PROXY_LATENCIES + 1];
    uint64_t latency_sum_ms;
};

XF_API void xf_proxy_stats(const struct xf_proxy *x,
                           struct xf_proxy_stats *out);

/* In milliseconds, rising; 0 when i >= XF_PROXY_LATENCIES. */
XF_API int64_t xf_proxy_latency_bound(size_t i);

#ifdef __cplusplus
}
#endif

#endif
