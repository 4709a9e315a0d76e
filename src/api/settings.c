/* What the embedder wants, checked once. */
#include "api/settings.h"

#include <string.h>

#include "base/sys.h"
#include "net/address.h"

#define RETRY_MAX_MS (INT32_MAX * INT64_C(1000)) /* can be added to any time */

#define TIMEOUT_MS 15000 /* the founding document's response timeout */
#define STALL_MS 60000
#define RETRY_MS 300000 /* a server's restart, a router's, another Wi-Fi */
#define WORKERS 2

void xf_config_init(struct xf_config *config)
{
    *config = (struct xf_config){
        .priority = -1,
        .via = { XF_VIA_DIRECT, XF_VIA_PROXY, XF_VIA_IBB },
        .timeout_ms = TIMEOUT_MS,
        .stall_ms = STALL_MS,
        .workers = WORKERS,
        .retry_ms = RETRY_MS,
    };
}

const char *xf_dialect(size_t i, const char **summary)
{
    const struct xf_profile *profile = xf_profile_at(i);

    if (summary)
        *summary = profile ? profile->summary : NULL;
    return profile ? profile->name : NULL;
}

_Static_assert(XF_DIALECT_FACT_MAX >= XF_PROFILE_FACT_MAX, "one size");

bool xf_dialect_fact(size_t i, size_t j, char text[XF_DIALECT_FACT_MAX])
{
    return xf_profile_fact(i, j, text);
}

static int copy(char **out, const char *text)
{
    if (!text)
        return 0;
    *out = xf_sys_strdup(text);
    return *out ? 0 : XF_E_LIMIT;
}

static int take_account(struct xf_settings *set, const char *account,
                        bool attached)
{
    char jid[XF_JID_MAX + 1];

    if (!account && attached)
        return 0;
    if (!account || xf_jid_prep(account, jid) != 0)
        return XF_E_USAGE;
    if (!attached && !xf_jid_has_local(jid))
        return XF_E_USAGE;
    return copy(&set->account, jid);
}

/* Each transport at most once, and at least one. */
static int take_via(struct xf_settings *set, const enum xf_via *via)
{
    unsigned seen = 0;

    for (size_t i = 0; i < 3 && via[i] != XF_VIA_NONE; i++) {
        if (via[i] > XF_VIA_IBB || seen & 1u << via[i])
            return XF_E_USAGE;
        seen |= 1u << via[i];
        set->via[set->via_count++] = via[i];
    }
    return set->via_count ? 0 : XF_E_USAGE;
}

static int take_proxies(struct xf_settings *set, const char *const *proxies)
{
    char jid[XF_JID_MAX + 1];

    for (size_t i = 0; i < XF_LIST_MAX && proxies[i]; i++) {
        int err = xf_jid_prep(proxies[i], jid);

        if (err == 0)
            err = copy(&set->proxies[i], jid);
        if (err != 0)
            return err;
        set->proxies_count++;
    }
    return 0;
}

static int take_addresses(struct xf_settings *set, const char *const *addresses)
{
    char host[XF_HOST_MAX + 1];

    for (size_t i = 0; i < XF_LIST_MAX && addresses[i]; i++) {
        uint16_t port = 0;
        int err = xf_address_split(addresses[i], host, &port);

        if (err == 0)
            err = copy(&set->addresses[i].host, host);
        if (err != 0)
            return err;
        set->addresses[set->addresses_count++].port = port;
    }
    return 0;
}

static int take_dialect(struct xf_settings *set, const char *name)
{
    if (name)
        set->dialect = xf_profile_named(name);
    return !name || set->dialect ? 0 : XF_E_USAGE;
}

static int take_numbers(struct xf_settings *set, const struct xf_config *config)
{
    if (config->block_size > 65535 || config->priority < -128 ||
        config->priority > 127 || config->timeout_ms <= 0 ||
        config->stall_ms <= 0 || config->workers < 0 || config->retry_ms < -1 ||
        config->stanza > XF_STANZA_MESSAGE ||
        config->listen_from > config->listen_to ||
        (config->listen_from == 0 && config->listen_to != 0))
        return XF_E_USAGE;
    set->block_size = config->block_size;
    set->limit = config->limit;
    set->priority = config->priority;
    set->timeout_ms = config->timeout_ms;
    set->stall_ms = config->stall_ms;
    set->workers = config->workers;
    set->retry_ms =
        config->retry_ms > RETRY_MAX_MS ? RETRY_MAX_MS : config->retry_ms;
    set->stanza = config->stanza;
    set->listen_from = config->listen_from;
    set->listen_to = config->listen_to;
    set->plain = config->plain;
    set->send_only = config->send_only;
    set->trace = config->trace;
    return 0;
}

int xf_settings_take(struct xf_settings *set, const struct xf_config *config,
                     bool attached)
{
    int err = take_account(set, config->account, attached);

    if (err == 0 && !attached && !config->password)
        err = XF_E_USAGE;
    if (err == 0)
        err = take_via(set, config->via);
    if (err == 0)
        err = take_proxies(set, config->proxies);
    if (err == 0)
        err = take_addresses(set, config->addresses);
    if (err == 0)
        err = take_dialect(set, config->dialect);
    if (err == 0)
        err = take_numbers(set, config);
    if (err == 0)
        err = copy(&set->password, config->password);
    if (err == 0)
        err = copy(&set->server, config->server);
    if (err == 0)
        err = copy(&set->ca_file, config->ca_file);
    return err;
}

void xf_settings_wipe(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    xf_sys_free(*secret);
    *secret = NULL;
}

void xf_settings_clear(struct xf_settings *set)
{
    xf_settings_wipe(&set->password);
    xf_sys_free(set->account);
    xf_sys_free(set->server);
    xf_sys_free(set->ca_file);
    for (size_t i = 0; i < set->proxies_count; i++)
        xf_sys_free(set->proxies[i]);
    for (size_t i = 0; i < set->addresses_count; i++)
        xf_sys_free(set->addresses[i].host);
    *set = (struct xf_settings){ 0 };
}
