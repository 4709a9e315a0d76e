/* From bytes to stanzas and back; how the login goes is login.c's, how long it
 * lasts connection_life.c's. */
#include "api/connection_inside.h"
#include "api/ending.h"
#include "api/route.h"
#include "api/stanzas.h"
#include "base/sys.h"
#include "wire/disco.h"
#include "wire/sm.h"
#include "wire/stream.h"

/* --- writing --------------------------------------------------------------- */

struct xf_xml_writer *xf_nonza_begin(struct xf_nonza_out *n)
{
    xf_buf_init(&n->buf, XF_OUT_MAX);
    xf_xml_writer_init(&n->w, &n->buf);
    return &n->w;
}

int xf_nonza_send(struct xf_connection *con, struct xf_nonza_out *n)
{
    int err = XF_E_LIMIT;

    if (!n->buf.failed)
        err = xf_link_send(con->link, xf_buf_bytes(&n->buf), n->buf.len);
    xf_buf_clear(&n->buf);
    return err;
}

int xf_connection_ask_ack(struct xf_connection *con)
{
    struct xf_nonza_out n;

    xf_sm_write_request(xf_nonza_begin(&n));
    return xf_nonza_send(con, &n);
}

static void on_connected(void *ctx, bool tls)
{
    struct xf_session *s = ctx;
    struct xf_login_binding binding;
    struct xf_login_input in = { .kind = XF_LOGIN_CONNECTED, .tls = tls };

    if (tls) {
        xf_login_take_binding(s->con->link, &binding);
        in.binding = &binding;
    }
    xf_login_feed(s, &in);
    xf_session_tick(s);
}

static void on_secured(void *ctx)
{
    struct xf_session *s = ctx;
    struct xf_login_binding binding;
    struct xf_login_input in = { .kind = XF_LOGIN_TLS_UP };

    xf_login_take_binding(s->con->link, &binding);
    in.binding = &binding;
    xf_login_feed(s, &in);
    xf_session_tick(s);
}

/* --- stream management ------------------------------------------------------ */

static bool may_speak_of_sm(enum xf_login_state state)
{
    return state == XF_LOGIN_RESUMING || state == XF_LOGIN_ENABLING;
}

static bool feed_sm(struct xf_session *s, const struct xf_el *el)
{
    struct xf_connection *con = s->con;
    struct xf_login_input in = { .kind = XF_LOGIN_ENABLED };
    struct xf_sm_said said;
    struct xf_nonza_out n;
    int err = 0;

    if (!xf_sm_read(el, &said))
        return false;
    /* Whoever is not yet known to be our server says nothing about streams. */
    if (con->state != XF_CONNECTION_ON &&
        !may_speak_of_sm(xf_login_state(con->login)))
        said.word = XF_SM_WORD_NONE;
    switch (said.word) {
    case XF_SM_WORD_ENABLED:
        err = xf_sm_enabled(&con->sm, said.id, said.location, said.max_s,
                            said.resume);
        if (err == 0)
            xf_login_feed(s, &in);
        break;
    case XF_SM_WORD_FAILED:
        if (con->sm.state != XF_SM_AWAY)
            xf_sm_failed(&con->sm);
        in.kind = XF_LOGIN_NOT_ENABLED;
        xf_login_feed(s, &in);
        break;
    case XF_SM_WORD_REQUEST:
        xf_sm_write_ack(xf_nonza_begin(&n), xf_sm_handled(&con->sm));
        err = xf_nonza_send(con, &n);
        break;
    case XF_SM_WORD_ACK:
        con->prove_by = INT64_MAX;
        err = xf_sm_acked(&con->sm, said.h);
        if (err == 0 && xf_sm_ask(&con->sm))
            err = xf_connection_ask_ack(con);
        if (xf_sm_all_acked(&con->sm))
            xf_ending_arrived(s);
        break;
    case XF_SM_WORD_RESUMED:
        err = xf_sm_resumed(&con->sm, said.h);
        in.kind = XF_LOGIN_RESUMED;
        if (err == 0)
            xf_login_feed(s, &in);
        break;
    case XF_SM_WORD_NONE:
        err = XF_E_STREAM;
        break;
    }
    if (err != 0)
        xf_connection_break(s, err, "the server broke stream management");
    return true;
}

