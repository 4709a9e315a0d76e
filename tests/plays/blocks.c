/* Many blocks in one line of a play: those we say and those the peer says. */
#include "play.h"

#include <unistd.h>

#include "base/encode.h"

/* "FROM TO of SIZE [seq S] [wrap W] [window K] [messages] [late MS]" */
struct run {
    size_t from, to, size;
    unsigned seq, wrap, window;
    bool messages;
    int late_ms;
};

static void read_run(struct play *p, char *line, struct run *r)
{
    *r = (struct run){ .wrap = 65536, .window = 1 };
    r->from = play_number(p, play_word(&line));
    r->to = play_number(p, play_word(&line));
    while (*line) {
        if (play_takes(&line, "of"))
            r->size = play_number(p, play_word(&line));
        else if (play_takes(&line, "seq"))
            r->seq = (unsigned)play_number(p, play_word(&line));
        else if (play_takes(&line, "wrap"))
            r->wrap = (unsigned)play_number(p, play_word(&line));
        else if (play_takes(&line, "window"))
            r->window = (unsigned)play_number(p, play_word(&line));
        else if (play_takes(&line, "messages"))
            r->messages = true;
        else if (play_takes(&line, "late"))
            r->late_ms = play_ms(p, play_word(&line));
        else
            play_fail(p, "blocks have no \"%s\"", line);
    }
    if (r->size == 0 || r->from > r->to || r->to > p->file_len)
        play_fail(p, "no such blocks");
}

static void tell_seq(struct play *p, unsigned seq)
{
    char number[16];

    snprintf(number, sizeof number, "%u", seq);
    play_set(p, "seq", number);
}

/* --- the peer's ---------------------------------------------------------------------- */

static void say_block(struct play *p, const struct run *r, unsigned seq,
                      size_t at, size_t len)
{
    const char *kind = r->messages ? "message" : "iq";
    char *text = malloc(XF_BASE64_LEN(len) + 1), *xml;

    assert_non_null(text);
    xf_base64_encode(p->file + at, len, text);
    text[XF_BASE64_LEN(len)] = '\0';
    assert_true(asprintf(&xml,
                         "<%s id='block-%zu' from='%s' to='%s'%s><data "
                         "xmlns='http://jabber.org/protocol/ibb' sid='%s' "
                         "seq='%u'>%s</data></%s>",
                         kind, at, play_get(p, "peer"), play_get(p, "me"),
                         r->messages ? "" : " type='set'", play_get(p, "sid"),
                         seq, text, kind) > 0);
    play_say(p, xml);
    free(xml);
    free(text);
}

static void hear_ack(struct play *p, size_t at)
{
    char id[40], *xml = play_next_said(p);

    snprintf(id, sizeof id, "block-%zu", at);
    if (strcmp(talk_attr(xml, NULL, "id"), id) != 0 ||
        strcmp(talk_attr(xml, NULL, "type"), "result") != 0)
        play_fail(p, "block at %zu: said was\n%s", at, xml);
    free(xml);
}

void play_blocks(struct play *p, char *line)
{
    struct run r;
    size_t acked, at;
    unsigned seq;

    read_run(p, line, &r);
    seq = r.seq;
    acked = at = r.from;
    while (at < r.to) {
        size_t len = r.to - at < r.size ? r.to - at : r.size;

        say_block(p, &r, seq, at, len);
        seq = (seq + 1) % r.wrap;
        at += len;
        play_turn(p);
        for (; !r.messages && at - acked >= r.window * r.size; acked += r.size)
            hear_ack(p, acked);
        if (r.late_ms)
            usleep((unsigned)r.late_ms * 1000);
    }
    for (; !r.messages && acked < at; acked += r.size)
        hear_ack(p, acked);
    tell_seq(p, seq);
}

/* --- ours -------------------------------------------------------------------------------- */

/* Its bytes are the file's at `at`; returns how many. */
static size_t check_block(struct play *p, const struct run *r, const char *xml,
                          unsigned seq, size_t at)
{
    const char *text = strstr(xml, "<data "), *end;
    char *bytes;
    ssize_t len;

    if (!text || strncmp(xml, r->messages ? "<message" : "<iq", 3) != 0)
        play_fail(p, "no block, but:\n%.400s", xml);
    if ((unsigned)play_number(p, talk_attr(xml, "data", "seq")) != seq)
        play_fail(p, "seq %s and not %u", talk_attr(xml, "data", "seq"), seq);
    if (strcmp(talk_attr(xml, "data", "sid"), play_get(p, "sid")) != 0)
        play_fail(p, "another sid: %.400s", xml);
    text = strchr(text, '>') + 1;
    end = strchr(text, '<');
    bytes = malloc(XF_BASE64_BYTES((size_t)(end - text)) + 1);
    assert_non_null(bytes);
    len = xf_base64_decode(text, (size_t)(end - text), bytes);
    if (len <= 0 || (size_t)len > r->size || at + (size_t)len > p->file_len ||
        memcmp(bytes, p->file + at, (size_t)len) != 0)
        play_fail(p, "not the bytes at %zu, or more than %zu", at, r->size);
    free(bytes);
    return (size_t)len;
}

static void acknowledge(struct play *p, const char *xml)
{
    char *reply;

    assert_true(asprintf(&reply,
                         "<iq type='result' id='%s' from='%s' to='%s'/>",
                         talk_attr(xml, NULL, "id"), play_get(p, "peer"),
                         play_get(p, "me")) > 0);
    play_say(p, reply);
    free(reply);
}

static void see_window(struct play *p, const struct run *r)
{
    if (r->late_ms) {
        int64_t end = talk_now() + r->late_ms;

        while (talk_now() < end)
            play_turn(p);
    }
    if (p->said_count >= r->window)
        play_fail(p, "%zu blocks are under way, %u may", p->said_count + 1,
                  r->window);
}

void play_take(struct play *p, char *line)
{
    struct run r;
    size_t at;
    unsigned seq;

    read_run(p, line, &r);
    seq = r.seq;
    for (at = r.from; at < r.to; seq = (seq + 1) % r.wrap) {
        char *xml = play_next_said(p);

        at += check_block(p, &r, xml, seq, at);
        if (!r.messages) {
            see_window(p, &r);
            acknowledge(p, xml);
        }
        free(xml);
    }
    tell_seq(p, seq);
}
