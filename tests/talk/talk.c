/* The harness of the talks; see the header. */
#include "talk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>

#define POLL_MS 20 /* so that delayed stanzas are not forgotten */
#define TALK_TURNS 20

int64_t talk_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

unsigned talk_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* --- beginning and end --------------------------------------------------------- */

/* Loaded once by the process and never given back: not a leak of ours. */
static void warm_up(void)
{
    static bool warm;
    struct xf_session *s;
    struct xf_config config;

    if (warm)
        return;
    warm = true;
    xf_config_init(&config);
    assert_int_equal(xf_session_new_attached(&s, &config), 0);
    xf_session_free(s);
}

struct talk *talk_new(void)
{
    struct talk *t = calloc(1, sizeof *t);
    const char *tmp = getenv("TMPDIR");

    assert_non_null(t);
    warm_up();
    t->fds = talk_fds();
    snprintf(t->dir, sizeof t->dir, "%s/xferry-talk-XXXXXX",
             tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(t->dir));
    assert_true(snprintf(t->in, sizeof t->in, "%s/in", t->dir) <
                (int)sizeof t->in);
    assert_true(snprintf(t->out, sizeof t->out, "%s/out", t->dir) <
                (int)sizeof t->out);
    assert_int_equal(mkdir(t->in, 0700), 0);
    assert_int_equal(mkdir(t->out, 0700), 0);
    t->in_fd = open(t->in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t->in_fd >= 0);
    t->side[R].jid = ROMEO;
    t->side[J].jid = JULIET;
    for (int i = 0; i < TALK_SIDES; i++) {
        xf_config_init(&t->side[i].config);
        t->side[i].config.server = "127.0.0.1";
        t->side[i].config.timeout_ms = 2000;
        t->side[i].config.workers = 0;
    }
    return t;
}

void talk_begin(struct talk *t)
{
    for (int i = 0; i < TALK_SIDES; i++) {
        struct talk_side *side = &t->side[i];

        assert_int_equal(xf_session_new_attached(&side->s, &side->config), 0);
        assert_int_equal(xf_session_attach(side->s, side->jid), 0);
    }
}

void talk_kill(struct talk *t, enum talk_who who)
{
    struct talk_on_its_way **at = &t->way;

    xf_session_free(t->side[who].s);
    t->side[who].s = NULL;
    while (*at) {
        struct talk_on_its_way *one = *at;

        if (one->from != who) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        free(one->xml);
        free(one);
    }
}

void talk_again(struct talk *t, enum talk_who who)
{
    struct talk_side *side = &t->side[who];

    assert_null(side->s);
    assert_int_equal(xf_session_new_attached(&side->s, &side->config), 0);
    assert_int_equal(xf_session_attach(side->s, side->jid), 0);
}

static void empty_dir(const char *path, bool parts_too)
{
    DIR *dir = opendir(path);
    struct dirent *e;

    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (!parts_too) {
            assert_null(strstr(e->d_name, ".part"));
            assert_null(strstr(e->d_name, ".journal"));
        }
        assert_int_equal(unlinkat(dirfd(dir), e->d_name, 0), 0);
    }
    closedir(dir);
    assert_int_equal(rmdir(path), 0);
}

void talk_free(struct talk *t)
{
    for (int i = 0; i < TALK_SIDES; i++)
        xf_session_free(t->side[i].s);
    talk_proxy_free(t->proxy);
    talk_relay_free(t->relay);
    close(t->in_fd);
    assert_int_equal(talk_fds(), t->fds);
    empty_dir(t->in, t->parts_stay);
    empty_dir(t->out, true);
    assert_int_equal(rmdir(t->dir), 0);
    for (size_t i = 0; i < t->trail_count; i++)
        free(t->trail[i].xml);
    while (t->way) {
        struct talk_on_its_way *one = t->way;

        t->way = one->next;
        free(one->xml);
        free(one);
    }
    free(t);
}

/* --- the script ------------------------------------------------------------------ */

