/* Whether a finding is one line, for scripts and for people, whatever it
 * says. */
#include "cli_test.h"

#include "escape.h"
#include "json.h"
#include "probe.h"

static void json_is(const struct xf_event *ev, const char *want)
{
    const struct xf_json_more none = { 0 };
    struct ink ink;

    xf_json_event(ink_begin(&ink), ev, &none);
    assert_string_equal(ink_end(&ink), want);
    free(ink.text);
}

static void words_are(const struct xf_event *ev, const char *want)
{
    struct ink ink;

    xf_probe_print(ink_begin(&ink), ev);
    assert_string_equal(ink_end(&ink), want);
    free(ink.text);
}

static void the_server_and_the_rate(void **state)
{
    struct xf_probe p = { .item = XF_PROBE_SERVER,
                          .jid = "h",
                          .software = "S 1",
                          .tls = "TLSv1.3",
                          .mechanism = "M",
                          .acks = true,
                          .stanza_limit = 5 };
    struct xf_event ev = { .type = XF_EVENT_PROBE, .peer = "j@h", .probe = &p };

    (void)state;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"server\","
                 "\"jid\":\"h\",\"software\":\"S 1\",\"tls\":\"TLSv1.3\","
                 "\"mechanism\":\"M\",\"acks\":true,\"stanza_limit\":5}\n");
    words_are(&ev, "server   h, S 1, TLSv1.3, M, acknowledges stanzas, takes "
                   "stanzas up to 5 bytes\n");
    p = (struct xf_probe){ .item = XF_PROBE_SERVER, .jid = "h" };
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"server\","
                 "\"jid\":\"h\",\"software\":null,\"tls\":null,"
                 "\"mechanism\":null,\"acks\":false,\"stanza_limit\":null}\n");
    p = (struct xf_probe){ .item = XF_PROBE_RATE, .answers = true };
    ev.elapsed_ms = 7;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"rate\","
                 "\"rate\":null,\"limited\":false,\"seconds\":0.007}\n");
    p.rate = 9000;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"rate\","
                 "\"rate\":9000,\"limited\":true,\"seconds\":0.007}\n");
    words_are(&ev, "rate     the server takes 9.0 kB/s of us, answers a ping "
                   "in 0.007 s\n");
    p.answers = false;
    ev.text = "no answer in time";
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"rate\","
                 "\"rate\":null,\"limited\":null,"
                 "\"text\":\"no answer in time\"}\n");
}

static void programs_and_their_dialect(void **state)
{
    struct xf_probe p = { .item = XF_PROBE_RESOURCE,
                          .jid = "j@h/r",
                          .online = true,
                          .priority = -1,
                          .answers = true,
                          .files = true,
                          .socks5 = true,
                          .chosen = true };
    struct xf_event ev = { .type = XF_EVENT_PROBE, .peer = "j@h", .probe = &p };

    (void)state;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"resource\","
                 "\"jid\":\"j@h/r\",\"software\":null,\"priority\":-1,"
                 "\"answers\":true,\"files\":true,\"socks5\":true,"
                 "\"in_band\":false,\"chosen\":true}\n");
    words_are(&ev, "program  j@h/r, priority -1: takes files, SOCKS5; an offer "
                   "goes there\n");
    p = (struct xf_probe){ .item = XF_PROBE_DIALECT, .jid = "j@h/r" };
    ev.dialect = "smack";
    ev.evidence = "identity Spark";
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"dialect\","
                 "\"jid\":\"j@h/r\",\"dialect\":\"smack\","
                 "\"evidence\":\"identity Spark\"}\n");
    words_are(&ev, "dialect  smack (identity Spark)\n");
}

