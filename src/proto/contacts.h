/*
 * Who is online with which program, and the choice of a resource that can
 * take files. All JIDs here are normalised.
 */
#ifndef XF_PROTO_CONTACTS_H
#define XF_PROTO_CONTACTS_H

#include <stdbool.h>
#include <stddef.h>

#define XF_RESOURCES_MAX 1024       /* of all contacts */
#define XF_RESOURCES_PER_CONTACT 64 /* of one bare JID */
#define XF_SUBSCRIPTIONS_MAX 10000
#define XF_CLIENT_NAME_MAX                                                     \
    255 /* bytes kept of a disco identity's name, and
                                  of a caps node */

struct xf_contacts;

struct xf_contacts *xf_contacts_new(void); /* NULL: no memory */
void xf_contacts_free(struct xf_contacts *c);

/* We are bound as this full JID: it is never chosen, and our other resources
 * need no subscription. Forgets everybody: a new stream tells anew. */
int xf_contacts_own(struct xf_contacts *c, const char *full_jid);

/*
 * An entry of the roster: may we see this contact's presence ("to", "both")?
 * Returns 0, XF_E_BUSY over the ceiling, or XF_E_LIMIT.
 */
int xf_contacts_subscription(struct xf_contacts *c, const char *bare_jid,
                             bool sees);
/* Is it a contact whose presence we may see, or our own account? */
bool xf_contacts_sees(const struct xf_contacts *c, const char *jid);
/*
 * The roster has been read whole. Before, everybody's presence is kept and
 * nobody is called not subscribed; after, strangers' presence is not kept.
 */
void xf_contacts_roster_read(struct xf_contacts *c);

/*
 * Presence came. Returns 0 (kept, or a stranger's and not kept), XF_E_BUSY
 * over a ceiling, or XF_E_LIMIT.
 */
int xf_contacts_available(struct xf_contacts *c, const char *full_jid,
                          int priority);
/* The caps node of that presence, or NULL; kept while it is online. */
void xf_contacts_caps(struct xf_contacts *c, const char *full_jid,
                      const char *node);
const char *xf_contacts_caps_node(const struct xf_contacts *c,
                                  const char *full_jid); /* or NULL */
/* Unavailable or error; a bare JID stands for all its resources. */
void xf_contacts_gone(struct xf_contacts *c, const char *jid);

/* disco#info: the question left; the answer came (`client_name` may be
 * NULL); none came, or an error, so nothing is known to be there. */
void xf_contacts_asked(struct xf_contacts *c, const char *full_jid);
void xf_contacts_answered(struct xf_contacts *c, const char *full_jid,
                          unsigned features, const char *client_name);
void xf_contacts_unanswered(struct xf_contacts *c, const char *full_jid);

/*
 * The XF_FEATURE_ bits of a resource, 0 for an unknown one; its client's name
 * or NULL, until the next change.
 */
unsigned xf_contacts_features(const struct xf_contacts *c, const char *full_jid,
                              const char **client_name);
bool xf_contacts_online(const struct xf_contacts *c, const char *full_jid);

/* One program that is online. Strings live until the next change. */
struct xf_resource {
    const char *jid; /* full */
    int priority;
    bool asked;              /* what it can do */
    bool settled;            /* it has answered, or will not */
    unsigned features;       /* XF_FEATURE_ bits; without KNOWN: no answer */
    const char *client_name; /* or NULL */
};

/*
 * All of one bare JID that are online, but for ourselves; those that would be
 * chosen first come first. Returns how many.
 */
size_t xf_contacts_list(const struct xf_contacts *c, const char *bare_jid,
                        struct xf_resource out[XF_RESOURCES_PER_CONTACT]);

enum xf_choice_kind {
    XF_CHOICE_FOUND,          /* jids[0] */
    XF_CHOICE_ASK,            /* send disco#info to all of `jids` first */
    XF_CHOICE_WAIT,           /* questions are under way */
    XF_CHOICE_UNABLE,         /* online, but nobody there takes files */
    XF_CHOICE_OFFLINE,        /* no resource is online */
    XF_CHOICE_NOT_SUBSCRIBED, /* nor could we know */
};

/* The strings live until the next change of the table. */
struct xf_choice {
    enum xf_choice_kind kind;
    size_t count;
    const char *jids[XF_RESOURCES_PER_CONTACT];
};

/*
 * The resource of `bare_jid` to offer a file to: among those that take files
 * (XF_FEATURE_SI_FILE) the one of highest priority, then a program of ours,
 * then the newest. Resources not yet asked that might win are asked first.
 */
void xf_contacts_choose(const struct xf_contacts *c, const char *bare_jid,
                        struct xf_choice *out);

#endif
