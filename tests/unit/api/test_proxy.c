/*
 * The front of a proxy over real sockets on loopback: the test is its XMPP
 * server, its clients and its embedder. What the program makes of it is tried
 * in tests/live.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <xferry/proxy.h>

#include "base/digest.h"
#include "base/sys.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define DOMAIN "proxy.example.net"
#define ROMEO "romeo@example.net/orchard"
#define JULIET "juliet@capulet.example/balcony"
#define STREAMS "http://etherx.jabber.org/streams"
#define BYTESTREAMS "http://jabber.org/protocol/bytestreams"
#define STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define PATIENCE_MS 10000

static const struct xf_proxy_address local[] = { { "127.0.0.1", 0 },
                                                 { "::1", 0 } };
static const struct xf_proxy_address told[] = { { "192.0.2.7", 1080 },
                                                { "[2001:db8::7]", 443 },
                                                { "files.example.net", 0 } };

/* What was heard of the embedder's side. */
struct heard {
    int online, lost, offline, pairs, refused, exceeded;
    int code; /* of the last LOST or OFFLINE */
    char text[256];
    int64_t retry_ms;
    uint64_t id;
    int a, b; /* of the last pair; -1: taken */
    uint64_t group, group_rate, pair_rate;
    char requester[128], target[128];
    enum xf_proxy_refusal refusal;
    uint64_t count;
    char who[128];
};

struct stage {
    struct xf_proxy_rule rule;
    struct xf_proxy_config config;
    char server[32];
    int door; /* of the XMPP server */
    int link; /* to the component, or -1 */
    char in[65536];
    size_t in_len;
    struct xf_proxy *x;
    struct heard heard;
};

static int64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- what goes on ------------------------------------------------------------ */

static void take_pair(struct heard *h, const struct xf_proxy_event *ev)
{
    h->pairs++;
    h->id = ev->id;
    if (h->a >= 0)
        close(h->a);
    if (h->b >= 0)
        close(h->b);
    h->a = ev->fd_a;
    h->b = ev->fd_b;
    h->group = ev->group;
    h->group_rate = ev->group_rate;
    h->pair_rate = ev->pair_rate;
    snprintf(h->requester, sizeof h->requester, "%s", ev->requester);
    snprintf(h->target, sizeof h->target, "%s", ev->target);
}

static void hear(struct heard *h, const struct xf_proxy_event *ev)
{
    if (ev->type != XF_PROXY_PAIR) {
        assert_int_equal(ev->fd_a, -1);
        assert_int_equal(ev->fd_b, -1);
    }
    switch (ev->type) {
    case XF_PROXY_ONLINE:
        h->online++;
        break;
    case XF_PROXY_LOST:
    case XF_PROXY_OFFLINE:
        *(ev->type == XF_PROXY_LOST ? &h->lost : &h->offline) += 1;
        h->code = ev->code;
        h->retry_ms = ev->retry_ms;
        snprintf(h->text, sizeof h->text, "%s", ev->text);
        break;
    case XF_PROXY_PAIR:
        take_pair(h, ev);
        break;
    case XF_PROXY_EXCEEDED:
        h->exceeded++;
        h->id = ev->id;
        break;
    case XF_PROXY_REFUSED:
        h->refused++;
        h->refusal = ev->refusal;
        h->count = ev->count;
        snprintf(h->who, sizeof h->who, "%s", ev->who);
        break;
    }
}

