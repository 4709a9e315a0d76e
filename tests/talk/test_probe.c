/* A probe: what it finds out, what it never says, and its end. */
#include "talk.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define ITEMS 64

/* A copy of a finding. */
struct finding {
    struct xf_probe probe;
    enum xf_via via;
    uint16_t port;
    uint32_t block_size;
    int code;
    char jid[256], host[256], text[1024], dialect[64], evidence[256];
};

struct findings {
    size_t count;
    struct finding all[ITEMS];
    unsigned ends;
};

static void copy(char *out, size_t size, const char *text)
{
    snprintf(out, size, "%s", text ? text : "");
}

static void take(struct talk *t, enum talk_who who, const struct xf_event *ev)
{
    struct findings *f = t->on_event_ctx;
    struct finding *one;

    if (ev->type != XF_EVENT_PROBE)
        return;
    assert_int_equal(who, R);
    assert_non_null(ev->probe);
    assert_int_equal(f->ends, 0); /* it is the last */
    assert_true(f->count < ITEMS);
    one = &f->all[f->count++];
    one->probe = *ev->probe;
    one->via = ev->via;
    one->port = ev->port;
    one->block_size = ev->block_size;
    one->code = ev->code;
    copy(one->jid, sizeof one->jid, ev->probe->jid);
    copy(one->host, sizeof one->host, ev->host);
    copy(one->text, sizeof one->text, ev->text);
    copy(one->dialect, sizeof one->dialect, ev->dialect);
    copy(one->evidence, sizeof one->evidence, ev->evidence);
    f->ends += ev->probe->item == XF_PROBE_END;
}

static struct talk *begin(struct findings *f, const char *info)
{
    struct talk *t = talk_new();

    memset(f, 0, sizeof *f);
    t->on_event = take;
    t->on_event_ctx = f;
    t->side[J].info = info;
    return t;
}

static void run(struct talk *t, struct findings *f)
{
    int64_t end = talk_now() + 16000;

    while (f->ends == 0) {
        assert_true(talk_now() < end);
        talk_run(t, 1);
    }
}

static void probe(struct talk *t, struct findings *f, const char *to)
{
    assert_int_equal(xf_probe(t->side[R].s, to, 0), 0);
    run(t, f);
}

static const struct finding *nth(const struct findings *f,
                                 enum xf_probe_item item, unsigned n)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->all[i].probe.item == item && n-- == 1)
            return &f->all[i];
    return NULL;
}

static void assert_ends_with(const struct findings *f, int code)
{
    const struct finding *end = nth(f, XF_PROBE_END, 1);

    if (end->code != code)
        fail_msg("ends with %d, not %d: %s", end->code, code, end->text);
    assert_true((end->text[0] != '\0') == (code != 0));
}

/* "direct proxy ibb ibb/2" */
static void assert_ways(const struct findings *f, const char *want)
{
    static const char *const names[] = { "?", "direct", "proxy", "ibb" };
    const struct finding *way;
    char text[512] = "";
    size_t len = 0;

    for (unsigned n = 1; (way = nth(f, XF_PROBE_WAY, n)) != NULL; n++) {
        assert_int_equal(way->probe.number, n);
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s%s",
                                n > 1 ? " " : "", names[way->via],
                                way->probe.second_offer ? "/2" : "");
    }
    assert_string_equal(text, want);
}

static void only(struct talk *t, enum xf_via via)
{
    t->side[R].config.via[0] = via;
    t->side[R].config.via[1] = XF_VIA_NONE;
}

static void with_proxy(struct talk *t)
{
    t->proxy = talk_proxy_new();
    t->side[R].config.proxies[0] = PROXY;
    t->side[R].config.addresses[0] = "127.0.0.1:7001";
}

#define SI "<feature var='http://jabber.org/protocol/si'/>"
#define FILES                                                                  \
    SI "<feature var='http://jabber.org/protocol/si/profile/file-transfer'/>"
#define S5B "<feature var='http://jabber.org/protocol/bytestreams'/>"
#define IBB "<feature var='http://jabber.org/protocol/ibb'/>"
#define VERSION "<feature var='jabber:iq:version'/>"
#define PC "<identity category='client' type='pc' name='Unheard-of'/>"

/* --- what is found ------------------------------------------------------------- */

