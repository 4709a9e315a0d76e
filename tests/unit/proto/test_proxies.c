/* The search for proxies, as timelines of questions and answers. */
#include "table.h"

#include <errno.h>

#include "base/sys.h"
#include "proto/proxies.h"

#define SERVER "example.net"
#define PROXY "proxy.example.net"

static struct xf_proxies *search(const char *const *configured,
                                 const char *domain)
{
    struct xf_proxies *p = xf_proxies_new(configured, domain);

    assert_non_null(p);
    return p;
}

static void assert_asks(struct xf_proxies *p, enum xf_proxy_ask kind,
                        const char *jid)
{
    struct xf_proxy_question q;

    assert_true(xf_proxies_next(p, &q));
    assert_int_equal(q.kind, kind);
    assert_string_equal(q.jid, jid);
}

static void assert_asks_nothing(struct xf_proxies *p)
{
    struct xf_proxy_question q;

    assert_false(xf_proxies_next(p, &q));
}

static void items(struct xf_proxies *p, const char *a, const char *b)
{
    const char *const jids[] = { a, b };

    xf_proxies_items(p, jids, b ? 2 : 1, 0);
}

static void address(struct xf_proxies *p, const char *jid, const char *host,
                    uint16_t port)
{
    const struct xf_streamhost one = { jid, host, port };

    xf_proxies_address(p, jid, &one, 1);
}

static void assert_list(const struct xf_proxies *p, const char *want)
{
    struct xf_streamhost hosts[XF_PROXIES_MAX];
    size_t count = xf_proxies_list(p, hosts), len = 0;
    char text[1024] = "";

    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s=%s:%u ",
                                hosts[i].jid, hosts[i].host, hosts[i].port);
    assert_string_equal(text, want);
}

/* --- timelines ----------------------------------------------------------- */

static void a_proxy_is_found_item_by_item(void **state)
{
    struct xf_proxies *p = search(NULL, SERVER);

    (void)state;
    assert_asks_nothing(p);
    xf_proxies_prepare(p, 100);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_asks_nothing(p);
    assert_int_equal(xf_proxies_deadline(p, 100), 3100);
    items(p, "rooms.example.net", PROXY);
    assert_asks(p, XF_PROXY_ASK_INFO, "rooms.example.net");
    assert_asks(p, XF_PROXY_ASK_INFO, PROXY);
    assert_asks_nothing(p);
    xf_proxies_info(p, PROXY, true);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    xf_proxies_info(p, "rooms.example.net", false);
    assert_asks_nothing(p);
    assert_false(xf_proxies_ready(p, 200));
    address(p, PROXY, "192.0.2.1", 5000);
    assert_true(xf_proxies_ready(p, 200));
    assert_int_equal(xf_proxies_deadline(p, 200), INT64_MAX);
    assert_list(p, PROXY "=192.0.2.1:5000 ");
    xf_proxies_free(p);
}

static void configured_proxies_come_first_whoever_answers_first(void **state)
{
    static const char *const configured[] = { "b.example.org", "A.example.org",
                                              NULL };
    struct xf_proxies *p = search(configured, SERVER);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, "b.example.org");
    assert_asks(p, XF_PROXY_ASK_ADDRESS, "a.example.org");
    items(p, PROXY, "b.example.org"); /* that one is asked already */
    assert_asks(p, XF_PROXY_ASK_INFO, PROXY);
    assert_asks_nothing(p);
    xf_proxies_info(p, PROXY, true);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    address(p, PROXY, "192.0.2.1", 1);
    address(p, "a.example.org", "192.0.2.2", 2);
    assert_list(p, "a.example.org=192.0.2.2:2 " PROXY "=192.0.2.1:1 ");
    address(p, "b.example.org", "192.0.2.3", 3);
    assert_list(p, "b.example.org=192.0.2.3:3 a.example.org=192.0.2.2:2 " PROXY
                   "=192.0.2.1:1 ");
    xf_proxies_free(p);
}

