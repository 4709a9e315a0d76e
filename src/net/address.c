/*
 * Addresses of both families behind one struct. An IPv6 address that wraps an
 * IPv4 one is judged as the latter, since that is where its packets go.
 */
#include "net/address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/encode.h"
#include "base/err.h"
#include "base/sys.h"

/* --- kinds --------------------------------------------------------------- */

/* True with the address in host order when it is, or wraps, an IPv4 one. */
static bool as_v4(const struct xf_address *a, uint32_t *ip)
{
    if (a->any.sa_family == AF_INET) {
        *ip = ntohl(a->v4.sin_addr.s_addr);
        return true;
    }
    if (a->any.sa_family == AF_INET6 &&
        (IN6_IS_ADDR_V4MAPPED(&a->v6.sin6_addr) ||
         (IN6_IS_ADDR_V4COMPAT(&a->v6.sin6_addr)))) {
        memcpy(ip, &a->v6.sin6_addr.s6_addr[12], sizeof *ip);
        *ip = ntohl(*ip);
        return true;
    }
    return false;
}

struct range {
    uint32_t net;
    int bits;
    const char *what;
};

/* Where no peer's streamhost can be. */
static const struct range ranges[] = {
    { 0x00000000, 8, "unspecified address" },
    { 0xa9fea9fe, 32, "metadata service" },   /* 169.254.169.254 */
    { 0xa9fe0000, 16, "link-local address" }, /* 169.254.0.0/16 */
    { 0xe0000000, 4, "multicast address" },
    { 0xf0000000, 4, "reserved address" }, /* and broadcast */
};

static const char *refused_v4(uint32_t ip)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (((ip ^ ranges[i].net) >> (32 - ranges[i].bits)) == 0)
            return ranges[i].what;
    }
    return NULL;
}

/* A translator of the well-known prefix (RFC 6052) goes on to that address. */
static const char *refused_translated(const struct in6_addr *ip)
{
    static const uint8_t prefix[12] = { 0x00, 0x64, 0xff, 0x9b };
    uint32_t v4;

    if (memcmp(ip, prefix, sizeof prefix) != 0)
        return NULL;
    memcpy(&v4, &ip->s6_addr[12], sizeof v4);
    v4 = ntohl(v4);
    return v4 >> 24 == 127 ? "loopback address" : refused_v4(v4);
}

static const char *refused_v6(const struct in6_addr *ip)
{
    static const uint8_t metadata[16] = { 0xfd, 0x00,        0x0e,
                                          0xc2, [14] = 0x02, [15] = 0x54 };

    if (IN6_IS_ADDR_UNSPECIFIED(ip))
        return "unspecified address";
    if (IN6_IS_ADDR_MULTICAST(ip))
        return "multicast address";
    if (IN6_IS_ADDR_LINKLOCAL(ip))
        return "link-local address";
    if (memcmp(ip->s6_addr, metadata, sizeof metadata) == 0)
        return "metadata service";
    return refused_translated(ip);
}

bool xf_address_is_loopback(const struct xf_address *a)
{
    uint32_t ip;

    if (as_v4(a, &ip))
        return ip >> 24 == 127;
    return a->any.sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
}

const char *xf_address_refused(const struct xf_address *a, enum xf_reach reach)
{
    bool loopback = xf_address_is_loopback(a);
    uint32_t ip;

    switch (reach) {
    case XF_REACH_ANY:
        return NULL;
    case XF_REACH_LOOPBACK:
        return loopback ? NULL : "not a loopback address";
    case XF_REACH_PEER:
        if (loopback)
            return "loopback address";
        break;
    case XF_REACH_PEER_LOCAL:
        break;
    }
    if (loopback)
        return NULL;
    return as_v4(a, &ip) ? refused_v4(ip) : refused_v6(&a->v6.sin6_addr);
}

/* --- text ---------------------------------------------------------------- */

bool xf_address_from(const struct sockaddr *sa, socklen_t len,
                     struct xf_address *out)
{
    memset(out, 0, sizeof *out);
    if (sa->sa_family == AF_INET && len >= sizeof out->v4)
        out->len = sizeof out->v4;
    else if (sa->sa_family == AF_INET6 && len >= sizeof out->v6)
        out->len = sizeof out->v6;
    else
        return false;
    memcpy(&out->any, sa, out->len);
    return true;
}

