/* A request is read to its blank line, answered, and the connection closed:
 * HTTP/1.0, which every client still speaks. */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <xferry/error.h>

struct client {
    int fd; /* -1: free */
    int64_t deadline;
    size_t got;
    char request[XF_HTTP_REQUEST];
    struct xf_page answer; /* being sent once it has data */
    size_t sent;
};

struct xf_http {
    int fd;
    struct sockaddr_un path; /* removed at the end */
    xf_http_page *page;
    void *data;
    struct client clients[XF_HTTP_CLIENTS];
};

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

/* --- the page ------------------------------------------------------------ */

static bool grow(struct xf_page *page, size_t more)
{
    size_t size = page->size ? page->size : 4096;
    char *data;

    while (size < page->len + more + 1)
        size *= 2;
    if (size == page->size)
        return true;
    data = realloc(page->data, size);
    if (!data)
        return false;
    page->data = data;
    page->size = size;
    return true;
}

void xf_page_add(struct xf_page *page, const char *format, ...)
{
    char piece[1024];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof piece || !grow(page, (size_t)len))
        return;
    memcpy(page->data + page->len, piece, (size_t)len + 1);
    page->len += (size_t)len;
}

/* --- where --------------------------------------------------------------- */

static bool parse_port(const char *text, uint16_t *port)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || n < 1 || n > 65535)
        return false;
    *port = (uint16_t)n;
    return true;
}

static socklen_t parse_inet(const char *where, union address *a)
{
    const char *colon = strrchr(where, ':');
    char host[64];
    uint16_t port;
    size_t len;

    if (!colon || !parse_port(colon + 1, &port))
        return 0;
    len = (size_t)(colon - where);
    if (len >= sizeof host)
        return 0;
    memcpy(host, where, len);
    host[len] = '\0';
    if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(port);
        return ntohl(a->v4.sin_addr.s_addr) >> 24 == 127 ? sizeof a->v4 : 0;
    }
    if (len < 3 || host[0] != '[' || host[len - 1] != ']')
        return 0;
    host[len - 1] = '\0';
    if (inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) != 1 ||
        !IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr))
        return 0;
    a->v6.sin6_family = AF_INET6;
    a->v6.sin6_port = htons(port);
    return sizeof a->v6;
}

static socklen_t parse(const char *where, union address *a)
{
    memset(a, 0, sizeof *a);
    if (strncmp(where, "unix:", 5) != 0)
        return parse_inet(where, a);
    where += 5;
    if (*where != '/' || strlen(where) >= sizeof a->un.sun_path)
        return 0;
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, where, strlen(where) + 1);
    return sizeof a->un;
}

bool xf_http_is_local(const char *where)
{
    union address a;

    return parse(where, &a) > 0;
}

/* --- opening ------------------------------------------------------------- */

/* A socket that a killed program left is in the way; one that is answered on
 * is not ours to take. */
static void remove_stale(const union address *a, socklen_t len)
{
    struct stat st;
    int fd;

    if (lstat(a->un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, &a->any, len) != 0 && errno == ECONNREFUSED)
        unlink(a->un.sun_path);
    close(fd);
}

static int listen_at(const union address *a, socklen_t len)
{
    static const int on = 1;
    int fd =
        socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool local = a->any.sa_family == AF_UNIX;
    mode_t mask;
    int err;

    if (fd < 0)
        return -1;
    if (local)
        remove_stale(a, len);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    /* For us and our group: who reads it is put there. */
    mask = umask(0117);
    err = bind(fd, &a->any, len);
    umask(mask);
    if (err != 0 || listen(fd, 16) != 0) {
        err = errno;
        close(fd);
        errno = err;
        return -1;
    }
    return fd;
}

int xf_http_open(struct xf_http **out, const char *where, xf_http_page *page,
                 void *data, char error[XF_HTTP_ERROR])
{
    union address a;
    socklen_t len = parse(where, &a);
    struct xf_http *http;

    *out = NULL;
    if (len == 0) {
        snprintf(error, XF_HTTP_ERROR,
                 "neither a loopback address with a port nor unix:/PATH");
        return XF_E_USAGE;
    }
    http = calloc(1, sizeof *http);
    if (!http) {
        snprintf(error, XF_HTTP_ERROR, "out of memory");
        return XF_E_LIMIT;
    }
    http->fd = listen_at(&a, len);
    if (http->fd < 0) {
        snprintf(error, XF_HTTP_ERROR, "%s", strerror(errno));
        free(http);
        return errno == EACCES || errno == EPERM ? XF_E_PERM : XF_E_IO;
    }
    if (a.any.sa_family == AF_UNIX)
        http->path = a.un;
    http->page = page;
    http->data = data;
    for (int i = 0; i < XF_HTTP_CLIENTS; i++)
        http->clients[i].fd = -1;
    *out = http;
    return 0;
}

