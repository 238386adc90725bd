/* SPDX-License-Identifier: Apache-2.0 */
/* A driver that is written as a file starts a device and waits for its interrupt. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/config/experiment.h"
#include "core/trace/measure.h"

static struct iov_experiment *experiment;

/* Opens the e1000 that interrupts itself; the error, or NULL. */
static GError *open_with(const char *set)
{
    const char *file = IOV_SOURCE_DIR "/tests/models/guest/register-loop.yaml";
    g_auto(GStrv) path = iov_data_path(file);
    const char *sets[] = { set, NULL };
    struct iov_config_options options = { .search_path = (const char *const *)path, .sets = sets };
    GError *error = NULL;

    experiment = iov_experiment_open(file, &options, &error);
    return error;
}

static void run_with(const char *set)
{
    GError *error = open_with(set);

    cr_assert(experiment != NULL, "%s", error != NULL ? error->message : "");
    iov_experiment_run(experiment, NULL, &error);
    g_clear_error(&error);
}

static uint64_t statistic(const char *name)
{
    IovModel *model = iov_platform_find(iov_experiment_platform(experiment), "vm0/workload");
    const GArray *stats = IOV_MODEL_GET_CLASS(model)->info->stats;

    for (unsigned i = 0; i < stats->len; i++) {
        const struct iov_stat *row = &g_array_index(stats, struct iov_stat, i);

        if (strcmp(row->name, name) == 0)
            return *(uint64_t *)G_STRUCT_MEMBER_P(model, row->offset);
    }
    cr_fail("no statistic '%s'", name);
    return 0;
}

Test(register_loop, counts_an_operation_for_each_interrupt)
{
    const struct iov_measure *measure;

    run_with(NULL);
    measure = iov_experiment_measure(experiment);
    cr_assert(measure->complete);
    cr_assert(eq(u64, measure->operations, 20));
    cr_assert(eq(u64, measure->counters.interrupts, 20));
    cr_assert(eq(u64, measure->mismatches, 0), "the parts add up to the picosecond");
    cr_assert(eq(u64, statistic("spurious"), 0));
    iov_experiment_free(experiment);
}

Test(register_loop, sees_that_the_device_did_not_write)
{
    run_with(NULL);
    cr_assert(eq(u64, statistic("untouched"), 20));
    iov_experiment_free(experiment);
}

Test(register_loop, gives_up_an_operation_whose_interrupt_does_not_come)
{
    run_with("workload.start=[0xd0, 4]");
    cr_assert(not(iov_experiment_measure(experiment)->complete));
    cr_assert(gt(u64, statistic("lost"), 100));
    iov_experiment_free(experiment);
}

Test(register_loop, wants_pairs)
{
    GError *error = open_with("workload.start=[0xd0, 4, 0xc8]");

    cr_assert(error != NULL);
    cr_assert(strstr(error->message, "pairs of offset and value") != NULL);
    g_error_free(error);
}
