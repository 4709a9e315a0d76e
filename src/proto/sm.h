/*
 * Which stanzas have arrived (XEP-0198): counts both ways, says when to ask,
 * and keeps what was not acknowledged, to be sent again when the stream goes
 * on over another connection.
 */
#ifndef XF_PROTO_SM_H
#define XF_PROTO_SM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define XF_SM_ASK_BYTES (256u * 1024u) /* sent since the last <r/> */
#define XF_SM_ASK_STANZAS 64u
#define XF_SM_QUEUE_MAX 65536u /* stanzas not yet acknowledged */
/* Bytes of text kept: all of it fits at once in the queue of a new link. */
#define XF_SM_KEEP_MAX (7u << 20)
#define XF_SM_ID_MAX 4000u /* bytes (XEP-0198, 5) */
#define XF_SM_LOCATION_MAX 1023u

/* One that is not yet acknowledged. `text` is NULL when it is not kept: over
 * the ceiling, without memory, or of a stream that cannot be resumed. */
struct xf_sm_stanza {
    size_t bytes;
    char *text;
};

/*
 *   OFF --<enable/> sent--> ENABLING --<enabled/>--> ON <--<resumed/>-- AWAY
 *    ^----------<failed/>------/                      |                 | ^
 *    |<------ lost, and not all is kept --------------+---- lost -------+-+
 *    |<-----------------------------<failed/>, too late-----------------+
 */
enum xf_sm_state { XF_SM_OFF, XF_SM_ENABLING, XF_SM_ON, XF_SM_AWAY };

struct xf_sm {
    enum xf_sm_state state;
    bool resumable;
    char *id;       /* NULL: not resumable */
    char *location; /* where to resume, or NULL */
    uint64_t max_s; /* how long the server keeps us; 0: not said */

    uint32_t handled; /* inbound; wraps, as all three do */
    uint32_t sent;
    uint32_t acked;

    struct xf_sm_stanza *queue; /* a ring of sent - acked */
    size_t head, cap;
    size_t unacked_bytes;
    size_t kept_bytes; /* those with a text */
    uint32_t unkept;   /* stanzas without */

    bool asked; /* an <r/> is under way */
    bool flush; /* ask until all is acknowledged */
    size_t new_bytes;
    uint32_t new_stanzas; /* sent since the last <r/> */
};

void xf_sm_init(struct xf_sm *sm);
void xf_sm_clear(struct xf_sm *sm); /* may be used again */

/* <enable/> leaves: from here on what is sent counts. */
void xf_sm_enable(struct xf_sm *sm);

/*
 * <enabled/> came: from here on what is received counts. `id` and `location`
 * may be NULL. Returns 0, XF_E_LIMIT, or XF_E_STREAM when it was not asked
 * for or is over a ceiling.
 */
int xf_sm_enabled(struct xf_sm *sm, const char *id, const char *location,
                  uint64_t max_s, bool resumable);
void xf_sm_failed(struct xf_sm *sm); /* <failed/> came: all is off */

/*
 * A stanza left; `text` is copied. Returns 0, XF_E_LIMIT, or XF_E_STREAM when
 * the server has acknowledged nothing for XF_SM_QUEUE_MAX stanzas. Nothing
 * counts while it is off, so all stanzas may be told.
 *
 * Over XF_SM_KEEP_MAX it is counted and not kept, and the stream cannot be
 * resumed until it is acknowledged. While the stream is away it waits to be
 * sent; over the ceiling it is not taken then, and XF_E_LIMIT returned.
 */
int xf_sm_sent(struct xf_sm *sm, const char *text, size_t bytes);
void xf_sm_received(struct xf_sm *sm); /* a message, presence or iq came */

/* Is an <r/> due? If so it counts as sent. Ask after sent, acked, flush. */
bool xf_sm_ask(struct xf_sm *sm);
void xf_sm_flush(struct xf_sm *sm); /* before leaving, or when idle */

/* The `h` to answer an <r/> with. */
uint32_t xf_sm_handled(const struct xf_sm *sm);

/* <a/> came. XF_E_STREAM when `h` is beyond what was sent. */
int xf_sm_acked(struct xf_sm *sm, uint32_t h);

/* --- resumption ---------------------------------------------------------- */

/* Could it be resumed if the connection were lost now? */
bool xf_sm_may_resume(const struct xf_sm *sm);

/*
 * The connection is lost. True: the stream may be resumed, it is AWAY, by the
 * server's word for `max_s` seconds (0: not said). False: it is OFF.
 */
bool xf_sm_lost(struct xf_sm *sm);

/*
 * <resumed/> came: it is ON again, and what `h` does not acknowledge is to be
 * sent again, in its order. XF_E_STREAM when nothing was to be resumed, or `h`
 * is beyond what was sent.
 */
int xf_sm_resumed(struct xf_sm *sm, uint32_t h);

/* The `i`th that is not acknowledged, oldest first; NULL behind the last. */
const struct xf_sm_stanza *xf_sm_unacked_at(const struct xf_sm *sm, uint32_t i);

bool xf_sm_all_acked(const struct xf_sm *sm);   /* true when it is off */
uint32_t xf_sm_unacked(const struct xf_sm *sm); /* stanzas */

#endif
