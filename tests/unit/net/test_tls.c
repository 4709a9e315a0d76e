/* The TLS client against OpenSSL's server, joined in memory. */
#include "net/tls.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <openssl/err.h>

#include <cmocka.h>

#include "ca.h"

#define DOMAIN "example.net"
#define WIRE 32768
#define CA_NAME "An authority for tests"

static const struct validity now = { -1, 30 };

struct pair {
    struct xf_tls *client;
    SSL *server;
    BIO *to_server, *from_server;
    size_t cut;   /* the server's bytes arrive up to here, then the rest */
    size_t fed;   /* bytes from the server so far */
    bool by_byte; /* or one by one */
};

static int make_ca(void **state)
{
    static struct ca ca;

    ca_init(&ca, CA_NAME);
    *state = &ca;
    return 0;
}

static int drop_ca(void **state)
{
    ca_clear(*state);
    return 0;
}

static struct pair open_pair(SSL_CTX *ctx, const struct xf_tls_config *config)
{
    struct pair p = { .cut = SIZE_MAX };
    struct xf_error_info why = { 0 };

    p.server = SSL_new(ctx);
    SSL_CTX_free(ctx);
    p.to_server = BIO_new(BIO_s_mem());
    p.from_server = BIO_new(BIO_s_mem());
    SSL_set_bio(p.server, p.to_server, p.from_server);
    SSL_set_accept_state(p.server);
    assert_int_equal(xf_tls_new(config, &why, &p.client), 0);
    return p;
}

static void close_pair(struct pair *p)
{
    xf_tls_free(p->client);
    SSL_free(p->server);
    ERR_clear_error();
}

static void feed(struct pair *p, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t part = len;

        if (p->by_byte)
            part = 1;
        else if (p->fed < p->cut && p->fed + len > p->cut)
            part = p->cut - p->fed;
        (void)xf_tls_feed(p->client, bytes, part);
        p->fed += part;
        bytes += part;
        len -= part;
    }
}

/* Bytes go to and fro until neither has any. */
static void join(struct pair *p)
{
    char wire[WIRE];

    for (int i = 0; i < 20; i++) {
        size_t len = xf_tls_drain(p->client, wire, sizeof wire);
        int back;

        if (len > 0)
            assert_int_equal(BIO_write(p->to_server, wire, (int)len), len);
        if (!SSL_is_init_finished(p->server))
            (void)SSL_do_handshake(p->server);
        back = BIO_read(p->from_server, wire, sizeof wire);
        if (back > 0)
            feed(p, wire, (size_t)back);
        if (len == 0 && back <= 0)
            return;
    }
    fail();
}

static struct xf_tls_config trusting(const struct ca *ca)
{
    return (struct xf_tls_config){ .domain = DOMAIN, .ca_file = ca->file };
}

/* What is said about a server with this certificate. "" when all is well. */
static const char *said(SSL_CTX *ctx, const struct xf_tls_config *config)
{
    static struct xf_error_info why;
    struct pair p = open_pair(ctx, config);
    enum xf_tls_state state;

    join(&p);
    state = xf_tls_state(p.client);
    why = *xf_tls_error(p.client);
    assert_true(state == XF_TLS_OPEN || state == XF_TLS_FAILED);
    assert_true((state == XF_TLS_OPEN) == (why.code == 0));
    /* nothing of ours may have been taken for the login by such a server */
    if (state == XF_TLS_FAILED) {
        assert_int_equal(why.code, XF_E_TLS);
        assert_int_equal(SSL_is_init_finished(p.server), 0);
        assert_int_equal(xf_tls_write(p.client, "secret", 6), XF_E_TLS);
    }
    close_pair(&p);
    return why.text;
}

/* --- certificates -------------------------------------------------------- */

static void a_fitting_certificate_is_taken(void **state)
{
    struct xf_tls_config config = trusting(*state);

    assert_string_equal(said(ca_server(*state, "DNS:" DOMAIN, now, 0), &config),
                        "");
    assert_string_equal(
        said(ca_server(*state, "DNS:other.net,DNS:EXAMPLE.net", now, 0),
             &config),
        "");
    config.domain = "chat.example.net";
    assert_string_equal(
        said(ca_server(*state, "DNS:*.example.net", now, 0), &config), "");
}

