/*
 * How long a connection lives: when its server is asked whether it is there,
 * when it is left, lost, tried again or given up. What passes over it is
 * connection.c's.
 */
#include "api/connection_inside.h"
#include "api/ending.h"
#include "api/settings.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/disco.h"
#include "wire/stream.h"

#define SILENCE_LEAST_MS 5000
#define PONG_LEAST_MS 10000
#define LEAVE_MS 5000 /* for the server's last acknowledgement */
#define STAY_MS 30000 /* for who has yet to ask whether all was delivered */

/* --- ends ------------------------------------------------------------------- */

/* For good: told once, from here only. */
static void give_up(struct xf_session *s, const struct xf_error_info *why)
{
    struct xf_connection *con = s->con;
    struct xf_error_info told = *why;

    /* Once we say good-bye it matters little how the server takes it. */
    if (con->leaving || con->staying)
        told = (struct xf_error_info){ 0 };
    xf_link_free(con->link);
    con->link = NULL;
    con->state = XF_CONNECTION_OVER;
    if (con->sm.state == XF_SM_AWAY)
        xf_sm_clear(&con->sm);
    xf_settings_wipe(&s->set.password);
    xf_session_offline(s, &told);
}

void xf_connection_forget_stream(struct xf_session *s)
{
    struct xf_connection *con = s->con;

    xf_sm_clear(&con->sm);
    xf_ending_lost(s);
    if (s->online)
        xf_session_away(s, &con->why);
    con->paused = false;
}

static void tell_lost(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    struct xf_event ev = { .type = XF_EVENT_LOST,
                           .code = con->why.code,
                           .text = con->why.text };

    con->held_at = xf_now(s);
    con->location_tried = false;
    (void)xf_events_add(s, &ev);
}

/* False: there is no time left for another try, or there never was any. */
static bool try_later(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    bool was_on = con->state == XF_CONNECTION_ON;
    uint32_t random = 0; /* none to be had is no reason not to try */

    if (was_on)
        xf_backoff_lost(&con->backoff, xf_now(s));
    (void)xf_sys_random(&random, sizeof random);
    if (!xf_backoff_next(&con->backoff, xf_now(s), random, &con->retry_at))
        return false;
    con->state = XF_CONNECTION_WAITING;
    if (was_on)
        tell_lost(s);
    if (!xf_sm_lost(&con->sm))
        xf_connection_forget_stream(s);
    xf_session_tick_soon(s);
    return true;
}

static void stay(struct xf_session *s)
{
    struct xf_connection *con = s->con;

    if (!con->staying)
        con->leave_by = xf_now(s) + STAY_MS;
    con->staying = true;
    con->leaving = false;
}

/* Lost while it was leaving, before it had said all. */
static bool cut_short(const struct xf_session *s)
{
    const struct xf_connection *con = s->con;

    return con->leaving && con->leave_by != INT64_MAX &&
           xf_ending_receipts(s) != XF_RECEIPT_HAD;
}

void xf_connection_over(struct xf_session *s, const struct xf_error_info *why,
                        bool lasting)
{
    struct xf_connection *con = s->con;

    if (con->state == XF_CONNECTION_OVER || con->state == XF_CONNECTION_WAITING)
        return;
    con->why = *why;
    con->prove_by = INT64_MAX;
    xf_link_free(con->link);
    con->link = NULL;
    /* A location that does not do says nothing of the server itself. */
    if (con->at_location)
        lasting = false;
    if (cut_short(s))
        stay(s);
    if (con->leaving || lasting || con->state == XF_CONNECTION_FIRST ||
        !try_later(s))
        give_up(s, &con->why);
}

void xf_connection_end(struct xf_session *s, int code, const char *text)
{
    struct xf_error_info why;

    xf_err_set(&why, code, "%s", text);
    xf_connection_over(s, &why, false);
}

void xf_connection_break(struct xf_session *s, int code, const char *text)
{
    xf_sm_clear(&s->con->sm);
    xf_connection_end(s, code, text);
}

/* --- time ------------------------------------------------------------------- */

/*
 * A connection that just vanished says nothing, and while a stream waits that
 * needs it, or would be followed by another, it is to be found out before its
 * stall: by a ping after a quarter of that and half of it for the answer.
 */
static int64_t patience(const struct xf_session *s, int64_t least,
                        int64_t of_stall, int64_t most)
{
    for (const struct xf_transfer *t = s->transfers; t; t = t->next)
        if (!t->over && (t->ibb || t->key[0]) && t->moved_at && of_stall < most)
            return of_stall > least ? of_stall : least;
    return most;
}

static int64_t silence_ms(const struct xf_session *s)
{
    return patience(s, SILENCE_LEAST_MS, s->set.stall_ms / 4, XF_SILENCE_MS);
}

static int64_t pong_ms(const struct xf_session *s)
{
    return patience(s, PONG_LEAST_MS, s->set.stall_ms / 2, XF_REPLY_MS);
}