static void server_turn(struct stage *s)
{
    ssize_t n;

    if (s->link < 0) {
        s->link = accept4(s->door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        s->in_len = 0;
    }
    if (s->link < 0)
        return;
    n = recv(s->link, s->in + s->in_len, sizeof s->in - 1 - s->in_len, 0);
    if (n > 0)
        s->in_len += (size_t)n;
    s->in[s->in_len] = '\0';
}

/* One turn of everybody; waits `ms` at most. */
static void turn(struct stage *s, int ms)
{
    struct pollfd p[] = { { xf_proxy_fd(s->x), POLLIN, 0 },
                          { s->link >= 0 ? s->link : s->door, POLLIN, 0 } };
    int wait = xf_proxy_timeout(s->x);
    const struct xf_proxy_event *ev;

    poll(p, 2, wait < 0 || wait > ms ? ms : wait);
    xf_proxy_dispatch(s->x);
    while ((ev = xf_proxy_next(s->x)) != NULL)
        hear(&s->heard, ev);
    server_turn(s);
}

/* Until the server has heard `text`; and forgets all up to its end. */
static void await(struct stage *s, const char *text)
{
    int64_t end = now_ms() + PATIENCE_MS;
    char *at;

    s->in[s->in_len] = '\0';
    while (!(at = strstr(s->in, text))) {
        if (now_ms() > end)
            fail_msg("never said: %s\nbut: %s", text, s->in);
        turn(s, 50);
    }
    at += strlen(text);
    s->in_len -= (size_t)(at - s->in);
    memmove(s->in, at, s->in_len + 1);
}

static void until(struct stage *s, const int *count, int least)
{
    int64_t end = now_ms() + PATIENCE_MS;

    while (*count < least) {
        assert_true(now_ms() < end);
        turn(s, 50);
    }
}

static void idle(struct stage *s, int ms)
{
    int64_t end = now_ms() + ms;

    while (now_ms() < end)
        turn(s, 5);
}

static struct xf_proxy_stats stats(const struct stage *s)
{
    struct xf_proxy_stats out;

    xf_proxy_stats(s->x, &out);
    return out;
}

/* --- the server ---------------------------------------------------------------- */

static int listen_on_loopback(uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void say(struct stage *s, const char *xml)
{
    assert_int_equal(send(s->link, xml, strlen(xml), MSG_NOSIGNAL),
                     strlen(xml));
}

static void say_header(struct stage *s)
{
    await(s, "<stream:stream xmlns=\"jabber:component:accept\" "
             "xmlns:stream=\"" STREAMS "\" to=\"" DOMAIN "\">");
    say(s,
        "<?xml version='1.0'?><stream:stream xmlns:stream='" STREAMS
        "' xmlns='jabber:component:accept' from='" DOMAIN "' id='3BF96D32'>");
}

/* SHA-1 of "3BF96D32" and "test". */
#define PROOF                                                                  \
    "<handshake>"                                                              \
    "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e"                                 \
    "</handshake>"

static void let_in(struct stage *s)
{
    int before = s->heard.online;

    say_header(s);
    await(s, PROOF);
    say(s, "<handshake/>");
    until(s, &s->heard.online, before + 1);
}

static void hang_up(struct stage *s)
{
    close(s->link);
    s->link = -1;
}

/* --- setting up ------------------------------------------------------------------ */

static struct stage *prepare(void)
{
    struct stage *s = calloc(1, sizeof *s);
    uint16_t port;

    assert_non_null(s);
    s->door = listen_on_loopback(&port);
    s->link = s->heard.a = s->heard.b = -1;
    snprintf(s->server, sizeof s->server, "127.0.0.1:%u", port);
    s->rule = (struct xf_proxy_rule){ .jid = "example.net" };
    xf_proxy_config_init(&s->config);
    s->config.domain = "Proxy.Example.Net";
    s->config.server = s->server;
    s->config.secret = "test";
    s->config.secret_len = 4;
    s->config.listen = local;
    s->config.listen_count = 2;
    s->config.streamhosts = told;
    s->config.streamhosts_count = COUNT(told);
    s->config.rules = &s->rule;
    s->config.rules_count = 1;
    return s;
}

static void start(struct stage *s)
{
    char text[200];
    int err = xf_proxy_new(&s->x, &s->config, text, sizeof text);

    if (err != 0)
        fail_msg("%d: %s", err, text);
}

static struct stage *online(void)
{
    struct stage *s = prepare();

    start(s);
    let_in(s);
    return s;
}

static void done(struct stage *s)
{
    xf_proxy_free(s->x);
    close(s->door);
    if (s->link >= 0)
        close(s->link);
    if (s->heard.a >= 0)
        close(s->heard.a);
    if (s->heard.b >= 0)
        close(s->heard.b);
    free(s);
}

/* --- clients ----------------------------------------------------------------------- */

/* Connected, blocking, from 127.0.0.`last` (or ::1 for 0). */
static int dial(struct stage *s, uint8_t last)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_addr = in6addr_loopback,
                               .sin6_port = htons(xf_proxy_port(s->x, 1)) };
    int fd = socket(last ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (!last) {
        assert_int_equal(connect(fd, (struct sockaddr *)&v6, sizeof v6), 0);
        return fd;
    }
    v4.sin_addr.s_addr = htonl(0x7f000000u | last);
    assert_int_equal(bind(fd, (struct sockaddr *)&v4, sizeof v4), 0);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4.sin_port = htons(xf_proxy_port(s->x, 0));
    assert_int_equal(connect(fd, (struct sockaddr *)&v4, sizeof v4), 0);
    return fd;
}

static void put(int fd, const void *bytes, size_t len)
{
    assert_int_equal(send(fd, bytes, len, MSG_NOSIGNAL), len);
}

/* `len` bytes while the proxy runs; fewer when it ends before. */
static size_t get(struct stage *s, int fd, void *out, size_t len)
{
    int64_t end = now_ms() + PATIENCE_MS;
    size_t have = 0;

    while (have < len) {
        ssize_t n = recv(fd, (char *)out + have, len - have, MSG_DONTWAIT);

        if (n == 0 || (n < 0 && errno != EAGAIN))
            return have;
        if (n > 0)
            have += (size_t)n;
        assert_true(now_ms() < end);
        if (n < 0)
            turn(s, 10);
    }
    return have;
}

/* True when the proxy has closed it and nothing more came. */
static bool is_closed(struct stage *s, int fd)
{
    char byte;

    return get(s, fd, &byte, 1) == 0;
}

#define REQUEST 47

static void write_request(const char *hash, uint8_t code, uint8_t out[REQUEST])
{
    memset(out, 0, REQUEST);
    out[0] = 5;
    out[1] = code;
    out[3] = 3;
    out[4] = 40;
    memcpy(out + 5, hash, 40);
}

static void hash_of(const char *sid, char out[41])
{
    assert_true(xf_dstaddr(sid, ROMEO, JULIET, out));
}

/* Connected for `sid`, the handshake done; the REP of the reply in `*rep`. */
static int join_rep(struct stage *s, const char *sid, uint8_t last,
                    uint8_t *rep)
{
    uint8_t request[REQUEST], reply[REQUEST];
    char hash[41];
    int fd = dial(s, last);

    hash_of(sid, hash);
    put(fd, "\5\1\0", 3);
    assert_int_equal(get(s, fd, reply, 2), 2);
    assert_memory_equal(reply, "\5\0", 2);
    write_request(hash, 1, request);
    put(fd, request, sizeof request);
    assert_int_equal(get(s, fd, reply, REQUEST), REQUEST);
    *rep = reply[1];
    write_request(hash, *rep, request);
    assert_memory_equal(reply, request, REQUEST);
    return fd;
}

static int join(struct stage *s, const char *sid)
{
    uint8_t rep;
    int fd = join_rep(s, sid, 1, &rep);

    assert_int_equal(rep, 0);
    return fd;
}

static void ask_to_activate(struct stage *s, const char *id, const char *sid)
{
    char xml[1024];

    snprintf(xml, sizeof xml,
             "<iq type='set' id='%s' from='" ROMEO "' to='" DOMAIN "'>"
             "<query xmlns='" BYTESTREAMS "' sid='%s'>"
             "<activate>" JULIET "</activate></query></iq>",
             id, sid);
    say(s, xml);
}

static void await_result(struct stage *s, const char *id)
{
    char xml[512];

    snprintf(xml, sizeof xml,
             "<iq id=\"%s\" to=\"" ROMEO "\" from=\"" DOMAIN
             "\" type=\"result\"/>",
             id);
    await(s, xml);
}

static void await_error(struct stage *s, const char *id, const char *to,
                        const char *type, const char *condition)
{
    char xml[1024];

    snprintf(xml, sizeof xml,
             "<iq id=\"%s\"%s%s%s from=\"" DOMAIN "\" type=\"error\">"
             "<error type=\"%s\"><%s xmlns=\"" STANZAS "\"/></error></iq>",
             id, to ? " to=\"" : "", to ? to : "", to ? "\"" : "", type,
             condition);
    await(s, xml);
}

static void activate(struct stage *s, const char *id, const char *sid)
{
    ask_to_activate(s, id, sid);
    await_result(s, id);
}

/* Both sides connected and activated. */
static void pair(struct stage *s, const char *sid, int out[2])
{
    out[0] = join(s, sid);
    out[1] = join(s, sid);
    activate(s, sid, sid);
}

static void close_both(const int fds[2])
{
    close(fds[0]);
    close(fds[1]);
}

/* --- pairs ------------------------------------------------------------------------- */

static void two_that_are_activated_are_handed_over(void **state)
{
    struct stage *s = online();
    struct xf_proxy_stats n;
    int fds[2];

    (void)state;
    pair(s, "s1", fds);
    assert_int_equal(s->heard.pairs, 1);
    assert_string_equal(s->heard.requester, ROMEO);
    assert_string_equal(s->heard.target, JULIET);
    assert_true(s->heard.a >= 0 && s->heard.b >= 0);
    for (int i = 0; i < 2; i++) {
        int fd = i ? s->heard.b : s->heard.a;

        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    }
    n = stats(s);
    assert_true(n.online);
    assert_int_equal(n.active, 1);
    assert_int_equal(n.activated, 1);
    assert_int_equal(n.accepted, 2);
    assert_int_equal(n.waiting_one + n.waiting_two + n.half_open, 0);
    xf_proxy_moved(s->x, s->heard.id, 1000);
    xf_proxy_moved(s->x, s->heard.id + 1, 1000); /* of nobody */
    xf_proxy_ended(s->x, s->heard.id);
    xf_proxy_ended(s->x, s->heard.id);
    n = stats(s);
    assert_int_equal(n.bytes, 1000);
    assert_int_equal(n.active, 0);
    close_both(fds);
    done(s);
}

static void what_was_sent_early_is_left_in_the_socket(void **state)
{
    struct stage *s = online();
    char bytes[600], got[700];
    int fds[2];

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    fds[0] = join(s, "s1");
    fds[1] = join(s, "s1");
    put(fds[0], bytes, sizeof bytes);
    assert_int_equal(shutdown(fds[0], SHUT_WR), 0);
    idle(s, 50);
    activate(s, "1", "s1");
    assert_int_equal(recv(s->heard.a, got, sizeof got, MSG_WAITALL),
                     sizeof bytes);
    assert_memory_equal(got, bytes, sizeof bytes);
    assert_int_equal(recv(s->heard.a, got, sizeof got, 0), 0);
    close_both(fds);
    done(s);
}

/* Greeting, request and file in one segment, or cut anywhere. */
static void a_handshake_may_be_cut_anywhere(void **state)
{
    struct stage *s = online();
    uint8_t whole[3 + REQUEST + 5], reply[2 + REQUEST], got[8];
    char sid[16], hash[41];

    (void)state;
    memcpy(whole, "\5\1\0", 3);
    memcpy(whole + 3 + REQUEST, "early", 5);
    for (size_t cut = 0; cut <= sizeof whole; cut++) {
        int fds[2];

        snprintf(sid, sizeof sid, "cut%zu", cut);
        hash_of(sid, hash);
        write_request(hash, 1, whole + 3);
        fds[0] = dial(s, 1);
        put(fds[0], whole, cut);
        idle(s, 2);
        put(fds[0], whole + cut, sizeof whole - cut);
        assert_int_equal(get(s, fds[0], reply, sizeof reply), sizeof reply);
        assert_memory_equal(reply, "\5\0", 2);
        assert_int_equal(reply[3], 0);
        fds[1] = join(s, sid);
        activate(s, sid, sid);
        assert_int_equal(recv(s->heard.a, got, sizeof got, 0), 5);
        assert_memory_equal(got, "early", 5);
        xf_proxy_ended(s->x, s->heard.id);
        close_both(fds);
    }
    assert_int_equal(stats(s).refused[XF_PROXY_BY_SOCKS], 0);
    done(s);
}

static void a_third_is_refused_and_harms_nobody(void **state)
{
    struct stage *s = online();
    int fds[2], third;
    uint8_t rep;

    (void)state;
    fds[0] = join(s, "s1");
    fds[1] = join(s, "s1");
    for (int i = 0; i < 2; i++) {
        third = join_rep(s, "s1", 1, &rep);
        assert_int_equal(rep, 2);
        assert_true(is_closed(s, third));
        close(third);
        if (i == 0)
            activate(s, "1", "s1");
    }
    assert_int_equal(stats(s).refused[XF_PROXY_BY_THIRD], 2);
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_THIRD);
    assert_string_equal(s->heard.who, "127.0.0.1");
    /* It flows still. */
    put(fds[0], "x", 1);
    assert_int_equal(recv(s->heard.a, &rep, 1, 0), 1);
    close_both(fds);
    done(s);
}

