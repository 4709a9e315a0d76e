/* The clues, and what they are worth; see the header. */
#include "proto/evidence.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum worth {
    HINT = 1, /* several programs may look like that */
    NAME,     /* a name that a program gives itself */
    NODE,     /* seldom changed by who builds on a library */
    RELEASE,  /* a name and its version */
    CONDUCT,  /* what it does, whatever it calls itself */
    OWN,      /* our own feature */
    FORCED,
};

enum how {
    ANY,  /* no text to compare */
    FROM, /* begins with it, in either case */
    WORD, /* that, and no letter behind it: "Spark 3", not "Sparkling" */
    HAS,  /* somewhere in it */
    FT4,  /* "ft_" and 4 hex digits, and nothing else */
};

#define VERSION(major, minor) ((major)*1000u + (minor))

/* The first that fits a fact counts. */
static const struct clue {
    enum xf_fact_kind kind;
    enum how how;
    const char *text;
    unsigned have, lack; /* features of IDENTITY, else looks */
    unsigned below;      /* VERSION; 0: any, or none */
    const char *row;
    enum worth worth;
    const char *words; /* NULL: the text itself is told */
} clues[] = {
    /* A Smack tells its version in brackets unless its program forbids it. */
    { .kind = XF_FACT_VERSION,
      .how = HAS,
      .text = "(Smack ",
      .below = VERSION(3, 2),
      .row = "spark-classic",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = HAS,
      .text = "(Smack ",
      .below = VERSION(4, 4),
      .row = "smack-3",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = HAS,
      .text = "(Smack ",
      .row = "smack",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = WORD,
      .text = "Smack",
      .below = VERSION(3, 2),
      .row = "spark-classic",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = WORD,
      .text = "Smack",
      .below = VERSION(4, 4),
      .row = "smack-3",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = WORD,
      .text = "Smack",
      .row = "smack",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = WORD,
      .text = "Spark",
      .below = VERSION(2, 6),
      .row = "spark-classic",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = WORD,
      .text = "Spark",
      .below = VERSION(3, 0),
      .row = "smack-3",
      .worth = RELEASE },
    { .kind = XF_FACT_VERSION,
      .how = WORD,
      .text = "Spark",
      .row = "smack",
      .worth = RELEASE },
#define RELEASE_OF(how_, text_, row_)                                          \
    {                                                                          \
        .kind = XF_FACT_VERSION, .how = (how_), .text = (text_),               \
        .row = (row_), .worth = RELEASE                                        \
    }
    RELEASE_OF(WORD, "Pidgin", "libpurple"),
    RELEASE_OF(WORD, "Finch", "libpurple"),
    RELEASE_OF(WORD, "Adium", "libpurple"),
    RELEASE_OF(WORD, "BitlBee", "libpurple"),
    RELEASE_OF(WORD, "libpurple", "libpurple"),
    RELEASE_OF(FROM, "based on QXmpp", "qxmpp"),
    RELEASE_OF(FROM, "based on gloox", "gloox"),
    RELEASE_OF(WORD, "slixmpp", "slixmpp"),
    RELEASE_OF(WORD, "Psi", "iris"),
    RELEASE_OF(WORD, "Libervia", "libervia"),
#undef RELEASE_OF

    { .kind = XF_FACT_IDENTITY,
      .how = ANY,
      .have = XF_FEATURE_XFERRY,
      .row = "xferry",
      .worth = OWN,
      .words = "feature urn:xferry:0" },
    { .kind = XF_FACT_IDENTITY,
      .how = WORD,
      .text = "Smack",
      .lack = XF_FEATURE_DISCO,
      .row = "smack-early",
      .worth = NODE,
      .words = "identity \"Smack\" without the feature disco#info" },
#define NAMED(how_, text_, row_)                                               \
    {                                                                          \
        .kind = XF_FACT_IDENTITY, .how = (how_), .text = (text_),              \
        .row = (row_), .worth = NAME                                           \
    }
    NAMED(WORD, "Smack", "smack"),
    NAMED(WORD, "Spark", "smack"),
    NAMED(WORD, "Pidgin", "libpurple"),
    NAMED(WORD, "Finch", "libpurple"),
    NAMED(WORD, "Adium", "libpurple"),
    NAMED(WORD, "libpurple", "libpurple"),
    NAMED(WORD, "BitlBee", "libpurple"),
    NAMED(FROM, "based on QXmpp", "qxmpp"),
    NAMED(WORD, "QXmpp", "qxmpp"),
    NAMED(FROM, "based on gloox", "gloox"),
    NAMED(WORD, "slixmpp", "slixmpp"),
    NAMED(WORD, "Slix", "slixmpp"),
    NAMED(WORD, "Psi", "iris"),
    NAMED(WORD, "Libervia", "libervia"),
#undef NAMED

#define NODE_OF(how_, text_, row_)                                             \
    {                                                                          \
        .kind = XF_FACT_CAPS, .how = (how_), .text = (text_), .row = (row_),   \
        .worth = NODE                                                          \
    }
    /* It became https, without www, in 4.4. */
    NODE_OF(FROM, "http://www.igniterealtime.org/projects/smack", "smack-3"),
    NODE_OF(FROM, "https://igniterealtime.org/projects/smack", "smack"),
    NODE_OF(FROM, "http://pidgin.im", "libpurple"),
    NODE_OF(FROM, "https://pidgin.im", "libpurple"),
    NODE_OF(FROM, "https://github.com/qxmpp-project/qxmpp", "qxmpp"),
    NODE_OF(FROM, "http://code.google.com/p/qxmpp", "qxmpp"),
    NODE_OF(FROM, "http://camaya.net/gloox", "gloox"),
    NODE_OF(FROM, "http://slixmpp.com/ver", "slixmpp"),
    NODE_OF(FROM, "http://psi-im.org", "iris"),
    NODE_OF(FROM, "https://psi-im.org", "iris"),
    NODE_OF(FROM, "http://psi-plus.com", "iris"),
    NODE_OF(FROM, "https://psi-plus.com", "iris"),
    NODE_OF(HAS, "salut-a-toi.org", "libervia"),
    NODE_OF(HAS, "libervia.org", "libervia"),
#undef NODE_OF

    { .kind = XF_FACT_OFFER,
      .how = FROM,
      .text = "jsi_",
      .have = XF_LOOK_LIST_MULTI,
      .row = "spark-classic",
      .worth = CONDUCT,
      .words = "a list-multi offer with an id that begins jsi_" },
    { .kind = XF_FACT_OFFER,
      .how = FROM,
      .text = "jsi_",
      .row = "smack",
      .worth = HINT,
      .words = "an offer with an id that begins jsi_" },
    { .kind = XF_FACT_OFFER,
      .how = FT4,
      .have = XF_LOOK_RANGE,
      .row = "iris",
      .worth = HINT,
      .words = "an offer with an id ft_ and four digits" },
    { .kind = XF_FACT_OFFER,
      .how = ANY,
      .have = XF_LOOK_MD5 | XF_LOOK_IBB_FIRST,
      .row = "qxmpp",
      .worth = HINT,
      .words = "an offer with a hash, in-band first" },
    { .kind = XF_FACT_OFFER_ID,
      .how = FROM,
      .text = "purple",
      .row = "libpurple",
      .worth = HINT,
      .words = "stanza ids that begin purple" },

    { .kind = XF_FACT_ANSWER,
      .how = ANY,
      .have = XF_LOOK_TWO,
      .row = "smack-3",
      .worth = CONDUCT,
      .words = "two values in the answer" },
};

