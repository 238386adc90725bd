/* SPDX-License-Identifier: Apache-2.0 */
/* Runs an experiment of configs/ in a test and gives its figures per operation. */
#ifndef IOV_TESTS_PLATFORM_H
#define IOV_TESTS_PLATFORM_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>

#include "core/config/experiment.h"
#include "models/cpu/vmx-regs.h"

/* An experiment of a file, wherever it is, or of one in configs/; `sets` ends with NULL. NULL if it
 * is refused. */
static inline struct iov_experiment *try_file(const char *file, const char *const *sets,
                                              GError **error)
{
    g_auto(GStrv) path = iov_data_path(IOV_SOURCE_DIR "/configs/any.yaml");
    g_autofree char *whole = g_canonicalize_filename(file, IOV_SOURCE_DIR "/configs");
    struct iov_config_options options = { (const char *const *)path, sets };

    return iov_experiment_open(whole, &options, error);
}

/* The same, and the test ends if it is refused. */
static inline struct iov_experiment *open_file(const char *file, const char *const *sets)
{
    GError *error = NULL;
    struct iov_experiment *experiment = try_file(file, sets, &error);

    cr_assert_not_null(experiment, "%s: %s", file, error != NULL ? error->message : "");
    return experiment;
}

/* The same, and it has run. */
static inline struct iov_experiment *run_file(const char *file, const char *const *sets)
{
    struct iov_experiment *experiment = open_file(file, sets);
    GError *error = NULL;

    cr_assert(iov_experiment_run(experiment, NULL, &error), "%s: %s", file,
              error != NULL ? error->message : "");
    return experiment;
}

/* It is refused, or fails, and the user is told `reason`. */
static inline void expect_refusal(const char *file, const char *const *sets, const char *reason)
{
    g_autoptr(GError) error = NULL;
    struct iov_experiment *experiment = try_file(file, sets, &error);

    if (experiment != NULL) {
        cr_assert(not(iov_experiment_run(experiment, NULL, &error)));
        iov_experiment_free(experiment);
    }
    cr_assert_not_null(error);
    cr_assert_not_null(strstr(error->message, reason), "%s", error->message);
}

#define SETS(...) ((const char *const[]){ __VA_ARGS__ __VA_OPT__(, ) NULL })
#define OPEN(config, ...) open_file(config, SETS(__VA_ARGS__))
#define RUN(config, ...) run_file(config, SETS(__VA_ARGS__))
#define REFUSED(config, reason, ...) expect_refusal(config, SETS(__VA_ARGS__), reason)

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

static inline uint64_t all_exits(const struct iov_experiment *experiment)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < IOV_MEASURE_REASONS; i++)
        sum += counters_of(experiment)->exits[i];
    return sum;
}

/* How long was measured. */
static inline double seconds(const struct iov_experiment *run)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    return (double)(measure->end - measure->begin) / (double)IOV_SEC;
}

/* Time in a part, of all requests together. LIMIT: sums of less than 2^64 ps. */
static inline iov_time part_sum(const struct iov_experiment *run, enum iov_part part)
{
    cr_assert(eq(u64, iov_experiment_measure(run)->parts_high[part], 0));
    return iov_experiment_measure(run)->parts_low[part];
}

/* ... and of each, in ns. */
static inline double part_ns(const struct iov_experiment *run, enum iov_part part)
{
    return per_op(run, part_sum(run, part)) / IOV_NS;
}

/* Payload that arrived. */
static inline double gbps(const struct iov_experiment *run)
{
    return (double)iov_experiment_measure(run)->bytes * 8 / 1e9 / seconds(run);
}

/* Processors of the host in use, on average. */
static inline double processors(const struct iov_experiment *run)
{
    return (double)iov_experiment_measure(run)->use.busy / (double)IOV_SEC / seconds(run);
}

/* Processor time of a thread of the host, for an operation; ends the test if there is none. */
static inline double thread_per_op(const struct iov_experiment *run, const char *name)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    for (unsigned i = 0; i < measure->thread_count; i++) {
        if (strcmp(measure->threads[i].name, name) == 0)
            return per_op(run, measure->threads[i].busy);
    }
    cr_assert(zero(int, 1), "no thread is called %s", name);
    return 0;
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

/* What the wire carried in a second of the measurement, with preamble, checksum and gap of each
 * frame. */
static inline double wire_bits_per_second(const struct iov_experiment *run)
{
    return 8.0 * (double)(stat_of(run, "wire", "bytes") + 24 * stat_of(run, "wire", "frames")) /
           seconds(run);
}

/* A list of `count` VMs for the sets: vm0, vm1, ... */
static inline char *vms(unsigned count)
{
    return g_strdup_printf("vms=[{ name: vm, count: %u }]", count);
}

/* Every guest got an answer to each of its requests and nothing else. */
static inline void check_own_answers(const struct iov_experiment *run, unsigned guests)
{
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert(eq(u64, counters_of(run)->drops, 0));
    for (unsigned i = 0; i < guests; i++) {
        g_autofree char *guest = g_strdup_printf("vm%u/guest", i);

        cr_assert(eq(u64, stat_of(run, guest, "foreign-frames"), 0));
        cr_assert(eq(u64, stat_of(run, guest, "bad-frames"), 0));
    }
}

/* Streams of one guest and of many fill a link of 1 Gbit/s alike, and no access of theirs exits.
 * `size`: the card is large enough. */
static inline void check_link_is_shared(const char *strategy, const char *size)
{
    static const unsigned counts[] = { 1, 8, 60 };

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autofree char *list = vms(counts[i]);
        g_autofree char *operations = g_strdup_printf("workload.operations=%u", 12000 / counts[i]);
        struct iov_experiment *run = RUN("udp-stream.yaml", strategy, size, "parts.wire.rate=1Gbps",
                                         list, operations, "workload.warmup=50");
        double rate = wire_bits_per_second(run);

        cr_assert(lt(dbl, 0.98e9, rate), "%u: %.4g bit/s", counts[i], rate);
        cr_assert(le(dbl, rate, 1.002e9), "%u: %.4g bit/s", counts[i], rate);
        cr_assert(eq(u64, stat_of(run, "nic", "frames-dropped"), 0));
        cr_assert(eq(u64, counters_of(run)->device_exits, 0));
        iov_experiment_free(run);
    }
}

/* `figure` of an experiment is `wanted` within 0.02. */
#define cr_assert_about(figure, wanted) \
    cr_assert(fabs((figure) - (wanted)) <= 0.02, #figure " is %.4f; wanted is %.2f", (figure), \
              (double)(wanted))

#endif
