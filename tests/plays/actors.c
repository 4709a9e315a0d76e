/* The raw TCP ends of a play: listeners, and who connects to ours. */
#include "play.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"

/* <linux/tcp.h> has more of it than libc, and does not live with libc's. */
#define DATA_SEGS_IN_AT 152

static struct play_actor *find(struct play *p, const char *name)
{
    for (size_t i = 0; i < p->actors_count; i++)
        if (strcmp(p->actors[i].name, name) == 0)
            return &p->actors[i];
    return NULL;
}

static struct play_actor *known(struct play *p, const char *name)
{
    struct play_actor *a = find(p, name);

    if (!a || (a->fd < 0 && !a->is_hole))
        play_fail(p, "there is no \"%s\"", name);
    return a;
}

static struct play_actor *enter(struct play *p, const char *name)
{
    struct play_actor *a = find(p, name);

    if (a && a->fd >= 0)
        play_fail(p, "\"%s\" is there already", name);
    if (!a) {
        assert_true(p->actors_count < PLAY_ACTORS);
        a = &p->actors[p->actors_count++];
    }
    *a = (struct play_actor){ .fd = -1 };
    snprintf(a->name, sizeof a->name, "%s", name);
    return a;
}

static void leave(struct play_actor *a)
{
    if (a->is_hole)
        talk_hole_close(&a->hole);
    else if (a->fd >= 0)
        close(a->fd);
    a->is_hole = false;
    a->fd = -1;
}

void play_actors_close(struct play *p)
{
    for (size_t i = 0; i < p->actors_count; i++)
        leave(&p->actors[i]);
}

/* --- connecting ------------------------------------------------------------------ */

static void tell_port(struct play *p, const struct play_actor *a, unsigned port)
{
    char name[40], value[16];

    snprintf(name, sizeof name, "%.20s.port", a->name);
    snprintf(value, sizeof value, "%u", port);
    play_set(p, name, value);
}

static void address(struct play *p, struct sockaddr_in *at, const char *host,
                    size_t port)
{
    *at = (struct sockaddr_in){ .sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port) };
    if (inet_pton(AF_INET, host, &at->sin_addr) != 1 ||
        ntohl(at->sin_addr.s_addr) >> 24 != 127)
        play_fail(p, "%s is no loopback address", host);
}

static int socket_new(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    return fd;
}

/* "listen [HOST [PORT]]" */
static void do_listen(struct play *p, struct play_actor *a, char *line)
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    const char *host = play_word(&line), *port = play_word(&line);
    int one = 1;

    address(p, &at, *host ? host : "127.0.0.1",
            *port ? play_number(p, port) : 0);
    a->fd = socket_new();
    a->listens = true;
    (void)setsockopt(a->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(a->fd, (struct sockaddr *)&at, len) != 0)
        play_fail(p, "cannot listen there: %s", strerror(errno));
    assert_int_equal(listen(a->fd, 8), 0);
    assert_int_equal(getsockname(a->fd, (struct sockaddr *)&at, &len), 0);
    tell_port(p, a, ntohs(at.sin_port));
}

static void do_hole(struct play *p, struct play_actor *a)
{
    talk_hole_open(&a->hole);
    a->is_hole = true;
    tell_port(p, a, (unsigned)play_number(p, strchr(a->hole.address, ':') + 1));
}

static bool late(struct play *p, int64_t end)
{
    play_turn(p);
    return talk_now() > end;
}

static void do_accept(struct play *p, struct play_actor *a, const char *name)
{
    struct play_actor *l = known(p, name);
    int64_t end = talk_now() + p->within_ms;

    while ((a->fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) <
           0)
        if (late(p, end))
            play_fail(p, "nobody connected");
}

static void do_connect(struct play *p, struct play_actor *a, char *line)
{
    struct sockaddr_in at;
    const char *host = play_word(&line);

    address(p, &at, host, play_number(p, play_word(&line)));
    a->fd = socket_new();
    /* Loopback: it is done when this returns, the answer may be a refusal. */
    if (connect(a->fd, (struct sockaddr *)&at, sizeof at) != 0 &&
        errno != EINPROGRESS)
        play_fail(p, "cannot connect: %s", strerror(errno));
}

/* --- bytes --------------------------------------------------------------------------- */

/* "A B" of the file; returns their count. */
static size_t range_of(struct play *p, char *line, const char **out)
{
    size_t from = play_number(p, play_word(&line));
    size_t to = play_number(p, play_word(&line));

    if (from > to || to > p->file_len)
        play_fail(p, "no such bytes");
    *out = p->file + from;
    return to - from;
}

/* 05 01 "text" file A B into bytes; returns their count. */
static size_t read_bytes(struct play *p, char *text, char out[PLAY_LINE])
{
    size_t len = 0;
    const char *part;

    while (*text) {
        char pair[3] = { text[0], text[1], '\0' };

        if (*text == ' ') {
            text++;
        } else if (*text == '"') {
            for (text++; *text && *text != '"'; text++)
                out[len++] = *text;
            text += *text == '"';
        } else if (play_takes(&text, "file")) {
            size_t more = range_of(p, text, &part);

            assert_true(len + more <= PLAY_LINE);
            memcpy(out + len, part, more);
            return len + more;
        } else if (xf_unhex(pair, out + len, 1)) {
            len++;
            text += 2;
        } else {
            play_fail(p, "\"%s\" are no bytes", text);
        }
    }
    return len;
}

