/* SOCKS5 at both ends: every cut, every boundary value, every known oddity. */
#include "proto/socks5.h"

#include "table.h"

static const char hash[] = "0123456789abcdef0123456789abcdef01234567";

static const uint8_t greeting[] = { 5, 1, 0 };
static const uint8_t method[] = { 5, 0 };

/* A message and a name to print; bytes are shorter than the room. */
struct bytes {
    size_t len;
    uint8_t at[600];
};

static void add(struct bytes *b, const void *bytes, size_t len)
{
    assert_true(b->len + len <= sizeof b->at);
    memcpy(b->at + b->len, bytes, len);
    b->len += len;
}

/* Reply or request: `code` is REP or CMD; the name has any length. */
static struct bytes message(uint8_t code, const char *name, size_t len)
{
    struct bytes b = { 0 };

    add(&b, (uint8_t[]){ 5, code, 0, 3, (uint8_t)len }, 5);
    add(&b, name, len);
    add(&b, "\0\0", 2);
    return b;
}

/* A success with an address of that type. */
static struct bytes typed(uint8_t atyp, size_t address_len)
{
    struct bytes b = { 0 };

    add(&b, (uint8_t[]){ 5, 0, 0, atyp }, 4);
    for (size_t i = 0; i < address_len + 2; i++)
        add(&b, "\x7f", 1);
    return b;
}

/* --- feeding in pieces -------------------------------------------------- */

/*
 * What a stream does: it keeps what was not used, puts more behind it, and
 * hands over the whole again.
 */
struct line {
    struct bytes in, out;
    size_t used;
};

/* Only the bytes that are there may be read: a copy shows others to ASan. */
static uint8_t *copy_of(const uint8_t *in, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, in, len);
    return copy;
}

static size_t feed_client(struct xf_socks5_client *c, const uint8_t *in,
                          size_t len, uint8_t *out, size_t *out_len)
{
    uint8_t *copy = copy_of(in, len);
    size_t used = xf_socks5_client_feed(c, copy, len, out, out_len);

    free(copy);
    return used;
}

static size_t feed_server(struct xf_socks5_server *s, const uint8_t *in,
                          size_t len, uint8_t *out, size_t *out_len)
{
    uint8_t *copy = copy_of(in, len);
    size_t used = xf_socks5_server_feed(s, copy, len, out, out_len);

    free(copy);
    return used;
}

static void client_gets(struct xf_socks5_client *c, struct line *l,
                        const uint8_t *in, size_t len)
{
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len = 99;

    add(&l->in, in, len);
    l->used +=
        feed_client(c, l->in.at + l->used, l->in.len - l->used, out, &out_len);
    assert_true(l->used <= l->in.len);
    add(&l->out, out, out_len);
}

static void server_gets(struct xf_socks5_server *s, struct line *l,
                        const uint8_t *in, size_t len)
{
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len = 99;

    add(&l->in, in, len);
    l->used +=
        feed_server(s, l->in.at + l->used, l->in.len - l->used, out, &out_len);
    assert_true(l->used <= l->in.len);
    add(&l->out, out, out_len);
}

/* --- client ------------------------------------------------------------- */

static struct xf_socks5_client greeted(void)
{
    struct xf_socks5_client c;

    xf_socks5_client_init(&c, hash);
    assert_int_equal(c.state, XF_SOCKS5_GREETED);
    assert_int_equal(c.rep, -1);
    return c;
}

static struct xf_socks5_client requested(void)
{
    struct xf_socks5_client c = greeted();
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len;

    assert_int_equal(feed_client(&c, method, 2, out, &out_len), 2);
    assert_int_equal(c.state, XF_SOCKS5_REQUESTED);
    return c;
}

static void client_sends_two_messages_of_3_and_47_bytes(void **state)
{
    struct xf_socks5_client c = greeted();
    struct bytes request = message(1, hash, 40);
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len;

    (void)state;
    assert_int_equal(XF_SOCKS5_GREETING_LEN, sizeof greeting);
    assert_memory_equal(xf_socks5_greeting, greeting, sizeof greeting);
    assert_int_equal(feed_client(&c, method, 2, out, &out_len), 2);
    assert_int_equal(out_len, 47);
    assert_int_equal(out_len, request.len);
    assert_memory_equal(out, request.at, out_len);
}