static void all_is_told_and_the_ways_in_order(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);

    (void)state;
    with_proxy(t);
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_ends_with(&f, 0);
    assert_string_equal(nth(&f, XF_PROBE_SERVER, 1)->jid, "montague.example");
    assert_string_equal(nth(&f, XF_PROBE_RESOURCE, 1)->jid, JULIET);
    assert_true(nth(&f, XF_PROBE_RESOURCE, 1)->probe.chosen);
    assert_string_equal(nth(&f, XF_PROBE_DIALECT, 1)->dialect, "xferry");
    assert_true(nth(&f, XF_PROBE_DIALECT, 1)->evidence[0] != '\0');
    assert_string_equal(nth(&f, XF_PROBE_ADDRESS, 1)->host, "127.0.0.1");
    assert_int_equal(nth(&f, XF_PROBE_ADDRESS, 1)->port, 7001);
    assert_non_null(nth(&f, XF_PROBE_RATE, 1));
    assert_ways(&f, "direct proxy ibb ibb/2");
    talk_free(t);
}

static void a_proxy_is_tried_by_a_word_there_and_back(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);
    const struct finding *proxy;

    (void)state;
    with_proxy(t);
    talk_begin(t);
    probe(t, &f, JULIET);
    proxy = nth(&f, XF_PROBE_PROXY, 1);
    assert_non_null(proxy);
    assert_true(proxy->probe.answers);
    assert_true(proxy->probe.told);
    assert_int_equal(proxy->probe.relays, XF_YES);
    assert_string_equal(proxy->text, "");
    assert_true(talk_proxy_was_used(t->proxy));
    assert_non_null(talk_said(t, R, "<activate>" ROMEO "</activate>", 1));
    talk_free(t);
}

static void a_proxy_that_refuses_to_activate_does_not_relay(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);
    const struct finding *proxy;

    (void)state;
    with_proxy(t);
    only(t, XF_VIA_PROXY);
    talk_error(t, R, "<activate", 0, TALK_NOT_FOUND);
    talk_begin(t);
    probe(t, &f, JULIET);
    proxy = nth(&f, XF_PROBE_PROXY, 1);
    assert_true(proxy->probe.answers);
    assert_int_equal(proxy->probe.relays, XF_NO);
    assert_non_null(strstr(proxy->text, "item-not-found"));
    assert_int_equal(nth(&f, XF_PROBE_WAY, 1)->probe.relays, XF_NO);
    assert_ends_with(&f, XF_E_CONNECT);
    talk_free(t);
}

/* The activation is said to be done, and was not even asked for. */
static void say_done(struct talk *t, const char *xml)
{
    talk_feed(t, R,
              "<iq type='result' id='%s' from='" PROXY "' to='" ROMEO "'/>",
              talk_attr(xml, NULL, "id"));
}

static void a_proxy_that_joins_and_relays_nothing_is_found_out(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);

    (void)state;
    with_proxy(t);
    talk_call(t, R, "<activate", 0, say_done);
    talk_rule(t, R, "<activate", 0, TALK_DROP);
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_int_equal(nth(&f, XF_PROBE_PROXY, 1)->probe.relays, XF_NO);
    assert_non_null(strstr(nth(&f, XF_PROBE_PROXY, 1)->text, "gives none"));
    assert_ends_with(&f, 0); /* there are other ways */
    talk_free(t);
}

static void a_service_without_an_address_is_told(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);

    (void)state;
    t->side[R].config.proxies[0] = "nobody.example";
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_string_equal(nth(&f, XF_PROBE_PROXY, 1)->jid, "nobody.example");
    assert_false(nth(&f, XF_PROBE_PROXY, 1)->probe.answers);
    assert_int_equal(nth(&f, XF_PROBE_PROXY, 1)->probe.relays, XF_NO);
    talk_free(t);
}

/* --- a proxy like Openfire's ------------------------------------------------------ */

/* Takes one connection and refuses its hash, as one that saw no offer. */
static void *refuse_one(void *ctx)
{
    static const char refusal[] = "\x05\x02\x00\x03\x00\x00\x00";
    int fd = accept(*(int *)ctx, NULL, NULL);
    char bytes[64];

    if (fd < 0)
        return NULL;
    (void)recv(fd, bytes, 3, MSG_WAITALL);
    (void)send(fd, "\x05\x00", 2, MSG_NOSIGNAL);
    (void)recv(fd, bytes, 47, MSG_WAITALL);
    (void)send(fd, refusal, sizeof refusal - 1, MSG_NOSIGNAL);
    (void)recv(fd, bytes, 1, 0);
    close(fd);
    return NULL;
}

static uint16_t openfire_port;

static void answer_as_openfire(struct talk *t, const char *xml)
{
    talk_feed(t, R,
              "<iq type='result' id='%s' from='proxy.openfire' to='" ROMEO
              "'><query xmlns='http://jabber.org/protocol/bytestreams'>"
              "<streamhost jid='proxy.openfire' host='127.0.0.1' port='%u'/>"
              "</query></iq>",
              talk_attr(xml, NULL, "id"), openfire_port);
}

