/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The run goes in slices of simulated time that take about 50 ms of host time each, so that
 * progress and Ctrl-C are looked at; where slices end changes nothing in the order of events.
 */
#define _GNU_SOURCE /* dladdr */
#include "core/config/experiment.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/config/config-private.h"
#include "core/config/quantity.h"
#include "core/kernel/backend.h"
#include "core/trace/measure.h"

#define SLICE_FIRST (100 * IOV_US)
#define SLICE_WALL_US 50000
/* How often, in simulated time, it is looked whether the workload still does anything: not after
 * slices, which follow host time. */
#define LIFE_CHECK (1 * IOV_SEC)

struct iov_experiment {
    struct iov_config *config;
    struct iov_platform *platform;
    struct iov_report report;
    GPtrArray *models;
    GArray *constants; /* struct iov_report_constant */
    char *resolved;
    char *started;
    int64_t begin_us;
    int64_t end_us;
};

/* ---- Where data files are ---- */

static void add_data_folder(GPtrArray *folders, const char *root)
{
    static const char *const parts[] = { "platforms", "configs" };

    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        char *folder = g_build_filename(root, parts[i], NULL);

        if (g_file_test(folder, G_FILE_TEST_IS_DIR) &&
            !g_ptr_array_find_with_equal_func(folders, folder, g_str_equal, NULL))
            g_ptr_array_add(folders, folder);
        else
            g_free(folder);
    }
}

/* The folder itself and those above it. */
static void add_upwards(GPtrArray *folders, const char *from)
{
    g_autofree char *folder = g_canonicalize_filename(from, NULL);

    while (strcmp(folder, "/") != 0) {
        char *above = g_path_get_dirname(folder);

        add_data_folder(folders, folder);
        g_free(folder);
        folder = above;
    }
}

/* The data that were installed with this code: wherever that was put, or where the build was told
 * to. */
static void add_installed(GPtrArray *folders)
{
    enum { LEVELS = 3 }; /* bin, lib, lib/x86_64-linux-gnu */
    __typeof__(iov_data_path) *function = iov_data_path;
    g_autofree char *folder = NULL;
    char code[PATH_MAX];
    Dl_info info;
    void *address;

    memcpy(&address, &function, sizeof address); /* C has no cast from functions to data */
    if (dladdr(address, &info) != 0 && info.dli_fname != NULL &&
        realpath(info.dli_fname, code) != NULL)
        folder = g_path_get_dirname(code);
    for (unsigned i = 0; i < LEVELS && folder != NULL; i++) {
        char *above = g_path_get_dirname(folder);
        g_autofree char *data = g_build_filename(above, "share", "iovsim", NULL);

        add_data_folder(folders, data);
        g_free(folder);
        folder = above;
    }
    add_data_folder(folders, IOV_DATA_DIR);
}

char **iov_data_path(const char *file)
{
    GPtrArray *folders = g_ptr_array_new();
    g_auto(GStrv) wanted = g_strsplit(g_getenv("IOVSIM_DATA_PATH") ?: "", ":", -1);

    for (unsigned i = 0; wanted[i] != NULL; i++) {
        if (wanted[i][0] != '\0')
            add_data_folder(folders, wanted[i]);
    }
    if (file != NULL) {
        g_autofree char *folder = g_path_get_dirname(file);

        add_upwards(folders, folder);
    }
    add_upwards(folders, ".");
    add_installed(folders);
    g_ptr_array_add(folders, NULL);
    return (char **)g_ptr_array_free(folders, FALSE);
}

/* ---- Open ---- */

struct iov_experiment *iov_experiment_open(const char *file,
                                           const struct iov_config_options *options, GError **error)
{
    struct iov_experiment *self = g_new0(struct iov_experiment, 1);

    self->models = g_ptr_array_new();
    self->constants = g_array_new(FALSE, FALSE, sizeof(struct iov_report_constant));
    self->config = iov_config_load(file, options, error);
    if (self->config != NULL)
        self->platform = iov_platform_new(self->config, error);
    if (self->platform == NULL || !iov_platform_realize(self->platform, error)) {
        iov_experiment_free(self);
        return NULL;
    }
    return self;
}

