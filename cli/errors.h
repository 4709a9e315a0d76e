/* Errors as the user reads them: the line, the advice, the table of exit
 * codes. Which code it is, the library or the command decides. */
#ifndef XF_CLI_ERRORS_H
#define XF_CLI_ERRORS_H

#include <stddef.h>
#include <stdio.h>

/* Entry `i` of the table of exit codes; -1 at the end. */
int xf_errors_code(size_t i);

/* The code for an errno of a file or directory that cannot be opened. */
int xf_errors_from_errno(int err);

/* What to do next about a code, or NULL when there is nothing to advise. */
const char *xf_errors_advice(int code);

/*
 * "xferry: SUBJECT: TEXT (E-NAME); ADVICE", escaped, one line. `subject` may
 * be NULL; `text` NULL stands for the code's own sentence.
 */
void xf_errors_print(FILE *out, int code, const char *subject,
                     const char *text);

/* The table, for `xferry help exit`. */
void xf_errors_table(FILE *out);

#endif
