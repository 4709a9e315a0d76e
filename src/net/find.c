/*
 * The plan of RFC 6120, 3.2 and XEP-0368: both services are asked for at once
 * and their records are mixed by priority; without any, the domain itself.
 *
 *     asking --> connecting <--> handed over
 *        |           |
 *        +-----------+--> told that there is none
 */
#include "net/find.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/jid.h"
#include "base/sys.h"
#include "net/dial.h"

#define PORT_STARTTLS 5222
#define PORT_DIRECT 5223
#define LOOK_UP_MS 10000 /* then with what is known by then */

enum service { STARTTLS, DIRECT, SERVICES };

struct xf_find {
    struct xf_grave grave;
    struct xf_loop *loop;
    struct xf_names *names;
    xf_find_fn *fn;
    void *ctx;
    char domain[XF_HOST_MAX + 1];
    char subject[XF_HOST_MAX + 9]; /* what cannot be reached, in the text */
    bool plain;
    bool looking;
    bool found_srv;
    bool refused; /* a service is said not to be offered */
    struct xf_lookup *lookups[SERVICES];
    struct xf_connect *connect;
    struct xf_timer *timer;
    int64_t end, deadline;
    size_t count, next; /* the one that is tried is next - 1 */
    struct xf_srv hosts[SERVICES * XF_NAMES_SRV];
    struct xf_error_info worst; /* of handshakes; code 0: none */
    struct xf_error_info why;   /* of connections, so far */
};

/* --- connecting ---------------------------------------------------------- */

static void try_next(struct xf_find *f);

/* "reason", or "host:port reason, host:port reason". */
static void note(struct xf_find *f, const char *reason)
{
    const struct xf_srv *host = &f->hosts[f->next - 1];

    if (f->count == 1 && !f->found_srv)
        (void)xf_err_set(&f->why, 0, "%s", reason);
    else
        (void)xf_err_set(&f->why, 0, "%s%s%s:%u %s", f->why.text,
                         f->next > 1 ? ", " : "", host->host,
                         (unsigned)host->port, reason);
}

static void connected(void *ctx, int fd, const struct xf_error_info *why)
{
    struct xf_find *f = ctx;

    xf_connect_free(f->connect);
    f->connect = NULL;
    if (fd >= 0) {
        f->fn(f->ctx, fd, f->hosts[f->next - 1].direct, NULL);
        return;
    }
    if (why->code == XF_E_POLICY)
        (void)xf_err_set(&f->worst, XF_E_USAGE,
                         "without TLS only a loopback address is connected "
                         "to, and %s is none",
                         f->subject);
    else if (why->code == XF_E_LIMIT)
        f->worst = *why;
    note(f, why->text);
    try_next(f);
}

static void give_up(struct xf_find *f)
{
    struct xf_error_info why = { 0 };

    xf_timer_set(f->timer, XF_TIMER_OFF);
    if (f->worst.code != 0)
        why = f->worst;
    else
        (void)xf_err_set(&why, XF_E_STREAM, "cannot reach %s: %s", f->subject,
                         f->why.text);
    f->fn(f->ctx, -1, false, &why);
}

static int connect_to(struct xf_find *f, const struct xf_srv *host, int64_t now)
{
    return xf_connect_new(f->loop, f->names, host->host, host->port,
                          f->plain ? XF_REACH_LOOPBACK : XF_REACH_ANY,
                          (int)(f->deadline - now), connected, f, &f->connect);
}

static void try_next(struct xf_find *f)
{
    int64_t now = xf_loop_now(f->loop);

    while (f->next < f->count && now < f->end) {
        const struct xf_srv *host = &f->hosts[f->next++];

        f->deadline = now + XF_FIND_EACH_MS;
        if (f->deadline > f->end)
            f->deadline = f->end;
        switch (connect_to(f, host, now)) {
        case 0:
            return;
        case XF_E_USAGE:
            note(f, "not a host name");
            break;
        default:
            note(f, "out of memory");
            break;
        }
    }
    give_up(f);
}

/* A later turn calls back, so that nobody is called from within his call. */
void xf_find_another(struct xf_find *f, const struct xf_error_info *why)
{
    f->worst = *why;
    note(f, why->text);
    xf_timer_set(f->timer, xf_loop_now(f->loop));
}

int64_t xf_find_deadline(const struct xf_find *f)
{
    return f->deadline;
}

/* --- looking ------------------------------------------------------------- */

static void add_host(struct xf_find *f, const char *name, uint16_t port)
{
    struct xf_srv *host = &f->hosts[f->count++];

    assert(strlen(name) <= XF_HOST_MAX);
    memcpy(host->host, name, strlen(name) + 1);
    host->port = port;
    host->direct = port == PORT_DIRECT && !f->plain;
}

static void stop_looking(struct xf_find *f)
{
    for (int i = 0; i < SERVICES; i++) {
        xf_lookup_free(f->lookups[i]);
        f->lookups[i] = NULL;
    }
}