/* Fed with all prefixes: not done before the last byte, done with it. */
static void assert_success(const struct bytes *reply, const char *behind)
{
    struct bytes all = *reply;
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len;

    add(&all, behind, strlen(behind));
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct xf_socks5_client c = requested();
        size_t used = feed_client(&c, all.at, cut, out, &out_len);

        assert_int_equal(used, cut < reply->len ? 0 : reply->len);
        assert_int_equal(c.state, cut < reply->len ? XF_SOCKS5_REQUESTED
                                                   : XF_SOCKS5_READY);
        assert_int_equal(out_len, 0);
    }
}

static void client_takes_any_address_in_a_success(void **state)
{
    static const size_t lens[] = { 0, 1, 39, 40, 41, 254, 255 };
    char name[255];

    (void)state;
    memset(name, 'x', sizeof name);
    for (size_t i = 0; i < COUNT(lens); i++) {
        struct bytes reply = message(0, name, lens[i]);

        assert_success(&reply, "");
        assert_success(&reply, "the file");
    }
    struct bytes echo = message(0, hash, 40);
    struct bytes purple = message(0, "192.0.2.17", 10);
    struct bytes ipv4 = typed(1, 4);
    struct bytes ipv6 = typed(4, 16);

    assert_success(&echo, "\x05\x05");
    assert_success(&purple, "x");
    assert_success(&ipv4, "x");
    assert_success(&ipv6, "x");
}

/* `at`: the byte at which it is hopeless, whatever follows. */
static void assert_failure(const struct bytes *reply, size_t at, int rep)
{
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len;

    for (size_t cut = 0; cut <= reply->len; cut++) {
        struct xf_socks5_client c = requested();
        size_t used = feed_client(&c, reply->at, cut, out, &out_len);

        assert_int_equal(c.state,
                         cut <= at ? XF_SOCKS5_REQUESTED : XF_SOCKS5_FAILED);
        assert_int_equal(used, cut <= at ? 0 : cut);
        assert_int_equal(c.rep, cut <= at ? -1 : rep);
        assert_int_equal(out_len, 0);
    }
}

static void client_fails_at_the_first_byte_that_is_wrong(void **state)
{
    static const uint8_t no_type[] = { 0, 2, 5, 0xff };

    (void)state;
    for (int rep = 1; rep < 256; rep++) {
        struct bytes b = message((uint8_t)rep, hash, 40);

        assert_failure(&b, 1, rep);
        b.len = 2; /* all that Dino sends */
        assert_failure(&b, 1, rep);
    }
    for (int ver = 0; ver < 256; ver++) {
        struct bytes b = message(0, hash, 40);

        b.at[0] = (uint8_t)ver;
        if (ver != 5)
            assert_failure(&b, 0, -1);
    }
    for (int rsv = 1; rsv < 256; rsv++) {
        struct bytes b = message(0, hash, 40);

        b.at[2] = (uint8_t)rsv;
        assert_failure(&b, 2, -1);
    }
    for (size_t i = 0; i < COUNT(no_type); i++) {
        struct bytes b = typed(no_type[i], 40);

        assert_failure(&b, 3, -1);
    }
}

static void client_wants_no_password(void **state)
{
    (void)state;
    for (int ver = 0; ver < 256; ver++) {
        for (int m = 0; m < 256; m++) {
            struct xf_socks5_client c = greeted();
            struct line l = { 0 };
            bool well = ver == 5 && m == 0;

            client_gets(&c, &l, (uint8_t[]){ (uint8_t)ver }, 1);
            assert_int_equal(c.state,
                             ver == 5 ? XF_SOCKS5_GREETED : XF_SOCKS5_FAILED);
            client_gets(&c, &l, (uint8_t[]){ (uint8_t)m }, 1);
            assert_int_equal(c.state,
                             well ? XF_SOCKS5_REQUESTED : XF_SOCKS5_FAILED);
            assert_int_equal(l.out.len, well ? 47 : 0);
        }
    }
}

