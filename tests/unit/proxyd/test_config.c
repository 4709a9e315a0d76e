/* The settings of the proxy: what is taken, what is told about the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <xferry/error.h>

#include "config.h"
#include "http.h"
#include "keys.h"
#include "log.h"

static int read_text(struct xf_conf *conf, const char *text)
{
    char copy[1024];

    snprintf(copy, sizeof copy, "%s", text);
    conf->path = "x.conf";
    return xf_conf_text(conf, copy);
}

static void refused(const char *text, const char *words)
{
    struct xf_conf conf = { 0 };

    assert_int_equal(read_text(&conf, text), XF_E_USAGE);
    if (!strstr(conf.error, words))
        fail_msg("%s: %s, not %s", text, conf.error, words);
    xf_conf_clear(&conf);
}

static void a_mistake_is_told_with_its_line(void **state)
{
    (void)state;
    refused("pairs", "x.conf:1: a line is `key = value`");
    refused("\n# x\npear = 1", "x.conf:3: there is no key `pear`");
    refused("pairs = 0", "x.conf:1: pairs = 0: it takes a number from 1 to");
    refused("pairs = 1000001", "from 1 to 1000000");
    refused("pairs = -1", "x.conf:1: pairs");
    refused("pairs = 1 2", "x.conf:1: pairs");
    refused("pairs = 99999999999999999999", "x.conf:1: pairs");
    refused("pairs =", "x.conf:1: pairs");
    refused("pairs = 1\npairs = 2", "x.conf:2: pairs stands in line 1");
    refused("idle-timeout = 25h", "0 to 86400 seconds");
    refused("idle-timeout = 1d", "seconds");
    refused("rate-per-pair = 1kk", "powers of 1024");
    refused("bytes-per-day-per-jid = 99999999T", "powers of 1024");
    refused("log-level = loud", "one of error|warning|info|debug");
    refused("log-level = err", "one of");
    refused("secret-fd = 3", "no key `secret-fd`");
    refused("[a", "x.conf:1: a section is `[JID]`");
    refused("[]", "x.conf:1: a section is `[JID]`");
    refused("[a]\nallow = b", "x.conf:2: allow does not go into a section");
    refused("[a]\nrate-per-pair = 1\nrate-per-pair = 2", "in line 2 already");
}

static void values_are_in_one_unit(void **state)
{
    struct xf_conf conf = { 0 };

    (void)state;
    assert_int_equal(read_text(&conf, "rate-per-pair=2M\nidle-timeout = 2m \n"
                                      " pairs\t= 7\r\nlog-jids = full\n"
                                      "allow = a\nallow = b\n[c]\n"
                                      "bytes-per-day-per-jid = 1k\n"),
                     0);
    assert_int_equal(conf.value[XF_CONF_RATE_PER_PAIR].number, 2 << 20);
    assert_int_equal(conf.value[XF_CONF_IDLE_TIMEOUT].number, 120);
    assert_int_equal(conf.value[XF_CONF_PAIRS].number, 7);
    assert_int_equal(conf.value[XF_CONF_LOG_JIDS].number, 1);
    assert_int_equal(conf.value[XF_CONF_ALLOW].count, 2);
    assert_string_equal(conf.value[XF_CONF_ALLOW].list[1], "b");
    assert_int_equal(conf.value[XF_CONF_ALLOW].lines[1], 6);
    assert_int_equal(conf.section_count, 1);
    assert_string_equal(conf.sections[0].jid, "c");
    assert_int_equal(conf.sections[0].number[2], 1024);
    assert_int_equal(conf.sections[0].lines[2], 8);
    xf_conf_clear(&conf);
}

static void options_go_above_the_file(void **state)
{
    struct xf_conf conf = { 0 };

    (void)state;
    assert_int_equal(xf_conf_option(&conf, "pairs", "5"), 0);
    assert_int_equal(xf_conf_option(&conf, "pairs", "6"), 0);
    assert_int_equal(xf_conf_option(&conf, "allow", "x"), 0);
    assert_int_equal(xf_conf_option(&conf, "allow", "y"), 0);
    assert_int_equal(read_text(&conf, "pairs = 7\nallow = z\n"), 0);
    assert_int_equal(conf.value[XF_CONF_PAIRS].number, 6);
    assert_int_equal(conf.value[XF_CONF_ALLOW].count, 2);
    assert_string_equal(conf.value[XF_CONF_ALLOW].list[0], "x");
    assert_int_equal(xf_conf_option(&conf, "pairs", "x"), XF_E_USAGE);
    assert_non_null(strstr(conf.error, "--pairs = x"));
    assert_int_equal(xf_conf_option(&conf, "pear", "1"), XF_E_USAGE);
    xf_conf_clear(&conf);
}

static void what_must_be_said_is_asked_for(void **state)
{
    static const char *const lines[] = { "component = a\n", "advertise = b\n",
                                         "secret-file = c\n" };
    char text[128];

    (void)state;
    for (int missing = 0; missing < 3; missing++) {
        struct xf_conf conf = { 0 };

        text[0] = '\0';
        for (int i = 0; i < 3; i++)
            if (i != missing)
                strncat(text, lines[i], sizeof text - strlen(text) - 1);
        assert_int_equal(read_text(&conf, text), 0);
        assert_int_equal(xf_conf_finish(&conf), XF_E_USAGE);
        assert_non_null(strstr(conf.error, "is not set"));
        xf_conf_clear(&conf);
    }
}

/* A default is a value like any other. */
static void every_default_is_in_its_range(void **state)
{
    struct xf_conf conf = { 0 };

    (void)state;
    assert_int_equal(read_text(&conf, "component = a\nadvertise = b\n"
                                      "secret-file = c\n"),
                     0);
    assert_int_equal(xf_conf_finish(&conf), 0);
    for (int i = 0; i < XF_CONF_KEYS; i++) {
        assert_non_null(xf_keys[i].name);
        assert_non_null(xf_keys[i].meaning);
        assert_int_equal(xf_conf_find(xf_keys[i].name), i);
    }
    assert_int_equal(conf.value[XF_CONF_HANDSHAKE_TIMEOUT].number, 10);
    assert_int_equal(conf.value[XF_CONF_PAIRING_TIMEOUT].number, 60);
    assert_int_equal(conf.value[XF_CONF_DRAIN_TIMEOUT].number, 30);
    xf_conf_clear(&conf);
}

