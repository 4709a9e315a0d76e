/*
 * The bytes of a link: what is queued goes through TLS onto the socket, what
 * arrives goes the other way and is told. After each word the link may be gone
 * or closing, so whoever told something looks again before he goes on.
 */
#include "net/link_inside.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "base/sys.h"
#include "net/dial.h"

#define READ_A_TURN (1u << 20)    /* others want their turn too */
#define RECORD (16u << 10)        /* plain bytes of one TLS record */
#define CIPHER_AHEAD (256u << 10) /* encrypted before the socket takes it */

/* --- sending ------------------------------------------------------------- */

size_t xf_link_queued(const struct xf_link *l)
{
    return l->plain.len + l->out.len;
}

size_t xf_link_unsent(const struct xf_link *l)
{
    size_t kernel = 0;

    if (l->fd >= 0)
        (void)xf_sys_unsent(l->fd, &kernel);
    return xf_link_queued(l) + kernel;
}

/* What TLS has for the wire. False without memory. */
static bool take_cipher(struct xf_link *l)
{
    size_t len = xf_tls_pending(l->tls);
    char *room;

    if (len == 0)
        return true;
    room = xf_buf_room(&l->out, len);
    if (!room)
        return false;
    xf_buf_add(&l->out, xf_tls_drain(l->tls, room, len));
    return true;
}

/* Plain bytes into TLS, not far ahead of the socket. False when that fails. */
static bool encrypt(struct xf_link *l)
{
    if (!l->tls)
        return true;
    while (l->secured && l->plain.len > 0 && l->out.len < CIPHER_AHEAD) {
        size_t len = l->plain.len < RECORD ? l->plain.len : RECORD;

        if (xf_tls_write(l->tls, xf_buf_bytes(&l->plain), len) != 0 ||
            !take_cipher(l))
            return false;
        xf_buf_take(&l->plain, len);
    }
    return take_cipher(l);
}

static void want(struct xf_link *l)
{
    int events = l->paused ? 0 : XF_WATCH_READ;

    if (l->out.len > 0)
        events |= XF_WATCH_WRITE;
    if (l->watch)
        xf_watch_set(l->watch, events);
}

/*
 * A failed send is not told yet: what the server said before it went, such as
 * why, is still to be read. What has arrived survives the shutdown, and the
 * end comes right behind it.
 */
static void no_more_sending(struct xf_link *l, int err)
{
    l->send_err = err;
    (void)xf_sys_shutdown(l->fd, SHUT_RDWR);
    xf_buf_reset(&l->plain);
    xf_buf_reset(&l->out);
}

static void write_out(struct xf_link *l)
{
    while (l->send_err == 0) {
        ssize_t n;

        if (!encrypt(l)) {
            no_more_sending(l, ENOMEM);
            return;
        }
        if (l->out.len == 0)
            return;
        n = xf_sys_send(l->fd, xf_buf_bytes(&l->out), l->out.len);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n < 0)
            no_more_sending(l, errno);
        else
            xf_buf_take(&l->out, (size_t)n);
    }
}

/* The end, once all before it is on its way: close_notify, then FIN. */
static void say_end(struct xf_link *l)
{
    if (l->state != XF_LINK_CLOSING || l->shut || l->send_err != 0 ||
        xf_link_queued(l) > 0)
        return;
    if (l->secured && !l->end_said) {
        l->end_said = true;
        xf_tls_close(l->tls);
        write_out(l);
        if (l->out.len > 0 || l->send_err != 0)
            return;
    }
    l->shut = true;
    (void)xf_sys_shutdown(l->fd, SHUT_WR);
    xf_timer_set(l->limit, xf_loop_now(l->loop) + XF_LINK_CLOSE_WAIT_MS);
}

/* Tells nothing, so it may be called at any time. */
void xf_link_push(struct xf_link *l)
{
    if (l->fd < 0)
        return;
    write_out(l);
    say_end(l);
    want(l);
}

void xf_link_at_next_turn(struct xf_link *l)
{
    if (!l->due)
        xf_timer_set(l->soon, xf_loop_now(l->loop));
    l->due = true;
}

/*
 * Write, and tell what came of it. True when the link can go on. Out of memory
 * is told here: the socket does not know of it.
 */
static bool push_and_tell(struct xf_link *l)
{
    xf_link_push(l);
    if (l->send_err == ENOMEM && l->fd >= 0) {
        if (l->tls && xf_tls_state(l->tls) == XF_TLS_FAILED)
            xf_link_tls_failed(l, xf_tls_error(l->tls));
        else
            xf_link_over(l, &(const struct xf_error_info){
                                .code = XF_E_LIMIT, .text = "out of memory" });
        return false;
    }
    if (l->was_high && xf_link_queued(l) < XF_LINK_LOW) {
        l->was_high = false;
        if (l->state == XF_LINK_OPEN)
            l->events->drained(l->ctx);
    }
    return !l->grave.dead && l->state != XF_LINK_OVER;
}

int xf_link_send(struct xf_link *l, const void *bytes, size_t len)
{
    struct xf_buf *queue = l->tls ? &l->plain : &l->out;

    if (l->state != XF_LINK_OPEN || l->send_err != 0)
        return XF_E_STREAM;
    if (len > XF_LINK_QUEUE_MAX || xf_link_queued(l) > XF_LINK_QUEUE_MAX - len)
        return XF_E_LIMIT;
    xf_buf_put(queue, bytes, len);
    if (queue->failed) {
        queue->failed = false; /* it holds what it held */
        return XF_E_LIMIT;
    }
    if (xf_link_queued(l) >= XF_LINK_LOW)
        l->was_high = true;
    xf_link_at_next_turn(l);
    return 0;
}

