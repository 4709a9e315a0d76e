/*
 * What both directions of a transfer share: its life, its end, its clock. How
 * it goes is decided in sending.c and receiving.c.
 */
#include <string.h>

#include "api/bytestream.h"
#include "api/ending.h"
#include "api/inband.h"
#include "api/mover.h"
#include "api/resolve.h"
#include "api/session.h"
#include "api/stanzas.h"
#include "api/sum.h"
#include "base/sys.h"

struct xf_transfer *xf_transfer_new(struct xf_session *s,
                                    const struct xf_role *role, bool outgoing)
{
    struct xf_transfer *t = xf_sys_alloc(sizeof *t), **last;

    if (!t)
        return NULL;
    t->s = s;
    t->role = role;
    t->id = ++s->last_id;
    t->outgoing = outgoing;
    t->size = XF_SIZE_UNKNOWN;
    t->most = UINT64_MAX;
    t->end_by = INT64_MAX;
    xf_evidence_init(&t->evidence);
    if (s->set.dialect)
        xf_evidence_force(&t->evidence, s->set.dialect);
    t->profile = t->evidence.profile;
    t->next_look = INT64_MAX;
    t->offered_at = outgoing ? 0 : xf_now(s);
    xf_sending_init(&t->sending);
    xf_receiving_init(&t->receiving, xf_now(s));
    if (outgoing)
        t->receiving.deadline = INT64_MAX;
    /* In the order they were made: that is how they are offered. */
    for (last = &s->transfers; *last; last = &(*last)->next)
        ;
    *last = t;
    return t;
}

void xf_transfer_drop_next(struct xf_transfer *t)
{
    if (t->next_stream.up)
        xf_sys_close(t->next_stream.fd);
    t->next_stream.up = false;
    xf_sys_free(t->next_stream.host);
    t->next_stream.host = NULL;
}

void xf_transfer_drop_streams(struct xf_transfer *t)
{
    xf_transfer_drop_next(t);
    xf_bytestream_free(t->s5b);
    t->s5b = NULL;
    xf_inband_free(t->ibb);
    t->ibb = NULL;
    xf_mover_free(t->mover);
    t->mover = NULL;
    t->moved_at = 0;
}

/* Everything but what the last event still shows. */
static void let_go(struct xf_transfer *t)
{
    xf_transfer_drop_streams(t);
    xf_requests_drop(t->s, t);
    xf_asked_clear(&t->offer);
    xf_asked_clear(&t->query);
    xf_asked_clear(&t->end);
    xf_ending_forget(t);
    xf_sum_free(t);
    xf_source_digest_free(t->digest);
    t->digest = NULL;
    xf_intake_free(t->intake);
    t->intake = NULL;
    xf_source_close(t->source);
    t->source = NULL;
    t->next_look = INT64_MAX;
}

void xf_transfer_free(struct xf_transfer *t)
{
    struct xf_transfer **at;

    if (!t)
        return;
    let_go(t);
    xf_events_forget(t);
    for (at = &t->s->transfers; *at; at = &(*at)->next) {
        if (*at == t) {
            *at = t->next;
            break;
        }
    }
    xf_sys_free(t->sid);
    xf_sys_free(t->name);
    xf_sys_free(t->desc);
    xf_sys_free(t->path);
    xf_sys_free(t->hash);
    xf_sys_free(t->version);
    xf_sys_free(t->trusted);
    xf_sys_free(t->host);
    xf_sys_free(t);
}

