/* Once wrong, found by reading and by luck: each keeps its script. */
#include "talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/route.h"
#include "api/session.h"
#include "base/sys.h"
#include "leap.h"
#include "proto/s5b.h"

#define S5B "http://jabber.org/protocol/bytestreams"
#define IBB "http://jabber.org/protocol/ibb"
#define OPTION(method) "<option><value>" method "</value></option>"
#define QUERY "<query xmlns=\"" S5B "\""

static const char *const unheard_of =
    "<identity category='client' type='pc' name='Unheard-of'/>"
    "<feature var='http://jabber.org/protocol/si'/>";

static void only(struct talk *t, enum talk_who who, enum xf_via a,
                 enum xf_via b)
{
    t->side[who].config.via[0] = a;
    t->side[who].config.via[1] = b;
    t->side[who].config.via[2] = XF_VIA_NONE;
}

/* --- what Romeo says, by hand --------------------------------------------------- */

/* `more`: further attributes of the file. */
static void feed_offer(struct talk *t, const char *id, const char *sid,
                       const char *size, const char *more, const char *options)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='" ROMEO "' to='" JULIET "'>"
              "<si xmlns='http://jabber.org/protocol/si' id='%s' profile="
              "'http://jabber.org/protocol/si/profile/file-transfer'><file "
              "xmlns='http://jabber.org/protocol/si/profile/file-transfer' "
              "name='a.bin' size='%s' %s/><feature "
              "xmlns='http://jabber.org/protocol/feature-neg'><x "
              "xmlns='jabber:x:data' type='form'><field var='stream-method' "
              "type='list-single'>%s</field></x></feature></si></iq>",
              id, sid, size, more, options);
}

static void feed_open(struct talk *t, const char *id, const char *sid,
                      unsigned block)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='" ROMEO "' to='" JULIET "'><open "
              "xmlns='" IBB "' sid='%s' block-size='%u' stanza='iq'/></iq>",
              id, sid, block);
}

static void feed_data(struct talk *t, const char *id, const char *sid,
                      unsigned seq, const char *base64)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='" ROMEO "' to='" JULIET "'><data "
              "xmlns='" IBB "' sid='%s' seq='%u'>%s</data></iq>",
              id, sid, seq, base64);
}

static void feed_close(struct talk *t, const char *id, const char *sid)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='" ROMEO "' to='" JULIET "'><close "
              "xmlns='" IBB "' sid='%s'/></iq>",
              id, sid);
}

static void feed_query(struct talk *t, const char *id, const char *sid,
                       const char *jid, uint16_t port)
{
    talk_feed(t, J,
              "<iq type='set' id='%s' from='" ROMEO "' to='" JULIET "'><query "
              "xmlns='" S5B "' sid='%s'><streamhost jid='%s' host='127.0.0.1' "
              "port='%u'/></query></iq>",
              id, sid, jid, (unsigned)port);
}

static const char *answer(const struct talk *t, const char *id)
{
    char key[64];
    const struct talk_stanza *one;

    snprintf(key, sizeof key, "id=\"%s\"", id);
    one = talk_said(t, J, key, 1);
    return one ? one->xml : "";
}

static bool is_result(const struct talk *t, const char *id)
{
    return strstr(answer(t, id), "type=\"result\"") != NULL;
}

static void until_answered(struct talk *t, const char *id)
{
    char key[64];

    snprintf(key, sizeof key, "id=\"%s\"", id);
    talk_until_said(t, J, key, 1);
}

/* --- a host of the peer ----------------------------------------------------------- */

