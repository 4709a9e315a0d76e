/* The commands; how their options are read is left to options. */
#ifndef XF_CLI_COMMANDS_H
#define XF_CLI_COMMANDS_H

#include "options.h"

/*
 * Those that touch files come in two halves: what can be refused before a
 * password is asked for, and the work. Each returns an exit status; what is wrong has been told.
 */
int xf_send_check(const struct xf_options *options);
int xf_send(struct xf_options *options);

int xf_probe_contact(struct xf_options *options);

int xf_receive_check(const struct xf_options *options, int *dir_fd);
int xf_receive(struct xf_options *options, int dir_fd);

/* Needs neither account nor server. */
int xf_gc(const struct xf_options *options);

#endif
