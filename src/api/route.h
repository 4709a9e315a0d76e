/* Where a stanza that came goes: by id and sender, by sid and sender. */
#ifndef XF_API_ROUTE_H
#define XF_API_ROUTE_H

#include "api/session.h"
#include "wire/disco.h"

/* One stanza, of our own connection: all are ours. */
void xf_route(struct xf_session *s, struct xf_el *el);

/* The same of somebody else's connection: false when it is for others. */
bool xf_route_attached(struct xf_session *s, struct xf_el *el);

/* An entry of the roster, in a result or a push. */
void xf_route_roster(struct xf_session *s, const struct xf_roster_item *item);

#endif
