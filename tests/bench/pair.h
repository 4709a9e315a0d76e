/*
 * A pair of connections through a SOCKS5 proxy, and the stream in it. Byte p
 * of stream s is byte p + s * STRIDE of a pattern that does not repeat within
 * PATTERN bytes: one that is lost, doubled, moved or of another stream shows.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATTERN 4194296u /* no multiple of what anybody moves at a time */
#define STRIDE 4104u

enum end_state { NOT_YET, CONNECTING, GREETING, ASKING, JOINED, ENDED, LOST };

struct pair;

struct end {
    struct pair *pair;
    int fd;
    enum end_state state;
    unsigned got;
    uint32_t events; /* watched */
    unsigned char in[262];
};

struct pair {
    unsigned number;   /* of the stream, as the proxy knows it */
    struct end end[2]; /* [0] sends, [1] receives */
    bool active, counted;
    uint64_t sent, got, goal;
    unsigned reads;
    bool wrong;
    double begun, first, done; /* seconds */
};

/* What all of a process share. */
struct world {
    int epoll;
    struct sockaddr_in proxy;
    unsigned ports; /* stream n is at port + n % ports */
    unsigned check; /* each n-th read is compared, the others counted */
    uint32_t source, sources; /* addresses to come from; 0: any */
    const char *sid, *from, *to;
};
extern struct world world;

double seconds(void);
void pattern_make(void);
void sid_of(unsigned number, char out[128]);

/* Begin to connect one end. False: not to be had now. */
bool end_connect(struct end *e);
/* Something happened while it was not JOINED. */
void end_turn(struct end *e);
void end_watch(struct end *e, uint32_t events);
void end_close(struct end *e);

/* Send at most `most` bytes. False: broken. */
bool pair_send(struct pair *p, uint64_t most);
/* Read at most `most` bytes and compare. False: it has ended, or broken. */
bool pair_receive(struct pair *p, uint64_t most);

#endif
