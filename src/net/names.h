/*
 * Names to addresses and services to hosts, by DNS and /etc/hosts, without
 * waiting. Literals, `localhost` and names below it never reach DNS. Search
 * domains are not tried: an XMPP name is whole. Whom to connect to is
 * left to others.
 */
#ifndef XF_NET_NAMES_H
#define XF_NET_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/address.h"
#include "net/loop.h"

#define XF_NAMES_ADDRESSES 16 /* of one host; more are not looked at */
#define XF_NAMES_SRV 16       /* records of one service; likewise */

enum xf_names_result {
    XF_NAMES_FOUND,
    XF_NAMES_NONE,    /* there is no such name or record */
    XF_NAMES_REFUSED, /* the service is said not to be offered: target "." */
    XF_NAMES_FAILED,  /* no answer to be had */
};

struct xf_srv {
    char host[XF_HOST_MAX + 1];
    uint16_t port, priority, weight;
    bool direct; /* false; for who merges two services */
};

struct xf_names;

/* 0 or XF_E_LIMIT. */
int xf_names_new(struct xf_loop *loop, struct xf_names **out);
/* All questions have been freed or answered before. NULL is fine. */
void xf_names_free(struct xf_names *n);

/*
 * Ask these servers only: "127.0.0.1:5353,[::1]:5353". For tests.
 * 0 or XF_E_USAGE.
 */
int xf_names_set_servers(struct xf_names *n, const char *servers);

/*
 * Ask those servers from now on that the system names now: another network has
 * others. Nothing changes while questions are under way, or where servers were
 * set.
 */
void xf_names_refresh(struct xf_names *n);

/* A question under way. */
struct xf_lookup;

/*
 * `list` lives until the callback returns. Its order is that of RFC 6724; the
 * port is the one asked for.
 */
typedef void xf_names_addresses_fn(void *ctx, enum xf_names_result result,
                                   const struct xf_address *list, size_t count);

/* `list` in the order of RFC 2782: by priority, then by lot with weights. */
typedef void xf_names_srv_fn(void *ctx, enum xf_names_result result,
                             const struct xf_srv *list, size_t count);

/* Answered once, by a later dispatch. `host` is ASCII. 0 or XF_E_LIMIT. */
int xf_names_addresses(struct xf_names *n, const char *host, uint16_t port,
                       xf_names_addresses_fn *fn, void *ctx,
                       struct xf_lookup **out);

/* `service` is a whole name: "_xmpp-client._tcp.example.net". As above. */
int xf_names_srv(struct xf_names *n, const char *service, xf_names_srv_fn *fn,
                 void *ctx, struct xf_lookup **out);

/* Takes the question back, or lets go of an answered one. NULL is fine. */
void xf_lookup_free(struct xf_lookup *l);

/*
 * Order as RFC 2782 says; `lots` are `count` random numbers. For who merges
 * two services.
 */
void xf_srv_order(struct xf_srv *list, size_t count, const uint32_t *lots);

#endif