static void client_reads_at_most_262_bytes_of_garbage(void **state)
{
    uint64_t seed = 1;
    uint8_t in[XF_SOCKS5_MAX];
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len;

    (void)state;
    for (int round = 0; round < 100000; round++) {
        struct xf_socks5_client c = requested();

        for (size_t i = 0; i < sizeof in; i++)
            in[i] = (uint8_t)next_number(&seed);
        /* Let it come as far as it can. */
        memcpy(in, (uint8_t[]){ 5, 0, 0, 3 }, (size_t)round % 5);
        feed_client(&c, in, sizeof in, out, &out_len);
        assert_true(c.state == XF_SOCKS5_READY || c.state == XF_SOCKS5_FAILED);
    }
}

static void client_does_not_care_how_tcp_cuts(void **state)
{
    struct bytes all = { 0 };
    struct bytes reply = message(0, hash, 40);
    uint64_t seed = 2;

    (void)state;
    add(&all, method, 2);
    add(&all, reply.at, reply.len);
    add(&all, "file bytes", 10);
    for (int round = 0; round < 100000; round++) {
        struct xf_socks5_client c = greeted();
        struct line l = { 0 };

        while (l.in.len < all.len) {
            size_t piece = 1 + next_number(&seed) % (all.len - l.in.len);

            client_gets(&c, &l, all.at + l.in.len, piece);
        }
        assert_int_equal(c.state, XF_SOCKS5_READY);
        assert_int_equal(l.used, 2 + 47);
        assert_int_equal(l.out.len, 47);
    }
}

static void client_that_is_done_takes_nothing(void **state)
{
    struct bytes reply = message(0, hash, 40);
    struct xf_socks5_client c = requested();
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len = 99;

    (void)state;
    feed_client(&c, reply.at, reply.len, out, &out_len);
    assert_int_equal(feed_client(&c, reply.at, reply.len, out, &out_len), 0);
    assert_int_equal(out_len, 0);
    assert_int_equal(c.state, XF_SOCKS5_READY);
}

/* --- server ------------------------------------------------------------- */

static struct xf_socks5_server asked(void)
{
    struct bytes request = message(1, hash, 40);
    struct xf_socks5_server s;
    struct line l = { 0 };

    xf_socks5_server_init(&s);
    server_gets(&s, &l, greeting, sizeof greeting);
    assert_int_equal(s.state, XF_SOCKS5_REQUEST);
    server_gets(&s, &l, request.at, request.len);
    assert_int_equal(s.state, XF_SOCKS5_ASKED);
    return s;
}

static void server_echoes_the_request_in_47_bytes(void **state)
{
    static const enum xf_socks5_rep reps[] = {
        XF_SOCKS5_OK,
        XF_SOCKS5_FAILURE,
        XF_SOCKS5_NOT_ALLOWED,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(reps); i++) {
        struct xf_socks5_server s = asked();
        struct bytes want = message((uint8_t)reps[i], hash, 40);
        uint8_t out[XF_SOCKS5_MAX];

        assert_string_equal(s.dstaddr, hash);
        assert_int_equal(xf_socks5_server_answer(&s, reps[i], out), 47);
        assert_memory_equal(out, want.at, 47);
    }
}

static const char *const server_states[] = { "GREETING", "REQUEST", "ASKED",
                                             "REFUSED", "BROKEN" };

static void print_bytes(FILE *out, const uint8_t *bytes, size_t len)
{
    if (len == 0)
        fprintf(out, " -");
    for (size_t i = 0; i < len; i++)
        fprintf(out, " %02x", bytes[i]);
}

