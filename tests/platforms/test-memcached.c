/* SPDX-License-Identifier: Apache-2.0 */
/* A server in the guest under requests that come when they come, measured where they come from. */
#include "tests/platforms/platform.h"

static iov_time tail_of(const struct iov_experiment *run)
{
    return iov_histogram_quantile(iov_experiment_measure(run)->latency, 990000);
}

Test(memcached, every_request_is_answered_below_the_knee)
{
    static const char *const strategies[] = { "strategy=virtio-net",     "strategy=vhost-net",
                                              "strategy=emulated-e1000", "strategy=sriov-vf",
                                              "strategy=xen-pv",         "strategy=guest-dpdk" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run =
            RUN("memcached.yaml", strategies[i], "workload.operations=2000", "workload.warmup=200",
                "parts.peer.source-interval=60us");
        const struct iov_measure *measure = iov_experiment_measure(run);
        double interval = (double)(measure->end - measure->begin) / 2000 / (double)IOV_US;

        cr_assert(eq(u64, measure->operations, 2000), "%s", strategies[i]);
        cr_assert(eq(u64, measure->mismatches, 0), "%s", strategies[i]);
        cr_assert(eq(u64, counters_of(run)->drops, 0), "%s", strategies[i]);
        cr_assert(eq(u64, stat_of(run, "peer", "requests-lost"), 0), "%s", strategies[i]);
        cr_assert(eq(u64, stat_of(run, "vm0/workload", "bad"), 0), "%s", strategies[i]);
        cr_assert(lt(dbl, fabs(interval - 60), 4), "%s: %f", strategies[i], interval);
        iov_experiment_free(run);
    }
}

Test(memcached, gets_and_sets_have_their_shares)
{
    struct iov_experiment *run = RUN("memcached.yaml", "strategy=vhost-net");
    double sets = (double)stat_of(run, "vm0/workload", "sets"),
           gets = (double)stat_of(run, "vm0/workload", "gets");

    cr_assert(lt(dbl, fabs(sets / (sets + gets) - 0.1), 0.01));
    /* Eight bytes and a value for nine of ten; Pareto's mean loses what does not fit in a frame. */
    cr_assert(lt(dbl, fabs(per_op(run, iov_experiment_measure(run)->bytes) - 8 - 0.9 * 305), 30),
              "%f", per_op(run, iov_experiment_measure(run)->bytes));
    iov_experiment_free(run);
}

Test(memcached, a_request_takes_the_wire_twice_and_no_turn_round)
{
    struct iov_experiment *run = RUN("memcached.yaml", "strategy=vhost-net");
    const struct iov_measure *measure = iov_experiment_measure(run);

    cr_assert(eq(u64, measure->parts_low[IOV_PART_PEER], 0));
    cr_assert(lt(u64, measure->operations * 1000 * IOV_NS, measure->parts_low[IOV_PART_WIRE]));
    iov_experiment_free(run);
}

Test(memcached, load_shows_in_the_tail_first_and_above_the_knee_requests_are_lost)
{
    struct iov_experiment *light =
        RUN("memcached.yaml", "strategy=vhost-net", "parts.peer.source-interval=50us");
    struct iov_experiment *heavy =
        RUN("memcached.yaml", "strategy=vhost-net", "parts.peer.source-interval=10us");
    struct iov_experiment *over =
        RUN("memcached.yaml", "strategy=vhost-net", "parts.peer.source-interval=6us");

    cr_assert(lt(u64, median_of(heavy), 2 * median_of(light)));
    cr_assert(lt(u64, 2 * tail_of(light), tail_of(heavy)));
    cr_assert(lt(u64, 10 * tail_of(heavy), tail_of(over)));
    cr_assert(eq(u64, counters_of(heavy)->drops, 0));
    cr_assert(lt(u64, 1000, counters_of(over)->drops));
    cr_assert(lt(u64, 1000, stat_of(over, "peer", "requests-lost")));
    /* What is above is waiting for the server, not its work. */
    cr_assert(lt(u64, 100 * iov_experiment_measure(over)->parts_low[IOV_PART_GUEST],
                 iov_experiment_measure(over)->parts_low[IOV_PART_QUEUE]));
    iov_experiment_free(light);
    iov_experiment_free(heavy);
    iov_experiment_free(over);
}

/* Emulated cards interrupt for every frame, which takes all of the processor if nobody stops it. */
Test(memcached, far_above_the_knee_the_server_still_answers_and_the_run_ends)
{
    static const char *const loads[][2] = { { "strategy=emulated-e1000", "10us" },
                                            { "strategy=emulated-e1000", "2us" },
                                            { "strategy=xen-hvm", "20us" },
                                            { "strategy=vhost-net", "1us" },
                                            { "strategy=sriov-vf", "1us" } };

    for (unsigned i = 0; i < G_N_ELEMENTS(loads); i++) {
        g_autofree char *interval = g_strdup_printf("parts.peer.source-interval=%s", loads[i][1]);
        struct iov_experiment *run = RUN("memcached.yaml", loads[i][0], interval,
                                         "workload.operations=20000", "workload.warmup=10000");
        const struct iov_measure *measure = iov_experiment_measure(run);
        double offered = (double)stat_of(run, "peer", "requests"),
               answered = (double)measure->operations;

        cr_assert(lt(dbl, offered, 50000), "%s %s", loads[i][0], loads[i][1]);
        cr_assert(lt(dbl, offered / 100, answered), "%s %s", loads[i][0], loads[i][1]);
        cr_assert(lt(dbl, answered, 0.8 * offered), "%s %s", loads[i][0], loads[i][1]);
        cr_assert(eq(u64, measure->mismatches, 0), "%s %s", loads[i][0], loads[i][1]);
        iov_experiment_free(run);
    }
}

/* The server is slower by so much that no place in the clients' window is still the request's when
 * its answer comes. */
Test(memcached, a_run_whose_requests_are_all_lost_has_measured_nothing_and_fails)
{
    REFUSED("memcached.yaml",
            "all of its operations had been lost. 20000 frames were dropped for want of room: the "
            "statistics (-o) tell by whom. Host processor 1 was busy 100 % of the time",
            "strategy=sriov-vf", "costs.guest-memcached=200ms", "parts.peer.source-interval=5us",
            "workload.operations=20000", "workload.warmup=10000");
}

Test(memcached, each_of_several_servers_has_clients_of_its_own)
{
    struct iov_experiment *run =
        RUN("memcached.yaml", "strategy=vhost-net", "vms=[{ name: a }, { name: b }]",
            "workload.operations=500", "workload.warmup=50", "parts.peer.source-interval=100us");
    const struct iov_measure *measure = iov_experiment_measure(run);

    for (unsigned i = 0; i < 2; i++) {
        cr_assert(le(u64, 500, measure->guests[i].operations));
        cr_assert(le(u64, measure->guests[i].operations, 650));
    }
    cr_assert(eq(u64, measure->mismatches, 0));
    iov_experiment_free(run);
}
