/* Whether every line is one valid JSON object, whatever a peer says. */
#include "cli_test.h"

#include "escape.h"
#include "json.h"

/* A checker of JSON (RFC 8259), stricter than it: no unsafe characters. */
static const char *value(const char *p);

static const char *blank_free(const char *p, char c)
{
    return p && *p == c ? p + 1 : NULL;
}

static const char *string(const char *p)
{
    if (!(p = blank_free(p, '"')))
        return NULL;
    while (*p != '"') {
        uint32_t c;
        size_t bytes = xf_escape_char(p, strlen(p), &c);

        if (bytes == 0 || xf_escape_is_unsafe(c))
            return NULL;
        p += bytes;
        if (c != '\\')
            continue;
        if (*p == 'u') {
            if (strspn(p + 1, "0123456789abcdef") < 4)
                return NULL;
            p += 5;
        } else if (*p == '"' || *p == '\\') {
            p++;
        } else {
            return NULL;
        }
    }
    return p + 1;
}

static const char *number(const char *p)
{
    size_t n = strspn(p, "0123456789");

    if (n == 0 || (n > 1 && *p == '0'))
        return NULL;
    p += n;
    if (*p == '.') {
        n = strspn(++p, "0123456789");
        p = n ? p + n : NULL;
    }
    return p;
}

static const char *object(const char *p)
{
    if (!(p = blank_free(p, '{')))
        return NULL;
    for (;;) {
        p = blank_free(string(p), ':');
        if (!p || !(p = value(p)))
            return NULL;
        if (*p != ',')
            return blank_free(p, '}');
        p++;
    }
}

static const char *word(const char *p, const char *w)
{
    return strncmp(p, w, strlen(w)) == 0 ? p + strlen(w) : NULL;
}

static const char *value(const char *p)
{
    switch (*p) {
    case '{':
        return object(p);
    case '"':
        return string(p);
    case 't':
        return word(p, "true");
    case 'f':
        return word(p, "false");
    case 'n':
        return word(p, "null");
    default:
        return number(p);
    }
}

static void is_one_line(const char *text)
{
    const char *end = object(text);

    assert_non_null(end);
    assert_string_equal(end, "\n");
}

static void event_is(const struct xf_event *ev, const struct xf_json_more *more,
                     const char *expected)
{
    struct ink ink;

    xf_json_event(ink_begin(&ink), ev, more);
    assert_string_equal(ink_end(&ink), expected);
    free(ink.text);
}

static void the_checker_refuses_what_is_not_json(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "{\"a\"}",
        "{\"a\":1",
        "{\"a\":01}",
        "{\"a\":\"\x1b\"}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\xff\"}",
        "{\"a\":.1}",
        "{\"a\":\"\\u12\"}",
        "{a:1}",
        "{\"a\":nul}",
        "{\"a\":1,}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *end = object(wrong[i]);

        assert_true(end == NULL || *end);
    }
    assert_string_equal(object("{\"a\":1.50,\"b\":{\"c\":null}}\n"), "\n");
}

