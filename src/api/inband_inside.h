/* What the files of in-band streams share: inband.c, and one for each end. */
#ifndef XF_API_INBAND_INSIDE_H
#define XF_API_INBAND_INSIDE_H

#include "api/inband.h"
#include "api/rate.h"
#include "api/stanzas.h"
#include "api/throttle.h"
#include "proto/climb.h"
#include "stream/ibb.h"
#include "wire/ibb.h"

struct xf_inband_held;

struct xf_inband {
    struct xf_transfer *t;
    bool sender;
    uint8_t *block; /* one block, decoded; the session's, for all of them */
    int64_t since;
    struct xf_turn turn; /* of the next block, or acknowledgement */

    /* sender */
    int64_t measure_by; /* the rate is asked for; INT64_MAX: not now */
    struct xf_rate rate;
    uint32_t payload;    /* of the file, bytes a second; 0: no limit known */
    int64_t forecast_ms; /* told with it */
    int64_t started_at;
    int64_t looked_for;  /* the t->moved_at after which `seen_` was noted */
    size_t seen_unsent;  /* bytes of the connection that waited then */
    bool asked_sm;       /* ... and it was asked which stanzas it has */
    uint32_t seen_acked; /* it had taken those */
    bool halved;         /* the contact refused a larger block */
    bool handing_over;   /* no more blocks, a bytestream has the rest */
    struct xf_ibb_sender tx;
    struct xf_climb climb; /* how much at once; not of messages */
    struct xf_ibb_reader reader;
    uint64_t sent, acked; /* bytes */
    uint64_t from;        /* where they began */
    uint64_t blocks;      /* sent */
    bool started;
    size_t unwanted; /* bytes the receiver sent back */
    char open_id[XF_SID_MAX + 1];
    char message_id[XF_SID_MAX + 1];
    uint32_t last_sent; /* stanzas of ours up to the last block in a message */

    /* receiver */
    struct xf_ibb_receiver rx;
    struct xf_inband_held *held, **held_last; /* not yet acknowledged */
    size_t held_count;
    bool messages;           /* blocks come in messages */
    bool paused;             /* our connection is not read meanwhile */
    struct xf_asked closing; /* the sender's <close/>, answered at the end */
    int64_t forgot_at;       /* when a missing close is done without */
};

struct xf_inband *xf_inband_new(struct xf_transfer *t, bool sender);
void xf_inband_tell(struct xf_inband *b, enum xf_attempt attempt, int code,
                    const char *text);

/* Send a <close/>; nobody waits for its answer. */
void xf_inband_send_close(struct xf_inband *b);

/* inband_send.c */
void xf_inband_feed(struct xf_inband *b, const struct xf_ibb_tx_input *in);
void xf_inband_fill(struct xf_inband *b);
void xf_inband_fail(struct xf_inband *b, int code, const char *text);
int64_t xf_inband_send_deadline(const struct xf_inband *b);
void xf_inband_send_tick(struct xf_inband *b);

/* inband_pace.c */
uint32_t xf_inband_fitting_block(const struct xf_inband *b);
/* Window, rate and forecast that follow from the block that is tried now. */
void xf_inband_plan(struct xf_inband *b);
/* Larger blocks than the first, where a refusal would cost little; else 0. */
uint32_t xf_inband_hoped_block(const struct xf_inband *b, uint32_t first);
/* The stream is open: how much at once is tried from here on. */
void xf_inband_climb(struct xf_inband *b);
/* All streams that send share what may be under way on a connection. */
void xf_inband_share(struct xf_inband *b);
/* How many bytes may wait ahead of the server, `most` if it does not limit
 * us: in messages, which nobody acknowledges, and of all streams. */
size_t xf_inband_ahead(const struct xf_inband *b, size_t most);
/* This contact is not to get a larger block any more. Without memory it will
 * refuse once more. */
void xf_inband_remember_block(struct xf_transfer *t, uint32_t block);

/* inband_receive.c */
void xf_inband_receive(struct xf_inband *b, const struct xf_ibb_input *in,
                       const struct xf_stanza_head *head);
void xf_inband_drop_held(struct xf_inband *b);

#endif
