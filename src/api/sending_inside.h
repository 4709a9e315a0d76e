/* What the files of the offering side share: sending.c and offering.c. */
#ifndef XF_API_SENDING_INSIDE_H
#define XF_API_SENDING_INSIDE_H

#include "api/sending.h"

extern const struct xf_role xf_sending_role;

/* An input to the ladder, and what it says is carried out. */
void xf_sending_feed(struct xf_transfer *t, const struct xf_sending_input *in);
void xf_sending_fail_with(struct xf_transfer *t, int err);
/* What the contact is like may have become clearer. */
void xf_sending_rules(struct xf_transfer *t);

#endif
