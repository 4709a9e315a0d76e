/*
 * The other side, by libpurple: a headless sender and receiver of files that
 * says what happens as one JSON object a line, as slix_peer.py does. Pidgin,
 * Finch and all others on libpurple transfer files by just this code; which
 * hosts answer and what is to come of it is left to purple.py.
 */
#include <arpa/inet.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <netinet/in.h>
#include <purple.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define UI "purple_peer"

/* libpurple asks the server for proxies while it logs in and waits for no
 * answer; who sends at once may know none. */
enum { PROXY_WAIT_MS = 3000, FLUSH_MS = 300 };

static struct {
    char *jid, *server, *ca, *to, *file, *dir, *ports, *public_ip, *proxies;
    int count;
    gboolean decline, debug, no_hash;
} args = { .dir = ".", .count = 1 };

static const GOptionEntry options[] = {
    { "jid", 0, 0, G_OPTION_ARG_STRING, &args.jid, "log in as", "JID" },
    { "server", 0, 0, G_OPTION_ARG_STRING, &args.server,
      "connect there; the certificate must name HOST", "HOST:PORT" },
    { "ca", 0, 0, G_OPTION_ARG_FILENAME, &args.ca,
      "trust this authority too; without, no TLS at all", "FILE" },
    { "to", 0, 0, G_OPTION_ARG_STRING, &args.to, "send to", "JID" },
    { "file", 0, 0, G_OPTION_ARG_FILENAME, &args.file, "send", "FILE" },
    { "dir", 0, 0, G_OPTION_ARG_FILENAME, &args.dir, "receive into", "DIR" },
    { "count", 0, 0, G_OPTION_ARG_INT, &args.count, "end after", "N" },
    { "ports", 0, 0, G_OPTION_ARG_STRING, &args.ports, "listen on one of these",
      "A-B" },
    { "public-ip", 0, 0, G_OPTION_ARG_STRING, &args.public_ip,
      "tell this address as well", "IP" },
    { "proxies", 0, 0, G_OPTION_ARG_STRING, &args.proxies,
      "use these besides the server's", "JID,..." },
    { "decline", 0, 0, G_OPTION_ARG_NONE, &args.decline, "accept none", NULL },
    { "no-hash", 0, 0, G_OPTION_ARG_NONE, &args.no_hash,
      "do not read the file again when it is done", NULL },
    { "debug", 0, 0, G_OPTION_ARG_NONE, &args.debug, "all it says", NULL },
    { 0 },
};

static struct {
    gboolean sending; /* the command */
    GMainLoop *loop;
    PurpleConnection *gc;
    char *home;
    char *words; /* the last it would have shown a user */
    guint wait;  /* for proxies */
    gint64 begun;
    int done;
    int code;
    gboolean over;
} peer = { .code = 1 };

static int handle; /* its address names us in libpurple's signals */

/* --- what we say --- */

