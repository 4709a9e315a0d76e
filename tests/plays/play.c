/*
 * play FILE-OR-FOLDER...: plays each text in a process of its own, some at
 * once, and prints TAP. What a line means is in lines.c.
 */
#include "play.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_ONCE 6 /* plays mostly wait */
#define DEPTH_MAX 4

/* --- one play ------------------------------------------------------------------------- */

void play_log(struct play *p, const char *mark, const char *text)
{
    if (p->log_len < 1 << 18)
        fprintf(p->log, "%s %.2000s\n", mark, text);
    fflush(p->log);
}

void play_fail(struct play *p, const char *format, ...)
{
    char *why;
    va_list args;

    va_start(args, format);
    assert_true(vasprintf(&why, format, args) >= 0);
    va_end(args);
    fflush(p->log);
    printf("%s", p->log_text ? p->log_text : "");
    for (size_t i = 0; p->t && i < p->t->side[R].notes_count; i++) {
        const struct talk_note *n = &p->t->side[R].notes[i];

        printf("event %d via %d attempt %d code %d %s %s\n", n->type, n->via,
               n->attempt, n->code, n->host, n->text);
    }
    printf("%s:%u: %s\n  %s\n", p->path, p->line, p->text ? p->text : "", why);
    fflush(stdout);
    free(why);
    fail();
    abort();
}

void play_begin(struct play *p)
{
    struct talk_side *side = &p->t->side[R];

    if (p->begun)
        return;
    p->begun = true;
    side->jid = play_get(p, "me");
    /* All that we say is for the play alone. */
    talk_rule(p->t, R, "<", 0, TALK_DROP);
    assert_int_equal(xf_session_new_attached(&side->s, &side->config), 0);
    assert_int_equal(xf_session_attach(side->s, side->jid), 0);
    play_turn(p);
}

/* --- what is answered by itself ---------------------------------------------------------- */

#define ERROR(condition)                                                       \
    "<error type='cancel'><" condition                                         \
    " xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"

static void reply(struct play *p, const char *to, const char *type,
                  const char *inner)
{
    char *xml;

    assert_true(
        asprintf(&xml, "<iq type='%s' id='%s' from='%s' to='%s'>%s</iq>", type,
                 talk_attr(to, NULL, "id"), talk_attr(to, NULL, "to"),
                 play_get(p, "me"), inner) > 0);
    (void)talk_feed(p->t, R, "%s", xml);
    free(xml);
}

static void reply_in(struct play *p, const char *to, const char *ns,
                     const char *inner)
{
    char *expanded = play_expand(p, inner), *xml;

    assert_true(asprintf(&xml, "<query xmlns='%s'>%s</query>", ns, expanded) >
                0);
    reply(p, to, "result", xml);
    free(xml);
    free(expanded);
}

static void answer_known(struct play *p, const char *xml, const char *ns,
                         const char *what)
{
    if (!what || strcmp(what, "nothing") == 0)
        reply(p, xml, "error", ERROR("service-unavailable"));
    else if (strcmp(what, "silence") != 0)
        reply_in(p, xml, ns, what);
}

/* Discovery and pings: the play tells once what it answers. */
static bool answered(struct play *p, const char *xml)
{
    const char *me = play_get(p, "peer"), *ns;
    bool to_peer = strcmp(talk_attr(xml, NULL, "to"), me) == 0;

    if (strncmp(xml, "<iq", 3) != 0 ||
        strcmp(talk_attr(xml, NULL, "type"), "get") != 0)
        return false;
    if (strstr(xml, ns = "http://jabber.org/protocol/disco#info"))
        answer_known(p, xml, ns, to_peer ? play_get(p, "knows") : NULL);
    else if (strstr(xml, ns = "jabber:iq:version"))
        answer_known(p, xml, ns, to_peer ? play_get(p, "version") : NULL);
    else if (strstr(xml, "http://jabber.org/protocol/disco#items"))
        answer_known(p, xml, "", NULL);
    else if (strstr(xml, "urn:xmpp:ping"))
        reply(p, xml, "result", "");
    else
        return false;
    return true;
}

void play_turn(struct play *p)
{
    struct talk *t = p->t;

    if (p->late && talk_now() >= p->late_at) {
        play_say(p, p->late);
        free(p->late);
        p->late = NULL;
    }
    talk_run(t, 0);
    for (size_t i = 0; i < t->trail_count; i++) {
        char *xml = t->trail[i].xml;

        if (answered(p, xml)) {
            free(xml);
            continue;
        }
        play_log(p, "<", xml);
        if (p->said_count == PLAY_SAID)
            play_fail(p, "too much was said");
        p->said[p->said_count++] = xml;
    }
    t->trail_count = 0;
}

/* --- the end -------------------------------------------------------------------------------- */

