/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A NIC function that is the guest's, in four variants and beside bare metal: what each protection
 * costs and what posting saves, as exits, as parts of the latency and as segments of the
 * interrupt's way.
 */
#include "core/kernel/random.h"
#include "tests/platforms/platform.h"

enum { BARE, UNSAFE, DMA, REMAPPED, POSTED, VARIANTS };
static const char *const names[VARIANTS] = {
    "bare-metal-igb",        "assigned-nic-unsafe", "assigned-nic-dma",
    "assigned-nic-remapped", "assigned-nic",
};

static struct iov_experiment *run_variant(unsigned variant, const char *set)
{
    g_autofree char *strategy = g_strdup_printf("strategy=%s", names[variant]);

    return RUN("net-rr.yaml", strategy, "workload.operations=4000", set);
}

static double mean_of(const struct iov_experiment *run)
{
    return (double)iov_histogram_mean(iov_experiment_measure(run)->latency) / IOV_NS;
}

static double segment_of(const struct iov_experiment *run, enum iov_interrupt_segment segment)
{
    return (double)iov_histogram_mean(iov_experiment_measure(run)->interrupts->segments[segment]) /
           IOV_NS;
}

Test(assigned, no_variant_exits_for_the_device_s_registers_and_none_exits_more_than_the_one_before)
{
    static const char *const idles[] = { "guest.idle=halt", "guest.idle=poll" };

    for (unsigned i = 0; i < 2; i++) {
        double before = 1e9;

        for (unsigned variant = UNSAFE; variant < VARIANTS; variant++) {
            struct iov_experiment *run = run_variant(variant, idles[i]);

            cr_assert(eq(u64, counters_of(run)->device_exits, 0));
            cr_assert(lt(u64, 0, counters_of(run)->device_accesses));
            cr_assert(lt(dbl, per_op(run, all_exits(run)), before + 0.02), "%s", names[variant]);
            before = per_op(run, all_exits(run));
            iov_experiment_free(run);
        }
    }
}

Test(assigned, without_paravirtual_eoi_posting_saves_the_interrupt_s_exit_and_its_eoi_s)
{
    struct iov_experiment *remapped =
        RUN("net-rr.yaml", "strategy=assigned-nic-remapped", "vm.pv-eoi=off", "guest.idle=poll");
    struct iov_experiment *posted =
        RUN("net-rr.yaml", "strategy=assigned-nic", "vm.pv-eoi=off", "guest.idle=poll");

    cr_assert_about(exits_per_op(remapped, IOV_EXIT_EXTERNAL_INTERRUPT), 2);
    cr_assert_about(exits_per_op(remapped, IOV_EXIT_MSR_WRITE), 2.01);
    cr_assert_about(exits_per_op(posted, IOV_EXIT_EXTERNAL_INTERRUPT), 0);
    cr_assert_about(exits_per_op(posted, IOV_EXIT_MSR_WRITE), 0.01); /* the timer */
    cr_assert_about(exits_per_op(posted, IOV_EXIT_EOI_INDUCED), 0);
    cr_assert_about(per_op(posted, counters_of(posted)->interrupts), 2);
    iov_experiment_free(remapped);
    iov_experiment_free(posted);
}

Test(assigned, posting_to_a_running_vcpu_causes_no_exit_at_all)
{
    struct iov_experiment *run = run_variant(POSTED, "guest.idle=poll");
    const struct iov_counters *counters = counters_of(run);
    uint64_t timer =
        counters->exits[IOV_EXIT_MSR_WRITE] + counters->exits[IOV_EXIT_PREEMPTION_TIMER];

    cr_assert(eq(u64, all_exits(run), timer), "nothing but the guest's own timer");
    cr_assert(eq(u64, stat_of(run, "iommu", "interrupts-posted"),
                 stat_of(run, "iommu", "notifications")));
    cr_assert(eq(u64, stat_of(run, "vm0/vfio", "interrupts"), 0));
    iov_experiment_free(run);
}

/* The host takes the line on processor 0, so nothing else brings the vCPU out of the guest. */
Test(assigned, the_eoi_of_a_line_that_was_posted_to_a_running_vcpu_is_heard)
{
    static const char *const idles[] = { "guest.idle=halt", "guest.idle=poll" };

    for (unsigned i = 0; i < 2; i++) {
        struct iov_experiment *run =
            RUN("net-rr.yaml", "strategy=assigned-e1000", "vm.apic-virtualisation=on",
                "vms[0].pin=[1]", "workload.operations=200", idles[i]);

        cr_assert(ge(u64, stat_of(run, "vm0/vfio", "unmasks"), 200));
        iov_experiment_free(run);
    }
}

