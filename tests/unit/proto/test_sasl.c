/* Which mechanism is chosen, and which iteration counts are computed. */
#include "table.h"

#include "proto/sasl.h"
#include "xferry/error.h"

/* --- the choice ---------------------------------------------------------- */

static const char *const all[] = { "PLAIN",         "SCRAM-SHA-1",
                                   "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS",
                                   "GSSAPI",        "SCRAM-SHA-256-PLUS" };

static void offer(struct xf_features *features, const char *mechanism)
{
    memcpy(features->mechanisms[features->mechanisms_count++], mechanism,
           strlen(mechanism) + 1);
}

static const struct {
    const char *name;
    bool said;
    unsigned bindings;
} announced[] = {
    { "not told", false, 0 },
    { "others only", true, 0 },
    { "unique", true, XF_BINDING_UNIQUE },
    { "exporter", true, XF_BINDING_EXPORTER },
    { "end-point", true, XF_BINDING_END_POINT },
    { "all three", true,
      XF_BINDING_UNIQUE | XF_BINDING_EXPORTER | XF_BINDING_END_POINT },
};

static const struct {
    const char *name;
    bool tls;
    struct xf_login_binding binding;
} connections[] = {
    { "no TLS", false, { .tls13 = false } },
    { "TLS 1.2", true, { .unique_len = 12, .exporter_len = 32 } },
    { "TLS 1.2, no unique", true, { .exporter_len = 32 } },
    { "TLS 1.3", true, { .tls13 = true, .exporter_len = 32 } },
    { "TLS 1.3 with a unique", true, { .tls13 = true, .unique_len = 12 } },
    { "TLS, no binding", true, { .tls13 = true } },
};

static void print_choice(FILE *out, size_t connection, size_t said,
                         const char *what, struct xf_features *features)
{
    unsigned kind = 0;
    const char *chosen;

    features->bindings_said = announced[said].said;
    features->bindings = announced[said].bindings;
    chosen = xf_sasl_choose(
        features,
        connections[connection].tls ? &connections[connection].binding : NULL,
        &kind);
    fprintf(out, "%s; announced: %s; offered: %s => %s%s%s\n",
            connections[connection].name, announced[said].name, what,
            chosen ? chosen : "-",
            kind == XF_BINDING_UNIQUE ? " tls-unique" : "",
            kind == XF_BINDING_EXPORTER ? " tls-exporter" : "");
}

static void each_connection_gets_the_best_mechanism_it_allows(void **state)
{
    struct xf_features every = { 0 }, scram = { 0 }, plain = { 0 };
    struct table t;

    (void)state;
    for (size_t i = 0; i < COUNT(all); i++)
        offer(&every, all[i]);
    offer(&scram, "SCRAM-SHA-1");
    offer(&scram, "SCRAM-SHA-1-PLUS");
    offer(&plain, "PLAIN");
    table_begin(&t, "sasl");
    for (size_t c = 0; c < COUNT(connections); c++) {
        for (size_t a = 0; a < COUNT(announced); a++) {
            print_choice(t.out, c, a, "all", &every);
            print_choice(t.out, c, a, "SHA-1, PLUS", &scram);
            print_choice(t.out, c, a, "PLAIN", &plain);
        }
    }
    table_check(&t);
}

static void the_order_is_ours_and_not_the_servers(void **state)
{
    static const char *const order[] = { "SCRAM-SHA-256-PLUS",
                                         "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256",
                                         "SCRAM-SHA-1", "PLAIN" };
    const struct xf_login_binding binding = { .unique_len = 12 };
    unsigned kind;

    (void)state;
    for (size_t first = 0; first < COUNT(order); first++) {
        struct xf_features features = { 0 };

        for (size_t i = COUNT(order); i-- > first;)
            offer(&features, order[i]);
        assert_string_equal(xf_sasl_choose(&features, &binding, &kind),
                            order[first]);
        assert_int_equal(kind, first < 2 ? XF_BINDING_UNIQUE : 0);
    }
}