/* Each transfer has come to one end, with words when it was a bad one. */
static void check_ends(struct play *p)
{
    const struct talk_side *side = &p->t->side[R];
    unsigned all = p->transfers + side->offers;

    for (size_t i = 0; i < side->notes_count; i++) {
        const struct talk_note *n = &side->notes[i];

        if (n->type != XF_EVENT_DONE && n->type != XF_EVENT_FAILED)
            continue;
        if (n->type == XF_EVENT_FAILED && !n->text[0])
            play_fail(p, "it failed without words");
        for (size_t j = i + 1; j < side->notes_count; j++)
            if (side->notes[j].id == n->id)
                play_fail(p, "there was more after the end");
    }
    if (side->ends < all)
        play_fail(p, "%u of %u transfers have ended", side->ends, all);
}

static void end(struct play *p)
{
    p->text = NULL;
    play_begin(p);
    for (int i = 0; i < 4 || p->late; i++)
        play_turn(p);
    if (p->said_count)
        play_fail(p, "this was said, too:\n%s", p->said[0]);
    check_ends(p);
    play_actors_close(p);
    talk_free(p->t);
    for (size_t i = 0; i < p->vars_count; i++)
        free(p->vars[i].value);
    fclose(p->log);
    free(p->log_text);
    free(p->file);
}

/* --- the text ------------------------------------------------------------------------------- */

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    long size = f && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    char *text = size > 0 ? calloc((size_t)size + 1, 1) : NULL;

    if (text) {
        rewind(f);
        if (fread(text, 1, (size_t)size, f) != (size_t)size) {
            free(text);
            text = NULL;
        }
    }
    if (f)
        fclose(f);
    return text;
}

/* Lines that begin with a blank belong to the one before. */
static char *next_line(char **at, unsigned *number)
{
    char *line = *at, *to, *from;

    if (!*line)
        return NULL;
    to = from = line;
    while (*from) {
        if (*from != '\n') {
            *to++ = *from++;
            continue;
        }
        ++*number;
        from++;
        if (*from != ' ')
            break;
        while (*from == ' ')
            from++;
        if (to > line && to[-1] != '>' && *from != '<')
            *to++ = ' ';
    }
    *at = from;
    while (to > line && to[-1] == ' ')
        to--;
    *to = '\0';
    return line;
}

static void run(struct play *p, const char *path, int depth);

/* "include NAME": the lines of parts/NAME, next to this folder. */
static void include(struct play *p, const char *path, const char *name,
                    int depth)
{
    char part[TALK_PATH];
    const char *slash = strrchr(path, '/');
    const char *up = depth ? "" : "../parts/";

    snprintf(part, sizeof part, "%.*s/%s%s", slash ? (int)(slash - path) : 1,
             slash ? path : ".", up, name);
    if (depth == DEPTH_MAX)
        play_fail(p, "too deep");
    run(p, part, depth + 1);
}

static void run(struct play *p, const char *path, int depth)
{
    char *text = read_text(path), *at = text, *line;
    unsigned number = 1, next = 1;

    if (!text)
        play_fail(p, "cannot read %s", path);
    while ((line = next_line(&at, &next)) != NULL) {
        if (depth == 0) {
            p->line = number;
            p->text = line;
        }
        if (play_takes(&line, "include"))
            include(p, path, line, depth);
        else if (*line && *line != '#')
            play_line(p, line);
        number = next;
    }
    free(text);
}

static void play_it(void **state)
{
    struct play *p = calloc(1, sizeof *p);
    static const char *const known[][2] = {
        { "me", ROMEO },
        { "peer", JULIET },
        { "server", "montague.example" },
        { "proxy", PROXY },
        { "si", "http://jabber.org/protocol/si" },
        { "ft", "http://jabber.org/protocol/si/profile/file-transfer" },
        { "neg", "http://jabber.org/protocol/feature-neg" },
        { "s5b", "http://jabber.org/protocol/bytestreams" },
        { "ibb", "http://jabber.org/protocol/ibb" },
        { "stanzas", "urn:ietf:params:xml:ns:xmpp-stanzas" },
        { "features",
          "<feature var='http://jabber.org/protocol/disco#info'/>"
          "<feature var='http://jabber.org/protocol/si'/><feature "
          "var='http://jabber.org/protocol/si/profile/file-transfer'/>"
          "<feature var='http://jabber.org/protocol/bytestreams'/>"
          "<feature var='http://jabber.org/protocol/ibb'/>" },
        { "knows", "<identity category='client' type='pc'/>{features}" },
    };

    assert_non_null(p);
    p->path = *state;
    p->within_ms = PLAY_MS;
    p->log = open_memstream(&p->log_text, &p->log_len);
    p->t = talk_new();
    /* One streamhost, always the same: the default tells all addresses. */
    p->t->side[R].config.addresses[0] = "127.0.0.1";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        play_set(p, known[i][0], known[i][1]);
    run(p, p->path, 0);
    end(p);
    free(p);
}

/* --- many plays ------------------------------------------------------------------------------ */

struct child {
    const char *path;
    char *fact;   /* what the file says it holds */
    char *reason; /* why it fails today, or NULL */
    pid_t pid;
    int fd;
    char *out;
    size_t out_len;
    FILE *to;
    bool over, well;
};

/* The rest of the line of the head that begins with `key`. */
static char *head(const char *text, const char *key)
{
    const char *at = strstr(text, key);

    if (!at)
        return NULL;
    at += strlen(key);
    return strndup(at, strcspn(at, "\n"));
}