static void drop(struct client *c)
{
    close(c->fd);
    free(c->answer.data);
    c->answer = (struct xf_page){ 0 };
    c->fd = -1;
}

void xf_http_close(struct xf_http *http)
{
    if (!http)
        return;
    for (int i = 0; i < XF_HTTP_CLIENTS; i++)
        if (http->clients[i].fd >= 0)
            drop(&http->clients[i]);
    close(http->fd);
    if (http->path.sun_path[0])
        unlink(http->path.sun_path);
    free(http);
}

/* --- serving ------------------------------------------------------------- */

static bool full(const struct xf_http *http)
{
    for (int i = 0; i < XF_HTTP_CLIENTS; i++)
        if (http->clients[i].fd < 0)
            return false;
    return true;
}

size_t xf_http_polls(const struct xf_http *http,
                     struct pollfd polls[XF_HTTP_POLLS])
{
    size_t n = 0;

    if (!http)
        return 0;
    if (!full(http))
        polls[n++] = (struct pollfd){ http->fd, POLLIN, 0 };
    for (int i = 0; i < XF_HTTP_CLIENTS; i++) {
        const struct client *c = &http->clients[i];

        if (c->fd >= 0)
            polls[n++] =
                (struct pollfd){ c->fd, c->answer.data ? POLLOUT : POLLIN, 0 };
    }
    return n;
}

int64_t xf_http_timeout(const struct xf_http *http, int64_t now_ms)
{
    int64_t wait = -1;

    for (int i = 0; http && i < XF_HTTP_CLIENTS; i++) {
        const struct client *c = &http->clients[i];
        int64_t left = c->deadline > now_ms ? c->deadline - now_ms : 0;

        if (c->fd >= 0 && (wait < 0 || left < wait))
            wait = left;
    }
    return wait;
}

static void answer(struct xf_http *http, struct client *c)
{
    struct xf_page body = { 0 };
    const char *status = "200 OK";

    if (strncmp(c->request, "GET ", 4) != 0)
        status = "405 Method Not Allowed";
    else if (strncmp(c->request + 4, "/metrics", 8) != 0 ||
             !strchr(" ?", c->request[12]))
        status = "404 Not Found";
    if (*status == '2')
        http->page(http->data, &body);
    else
        xf_page_add(&body, "there is /metrics\n");
    xf_page_add(&c->answer,
                "HTTP/1.0 %s\r\n"
                "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
                "Content-Length: %zu\r\n"
                "Connection: close\r\n\r\n",
                status, body.len);
    if (body.data && c->answer.data && grow(&c->answer, body.len)) {
        memcpy(c->answer.data + c->answer.len, body.data, body.len);
        c->answer.len += body.len;
    }
    free(body.data);
    c->sent = 0;
}

/* Returns false when the client is of no more use. */
static bool read_some(struct xf_http *http, struct client *c)
{
    ssize_t n = recv(c->fd, c->request + c->got, sizeof c->request - 1 - c->got,
                     MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    c->got += (size_t)n;
    c->request[c->got] = '\0';
    if (strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n"))
        answer(http, c);
    else if (c->got == sizeof c->request - 1)
        return false;
    return true;
}

static bool write_some(struct client *c)
{
    ssize_t n = send(c->fd, c->answer.data + c->sent, c->answer.len - c->sent,
                     MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    c->sent += (size_t)n;
    return c->sent < c->answer.len;
}

static void accept_some(struct xf_http *http, int64_t now_ms)
{
    for (int i = 0; i < XF_HTTP_CLIENTS; i++) {
        struct client *c = &http->clients[i];

        if (c->fd >= 0)
            continue;
        c->fd = accept4(http->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (c->fd < 0)
            return;
        c->got = 0;
        c->deadline = now_ms + XF_HTTP_DEADLINE_MS;
    }
}

void xf_http_work(struct xf_http *http, int64_t now_ms)
{
    if (!http)
        return;
    for (int i = 0; i < XF_HTTP_CLIENTS; i++) {
        struct client *c = &http->clients[i];
        bool good = now_ms < c->deadline;

        if (c->fd < 0)
            continue;
        if (good && !c->answer.data)
            good = read_some(http, c);
        if (good && c->answer.data)
            good = write_some(c);
        if (!good)
            drop(c);
    }
    accept_some(http, now_ms);
}
