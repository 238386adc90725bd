/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `iovsim sensitivity`: on which costs a result hangs. One run for each cost at the lowest that it
 * may truly be, one at the highest, all others as they are; the costs that move the result most
 * come first.
 */
#include <stdio.h>
#include <string.h>

#include "bindings/cli/cli-private.h"
#include "bindings/cli/doubt-private.h"
#include "core/config/diagnostics.h"

#define TOP 15 /* costs that are printed */

static const struct choice {
    const char *name;
    size_t offset; /* in struct figures */
} choices[] = {
    { "p50", G_STRUCT_OFFSET(struct figures, p50_us) },
    { "cpu", G_STRUCT_OFFSET(struct figures, cpu_us) },
    { "ops", G_STRUCT_OFFSET(struct figures, rate) },
};

/* One cost, and what came of its doubt. */
struct moved {
    const struct doubtful_cost *cost;
    struct figures low;  /* with value / factor */
    struct figures high; /* with value * factor */
    double swing;        /* of the figure that was chosen, in its unit */
};

static int compare_swings(const void *left, const void *right)
{
    const struct moved *a = left, *b = right;

    return a->swing != b->swing ? (a->swing < b->swing) - (a->swing > b->swing)
                                : strcmp(a->cost->name, b->cost->name);
}

static bool run_with(const char *file, char **sets, const struct doubtful_cost *cost, double factor,
                     struct kernel_owner *owner, struct figures *ret_figures, GError **error)
{
    g_autofree char *set = doubtful_set(cost, factor);
    g_autoptr(GPtrArray) more = g_ptr_array_new();

    g_ptr_array_add(more, set);
    if (run_figures(file, sets, more, owner, ret_figures, error))
        return true;
    g_prefix_error(error, "%s: ", set);
    return false;
}

/* struct moved of all costs; NULL with the error. */
static GArray *move_each(const char *file, char **sets, const GPtrArray *costs,
                         const struct choice *choice, struct kernel_owner *owner, gboolean quiet,
                         GError **error)
{
    GArray *all = g_array_new(FALSE, FALSE, sizeof(struct moved));
    bool is_good = true;

    for (unsigned i = 0; i < costs->len && is_good && !was_interrupted(); i++) {
        struct moved moved = { .cost = costs->pdata[i] };
        double factor = moved.cost->factor;

        print_runs(2 * i, 2 * costs->len, quiet);
        is_good = run_with(file, sets, moved.cost, 1 / factor, owner, &moved.low, error) &&
                  run_with(file, sets, moved.cost, factor, owner, &moved.high, error);
        moved.swing = ABS(G_STRUCT_MEMBER(double, &moved.high, choice->offset) -
                          G_STRUCT_MEMBER(double, &moved.low, choice->offset));
        g_array_append_val(all, moved);
    }
    print_runs(costs->len, costs->len, quiet);
    if (is_good) {
        g_array_sort(all, compare_swings);
        return all;
    }
    g_array_unref(all);
    return NULL;
}

/* ---- The table, and the CSV ---- */

static char *table_of(const GArray *all, const struct figures *base, const struct choice *choice,
                      unsigned top)
{
    GString *out = g_string_new(NULL);
    unsigned shown = MIN(top, all->len), idle = 0;
    size_t width = strlen("as the file has it");

    for (unsigned i = 0; i < shown; i++)
        width = MAX(width, strlen(g_array_index(all, struct moved, i).cost->name));
    g_string_append_printf(out, "%-*s  %12s  %-16s  %16s  %16s  %18s\n", (int)width, "cost",
                           "value", "confidence", "p50 us", "CPU us", "ops/s");
    g_string_append_printf(out, "%-*s  %12s  %-16s  %16.2f  %16.2f  %18.0f\n", (int)width,
                           "as the file has it", "", "", base->p50_us, base->cpu_us, base->rate);
    for (unsigned i = 0; i < shown; i++) {
        const struct moved *moved = &g_array_index(all, struct moved, i);
        g_autofree char *doubt =
            g_strdup_printf("%s, x %g", moved->cost->confidence, moved->cost->factor);

        g_string_append_printf(
            out, "%-*s  %12s  %-16s  %6.2f .. %6.2f  %6.2f .. %6.2f  %7.0f .. %7.0f\n", (int)width,
            moved->cost->name, moved->cost->text, doubt, moved->low.p50_us, moved->high.p50_us,
            moved->low.cpu_us, moved->high.cpu_us, moved->low.rate, moved->high.rate);
    }
    for (unsigned i = shown; i < all->len; i++)
        idle += g_array_index(all, struct moved, i).swing == 0;
    if (shown < all->len) {
        const struct moved *next = &g_array_index(all, struct moved, shown);

        g_string_append_printf(out,
                               "%u more of %u costs: %s moves by %.3g at most, %u do not move it\n",
                               all->len - shown, all->len, choice->name, next->swing, idle);
    }
    return g_string_free(out, FALSE);
}

