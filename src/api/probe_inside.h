/* What the files of a probe share: probe.c, probe_contact.c, probe_ways.c. */
#ifndef XF_API_PROBE_INSIDE_H
#define XF_API_PROBE_INSIDE_H

#include "api/probe.h"
#include "api/proxy_check.h"
#include "api/rate.h"
#include "api/streamhosts.h"

/* One address of a proxy, while it is tried. */
struct xf_probing_check {
    struct xf_probing *p;
    struct xf_proxy_check *check;
    char jid[XF_JID_MAX + 1], host[XF_HOST_MAX + 1];
    uint16_t port;
    enum xf_truth relays;
};

enum xf_probing_contact {
    XF_PROBING_SOUGHT,
    XF_PROBING_FOUND,
    XF_PROBING_NOBODY,
};

enum xf_probing_asked {
    XF_PROBING_NOT_ASKED,
    XF_PROBING_ASKED,
    XF_PROBING_ANSWERED,
};

struct xf_probing {
    struct xf_session *s;
    char to[XF_JID_MAX + 1];
    bool begun, over;
    int64_t since, begun_at, wait_until;
    int64_t next_look; /* for the contact, without news */
    int64_t ask_again; /* a full JID */
    bool server_told;

    enum xf_probing_contact contact;
    char peer[XF_JID_MAX + 1]; /* FOUND */
    unsigned features;
    struct xf_evidence evidence;
    const struct xf_profile *profile; /* the row it points to */
    enum xf_probing_asked version;    /* where that tells more */
    struct xf_error_info nobody;      /* NOBODY: why */
    /* A full JID whose presence we do not see. */
    enum xf_probing_asked full;
    const char *full_away; /* so far nobody is there, and why */
    unsigned full_features;
    char full_name[XF_CLIENT_NAME_MAX + 1];

    bool listed;
    struct xf_streamhosts told;
    size_t checks_count, checks_left;
    struct xf_probing_check checks[XF_PROBE_CHECKS_MAX];

    struct xf_probing_rate {
        struct xf_probing *p;
        enum xf_probing_asked asked;
    } rate;

    struct xf_error_info why; /* it ends with */
    struct xf_probe end;
    struct xf_event_node last;
};

/* An item that finds no memory is lost; the end never is. */
void xf_probing_tell(struct xf_probing *p, struct xf_event *ev,
                     const struct xf_probe *item);

/* --- probe_contact.c ------------------------------------------------------- */

/* Look for the contact, and tell of its programs once it is clear. */
void xf_probing_look_for_contact(struct xf_probing *p);

/* --- probe_ways.c ---------------------------------------------------------- */

/* List what an offer would tell, and begin to try the proxies. */
void xf_probing_look_for_hosts(struct xf_probing *p);
/* The contact is found, all is known: tell the ways and judge them. */
void xf_probing_tell_ways(struct xf_probing *p);

#endif
