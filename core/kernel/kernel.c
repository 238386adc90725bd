/* SPDX-License-Identifier: Apache-2.0 */
/* The run loop, and the life cycle of kernels and events. The queue is in queue-private.h and
 * queue.c. */
#include "core/kernel/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/kernel/fiber.h"
#include "core/kernel/kernel-private.h"

struct iov_kernel *iov_kernel_new(void)
{
    struct iov_kernel *kernel = aligned_alloc(IOV_CACHE_LINE, sizeof *kernel);

    IOV_REQUIRE(kernel != NULL);
    kernel->head = (struct iov_kernel_head){ 0 };
    kernel->limit = 0;
    kernel->announced = 0;
    kernel->sequence = 0;
    atomic_init(&kernel->stop, false);
    kernel->running = false;
    kernel->stepping = false;
    kernel->backend = NULL;
    kernel->at_free = NULL;
    kernel->failure = NULL;
    kernel->culprit = NULL;
    kernel->last_progress = IOV_TIME_MAX;
    iov_queue_init(&kernel->queue);
    iov_fibers_init(kernel);
    return kernel;
}

void iov_kernel_free(struct iov_kernel *kernel)
{
    if (kernel == NULL)
        return;
    IOV_REQUIRE(!kernel->running);
    iov_fibers_finish(kernel);
    while (kernel->at_free != NULL) {
        struct iov_at_free *last = kernel->at_free;

        kernel->at_free = last->next;
        last->function(last->argument);
        free(last);
    }
    free(kernel->failure);
    free(kernel);
}

void iov_kernel_at_free(struct iov_kernel *kernel, void (*function)(void *argument), void *argument)
{
    struct iov_at_free *entry = malloc(sizeof *entry);

    IOV_REQUIRE(entry != NULL);
    *entry = (struct iov_at_free){ kernel->at_free, function, argument };
    kernel->at_free = entry;
}

void iov_event_init(struct iov_event *event, struct iov_kernel *kernel, iov_event_fn *fire,
                    unsigned priority)
{
    IOV_REQUIRE(priority < IOV_PRIORITY_COUNT);
    *event = (struct iov_event){ .fire = fire, .kernel = kernel, .priority = (uint8_t)priority };
}

void iov_kernel_announce(struct iov_kernel *kernel, iov_time when)
{
    kernel->announced = when;
    kernel->backend->ops->earlier(kernel->backend, when);
}

void iov_event_at(struct iov_event *event, iov_time when)
{
    iov_kernel_arm(event->kernel, event, when);
}

void iov_event_in(struct iov_event *event, iov_time delay)
{
    iov_kernel_arm(event->kernel, event, event->kernel->head.now + delay);
}

void iov_event_disarm(struct iov_event *event)
{
    if (event->state == IOV_EVENT_IDLE)
        return;
    iov_queue_remove(&event->kernel->queue, event);
    event->state = IOV_EVENT_IDLE;
}

bool iov_kernel_serve(struct iov_kernel *kernel, iov_time until)
{
    struct iov_event *event;

    IOV_REQUIRE(until >= kernel->head.now);
    kernel->limit = until;
    kernel->head.quiet = 0;
    kernel->announced = 0;
    while (!iov_kernel_stopping(kernel) && (event = iov_kernel_take(kernel)) != NULL)
        event->fire(event);
    until = kernel->limit; /* iov_kernel_cut() */
    kernel->limit = 0;
    kernel->head.quiet = 0;
    if (kernel->backend != NULL && !iov_kernel_next(kernel, &kernel->announced))
        kernel->announced = IOV_TIME_MAX;
    if (iov_kernel_stopping(kernel))
        return false;
    if (until != IOV_TIME_MAX)
        kernel->head.now = until;
    return true;
}

void iov_kernel_cut(struct iov_kernel *kernel, iov_time until)
{
    if (until < kernel->head.now)
        until = kernel->head.now;
    if (until < kernel->limit)
        kernel->limit = until;
    kernel->head.quiet = 0;
}

void iov_kernel_skip(struct iov_kernel *kernel, iov_time when)
{
    iov_time next;

    IOV_REQUIRE(kernel->limit == 0);
    if (iov_kernel_next(kernel, &next) && next < when)
        when = next;
    if (when > kernel->head.now)
        kernel->head.now = when;
}

