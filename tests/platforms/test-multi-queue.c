/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guests of several virtual processors and queues: who takes which interrupt, where frames go up,
 * what it costs when the task is elsewhere. The reasoning is on the page
 * docs/models/linux-guest.md.
 */
#include "models/nic/igb-regs.h"
#include "tests/platforms/platform.h"

static const struct iov_virtual_use *virtual_of(const struct iov_experiment *run, unsigned index)
{
    cr_assert(lt(uint, index, iov_experiment_measure(run)->virtual_count));
    return iov_experiment_measure(run)->virtuals[index];
}

static uint64_t rate_of(const struct iov_experiment *run)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    return (uint64_t)((unsigned __int128)measure->operations * IOV_SEC /
                      (measure->end - measure->begin));
}

/* Share of the received frames that a virtual processor took up, in per cent. */
static uint64_t share_of_frames(const struct iov_experiment *run, unsigned index)
{
    uint64_t all = 0;

    for (unsigned i = 0; i < iov_experiment_measure(run)->virtual_count; i++)
        all += virtual_of(run, i)->frames;
    return (virtual_of(run, index)->frames * 100 + all / 2) / all;
}

/* ---- Spread and pinned ---- */

Test(multi_queue, spread_each_processor_takes_the_interrupts_and_frames_of_its_own_flows)
{
    struct iov_experiment *run = RUN("multi-queue.yaml", "workload.operations=8000");

    cr_assert(eq(uint, iov_experiment_measure(run)->virtual_count, 4));
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(gt(u64, virtual_of(run, i)->interrupts, 0));
        cr_assert(eq(u64, share_of_frames(run, i), 25));
        cr_assert(eq(u64, virtual_of(run, i)->ipis, 0));
        cr_assert(eq(u64, virtual_of(run, i)->wakeups, 0));
    }
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    iov_experiment_free(run);
}

Test(multi_queue, pinned_one_takes_all_and_wakes_the_tasks_of_the_others_by_interrupts)
{
    struct iov_experiment *run = RUN("multi-queue.yaml", "guest.irq-affinity=pinned",
                                     "workload.flows=4", "workload.operations=8000");

    cr_assert(eq(u64, share_of_frames(run, 0), 100));
    for (unsigned i = 1; i < 4; i++) {
        cr_assert(eq(u64, virtual_of(run, i)->interrupts, 0));
        cr_assert(gt(u64, virtual_of(run, i)->ipis, 1000));
    }
    cr_assert(gt(u64, virtual_of(run, 0)->wakeups, 5000));
    iov_experiment_free(run);
}

/* One flow whose task is not where the interrupts are: each answer takes one more wake-up,
 * interrupt, and exit of the sender; the woken processor's HLT is one already. */
Test(multi_queue, a_task_away_from_its_interrupts_costs_an_ipi_and_an_exit_for_each_answer)
{
    struct iov_experiment *here = RUN("multi-queue.yaml", "workload.flows=1",
                                      "guest.irq-affinity=pinned", "workload.operations=5000");
    struct iov_experiment *away =
        RUN("multi-queue.yaml", "workload.flows=1", "guest.irq-affinity=pinned", "workload.cpu=1",
            "workload.operations=5000");
    struct iov_experiment *posted =
        RUN("multi-queue.yaml", "workload.flows=1", "guest.irq-affinity=pinned", "workload.cpu=1",
            "vm.apic-virtualisation=on", "workload.operations=5000");

    cr_assert(eq(u64, virtual_of(here, 0)->wakeups, 0));
    cr_assert_about(per_op(away, virtual_of(away, 0)->wakeups), 1);
    cr_assert_about(per_op(away, virtual_of(away, 1)->ipis), 1);
    cr_assert_about(exits_per_op(away, IOV_EXIT_MSR_WRITE) - exits_per_op(here, IOV_EXIT_MSR_WRITE),
                    1);
    cr_assert_about(exits_per_op(away, IOV_EXIT_HLT) - exits_per_op(here, IOV_EXIT_HLT), 1);
    cr_assert(gt(u64, median_of(away), median_of(here)));
    /* Posted: the sender still exits, the interrupt itself needs no injection. */
    cr_assert_about(per_op(posted, virtual_of(posted, 1)->ipis), 1);
    cr_assert_about(
        exits_per_op(posted, IOV_EXIT_MSR_WRITE) - exits_per_op(here, IOV_EXIT_MSR_WRITE), 1);
    cr_assert_about(per_op(posted, counters_of(posted)->injections), 0);
    iov_experiment_free(here);
    iov_experiment_free(away);
    iov_experiment_free(posted);
}

