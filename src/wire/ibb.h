/*
 * In-band bytestreams (XEP-0047): open, data, close. The counting of blocks
 * is for proto/ibb.
 */
#ifndef XF_WIRE_IBB_H
#define XF_WIRE_IBB_H

#include "proto/ibb.h"
#include "wire/iq.h"

/* `sid` of an <open/>, <data/> or <close/>; NULL: none, or over XF_SID_MAX. */
const char *xf_ibb_read_sid(const struct xf_el *el);

/*
 * An <open/>. Returns XF_ANSWER_NONE when it is fine, else what to answer.
 * `out->sid` belongs to the element.
 */
enum xf_answer xf_ibb_read_open(const struct xf_el *open,
                                struct xf_ibb_open *out);

/*
 * A <data/>, out of an iq or a message: what to feed to the receiver. The
 * block is decoded to `bytes`. One longer than `size` is told with its length
 * and not decoded: the receiver finds it too large. `size` is at least the
 * block size agreed on.
 */
struct xf_ibb_input xf_ibb_read_data(const struct xf_el *data, void *bytes,
                                     size_t size);

/* Whole stanzas. */
void xf_ibb_write_open(struct xf_xml_writer *w, const char *id, const char *to,
                       const char *from, const struct xf_ibb_open *open);
void xf_ibb_write_data(struct xf_xml_writer *w, const char *id, const char *to,
                       const char *from, const char *sid, uint16_t seq,
                       const void *bytes, size_t len);
void xf_ibb_write_data_message(struct xf_xml_writer *w, const char *id,
                               const char *to, const char *from,
                               const char *sid, uint16_t seq, const void *bytes,
                               size_t len);
void xf_ibb_write_close(struct xf_xml_writer *w, const char *id, const char *to,
                        const char *from, const char *sid);

#endif
