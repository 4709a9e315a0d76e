/*
 * The login's machine; its picture is in the header. The mechanisms
 * themselves are proto/sasl.
 */
#include "proto/login.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/jid.h"
#include "base/sys.h"
#include "proto/sasl.h"

struct xf_login {
    enum xf_login_state state;
    bool plain;
    char *password;
    char *resource; /* asked for, or NULL */
    char local[XF_JID_PART_MAX + 1];
    char server[XF_JID_PART_MAX + 1];
    char jid[XF_JID_MAX + 1]; /* bound */

    bool tls, sm, bind;
    uint64_t stanza_limit;
    struct xf_login_binding binding;
    const char *mechanism;
    struct xf_sasl *sasl;
    struct xf_error_info error;
};

typedef enum xf_login_state step_fn(struct xf_login *login,
                                    const struct xf_login_input *in,
                                    struct xf_login_todo *todo);

/* --- life ---------------------------------------------------------------- */

static void forget_secrets(struct xf_login *login)
{
    xf_sasl_free(login->sasl);
    login->sasl = NULL;
    if (login->password)
        explicit_bzero(login->password, strlen(login->password));
    xf_sys_free(login->password);
    login->password = NULL;
}

int xf_login_new(struct xf_login **out, const char *jid, const char *password,
                 bool plain)
{
    const char *resource = xf_jid_resource(jid);
    struct xf_login *login;

    if (!xf_jid_has_local(jid))
        return XF_E_USAGE;
    login = xf_sys_alloc(sizeof *login);
    if (!login)
        return XF_E_LIMIT;
    login->plain = plain;
    login->mechanism = "";
    xf_jid_local(jid, login->local);
    xf_jid_domain(jid, login->server);
    login->password = xf_sys_strdup(password);
    login->resource = *resource ? xf_sys_strdup(resource) : NULL;
    if (!login->password || (*resource && !login->resource)) {
        xf_login_free(login);
        return XF_E_LIMIT;
    }
    *out = login;
    return 0;
}

void xf_login_free(struct xf_login *login)
{
    if (!login)
        return;
    forget_secrets(login);
    xf_sys_free(login->resource);
    xf_sys_free(login);
}

enum xf_login_state xf_login_state(const struct xf_login *login)
{
    return login->state;
}

uint64_t xf_login_stanza_limit(const struct xf_login *login)
{
    return login->stanza_limit;
}

const char *xf_login_mechanism(const struct xf_login *login)
{
    return login->mechanism;
}

/* --- ends ---------------------------------------------------------------- */

static const char *reason(const struct xf_login_input *in)
{
    return in->condition ? in->condition : "no reason given";
}

/* A wrong password, a wrong certificate or a wrong address stay so. */
static bool is_lasting(int code)
{
    return code == XF_E_AUTH || code == XF_E_TLS || code == XF_E_USAGE;
}

