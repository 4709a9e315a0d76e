/*
 * In-band bytestreams (XEP-0047): both ends, counting blocks. The bytes
 * themselves do not pass here.
 */
#ifndef XF_PROTO_IBB_H
#define XF_PROTO_IBB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/iq.h"

#define XF_IBB_BLOCK_MAX 65535 /* bytes before base64 */
#define XF_IBB_BLOCK_MIN 1024  /* halved no further */
#define XF_IBB_WRAP 65536      /* the counter has 16 bits */
#define XF_IBB_EMPTY_MAX 100   /* blocks without a byte in a row */

struct xf_ibb_open {
    const char *sid;
    uint32_t block_size;
    enum {
        XF_IBB_STANZA_ABSENT,
        XF_IBB_STANZA_IQ,
        XF_IBB_STANZA_MESSAGE
    } stanza;
};

/* --- receiver ----------------------------------------------------------- */

/*
 *   WAITING --open--> STREAMING --close--> OVER
 *      \--silence------^--bad block--------^
 */
enum xf_ibb_state {
    XF_IBB_WAITING,
    XF_IBB_STREAMING,
    XF_IBB_OVER,
    XF_IBB_STATES
};

enum xf_ibb_kind {
    XF_IBB_OPEN,  /* block_size */
    XF_IBB_BLOCK, /* seq, len */
    XF_IBB_BAD,   /* a block whose seq or base64 cannot be read */
    XF_IBB_CLOSE,
    XF_IBB_BOUNCE, /* a data message of ours or theirs came back as error */
    XF_IBB_SILENCE,
    XF_IBB_KINDS
};

struct xf_ibb_input {
    enum xf_ibb_kind kind;
    uint32_t block_size; /* OPEN */
    uint16_t seq;        /* BLOCK */
    size_t len;          /* BLOCK: decoded bytes */
};

enum xf_ibb_news {
    XF_IBB_NO_NEWS,
    XF_IBB_OPENED,
    XF_IBB_BYTES,  /* take the block */
    XF_IBB_CLOSED, /* the sender has ended the stream */
    XF_IBB_FAILED, /* code, text */
};

struct xf_ibb_todo {
    enum xf_answer answer; /* to the stanza just fed (if it was an iq) */
    enum xf_ibb_news news;
    bool close; /* send a <close/> of our own */
    int code;
    const char *text; /* static */
};

struct xf_ibb_receiver {
    enum xf_ibb_state state;
    uint32_t block_limit; /* the largest we agree to */
    uint32_t block_size;
    uint16_t next_seq;
    unsigned empty; /* blocks without a byte in a row */
    bool old_wrap;  /* 65535 was skipped once: Smack to 4.3, Libervia */
    bool full_wrap; /* 65535 came once: it will be missed later */
};

void xf_ibb_receiver_init(struct xf_ibb_receiver *rx, uint32_t block_limit);
struct xf_ibb_todo xf_ibb_receive(struct xf_ibb_receiver *rx,
                                  const struct xf_ibb_input *in);

/* --- sender ------------------------------------------------------------- */

/*
 *   OPENING --ok--> SENDING --end of data--> DRAINING --all acked-->
 *   CLOSING --ok, gone, forgotten, no answer--> CLOSED
 *   any --refused, closed by the peer, silence--> BROKEN
 */
enum xf_ibb_tx_state {
    XF_IBB_TX_OPENING,
    XF_IBB_TX_SENDING,
    XF_IBB_TX_DRAINING,
    XF_IBB_TX_CLOSING,
    XF_IBB_TX_CLOSED,
    XF_IBB_TX_BROKEN,
    XF_IBB_TX_STATES
};

enum xf_ibb_tx_kind {
    XF_IBB_TX_OPENED,
    XF_IBB_TX_REFUSED, /* condition; TIMEOUT: none came in time */
    XF_IBB_TX_SENT,    /* a block left; `len` bytes */
    XF_IBB_TX_ACKED,   /* the oldest block under way was acknowledged */
    XF_IBB_TX_NACKED,  /* condition: it was refused */
    XF_IBB_TX_BOUNCED, /* a data message came back */
    XF_IBB_TX_END,     /* the source has no more bytes; told right after the
                          last block left, since the peer may close when it
                          has it. An empty file: right after START */
    XF_IBB_TX_CLOSE_ANSWERED, /* well or not; or not in time (TIMEOUT) */
    XF_IBB_TX_PEER_CLOSED,
    XF_IBB_TX_KINDS
};

struct xf_ibb_tx_input {
    enum xf_ibb_tx_kind kind;
    enum xf_condition condition;
    size_t len;
};

enum xf_ibb_tx_do {
    XF_IBB_TX_NOTHING,
    XF_IBB_TX_OPEN_SMALLER, /* send <open/> again; block_size was halved */
    XF_IBB_TX_START,        /* the stream is open: send blocks */
    XF_IBB_TX_SEND_CLOSE,
    XF_IBB_TX_FINISHED, /* tx->close_confirmed tells how */
    XF_IBB_TX_FAIL,     /* code, text */
};

struct xf_ibb_tx_todo {
    enum xf_ibb_tx_do what;
    enum xf_answer answer; /* to a <close/> of the peer */
    int code;
    const char *text; /* static */
    bool close;       /* FAIL: send a <close/> too, and wait for nothing */
};

struct xf_ibb_sender {
    enum xf_ibb_tx_state state;
    uint32_t block_size;  /* of the open; blocks may be smaller */
    uint32_t block_first; /* a larger one that is refused becomes this one */
    uint32_t window;      /* blocks in flight at most; 1 and up */
    uint32_t wrap;        /* counter goes to 0 at this value: 65536 or 65535 */
    uint16_t seq;         /* of the next block */
    uint32_t in_flight;
    bool messages;        /* blocks travel in messages: nobody acknowledges */
    bool close_confirmed; /* the close was answered with a result */
};

void xf_ibb_sender_init(struct xf_ibb_sender *tx, uint32_t block_size,
                        uint32_t window, bool messages);
/* Asks for larger blocks than are known to do: one refusal is in vain. */
void xf_ibb_sender_hope(struct xf_ibb_sender *tx, uint32_t block_size);
struct xf_ibb_tx_todo xf_ibb_send(struct xf_ibb_sender *tx,
                                  const struct xf_ibb_tx_input *in);
/* May a block leave now? */
bool xf_ibb_may_send(const struct xf_ibb_sender *tx);

#endif
