/*
 * OpenSSL between two memory BIOs. It checks the chain and the name itself,
 * within the handshake; we add the one kind of name it does not know and
 * say in words what went wrong.
 *
 *     HANDSHAKE --> OPEN --> CLOSED
 *         |          |
 *         +----------+-----> FAILED
 */
#include "net/tls.h"

#include <assert.h>
#include <limits.h>
#include <string.h>
#include <strings.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/sys.h"
#include "net/address.h"

struct xf_tls {
    enum xf_tls_state state;
    SSL *ssl;
    BIO *in, *out; /* owned by ssl */
    char domain[XF_HOST_MAX + 1];
    struct xf_error_info why;
};

/* --- what went wrong ----------------------------------------------------- */

static const char *verify_words(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the certificate is not valid yet";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return "the certificate is for another name";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "the certificate is self-signed";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
        return "the certificate is from an unknown authority";
    case X509_V_ERR_CERT_REVOKED:
        return "the certificate was revoked";
    default:
        return X509_verify_cert_error_string(result);
    }
}

static const char *reason_words(unsigned long err)
{
    const char *words = ERR_reason_error_string(err);

    if (ERR_GET_LIB(err) == ERR_LIB_SSL) {
        switch (ERR_GET_REASON(err)) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_HTTP_REQUEST:
        case SSL_R_HTTPS_PROXY_REQUEST:
        case SSL_R_BAD_RECORD_TYPE:
            return "the answer is not TLS";
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return "the server has no TLS 1.2 or newer";
        default:
            break;
        }
    }
    return words ? words : "unknown failure";
}

static int fail(struct xf_tls *t)
{
    long verified = SSL_get_verify_result(t->ssl);
    const char *words;

    if (t->state == XF_TLS_HANDSHAKE && verified != X509_V_OK)
        words = verify_words(verified);
    else
        words = reason_words(ERR_peek_error());
    ERR_clear_error();
    t->state = XF_TLS_FAILED;
    return xf_err_set(&t->why, XF_E_TLS, "TLS check failed for %s: %s",
                      t->domain, words);
}

/* --- whose certificate it is --------------------------------------------- */

/* Whether an SRV-ID (RFC 4985) says `_xmpp-client.domain`. */
static bool is_our_srv_name(const GENERAL_NAME *name, const char *domain)
{
    static const char service[] = "_xmpp-client.";
    const size_t service_len = sizeof service - 1;
    const ASN1_TYPE *value;
    const char *text;
    size_t len;
    char oid[32];

    if (name->type != GEN_OTHERNAME)
        return false;
    value = name->d.otherName->value;
    if (OBJ_obj2txt(oid, sizeof oid, name->d.otherName->type_id, 1) <= 0 ||
        strcmp(oid, "1.3.6.1.5.5.7.8.7") != 0 ||
        value->type != V_ASN1_IA5STRING)
        return false;
    text = (const char *)ASN1_STRING_get0_data(value->value.ia5string);
    len = (size_t)ASN1_STRING_length(value->value.ia5string);
    return len == service_len + strlen(domain) &&
           strncasecmp(text, service, service_len) == 0 &&
           strncasecmp(text + service_len, domain, len - service_len) == 0;
}

static bool names_our_service(const X509 *certificate, const char *domain)
{
    GENERAL_NAMES *names =
        X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    bool found = false;

    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++)
        found = is_our_srv_name(sk_GENERAL_NAME_value(names, i), domain);
    GENERAL_NAMES_free(names);
    return found;
}

/* Only the name may be set right here; all else stays as OpenSSL found it. */
static int verify(int well, X509_STORE_CTX *ctx)
{
    const SSL *ssl =
        X509_STORE_CTX_get_ex_data(ctx, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct xf_tls *t = SSL_get_app_data(ssl);

    if (well || X509_STORE_CTX_get_error(ctx) != X509_V_ERR_HOSTNAME_MISMATCH)
        return well;
    if (!names_our_service(X509_STORE_CTX_get0_cert(ctx), t->domain))
        return 0;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* --- making one ---------------------------------------------------------- */

/*
 * What is in a file that the user names is trusted as it is, be it the
 * authority, one below it or the server's own certificate.
 */
static bool trust(SSL_CTX *ctx, const char *ca_file)
{
    if (!ca_file)
        return SSL_CTX_set_default_verify_paths(ctx) == 1;
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx),
                                      X509_V_FLAG_PARTIAL_CHAIN);
    return SSL_CTX_load_verify_file(ctx, ca_file) == 1;
}

