/*
 * An offer of ours: made, answered, and where the stream behind it begins.
 * When one is made, and what an answer leads to, is proto/sending's.
 */
#ifndef XF_API_OFFERING_H
#define XF_API_OFFERING_H

#include "api/session.h"

/* Make the offer that `todo` says. Returns 0 or the code to fail with. */
int xf_offering_make(struct xf_transfer *t, const struct xf_sending_todo *todo);
/* It has waited long enough for our server's rate. */
void xf_offering_overdue(struct xf_transfer *t);
/* The sum of what the contact has already is known. */
void xf_offering_summed(struct xf_transfer *t);

#endif
