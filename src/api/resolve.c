/* Whom, what, and with whose help; see the header. */
#include "api/resolve.h"

#include <stdio.h>
#include <string.h>

#include "api/peer.h"
#include "api/receiving.h"
#include "api/sending.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/disco.h"
#include "wire/s5b.h"

#define SETTLE_MS 3000 /* for presence to arrive once we are online */
/* Unanswered offers to one contact: fewer than one of ours takes. */
#define OFFERS_OUT_MAX (XF_PENDING_PER_PEER_MAX - 2)
#define RETRY_MS 5000 /* a full JID that is waited for is asked again */

/* A question under way, to a resource or a service. */
struct question {
    struct xf_session *s;
    enum xf_proxy_ask kind;
    char jid[];
};

static struct question *question_new(struct xf_session *s, const char *jid)
{
    size_t len = strlen(jid) + 1;
    struct question *q = xf_sys_alloc(sizeof *q + len);

    if (q) {
        q->s = s;
        memcpy(q->jid, jid, len);
    }
    return q;
}

/* --- what a resource can do --------------------------------------------------- */

static void info_came(void *ctx, const struct xf_stanza_head *reply,
                      const struct xf_stanza_error *error)
{
    struct question *q = ctx;
    struct xf_session *s = q->s;
    struct xf_disco_info info;

    if (!error && xf_disco_read_info(reply->el, &info))
        xf_contacts_answered(s->contacts, q->jid, info.features, info.name);
    else
        xf_contacts_unanswered(s->contacts, q->jid);
    xf_sys_free(q);
    xf_resolve_all(s);
}

static void ask(struct xf_session *s, const char *full_jid)
{
    struct question *q = question_new(s, full_jid);
    char id[XF_SID_MAX + 1];

    xf_contacts_asked(s->contacts, full_jid);
    if (q) {
        xf_disco_write_info_get(xf_stanza_begin(s, id), id, q->jid, s->jid,
                                NULL);
        if (xf_stanza_request(s, id, q->jid, xf_now(s) + XF_DISCO_MS, false,
                              info_came, q) == 0)
            return;
        xf_sys_free(q);
    }
    xf_contacts_unanswered(s->contacts, full_jid);
}

void xf_resolve_ask(struct xf_session *s, const char *full_jid)
{
    ask(s, full_jid);
}

/* The answer to disco#info of the transfer's peer. */
static void info_shown(struct xf_transfer *t, const struct xf_disco_info *info)
{
    struct xf_fact fact = { .kind = XF_FACT_IDENTITY,
                            .text = info->name,
                            .features = info->features };

    xf_peer_shown(t, &fact);
}

/* --- whom --------------------------------------------------------------------- */

/* All is asked; the resource may have gone away meanwhile. */
static void well_known(struct xf_transfer *t)
{
    t->asking_info = false;
    if (!xf_jid_is_full(t->to) &&
        !xf_contacts_online(t->s->contacts, t->peer)) {
        t->peer[0] = '\0';
        t->next_look = xf_now(t->s);
        return;
    }
    xf_sending_resolved(t);
}

static void look_closer(struct xf_transfer *t)
{
    t->asking_info = true;
    if (!xf_peer_ask_version(t, well_known))
        well_known(t);
}

static void found(struct xf_transfer *t, const char *full_jid)
{
    snprintf(t->peer, sizeof t->peer, "%s", full_jid);
    xf_peer_begin(t);
    look_closer(t);
}

/* `what` stands behind the contact's JID. */
static void no_contact(struct xf_transfer *t, int code, const char *what)
{
    struct xf_error_info why;

    if (t->accepted)
        xf_err_set(&why, XF_E_GONE, "%s went away at byte %llu", t->to,
                   (unsigned long long)t->high);
    else
        xf_err_set(&why, code, "%s %s", t->to, what);
    xf_transfer_stop(t, why.code, why.text);
}

