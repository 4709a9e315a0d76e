/* The login: every input in every state, and SCRAM against a real server. */
#include "table.h"

#include <errno.h>

#include "base/err.h"
#include "base/sys.h"
#include "proto/login.h"
#include "sasl_server.h"
#include "xferry/error.h"

#define JID "juliet@example.net/balcony"
#define PASSWORD "r0m30myr0m30"

static struct xf_login *login_new(bool plain)
{
    struct xf_login *login = NULL;

    assert_int_equal(xf_login_new(&login, JID, PASSWORD, plain), 0);
    return login;
}

static struct xf_login_todo feed(struct xf_login *login,
                                 struct xf_login_input in)
{
    return xf_login_step(login, &in);
}

/* Everything a server can offer behind TLS, with one mechanism. */
static struct xf_features features_with(const char *mechanism)
{
    struct xf_features f = { .starttls = true,
                             .mechanisms_count = 1,
                             .bind = true,
                             .sm = true,
                             .stanza_limit = 262144 };

    memcpy(f.mechanisms[0], mechanism, strlen(mechanism) + 1);
    return f;
}

static struct xf_login_todo feed_features(struct xf_login *login,
                                          struct xf_features features)
{
    return feed(login, (struct xf_login_input){ .kind = XF_LOGIN_GOT_FEATURES,
                                                .features = &features });
}

static struct xf_login_todo feed_text(struct xf_login *login,
                                      enum xf_login_kind kind, const char *data,
                                      size_t len)
{
    return feed(login, (struct xf_login_input){
                           .kind = kind, .data = data, .len = len });
}

static void assert_failed(struct xf_login *login, struct xf_login_todo todo,
                          int code, const char *text)
{
    assert_int_equal(todo.what, XF_LOGIN_FAIL);
    assert_int_equal(todo.error->code, code);
    assert_string_equal(todo.error->text, text);
    assert_int_equal(xf_login_state(login), XF_LOGIN_OVER);
}

/* --- state x input ------------------------------------------------------- */

static const char *const states[XF_LOGIN_STATES] = {
    [XF_LOGIN_CONNECTING] = "CONNECTING",
    [XF_LOGIN_FEATURES] = "FEATURES",
    [XF_LOGIN_PROCEED] = "PROCEED",
    [XF_LOGIN_SECURING] = "SECURING",
    [XF_LOGIN_SAFE_FEATURES] = "SAFE_FEATURES",
    [XF_LOGIN_SASL] = "SASL",
    [XF_LOGIN_LAST_FEATURES] = "LAST_FEATURES",
    [XF_LOGIN_RESUMING] = "RESUMING",
    [XF_LOGIN_BINDING] = "BINDING",
    [XF_LOGIN_ENABLING] = "ENABLING",
    [XF_LOGIN_ONLINE] = "ONLINE",
    [XF_LOGIN_OVER] = "OVER",
};

static const char *const does[] = {
    [XF_LOGIN_NOTHING] = "nothing",
    [XF_LOGIN_OPEN_STREAM] = "open stream",
    [XF_LOGIN_SEND_STARTTLS] = "send starttls",
    [XF_LOGIN_START_TLS] = "start TLS",
    [XF_LOGIN_SEND_AUTH] = "send auth",
    [XF_LOGIN_SEND_RESPONSE] = "send response",
    [XF_LOGIN_SEND_BIND] = "send bind",
    [XF_LOGIN_SEND_RESUME] = "send resume",
    [XF_LOGIN_SEND_ENABLE] = "send enable",
    [XF_LOGIN_GO_ONLINE] = "go online",
    [XF_LOGIN_GO_ON] = "go on",
    [XF_LOGIN_FAIL] = "fail",
};

static const struct xf_features bare_features, starttls = { .starttls = true };
static const struct xf_error_info reset = { XF_E_TLS, "certificate expired" };
static struct xf_features plain_offered, plain_required;

