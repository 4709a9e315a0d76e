/* The options of all commands: one table drives the reading of arguments
 * and of the configuration file, and the text of --help. */
#ifndef XF_CLI_OPTIONS_H
#define XF_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <xferry/xferry.h>

#include "values.h"

enum xf_command {
    XF_COMMAND_SEND = 1,
    XF_COMMAND_RECEIVE = 2,
    XF_COMMAND_PROBE = 4,
    XF_COMMANDS_ALL = 7, /* that talk to a server */
    XF_COMMAND_GC = 8,
    XF_COMMANDS_EVERY = 15,
};

/* Where a value came from; a later one of these wins. */
enum xf_layer {
    XF_LAYER_DEFAULT,
    XF_LAYER_FILE,
    XF_LAYER_ENVIRONMENT,
    XF_LAYER_ARGUMENTS,
};

#define XF_OPTIONS_MAX 40
#define XF_OPTIONS_ERROR 512
#define XF_PASSWORD_MAX 1024 /* bytes, NUL included */

/*
 * Strings point into the arguments, the environment, or the text of the
 * configuration file, which the caller keeps.
 */
struct xf_options {
    enum xf_command command;
    struct xf_config config;
    struct xf_offer_options offer;
    const char *password_file;
    const char *password_command;
    const char *from[XF_FROM_MAX + 1]; /* ends at NULL */
    uint64_t count;                    /* 0: no end */
    uint64_t max_size;
    enum xf_exists exists;
    int64_t delete_age; /* seconds; -1: delete nothing */
    bool json, quiet, verbose, help, version;
    char password[XF_PASSWORD_MAX]; /* where config.password points */
    const char *file_account;       /* `account` in the file, used or not */

    char **operands; /* what is not an option, in order; within argv */
    size_t operands_len;

    enum xf_layer set_by[XF_OPTIONS_MAX];
    char error[XF_OPTIONS_ERROR]; /* after XF_E_USAGE: what is wrong */
};

void xf_options_init(struct xf_options *o, enum xf_command command);

/*
 * Read the arguments behind the command; argv is reordered so that operands
 * stand together. Returns 0 or XF_E_USAGE.
 */
int xf_options_arguments(struct xf_options *o, int argc, char **argv);

/*
 * Read `key = value` lines; `text` is cut into strings in place and must live
 * as long as `o`. `path` is for the message. Returns 0 or XF_E_USAGE.
 */
int xf_options_file(struct xf_options *o, const char *path, char *text);

/* Set one option by its long name. Returns 0 or XF_E_USAGE. */
int xf_options_set(struct xf_options *o, enum xf_layer layer, const char *name,
                   const char *value);

/* Who set the option of that long name. */
enum xf_layer xf_options_layer(const struct xf_options *o, const char *name);

/* What no single option can tell. Returns 0 or XF_E_USAGE. */
int xf_options_check(struct xf_options *o);

/* The options that just the commands in the mask `commands` have. */
void xf_options_help(FILE *out, unsigned commands);

#endif
