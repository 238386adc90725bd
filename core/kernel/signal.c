/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: a list of the fibers that wait, each with its entry on its own stack. */
#include "core/kernel/fiber.h"

struct iov_signal_waiter {
    struct iov_signal_waiter *next;
    struct iov_signal_waiter *prev;
    struct iov_fiber *fiber;
    bool signalled; /* and no longer in the list */
};

static void remove_waiter(struct iov_signal *signal, struct iov_signal_waiter *waiter)
{
    if (waiter->prev != NULL)
        waiter->prev->next = waiter->next;
    else
        signal->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->prev = waiter->prev;
    else
        signal->last = waiter->prev;
}

static bool wait_until(struct iov_kernel *kernel, struct iov_signal *signal, iov_time until)
{
    struct iov_signal_waiter self = { .prev = signal->last, .fiber = iov_fiber_current(kernel) };

    IOV_REQUIRE(self.fiber != NULL);
    if (signal->last != NULL)
        signal->last->next = &self;
    else
        signal->first = &self;
    signal->last = &self;
    do {
        if (!iov_fiber_park_until(kernel, until))
            break;
    } while (!self.signalled); /* somebody else may have unparked the fiber */
    if (!self.signalled)
        remove_waiter(signal, &self);
    return self.signalled;
}

void iov_signal_wait(struct iov_kernel *kernel, struct iov_signal *signal)
{
    wait_until(kernel, signal, IOV_TIME_MAX);
}

bool iov_signal_wait_for(struct iov_kernel *kernel, struct iov_signal *signal, iov_time timeout)
{
    iov_time now = iov_now(kernel);

    return wait_until(kernel, signal, timeout < IOV_TIME_MAX - now ? now + timeout : IOV_TIME_MAX);
}

void iov_signal_one(struct iov_signal *signal)
{
    struct iov_signal_waiter *waiter = signal->first;

    if (waiter == NULL)
        return;
    remove_waiter(signal, waiter);
    waiter->signalled = true;
    iov_fiber_unpark(waiter->fiber);
}

void iov_signal_all(struct iov_signal *signal)
{
    while (signal->first != NULL)
        iov_signal_one(signal);
}
