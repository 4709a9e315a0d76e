/*
 * A TCP relay that is as far away as it is told to be: what comes in at one
 * side goes out at the other so many microseconds later, both ways, however
 * much is on its way. For measurements; it knows nothing of what passes.
 *
 *     delay LISTEN_PORT TARGET_PORT ONE_WAY_US
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536u
#define QUEUE_MAX (64u << 20) /* of one direction; then it is not read */
#define SIDES_MAX 256

struct piece {
    struct piece *next;
    int64_t due;
    size_t at, len; /* len 0: the end */
    char bytes[];
};

/* One socket, and what is to be written to it. */
struct side {
    int fd;
    struct side *other;
    struct piece *first, **last;
    size_t queued;
    bool ended, blocked, full;
};

static struct side *sides[SIDES_MAX];
static size_t count;
static int poller;
static int64_t delay_us;

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_in loopback(int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static void watch(struct side *s)
{
    struct epoll_event ev = { .data.ptr = s };

    ev.events =
        (s->ended || s->full ? 0 : EPOLLIN) | (s->blocked ? EPOLLOUT : 0);
    epoll_ctl(poller, EPOLL_CTL_MOD, s->fd, &ev);
}

static struct side *add(int fd)
{
    struct side *s = calloc(1, sizeof *s);
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };
    int on = 1;

    if (!s || count == SIDES_MAX)
        die("sides");
    s->fd = fd;
    s->last = &s->first;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &ev);
    sides[count++] = s;
    return s;
}

static void welcome(int listener, int target)
{
    struct sockaddr_in to = loopback(target);
    int in = accept(listener, NULL, NULL), out;
    struct side *a, *b;

    if (in < 0)
        return;
    out = socket(AF_INET, SOCK_STREAM, 0);
    if (out < 0 || connect(out, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect");
    a = add(in);
    b = add(out);
    a->other = b;
    b->other = a;
}

static void queue(struct side *to, struct piece *p)
{
    p->next = NULL;
    p->due = now_us() + delay_us;
    *to->last = p;
    to->last = &p->next;
    to->queued += p->len;
}

static void take(struct side *s)
{
    struct side *to = s->other;
    struct piece *p = malloc(sizeof *p + PIECE);
    int on = 1;
    ssize_t n;

    if (!p)
        die("malloc");
    n = recv(s->fd, p->bytes, PIECE, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        free(p);
        return;
    }
    p->at = 0;
    p->len = n > 0 ? (size_t)n : 0;
    s->ended = n <= 0;
    if (p->len < PIECE / 2) {
        struct piece *small = realloc(p, sizeof *p + p->len);
        p = small ? small : p;
    }
    queue(to, p);
    s->full = to->queued > QUEUE_MAX;
    setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    watch(s);
}

/* What is due; when the next will be, or INT64_MAX. */
static int64_t give(struct side *s, int64_t now)
{
    while (s->first && !s->blocked) {
        struct piece *p = s->first;
        ssize_t n = 0;

        if (p->due > now)
            return p->due;
        if (p->len == 0)
            shutdown(s->fd, SHUT_WR);
        else
            n = send(s->fd, p->bytes + p->at, p->len - p->at, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) {
            s->blocked = true;
            watch(s);
            break;
        }
        p->at += n > 0 ? (size_t)n : p->len - p->at;
        if (p->at < p->len)
            continue;
        s->queued -= p->len;
        s->first = p->next;
        if (!s->first)
            s->last = &s->first;
        free(p);
        if (s->other->full && s->queued < QUEUE_MAX / 2) {
            s->other->full = false;
            watch(s->other);
        }
    }
    return INT64_MAX;
}

int main(int argc, char **argv)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1, clock;
    struct epoll_event ev = { .events = EPOLLIN }, got[64];
    struct sockaddr_in here;

    if (argc != 4)
        return 2;
    here = loopback(atoi(argv[1]));
    delay_us = atoll(argv[3]);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) != 0 ||
        listen(listener, 16) != 0)
        die("listen");
    poller = epoll_create1(0);
    clock = timerfd_create(CLOCK_MONOTONIC, 0);
    ev.data.ptr = NULL;
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &ev);
    ev.data.ptr = &clock;
    epoll_ctl(poller, EPOLL_CTL_ADD, clock, &ev);
    for (;;) {
        int n = epoll_wait(poller, got, 64, -1);
        int64_t now, next = INT64_MAX;

        for (int i = 0; i < n; i++) {
            struct side *s = got[i].data.ptr;

            if (!s) {
                welcome(listener, atoi(argv[2]));
            } else if ((void *)s == (void *)&clock) {
                uint64_t ticks;
                (void)!read(clock, &ticks, sizeof ticks);
            } else {
                if (got[i].events & EPOLLOUT) {
                    s->blocked = false;
                    watch(s);
                }
                if (got[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) &&
                    !s->ended && !s->full)
                    take(s);
            }
        }
        now = now_us();
        for (size_t i = 0; i < count; i++) {
            int64_t due = give(sides[i], now);
            next = due < next ? due : next;
        }
        if (next != INT64_MAX) {
            struct itimerspec at = { .it_value = { next / 1000000,
                                                   next % 1000000 * 1000 } };
            timerfd_settime(clock, TFD_TIMER_ABSTIME, &at, NULL);
        }
    }
}