/* Bytes, or as much of the file as one likes; static, or the file's. */
static size_t bytes_of(struct play *p, char *line, const char **out)
{
    static char bytes[PLAY_LINE];

    if (play_takes(&line, "file"))
        return range_of(p, line, out);
    *out = bytes;
    return read_bytes(p, line, bytes);
}

static void do_send(struct play *p, struct play_actor *a, char *line)
{
    bool slowly = play_takes(&line, "slowly");
    int64_t end = talk_now() + p->within_ms;
    const char *bytes;
    size_t len = bytes_of(p, line, &bytes);

    while (len > 0) {
        ssize_t n = send(a->fd, bytes, slowly ? 1 : len, MSG_NOSIGNAL);

        if (n < 0 && errno != EAGAIN)
            play_fail(p, "cannot send: %s", strerror(errno));
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        }
        if ((slowly || n < 0) && late(p, end))
            play_fail(p, "our side does not read");
    }
}

/* The next bytes; less than `len` only at the end. */
static size_t receive(struct play *p, struct play_actor *a, char *to,
                      size_t len)
{
    int64_t end = talk_now() + p->within_ms;
    size_t got = 0;

    while (got < len) {
        ssize_t n = recv(a->fd, to + got, len - got, 0);

        if (n > 0)
            got += (size_t)n;
        else if (n == 0)
            break;
        else if (errno != EAGAIN)
            play_fail(p, "after %zu bytes: %s", got, strerror(errno));
        else if (late(p, end))
            play_fail(p, "only %zu bytes came of %zu", got, len);
    }
    return got;
}

static void do_read(struct play *p, struct play_actor *a, char *line)
{
    const char *bytes;
    size_t len = bytes_of(p, line, &bytes), got;
    char *seen = malloc(len + 1), hex[2 * 64 + 1];

    assert_non_null(seen);
    got = receive(p, a, seen, len);
    if (got != len || memcmp(seen, bytes, len) != 0) {
        xf_hex(seen, got < 64 ? got : 64, hex);
        free(seen);
        play_fail(p, "%zu of %zu bytes came: %s", got, len, hex);
    }
    free(seen);
}

static void do_ended(struct play *p, struct play_actor *a)
{
    int64_t end = talk_now() + p->within_ms;
    char byte;
    ssize_t n;

    while ((n = recv(a->fd, &byte, 1, 0)) < 0 && errno == EAGAIN)
        if (late(p, end))
            play_fail(p, "it is still open");
    if (n > 0)
        play_fail(p, "%02x came", (unsigned char)byte);
}

static void do_quiet(struct play *p, struct play_actor *a, int ms)
{
    int64_t end = talk_now() + ms;
    char byte;

    while (!late(p, end))
        if (recv(a->fd, &byte, 1, MSG_PEEK) >= 0)
            play_fail(p, "something came");
}

/* So many segments with data have come so far: one for each write. */
static void do_segments(struct play *p, struct play_actor *a, size_t want)
{
    char info[256] = { 0 };
    socklen_t len = sizeof info;
    uint32_t segments;

    assert_int_equal(getsockopt(a->fd, IPPROTO_TCP, TCP_INFO, info, &len), 0);
    if (len < DATA_SEGS_IN_AT + sizeof segments)
        return;
    memcpy(&segments, info + DATA_SEGS_IN_AT, sizeof segments);
    if (segments != want)
        play_fail(p, "%u segments came", segments);
}

static void do_alone(struct play *p, struct play_actor *a)
{
    int fd = accept4(a->fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    close(fd);
    play_fail(p, "somebody connected");
}

static void reset(struct play_actor *a)
{
    struct linger now = { 1, 0 };

    (void)setsockopt(a->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    leave(a);
}

/* --- the lines ------------------------------------------------------------------------- */

static bool enters(struct play *p, const char *name, char *line)
{
    if (play_takes(&line, "listen"))
        do_listen(p, enter(p, name), line);
    else if (play_takes(&line, "hole"))
        do_hole(p, enter(p, name));
    else if (play_takes(&line, "accept"))
        do_accept(p, enter(p, name), play_word(&line));
    else if (play_takes(&line, "connect"))
        do_connect(p, enter(p, name), line);
    else
        return false;
    return true;
}

void play_tcp(struct play *p, char *line)
{
    const char *name = play_word(&line);
    struct play_actor *a;

    if (enters(p, name, line))
        return;
    a = known(p, name);
    if (play_takes(&line, "send"))
        do_send(p, a, line);
    else if (play_takes(&line, "read"))
        do_read(p, a, line);
    else if (play_takes(&line, "segments"))
        do_segments(p, a, play_number(p, play_word(&line)));
    else if (play_takes(&line, "ended"))
        do_ended(p, a);
    else if (play_takes(&line, "quiet"))
        do_quiet(p, a, play_ms(p, play_word(&line)));
    else if (play_takes(&line, "alone"))
        do_alone(p, a);
    else if (play_takes(&line, "shut"))
        (void)shutdown(a->fd, SHUT_WR);
    else if (play_takes(&line, "close"))
        leave(a);
    else if (play_takes(&line, "reset"))
        reset(a);
    else
        play_fail(p, "tcp cannot do that");
}
