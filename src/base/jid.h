/*
 * JIDs as normalised strings: nodeprep, nameprep and resourceprep once, at the
 * door; from there on equal JIDs are equal bytes (RFC 6122; XEP-0065 hashes
 * them as they are routed).
 */
#ifndef XF_BASE_JID_H
#define XF_BASE_JID_H

#include <stdbool.h>
#include <stddef.h>

#define XF_JID_PART_MAX 1023
#define XF_JID_MAX (3 * XF_JID_PART_MAX + 2) /* without NUL */

/*
 * Normalise. The domain is a host name, in Unicode where it came so and
 * without a dot at its end, an IPv4 address, or an IPv6 address in brackets.
 * `out` has XF_JID_MAX + 1 bytes and may not overlap `text`.
 * Returns 0 or XF_E_USAGE (empty part, too long, forbidden character, not
 * UTF-8); then `out` is "".
 */
int xf_jid_prep(const char *text, char *out);

bool xf_jid_is_full(const char *jid);    /* has a resource */
bool xf_jid_has_local(const char *jid);  /* has a node part */
size_t xf_jid_bare_len(const char *jid); /* bytes before '/' */
bool xf_jid_same_bare(const char *a, const char *b);
void xf_jid_bare(const char *jid, char *out);   /* XF_JID_MAX + 1 bytes */
void xf_jid_domain(const char *jid, char *out); /* XF_JID_PART_MAX + 1 */
void xf_jid_local(const char *jid, char *out);  /* XF_JID_PART_MAX + 1 */
const char *xf_jid_resource(const char *jid);   /* within jid; "" if none */

/*
 * nameprep of a host name for DNS and SRV: ASCII form, lower-case, without a
 * dot at its end; an address stays what it is, in its brackets. 0 or
 * XF_E_USAGE, also when `size` is too small; then `out` is "".
 */
int xf_jid_domain_ascii(const char *domain, char *out, size_t size);

#endif
