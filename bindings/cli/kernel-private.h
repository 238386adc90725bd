/* SPDX-License-Identifier: Apache-2.0 */
/* `--kernel`: who owns time in the runs of a command. */
#ifndef IOV_CLI_KERNEL_PRIVATE_H
#define IOV_CLI_KERNEL_PRIVATE_H

#include "core/config/experiment.h"

/* The option, for the tables of run and compare. */
#define KERNEL_OPTION(text) \
    { \
        "kernel", 0, 0, G_OPTION_ARG_STRING, (text), \
            "Who lets time pass: native (default) or systemc", "NAME" \
    }

struct kernel_owner;

/* Finds what `name` needs (NULL: native); the owner is NULL for native. Errors:
 * IOV_ERROR_CONFIG. */
bool kernel_open(const char *name, struct kernel_owner **ret_owner, GError **error);
/* Gives the time of one experiment to the owner, until kernel_end(). All accept NULL for native. */
bool kernel_begin(struct kernel_owner *owner, struct iov_experiment *experiment, GError **error);
void kernel_end(struct kernel_owner *owner);
void kernel_close(struct kernel_owner *owner);

#endif
