/* SPDX-License-Identifier: Apache-2.0 */
/* The queue keeps the order (time, priority, arming), whatever is armed, disarmed and run in
 * between. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "core/kernel/kernel.h"

struct recorder {
    struct iov_event event;
    int name;
    int *log;
    int *count;
};

static void record(struct iov_event *event)
{
    struct recorder *self = iov_container_of(event, struct recorder, event);

    self->log[(*self->count)++] = self->name;
}

Test(queue, events_of_one_instant_run_by_priority_and_then_in_the_order_of_arming)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct recorder recorders[6];
    const unsigned priorities[6] = { 8, 8, 0, 15, 0, 8 };
    const int expected[6] = { 2, 4, 0, 1, 5, 3 };
    int log[6];
    int count = 0;

    for (int i = 0; i < 6; i++) {
        recorders[i] = (struct recorder){ .name = i, .log = log, .count = &count };
        iov_event_init(&recorders[i].event, kernel, record, priorities[i]);
        iov_event_at(&recorders[i].event, 1000);
    }
    cr_assert(iov_kernel_run(kernel));
    cr_assert(eq(int, count, 6));
    for (int i = 0; i < 6; i++)
        cr_assert(eq(int, log[i], expected[i]));
    cr_assert(eq(u64, iov_now(kernel), 1000));
    iov_kernel_free(kernel);
}

Test(queue, run_until_includes_its_limit_and_leaves_the_clock_there)
{
    struct iov_kernel *kernel = iov_kernel_new();
    struct recorder at_limit, after;
    int log[2];
    int count = 0;
    iov_time next;

    at_limit = (struct recorder){ .name = 1, .log = log, .count = &count };
    after = (struct recorder){ .name = 2, .log = log, .count = &count };
    iov_event_init(&at_limit.event, kernel, record, IOV_PRIORITY_DEFAULT);
    iov_event_init(&after.event, kernel, record, IOV_PRIORITY_DEFAULT);
    iov_event_at(&after.event, 70001);
    iov_event_at(&at_limit.event, 70000);
    cr_assert(iov_kernel_run_until(kernel, 70000));
    cr_assert(eq(int, count, 1));
    cr_assert(eq(u64, iov_now(kernel), 70000));
    cr_assert(iov_kernel_next(kernel, &next));
    cr_assert(eq(u64, next, 70001));
    iov_event_disarm(&after.event);
    cr_assert(not(iov_kernel_next(kernel, &next)));
    iov_kernel_free(kernel);
}
