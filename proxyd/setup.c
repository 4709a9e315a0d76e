/* What an address, a network or a JID may look like the library decides; it is
 * asked entry by entry, so that a mistake has a line. */
#include "setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"

static int no_memory(struct xf_conf *conf)
{
    snprintf(conf->error, sizeof conf->error, "out of memory");
    return XF_E_LIMIT;
}

static uint64_t number(const struct xf_conf *conf, enum xf_conf_key key)
{
    return conf->value[key].number;
}

/* "HOST", "HOST:PORT", "[V6]:PORT" or "V6" alone, into host and port. */
static bool split(const char *text, char *host, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    const char *end = text + strlen(text);
    char *rest;
    long n;

    *port = 0;
    if (colon && (*text == '[' ? colon > text && colon[-1] == ']'
                               : strchr(text, ':') == colon)) {
        n = strtol(colon + 1, &rest, 10);
        if (colon[1] < '0' || colon[1] > '9' || *rest || n < 1 || n > 65535)
            return false;
        *port = (uint16_t)n;
        end = colon;
    }
    if (*text == '[') {
        if (end - text < 3 || end[-1] != ']')
            return false;
        text++;
        end--;
    }
    memcpy(host, text, (size_t)(end - text));
    host[end - text] = '\0';
    return end > text;
}

static int add_addresses(struct xf_setup *setup, struct xf_conf *conf,
                         enum xf_conf_key key)
{
    const struct xf_conf_value *v = &conf->value[key];
    struct xf_proxy_address *a = setup->addresses + setup->host_count;

    for (size_t i = 0; i < v->count; i++, a++) {
        char *host = malloc(strlen(v->list[i]) + 1);

        if (!host)
            return no_memory(conf);
        setup->hosts[setup->host_count++] = host;
        if (!split(v->list[i], host, &a->port))
            return xf_conf_blame(conf, key, i,
                                 "it takes HOST:PORT, or "
                                 "[ADDRESS]:PORT of IPv6");
        if (key == XF_CONF_LISTEN && a->port == 0)
            return xf_conf_blame(conf, key, i, "there is no port");
        a->host = host;
    }
    return 0;
}

static void general_quota(struct xf_proxy_quota *q, const struct xf_conf *conf)
{
    q->jid_pairs = (uint32_t)number(conf, XF_CONF_PAIRS_PER_JID);
    q->domain_pairs = (uint32_t)number(conf, XF_CONF_PAIRS_PER_DOMAIN);
    q->jid_bytes_a_day = number(conf, XF_CONF_BYTES_PER_JID);
    q->domain_bytes_a_day = number(conf, XF_CONF_BYTES_PER_DOMAIN);
    q->pair_rate = number(conf, XF_CONF_RATE_PER_PAIR);
    q->jid_rate = number(conf, XF_CONF_RATE_PER_JID);
}

/* What a section does not name is as for everybody. */
static void own_quota(struct xf_proxy_quota *q, const struct xf_conf *conf,
                      const struct xf_conf_section *s)
{
    uint64_t n[XF_CONF_QUOTA_KEYS];

    for (int i = 0; i < XF_CONF_QUOTA_KEYS; i++)
        n[i] = s->lines[i]
                   ? s->number[i]
                   : number(conf, (enum xf_conf_key)(XF_CONF_QUOTA_FIRST + i));
    *q = (struct xf_proxy_quota){ .jid_pairs = (uint32_t)n[0],
                                  .domain_pairs = (uint32_t)n[1],
                                  .jid_bytes_a_day = n[2],
                                  .domain_bytes_a_day = n[3],
                                  .pair_rate = n[4],
                                  .jid_rate = n[5] };
}

