/*
 * What would be tried, in which order, toward a contact that can do this and
 * that: the sender's ladder (proto/sending) is climbed in thought, each rung
 * failing, so that what is foretold is what a transfer does.
 */
#ifndef XF_PROTO_OUTLOOK_H
#define XF_PROTO_OUTLOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "proto/sending.h"

#define XF_OUTLOOK_MAX 4 /* no ladder of ours has more rungs */

/* How the contact answers an offer. */
struct xf_outlook_peer {
    bool s5b, ibb;   /* the methods it takes */
    bool two_values; /* it answers all that it takes, not one of them */
};

struct xf_outlook {
    size_t count;
    struct {
        enum xf_method method;
        bool second; /* by the second offer */
    } rungs[XF_OUTLOOK_MAX];
    struct xf_error_info why; /* code 0 unless there is no rung at all */
};

/* `can_s5b`: there is a streamhost to tell. */
void xf_outlook(const struct xf_sending_rules *rules, bool can_s5b,
                const struct xf_outlook_peer *peer, struct xf_outlook *out);

#endif
