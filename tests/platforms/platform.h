/* SPDX-License-Identifier: Apache-2.0 */
/* Runs an experiment of configs/ in a test and gives its figures per operation. */
#ifndef IOV_TESTS_PLATFORM_H
#define IOV_TESTS_PLATFORM_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "core/config/experiment.h"
#include "models/cpu/vmx-regs.h"

/* A finished run of a file, wherever it is; `sets` ends with NULL. Ends the test if the run fails. */
static inline struct iov_experiment *run_file(const char *file, const char *const *sets)
{
    g_auto(GStrv) path = iov_data_path(IOV_SOURCE_DIR "/configs/any.yaml");
    struct iov_config_options options = { (const char *const *)path, sets };
    GError *error = NULL;
    struct iov_experiment *experiment = iov_experiment_open(file, &options, &error);

    cr_assert_not_null(experiment, "%s: %s", file, error != NULL ? error->message : "");
    cr_assert(iov_experiment_run(experiment, NULL, &error), "%s: %s", file,
              error != NULL ? error->message : "");
    return experiment;
}

/* The same of a file in configs/. */
static inline struct iov_experiment *run_config(const char *config, const char *const *sets)
{
    g_autofree char *file = g_build_filename(IOV_SOURCE_DIR, "configs", config, NULL);

    return run_file(file, sets);
}

#define RUN(config, ...) \
    run_config(config, (const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })

static inline const struct iov_counters *counters_of(const struct iov_experiment *experiment)
{
    return &iov_experiment_measure(experiment)->counters;
}

static inline double per_op(const struct iov_experiment *experiment, uint64_t count)
{
    return (double)count / (double)iov_experiment_measure(experiment)->operations;
}

static inline double exits_per_op(const struct iov_experiment *experiment, unsigned reason)
{
    return per_op(experiment, counters_of(experiment)->exits[reason]);
}

static inline iov_time median_of(const struct iov_experiment *experiment)
{
    return iov_histogram_quantile(iov_experiment_measure(experiment)->latency, 500000);
}

/* A statistic of a part; ends the test if there is none. */
static inline uint64_t stat_of(const struct iov_experiment *experiment, const char *path,
                               const char *name)
{
    IovModel *model = iov_platform_find(iov_experiment_platform(experiment), path);
    const GArray *stats = model != NULL ? IOV_MODEL_GET_CLASS(model)->info->stats : NULL;

    for (unsigned i = 0; stats != NULL && i < stats->len; i++) {
        const struct iov_stat *row = &g_array_index(stats, struct iov_stat, i);

        if (strcmp(row->name, name) == 0)
            return G_STRUCT_MEMBER(uint64_t, model, row->offset);
    }
    cr_assert(zero(int, 1), "%s has no statistic %s", path, name);
    return 0;
}

/* What the wire carried in a second of the measurement, with preamble, checksum and gap of each frame. */
static inline double wire_bits_per_second(const struct iov_experiment *run)
{
    const struct iov_measure *measure = iov_experiment_measure(run);
    double seconds = (double)(measure->end - measure->begin) / (double)IOV_SEC;

    return 8.0 * (double)(stat_of(run, "wire", "bytes") + 24 * stat_of(run, "wire", "frames")) /
           seconds;
}

/* `figure` of an experiment is `wanted` within 0.02. */
#define cr_assert_about(figure, wanted) \
    cr_assert(fabs((figure) - (wanted)) <= 0.02, #figure " is %.4f; wanted is %.2f", (figure), \
              (double)(wanted))

#endif
