/* The engine of the torture; see the header. */
#include "stage.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"

#define PROXY "proxy.example"
#define QUIET 3                    /* looks that see nothing, then time leaps */
#define RUN_MS (4LL * 3600 * 1000) /* by the clock that leaps */
#define TURNS_MAX 200000
#define SPINS_MAX 2000
#define MESSAGE_MAX 200000 /* bytes; a block of 65535 in base64 fits */

const char *const who_is[SIDES] = { "sender", "receiver" };
const char *const way_is[WAYS] = { "in-band", "direct", "proxy" };
enum who stage_now = SIDES;

/* What goes between two processes: a letter, then a stanza or a note. */
enum { STANZA = 'S', NOTE = 'N', WAKE = 'W', HELLO = 'H' };

/* An event, or what a call gave. */
struct note {
    int type; /* enum xf_event_type, or -1: a call was refused, -2: dispatch */
    int code;
    uint64_t id, done, total, offset;
    bool confirmed, outgoing;
    char text[200];
};

struct asleep {
    _Atomic int64_t due; /* INT64_MIN: it is at work */
};

struct way_on {
    struct way_on *next;
    enum who from;
    char *xml;
};

static enum who other(enum who who)
{
    return who == R ? J : R;
}

uint64_t stage_bytes(void)
{
    extern size_t __sanitizer_get_current_allocated_bytes(void)
        __attribute__((weak));

    return __sanitizer_get_current_allocated_bytes
               ? __sanitizer_get_current_allocated_bytes()
               : mallinfo2().uordblks;
}

unsigned stage_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (dir && readdir(dir))
        n++;
    if (dir)
        closedir(dir);
    return n;
}

/* --- what is told ------------------------------------------------------------ */

static void take_note(struct stage *st, enum who who, const struct note *n)
{
    struct side *side = &st->side[who];
    struct told *told = &side->told;

    st->moved = true;
    if (getenv("XF_TRACE"))
        printf("# %lld %s: event %d code %d done %llu confirmed %d %s\n",
               (long long)shim_now_ms(), who_is[who], n->type, n->code,
               (unsigned long long)n->done, n->confirmed, n->text);
    switch (n->type) {
    case -1:
        told->refused = n->code;
        return;
    case -2:
        told->loop = n->code;
        return;
    case XF_EVENT_OFFER:
        told->offers++;
        return;
    case XF_EVENT_RESUMED:
        told->resumed = n->code ? 0 : n->offset;
        return;
    case XF_EVENT_PROGRESS:
        told->moved = n->done;
        told->bad |= n->done > n->total;
        return;
    case XF_EVENT_DONE:
    case XF_EVENT_FAILED:
        break;
    default:
        return;
    }
    for (unsigned i = 0; i < side->open_count; i++)
        told->bad |= side->open_ids[i] == n->id;
    if (side->open_count < 64)
        side->open_ids[side->open_count++] = n->id;
    if (n->type == XF_EVENT_DONE) {
        told->done++;
        told->confirmed |= n->confirmed;
        told->bad |= n->code != 0;
        return;
    }
    told->failed++;
    told->code = n->code;
    told->bad |= n->code == 0 || !n->text[0];
    (void)snprintf(told->text, sizeof told->text, "%s", n->text);
}

/* --- stanzas ------------------------------------------------------------------- */

static const char *attr(const char *xml, const char *name, char *out,
                        size_t size)
{
    const char *end = strchr(xml, '>'), *at;
    char key[32];
    size_t len;

    out[0] = '\0';
    (void)snprintf(key, sizeof key, " %s=", name);
    at = strstr(xml, key);
    if (!at || !end || at > end)
        return out;
    at += strlen(key) + 1;
    end = strchr(at, at[-1]);
    len = end ? (size_t)(end - at) : 0;
    if (len >= size)
        len = 0;
    memcpy(out, at, len);
    out[len] = '\0';
    return out;
}

static void put_on_way(struct stage *st, enum who from, char *xml)
{
    struct way_on *one = calloc(1, sizeof *one);

    if (!one || !xml)
        abort();
    one->from = from;
    one->xml = xml;
    *st->last = one;
    st->last = &one->next;
    st->moved = true;
}

