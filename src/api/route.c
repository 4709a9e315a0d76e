/* Incoming stanzas to those they concern. */
#include "api/route.h"

#include <string.h>

#include "api/ending.h"
#include "api/inband.h"
#include "api/peer.h"
#include "api/receiving.h"
#include "api/resolve.h"
#include "api/sending.h"
#include "api/stanzas.h"
#include "proto/disco.h"
#include "wire/ibb.h"
#include "wire/ns.h"
#include "wire/s5b.h"
#include "wire/si.h"

/* --- transfers ----------------------------------------------------------------- */

static void route_si(struct xf_session *s, const struct xf_stanza_head *head,
                     struct xf_el *si)
{
    xf_events_trace_el(s, head->el);
    xf_receiving_offer(s, head, si);
}

static void route_s5b(struct xf_session *s, const struct xf_stanza_head *head,
                      const struct xf_el *el)
{
    struct xf_s5b_query query;
    enum xf_answer answer;
    struct xf_transfer *t;

    xf_events_trace_el(s, head->el);
    answer = xf_s5b_read_query(el, &query);
    t = query.sid && head->from
            ? xf_transfer_find(s, head->from, query.sid, false)
            : NULL;
    if (query.sid && !t)
        answer = XF_ANSWER_NOT_ACCEPTABLE_MODIFY;
    if (answer != XF_ANSWER_NONE)
        xf_stanza_answer(s, head, answer, NULL, true);
    else
        xf_receiving_query(t, head, &query);
}

static void route_open(struct xf_session *s, const struct xf_stanza_head *head,
                       const struct xf_el *el)
{
    struct xf_ibb_open open;
    enum xf_answer answer = xf_ibb_read_open(el, &open);
    struct xf_transfer *t = NULL;

    if (answer == XF_ANSWER_NONE) {
        t = xf_transfer_find(s, head->from, open.sid, false);
        answer = t ? XF_ANSWER_NONE : XF_ANSWER_NOT_ACCEPTABLE;
    }
    if (t && !xf_inband_takes_block(t, open.block_size))
        xf_stanza_answer(s, head, XF_ANSWER_TOO_BIG, NULL, true);
    else if (t)
        xf_receiving_open(t, head, &open);
    else
        xf_stanza_answer(s, head, answer, NULL, true);
}

/* Blocks and closes: of a stream that is open between these two, or of none.
 * A sid learned by somebody else is worth nothing to him. */
static void route_ibb(struct xf_session *s, const struct xf_stanza_head *head,
                      const struct xf_el *el)
{
    const char *sid = xf_ibb_read_sid(el), *from = head->from;
    struct xf_transfer *t = NULL;

    xf_events_trace_el(s, head->el);
    if (!sid || !from) {
        xf_stanza_answer(s, head, XF_ANSWER_BAD_REQUEST_MODIFY, NULL, true);
        return;
    }
    if (strcmp(el->name, "open") == 0) {
        route_open(s, head, el);
        return;
    }
    t = xf_transfer_find(s, from, sid, false);
    if (!t || !t->ibb)
        t = xf_transfer_find(s, from, sid, true);
    if (!t || !t->ibb)
        xf_stanza_answer(s, head, XF_ANSWER_NOT_FOUND, NULL, true);
    else if (strcmp(el->name, "data") == 0)
        xf_inband_data(t->ibb, head, el);
    else if (strcmp(el->name, "close") == 0)
        xf_inband_close(t->ibb, head);
    else
        xf_stanza_answer(s, head, XF_ANSWER_BAD_REQUEST, NULL, true);
}

/* An iq of a transfer, or a message with a block: true when it was one. */
static bool route_transfer(struct xf_session *s,
                           const struct xf_stanza_head *head)
{
    struct xf_el *el = (struct xf_el *)head->payload;

    if (head->type != XF_IQ_SET)
        return false;
    if (xf_el_is(el, "si", XF_NS_SI) && !s->set.send_only)
        route_si(s, head, el);
    else if (xf_el_is(el, "query", XF_NS_BYTESTREAMS))
        route_s5b(s, head, el);
    else if (strcmp(el->ns, XF_NS_IBB) == 0)
        route_ibb(s, head, el);
    else if (strcmp(el->ns, XF_NS_XFERRY) == 0)
        xf_ending_came(s, head);
    else
        return false;
    return true;
}

