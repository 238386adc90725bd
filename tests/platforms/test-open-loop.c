/* SPDX-License-Identifier: Apache-2.0 */
/* Load that is offered at a rate, whatever becomes of it: below the knee all of it arrives, above
 * the rest is dropped and counted. */
#include "tests/platforms/platform.h"

static double delivered(const struct iov_experiment *run)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    return (double)measure->operations * (double)IOV_SEC / (double)(measure->end - measure->begin);
}

static struct iov_experiment *offer(const char *strategy, unsigned rate)
{
    g_autofree char *set = g_strdup_printf("workload.packet-rate=%u", rate);
    struct iov_experiment *run = RUN("udp-stream.yaml", strategy, set, "workload.operations=5000");

    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    cr_assert(eq(u64, stat_of(run, "vm0/workload", "dropped"), counters_of(run)->drops));
    return run;
}

static const char *const strategies[] = { "strategy=virtio-net", "strategy=vhost-net",
                                          "strategy=assigned-nic" };

Test(open_loop, below_the_knee_everything_is_sent_and_nothing_dropped)
{
    static const unsigned rates[] = { 20000, 100000, 200000 };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        for (unsigned j = 0; j < G_N_ELEMENTS(rates); j++) {
            struct iov_experiment *run = offer(strategies[i], rates[j]);

            cr_assert(lt(dbl, fabs(delivered(run) / rates[j] - 1), 0.01), "%s %u", strategies[i],
                      rates[j]);
            cr_assert(eq(u64, counters_of(run)->drops, 0));
            iov_experiment_free(run);
        }
    }
}

Test(open_loop, above_the_knee_the_rate_is_that_of_the_closed_loop_and_the_rest_is_dropped)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *closed =
            RUN("udp-stream.yaml", strategies[i], "workload.operations=5000");
        struct iov_experiment *near = offer(strategies[i], 500000);
        struct iov_experiment *far = offer(strategies[i], 2000000);
        const double dropped = per_op(far, counters_of(far)->drops);

        cr_assert(lt(dbl, fabs(delivered(far) / delivered(near) - 1), 0.05), "%s", strategies[i]);
        cr_assert(lt(dbl, fabs(delivered(far) / delivered(closed) - 1), 0.1), "%s", strategies[i]);
        cr_assert(lt(dbl, fabs((1 + dropped) * delivered(far) / 2000000 - 1), 0.05), "%s",
                  strategies[i]); /* what was offered was sent or dropped */
        cr_assert(lt(u64, 0, counters_of(near)->drops));
        iov_experiment_free(closed);
        iov_experiment_free(near);
        iov_experiment_free(far);
    }
}

Test(open_loop, a_rate_in_bits_means_payload)
{
    struct iov_experiment *run = RUN("udp-stream.yaml", "strategy=vhost-net", "workload.rate=1Gbps",
                                     "workload.arrivals=exponential");

    cr_assert(lt(dbl, fabs(delivered(run) * 1400 * 8 / 1e9 - 1), 0.05));
    iov_experiment_free(run);
}

Test(open_loop, a_datagram_waits_from_when_it_falls_due)
{
    struct iov_experiment *below = offer("strategy=vhost-net", 200000);
    struct iov_experiment *above = offer("strategy=vhost-net", 400000);

    cr_assert(lt(u64, 5 * median_of(below), median_of(above)));
    cr_assert(lt(u64, 0, iov_experiment_measure(above)->parts_low[IOV_PART_QUEUE]));
    iov_experiment_free(below);
    iov_experiment_free(above);
}

Test(open_loop, towards_the_guest_the_peer_sets_the_rate)
{
    struct iov_experiment *below =
        RUN("udp-stream.yaml", "strategy=vhost-net", "workload.direction=rx",
            "parts.peer.role=source", "parts.peer.source-interval=5us");
    struct iov_experiment *above =
        RUN("udp-stream.yaml", "strategy=vhost-net", "workload.direction=rx",
            "parts.peer.role=source", "parts.peer.source-interval=2us");

    cr_assert(lt(dbl, fabs(delivered(below) / 200000 - 1), 0.01));
    cr_assert(eq(u64, counters_of(below)->drops, 0));
    cr_assert(lt(dbl, delivered(above), 450000.0));
    cr_assert(lt(u64, 1000, counters_of(above)->drops));
    /* A datagram is measured from the peer on: the wire is in it, and above the knee the queues. */
    cr_assert(eq(u64, iov_experiment_measure(below)->mismatches, 0));
    cr_assert(eq(u64, iov_experiment_measure(above)->mismatches, 0));
    cr_assert(
        lt(u64, 10000 * 500 * IOV_NS, iov_experiment_measure(below)->parts_low[IOV_PART_WIRE]));
    cr_assert(lt(u64, 10 * median_of(below), median_of(above)));
    iov_experiment_free(below);
    iov_experiment_free(above);
}

