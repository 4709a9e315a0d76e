/*
 * Whatever a server or a contact sends inside a stream: every reader takes
 * every element, what they find is within its ceilings, and what we write in
 * answer is XML again.
 */
#include "wire/xml.h"

#include <string.h>

#include "base/buf.h"
#include "fuzz.h"
#include "wire/disco.h"
#include "wire/ibb.h"
#include "wire/iq.h"
#include "wire/ns.h"
#include "wire/s5b.h"
#include "wire/si.h"
#include "wire/sm.h"
#include "wire/stream.h"

#define HEADER                                                                 \
    "<stream:stream xmlns='jabber:client' "                                    \
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"

static void must_be_xml(struct xf_buf *buf)
{
    struct xf_el *el;
    struct xf_xml_doc *doc;

    if (!buf->failed) {
        doc = xf_xml_parse(xf_buf_bytes(buf), buf->len, &el);
        MUST(doc);
        xf_xml_doc_free(doc);
    }
    xf_buf_reset(buf);
}

static void read_ibb(struct xf_el *el, struct xf_buf *buf)
{
    static uint8_t bytes[XF_IBB_BLOCK_MAX];
    struct xf_ibb_open open = { 0 };
    struct xf_ibb_input in = xf_ibb_read_data(el, bytes, sizeof bytes);
    struct xf_xml_writer w;

    (void)buf;
    MUST(in.kind == XF_IBB_BAD || in.kind == XF_IBB_BLOCK);
    if (xf_ibb_read_open(el, &open) == XF_ANSWER_NONE) {
        MUST(strlen(open.sid) <= XF_SID_MAX);
        xf_xml_writer_init(&w, buf);
        xf_ibb_write_open(&w, "1", "a@b/c", NULL, &open);
        must_be_xml(buf);
    }
}

static void read_si(struct xf_el *el, const struct xf_stanza_head *head,
                    struct xf_buf *buf)
{
    struct xf_offer offer = { 0 };
    struct xf_offer_fault fault = { 0 };
    struct xf_offer_answer answer = { 0 };
    struct xf_xml_writer w;

    if (!xf_si_read_offer(el, &offer, &fault)) {
        MUST(fault.answer != XF_ANSWER_NONE && fault.code != 0);
        return;
    }
    MUST(offer.sid && offer.name && strlen(offer.sid) <= XF_SID_MAX);
    MUST(offer.methods_count > 0 && offer.methods_count <= 2);
    xf_offer_choose(&offer, true, true, offer.list_multi, &answer);
    MUST(xf_offer_answer_check(&offer, &answer) == 0);
    xf_xml_writer_init(&w, buf);
    xf_si_write_answer(&w, head, &answer);
    must_be_xml(buf);
    xf_xml_writer_init(&w, buf);
    xf_si_write_offer(&w, "1", "a@b/c", NULL, &offer);
    must_be_xml(buf);
}

static void read_s5b(struct xf_el *el, struct xf_buf *buf)
{
    static struct xf_s5b_query query;
    struct xf_xml_writer w;

    if (xf_s5b_read_query(el, &query) != XF_ANSWER_NONE)
        return;
    MUST(query.count <= XF_STREAMHOSTS_MAX);
    for (size_t i = 0; i < query.count; i++)
        MUST(query.hosts[i].jid && query.hosts[i].host && query.hosts[i].port);
    MUST(!query.dstaddr || strlen(query.dstaddr) == 40);
    xf_s5b_find(query.hosts, query.count,
                query.count ? query.hosts[query.count - 1].jid : "a@b");
    xf_xml_writer_init(&w, buf);
    xf_s5b_write_query(&w, "1", "a@b/c", NULL, query.sid, query.dstaddr,
                       query.hosts, query.count);
    must_be_xml(buf);
}

/* As a proxy is asked to. */
static void read_activate(struct xf_el *el, const struct xf_stanza_head *head,
                          struct xf_buf *buf)
{
    static const struct xf_streamhost host = { "proxy", "192.0.2.1", 1080 };
    const char *sid, *target;
    struct xf_xml_writer w;

