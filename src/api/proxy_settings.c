/* What the embedder wants of a proxy, checked once. */
#include <stdio.h>
#include <string.h>

#include "api/proxy.h"
#include "base/encode.h"
#include "base/sys.h"

#define COMPONENT_PORT 5347
#define HANDSHAKE_MS 10000
/* Some clients connect before their user has accepted. */
#define PAIRING_MS 60000
#define HALF_OPEN_EACH 64
#define HALF_OPEN_TOTAL 2048
#define CONNECTIONS_EACH 4096 /* of one address, which may be many behind one */
#define PAIRS_TOTAL 100000
#define WAIT_MAX_MS (24 * 3600 * 1000)

void xf_proxy_config_init(struct xf_proxy_config *config)
{
    *config = (struct xf_proxy_config){
        .server = "127.0.0.1",
        .handshake_ms = HANDSHAKE_MS,
        .pairing_ms = PAIRING_MS,
        .half_open_each = HALF_OPEN_EACH,
        .half_open_total = HALF_OPEN_TOTAL,
        .connections_each = CONNECTIONS_EACH,
        .pairs_total = PAIRS_TOTAL,
    };
}

/* --- addresses ------------------------------------------------------------ */

void xf_proxy_crowd_address(const struct xf_address *a,
                            uint8_t out[XF_CROWD_ADDRESS])
{
    memset(out, 0, XF_CROWD_ADDRESS);
    if (a->any.sa_family == AF_INET) {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &a->v4.sin_addr, 4);
    } else if (a->any.sa_family == AF_INET6) {
        memcpy(out, &a->v6.sin6_addr, XF_CROWD_ADDRESS);
    }
}

/* "192.0.2.0/24", "2001:db8::/32"; without a length the whole address. */
static bool read_network(const char *text, struct xf_network *out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char address[XF_ADDRESS_PORT_TEXT];
    struct xf_address a;
    uint64_t bits, max;

    if (len >= sizeof address)
        return false;
    memcpy(address, text, len);
    address[len] = '\0';
    if (!xf_address_read(address, 0, &a))
        return false;
    max = bits = a.any.sa_family == AF_INET ? 32 : 128;
    if (slash && !xf_read_uint(slash + 1, max, &bits))
        return false;
    xf_proxy_crowd_address(&a, out->address);
    out->bits = (unsigned)(bits + 128 - max);
    return true;
}

static int too_many(struct xf_error_info *why, const char *what, size_t max)
{
    return xf_err_set(why, XF_E_USAGE, "more than %zu %s", max, what);
}

static int take_acl(struct xf_proxy_settings *set,
                    const struct xf_proxy_config *config,
                    struct xf_error_info *why)
{
    if (config->acl_count > XF_PROXY_ACL_MAX)
        return too_many(why, "networks that may connect", XF_PROXY_ACL_MAX);
    for (size_t i = 0; i < config->acl_count; i++) {
        if (!config->acl[i] || !read_network(config->acl[i], &set->acl[i]))
            return xf_err_set(why, XF_E_USAGE, "%.100s is no network",
                              config->acl[i] ? config->acl[i] : "(null)");
    }
    set->acl_count = config->acl_count;
    return 0;
}

static int take_listen(struct xf_proxy_settings *set,
                       const struct xf_proxy_config *config,
                       struct xf_error_info *why)
{
    if (config->listen_count == 0)
        return xf_err_set(why, XF_E_USAGE, "no address to listen on");
    if (config->listen_count > XF_PROXY_LISTEN_MAX)
        return too_many(why, "addresses to listen on", XF_PROXY_LISTEN_MAX);
    for (size_t i = 0; i < config->listen_count; i++) {
        const struct xf_proxy_address *one = &config->listen[i];

        if (!one->host ||
            !xf_address_read(one->host, one->port, &set->listen[i]))
            return xf_err_set(why, XF_E_USAGE,
                              "cannot listen on %.100s: no address",
                              one->host ? one->host : "(null)");
    }
    set->listen_count = config->listen_count;
    return 0;
}

/* In brackets or not, to be told without. */
static bool read_host(const char *text, char out[XF_HOST_MAX + 1])
{
    char address[XF_ADDRESS_TEXT];
    struct xf_address literal;

    if (!text)
        return false;
    if (!xf_address_read(text, 0, &literal))
        return xf_jid_domain_ascii(text, out, XF_HOST_MAX + 1) == 0;
    xf_address_text(&literal, address);
    memcpy(out, address, strlen(address) + 1);
    return true;
}

static int take_streamhosts(struct xf_proxy_settings *set,
                            const struct xf_proxy_config *config,
                            struct xf_error_info *why)
{
    if (config->streamhosts_count == 0)
        return xf_err_set(why, XF_E_USAGE, "no address to tell");
    if (config->streamhosts_count > XF_PROXY_STREAMHOSTS_MAX)
        return too_many(why, "addresses to tell", XF_PROXY_STREAMHOSTS_MAX);
    for (size_t i = 0; i < config->streamhosts_count; i++) {
        const struct xf_proxy_address *one = &config->streamhosts[i];

        if (!read_host(one->host, set->streamhosts[i].host))
            return xf_err_set(why, XF_E_USAGE,
                              "%.100s is neither an address nor a host name",
                              one->host ? one->host : "(null)");
        set->streamhosts[i].port = one->port;
    }
    set->streamhosts_count = config->streamhosts_count;
    return 0;
}

/* --- the server ----------------------------------------------------------- */

