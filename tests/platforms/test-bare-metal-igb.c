/* SPDX-License-Identifier: Apache-2.0 */
/* The 82576 with the kernel that has it to itself: how often the driver touches it, and that the
 * parts of every request add up. */
#include "models/nic/igb-regs.h"
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

/* Microseconds between two interrupts of a vector, as the driver has set them. */
static uint32_t interval_of(const struct iov_experiment *run, unsigned vector)
{
    struct iov_platform *platform = iov_experiment_platform(run);
    struct iov_mem_target *bus = iov_model_port(iov_platform_find(platform, "bus"), "port", 0);
    uint32_t value = 0;
    struct iov_mem_req req = { .address = 0xf0000000 + IGB_EITR(vector),
                               .data = &value,
                               .size = sizeof value,
                               .flags = IOV_MEM_DEBUG,
                               .pasid = IOV_NO_PASID };

    cr_assert(eq(int, bus->ops->read(bus, &req), IOV_STATUS_OK));
    return (value & IGB_EITR_INTERVAL) >> IGB_EITR_SHIFT;
}

/* Their mean size, with checksum, preamble and gap: 1514 + 24 bytes, half of them in units of 250
 * ns. The link's vector is 0, then come the receive and the transmit queue's. */
Test(bare_metal_igb, throttling_looks_at_the_frames_that_large_segments_become)
{
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "strategy=bare-metal-igb", "guest.interrupt-throttle-rate=3",
            "workload.write=64KiB", "workload.operations=200");

    cr_assert(lt(u32, 185, interval_of(run, 2)), "%u us", interval_of(run, 2));
    cr_assert(le(u32, interval_of(run, 2), 192), "%u us", interval_of(run, 2));
    iov_experiment_free(run);
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
