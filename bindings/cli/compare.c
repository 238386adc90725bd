/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `iovsim compare`: one experiment for each value of a key, one table. Its blocks: the figures,
 * exits per operation by reason, mean latency by part, processor time by thread, what becomes of
 * them if costs are off, what the strategies' files say of themselves. Columns without any value
 * are left out.
 */
#include <stdio.h>
#include <string.h>

#include "bindings/cli/cli-private.h"
#include "bindings/cli/compare-private.h"

static double per(uint64_t count, uint64_t operations)
{
    return operations != 0 ? (double)count / (double)operations : 0.0;
}

static double quantile_us(const struct iov_measure *measure, uint32_t millionths)
{
    return (double)iov_histogram_quantile(measure->latency, millionths) / (double)IOV_US;
}

static void cell_clear(void *data)
{
    struct cell *cell = data;

    g_free(cell->column);
    g_free(cell->text);
}

static GArray *cells_new(void)
{
    GArray *cells = g_array_new(FALSE, FALSE, sizeof(struct cell));

    g_array_set_clear_func(cells, cell_clear);
    return cells;
}

/* "vm3/vcpu0" and "vm5/vcpu1" are of one sort: "vcpu". */
static char *sort_of_thread(const char *name)
{
    const char *slash = g_str_has_prefix(name, "vm") ? strchr(name, '/') : NULL;
    char *sort = g_strdup(slash != NULL ? slash + 1 : name);
    size_t length = strlen(sort);

    while (length > 1 && g_ascii_isdigit(sort[length - 1]))
        sort[--length] = '\0';
    return sort;
}

/* Threads of one sort together, and what belongs to none: leaving idle, and interrupts that found
 * their processor idle. */
static GArray *threads_of(const struct iov_measure *measure)
{
    GArray *cells = cells_new();
    g_autoptr(GArray) sums = g_array_new(FALSE, TRUE, sizeof(iov_time));
    iov_time rest = measure->use.busy;

    for (unsigned i = 0; i < measure->thread_count; i++) {
        struct cell cell = { sort_of_thread(measure->threads[i].name), NULL };
        unsigned at = 0;

        rest -= MIN(rest, measure->threads[i].busy);
        while (at < cells->len &&
               strcmp(g_array_index(cells, struct cell, at).column, cell.column) != 0)
            at++;
        if (at == cells->len) {
            g_array_append_val(cells, cell);
            g_array_set_size(sums, cells->len);
        } else {
            cell_clear(&cell);
        }
        g_array_index(sums, iov_time, at) += measure->threads[i].busy;
    }
    {
        struct cell cell = { g_strdup("irq, idle exit"), NULL };

        g_array_append_val(cells, cell);
        g_array_append_val(sums, rest);
    }
    for (unsigned i = 0; i < cells->len; i++)
        g_array_index(cells, struct cell, i).text = g_strdup_printf(
            "%.2f", per(g_array_index(sums, iov_time, i), measure->operations) / (double)IOV_US);
    return cells;
}

static void add_cell(GArray *cells, const char *column, unsigned decimals, double value)
{
    char text[32];
    struct cell cell = { g_strdup(column), NULL };

    g_snprintf(text, sizeof text, "%.*f", (int)decimals, value);
    cell.text = g_strdup(text);
    g_array_append_val(cells, cell);
}

/* How evenly several guests were served. */
static GArray *guests_of(const struct iov_measure *measure)
{
    GArray *cells = cells_new();
    double best = 0, worst = 0;

    if (measure->guest_count < 2)
        return cells;
    for (unsigned i = 0; i < measure->guest_count; i++) {
        double p99 =
            (double)iov_histogram_quantile(measure->guests[i].latency, 990000) / (double)IOV_US;

        best = i == 0 ? p99 : MIN(best, p99);
        worst = MAX(worst, p99);
    }
    add_cell(cells, "guests", 0, measure->guest_count);
    add_cell(cells, "fairness", 4, iov_measure_fairness(measure) / 1e6);
    add_cell(cells, "best p99 us", 2, best);
    add_cell(cells, "worst p99 us", 2, worst);
    return cells;
}

/* What the strategy's file says of itself under `describe`. */
static GArray *facts_of(const struct iov_experiment *experiment)
{
    const struct iov_node *facts =
        iov_node_get(iov_config_root(iov_experiment_config(experiment)), "describe");
    GArray *cells = cells_new();

    for (const struct iov_node *fact = facts != NULL ? facts->children : NULL; fact != NULL;
         fact = fact->next) {
        struct cell cell = { g_strdelimit(g_strdup(fact->key), "-_", ' '),
                             g_strdup(fact->kind == IOV_NODE_SCALAR ? fact->text : "") };

        g_array_append_val(cells, cell);
    }
    return cells;
}