/*
 * More than the process can take: its vCPU gets the big lock all the same, for a round of the main
 * loop is short, and a ring without descriptors is not filled any more. The rest stays in the tap,
 * and is lost at its end.
 */
Test(open_loop, a_vcpu_behind_an_emulator_that_is_flooded_goes_on)
{
    static const char *const emulated[] = { "strategy=emulated-e1000", "strategy=emulated-e1000e",
                                            "strategy=emulated-e1000-iommu", "strategy=xen-hvm" };

    for (unsigned i = 0; i < G_N_ELEMENTS(emulated); i++) {
        struct iov_experiment *run = RUN(
            "udp-stream-rx.yaml", emulated[i], "workload.size=64B", "parts.peer.source-size=64B",
            "parts.peer.source-interval=1us", "workload.operations=5000");

        cr_assert(lt(dbl, 200000.0, delivered(run)), "%s", emulated[i]);
        cr_assert(lt(dbl, delivered(run), 500000.0), "%s", emulated[i]);
        cr_assert(lt(u64, 1000, counters_of(run)->drops), "%s", emulated[i]);
        cr_assert(eq(u64, stat_of(run, "vm0/nic", "frames-dropped"), 0), "%s", emulated[i]);
        iov_experiment_free(run);
    }
}

/* One each 50 us, for a program that pauses for 100 us after each: its socket is full soon. */
Test(open_loop, a_program_that_pauses_between_datagrams_loses_those_that_come_meanwhile)
{
    struct iov_experiment *run = RUN("udp-stream-rx.yaml", "parts.peer.source-interval=50us",
                                     "workload.think-time=100us", "workload.operations=2000");

    cr_assert(gt(dbl, seconds(run), 2000 * 100e-6));
    cr_assert(gt(u64, counters_of(run)->drops, 1000));
    iov_experiment_free(run);
}

/* ---- Lost frames are nobody's ---- */

/*
 * At line rate most frames are lost at the card, tens of thousands while one waits for the guest.
 * What is told of that one is of it, not of one of those: the queues are as long, so it waits as
 * long, however many come.
 */
Test(open_loop, a_datagram_is_measured_from_its_own_sending_however_many_are_lost_meanwhile)
{
    static const char *const ends[] = { "strategy=vhost-net", "strategy=xen-pv" };

    for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++) {
        struct iov_experiment *small =
            RUN("udp-stream-rx.yaml", ends[i], "parts.peer.source-interval=0ns",
                "parts.peer.source-size=1B", "workload.operations=4000");
        struct iov_experiment *larger =
            RUN("udp-stream-rx.yaml", ends[i], "parts.peer.source-interval=0ns",
                "parts.peer.source-size=100B", "workload.operations=4000");

        cr_assert(eq(u64, iov_experiment_measure(small)->mismatches, 0));
        cr_assert(gt(u64, median_of(small) * 100, median_of(larger) * 95));
        iov_experiment_free(small);
        iov_experiment_free(larger);
    }
}

/* Frames that find no buffer in the guest's ring are lost as well, and nobody's from then on: the
 * spans of their senders do not run out. */
Test(open_loop, a_frame_that_finds_no_buffer_in_the_ring_is_nobodys)
{
    struct iov_experiment *run =
        RUN("udp-stream-rx.yaml", "strategy=vhost-user", "parts.peer.source-interval=0ns",
            "parts.peer.source-size=1B", "workload.operations=20000");

    cr_assert(gt(u64, iov_experiment_measure(run)->counters.drops, 20000));
    cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0));
    iov_experiment_free(run);
}
