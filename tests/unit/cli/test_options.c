/* Whether arguments and configuration are read as the manual says. */
#include "cli_test.h"

#include "options.h"

#define ARGS_MAX 16

struct parsed {
    struct xf_options o;
    char *argv[ARGS_MAX];
    int result;
};

/* `line` is cut at blanks. */
static void parse(struct parsed *p, enum xf_command command, char *line)
{
    int argc = 0;

    xf_options_init(&p->o, command);
    for (char *word = line; *word; argc++) {
        p->argv[argc] = word;
        word += strcspn(word, " ");
        if (*word)
            *word++ = '\0';
    }
    p->result = xf_options_arguments(&p->o, argc, p->argv);
}

static void refused(enum xf_command command, const char *text,
                    const char *reason)
{
    char line[256];
    struct parsed p;

    snprintf(line, sizeof line, "%s", text);
    parse(&p, command, line);
    if (!p.result)
        p.result = xf_options_check(&p.o);
    assert_int_equal(p.result, XF_E_USAGE);
    if (!strstr(p.o.error, reason))
        fail_msg("%s: \"%s\" does not name %s", text, p.o.error, reason);
}

static void options_and_operands_may_be_mixed(void **state)
{
    char line[] = "-qa me@h f1 --via=ibb,direct --desc hello f2 you@h -- -x";
    struct parsed p;

    (void)state;
    parse(&p, XF_COMMAND_SEND, line);
    assert_int_equal(p.result, 0);
    assert_true(p.o.quiet);
    assert_string_equal(p.o.config.account, "me@h");
    assert_string_equal(p.o.offer.desc, "hello");
    assert_int_equal(p.o.config.via[0], XF_VIA_IBB);
    assert_int_equal(p.o.config.via[1], XF_VIA_DIRECT);
    assert_int_equal(p.o.config.via[2], XF_VIA_NONE);
    assert_int_equal(p.o.operands_len, 4);
    assert_string_equal(p.o.operands[0], "f1");
    assert_string_equal(p.o.operands[1], "f2");
    assert_string_equal(p.o.operands[2], "you@h");
    assert_string_equal(p.o.operands[3], "-x");
}

static void every_kind_of_value_is_read(void **state)
{
    char line[] = "--plain --proxy a --proxy b --address h:1 --listen-port "
                  "7000-7009 --block-size 4k --stanza message --timeout 0.5 "
                  "--stall=3";
    char line2[] = "--from a@b --from any --count 3 --max-size 2G --exists "
                   "refuse -aa@b --json dir";
    struct parsed p;

    (void)state;
    parse(&p, XF_COMMAND_SEND, line);
    assert_int_equal(p.result, 0);
    assert_true(p.o.config.plain);
    assert_string_equal(p.o.config.proxies[0], "a");
    assert_string_equal(p.o.config.proxies[1], "b");
    assert_null(p.o.config.proxies[2]);
    assert_string_equal(p.o.config.addresses[0], "h:1");
    assert_int_equal(p.o.config.listen_from, 7000);
    assert_int_equal(p.o.config.listen_to, 7009);
    assert_int_equal(p.o.config.block_size, 4096);
    assert_int_equal(p.o.config.stanza, XF_STANZA_MESSAGE);
    assert_int_equal(p.o.config.timeout_ms, 500);
    assert_int_equal(p.o.config.stall_ms, 3000);

    parse(&p, XF_COMMAND_RECEIVE, line2);
    assert_int_equal(p.result, 0);
    assert_string_equal(p.o.from[1], "any");
    assert_int_equal(p.o.count, 3);
    assert_true(p.o.max_size == (uint64_t)2 << 30);
    assert_int_equal(p.o.exists, XF_EXISTS_REFUSE);
    assert_string_equal(p.o.config.account, "a@b");
    assert_true(p.o.json);
    assert_int_equal(xf_options_check(&p.o), 0);
}

static void waiting_may_have_no_end(void **state)
{
    char ever[] = "--wait ever f j";
    char some[] = "--wait 1.25 f j";
    char none[] = "--wait 0 f j";
    struct parsed p;

    (void)state;
    parse(&p, XF_COMMAND_SEND, ever);
    assert_int_equal(p.o.offer.wait_ms, -1);
    parse(&p, XF_COMMAND_SEND, some);
    assert_int_equal(p.o.offer.wait_ms, 1250);
    parse(&p, XF_COMMAND_SEND, none);
    assert_int_equal(p.result, 0);
    assert_int_equal(p.o.offer.wait_ms, 0);
}

