/* SPDX-License-Identifier: Apache-2.0 */
/* Signals wake the fibers that wait on them, in the order of their coming. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "core/kernel/fiber.h"

struct story {
    struct iov_kernel *kernel;
    struct iov_signal signal;
    struct iov_event event;
    struct iov_fiber *other;
    char text[64];
    iov_time time;
};

static void tell(struct story *story, char letter)
{
    size_t length = strlen(story->text);

    story->text[length] = letter;
    story->text[length + 1] = '\0';
}

static void wait_and_tell(void *argument)
{
    struct story *story = argument;

    iov_signal_wait(story->kernel, &story->signal);
    tell(story, iov_fiber_name(iov_fiber_current(story->kernel))[0]);
}

static void wait_20_and_tell(void *argument)
{
    struct story *story = argument;
    char name = iov_fiber_name(iov_fiber_current(story->kernel))[0];

    tell(story, iov_signal_wait_for(story->kernel, &story->signal, 20) ? name : '-');
    story->time = iov_now(story->kernel);
}

static void on_signal_one(struct iov_event *event)
{
    iov_signal_one(&iov_container_of(event, struct story, event)->signal);
}

static void on_unpark(struct iov_event *event)
{
    iov_fiber_unpark(iov_container_of(event, struct story, event)->other);
}

Test(signal, one_wakes_the_fiber_that_has_waited_longest_and_all_wakes_the_rest)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", wait_and_tell, &story);
    iov_fiber_new(story.kernel, "b", wait_and_tell, &story);
    iov_fiber_new(story.kernel, "c", wait_and_tell, &story);
    iov_kernel_run(story.kernel);
    cr_assert_str_eq(story.text, "");
    iov_signal_one(&story.signal);
    iov_kernel_run(story.kernel);
    cr_assert_str_eq(story.text, "a");
    iov_signal_all(&story.signal);
    iov_kernel_run(story.kernel);
    cr_assert_str_eq(story.text, "abc");
    cr_assert(story.signal.first == NULL && story.signal.last == NULL);
    iov_kernel_free(story.kernel);
}

Test(signal, a_signal_that_nobody_waits_for_is_not_kept)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_signal_one(&story.signal);
    iov_signal_all(&story.signal);
    iov_fiber_new(story.kernel, "a", wait_20_and_tell, &story);
    iov_kernel_run(story.kernel);
    cr_assert_str_eq(story.text, "-");
    cr_assert(eq(u64, story.time, 20));
    iov_kernel_free(story.kernel);
}

Test(signal, a_wait_ends_with_its_timeout_or_with_the_signal)
{
    for (iov_time when = 19; when <= 21; when++) {
        struct story story = { .kernel = iov_kernel_new() };

        iov_event_init(&story.event, story.kernel, on_signal_one, IOV_PRIORITY_FIRST);
        iov_event_at(&story.event, when);
        iov_fiber_new(story.kernel, "a", wait_20_and_tell, &story);
        iov_kernel_run(story.kernel);
        cr_assert_str_eq(story.text, when <= 20 ? "a" : "-");
        cr_assert(eq(u64, story.time, when <= 20 ? when : 20));
        iov_kernel_free(story.kernel);
    }
}

Test(signal, a_fiber_that_times_out_leaves_the_others_in_their_order)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", wait_and_tell, &story);
    iov_fiber_new(story.kernel, "b", wait_20_and_tell, &story);
    iov_fiber_new(story.kernel, "c", wait_and_tell, &story);
    iov_kernel_run(story.kernel);
    cr_assert_str_eq(story.text, "-");
    iov_signal_one(&story.signal);
    iov_signal_one(&story.signal);
    iov_kernel_run(story.kernel);
    cr_assert_str_eq(story.text, "-ac");
    iov_kernel_free(story.kernel);
}

Test(signal, an_unpark_by_somebody_else_does_not_end_the_wait)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_event_init(&story.event, story.kernel, on_unpark, IOV_PRIORITY_DEFAULT);
    iov_event_at(&story.event, 5);
    story.other = iov_fiber_new(story.kernel, "a", wait_20_and_tell, &story);
    iov_kernel_run_until(story.kernel, 10);
    cr_assert_str_eq(story.text, "");
    iov_signal_one(&story.signal);
    iov_kernel_run(story.kernel);
    cr_assert_str_eq(story.text, "a");
    cr_assert(eq(u64, story.time, 10));
    iov_kernel_free(story.kernel);
}
