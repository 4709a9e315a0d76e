/* The options of the commands; how a value is read is left to values. */
#include "options.h"

#include <stdarg.h>
#include <string.h>

#define ALL XF_COMMANDS_ALL
#define EVERY XF_COMMANDS_EVERY
#define BOTH (XF_COMMAND_SEND | XF_COMMAND_PROBE)
#define AT(field) offsetof(struct xf_options, field)

static const struct option {
    const char *name;
    char letter;
    const char *value; /* what follows it, for --help; NULL: a flag */
    unsigned commands;
    xf_value_reader *set;
    size_t offset;
    const char *help;
} table[] = {
    { "account", 'a', "JID", ALL, xf_value_text, AT(config.account),
      "log in as this account" },
    { "password-file", 0, "FILE", ALL, xf_value_text, AT(password_file),
      "its first line is the password; mode 0600, yours" },
    { "password-command", 0, "CMD", ALL, xf_value_text, AT(password_command),
      "the first line it prints is the password" },
    { "server", 0, "HOST[:PORT]", ALL, xf_value_text, AT(config.server),
      "connect there instead of asking the DNS" },
    { "ca-file", 0, "FILE", ALL, xf_value_text, AT(config.ca_file),
      "trust these authorities only (PEM)" },
    { "plain", 0, NULL, ALL, xf_value_flag, AT(config.plain),
      "no TLS; only toward a loopback address" },
    { "via", 0, "LIST", ALL, xf_value_via, AT(config.via),
      "ways to use, in order (default: direct,proxy,ibb)" },
    { "proxy", 0, "JID", ALL, xf_value_list, AT(config.proxies),
      "use this proxy first; may repeat" },
    { "dialect", 0, "NAME", ALL, xf_value_text, AT(config.dialect),
      "speak like this program; `help` lists them" },
    { "block-size", 0, "N", ALL, xf_value_block, AT(config.block_size),
      "bytes in an in-band block (default: as measured)" },
    { "limit", 0, "RATE", XF_COMMAND_SEND | XF_COMMAND_RECEIVE, xf_value_rate,
      AT(config.limit), "move so many bytes a second at most: 500k, 20M" },
    { "stanza", 0, "iq|message", ALL, xf_value_stanza, AT(config.stanza),
      "what carries in-band blocks" },
    { "timeout", 0, "S", ALL, xf_value_ms, AT(config.timeout_ms),
      "seconds a bytestream may take to open (default: 15)" },
    { "stall", 0, "S", ALL, xf_value_ms, AT(config.stall_ms),
      "give up after this long without a byte (default: 60)" },
    { "retry", 0, "S", ALL, xf_value_wait, AT(config.retry_ms),
      "try a lost connection again so long; `ever` has no end" },
    { "address", 0, "HOST[:PORT]", ALL, xf_value_list, AT(config.addresses),
      "tell this address instead of our own; may repeat" },
    { "listen-port", 0, "A[-B]", ALL, xf_value_ports, AT(config),
      "listen on one of these ports" },
    { "json", 0, NULL, EVERY, xf_value_flag, AT(json),
      "one event per line on standard output" },
    { "quiet", 'q', NULL, EVERY, xf_value_flag, AT(quiet),
      "print errors only" },
    { "verbose", 'v', NULL, ALL, xf_value_flag, AT(verbose), "print more" },
    { "trace", 0, NULL, ALL, xf_value_flag, AT(config.trace),
      "show and explain each stanza of the conversation" },
    { "name", 0, "NAME", XF_COMMAND_SEND, xf_value_text, AT(offer.name),
      "the name the contact sees (with one FILE)" },
    { "desc", 0, "TEXT", XF_COMMAND_SEND, xf_value_text, AT(offer.desc),
      "a sentence for the contact" },
    { "hash", 0, "sha-256|md5|none", XF_COMMAND_SEND, xf_value_hash,
      AT(offer.hash), "md5: also tell one to programs other than xferry" },
    { "wait", 0, "S", BOTH, xf_value_wait, AT(offer.wait_ms),
      "wait for the contact to come online; `ever` has no end" },
    { "from", 0, "JID", XF_COMMAND_RECEIVE, xf_value_from, AT(from),
      "accept files from this contact; `any`; may repeat" },
    { "count", 0, "N", XF_COMMAND_RECEIVE, xf_value_count, AT(count),
      "stop after N files" },
    { "max-size", 0, "SIZE", XF_COMMAND_RECEIVE, xf_value_size, AT(max_size),
      "refuse larger files" },
    { "exists", 0, "HOW", XF_COMMAND_RECEIVE, xf_value_exists, AT(exists),
      "rename (default), refuse or overwrite" },
    { "delete", 0, "AGE", XF_COMMAND_GC, xf_value_age, AT(delete_age),
      "remove what has not grown for so long: 0, 30m, 12h, 7d" },
    { "help", 'h', NULL, EVERY, xf_value_flag, AT(help), "print this" },
    { "version", 'V', NULL, EVERY, xf_value_flag, AT(version),
      "print the version" },
};