static void read_head(struct child *c)
{
    char *text = read_text(c->path), *stands;

    if (!text) {
        c->fact = NULL;
        return;
    }
    stands = head(text, "# stands for: ");
    c->fact = stands ? head(text, "# fact: ") : NULL;
    c->reason = head(text, "# fails today: ");
    free(stands);
    free(text);
}

static void start(struct child *c)
{
    int fds[2];
    struct CMUnitTest test = { .name = c->path,
                               .test_func = play_it,
                               .initial_state = (void *)c->path };

    if (pipe2(fds, O_CLOEXEC) != 0)
        abort();
    fflush(stdout);
    c->pid = fork();
    if (c->pid < 0)
        abort();
    if (c->pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        dup2(fds[1], STDERR_FILENO);
        close(fds[0]);
        close(fds[1]);
        unsetenv("CMOCKA_MESSAGE_OUTPUT");
        if (_cmocka_run_group_tests(c->path, &test, 1, NULL, NULL) == 0)
            exit(0); /* which looks for leaks, too */
        fflush(NULL);
        _exit(1);
    }
    close(fds[1]);
    c->fd = fds[0];
    c->to = open_memstream(&c->out, &c->out_len);
}

static void print_diagnostics(const struct child *c)
{
    const char *at = c->out;

    while (at && *at && strncmp(at, "[==========] 1 test(s) run", 26) != 0) {
        size_t len = strcspn(at, "\n");

        printf("# %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

static void print_result(const struct child *c, size_t n)
{
    const char *dir = strrchr(c->path, '/'), *name = c->path;

    while (dir && dir > c->path && *--dir != '/')
        ;
    if (dir)
        name = *dir == '/' ? dir + 1 : dir;
    printf("%s %zu - %.*s: %s%s%s\n", c->well ? "ok" : "not ok", n,
           (int)(strlen(name) - strlen(".play")), name,
           c->fact ? c->fact : "has no head", c->reason ? " # TODO " : "",
           c->reason ? c->reason : "");
    if (!c->well)
        print_diagnostics(c);
    fflush(stdout);
}

static void finish(struct child *c)
{
    int status = 0;

    close(c->fd);
    fclose(c->to);
    c->over = true;
    c->well = waitpid(c->pid, &status, 0) == c->pid && WIFEXITED(status) &&
              WEXITSTATUS(status) == 0 && c->fact;
}

static void listen_to(struct child *c)
{
    char piece[8192];
    ssize_t n = read(c->fd, piece, sizeof piece);

    if (n > 0)
        fwrite(piece, 1, (size_t)n, c->to);
    else if (n == 0 || errno != EINTR)
        finish(c);
}

/* Waits until one of those that run says something. */
static void wait_some(struct child *children, size_t from, size_t to)
{
    struct pollfd fds[AT_ONCE];
    struct child *who[AT_ONCE];
    nfds_t n = 0;

    for (size_t i = from; i < to; i++) {
        if (children[i].over)
            continue;
        who[n] = &children[i];
        fds[n++] = (struct pollfd){ children[i].fd, POLLIN, 0 };
    }
    if (poll(fds, n, -1) < 0)
        return;
    for (nfds_t i = 0; i < n; i++)
        if (fds[i].revents)
            listen_to(who[i]);
}

static size_t running(const struct child *children, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += !children[i].over;
    return count;
}

/* --- which ---------------------------------------------------------------------------------- */

static int is_play(const struct dirent *e)
{
    const char *dot = strrchr(e->d_name, '.');

    return dot && strcmp(dot, ".play") == 0;
}

static char **names;
static size_t names_count;

static void add(const char *dir, const char *name)
{
    names = realloc(names, (names_count + 1) * sizeof *names);
    if (!names ||
        asprintf(&names[names_count], "%s%s%s", dir, *dir ? "/" : "", name) < 0)
        abort();
    names_count++;
}

static void add_all(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, is_play, alphasort);

    if (n < 0)
        add("", path);
    for (int i = 0; i < n; i++) {
        add(path, entries[i]->d_name);
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
}

static bool play_all(struct child *children)
{
    size_t started = 0, printed = 0;
    bool well = true;

    while (printed < names_count) {
        while (started < names_count && running(children, started) < AT_ONCE) {
            children[started].path = names[started];
            read_head(&children[started]);
            start(&children[started++]);
        }
        if (!children[printed].over) {
            wait_some(children, printed, started);
            continue;
        }
        well = well && (children[printed].well || children[printed].reason);
        print_result(&children[printed], printed + 1);
        free(children[printed].fact);
        free(children[printed].reason);
        free(children[printed++].out);
    }
    return well;
}

int main(int argc, char **argv)
{
    struct child *children;
    bool well;

    for (int i = 1; i < argc; i++)
        add_all(argv[i]);
    printf("1..%zu\n", names_count);
    children = calloc(names_count + 1, sizeof *children);
    well = children && play_all(children);
    free(children);
    for (size_t i = 0; i < names_count; i++)
        free(names[i]);
    free(names);
    return well ? 0 : 1;
}