static int host_open(uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static int host_accept(struct talk *t, int host)
{
    int64_t end = talk_now() + TALK_MS;
    int fd = -1;

    while (fd < 0 && talk_now() < end) {
        talk_run(t, 2);
        fd = accept4(host, NULL, NULL, SOCK_CLOEXEC);
    }
    assert_true(fd >= 0);
    return fd;
}

static void read_all(struct talk *t, int fd, void *out, size_t len)
{
    int64_t end = talk_now() + TALK_MS;
    char *to = out;

    while (len > 0 && talk_now() < end) {
        ssize_t n = recv(fd, to, len, MSG_DONTWAIT);

        if (n > 0) {
            to += n;
            len -= (size_t)n;
        } else {
            assert_true(n < 0 && errno == EAGAIN);
            talk_run(t, 2);
        }
    }
    assert_int_equal(len, 0);
}

/* As a SOCKS5 server: yes to whatever is asked for. */
static void shake_hands(struct talk *t, int fd)
{
    unsigned char in[47];

    read_all(t, fd, in, 3);
    assert_int_equal(send(fd, "\5\0", 2, 0), 2);
    read_all(t, fd, in, sizeof in);
    in[1] = 0;
    assert_int_equal(send(fd, in, sizeof in, 0), (ssize_t)sizeof in);
}

/* As a client of the listener Romeo told of. */
static int knock(struct talk *t, uint16_t port, const char *dstaddr)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), small = 8192;
    unsigned char out[47] = { 5, 1, 0, 3, 40 }, in[47];

    assert_true(fd >= 0);
    assert_int_equal(
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(send(fd, "\5\1\0", 3, 0), 3);
    read_all(t, fd, in, 2);
    memcpy(out + 5, dstaddr, 40);
    assert_int_equal(send(fd, out, sizeof out, 0), (ssize_t)sizeof out);
    read_all(t, fd, in, sizeof in);
    assert_int_equal(in[1], 0);
    return fd;
}

/* --- a disk that can stick, memory that can end, who is called -------------------- */

static struct {
    enum xf_sys_call call;
    atomic_bool stuck; /* calls of that kind wait */
    atomic_uint seen;  /* of them */
    unsigned fail_at;  /* this one fails; 0: none */
} world;

static int gate(enum xf_sys_call call, void *ctx)
{
    struct timespec nap = { .tv_nsec = 1000000 };
    unsigned n;

    (void)ctx;
    if (call != world.call)
        return 0;
    n = atomic_fetch_add(&world.seen, 1) + 1;
    while (atomic_load(&world.stuck))
        nanosleep(&nap, NULL);
    return n == world.fail_at ? ENOMEM : 0;
}

static void watch(enum xf_sys_call call)
{
    world.call = call;
    world.fail_at = 0;
    atomic_store(&world.stuck, false);
    atomic_store(&world.seen, 0);
    xf_sys_set_gate(gate, NULL);
}

static int unwatch(void **state)
{
    (void)state;
    atomic_store(&world.stuck, false);
    xf_sys_set_gate(NULL, NULL);
    return 0;
}

/* --- the second offer -------------------------------------------------------------- */

/* What is summed was settled with the first one. */
static void a_sum_in_the_second_offer_comes_too_late(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    feed_offer(t, "o1", "s1", "3", "", OPTION(S5B) OPTION(IBB));
    until_answered(t, "o1");
    feed_offer(t, "o2", "s2", "3", "hash='0123456789abcdef0123456789abcdef'",
               OPTION(IBB));
    until_answered(t, "o2");
    feed_open(t, "c", "s2", 4096);
    feed_data(t, "d", "s2", 0, "YWJj");
    feed_close(t, "e", "s2");
    talk_until_over(t, 0, 1);
    assert_int_equal(t->side[J].offers, 1);
    assert_non_null(talk_note(t, J, XF_EVENT_DONE, 1));
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->verified,
                     XF_NOT_VERIFIED);
    talk_free(t);
}

static void another_sum_is_another_file(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    feed_offer(t, "o1", "s1", "3", "hash='900150983cd24fb0d6963f7d28e17f72'",
               OPTION(S5B) OPTION(IBB));
    until_answered(t, "o1");
    feed_offer(t, "o2", "s2", "3", "hash='0123456789abcdef0123456789abcdef'",
               OPTION(IBB));
    talk_until_offers(t, 2);
    talk_free(t);
}

/* The answer to <open/> comes too late for a sender who then offers again. */
static void a_late_open_and_a_second_offer_are_one_file(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    feed_offer(t, "o1", "s1", "3", "", OPTION(S5B) OPTION(IBB));
    until_answered(t, "o1");
    feed_open(t, "c1", "s1", 4096);
    until_answered(t, "c1");
    assert_true(is_result(t, "c1"));
    feed_offer(t, "o2", "s2", "3", "", OPTION(IBB));
    until_answered(t, "o2");
    assert_true(is_result(t, "o2"));
    feed_open(t, "c2", "s2", 4096);
    feed_data(t, "d2", "s2", 0, "YWJj");
    feed_close(t, "e2", "s2");
    talk_until_over(t, 0, 1);
    assert_int_equal(t->side[J].offers, 1);
    assert_non_null(talk_note(t, J, XF_EVENT_DONE, 1));
    assert_string_equal(talk_note(t, J, XF_EVENT_DONE, 1)->path, "a.bin");
    talk_free(t);
}

