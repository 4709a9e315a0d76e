/* Carries out what proto/receiving decides: the side that is offered a file. */
#ifndef XF_API_RECEIVING_H
#define XF_API_RECEIVING_H

#include "api/session.h"
#include "wire/xferry.h"

struct xf_ibb_open;
struct xf_s5b_query;

void xf_receiving_offer(struct xf_session *s, const struct xf_stanza_head *head,
                        struct xf_el *si);
void xf_receiving_query(struct xf_transfer *t,
                        const struct xf_stanza_head *head,
                        const struct xf_s5b_query *query);
void xf_receiving_open(struct xf_transfer *t, const struct xf_stanza_head *head,
                       const struct xf_ibb_open *open);
/* The sender has sent all, and tells the sum of it (ending.c). */
void xf_receiving_end_came(struct xf_transfer *t,
                           const struct xf_stanza_head *head,
                           const struct xf_xferry_end *end);
/* It is over on the sender's side (ending.c). */
void xf_receiving_stopped(struct xf_transfer *t, enum xf_stop_reason reason);
/* It is freed without an end: what can be gone on with stays. */
void xf_receiving_leave(struct xf_transfer *t);
/* All that could be asked of the sender is known: an answer may depend on it. */
void xf_receiving_known(struct xf_transfer *t);

#endif
