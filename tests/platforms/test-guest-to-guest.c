/* SPDX-License-Identifier: Apache-2.0 */
/* Two guests of one host that talk to each other, through whatever is between them: a bridge, a
 * switch in user space or in the hypervisor, one in the NIC. */
#include "models/guest/guest-private.h"
#include "tests/platforms/platform.h"

#define FEW "workload.operations=500", "workload.warmup=50"
#define STREAM \
    "workload.kind=udp-stream", "workload.size=1400B", "vms[0].workload.role=sink", \
        "workload.operations=4000"

#define LARGE "include=machines/skylake-1s-16.yaml", "workload.flows=16", "vms[1].vcpus=4"

static const char *const strategies[] = {
    "strategy=emulated-e1000", "strategy=emulated-e1000e", "strategy=emulated-e1000-iommu",
    "strategy=virtio-net",     "strategy=virtio-packed",   "strategy=vhost-net",
    "strategy=vhost-user",     "strategy=sidecore",        "strategy=vmdq",
    "strategy=sriov-vf",       "strategy=siov-adi",        "strategy=vdpa",
    "strategy=guest-dpdk",     "strategy=guest-dpdk-vf",   "strategy=xen-hvm",
    "strategy=xen-pv",         "strategy=esxi-e1000",      "strategy=esxi-vmxnet",
};

static void check_answered(const struct iov_experiment *run, const char *strategy)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(ge(u64, measure->operations, 100), "%s", strategy);
    cr_assert(eq(u64, measure->mismatches, 0), "%s", strategy);
    cr_assert(eq(u64, measure->counters.drops, 0), "%s", strategy);
    cr_assert(eq(u64, stat_of(run, "client/workload", "lost"), 0), "%s", strategy);
    cr_assert(eq(u64, stat_of(run, "client/guest", "bad-frames"), 0), "%s", strategy);
    cr_assert(eq(u64, stat_of(run, "server/guest", "bad-frames"), 0), "%s", strategy);
    cr_assert(eq(u64, stat_of(run, "client/guest", "foreign-frames"), 0), "%s", strategy);
}

static double per_second(const struct iov_experiment *run)
{
    return (double)iov_experiment_measure(run)->operations / seconds(run);
}

Test(guest_to_guest, every_request_is_answered_and_the_wire_stays_silent)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = RUN("guest-to-guest.yaml", strategies[i], FEW);
        uint64_t asked = iov_experiment_measure(run)->operations;

        check_answered(run, strategies[i]);
        cr_assert(le(u64, stat_of(run, "server/workload", "messages") - asked, 1), "%s",
                  strategies[i]);
        cr_assert(eq(u64, stat_of(run, "wire", "frames"), 0), "%s", strategies[i]);
        iov_experiment_free(run);
    }
}

/* Each guest sends one frame and takes one, as a guest does that asks the far end. */
Test(guest_to_guest, a_request_exits_twice_as_often_as_one_over_the_wire)
{
    static const char *const counted[] = { "strategy=emulated-e1000", "strategy=virtio-net",
                                           "strategy=vhost-net",      "strategy=vmdq",
                                           "strategy=sriov-vf",       "strategy=siov-adi",
                                           "strategy=sidecore",       "strategy=guest-dpdk",
                                           "strategy=vhost-user",     "strategy=esxi-vmxnet" };

    for (unsigned i = 0; i < G_N_ELEMENTS(counted); i++) {
        struct iov_experiment *remote = RUN("net-rr.yaml", counted[i], FEW);
        struct iov_experiment *local = RUN("guest-to-guest.yaml", counted[i], FEW);

        cr_assert_about(per_op(local, counters_of(local)->device_exits),
                        2 * per_op(remote, counters_of(remote)->device_exits));
        iov_experiment_free(remote);
        iov_experiment_free(local);
    }
}

Test(guest_to_guest, the_kernel_answers_pings_and_the_program_connections)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *ping =
            RUN("guest-to-guest.yaml", strategies[i], "workload.kind=ping", "workload.interval=1ms",
                "workload.operations=100", "workload.warmup=10");

        check_answered(ping, strategies[i]);
        cr_assert(eq(u64, stat_of(ping, "server/workload", "messages"), 0));
        iov_experiment_free(ping);
        if (strstr(strategies[i], "dpdk") != NULL)
            continue;
        struct iov_experiment *tcp =
            RUN("guest-to-guest.yaml", strategies[i], "workload.kind=tcp-rr",
                "vms[0].workload.protocol=tcp", "workload.size=1000B", FEW);

        check_answered(tcp, strategies[i]);
        iov_experiment_free(tcp);
    }
}