static bool route_message(struct xf_session *s,
                          const struct xf_stanza_head *head)
{
    const struct xf_el *data = xf_el_child(head->el, "data", XF_NS_IBB);
    const char *sid = data ? xf_ibb_read_sid(data) : NULL;
    struct xf_stanza_error error;
    struct xf_transfer *t;

    if (!data)
        return false;
    if (!head->error) {
        route_ibb(s, head, data);
        return true;
    }
    t = sid && head->from ? xf_transfer_find(s, head->from, sid, true) : NULL;
    xf_events_trace_el(s, head->el);
    if (t && t->ibb) {
        xf_stanza_read_error(head->el, &error);
        xf_inband_bounced(t->ibb, error.condition);
    }
    return true;
}

/*
 * An error that nobody asked for. Smack up to 3.1 cancels with the id of the
 * last message; iris refuses an offer with its sid for an id, and says with the
 * id of the open that a block, which it has acknowledged, was a wrong one.
 */
static bool route_lone_error(struct xf_session *s,
                             const struct xf_stanza_head *head)
{
    struct xf_stanza_error error;

    if (head->type != XF_IQ_ERROR || !head->id || !head->from)
        return false;
    xf_stanza_read_error(head->el, &error);
    for (struct xf_transfer *t = s->transfers; t; t = t->next) {
        /* Its turn may have come, and its id not yet. */
        bool refused = t->unanswered && t->sid && strcmp(t->sid, head->id) == 0;

        if (t->over || strcmp(t->peer, head->from) != 0 ||
            (!refused && !(t->ibb && xf_inband_is_meant(t->ibb, head->id,
                                                        error.condition))))
            continue;
        xf_events_trace_el(s, head->el);
        if (refused)
            xf_sending_refused(t, &error);
        else
            xf_inband_bounced(t->ibb, error.condition);
        return true;
    }
    return false;
}

/* --- services ------------------------------------------------------------------- */

static void answer_info(struct xf_session *s, const struct xf_stanza_head *head)
{
    const char *node = xf_el_attr(head->payload, "node");
    const char *said[XF_DISCO_FEATURES];

    if (!xf_disco_node_is_ours(!s->set.send_only, node)) {
        xf_stanza_answer(s, head, XF_ANSWER_NOT_FOUND, NULL, false);
        return;
    }
    xf_disco_write_info(xf_stanza_begin_answer(s), head, &xf_disco_identity,
                        said, xf_disco_features(!s->set.send_only, said));
    (void)xf_stanza_send(s, false);
}

static bool answer_get(struct xf_session *s, const struct xf_stanza_head *head)
{
    const struct xf_el *el = head->payload;

    if (head->type != XF_IQ_GET)
        return false;
    if (xf_el_is(el, "query", XF_NS_DISCO_INFO)) {
        answer_info(s, head);
    } else if (xf_el_is(el, "query", XF_NS_DISCO_ITEMS)) {
        xf_disco_write_items(xf_stanza_begin_answer(s), head);
        (void)xf_stanza_send(s, false);
    } else if (xf_el_is(el, "query", XF_NS_VERSION)) {
        xf_version_write(xf_stanza_begin_answer(s), head, "xferry",
                         xf_version());
        (void)xf_stanza_send(s, false);
    } else if (xf_el_is(el, "ping", XF_NS_PING)) {
        xf_stanza_answer(s, head, XF_ANSWER_OK, NULL, false);
    } else {
        return false;
    }
    return true;
}

void xf_route_roster(struct xf_session *s, const struct xf_roster_item *item)
{
    char jid[XF_JID_MAX + 1];
    const char *sub = item->subscription ? item->subscription : "none";

    if (xf_jid_prep(item->jid, jid) == 0)
        (void)xf_contacts_subscription(s->contacts, jid,
                                       strcmp(sub, "to") == 0 ||
                                           strcmp(sub, "both") == 0);
}

/* A push of the roster counts only from our own account (RFC 6121, 2.1.6). */
static bool roster_push(struct xf_session *s, const struct xf_stanza_head *head)
{
    struct xf_roster_item item;
    const struct xf_el *el = NULL;

    if (head->type != XF_IQ_SET ||
        !xf_el_is(head->payload, "query", XF_NS_ROSTER))
        return false;
    if (head->from &&
        (xf_jid_is_full(head->from) || !xf_jid_same_bare(head->from, s->jid)))
        return false;
    while ((el = xf_roster_read(head->el, el, &item)) != NULL)
        xf_route_roster(s, &item);
    xf_stanza_answer(s, head, XF_ANSWER_OK, NULL, false);
    xf_resolve_all(s);
    return true;
}

