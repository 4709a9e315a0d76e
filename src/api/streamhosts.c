/* The list of streamhosts; whom it is told to is not known here. */
#include "api/streamhosts.h"

#include <string.h>

#include "api/doors.h"
#include "base/sys.h"
#include "net/address.h"

static int add(struct xf_streamhosts *list, const char *jid, const char *host,
               uint16_t port, bool proxy)
{
    struct xf_told_host *h = &list->hosts[list->count];

    if (list->count == XF_HOSTS_TOLD)
        return 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->hosts[i].sh.port == port &&
            strcmp(list->hosts[i].sh.host, host) == 0)
            return 0;
    h->sh.jid = xf_sys_strdup(jid);
    h->sh.host = xf_sys_strdup(host);
    h->sh.port = port;
    h->proxy = proxy;
    list->count++;
    return h->sh.jid && h->sh.host ? 0 : XF_E_LIMIT;
}

/* The address our server sees first: of several it is the likeliest. */
static int add_own(struct xf_session *s, struct xf_streamhosts *list,
                   size_t max)
{
    bool loopback = xf_session_is_loopback(s);
    struct xf_address own[XF_LIST_MAX], local;
    char text[XF_ADDRESS_TEXT];
    uint16_t port = xf_doors_port(s);
    int n = xf_address_own(own, XF_LIST_MAX, loopback), err = 0;

    if (s->con && s->con->link && xf_link_local_address(s->con->link, &local)) {
        xf_address_text(&local, text);
        err = add(list, s->jid, text, port, false);
    }
    for (int i = 0; i < n && err == 0 && list->count < max; i++) {
        if (xf_address_is_loopback(&own[i]) != loopback)
            continue;
        xf_address_text(&own[i], text);
        err = add(list, s->jid, text, port, false);
    }
    return err;
}

static int add_direct(struct xf_session *s, struct xf_streamhosts *list,
                      size_t max)
{
    int err = 0;

    /* No port to be had is no reason to give up on proxies. */
    list->doors_err = xf_doors_use(s);
    if (list->doors_err != 0)
        return 0;
    list->doors = true;
    if (s->set.addresses_count == 0)
        return add_own(s, list, max);
    for (size_t i = 0;
         i < s->set.addresses_count && list->count < max && err == 0; i++)
        err = add(list, s->jid, s->set.addresses[i].host,
                  s->set.addresses[i].port ? s->set.addresses[i].port
                                           : xf_doors_port(s),
                  false);
    return err;
}

static int add_proxies(struct xf_streamhosts *list,
                       const struct xf_streamhost *proxies, size_t count)
{
    int err = 0;

    for (size_t i = 0; i < count && i < XF_PROXIES_TOLD && err == 0; i++)
        err = add(list, proxies[i].jid, proxies[i].host, proxies[i].port, true);
    return err;
}

static bool is_wanted(const struct xf_session *s,
                      const struct xf_streamhosts *list, enum xf_via via)
{
    unsigned way = via == XF_VIA_PROXY ? XF_WAY_PROXY : XF_WAY_DIRECT;

    return xf_session_allows(s, via) && (list->ways == 0 || list->ways & way);
}

int xf_streamhosts_list(struct xf_session *s, struct xf_streamhosts *out)
{
    struct xf_streamhost proxies[XF_PROXIES_MAX];
    size_t max =
        out->max && out->max < XF_HOSTS_TOLD ? out->max : XF_HOSTS_TOLD;
    size_t count = 0;
    int err = 0;

    if (is_wanted(s, out, XF_VIA_PROXY))
        count = xf_proxies_list(s->proxies, proxies);
    for (size_t i = 0; i < s->set.via_count && err == 0; i++) {
        if (s->set.via[i] == XF_VIA_DIRECT && is_wanted(s, out, XF_VIA_DIRECT))
            err = add_direct(
                s, out,
                count && max > XF_PROXIES_TOLD ? max - XF_PROXIES_TOLD : max);
        else if (s->set.via[i] == XF_VIA_PROXY)
            err = add_proxies(out, proxies, count);
    }
    return err;
}

void xf_streamhosts_clear(struct xf_session *s, struct xf_streamhosts *list)
{
    for (size_t i = 0; i < list->count; i++) {
        xf_sys_free((char *)list->hosts[i].sh.jid);
        xf_sys_free((char *)list->hosts[i].sh.host);
    }
    if (list->doors)
        xf_doors_release(s);
    *list = (struct xf_streamhosts){ 0 };
}
