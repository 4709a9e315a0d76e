/* A connection of our own, to a server of a few words: what it may say before
 * it is known to be our server. */
#include "talk.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define TLS_NS "urn:ietf:params:xml:ns:xmpp-tls"
#define FEATURES                                                               \
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "               \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "           \
    "from='localhost' id='x'><stream:features><starttls xmlns='" TLS_NS "'/>"  \
    "</stream:features>"
#define PROCEED "<proceed xmlns='" TLS_NS "'/>"

struct server {
    int listener, fd;
    char address[32];
    char heard[4096]; /* since the last answer */
    size_t len;
};

static void server_open(struct server *sv)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };
    socklen_t len = sizeof sa;

    *sv = (struct server){ .fd = -1 };
    sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sv->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_true(sv->listener >= 0);
    assert_int_equal(bind(sv->listener, (struct sockaddr *)&sa, sizeof sa), 0);
    assert_int_equal(listen(sv->listener, 1), 0);
    assert_int_equal(getsockname(sv->listener, (struct sockaddr *)&sa, &len),
                     0);
    snprintf(sv->address, sizeof sv->address, "127.0.0.1:%u",
             ntohs(sa.sin_port));
}

static void server_close(struct server *sv)
{
    if (sv->fd >= 0)
        close(sv->fd);
    close(sv->listener);
}

static void server_hear(struct server *sv)
{
    ssize_t n;

    if (sv->fd < 0)
        sv->fd = accept4(sv->listener, NULL, NULL, SOCK_NONBLOCK);
    if (sv->fd < 0)
        return;
    n = recv(sv->fd, sv->heard + sv->len, sizeof sv->heard - 1 - sv->len, 0);
    if (n > 0)
        sv->len += (size_t)n;
    sv->heard[sv->len] = '\0';
}

/* By one call, so that it is read by one. */
static void server_say(struct server *sv, const char *text)
{
    sv->len = 0;
    assert_int_equal(send(sv->fd, text, strlen(text), MSG_NOSIGNAL),
                     strlen(text));
}

static struct xf_session *connect_to(const struct server *sv)
{
    struct xf_config config;
    struct xf_session *s;

    xf_config_init(&config);
    config.account = "romeo@localhost";
    config.password = "x";
    config.server = sv->address;
    config.workers = 0;
    assert_int_equal(xf_session_new(&s, &config), 0);
    return s;
}

/* Until the server has heard `word`, or the session is over: its code then. */
static int until(struct xf_session *s, struct server *sv, const char *word)
{
    int64_t end = talk_now() + TALK_MS;

    while (talk_now() < end) {
        struct pollfd p = { xf_session_fd(s), POLLIN, 0 };
        int ms = xf_session_timeout(s);
        const struct xf_event *ev;

        poll(&p, 1, ms < 0 || ms > 5 ? 5 : ms);
        xf_session_dispatch(s);
        server_hear(sv);
        while ((ev = xf_session_next(s)) != NULL)
            if (ev->type == XF_EVENT_OFFLINE)
                return ev->code;
        if (word && strstr(sv->heard, word))
            return 0;
    }
    fail_msg("neither an end nor \"%s\"", word ? word : "");
    return -1;
}

/* It has asked for TLS, and hears `answer`. */
static struct xf_session *asked_for_tls(struct server *sv, const char *answer)
{
    struct xf_session *s;

    server_open(sv);
    s = connect_to(sv);
    assert_int_equal(until(s, sv, "<stream:stream"), 0);
    server_say(sv, FEATURES);
    assert_int_equal(until(s, sv, "<starttls"), 0);
    server_say(sv, answer);
    return s;
}

/* Whoever is in between could put there what is then read as if the server had
 * said it inside TLS. */
static void bytes_behind_proceed_end_it_before_tls_begins(void **state)
{
    static const char *const behind[] = {
        " ",        "<", "<stream:features/>", FEATURES, "</stream:stream>",
        "\x16\x03",
    };

    (void)state;
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        struct server sv;
        char answer[sizeof PROCEED + sizeof FEATURES];
        struct xf_session *s;

        snprintf(answer, sizeof answer, "%s%s", PROCEED, behind[i]);
        s = asked_for_tls(&sv, answer);
        assert_int_equal(until(s, &sv, NULL), XF_E_TLS);
        server_hear(&sv);
        assert_int_equal(sv.len, 0);
        xf_session_free(s);
        server_close(&sv);
    }
}

static void proceed_alone_is_followed_by_tls(void **state)
{
    struct server sv;
    struct xf_session *s = asked_for_tls(&sv, PROCEED);

    (void)state;
    assert_int_equal(until(s, &sv, "\x16\x03"), 0); /* a ClientHello */
    xf_session_free(s);
    server_close(&sv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_behind_proceed_end_it_before_tls_begins),
        cmocka_unit_test(proceed_alone_is_followed_by_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