/* Nothing has come of it, and yet all: the offer is of one more file. */
static void an_empty_file_on_its_way_to_the_disk_is_not_offered_again(
    void **state)
{
    struct talk *t = talk_new();
    uint16_t port;
    int host = host_open(&port), fd;

    (void)state;
    t->side[J].config.workers = 1;
    watch(XF_SYS_SYNC);
    talk_begin(t);
    feed_offer(t, "o1", "s1", "0", "", OPTION(S5B) OPTION(IBB));
    until_answered(t, "o1");
    atomic_store(&world.stuck, true);
    feed_query(t, "q", "s1", ROMEO, port);
    fd = host_accept(t, host);
    shake_hands(t, fd);
    until_answered(t, "q");
    close(fd);
    while (atomic_load(&world.seen) == 0)
        talk_run(t, 2);
    feed_offer(t, "o2", "s2", "0", "", OPTION(IBB));
    talk_run(t, 20);
    atomic_store(&world.stuck, false);
    talk_until_over(t, 0, 1);
    assert_non_null(talk_note(t, J, XF_EVENT_DONE, 1));
    assert_int_equal(talk_note(t, J, XF_EVENT_DONE, 1)->id, 1);
    assert_int_equal(t->side[J].offers, 2);
    close(host);
    talk_free(t);
}

/* --- the ladder ---------------------------------------------------------------------- */

static void refused_inband_leads_to_a_bytestream_where_it_comes_second(
    void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_IBB, XF_VIA_DIRECT);
    talk_alter(t, J, "<value>" S5B "</value>", 1, "<value>" S5B "</value>",
               "<value>" IBB "</value><value>" S5B "</value>");
    talk_alter(t, J, "<value>" IBB "</value></field>", 1,
               "<value>" IBB "</value></field>",
               "<value>" IBB "</value><value>" S5B "</value></field>");
    talk_error(t, R, "<open ", 0, TALK_NOT_ACCEPTABLE);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_non_null(talk_attempt(t, R, XF_VIA_IBB, XF_ATTEMPT_FAILED, 1));
    talk_free(t);
}

static bool was_offered(const struct talk *t, uint64_t id)
{
    const struct talk_note *n;

    for (unsigned i = 1; (n = talk_note(t, R, XF_EVENT_OFFERED, i)); i++)
        if (n->id == id)
            return true;
    return false;
}

/* Whoever waits behind the ceiling of unanswered offers gets his turn. */
static void cancelled_offers_make_room_for_the_next(void **state)
{
    struct xf_transfer *all[12];
    struct talk *t = talk_new();
    const char *path = talk_file(t, "a.bin", 10);
    unsigned n = sizeof all / sizeof *all, said;

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    for (unsigned i = 0; i < n; i++)
        all[i] = talk_offer(t, path, NULL);
    talk_until_offers(t, 2);
    talk_run(t, 100);
    said = talk_count(t, R, "<si ");
    assert_in_range(said, 1, n - 1);
    for (unsigned i = 0; i < n; i++)
        if (was_offered(t, xf_transfer_id(all[i])))
            xf_transfer_cancel(all[i]);
    talk_until_said(t, R, "<si ", said + 1);
    talk_free(t);
}

/* --- slow, stuck, full ---------------------------------------------------------------- */