Test(assigned, a_halted_vcpu_is_woken_by_the_wake_up_vector_and_has_exited_for_its_hlt_only)
{
    struct iov_experiment *run = run_variant(POSTED, "guest.idle=halt");

    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 2);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EXTERNAL_INTERRUPT), 0);
    cr_assert(lt(u64, 7900, stat_of(run, "vm0", "posted-wakeups")));
    iov_experiment_free(run);
}

Test(assigned, a_preempted_vcpu_gathers_its_interrupts_and_nobody_is_notified)
{
    struct iov_experiment *run = RUN("net-rr-overcommit.yaml");
    const struct iov_interrupt_path *path = iov_experiment_measure(run)->interrupts;

    cr_assert(lt(u64, 0, path->gathered));
    cr_assert(eq(u64, path->posted, stat_of(run, "iommu", "notifications")));
    cr_assert(lt(u64, 0, stat_of(run, "vm0", "posted-suppressions")));
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 0);
    /* It waits for its turn: a time slice, where one that runs takes half a microsecond. */
    cr_assert(lt(u64, IOV_MS, iov_histogram_max(path->segments[IOV_INTERRUPT_DELIVER])));
    cr_assert(
        lt(u64, iov_histogram_quantile(path->segments[IOV_INTERRUPT_DELIVER], 500000), IOV_US));
    iov_experiment_free(run);
}

/* With a guest that polls nothing waits, so each protection shows in its own part. */
Test(assigned, the_difference_of_two_variants_is_the_difference_of_their_parts)
{
    struct iov_experiment *runs[VARIANTS];
    double difference, sum;

    for (unsigned variant = BARE; variant < VARIANTS; variant++) {
        g_autofree char *strategy = g_strdup_printf("strategy=%s", names[variant]);

        runs[variant] = RUN("net-rr.yaml", strategy, "workload.operations=4000", "guest.idle=poll",
                            "parameters.page-size=4KiB");
        cr_assert(eq(u64, iov_experiment_measure(runs[variant])->mismatches, 0));
    }
    for (unsigned variant = UNSAFE; variant < VARIANTS; variant++) {
        difference = mean_of(runs[variant]) - mean_of(runs[variant - 1]);
        sum = 0;
        for (unsigned part = 0; part < IOV_PART_COUNT; part++)
            sum += part_ns(runs[variant], part) - part_ns(runs[variant - 1], part);
        cr_assert(lt(dbl, fabs(difference - sum), 0.01), "%s: %f of %f", names[variant], sum,
                  difference);
    }
    cr_assert(lt(dbl, 150, part_ns(runs[DMA], IOV_PART_IOMMU)));
    cr_assert(lt(dbl, part_ns(runs[UNSAFE], IOV_PART_IOMMU), 0.01));
    cr_assert(lt(dbl, part_ns(runs[POSTED], IOV_PART_EXIT) + 200,
                 part_ns(runs[REMAPPED], IOV_PART_EXIT)));
    for (unsigned variant = BARE; variant < VARIANTS; variant++)
        iov_experiment_free(runs[variant]);
}

Test(assigned, the_way_of_an_interrupt_has_the_segments_that_its_variant_has)
{
    struct iov_experiment *runs[VARIANTS];

    for (unsigned variant = BARE; variant < VARIANTS; variant++)
        runs[variant] = run_variant(variant, "guest.idle=poll");
    for (unsigned variant = BARE; variant < VARIANTS; variant++) {
        const struct iov_interrupt_path *path = iov_experiment_measure(runs[variant])->interrupts;
        bool remaps = variant >= REMAPPED;

        cr_assert(eq(u64, iov_histogram_count(path->segments[IOV_INTERRUPT_LINK]), 8000));
        cr_assert(eq(u64, iov_histogram_count(path->segments[IOV_INTERRUPT_DELIVER]), 8000));
        cr_assert(
            eq(u64, iov_histogram_count(path->segments[IOV_INTERRUPT_REMAP]), remaps ? 8000 : 0));
        cr_assert(eq(u64, iov_histogram_count(path->segments[IOV_INTERRUPT_POST]),
                     variant == POSTED ? 8000 : 0));
    }
    cr_assert(lt(dbl, segment_of(runs[POSTED], IOV_INTERRUPT_DELIVER) + 1000,
                 segment_of(runs[REMAPPED], IOV_INTERRUPT_DELIVER)),
              "a notification against an exit, a host interrupt and an injection");
    for (unsigned variant = BARE; variant < VARIANTS; variant++)
        iov_experiment_free(runs[variant]);
}

