/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of a kernel, shared by its run loop and its fibers. */
#ifndef IOV_KERNEL_KERNEL_PRIVATE_H
#define IOV_KERNEL_KERNEL_PRIVATE_H

#include <stdatomic.h>

#include "core/kernel/backend.h"
#include "core/kernel/queue-private.h"

struct iov_fiber;
struct iov_context;

struct iov_kernel {
    _Alignas(IOV_CACHE_LINE) struct iov_kernel_head head; /* first: inline functions read it */
    iov_time limit;                                       /* of the run that is going on */
    iov_time announced; /* the back end wants to hear of events before this; 0: of none */
    uint64_t sequence;
    atomic_bool stop; /* atomic for signal handlers only */
    bool running;     /* a run or step is going on */
    bool stepping;    /* one event only: a fiber that waits must not go on to the next */
    struct iov_backend *backend;

    struct iov_fiber *current;
    struct iov_context *loop; /* where the loop stands while a fiber runs */
    struct iov_link fibers;   /* all that have not ended */
    struct iov_fiber *spare;  /* stacks to use again */
    unsigned stacks;          /* made so far */

    char *failure;               /* of iov_kernel_fail(), or NULL */
    const void *culprit;         /* with it, or NULL */
    iov_time last_progress;      /* of events: see iov_kernel_expect_progress() */
    struct iov_at_free *at_free; /* newest first */
    struct iov_queue queue;
};

struct iov_at_free {
    struct iov_at_free *next;
    void (*function)(void *argument);
    void *argument;
};

_Static_assert(sizeof(struct iov_event) == IOV_CACHE_LINE, "an event fills one cache line");
_Static_assert(offsetof(struct iov_kernel, head) == 0, "iov_now() reads the head");

/* In fiber.c. */
void iov_fibers_init(struct iov_kernel *kernel);
void iov_fibers_finish(struct iov_kernel *kernel);

/* In kernel.c: tells the back end of an event that it does not expect. */
void iov_kernel_announce(struct iov_kernel *kernel, iov_time when) __attribute__((cold));

static inline bool iov_kernel_stopping(const struct iov_kernel *kernel)
{
    return atomic_load_explicit(&kernel->stop, memory_order_relaxed);
}

/* Takes the next event of the run and moves the clock to it; NULL at the limit. The caller calls
 * its handler. */
static inline struct iov_event *iov_kernel_take(struct iov_kernel *kernel)
{
    struct iov_event *event = iov_queue_take(&kernel->queue, kernel->limit);

    if (event != NULL) {
        event->state = IOV_EVENT_IDLE;
        kernel->head.now = event->when;
        if (__builtin_expect((++kernel->head.events & (IOV_KERNEL_PATIENCE - 1)) == 0, 0))
            iov_kernel_expect_progress(kernel, &kernel->last_progress, event);
    }
    return event;
}

static inline void iov_kernel_arm(struct iov_kernel *kernel, struct iov_event *event, iov_time when)
{
    IOV_REQUIRE(event->state == IOV_EVENT_IDLE);
    IOV_REQUIRE(when >= kernel->head.now);
    event->when = when;
    event->sequence = kernel->sequence++;
    iov_queue_put(&kernel->queue, event);
    if (when < kernel->head.quiet)
        kernel->head.quiet = when;
    if (__builtin_expect(when < kernel->announced, 0))
        iov_kernel_announce(kernel, when);
}

/* The head learns that nothing is due before `next`; it stands for no more than this run. */
static inline void iov_kernel_know(struct iov_kernel *kernel, iov_time next)
{
    kernel->head.quiet = next <= kernel->limit ? next : kernel->limit + 1;
}

/* Right after an event was taken: the head knows when the next one is due, where that is seen at a
 * glance. */
static inline void iov_kernel_foresee(struct iov_kernel *kernel)
{
    iov_time next;

    if (iov_queue_glance(&kernel->queue, &next))
        iov_kernel_know(kernel, next);
}

/* Nothing is due from now to `until`, which the run reaches; the head then knows for how long. Not
 * in a step, which is one event. */
static inline bool iov_kernel_quiet(struct iov_kernel *kernel, iov_time until)
{
    iov_time next;

    if (!iov_queue_quiet(&kernel->queue, kernel->head.now, until, &next))
        return false;
    if (!iov_kernel_stopping(kernel))
        iov_kernel_know(kernel, next);
    return true;
}

#endif
