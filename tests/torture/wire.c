/* A SOCKS5 proxy and a relay that cuts, on loopback; see stage.h. Not by
 * send() and recv(): those are the shim's, for the two ends. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>

#include "stage.h"

#define REQUEST 47 /* CONNECT to 40 hexadecimal digits */
#define LINKS 64

/* One way of a pair of connections. */
struct flow {
    char held[65536];
    size_t len;
    uint64_t passed;
    bool ended, shut;
};

struct link {
    int fd[2]; /* 0: who dialled us; 1: the other one, or -1 */
    bool relay;
    struct flow flow[2]; /* [0] from fd[0] to fd[1] */
    /* by proxy, until it is joined to another one */
    size_t got;
    bool greeted, asked;
    char in[REQUEST];
    bool open;
};

struct wire {
    int proxy, relay;
    uint16_t proxy_port, relay_port, leads_to;
    struct link *links[LINKS];
    size_t count;
    unsigned relayed; /* connections so far */
    struct cut cut;
    uint64_t last[8][2];
};

static int listener(uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) < 0 ||
        listen(fd, 64) < 0 || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

struct wire *wire_new(void)
{
    struct wire *w = calloc(1, sizeof *w);

    if (!w)
        abort();
    w->proxy = listener(&w->proxy_port);
    w->relay = listener(&w->relay_port);
    return w;
}

static void close_link(struct link *l)
{
    for (int i = 0; i < 2; i++)
        if (l->fd[i] >= 0)
            close(l->fd[i]);
    l->fd[0] = l->fd[1] = -1;
    l->open = false;
}

