/* The link against a server that follows a script in a thread of its own. */
#include "net/link.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>

#include <cmocka.h>

#include "base/buf.h"
#include "ca.h"
#include "turn.h"

#define DOMAIN "example.net"

static const struct validity now = { -1, 30 };

/* --- the server ---------------------------------------------------------- */

struct peer;
typedef bool script_fn(struct peer *peer);

struct peer {
    script_fn *script;
    SSL_CTX *tls_ctx;
    pthread_t thread;
    int listener, fd;
    SSL *ssl;
    char address[XF_ADDRESS_PORT_TEXT];
    bool well; /* every step of the script came true */
    uint8_t exporter[32];
};

static bool say_bytes(struct peer *p, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = p->ssl ? SSL_write(p->ssl, bytes, (int)len)
                           : send(p->fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static bool say(struct peer *p, const char *text)
{
    return say_bytes(p, text, strlen(text));
}

static ssize_t hear(struct peer *p, char *out, size_t len)
{
    return p->ssl ? SSL_read(p->ssl, out, (int)len) : recv(p->fd, out, len, 0);
}

static bool expect(struct peer *p, const char *text)
{
    char got[256];
    size_t have = 0, want = strlen(text);

    while (have < want) {
        ssize_t n = hear(p, got + have, want - have);

        if (n <= 0)
            return false;
        have += (size_t)n;
    }
    return memcmp(got, text, want) == 0;
}

/* The client says the end, within TLS by close_notify, and nothing before. */
static bool expect_end(struct peer *p)
{
    char byte;
    ssize_t n = hear(p, &byte, 1);

    if (p->ssl &&
        (n > 0 || SSL_get_error(p->ssl, (int)n) != SSL_ERROR_ZERO_RETURN))
        return false;
    return p->ssl ? recv(p->fd, &byte, 1, 0) == 0 : n == 0;
}

static bool start_tls(struct peer *p)
{
    p->ssl = SSL_new(p->tls_ctx);
    SSL_set_fd(p->ssl, p->fd);
    return SSL_accept(p->ssl) == 1 &&
           SSL_export_keying_material(p->ssl, p->exporter, 32,
                                      "EXPORTER-Channel-Binding", 24,
                                      (const unsigned char *)"", 0, 1) == 1;
}

static bool end_tls(struct peer *p)
{
    return SSL_shutdown(p->ssl) >= 0;
}

/* Closing with a reset in place of a FIN. */
static bool reset(struct peer *p)
{
    const struct linger now_or_never = { 1, 0 };

    return setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now_or_never,
                      sizeof now_or_never) == 0;
}

static void *follow(void *ctx)
{
    const struct timeval patience = { .tv_sec = 10 };
    struct peer *p = ctx;
    struct pollfd ready = { .fd = p->listener, .events = POLLIN };

    if (poll(&ready, 1, 10000) == 1 &&
        (p->fd = accept(p->listener, NULL, NULL)) >= 0) {
        (void)setsockopt(p->fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
                         sizeof patience);
        (void)setsockopt(p->fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
                         sizeof patience);
        p->well = p->script(p);
        SSL_free(p->ssl);
        close(p->fd);
    }
    ERR_clear_error();
    return NULL;
}

static void open_peer(struct peer *p, script_fn *script, SSL_CTX *tls_ctx,
                      const char *ip, uint16_t port)
{
    const int on = 1;
    struct xf_address a;

    *p = (struct peer){ .script = script, .tls_ctx = tls_ctx };
    assert_true(xf_address_read(ip, port, &a));
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        setsockopt(p->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), 0);
    assert_int_equal(bind(p->listener, &a.any, a.len), 0);
    assert_int_equal(listen(p->listener, 5), 0);
    assert_true(xf_address_local(p->listener, &a));
    xf_address_port_text(&a, p->address);
    assert_int_equal(pthread_create(&p->thread, NULL, follow, p), 0);
}