Test(multi_queue, throughput_grows_with_the_processors_when_spread_and_not_when_pinned)
{
    static const char *const strategies[] = { "strategy=vhost-net", "strategy=assigned-nic" };

    for (unsigned i = 0; i < 2; i++) {
        struct iov_experiment *one = RUN("multi-queue.yaml", strategies[i],
                                         "parameters.processors=1", "workload.operations=8000");
        struct iov_experiment *two = RUN("multi-queue.yaml", strategies[i],
                                         "parameters.processors=2", "workload.operations=8000");
        struct iov_experiment *four =
            RUN("multi-queue.yaml", strategies[i], "workload.operations=8000");
        struct iov_experiment *pinned =
            RUN("multi-queue.yaml", strategies[i], "guest.irq-affinity=pinned",
                "workload.operations=8000");

        cr_assert(gt(u64, rate_of(two) * 10, rate_of(one) * 19));
        cr_assert(gt(u64, rate_of(four) * 10, rate_of(one) * 38));
        cr_assert(lt(u64, rate_of(pinned) * 10, rate_of(four) * 8));
        cr_assert(eq(uint, iov_experiment_measure(one)->virtual_count, 0));
        iov_experiment_free(one);
        iov_experiment_free(two);
        iov_experiment_free(four);
        iov_experiment_free(pinned);
    }
}

/* With eight the processor that takes the host NIC's frames through the bridge is the limit. */
Test(multi_queue, the_hosts_nic_spreads_flows_over_queues_of_its_own)
{
    struct iov_experiment *one =
        RUN("multi-queue.yaml", "parameters.processors=8", "workload.operations=8000");
    struct iov_experiment *two = RUN("multi-queue.yaml", "parameters.processors=8",
                                     "parts.bridge.irq-cpus=[0, 1]", "workload.operations=8000");

    cr_assert(gt(u64, rate_of(two) * 10, rate_of(one) * 15));
    cr_assert(eq(u64, stat_of(two, "vm0/workload", "lost"), 0));
    cr_assert(eq(u64, counters_of(two)->drops, 0));
    iov_experiment_free(one);
    iov_experiment_free(two);
}

Test(multi_queue, an_explicit_list_says_who_takes_each_queues_interrupts)
{
    struct iov_experiment *run =
        RUN("multi-queue.yaml", "guest.irq-cpus=[3, 1]", "workload.operations=8000");

    for (unsigned i = 0; i < 4; i++)
        cr_assert(eq(int, virtual_of(run, i)->interrupts > 0, i == 1 || i == 3), "vcpu%u", i);
    iov_experiment_free(run);
}

/* ---- Numbers that do not match ---- */

/* Groups of three, three and two neighbours; the first of each takes its queue's interrupts. */
Test(multi_queue, more_processors_than_queues_share_them_in_groups_of_neighbours)
{
    struct iov_experiment *run = RUN("multi-queue.yaml", "parameters.processors=8",
                                     "parameters.queues=3", "workload.operations=8000");

    for (unsigned i = 0; i < 8; i++)
        cr_assert(eq(int, virtual_of(run, i)->interrupts > 0, i == 0 || i == 3 || i == 6), "vcpu%u",
                  i);
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0));
    iov_experiment_free(run);
}

Test(multi_queue, more_queues_than_processors_leave_some_unused)
{
    struct iov_experiment *run = RUN("multi-queue.yaml", "parameters.processors=2",
                                     "parameters.queues=5", "workload.operations=8000");

    cr_assert(eq(u64, share_of_frames(run, 0), 50));
    cr_assert(eq(u64, share_of_frames(run, 1), 50));
    iov_experiment_free(run);
}

/* Which of the igb's four transmit queues are enabled. */
static unsigned transmit_queues(struct iov_experiment *run)
{
    IovModel *nic = iov_platform_find(iov_experiment_platform(run), "vm0/nic");
    struct iov_mem_target *registers = iov_model_port(nic, "registers", 0);
    unsigned enabled = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t value = 0;
        struct iov_mem_req req = { .address = IGB_TX_REG(i, IGB_QUEUE_DCTL),
                                   .data = &value,
                                   .size = sizeof value,
                                   .pasid = IOV_NO_PASID };

        cr_assert(eq(int, registers->ops->read(registers, &req), IOV_STATUS_OK));
        enabled |= (value & IGB_DCTL_ENABLE) != 0 ? 1u << i : 0;
    }
    return enabled;
}

