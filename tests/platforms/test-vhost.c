/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Back ends beside the emulator: how often a guest's request leaves it, and what stays off the way.
 * The reasoning of each figure is on the pages of the kinds in docs/models/.
 */
#include "tests/platforms/platform.h"

static void expect_device(struct iov_experiment *run, double exits, double interrupts)
{
    const struct iov_counters *counters = counters_of(run);

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert_about(per_op(run, counters->device_exits), exits);
    cr_assert(eq(u64, counters->user_exits, 0));
    cr_assert_about(per_op(run, counters->interrupts), interrupts);
}

/* CPU time of a worker's thread since the measurement began. */
static iov_time thread_time(struct iov_experiment *run, const char *worker)
{
    IovModel *model = iov_platform_find(iov_experiment_platform(run), worker);

    IOV_MODEL_GET_CLASS(model)->update_statistics(model);
    return stat_of(run, worker, "thread-time");
}

static iov_time duration(const struct iov_experiment *run)
{
    return iov_experiment_measure(run)->end - iov_experiment_measure(run)->begin;
}

/* ---- All ---- */

Test(vhost, without_ioeventfds_there_is_nothing_that_would_wake_them)
{
    static const char *const strategies[] = { "strategy=vhost-net", "strategy=vhost-user",
                                              "strategy=sidecore", "strategy=guest-dpdk" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++)
        REFUSED("net-rr.yaml", "vm0: ioeventfd: off, but the back end that the doorbell at",
                strategies[i], "vms[0].ioeventfd=off");
}

/* ---- vhost-net ---- */

Test(vhost, net_kicks_once_and_never_visits_user_space_near_and_far)
{
    struct iov_experiment *far = RUN("net-rr.yaml", "strategy=vhost-net");
    struct iov_experiment *near = RUN("net-rr-local.yaml", "strategy=vhost-net");

    expect_device(far, 1, 2);
    expect_device(near, 1, 2);
    cr_assert(eq(u64, stat_of(far, "vm0/emulator", "kicks-handled"), 0));
    cr_assert(eq(u64, stat_of(far, "vm0/emulator", "io-rounds"), 0));
    iov_experiment_free(far);
    iov_experiment_free(near);
}

Test(vhost, net_follows_the_rules_of_window_halt_and_eoi_exits)
{
    struct iov_experiment *far = RUN("net-rr.yaml", "strategy=vhost-net");
    struct iov_experiment *near = RUN("net-rr-local.yaml", "strategy=vhost-net");

    cr_assert_about(exits_per_op(far, IOV_EXIT_HLT), 2);
    cr_assert_about(exits_per_op(far, IOV_EXIT_INTERRUPT_WINDOW), 0);
    cr_assert_about(exits_per_op(near, IOV_EXIT_HLT), 1);
    cr_assert_about(exits_per_op(near, IOV_EXIT_INTERRUPT_WINDOW), 1);
    cr_assert_about(exits_per_op(near, IOV_EXIT_MSR_WRITE), 1);
    iov_experiment_free(far);
    iov_experiment_free(near);
}

Test(vhost, net_is_faster_than_the_emulator_and_takes_less_of_the_host)
{
    struct iov_experiment *kernel = RUN("net-rr.yaml", "strategy=vhost-net");
    struct iov_experiment *emulator = RUN("net-rr.yaml", "strategy=virtio-net");

    cr_assert(lt(u64, median_of(kernel), median_of(emulator)));
    cr_assert(lt(u64, counters_of(kernel)->copies, counters_of(emulator)->copies));
    iov_experiment_free(kernel);
    iov_experiment_free(emulator);
}

/* The program's two, one out of the guest's buffers by the tap, two on the way in; e1000 collects
 * what it sends first. In the kernel it is one each way. */