/* The kernel had it all at once; the other side takes it at its leisure. */
static void a_slow_receiver_is_waited_for_while_it_takes_bytes(void **state)
{
    struct talk *t = talk_new();
    char dstaddr[XF_DSTADDR_LEN + 1];
    static char bytes[32768];
    const char *query;
    size_t got = 0, size = 900000;
    int fd;

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    talk_rule(t, R, "<streamhost ", 1, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", size);
    talk_until_said(t, R, "<streamhost ", 1);
    query = talk_said(t, R, "<streamhost ", 1)->xml;
    assert_true(xf_dstaddr(talk_sid(t), ROMEO, JULIET, dstaddr));
    fd = knock(t, (uint16_t)atoi(talk_attr(query, "streamhost", "port")),
               dstaddr);
    talk_feed(t, R,
              "<iq type='result' id='%s' from='" JULIET "' to='" ROMEO "'>"
              "<query xmlns='" S5B "'><streamhost-used jid='" ROMEO "'/>"
              "</query></iq>",
              talk_attr(query, NULL, "id"));
    while (got < size) {
        read_all(t, fd, bytes,
                 size - got < sizeof bytes ? size - got : sizeof bytes);
        got += size - got < sizeof bytes ? size - got : sizeof bytes;
        talk_leap(10000);
        talk_run(t, 5);
    }
    close(fd);
    talk_until_over(t, 1, 0);
    assert_non_null(talk_note(t, R, XF_EVENT_DONE, 1));
    talk_free(t);
}

/* Nobody acknowledges messages, so what waits in the embedder's queue counts. */
static void nothing_is_done_before_the_last_message_has_left(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_IBB, XF_VIA_NONE);
    t->side[R].config.stanza = XF_STANZA_MESSAGE;
    t->side[J].info = unheard_of;
    talk_begin(t);
    xf_session_set_queued(t->side[R].s, 1000);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_said(t, R, "<data ", 5);
    talk_run(t, 50);
    assert_int_equal(talk_count(t, R, "<close "), 0);
    assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
    xf_session_set_queued(t->side[R].s, 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

/* ... and that not one of them came is not known to who sent them. */
static void messages_that_are_all_lost_are_no_confirmed_file(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_IBB, XF_VIA_NONE);
    t->side[R].config.stanza = XF_STANZA_MESSAGE;
    talk_rule(t, R, "<message ", 0, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 20000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_SHORT);
    assert_null(talk_note(t, R, XF_EVENT_DONE, 1));
    talk_check_nothing(t);
    talk_free(t);
}

/* Blocks that waited for a slow disk, of a sender who waits for their acks. */
static void blocks_held_back_are_answered_when_the_file_is_whole(void **state)
{
    enum { BLOCK = 49152, BLOCKS = 22 };
    static char base64[BLOCK / 3 * 4 + 1];
    struct talk *t = talk_new();
    char id[16], size[16];
    unsigned answered = 0;

    (void)state;
    t->side[J].config.workers = 1;
    watch(XF_SYS_WRITE);
    talk_begin(t);
    snprintf(size, sizeof size, "%d", BLOCK * BLOCKS);
    feed_offer(t, "o", "s", size, "", OPTION(IBB));
    until_answered(t, "o");
    feed_open(t, "c", "s", 65535);
    atomic_store(&world.stuck, true);
    memset(base64, 'A', sizeof base64 - 1);
    for (unsigned i = 0; i < BLOCKS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        feed_data(t, id, "s", i, base64);
    }
    talk_run(t, 20);
    assert_false(is_result(t, "d21"));
    talk_leap(6000); /* its patience for the sender's close */
    talk_run(t, 20);
    atomic_store(&world.stuck, false);
    talk_until_over(t, 0, 1);
    assert_non_null(talk_note(t, J, XF_EVENT_DONE, 1));
    for (unsigned i = 0; i < BLOCKS; i++) {
        snprintf(id, sizeof id, "d%u", i);
        answered += is_result(t, id);
    }
    assert_int_equal(answered, BLOCKS);
    talk_free(t);
}

static char a_cookie, another_cookie;

/* But for two, and the <open/> that is being answered. */
static void fill_the_table(struct talk *t, const char *xml)
{
    struct xf_iq_table *iqs = t->side[R].s->iqs;
    char id[24];

    (void)xml;
    for (int i = 0; i < XF_IQ_MAX; i++) {
        snprintf(id, sizeof id, "full-%d", i);
        if (xf_iq_add(iqs, id, MALLORY, INT64_MAX,
                      i < 2 ? &another_cookie : &a_cookie) != 0)
            break;
    }
    xf_iq_drop(iqs, &another_cookie);
}

static void blocks_wait_where_too_many_requests_are_under_way(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_IBB, XF_VIA_NONE);
    talk_call(t, R, "<open ", 1, fill_the_table);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    xf_iq_drop(t->side[R].s->iqs, &a_cookie);
    talk_free(t);
}

/* Its user is not asked, and its memory is not taken. */
static void malformed_offers_are_answered_and_told_in_part(void **state)
{
    struct talk *t = talk_new();
    char id[16];

    (void)state;
    talk_begin(t);
    for (int i = 0; i < 2000; i++) {
        snprintf(id, sizeof id, "n%d", i);
        talk_feed(t, J,
                  "<iq type='set' id='%s' from='" MALLORY "' to='" JULIET "'>"
                  "<si xmlns='http://jabber.org/protocol/si'/></iq>",
                  id);
    }
    talk_run(t, 10);
    assert_int_equal(talk_count(t, J, "type=\"error\""), 2000);
    assert_in_range(t->side[J].ends, 1, 100);
    feed_offer(t, "o", "s", "3", "", OPTION(IBB));
    talk_until_offers(t, 1);
    talk_free(t);
}

