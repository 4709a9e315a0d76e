/* What a line of a play does, but for sockets and blocks. */
#include "play.h"

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/digest.h"

#define SETTLE_TURNS 6

/* --- what is said ------------------------------------------------------------------ */

void play_say(struct play *p, const char *xml)
{
    play_log(p, ">", xml);
    if (talk_feed(p->t, R, "%s", xml) < 0)
        play_fail(p, "it is no stanza: %s", xml);
}

static void say(struct play *p, const char *text)
{
    char *xml = play_expand(p, text);

    play_say(p, xml);
    free(xml);
    play_turn(p);
}

char *play_next_said(struct play *p)
{
    int64_t end = talk_now() + p->within_ms;
    char *xml;

    while (p->said_count == 0) {
        play_turn(p);
        if (p->said_count == 0 && talk_now() > end)
            play_fail(p, "nothing was said");
    }
    xml = p->said[0];
    p->said_count--;
    memmove(p->said, p->said + 1, p->said_count * sizeof *p->said);
    return xml;
}

static void hear(struct play *p, const char *pattern)
{
    char *xml = play_next_said(p);

    if (!play_match(p, pattern, xml))
        play_fail(p, "said was:\n%s", xml);
    free(xml);
}

/* Whichever of what we say; what else is said stays. */
static void hear_any(struct play *p, const char *pattern)
{
    int64_t end = talk_now() + p->within_ms;

    for (;;) {
        for (size_t i = 0; i < p->said_count; i++) {
            if (!play_match(p, pattern, p->said[i]))
                continue;
            free(p->said[i]);
            p->said_count--;
            memmove(p->said + i, p->said + i + 1,
                    (p->said_count - i) * sizeof *p->said);
            return;
        }
        play_turn(p);
        if (talk_now() > end)
            play_fail(p, "it was not said");
    }
}

static void silence(struct play *p, int ms)
{
    int64_t end = talk_now() + ms;

    do {
        play_turn(p);
        if (p->said_count)
            play_fail(p, "said was:\n%s", p->said[0]);
    } while (talk_now() < end);
}

static void wait_for(struct play *p, int ms)
{
    int64_t end = talk_now() + ms;

    do {
        play_turn(p);
    } while (talk_now() < end);
}

/* "700ms > <iq ..." */
static void say_late(struct play *p, char *line)
{
    int ms = play_ms(p, play_word(&line));

    if (!play_takes(&line, ">") || p->late)
        play_fail(p, "what is late?");
    p->late = play_expand(p, line);
    p->late_at = talk_now() + ms;
}

/* --- files ----------------------------------------------------------------------------- */

static void load_file(struct play *p, const char *name, size_t size)
{
    const char *path = talk_file(p->t, name, size);
    FILE *f = fopen(path, "r");
    char number[32];

    assert_non_null(f);
    free(p->file);
    p->file = malloc(size + 1);
    assert_non_null(p->file);
    assert_int_equal(fread(p->file, 1, size, f), size);
    fclose(f);
    p->file_len = size;
    snprintf(p->file_name, sizeof p->file_name, "%s", name);
    snprintf(number, sizeof number, "%zu", size);
    play_set(p, "size", number);
    play_set(p, "name", name);
}

