/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that talks to a program of its host: the far end's kernel and program use processors. */
#include "tests/platforms/platform.h"

#define FEW "workload.operations=500", "workload.warmup=50"
#define TCP_RR "workload.kind=tcp-rr", "parts.server.role=echo"
#define UDP_RR "workload.kind=udp-rr", "parts.server.role=echo", "parts.server.protocol=udp"
#define STREAM_OUT "workload.write=128KiB", FEW
#define STREAM_IN \
    "workload.direction=rx", "parts.server.role=source", "workload.operations=2000", \
        "workload.warmup=500"

static const char *const strategies[] = {
    "strategy=virtio-net",     "strategy=virtio-packed",   "strategy=vhost-net",
    "strategy=emulated-e1000", "strategy=emulated-e1000e", "strategy=sidecore",
};

static double cpu_per_op(const struct iov_experiment *run)
{
    return processors(run) * seconds(run) * (double)IOV_SEC /
           (double)iov_experiment_measure(run)->operations;
}

static void check_answered(const struct iov_experiment *run, const char *strategy)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(eq(u64, measure->operations, 500), "%s", strategy);
    cr_assert(eq(u64, measure->mismatches, 0), "%s", strategy);
    cr_assert(eq(u64, measure->counters.drops, 0), "%s", strategy);
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "lost"), 0), "%s", strategy);
    cr_assert(ge(u64, stat_of(run, "server", "messages"), 500), "%s", strategy);
    cr_assert(eq(u64, stat_of(run, "wire", "frames"), 0), "%s", strategy);
}

Test(host_server, every_request_is_answered_and_the_wire_stays_silent)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *tcp = RUN("tcp-host.yaml", strategies[i], TCP_RR, FEW);
        struct iov_experiment *udp = RUN("tcp-host.yaml", strategies[i], UDP_RR, FEW);

        check_answered(tcp, strategies[i]);
        check_answered(udp, strategies[i]);
        cr_assert(lt(u64, median_of(udp), median_of(tcp)), "%s", strategies[i]);
        iov_experiment_free(tcp);
        iov_experiment_free(udp);
    }
}

/* The free peer answers in the call that sends. Here the answer lies in the tap's queue, out of
 * which it is read and copied like any other frame. */
Test(host_server, an_answer_is_read_from_the_tap)
{
    struct iov_experiment *free_peer = RUN("net-rr-local.yaml", "workload.kind=ping", FEW);
    struct iov_experiment *host = RUN("tcp-host.yaml", "workload.kind=ping", FEW);

    cr_assert_about(per_op(free_peer, counters_of(free_peer)->copies), 4);
    cr_assert_about(per_op(host, counters_of(host)->copies), 5);
    cr_assert(lt(u64, median_of(free_peer), median_of(host)));
    iov_experiment_free(free_peer);
    iov_experiment_free(host);
}

/* guest-copy: 60 ns for each KiB; what else the program does is less than that for 128 KiB. */
Test(host_server, the_program_uses_a_processor_for_what_it_copies)
{
    struct iov_experiment *run = RUN("tcp-host.yaml", STREAM_OUT);
    double used = thread_per_op(run, "server"), copied = 128.0 * 60 * IOV_NS;

    cr_assert(eq(u64, counters_of(run)->drops, 0));
    cr_assert(lt(dbl, copied, used));
    cr_assert(lt(dbl, used, 2 * copied));
    iov_experiment_free(run);
}

Test(host_server, a_far_end_that_costs_something_makes_an_operation_dearer_by_that)
{
    struct iov_experiment *free_peer =
        RUN("net-rr-local.yaml", "workload.kind=tcp-stream", "parts.local.role=sink", STREAM_OUT);
    struct iov_experiment *host = RUN("tcp-host.yaml", STREAM_OUT);

    cr_assert(lt(dbl, cpu_per_op(free_peer) + thread_per_op(host, "server"), cpu_per_op(host)));
    iov_experiment_free(free_peer);
    iov_experiment_free(host);
}

