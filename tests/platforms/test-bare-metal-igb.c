/* SPDX-License-Identifier: Apache-2.0 */
/* The 82576 with the kernel that has it to itself: how often the driver touches it, and that the
 * parts of every request add up. */
#include "tests/platforms/platform.h"

Test(bare_metal_igb, a_request_and_its_response_are_four_writes_and_two_interrupts)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=bare-metal-igb");
    const struct iov_counters *counters = counters_of(run);

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert_about(per_op(run, counters->device_accesses), 4);
    cr_assert_about(per_op(run, counters->interrupts), 2);
    cr_assert(eq(u64, stat_of(run, "vm0/nic", "register-reads"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/nic", "guest-faults"), 0));
    cr_assert(eq(u64, counters->drops, 0));
    iov_experiment_free(run);
}

Test(bare_metal_igb, the_parts_of_every_request_add_up)
{
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml", "udp-stream.yaml",
                                           "ping.yaml" };
    static const char *const rates[] = { "guest.interrupt-throttle-rate=0",
                                         "guest.interrupt-throttle-rate=3" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(rates); j++) {
            struct iov_experiment *run =
                RUN(configs[i], "strategy=bare-metal-igb", rates[j], "workload.operations=1000");

            cr_assert(eq(u64, iov_experiment_measure(run)->operations, 1000));
            cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s %s", configs[i],
                      rates[j]);
            iov_experiment_free(run);
        }
    }
}

Test(bare_metal_igb, throttling_saves_interrupts_of_a_stream_and_costs_a_request_its_interval)
{
    struct iov_experiment *open = RUN("udp-stream.yaml", "strategy=bare-metal-igb");
    struct iov_experiment *held =
        RUN("udp-stream.yaml", "strategy=bare-metal-igb", "guest.interrupt-throttle-rate=20000");
    struct iov_experiment *quick = RUN("net-rr.yaml", "strategy=bare-metal-igb");
    struct iov_experiment *slow =
        RUN("net-rr.yaml", "strategy=bare-metal-igb", "guest.interrupt-throttle-rate=20000");

    cr_assert(lt(dbl, per_op(held, counters_of(held)->interrupts),
                 per_op(open, counters_of(open)->interrupts) / 4));
    cr_assert(lt(u64, median_of(quick), 25 * IOV_US));
    cr_assert(lt(u64, 49 * IOV_US, median_of(slow)));
    iov_experiment_free(open);
    iov_experiment_free(held);
    iov_experiment_free(quick);
    iov_experiment_free(slow);
}

Test(bare_metal_igb, small_frames_fill_a_gigabit_link)
{
    struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=bare-metal-igb",
                                     "parts.wire.rate=1Gbps", "workload.operations=5000");
    double rate = wire_bits_per_second(run);

    cr_assert(le(dbl, rate, 1.001e9), "%.4g bit/s", rate);
    cr_assert(lt(dbl, 0.9e9, rate), "%.4g bit/s", rate);
    iov_experiment_free(run);
}
