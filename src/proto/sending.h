/*
 * The ladder of attempts of the one who offers a file: whom, what it is, the
 * offer, a bytestream, in-band on the same sid, in-band by a second offer, one
 * end. Knows neither the offer protocol nor the bytestreams by name of their
 * elements; the time limits are those of the requests it has others make.
 */
#ifndef XF_PROTO_SENDING_H
#define XF_PROTO_SENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/offer.h"

/*
 *   RESOLVING --peer--> PREPARING --ready--> OFFERED --accepted--+
 *                                               ^                v
 *            second offer, in-band only --------+-----<------ [ rungs ]
 *                                                              |     |
 *                                         S5B: CONNECTING <----+     |
 *                                         IBB: OPENING <-------------+
 *                                                |
 *                   MOVING <--open---------------+--failed--> [ rungs ]
 *                     | \
 *                     |  \--broken--> PREPARING, for the ways that are left
 *                     |     (who does not go on: second offer, or OVER)
 *                   moved
 *                     |
 *                     +--> CONFIRMING --receipt, or none to be had--> OVER
 *
 * Between two of ours nobody waits long in CONNECTING: LATE opens in-band beside
 * it, and when the bytestream comes up after all, it takes over from there.
 *
 * Anything that ends it leads to OVER, from wherever; the loss of contact or
 * connection to RESOLVING.
 */
enum xf_sending_state {
    XF_SENDING_RESOLVING,
    XF_SENDING_PREPARING,
    XF_SENDING_OFFERED,
    XF_SENDING_CONNECTING,
    XF_SENDING_OPENING,
    XF_SENDING_MOVING,
    XF_SENDING_CONFIRMING,
    XF_SENDING_OVER,
    XF_SENDING_STATES
};

enum xf_sending_kind {
    XF_SENDING_PEER,       /* the contact's resource and dialect are known */
    XF_SENDING_READY,      /* proxies, listener and hash are there */
    XF_SENDING_ACCEPTED,   /* methods answered */
    XF_SENDING_REFUSED,    /* the offer was: code, text */
    XF_SENDING_OPEN,       /* the stream of the current rung carries bytes */
    XF_SENDING_FAILED,     /* it could not be made: code, text */
    XF_SENDING_LATE,       /* the bytestream takes its time */
    XF_SENDING_MOVED,      /* every byte has left and the stream is closed */
    XF_SENDING_RECEIPT,    /* the contact has the file on its disk */
    XF_SENDING_NO_RECEIPT, /* and will not say so */
    XF_SENDING_BROKEN, /* the stream ended before, or the contact had reached
                              it and is not there: code, text, way */
    XF_SENDING_AWAY,   /* the contact, or our own connection: code, text */
    XF_SENDING_STOP,   /* the user, the peer or the server: code, text */
    XF_SENDING_KINDS
};

/* The ways of the bytes, as bits. */
#define XF_WAY_DIRECT 0x01u
#define XF_WAY_PROXY 0x02u
#define XF_WAY_IBB 0x04u

struct xf_sending_input {
    enum xf_sending_kind kind;
    const struct xf_offer_answer *answer; /* ACCEPTED */
    bool whole;  /* ACCEPTED: the contact has every byte already */
    bool waits;  /* REFUSED: there is time left to wait for the contact */
    bool beside; /* OPEN, FAILED: the bytestream, while in-band is open or being
                      opened */
    bool again;  /* BROKEN: a fresh in-band stream may fare better */
    bool final;  /* BROKEN: no other way would help */
    unsigned way;  /* BROKEN: the one that broke */
    bool forgive;  /* BROKEN: after so much that the others may do again */
    bool progress; /* BROKEN, AWAY: bytes have moved since the last offer */
    int code;
    const char *text;
};

enum xf_sending_do {
    XF_SENDING_NOTHING,
    XF_SENDING_PREPARE,
    XF_SENDING_OFFER, /* `methods`; with a new sid each time, from the first
                         byte on */
    XF_SENDING_TRY_S5B,
    XF_SENDING_TRY_IBB,        /* on the sid of the last offer */
    XF_SENDING_TRY_IBB_BESIDE, /* ... while the bytestream is being made */
    XF_SENDING_MOVE,
    XF_SENDING_SWITCH, /* end the blocks where they are; then this one */
    XF_SENDING_ASK,    /* for the receipt: no stream is needed any more */
    XF_SENDING_LOOK,   /* for the contact, as at first; drop the streams */
    XF_SENDING_FINISH, /* well */
    XF_SENDING_FAIL,   /* code and text in `why` of the machine */
};

struct xf_sending_todo {
    enum xf_sending_do what;
    size_t methods_count; /* OFFER */
    enum xf_method methods[2];
};

/* What we may do and what the peer is like. */
struct xf_sending_rules {
    size_t methods_count; /* allowed, in the order to offer them */
    enum xf_method methods[2];
    bool ibb_same_sid;
    bool second_offer;
    bool goes_on;  /* it keeps what it has, takes further offers of the same
                      transfer and gives a receipt: one of ours */
    unsigned ways; /* XF_WAY_ bits that may be used */
};

#define XF_SENDING_FRUITLESS_MAX 3 /* further offers that move no byte */

struct xf_sending {
    enum xf_sending_state state;
    struct xf_sending_rules rules;
    bool can_s5b;    /* there is a streamhost to tell */
    bool further;    /* an earlier stream broke: this is not the first offer */
    unsigned broken; /* ways that broke, not to be used just now */
    unsigned fruitless; /* further offers in a row that moved no byte */
    bool tried_s5b;
    bool tried_ibb;
    bool second; /* the in-band-only offer is out */
    bool beside; /* in-band is tried or used, the bytestream still made */
    bool answered_s5b, answered_ibb; /* by the last answer */
    struct xf_error_info why;        /* of FAIL */
    unsigned failures;               /* attempts that failed */
    int last_code;                   /* of the last of them */
    char attempts[XF_TEXT_MAX];      /* "direct ...: refused; in-band: ..." */
};

void xf_sending_init(struct xf_sending *s);

/* Set before PEER is fed, and again when the peer turns out another. */
void xf_sending_set_rules(struct xf_sending *s,
                          const struct xf_sending_rules *rules);

struct xf_sending_todo xf_sending_step(struct xf_sending *s,
                                       const struct xf_sending_input *in);

/* The ways that may be told and tried now. */
unsigned xf_sending_ways(const struct xf_sending *s);

/* An attempt has failed; kept for the error that names them all. */
void xf_sending_note(struct xf_sending *s, const char *what, const char *why);

#endif