static void a_certificate_for_another_name_is_not(void **state)
{
    static const char *const sans[] = {
        "DNS:example.org",
        "DNS:example.net.evil.org",
        "DNS:*.net",
        "DNS:*.example.net",
        "IP:127.0.0.1",
        "email:a@example.net",
        "URI:http://example.net",
    };
    struct xf_tls_config config = trusting(*state);

    for (size_t i = 0; i < sizeof sans / sizeof sans[0]; i++)
        assert_string_equal(said(ca_server(*state, sans[i], now, 0), &config),
                            "TLS check failed for example.net: the "
                            "certificate is for another name");
}

static void the_common_name_counts_for_nothing(void **state)
{
    struct xf_tls_config config = trusting(*state);

    assert_non_null(
        strstr(said(ca_server(*state, NULL, now, 0), &config), "another name"));
}

#define SRV_ID "otherName:1.3.6.1.5.5.7.8.7;IA5STRING:"

static void an_srv_name_counts_for_its_own_service_only(void **state)
{
    static const char *const wrong[] = {
        SRV_ID "_xmpp-server." DOMAIN,
        SRV_ID "_xmpp-client.example.org",
        SRV_ID "_xmpp-client.",
        SRV_ID "_xmpp-client." DOMAIN ".evil.org",
        SRV_ID DOMAIN,
        "otherName:1.3.6.1.5.5.7.8.7;UTF8:_xmpp-client." DOMAIN,
        "otherName:1.3.6.1.5.5.7.8.8;IA5STRING:_xmpp-client." DOMAIN,
    };
    struct xf_tls_config config = trusting(*state);

    assert_string_equal(
        said(ca_server(*state, SRV_ID "_xmpp-client." DOMAIN, now, 0), &config),
        "");
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_non_null(strstr(
            said(ca_server(*state, wrong[i], now, 0), &config), "another"));
}

/* The right service name on a certificate that nobody vouches for. */
static void an_srv_name_sets_nothing_else_right(void **state)
{
    struct xf_tls_config config = trusting(*state);

    assert_non_null(strstr(
        said(ca_server(NULL, SRV_ID "_xmpp-client." DOMAIN, now, 0), &config),
        "self-signed"));
    assert_non_null(strstr(said(ca_server(*state, SRV_ID "_xmpp-client." DOMAIN,
                                          (struct validity){ -9, -1 }, 0),
                                &config),
                           "expired"));
}

static void an_address_is_checked_as_an_address(void **state)
{
    struct xf_tls_config config = trusting(*state);

    config.domain = "127.0.0.1";
    assert_string_equal(
        said(ca_server(*state, "IP:127.0.0.1", now, 0), &config), "");
    assert_non_null(
        strstr(said(ca_server(*state, "IP:127.0.0.2", now, 0), &config),
               "another name"));
    assert_non_null(
        strstr(said(ca_server(*state, "DNS:127.0.0.1", now, 0), &config),
               "another name"));
}

static void time_and_signer_are_checked(void **state)
{
    struct xf_tls_config config = trusting(*state);
    struct ca other;

    assert_string_equal(
        said(ca_server(*state, "DNS:" DOMAIN, (struct validity){ -9, -1 }, 0),
             &config),
        "TLS check failed for example.net: the certificate "
        "has expired");
    assert_non_null(strstr(
        said(ca_server(*state, "DNS:" DOMAIN, (struct validity){ 1, 9 }, 0),
             &config),
        "not valid yet"));
    assert_non_null(strstr(
        said(ca_server(NULL, "DNS:" DOMAIN, now, 0), &config), "self-signed"));
    ca_init(&other, "Another authority");
    assert_non_null(
        strstr(said(ca_server(&other, "DNS:" DOMAIN, now, 0), &config),
               "unknown authority"));
    ca_clear(&other);
    ca_init(&other, CA_NAME); /* who it says it is does not count */
    assert_non_null(strstr(
        said(ca_server(&other, "DNS:" DOMAIN, now, 0), &config), "signature"));
    ca_clear(&other);
}

static void the_systems_store_does_not_know_our_authority(void **state)
{
    struct xf_tls_config config = { .domain = DOMAIN };

    assert_non_null(
        strstr(said(ca_server(*state, "DNS:" DOMAIN, now, 0), &config),
               "unknown authority"));
}