static const struct {
    const char *name;
    struct xf_login_input in;
} inputs[] = {
    { "connected", { .kind = XF_LOGIN_CONNECTED } },
    { "connected, TLS", { .kind = XF_LOGIN_CONNECTED, .tls = true } },
    { "features: none",
      { .kind = XF_LOGIN_GOT_FEATURES, .features = &bare_features } },
    { "features: starttls",
      { .kind = XF_LOGIN_GOT_FEATURES, .features = &starttls } },
    { "features: starttls required, PLAIN, bind, sm",
      { .kind = XF_LOGIN_GOT_FEATURES, .features = &plain_required } },
    { "features: PLAIN, bind, sm",
      { .kind = XF_LOGIN_GOT_FEATURES, .features = &plain_offered } },
    { "features: PLAIN, bind, sm; a stream waits",
      { .kind = XF_LOGIN_GOT_FEATURES,
        .features = &plain_offered,
        .resume = true } },
    { "features: none; a stream waits",
      { .kind = XF_LOGIN_GOT_FEATURES,
        .features = &bare_features,
        .resume = true } },
    { "proceed", { .kind = XF_LOGIN_GOT_PROCEED } },
    { "proceed, bytes behind",
      { .kind = XF_LOGIN_GOT_PROCEED, .left_over = true } },
    { "TLS refused", { .kind = XF_LOGIN_TLS_REFUSED } },
    { "TLS up", { .kind = XF_LOGIN_TLS_UP } },
    { "challenge", { .kind = XF_LOGIN_CHALLENGE, .data = "", .len = 0 } },
    { "success", { .kind = XF_LOGIN_SUCCESS } },
    { "failure", { .kind = XF_LOGIN_FAILURE, .condition = "not-authorized" } },
    { "failure, for now",
      { .kind = XF_LOGIN_FAILURE, .condition = "temporary-auth-failure" } },
    { "failure, no condition", { .kind = XF_LOGIN_FAILURE } },
    { "bound", { .kind = XF_LOGIN_BOUND, .jid = JID } },
    { "bound, bare JID",
      { .kind = XF_LOGIN_BOUND, .jid = "juliet@example.net" } },
    { "bound, no JID", { .kind = XF_LOGIN_BOUND } },
    { "bind failed, conflict",
      { .kind = XF_LOGIN_BIND_FAILED, .condition = "conflict" } },
    { "bind failed, not-allowed",
      { .kind = XF_LOGIN_BIND_FAILED, .condition = "not-allowed" } },
    { "resumed", { .kind = XF_LOGIN_RESUMED } },
    { "enabled", { .kind = XF_LOGIN_ENABLED } },
    { "not enabled", { .kind = XF_LOGIN_NOT_ENABLED } },
    { "stream error",
      { .kind = XF_LOGIN_STREAM_ERROR, .condition = "see-other-host" } },
    { "stream error, conflict",
      { .kind = XF_LOGIN_STREAM_ERROR, .condition = "conflict" } },
    { "closed", { .kind = XF_LOGIN_CLOSED } },
    { "closed, with a reason", { .kind = XF_LOGIN_CLOSED, .error = &reset } },
    { "closed, cut in the handshake",
      { .kind = XF_LOGIN_CLOSED, .error = &reset, .cut = true } },
    { "silence", { .kind = XF_LOGIN_SILENCE } },
};

/* By TLS and PLAIN: SCRAM's nonces would be others each time. */
static struct xf_login *login_in(enum xf_login_state state)
{
    static const struct xf_login_input way[] = {
        { .kind = XF_LOGIN_CONNECTED },
        { .kind = XF_LOGIN_GOT_FEATURES, .features = &starttls },
        { .kind = XF_LOGIN_GOT_PROCEED },
        { .kind = XF_LOGIN_TLS_UP },
        { .kind = XF_LOGIN_GOT_FEATURES, .features = &plain_offered },
        { .kind = XF_LOGIN_SUCCESS },
        { .kind = XF_LOGIN_GOT_FEATURES, .features = &plain_offered },
        { .kind = XF_LOGIN_BOUND, .jid = JID },
        { .kind = XF_LOGIN_ENABLED },
        { .kind = XF_LOGIN_CLOSED },
    };
    struct xf_login *login = login_new(false);