/* The driver turns all off and waits for 10 ms, once. */
Test(multi_queue, an_igb_s_transmit_queues_are_set_up_together)
{
    struct iov_experiment *run = OPEN("multi-queue.yaml", "strategy=assigned-nic");
    struct iov_kernel *kernel = iov_platform_run(iov_experiment_platform(run))->kernel;

    iov_platform_start(iov_experiment_platform(run));
    while (transmit_queues(run) < 2) /* the first is enabled after a reset */
        iov_kernel_run_until(kernel, iov_now(kernel) + 100 * IOV_US);
    iov_kernel_run_until(kernel, iov_now(kernel) + 5 * IOV_MS);
    cr_assert(eq(uint, transmit_queues(run), 0xf));
    iov_experiment_free(run);
}

Test(multi_queue, without_indirect_descriptors_the_driver_stays_with_one_pair)
{
    struct iov_experiment *run =
        RUN("multi-queue.yaml", "parts.nic.indirect=off", "workload.operations=4000");

    cr_assert(eq(u64, share_of_frames(run, 0), 100));
    cr_assert(eq(u64, stat_of(run, "vm0/guest", "device-errors"), 0));
    iov_experiment_free(run);
}

Test(multi_queue, queues_limits_what_the_driver_uses)
{
    struct iov_experiment *run =
        RUN("multi-queue.yaml", "guest.queues=2", "workload.operations=4000");

    for (unsigned i = 0; i < 4; i++)
        cr_assert(eq(int, virtual_of(run, i)->interrupts > 0, i == 0 || i == 2), "vcpu%u", i);
    iov_experiment_free(run);
}

Test(multi_queue, every_ring_and_back_end_with_four_pairs_uses_them_all)
{
    static const char *const settings[] = {
        "strategy=virtio-net",  "strategy=vhost-user",        "strategy=sidecore",
        "strategy=vdpa",        "strategy=bare-metal-igb",    "strategy=virtio-packed",
        "parameters.packed=on", "parameters.event-index=off", "vm.x2apic=off",
        "guest.idle=poll",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(settings); i++) {
        bool bare = strstr(settings[i], "bare") != NULL;
        struct iov_experiment *run =
            RUN("multi-queue.yaml", settings[i], "workload.operations=3000",
                bare ? "vms=[{ name: vm0, cpus: [cpu0, cpu1, cpu2, cpu3] }]" : "seed=1");

        cr_assert(eq(u64, iov_experiment_measure(run)->operations, 3000), "%s", settings[i]);
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s", settings[i]);
        cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0), "%s", settings[i]);
        for (unsigned k = 0; k < 4; k++)
            cr_assert(gt(u64, virtual_of(run, k)->frames, 0), "%s: vcpu%u", settings[i], k);
        iov_experiment_free(run);
    }
}

/* The drivers of all other devices have one queue pair, whose interrupts go to processor 0. */
Test(multi_queue, a_device_with_one_pair_serves_tasks_everywhere)
{
    static const char *const strategies[] = { "strategy=sriov-vf",        "strategy=emulated-e1000",
                                              "strategy=emulated-e1000e", "strategy=esxi-vmxnet",
                                              "strategy=xen-pv",          "strategy=vmdq" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run =
            RUN("multi-queue.yaml", strategies[i], "workload.flows=8", "workload.operations=1000");

        cr_assert(eq(u64, share_of_frames(run, 0), 100), "%s", strategies[i]);
        cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0), "%s", strategies[i]);
        cr_assert(eq(u64, stat_of(run, "vm0/guest", "device-errors"), 0), "%s", strategies[i]);
        iov_experiment_free(run);
    }
}

/* ---- The adapter's hash ---- */

static struct iov_experiment *run_rss(const char *udp)
{
    return RUN("multi-queue.yaml", "strategy=assigned-nic", udp, "workload.kind=udp-stream",
               "workload.direction=rx", "parts.peer.role=source", "parts.peer.source-interval=4us",
               "workload.flows=8", "workload.operations=8000");
}

/*
 * Flows f = 0 to 7 from 10.0.0.2:(7 + f) to 10.0.0.1:(40000 + f % 4) under the key of the published
 * verification suite, redirection table in four blocks: one flow to queue 0, three to queue 1, four
 * to queue 2.
 */
Test(multi_queue, the_adapter_spreads_flows_by_the_published_hash_and_the_redirection_table)
{
    struct iov_experiment *run = run_rss("guest.rss-udp=on");

    cr_assert(eq(u64, share_of_frames(run, 0), 13)); /* 12.5 */
    cr_assert(eq(u64, share_of_frames(run, 1), 38));
    cr_assert(eq(u64, share_of_frames(run, 2), 50));
    cr_assert(eq(u64, share_of_frames(run, 3), 0));
    iov_experiment_free(run);
}

