/* In-band bytestreams of a transfer, both roles. */
#ifndef XF_API_INBAND_H
#define XF_API_INBAND_H

#include "api/session.h"
#include "proto/ibb.h"

struct xf_inband;

/*
 * Sender: open a stream on the transfer's sid; t->ibb is set. What becomes of
 * it is told to the transfer's role. Returns 0, XF_E_LIMIT or XF_E_STREAM.
 */
int xf_inband_open(struct xf_transfer *t);
/* Can the contact's program count the blocks of this file? */
bool xf_inband_can(const struct xf_transfer *t);
/* The transfer wants its bytes moved: begin to send blocks. */
void xf_inband_start(struct xf_inband *b);

/* Receiver: not where a rate is to be held that it would break; asked of ours
 * only, for not everybody tries a smaller one. */
bool xf_inband_takes_block(const struct xf_transfer *t, uint32_t block);
/* Receiver: an <open/> came; answered here. True: the stream is open. */
bool xf_inband_take(struct xf_transfer *t, const struct xf_stanza_head *head,
                    const struct xf_ibb_open *open);
/* The file is whole and synced (0), or it failed: answer the close. */
void xf_inband_settled(struct xf_inband *b, int code);
/* The intake has room again: acknowledge what waited for it. */
void xf_inband_resume(struct xf_inband *b);
/* Tell the other side, if it is still open, that this stream ends here. */
void xf_inband_abandon(struct xf_inband *b);

/* A <data/> or <close/> of this stream, in an iq or a message. */
void xf_inband_data(struct xf_inband *b, const struct xf_stanza_head *head,
                    const struct xf_el *data);
void xf_inband_close(struct xf_inband *b, const struct xf_stanza_head *head);
/* Does an error that nobody asked for speak of this stream, by the id of a
 * message of ours or of the open? */
bool xf_inband_is_meant(const struct xf_inband *b, const char *id,
                        enum xf_condition condition);
/* It would send, or acknowledge, but a rate is to be held. NULL is fine. */
bool xf_inband_is_held(const struct xf_inband *b);
/* A message of ours on this stream came back. */
void xf_inband_bounced(struct xf_inband *b, enum xf_condition condition);

/* Sender: a bytestream is up, so end where the blocks are and close; or do not
 * begin. When that is agreed on the role is told that all is moved. False: the
 * last block has left already, nothing is gained any more. */
bool xf_inband_hand_over(struct xf_inband *b);
/* Would blocks of this transfer be messages, which nobody acknowledges? */
bool xf_inband_by_message(const struct xf_transfer *t);
/* Sender: blocks are on their way. */
bool xf_inband_is_sending(const struct xf_inband *b);
/* ... of which so many bytes a second pass, with their stanzas around them; 0
 * when it has not sent for long enough. */
uint32_t xf_inband_wire_rate(const struct xf_inband *b);
/* No block was acknowledged for long; but do they still move toward the
 * server? True once for each time that this is seen. */
bool xf_inband_creeps(struct xf_inband *b);
/* Is a measurement of the server's rate worth its bytes for this file? */
bool xf_inband_wants_rate(const struct xf_transfer *t);
/* Which blocks contacts took is forgotten. */
void xf_inband_forget_peers(struct xf_session *s);

/* Sender: every block is acknowledged and only the close is not. */
bool xf_inband_is_closing(const struct xf_inband *b);

/*
 * For a probe: the block that a stream to `peer` would begin with, and what of
 * a file it would carry in a second; 0: no limit is known.
 */
uint32_t xf_inband_outlook(struct xf_session *s,
                           const struct xf_profile *profile, const char *peer,
                           uint64_t *payload);

void xf_inband_free(struct xf_inband *b); /* NULL is fine */
int64_t xf_inband_deadline(const struct xf_inband *b);
void xf_inband_tick(struct xf_inband *b);

#endif
