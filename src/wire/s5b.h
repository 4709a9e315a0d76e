/*
 * SOCKS5 bytestreams (XEP-0065) as far as they are XML: streamhosts, which of
 * them is used, a proxy's address and its activation.
 */
#ifndef XF_WIRE_S5B_H
#define XF_WIRE_S5B_H

#include "proto/s5b.h"
#include "wire/iq.h"

#define XF_S5B_HOST_MAX 255 /* bytes; longer ones are not tried */

/*
 * The <query/> of a set. Strings belong to the element. Streamhosts that
 * cannot be used (no jid, no host, a bad port) are left out, those behind
 * XF_STREAMHOSTS_MAX too. Returns XF_ANSWER_NONE when there is something to
 * try, else what to answer; `out->sid` is then as it came, or NULL.
 */
enum xf_answer xf_s5b_read_query(const struct xf_el *query,
                                 struct xf_s5b_query *out);

/* A whole iq; `dstaddr` may be NULL. */
void xf_s5b_write_query(struct xf_xml_writer *w, const char *id, const char *to,
                        const char *from, const char *sid, const char *dstaddr,
                        const struct xf_streamhost *hosts, size_t count);

/* Which streamhost is used: a whole iq in answer to the query. */
void xf_s5b_write_used(struct xf_xml_writer *w,
                       const struct xf_stanza_head *request, const char *sid,
                       const char *jid);
/* From the result iq, as it came; NULL: it names none. */
const char *xf_s5b_read_used(const struct xf_el *iq);

/* To a proxy: join us with `target`. A whole iq. */
void xf_s5b_write_activate(struct xf_xml_writer *w, const char *id,
                           const char *proxy, const char *from, const char *sid,
                           const char *target);

/* To a proxy: where are you? A whole iq; and its answer, strings borrowed.
 * Returns how many usable streamhosts there are, at most `max`. */
void xf_s5b_write_address_get(struct xf_xml_writer *w, const char *id,
                              const char *proxy, const char *from);
size_t xf_s5b_read_address(const struct xf_el *iq, struct xf_streamhost *out,
                           size_t max);

/* The proxy's side: a whole iq in answer to who asks where we are. */
void xf_s5b_write_address(struct xf_xml_writer *w,
                          const struct xf_stanza_head *request,
                          const struct xf_streamhost *hosts, size_t count);

/*
 * And the <query/> of a set that asks to activate. Returns XF_ANSWER_NONE, or
 * what to answer. Strings belong to the element; the target is as it came.
 */
enum xf_answer xf_s5b_read_activate(const struct xf_el *query, const char **sid,
                                    const char **target);

#endif