/* A client whose connection broke comes again. */
static void who_was_reset_makes_room(void **state)
{
    const struct linger reset = { .l_onoff = 1, .l_linger = 0 };
    struct stage *s = online();
    int fds[2], gone;

    (void)state;
    for (int at_activation = 0; at_activation < 2; at_activation++) {
        const char *sid = at_activation ? "s2" : "s1";

        gone = join(s, sid);
        if (at_activation)
            fds[0] = join(s, sid);
        setsockopt(gone, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close(gone);
        idle(s, 5);
        if (at_activation) {
            ask_to_activate(s, sid, sid);
            await_error(s, sid, ROMEO, "cancel", "not-allowed");
        } else {
            fds[0] = join(s, sid);
        }
        fds[1] = join(s, sid);
        activate(s, sid, sid);
        put(fds[0], "x", 1);
        assert_int_equal(recv(s->heard.a, &(char){ 0 }, 1, 0), 1);
        put(fds[1], "x", 1);
        assert_int_equal(recv(s->heard.b, &(char){ 0 }, 1, 0), 1);
        xf_proxy_ended(s->x, s->heard.id);
        close_both(fds);
    }
    done(s);
}

static void an_activation_may_overtake_the_second_connection(void **state)
{
    struct stage *s = online();
    uint8_t request[REQUEST], reply[2 + REQUEST];
    char sid[16], hash[41];

    (void)state;
    for (int i = 0; i < 500; i++) {
        int fds[2];

        snprintf(sid, sizeof sid, "race%d", i);
        hash_of(sid, hash);
        write_request(hash, 1, request);
        fds[0] = join(s, sid);
        fds[1] = dial(s, 1);
        put(fds[1], "\5\1\0", 3);
        if (i % 2)
            ask_to_activate(s, sid, sid);
        put(fds[1], request, sizeof request);
        if (i % 2 == 0)
            ask_to_activate(s, sid, sid);
        await_result(s, sid);
        assert_int_equal(get(s, fds[1], reply, sizeof reply), sizeof reply);
        xf_proxy_ended(s->x, s->heard.id);
        close_both(fds);
    }
    assert_int_equal(stats(s).activated, 500);
    done(s);
}

/* A hash is the sum of three texts with nothing between them, so another may
 * have the same. */
static void the_same_hash_is_not_the_same_requester(void **state)
{
    struct stage *s = online();
    int fds[2];

    (void)state;
    pair(s, "s1", fds);
    say(s, "<iq type='set' id='2' from='omeo@example.net/orchardj' to='" DOMAIN
           "'><query xmlns='" BYTESTREAMS "' sid='s1r'><activate>"
           "uliet@capulet.example/balcony</activate></query></iq>");
    await_error(s, "2", "omeo@example.net/orchardj", "cancel",
                "item-not-found");
    close_both(fds);
    done(s);
}

/* --- answers ----------------------------------------------------------------------- */

static void wrong_activations_get_their_answers(void **state)
{
    static const struct {
        const char *from, *query, *type, *condition;
    } rows[] = {
        { ROMEO, "sid='none'><activate>" JULIET "</activate>", "cancel",
          "item-not-found" },
        { ROMEO, "sid='one'><activate>" JULIET "</activate>", "cancel",
          "not-allowed" },
        { "tybalt@example.net/street",
          "sid='two'><activate>" JULIET "</activate>", "cancel",
          "item-not-found" },
        { "romeo@example.net/other",
          "sid='two'><activate>" JULIET "</activate>", "cancel",
          "item-not-found" },
        { ROMEO, "><activate>" JULIET "</activate>", "modify", "bad-request" },
        { ROMEO, "sid='two'>", "modify", "bad-request" },
        { ROMEO, "sid='two'><activate>@</activate>", "modify",
          "jid-malformed" },
        { ROMEO, "sid='two'><activate/>", "modify", "jid-malformed" },
        { JULIET, "sid='two'><activate>" JULIET "</activate>", "auth",
          "forbidden" },
        { "example.net", "sid='two'><activate>" JULIET "</activate>", "auth",
          "forbidden" },
    };
    struct stage *s = online();
    int fds[3];

    (void)state;
    fds[0] = join(s, "one");
    fds[1] = join(s, "two");
    fds[2] = join(s, "two");
    for (size_t i = 0; i < COUNT(rows); i++) {
        char xml[1024], id[8];

        snprintf(id, sizeof id, "a%zu", i);
        snprintf(xml, sizeof xml,
                 "<iq type='set' id='%s' from='%s' to='" DOMAIN "'>"
                 "<query xmlns='" BYTESTREAMS "' %s</query></iq>",
                 id, rows[i].from, rows[i].query);
        say(s, xml);
        await_error(s, id, rows[i].from, rows[i].type, rows[i].condition);
    }
    /* After all of them it can be activated, also twice, and not later on. */
    activate(s, "b", "two");
    activate(s, "c", "two");
    assert_int_equal(s->heard.pairs, 1);
    xf_proxy_ended(s->x, s->heard.id);
    ask_to_activate(s, "d", "two");
    await_error(s, "d", ROMEO, "cancel", "item-not-found");
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    done(s);
}

static void the_address_is_told_to_who_may(void **state)
{
    static const char *const others[] = {
        JULIET, "example.net", "romeo@sub.example.net/x", "/orchard", "@", NULL
    };
    struct stage *s = online();
    char xml[1024];

    (void)state;
    say(s, "<iq type='get' id='1' from='" ROMEO "' to='" DOMAIN
           "'><query xmlns='" BYTESTREAMS "'/></iq>");
    snprintf(xml, sizeof xml,
             "<iq id=\"1\" to=\"" ROMEO "\" from=\"" DOMAIN
             "\" type=\"result\"><query xmlns=\"" BYTESTREAMS "\">"
             "<streamhost jid=\"" DOMAIN "\" host=\"192.0.2.7\""
             " port=\"1080\"></streamhost>"
             "<streamhost jid=\"" DOMAIN "\" host=\"2001:db8::7\""
             " port=\"443\"></streamhost>"
             "<streamhost jid=\"" DOMAIN "\" host=\"files.example.net\""
             " port=\"%u\"></streamhost></query></iq>",
             xf_proxy_port(s->x, 0));
    await(s, xml);
    for (size_t i = 0; i < COUNT(others); i++) {
        snprintf(xml, sizeof xml,
                 "<iq type='get' id='2' %s%s%s to='" DOMAIN
                 "'><query xmlns='" BYTESTREAMS "'/></iq>",
                 others[i] ? "from='" : "", others[i] ? others[i] : "",
                 others[i] ? "'" : "");
        say(s, xml);
        await_error(s, "2", others[i], "auth", "forbidden");
    }
    assert_int_equal(stats(s).refused[XF_PROXY_BY_RULES], COUNT(others));
    done(s);
}

static void it_says_what_it_is(void **state)
{
    struct stage *s = online();

    (void)state;
    say(s, "<iq type='get' id='1' from='" JULIET "' to='PROXY.example.net'>"
           "<query xmlns='http://jabber.org/protocol/disco#info'/></iq>");
    await(s, "<iq id=\"1\" to=\"" JULIET "\" from=\"PROXY.example.net\""
             " type=\"result\"><query xmlns=\""
             "http://jabber.org/protocol/disco#info\">"
             "<identity category=\"proxy\" type=\"bytestreams\""
             " name=\"SOCKS5 bytestreams\"/>"
             "<feature var=\"" BYTESTREAMS "\"/>"
             "<feature var=\"http://jabber.org/protocol/disco#info\"/>"
             "<feature var=\"http://jabber.org/protocol/disco#items\"/>"
             "<feature var=\"urn:xmpp:ping\"/></query></iq>");
    say(s, "<iq type='get' id='2' from='" JULIET "' to='" DOMAIN "'>"
           "<query xmlns='http://jabber.org/protocol/disco#items'/></iq>");
    await(s, "<iq id=\"2\" to=\"" JULIET "\" from=\"" DOMAIN
             "\" type=\"result\"><query xmlns=\""
             "http://jabber.org/protocol/disco#items\"/></iq>");
    say(s, "<iq type='get' id='3' from='" JULIET "' to='" DOMAIN "'>"
           "<ping xmlns='urn:xmpp:ping'/></iq>");
    await(s, "<iq id=\"3\" to=\"" JULIET "\" from=\"" DOMAIN
             "\" type=\"result\"/>");
    for (int i = 0; i < 2; i++) {
        char xml[512];

        snprintf(xml, sizeof xml,
                 "<iq type='get' id='4' from='" JULIET "' to='" DOMAIN "'>"
                 "<query xmlns='http://jabber.org/protocol/disco#%s'"
                 " node='x'/></iq>",
                 i ? "items" : "info");
        say(s, xml);
        await_error(s, "4", JULIET, "cancel", "item-not-found");
    }
    done(s);
}

static void anything_else_gets_its_answer_or_none(void **state)
{
    static const char *const unserved[] = {
        "<iq type='get' id='1' from='" ROMEO "' to='" DOMAIN
        "'><query xmlns='jabber:iq:version'/></iq>",
        "<iq type='set' id='1' from='" ROMEO "' to='" DOMAIN
        "'><query xmlns='jabber:iq:register'/></iq>",
        "<iq type='set' id='1' from='" ROMEO "' to='" DOMAIN
        "'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>",
    };
    struct stage *s = online();

    (void)state;
    for (size_t i = 0; i < COUNT(unserved); i++) {
        say(s, unserved[i]);
        await_error(s, "1", ROMEO, "cancel", "service-unavailable");
    }
    say(s, "<iq type='get' id='2' from='" ROMEO "' to='" DOMAIN "'/>");
    await_error(s, "2", ROMEO, "modify", "bad-request");
    say(s, "<iq type='get' id='3' from='" ROMEO "' to='x@" DOMAIN
           "'><ping xmlns='urn:xmpp:ping'/></iq>");
    await(s, "<iq id=\"3\" to=\"" ROMEO "\" from=\"x@" DOMAIN
             "\" type=\"error\"><error type=\"cancel\"><service-unavailable");
    await(s, "</iq>");
    say(s, "<message from='" ROMEO "' to='" DOMAIN "'><body>x</body></message>"
           "<presence from='" ROMEO "' to='" DOMAIN "' type='subscribe'/>"
           "<iq type='result' id='4' from='" ROMEO "' to='" DOMAIN "'/>"
           "<iq type='error' id='5' from='" ROMEO "' to='" DOMAIN "'/>"
           "<iq type='get' from='" ROMEO "' to='" DOMAIN "'/>"
           "<iq type='odd' id='6' from='" ROMEO "' to='" DOMAIN "'/><x/>"
           "<iq type='get' id='7' from='" ROMEO "' to='" DOMAIN
           "'><ping xmlns='urn:xmpp:ping'/></iq>");
    await_result(s, "7");
    assert_int_equal(s->in_len, 0);
    assert_int_equal(s->heard.lost, 0);
    done(s);
}

/* --- how many, how much --------------------------------------------------------------- */

static void an_address_that_may_not_connect_hears_nothing(void **state)
{
    static const char *const acl[] = { "192.0.2.0/24", "127.0.0.4/30" };
    struct stage *s = prepare();
    uint8_t rep;
    int fd;

    (void)state;
    s->config.acl = acl;
    s->config.acl_count = 2;
    start(s);
    let_in(s);
    fd = dial(s, 3);
    assert_true(is_closed(s, fd));
    close(fd);
    fd = dial(s, 0);
    assert_true(is_closed(s, fd));
    close(fd);
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_ACL);
    close(join_rep(s, "s1", 6, &rep));
    assert_int_equal(rep, 0);
    assert_int_equal(stats(s).refused[XF_PROXY_BY_ACL], 2);
    assert_int_equal(s->heard.refused, 1); /* the second within 10 s */
    done(s);
}

