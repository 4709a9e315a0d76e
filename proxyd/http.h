/* One page over HTTP for a program of the same machine, like Prometheus. */
#ifndef XFERRY_PROXYD_HTTP_H
#define XFERRY_PROXYD_HTTP_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XF_HTTP_CLIENTS 8        /* at once; the others wait in the backlog */
#define XF_HTTP_REQUEST 4096     /* bytes of a request's head */
#define XF_HTTP_DEADLINE_MS 5000 /* from the connection to the last byte */
#define XF_HTTP_POLLS (XF_HTTP_CLIENTS + 1)
#define XF_HTTP_ERROR 256

struct xf_http;

/* A text that grows; `data` is NUL-terminated, or NULL when memory was out. */
struct xf_page {
    char *data;
    size_t len, size;
};

void xf_page_add(struct xf_page *page, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes the page anew for each request. */
typedef void xf_http_page(void *data, struct xf_page *page);

/* True of "ADDRESS:PORT" with a loopback address and of "unix:/PATH". */
bool xf_http_is_local(const char *where);

/*
 * Listen there. `page` is called from xf_http_work().
 *
 * Returns 0, or XF_E_USAGE (not local), XF_E_PERM, XF_E_IO or XF_E_LIMIT with
 * words in `error`.
 */
int xf_http_open(struct xf_http **out, const char *where, xf_http_page *page,
                 void *data, char error[XF_HTTP_ERROR]);

/* What to wait for; returns how many of `polls` were filled. */
size_t xf_http_polls(const struct xf_http *http,
                     struct pollfd polls[XF_HTTP_POLLS]);

/* Milliseconds until xf_http_work() is due, or -1. */
int64_t xf_http_timeout(const struct xf_http *http, int64_t now_ms);

/* Do what can be done; never waits. */
void xf_http_work(struct xf_http *http, int64_t now_ms);

/* NULL is fine. */
void xf_http_close(struct xf_http *http);

#endif
