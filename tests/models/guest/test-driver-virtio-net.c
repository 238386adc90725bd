/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-net driver against the real device: set-up in Linux's order, kicks and interrupts as recorded. */
#include "tests/models/guest/fake-net.h"

#include "models/virtio/virtio-regs.h"

struct setting {
    bool event_index;
    bool msix;
    iov_time delay;
    const char *workload;
    uint64_t operations;
};

struct bench {
    struct machine *machine;
    struct fake_net *net;
};

static struct bench run(const struct setting *setting)
{
    struct bench bench;

    bench.machine = machine_new(100 * IOV_NS);
    bench.net = fake_net_new(bench.machine, "virtio-net");
    bench.net->delay = setting->delay;
    bench.net->swallow = strcmp(setting->workload, "udp-stream") == 0;
    machine_set(bench.net->nic, "event-index", setting->event_index);
    machine_choose(bench.net->nic, "setup", setting->msix ? "msi-x" : "intx");
    machine_set(bench.machine->guest, "msix", setting->msix ? MACHINE_MSIX : 0);
    machine_set_workload(bench.machine, setting->workload);
    machine_set(bench.machine->workload, "operations", setting->operations);
    machine_set(bench.machine->workload, "warmup", 100);
    fake_net_start(bench.net);
    iov_kernel_run_until(bench.machine->kernel, 100 * IOV_SEC);
    return bench;
}

static void finish(struct bench *bench)
{
    cr_assert(eq(u64, bench->machine->measure->mismatches, 0));
    cr_assert(eq(uint, bench->net->bad_frames, 0));
    fake_net_free(bench->net);
    machine_free(bench->machine);
}

Test(driver_virtio_net, an_echo_costs_one_kick_and_two_interrupts)
{
    const bool event_index[2] = { true, false };
    const iov_time delay[2] = { 0, 50 * IOV_US };

    for (unsigned i = 0; i < 4; i++) {
        struct setting setting = { event_index[i & 1], true, delay[i >> 1], "udp-rr", 1000 };
        struct bench bench = run(&setting);
        const struct iov_counters *counters = &bench.machine->measure->counters;

        cr_assert(eq(u64, bench.machine->measure->operations, 1000));
        cr_expect(eq(u64, counters->device_accesses, 1000), "case %u", i);
        cr_expect(eq(u64, counters->kicks, 1000), "case %u", i);
        cr_expect(eq(u64, counters->interrupts, 2000), "case %u", i);
        finish(&bench);
    }
}

Test(driver_virtio_net, with_a_wire_each_interrupt_costs_a_read_of_the_isr)
{
    struct setting setting = { true, false, 50 * IOV_US, "udp-rr", 1000 };
    struct bench bench = run(&setting);
    const struct iov_counters *counters = &bench.machine->measure->counters;

    cr_assert(eq(u64, counters->kicks, 1000));
    cr_assert(eq(u64, counters->interrupts, 2000));
    cr_assert(eq(u64, counters->device_accesses, 3000));
    finish(&bench);
}

Test(driver_virtio_net, ping_gets_its_replies)
{
    struct setting setting = { true, true, 20 * IOV_US, "ping", 50 };
    struct bench bench = run(&setting);

    cr_assert(eq(u64, bench.machine->measure->operations, 50));
    cr_assert(eq(u64, bench.machine->measure->counters.kicks, 50));
    cr_assert(eq(u64, bench.machine->measure->counters.interrupts, 100));
    finish(&bench);
}

Test(driver_virtio_net, a_stream_without_event_index_kicks_for_every_packet_of_an_idle_device)
{
    struct setting setting = { false, true, 0, "udp-stream", 2000 };
    struct bench bench = run(&setting);

    cr_assert(ge(u64, bench.machine->measure->counters.kicks, 1999));
    cr_assert(eq(u64, bench.machine->measure->operations, 2000));
    finish(&bench);
}
