/* A component and its server: every input in every state. */
#include "proto/component.h"

#include <xferry/error.h>

#include "table.h"

#define SECRET "open sesame"
#define NOW 1000

static const char *const states[XF_COMPONENT_STATES] = { "CONNECTING", "HEADER",
                                                         "PROOF", "ONLINE",
                                                         "OVER" };
static const char *const todos[] = { "-",         "SEND_HEADER", "SEND_PROOF",
                                     "GO_ONLINE", "TAKE",        "ASK",
                                     "FAIL" };

static struct xf_component_todo feed(struct xf_component *c,
                                     struct xf_component_input in, int64_t now)
{
    return xf_component_step(c, &in, SECRET, strlen(SECRET), now);
}

static struct xf_component_todo feed_kind(struct xf_component *c,
                                          enum xf_component_kind kind,
                                          int64_t now)
{
    return feed(c, (struct xf_component_input){ .kind = kind }, now);
}

/* --- ways into each state ------------------------------------------------- */

static void connecting(struct xf_component *c)
{
    xf_component_init(c, NOW);
}

static void header(struct xf_component *c)
{
    connecting(c);
    feed_kind(c, XF_COMPONENT_CONNECTED, NOW);
}

static void proof(struct xf_component *c)
{
    header(c);
    feed(c, (struct xf_component_input){ .kind = XF_COMPONENT_ID, .id = "7" },
         NOW);
}

static void online(struct xf_component *c)
{
    proof(c);
    feed_kind(c, XF_COMPONENT_HANDSHAKE, NOW);
}

static void asked(struct xf_component *c)
{
    online(c);
    feed_kind(c, XF_COMPONENT_TIME, NOW + XF_COMPONENT_SILENCE_MS);
}

static void over(struct xf_component *c)
{
    proof(c);
    feed(c,
         (struct xf_component_input){ .kind = XF_COMPONENT_ERROR,
                                      .condition = "conflict" },
         NOW);
}

static const struct {
    const char *name;
    void (*enter)(struct xf_component *c);
} ways[] = {
    { "connecting", connecting },
    { "our header is sent", header },
    { "our proof is sent", proof },
    { "online", online },
    { "online, the server was asked", asked },
    { "over", over },
};

static const struct xf_error_info well = { .code = 0 };
static const struct xf_error_info lost = { .code = XF_E_STREAM,
                                           .text = "connection reset" };

static const struct {
    const char *name;
    struct xf_component_input in;
} inputs[] = {
    { "connected", { .kind = XF_COMPONENT_CONNECTED } },
    { "a header with an id", { .kind = XF_COMPONENT_ID, .id = "3BF96D32" } },
    { "a header with an empty id", { .kind = XF_COMPONENT_ID, .id = "" } },
    { "a header without an id", { .kind = XF_COMPONENT_ID } },
    { "handshake", { .kind = XF_COMPONENT_HANDSHAKE } },
    { "a stanza", { .kind = XF_COMPONENT_STANZA } },
    { "error not-authorized",
      { .kind = XF_COMPONENT_ERROR, .condition = "not-authorized" } },
    { "error conflict",
      { .kind = XF_COMPONENT_ERROR,
        .condition = "conflict",
        .text = "already connected" } },
    { "error host-unknown",
      { .kind = XF_COMPONENT_ERROR, .condition = "host-unknown" } },
    { "error system-shutdown",
      { .kind = XF_COMPONENT_ERROR, .condition = "system-shutdown" } },
    { "closed", { .kind = XF_COMPONENT_CLOSED, .why = &well } },
    { "closed by an error", { .kind = XF_COMPONENT_CLOSED, .why = &lost } },
    { "its time is over", { .kind = XF_COMPONENT_TIME } },
};

static void row(struct table *t, void (*enter)(struct xf_component *c),
                size_t i)
{
    struct xf_component c;
    struct xf_component_todo todo;
    enum xf_component_state before;
    int64_t now = NOW;

    enter(&c);
    before = c.state;
    if (inputs[i].in.kind == XF_COMPONENT_TIME && c.deadline != INT64_MAX)
        now = c.deadline;
    todo = feed(&c, inputs[i].in, now);
    fprintf(t->out, "  %-25s -> %-10s %s", inputs[i].name, states[c.state],
            todos[todo.what]);
    if (todo.what == XF_COMPONENT_SEND_PROOF)
        fprintf(t->out, " %s", todo.proof);
    if (todo.what == XF_COMPONENT_FAIL)
        fprintf(t->out, " %d%s: %s", todo.error.code,
                todo.refused ? ", refused" : "", todo.error.text);
    fprintf(t->out, "\n");
    /* What holds for all rows. */
    assert_int_equal(todo.what == XF_COMPONENT_FAIL,
                     c.state == XF_COMPONENT_OVER &&
                         before != XF_COMPONENT_OVER);
    assert_int_equal(todo.what == XF_COMPONENT_FAIL, todo.error.code != 0);
    assert_int_equal(todo.refused, todo.error.code == XF_E_AUTH);
    assert_int_equal(c.deadline == INT64_MAX, c.state == XF_COMPONENT_OVER);
}

