/* SPDX-License-Identifier: Apache-2.0 */
/* A run whose workload has nothing to do for long is not given up before the workload has said
 * so. */
#include "tests/platforms/platform.h"

Test(silence, a_ping_each_hundred_seconds_is_no_reason_to_give_up)
{
    struct iov_experiment *run =
        RUN("ping.yaml", "workload.interval=100s", "workload.operations=5", "workload.warmup=1");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 5));
    cr_assert(ge(u64, iov_experiment_measure(run)->end, 500 * IOV_SEC));
    iov_experiment_free(run);
}

Test(silence, a_tick_with_its_end_of_interrupt_is_no_sign_of_life)
{
    /* One datagram, and no more: the guest waits for ever, and its tick writes the APIC each
     * time. */
    struct iov_experiment *run =
        OPEN("udp-stream-rx.yaml", "strategy=xen-pv", "parts.peer.source-count=1");
    g_autoptr(GError) error = NULL;

    cr_assert(not(iov_experiment_run(run, NULL, &error)));
    cr_assert_not_null(strstr(error->message, "silent"));
    cr_assert(lt(u64, 0, stat_of(run, "vm0/guest", "eois")));
    iov_experiment_free(run);
}

Test(silence, a_guest_that_is_busy_for_nothing_is_given_up_too)
{
    /* Every answer comes too late. */
    static const char *const cases[] = { "net-rr.yaml", "tcp-rr.yaml", "ping.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct iov_experiment *run = OPEN(cases[i], "strategy=bare-metal-igb",
                                          "parts.peer.turn-round=100ms", "workload.timeout=1ms");
        g_autoptr(GError) error = NULL;

        cr_assert(not(iov_experiment_run(run, NULL, &error)), "%s", cases[i]);
        cr_assert_not_null(strstr(error->message, "without finishing an operation"), "%s",
                           error->message);
        iov_experiment_free(run);
    }
}