static void set_md5(struct play *p)
{
    unsigned char sum[XF_DIGEST_MAX];
    char hex[33];

    assert_true(xf_digest_of(XF_DIGEST_MD5, p->file, p->file_len, sum));
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    play_set(p, "md5", hex);
    for (char *c = hex; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    play_set(p, "MD5", hex);
}

/* --- what we do -------------------------------------------------------------------------- */

/* "send NAME SIZE [hash md5] [desc TEXT]" */
static void we_send(struct play *p, char *line)
{
    struct xf_offer_options options = { 0 };
    char path[TALK_PATH + 512];
    const char *name = play_word(&line);

    load_file(p, name, play_number(p, play_word(&line)));
    set_md5(p);
    while (*line) {
        if (play_takes(&line, "hash"))
            options.hash = play_word(&line);
        else if (play_takes(&line, "desc"))
            options.desc = play_word(&line);
        else
            play_fail(p, "we cannot send so");
    }
    snprintf(path, sizeof path, "%s/%s", p->t->out, name);
    assert_int_equal(xf_offer_file(p->t->side[R].s, play_get(p, "peer"), path,
                                   &options, &p->t->sent),
                     0);
    p->transfers++;
}

static void we(struct play *p, char *line)
{
    if (play_takes(&line, "ask")) {
        p->t->by_hand = true;
        return;
    }
    play_begin(p);
    if (play_takes(&line, "send"))
        we_send(p, line);
    else if (play_takes(&line, "accept"))
        assert_int_equal(
            xf_transfer_accept(p->t->offered, p->t->in_fd, XF_EXISTS_RENAME),
            0);
    else if (play_takes(&line, "decline"))
        assert_int_equal(xf_transfer_decline(p->t->offered, XF_E_DECLINED,
                                             *line ? line : NULL),
                         0);
    else if (play_takes(&line, "cancel"))
        xf_transfer_cancel(p->t->sent ? p->t->sent : p->t->offered);
    else
        play_fail(p, "we cannot do that");
}

static void they(struct play *p, char *line)
{
    const char *name;

    if (!play_takes(&line, "have"))
        play_fail(p, "they cannot do that");
    name = play_word(&line);
    load_file(p, name, play_number(p, play_word(&line)));
    set_md5(p);
}

/* --- settings ------------------------------------------------------------------------------ */

static enum xf_via via_of(struct play *p, const char *word)
{
    static const char *const names[] = { "", "direct", "proxy", "ibb" };

    for (int i = XF_VIA_DIRECT; i <= XF_VIA_IBB; i++)
        if (strcmp(word, names[i]) == 0)
            return (enum xf_via)i;
    play_fail(p, "\"%s\" is no way", word);
}

static void config_via(struct play *p, struct xf_config *config, char *line)
{
    for (size_t i = 0; i < 3; i++)
        config->via[i] = *line ? via_of(p, play_word(&line)) : XF_VIA_NONE;
}

/* Kept to the end: the configuration is copied only then. */
static const char *kept(struct play *p, const char *key, char *line)
{
    char *value = play_expand(p, line);

    play_set(p, key, value);
    free(value);
    return play_get(p, key);
}

static void config_addresses(struct play *p, struct xf_config *config,
                             char *line)
{
    for (size_t i = 0; *line; i++) {
        char key[32], *word = strdup(play_word(&line));

        assert_true(word && i < XF_LIST_MAX);
        snprintf(key, sizeof key, "config address %zu", i);
        config->addresses[i] = kept(p, key, word);
        free(word);
    }
}

static void config(struct play *p, char *line)
{
    struct xf_config *c = &p->t->side[R].config;

    if (p->begun)
        play_fail(p, "too late for that");
    if (play_takes(&line, "timeout"))
        c->timeout_ms = play_ms(p, line);
    else if (play_takes(&line, "stall"))
        c->stall_ms = play_ms(p, line);
    else if (play_takes(&line, "via"))
        config_via(p, c, line);
    else if (play_takes(&line, "proxy"))
        c->proxies[0] = kept(p, "config proxy", line);
    else if (play_takes(&line, "server"))
        c->server = kept(p, "config server", line);
    else if (play_takes(&line, "address"))
        c->addresses[0] = kept(p, "config address", line);
    else if (play_takes(&line, "addresses"))
        config_addresses(p, c, line);
    else if (play_takes(&line, "dialect"))
        c->dialect = kept(p, "config dialect", line);
    else if (play_takes(&line, "block"))
        c->block_size = (uint32_t)play_number(p, line);
    else if (play_takes(&line, "messages"))
        c->stanza = XF_STANZA_MESSAGE;
    else
        play_fail(p, "no such setting");
}

/* "hash SID INITIATOR TARGET": DST.ADDR becomes {hash}. */
static void hash(struct play *p, char *line)
{
    char *sid = play_expand(p, play_word(&line));
    char *initiator = play_expand(p, play_word(&line));
    char *target = play_expand(p, play_word(&line));
    char out[XF_DSTADDR_LEN + 1];

    assert_true(xf_dstaddr(sid, initiator, target, out));
    play_set(p, "hash", out);
    for (char *c = out; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    play_set(p, "HASH", out);
    free(sid);
    free(initiator);
    free(target);
}

/* "NAME VALUE" */
static void set(struct play *p, char *line)
{
    const char *name = play_word(&line);
    char *value = play_expand(p, line);

    play_set(p, name, value);
    free(value);
}

/* --- what is expected ------------------------------------------------------------------------ */

struct want {
    enum xf_event_type type;
    enum xf_via via;         /* NONE: any */
    enum xf_attempt attempt; /* of ATTEMPT */
    int code;                /* of FAILED; -1: any */
    uint32_t block;          /* 0: any */
    const char *host;        /* NULL: any */
    const char *text;        /* which stands in the event's */
};

static bool is_wanted(const struct talk_note *n, const struct want *w)
{
    return n->type == w->type && (w->via == XF_VIA_NONE || n->via == w->via) &&
           (n->type != XF_EVENT_ATTEMPT || n->attempt == w->attempt) &&
           (w->code < 0 || n->code == w->code) &&
           (w->block == 0 || n->block_size == w->block) &&
           (!w->host || strcmp(n->host, w->host) == 0) &&
           (!w->text || strstr(n->text, w->text));
}

static bool seen(struct play *p, const struct want *w)
{
    const struct talk_side *side = &p->t->side[R];

    for (size_t i = 0; i < side->notes_count; i++) {
        if (p->noted[i] || !is_wanted(&side->notes[i], w))
            continue;
        p->noted[i] = true;
        return true;
    }
    return false;
}

static int code_of(struct play *p, const char *name)
{
    for (int code = 0; code <= XF_E_INTERNAL; code++)
        if (strcmp(xf_error_name(code), name) == 0)
            return code;
    play_fail(p, "\"%s\" is no code", name);
}

static void want_attempt(struct play *p, struct want *w, char *line)
{
    static const char *const names[] = { "trying", "failed", "open" };
    const char *state;

    w->via = via_of(p, play_word(&line));
    state = play_word(&line);
    for (int i = XF_ATTEMPT_TRYING; i <= XF_ATTEMPT_OPEN; i++)
        if (strcmp(state, names[i]) == 0)
            w->attempt = (enum xf_attempt)i;
    if (play_takes(&line, "block"))
        w->block = (uint32_t)play_number(p, play_word(&line));
    if (play_takes(&line, "host"))
        w->host = play_word(&line);
    if (*line)
        w->text = line;
}

static bool read_want(struct play *p, struct want *w, char *line)
{
    *w = (struct want){ .code = -1 };
    if (play_takes(&line, "offer")) {
        w->type = XF_EVENT_OFFER;
    } else if (play_takes(&line, "offered")) {
        w->type = XF_EVENT_OFFERED;
    } else if (play_takes(&line, "accepted")) {
        w->type = XF_EVENT_ACCEPTED;
    } else if (play_takes(&line, "done")) {
        w->type = XF_EVENT_DONE;
        if (*line)
            w->via = via_of(p, play_word(&line));
    } else if (play_takes(&line, "failed")) {
        w->type = XF_EVENT_FAILED;
        w->code = code_of(p, play_word(&line));
        w->text = *line ? line : NULL;
    } else if (play_takes(&line, "attempt")) {
        w->type = XF_EVENT_ATTEMPT;
        want_attempt(p, w, line);
    } else {
        return false;
    }
    return true;
}

static void expect_event(struct play *p, char *line)
{
    int64_t end = talk_now() + p->within_ms;
    struct want w;

    if (!read_want(p, &w, line))
        play_fail(p, "nothing to expect");
    while (!seen(p, &w)) {
        play_turn(p);
        if (talk_now() > end)
            play_fail(p, "it did not happen");
    }
}

static void expect(struct play *p, char *line)
{
    const struct talk_note *n = talk_note(p->t, R, XF_EVENT_DONE, 1);

    if (play_takes(&line, "file whole"))
        talk_check_same(p->t, p->file_name, *line ? line : p->file_name);
    else if (play_takes(&line, "no file"))
        talk_check_nothing(p->t);
    else if (play_takes(&line, "verified"))
        assert_int_equal(n ? n->verified : XF_MISMATCH, XF_VERIFIED);
    else if (play_takes(&line, "not verified"))
        assert_int_equal(n ? n->verified : XF_MISMATCH, XF_NOT_VERIFIED);
    else
        expect_event(p, line);
}

/* --- the lines --------------------------------------------------------------------------------- */

/* Settings of the play itself: before there is a session. */
static bool prepare(struct play *p, char *line)
{
    if (play_takes(&line, "peer"))
        play_set(p, "peer", line);
    else if (play_takes(&line, "me"))
        play_set(p, "me", line);
    else if (play_takes(&line, "knows"))
        play_set(p, "knows", line);
    else if (play_takes(&line, "version"))
        play_set(p, "version", line);
    else if (play_takes(&line, "set"))
        set(p, line);
    else if (play_takes(&line, "hash"))
        hash(p, line);
    else if (play_takes(&line, "config"))
        config(p, line);
    else if (play_takes(&line, "they"))
        they(p, line);
    else if (play_takes(&line, "we"))
        we(p, line);
    else if (play_takes(&line, "within"))
        p->within_ms = play_ms(p, line);
    else
        return false;
    return true;
}

void play_line(struct play *p, char *line)
{
    if (prepare(p, line))
        return;
    play_begin(p);
    if (play_takes(&line, "<"))
        hear(p, line);
    else if (play_takes(&line, "<~"))
        hear_any(p, line);
    else if (play_takes(&line, ">"))
        say(p, line);
    else if (play_takes(&line, "late"))
        say_late(p, line);
    else if (play_takes(&line, "wait"))
        wait_for(p, play_ms(p, line));
    else if (play_takes(&line, "silence"))
        silence(p, play_ms(p, line));
    else if (play_takes(&line, "blocks"))
        play_blocks(p, line);
    else if (play_takes(&line, "take"))
        play_take(p, line);
    else if (play_takes(&line, "expect"))
        expect(p, line);
    else if (play_takes(&line, "tcp")) {
        char *expanded = play_expand(p, line);

        play_tcp(p, expanded);
        free(expanded);
    } else
        play_fail(p, "what is that?");
    p->within_ms = PLAY_MS;
}
