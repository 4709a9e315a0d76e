/* A proxy, tried; its picture is in the header. */
#include "api/proxy_check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/dialler.h"
#include "api/stanzas.h"
#include "base/digest.h"
#include "base/sys.h"
#include "stream/tcp.h"
#include "wire/s5b.h"

#define WORD 16 /* bytes */

enum state { FIRST, SECOND, JOINING, THERE, BACK, OVER };

/* The target's connection comes first, as it does in a transfer: Openfire's
 * proxy takes the first for the receiver's and may relay to it only. */
enum { TARGET, INITIATOR, ENDS };

struct xf_proxy_check {
    struct xf_session *s;
    char *jid, *host;
    uint16_t port;
    char sid[XF_SID_MAX + 1], dstaddr[XF_DSTADDR_LEN + 1];
    enum state state;
    struct xf_dialler *dialler;
    int fds[ENDS];
    struct xf_watch *watches[ENDS];
    uint8_t word[WORD], got[WORD];
    size_t got_len;
    int64_t since, sent_at;
    char why[XF_TEXT_MAX]; /* the last dialling failed */
    struct xf_proxy_checked found;
    xf_proxy_check_fn *fn;
    void *ctx;
};

void xf_proxy_check_free(struct xf_proxy_check *c)
{
    if (!c)
        return;
    xf_requests_drop(c->s, c);
    xf_dialler_free(c->dialler);
    for (int i = 0; i < ENDS; i++) {
        xf_watch_free(c->watches[i]);
        if (c->fds[i] >= 0)
            xf_sys_close(c->fds[i]);
    }
    xf_sys_free(c->jid);
    xf_sys_free(c->host);
    xf_sys_free(c);
}

/* Nothing of `c` may be touched behind this. */
static void over(struct xf_proxy_check *c, const char *text)
{
    if (c->state == OVER)
        return;
    c->state = OVER;
    c->found.text = text;
    xf_session_tick_soon(c->s);
    c->fn(c->ctx, &c->found);
}

static void not_relayed(struct xf_proxy_check *c, const char *text)
{
    c->found.relays = XF_NO;
    over(c, text);
}

/* --- the word ------------------------------------------------------------------ */

static bool send_word(struct xf_proxy_check *c, int end)
{
    c->got_len = 0;
    return xf_sys_send(c->fds[end], c->word, WORD) == WORD;
}

static void word_came(struct xf_proxy_check *c)
{
    if (memcmp(c->got, c->word, WORD) != 0) {
        not_relayed(c, "gives out other bytes than it took");
        return;
    }
    if (c->state == BACK) {
        c->found.relay_ms = xf_now(c->s) - c->sent_at;
        over(c, NULL);
        return;
    }
    /* A file has arrived by now; the way back is used by its close only. */
    c->found.relays = XF_YES;
    c->state = BACK;
    if (!send_word(c, TARGET))
        over(c, "relays one way only");
}

static void receive(struct xf_proxy_check *c, int end)
{
    ssize_t n =
        xf_sys_recv(c->fds[end], c->got + c->got_len, WORD - c->got_len, 0);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return;
    if (n <= 0 && c->state == BACK) {
        over(c, "relays one way only");
    } else if (n <= 0) {
        not_relayed(c, "closed the connection instead of relaying");
    } else {
        c->got_len += (size_t)n;
        if (c->got_len == WORD)
            word_came(c);
    }
}

static void target_ready(void *ctx, int events)
{
    struct xf_proxy_check *c = ctx;

    (void)events;
    if (c->state == THERE)
        receive(c, TARGET);
    else
        xf_watch_set(c->watches[TARGET], 0);
}

static void initiator_ready(void *ctx, int events)
{
    struct xf_proxy_check *c = ctx;

    (void)events;
    if (c->state == BACK)
        receive(c, INITIATOR);
    else
        xf_watch_set(c->watches[INITIATOR], 0);
}

static bool watch(struct xf_proxy_check *c)
{
    static xf_watch_fn *const fns[] = { target_ready, initiator_ready };

    for (int i = 0; i < ENDS; i++) {
        if (xf_watch_new(c->s->loop, c->fds[i], fns[i], c, &c->watches[i]) != 0)
            return false;
        xf_watch_set(c->watches[i], XF_WATCH_READ);
    }
    return true;
}

/* --- joining the two ------------------------------------------------------------ */

static void joined(void *ctx, const struct xf_stanza_head *reply,
                   const struct xf_stanza_error *error)
{
    struct xf_proxy_check *c = ctx;
    struct xf_error_info why;

    (void)reply;
    if (error) {
        xf_err_set(&why, XF_E_PROXY, "refused to activate the stream: %s",
                   xf_condition_name(error->condition));
        not_relayed(c, why.text);
        return;
    }
    c->state = THERE;
    c->sent_at = xf_now(c->s);
    if (!send_word(c, INITIATOR) || !watch(c))
        not_relayed(c, "lost a connection");
}

