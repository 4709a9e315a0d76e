/*
 * The stream of an external component (XEP-0114): its header, its handshake,
 * and its namespace, which means what that of a client means. What is said in
 * the stanzas is for the other files.
 */
#ifndef XF_WIRE_COMPONENT_H
#define XF_WIRE_COMPONENT_H

#include <stdbool.h>

#include "wire/xml.h"

#define XF_NS_COMPONENT "jabber:component:accept"

/* Closed by xf_stream_write_close(). */
void xf_component_write_header(struct xf_xml_writer *w, const char *domain);
void xf_component_write_handshake(struct xf_xml_writer *w, const char *proof);

/* The id in the server's stream header, as it came, or NULL. */
const char *xf_component_read_id(const struct xf_el *header);

/* <handshake/>, which says that we are taken. */
bool xf_component_is_handshake(const struct xf_el *el);

/*
 * A stanza as if a client's stream had brought it, so that the readers of those
 * can be used: all of its elements that are in the component's namespace are in
 * jabber:client afterwards.
 */
void xf_component_as_client(struct xf_el *el);

#endif
