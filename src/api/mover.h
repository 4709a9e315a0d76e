/* Drives a pump over a bytestream: watches its socket, lingers at its end. */
#ifndef XF_API_MOVER_H
#define XF_API_MOVER_H

#include "api/session.h"

struct xf_mover;

/*
 * Begin to move over `fd`, which is closed in any case; t->mover is set. What
 * becomes of it is told to the transfer's role. Returns 0 or XF_E_LIMIT.
 */
int xf_mover_send(struct xf_transfer *t, int fd);
int xf_mover_receive(struct xf_transfer *t, int fd);
void xf_mover_free(struct xf_mover *m);
/* Free, but for its connection: returns that, or -1. */
int xf_mover_release(struct xf_mover *m);

/* The stream came to nothing here: its end is to be a reset. NULL is fine. */
void xf_mover_abort(struct xf_mover *m);

/* The intake has room again. NULL is fine. */
void xf_mover_resume(struct xf_mover *m);

/*
 * Nobody waits for this stream any more, but the kernel may have taken bytes of
 * it that were not read yet: take those. False: the intake has no room for all
 * of them just now; call again when it has. Nothing is told to the role.
 */
bool xf_mover_drain(struct xf_mover *m);

/* It would move bytes, but a rate is to be held. NULL is fine. */
bool xf_mover_is_held(const struct xf_mover *m);
/* No byte was taken from us for long; but does the peer still take some of
 * what the kernel has? NULL is fine. */
bool xf_mover_creeps(const struct xf_mover *m);
int64_t xf_mover_deadline(const struct xf_mover *m); /* NULL: never */
void xf_mover_tick(struct xf_mover *m);

#endif
