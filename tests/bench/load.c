/*
 * A load of bytestreams through a SOCKS5 proxy on loopback; several of these
 * together make one that a machine's cores can carry.
 *
 *     load MODE NAME=VALUE...
 *
 * Modes, with what they read on stdin and write on stdout:
 *     move    opens `pairs`; "ready"; waits for a line; `mib` through each;
 *             its result
 *     idle    opens them; "ready"; waits for a line; closes them; its result
 *     paced   as move, but `rate` bytes a second for `seconds`
 *     pair    `rate` new pairs a second for `seconds`: connect both, activate,
 *             a byte through, close; its result, with times
 *     flood   `rate` connections a second for `seconds` that say nothing
 *
 * proxy=PORT ports=N   stream n goes to 127.0.0.1:PORT + n % N
 * source=A sources=N   come from A, A+1, ... (127.x)
 * sid= from= to=       what the hash is made of; `from` logs in, if anybody
 * xmpp=PORT user= domain= resource= password= component=
 *                      who activates; without it nobody has to
 * first=N              number of the first stream: no two processes share one
 * check=N              compare the bytes of each n-th read; 1 unless told
 * parallel=N           pairs that are being opened at a time
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pair.h"
#include "xmpp.h"

#define TURN (512u << 10) /* bytes of an end before others have theirs */
#define EVENTS 256
#define TICK_MS 5
#define HOLD_S 1.0 /* a connection of the flood stays so long */

static struct {
    const char *mode;
    unsigned pairs, first, parallel;
    double mib, rate, seconds;
    const char *user, *domain, *resource, *password;
    uint16_t xmpp;
} args = { .pairs = 1, .parallel = 64, .mib = 1, .rate = 200, .seconds = 5 };

static struct xmpp xmpp;
static struct pair *pairs;
static unsigned opened, opening, active, ended, lost, refused;
static double began;

/* --- opening ---------------------------------------------------------------- */

static void pair_is_active(struct pair *p)
{
    p->active = true;
    opening--;
    active++;
}

/* It will not be what it was to be. */
static void pair_is_lost(struct pair *p)
{
    if (p->counted)
        return;
    p->counted = true;
    lost++;
    if (p->active)
        active--;
    else
        opening--;
    end_close(&p->end[0]);
    end_close(&p->end[1]);
}

static void pair_open(struct pair *p)
{
    p->begun = seconds();
    opening++;
    for (int i = 0; i < 2; i++) {
        p->end[i] = (struct end){ .pair = p, .fd = -1 };
    }
    if (!end_connect(&p->end[1]) || !end_connect(&p->end[0])) {
        perror("load: connect");
        pair_is_lost(p);
    }
}

static void pair_is_joined(struct pair *p)
{
    char sid[128];

    if (args.xmpp == 0) {
        pair_is_active(p);
        return;
    }
    sid_of(p->number, sid);
    xmpp_activate(&xmpp, p->number - args.first, sid, world.to);
}

static void opening_turn(struct end *e)
{
    struct pair *p = e->pair;

    end_turn(e);
    if (e->state == LOST)
        pair_is_lost(p);
    else if (p->end[0].state == JOINED && p->end[1].state == JOINED)
        pair_is_joined(p);
}

/* --- a loop for all modes ---------------------------------------------------- */

static void (*when_active)(struct pair *p);
static void (*when_ready)(struct end *e, uint32_t events);

static void hear_answers(void)
{
    unsigned n;
    bool yes;

    xmpp_turn(&xmpp);
    while (xmpp_answer(&xmpp, &n, &yes)) {
        struct pair *p = &pairs[n];

        if (!yes) {
            refused++;
            pair_is_lost(p);
            continue;
        }
        pair_is_active(p);
        if (when_active)
            when_active(p);
    }
}

