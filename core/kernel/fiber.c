/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers. Each has a stack of its own with a guard page below it; the fiber's struct and name lie
 * at the top of that stack, so one mapping holds all of it and a fiber that ends leaves it to the
 * next one.
 *
 * A fiber that waits takes the next events itself. Handlers it runs on its own stack; the first
 * event that wakes a fiber leads there, or back into itself without any switch. Only where the run
 * ends, and from a fiber that has ended, it goes on with the loop.
 */
#include "core/kernel/fiber.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/kernel/fiber-wait-private.h"
#include "core/kernel/kernel-private.h"

enum {
    STACK_SIZE = IOV_ASAN || IOV_TSAN ? 1024 * 1024 : 256 * 1024,
    NAME_MAX_LENGTH = 1023,
    COLOURS = 16, /* tops of stacks start at different cache lines */
    COLOUR_SIZE = 256,
};

struct iov_fiber {
    _Alignas(IOV_CACHE_LINE) struct iov_event wake;
    struct iov_context context;
    struct iov_kernel *kernel;
    bool parked;
    bool unparked; /* so ended the last park, if not by its time */
    iov_fiber_fn *function;
    void *argument;
    const char *name;
    struct iov_link all; /* in the kernel's list of fibers */
    struct iov_fiber *next_spare;
    bool has_context; /* made and not finished: matters while spare */
    char *mapping;
    size_t mapping_size;
    unsigned stack_id; /* for valgrind */
    char *top;         /* of the part of the stack that fibers may use */
};

static void on_wake(struct iov_event *event);

void iov_fibers_init(struct iov_kernel *kernel)
{
    kernel->current = NULL;
    kernel->loop = NULL;
    kernel->fibers.next = &kernel->fibers;
    kernel->fibers.prev = &kernel->fibers;
    kernel->spare = NULL;
    kernel->stacks = 0;
}

static void unmap(struct iov_fiber *fiber)
{
    char *mapping = fiber->mapping;
    size_t size = fiber->mapping_size;

    if (fiber->has_context)
        iov_context_finish(&fiber->context);
    iov_sanitizer_stack_deregister(fiber->stack_id);
    iov_sanitizer_unpoison(mapping, size);
    munmap(mapping, size);
}

void iov_fibers_finish(struct iov_kernel *kernel)
{
    while (kernel->fibers.next != &kernel->fibers) {
        struct iov_link *link = kernel->fibers.next;
        kernel->fibers.next = link->next;
        unmap(iov_container_of(link, struct iov_fiber, all));
    }
    while (kernel->spare != NULL) {
        struct iov_fiber *fiber = kernel->spare;
        kernel->spare = fiber->next_spare;
        unmap(fiber);
    }
}

/* Maps a new stack. LIMIT: each takes two of the process's mappings, of which Linux allows 65530 by
 * default. */
static struct iov_fiber *map(struct iov_kernel *kernel)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = page + STACK_SIZE + page; /* guard, stack, room for struct and name */
    char *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

    IOV_REQUIRE(mapping != MAP_FAILED);
    IOV_REQUIRE(mprotect(mapping, page, PROT_NONE) == 0);
    size_t colour = (size_t)(kernel->stacks++ % COLOURS) * COLOUR_SIZE;
    size_t fiber_size = sizeof(struct iov_fiber) + NAME_MAX_LENGTH + 1;
    char *top = mapping + size - fiber_size - colour;
    struct iov_fiber *fiber = (struct iov_fiber *)(void *)top;

    fiber->mapping = mapping;
    fiber->mapping_size = size;
    fiber->top = top;
    fiber->has_context = false;
    fiber->stack_id = iov_sanitizer_stack_register(mapping + page, top);
    return fiber;
}

static inline struct iov_event *next_event(struct iov_kernel *kernel)
{
    return iov_kernel_stopping(kernel) || kernel->stepping ? NULL : iov_kernel_take(kernel);
}

static inline void enter(struct iov_kernel *kernel, struct iov_fiber *fiber)
{
    fiber->parked = false;
    kernel->current = fiber;
}

/* The running fiber waits: what is due before the next wake-up is done here. */
static inline __attribute__((always_inline)) struct iov_passage leave(struct iov_kernel *kernel,
                                                                      struct iov_fiber *self)
{
    struct iov_event *event;

    while ((event = next_event(kernel)) != NULL && event->fire != on_wake) {
        kernel->current = NULL;
        event->fire(event);
    }
    if (event == NULL) {
        kernel->current = NULL;
        return (struct iov_passage){ &self->context, kernel->loop };
    }

    struct iov_fiber *next = iov_container_of(event, struct iov_fiber, wake);

    enter(kernel, next);
    iov_kernel_foresee(kernel);
    return (struct iov_passage){ &self->context, &next->context };
}

static void on_wake(struct iov_event *event)
{
    struct iov_fiber *fiber = iov_container_of(event, struct iov_fiber, wake);
    struct iov_kernel *kernel = fiber->kernel;
    struct iov_context loop;

    kernel->loop = &loop;
    enter(kernel, fiber);
    if (!kernel->stepping)
        iov_kernel_foresee(kernel);
    iov_context_switch(&loop, &fiber->context, false);
}