static int take_server(struct xf_proxy_settings *set,
                       const struct xf_proxy_config *config,
                       struct xf_error_info *why)
{
    const char *text = config->server ? config->server : "127.0.0.1";
    uint16_t port = COMPONENT_PORT;
    char host[XF_HOST_MAX + 1];
    struct xf_address literal;

    if (xf_address_split(text, host, &port) != 0 || port == 0)
        return xf_err_set(why, XF_E_USAGE, "%.100s is no server", text);
    /* What a name leads to is seen when it is connected to. */
    if (!config->remote && xf_address_read(host, port, &literal) &&
        !xf_address_is_loopback(&literal))
        return xf_err_set(why, XF_E_USAGE,
                          "%.100s is not a loopback address, and the link of "
                          "a component has no encryption",
                          text);
    (void)snprintf(set->server, sizeof set->server,
                   strchr(host, ':') ? "[%s]:%u" : "%s:%u", host,
                   (unsigned)port);
    set->remote = config->remote;
    if (config->secret_len == 0)
        return xf_err_set(why, XF_E_USAGE, "no secret");
    if (config->secret_len > XF_PROXY_SECRET_MAX)
        return xf_err_set(why, XF_E_USAGE, "a secret of more than %d bytes",
                          XF_PROXY_SECRET_MAX);
    memcpy(set->secret, config->secret, config->secret_len);
    set->secret_len = config->secret_len;
    return 0;
}

static int take_domain(struct xf_proxy_settings *set,
                       const struct xf_proxy_config *config,
                       struct xf_error_info *why)
{
    char jid[XF_JID_MAX + 1], ascii[XF_HOST_MAX + 1];

    if (!config->domain)
        return xf_err_set(why, XF_E_USAGE, "no domain");
    if (xf_jid_prep(config->domain, jid) != 0 || xf_jid_has_local(jid) ||
        xf_jid_is_full(jid) ||
        xf_jid_domain_ascii(jid, ascii, sizeof ascii) != 0)
        return xf_err_set(why, XF_E_USAGE, "%.100s is no domain",
                          config->domain);
    xf_jid_domain(jid, set->domain);
    return 0;
}

/* --- who ------------------------------------------------------------------ */

static struct xf_quota quota_of(const struct xf_proxy_quota *q)
{
    return (struct xf_quota){ .jid_pairs = q->jid_pairs,
                              .domain_pairs = q->domain_pairs,
                              .jid_bytes = q->jid_bytes_a_day,
                              .domain_bytes = q->domain_bytes_a_day,
                              .pair_rate = q->pair_rate,
                              .jid_rate = q->jid_rate };
}

static int take_rules(struct xf_proxy_settings *set,
                      const struct xf_proxy_config *config,
                      struct xf_error_info *why)
{
    if (config->rules_count > XF_PROXY_RULES_MAX)
        return too_many(why, "rules", XF_PROXY_RULES_MAX);
    for (size_t i = 0; i < config->rules_count; i++) {
        const struct xf_proxy_rule *rule = &config->rules[i];
        struct xf_quota quota =
            quota_of(rule->quota ? rule->quota : &config->quota);
        int err = XF_E_USAGE;

        if (rule->jid)
            err = xf_access_add(&set->access, rule->jid, rule->refuse, &quota);
        if (err == XF_E_USAGE)
            return xf_err_set(why, err, "a rule for %.100s, which is no JID",
                              rule->jid ? rule->jid : "(null)");
        if (err != 0)
            return xf_err_set(why, err, "%s", xf_err_text(err));
    }
    return 0;
}

static bool is_wait(int ms)
{
    return ms > 0 && ms <= WAIT_MAX_MS;
}

static int take_limits(struct xf_proxy_settings *set,
                       const struct xf_proxy_config *config,
                       struct xf_error_info *why)
{
    if (!is_wait(config->handshake_ms) || !is_wait(config->pairing_ms))
        return xf_err_set(why, XF_E_USAGE,
                          "a deadline that is not within a day");
    set->handshake_ms = config->handshake_ms;
    set->pairing_ms = config->pairing_ms;
    set->crowd = (struct xf_crowd_limits){
        .half_open_each = config->half_open_each,
        .half_open_total = config->half_open_total,
        .connections_each = config->connections_each,
    };
    set->pairs_total = config->pairs_total;
    return 0;
}

/* --- all ------------------------------------------------------------------ */

int xf_proxy_settings_new(struct xf_proxy_settings **out,
                          const struct xf_proxy_config *config,
                          const uint64_t secret[2], struct xf_error_info *why)
{
    static int (*const steps[])(struct xf_proxy_settings *,
                                const struct xf_proxy_config *,
                                struct xf_error_info *) = {
        take_domain, take_server, take_listen, take_streamhosts,
        take_acl,    take_rules,  take_limits,
    };
    struct xf_proxy_settings *set = xf_sys_alloc(sizeof *set);
    int err = 0;

    *out = NULL;
    if (!set)
        return xf_err_set(why, XF_E_LIMIT, "%s", xf_err_text(XF_E_LIMIT));
    xf_access_init(&set->access, secret);
    for (size_t i = 0; err == 0 && i < sizeof steps / sizeof *steps; i++)
        err = steps[i](set, config, why);
    if (err != 0) {
        xf_proxy_settings_free(set);
        return err;
    }
    *out = set;
    return 0;
}

void xf_proxy_settings_free(struct xf_proxy_settings *set)
{
    volatile uint8_t *at;

    if (!set)
        return;
    /* Where it is of no more use no core dump shows it. */
    at = set->secret;
    for (size_t i = 0; i < sizeof set->secret; i++)
        at[i] = 0;
    xf_access_clear(&set->access);
    xf_sys_free(set);
}
