/* What the files of the receiving side share: receiving_offer.c reads offers,
 * receiving_accept.c answers them, receiving.c takes the file. */
#ifndef XF_API_RECEIVING_INSIDE_H
#define XF_API_RECEIVING_INSIDE_H

#include "api/receiving.h"

extern const struct xf_role xf_receiving_role;

/* The end, for this reason; the sender is told. */
void xf_receiving_end(struct xf_transfer *t, int code, const char *text);
/* An input that brings neither request nor stream. */
void xf_receiving_feed(struct xf_transfer *t,
                       const struct xf_receiving_input *in);
/* Answer the offer at hand by yes, now or when all that stands in it is known:
 * who asks, and the sum of what is here already. */
void xf_receiving_say_yes(struct xf_transfer *t);
/* The answer says where to begin. */
void xf_receiving_set_range(struct xf_transfer *t);
/* The methods to answer with, of those that were offered. */
void xf_receiving_choose(struct xf_transfer *t);
/* The offer at hand is one more of a file that was accepted: what streams
 * there are end here, and it is answered with what we have. */
void xf_receiving_again(struct xf_transfer *t, bool goes_on);

#endif
