/* SPDX-License-Identifier: Apache-2.0 */
/* Many guests on one device: together they get what one gets, and each more costs the host a small
 * constant. */
#include "tests/platforms/platform.h"

/* Datagrams as fast as they go from `guests` virtual functions into a link of 1 Gbit/s. */
static struct iov_experiment *share(unsigned guests)
{
    g_autofree char *count = g_strdup_printf("vms[0].count=%u", guests);
    g_autofree char *operations = g_strdup_printf("workload.operations=%u", 12000 / guests);

    return RUN("scaling.yaml", "strategy=sriov-vf", "workload.kind=udp-stream",
               "workload.size=1400B", "parts.peer.role=sink", "parts.wire.rate=1Gbps", count,
               operations, "workload.warmup=50");
}

Test(sharing, functions_share_the_link_and_each_costs_the_host_a_little)
{
    static const unsigned counts[] = { 1, 2, 4, 8, 16, 30, 60 };
    double alone = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(counts); i++) {
        struct iov_experiment *run = share(counts[i]);
        double use = processors(run);

        cr_assert(lt(dbl, 0.98e9, wire_bits_per_second(run)), "%u: %.4g bit/s", counts[i],
                  wire_bits_per_second(run));
        cr_assert(le(dbl, wire_bits_per_second(run), 1.002e9), "%u: %.4g bit/s", counts[i],
                  wire_bits_per_second(run));
        if (i == 0)
            alone = use;
        else /* at most 3 % of a processor a guest, and a third of one for all of them */
            cr_assert(lt(dbl, use - alone, MIN(0.03 * counts[i], 0.3)),
                      "%u: %.3f processors, alone %.3f", counts[i], use, alone);
        cr_assert(le(dbl, alone, use + 0.001));
        cr_assert(eq(u64, counters_of(run)->device_exits, 0));
        cr_assert(lt(u32, 990000, iov_measure_fairness(iov_experiment_measure(run))));
        iov_experiment_free(run);
    }
}

Test(sharing, the_more_functions_the_longer_a_datagram_waits_for_the_device)
{
    struct iov_experiment *one = share(1);
    struct iov_experiment *sixty = share(60);
    const struct iov_measure *measure = iov_experiment_measure(sixty);
    uint64_t all = 0;

    for (unsigned part = 0; part < IOV_PART_COUNT; part++)
        all += measure->parts_low[part];
    cr_assert(lt(u64, median_of(one), median_of(sixty)));
    /* Nearly all of it in the queues of the functions, for the link. */
    cr_assert(lt(u64, all / 2,
                 measure->parts_low[IOV_PART_QUEUE] + measure->parts_low[IOV_PART_DEVICE] +
                     measure->parts_low[IOV_PART_WIRE]));
    iov_experiment_free(one);
    iov_experiment_free(sixty);
}

Test(sharing, sixty_four_guests_over_vhost_all_get_answers)
{
    struct iov_experiment *run =
        RUN("scaling.yaml", "vms[0].count=64", "workload.operations=30", "workload.warmup=10");

    cr_assert(eq(uint, iov_experiment_measure(run)->guest_count, 64));
    cr_assert(le(u64, 64 * 30, iov_experiment_measure(run)->operations));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    for (unsigned i = 0; i < 64; i++) {
        g_autofree char *workload = g_strdup_printf("vm%u/workload", i);

        cr_assert(eq(u64, stat_of(run, workload, "lost"), 0), "%s", workload);
    }
    iov_experiment_free(run);
}