static void half_open_ones_are_counted_by_address_and_in_all(void **state)
{
    struct stage *s = prepare();
    int fds[6];
    uint8_t rep, reply[2];

    (void)state;
    s->config.half_open_each = 2;
    s->config.half_open_total = 3;
    s->config.connections_each = 3;
    start(s);
    let_in(s);
    for (int i = 0; i < 2; i++)
        fds[i] = dial(s, 2);
    idle(s, 20);
    assert_int_equal(stats(s).half_open, 2);
    fds[2] = dial(s, 2);
    assert_true(is_closed(s, fds[2]));
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_ADDRESS);
    fds[3] = dial(s, 0);
    idle(s, 20);
    /* One more than may be: who has waited longest goes, not who comes. */
    fds[4] = dial(s, 4);
    assert_true(is_closed(s, fds[0]));
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_CROWD);
    assert_int_equal(stats(s).half_open, 3);
    put(fds[4], "\5\1\0", 3);
    assert_int_equal(get(s, fds[4], reply, 2), 2);
    close(fds[3]);
    close(fds[4]);
    idle(s, 20);
    /* Who is through makes room for a handshake, not for a connection. */
    fds[3] = join_rep(s, "s1", 4, &rep);
    close(fds[0]);
    fds[0] = join_rep(s, "s2", 2, &rep);
    fds[5] = join_rep(s, "s3", 2, &rep);
    assert_int_equal(stats(s).waiting_one, 3);
    fds[4] = dial(s, 2);
    assert_true(is_closed(s, fds[4]));
    assert_int_equal(stats(s).refused[XF_PROXY_BY_ADDRESS], 2);
    for (int i = 0; i < 6; i++)
        close(fds[i]);
    done(s);
}