    for (size_t i = 0; i < COUNT(way) && xf_login_state(login) != state; i++) {
        struct xf_login_input in = way[i];

        in.resume = state == XF_LOGIN_RESUMING;
        xf_login_step(login, &in);
    }
    assert_int_equal(xf_login_state(login), state);
    return login;
}

static void print_row(FILE *out, const char *from, struct xf_login *login,
                      size_t input)
{
    struct xf_login_todo todo = xf_login_step(login, &inputs[input].in);

    fprintf(out, "%s; %s => %s; %s", from, inputs[input].name,
            states[xf_login_state(login)], does[todo.what]);
    if (todo.what == XF_LOGIN_FAIL)
        fprintf(out, " %s \"%s\"", xf_err_name(todo.error->code),
                todo.error->text);
    if (todo.lasting)
        fputs(", lasting", out);
    if (todo.mechanism)
        fprintf(out, " %s", todo.mechanism);
    if (todo.what == XF_LOGIN_SEND_BIND)
        fprintf(out, " %s", todo.resource ? todo.resource : "-");
    if (todo.jid)
        fprintf(out, " %s", todo.jid);
    fputc('\n', out);
    xf_login_free(login);
}

static void every_input_in_every_state_does_as_the_table_says(void **state)
{
    struct table t;

    (void)state;
    plain_offered = features_with("PLAIN");
    plain_offered.starttls = false;
    plain_required = features_with("PLAIN");
    plain_required.starttls_required = true;
    table_begin(&t, "login");
    for (int s = 0; s < XF_LOGIN_STATES; s++) {
        for (size_t i = 0; i < COUNT(inputs); i++)
            print_row(t.out, states[s], login_in((enum xf_login_state)s), i);
    }
    for (size_t i = 0; i < COUNT(inputs); i++) {
        struct xf_login *login = login_new(true);

        feed(login, (struct xf_login_input){ .kind = XF_LOGIN_CONNECTED });
        print_row(t.out, "FEATURES (plain)", login, i);
    }
    table_check(&t);
}

/* --- SCRAM --------------------------------------------------------------- */

struct play {
    const char *mechanism;
    struct sasl_server server;
    struct xf_login_binding binding;
    unsigned announced;
    const char *password; /* the client's; NULL: the right one */
    bool final_in_challenge;
    bool forged;    /* the server's signature is another */
    bool unsigned_; /* success comes without it */
};

static struct xf_login *play_login(const struct play *p)
{
    struct xf_login *login = NULL;

    assert_int_equal(
        xf_login_new(&login, JID, p->password ? p->password : PASSWORD, false),
        0);
    feed(login, (struct xf_login_input){ .kind = XF_LOGIN_CONNECTED,
                                         .tls = true,
                                         .binding = &p->binding });
    return login;
}

static struct xf_login_todo send_auth(struct xf_login *login,
                                      const struct play *p)
{
    struct xf_features features = features_with(p->mechanism);
    struct xf_login_todo todo;

    features.bindings_said = p->announced != 0;
    features.bindings = p->announced;
    todo = feed_features(login, features);
    assert_int_equal(todo.what, XF_LOGIN_SEND_AUTH);
    assert_string_equal(todo.mechanism, p->mechanism);
    return todo;
}

static struct xf_login_todo end_play(struct xf_login *login, struct play *p)
{
    struct xf_login_todo todo;

    if (p->forged)
        p->server.out[4] = p->server.out[4] == 'A' ? 'B' : 'A';
    if (p->unsigned_)
        return feed_text(login, XF_LOGIN_SUCCESS, NULL, 0);
    if (!p->final_in_challenge)
        return feed_text(login, XF_LOGIN_SUCCESS, p->server.out, p->server.len);
    todo = feed_text(login, XF_LOGIN_CHALLENGE, p->server.out, p->server.len);
    if (todo.what != XF_LOGIN_SEND_RESPONSE)
        return todo;
    assert_int_equal(todo.len, 0);
    return feed_text(login, XF_LOGIN_SUCCESS, NULL, 0);
}

