/*
 * Two ends and bad luck: files offered while stanzas are lost, doubled and
 * late, people change their minds, connections go and processes end. Whatever
 * happens, every transfer ends once, what is told is true, nothing is left.
 *
 * XF_ROUNDS: so many rounds, however long; XF_SEED: the first one's seed.
 */
#include "talk.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "leap.h"

#define ROUNDS 400
#define ROUNDS_MS 12000 /* unless XF_ROUNDS is given */
#define FILES 4         /* offered in one round, at most */
#define KNOWN 64        /* transfers of one side, doubled offers included */
#define ROUND_MS (4 * 3600000) /* by the clock that leaps */
#define QUIET 4                /* looks that see nothing, then time leaps */
#define SPINS_MAX 1000         /* "at once" in a row, and nothing happens */

enum end { RUNNING, DONE, FAILED };

struct known {
    uint64_t id;
    enum end end;
    unsigned file; /* which one */
};

struct on_the_way {
    struct on_the_way *next;
    int64_t due;
    char *xml;
};

struct side {
    const char *jid;
    struct xf_session *s;
    bool online;
    size_t count;
    struct known known[KNOWN];
    struct on_the_way *way; /* to the other side */
    int64_t late_until;     /* all that it says comes later */
};

struct round {
    uint64_t seed, dice;
    struct side side[TALK_SIDES];
    unsigned files;
    size_t size[FILES];
    uint64_t confirmed; /* files of which Romeo heard that they are there */
    int lost, doubled, late, cancelled; /* one in so many; 0: never */
    enum { XFERRY, NOBODY, SILENT } info;
    bool moved; /* something was said or told in this turn */
};

static char dir[] = "/tmp/xferry-random-XXXXXX";
static char out[64], in[64];
static int in_fd;

/* --- dice -------------------------------------------------------------------- */

static uint64_t roll(struct round *r)
{
    r->dice ^= r->dice << 13;
    r->dice ^= r->dice >> 7;
    r->dice ^= r->dice << 17;
    return r->dice >> 11;
}

static unsigned below(struct round *r, unsigned n)
{
    return (unsigned)(roll(r) % n);
}

/* Once in `n` times; never for 0. */
static bool once_in(struct round *r, int n)
{
    return n > 0 && below(r, (unsigned)n) == 0;
}

#define wrong(r, ...)                                                          \
    do {                                                                       \
        print_error("seed %llu: ", (unsigned long long)(r)->seed);             \
        print_error(__VA_ARGS__);                                              \
        print_error("\n");                                                     \
        fail();                                                                \
    } while (0)

/* --- files ---------------------------------------------------------------------- */

static char byte_of(unsigned file, size_t at)
{
    return (char)((at * 2654435761u + file * 40503u) >> 13);
}

static void write_files(struct round *r)
{
    static const size_t sizes[] = { 0, 1, 4096, 65535, 65536, 300000 };

    for (unsigned i = 0; i < r->files; i++) {
        char path[128];
        FILE *f;

        r->size[i] = once_in(r, 2) ? sizes[below(r, 6)] : below(r, 200000);
        snprintf(path, sizeof path, "%s/f%u", out, i);
        f = fopen(path, "w");
        assert_non_null(f);
        for (size_t at = 0; at < r->size[i]; at++)
            fputc(byte_of(i, at), f);
        assert_int_equal(fclose(f), 0);
    }
}

static void check_file(struct round *r, const char *name, unsigned file)
{
    char path[512];
    size_t at = 0;
    FILE *f;
    int c;

    snprintf(path, sizeof path, "%s/%s", in, name);
    f = fopen(path, "r");
    if (!f)
        wrong(r, "%s was done and is not there", name);
    for (; (c = fgetc(f)) != EOF; at++)
        if ((char)c != byte_of(file, at))
            wrong(r, "%s differs at byte %zu", name, at);
    fclose(f);
    if (at != r->size[file])
        wrong(r, "%s: %zu bytes of %zu", name, at, r->size[file]);
}

/* Empties the directory, and counts. A part has its journal, and there is one
 * for each file at most. */
