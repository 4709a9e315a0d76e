/*
 * Happy eyeballs: the addresses of both families in turn, the next one begun
 * after 250 ms or when one fails, the first that connects wins.
 *
 *     lookup --> trying 1..n at once --> told
 *        |            |                   ^
 *        +------------+-------------------+  nothing, or too late
 */
#include "net/dial.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/jid.h"
#include "base/sys.h"

#define NEXT_MS 250 /* RFC 8305, 8: Connection Attempt Delay */

enum try_state {
    TRY_WAITING,
    TRY_CONNECTING,
    TRY_FAILED,
};

struct
try {
    struct xf_connect *owner;
    struct xf_address address;
    enum try_state state;
    int fd; /* while connecting */
    struct xf_watch *watch;
    int err;
};

struct xf_connect {
    struct xf_grave grave;
    struct xf_loop *loop;
    struct xf_lookup *lookup;
    struct xf_timer *timer;
    xf_connect_fn *fn;
    void *ctx;
    enum xf_reach reach;
    int64_t end;
    int64_t next_start;
    size_t count, next;
    struct try tries[XF_NAMES_ADDRESSES];
};

const char *xf_connect_words(int err)
{
    switch (err) {
    case ECONNREFUSED:
        return "refused";
    case ETIMEDOUT:
        return "timed out";
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EINVAL:
        return "no route";
    case ECONNRESET:
    case EPIPE:
        return "reset";
    case EACCES:
    case EPERM:
        return "not permitted";
    case EMFILE:
    case ENFILE:
        return "out of descriptors";
    case ENOMEM:
    case ENOBUFS:
        return "out of memory";
    default:
        return "failed";
    }
}

/* --- the end ------------------------------------------------------------- */

static void stop_try(struct try *t, int err)
{
    if (t->state == TRY_CONNECTING) {
        xf_watch_free(t->watch);
        t->watch = NULL;
        if (t->fd >= 0)
            (void)xf_sys_close(t->fd);
        t->fd = -1;
    }
    t->state = TRY_FAILED;
    t->err = err;
}

/* Let go of everything; what is told next may free the rest. */
static void stop(struct xf_connect *c, int err)
{
    xf_lookup_free(c->lookup);
    c->lookup = NULL;
    if (c->timer)
        xf_timer_set(c->timer, XF_TIMER_OFF);
    for (size_t i = 0; i < c->count; i++) {
        if (c->tries[i].state == TRY_CONNECTING)
            stop_try(&c->tries[i], err);
    }
}

static void tell_fd(struct xf_connect *c, struct try *winner)
{
    int fd = winner->fd;

    winner->fd = -1;
    stop(c, 0);
    c->fn(c->ctx, fd, NULL);
}

static void tell_failure(struct xf_connect *c, int code, const char *text)
{
    struct xf_error_info why = { 0 };

    stop(c, ETIMEDOUT);
    (void)xf_err_set(&why, code, "%s", text);
    c->fn(c->ctx, -1, &why);
}

/* One word when it was the same everywhere, else who and why. */
static void tell_failures(struct xf_connect *c)
{
    struct xf_error_info why = { 0 };
    bool same = true, limit = false;
    char ip[XF_ADDRESS_TEXT];

    stop(c, ETIMEDOUT);
    for (size_t i = 0; i < c->next; i++) {
        if (strcmp(xf_connect_words(c->tries[i].err),
                   xf_connect_words(c->tries[0].err)) != 0)
            same = false;
        if (xf_err_from_errno(c->tries[i].err) == XF_E_LIMIT)
            limit = true;
    }
    for (size_t i = 0; i < c->next && (i == 0 || !same); i++) {
        const char *words = xf_connect_words(c->tries[i].err);

        xf_address_text(&c->tries[i].address, ip);
        if (same)
            (void)xf_err_set(&why, 0, "%s", words);
        else
            (void)xf_err_set(&why, 0, "%s%s%s %s", why.text, i ? ", " : "", ip,
                             words);
    }
    why.code = limit ? XF_E_LIMIT : XF_E_CONNECT;
    c->fn(c->ctx, -1, &why);
}

/* --- trying -------------------------------------------------------------- */

static void go_on(struct xf_connect *c);

static void writable(void *ctx, int events)
{
    struct try *t = ctx;
    socklen_t len = sizeof t->err;

    (void)events;
    if (xf_sys_getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &t->err, &len) != 0)
        t->err = errno;
    if (t->err == 0) {
        tell_fd(t->owner, t);
        return;
    }
    stop_try(t, t->err);
    t->owner->next_start = xf_loop_now(t->owner->loop);
    go_on(t->owner);
}

/* True when it is connected already. */
static bool start_try(struct xf_connect *c, struct try *t)
{
    t->state = TRY_CONNECTING;
    t->fd = xf_sys_socket(t->address.any.sa_family, SOCK_STREAM);
    if (t->fd < 0) {
        stop_try(t, errno);
        return false;
    }
    if (xf_sys_connect(t->fd, &t->address.any, t->address.len) == 0)
        return true;
    if (errno != EINPROGRESS) {
        stop_try(t, errno);
        return false;
    }
    if (xf_watch_new(c->loop, t->fd, writable, t, &t->watch) != 0)
        stop_try(t, ENOMEM);
    else
        xf_watch_set(t->watch, XF_WATCH_WRITE);
    return false;
}