static struct row *row_of(const char *name, struct iov_experiment *experiment)
{
    const struct iov_report *report = iov_experiment_report(experiment);
    const struct iov_measure *measure = report->measure;
    const struct iov_counters *counters = &measure->counters;
    struct row *row = g_new0(struct row, 1);
    uint64_t operations = measure->operations;
    uint64_t delivered = iov_delivered(operations, &measure->delivery);
    uint64_t bytes = iov_delivered_bytes(measure->bytes, &measure->delivery);
    iov_time parts[IOV_PART_COUNT], mean, span = measure->end - measure->begin;

    row->figures = figures_of(measure);
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
    row->switches = per(counters->context_switches, operations);
    row->copies = per(counters->copies, operations);
    row->drops = per(counters->drops, operations);
    row->drop_share = per(counters->drops, counters->drops + delivered);
    row->sends = measure->delivery.sent > 0;
    row->p99_us = quantile_us(measure, 990000);
    row->p999_us = quantile_us(measure, 999000);
    row->gbps = span != 0 ? (double)bytes * 8 * 1000 / (double)span : 0.0;
    row->dedicated = iov_report_dedicated(measure);
    iov_report_parts(measure, parts, &mean);
    for (unsigned i = 0; i < IOV_PART_COUNT; i++)
        row->parts_us[i] = (double)parts[i] / (double)IOV_US;
    row->mean_us = (double)mean / (double)IOV_US;
    row->threads = threads_of(measure);
    row->guests = guests_of(measure);
    row->doubt = cells_new();
    row->facts = facts_of(experiment);
    return row;
}

static void row_free(void *data)
{
    struct row *row = data;

    g_free(row->name);
    g_array_unref(row->threads);
    g_array_unref(row->guests);
    g_array_unref(row->doubt);
    g_clear_pointer(&row->draws, g_array_unref);
    g_array_unref(row->facts);
    g_free(row);
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

/* What --set says in vain: how many values have no use for it, and the message with the best
 * advice. */
struct idle_set {
    char *message;
    unsigned values;
};

static void idle_set_free(void *data)
{
    struct idle_set *set = data;

    g_free(set->message);
    g_free(set);
}

static void collect_idle(const struct iov_experiment *experiment, GHashTable *idle)
{
    const struct iov_diagnostics *sets = iov_config_idle_sets(iov_experiment_config(experiment));

    for (unsigned i = 0; i < iov_diagnostics_count(sets); i++) {
        const char *message = iov_diagnostics_message(sets, i);
        const char *place = iov_diagnostics_origin(sets, i).file; /* "--set KEY" */
        struct idle_set *set = g_hash_table_lookup(idle, place);

        if (set == NULL) {
            set = g_new0(struct idle_set, 1);
            set->message = g_strdup(message);
            g_hash_table_insert(idle, g_strdup(place), set);
        } else if (strlen(message) > strlen(set->message)) { /* with what was probably meant */
            g_free(set->message);
            set->message = g_strdup(message);
        }
        set->values++;
    }
}

/* What no value has a use for is a mistake. */
static int tell_idle(GHashTable *idle, char **sets, const char *key, unsigned values)
{
    int status = STATUS_OK;

    for (unsigned i = 0; sets[i] != NULL || key != NULL; i++) {
        g_autofree char *place = g_strdup_printf("--set %s", sets[i] != NULL ? sets[i] : key);
        const struct idle_set *set;

        place[strcspn(place, "=")] = '\0';
        set = g_hash_table_lookup(idle, place);
        if (set != NULL && set->values == values)
            status = usage_error("%s", set->message);
        if (sets[i] == NULL)
            break;
    }
    return status;
}

/* Each line once, whatever values it is of. */
static void tell_lines(const char *message, GHashTable *told)
{
    g_auto(GStrv) lines = g_strsplit(message, "\n", -1);

    for (unsigned i = 0; lines[i] != NULL; i++) {
        if (g_hash_table_add(told, g_strdup(lines[i])))
            usage_error("%s", lines[i]);
    }
}

/* Of all strategies, those that the file is nothing for: a card for one VM where there are two. */
static void leave_out(char **values, char **messages)
{
    unsigned kept = 0, count = g_strv_length(values);

    for (unsigned i = 0; i < count; i++) {
        if (messages[i] == NULL) {
            values[kept++] = values[i];
            continue;
        }
        messages[i][strcspn(messages[i], "\n")] = '\0';
        fprintf(stderr, "iovsim: %s is left out: %s\n", values[i], messages[i]);
        g_free(values[i]);
    }
    values[kept] = NULL;
}

/*
 * Tells the mistakes of all values, each once, before the first of them runs. If nobody asked for
 * these values (`optional`), those that do not fit are left out, as long as any does.
 */
static int check_values(const char *file, const char *key, char **values, char **sets,
                        bool optional)
{
    g_autoptr(GHashTable) told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) idle =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, idle_set_free);
    g_autoptr(GPtrArray) messages = g_ptr_array_new_with_free_func(g_free);
    unsigned fitting = 0, count = g_strv_length(values);

    for (unsigned i = 0; i < count; i++) {
        g_auto(GStrv) all = sets_with(sets, key, values[i]);
        g_autoptr(GError) error = NULL;
        struct iov_experiment *experiment = open_leniently(file, all, &error);

        g_ptr_array_add(messages, experiment == NULL ? g_strdup(g_strchomp(error->message)) : NULL);
        if (experiment != NULL) {
            fitting++;
            collect_idle(experiment, idle);
        }
        iov_experiment_free(experiment);
    }
    if (fitting < count && (!optional || fitting == 0)) {
        for (unsigned i = 0; i < count; i++) {
            if (messages->pdata[i] != NULL)
                tell_lines(messages->pdata[i], told);
        }
        return STATUS_USAGE;
    }
    if (tell_idle(idle, sets, key, fitting) != STATUS_OK)
        return STATUS_USAGE;
    leave_out(values, (char **)messages->pdata);
    return STATUS_OK;
}