static SSL_CTX *new_context(const struct xf_tls_config *config,
                            struct xf_error_info *why)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, config->max_version) != 1) {
        (void)xf_err_set(why, XF_E_LIMIT, "cannot set up TLS");
    } else if (!trust(ctx, config->ca_file)) {
        (void)xf_err_set(why, XF_E_TLS, "no certificates can be read from %s",
                         config->ca_file ? config->ca_file : "the system");
    } else {
        (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, verify);
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

/* The name to ask for and to be shown. */
static bool set_name(struct xf_tls *t)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    struct xf_address literal;

    if (xf_address_read(t->domain, 0, &literal)) {
        char ip[XF_ADDRESS_TEXT];

        xf_address_text(&literal, ip);
        return X509_VERIFY_PARAM_set1_ip_asc(param, ip) == 1;
    }
    /* The subject's common name is no host name: RFC 6125, 6.4.4. */
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, t->domain, 0) == 1 &&
           SSL_set_tlsext_host_name(t->ssl, t->domain) == 1;
}

static bool set_up(struct xf_tls *t, SSL_CTX *ctx, bool direct)
{
    static const unsigned char alpn[] = "\x0bxmpp-client";

    t->ssl = SSL_new(ctx);
    t->in = BIO_new(BIO_s_mem());
    t->out = BIO_new(BIO_s_mem());
    if (!t->ssl || !t->in || !t->out) {
        BIO_free(t->in);
        BIO_free(t->out);
        return false;
    }
    SSL_set_bio(t->ssl, t->in, t->out);
    SSL_set_connect_state(t->ssl);
    SSL_set_app_data(t->ssl, t);
    if (direct && SSL_set_alpn_protos(t->ssl, alpn, sizeof alpn - 1) != 0)
        return false;
    return set_name(t);
}

static int step(struct xf_tls *t)
{
    int result;

    ERR_clear_error();
    result = SSL_do_handshake(t->ssl);
    if (result == 1)
        t->state = XF_TLS_OPEN;
    else if (SSL_get_error(t->ssl, result) != SSL_ERROR_WANT_READ)
        return fail(t);
    return 0;
}

int xf_tls_new(const struct xf_tls_config *config, struct xf_error_info *why,
               struct xf_tls **out)
{
    struct xf_tls *t = xf_sys_alloc(sizeof *t);
    SSL_CTX *ctx = NULL;
    bool well;

    *out = NULL;
    if (!t || strlen(config->domain) > XF_HOST_MAX) {
        xf_sys_free(t);
        return xf_err_set(why, XF_E_LIMIT, "out of memory");
    }
    memcpy(t->domain, config->domain, strlen(config->domain) + 1);
    ERR_clear_error();
    ctx = new_context(config, why);
    if (!ctx) {
        ERR_clear_error();
        xf_tls_free(t);
        return why->code;
    }
    well = set_up(t, ctx, config->direct) && step(t) == 0;
    SSL_CTX_free(ctx);
    if (!well) {
        ERR_clear_error();
        xf_tls_free(t);
        return xf_err_set(why, XF_E_LIMIT, "cannot set up TLS");
    }
    *out = t;
    return 0;
}

void xf_tls_free(struct xf_tls *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    xf_sys_free(t);
}

/* --- bytes --------------------------------------------------------------- */

enum xf_tls_state xf_tls_state(const struct xf_tls *t)
{
    return t->state;
}

const struct xf_error_info *xf_tls_error(const struct xf_tls *t)
{
    return &t->why;
}

int xf_tls_feed(struct xf_tls *t, const void *bytes, size_t len)
{
    if (t->state == XF_TLS_FAILED)
        return t->why.code;
    if (len > INT_MAX || BIO_write(t->in, bytes, (int)len) != (int)len) {
        t->state = XF_TLS_FAILED;
        return xf_err_set(&t->why, XF_E_LIMIT, "out of memory");
    }
    return t->state == XF_TLS_HANDSHAKE ? step(t) : 0;
}

