/*
 * SOCKS5 bytestreams of a transfer, both roles: telling streamhosts and
 * waiting for the one that is used, or trying those that were told.
 */
#ifndef XF_API_BYTESTREAM_H
#define XF_API_BYTESTREAM_H

#include "api/session.h"
#include "stream/tcp.h"
#include "wire/s5b.h"

struct xf_bytestream;

/*
 * Sender: list our addresses and the proxies, as far as they may be told.
 * t->s5b is set; without a streamhost it stays NULL and 0 is returned.
 */
int xf_bytestream_prepare(struct xf_transfer *t);

/* Sender: send the query. What becomes of it is told to the transfer's role.
 * Returns 0, XF_E_LIMIT or XF_E_STREAM. */
int xf_bytestream_query(struct xf_transfer *t);

/*
 * Receiver: try the hosts of a query; t->s5b is set. What becomes of it is told
 * to the transfer's role. Returns 0 or XF_E_LIMIT.
 */
int xf_bytestream_dial(struct xf_transfer *t, const struct xf_s5b_query *query);
/* The streamhost in use; for the answer. */
const char *xf_bytestream_used(const struct xf_bytestream *b);

void xf_bytestream_free(struct xf_bytestream *b); /* NULL is fine */

/* A connection on our listener: is it this stream's? Then it is handed over. */
bool xf_bytestream_expects(const struct xf_bytestream *b, const char *dstaddr);
void xf_bytestream_admit(struct xf_bytestream *b, struct xf_tcp *tcp);

int64_t xf_bytestream_deadline(const struct xf_bytestream *b);
void xf_bytestream_tick(struct xf_bytestream *b);

#endif