/* With the records that came, or with the domain itself where none did. */
static void look_no_more(struct xf_find *f)
{
    uint32_t lots[SERVICES * XF_NAMES_SRV] = { 0 };

    f->looking = false;
    stop_looking(f);
    xf_timer_set(f->timer, XF_TIMER_OFF);
    if (f->count > 0) {
        f->found_srv = true;
        (void)xf_sys_random(lots, sizeof lots);
        xf_srv_order(f->hosts, f->count, lots);
    } else if (!f->refused) {
        add_host(f, f->domain, PORT_STARTTLS);
    } else {
        (void)xf_err_set(&f->why, 0, "it offers no XMPP to clients");
    }
    try_next(f);
}

static void took(struct xf_find *f, enum service service,
                 enum xf_names_result result, const struct xf_srv *list,
                 size_t count)
{
    xf_lookup_free(f->lookups[service]);
    f->lookups[service] = NULL;
    if (result == XF_NAMES_REFUSED)
        f->refused = true;
    for (size_t i = 0; result == XF_NAMES_FOUND && i < count; i++) {
        f->hosts[f->count] = list[i];
        f->hosts[f->count++].direct = service == DIRECT;
    }
    if (!f->lookups[STARTTLS] && !f->lookups[DIRECT])
        look_no_more(f);
}

static void took_starttls(void *ctx, enum xf_names_result result,
                          const struct xf_srv *list, size_t count)
{
    took(ctx, STARTTLS, result, list, count);
}

static void took_direct(void *ctx, enum xf_names_result result,
                        const struct xf_srv *list, size_t count)
{
    took(ctx, DIRECT, result, list, count);
}

static int look(struct xf_find *f, enum service service)
{
    static const char *const prefixes[] = { "_xmpp-client._tcp.",
                                            "_xmpps-client._tcp." };
    static xf_names_srv_fn *const takers[] = { took_starttls, took_direct };
    char name[XF_HOST_MAX + 32];

    (void)snprintf(name, sizeof name, "%s%s", prefixes[service], f->domain);
    return xf_names_srv(f->names, name, takers[service], f,
                        &f->lookups[service]);
}

/* The one timer: an end to looking, or the turn after a failed handshake. */
static void time_passed(void *ctx)
{
    struct xf_find *f = ctx;

    xf_timer_set(f->timer, XF_TIMER_OFF);
    if (f->looking)
        look_no_more(f);
    else
        try_next(f);
}

/* --- from outside -------------------------------------------------------- */

/* The one host that is given, or whose literal address the domain is. */
static int choose_host(struct xf_find *f, const struct xf_find_config *config)
{
    uint16_t port = PORT_STARTTLS;
    char host[XF_HOST_MAX + 1], ascii[XF_HOST_MAX + 1];
    struct xf_address literal;

    if (config->server) {
        if (xf_address_split(config->server, host, &port) != 0)
            return XF_E_USAGE;
        if (!xf_address_read(host, 0, &literal)) {
            if (xf_jid_domain_ascii(host, ascii, sizeof ascii) != 0)
                return XF_E_USAGE;
            memcpy(host, ascii, sizeof host);
        }
        (void)snprintf(f->subject, sizeof f->subject, "%s", config->server);
        add_host(f, host, port);
    } else if (xf_address_read(f->domain, 0, &literal)) {
        add_host(f, f->domain, port);
    }
    return 0;
}

static int start(struct xf_find *f)
{
    int64_t now = xf_loop_now(f->loop);
    int err;

    err = xf_timer_new(f->loop, time_passed, f, &f->timer);
    if (err != 0)
        return err;
    f->end = now + XF_FIND_TOTAL_MS;
    if (f->count > 0) {
        xf_timer_set(f->timer, now);
        return 0;
    }
    f->looking = true;
    xf_timer_set(f->timer, now + LOOK_UP_MS);
    err = look(f, STARTTLS);
    if (err == 0 && !f->plain)
        err = look(f, DIRECT);
    return err;
}

int xf_find_new(struct xf_loop *loop, struct xf_names *names,
                const struct xf_find_config *config, xf_find_fn *fn, void *ctx,
                struct xf_find **out)
{
    struct xf_find *f = xf_sys_alloc(sizeof *f);
    int err = XF_E_USAGE;

    *out = NULL;
    if (!f)
        return XF_E_LIMIT;
    f->loop = loop;
    f->names = names;
    f->fn = fn;
    f->ctx = ctx;
    f->plain = config->plain;
    if (strlen(config->domain) <= XF_HOST_MAX) {
        memcpy(f->domain, config->domain, strlen(config->domain) + 1);
        memcpy(f->subject, config->domain, strlen(config->domain) + 1);
        err = choose_host(f, config);
    }
    if (err == 0)
        err = start(f);
    if (err != 0) {
        xf_find_free(f);
        return err;
    }
    *out = f;
    return 0;
}

void xf_find_free(struct xf_find *f)
{
    if (!f || f->grave.dead)
        return;
    stop_looking(f);
    xf_connect_free(f->connect);
    f->connect = NULL;
    xf_timer_free(f->timer);
    f->timer = NULL;
    xf_loop_bury(f->loop, &f->grave);
}