static void binding_types_are_known_by_their_names(void **state)
{
    (void)state;
    assert_int_equal(xf_binding_of("tls-unique"), XF_BINDING_UNIQUE);
    assert_int_equal(xf_binding_of("tls-exporter"), XF_BINDING_EXPORTER);
    assert_int_equal(xf_binding_of("tls-server-end-point"),
                     XF_BINDING_END_POINT);
    assert_int_equal(xf_binding_of("TLS-UNIQUE"), 0);
    assert_int_equal(xf_binding_of(""), 0);
}

/* --- the iteration count ------------------------------------------------- */

/* In memory of its own size, so that a read too far is seen. */
static int iterations_of(const char *message, uint64_t *out)
{
    size_t len = strlen(message);
    char *copy = malloc(len > 0 ? len : 1);
    int result;

    assert_non_null(copy);
    memcpy(copy, message, len);
    result = xf_scram_iterations(copy, len, out);
    free(copy);
    return result;
}

static void counts_from_1_to_200000_are_taken(void **state)
{
    uint64_t count = 0;

    (void)state;
    assert_int_equal(iterations_of("r=a,s=cw==,i=1", &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(iterations_of("r=a,s=cw==,i=4096", &count), 0);
    assert_int_equal(count, 4096);
    assert_int_equal(iterations_of("r=a,s=cw==,i=200000", &count), 0);
    assert_int_equal(count, 200000);
    assert_int_equal(iterations_of("r=a,s=cw==,i=4096,x=more", &count), 0);
}

static void counts_above_are_refused_before_any_work(void **state)
{
    static const char *const messages[] = {
        "r=a,s=cw==,i=200001",
        "r=a,s=cw==,i=10000000",
        "r=a,s=cw==,i=4294967297", /* 1 modulo 2^32 */
        "r=a,s=cw==,i=18446744073709551615",
        "r=a,s=cw==,i=18446744073709551617", /* 1 modulo 2^64 */
        "r=a,s=cw==,i=99999999999999999999999999999999999999999",
    };
    uint64_t count;

    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++)
        assert_int_equal(iterations_of(messages[i], &count), XF_E_POLICY);
}

static void malformed_first_messages_are_refused(void **state)
{
    static const char *const messages[] = {
        "",
        "r",
        "r=",
        "r=a",
        "r=a,",
        "r=a,s",
        "r=a,s=cw==",
        "r=a,s=cw==,",
        "r=a,s=cw==,i",
        "r=a,s=cw==,i=",
        "r=a,s=cw==,i=0",
        "r=a,s=cw==,i=00",
        "r=a,s=cw==,i=-1",
        "r=a,s=cw==,i=+1",
        "r=a,s=cw==,i= 1",
        "r=a,s=cw==,i=1 ",
        "r=a,s=cw==,i=0x10",
        "r=a,s=cw==,i=,x=1",
        "s=cw==,r=a,i=1",
        "i=1,r=a,s=cw==",
        "m=x,r=a,s=cw==,i=1",
        "e=unknown-user",
        "v=c2lnbmF0dXJl",
    };
    uint64_t count;

    (void)state;
    for (size_t i = 0; i < COUNT(messages); i++)
        assert_int_equal(iterations_of(messages[i], &count), XF_E_PROTO);
}

static void a_zero_byte_ends_no_message(void **state)
{
    static const char message[] = "r=a,s=cw==,i=1\0000000";
    uint64_t count;

    (void)state;
    assert_int_equal(xf_scram_iterations(message, sizeof message - 1, &count),
                     XF_E_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_connection_gets_the_best_mechanism_it_allows),
        cmocka_unit_test(the_order_is_ours_and_not_the_servers),
        cmocka_unit_test(binding_types_are_known_by_their_names),
        cmocka_unit_test(counts_from_1_to_200000_are_taken),
        cmocka_unit_test(counts_above_are_refused_before_any_work),
        cmocka_unit_test(malformed_first_messages_are_refused),
        cmocka_unit_test(a_zero_byte_ends_no_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
