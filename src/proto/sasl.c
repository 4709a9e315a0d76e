/* GNU SASL for one login; its callback answers from what we were made of. */
#include "proto/sasl.h"

#include <string.h>

#include <gsasl.h>

#include "base/encode.h"
#include "base/sys.h"

/* --- which mechanism ----------------------------------------------------- */

unsigned xf_binding_of(const char *name)
{
    if (strcmp(name, "tls-unique") == 0)
        return XF_BINDING_UNIQUE;
    if (strcmp(name, "tls-exporter") == 0)
        return XF_BINDING_EXPORTER;
    if (strcmp(name, "tls-server-end-point") == 0)
        return XF_BINDING_END_POINT;
    return 0;
}

/*
 * The binding to use, or 0. Where the server tells its types (XEP-0440) they
 * decide. Where it does not, as Prosody 0.12 and ejabberd 23.01, tls-unique
 * works on TLS 1.2; on TLS 1.3 ejabberd offers PLUS and then refuses the
 * exporter, so plain SCRAM is all that is sure. GNU SASL does not do
 * tls-server-end-point.
 */
static unsigned binding_kind(const struct xf_features *features,
                             const struct xf_login_binding *binding)
{
    unsigned can = 0;

    if (binding->unique_len > 0 && !binding->tls13)
        can |= XF_BINDING_UNIQUE;
    if (binding->exporter_len > 0)
        can |= XF_BINDING_EXPORTER;
    can &= features->bindings_said ? features->bindings : XF_BINDING_UNIQUE;
    return can & XF_BINDING_UNIQUE ? XF_BINDING_UNIQUE : can;
}

static bool offers(const struct xf_features *features, const char *mechanism)
{
    for (size_t i = 0; i < features->mechanisms_count; i++) {
        if (strcmp(features->mechanisms[i], mechanism) == 0)
            return true;
    }
    return false;
}

const char *xf_sasl_choose(const struct xf_features *features,
                           const struct xf_login_binding *binding,
                           unsigned *kind)
{
    static const struct {
        const char *name;
        bool plus, clear; /* needs a binding; shows the password */
    } ours[] = {
        { "SCRAM-SHA-256-PLUS", true, false },
        { "SCRAM-SHA-1-PLUS", true, false },
        { "SCRAM-SHA-256", false, false },
        { "SCRAM-SHA-1", false, false },
        { "PLAIN", false, true },
    };
    unsigned can = binding ? binding_kind(features, binding) : 0;

    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if ((ours[i].plus && can == 0) || (ours[i].clear && !binding))
            continue;
        if (offers(features, ours[i].name)) {
            *kind = ours[i].plus ? can : 0;
            return ours[i].name;
        }
    }
    return NULL;
}

/* --- the iteration count ------------------------------------------------- */

/* Skips "x=value," and returns what is behind it, or NULL. */
static const char *skip_field(const char *p, const char *end, char name)
{
    const char *comma;

    if (end - p < 2 || p[0] != name || p[1] != '=')
        return NULL;
    comma = memchr(p, ',', (size_t)(end - p));
    return comma ? comma + 1 : NULL;
}

/*
 * "r=nonce,s=salt,i=4096" and perhaps more (RFC 5802, 5.1). Strict, and in
 * the order in which GNU SASL reads it: it multiplies the digits up without a
 * look at overflow.
 */
int xf_scram_iterations(const void *message, size_t len, uint64_t *out)
{
    const char *p = message, *end = p + len;
    char digits[21];
    size_t count;

    p = skip_field(p, end, 'r');
    if (p)
        p = skip_field(p, end, 's');
    if (!p || end - p < 2 || p[0] != 'i' || p[1] != '=')
        return XF_E_PROTO;
    p += 2;
    for (count = 0; p < end && *p >= '0' && *p <= '9'; p++) {
        if (count == sizeof digits - 1)
            return XF_E_POLICY;
        digits[count++] = *p;
    }
    digits[count] = '\0';
    if ((p < end && *p != ',') || !xf_read_uint(digits, UINT64_MAX, out))
        return count == sizeof digits - 1 ? XF_E_POLICY : XF_E_PROTO;
    if (*out == 0)
        return XF_E_PROTO;
    return *out > XF_SCRAM_ITERATIONS ? XF_E_POLICY : 0;
}

/* --- GNU SASL ------------------------------------------------------------ */

struct xf_sasl {
    Gsasl *library;
    Gsasl_session *session;
    const char *authid, *password;
    const struct xf_login_binding *binding;
    unsigned kind;
    bool scram, done;
    unsigned steps;
    char *out; /* GNU SASL's */
    size_t out_len;
};