static void pairs_in_all_have_a_limit(void **state)
{
    struct stage *s = prepare();
    int fds[4];
    uint8_t rep;

    (void)state;
    s->config.pairs_total = 1;
    start(s);
    let_in(s);
    fds[0] = join(s, "s1");
    fds[1] = join_rep(s, "s2", 1, &rep);
    assert_int_equal(rep, 1);
    assert_true(is_closed(s, fds[1]));
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_PAIRS);
    fds[2] = join(s, "s1");
    activate(s, "1", "s1");
    fds[3] = join_rep(s, "s2", 1, &rep);
    assert_int_equal(rep, 1);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    xf_proxy_ended(s->x, s->heard.id);
    fds[0] = join(s, "s2");
    close(fds[0]);
    done(s);
}

static void quotas_are_kept_and_rates_handed_on(void **state)
{
    static const struct xf_proxy_quota quota = { .jid_pairs = 2,
                                                 .jid_bytes_a_day = 1000,
                                                 .pair_rate = 111,
                                                 .jid_rate = 222 };
    struct stage *s = prepare();
    uint64_t first, group;
    int a[2], b[2], c[2];

    (void)state;
    s->rule.quota = &quota;
    start(s);
    let_in(s);
    pair(s, "s1", a);
    first = s->heard.id;
    group = s->heard.group;
    assert_int_equal(s->heard.pair_rate, 111);
    assert_int_equal(s->heard.group_rate, 222);
    pair(s, "s2", b);
    assert_int_equal(s->heard.group, group);
    c[0] = join(s, "s3");
    c[1] = join(s, "s3");
    ask_to_activate(s, "3", "s3");
    await_error(s, "3", ROMEO, "wait", "resource-constraint");
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_QUOTA);
    assert_string_equal(s->heard.who, ROMEO);
    xf_proxy_ended(s->x, s->heard.id);
    activate(s, "4", "s3"); /* it was kept */
    xf_proxy_moved(s->x, first, 999);
    idle(s, 10);
    assert_int_equal(s->heard.exceeded, 0);
    xf_proxy_moved(s->x, first, 1);
    xf_proxy_moved(s->x, first, 1);
    idle(s, 10);
    assert_int_equal(s->heard.exceeded, 1);
    assert_int_equal(s->heard.id, first);
    say(s, "<iq type='get' id='5' from='" ROMEO "' to='" DOMAIN
           "'><query xmlns='" BYTESTREAMS "'/></iq>");
    await_error(s, "5", ROMEO, "wait", "resource-constraint");
    close_both(a);
    close_both(b);
    close_both(c);
    done(s);
}

