/* RFC 1035 as far as the tests need it: one question, one datagram. */
#include "dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

static void put16(struct xf_buf *b, unsigned n)
{
    xf_buf_putc(b, (char)(n >> 8));
    xf_buf_putc(b, (char)n);
}

static void put_name(struct xf_buf *b, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");

        xf_buf_putc(b, (char)len);
        xf_buf_put(b, name, len);
        name += len + (name[len] == '.');
    }
    xf_buf_putc(b, 0);
}

static void put_head(struct xf_buf *b, int type, size_t len)
{
    put16(b, 0xc00c); /* the name that was asked for */
    put16(b, (unsigned)type);
    put16(b, 1);
    put16(b, 0);
    put16(b, 60);
    put16(b, (unsigned)len);
}

static void put_record(struct xf_buf *b, const struct dns_record *r)
{
    char ip[16] = { 0 };

    if (r->type == DNS_SRV) {
        put_head(b, r->type, 6 + (*r->value ? strlen(r->value) + 2 : 1));
        put16(b, r->priority);
        put16(b, r->weight);
        put16(b, r->port);
        put_name(b, r->value);
        return;
    }
    (void)inet_pton(r->type == DNS_A ? AF_INET : AF_INET6, r->value, ip);
    put_head(b, r->type, r->type == DNS_A ? 4 : 16);
    xf_buf_put(b, ip, r->type == DNS_A ? 4 : 16);
}

/* Appends what is known; returns how many, -1 for no such name. */
static int put_records(struct xf_buf *b, const struct dns_record *r,
                       const char *name, int type)
{
    int count = -1;

    for (; r->name; r++) {
        if (strcmp(r->name, name) != 0)
            continue;
        if (count < 0)
            count = 0;
        if (r->type == type) {
            put_record(b, r);
            count++;
        }
    }
    return count;
}

/* Returns the bytes of head and question. */
static size_t read_question(const unsigned char *in, char *name, size_t size)
{
    size_t at = 12;

    name[0] = '\0';
    while (in[at] != 0) {
        (void)snprintf(name + strlen(name), size - strlen(name), "%s%.*s",
                       *name ? "." : "", in[at], (const char *)&in[at + 1]);
        at += in[at] + 1u;
    }
    return at + 5;
}

static void answer(void *ctx, int events)
{
    struct dns *dns = ctx;
    struct sockaddr_in from;
    socklen_t from_len = sizeof from;
    unsigned char in[512] = { 0 };
    char name[256];
    struct xf_buf out;
    size_t len;
    int count;

    (void)events;
    if (recvfrom(dns->fd, in, sizeof in - 1, 0, (struct sockaddr *)&from,
                 &from_len) < 17)
        return;
    dns->asked++;
    len = read_question(in, name, sizeof name);
    if (strstr(name, "silent"))
        return;
    xf_buf_init(&out, 4096);
    xf_buf_put(&out, in, len);
    count = put_records(&out, dns->table, name, in[len - 4] << 8 | in[len - 3]);
    out.data[2] = (char)0x85; /* an answer, with authority */
    out.data[3] = (char)(strstr(name, "broken") ? 2 : count < 0 ? 3 : 0);
    memset(out.data + 6, 0, 6);
    out.data[7] = (char)(count > 0 ? count : 0);
    (void)!sendto(dns->fd, xf_buf_bytes(&out), out.len, 0,
                  (struct sockaddr *)&from, from_len);
    xf_buf_clear(&out);
}

int dns_open(struct dns *dns, struct xf_loop *loop, struct xf_names *names,
             const struct dns_record *table)
{
    struct sockaddr_in own = { .sin_family = AF_INET };
    socklen_t len = sizeof own;
    char text[32];

    *dns = (struct dns){ .table = table };
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    dns->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (bind(dns->fd, (struct sockaddr *)&own, sizeof own) != 0 ||
        getsockname(dns->fd, (struct sockaddr *)&own, &len) != 0 ||
        xf_watch_new(loop, dns->fd, answer, dns, &dns->watch) != 0)
        return -1;
    xf_watch_set(dns->watch, XF_WATCH_READ);
    (void)snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(own.sin_port));
    return xf_names_set_servers(names, text);
}

void dns_close(struct dns *dns)
{
    xf_watch_free(dns->watch);
    close(dns->fd);
}
