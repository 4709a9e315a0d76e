/*
 * The eight steps of the founding document, as 2007's Spark spoke: what we
 * write in its dialect is the same to the byte, and what it wrote we read.
 */
#include "fixture.h"

#include "base/digest.h"
#include "base/encode.h"
#include "wire/ibb.h"
#include "wire/ns.h"
#include "wire/s5b.h"
#include "wire/si.h"

#define USER1 "user1@host/spark"
#define USER2 "user2@host/spark"
#define SID "jsi_5471441136722873260"

static const struct xf_offer offer = {
    .sid = SID,
    .name = "RunSpark.lnk",
    .size = 597,
    .desc = "Sending",
    .list_multi = true,
    .methods_count = 2,
    .methods = { XF_METHOD_S5B, XF_METHOD_IBB },
};

static const struct xf_offer_answer answer = {
    .count = 2,
    .methods = { XF_METHOD_S5B, XF_METHOD_IBB },
};

static const struct xf_streamhost hosts[] = {
    { USER1, "10.211.167.248", 7777 },
    { "proxy.jivesoftware.com", "63.246.20.126", 7777 },
};

static void assert_step(const char *name)
{
    char *step = data_file(name, NULL);

    assert_string_equal(written(), step);
    free(step);
}

static const struct xf_el *parse_step(const char *name)
{
    char *step = data_file(name, NULL);
    const struct xf_el *el = parse(step);

    free(step);
    return el;
}

static struct xf_stanza_head head_of_step(const char *name)
{
    struct xf_stanza_head head;

    assert_true(xf_stanza_read(parse_step(name), &head));
    return head;
}

static void the_sender_writes_its_steps(void **state)
{
    const struct xf_ibb_open open = { SID, 4096, XF_IBB_STANZA_ABSENT };
    size_t len;
    char *file = data_file("founding/RunSpark.lnk", &len);

    (void)state;
    xf_si_write_offer(fresh(), "vrC08-126", USER2, USER1, &offer);
    assert_step("founding/1-offer.xml");
    xf_s5b_write_query(fresh(), "vrC08-127", USER2, USER1, SID, NULL, hosts, 2);
    assert_step("founding/3-query.xml");
    xf_ibb_write_open(fresh(), "vrC08-128", USER2, USER1, &open);
    assert_step("founding/4-open.xml");
    xf_ibb_write_data_message(fresh(), "vrC08-129_0", USER2, USER1, SID, 0,
                              file, len);
    assert_step("founding/6-data.xml");
    xf_ibb_write_close(fresh(), "vrC08-130", USER2, USER1, SID);
    assert_step("founding/7-close.xml");
    free(file);
}

static void the_receiver_writes_its_steps(void **state)
{
    struct xf_stanza_head h = head_of_step("founding/1-offer.xml");

    (void)state;
    xf_si_write_answer(fresh(), &h, &answer);
    assert_step("founding/2-answer.xml");
    h = head_of_step("founding/4-open.xml");
    xf_iq_write_answer(fresh(), &h, XF_ANSWER_OK, NULL);
    assert_step("founding/5-opened.xml");
    h = head_of_step("founding/7-close.xml");
    xf_iq_write_answer(fresh(), &h, XF_ANSWER_OK, NULL);
    assert_step("founding/8-closed.xml");
}

static void the_receiver_reads_the_offer_and_the_query(void **state)
{
    struct xf_stanza_head h = head_of_step("founding/1-offer.xml");
    struct xf_offer o;
    struct xf_offer_fault fault;
    struct xf_s5b_query q;

    (void)state;
    assert_string_equal(h.from, USER1);
    assert_true(xf_si_read_offer(h.el->children, &o, &fault));
    assert_string_equal(o.sid, SID);
    assert_string_equal(o.name, "RunSpark.lnk");
    assert_int_equal(o.size, 597);
    assert_string_equal(o.desc, "Sending");
    assert_true(o.list_multi);
    assert_int_equal(o.methods_count, 2);
    assert_int_equal(o.methods[0], XF_METHOD_S5B);

    h = head_of_step("founding/3-query.xml");
    assert_int_equal(xf_s5b_read_query(h.payload, &q), XF_ANSWER_NONE);
    assert_string_equal(q.sid, SID);
    assert_int_equal(q.count, 2);
    assert_string_equal(q.hosts[1].jid, "proxy.jivesoftware.com");
    assert_int_equal(q.hosts[1].port, 7777);
}

static void the_receiver_gets_the_file(void **state)
{
    struct xf_stanza_head h = head_of_step("founding/4-open.xml");
    struct xf_ibb_open o;
    struct xf_ibb_input in;
    uint8_t bytes[4096], sum[XF_DIGEST_MAX];
    char hex[65];

    (void)state;
    assert_int_equal(xf_ibb_read_open(h.payload, &o), XF_ANSWER_NONE);
    assert_int_equal(o.block_size, 4096);
    assert_int_equal(o.stanza, XF_IBB_STANZA_ABSENT);
    h = head_of_step("founding/6-data.xml");
    assert_int_equal(h.kind, XF_KIND_MESSAGE);
    in = xf_ibb_read_data(xf_el_child(h.el, "data", XF_NS_IBB), bytes,
                          sizeof bytes);
    assert_int_equal(in.kind, XF_IBB_BLOCK);
    assert_int_equal(in.seq, 0);
    assert_int_equal(in.len, 597);
    assert_true(xf_digest_of(XF_DIGEST_SHA256, bytes, in.len, sum));
    xf_hex(sum, 32, hex);
    assert_string_equal(
        hex,
        "7391cc51859768a43f8a51cb4b081dfc7ba9c33bc3cdefa1ab5fe767afd7a1d3");
    h = head_of_step("founding/7-close.xml");
    assert_string_equal(h.payload->name, "close");
    assert_string_equal(xf_ibb_read_sid(h.payload), SID);
}

static void the_sender_reads_the_answers(void **state)
{
    struct xf_stanza_head h = head_of_step("founding/2-answer.xml");
    struct xf_offer_answer a;

    (void)state;
    assert_int_equal(h.type, XF_IQ_RESULT);
    assert_int_equal(xf_si_read_answer(h.el, &a), 0);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.methods[0], XF_METHOD_S5B);
    assert_int_equal(a.methods[1], XF_METHOD_IBB);
    assert_false(a.range);
    assert_int_equal(head_of_step("founding/5-opened.xml").type, XF_IQ_RESULT);
    assert_string_equal(head_of_step("founding/8-closed.xml").id, "vrC08-130");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_sender_writes_its_steps),
        CASE(the_receiver_writes_its_steps),
        CASE(the_receiver_reads_the_offer_and_the_query),
        CASE(the_receiver_gets_the_file),
        CASE(the_sender_reads_the_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