static bool close_peer(struct peer *p)
{
    (void)shutdown(p->listener, SHUT_RDWR); /* ends a poll for nobody */
    pthread_join(p->thread, NULL);
    close(p->listener);
    SSL_CTX_free(p->tls_ctx);
    return p->well;
}

/* --- the client ---------------------------------------------------------- */

struct client {
    struct xf_loop *loop;
    struct xf_names *names;
    struct xf_link *link;
    struct ca ca;

    bool connected, direct, secured, drained, closed;
    size_t received;
    char text[256]; /* the first bytes of it */
    struct xf_error_info why;

    const char *tls_after;   /* start TLS when this has come */
    const char *close_after; /* close when this has come */
    const char *hello;       /* to say once TLS is there, or at once if plain */
    bool plain, pause, pause_secured;
    const char *free_in; /* the event that frees the link */
};

static void perhaps_free(struct client *c, const char *event)
{
    if (!c->free_in || strcmp(c->free_in, event) != 0)
        return;
    xf_link_free(c->link);
    c->link = NULL;
}

static void greet(struct client *c)
{
    if (c->hello)
        assert_int_equal(xf_link_send(c->link, c->hello, strlen(c->hello)), 0);
}

static void on_connected(void *ctx, bool tls)
{
    struct client *c = ctx;

    assert_false(c->connected || c->closed);
    c->connected = true;
    c->direct = tls;
    if (tls || c->plain)
        greet(c);
    perhaps_free(c, "connected");
}

static void on_secured(void *ctx)
{
    struct client *c = ctx;

    assert_true(c->connected && !c->direct && !c->secured && !c->closed);
    c->secured = true;
    greet(c);
    if (c->pause_secured)
        xf_link_pause_reading(c->link, true);
    perhaps_free(c, "secured");
}

static void on_received(void *ctx, const char *bytes, size_t len)
{
    struct client *c = ctx;

    assert_true(c->connected && !c->closed && len > 0);
    for (size_t i = 0; i < len && c->received + i < sizeof c->text - 1; i++)
        c->text[c->received + i] = bytes[i];
    c->received += len;
    if (c->tls_after && strstr(c->text, c->tls_after)) {
        c->tls_after = NULL;
        assert_int_equal(xf_link_start_tls(c->link), 0);
    }
    if (c->close_after && strstr(c->text, c->close_after))
        xf_link_close(c->link);
    if (c->pause)
        xf_link_pause_reading(c->link, true);
    perhaps_free(c, "received");
}

static void on_drained(void *ctx)
{
    struct client *c = ctx;

    c->drained = true;
    perhaps_free(c, "drained");
}

static void on_closed(void *ctx, const struct xf_error_info *why)
{
    struct client *c = ctx;

    assert_false(c->closed);
    c->closed = true;
    c->why = *why;
    perhaps_free(c, "closed");
}

static const struct xf_link_events events = {
    .connected = on_connected,
    .secured = on_secured,
    .received = on_received,
    .drained = on_drained,
    .closed = on_closed,
};

static int set_up(void **state)
{
    static struct client c;

    c = (struct client){ 0 };
    *state = &c;
    ca_init(&c.ca, "An authority for tests");
    if (xf_loop_new(&c.loop) != 0)
        return -1;
    return xf_names_new(c.loop, &c.names);
}

static int tear_down(void **state)
{
    struct client *c = *state;

    xf_link_free(c->link);
    xf_names_free(c->names);
    xf_loop_free(c->loop);
    ca_clear(&c->ca);
    return 0;
}

static int begin(struct client *c, const char *server)
{
    const struct xf_link_config config = { .domain = DOMAIN,
                                           .server = server,
                                           .ca_file = c->ca.file,
                                           .plain = c->plain };

    return xf_link_new(c->loop, c->names, &config, &events, c, &c->link);
}

