/*
 * xferry: file transfer over XMPP that just works, every time.
 *
 * A session is one account's connection and owns its transfers. It has one
 * descriptor and one timeout, so it lives in any loop:
 *
 *     for (;;) {
 *         struct pollfd p = { xf_session_fd(s), POLLIN, 0 };
 *         poll(&p, 1, xf_session_timeout(s));
 *         xf_session_dispatch(s);
 *         while ((ev = xf_session_next(s)) != NULL)
 *             ...
 *     }
 *
 * News is pulled by xf_session_next(); the library never calls the embedder
 * back. After every other xf_ call ask xf_session_timeout() again before
 * waiting. A session is used from one thread at a time; there may be many.
 *
 * Strings are UTF-8 and NUL-terminated. What a peer said (names, texts, JIDs)
 * is handed on as it came, checked to be UTF-8 and nothing else: escape it
 * before it reaches a terminal. Times are milliseconds, sizes are bytes.
 */
#ifndef XFERRY_XFERRY_H
#define XFERRY_XFERRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xferry/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define XF_API __attribute__((visibility("default")))
#else
#define XF_API
#endif

struct xf_session;
struct xf_transfer;

/* The length of a file whose offer did not say it. */
#define XF_SIZE_UNKNOWN UINT64_MAX

/* Version of the library, "1.2.3". Static. */
XF_API const char *xf_version(void);

/* "E-AUTH" and so on for a code of <xferry/error.h>; "E-?" for others. */
XF_API const char *xf_error_name(int code);

/* A short English sentence for a code, without a full stop. Static. */
XF_API const char *xf_error_text(int code);

/* --- configuration ------------------------------------------------------ */

/* The ways a file's bytes can go. */
enum xf_via {
    XF_VIA_NONE,
    XF_VIA_DIRECT, /* SOCKS5 bytestream to an address of one of the two */
    XF_VIA_PROXY,  /* SOCKS5 bytestream through a proxy */
    XF_VIA_IBB,    /* in-band, through the XMPP servers */
};

enum xf_stanza {
    XF_STANZA_AUTO, /* as the peer's dialect wants it */
    XF_STANZA_IQ,
    XF_STANZA_MESSAGE,
};

#define XF_LIST_MAX 16 /* entries in the lists of struct xf_config */

/*
 * What a session is made of. Fill with xf_config_init(), change what is to
 * differ. Everything is copied by xf_session_new().
 */
struct xf_config {
    const char *account;  /* JID; a resource in it is asked for */
    const char *password; /* wiped from the session's memory when it can be
                             of no more use: after the login when `retry_ms`
                             is 0, else when the session ends */
    const char *server;   /* "host", "host:port", "[::1]:port"; NULL: SRV */
    const char *ca_file;  /* PEM; NULL: the system's trust store */
    bool plain;           /* no TLS; only toward a loopback address */
    bool send_only;       /* take no offers, and do not announce that we do */
    int priority;         /* of our presence; -1: takes nobody's chat away */

    enum xf_via via[3];                 /* allowed, in order; ends at NONE */
    const char *proxies[XF_LIST_MAX];   /* JIDs to use first; ends at NULL */
    const char *addresses[XF_LIST_MAX]; /* HOST[:PORT] to tell, not our own */
    uint16_t listen_from, listen_to;    /* ports to listen on; 0: any */
    const char *dialect;                /* NULL: as the peer shows itself */
    uint32_t block_size;                /* in-band; 0: as measured */
    uint64_t limit; /* bytes a second of all its files, both ways; 0: none */
    enum xf_stanza stanza;
    int timeout_ms;   /* response timeout of a bytestream */
    int stall_ms;     /* no byte moved for this long: end; also how long a
                         contact that is one of ours may be away in between */
    int workers;      /* threads for slow calls; 0: inline */
    int64_t retry_ms; /* a connection that was online and is lost is tried
                         again for so long; 0: not at all; -1: for ever */
    bool trace;       /* XF_EVENT_TRACE for each stanza */
};

