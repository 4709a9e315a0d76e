/* The initiator of a SOCKS5 bytestream: every input in every state. */
#include "proto/s5b.h"

#include <xferry/error.h>

#include "base/err.h"
#include "table.h"

static const char *const states[] = { "QUERIED", "DIALLING", "ACTIVATING",
                                      "OPEN", "OVER" };
static const char *const todos[] = { "-",         "DIAL_PROXY", "ACTIVATE",
                                     "GO_DIRECT", "GO_PROXY",   "FAIL" };

static struct xf_s5b_todo feed(struct xf_s5b *s5b, enum xf_s5b_kind kind,
                               int index, bool proxy)
{
    return xf_s5b_step(s5b, &(struct xf_s5b_input){
                                .kind = kind, .index = index, .proxy = proxy });
}

static void queried(struct xf_s5b *s5b)
{
    xf_s5b_init(s5b);
}

static void dialling(struct xf_s5b *s5b)
{
    queried(s5b);
    feed(s5b, XF_S5B_USED, 4, true);
}

static void activating(struct xf_s5b *s5b)
{
    dialling(s5b);
    feed(s5b, XF_S5B_CONNECTED, -1, false);
}

static void open_direct(struct xf_s5b *s5b)
{
    queried(s5b);
    feed(s5b, XF_S5B_USED, 0, false);
}

static void open_proxy(struct xf_s5b *s5b)
{
    activating(s5b);
    feed(s5b, XF_S5B_ACTIVATED, -1, false);
}

static void over(struct xf_s5b *s5b)
{
    dialling(s5b);
    feed(s5b, XF_S5B_LOST, -1, false);
}

static const struct {
    const char *name;
    void (*enter)(struct xf_s5b *s5b);
} ways[] = {
    { "the target is trying", queried }, { "to the proxy", dialling },
    { "the proxy", activating },         { "direct", open_direct },
    { "by proxy", open_proxy },          { "the proxy is out of reach", over },
};

/* Kinds that come with a condition are tried with all there are. */
static const struct {
    const char *name;
    struct xf_s5b_input in;
    bool conditions;
} inputs[] = {
    { "used: ours", { .kind = XF_S5B_USED, .index = 1 }, false },
    { "used: a proxy",
      { .kind = XF_S5B_USED, .index = 2, .proxy = true },
      false },
    { "used: unknown", { .kind = XF_S5B_USED, .index = -1 }, false },
    { "refused", { .kind = XF_S5B_REFUSED, .index = -1 }, true },
    { "connected", { .kind = XF_S5B_CONNECTED, .index = -1 }, false },
    { "lost", { .kind = XF_S5B_LOST, .index = -1 }, false },
    { "activated", { .kind = XF_S5B_ACTIVATED, .index = -1 }, false },
    { "not activated", { .kind = XF_S5B_NOT_ACTIVATED, .index = -1 }, true },
};

#define OUTCOME_MAX 160

static void try(const struct xf_s5b *from, struct xf_s5b_input in,
                enum xf_condition condition, char out[OUTCOME_MAX])
{
    struct xf_s5b s5b = *from;
    struct xf_s5b_todo todo;
    int n;

    in.condition = condition;
    todo = xf_s5b_step(&s5b, &in);
    n = snprintf(out, OUTCOME_MAX, "%-10s %s", states[s5b.state],
                 todos[todo.what]);
    if (todo.what == XF_S5B_FAIL)
        snprintf(out + n, (size_t)(OUTCOME_MAX - n), "  %s: %s",
                 xf_err_name(todo.code), todo.text);
    else if (todo.index >= 0)
        snprintf(out + n, (size_t)(OUTCOME_MAX - n), " %d", todo.index);
    /* What holds for all rows. */
    assert_int_equal(todo.what == XF_S5B_FAIL, todo.code != 0);
    assert_int_equal(todo.what == XF_S5B_FAIL, todo.text != NULL);
    assert_int_equal(todo.what == XF_S5B_FAIL,
                     s5b.state == XF_S5B_OVER && from->state != XF_S5B_OVER);
}

