/* Whose account and which password: files that must be private, a command,
 * the environment, or a question on the terminal; never the arguments. */
#ifndef XF_CLI_ACCOUNT_H
#define XF_CLI_ACCOUNT_H

#include <stdbool.h>

#include "options.h"

#define XF_PRIVATE_MAX 65536 /* bytes of a private file */

struct xf_account {
    char *config_path; /* NULL when there is no home */
    char *config_text; /* the configuration file; options point into it */
    char error[XF_OPTIONS_ERROR];
};

/*
 * Read the configuration file, if there is one, and XFERRY_ACCOUNT into the
 * options that the arguments left open.
 *
 * Returns 0, or with `error` set
 *   XF_E_USAGE  a line that is wrong
 *   XF_E_PERM   the file is not private
 *   XF_E_IO, XF_E_LIMIT  it cannot be read
 */
int xf_account_configure(struct xf_account *a, struct xf_options *o);

/*
 * Find the password and put it into the options, until xf_account_forget().
 *
 * Returns 0, or with `error` set
 *   XF_E_USAGE      no account, or no place to have the password from
 *   XF_E_AUTH       the command failed or gave nothing
 *   XF_E_PERM, XF_E_IO, XF_E_LIMIT  as above, for the password file
 */
int xf_account_password(struct xf_account *a, struct xf_options *o);

/* Wipe the password; a session that was made has its own copy. */
void xf_account_forget(struct xf_options *o);

void xf_account_clear(struct xf_account *a);

/*
 * Read a file that may hold a secret: regular, ours, no bits for group and
 * others, not by a symbolic link. *out is NUL-terminated and to be freed.
 *
 * Returns 0, or with `error` set XF_E_PERM, XF_E_IO (*missing says whether
 * there is none) or XF_E_LIMIT.
 */
int xf_account_read_private(const char *path, char **out, bool *missing,
                            char error[XF_OPTIONS_ERROR]);

#endif