void wire_clear(struct wire *w)
{
    int fd;

    for (size_t i = 0; i < w->count; i++) {
        close_link(w->links[i]);
        free(w->links[i]);
    }
    w->count = 0;
    w->relayed = 0;
    w->cut = (struct cut){ 0 };
    while ((fd = accept4(w->proxy, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(fd);
    while ((fd = accept4(w->relay, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        close(fd);
}

void wire_free(struct wire *w)
{
    wire_clear(w);
    close(w->proxy);
    close(w->relay);
    free(w);
}

uint16_t wire_proxy_port(struct wire *w)
{
    return w->proxy_port;
}

uint16_t wire_through(struct wire *w, uint16_t port)
{
    w->leads_to = port;
    return w->relay_port;
}

struct cut *wire_cut(struct wire *w)
{
    return &w->cut;
}

uint64_t wire_bytes(struct wire *w, unsigned connection, unsigned from)
{
    return connection < 8 ? w->last[connection][from] : 0;
}

static struct link *add(struct wire *w, int fd, bool relay)
{
    struct link *l;

    if (w->count == LINKS) {
        close(fd);
        return NULL;
    }
    l = calloc(1, sizeof *l);
    if (!l)
        abort();
    l->fd[0] = fd;
    l->fd[1] = -1;
    l->relay = relay;
    l->open = true;
    w->links[w->count++] = l;
    return l;
}

/* --- the relay ---------------------------------------------------------------- */

static void cut_off(struct wire *w, struct link *l)
{
    struct linger now = { 1, 0 };

    w->cut.done = true;
    for (int i = 0; i < 2 && w->cut.reset; i++)
        if (l->fd[i] >= 0)
            (void)setsockopt(l->fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close_link(l);
}

static void take_relayed(struct wire *w)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(w->leads_to) };
    int fd = accept4(w->relay, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct link *l = fd >= 0 ? add(w, fd, true) : NULL;

    if (!l)
        return;
    l->got = w->relayed++; /* its number */
    if (l->got < 8)
        w->last[l->got][0] = w->last[l->got][1] = 0;
    l->fd[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->fd[1] < 0 ||
        connect(l->fd[1], (struct sockaddr *)&at, sizeof at) < 0)
        close_link(l);
}

/* --- the proxy ---------------------------------------------------------------- */

static bool shake(struct link *l)
{
    ssize_t n =
        recvfrom(l->fd[0], l->in + l->got, (l->greeted ? REQUEST : 3u) - l->got,
                 MSG_DONTWAIT, NULL, NULL);
    char reply[REQUEST];

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        close_link(l);
        return true;
    }
    if (n < 0)
        return false;
    l->got += (size_t)n;
    if (!l->greeted && l->got == 3) {
        l->greeted = true;
        l->got = 0;
        (void)!sendto(l->fd[0], "\x05\x00", 2, MSG_NOSIGNAL, NULL, 0);
    } else if (l->greeted && l->got == REQUEST) {
        l->asked = true;
        memcpy(reply, l->in, REQUEST);
        reply[1] = 0;
        (void)!sendto(l->fd[0], reply, REQUEST, MSG_NOSIGNAL, NULL, 0);
    }
    return true;
}

/* The last two that asked for the same are joined. */
bool wire_activate(struct wire *w)
{
    for (size_t a = w->count; a-- > 0;) {
        struct link *one = w->links[a];

        if (!one->open || one->relay || !one->asked || one->fd[1] >= 0)
            continue;
        for (size_t b = a; b-- > 0;) {
            struct link *two = w->links[b];

            if (!two->open || two->relay || !two->asked || two->fd[1] >= 0 ||
                memcmp(one->in, two->in, REQUEST) != 0)
                continue;
            one->fd[1] = two->fd[0];
            two->fd[0] = -1;
            two->open = false;
            return true;
        }
    }
    return false;
}

/* --- both --------------------------------------------------------------------- */

static bool pass(struct wire *w, struct link *l, unsigned from)
{
    struct flow *f = &l->flow[from];
    int in = l->fd[from], out = l->fd[1 - from];
    bool counted = l->relay && w->cut.on && !w->cut.done &&
                   w->cut.connection == l->got && w->cut.from == from;
    size_t room = sizeof f->held;
    bool any = false;
    ssize_t n;

    if (counted && w->cut.at - f->passed < room)
        room = (size_t)(w->cut.at - f->passed);
    if (f->len == 0 && !f->ended && room > 0) {
        n = recvfrom(in, f->held, room, MSG_DONTWAIT, NULL, NULL);
        if (n > 0)
            f->len = (size_t)n;
        f->ended = n == 0 || (n < 0 && errno != EAGAIN);
        any = n >= 0 || f->ended;
    }
    if (f->len > 0) {
        n = sendto(out, f->held, f->len, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
        if (n > 0) {
            any = true;
            f->passed += (uint64_t)n;
            f->len -= (size_t)n;
            memmove(f->held, f->held + n, f->len);
        } else if (errno != EAGAIN) { /* nobody is there to take it */
            close_link(l);
            return true;
        }
    }
    if (l->relay && l->got < 8)
        w->last[l->got][from] = f->passed;
    if (counted && f->passed == w->cut.at) {
        cut_off(w, l);
        return true;
    }
    if (f->ended && f->len == 0 && !f->shut) {
        f->shut = true;
        (void)shutdown(out, SHUT_WR);
    }
    return any;
}

bool wire_step(struct wire *w)
{
    size_t before = w->count;
    bool any;
    int fd;

    while ((fd = accept4(w->proxy, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >=
           0)
        (void)add(w, fd, false);
    if (w->leads_to)
        take_relayed(w);
    any = w->count != before;
    for (size_t i = 0; i < w->count; i++) {
        struct link *l = w->links[i];

        if (l->open && !l->relay && !l->asked && shake(l))
            any = true;
        if (l->open && l->fd[1] >= 0 && pass(w, l, 0))
            any = true;
        if (l->open && l->fd[1] >= 0 && pass(w, l, 1))
            any = true;
        /* Over for both: gone, so that each end sees it. */
        if (l->open && l->fd[1] >= 0 && l->flow[0].shut && l->flow[1].shut)
            close_link(l);
    }
    return any;
}