/* What was sent has arrived, was dropped and counted, or is on its way. */
Test(guest_to_guest, no_datagram_of_a_stream_is_lost_without_being_counted)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = RUN("guest-to-guest.yaml", strategies[i], STREAM);
        const struct iov_measure *measure = iov_experiment_measure(run);
        double arrived = (double)stat_of(run, "server/workload", "messages");
        double accounted = arrived + (double)measure->counters.drops;

        cr_assert(le(dbl, fabs(accounted - 4000), 1200), "%s: %.0f arrived, %.0f with drops",
                  strategies[i], arrived, accounted);
        cr_assert(eq(dbl, (double)measure->delivery.arrived, arrived), "%s", strategies[i]);
        cr_assert(eq(u64, measure->mismatches, 0), "%s", strategies[i]);
        cr_assert(eq(u64, stat_of(run, "wire", "frames"), 0), "%s", strategies[i]);
        iov_experiment_free(run);
    }
}

Test(guest_to_guest, a_stream_of_tcp_arrives_whole)
{
    static const char *const several[] = { "strategy=vhost-net", "strategy=sriov-vf",
                                           "strategy=vhost-user", "strategy=esxi-vmxnet",
                                           "strategy=xen-pv" };

    for (unsigned i = 0; i < G_N_ELEMENTS(several); i++) {
        struct iov_experiment *run = RUN("guest-to-guest.yaml", several[i],
                                         "workload.kind=tcp-stream", "vms[0].workload.protocol=tcp",
                                         "vms[0].workload.role=sink", "workload.operations=1000");
        double sent = (double)iov_experiment_measure(run)->bytes;
        double received = (double)stat_of(run, "server/workload", "bytes");

        /* A window may lie between what is acknowledged and what the program has read. */
        cr_assert(le(dbl, fabs(received - sent), 2.0 * 131072), "%s: %.0f of %.0f", several[i],
                  received, sent);
        iov_experiment_free(run);
    }
}

/* Each write is a segment: thousands are on their way before the receiver's buffers are full. */
Test(guest_to_guest, what_the_receiver_has_no_room_for_is_sent_again)
{
    struct iov_experiment *run =
        RUN("guest-to-guest.yaml", "strategy=guest-dpdk", "workload.kind=tcp-stream",
            "vms[0].workload.protocol=tcp", "vms[0].workload.role=sink", "workload.write=1B",
            "workload.operations=20000");

    cr_assert(gt(u64, counters_of(run)->drops, 0));
    cr_assert(ge(u64, iov_experiment_measure(run)->operations, 20000));
    iov_experiment_free(run);
}

/* Nor is it acknowledged: each acknowledged byte was read or can be. The sender is faster: its
 * program has a processor of its own, and takes no interrupts. */
Test(guest_to_guest, what_the_receiver_has_no_room_for_is_not_acknowledged)
{
    struct iov_experiment *run =
        RUN("guest-to-guest.yaml", "strategy=sriov-vf", "include=machines/skylake-1s-16.yaml",
            "workload.kind=tcp-stream", "vms[0].workload.protocol=tcp", "vms[0].workload.role=sink",
            "vms[1].vcpus=2", "vms[1].workload.cpu=1", "workload.write=1B",
            "workload.operations=20000", "workload.warmup=0");
    const IovLinuxGuest *server =
        (const void *)iov_platform_find(iov_experiment_platform(run), "server/guest");
    const struct iov_guest_socket *socket = &server->net.sockets[0];

    cr_assert(gt(u64, stat_of(run, "server/guest", "frames-dropped"), 1000));
    cr_assert(eq(u64, socket->tcp.expected - (1u << 16) - 1, /* of the SYN */
                 stat_of(run, "server/workload", "bytes") + socket->held));
    iov_experiment_free(run);
}

/* Two guests are far enough apart for a small window to be what limits them; one that grows does
 * not. */
Test(guest_to_guest, a_larger_window_carries_more)
{
    static const char *const windows[] = { "guest.tcp-window=32KiB", "guest.tcp-window=128KiB",
                                           "guest.tcp-window=auto" };
    double last = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(windows); i++) {
        struct iov_experiment *run =
            RUN("guest-to-guest.yaml", "workload.kind=tcp-stream", "vms[0].workload.protocol=tcp",
                "vms[0].workload.role=sink", "workload.operations=2000", windows[i]);

        cr_assert(lt(dbl, 1.3 * last, gbps(run)), "%s: %.2f", windows[i], gbps(run));
        last = gbps(run);
        iov_experiment_free(run);
    }
}

