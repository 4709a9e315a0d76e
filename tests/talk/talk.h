/*
 * Two sessions joined in memory: what one says is fed to the other through a
 * script that may drop, double, delay, cross, alter or inject. Files and
 * direct bytestreams are real, on loopback; what an embedder does for an
 * attached session (discovery, presence) and what servers do is played here.
 */
#ifndef XF_TALK_H
#define XF_TALK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <xferry/xferry.h>

#define ROMEO "romeo@montague.example/orchard"
#define JULIET "juliet@capulet.example/balcony"
#define MALLORY "mallory@evil.example/den"
#define PROXY "proxy.example"

#define TALK_MS 8000 /* a talk that takes longer has failed */
#define TALK_PATH 512
#define TALK_NOTES 512
#define TALK_RULES 16
#define TALK_TRAIL 4096

struct talk;
struct talk_proxy;
struct talk_relay;

/* Romeo offers, Juliet is offered. */
enum talk_who { R, J, TALK_SIDES };

/* A copy of an event. Progress is not kept, but checked. */
struct talk_note {
    enum xf_event_type type;
    enum xf_via via;
    enum xf_attempt attempt;
    enum xf_verified verified;
    bool confirmed;
    int code;
    uint64_t id; /* of the transfer */
    uint64_t done, total, offset;
    uint32_t block_size, rate;
    uint16_t port;
    int64_t at_ms, forecast_ms;
    char name[256], text[512], path[256], host[256];
    char dialect[32], evidence[128];
};

enum talk_do {
    TALK_DROP,
    TALK_DOUBLE,
    TALK_DELAY, /* by `ms`; what comes after it overtakes it */
    TALK_ALTER, /* `with` in place of each `find` */
    TALK_ERROR, /* an error reply, `with` is its <error/>, in their name */
    TALK_CALL,  /* `call`, before it is delivered */
};

/* Applies to the `nth` stanza of `from` with `match` in it; 0: to each. */
struct talk_rule {
    enum talk_who from;
    const char *match;
    unsigned nth;
    enum talk_do what;
    int ms;
    const char *find, *with;
    void (*call)(struct talk *t, const char *xml);
    unsigned seen;
};

struct talk_stanza {
    enum talk_who from;
    bool fed; /* to the other side, and it was taken for ours */
    int64_t at_ms;
    char *xml;
};

struct talk_side {
    const char *jid;
    struct xf_config config;
    struct xf_session *s;
    /* What stands in its answer to disco#info; NULL: xferry's features, "":
     * it does not answer at all. */
    const char *info;
    size_t notes_count;
    struct talk_note notes[TALK_NOTES];
    unsigned offers, ends; /* events so far */
    unsigned progress;
    int fed; /* what its last xf_session_feed() gave */
};

struct talk_on_its_way {
    struct talk_on_its_way *next;
    enum talk_who from;
    int64_t due_ms;
    size_t at; /* of the trail */
    char *xml;
};

struct talk {
    struct talk_side side[TALK_SIDES];
    char dir[TALK_PATH], in[TALK_PATH], out[TALK_PATH];
    int in_fd;    /* Juliet's directory */
    unsigned fds; /* open before it began */
    bool by_hand; /* offers are not accepted by themselves */
    enum xf_exists exists;
    struct xf_transfer *offered; /* of the last OFFER event */
    struct xf_transfer *sent;    /* of the last talk_offer() */
    struct talk_rule rules[TALK_RULES];
    size_t rules_count;
    struct talk_stanza trail[TALK_TRAIL];
    size_t trail_count;
    struct talk_on_its_way *way;
    struct talk_proxy *proxy; /* NULL: there is none */
    struct talk_relay *relay; /* likewise */
    bool parts_stay;          /* at the end, of what may be gone on with */
    /* Sees each event first; may be NULL. */
    void (*on_event)(struct talk *t, enum talk_who who,
                     const struct xf_event *ev);
    void *on_event_ctx;
};

/* A directory of its own, the defaults: no workers, loopback, 2 s for a
 * bytestream. Change t->side[].config before talk_begin(). */
struct talk *talk_new(void);
void talk_begin(struct talk *t); /* both are online */
/* As kill -9 does: nothing is said, what is on its way from it is lost. */
void talk_kill(struct talk *t, enum talk_who who);
void talk_again(struct talk *t, enum talk_who who); /* another one, online */
/* Checks that nothing is left: descriptors, listeners, part files. */
void talk_free(struct talk *t);

/* --- the script ------------------------------------------------------------- */

struct talk_rule *talk_rule(struct talk *t, enum talk_who from,
                            const char *match, unsigned nth, enum talk_do what);
void talk_alter(struct talk *t, enum talk_who from, const char *match,
                unsigned nth, const char *find, const char *with);
/* `error`: the inner part of an error reply in the other side's name. */
void talk_error(struct talk *t, enum talk_who from, const char *match,
                unsigned nth, const char *error);
void talk_call(struct talk *t, enum talk_who from, const char *match,
               unsigned nth, void (*call)(struct talk *t, const char *xml));

