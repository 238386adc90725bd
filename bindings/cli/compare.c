/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `iovsim compare`: one experiment for each value of a key, one table. Three blocks: the figures, exits per operation by reason, mean latency by
 * part. Columns without any value are left out.
 */
#include <stdio.h>
#include <string.h>

#include "bindings/cli/cli-private.h"
#include "bindings/cli/run-private.h"
#include "core/object/file.h"

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
    double p50_us;
    double p99_us;
    double cpu_us;
    double rate;
    double parts_us[IOV_PART_COUNT];
    double mean_us;
};

static double per(uint64_t count, uint64_t operations)
{
    return operations != 0 ? (double)count / (double)operations : 0.0;
}

static struct row *row_of(const char *name, struct iov_experiment *experiment)
{
    const struct iov_report *report = iov_experiment_report(experiment);
    const struct iov_measure *measure = report->measure;
    const struct iov_counters *counters = &measure->counters;
    struct row *row = g_new0(struct row, 1);
    uint64_t operations = measure->operations;
    iov_time parts[IOV_PART_COUNT], mean, span = measure->end - measure->begin;

    row->name = g_strdup(name);
    row->operations = operations;
    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++) {
        row->exits[i] = per(counters->exits[i], operations);
        row->exits_total += row->exits[i];
    }
    row->device_accesses = per(counters->device_accesses, operations);
    row->device_exits = per(counters->device_exits, operations);
    row->user_exits = per(counters->user_exits, operations);
    row->interrupts = per(counters->interrupts, operations);
    row->p50_us = (double)iov_histogram_quantile(measure->latency, 500000) / (double)IOV_US;
    row->p99_us = (double)iov_histogram_quantile(measure->latency, 990000) / (double)IOV_US;
    row->cpu_us = per(measure->use.busy, operations) / (double)IOV_US;
    row->rate = span != 0 ? (double)operations * (double)IOV_SEC / (double)span : 0.0;
    iov_report_parts(measure, parts, &mean);
    for (unsigned i = 0; i < IOV_PART_COUNT; i++)
        row->parts_us[i] = (double)parts[i] / (double)IOV_US;
    row->mean_us = (double)mean / (double)IOV_US;
    return row;
}

static void row_free(void *data)
{
    struct row *row = data;

    g_free(row->name);
    g_free(row);
}

static int name_width(const GPtrArray *rows, const char *title)
{
    size_t width = strlen(title);

    for (unsigned i = 0; i < rows->len; i++)
        width = MAX(width, strlen(((const struct row *)g_ptr_array_index(rows, i))->name));
    return (int)width;
}

static void add_figures(GString *out, const GPtrArray *rows, const char *title, int width)
{
    g_string_append_printf(out,
                           "%-*s  exits/op  device exits  to user  interrupts  p50 us  p99 us  "
                           "host CPU us/op     ops/s\n",
                           width, title);
    for (unsigned i = 0; i < rows->len; i++) {
        const struct row *row = g_ptr_array_index(rows, i);

        g_string_append_printf(
            out, "%-*s  %8.2f  %12.2f  %7.2f  %10.2f  %6.2f  %6.2f  %14.2f  %8.0f\n", width,
            row->name, row->exits_total, row->device_exits, row->user_exits, row->interrupts,
            row->p50_us, row->p99_us, row->cpu_us, row->rate);
    }
}

/* Element `column` of the array of doubles at `offset` of a row. */
static double value_at(const struct row *row, size_t offset, unsigned column)
{
    double value;

    memcpy(&value, (const char *)row + offset + column * sizeof value, sizeof value);
    return value;
}

/* A block with a column for each value that any row has; `offset` is that of an array of doubles in struct row. */
static void add_block(GString *out, const GPtrArray *rows, const char *title, int width,
                      size_t offset, unsigned count, const char *(*column_name)(unsigned column))
{
    bool used[IOV_MEASURE_REASONS] = { false };
    int column_width[IOV_MEASURE_REASONS];

    for (unsigned i = 0; i < rows->len; i++) {
        for (unsigned column = 0; column < count; column++)
            used[column] |= value_at(g_ptr_array_index(rows, i), offset, column) >= 0.005;
    }
    g_string_append_printf(out, "\n%-*s", width, title);
    for (unsigned column = 0; column < count; column++) {
        const char *name = column_name(column) ?: "?";

        column_width[column] = (int)MAX(strlen(name), 6);
        if (used[column])
            g_string_append_printf(out, "  %*s", column_width[column], name);
    }
    g_string_append_c(out, '\n');
    for (unsigned i = 0; i < rows->len; i++) {
        const struct row *row = g_ptr_array_index(rows, i);

        g_string_append_printf(out, "%-*s", width, row->name);
        for (unsigned column = 0; column < count; column++) {
            if (used[column])
                g_string_append_printf(out, "  %*.2f", column_width[column],
                                       value_at(row, offset, column));
        }
        g_string_append_c(out, '\n');
    }
}

