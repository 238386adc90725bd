/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io-worker - a host thread that runs back ends: it sleeps until there is work (vhost's kernel
 * worker), or it never sleeps and looks at its sources round after round (a poll-mode process, a
 * sidecore).
 *
 * Queued work runs in the order of queueing; a piece that has had its share queues itself again. A
 * polling worker does queued work first in each round, then looks at every source in turn and pays
 * io-worker-look for each, found or not. Rounds that find nothing are not simulated one by one: the
 * thread uses its processor, and whoever changes memory that it polls says so
 * (iov_io_worker_changed()); the next look after that finds it. A slow round every millisecond
 * finds what nobody told.
 */
#include "models/hypervisor/io-worker.h"
#include "core/trace/measure.h"

#define SLOW_ROUND IOV_MS

struct _IovIoWorker {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    struct iov_count_list cpus;
    bool poll;
    /* costs */
    iov_time look_cost;
    /* state */
    IovLinuxHost *host;
    struct iov_thread *thread;
    struct iov_work *first, *last;
    struct iov_poll_source *sources, *last_source;
    unsigned source_count;
    bool changed;
    struct iov_spin spin;
    /* statistics */
    uint64_t works, rounds;
    iov_time thread_time, idle_time;
};

G_DEFINE_FINAL_TYPE(IovIoWorker, iov_io_worker, IOV_TYPE_MODEL)

/* ---- What back ends ask for ---- */

void iov_io_worker_queue(IovIoWorker *self, struct iov_work *work, struct iov_exec *waker,
                         struct iov_span *span)
{
    if (!work->queued) {
        work->queued = true;
        work->next = NULL;
        if (self->last != NULL)
            self->last->next = work;
        else
            self->first = work;
        self->last = work;
    }
    if (self->thread == NULL)
        return; /* it begins with a look */
    if (self->poll) {
        iov_span_pass(span,
                      waker != NULL  ? waker->holder
                      : span != NULL ? span->holder
                                     : NULL,
                      self->thread->exec.holder);
        iov_spin_end(&self->spin);
    } else {
        iov_spin_end(&self->spin);
        iov_thread_wake(waker, self->thread, span);
    }
}

void iov_io_worker_add_source(IovIoWorker *self, struct iov_poll_source *source)
{
    if (self->last_source != NULL)
        self->last_source->next = source;
    else
        self->sources = source;
    self->last_source = source;
    self->source_count++;
}

void iov_io_worker_changed(IovIoWorker *self, struct iov_poll_source *source)
{
    source->changed = true;
    self->changed = true;
    iov_spin_end(&self->spin);
}

bool iov_io_worker_busy_wait(IovIoWorker *self, iov_time limit)
{
    iov_time begin = iov_now(self->parent_instance.kernel);
    bool found = self->changed || self->first != NULL;

    if (!found)
        found =
            iov_exec_spin(&self->thread->exec, &self->spin, self->look_cost, limit, IOV_PART_HOST);
    self->changed = false;
    self->idle_time += iov_now(self->parent_instance.kernel) - begin;
    return found;
}

bool iov_io_worker_polls(const IovIoWorker *self)
{
    return self->poll;
}

IovLinuxHost *iov_io_worker_host(const IovIoWorker *self)
{
    return self->host;
}

/* ---- The thread ---- */

static bool work_once(IovIoWorker *self)
{
    struct iov_work *work = self->first;

    if (work == NULL)
        return false;
    self->first = work->next;
    if (self->first == NULL)
        self->last = NULL;
    work->queued = false;
    self->works++;
    work->run(work, self->thread);
    self->thread->exec.span = NULL;
    return true;
}

static void sleep_and_work(IovIoWorker *self)
{
    while (self->first == NULL)
        iov_thread_block(self->thread);
    work_once(self);
    iov_thread_resched(self->thread);
}

/* One look at every source. The looks that find nothing are paid together with the next that finds
 * something. */
