/* SPDX-License-Identifier: Apache-2.0 */
/* A run that cannot go on says why. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/backend.h"

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
