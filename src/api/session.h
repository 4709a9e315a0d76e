/*
 * What the files of this floor share: a session and a transfer from inside.
 * Ownership is a tree: session, transfer, then its streams and file. Nothing
 * is counted; who frees a thing also accepts NULL and a half-built one.
 */
#ifndef XF_API_SESSION_H
#define XF_API_SESSION_H

#include <xferry/xferry.h>

#include "api/pool.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/jid.h"
#include "net/link.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/names.h"
#include "proto/backoff.h"
#include "proto/contacts.h"
#include "proto/evidence.h"
#include "proto/iq.h"
#include "proto/limit.h"
#include "proto/login.h"
#include "proto/profile.h"
#include "proto/proxies.h"
#include "proto/receiving.h"
#include "proto/sending.h"
#include "proto/sm.h"
#include "stream/file.h"
#include "stream/intake.h"
#include "stream/stock.h"
#include "wire/iq.h"
#include "wire/xml.h"

#define XF_TRANSFERS_MAX 1024      /* of a session, at once */
#define XF_PENDING_PER_PEER_MAX 8  /* offers of one peer without an answer */
#define XF_OUT_MAX (1024u * 1024u) /* one stanza of ours, while written */
#define XF_STOCK_MAX (64u << 20)   /* buffers of all that is received */
#define XF_SILENCE_MS 60000        /* ping a server that says nothing */
#define XF_PROOF_MS 10000          /* first acknowledgement once resumed */
#define XF_REPLY_MS 30000          /* a server's answer to a simple request */
#define XF_DISCO_MS 5000           /* a contact's answer to disco#info */
#define XF_SUM_RATE 50000          /* bytes whose sum takes a millisecond */
#define XF_ANSWER_MS (30 * 60000)  /* a person's answer to an offer */
#define XF_KNOWN_PEERS_MAX 64      /* whose dialect is remembered */
#define XF_IBB_OPEN_MS 5000        /* a contact's answer to <open/> */

struct xf_bytestream;
struct xf_inbound;
struct xf_inband;
struct xf_mover;
struct xf_peer_block;
struct xf_rating;
struct xf_request;
struct xf_ended;
struct xf_event_node;
struct xf_probing;
struct xf_turn;

/* The configuration, copied. */
struct xf_settings {
    char *account, *password, *server, *ca_file;
    char *proxies[XF_LIST_MAX];
    size_t proxies_count;
    struct {
        char *host;
        uint16_t port; /* 0: the one we listen on */
    } addresses[XF_LIST_MAX];
    size_t addresses_count;
    enum xf_via via[3];
    size_t via_count;
    const struct xf_profile *dialect; /* NULL: as the peer shows itself */
    uint16_t listen_from, listen_to;
    uint32_t block_size;
    uint64_t limit;
    enum xf_stanza stanza;
    int priority, timeout_ms, stall_ms, workers;
    int64_t retry_ms;
    bool plain, send_only, trace;
};

/*
 *   FIRST --online--> ON --lost--> WAITING <--failed, lost--> TRYING --> ON
 *   any --asked for, time is over, or it would end so again--> OVER
 *
 * From ON to ON the session stays online when the stream can be resumed; else
 * it is offline from the moment that is known, and online again with a new one.
 */
enum xf_connection_state {
    XF_CONNECTION_FIRST, /* logging in; one that fails is not tried again */
    XF_CONNECTION_ON,
    XF_CONNECTION_WAITING, /* for the next try: there is no link */
    XF_CONNECTION_TRYING,
    XF_CONNECTION_OVER
};

/* A session's connection of its own; NULL in an attached session. */
struct xf_connection {
    enum xf_connection_state state;
    struct xf_link *link;
    struct xf_xml_reader *reader;
    struct xf_login *login;
    struct xf_sm sm;
    struct xf_backoff backoff;
    struct xf_error_info why; /* lost: how it, or the last try, ended */
    int64_t retry_at;         /* WAITING */
    int64_t prove_by;         /* ON: resumed, and the server has yet to show
                                 that it reads; else INT64_MAX */
    int64_t held_at;          /* away: its clocks stand still from here on */
    bool at_location;         /* this try goes where <enabled/> said */
    bool location_tried;
    bool loopback;   /* it led there when it was last open */
    bool paused;     /* a stream in-band does not keep up with its disk */
    int64_t begun;   /* when this try was made */
    int64_t heard;   /* when the server last said something */
    size_t unsent;   /* bytes that it had not taken at the last ping */
    bool new_stream; /* the reader is to be replaced */
    bool leaving;    /* an orderly end is under way */
    bool staying;    /* ... once a receipt was given */
    int64_t leave_by;
};

