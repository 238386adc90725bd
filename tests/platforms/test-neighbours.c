/* SPDX-License-Identifier: Apache-2.0 */
/* Guests with work of their own: a quiet one and what a hog beside it does to its tail; and one
 * that does nothing at all. */
#include "tests/platforms/platform.h"

static iov_time tail_of(const struct iov_experiment *run)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert_str_eq(measure->guests[0].name, "quiet");
    cr_assert(eq(u64, measure->mismatches, 0));
    return iov_histogram_quantile(measure->guests[0].latency, 990000);
}

#define ALONE "vms=[{ name: quiet, pin: [0] }]"

/* How many times longer the tail is with the hog, in hundredths. What it sends is lost nowhere;
 * what comes back to one that does not read is. */
static unsigned noise(const char *strategy, bool answered)
{
    struct iov_experiment *with =
        RUN("noisy-neighbour.yaml", strategy,
            answered ? "vms[1].workload.service=echo" : "vms[1].workload.service=discard");
    struct iov_experiment *without = RUN("noisy-neighbour.yaml", strategy, ALONE);
    unsigned ratio = (unsigned)(tail_of(with) * 100 / tail_of(without));

    cr_assert(eq(int, counters_of(with)->drops > 0, answered));
    cr_assert(eq(uint, iov_experiment_measure(with)->guest_count, 2));
    cr_assert(lt(u64, iov_experiment_measure(with)->guests[0].operations,
                 iov_experiment_measure(with)->guests[1].operations));
    cr_assert(eq(u64, iov_histogram_count(iov_experiment_measure(without)->latency), 1000));
    iov_experiment_free(with);
    iov_experiment_free(without);
    return ratio;
}

Test(neighbours, a_hog_makes_the_tail_longer_where_the_way_is_shared_in_software)
{
    unsigned polled = noise("strategy=sidecore", false);
    unsigned software = noise("strategy=vhost-net", false);
    unsigned hardware = noise("strategy=sriov-vf", false);

    cr_assert(lt(uint, 200, polled), "%u", polled); /* one core works for both */
    cr_assert(lt(uint, 103, software), "%u", software);
    cr_assert(lt(uint, hardware, software), "%u %u", hardware, software);
}

Test(neighbours, a_hog_that_all_comes_back_to_makes_it_longer_still)
{
    unsigned software = noise("strategy=vhost-net", true);
    unsigned hardware = noise("strategy=sriov-vf", true);
    unsigned virtio = noise("strategy=vdpa", true);

    cr_assert(lt(uint, 140, software), "%u", software);
    cr_assert(lt(uint, hardware, software), "%u %u", hardware, software);
    cr_assert(lt(uint, virtio, software), "%u %u", virtio, software);
}

Test(neighbours, a_stream_is_not_answered_unless_it_is_sent_to_the_service_that_does)
{
    struct iov_experiment *taken = RUN("udp-stream.yaml", "parts.peer.role=echo");
    struct iov_experiment *echoed =
        RUN("udp-stream.yaml", "parts.peer.role=echo", "workload.service=echo");

    cr_assert(eq(u64, stat_of(taken, "peer", "frames-sent"), 0)); /* since the warm-up */
    cr_assert(lt(u64, 9000, stat_of(echoed, "peer", "frames-sent")));
    iov_experiment_free(taken);
    iov_experiment_free(echoed);
}

Test(neighbours, have_workloads_and_guests_of_their_own)
{
    struct iov_experiment *run =
        RUN("net-rr.yaml", "strategy=vhost-net", "workload.operations=100", "workload.warmup=10",
            "vms=[{ name: a }, { name: b, guest: { tick: none }, workload: { operations: 300 } }]");

    cr_assert(le(u64, 300, iov_experiment_measure(run)->guests[1].operations));
    cr_assert(le(u64, 100, stat_of(run, "a/workload", "finished")));
    cr_assert(le(u64, 300, stat_of(run, "b/workload", "finished")));
    iov_experiment_free(run);
}

Test(neighbours, a_quiet_guest_costs_four_exits_when_its_sleep_is_over)
{
    static const char *const strategies[] = { "strategy=virtio-net", "strategy=vhost-net",
                                              "strategy=sriov-vf" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = RUN("idle.yaml", strategies[i]);
        const struct iov_measure *measure = iov_experiment_measure(run);

        cr_assert(eq(u64, measure->operations, 10));
        cr_assert(eq(u64, measure->mismatches, 0));
        cr_assert_about(exits_per_op(run, IOV_EXIT_HLT), 1);
        cr_assert_about(exits_per_op(run, IOV_EXIT_MSR_WRITE), 3); /* tick on, tick off, deadline */
        cr_assert(eq(u64, counters_of(run)->device_accesses, 0));
        cr_assert(lt(u64, measure->use.busy / 10, 20 * IOV_US));
        iov_experiment_free(run);
    }
}

Test(neighbours, a_guest_that_polls_in_idle_is_never_quiet)
{
    struct iov_experiment *run = RUN("idle.yaml", "guest.idle=poll", "workload.duration=10ms");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(lt(u64, (measure->end - measure->begin) / 100 * 99, measure->use.busy));
    iov_experiment_free(run);
}