static void refusals_are_told_in_measure(void **state)
{
    struct stage *s = online();

    (void)state;
    for (int i = 0; i < 50; i++) {
        int fd = dial(s, 1);

        put(fd, "GET / HTTP/1.0\r\n\r\n", 18);
        assert_true(is_closed(s, fd));
        close(fd);
    }
    assert_int_equal(stats(s).refused[XF_PROXY_BY_SOCKS], 50);
    assert_int_equal(s->heard.refused, 1);
    assert_int_equal(s->heard.count, 1);
    until(s, &s->heard.refused, 2); /* 10 s later, whoever comes or not */
    assert_int_equal(s->heard.count, 49);
    done(s);
}

/* --- time ------------------------------------------------------------------------------ */

static void a_handshake_has_a_time_as_a_whole(void **state)
{
    struct stage *s = prepare();
    int64_t begun;
    int fd;

    (void)state;
    s->config.handshake_ms = 300;
    start(s);
    let_in(s);
    fd = dial(s, 1);
    begun = now_ms();
    for (size_t i = 0; i < 100; i++) {
        (void)!send(fd, i == 1 ? "\377" : "\5", 1, MSG_NOSIGNAL);
        idle(s, 40);
        if (stats(s).half_open == 0)
            break;
    }
    assert_in_range(now_ms() - begun, 290, 3000);
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_TIME);
    assert_true(is_closed(s, fd));
    close(fd);
    done(s);
}

static void who_is_not_activated_is_closed(void **state)
{
    struct stage *s = prepare();
    int64_t begun;
    int fds[3];

    (void)state;
    s->config.pairing_ms = 300;
    start(s);
    let_in(s);
    begun = now_ms();
    fds[0] = join(s, "s1");
    fds[1] = join(s, "s2");
    fds[2] = join(s, "s2");
    assert_int_equal(stats(s).waiting_one, 1);
    assert_int_equal(stats(s).waiting_two, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(is_closed(s, fds[i]));
        close(fds[i]);
    }
    assert_in_range(now_ms() - begun, 290, 3000);
    assert_int_equal(stats(s).refused[XF_PROXY_NOT_ACTIVATED], 2);
    assert_int_equal(stats(s).waiting_one + stats(s).waiting_two, 0);
    ask_to_activate(s, "1", "s2");
    await_error(s, "1", ROMEO, "cancel", "item-not-found");
    done(s);
}

static void latencies_are_counted(void **state)
{
    struct stage *s = online();
    struct xf_proxy_stats n;
    uint64_t sum = 0, quick = 0;
    int64_t before = 0;
    int fds[2];

    (void)state;
    pair(s, "s1", fds);
    close_both(fds);
    fds[0] = join(s, "s2");
    idle(s, 2000); /* does not count: there was nobody to be paired with */
    fds[1] = join(s, "s2");
    idle(s, 60);
    activate(s, "2", "s2");
    n = stats(s);
    for (size_t i = 0; i < XF_PROXY_LATENCIES; i++) {
        assert_true(xf_proxy_latency_bound(i) > before);
        before = xf_proxy_latency_bound(i);
        sum += n.latency[i];
        quick += before <= 50 ? n.latency[i] : 0;
    }
    assert_int_equal(sum, 2);
    assert_in_range(quick, 0, 1);
    assert_in_range(n.latency_sum_ms, 55, 1999);
    assert_int_equal(xf_proxy_latency_bound(XF_PROXY_LATENCIES), 0);
    close_both(fds);
    done(s);
}

/* --- the server ------------------------------------------------------------------------- */

static const char *const refusals[] = { "not-authorized", "conflict",
                                        "host-unknown" };

static void refuse(struct stage *s, const char *condition)
{
    char xml[256];

    say_header(s);
    await(s, PROOF);
    snprintf(xml, sizeof xml,
             "<stream:error><%s xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
             "</stream:error></stream:stream>",
             condition);
    say(s, xml);
}

static void a_refusal_at_first_is_for_good(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct stage *s = prepare();
        char text[128];

        start(s);
        refuse(s, refusals[i]);
        until(s, &s->heard.offline, 1);
        assert_int_equal(s->heard.code, XF_E_AUTH);
        snprintf(text, sizeof text, "login refused by the server: %s",
                 refusals[i]);
        assert_string_equal(s->heard.text, text);
        assert_int_equal(s->heard.lost, 0);
        idle(s, 20);
        assert_int_equal(s->heard.offline, 1);
        done(s);
    }
}

static void a_refusal_later_is_tried_again_and_pairs_are_kept(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refusals); i++) {
        struct stage *s = online();
        int flowing[2], waiting[2];

        pair(s, "s1", flowing);
        waiting[0] = join(s, "s2");
        hang_up(s);
        until(s, &s->heard.lost, 1);
        assert_int_equal(s->heard.code, XF_E_STREAM);
        assert_in_range(s->heard.retry_ms, 0, 500);
        assert_false(stats(s).online);
        refuse(s, refusals[i]);
        until(s, &s->heard.lost, 2);
        assert_int_equal(s->heard.code, XF_E_AUTH);
        assert_in_range(s->heard.retry_ms, 500, 1000);
        assert_int_equal(s->heard.offline, 0);
        assert_int_equal(stats(s).active, 1);
        assert_int_equal(stats(s).waiting_one, 1);
        hang_up(s);
        let_in(s);
        waiting[1] = join(s, "s2");
        activate(s, "2", "s2");
        assert_int_equal(stats(s).connects, 2);
        close_both(flowing);
        close_both(waiting);
        done(s);
    }
}

static void a_server_that_is_not_there_is_waited_for(void **state)
{
    struct stage *s = prepare();
    uint16_t port;

    (void)state;
    close(s->door);
    s->door = listen_on_loopback(&port); /* another one, for now */
    start(s);
    until(s, &s->heard.lost, 1);
    assert_int_equal(s->heard.offline, 0);
    assert_int_equal(s->heard.code, XF_E_STREAM);
    close(join(s, "s1")); /* they are accepted meanwhile */
    done(s);
}

static void a_held_request_dies_with_its_connection(void **state)
{
    struct stage *s = online();
    int fds[2];

    (void)state;
    fds[0] = join(s, "s1");
    ask_to_activate(s, "1", "s1");
    idle(s, 20);
    hang_up(s);
    until(s, &s->heard.lost, 1);
    idle(s, 250);
    let_in(s);
    fds[1] = join(s, "s1");
    activate(s, "2", "s1");
    assert_int_equal(s->heard.pairs, 1);
    close_both(fds);
    done(s);
}