static void ping(struct xf_session *s, int64_t patience_ms);

static void pong(void *ctx, const struct xf_stanza_head *reply,
                 const struct xf_stanza_error *error)
{
    struct xf_session *s = ctx;

    (void)reply;
    if (!error || error->condition != XF_COND_TIMEOUT || !s->online ||
        s->con->state != XF_CONNECTION_ON)
        return;
    /* One that limits our rate reads first what stands before the ping. What a
     * kernel on the way has taken looks the same, but not for long. */
    if (xf_link_unsent(s->con->link) < s->con->unsent)
        ping(s, pong_ms(s) / 4);
    else
        xf_connection_end(s, XF_E_STREAM,
                          "the server does not answer any more");
}

static void ping(struct xf_session *s, int64_t patience_ms)
{
    char id[XF_SID_MAX + 1];

    s->con->heard = xf_now(s);
    /* Not the ping itself: any kernel takes that. */
    s->con->unsent = xf_link_unsent(s->con->link);
    xf_ping_write(xf_stanza_begin(s, id), id, NULL, s->jid);
    (void)xf_stanza_request(s, id, NULL, xf_now(s) + patience_ms, false, pong,
                            s);
}

static void close_stream(struct xf_connection *con)
{
    struct xf_nonza_out n;

    xf_stream_write_close(xf_nonza_begin(&n));
    (void)xf_nonza_send(con, &n);
    xf_link_close(con->link);
    con->leave_by = INT64_MAX;
}

/*
 * With replies still unread the kernel would answer our close by a reset, and
 * a reset makes the server drop what it had not yet read of us.
 */
static void leave(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    struct xf_error_info fine = { 0 };
    char id[XF_SID_MAX + 1];

    con->leaving = true;
    con->staying = false;
    if (con->state != XF_CONNECTION_ON) {
        give_up(s, &fine);
        return;
    }
    con->leave_by = xf_now(s) + LEAVE_MS;
    xf_presence_write_unavailable(xf_stanza_begin(s, id));
    (void)xf_stanza_send(s, false);
    xf_sm_flush(&con->sm);
    if (xf_sm_ask(&con->sm))
        (void)xf_connection_ask_ack(con);
}

/* What was said before the connection was lost may yet be said again by it. */
static bool owes(const struct xf_session *s)
{
    enum xf_receipt receipt = xf_ending_receipts(s);

    return receipt == XF_RECEIPT_OWED ||
           (receipt == XF_RECEIPT_SAID && s->con->state != XF_CONNECTION_ON);
}

void xf_connection_leave(struct xf_session *s)
{
    struct xf_connection *con = s->con;

    if (con->state == XF_CONNECTION_OVER || con->leaving || con->staying)
        return;
    if (con->state != XF_CONNECTION_FIRST && owes(s))
        stay(s);
    else
        leave(s);
}

bool xf_connection_is_leaving(const struct xf_session *s)
{
    return s->con && (s->con->leaving || s->con->staying);
}

/* --- away ------------------------------------------------------------------- */

bool xf_connection_is_away(const struct xf_session *s)
{
    return s->con && s->con->sm.state == XF_SM_AWAY;
}

int64_t xf_connection_held_ms(struct xf_session *s)
{
    int64_t now = xf_now(s), since;

    if (!s->online || !s->con || s->con->state == XF_CONNECTION_ON)
        return 0;
    since = s->con->held_at;
    s->con->held_at = now;
    return now - since;
}

void xf_connection_flush(struct xf_session *s)
{
    if (s->con && s->con->link)
        xf_link_flush(s->con->link);
}

size_t xf_connection_queued(const struct xf_session *s)
{
    const struct xf_connection *con = s->con;

    if (xf_connection_is_away(s))
        return con->sm.unacked_bytes;
    return con->link ? xf_link_queued(con->link) : 0;
}

void xf_connection_pause_reading(struct xf_session *s, bool pause)
{
    struct xf_connection *con = s->con;

    con->paused = pause;
    if (con->state == XF_CONNECTION_ON)
        xf_link_pause_reading(con->link, pause);
}

bool xf_connection_is_loopback(const struct xf_session *s)
{
    const struct xf_connection *con = s->con;

    return con->state == XF_CONNECTION_FIRST
               ? con->link && xf_link_is_loopback(con->link)
               : con->loopback;
}

