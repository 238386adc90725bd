/* SPDX-License-Identifier: Apache-2.0 */
/* `iovsim run` and `iovsim check`: one experiment; progress on a terminal; Ctrl-C ends it with its
 * statistics so far. */
#include <errno.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bindings/cli/cli-private.h"
#include "bindings/cli/run-private.h"
#include "core/object/file.h"

/* The only globals: a signal handler has nothing else. */
static volatile sig_atomic_t interrupted;
static struct iov_kernel *volatile running; /* what the handler stops */

/* The run that is going on ends at its next event; should that go unseen, it is told again every
 * second. */
static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
    if (running != NULL)
        iov_kernel_stop(running);
    alarm(1);
}

gboolean was_interrupted(void)
{
    return interrupted != 0;
}

void catch_interrupt(void)
{
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_flags = 0;
    sigaction(SIGALRM, &action, NULL);
}

/* ---- Progress ---- */

struct terminal_progress {
    struct iov_progress base;
    gboolean show;
    uint64_t last_wall_ns;
};

static void print_progress(const struct iov_experiment *experiment, double wall)
{
    const struct iov_run *run = iov_platform_run(iov_experiment_platform(experiment));
    double simulated = (double)iov_now(run->kernel) / (double)IOV_SEC;
    uint64_t planned = iov_experiment_planned(experiment), done = run->measure->operations;

    fprintf(stderr, "\r%.3f s simulated, %.2f M events/s, %.3g x real time", simulated,
            (double)iov_kernel_events(run->kernel) / wall / 1e6, simulated / wall);
    if (planned > 0 && done > 0)
        fprintf(stderr, ", %.0f %%, %.0f s left", 100.0 * (double)done / (double)planned,
                wall * (double)(planned - MIN(done, planned)) / (double)done);
    fputs("\033[K", stderr);
}

static bool on_progress(struct iov_progress *progress, const struct iov_experiment *experiment)
{
    struct terminal_progress *self = (struct terminal_progress *)progress;
    uint64_t wall_ns = iov_experiment_wall_ns(experiment);

    if (self->show && wall_ns - self->last_wall_ns > 200000000) {
        self->last_wall_ns = wall_ns;
        print_progress(experiment, (double)wall_ns / 1e9);
    }
    return !was_interrupted();
}

gboolean run_experiment(struct iov_experiment *experiment, struct kernel_owner *owner,
                        gboolean quiet, GError **error)
{
    struct terminal_progress progress = { .base = { on_progress },
                                          .show = !quiet && isatty(STDERR_FILENO) };
    bool is_good = kernel_begin(owner, experiment, error);

    running = iov_platform_run(iov_experiment_platform(experiment))->kernel;
    is_good = is_good && iov_experiment_run(experiment, &progress.base, error);
    running = NULL;
    kernel_end(owner);
    if (progress.last_wall_ns != 0)
        fputs("\r\033[K", stderr);
    return is_good;
}

/* ---- Options that run and compare share ---- */

char **sets_with(char **sets, const char *key, const char *value)
{
    GPtrArray *all = g_ptr_array_new();

    for (unsigned i = 0; sets != NULL && sets[i] != NULL; i++)
        g_ptr_array_add(all, g_strdup(sets[i]));
    if (value != NULL)
        g_ptr_array_add(all, g_strdup_printf("%s=%s", key, value));
    g_ptr_array_add(all, NULL);
    return (char **)g_ptr_array_free(all, FALSE);
}

/* A file that is not there, but among the data: `configs/net-rr.yaml` in another folder than where
 * it is. */
static char *find_in_data(const char *file, char **path)
{
    g_autofree char *name = g_path_get_basename(file);

    for (unsigned i = 0; !g_file_test(file, G_FILE_TEST_EXISTS) && path[i] != NULL; i++) {
        char *found = g_build_filename(path[i], name, NULL);

        if (g_file_test(found, G_FILE_TEST_IS_REGULAR))
            return found;
        g_free(found);
    }
    return NULL;
}

struct iov_experiment *open_leniently(const char *file, char **sets, GError **error)
{
    g_auto(GStrv) path = iov_data_path(file);
    g_autofree char *meant = find_in_data(file, path);
    struct iov_config_options options = { .search_path = (const char *const *)path,
                                          .sets = (const char *const *)sets };

    if (meant != NULL) {
        g_set_error(error, IOV_ERROR, IOV_ERROR_CONFIG,
                    "there is no file '%s' here; did you mean '%s'?", file, meant);
        return NULL;
    }
    return iov_experiment_open(file, &options, error);
}

struct iov_experiment *open_experiment(const char *file, char **sets, GError **error)
{
    struct iov_experiment *experiment = open_leniently(file, sets, error);

    if (experiment == NULL || iov_diagnostics_clear_or_raise(
                                  iov_config_idle_sets(iov_experiment_config(experiment)), error))
        return experiment;
    iov_experiment_free(experiment);
    return NULL;
}

