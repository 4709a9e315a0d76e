/*
 * xf_probe(): what an offer to a contact would meet, found out without one.
 * The questions are those of a transfer and are asked by the same files; here
 * they are put together, given a time, and told.
 *
 *   WAITING --online--> LOOKING --contact, hosts, rate all known--> OVER
 */
#ifndef XF_API_PROBE_H
#define XF_API_PROBE_H

#include "api/session.h"

#define XF_PROBE_MS 15000         /* in all, from when we are online */
#define XF_PROBE_PRESENCE_MS 1000 /* for the contact's programs to show up */
#define XF_PROBE_VERSION_MS 3000  /* our server's answer to who it is */
#define XF_PROBE_BUSY_MS 5000 /* a contact not there yet is not asked by now */
#define XF_PROBE_CHECKS_MAX 8 /* addresses of proxies that are tried */

/* All of these take a session without a probe. */
int64_t xf_probing_deadline(const struct xf_session *s);
void xf_probing_tick(struct xf_session *s);
/* It ends here, for this reason. */
void xf_probing_stop(struct xf_session *s, int code, const char *text);
/* Its last event is no longer looked at. */
void xf_probing_free(struct xf_session *s);

#endif
