/*
 * How the programs at the other end differ: one row of data per dialect, so
 * that no "if it is so-and-so" is spread over the code. Which row a peer is
 * comes from proto/evidence.
 */
#ifndef XF_PROTO_PROFILE_H
#define XF_PROTO_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/dial.h"

struct xf_profile {
    const char *name;    /* as in --dialect */
    const char *summary; /* one line */

    /* the offer */
    bool list_multi;   /* offer with a list-multi field */
    bool two_values;   /* answer both methods */
    bool older_differ; /* other versions speak another row: ask which */
    bool range;        /* asks for, and offers, a part of a file */
    bool goes_on;      /* one of ours: doc/protocol/xferry.md */
    bool checks_md5;   /* compares a hash in the offer */

    /* the ladder */
    bool ibb_same_sid; /* worth an <open/> after a failed bytestream */
    bool second_offer; /* worth a second offer, in-band only */

    /* bytestreams */
    uint32_t hosts_max;   /* streamhosts worth telling it */
    uint32_t s5b_wait_ms; /* in-band is too late for it after this long; 0:
                             it waits */
    bool s5b_silent;      /* says nothing when it reaches no streamhost */
    uint64_t proxy_from;  /* it loses files below this by a proxy */
    const struct xf_dial_plan *dial;

    /* in-band */
    uint32_t ibb_block;        /* first block size to try */
    uint32_t ibb_block_max;    /* the largest it takes */
    uint32_t ibb_window;       /* blocks in flight at most */
    bool ibb_stanza_attribute; /* write stanza='iq' on <open/> */
    bool ibb_messages;         /* data in messages */
    uint32_t ibb_wrap;         /* blocks until the counter is 0 again, 65536 or
                                  65535; 0: it cannot count any further */
    bool close_unanswered;     /* acknowledges blocks, but no <close/> */
};

/* Entry `i`; NULL at the end. The first is "unknown": safe with everybody. */
const struct xf_profile *xf_profile_at(size_t i);
const struct xf_profile *xf_profile_named(const char *name); /* or NULL */

#define XF_PROFILE_FACT_MAX 128 /* bytes, NUL included */

/*
 * What row `i` changes against "unknown", the `j`th of it as a sentence;
 * false when there are not so many.
 */
bool xf_profile_fact(size_t i, size_t j, char text[XF_PROFILE_FACT_MAX]);

/*
 * The smallest of the block sizes from `block` on, doubling, with which a
 * program of this row can count `size` bytes; 0 when it cannot.
 */
uint32_t xf_profile_block(const struct xf_profile *p, uint32_t block,
                          uint64_t size);

/* What a disco#info answer tells of a peer. */
#define XF_FEATURE_SI 0x01u
#define XF_FEATURE_SI_FILE 0x02u
#define XF_FEATURE_S5B 0x04u
#define XF_FEATURE_IBB 0x08u
#define XF_FEATURE_XFERRY 0x10u
#define XF_FEATURE_DISCO 0x20u   /* disco#info itself: Smack from 3.3 on */
#define XF_FEATURE_VERSION 0x40u /* says its version when asked */
#define XF_FEATURE_KNOWN 0x80u   /* the peer has answered at all */

#endif