Test(vhost, an_emulator_hands_the_guest_s_buffers_to_the_tap_where_its_device_can)
{
    static const struct {
        const char *strategy;
        double copies;
    } rows[] = { { "strategy=emulated-e1000", 6 },
                 { "strategy=emulated-e1000e", 5 },
                 { "strategy=virtio-net", 5 },
                 { "strategy=vhost-net", 4 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        struct iov_experiment *run =
            RUN("net-rr.yaml", rows[i].strategy, "workload.operations=200");

        cr_assert_about(per_op(run, counters_of(run)->copies), rows[i].copies);
        iov_experiment_free(run);
    }
}

Test(vhost, net_leaves_kicks_out_while_its_worker_is_awake)
{
    struct iov_experiment *with = RUN("udp-stream.yaml", "strategy=vhost-net");
    struct iov_experiment *without =
        RUN("udp-stream.yaml", "strategy=vhost-net", "parameters.event-index=off");
    /* A worker that is slower than the guest never sleeps. */
    struct iov_experiment *busy =
        RUN("udp-stream.yaml", "strategy=vhost-net", "costs.vhost-transmit.value=3us");

    cr_assert(lt(dbl, per_op(with, counters_of(with)->kicks), 0.4));
    cr_assert(lt(dbl, per_op(with, counters_of(with)->kicks),
                 per_op(without, counters_of(without)->kicks)));
    cr_assert(lt(dbl, per_op(busy, counters_of(busy)->kicks), 0.12));
    iov_experiment_free(with);
    iov_experiment_free(without);
    iov_experiment_free(busy);
}

Test(vhost, net_shares_its_worker_after_its_weight)
{
    struct iov_experiment *run =
        RUN("udp-stream.yaml", "strategy=vhost-net", "costs.vhost-transmit.value=3us");

    /* 10000 frames in turns of 256, the last burst of which may be 64. */
    cr_assert(lt(u64, 10000 / 320, stat_of(run, "vm0/vhost", "requeues")));
    cr_assert(lt(u64, stat_of(run, "vm0/vhost", "requeues"), 10000 / 256 + 2));
    iov_experiment_free(run);
}

/* 10000 frames of 1514 bytes, 64 KiB of which are 44. */
Test(vhost, net_shares_its_worker_after_its_bytes)
{
    static const char *const ways[][2] = { { "udp-stream.yaml", "costs.vhost-transmit.value=3us" },
                                           { "udp-stream-rx.yaml",
                                             "costs.vhost-receive.value=3us" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(ways); i++) {
        struct iov_experiment *run =
            RUN(ways[i][0], "strategy=vhost-net", ways[i][1], "workload.size=1472B",
                "parts.peer.source-interval=0ns", "parts.vhost.byte-weight=64KiB",
                "parts.nic.tx-burst-size=64KiB");

        cr_assert(lt(u64, 100, stat_of(run, "vm0/vhost", "requeues")), "%s", ways[i][0]);
        cr_assert(lt(u64, stat_of(run, "vm0/vhost", "requeues"), 11000 / 44), "%s", ways[i][0]);
        iov_experiment_free(run);
    }
}

Test(vhost, net_that_polls_before_it_sleeps_trades_host_cpu_for_latency)
{
    struct iov_experiment *sleeps = RUN("net-rr.yaml", "strategy=vhost-net");
    struct iov_experiment *polls =
        RUN("net-rr.yaml", "strategy=vhost-net", "parameters.busy-poll=50us");

    expect_device(polls, 1, 2);
    cr_assert(lt(u64, median_of(polls) + 2 * IOV_US, median_of(sleeps)));
    cr_assert(lt(u64, thread_time(sleeps, "vm0/vhost/worker0") / 10000 * 3,
                 thread_time(polls, "vm0/vhost/worker0") / 10000));
    iov_experiment_free(sleeps);
    iov_experiment_free(polls);
}

/* ---- Overload ---- */

Test(vhost, a_guest_that_gets_more_than_it_can_take_goes_on_taking)
{
    static const char *const strategies[] = { "strategy=virtio-net", "strategy=vhost-net",
                                              "strategy=vhost-user" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run =
            RUN("udp-stream.yaml", strategies[i], "workload.direction=rx", "parts.peer.role=source",
                "parts.peer.source-interval=2us", "parts.peer.source-count=0");
        double seconds = (double)duration(run) / (double)IOV_SEC;

        cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000), "%s", strategies[i]);
        cr_assert(lt(dbl, 20000, 10000 / seconds), "%s", strategies[i]);
        iov_experiment_free(run);
    }
}

/* ---- vhost-user ---- */

Test(vhost, user_takes_what_the_guest_sends_without_a_kick)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=vhost-user");

    expect_device(run, 0, 2);
    cr_assert(eq(u64, counters_of(run)->kicks, 0));
    cr_assert(le(u64, 10000, counters_of(run)->kicks_suppressed)); /* and the receive ring's */
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 1);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EXTERNAL_INTERRUPT), 1);
    iov_experiment_free(run);
}

Test(vhost, user_burns_its_core_whether_there_is_work_or_not)
{
    struct iov_experiment *run = RUN("ping.yaml", "strategy=vhost-user");

    cr_assert(eq(u64, thread_time(run, "pmd"), duration(run)));
    cr_assert(lt(u64, duration(run) / 100 * 99, stat_of(run, "pmd", "idle-time")));
    iov_experiment_free(run);
}

