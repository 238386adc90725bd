/* SPDX-License-Identifier: Apache-2.0 */
/* A run that cannot go on says why. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/backend.h"
#include "core/kernel/fiber.h"

static unsigned count;

static void on_turn(struct iov_event *event)
{
    if (++count == 3) {
        iov_kernel_fail(event->kernel, "the bridge is up");
        iov_kernel_fail(event->kernel, "and the road is closed");
    }
    iov_event_in(event, 100);
}

Test(fail, ends_this_run_and_every_later_one_with_the_first_text)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event event;

    iov_event_init(&event, kernel, on_turn, IOV_PRIORITY_DEFAULT);
    iov_event_at(&event, 100);
    cr_assert(iov_kernel_failure(kernel) == NULL);
    cr_assert(not(iov_kernel_run_until(kernel, 1000)));
    cr_assert(strcmp(iov_kernel_failure(kernel), "the bridge is up") == 0);
    cr_assert(eq(u64, iov_now(kernel), 300));
    cr_assert(not(iov_kernel_run(kernel)));
    cr_assert(eq(u32, count, 3));
    iov_kernel_free(kernel);
}

Test(fail, before_a_run_lets_it_not_begin)
{
    struct iov_kernel *kernel = iov_kernel_new();

    iov_kernel_fail(kernel, "nobody is here");
    cr_assert(not(iov_kernel_run_until(kernel, 1000)));
    cr_assert(eq(u64, iov_now(kernel), 0));
    iov_kernel_free(kernel);
}

/* ---- Time that stands still ---- */

static void on_echo(struct iov_event *event)
{
    iov_event_in(event, 0);
}

Test(fail, events_that_wake_each_other_in_one_instant_end_the_run)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event event;

    iov_event_init(&event, kernel, on_echo, IOV_PRIORITY_DEFAULT);
    iov_event_at(&event, 700);
    cr_assert(not(iov_kernel_run_until(kernel, 1000)));
    cr_assert_not_null(strstr(iov_kernel_failure(kernel), "stands still at 700 ps"));
    cr_assert(iov_kernel_culprit(kernel) == &event);
    iov_kernel_free(kernel);
}

static void wait_for_nothing(void *argument)
{
    struct iov_kernel *kernel = argument;

    for (;;)
        iov_fiber_sleep(kernel, 0);
}

Test(fail, a_fiber_that_sleeps_for_no_time_ends_the_run_with_its_name)
{
    struct iov_kernel *kernel = iov_kernel_new();

    iov_fiber_new(kernel, "sleepless", wait_for_nothing, kernel);
    cr_assert(not(iov_kernel_run(kernel)));
    cr_assert_not_null(strstr(iov_kernel_failure(kernel), "the last by sleepless"));
    iov_kernel_free(kernel);
}

static void on_tick(struct iov_event *event)
{
    if (++count < 3 * IOV_KERNEL_PATIENCE)
        iov_event_in(event, count % 1024 == 0);
}

Test(fail, events_that_make_any_progress_do_not_end_it)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct iov_event event;

    count = 0;
    iov_event_init(&event, kernel, on_tick, IOV_PRIORITY_DEFAULT);
    iov_event_at(&event, 0);
    cr_assert(iov_kernel_run(kernel));
    cr_assert(eq(u32, count, 3 * IOV_KERNEL_PATIENCE));
    iov_kernel_free(kernel);
}
