/* Sum, receipt and stop between two of ours; see the header. */
#include "api/ending.h"

#include <stddef.h>
#include <string.h>

#include "api/receiving.h"
#include "api/sending.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/xferry.h"

#define RECEIPT_MS 120000 /* a slow disk syncs 16 MiB in that time */
#define AGAIN_MS 500      /* too many requests are under way, or no memory */
#define ENDED_MAX 64      /* transfers whose end is remembered */

/* An incoming one. */
struct xf_ended {
    struct xf_ended *next;
    enum xf_ended_how how;
    enum xf_receipt receipt;
    char key[XF_OFFER_KEY_LEN + 1];
    char peer[]; /* bare or full, as the peer was known */
};

/* --- the sender ------------------------------------------------------------- */

/* The transfer waits for other replies by its own address; this one is known
 * by another, and can be done without by itself. */
static void *cookie(struct xf_transfer *t)
{
    return &t->end_asked;
}

static void answered(void *ctx, const struct xf_stanza_head *reply,
                     const struct xf_stanza_error *error)
{
    char *at = ctx;
    struct xf_transfer *t =
        (struct xf_transfer *)(at - offsetof(struct xf_transfer, end_asked));
    bool newest = !reply || strcmp(reply->id, t->end_id) == 0;

    t->ends_asked--;
    /* Of one that was thought lost a yes is welcome still. */
    if (error && !newest && t->ends_asked > 0)
        return;
    t->end_asked = false;
    t->sum_equal = !error && t->sum; /* which was told, if there is one */
    xf_sending_receipt(t, error);
}

void xf_ending_ask(struct xf_transfer *t)
{
    struct xf_session *s = t->s;
    char *id = t->end_id;
    const uint8_t *sum = t->sum ? xf_source_digest_sum(t->sum) : NULL;

    if (!t->key[0] || t->end_asked || !t->all_sent || !s->online ||
        (t->sum && !sum))
        return;
    xf_xferry_write_end(xf_stanza_begin(s, id), id, t->peer, s->jid, t->key,
                        sum);
    t->end_asked = xf_stanza_request(s, id, t->peer, xf_now(s) + RECEIPT_MS,
                                     true, answered, cookie(t)) == 0;
    if (t->end_asked)
        t->ends_asked++;
    else
        t->next_look = xf_now(s) + AGAIN_MS;
}

void xf_ending_ask_again(struct xf_transfer *t)
{
    t->end_asked = false;
    xf_ending_ask(t);
}

void xf_ending_hold(struct xf_transfer *t)
{
    xf_requests_drop(t->s, cookie(t));
    t->end_asked = false;
    t->ends_asked = 0;
}

void xf_ending_forget(struct xf_transfer *t)
{
    xf_ending_hold(t);
    t->all_sent = false;
}

/* --- the receiver ----------------------------------------------------------- */

static enum xf_answer answer_of(int code)
{
    switch (code) {
    case 0:
        return XF_ANSWER_OK;
    case XF_E_HASH:
        return XF_ANSWER_NOT_ACCEPTABLE;
    case XF_E_SHORT:
        return XF_ANSWER_UNEXPECTED;
    default:
        return XF_ANSWER_BUSY;
    }
}

void xf_ending_answer(struct xf_transfer *t, int code)
{
    xf_asked_answer(t->s, &t->end, answer_of(code), NULL);
}

/* Which of the two says what went wrong comes first; the other is stale. */
void xf_ending_fail(struct xf_transfer *t, int code)
{
    bool disk = code >= XF_E_NOSPC && code <= XF_E_LIMIT;

    if (disk || code == XF_E_HASH)
        xf_ending_answer(t, code);
    xf_ending_stop(t, code);
    xf_ending_answer(t, code);
}

/* --- before the end ---------------------------------------------------------- */

static enum xf_stop_reason reason_of(int code)
{
    switch (code) {
    case XF_E_CANCELLED:
        return XF_STOP_CANCELLED;
    case XF_E_SRC:
        return XF_STOP_CHANGED;
    case XF_E_NOSPC:
        return XF_STOP_NO_SPACE;
    case XF_E_HASH:
        return XF_STOP_MISMATCH;
    default:
        return XF_STOP_FAILED;
    }
}

void xf_ending_stop(struct xf_transfer *t, int code)
{
    struct xf_session *s = t->s;
    char id[XF_SID_MAX + 1];

    /* Before the yes a receiver answers the offer, and an offer that was made
     * is known by its key. */
    if (!t->key[0] || t->told_stop || !s->online ||
        (!t->accepted && !(t->outgoing && t->unanswered)))
        return;
    t->told_stop = true;
    xf_xferry_write_stop(xf_stanza_begin(s, id), id, t->peer, s->jid, t->key,
                         reason_of(code));
    (void)xf_stanza_send(s, true);
}

