/* The known dialects, a row for each; what a row means is in the header. */
#include "proto/profile.h"

#include <stdio.h>
#include <string.h>

#define BLOCK_MAX 65535u
#define COUNTED 65535u /* blocks that everybody can count */
/* Smack 3.1 gives up 10 s behind its yes when it has no stream by then. */
#define EARLY_WAIT_MS 8000

static const struct xf_profile rows[] = {
    {
        .name = "unknown",
        .summary = "safe with everybody",
        .ibb_same_sid = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 1,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
    },
    {
        .name = "xferry",
        .summary = "this program at the other end",
        .range = true,
        .goes_on = true,
        .ibb_same_sid = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = BLOCK_MAX,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 64,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
    },
    {
        /*
         * As senders all of Smack up to 4.3 leave out the block 65535; as
         * receivers they wait for it, so that we count right toward them. The
         * response timeout is the founding document's, 15 s; the row below
         * has what real programs of that time need.
         */
        .name = "spark-classic",
        .summary = "Spark of 2007 (Smack up to 3.1)",
        .list_multi = true,
        .two_values = true,
        .ibb_same_sid = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 1,
        .ibb_messages = true,
        .ibb_wrap = 65536,
    },
    {
        /*
         * 3.0 to 3.2 cannot be told apart before an offer. The older answers
         * two methods to a list-multi field only and reads messages only;
         * the newer does either, but the <open/> has to say messages.
         */
        .name = "smack-early",
        .summary = "programs on a Smack from before 3.3, which of them is open",
        .list_multi = true,
        .two_values = true,
        .ibb_same_sid = true,
        .second_offer = true,
        .hosts_max = 5,
        .s5b_wait_ms = EARLY_WAIT_MS,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 1,
        .ibb_stanza_attribute = true,
        .ibb_messages = true,
        .ibb_wrap = 65536,
    },
    {
        /* From 4.1 on an <open/> after a failed bytestream is answered by
         * nobody, hence the second offer. */
        .name = "smack-3",
        .summary = "Spark 2.6 to 2.9 and others on Smack 3.2 to 4.3",
        .two_values = true,
        .ibb_same_sid = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 1,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
    },
    {
        /*
         * From Smack 4.4 on only the chosen method is served, so in-band
         * needs an offer of its own. Its handlers run on a pool of threads:
         * two blocks in flight may be seen in the wrong order.
         */
        .name = "smack",
        .summary = "Spark 3 and others on Smack 4.4 and later",
        .older_differ = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 1,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
    },
    {
        /*
         * Its listener closes behind the first connection, and one that is
         * dropped cancels the transfer. Takes blocks in the order they come.
         * As initiator it does not wait until the proxy is activated: what
         * fits into the proxy's receive buffer is sent and the connection
         * closed before, and Prosody then drops both. Tries a streamhost for
         * 15 s, one after the other.
         */
        .name = "libpurple",
        .summary = "Pidgin, Finch, Adium and others on libpurple",
        .ibb_same_sid = true,
        .second_offer = true,
        .hosts_max = 4,
        .proxy_from = 128 * 1024,
        .dial = &xf_dial_in_turn,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 4,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
        .close_unanswered = true,
    },
    {
        /* Compares its own count of blocks with 16 bits. After a failed
         * bytestream it has forgotten the sid. */
        .name = "qxmpp",
        .summary = "programs on QXmpp, early Kaidan among them",
        .checks_md5 = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = 4096,
        .ibb_window = 4,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 0,
    },
    {
        /* It goes through the streamhosts with connects that block. */
        .name = "gloox",
        .summary = "programs on gloox",
        .ibb_same_sid = true,
        .second_offer = true,
        .hosts_max = 5,
        .s5b_silent = true,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 4,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
    },
    {
        /* Refuses larger blocks; that its tasks keep the order of several in
         * flight is not shown. */
        .name = "slixmpp",
        .summary = "bots and clients on slixmpp",
        .ibb_same_sid = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 8192,
        .ibb_block_max = 8192,
        .ibb_window = 1,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
    },
    {
        /* Reads five streamhosts and no more. Has no in-band rung of its own
         * behind a bytestream. */
        .name = "iris",
        .summary = "Psi, Psi+ and others on iris",
        .range = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 4,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65536,
    },
    {
        /* Leaves out the block 65535 in both directions. */
        .name = "libervia",
        .summary = "Libervia",
        .range = true,
        .second_offer = true,
        .hosts_max = 5,
        .dial = &xf_dial_staggered,
        .ibb_block = 4096,
        .ibb_block_max = BLOCK_MAX,
        .ibb_window = 4,
        .ibb_stanza_attribute = true,
        .ibb_wrap = 65535,
    },
};

