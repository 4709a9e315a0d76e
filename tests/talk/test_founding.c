/*
 * The conversation of 2007 from which this project began, byte for byte: a
 * file offered, streamhosts that cannot be reached, in-band on the same sid,
 * one block in a message. Once we are user1, once user2. Nobody connects to
 * the addresses of the document.
 */
#include "talk.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/session.h"
#include "base/digest.h"
#include "base/encode.h"
#include "base/sys.h"

#define USER1 "user1@host/spark"
#define USER2 "user2@host/spark"
#define SPARK_PROXY "proxy.jivesoftware.com"
#define SID "jsi_5471441136722873260"
#define NAME "RunSpark.lnk"
#define SHA256                                                                 \
    "7391cc51859768a43f8a51cb4b081dfc7ba9c33bc3cdefa1ab5fe767afd7a1d3"

static char *step(const char *file)
{
    char path[512];
    char *text = calloc(1, 4096);
    FILE *f;

    assert_non_null(text);
    snprintf(path, sizeof path, XF_DATA "/founding/%s.xml", file);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, 4095, f) > 0);
    fclose(f);
    return text;
}

static void hear(struct xf_session *s, const char *file)
{
    char *xml = step(file);

    assert_int_equal(xf_session_feed(s, xml, strlen(xml)), 1);
    free(xml);
}

static void is_step(const char *said, const char *file)
{
    char *xml = step(file);

    assert_string_equal(said, xml);
    free(xml);
}

/* --- a session by itself ------------------------------------------------------- */

static struct {
    struct xf_event ev; /* the last one of that type, without its strings */
    bool seen;
    char path[256], text[512];
} last[XF_EVENT_TRACE + 1];

static int out_fd = -1;

static void take_events(struct xf_session *s)
{
    const struct xf_event *ev;

    while ((ev = xf_session_next(s)) != NULL) {
        last[ev->type].seen = true;
        last[ev->type].ev = *ev;
        snprintf(last[ev->type].path, sizeof last->path, "%s",
                 ev->path ? ev->path : "");
        snprintf(last[ev->type].text, sizeof last->text, "%s",
                 ev->text ? ev->text : "");
        if (ev->type == XF_EVENT_OFFER)
            assert_int_equal(
                xf_transfer_accept(ev->transfer, out_fd, XF_EXISTS_RENAME), 0);
    }
}

static void wait_a_little(struct xf_session *s)
{
    struct pollfd p = { xf_session_fd(s), POLLIN, 0 };
    int due = xf_session_timeout(s);

    (void)poll(&p, 1, due >= 0 && due < 20 ? due : 20);
    assert_int_equal(xf_session_dispatch(s), 0);
    take_events(s);
}

/* The next stanza; NULL when there is none within `ms`. */
static const char *next(struct xf_session *s, int ms)
{
    static char xml[8192];
    int64_t end = talk_now() + ms;
    const char *text;
    size_t len;

    do {
        text = xf_session_next_stanza(s, &len);
        if (text) {
            assert_true(len < sizeof xml);
            memcpy(xml, text, len);
            xml[len] = '\0';
            return xml;
        }
        wait_a_little(s);
    } while (talk_now() < end);
    return NULL;
}

static const char *must(struct xf_session *s)
{
    const char *xml = next(s, TALK_MS);

    assert_non_null(xml);
    return xml;
}

static void until(struct xf_session *s, enum xf_event_type type)
{
    int64_t end = talk_now() + TALK_MS;

    while (!last[type].seen && talk_now() < end)
        wait_a_little(s);
    if (last[XF_EVENT_FAILED].seen)
        fail_msg("%s", last[XF_EVENT_FAILED].text);
    assert_true(last[type].seen);
}

/* --- user1 ------------------------------------------------------------------------ */

/* The document's ids, behind those of what it does not show. */
static void make_id(char *out, void *ctx)
{
    static const char *const ids[] = { SID,         "vrC08-126", "vrC08-127",
                                       "vrC08-128", "vrC08-129", "vrC08-130" };
    size_t *n = ctx;

    if (*n < 100)
        snprintf(out, 64, "before-%zu", *n);
    else
        snprintf(out, 64, "%s", *n < 106 ? ids[*n - 100] : "too-many");
    (*n)++;
}