/* The defaults: every transport, 15 s, 60 s, two workers, 300 s. */
XF_API void xf_config_init(struct xf_config *config);

/*
 * The name of the known dialect `i`, NULL at the end; `*summary`, unless
 * `summary` is NULL, is a sentence about it. Both are static.
 */
XF_API const char *xf_dialect(size_t i, const char **summary);

#define XF_DIALECT_FACT_MAX 128 /* bytes, NUL included */

/*
 * What dialect `i` changes against the first, "unknown": writes the `j`th of
 * it into `text` as a short English sentence. False: there are not so many.
 */
XF_API bool xf_dialect_fact(size_t i, size_t j, char text[XF_DIALECT_FACT_MAX]);

/* --- session ------------------------------------------------------------ */

/*
 * Make a session and begin to connect. The result is told by XF_EVENT_ONLINE
 * or XF_EVENT_OFFLINE. A first login that fails is not tried again.
 *
 * Returns 0, or
 *   XF_E_USAGE  no account or password, not a JID, unknown dialect, a bad
 *               address or list
 *   XF_E_LIMIT  out of memory or descriptors
 */
XF_API int xf_session_new(struct xf_session **out,
                          const struct xf_config *config);

/* Close everything at once and free it, transfers included; of a file that is
 * being received what can be gone on with stays. NULL is fine. */
XF_API void xf_session_free(struct xf_session *s);

/*
 * Leave in good order: what is queued is sent and acknowledged, the stream is
 * closed, then XF_EVENT_OFFLINE is told with code 0, unless it was told
 * before. Transfers that still run fail with XF_E_CANCELLED. Who received a file
 * whose sender has yet to hear that it is safe stays for that, 30 s at most. Of
 * an attached session take the last stanzas before you close your stream.
 */
XF_API void xf_session_close(struct xf_session *s);

/* Readable when there is something to dispatch. Owned by the session. */
XF_API int xf_session_fd(const struct xf_session *s);

/* Milliseconds until dispatch is due, 0 for now, -1 for never. */
XF_API int xf_session_timeout(const struct xf_session *s);

/*
 * Do what is due; never waits.
 *
 * Returns 0, or XF_E_INTERNAL when the loop itself failed.
 */
XF_API int xf_session_dispatch(struct xf_session *s);

/* Our own JID: full once online, else as configured. Owned by the session. */
XF_API const char *xf_session_jid(const struct xf_session *s);

/* --- events ------------------------------------------------------------- */

enum xf_event_type {
    XF_EVENT_ONLINE,   /* logged in and ready to be offered files; told again
                          after each LOST that was made good */
    XF_EVENT_LOST,     /* the session's own connection is lost and is tried
                          again; code and text say why. ONLINE or OFFLINE
                          follows */
    XF_EVENT_OFFLINE,  /* the connection is over, a session's own for good;
                          code says why. A transfer whose bytes go directly
                          or by proxy goes on to its own end. */
    XF_EVENT_OFFER,    /* a contact offers a file; accept or decline it */
    XF_EVENT_OFFERED,  /* our offer is on its way to `peer` */
    XF_EVENT_ACCEPTED, /* our offer was accepted */
    XF_EVENT_RESUMED,  /* it begins at `offset`, behind what an earlier transfer
                          has brought; or, with a code, it could have and does
                          not: text says why */
    XF_EVENT_ATTEMPT,  /* one way of moving the bytes: see enum xf_attempt */
    XF_EVENT_PROGRESS, /* bytes have moved; at most ten a second */
    XF_EVENT_DONE,     /* the transfer is over and well */
    XF_EVENT_FAILED,   /* the transfer is over; code and text say why. Told
                          also of an offer so bad that no OFFER was told */
    XF_EVENT_TRACE,    /* a stanza went by (only when asked for) */
    XF_EVENT_PROBE,    /* a finding of xf_probe(): see enum xf_probe_item */
};