/* A receiver is left alone: it comes back whenever that may be. */
static void a_lost_connection_is_tried_again(void **state)
{
    char send[] = "f j", receive[] = "d", some[] = "--retry 1.5 d";
    char none[] = "--retry 0 f j", ever[] = "--retry ever f j";
    struct parsed p;

    (void)state;
    parse(&p, XF_COMMAND_SEND, send);
    assert_int_equal(p.o.config.retry_ms, 300000);
    parse(&p, XF_COMMAND_RECEIVE, receive);
    assert_int_equal(p.o.config.retry_ms, -1);
    parse(&p, XF_COMMAND_RECEIVE, some);
    assert_int_equal(p.o.config.retry_ms, 1500);
    parse(&p, XF_COMMAND_SEND, none);
    assert_int_equal(p.result, 0);
    assert_int_equal(p.o.config.retry_ms, 0);
    parse(&p, XF_COMMAND_SEND, ever);
    assert_int_equal(p.o.config.retry_ms, -1);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    refused(XF_COMMAND_SEND, "--nonsense f j", "--nonsense");
    refused(XF_COMMAND_SEND, "--password x f j", "--password");
    refused(XF_COMMAND_SEND, "-x f j", "-x");
    refused(XF_COMMAND_SEND, "f j --account", "--account");
    refused(XF_COMMAND_SEND, "--json=yes f j", "--json");
    refused(XF_COMMAND_SEND, "--from a f j", "--from");
    refused(XF_COMMAND_RECEIVE, "--hash md5", "--hash");
    refused(XF_COMMAND_SEND, "--hash sha-1 f j", "sha-256, md5 or none");
    refused(XF_COMMAND_PROBE, "--limit 1k j", "--limit");
    refused(XF_COMMAND_SEND, "--name n f g j", "--name");
    refused(XF_COMMAND_SEND, "j", "FILE");
    refused(XF_COMMAND_RECEIVE, "a b", "DIR");
    refused(XF_COMMAND_RECEIVE, "-q -v", "-q");
    refused(XF_COMMAND_RECEIVE, "--delete 0", "--delete");
    refused(XF_COMMAND_GC, "--account a@b", "--account");
    refused(XF_COMMAND_GC, "a b", "DIR");
    refused(XF_COMMAND_GC, "--delete 5", "--delete");
    refused(XF_COMMAND_RECEIVE, "--exists maybe", "maybe");
    refused(XF_COMMAND_RECEIVE, "--count 0", "--count");
    refused(XF_COMMAND_RECEIVE, "--stanza presence", "presence");
    refused(XF_COMMAND_RECEIVE, "--account=", "--account");
}