static bool run(struct iov_kernel *kernel, iov_time until)
{
    bool arrived;

    IOV_REQUIRE(!kernel->running);
    IOV_REQUIRE(until >= kernel->head.now);
    if (kernel->failure != NULL)
        return false;
    kernel->running = true;
    atomic_store_explicit(&kernel->stop, false, memory_order_relaxed);
    if (kernel->backend != NULL)
        arrived = kernel->backend->ops->run(kernel->backend, kernel, until);
    else
        arrived = iov_kernel_serve(kernel, until);
    kernel->running = false;
    return arrived;
}

bool iov_kernel_run_until(struct iov_kernel *kernel, iov_time until)
{
    if (!run(kernel, until))
        return false;
    kernel->head.now = until;
    return true;
}

bool iov_kernel_run(struct iov_kernel *kernel)
{
    return run(kernel, IOV_TIME_MAX);
}

bool iov_kernel_step(struct iov_kernel *kernel)
{
    IOV_REQUIRE(!kernel->running);
    IOV_REQUIRE(kernel->backend == NULL);
    kernel->running = true;
    kernel->stepping = true;
    kernel->limit = IOV_TIME_MAX;
    kernel->head.quiet = 0;
    atomic_store_explicit(&kernel->stop, false, memory_order_relaxed);

    struct iov_event *event = iov_kernel_take(kernel);
    if (event != NULL)
        event->fire(event);
    kernel->limit = 0;
    kernel->stepping = false;
    kernel->running = false;
    return event != NULL;
}

void iov_kernel_stop(struct iov_kernel *kernel)
{
    atomic_store_explicit(&kernel->stop, true, memory_order_relaxed);
    /* From a signal handler this may be lost; then the run ends at its next event. */
    *(volatile iov_time *)&kernel->head.quiet = 0;
}

void iov_kernel_fail(struct iov_kernel *kernel, const char *text)
{
    if (kernel->failure == NULL) {
        kernel->failure = strdup(text);
        IOV_REQUIRE(kernel->failure != NULL);
    }
    iov_kernel_stop(kernel);
}

void iov_kernel_expect_progress(struct iov_kernel *kernel, iov_time *last, const void *culprit)
{
    const struct iov_fiber *fiber = kernel->current;
    char text[256];

    if (*last != kernel->head.now) {
        *last = kernel->head.now;
        return;
    }
    kernel->culprit = culprit;
    snprintf(text, sizeof text,
             "simulated time stands still at %" PRIu64 " ps: %u steps without using any%s%.128s",
             kernel->head.now, IOV_KERNEL_PATIENCE, fiber != NULL ? ", the last by " : "",
             fiber != NULL ? iov_fiber_name(fiber) : "");
    iov_kernel_fail(kernel, text);
    if (culprit == NULL && fiber != NULL)
        iov_fiber_park(kernel); /* for ever: no later run begins */
}

const void *iov_kernel_culprit(const struct iov_kernel *kernel)
{
    return kernel->culprit;
}

bool iov_kernel_next(const struct iov_kernel *kernel, iov_time *ret_when)
{
    return iov_queue_first(&kernel->queue, ret_when);
}

bool iov_kernel_advance_slow(struct iov_kernel *kernel, iov_time delay)
{
    iov_time now = kernel->head.now;
    iov_time target = now + delay;

    /* Outside of a run the limit is 0. A step is one event: what follows a fiber's wait is
     * another. */
    if (target < now || target > kernel->limit || kernel->stepping || iov_kernel_stopping(kernel))
        return false;
    /* What the head knows need not be looked up again. If the event has been disarmed since, a wait
     * does as well. */
    if (kernel->head.quiet > now && kernel->head.quiet <= target)
        return false;
    if (!iov_kernel_quiet(kernel, target))
        return false;
    kernel->head.now = target;
    kernel->head.events++;
    return true;
}

uint64_t iov_kernel_events(const struct iov_kernel *kernel)
{
    return kernel->head.events;
}

void iov_kernel_set_backend(struct iov_kernel *kernel, struct iov_backend *backend)
{
    IOV_REQUIRE(!kernel->running);
    kernel->backend = backend;
    kernel->announced = 0;
    if (backend != NULL && !iov_kernel_next(kernel, &kernel->announced))
        kernel->announced = IOV_TIME_MAX;
}

const char *iov_kernel_backend_name(const struct iov_kernel *kernel)
{
    return kernel->backend != NULL ? kernel->backend->ops->name : "native";
}

const char *iov_kernel_failure(const struct iov_kernel *kernel)
{
    const struct iov_backend *backend = kernel->backend;

    if (kernel->failure != NULL)
        return kernel->failure;
    return backend != NULL && backend->ops->failure != NULL ? backend->ops->failure(backend) : NULL;
}