static void rows(struct table *t, const struct xf_s5b *from, size_t i)
{
    char outcome[XF_CONDITIONS][OUTCOME_MAX];
    size_t count = inputs[i].conditions ? XF_CONDITIONS : 1;
    bool same = true;

    for (size_t c = 0; c < count; c++) {
        try(from, inputs[i].in, (enum xf_condition)c, outcome[c]);
        same = same && strcmp(outcome[c], outcome[0]) == 0;
    }
    for (size_t c = 0; c < (same ? 1 : count); c++)
        fprintf(t->out, "  %-13s %-23s -> %s\n", inputs[i].name,
                count == 1 ? ""
                : same     ? "any"
                           : table_condition((enum xf_condition)c),
                outcome[c]);
}

static void initiator_does_as_the_table_says(void **state)
{
    bool state_seen[XF_S5B_STATES] = { false };
    bool kind_seen[XF_S5B_KINDS] = { false };
    struct table t;

    (void)state;
    table_begin(&t, "s5b");
    for (size_t i = 0; i < COUNT(ways); i++) {
        struct xf_s5b s5b;

        ways[i].enter(&s5b);
        state_seen[s5b.state] = true;
        fprintf(t.out, "%s: %s\n", states[s5b.state], ways[i].name);
        for (size_t j = 0; j < COUNT(inputs); j++) {
            kind_seen[inputs[j].in.kind] = true;
            rows(&t, &s5b, j);
        }
    }
    for (size_t i = 0; i < COUNT(state_seen); i++)
        assert_true(state_seen[i]);
    for (size_t i = 0; i < COUNT(kind_seen); i++)
        assert_true(kind_seen[i]);
    table_check(&t);
}

/* Openfire's proxy takes the first connection for the receiver's. */
static void the_proxy_is_not_dialled_before_it_is_used(void **state)
{
    struct xf_s5b s5b;

    (void)state;
    xf_s5b_init(&s5b);
    assert_int_equal(s5b.used, -1);
    assert_int_equal(feed(&s5b, XF_S5B_USED, 3, true).what, XF_S5B_DIAL_PROXY);
    assert_int_equal(s5b.used, 3);
    assert_int_equal(feed(&s5b, XF_S5B_CONNECTED, -1, false).what,
                     XF_S5B_ACTIVATE);
    assert_int_equal(feed(&s5b, XF_S5B_ACTIVATED, -1, false).what,
                     XF_S5B_GO_PROXY);
}

static const struct xf_streamhost hosts[] = {
    { "romeo@example.net/Orchard", "192.0.2.1", 7777 },
    { "romeo@example.net/Orchard", "2001:db8::1", 7777 },
    { "proxy.example.net", "192.0.2.9", 5000 },
    { "proxy.example.com/Node-1", "192.0.2.10", 7777 },
    { "@", "192.0.2.11", 1 },
};

static int find(const char *used)
{
    return xf_s5b_find(hosts, COUNT(hosts), used);
}

static void streamhosts_are_compared_as_normalised_jids(void **state)
{
    (void)state;
    assert_int_equal(find("romeo@example.net/Orchard"), 0);
    assert_int_equal(find("Romeo@EXAMPLE.net/Orchard"), 0);
    assert_int_equal(find("PROXY.example.net"), 2);
    assert_int_equal(find("Proxy.Example.Com/Node-1"), 3);
}

static void another_resource_is_another_streamhost(void **state)
{
    (void)state;
    assert_int_equal(find("romeo@example.net/orchard"), -1);
    assert_int_equal(find("romeo@example.net"), -1);
    assert_int_equal(find("proxy.example.com"), -1);
    assert_int_equal(find("proxy.example.com/node-1"), -1);
    assert_int_equal(find("proxy.example.net/x"), -1);
}

static void what_is_no_jid_is_no_streamhost(void **state)
{
    (void)state;
    assert_int_equal(find(NULL), -1);
    assert_int_equal(find(""), -1);
    assert_int_equal(find("@"), -1);
    assert_int_equal(xf_s5b_find(hosts, 0, "proxy.example.net"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(initiator_does_as_the_table_says),
        cmocka_unit_test(the_proxy_is_not_dialled_before_it_is_used),
        cmocka_unit_test(streamhosts_are_compared_as_normalised_jids),
        cmocka_unit_test(another_resource_is_another_streamhost),
        cmocka_unit_test(what_is_no_jid_is_no_streamhost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
