/*
 * Sends or receives one file over a connection that libstrophe keeps, as a
 * program does that speaks XMPP already: libstrophe logs in and carries the
 * stanzas, xferry says which and moves the file.
 *
 *     strophe romeo@example.net send report.pdf juliet@example.net/balcony
 *     strophe juliet@example.net/balcony receive DIR
 *
 * The environment is that of send.c: XFERRY_PASSWORD, _SERVER, _CA.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strophe.h>
#include <xferry/xferry.h>

/* How long libstrophe may be left alone: it tells nobody when its timers are
 * due, nor that half a stanza is still to be written. */
#define LOOK_MS 20

/* How many turns empty one record of TLS (16 KiB): a turn reads 4 KiB, and no
 * poll() sees the bytes that TLS has taken from the socket already. */
#define TLS_TURNS 4

struct app {
    xmpp_ctx_t *ctx;
    xmpp_conn_t *conn;
    struct xf_session *session;
    struct xf_transfer *transfer; /* the one that counts */
    int dir;                      /* to receive into; -1: we send */
    size_t stanza_len;            /* of the last stanza that left */
    bool over;
    int code;
};

/* libstrophe's, -1 without a connection. The one callback that shows it
 * brings no pointer of ours along. */
static int strophe_fd = -1;

/* --- libstrophe to xferry ------------------------------------------------- */

static int on_socket(xmpp_conn_t *conn, void *fd)
{
    (void)conn;
    strophe_fd = *(int *)fd;
    return 0;
}

static void on_connection(xmpp_conn_t *conn, xmpp_conn_event_t event, int error,
                          xmpp_stream_error_t *stream_error, void *data)
{
    struct app *app = data;

    (void)error;
    (void)stream_error;
    if (event != XMPP_CONN_CONNECT) {
        strophe_fd = -1;
        xf_session_attach(app->session, NULL);
        return;
    }
    xf_session_attach(app->session, xmpp_conn_get_bound_jid(conn));
    /* A negative priority takes no chat away from the account's owner. */
    xmpp_send_raw_string(conn, "<presence><priority>-1</priority></presence>");
}

static xmpp_stanza_t *add(struct app *app, xmpp_stanza_t *parent,
                          const char *name)
{
    xmpp_stanza_t *child = xmpp_stanza_new(app->ctx);

    xmpp_stanza_set_name(child, name);
    xmpp_stanza_add_child(parent, child);
    xmpp_stanza_release(child); /* the parent holds it */
    return child;
}

/* Peers offer files only to a program that announces that it takes them. */
static xmpp_stanza_t *who_we_are(struct app *app, xmpp_stanza_t *question)
{
    xmpp_stanza_t *reply = xmpp_stanza_reply(question), *query, *child;
    const char *feature;

    if (!reply)
        return NULL;
    xmpp_stanza_set_type(reply, "result");
    query = add(app, reply, "query");
    xmpp_stanza_set_ns(query, XMPP_NS_DISCO_INFO);
    child = add(app, query, "identity");
    xmpp_stanza_set_attribute(child, "category", "client");
    xmpp_stanza_set_type(child, "console");
    child = add(app, query, "feature");
    xmpp_stanza_set_attribute(child, "var", XMPP_NS_DISCO_INFO);
    for (size_t i = 0; (feature = xf_feature(i)) != NULL; i++) {
        child = add(app, query, "feature");
        xmpp_stanza_set_attribute(child, "var", feature);
    }
    return reply;
}

/* A request that is nobody's is still to be answered (RFC 6120, 8.2.3). */
static void answer(struct app *app, xmpp_stanza_t *stanza)
{
    const char *type = xmpp_stanza_get_type(stanza);
    xmpp_stanza_t *reply;

    if (strcmp(xmpp_stanza_get_name(stanza), "iq") != 0 || !type ||
        (strcmp(type, "get") != 0 && strcmp(type, "set") != 0))
        return;
    if (xmpp_stanza_get_child_by_ns(stanza, XMPP_NS_DISCO_INFO))
        reply = who_we_are(app, stanza);
    else
        reply = xmpp_stanza_reply_error(stanza, "cancel", "service-unavailable",
                                        NULL);
    if (!reply)
        return;
    xmpp_send(app->conn, reply);
    xmpp_stanza_release(reply);
}

/* Every stanza, presence too: it tells xferry that a contact has gone. */
static int on_stanza(xmpp_conn_t *conn, xmpp_stanza_t *stanza, void *data)
{
    struct app *app = data;
    char *xml;
    size_t len;

    (void)conn;
    if (xmpp_stanza_to_text(stanza, &xml, &len) == XMPP_EOK) {
        if (xf_session_feed(app->session, xml, len) != 1)
            answer(app, stanza);
        xmpp_free(app->ctx, xml);
    }
    return 1; /* the handler stays */
}

/* --- xferry to libstrophe ------------------------------------------------- */

static void send_stanzas(struct app *app)
{
    const char *xml;
    size_t len;
    int queued;

    while ((xml = xf_session_next_stanza(app->session, &len)) != NULL) {
        xmpp_send_raw(app->conn, xml, len);
        app->stanza_len = len;
    }
    /* libstrophe counts stanzas; in a long queue they are all alike. */
    queued = xmpp_conn_send_queue_len(app->conn);
    xf_session_set_queued(app->session, (size_t)queued * app->stanza_len);
}