static void join(struct xf_proxy_check *c)
{
    struct xf_session *s = c->s;
    char id[XF_SID_MAX + 1];

    c->state = JOINING;
    xf_s5b_write_activate(xf_stanza_begin(s, id), id, c->jid, s->jid, c->sid,
                          s->jid);
    if (xf_stanza_request(s, id, c->jid, INT64_MAX, true, joined, c) != 0)
        over(c, "could not be asked to activate");
}

/* --- connecting ------------------------------------------------------------------ */

static void dial(struct xf_proxy_check *c);

static void tried(void *ctx, size_t index, int64_t ms, const char *why)
{
    struct xf_proxy_check *c = ctx;

    (void)ms;
    if (!why)
        return;
    snprintf(c->why, sizeof c->why, "%s", why);
    if (xf_dialler_reply(c->dialler, index) == XF_SOCKS5_NOT_ALLOWED &&
        c->state == FIRST)
        c->found.answers = true;
}

/*
 * Openfire's proxy lets in only those streams whose offer it has seen. Which
 * is why it serves Stream Initiation, and why nobody can try it without.
 */
static void not_reached(struct xf_proxy_check *c)
{
    if (c->state == FIRST && c->found.answers)
        over(c, "lets in only a stream whose offer it saw: not to be tried");
    else if (c->state == FIRST)
        not_relayed(c, c->why[0] ? c->why : "was not reached");
    else
        not_relayed(c, "refused the second connection of a stream");
}

static void dialled(void *ctx, int fd, size_t index)
{
    struct xf_proxy_check *c = ctx;

    (void)index;
    xf_dialler_free(c->dialler);
    c->dialler = NULL;
    if (fd < 0) {
        not_reached(c);
        return;
    }
    if (c->state == FIRST) {
        c->found.answers = true;
        c->found.answer_ms = xf_now(c->s) - c->since;
        c->fds[TARGET] = fd;
        c->state = SECOND;
        dial(c);
        return;
    }
    c->fds[INITIATOR] = fd;
    join(c);
}

static const struct xf_dialler_events dial_events = { tried, dialled };

static void dial(struct xf_proxy_check *c)
{
    static const struct xf_dial_plan plan = { .stagger_ms = -1,
                                              .each_ms = XF_PROXY_CHECK_EACH_MS,
                                              .total_ms =
                                                  XF_PROXY_CHECK_EACH_MS };
    const struct xf_streamhost host = { c->jid, c->host, c->port };

    if (xf_dialler_new(&c->dialler, c->s, &host, 1, &plan, c->dstaddr,
                       &dial_events, c) != 0)
        over(c, xf_err_text(XF_E_LIMIT));
    else
        xf_session_tick_soon(c->s);
}

/* --- life --------------------------------------------------------------------------- */

int xf_proxy_check_new(struct xf_proxy_check **out, struct xf_session *s,
                       const struct xf_streamhost *host, xf_proxy_check_fn *fn,
                       void *ctx)
{
    struct xf_proxy_check *c = xf_sys_alloc(sizeof *c);

    if (!c)
        return XF_E_LIMIT;
    c->s = s;
    c->fds[TARGET] = c->fds[INITIATOR] = -1;
    c->since = xf_now(s);
    c->fn = fn;
    c->ctx = ctx;
    c->jid = xf_sys_strdup(host->jid);
    c->host = xf_sys_strdup(host->host);
    c->port = host->port;
    if (!c->jid || !c->host || !xf_session_id(s, c->sid) ||
        xf_sys_random(c->word, sizeof c->word) != 0 ||
        !xf_dstaddr(c->sid, s->jid, s->jid, c->dstaddr)) {
        xf_proxy_check_free(c);
        return XF_E_LIMIT;
    }
    *out = c;
    dial(c);
    return 0;
}

int64_t xf_proxy_check_deadline(const struct xf_proxy_check *c)
{
    int64_t end, dialling;

    if (!c || c->state == OVER)
        return INT64_MAX;
    end = c->since + XF_PROXY_CHECK_MS;
    dialling = xf_dialler_deadline(c->dialler);
    return dialling < end ? dialling : end;
}

void xf_proxy_check_tick(struct xf_proxy_check *c)
{
    if (!c || c->state == OVER)
        return;
    if (xf_now(c->s) < c->since + XF_PROXY_CHECK_MS)
        xf_dialler_tick(c->dialler);
    else if (c->state == BACK)
        over(c, "relays one way only");
    else if (c->state == JOINING)
        not_relayed(c, "does not answer the activation");
    else if (c->state == THERE)
        not_relayed(c, "takes bytes and gives none out");
    else
        not_relayed(c, "timed out");
}
