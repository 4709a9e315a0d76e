/* The handshake, however TCP cuts it, and not a byte of the file with it. */
#include "rig.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stream/tcp.h"

#define HASH "0123456789abcdef0123456789abcdef01234567"

static const char greeting[] = { 5, 1, 0 };
static const char method[] = { 5, 0 };
static const char request[] =
    "\5\1\0\3\50" HASH "\0"; /* and a NUL of its own */
static const char reply[] = "\5\0\0\3\50" HASH "\0";
#define REQUEST_LEN 47

static struct xf_tcp *tcp;
static int peer;

static void begin(enum xf_tcp_role role)
{
    int fds[2];

    rig_connect(fds);
    assert_int_equal(
        xf_tcp_new(&tcp, fds[0], role, role == XF_TCP_CLIENT ? HASH : NULL), 0);
    peer = fds[1];
}

static void end(void)
{
    xf_tcp_free(tcp);
    close(peer);
}

/* Say it, and let it be heard. */
static enum xf_tcp_status say(const void *bytes, size_t len)
{
    rig_send(peer, bytes, len);
    assert_true(rig_readable(xf_tcp_fd(tcp)));
    return xf_tcp_step(tcp);
}

static void hear(const void *bytes, size_t len)
{
    char buf[512];

    rig_recv(peer, buf, len);
    assert_memory_equal(buf, bytes, len);
}

static void assert_failed(const char *text)
{
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_FAILED);
    assert_string_equal(xf_tcp_text(tcp), text);
    assert_int_equal(xf_tcp_wants(tcp), 0);
    assert_false(xf_tcp_alive(tcp));
    end();
}

/* --- client -------------------------------------------------------------- */

static void a_client_says_two_messages_in_one_call_each(void **state)
{
    struct rig_gate gate = { .only = XF_SYS_SEND };

    (void)state;
    begin(XF_TCP_CLIENT);
    rig_gate_on(&gate);
    assert_int_equal(xf_tcp_wants(tcp), XF_WANT_WRITE);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
    assert_int_equal(xf_tcp_wants(tcp), XF_WANT_READ);
    hear(greeting, sizeof greeting);
    assert_int_equal(say(method, sizeof method), XF_TCP_AGAIN);
    hear(request, REQUEST_LEN);
    assert_int_equal(say(reply, REQUEST_LEN), XF_TCP_READY);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_READY);
    assert_int_equal(xf_tcp_wants(tcp), 0);
    rig_gate_off();
    assert_int_equal(gate.calls, 2);
    end();
}

/* `all` in two parts, cut at `cut`; then the data behind it. */
static void client_hears(const char *all, size_t len, size_t cut)
{
    char data[4];

    begin(XF_TCP_CLIENT);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
    if (cut > 0)
        assert_int_equal(say(all, cut), XF_TCP_AGAIN);
    /* Or the loop would turn for ever. */
    assert_int_equal(rig_waiting(xf_tcp_fd(tcp)), 0);
    assert_int_equal(xf_tcp_wants(tcp), XF_WANT_READ);
    rig_send(peer, all + cut, len - cut);
    rig_send(peer, "data", 4);
    for (int i = 0;
         i < 1000 && rig_waiting(xf_tcp_fd(tcp)) != (int)(len - cut) + 4; i++)
        usleep(1000);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_READY);
    assert_int_equal(rig_waiting(xf_tcp_fd(tcp)), 4);
    rig_recv(xf_tcp_fd(tcp), data, 4);
    assert_memory_equal(data, "data", 4);
    end();
}

