/* The conversation as numbered, explained steps, in the manner of Spark's
 * description of file transfer. It reads stanzas only to tell about them;
 * nothing is decided here. */
#ifndef XF_CLI_TRACE_H
#define XF_CLI_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define XF_TRACE_ASKED 64 /* requests remembered, to explain the answers */
#define XF_TRACE_ID 80    /* bytes of an id that are compared */

struct xf_trace {
    unsigned step;
    unsigned asked_next;
    struct xf_trace_asked {
        char id[XF_TRACE_ID];
        bool outgoing;
        bool private;     /* its answer is not shown either */
        const char *what; /* "the offer" */
    } asked[XF_TRACE_ASKED];
};

/*
 * Print one stanza as a step. What belongs to the login, the contact list or
 * to presence is not part of the conversation and not shown. `self` is our
 * own JID, for stanzas that do not name it.
 */
void xf_trace_stanza(struct xf_trace *t, FILE *out, const char *stanza,
                     bool outgoing, const char *self);

/* The stanza alone, indented, without numbers; for tests and for the above. */
void xf_trace_pretty(FILE *out, const char *stanza);

#endif