/* In a request/response taking back the sent frame hides behind the wait: it is processor time. */
Test(assigned, a_stricter_policy_of_the_kernel_on_bare_metal_takes_more_processor_time)
{
    static const char *const policies[] = { "guest.iommu=none", "guest.iommu=pass-through",
                                            "guest.iommu=deferred", "guest.iommu=strict" };
    double before = 0;

    for (unsigned i = 0; i < 4; i++) {
        struct iov_experiment *run = run_variant(BARE, policies[i]);

        double busy = per_op(run, iov_experiment_measure(run)->use.busy) / IOV_NS;

        cr_assert(lt(dbl, before, busy + 5), "%s", policies[i]);
        before = busy;
        if (i == 3)
            cr_assert(eq(u64, stat_of(run, "vm0/guest", "iommu-batches"), 4000));
        cr_assert(eq(u64, stat_of(run, "iommu", "blocked"), 0));
        iov_experiment_free(run);
    }
}

static uint64_t sum_of(struct iov_mem_target *memory, uint64_t base, uint64_t size)
{
    static uint64_t words[4096];
    uint64_t sum = 0;

    for (uint64_t at = 0; at < size; at += sizeof words) {
        struct iov_mem_req req = { .address = base + at,
                                   .data = words,
                                   .size = sizeof words,
                                   .flags = IOV_MEM_DEBUG,
                                   .pasid = IOV_NO_PASID };

        memory->ops->read(memory, &req);
        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
            sum = sum * 31 + words[i];
    }
    return sum;
}

/* The function's own way to memory after a run, used by nobody now: what lies outside of its guest
 * does not change. */
Test(assigned, a_million_writes_of_the_function_outside_of_its_guest_change_no_byte)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=assigned-nic",
                                     "workload.operations=100", "parameters.page-size=4KiB");
    struct iov_platform *platform = iov_experiment_platform(run);
    struct iov_mem_initiator *dma =
        iov_model_port(iov_platform_find(platform, "vm0/nic"), "dma", 0);
    struct iov_mem_target *bus = iov_model_port(iov_platform_find(platform, "bus"), "port", 0);
    const uint64_t memory = UINT64_C(1) << 30, base = UINT64_C(4) << 30;
    uint64_t tables = sum_of(bus, 0xb0000000, 16 << 20);
    uint64_t below = sum_of(bus, 0, 4 << 20), behind = sum_of(bus, base + memory, 4 << 20);
    uint64_t blocked = stat_of(run, "iommu", "blocked");
    struct iov_random random;

    iov_random_init(&random, 1, "function");
    for (unsigned i = 0; i < 1000000; i++) {
        uint64_t value = iov_random_u64(&random);
        uint64_t address = memory + iov_random_u64(&random) % (UINT64_C(1) << (31 + i % 9));
        struct iov_mem_req req = { .address = address & ~UINT64_C(7),
                                   .data = &value,
                                   .size = 8,
                                   .requester = i % 16 == 0 ? (uint16_t)value : 0x0008,
                                   .pasid = IOV_NO_PASID };

        if (req.address >= 0xfee00000 && req.address < 0xfef00000)
            req.address -= 0x100000; /* messages are another test's */
        cr_assert(eq(int, (int)iov_mem_write_req(dma, &req), IOV_STATUS_FAULT));
    }
    cr_assert(eq(u64, stat_of(run, "iommu", "blocked") - blocked, 1000000));
    cr_assert(eq(u64, sum_of(bus, 0xb0000000, 16 << 20), tables));
    cr_assert(eq(u64, sum_of(bus, 0, 4 << 20), below));
    cr_assert(eq(u64, sum_of(bus, base + memory, 4 << 20), behind));
    iov_experiment_free(run);
}
