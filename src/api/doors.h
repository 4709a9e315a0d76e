/*
 * The session's listener for direct bytestreams: open only while a transfer
 * may need it, answers SOCKS5 only to those who know a stream's hash.
 */
#ifndef XF_API_DOORS_H
#define XF_API_DOORS_H

#include "api/session.h"
#include "stream/tcp.h"

#define XF_HALF_OPEN_MAX 128 /* connections without a request yet */
#define XF_HALF_OPEN_PER_ADDRESS 32
#define XF_HANDSHAKE_MS 10000 /* greeting and request, in all */

/* Open it if it is not. Each use is to be released. 0 or an XF_E_ code. */
int xf_doors_use(struct xf_session *s);
void xf_doors_release(struct xf_session *s);
void xf_doors_clear(struct xf_session *s);

uint16_t xf_doors_port(const struct xf_session *s);

int64_t xf_doors_deadline(const struct xf_session *s);
void xf_doors_tick(struct xf_session *s);

#endif