const char *xf_resolve_reason(enum xf_choice_kind kind)
{
    switch (kind) {
    case XF_CHOICE_FOUND:
    case XF_CHOICE_ASK:
    case XF_CHOICE_WAIT:
        break;
    case XF_CHOICE_UNABLE:
        return "is online, but no program there takes files";
    case XF_CHOICE_OFFLINE:
        return "is not online";
    case XF_CHOICE_NOT_SUBSCRIBED:
        return "does not share its presence with this account: add it "
               "to your contacts, or give the full JID (name@host/"
               "resource)";
    }
    return NULL;
}

int64_t xf_resolve_patience(const struct xf_session *s, int64_t wait_until)
{
    int64_t settled = s->online_since + SETTLE_MS;

    return wait_until > settled ? wait_until : settled;
}

/* Nobody there who could take it: is there time left? */
static void wait_for(struct xf_transfer *t, enum xf_choice_kind kind)
{
    int64_t until = xf_resolve_patience(t->s, t->wait_until);

    if (xf_now(t->s) >= until)
        no_contact(t, XF_E_NOPEER, xf_resolve_reason(kind));
    else
        t->next_look = until;
}

static void look_for_bare(struct xf_transfer *t)
{
    struct xf_session *s = t->s;
    struct xf_choice choice;

    xf_contacts_choose(s->contacts, t->to, &choice);
    switch (choice.kind) {
    case XF_CHOICE_FOUND:
        found(t, choice.jids[0]);
        return;
    case XF_CHOICE_ASK: {
        char jid[XF_JID_MAX + 1];

        /* One at a time: asking changes the table the list points into. */
        snprintf(jid, sizeof jid, "%s", choice.jids[0]);
        ask(s, jid);
        t->next_look = xf_now(s);
        return;
    }
    case XF_CHOICE_WAIT:
        return;
    case XF_CHOICE_UNABLE:
    case XF_CHOICE_OFFLINE:
        wait_for(t, choice.kind);
        return;
    case XF_CHOICE_NOT_SUBSCRIBED:
        no_contact(t, XF_E_NOPEER, xf_resolve_reason(choice.kind));
        return;
    }
}

/* --- a full JID ---------------------------------------------------------------- */

bool xf_resolve_is_away(enum xf_condition condition)
{
    return condition == XF_COND_SERVICE_UNAVAILABLE ||
           condition == XF_COND_RECIPIENT_UNAVAILABLE ||
           condition == XF_COND_ITEM_NOT_FOUND || condition == XF_COND_GONE;
}

/* A server may have held the question for a program that was killed: another
 * has come since, or it is known already that it can go on. */
static bool may_answer(struct xf_transfer *t)
{
    bool came = t->came;

    t->came = false;
    return came || (t->accepted && t->key[0] && xf_now(t->s) < t->wait_until);
}

/*
 * A server that knows no such resource answers like a program that knows no
 * discovery. Without time to wait the offer itself will tell them apart.
 */
static void full_info_came(void *ctx, const struct xf_stanza_head *reply,
                           const struct xf_stanza_error *error)
{
    struct xf_transfer *t = ctx;
    struct xf_session *s = t->s;
    struct xf_disco_info info = { 0 };

    t->asking_info = false;
    if (error && xf_now(s) < t->wait_until &&
        xf_resolve_is_away(error->condition)) {
        t->next_look = xf_now(s) + RETRY_MS;
        return;
    }
    if (error && error->condition == XF_COND_TIMEOUT && may_answer(t)) {
        t->next_look = xf_now(s);
        return;
    }
    if (error && (error->condition == XF_COND_REMOTE_SERVER_NOT_FOUND ||
                  error->condition == XF_COND_REMOTE_SERVER_TIMEOUT)) {
        no_contact(t, XF_E_NOPEER,
                   "cannot be reached: its server does not answer");
        return;
    }
    snprintf(t->peer, sizeof t->peer, "%s", t->to);
    xf_peer_begin(t);
    if (!error && xf_disco_read_info(reply->el, &info))
        info_shown(t, &info);
    look_closer(t);
}

