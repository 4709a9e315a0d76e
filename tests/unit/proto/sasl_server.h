/* The server's side of SCRAM, by GNU SASL, for a login in one process. */
#ifndef XF_TESTS_SASL_SERVER_H
#define XF_TESTS_SASL_SERVER_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <gsasl.h>

#include "base/encode.h"

struct sasl_server {
    const char *password, *iterations; /* NULL: 4096 */
    const char *unique, *exporter;     /* raw, or NULL */
    Gsasl *library;
    Gsasl_session *session;
    char *out; /* what the last step said, not ended */
    size_t len;
    bool user_seen;
};

static inline int sasl_server_binding(Gsasl_session *session,
                                      Gsasl_property property, const char *raw)
{
    char text[128] = "";

    if (!raw)
        return GSASL_NO_CALLBACK;
    xf_base64_encode(raw, strlen(raw), text);
    return gsasl_property_set(session, property, text);
}

static inline int sasl_server_answer(Gsasl *library, Gsasl_session *session,
                                     Gsasl_property property)
{
    struct sasl_server *server = gsasl_callback_hook_get(library);
    const char *user;

    switch (property) {
    case GSASL_PASSWORD:
        user = gsasl_property_fast(session, GSASL_AUTHID);
        server->user_seen = user && strcmp(user, "juliet") == 0;
        return gsasl_property_set(session, property, server->password);
    case GSASL_SCRAM_ITER:
        return gsasl_property_set(session, property,
                                  server->iterations ? server->iterations
                                                     : "4096");
    case GSASL_CB_TLS_UNIQUE:
        return sasl_server_binding(session, property, server->unique);
    case GSASL_CB_TLS_EXPORTER:
        return sasl_server_binding(session, property, server->exporter);
    default:
        return GSASL_NO_CALLBACK;
    }
}

static inline int sasl_server_begin(struct sasl_server *server,
                                    const char *mechanism)
{
    int result = gsasl_init(&server->library);

    if (result != GSASL_OK)
        return result;
    gsasl_callback_hook_set(server->library, server);
    gsasl_callback_set(server->library, sasl_server_answer);
    return gsasl_server_start(server->library, mechanism, &server->session);
}

static inline int sasl_server_step(struct sasl_server *server, const void *in,
                                   size_t len)
{
    gsasl_free(server->out);
    server->out = NULL;
    return gsasl_step(server->session, in, len, &server->out, &server->len);
}

static inline void sasl_server_end(struct sasl_server *server)
{
    gsasl_free(server->out);
    gsasl_finish(server->session);
    gsasl_done(server->library);
}

#endif
