/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands of `iovsim` share. */
#ifndef IOV_CLI_PRIVATE_H
#define IOV_CLI_PRIVATE_H

#include <glib.h>

/* First of all: see heap.c. */
void iov_cli_enlarge_heap(void);

/* Exit statuses of the program. */
enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

/* One command: argv[0] is its name; returns the exit status. */
typedef int command_fn(int argc, char **argv);

command_fn command_check;
command_fn command_compare;
command_fn command_explain;
command_fn command_inspect;
command_fn command_run;
command_fn command_schema;
command_fn command_sensitivity;

/*
 * Parses options with GLib's parser: `parameters` follows the command's name in the usage line,
 * `summary` and `examples` make up the help. Returns false, with the message printed, if the line
 * is wrong.
 */
gboolean parse_options(int *argc, char ***argv, const char *parameters, const char *summary,
                       const char *examples, const GOptionEntry *entries);
/* Prints "iovsim: message" on stderr, frees the error and returns the status that fits its kind. */
int report_error(GError *error);
/* Prints "iovsim: ..." on stderr and returns STATUS_USAGE. */
int usage_error(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