/* To the end, or to the step that fails; `login` tells. */
static struct xf_login_todo play(struct xf_login *login, struct play *p)
{
    struct xf_login_todo todo = send_auth(login, p);
    int result;

    if (!p->server.password)
        p->server.password = PASSWORD;
    assert_int_equal(sasl_server_begin(&p->server, p->mechanism), GSASL_OK);
    assert_int_equal(sasl_server_step(&p->server, todo.data, todo.len),
                     GSASL_NEEDS_MORE);
    todo = feed_text(login, XF_LOGIN_CHALLENGE, p->server.out, p->server.len);
    if (todo.what == XF_LOGIN_SEND_RESPONSE) {
        result = sasl_server_step(&p->server, todo.data, todo.len);
        todo = result == GSASL_OK
                   ? end_play(login, p)
                   : feed(login, (struct xf_login_input){
                                     .kind = XF_LOGIN_FAILURE,
                                     .condition = "not-authorized" });
    }
    return todo;
}

static void assert_plays_well(struct play p)
{
    struct xf_login *login = play_login(&p);
    struct xf_login_todo todo = play(login, &p);

    assert_int_equal(todo.what, XF_LOGIN_OPEN_STREAM);
    assert_int_equal(xf_login_state(login), XF_LOGIN_LAST_FEATURES);
    assert_string_equal(xf_login_mechanism(login), p.mechanism);
    assert_true(p.server.user_seen);
    sasl_server_end(&p.server);
    xf_login_free(login);
}

static void assert_plays_ill(struct play p, const char *text)
{
    struct xf_login *login = play_login(&p);
    struct xf_login_todo todo = play(login, &p);

    assert_failed(login, todo, XF_E_AUTH, text);
    sasl_server_end(&p.server);
    xf_login_free(login);
}

static const struct xf_login_binding tls12 = { .unique = "unique-12byt",
                                               .unique_len = 12,
                                               .exporter = "exporter-bytes",
                                               .exporter_len = 14 };
static const struct xf_login_binding tls13 = { .tls13 = true,
                                               .exporter = "exporter-bytes",
                                               .exporter_len = 14 };

static void scram_logs_in_with_both_hashes(void **state)
{
    (void)state;
    assert_plays_well((struct play){ .mechanism = "SCRAM-SHA-1" });
    assert_plays_well((struct play){ .mechanism = "SCRAM-SHA-256" });
    assert_plays_well((struct play){ .mechanism = "SCRAM-SHA-256",
                                     .final_in_challenge = true });
}

/* Over TLS 1.3 a server may have PLUS and not tell which binding. */
static void plain_scram_does_not_claim_that_the_server_lacks_plus(void **state)
{
    struct play p = { .mechanism = "SCRAM-SHA-256", .binding = tls13 };
    struct xf_login *login = play_login(&p);
    struct xf_login_todo todo = send_auth(login, &p);

    (void)state;
    assert_true(todo.len > 3);
    assert_memory_equal(todo.data, "n,,", 3);
    xf_login_free(login);
}

static void scram_plus_binds_to_tls_unique_on_tls_12(void **state)
{
    struct play p = { .mechanism = "SCRAM-SHA-1-PLUS",
                      .binding = tls12,
                      .server = { .unique = "unique-12byt" } };

    (void)state;
    assert_plays_well(p);
    p.mechanism = "SCRAM-SHA-256-PLUS";
    assert_plays_well(p);
    p.announced = XF_BINDING_UNIQUE | XF_BINDING_EXPORTER;
    assert_plays_well(p);
}

static void scram_plus_binds_to_the_exporter_where_it_is_announced(void **state)
{
    struct play p = { .mechanism = "SCRAM-SHA-1-PLUS",
                      .binding = tls13,
                      .announced = XF_BINDING_EXPORTER | XF_BINDING_END_POINT,
                      .server = { .exporter = "exporter-bytes" } };

    (void)state;
    assert_plays_well(p);
    p.mechanism = "SCRAM-SHA-256-PLUS";
    assert_plays_well(p);
    p.binding = tls12;
    assert_plays_well(p);
}