    if (xf_s5b_read_activate(el, &sid, &target) == XF_ANSWER_NONE) {
        MUST(sid[0] != '\0' && strlen(sid) <= XF_SID_MAX);
        MUST(target[0] != '\0');
    }
    xf_xml_writer_init(&w, buf);
    xf_s5b_write_address(&w, head, &host, 1);
    must_be_xml(buf);
}

/* Results: read as the answer to any request we may have made. */
static void read_result(struct xf_el *el)
{
    static const char *jids[XF_DISCO_ITEMS_MAX];
    static struct xf_streamhost hosts[XF_STREAMHOSTS_MAX];
    struct xf_offer_answer answer = { 0 };
    struct xf_disco_info info;
    struct xf_version_info version;
    struct xf_roster_item item;
    struct xf_stanza_error error;
    const struct xf_el *last = NULL;

    xf_disco_read_info(el, &info);
    MUST(xf_disco_read_items(el, jids) <= XF_DISCO_ITEMS_MAX);
    xf_version_read(el, &version);
    xf_s5b_read_used(el);
    MUST(xf_s5b_read_address(el, hosts, XF_STREAMHOSTS_MAX) <=
         XF_STREAMHOSTS_MAX);
    if (xf_si_read_answer(el, &answer) == 0)
        MUST(answer.count <= 2);
    xf_bind_read(el);
    while ((last = xf_roster_read(el, last, &item)) != NULL)
        MUST(item.jid);
    xf_stanza_read_error(el, &error);
    MUST(error.condition < XF_CONDITIONS);
    xf_offer_refusal_code(&error);
}

static void read_stanza(struct xf_el *el, struct xf_buf *buf)
{
    struct xf_stanza_head head;
    struct xf_presence presence;
    struct xf_xml_writer w;

    if (!xf_stanza_read(el, &head))
        return;
    xf_presence_read(el, &presence);
    read_result(el);
    for (struct xf_el *c = el->children; c; c = c->next) {
        xf_ibb_read_sid(c);
        read_ibb(c, buf);
        read_s5b(c, buf);
        read_activate(c, &head, buf);
        read_si(c, &head, buf);
    }
    if (head.type != XF_IQ_GET && head.type != XF_IQ_SET)
        return;
    for (enum xf_answer a = XF_ANSWER_OK; a < XF_ANSWERS; a++) {
        xf_xml_writer_init(&w, buf);
        xf_iq_write_answer(&w, &head, a, head.id);
        must_be_xml(buf);
    }
    xf_xml_writer_init(&w, buf);
    xf_disco_write_items(&w, &head);
    must_be_xml(buf);
}

static void read_nonza(struct xf_el *el)
{
    static char data[XF_SASL_DATA_MAX];
    static struct xf_features features;
    struct xf_stream_failure failure;
    struct xf_sm_said said;

    xf_nonza_of(el);
    xf_stream_read_features(el, &features);
    xf_stream_read_failure(el, &failure);
    MUST(xf_sasl_read_data(el, data, sizeof data) <= (ssize_t)sizeof data);
    xf_sm_read(el, &said);
}

/* The first byte says into how large pieces the rest is cut. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct xf_xml_reader *r = xf_xml_reader_new();
    size_t piece = size ? 1u + data[0] * 4u : 1;
    enum xf_xml_news news = XF_XML_MORE;
    struct xf_buf buf;
    struct xf_el *el;
    size_t used = 0;

    MUST(r);
    xf_buf_init(&buf, 1 << 20);
    if (size > 1 && data[1] == '<')
        MUST(xf_xml_read(r, HEADER, strlen(HEADER), &used, &el) ==
             XF_XML_OPENED);
    for (size_t at = 1; at < size && news != XF_XML_BROKEN; at += used) {
        size_t len = size - at < piece ? size - at : piece;

        news = xf_xml_read(r, (const char *)data + at, len, &used, &el);
        MUST(used <= len);
        MUST((el != NULL) == (news == XF_XML_OPENED || news == XF_XML_STANZA));
        if (news == XF_XML_STANZA) {
            read_nonza(el);
            read_stanza(el, &buf);
        }
        if (news == XF_XML_CLOSED)
            break;
        MUST(used > 0 || news == XF_XML_BROKEN);
    }
    xf_buf_clear(&buf);
    xf_xml_reader_free(r);
    return 0;
}
