/* SPDX-License-Identifier: Apache-2.0 */
/* See fair.h. */
#include "core/linux/fair.h"

#include <glib.h>

#define SCALING_PROCESSORS 8u

void iov_fair_scale(struct iov_fair *fair, enum iov_fair_scaling scaling, unsigned processors)
{
    unsigned count = MIN(processors, SCALING_PROCESSORS);
    unsigned by = scaling == IOV_FAIR_LINEAR        ? count
                  : scaling == IOV_FAIR_LOGARITHMIC ? g_bit_storage(count)
                                                    : 1;

    fair->latency *= by;
    fair->min_granularity *= by;
    fair->wakeup_granularity *= by;
}

iov_time iov_fair_turn(const struct iov_fair *fair, unsigned runnable)
{
    return MAX(fair->latency / runnable, fair->min_granularity);
}

iov_time iov_fair_place(const struct iov_fair *fair, iov_time vruntime, iov_time least)
{
    iov_time bonus = fair->latency / 2;

    return least > bonus ? MAX(vruntime, least - bonus) : vruntime;
}

bool iov_fair_preempts(const struct iov_fair *fair, iov_time running, iov_time woken)
{
    return running > woken + fair->wakeup_granularity;
}