/* Says who answers what; false when it is the offer. */
static bool answer_questions(struct xf_session *s, const char *xml, size_t *ids)
{
    char reply[1024];
    const char *id = talk_attr(xml, NULL, "id");

    if (strstr(xml, "disco#info")) {
        /* Spark of 2007 does not say what it is. */
        snprintf(reply, sizeof reply,
                 "<iq type='error' id='%s' from='" USER2 "' to='" USER1 "'>"
                 "<error type='cancel'><service-unavailable "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
                 id);
    } else if (strstr(xml, "disco#items")) {
        /* Nor does its server: the proxy is known from the settings. */
        snprintf(reply, sizeof reply,
                 "<iq type='error' id='%s' from='host' to='" USER1
                 "'><error type='cancel'><service-unavailable "
                 "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>",
                 id);
    } else if (strstr(xml, "to=\"" SPARK_PROXY "\"")) {
        snprintf(reply, sizeof reply,
                 "<iq type='result' id='%s' from='" SPARK_PROXY "' to='" USER1
                 "'><query xmlns='http://jabber.org/protocol/bytestreams'>"
                 "<streamhost jid='" SPARK_PROXY
                 "' host='63.246.20.126' port='7777'/></query></iq>",
                 id);
        /* What we say next is in the document. */
        *ids = 100;
    } else {
        return false;
    }
    assert_int_equal(xf_session_feed(s, reply, strlen(reply)), 1);
    return true;
}

static int count_connects(enum xf_sys_call call, void *ctx)
{
    if (call != XF_SYS_CONNECT)
        return 0;
    ++*(unsigned *)ctx;
    return ENETUNREACH;
}

static struct xf_session *user(const char *jid, struct xf_config *config)
{
    struct xf_session *s;

    memset(last, 0, sizeof last);
    config->workers = 0; /* the gate is for one thread */
    assert_int_equal(xf_session_new_attached(&s, config), 0);
    assert_int_equal(xf_session_attach(s, jid), 0);
    return s;
}

static void user1_says_what_spark_said(void **state)
{
    struct xf_offer_options options = { .desc = "Sending" };
    struct xf_config config;
    struct xf_session *s;
    struct xf_transfer *t;
    unsigned connects = 0;
    size_t ids = 0;
    const char *xml;

    (void)state;
    xf_config_init(&config);
    config.dialect = "spark-classic";
    config.addresses[0] = "10.211.167.248:7777";
    config.proxies[0] = SPARK_PROXY;
    config.timeout_ms = 200;
    xf_sys_set_gate(count_connects, &connects);
    s = user(USER1, &config);
    s->make_id = make_id;
    s->make_id_ctx = &ids;
    assert_int_equal(
        xf_offer_file(s, USER2, XF_DATA "/founding/" NAME, &options, &t), 0);
    while (answer_questions(s, xml = must(s), &ids))
        ;
    is_step(xml, "1-offer");
    hear(s, "2-answer");
    is_step(must(s), "3-query");
    /* user2 cannot reach it, and says nothing. */
    is_step(must(s), "4-open");
    hear(s, "5-opened");
    is_step(must(s), "6-data");
    is_step(must(s), "7-close");
    hear(s, "8-closed");
    until(s, XF_EVENT_DONE);
    assert_int_equal(last[XF_EVENT_DONE].ev.via, XF_VIA_IBB);
    assert_int_equal(last[XF_EVENT_DONE].ev.done, 597);
    assert_false(last[XF_EVENT_DONE].ev.confirmed);
    assert_null(next(s, 50));
    xf_sys_set_gate(NULL, NULL);
    assert_int_equal(connects, 0);
    xf_session_free(s);
}

/* --- user2 ------------------------------------------------------------------------- */