/* Somebody in between has one TLS with us and another with the server. */
static void scram_plus_fails_on_another_connections_binding(void **state)
{
    struct play p = { .mechanism = "SCRAM-SHA-256-PLUS",
                      .binding = tls12,
                      .server = { .unique = "another-12by" } };

    (void)state;
    assert_plays_ill(p, "example.net refused the login: not-authorized");
    p = (struct play){ .mechanism = "SCRAM-SHA-256-PLUS",
                       .binding = tls13,
                       .announced = XF_BINDING_EXPORTER,
                       .server = { .exporter = "another-bytes" } };
    assert_plays_ill(p, "example.net refused the login: not-authorized");
}

static void iterations_from_1_to_200000_are_computed(void **state)
{
    static const char *const counts[] = { "1", "4096", "200000" };

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++)
        assert_plays_well((struct play){ .mechanism = "SCRAM-SHA-1",
                                         .server.iterations = counts[i] });
}

/* A server's first message with our nonce in it, as SCRAM wants. */
static void challenge_by_hand(struct xf_login_todo auth, const char *count,
                              char *out, size_t size)
{
    char first[512] = "";
    const char *nonce;

    assert_true(auth.len < sizeof first);
    memcpy(first, auth.data, auth.len);
    nonce = strstr(first, "r=");
    assert_non_null(nonce);
    snprintf(out, size, "%sserver,s=c2FsdHNhbHQ=,i=%s", nonce, count);
}

static void assert_count_refused(const char *count, enum xf_login_kind kind,
                                 const char *text)
{
    struct play p = { .mechanism = "SCRAM-SHA-1" };
    struct xf_login *login = play_login(&p);
    char message[600];

    challenge_by_hand(send_auth(login, &p), count, message, sizeof message);
    assert_failed(login, feed_text(login, kind, message, strlen(message)),
                  XF_E_AUTH, text);
    xf_login_free(login);
}

static void other_iteration_counts_end_the_login_at_once(void **state)
{
    static const char many[] =
        "example.net asks for more than 200000 rounds of the password's hash";
    static const char wrong[] = "example.net broke the rules of the login";

    (void)state;
    assert_count_refused("200001", XF_LOGIN_CHALLENGE, many);
    assert_count_refused("4294967297", XF_LOGIN_CHALLENGE, many);
    assert_count_refused("0", XF_LOGIN_CHALLENGE, wrong);
    /* One that hides it in a success, where no more is to be computed. */
    assert_count_refused("2000000000", XF_LOGIN_SUCCESS, many);
    assert_count_refused("4096", XF_LOGIN_SUCCESS,
                         "example.net did not prove that it knows the "
                         "password");
}

static void a_wrong_password_is_told_in_the_servers_words(void **state)
{
    (void)state;
    assert_plays_ill((struct play){ .mechanism = "SCRAM-SHA-256",
                                    .password = "r0m30myr0m31" },
                     "example.net refused the login: not-authorized");
}

static void a_server_that_does_not_know_the_password_is_no_server(void **state)
{
    static const char text[] =
        "example.net did not prove that it knows the password";

    (void)state;
    assert_plays_ill(
        (struct play){ .mechanism = "SCRAM-SHA-256", .forged = true }, text);
    assert_plays_ill((struct play){ .mechanism = "SCRAM-SHA-256",
                                    .forged = true,
                                    .final_in_challenge = true },
                     text);
    assert_plays_ill(
        (struct play){ .mechanism = "SCRAM-SHA-256", .unsigned_ = true }, text);
}

static void another_nonce_ends_the_login(void **state)
{
    static const char message[] = "r=another,s=c2FsdHNhbHQ=,i=4096";
    struct play p = { .mechanism = "SCRAM-SHA-1" };
    struct xf_login *login = play_login(&p);

    (void)state;
    send_auth(login, &p);
    assert_int_equal(
        feed_text(login, XF_LOGIN_CHALLENGE, message, strlen(message)).what,
        XF_LOGIN_FAIL);
    xf_login_free(login);
}

