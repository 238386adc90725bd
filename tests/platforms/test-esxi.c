/* SPDX-License-Identifier: Apache-2.0 */
/* The monolithic monitor: what exits, and that nothing of it leaves the monitor (docs/models/esxi-vmm.md). */
#include "tests/platforms/platform.h"

static void expect_accesses(struct iov_experiment *run, double accesses, double interrupts)
{
    const struct iov_counters *counters = counters_of(run);

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert_about(per_op(run, counters->device_accesses), accesses);
    cr_assert_about(per_op(run, counters->device_exits), accesses);
    cr_assert_about(per_op(run, counters->interrupts), interrupts);
    cr_assert(eq(u64, counters->user_exits, 0));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
}

Test(esxi, an_e1000_in_the_monitor_takes_twelve_accesses_far_and_seven_near_all_inside)
{
    struct iov_experiment *far = RUN("net-rr.yaml", "strategy=esxi-e1000");
    struct iov_experiment *near = RUN("net-rr-local.yaml", "strategy=esxi-e1000");

    expect_accesses(far, 12, 2);
    expect_accesses(near, 7, 1);
    iov_experiment_free(far);
    iov_experiment_free(near);
}

Test(esxi, every_interrupt_has_its_eoi_exit_and_one_read_of_the_service_register)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=esxi-e1000");

    cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_READ), 2);
    cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_WRITE), 2);
    iov_experiment_free(run);
}

Test(esxi, the_same_nic_is_faster_inside_the_monitor_than_in_a_process)
{
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        struct iov_experiment *inside = RUN(configs[i], "strategy=esxi-e1000");
        struct iov_experiment *outside = RUN(configs[i], "strategy=emulated-e1000");

        cr_assert(lt(u64, median_of(inside), median_of(outside)), "%s", configs[i]);
        cr_assert_about(per_op(inside, counters_of(inside)->device_exits),
                        per_op(outside, counters_of(outside)->device_exits));
        iov_experiment_free(inside);
        iov_experiment_free(outside);
    }
}

Test(esxi, two_guests_share_the_switch_and_both_get_their_answers)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=esxi-e1000", "vms=[{ name: vm0 }, { name: vm1 }]",
            "workload.operations=2000");

    cr_assert(eq(u64, stat_of(run, "vswitch", "drops"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0));
    cr_assert(eq(u64, stat_of(run, "vm1/workload", "lost"), 0));
    cr_assert(lt(u64, 1000, stat_of(run, "vm0/guest", "messages-delivered")));
    cr_assert(lt(u64, 1000, stat_of(run, "vm1/guest", "messages-delivered")));
    iov_experiment_free(run);
}

Test(esxi, a_stream_goes_out_without_loss)
{
    struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=esxi-e1000");

    cr_assert(eq(u64, counters_of(run)->drops, 0));
    cr_assert(eq(u64, counters_of(run)->user_exits, 0));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    iov_experiment_free(run);
}
