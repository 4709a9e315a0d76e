/*
 * What is known of the program at the other end: its dialect and from what
 * evidence, gathered for a transfer and kept while its resource is there.
 */
#ifndef XF_API_PEER_H
#define XF_API_PEER_H

#include "api/session.h"
#include "proto/evidence.h"

/* What its presence and its answers have told so far; asks nothing. */
void xf_peer_look(const struct xf_session *s, const char *full_jid,
                  struct xf_evidence *out);

/* The same for the transfer's peer: sets its features, profile, evidence. */
void xf_peer_begin(struct xf_transfer *t);

/* It has shown this; the profile follows, and others learn from it. */
void xf_peer_shown(struct xf_transfer *t, const struct xf_fact *fact);

/* It saw blocks out of order: one at a time from now on. */
void xf_peer_mixed_up(struct xf_transfer *t);
/* In-band blocks that may be on their way to it. */
uint32_t xf_peer_window(const struct xf_transfer *t);

/* Ask for its version where that tells more; `fn` is called with `t` when it
 * is told, or in 3 s. False: there is nothing to ask. */
bool xf_peer_ask_version(struct xf_transfer *t,
                         void (*fn)(struct xf_transfer *t));

/* A resource went away, or (NULL) our connection did. */
void xf_peer_forget(struct xf_session *s, const char *jid);

#endif
