/* SPDX-License-Identifier: Apache-2.0 */
/* What `iovsim compare` keeps of a run, and the table that it makes of several. */
#ifndef IOV_CLI_COMPARE_PRIVATE_H
#define IOV_CLI_COMPARE_PRIVATE_H

#include "bindings/cli/doubt-private.h"

/* A word for a column of its own: time of a thread, a fact about the strategy. */
struct cell {
    char *column;
    char *text;
};

/* One row: what a run measured, per operation. */
struct row {
    char *name;
    uint64_t operations;
    double exits[IOV_MEASURE_REASONS];
    double exits_total;
    double device_accesses;
    double device_exits;
    double user_exits;
    double interrupts;
    double switches;
    double copies;
    double drops;
    double drop_share; /* of what was offered or arrived */
    bool sends;        /* an operation is done when it was sent, whether it arrives or not */
    struct figures figures;
    double p99_us;
    double p999_us;
    double gbps;
    double dedicated; /* threads that never let their processor go */
    double parts_us[IOV_PART_COUNT];
    double mean_us;
    GArray *threads; /* struct cell */
    GArray *guests;  /* struct cell: of several */
    GArray *draws;   /* struct figures, with all costs drawn anew in each; or NULL */
    GArray *doubt;   /* struct cell: what the draws say */
    GArray *facts;   /* struct cell */
};

/* Makes the cells `doubt` of all rows from their draws, of which each has as many. */
void compare_add_doubt(const GPtrArray *rows);
/* The table and the CSV of `rows` (struct row), whose first column is called `key`; free with
 * g_free(). */
char *compare_table(const GPtrArray *rows, const char *key);
char *compare_csv(const GPtrArray *rows, const char *key);

#endif
