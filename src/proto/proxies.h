/*
 * Finding the SOCKS5 proxies of our server before they are needed (XEP-0065,
 * 4): which questions to send, and the list that comes of the answers.
 */
#ifndef XF_PROTO_PROXIES_H
#define XF_PROTO_PROXIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/s5b.h"

#define XF_PROXIES_MAX 16     /* streamhosts in the list */
#define XF_PROXY_ITEMS_MAX 64 /* services of a server that are asked */
#define XF_PROXY_HOSTS_MAX 4  /* addresses taken of one proxy */
#define XF_PROXIES_WAIT_MS 3000
#define XF_PROXIES_FRESH_MS 600000 /* found again after this long */

struct xf_proxies;

/*
 * `configured`: JIDs to ask first, as given; up to XF_PROXIES_MAX, ends at
 * NULL, may be NULL itself. `domain`: our server; NULL: configured ones only.
 * Returns NULL when there is no memory.
 */
struct xf_proxies *xf_proxies_new(const char *const *configured,
                                  const char *domain);
void xf_proxies_free(struct xf_proxies *p);

/*
 *   IDLE --prepare--> SEARCHING --all answered, 3 s--> READY
 *                        ^----prepare, 10 min later------/
 * In SEARCHING each service goes: item --info--> proxy --address--> listed.
 */

/* A transfer will want the list: begin, unless what is there is fresh. */
void xf_proxies_prepare(struct xf_proxies *p, int64_t now_ms);

/* The stream is lost: its questions get no answer. The list stays. */
void xf_proxies_forget_questions(struct xf_proxies *p);

enum xf_proxy_ask {
    XF_PROXY_ASK_ITEMS,   /* disco#items get */
    XF_PROXY_ASK_INFO,    /* disco#info get */
    XF_PROXY_ASK_ADDRESS, /* bytestreams get */
};

struct xf_proxy_question {
    enum xf_proxy_ask kind;
    const char *jid; /* until the next xf_proxies_prepare() */
};

/* The next question to send; false: none at the moment. */
bool xf_proxies_next(struct xf_proxies *p, struct xf_proxy_question *out);

/*
 * Answers. Those nobody asked for change nothing; late ones serve the next
 * transfer. Strings are copied. `random` mixes the services, so that the users
 * of a server with several proxies do not all take the first; 0 does not.
 */
void xf_proxies_items(struct xf_proxies *p, const char *const *jids,
                      size_t count, uint64_t random);
void xf_proxies_info(struct xf_proxies *p, const char *jid, bool is_proxy);
void xf_proxies_address(struct xf_proxies *p, const char *jid,
                        const struct xf_streamhost *hosts, size_t count);
/* An error, or no answer in time. */
void xf_proxies_failed(struct xf_proxies *p, enum xf_proxy_ask kind,
                       const char *jid);

/* Nothing more to wait for: all has been answered, or the time is over. */
bool xf_proxies_ready(const struct xf_proxies *p, int64_t now_ms);
/* When it will be ready at the latest; INT64_MAX: it is. */
int64_t xf_proxies_deadline(const struct xf_proxies *p, int64_t now_ms);

/*
 * The streamhosts known now, configured proxies first, then the server's, mixed
 * as above. At most XF_PROXIES_MAX. Strings live until the
 * next call of xf_proxies_prepare() or of an answer: copy them.
 */
size_t xf_proxies_list(const struct xf_proxies *p,
                       struct xf_streamhost out[XF_PROXIES_MAX]);

/*
 * Services that were asked where they are and have not said so: configured
 * ones that are none, and those that serve others only. As above.
 */
size_t xf_proxies_mute(const struct xf_proxies *p,
                       const char *out[XF_PROXIES_MAX]);

#endif
