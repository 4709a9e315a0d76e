/*
 * The resolver is c-ares on our loop. It may answer within the call that asks
 * and cannot take one question back, so an answer is kept in the question and
 * told by a timer, and a question nobody wants any more waits for its answer
 * before it goes.
 */
#include "net/names.h"

#include <ares.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>

#include "base/err.h"
#include "base/sys.h"

/* One server is asked for 2 s, then twice more for 4 s and 8 s. */
#define QUERY_MS 2000
#define QUERY_TRIES 3

struct query_socket {
    struct query_socket *next;
    struct xf_names *names;
    int fd;
    struct xf_watch *watch;
};

struct xf_names {
    struct xf_loop *loop;
    ares_channel channel;
    struct xf_timer *timer; /* of the queries under way */
    struct query_socket *sockets;
    bool servers_set; /* not those of the system */
};

struct xf_lookup {
    struct xf_grave grave;
    struct xf_loop *loop;
    struct xf_timer *timer; /* tells the answer */
    xf_names_addresses_fn *addresses_fn;
    xf_names_srv_fn *srv_fn;
    void *ctx;
    bool asked;   /* c-ares holds a pointer to this */
    bool dropped; /* and nobody else does */
    uint16_t port;
    enum xf_names_result result;
    size_t count;
    struct xf_address addresses[XF_NAMES_ADDRESSES];
    struct xf_srv srv[XF_NAMES_SRV];
};

/* --- c-ares on the loop -------------------------------------------------- */

static void set_timer(struct xf_names *n)
{
    int64_t deadline = XF_TIMER_OFF;
    struct timeval left;

    /* Rounded up: too early is a turn for nothing. */
    if (ares_timeout(n->channel, NULL, &left))
        deadline = xf_loop_now(n->loop) + (int64_t)left.tv_sec * 1000 +
                   (left.tv_usec + 999) / 1000;
    xf_timer_set(n->timer, deadline);
}

static void time_passed(void *ctx)
{
    struct xf_names *n = ctx;

    ares_process_fd(n->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(n);
}

static void socket_ready(void *ctx, int events)
{
    struct query_socket *s = ctx; /* may be gone after the next call */
    struct xf_names *n = s->names;
    int fd = s->fd;

    ares_process_fd(n->channel, events & XF_WATCH_READ ? fd : ARES_SOCKET_BAD,
                    events & XF_WATCH_WRITE ? fd : ARES_SOCKET_BAD);
    set_timer(n);
}

static struct query_socket *add_socket(struct xf_names *n, int fd)
{
    struct query_socket *s = xf_sys_alloc(sizeof *s);

    if (!s)
        return NULL;
    if (xf_watch_new(n->loop, fd, socket_ready, s, &s->watch) != 0) {
        xf_sys_free(s);
        return NULL;
    }
    s->names = n;
    s->fd = fd;
    s->next = n->sockets;
    n->sockets = s;
    return s;
}

static void drop_socket(struct query_socket **place)
{
    struct query_socket *s = *place;

    *place = s->next;
    xf_watch_free(s->watch);
    xf_sys_free(s);
}

/* A socket that cannot be watched is one whose server does not answer. */
static void socket_state(void *ctx, ares_socket_t fd, int read, int write)
{
    struct xf_names *n = ctx;
    struct query_socket **place = &n->sockets;
    struct query_socket *s;

    while (*place && (*place)->fd != fd)
        place = &(*place)->next;
    if (!read && !write) {
        if (*place)
            drop_socket(place);
        return;
    }
    s = *place ? *place : add_socket(n, fd);
    if (s)
        xf_watch_set(s->watch,
                     (read ? XF_WATCH_READ : 0) | (write ? XF_WATCH_WRITE : 0));
}

static void init_library(void)
{
    (void)ares_library_init(ARES_LIB_INIT_ALL);
}

int xf_names_new(struct xf_loop *loop, struct xf_names **out)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct xf_names *n = xf_sys_alloc(sizeof *n);
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH,
        .timeout = QUERY_MS,
        .tries = QUERY_TRIES,
        .sock_state_cb = socket_state,
        .sock_state_cb_data = n,
    };

    *out = NULL;
    if (!n)
        return XF_E_LIMIT;
    (void)pthread_once(&once, init_library);
    n->loop = loop;
    if (xf_timer_new(loop, time_passed, n, &n->timer) != 0 ||
        ares_init_options(&n->channel, &options,
                          ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                              ARES_OPT_SOCK_STATE_CB) != ARES_SUCCESS) {
        n->channel = NULL;
        xf_names_free(n);
        return XF_E_LIMIT;
    }
    *out = n;
    return 0;
}