static bool any_under_way(const struct xf_connect *c)
{
    for (size_t i = 0; i < c->next; i++) {
        if (c->tries[i].state == TRY_CONNECTING)
            return true;
    }
    return false;
}

static void go_on(struct xf_connect *c)
{
    int64_t now = xf_loop_now(c->loop);
    int64_t wake = c->end;

    while (c->next < c->count && now >= c->next_start) {
        struct try *t = &c->tries[c->next++];

        if (start_try(c, t)) {
            tell_fd(c, t);
            return;
        }
        if (t->state == TRY_CONNECTING)
            c->next_start = now + NEXT_MS;
    }
    if (c->next == c->count && !any_under_way(c)) {
        tell_failures(c);
        return;
    }
    if (c->next < c->count && c->next_start < wake)
        wake = c->next_start;
    xf_timer_set(c->timer, wake);
}

static void time_passed(void *ctx)
{
    struct xf_connect *c = ctx;

    if (c->lookup)
        tell_failure(c, XF_E_CONNECT, "timed out looking up the name");
    else if (xf_loop_now(c->loop) >= c->end)
        tell_failures(c);
    else
        go_on(c);
}

/* --- what to try --------------------------------------------------------- */

static void add_family(struct xf_connect *c, const struct xf_address *list,
                       size_t count, size_t *from, sa_family_t first, bool same)
{
    for (; *from < count; (*from)++) {
        const struct xf_address *a = &list[*from];

        if ((a->any.sa_family == first) != same)
            continue;
        if (!xf_address_refused(a, c->reach)) {
            c->tries[c->count++].address = *a;
            (*from)++;
            return;
        }
    }
}

/* The families in turn, beginning with that of the best (RFC 8305, 4). */
static void interleave(struct xf_connect *c, const struct xf_address *list,
                       size_t count)
{
    sa_family_t first = list[0].any.sa_family;
    size_t same = 0, other = 0;

    while (same < count || other < count) {
        add_family(c, list, count, &same, first, true);
        add_family(c, list, count, &other, first, false);
    }
}

static const char *first_refusal(const struct xf_connect *c,
                                 const struct xf_address *list, size_t count)
{
    const char *refusal = NULL;

    for (size_t i = 0; i < count && !refusal; i++)
        refusal = xf_address_refused(&list[i], c->reach);
    return refusal;
}

static void found(void *ctx, enum xf_names_result result,
                  const struct xf_address *list, size_t count)
{
    struct xf_connect *c = ctx;
    const char *refusal;

    if (result != XF_NAMES_FOUND) {
        tell_failure(c, XF_E_CONNECT,
                     result == XF_NAMES_NONE ? "no such host"
                                             : "no answer from DNS");
        return;
    }
    refusal = first_refusal(c, list, count);
    if (!refusal || c->reach != XF_REACH_LOOPBACK)
        interleave(c, list, count);
    if (c->count == 0) {
        tell_failure(c, XF_E_POLICY, refusal);
        return;
    }
    xf_lookup_free(c->lookup);
    c->lookup = NULL;
    for (size_t i = 0; i < c->count; i++) {
        c->tries[i].owner = c;
        c->tries[i].fd = -1;
    }
    go_on(c);
}

/* --- from outside -------------------------------------------------------- */

int xf_connect_new(struct xf_loop *loop, struct xf_names *names,
                   const char *host, uint16_t port, enum xf_reach reach,
                   int timeout_ms, xf_connect_fn *fn, void *ctx,
                   struct xf_connect **out)
{
    char ascii[XF_HOST_MAX + 1];
    struct xf_address literal;
    struct xf_connect *c;

    *out = NULL;
    if (port == 0)
        return XF_E_USAGE;
    if (!xf_address_read(host, port, &literal)) {
        if (xf_jid_domain_ascii(host, ascii, sizeof ascii) != 0)
            return XF_E_USAGE;
        host = ascii;
    }
    c = xf_sys_alloc(sizeof *c);
    if (!c)
        return XF_E_LIMIT;
    c->loop = loop;
    c->reach = reach;
    c->fn = fn;
    c->ctx = ctx;
    c->end = xf_loop_now(loop) + timeout_ms;
    if (xf_timer_new(loop, time_passed, c, &c->timer) != 0 ||
        xf_names_addresses(names, host, port, found, c, &c->lookup) != 0) {
        xf_connect_free(c);
        return XF_E_LIMIT;
    }
    xf_timer_set(c->timer, c->end);
    *out = c;
    return 0;
}

void xf_connect_free(struct xf_connect *c)
{
    if (!c || c->grave.dead)
        return;
    stop(c, 0);
    xf_timer_free(c->timer);
    c->timer = NULL;
    xf_loop_bury(c->loop, &c->grave);
}