static void look_for_full(struct xf_transfer *t)
{
    struct xf_session *s = t->s;
    char id[XF_SID_MAX + 1];
    const char *name;

    /* Its presence has told; but who is looked for again may be another. */
    if (!t->offered_at &&
        xf_contacts_features(s->contacts, t->to, &name) & XF_FEATURE_KNOWN) {
        found(t, t->to);
        return;
    }
    t->asking_info = true;
    t->came = false;
    xf_disco_write_info_get(xf_stanza_begin(s, id), id, t->to, s->jid, NULL);
    if (xf_stanza_request(s, id, t->to, xf_now(s) + XF_DISCO_MS, false,
                          full_info_came, t) != 0)
        no_contact(t, XF_E_STREAM, "cannot be asked: no connection");
}

static bool is_asked(const struct xf_transfer *t, const char *full_jid)
{
    return !t->over && t->outgoing && t->asking_info &&
           t->sending.state == XF_SENDING_RESOLVING &&
           strcmp(t->to, full_jid) == 0;
}

static void ask_anew(struct xf_transfer *t)
{
    xf_requests_drop(t->s, t);
    t->asking_info = false;
}

void xf_resolve_gone(struct xf_session *s, const char *full_jid)
{
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        if (is_asked(t, full_jid))
            ask_anew(t);
}

/* What one that is looked for again was asked may have gone down with the
 * program before it: Prosody drops what reaches a session that is replaced. */
void xf_resolve_came(struct xf_session *s, const char *full_jid)
{
    for (struct xf_transfer *t = s->transfers; t; t = t->next) {
        if (!is_asked(t, full_jid))
            continue;
        t->came = true;
        if (t->offered_at)
            ask_anew(t);
    }
}

void xf_resolve_contact(struct xf_transfer *t)
{
    if (!t->s->online || t->asking_info)
        return;
    if (xf_jid_is_full(t->to))
        look_for_full(t);
    else if (!t->s->con)
        no_contact(t, XF_E_USAGE,
                   "is no full JID (name@host/resource), as a borrowed "
                   "connection needs");
    else if (t->s->roster_known)
        look_for_bare(t);
}

static void look_again(struct xf_session *s, enum xf_sending_state state)
{
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        if (t->outgoing && !t->over && t->sending.state == state)
            t->next_look = 0;
    xf_session_tick_soon(s);
}

void xf_resolve_all(struct xf_session *s)
{
    look_again(s, XF_SENDING_RESOLVING);
}

/* --- who offers to us --------------------------------------------------------- */

static void peer_known(struct xf_transfer *t)
{
    t->asking_info = false;
    xf_receiving_known(t);
}

static void peer_closer(struct xf_transfer *t)
{
    if (!xf_peer_ask_version(t, peer_known))
        peer_known(t);
}

static void peer_info_came(void *ctx, const struct xf_stanza_head *reply,
                           const struct xf_stanza_error *error)
{
    struct xf_transfer *t = ctx;
    struct xf_disco_info info;

    if (!error && xf_disco_read_info(reply->el, &info))
        info_shown(t, &info);
    peer_closer(t);
}

void xf_resolve_peer(struct xf_transfer *t)
{
    struct xf_session *s = t->s;
    char id[XF_SID_MAX + 1];

    if (s->set.dialect)
        return;
    t->asking_info = true;
    if (t->features & XF_FEATURE_KNOWN) {
        peer_closer(t);
        return;
    }
    xf_disco_write_info_get(xf_stanza_begin(s, id), id, t->peer, s->jid, NULL);
    if (xf_stanza_request(s, id, t->peer, xf_now(s) + XF_DISCO_MS, false,
                          peer_info_came, t) != 0)
        peer_known(t);
}

/* --- proxies -------------------------------------------------------------------- */

/* None to be had is no reason not to go on. */
static uint64_t chance(void)
{
    uint64_t random = 0;

    (void)xf_sys_random(&random, sizeof random);
    return random;
}

