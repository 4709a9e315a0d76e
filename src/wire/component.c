/* A component's stream: read and written. */
#include "wire/component.h"

#include <string.h>

#include "wire/ns.h"

void xf_component_write_header(struct xf_xml_writer *w, const char *domain)
{
    xf_buf_puts(w->buf, "<?xml version='1.0'?>");
    xf_xml_open(w, "stream:stream", XF_NS_COMPONENT);
    xf_xml_attr(w, "xmlns:stream", XF_NS_STREAM);
    xf_xml_attr(w, "to", domain);
    xf_xml_text(w, ""); /* the tag ends here, the element does not */
}

void xf_component_write_handshake(struct xf_xml_writer *w, const char *proof)
{
    xf_xml_open(w, "handshake", NULL);
    xf_xml_text(w, proof);
    xf_xml_close(w, "handshake");
}

const char *xf_component_read_id(const struct xf_el *header)
{
    return xf_el_attr(header, "id");
}

bool xf_component_is_handshake(const struct xf_el *el)
{
    return xf_el_is(el, "handshake", XF_NS_COMPONENT);
}

/* As deep as the reader allows. */
void xf_component_as_client(struct xf_el *el)
{
    if (strcmp(el->ns, XF_NS_COMPONENT) == 0)
        el->ns = XF_NS_CLIENT;
    for (struct xf_el *child = el->children; child; child = child->next)
        xf_component_as_client(child);
}
