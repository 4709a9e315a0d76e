/* XMPP by hand: enough for throw-away servers on loopback, and no more. */
#include "xmpp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>

_Noreturn static void die(const char *what, const char *words)
{
    fprintf(stderr, "load: %s: %s\n", what, words);
    exit(1);
}

static void say(struct xmpp *x, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct xmpp *x, const char *format, ...)
{
    va_list args;
    int len;

    if (x->out_len + 2048 > x->out_room) {
        x->out_room = (x->out_room + 2048) * 2;
        x->out = realloc(x->out, x->out_room);
        if (!x->out)
            die("memory", "none left");
    }
    va_start(args, format);
    len = vsnprintf(x->out + x->out_len, 2048, format, args);
    va_end(args);
    if (len < 0 || len >= 2048)
        die("xmpp", "too long a stanza");
    x->out_len += (size_t)len;
}

bool xmpp_wants_write(const struct xmpp *x)
{
    return x->out_len > 0;
}

static void flush(struct xmpp *x)
{
    ssize_t n;

    if (x->out_len == 0)
        return;
    n = send(x->fd, x->out, x->out_len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN)
        die("xmpp send", strerror(errno));
    if (n > 0) {
        memmove(x->out, x->out + n, x->out_len - (size_t)n);
        x->out_len -= (size_t)n;
    }
}

static void take(struct xmpp *x)
{
    ssize_t n = recv(x->fd, x->in + x->have, sizeof x->in - 1 - x->have, 0);

    if (n == 0)
        die("xmpp", "the server ended the stream");
    if (n < 0 && errno != EAGAIN)
        die("xmpp recv", strerror(errno));
    if (n > 0)
        x->have += (size_t)n;
    x->in[x->have] = '\0';
}

void xmpp_turn(struct xmpp *x)
{
    flush(x);
    take(x);
}

/* Until `word` has come; what came is forgotten. */
static void await(struct xmpp *x, const char *word)
{
    while (x->out_len > 0)
        flush(x);
    while (!strstr(x->in, word)) {
        if (strstr(x->in, "failure") || strstr(x->in, "stream:error"))
            die("xmpp", x->in);
        take(x);
    }
    x->have = 0;
    x->in[0] = '\0';
}

static void open_stream(struct xmpp *x, const char *domain)
{
    say(x,
        "<?xml version='1.0'?><stream:stream to='%s' version='1.0' "
        "xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/"
        "streams'>",
        domain);
    await(x, "</stream:features>");
}

void xmpp_login(struct xmpp *x, uint16_t port, const char *user,
                const char *domain, const char *resource, const char *password)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    unsigned char plain[256], text[512];
    int one = 1, len;

    memset(x, 0, sizeof *x);
    x->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(x->fd, (struct sockaddr *)&at, sizeof at) < 0)
        die("xmpp connect", strerror(errno));
    setsockopt(x->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    open_stream(x, domain);
    len =
        snprintf((char *)plain, sizeof plain, "%c%s%c%s", 0, user, 0, password);
    EVP_EncodeBlock(text, plain, len);
    say(x,
        "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>"
        "%s</auth>",
        text);
    await(x, "<success");
    open_stream(x, domain);
    say(x,
        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-"
        "bind'><resource>%s</resource></bind></iq>",
        resource);
    await(x, "</iq>");
    fcntl(x->fd, F_SETFL, O_NONBLOCK);
}

void xmpp_activate(struct xmpp *x, unsigned n, const char *sid,
                   const char *target)
{
    say(x,
        "<iq type='set' id='a%u' to='%s'><query xmlns='http://jabber.org/"
        "protocol/bytestreams' sid='%s'><activate>%s</activate></query></iq>",
        n, x->proxy, sid, target);
    flush(x);
}

/* The value of an attribute in a tag, NULL if it has none. */
static const char *value_of(const char *tag, const char *name)
{
    const char *at = strstr(tag, name);

    return at ? at + strlen(name) + 1 : NULL;
}

bool xmpp_answer(struct xmpp *x, unsigned *n, bool *activated)
{
    char *tag, *end;

    while ((tag = strstr(x->in, "<iq ")) != NULL &&
           (end = strchr(tag, '>')) != NULL) {
        const char *id, *type;
        bool ours;

        *end = '\0';
        id = value_of(tag, " id=");
        type = value_of(tag, " type=");
        ours = id && type && *id == 'a';
        if (ours) {
            *n = (unsigned)strtoul(id + 1, NULL, 10);
            *activated = strncmp(type, "result", 6) == 0;
        }
        x->have -= (size_t)(end + 1 - x->in);
        memmove(x->in, end + 1, x->have + 1);
        if (ours)
            return true;
    }
    /* Of no use to anybody: what stands between two. */
    if (!tag && x->have > 4096) {
        memmove(x->in, x->in + x->have - 8, 9);
        x->have = 8;
    }
    return false;
}
