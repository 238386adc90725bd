/* SPDX-License-Identifier: Apache-2.0 */
/* Fibers wait in simulated time, in the order of the kernel's events. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "core/kernel/fiber.h"

struct story {
    struct iov_kernel *kernel;
    char text[256];
    struct iov_fiber *other;
};

static void tell(struct story *story, char letter)
{
    size_t length = strlen(story->text);

    story->text[length] = letter;
    story->text[length + 1] = '\0';
}

static void sleeper(void *argument)
{
    struct story *story = argument;

    for (int i = 0; i < 3; i++) {
        tell(story, iov_fiber_name(iov_fiber_current(story->kernel))[0]);
        iov_fiber_sleep(story->kernel, 10);
    }
}

Test(fiber, two_fibers_that_sleep_alike_take_turns)
{
    struct story story = { .kernel = iov_kernel_new() };

    iov_fiber_new(story.kernel, "a", sleeper, &story);
    iov_fiber_new(story.kernel, "b", sleeper, &story);
    cr_assert(iov_kernel_run(story.kernel));
    cr_assert_str_eq(story.text, "ababab");
    cr_assert(eq(u64, iov_now(story.kernel), 30));
    cr_assert(iov_fiber_current(story.kernel) == NULL);
    iov_kernel_free(story.kernel);
}
