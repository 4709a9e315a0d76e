/* Whom an offer would go to: the contact's programs, and one of them. */
#include "api/probe_inside.h"

#include <stdio.h>
#include <string.h>

#include "api/peer.h"
#include "api/resolve.h"
#include "api/stanzas.h"
#include "wire/disco.h"

#define RETRY_MS 5000 /* a full JID that is waited for is asked again */

static const char *evidence(const struct xf_probing *p)
{
    if (p->evidence.weight > 0)
        return p->evidence.words;
    return p->features & XF_FEATURE_KNOWN ? "nothing it says tells more"
                                          : "it does not say what it can do";
}

static void tell_dialect(struct xf_probing *p)
{
    struct xf_probe item = { .item = XF_PROBE_DIALECT, .jid = p->peer };
    struct xf_event ev = { .dialect = p->profile->name,
                           .evidence = evidence(p) };

    xf_probing_tell(p, &ev, &item);
}

static void nobody(struct xf_probing *p, int code, const char *what)
{
    p->contact = XF_PROBING_NOBODY;
    xf_err_set(&p->nobody, code, "%s %s", p->to, what);
}

static void tell_resource(struct xf_probing *p, const struct xf_resource *r,
                          bool online)
{
    struct xf_event ev = { 0 };
    struct xf_probe item = {
        .item = XF_PROBE_RESOURCE,
        .jid = r->jid,
        .software = r->client_name,
        .online = online,
        .priority = r->priority,
        .answers = r->features & XF_FEATURE_KNOWN,
        .files = r->features & XF_FEATURE_SI_FILE,
        .socks5 = r->features & XF_FEATURE_S5B,
        .in_band = r->features & XF_FEATURE_IBB,
        .chosen =
            p->contact == XF_PROBING_FOUND && strcmp(r->jid, p->peer) == 0,
    };

    xf_probing_tell(p, &ev, &item);
}

/* All that are online, and the one that was asked for by its full JID. */
static void tell_resources(struct xf_probing *p)
{
    struct xf_resource list[XF_RESOURCES_PER_CONTACT];
    size_t count = xf_contacts_list(p->s->contacts, p->to, list);

    if (p->full == XF_PROBING_ANSWERED && !p->full_away &&
        !xf_contacts_online(p->s->contacts, p->to)) {
        const struct xf_resource full = {
            .jid = p->to,
            .features = p->full_features,
            .client_name = p->full_name[0] ? p->full_name : NULL,
        };

        tell_resource(p, &full, false);
    }
    for (size_t i = 0; i < count; i++)
        tell_resource(p, &list[i], true);
    if (p->contact == XF_PROBING_FOUND)
        tell_dialect(p);
}

static void found(struct xf_probing *p)
{
    p->contact = XF_PROBING_FOUND;
    p->profile = p->evidence.profile;
    tell_resources(p);
}

static void version_came(void *ctx, const struct xf_stanza_head *reply,
                         const struct xf_stanza_error *error)
{
    struct xf_probing *p = ctx;
    struct xf_version_info info;
    struct xf_fact fact = { .kind = XF_FACT_VERSION };

    p->version = XF_PROBING_ANSWERED;
    if (!error && xf_version_read(reply->el, &info) && info.name) {
        fact.text = info.name;
        fact.version = info.version;
        (void)xf_evidence_feed(&p->evidence, &fact);
    }
    found(p);
    xf_session_tick_soon(p->s);
}

/* As a transfer does; false: it would tell nothing more. */
static bool ask_version(struct xf_probing *p)
{
    struct xf_session *s = p->s;
    char id[XF_SID_MAX + 1];

    if (!(p->features & XF_FEATURE_VERSION) ||
        !xf_evidence_is_open(&p->evidence))
        return false;
    xf_version_write_get(xf_stanza_begin(s, id), id, p->peer, s->jid);
    if (xf_stanza_request(s, id, p->peer, xf_now(s) + XF_PROBE_VERSION_MS,
                          false, version_came, p) != 0)
        return false;
    p->version = XF_PROBING_ASKED;
    return true;
}

static void choose(struct xf_probing *p, const char *jid, unsigned features,
                   const char *name)
{
    const struct xf_fact identity = { .kind = XF_FACT_IDENTITY,
                                      .text = name,
                                      .features = features };

    snprintf(p->peer, sizeof p->peer, "%s", jid);
    p->features = features;
    xf_peer_look(p->s, jid, &p->evidence);
    (void)xf_evidence_feed(&p->evidence, &identity);
    if (!ask_version(p))
        found(p);
}

/* True when a question has left: the table is to be looked at anew. */
static bool ask_one(struct xf_probing *p)
{
    struct xf_resource list[XF_RESOURCES_PER_CONTACT];
    size_t count = xf_contacts_list(p->s->contacts, p->to, list);
    char jid[XF_JID_MAX + 1];

    for (size_t i = 0; i < count; i++) {
        if (list[i].asked)
            continue;
        snprintf(jid, sizeof jid, "%s", list[i].jid);
        xf_resolve_ask(p->s, jid);
        return true;
    }
    return false;
}

static bool all_settled(const struct xf_probing *p)
{
    struct xf_resource list[XF_RESOURCES_PER_CONTACT];
    size_t count = xf_contacts_list(p->s->contacts, p->to, list);

    for (size_t i = 0; i < count; i++)
        if (!list[i].settled)
            return false;
    return true;
}

