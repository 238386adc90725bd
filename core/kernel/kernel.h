/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event kernel: a clock and a queue of events.
 *
 * Events run in the order (time, priority, arming) and nothing else decides. An event armed for the
 * present instant runs later in that instant. The queue is a hierarchical timing wheel
 * (docs/design/kernel.md); arming and disarming are O(1) and allocate nothing.
 *
 * A kernel and everything that hangs on it belong to one thread.
 */
#ifndef IOV_KERNEL_KERNEL_H
#define IOV_KERNEL_KERNEL_H

#include <stdbool.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"

IOV_BEGIN_DECLS

struct iov_kernel;
struct iov_event;

/* What an event does. The event is disarmed when its handler is called: the handler may arm it
 * again. */
typedef void iov_event_fn(struct iov_event *event);

/* Priorities inside one instant: 0 runs first. */
enum {
    IOV_PRIORITY_FIRST = 0,
    IOV_PRIORITY_DEFAULT = 8,
    IOV_PRIORITY_LAST = 15, /* after everything else of the instant, including what that arms */
    IOV_PRIORITY_COUNT = 16,
};

/* A link of the queue's lists. */
struct iov_link {
    struct iov_link *next;
    struct iov_link *prev;
};

/* One event, embedded in its owner. The fields belong to the kernel. */
struct iov_event {
    struct iov_link link;
    iov_time when;
    uint64_t sequence; /* order of arming: for traces and asserts, never for ordering */
    iov_event_fn *fire;
    struct iov_kernel *kernel;
    uint8_t priority;
    uint8_t state;
    uint16_t place; /* in the wheel */
    uint32_t reserved;
    uint64_t reserved2;
};

/* The part of a kernel that inline functions know. */
struct iov_kernel_head {
    iov_time now;
    iov_time quiet; /* nothing is due before this, and the run goes on until then; 0: unknown */
    uint64_t events;
};

/* A new kernel at time 0 with an empty queue; free it with iov_kernel_free(), which accepts
 * NULL. */
IOV_API struct iov_kernel *iov_kernel_new(void);
IOV_API void iov_kernel_free(struct iov_kernel *kernel);

/*
 * Calls function(argument) when the kernel is freed, after all fibers were dropped where they
 * stood: for what they may have held in their hands. Slow plane.
 */
IOV_API void iov_kernel_at_free(struct iov_kernel *kernel, void (*function)(void *argument),
                                void *argument);

/* The present instant, in picoseconds. */
static inline iov_time iov_now(const struct iov_kernel *kernel)
{
    return ((const struct iov_kernel_head *)(const void *)kernel)->now;
}

/* Prepares an event; it is not armed. `priority` is 0 to IOV_PRIORITY_LAST. */
IOV_API void iov_event_init(struct iov_event *event, struct iov_kernel *kernel, iov_event_fn *fire,
                            unsigned priority);
/* Arms an event that is not armed, at an absolute time not before now, or after a delay. From any
 * context. */
IOV_API void iov_event_at(struct iov_event *event, iov_time when);
IOV_API void iov_event_in(struct iov_event *event, iov_time delay);
/* Takes an event out of the queue; harmless if it is not armed. */
IOV_API void iov_event_disarm(struct iov_event *event);
static inline bool iov_event_armed(const struct iov_event *event)
{
    return event->state != 0;
}

/*
 * Runs every event up to and including `until`, then sets the clock to `until`. Returns true if it
 * got there, false if iov_kernel_stop() ended it earlier (the clock stays at the event that stopped
 * it).
 */
IOV_API bool iov_kernel_run_until(struct iov_kernel *kernel, iov_time until);
/* Runs until the queue is empty or iov_kernel_stop(). Returns false if it was stopped. The clock
 * stays at the last event. */
IOV_API bool iov_kernel_run(struct iov_kernel *kernel);
/* Runs the next event, if there is one. Only with the native back end (backend.h). */
IOV_API bool iov_kernel_step(struct iov_kernel *kernel);
/* Asks the run that is going on to end after the present handler. */
IOV_API void iov_kernel_stop(struct iov_kernel *kernel);
/*
 * The run cannot go on: ends it as iov_kernel_stop() does, and every later one at once.
 * iov_kernel_failure() (backend.h) tells the text, which is copied; the first one counts. From any
 * context but a signal handler.
 */
IOV_API void iov_kernel_fail(struct iov_kernel *kernel, const char *text);
/*
 * Called once in IOV_KERNEL_PATIENCE steps of something that may go round for ever without using
 * simulated time, with a place that remembers the time of the last call. If it is the same, the run
 * fails and says who it was: the fiber that is running, which then does not get the processor back,
 * or the model that `culprit` lies in (iov_kernel_culprit()).
 */
#define IOV_KERNEL_PATIENCE (1u << 22) /* a power of two */
IOV_API void iov_kernel_expect_progress(struct iov_kernel *kernel, iov_time *last,
                                        const void *culprit);
/* NULL, or an address inside the model that made the run fail. */
IOV_API const void *iov_kernel_culprit(const struct iov_kernel *kernel);
/* When the next event is due; false if the queue is empty. Does not move the clock. */
IOV_API bool iov_kernel_next(const struct iov_kernel *kernel, iov_time *ret_when);

/*
 * Moves the clock forward by `delay` in place, without an event, if nothing else happens on the
 * way: no event is due at or before now + delay and the run's limit is not passed. Returns false,
 * with nothing changed, otherwise. This is how a fiber that computes alone avoids two stack
 * switches; the order of events is the same as with a sleep.
 */
static inline bool iov_kernel_advance(struct iov_kernel *kernel, iov_time delay);
/* The same in two steps: by what the head knows, and by a look at the queue. */
static inline bool iov_kernel_advance_quick(struct iov_kernel *kernel, iov_time delay)
{
    struct iov_kernel_head *head = (struct iov_kernel_head *)(void *)kernel;
    iov_time target = head->now + delay;

    if (target >= head->quiet || target < delay)
        return false;
    head->now = target;
    head->events++;
    return true;
}
IOV_API bool iov_kernel_advance_slow(struct iov_kernel *kernel, iov_time delay);

static inline bool iov_kernel_advance(struct iov_kernel *kernel, iov_time delay)
{
    return iov_kernel_advance_quick(kernel, delay) || iov_kernel_advance_slow(kernel, delay);
}

/* Events run since the kernel was made (a successful iov_kernel_advance() counts as one). */
IOV_API uint64_t iov_kernel_events(const struct iov_kernel *kernel);

/* A memory pool for fixed-size records that live as long as the kernel; freed records are reused.
 * Never NULL. */
struct iov_pool;
IOV_API struct iov_pool *iov_pool_new(size_t record_size);
IOV_API void iov_pool_free(struct iov_pool *pool);
IOV_API void *iov_pool_take(struct iov_pool *pool); /* contents undefined */
IOV_API void iov_pool_give(struct iov_pool *pool, void *record);

IOV_END_DECLS

#endif
