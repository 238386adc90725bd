/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole runs against what others measured and no cost was taken from: a ratio lies where the
 * published one does. Sources by their ids in docs/validation/measurements.yaml; what is assumed
 * about the machines stands in docs/guide/published.md.
 */
#include "tests/platforms/platform.h"

static double rate(const struct iov_experiment *run)
{
    return (double)iov_experiment_measure(run)->operations / seconds(run);
}

/* Of a processor, by a thread of the host. */
static double use_of(const struct iov_experiment *run, const char *thread)
{
    return thread_per_op(run, thread) * rate(run) / (double)IOV_SEC;
}

#define FULL (1 + 1e-9) /* a processor; shares are quotients of rounded numbers */

#define EXPECT_WITHIN(low, figure, high) expect_within(low, figure, high, #figure)

static void expect_within(double low, double figure, double high, const char *what)
{
    cr_assert(low <= figure && figure <= high, "%s: %.4g is not within %.4g and %.4g", what, figure,
              low, high);
}

/* eli-01, eli-02 */
Test(published, exitless_interrupts_bring_an_assigned_nic_up_to_bare_metal)
{
    struct iov_experiment *assigned = RUN("udp-stream.yaml", "strategy=assigned-nic-remapped");
    struct iov_experiment *eli = RUN("udp-stream.yaml", "strategy=eli");
    struct iov_experiment *bare = RUN("udp-stream.yaml", "strategy=bare-metal-igb");

    EXPECT_WITHIN(1.3, rate(eli) / rate(assigned), 1.6);
    EXPECT_WITHIN(0.97, rate(eli) / rate(bare), 1.0);
    iov_experiment_free(assigned);
    iov_experiment_free(eli);
    iov_experiment_free(bare);
}

/* did-01 */
Test(published, interrupts_that_reach_the_guest_directly_leave_hardly_an_exit)
{
    struct iov_experiment *host = RUN("udp-stream.yaml", "strategy=assigned-nic-remapped");
    struct iov_experiment *direct = RUN("udp-stream.yaml", "strategy=assigned-nic");

    EXPECT_WITHIN(100, per_op(host, all_exits(host)) / per_op(direct, all_exits(direct)), INFINITY);
    iov_experiment_free(host);
    iov_experiment_free(direct);
}

/* elvis-01 */
Test(published, a_side_core_beats_both_back_ends_that_are_told)
{
    static const char *const files[] = { "net-rr.yaml", "udp-stream.yaml" };

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        struct iov_experiment *told = RUN(files[i], "strategy=vhost-net");
        struct iov_experiment *polled = RUN(files[i], "strategy=sidecore");

        EXPECT_WITHIN(1.2, rate(polled) / rate(told), 3.0);
        iov_experiment_free(told);
        iov_experiment_free(polled);
    }
}

static struct iov_experiment *port_of_one_gigabit(const char *guests, const char *operations)
{
    return RUN("scaling.yaml", "strategy=sriov-vf", "include=machines/skylake-1s-16.yaml",
               "workload.kind=udp-stream", "workload.direction=rx", "workload.size=1472B",
               "guest.interrupt-throttle-rate=2000", "parts.peer.role=source",
               "parts.peer.source-interval=0ns", "parts.wire.rate=1Gbps", guests, operations);
}

/* hpca10-01: 60 VMs on ten links are six each; what the first of them costs is not "additional". */
Test(published, a_further_virtual_function_costs_a_hundredth_or_two_of_a_processor_at_line_rate)
{
    struct iov_experiment *one = port_of_one_gigabit("vms[0].count=1", "workload.operations=12000");
    struct iov_experiment *six = port_of_one_gigabit("vms[0].count=6", "workload.operations=2000");

    EXPECT_WITHIN(0.99e9, wire_bits_per_second(six), 1.002e9);
    EXPECT_WITHIN(0.0088, (processors(six) - processors(one)) / 5,
                  0.0352); /* within a factor of 2 */
    iov_experiment_free(one);
    iov_experiment_free(six);
}

static double saved_by_polling(const char *idle_states)
{
    struct iov_experiment *sleeps =
        RUN("tcp-rr.yaml", "strategy=vhost-net", "workload.operations=2000", idle_states);
    struct iov_experiment *polls =
        RUN("tcp-rr.yaml", "strategy=vhost-net", "workload.operations=2000", idle_states,
            "vm.halt-poll-max=200us");
    double saved = (double)median_of(sleeps) - (double)median_of(polls);

    iov_experiment_free(sleeps);
    iov_experiment_free(polls);
    return saved / (double)IOV_US;
}

/* haltpoll-01, haltpoll-02: 34 to 27 us; which idle states that machine had is not told. */
Test(published, halt_polling_saves_less_than_it_did_with_either_shallow_idle_state)
{
    EXPECT_WITHIN(7.0 / 2.5, saved_by_polling("parts.host.idle-states=1"), 7.0);
    EXPECT_WITHIN(7.0 / 2.5, saved_by_polling("parts.host.idle-states=2"), 7.0);
}

/* Windows and halt polling as Linux has them by default. */
#define AS_LINUX "guest.tcp-window=auto", "vm.halt-poll-max=200us"

/* fcci-m5d-skylake-tcp-g2h, fcci-m5d-skylake-tcp-h2g, and -vmm of both */
Test(published, streams_to_and_from_the_host_over_virtio_are_as_fast_as_measured_within_a_fifth)
{
    struct iov_experiment *to =
        RUN("tcp-host.yaml", AS_LINUX, "workload.write=128KiB", "workload.operations=2000");
    struct iov_experiment *from = RUN("tcp-host.yaml", AS_LINUX, "workload.direction=rx",
                                      "parts.server.role=source", "workload.operations=5000");

    EXPECT_WITHIN(27.975 * 0.8, gbps(to), 27.975 * 1.2);
    EXPECT_WITHIN(28.498 * 0.8, gbps(from), 28.498 * 1.2);
    EXPECT_WITHIN(0.90 * 0.8, use_of(to, "vm0/emulator/io"), FULL);
    EXPECT_WITHIN(0.91 * 0.8, use_of(from, "vm0/emulator/io"), FULL);
    iov_experiment_free(to);
    iov_experiment_free(from);
}