/* What a full JID has shown of its program. */
struct xf_known_peer {
    struct xf_known_peer *next;
    struct xf_evidence evidence;
    bool one_block; /* it saw blocks out of order */
    char jid[];
};

/* One event in the queue; strings are its own unless it is a transfer's. */
struct xf_event_node {
    struct xf_event ev;
    struct xf_event_node *next;
    bool queued;
    bool embedded; /* lives in a transfer */
};

struct xf_session {
    struct xf_settings set;
    struct xf_loop *loop;
    struct xf_timer *timer;
    struct xf_names *names;
    struct xf_pool *pool;
    struct xf_connection *con;
    struct xf_iq_table *iqs;
    struct xf_request *requests;
    struct xf_contacts *contacts;
    struct xf_known_peer *peers; /* the newest first */
    struct xf_proxies *proxies;
    struct xf_listener *listener;
    struct xf_inbound *inbound; /* handshakes on our listener */
    unsigned listener_users;
    struct xf_transfer *transfers;
    struct xf_limit limit;
    struct xf_turn *turns, **turns_last; /* who waits for it */
    size_t turns_count;
    struct xf_stock stock;
    uint8_t *block; /* in-band: the one that is read or written just now */
    size_t movers;  /* bytestreams that carry bytes */
    char run[XF_OFFER_KEY_LEN + 1]; /* names this session to others of ours */
    struct xf_ended *ended;         /* of ours, the newest first */
    struct xf_probing *probing;     /* NULL: no probe is under way */
    uint64_t last_id;
    struct xf_event_node *events, **events_last, *current;
    struct xf_event_node offline; /* told without asking for memory */
    struct xf_error_info why_offline;
    char jid[XF_JID_MAX + 1];
    bool online;
    bool roster_known;
    int64_t online_since;
    size_t stanza_limit;                /* bytes, as announced or guessed */
    struct xf_rating *rating;           /* what the server lets through */
    struct xf_peer_block *blocks_taken; /* by contacts who refused larger */
    size_t queued;     /* told by the embedder of an attached session */
    struct xf_buf out; /* the stanza being written */
    struct xf_xml_writer w;
    struct xf_stanza_out *stanzas, **stanzas_last, *taken; /* attached */
    bool loopback; /* attached: the server is on loopback */
    void (*make_id)(char *out, void *ctx); /* a test's ids, else NULL */
    void *make_id_ctx;
};

/* A request that is answered later, after its stanza is gone. */
struct xf_asked {
    struct xf_stanza_head head; /* no element in it */
    char *id, *from, *to;
};

/*
 * What a transfer's streams and clock tell it. One for who offers and one for
 * who is offered a file; streams know neither.
 */
struct xf_role {
    /* A stream carries bytes from here on: `fd`, which is the callee's, or
     * t->ibb and -1. */
    void (*up)(struct xf_transfer *t, int fd);
    /* It could not be made. */
    void (*failed)(struct xf_transfer *t, int code, const char *text);
    /* Nor could this, by t->via, though the peer had named the streamhost that
     * it reached. */
    void (*left)(struct xf_transfer *t, int code, const char *text);
    /* The last byte has left; the stream is not yet at its end. */
    void (*sent)(struct xf_transfer *t);
    /* Every byte has passed and the stream is at its end. */
    void (*moved)(struct xf_transfer *t);
    /* It ended before. */
    void (*broken)(struct xf_transfer *t, int code, const char *text);
    /* The peer is not there any more, or our own connection (`ours`) is lost
     * and begins anew: what needs it is over; what can go on later, waits. */
    void (*away)(struct xf_transfer *t, bool ours, int code, const char *text);
    /* Our connection is back. */
    void (*back)(struct xf_transfer *t);
    /* The end, whatever it is doing; the peer is told where there is a way. */
    void (*stop)(struct xf_transfer *t, int code, const char *text);
    /* Something may be due. */
    void (*tick)(struct xf_transfer *t);
};

struct xf_transfer {
    struct xf_session *s;
    const struct xf_role *role;
    struct xf_transfer *next;
    uint64_t id;
    void *data;
    bool outgoing;
    bool over;       /* its last event is queued */
    bool unanswered; /* sender: the offer is out */
    bool asking;     /* receiver: XF_EVENT_OFFER was told, no answer yet */

    char to[XF_JID_MAX + 1];   /* as given: bare or full */
    char peer[XF_JID_MAX + 1]; /* full, once known */
    char *sid, *name, *desc, *path, *hash;
    struct xf_asked offer, query; /* incoming: to be answered */
    uint64_t size;

