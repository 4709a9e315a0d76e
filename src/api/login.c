/* Logging in: what proto/login decides, carried out on the connection. */
#include <string.h>

#include "api/connection_inside.h"
#include "api/resolve.h"
#include "api/route.h"
#include "api/stanzas.h"
#include "proto/disco.h"
#include "wire/disco.h"
#include "wire/sm.h"
#include "wire/stream.h"

static int open_stream(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    char domain[XF_JID_PART_MAX + 1], bare[XF_JID_MAX + 1];
    struct xf_nonza_out n;

    con->new_stream = true;
    xf_jid_domain(s->set.account, domain);
    xf_jid_bare(s->set.account, bare);
    xf_stream_write_header(xf_nonza_begin(&n), domain,
                           xf_link_is_tls(con->link) ? bare : NULL);
    return xf_nonza_send(con, &n);
}

static int send_bind(struct xf_session *s, const char *resource)
{
    struct xf_nonza_out n;
    char id[XF_SID_MAX + 1];

    if (!xf_session_id(s, id))
        return XF_E_LIMIT;
    /* It is not counted, and its reply is told apart by the login's state. */
    xf_bind_write(xf_nonza_begin(&n), id, resource);
    return xf_nonza_send(s->con, &n);
}

/* --- online ---------------------------------------------------------------- */

static void roster_came(void *ctx, const struct xf_stanza_head *reply,
                        const struct xf_stanza_error *error)
{
    struct xf_session *s = ctx;
    const struct xf_el *el = NULL;
    struct xf_roster_item item;

    if (!s->online)
        return;
    while (reply && (el = xf_roster_read(reply->el, el, &item)) != NULL)
        xf_route_roster(s, &item);
    /* Without it nobody is known to be a stranger: presence decides. */
    if (!error)
        xf_contacts_roster_read(s->contacts);
    s->roster_known = true;
    xf_resolve_all(s);
}

static void on_again(struct xf_connection *con, int64_t now)
{
    con->state = XF_CONNECTION_ON;
    con->at_location = false;
    con->loopback = xf_link_is_loopback(con->link);
    xf_backoff_online(&con->backoff, now);
}

/*
 * The stream goes on: what the server has not seen of it is sent again. In
 * front stands a question: Prosody up to 0.12 gives what comes now to the
 * parser of the old connection, and when that was cut within a stanza, all of
 * it becomes part of that stanza, which never ends. So it has to show that it
 * hears us.
 */
static int go_on(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    const struct xf_sm_stanza *one;
    int err;

    (void)xf_sm_ask(&con->sm); /* it counts as the one that is due */
    con->prove_by = xf_now(s) + XF_PROOF_MS;
    err = xf_connection_ask_ack(con);
    for (uint32_t i = 0;
         err == 0 && (one = xf_sm_unacked_at(&con->sm, i)) != NULL; i++)
        err = xf_link_send(con->link, one->text, one->bytes);
    if (err != 0)
        return err;
    xf_session_resumed(s); /* its clocks stood still until now */
    on_again(con, xf_now(s));
    xf_link_pause_reading(con->link, con->paused);
    return 0;
}

/* Presence last: what comes back of it should find the roster asked for. */
static void go_online(struct xf_session *s, const char *jid)
{
    struct xf_connection *con = s->con;
    uint64_t limit = xf_login_stanza_limit(con->login);
    char id[XF_SID_MAX + 1], ver[XF_CAPS_VER_LEN + 1];
    int err;

    s->stanza_limit = limit < SIZE_MAX ? (size_t)limit : 0;
    on_again(con, xf_now(s));
    xf_session_online(s, jid);
    xf_roster_write_get(xf_stanza_begin(s, id), id);
    err = xf_stanza_request(s, id, NULL, xf_now(s) + XF_REPLY_MS, false,
                            roster_came, s);
    if (err == 0 && xf_caps_own(!s->set.send_only, ver)) {
        xf_presence_write(xf_stanza_begin(s, id), s->set.priority, XF_CAPS_NODE,
                          ver);
        err = xf_stanza_send(s, false);
    }
    if (err != 0)
        xf_connection_end(s, err, xf_err_text(err));
}

/* --- login ----------------------------------------------------------------- */