void iov_experiment_free(struct iov_experiment *self)
{
    if (self == NULL)
        return;
    iov_platform_free(self->platform);
    iov_config_free(self->config);
    g_ptr_array_unref(self->models);
    g_array_unref(self->constants);
    g_free(self->resolved);
    g_free(self->started);
    g_free(self);
}

struct iov_platform *iov_experiment_platform(const struct iov_experiment *self)
{
    return self->platform;
}

const struct iov_config *iov_experiment_config(const struct iov_experiment *self)
{
    return self->config;
}

const struct iov_measure *iov_experiment_measure(const struct iov_experiment *self)
{
    return iov_platform_run(self->platform)->measure;
}

/* A number of the workload, 0 if it is not there. */
static uint64_t workload_number(const struct iov_experiment *self, const char *key)
{
    const char *text = iov_node_text(iov_node_get(iov_config_root(self->config), "workload"), key);
    uint64_t value;

    return text != NULL && iov_quantity_parse(text, IOV_DIMENSION_COUNT, key, &value, NULL) ? value
                                                                                            : 0;
}

uint64_t iov_experiment_planned(const struct iov_experiment *self)
{
    return workload_number(self, "operations") + workload_number(self, "warmup");
}

uint64_t iov_experiment_wall_ns(const struct iov_experiment *self)
{
    int64_t end = self->end_us != 0 ? self->end_us : g_get_monotonic_time();

    return self->begin_us != 0 ? (uint64_t)(end - self->begin_us) * 1000 : 0;
}

/* ---- Run ---- */

/* A number that grows as long as the workload does anything. */
static uint64_t signs_of_life(const struct iov_measure *measure)
{
    const struct iov_counters *counters = &measure->counters;

    return measure->operations + counters->device_accesses + counters->interrupts +
           counters->kicks + counters->apic_accesses - counters->timer_accesses + measure->open;
}

/* A number, and since when it has been the same. */
struct sign {
    uint64_t number;
    iov_time since;
};

static bool is_stale(struct sign *sign, uint64_t number, iov_time now, iov_time patience)
{
    if (number != sign->number)
        *sign = (struct sign){ number, now };
    return now - sign->since > patience;
}

struct signs {
    struct sign life, operations;
};

/* Why the run is given up: nothing has happened for longer than the workload said, or nothing has
 * come of it. NULL: go on. */
static const char *look_for_life(struct signs *signs, const struct iov_measure *measure,
                                 iov_time now)
{
    if (now % LIFE_CHECK != 0)
        return NULL;
    if (is_stale(&signs->life, signs_of_life(measure), now, measure->patience))
        return "it had been silent";
    if (measure->has_operations &&
        is_stale(&signs->operations, measure->settled + 1, now, measure->patience))
        return "it had been busy without finishing an operation";
    return NULL;
}

static bool give_up(const struct iov_experiment *self, GError **error, iov_time now,
                    const char *why)
{
    struct iov_measure *measure = iov_platform_run(self->platform)->measure;
    g_autofree char *when = iov_quantity_format(IOV_DIMENSION_TIME, now);
    g_autofree char *where = NULL;

    if (!measure->ended)
        iov_measure_end(measure, false);
    where = blame(measure, now);
    g_set_error(error, IOV_ERROR, IOV_ERROR_RUN,
                "the workload did not finish: at %s of simulated time %s%s", when, why, where);
    return false;
}

/* A run came back early: the workload is done, or the owner of time failed. */
static bool is_end(struct iov_platform *platform, GError **error)
{
    const struct iov_kernel *kernel = iov_platform_run(platform)->kernel;
    const char *failure = iov_kernel_failure(kernel);
    const IovModel *culprit = iov_platform_with(platform, iov_kernel_culprit(kernel));

    if (failure == NULL)
        return true;
    g_set_error(error, IOV_ERROR, IOV_ERROR_RUN, "%s%s%s", failure,
                culprit != NULL ? ", in an event of " : "", culprit != NULL ? culprit->path : "");
    return false;
}

/* It came to its end: with something that was measured? */
static bool is_worth_it(const struct iov_experiment *self, GError **error)
{
    const struct iov_measure *measure = iov_experiment_measure(self);

    return !measure->complete || measure->operations > 0 || measure->settled == 0 ||
           give_up(self, error, measure->end - measure->end % IOV_US,
                   "all of its operations had been lost");
}

