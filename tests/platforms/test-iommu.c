/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel that maps its buffers: how often each policy goes to the remapping unit. The wanted
 * figures are those of a recorded Linux driver with a strict IOMMU (tests/data/traces/README.md)
 * and of the policies' definition.
 */
#include "models/guest/guest-private.h"
#include "tests/platforms/platform.h"

static const struct iov_region_count *region_of(const struct iov_counters *counters,
                                                const char *name)
{
    for (unsigned i = 0; i < counters->region_count; i++) {
        if (strcmp(counters->regions[i].name, name) == 0)
            return &counters->regions[i];
    }
    cr_assert(zero(int, 1), "no region %s", name);
    return NULL;
}

static const struct iov_region_count *unit_of(const struct iov_counters *counters)
{
    return region_of(counters, "intel_iommu");
}

static void expect_no_fault(struct iov_experiment *run, const char *unit)
{
    cr_assert(eq(u64, stat_of(run, unit, "blocked"), 0));
    cr_assert(eq(u64, stat_of(run, unit, "faults-recorded"), 0));
    cr_assert(eq(u64, stat_of(run, unit, "queue-errors"), 0));
    cr_assert(eq(u64, stat_of(run, unit, "interrupts-blocked"), 0));
}

/* An echo of the recording: 7 accesses of the adapter, one of the unit, one EOI of either APIC, no
 * read of the local one. */
Test(iommu, an_echo_behind_a_strict_emulated_unit_is_that_of_the_recording)
{
    struct iov_experiment *run = RUN("net-rr-local.yaml", "strategy=emulated-e1000-iommu");
    const struct iov_counters *counters = counters_of(run);

    cr_assert_about(per_op(run, unit_of(counters)->accesses), 1);
    cr_assert_about(per_op(run, counters->device_accesses), 8);
    cr_assert_about(per_op(run, counters->device_exits), 8);
    cr_assert_about(per_op(run, region_of(counters, "nic")->accesses), 7);
    cr_assert_about(per_op(run, region_of(counters, "nic")->exits), 7);
    cr_assert_about(per_op(run, unit_of(counters)->exits), 1);
    cr_assert_about(per_op(run, region_of(counters, "ioapic")->accesses), 1);
    cr_assert_about(per_op(run, region_of(counters, "lapic")->accesses), 1);
    cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_READ), 0);
    cr_assert(eq(u64, stat_of(run, "vm0/guest", "iommu-batches"), 10000));
    cr_assert(eq(u64, stat_of(run, "vm0/viommu", "interrupts-remapped"), counters->interrupts));
    expect_no_fault(run, "vm0/viommu");
    iov_experiment_free(run);
}

Test(iommu, strict_on_bare_metal_writes_the_tail_once_an_echo_and_waits_for_the_unit)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=bare-metal", "guest.iommu=strict");

    cr_assert(eq(u64, stat_of(run, "vm0/guest", "iommu-batches"), 10000));
    cr_assert(eq(u64, stat_of(run, "iommu", "waits"), 10000));
    cr_assert(lt(u64, 10000, stat_of(run, "vm0/guest", "iommu-accesses")));
    expect_no_fault(run, "iommu");
    iov_experiment_free(run);
}

Test(iommu, deferred_flushes_after_250_pages)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=bare-metal", "guest.iommu=deferred");

    cr_assert(eq(u64, stat_of(run, "vm0/guest", "dma-unmaps"), 10000));
    cr_assert(eq(u64, stat_of(run, "vm0/guest", "iommu-flushes"), 40));
    cr_assert(eq(u64, stat_of(run, "vm0/guest", "iommu-batches"), 40));
    expect_no_fault(run, "iommu");
    iov_experiment_free(run);
}

Test(iommu, deferred_flushes_after_10_ms_when_little_happens)
{
    struct iov_experiment *run =
        RUN("ping.yaml", "strategy=bare-metal", "guest.iommu=deferred", "workload.operations=100");

    cr_assert(eq(u64, stat_of(run, "vm0/guest", "iommu-flushes"),
                 stat_of(run, "vm0/guest", "dma-unmaps")));
    iov_experiment_free(run);
}

#define FOUR_PROCESSORS \
    "strategy=bare-metal-igb", "vms=[{ name: vm0, cpus: [cpu0, cpu1, cpu2, cpu3] }]"