static void a_file_without_certificates_is_told_by_its_name(void **state)
{
    struct xf_tls_config config = { .domain = DOMAIN,
                                    .ca_file = "/nonexistent/ca.pem" };
    struct xf_error_info why;
    struct xf_tls *t;

    (void)state;
    assert_int_equal(xf_tls_new(&config, &why, &t), XF_E_TLS);
    assert_null(t);
    assert_non_null(strstr(why.text, "/nonexistent/ca.pem"));
}

/* --- versions ------------------------------------------------------------ */

static void nothing_older_than_1_2_is_spoken(void **state)
{
    struct xf_tls_config config = trusting(*state);
    SSL_CTX *ctx = ca_server(*state, "DNS:" DOMAIN, now, TLS1_1_VERSION);

    SSL_CTX_set_min_proto_version(ctx, 0);
    SSL_CTX_set_security_level(ctx, 0);
    assert_non_null(strstr(said(ctx, &config), "no TLS 1.2"));
}

static void what_is_no_tls_is_told_so(void **state)
{
    static const char *const talk[] = {
        "<stream:error><not-authorized/></stream:error>",
        "HTTP/1.1 400 Bad Request\r\n\r\n",
    };
    struct xf_tls_config config = trusting(*state);

    for (size_t i = 0; i < 2; i++) {
        struct xf_error_info why;
        struct xf_tls *t;

        assert_int_equal(xf_tls_new(&config, &why, &t), 0);
        assert_int_equal(xf_tls_feed(t, talk[i], strlen(talk[i])), XF_E_TLS);
        assert_int_equal(xf_tls_state(t), XF_TLS_FAILED);
        assert_non_null(strstr(xf_tls_error(t)->text, "the answer is not TLS"));
        xf_tls_free(t);
    }
}

static void alpn_is_asked_for_in_direct_tls_only(void **state)
{
    struct xf_tls_config config = trusting(*state);

    for (int direct = 0; direct < 2; direct++) {
        struct pair p;
        const unsigned char *name;
        unsigned len;

        config.direct = direct;
        p = open_pair(ca_server(*state, "DNS:" DOMAIN, now, 0), &config);
        join(&p);
        assert_int_equal(xf_tls_state(p.client), XF_TLS_OPEN);
        SSL_get0_alpn_selected(p.server, &name, &len);
        assert_int_equal(len, direct ? 11 : 0);
        assert_string_equal(
            SSL_get_servername(p.server, TLSEXT_NAMETYPE_host_name), DOMAIN);
        close_pair(&p);
    }
}

/* --- bytes --------------------------------------------------------------- */

/* A word each way and both goodbyes. */
static void talk(struct pair *p)
{
    char text[64];
    size_t len;

    join(p);
    assert_int_equal(xf_tls_state(p->client), XF_TLS_OPEN);
    assert_int_equal(xf_tls_write(p->client, "<ping/>", 7), 0);
    join(p);
    assert_int_equal(SSL_read(p->server, text, sizeof text), 7);
    assert_memory_equal(text, "<ping/>", 7);
    assert_int_equal(SSL_write(p->server, "<pong/>", 7), 7);
    assert_int_equal(SSL_shutdown(p->server), 0);
    join(p);
    len = xf_tls_read(p->client, text, sizeof text);
    assert_int_equal(len, 7);
    assert_memory_equal(text, "<pong/>", 7);
    assert_int_equal(xf_tls_read(p->client, text, sizeof text), 0);
    assert_int_equal(xf_tls_state(p->client), XF_TLS_CLOSED);
    xf_tls_close(p->client);
    join(p);
    assert_int_equal(SSL_read(p->server, text, sizeof text), 0);
    assert_int_equal(SSL_get_error(p->server, 0), SSL_ERROR_ZERO_RETURN);
}