struct talk_rule *talk_rule(struct talk *t, enum talk_who from,
                            const char *match, unsigned nth, enum talk_do what)
{
    struct talk_rule *rule = &t->rules[t->rules_count++];

    assert_true(t->rules_count <= TALK_RULES);
    *rule = (struct talk_rule){
        .from = from, .match = match, .nth = nth, .what = what
    };
    return rule;
}

void talk_alter(struct talk *t, enum talk_who from, const char *match,
                unsigned nth, const char *find, const char *with)
{
    struct talk_rule *rule = talk_rule(t, from, match, nth, TALK_ALTER);

    rule->find = find;
    rule->with = with;
}

void talk_error(struct talk *t, enum talk_who from, const char *match,
                unsigned nth, const char *error)
{
    talk_rule(t, from, match, nth, TALK_ERROR)->with = error;
}

void talk_call(struct talk *t, enum talk_who from, const char *match,
               unsigned nth, void (*call)(struct talk *t, const char *xml))
{
    talk_rule(t, from, match, nth, TALK_CALL)->call = call;
}

/* --- text -------------------------------------------------------------------------- */

const char *talk_attr(const char *xml, const char *tag, const char *name)
{
    static char out[8][2048];
    static unsigned next;
    char *to = out[next++ % 8];
    char key[64];
    const char *at = xml, *end, *value;

    to[0] = '\0';
    if (tag) {
        snprintf(key, sizeof key, "<%s ", tag);
        at = strstr(xml, key);
    }
    end = at ? strchr(at, '>') : NULL;
    if (!end)
        return to;
    snprintf(key, sizeof key, " %s=", name);
    value = strstr(at, key);
    if (!value || value > end)
        return to;
    value += strlen(key) + 1;
    end = strchr(value, value[-1]);
    assert_non_null(end);
    assert_true(end - value < 2048);
    memcpy(to, value, (size_t)(end - value));
    to[end - value] = '\0';
    return to;
}

static char *replace(const char *xml, const char *find, const char *with)
{
    char *out = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&out, &len);
    const char *at;

    assert_non_null(f);
    while ((at = strstr(xml, find)) != NULL) {
        fprintf(f, "%.*s%s", (int)(at - xml), xml, with);
        xml = at + strlen(find);
    }
    fputs(xml, f);
    fclose(f);
    return out;
}

__attribute__((format(printf, 1, 0))) static char *format_text(
    const char *format, va_list args)
{
    char *xml;

    assert_true(vasprintf(&xml, format, args) >= 0);
    return xml;
}

const char *const talk_stranger =
    "<identity category='client' type='pc' name='Unheard-of'/>"
    "<feature var='http://jabber.org/protocol/si'/>"
    "<feature var='http://jabber.org/protocol/si/profile/file-transfer'/>"
    "<feature var='http://jabber.org/protocol/bytestreams'/>"
    "<feature var='http://jabber.org/protocol/ibb'/>";

/* --- delivery ------------------------------------------------------------------------ */

static enum talk_who other(enum talk_who who)
{
    return who == R ? J : R;
}

static int feed(struct talk *t, enum talk_who to, const char *xml)
{
    struct talk_side *side = &t->side[to];

    side->fed = side->s ? xf_session_feed(side->s, xml, strlen(xml)) : 0;
    return side->fed;
}

int talk_feed(struct talk *t, enum talk_who to, const char *format, ...)
{
    va_list args;
    char *xml;
    int fed;

    va_start(args, format);
    xml = format_text(format, args);
    va_end(args);
    fed = feed(t, to, xml);
    free(xml);
    return fed;
}