/* --- does a clue fit? ------------------------------------------------------ */

static bool is_ft4(const char *text)
{
    return strncmp(text, "ft_", 3) == 0 && strlen(text) == 7 &&
           strspn(text + 3, "0123456789abcdef") == 4;
}

/* What follows the text in the fact, or NULL. */
static const char *behind(const struct clue *c, const char *told)
{
    const char *text = c->text ? c->text : "", *at;
    size_t len = strlen(text);

    if (!told)
        return c->how == ANY ? "" : NULL;
    switch (c->how) {
    case ANY:
        return told;
    case FROM:
        return strncasecmp(told, text, len) == 0 ? told + len : NULL;
    case WORD:
        return strncasecmp(told, text, len) == 0 &&
                       !isalpha((unsigned char)told[len])
                   ? told + len
                   : NULL;
    case HAS:
        at = strcasestr(told, text);
        return at ? at + len : NULL;
    case FT4:
        return is_ft4(told) ? told : NULL;
    }
    return NULL;
}

/* "4.4.8" and "3.2-SNAPSHOT"; false for what does not begin with a number. */
static bool read_version(const char *text, unsigned *out)
{
    unsigned long major, minor = 0;
    char *end;

    if (!text || !isdigit((unsigned char)*text))
        return false;
    major = strtoul(text, &end, 10);
    if (*end == '.' && isdigit((unsigned char)end[1]))
        minor = strtoul(end + 1, NULL, 10);
    if (major > 9999 || minor > 999)
        return false;
    *out = VERSION((unsigned)major, (unsigned)minor);
    return true;
}