/* Whichever piece of memory is missing: offered, or answered. */
static void an_offer_is_never_just_forgotten(void **state)
{
    bool whole = false;

    (void)state;
    for (unsigned n = 1; n < 200 && !whole; n++) {
        struct talk *t = talk_new();

        t->by_hand = true;
        talk_begin(t);
        talk_run(t, 5);
        watch(XF_SYS_ALLOC);
        world.fail_at = n;
        feed_offer(t, "o", "s", "3", "desc='words'", OPTION(IBB));
        whole = atomic_load(&world.seen) < n;
        xf_sys_set_gate(NULL, NULL);
        talk_run(t, 5);
        /* What could not be read was not ours; the embedder hears of it. */
        if (t->side[J].fed == 1 && t->side[J].offers == 0 &&
            !strstr(answer(t, "o"), "error"))
            fail_msg("lost at allocation %u", n);
        talk_free(t);
    }
    assert_true(whole);
}

/* Its turn has come, and what our server lets through is still measured. */
static void an_error_before_the_offer_has_an_id_is_nobodys(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_IBB, XF_VIA_NONE);
    talk_rule(t, R, "urn:xmpp:ping", 0, TALK_DROP);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 300000);
    talk_run(t, 50);
    talk_feed(t, R,
              "<iq type='error' id='x' from='" JULIET "' to='" ROMEO
              "'>" TALK_NOT_FOUND "</iq>");
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

/* --- addresses ------------------------------------------------------------------------- */

/* Who may not be told our address is not dialled under whatever name. */
static void a_peers_host_under_a_foreign_name_is_direct(void **state)
{
    struct talk *t = talk_new();
    uint16_t port;
    int host = host_open(&port);

    (void)state;
    only(t, J, XF_VIA_PROXY, XF_VIA_IBB);
    talk_begin(t);
    feed_offer(t, "o", "s", "3", "", OPTION(S5B) OPTION(IBB));
    until_answered(t, "o");
    watch(XF_SYS_CONNECT);
    feed_query(t, "q", "s", "friend@montague.example/x", port);
    until_answered(t, "q");
    assert_non_null(strstr(answer(t, "q"), "item-not-found"));
    assert_int_equal(atomic_load(&world.seen), 0);
    close(host);
    talk_free(t);
}

static void inband_alone_dials_nobody(void **state)
{
    static const char *const jids[] = { ROMEO, PROXY };
    struct talk *t = talk_new();
    char id[16];
    uint16_t port;
    int host = host_open(&port);

    (void)state;
    only(t, J, XF_VIA_IBB, XF_VIA_NONE);
    talk_begin(t);
    feed_offer(t, "o", "s", "3", "", OPTION(S5B) OPTION(IBB));
    until_answered(t, "o");
    watch(XF_SYS_CONNECT);
    for (size_t i = 0; i < sizeof jids / sizeof *jids; i++) {
        snprintf(id, sizeof id, "q%zu", i);
        feed_query(t, id, "s", jids[i], port);
        until_answered(t, id);
        assert_non_null(strstr(answer(t, id), "error"));
    }
    talk_run(t, 20);
    assert_int_equal(atomic_load(&world.seen), 0);
    close(host);
    talk_free(t);
}

/* Why it failed is told of what is let go of. */
static void a_host_that_refuses_is_told_with_the_reason(void **state)
{
    struct talk *t = talk_new();
    const struct talk_note *n;
    char in[3];
    uint16_t port;
    int host = host_open(&port), fd;

    (void)state;
    talk_begin(t);
    feed_offer(t, "o", "s", "3", "", OPTION(S5B) OPTION(IBB));
    until_answered(t, "o");
    feed_query(t, "q", "s", ROMEO, port);
    fd = host_accept(t, host);
    read_all(t, fd, in, sizeof in);
    assert_int_equal(send(fd, "\5\377", 2, 0), 2);
    until_answered(t, "q");
    assert_non_null(strstr(answer(t, "q"), "item-not-found"));
    n = talk_attempt(t, J, XF_VIA_DIRECT, XF_ATTEMPT_FAILED, 1);
    assert_non_null(n);
    assert_true(n->text[0]);
    close(fd);
    close(host);
    talk_free(t);
}

/* --- ends ---------------------------------------------------------------------------------- */