void xf_names_free(struct xf_names *n)
{
    if (!n)
        return;
    if (n->channel)
        ares_destroy(n->channel);
    while (n->sockets)
        drop_socket(&n->sockets);
    xf_timer_free(n->timer);
    xf_sys_free(n);
}

void xf_names_refresh(struct xf_names *n)
{
    struct ares_addr_port_node *servers = NULL;
    ares_channel fresh;

    if (n->servers_set || ares_init(&fresh) != ARES_SUCCESS)
        return;
    if (ares_get_servers_ports(fresh, &servers) == ARES_SUCCESS)
        (void)ares_set_servers_ports(n->channel, servers);
    ares_free_data(servers);
    ares_destroy(fresh);
}

int xf_names_set_servers(struct xf_names *n, const char *servers)
{
    n->servers_set = true;
    if (ares_set_servers_ports_csv(n->channel, servers) != ARES_SUCCESS)
        return XF_E_USAGE;
    return 0;
}

/* --- questions ----------------------------------------------------------- */

static void tell(void *ctx)
{
    struct xf_lookup *l = ctx;

    if (l->addresses_fn)
        l->addresses_fn(l->ctx, l->result, l->addresses, l->count);
    else
        l->srv_fn(l->ctx, l->result, l->srv, l->count);
}

static void answer(struct xf_lookup *l, enum xf_names_result result)
{
    l->result = result;
    xf_timer_set(l->timer, xf_loop_now(l->loop));
}

/* False when nobody waits for it: then the question is gone. */
static bool wanted(struct xf_lookup *l)
{
    l->asked = false;
    if (!l->dropped)
        return true;
    xf_loop_bury(l->loop, &l->grave);
    return false;
}

static enum xf_names_result without_answer(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
    case ARES_EBADNAME:
        return XF_NAMES_NONE;
    default:
        return XF_NAMES_FAILED;
    }
}

void xf_lookup_free(struct xf_lookup *l)
{
    if (!l)
        return;
    xf_timer_free(l->timer);
    l->timer = NULL;
    if (l->asked)
        l->dropped = true;
    else
        xf_loop_bury(l->loop, &l->grave);
}

static int begin(struct xf_names *n, void *ctx, struct xf_lookup **out)
{
    struct xf_lookup *l = xf_sys_alloc(sizeof *l);

    *out = NULL;
    if (!l)
        return XF_E_LIMIT;
    l->loop = n->loop;
    l->ctx = ctx;
    if (xf_timer_new(n->loop, tell, l, &l->timer) != 0) {
        xf_sys_free(l);
        return XF_E_LIMIT;
    }
    *out = l;
    return 0;
}

/* `localhost` and what is below it (RFC 6761, 6.3), with or without root. */
static bool is_localhost(const char *name)
{
    static const char localhost[] = "localhost";
    size_t len = strlen(name);

    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len < sizeof localhost - 1)
        return false;
    len -= sizeof localhost - 1;
    return strncasecmp(name + len, localhost, sizeof localhost - 1) == 0 &&
           (len == 0 || name[len - 1] == '.');
}

/* --- addresses ----------------------------------------------------------- */

static void take_addresses(void *ctx, int status, int timeouts,
                           struct ares_addrinfo *found)
{
    struct xf_lookup *l = ctx;
    const struct ares_addrinfo_node *node = found ? found->nodes : NULL;

    (void)timeouts;
    if (wanted(l)) {
        for (; node && l->count < XF_NAMES_ADDRESSES; node = node->ai_next) {
            struct xf_address *a = &l->addresses[l->count];

            if (!xf_address_from(node->ai_addr, node->ai_addrlen, a))
                continue;
            xf_address_set_port(a, l->port);
            l->count++;
        }
        if (status == ARES_SUCCESS)
            answer(l, l->count > 0 ? XF_NAMES_FOUND : XF_NAMES_NONE);
        else
            answer(l, without_answer(status));
    }
    if (found)
        ares_freeaddrinfo(found);
}

int xf_names_addresses(struct xf_names *n, const char *host, uint16_t port,
                       xf_names_addresses_fn *fn, void *ctx,
                       struct xf_lookup **out)
{
    static const struct ares_addrinfo_hints both = { .ai_family = AF_UNSPEC,
                                                     .ai_socktype =
                                                         SOCK_STREAM };
    struct xf_lookup *l;
    int err = begin(n, ctx, out);

