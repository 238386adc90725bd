/* SPDX-License-Identifier: Apache-2.0 */
/* See ksoftirqd.h. */
#include "models/hypervisor/ksoftirqd.h"

void iov_ksoftirqd_run(struct iov_ksoftirqd *self, struct iov_exec *exec)
{
    self->handed_over = self->poll(self, exec);
    if (!self->handed_over)
        return;
    (*self->handovers)++;
    iov_thread_wake(exec, self->thread, NULL);
}

static void on_softirq(struct iov_host_softirq *softirq, struct iov_exec *exec)
{
    iov_ksoftirqd_run(iov_container_of(softirq, struct iov_ksoftirqd, softirq), exec);
}

static void thread_main(void *argument)
{
    struct iov_ksoftirqd *self = argument;

    for (;;) {
        while (!self->handed_over)
            iov_thread_block(self->thread);
        self->handed_over = self->poll(self, &self->thread->exec);
        iov_thread_resched(self->thread);
    }
}

void iov_ksoftirqd_init(struct iov_ksoftirqd *self,
                        bool (*poll)(struct iov_ksoftirqd *self, struct iov_exec *exec),
                        uint64_t *handovers)
{
    *self =
        (struct iov_ksoftirqd){ .softirq.run = on_softirq, .poll = poll, .handovers = handovers };
}

void iov_ksoftirqd_start(struct iov_ksoftirqd *self, IovLinuxHost *host, const char *name,
                         unsigned cpu)
{
    self->thread = iov_thread_new(host, name, UINT64_C(1) << cpu, thread_main, self);
}