static void add_rules(struct xf_setup *setup, const struct xf_conf *conf)
{
    const struct xf_conf_value *allow = &conf->value[XF_CONF_ALLOW];
    const struct xf_conf_value *deny = &conf->value[XF_CONF_DENY];
    struct xf_proxy_rule *rule = setup->rules;

    for (size_t i = 0; i < allow->count; i++)
        *rule++ = (struct xf_proxy_rule){ allow->list[i], false, NULL };
    for (size_t i = 0; i < deny->count; i++)
        *rule++ = (struct xf_proxy_rule){ deny->list[i], true, NULL };
    for (size_t i = 0; i < conf->section_count; i++) {
        own_quota(&setup->quotas[i], conf, &conf->sections[i]);
        *rule++ = (struct xf_proxy_rule){ conf->sections[i].jid, false,
                                          &setup->quotas[i] };
    }
    setup->proxy.rules = setup->rules;
    setup->proxy.rules_count = (size_t)(rule - setup->rules);
}

static void fill(struct xf_setup *setup, const struct xf_conf *conf)
{
    struct xf_proxy_config *p = &setup->proxy;
    size_t listening = conf->value[XF_CONF_LISTEN].count;

    p->domain = conf->value[XF_CONF_COMPONENT].text;
    p->server = conf->value[XF_CONF_SERVER].text;
    p->remote = number(conf, XF_CONF_SERVER_REMOTE) == 1;
    p->listen = setup->addresses;
    p->listen_count = listening;
    p->streamhosts = setup->addresses + listening;
    p->streamhosts_count = conf->value[XF_CONF_ADVERTISE].count;
    p->acl = (const char *const *)conf->value[XF_CONF_CONNECT_FROM].list;
    p->acl_count = conf->value[XF_CONF_CONNECT_FROM].count;
    general_quota(&p->quota, conf);
    p->handshake_ms = (int)number(conf, XF_CONF_HANDSHAKE_TIMEOUT) * 1000;
    p->pairing_ms = (int)number(conf, XF_CONF_PAIRING_TIMEOUT) * 1000;
    p->half_open_each = (uint32_t)number(conf, XF_CONF_HALF_OPEN_PER_ADDRESS);
    p->half_open_total = (uint32_t)number(conf, XF_CONF_HALF_OPEN);
    p->connections_each =
        (uint32_t)number(conf, XF_CONF_CONNECTIONS_PER_ADDRESS);
    p->pairs_total = (uint32_t)number(conf, XF_CONF_PAIRS);
}

/* --- where a mistake is -------------------------------------------------- */

/* The same without lists but one address each: what is left is right if the
 * scalars are. */
static int check_with(const struct xf_proxy_config *whole,
                      const struct xf_proxy_config *part, char *text,
                      size_t size)
{
    static const struct xf_proxy_address any = { "127.0.0.1", 1 };
    struct xf_proxy_config one = *whole;

    one.listen = part->listen ? part->listen : &any;
    one.streamhosts = part->streamhosts ? part->streamhosts : &any;
    one.listen_count = one.streamhosts_count = 1;
    one.acl = part->acl;
    one.acl_count = part->acl ? 1 : 0;
    one.rules = part->rules;
    one.rules_count = part->rules ? 1 : 0;
    return xf_proxy_config_check(&one, text, size);
}

/* Entry `i` of a list alone. */
static int check_entry(const struct xf_setup *setup, enum xf_conf_key key,
                       size_t i, size_t denied_from, char *text, size_t size)
{
    const struct xf_proxy_config *p = &setup->proxy;
    struct xf_proxy_config part = { 0 };

    if (key == XF_CONF_LISTEN)
        part.listen = &p->listen[i];
    else if (key == XF_CONF_ADVERTISE)
        part.streamhosts = &p->streamhosts[i];
    else if (key == XF_CONF_CONNECT_FROM)
        part.acl = &p->acl[i];
    else
        part.rules = &p->rules[i + (key == XF_CONF_DENY ? denied_from : 0)];
    return check_with(p, &part, text, size);
}