static void a_proxy_that_wants_to_see_the_offer_is_not_called_dead(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct finding *proxy;
    struct findings f;
    struct talk *t;
    pthread_t thread;

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    openfire_port = ntohs(at.sin_port);
    t = begin(&f, NULL);
    only(t, XF_VIA_PROXY);
    t->side[R].config.proxies[0] = "proxy.openfire";
    talk_call(t, R, "to=\"proxy.openfire\"", 1, answer_as_openfire);
    assert_int_equal(pthread_create(&thread, NULL, refuse_one, &fd), 0);
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_int_equal(pthread_join(thread, NULL), 0);
    proxy = nth(&f, XF_PROBE_PROXY, 1);
    assert_true(proxy->probe.answers);
    assert_int_equal(proxy->probe.relays, XF_NOT_KNOWN);
    assert_non_null(strstr(proxy->text, "offer"));
    assert_ends_with(&f, 0);
    talk_free(t);
    close(fd);
}

/* --- what is said ------------------------------------------------------------------ */

static void nothing_is_offered_and_no_address_told(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);

    (void)state;
    with_proxy(t);
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_int_equal(talk_count(t, R, "<si "), 0);
    assert_int_equal(talk_count(t, R, "<streamhost"), 0);
    assert_int_equal(talk_count(t, R, "<open "), 0);
    assert_int_equal(talk_count(t, R, "127.0.0.1"), 0);
    assert_int_equal(talk_count(t, R, "7001"), 0);
    for (unsigned n = 1; talk_said(t, R, "to=\"" JULIET "\"", n); n++) {
        const char *xml = talk_said(t, R, "to=\"" JULIET "\"", n)->xml;

        assert_string_equal(talk_attr(xml, NULL, "type"), "get");
    }
    assert_int_equal(t->side[J].notes_count, 1); /* ONLINE */
    talk_free(t);
}

static void only_in_band_asks_for_no_proxy_and_opens_no_port(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);
    unsigned fds;

    (void)state;
    with_proxy(t);
    only(t, XF_VIA_IBB);
    talk_begin(t);
    fds = talk_fds();
    assert_int_equal(xf_probe(t->side[R].s, JULIET, 0), 0);
    while (f.ends == 0) {
        assert_int_equal(talk_fds(), fds);
        talk_run(t, 1);
    }
    assert_int_equal(talk_count(t, R, "bytestreams"), 0);
    assert_null(nth(&f, XF_PROBE_ADDRESS, 1));
    assert_null(nth(&f, XF_PROBE_PROXY, 1));
    assert_ways(&f, "ibb");
    talk_free(t);
}

/* --- what a transfer would end with ----------------------------------------------------- */

static void the_code_is_that_of_a_transfer(void **state)
{
    static const struct {
        const char *info;
        enum xf_via via;
        const char *to;
        int code;
    } cases[] = {
        { PC FILES S5B IBB, XF_VIA_IBB, JULIET, 0 },
        { PC FILES IBB, XF_VIA_DIRECT, JULIET, XF_E_NOMETHOD },
        { PC FILES S5B, XF_VIA_IBB, JULIET, XF_E_NOMETHOD },
        { PC SI, XF_VIA_IBB, JULIET, XF_E_NOPEER },
        { NULL, XF_VIA_PROXY, JULIET, XF_E_CONNECT },
        { NULL, XF_VIA_IBB, "nobody@capulet.example/x", XF_E_NOPEER },
        { NULL, XF_VIA_IBB, "juliet@capulet.example", XF_E_USAGE },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct findings f;
        struct talk *t = begin(&f, cases[i].info);

        only(t, cases[i].via);
        talk_begin(t);
        probe(t, &f, cases[i].to);
        assert_ends_with(&f, cases[i].code);
        talk_free(t);
    }
}

static void a_contact_that_keeps_silent_may_still_take_files(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, "");

    (void)state;
    only(t, XF_VIA_IBB);
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_false(nth(&f, XF_PROBE_RESOURCE, 1)->probe.answers);
    assert_string_equal(nth(&f, XF_PROBE_DIALECT, 1)->dialect, "unknown");
    assert_ways(&f, "ibb");
    assert_ends_with(&f, 0);
    talk_free(t);
}

static void answer_version(struct talk *t, const char *xml)
{
    talk_feed(t, R,
              "<iq type='result' id='%s' from='" JULIET "' to='" ROMEO
              "'><query xmlns='jabber:iq:version'><name>Smack</name>"
              "<version>4.4.8</version></query></iq>",
              talk_attr(xml, NULL, "id"));
}