Test(guest_to_guest, a_server_with_several_tasks_serves_flows_side_by_side)
{
    struct iov_experiment *one = RUN("guest-to-guest.yaml", LARGE, FEW);
    struct iov_experiment *two = RUN("guest-to-guest.yaml", LARGE, FEW, "vms[0].vcpus=2",
                                     "vms[0].workload.flows=2", "parameters.queues=2");

    check_answered(one, "one task");
    check_answered(two, "two tasks");
    cr_assert(lt(dbl, 1.5 * per_second(one), per_second(two)));
    iov_experiment_free(one);
    iov_experiment_free(two);
}

Test(guest_to_guest, who_only_serves_does_not_count_for_fairness)
{
    struct iov_experiment *run =
        RUN("guest-to-guest.yaml", FEW,
            "vms=[{ name: server, guest: { address: 10.0.0.3 }, workload: { kind: server } },"
            "{ name: a, guest: { peer-address: 10.0.0.3 } }, { name: b, guest: { peer-address: "
            "10.0.0.3 } }]");

    cr_assert(ge(u32, iov_measure_fairness(iov_experiment_measure(run)), 990000));
    cr_assert(eq(u64, stat_of(run, "a/workload", "lost"), 0));
    cr_assert(eq(u64, stat_of(run, "b/workload", "lost"), 0));
    iov_experiment_free(run);
}

#define THREE_AND_A_SERVER \
    "vms=[{ name: server, vcpus: 3, guest: { address: 10.0.0.3 }," \
    "workload: { kind: server, protocol: tcp, flows: 3 } }," \
    "{ name: vm, count: 3, guest: { peer-address: 10.0.0.3 } }]"

Test(guest_to_guest, each_of_several_has_a_connection_of_its_own)
{
    struct iov_experiment *run =
        RUN("guest-to-guest.yaml", THREE_AND_A_SERVER, "include=machines/skylake-1s-16.yaml",
            "workload.kind=tcp-rr", FEW);

    check_own_answers(run, 3);
    cr_assert(ge(u32, iov_measure_fairness(iov_experiment_measure(run)), 900000));
    iov_experiment_free(run);
    REFUSED("guest-to-guest.yaml",
            "'server/workload' takes 2 TCP connections (flows), and the guests ask it for 3",
            THREE_AND_A_SERVER, "vms[0].workload.flows=2", "workload.kind=tcp-rr");
}

Test(guest_to_guest, datagrams_do_not_get_into_a_connection)
{
    struct iov_experiment *run =
        RUN("guest-to-guest.yaml",
            "vms=[{ name: server, guest: { address: 10.0.0.3 }, workload: { kind: server, "
            "protocol: tcp } },"
            "{ name: client, guest: { peer-address: 10.0.0.3 } },"
            "{ name: stray, guest: { peer-address: 10.0.0.3 }, workload: { kind: udp-stream, "
            "service: echo, size: 100B, operations: 100 } }]",
            "workload.kind=tcp-rr", FEW);

    cr_assert(lt(u64, 100, stat_of(run, "server/guest", "foreign-frames")));
    cr_assert(eq(u64, stat_of(run, "server/workload", "bytes"),
                 64 * stat_of(run, "server/workload", "messages")));
    cr_assert(eq(u64, stat_of(run, "client/workload", "lost"), 0));
    iov_experiment_free(run);
}

Test(guest_to_guest, an_address_that_nobody_has_ends_the_run)
{
    REFUSED("guest-to-guest.yaml", "nobody answers for the address in 'peer-address'",
            "vms[1].guest.peer-address=10.0.0.4");
    REFUSED("guest-to-guest.yaml", "peer-address: '10.0.0.3' is not another's",
            "vms[1].guest.address=10.0.0.3");
    REFUSED("guest-to-guest.yaml", "address: '10.0.0' is not an address like 10.0.0.1",
            "vms[1].guest.address=10.0.0");
    REFUSED("guest-to-guest.yaml", "peer-address: '10.0.0.300' is not another's",
            "vms[1].guest.peer-address=10.0.0.300");
}

Test(guest_to_guest, a_server_that_does_not_do_what_is_asked_is_refused)
{
    REFUSED("guest-to-guest.yaml", "sends datagrams", "workload.kind=udp-stream",
            "workload.direction=rx");
    REFUSED("guest-to-guest.yaml", "which 'workload' does not; write protocol: tcp",
            "workload.kind=tcp-rr");
}