static unsigned sweep(struct round *r, const char *path, bool judge)
{
    DIR *d = opendir(path);
    struct dirent *e;
    unsigned n = 0, parts = 0, journals = 0;

    assert_non_null(d);
    while ((e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        parts += strstr(e->d_name, ".part") != NULL;
        journals += strstr(e->d_name, ".journal") != NULL;
        n += strncmp(e->d_name, ".xf-", 4) != 0;
        assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
    }
    closedir(d);
    if (judge && (parts != journals || parts > r->files))
        wrong(r, "%u parts and %u journals are left", parts, journals);
    return n;
}

/* --- what is told ----------------------------------------------------------------- */

static struct known *know(struct round *r, struct side *side,
                          const struct xf_event *ev)
{
    uint64_t id = xf_transfer_id(ev->transfer);
    struct known *k;

    for (size_t i = 0; i < side->count; i++)
        if (side->known[i].id == id)
            return &side->known[i];
    if (side->count == KNOWN)
        wrong(r, "too many transfers");
    k = &side->known[side->count++];
    *k = (struct known){ .id = id };
    if (ev->name && sscanf(ev->name, "f%u", &k->file) != 1)
        wrong(r, "a file nobody offered: %s", ev->name);
    return k;
}

static void ended(struct round *r, struct side *side, struct known *k,
                  const struct xf_event *ev)
{
    k->end = ev->type == XF_EVENT_DONE ? DONE : FAILED;
    if (k->end == FAILED && (ev->code == 0 || !ev->text || !*ev->text))
        wrong(r, "failed, and no reason");
    if (k->end == DONE && ev->code != 0)
        wrong(r, "done, with a reason");
    if (k->end == DONE && side == &r->side[J])
        check_file(r, ev->path, k->file);
    if (k->end == DONE && side == &r->side[R] && ev->confirmed)
        r->confirmed |= 1u << k->file;
}

static void asked(struct round *r, struct xf_transfer *t)
{
    switch (below(r, 12)) {
    case 0:
        (void)xf_transfer_decline(t, 0, "no"); /* it may be over already */
        return;
    case 1: /* nobody is there to answer */
        return;
    default:
        (void)xf_transfer_accept(t, in_fd, XF_EXISTS_RENAME);
    }
}

static void take_events(struct round *r, struct side *side)
{
    const struct xf_event *ev;

    while (side->s && (ev = xf_session_next(side->s)) != NULL) {
        struct known *k = ev->transfer ? know(r, side, ev) : NULL;

        r->moved = true;
        if (!k)
            continue;
        if (k->end != RUNNING)
            wrong(r, "transfer %llu: event %d after its end",
                  (unsigned long long)k->id, ev->type);
        if (ev->type == XF_EVENT_PROGRESS && ev->done > ev->total)
            wrong(r, "more bytes than there are");
        if (ev->type == XF_EVENT_OFFER)
            asked(r, ev->transfer);
        else if (ev->type == XF_EVENT_DONE || ev->type == XF_EVENT_FAILED)
            ended(r, side, k, ev);
        else if (once_in(r, r->cancelled))
            xf_transfer_cancel(ev->transfer);
    }
}

/* --- what is said ------------------------------------------------------------------- */

static enum talk_who other(enum talk_who who)
{
    return who == R ? J : R;
}

static void feed(struct round *r, enum talk_who to, const char *xml)
{
    struct side *side = &r->side[to];

    if (side->s && side->online)
        (void)xf_session_feed(side->s, xml, strlen(xml));
}

static bool is_request(const char *xml)
{
    const char *type = talk_attr(xml, NULL, "type");

    return strncmp(xml, "<iq", 3) == 0 &&
           (strcmp(type, "get") == 0 || strcmp(type, "set") == 0);
}

/* `inner` NULL: an error. */
static void answer(struct round *r, enum talk_who to, const char *xml,
                   const char *inner)
{
    static const char unavailable[] =
        "<error type='cancel'><service-unavailable "
        "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>";
    char reply[4096];

    snprintf(reply, sizeof reply,
             "<iq type='%s' id='%s' from='%s' to='%s'>%s</iq>",
             inner ? "result" : "error", talk_attr(xml, NULL, "id"),
             talk_attr(xml, NULL, "to"), r->side[to].jid,
             inner ? inner : unavailable);
    feed(r, to, reply);
}

static void answer_info(struct round *r, enum talk_who to, const char *xml)
{
    char info[2048] = "<query xmlns='http://jabber.org/protocol/disco#info'>"
                      "<identity category='client' type='pc' name='x'/>";
    const char *var;
    size_t used;

    for (size_t i = 0; r->info == XFERRY && (var = xf_feature(i)); i++) {
        used = strlen(info);
        snprintf(info + used, sizeof info - used, "<feature var='%s'/>", var);
    }
    used = strlen(info);
    snprintf(info + used, sizeof info - used, "</query>");
    if (r->info != SILENT)
        answer(r, to, xml, info);
}

static void deliver(struct round *r, enum talk_who from, const char *xml)
{
    struct side *to = &r->side[other(from)];
    bool request = is_request(xml), taken;

    if (strcmp(talk_attr(xml, NULL, "to"), to->jid) != 0 || !to->s ||
        !to->online) {
        if (request)
            answer(r, from, xml, NULL);
    } else if (request && strstr(xml, "disco#info")) {
        answer_info(r, from, xml);
    } else {
        taken = xf_session_feed(to->s, xml, strlen(xml)) == 1;
        if (request && !taken)
            answer(r, from, xml, NULL);
    }
}

static void put_on_way(struct side *side, const char *xml, int64_t due)
{
    struct on_the_way **at = &side->way, *one = calloc(1, sizeof *one);

    assert_non_null(one);
    one->due = due;
    one->xml = strdup(xml);
    assert_non_null(one->xml);
    while (*at && (*at)->due <= due)
        at = &(*at)->next;
    one->next = *at;
    *at = one;
}

static void take_stanzas(struct round *r, struct side *side)
{
    unsigned max = once_in(r, 4) ? below(r, 3) : 100;
    int64_t now = talk_now(), due;
    const char *xml;
    size_t len;

    while (side->s && max-- > 0 &&
           (xml = xf_session_next_stanza(side->s, &len)) != NULL) {
        char *copy = strndup(xml, len);

        assert_non_null(copy);
        r->moved = true;
        if (once_in(r, r->late))
            side->late_until = now + below(r, 20000);
        due = side->late_until > now ? side->late_until : now;
        if (once_in(r, r->late))
            due += below(r, 3000); /* this one alone */
        if (!once_in(r, r->lost))
            put_on_way(side, copy, due);
        if (once_in(r, r->doubled))
            put_on_way(side, copy, due + below(r, 1000));
        free(copy);
    }
}

static void drop_way(struct side *side)
{
    while (side->way) {
        struct on_the_way *one = side->way;

        side->way = one->next;
        free(one->xml);
        free(one);
    }
}

static void deliver_due(struct round *r, enum talk_who from)
{
    struct side *side = &r->side[from];

    while (side->way && side->way->due <= talk_now()) {
        struct on_the_way *one = side->way;

        side->way = one->next;
        deliver(r, from, one->xml);
        free(one->xml);
        free(one);
        r->moved = true;
    }
}

/* --- what comes to pass ----------------------------------------------------------------- */

static void go_offline(struct side *side)
{
    if (!side->s)
        return;
    side->online = false;
    assert_int_equal(xf_session_attach(side->s, NULL), 0);
    drop_way(side);
}

static void come_back(struct side *side)
{
    if (!side->s)
        return;
    side->online = true;
    assert_int_equal(xf_session_attach(side->s, side->jid), 0);
}

static void gone(struct round *r, enum talk_who who)
{
    char xml[256];

    snprintf(xml, sizeof xml,
             "<presence type='unavailable' from='%s' to='%s'/>",
             r->side[who].jid, r->side[other(who)].jid);
    feed(r, other(who), xml);
}

static void fate(struct round *r)
{
    enum talk_who who = (enum talk_who)below(r, TALK_SIDES);
    struct side *side = &r->side[who];

    switch (below(r, 8)) {
    case 0:
        if (side->s)
            xf_session_close(side->s);
        return;
    case 1:
        go_offline(side);
        return;
    case 2:
        go_offline(side);
        come_back(side);
        return;
    case 3:
        gone(r, who);
        return;
    case 4: /* the process is killed */
        xf_session_free(side->s);
        side->s = NULL;
        drop_way(side);
        gone(r, who);
        return;
    case 5:
        if (side->s)
            xf_session_set_queued(side->s, below(r, 2) ? 0 : 600000);
        return;
    default:
        return; /* a good day */
    }
}

static void all_back(struct round *r)
{
    for (int i = 0; i < TALK_SIDES; i++)
        if (!r->side[i].online)
            come_back(&r->side[i]);
}

/* --- the loop ------------------------------------------------------------------------------ */

static bool all_over(const struct round *r)
{
    for (int i = 0; i < TALK_SIDES; i++)
        for (size_t k = 0; r->side[i].s && k < r->side[i].count; k++)
            if (r->side[i].known[k].end == RUNNING)
                return false;
    return true;
}

/* Milliseconds until anything is due; 0 for now. */
static int64_t due_in(const struct round *r)
{
    int64_t soon = 60000, now = talk_now();

    for (int i = 0; i < TALK_SIDES; i++) {
        const struct side *side = &r->side[i];
        int ms = side->s ? xf_session_timeout(side->s) : -1;

        if (ms >= 0 && ms < soon)
            soon = ms;
        if (side->way && side->way->due - now < soon)
            soon = side->way->due > now ? side->way->due - now : 0;
    }
    return soon;
}

/* True when a descriptor woke us. */
static bool wait_a_little(struct round *r, int ms)
{
    struct pollfd fds[TALK_SIDES];

    for (int i = 0; i < TALK_SIDES; i++) {
        struct xf_session *s = r->side[i].s;

        fds[i] = (struct pollfd){ s ? xf_session_fd(s) : -1, POLLIN, 0 };
    }
    return poll(fds, TALK_SIDES, ms) > 0;
}

static void turn(struct round *r)
{
    for (int i = 0; i < TALK_SIDES; i++) {
        struct side *side = &r->side[i];

        if (side->s)
            assert_int_equal(xf_session_dispatch(side->s), 0);
        take_events(r, side);
        take_stanzas(r, side);
    }
    deliver_due(r, R);
    deliver_due(r, J);
}

static void run(struct round *r, unsigned fate_at)
{
    int64_t end = talk_now() + ROUND_MS;
    unsigned quiet = 0, spins = 0;

    for (unsigned n = 0; !all_over(r); n++) {
        int64_t due = due_in(r);
        bool woken = wait_a_little(r, due > 0 ? 1 : 0);

        r->moved = false;
        turn(r);
        if (n == fate_at)
            fate(r);
        spins = r->moved || woken || due > 0 ? 0 : spins + 1;
        if (spins > SPINS_MAX)
            wrong(r, "it spins");
        /* Two of ours wait for a connection as long as it takes. */
        if (talk_now() > end - ROUND_MS / 2)
            all_back(r);
        quiet = r->moved || woken || due == 0 ? 0 : quiet + 1;
        if (quiet > QUIET && (due = due_in(r)) > 0)
            talk_leap((int)due);
        if (talk_now() > end)
            wrong(r, "it does not end");
    }
}

/* --- a round ---------------------------------------------------------------------------------- */

static void choose(struct round *r, struct xf_config *config)
{
    static const enum xf_via vias[][3] = {
        { XF_VIA_IBB },
        { XF_VIA_DIRECT },
        { XF_VIA_DIRECT, XF_VIA_IBB },
        { XF_VIA_IBB, XF_VIA_DIRECT },
        { XF_VIA_DIRECT, XF_VIA_PROXY, XF_VIA_IBB },
    };
    size_t dialects = 0;

    xf_config_init(config);
    config->server = "127.0.0.1";
    config->workers = below(r, 2) ? 2 : 0;
    config->timeout_ms = 2000;
    memcpy(config->via, vias[below(r, 5)], sizeof config->via);
    config->stanza = (enum xf_stanza)below(r, 3);
    config->block_size = once_in(r, 3) ? 1024 + below(r, 64000) : 0;
    config->trace = once_in(r, 4);
    while (xf_dialect(dialects, NULL))
        dialects++;
    if (once_in(r, 3))
        config->dialect = xf_dialect(below(r, (unsigned)dialects), NULL);
}

static void begin(struct round *r, uint64_t seed)
{
    static const int luck[] = { 0, 0, 20, 100, 400 };

    *r =
        (struct round){ .seed = seed, .dice = seed * 2862933555777941757u + 1 };
    for (int i = 0; i < 20; i++)
        (void)roll(r);
    r->lost = luck[below(r, 5)];
    r->doubled = luck[below(r, 5)];
    r->late = luck[below(r, 5)];
    r->cancelled = luck[below(r, 5)];
    r->info = below(r, 3);
    r->files = 1 + below(r, FILES);
    write_files(r);
    for (int i = 0; i < TALK_SIDES; i++) {
        struct side *side = &r->side[i];
        struct xf_config config;

        side->jid = i == R ? ROMEO : JULIET;
        choose(r, &config);
        assert_int_equal(xf_session_new_attached(&side->s, &config), 0);
        come_back(side);
    }
}

static void offer(struct round *r)
{
    for (unsigned i = 0; i < r->files; i++) {
        struct xf_offer_options options = { .hash =
                                                below(r, 2) ? "md5" : NULL };
        struct xf_transfer *t;
        char path[128];

        snprintf(path, sizeof path, "%s/f%u", out, i);
        assert_int_equal(
            xf_offer_file(r->side[R].s, JULIET, path, &options, &t), 0);
        r->side[R].known[r->side[R].count++] =
            (struct known){ .id = xf_transfer_id(t), .file = i };
    }
}

static void check(struct round *r)
{
    uint64_t there = 0;
    unsigned n = 0, found;
    bool killed = !r->side[J].s;

    for (size_t i = 0; i < r->side[J].count; i++) {
        if (r->side[J].known[i].end != DONE)
            continue;
        n++;
        there |= 1u << r->side[J].known[i].file;
    }
    for (int i = 0; i < TALK_SIDES; i++)
        xf_session_free(r->side[i].s);
    found = sweep(r, in, true);
    /* Who is killed tells nothing of what he has. */
    if (killed ? found < n : found != n)
        wrong(r, "%u files are there, and %u were done", found, n);
    if (!killed && (r->confirmed & ~there) != 0)
        wrong(r, "confirmed, and not there");
}

static void one_round(uint64_t seed, unsigned *done)
{
    unsigned fds = talk_fds();
    struct round *r = calloc(1, sizeof *r);

    assert_non_null(r);
    begin(r, seed);
    offer(r);
    run(r, below(r, 2) ? below(r, 60) : below(r, 400));
    for (size_t i = 0; i < r->side[J].count; i++)
        *done += r->side[J].known[i].end == DONE;
    drop_way(&r->side[R]);
    drop_way(&r->side[J]);
    check(r);
    if (talk_fds() != fds)
        wrong(r, "%u descriptors, and there were %u", talk_fds(), fds);
    (void)sweep(r, out, false);
    free(r);
}

static void whatever_happens_all_ends_once_and_is_true(void **state)
{
    const char *rounds = getenv("XF_ROUNDS"), *first = getenv("XF_SEED");
    uint64_t seed = first ? strtoull(first, NULL, 10) : 1;
    uint64_t n = rounds ? strtoull(rounds, NULL, 10) : ROUNDS, i;
    struct timespec ts;
    time_t end;
    unsigned done = 0;

    (void)state;
    clock_gettime(CLOCK_REALTIME, &ts);
    end = ts.tv_sec + ROUNDS_MS / 1000;
    for (i = 0; i < n; i++) {
        one_round(seed + i, &done);
        clock_gettime(CLOCK_REALTIME, &ts);
        if (!rounds && ts.tv_sec >= end)
            break;
    }
    print_message("# %llu rounds, %u files done\n", (unsigned long long)i,
                  done);
    assert_true(done > 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    snprintf(out, sizeof out, "%s/out", dir);
    snprintf(in, sizeof in, "%s/in", dir);
    if (mkdir(out, 0700) != 0 || mkdir(in, 0700) != 0)
        return -1;
    in_fd = open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    talk_free(talk_new()); /* what is loaded once */
    return in_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    close(in_fd);
    rmdir(out);
    rmdir(in);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_all_ends_once_and_is_true),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
