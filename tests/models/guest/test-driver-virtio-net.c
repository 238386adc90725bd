/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio-net driver against the real device: set-up in Linux's order, kicks and interrupts as
 * recorded. */
#include <stdio.h>

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

/* ---- Against the recorded driver ---- */

/* The next recorded access to BAR 4 or the MSI-X table; false at the end of the file. */
static bool next_recorded(FILE *file, struct machine_access *ret_access)
{
    char line[128];
    char region, direction;
    unsigned offset, size;
    unsigned long long value;

    while (fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "%c %c %x %x %llx", &region, &direction, &offset, &size, &value) != 5 ||
            region == 'c' || line[0] == '#')
            continue;
        ret_access->direction = direction;
        ret_access->address = (region == 'm' ? MACHINE_MSIX : MACHINE_REGISTERS) + offset;
        ret_access->value = value;
        return true;
    }
    return false;
}

/* Features are negotiated with another device, and where rings lie is the kernel's choice. */
static bool may_differ(uint64_t address)
{
    uint64_t offset = address - MACHINE_REGISTERS;

    return offset == VIRTIO_PCI_COMMON_DEVICE_FEATURE ||
           offset == VIRTIO_PCI_COMMON_DRIVER_FEATURE ||
           (offset >= VIRTIO_PCI_COMMON_QUEUE_DESC && offset < VIRTIO_PCI_COMMON_SIZE);
}

Test(driver_virtio_net, loading_makes_the_recorded_accesses_in_order)
{
    struct setting setting = { true, true, 0, "udp-rr", 1 };
    struct bench bench = run(&setting);
    struct machine *machine = bench.machine;
    FILE *file = fopen(IOV_SOURCE_DIR "/tests/data/virtio-net-probe.txt", "r");
    struct machine_access recorded = { 0 };
    unsigned compared = 0;
    unsigned i = 0;

    cr_assert(ne(ptr, file, NULL));
    while (next_recorded(file, &recorded)) {
        while (i < machine->logged &&
               (machine->log[i].address < MACHINE_REGISTERS ||
                machine->log[i].address >= MACHINE_MSIX + VIRTIO_PCI_BAR_MSIX_SIZE))
            i++;
        if (i == machine->logged)
            break;
        const struct machine_access *done = &machine->log[i];
        bool same = done->direction == recorded.direction && done->address == recorded.address &&
                    (done->value == recorded.value || may_differ(done->address));

        cr_assert(same, "access %u: recorded %c %lx %lx, done %c %lx %lx", compared,
                  recorded.direction, (unsigned long)recorded.address,
                  (unsigned long)recorded.value, done->direction, (unsigned long)done->address,
                  (unsigned long)done->value);
        i++;
        compared++;
    }
    fclose(file);
    cr_assert(ge(uint, compared, 100));
    finish(&bench);
}