enum xf_attempt {
    XF_ATTEMPT_TRYING, /* begun */
    XF_ATTEMPT_FAILED, /* given up, or broken after it was open; code and text
                          say why, `offset` how far it came */
    XF_ATTEMPT_OPEN,   /* the bytes go this way from here on */
};

enum xf_verified {
    XF_NOT_VERIFIED, /* no hash to compare with */
    XF_VERIFIED,     /* compared, equal */
    XF_MISMATCH,     /* compared, different */
};

/*
 * What a finding is about. In brackets: the fields of the event that say it,
 * beside those of struct xf_probe.
 */
enum xf_probe_item {
    XF_PROBE_SERVER,   /* our server and our connection to it */
    XF_PROBE_RESOURCE, /* a program of the contact that is online */
    XF_PROBE_DIALECT,  /* of the one an offer goes to [dialect, evidence] */
    XF_PROBE_ADDRESS,  /* of ours, an offer tells it [host; port, 0: a free
                          one each time; or code and text: there is none] */
    XF_PROBE_PROXY,    /* one address of a proxy, tried [host, port; text: what
                          is wrong; elapsed_ms: until it answered] */
    XF_PROBE_RATE,     /* what our server lets through [elapsed_ms: of a
                          ping; text: why it is not known] */
    XF_PROBE_WAY,      /* what a transfer tries, in this order [via, host, port,
                          block_size] */
    XF_PROBE_END,      /* the last [code, text: why a transfer cannot work;
                          elapsed_ms] */
};

enum xf_truth { XF_NOT_KNOWN, XF_NO, XF_YES };

/* Fields that do not apply to an item are 0 or NULL. */
struct xf_probe {
    enum xf_probe_item item;
    const char *jid;       /* SERVER: its domain; RESOURCE, DIALECT: full;
                              PROXY: its own */
    const char *software;  /* SERVER, RESOURCE: as it calls itself, or NULL */
    const char *tls;       /* SERVER: "TLSv1.3"; NULL: none, or not ours */
    const char *mechanism; /* SERVER: of the login; NULL: not ours */
    bool acks;             /* SERVER: acknowledges stanzas (XEP-0198) */
    size_t stanza_limit;   /* SERVER: bytes; 0: not announced */
    bool online;           /* RESOURCE: seen, with its priority */
    int priority;          /* RESOURCE */
    bool answers;          /* RESOURCE: says what it can do; PROXY: is there;
                              RATE: was measured */
    bool files, socks5, in_band; /* RESOURCE: what it says it can do */
    bool chosen;                 /* RESOURCE: an offer goes to it */
    bool told;                   /* PROXY: an offer names it */
    enum xf_truth relays;        /* PROXY: our own bytes came out of it */
    int64_t relay_ms;            /* PROXY: there and back */
    uint64_t rate;   /* RATE: bytes a second, 0: no limit noticed; WAY in-band:
                      of the file, 0: not known or not limited */
    unsigned number; /* WAY: from 1 */
    bool second_offer; /* WAY: by another offer, this way only */
};

/*
 * Something that happened. Lives, with all it points to, until the next call
 * of xf_session_next(), xf_session_dispatch() or xf_session_free(). Fields
 * that do not apply are 0 or NULL.
 */
