/* SPDX-License-Identifier: Apache-2.0 */
/* A capture as arriving traffic, all the way into the guest's program. */
#include "tests/platforms/platform.h"

static double microseconds_each(const struct iov_experiment *run)
{
    const struct iov_measure *measure = iov_experiment_measure(run);

    return (double)(measure->end - measure->begin) / (double)measure->operations / (double)IOV_US;
}

Test(pcap, a_capture_reaches_the_program_at_its_own_pace_under_every_kind_of_device)
{
    static const char *const strategies[] = { "strategy=virtio-net", "strategy=vhost-net",
                                              "strategy=sriov-vf" };

    for (unsigned i = 0; i < G_N_ELEMENTS(strategies); i++) {
        struct iov_experiment *run = RUN("pcap.yaml", strategies[i]);
        struct iov_experiment *fast = RUN("pcap.yaml", strategies[i], "parts.peer.time-scale=50");

        cr_assert(eq(u64, iov_experiment_measure(run)->operations, 2000), "%s", strategies[i]);
        cr_assert(eq(u64, iov_experiment_measure(run)->mismatches, 0), "%s", strategies[i]);
        cr_assert(eq(u64, stat_of(run, "vm0/guest", "bad-frames"), 0), "%s", strategies[i]);
        cr_assert(eq(u64, stat_of(run, "vm0/guest", "foreign-frames"), 0), "%s", strategies[i]);
        cr_assert(eq(u64, counters_of(run)->drops, 0), "%s", strategies[i]);
        cr_assert(lt(dbl, fabs(microseconds_each(run) - 22.09), 0.2), "%f", microseconds_each(run));
        cr_assert(lt(dbl, fabs(microseconds_each(fast) * 2 / microseconds_each(run) - 1), 0.05));
        iov_experiment_free(run);
        iov_experiment_free(fast);
    }
}

Test(pcap, several_guests_have_it_played_to_each_of_them)
{
    for (unsigned guests = 2; guests <= 3; guests++) {
        g_autofree char *list = vms(guests);
        struct iov_experiment *run = RUN("pcap.yaml", "strategy=vhost-net", list, "stop=5s");
        const struct iov_measure *measure = iov_experiment_measure(run);

        cr_assert(measure->complete);
        cr_assert(eq(u64, measure->mismatches, 0));
        for (unsigned i = 0; i < guests; i++)
            cr_assert(le(u64, 2000, measure->guests[i].operations));
        cr_assert(lt(dbl, fabs(microseconds_each(run) * guests - 22.09), 0.2));
        iov_experiment_free(run);
    }
}

Test(pcap, as_fast_as_the_wire_goes_it_is_more_than_a_guest_can_take)
{
    struct iov_experiment *run = RUN("pcap.yaml", "strategy=vhost-net", "parts.peer.time-scale=0");

    cr_assert(lt(u64, 1000, counters_of(run)->drops));
    iov_experiment_free(run);
}

Test(pcap, frames_for_somebody_else_do_not_reach_the_program)
{
    struct iov_experiment *run =
        OPEN("pcap.yaml", "parts.peer.address-to-sender=off", "strategy=vhost-net", "stop=20ms");
    g_autoptr(GError) error = NULL;

    iov_experiment_run(run, NULL, &error);
    cr_assert(eq(u64, iov_experiment_measure(run)->operations, 0));
    iov_experiment_free(run);
}
