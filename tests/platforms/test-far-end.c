/* SPDX-License-Identifier: Apache-2.0 */
/* A workload whose far end does not do what it needs is refused before anything runs; one that
 * works is not. */
#include "tests/platforms/platform.h"

#define FEW "workload.operations=20", "workload.warmup=2"
#define RX "workload.direction=rx"
#define SINK "parts.peer.role=sink"
#define SOURCE "parts.peer.role=source"
#define CLIENTS "parts.peer.role=clients"

static void works(const char *file, const char *const *sets)
{
    struct iov_experiment *run = run_file(file, sets);

    cr_assert(le(u64, 20, iov_experiment_measure(run)->operations));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    iov_experiment_free(run);
}

#define WORKS(config, ...) works(config, SETS(FEW, __VA_ARGS__))

Test(far_end, requests_need_one_who_answers)
{
    REFUSED("net-rr.yaml",
            "--set parts.peer.role: 'udp-rr' needs a far end that answers datagrams, which "
            "'peer' does not; write role: echo",
            SINK);
    REFUSED("net-rr.yaml", "write role: echo", SOURCE);
    REFUSED("net-rr.yaml", "write role: echo", CLIENTS);
    REFUSED("multi-queue.yaml", "write role: echo", SINK);
    REFUSED("tcp-rr.yaml", "write role: echo", SINK);
    REFUSED("tcp-rr.yaml", "write role: echo", SOURCE);
}

Test(far_end, an_empty_answer_is_one_and_clients_answer_what_comes_over_tcp)
{
    WORKS("net-rr.yaml", SINK, "parts.peer.acknowledge=1");
    WORKS("tcp-rr.yaml", CLIENTS);
}

Test(far_end, who_receives_needs_one_who_sends)
{
    REFUSED("udp-stream.yaml", "udp-stream.yaml:9:17: 'udp-stream' needs a far end that sends", RX);
    REFUSED("udp-stream-rx.yaml", "write role: source", "parts.peer.role=echo");
    REFUSED("tcp-stream.yaml", "write role: source", RX);
    REFUSED("tcp-stream.yaml", "write role: source", RX, CLIENTS);
    WORKS("tcp-stream.yaml", RX, SOURCE);
}

Test(far_end, who_sends_may_send_to_anybody)
{
    static const char *const roles[] = { "parts.peer.role=echo", SINK, SOURCE, CLIENTS };

    for (unsigned i = 0; i < G_N_ELEMENTS(roles); i++) {
        WORKS("udp-stream.yaml", roles[i]);
        WORKS("tcp-stream.yaml", roles[i]);
    }
}

Test(far_end, a_server_needs_clients)
{
    REFUSED("memcached.yaml", "write role: clients", SINK);
    REFUSED("net-rr.yaml", "--set workload.kind: 'memcached' needs a far end that asks servers",
            "workload.kind=memcached");
}

Test(far_end, a_capture_answers_nobody)
{
    REFUSED("pcap.yaml", "write kind: peer", "workload={ kind: udp-rr }");
    REFUSED("pcap.yaml", "write kind: peer", "workload={ kind: ping }");
    REFUSED("pcap.yaml", "write kind: peer", "workload={ kind: tcp-stream }");
    WORKS("pcap.yaml", "workload.direction=rx");
    WORKS("pcap.yaml", "workload.direction=tx");
}

Test(far_end, pings_are_answered_in_every_role_and_idle_guests_need_nobody)
{
    WORKS("ping.yaml", SINK);
    WORKS("idle.yaml", SOURCE);
}

Test(far_end, of_several_guests_each_must_be_served)
{
    REFUSED("noisy-neighbour.yaml", "'udp-stream' needs a far end that sends",
            "vms[1].workload.direction=rx");
    REFUSED("noisy-neighbour.yaml", "'udp-rr' needs a far end that answers", SOURCE,
            "vms[1].workload.direction=rx");
}

Test(far_end, a_far_end_of_the_vms_own_counts_in_place_of_the_machines)
{
    REFUSED("net-rr-local.yaml", "which 'local' does not", "parts.local.role=sink");
    WORKS("net-rr-local.yaml", SINK);
    REFUSED("hostile-neighbour.yaml", "--set vms[0].parts.peer.role",
            "vms[0].parts.peer.role=sink");
    WORKS("hostile-neighbour.yaml", "vms[1].parts.peer.role=sink");
}

/* The peer of the machine, idle beside it, would do what is wanted. */
Test(far_end, the_program_that_the_guest_talks_to_must_do_it_itself)
{
    REFUSED("tcp-host.yaml",
            "--set parts.server.role: 'tcp-rr' needs a far end that sends back what comes over a "
            "TCP connection, which 'server' does not; write role: echo, protocol: tcp",
            "workload.kind=tcp-rr", "parts.server.role=sink");
    REFUSED("tcp-host.yaml", "which 'server' does not; write role: echo, protocol: udp",
            "workload.kind=udp-rr");
    REFUSED("tcp-host.yaml", "which 'server' does not; write role: source, protocol: tcp", RX,
            SOURCE);
    REFUSED("guest-to-guest.yaml", "'tcp-rr' needs a far end", "vms[1].workload.kind=tcp-rr");
    WORKS("tcp-host.yaml", "workload.kind=tcp-rr", "parts.server.role=echo", SINK);
    WORKS("tcp-host.yaml", "workload.kind=ping");
}

Test(far_end, one_that_nothing_leads_to_does_not_count)
{
    /* The NIC is wired to the machine's network, whatever `netdev` says. */
    WORKS("net-rr-local.yaml", "strategy=sriov-vf", "parts.local.role=sink");
}

Test(far_end, where_nobody_says_what_he_does_nothing_is_refused)
{
    struct iov_experiment *run = OPEN("net-rr.yaml", "parameters.far-end=e1000", "stop=1ms");
    GError *error = NULL;

    cr_assert(iov_experiment_run(run, NULL, &error));
    iov_experiment_free(run);
}

Test(far_end, more_connections_than_it_takes_are_refused)
{
    REFUSED("tcp-rr.yaml", "'peer' takes 256 TCP connections, and the guests ask it for 260",
            "include=machines/skylake-1s-16.yaml", "vms=[{ name: vm, count: 65, vcpus: 4 }]",
            "workload.flows=4", "strategy=vhost-net");
}
