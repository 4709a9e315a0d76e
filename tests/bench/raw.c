/*
 * Our relay without our front: pairs as in bare.c, handed to the workers of
 * xferry-proxy.
 *
 *     raw PORT [WORKERS [PIPES]]
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "door.h"
#include "worker.h"

static struct workers *workers;

static void hand_over(int a, int b)
{
    const struct xf_relay_limits none = { 0 };
    static uint64_t id;

    if (workers_adopt(workers, ++id, a, b, &none) != 0)
        fprintf(stderr, "raw: pair %u not taken\n", (unsigned)id);
}

int main(int argc, char **argv)
{
    long port = argc > 1 ? strtol(argv[1], NULL, 10) : 0;
    long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
    long pipes = argc > 3 ? strtol(argv[3], NULL, 10) : XF_RELAY_PIPES;
    struct door *door;

    if (port <= 0 || port > 65535) {
        fprintf(stderr, "usage: raw PORT [WORKERS [PIPES]]\n");
        return 2;
    }
    if (workers_start(&workers, (unsigned)count, (unsigned)pipes) != 0)
        return 1;
    door = door_open((uint16_t)port, hand_over);
    for (;;) {
        struct pollfd polls[WORKERS_MAX + 1];
        struct workers_event event;
        unsigned n = workers_count(workers);

        workers_poll(workers, polls);
        polls[n] = (struct pollfd){ door_fd(door), POLLIN, 0 };
        if (poll(polls, n + 1, workers_timeout(workers)) < 0)
            return 1;
        workers_dispatch(workers);
        while (workers_next(workers, &event))
            ;
        if (polls[n].revents)
            door_turn(door);
    }
}
