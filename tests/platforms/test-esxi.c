/* SPDX-License-Identifier: Apache-2.0 */
/* The monolithic monitor: what exits, and that nothing of it leaves the monitor
 * (docs/models/esxi-vmm.md). */
#include "core/kernel/random.h"
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

Test(esxi, a_vmxnet3_rings_once_and_unmasks_once_an_interrupt_near_and_far)
{
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        struct iov_experiment *run = RUN(configs[i], "strategy=esxi-vmxnet");

        expect_accesses(run, 3, 2);
        cr_assert_about(per_op(run, counters_of(run)->kicks), 1);
        cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_READ), 0);
        cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_WRITE), 2);
        iov_experiment_free(run);
    }
}

Test(esxi, a_vmxnet3_on_a_wire_reads_its_cause_once_an_interrupt)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=esxi-vmxnet", "parts.nic.setup=intx", "guest.msix=0");

    expect_accesses(run, 5, 2);
    iov_experiment_free(run);
}

Test(esxi, a_vmxnet3_of_a_guest_that_only_sends_hardly_rings)
{
    struct iov_experiment *deferring = RUN("udp-stream.yaml", "strategy=esxi-vmxnet");
    struct iov_experiment *strict =
        RUN("udp-stream.yaml", "strategy=esxi-vmxnet", "parameters.defer=1");

    cr_assert_about(per_op(deferring, counters_of(deferring)->kicks), 1.0 / 16);
    cr_assert_about(per_op(strict, counters_of(strict)->kicks), 1);
    cr_assert(eq(u64, counters_of(deferring)->drops, 0));
    cr_assert(eq(u64, counters_of(deferring)->user_exits, 0));
    cr_assert(eq(u64, iov_experiment_measure(deferring)->mismatches, 0));
    iov_experiment_free(deferring);
    iov_experiment_free(strict);
}

Test(esxi, a_vmxnet3_counts_a_large_segment_as_the_frames_it_becomes)
{
    /* Each write is three frames, and the device is content with two. */
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "strategy=esxi-vmxnet", "parameters.defer=2",
            "parts.peer.turn-round=1ms", "workload.write=4KiB");

    cr_assert(lt(u64, iov_experiment_measure(run)->operations,
                 3 * stat_of(run, "vm0/guest", "large-segments")));
    cr_assert(eq(u64, counters_of(run)->kicks_suppressed, 0));
    iov_experiment_free(run);
}

static uint64_t lock_waits_of(struct iov_experiment *run, const char *path)
{
    IovModel *model = iov_platform_find(iov_experiment_platform(run), path);

    IOV_MODEL_GET_CLASS(model)->update_statistics(model);
    return stat_of(run, path, "lock-waits");
}

Test(esxi, who_finds_the_device_busy_waits_in_the_monitor_too)
{
    struct iov_experiment *run = RUN("tcp-stream.yaml", "strategy=esxi-vmxnet");

    cr_assert(lt(u64, 0, lock_waits_of(run, "vm0/vmm")));
    cr_assert(eq(u64, iov_experiment_measure(run)->parts_low[IOV_PART_EMULATOR], 0));
    cr_assert(eq(u64, iov_experiment_measure(run)->use.used[IOV_PART_EMULATOR], 0));
    iov_experiment_free(run);
}

Test(esxi, waits_for_a_device_are_counted_from_the_last_reset_on)
{
    static const char *const places[][2] = { { "strategy=esxi-vmxnet", "vm0/vmm" },
                                             { "strategy=emulated-e1000", "vm0/emulator" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
        struct iov_experiment *run = RUN("tcp-stream.yaml", places[i][0]);

        cr_assert(lt(u64, 0, lock_waits_of(run, places[i][1])));
        iov_model_reset_statistics(iov_platform_find(iov_experiment_platform(run), places[i][1]));
        cr_assert(eq(u64, lock_waits_of(run, places[i][1]), 0));
        iov_experiment_free(run);
    }
}

Test(esxi, the_paravirtual_nic_is_faster_than_the_emulated_one)
{
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        struct iov_experiment *paravirtual = RUN(configs[i], "strategy=esxi-vmxnet");
        struct iov_experiment *emulated = RUN(configs[i], "strategy=esxi-e1000");

        cr_assert(lt(u64, median_of(paravirtual), median_of(emulated)), "%s", configs[i]);
        iov_experiment_free(paravirtual);
        iov_experiment_free(emulated);
    }
}

