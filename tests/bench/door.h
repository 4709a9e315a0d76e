/*
 * A SOCKS5 door without a porter: two connections that ask for the same hash
 * are a pair at once, whoever they are.
 */
#ifndef BENCH_DOOR_H
#define BENCH_DOOR_H

#include <stdint.h>

struct door;

/* Called with two sockets that have their answers; they are the callee's. */
typedef void door_fn(int a, int b);

/* Listen on 127.0.0.1:port; ends the program when it cannot. The limit of
 * descriptors is raised, SIGPIPE ignored. Something to be read at door_fd() is
 * something to do. */
struct door *door_open(uint16_t port, door_fn *pair);
int door_fd(const struct door *door);
void door_turn(struct door *door);

#endif