static void a_reply_may_be_cut_anywhere_and_data_stays_behind_it(void **state)
{
    /* Whatever address: IPv4, IPv6, names of 0, 40 and 255 bytes. */
    static const struct {
        const char head[7];
        size_t len;
    } forms[] = {
        { { 5, 0, 5, 0, 0, 1, 9 }, 2 + 10 },
        { { 5, 0, 5, 0, 0, 4, 9 }, 2 + 22 },
        { { 5, 0, 5, 0, 0, 3, 0 }, 2 + 7 },
        { { 5, 0, 5, 0, 0, 3, 40 }, 2 + 47 },
        { { 5, 0, 5, 0, 0, 3, (char)255 }, 2 + 262 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char all[2 + XF_SOCKS5_MAX];

        memset(all, 'x', sizeof all);
        memcpy(all, forms[i].head, sizeof forms[i].head);
        for (size_t cut = 0; cut < forms[i].len; cut++)
            client_hears(all, forms[i].len, cut);
    }
}

static void a_reply_may_come_byte_by_byte(void **state)
{
    (void)state;
    begin(XF_TCP_CLIENT);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
    assert_int_equal(say(method, 1), XF_TCP_AGAIN);
    assert_int_equal(say(method + 1, 1), XF_TCP_AGAIN);
    for (size_t i = 0; i < REQUEST_LEN - 1; i++)
        assert_int_equal(say(reply + i, 1), XF_TCP_AGAIN);
    assert_int_equal(say(reply + REQUEST_LEN - 1, 1), XF_TCP_READY);
    end();
}

static void client_is_told(const char *bytes, size_t len, const char *text)
{
    begin(XF_TCP_CLIENT);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
    rig_send(peer, bytes, len);
    for (int i = 0; i < 100 && xf_tcp_step(tcp) == XF_TCP_AGAIN; i++)
        assert_true(rig_readable(xf_tcp_fd(tcp)));
    assert_failed(text);
}

static void every_other_reply_is_a_failure(void **state)
{
    static const unsigned char reps[] = { 1, 2, 3, 4, 5, 6, 7, 8, 0xaa, 0xff };
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof reps; i++) {
        const char bytes[] = { 5, 0, 5, (char)reps[i], 0, 1, 0, 0, 0, 0, 0, 0 };

        (void)snprintf(text, sizeof text, "refused, SOCKS5 reply %d", reps[i]);
        client_is_told(bytes, sizeof bytes, text);
    }
    client_is_told("\4\0", 2, "broke the SOCKS5 protocol");
    client_is_told("\5\377", 2, "broke the SOCKS5 protocol");
    client_is_told("\5\2", 2, "broke the SOCKS5 protocol");
    client_is_told("\5\0\5\0\0\0", 6, "broke the SOCKS5 protocol");
    client_is_told("\5\0\4\0\0\1", 6, "broke the SOCKS5 protocol");
    client_is_told("HTTP/1.1 400 Bad Request", 24, "broke the SOCKS5 protocol");
}

static void of_garbage_no_more_is_read_than_a_message_has(void **state)
{
    char *garbage = malloc(65536);

    (void)state;
    memset(garbage, 'g', 65536);
    begin(XF_TCP_CLIENT);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
    rig_send(peer, garbage, 65536);
    for (int i = 0; i < 1000 && rig_waiting(xf_tcp_fd(tcp)) < 65536; i++)
        usleep(1000);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_FAILED);
    assert_true(rig_waiting(xf_tcp_fd(tcp)) >= 65536 - XF_SOCKS5_MAX);
    assert_failed("broke the SOCKS5 protocol");
    free(garbage);
}

/* A dead socket must not take the process with it. */
static void an_end_in_the_handshake_is_a_failure(void **state)
{
    (void)state;
    for (int when = 0; when < 3; when++) {
        for (int reset = 0; reset < 2; reset++) {
            begin(XF_TCP_CLIENT);
            if (when > 0) {
                assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
                hear(greeting, sizeof greeting);
            }
            if (when > 1)
                assert_int_equal(say(method, 1), XF_TCP_AGAIN);
            if (reset)
                rig_reset(peer);
            else
                close(peer);
            peer = -1;
            assert_true(rig_readable(xf_tcp_fd(tcp)));
            assert_int_equal(xf_tcp_step(tcp), XF_TCP_FAILED);
            if (reset)
                assert_ptr_equal(strstr(xf_tcp_text(tcp), "connection lost: "),
                                 xf_tcp_text(tcp));
            else
                assert_string_equal(xf_tcp_text(tcp), "connection closed");
            xf_tcp_free(tcp);
        }
    }
}

/* --- server -------------------------------------------------------------- */

/* Up to the question, in two parts, cut at `cut`; the file's bytes behind. */
static void server_hears(const char *all, size_t len, size_t cut)
{
    begin(XF_TCP_SERVER);
    assert_int_equal(xf_tcp_wants(tcp), XF_WANT_READ);
    if (cut > 0)
        assert_int_equal(say(all, cut), XF_TCP_AGAIN);
    assert_int_equal(rig_waiting(xf_tcp_fd(tcp)), 0);
    rig_send(peer, all + cut, len - cut);
    rig_send(peer, "data", 4);
    for (int i = 0;
         i < 1000 && rig_waiting(xf_tcp_fd(tcp)) != (int)(len - cut) + 4; i++)
        usleep(1000);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_ASKED);
    assert_int_equal(xf_tcp_wants(tcp), 0);
    assert_string_equal(xf_tcp_dstaddr(tcp), HASH);
    hear(method, sizeof method);
    xf_tcp_answer(tcp, XF_SOCKS5_OK);
    assert_int_equal(xf_tcp_wants(tcp), XF_WANT_WRITE);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_READY);
    hear(reply, REQUEST_LEN);
    assert_int_equal(rig_waiting(xf_tcp_fd(tcp)), 4);
    end();
}