static void proxy_answered(void *ctx, const struct xf_stanza_head *reply,
                           const struct xf_stanza_error *error)
{
    struct question *q = ctx;
    struct xf_session *s = q->s;
    const char *items[XF_DISCO_ITEMS_MAX];
    struct xf_streamhost hosts[XF_PROXIES_MAX];
    struct xf_disco_info info;

    if (error)
        xf_proxies_failed(s->proxies, q->kind, q->jid);
    else if (q->kind == XF_PROXY_ASK_ITEMS)
        xf_proxies_items(s->proxies, items,
                         xf_disco_read_items(reply->el, items), chance());
    else if (q->kind == XF_PROXY_ASK_INFO)
        xf_proxies_info(s->proxies, q->jid,
                        xf_disco_read_info(reply->el, &info) && info.is_proxy);
    else
        xf_proxies_address(
            s->proxies, q->jid, hosts,
            xf_s5b_read_address(reply->el, hosts, XF_PROXIES_MAX));
    xf_sys_free(q);
    xf_resolve_proxies(s);
    look_again(s, XF_SENDING_PREPARING);
}

static void ask_service(struct xf_session *s,
                        const struct xf_proxy_question *question)
{
    struct question *q = question_new(s, question->jid);
    char id[XF_SID_MAX + 1];
    struct xf_xml_writer *w = xf_stanza_begin(s, id);

    if (!q)
        return;
    q->kind = question->kind;
    if (q->kind == XF_PROXY_ASK_ITEMS)
        xf_disco_write_items_get(w, id, q->jid, s->jid);
    else if (q->kind == XF_PROXY_ASK_INFO)
        xf_disco_write_info_get(w, id, q->jid, s->jid, NULL);
    else
        xf_s5b_write_address_get(w, id, q->jid, s->jid);
    if (xf_stanza_request(s, id, q->jid, xf_now(s) + XF_REPLY_MS, false,
                          proxy_answered, q) != 0) {
        xf_proxies_failed(s->proxies, q->kind, q->jid);
        xf_sys_free(q);
    }
}

void xf_resolve_proxies(struct xf_session *s)
{
    struct xf_proxy_question question;

    while (s->online && xf_proxies_next(s->proxies, &question))
        ask_service(s, &question);
}

/* --- preparing ------------------------------------------------------------------ */

static void hash_ready(void *ctx)
{
    struct xf_transfer *t = ctx;

    t->next_look = 0;
    xf_session_tick_soon(t->s);
}

static int start_hash(struct xf_transfer *t)
{
    int err;

    if (t->hash_kind == XF_DIGEST_NONE || t->hash || t->digest)
        return 0;
    err = xf_source_digest_new(&t->digest, t->source, t->hash_kind,
                               xf_pool_jobs(t->s->pool), hash_ready, t);
    if (err == 0)
        xf_source_digest_start(t->digest);
    return err;
}

void xf_resolve_prepare(struct xf_transfer *t)
{
    struct xf_session *s = t->s;
    int err = start_hash(t);

    if (err != 0) {
        xf_transfer_stop(t, err, NULL);
        return;
    }
    if (xf_session_allows(s, XF_VIA_PROXY)) {
        xf_proxies_prepare(s->proxies, xf_now(s));
        xf_resolve_proxies(s);
    }
    xf_resolve_prepared(t);
}

static unsigned offers_out(const struct xf_session *s, const char *peer)
{
    unsigned n = 0;

    for (const struct xf_transfer *t = s->transfers; t; t = t->next)
        n += !t->over && t->unanswered && xf_jid_same_bare(t->peer, peer);
    return n;
}

void xf_resolve_prepared(struct xf_transfer *t)
{
    struct xf_session *s = t->s;
    const struct xf_error_info *why;

    if (t->digest && (why = xf_source_digest_error(t->digest)) != NULL) {
        xf_transfer_stop(t, why->code, why->text);
        return;
    }
    if (t->digest && !xf_source_digest_hex(t->digest))
        return;
    if (xf_session_allows(s, XF_VIA_PROXY) &&
        !xf_proxies_ready(s->proxies, xf_now(s))) {
        t->next_look = xf_proxies_deadline(s->proxies, xf_now(s));
        return;
    }
    if (t->digest && !t->hash) {
        t->hash = xf_sys_strdup(xf_source_digest_hex(t->digest));
        if (!t->hash) {
            xf_transfer_stop(t, XF_E_LIMIT, NULL);
            return;
        }
    }
    if (offers_out(s, t->peer) < OFFERS_OUT_MAX)
        xf_sending_prepared(t);
}

void xf_resolve_next(struct xf_session *s)
{
    look_again(s, XF_SENDING_PREPARING);
}
