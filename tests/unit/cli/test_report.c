/* Whether the user is told in whole lines, and nothing a peer said gets
 * through raw. */
#include "cli_test.h"

#include "escape.h"
#include "report.h"

struct stage {
    struct xf_options options;
    struct xf_report report;
    struct xf_item item;
    struct ink out, err;
};

static void begin(struct stage *s, bool terminal)
{
    memset(s, 0, sizeof *s);
    xf_options_init(&s->options, XF_COMMAND_RECEIVE);
    xf_report_init(&s->report, &s->options, ink_begin(&s->out),
                   ink_begin(&s->err));
    s->report.progress.terminal = terminal;
    s->report.dir = "in";
    s->item.name = strdup("a");
    s->item.peer = strdup("p@h/r");
    s->report.items = &s->item;
}

static void end(struct stage *s)
{
    xf_report_unask(&s->report);
    ink_end(&s->out);
    ink_end(&s->err);
    free(s->item.name);
    free(s->item.peer);
    free(s->item.path);
}

static void finish(struct stage *s)
{
    free(s->out.text);
    free(s->err.text);
}

static void tell(struct stage *s, struct xf_event ev)
{
    ev.peer = ev.peer ? ev.peer : "p@h/r";
    ev.name = ev.name ? ev.name : "a";
    xf_report_event(&s->report, &s->item, &ev, "me@h/x", true);
}

static void a_pipe_gets_whole_lines_with_names(void **state)
{
    struct stage s;

    (void)state;
    begin(&s, false);
    s.item.sending = true;
    tell(&s, (struct xf_event){ .type = XF_EVENT_OFFERED, .total = 597 });
    tell(&s, (struct xf_event){ .type = XF_EVENT_ACCEPTED });
    tell(&s, (struct xf_event){ .type = XF_EVENT_ATTEMPT,
                                .via = XF_VIA_DIRECT,
                                .host = "192.0.2.7",
                                .port = 7777 });
    tell(&s, (struct xf_event){ .type = XF_EVENT_ATTEMPT,
                                .via = XF_VIA_DIRECT,
                                .host = "192.0.2.7",
                                .port = 7777,
                                .attempt = XF_ATTEMPT_FAILED,
                                .code = XF_E_CONNECT,
                                .text = "no route",
                                .elapsed_ms = 300 });
    tell(&s, (struct xf_event){ .type = XF_EVENT_ATTEMPT,
                                .via = XF_VIA_IBB,
                                .block_size = 65535,
                                .attempt = XF_ATTEMPT_OPEN });
    s.item.open = false; /* the numbers of the event count, not our clock */
    tell(&s, (struct xf_event){
                 .type = XF_EVENT_DONE, .done = 597, .elapsed_ms = 410 });
    end(&s);
    assert_string_equal(s.err.text,
                        "a: offered to p@h/r\n"
                        "a: accepted\n"
                        "a: direct 192.0.2.7:7777 … no route (0.3 s)\n"
                        "a: in-band, 65535-byte blocks\n");
    assert_string_equal(s.out.text,
                        "a: sent (not confirmed), not verified, 597 "
                        "bytes in 0.41 s, 1.5 kB/s, in-band\n");
    finish(&s);
}

static void what_a_server_limits_is_told_before_it_starts(void **state)
{
    struct stage s;

    (void)state;
    begin(&s, true);
    tell(&s, (struct xf_event){ .type = XF_EVENT_ATTEMPT,
                                .via = XF_VIA_IBB,
                                .block_size = 4096,
                                .rate = 7021,
                                .forecast_ms = 42729,
                                .attempt = XF_ATTEMPT_OPEN });
    end(&s);
    assert_string_equal(s.err.text,
                        "  in-band, 4096-byte blocks, about 0:43 at 7.0 kB/s "
                        "(the server limits the rate)\n");
    finish(&s);
}

static void the_receiver_says_what_came_and_where_it_is(void **state)
{
    struct stage s;

    (void)state;
    begin(&s, false);
    tell(&s, (struct xf_event){
                 .type = XF_EVENT_DONE, .done = 597, .path = "a (1)" });
    end(&s);
    assert_string_equal(
        s.out.text,
        "received a 597 bytes (not verified) from p@h/r → in/a (1)\n");
    finish(&s);
}

