/* The handshake of a component: one function a state, OVER has none. */
#include "proto/component.h"

#include <string.h>

#include "base/digest.h"
#include "base/encode.h"

typedef enum xf_component_state step_fn(struct xf_component *c,
                                        const struct xf_component_input *in,
                                        const void *secret, size_t secret_len,
                                        struct xf_component_todo *todo);

static enum xf_component_state fail(struct xf_component_todo *todo, int code,
                                    const char *text)
{
    todo->what = XF_COMPONENT_FAIL;
    todo->refused = code == XF_E_AUTH;
    (void)xf_err_set(&todo->error, code, "%s", text);
    return XF_COMPONENT_OVER;
}

/* A server that is going, or too busy, says nothing of us. */
static bool is_passing(const char *condition)
{
    static const char *const names[] = {
        "system-shutdown",     "reset",
        "connection-timeout",  "internal-server-error",
        "resource-constraint", "remote-connection-failed",
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], condition) == 0)
            return true;
    }
    return false;
}

/* What ends a stream in any state. */
static enum xf_component_state end(const struct xf_component_input *in,
                                   bool in_handshake,
                                   struct xf_component_todo *todo)
{
    const char *colon = in->text ? ": " : "";
    const char *text = in->text ? in->text : "";

    todo->what = XF_COMPONENT_FAIL;
    if (in->kind == XF_COMPONENT_CLOSED) {
        todo->error = *in->why;
        if (todo->error.code == 0)
            (void)xf_err_set(&todo->error, XF_E_STREAM,
                             "the server closed the connection");
    } else if (in_handshake && !is_passing(in->condition)) {
        todo->refused = true;
        (void)xf_err_set(&todo->error, XF_E_AUTH,
                         "login refused by the server: %s%s%s", in->condition,
                         colon, text);
    } else {
        (void)xf_err_set(&todo->error, XF_E_STREAM,
                         "the server ended the stream: %s%s%s", in->condition,
                         colon, text);
    }
    return XF_COMPONENT_OVER;
}

static enum xf_component_state connecting(struct xf_component *c,
                                          const struct xf_component_input *in,
                                          const void *secret, size_t secret_len,
                                          struct xf_component_todo *todo)
{
    (void)secret;
    (void)secret_len;
    switch (in->kind) {
    case XF_COMPONENT_CONNECTED:
        todo->what = XF_COMPONENT_SEND_HEADER;
        return XF_COMPONENT_HEADER;
    case XF_COMPONENT_CLOSED:
    case XF_COMPONENT_ERROR:
        return end(in, false, todo);
    case XF_COMPONENT_TIME:
        return fail(todo, XF_E_STREAM, "no connection to the server in time");
    case XF_COMPONENT_ID:
    case XF_COMPONENT_HANDSHAKE:
    case XF_COMPONENT_STANZA:
    case XF_COMPONENT_KINDS:
        break;
    }
    return c->state;
}

/* SHA-1 of the stream's id and the secret, in lower-case hex: XEP-0114, 3. */
static bool prove(const char *id, const void *secret, size_t secret_len,
                  char out[XF_COMPONENT_PROOF_LEN + 1])
{
    struct xf_digest *d = xf_digest_new(XF_DIGEST_SHA1);
    uint8_t sum[XF_DIGEST_MAX];
    bool ok = d && xf_digest_add(d, id, strlen(id)) &&
              xf_digest_add(d, secret, secret_len) && xf_digest_end(d, sum);

    xf_digest_free(d);
    if (ok)
        xf_hex(sum, XF_COMPONENT_PROOF_LEN / 2, out);
    return ok;
}

static enum xf_component_state header(struct xf_component *c,
                                      const struct xf_component_input *in,
                                      const void *secret, size_t secret_len,
                                      struct xf_component_todo *todo)
{
    switch (in->kind) {
    case XF_COMPONENT_ID:
        /* Prosody to a host it does not know: the error is behind it. */
        if (!in->id || in->id[0] == '\0')
            return c->state;
        if (strlen(in->id) > XF_COMPONENT_ID_MAX)
            return fail(todo, XF_E_STREAM,
                        "the server's stream has no id to be used");
        if (!prove(in->id, secret, secret_len, todo->proof))
            return fail(todo, XF_E_LIMIT, xf_err_text(XF_E_LIMIT));
        todo->what = XF_COMPONENT_SEND_PROOF;
        return XF_COMPONENT_PROOF;
    case XF_COMPONENT_CLOSED:
        return end(in, false, todo);
    case XF_COMPONENT_ERROR:
        return end(in, true, todo);
    case XF_COMPONENT_TIME:
        return fail(todo, XF_E_AUTH,
                    "the server does not answer our stream header");
    case XF_COMPONENT_HANDSHAKE:
    case XF_COMPONENT_STANZA:
        return fail(todo, XF_E_STREAM, "the server broke the handshake");
    case XF_COMPONENT_CONNECTED:
    case XF_COMPONENT_KINDS:
        break;
    }
    return c->state;
}

