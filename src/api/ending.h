/*
 * The end of a transfer between two of ours (doc/protocol/xferry.md): the sum
 * behind the last byte, the receipt that answers it, and the word of either
 * that it is over before. Remembers for a while how transfers ended, for a
 * peer that lost our answer.
 */
#ifndef XF_API_ENDING_H
#define XF_API_ENDING_H

#include "api/session.h"

/* Sender: all bytes have left and the sum is known, or none is wanted: ask for
 * the receipt, unless it is being asked for. The role of the transfer is fed
 * with what comes of it. */
void xf_ending_ask(struct xf_transfer *t);
/* Sender: the question may have been lost with the contact's session, or may
 * not: ask once more, the first may be answered, too. */
void xf_ending_ask_again(struct xf_transfer *t);
/* Sender: our connection is lost, and the answer with it; to be asked again. */
void xf_ending_hold(struct xf_transfer *t);
/* Sender: the receipt that was asked for is of a stream that broke. */
void xf_ending_forget(struct xf_transfer *t);

/* Receiver: answer the sender's request for a receipt, if there is one. */
void xf_ending_answer(struct xf_transfer *t, int code);
/* Receiver: that, and stop, when the transfer is over with this code. */
void xf_ending_fail(struct xf_transfer *t, int code);

/* Either: tell the peer that the transfer is over with this code, unless it
 * said so itself. */
void xf_ending_stop(struct xf_transfer *t, int code);

/* A set of urn:xferry:0 came; answered here or later. */
void xf_ending_came(struct xf_session *s, const struct xf_stanza_head *head);

/* How an incoming transfer of that key ended. */
enum xf_ended_how {
    XF_ENDED_UNKNOWN,
    XF_ENDED_WELL,
    XF_ENDED_UNPROVEN, /* well, but the sum that was promised did not come */
    XF_ENDED_BADLY
};
enum xf_ended_how xf_ending_of(const struct xf_session *s, const char *peer,
                               const char *key);

/* Has the sender our word for how it ended? */
enum xf_receipt {
    XF_RECEIPT_HAD, /* or wants none */
    XF_RECEIPT_SAID,
    XF_RECEIPT_OWED /* it is going to ask, once more perhaps */
};
void xf_ending_remember(struct xf_transfer *t, enum xf_ended_how how,
                        enum xf_receipt receipt);
/* Its sender has just been told again. */
void xf_ending_said(struct xf_session *s, const char *peer, const char *key);
/* All that was said has arrived at our server; or is lost with the stream. */
void xf_ending_arrived(struct xf_session *s);
void xf_ending_lost(struct xf_session *s);
/* The greatest of all of them. */
enum xf_receipt xf_ending_receipts(const struct xf_session *s);

void xf_ending_clear(struct xf_session *s);

#endif
