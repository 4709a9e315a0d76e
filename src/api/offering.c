/* Offers of ours; see the header. */
#include "api/offering.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "api/inband.h"
#include "api/peer.h"
#include "api/rate.h"
#include "api/resolve.h"
#include "api/sending_inside.h"
#include "api/stanzas.h"
#include "api/sum.h"
#include "base/encode.h"
#include "base/name.h"
#include "base/sys.h"
#include "wire/si.h"

#define MEASURE_MS 5000 /* an offer waits no longer for the server's rate */
#define AGAIN_MS 10000  /* for an answer that nobody has to be asked for */

/* --- the answer --------------------------------------------------------------- */

static int check_answer(const struct xf_transfer *t,
                        const struct xf_offer_answer *answer)
{
    struct xf_offer offer = { .size = t->size,
                              .range = t->range,
                              .methods_count = t->offered.methods_count };

    memcpy(offer.methods, t->offered.methods, sizeof offer.methods);
    if (answer->range && answer->range_offset > t->most)
        return XF_E_PROTO;
    return xf_offer_answer_check(&offer, answer);
}

/* Both methods to a field that asks for one: a Smack before 4.4. */
static void answer_shown(struct xf_transfer *t,
                         const struct xf_offer_answer *answer)
{
    struct xf_fact fact = { .kind = XF_FACT_ANSWER, .look = XF_LOOK_TWO };

    if (answer->count < 2 || t->profile->list_multi)
        return;
    xf_peer_shown(t, &fact);
    xf_sending_rules(t);
}

/* Said once, when a file begins behind what an earlier transfer left. */
static void tell_resumed(struct xf_transfer *t, int code, const char *text)
{
    struct xf_event ev = {
        .type = XF_EVENT_RESUMED, .offset = t->done, .code = code, .text = text
    };

    xf_events_transfer(t, &ev);
}

/* Whether it is to this very program that this transfer brought its bytes. */
static bool is_trusted(const struct xf_transfer *t)
{
    return t->trusted && strcmp(t->trusted, t->peer) == 0;
}

/* Where it begins is settled: on to the stream. */
static void go(struct xf_transfer *t, uint64_t offset)
{
    struct xf_sending_input in = { .kind = XF_SENDING_ACCEPTED,
                                   .answer = &t->yes,
                                   .whole = t->key[0] && t->yes.range &&
                                            offset == t->size };
    struct xf_event ev = { .type = XF_EVENT_ACCEPTED };
    bool first = !t->accepted;
    int err = 0;

    t->most = UINT64_MAX;
    t->done = t->base = offset;
    t->high = offset > t->high ? offset : t->high;
    t->accepted = true;
    if (t->key[0] && !is_trusted(t)) {
        xf_sys_free(t->trusted);
        t->trusted = xf_sys_strdup(t->peer); /* none: it proves it again */
    }
    if (first && !t->sending.second)
        xf_events_transfer(t, &ev);
    if (first && offset > 0)
        tell_resumed(t, 0, NULL);
    if (t->key[0] && !t->no_sum)
        err = xf_sum_begin(t);
    if (err != 0)
        xf_sending_fail_with(t, err);
    else
        xf_sending_feed(t, &in);
}

static uint64_t offset_of(const struct xf_offer_answer *answer)
{
    return answer->range ? answer->range_offset : 0;
}

/* One of ours proves what it has; what this very transfer has brought there
 * needs no proof, and others have none. Who has the whole and no proof had it
 * delivered before this offer came, and was told its sum by this transfer. */
static void take_position(struct xf_transfer *t)
{
    uint64_t offset = offset_of(&t->yes);

    if (!t->key[0] || offset == 0 || (offset <= t->high && is_trusted(t)) ||
        (offset == t->size && !t->yes.has_prefix)) {
        go(t, offset);
        return;
    }
    t->checking = true;
    if (!t->yes.has_prefix)
        xf_offering_summed(t);
    else if (xf_sum_check(t, offset) != 0)
        xf_sending_fail_with(t, XF_E_LIMIT);
}

static int send_offer(struct xf_transfer *t,
                      const struct xf_sending_todo *todo);

