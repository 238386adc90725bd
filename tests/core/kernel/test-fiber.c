/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers wait in simulated time, in the order of the kernel's events, and end where they stand with
 * their kernel. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <string.h>

#include "core/kernel/fiber.h"
#include "core/kernel/sanitizer-private.h"

struct story {
    struct iov_kernel *kernel;
    char text[256];
    struct iov_fiber *other;
    struct iov_event event;
    iov_time time;
    bool result;
};

static void tell(struct story *story, char letter)
{
    size_t length = strlen(story->text);

    story->text[length] = letter;
    story->text[length + 1] = '\0';
}

static void tell_own_name(struct story *story)
{
    tell(story, iov_fiber_name(iov_fiber_current(story->kernel))[0]);
}

static void on_event(struct iov_event *event)
{
    struct story *story = iov_container_of(event, struct story, event);

    cr_assert(iov_fiber_current(story->kernel) == NULL);
    tell(story, 'e');
}

static void sleep_three_times(void *argument)
{
    struct story *story = argument;

    for (int i = 0; i < 3; i++) {
        tell_own_name(story);
        iov_fiber_sleep(story->kernel, 10);
    }
}

Test(fiber, two_fibers_that_sleep_alike_take_turns)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", sleep_three_times, &story);
    iov_fiber_new(story.kernel, "b", sleep_three_times, &story);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert_str_eq(story.text, "ababab");
    cr_assert(eq(u64, iov_now(story.kernel), 30));
    cr_assert(iov_fiber_current(story.kernel) == NULL);
    iov_kernel_free(story.kernel);
}

static void sleep_once(void *argument)
{
    struct story *story = argument;

    tell_own_name(story);
    iov_fiber_sleep(story->kernel, 10);
    tell_own_name(story);
}

static void on_event_start(struct iov_event *event)
{
    struct story *story = iov_container_of(event, struct story, event);

    on_event(event);
    iov_fiber_new(story->kernel, "b", sleep_once, story);
    iov_fiber_unpark(story->other);
}

static void park(void *argument)
{
    struct story *story = argument;

    tell_own_name(story);
    iov_fiber_park(story->kernel);
    tell_own_name(story);
    iov_fiber_sleep(story->kernel, 5);
    tell_own_name(story);
}

Test(fiber, a_handler_while_a_fiber_waits_belongs_to_none_and_may_start_and_wake_fibers)
{
    struct story story = { .kernel = iov_kernel_new() };

    story.other = iov_fiber_new(story.kernel, "a", park, &story);
    iov_event_init(&story.event, story.kernel, on_event_start, IOV_PRIORITY_DEFAULT);
    iov_event_at(&story.event, 7);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert_str_eq(story.text, "aebaab");
    cr_assert(eq(u64, iov_now(story.kernel), 17));
    iov_kernel_free(story.kernel);
}

static void nothing(void *argument)
{
    tell_own_name(argument);
}

Test(fiber, a_handler_right_after_a_fibers_end_may_start_one_on_its_stack)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", nothing, &story);
    iov_event_init(&story.event, story.kernel, on_event_start, IOV_PRIORITY_DEFAULT);
    story.other = iov_fiber_new(story.kernel, "p", park, &story);
    iov_event_at(&story.event, 0);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert_str_eq(story.text, "apebppb");
    iov_kernel_free(story.kernel);
}

Test(fiber, a_fiber_alone_moves_the_clock_without_events_in_the_queue_and_they_count)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", sleep_three_times, &story);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert(eq(u64, iov_now(story.kernel), 30));
    cr_assert(eq(u64, iov_kernel_events(story.kernel), 4)); /* its start and three waits */
    iov_kernel_free(story.kernel);
}

Test(fiber, a_run_stops_at_its_limit_in_the_middle_of_a_sleep_and_goes_on_later)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", sleep_three_times, &story);
    cr_assert(iov_kernel_run_until(story.kernel, 15));
    cr_assert_str_eq(story.text, "aa");
    cr_assert(eq(u64, iov_now(story.kernel), 15));
    cr_assert(iov_kernel_run_until(story.kernel, 20));
    cr_assert_str_eq(story.text, "aaa");
    iov_kernel_free(story.kernel);
}