/* All bytes were acknowledged, and still it is not there. */
static void a_receiver_that_lost_the_file_tells_its_sender(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    t->side[J].info = talk_stranger;
    talk_alter(t, R, "<si ", 1,
               " size=", " hash='00000000000000000000000000000000' size=");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_HASH);
    talk_check_failed(t, R, XF_E_GONE);
    talk_check_nothing(t);
    talk_free(t);
}

static void a_receiver_that_lost_the_file_says_why_between_ours(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    talk_alter(t, R, "<si ", 1,
               " size=", " hash='00000000000000000000000000000000' size=");
    talk_begin(t);
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_failed(t, J, XF_E_HASH);
    talk_check_failed(t, R, XF_E_HASH);
    assert_int_equal(talk_note(t, R, XF_EVENT_FAILED, 1)->verified,
                     XF_MISMATCH);
    talk_check_nothing(t);
    talk_free(t);
}

/* Nothing is missing of it, and still it has not come. */
static void an_empty_file_without_a_stream_is_not_there(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    feed_offer(t, "o", "s", "0", "", OPTION(IBB));
    until_answered(t, "o");
    assert_int_equal(xf_session_attach(t->side[J].s, NULL), 0);
    talk_until_over(t, 0, 1);
    talk_check_failed(t, J, XF_E_STREAM);
    talk_check_nothing(t);
    talk_free(t);
}

/* The disk is done with it, and nobody has looked: what is there is there. */
static void a_cancel_behind_the_final_name_comes_too_late(void **state)
{
    struct talk *t = talk_new();
    struct timespec nap = { .tv_nsec = 50000000 };
    const struct talk_note *n;

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    t->side[J].config.workers = 1;
    watch(XF_SYS_SYNC);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 1000);
    talk_until_offers(t, 1);
    atomic_store(&world.stuck, true);
    while (atomic_load(&world.seen) == 0)
        talk_run(t, 2);
    atomic_store(&world.stuck, false);
    nanosleep(&nap, NULL);
    assert_int_equal(xf_session_dispatch(t->side[J].s), 0);
    xf_transfer_cancel(t->offered);
    talk_until_over(t, 1, 1);
    n = talk_note(t, J, XF_EVENT_DONE, 1);
    if (n)
        talk_check_same(t, "a.bin", n->path);
    else
        talk_check_nothing(t);
    talk_free(t);
}

/* Nothing to wait for, and yet its sender must first hear of the stream. */
static void an_empty_file_goes_direct_to_a_sender_who_hears_late(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    only(t, R, XF_VIA_DIRECT, XF_VIA_NONE);
    talk_rule(t, J, "<streamhost-used ", 1, TALK_DELAY)->ms = 300;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 0);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    talk_free(t);
}

/* Only who received knows a name in a directory. */
static void the_sender_is_told_no_path(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    assert_string_equal(talk_note(t, R, XF_EVENT_DONE, 1)->path, "");
    assert_string_equal(talk_note(t, J, XF_EVENT_DONE, 1)->path, "a.bin");
    talk_free(t);
}

/* --- the face -------------------------------------------------------------------------------- */

static void what_xml_cannot_say_is_not_offered(void **state)
{
    static const struct xf_offer_options bad[] = {
        { .name = "a\001b" },        { .name = "a\nb\033" },
        { .name = "a\xef\xbf\xbf" }, { .name = "\xff" },
        { .desc = "bell\007" },      { .desc = "\xed\xa0\x80" },
    };
    struct talk *t = talk_new();
    const char *path = talk_file(t, "a.bin", 10);
    struct xf_transfer *out;

    (void)state;
    talk_begin(t);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(
            xf_offer_file(t->side[R].s, JULIET, path, &bad[i], &out),
            XF_E_USAGE);
    talk_run(t, 10);
    assert_int_equal(talk_count(t, R, "<si "), 0);
    talk_free(t);
}

/* Its embedder takes no stanza any more, and nothing is due: nothing spins. */
static void a_borrowed_connection_that_is_lost_costs_no_time(void **state)
{
    struct talk *t = talk_new();
    const struct xf_event *ev;
    unsigned zeros = 0, offline = 0;
    struct xf_session *s;

    (void)state;
    t->by_hand = true;
    talk_begin(t);
    s = t->side[J].s;
    feed_offer(t, "o", "s", "3", "", OPTION(S5B) OPTION(IBB));
    for (int i = 0; i < 50; i++) {
        if (i % 10 == 0)
            assert_int_equal(xf_session_attach(s, NULL), 0);
        assert_int_equal(xf_session_dispatch(s), 0);
        while ((ev = xf_session_next(s)) != NULL)
            offline += ev->type == XF_EVENT_OFFLINE;
        zeros += xf_session_timeout(s) == 0;
    }
    assert_in_range(zeros, 0, 10);
    assert_int_equal(offline, 1);
    talk_free(t);
}

