/* Greeting, request, and who asked for the same. */
#include "door.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST 47
#define HEADS 4096

struct guest {
    int fd;
    struct guest *next;
    bool greeted;
    size_t got;
    unsigned char in[REQUEST];
};

struct door {
    int epoll, listener;
    door_fn *pair;
    struct guest *waiting[HEADS];
};

static void leave(struct door *d, struct guest *g)
{
    epoll_ctl(d->epoll, EPOLL_CTL_DEL, g->fd, NULL);
}

/* The first gets his answer with the second: the generator does not mind. */
static void asked(struct door *d, struct guest *g)
{
    struct guest **at, *first;
    unsigned head = 0;

    leave(d, g);
    for (int i = 5; i < 45; i++)
        head = head * 31 + g->in[i];
    at = &d->waiting[head % HEADS];
    while (*at && memcmp((*at)->in, g->in, REQUEST) != 0)
        at = &(*at)->next;
    first = *at;
    if (!first) {
        *at = g;
        return;
    }
    *at = first->next;
    memcpy(g->in, "\5\0\0", 3);
    (void)!send(first->fd, g->in, REQUEST, 0);
    (void)!send(g->fd, g->in, REQUEST, 0);
    d->pair(first->fd, g->fd);
    free(first);
    free(g);
}

static void hear(struct door *d, struct guest *g)
{
    size_t wanted = g->greeted ? REQUEST : 3;
    ssize_t n = recv(g->fd, g->in + g->got, wanted - g->got, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        close(g->fd);
        free(g);
        return;
    }
    g->got += (size_t)n;
    if (g->got < wanted)
        return;
    if (g->greeted) {
        asked(d, g);
        return;
    }
    g->greeted = true;
    g->got = 0;
    (void)!send(g->fd, "\5", 2, 0);
}

static void let_in(struct door *d)
{
    int fd, one = 1;

    while ((fd = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct guest *g = calloc(1, sizeof *g);
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = g };

        if (!g)
            exit(1);
        g->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

void door_turn(struct door *d)
{
    struct epoll_event events[64];
    int n = epoll_wait(d->epoll, events, 64, 0);

    for (int i = 0; i < n; i++) {
        if (events[i].data.ptr)
            hear(d, events[i].data.ptr);
        else
            let_in(d);
    }
}

int door_fd(const struct door *d)
{
    return d->epoll;
}

struct door *door_open(uint16_t port, door_fn *pair)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct epoll_event event = { .events = EPOLLIN };
    struct door *d = calloc(1, sizeof *d);
    struct rlimit files;
    int one = 1;

    if (!d)
        exit(1);
    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    d->pair = pair;
    d->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(d->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(d->listener, (struct sockaddr *)&at, sizeof at) < 0 ||
        listen(d->listener, 4096) < 0) {
        perror("door");
        exit(1);
    }
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(d->epoll, EPOLL_CTL_ADD, d->listener, &event);
    return d;
}