static void fiber_main(void *argument)
{
    struct iov_fiber *self = argument;
    struct iov_kernel *kernel = self->kernel;

    self->function(self->argument);
    self->all.prev->next = self->all.next;
    self->all.next->prev = self->all.prev;
    /* Nobody takes the stack before this fiber has left it. */
    self->next_spare = kernel->spare;
    kernel->spare = self;
    kernel->current = NULL;
    iov_context_switch(&self->context, kernel->loop, true);
}

struct iov_fiber *iov_fiber_new(struct iov_kernel *kernel, const char *name, iov_fiber_fn *function,
                                void *argument)
{
    struct iov_fiber *fiber = kernel->spare;

    if (fiber != NULL)
        kernel->spare = fiber->next_spare;
    else
        fiber = map(kernel);
    if (fiber->has_context)
        iov_context_finish(&fiber->context);
    fiber->kernel = kernel;
    fiber->function = function;
    fiber->argument = argument;
    fiber->parked = false;
    fiber->unparked = false;

    char *copy = (char *)(fiber + 1);
    size_t length = strnlen(name, NAME_MAX_LENGTH);
    memcpy(copy, name, length);
    copy[length] = '\0';
    fiber->name = copy;

    fiber->all.next = &kernel->fibers;
    fiber->all.prev = kernel->fibers.prev;
    kernel->fibers.prev->next = &fiber->all;
    kernel->fibers.prev = &fiber->all;

    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *stack = fiber->mapping + page;
    size_t size = (size_t)(fiber->top - stack);
    iov_sanitizer_unpoison(stack, size);
    iov_context_init(&fiber->context, stack, size, fiber_main, fiber);
    fiber->has_context = true;
    iov_event_init(&fiber->wake, kernel, on_wake, IOV_PRIORITY_DEFAULT);
    iov_event_in(&fiber->wake, 0);
    return fiber;
}

struct iov_fiber *iov_fiber_current(const struct iov_kernel *kernel)
{
    return kernel->current;
}

const char *iov_fiber_name(const struct iov_fiber *fiber)
{
    return fiber->name;
}

static struct iov_fiber *running_fiber(struct iov_kernel *kernel)
{
    IOV_REQUIRE(kernel->current != NULL);
    return kernel->current;
}

inline __attribute__((always_inline)) struct iov_passage iov_fiber_begin_sleep(
    struct iov_kernel *kernel, iov_time delay)
{
    struct iov_fiber *self = running_fiber(kernel);

    if (delay > 0 && iov_kernel_advance(kernel, delay))
        return (struct iov_passage){ &self->context, &self->context };
    iov_kernel_arm(kernel, &self->wake, iov_now(kernel) + delay);
    return leave(kernel, self);
}

inline __attribute__((always_inline)) struct iov_passage iov_fiber_begin_park(
    struct iov_kernel *kernel, iov_time until)
{
    struct iov_fiber *self = running_fiber(kernel);

    if (until != IOV_TIME_MAX)
        iov_kernel_arm(kernel, &self->wake, until > iov_now(kernel) ? until : iov_now(kernel));
    self->parked = true;
    self->unparked = false;
    return leave(kernel, self);
}

void iov_fiber_sleep(struct iov_kernel *kernel, iov_time delay)
{
    iov_fiber_sleep_inline(kernel, delay);
}

void iov_fiber_settle_slow(struct iov_kernel *kernel)
{
    struct iov_fiber *self = running_fiber(kernel);

    if (!kernel->stepping && iov_kernel_quiet(kernel, iov_now(kernel)))
        return; /* nothing is left of this instant */
    self->wake.priority = IOV_PRIORITY_LAST;
    iov_kernel_arm(kernel, &self->wake, iov_now(kernel));
    iov_fiber_pass(leave(kernel, self));
    self->wake.priority = IOV_PRIORITY_DEFAULT;
}

void iov_fiber_park(struct iov_kernel *kernel)
{
    iov_fiber_park_inline(kernel, IOV_TIME_MAX);
}

bool iov_fiber_park_until(struct iov_kernel *kernel, iov_time until)
{
    struct iov_fiber *self = running_fiber(kernel);

    iov_fiber_park_inline(kernel, until);
    return self->unparked;
}

void iov_fiber_unpark(struct iov_fiber *fiber)
{
    struct iov_kernel *kernel = fiber->kernel;

    if (!fiber->parked)
        return;
    fiber->parked = false;
    fiber->unparked = true;
    if (fiber->wake.state != IOV_EVENT_IDLE) {
        iov_queue_remove(&kernel->queue, &fiber->wake);
        fiber->wake.state = IOV_EVENT_IDLE;
    }
    iov_kernel_arm(kernel, &fiber->wake, iov_now(kernel));
}

void iov_fiber_unpark_at(struct iov_fiber *fiber, iov_time when)
{
    IOV_REQUIRE(fiber->parked);
    iov_kernel_arm(fiber->kernel, &fiber->wake, when);
}
