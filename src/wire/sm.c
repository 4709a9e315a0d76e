/* Stream management: elements to plain values and back. */
#include "wire/sm.h"

#include <string.h>

#include "base/encode.h"
#include "wire/ns.h"

static bool read_h(const struct xf_el *el, uint32_t *out)
{
    const char *text = xf_el_attr(el, "h");
    uint64_t h;

    if (!text || !xf_read_uint(text, UINT32_MAX, &h))
        return false;
    *out = (uint32_t)h;
    return true;
}

static void read_enabled(const struct xf_el *el, struct xf_sm_said *out)
{
    const char *resume = xf_el_attr(el, "resume");
    const char *max = xf_el_attr(el, "max");

    out->word = XF_SM_WORD_ENABLED;
    out->id = xf_el_attr(el, "id");
    out->location = xf_el_attr(el, "location");
    out->resume =
        resume && (strcmp(resume, "true") == 0 || strcmp(resume, "1") == 0);
    if (!max || !xf_read_uint(max, UINT64_MAX, &out->max_s))
        out->max_s = 0;
}

static void read_failed(const struct xf_el *el, struct xf_sm_said *out)
{
    const struct xf_el *child = xf_el_child_in(el, XF_NS_STANZA_ERROR);

    out->word = XF_SM_WORD_FAILED;
    out->condition = child ? child->name : NULL;
    out->has_h = read_h(el, &out->h);
}

bool xf_sm_read(const struct xf_el *el, struct xf_sm_said *out)
{
    *out = (struct xf_sm_said){ .word = XF_SM_WORD_NONE };
    if (!el || strcmp(el->ns, XF_NS_SM) != 0)
        return false;
    if (strcmp(el->name, "r") == 0) {
        out->word = XF_SM_WORD_REQUEST;
    } else if (strcmp(el->name, "enabled") == 0) {
        read_enabled(el, out);
    } else if (strcmp(el->name, "failed") == 0) {
        read_failed(el, out);
    } else if (strcmp(el->name, "a") == 0 && read_h(el, &out->h)) {
        out->word = XF_SM_WORD_ACK;
    } else if (strcmp(el->name, "resumed") == 0 && read_h(el, &out->h)) {
        out->word = XF_SM_WORD_RESUMED;
        out->id = xf_el_attr(el, "previd");
    }
    return true;
}

void xf_sm_write_enable(struct xf_xml_writer *w, bool resume)
{
    xf_xml_open(w, "enable", XF_NS_SM);
    xf_xml_attr(w, "resume", resume ? "true" : NULL);
    xf_xml_end(w, "enable");
}

void xf_sm_write_resume(struct xf_xml_writer *w, const char *id, uint32_t h)
{
    xf_xml_open(w, "resume", XF_NS_SM);
    xf_xml_attr_uint(w, "h", h);
    xf_xml_attr(w, "previd", id);
    xf_xml_end(w, "resume");
}

void xf_sm_write_request(struct xf_xml_writer *w)
{
    xf_xml_open(w, "r", XF_NS_SM);
    xf_xml_end(w, "r");
}

void xf_sm_write_ack(struct xf_xml_writer *w, uint32_t h)
{
    xf_xml_open(w, "a", XF_NS_SM);
    xf_xml_attr_uint(w, "h", h);
    xf_xml_end(w, "a");
}
