/*
 * What an address is: text, port, kind, and which ones are our own. Whom to
 * connect to is left to others.
 */
#ifndef XF_NET_ADDRESS_H
#define XF_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define XF_ADDRESS_TEXT 46                         /* INET6_ADDRSTRLEN */
#define XF_HOST_MAX 255                            /* bytes of a host name */
#define XF_ADDRESS_PORT_TEXT (XF_ADDRESS_TEXT + 9) /* "[...]:65535" */

struct xf_address {
    socklen_t len;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

/* Who named the address, and so which ones are connected to. */
enum xf_reach {
    XF_REACH_ANY,        /* the user or his server */
    XF_REACH_PEER,       /* a peer: only what is a host out there */
    XF_REACH_PEER_LOCAL, /* a peer, while our server is on loopback too */
    XF_REACH_LOOPBACK,   /* nothing but loopback: plain text goes there */
};

/*
 * NULL when it may be connected to, else why not in two or three words. A peer
 * may not send us to: unspecified, link-local, multicast, broadcast and reserved
 * addresses and the metadata services of clouds; nor to loopback, see above.
 */
const char *xf_address_refused(const struct xf_address *a, enum xf_reach reach);

/* "192.0.2.1", "2001:db8::1" or "[2001:db8::1]". False for host names. */
bool xf_address_read(const char *text, uint16_t port, struct xf_address *out);

bool xf_address_from(const struct sockaddr *sa, socklen_t len,
                     struct xf_address *out);

void xf_address_text(const struct xf_address *a, char out[XF_ADDRESS_TEXT]);
/* "192.0.2.1:80", "[2001:db8::1]:80" */
void xf_address_port_text(const struct xf_address *a,
                          char out[XF_ADDRESS_PORT_TEXT]);
uint16_t xf_address_port(const struct xf_address *a);
void xf_address_set_port(struct xf_address *a, uint16_t port);
bool xf_address_is_loopback(const struct xf_address *a);

/*
 * "host", "host:port", "1.2.3.4:port", "[::1]:port", "[::1]", "::1". `*port`
 * stays as it is where none is given. 0 or XF_E_USAGE.
 */
int xf_address_split(const char *text, char host[XF_HOST_MAX + 1],
                     uint16_t *port);

/* Of our end, or of the other end, of a connected socket. */
bool xf_address_local(int fd, struct xf_address *out);
bool xf_address_peer(int fd, struct xf_address *out);

/*
 * This machine's own addresses, port 0: global, private and unique local ones;
 * loopback only when asked for, link-local never. At most `max`. Returns how
 * many, or -XF_E_LIMIT.
 */
int xf_address_own(struct xf_address *out, size_t max, bool loopback);

#endif