static void quiet_leaves_only_the_errors(void **state)
{
    struct stage s;

    (void)state;
    begin(&s, true);
    s.report.lines = false;
    tell(&s, (struct xf_event){ .type = XF_EVENT_OFFER });
    tell(&s, (struct xf_event){ .type = XF_EVENT_PROGRESS, .total = 3 });
    tell(&s, (struct xf_event){ .type = XF_EVENT_DONE });
    tell(&s,
         (struct xf_event){ .type = XF_EVENT_FAILED, .code = XF_E_CANCELLED });
    end(&s);
    assert_string_equal(s.err.text, "xferry: a: cancelled (E-CANCELLED)\n");
    assert_string_equal(s.out.text, "");
    finish(&s);
}

/* On a terminal only our own two moves may be left. */
static void is_clean(const char *text)
{
    size_t len = strlen(text);
    size_t bytes;
    uint32_t c;

    for (; (bytes = xf_escape_char(text, len, &c)) != 0;
         text += bytes, len -= bytes) {
        if (c == '\n' || c == '\r')
            continue;
        if (c == 0x1b && strncmp(text, "\033[K", 3) == 0)
            continue;
        assert_false(xf_escape_is_unsafe(c));
    }
}

static void hostile_events_reach_no_terminal_raw(void **state)
{
    uint32_t seed = 3;
    char text[5][120];

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct stage s;

        for (int k = 0; k < 5; k++)
            hostile_text(&seed, text[k], sizeof text[k]);
        begin(&s, i & 1);
        s.options.verbose = i & 2;
        free(s.item.name);
        s.item.name = strdup(text[1]);
        tell(&s, (struct xf_event){ .type = (enum xf_event_type)(i % 9),
                                    .peer = text[0],
                                    .name = text[1],
                                    .desc = text[2],
                                    .path = text[2],
                                    .host = text[3],
                                    .text = text[4],
                                    .via = XF_VIA_PROXY,
                                    .attempt = (enum xf_attempt)(i % 3),
                                    .code = XF_E_PROTO });
        xf_report_ask(&s.report, &s.item, text[2]);
        end(&s);
        is_clean(s.err.text);
        is_clean(s.out.text);
        finish(&s);
    }
}

/* A long name must not push the sender out of sight. */
static void the_question_shows_all_of_the_offer_above_it(void **state)
{
    struct stage s;

    (void)state;
    begin(&s, true);
    s.item.total = 597;
    xf_report_ask(&s.report, &s.item, "for you");
    end(&s);
    assert_string_equal(s.err.text, "a ← p@h/r, 597 bytes, \"for you\"\n"
                                    "\raccept a? [y/N] \033[K\r\033[K");
    finish(&s);
}

static void dialect_is_told_with_v_and_again_when_it_is_another(void **state)
{
    struct stage s;

    (void)state;
    begin(&s, false);
    s.options.verbose = true;
    s.item.sending = true;
    tell(&s, (struct xf_event){ .type = XF_EVENT_OFFERED,
                                .dialect = "smack",
                                .evidence = "identity \"Smack\x1b\"" });
    tell(&s,
         (struct xf_event){ .type = XF_EVENT_ACCEPTED, .dialect = "smack" });
    tell(&s, (struct xf_event){ .type = XF_EVENT_ACCEPTED,
                                .dialect = "smack-3",
                                .evidence = "two values in the answer" });
    s.options.verbose = false;
    tell(&s,
         (struct xf_event){ .type = XF_EVENT_OFFERED, .dialect = "unknown" });
    end(&s);
    assert_string_equal(s.err.text,
                        "a: offered to p@h/r\n"
                        "a: speaks smack (identity \"Smack\\x1B\")\n"
                        "a: accepted\n"
                        "a: accepted\n"
                        "a: speaks smack-3 (two values in the answer)\n"
                        "a: offered to p@h/r\n");
    finish(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipe_gets_whole_lines_with_names),
        cmocka_unit_test(dialect_is_told_with_v_and_again_when_it_is_another),
        cmocka_unit_test(what_a_server_limits_is_told_before_it_starts),
        cmocka_unit_test(the_receiver_says_what_came_and_where_it_is),
        cmocka_unit_test(quiet_leaves_only_the_errors),
        cmocka_unit_test(hostile_events_reach_no_terminal_raw),
        cmocka_unit_test(the_question_shows_all_of_the_offer_above_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