static int blame_scalar(struct xf_conf *conf, const struct xf_setup *setup,
                        char *text, size_t size)
{
    static const char *const component = "proxy.invalid";
    struct xf_proxy_config part = { 0 }, whole = setup->proxy;
    enum xf_conf_key key = XF_CONF_SECRET_FILE;

    whole.domain = component;
    if (check_with(&whole, &part, text, size) == 0)
        key = XF_CONF_COMPONENT;
    whole = setup->proxy;
    whole.server = "127.0.0.1";
    if (check_with(&whole, &part, text, size) == 0)
        key = XF_CONF_SERVER;
    check_with(&setup->proxy, &part, text, size);
    return xf_conf_blame(conf, key, 0, text);
}

static int find_mistake(struct xf_setup *setup, struct xf_conf *conf,
                        char *text, size_t size)
{
    static const enum xf_conf_key lists[] = { XF_CONF_LISTEN, XF_CONF_ADVERTISE,
                                              XF_CONF_CONNECT_FROM,
                                              XF_CONF_ALLOW, XF_CONF_DENY };
    struct xf_proxy_config part = { 0 };
    size_t denied = conf->value[XF_CONF_ALLOW].count;
    size_t own = denied + conf->value[XF_CONF_DENY].count;

    if (check_with(&setup->proxy, &part, text, size) != 0)
        return blame_scalar(conf, setup, text, size);
    for (size_t l = 0; l < sizeof lists / sizeof *lists; l++)
        for (size_t i = 0; i < conf->value[lists[l]].count; i++)
            if (check_entry(setup, lists[l], i, denied, text, size) != 0)
                return xf_conf_blame(conf, lists[l], i, text);
    for (size_t i = 0; i < conf->section_count; i++) {
        part.rules = &setup->rules[own + i];
        if (check_with(&setup->proxy, &part, text, size) != 0)
            return xf_conf_blame_section(conf, i, text);
    }
    /* Each is right by itself, together they are not. */
    xf_proxy_config_check(&setup->proxy, text, size);
    snprintf(conf->error, sizeof conf->error, "%s", text);
    return XF_E_USAGE;
}

int xf_setup_make(struct xf_setup *setup, struct xf_conf *conf,
                  const char *secret)
{
    size_t hosts = conf->value[XF_CONF_LISTEN].count +
                   conf->value[XF_CONF_ADVERTISE].count;
    size_t rules = conf->value[XF_CONF_ALLOW].count +
                   conf->value[XF_CONF_DENY].count + conf->section_count;
    const char *metrics = conf->value[XF_CONF_METRICS].text;
    char text[XF_CONF_ERROR / 2] = "";
    int err;

    *setup = (struct xf_setup){ 0 };
    xf_proxy_config_init(&setup->proxy);
    setup->addresses = calloc(hosts, sizeof *setup->addresses);
    setup->hosts = calloc(hosts, sizeof *setup->hosts);
    setup->rules = calloc(rules + 1, sizeof *setup->rules);
    setup->quotas = calloc(conf->section_count + 1, sizeof *setup->quotas);
    if (!setup->addresses || !setup->hosts || !setup->rules || !setup->quotas)
        return no_memory(conf);
    err = add_addresses(setup, conf, XF_CONF_LISTEN);
    if (!err)
        err = add_addresses(setup, conf, XF_CONF_ADVERTISE);
    if (!err && metrics && !xf_http_is_local(metrics))
        err = xf_conf_blame(conf, XF_CONF_METRICS, 0,
                            "it takes a loopback address with a port, or "
                            "unix:/PATH");
    if (err)
        return err;
    add_rules(setup, conf);
    fill(setup, conf);
    setup->proxy.secret = secret;
    setup->proxy.secret_len = strlen(secret);
    err = xf_proxy_config_check(&setup->proxy, text, sizeof text);
    return err == XF_E_USAGE ? find_mistake(setup, conf, text, sizeof text)
                             : err;
}

void xf_setup_clear(struct xf_setup *setup)
{
    for (size_t i = 0; i < setup->host_count; i++)
        free(setup->hosts[i]);
    free(setup->hosts);
    free(setup->addresses);
    free(setup->rules);
    free(setup->quotas);
    *setup = (struct xf_setup){ 0 };
}
