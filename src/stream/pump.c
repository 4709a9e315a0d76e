/*
 * Bytes between a file and a socket, some at a time: sendfile one way, recv
 * into the intake's buffers the other. Nothing waits here.
 */
#include "stream/pump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/sys.h"

#define PIECE (1u << 20) /* bytes a call */
#define AHEAD (8u << 20) /* bytes the kernel is asked to fetch at once */
#define COPY (64u << 10) /* bytes read and sent where sendfile cannot */
#define STRAY (4u << 10) /* bytes read at once that nobody asked for */

enum state { SENDING, WAITING, RECEIVING, DONE, FAILED };

struct xf_pump {
    enum state state;
    int fd;
    uint64_t moved;
    uint64_t most; /* of a step */
    struct xf_error_info error;
    bool stepping, orphan; /* freed inside of a step: the step destroys */

    const struct xf_source *source; /* sending */
    uint64_t offset, length;
    uint64_t fetched; /* the kernel was told to fetch up to here */
    char *copy;       /* not NULL: sendfile does not work on this file */
    bool shut;        /* our end was sent */
    bool ended;       /* the peer's came, but not the acks of our bytes */
    size_t stray;     /* bytes that came back */

    struct xf_intake *intake; /* receiving */
};

static int make(struct xf_pump **out, enum state state, int fd)
{
    *out = xf_sys_alloc(sizeof **out);
    if (!*out)
        return XF_E_LIMIT;
    (*out)->state = state;
    (*out)->fd = fd;
    (*out)->most = XF_PUMP_STEP;
    return 0;
}

int xf_pump_send(struct xf_pump **out, const struct xf_source *source,
                 uint64_t offset, uint64_t length, int fd)
{
    int err = make(out, SENDING, fd);

    if (err != 0)
        return err;
    (*out)->source = source;
    (*out)->offset = (*out)->fetched = offset;
    (*out)->length = length;
    return 0;
}

int xf_pump_receive(struct xf_pump **out, struct xf_intake *intake, int fd)
{
    int err = make(out, RECEIVING, fd);

    if (err == 0)
        (*out)->intake = intake;
    return err;
}

static void destroy(struct xf_pump *pump)
{
    xf_sys_close(pump->fd);
    xf_sys_free(pump->copy);
    xf_sys_free(pump);
}

void xf_pump_free(struct xf_pump *pump)
{
    if (!pump)
        return;
    if (pump->stepping)
        pump->orphan = true;
    else
        destroy(pump);
}