Test(vhost, user_has_its_core_to_itself)
{
    /* Two vCPUs that never sleep and one other processor: they share that one. */
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vhost-user", "parameters.cpus=[cpu0, cpu3]",
            "parameters.core=0", "vm.vcpus=2", "guest.idle=poll", "workload.operations=1000");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 1000));
    cr_assert(eq(u64, thread_time(run, "pmd"), duration(run)));
    iov_experiment_free(run);
}

Test(vhost, user_works_in_bursts_and_shares_interrupts_when_frames_queue_up)
{
    struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=vhost-user",
                                     "costs.dpdk-dequeue.value=4us", "workload.size=64B");

    cr_assert(eq(u64, counters_of(run)->device_exits, 0));
    cr_assert(lt(u64, stat_of(run, "vm0/vhost", "transmit-turns"),
                 stat_of(run, "vm0/vhost", "frames-sent") / 8));
    iov_experiment_free(run);
}

/* ---- sidecore ---- */

Test(vhost, sidecore_neither_kicks_nor_interrupts_cause_exits)
{
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml", "udp-stream.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        struct iov_experiment *run = RUN(configs[i], "strategy=sidecore");

        expect_device(run, 0, i == 2 ? 1 : 2);
        cr_assert(eq(u64, counters_of(run)->kicks, 0));
        cr_assert_about(exits_per_op(run, IOV_EXIT_EXTERNAL_INTERRUPT), 0);
        cr_assert_about(exits_per_op(run, IOV_EXIT_INTERRUPT_WINDOW), 0);
        cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_WRITE), 0);
        iov_experiment_free(run);
    }
}

Test(vhost, sidecore_is_faster_than_a_worker_that_sleeps)
{
    struct iov_experiment *side = RUN("net-rr.yaml", "strategy=sidecore");
    struct iov_experiment *worker = RUN("net-rr.yaml", "strategy=vhost-net");

    cr_assert(lt(u64, median_of(side), median_of(worker)));
    iov_experiment_free(side);
    iov_experiment_free(worker);
}

Test(vhost, sidecore_serves_guests_in_turn)
{
    struct iov_experiment *run =
        RUN("udp-stream.yaml", "strategy=sidecore", "vms=[{ name: vm0 }, { name: vm1 }]",
            "workload.operations=2000", "costs.vhost-transmit.value=4us");
    uint64_t first = stat_of(run, "vm0/vhost", "frames-sent");
    uint64_t second = stat_of(run, "vm1/vhost", "frames-sent");

    /* A burst is the most that one is ahead of the other. */
    cr_assert(lt(u64, first > second ? first - second : second - first, 100));
    iov_experiment_free(run);
}

/* ---- A poll-mode driver in the guest ---- */

/* Without moderation of the card's interrupts nothing is left of the core for the worker. */
Test(vhost, frames_that_a_worker_does_not_come_to_are_lost_when_the_tap_s_queue_is_full)
{
    struct iov_experiment *run =
        RUN("multi-queue-rx.yaml", "strategy=sidecore", "parameters.queues=1", "stop=20ms");
    uint64_t arrived = stat_of(run, "vm0/tap", "received-frames");

    cr_assert(gt(u64, arrived, 10000));
    cr_assert(eq(u64, stat_of(run, "vm0/vhost", "frames-received"), 0));
    cr_assert(eq(u64, stat_of(run, "vm0/vhost", "drops"), arrived - 1000));
    iov_experiment_free(run);
}

Test(vhost, dpdk_takes_no_exit_at_all)
{
    static const char *const configs[] = { "net-rr.yaml", "udp-stream.yaml", "ping.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(configs); i++) {
        struct iov_experiment *run = RUN(configs[i], "strategy=guest-dpdk");

        for (unsigned reason = 0; reason < IOV_MEASURE_REASONS; reason++)
            cr_assert(eq(u64, counters_of(run)->exits[reason], 0), "%s: reason %u", configs[i],
                      reason);
        cr_assert(eq(u64, counters_of(run)->interrupts, 0));
        cr_assert(eq(u64, counters_of(run)->kicks, 0));
        cr_assert(eq(u64, counters_of(run)->context_switches, 0));
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
        iov_experiment_free(run);
    }
}

Test(vhost, dpdk_burns_two_cores)
{
    struct iov_experiment *run = RUN("ping.yaml", "strategy=guest-dpdk");
    iov_time busy = iov_experiment_measure(run)->use.busy;

    cr_assert(lt(u64, 2 * duration(run) / 100 * 99, busy));
    cr_assert(lt(u64, busy, 2 * duration(run) / 100 * 101));
    iov_experiment_free(run);
}

