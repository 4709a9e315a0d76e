/*
 * Moves a file over a ready socket, one way: from a source by sendfile, or
 * into an intake. Stepped once at the start and whenever what it wants is
 * there; deadlines are the owner's.
 *
 *   send:     SENDING -last byte, shutdown-> WAITING -peer's end-> DONE
 *   receive:  RECEIVING -size bytes, or the end of an unknown size-> DONE
 *   both:     anything else -> FAILED
 */
#ifndef XF_STREAM_PUMP_H
#define XF_STREAM_PUMP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "stream/file.h"
#include "stream/intake.h"
#include "stream/want.h"

#define XF_PUMP_STEP (4u << 20)       /* bytes moved by one step, at most */
#define XF_PUMP_STRAY_MAX (64u << 10) /* bytes a receiver may send back */

enum xf_pump_status {
    XF_PUMP_AGAIN,
    XF_PUMP_DONE,
    XF_PUMP_FAILED, /* xf_pump_error() says why */
};

struct xf_pump;

/*
 * Send `length` bytes of `source` from `offset` on. The source is the
 * caller's and outlives the pump; `fd` is the pump's from success on.
 *
 * Returns 0, or XF_E_LIMIT.
 *
 * Fails with XF_E_SRC (the source changed), XF_E_IO (it cannot be read),
 * XF_E_GONE (the connection broke) or XF_E_PROTO (the receiver talks back).
 */
int xf_pump_send(struct xf_pump **out, const struct xf_source *source,
                 uint64_t offset, uint64_t length, int fd);

/*
 * Receive into `intake` what its sink still lacks. The intake is the caller's
 * and is finished by the caller after DONE; `fd` is the pump's from success
 * on. DONE comes with the last byte, not with the sender's close.
 *
 * Returns 0, or XF_E_LIMIT.
 *
 * Fails with XF_E_SHORT, XF_E_LONG, XF_E_GONE or the intake's own error.
 */
int xf_pump_receive(struct xf_pump **out, struct xf_intake *intake, int fd);

/*
 * Closes fd. At any time, from an intake's `notify` within a step too (the
 * step then returns XF_PUMP_AGAIN); before the intake. NULL is fine.
 */
void xf_pump_free(struct xf_pump *pump);

/*
 * XF_WANT_ bits. 0 while AGAIN: a receiver waits for its intake, step it at
 * the intake's `notify`; a sender sees no more of its peer, step it now and
 * then until the time to linger is over.
 */
int xf_pump_wants(const struct xf_pump *pump);
enum xf_pump_status xf_pump_step(struct xf_pump *pump);
/* Bytes that a step moves at most, from now on; XF_PUMP_STEP at first. */
void xf_pump_set_most(struct xf_pump *pump, uint64_t bytes);

int xf_pump_fd(const struct xf_pump *pump);
uint64_t xf_pump_bytes(const struct xf_pump *pump); /* moved by this pump */
/* A sender's last byte has left and only the peer's end is missing. */
bool xf_pump_waiting(const struct xf_pump *pump);
/* There are bytes to be moved yet. */
bool xf_pump_moving(const struct xf_pump *pump);
/*
 * The owner has waited long enough for the peer's end. True when the peer's
 * side has acknowledged every byte: as good as DONE; else it has FAILED.
 */
bool xf_pump_lingered(struct xf_pump *pump);
const struct xf_error_info *xf_pump_error(const struct xf_pump *pump);

#endif
