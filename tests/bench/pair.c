/* Connecting through SOCKS5 (XEP-0065), sending a pattern, comparing it. */
#include "pair.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/evp.h>

#define AHEAD (1u << 20) /* the pattern goes on beyond its end for so long */
#define PIECE (256u << 10)

struct world world = { .epoll = -1, .ports = 1, .check = 1 };

static unsigned char *pattern;
static int pattern_fd;

double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void pattern_make(void)
{
    uint64_t word = 0;

    pattern_fd = memfd_create("pattern", MFD_CLOEXEC);
    if (pattern_fd < 0 || ftruncate(pattern_fd, PATTERN + AHEAD) < 0) {
        perror("load: pattern");
        exit(1);
    }
    pattern = mmap(NULL, PATTERN + AHEAD, PROT_READ | PROT_WRITE, MAP_SHARED,
                   pattern_fd, 0);
    if (pattern == MAP_FAILED) {
        perror("load: pattern");
        exit(1);
    }
    for (size_t i = 0; i < PATTERN; i += sizeof word) {
        uint64_t mixed = (word = i + 1) * UINT64_C(0x9e3779b97f4a7c15);

        mixed = (mixed ^ (mixed >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed ^= mixed >> 32;
        memcpy(pattern + i, &mixed, sizeof mixed);
    }
    memcpy(pattern + PATTERN, pattern, AHEAD);
}

static size_t place(const struct pair *p, uint64_t at)
{
    return (size_t)((at + (uint64_t)p->number * STRIDE) % PATTERN);
}

void sid_of(unsigned number, char out[128])
{
    snprintf(out, 128, "%s-%u", world.sid, number);
}

static void hash_of(unsigned number, char hex[41])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    char text[1024], sid[128];
    int len;

    sid_of(number, sid);
    len = snprintf(text, sizeof text, "%s%s%s", sid, world.from, world.to);
    EVP_Digest(text, (size_t)len, sum, NULL, EVP_sha1(), NULL);
    for (int i = 0; i < 20; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}

/* --- a connection --------------------------------------------------------- */

void end_watch(struct end *e, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = e };

    if (e->events == events)
        return;
    epoll_ctl(world.epoll, EPOLL_CTL_MOD, e->fd, &event);
    e->events = events;
}

void end_close(struct end *e)
{
    if (e->fd >= 0)
        close(e->fd);
    e->fd = -1;
    if (e->state != LOST)
        e->state = ENDED;
}

static void lose(struct end *e)
{
    end_close(e);
    e->state = LOST;
}

bool end_connect(struct end *e)
{
    struct sockaddr_in to = world.proxy, from = { .sin_family = AF_INET };
    struct epoll_event event = { .events = EPOLLOUT, .data.ptr = e };
    int one = 1;

    e->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (e->fd < 0)
        return false;
    setsockopt(e->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (world.sources > 0) {
        from.sin_addr.s_addr =
            htonl(world.source + e->pair->number % world.sources);
        setsockopt(e->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
                   sizeof one);
        if (bind(e->fd, (struct sockaddr *)&from, sizeof from) < 0)
            perror("load: bind");
    }
    to.sin_port =
        htons((uint16_t)(ntohs(to.sin_port) + e->pair->number % world.ports));
    if (connect(e->fd, (struct sockaddr *)&to, sizeof to) < 0 &&
        errno != EINPROGRESS) {
        close(e->fd);
        e->fd = -1;
        return false;
    }
    e->state = CONNECTING;
    e->got = 0;
    e->events = EPOLLOUT;
    epoll_ctl(world.epoll, EPOLL_CTL_ADD, e->fd, &event);
    return true;
}

static void say(struct end *e, const void *bytes, size_t len,
                enum end_state next)
{
    if (send(e->fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len) {
        lose(e);
        return;
    }
    e->state = next;
    e->got = 0;
    end_watch(e, EPOLLIN);
}

static void ask(struct end *e)
{
    unsigned char request[47] = { 5, 1, 0, 3, 40 };
    char hex[41];

    hash_of(e->pair->number, hex);
    memcpy(request + 5, hex, 40);
    say(e, request, sizeof request, ASKING);
}

/* How long the reply is that begins so; 0: not known yet. */
static unsigned reply_len(const struct end *e)
{
    if (e->state == GREETING)
        return 2;
    if (e->got < 5)
        return 0;
    switch (e->in[3]) {
    case 1:
        return 10;
    case 3:
        return 7u + e->in[4];
    default:
        return 22;
    }
}

static void hear(struct end *e)
{
    unsigned wanted = reply_len(e);
    ssize_t n = recv(e->fd, e->in + e->got, (wanted ? wanted : 5) - e->got, 0);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0 || e->in[0] != 5 || (e->got + (size_t)n > 1 && e->in[1] != 0)) {
        lose(e);
        return;
    }
    e->got += (unsigned)n;
    wanted = reply_len(e);
    if (wanted == 0 || e->got < wanted)
        return;
    if (e->state == GREETING) {
        ask(e);
        return;
    }
    e->state = JOINED;
    end_watch(e, 0);
}

void end_turn(struct end *e)
{
    int err = 0;
    socklen_t len = sizeof err;

    switch (e->state) {
    case CONNECTING:
        if (getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err)
            lose(e);
        else
            say(e, "\5\1", 3, GREETING);
        break;
    case GREETING:
    case ASKING:
        hear(e);
        break;
    default:
        break;
    }
}

/* --- the stream ------------------------------------------------------------ */

bool pair_send(struct pair *p, uint64_t most)
{
    while (p->sent < p->goal && most > 0) {
        uint64_t left = p->goal - p->sent;
        off_t at = (off_t)place(p, p->sent);
        size_t len = PIECE;
        ssize_t n;

        len = left < len ? (size_t)left : len;
        len = most < len ? (size_t)most : len;
        n = sendfile(p->end[0].fd, pattern_fd, &at, len);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n <= 0) {
            lose(&p->end[0]);
            return false;
        }
        p->sent += (size_t)n;
        most -= (size_t)n;
    }
    return true;
}

bool pair_receive(struct pair *p, uint64_t most)
{
    static unsigned char buf[PIECE];

    while (most > 0) {
        bool look = p->reads++ % world.check == 0;
        ssize_t n = recv(p->end[1].fd, buf, sizeof buf, look ? 0 : MSG_TRUNC);

        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0)
            lose(&p->end[1]);
        if (n <= 0)
            return false;
        if (look && memcmp(buf, pattern + place(p, p->got), (size_t)n) != 0)
            p->wrong = true;
        p->got += (size_t)n;
        most -= (size_t)n < most ? (size_t)n : most;
    }
    return true;
}