size_t xf_tls_read(struct xf_tls *t, void *out, size_t len)
{
    char *next = out;
    size_t total = 0, got;

    while (t->state == XF_TLS_OPEN && total < len) {
        ERR_clear_error();
        if (SSL_read_ex(t->ssl, next + total, len - total, &got) == 1) {
            total += got;
            continue;
        }
        switch (SSL_get_error(t->ssl, 0)) {
        case SSL_ERROR_WANT_READ:
            return total;
        case SSL_ERROR_ZERO_RETURN:
            t->state = XF_TLS_CLOSED;
            break;
        default:
            (void)fail(t);
            break;
        }
    }
    return total;
}

int xf_tls_write(struct xf_tls *t, const void *bytes, size_t len)
{
    size_t written;

    assert(t->state != XF_TLS_HANDSHAKE);
    if (t->state == XF_TLS_FAILED)
        return t->why.code;
    ERR_clear_error();
    if (len > 0 && SSL_write_ex(t->ssl, bytes, len, &written) != 1)
        return fail(t);
    return 0;
}

size_t xf_tls_drain(struct xf_tls *t, void *out, size_t len)
{
    int n;

    if (len > INT_MAX)
        len = INT_MAX;
    n = BIO_read(t->out, out, (int)len);
    return n > 0 ? (size_t)n : 0;
}

size_t xf_tls_pending(const struct xf_tls *t)
{
    return BIO_ctrl_pending(t->out);
}

void xf_tls_close(struct xf_tls *t)
{
    if (t->state != XF_TLS_OPEN && t->state != XF_TLS_CLOSED)
        return;
    ERR_clear_error();
    (void)SSL_shutdown(t->ssl);
    ERR_clear_error();
}

/* --- what was agreed on -------------------------------------------------- */

static bool is_done(const struct xf_tls *t)
{
    return t->state == XF_TLS_OPEN || t->state == XF_TLS_CLOSED;
}

const char *xf_tls_version(const struct xf_tls *t)
{
    return is_done(t) ? SSL_get_version(t->ssl) : "";
}

/*
 * The first Finished of the handshake, which is ours unless a session was
 * resumed. Without the extended master secret it binds nothing (RFC 7627).
 */
static size_t unique(SSL *ssl, uint8_t *out)
{
    size_t len;

    if (SSL_version(ssl) != TLS1_2_VERSION || SSL_get_extms_support(ssl) != 1)
        return 0;
    if (SSL_session_reused(ssl))
        len = SSL_get_peer_finished(ssl, out, XF_TLS_BINDING_MAX);
    else
        len = SSL_get_finished(ssl, out, XF_TLS_BINDING_MAX);
    return len <= XF_TLS_BINDING_MAX ? len : 0;
}

/* On TLS 1.2 it needs the extended master secret too (RFC 9266, 3). */
static size_t exporter(SSL *ssl, uint8_t *out)
{
    static const char label[] = "EXPORTER-Channel-Binding";
    const size_t len = 32;

    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1)
        return 0;
    if (SSL_export_keying_material(ssl, out, len, label, sizeof label - 1,
                                   (const unsigned char *)"", 0, 1) != 1)
        return 0;
    return len;
}

/* By the hash of the certificate's signature; SHA-256 for weaker ones. */
static size_t server_end_point(SSL *ssl, uint8_t *out)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    const EVP_MD *md;
    unsigned len = 0;
    int hash;

    if (!certificate ||
        X509_get_signature_info(certificate, &hash, NULL, NULL, NULL) != 1)
        return 0;
    if (hash == NID_md5 || hash == NID_sha1)
        hash = NID_sha256;
    md = EVP_get_digestbynid(hash);
    if (!md || EVP_MD_get_size(md) > XF_TLS_BINDING_MAX ||
        X509_digest(certificate, md, out, &len) != 1)
        return 0;
    return len;
}

size_t xf_tls_binding(const struct xf_tls *t, enum xf_tls_binding kind,
                      uint8_t *out)
{
    size_t len = 0;

    if (!is_done(t))
        return 0;
    ERR_clear_error();
    switch (kind) {
    case XF_TLS_UNIQUE:
        len = unique(t->ssl, out);
        break;
    case XF_TLS_EXPORTER:
        len = exporter(t->ssl, out);
        break;
    case XF_TLS_SERVER_END_POINT:
        len = server_end_point(t->ssl, out);
        break;
    }
    ERR_clear_error();
    return len;
}