static void each_event_has_its_fields(void **state)
{
    struct xf_json_more none = { 0 };
    struct xf_json_more more = { .id = 7,
                                 .jid = "me@h/x",
                                 .path = "in/a",
                                 .via = XF_VIA_IBB,
                                 .rate = 12.7 };
    struct xf_event ev = { .peer = "p@h/r", .name = "a", .total = 597 };

    (void)state;
    ev.type = XF_EVENT_ONLINE;
    event_is(&ev, &more, "{\"event\":\"online\",\"jid\":\"me@h/x\"}\n");
    more.again = true;
    event_is(&ev, &more,
             "{\"event\":\"online\",\"jid\":\"me@h/x\","
             "\"resumed\":false}\n");
    ev.resumed = true;
    event_is(&ev, &more,
             "{\"event\":\"online\",\"jid\":\"me@h/x\","
             "\"resumed\":true}\n");
    ev.type = XF_EVENT_LOST;
    ev.code = XF_E_STREAM;
    ev.text = "cut";
    event_is(&ev, &more,
             "{\"event\":\"lost\",\"code\":\"E-STREAM\",\"exit\":12,"
             "\"text\":\"cut\"}\n");
    ev.code = 0;
    ev.text = NULL;
    ev.type = XF_EVENT_OFFLINE;
    event_is(&ev, &none, "{\"event\":\"offline\",\"exit\":0}\n");
    ev.type = XF_EVENT_OFFER;
    ev.desc = "d";
    event_is(&ev, &more,
             "{\"event\":\"offer\",\"id\":7,\"direction\":\"receive\","
             "\"peer\":\"p@h/r\",\"name\":\"a\",\"size\":597,"
             "\"text\":\"d\"}\n");
    ev.type = XF_EVENT_ATTEMPT;
    ev.outgoing = true;
    ev.via = XF_VIA_DIRECT;
    ev.attempt = XF_ATTEMPT_FAILED;
    ev.host = "::1";
    ev.port = 7777;
    ev.code = XF_E_CONNECT;
    ev.text = "no route";
    ev.elapsed_ms = 1234;
    event_is(&ev, &more,
             "{\"event\":\"attempt\",\"id\":7,\"direction\":\"send\","
             "\"peer\":\"p@h/r\",\"name\":\"a\",\"via\":\"direct\","
             "\"state\":\"failed\",\"host\":\"::1\",\"port\":7777,"
             "\"offset\":0,\"code\":\"E-CONNECT\",\"exit\":30,"
             "\"text\":\"no route\",\"seconds\":1.234}\n");
    ev = (struct xf_event){ .type = XF_EVENT_ATTEMPT,
                            .outgoing = true,
                            .via = XF_VIA_IBB,
                            .attempt = XF_ATTEMPT_OPEN,
                            .block_size = 4096,
                            .rate = 7021,
                            .forecast_ms = 42729 };
    event_is(&ev, &more,
             "{\"event\":\"attempt\",\"id\":7,\"direction\":\"send\","
             "\"via\":\"ibb\",\"state\":\"open\",\"block_size\":4096,"
             "\"offset\":0,\"rate\":7021,\"forecast\":42.729}\n");
    ev = (struct xf_event){ .type = XF_EVENT_DONE,
                            .total = XF_SIZE_UNKNOWN,
                            .done = 5,
                            .elapsed_ms = 50,
                            .outgoing = true,
                            .confirmed = true };
    event_is(&ev, &more,
             "{\"event\":\"done\",\"id\":7,\"direction\":\"send\","
             "\"path\":\"in/a\",\"size\":null,\"bytes\":5,\"rate\":12,"
             "\"via\":\"ibb\",\"verified\":null,\"confirmed\":true,"
             "\"seconds\":0.050}\n");
    ev.outgoing = false;
    ev.verified = XF_VERIFIED;
    event_is(&ev, &none,
             "{\"event\":\"done\",\"direction\":\"receive\",\"size\":null,"
             "\"bytes\":5,\"verified\":true,\"seconds\":0.050}\n");
    ev.dialect = "libpurple";
    ev.evidence = "caps node http://pidgin.im/";
    event_is(&ev, &none,
             "{\"event\":\"done\",\"direction\":\"receive\",\"size\":null,"
             "\"bytes\":5,\"verified\":true,\"dialect\":\"libpurple\","
             "\"evidence\":\"caps node http://pidgin.im/\","
             "\"seconds\":0.050}\n");
    ev.dialect = ev.evidence = NULL;
    ev.type = XF_EVENT_FAILED;
    ev.verified = XF_MISMATCH;
    ev.code = XF_E_HASH;
    ev.text = "x";
    event_is(&ev, &none,
             "{\"event\":\"failed\",\"direction\":\"receive\",\"size\":null,"
             "\"bytes\":5,\"verified\":false,\"code\":\"E-HASH\",\"exit\":42,"
             "\"text\":\"x\",\"seconds\":0.050}\n");
}

static void a_trace_is_no_event_for_scripts(void **state)
{
    struct xf_event ev = { .type = XF_EVENT_TRACE, .stanza = "<iq/>" };
    struct xf_json_more none = { 0 };

    (void)state;
    event_is(&ev, &none, "");
}

static void hostile_strings_stay_within_their_line(void **state)
{
    char text[5][256];
    uint32_t seed = 42;
    struct ink ink;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct xf_json_more more = { .jid = text[0], .path = text[1] };
        struct xf_event ev = {
            .type = (enum xf_event_type)(i % XF_EVENT_TRACE),
            .peer = text[0],
            .name = text[1],
            .desc = text[2],
            .host = text[3],
            .text = text[4],
            .attempt = XF_ATTEMPT_FAILED,
            .code = XF_E_PROTO,
        };

        for (int k = 0; k < 5; k++)
            hostile_text(&seed, text[k], sizeof text[k]);
        xf_json_event(ink_begin(&ink), &ev, &more);
        is_one_line(ink_end(&ink));
        free(ink.text);
    }
}

static void strings_say_what_they_said(void **state)
{
    struct ink ink;

    (void)state;
    xf_json_string(ink_begin(&ink), "a\"\\\n\xff\xe2\x80\xae\xf3\xa0\x81\x81ü");
    assert_string_equal(ink_end(&ink),
                        "\"a\\\"\\\\\\u000a\\ufffd\\u202e\\udb40\\udc41ü\"");
    free(ink.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checker_refuses_what_is_not_json),
        cmocka_unit_test(each_event_has_its_fields),
        cmocka_unit_test(a_trace_is_no_event_for_scripts),
        cmocka_unit_test(strings_say_what_they_said),
        cmocka_unit_test(hostile_strings_stay_within_their_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
