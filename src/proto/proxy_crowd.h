/*
 * From where how many connect, and who may at all. Addresses are 16 bytes as in
 * IPv6, those of IPv4 mapped into it (::ffff:192.0.2.1).
 */
#ifndef XF_PROTO_PROXY_CROWD_H
#define XF_PROTO_PROXY_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

#define XF_CROWD_ADDRESS 16

/* --- who may at all ------------------------------------------------------- */

struct xf_network {
    uint8_t address[XF_CROWD_ADDRESS];
    unsigned bits; /* of the 128 that count */
};

bool xf_network_has(const struct xf_network *n,
                    const uint8_t address[XF_CROWD_ADDRESS]);

/* --- how many ------------------------------------------------------------- */

/* 0 is no limit. */
struct xf_crowd_limits {
    size_t half_open_each, half_open_total, connections_each;
};

/* One address; a network of 64 bits in IPv6, since who has one has all. */
struct xf_caller {
    struct xf_map_item item;
    uint8_t address[XF_CROWD_ADDRESS];
    size_t half_open, connections;
};

struct xf_crowd {
    struct xf_map callers;
    size_t half_open;
};

enum xf_crowd_verdict {
    XF_CROWD_IN,
    XF_CROWD_EACH,  /* too many of this address */
    XF_CROWD_TOTAL, /* too many in all, or no memory */
};

void xf_crowd_init(struct xf_crowd *c, const uint64_t secret[2]);
void xf_crowd_clear(struct xf_crowd *c); /* nobody is in it */

/* A connection that begins its handshake; `*out` lives until it leaves. */
enum xf_crowd_verdict xf_crowd_enter(struct xf_crowd *c,
                                     const uint8_t address[XF_CROWD_ADDRESS],
                                     const struct xf_crowd_limits *limits,
                                     struct xf_caller **out);
/* Its handshake is done. */
void xf_crowd_shaken(struct xf_crowd *c, struct xf_caller *caller);
/* It is gone; `half_open`: within its handshake. */
void xf_crowd_leave(struct xf_crowd *c, struct xf_caller *caller,
                    bool half_open);

#endif