static int give_binding(Gsasl_session *session, Gsasl_property property,
                        const uint8_t *bytes, size_t len)
{
    char text[XF_BASE64_LEN(XF_BINDING_MAX) + 1];

    if (len > XF_BINDING_MAX)
        return GSASL_NO_CALLBACK;
    xf_base64_encode(bytes, len, text);
    text[XF_BASE64_LEN(len)] = '\0';
    return gsasl_property_set(session, property, text);
}

/*
 * Binding data goes to the PLUS forms only. With it a plain SCRAM says 'y',
 * "you cannot, it seems", which a server must refuse that offers PLUS; and
 * over TLS 1.3 we take the plain form of such servers.
 */
static int answer(Gsasl *library, Gsasl_session *session,
                  Gsasl_property property)
{
    const struct xf_sasl *s = gsasl_callback_hook_get(library);

    if (property == GSASL_AUTHID)
        return gsasl_property_set(session, property, s->authid);
    if (property == GSASL_PASSWORD)
        return gsasl_property_set(session, property, s->password);
    if (property == GSASL_CB_TLS_UNIQUE && s->kind == XF_BINDING_UNIQUE)
        return give_binding(session, property, s->binding->unique,
                            s->binding->unique_len);
    if (property == GSASL_CB_TLS_EXPORTER && s->kind == XF_BINDING_EXPORTER)
        return give_binding(session, property, s->binding->exporter,
                            s->binding->exporter_len);
    return GSASL_NO_CALLBACK;
}

int xf_sasl_new(struct xf_sasl **out, const char *mechanism, const char *authid,
                const char *password, const struct xf_login_binding *binding,
                unsigned kind)
{
    struct xf_sasl *s = xf_sys_alloc(sizeof *s);

    if (!s)
        return XF_E_LIMIT;
    s->authid = authid;
    s->password = password;
    s->binding = binding;
    s->kind = kind;
    s->scram = strncmp(mechanism, "SCRAM-", 6) == 0;
    if (gsasl_init(&s->library) != GSASL_OK)
        goto fail;
    gsasl_callback_hook_set(s->library, s);
    gsasl_callback_set(s->library, answer);
    if (gsasl_client_start(s->library, mechanism, &s->session) != GSASL_OK)
        goto fail;
    *out = s;
    return 0;

fail:
    xf_sasl_free(s);
    return XF_E_LIMIT;
}

static void wipe_property(Gsasl_session *session, Gsasl_property property)
{
    const char *value = gsasl_property_fast(session, property);

    /* GNU SASL frees its copy without a wipe, and has no call for one. */
    if (value)
        explicit_bzero((char *)(uintptr_t)value, strlen(value));
}

static void drop_out(struct xf_sasl *s)
{
    if (s->out)
        explicit_bzero(s->out, s->out_len); /* PLAIN: the password */
    gsasl_free(s->out);
    s->out = NULL;
    s->out_len = 0;
}

void xf_sasl_free(struct xf_sasl *s)
{
    if (!s)
        return;
    drop_out(s);
    if (s->session) {
        wipe_property(s->session, GSASL_PASSWORD);
        wipe_property(s->session, GSASL_SCRAM_SALTED_PASSWORD);
        gsasl_finish(s->session);
    }
    if (s->library)
        gsasl_done(s->library);
    xf_sys_free(s);
}

static int code_of(int result)
{
    switch (result) {
    case GSASL_OK:
    case GSASL_NEEDS_MORE:
        return 0;
    case GSASL_MALLOC_ERROR:
    case GSASL_CRYPTO_ERROR:
        return XF_E_LIMIT;
    case GSASL_SASLPREP_ERROR:
        return XF_E_USAGE;
    case GSASL_AUTHENTICATION_ERROR:
        return XF_E_AUTH;
    default:
        return XF_E_PROTO;
    }
}

/* GNU SASL would find it behind the server's challenge only, and leak. */
static int check_password(const struct xf_sasl *s)
{
    char *prepared = NULL;
    int result = gsasl_saslprep(s->password, 0, &prepared, NULL);

    if (result == GSASL_OK)
        explicit_bzero(prepared, strlen(prepared));
    gsasl_free(prepared);
    return code_of(result);
}

int xf_sasl_step(struct xf_sasl *s, const void *in, size_t len,
                 const void **out, size_t *out_len)
{
    uint64_t iterations;
    int result = 0;

    drop_out(s);
    if (s->done)
        return XF_E_PROTO;
    if (s->scram && s->steps == 0)
        result = check_password(s);
    else if (s->scram && s->steps == 1)
        result = xf_scram_iterations(in, len, &iterations);
    if (result != 0)
        return result;
    s->steps++;
    result = gsasl_step(s->session, in, len, &s->out, &s->out_len);
    s->done = result == GSASL_OK;
    *out = s->out;
    *out_len = s->out_len;
    return code_of(result);
}

bool xf_sasl_done(const struct xf_sasl *s)
{
    return s->done;
}
