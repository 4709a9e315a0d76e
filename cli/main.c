/* xferry: which command it is, help and version; the work is done by send,
 * receive, probe and gc. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <xferry/xferry.h>

#include "account.h"
#include "commands.h"
#include "errors.h"
#include "options.h"

static void print_help(FILE *out)
{
    fputs(
        "xferry: file transfer over XMPP that just works\n"
        "\n"
        "  xferry send    [options] FILE... JID\n"
        "  xferry receive [options] [DIR]          default DIR: .\n"
        "  xferry probe   [options] JID            what a transfer would meet\n"
        "  xferry gc      [options] [DIR]          unfinished parts, and away\n"
        "  xferry help exit                        the exit status\n"
        "\n"
        "Options:\n",
        out);
    xf_options_help(out, XF_COMMANDS_EVERY);
    fputs("\nOptions of send, receive and probe:\n", out);
    xf_options_help(out, XF_COMMANDS_ALL);
    fputs("\nOptions of send and receive:\n", out);
    xf_options_help(out, XF_COMMAND_SEND | XF_COMMAND_RECEIVE);
    fputs("\nOptions of send and probe:\n", out);
    xf_options_help(out, XF_COMMAND_SEND | XF_COMMAND_PROBE);
    fputs("\nOptions of send:\n", out);
    xf_options_help(out, XF_COMMAND_SEND);
    fputs("\nOptions of receive:\n", out);
    xf_options_help(out, XF_COMMAND_RECEIVE);
    fputs("\nOptions of gc:\n", out);
    xf_options_help(out, XF_COMMAND_GC);
    fputs("\nSIZE, RATE and N take k, M, G and T (powers of 1024). Options "
          "without their dashes\n"
          "are the keys of $XDG_CONFIG_HOME/xferry/config "
          "(`key = value` lines).\n\n",
          out);
    xf_errors_table(out);
}

static int print_version(void)
{
    printf("xferry %s\n", xf_version());
    return 0;
}

static int print_dialects(void)
{
    const char *summary, *name;
    char fact[XF_DIALECT_FACT_MAX];

    printf("A contact's program is recognised by itself; --dialect NAME "
           "forces one of these.\nBelow each stands what it changes against "
           "the first.\n");
    for (size_t i = 0; (name = xf_dialect(i, &summary)) != NULL; i++) {
        printf("\n%-15s %s\n", name, summary);
        for (size_t j = 0; xf_dialect_fact(i, j, fact); j++)
            printf("    - %s\n", fact);
    }
    return 0;
}

static int usage(const char *text)
{
    xf_errors_print(stderr, XF_E_USAGE, NULL, text);
    fputs("see `xferry --help`\n", stderr);
    return XF_E_USAGE;
}

static int help(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[2], "exit") == 0)
        xf_errors_table(stdout);
    else
        print_help(stdout);
    return 0;
}

static int check(const struct xf_options *o, int *dir)
{
    switch (o->command) {
    case XF_COMMAND_SEND:
        return xf_send_check(o);
    case XF_COMMAND_RECEIVE:
        return xf_receive_check(o, dir);
    case XF_COMMAND_PROBE:
    case XF_COMMANDS_ALL:
    case XF_COMMAND_GC:
    case XF_COMMANDS_EVERY:
        break;
    }
    return 0;
}

static int work(struct xf_account *account, struct xf_options *o)
{
    int dir = -1;
    int err = check(o, &dir);

    if (err)
        return err;
    err = xf_account_password(account, o);
    if (err)
        xf_errors_print(stderr, err, NULL, account->error);
    else if (o->command == XF_COMMAND_SEND)
        err = xf_send(o);
    else if (o->command == XF_COMMAND_PROBE)
        err = xf_probe_contact(o);
    else
        err = xf_receive(o, dir);
    if (dir >= 0)
        close(dir);
    return err;
}

static int configure_and_work(struct xf_options *o)
{
    struct xf_account account = { 0 };
    int err = xf_account_configure(&account, o);

    if (err)
        xf_errors_print(stderr, err, NULL, account.error);
    else if (xf_options_check(o) != 0)
        err = usage(o->error);
    else
        err = work(&account, o);
    xf_account_clear(&account);
    return err;
}

/* It asks no server, so it needs no account and no configuration. */
static int tidy(struct xf_options *o)
{
    return xf_options_check(o) != 0 ? usage(o->error) : xf_gc(o);
}

static int run_command(enum xf_command command, int argc, char **argv)
{
    struct xf_options o;

    xf_options_init(&o, command);
    if (xf_options_arguments(&o, argc, argv) != 0)
        return usage(o.error);
    if (o.help)
        return help(0, NULL);
    if (o.version)
        return print_version();
    if (command == XF_COMMAND_GC)
        return tidy(&o);
    if (o.config.dialect && strcmp(o.config.dialect, "help") == 0)
        return print_dialects();
    return configure_and_work(&o);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    /* Lines are put together before they go out; stderr too. */
    static char err_buffer[4096];
    setvbuf(stderr, err_buffer, _IOFBF, sizeof err_buffer);

    if (strcmp(word, "send") == 0)
        return run_command(XF_COMMAND_SEND, argc - 2, argv + 2);
    if (strcmp(word, "receive") == 0)
        return run_command(XF_COMMAND_RECEIVE, argc - 2, argv + 2);
    if (strcmp(word, "probe") == 0)
        return run_command(XF_COMMAND_PROBE, argc - 2, argv + 2);
    if (strcmp(word, "gc") == 0)
        return run_command(XF_COMMAND_GC, argc - 2, argv + 2);
    if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 ||
        strcmp(word, "-h") == 0)
        return help(argc, argv);
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0)
        return print_version();
    if (strcmp(word, "--dialect=help") == 0 ||
        (argc > 2 && strcmp(word, "--dialect") == 0 &&
         strcmp(argv[2], "help") == 0))
        return print_dialects();
    return usage(*word ? "the commands are send, receive, probe and gc"
                       : "which command? send, receive, probe or gc");
}