    /* going on where it stopped: doc/protocol/xferry.md */
    char key[XF_OFFER_KEY_LEN + 1]; /* through all its offers; "": it has none,
                                       the peer is not one of ours */
    char run[XF_OFFER_KEY_LEN + 1]; /* incoming: of the sender's session */
    char *version;       /* incoming: of the source, as its sender calls it */
    bool range;          /* the offer said that a part may be asked for */
    uint64_t most;       /* such a part is to begin here or before */
    uint64_t base;       /* where this attempt began */
    bool accepted;       /* the first yes was said */
    bool sum_promised;   /* incoming: one will follow the last byte */
    struct xf_asked end; /* incoming: the request that brought it */
    bool has_end_sum;
    uint8_t end_sum[XF_DIGEST_MAX];
    int64_t end_by; /* when it is done without sum or receipt; INT64_MAX: not
                       yet */
    struct xf_source_digest *sum; /* outgoing, SHA-256: see sum.h */
    bool sum_news;                /* ... has come further */
    bool no_sum;                  /* ... is not wanted */
    struct xf_offer_answer yes;   /* outgoing: held while a prefix is checked */
    bool checking;
    uint64_t high;       /* outgoing: as far as bytes have ever left */
    char *trusted;       /* ... to this full JID */
    uint64_t high_then;  /* ... when the last offer was made */
    uint64_t base_then;  /* ... and as far as the contact had them by then */
    bool all_sent;       /* outgoing: no byte is left to be sent */
    bool end_asked;      /* outgoing: the receipt is being asked for */
    unsigned ends_asked; /* ... and so often not answered */
    char end_id[XF_SID_MAX + 1]; /* ... last by this */
    bool unproven;         /* outgoing: all was sent, and who had it was gone
                           before it could say so */
    bool sum_equal;        /* outgoing: the receipt was for the sum we told */
    unsigned offers_since; /* incoming: since a byte last came */
    bool source_changed;   /* incoming: so the sender said */
    bool renamed;   /* outgoing: our JID is another than it was offered by */
    bool told_stop; /* the peer said that it is over, or needs no word */
    int64_t last_moved; /* when a byte last moved, whatever came since */

    struct xf_evidence evidence;      /* of what the peer is */
    const struct xf_profile *profile; /* the row it points to */
    unsigned features;                /* of the peer, XF_FEATURE_ */
    bool one_block;                   /* in-band: no more on their way */
    bool again; /* it broke for that; another try may fare better */
    void (*version_asked)(struct xf_transfer *t);

    struct xf_sending sending;      /* outgoing */
    struct xf_sending_todo offered; /* outgoing: the methods of our offer */
    struct xf_receiving receiving;  /* incoming */
    struct xf_offer_answer answer;  /* incoming: what we say yes with */
    struct xf_sending_todo asked;   /* incoming: the methods to choose from */
    bool asked_multi;               /* ... by a list-multi field */
    bool yes_held;                  /* ... until we know more of the peer */
    const char *say;                /* incoming: while declining, to the peer */

    /* finding out whom and what, see resolve.c */
    int64_t wait_until; /* for the contact; INT64_MAX: for ever */
    int64_t next_look;  /* when to look again */
    bool asking_info;   /* what the peer is, is being asked */
    bool came;          /* ... and its presence came since then */
    enum xf_digest_kind hash_kind;
    struct xf_source_digest *digest;

    struct xf_source *source;
    struct xf_intake *intake;
    struct xf_bytestream *s5b;
    struct xf_inband *ibb;
    struct xf_mover *mover;
    struct {     /* a bytestream that came up while blocks were going */
        bool up; /* `fd` is ours, and takes over */
        int fd;
        enum xf_via via;
        char *host;
        uint16_t port;
    } next_stream;

    enum xf_via via;
    char *host; /* ... through this address or proxy; NULL in-band */
    uint16_t port;
    int64_t open_since;
    uint64_t done;      /* bytes moved */
    int64_t offered_at; /* when it began */
    int64_t moved_at;   /* when a byte last moved; 0: not moving */
    int64_t told_at;    /* when progress was last told */
    bool finishing;     /* incoming: the file is being made whole */
    bool intake_news;   /* a job is done: to be looked at by the tick */
    bool confirmed;     /* outgoing: the peer has it on its disk */

    struct xf_event_node last, progress;
    struct xf_error_info why;
};

/* --- session.c ------------------------------------------------------------ */

int64_t xf_now(const struct xf_session *s);

/* Something may have changed: look after what is due, then set the timer. */
void xf_session_tick(struct xf_session *s);

/* The same, soon, from where it cannot be done at once. */
void xf_session_tick_soon(struct xf_session *s);

