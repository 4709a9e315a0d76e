/*
 * What a server lets through in-band, with nothing of ours in between: two
 * plain clients, one that sends prepared blocks and counts what is answered,
 * one that answers. Nothing is encoded, decoded, read or written.
 *
 *     ibb_raw PORT DOMAIN USER_A USER_B PASSWORD plain|tls MS BLOCKxWINDOW...
 *
 * Prints a line for each cell: block, window, MB/s of payload.
 */
#define _GNU_SOURCE
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct client {
    int fd;
    SSL *ssl;
    const char *domain;
    char text[8192]; /* of the login */
};

static void die(const char *what, const char *more)
{
    fprintf(stderr, "ibb_raw: %s: %s\n", what, more);
    exit(1);
}

static int64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}

static size_t get(struct client *c, char *buf, size_t size)
{
    int on = 1;
    ssize_t n =
        c->ssl ? SSL_read(c->ssl, buf, (int)size) : recv(c->fd, buf, size, 0);

    setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    return n > 0 ? (size_t)n : 0;
}

static void put(struct client *c, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = c->ssl ? SSL_write(c->ssl, bytes, (int)len)
                           : send(c->fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0)
            die("write", "failed");
        bytes += n;
        len -= (size_t)n;
    }
}

/* Says something and reads until `want` is there. */
static void say(struct client *c, const char *want, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void say(struct client *c, const char *want, const char *format, ...)
{
    char words[2048];
    size_t have = 0;
    va_list args;

    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    put(c, words, strlen(words));
    do {
        size_t n = get(c, c->text + have, sizeof c->text - 1 - have);

        if (n == 0)
            die(want, have ? c->text : "nothing came");
        have += n;
        c->text[have] = '\0';
    } while (!strstr(c->text, want));
}

static void start(struct client *c)
{
    say(c, "</stream:features>",
        "<?xml version='1.0'?><stream:stream to='%s' version='1.0' "
        "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
        ">",
        c->domain);
}

static void log_in(struct client *c, int port, const char *domain,
                   const char *user, const char *password, bool tls)
{
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    char plain[256], coded[400];
    int on = 1, len;

    c->domain = domain;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0)
        die("connect", "refused");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    start(c);
    if (tls) {
        SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));

        say(c, "proceed",
            "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        SSL_set_fd(ssl, c->fd);
        SSL_set_tlsext_host_name(ssl, domain);
        if (SSL_connect(ssl) != 1)
            die("TLS", "no handshake");
        c->ssl = ssl;
        start(c);
    }
    len = snprintf(plain, sizeof plain, "%c%s%c%s", 0, user, 0, password);
    EVP_EncodeBlock((unsigned char *)coded, (unsigned char *)plain, len);
    say(c, "<success",
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' "
        "mechanism='PLAIN'>%s</auth>",
        coded);
    start(c);
    say(c, "</bind>",
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
        "<resource>raw</resource></bind></iq>");
    put(c, "<presence/>", 11);
}

/* The value of an attribute of the tag at `tag`, up to `end`. */
static bool attribute(const char *tag, const char *end, const char *name,
                      char *out, size_t size)
{
    char form[32];
    const char *at, *stop;

    snprintf(form, sizeof form, " %s=", name);
    at = memmem(tag, (size_t)(end - tag), form, strlen(form));
    if (!at)
        return false;
    at += strlen(form) + 1;
    stop = memchr(at, at[-1], (size_t)(end - at));
    if (!stop || (size_t)(stop - at) >= size)
        return false;
    memcpy(out, at, (size_t)(stop - at));
    out[stop - at] = '\0';
    return true;
}