/* What an embedder answers to disco#info, with our features in it. */
static void answer_info(struct talk *t, enum talk_who who, const char *xml)
{
    const char *info = t->side[who].info;
    char features[2048] = "<identity category='client' type='console'/>";
    const char *var;

    if (info && !*info)
        return;
    for (size_t i = 0; !info && (var = xf_feature(i)) != NULL; i++) {
        size_t used = strlen(features);

        snprintf(features + used, sizeof features - used, "<feature var='%s'/>",
                 var);
    }
    talk_feed(t, other(who),
              "<iq type='result' id='%s' from='%s' to='%s'>"
              "<query xmlns='http://jabber.org/protocol/disco#info'>%s"
              "</query></iq>",
              talk_attr(xml, NULL, "id"), t->side[who].jid,
              t->side[other(who)].jid, info ? info : features);
}

static void answer_error(struct talk *t, enum talk_who to, const char *xml,
                         const char *error)
{
    talk_feed(t, to, "<iq type='error' id='%s' from='%s' to='%s'>%s</iq>",
              talk_attr(xml, NULL, "id"), talk_attr(xml, NULL, "to"),
              t->side[to].jid, error);
}

#define UNAVAILABLE                                                            \
    "<error type='cancel'><service-unavailable "                               \
    "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

/* Neither for Romeo nor for Juliet: a server's or a service's to answer. */
static void to_third(struct talk *t, enum talk_who from, const char *xml)
{
    const char *type = talk_attr(xml, NULL, "type");

    if (strncmp(xml, "<iq", 3) != 0 ||
        (strcmp(type, "get") != 0 && strcmp(type, "set") != 0))
        return;
    if (t->proxy && strcmp(talk_attr(xml, NULL, "to"), PROXY) == 0)
        talk_feed(t, from, "%s", talk_proxy_answer(t->proxy, xml));
    else
        answer_error(t, from, xml, UNAVAILABLE);
}

static void deliver(struct talk *t, enum talk_who from, size_t at,
                    const char *xml)
{
    enum talk_who to = other(from);
    const char *type = talk_attr(xml, NULL, "type");

    if (strcmp(talk_attr(xml, NULL, "to"), t->side[to].jid) != 0) {
        to_third(t, from, xml);
        return;
    }
    if (strcmp(type, "get") == 0 && strstr(xml, "disco#info")) {
        answer_info(t, to, xml);
        return;
    }
    t->trail[at].fed = feed(t, to, xml) == 1;
    if (!t->trail[at].fed && strncmp(xml, "<iq", 3) == 0 &&
        (strcmp(type, "get") == 0 || strcmp(type, "set") == 0))
        answer_error(t, from, xml, UNAVAILABLE);
}

static void put_on_way(struct talk *t, enum talk_who from, size_t at,
                       const char *xml, int ms)
{
    struct talk_on_its_way *one = calloc(1, sizeof *one), **last = &t->way;

    assert_non_null(one);
    one->from = from;
    one->at = at;
    one->due_ms = ms ? talk_now() + ms : 0;
    one->xml = strdup(xml);
    while (*last)
        last = &(*last)->next;
    *last = one;
}

/* True when the rule has taken the stanza over. */
static bool apply(struct talk *t, struct talk_rule *rule, enum talk_who from,
                  size_t at, char **xml)
{
    char *altered;

    switch (rule->what) {
    case TALK_DROP:
        return true;
    case TALK_DOUBLE:
        put_on_way(t, from, at, *xml, 0);
        return false;
    case TALK_DELAY:
        put_on_way(t, from, at, *xml, rule->ms);
        return true;
    case TALK_ALTER:
        altered = replace(*xml, rule->find, rule->with);
        assert_string_not_equal(altered, *xml);
        free(*xml);
        *xml = altered;
        return false;
    case TALK_ERROR:
        answer_error(t, from, *xml, rule->with);
        return true;
    case TALK_CALL:
        rule->call(t, *xml);
        return false;
    }
    return false;
}

static void through_script(struct talk *t, enum talk_who from, size_t at)
{
    char *xml = strdup(t->trail[at].xml);
    bool taken = false;

    assert_non_null(xml);
    for (size_t i = 0; i < t->rules_count && !taken; i++) {
        struct talk_rule *rule = &t->rules[i];

        if (rule->from != from || !strstr(xml, rule->match))
            continue;
        rule->seen++;
        if (rule->nth == 0 || rule->nth == rule->seen)
            taken = apply(t, rule, from, at, &xml);
    }
    if (!taken)
        put_on_way(t, from, at, xml, 0);
    free(xml);
}