void xf_transfer_end(struct xf_transfer *t, int code, const char *text)
{
    struct xf_event ev = { .type = code ? XF_EVENT_FAILED : XF_EVENT_DONE,
                           .code = code,
                           .confirmed = t->confirmed };
    struct xf_intake *intake;

    if (t->over)
        return;
    t->over = true;
    if (code) {
        xf_err_set(&t->why, code, "%s", text ? text : xf_err_text(code));
        ev.text = t->why.text;
        ev.verified = code == XF_E_HASH ? XF_MISMATCH : XF_NOT_VERIFIED;
    } else {
        ev.path = t->outgoing ? NULL : t->path;
        ev.desc = t->desc;
        ev.verified = (t->intake && xf_intake_verified(t->intake)) ||
                              (t->confirmed && t->sum_equal)
                          ? XF_VERIFIED
                          : XF_NOT_VERIFIED;
    }
    /* The journal goes with the intake, and not before the embedder was told
     * what it has: a kill in between leaves one or the other word of it. */
    intake = t->intake;
    if (!code)
        t->intake = NULL;
    let_go(t);
    t->intake = code ? NULL : intake;
    if (t->unanswered)
        xf_resolve_next(t->s);
    xf_events_last(t, &ev);
}

static void set_way(struct xf_transfer *t, enum xf_via via, const char *host,
                    uint16_t port)
{
    xf_sys_free(t->host);
    t->host = host ? xf_sys_strdup(host) : NULL;
    t->port = port;
    t->via = via;
    t->open_since = xf_now(t->s);
}

static void keep_way(struct xf_transfer *t, enum xf_via via, const char *host,
                     uint16_t port)
{
    xf_sys_free(t->next_stream.host);
    t->next_stream.host = host ? xf_sys_strdup(host) : NULL;
    t->next_stream.port = port;
    t->next_stream.via = via;
}

void xf_transfer_keep_way(struct xf_transfer *t)
{
    keep_way(t, t->via, t->host, t->port);
}

int xf_transfer_take_over(struct xf_transfer *t)
{
    int fd = t->next_stream.fd;

    t->next_stream.up = false;
    xf_inband_free(t->ibb);
    t->ibb = NULL;
    xf_transfer_opened(t, t->next_stream.via, t->next_stream.host,
                       t->next_stream.port);
    xf_transfer_drop_next(t);
    return fd;
}

void xf_transfer_opened(struct xf_transfer *t, enum xf_via via,
                        const char *host, uint16_t port)
{
    if (t->ibb && via != XF_VIA_IBB) {
        keep_way(t, via, host, port);
        return;
    }
    set_way(t, via, host, port);
    if (host)
        xf_events_attempt(t, via, XF_ATTEMPT_OPEN, host, port, 0, 0, NULL);
}

void xf_transfer_broke(struct xf_transfer *t, int code, const char *text)
{
    xf_events_attempt(t, t->via, XF_ATTEMPT_FAILED, t->host, t->port,
                      xf_now(t->s) - t->open_since, code, text);
}

void xf_transfer_moved(struct xf_transfer *t, uint64_t n)
{
    if (n == t->done)
        return;
    t->done = n;
    t->moved_at = t->last_moved = xf_now(t->s);
    if (n > t->high)
        t->high = n;
    xf_sum_let(t);
    xf_events_progress(t);
}

struct xf_transfer *xf_transfer_find(struct xf_session *s, const char *peer,
                                     const char *sid, bool outgoing)
{
    for (struct xf_transfer *t = s->transfers; t; t = t->next)
        if (!t->over && t->outgoing == outgoing && t->sid &&
            strcmp(t->sid, sid) == 0 && strcmp(t->peer, peer) == 0)
            return t;
    return NULL;
}

static int64_t stall_at(const struct xf_transfer *t)
{
    return t->moved_at ? t->moved_at + t->s->set.stall_ms : INT64_MAX;
}

/*
 * A connection may hang without an end: bytes that one of ours can have
 * another way do not wait for it as long as for the last.
 */