/* What it has is of another file: less of it, or none, will do. */
static void offer_less(struct xf_transfer *t)
{
    struct xf_sending_todo todo = t->offered;
    int err;

    /* Once at what its journal vouches for; then from the beginning. */
    t->most = t->most == UINT64_MAX && t->yes.durable < offset_of(&t->yes)
                  ? t->yes.durable
                  : 0;
    if (t->most == 0)
        tell_resumed(t, XF_E_RESUME,
                     "what the contact has is not the beginning of this file; "
                     "starting at 0");
    xf_sum_free(t);
    err = send_offer(t, &todo);
    if (err != 0)
        xf_sending_fail_with(t, err);
}

void xf_offering_summed(struct xf_transfer *t)
{
    const uint8_t *sum = xf_sum_prefix(t);
    bool same =
        t->yes.has_prefix && sum &&
        memcmp(sum, t->yes.prefix, xf_digest_size(XF_DIGEST_SHA256)) == 0;

    if (!t->checking || (t->yes.has_prefix && !sum))
        return;
    t->checking = false;
    if (!same) {
        offer_less(t);
        return;
    }
    if (t->no_sum)
        xf_sum_free(t);
    go(t, offset_of(&t->yes));
}

static void refuse(struct xf_transfer *t, int code, const char *text)
{
    struct xf_sending_input in = { .kind = XF_SENDING_REFUSED,
                                   .waits = xf_now(t->s) < t->wait_until,
                                   .code = code,
                                   .text = text };

    xf_sending_feed(t, &in);
}

static void answered(void *ctx, const struct xf_stanza_head *reply,
                     const struct xf_stanza_error *error)
{
    struct xf_transfer *t = ctx;
    int code;

    t->unanswered = false;
    xf_resolve_next(t->s);
    if (error) {
        code = xf_offer_refusal_code(error);
        refuse(t, code, code == XF_E_DECLINED ? error->text : NULL);
        return;
    }
    assert(reply); /* there is one where there is no error */
    code = xf_si_read_answer(reply->el, &t->yes);
    if (code == 0)
        code = check_answer(t, &t->yes);
    if (code != 0) {
        refuse(t, code, "the contact's answer fits no method we offered");
        return;
    }
    answer_shown(t, &t->yes);
    take_position(t);
}

void xf_sending_refused(struct xf_transfer *t,
                        const struct xf_stanza_error *error)
{
    xf_requests_drop(t->s, t);
    answered(t, NULL, error);
}

/* --- the offer ---------------------------------------------------------------- */

/* A person's time for the first. One that goes on is answered at once, but for
 * the sum that may have to be had; its contact waits for it as long as a stall,
 * and one that was not heard is made again before. */
static int64_t answer_by(const struct xf_transfer *t)
{
    int64_t third = t->s->set.stall_ms / 3;

    if (!t->accepted || !t->key[0])
        return xf_now(t->s) + XF_ANSWER_MS;
    return xf_now(t->s) + (third < AGAIN_MS ? third : AGAIN_MS) +
           (int64_t)(t->high / XF_SUM_RATE);
}

static bool name_anew(struct xf_transfer *t)
{
    char sid[XF_SID_MAX + 1];

    if (!xf_session_id(t->s, sid))
        return false;
    xf_sys_free(t->sid);
    t->sid = xf_sys_strdup(sid);
    if (!t->profile->goes_on)
        t->key[0] = '\0';
    else if ((!t->key[0] && !xf_random_id(t->key)) ||
             (!t->s->run[0] && !xf_random_id(t->s->run)))
        return false;
    return t->sid != NULL;
}

static int send_offer(struct xf_transfer *t, const struct xf_sending_todo *todo)
{
    struct xf_session *s = t->s;
    struct xf_event ev = { .type = XF_EVENT_OFFERED };
    struct xf_offer offer = { .name = t->name,
                              .size = t->size,
                              .hash = t->hash,
                              .desc = t->desc,
                              .range = t->profile->range,
                              .list_multi = t->profile->list_multi,
                              .methods_count = todo->methods_count,
                              .most = t->most,
                              .sum = !t->no_sum };
    char id[XF_SID_MAX + 1], version[XF_SOURCE_VERSION];

    memcpy(offer.methods, todo->methods, sizeof offer.methods);
    if (!name_anew(t))
        return XF_E_LIMIT;
    offer.sid = t->sid;
    if (t->key[0]) {
        offer.key = t->key;
        offer.run = s->run;
        offer.version = version;
        xf_source_version(t->source, version);
    }
    t->range = offer.range;
    t->offered = *todo;
    t->unanswered = true;
    t->all_sent = t->renamed = false;
    t->high_then = t->high;
    t->base_then = t->base;
    if (!t->offered_at) {
        t->offered_at = xf_now(s);
        xf_events_transfer(t, &ev);
    }
    xf_si_write_offer(xf_stanza_begin(s, id), id, t->peer, s->jid, &offer);
    return xf_stanza_request(s, id, t->peer, answer_by(t), true, answered, t);
}