/* Of an in-band block the bytes of the file in it. */
static size_t carried(const char *xml)
{
    const char *data = strstr(xml, "<data "), *end;

    if (!data || !(data = strchr(data, '>')) || !(end = strchr(data, '<')))
        return 0;
    return (size_t)(end - data - 1) / 4 * 3;
}

static void said(struct stage *st, enum who from, const char *xml, size_t len)
{
    char *copy = strndup(xml, len);

    if (!copy)
        abort();
    if (getenv("XF_TRACE"))
        printf("# %lld %s: %.1200s\n", (long long)shim_now_ms(), who_is[from],
               copy);
    st->stanzas++;
    st->stanza_bytes += carried(copy);
    if (st->on_stanza)
        st->on_stanza(st, from, copy);
    put_on_way(st, from, copy);
}

/* --- an end in this process ------------------------------------------------------ */

struct actor {
    struct stage *st;
    enum who who;
    int sock; /* -1: in the process of the stage */
};

static void emit(struct actor *a, char kind, const void *bytes, size_t len)
{
    static char message[MESSAGE_MAX];

    if (a->sock < 0) {
        if (kind == STANZA)
            said(a->st, a->who, bytes, len);
        else
            take_note(a->st, a->who, bytes);
        return;
    }
    if (len >= sizeof message)
        abort();
    message[0] = kind;
    memcpy(message + 1, bytes, len);
    /* Not send(), which the shim counts. */
    if (sendto(a->sock, message, len + 1, MSG_NOSIGNAL, NULL, 0) < 0)
        _exit(0); /* the stage is gone */
}

static void emit_code(struct actor *a, int type, int code)
{
    struct note n = { .type = type, .code = code };

    if (code != 0)
        emit(a, NOTE, &n, sizeof n);
}

static void take_events(struct actor *a, struct xf_session *s)
{
    const struct xf_event *ev;

    while ((ev = xf_session_next(s)) != NULL) {
        struct note n = { .type = (int)ev->type,
                          .code = ev->code,
                          .done = ev->done,
                          .total = ev->total,
                          .offset = ev->offset,
                          .confirmed = ev->confirmed };

        if (ev->transfer)
            n.id = xf_transfer_id(ev->transfer);
        (void)snprintf(n.text, sizeof n.text, "%s", ev->text ? ev->text : "");
        emit(a, NOTE, &n, sizeof n);
        if (ev->type == XF_EVENT_OFFER)
            (void)xf_transfer_accept(ev->transfer, a->st->in_fd, a->st->exists);
    }
}

static void act(struct actor *a)
{
    struct xf_session *s = a->st->side[a->who].s;
    const char *xml;
    size_t len;

    stage_now = a->who;
    emit_code(a, -2, xf_session_dispatch(s));
    take_events(a, s);
    while ((xml = xf_session_next_stanza(s, &len)) != NULL)
        emit(a, STANZA, xml, len);
    stage_now = SIDES;
}

static bool actor_begin(struct actor *a)
{
    struct side *side = &a->st->side[a->who];
    int err;

    stage_now = a->who;
    side->s = NULL;
    err = xf_session_new_attached(&side->s, &side->config);
    if (err == 0)
        err = xf_session_attach(side->s, side->jid);
    stage_now = SIDES;
    emit_code(a, -1, err);
    return err == 0;
}

static void actor_offer(struct actor *a)
{
    struct stage *st = a->st;
    struct xf_offer_options options = { .hash = st->hash };
    char path[128];
    int err;

    for (unsigned i = 0; i < st->files; i++) {
        (void)snprintf(path, sizeof path, "%s/%c.bin", st->out, 'a' + (int)i);
        stage_now = a->who;
        err =
            xf_offer_file(st->side[R].s, st->side[J].jid, path, &options, NULL);
        stage_now = SIDES;
        emit_code(a, -1, err);
        if (err == 0)
            emit(a, NOTE, &(struct note){ .type = XF_EVENT_OFFER },
                 sizeof(struct note));
    }
}

/* --- an end in a process of its own ------------------------------------------------ */

static void send_epoll(int sock, int fd)
{
    char hello = HELLO, space[CMSG_SPACE(sizeof fd)] = { 0 };
    struct iovec iov = { &hello, 1 };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = space,
                          .msg_controllen = sizeof space };
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    (void)sendmsg(sock, &msg, MSG_NOSIGNAL);
}

