/*
 * Who may use a proxy, and how much: rules by domain, bare and full JID, and
 * what was used today. No clock: the day is an argument. JIDs are prepared.
 */
#ifndef XF_PROTO_PROXY_ACCESS_H
#define XF_PROTO_PROXY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

/* At most; 0 is no limit. The rates are for whoever moves the bytes. */
struct xf_quota {
    uint32_t jid_pairs, domain_pairs;
    uint64_t jid_bytes, domain_bytes; /* a day */
    uint64_t pair_rate, jid_rate;
};

/* --- who ------------------------------------------------------------------ */

struct xf_access {
    struct xf_map rules;
};

void xf_access_init(struct xf_access *a, const uint64_t secret[2]);
void xf_access_clear(struct xf_access *a);

/* 0, XF_E_USAGE for what is no JID, XF_E_LIMIT. Of two for a JID the later
 * holds. */
int xf_access_add(struct xf_access *a, const char *jid, bool refuse,
                  const struct xf_quota *quota);

/*
 * NULL: may not. `jid` is prepared. The full JID goes before the bare one, that
 * before the domain, which stands for its users only: not for itself, since
 * what its server does is nobody's transfer.
 */
const struct xf_quota *xf_access_look(const struct xf_access *a,
                                      const char *jid);

/* --- how much -------------------------------------------------------------- */

/* JIDs and domains that are counted at once; more have to wait for tomorrow. */
#define XF_USERS_MAX 200000

/* What a bare JID or a domain uses. */
struct xf_user {
    struct xf_map_item item;
    struct xf_user *domain; /* of a JID; NULL of a domain */
    uint64_t bytes;         /* today */
    uint64_t group;         /* a number for its pairs together */
    uint32_t pairs;
    char name[];
};

struct xf_usage {
    struct xf_map users;
    int64_t day;
    uint64_t next_group;
};

void xf_usage_init(struct xf_usage *u, const uint64_t secret[2]);
void xf_usage_clear(struct xf_usage *u); /* users too */

enum xf_usage_verdict {
    XF_USAGE_FINE,
    XF_USAGE_PAIRS, /* too many pairs at once */
    XF_USAGE_BYTES, /* those of today are used up */
    XF_USAGE_FULL,  /* XF_USERS_MAX, or no memory */
};

/* Could `jid` (full or bare) begin a pair? */
enum xf_usage_verdict xf_usage_look(struct xf_usage *u, const char *jid,
                                    const struct xf_quota *quota, int64_t day);
/* It does; `*out` lives until xf_usage_leave(). */
enum xf_usage_verdict xf_usage_enter(struct xf_usage *u, const char *jid,
                                     const struct xf_quota *quota, int64_t day,
                                     struct xf_user **out);
/* True when what `quota` allows for a day is now used up. */
bool xf_usage_moved(struct xf_usage *u, struct xf_user *user, uint64_t bytes,
                    const struct xf_quota *quota, int64_t day);
/* Once for each time it entered. */
void xf_usage_leave(struct xf_usage *u, struct xf_user *user);

#endif