bool open_folder(const char *folder, GError **error)
{
    if (folder == NULL)
        return true;
    if (g_mkdir_with_parents(folder, 0777) == 0 && g_access(folder, W_OK | X_OK) == 0)
        return true;
    g_set_error(error, IOV_ERROR, IOV_ERROR_FILE, "cannot write into folder '%s': %s", folder,
                g_strerror(errno));
    return false;
}

bool write_tables(const char *folder, const char *name, const char *table, const char *csv,
                  GError **error)
{
    g_autofree char *text_file = g_strdup_printf("%s/%s.txt", folder, name);
    g_autofree char *csv_file = g_strdup_printf("%s/%s.csv", folder, name);

    return iov_write_file_atomically(text_file, table, strlen(table), error) &&
           iov_write_file_atomically(csv_file, csv, strlen(csv), error);
}

int report_failure(GError *error)
{
    report_error(error);
    return STATUS_FAILED;
}

/* ---- run ---- */

int command_run(int argc, char **argv)
{
    gboolean quiet = FALSE;
    g_autofree char *folder = NULL, *seed = NULL, *kernel = NULL, *pci = NULL;
    g_auto(GStrv) given = NULL, sets = NULL, command = g_strdupv(argv);
    struct kernel_owner *owner;
    const GOptionEntry entries[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &folder, "Write the results into DIR", "DIR" },
        { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given, "Replace a value of the file",
          "KEY=VALUE" },
        { "seed", 0, 0, G_OPTION_ARG_STRING, &seed, "Replace the seed", "N" },
        KERNEL_OPTION(&kernel),
        { "pci-dump", 0, 0, G_OPTION_ARG_FILENAME, &pci,
          "Write the configuration space of every PCI function, for lspci -F", "FILE" },
        { "quiet", 0, 0, G_OPTION_ARG_NONE, &quiet, "Print nothing but errors", NULL },
        G_OPTION_ENTRY_NULL,
    };
    struct iov_experiment *experiment;
    GError *error = NULL;
    int status = STATUS_OK;

    if (!parse_options(&argc, &argv, "FILE",
                       "Runs one experiment, prints its statistics and writes them with -o.",
                       "Examples:\n  iovsim run configs/net-rr.yaml -o out\n"
                       "  iovsim run configs/net-rr.yaml --set strategy=emulated-e1000 --set "
                       "workload.size=1400B",
                       entries))
        return STATUS_USAGE;
    if (argc != 2)
        return usage_error("run takes one file; see 'iovsim run --help'");
    if (!kernel_open(kernel, &owner, &error))
        return report_error(error);
    sets = sets_with(given, "seed", seed);
    experiment = open_experiment(argv[1], sets, &error);
    if (experiment == NULL || !open_folder(folder, &error)) {
        iov_experiment_free(experiment);
        kernel_close(owner);
        return report_error(error);
    }
    catch_interrupt();
    if (!run_experiment(experiment, owner, quiet, &error))
        status = report_error(error); /* the statistics so far are written all the same */
    if (!quiet) {
        g_autofree char *text = iov_report_text(iov_experiment_report(experiment));

        fputs(text, stdout);
    }
    error = NULL;
    if (folder != NULL &&
        !iov_experiment_write(experiment, folder, (const char *const *)command, &error))
        status = report_failure(error);
    error = NULL;
    if (pci != NULL && !write_pci_dump(experiment, pci, &error))
        status = report_failure(error);
    if (was_interrupted())
        status = STATUS_FAILED;
    iov_experiment_free(experiment);
    kernel_close(owner);
    return status;
}

/* ---- check ---- */

int command_check(int argc, char **argv)
{
    g_auto(GStrv) given = NULL;
    const GOptionEntry entries[] = {
        { "set", 0, 0, G_OPTION_ARG_STRING_ARRAY, &given, "Replace a value of the file",
          "KEY=VALUE" },
        G_OPTION_ENTRY_NULL,
    };
    int status = STATUS_OK;

    if (!parse_options(
            &argc, &argv, "FILE...",
            "Reads files, builds what they describe and reports every mistake; runs nothing.",
            "Example:\n  iovsim check configs/*.yaml", entries))
        return STATUS_USAGE;
    if (argc < 2)
        return usage_error("check takes one file or more");
    for (int i = 1; i < argc; i++) {
        GError *error = NULL;
        struct iov_experiment *experiment = open_experiment(argv[i], given, &error);

        if (experiment == NULL)
            status = report_error(error);
        else
            printf("%s: ok\n", argv[i]);
        iov_experiment_free(experiment);
    }
    return status;
}

/* ---- schema ---- */

int command_schema(int argc, char **argv)
{
    const GOptionEntry entries[] = { G_OPTION_ENTRY_NULL };
    g_autofree char *schema = NULL;

    if (!parse_options(&argc, &argv, NULL, "Prints the JSON Schema of experiment files.",
                       "Example:\n  iovsim schema > iovsim.schema.json", entries))
        return STATUS_USAGE;
    if (argc > 1)
        return usage_error("schema takes no argument");
    schema = iov_schema_json();
    puts(schema);
    return STATUS_OK;
}