Test(fiber, a_step_runs_a_fiber_up_to_its_next_wait)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", sleep_three_times, &story);
    iov_fiber_new(story.kernel, "b", sleep_three_times, &story);
    cr_assert(iov_kernel_step(story.kernel));
    cr_assert_str_eq(story.text, "a");
    cr_assert(iov_kernel_step(story.kernel));
    cr_assert_str_eq(story.text, "ab");
    cr_assert(iov_kernel_step(story.kernel));
    cr_assert_str_eq(story.text, "aba");
    cr_assert(eq(u64, iov_kernel_events(story.kernel), 3));
    iov_kernel_free(story.kernel);
}

Test(fiber, a_step_runs_a_lone_fiber_up_to_its_next_wait_too)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", sleep_three_times, &story);
    cr_assert(iov_kernel_step(story.kernel));
    cr_assert_str_eq(story.text, "a");
    cr_assert(iov_kernel_step(story.kernel));
    cr_assert_str_eq(story.text, "aa");
    cr_assert(eq(u64, iov_now(story.kernel), 10));
    iov_kernel_free(story.kernel);
}

static void sleep_in_place(void *argument)
{
    struct story *story = argument;

    iov_event_in(&story->event, 0);
    tell(story, '1');
    iov_fiber_sleep(story->kernel, 0);
    tell(story, '2');
    iov_event_in(&story->event, 5);
    iov_fiber_sleep(story->kernel, 5);
    tell(story, '3');
}

Test(fiber, what_is_due_at_the_same_time_and_was_armed_before_runs_before_a_sleep_ends)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_event_init(&story.event, story.kernel, on_event, IOV_PRIORITY_DEFAULT);
    iov_fiber_new(story.kernel, "a", sleep_in_place, &story);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert_str_eq(story.text, "1e2e3");
    iov_kernel_free(story.kernel);
}

static void take_turns_in_place(void *argument)
{
    struct story *story = argument;

    for (int i = 0; i < 3; i++) {
        iov_fiber_sleep(story->kernel, 0);
        tell_own_name(story);
    }
}

static void settle(void *argument)
{
    struct story *story = argument;

    iov_fiber_settle(story->kernel);
    tell(story, 's');
    iov_fiber_sleep(story->kernel, 0); /* at its usual priority again */
    tell(story, 't');
}

Test(fiber, a_fiber_that_settles_goes_on_after_all_that_happens_in_the_instant)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "settler", settle, &story);
    iov_fiber_new(story.kernel, "a", take_turns_in_place, &story);
    iov_fiber_new(story.kernel, "b", take_turns_in_place, &story);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert_str_eq(story.text, "abababst");
    cr_assert(eq(u64, iov_now(story.kernel), 0));
    iov_kernel_free(story.kernel);
}

static void park_until_100(void *argument)
{
    struct story *story = argument;

    story->result = iov_fiber_park_until(story->kernel, 100);
    story->time = iov_now(story->kernel);
}

static void unpark_other(struct iov_event *event)
{
    struct story *story = iov_container_of(event, struct story, event);

    iov_fiber_unpark(story->other);
    iov_fiber_unpark(story->other);
}

Test(fiber, a_park_ends_with_unpark_or_at_its_time)
{
    for (iov_time when = 99; when <= 101; when++) {
        struct story story = { .kernel = iov_kernel_new() };

        iov_event_init(&story.event, story.kernel, unpark_other, IOV_PRIORITY_FIRST);
        iov_event_at(&story.event, when);
        story.other = iov_fiber_new(story.kernel, "a", park_until_100, &story);
        cr_assert(iov_kernel_run_until(story.kernel, 100));
        cr_assert(eq(u64, story.time, when < 100 ? when : 100));
        cr_assert(eq(int, story.result, when <= 100));
        iov_kernel_free(story.kernel);
    }
}

static void park_once(void *argument)
{
    struct story *story = argument;

    iov_fiber_park(story->kernel);
    story->time = iov_now(story->kernel);
}