struct xf_event {
    enum xf_event_type type;
    struct xf_transfer *transfer; /* NULL for ONLINE, LOST, OFFLINE, TRACE */
    const char *peer;             /* the contact's JID; of a transfer that goes
                                     on it may become another resource */
    const char *name;             /* the file's name as offered */
    const char *desc;             /* the offer's own words, or NULL */
    const char *path;             /* DONE of a file we received: the name
                                     it got in dir_fd */
    uint64_t done;                /* bytes moved so far; may go back where a
                                     new attempt begins */
    uint64_t total;               /* bytes offered, or XF_SIZE_UNKNOWN */
    enum xf_via via;
    enum xf_attempt attempt;
    const char *host;    /* ATTEMPT: address, or the proxy's JID */
    uint16_t port;       /* ATTEMPT: 0 where there is none */
    uint32_t block_size; /* ATTEMPT by XF_VIA_IBB: bytes */
    uint64_t offset;     /* ATTEMPT: the first byte that goes this way;
                            RESUMED: where it begins */
    uint32_t rate;       /* ATTEMPT by XF_VIA_IBB, when sending: the server
                            lets so many of the file's bytes a second through;
                            0: no limit is known */
    int64_t forecast_ms; /* ... and so long it will take; 0: not known */
    int64_t elapsed_ms;  /* ATTEMPT failed: how long it was tried;
                                DONE, FAILED: since the offer */
    int code;            /* XF_E_ code; 0 when all is well */
    const char *text;    /* the code in words, made for this case */
    enum xf_verified verified;
    bool resumed;   /* ONLINE: the stream from before LOST goes on and nothing
                       is lost; false: a new stream, and what was not on a
                       bytestream of its own goes on by another offer */
    bool confirmed; /* DONE at a sender: the peer has the file on its disk */
    bool outgoing;  /* TRACE: from us; else to us. Others: we send the file */
    const char *stanza; /* TRACE: the stanza as it stood on the wire */
    const char
        *dialect; /* PROBE; OFFER, OFFERED, ACCEPTED, DONE, FAILED: how the
                            contact's program speaks, a name of xf_dialect();
                            NULL while that is not known */
    const char *evidence; /* ... and what that was taken from, like "caps node
                             http://pidgin.im/" or "two values in the answer";
                             NULL: from nothing, so "unknown" */
    const struct xf_probe *probe; /* PROBE */
};

/* The next event, or NULL when there is none. */
XF_API const struct xf_event *xf_session_next(struct xf_session *s);

/* --- transfers ---------------------------------------------------------- */

/* How a file is offered. All zero is a good answer. */
struct xf_offer_options {
    const char *name; /* what the contact sees; NULL: last part of path */
    const char *desc; /* a sentence for the contact, or NULL */
    const char *hash; /* NULL, "sha-256": compared between two of ours; "md5":
                         one is told in the offer, too; "none": neither */
    int64_t wait_ms;  /* wait this long for the contact to come online;
                            -1: for ever */
};

/*
 * Offer a file to a contact.
 *
 * `to` is a full or a bare JID; for a bare one the best resource that can take
 * files is chosen, now or when one appears within `wait_ms`. `path` is opened
 * before this returns. May be called before the session is online.
 *
 * On success *out, unless `out` is NULL, is the new transfer. It belongs to the session and is
 * valid until its XF_EVENT_DONE or XF_EVENT_FAILED has been followed by
 * another call of xf_session_next() or xf_session_dispatch().
 *
 * Returns 0, or
 *   XF_E_USAGE  `to` is not a JID, `path` is not a regular file, the name is
 *               not one path component or `hash` is not known
 *   XF_E_IO     `path` cannot be opened or read
 *   XF_E_PERM   `path` may not be read
 *   XF_E_STREAM the session's own connection is over
 *   XF_E_LIMIT  out of memory or descriptors
 * and nothing was offered.
 */
XF_API int xf_offer_file(struct xf_session *s, const char *to, const char *path,
                         const struct xf_offer_options *options,
                         struct xf_transfer **out);

/* What to do when a file of that name is there already. */
enum xf_exists {
    XF_EXISTS_RENAME,    /* "name (1).ext" and so on, at most 999 tries */
    XF_EXISTS_REFUSE,    /* XF_E_EXISTS, and the offer is declined */
    XF_EXISTS_OVERWRITE, /* replaced, whole, at the very end */
};