static void the_version_tells_where_nothing_else_does(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, PC FILES S5B IBB VERSION);

    (void)state;
    talk_call(t, R, "jabber:iq:version", 2, answer_version);
    talk_rule(t, R, "jabber:iq:version", 2, TALK_DROP);
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_string_equal(nth(&f, XF_PROBE_DIALECT, 1)->dialect, "smack");
    assert_non_null(strstr(nth(&f, XF_PROBE_DIALECT, 1)->evidence, "4.4.8"));
    assert_ends_with(&f, 0);
    talk_free(t);
}

static void a_port_that_cannot_be_had_is_told(void **state)
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl(INADDR_ANY) };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct findings f;
    struct talk *t;

    (void)state;
    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    t = begin(&f, NULL);
    t->side[R].config.listen_from = t->side[R].config.listen_to =
        ntohs(at.sin_port);
    talk_begin(t);
    probe(t, &f, JULIET);
    assert_int_equal(nth(&f, XF_PROBE_ADDRESS, 1)->code, XF_E_BUSY);
    assert_ways(&f, "ibb");
    talk_free(t);
    close(fd);
}

/* --- its life --------------------------------------------------------------------------- */

static void one_at_a_time_and_then_another(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);

    (void)state;
    only(t, XF_VIA_IBB);
    talk_begin(t);
    assert_int_equal(xf_probe(t->side[R].s, "@", 0), XF_E_USAGE);
    assert_int_equal(xf_probe(t->side[R].s, JULIET, 0), 0);
    assert_int_equal(xf_probe(t->side[R].s, JULIET, 0), XF_E_BUSY);
    run(t, &f);
    memset(&f, 0, sizeof f);
    probe(t, &f, JULIET);
    assert_ends_with(&f, 0);
    talk_free(t);
}

static void a_lost_connection_ends_it_wherever_it_stands(void **state)
{
    (void)state;
    for (int turns = 0; turns < 20; turns++) {
        struct findings f;
        struct talk *t = begin(&f, NULL);

        with_proxy(t);
        talk_begin(t);
        assert_int_equal(xf_probe(t->side[R].s, JULIET, 0), 0);
        for (int i = 0; i < turns && f.ends == 0; i++)
            talk_run(t, 0);
        assert_int_equal(xf_session_attach(t->side[R].s, NULL), 0);
        run(t, &f);
        if (nth(&f, XF_PROBE_END, 1)->code)
            assert_ends_with(&f, XF_E_STREAM);
        talk_free(t);
    }
}

static void a_session_may_be_freed_wherever_it_stands(void **state)
{
    (void)state;
    for (int turns = 0; turns < 20; turns++) {
        struct findings f;
        struct talk *t = begin(&f, NULL);

        with_proxy(t);
        talk_begin(t);
        assert_int_equal(xf_probe(t->side[R].s, JULIET, 0), 0);
        for (int i = 0; i < turns; i++)
            talk_run(t, 0);
        talk_free(t); /* checks that nothing is left */
    }
}

static void a_file_may_be_sent_meanwhile(void **state)
{
    struct findings f;
    struct talk *t = begin(&f, NULL);

    (void)state;
    talk_begin(t);
    assert_int_equal(xf_probe(t->side[R].s, JULIET, 0), 0);
    talk_offer_new(t, "a.bin", 1000000);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_DIRECT, "a.bin");
    run(t, &f);
    assert_ends_with(&f, 0);
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_told_and_the_ways_in_order),
        cmocka_unit_test(a_proxy_is_tried_by_a_word_there_and_back),
        cmocka_unit_test(a_proxy_that_refuses_to_activate_does_not_relay),
        cmocka_unit_test(a_proxy_that_joins_and_relays_nothing_is_found_out),
        cmocka_unit_test(a_service_without_an_address_is_told),
        cmocka_unit_test(
            a_proxy_that_wants_to_see_the_offer_is_not_called_dead),
        cmocka_unit_test(nothing_is_offered_and_no_address_told),
        cmocka_unit_test(only_in_band_asks_for_no_proxy_and_opens_no_port),
        cmocka_unit_test(the_code_is_that_of_a_transfer),
        cmocka_unit_test(a_contact_that_keeps_silent_may_still_take_files),
        cmocka_unit_test(the_version_tells_where_nothing_else_does),
        cmocka_unit_test(a_port_that_cannot_be_had_is_told),
        cmocka_unit_test(one_at_a_time_and_then_another),
        cmocka_unit_test(a_lost_connection_ends_it_wherever_it_stands),
        cmocka_unit_test(a_session_may_be_freed_wherever_it_stands),
        cmocka_unit_test(a_file_may_be_sent_meanwhile),
    };

    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