void xf_link_flush(struct xf_link *l)
{
    if (l->state != XF_LINK_OPEN)
        return;
    xf_link_push(l);
    if (l->was_high || l->send_err != 0)
        xf_link_at_next_turn(l);
}

/* --- receiving ----------------------------------------------------------- */

/* Each returns true when the link can go on reading. */

static bool can_read(const struct xf_link *l)
{
    return !l->grave.dead && l->fd >= 0 && !l->paused;
}

static bool tell_received(struct xf_link *l, const char *bytes, size_t len)
{
    if (len > 0 && l->state != XF_LINK_HANDSHAKE)
        l->events->received(l->ctx, bytes, len);
    return can_read(l);
}

static bool tell_secured(struct xf_link *l)
{
    l->secured = true;
    xf_timer_set(l->limit, XF_TIMER_OFF);
    if (l->state == XF_LINK_HANDSHAKE) {
        l->state = XF_LINK_OPEN;
        xf_find_free(l->find);
        l->find = NULL;
        l->events->connected(l->ctx, true);
    } else {
        l->events->secured(l->ctx);
    }
    return can_read(l);
}

/* The alert goes out as far as the socket takes it. */
static bool end_tls(struct xf_link *l)
{
    xf_buf_reset(&l->plain);
    xf_link_push(l);
    xf_link_tls_failed(l, xf_tls_error(l->tls));
    return false;
}

/* The server has said the end; so do we, as far as the socket takes it. */
static bool end_well(struct xf_link *l)
{
    xf_link_push(l);
    xf_buf_reset(&l->plain); /* nothing may follow close_notify */
    if (!l->end_said)
        xf_tls_close(l->tls);
    xf_link_push(l);
    xf_link_over_well(l);
    return false;
}

static bool take_tls(struct xf_link *l)
{
    for (;;) {
        size_t len;

        if (xf_tls_state(l->tls) == XF_TLS_FAILED)
            return end_tls(l);
        if (xf_tls_state(l->tls) == XF_TLS_HANDSHAKE)
            return true;
        if (!l->secured && !tell_secured(l))
            return false;
        len = xf_tls_read(l->tls, l->text, sizeof l->text);
        if (len > 0 && !tell_received(l, l->text, len))
            return false;
        if (len > 0)
            continue;
        if (xf_tls_state(l->tls) == XF_TLS_CLOSED)
            return end_well(l);
        if (xf_tls_state(l->tls) == XF_TLS_OPEN)
            return true;
    }
}

/*
 * Within TLS an end without close_notify may be anybody's; in clear, and when
 * we had said the end ourselves, it is in good order.
 */
static void take_end(struct xf_link *l)
{
    xf_link_push(l); /* perhaps the last bytes can still go */
    if (l->tls && !l->secured)
        xf_link_handshake_ended(l, "the server hung up");
    else if (l->shut)
        xf_link_over_well(l);
    else if (l->send_err != 0)
        xf_link_over_stream(l, "was lost");
    else if (l->tls || l->state == XF_LINK_CLOSING)
        xf_link_over_stream(l, "was cut off");
    else
        xf_link_over_well(l);
}

static void take_error(struct xf_link *l, int err)
{
    if (l->tls && !l->secured)
        xf_link_handshake_ended(l, err == ECONNRESET ? "the server hung up"
                                                     : xf_connect_words(err));
    else if (l->shut)
        xf_link_over_well(l); /* both ended it; a reset changes nothing */
    else if (err == ECONNRESET)
        xf_link_over_stream(l, "was reset");
    else if (err == ETIMEDOUT)
        xf_link_over_stream(l, "timed out");
    else
        xf_link_over_stream(l, "was lost");
}

/* Bytes off the wire, one read of them. */
static bool take(struct xf_link *l, size_t len)
{
    if (!l->tls)
        return tell_received(l, l->wire, len);
    (void)xf_tls_feed(l->tls, l->wire, len);
    return take_tls(l);
}

static void pull(struct xf_link *l)
{
    const int on = 1;
    size_t total = 0;

    while (total < READ_A_TURN) {
        ssize_t n = xf_sys_recv(l->fd, l->wire, sizeof l->wire, 0);

        if (n == 0) {
            take_end(l);
            return;
        }
        if (n < 0) {
            if (errno != EAGAIN && errno != EWOULDBLOCK) {
                take_error(l, errno);
                return;
            }
            break;
        }
        if (!take(l, (size_t)n))
            return;
        total += (size_t)n;
        if ((size_t)n < sizeof l->wire)
            break;
    }
    /* Each read ends it; a late ack costs the server's next block 40 ms. */
    (void)xf_sys_setsockopt(l->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void xf_link_ready(void *ctx, int events)
{
    struct xf_link *l = ctx;

    if ((events & XF_WATCH_WRITE) && !push_and_tell(l))
        return;
    if ((events & XF_WATCH_READ) && can_read(l))
        pull(l);
    if (!l->grave.dead)
        (void)push_and_tell(l); /* TLS may have something to say by itself */
}

void xf_link_turn(void *ctx)
{
    struct xf_link *l = ctx;

    l->due = false;
    if (l->failure.code != 0) {
        xf_link_over(l, &l->failure);
        return;
    }
    if (l->state == XF_LINK_CLOSING && l->fd < 0) {
        xf_link_over_well(l);
        return;
    }
    if (!push_and_tell(l))
        return;
    /* Left over by a pause: the socket will not tell of it again. */
    if (l->tls && can_read(l) && take_tls(l))
        (void)push_and_tell(l);
}
