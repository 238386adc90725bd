/* SPDX-License-Identifier: Apache-2.0 */
/* TCP over every kind of NIC: all bytes arrive, the link's rate is not exceeded, the device is
 * touched no more often than for UDP. */
#include <glib/gstdio.h>

#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "core/net/tcp.h"
#include "tests/platforms/platform.h"

static const char *const strategies[] = { "strategy=virtio-net", "strategy=vhost-net",
                                          "strategy=emulated-e1000", "strategy=bare-metal" };

#define LONG_WIRE \
    "parts.peer.role=source", "parts.wire.delay=400us", "workload.operations=10000", \
        "workload.warmup=5000"

Test(tcp_workloads, a_request_and_its_answer_touch_the_device_as_often_as_over_udp)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *udp = RUN("net-rr.yaml", strategies[i], "workload.operations=2000");
        struct iov_experiment *tcp = RUN("tcp-rr.yaml", strategies[i], "workload.operations=2000");

        cr_assert_about(per_op(tcp, counters_of(tcp)->device_accesses),
                        per_op(udp, counters_of(udp)->device_accesses));
        cr_assert_about(per_op(tcp, counters_of(tcp)->interrupts),
                        per_op(udp, counters_of(udp)->interrupts));
        cr_assert(eq(u64, iov_experiment_measure(tcp)->mismatches, 0));
        cr_assert(lt(u64, median_of(udp), median_of(tcp)));
        iov_experiment_free(udp);
        iov_experiment_free(tcp);
    }
}

Test(tcp_workloads, a_stream_out_stays_under_the_link_and_every_write_is_acknowledged)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run =
            RUN("tcp-stream.yaml", strategies[i], "workload.operations=300");

        cr_assert(eq(u64, iov_experiment_measure(run)->bytes, 300 * 16384));
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
        cr_assert(lt(dbl, 0.2, gbps(run)), "%s", strategies[i]);
        cr_assert(lt(dbl, gbps(run), 9.42), "%s",
                  strategies[i]); /* 1460 of 1538 bytes on a 10 Gb/s wire, less the first header */
        iov_experiment_free(run);
    }
}

Test(tcp_workloads, a_program_on_the_same_host_acknowledges_large_segments_at_once)
{
    struct iov_experiment *run =
        RUN("net-rr-local.yaml", "parts.local.role=sink", "workload.kind=tcp-stream",
            "workload.write=128KiB", "workload.operations=300");

    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert(lt(dbl, 10, gbps(run))); /* no wire, no wait of 200 ms */
    iov_experiment_free(run);
}

Test(tcp_workloads, large_segments_do_not_go_over_a_wire)
{
    REFUSED("tcp-stream.yaml", "gso: large segments do not go over a wire; local: on",
            "parts.peer.gso=on");
}

Test(tcp_workloads, a_stream_in_survives_a_nic_that_is_too_slow_for_it)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = RUN("tcp-stream.yaml", strategies[i], "workload.direction=rx",
                                         "parts.peer.role=source", "workload.operations=3000");

        cr_assert(eq(u64, iov_experiment_measure(run)->operations, 3000));
        cr_assert(lt(dbl, 0.5, gbps(run)), "%s",
                  strategies[i]); /* no wait of 200 ms for each loss */
        cr_assert(lt(dbl, gbps(run), 9.42), "%s", strategies[i]);
        iov_experiment_free(run);
    }
}

/* 0.8 ms there and back, in which a fixed window goes over once. */
Test(tcp_workloads, over_a_long_wire_windows_that_grow_do_what_fixed_ones_cannot)
{
    static const char *const directions[] = { "workload.direction=rx", "workload.direction=tx" };

    for (unsigned i = 0; i < G_N_ELEMENTS(directions); i++) {
        struct iov_experiment *fixed = RUN("tcp-stream.yaml", LONG_WIRE, directions[i]);
        struct iov_experiment *grown =
            RUN("tcp-stream.yaml", LONG_WIRE, directions[i], "guest.tcp-window=auto");

        cr_assert(lt(dbl, gbps(fixed), 131072 * 8 / 800e3), "%s: %.2f", directions[i], gbps(fixed));
        cr_assert(lt(dbl, 2 * gbps(fixed), gbps(grown)), "%s: %.2f", directions[i], gbps(grown));
        iov_experiment_free(fixed);
        iov_experiment_free(grown);
    }
}

