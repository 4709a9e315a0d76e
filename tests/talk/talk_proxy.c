/* A SOCKS5 proxy (XEP-0065) for two connections, as small as it can be. */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "talk.h"

#define REQUEST 47 /* CONNECT to 40 hexadecimal digits */

struct one {
    int fd;
    size_t got;
    unsigned char in[3 + REQUEST];
    bool greeted, asked;
    char held[65536];
    size_t held_len;
    bool ended, shut;
};

struct talk_proxy {
    int fd;
    uint16_t port;
    size_t count;
    struct one one[2];
    bool active;
    size_t relayed;
    uint64_t cut_at; /* UINT64_MAX: not at all */
    uint64_t brought;
};

struct talk_proxy *talk_proxy_new(void)
{
    struct talk_proxy *p = calloc(1, sizeof *p);
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;

    assert_non_null(p);
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(p->fd >= 0);
    assert_int_equal(bind(p->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(p->fd, 8), 0);
    assert_int_equal(getsockname(p->fd, (struct sockaddr *)&at, &len), 0);
    p->port = ntohs(at.sin_port);
    p->cut_at = UINT64_MAX;
    return p;
}

void talk_proxy_cut(struct talk_proxy *p, uint64_t at)
{
    p->cut_at = at;
}

uint64_t talk_proxy_bytes(const struct talk_proxy *p)
{
    return p->brought;
}

void talk_proxy_free(struct talk_proxy *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->count; i++)
        close(p->one[i].fd);
    close(p->fd);
    free(p);
}

bool talk_proxy_was_used(const struct talk_proxy *p)
{
    return p->active && p->relayed > 0;
}

const char *talk_proxy_answer(struct talk_proxy *p, const char *xml)
{
    static char out[1024];
    const char *id = talk_attr(xml, NULL, "id");
    const char *from = talk_attr(xml, NULL, "from");

    if (strstr(xml, "<activate")) {
        p->active = p->count == 2 && p->one[0].asked && p->one[1].asked;
        snprintf(out, sizeof out,
                 "<iq type='%s' id='%s' from='" PROXY "' to='%s'>%s</iq>",
                 p->active ? "result" : "error", id, from,
                 p->active ? "" : TALK_NOT_FOUND);
    } else {
        snprintf(out, sizeof out,
                 "<iq type='result' id='%s' from='" PROXY "' to='%s'>"
                 "<query xmlns='http://jabber.org/protocol/bytestreams'>"
                 "<streamhost jid='" PROXY "' host='127.0.0.1' port='%u'/>"
                 "</query></iq>",
                 id, from, p->port);
    }
    return out;
}

static void shake(struct one *o)
{
    unsigned char reply[REQUEST];
    ssize_t n =
        recv(o->fd, o->in + o->got, (o->greeted ? REQUEST : 3u) - o->got, 0);

    if (n <= 0)
        return;
    o->got += (size_t)n;
    if (!o->greeted && o->got == 3) {
        o->greeted = true;
        o->got = 0;
        assert_int_equal(send(o->fd, "\x05\x00", 2, MSG_NOSIGNAL), 2);
    } else if (o->greeted && o->got == REQUEST) {
        o->asked = true;
        memcpy(reply, o->in, REQUEST);
        reply[1] = 0;
        assert_int_equal(send(o->fd, reply, REQUEST, MSG_NOSIGNAL), REQUEST);
    }
}

/* Both streams of bytes end, and others may begin. */
void talk_proxy_drop(struct talk_proxy *p)
{
    for (size_t i = 0; i < p->count; i++)
        close(p->one[i].fd);
    memset(p->one, 0, sizeof p->one);
    p->count = 0;
    p->active = false;
    p->cut_at = UINT64_MAX;
}

static void relay(struct talk_proxy *p, struct one *from, struct one *to)
{
    ssize_t n;

    if (from->held_len == 0 && !from->ended) {
        size_t most = sizeof from->held;

        if (p->cut_at < most)
            most = (size_t)p->cut_at;
        if (most == 0)
            return;
        n = recv(from->fd, from->held, most, 0);
        if (n > 0)
            from->held_len = (size_t)n;
        from->ended = n == 0 || (n < 0 && errno != EAGAIN);
    }
    if (from->held_len > 0) {
        n = send(to->fd, from->held, from->held_len, MSG_NOSIGNAL);
        if (n > 0) {
            p->relayed += (size_t)n;
            p->brought += (size_t)n;
            if (p->cut_at != UINT64_MAX)
                p->cut_at -= (uint64_t)n;
            from->held_len -= (size_t)n;
            memmove(from->held, from->held + n, from->held_len);
        } else if (errno != EAGAIN) {
            from->held_len = 0;
        }
    }
    if (from->ended && from->held_len == 0 && !to->shut) {
        to->shut = true;
        (void)shutdown(to->fd, SHUT_WR);
    }
}

void talk_proxy_step(struct talk_proxy *p)
{
    if (p->count < 2) {
        int fd = accept4(p->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            p->one[p->count++].fd = fd;
    }
    for (size_t i = 0; i < p->count; i++)
        if (!p->one[i].asked)
            shake(&p->one[i]);
    if (!p->active)
        return;
    relay(p, &p->one[0], &p->one[1]);
    relay(p, &p->one[1], &p->one[0]);
    if (p->cut_at == 0)
        talk_proxy_drop(p);
}