static void a_connection_that_is_over_takes_no_offer(void **state)
{
    struct talk *t = talk_new();
    const char *path = talk_file(t, "a.bin", 10);
    int64_t end = talk_now() + TALK_MS;
    const struct xf_event *ev = NULL;
    struct xf_config config;
    struct xf_transfer *out;
    struct xf_session *s;

    (void)state;
    xf_config_init(&config);
    config.account = "romeo@localhost";
    config.password = "x";
    config.server = "127.0.0.1:1"; /* tcpmux: nobody is there */
    config.plain = true;
    assert_int_equal(xf_session_new(&s, &config), 0);
    while ((!ev || ev->type != XF_EVENT_OFFLINE) && talk_now() < end) {
        struct pollfd p = { xf_session_fd(s), POLLIN, 0 };
        int ms = xf_session_timeout(s);

        poll(&p, 1, ms < 0 || ms > 20 ? 20 : ms);
        xf_session_dispatch(s);
        ev = xf_session_next(s);
    }
    assert_non_null(ev);
    assert_int_equal(xf_offer_file(s, JULIET, path, NULL, &out), XF_E_STREAM);
    assert_null(out);
    xf_session_free(s);
    talk_free(t);
}

/* What a session that only sends would say on a connection of its own. */
static char *own_answer(struct xf_session *s, const char *request)
{
    struct xf_el *el;
    struct xf_xml_doc *doc = xf_xml_parse(request, strlen(request), &el);
    const char *said;
    size_t len;
    char *copy;

    assert_non_null(doc);
    xf_route(s, el);
    xf_xml_doc_free(doc);
    said = xf_session_next_stanza(s, &len);
    assert_non_null(said);
    copy = strndup(said, len);
    assert_non_null(copy);
    return copy;
}

static enum xf_choice_kind nurse(const struct talk *t)
{
    struct xf_choice choice;

    xf_contacts_choose(t->side[J].s->contacts, "nurse@capulet.example",
                       &choice);
    return choice.kind;
}

static void the_roster_is_changed_by_our_own_account_alone(void **state)
{
    static const struct {
        const char *from, *answer;
        enum xf_choice_kind kind;
    } rows[] = {
        { "from='" ROMEO "'", "service-unavailable", XF_CHOICE_NOT_SUBSCRIBED },
        { "from='capulet.example'", "service-unavailable",
          XF_CHOICE_NOT_SUBSCRIBED },
        { "from='juliet@capulet.example/tomb'", "service-unavailable",
          XF_CHOICE_NOT_SUBSCRIBED },
        { "from='juliet@capulet.example'", "type=\"result\"",
          XF_CHOICE_OFFLINE },
        { "", "type=\"result\"", XF_CHOICE_OFFLINE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct talk *t = talk_new();
        char push[512], *said;

        talk_begin(t);
        xf_contacts_roster_read(t->side[J].s->contacts);
        assert_int_equal(nurse(t), XF_CHOICE_NOT_SUBSCRIBED);
        snprintf(push, sizeof push,
                 "<iq type='set' id='r' %s to='" JULIET "'>"
                 "<query xmlns='jabber:iq:roster'><item "
                 "jid='nurse@capulet.example' subscription='both'/>"
                 "</query></iq>",
                 rows[i].from);
        said = own_answer(t->side[J].s, push);
        assert_non_null(strstr(said, rows[i].answer));
        free(said);
        assert_int_equal(nurse(t), rows[i].kind);
        talk_free(t);
    }
}

static void who_only_sends_neither_announces_nor_takes_offers(void **state)
{
    struct talk *t = talk_new();
    char *said;

    (void)state;
    t->side[J].config.send_only = true;
    talk_begin(t);
    talk_offer_new(t, "a.bin", 10);
    talk_until_over(t, 1, 0);
    assert_int_equal(t->side[J].offers, 0);
    assert_false(talk_said(t, R, "<si ", 1)->fed); /* the embedder's */
    assert_non_null(talk_note(t, R, XF_EVENT_FAILED, 1));

    said = own_answer(t->side[J].s,
                      "<iq type='set' id='o' from='" ROMEO "' to='" JULIET
                      "'><si xmlns='http://jabber.org/protocol/si'/></iq>");
    assert_non_null(strstr(said, "service-unavailable"));
    free(said);
    said = own_answer(t->side[J].s,
                      "<iq type='get' id='i' from='" ROMEO "' to='" JULIET
                      "'><query xmlns='http://jabber.org/protocol/disco#info'"
                      "/></iq>");
    assert_non_null(strstr(said, "disco#info"));
    assert_null(strstr(said, "protocol/si\""));
    assert_null(strstr(said, "profile/file-transfer"));
    free(said);
    talk_free(t);
}

/* --- several in one process ------------------------------------------------------------------ */

static void *two_by_themselves(void *arg)
{
    struct xf_session *pair[2] = { NULL, NULL };
    struct xf_config config;
    bool *well = arg;

    xf_config_init(&config);
    for (int i = 0; i < 2; i++) {
        if (xf_session_new_attached(&pair[i], &config) != 0)
            return NULL;
        (void)xf_session_attach(pair[i], i ? JULIET : ROMEO);
    }
    *well = true;
    for (int i = 0; i < 50; i++)
        *well &= xf_session_dispatch(pair[i % 2]) == 0;
    xf_session_free(pair[0]);
    for (int i = 0; i < 20; i++)
        *well &= xf_session_dispatch(pair[1]) == 0;
    xf_session_free(pair[1]);
    return NULL;
}

/* Begun and ended beside each other, each in its own thread. */
static void sessions_do_not_share_a_life(void **state)
{
    struct talk *t = talk_new();
    pthread_t threads[4];
    bool well[4] = { false };

    (void)state;
    talk_begin(t);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 4; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, two_by_themselves, &well[i]),
                0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], NULL), 0);
            assert_true(well[i]);
        }
    }
    talk_offer_new(t, "a.bin", 100000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    talk_free(t);
}