/*
 * Take an offered file into the directory `dir_fd`, which is duplicated here
 * and held until the end: a later change of its path changes nothing.
 *
 * Returns 0, or
 *   XF_E_USAGE   not an offer that waits for an answer
 *   XF_E_EXISTS  the name is taken and `exists` is REFUSE; declined
 *   XF_E_NOSPC   less space is left than the file needs; declined
 *   XF_E_IO, XF_E_PERM, XF_E_LIMIT  the part file cannot be made; declined
 * After any error but XF_E_USAGE an XF_EVENT_FAILED with that code follows.
 */
XF_API int xf_transfer_accept(struct xf_transfer *t, int dir_fd,
                              enum xf_exists exists);

/*
 * Decline an offered file. `code` is told by the XF_EVENT_FAILED that
 * follows: XF_E_DECLINED for a person's no, XF_E_POLICY, XF_E_SIZE, ...; with
 * XF_E_NOPEER the contact is told that nobody is here, and may wait.
 * `text` goes to the contact and may be NULL.
 *
 * Returns 0, or XF_E_USAGE when this is not an offer that waits or `text` is
 * not text.
 */
XF_API int xf_transfer_decline(struct xf_transfer *t, int code,
                               const char *text);

/* Stop a transfer; the peer is told. XF_EVENT_FAILED follows, or XF_EVENT_DONE
 * when that was so already. */
XF_API void xf_transfer_cancel(struct xf_transfer *t);

/* A number that names the transfer within its session; never 0. */
XF_API uint64_t xf_transfer_id(const struct xf_transfer *t);

/* For the embedder's own use; NULL until set. */
XF_API void xf_transfer_set_data(struct xf_transfer *t, void *data);
XF_API void *xf_transfer_data(const struct xf_transfer *t);

/* --- probing ------------------------------------------------------------ */

/*
 * Find out, without offering a file, what an offer to this contact would meet:
 * told item by item as XF_EVENT_PROBE, `peer` is `to`. The contact is asked
 * what it can do, our server how it is, and each proxy is tried by two
 * connections of our own; nothing else leaves, and no address of ours is told
 * to the contact. The session's settings (via, proxies, addresses, dialect)
 * count as for an offer. Takes 15 seconds at most once the session is online,
 * and `wait_ms`, as of an offer, before.
 *
 * XF_PROBE_END comes once and last. Its code is 0 when a transfer could work,
 * else the one it would end with.
 *
 * Returns 0, or
 *   XF_E_USAGE  `to` is not a JID
 *   XF_E_BUSY   another probe of this session has not ended
 *   XF_E_STREAM the session's own connection is over
 *   XF_E_LIMIT  out of memory
 */
XF_API int xf_probe(struct xf_session *s, const char *to, int64_t wait_ms);

/* --- unfinished parts ---------------------------------------------------- */

/*
 * A file that is received lies in its directory as a part, `.xf-<16 hex>.part`,
 * with a journal beside it, until it is whole. What an ended program has left
 * is gone on with when the same file is offered again; these calls list it,
 * and remove what nobody wants any more. They need no session.
 */
struct xf_parts;

struct xf_part {
    const char *file;   /* in the directory: the part, or, when there is none,
                         the journal alone */
    const char *peer;   /* bare JID of who sent it; NULL: not known what of */
    const char *name;   /* of the file, as it was offered; or NULL */
    const char *done;   /* the name it has got: whole, only its journal is left;
                         else NULL */
    uint64_t size;      /* as offered, or XF_SIZE_UNKNOWN */
    uint64_t have;      /* bytes that are there */
    uint64_t durable;   /* of these, noted as safe from a loss of power */
    int64_t changed_at; /* seconds since 1970; 0: not known */
    bool busy;          /* a running program works with it */
    bool readable;      /* its journal says what it is of */
};

