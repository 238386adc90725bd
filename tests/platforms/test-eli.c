/* SPDX-License-Identifier: Apache-2.0 */
/* Exit-less interrupts on processors that cannot post. The reasoning is on
 * docs/models/kvm-vm.md. */
#include "tests/platforms/platform.h"

#define OLD "parameters.apic-virtualisation=off" /* of the processors */

static uint64_t exits_of(const struct iov_experiment *run)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(counters_of(run)->exits); i++)
        sum += counters_of(run)->exits[i];
    return sum;
}

Test(eli, interrupts_of_a_running_guests_device_and_their_eois_do_not_exit)
{
    struct iov_experiment *eli = RUN("net-rr.yaml", "strategy=eli", OLD);
    struct iov_experiment *other = RUN("net-rr.yaml", "strategy=assigned-nic-remapped", OLD,
                                       "guest.idle=poll", "vm.pv-eoi=off");

    cr_assert(eq(u64, iov_experiment_measure(eli)->operations, 10000));
    cr_assert(eq(u64, iov_experiment_measure(eli)->mismatches, 0));
    cr_assert_about(per_op(eli, counters_of(eli)->interrupts), 2);
    cr_assert_about(per_op(eli, exits_of(eli)), 0.02); /* of the tick */
    cr_assert_about(exits_per_op(eli, IOV_EXIT_EXTERNAL_INTERRUPT), 0);
    /* Without: two interrupts are two exits, and two more at their ends. */
    cr_assert_about(exits_per_op(other, IOV_EXIT_EXTERNAL_INTERRUPT), 2);
    cr_assert_about(exits_per_op(other, IOV_EXIT_MSR_WRITE), 2);
    cr_assert(lt(u64, median_of(eli), median_of(other)));
    iov_experiment_free(eli);
    iov_experiment_free(other);
}

Test(eli, a_guest_that_halts_has_its_interrupts_injected_and_tells_their_ends)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=eli", OLD, "parameters.idle=halt");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 2);
    cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_WRITE), 2);
    cr_assert_about(per_op(run, stat_of(run, "vm0", "injections")), 2);
    iov_experiment_free(run);
}

Test(eli, interrupts_of_the_host_meet_no_gate_and_are_the_hosts)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=eli", OLD, "parts.vfio.balance=100us");
    uint64_t timers =
        (iov_experiment_measure(run)->end - iov_experiment_measure(run)->begin) / (100 * IOV_US);
    uint64_t reflections = stat_of(run, "vm0", "reflections");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert(eq(u64, counters_of(run)->exits[IOV_EXIT_EXCEPTION_NMI], reflections));
    cr_assert(le(u64, timers / 10 * 9, reflections));
    cr_assert(le(u64, reflections, timers + 1));
    iov_experiment_free(run);
}

Test(eli, the_timer_is_injected_and_the_guest_goes_back_to_direct_mode)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=eli", OLD);
    uint64_t injections = stat_of(run, "vm0", "injections");

    cr_assert(lt(u64, 0, injections));
    /* Some are injected behind another, in one stay in injection mode. */
    cr_assert(le(u64, injections, stat_of(run, "vm0", "mode-switches")));
    cr_assert(le(u64, stat_of(run, "vm0", "mode-switches"), 2 * injections));
    iov_experiment_free(run);
}

Test(eli, wants_one_pinned_vcpu_and_no_posting)
{
    static const char *const wrong[][2] = { { "vm.pin=[]", "one vCPU that is pinned" },
                                            { "vm.vcpus=2", "one vCPU that is pinned" },
                                            { "parameters.posting=on", "which posts them" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++)
        REFUSED("net-rr.yaml", wrong[i][1], "strategy=eli", wrong[i][0]);
}