static void full_came(void *ctx, const struct xf_stanza_head *reply,
                      const struct xf_stanza_error *error)
{
    struct xf_probing *p = ctx;
    struct xf_disco_info info = { 0 };

    p->full = XF_PROBING_ANSWERED;
    p->full_away = NULL;
    xf_session_tick_soon(p->s);
    if (error && xf_resolve_is_away(error->condition))
        p->full_away = "is not online";
    if (error && (error->condition == XF_COND_REMOTE_SERVER_NOT_FOUND ||
                  error->condition == XF_COND_REMOTE_SERVER_TIMEOUT)) {
        p->full_away = "cannot be reached: its server does not answer";
        p->wait_until = 0;
    }
    if (!error && xf_disco_read_info(reply->el, &info)) {
        p->full_features = info.features;
        if (info.name && strlen(info.name) < sizeof p->full_name)
            snprintf(p->full_name, sizeof p->full_name, "%s", info.name);
    }
}

static void ask_full(struct xf_probing *p)
{
    struct xf_session *s = p->s;
    char id[XF_SID_MAX + 1];

    p->full = XF_PROBING_ASKED;
    xf_disco_write_info_get(xf_stanza_begin(s, id), id, p->to, s->jid, NULL);
    if (xf_stanza_request(s, id, p->to, xf_now(s) + XF_DISCO_MS, false,
                          full_came, p) != 0)
        nobody(p, XF_E_STREAM, "cannot be asked: no connection");
}

static void judge_full(struct xf_probing *p, unsigned features,
                       const char *name)
{
    if (features & XF_FEATURE_KNOWN && !(features & XF_FEATURE_SI_FILE))
        nobody(p, XF_E_NOPEER, "is online, but takes no files");
    else
        choose(p, p->to, features, name);
}

/* Nobody answers there: is there time left? */
static void wait_for_full(struct xf_probing *p)
{
    if (xf_now(p->s) >= p->wait_until) {
        nobody(p, XF_E_NOPEER, p->full_away);
        return;
    }
    p->full = XF_PROBING_NOT_ASKED;
    p->ask_again = p->next_look = xf_now(p->s) + RETRY_MS;
}

static void look_for_full(struct xf_probing *p)
{
    const char *name = NULL;

    if (xf_contacts_online(p->s->contacts, p->to)) {
        unsigned features = xf_contacts_features(p->s->contacts, p->to, &name);

        judge_full(p, features, name);
    } else if (p->full == XF_PROBING_NOT_ASKED &&
               xf_now(p->s) >= p->ask_again) {
        ask_full(p);
    } else if (p->full == XF_PROBING_NOT_ASKED) {
        p->next_look = p->ask_again;
    } else if (p->full == XF_PROBING_ANSWERED && p->full_away) {
        wait_for_full(p);
    } else if (p->full == XF_PROBING_ANSWERED) {
        judge_full(p, p->full_features, p->full_name[0] ? p->full_name : NULL);
    }
}

static void look_for_bare(struct xf_probing *p)
{
    struct xf_session *s = p->s;
    int64_t until = xf_resolve_patience(s, p->wait_until);
    struct xf_choice choice;
    const char *name = NULL, *why;
    unsigned features;

    xf_contacts_choose(s->contacts, p->to, &choice);
    why = xf_resolve_reason(choice.kind);
    if (choice.kind == XF_CHOICE_FOUND) {
        features = xf_contacts_features(s->contacts, choice.jids[0], &name);
        choose(p, choice.jids[0], features, name);
    } else if (why && (choice.kind == XF_CHOICE_NOT_SUBSCRIBED ||
                       xf_now(s) >= until)) {
        nobody(p, XF_E_NOPEER, why);
    } else {
        p->next_look = until;
    }
}

/* An embedder's own connection: whom it sees is its knowledge. */
static bool sees_presence(const struct xf_session *s)
{
    return s->con != NULL;
}

/* Presence has had its time, and who was asked has answered. */
static bool may_judge(struct xf_probing *p)
{
    struct xf_session *s = p->s;
    int64_t seen = s->online_since + XF_PROBE_PRESENCE_MS;

    if (sees_presence(s) && !s->roster_known)
        return false; /* its answer, or the lack of it, wakes us */
    if (sees_presence(s) && xf_now(s) < seen) {
        p->next_look = seen;
        return false;
    }
    while (ask_one(p))
        ;
    return all_settled(p); /* each answer wakes us, too */
}

void xf_probing_look_for_contact(struct xf_probing *p)
{
    int64_t late = p->begun_at + XF_PROBE_MS;
    bool full = xf_jid_is_full(p->to);

    if (p->contact != XF_PROBING_SOUGHT || p->version == XF_PROBING_ASKED)
        return;
    if (late < p->wait_until)
        late = p->wait_until;
    p->next_look = late;
    if (!full && !sees_presence(p->s))
        nobody(p, XF_E_USAGE,
               "is no full JID (name@host/resource), as a borrowed "
               "connection needs");
    else if (xf_now(p->s) >= late)
        nobody(p, XF_E_NOPEER, "has not said in time what it can do");
    else if (may_judge(p) && full)
        look_for_full(p);
    else if (may_judge(p))
        look_for_bare(p);
    if (p->contact == XF_PROBING_NOBODY)
        tell_resources(p);
}