/* The connection is over, ours for good. `why->code` 0: orderly. */
void xf_session_offline(struct xf_session *s, const struct xf_error_info *why);

/* The stream is gone and all that went with it; another one may follow. */
void xf_session_away(struct xf_session *s, const struct xf_error_info *why);

/* We are bound and may be offered files; or again, on a new stream. */
void xf_session_online(struct xf_session *s, const char *full_jid);

/* The stream goes on over another connection; nothing is lost. */
void xf_session_resumed(struct xf_session *s);

/* How long a transfer may wait: for a contact that is away; or, while we are
 * away ourselves, for our connection. */
int64_t xf_session_patience(const struct xf_session *s);

/* Nothing reaches anybody just now, though the stream may yet be resumed. */
bool xf_session_is_away(const struct xf_session *s);

/* Our own connection is over: nothing can be begun any more. */
bool xf_session_is_over(const struct xf_session *s);

/* Bytes an attached session's embedder has yet to take. */
size_t xf_session_stanzas_waiting(const struct xf_session *s);

/* A fresh id for a stanza or a stream; false when no random bytes are had. */
bool xf_session_id(struct xf_session *s, char out[XF_SID_MAX + 1]);

bool xf_session_is_loopback(const struct xf_session *s);
bool xf_session_allows(const struct xf_session *s, enum xf_via via);

/* --- events.c ------------------------------------------------------------- */

/* Queue a copy, strings included. False, and lost, without memory. */
bool xf_events_add(struct xf_session *s, const struct xf_event *ev);
bool xf_events_transfer(struct xf_transfer *t, struct xf_event *ev);
void xf_events_progress(struct xf_transfer *t);
/* Never lost: the end of a connection lives in the session. */
void xf_events_offline(struct xf_session *s, const struct xf_error_info *why);
/* Never lost: the last event of a probe lives in it. */
void xf_events_probed(struct xf_session *s, struct xf_event_node *node);
/* Never lost: the last event of a transfer lives in it. */
void xf_events_last(struct xf_transfer *t, const struct xf_event *ev);
void xf_events_attempt(struct xf_transfer *t, enum xf_via via,
                       enum xf_attempt attempt, const char *host, uint16_t port,
                       int64_t elapsed_ms, int code, const char *text);
/* What xf_session_next() gave last is no longer looked at. */
void xf_events_release(struct xf_session *s);
void xf_events_forget(struct xf_transfer *t);
void xf_events_clear(struct xf_session *s);
void xf_events_trace(struct xf_session *s, bool outgoing, const char *stanza);
void xf_events_trace_el(struct xf_session *s, const struct xf_el *el);

/* --- transfer.c ----------------------------------------------------------- */

struct xf_transfer *xf_transfer_new(struct xf_session *s,
                                    const struct xf_role *role, bool outgoing);
void xf_transfer_free(struct xf_transfer *t);
/* The last event, then let go of everything but the struct itself. */
void xf_transfer_end(struct xf_transfer *t, int code, const char *text);
/* Drop whatever stream there is, in whatever state. */
void xf_transfer_drop_streams(struct xf_transfer *t);
/* ... or but the one that was to follow. */
void xf_transfer_drop_next(struct xf_transfer *t);
/* What was the way is to be that one. */
void xf_transfer_keep_way(struct xf_transfer *t);
/* That follows, in place of the blocks; returns its descriptor, the caller's. */
int xf_transfer_take_over(struct xf_transfer *t);
/* The way is open, or has broken: kept and told. `host` NULL: in-band. A
 * bytestream beside blocks is told of when it takes over. */
void xf_transfer_opened(struct xf_transfer *t, enum xf_via via,
                        const char *host, uint16_t port);
void xf_transfer_broke(struct xf_transfer *t, int code, const char *text);
/* `n` bytes have moved in all. */
void xf_transfer_moved(struct xf_transfer *t, uint64_t n);
struct xf_transfer *xf_transfer_find(struct xf_session *s, const char *peer,
                                     const char *sid, bool outgoing);
int64_t xf_transfer_deadline(const struct xf_transfer *t);
void xf_transfer_tick(struct xf_transfer *t);
/* Stop it from whatever state, for this reason. */
void xf_transfer_stop(struct xf_transfer *t, int code, const char *text);

/* The stream it was talked about on is gone; may end it. */
void xf_transfer_away(struct xf_transfer *t, const struct xf_error_info *why);
/* We are online, with a new stream. */
void xf_transfer_back(struct xf_transfer *t);
/* For so long nothing could come by the connection, which will be resumed. */
void xf_transfer_hold(struct xf_transfer *t, int64_t ms);
/* The connection is resumed. */
void xf_transfer_go_on(struct xf_transfer *t);

#endif