static bool take_stanzas(struct talk *t, enum talk_who who)
{
    const char *xml;
    size_t len;
    bool any = false;

    while (t->side[who].s &&
           (xml = xf_session_next_stanza(t->side[who].s, &len)) != NULL) {
        struct talk_stanza *one = &t->trail[t->trail_count];

        assert_true(t->trail_count < TALK_TRAIL);
        one->from = who;
        one->at_ms = talk_now();
        one->xml = strndup(xml, len);
        assert_non_null(one->xml);
        through_script(t, who, t->trail_count++);
        any = true;
    }
    return any;
}

static bool deliver_due(struct talk *t)
{
    struct talk_on_its_way **at = &t->way;
    bool any = false;

    while (*at) {
        struct talk_on_its_way *one = *at;

        if (one->due_ms > talk_now()) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        deliver(t, one->from, one->at, one->xml);
        free(one->xml);
        free(one);
        any = true;
        at = &t->way;
    }
    return any;
}

/* --- events ------------------------------------------------------------------------- */

static void copy_text(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static void note(struct talk_side *side, const struct xf_event *ev)
{
    struct talk_note *n = &side->notes[side->notes_count++];

    assert_true(side->notes_count <= TALK_NOTES);
    *n = (struct talk_note){ .type = ev->type,
                             .via = ev->via,
                             .attempt = ev->attempt,
                             .verified = ev->verified,
                             .confirmed = ev->confirmed,
                             .code = ev->code,
                             .done = ev->done,
                             .total = ev->total,
                             .offset = ev->offset,
                             .block_size = ev->block_size,
                             .rate = ev->rate,
                             .forecast_ms = ev->forecast_ms,
                             .port = ev->port,
                             .at_ms = talk_now() };
    if (ev->transfer)
        n->id = xf_transfer_id(ev->transfer);
    copy_text(n->name, sizeof n->name, ev->name);
    copy_text(n->text, sizeof n->text, ev->text);
    copy_text(n->path, sizeof n->path, ev->path);
    copy_text(n->host, sizeof n->host, ev->host);
    copy_text(n->dialect, sizeof n->dialect, ev->dialect);
    copy_text(n->evidence, sizeof n->evidence, ev->evidence);
}

static void take_events(struct talk *t, enum talk_who who)
{
    struct talk_side *side = &t->side[who];
    const struct xf_event *ev;

    while (side->s && (ev = xf_session_next(side->s)) != NULL) {
        if (t->on_event)
            t->on_event(t, who, ev);
        if (ev->type == XF_EVENT_PROGRESS) {
            assert_true(ev->done <= ev->total);
            side->progress++;
            continue;
        }
        note(side, ev);
        if (ev->type == XF_EVENT_OFFER) {
            side->offers++;
            t->offered = ev->transfer;
            if (!t->by_hand)
                (void)xf_transfer_accept(ev->transfer, t->in_fd, t->exists);
        }
        side->ends += ev->type == XF_EVENT_DONE || ev->type == XF_EVENT_FAILED;
    }
}

/* --- the loop ------------------------------------------------------------------------- */

static int wait_for(const struct talk *t, struct pollfd fds[TALK_SIDES])
{
    int ms = POLL_MS;

    for (int i = 0; i < TALK_SIDES; i++) {
        struct xf_session *s = t->side[i].s;
        int due = s ? xf_session_timeout(s) : -1;

        fds[i] = (struct pollfd){ s ? xf_session_fd(s) : -1, POLLIN, 0 };
        if (due >= 0 && due < ms)
            ms = due;
    }
    if ((t->proxy || t->relay) && ms > 1)
        ms = 1;
    return ms;
}

/* `most_ms` that it waits for something to do. */
static void turn_in(struct talk *t, int most_ms)
{
    struct pollfd fds[TALK_SIDES];
    int ms = wait_for(t, fds);

    (void)poll(fds, TALK_SIDES, ms < most_ms ? ms : most_ms);
    if (t->proxy)
        talk_proxy_step(t->proxy);
    if (t->relay)
        talk_relay_step(t->relay);
    for (int i = 0; i < TALK_SIDES; i++) {
        if (t->side[i].s)
            assert_int_equal(xf_session_dispatch(t->side[i].s), 0);
        take_events(t, (enum talk_who)i);
        (void)take_stanzas(t, (enum talk_who)i);
    }
    (void)deliver_due(t);
}

static void turn(struct talk *t)
{
    turn_in(t, INT_MAX);
}

/* On a machine that was busy elsewhere meanwhile it may not have had a turn in
 * all that time; so many it gets in any case. */
void talk_run(struct talk *t, int ms)
{
    int64_t end = talk_now() + ms;
    int turns = 0;

    do {
        turn(t);
        turns++;
    } while (talk_now() < end);
    for (; turns < ms && turns < TALK_TURNS; turns++)
        turn_in(t, 0);
}

/* Printed where a talk did not end, so that one sees where it stands. */
static void too_long(const struct talk *t, const char *what)
{
    for (size_t i = 0; i < t->trail_count; i++)
        print_error("%s: %.200s\n", t->trail[i].from == R ? "R" : "J",
                    t->trail[i].xml);
    for (int i = 0; i < TALK_SIDES; i++)
        for (size_t j = 0; j < t->side[i].notes_count; j++)
            print_error("%s: event %d via %d attempt %d code %d %s\n",
                        i == R ? "R" : "J", t->side[i].notes[j].type,
                        t->side[i].notes[j].via, t->side[i].notes[j].attempt,
                        t->side[i].notes[j].code, t->side[i].notes[j].text);
    fail_msg("waited too long for %s", what);
}

void talk_until_over(struct talk *t, unsigned romeos, unsigned juliets)
{
    int64_t end = talk_now() + TALK_MS;

    while (t->side[R].ends < romeos || t->side[J].ends < juliets) {
        turn(t);
        if (talk_now() > end)
            too_long(t, "the end");
    }
    /* What is still on its way arrives. */
    for (int i = 0; i < 4; i++)
        turn(t);
}

void talk_until_said(struct talk *t, enum talk_who who, const char *what,
                     unsigned nth)
{
    int64_t end = talk_now() + TALK_MS;

    while (!talk_said(t, who, what, nth)) {
        turn(t);
        if (talk_now() > end)
            too_long(t, what);
    }
}

void talk_until_offers(struct talk *t, unsigned n)
{
    int64_t end = talk_now() + TALK_MS;

    while (t->side[J].offers < n) {
        turn(t);
        if (talk_now() > end)
            too_long(t, "an offer");
    }
}

/* --- files ----------------------------------------------------------------------------- */

const char *talk_file(struct talk *t, const char *name, size_t size)
{
    static char path[TALK_PATH + 256];
    static char piece[65536];
    uint32_t seed = 2166136261u;
    FILE *f;

    for (const char *c = name; *c; c++)
        seed = (seed ^ (unsigned char)*c) * 16777619u;
    snprintf(path, sizeof path, "%s/%s", t->out, name);
    f = fopen(path, "w");
    assert_non_null(f);
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        piece[i % sizeof piece] = (char)(seed >> 24);
        if (i % sizeof piece == sizeof piece - 1 || i == size - 1)
            assert_int_equal(fwrite(piece, 1, i % sizeof piece + 1, f),
                             i % sizeof piece + 1);
    }
    assert_int_equal(fclose(f), 0);
    return path;
}