static void every_input_in_every_state_is_as_in_the_table(void **state)
{
    struct table t;

    (void)state;
    table_begin(&t, "component");
    for (size_t w = 0; w < COUNT(ways); w++) {
        fprintf(t.out, "%s\n", ways[w].name);
        for (size_t i = 0; i < COUNT(inputs); i++)
            row(&t, ways[w].enter, i);
    }
    table_check(&t);
}

/* --- time ------------------------------------------------------------------ */

static void a_silent_server_has_30_s_for_each_step(void **state)
{
    struct xf_component c;

    (void)state;
    for (int i = 0; i < 3; i++) {
        ways[i].enter(&c);
        assert_int_equal(c.deadline, NOW + 30000);
        assert_int_equal(feed_kind(&c, XF_COMPONENT_TIME, NOW + 29999).what,
                         XF_COMPONENT_NOTHING);
        assert_int_equal(feed_kind(&c, XF_COMPONENT_TIME, NOW + 30000).what,
                         XF_COMPONENT_FAIL);
    }
}

/* Else a server that says just anything would be waited for for ever. */
static void what_is_no_step_forward_buys_no_time(void **state)
{
    struct xf_component c;

    (void)state;
    header(&c);
    assert_int_equal(feed_kind(&c, XF_COMPONENT_CONNECTED, NOW + 20000).what,
                     XF_COMPONENT_NOTHING);
    assert_int_equal(c.deadline, NOW + 30000);
}

static void a_server_that_falls_silent_is_asked_once(void **state)
{
    struct xf_component c;
    int64_t now = NOW;

    (void)state;
    online(&c);
    for (int i = 0; i < 3; i++) {
        now += XF_COMPONENT_SILENCE_MS;
        assert_int_equal(feed_kind(&c, XF_COMPONENT_TIME, now - 1).what,
                         XF_COMPONENT_NOTHING);
        assert_int_equal(feed_kind(&c, XF_COMPONENT_TIME, now).what,
                         XF_COMPONENT_ASK);
        now += XF_COMPONENT_ANSWER_MS - 1;
        assert_int_equal(feed_kind(&c, XF_COMPONENT_STANZA, now).what,
                         XF_COMPONENT_TAKE);
    }
    now += XF_COMPONENT_SILENCE_MS;
    assert_int_equal(feed_kind(&c, XF_COMPONENT_TIME, now).what,
                     XF_COMPONENT_ASK);
    now += XF_COMPONENT_ANSWER_MS;
    assert_int_equal(feed_kind(&c, XF_COMPONENT_TIME, now).what,
                     XF_COMPONENT_FAIL);
}

/* --- the proof --------------------------------------------------------------- */

static void an_id_has_a_ceiling(void **state)
{
    char id[XF_COMPONENT_ID_MAX + 2];
    struct xf_component c;

    (void)state;
    memset(id, 'x', sizeof id);
    id[XF_COMPONENT_ID_MAX + 1] = '\0';
    header(&c);
    assert_int_equal(
        feed(&c,
             (struct xf_component_input){ .kind = XF_COMPONENT_ID, .id = id },
             NOW)
            .what,
        XF_COMPONENT_FAIL);
    id[XF_COMPONENT_ID_MAX] = '\0';
    header(&c);
    assert_int_equal(
        feed(&c,
             (struct xf_component_input){ .kind = XF_COMPONENT_ID, .id = id },
             NOW)
            .what,
        XF_COMPONENT_SEND_PROOF);
}

/* SHA-1 of "3BF96D32" and "test" as sha1sum says it. */
static void the_proof_is_sha1_of_id_and_secret(void **state)
{
    const struct xf_component_input in = { .kind = XF_COMPONENT_ID,
                                           .id = "3BF96D32" };
    struct xf_component_todo todo;
    struct xf_component c;

    (void)state;
    header(&c);
    todo = xf_component_step(&c, &in, "test", 4, NOW);
    assert_int_equal(todo.what, XF_COMPONENT_SEND_PROOF);
    assert_string_equal(todo.proof, "aaee83c26aeeafcbabeabfcbcd50df997e0a2a1e");
    /* A secret is bytes, not text. */
    header(&c);
    todo = xf_component_step(&c, &in, "te\0st", 5, NOW);
    assert_string_equal(todo.proof, "f9eec71ca9b34f2e9a3dea007fdd5eba2cbf60c6");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_input_in_every_state_is_as_in_the_table),
        cmocka_unit_test(a_silent_server_has_30_s_for_each_step),
        cmocka_unit_test(what_is_no_step_forward_buys_no_time),
        cmocka_unit_test(a_server_that_falls_silent_is_asked_once),
        cmocka_unit_test(an_id_has_a_ceiling),
        cmocka_unit_test(the_proof_is_sha1_of_id_and_secret),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