static void a_request_may_be_cut_anywhere_and_data_stays_behind_it(void **state)
{
    char all[2 + 255 + REQUEST_LEN];

    (void)state;
    memcpy(all, greeting, 3);
    memcpy(all + 3, request, REQUEST_LEN);
    for (size_t cut = 0; cut < 3 + REQUEST_LEN; cut++)
        server_hears(all, 3 + REQUEST_LEN, cut);
    /* The longest greeting there is. */
    memset(all, 1, 2 + 255);
    all[0] = 5;
    all[1] = (char)255;
    all[2 + 254] = 0;
    memcpy(all + 2 + 255, request, REQUEST_LEN);
    for (size_t cut = 0; cut < 2 + 255 + REQUEST_LEN; cut++)
        server_hears(all, 2 + 255 + REQUEST_LEN, cut);
}

static void a_refusal_is_told_before_the_end(void **state)
{
    char expected[REQUEST_LEN];

    (void)state;
    memcpy(expected, reply, REQUEST_LEN);
    expected[1] = XF_SOCKS5_NOT_ALLOWED;
    begin(XF_TCP_SERVER);
    assert_int_equal(say(greeting, 3), XF_TCP_AGAIN);
    /* Bytes behind it would turn our close into a reset. */
    rig_send(peer, request, REQUEST_LEN);
    rig_send(peer, "early", 5);
    for (int i = 0; i < 1000 && rig_waiting(xf_tcp_fd(tcp)) < REQUEST_LEN + 5;
         i++)
        usleep(1000);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_ASKED);
    xf_tcp_answer(tcp, XF_SOCKS5_NOT_ALLOWED);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_FAILED);
    assert_string_equal(xf_tcp_text(tcp), "was refused");
    xf_tcp_free(tcp);
    hear(method, sizeof method);
    hear(expected, REQUEST_LEN);
    rig_assert_end(peer);
    close(peer);
}

static void server_answers(const char *bytes, size_t len, const char *answer,
                           size_t answer_len)
{
    begin(XF_TCP_SERVER);
    rig_send(peer, bytes, len);
    for (int i = 0; i < 1000 && rig_waiting(xf_tcp_fd(tcp)) < (int)len; i++)
        usleep(1000);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_FAILED);
    assert_true(xf_tcp_text(tcp)[0] != '\0');
    xf_tcp_free(tcp);
    hear(answer, answer_len);
    rig_assert_end(peer);
    close(peer);
}

static void what_is_not_for_us_gets_its_answer(void **state)
{
    (void)state;
    server_answers("\5\0", 2, "\5\377", 2);
    server_answers("\5\1\2", 3, "\5\377", 2);
    server_answers("\5\1\0\5\2\0\3", 7, "\5\0\5\7\0\1\0\0\0\0\0\0", 12);
    server_answers("\5\1\0\5\1\0\1", 7, "\5\0\5\10\0\1\0\0\0\0\0\0", 12);
    server_answers("\5\1\0\5\1\0\3\47", 8, "\5\0\5\1\0\1\0\0\0\0\0\0", 12);
    server_answers("\4\1", 2, "", 0);
}

/* --- both ---------------------------------------------------------------- */

static void the_two_of_us_understand_each_other(void **state)
{
    struct xf_tcp *client, *server;
    int fds[2];
    bool asked = false;

    (void)state;
    rig_connect(fds);
    assert_int_equal(xf_tcp_new(&client, fds[0], XF_TCP_CLIENT, HASH), 0);
    assert_int_equal(xf_tcp_new(&server, fds[1], XF_TCP_SERVER, NULL), 0);
    for (int i = 0; i < 1000 && (xf_tcp_step(client) != XF_TCP_READY ||
                                 xf_tcp_step(server) != XF_TCP_READY);
         i++) {
        if (xf_tcp_step(server) == XF_TCP_ASKED) {
            asked = true;
            assert_string_equal(xf_tcp_dstaddr(server), HASH);
            xf_tcp_answer(server, XF_SOCKS5_OK);
        }
        usleep(100);
    }
    assert_true(asked);
    assert_int_equal(xf_tcp_step(client), XF_TCP_READY);
    assert_int_equal(xf_tcp_step(server), XF_TCP_READY);
    xf_tcp_free(client);
    xf_tcp_free(server);
    xf_tcp_free(NULL);
}

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