static void what_fails_is_passed_over(void **state)
{
    static const char *const configured[] = { "dead.example.org", NULL };
    struct xf_proxies *p = search(configured, SERVER);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, "dead.example.org");
    xf_proxies_failed(p, XF_PROXY_ASK_ADDRESS, "dead.example.org");
    items(p, "rooms.example.net", PROXY);
    assert_asks(p, XF_PROXY_ASK_INFO, "rooms.example.net");
    assert_asks(p, XF_PROXY_ASK_INFO, PROXY);
    xf_proxies_failed(p, XF_PROXY_ASK_INFO, "rooms.example.net");
    xf_proxies_info(p, PROXY, true);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    address(p, PROXY, "192.0.2.1", 5000);
    assert_true(xf_proxies_ready(p, 1));
    assert_list(p, PROXY "=192.0.2.1:5000 ");
    xf_proxies_free(p);
}

static void a_server_without_items_ends_the_search(void **state)
{
    struct xf_proxies *p = search(NULL, SERVER);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_false(xf_proxies_ready(p, 0)); /* not even asked */
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_false(xf_proxies_ready(p, 0));
    xf_proxies_failed(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_true(xf_proxies_ready(p, 0));
    assert_list(p, "");
    xf_proxies_free(p);
}

static void nobody_waits_longer_than_3_seconds(void **state)
{
    struct xf_proxies *p = search(NULL, SERVER);

    (void)state;
    xf_proxies_prepare(p, 1000);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_false(xf_proxies_ready(p, 3999));
    assert_int_equal(xf_proxies_deadline(p, 3999), 4000);
    assert_true(xf_proxies_ready(p, 4000));
    assert_int_equal(xf_proxies_deadline(p, 4000), INT64_MAX);
    xf_proxies_free(p);
}

static void a_late_answer_serves_the_next_transfer(void **state)
{
    struct xf_proxies *p = search(NULL, SERVER);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    items(p, PROXY, NULL);
    assert_asks(p, XF_PROXY_ASK_INFO, PROXY);
    assert_true(xf_proxies_ready(p, 5000));
    xf_proxies_info(p, PROXY, true);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    address(p, PROXY, "192.0.2.1", 5000);
    xf_proxies_prepare(p, 6000);
    assert_asks_nothing(p);
    assert_true(xf_proxies_ready(p, 6000));
    assert_list(p, PROXY "=192.0.2.1:5000 ");
    xf_proxies_free(p);
}

static void the_list_is_good_for_10_minutes(void **state)
{
    static const char *const configured[] = { PROXY, NULL };
    struct xf_proxies *p = search(configured, NULL);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    assert_asks_nothing(p);
    address(p, PROXY, "192.0.2.1", 5000);
    xf_proxies_prepare(p, XF_PROXIES_FRESH_MS - 1);
    assert_asks_nothing(p);
    assert_list(p, PROXY "=192.0.2.1:5000 ");
    xf_proxies_prepare(p, XF_PROXIES_FRESH_MS);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    assert_false(xf_proxies_ready(p, XF_PROXIES_FRESH_MS));
    address(p, PROXY, "192.0.2.2", 5000);
    assert_list(p, PROXY "=192.0.2.2:5000 ");
    xf_proxies_free(p);
}

static void a_lost_stream_keeps_the_list_and_searches_anew(void **state)
{
    static const char *const configured[] = { PROXY, NULL };
    struct xf_proxies *p = search(configured, SERVER);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    address(p, PROXY, "192.0.2.1", 5000);
    xf_proxies_forget_questions(p);
    assert_true(xf_proxies_ready(p, 1));
    assert_list(p, PROXY "=192.0.2.1:5000 ");
    xf_proxies_prepare(p, 2);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    xf_proxies_failed(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    address(p, PROXY, "192.0.2.1", 5000);
    /* All was answered: nothing is lost with the stream. */
    xf_proxies_forget_questions(p);
    xf_proxies_prepare(p, 3);
    assert_asks_nothing(p);
    xf_proxies_free(p);
}

/* --- answers nobody asked for -------------------------------------------- */

static void unasked_answers_change_nothing(void **state)
{
    struct xf_proxies *p = search(NULL, SERVER);

    (void)state;
    items(p, PROXY, NULL);
    xf_proxies_prepare(p, 0);
    items(p, PROXY, NULL); /* before the question has left */
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    address(p, PROXY, "192.0.2.66", 1);
    xf_proxies_info(p, PROXY, true);
    assert_asks_nothing(p);
    items(p, PROXY, NULL);
    items(p, "other.example.net", NULL); /* twice */
    address(p, PROXY, "192.0.2.66", 1);  /* too early */
    xf_proxies_info(p, PROXY, true);     /* too early */
    assert_asks(p, XF_PROXY_ASK_INFO, PROXY);
    assert_asks_nothing(p);
    address(p, PROXY, "192.0.2.66", 1); /* to another question */
    xf_proxies_failed(p, XF_PROXY_ASK_ADDRESS, PROXY);
    xf_proxies_info(p, PROXY, true);
    xf_proxies_info(p, PROXY, false); /* twice */
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    address(p, PROXY, "192.0.2.1", 5000);
    address(p, PROXY, "192.0.2.66", 1); /* twice */
    assert_list(p, PROXY "=192.0.2.1:5000 ");
    xf_proxies_free(p);
}

/* ejabberd's proxies announce a JID with a resource. */
static void the_streamhosts_own_jid_is_listed(void **state)
{
    const struct xf_streamhost host = { PROXY "/node-1", "192.0.2.1", 7777 };
    static const char *const configured[] = { PROXY, NULL };
    struct xf_proxies *p = search(configured, NULL);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    xf_proxies_address(p, PROXY, &host, 1);
    assert_list(p, PROXY "/node-1=192.0.2.1:7777 ");
    xf_proxies_free(p);
}

/* --- ceilings ------------------------------------------------------------ */

static void one_proxy_gives_4_addresses_and_all_give_16(void **state)
{
    static const char *const configured[] = { "a.org", "b.org", "c.org",
                                              "d.org", "e.org", NULL };
    struct xf_streamhost hosts[40], out[XF_PROXIES_MAX];
    struct xf_proxies *p = search(configured, NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++)
        hosts[i] = (struct xf_streamhost){ "x.org", "192.0.2.1", 1 };
    xf_proxies_prepare(p, 0);
    for (size_t i = 0; configured[i]; i++) {
        assert_asks(p, XF_PROXY_ASK_ADDRESS, configured[i]);
        xf_proxies_address(p, configured[i], hosts, COUNT(hosts));
        assert_int_equal(xf_proxies_list(p, out), i < 4 ? 4 * (i + 1) : 16);
    }
    xf_proxies_free(p);
}

static void no_more_than_64_items_are_asked(void **state)
{
    static char names[1000][32];
    static const char *jids[1000];
    struct xf_proxies *p = search(NULL, SERVER);
    struct xf_proxy_question q;
    size_t asked = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(jids); i++) {
        snprintf(names[i], sizeof names[i], "s%zu.example.net", i);
        jids[i] = names[i];
    }
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    xf_proxies_items(p, jids, COUNT(jids), 0);
    while (asked < COUNT(jids) && xf_proxies_next(p, &q))
        asked++;
    assert_int_equal(asked, XF_PROXY_ITEMS_MAX);
    xf_proxies_free(p);
}

static void what_is_no_jid_is_not_asked(void **state)
{
    struct xf_proxies *p = search(NULL, SERVER);

    (void)state;
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    items(p, "not a jid", "@");
    assert_asks_nothing(p);
    assert_true(xf_proxies_ready(p, 0));
    xf_proxies_free(p);
}

static int fail_at(enum xf_sys_call call, void *ctx)
{
    int *left = ctx;

    return call == XF_SYS_ALLOC && (*left)-- == 0 ? ENOMEM : 0;
}

static void no_memory_leaves_some_out_and_nothing_leaks(void **state)
{
    static const char *const configured[] = { PROXY, NULL };
    struct xf_proxy_question q;
    bool all_well = false;

    (void)state;
    for (int n = 0; n < 20 && !all_well; n++) {
        struct xf_streamhost out[XF_PROXIES_MAX];
        struct xf_proxies *p;
        int left = n;

        xf_sys_set_gate(fail_at, &left);
        p = xf_proxies_new(configured, SERVER);
        if (p) {
            xf_proxies_prepare(p, 0);
            while (xf_proxies_next(p, &q))
                ;
            address(p, PROXY, "192.0.2.1", 5000);
            all_well = xf_proxies_list(p, out) == 1;
        }
        xf_sys_set_gate(NULL, NULL);
        assert_int_equal(all_well, left >= 0);
        xf_proxies_free(p);
    }
    assert_true(all_well);
    xf_proxies_free(NULL);
}

/* Each of four is the first about as often; and none is lost. */
static void several_proxies_share_the_users(void **state)
{
    static const char *const jids[] = { "a.example", "b.example", "c.example",
                                        "d.example" };
    int first[4] = { 0 };

    (void)state;
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct xf_proxies *p = search(NULL, SERVER);
        struct xf_proxy_question q;
        int seen = 0;

        xf_proxies_prepare(p, 0);
        assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
        xf_proxies_items(p, jids, 4, seed * UINT64_C(0x9e3779b97f4a7c15));
        for (int i = 0; xf_proxies_next(p, &q); i++) {
            seen |= 1 << (q.jid[0] - 'a');
            first[q.jid[0] - 'a'] += i == 0;
        }
        assert_int_equal(seen, 15);
        xf_proxies_free(p);
    }
    for (int i = 0; i < 4; i++)
        assert_in_range(first[i], 800, 1200);
}

