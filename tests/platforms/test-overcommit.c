/* SPDX-License-Identifier: Apache-2.0 */
/* More virtual processors than processors: everybody gets turns, nobody is forgotten, and the parts
 * of a request say what its tail waited for. */
#include "tests/platforms/platform.h"

#define TWO "vms=[{ name: vm0, pin: [0] }, { name: vm1, pin: [1] }]"

static double waiting_per_op(const struct iov_experiment *run)
{
    return per_op(run, part_sum(run, IOV_PART_WAKEUP) + part_sum(run, IOV_PART_QUEUE));
}

static double mean_of(const struct iov_experiment *run)
{
    uint64_t sum = 0;

    for (unsigned part = 0; part < IOV_PART_COUNT; part++)
        sum += part_sum(run, part);
    return per_op(run, sum);
}

static uint64_t tail_of(const struct iov_experiment *run)
{
    return iov_histogram_quantile(iov_experiment_measure(run)->latency, 999500);
}

static void check_nothing_lost(const struct iov_experiment *run)
{
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert(iov_experiment_measure(run)->complete);
    for (unsigned i = 0; i < iov_experiment_measure(run)->guest_count; i++) {
        g_autofree char *workload = g_strdup_printf("vm%u/workload", i);

        cr_assert(eq(u64, stat_of(run, workload, "lost"), 0), "%s", workload);
    }
}

static const char *const posting[] = { "parameters.posting=on", "parameters.posting=off" };

Test(overcommit, the_tail_is_a_time_slice_and_its_parts_are_those_of_waiting_for_a_processor)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(posting); i++) {
        struct iov_experiment *four = RUN("overcommit.yaml", posting[i]);
        struct iov_experiment *two = RUN("overcommit.yaml", posting[i], TWO);
        double more = mean_of(four) - mean_of(two);
        double waiting = waiting_per_op(four) - waiting_per_op(two);

        cr_assert(le(u64, 3 * IOV_MS, tail_of(four)), "%s", posting[i]);
        cr_assert(lt(u64, tail_of(two), 100 * IOV_US), "%s", posting[i]);
        cr_assert(lt(dbl, fabs(more - waiting), 0.1 * more), "%s: %.0f more, of them %.0f waiting",
                  posting[i], more, waiting);
        check_nothing_lost(four);
        check_nothing_lost(two);
        iov_experiment_free(four);
        iov_experiment_free(two);
    }
}

Test(overcommit, interrupts_of_who_waits_gather_in_the_descriptor_and_exit_nobody)
{
    struct iov_experiment *on = RUN("overcommit.yaml", posting[0]);
    struct iov_experiment *off = RUN("overcommit.yaml", posting[1]);

    cr_assert(lt(dbl, exits_per_op(on, IOV_EXIT_EXTERNAL_INTERRUPT), 0.05));
    cr_assert(lt(dbl, 1.9, exits_per_op(off, IOV_EXIT_EXTERNAL_INTERRUPT)));
    cr_assert(lt(u64, 0, part_sum(on, IOV_PART_QUEUE)));
    iov_experiment_free(on);
    iov_experiment_free(off);
}

Test(overcommit, processors_are_shared_fairly)
{
    struct iov_experiment *run = RUN("overcommit.yaml", "workload.operations=20000");

    cr_assert(lt(u32, 990000, iov_measure_fairness(iov_experiment_measure(run))));
    cr_assert(lt(u64, 10, stat_of(run, "host", "preemptions")));
    iov_experiment_free(run);
}

Test(overcommit, nobody_misses_a_wake_up_however_guests_wait)
{
    static const char *const strategies[] = { "strategy=sriov-vf", "strategy=vhost-net",
                                              "strategy=virtio-net" };
    static const char *const idles[] = { "guest.idle=halt", "guest.idle=poll" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(idles); j++) {
            struct iov_experiment *run = RUN("overcommit.yaml", strategies[i], idles[j]);

            check_nothing_lost(run);
            cr_assert(le(u64, 4 * 5000, iov_experiment_measure(run)->operations));
            iov_experiment_free(run);
        }
    }
}

Test(overcommit, the_host_s_idle_states_and_cold_caches_cost_time_and_lose_nothing)
{
    struct iov_experiment *plain = RUN("overcommit.yaml", "guest.idle=halt");
    struct iov_experiment *deep = RUN("overcommit.yaml", "guest.idle=halt",
                                      "parts.host.idle-states=3", "parts.host.cache-refill=on");

    check_nothing_lost(deep);
    cr_assert(lt(dbl, mean_of(plain), mean_of(deep)));
    cr_assert(lt(u64, 0, stat_of(deep, "host", "refills")));
    cr_assert(eq(u64, stat_of(plain, "host", "refills"), 0));
    cr_assert(eq(u64, stat_of(plain, "host", "idle-c6"), 0));
    iov_experiment_free(plain);
    iov_experiment_free(deep);
}

Test(overcommit, more_guests_work_on_one_processor_than_it_usually_keeps_structures_of)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=virtio-net", "vms=[{ name: vm, count: 130, pin: [0] }]",
            "workload.operations=3", "workload.warmup=0");

    check_nothing_lost(run);
    cr_assert(eq(uint, iov_experiment_measure(run)->guest_count, 130));
    iov_experiment_free(run);
}