static void take_offer(struct app *app, struct xf_transfer *offer)
{
    if (app->dir < 0 || app->transfer) {
        xf_transfer_decline(offer, XF_E_BUSY, NULL);
        return;
    }
    app->transfer = offer;
    /* What goes wrong now comes back as XF_EVENT_FAILED. */
    xf_transfer_accept(offer, app->dir, XF_EXISTS_RENAME);
}

static void take_event(struct app *app, const struct xf_event *ev)
{
    if (ev->type == XF_EVENT_ONLINE) {
        printf("online as %s\n", xf_session_jid(app->session));
    } else if (ev->type == XF_EVENT_OFFER) {
        take_offer(app, ev->transfer);
    } else if (ev->type == XF_EVENT_DONE || ev->type == XF_EVENT_FAILED ||
               ev->type == XF_EVENT_OFFLINE) {
        /* OFFLINE has no transfer: it is the end where we have none yet. One
         * that we have tells its end itself, maybe later. */
        if (app->over || ev->transfer != app->transfer)
            return;
        app->over = true;
        app->code = ev->code;
    }
}

/* --- both ----------------------------------------------------------------- */

static void run(struct app *app)
{
    const struct xf_event *ev;
    bool leaving = false;
    int turns = 0;

    while (!app->over || strophe_fd >= 0) {
        bool sending = xmpp_conn_send_queue_len(app->conn) > 0;
        int timeout = xf_session_timeout(app->session);
        struct pollfd p[] = {
            { .fd = xf_session_fd(app->session), .events = POLLIN },
            { .fd = strophe_fd, .events = sending ? POLLIN | POLLOUT : POLLIN },
        };

        if (timeout < 0 || timeout > LOOK_MS)
            timeout = LOOK_MS;
        poll(p, 2, turns > 0 ? 0 : timeout);
        turns = p[1].revents & POLLIN ? TLS_TURNS : turns - (turns > 0);
        xmpp_run_once(app->ctx, 0);
        xf_session_dispatch(app->session);
        while ((ev = xf_session_next(app->session)) != NULL)
            take_event(app, ev);
        send_stanzas(app);
        if (app->over && !leaving) {
            leaving = true;
            xmpp_disconnect(app->conn); /* after all that is queued */
        }
    }
}

static int start(struct app *app, char **argv, const char *server)
{
    struct xf_config config;
    char host[256] = "";
    unsigned short port = 0;
    int code;

    xf_config_init(&config);
    config.account = argv[1];
    config.server = server; /* on loopback, our addresses there may be told */
    code = xf_session_new_attached(&app->session, &config);
    if (code == 0 && app->dir < 0)
        code =
            xf_offer_file(app->session, argv[4], argv[3], NULL, &app->transfer);
    if (code != 0)
        return code;

    /* xferry paces itself; an ack for every stanza would only slow it. */
    xmpp_conn_set_flags(app->conn, XMPP_CONN_FLAG_MANDATORY_TLS |
                                       XMPP_CONN_FLAG_DISABLE_SM);
    xmpp_conn_set_jid(app->conn, argv[1]);
    xmpp_conn_set_pass(app->conn, getenv("XFERRY_PASSWORD"));
    if (getenv("XFERRY_CA"))
        xmpp_conn_set_cafile(app->conn, getenv("XFERRY_CA"));
    xmpp_conn_set_sockopt_callback(app->conn, on_socket);
    xmpp_handler_add(app->conn, on_stanza, NULL, NULL, NULL, app);
    if (server)
        sscanf(server, "%255[^:]:%hu", host, &port);
    if (xmpp_connect_client(app->conn, server ? host : NULL, port,
                            on_connection, app) != XMPP_EOK)
        return XF_E_STREAM;
    return 0;
}

int main(int argc, char **argv)
{
    bool send = argc == 5 && strcmp(argv[2], "send") == 0;
    bool receive = argc == 4 && strcmp(argv[2], "receive") == 0;
    struct app app = { .dir = -1 };

    if ((!send && !receive) || !getenv("XFERRY_PASSWORD")) {
        fprintf(stderr, "usage: XFERRY_PASSWORD=... strophe ACCOUNT "
                        "send FILE FULL-JID | receive DIR\n");
        return XF_E_USAGE;
    }
    if (receive && (app.dir = open(argv[3], O_RDONLY | O_DIRECTORY)) < 0) {
        perror(argv[3]);
        return XF_E_IO;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    xmpp_initialize();
    app.ctx = xmpp_ctx_new(NULL, xmpp_get_default_logger(XMPP_LEVEL_ERROR));
    app.conn = xmpp_conn_new(app.ctx);
    app.code = start(&app, argv, getenv("XFERRY_SERVER"));
    if (app.code == 0)
        run(&app);
    fprintf(stderr, "strophe: %s\n",
            app.code ? xf_error_text(app.code) : "done");
    xf_session_free(app.session);
    xmpp_conn_release(app.conn);
    xmpp_ctx_free(app.ctx);
    xmpp_shutdown();
    if (app.dir >= 0)
        close(app.dir);
    return app.code;
}
