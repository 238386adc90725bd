/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of a sorting NIC for each guest, against the bridge that sorts in software. The reasoning
 * is on docs/models/vmdq-queue.md. */
#include "tests/platforms/platform.h"

#define EIGHT "vms=[{ name: vm, count: 8 }]"

Test(vmdq, a_request_kicks_once_never_visits_user_space_and_is_copied_once_each_way)
{
    struct iov_experiment *run = RUN("net-rr.yaml", "strategy=vmdq");
    const struct iov_counters *counters = counters_of(run);

    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 10000));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert_about(per_op(run, counters->device_exits), 1);
    cr_assert(eq(u64, counters->user_exits, 0));
    cr_assert_about(per_op(run, counters->interrupts), 2);
    cr_assert_about(per_op(run, counters->copies),
                    4); /* and two between sockets and the guest's buffers */
    cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 2);
    cr_assert(eq(u64, stat_of(run, "vm0/queue", "interrupts"), 10000));
    cr_assert(eq(u64, stat_of(run, "vm0/queue", "received-frames"), 10000));
    iov_experiment_free(run);
}

Test(vmdq, eight_guests_get_their_own_answers_and_a_ninth_has_no_pool)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vmdq", EIGHT, "workload.operations=300");
    g_autofree char *nine = vms(9);

    cr_assert(ge(u64, iov_experiment_measure(run)->operations, 2400));
    check_own_answers(run, 8);
    cr_assert(eq(u64, stat_of(run, "card", "frames-dropped"), 0));
    iov_experiment_free(run);
    REFUSED("net-rr.yaml", "all 8 pools of the card are taken", "strategy=vmdq", nine);
}

/* A tag of four bytes on the way there and back, ten gigabits a second. */
#define TAG_WIRE (2 * 32 * IOV_SEC / UINT64_C(10000000000))

Test(vmdq, a_guest_in_a_vlan_sends_and_gets_tagged_frames_without_knowing)
{
    struct iov_experiment *plain = RUN("net-rr.yaml", "strategy=vmdq", "workload.operations=300");
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vmdq", "workload.operations=300", "parts.queue.vlan=100");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(eq(u64, measure->operations, 300));
    cr_assert(eq(u64, measure->mismatches, 0));
    cr_assert(eq(u64, measure->parts_low[IOV_PART_WIRE],
                 iov_experiment_measure(plain)->parts_low[IOV_PART_WIRE] + 300 * TAG_WIRE));
    cr_assert(eq(u64, stat_of(run, "vm0/guest", "bad-frames"), 0));
    iov_experiment_free(plain);
    iov_experiment_free(run);
}

Test(vmdq, guests_with_one_address_are_told_apart_by_their_vlans)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vmdq", "workload.operations=300",
            "parts.nic.mac=52:54:00:12:34:56",
            "vms=[{ name: vm0, parts: { queue: { vlan: 10 } } }, { name: vm1, parts: { queue: { "
            "vlan: 20 } } }, { name: vm2 }]");

    cr_assert(eq(u64, counters_of(run)->drops, 0));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *queue = g_strdup_printf("vm%u/queue", i);
        g_autofree char *guest = g_strdup_printf("vm%u/guest", i);
        g_autofree char *workload = g_strdup_printf("vm%u/workload", i);
        uint64_t finished = stat_of(run, workload, "finished");

        cr_assert(le(u64, 300, finished));
        cr_assert(le(u64, stat_of(run, queue, "received-frames"), finished + 1)); /* its own only */
        cr_assert(eq(u64, stat_of(run, guest, "foreign-frames"), 0));
        cr_assert(eq(u64, stat_of(run, workload, "lost"), 0));
    }
    iov_experiment_free(run);
}

/* All of the host's work for eight guests on processor 3, their vCPUs on the others. */
static struct iov_experiment *on_one_core(const char *strategy, const char *irq_cpu)
{
    return RUN("net-rr.yaml", strategy, EIGHT, "workload.operations=500", "parts.host.isolate=[3]",
               "parts.vhost.cpus=[3]", irq_cpu);
}