    if (err != 0)
        return err;
    l = *out;
    l->addresses_fn = fn;
    l->port = port;
    if (xf_address_read(host, port, &l->addresses[0])) {
        l->count = 1;
        answer(l, XF_NAMES_FOUND);
    } else if (is_localhost(host)) {
        (void)xf_address_read("::1", port, &l->addresses[0]);
        (void)xf_address_read("127.0.0.1", port, &l->addresses[1]);
        l->count = 2;
        answer(l, XF_NAMES_FOUND);
    } else {
        l->asked = true;
        ares_getaddrinfo(n->channel, host, NULL, &both, take_addresses, l);
        set_timer(n);
    }
    return 0;
}

/* --- services ------------------------------------------------------------ */

static void put_first(struct xf_srv *list, size_t from)
{
    struct xf_srv chosen = list[from];

    memmove(list + 1, list, from * sizeof *list);
    list[0] = chosen;
}

/* Of `count` records of one priority, the one that `lot` falls on. */
static size_t draw(const struct xf_srv *list, size_t count, uint32_t lot)
{
    uint32_t sum = 0, seen = 0;
    size_t i;

    for (i = 0; i < count; i++)
        sum += list[i].weight;
    lot %= sum + 1;
    /* Those without weight stand in front, for the lot 0. */
    for (i = 0; i < count; i++) {
        if (list[i].weight == 0 && lot == 0)
            return i;
    }
    for (i = 0; i < count - 1; i++) {
        seen += list[i].weight;
        if (list[i].weight != 0 && lot <= seen)
            break;
    }
    return i;
}

void xf_srv_order(struct xf_srv *list, size_t count, const uint32_t *lots)
{
    for (size_t i = 0; i < count; i++) {
        size_t best = i, same;

        for (size_t j = i + 1; j < count; j++) {
            if (list[j].priority < list[best].priority)
                best = j;
        }
        put_first(list + i, best - i);
        same = 1;
        for (size_t j = i + 1; j < count; j++) {
            if (list[j].priority == list[i].priority) {
                put_first(list + i + same, j - i - same);
                same++;
            }
        }
        put_first(list + i, draw(list + i, same, lots[i]));
    }
}

static void order(struct xf_lookup *l)
{
    uint32_t lots[XF_NAMES_SRV] = { 0 };

    /* Without chance the order is still one by priority. */
    (void)xf_sys_random(lots, sizeof lots);
    xf_srv_order(l->srv, l->count, lots);
}

static enum xf_names_result read_srv(struct xf_lookup *l,
                                     const struct ares_srv_reply *reply)
{
    bool refused = false;

    for (; reply && l->count < XF_NAMES_SRV; reply = reply->next) {
        struct xf_srv *srv = &l->srv[l->count];
        size_t len = strlen(reply->host);

        if (len == 0 || strcmp(reply->host, ".") == 0) {
            refused = true;
            continue;
        }
        if (len > XF_HOST_MAX || reply->port == 0)
            continue;
        memcpy(srv->host, reply->host, len + 1);
        srv->port = reply->port;
        srv->priority = reply->priority;
        srv->weight = reply->weight;
        l->count++;
    }
    if (l->count > 0)
        return XF_NAMES_FOUND;
    return refused ? XF_NAMES_REFUSED : XF_NAMES_NONE;
}

static void take_srv(void *ctx, int status, int timeouts, unsigned char *bytes,
                     int len)
{
    struct xf_lookup *l = ctx;
    struct ares_srv_reply *reply = NULL;

    (void)timeouts;
    if (!wanted(l))
        return;
    if (status == ARES_SUCCESS)
        status = ares_parse_srv_reply(bytes, len, &reply);
    if (status != ARES_SUCCESS) {
        answer(l, without_answer(status));
        return;
    }
    answer(l, read_srv(l, reply));
    order(l);
    ares_free_data(reply);
}

int xf_names_srv(struct xf_names *n, const char *service, xf_names_srv_fn *fn,
                 void *ctx, struct xf_lookup **out)
{
    int err = begin(n, ctx, out);

    if (err != 0)
        return err;
    (*out)->srv_fn = fn;
    if (is_localhost(service)) {
        answer(*out, XF_NAMES_NONE);
    } else {
        (*out)->asked = true;
        ares_query(n->channel, service, 1 /* IN */, 33 /* SRV */, take_srv,
                   *out);
        set_timer(n);
    }
    return 0;
}