static bool later(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* --- sending ------------------------------------------------------------- */

static void fail_changed(struct xf_pump *pump)
{
    xf_source_set_changed(pump->source, &pump->error);
    pump->state = FAILED;
}

static void fail_sending(struct xf_pump *pump)
{
    if (xf_sys_is_broken(errno))
        xf_err_set(&pump->error, XF_E_GONE,
                   "connection lost at byte %" PRIu64 " of %" PRIu64 ": %m",
                   pump->offset + pump->moved, pump->offset + pump->length);
    else
        xf_err_set(&pump->error, xf_err_from_errno(errno), "send %s: %m",
                   xf_source_path(pump->source));
    pump->state = FAILED;
}

/*
 * Bytes the other side has not acknowledged; its program may yet leave them
 * unread, but more than this no kernel can tell. Our own end counts as one.
 */
static uint64_t unacknowledged(const struct xf_pump *pump)
{
    size_t queued;

    if (xf_sys_unsent(pump->fd, &queued) < 0)
        return pump->length;
    if (pump->shut && queued > 0)
        queued--;
    return queued;
}

/* No more will be heard from the peer: it has everything, or never will. */
static bool settle(struct xf_pump *pump)
{
    uint64_t missing = unacknowledged(pump);

    pump->state = missing == 0 ? DONE : FAILED;
    if (missing > 0)
        xf_err_set(&pump->error, XF_E_GONE,
                   "connection lost with %" PRIu64 " of %" PRIu64
                   " bytes unacknowledged",
                   missing, pump->offset + pump->length);
    return missing == 0;
}

/* At once: Prosody's proxy keeps a tail of some KB until it sees our end. */
static void hang_up(struct xf_pump *pump)
{
    if (xf_source_changed(pump->source)) {
        fail_changed(pump);
        return;
    }
    pump->shut = xf_sys_shutdown(pump->fd, SHUT_WR) == 0;
    pump->state = WAITING;
    if (!pump->shut)
        (void)settle(pump);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void fetch_ahead(struct xf_pump *pump)
{
    uint64_t next = pump->offset + pump->moved;

    if (pump->fetched >= pump->offset + pump->length ||
        pump->fetched > next + AHEAD / 2)
        return;
    xf_source_will_read(pump->source, pump->fetched, AHEAD);
    pump->fetched += AHEAD;
}

/* For file systems without sendfile. What the socket does not take is read
 * again: rare, and simpler than to remember. */
static ssize_t send_copy(struct xf_pump *pump, size_t len)
{
    ssize_t n =
        xf_sys_pread(xf_source_fd(pump->source), pump->copy,
                     len < COPY ? len : COPY, pump->offset + pump->moved);

    return n > 0 ? xf_sys_send(pump->fd, pump->copy, (size_t)n) : n;
}

static ssize_t send_piece(struct xf_pump *pump, size_t len)
{
    ssize_t n;

    if (pump->copy)
        return send_copy(pump, len);
    n = xf_sys_sendfile(pump->fd, xf_source_fd(pump->source),
                        pump->offset + pump->moved, len);
    if (n >= 0 || (errno != EINVAL && errno != ENOSYS))
        return n;
    pump->copy = xf_sys_alloc(COPY);
    return pump->copy ? send_copy(pump, len) : -1;
}

/*
 * The source is looked at before each piece, so that a receiver of what was
 * put together from two files lacks at least the end of it.
 */
static void send_some(struct xf_pump *pump)
{
    uint64_t begun = pump->moved;

    while (pump->moved < pump->length && pump->moved - begun < pump->most) {
        uint64_t left = least(pump->length - pump->moved,
                              pump->most - (pump->moved - begun));
        ssize_t n;

        if (xf_source_changed(pump->source)) {
            fail_changed(pump);
            return;
        }
        fetch_ahead(pump);
        n = send_piece(pump, (size_t)least(left, PIECE));
        if (n < 0 && later())
            return;
        if (n < 0)
            fail_sending(pump);
        if (n == 0)
            fail_changed(pump);
        if (n <= 0)
            return;
        pump->moved += (size_t)n;
    }
    if (pump->moved == pump->length)
        hang_up(pump);
}

static bool has_error(const struct xf_pump *pump)
{
    int err = 0;
    socklen_t len = sizeof err;

    return xf_sys_getsockopt(pump->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 ||
           err != 0;
}

/*
 * The peer's end came while bytes of ours are under way: it had nothing to
 * say and shut that direction long ago, or it has left. Which, only the acks
 * will tell.
 */
static void wait_for_acks(struct xf_pump *pump)
{
    pump->ended = true;
    if (unacknowledged(pump) == 0 || has_error(pump))
        (void)settle(pump);
}

static void drop_stray(struct xf_pump *pump, size_t n)
{
    pump->stray += n;
    if (pump->stray <= XF_PUMP_STRAY_MAX)
        return;
    xf_err_set(&pump->error, XF_E_PROTO,
               "the receiver sends data of its own on the stream");
    pump->state = FAILED;
}

/* Acknowledged is what its kernel took: a receiver that is well ends its side,
 * one that left bytes unread or lost the file resets it. */
static void fail_reset(struct xf_pump *pump)
{
    if (!settle(pump))
        return;
    xf_err_set(&pump->error, XF_E_GONE,
               "the receiver broke the connection off after the last byte");
    pump->state = FAILED;
}

static void wait_for_end(struct xf_pump *pump)
{
    char bytes[STRAY];

    while (pump->state == WAITING) {
        ssize_t n =
            pump->ended ? 0 : xf_sys_recv(pump->fd, bytes, sizeof bytes, 0);

        if (n < 0 && later())
            return;
        if (n < 0) {
            fail_reset(pump);
            return;
        }
        if (n > 0)
            drop_stray(pump, (size_t)n);
        if (n == 0) {
            wait_for_acks(pump);
            return;
        }
    }
}

/* --- receiving ----------------------------------------------------------- */

static void take_error(struct xf_pump *pump)
{
    pump->error = *xf_intake_error(pump->intake);
    pump->state = FAILED;
}

/* "stream ended" or so, "at byte 5 of 7", and why. */
static void fail_receiving(struct xf_pump *pump, int code, const char *what,
                           const char *why)
{
    uint64_t size = xf_intake_size(pump->intake);
    uint64_t at = xf_intake_bytes(pump->intake);

    if (size == XF_SINK_SIZE_UNKNOWN)
        xf_err_set(&pump->error, code, "%s at byte %" PRIu64 "%s", what, at,
                   why);
    else
        xf_err_set(&pump->error, code,
                   "%s at byte %" PRIu64 " of %" PRIu64 "%s", what, at, size,
                   why);
    pump->state = FAILED;
}

static void fail_recv(struct xf_pump *pump)
{
    int code = xf_sys_is_broken(errno) ? XF_E_GONE : xf_err_from_errno(errno);
    char why[64];

    (void)snprintf(why, sizeof why, ": %m");
    fail_receiving(pump, code, "connection lost", why);
}

static void end_of_stream(struct xf_pump *pump)
{
    if (xf_intake_size(pump->intake) == XF_SINK_SIZE_UNKNOWN)
        pump->state = DONE;
    else
        fail_receiving(pump, XF_E_SHORT, "stream ended", "; not delivered");
}

/*
 * All bytes are here; who sends another one has sent another file. A stream
 * that has nothing to bring is over at its end only: its sender has still to
 * hear that it is there, and to have it activated.
 */
static void last_byte(struct xf_pump *pump)
{
    char byte;
    ssize_t n = xf_sys_recv(pump->fd, &byte, 1, MSG_PEEK);

    if (n < 0 && later() && pump->moved == 0)
        return;
    pump->state = DONE;
    if (n <= 0)
        return;
    xf_err_set(&pump->error, XF_E_LONG,
               "more than the %" PRIu64 " bytes offered; not delivered",
               xf_intake_size(pump->intake));
    pump->state = FAILED;
}

/* One call; false when it is enough for now. The intake's `notify`, and with
 * it anything, may happen within commit. */
static bool receive_piece(struct xf_pump *pump, uint64_t left)
{
    size_t len;
    char *room = xf_intake_room(pump->intake, &len);
    ssize_t n;

    if (!room)
        return false;
    n = xf_sys_recv(pump->fd, room, left < len ? (size_t)left : len, 0);
    if (n < 0) {
        if (!later())
            fail_recv(pump);
        return false;
    }
    if (n == 0) {
        end_of_stream(pump);
        return false;
    }
    pump->moved += (size_t)n;
    (void)xf_intake_commit(pump->intake, (size_t)n);
    return !pump->orphan;
}

static void receive_some(struct xf_pump *pump)
{
    uint64_t begun = pump->moved;
    uint64_t left;

    do {
        left = xf_intake_size(pump->intake) - xf_intake_bytes(pump->intake);
        if (left == 0 && !xf_intake_error(pump->intake)) {
            last_byte(pump);
            return;
        }
        left = least(left, pump->most - (pump->moved - begun));
    } while (left > 0 && receive_piece(pump, left));
    if (!pump->orphan && pump->state == RECEIVING &&
        xf_intake_error(pump->intake))
        take_error(pump);
}

/* --- for the owner ------------------------------------------------------- */

int xf_pump_wants(const struct xf_pump *pump)
{
    switch (pump->state) {
    case SENDING:
        return XF_WANT_WRITE;
    case WAITING:
        return pump->ended ? 0 : XF_WANT_READ;
    case RECEIVING:
        return xf_intake_space(pump->intake) > 0 ? XF_WANT_READ : 0;
    case DONE:
    case FAILED:
        break;
    }
    return 0;
}

static enum xf_pump_status status(const struct xf_pump *pump)
{
    if (pump->state == DONE)
        return XF_PUMP_DONE;
    return pump->state == FAILED ? XF_PUMP_FAILED : XF_PUMP_AGAIN;
}

enum xf_pump_status xf_pump_step(struct xf_pump *pump)
{
    if (pump->stepping)
        return XF_PUMP_AGAIN;
    pump->stepping = true;
    if (pump->state == SENDING)
        send_some(pump);
    if (pump->state == WAITING)
        wait_for_end(pump);
    if (pump->state == RECEIVING)
        receive_some(pump);
    pump->stepping = false;
    if (!pump->orphan)
        return status(pump);
    destroy(pump);
    return XF_PUMP_AGAIN;
}

int xf_pump_fd(const struct xf_pump *pump)
{
    return pump->fd;
}

uint64_t xf_pump_bytes(const struct xf_pump *pump)
{
    return pump->moved;
}

bool xf_pump_waiting(const struct xf_pump *pump)
{
    return pump->state == WAITING;
}

bool xf_pump_moving(const struct xf_pump *pump)
{
    return pump->state == SENDING || pump->state == RECEIVING;
}

void xf_pump_set_most(struct xf_pump *pump, uint64_t bytes)
{
    pump->most = bytes;
}

bool xf_pump_lingered(struct xf_pump *pump)
{
    if (pump->state == WAITING)
        return settle(pump);
    return pump->state == DONE;
}

const struct xf_error_info *xf_pump_error(const struct xf_pump *pump)
{
    return pump->state == FAILED ? &pump->error : NULL;
}
