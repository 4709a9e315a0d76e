/* Certificates by OpenSSL's calls; each failure is a mistake of the test. */
#include "ca.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void must(int well)
{
    if (well)
        return;
    (void)fprintf(stderr, "a certificate cannot be made\n");
    abort();
}

static void add(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(extension != NULL && X509_add_ext(cert, extension, -1));
    X509_EXTENSION_free(extension);
}

static X509 *new_cert(EVP_PKEY *key, const char *name, struct validity days)
{
    static long serial;
    X509 *cert = X509_new();
    X509_NAME *subject = X509_get_subject_name(cert);

    must(X509_set_version(cert, X509_VERSION_3));
    must(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial));
    must(X509_gmtime_adj(X509_getm_notBefore(cert), days.from * 86400L) !=
         NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(cert), days.to * 86400L) != NULL);
    must(X509_set_pubkey(cert, key));
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                    (const unsigned char *)name, -1, -1, 0));
    return cert;
}

void ca_init(struct ca *ca, const char *name)
{
    const struct validity days = { -100, 100 };
    FILE *file;
    int fd;

    ca->key = EVP_EC_gen("P-256");
    ca->cert = new_cert(ca->key, name, days);
    must(X509_set_issuer_name(ca->cert, X509_get_subject_name(ca->cert)));
    add(ca->cert, ca->cert, NID_basic_constraints, "critical,CA:TRUE");
    add(ca->cert, ca->cert, NID_key_usage, "critical,keyCertSign");
    must(X509_sign(ca->cert, ca->key, EVP_sha256()) > 0);

    (void)snprintf(ca->file, sizeof ca->file, "/tmp/xf-test-ca-XXXXXX");
    fd = mkstemp(ca->file);
    must(fd >= 0);
    file = fdopen(fd, "w");
    must(file && PEM_write_X509(file, ca->cert));
    must(fclose(file) == 0);
}

void ca_clear(struct ca *ca)
{
    (void)unlink(ca->file);
    X509_free(ca->cert);
    EVP_PKEY_free(ca->key);
}

static int choose_alpn(SSL *ssl, const unsigned char **out,
                       unsigned char *out_len, const unsigned char *in,
                       unsigned in_len, void *ctx)
{
    (void)ssl;
    (void)ctx;
    if (in_len != 12 || memcmp(in, "\x0bxmpp-client", 12) != 0)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = in + 1;
    *out_len = 11;
    return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *ca_server(const struct ca *ca, const char *san, struct validity days,
                   int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    /* the host's name as common name too: it must count for nothing */
    X509 *cert = new_cert(key, "example.net", days);
    X509 *issuer = ca ? ca->cert : cert;

    must(X509_set_issuer_name(cert, X509_get_subject_name(issuer)));
    if (san)
        add(cert, issuer, NID_subject_alt_name, san);
    must(X509_sign(cert, ca ? ca->key : key, EVP_sha256()) > 0);
    must(SSL_CTX_use_certificate(ctx, cert));
    must(SSL_CTX_use_PrivateKey(ctx, key));
    must(SSL_CTX_set_max_proto_version(ctx, version) == 1);
    SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, NULL);
    X509_free(cert);
    EVP_PKEY_free(key);
    return ctx;
}
