/* Between Juliet and the listener of Romeo: lets through, counts, breaks. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "talk.h"

#define CONNECTIONS 8
#define SHAKE 49 /* bytes of the server's in a SOCKS5 handshake of ours */

struct way {
    char held[65536];
    size_t len;
    bool ended, shut;
};

struct one {
    int juliet, romeo;
    struct way up, down; /* down: toward Juliet, the file */
    uint64_t brought;    /* down, behind the handshake */
    size_t shaken;
    bool silent;
};

struct talk_relay {
    int fd;
    uint16_t to;
    char address[32]; /* that is told */
    unsigned count;
    struct one one[CONNECTIONS];
    struct {
        uint64_t at;
        enum talk_cut how;
    } cut[CONNECTIONS];
};

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons(port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int bound(uint16_t *port)
{
    struct sockaddr_in at = loopback(0);
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

void talk_relay_put(struct talk *t)
{
    struct talk_relay *relay = calloc(1, sizeof *relay);
    uint16_t port;
    int probe;

    assert_non_null(relay);
    probe = bound(&relay->to); /* free now, and likely a moment later */
    relay->fd = bound(&port);
    close(probe);
    assert_int_equal(listen(relay->fd, 8), 0);
    snprintf(relay->address, sizeof relay->address, "127.0.0.1:%u", port);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        relay->cut[i].at = UINT64_MAX;
    t->side[R].config.listen_from = t->side[R].config.listen_to = relay->to;
    t->side[R].config.addresses[0] = relay->address;
    t->relay = relay;
}

void talk_relay_cut(struct talk_relay *relay, unsigned nth, uint64_t at,
                    enum talk_cut how)
{
    assert_in_range(nth, 1, CONNECTIONS);
    relay->cut[nth - 1].at = at;
    relay->cut[nth - 1].how = how;
}

uint64_t talk_relay_bytes(const struct talk_relay *relay)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < relay->count; i++)
        bytes += relay->one[i].brought;
    return bytes;
}

static void hang_up(struct one *one, bool reset)
{
    struct linger now = { .l_onoff = reset, .l_linger = 0 };

    if (one->juliet < 0)
        return;
    setsockopt(one->juliet, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    setsockopt(one->romeo, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(one->juliet);
    close(one->romeo);
    one->juliet = one->romeo = -1;
}

void talk_relay_free(struct talk_relay *relay)
{
    if (!relay)
        return;
    for (unsigned i = 0; i < relay->count; i++)
        hang_up(&relay->one[i], false);
    close(relay->fd);
    free(relay);
}

static void let_in(struct talk_relay *relay)
{
    int juliet = accept4(relay->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct sockaddr_in at = loopback(relay->to);
    int romeo;

    if (juliet < 0)
        return;
    assert_true(relay->count < CONNECTIONS);
    romeo = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(romeo >= 0);
    assert_true(connect(romeo, (struct sockaddr *)&at, sizeof at) == 0 ||
                errno == EINPROGRESS);
    relay->one[relay->count++] =
        (struct one){ .juliet = juliet, .romeo = romeo };
}

/* `most` bytes at most; those that were handed on. */
static size_t carry(int from, int to, struct way *way, uint64_t most)
{
    ssize_t n;

    if (way->len == 0 && !way->ended) {
        n = recv(from, way->held,
                 most < sizeof way->held ? (size_t)most : sizeof way->held, 0);
        if (n > 0)
            way->len = (size_t)n;
        way->ended = (n == 0 && most > 0) ||
                     (n < 0 && errno != EAGAIN && errno != ENOTCONN);
    }
    n = way->len > 0 ? send(to, way->held, way->len, MSG_NOSIGNAL) : 0;
    if (n > 0) {
        way->len -= (size_t)n;
        memmove(way->held, way->held + n, way->len);
    }
    if (way->ended && way->len == 0 && !way->shut) {
        way->shut = true;
        (void)shutdown(to, SHUT_WR);
    }
    return n > 0 ? (size_t)n : 0;
}

static void step(struct talk_relay *relay, unsigned i)
{
    struct one *one = &relay->one[i];
    uint64_t left = relay->cut[i].at - one->brought;

    if (one->juliet < 0 || one->silent)
        return;
    (void)carry(one->juliet, one->romeo, &one->up, UINT64_MAX);
    if (one->shaken < SHAKE)
        one->shaken +=
            carry(one->romeo, one->juliet, &one->down, SHAKE - one->shaken);
    else if (left > 0)
        one->brought += carry(one->romeo, one->juliet, &one->down, left);
    if (one->shaken < SHAKE || one->brought < relay->cut[i].at)
        return;
    if (relay->cut[i].how == TALK_SILENCE)
        one->silent = true;
    else
        hang_up(one, relay->cut[i].how == TALK_RESET);
}

void talk_relay_step(struct talk_relay *relay)
{
    let_in(relay);
    for (unsigned i = 0; i < relay->count; i++)
        step(relay, i);
}
