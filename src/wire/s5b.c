/* SOCKS5 bytestreams: queries and their answers, to targets and proxies. */
#include "wire/s5b.h"

#include <string.h>

#include "base/encode.h"
#include "base/jid.h"
#include "proto/offer.h"
#include "wire/ns.h"

#define DSTADDR_LEN 40

static bool fits(const char *text, size_t max)
{
    return text && text[0] != '\0' && strlen(text) <= max;
}

static bool read_port(const char *text, uint16_t *out)
{
    uint64_t port = XF_S5B_DEFAULT_PORT;

    if (text && (!xf_read_uint(text, UINT16_MAX, &port) || port == 0))
        return false;
    *out = (uint16_t)port;
    return true;
}

/* All usable streamhosts in a query, at most `max`. */
static size_t read_hosts(const struct xf_el *query, struct xf_streamhost *out,
                         size_t max)
{
    const struct xf_el *h = xf_el_child(query, "streamhost", XF_NS_BYTESTREAMS);
    size_t count = 0;

    for (; h && count < max;
         h = xf_el_next(h, "streamhost", XF_NS_BYTESTREAMS)) {
        struct xf_streamhost *host = &out[count];

        host->jid = xf_el_attr(h, "jid");
        host->host = xf_el_attr(h, "host");
        if (fits(host->jid, XF_JID_MAX) && fits(host->host, XF_S5B_HOST_MAX) &&
            read_port(xf_el_attr(h, "port"), &host->port))
            count++;
    }
    return count;
}

static bool is_dstaddr(const char *text)
{
    return strlen(text) == DSTADDR_LEN &&
           strspn(text, "0123456789abcdef") == DSTADDR_LEN;
}

enum xf_answer xf_s5b_read_query(const struct xf_el *query,
                                 struct xf_s5b_query *out)
{
    const char *mode = xf_el_attr(query, "mode");

    *out = (struct xf_s5b_query){
        .sid = xf_el_attr(query, "sid"),
        .dstaddr = xf_el_attr(query, "dstaddr"),
        .udp = mode && strcmp(mode, "udp") == 0,
    };
    if (!fits(out->sid, XF_SID_MAX) ||
        (out->dstaddr && !is_dstaddr(out->dstaddr)))
        return XF_ANSWER_BAD_REQUEST_MODIFY;
    if (mode && strcmp(mode, "tcp") != 0)
        return XF_ANSWER_NOT_ACCEPTABLE_MODIFY;
    out->count = read_hosts(query, out->hosts, XF_STREAMHOSTS_MAX);
    return out->count > 0 ? XF_ANSWER_NONE : XF_ANSWER_NOT_FOUND;
}

static void write_hosts(struct xf_xml_writer *w,
                        const struct xf_streamhost *hosts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        xf_xml_open(w, "streamhost", NULL);
        xf_xml_attr(w, "jid", hosts[i].jid);
        xf_xml_attr(w, "host", hosts[i].host);
        xf_xml_attr_uint(w, "port", hosts[i].port);
        xf_xml_close(w, "streamhost");
    }
}

void xf_s5b_write_query(struct xf_xml_writer *w, const char *id, const char *to,
                        const char *from, const char *sid, const char *dstaddr,
                        const struct xf_streamhost *hosts, size_t count)
{
    xf_iq_open(w, XF_IQ_SET, id, to, from);
    xf_xml_open(w, "query", XF_NS_BYTESTREAMS);
    xf_xml_attr(w, "sid", sid);
    xf_xml_attr(w, "mode", "tcp");
    xf_xml_attr(w, "dstaddr", dstaddr);
    write_hosts(w, hosts, count);
    xf_xml_close(w, "query");
    xf_xml_close(w, "iq");
}

void xf_s5b_write_used(struct xf_xml_writer *w,
                       const struct xf_stanza_head *request, const char *sid,
                       const char *jid)
{
    xf_iq_open_result(w, request);
    xf_xml_open(w, "query", XF_NS_BYTESTREAMS);
    xf_xml_attr(w, "sid", sid);
    xf_xml_open(w, "streamhost-used", NULL);
    xf_xml_attr(w, "jid", jid);
    xf_xml_end(w, "streamhost-used");
    xf_xml_close(w, "query");
    xf_xml_close(w, "iq");
}

const char *xf_s5b_read_used(const struct xf_el *iq)
{
    const struct xf_el *query = xf_el_child(iq, "query", XF_NS_BYTESTREAMS);
    const char *jid = xf_el_attr(
        xf_el_child(query, "streamhost-used", XF_NS_BYTESTREAMS), "jid");

    return fits(jid, XF_JID_MAX) ? jid : NULL;
}

void xf_s5b_write_activate(struct xf_xml_writer *w, const char *id,
                           const char *proxy, const char *from, const char *sid,
                           const char *target)
{
    xf_iq_open(w, XF_IQ_SET, id, proxy, from);
    xf_xml_open(w, "query", XF_NS_BYTESTREAMS);
    xf_xml_attr(w, "sid", sid);
    xf_xml_open(w, "activate", NULL);
    xf_xml_text(w, target);
    xf_xml_close(w, "activate");
    xf_xml_close(w, "query");
    xf_xml_close(w, "iq");
}

void xf_s5b_write_address_get(struct xf_xml_writer *w, const char *id,
                              const char *proxy, const char *from)
{
    xf_iq_open(w, XF_IQ_GET, id, proxy, from);
    xf_xml_open(w, "query", XF_NS_BYTESTREAMS);
    xf_xml_end(w, "query");
    xf_xml_close(w, "iq");
}

size_t xf_s5b_read_address(const struct xf_el *iq, struct xf_streamhost *out,
                           size_t max)
{
    return read_hosts(xf_el_child(iq, "query", XF_NS_BYTESTREAMS), out, max);
}

void xf_s5b_write_address(struct xf_xml_writer *w,
                          const struct xf_stanza_head *request,
                          const struct xf_streamhost *hosts, size_t count)
{
    const char *sid = xf_el_attr(request->payload, "sid");

    xf_iq_open_result(w, request);
    xf_xml_open(w, "query", XF_NS_BYTESTREAMS);
    /* Some name the stream they ask for, and look for it in the answer. */
    xf_xml_attr(w, "sid", fits(sid, XF_SID_MAX) ? sid : NULL);
    write_hosts(w, hosts, count);
    xf_xml_close(w, "query");
    xf_xml_close(w, "iq");
}

enum xf_answer xf_s5b_read_activate(const struct xf_el *query, const char **sid,
                                    const char **target)
{
    *sid = xf_el_attr(query, "sid");
    *target = xf_el_child_text(query, "activate", XF_NS_BYTESTREAMS);
    if (!fits(*sid, XF_SID_MAX) || !*target)
        return XF_ANSWER_BAD_REQUEST_MODIFY;
    return (*target)[0] == '\0' || strlen(*target) > XF_JID_MAX
               ? XF_ANSWER_JID_MALFORMED
               : XF_ANSWER_NONE;
}