/* --- what comes --------------------------------------------------------------- */

/* An <end/> is for who receives, also where somebody sends to himself. */
static struct xf_transfer *find(const struct xf_session *s, const char *peer,
                                const struct xf_xferry_end *end)
{
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        if (!t->over && (end->stop || !t->outgoing) &&
            strcmp(t->key, end->key) == 0 && strcmp(t->peer, peer) == 0)
            return t;
    return NULL;
}

/* A receipt that was lost on the way is given again; but none for a sum that
 * was not compared. */
static enum xf_answer late_answer(const struct xf_session *s, const char *peer,
                                  const struct xf_xferry_end *end)
{
    enum xf_ended_how how = xf_ending_of(s, peer, end->key);

    if (end->stop || how == XF_ENDED_WELL ||
        (how == XF_ENDED_UNPROVEN && !end->has_sum))
        return XF_ANSWER_OK;
    return XF_ANSWER_NOT_FOUND;
}

void xf_ending_came(struct xf_session *s, const struct xf_stanza_head *head)
{
    struct xf_xferry_end end;
    struct xf_transfer *t;

    xf_events_trace_el(s, head->el);
    if (!xf_xferry_read_end(head->payload, &end) || !end.key || !head->from) {
        xf_stanza_answer(s, head, XF_ANSWER_BAD_REQUEST, NULL, true);
        return;
    }
    t = find(s, head->from, &end);
    if (!t) {
        enum xf_answer answer = late_answer(s, head->from, &end);

        xf_stanza_answer(s, head, answer, NULL, true);
        if (answer == XF_ANSWER_OK)
            xf_ending_said(s, head->from, end.key);
    } else if (!end.stop) {
        xf_receiving_end_came(t, head, &end);
    } else {
        xf_stanza_answer(s, head, XF_ANSWER_OK, NULL, true);
        t->told_stop = true;
        if (t->outgoing)
            xf_sending_stopped(t, end.reason);
        else
            xf_receiving_stopped(t, end.reason);
    }
}

/* --- how it was ---------------------------------------------------------------- */

static struct xf_ended *find_ended(const struct xf_session *s, const char *peer,
                                   const char *key)
{
    for (struct xf_ended *e = s->ended; e; e = e->next)
        if (strcmp(e->key, key) == 0 && xf_jid_same_bare(e->peer, peer))
            return e;
    return NULL;
}

enum xf_ended_how xf_ending_of(const struct xf_session *s, const char *peer,
                               const char *key)
{
    const struct xf_ended *e = find_ended(s, peer, key);

    return e ? e->how : XF_ENDED_UNKNOWN;
}

void xf_ending_said(struct xf_session *s, const char *peer, const char *key)
{
    struct xf_ended *e = find_ended(s, peer, key);

    if (e)
        e->receipt = XF_RECEIPT_SAID;
}

static void turn_said_into(struct xf_session *s, enum xf_receipt receipt)
{
    for (struct xf_ended *e = s->ended; e; e = e->next)
        if (e->receipt == XF_RECEIPT_SAID)
            e->receipt = receipt;
}

void xf_ending_arrived(struct xf_session *s)
{
    turn_said_into(s, XF_RECEIPT_HAD);
}

void xf_ending_lost(struct xf_session *s)
{
    turn_said_into(s, XF_RECEIPT_OWED);
}

enum xf_receipt xf_ending_receipts(const struct xf_session *s)
{
    enum xf_receipt most = XF_RECEIPT_HAD;

    for (const struct xf_ended *e = s->ended; e; e = e->next)
        if (e->receipt > most)
            most = e->receipt;
    return most;
}

void xf_ending_remember(struct xf_transfer *t, enum xf_ended_how how,
                        enum xf_receipt receipt)
{
    struct xf_session *s = t->s;
    size_t len = strlen(t->peer) + 1, count = 0;
    struct xf_ended *e, **at;

    if (!t->key[0] || !(e = xf_sys_alloc(sizeof *e + len)))
        return;
    e->how = how;
    e->receipt = receipt;
    memcpy(e->key, t->key, sizeof e->key);
    memcpy(e->peer, t->peer, len);
    e->next = s->ended;
    s->ended = e;
    for (at = &s->ended; *at && count < ENDED_MAX; at = &(*at)->next)
        count++;
    if (*at) {
        xf_sys_free(*at);
        *at = NULL;
    }
}

void xf_ending_clear(struct xf_session *s)
{
    while (s->ended) {
        struct xf_ended *e = s->ended;

        s->ended = e->next;
        xf_sys_free(e);
    }
}