static void check_file(const char *dir)
{
    char path[512], hex[65], bytes[1024];
    uint8_t sum[XF_DIGEST_MAX];
    struct xf_digest *d = xf_digest_new(XF_DIGEST_SHA256);
    mode_t mask = umask(0);
    struct stat st;
    FILE *f;

    umask(mask);
    snprintf(path, sizeof path, "%s/" NAME, dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600 & ~mask);
    assert_int_equal(st.st_size, 597);
    f = fopen(path, "r");
    assert_non_null(f);
    assert_int_equal(fread(bytes, 1, sizeof bytes, f), 597);
    fclose(f);
    assert_non_null(d);
    assert_true(xf_digest_add(d, bytes, 597));
    assert_true(xf_digest_end(d, sum));
    xf_digest_free(d);
    xf_hex(sum, 32, hex);
    assert_string_equal(hex, SHA256);
    assert_int_equal(unlink(path), 0);
}

/* Waits for an answer to `id`; others (our own questions, the query's) pass. */
static const char *answer_to(struct xf_session *s, const char *id)
{
    const char *xml;

    do {
        xml = must(s);
    } while (strcmp(talk_attr(xml, NULL, "id"), id) != 0);
    return xml;
}

static void user2_answers(const char *dialect, bool dialled)
{
    char dir[] = "/tmp/xferry-founding-XXXXXX";
    struct xf_config config;
    struct xf_session *s;
    unsigned connects = 0;

    assert_non_null(mkdtemp(dir));
    out_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(out_fd >= 0);
    xf_config_init(&config);
    config.dialect = dialect;
    xf_sys_set_gate(count_connects, &connects);
    s = user(USER2, &config);
    hear(s, "1-offer");
    is_step(answer_to(s, "vrC08-126"), "2-answer");
    assert_true(last[XF_EVENT_OFFER].seen);
    hear(s, "3-query");
    /* The network is not reachable, so we know before the 15 s are over. */
    if (dialled)
        assert_non_null(strstr(answer_to(s, "vrC08-127"), "item-not-found"));
    hear(s, "4-open");
    is_step(answer_to(s, "vrC08-128"), "5-opened");
    hear(s, "6-data");
    hear(s, "7-close");
    is_step(answer_to(s, "vrC08-130"), "8-closed");
    until(s, XF_EVENT_DONE);
    assert_int_equal(last[XF_EVENT_DONE].ev.via, XF_VIA_IBB);
    assert_int_equal(last[XF_EVENT_DONE].ev.done, 597);
    assert_int_equal(last[XF_EVENT_DONE].ev.verified, XF_NOT_VERIFIED);
    xf_sys_set_gate(NULL, NULL);
    /* Tried, as in the document; and stopped before the kernel saw it. */
    assert_int_equal(connects > 0, dialled);
    xf_session_free(s);
    close(out_fd);
    check_file(dir);
    assert_int_equal(rmdir(dir), 0);
}

static void user2_answers_what_spark_answered(void **state)
{
    (void)state;
    user2_answers("spark-classic", true);
}

static void user2_need_not_know_that_it_is_spark(void **state)
{
    (void)state;
    user2_answers(NULL, true);
}

static void user2_takes_the_open_right_behind_the_query(void **state)
{
    (void)state;
    user2_answers("spark-classic", false);
    user2_answers(NULL, false);
}

/* --- both ----------------------------------------------------------------------------- */

static void both_of_us_hold_the_conversation(void **state)
{
    struct talk *t = talk_new();

    (void)state;
    t->side[R].jid = USER1;
    t->side[R].config.dialect = t->side[J].config.dialect = "spark-classic";
    t->side[R].config.timeout_ms = 200;
    talk_rule(t, R, "<streamhost ", 1, TALK_DROP);
    talk_begin(t);
    talk_offer(t, talk_file(t, NAME, 597), NULL);
    talk_until_over(t, 1, 1);
    talk_check_well(t, XF_VIA_IBB, NAME);
    assert_int_equal(talk_count(t, R, "<message"), 1);
    talk_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(user1_says_what_spark_said),
        cmocka_unit_test(user2_answers_what_spark_answered),
        cmocka_unit_test(user2_need_not_know_that_it_is_spark),
        cmocka_unit_test(user2_takes_the_open_right_behind_the_query),
        cmocka_unit_test(both_of_us_hold_the_conversation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