/* While one waits for the unit, the others' pages fill the list again. */
Test(iommu, deferred_mappings_of_several_processors_are_given_back_once)
{
    struct iov_experiment *run = RUN("multi-queue.yaml", FOUR_PROCESSORS, "guest.iommu=deferred");
    double pages = (double)stat_of(run, "vm0/guest", "dma-unmaps"),
           flushes = (double)stat_of(run, "vm0/guest", "iommu-flushes");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 20000));
    cr_assert(ge(dbl, pages / flushes, 240));
    cr_assert(le(dbl, pages / flushes, 260));
    expect_no_fault(run, "iommu");
    iov_experiment_free(run);
}

/* Four answers come at once, and each page would be flushed at once, but while that is going on. */
Test(iommu, what_another_processor_adds_during_a_flush_has_a_time_of_its_own)
{
    struct iov_experiment *run = RUN("multi-queue.yaml", FOUR_PROCESSORS, "guest.iommu=deferred",
                                     "guest.iommu-flush-entries=1", "workload.flows=4",
                                     "workload.think-time=30ms", "workload.operations=400");
    const IovLinuxGuest *guest =
        (const void *)iov_platform_find(iov_experiment_platform(run), "vm0/guest");
    unsigned timers = 0;

    for (unsigned i = 0; i < 4; i++)
        timers += guest->cpus[i].flush != IOV_TIME_MAX;
    cr_assert(lt(uint, 0, timers));
    iov_experiment_free(run);
}

Test(iommu, pass_through_translates_nothing_and_takes_no_longer_than_no_unit)
{
    struct iov_experiment *none = RUN("net-rr.yaml", "strategy=bare-metal");
    struct iov_experiment *through =
        RUN("net-rr.yaml", "strategy=bare-metal", "guest.iommu=pass-through");

    cr_assert(lt(u64, median_of(through), median_of(none) + median_of(none) / 1000));
    cr_assert(eq(u64, iov_experiment_measure(through)->parts_low[IOV_PART_IOMMU], 0));
    cr_assert(eq(u64, stat_of(through, "iommu", "iotlb-misses"), 0));
    cr_assert(eq(u64, stat_of(through, "iommu", "bypassed"), 0));
    cr_assert(eq(u64, stat_of(through, "vm0/guest", "iommu-accesses"), 0));
    iov_experiment_free(none);
    iov_experiment_free(through);
}

Test(iommu, large_frames_keep_their_buffers_so_receiving_unmaps_too)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=bare-metal", "guest.iommu=strict", "workload.size=1400B");

    cr_assert(eq(u64, stat_of(run, "vm0/guest", "iommu-batches"), 20000));
    expect_no_fault(run, "iommu");
    iov_experiment_free(run);
}

Test(iommu, a_remapped_line_needs_no_apic_read_and_one_eoi_of_the_io_apic)
{
    struct iov_experiment *plain = RUN("net-rr.yaml", "strategy=bare-metal");
    struct iov_experiment *remapped = RUN("net-rr.yaml", "strategy=bare-metal",
                                          "guest.iommu=strict", "guest.interrupt-remapping=on");
    uint64_t interrupts = counters_of(remapped)->interrupts;

    cr_assert(eq(u64, counters_of(plain)->interrupts, interrupts));
    cr_assert(eq(u64, stat_of(remapped, "vm0/guest", "ioapic-accesses"), interrupts));
    cr_assert(lt(u64, counters_of(remapped)->apic_accesses, counters_of(plain)->apic_accesses));
    cr_assert(eq(u64, stat_of(remapped, "iommu", "interrupts-remapped"), interrupts));
    expect_no_fault(remapped, "iommu");
    iov_experiment_free(plain);
    iov_experiment_free(remapped);
}

Test(iommu, the_recorded_accesses_drive_a_unit_without_a_fault)
{
    struct iov_experiment *run = RUN("replay-iommu.yaml");
    const struct iov_phase *phase = iov_experiment_measure(run)->phases;

    while (phase != NULL && strcmp(phase->name, "UDPRR1000") != 0)
        phase = phase->next;
    cr_assert_not_null(phase);
    cr_assert(eq(u64, unit_of(&phase->counters)->exits, 1000));
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "descriptors"), 7024));
    cr_assert(eq(u64, stat_of(run, "vm0/viommu", "invalidations-iotlb"), 3510));
    cr_assert(eq(u64, stat_of(run, "vm0/viommu", "invalidations-interrupt"), 2));
    cr_assert(eq(u64, stat_of(run, "vm0/viommu", "waits"), 3512 + 36)); /* 36 before the trace */
    expect_no_fault(run, "vm0/viommu");
    iov_experiment_free(run);
}