Test(vmdq, eight_guests_whose_host_has_one_core_do_more_than_over_a_bridge)
{
    struct iov_experiment *sorted = on_one_core("strategy=vmdq", "parts.queue.irq-cpu=3");
    struct iov_experiment *bridged = on_one_core("strategy=vhost-net", "parts.bridge.irq-cpu=3");
    const struct iov_measure *fast = iov_experiment_measure(sorted);
    const struct iov_measure *slow = iov_experiment_measure(bridged);

    /* Operations in the same time, cross-multiplied; at least a tenth more. */
    cr_assert(lt(u64, slow->operations * ((fast->end - fast->begin) / IOV_NS) * 11,
                 fast->operations * ((slow->end - slow->begin) / IOV_NS) * 10));
    cr_assert_about(per_op(sorted, counters_of(sorted)->copies), 4);
    cr_assert_about(per_op(bridged, counters_of(bridged)->copies), 4);
    iov_experiment_free(sorted);
    iov_experiment_free(bridged);
}

Test(vmdq, a_datagram_is_sent_with_the_copy_and_arrives_through_the_card)
{
    static const char *const keys[] = { "guest.tx-checksum=on", "guest.tx-checksum=off" };

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=vmdq", keys[i]);
        const struct iov_measure *measure = iov_experiment_measure(run);

        cr_assert(eq(u64, measure->mismatches, 0), "%s", keys[i]);
        cr_assert(eq(u64, measure->delivery.sent, 10000), "%s", keys[i]);
        cr_assert(ge(u64, measure->delivery.arrived, 9990), "%s", keys[i]); /* but the last few */
        cr_assert(eq(u64, measure->delivery.arrived_bytes, measure->delivery.arrived * 1400));
        cr_assert(zero(u64, measure->parts_low[IOV_PART_DEVICE]), "%s", keys[i]);
        iov_experiment_free(run);
    }
}

/* A frame each 4 us, to a guest that has a processor without interrupts. */
static struct iov_experiment *steady(const char *strategy, const char *throttle)
{
    return RUN("udp-stream-rx.yaml", strategy, throttle, "parts.peer.source-interval=4us",
               "vms=[{ name: vm0, pin: [1] }]");
}

Test(vmdq, as_over_the_bridge_interrupts_under_load_come_rx_usecs_apart)
{
    struct iov_experiment *sorted = steady("strategy=vmdq", "parts.vmdq.rx-usecs=20us");
    struct iov_experiment *bridged = steady("strategy=vhost-net", "parts.bridge.rx-usecs=20us");

    cr_assert_about(per_op(sorted, stat_of(sorted, "vm0/queue", "interrupts")), 4.0 / 20);
    cr_assert_about(per_op(bridged, stat_of(bridged, "bridge", "interrupts")), 4.0 / 20);
    iov_experiment_free(sorted);
    iov_experiment_free(bridged);
    REFUSED("net-rr.yaml", "rx-usecs: the card counts whole microseconds", "strategy=vmdq",
            "parts.vmdq.rx-usecs=1500ns");
}

Test(vmdq, as_over_the_bridge_each_frame_is_an_interrupt_unless_told_otherwise)
{
    struct iov_experiment *sorted = steady("strategy=vmdq", "workload.operations=2000");
    struct iov_experiment *bridged = steady("strategy=vhost-net", "workload.operations=2000");

    cr_assert_about(per_op(sorted, stat_of(sorted, "vm0/queue", "interrupts")), 1);
    cr_assert_about(per_op(bridged, stat_of(bridged, "bridge", "interrupts")), 1);
    iov_experiment_free(sorted);
    iov_experiment_free(bridged);
}

Test(vmdq, a_request_takes_the_interval_if_that_is_longer_whatever_is_behind_the_nic)
{
    static const char *const keys[][2] = { { "strategy=vmdq", "parts.vmdq.rx-usecs=49us" },
                                           { "strategy=vhost-net", "parts.bridge.rx-usecs=49us" },
                                           { "strategy=sriov-vf",
                                             "guest.interrupt-throttle-rate=3" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
        struct iov_experiment *run =
            RUN("net-rr.yaml", keys[i][0], keys[i][1], "workload.operations=500");

        cr_assert_about(seconds(run) * 1e6 / 500, 49);
        iov_experiment_free(run);
    }
}

/* Two million datagrams a second are more than the processor of the interrupts can take. */
Test(vmdq, a_softirq_without_end_leaves_the_processor_to_others_too)
{
    struct iov_experiment *run = RUN(
        "udp-stream-rx.yaml", "strategy=vmdq", "workload.size=64B", "parts.peer.source-size=64B",
        "parts.peer.source-interval=500ns", "workload.operations=5000");

    cr_assert(lt(dbl, 400000.0, 5000 / seconds(run)));
    iov_experiment_free(run);
}