static enum xf_component_state proof(struct xf_component *c,
                                     const struct xf_component_input *in,
                                     const void *secret, size_t secret_len,
                                     struct xf_component_todo *todo)
{
    (void)secret;
    (void)secret_len;
    switch (in->kind) {
    case XF_COMPONENT_HANDSHAKE:
        todo->what = XF_COMPONENT_GO_ONLINE;
        return XF_COMPONENT_ONLINE;
    case XF_COMPONENT_CLOSED:
        return end(in, false, todo);
    case XF_COMPONENT_ERROR:
        return end(in, true, todo);
    case XF_COMPONENT_TIME:
        return fail(todo, XF_E_AUTH,
                    "the server does not answer our handshake");
    case XF_COMPONENT_STANZA:
    case XF_COMPONENT_ID:
        return fail(todo, XF_E_STREAM, "the server broke the handshake");
    case XF_COMPONENT_CONNECTED:
    case XF_COMPONENT_KINDS:
        break;
    }
    return c->state;
}

static enum xf_component_state online(struct xf_component *c,
                                      const struct xf_component_input *in,
                                      const void *secret, size_t secret_len,
                                      struct xf_component_todo *todo)
{
    (void)secret;
    (void)secret_len;
    switch (in->kind) {
    case XF_COMPONENT_STANZA:
        todo->what = XF_COMPONENT_TAKE;
        break;
    case XF_COMPONENT_CLOSED:
    case XF_COMPONENT_ERROR:
        return end(in, false, todo);
    case XF_COMPONENT_TIME:
        if (c->asked)
            return fail(todo, XF_E_STREAM, "the server has fallen silent");
        todo->what = XF_COMPONENT_ASK;
        break;
    case XF_COMPONENT_HANDSHAKE:
    case XF_COMPONENT_CONNECTED:
    case XF_COMPONENT_ID:
    case XF_COMPONENT_KINDS:
        break;
    }
    return c->state;
}

static step_fn *const steps[XF_COMPONENT_STATES] = {
    [XF_COMPONENT_CONNECTING] = connecting,
    [XF_COMPONENT_HEADER] = header,
    [XF_COMPONENT_PROOF] = proof,
    [XF_COMPONENT_ONLINE] = online,
    [XF_COMPONENT_OVER] = NULL,
};

static int64_t wait_of(const struct xf_component *c)
{
    if (c->state == XF_COMPONENT_OVER)
        return -1;
    if (c->state != XF_COMPONENT_ONLINE)
        return XF_COMPONENT_WAIT_MS;
    return c->asked ? XF_COMPONENT_ANSWER_MS : XF_COMPONENT_SILENCE_MS;
}

void xf_component_init(struct xf_component *c, int64_t now)
{
    *c = (struct xf_component){ .state = XF_COMPONENT_CONNECTING,
                                .deadline = now + XF_COMPONENT_WAIT_MS };
}

struct xf_component_todo xf_component_step(struct xf_component *c,
                                           const struct xf_component_input *in,
                                           const void *secret,
                                           size_t secret_len, int64_t now)
{
    struct xf_component_todo todo = { .what = XF_COMPONENT_NOTHING };
    enum xf_component_state before = c->state;
    int64_t wait;

    if (!steps[c->state])
        return todo;
    if (in->kind == XF_COMPONENT_TIME && now < c->deadline)
        return todo;
    c->state = steps[c->state](c, in, secret, secret_len, &todo);
    c->asked = todo.what == XF_COMPONENT_ASK;
    /* Until it is online, only a step forward is worth more time. */
    if (c->state == before && before != XF_COMPONENT_ONLINE)
        return todo;
    wait = wait_of(c);
    c->deadline = wait < 0 ? INT64_MAX : now + wait;
    return todo;
}