static int secret_of(const char *text, mode_t mode,
                     char secret[XF_CONF_SECRET_MAX])
{
    char path[] = "/tmp/xferry-secret-XXXXXX", line[64];
    struct xf_conf conf = { 0 };
    int fd = mkstemp(path), err;

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    snprintf(line, sizeof line, "secret-file = %s", path);
    assert_int_equal(read_text(&conf, line), 0);
    err = xf_conf_secret(&conf, secret);
    unlink(path);
    xf_conf_clear(&conf);
    return err;
}

static void the_secret_is_one_line_of_a_private_file(void **state)
{
    char secret[XF_CONF_SECRET_MAX], text[XF_CONF_SECRET_MAX + 8];

    (void)state;
    assert_int_equal(secret_of("open sesame\nmore", 0600, secret), 0);
    assert_string_equal(secret, "open sesame");
    assert_int_equal(secret_of("open sesame\r\n", 0400, secret), 0);
    assert_string_equal(secret, "open sesame");
    assert_int_equal(secret_of("a", 0640, secret), XF_E_PERM);
    assert_int_equal(secret_of("a", 0602, secret), XF_E_PERM);
    assert_string_equal(secret, "");
    assert_int_equal(secret_of("", 0600, secret), XF_E_USAGE);
    memset(text, 'x', sizeof text);
    text[XF_CONF_SECRET_MAX - 2] = '\0';
    assert_int_equal(secret_of(text, 0600, secret), 0);
    text[XF_CONF_SECRET_MAX - 2] = 'x';
    text[XF_CONF_SECRET_MAX - 1] = '\0';
    assert_int_equal(secret_of(text, 0600, secret), XF_E_USAGE);
}