static void hear(struct actor *a)
{
    static char message[MESSAGE_MAX];
    struct xf_session *s = a->st->side[a->who].s;
    ssize_t n;

    while ((n = recv(a->sock, message, sizeof message, MSG_DONTWAIT)) > 0) {
        if (message[0] != STANZA)
            continue;
        stage_now = a->who;
        (void)xf_session_feed(s, message + 1, (size_t)n - 1);
        stage_now = SIDES;
    }
    if (n == 0)
        _exit(0);
}

/* What the stage has open would else stay open when it closes it. */
static void close_all_but(int one, int two)
{
    if (one > two) {
        int swap = one;

        one = two;
        two = swap;
    }
    if (one > 3)
        (void)close_range(3, (unsigned)one - 1, 0);
    if (two > one + 1)
        (void)close_range((unsigned)one + 1, (unsigned)two - 1, 0);
    (void)close_range((unsigned)two + 1, ~0u, 0);
}

static void live(struct stage *st, enum who who, int sock)
{
    struct side *side = &st->side[who];
    struct actor a = { st, who, sock };

    close_all_but(sock, st->in_fd);

    if (side->before)
        side->before(side, side->ctx);
    if (!actor_begin(&a)) {
        send_epoll(sock, sock);
        atomic_store(&side->asleep->due, INT64_MAX);
        (void)poll(&(struct pollfd){ sock, POLLIN, 0 }, 1, -1);
        _exit(0);
    }
    send_epoll(sock, xf_session_fd(side->s));
    if (who == R)
        actor_offer(&a);
    for (;;) {
        struct pollfd fds[2] = { { sock, POLLIN, 0 },
                                 { xf_session_fd(side->s), POLLIN, 0 } };
        int ms;

        act(&a);
        stage_now = a.who;
        ms = xf_session_timeout(side->s);
        stage_now = SIDES;
        if (ms != 0)
            atomic_store(&side->asleep->due,
                         ms < 0 ? INT64_MAX : shim_now_ms() + ms);
        (void)poll(fds, 2, ms);
        atomic_store(&side->asleep->due, INT64_MIN);
        hear(&a);
    }
}

