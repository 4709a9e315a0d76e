/*
 * What we say of ourselves in service discovery, and the hash that stands for
 * it in our presence (XEP-0030, XEP-0115).
 */
#ifndef XF_PROTO_DISCO_H
#define XF_PROTO_DISCO_H

#include <stdbool.h>
#include <stddef.h>

#define XF_NS_DISCO_INFO "http://jabber.org/protocol/disco#info"
#define XF_NS_DISCO_ITEMS "http://jabber.org/protocol/disco#items"
#define XF_NS_CAPS "http://jabber.org/protocol/caps"
#define XF_NS_SI "http://jabber.org/protocol/si"
#define XF_NS_SI_FILE "http://jabber.org/protocol/si/profile/file-transfer"
#define XF_NS_FEATURE_NEG "http://jabber.org/protocol/feature-neg"
#define XF_NS_BYTESTREAMS "http://jabber.org/protocol/bytestreams"
#define XF_NS_IBB "http://jabber.org/protocol/ibb"
#define XF_NS_PING "urn:xmpp:ping"
#define XF_NS_VERSION "jabber:iq:version"
#define XF_NS_XFERRY                                                           \
    "urn:xferry:0" /* programs of this library know each
                                       other by it */

struct xf_identity {
    const char *category, *type;
    const char *lang; /* or NULL */
    const char *name; /* or NULL */
};

extern const struct xf_identity xf_disco_identity;

/* The caps node: with '#' and the hash behind it, a node we answer for. */
#define XF_CAPS_NODE "urn:xferry:0"

#define XF_DISCO_FEATURES 10

/*
 * What we announce, sorted by bytes; returns how many. A program that only
 * sends does not say that it takes files: nobody should choose it for one.
 */
size_t xf_disco_features(bool takes_offers, const char *out[XF_DISCO_FEATURES]);

/* The XF_FEATURE_ bit (proto/profile.h) of a feature, 0 for others. */
unsigned xf_disco_bit(const char *feature);

#define XF_CAPS_VER_LEN 28 /* SHA-1 in base64 */
#define XF_CAPS_FEATURES_MAX 256

/*
 * The verification string (XEP-0115, 5.1) of one identity without forms.
 * `features` in any order. False: too many, or no memory, or no SHA-1.
 */
bool xf_caps_ver(const struct xf_identity *identity,
                 const char *const *features, size_t count,
                 char out[XF_CAPS_VER_LEN + 1]);
/* Our own. */
bool xf_caps_own(bool takes_offers, char out[XF_CAPS_VER_LEN + 1]);

/* Whose presence has a hash of ours can what we can, and need not be asked
 * (XEP-0115, 6.2). Its XF_FEATURE_ bits; 0: another's hash, or NULL. */
unsigned xf_caps_known(const char *hash, const char *ver);

/* Do we answer disco#info for this node? NULL, "", ours with our hash. */
bool xf_disco_node_is_ours(bool takes_offers, const char *node);

#endif