static void add_csv_row(GString *out, const char *name, const char *confidence, double factor,
                        const struct figures *low, const struct figures *high)
{
    g_string_append_printf(out, "%s,%s,%g,%.6f,%.6f,%.6f,%.6f,%.3f,%.3f\n", name, confidence,
                           factor, low->p50_us, high->p50_us, low->cpu_us, high->cpu_us, low->rate,
                           high->rate);
}

static char *csv_of(const GArray *all, const struct figures *base)
{
    GString *out = g_string_new("cost,confidence,factor,p50_us_low,p50_us_high,"
                                "host_cpu_us_per_op_low,host_cpu_us_per_op_high,"
                                "ops_per_s_low,ops_per_s_high\n");

    add_csv_row(out, "", "", 1, base, base);
    for (unsigned i = 0; i < all->len; i++) {
        const struct moved *moved = &g_array_index(all, struct moved, i);

        add_csv_row(out, moved->cost->name, moved->cost->confidence, moved->cost->factor,
                    &moved->low, &moved->high);
    }
    return g_string_free(out, FALSE);
}

/* ---- The command ---- */

static const struct choice *find_choice(const char *name)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(choices); i++) {
        if (strcmp(choices[i].name, name) == 0)
            return &choices[i];
    }
    return NULL;
}

/* The run as the file has it, then those of all costs; prints and writes the tables. */
static bool examine(struct iov_experiment *experiment, const char *file, char **sets,
                    const struct doubt *doubt, const struct choice *choice, unsigned top,
                    const char *folder, struct kernel_owner *owner, gboolean quiet, GError **error)
{
    g_autoptr(GPtrArray) costs = doubtful_costs(experiment, doubt);
    g_autoptr(GArray) all = NULL;
    g_autofree char *table = NULL, *csv = NULL;
    struct figures base;

    if (!run_experiment(experiment, owner, quiet, error))
        return false;
    base = figures_of(iov_experiment_measure(experiment));
    all = move_each(file, sets, costs, choice, owner, quiet, error);
    if (all == NULL || was_interrupted())
        return all != NULL;
    table = table_of(all, &base, choice, top);
    csv = csv_of(all, &base);
    fputs(table, stdout);
    return folder == NULL || write_tables(folder, "sensitivity", table, csv, error);
}

int command_sensitivity(int argc, char **argv)
{
    gboolean quiet = FALSE;
    int top = TOP;
    g_autofree char *folder = NULL, *seed = NULL, *kernel = NULL, *by = NULL, *level = NULL;
    g_auto(GStrv) given = NULL, sets = NULL;
    const GOptionEntry entries[] = {
        { "by", 0, 0, G_OPTION_ARG_STRING, &by, "The figure to sort by: p50 (default), cpu, ops",
          "FIGURE" },
        { "top", 0, 0, G_OPTION_ARG_INT, &top,
          "Print the first N costs (default: " G_STRINGIFY(TOP) ")", "N" },
        DOUBT_OPTION(&level),
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &folder,
          "Write the table, and all costs as CSV, into DIR", "DIR" },
        { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given, "Replace a value of the file",
          "KEY=VALUE" },
        { "seed", 0, 0, G_OPTION_ARG_STRING, &seed, "Replace the seed", "N" },
        KERNEL_OPTION(&kernel),
        { "quiet", 0, 0, G_OPTION_ARG_NONE, &quiet, "Print the table only", NULL },
        G_OPTION_ENTRY_NULL,
    };
    const struct choice *choice;
    struct iov_experiment *experiment;
    struct kernel_owner *owner;
    struct doubt doubt;
    GError *error = NULL;
    int status = STATUS_OK;

    if (!parse_options(&argc, &argv, "FILE",
                       "Tells on which costs a result hangs: runs an experiment with each cost as "
                       "low and as\nhigh as it may truly be.",
                       "Examples:\n  iovsim sensitivity configs/net-rr.yaml --set "
                       "strategy=vhost-net\n  iovsim sensitivity configs/udp-stream.yaml --by "
                       "ops --doubt low=1.5",
                       entries))
        return STATUS_USAGE;
    if (argc != 2)
        return usage_error("sensitivity takes one file; see 'iovsim sensitivity --help'");
    choice = find_choice(by != NULL ? by : "p50");
    if (choice == NULL)
        return usage_error("--by: '%s' is none of p50, cpu, ops", by);
    if (top < 0)
        return usage_error("--top wants a number that is not negative");
    if (!doubt_parse(level, &doubt, &error) || !kernel_open(kernel, &owner, &error))
        return report_error(error);
    sets = sets_with(given, "seed", seed);
    experiment = open_experiment(argv[1], sets, &error);
    if (experiment == NULL || !open_folder(folder, &error)) {
        status = report_error(error);
    } else {
        catch_interrupt();
        if (!examine(experiment, argv[1], sets, &doubt, choice, (unsigned)top, folder, owner, quiet,
                     &error))
            status = report_failure(error);
        else if (was_interrupted())
            status = STATUS_FAILED;
    }
    iov_experiment_free(experiment);
    kernel_close(owner);
    return status;
}