/* One row: what is said to a server, and all it says until it stops. */
static void server_row(struct table *t, const char *what,
                       const struct bytes *first, const struct bytes *second)
{
    struct xf_socks5_server whole;
    struct line l = { 0 };

    xf_socks5_server_init(&whole);
    server_gets(&whole, &l, first->at, first->len);
    if (second)
        server_gets(&whole, &l, second->at, second->len);
    fprintf(t->out, "%-36s -> %-8s says", what, server_states[whole.state]);
    print_bytes(t->out, l.out.at, l.out.len);
    fprintf(t->out, "\n");

    /* And so however it is cut: byte by byte, and in every two pieces. */
    struct bytes all = *first;

    if (second)
        add(&all, second->at, second->len);
    for (size_t cut = 0; cut <= all.len; cut++) {
        struct xf_socks5_server s;
        struct line m = { 0 };
        bool by_byte = cut == all.len;

        xf_socks5_server_init(&s);
        if (by_byte) {
            for (size_t i = 0; i < all.len; i++)
                server_gets(&s, &m, all.at + i, 1);
        } else {
            server_gets(&s, &m, all.at, cut);
            server_gets(&s, &m, all.at + cut, all.len - cut);
        }
        assert_int_equal(s.state, whole.state);
        assert_int_equal(m.out.len, l.out.len);
        assert_memory_equal(m.out.at, l.out.at, l.out.len);
        assert_string_equal(s.dstaddr, whole.dstaddr);
    }
}

static struct bytes greeting_with(uint8_t ver, size_t count, int none_at)
{
    struct bytes b = { 0 };

    add(&b, (uint8_t[]){ ver, (uint8_t)count }, 2);
    for (size_t i = 0; i < count; i++)
        add(&b, (int)i == none_at ? "\0" : "\x02", 1);
    return b;
}

static void greeting_rows(struct table *t)
{
    static const struct {
        uint8_t ver;
        uint8_t count;
        int none_at;
    } rows[] = {
        { 5, 1, 0 },     { 5, 2, 0 },      { 5, 2, 1 },  { 5, 255, 0 },
        { 5, 255, 254 }, { 5, 0, -1 },     { 5, 1, -1 }, { 5, 2, -1 },
        { 5, 255, -1 },  { 0, 1, 0 },      { 4, 1, 0 },  { 6, 1, 0 },
        { 255, 1, 0 },   { 'G', 'E', -1 },
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct bytes b =
            greeting_with(rows[i].ver, rows[i].count, rows[i].none_at);
        char what[64];

        snprintf(what, sizeof what, "greeting ver %d, %d methods, 0 %s",
                 rows[i].ver, rows[i].count,
                 rows[i].none_at < 0 ? "not in" : "in");
        server_row(t, what, &b, NULL);
    }
}

/* Each byte of the request that is fixed, at every boundary value. */
static void request_rows(struct table *t)
{
    static const struct {
        size_t at;
        const char *what;
        int values[9]; /* ends at -1 */
    } rows[] = {
        { 0, "ver", { 5, 0, 1, 4, 6, 0x7f, 0x80, 0xff, -1 } },
        { 1, "cmd", { 1, 0, 2, 3, 4, 0x80, 0xff, -1 } },
        { 2, "rsv", { 0, 1, 0x7f, 0x80, 0xff, -1 } },
        { 3, "atyp", { 3, 0, 1, 2, 4, 5, 0x80, 0xff, -1 } },
        { 4, "len", { 40, 0, 39, 41, 127, 128, 254, 255, -1 } },
        { 45, "port high", { 0, 1, 0x80, 0xff, -1 } },
        { 46, "port low", { 0, 1, 0x80, 0xff, -1 } },
    };
    struct bytes hello = greeting_with(5, 1, 0);

    for (size_t i = 0; i < COUNT(rows); i++) {
        for (size_t j = 0; rows[i].values[j] >= 0; j++) {
            struct bytes b = message(1, hash, 40);
            char what[64];

            b.at[rows[i].at] = (uint8_t)rows[i].values[j];
            snprintf(what, sizeof what, "request %s %d", rows[i].what,
                     rows[i].values[j]);
            server_row(t, what, &hello, &b);
        }
    }
}

