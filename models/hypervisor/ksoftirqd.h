/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A softirq of the host's kernel that takes frames, and ksoftirqd, which goes on where one budget
 * was not the end: so a flood leaves who else runs on the processor his share.
 *
 * LIMIT: each of these has a thread of its own, where Linux has one a processor; it takes over
 * after one budget, where Linux begins ten, in two milliseconds, if no thread is to have the
 * processor.
 */
#ifndef IOV_HYPERVISOR_KSOFTIRQD_H
#define IOV_HYPERVISOR_KSOFTIRQD_H

#include "models/guest/linux-regs.h"
#include "models/hypervisor/host.h"

struct iov_ksoftirqd {
    struct iov_host_softirq softirq; /* raise it, or call iov_ksoftirqd_run() */
    /* At most LINUX_NETDEV_BUDGET frames; true if more wait. May wait. */
    bool (*poll)(struct iov_ksoftirqd *self, struct iov_exec *exec);
    uint64_t *handovers; /* statistic: softirqs that were too long */
    struct iov_thread *thread;
    bool handed_over; /* the thread has the rest */
};

void iov_ksoftirqd_init(struct iov_ksoftirqd *self,
                        bool (*poll)(struct iov_ksoftirqd *self, struct iov_exec *exec),
                        uint64_t *handovers);
/* At the start of the run: makes the thread, `name` (copied), on processor `cpu`. */
void iov_ksoftirqd_start(struct iov_ksoftirqd *self, IovLinuxHost *host, const char *name,
                         unsigned cpu);
/* What the softirq does. */
void iov_ksoftirqd_run(struct iov_ksoftirqd *self, struct iov_exec *exec);

#endif