/* One slice after the other until the run ends; false with an error if it cannot go on. */
static bool run_slices(struct iov_experiment *self, struct iov_progress *progress, GError **error)
{
    struct iov_run *run = iov_platform_run(self->platform);
    iov_time last = iov_platform_stop(self->platform);
    iov_time slice = SLICE_FIRST, next;
    struct signs signs = { { 0 }, { 0 } };
    const char *trouble;

    for (;;) {
        iov_time now = iov_now(run->kernel), check = now - now % LIFE_CHECK + LIFE_CHECK;
        iov_time until = MIN(MIN(now + slice, last), check);
        int64_t before = g_get_monotonic_time(), took;

        if (!iov_kernel_run_until(run->kernel, until))
            return is_end(self->platform, error) && is_worth_it(self, error);
        took = g_get_monotonic_time() - before;
        slice = took < SLICE_WALL_US / 2   ? MIN(slice * 2, IOV_SEC)
                : took > SLICE_WALL_US * 2 ? slice / 2 + 1
                                           : slice;
        if (until == last || (progress != NULL && !progress->report(progress, self)))
            return true;
        if (!iov_kernel_next(run->kernel, &next))
            return give_up(self, error, until, "nothing is left that could happen");
        if ((trouble = look_for_life(&signs, run->measure, until)) != NULL) {
            g_autofree char *patience =
                iov_quantity_format(IOV_DIMENSION_TIME, run->measure->patience);
            g_autofree char *why = g_strdup_printf("%s for more than %s", trouble, patience);

            return give_up(self, error, until, why);
        }
    }
}

void iov_experiment_begin(struct iov_experiment *self)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();

    self->started = g_date_time_format_iso8601(now);
    iov_platform_start(self->platform);
    self->begin_us = g_get_monotonic_time();
}

void iov_experiment_end(struct iov_experiment *self)
{
    struct iov_measure *measure = iov_platform_run(self->platform)->measure;

    self->end_us = g_get_monotonic_time();
    if (!measure->ended)
        iov_measure_end(measure, false);
}

bool iov_experiment_run(struct iov_experiment *self, struct iov_progress *progress, GError **error)
{
    bool is_good;

    iov_experiment_begin(self);
    is_good = run_slices(self, progress, error);
    iov_experiment_end(self);
    return is_good;
}

/* ---- Report ---- */

static void collect_constants(struct iov_experiment *self)
{
    g_array_set_size(self->constants, 0);
    for (unsigned i = 0; i < iov_platform_cost_count(self->platform); i++) {
        const struct iov_cost_use *use = iov_platform_cost_at(self->platform, i);
        struct iov_report_constant constant = {
            .name = use->name,
            .value = use->value,
            .written = use->text,
            .source = use->source,
            .year = use->year,
            .hardware = use->hardware,
            .confidence = use->confidence,
            .note = use->note,
            .adjusted = use->adjusted[0] != '\0' ? use->adjusted : NULL,
        };

        if (use->used)
            g_array_append_val(self->constants, constant);
    }
}

const struct iov_report *iov_experiment_report(struct iov_experiment *self)
{
    const struct iov_run *run = iov_platform_run(self->platform);
    const struct iov_node *root = iov_config_root(self->config);

    g_ptr_array_set_size(self->models, 0);
    for (unsigned i = 0; i < iov_platform_count(self->platform); i++)
        g_ptr_array_add(self->models, iov_platform_at(self->platform, i));
    collect_constants(self);
    g_free(self->resolved);
    self->resolved = iov_config_write(self->config);
    self->report = (struct iov_report){
        .measure = run->measure,
        .strategy = iov_node_text(root, "strategy") ?: "",
        .workload = iov_node_text(iov_node_get(root, "workload"), "kind") ?: "",
        .seed = run->seed,
        .wall_ns = iov_experiment_wall_ns(self),
        .models = (IovModel *const *)self->models->pdata,
        .model_count = self->models->len,
        .version = IOV_VERSION,
        .started = self->started,
        .constants = (const struct iov_report_constant *)(void *)self->constants->data,
        .constant_count = self->constants->len,
        .resolved = self->resolved,
    };
    return &self->report;
}

bool iov_experiment_write(struct iov_experiment *self, const char *folder,
                          const char *const *command, GError **error)
{
    iov_experiment_report(self);
    self->report.command = command;
    return iov_report_write(&self->report, folder, error);
}
