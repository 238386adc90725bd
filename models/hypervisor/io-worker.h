/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host thread that runs back ends (kind io-worker), as the back ends of this family see it: work
 * that is queued for it, and sources that it looks at if it polls.
 */
#ifndef IOV_HYPERVISOR_IO_WORKER_H
#define IOV_HYPERVISOR_IO_WORKER_H

#include "models/hypervisor/host.h"

#define IOV_TYPE_IO_WORKER (iov_io_worker_get_type())
G_DECLARE_FINAL_TYPE(IovIoWorker, iov_io_worker, IOV, IO_WORKER, IovModel)

/* Something to do once. Initialise run, leave the rest zero. Waits, on the worker's fiber. */
struct iov_work {
    void (*run)(struct iov_work *work, struct iov_thread *thread);
    struct iov_work *next;
    bool queued;
};

/* Something that a polling worker looks at in every round. Initialise poll, leave the rest zero. */
struct iov_poll_source {
    /* One look, with what it finds; true if it may find more at once. */
    bool (*poll)(struct iov_poll_source *source, struct iov_thread *thread);
    struct iov_poll_source *next;
    bool changed; /* worth a look: a look at any other finds nothing */
};

/*
 * Queues `work`, once, behind what waits. A sleeping worker is woken: `waker` pays for it (NULL in
 * an event), and the worker's thread becomes the holder of `span` if the waker held it.
 */
void iov_io_worker_queue(IovIoWorker *worker, struct iov_work *work, struct iov_exec *waker,
                         struct iov_span *span);
/* Adds a source for the whole run. Slow plane. */
void iov_io_worker_add_source(IovIoWorker *worker, struct iov_poll_source *source);
/* The memory that `source` looks at has changed: the next look at it finds something. From any
 * context; takes no time. */
void iov_io_worker_changed(IovIoWorker *worker, struct iov_poll_source *source);
/*
 * On the thread of a worker that sleeps: looks in vain for `limit` at most, until work is queued or
 * something changes; true if that happened. The processor is used all the while.
 */
bool iov_io_worker_busy_wait(IovIoWorker *worker, iov_time limit);
bool iov_io_worker_polls(const IovIoWorker *worker);
IovLinuxHost *iov_io_worker_host(const IovIoWorker *worker);

#endif