/* One account's session ends in the middle of another's transfer. */
static void the_end_of_a_session_is_nothing_to_the_other(void **state)
{
    struct xf_session *third;
    struct xf_config config;
    struct talk *t = talk_new();

    (void)state;
    xf_config_init(&config);
    config.workers = 1;
    only(t, R, XF_VIA_IBB, XF_VIA_NONE);
    assert_int_equal(xf_session_new_attached(&third, &config), 0);
    assert_int_equal(xf_session_attach(third, MALLORY), 0);
    talk_begin(t);
    talk_offer_new(t, "a.bin", 500000);
    talk_until_said(t, R, "<data ", 1);
    xf_session_free(third);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, "a.bin");
    talk_free(t);
}

#define TEST(name) cmocka_unit_test_teardown(name, unwatch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_sum_in_the_second_offer_comes_too_late),
        TEST(another_sum_is_another_file),
        TEST(a_late_open_and_a_second_offer_are_one_file),
        TEST(an_empty_file_on_its_way_to_the_disk_is_not_offered_again),
        TEST(refused_inband_leads_to_a_bytestream_where_it_comes_second),
        TEST(cancelled_offers_make_room_for_the_next),
        TEST(a_slow_receiver_is_waited_for_while_it_takes_bytes),
        TEST(nothing_is_done_before_the_last_message_has_left),
        TEST(messages_that_are_all_lost_are_no_confirmed_file),
        TEST(blocks_held_back_are_answered_when_the_file_is_whole),
        TEST(blocks_wait_where_too_many_requests_are_under_way),
        TEST(malformed_offers_are_answered_and_told_in_part),
        TEST(an_offer_is_never_just_forgotten),
        TEST(an_error_before_the_offer_has_an_id_is_nobodys),
        TEST(a_peers_host_under_a_foreign_name_is_direct),
        TEST(inband_alone_dials_nobody),
        TEST(a_host_that_refuses_is_told_with_the_reason),
        TEST(a_receiver_that_lost_the_file_tells_its_sender),
        TEST(a_receiver_that_lost_the_file_says_why_between_ours),
        TEST(an_empty_file_without_a_stream_is_not_there),
        TEST(a_cancel_behind_the_final_name_comes_too_late),
        TEST(an_empty_file_goes_direct_to_a_sender_who_hears_late),
        TEST(the_sender_is_told_no_path),
        TEST(what_xml_cannot_say_is_not_offered),
        TEST(a_borrowed_connection_that_is_lost_costs_no_time),
        TEST(a_connection_that_is_over_takes_no_offer),
        TEST(the_roster_is_changed_by_our_own_account_alone),
        TEST(who_only_sends_neither_announces_nor_takes_offers),
        TEST(sessions_do_not_share_a_life),
        TEST(the_end_of_a_session_is_nothing_to_the_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
