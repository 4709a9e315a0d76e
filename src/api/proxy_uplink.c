/*
 * The connection to the server: made, taken by it, read, and made again. What
 * the handshake means is decided by proto/component.
 */
#include <string.h>

#include "api/proxy.h"
#include "base/sys.h"
#include "wire/component.h"
#include "wire/disco.h"
#include "wire/stream.h"

/* --- writing --------------------------------------------------------------- */

struct xf_xml_writer *xf_uplink_write(struct xf_proxy *x)
{
    xf_buf_reset(&x->out);
    xf_xml_writer_init(&x->w, &x->out);
    return &x->w;
}

static void send_out(struct xf_proxy *x)
{
    int err = XF_E_LIMIT;

    if (!x->out.failed)
        err = xf_link_send(x->up.link, xf_buf_bytes(&x->out), x->out.len);
    if (err != 0 && x->up.broken == 0)
        x->up.broken = err;
    /* Who does not read our answers is not read either. */
    if (xf_link_queued(x->up.link) > XF_PROXY_HIGH)
        xf_link_pause_reading(x->up.link, true);
}

void xf_uplink_send(struct xf_proxy *x)
{
    if (x->up.online && !x->up.closing)
        send_out(x);
}

/* --- ends ------------------------------------------------------------------ */

static void drop_link(struct xf_uplink *up)
{
    xf_link_free(up->link);
    up->link = NULL;
    xf_xml_reader_free(up->reader);
    up->reader = NULL;
    up->online = false;
    up->broken = 0;
}

static void try_later(struct xf_proxy *x, const struct xf_error_info *why)
{
    struct xf_uplink *up = &x->up;
    int64_t now = xf_proxy_now(x);
    uint32_t random = 0; /* none to be had is no reason not to try */

    (void)xf_sys_random(&random, sizeof random);
    (void)xf_backoff_next(&up->backoff, now, random, &up->retry_at);
    xf_proxy_tell_code(x, XF_PROXY_LOST, why, up->retry_at - now);
}

static void over(struct xf_proxy *x, const struct xf_error_info *why,
                 bool refused)
{
    struct xf_uplink *up = &x->up;
    struct xf_error_info told = *why;

    if (up->online)
        xf_backoff_lost(&up->backoff, xf_proxy_now(x));
    drop_link(up);
    if (up->closing)
        told = (struct xf_error_info){ 0 };
    /* A wrong secret at the start is for a person to put right. */
    if (up->closing || (refused && !up->was_online))
        xf_proxy_end(x, &told);
    else
        try_later(x, &told);
}

/* --- what the machine says ------------------------------------------------- */

static void go_online(struct xf_proxy *x)
{
    x->up.online = x->up.was_online = true;
    xf_backoff_online(&x->up.backoff, xf_proxy_now(x));
    x->stats.connects++;
    (void)xf_proxy_tell(x, &(struct xf_proxy_event){ .type = XF_PROXY_ONLINE });
}

/*
 * To ourselves by way of the server: each server delivers that, while what it
 * answers for itself differs.
 */
static void ask_server(struct xf_proxy *x)
{
    const char *domain = x->set->domain;

    xf_ping_write(xf_uplink_write(x), "alive", domain, domain);
    send_out(x);
}

static void feed(struct xf_proxy *x, const struct xf_component_input *in,
                 struct xf_el *el)
{
    struct xf_component_todo todo =
        xf_component_step(&x->up.component, in, x->set->secret,
                          x->set->secret_len, xf_proxy_now(x));

    switch (todo.what) {
    case XF_COMPONENT_NOTHING:
        break;
    case XF_COMPONENT_SEND_HEADER:
        xf_component_write_header(xf_uplink_write(x), x->set->domain);
        send_out(x);
        break;
    case XF_COMPONENT_SEND_PROOF:
        xf_component_write_handshake(xf_uplink_write(x), todo.proof);
        send_out(x);
        break;
    case XF_COMPONENT_GO_ONLINE:
        go_online(x);
        break;
    case XF_COMPONENT_TAKE:
        xf_proxy_take_stanza(x, el);
        break;
    case XF_COMPONENT_ASK:
        ask_server(x);
        break;
    case XF_COMPONENT_FAIL:
        over(x, &todo.error, todo.refused);
        break;
    }
}

/* --- reading --------------------------------------------------------------- */

static void take(struct xf_proxy *x, struct xf_el *el)
{
    struct xf_component_input in = { .kind = XF_COMPONENT_STANZA };
    struct xf_stream_failure failure;

    if (xf_nonza_of(el) == XF_NONZA_ERROR) {
        xf_stream_read_failure(el, &failure);
        in.kind = XF_COMPONENT_ERROR;
        in.condition = failure.condition;
        in.text = failure.text;
    } else if (xf_component_is_handshake(el)) {
        in.kind = XF_COMPONENT_HANDSHAKE;
    }
    feed(x, &in, el);
}

