/* SPDX-License-Identifier: Apache-2.0 */
/* How threads of one weight share a processor: turns, places of who is woken, preemption. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/linux/fair.h"

static struct iov_fair fair;

static void begin(void)
{
    fair = (struct iov_fair){ IOV_FAIR_LATENCY, IOV_FAIR_MIN_GRANULARITY,
                              IOV_FAIR_WAKEUP_GRANULARITY };
}

TestSuite(fair, .init = begin);

static iov_time latency_of(enum iov_fair_scaling scaling, unsigned processors)
{
    begin();
    iov_fair_scale(&fair, scaling, processors);
    cr_assert(eq(u64, 6 * fair.wakeup_granularity, fair.latency));
    cr_assert(eq(u64, 8 * fair.min_granularity, fair.latency));
    return fair.latency / IOV_MS;
}

Test(fair, periods_grow_by_one_for_each_doubling_of_up_to_eight_processors)
{
    cr_assert(eq(u64, latency_of(IOV_FAIR_LOGARITHMIC, 1), 6));
    cr_assert(eq(u64, latency_of(IOV_FAIR_LOGARITHMIC, 2), 12));
    cr_assert(eq(u64, latency_of(IOV_FAIR_LOGARITHMIC, 3), 12));
    cr_assert(eq(u64, latency_of(IOV_FAIR_LOGARITHMIC, 8), 24));
    cr_assert(eq(u64, latency_of(IOV_FAIR_LOGARITHMIC, 64), 24));
}

Test(fair, or_with_their_number_or_not_at_all)
{
    cr_assert(eq(u64, latency_of(IOV_FAIR_LINEAR, 3), 18));
    cr_assert(eq(u64, latency_of(IOV_FAIR_LINEAR, 64), 48));
    cr_assert(eq(u64, latency_of(IOV_FAIR_NONE, 64), 6));
}

Test(fair, a_period_is_shared_out_but_no_turn_is_shorter_than_the_granularity)
{
    cr_assert(eq(u64, iov_fair_turn(&fair, 2), 3 * IOV_MS));
    cr_assert(eq(u64, iov_fair_turn(&fair, 8), 750 * IOV_US));
    cr_assert(eq(u64, iov_fair_turn(&fair, 20), 750 * IOV_US));
}

Test(fair, who_has_slept_for_long_is_half_a_period_ahead)
{
    cr_assert(eq(u64, iov_fair_place(&fair, 0, IOV_SEC), IOV_SEC - 3 * IOV_MS));
    cr_assert(eq(u64, iov_fair_place(&fair, IOV_SEC - IOV_MS, IOV_SEC), IOV_SEC - IOV_MS));
    cr_assert(eq(u64, iov_fair_place(&fair, 0, 2 * IOV_MS), 0));
}

Test(fair, who_is_woken_preempts_one_that_has_run_more_than_the_granularity_longer)
{
    cr_assert(iov_fair_preempts(&fair, IOV_SEC + IOV_MS + 1, IOV_SEC));
    cr_assert(not(iov_fair_preempts(&fair, IOV_SEC + IOV_MS, IOV_SEC)));
    cr_assert(not(iov_fair_preempts(&fair, IOV_SEC, 2 * IOV_SEC)));
}