static int64_t hung_at(const struct xf_transfer *t)
{
    return t->outgoing && t->key[0] && t->mover && t->moved_at
               ? t->moved_at + t->s->set.stall_ms / 3
               : INT64_MAX;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t xf_transfer_deadline(const struct xf_transfer *t)
{
    int64_t when = INT64_MAX;

    if (t->over)
        return when;
    if (t->intake_news || t->sum_news)
        return 0;
    when = sooner(when, t->next_look);
    when = sooner(when, t->receiving.deadline);
    when = sooner(when, stall_at(t));
    when = sooner(when, hung_at(t));
    when = sooner(when, t->end_by);
    when = sooner(when, xf_bytestream_deadline(t->s5b));
    when = sooner(when, xf_inband_deadline(t->ibb));
    return sooner(when, xf_mover_deadline(t->mover));
}

void xf_transfer_stop(struct xf_transfer *t, int code, const char *text)
{
    if (!t->over)
        t->role->stop(t, code, text);
}

void xf_transfer_away(struct xf_transfer *t, const struct xf_error_info *why)
{
    if (t->over)
        return;
    if (why->code)
        t->role->away(t, true, why->code, why->text);
    else
        xf_transfer_stop(t, XF_E_CANCELLED, NULL);
}

void xf_transfer_back(struct xf_transfer *t)
{
    if (!t->over)
        t->role->back(t);
}

void xf_transfer_hold(struct xf_transfer *t, int64_t ms)
{
    if (t->over)
        return;
    if (t->receiving.deadline < INT64_MAX - ms)
        t->receiving.deadline += ms;
    if (t->ibb && t->moved_at)
        t->moved_at += ms;
    if (t->ibb && t->end_by != INT64_MAX)
        t->end_by += ms;
}

void xf_transfer_go_on(struct xf_transfer *t)
{
    if (!t->over && t->ibb && t->moved_at)
        t->moved_at = xf_now(t->s);
}

/* By our own limit. */
static bool is_held(const struct xf_transfer *t)
{
    return xf_mover_is_held(t->mover) || xf_inband_is_held(t->ibb);
}

static void stalled(struct xf_transfer *t)
{
    struct xf_error_info why;

    if (is_held(t) || xf_inband_creeps(t->ibb) || xf_mover_creeps(t->mover)) {
        t->moved_at = xf_now(t->s);
        return;
    }
    xf_err_set(&why, XF_E_STALL, "no progress for %d s at byte %llu",
               t->s->set.stall_ms / 1000, (unsigned long long)t->done);
    /* Its sender may be cut off, and come back with the rest. */
    if (!t->outgoing && t->key[0] && !t->s->online)
        t->role->broken(t, why.code, why.text);
    else
        xf_transfer_stop(t, why.code, why.text);
}

static void hung(struct xf_transfer *t)
{
    struct xf_error_info why;

    if (is_held(t) || xf_mover_creeps(t->mover)) {
        t->moved_at = xf_now(t->s);
        return;
    }
    xf_err_set(&why, XF_E_STALL, "no progress for %d s at byte %llu",
               t->s->set.stall_ms / 3000, (unsigned long long)t->done);
    t->role->broken(t, why.code, why.text);
}

/* Each of these may end the transfer. */
void xf_transfer_tick(struct xf_transfer *t)
{
    if (!t->over)
        t->role->tick(t);
    if (!t->over && xf_now(t->s) >= stall_at(t))
        stalled(t);
    if (!t->over && xf_now(t->s) >= hung_at(t))
        hung(t);
    if (!t->over)
        xf_bytestream_tick(t->s5b);
    if (!t->over)
        xf_inband_tick(t->ibb);
    if (!t->over)
        xf_mover_tick(t->mover);
}

/* --- the face ---------------------------------------------------------------- */

void xf_transfer_cancel(struct xf_transfer *t)
{
    xf_transfer_stop(t, XF_E_CANCELLED, NULL);
    xf_session_tick(t->s);
}

uint64_t xf_transfer_id(const struct xf_transfer *t)
{
    return t->id;
}

void xf_transfer_set_data(struct xf_transfer *t, void *data)
{
    t->data = data;
}

void *xf_transfer_data(const struct xf_transfer *t)
{
    return t->data;
}