static void a_stream_that_cannot_be_read_is_left(void **state)
{
    static const struct {
        const char *xml, *condition;
    } rows[] = {
        { "<!DOCTYPE x>", "not-well-formed" },
        { "<iq><!-- x --></iq>", "restricted-xml" },
        { "</x>", "not-well-formed" },
        { "<iq id='\xff'/>", "not-well-formed" },
    };
    struct stage *s = online();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int before = s->heard.lost;

        say(s, rows[i].xml);
        until(s, &s->heard.lost, before + 1);
        assert_int_equal(s->heard.code, XF_E_STREAM);
        assert_non_null(strstr(s->heard.text, rows[i].condition));
        await(s, rows[i].condition);
        await(s, "</stream:stream>");
        hang_up(s);
        let_in(s);
    }
    done(s);
}

/* --- reload, drain, close --------------------------------------------------------------- */

static void rules_may_be_replaced_while_it_runs(void **state)
{
    struct stage *s = online();
    struct xf_proxy_config bad;
    char text[200];
    int flowing[2], waiting[2];

    (void)state;
    pair(s, "s1", flowing);
    waiting[0] = join(s, "s2");
    waiting[1] = join(s, "s2");
    bad = s->config;
    bad.streamhosts_count = 0;
    assert_int_equal(xf_proxy_reload(s->x, &bad, text, sizeof text),
                     XF_E_USAGE);
    assert_string_equal(text, "no address to tell");
    s->rule.jid = "capulet.example";
    assert_int_equal(xf_proxy_reload(s->x, &s->config, text, sizeof text), 0);
    ask_to_activate(s, "2", "s2");
    await_error(s, "2", ROMEO, "auth", "forbidden");
    assert_int_equal(stats(s).active, 1);
    s->rule.jid = "romeo@example.net";
    assert_int_equal(xf_proxy_reload(s->x, &s->config, NULL, 0), 0);
    activate(s, "3", "s2");
    close_both(flowing);
    close_both(waiting);
    done(s);
}