static void turn(int ms)
{
    struct epoll_event events[EVENTS];
    int n = epoll_wait(world.epoll, events, EVENTS, ms);

    for (int i = 0; i < n; i++) {
        struct end *e = events[i].data.ptr;

        if (!e) {
            hear_answers();
            continue;
        }
        if (e->fd < 0)
            continue;
        if (!e->pair->active) {
            opening_turn(e);
            if (e->pair->active && when_active)
                when_active(e->pair);
            continue;
        }
        if (when_ready)
            when_ready(e, events[i].events);
    }
    if (args.xmpp && xmpp_wants_write(&xmpp))
        xmpp_turn(&xmpp);
}

static void open_all(void)
{
    double until = seconds() + 120;

    while (active + lost < args.pairs && seconds() < until) {
        while (opened < args.pairs && opening < args.parallel)
            pair_open(&pairs[opened++]);
        turn(100);
    }
    printf("ready %u\n", active);
    fflush(stdout);
}

static void await_word(void)
{
    char line[64];

    if (!fgets(line, sizeof line, stdin))
        exit(1);
    began = seconds();
}

/* --- move, paced -------------------------------------------------------------- */

static void finish_pair(struct pair *p)
{
    p->done = seconds();
    ended++;
    active--;
    end_close(&p->end[0]);
    end_close(&p->end[1]);
}

static void receive(struct pair *p)
{
    if (pair_receive(p, TURN))
        return;
    if (p->end[1].state == LOST || p->got != p->goal)
        pair_is_lost(p);
    else
        finish_pair(p);
}

static void all_is_said(struct pair *p)
{
    shutdown(p->end[0].fd, SHUT_WR);
    end_watch(&p->end[0], 0);
}

static void move_ready(struct end *e, uint32_t events)
{
    struct pair *p = e->pair;

    if (e == &p->end[1]) {
        receive(p);
        return;
    }
    if ((events & (EPOLLERR | EPOLLHUP)) && p->sent < p->goal) {
        pair_is_lost(p);
        return;
    }
    if (!(events & EPOLLOUT))
        return;
    if (!pair_send(p, TURN))
        pair_is_lost(p);
    else if (p->sent == p->goal)
        all_is_said(p);
}

static void begin_all(uint64_t goal, uint32_t sender_waits_for)
{
    for (unsigned i = 0; i < args.pairs; i++) {
        struct pair *p = &pairs[i];

        p->goal = goal;
        if (!p->active || p->counted)
            continue;
        end_watch(&p->end[0], sender_waits_for);
        end_watch(&p->end[1], EPOLLIN);
    }
}

static void print_result(void)
{
    uint64_t bytes = 0;
    unsigned wrong = 0;
    double last = began;

    for (unsigned i = 0; i < args.pairs; i++) {
        bytes += pairs[i].got;
        wrong += pairs[i].wrong;
        last = pairs[i].done > last ? pairs[i].done : last;
    }
    printf("{\"pairs\": %u, \"done\": %u, \"lost\": %u, \"refused\": %u, "
           "\"wrong\": %u, \"bytes\": %" PRIu64 ", \"began\": %.6f, "
           "\"ended\": %.6f",
           args.pairs, ended, lost, refused, wrong, bytes, began, last);
}