static void closed(struct xf_proxy *x, const struct xf_error_info *why)
{
    struct xf_component_input in = { .kind = XF_COMPONENT_CLOSED, .why = why };

    feed(x, &in, NULL);
}

/* The stream cannot be read; the server is told so. */
static void broken(struct xf_proxy *x)
{
    enum xf_xml_fault fault = xf_xml_fault(x->up.reader);
    struct xf_error_info why = { 0 };

    (void)xf_err_set(&why, fault == XF_XML_NO_MEMORY ? XF_E_LIMIT : XF_E_STREAM,
                     "the server's stream cannot be read: %s",
                     xf_stream_condition(fault));
    xf_stream_write_error(xf_uplink_write(x), xf_stream_condition(fault));
    send_out(x);
    xf_link_flush(x->up.link);
    closed(x, &why);
}

static void on_received(void *ctx, const char *bytes, size_t len)
{
    struct xf_proxy *x = ctx;
    struct xf_link *link = x->up.link;
    struct xf_component_input id = { .kind = XF_COMPONENT_ID };
    size_t used;

    while (len > 0 && x->up.link == link) {
        struct xf_el *el = NULL;

        switch (xf_xml_read(x->up.reader, bytes, len, &used, &el)) {
        case XF_XML_MORE:
            break;
        case XF_XML_OPENED:
            id.id = xf_component_read_id(el);
            feed(x, &id, NULL);
            break;
        case XF_XML_STANZA:
            take(x, el);
            break;
        case XF_XML_CLOSED:
            closed(x, &(const struct xf_error_info){ .code = 0 });
            return;
        case XF_XML_BROKEN:
            broken(x);
            return;
        }
        bytes += used;
        len -= used;
    }
}

static void on_connected(void *ctx, bool tls)
{
    (void)tls;
    feed(ctx, &(struct xf_component_input){ .kind = XF_COMPONENT_CONNECTED },
         NULL);
}

static void on_secured(void *ctx)
{
    (void)ctx;
}

static void on_drained(void *ctx)
{
    struct xf_proxy *x = ctx;

    xf_link_pause_reading(x->up.link, false);
}

static void on_closed(void *ctx, const struct xf_error_info *why)
{
    struct xf_error_info copy = *why;

    closed(ctx, &copy);
}

static const struct xf_link_events events = { on_connected, on_secured,
                                              on_received, on_drained,
                                              on_closed };

/* --- life ------------------------------------------------------------------ */

void xf_uplink_begin(struct xf_proxy *x)
{
    struct xf_link_config config = { .domain = x->set->domain,
                                     .server = x->set->server,
                                     .plain = !x->set->remote };
    struct xf_uplink *up = &x->up;
    struct xf_error_info why = { 0 };
    int err;

    up->retry_at = INT64_MAX;
    xf_component_init(&up->component, xf_proxy_now(x));
    up->reader = xf_xml_reader_new();
    err = up->reader
              ? xf_link_new(x->loop, x->names, &config, &events, x, &up->link)
              : XF_E_LIMIT;
    if (err == 0)
        return;
    (void)xf_err_set(&why, err, "%s", xf_err_text(err));
    closed(x, &why);
}

void xf_uplink_leave(struct xf_proxy *x)
{
    struct xf_uplink *up = &x->up;

    up->closing = true;
    up->retry_at = INT64_MAX;
    if (!up->online) {
        over(x, &(const struct xf_error_info){ .code = 0 }, false);
        return;
    }
    xf_stream_write_close(xf_uplink_write(x));
    send_out(x);
    xf_link_close(up->link);
}

void xf_uplink_clear(struct xf_proxy *x)
{
    drop_link(&x->up);
    x->up.retry_at = INT64_MAX;
}

void xf_uplink_tick(struct xf_proxy *x, int64_t now)
{
    struct xf_uplink *up = &x->up;
    struct xf_error_info why = { 0 };

    if (x->over)
        return;
    if (!up->link) {
        if (now >= up->retry_at)
            xf_uplink_begin(x);
        return;
    }
    if (up->broken != 0) {
        (void)xf_err_set(&why, up->broken,
                         "the connection to the server cannot be written to");
        closed(x, &why);
    } else if (now >= up->component.deadline && !up->closing) {
        feed(x, &(struct xf_component_input){ .kind = XF_COMPONENT_TIME },
             NULL);
    }
}

int64_t xf_uplink_deadline(const struct xf_proxy *x)
{
    if (x->over)
        return INT64_MAX;
    if (!x->up.link)
        return x->up.retry_at;
    if (x->up.broken != 0)
        return 0;
    return x->up.closing ? INT64_MAX : x->up.component.deadline;
}
