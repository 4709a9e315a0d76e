/*
 * What two xferrys say to each other, and nobody else: elements of urn:xferry:0
 * inside of an offer and its answer, and the end of a transfer. Sums are told
 * as XEP-0300 does. doc/protocol/xferry.md is their page.
 */
#ifndef XF_WIRE_XFERRY_H
#define XF_WIRE_XFERRY_H

#include "proto/offer.h"
#include "wire/iq.h"

/* --- in the offer and its answer ------------------------------------------ */

/* <transfer/> among the children of <si/>; fills the fields of ours, or leaves
 * them as of a stranger when there is none or it cannot be read. */
void xf_xferry_read_offer(const struct xf_el *si, struct xf_offer *out);
void xf_xferry_write_offer(struct xf_xml_writer *w,
                           const struct xf_offer *offer);

/* <prefix/> among the children of <si/>. */
void xf_xferry_read_answer(const struct xf_el *si, struct xf_offer_answer *out);
void xf_xferry_write_answer(struct xf_xml_writer *w,
                            const struct xf_offer_answer *answer);

/* --- the end ---------------------------------------------------------------- */

/* Why a transfer is over before its end. */
enum xf_stop_reason {
    XF_STOP_FAILED,
    XF_STOP_CANCELLED,
    XF_STOP_CHANGED,  /* the file, while it was sent */
    XF_STOP_NO_SPACE, /* at the receiver */
    XF_STOP_MISMATCH, /* the sum is another */
    XF_STOP_REASONS
};

/*
 * <end/> or <stop/>, the payload of a set. `key` is NULL when there is none and
 * belongs to the element; no sum when none was told or it cannot be read.
 */
struct xf_xferry_end {
    const char *key;
    bool stop;
    enum xf_stop_reason reason; /* of a stop */
    bool has_sum;
    uint8_t sum[XF_DIGEST_MAX];
};
bool xf_xferry_read_end(const struct xf_el *el, struct xf_xferry_end *out);

/* Whole stanzas. `sum` may be NULL. */
void xf_xferry_write_end(struct xf_xml_writer *w, const char *id,
                         const char *to, const char *from, const char *key,
                         const uint8_t *sum);
void xf_xferry_write_stop(struct xf_xml_writer *w, const char *id,
                          const char *to, const char *from, const char *key,
                          enum xf_stop_reason reason);

#endif