static const char *part_column(unsigned column)
{
    return iov_part_name((enum iov_part)column);
}

static char *make_table(const GPtrArray *rows, const char *key)
{
    GString *out = g_string_new(NULL);
    int width = MAX(name_width(rows, key), name_width(rows, "mean latency by part, us"));

    add_figures(out, rows, key, width);
    add_block(out, rows, "exits/op by reason", width, G_STRUCT_OFFSET(struct row, exits),
              IOV_MEASURE_REASONS, iov_exit_reason_name);
    add_block(out, rows, "mean latency by part, us", width, G_STRUCT_OFFSET(struct row, parts_us),
              IOV_PART_COUNT, part_column);
    return g_string_free(out, FALSE);
}

static char *make_csv(const GPtrArray *rows, const char *key)
{
    GString *out = g_string_new(key);

    g_string_append(
        out,
        ",operations,exits_per_op,device_accesses_per_op,device_exits_per_op,user_exits_per_op,"
        "interrupts_per_op,p50_us,p99_us,mean_us,host_cpu_us_per_op,ops_per_s");
    for (unsigned part = 0; part < IOV_PART_COUNT; part++)
        g_string_append_printf(out, ",%s_us", part_column(part));
    g_string_append_c(out, '\n');
    for (unsigned i = 0; i < rows->len; i++) {
        const struct row *row = g_ptr_array_index(rows, i);

        g_string_append_printf(
            out, "%s,%" G_GUINT64_FORMAT ",%.4f,%.4f,%.4f,%.4f,%.4f,%.3f,%.3f,%.3f,%.3f,%.1f",
            row->name, row->operations, row->exits_total, row->device_accesses, row->device_exits,
            row->user_exits, row->interrupts, row->p50_us, row->p99_us, row->mean_us, row->cpu_us,
            row->rate);
        for (unsigned part = 0; part < IOV_PART_COUNT; part++)
            g_string_append_printf(out, ",%.4f", row->parts_us[part]);
        g_string_append_c(out, '\n');
    }
    return g_string_free(out, FALSE);
}

/* Splits KEY=a,b,c; without `over` the key is the strategy and the values are all there are. */
static bool split_over(const char *over, const char *file, char **ret_key, char ***ret_values)
{
    const char *equals;

    if (over == NULL) {
        g_auto(GStrv) path = iov_data_path(file);

        *ret_key = g_strdup("strategy");
        *ret_values = iov_strategy_list((const char *const *)path);
        return true;
    }
    equals = strchr(over, '=');
    if (equals == NULL || equals == over)
        return false;
    *ret_key = g_strndup(over, (gsize)(equals - over));
    *ret_values = g_strsplit(equals + 1, ",", -1);
    for (unsigned i = 0; (*ret_values)[i] != NULL; i++) {
        if ((*ret_values)[i][0] == '\0')
            return false;
    }
    return (*ret_values)[0] != NULL;
}

/* The experiment with one value of the key; NULL with the error. */
static struct iov_experiment *open_value(const char *file, const char *key, const char *value,
                                         char **sets, GError **error)
{
    g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = 0; sets[i] != NULL; i++)
        g_ptr_array_add(all, g_strdup(sets[i]));
    g_ptr_array_add(all, g_strdup_printf("%s=%s", key, value));
    g_ptr_array_add(all, NULL);
    return open_experiment(file, (char **)all->pdata, error);
}

/* Tells the mistakes of all values, each once, before the first of them runs. */
static int check_values(const char *file, const char *key, char **values, char **sets)
{
    g_autoptr(GHashTable) told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    int status = STATUS_OK;

    for (unsigned i = 0; values[i] != NULL; i++) {
        g_autoptr(GError) error = NULL;
        struct iov_experiment *experiment = open_value(file, key, values[i], sets, &error);
        g_auto(GStrv) lines =
            experiment == NULL ? g_strsplit(g_strchomp(error->message), "\n", -1) : NULL;

        for (unsigned k = 0; lines != NULL && lines[k] != NULL; k++) {
            if (g_hash_table_add(told, g_strdup(lines[k])))
                status = usage_error("%s", lines[k]);
        }
        iov_experiment_free(experiment);
    }
    return status;
}

