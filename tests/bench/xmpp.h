/* The little XMPP that activating streams takes: a plain login, and requests
 * whose answers are told by their number. */
#ifndef BENCH_XMPP_H
#define BENCH_XMPP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xmpp {
    int fd;
    const char *proxy; /* its JID */
    char in[65536];
    size_t have;
    char *out; /* what the socket does not take yet */
    size_t out_len, out_room;
};

/* Log in to 127.0.0.1:port as user@domain/resource by SASL PLAIN; ends the
 * program when that fails. Non-blocking from then on. */
void xmpp_login(struct xmpp *x, uint16_t port, const char *user,
                const char *domain, const char *resource, const char *password);

/* Have the stream `sid` toward `target` activated; request number `n`. */
void xmpp_activate(struct xmpp *x, unsigned n, const char *sid,
                   const char *target);

/* Send what waits, read what came. */
void xmpp_turn(struct xmpp *x);
bool xmpp_wants_write(const struct xmpp *x);

/* The next answer; false for none. */
bool xmpp_answer(struct xmpp *x, unsigned *n, bool *activated);

#endif