/* Until the end, or until the link was freed. */
static void play(struct client *c, struct peer *p)
{
    assert_int_equal(begin(c, p->address), 0);
    assert_false(c->connected);
    if (c->free_in) {
        for (int i = 0; i < 2000 && c->link; i++)
            turn(c->loop, 5);
        assert_null(c->link);
    } else {
        assert_true(turn_until(c->loop, &c->closed, 20000));
    }
}

static SSL_CTX *good_tls(struct client *c)
{
    return ca_server(&c->ca, "DNS:" DOMAIN, now, 0);
}

/* --- in clear ------------------------------------------------------------ */

static bool answer_and_wait(struct peer *p)
{
    return expect(p, "<hello/>") && say(p, "<there/>") && expect_end(p);
}

static void bytes_go_both_ways_and_the_end_is_in_order(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->plain = true;
    c->hello = "<hello/>";
    c->close_after = "<there/>";
    open_peer(&p, answer_and_wait, NULL, "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_int_equal(c->why.code, 0);
    assert_string_equal(c->text, "<there/>");
    assert_false(c->direct || c->secured);
    assert_int_equal(xf_link_send(c->link, "x", 1), XF_E_STREAM);
    assert_int_equal(xf_link_start_tls(c->link), XF_E_STREAM);
}

/* Small writes of one turn leave in one piece. */
static bool one_piece(struct peer *p)
{
    char got[64];

    return hear(p, got, sizeof got) == 12 &&
           memcmp(got, "abcdefghijkl", 12) == 0;
}

static void small_writes_of_a_turn_are_joined(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->plain = true;
    open_peer(&p, one_piece, NULL, "127.0.0.1", 0);
    assert_int_equal(begin(c, p.address), 0);
    assert_true(turn_until(c->loop, &c->connected, 2000));
    assert_true(xf_link_is_loopback(c->link));
    for (const char *s = "abcdefghijkl"; *s; s++)
        assert_int_equal(xf_link_send(c->link, s, 1), 0);
    assert_int_equal(xf_link_queued(c->link), 12);
    assert_int_equal(xf_loop_timeout(c->loop), 0);
    xf_link_flush(c->link);
    assert_int_equal(xf_link_queued(c->link), 0);
    assert_true(turn_until(c->loop, &c->closed, 5000));
    assert_true(close_peer(&p));
}

static bool reset_at_once(struct peer *p)
{
    return expect(p, "<hello/>") && reset(p);
}

static void a_reset_is_told(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->plain = true;
    c->hello = "<hello/>";
    open_peer(&p, reset_at_once, NULL, "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_int_equal(c->why.code, XF_E_STREAM);
    assert_string_equal(c->why.text, "the connection to example.net was reset");
}

/* Its last words come although our writing fails by then. */
static bool speak_and_go(struct peer *p)
{
    return expect(p, "<hello/>") && say(p, "<why/>");
}

static void what_the_server_said_before_it_went_is_heard(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->plain = true;
    c->hello = "<hello/>";
    open_peer(&p, speak_and_go, NULL, "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_string_equal(c->text, "<why/>");
    assert_int_equal(c->why.code, 0);
}

/* The late answer would reset a connection that was closed at once. */
static bool answer_late(struct peer *p)
{
    if (!expect(p, "<hello/>") || !say(p, "<there/>") || !expect_end(p))
        return false;
    usleep(200 * 1000);
    return say(p, "<late/>");
}

static void after_our_end_the_servers_is_waited_for(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->plain = true;
    c->hello = "<hello/>";
    c->close_after = "<there/>";
    open_peer(&p, answer_late, NULL, "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_string_equal(c->text, "<there/><late/>");
    assert_int_equal(c->why.code, 0);
}

static bool never_end(struct peer *p)
{
    if (!answer_and_wait(p))
        return false;
    usleep(2800 * 1000);
    return true;
}

static void but_no_longer_than_two_seconds(void **state)
{
    struct client *c = *state;
    struct peer p;
    int64_t start = xf_sys_now_ms();

    c->plain = true;
    c->hello = "<hello/>";
    c->close_after = "<there/>";
    open_peer(&p, never_end, NULL, "127.0.0.1", 0);
    play(c, &p);
    assert_in_range(xf_sys_now_ms() - start, 1900, 2700);
    assert_int_equal(c->why.code, 0);
    assert_true(close_peer(&p));
}

/* --- TLS ----------------------------------------------------------------- */

static bool starttls(struct peer *p)
{
    return say(p, "<starttls/>") && start_tls(p) && expect(p, "<hello/>") &&
           say(p, "<there/>") && expect_end(p) && end_tls(p);
}

static void a_link_is_secured_by_starttls(void **state)
{
    struct client *c = *state;
    uint8_t binding[XF_TLS_BINDING_MAX];
    struct peer p;

    c->tls_after = "<starttls/>";
    c->hello = "<hello/>";
    open_peer(&p, starttls, good_tls(c), "127.0.0.1", 0);
    assert_int_equal(begin(c, p.address), 0);
    assert_true(turn_until(c->loop, &c->secured, 5000));
    assert_false(c->direct);
    assert_true(xf_link_is_tls(c->link));
    assert_string_equal(xf_link_tls_version(c->link), "TLSv1.3");
    assert_int_equal(xf_link_binding(c->link, XF_TLS_EXPORTER, binding), 32);
    assert_int_equal(xf_link_start_tls(c->link), XF_E_STREAM);
    while (!strstr(c->text, "<there/>") && !c->closed)
        turn(c->loop, 100);
    xf_link_close(c->link);
    assert_true(turn_until(c->loop, &c->closed, 5000));
    assert_true(close_peer(&p));
    assert_memory_equal(binding, p.exporter, 32);
    assert_string_equal(c->text, "<starttls/><there/>");
    assert_int_equal(c->why.code, 0);
}

static bool direct(struct peer *p)
{
    const unsigned char *name;
    unsigned len;

    if (!start_tls(p))
        return false;
    SSL_get0_alpn_selected(p->ssl, &name, &len);
    return len == 11 && expect(p, "<hello/>") && say(p, "<there/>") &&
           expect_end(p) && end_tls(p);
}

static void port_5223_is_tls_from_the_first_byte(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->hello = "<hello/>";
    c->close_after = "<there/>";
    open_peer(&p, direct, good_tls(c), "127.0.0.77", 5223);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_true(c->direct && !c->secured);
    assert_string_equal(c->text, "<there/>");
    assert_int_equal(c->why.code, 0);
}

static bool handshake_fails(struct peer *p)
{
    char byte;

    if (say(p, "<starttls/>") && start_tls(p)) {
        /* TLS 1.3: we are done before the client has judged us */
        return hear(p, &byte, 1) <= 0;
    }
    return true;
}

static void a_bad_certificate_ends_the_link_before_a_word(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->tls_after = "<starttls/>";
    c->hello = "<secret/>";
    open_peer(&p, handshake_fails, ca_server(&c->ca, "DNS:a.org", now, 0),
              "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_false(c->secured);
    assert_int_equal(c->why.code, XF_E_TLS);
    assert_non_null(strstr(c->why.text, "another name"));
}

static bool direct_fails(struct peer *p)
{
    char byte;

    return !start_tls(p) || hear(p, &byte, 1) <= 0;
}

static void in_direct_tls_too(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->hello = "<secret/>";
    open_peer(&p, direct_fails, ca_server(NULL, "DNS:" DOMAIN, now, 0),
              "127.0.0.77", 5223);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_false(c->connected);
    assert_int_equal(c->why.code, XF_E_TLS);
    assert_non_null(strstr(c->why.text, "self-signed"));
}

static bool inject(struct peer *p)
{
    char byte;

    if (!say(p, "<starttls/>"))
        return false;
    usleep(50 * 1000); /* in a segment of its own */
    (void)say(p, "<stream:features><mechanisms/></stream:features>");
    (void)start_tls(p);
    return !SSL_is_init_finished(p->ssl) || hear(p, &byte, 1) <= 0;
}

static void bytes_in_front_of_the_handshake_end_the_link(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->tls_after = "<starttls/>";
    c->hello = "<secret/>";
    open_peer(&p, inject, good_tls(c), "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_false(c->secured);
    assert_string_equal(c->text, "<starttls/>");
    assert_int_equal(c->why.code, XF_E_TLS);
    assert_non_null(strstr(c->why.text, "not TLS"));
}

static bool cut_off(struct peer *p)
{
    return say(p, "<starttls/>") && start_tls(p) && expect(p, "<hello/>") &&
           say(p, "<there/>"); /* and then a FIN that anybody can send */
}

static void an_end_without_close_notify_is_told(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->tls_after = "<starttls/>";
    c->hello = "<hello/>";
    open_peer(&p, cut_off, good_tls(c), "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_string_equal(c->text, "<starttls/><there/>");
    assert_int_equal(c->why.code, XF_E_STREAM);
    assert_string_equal(c->why.text,
                        "the connection to example.net was cut off");
}

static bool end_first(struct peer *p)
{
    return say(p, "<starttls/>") && start_tls(p) && expect(p, "<hello/>") &&
           say(p, "<bye/>") && end_tls(p) && expect_end(p);
}

static void the_servers_goodbye_is_answered(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->tls_after = "<starttls/>";
    c->hello = "<hello/>";
    open_peer(&p, end_first, good_tls(c), "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_string_equal(c->text, "<starttls/><bye/>");
    assert_int_equal(c->why.code, 0);
}

static bool hang_up(struct peer *p)
{
    char got[16];

    return say(p, "<starttls/>") && hear(p, got, sizeof got) > 0 && reset(p);
}

static void a_server_that_hangs_up_in_the_handshake_is_told(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->tls_after = "<starttls/>";
    open_peer(&p, hang_up, NULL, "127.0.0.1", 0);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_int_equal(c->why.code, XF_E_TLS);
    assert_non_null(strstr(c->why.text, "hung up"));
}

static void an_authority_that_cannot_be_read_is_told(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->tls_after = "<starttls/>";
    open_peer(&p, handshake_fails, good_tls(c), "127.0.0.1", 0);
    (void)unlink(c->ca.file);
    play(c, &p);
    assert_true(close_peer(&p));
    assert_int_equal(c->why.code, XF_E_TLS);
    assert_non_null(strstr(c->why.text, c->ca.file));
}

/* --- much ---------------------------------------------------------------- */

#define MUCH (6u << 20)

static bool take_much(struct peer *p)
{
    static char got[65536];
    size_t have = 0;

    if (p->tls_ctx && !(say(p, "<starttls/>") && start_tls(p)))
        return false;
    usleep(100 * 1000); /* let the queue fill */
    while (have < MUCH) {
        ssize_t n = hear(p, got, sizeof got);

        if (n <= 0)
            return false;
        for (ssize_t i = 0; i < n; i++) {
            if (got[i] != (char)((have + (size_t)i) % 251))
                return false;
        }
        have += (size_t)n;
    }
    return say(p, "<all/>") && expect_end(p);
}

static void send_much(struct client *c, bool tls)
{
    char *bytes = malloc(XF_LINK_QUEUE_MAX);
    struct peer p;

    for (size_t i = 0; i < XF_LINK_QUEUE_MAX; i++)
        bytes[i] = (char)(i % 251);
    c->plain = !tls;
    c->tls_after = tls ? "<starttls/>" : NULL;
    c->close_after = "<all/>";
    open_peer(&p, take_much, tls ? good_tls(c) : NULL, "127.0.0.1", 0);
    assert_int_equal(begin(c, p.address), 0);
    assert_true(turn_until(c->loop, tls ? &c->secured : &c->connected, 5000));
    assert_int_equal(xf_link_send(c->link, bytes, MUCH), 0);
    assert_int_equal(xf_link_queued(c->link), MUCH);
    assert_int_equal(xf_link_send(c->link, bytes, XF_LINK_QUEUE_MAX - MUCH + 1),
                     XF_E_LIMIT);
    assert_int_equal(xf_link_send(c->link, bytes, SIZE_MAX), XF_E_LIMIT);
    assert_int_equal(xf_link_queued(c->link), MUCH);
    assert_true(turn_until(c->loop, &c->closed, 20000));
    assert_true(close_peer(&p));
    assert_true(c->drained);
    assert_int_equal(c->why.code, 0);
    free(bytes);
}

static void much_is_sent_in_clear(void **state)
{
    send_much(*state, false);
}

static void much_is_sent_by_tls(void **state)
{
    send_much(*state, true);
}

static bool give_much(struct peer *p)
{
    static char block[65536];

    if (p->tls_ctx && !(say(p, "<starttls/>") && start_tls(p)))
        return false;
    for (size_t sent = 0; sent < MUCH; sent += sizeof block) {
        if (!say_bytes(p, block, sizeof block))
            return false;
    }
    return p->ssl ? end_tls(p) : true;
}

/* Pausing after each piece, and waiting, must neither lose nor go on. */
static void receive_much(struct client *c, bool tls)
{
    size_t first = tls ? strlen("<starttls/>") : 0;
    struct peer p;

    c->plain = !tls;
    c->tls_after = tls ? "<starttls/>" : NULL;
    open_peer(&p, give_much, tls ? good_tls(c) : NULL, "127.0.0.1", 0);
    assert_int_equal(begin(c, p.address), 0);
    assert_true(turn_until(c->loop, tls ? &c->secured : &c->connected, 5000));
    c->pause = true;
    for (int i = 0; i < 5; i++) {
        size_t before;

        while (c->received == first && !c->closed)
            turn(c->loop, 100);
        before = c->received;
        turn_for(c->loop, 20);
        assert_int_equal(c->received, before);
        assert_false(c->closed);
        xf_link_pause_reading(c->link, false);
        turn_for(c->loop, 20);
        assert_true(c->received > before);
    }
    c->pause = false;
    xf_link_pause_reading(c->link, false);
    assert_true(turn_until(c->loop, &c->closed, 20000));
    assert_true(close_peer(&p));
    assert_int_equal(c->received, first + MUCH);
    assert_int_equal(c->why.code, 0);
}

static void much_is_received_in_clear_with_pauses(void **state)
{
    receive_much(*state, false);
}

static void much_is_received_by_tls_with_pauses(void **state)
{
    receive_much(*state, true);
}

static bool speak_at_once(struct peer *p)
{
    return say(p, "<starttls/>") && start_tls(p) && say(p, "<there/>") &&
           expect_end(p) && end_tls(p);
}

/* They lie within TLS by then; the socket has nothing more to tell. */
static void bytes_behind_the_handshake_outlast_a_pause(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->tls_after = "<starttls/>";
    c->close_after = "<there/>";
    c->pause_secured = true;
    open_peer(&p, speak_at_once,
              ca_server(&c->ca, "DNS:" DOMAIN, now, TLS1_2_VERSION),
              "127.0.0.1", 0);
    assert_int_equal(begin(c, p.address), 0);
    for (int i = 0; i < 50 && !c->secured; i++) {
        usleep(100 * 1000); /* so that they come in one piece */
        turn(c->loop, 0);
    }
    assert_true(c->secured);
    turn_for(c->loop, 50);
    assert_string_equal(c->text, "<starttls/>");
    xf_link_pause_reading(c->link, false);
    assert_true(turn_until(c->loop, &c->closed, 5000));
    assert_true(close_peer(&p));
    assert_string_equal(c->text, "<starttls/><there/>");
    assert_int_equal(c->why.code, 0);
}

static void closing_ends_a_pause(void **state)
{
    struct client *c = *state;
    struct peer p;

    c->plain = true;
    c->hello = "<hello/>";
    open_peer(&p, answer_late, NULL, "127.0.0.1", 0);
    assert_int_equal(begin(c, p.address), 0);
    assert_true(turn_until(c->loop, &c->connected, 2000));
    xf_link_pause_reading(c->link, true);
    turn_for(c->loop, 100);
    assert_int_equal(c->received, 0);
    xf_link_close(c->link);
    assert_true(turn_until(c->loop, &c->closed, 5000));
    assert_true(close_peer(&p));
    assert_string_equal(c->text, "<there/><late/>");
}

/* --- not at all ---------------------------------------------------------- */

static int connects;

static int count_connects(enum xf_sys_call call, void *ctx)
{
    (void)ctx;
    connects += call == XF_SYS_CONNECT;
    return 0;
}

static void clear_text_to_a_host_abroad_is_refused(void **state)
{
    struct client *c = *state;

    c->plain = true;
    connects = 0;
    xf_sys_set_gate(count_connects, NULL);
    assert_int_equal(begin(c, "192.0.2.1"), 0);
    assert_true(turn_until(c->loop, &c->closed, 5000));
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(connects, 0);
    assert_false(c->connected);
    assert_int_equal(c->why.code, XF_E_USAGE);
}

static void a_server_that_refuses_is_told(void **state)
{
    struct client *c = *state;

    assert_int_equal(begin(c, "127.0.0.79:1"), 0);
    assert_true(turn_until(c->loop, &c->closed, 5000));
    assert_int_equal(c->why.code, XF_E_STREAM);
    assert_string_equal(c->why.text, "cannot reach 127.0.0.79:1: refused");
}

static void wrong_settings_are_the_callers_mistake(void **state)
{
    static const struct xf_link_config wrong[] = {
        { .domain = "" },
        { .domain = "a b" },
        { .domain = "example.net", .server = "x:y" },
    };
    struct client *c = *state;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(
            xf_link_new(c->loop, c->names, &wrong[i], &events, c, &c->link),
            XF_E_USAGE);
    assert_null(c->link);
}

static void closing_before_it_is_connected_is_in_order(void **state)
{
    struct client *c = *state;

    assert_int_equal(begin(c, "127.0.0.79:1"), 0);
    xf_link_close(c->link);
    assert_false(c->closed);
    assert_true(turn_until(c->loop, &c->closed, 1000));
    assert_false(c->connected);
    assert_int_equal(c->why.code, 0);
}

/* --- freed by what it tells ---------------------------------------------- */

static bool whatever(struct peer *p)
{
    static char got[65536];

    if (say(p, "<starttls/>") && start_tls(p))
        (void)say(p, "<there/>");
    for (int i = 0; i < 1000 && p->ssl && hear(p, got, sizeof got) > 0; i++)
        continue;
    return true;
}

static void every_event_may_free_the_link(void **state)
{
    static const char *const in[] = { "connected", "received", "secured",
                                      "closed" };
    struct client *c = *state;

    for (size_t i = 0; i < sizeof in / sizeof in[0]; i++) {
        struct peer p;

        c->connected = c->secured = c->closed = false;
        c->received = 0;
        memset(c->text, 0, sizeof c->text);
        c->tls_after = "<starttls/>";
        c->close_after = "<there/>";
        c->free_in = in[i];
        open_peer(&p, whatever, good_tls(c), "127.0.0.1", 0);
        play(c, &p);
        (void)close_peer(&p);
        turn_for(c->loop, 20);
        assert_int_equal(xf_loop_timeout(c->loop), -1);
    }
}

static void and_so_may_the_word_that_the_queue_is_low(void **state)
{
    static char bytes[1u << 20];
    struct client *c = *state;
    struct peer p;

    c->plain = true;
    c->free_in = "drained";
    open_peer(&p, take_much, NULL, "127.0.0.1", 0);
    assert_int_equal(begin(c, p.address), 0);
    assert_true(turn_until(c->loop, &c->connected, 2000));
    assert_int_equal(xf_link_send(c->link, bytes, sizeof bytes), 0);
    for (int i = 0; i < 1000 && c->link; i++)
        turn(c->loop, 10);
    assert_null(c->link);
    (void)close_peer(&p);
}

/* --- without memory or descriptors --------------------------------------- */

struct nth {
    enum xf_sys_call call;
    int skip, err;
};

static int refuse_nth(enum xf_sys_call call, void *ctx)
{
    struct nth *n = ctx;

    if (call != n->call || n->skip-- != 0)
        return 0;
    return n->err;
}

/* Whatever call fails: one end, well or with a code, and nothing leaks. */
static void any_call_may_fail(void **state)
{
    static const struct {
        enum xf_sys_call call;
        int err, most;
    } faults[] = {
        { XF_SYS_ALLOC, ENOMEM, 24 },       { XF_SYS_SOCKET, EMFILE, 2 },
        { XF_SYS_CONNECT, ENETUNREACH, 2 }, { XF_SYS_SEND, ECONNRESET, 5 },
        { XF_SYS_SEND, EAGAIN, 5 },         { XF_SYS_RECV, ECONNRESET, 5 },
        { XF_SYS_RECV, EAGAIN, 5 },         { XF_SYS_SOCKOPT, ENOPROTOOPT, 8 },
        { XF_SYS_SHUTDOWN, ENOTCONN, 2 },
    };
    struct client *c = *state;
    int failed = 0, well = 0;

    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        for (int skip = 0; skip < faults[i].most; skip++) {
            struct nth n = { faults[i].call, skip, faults[i].err };
            struct peer p;
            int err;

            c->connected = c->secured = c->closed = false;
            c->received = 0;
            memset(c->text, 0, sizeof c->text);
            c->tls_after = "<starttls/>";
            c->close_after = "<there/>";
            open_peer(&p, whatever, good_tls(c), "127.0.0.1", 0);
            xf_sys_set_gate(refuse_nth, &n);
            err = begin(c, p.address);
            if (err == 0 && !turn_until(c->loop, &c->closed, 10000))
                fail_msg("fault %zu at call %d: no end", i, skip);
            xf_sys_set_gate(NULL, NULL);
            if (err != 0)
                assert_int_equal(err, XF_E_LIMIT);
            else if (c->why.code == 0)
                well++;
            else
                failed++;
            xf_link_free(c->link);
            c->link = NULL;
            (void)close_peer(&p);
        }
    }
    assert_true(failed > 10);
    assert_true(well > 10);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(bytes_go_both_ways_and_the_end_is_in_order),
        T(small_writes_of_a_turn_are_joined),
        T(a_reset_is_told),
        T(what_the_server_said_before_it_went_is_heard),
        T(after_our_end_the_servers_is_waited_for),
        T(but_no_longer_than_two_seconds),
        T(a_link_is_secured_by_starttls),
        T(port_5223_is_tls_from_the_first_byte),
        T(a_bad_certificate_ends_the_link_before_a_word),
        T(in_direct_tls_too),
        T(bytes_in_front_of_the_handshake_end_the_link),
        T(an_end_without_close_notify_is_told),
        T(the_servers_goodbye_is_answered),
        T(a_server_that_hangs_up_in_the_handshake_is_told),
        T(an_authority_that_cannot_be_read_is_told),
        T(much_is_sent_in_clear),
        T(much_is_sent_by_tls),
        T(much_is_received_in_clear_with_pauses),
        T(much_is_received_by_tls_with_pauses),
        T(bytes_behind_the_handshake_outlast_a_pause),
        T(closing_ends_a_pause),
        T(clear_text_to_a_host_abroad_is_refused),
        T(a_server_that_refuses_is_told),
        T(wrong_settings_are_the_callers_mistake),
        T(closing_before_it_is_connected_is_in_order),
        T(every_event_may_free_the_link),
        T(and_so_may_the_word_that_the_queue_is_low),
        T(any_call_may_fail),
    };

    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL of the server writes by itself */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
