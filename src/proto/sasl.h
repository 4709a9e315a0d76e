/*
 * One login by SASL: which mechanism, and GNU SASL behind a step. What to
 * send when is proto/login.
 */
#ifndef XF_PROTO_SASL_H
#define XF_PROTO_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/login.h"

#define XF_SCRAM_ITERATIONS 200000 /* at most: 10,000,000 block us for 15 s */

/*
 * The first of our mechanisms, in our order, that the server has and this
 * connection allows, or NULL. `*kind` becomes the XF_BINDING_ bit to use with
 * it, 0 for the forms without PLUS. `binding` NULL: there is no TLS.
 */
const char *xf_sasl_choose(const struct xf_features *features,
                           const struct xf_login_binding *binding,
                           unsigned *kind);

/*
 * The iteration count of a SCRAM server's first message. Returns 0,
 * XF_E_PROTO for a message that is malformed or asks for none, XF_E_POLICY
 * for more than XF_SCRAM_ITERATIONS.
 */
int xf_scram_iterations(const void *message, size_t len, uint64_t *out);

struct xf_sasl;

/* `binding` is used when `kind` is not 0. Strings are borrowed until free.
 * Returns 0 or XF_E_LIMIT. */
int xf_sasl_new(struct xf_sasl **out, const char *mechanism, const char *authid,
                const char *password, const struct xf_login_binding *binding,
                unsigned kind);
void xf_sasl_free(struct xf_sasl *s); /* wipes what it can reach */

/*
 * First with NULL, then with each challenge. *out is what to send, until the
 * next step. Returns 0, XF_E_LIMIT, or
 *   XF_E_PROTO   the message is malformed, or none was to come
 *   XF_E_POLICY  too many iterations; nothing was computed
 *   XF_E_AUTH    the other side did not prove that it is our server
 *   XF_E_USAGE   name or password have characters that SASLprep forbids
 */
int xf_sasl_step(struct xf_sasl *s, const void *in, size_t len,
                 const void **out, size_t *out_len);

/* The server may say success: nothing more is to come. */
bool xf_sasl_done(const struct xf_sasl *s);

#endif
