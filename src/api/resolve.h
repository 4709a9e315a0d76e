/*
 * Before the offer: which resource of the contact, what it can do, and what we
 * need at hand (proxies, hash) so that nothing is waited for once it accepts.
 */
#ifndef XF_API_RESOLVE_H
#define XF_API_RESOLVE_H

#include "api/session.h"

/* Look for the contact of an outgoing transfer that has none yet. */
void xf_resolve_contact(struct xf_transfer *t);

/* Begin to prepare; xf_sending_prepared() follows. */
void xf_resolve_prepare(struct xf_transfer *t);
/* An offer was answered: another may go out. */
void xf_resolve_next(struct xf_session *s);
/* Is all there? */
void xf_resolve_prepared(struct xf_transfer *t);

/* The table of contacts has changed: all that wait look again. */
void xf_resolve_all(struct xf_session *s);
/* What was asked of it gets no answer: it is asked anew. */
void xf_resolve_gone(struct xf_session *s, const char *full_jid);
/* What does not answer what it was asked may not have been there yet. */
void xf_resolve_came(struct xf_session *s, const char *full_jid);

/* Who is it that offers us a file? Asks; xf_receiving_known() follows, perhaps
 * before this returns. */
void xf_resolve_peer(struct xf_transfer *t);

/* --- for a probe ------------------------------------------------------------ */

/* Ask it what it can do; the answer goes to the table of contacts. */
void xf_resolve_ask(struct xf_session *s, const char *full_jid);
/* Until when we wait for a contact that `wait_until` allows to wait for. */
int64_t xf_resolve_patience(const struct xf_session *s, int64_t wait_until);
/* Why no file can be offered, to stand behind the contact's JID; NULL: it is
 * known to whom, or not yet. */
const char *xf_resolve_reason(enum xf_choice_kind kind);
/* A full JID answered disco#info so: nobody is there. */
bool xf_resolve_is_away(enum xf_condition condition);

/* Send the questions that the search for proxies has. */
void xf_resolve_proxies(struct xf_session *s);

#endif