Test(host_server, a_stream_in_goes_as_far_as_the_guests_window_lets_it)
{
    static const char *const windows[] = { "guest.tcp-window=16KiB", "guest.tcp-window=128KiB",
                                           "guest.tcp-window=auto" };
    double last = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(windows); i++) {
        struct iov_experiment *run = RUN("tcp-host.yaml", STREAM_IN, windows[i]);

        cr_assert(eq(u64, counters_of(run)->drops, 0), "%s", windows[i]);
        cr_assert(lt(dbl, 1.1 * last, gbps(run)), "%s: %.2f", windows[i], gbps(run));
        last = gbps(run);
        iov_experiment_free(run);
    }
}

/* What a small buffer of the program's makes of it: it is read before more is offered. */
Test(host_server, a_stream_out_goes_as_far_as_the_programs_window_lets_it)
{
    struct iov_experiment *small =
        RUN("tcp-host.yaml", STREAM_OUT, "guest.tcp-window=auto", "parts.server.tcp-window=16KiB");
    struct iov_experiment *grown = RUN("tcp-host.yaml", STREAM_OUT, "guest.tcp-window=auto");

    cr_assert(lt(dbl, 2 * gbps(small), gbps(grown)), "%.2f, %.2f", gbps(small), gbps(grown));
    cr_assert(eq(u64, counters_of(small)->drops, 0));
    iov_experiment_free(small);
    iov_experiment_free(grown);
}

Test(host_server, datagrams_that_nobody_answers_are_counted_where_they_arrive)
{
    struct iov_experiment *run =
        RUN("tcp-host.yaml", "workload.kind=udp-stream", "workload.size=1400B",
            "parts.server.protocol=udp", "workload.operations=2000");

    cr_assert(ge(u64, stat_of(run, "server", "messages"), 2000 - 278)); /* a full socket */
    cr_assert(eq(u64, stat_of(run, "server", "drops"), counters_of(run)->drops));
    cr_assert(eq(u64, stat_of(run, "server", "bytes"), 1400 * stat_of(run, "server", "messages")));
    iov_experiment_free(run);
}

Test(host_server, each_of_several_guests_has_a_connection_and_a_thread)
{
    struct iov_experiment *run =
        RUN("tcp-host.yaml", "vms=[{ name: vm, count: 3 }]", "parts.server.flows=3",
            "include=machines/skylake-1s-16.yaml", TCP_RR, FEW);

    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert(ge(u32, iov_measure_fairness(iov_experiment_measure(run)), 900000));
    iov_experiment_free(run);
}

Test(host_server, more_connections_than_it_has_threads_are_refused)
{
    REFUSED("tcp-host.yaml",
            "'server' takes 1 TCP connections (flows), and the guests ask it for 3",
            "vms=[{ name: vm, count: 3 }]", TCP_RR);
    REFUSED("tcp-host.yaml",
            "--set parts.server.flows: 'server' takes 7 TCP connections (flows), and the guests "
            "ask it for 8",
            "vms=[{ name: vm, count: 2, vcpus: 4 }]", "workload.flows=4", "parts.server.flows=7");
}

Test(host_server, what_it_cannot_be_is_refused)
{
    REFUSED("tcp-host.yaml", "role: a source sends over TCP; protocol: tcp", "workload.kind=ping",
            "parts.server.role=source", "parts.server.protocol=udp");
    REFUSED("tcp-host.yaml", "bridge: 'bridge' is a domain's, not the host's", "strategy=xen-pv");
    REFUSED("tcp-host.yaml", "address: '10.0.0' is not an address like 10.0.0.254",
            "parts.server.address=10.0.0");
    REFUSED("tcp-host.yaml", "mac: 'x' is neither auto nor an address like 52:54:00:00:00:fe",
            "parts.server.mac=x");
}