struct xf_transfer *talk_offer(struct talk *t, const char *path,
                               const struct xf_offer_options *options)
{
    assert_int_equal(
        xf_offer_file(t->side[R].s, JULIET, path, options, &t->sent), 0);
    return t->sent;
}

struct xf_transfer *talk_offer_new(struct talk *t, const char *name,
                                   size_t size)
{
    return talk_offer(t, talk_file(t, name, size), NULL);
}

static char *read_all(const char *dir, const char *name, size_t *len)
{
    char path[TALK_PATH + 256];
    struct stat st;
    char *bytes;
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "r");
    if (!f)
        fail_msg("%s is not there", path);
    assert_int_equal(fstat(fileno(f), &st), 0);
    *len = (size_t)st.st_size;
    bytes = malloc(*len + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *len, f), *len);
    fclose(f);
    return bytes;
}

void talk_check_same(const struct talk *t, const char *sent,
                     const char *received)
{
    size_t a_len, b_len;
    char *a = read_all(t->out, sent, &a_len);
    char *b = read_all(t->in, received, &b_len);

    assert_int_equal(a_len, b_len);
    assert_memory_equal(a, b, a_len);
    free(a);
    free(b);
}

void talk_check_nothing(const struct talk *t)
{
    DIR *dir = opendir(t->in);
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    assert_int_equal(n, 2);
}