/* Random words over what driver and device of vm1 share, as its own processor could write them. */
static void corrupt(struct iov_experiment *run, struct iov_random *random)
{
    IovModel *model = iov_platform_find(iov_experiment_platform(run), "vm1");
    struct iov_mem_target *ram = iov_model_port(model, "ram", 0);

    for (unsigned i = 0; i < 20; i++) {
        uint64_t draw = iov_random_u64(random);
        uint32_t word = (uint32_t)(draw >> 32);
        /* The shared area comes first, then the queues' descriptions and the rings. */
        struct iov_mem_req req = { .address = 0x100000 + draw % 0xe600 / 4 * 4,
                                   .data = &word,
                                   .size = sizeof word,
                                   .pasid = IOV_NO_PASID,
                                   .flags = IOV_MEM_DEBUG };

        cr_assert(eq(int, ram->ops->write(ram, &req), IOV_STATUS_OK));
    }
}

/* What vm0 got in 100 ms beside vm1. */
static uint64_t answers_beside(bool hostile, uint64_t *ret_faults)
{
    struct iov_experiment *experiment =
        OPEN("net-rr.yaml", "strategy=esxi-vmxnet", "vms=[{ name: vm, count: 2 }]",
             "workload.operations=1000000", "workload.warmup=0");
    struct iov_run *run;
    struct iov_random random;
    uint64_t answers;

    run = iov_platform_run(iov_experiment_platform(experiment));
    iov_platform_start(iov_experiment_platform(experiment));
    iov_random_init(&random, 7, "hostile guest");
    for (unsigned i = 0; i < 100; i++) {
        iov_kernel_run_until(run->kernel, iov_now(run->kernel) + IOV_MS);
        if (hostile && i >= 5)
            corrupt(experiment, &random);
    }
    *ret_faults = stat_of(experiment, "vm1/nic", "guest-faults") +
                  stat_of(experiment, "vm1/guest", "device-errors");
    cr_assert(eq(u64, stat_of(experiment, "vm0/nic", "guest-faults"), 0));
    cr_assert(eq(u64, stat_of(experiment, "vm0/guest", "device-errors"), 0));
    cr_assert(eq(u64, stat_of(experiment, "vm0/guest", "bad-frames"), 0));
    cr_assert(eq(u64, stat_of(experiment, "vm0/workload", "lost"), 0));
    answers = stat_of(experiment, "vm0/guest", "messages-delivered");
    iov_experiment_free(experiment);
    return answers;
}

Test(esxi, a_guest_that_writes_rubbish_into_its_rings_harms_nobody_beside_it)
{
    uint64_t faults, none;
    uint64_t beside = answers_beside(true, &faults);
    uint64_t alone = answers_beside(false, &none);

    cr_assert(eq(u64, none, 0));
    cr_assert(lt(u64, 0, faults));
    cr_assert(le(u64, alone / 100 * 97, beside), "%u of %u", (unsigned)beside, (unsigned)alone);
}

Test(esxi, keys_of_what_only_kvm_has_are_refused)
{
    static const char *const sets[] = { "vms[0].exitless-interrupts=on", "vms[0].pv-eoi=off",
                                        "vms[0].ioeventfd=off", "vms[0].kernel-irqchip=split" };

    for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++)
        REFUSED("net-rr.yaml", "has no property", "strategy=esxi-vmxnet", sets[i]);
}