bool xf_address_read(const char *text, uint16_t port, struct xf_address *out)
{
    char bare[XF_ADDRESS_TEXT];
    size_t len = strlen(text);

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->len = sizeof out->v4;
    } else {
        if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
            text++;
            len -= 2;
        }
        if (len >= sizeof bare)
            return false;
        memcpy(bare, text, len);
        bare[len] = '\0';
        if (inet_pton(AF_INET6, bare, &out->v6.sin6_addr) != 1)
            return false;
        out->v6.sin6_family = AF_INET6;
        out->len = sizeof out->v6;
    }
    xf_address_set_port(out, port);
    return true;
}

void xf_address_text(const struct xf_address *a, char out[XF_ADDRESS_TEXT])
{
    const void *ip = &a->v4.sin_addr;

    if (a->any.sa_family == AF_INET6)
        ip = &a->v6.sin6_addr;
    if (!inet_ntop(a->any.sa_family, ip, out, XF_ADDRESS_TEXT))
        out[0] = '\0';
}

void xf_address_port_text(const struct xf_address *a,
                          char out[XF_ADDRESS_PORT_TEXT])
{
    bool six = a->any.sa_family == AF_INET6;
    char ip[XF_ADDRESS_TEXT];

    xf_address_text(a, ip);
    (void)snprintf(out, XF_ADDRESS_PORT_TEXT, "%s%s%s:%u", six ? "[" : "", ip,
                   six ? "]" : "", (unsigned)xf_address_port(a));
}

uint16_t xf_address_port(const struct xf_address *a)
{
    if (a->any.sa_family == AF_INET6)
        return ntohs(a->v6.sin6_port);
    return ntohs(a->v4.sin_port);
}

void xf_address_set_port(struct xf_address *a, uint16_t port)
{
    if (a->any.sa_family == AF_INET6)
        a->v6.sin6_port = htons(port);
    else
        a->v4.sin_port = htons(port);
}

/* The ':' in front of the port, or the end. */
static const char *host_end(const char *text)
{
    const char *end = text + strlen(text);
    const char *colon = strchr(text, ':');

    if (text[0] == '[') {
        const char *bracket = strchr(text, ']');

        return bracket ? bracket + 1 : text;
    }
    if (!colon || strchr(colon + 1, ':'))
        return end; /* no port, or an IPv6 address without brackets */
    return colon;
}

int xf_address_split(const char *text, char host[XF_HOST_MAX + 1],
                     uint16_t *port)
{
    const char *end = host_end(text);
    size_t len = (size_t)(end - text);
    struct xf_address literal;
    uint64_t number;

    if (len == 0 || len > XF_HOST_MAX || (*end != '\0' && *end != ':'))
        return XF_E_USAGE;
    memcpy(host, text, len);
    host[len] = '\0';
    if (strpbrk(host, "[]:") && !xf_address_read(host, 0, &literal))
        return XF_E_USAGE;
    if (host[0] == '[') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    if (*end == '\0')
        return 0;
    if (!xf_read_uint(end + 1, UINT16_MAX, &number) || number == 0)
        return XF_E_USAGE;
    *port = (uint16_t)number;
    return 0;
}

/* --- ours ---------------------------------------------------------------- */

bool xf_address_local(int fd, struct xf_address *out)
{
    memset(out, 0, sizeof *out);
    out->len = sizeof out->v6;
    return xf_sys_getsockname(fd, &out->any, &out->len) == 0 &&
           (out->any.sa_family == AF_INET || out->any.sa_family == AF_INET6);
}

bool xf_address_peer(int fd, struct xf_address *out)
{
    memset(out, 0, sizeof *out);
    out->len = sizeof out->v6;
    return xf_sys_getpeername(fd, &out->any, &out->len) == 0 &&
           (out->any.sa_family == AF_INET || out->any.sa_family == AF_INET6);
}

/* IPv4 link-local ones serve nobody who cannot be reached otherwise. */
static bool is_link_local(const struct xf_address *a)
{
    uint32_t ip;

    if (as_v4(a, &ip))
        return ip >> 16 == 0xa9fe;
    return IN6_IS_ADDR_LINKLOCAL(&a->v6.sin6_addr);
}

int xf_address_own(struct xf_address *out, size_t max, bool loopback)
{
    uv_interface_address_t *list;
    size_t found = 0;
    int count;

    if (uv_interface_addresses(&list, &count) != 0)
        return -XF_E_LIMIT;
    for (int i = 0; i < count && found < max; i++) {
        struct xf_address *a = &out[found];

        if (!xf_address_from((const struct sockaddr *)&list[i].address,
                             sizeof list[i].address, a) ||
            is_link_local(a) || (xf_address_is_loopback(a) && !loopback))
            continue;
        xf_address_set_port(a, 0);
        found++;
    }
    uv_free_interface_addresses(list, count);
    return (int)found;
}
