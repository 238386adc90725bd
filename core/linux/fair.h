/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules by which Linux's scheduler (CFS) shares a processor among threads of one weight, of a
 * host and of a guest alike. The queue is the owner's, and so are the threads' virtual run times.
 *
 * SPEC: Linux 6.1, kernel/sched/fair.c: sched_slice(), place_entity() with GENTLE_FAIR_SLEEPERS,
 * wakeup_preempt_entity(), get_update_sysctl_factor(). LIMIT: no weights, no groups.
 */
#ifndef IOV_LINUX_FAIR_H
#define IOV_LINUX_FAIR_H

#include <stdbool.h>

#include "core/kernel/macros.h"
#include "core/kernel/time.h"

IOV_BEGIN_DECLS

/* Of a machine with one processor. */
#define IOV_FAIR_LATENCY (6 * IOV_MS)
#define IOV_FAIR_MIN_GRANULARITY (750 * IOV_US)
#define IOV_FAIR_WAKEUP_GRANULARITY (1 * IOV_MS)

enum iov_fair_scaling { IOV_FAIR_NONE, IOV_FAIR_LOGARITHMIC, IOV_FAIR_LINEAR };

struct iov_fair {
    iov_time latency;            /* in which all that want the processor have it once */
    iov_time min_granularity;    /* the least turn, though */
    iov_time wakeup_granularity; /* who is woken preempts who has run this much longer */
};

/* The three grow with the processors, up to eight: not, by one for each doubling, with their
 * number. */
IOV_API void iov_fair_scale(struct iov_fair *fair, enum iov_fair_scaling scaling,
                            unsigned processors);
/* How long a thread may run while `runnable`, with itself, want its processor. */
IOV_API iov_time iov_fair_turn(const struct iov_fair *fair, unsigned runnable);
/* The virtual run time of a thread that is woken where the least of all is `least`: who has slept
 * for long is not ahead of the others by more than half a period. */
IOV_API iov_time iov_fair_place(const struct iov_fair *fair, iov_time vruntime, iov_time least);
/* Does one that is woken run at once? */
IOV_API bool iov_fair_preempts(const struct iov_fair *fair, iov_time running, iov_time woken);

IOV_END_DECLS

#endif