Test(vhost, dpdk_works_with_packed_rings)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=guest-dpdk", "parameters.packed=on");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert(eq(u64, counters_of(run)->interrupts, 0));
    iov_experiment_free(run);
}

/* ---- virtio in hardware ---- */

Test(vhost, vdpa_has_no_software_on_its_data_path)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=vdpa");

    expect_device(run, 0, 2);
    cr_assert_about(per_op(run, counters_of(run)->kicks), 1);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EXTERNAL_INTERRUPT), 0);
    cr_assert_about(exits_per_op(run, IOV_EXIT_INTERRUPT_WINDOW), 0);
    cr_assert_about(exits_per_op(run, IOV_EXIT_EPT_MISCONFIG), 0);
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 2);
    cr_assert(eq(u64, stat_of(run, "vm0/vdpa", "interrupts"), 0)); /* posted */
    iov_experiment_free(run);
}

Test(vhost, vdpa_without_posting_interrupts_the_host)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vdpa", "parameters.interrupt-posting=off");

    expect_device(run, 0, 2);
    cr_assert_about(per_op(run, stat_of(run, "vm0/vdpa", "interrupts")), 2);
    iov_experiment_free(run);
}

/* A program that sleeps until the socket has room is not copying. */
Test(vhost, a_stream_s_datagram_waits_for_room_in_a_queue)
{
    struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=vdpa");

    cr_assert(lt(dbl, part_ns(run, IOV_PART_COPY), 100));
    iov_experiment_free(run);
}

Test(vhost, vdpa_is_faster_with_packed_rings)
{
    struct iov_experiment *split = RUN("net-rr.yaml", "strategy=vdpa");
    struct iov_experiment *packed = RUN("net-rr.yaml", "strategy=vdpa", "parameters.packed=on");

    expect_device(packed, 0, 2);
    cr_assert(lt(u64, median_of(packed) + 200 * IOV_NS, median_of(split)));
    iov_experiment_free(split);
    iov_experiment_free(packed);
}

/* ---- Packed rings ---- */

Test(vhost, packed_rings_change_neither_exits_nor_interrupts_under_any_back_end)
{
    static const char *const strategies[] = { "strategy=virtio-net", "strategy=vhost-net",
                                              "strategy=vhost-user" };
    static const char *const indexes[] = { "parameters.event-index=on",
                                           "parameters.event-index=off" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(indexes); j++) {
            struct iov_experiment *split = RUN("net-rr.yaml", strategies[i], indexes[j]);
            struct iov_experiment *packed =
                RUN("net-rr.yaml", strategies[i], indexes[j], "parameters.packed=on");

            cr_assert_about(per_op(packed, counters_of(packed)->device_exits),
                            per_op(split, counters_of(split)->device_exits));
            cr_assert_about(per_op(packed, counters_of(packed)->interrupts),
                            per_op(split, counters_of(split)->interrupts));
            cr_assert(eq(u64, counters_of(packed)->guest_faults, 0));
            cr_assert(eq(u64, iov_experiment_measure(packed)->mismatches, 0));
            iov_experiment_free(split);
            iov_experiment_free(packed);
        }
    }
}

Test(vhost, packed_rings_take_fewer_accesses_to_memory)
{
    struct iov_experiment *split = RUN("udp-stream.yaml", "strategy=virtio-net");
    struct iov_experiment *packed = RUN("udp-stream.yaml", "strategy=virtio-packed");
    IovModel *device[] = { iov_platform_find(iov_experiment_platform(split), "vm0/nic"),
                           iov_platform_find(iov_experiment_platform(packed), "vm0/nic") };

    for (unsigned i = 0; i < 2; i++)
        IOV_MODEL_GET_CLASS(device[i])->update_statistics(device[i]);
    cr_assert(lt(dbl, per_op(packed, stat_of(packed, "vm0/nic", "dma-reads")) + 1,
                 per_op(split, stat_of(split, "vm0/nic", "dma-reads"))));
    iov_experiment_free(split);
    iov_experiment_free(packed);
}

Test(vhost, parts_of_every_request_add_up)
{
    static const char *const strategies[] = { "strategy=vhost-net", "strategy=vhost-user",
                                              "strategy=sidecore", "strategy=guest-dpdk",
                                              "strategy=vdpa" };
    static const char *const configs[] = { "net-rr.yaml", "net-rr-local.yaml", "udp-stream.yaml",
                                           "ping.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(configs); j++) {
            struct iov_experiment *run = RUN(configs[j], strategies[i], "workload.operations=1000");

            cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s %s", configs[j],
                      strategies[i]);
            iov_experiment_free(run);
        }
    }
}
