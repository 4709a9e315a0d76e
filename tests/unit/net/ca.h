/*
 * An authority and certificates for the tests, made with OpenSSL on the spot,
 * and the server's side of TLS that shows them.
 */
#ifndef XF_TEST_NET_CA_H
#define XF_TEST_NET_CA_H

#include <openssl/ssl.h>

struct ca {
    EVP_PKEY *key;
    X509 *cert;
    char file[64]; /* PEM of the certificate */
};

/* Days from now; negative ones have passed. */
struct validity {
    int from, to;
};

void ca_init(struct ca *ca, const char *name);
void ca_clear(struct ca *ca); /* removes the file */

/*
 * A server that shows a certificate with `san` ("DNS:example.net") for `days`,
 * signed by `ca`; NULL: by itself. `version` is the newest TLS it speaks.
 */
SSL_CTX *ca_server(const struct ca *ca, const char *san, struct validity days,
                   int version);

#endif