static void addresses_and_proxies(void **state)
{
    struct xf_probe p = { .item = XF_PROBE_ADDRESS };
    struct xf_event ev = { .type = XF_EVENT_PROBE,
                           .peer = "j@h",
                           .probe = &p,
                           .via = XF_VIA_DIRECT,
                           .host = "::1" };

    (void)state;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"address\","
                 "\"via\":\"direct\",\"host\":\"::1\"}\n");
    words_are(&ev, "address  ::1, a free port each time\n");
    p = (struct xf_probe){ .item = XF_PROBE_PROXY,
                           .jid = "p.h",
                           .answers = true,
                           .relays = XF_YES,
                           .told = true,
                           .relay_ms = 3 };
    ev.via = XF_VIA_PROXY;
    ev.host = "192.0.2.1";
    ev.port = 7777;
    ev.elapsed_ms = 2;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"proxy\","
                 "\"jid\":\"p.h\",\"via\":\"proxy\",\"host\":\"192.0.2.1\","
                 "\"port\":7777,\"answers\":true,\"relays\":true,"
                 "\"told\":true,\"seconds\":0.002,\"relay_seconds\":0.003}\n");
    words_are(&ev, "proxy    p.h at 192.0.2.1 port 7777: answers (0.002 s), "
                   "relays (0.003 s)\n");
    p.answers = p.told = false;
    p.relays = XF_NO;
    ev.text = "Connection refused";
    words_are(&ev, "proxy    p.h at 192.0.2.1 port 7777: Connection refused\n");
    p.relays = XF_NOT_KNOWN;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"proxy\","
                 "\"jid\":\"p.h\",\"via\":\"proxy\",\"host\":\"192.0.2.1\","
                 "\"port\":7777,\"answers\":false,\"relays\":null,"
                 "\"told\":false,\"text\":\"Connection refused\"}\n");
}

static void ways_and_the_end(void **state)
{
    struct xf_probe p = { .item = XF_PROBE_WAY,
                          .jid = "j@h/r",
                          .number = 3,
                          .second_offer = true,
                          .rate = 6500 };
    struct xf_event ev = { .type = XF_EVENT_PROBE,
                           .peer = "j@h",
                           .probe = &p,
                           .via = XF_VIA_IBB,
                           .block_size = 4096 };

    (void)state;
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"way\","
                 "\"jid\":\"j@h/r\",\"via\":\"ibb\",\"number\":3,"
                 "\"second_offer\":true,\"block_size\":4096,\"rate\":6500}\n");
    words_are(&ev, "way      3. in-band, 4096-byte blocks, 6.5 kB/s of the "
                   "file, by a second offer\n");
    p = (struct xf_probe){ .item = XF_PROBE_END };
    ev = (struct xf_event){
        .type = XF_EVENT_PROBE, .peer = "j@h", .probe = &p, .elapsed_ms = 1234
    };
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"end\","
                 "\"exit\":0,\"seconds\":1.234}\n");
    words_are(&ev, "result   a transfer could work (probed in 1.2 s)\n");
    ev.code = XF_E_NOPEER;
    ev.text = "gone";
    json_is(&ev, "{\"event\":\"probe\",\"peer\":\"j@h\",\"item\":\"end\","
                 "\"code\":\"E-NOPEER\",\"exit\":13,\"text\":\"gone\","
                 "\"seconds\":1.234}\n");
    words_are(&ev, ""); /* an error is told as errors are */
}

static void assert_one_safe_line(const char *text, size_t len)
{
    uint32_t c;
    size_t n;

    assert_true(len > 0 && text[len - 1] == '\n');
    for (size_t i = 0; i + 1 < len; i += n) {
        n = xf_escape_char(text + i, len - 1 - i, &c);
        assert_true(n > 0);
        assert_false(c & XF_ESCAPE_BYTE);
        assert_false(xf_escape_is_unsafe(c));
    }
}

static void hostile_strings_stay_within_their_line(void **state)
{
    const struct xf_json_more none = { 0 };
    char text[4][256];
    uint32_t seed = 7;
    struct ink ink;

    (void)state;
    for (int i = 0; i < 40000; i++) {
        struct xf_probe p = {
            .item = (enum xf_probe_item)(i % (XF_PROBE_END + 1)),
            .jid = text[0],
            .software = text[1],
            .tls = text[2],
            .mechanism = text[3],
            .answers = i & 16,
        };
        struct xf_event ev = { .type = XF_EVENT_PROBE,
                               .probe = &p,
                               .peer = text[0],
                               .host = text[1],
                               .text = text[2],
                               .dialect = text[3],
                               .evidence = text[1] };

        for (int k = 0; k < 4; k++)
            hostile_text(&seed, text[k], sizeof text[k]);
        xf_json_event(ink_begin(&ink), &ev, &none);
        ink_end(&ink);
        assert_one_safe_line(ink.text, ink.len);
        free(ink.text);
        xf_probe_print(ink_begin(&ink), &ev);
        ink_end(&ink);
        assert_one_safe_line(ink.text, ink.len);
        free(ink.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_server_and_the_rate),
        cmocka_unit_test(programs_and_their_dialect),
        cmocka_unit_test(addresses_and_proxies),
        cmocka_unit_test(ways_and_the_end),
        cmocka_unit_test(hostile_strings_stay_within_their_line),
    };

    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