Test(tcp_workloads, small_writes_that_are_acknowledged_late_are_all_accounted_for)
{
    struct iov_experiment *run = RUN("tcp-stream.yaml", "workload.write=16B",
                                     "workload.operations=20000", "parts.peer.turn-round=20ms");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(measure->complete);
    cr_assert(eq(u64, measure->operations, 20000));
    cr_assert(eq(u64, measure->mismatches, 0));
    iov_experiment_free(run);
}

Test(tcp_workloads, a_program_that_pauses_between_two_reads_holds_the_sender_back)
{
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "workload.direction=rx", "parts.peer.role=source",
            "workload.think-time=200us", "workload.operations=2000");

    cr_assert(iov_experiment_measure(run)->complete);
    cr_assert(gt(dbl, seconds(run), 2000 * 200e-6));
    cr_assert(eq(u64, counters_of(run)->drops, 0)); /* it is the window that does */
    iov_experiment_free(run);
}

/* Six guests' small segments are more than the link takes, and some are lost while each program
 * waits with as many writes on their way as it may have: what is lost goes again all the same. */
Test(tcp_workloads, small_writes_that_are_lost_go_again_while_the_program_waits_for_them)
{
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "strategy=vmdq", "vms[0].count=6", "parts.wire.rate=100Mbps",
            "workload.write=1B", "workload.operations=200");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(measure->complete);
    cr_assert(gt(u64, measure->counters.drops, 0));
    cr_assert(eq(u64, measure->mismatches, 0));
    cr_assert(lt(dbl, seconds(run), 1)); /* the retransmission's 200 ms, and not many of them */
    iov_experiment_free(run);
}

Test(tcp_workloads, an_answer_that_comes_too_late_is_not_taken_for_that_of_the_next_request)
{
    struct iov_experiment *run =
        RUN("tcp-rr.yaml", "strategy=bare-metal-igb", "parts.peer.turn-round=1ms",
            "parts.peer.turn-round-distribution=uniform", "workload.timeout=1200us",
            "workload.operations=300", "workload.warmup=0");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(lt(u64, 10, stat_of(run, "vm0/workload", "lost")));
    cr_assert(eq(u64, measure->mismatches, 0));
    /* The time of those that were answered is the far end's; in the guest nothing takes long. */
    cr_assert(lt(u64, measure->parts_low[IOV_PART_GUEST] / measure->operations, 20 * IOV_US));
    iov_experiment_free(run);
}

/* ---- Acknowledgements that go alone ---- */

#define PCAP_HEADER 24u
#define PCAP_RECORD 16u

/* Of those to the far end in the capture `path`: the ones that came within 1 ms of the frame before
 * them, and within a tick of 40 ms after it. All are of one or the other kind. */
static void count_lone(const char *path, unsigned *ret_quick, unsigned *ret_late)
{
    g_autofree char *bytes = NULL;
    double before = 0;
    gsize size;

    *ret_quick = *ret_late = 0;
    cr_assert(g_file_get_contents(path, &bytes, &size, NULL));
    for (gsize at = PCAP_HEADER; at + PCAP_RECORD <= size;) {
        uint32_t record[4];
        memcpy(record, bytes + at, sizeof record);
        const uint8_t *ip = (const uint8_t *)bytes + at + PCAP_RECORD + ETHERNET_HEADER;
        double ms = record[0] * 1e3 + record[1] / 1e6, waited = ms - before;

        if (ip[IPV4_PROTOCOL] == IPV4_PROTOCOL_TCP && ip[IPV4_DESTINATION + 3] == 2 &&
            iov_net_get16(ip + IPV4_LENGTH) == IPV4_HEADER + TCP_HEADER) {
            cr_assert(waited < 1 || (waited >= 40 && waited < 45), "%.3f ms", waited);
            *(waited < 1 ? ret_quick : ret_late) += 1;
        }
        before = ms;
        at += PCAP_RECORD + record[2];
    }
}