static void who_was_asked_and_gave_no_address_is_named(void **state)
{
    static const char *const configured[] = { "mute.example", PROXY, NULL };
    const char *out[XF_PROXIES_MAX];
    struct xf_proxies *p = search(configured, SERVER);

    (void)state;
    assert_int_equal(xf_proxies_mute(p, out), 0);
    xf_proxies_prepare(p, 0);
    assert_asks(p, XF_PROXY_ASK_ITEMS, SERVER);
    assert_asks(p, XF_PROXY_ASK_ADDRESS, "mute.example");
    assert_asks(p, XF_PROXY_ASK_ADDRESS, PROXY);
    items(p, "rooms.example.net", NULL);
    assert_asks(p, XF_PROXY_ASK_INFO, "rooms.example.net");
    xf_proxies_info(p, "rooms.example.net", false);
    assert_int_equal(xf_proxies_mute(p, out), 2);
    address(p, PROXY, "192.0.2.1", 7777);
    xf_proxies_failed(p, XF_PROXY_ASK_ADDRESS, "mute.example");
    assert_int_equal(xf_proxies_mute(p, out), 1);
    assert_string_equal(out[0], "mute.example");
    xf_proxies_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proxy_is_found_item_by_item),
        cmocka_unit_test(configured_proxies_come_first_whoever_answers_first),
        cmocka_unit_test(what_fails_is_passed_over),
        cmocka_unit_test(a_server_without_items_ends_the_search),
        cmocka_unit_test(nobody_waits_longer_than_3_seconds),
        cmocka_unit_test(a_late_answer_serves_the_next_transfer),
        cmocka_unit_test(the_list_is_good_for_10_minutes),
        cmocka_unit_test(a_lost_stream_keeps_the_list_and_searches_anew),
        cmocka_unit_test(unasked_answers_change_nothing),
        cmocka_unit_test(the_streamhosts_own_jid_is_listed),
        cmocka_unit_test(one_proxy_gives_4_addresses_and_all_give_16),
        cmocka_unit_test(no_more_than_64_items_are_asked),
        cmocka_unit_test(what_is_no_jid_is_not_asked),
        cmocka_unit_test(no_memory_leaves_some_out_and_nothing_leaks),
        cmocka_unit_test(several_proxies_share_the_users),
        cmocka_unit_test(who_was_asked_and_gave_no_address_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