static bool is_older(const struct clue *c, const struct xf_fact *f,
                     const char *rest)
{
    unsigned version;

    if (!read_version(c->how == HAS ? rest : f->version, &version))
        return false;
    return version < c->below;
}

static bool fits(const struct clue *c, const struct xf_fact *f)
{
    unsigned seen = f->kind == XF_FACT_IDENTITY ? f->features : f->look;
    const char *rest;

    if (c->kind != f->kind || (seen & c->have) != c->have || seen & c->lack)
        return false;
    rest = behind(c, f->text);
    return rest && (!c->below || is_older(c, f, rest));
}

/* --- what it says -------------------------------------------------------- */

/* Cut between characters. */
static void cut(char *text)
{
    size_t len = strlen(text);

    if (len < XF_EVIDENCE_WORDS - 1)
        return;
    while (len > 0 && ((unsigned char)text[len - 1] & 0xc0) == 0x80)
        len--;
    if (len > 0 && (unsigned char)text[len - 1] >= 0xc0)
        len--;
    text[len] = '\0';
}

static void tell(struct xf_evidence *e, const struct clue *c,
                 const struct xf_fact *f)
{
    char *out = e->words;
    const size_t size = sizeof e->words;

    if (c->words)
        snprintf(out, size, "%s", c->words);
    else if (f->kind == XF_FACT_CAPS)
        snprintf(out, size, "caps node %s", f->text);
    else if (f->kind == XF_FACT_IDENTITY)
        snprintf(out, size, "identity \"%s\"", f->text);
    else
        snprintf(out, size, "version %s%s%s", f->text,
                 f->version && *f->version ? " " : "",
                 f->version ? f->version : "");
    cut(out);
}

static const struct clue *find(const struct xf_fact *f)
{
    for (size_t i = 0; i < sizeof clues / sizeof *clues; i++)
        if (fits(&clues[i], f))
            return &clues[i];
    return NULL;
}

void xf_evidence_init(struct xf_evidence *e)
{
    *e = (struct xf_evidence){ .profile = xf_profile_at(0) };
}

bool xf_evidence_feed(struct xf_evidence *e, const struct xf_fact *fact)
{
    const struct xf_profile *before = e->profile;
    const struct clue *c = find(fact);

    if (!c || (unsigned)c->worth < e->weight)
        return false;
    e->profile = xf_profile_named(c->row);
    e->weight = c->worth;
    tell(e, c, fact);
    return e->profile != before;
}

void xf_evidence_force(struct xf_evidence *e, const struct xf_profile *p)
{
    e->profile = p;
    e->weight = FORCED;
    snprintf(e->words, sizeof e->words, "as configured");
}

bool xf_evidence_is_open(const struct xf_evidence *e)
{
    return e->weight < NODE &&
           (e->profile == xf_profile_at(0) || e->profile->older_differ);
}