/* Parts and journals; fails for what has a name. */
static void count_parts(const struct talk *t, unsigned *bytes,
                        unsigned *journals)
{
    DIR *dir = opendir(t->in);
    struct dirent *e;

    *bytes = *journals = 0;
    assert_non_null(dir);
    while ((e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        *bytes += strstr(e->d_name, ".part") != NULL;
        *journals += strstr(e->d_name, ".journal") != NULL;
        if (strncmp(e->d_name, ".xf-", 4) != 0)
            fail_msg("%s is there", e->d_name);
    }
    closedir(dir);
}

void talk_check_parts(const struct talk *t, unsigned parts)
{
    unsigned bytes, journals;

    count_parts(t, &bytes, &journals);
    assert_int_equal(bytes, parts);
    assert_int_equal(journals, parts);
}

void talk_check_no_names(const struct talk *t)
{
    unsigned bytes, journals;

    count_parts(t, &bytes, &journals);
    assert_in_range(bytes, 0, 1);
    assert_in_range(journals, 0, 1);
}

/* --- what was seen ------------------------------------------------------------------------ */

const struct talk_stanza *talk_said(const struct talk *t, enum talk_who who,
                                    const char *what, unsigned nth)
{
    for (size_t i = 0; i < t->trail_count; i++)
        if (t->trail[i].from == who && strstr(t->trail[i].xml, what) &&
            --nth == 0)
            return &t->trail[i];
    return NULL;
}

unsigned talk_count(const struct talk *t, enum talk_who who, const char *what)
{
    unsigned n = 0;

    while (talk_said(t, who, what, n + 1))
        n++;
    return n;
}

const struct talk_note *talk_note(const struct talk *t, enum talk_who who,
                                  enum xf_event_type type, unsigned nth)
{
    for (size_t i = 0; i < t->side[who].notes_count; i++)
        if (t->side[who].notes[i].type == type && --nth == 0)
            return &t->side[who].notes[i];
    return NULL;
}

const struct talk_note *talk_attempt(const struct talk *t, enum talk_who who,
                                     enum xf_via via, enum xf_attempt attempt,
                                     unsigned nth)
{
    for (size_t i = 0; i < t->side[who].notes_count; i++) {
        const struct talk_note *n = &t->side[who].notes[i];

        if (n->type == XF_EVENT_ATTEMPT && n->via == via &&
            n->attempt == attempt && --nth == 0)
            return n;
    }
    return NULL;
}

uint64_t talk_in_blocks(const struct talk *t)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < t->trail_count; i++) {
        const char *data = strstr(t->trail[i].xml, "<data "), *end;
        size_t len;

        if (t->trail[i].from != R || !t->trail[i].fed || !data)
            continue;
        data = strchr(data, '>') + 1;
        end = strchr(data, '<');
        len = (size_t)(end - data);
        bytes += len / 4 * 3;
        bytes -= len > 0 && end[-1] == '=';
        bytes -= len > 1 && end[-2] == '=';
    }
    return bytes;
}