#define OPTIONS (sizeof table / sizeof *table)
_Static_assert(OPTIONS <= XF_OPTIONS_MAX, "set_by is too short");

static int fail(struct xf_options *o, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static int fail(struct xf_options *o, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(o->error, sizeof o->error, format, args);
    va_end(args);
    return XF_E_USAGE;
}

static const struct option *find_long(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (strlen(table[i].name) == len &&
            memcmp(table[i].name, name, len) == 0)
            return &table[i];
    return NULL;
}

static const struct option *find_letter(char letter)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (table[i].letter && table[i].letter == letter)
            return &table[i];
    return NULL;
}

void xf_options_init(struct xf_options *o, enum xf_command command)
{
    memset(o, 0, sizeof *o);
    o->command = command;
    o->max_size = UINT64_MAX;
    o->delete_age = -1;
    xf_config_init(&o->config);
    /* It is left alone, often in a place where nobody starts it again. */
    if (command == XF_COMMAND_RECEIVE)
        o->config.retry_ms = -1;
}

/* A lower layer never disturbs a higher one; lists grow within a layer. */
static int apply(struct xf_options *o, enum xf_layer layer,
                 const struct option *option, const char *value)
{
    enum xf_layer *set_by = &o->set_by[option - table];
    const char *expected;

    if (*set_by > layer)
        return 0;
    expected = option->set((char *)o + option->offset, value);
    if (expected)
        return fail(o, "%s%s takes %s, not \"%s\"",
                    layer == XF_LAYER_ARGUMENTS ? "--" : "", option->name,
                    expected, value);
    *set_by = layer;
    return 0;
}

int xf_options_set(struct xf_options *o, enum xf_layer layer, const char *name,
                   const char *value)
{
    const struct option *option = find_long(name, strlen(name));

    if (!option)
        return fail(o, "there is no option %s", name);
    return apply(o, layer, option, value);
}

enum xf_layer xf_options_layer(const struct xf_options *o, const char *name)
{
    const struct option *option = find_long(name, strlen(name));

    return option ? o->set_by[option - table] : XF_LAYER_DEFAULT;
}

/* Where we are in the arguments. */
struct cursor {
    int argc, at;
    char **argv;
};

static int take_value(struct xf_options *o, const struct option *option,
                      const char *attached, struct cursor *c)
{
    if (!(option->commands & o->command))
        return fail(o, "--%s is not an option of this command", option->name);
    if (!option->value) {
        if (attached)
            return fail(o, "--%s takes no value", option->name);
        return apply(o, XF_LAYER_ARGUMENTS, option, "yes");
    }
    if (!attached) {
        if (c->at + 1 >= c->argc)
            return fail(o, "--%s needs a value: %s", option->name,
                        option->value);
        attached = c->argv[++c->at];
    }
    return apply(o, XF_LAYER_ARGUMENTS, option, attached);
}

static int take_long(struct xf_options *o, const char *arg, struct cursor *c)
{
    size_t len = strcspn(arg, "=");
    const struct option *option = find_long(arg, len);

    if (!option)
        return fail(o, "there is no option --%.*s", (int)len, arg);
    return take_value(o, option, arg[len] ? arg + len + 1 : NULL, c);
}

