/*
 * The link from inside, for its two files: link.c, from connecting to the end,
 * and link_io.c, the bytes in between. Nobody else includes this.
 */
#ifndef XF_NET_LINK_INSIDE_H
#define XF_NET_LINK_INSIDE_H

#include "base/buf.h"
#include "net/find.h"
#include "net/link.h"

#define XF_LINK_READ (64u << 10) /* bytes of one read */
/* Room for a full queue in clear, or for what TLS says by itself. */
#define XF_LINK_OUT_MAX (XF_LINK_QUEUE_MAX + (1u << 20))
#define XF_LINK_CLOSE_WAIT_MS 2000 /* for the server's end, after ours */

enum xf_link_state {
    XF_LINK_LOOKING,   /* for a server, or connecting to it */
    XF_LINK_HANDSHAKE, /* direct TLS; nobody has been told yet */
    XF_LINK_OPEN,
    XF_LINK_CLOSING, /* we have said, or are to say, the end */
    XF_LINK_OVER,
};

struct xf_link {
    struct xf_grave grave;
    struct xf_loop *loop;
    const struct xf_link_events *events;
    void *ctx;
    char domain[XF_HOST_MAX + 1]; /* ASCII */
    char *ca_file;
    enum xf_link_state state;
    struct xf_find *find;
    int fd;
    struct xf_watch *watch;
    struct xf_timer *soon;  /* to do at the next turn what a call asked for */
    struct xf_timer *limit; /* of a handshake or of closing */
    struct xf_tls *tls;
    bool secured;  /* its handshake is done */
    bool due;      /* `soon` is set */
    bool paused;   /* reading */
    bool was_high; /* the queue was above the low mark */
    bool end_said; /* close_notify is queued */
    bool shut;     /* our FIN is sent */
    bool cut;      /* the last handshake was not refused but cut short */
    int send_err;  /* errno of a failed send; reading tells the rest */
    struct xf_error_info failure; /* told at the next turn; code 0: none */
    struct xf_buf plain;          /* waits for TLS */
    struct xf_buf out;            /* for the wire as it is */
    char wire[XF_LINK_READ];
    char text[XF_LINK_READ];
};

/* --- link.c: each ends the link, or its attempt, and tells so ------------ */

void xf_link_over(struct xf_link *l, const struct xf_error_info *why);
void xf_link_over_well(struct xf_link *l);
/* "the connection to example.net `words`" */
void xf_link_over_stream(struct xf_link *l, const char *words);
void xf_link_tls_failed(struct xf_link *l, const struct xf_error_info *why);
void xf_link_handshake_ended(struct xf_link *l, const char *how);

/* --- link_io.c ----------------------------------------------------------- */

void xf_link_ready(void *ctx, int events); /* of the socket */
void xf_link_turn(void *ctx);              /* of the timer `soon` */
void xf_link_push(struct xf_link *l);      /* write; tells nothing */
void xf_link_at_next_turn(struct xf_link *l);

#endif