static void put_string(GString *out, const char *text)
{
    g_string_append_c(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_printf(out, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            g_string_append_printf(out, "\\u%04x", (unsigned)*text);
        else
            g_string_append_c(out, *text);
    }
    g_string_append_c(out, '"');
}

/* Pairs of a key and a string; "#key" is followed by a gint64. Ends at NULL. */
static void tell(const char *event, ...)
{
    char now[G_ASCII_DTOSTR_BUF_SIZE];
    GString *out = g_string_new("{\"event\": ");
    const char *key;
    va_list more;

    put_string(out, event);
    va_start(more, event);
    while ((key = va_arg(more, const char *)) != NULL) {
        g_string_append(out, ", ");
        put_string(out, *key == '#' ? key + 1 : key);
        g_string_append(out, ": ");
        if (*key == '#') {
            g_string_append_printf(out, "%" G_GINT64_FORMAT,
                                   va_arg(more, gint64));
        } else {
            const char *text = va_arg(more, const char *);
            put_string(out, text ? text : "");
        }
    }
    va_end(more);
    g_ascii_formatd(now, sizeof now, "%.6f",
                    (double)g_get_monotonic_time() / 1e6);
    puts(g_string_append(
             g_string_append(g_string_append(out, ", \"t\": "), now), "}")
             ->str);
    fflush(stdout);
    g_string_free(out, TRUE);
}

static gboolean quit(gpointer nothing)
{
    (void)nothing;
    g_main_loop_quit(peer.loop);
    return G_SOURCE_REMOVE;
}

/* What libpurple has queued for the server is to be on its way first. */
static void finish(int code)
{
    if (peer.over)
        return;
    peer.over = TRUE;
    peer.code = code;
    g_timeout_add(FLUSH_MS, quit, NULL);
}

static void fail(const char *condition, const char *text)
{
    if (!peer.over)
        tell("failed", "condition", condition, "text", text, NULL);
    finish(1);
}

/* --- libpurple asks for a loop and for somebody to talk to --- */

struct input {
    PurpleInputFunction function;
    gpointer data;
};

static gboolean on_io(GIOChannel *channel, GIOCondition had, gpointer data)
{
    struct input *input = data;
    PurpleInputCondition cond = 0;

    if (had & (G_IO_IN | G_IO_HUP | G_IO_ERR))
        cond |= PURPLE_INPUT_READ;
    if (had & (G_IO_OUT | G_IO_HUP | G_IO_ERR | G_IO_NVAL))
        cond |= PURPLE_INPUT_WRITE;
    input->function(input->data, g_io_channel_unix_get_fd(channel), cond);
    return G_SOURCE_CONTINUE;
}

static guint add_input(gint fd, PurpleInputCondition cond,
                       PurpleInputFunction function, gpointer data)
{
    struct input *input = g_new(struct input, 1);
    GIOChannel *channel = g_io_channel_unix_new(fd);
    GIOCondition on = 0;
    guint id;

    *input = (struct input){ function, data };
    if (cond & PURPLE_INPUT_READ)
        on |= G_IO_IN | G_IO_HUP | G_IO_ERR;
    if (cond & PURPLE_INPUT_WRITE)
        on |= G_IO_OUT | G_IO_HUP | G_IO_ERR | G_IO_NVAL;
    id = g_io_add_watch_full(channel, G_PRIORITY_DEFAULT, on, on_io, input,
                             g_free);
    g_io_channel_unref(channel);
    return id;
}

static PurpleEventLoopUiOps loop_ops = {
    .timeout_add = g_timeout_add,
    .timeout_remove = g_source_remove,
    .input_add = add_input,
    .input_remove = g_source_remove,
    .timeout_add_seconds = g_timeout_add_seconds,
};

/* A dialog that only tells. */
static void *on_message(PurpleNotifyMsgType type, const char *title,
                        const char *primary, const char *secondary)
{
    (void)type;
    g_free(peer.words);
    peer.words = g_strdup_printf("%s: %s", primary ? primary : title,
                                 secondary ? secondary : "");
    return NULL;
}

static PurpleNotifyUiOps notify_ops = { .notify_message = on_message };

/* A dialog that asks, as about a certificate: nobody is there to answer. */
static void *on_question(const char *title, const char *primary,
                         const char *secondary, int preset,
                         PurpleAccount *account, const char *who,
                         PurpleConversation *conv, void *data, size_t count,
                         va_list actions)
{
    char *text = g_strdup_printf("%s %s", primary ? primary : title,
                                 secondary ? secondary : "");

    (void)preset, (void)account, (void)who, (void)conv, (void)data;
    (void)count, (void)actions;
    fail("asked", text);
    g_free(text);
    return NULL;
}

static PurpleRequestUiOps request_ops = { .request_action = on_question };

static void on_debug(PurpleDebugLevel level, const char *category,
                     const char *text)
{
    (void)level;
    fprintf(stderr, "%.3f %s: %s", (double)g_get_monotonic_time() / 1e6,
            category ? category : "", text);
}

static gboolean is_debug(PurpleDebugLevel level, const char *category)
{
    (void)level, (void)category;
    return args.debug;
}

static PurpleDebugUiOps debug_ops = { .print = on_debug,
                                      .is_enabled = is_debug };

/* --- a transfer --- */

static void tell_way(PurpleXfer *xfer)
{
    struct sockaddr_storage from = { 0 };
    socklen_t len = sizeof from;
    char host[INET6_ADDRSTRLEN] = "";
    gint64 port = 0;

    if (xfer->fd < 0) {
        tell("attempt", "via", "ibb", NULL);
        return;
    }
    getpeername(xfer->fd, (struct sockaddr *)&from, &len);
    if (from.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&from;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        port = ntohs(in->sin_port);
    } else if (from.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&from;
        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        port = ntohs(in6->sin6_port);
    }
    tell("attempt", "via", "s5b", "host", host, "#port", port, NULL);
}

/* The first bytes moved: only now it is sure which socket, or none, is it. */
static void on_progress(PurpleXfer *xfer, double part)
{
    (void)part;
    if (!xfer->ui_data) {
        xfer->ui_data = &handle;
        tell_way(xfer);
    }
}

static char *sha256(const char *path, gint64 *size)
{
    GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
    FILE *file = g_fopen(path, "rb");
    guchar chunk[65536];
    size_t got;
    char *hex;

    *size = 0;
    while (file && (got = fread(chunk, 1, sizeof chunk, file)) > 0) {
        g_checksum_update(sum, chunk, (gssize)got);
        *size += (gint64)got;
    }
    if (file)
        fclose(file);
    hex = g_strdup(g_checksum_get_string(sum));
    g_checksum_free(sum);
    return hex;
}

static gboolean tell_done(gpointer path)
{
    gint64 size = 0;
    char *hex = args.no_hash ? g_strdup("") : sha256(path, &size);

    if (!peer.over)
        tell("done", "path", path, "#bytes", size, "sha256", hex, "#ms",
             (g_get_monotonic_time() - peer.begun) / 1000, NULL);
    g_free(hex);
    if (++peer.done == args.count)
        finish(0);
    return G_SOURCE_REMOVE;
}

/* libpurple says so a moment before it closes the file. */
static void on_complete(PurpleXfer *xfer, gpointer nothing)
{
    (void)nothing;
    g_idle_add_full(G_PRIORITY_DEFAULT_IDLE, tell_done,
                    g_strdup(purple_xfer_get_local_filename(xfer)), g_free);
}

static void on_cancelled(PurpleXfer *xfer)
{
    if (!args.decline)
        fail(purple_xfer_get_status(xfer) == PURPLE_XFER_STATUS_CANCEL_LOCAL
                 ? "cancel-local"
                 : "cancel-remote",
             peer.words);
}

static PurpleXferUiOps xfer_ops = { .update_progress = on_progress,
                                    .cancel_local = on_cancelled,
                                    .cancel_remote = on_cancelled };

static void on_offer(PurpleXfer *xfer, gpointer nothing)
{
    const char *name = purple_xfer_get_filename(xfer);
    char *base = g_path_get_basename(name);
    char *path = g_build_filename(args.dir, base, NULL);

    (void)nothing;
    peer.begun = g_get_monotonic_time();
    tell("offer", "name", name, "#size", (gint64)purple_xfer_get_size(xfer),
         "peer", purple_xfer_get_remote_user(xfer), NULL);
    if (args.decline) {
        purple_xfer_request_denied(xfer);
        finish(0);
    } else {
        purple_xfer_request_accepted(xfer, path);
    }
    g_free(path);
    g_free(base);
}

static void send_file(void)
{
    peer.begun = g_get_monotonic_time();
    serv_send_file(peer.gc, args.to, args.file);
}

/* --- the connection --- */

static gboolean start(gpointer nothing)
{
    (void)nothing;
    peer.wait = 0;
    tell("online", "jid",
         purple_account_get_username(purple_connection_get_account(peer.gc)),
         NULL);
    if (peer.sending)
        send_file();
    return G_SOURCE_REMOVE;
}

static void on_signed_on(PurpleConnection *gc, gpointer nothing)
{
    (void)nothing;
    peer.gc = gc;
    peer.wait = g_timeout_add(peer.sending ? PROXY_WAIT_MS : 0, start, NULL);
}

/* How many streamhosts somebody tells, which one was used, what went wrong:
 * what a human needs to understand a cell that failed. */
static void tell_stanza(const char *way, xmlnode *iq)
{
    xmlnode *query = xmlnode_get_child(iq, "query"), *one;
    xmlnode *error = xmlnode_get_child(iq, "error");
    const char *xmlns = query ? xmlnode_get_namespace(query) : NULL;
    gint64 hosts = 0;

    if (error && (one = error->child) != NULL) {
        while (one && one->type != XMLNODE_TYPE_TAG)
            one = one->next;
        tell("error", "way", way, "condition", one ? one->name : "", NULL);
    }
    if (!purple_strequal(xmlns, "http://jabber.org/protocol/bytestreams"))
        return;
    for (one = xmlnode_get_child(query, "streamhost"); one;
         one = xmlnode_get_next_twin(one))
        hosts++;
    one = xmlnode_get_child(query, "streamhost-used");
    if (one)
        tell("used", "way", way, "jid", xmlnode_get_attrib(one, "jid"), NULL);
    else if (hosts && xmlnode_get_attrib(query, "sid"))
        tell("query", "way", way, "#hosts", hosts, NULL);
}

static gboolean is_proxy_answer(xmlnode *iq)
{
    xmlnode *query = xmlnode_get_child(iq, "query");

    return query && !xmlnode_get_attrib(query, "sid") &&
           purple_strequal(xmlnode_get_namespace(query),
                           "http://jabber.org/protocol/bytestreams") &&
           purple_strequal(xmlnode_get_attrib(iq, "type"), "result");
}

static void on_stanza_in(PurpleConnection *gc, xmlnode **packet, gpointer none)
{
    (void)gc, (void)none;
    if (!*packet || !purple_strequal((*packet)->name, "iq"))
        return;
    tell_stanza("in", *packet);
    if (peer.wait && peer.sending && is_proxy_answer(*packet)) {
        g_source_remove(peer.wait);
        peer.wait = g_timeout_add(100, start, NULL);
    }
}

static void on_stanza_out(PurpleConnection *gc, xmlnode **packet, gpointer none)
{
    (void)gc, (void)none;
    if (*packet && purple_strequal((*packet)->name, "iq"))
        tell_stanza("out", *packet);
}

static void on_lost(PurpleConnection *gc, PurpleConnectionError error,
                    const char *text, gpointer nothing)
{
    (void)gc, (void)error, (void)nothing;
    fail("connection", text);
}

/* --- setting up --- */

/* libpurple reads authorities from folders, all that is in them. */
static void trust(const char *ca)
{
    char *folder = g_build_filename(peer.home, "authorities", NULL);
    char *path = g_build_filename(folder, "ca.pem", NULL);
    char *pem;
    gsize len;

    if (g_mkdir(folder, 0700) || !g_file_get_contents(ca, &pem, &len, NULL) ||
        !g_file_set_contents(path, pem, (gssize)len, NULL))
        g_error("cannot copy %s", ca);
    purple_certificate_add_ca_search_path(folder);
    g_free(pem);
    g_free(path);
    g_free(folder);
}

/* Nothing of the user's is read, written or asked, nor is the network. */
static void be_alone(void)
{
    peer.home = g_dir_make_tmp("purple-peer-XXXXXX", NULL);
    if (!peer.home)
        g_error("no temporary folder");
    g_setenv("HOME", peer.home, TRUE);
    for (const char *const *one =
             (const char *const[]){ "XDG_CONFIG_HOME", "XDG_DATA_HOME",
                                    "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", NULL };
         *one; one++)
        g_setenv(*one, peer.home, TRUE);
    g_setenv("DBUS_SESSION_BUS_ADDRESS", "disabled:", TRUE);
    g_setenv("GST_PLUGIN_SYSTEM_PATH", peer.home, TRUE);
    g_setenv("GST_REGISTRY_FORK", "no", TRUE);
    purple_util_set_user_dir(peer.home);
}

static void set_network(void)
{
    gchar **range = g_strsplit(args.ports ? args.ports : "", "-", 2);

    purple_prefs_set_bool("/purple/network/map_ports", FALSE);
    purple_prefs_set_bool("/purple/network/auto_ip", FALSE);
    purple_prefs_set_string("/purple/network/public_ip",
                            args.public_ip ? args.public_ip : "");
    purple_prefs_set_bool("/purple/network/ports_range_use", range[0] != NULL);
    if (range[0]) {
        purple_prefs_set_int("/purple/network/ports_range_start",
                             atoi(range[0]));
        purple_prefs_set_int("/purple/network/ports_range_end",
                             atoi(range[1] ? range[1] : range[0]));
    }
    g_strfreev(range);
}

static void watch(void)
{
    void *transfers = purple_xfers_get_handle();
    void *connections = purple_connections_get_handle();
    PurplePlugin *xmpp = purple_plugins_find_with_id("prpl-jabber");

    purple_signal_connect(transfers, "file-recv-request", &handle,
                          PURPLE_CALLBACK(on_offer), NULL);
    purple_signal_connect(transfers, "file-recv-complete", &handle,
                          PURPLE_CALLBACK(on_complete), NULL);
    purple_signal_connect(transfers, "file-send-complete", &handle,
                          PURPLE_CALLBACK(on_complete), NULL);
    purple_signal_connect(connections, "signed-on", &handle,
                          PURPLE_CALLBACK(on_signed_on), NULL);
    purple_signal_connect(connections, "connection-error", &handle,
                          PURPLE_CALLBACK(on_lost), NULL);
    if (!xmpp)
        g_error("libpurple has no XMPP here");
    purple_signal_connect(xmpp, "jabber-receiving-xmlnode", &handle,
                          PURPLE_CALLBACK(on_stanza_in), NULL);
    purple_signal_connect(xmpp, "jabber-sending-xmlnode", &handle,
                          PURPLE_CALLBACK(on_stanza_out), NULL);
}

static void init_libpurple(void)
{
    purple_debug_set_enabled(FALSE);
    purple_debug_set_verbose(args.debug);
    purple_debug_set_ui_ops(&debug_ops);
    purple_eventloop_set_ui_ops(&loop_ops);
    purple_notify_set_ui_ops(&notify_ops);
    purple_request_set_ui_ops(&request_ops);
    purple_xfers_set_ui_ops(&xfer_ops);
    if (!purple_core_init(UI))
        g_error("libpurple does not start");
    purple_set_blist(purple_blist_new());
    set_network();
    if (args.ca)
        trust(args.ca);
    watch();
}

static void log_in(const char *password)
{
    PurpleAccount *account = purple_account_new(args.jid, "prpl-jabber");
    gchar **server = g_strsplit(args.server, ":", 2);

    purple_account_set_password(account, password);
    purple_account_set_string(account, "connect_server", server[0]);
    if (server[1])
        purple_account_set_int(account, "port", atoi(server[1]));
    purple_account_set_string(account, "connection_security",
                              args.ca ? "require_tls" : "none");
    purple_account_set_bool(account, "auth_plain_in_clear", !args.ca);
    if (args.proxies)
        purple_account_set_string(account, "ft_proxies", args.proxies);
    purple_accounts_add(account);
    purple_account_set_enabled(account, UI, TRUE);
    purple_savedstatus_activate(
        purple_savedstatus_new(NULL, PURPLE_STATUS_AVAILABLE));
    g_strfreev(server);
}

static void remove_tree(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir)) != NULL) {
        char *one = g_build_filename(path, name, NULL);
        if (g_unlink(one) != 0)
            remove_tree(one);
        g_free(one);
    }
    if (dir)
        g_dir_close(dir);
    g_remove(path);
}

int main(int argc, char **argv)
{
    const char *password = g_getenv("PEER_PASSWORD");
    GOptionContext *context = g_option_context_new("send|receive");
    GError *error = NULL;

    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 ||
        !args.jid || !args.server || !password) {
        fprintf(stderr, "purple_peer: %s\n",
                error ? error->message
                      : "a command, --jid, --server and PEER_PASSWORD, please");
        return 2;
    }
    g_option_context_free(context);
    peer.sending = !strcmp(argv[1], "send");
    if (peer.sending && (!args.to || !args.file)) {
        fprintf(stderr, "purple_peer: --to and --file, please\n");
        return 2;
    }
    /* It resolves names in children it does not wait for. */
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    be_alone();
    peer.loop = g_main_loop_new(NULL, FALSE);
    init_libpurple();
    log_in(password);
    g_main_loop_run(peer.loop);
    purple_core_quit();
    g_main_loop_unref(peer.loop);
    remove_tree(peer.home);
    g_free(peer.home);
    g_free(peer.words);
    return peer.code;
}