/* -q, -qv, -a JID, -aJID */
static int take_letters(struct xf_options *o, const char *arg, struct cursor *c)
{
    for (; *arg; arg++) {
        const struct option *option = find_letter(*arg);
        int err;

        if (!option)
            return fail(o, "there is no option -%c", *arg);
        if (option->value)
            return take_value(o, option, arg[1] ? arg + 1 : NULL, c);
        if ((err = take_value(o, option, NULL, c)) != 0)
            return err;
    }
    return 0;
}

int xf_options_arguments(struct xf_options *o, int argc, char **argv)
{
    struct cursor c = { argc, 0, argv };
    bool only_operands = false;
    int err = 0;

    o->operands = argv;
    for (; c.at < argc && !err; c.at++) {
        char *arg = argv[c.at];

        if (only_operands || arg[0] != '-' || !arg[1])
            argv[o->operands_len++] = arg;
        else if (strcmp(arg, "--") == 0)
            only_operands = true;
        else if (arg[1] == '-')
            err = take_long(o, arg + 2, &c);
        else
            err = take_letters(o, arg + 1, &c);
    }
    return err;
}

/* Without blanks at both ends; cut in place. */
static char *trim(char *text)
{
    size_t len;

    text += strspn(text, " \t\r");
    len = strlen(text);
    while (len && strchr(" \t\r", text[len - 1]))
        len--;
    text[len] = '\0';
    return text;
}

static int take_line(struct xf_options *o, char *line)
{
    const struct option *option;
    char *value;
    char *key;

    line = trim(line);
    if (!*line || *line == '#')
        return 0;
    value = strchr(line, '=');
    if (!value)
        return fail(o, "a line is `key = value`");
    *value++ = '\0';
    key = trim(line);
    value = trim(value);
    option = find_long(key, strlen(key));
    if (!option || option->offset == AT(help) ||
        option->offset == AT(version) || option->commands == XF_COMMAND_GC)
        return fail(o, "there is no key \"%s\"", key);
    if (option->offset == AT(config.account))
        o->file_account = value;
    return apply(o, XF_LAYER_FILE, option, value);
}

int xf_options_file(struct xf_options *o, const char *path, char *text)
{
    unsigned number = 1;
    char what[XF_OPTIONS_ERROR];

    for (char *line = text; line; number++) {
        char *end = strchr(line, '\n');

        if (end)
            *end++ = '\0';
        if (take_line(o, line) != 0) {
            snprintf(what, sizeof what, "%s", o->error);
            return fail(o, "%s, line %u: %s", path, number, what);
        }
        line = end;
    }
    return 0;
}

static int check_send(struct xf_options *o)
{
    if (o->operands_len < 2)
        return fail(o, "send needs a FILE and a JID: "
                       "xferry send [options] FILE... JID");
    if (o->offer.name && o->operands_len > 2)
        return fail(o, "--name goes with one FILE only");
    return 0;
}

int xf_options_check(struct xf_options *o)
{
    if (o->quiet && o->verbose)
        return fail(o, "-q and -v at once make no sense");
    if (o->command == XF_COMMAND_SEND)
        return check_send(o);
    if (o->command == XF_COMMAND_PROBE)
        return o->operands_len == 1
                   ? 0
                   : fail(o, "probe takes one JID: xferry probe [options] JID");
    if (o->command == XF_COMMAND_GC)
        return o->operands_len <= 1
                   ? 0
                   : fail(o, "gc takes one DIR: xferry gc [options] [DIR]");
    if (o->operands_len > 1)
        return fail(o, "receive takes one DIR: "
                       "xferry receive [options] [DIR]");
    return 0;
}

void xf_options_help(FILE *out, unsigned commands)
{
    for (size_t i = 0; i < OPTIONS; i++) {
        const struct option *option = &table[i];
        int width;

        if (option->commands != commands)
            continue;
        width = option->letter ? fprintf(out, "  -%c, ", option->letter)
                               : fprintf(out, "      ");
        width += fprintf(out, "--%s", option->name);
        if (option->value)
            width += fprintf(out, " %s", option->value);
        fprintf(out, "%*s %s\n", width < 30 ? 30 - width : 0, "", option->help);
    }
}
