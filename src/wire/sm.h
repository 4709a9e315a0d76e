/*
 * Stream management (XEP-0198): its elements. What they mean for the counters
 * is for proto/sm.
 */
#ifndef XF_WIRE_SM_H
#define XF_WIRE_SM_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/xml.h"

enum xf_sm_word {
    XF_SM_WORD_NONE, /* not of stream management, or not readable */
    XF_SM_WORD_ENABLED,
    XF_SM_WORD_RESUMED,
    XF_SM_WORD_FAILED,
    XF_SM_WORD_REQUEST, /* <r/> */
    XF_SM_WORD_ACK,     /* <a/> */
};

/* Strings belong to the element; NULL or 0 where it does not say. */
struct xf_sm_said {
    enum xf_sm_word word;
    const char *id;        /* ENABLED, RESUMED (previd) */
    const char *location;  /* ENABLED: where to resume, if not here */
    bool resume;           /* ENABLED: may be resumed */
    uint64_t max_s;        /* ENABLED: how long; 0: not said */
    bool has_h;            /* FAILED may say how far it got */
    uint32_t h;            /* ACK, RESUMED, FAILED */
    const char *condition; /* FAILED: "item-not-found"; or NULL */
};

/* Is it stream management at all? An <a/> without a number is, with word
 * NONE: the server broke the protocol. */
bool xf_sm_read(const struct xf_el *el, struct xf_sm_said *out);

void xf_sm_write_enable(struct xf_xml_writer *w, bool resume);
void xf_sm_write_resume(struct xf_xml_writer *w, const char *id, uint32_t h);
void xf_sm_write_request(struct xf_xml_writer *w);
void xf_sm_write_ack(struct xf_xml_writer *w, uint32_t h);

#endif
