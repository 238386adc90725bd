/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DMA as a device measures it, against what pcie-bench measured on two hosts: every published point
 * within 10 %. Sources by their ids in docs/validation/measurements.yaml.
 */
#include "tests/platforms/platform.h"

#define HASWELL "include=machines/pcie-bench-e5-2620v3.yaml"
#define IVY_BRIDGE "include=machines/pcie-bench-e5-2620v2.yaml"
#define POINTS 12

struct series {
    const char *host, *pages, *warm;
    struct {
        unsigned window; /* KiB */
        double latency;  /* ns, mean of 64-byte reads */
    } points[POINTS];
};

static void set_parameter(GPtrArray *sets, const char *name, const char *value)
{
    g_ptr_array_add(sets, g_strdup_printf("parameters.%s=%s", name, value));
}

static GPtrArray *sets_new(const char *host, const char *window, const char *pages)
{
    GPtrArray *sets = g_ptr_array_new_with_free_func(g_free);

    g_ptr_array_add(sets, g_strdup(host));
    set_parameter(sets, "window", window);
    set_parameter(sets, "pages", pages);
    return sets;
}

static struct iov_experiment *run_sets(GPtrArray *sets)
{
    struct iov_experiment *run;

    g_ptr_array_add(sets, NULL);
    run = run_file("pcie-bench.yaml", (const char *const *)sets->pdata);
    cr_assert(eq(u64, stat_of(run, "engine", "failed"), 0));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    g_ptr_array_unref(sets);
    return run;
}

static double mean_ns(const struct iov_experiment *run)
{
    return (double)iov_histogram_mean(iov_experiment_measure(run)->latency) / 1000;
}

static void expect(double figure, double published, const char *what)
{
    cr_assert(fabs(figure - published) <= published / 10, "%s: %.1f; published is %.1f", what,
              figure, published);
}

static void expect_series(const struct series *series)
{
    for (unsigned i = 0; i < POINTS && series->points[i].window != 0; i++) {
        g_autofree char *window = g_strdup_printf("%uKiB", series->points[i].window);
        g_autofree char *what = g_strdup_printf("%s %s pages=%s warm=%s", series->host, window,
                                                series->pages, series->warm);
        GPtrArray *sets = sets_new(series->host, window, series->pages);
        struct iov_experiment *run;

        set_parameter(sets, "warm", series->warm);
        run = run_sets(sets);
        expect(mean_ns(run), series->points[i].latency, what);
        iov_experiment_free(run);
    }
}

Test(pcie_bench, latency_by_window_on_haswell_is_as_published)
{
    static const struct series published[] = {
        { HASWELL,
          "off",
          "off", /* pcibw-hsw2620v3-lat */
          { { 16, 481.7 }, { 256, 481.5 }, { 1024, 481.6 }, { 8192, 481.9 }, { 65536, 481.8 } } },
        { HASWELL,
          "4K",
          "off",
          { { 16, 480.2 },
            { 256, 480.5 },
            { 512, 497.0 },
            { 1024, 603.4 },
            { 1536, 638.7 },
            { 2048, 656.2 },
            { 3072, 674.4 },
            { 4096, 683.1 },
            { 8192, 696.7 },
            { 16384, 702.9 },
            { 32768, 706.3 },
            { 65536, 707.8 } } },
        { HASWELL, "off", "on", { { 2048, 413 }, { 65536, 480 } } }, /* pcib-25 */
        { HASWELL,
          "4K",
          "on", /* pcib-26 */
          { { 256, 412.5 },
            { 512, 429 },
            { 1024, 536 },
            { 2048, 606 },
            { 4096, 658 },
            { 8192, 684 },
            { 65536, 707 } } },
        { HASWELL, "2M", "on", { { 2048, 412 }, { 65536, 479 } } }, /* pcib-33 */
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(published); i++)
        expect_series(&published[i]);
}

