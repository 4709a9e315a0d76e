/*
 * The least a relay can do, as a limit to measure against: a pair is spliced
 * together, through pipes of its own, whenever epoll says so. No limits, no
 * deadlines, no care for who breaks off, and no process but one for each port,
 * so that no pair has to be handed over.
 *
 *     bare PORT [PROCESSES]     listens on PORT, PORT+1, ... of 127.0.0.1
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "door.h"

#define PIPE (256 << 10)

struct end {
    int fd;
    struct end *other;
    int pipe[2]; /* what came in here and has yet to go out there */
    size_t held;
    bool ended, blocked;
    uint32_t watched;
};

static int epoll;

static void watch(struct end *e, int op, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = e };

    if (op == EPOLL_CTL_MOD && e->watched == events)
        return;
    e->watched = events;
    epoll_ctl(epoll, op, e->fd, &event);
}

static void drop(struct end *e)
{
    close(e->fd);
    close(e->pipe[0]);
    close(e->pipe[1]);
    e->fd = -1;
}

static void over(struct end *e)
{
    drop(e->other);
    drop(e);
    /* An event of the same round may still name them: a bench can afford to
     * keep them. */
}

static void want(struct end *e)
{
    uint32_t events = 0;

    if (e->held == 0 && !e->ended)
        events |= EPOLLIN;
    if (e->other->blocked)
        events |= EPOLLOUT;
    watch(e, EPOLL_CTL_MOD, events);
}

/* One read and one write, as much as there is. */
static void move(struct end *from)
{
    struct end *to = from->other;
    bool was_blocked = from->blocked, was_held = from->held > 0;
    ssize_t n;

    if (from->held == 0 && !from->ended) {
        n = splice(from->fd, NULL, from->pipe[1], NULL, PIPE,
                   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n < 0 && errno != EAGAIN) {
            over(from);
            return;
        }
        if (n == 0)
            from->ended = true;
        from->held = n > 0 ? (size_t)n : 0;
    }
    if (from->held > 0) {
        n = splice(from->pipe[0], NULL, to->fd, NULL, from->held,
                   SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n < 0 && errno != EAGAIN) {
            over(from);
            return;
        }
        from->held -= n > 0 ? (size_t)n : 0;
    }
    from->blocked = from->held > 0;
    if (from->ended && from->held == 0) {
        shutdown(to->fd, SHUT_WR);
        if (to->ended && to->held == 0) {
            over(from);
            return;
        }
    }
    if (from->ended || from->blocked != was_blocked ||
        (from->held > 0) != was_held) {
        want(from);
        want(to);
    }
}

static void join(int a, int b)
{
    struct end *ends = calloc(2, sizeof *ends);

    if (!ends)
        exit(1);
    for (int i = 0; i < 2; i++) {
        struct end *e = &ends[i];

        e->fd = i ? b : a;
        e->other = &ends[!i];
        if (pipe2(e->pipe, O_NONBLOCK) < 0) {
            perror("bare: pipe2");
            exit(1);
        }
        (void)fcntl(e->pipe[0], F_SETPIPE_SZ, PIPE);
        watch(e, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void ready(struct end *e, uint32_t events)
{
    if (e->fd >= 0 && e->other->blocked && (events & ~EPOLLIN))
        move(e->other);
    if (e->fd >= 0 && (events & ~EPOLLOUT))
        move(e);
}

_Noreturn static void serve(uint16_t port)
{
    struct door *door = door_open(port, join);
    struct epoll_event events[128] = { { .events = EPOLLIN } };

    epoll = epoll_create1(0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, door_fd(door), &events[0]);
    for (;;) {
        int n = epoll_wait(epoll, events, 128, -1);

        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                ready(events[i].data.ptr, events[i].events);
            else
                door_turn(door);
        }
    }
}

int main(int argc, char **argv)
{
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long processes = argc > 2 ? strtol(argv[2], NULL, 10) : 1;

    if (port <= 0 || port + processes > 65535) {
        fprintf(stderr, "usage: bare PORT [PROCESSES]\n");
        return 2;
    }
    for (long i = 1; i < processes; i++) {
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            serve((uint16_t)(port + i));
        }
    }
    serve((uint16_t)port);
}