/* --- presence -------------------------------------------------------------------- */

/* `replaced`: its session has, by another of the same name. Others than ours
 * say something new about themselves that way. */
static void peer_gone(struct xf_session *s, const char *jid, bool replaced)
{
    struct xf_transfer *t, *next;
    struct xf_error_info why;

    for (t = s->transfers; t; t = next) {
        next = t->next;
        if (t->over || strcmp(t->peer, jid) != 0)
            continue;
        /* Who is still looked for may come back. */
        if (t->outgoing && t->sending.state == XF_SENDING_RESOLVING)
            continue;
        if (replaced && !(t->key[0] && t->accepted))
            continue;
        if (t->outgoing && !t->key[0] && xf_inband_is_closing(t->ibb)) {
            t->role->moved(t);
            continue;
        }
        xf_err_set(&why, XF_E_GONE, "%s went away at byte %llu", t->peer,
                   (unsigned long long)t->done);
        t->role->away(t, false, why.code, why.text);
    }
}

static void route_presence(struct xf_session *s,
                           const struct xf_stanza_head *head)
{
    struct xf_presence p;
    unsigned features;

    if (!head->from)
        return;
    xf_presence_read(head->el, &p);
    switch (p.kind) {
    case XF_PRESENCE_AVAILABLE:
        /* A server may hold the place of a program that was killed, and give
         * it to the next without a word. */
        if (xf_contacts_online(s->contacts, head->from)) {
            xf_resolve_gone(s, head->from);
            peer_gone(s, head->from, true);
        }
        xf_resolve_came(s, head->from);
        (void)xf_contacts_available(s->contacts, head->from, p.priority);
        xf_contacts_caps(s->contacts, head->from, p.node);
        if ((features = xf_caps_known(p.hash, p.ver)) != 0)
            xf_contacts_answered(s->contacts, head->from, features,
                                 xf_disco_identity.name);
        break;
    case XF_PRESENCE_UNAVAILABLE:
    case XF_PRESENCE_ERROR:
        xf_contacts_gone(s->contacts, head->from);
        xf_peer_forget(s, head->from);
        xf_resolve_gone(s, head->from);
        peer_gone(s, head->from, false);
        break;
    case XF_PRESENCE_OTHER:
        return;
    }
    xf_resolve_all(s);
}

/* --- the way in ------------------------------------------------------------------ */

static void route_iq(struct xf_session *s, const struct xf_stanza_head *head)
{
    if (head->type == XF_IQ_RESULT || head->type == XF_IQ_ERROR) {
        (void)(xf_requests_reply(s, head) || route_lone_error(s, head));
        return;
    }
    if (!head->payload)
        xf_stanza_answer(s, head, XF_ANSWER_BAD_REQUEST_MODIFY, NULL, false);
    else if (!route_transfer(s, head) && !answer_get(s, head) &&
             !roster_push(s, head))
        xf_stanza_answer(s, head, XF_ANSWER_UNAVAILABLE, NULL, false);
}

/* JIDs are compared as strings from here on; a server sends them prepared,
 * and who does not gets no further than this. */
void xf_route(struct xf_session *s, struct xf_el *el)
{
    struct xf_stanza_head head;

    if (!xf_stanza_read(el, &head))
        return;
    switch (head.kind) {
    case XF_KIND_IQ:
        route_iq(s, &head);
        return;
    case XF_KIND_MESSAGE:
        (void)route_message(s, &head);
        return;
    case XF_KIND_PRESENCE:
        route_presence(s, &head);
        return;
    }
}

bool xf_route_attached(struct xf_session *s, struct xf_el *el)
{
    struct xf_stanza_head head;

    if (!xf_stanza_read(el, &head))
        return false;
    if (head.kind == XF_KIND_PRESENCE) {
        route_presence(s, &head);
        return false; /* the embedder wants to see it, too */
    }
    if (head.kind == XF_KIND_MESSAGE)
        return route_message(s, &head);
    if (head.type == XF_IQ_RESULT || head.type == XF_IQ_ERROR)
        return xf_requests_reply(s, &head) || route_lone_error(s, &head);
    return head.payload && route_transfer(s, &head);
}