static void the_servers_bytes_may_be_cut_anywhere(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t v = 0; v < 2; v++) {
        struct xf_tls_config config = trusting(*state);
        SSL_CTX *ctx = ca_server(*state, "DNS:" DOMAIN, now, versions[v]);
        struct pair p;
        size_t total;

        SSL_CTX_up_ref(ctx);
        p = open_pair(ctx, &config);
        talk(&p);
        total = p.fed;
        close_pair(&p);
        assert_in_range(total, 500, 5000);
        for (size_t cut = 1; cut < total; cut++) {
            SSL_CTX_up_ref(ctx);
            p = open_pair(ctx, &config);
            p.cut = cut;
            talk(&p);
            close_pair(&p);
        }
        p = open_pair(ctx, &config);
        p.by_byte = true;
        talk(&p);
        close_pair(&p);
    }
}

static void many_bytes_come_out_as_they_went_in(void **state)
{
    enum { TOTAL = 300000 };
    static unsigned char sent[TOTAL], got[TOTAL + 1];
    struct xf_tls_config config = trusting(*state);
    struct pair p =
        open_pair(ca_server(*state, "DNS:" DOMAIN, now, 0), &config);
    size_t have = 0, piece;
    char wire[5000];

    join(&p);
    for (size_t i = 0; i < TOTAL; i++)
        sent[i] = (unsigned char)(i * 7 + i / 251);
    assert_int_equal(SSL_write(p.server, sent, TOTAL), TOTAL);
    while (BIO_pending(p.from_server) > 0) {
        int len = BIO_read(p.from_server, wire, sizeof wire);

        assert_int_equal(xf_tls_feed(p.client, wire, (size_t)len), 0);
        while ((piece = xf_tls_read(p.client, got + have, sizeof got - have)) >
               0)
            have += piece;
    }
    assert_int_equal(have, TOTAL);
    assert_memory_equal(sent, got, TOTAL);

    assert_int_equal(xf_tls_write(p.client, sent, TOTAL), 0);
    assert_true(xf_tls_pending(p.client) > TOTAL);
    while ((piece = xf_tls_drain(p.client, wire, sizeof wire)) > 0)
        assert_int_equal(BIO_write(p.to_server, wire, (int)piece), piece);
    assert_int_equal(xf_tls_pending(p.client), 0);
    for (have = 0; have < TOTAL; have += piece) {
        int len = SSL_read(p.server, got + have, (int)(sizeof got - have));

        assert_true(len > 0);
        piece = (size_t)len;
    }
    assert_memory_equal(sent, got, TOTAL);
    close_pair(&p);
}

/* Each changed byte of a record is noticed, whichever it is. */
static void a_changed_byte_breaks_the_stream(void **state)
{
    for (size_t at = 0; at < 36; at++) {
        struct xf_tls_config config = trusting(*state);
        struct pair p =
            open_pair(ca_server(*state, "DNS:" DOMAIN, now, 0), &config);
        char wire[256], text[64];
        int len;

        join(&p);
        assert_int_equal(SSL_write(p.server, "<presence/>...", 14), 14);
        len = BIO_read(p.from_server, wire, sizeof wire);
        assert_int_equal(len, 36); /* head, text, kind, tag */
        wire[at] ^= 0x20;
        (void)xf_tls_feed(p.client, wire, (size_t)len);
        assert_int_equal(xf_tls_read(p.client, text, sizeof text), 0);
        /* a length that grew waits for bytes that never come */
        if (at != 3 && at != 4) {
            assert_int_equal(xf_tls_state(p.client), XF_TLS_FAILED);
            assert_int_equal(xf_tls_error(p.client)->code, XF_E_TLS);
        }
        close_pair(&p);
    }
}

/* --- channel binding ----------------------------------------------------- */

static void both_ends_have_the_same_exporter_value(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    for (size_t i = 0; i < 2; i++) {
        struct xf_tls_config config = trusting(*state);
        uint8_t ours[XF_TLS_BINDING_MAX], theirs[32];
        struct pair p;

        config.max_version = versions[i];
        p = open_pair(ca_server(*state, "DNS:" DOMAIN, now, 0), &config);
        assert_int_equal(xf_tls_binding(p.client, XF_TLS_EXPORTER, ours), 0);
        assert_string_equal(xf_tls_version(p.client), "");
        join(&p);
        assert_string_equal(xf_tls_version(p.client),
                            i == 0 ? "TLSv1.2" : "TLSv1.3");
        assert_int_equal(xf_tls_binding(p.client, XF_TLS_EXPORTER, ours), 32);
        assert_int_equal(
            SSL_export_keying_material(p.server, theirs, sizeof theirs,
                                       "EXPORTER-Channel-Binding", 24,
                                       (const unsigned char *)"", 0, 1),
            1);
        assert_memory_equal(ours, theirs, 32);
        close_pair(&p);
    }
}