/* Runs one value; a row, or NULL with the error. */
static struct row *run_value(const char *file, const char *key, const char *value, char **sets,
                             struct kernel_owner *owner, const char *folder, char **command,
                             gboolean quiet, GError **error)
{
    struct iov_experiment *experiment = open_value(file, key, value, sets, error);
    struct row *row = NULL;

    if (experiment != NULL && run_experiment(experiment, owner, quiet, error)) {
        g_autofree char *name = g_strdelimit(g_strdup(value), "/", '_');
        g_autofree char *run_folder = folder != NULL ? g_build_filename(folder, name, NULL) : NULL;

        if (run_folder == NULL ||
            iov_experiment_write(experiment, run_folder, (const char *const *)command, error))
            row = row_of(value, experiment);
    }
    if (row == NULL)
        g_prefix_error(error, "%s=%s: ", key, value);
    iov_experiment_free(experiment);
    return row;
}

static bool write_tables(const char *folder, const char *table, const char *csv, GError **error)
{
    g_autofree char *text_file = g_build_filename(folder, "compare.txt", NULL);
    g_autofree char *csv_file = g_build_filename(folder, "compare.csv", NULL);

    return iov_write_file_atomically(text_file, table, strlen(table), error) &&
           iov_write_file_atomically(csv_file, csv, strlen(csv), error);
}

int command_compare(int argc, char **argv)
{
    gboolean quiet = FALSE;
    g_autofree char *folder = NULL, *seed = NULL, *over = NULL, *key = NULL, *table = NULL,
                    *csv = NULL, *kernel = NULL;
    g_auto(GStrv) given = NULL, sets = NULL, values = NULL, command = g_strdupv(argv);
    g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(row_free);
    const GOptionEntry entries[] = {
        { "over", 0, 0, G_OPTION_ARG_STRING, &over,
          "The key and its values (default: strategy, all of them)", "KEY=A,B,..." },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &folder,
          "Write each run and the tables into DIR", "DIR" },
        { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given, "Replace a value of the file",
          "KEY=VALUE" },
        { "seed", 0, 0, G_OPTION_ARG_STRING, &seed, "Replace the seed", "N" },
        KERNEL_OPTION(&kernel),
        { "quiet", 0, 0, G_OPTION_ARG_NONE, &quiet, "Print the table only", NULL },
        G_OPTION_ENTRY_NULL,
    };
    struct kernel_owner *owner;
    GError *error = NULL;
    int status = STATUS_OK;

    if (!parse_options(&argc, &argv, "FILE",
                       "Runs an experiment once for each value of a key and prints one table.",
                       "Examples:\n  iovsim compare configs/net-rr.yaml\n"
                       "  iovsim compare configs/net-rr.yaml --over workload.size=64B,1400B --set "
                       "strategy=virtio-net",
                       entries))
        return STATUS_USAGE;
    if (argc != 2)
        return usage_error("compare takes one file; see 'iovsim compare --help'");
    if (!split_over(over, argv[1], &key, &values))
        return usage_error("--over wants KEY=A,B,... such as strategy=bare-metal,virtio-net");
    if (values[0] == NULL)
        return usage_error("no strategy is in the search path of '%s'; say --over KEY=A,B,...",
                           argv[1]);
    if (!open_folder(folder, &error))
        return report_error(error);
    sets = sets_of(given, seed);
    status = check_values(argv[1], key, values, sets);
    if (status != STATUS_OK)
        return status;
    if (!kernel_open(kernel, &owner, &error))
        return report_error(error);
    catch_interrupt();
    for (unsigned i = 0; values[i] != NULL && !was_interrupted(); i++) {
        struct row *row =
            run_value(argv[1], key, values[i], sets, owner, folder, command, quiet, &error);

        if (row != NULL)
            g_ptr_array_add(rows, row);
        else
            status = report_failure(g_steal_pointer(&error)); /* the others may still be of use */
    }
    kernel_close(owner);
    if (was_interrupted() || rows->len == 0)
        return STATUS_FAILED;
    table = make_table(rows, key);
    csv = make_csv(rows, key);
    fputs(table, stdout);
    if (folder != NULL && !write_tables(folder, table, csv, &error))
        return report_failure(error);
    return status;
}