static const struct talk_note *opened(const struct talk *t, enum talk_who who,
                                      unsigned nth)
{
    for (size_t i = 0; i < t->side[who].notes_count; i++) {
        const struct talk_note *n = &t->side[who].notes[i];

        if (n->type == XF_EVENT_ATTEMPT && n->attempt == XF_ATTEMPT_OPEN &&
            --nth == 0)
            return n;
    }
    return NULL;
}

void talk_check_once(const struct talk *t, const char *name, unsigned streams)
{
    const struct talk_note *sent, *taken, *end = NULL;
    uint64_t bytes = talk_in_blocks(t), before = 0;

    if (t->relay)
        bytes += talk_relay_bytes(t->relay);
    if (t->proxy)
        bytes += talk_proxy_bytes(t->proxy);
    talk_check_same(t, name, name);
    for (unsigned i = 1; i <= streams; i++) {
        sent = opened(t, R, i);
        taken = opened(t, J, i);
        if (!sent || !taken)
            fail_msg("there were less than %u streams", i);
        assert_int_equal(sent->via, taken->via);
        assert_int_equal(sent->offset, taken->offset);
        assert_true(taken->offset >= before);
        before = taken->offset;
    }
    assert_null(opened(t, R, streams + 1));
    assert_null(opened(t, J, streams + 1));
    end = talk_note(t, J, XF_EVENT_DONE, 1);
    assert_non_null(end);
    assert_int_equal(bytes, end->total);
}

const char *talk_sid(const struct talk *t)
{
    unsigned n = talk_count(t, R, "<si ");

    assert_true(n > 0);
    return talk_attr(talk_said(t, R, "<si ", n)->xml, "si", "id");
}

void talk_check_well(const struct talk *t, enum xf_via via, const char *name)
{
    for (int i = 0; i < TALK_SIDES; i++) {
        enum talk_who who = (enum talk_who)i;
        const struct talk_note *n = talk_note(t, who, XF_EVENT_FAILED, 1);

        if (n)
            fail_msg("%s: %d %s", t->side[i].jid, n->code, n->text);
        n = talk_note(t, who, XF_EVENT_DONE, 1);
        assert_non_null(n);
        assert_int_equal(n->via, via);
        assert_int_equal(n->code, 0);
    }
    talk_check_same(t, name, name);
}

void talk_check_failed(const struct talk *t, enum talk_who who, int code)
{
    const struct talk_note *n = talk_note(t, who, XF_EVENT_FAILED, 1);

    assert_null(talk_note(t, who, XF_EVENT_DONE, 1));
    if (!n)
        fail_msg("%s did not fail", t->side[who].jid);
    if (n->code != code)
        fail_msg("%s: %d and not %d: %s", t->side[who].jid, n->code, code,
                 n->text);
    assert_true(n->text[0]);
}

/* --- the world ------------------------------------------------------------------------------ */

void talk_hole_open(struct talk_hole *hole)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    size_t i;

    hole->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(hole->fd >= 0);
    assert_int_equal(bind(hole->fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(hole->fd, 0), 0);
    assert_int_equal(getsockname(hole->fd, (struct sockaddr *)&at, &len), 0);
    snprintf(hole->address, sizeof hole->address, "127.0.0.1:%u",
             ntohs(at.sin_port));
    for (i = 0; i < sizeof hole->fillers / sizeof *hole->fillers; i++) {
        hole->fillers[i] =
            socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(hole->fillers[i] >= 0);
        (void)connect(hole->fillers[i], (struct sockaddr *)&at, len);
    }
}

void talk_hole_close(struct talk_hole *hole)
{
    for (size_t i = 0; i < sizeof hole->fillers / sizeof *hole->fillers; i++)
        close(hole->fillers[i]);
    close(hole->fd);
}