static int carry_out(struct xf_session *s, const struct xf_login_todo *todo)
{
    struct xf_connection *con = s->con;
    struct xf_nonza_out n;

    switch (todo->what) {
    case XF_LOGIN_NOTHING:
        return 0;
    case XF_LOGIN_OPEN_STREAM:
        return open_stream(s);
    case XF_LOGIN_SEND_STARTTLS:
        xf_stream_write_starttls(xf_nonza_begin(&n));
        return xf_nonza_send(con, &n);
    case XF_LOGIN_START_TLS:
        return xf_link_start_tls(con->link);
    case XF_LOGIN_SEND_AUTH:
        xf_sasl_write_auth(xf_nonza_begin(&n), todo->mechanism, todo->data,
                           todo->len);
        return xf_nonza_send(con, &n);
    case XF_LOGIN_SEND_RESPONSE:
        xf_sasl_write_response(xf_nonza_begin(&n), todo->data, todo->len);
        return xf_nonza_send(con, &n);
    case XF_LOGIN_SEND_BIND:
        xf_connection_forget_stream(s);
        return send_bind(s, todo->resource);
    case XF_LOGIN_SEND_RESUME:
        xf_sm_write_resume(xf_nonza_begin(&n), con->sm.id,
                           xf_sm_handled(&con->sm));
        return xf_nonza_send(con, &n);
    case XF_LOGIN_SEND_ENABLE:
        xf_sm_enable(&con->sm);
        xf_sm_write_enable(xf_nonza_begin(&n), s->set.retry_ms != 0);
        return xf_nonza_send(con, &n);
    case XF_LOGIN_GO_ONLINE:
        go_online(s, todo->jid);
        return 0;
    case XF_LOGIN_GO_ON:
        return go_on(s);
    case XF_LOGIN_FAIL:
        xf_connection_over(s, todo->error, todo->lasting);
        return 0;
    }
    return 0;
}

void xf_login_feed(struct xf_session *s, const struct xf_login_input *in)
{
    struct xf_login_todo todo = xf_login_step(s->con->login, in);
    int err = carry_out(s, &todo);

    s->con->heard = xf_now(s);
    if (err != 0)
        xf_connection_end(s, err, xf_err_text(err));
}

void xf_login_take_binding(const struct xf_link *link,
                           struct xf_login_binding *out)
{
    *out = (struct xf_login_binding){ 0 };
    out->tls13 = strcmp(xf_link_tls_version(link), "TLSv1.3") == 0;
    out->unique_len = xf_link_binding(link, XF_TLS_UNIQUE, out->unique);
    out->exporter_len = xf_link_binding(link, XF_TLS_EXPORTER, out->exporter);
}

static void read_bind(const struct xf_el *el, struct xf_login_input *in,
                      struct xf_stanza_error *error)
{
    const char *type = xf_el_attr(el, "type");

    if (type && strcmp(type, "result") == 0) {
        in->kind = XF_LOGIN_BOUND;
        in->jid = xf_bind_read(el);
        return;
    }
    xf_stanza_read_error(el, error);
    in->kind = XF_LOGIN_BIND_FAILED;
    in->condition = xf_condition_name(error->condition);
}

/* What stands between the stanzas while the stream is set up. */
void xf_login_read(struct xf_session *s, const struct xf_el *el, bool left_over)
{
    struct xf_login_input in = { .kind = XF_LOGIN_KINDS };
    struct xf_features features;
    struct xf_stream_failure failure;
    struct xf_stanza_error error;
    char data[4096];
    ssize_t len;

    switch (xf_nonza_of(el)) {
    case XF_NONZA_FEATURES:
        if (!xf_stream_read_features(el, &features))
            break;
        in.kind = XF_LOGIN_GOT_FEATURES;
        in.features = &features;
        in.resume = s->con->sm.state == XF_SM_AWAY;
        break;
    case XF_NONZA_ERROR:
        xf_stream_read_failure(el, &failure);
        in.kind = XF_LOGIN_STREAM_ERROR;
        in.condition = failure.condition;
        break;
    case XF_NONZA_PROCEED:
        in.kind = XF_LOGIN_GOT_PROCEED;
        in.left_over = left_over;
        break;
    case XF_NONZA_TLS_FAILURE:
        in.kind = XF_LOGIN_TLS_REFUSED;
        break;
    case XF_NONZA_CHALLENGE:
    case XF_NONZA_SUCCESS:
        in.kind = xf_nonza_of(el) == XF_NONZA_SUCCESS ? XF_LOGIN_SUCCESS
                                                      : XF_LOGIN_CHALLENGE;
        len = xf_sasl_read_data(el, data, sizeof data);
        if (len < 0) {
            xf_connection_end(s, XF_E_AUTH,
                              "the server's login message cannot be read");
            return;
        }
        in.data = data;
        in.len = (size_t)len;
        break;
    case XF_NONZA_SASL_FAILURE:
        xf_stream_read_failure(el, &failure);
        in.kind = XF_LOGIN_FAILURE;
        in.condition = failure.condition;
        break;
    case XF_NONZA_NONE:
        if (xf_login_state(s->con->login) == XF_LOGIN_BINDING &&
            xf_el_is(el, "iq", "jabber:client"))
            read_bind(el, &in, &error);
        break;
    }
    if (in.kind != XF_LOGIN_KINDS)
        xf_login_feed(s, &in);
}
