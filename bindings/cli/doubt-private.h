/* SPDX-License-Identifier: Apache-2.0 */
/* How far costs may be from the truth, and what a run gives if they are: shared by compare and
 * sensitivity. */
#ifndef IOV_CLI_DOUBT_PRIVATE_H
#define IOV_CLI_DOUBT_PRIVATE_H

#include "bindings/cli/run-private.h"

/* A cost is thought to lie between value / factor and value * factor, the factor being that of the
 * confidence that its table states. */
struct doubt {
    double high;
    double medium;
    double low;
};

#define DOUBT_DEFAULT "high=1.1,medium=1.3,low=2"
/* The option, for the tables of both commands. */
#define DOUBT_OPTION(text) \
    { \
        "doubt", 0, 0, G_OPTION_ARG_STRING, (text), \
            "How far costs may be off, by their confidence (default: " DOUBT_DEFAULT ")", \
            "LEVEL=FACTOR,..." \
    }

/* A cost that a run uses. */
struct doubtful_cost {
    char *name;
    char *text; /* as written: "1300cycles" */
    char *confidence;
    iov_time value;
    double factor;
    struct iov_random random; /* by its name alone: the same in every run, whatever its seed */
};

/* What a run under other costs is looked at for. */
struct figures {
    double p50_us;
    double cpu_us; /* for each operation */
    double rate;   /* operations a second, those that arrived */
};

/* Reads "high=1.1,low=2" (NULL: nothing) over the defaults. Errors: IOV_ERROR_CONFIG. */
bool doubt_parse(const char *text, struct doubt *ret_doubt, GError **error);
/* The costs in use (struct doubtful_cost) that are not zero and of which a table says how sure it
 * is: what somebody set by hand is what he wants it to be. g_ptr_array_unref() it. */
GPtrArray *doubtful_costs(struct iov_experiment *experiment, const struct doubt *doubt);
/* A factor from 1/factor to factor, above 1 as often as below. */
double doubtful_draw(struct doubtful_cost *cost);
/* "costs.NAME=..." for --set; g_free() it. */
char *doubtful_set(const struct doubtful_cost *cost, double factor);

struct figures figures_of(const struct iov_measure *measure);
/* Runs the file with `sets` and, after them, those of `more` (char *), which end with no NULL. */
bool run_figures(const char *file, char **sets, const GPtrArray *more, struct kernel_owner *owner,
                 struct figures *ret_figures, GError **error);
/* Runs it `draws` times, each with all `costs` (struct doubtful_cost) drawn anew; struct figures,
 * g_array_unref() them; NULL with the error. Says on a terminal how far it is, unless quiet. */
GArray *run_draws(const char *file, char **sets, const GPtrArray *costs, unsigned draws,
                  struct kernel_owner *owner, gboolean quiet, GError **error);
/* "3 of 40 runs" on a terminal, in place of what was said before; clears it once all are done. */
void print_runs(unsigned done, unsigned all, gboolean quiet);

#endif