static enum xf_login_state fail(struct xf_login *login,
                                struct xf_login_todo *todo, int code,
                                const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static enum xf_login_state fail(struct xf_login *login,
                                struct xf_login_todo *todo, int code,
                                const char *format, ...)
{
    char text[XF_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    xf_err_set(&login->error, code, "%s", text);
    forget_secrets(login);
    *todo = (struct xf_login_todo){ .what = XF_LOGIN_FAIL,
                                    .error = &login->error,
                                    .lasting = is_lasting(code) };
    return XF_LOGIN_OVER;
}

bool xf_login_is_lasting(const char *condition)
{
    return condition && xf_condition_of(condition) == XF_COND_CONFLICT;
}

static enum xf_login_state stream_error(struct xf_login *login,
                                        const struct xf_login_input *in,
                                        struct xf_login_todo *todo)
{
    enum xf_login_state next =
        fail(login, todo, XF_E_STREAM, "%s ended the stream: %s", login->server,
             reason(in));

    todo->lasting = xf_login_is_lasting(in->condition);
    return next;
}

/* Whoever closed it knows best why: a certificate, a reset. */
static enum xf_login_state closed(struct xf_login *login,
                                  const struct xf_login_input *in,
                                  struct xf_login_todo *todo)
{
    enum xf_login_state next = fail(login, todo, XF_E_STREAM,
                                    "%s closed the connection", login->server);

    if (in->error && in->error->code != 0)
        login->error = *in->error;
    todo->lasting = !in->cut && is_lasting(login->error.code);
    return next;
}

static enum xf_login_state silence(struct xf_login *login,
                                   const struct xf_login_input *in,
                                   struct xf_login_todo *todo)
{
    (void)in;
    /* The timer may ring once more after the login it was meant for. */
    if (login->state == XF_LOGIN_ONLINE)
        return XF_LOGIN_ONLINE;
    return fail(login, todo, XF_E_STREAM, "%s did not answer in time",
                login->server);
}

static enum xf_login_state out_of_turn(struct xf_login *login,
                                       const struct xf_login_input *in,
                                       struct xf_login_todo *todo)
{
    (void)in;
    return fail(login, todo, XF_E_STREAM, "%s spoke out of turn",
                login->server);
}

/* --- TLS ----------------------------------------------------------------- */

static void note_tls(struct xf_login *login, const struct xf_login_input *in)
{
    login->tls = true;
    if (in->binding)
        login->binding = *in->binding;
}

static enum xf_login_state connected(struct xf_login *login,
                                     const struct xf_login_input *in,
                                     struct xf_login_todo *todo)
{
    todo->what = XF_LOGIN_OPEN_STREAM;
    if (!in->tls)
        return XF_LOGIN_FEATURES;
    note_tls(login, in);
    return XF_LOGIN_SAFE_FEATURES;
}

/* What came behind <proceed/> was put there by somebody in between, to be
 * taken for the server's word inside TLS. */
static enum xf_login_state start_tls(struct xf_login *login,
                                     const struct xf_login_input *in,
                                     struct xf_login_todo *todo)
{
    if (in->left_over)
        return fail(
            login, todo, XF_E_TLS,
            "bytes were injected before TLS to %s began; nothing was sent",
            login->server);
    todo->what = XF_LOGIN_START_TLS;
    return XF_LOGIN_SECURING;
}

static enum xf_login_state tls_refused(struct xf_login *login,
                                       const struct xf_login_input *in,
                                       struct xf_login_todo *todo)
{
    (void)in;
    return fail(login, todo, XF_E_TLS,
                "%s refused to start TLS; nothing was sent", login->server);
}

static enum xf_login_state secured(struct xf_login *login,
                                   const struct xf_login_input *in,
                                   struct xf_login_todo *todo)
{
    note_tls(login, in);
    todo->what = XF_LOGIN_OPEN_STREAM;
    return XF_LOGIN_SAFE_FEATURES;
}

/* --- SASL ---------------------------------------------------------------- */

static enum xf_login_state no_mechanism(struct xf_login *login,
                                        const struct xf_features *features,
                                        struct xf_login_todo *todo)
{
    const struct xf_login_binding none = { .tls13 = true };
    unsigned kind;

    if (!login->tls && xf_sasl_choose(features, &none, &kind))
        return fail(
            login, todo, XF_E_TLS,
            "%s takes only the bare password, which is not sent without TLS",
            login->server);
    return fail(login, todo, XF_E_AUTH,
                "%s offers no way to log in that we have", login->server);
}

/* A step that did not go well; `code` is of xf_sasl_step(). */
static enum xf_login_state sasl_failed(struct xf_login *login, int code,
                                       struct xf_login_todo *todo)
{
    switch (code) {
    case XF_E_LIMIT:
        return fail(login, todo, code, "out of memory in the login to %s",
                    login->server);
    case XF_E_USAGE:
        return fail(login, todo, XF_E_AUTH,
                    "the login name or password for %s has a character that is "
                    "not allowed",
                    login->server);
    case XF_E_POLICY:
        return fail(login, todo, XF_E_AUTH,
                    "%s asks for more than %d rounds of the password's hash",
                    login->server, XF_SCRAM_ITERATIONS);
    case XF_E_AUTH:
        return fail(login, todo, XF_E_AUTH,
                    "%s did not prove that it knows the password",
                    login->server);
    default:
        return fail(login, todo, XF_E_AUTH, "%s broke the rules of the login",
                    login->server);
    }
}

static enum xf_login_state authenticate(struct xf_login *login,
                                        const struct xf_login_input *in,
                                        struct xf_login_todo *todo)
{
    const struct xf_login_binding *binding =
        login->tls ? &login->binding : NULL;
    unsigned kind;
    int err;

    login->stanza_limit = in->features->stanza_limit;
    login->mechanism = xf_sasl_choose(in->features, binding, &kind);
    if (!login->mechanism) {
        login->mechanism = "";
        return no_mechanism(login, in->features, todo);
    }
    err = xf_sasl_new(&login->sasl, login->mechanism, login->local,
                      login->password, binding, kind);
    if (err == 0)
        err = xf_sasl_step(login->sasl, NULL, 0, &todo->data, &todo->len);
    if (err != 0)
        return sasl_failed(login, err, todo);
    todo->what = XF_LOGIN_SEND_AUTH;
    todo->mechanism = login->mechanism;
    return XF_LOGIN_SASL;
}

static enum xf_login_state first_features(struct xf_login *login,
                                          const struct xf_login_input *in,
                                          struct xf_login_todo *todo)
{
    if (login->plain && in->features->starttls_required)
        return fail(login, todo, XF_E_TLS, "%s does nothing without TLS",
                    login->server);
    if (login->plain)
        return authenticate(login, in, todo);
    if (!in->features->starttls)
        return fail(login, todo, XF_E_TLS, "%s offers no TLS; nothing was sent",
                    login->server);
    todo->what = XF_LOGIN_SEND_STARTTLS;
    return XF_LOGIN_PROCEED;
}

static enum xf_login_state challenge(struct xf_login *login,
                                     const struct xf_login_input *in,
                                     struct xf_login_todo *todo)
{
    int err =
        xf_sasl_step(login->sasl, in->data, in->len, &todo->data, &todo->len);

    if (err != 0)
        return sasl_failed(login, err, todo);
    todo->what = XF_LOGIN_SEND_RESPONSE;
    return XF_LOGIN_SASL;
}

/*
 * The server's own proof stands in <success/>, or came in a challenge before.
 * Success without it is an impostor's.
 */
static enum xf_login_state success(struct xf_login *login,
                                   const struct xf_login_input *in,
                                   struct xf_login_todo *todo)
{
    const void *more;
    size_t more_len = 0;
    int err = 0;

    if (!xf_sasl_done(login->sasl) && in->data)
        err = xf_sasl_step(login->sasl, in->data, in->len, &more, &more_len);
    if (err == 0 && (!xf_sasl_done(login->sasl) || more_len > 0))
        err = XF_E_AUTH;
    if (err != 0)
        return sasl_failed(login, err, todo);
    forget_secrets(login);
    todo->what = XF_LOGIN_OPEN_STREAM;
    return XF_LOGIN_LAST_FEATURES;
}

static enum xf_login_state refused(struct xf_login *login,
                                   const struct xf_login_input *in,
                                   struct xf_login_todo *todo)
{
    enum xf_login_state next =
        fail(login, todo, XF_E_AUTH, "%s refused the login: %s", login->server,
             reason(in));

    /* RFC 6120, 6.5.11: what knows the passwords is just not there. */
    todo->lasting =
        !in->condition || strcmp(in->condition, "temporary-auth-failure") != 0;
    return next;
}

/* --- bind ---------------------------------------------------------------- */

static enum xf_login_state send_bind(struct xf_login *login,
                                     struct xf_login_todo *todo)
{
    if (!login->bind)
        return fail(login, todo, XF_E_STREAM, "%s offers no resource",
                    login->server);
    todo->what = XF_LOGIN_SEND_BIND;
    todo->resource = login->resource;
    return XF_LOGIN_BINDING;
}

static enum xf_login_state last_features(struct xf_login *login,
                                         const struct xf_login_input *in,
                                         struct xf_login_todo *todo)
{
    login->bind = in->features->bind;
    login->sm = in->features->sm;
    login->stanza_limit = in->features->stanza_limit;
    if (!in->resume || !login->sm)
        return send_bind(login, todo);
    todo->what = XF_LOGIN_SEND_RESUME;
    return XF_LOGIN_RESUMING;
}

static enum xf_login_state resumed(struct xf_login *login,
                                   const struct xf_login_input *in,
                                   struct xf_login_todo *todo)
{
    (void)login;
    (void)in;
    todo->what = XF_LOGIN_GO_ON;
    return XF_LOGIN_ONLINE;
}

/* The server has forgotten the stream: a new one, then. */
static enum xf_login_state not_resumed(struct xf_login *login,
                                       const struct xf_login_input *in,
                                       struct xf_login_todo *todo)
{
    (void)in;
    return send_bind(login, todo);
}

static enum xf_login_state go_online(struct xf_login *login,
                                     const struct xf_login_input *in,
                                     struct xf_login_todo *todo)
{
    (void)in;
    todo->what = XF_LOGIN_GO_ONLINE;
    todo->jid = login->jid;
    return XF_LOGIN_ONLINE;
}

static enum xf_login_state bound(struct xf_login *login,
                                 const struct xf_login_input *in,
                                 struct xf_login_todo *todo)
{
    if (!in->jid || xf_jid_prep(in->jid, login->jid) != 0 ||
        !xf_jid_is_full(login->jid))
        return fail(login, todo, XF_E_STREAM, "%s bound no full JID",
                    login->server);
    if (!login->sm)
        return go_online(login, in, todo);
    todo->what = XF_LOGIN_SEND_ENABLE;
    return XF_LOGIN_ENABLING;
}

/* Another program has our resource: then let the server pick one. */
static enum xf_login_state not_bound(struct xf_login *login,
                                     const struct xf_login_input *in,
                                     struct xf_login_todo *todo)
{
    if (!login->resource || !in->condition ||
        xf_condition_of(in->condition) != XF_COND_CONFLICT)
        return fail(login, todo, XF_E_STREAM, "%s refused the resource: %s",
                    login->server, reason(in));
    xf_sys_free(login->resource);
    login->resource = NULL;
    todo->what = XF_LOGIN_SEND_BIND;
    return XF_LOGIN_BINDING;
}

/* --- the machine --------------------------------------------------------- */

/* An empty cell is the server out of turn. */
static step_fn *const steps[XF_LOGIN_STATES][XF_LOGIN_KINDS] = {
    [XF_LOGIN_CONNECTING] = { [XF_LOGIN_CONNECTED] = connected },
    [XF_LOGIN_FEATURES] = { [XF_LOGIN_GOT_FEATURES] = first_features },
    [XF_LOGIN_PROCEED] = { [XF_LOGIN_GOT_PROCEED] = start_tls,
                           [XF_LOGIN_TLS_REFUSED] = tls_refused },
    [XF_LOGIN_SECURING] = { [XF_LOGIN_TLS_UP] = secured },
    [XF_LOGIN_SAFE_FEATURES] = { [XF_LOGIN_GOT_FEATURES] = authenticate },
    [XF_LOGIN_SASL] = { [XF_LOGIN_CHALLENGE] = challenge,
                        [XF_LOGIN_SUCCESS] = success,
                        [XF_LOGIN_FAILURE] = refused },
    [XF_LOGIN_LAST_FEATURES] = { [XF_LOGIN_GOT_FEATURES] = last_features },
    [XF_LOGIN_RESUMING] = { [XF_LOGIN_RESUMED] = resumed,
                            [XF_LOGIN_NOT_ENABLED] = not_resumed },
    [XF_LOGIN_BINDING] = { [XF_LOGIN_BOUND] = bound,
                           [XF_LOGIN_BIND_FAILED] = not_bound },
    [XF_LOGIN_ENABLING] = { [XF_LOGIN_ENABLED] = go_online,
                            [XF_LOGIN_NOT_ENABLED] = go_online },
};

/* In every state but OVER. */
static step_fn *const ends[XF_LOGIN_KINDS] = {
    [XF_LOGIN_STREAM_ERROR] = stream_error,
    [XF_LOGIN_CLOSED] = closed,
    [XF_LOGIN_SILENCE] = silence,
};

struct xf_login_todo xf_login_step(struct xf_login *login,
                                   const struct xf_login_input *in)
{
    struct xf_login_todo todo = { .what = XF_LOGIN_NOTHING };
    step_fn *step =
        ends[in->kind] ? ends[in->kind] : steps[login->state][in->kind];

    if (login->state == XF_LOGIN_OVER)
        return todo;
    if (!step)
        step = out_of_turn;
    login->state = step(login, in, &todo);
    return todo;
}