static void hash_rows(struct table *t)
{
    static const char *const hashes[] = {
        "0123456789ABCDEF0123456789ABCDEF01234567",
        "0123456789abcdef0123456789abcdef0123456g",
        "/123456789abcdef0123456789abcdef01234567",
        "0123456789abcdef:123456789abcdef01234567",
        "0123456789abcdef0`23456789abcdef01234567",
        "0123456789abcdef0\303\2513456789abcdef01234567",
        "0123456789abcdef0 23456789abcdef01234567",
        "0123456789abcdef01\n3456789abcdef01234567",
    };
    static const size_t lens[] = { 0, 1, 39, 41, 255 };
    struct bytes hello = greeting_with(5, 1, 0);
    char long_hash[255];
    char what[64];

    for (size_t i = 0; i < COUNT(hashes); i++) {
        struct bytes b = message(1, hashes[i], 40);

        snprintf(what, sizeof what, "request hash form %zu", i);
        server_row(t, what, &hello, &b);
    }
    memset(long_hash, 'a', sizeof long_hash);
    for (size_t i = 0; i < COUNT(lens); i++) {
        struct bytes b = message(1, long_hash, lens[i]);

        snprintf(what, sizeof what, "request of a hash of %zu", lens[i]);
        server_row(t, what, &hello, &b);
    }
}

static void server_answers_as_the_table_says(void **state)
{
    struct table t;

    (void)state;
    table_begin(&t, "socks5_server");
    greeting_rows(&t);
    request_rows(&t);
    hash_rows(&t);
    table_check(&t);
}

static void server_does_not_fold_the_case_of_a_hash(void **state)
{
    static const char upper[] = "0123456789ABCDEF0123456789abcdef01234567";
    struct bytes request = message(1, upper, 40);
    struct xf_socks5_server s;
    struct line l = { 0 };

    (void)state;
    xf_socks5_server_init(&s);
    server_gets(&s, &l, greeting, sizeof greeting);
    server_gets(&s, &l, request.at, request.len);
    assert_string_equal(s.dstaddr, upper);
}

static void server_leaves_early_file_bytes(void **state)
{
    struct bytes all = { 0 };
    struct bytes request = message(1, hash, 40);
    struct xf_socks5_server s;
    struct line l = { 0 };
    uint8_t out[XF_SOCKS5_MAX];
    size_t out_len = 99;

    (void)state;
    add(&all, greeting, sizeof greeting);
    add(&all, request.at, request.len);
    add(&all, "\x05\x01\x00 a file", 10);
    xf_socks5_server_init(&s);
    server_gets(&s, &l, all.at, all.len);
    assert_int_equal(s.state, XF_SOCKS5_ASKED);
    assert_int_equal(l.used, 3 + 47);
    assert_int_equal(l.out.len, 2);
    assert_int_equal(feed_server(&s, all.at, all.len, out, &out_len), 0);
    assert_int_equal(out_len, 0);
}

static void two_ends_meet(void **state)
{
    struct xf_socks5_client c = greeted();
    struct xf_socks5_server s;
    struct line to_server = { 0 };
    struct line to_client = { 0 };
    uint8_t out[XF_SOCKS5_MAX];

    (void)state;
    xf_socks5_server_init(&s);
    server_gets(&s, &to_server, xf_socks5_greeting, XF_SOCKS5_GREETING_LEN);
    client_gets(&c, &to_client, to_server.out.at, to_server.out.len);
    server_gets(&s, &to_server, to_client.out.at, to_client.out.len);
    assert_int_equal(s.state, XF_SOCKS5_ASKED);
    client_gets(&c, &to_client, out,
                xf_socks5_server_answer(&s, XF_SOCKS5_OK, out));
    assert_int_equal(c.state, XF_SOCKS5_READY);
    assert_string_equal(s.dstaddr, hash);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(client_sends_two_messages_of_3_and_47_bytes),
        cmocka_unit_test(client_takes_any_address_in_a_success),
        cmocka_unit_test(client_fails_at_the_first_byte_that_is_wrong),
        cmocka_unit_test(client_wants_no_password),
        cmocka_unit_test(client_reads_at_most_262_bytes_of_garbage),
        cmocka_unit_test(client_does_not_care_how_tcp_cuts),
        cmocka_unit_test(client_that_is_done_takes_nothing),
        cmocka_unit_test(server_echoes_the_request_in_47_bytes),
        cmocka_unit_test(server_answers_as_the_table_says),
        cmocka_unit_test(server_does_not_fold_the_case_of_a_hash),
        cmocka_unit_test(server_leaves_early_file_bytes),
        cmocka_unit_test(two_ends_meet),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
