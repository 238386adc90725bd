/* SPDX-License-Identifier: Apache-2.0 */
/* Running experiments from the command line: shared by run and compare. */
#ifndef IOV_CLI_RUN_PRIVATE_H
#define IOV_CLI_RUN_PRIVATE_H

#include "bindings/cli/kernel-private.h"
#include "core/config/experiment.h"

/* Ctrl-C from here on ends a run instead of the program; a second one ends the program. */
void catch_interrupt(void);
gboolean was_interrupted(void);
/* `sets` (NULL: none) and, after them, the key's value (NULL: none); free with g_strfreev(). */
char **sets_with(char **sets, const char *key, const char *value);
/* Opens with the usual search path. A --set that changes nothing is an error; leniently: none, as
 * one of several runs may not have what it names. */
struct iov_experiment *open_experiment(const char *file, char **sets, GError **error);
struct iov_experiment *open_leniently(const char *file, char **sets, GError **error);
/* Runs it, with progress on a terminal; `owner` as kernel_open() gave it. */
gboolean run_experiment(struct iov_experiment *experiment, struct kernel_owner *owner,
                        gboolean quiet, GError **error);
/* Makes the folder that results go to (NULL: none), so that a run does not end in vain. */
bool open_folder(const char *folder, GError **error);
/* Writes NAME.txt and NAME.csv there. */
bool write_tables(const char *folder, const char *name, const char *table, const char *csv,
                  GError **error);
/* Writes every PCI function's configuration space to `path`; fails if there is none. */
bool write_pci_dump(struct iov_experiment *experiment, const char *path, GError **error);
/* Like report_error(), for what goes wrong once a run has begun: STATUS_FAILED. */
int report_failure(GError *error);

#endif