static void wrong_values_are_refused(void **state)
{
    static const char *const wrong[] = {
        "--via=",
        "--limit=0",
        "--limit=1MB/s",
        "--via=tcp",
        "--via=ibb,",
        "--via=ibb,ibb",
        "--via=,ibb",
        "--via=direct,proxy,ibb,direct",
        "--block-size=0",
        "--block-size=65536",
        "--block-size=64k",
        "--timeout=0",
        "--timeout=-1",
        "--timeout=1s",
        "--timeout=",
        "--timeout=9999999",
        "--listen-port=0",
        "--listen-port=65536",
        "--listen-port=9-8",
        "--listen-port=1-",
        "--listen-port=a",
        "--max-size=-1",
        "--max-size=1kk",
        "--max-size=",
        "--max-size=k",
        "--count=1x",
        "--max-size=99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(XF_COMMAND_RECEIVE, wrong[i], "takes");
}

static void sizes_take_suffixes_and_do_not_wrap(void **state)
{
    uint64_t n;

    (void)state;
    assert_true(xf_value_read_size("0", &n) && n == 0);
    assert_true(xf_value_read_size("9223372036854775807", &n) &&
                n == INT64_MAX);
    assert_false(xf_value_read_size("9223372036854775808", &n));
    assert_true(xf_value_read_size("3K", &n) && n == 3072);
    assert_true(xf_value_read_size("8388607T", &n));
    assert_false(xf_value_read_size("8388608T", &n));
    assert_false(xf_value_read_size("1 k", &n));
    assert_false(xf_value_read_size("0x10", &n));
    assert_false(xf_value_read_size("+1", &n));
}

static void lists_have_an_end(void **state)
{
    struct xf_options o;

    (void)state;
    xf_options_init(&o, XF_COMMAND_RECEIVE);
    for (int i = 0; i < XF_LIST_MAX - 1; i++)
        assert_int_equal(xf_options_set(&o, XF_LAYER_ARGUMENTS, "proxy", "p"),
                         0);
    assert_int_equal(xf_options_set(&o, XF_LAYER_ARGUMENTS, "proxy", "p"),
                     XF_E_USAGE);
    assert_null(o.config.proxies[XF_LIST_MAX - 1]);
    for (int i = 0; i < XF_FROM_MAX; i++)
        assert_int_equal(xf_options_set(&o, XF_LAYER_ARGUMENTS, "from", "p"),
                         0);
    assert_int_equal(xf_options_set(&o, XF_LAYER_ARGUMENTS, "from", "p"),
                     XF_E_USAGE);
    assert_null(o.from[XF_FROM_MAX]);
}

static void arguments_win_over_environment_and_file(void **state)
{
    char line[] = "-a argument@h --proxy mine";
    char file[] = "# ours\n\n account = file@h \r\nproxy=theirs\n"
                  "timeout = 7\njson = yes\nmax-size = 1k\n";
    struct parsed p;

    (void)state;
    parse(&p, XF_COMMAND_SEND, line);
    assert_int_equal(
        xf_options_set(&p.o, XF_LAYER_ENVIRONMENT, "account", "env@h"), 0);
    assert_int_equal(xf_options_file(&p.o, "config", file), 0);
    assert_string_equal(p.o.config.account, "argument@h");
    assert_string_equal(p.o.file_account, "file@h");
    assert_string_equal(p.o.config.proxies[0], "mine");
    assert_null(p.o.config.proxies[1]);
    assert_int_equal(p.o.config.timeout_ms, 7000);
    assert_true(p.o.json);
    assert_int_equal(xf_options_layer(&p.o, "account"), XF_LAYER_ARGUMENTS);
    assert_int_equal(xf_options_layer(&p.o, "timeout"), XF_LAYER_FILE);
    assert_int_equal(xf_options_layer(&p.o, "stall"), XF_LAYER_DEFAULT);
}

static void a_wrong_line_is_named_with_its_number(void **state)
{
    static const char *const wrong[] = {
        "\n\nnothing = 1\n", "\n\njust words\n", "\n\nhelp = yes\n",
        "\n\njson = maybe",  "\n\n= 1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct xf_options o;
        char text[64];

        xf_options_init(&o, XF_COMMAND_SEND);
        snprintf(text, sizeof text, "%s", wrong[i]);
        assert_int_equal(xf_options_file(&o, "config", text), XF_E_USAGE);
        assert_non_null(strstr(o.error, "config, line 3: "));
    }
}

static void help_names_every_option_the_manual_names(void **state)
{
    static char manual[65536];
    FILE *f = fopen(XF_MANUAL, "r");
    struct ink ink;
    char *word;

    (void)state;
    assert_non_null(f);
    manual[fread(manual, 1, sizeof manual - 1, f)] = '\0';
    fclose(f);
    ink_begin(&ink);
    xf_options_help(ink.f, XF_COMMANDS_EVERY);
    xf_options_help(ink.f, XF_COMMAND_GC);
    xf_options_help(ink.f, XF_COMMANDS_ALL);
    xf_options_help(ink.f, XF_COMMAND_SEND | XF_COMMAND_PROBE);
    xf_options_help(ink.f, XF_COMMAND_SEND);
    xf_options_help(ink.f, XF_COMMAND_RECEIVE);
    word = (char *)ink_end(&ink);
    while ((word = strstr(word, "--")) != NULL) {
        size_t len = strcspn(word, " \n");
        char name[64];

        snprintf(name, sizeof name, "*%.*s*", (int)len, word);
        if (!strstr(manual, name))
            fail_msg("%s is not in the manual", name);
        word += len;
    }
    free(ink.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operands_may_be_mixed),
        cmocka_unit_test(every_kind_of_value_is_read),
        cmocka_unit_test(waiting_may_have_no_end),
        cmocka_unit_test(a_lost_connection_is_tried_again),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(sizes_take_suffixes_and_do_not_wrap),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(arguments_win_over_environment_and_file),
        cmocka_unit_test(a_wrong_line_is_named_with_its_number),
        cmocka_unit_test(help_names_every_option_the_manual_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