/* Answers every iq that says "set", for ever. */
static void answer_all(struct client *c, const char *peer)
{
    static char in[1 << 20], out[1 << 18];
    size_t have = 0, n;

    while ((n = get(c, in + have, sizeof in - have)) > 0) {
        char *from = in, *end;
        size_t len = 0, seen = have > 5 ? have - 5 : 0;

        have += n;
        while ((end = memmem(in + seen, have - seen, "</iq>", 5)) != NULL) {
            char *tag = memmem(from, (size_t)(end - from), "<iq ", 4);
            char *stop = tag ? memchr(tag, '>', (size_t)(end - tag)) : NULL;
            char id[64];

            if (stop && attribute(tag, stop, "id", id, sizeof id))
                len += (size_t)snprintf(out + len, sizeof out - len,
                                        "<iq type='result' id='%s' to='%s'/>",
                                        id, peer);
            from = end + 5;
            seen = (size_t)(from - in);
            if (len > sizeof out - 4096) {
                put(c, out, len);
                len = 0;
            }
        }
        put(c, out, len);
        have -= (size_t)(from - in);
        memmove(in, from, have);
        if (have == sizeof in)
            die("a stanza", "too long");
    }
}

/* How many answers came; waits for one at least. */
static unsigned answers(struct client *c)
{
    static char in[1 << 18];
    static size_t have;
    unsigned found = 0;
    char *at = in, *end;
    size_t n = get(c, in + have, sizeof in - have);

    if (n == 0)
        die("an answer", "the connection ended");
    have += n;
    while ((end = memchr(at, '>', have - (size_t)(at - in))) != NULL) {
        char type[16];

        if (attribute(at, end, "type", type, sizeof type)) {
            if (strcmp(type, "error") == 0)
                die("a block was refused", at);
            found += strcmp(type, "result") == 0;
        }
        at = end + 1;
    }
    have -= (size_t)(at - in);
    memmove(in, at, have);
    return found;
}

static double cell(struct client *c, const char *peer, size_t block,
                   unsigned window, int64_t ms, int number)
{
    size_t coded = (block + 2) / 3 * 4, len;
    char *stanza = malloc(coded + 1024);
    uint64_t sent = 0, acked = 0;
    int64_t begun = now_us(), end = begun + ms * 1000;
    int id_at, seq_at, head;

    head = snprintf(stanza, 512,
                    "<iq type='set' to='%s' id='%n00000000'>"
                    "<data xmlns='http://jabber.org/protocol/ibb' sid='s%d' "
                    "seq='%n00000'>",
                    peer, &id_at, number, &seq_at);
    for (size_t i = 0; i < coded; i++)
        stanza[head + (int)i] = (char)('A' + rand() % 26);
    strcpy(stanza + head + coded, "</data></iq>");
    len = strlen(stanza);
    do {
        while (now_us() < end && sent - acked < window) {
            char digits[16];

            snprintf(digits, sizeof digits, "%08x", (unsigned)sent);
            memcpy(stanza + id_at, digits, 8);
            snprintf(digits, sizeof digits, "%05u", (unsigned)sent & 0xffff);
            memcpy(stanza + seq_at, digits, 5);
            put(c, stanza, len);
            sent++;
        }
        acked += answers(c);
    } while (acked < sent);
    free(stanza);
    return (double)acked * (double)block / (double)(now_us() - begun);
}

int main(int argc, char **argv)
{
    struct client a = { 0 }, b = { 0 };
    char peer_a[256], peer_b[256];
    bool tls;
    pid_t child;

    if (argc < 9)
        return 2;
    tls = strcmp(argv[6], "tls") == 0;
    signal(SIGPIPE, SIG_IGN);
    snprintf(peer_a, sizeof peer_a, "%s@%s/raw", argv[3], argv[2]);
    snprintf(peer_b, sizeof peer_b, "%s@%s/raw", argv[4], argv[2]);
    log_in(&b, atoi(argv[1]), argv[2], argv[4], argv[5], tls);
    child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer_all(&b, peer_a);
        return 0;
    }
    log_in(&a, atoi(argv[1]), argv[2], argv[3], argv[5], tls);
    /* Presence and roster are not to be taken for answers. */
    usleep(300000);
    for (int i = 8; i < argc; i++) {
        unsigned block, window;

        if (sscanf(argv[i], "%ux%u", &block, &window) != 2)
            return 2;
        printf("%u %u %.3f\n", block, window,
               cell(&a, peer_b, block, window, atoll(argv[7]), i));
        fflush(stdout);
    }
    kill(child, SIGKILL);
    return 0;
}
