/*
 * Which dialect a peer speaks, from what it tells of itself and from how its
 * stanzas look. Each fact is worth something; the strongest decides, of equal
 * ones the latest, and what a peer does is worth more than what it says.
 */
#ifndef XF_PROTO_EVIDENCE_H
#define XF_PROTO_EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/profile.h"

#define XF_EVIDENCE_WORDS 128 /* bytes, NUL included */

struct xf_evidence {
    const struct xf_profile *profile; /* never NULL after init */
    unsigned weight;                  /* of what it rests on; 0: on nothing */
    char words[XF_EVIDENCE_WORDS];    /* "caps node http://pidgin.im/", "" */
};

enum xf_fact_kind {
    XF_FACT_CAPS,     /* text: the node in its presence (XEP-0115) */
    XF_FACT_IDENTITY, /* text: the name in disco#info or NULL; features */
    XF_FACT_VERSION,  /* text, version: the answer by XEP-0092 */
    XF_FACT_OFFER,    /* text: the sid of its offer; look */
    XF_FACT_OFFER_ID, /* text: the id of the iq that brought it */
    XF_FACT_ANSWER,   /* look; our offer was list-single and named both */
    XF_FACT_KINDS
};

/* How a stanza looks. */
#define XF_LOOK_LIST_MULTI 0x01u
#define XF_LOOK_MD5 0x02u       /* a hash in the offer */
#define XF_LOOK_IBB_FIRST 0x04u /* in-band stands before bytestreams */
#define XF_LOOK_RANGE 0x08u
#define XF_LOOK_TWO 0x10u /* two values answered */

/* Strings are borrowed for the call. */
struct xf_fact {
    enum xf_fact_kind kind;
    const char *text, *version;
    unsigned features, look;
};

void xf_evidence_init(struct xf_evidence *e);

/* A peer has shown this. True when the row is another one now. */
bool xf_evidence_feed(struct xf_evidence *e, const struct xf_fact *fact);

/* The row is as it was told to be, whatever the peer shows. */
void xf_evidence_force(struct xf_evidence *e, const struct xf_profile *p);

/* Is it worth asking the peer for its version? */
bool xf_evidence_is_open(const struct xf_evidence *e);

#endif