static void look_round(IovIoWorker *self)
{
    iov_time owed = 0;

    self->changed = false;
    for (struct iov_poll_source *source = self->sources; source != NULL; source = source->next) {
        owed += self->look_cost;
        if (!source->changed)
            continue;
        iov_thread_compute(self->thread, owed, IOV_PART_HOST);
        owed = 0;
        source->changed = false;
        if (source->poll(source, self->thread))
            source->changed = true;
        self->changed |= source->changed;
        self->thread->exec.span = NULL;
    }
    iov_thread_compute(self->thread, owed, IOV_PART_HOST);
}

static void poll_for_ever(IovIoWorker *self)
{
    struct iov_exec *exec = &self->thread->exec;

    for (;;) {
        struct iov_work *end = self->last;
        iov_time round = MAX(self->source_count, 1u) * self->look_cost;
        iov_time begin;

        self->rounds++;
        for (struct iov_work *work = self->first; work != NULL; work = self->first) {
            work_once(self);
            if (work == end)
                break; /* what was queued meanwhile waits for the next round */
        }
        if (self->changed)
            look_round(self);
        iov_thread_resched(self->thread);
        if (self->changed || self->first != NULL)
            continue;
        begin = iov_now(self->parent_instance.kernel);
        if (!iov_exec_spin(exec, &self->spin, round, SLOW_ROUND, IOV_PART_HOST)) {
            for (struct iov_poll_source *source = self->sources; source != NULL;
                 source = source->next)
                source->changed = true;
            self->changed = true;
        }
        self->idle_time += iov_now(self->parent_instance.kernel) - begin;
    }
}

static void worker_main(void *argument)
{
    IovIoWorker *self = argument;

    if (self->poll)
        poll_for_ever(self);
    for (;;)
        sleep_and_work(self);
}

/* ---- Life ---- */

static bool iov_io_worker_realize(IovModel *model, GError **error)
{
    IovIoWorker *self = (IovIoWorker *)(void *)model;

    self->host = (IovLinuxHost *)(void *)self->host_ref;
    return iov_model_realize(self->host_ref, error) &&
           iov_host_has(self->host, &self->cpus, model, "cpus", error);
}

static void iov_io_worker_start(IovModel *model)
{
    IovIoWorker *self = (IovIoWorker *)(void *)model;

    self->thread = iov_thread_new(self->host, model->path, iov_host_mask(self->host, &self->cpus),
                                  worker_main, self);
}

static void iov_io_worker_update_statistics(IovModel *model)
{
    IovIoWorker *self = (IovIoWorker *)(void *)model;

    if (self->thread != NULL)
        self->thread_time = iov_thread_cpu_time(self->thread);
}

static void iov_io_worker_class_init(IovIoWorkerClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "io-worker",
                             "Host thread that runs back ends: sleeps until kicked, or polls");
    IOV_PROP_REF(mc, IovIoWorker, host_ref, "linux-host", true, "The host whose thread it is");
    IOV_PROP_COUNT_LIST(mc, IovIoWorker, cpus, 0, 63, "Host processors of the thread; none: any");
    IOV_PROP_BOOL(mc, IovIoWorker, poll, 0, "It never sleeps but looks at its sources in turn");
    IOV_COST(mc, IovIoWorker, look_cost, "io-worker-look",
             "A look of a polling worker at one ring or queue");
    IOV_STAT(mc, IovIoWorker, works, "Pieces of queued work");
    IOV_STAT(mc, IovIoWorker, rounds, "Rounds of a polling worker that found something");
    IOV_STAT_TIME(mc, IovIoWorker, thread_time, "CPU time of the thread");
    IOV_STAT_TIME(mc, IovIoWorker, idle_time, "Of it, polling in vain");
    mc->realize = iov_io_worker_realize;
    mc->start = iov_io_worker_start;
    mc->update_statistics = iov_io_worker_update_statistics;
}

static void iov_io_worker_init(IovIoWorker *self)
{
    (void)self;
}
