/* SPDX-License-Identifier: Apache-2.0 */
/* An emulated 82574L under KVM: how often its driver leaves the guest. The reasoning is on
 * docs/models/e1000e.md. */
#include "tests/platforms/platform.h"

/* One kick, one IMS an interrupt, one RDT every 16 frames; all of them go to user space. */
Test(emulated_e1000e, a_request_takes_one_kick_and_one_unmasking_an_interrupt_near_and_far)
{
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        struct iov_experiment *run = RUN(configs[i], "strategy=emulated-e1000e");
        const struct iov_counters *counters = counters_of(run);

        cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
        cr_assert_about(per_op(run, counters->interrupts), 2);
        cr_assert(eq(u64, counters->device_exits, 10000 + counters->interrupts + 10000 / 16));
        cr_assert(eq(u64, counters->user_exits, counters->device_exits));
        cr_assert_about(exits_per_op(run, IOV_EXIT_EPT_MISCONFIG), 3.0625);
        iov_experiment_free(run);
    }
}

Test(emulated_e1000e, follows_the_rules_of_window_halt_and_eoi_exits)
{
    struct iov_experiment *far = RUN("net-rr.yaml", "strategy=emulated-e1000e");
    struct iov_experiment *near = RUN("net-rr-local.yaml", "strategy=emulated-e1000e");

    cr_assert_about(exits_per_op(far, IOV_EXIT_HLT), 1);
    cr_assert_about(exits_per_op(far, IOV_EXIT_INTERRUPT_WINDOW), 0);
    cr_assert_about(exits_per_op(far, IOV_EXIT_MSR_WRITE), 0.02);
    /* Both interrupts are there at once: the second one waits for the first one's EOI and for the
     * window. */
    cr_assert_about(exits_per_op(near, IOV_EXIT_HLT), 0);
    cr_assert_about(exits_per_op(near, IOV_EXIT_INTERRUPT_WINDOW), 1);
    cr_assert_about(exits_per_op(near, IOV_EXIT_MSR_WRITE), 1);
    iov_experiment_free(far);
    iov_experiment_free(near);
}

Test(emulated_e1000e, takes_a_quarter_of_the_exits_of_an_e1000)
{
    struct iov_experiment *message = RUN("net-rr.yaml", "strategy=emulated-e1000e");
    struct iov_experiment *level = RUN("net-rr.yaml", "strategy=emulated-e1000");

    cr_assert(lt(u64, 3 * counters_of(message)->device_exits, counters_of(level)->device_exits));
    cr_assert(lt(u64, median_of(message), median_of(level)));
    iov_experiment_free(message);
    iov_experiment_free(level);
}

Test(emulated_e1000e, throttling_by_eitr_saves_interrupts_of_a_stream)
{
    struct iov_experiment *without = RUN("udp-stream.yaml", "strategy=emulated-e1000e");
    struct iov_experiment *with =
        RUN("udp-stream.yaml", "strategy=emulated-e1000e", "guest.interrupt-throttle-rate=8000");

    cr_assert(lt(u64, 2 * counters_of(with)->interrupts, counters_of(without)->interrupts));
    iov_experiment_free(without);
    iov_experiment_free(with);
}
