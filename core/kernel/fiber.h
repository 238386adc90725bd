/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fibers: sequential programs in simulated time. Software on a simulated CPU runs on them; hardware
 * uses events.
 *
 * A fiber runs until it waits; it never runs beside another. A wait returns in simulated time, in
 * the order of the kernel's events. Functions that wait may be called on a fiber only. Stacks come
 * from a pool and have a guard page below.
 */
#ifndef IOV_KERNEL_FIBER_H
#define IOV_KERNEL_FIBER_H

#include "core/kernel/kernel.h"

IOV_BEGIN_DECLS

struct iov_fiber;
typedef void iov_fiber_fn(void *argument);

/*
 * A new fiber that calls function(argument) later in the present instant. It is freed when the
 * function returns, or with its kernel (a waiting fiber is then dropped where it stands: it must
 * own nothing that outlives its stack). `name` is copied and shows in traces.
 */
IOV_API struct iov_fiber *iov_fiber_new(struct iov_kernel *kernel, const char *name,
                                        iov_fiber_fn *function, void *argument);
/* The fiber that is running, or NULL in an event handler. */
IOV_API struct iov_fiber *iov_fiber_current(const struct iov_kernel *kernel);
IOV_API const char *iov_fiber_name(const struct iov_fiber *fiber);

/* Waits for `delay`; 0 lets everything else of the same priority that is due now run first. */
IOV_API void iov_fiber_sleep(struct iov_kernel *kernel, iov_time delay);
/* Waits until everything else that is due in this instant, and what it arms for this instant, has
 * run. */
static inline void iov_fiber_settle(struct iov_kernel *kernel);
IOV_API void iov_fiber_settle_slow(
    struct iov_kernel *kernel); /* if the head does not know that nothing is left */
static inline void iov_fiber_settle(struct iov_kernel *kernel)
{
    const struct iov_kernel_head *head = (const struct iov_kernel_head *)(const void *)kernel;

    if (head->now >= head->quiet)
        iov_fiber_settle_slow(kernel);
}

/* Waits for iov_fiber_unpark(). */
IOV_API void iov_fiber_park(struct iov_kernel *kernel);
/* Waits for iov_fiber_unpark() or the time `until`; true if unparked. IOV_TIME_MAX waits for
 * ever. */
IOV_API bool iov_fiber_park_until(struct iov_kernel *kernel, iov_time until);
/* Ends the park of a fiber later in the present instant. Nothing happens if it is not parked: check
 * your condition in a loop. */
IOV_API void iov_fiber_unpark(struct iov_fiber *fiber);
/* The same at the time `when`, if nobody does so before. The fiber is parked, without a time of its
 * own. */
IOV_API void iov_fiber_unpark_at(struct iov_fiber *fiber, iov_time when);

/* A condition that fibers wait on, in the order of their coming. Initialise with zeros. */
struct iov_signal {
    struct iov_signal_waiter *first;
    struct iov_signal_waiter *last;
};
IOV_API void iov_signal_wait(struct iov_kernel *kernel, struct iov_signal *signal);
/* Waits at most `timeout`; true if the signal came. */
IOV_API bool iov_signal_wait_for(struct iov_kernel *kernel, struct iov_signal *signal,
                                 iov_time timeout);
/* Wakes the fiber that has waited longest, or all of them; from any context. */
IOV_API void iov_signal_one(struct iov_signal *signal);
IOV_API void iov_signal_all(struct iov_signal *signal);

IOV_END_DECLS

#endif