static void metrics_stay_on_the_machine(void **state)
{
    (void)state;
    assert_true(xf_http_is_local("127.0.0.1:9"));
    assert_true(xf_http_is_local("127.9.8.7:65535"));
    assert_true(xf_http_is_local("[::1]:9"));
    assert_true(xf_http_is_local("unix:/run/x"));
    assert_false(xf_http_is_local("0.0.0.0:9"));
    assert_false(xf_http_is_local("[::]:9"));
    assert_false(xf_http_is_local("[::ffff:127.0.0.1]:9"));
    assert_false(xf_http_is_local("localhost:9"));
    assert_false(xf_http_is_local("127.0.0.1"));
    assert_false(xf_http_is_local("127.0.0.1:0"));
    assert_false(xf_http_is_local("127.0.0.1:65536"));
    assert_false(xf_http_is_local("unix:run/x"));
    assert_false(xf_http_is_local(""));
}

static void shown(const char *jid, const char *due)
{
    char out[XF_LOG_JID];

    assert_string_equal(xf_log_jid(jid, out), due);
}

static void a_jid_is_shortened_and_cannot_end_a_field(void **state)
{
    char longest[4096];
    char out[XF_LOG_JID];

    (void)state;
    shown("romeo@example.net/orchard", "r*@example.net");
    shown("r@example.net", "r*@example.net");
    shown("example.net", "example.net");
    shown("example.net/a@b", "example.net");
    shown("", "-");
    shown(NULL, "-");
    xf_log_set(XF_LOG_INFO, true);
    shown("romeo@example.net/a b\"\\\n\x1b\xc3\xa9",
          "romeo@example.net/a\\x20b\\x22\\x5C\\x0A\\x1B\\xC3\\xA9");
    memset(longest, '\n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_true(strlen(xf_log_jid(longest, out)) < XF_LOG_JID);
    xf_log_set(XF_LOG_INFO, false);
}

/* What `say` logs, as it stands on standard error. */
static void logged(void (*say)(void), char out[4096])
{
    int ends[2], kept = dup(STDERR_FILENO);
    ssize_t len;

    assert_int_equal(pipe(ends), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    say();
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    close(ends[1]);
    len = read(ends[0], out, 4095);
    close(ends[0]);
    out[len > 0 ? len : 0] = '\0';
}

static void say_evil(void)
{
    xf_log(XF_LOG_WARNING, "%s", "a\nb\r\x1b[31m\x7f\xc2\x9b");
    xf_log(XF_LOG_DEBUG, "unheard");
}

static void a_line_stays_one_line(void **state)
{
    char text[4096];

    (void)state;
    logged(say_evil, text);
    assert_non_null(
        strstr(text, " warning: a\\x0Ab\\x0D\\x1B[31m\\x7F\\xC2\\x9B\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void say_often(void)
{
    for (int i = 0; i < 1000; i++)
        xf_log_seldom(XF_LOG_WARNING, "of one kind", "number %d", i);
}

static void what_comes_often_is_told_seldom(void **state)
{
    char text[4096];

    (void)state;
    logged(say_often, text);
    assert_non_null(strstr(text, "number 0\n"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    assert_true(xf_log_tick() > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mistake_is_told_with_its_line),
        cmocka_unit_test(values_are_in_one_unit),
        cmocka_unit_test(options_go_above_the_file),
        cmocka_unit_test(what_must_be_said_is_asked_for),
        cmocka_unit_test(every_default_is_in_its_range),
        cmocka_unit_test(the_secret_is_one_line_of_a_private_file),
        cmocka_unit_test(metrics_stay_on_the_machine),
        cmocka_unit_test(a_line_stays_one_line),
        cmocka_unit_test(what_comes_often_is_told_seldom),
        cmocka_unit_test(a_jid_is_shortened_and_cannot_end_a_field),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