static bool begin_apart(struct stage *st, enum who who)
{
    struct side *side = &st->side[who];
    int pair[2];

    if (!side->asleep) {
        side->asleep = mmap(NULL, sizeof *side->asleep, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (side->asleep == MAP_FAILED)
            abort();
    }
    atomic_store(&side->asleep->due, INT64_MIN);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        abort();
    side->epoll = -1;
    side->pid = fork();
    if (side->pid < 0)
        abort();
    if (side->pid == 0) {
        close(pair[0]);
        live(st, who, pair[1]);
        _exit(0);
    }
    close(pair[1]);
    side->sock = pair[0];
    return true;
}

/* False when there is nothing (more) to hear. */
static bool hear_apart(struct stage *st, enum who who)
{
    static char message[MESSAGE_MAX];
    struct side *side = &st->side[who];
    struct note note;
    char space[CMSG_SPACE(sizeof(int))];
    struct iovec iov = { message, sizeof message };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = space,
                          .msg_controllen = sizeof space };
    ssize_t n = recvmsg(side->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (n < 0)
        return false;
    if (n == 0) { /* it has come to its end */
        stage_end(st, who);
        return false;
    }
    if (message[0] == STANZA)
        said(st, who, message + 1, (size_t)n - 1);
    else if (message[0] == NOTE)
        take_note(st, who, memcpy(&note, message + 1, sizeof note));
    else if (message[0] == HELLO && CMSG_FIRSTHDR(&msg))
        memcpy(&side->epoll, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
    return true;
}

/* False when it cannot be taken now. */
static bool tell_apart(struct side *side, char kind, const char *text)
{
    static char message[MESSAGE_MAX];
    size_t len = strlen(text);

    if (len >= sizeof message)
        abort();
    message[0] = kind;
    memcpy(message + 1, text, len);
    return send(side->sock, message, len + 1, MSG_DONTWAIT | MSG_NOSIGNAL) >=
               0 ||
           errno != EAGAIN;
}

/* --- the server in between --------------------------------------------------------- */

static int feed(struct stage *st, enum who to, const char *xml)
{
    struct side *side = &st->side[to];
    int fed;

    stage_now = to;
    fed = xf_session_feed(side->s, xml, strlen(xml));
    stage_now = SIDES;
    return fed;
}

static void give(struct stage *st, enum who to, const char *xml)
{
    struct side *side = &st->side[to];

    st->moved = true;
    if (!side->there)
        return;
    if (side->apart)
        (void)tell_apart(side, STANZA, xml);
    else
        (void)feed(st, to, xml);
}

static void answer(struct stage *st, enum who to, const char *xml,
                   const char *inner)
{
    char id[256], from[256], reply[4096];

    (void)snprintf(reply, sizeof reply,
                   "<iq type='%s' id='%s' from='%s' to='%s'>%s</iq>",
                   inner ? "result" : "error", attr(xml, "id", id, sizeof id),
                   attr(xml, "to", from, sizeof from), st->side[to].jid,
                   inner ? inner
                         : "<error type='cancel'><service-unavailable "
                           "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
                           "</error>");
    give(st, to, reply);
}

static void answer_info(struct stage *st, enum who to, const char *xml)
{
    char info[3000] = "<query xmlns='http://jabber.org/protocol/disco#info'>"
                      "<identity category='client' type='pc' name='x'/>";
    const char *var;

    for (size_t i = 0; (var = xf_feature(i)) != NULL; i++) {
        size_t used = strlen(info);

        (void)snprintf(info + used, sizeof info - used, "<feature var='%s'/>",
                       var);
    }
    (void)strncat(info, "</query>", sizeof info - strlen(info) - 1);
    answer(st, to, xml, info);
}

static void answer_proxy(struct stage *st, enum who to, const char *xml)
{
    char hosts[300];
    uint16_t port = wire_proxy_port(st->wire);

    if (strstr(xml, "<activate")) {
        answer(st, to, xml, wire_activate(st->wire) ? "" : NULL);
        return;
    }
    if (wire_cut(st->wire)->on)
        port = wire_through(st->wire, port);
    (void)snprintf(hosts, sizeof hosts,
                   "<query xmlns='http://jabber.org/protocol/bytestreams'>"
                   "<streamhost jid='" PROXY "' host='127.0.0.1' port='%u'/>"
                   "</query>",
                   port);
    answer(st, to, xml, hosts);
}

/* A direct streamhost gets the relay's port. */
static char *bend(struct stage *st, char *xml)
{
    char *at = strstr(xml, "<streamhost "), *port, *end, *bent;
    unsigned old;

    if (!wire_cut(st->wire)->on || st->way != DIRECT || !at ||
        !(port = strstr(at, " port=")))
        return xml;
    old = (unsigned)strtoul(port + 7, &end, 10);
    if (asprintf(&bent, "%.*s%u%s", (int)(port + 7 - xml), xml,
                 wire_through(st->wire, (uint16_t)old), end) < 0)
        abort();
    free(xml);
    return bent;
}

/* False when it has to wait. */
static bool deliver(struct stage *st, struct way_on *one)
{
    enum who to = other(one->from);
    struct side *side = &st->side[to];
    char type[16], jid[256];
    bool request;

    attr(one->xml, "type", type, sizeof type);
    attr(one->xml, "to", jid, sizeof jid);
    request = strncmp(one->xml, "<iq", 3) == 0 &&
              (strcmp(type, "get") == 0 || strcmp(type, "set") == 0);
    if (request && st->way == BY_PROXY && strcmp(jid, PROXY) == 0) {
        answer_proxy(st, one->from, one->xml);
    } else if (strcmp(jid, side->jid) != 0 || !side->there) {
        if (request)
            answer(st, one->from, one->xml, NULL);
    } else if (request && strstr(one->xml, "disco#info")) {
        answer_info(st, one->from, one->xml);
    } else {
        one->xml = bend(st, one->xml);
        if (side->apart)
            return tell_apart(side, STANZA, one->xml);
        if (feed(st, to, one->xml) != 1 && request)
            answer(st, one->from, one->xml, NULL);
    }
    return true;
}

static void deliver_all(struct stage *st)
{
    struct way_on *list = st->way_on;

    st->way_on = NULL;
    st->last = &st->way_on;
    while (list) {
        struct way_on *one = list;

        if (!deliver(st, one))
            break;
        list = one->next;
        st->moved = true;
        free(one->xml);
        free(one);
    }
    if (list) { /* what could not go, in front of what has come since */
        struct way_on **end = &list;

        while (*end)
            end = &(*end)->next;
        *end = st->way_on;
        if (!st->way_on)
            st->last = end;
        st->way_on = list;
    }
}

static void drop_way(struct stage *st, bool all, enum who from)
{
    struct way_on **at = &st->way_on;

    while (*at) {
        struct way_on *one = *at;

        if (!all && one->from != from) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        free(one->xml);
        free(one);
    }
    st->last = at;
}

/* --- beginning and end ---------------------------------------------------------------- */

static void write_file(struct stage *st, unsigned nth)
{
    char path[128];
    uint32_t seed = 2166136261u * (nth + 1);
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%c.bin", st->out, 'a' + (int)nth);
    f = fopen(path, "w");
    if (!f)
        abort();
    for (size_t i = 0; i < st->size; i++) {
        seed = seed * 1664525u + 1013904223u;
        putc_unlocked((int)(seed >> 24), f);
    }
    if (fclose(f) != 0)
        abort();
}

void stage_new(struct stage *st, enum way way, size_t size)
{
    const char *tmp = getenv("TMPDIR");

    *st = (struct stage){ .way = way, .size = size, .files = 1 };
    st->last = &st->way_on;
    (void)snprintf(st->dir, sizeof st->dir, "%.32s/xferry-torture-XXXXXX",
                   tmp ? tmp : "/tmp");
    if (!mkdtemp(st->dir))
        abort();
    (void)snprintf(st->in, sizeof st->in, "%s/in", st->dir);
    (void)snprintf(st->out, sizeof st->out, "%s/out", st->dir);
    if (mkdir(st->in, 0700) < 0 || mkdir(st->out, 0700) < 0)
        abort();
    st->in_fd = open(st->in, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    write_file(st, 0);
    st->wire = wire_new();
    st->side[R].jid = "romeo@montague.example/orchard";
    st->side[J].jid = "juliet@capulet.example/balcony";
    for (int i = 0; i < SIDES; i++) {
        struct xf_config *c = &st->side[i].config;

        xf_config_init(c);
        c->server = "127.0.0.1";
        c->workers = 0;
        c->timeout_ms = 2000;
        st->side[i].sock = st->side[i].epoll = -1;
    }
    stage_way(st, way);
}

void stage_files(struct stage *st, unsigned n)
{
    for (st->files = 1; st->files < n; st->files++)
        write_file(st, st->files);
}

void stage_way(struct stage *st, enum way way)
{
    static const enum xf_via vias[WAYS] = { XF_VIA_IBB, XF_VIA_DIRECT,
                                            XF_VIA_PROXY };

    st->way = way;
    for (int i = 0; i < SIDES; i++) {
        struct xf_config *c = &st->side[i].config;

        memset(c->via, 0, sizeof c->via);
        c->via[0] = vias[way];
        c->proxies[0] = way == BY_PROXY ? PROXY : NULL;
    }
}

static void sweep(const char *path, bool and_itself)
{
    DIR *dir = opendir(path);
    struct dirent *e;

    while (dir && (e = readdir(dir)) != NULL)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
    if (and_itself)
        (void)rmdir(path);
}

void stage_empty(struct stage *st)
{
    sweep(st->in, false);
}

void stage_free(struct stage *st)
{
    stage_close(st);
    for (int i = 0; i < SIDES; i++)
        if (st->side[i].asleep)
            (void)munmap(st->side[i].asleep, sizeof *st->side[i].asleep);
    drop_way(st, true, R);
    wire_free(st->wire);
    close(st->in_fd);
    sweep(st->in, true);
    sweep(st->out, true);
    (void)rmdir(st->dir);
}

void stage_again(struct stage *st)
{
    st->hung = NULL;
    for (int i = 0; i < SIDES; i++) {
        st->side[i].told = (struct told){ 0 };
        st->side[i].open_count = 0;
    }
}

bool stage_begin(struct stage *st, enum who who)
{
    struct side *side = &st->side[who];
    struct actor a = { st, who, -1 };

    side->there = side->apart ? begin_apart(st, who) : actor_begin(&a);
    if (!side->there && side->s) {
        xf_session_free(side->s);
        side->s = NULL;
    }
    return side->there;
}

void stage_offer(struct stage *st)
{
    struct actor a = { st, R, -1 };

    if (st->side[R].there && !st->side[R].apart)
        actor_offer(&a);
}

void stage_end(struct stage *st, enum who who)
{
    struct side *side = &st->side[who];
    char xml[256];

    if (!side->there)
        return;
    side->there = false;
    if (side->apart) {
        (void)kill(side->pid, SIGKILL);
        while (waitpid(side->pid, &side->status, 0) < 0 && errno == EINTR)
            continue;
        while (hear_apart(st, who)) /* what it had said before */
            continue;
        close(side->sock);
        if (side->epoll >= 0)
            close(side->epoll);
        side->sock = side->epoll = -1;
    } else {
        stage_now = who;
        xf_session_free(side->s);
        stage_now = SIDES;
        side->s = NULL;
    }
    (void)snprintf(xml, sizeof xml,
                   "<presence type='unavailable' from='%s' to='%s'/>",
                   side->jid, st->side[other(who)].jid);
    deliver_all(st);
    give(st, other(who), xml);
}

bool stage_fell(struct stage *st, enum who who)
{
    return st->side[who].apart && !st->side[who].there;
}

void stage_close(struct stage *st)
{
    stage_end(st, R);
    stage_end(st, J);
    drop_way(st, true, R);
    wire_clear(st->wire);
}

/* --- the loop ----------------------------------------------------------------------------- */

static void turn_side(struct stage *st, enum who who)
{
    struct side *side = &st->side[who];
    struct actor a = { st, who, -1 };

    if (!side->there)
        return;
    if (!side->apart) {
        act(&a);
        return;
    }
    while (side->there && hear_apart(st, who))
        continue;
}

bool stage_turn(struct stage *st)
{
    st->moved = false;
    turn_side(st, R);
    deliver_all(st);
    turn_side(st, J);
    deliver_all(st);
    st->moved |= wire_step(st->wire);
    if (st->on_turn)
        st->on_turn(st);
    return st->moved;
}

/* When is anything due, by the clock? INT64_MIN: somebody is at work. */
static int64_t due_at(struct stage *st, struct pollfd fds[2 * SIDES])
{
    int64_t due = INT64_MAX;

    for (int i = 0; i < SIDES; i++) {
        struct side *side = &st->side[i];
        int64_t at = INT64_MAX;
        int ms;

        fds[2 * i] = fds[2 * i + 1] = (struct pollfd){ -1, POLLIN, 0 };
        if (!side->there)
            continue;
        if (side->apart) {
            at = atomic_load(&side->asleep->due);
            fds[2 * i].fd = side->sock;
            fds[2 * i + 1].fd = side->epoll;
        } else {
            ms = xf_session_timeout(side->s);
            at = ms < 0 ? INT64_MAX : shim_now_ms() + ms;
            fds[2 * i].fd = xf_session_fd(side->s);
        }
        if (at < due)
            due = at;
    }
    return due;
}

/* Has an end in a process of its own still something to hear? */
static bool unheard(const struct stage *st)
{
    for (int i = 0; i < SIDES; i++) {
        int bytes = 0;

        if (st->side[i].there && st->side[i].apart &&
            ioctl(st->side[i].sock, SIOCOUTQ, &bytes) == 0 && bytes > 0)
            return true;
    }
    return false;
}

static void wake(struct stage *st)
{
    for (int i = 0; i < SIDES; i++)
        if (st->side[i].there && st->side[i].apart)
            (void)tell_apart(&st->side[i], WAKE, "");
}

static unsigned ends(const struct told *told)
{
    return told->done + told->failed;
}

/* Nobody has anything left to tell. */
static bool all_over(const struct stage *st)
{
    for (int i = 0; i < SIDES; i++) {
        const struct side *side = &st->side[i];

        if (side->there && ends(&side->told) < side->told.offers)
            return false;
    }
    return st->side[R].told.offers > 0 || st->side[R].told.refused != 0 ||
           !st->side[R].there;
}

void stage_run(struct stage *st)
{
    int64_t end = shim_now_ms() + RUN_MS;
    unsigned quiet = 0, spins = 0;
    struct pollfd fds[2 * SIDES];

    for (unsigned n = 0; n < TURNS_MAX; n++) {
        bool moved = stage_turn(st);
        int64_t due = due_at(st, fds), now = shim_now_ms();
        bool woken;

        if (!moved && all_over(st) && !unheard(st)) {
            if (++quiet > QUIET)
                return;
        } else if (moved || (due != INT64_MIN && due <= now)) {
            quiet = 0;
        }
        woken = poll(fds, 2 * SIDES,
                     moved || (due != INT64_MIN && due <= now) ? 0 : 1) > 0;
        if (st->side[J].apart || st->side[R].apart)
            spins = 0;
        else
            spins = moved || woken || due > now ? 0 : spins + 1;
        if (spins > SPINS_MAX) {
            st->hung = "it spins";
            return;
        }
        /* Looked at before the last look at when it is due: who hears is at
         * work from then on. */
        if (moved || woken || unheard(st) || due_at(st, fds) == INT64_MIN ||
            due == INT64_MIN || st->way_on) {
            quiet = 0;
            continue;
        }
        if (++quiet <= QUIET || due <= now)
            continue;
        if (due == INT64_MAX) {
            if (all_over(st))
                return;
            st->hung = "nothing is due, and it is not over";
            return;
        }
        if (st->no_leaps)
            continue;
        if (now > end) {
            st->hung = "it does not end";
            return;
        }
        shim_leap(due - now);
        wake(st);
        quiet = 0;
    }
    st->hung = "too many turns";
}

void stage_play(struct stage *st)
{
    if (stage_begin(st, J) && stage_begin(st, R)) {
        stage_offer(st);
        stage_run(st);
    }
}

/* --- what is there ----------------------------------------------------------------------- */

static bool same(struct stage *st, const char *name)
{
    char path[400], source[128];
    bool equal;
    FILE *a, *b;
    static char one[65536], two[65536];
    size_t n, m;

    /* "a (1).bin" is "a.bin" as well. */
    (void)snprintf(source, sizeof source, "%s/%c.bin", st->out, name[0]);
    (void)snprintf(path, sizeof path, "%s/%s", st->in, name);
    a = fopen(source, "r");
    b = fopen(path, "r");
    equal = a && b;
    do {
        n = a ? fread(one, 1, sizeof one, a) : 0;
        m = b ? fread(two, 1, sizeof two, b) : 0;
        equal = equal && n == m && memcmp(one, two, n) == 0;
    } while (equal && n > 0);
    if (a)
        fclose(a);
    if (b)
        fclose(b);
    return equal;
}

struct found stage_look(struct stage *st)
{
    struct found found = { 0 };
    DIR *dir = opendir(st->in);
    struct stat info;
    struct dirent *e;

    while (dir && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (strstr(e->d_name, ".xf-") &&
            fstatat(dirfd(dir), e->d_name, &info, 0) == 0)
            found.empty += info.st_size == 0;
        if (strstr(e->d_name, ".part"))
            found.parts++;
        else if (strstr(e->d_name, ".journal"))
            found.journals++;
        else if (same(st, e->d_name))
            found.whole++;
        else
            found.other++;
    }
    if (dir)
        closedir(dir);
    return found;
}

const char *stage_judge(struct stage *st)
{
    const struct told *r = &st->side[R].told, *j = &st->side[J].told;
    struct found found = stage_look(st);

    if (st->hung)
        return st->hung;
    if (r->loop || j->loop)
        return "the loop failed";
    if (r->bad || j->bad)
        return "an event that is wrong";
    if (found.other > 0)
        return "another file lies there";
    if (found.whole != j->done)
        return j->done > found.whole ? "done, and not there"
                                     : "there, and not told";
    if (r->done > j->done)
        return r->confirmed ? "confirmed, and not there"
                            : "the sender is done, the receiver not";
    if (r->offers > 0 && ends(r) < r->offers)
        return "the sender has not ended";
    return NULL;
}
