/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits whose switch of stacks lies in their caller's own code. A processor predicts where a
 * function returns to by the calls that it has seen; a fiber that comes back finds another fiber's
 * there, so each return from a frame in which it stood goes wrong, 8 ns at a time. The waits that
 * every request goes through therefore have no frame of their own. For the library's own software;
 * not a contract.
 */
#ifndef IOV_KERNEL_FIBER_WAIT_PRIVATE_H
#define IOV_KERNEL_FIBER_WAIT_PRIVATE_H

#include "core/kernel/fiber-switch.h"
#include "core/kernel/fiber.h"

/* From the fiber that waits to who goes on, which may be itself. */
struct iov_passage {
    struct iov_context *from;
    struct iov_context *to;
};

/* The fiber's wait begins: everything up to the next wake-up is done, but for the switch. */
struct iov_passage iov_fiber_begin_sleep(struct iov_kernel *kernel, iov_time delay);
struct iov_passage iov_fiber_begin_park(struct iov_kernel *kernel, iov_time until);

static inline __attribute__((always_inline)) void iov_fiber_pass(struct iov_passage passage)
{
    if (passage.to != passage.from)
        iov_context_switch(passage.from, passage.to, false);
}

/* iov_fiber_sleep() */
static inline __attribute__((always_inline)) void iov_fiber_sleep_inline(struct iov_kernel *kernel,
                                                                         iov_time delay)
{
    iov_fiber_pass(iov_fiber_begin_sleep(kernel, delay));
}

/* iov_fiber_park_until() */
static inline __attribute__((always_inline)) void iov_fiber_park_inline(struct iov_kernel *kernel,
                                                                        iov_time until)
{
    iov_fiber_pass(iov_fiber_begin_park(kernel, until));
}

#endif