static void drained_it_takes_nobody_new(void **state)
{
    struct stage *s = online();
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(xf_proxy_port(s->x, 0)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int fds[2];

    (void)state;
    fds[0] = join(s, "s1");
    fds[1] = join(s, "s1");
    xf_proxy_drain(s->x);
    assert_true(stats(s).draining);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(fd);
    say(s, "<iq type='get' id='1' from='" ROMEO "' to='" DOMAIN
           "'><query xmlns='" BYTESTREAMS "'/></iq>");
    await_error(s, "1", ROMEO, "wait", "resource-constraint");
    activate(s, "2", "s1");
    close_both(fds);
    done(s);
}

static void closed_it_leaves_in_good_order(void **state)
{
    struct stage *s = online();
    int flowing[2], waiting;

    (void)state;
    pair(s, "s1", flowing);
    waiting = join(s, "s2");
    xf_proxy_close(s->x);
    await(s, "</stream:stream>");
    assert_true(is_closed(s, waiting));
    assert_int_equal(s->heard.offline, 0);
    say(s, "</stream:stream>");
    until(s, &s->heard.offline, 1);
    assert_int_equal(s->heard.code, 0);
    assert_int_equal(stats(s).active, 1);
    xf_proxy_ended(s->x, s->heard.id);
    assert_int_equal(xf_proxy_timeout(s->x), -1);
    close(waiting);
    close_both(flowing);
    done(s);
}

static void closed_without_a_server_it_ends_at_once(void **state)
{
    struct stage *s = prepare();

    (void)state;
    start(s);
    xf_proxy_close(s->x);
    assert_int_equal(xf_proxy_timeout(s->x), 0);
    until(s, &s->heard.offline, 1);
    assert_int_equal(s->heard.code, 0);
    done(s);
}

static void pairs_nobody_took_are_closed(void **state)
{
    struct stage *s = online();
    int fds[2];
    char byte;

    (void)state;
    fds[0] = join(s, "s1");
    fds[1] = join(s, "s1");
    ask_to_activate(s, "1", "s1");
    for (int i = 0; i < 100 && stats(s).active == 0; i++) {
        struct pollfd p = { xf_proxy_fd(s->x), POLLIN, 0 };

        poll(&p, 1, 50);
        xf_proxy_dispatch(s->x);
    }
    assert_int_equal(stats(s).active, 1);
    xf_proxy_free(s->x);
    s->x = NULL;
    for (int i = 0; i < 2; i++)
        assert_int_equal(recv(fds[i], &byte, 1, 0), 0);
    close_both(fds);
    done(s);
}

/* --- what cannot be ------------------------------------------------------------------------ */

static void refused_with(struct stage *s, const char *words)
{
    char text[200] = "";

    assert_int_equal(xf_proxy_config_check(&s->config, text, sizeof text),
                     XF_E_USAGE);
    if (!strstr(text, words))
        fail_msg("'%s' has no '%s'", text, words);
    assert_int_equal(xf_proxy_new(&s->x, &s->config, text, sizeof text),
                     XF_E_USAGE);
    assert_null(s->x);
}

static void a_configuration_that_cannot_be_is_refused(void **state)
{
    static const struct xf_proxy_address bad[] = { { "localhost", 1 } };
    static const struct xf_proxy_address worse[] = { { "a b", 1 } };
    static const char *const acl[] = { "127.0.0.1/33" };
    static const struct xf_proxy_rule rule = { .jid = "@" };
    struct stage *s = prepare();
    const struct xf_proxy_config good = s->config;
    char text[200];

    (void)state;
#define REFUSED(change, words)                                                 \
    do {                                                                       \
        s->config = good;                                                      \
        change;                                                                \
        refused_with(s, words);                                                \
    } while (0)
    REFUSED(s->config.domain = NULL, "no domain");
    REFUSED(s->config.domain = "a@b", "is no domain");
    REFUSED(s->config.domain = "a/b", "is no domain");
    REFUSED(s->config.server = "1.2.3.4:x", "is no server");
    REFUSED(s->config.server = "192.0.2.1", "not a loopback");
    REFUSED(s->config.secret_len = 0, "no secret");
    REFUSED(s->config.secret_len = 1025, "a secret of more");
    REFUSED(s->config.listen_count = 0, "no address to listen");
    REFUSED(s->config.listen_count = 33, "more than 32");
    REFUSED((s->config.listen = bad, s->config.listen_count = 1),
            "cannot listen on localhost");
    REFUSED(s->config.streamhosts_count = 0, "no address to tell");
    REFUSED((s->config.streamhosts = worse, s->config.streamhosts_count = 1),
            "neither an address nor");
    REFUSED((s->config.acl = acl, s->config.acl_count = 1), "no network");
    REFUSED((s->config.rules = &rule), "a rule for @");
    REFUSED(s->config.handshake_ms = 0, "deadline");
    REFUSED(s->config.pairing_ms = -1, "deadline");
#undef REFUSED
    s->config = good;
    assert_int_equal(xf_proxy_config_check(&s->config, text, sizeof text), 0);
    s->config.server = "192.0.2.1";
    s->config.remote = true;
    assert_int_equal(xf_proxy_config_check(&s->config, text, sizeof text), 0);
    done(s);
}

static void an_address_in_use_is_told(void **state)
{
    struct stage *s = prepare(), *other = online();
    const struct xf_proxy_address taken = { "127.0.0.1",
                                            xf_proxy_port(other->x, 0) };
    char text[200], want[200];

    (void)state;
    s->config.listen = &taken;
    s->config.listen_count = 1;
    assert_int_equal(xf_proxy_new(&s->x, &s->config, text, sizeof text),
                     XF_E_BUSY);
    snprintf(want, sizeof want, "cannot listen on 127.0.0.1:%u: it is in use",
             taken.port);
    assert_string_equal(text, want);
    done(s);
    done(other);
}

/* --- out of things --------------------------------------------------------------------------- */

struct fault {
    enum xf_sys_call call;
    int err;
    int after; /* so many more succeed */
    int met;
};

static int gate(enum xf_sys_call call, void *ctx)
{
    struct fault *f = ctx;

    if (call != f->call)
        return 0;
    f->met++;
    return f->met == f->after + 1 ? f->err : 0;
}

/*
 * The n-th call of a kind fails, for each n: nothing is lost or done twice by
 * us, whoever was hit comes again, and in the end a pair is activated.
 */
static int survive(enum xf_sys_call call, int err)
{
    uint8_t both[3 + REQUEST] = { 5, 1, 0 };
    char hash[41];

    hash_of("s0", hash);
    write_request(hash, 1, both + 3);
    for (int n = 0;; n++) {
        struct stage *s = online();
        struct fault f = { call, err, n, 0 };
        int fds[2];

        xf_sys_set_gate(gate, &f);
        for (int i = 0; i < 2; i++) {
            fds[i] = dial(s, 1);
            put(fds[i], both, sizeof both);
        }
        idle(s, 10);
        ask_to_activate(s, "0", "s0");
        idle(s, 10);
        xf_sys_set_gate(NULL, NULL);
        idle(s, 10);
        close_both(fds);
        if (s->heard.lost > 0) {
            hang_up(s);
            let_in(s);
        }
        if (s->heard.pairs > 0)
            xf_proxy_ended(s->x, s->heard.id);
        pair(s, "s1", fds);
        xf_proxy_ended(s->x, s->heard.id);
        assert_int_equal(stats(s).active, 0);
        close_both(fds);
        done(s);
        if (f.met <= n)
            return n;
    }
}

static void any_call_may_fail_and_it_goes_on(void **state)
{
    (void)state;
    /* As many are needed at least, so that something was tried. */
    assert_true(survive(XF_SYS_ALLOC, ENOMEM) > 15);
    assert_true(survive(XF_SYS_RECV, ECONNRESET) >= 6);
    assert_true(survive(XF_SYS_SEND, EPIPE) >= 4);
    assert_true(survive(XF_SYS_SOCKOPT, ENOBUFS) > 8);
    assert_true(survive(XF_SYS_ACCEPT, ECONNABORTED) >= 2);
}

static int no_descriptors(enum xf_sys_call call, void *ctx)
{
    int *count = ctx;

    if (call != XF_SYS_ACCEPT)
        return 0;
    ++*count;
    return EMFILE;
}

static void without_descriptors_accepting_pauses(void **state)
{
    struct stage *s = online();
    int accepts = 0;
    int fd = dial(s, 1);
    int64_t begun = now_ms();

    (void)state;
    xf_sys_set_gate(no_descriptors, &accepts);
    idle(s, 1500);
    xf_sys_set_gate(NULL, NULL);
    /* One a second, not as often as it can. */
    assert_in_range(accepts, 1, 1 + (now_ms() - begun) / 1000);
    assert_int_equal(stats(s).refused[XF_PROXY_BY_DESCRIPTORS], accepts);
    assert_int_equal(s->heard.refusal, XF_PROXY_BY_DESCRIPTORS);
    put(fd, "\5\1\0", 3);
    assert_int_equal(get(s, fd, &(char[2]){ 0 }, 2), 2);
    close(fd);
    done(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_that_are_activated_are_handed_over),
        cmocka_unit_test(what_was_sent_early_is_left_in_the_socket),
        cmocka_unit_test(a_handshake_may_be_cut_anywhere),
        cmocka_unit_test(a_third_is_refused_and_harms_nobody),
        cmocka_unit_test(who_was_reset_makes_room),
        cmocka_unit_test(an_activation_may_overtake_the_second_connection),
        cmocka_unit_test(the_same_hash_is_not_the_same_requester),
        cmocka_unit_test(wrong_activations_get_their_answers),
        cmocka_unit_test(the_address_is_told_to_who_may),
        cmocka_unit_test(it_says_what_it_is),
        cmocka_unit_test(anything_else_gets_its_answer_or_none),
        cmocka_unit_test(an_address_that_may_not_connect_hears_nothing),
        cmocka_unit_test(half_open_ones_are_counted_by_address_and_in_all),
        cmocka_unit_test(pairs_in_all_have_a_limit),
        cmocka_unit_test(quotas_are_kept_and_rates_handed_on),
        cmocka_unit_test(refusals_are_told_in_measure),
        cmocka_unit_test(a_handshake_has_a_time_as_a_whole),
        cmocka_unit_test(who_is_not_activated_is_closed),
        cmocka_unit_test(latencies_are_counted),
        cmocka_unit_test(a_refusal_at_first_is_for_good),
        cmocka_unit_test(a_refusal_later_is_tried_again_and_pairs_are_kept),
        cmocka_unit_test(a_server_that_is_not_there_is_waited_for),
        cmocka_unit_test(a_held_request_dies_with_its_connection),
        cmocka_unit_test(a_stream_that_cannot_be_read_is_left),
        cmocka_unit_test(rules_may_be_replaced_while_it_runs),
        cmocka_unit_test(drained_it_takes_nobody_new),
        cmocka_unit_test(closed_it_leaves_in_good_order),
        cmocka_unit_test(closed_without_a_server_it_ends_at_once),
        cmocka_unit_test(pairs_nobody_took_are_closed),
        cmocka_unit_test(a_configuration_that_cannot_be_is_refused),
        cmocka_unit_test(an_address_in_use_is_told),
        cmocka_unit_test(any_call_may_fail_and_it_goes_on),
        cmocka_unit_test(without_descriptors_accepting_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
