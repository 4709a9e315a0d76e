/*
 * An offer of a file and its answer, whatever protocol carries them (Stream
 * Initiation today), and the choice of the methods to answer with.
 */
#ifndef XF_PROTO_OFFER_H
#define XF_PROTO_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "proto/iq.h"

#define XF_SID_MAX 1024         /* bytes */
#define XF_OFFER_OPTIONS_MAX 32 /* stream methods in one form */
#define XF_OFFER_DESC_MAX 4096  /* bytes kept of a description */
#define XF_OFFER_KEY_LEN 32     /* hex digits */
#define XF_OFFER_VERSION_MAX 64 /* bytes */

enum xf_method {
    XF_METHOD_NONE = 0,
    XF_METHOD_S5B = 1,
    XF_METHOD_IBB = 2,
};

/* Strings belong to whoever filled it in (a stanza, a transfer). */
struct xf_offer {
    const char *sid;
    const char *name;
    uint64_t size;    /* UINT64_MAX: not said */
    const char *hash; /* MD5 in hex, or NULL */
    const char *date; /* XEP-0082, or NULL */
    const char *mime_type;
    const char *desc;
    bool range;           /* the receiver may ask for a part */
    bool list_multi;      /* form as in 2007: two values may answer */
    size_t methods_count; /* known methods, in the offerer's order */
    enum xf_method methods[2];
    /* Between two of ours (doc/protocol/xferry.md); a NULL key: it is not. */
    const char *key;     /* names the transfer through all of its offers */
    const char *run;     /* names the sender's session, which has one JID */
    const char *version; /* of the source, as the sender calls it, or NULL */
    uint64_t most;       /* a part is to begin here or before */
    bool sum;            /* its sum will follow the last byte */
};

/* What was wrong with an offer; told to the peer and to the user. */
struct xf_offer_fault {
    enum xf_answer answer; /* XF_ANSWER_NONE: nothing was wrong */
    int code;              /* XF_E_OFFER, XF_E_SIZE, XF_E_NOMETHOD */
    const char *field;     /* "id", "profile", "file", "size", ... */
    const char *text;      /* for the peer, or NULL */
};

struct xf_offer_answer {
    size_t count; /* 1 or 2 values, in the order answered */
    enum xf_method methods[2];
    bool range; /* the answer asked for a part */
    uint64_t range_offset;
    uint64_t range_length; /* UINT64_MAX, or the rest: to the end */
    bool has_prefix;       /* ... and the SHA-256 of what is before it */
    uint8_t prefix[XF_DIGEST_MAX];
    uint64_t durable; /* ... of which so much is safe from a loss of power */
};

/*
 * Receiver: which of the offered methods to answer with. S5B when it is
 * offered and allowed, else IBB; both, in the offerer's order, only to a
 * list-multi offer or when `two_values` says that the peer is known to need it
 * (Smack before 4.4; Smack from 4.4 on cannot read two). count 0: none fits.
 */
void xf_offer_choose(const struct xf_offer *offer, bool allow_s5b,
                     bool allow_ibb, bool two_values,
                     struct xf_offer_answer *out);

/*
 * Sender: is the answer one we can go on with? Every value must be among the
 * offered, the range within the size.
 * Returns 0, XF_E_NOMETHOD or XF_E_PROTO.
 */
int xf_offer_answer_check(const struct xf_offer *offer,
                          const struct xf_offer_answer *answer);

/* What a refusal means (forbidden: XF_E_DECLINED, bad-request with
 * no-valid-streams: XF_E_NOMETHOD, service-unavailable: XF_E_NOPEER ...). */
int xf_offer_refusal_code(const struct xf_stanza_error *error);

#endif