/* U+2168 is "IX" after NFKC, U+00AD is nothing: RFC 4013, 3. */
static void the_password_is_prepared(void **state)
{
    (void)state;
    assert_plays_well((struct play){ .mechanism = "SCRAM-SHA-1",
                                     .password = "\xe2\x85\xa8\xc2\xad",
                                     .server.password = "IX" });
}

static void a_forbidden_password_is_told_before_it_is_tried(void **state)
{
    struct play p = { .mechanism = "SCRAM-SHA-1", .password = "be\al" };
    struct xf_login *login = play_login(&p);

    (void)state;
    assert_failed(login, feed_features(login, features_with(p.mechanism)),
                  XF_E_AUTH,
                  "the login name or password for example.net has a character "
                  "that is not allowed");
    xf_login_free(login);
}

/* --- PLAIN and no TLS ---------------------------------------------------- */

static void plain_is_said_inside_tls(void **state)
{
    static const char said[] = "\0juliet\0" PASSWORD;
    struct play p = { .mechanism = "PLAIN" };
    struct xf_login *login = play_login(&p);
    struct xf_login_todo todo = send_auth(login, &p);

    (void)state;
    assert_int_equal(todo.len, sizeof said - 1);
    assert_memory_equal(todo.data, said, sizeof said - 1);
    assert_int_equal(feed_text(login, XF_LOGIN_SUCCESS, "", 0).what,
                     XF_LOGIN_OPEN_STREAM);
    xf_login_free(login);
}

static void without_tls_scram_works_and_plain_does_not(void **state)
{
    struct xf_features both = features_with("SCRAM-SHA-1");
    struct xf_login *login = login_new(true);

    (void)state;
    memcpy(both.mechanisms[both.mechanisms_count++], "PLAIN", sizeof "PLAIN");
    feed(login, (struct xf_login_input){ .kind = XF_LOGIN_CONNECTED });
    assert_string_equal(feed_features(login, both).mechanism, "SCRAM-SHA-1");
    xf_login_free(login);

    login = login_new(true);
    feed(login, (struct xf_login_input){ .kind = XF_LOGIN_CONNECTED });
    assert_failed(login, feed_features(login, features_with("PLAIN")), XF_E_TLS,
                  "example.net takes only the bare password, which is not "
                  "sent without TLS");
    xf_login_free(login);
}

static void a_stripped_starttls_ends_the_login(void **state)
{
    struct xf_features features = features_with("SCRAM-SHA-256");
    struct xf_login *login = login_new(false);

    (void)state;
    features.starttls = false;
    feed(login, (struct xf_login_input){ .kind = XF_LOGIN_CONNECTED });
    assert_failed(login, feed_features(login, features), XF_E_TLS,
                  "example.net offers no TLS; nothing was sent");
    xf_login_free(login);
}

/* --- bind ---------------------------------------------------------------- */

static void the_stanza_limit_is_that_of_the_last_features(void **state)
{
    struct xf_login *login = login_in(XF_LOGIN_SASL);
    struct xf_features features = features_with("PLAIN");

    (void)state;
    feed(login, (struct xf_login_input){ .kind = XF_LOGIN_SUCCESS });
    features.stanza_limit = 10000;
    feed_features(login, features);
    assert_int_equal(xf_login_stanza_limit(login), 10000);
    xf_login_free(login);
}

static void a_taken_resource_is_given_up_once(void **state)
{
    struct xf_login *login = login_in(XF_LOGIN_BINDING);
    const struct xf_login_input conflict = { .kind = XF_LOGIN_BIND_FAILED,
                                             .condition = "conflict" };
    struct xf_login_todo todo = feed(login, conflict);

    (void)state;
    assert_int_equal(todo.what, XF_LOGIN_SEND_BIND);
    assert_null(todo.resource);
    assert_failed(login, feed(login, conflict), XF_E_STREAM,
                  "example.net refused the resource: conflict");
    xf_login_free(login);
}

