/*
 * The namespaces that we read or write; those that we also announce stand in
 * proto/disco.
 */
#ifndef XF_WIRE_NS_H
#define XF_WIRE_NS_H

#include "proto/disco.h"

#define XF_NS_CLIENT "jabber:client"
#define XF_NS_STREAM "http://etherx.jabber.org/streams"
#define XF_NS_STREAM_ERROR "urn:ietf:params:xml:ns:xmpp-streams"
#define XF_NS_STANZA_ERROR "urn:ietf:params:xml:ns:xmpp-stanzas"
#define XF_NS_TLS "urn:ietf:params:xml:ns:xmpp-tls"
#define XF_NS_SASL "urn:ietf:params:xml:ns:xmpp-sasl"
#define XF_NS_BINDINGS "urn:xmpp:sasl-cb:0"
#define XF_NS_BIND "urn:ietf:params:xml:ns:xmpp-bind"
#define XF_NS_LIMITS "urn:xmpp:stream-limits:0"
#define XF_NS_SM "urn:xmpp:sm:3"
#define XF_NS_ROSTER "jabber:iq:roster"
#define XF_NS_DATA_FORM "jabber:x:data"
#define XF_NS_HASHES "urn:xmpp:hashes:2"

#endif
