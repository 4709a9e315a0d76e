/*
 * Stream Initiation (XEP-0095) with the file-transfer profile (XEP-0096) and
 * its form (XEP-0020, XEP-0004): offers and answers. Refusals are errors of
 * wire/iq; whether a file name is one is for base/name.
 */
#ifndef XF_WIRE_SI_H
#define XF_WIRE_SI_H

#include "proto/offer.h"
#include "wire/iq.h"

/*
 * The <si/> of a set. Returns true and fills `out`, whose strings belong to
 * the element, or false and tells what is wrong; then `out->sid` is as it
 * came, or NULL. A missing name is "". Cuts a description too long in the
 * element itself.
 */
bool xf_si_read_offer(struct xf_el *si, struct xf_offer *out,
                      struct xf_offer_fault *fault);

/* A whole iq. */
void xf_si_write_offer(struct xf_xml_writer *w, const char *id, const char *to,
                       const char *from, const struct xf_offer *offer);

/* A whole iq, in answer to the one that carried the offer. */
void xf_si_write_answer(struct xf_xml_writer *w,
                        const struct xf_stanza_head *request,
                        const struct xf_offer_answer *answer);

/*
 * From the result iq. An unknown method is read as XF_METHOD_NONE, of more
 * than two values the first two are. Returns 0, XF_E_NOMETHOD when it names
 * none, or XF_E_PROTO for a range that is no range.
 */
int xf_si_read_answer(const struct xf_el *iq, struct xf_offer_answer *out);

#endif