static void the_bound_jid_is_normalised(void **state)
{
    struct xf_login *login = login_in(XF_LOGIN_BINDING);

    (void)state;
    feed(login, (struct xf_login_input){ .kind = XF_LOGIN_BOUND,
                                         .jid = "Juliet@EXAMPLE.net/Balcony" });
    assert_string_equal(
        feed(login, (struct xf_login_input){ .kind = XF_LOGIN_ENABLED }).jid,
        "juliet@example.net/Balcony");
    xf_login_free(login);
}

static void a_server_without_acknowledgements_is_fine(void **state)
{
    struct xf_login *login = login_in(XF_LOGIN_LAST_FEATURES);
    struct xf_features features = { .bind = true };

    (void)state;
    feed_features(login, features);
    assert_int_equal(
        feed(login,
             (struct xf_login_input){ .kind = XF_LOGIN_BOUND, .jid = JID })
            .what,
        XF_LOGIN_GO_ONLINE);
    xf_login_free(login);
}

static void an_account_needs_a_local_part(void **state)
{
    struct xf_login *login = NULL;

    (void)state;
    assert_int_equal(xf_login_new(&login, "example.net", PASSWORD, false),
                     XF_E_USAGE);
    assert_null(login);
    xf_login_free(login);
}

/* --- memory -------------------------------------------------------------- */

static int fail_at(enum xf_sys_call call, void *ctx)
{
    int *left = ctx;

    return call == XF_SYS_ALLOC && (*left)-- == 0 ? ENOMEM : 0;
}

static void no_memory_is_told_and_nothing_leaks(void **state)
{
    struct xf_features features = features_with("SCRAM-SHA-1");
    bool all_well = false;

    (void)state;
    for (int n = 0; n < 20 && !all_well; n++) {
        struct xf_login *login = NULL;
        struct xf_login_todo todo;
        int left = n;

        xf_sys_set_gate(fail_at, &left);
        if (xf_login_new(&login, JID, PASSWORD, false) != 0) {
            xf_sys_set_gate(NULL, NULL);
            continue;
        }
        feed(login, (struct xf_login_input){ .kind = XF_LOGIN_CONNECTED,
                                             .tls = true });
        todo = feed_features(login, features);
        all_well = todo.what == XF_LOGIN_SEND_AUTH;
        xf_sys_set_gate(NULL, NULL);
        if (!all_well)
            assert_failed(login, todo, XF_E_LIMIT,
                          "out of memory in the login to example.net");
        xf_login_free(login);
    }
    assert_true(all_well);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_in_every_state_does_as_the_table_says),
        cmocka_unit_test(scram_logs_in_with_both_hashes),
        cmocka_unit_test(plain_scram_does_not_claim_that_the_server_lacks_plus),
        cmocka_unit_test(scram_plus_binds_to_tls_unique_on_tls_12),
        cmocka_unit_test(
            scram_plus_binds_to_the_exporter_where_it_is_announced),
        cmocka_unit_test(scram_plus_fails_on_another_connections_binding),
        cmocka_unit_test(iterations_from_1_to_200000_are_computed),
        cmocka_unit_test(other_iteration_counts_end_the_login_at_once),
        cmocka_unit_test(a_wrong_password_is_told_in_the_servers_words),
        cmocka_unit_test(a_server_that_does_not_know_the_password_is_no_server),
        cmocka_unit_test(another_nonce_ends_the_login),
        cmocka_unit_test(the_password_is_prepared),
        cmocka_unit_test(a_forbidden_password_is_told_before_it_is_tried),
        cmocka_unit_test(plain_is_said_inside_tls),
        cmocka_unit_test(without_tls_scram_works_and_plain_does_not),
        cmocka_unit_test(a_stripped_starttls_ends_the_login),
        cmocka_unit_test(the_stanza_limit_is_that_of_the_last_features),
        cmocka_unit_test(a_taken_resource_is_given_up_once),
        cmocka_unit_test(the_bound_jid_is_normalised),
        cmocka_unit_test(a_server_without_acknowledgements_is_fine),
        cmocka_unit_test(an_account_needs_a_local_part),
        cmocka_unit_test(no_memory_is_told_and_nothing_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