/*
 * List the parts in the directory `dir_fd`, which is duplicated here.
 *
 * Returns 0, or
 *   XF_E_IO, XF_E_PERM  the directory cannot be read
 *   XF_E_LIMIT          out of memory or descriptors
 */
XF_API int xf_parts_open(struct xf_parts **out, int dir_fd);

/*
 * The next one, in no order; NULL at the end. It lives until the next call of
 * this function or of xf_parts_close(). Looking at a part takes hold of it for
 * a moment: a transfer that begins just then does not go on with it.
 */
XF_API const struct xf_part *xf_parts_next(struct xf_parts *parts);

/*
 * Remove the part that xf_parts_next() told last, and its journal; never a file
 * that has got its name.
 *
 * Returns 0, also when it has gone meanwhile, or
 *   XF_E_BUSY           a running program works with it
 *   XF_E_PERM, XF_E_IO  it cannot be removed
 */
XF_API int xf_parts_remove(struct xf_parts *parts);

XF_API void xf_parts_close(struct xf_parts *parts); /* NULL is fine */

/* --- bring your own connection ------------------------------------------ */

/*
 * A session on an XMPP connection that somebody else keeps. Stanzas go out by
 * xf_session_next_stanza() and come in by xf_session_feed(). The rest is as
 * above, but that files are offered to full JIDs only: which resources a
 * contact has is the embedder's knowledge.
 *
 * Of `config`, `password`, `ca_file`, `plain` and `priority` are not used.
 * `account`, which may be NULL, says whose server is asked for proxies;
 * `server` where the connection leads: only to a server on a loopback address
 * are our own loopback addresses of use.
 *
 * Returns as xf_session_new().
 */
XF_API int xf_session_new_attached(struct xf_session **out,
                                   const struct xf_config *config);

/*
 * The features (disco#info `var`) that the embedder must announce for the
 * peers to find us; entry `i`, NULL at the end. Static.
 */
XF_API const char *xf_feature(size_t i);

/*
 * The connection is bound as `full_jid`, and XF_EVENT_ONLINE is told. Or, with
 * NULL, it is lost or could not be made: stanzas not yet taken are dropped,
 * XF_EVENT_OFFLINE is told. It may be bound again later, and what was not yet
 * offered, or is between two xferrys, goes on then; other transfers that need
 * it fail with XF_E_STREAM.
 *
 * A stream that your library resumes (XEP-0198) is not lost: call this neither
 * when its connection breaks nor when it is back, take the stanzas as ever and
 * send them, once each, in their order, when it is. Only when the resumption
 * fails call it with NULL, and once you are bound with the JID.
 *
 * Returns 0, or XF_E_USAGE for what is not a full JID.
 */
XF_API int xf_session_attach(struct xf_session *s, const char *full_jid);

/*
 * Hand in one received stanza, whole, as UTF-8 XML in the namespace
 * jabber:client: every iq and message, and presence, which tells that a
 * contact has gone.
 *
 * Returns 1 when it was ours and is dealt with, 0 when it is for others, or
 * -XF_E_PROTO when it is not well-formed or larger than 512 KiB; the session
 * is as before then. A request that is not ours (an iq of type get or set) is
 * the embedder's to answer, disco#info with xf_feature() among them.
 */
XF_API int xf_session_feed(struct xf_session *s, const char *xml, size_t len);

/*
 * The next stanza to send, or NULL. `*len` is its length in bytes. It is ours
 * until the next call of this function.
 *
 * Take all after each dispatch and each feed: until then xf_session_timeout()
 * is 0. What cannot leave at once is the embedder's to queue.
 */
XF_API const char *xf_session_next_stanza(struct xf_session *s, size_t *len);

/* How many bytes the embedder's connection still has queued; paces us. */
XF_API void xf_session_set_queued(struct xf_session *s, size_t bytes);

/* The largest stanza its server takes (XEP-0478), in bytes; 0: unknown. */
XF_API void xf_session_set_stanza_limit(struct xf_session *s, size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