static void unpark_other_at_100(void *argument)
{
    struct story *story = argument;

    iov_fiber_unpark_at(story->other, 100);
    iov_event_at(&story->event, 40);
    story->result = iov_fiber_park_until(story->kernel, 60);
}

Test(fiber, an_unpark_may_have_a_time_which_an_earlier_one_forestalls)
{
    for (int early = 0; early <= 1; early++) {
        struct story story = { .kernel = iov_kernel_new() };

        iov_event_init(&story.event, story.kernel, unpark_other, IOV_PRIORITY_FIRST);
        story.other = iov_fiber_new(story.kernel, "a", park_once, &story);
        iov_fiber_new(story.kernel, "b", unpark_other_at_100, &story);
        cr_assert(iov_kernel_run_until(story.kernel, 10));
        if (!early)
            iov_event_disarm(&story.event);
        cr_assert(iov_kernel_run(story.kernel));
        cr_assert(eq(u64, story.time, early ? 40 : 100));
        cr_assert(eq(u64, iov_now(story.kernel), early ? 60 : 100), "the later one is gone");
        iov_kernel_free(story.kernel);
    }
}

static void park_for_ever(void *argument)
{
    struct story *story = argument;

    tell(story, 'p');
    iov_fiber_park(story->kernel);
    tell(story, 'q');
}

Test(fiber, fibers_that_wait_are_dropped_with_their_kernel)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", park_for_ever, &story);
    cr_assert(iov_kernel_run(story.kernel));
    iov_fiber_new(story.kernel, "never started", park_for_ever, &story);
    cr_assert_str_eq(story.text, "p");
    iov_kernel_free(story.kernel);
}

static void stop_and_sleep(void *argument)
{
    struct story *story = argument;

    iov_kernel_stop(story->kernel);
    iov_fiber_sleep(story->kernel, 10);
    tell(story, 'a');
}

Test(fiber, a_fiber_can_stop_the_run)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", stop_and_sleep, &story);
    cr_assert(not(iov_kernel_run(story.kernel)));
    cr_assert(eq(u64, iov_now(story.kernel), 0));
    cr_assert_str_eq(story.text, "");
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert_str_eq(story.text, "a");
    iov_kernel_free(story.kernel);
}

static void spawn(void *argument)
{
    struct story *story = argument;

    story->time++;
    if (story->time < 1000)
        iov_fiber_new(story->kernel, "child", spawn, story);
}

Test(fiber, a_thousand_fibers_one_after_the_other_use_the_same_stacks)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "first", spawn, &story);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert(eq(u64, story.time, 1000));
    cr_assert(eq(u64, iov_kernel_events(story.kernel), 1000));
    iov_kernel_free(story.kernel);
}

Test(fiber, a_name_is_copied_and_cut_when_it_is_very_long)
{
    struct iov_kernel *kernel = iov_kernel_new();
    char name[3000];

    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct iov_fiber *fiber = iov_fiber_new(kernel, name, park_for_ever, NULL);
    name[0] = 'y';
    cr_assert(eq(chr, iov_fiber_name(fiber)[0], 'x'));
    cr_assert(eq(sz, strlen(iov_fiber_name(fiber)), 1023));
    iov_kernel_free(kernel);
}

/* Each frame knows its caller's, so that no compiler makes a loop of it. */
static int use_stack(int frames, volatile char *above)
{
    volatile char here[4096];

    here[0] = above[0];
    return frames == 0 ? here[0] : use_stack(frames - 1, here) + here[0];
}

static void run_away(void *argument)
{
    volatile char top = 1;

    (void)argument;
    use_stack(1000, &top); /* 4 MiB */
}

Test(fiber, a_stack_that_overflows_hits_the_guard_page, .signal = SIGSEGV, .disabled = IOV_ASAN)
{
    struct iov_kernel *kernel = iov_kernel_new();

    iov_fiber_new(kernel, "runaway", run_away, NULL);
    iov_kernel_run(kernel);
}

Test(fiber, waiting_outside_of_a_fiber_is_refused, .signal = SIGABRT)
{
    struct iov_kernel *kernel = iov_kernel_new();

    iov_fiber_sleep(kernel, 1);
}