static void offer_late(struct xf_transfer *t)
{
    struct xf_sending_todo todo = t->offered;
    int err = send_offer(t, &todo);

    t->next_look = INT64_MAX;
    if (err != 0)
        xf_sending_fail_with(t, err);
}

/* Told at once it changes nothing: the offer is about to leave. */
static void rate_known(void *ctx, const struct xf_rate *rate)
{
    struct xf_transfer *t = ctx;

    (void)rate;
    if (t->next_look != INT64_MAX)
        offer_late(t);
}

/* Smack waits 5 s for the stream that it accepted, hardly more than it takes
 * to measure. With no choice left, that is done before. */
int xf_offering_make(struct xf_transfer *t, const struct xf_sending_todo *todo)
{
    bool only_ibb =
        todo->methods_count == 1 && todo->methods[0] == XF_METHOD_IBB;

    t->next_look = INT64_MAX;
    if (!only_ibb || !xf_inband_wants_rate(t) ||
        xf_rate_measure(t->s, rate_known, t) != 0 || !xf_rate_is_asked(t->s, t))
        return send_offer(t, todo);
    t->offered = *todo;
    t->unanswered = true;
    t->next_look = xf_now(t->s) + MEASURE_MS;
    return 0;
}

void xf_offering_overdue(struct xf_transfer *t)
{
    if (!xf_rate_is_asked(t->s, t))
        return;
    xf_rate_drop(t->s, t);
    offer_late(t);
}

/* --- the face ---------------------------------------------------------------- */

static int take_options(struct xf_transfer *t,
                        const struct xf_offer_options *options)
{
    const char *name =
        options && options->name ? options->name : xf_source_name(t->source);
    const char *hash = options && options->hash ? options->hash : "sha-256";

    if (!xf_digest_kind(hash, &t->hash_kind) || t->hash_kind == XF_DIGEST_SHA1)
        return XF_E_USAGE;
    t->no_sum = t->hash_kind == XF_DIGEST_NONE;
    if (t->hash_kind == XF_DIGEST_SHA256) /* nothing that an offer can tell */
        t->hash_kind = XF_DIGEST_NONE;
    /* Hidden names and device names are the receiver's to refuse. */
    if (!xf_xml_can_write(name) || strchr(name, '/') || !*name ||
        strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
        strlen(name) > XF_NAME_MAX)
        return XF_E_USAGE;
    t->name = xf_sys_strdup(name);
    if (options && options->desc) {
        if (!xf_xml_can_write(options->desc) ||
            strlen(options->desc) > XF_OFFER_DESC_MAX)
            return XF_E_USAGE;
        t->desc = xf_sys_strdup(options->desc);
        if (!t->desc)
            return XF_E_LIMIT;
    }
    if (options && options->wait_ms < 0)
        t->wait_until = INT64_MAX;
    else
        t->wait_until = xf_now(t->s) + (options ? options->wait_ms : 0);
    return t->name ? 0 : XF_E_LIMIT;
}

static int fill_in(struct xf_transfer *t, const char *to, const char *path,
                   const struct xf_offer_options *options)
{
    struct xf_error_info why;
    int err = xf_jid_prep(to, t->to);

    if (err == 0)
        err = xf_source_open(&t->source, path, &why);
    if (err == 0)
        err = take_options(t, options);
    if (err != 0)
        return err;
    t->size = xf_source_size(t->source);
    t->path = xf_sys_strdup(path);
    return t->path ? 0 : XF_E_LIMIT;
}

int xf_offer_file(struct xf_session *s, const char *to, const char *path,
                  const struct xf_offer_options *options,
                  struct xf_transfer **out)
{
    struct xf_transfer *t;
    int err;

    if (out)
        *out = NULL;
    if (xf_session_is_over(s))
        return XF_E_STREAM;
    t = xf_transfer_new(s, &xf_sending_role, true);
    if (!t)
        return XF_E_LIMIT;
    if ((err = fill_in(t, to, path, options)) != 0) {
        xf_transfer_free(t);
        return err;
    }
    if (out)
        *out = t;
    t->next_look = 0;
    xf_session_tick_soon(s);
    return 0;
}
