/*
 * A session's own connection: the byte link, the XML on it and the login, tied
 * together. An attached session has none.
 */
#ifndef XF_API_CONNECTION_H
#define XF_API_CONNECTION_H

#include "api/session.h"

/* Begin to connect. Returns 0, XF_E_USAGE or XF_E_LIMIT. */
int xf_connection_new(struct xf_session *s);
void xf_connection_free(struct xf_session *s);

/* Leave in good order: acknowledgements first, then the stream's end. A receipt
 * that was lost with the connection its sender asks for again: that is waited
 * for, 30 s at most. */
void xf_connection_leave(struct xf_session *s);
bool xf_connection_is_leaving(const struct xf_session *s);

/* Ask the server which stanzas have arrived. 0, XF_E_LIMIT or XF_E_STREAM. */
int xf_connection_ask_ack(struct xf_connection *con);

/* The stream waits to be resumed: the session is online, but nothing leaves or
 * comes for now. False also in an attached session. */
bool xf_connection_is_away(const struct xf_session *s);

/* How long that was since the last call: 0 when it is not. */
int64_t xf_connection_held_ms(struct xf_session *s);

/* The stream is not resumed: what went with it fails. Nothing is told of it
 * when there is none. */
void xf_connection_forget_stream(struct xf_session *s);

/* Bytes that wait to leave; while it is away those that are not acknowledged. */
size_t xf_connection_queued(const struct xf_session *s);
/* Hand it to the kernel now, as far as that takes it: what follows may be the
 * end of this program. */
void xf_connection_flush(struct xf_session *s);

/* Of the link there is and of each that follows it. */
void xf_connection_pause_reading(struct xf_session *s, bool pause);

/* Leads, or led, the connection to this machine? */
bool xf_connection_is_loopback(const struct xf_session *s);

int64_t xf_connection_deadline(const struct xf_session *s);
void xf_connection_tick(struct xf_session *s);

#endif