enum { ROWS = sizeof rows / sizeof rows[0] };

const struct xf_profile *xf_profile_at(size_t i)
{
    return i < ROWS ? &rows[i] : NULL;
}

const struct xf_profile *xf_profile_named(const char *name)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    }
    return NULL;
}

uint32_t xf_profile_block(const struct xf_profile *p, uint32_t block,
                          uint64_t size)
{
    if (block > p->ibb_block_max)
        block = p->ibb_block_max;
    while (size / block >= COUNTED && block < p->ibb_block_max)
        block = block < p->ibb_block_max / 2 ? block * 2 : p->ibb_block_max;
    return size / block >= COUNTED && !p->ibb_wrap ? 0 : block;
}

/* --- in words ------------------------------------------------------------ */

/* A field: does it differ from the first row's, and how is that said? `%u`
 * stands for its value. */
static const struct word {
    enum { FLAG, NUMBER, LARGE, PLAN } is;
    size_t at;
    const char *set, *not_set; /* NOT of a flag, 0 of a number */
} words[] = {
#define AT(field) offsetof(struct xf_profile, field)
    { FLAG, AT(list_multi), "offers with a list-multi field, as in 2007",
      "offers with a list-single field" },
    { FLAG, AT(two_values), "answers an offer with both methods",
      "answers an offer with one method" },
    { FLAG, AT(older_differ), "asks for the version: older ones differ", "" },
    { FLAG, AT(range), "the contact can begin within a file", "" },
    { FLAG, AT(checks_md5), "the contact compares the MD5 of an offer", "" },
    { FLAG, AT(ibb_same_sid),
      "after a failed bytestream: in-band under the same id",
      "after a failed bytestream: no in-band under the same id" },
    { FLAG, AT(second_offer),
      "after a failed bytestream: a second offer, in-band only",
      "after a failed bytestream: no second offer" },
    { NUMBER, AT(hosts_max), "tells at most %u streamhosts", "" },
    { NUMBER, AT(s5b_wait_ms), "waits at most %u ms for a bytestream", "" },
    { FLAG, AT(s5b_silent),
      "the contact says nothing when it reaches no streamhost", "" },
    { LARGE, AT(proxy_from),
      "takes no file below %u bytes from it through a proxy", "" },
    { PLAN, AT(dial), "tries its streamhosts one after the other", "" },
    { NUMBER, AT(ibb_block), "begins with in-band blocks of %u bytes", "" },
    { NUMBER, AT(ibb_block_max), "in-band blocks of at most %u bytes", "" },
    { NUMBER, AT(ibb_window), "up to %u in-band blocks on their way", "" },
    { FLAG, AT(ibb_stanza_attribute),
      "says in the in-band open what carries the blocks",
      "does not say in the in-band open what carries the blocks" },
    { FLAG, AT(ibb_messages), "in-band blocks in messages",
      "in-band blocks in iqs" },
    { NUMBER, AT(ibb_wrap), "counts in-band blocks up to %u, then from 0",
      "no in-band stream of 65535 blocks or more" },
    { FLAG, AT(close_unanswered), "does not wait for an answer to the close",
      "" },
#undef AT
};

static const void *field(const struct xf_profile *p, const struct word *w)
{
    return (const char *)p + w->at;
}

static uint64_t value(const struct xf_profile *p, const struct word *w)
{
    switch (w->is) {
    case FLAG:
        return *(const bool *)field(p, w);
    case NUMBER:
        return *(const uint32_t *)field(p, w);
    case LARGE:
        return *(const uint64_t *)field(p, w);
    case PLAN:
        return (*(const struct xf_dial_plan *const *)field(p, w))->stagger_ms <
               0;
    }
    return 0;
}

/* The last number that is counted, not how many there are. */
static void say(const struct word *w, uint64_t n, char *text)
{
    const char *form = n ? w->set : w->not_set;
    const char *number = strstr(form, "%u");

    if (!number)
        snprintf(text, XF_PROFILE_FACT_MAX, "%s", form);
    else
        snprintf(text, XF_PROFILE_FACT_MAX, "%.*s%llu%s", (int)(number - form),
                 form,
                 (unsigned long long)n -
                     (w->at == offsetof(struct xf_profile, ibb_wrap)),
                 number + 2);
}

bool xf_profile_fact(size_t i, size_t j, char text[XF_PROFILE_FACT_MAX])
{
    for (size_t k = 0; i < ROWS && k < sizeof words / sizeof *words; k++) {
        uint64_t n = value(&rows[i], &words[k]);

        if (n == value(&rows[0], &words[k]) || j-- > 0)
            continue;
        say(&words[k], n, text);
        return true;
    }
    return false;
}
