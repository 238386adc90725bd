/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queue, fibers and signals in a plain main(), because Criterion does not run under
 * ThreadSanitizer. Two kernels run in two threads, as a program with one kernel a thread would, and
 * must come to the same result.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/types.h>

#include "core/kernel/fiber.h"
#include "core/kernel/random.h"

enum { TIMERS = 64, FIBERS = 16, ROUNDS = 500 };

struct world {
    struct iov_kernel *kernel;
    struct iov_random random;
    struct iov_signal signal;
    uint64_t digest;
    unsigned ended;
};

struct timer {
    struct iov_event event;
    struct world *world;
    uint64_t left;
};

static void note(struct world *world, uint64_t what)
{
    world->digest = (world->digest ^ what ^ iov_now(world->kernel)) * UINT64_C(0x100000001b3);
}

static void on_timer(struct iov_event *event)
{
    struct timer *timer = iov_container_of(event, struct timer, event);
    struct world *world = timer->world;

    note(world, 1);
    if (timer->left % 4 == 0)
        iov_signal_one(&world->signal);
    if (timer->left-- > 0)
        iov_event_in(event, iov_random_draw(&world->random, IOV_EXPONENTIAL, 1000));
}

static void child(void *argument)
{
    struct world *world = argument;

    note(world, 2);
    iov_fiber_sleep(world->kernel, 3);
    note(world, 3);
}

static void worker(void *argument)
{
    struct world *world = argument;

    for (int i = 0; i < ROUNDS; i++) {
        iov_fiber_sleep(world->kernel, iov_random_uniform(&world->random, 0, 2000));
        note(world, iov_signal_wait_for(world->kernel, &world->signal, 500) ? 4 : 5);
        if (i % 16 == 0)
            iov_fiber_new(world->kernel, "child", child, world);
        iov_fiber_settle(world->kernel);
    }
    world->ended++;
}

static void wait_for_ever(void *argument)
{
    struct world *world = argument;

    iov_fiber_park(world->kernel);
}

static void *live(void *argument)
{
    struct world *world = argument;
    struct timer timers[TIMERS];

    world->kernel = iov_kernel_new();
    iov_random_init(&world->random, 1, "world");
    for (int i = 0; i < TIMERS; i++) {
        timers[i].world = world;
        timers[i].left = ROUNDS;
        iov_event_init(&timers[i].event, world->kernel, on_timer, IOV_PRIORITY_DEFAULT);
        iov_event_in(&timers[i].event, (iov_time)i);
    }
    for (int i = 0; i < FIBERS; i++)
        iov_fiber_new(world->kernel, "worker", worker, world);
    iov_fiber_new(world->kernel, "idler", wait_for_ever, world);
    for (iov_time until = 0; until < 5000; until += 100)
        iov_kernel_run_until(world->kernel, until);
    while (iov_kernel_step(world->kernel) && iov_now(world->kernel) < 10000)
        ;
    iov_kernel_run(world->kernel);
    note(world, iov_kernel_events(world->kernel));
    iov_kernel_free(world->kernel);
    return NULL;
}

static unsigned allocations;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *__real_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset);

void *__wrap_malloc(size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __real_calloc(count, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __real_aligned_alloc(alignment, size);
}

void *__wrap_mmap(void *address, size_t size, int protection, int flags, int file, off_t offset)
{
    __atomic_fetch_add(&allocations, 1, __ATOMIC_RELAXED);
    return __real_mmap(address, size, protection, flags, file, offset);
}

static void live_on(void *argument)
{
    struct world *world = argument;

    for (;;) {
        iov_fiber_sleep(world->kernel, 10);
        iov_signal_wait_for(world->kernel, &world->signal, 25);
        iov_signal_one(&world->signal);
        iov_fiber_new(world->kernel, "child", child, world);
        iov_fiber_settle(world->kernel);
    }
}

/* How often a world that has warmed up asks for memory. */
static unsigned allocations_when_warm(void)
{
    struct world world = { .kernel = iov_kernel_new() };
    struct timer timer = { .world = &world, .left = UINT64_MAX };

    iov_random_init(&world.random, 1, "warm");
    iov_event_init(&timer.event, world.kernel, on_timer, IOV_PRIORITY_DEFAULT);
    iov_event_in(&timer.event, 0);
    for (int i = 0; i < FIBERS; i++)
        iov_fiber_new(world.kernel, "fiber", live_on, &world);
    iov_kernel_run_until(world.kernel, 10000);

    unsigned before = allocations;
    iov_kernel_run_until(world.kernel, 200000);
    unsigned after = allocations;
    iov_kernel_free(world.kernel);
    return before == 0 ? ~0u : after - before; /* 0: the calls do not come here at all */
}

int main(void)
{
    struct world worlds[2] = { 0 };
    pthread_t threads[2];

    for (int i = 0; i < 2; i++) {
        if (pthread_create(&threads[i], NULL, live, &worlds[i]) != 0)
            return 1;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        printf("%u fibers ended, digest %016" PRIx64 "\n", worlds[i].ended, worlds[i].digest);
    unsigned warm = allocations_when_warm();
    printf("%u allocations when warm\n", warm);
    return warm == 0 && worlds[0].ended == FIBERS && worlds[0].digest == worlds[1].digest ? 0 : 1;
}
