/*
 * The SHA-256 of a file that is sent to one of ours: of its beginning, when
 * the contact says that it has that already, and of the whole, for the
 * receipt. Read behind the stream, by jobs; what follows is the sender's.
 */
#ifndef XF_API_SUM_H
#define XF_API_SUM_H

#include "api/session.h"

/* Have it computed from now on, as far as the stream goes. Returns 0 or
 * XF_E_LIMIT. */
int xf_sum_begin(struct xf_transfer *t);
/* First that of the first `offset` bytes; xf_sum_prefix() has it once the
 * transfer is ticked with `sum_news`. */
int xf_sum_check(struct xf_transfer *t, uint64_t offset);
const uint8_t *xf_sum_prefix(const struct xf_transfer *t);
/* The stream is further; or all bytes have left. */
void xf_sum_let(struct xf_transfer *t);
void xf_sum_free(struct xf_transfer *t);

#endif