/* What one who is not ours says of itself, but can do all that we can. */
extern const char *const talk_stranger;

#define TALK_NOT_FOUND                                                         \
    "<error type='cancel'><item-not-found "                                    \
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"
#define TALK_NOT_ACCEPTABLE                                                    \
    "<error type='cancel'><not-acceptable "                                    \
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

/* --- what happens ------------------------------------------------------------- */

/* A file of `size` bytes that depend on the name; returns its path, static. */
const char *talk_file(struct talk *t, const char *name, size_t size);
/* Romeo offers it to Juliet. */
struct xf_transfer *talk_offer(struct talk *t, const char *path,
                               const struct xf_offer_options *options);
/* The same of a new file, with all defaults. */
struct xf_transfer *talk_offer_new(struct talk *t, const char *name,
                                   size_t size);

/* Feed a stanza to one side, as if it came from the server. */
int talk_feed(struct talk *t, enum talk_who to, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Let it go on until so many transfers have ended on each side; fails the
 * test when that takes longer than TALK_MS. */
void talk_until_over(struct talk *t, unsigned romeos, unsigned juliets);
/* Until `what` was said by `who` for the `nth` time. */
void talk_until_said(struct talk *t, enum talk_who who, const char *what,
                     unsigned nth);
void talk_until_offers(struct talk *t, unsigned n);
void talk_run(struct talk *t, int ms);
int64_t talk_now(void);

/* --- what was seen -------------------------------------------------------------- */

/* The nth (from 1) stanza of `who` with `what` in it, or NULL. */
const struct talk_stanza *talk_said(const struct talk *t, enum talk_who who,
                                    const char *what, unsigned nth);
unsigned talk_count(const struct talk *t, enum talk_who who, const char *what);
/* The nth (from 1) event of that type, or NULL. */
const struct talk_note *talk_note(const struct talk *t, enum talk_who who,
                                  enum xf_event_type type, unsigned nth);
/* The nth attempt by `via` that came to `attempt`, or NULL. */
const struct talk_note *talk_attempt(const struct talk *t, enum talk_who who,
                                     enum xf_via via, enum xf_attempt attempt,
                                     unsigned nth);
/* An attribute of the first tag (or of the first `tag`) of a stanza; static,
 * good for some calls. "" when it is not there. */
const char *talk_attr(const char *xml, const char *tag, const char *name);
const char *talk_sid(const struct talk *t); /* of the last offer */

/* Both ends say that it is well, by `via`, and the file is the same. */
void talk_check_well(const struct talk *t, enum xf_via via, const char *name);
void talk_check_failed(const struct talk *t, enum talk_who who, int code);
/* The file lies at Juliet's and is the one that was offered as `name`. */
void talk_check_same(const struct talk *t, const char *sent,
                     const char *received);
void talk_check_nothing(const struct talk *t); /* no file, no part */
/* No file, but as many parts, each with its journal. */
void talk_check_parts(const struct talk *t, unsigned parts);
void talk_check_no_names(const struct talk *t); /* one part at most */
/* The file was begun so many times, by both where the other left off, and all
 * streams together have brought each byte once. */
void talk_check_once(const struct talk *t, const char *name, unsigned streams);
/* The bytes that Romeo's blocks have brought to Juliet. */
uint64_t talk_in_blocks(const struct talk *t);
unsigned talk_fds(void);

/* --- helpers of the world --------------------------------------------------------- */

/* A listener on 127.0.0.1 that takes no connection: its backlog is full. */
struct talk_hole {
    int fd, fillers[8];
    char address[32]; /* HOST:PORT */
};
void talk_hole_open(struct talk_hole *hole);
void talk_hole_close(struct talk_hole *hole);

/*
 * Stands between Juliet and Romeo's listener: what he tells of is its port. To
 * be made before talk_begin().
 */
enum talk_cut { TALK_END, TALK_RESET, TALK_SILENCE };
void talk_relay_put(struct talk *t);
void talk_relay_free(struct talk_relay *relay);
void talk_relay_step(struct talk_relay *relay);
/* The nth connection (from 1) breaks once it has brought so many bytes. */
void talk_relay_cut(struct talk_relay *relay, unsigned nth, uint64_t at,
                    enum talk_cut how);
uint64_t talk_relay_bytes(const struct talk_relay *relay); /* of files */

/* A SOCKS5 proxy on 127.0.0.1 that answers as PROXY. */
struct talk_proxy *talk_proxy_new(void);
void talk_proxy_free(struct talk_proxy *p);
/* The reply to an iq to it; static. */
const char *talk_proxy_answer(struct talk_proxy *p, const char *xml);
void talk_proxy_step(struct talk_proxy *p);
/* It loses its connections, as when their other ends die. */
void talk_proxy_drop(struct talk_proxy *p);
bool talk_proxy_was_used(const struct talk_proxy *p);
/* Its next stream ends once it has brought so many bytes. */
void talk_proxy_cut(struct talk_proxy *p, uint64_t at);
uint64_t talk_proxy_bytes(const struct talk_proxy *p);

#endif