/* When the server has forgotten the stream, by its own word. */
static int64_t resume_by(const struct xf_session *s)
{
    const struct xf_connection *con = s->con;
    uint64_t max_s = con->sm.max_s;

    if (!xf_connection_is_away(s) || max_s == 0 || max_s > INT32_MAX)
        return INT64_MAX;
    if (con->state == XF_CONNECTION_TRYING &&
        xf_login_state(con->login) == XF_LOGIN_RESUMING)
        return INT64_MAX; /* it has the question, and the last word */
    return con->backoff.lost_at + (int64_t)max_s * 1000;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* --- tries ------------------------------------------------------------------ */

/* The name is that of the account or, later, the whole one that we had. */
static int begin(struct xf_session *s, const char *server)
{
    struct xf_connection *con = s->con;
    char domain[XF_JID_PART_MAX + 1];
    struct xf_link_config config = { .domain = domain,
                                     .server = server,
                                     .ca_file = s->set.ca_file,
                                     .plain = s->set.plain };
    int err;

    con->new_stream = true;
    con->heard = con->begun = xf_now(s);
    xf_jid_domain(s->set.account, domain);
    xf_login_free(con->login);
    con->login = NULL;
    err = xf_login_new(&con->login, s->jid, s->set.password, s->set.plain);
    if (err == 0)
        err = xf_link_new(s->loop, s->names, &config,
                          &xf_connection_link_events, s, &con->link);
    return err;
}

static void try_again(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    int err;

    con->state = XF_CONNECTION_TRYING;
    con->at_location = con->sm.location && !con->location_tried;
    con->location_tried = true;
    xf_names_refresh(s->names);
    err = begin(s, con->at_location ? con->sm.location : s->set.server);
    if (err != 0)
        xf_connection_end(s, err, xf_err_text(err));
}

/* --- the clock -------------------------------------------------------------- */

static int64_t state_deadline(const struct xf_session *s)
{
    const struct xf_connection *con = s->con;
    int64_t end;

    if (con->leaving && con->leave_by != INT64_MAX)
        return xf_sm_all_acked(&con->sm) ? 0 : con->leave_by;
    if (con->leaving)
        return INT64_MAX; /* the link closes, in its own time */
    end = sooner(xf_backoff_end(&con->backoff), resume_by(s));
    switch (con->state) {
    case XF_CONNECTION_FIRST:
        return con->begun + XF_LOGIN_TIMEOUT_MS;
    case XF_CONNECTION_ON:
        return sooner(con->heard + silence_ms(s), con->prove_by);
    case XF_CONNECTION_WAITING:
        return sooner(end, con->retry_at);
    case XF_CONNECTION_TRYING:
        return sooner(end, con->begun + XF_LOGIN_TIMEOUT_MS);
    case XF_CONNECTION_OVER:
        break;
    }
    return INT64_MAX;
}

int64_t xf_connection_deadline(const struct xf_session *s)
{
    const struct xf_connection *con = s->con;
    int64_t due;

    if (!con || con->state == XF_CONNECTION_OVER)
        return INT64_MAX;
    if (con->staying && !owes(s))
        return 0;
    due = state_deadline(s);
    return con->staying ? sooner(due, con->leave_by) : due;
}

/* Lost, and something of that is due. */
static void tick_lost(struct xf_session *s)
{
    struct xf_login_input silence = { .kind = XF_LOGIN_SILENCE };
    struct xf_connection *con = s->con;
    int64_t now = xf_now(s);

    if (now >= resume_by(s))
        xf_connection_forget_stream(s);
    if (now >= xf_backoff_end(&con->backoff))
        give_up(s, &con->why);
    else if (con->state == XF_CONNECTION_WAITING && now >= con->retry_at)
        try_again(s);
    else if (con->state == XF_CONNECTION_TRYING &&
             now >= con->begun + XF_LOGIN_TIMEOUT_MS)
        xf_login_feed(s, &silence);
}

void xf_connection_tick(struct xf_session *s)
{
    struct xf_login_input silence = { .kind = XF_LOGIN_SILENCE };
    struct xf_connection *con = s->con;

    if (!con || xf_now(s) < xf_connection_deadline(s))
        return;
    if (con->leaving)
        close_stream(con);
    else if (con->staying && (!owes(s) || xf_now(s) >= con->leave_by))
        leave(s);
    else if (con->state == XF_CONNECTION_ON && xf_now(s) >= con->prove_by)
        xf_connection_break(s, XF_E_STREAM,
                            "the server resumed the stream and does not read "
                            "it");
    else if (con->state == XF_CONNECTION_ON)
        ping(s, pong_ms(s));
    else if (con->state == XF_CONNECTION_FIRST)
        xf_login_feed(s, &silence);
    else
        tick_lost(s);
}

/* --- beginning and end ------------------------------------------------------ */

int xf_connection_new(struct xf_session *s)
{
    struct xf_connection *con = xf_sys_alloc(sizeof *con);

    if (!con)
        return XF_E_LIMIT;
    s->con = con;
    con->prove_by = INT64_MAX;
    xf_sm_init(&con->sm);
    xf_backoff_init(&con->backoff, s->set.retry_ms);
    return begin(s, s->set.server);
}

void xf_connection_free(struct xf_session *s)
{
    struct xf_connection *con = s->con;

    if (!con)
        return;
    xf_link_free(con->link);
    xf_login_free(con->login);
    xf_xml_reader_free(con->reader);
    xf_sm_clear(&con->sm);
    xf_sys_free(con);
    s->con = NULL;
}
