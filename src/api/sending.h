/* Carries out what proto/sending decides: the offering side of a transfer. */
#ifndef XF_API_SENDING_H
#define XF_API_SENDING_H

#include "api/session.h"
#include "wire/xferry.h"

/* What we may do by our settings, and what the peer is like: for the ladder.
 * `only_ibb`: no bytestream, as for an empty file. */
void xf_sending_rules_for(const struct xf_session *s,
                          const struct xf_profile *profile, bool only_ibb,
                          struct xf_sending_rules *out);

/* The XF_WAY_ bit of it. */
unsigned xf_sending_way(enum xf_via via);

/* --- news for it ------------------------------------------------------------- */

/* The contact's resource, features and profile are known (resolve.c). */
void xf_sending_resolved(struct xf_transfer *t);
/* Proxies, hash and listener are there (resolve.c). */
void xf_sending_prepared(struct xf_transfer *t);
/* The offer was refused by an error that is no reply by its id (route.c). */
void xf_sending_refused(struct xf_transfer *t,
                        const struct xf_stanza_error *error);
/* The contact's word on the whole file; `error` NULL: it has it (ending.c). */
void xf_sending_receipt(struct xf_transfer *t,
                        const struct xf_stanza_error *error);
/* It is over on the contact's side (ending.c). */
void xf_sending_stopped(struct xf_transfer *t, enum xf_stop_reason reason);

#endif