static void move(void)
{
    open_all();
    await_word();
    when_ready = move_ready;
    begin_all((uint64_t)(args.mib * 1048576.0), EPOLLOUT);
    while (active > 0)
        turn(1000);
    print_result();
    printf("}\n");
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* What each has received in the seconds after the first. */
static void print_rates(const uint64_t *at_first, double from, double to)
{
    double *rates = calloc(args.pairs, sizeof *rates), sum = 0;

    for (unsigned i = 0; i < args.pairs; i++) {
        rates[i] = (double)(pairs[i].got - at_first[i]) / (to - from);
        sum += rates[i];
    }
    qsort(rates, args.pairs, sizeof *rates, by_size);
    printf(", \"mean\": %.0f, \"least\": %.0f, \"median\": %.0f",
           sum / args.pairs, rates[0], rates[args.pairs / 2]);
    free(rates);
}

static void paced(void)
{
    uint64_t *at_first = calloc(args.pairs, sizeof *at_first);
    double now, from = 0;

    open_all();
    await_word();
    when_ready = move_ready;
    begin_all((uint64_t)(args.rate * args.seconds), 0);
    while ((now = seconds()) < began + args.seconds && active > 0) {
        if (from == 0 && now > began + 1) {
            from = now;
            for (unsigned i = 0; i < args.pairs; i++)
                at_first[i] = pairs[i].got;
        }
        for (unsigned i = 0; i < args.pairs; i++) {
            struct pair *p = &pairs[i];
            uint64_t due = (uint64_t)(args.rate * (now - began));

            if (p->active && !p->counted && due > p->sent &&
                !pair_send(p, due - p->sent))
                pair_is_lost(p);
        }
        turn(TICK_MS);
    }
    print_result();
    print_rates(at_first, from, now);
    printf("}\n");
    free(at_first);
}

static void idle(void)
{
    open_all();
    await_word();
    for (unsigned i = 0; i < args.pairs; i++) {
        end_close(&pairs[i].end[0]);
        end_close(&pairs[i].end[1]);
    }
    print_result();
    printf(", \"active\": %u}\n", active);
}

/* --- pair ------------------------------------------------------------------- */

static void say_one_byte(struct pair *p)
{
    p->goal = 1;
    end_watch(&p->end[1], EPOLLIN);
    if (!pair_send(p, 1)) {
        pair_is_lost(p);
        return;
    }
    shutdown(p->end[0].fd, SHUT_WR);
}

static void byte_ready(struct end *e, uint32_t events)
{
    struct pair *p = e->pair;

    (void)events;
    if (e != &p->end[1])
        return;
    receive(p);
    if (p->got == 1 && p->first == 0)
        p->first = seconds();
}

static double at(const double *sorted, unsigned count, double part)
{
    return count ? sorted[(unsigned)((double)(count - 1) * part)] * 1000 : 0;
}

static void print_times(void)
{
    double *first = calloc(args.pairs, sizeof *first);
    double *whole = calloc(args.pairs, sizeof *whole);
    unsigned n = 0;

    for (unsigned i = 0; i < args.pairs; i++) {
        if (pairs[i].done == 0)
            continue;
        first[n] = pairs[i].first - pairs[i].begun;
        whole[n++] = pairs[i].done - pairs[i].begun;
    }
    qsort(first, n, sizeof *first, by_size);
    qsort(whole, n, sizeof *whole, by_size);
    printf(", \"byte_p50\": %.3f, \"byte_p99\": %.3f, \"p50\": %.3f, "
           "\"p99\": %.3f, \"most\": %.3f",
           at(first, n, 0.5), at(first, n, 0.99), at(whole, n, 0.5),
           at(whole, n, 0.99), at(whole, n, 1));
    free(first);
    free(whole);
}

static void pair(void)
{
    double until;

    when_active = say_one_byte;
    when_ready = byte_ready;
    printf("ready 0\n");
    fflush(stdout);
    await_word();
    until = began + args.seconds + 10;
    while (ended + lost < args.pairs && seconds() < until) {
        double now = seconds(), next = began + opened / args.rate;

        if (opened < args.pairs && now >= next) {
            pair_open(&pairs[opened++]);
            continue;
        }
        turn(opened < args.pairs ? (int)((next - now) * 1000) : 100);
    }
    print_result();
    print_times();
    printf("}\n");
}

/* --- flood ------------------------------------------------------------------- */

static void flood(void)
{
    unsigned failed = 0, closed = 0, oldest = 0;
    double now;

    printf("ready 0\n");
    fflush(stdout);
    await_word();
    while ((now = seconds()) < began + args.seconds) {
        unsigned due = (unsigned)((now - began) * args.rate);

        for (; opened < due && opened < args.pairs; opened++) {
            struct pair *p = &pairs[opened];

            p->begun = now;
            p->end[0] = (struct end){ .pair = p, .fd = -1 };
            if (!end_connect(&p->end[0]))
                failed++;
            else
                end_watch(&p->end[0], EPOLLIN);
        }
        for (; oldest < opened && pairs[oldest].begun < now - HOLD_S; oldest++)
            end_close(&pairs[oldest].end[0]);
        struct epoll_event events[EVENTS];
        int n = epoll_wait(world.epoll, events, EVENTS, 1);

        for (int i = 0; i < n; i++) {
            struct end *e = events[i].data.ptr;

            if (e && e->fd >= 0) {
                end_close(e);
                closed++;
            }
        }
    }
    printf("{\"connects\": %u, \"failed\": %u, \"closed\": %u}\n", opened,
           failed, closed);
}

/* --- the command line -------------------------------------------------------- */

static void set(const char *name, const char *value)
{
    double number = strtod(value, NULL);

    if (strcmp(name, "proxy") == 0)
        world.proxy.sin_port = htons((uint16_t)number);
    else if (strcmp(name, "ports") == 0)
        world.ports = (unsigned)number;
    else if (strcmp(name, "source") == 0)
        world.source = ntohl(inet_addr(value));
    else if (strcmp(name, "sources") == 0)
        world.sources = (uint32_t)number;
    else if (strcmp(name, "sid") == 0)
        world.sid = value;
    else if (strcmp(name, "from") == 0)
        world.from = value;
    else if (strcmp(name, "to") == 0)
        world.to = value;
    else if (strcmp(name, "xmpp") == 0)
        args.xmpp = (uint16_t)number;
    else if (strcmp(name, "user") == 0)
        args.user = value;
    else if (strcmp(name, "domain") == 0)
        args.domain = value;
    else if (strcmp(name, "resource") == 0)
        args.resource = value;
    else if (strcmp(name, "password") == 0)
        args.password = value;
    else if (strcmp(name, "component") == 0)
        xmpp.proxy = value;
    else if (strcmp(name, "pairs") == 0)
        args.pairs = (unsigned)number;
    else if (strcmp(name, "first") == 0)
        args.first = (unsigned)number;
    else if (strcmp(name, "parallel") == 0)
        args.parallel = (unsigned)number;
    else if (strcmp(name, "check") == 0)
        world.check = (unsigned)number;
    else if (strcmp(name, "mib") == 0)
        args.mib = number;
    else if (strcmp(name, "rate") == 0)
        args.rate = number;
    else if (strcmp(name, "seconds") == 0)
        args.seconds = number;
    else {
        fprintf(stderr, "load: no such setting: %s\n", name);
        exit(2);
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {
    { "move", move }, { "idle", idle },   { "paced", paced },
    { "pair", pair }, { "flood", flood },
};

static void prepare(void)
{
    struct epoll_event event = { .events = EPOLLIN };
    struct rlimit files;
    const char *proxy = xmpp.proxy;

    signal(SIGPIPE, SIG_IGN);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    pattern_make();
    world.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (strcmp(args.mode, "pair") == 0 || strcmp(args.mode, "flood") == 0)
        args.pairs = (unsigned)(args.rate * args.seconds);
    pairs = calloc(args.pairs, sizeof *pairs);
    if (!pairs)
        exit(1);
    for (unsigned i = 0; i < args.pairs; i++)
        pairs[i].number = args.first + i;
    if (args.xmpp == 0)
        return;
    xmpp_login(&xmpp, args.xmpp, args.user, args.domain, args.resource,
               args.password);
    xmpp.proxy = proxy;
    epoll_ctl(world.epoll, EPOLL_CTL_ADD, xmpp.fd, &event);
}

int main(int argc, char **argv)
{
    args.mode = argc > 1 ? argv[1] : "";
    world.sid = "sid";
    world.from = "romeo@localhost/orchard";
    world.to = "juliet@localhost/balcony";
    world.proxy.sin_family = AF_INET;
    world.proxy.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (!value) {
            fprintf(stderr, "load: NAME=VALUE is wanted: %s\n", argv[i]);
            return 2;
        }
        *value = '\0';
        set(argv[i], value + 1);
    }
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(modes[i].name, args.mode) != 0)
            continue;
        prepare();
        modes[i].run();
        return 0;
    }
    fprintf(stderr, "load: no such mode: %s\n", args.mode);
    return 2;
}