/* --- reading --------------------------------------------------------------- */

static void stream_error(struct xf_session *s, const struct xf_el *el)
{
    struct xf_stream_failure failure;
    struct xf_error_info why;

    xf_stream_read_failure(el, &failure);
    xf_err_set(&why, XF_E_STREAM, "the server ended the stream: %s%s%s",
               failure.condition, failure.text ? ": " : "",
               failure.text ? failure.text : "");
    xf_connection_over(s, &why, xf_login_is_lasting(failure.condition));
}

static void feed(struct xf_session *s, struct xf_el *el, bool left_over)
{
    if (feed_sm(s, el))
        return;
    if (s->con->state != XF_CONNECTION_ON) {
        xf_login_read(s, el, left_over);
        return;
    }
    if (xf_nonza_of(el) == XF_NONZA_ERROR) {
        stream_error(s, el);
        return;
    }
    xf_sm_received(&s->con->sm);
    xf_route(s, el);
}

static void broken(struct xf_session *s)
{
    struct xf_connection *con = s->con;
    enum xf_xml_fault fault = xf_xml_fault(con->reader);
    struct xf_error_info why = { 0 };
    struct xf_nonza_out n;

    xf_err_set(&why, fault == XF_XML_NO_MEMORY ? XF_E_LIMIT : XF_E_STREAM,
               "the server's stream cannot be read: %s",
               xf_stream_condition(fault));
    xf_stream_write_error(xf_nonza_begin(&n), xf_stream_condition(fault));
    if (xf_nonza_send(con, &n) == 0)
        xf_link_flush(con->link);
    xf_connection_break(s, why.code, why.text);
}

static bool fresh_reader(struct xf_session *s)
{
    struct xf_connection *con = s->con;

    xf_xml_reader_free(con->reader);
    con->reader = xf_xml_reader_new();
    con->new_stream = false;
    if (!con->reader)
        xf_connection_end(s, XF_E_LIMIT, xf_err_text(XF_E_LIMIT));
    return con->reader != NULL;
}

static void on_received(void *ctx, const char *bytes, size_t len)
{
    struct xf_session *s = ctx;
    struct xf_connection *con = s->con;
    size_t used;

    con->heard = xf_now(s);
    while (len > 0 && con->link) {
        struct xf_el *el = NULL;

        if (con->new_stream && !fresh_reader(s))
            return;
        switch (xf_xml_read(con->reader, bytes, len, &used, &el)) {
        case XF_XML_MORE:
        case XF_XML_OPENED:
            break;
        case XF_XML_STANZA:
            feed(s, el, used < len);
            break;
        case XF_XML_CLOSED:
            xf_link_close(con->link);
            break;
        case XF_XML_BROKEN:
            broken(s);
            return;
        }
        bytes += used;
        len -= used;
    }
    xf_session_tick(s);
}

static void on_drained(void *ctx)
{
    xf_session_tick(ctx);
}

static void on_closed(void *ctx, const struct xf_error_info *why)
{
    struct xf_session *s = ctx;
    struct xf_login_input in = { .kind = XF_LOGIN_CLOSED,
                                 .error = why,
                                 .cut = xf_link_was_cut(s->con->link) };
    struct xf_error_info told;

    if (s->con->state != XF_CONNECTION_ON) {
        xf_login_feed(s, &in);
        xf_session_tick(s);
        return;
    }
    told = *why;
    if (told.code == 0)
        xf_err_set(&told, XF_E_STREAM, "the server closed the connection");
    xf_connection_over(s, &told, false);
    xf_session_tick(s);
}

const struct xf_link_events xf_connection_link_events = {
    on_connected, on_secured, on_received, on_drained, on_closed
};
