/*
 * The one who is offered a file: from the question to the last byte. Once it
 * is accepted both doors stay open: a bytestream query and an in-band open are
 * welcome in any order, whatever was answered. That alone interoperates with
 * every sender known (Smack to 4.3, libpurple and the founding document open
 * in-band on the sid whose bytestream failed).
 */
#ifndef XF_PROTO_RECEIVING_H
#define XF_PROTO_RECEIVING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/iq.h"

#define XF_RECEIVING_DOOR_MS 60000 /* how long the sender may take to begin */
#define XF_RECEIVING_ASKED_MS (30 * 60000) /* how long a person may take */

/*
 *   ASKED --accept--> WAITING --query--> DIALLING --up--> STREAMING
 *     |                ^  \               |    |            |   |
 *     |                |   \--open--------|----+--open------|-> INBAND
 *     |                +------failed------+                 |    |
 *     |                +------broken, and its sender goes on-----+
 *     +--decline--> OVER <--in whole, broken, silence-------+----+
 *
 * Who is one of ours may open in-band while we are dialling: INBAND_DIALLING.
 * A streamhost that is reached then is held, INBAND_HELD, and goes on where the
 * blocks are closed: STREAMING.
 */
enum xf_receiving_state {
    XF_RECEIVING_ASKED,
    XF_RECEIVING_WAITING,
    XF_RECEIVING_DIALLING,
    XF_RECEIVING_STREAMING,
    XF_RECEIVING_INBAND,
    XF_RECEIVING_INBAND_DIALLING,
    XF_RECEIVING_INBAND_HELD,
    XF_RECEIVING_OVER,
    XF_RECEIVING_STATES
};

enum xf_receiving_kind {
    XF_RECEIVING_ACCEPT,
    XF_RECEIVING_DECLINE, /* code, text */
    XF_RECEIVING_QUERY,   /* streamhosts to try */
    XF_RECEIVING_OPEN,    /* an in-band stream */
    XF_RECEIVING_UP,      /* a streamhost was reached */
    XF_RECEIVING_NONE_UP, /* none was */
    XF_RECEIVING_CLOSED,  /* the blocks, in front of the last byte */
    XF_RECEIVING_DRY,     /* the bytestream ended before it brought a byte */
    XF_RECEIVING_BROKEN,  /* the stream, or who sends, is gone; the sender may
                            offer the rest: code, text, patience_ms */
    XF_RECEIVING_OFFERED_AGAIN, /* the same file: in-band only, or goes_on */
    XF_RECEIVING_WHOLE,         /* the file is on the disk under its name */
    XF_RECEIVING_STOP,          /* code, text: peer, user, disk, server */
    XF_RECEIVING_TICK,
    XF_RECEIVING_KINDS
};

struct xf_receiving_input {
    enum xf_receiving_kind kind;
    bool got_bytes;      /* OPEN: the bytestream has brought some already */
    bool goes_on;        /* OFFERED_AGAIN: behind what we have. OPEN: a
                            bytestream may take over */
    int64_t patience_ms; /* BROKEN: for that; INT64_MAX: not now */
    int code;
    const char *text;
};

enum xf_receiving_do {
    XF_RECEIVING_NOTHING,
    XF_RECEIVING_SAY_YES,           /* answer the offer */
    XF_RECEIVING_DIAL,              /* try the streamhosts */
    XF_RECEIVING_TAKE_STREAM,       /* say which is used; read from it */
    XF_RECEIVING_TAKE_INBAND,       /* drop any bytestream; read blocks */
    XF_RECEIVING_TAKE_INBAND_TOO,   /* go on dialling; read blocks */
    XF_RECEIVING_TAKE_INBAND_FIRST, /* keep the bytestream; read blocks */
    XF_RECEIVING_HOLD_STREAM, /* say which is used; not yet read from it */
    XF_RECEIVING_TAKE_HELD,   /* read from it, the blocks are over */
    XF_RECEIVING_SAY_NONE,    /* answer the query: item-not-found */
    XF_RECEIVING_REFUSE,      /* answer the request: not-acceptable */
    XF_RECEIVING_FINISH,
    XF_RECEIVING_FAIL, /* code and text in `why`; say no if still asked */
};

struct xf_receiving {
    enum xf_receiving_state state;
    int64_t deadline;         /* INT64_MAX: none */
    struct xf_error_info why; /* of FAIL; and of the last BROKEN until then */
};

void xf_receiving_init(struct xf_receiving *r, int64_t now_ms);
enum xf_receiving_do xf_receiving_step(struct xf_receiving *r,
                                       const struct xf_receiving_input *in,
                                       int64_t now_ms);

#endif