static void tls_unique_is_the_clients_finished_of_1_2(void **state)
{
    struct xf_tls_config config = trusting(*state);
    uint8_t ours[XF_TLS_BINDING_MAX], theirs[XF_TLS_BINDING_MAX];
    struct pair p = open_pair(
        ca_server(*state, "DNS:" DOMAIN, now, TLS1_2_VERSION), &config);
    size_t len;

    join(&p);
    len = xf_tls_binding(p.client, XF_TLS_UNIQUE, ours);
    assert_int_equal(len, 12);
    assert_int_equal(SSL_get_peer_finished(p.server, theirs, sizeof theirs),
                     len);
    assert_memory_equal(ours, theirs, len);
    close_pair(&p);

    p = open_pair(ca_server(*state, "DNS:" DOMAIN, now, 0), &config);
    join(&p);
    assert_int_equal(xf_tls_binding(p.client, XF_TLS_UNIQUE, ours), 0);
    close_pair(&p);
}

/* Without it two connections may have the same Finished (RFC 7627). */
static void without_extended_master_secret_1_2_binds_nothing(void **state)
{
    struct xf_tls_config config = trusting(*state);
    SSL_CTX *ctx = ca_server(*state, "DNS:" DOMAIN, now, TLS1_2_VERSION);
    uint8_t ours[XF_TLS_BINDING_MAX];
    struct pair p;

    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    p = open_pair(ctx, &config);
    join(&p);
    assert_int_equal(xf_tls_state(p.client), XF_TLS_OPEN);
    assert_int_equal(xf_tls_binding(p.client, XF_TLS_UNIQUE, ours), 0);
    assert_int_equal(xf_tls_binding(p.client, XF_TLS_EXPORTER, ours), 0);
    close_pair(&p);
}

static void the_end_point_is_the_certificates_hash(void **state)
{
    struct xf_tls_config config = trusting(*state);
    uint8_t ours[XF_TLS_BINDING_MAX], theirs[EVP_MAX_MD_SIZE];
    struct pair p =
        open_pair(ca_server(*state, "DNS:" DOMAIN, now, 0), &config);
    unsigned len;

    join(&p);
    assert_int_equal(xf_tls_binding(p.client, XF_TLS_SERVER_END_POINT, ours),
                     32);
    assert_int_equal(
        X509_digest(SSL_get_certificate(p.server), EVP_sha256(), theirs, &len),
        1);
    assert_memory_equal(ours, theirs, 32);
    close_pair(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fitting_certificate_is_taken),
        cmocka_unit_test(a_certificate_for_another_name_is_not),
        cmocka_unit_test(the_common_name_counts_for_nothing),
        cmocka_unit_test(an_srv_name_counts_for_its_own_service_only),
        cmocka_unit_test(an_srv_name_sets_nothing_else_right),
        cmocka_unit_test(an_address_is_checked_as_an_address),
        cmocka_unit_test(time_and_signer_are_checked),
        cmocka_unit_test(the_systems_store_does_not_know_our_authority),
        cmocka_unit_test(a_file_without_certificates_is_told_by_its_name),
        cmocka_unit_test(nothing_older_than_1_2_is_spoken),
        cmocka_unit_test(what_is_no_tls_is_told_so),
        cmocka_unit_test(alpn_is_asked_for_in_direct_tls_only),
        cmocka_unit_test(the_servers_bytes_may_be_cut_anywhere),
        cmocka_unit_test(many_bytes_come_out_as_they_went_in),
        cmocka_unit_test(a_changed_byte_breaks_the_stream),
        cmocka_unit_test(both_ends_have_the_same_exporter_value),
        cmocka_unit_test(tls_unique_is_the_clients_finished_of_1_2),
        cmocka_unit_test(without_extended_master_secret_1_2_binds_nothing),
        cmocka_unit_test(the_end_point_is_the_certificates_hash),
    };

    return cmocka_run_group_tests(tests, make_ca, drop_ca);
}