static void no_delay_ends_with_the_handshake_keep_alive_stays(void **state)
{
    int fd;

    (void)state;
    begin(XF_TCP_CLIENT);
    fd = xf_tcp_fd(tcp);
    assert_int_not_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
    assert_int_equal(say(method, sizeof method), XF_TCP_AGAIN);
    assert_int_equal(say(reply, REQUEST_LEN), XF_TCP_READY);
    assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option(fd, SOL_SOCKET, SO_KEEPALIVE), 0);
    end();
}

static void a_loser_that_was_closed_is_not_alive(void **state)
{
    (void)state;
    begin(XF_TCP_SERVER);
    assert_true(xf_tcp_alive(tcp));
    rig_send(peer, greeting, 3);
    rig_send(peer, request, REQUEST_LEN);
    assert_true(rig_readable(xf_tcp_fd(tcp)));
    assert_true(xf_tcp_alive(tcp));
    for (int i = 0; i < 1000 && rig_waiting(xf_tcp_fd(tcp)) < 50; i++)
        usleep(1000);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_ASKED);
    xf_tcp_answer(tcp, XF_SOCKS5_OK);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_READY);
    assert_true(xf_tcp_alive(tcp));
    hear(method, 2);
    hear(reply, REQUEST_LEN);
    close(peer);
    peer = -1;
    assert_true(rig_readable(xf_tcp_fd(tcp)));
    assert_false(xf_tcp_alive(tcp));
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_READY);
    xf_tcp_free(tcp);
}

static void a_taken_descriptor_stays_open(void **state)
{
    int fd;

    (void)state;
    begin(XF_TCP_CLIENT);
    assert_int_equal(xf_tcp_step(tcp), XF_TCP_AGAIN);
    assert_int_equal(say(method, sizeof method), XF_TCP_AGAIN);
    assert_int_equal(say(reply, REQUEST_LEN), XF_TCP_READY);
    fd = xf_tcp_take_fd(tcp);
    assert_int_equal(xf_tcp_fd(tcp), -1);
    assert_false(xf_tcp_alive(tcp));
    end();
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    close(fd);
}

/* Each call fails in turn, or says "later"; it ends, ready or not. */
static void fail_at_each_call(int err)
{
    struct rig_gate gate = { .only = -1, .err = err };

    do {
        enum xf_tcp_status c = XF_TCP_AGAIN, s = XF_TCP_AGAIN;
        struct xf_tcp *client = NULL, *server = NULL;
        int fds[2];

        gate.fail++;
        rig_connect(fds);
        rig_gate_on(&gate);
        if (xf_tcp_new(&client, fds[0], XF_TCP_CLIENT, HASH) != 0)
            close(fds[0]);
        if (xf_tcp_new(&server, fds[1], XF_TCP_SERVER, NULL) != 0)
            close(fds[1]);
        for (int i = 0; i < 200 && client && server &&
                        (c < XF_TCP_READY || s < XF_TCP_READY);
             i++) {
            c = xf_tcp_step(client);
            s = xf_tcp_step(server);
            if (s == XF_TCP_ASKED)
                xf_tcp_answer(server, XF_SOCKS5_OK);
            if (s == XF_TCP_FAILED || c == XF_TCP_FAILED)
                break;
        }
        if (client && server && !gate.failed)
            assert_true(c == XF_TCP_READY && s == XF_TCP_READY);
        if (c == XF_TCP_FAILED)
            assert_true(xf_tcp_text(client)[0] != '\0');
        xf_tcp_free(client);
        xf_tcp_free(server);
        rig_gate_off();
    } while (gate.failed && gate.fail < 1000);
    assert_in_range(gate.fail, 15, 999);
}

static void no_failing_call_hangs_or_leaks(void **state)
{
    (void)state;
    fail_at_each_call(ECONNRESET);
    fail_at_each_call(ENOMEM);
    fail_at_each_call(EPIPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_TEST(a_client_says_two_messages_in_one_call_each),
        RIG_TEST(a_reply_may_be_cut_anywhere_and_data_stays_behind_it),
        RIG_TEST(a_reply_may_come_byte_by_byte),
        RIG_TEST(every_other_reply_is_a_failure),
        RIG_TEST(of_garbage_no_more_is_read_than_a_message_has),
        RIG_TEST(an_end_in_the_handshake_is_a_failure),
        RIG_TEST(a_request_may_be_cut_anywhere_and_data_stays_behind_it),
        RIG_TEST(a_refusal_is_told_before_the_end),
        RIG_TEST(what_is_not_for_us_gets_its_answer),
        RIG_TEST(the_two_of_us_understand_each_other),
        RIG_TEST(no_delay_ends_with_the_handshake_keep_alive_stays),
        RIG_TEST(a_loser_that_was_closed_is_not_alive),
        RIG_TEST(a_taken_descriptor_stays_open),
        RIG_TEST(no_failing_call_hangs_or_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