/* Pauses of up to 60 ms: two of three requests come soon enough to take it along. */
Test(tcp_workloads, an_answer_that_no_request_follows_for_40_ms_is_acknowledged_alone)
{
    g_autofree char *path = NULL;
    int file = g_file_open_tmp("iovsim-XXXXXX.pcap", &path, NULL);
    g_autofree char *capture = g_strconcat("parts.wire.capture=", path, NULL);
    unsigned quick, late;

    cr_assert(ge(int, file, 0));
    cr_assert(g_close(file, NULL));
    iov_experiment_free(RUN("tcp-rr.yaml", capture, "workload.think-time=30ms",
                            "workload.think-distribution=uniform", "workload.operations=150",
                            "workload.warmup=0"));
    count_lone(path, &quick, &late);
    cr_assert(gt(uint, late, 15));
    cr_assert(gt(uint, quick, 15)); /* the next answers, until a request is in time again */
    g_unlink(path);
}

/* 10 ms there and back, in which 89 whole segments of the window come, less what the guest takes to
 * read them, or all of it goes. */
Test(tcp_workloads, over_a_wire_of_5_ms_goes_a_window_in_each_round_trip)
{
    struct iov_experiment *rx =
        RUN("tcp-stream.yaml", "workload.direction=rx", "parts.peer.role=source",
            "parts.wire.delay=5ms", "strategy=bare-metal-igb", "workload.operations=9000");
    struct iov_experiment *tx = RUN("tcp-stream.yaml", "parts.wire.delay=5ms",
                                    "strategy=bare-metal-igb", "workload.operations=800");
    double expected = 89 * 1460 * 8 / 10e-3 / 1e9;

    cr_assert(lt(dbl, 0.94 * expected, gbps(rx)), "%.4f of %.4f", gbps(rx), expected);
    cr_assert(lt(dbl, gbps(rx), expected), "%.4f", gbps(rx));
    expected = 131072 * 8 / 10e-3 / 1e9;
    cr_assert(lt(dbl, 0.98 * expected, gbps(tx)), "%.4f of %.4f", gbps(tx), expected);
    cr_assert(lt(dbl, gbps(tx), expected), "%.4f", gbps(tx));
    iov_experiment_free(rx);
    iov_experiment_free(tx);
}

/* A third guest's datagrams fill the queue of the server's tap. */
Test(tcp_workloads, a_request_or_an_answer_that_is_lost_goes_again_while_the_program_waits)
{
    struct iov_experiment *run =
        RUN("guest-to-guest.yaml", "strategy=virtio-net",
            "vms=[{ name: server, guest: { address: 10.0.0.3 }, workload: { kind: server, "
            "protocol: tcp } }, { name: client, guest: { peer-address: 10.0.0.3 } }, { name: "
            "noise, guest: { address: 10.0.0.4, peer-address: 10.0.0.3 }, workload: { kind: "
            "udp-stream, size: 64B, operations: 2000 } }]",
            "workload.kind=tcp-rr", "workload.operations=1000", "workload.warmup=0",
            "workload.timeout=10s");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(measure->complete);
    cr_assert(gt(u64, measure->counters.drops, 0));
    cr_assert(eq(u64, measure->mismatches, 0));
    cr_assert(zero(u64, stat_of(run, "client/workload", "lost")));
    cr_assert(gt(dbl, seconds(run), 0.2)); /* what was lost went again after that */
    iov_experiment_free(run);
}

/* Segments that nobody puts together, each in a frame of the guest's. */
Test(tcp_workloads, the_largest_window_that_is_offered_is_also_kept)
{
    struct iov_experiment *run =
        RUN("tcp-stream.yaml", "workload.direction=rx", "parts.peer.role=source", "guest.gro=off",
            "workload.think-time=200us", "guest.tcp-window=1MiB", "workload.operations=4000");

    cr_assert(lt(dbl, per_op(run, counters_of(run)->drops), 0.01)); /* before it was full */
    iov_experiment_free(run);
}