Test(pcie_bench, latency_by_window_on_ivy_bridge_is_as_published)
{
    static const struct series published[] = {
        { IVY_BRIDGE,
          "off",
          "off", /* pcibw-ib2620v2-lat */
          { { 16, 493.9 }, { 256, 493.9 }, { 1024, 493.8 }, { 8192, 494.1 }, { 65536, 493.9 } } },
        { IVY_BRIDGE,
          "4K",
          "off",
          { { 16, 494.8 },
            { 256, 494.8 },
            { 512, 499.8 },
            { 1024, 647.2 },
            { 1536, 696.6 },
            { 2048, 721.2 },
            { 3072, 745.5 },
            { 4096, 757.7 },
            { 8192, 776.2 },
            { 16384, 785.2 },
            { 32768, 790.0 },
            { 65536, 792.0 } } },
        { IVY_BRIDGE, "off", "on", { { 2048, 417 }, { 65536, 492 } } }, /* pcib-27 */
        { IVY_BRIDGE,
          "4K",
          "on", /* pcib-28 */
          { { 256, 418 },
            { 512, 424 },
            { 1024, 571 },
            { 2048, 664 },
            { 4096, 729 },
            { 65536, 790 } } },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(published); i++)
        expect_series(&published[i]);
}

static double bandwidth_gbps(const char *host, const char *window, const char *pages,
                             const char *access, unsigned size)
{
    g_autofree char *bytes = g_strdup_printf("%uB", size);
    GPtrArray *sets = sets_new(host, window, pages);
    const struct iov_measure *measure;
    struct iov_experiment *run;
    double gbps;

    set_parameter(sets, "mode", "bandwidth");
    set_parameter(sets, "access", access);
    set_parameter(sets, "size", bytes);
    run = run_sets(sets);
    measure = iov_experiment_measure(run);
    gbps = (double)measure->bytes * 8 * 1000 / (double)(measure->end - measure->begin);
    iov_experiment_free(run);
    return gbps;
}

Test(pcie_bench, bandwidth_by_size_on_ivy_bridge_is_as_published)
{
    static const unsigned sizes[] = { 64, 128, 256, 512 };
    static const struct {
        const char *access, *pages;
        double gbps[4];
    } published[] = {
        { "read", "off", { 28.025, 42.438, 46.469, 55.354 } }, /* pcibw-ib-bwsz */
        { "read", "4K", { 9.207, 18.166, 31.664, 51.487 } },
        { "write", "off", { 24.269, 42.399, 50.548, 54.446 } }, /* pcibw-ib-bwszw */
        { "write", "4K", { 9.634, 19.885, 40.802, 54.533 } },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(published); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(sizes); j++) {
            g_autofree char *what = g_strdup_printf("%s of %u, pages=%s", published[i].access,
                                                    sizes[j], published[i].pages);

            expect(bandwidth_gbps(IVY_BRIDGE, "64MiB", published[i].pages, published[i].access,
                                  sizes[j]),
                   published[i].gbps[j], what);
        }
    }
}

Test(pcie_bench, bandwidth_by_size_on_a_haswell_with_fewer_and_faster_cores_is_as_published)
{
    /* pcib-38 and pcib-39, E5-2637 v3: the device's link and engine decide, not the host. */
    static const unsigned sizes[] = { 64, 128, 256, 512, 1024, 2048 };
    static const double reads[] = { 28.65, 42.96, 46.89, 55.11, 49.10, 55.25 };
    static const double writes[] = { 24.27, 42.40, 50.55, 54.44, 54.44, 54.44 };

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        expect(bandwidth_gbps(HASWELL, "1MiB", "off", "read", sizes[i]), reads[i], "read");
        expect(bandwidth_gbps(HASWELL, "1MiB", "off", "write", sizes[i]), writes[i], "write");
    }
}

Test(pcie_bench, two_megabyte_pages_cost_nothing_and_small_windows_neither)
{
    struct iov_experiment *off = run_sets(sets_new(HASWELL, "64MiB", "off"));
    struct iov_experiment *large = run_sets(sets_new(HASWELL, "64MiB", "2M"));
    struct iov_experiment *small = run_sets(sets_new(HASWELL, "256KiB", "4K"));

    cr_assert(eq(u64, median_of(off), median_of(large)));
    cr_assert(eq(u64, median_of(off), median_of(small)));
    iov_experiment_free(off);
    iov_experiment_free(large);
    iov_experiment_free(small);
}

Test(pcie_bench, a_device_whose_window_is_not_mapped_is_blocked_and_every_fault_counted)
{
    struct iov_experiment *run = RUN("pcie-bench.yaml", "parameters.pages=4K",
                                     "parts.mapping.size=512KiB", "parameters.window=1MiB");
    uint64_t failed = stat_of(run, "engine", "failed");

    cr_assert(lt(u64, 9500, failed)); /* about half of 20,000 */
    cr_assert(lt(u64, failed, 10500));
    cr_assert(eq(u64, stat_of(run, "iommu", "blocked"), failed));
    iov_experiment_free(run);
}