Test(multi_queue, without_ports_in_the_hash_all_udp_of_a_peer_goes_to_one_queue)
{
    struct iov_experiment *run = run_rss("guest.rss-udp=off");
    unsigned busy = 0;

    for (unsigned i = 0; i < 4; i++)
        busy += virtual_of(run, i)->frames > 0;
    cr_assert(eq(uint, busy, 1));
    iov_experiment_free(run);
}

/* Eight pairs: the vectors no longer suffice for two each. */
Test(multi_queue, the_adapters_eight_pairs_share_a_vector_each)
{
    struct iov_experiment *run = RUN("multi-queue.yaml", "strategy=assigned-nic",
                                     "parameters.processors=8", "workload.operations=8000");

    for (unsigned i = 0; i < 8; i++)
        cr_assert(gt(u64, virtual_of(run, i)->interrupts, 0));
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0));
    iov_experiment_free(run);
}

/* ---- Streams and connections ---- */

/* One processor has no time left for its program; two take everything, if both take interrupts. */
Test(multi_queue, a_received_stream_needs_two_processors_with_interrupts_of_their_own)
{
    struct iov_experiment *one = RUN("multi-queue-rx.yaml", "parameters.processors=1");
    struct iov_experiment *two = RUN("multi-queue-rx.yaml", "parameters.processors=2");
    struct iov_experiment *pinned =
        RUN("multi-queue-rx.yaml", "parameters.processors=2", "guest.irq-affinity=pinned");

    cr_assert(gt(u64, counters_of(one)->drops, iov_experiment_measure(one)->operations));
    cr_assert(eq(u64, counters_of(two)->drops, 0));
    cr_assert(gt(u64, counters_of(pinned)->drops, 0));
    iov_experiment_free(one);
    iov_experiment_free(two);
    iov_experiment_free(pinned);
}

/* Sixteen requests share a processor: each is worked for as long as one alone, and else waits,
 * wherever it lies. */
Test(multi_queue, what_waits_for_others_is_in_a_queue_and_nobody_s_work)
{
    struct iov_experiment *given = RUN("multi-queue.yaml", "strategy=assigned-nic");
    struct iov_experiment *emulated = RUN("multi-queue.yaml", "strategy=emulated-e1000");

    cr_assert(lt(dbl, part_ns(given, IOV_PART_GUEST), 6000));
    cr_assert(gt(dbl, part_ns(given, IOV_PART_QUEUE), 60000));
    cr_assert(lt(dbl, part_ns(emulated, IOV_PART_COPY), 250));
    cr_assert(lt(dbl, part_ns(emulated, IOV_PART_GUEST), 10500));
    cr_assert(gt(dbl, part_ns(emulated, IOV_PART_WAKEUP), 4000)); /* other processors', too */
    iov_experiment_free(given);
    iov_experiment_free(emulated);
}

Test(multi_queue, connections_run_on_processors_of_their_own)
{
    struct iov_experiment *one = RUN("multi-queue.yaml", "workload.kind=tcp-rr", "workload.flows=1",
                                     "workload.operations=3000");
    struct iov_experiment *four = RUN("multi-queue.yaml", "workload.kind=tcp-rr",
                                      "workload.flows=4", "workload.operations=3000");

    cr_assert(gt(u64, rate_of(four) * 10, rate_of(one) * 35));
    for (unsigned i = 0; i < 4; i++)
        cr_assert(eq(u64, share_of_frames(four, i), 25));
    iov_experiment_free(one);
    iov_experiment_free(four);
}

/* ---- Overcommit ---- */

Test(multi_queue, four_virtual_processors_on_two_lose_no_wake_up)
{
    struct iov_experiment *run =
        RUN("multi-queue.yaml", "vm.pin=[0, 1]", "guest.irq-affinity=pinned", "workload.flows=8",
            "workload.operations=50000");

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 50000));
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0));
    iov_experiment_free(run);
}

/* ---- The user's mistakes ---- */

Test(multi_queue, what_cannot_be_is_refused_with_a_reason)
{
    REFUSED("multi-queue.yaml", "64 processors", "parameters.processors=65", "parameters.queues=4");
    REFUSED("multi-queue.yaml", "processor of its own", "workload.kind=tcp-rr", "workload.flows=5");
    REFUSED("multi-queue.yaml", "poll-mode driver", "strategy=guest-dpdk", "workload.flows=2");
    REFUSED("multi-queue.yaml", "this workload has one", "workload.kind=ping", "workload.flows=2");
    REFUSED("multi-queue.yaml", "queue-pairs", "parameters.queues=17");
    REFUSED("multi-queue.yaml", "the host has 16", "parts.bridge.irq-cpus=[0, 16]");
    REFUSED("multi-queue.yaml", "irq-cpus",
            "parts.bridge.irq-cpus=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0]");
}