/* The folder of a value's run: one below `folder`, whatever the value is. */
static char *folder_of(const char *folder, const char *value)
{
    g_autofree char *name = g_strdelimit(g_strdup(value), "/", '_');

    if (name[0] == '.')
        name[0] = '_';
    return g_build_filename(folder, name, NULL);
}

/* What all runs of a comparison have in common. */
struct comparison {
    const char *file;
    const char *key;
    char **sets;
    char **command;
    const char *folder; /* or NULL */
    struct kernel_owner *owner;
    gboolean quiet;
    int draws;
    struct doubt doubt;
};

/* Runs one value; a row, or NULL with the error. */
static struct row *run_value(const struct comparison *comparison, const char *value, GError **error)
{
    g_auto(GStrv) sets = sets_with(comparison->sets, comparison->key, value);
    struct iov_experiment *experiment = open_leniently(comparison->file, sets, error);
    struct row *row = NULL;

    if (experiment != NULL &&
        run_experiment(experiment, comparison->owner, comparison->quiet, error)) {
        g_autofree char *folder =
            comparison->folder != NULL ? folder_of(comparison->folder, value) : NULL;

        if (folder == NULL || iov_experiment_write(experiment, folder,
                                                   (const char *const *)comparison->command, error))
            row = row_of(value, experiment);
    }
    if (row != NULL && comparison->draws > 0) {
        g_autoptr(GPtrArray) costs = doubtful_costs(experiment, &comparison->doubt);

        row->draws = run_draws(comparison->file, sets, costs, (unsigned)comparison->draws,
                               comparison->owner, comparison->quiet, error);
        if (row->draws == NULL)
            g_clear_pointer(&row, row_free);
    }
    if (row == NULL)
        g_prefix_error(error, "%s=%s: ", comparison->key, value);
    iov_experiment_free(experiment);
    return row;
}

int command_compare(int argc, char **argv)
{
    struct comparison comparison = { .sets = NULL };
    g_autofree char *folder = NULL, *seed = NULL, *over = NULL, *key = NULL, *table = NULL,
                    *csv = NULL, *kernel = NULL, *doubt = NULL;
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
        { "draws", 0, 0, G_OPTION_ARG_INT, &comparison.draws,
          "Run each value N times more, with every cost off by a factor drawn at random", "N" },
        DOUBT_OPTION(&doubt),
        KERNEL_OPTION(&kernel),
        { "quiet", 0, 0, G_OPTION_ARG_NONE, &comparison.quiet, "Print the table only", NULL },
        G_OPTION_ENTRY_NULL,
    };
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
    if (comparison.draws < 0 || comparison.draws > 100000)
        return usage_error("--draws wants a number from 0 to 100000");
    if (doubt != NULL && comparison.draws == 0)
        return usage_error("--doubt is for --draws N, which is not there");
    if (!doubt_parse(doubt, &comparison.doubt, &error))
        return report_error(error);
    if (values[0] == NULL)
        return usage_error("no strategy is in the search path of '%s'; say --over KEY=A,B,...",
                           argv[1]);
    sets = sets_with(given, "seed", seed);
    status = check_values(argv[1], key, values, sets, over == NULL);
    if (status != STATUS_OK)
        return status;
    if (!kernel_open(kernel, &comparison.owner, &error))
        return report_error(error);
    if (!open_folder(folder, &error)) {
        kernel_close(comparison.owner);
        return report_error(error);
    }
    comparison.file = argv[1];
    comparison.key = key;
    comparison.sets = sets;
    comparison.command = command;
    comparison.folder = folder;
    catch_interrupt();
    for (unsigned i = 0; values[i] != NULL && !was_interrupted(); i++) {
        struct row *row = run_value(&comparison, values[i], &error);

        if (row != NULL)
            g_ptr_array_add(rows, row);
        else
            status = report_failure(g_steal_pointer(&error)); /* the others may still be of use */
    }
    kernel_close(comparison.owner);
    if (was_interrupted() || rows->len == 0)
        return STATUS_FAILED;
    if (comparison.draws > 0)
        compare_add_doubt(rows);
    table = compare_table(rows, key);
    csv = compare_csv(rows, key);
    fputs(table, stdout);
    if (folder != NULL && !write_tables(folder, "compare", table, csv, &error))
        return report_failure(error);
    return status;
}
