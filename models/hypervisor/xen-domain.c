/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xen-domain - a domain that serves others (Dom0, or a driver domain): one vCPU that runs a
 * paravirtualised kernel with back ends and, in Dom0, emulators.
 *
 * The vCPU is a thread of the Xen host. Its kernel answers the upcall by scanning its event
 * channels, whose handlers queue work; softirqs come before tasks until they have gone on for too
 * long, a task pays for the switch to it, and with nothing left the vCPU blocks by a hypercall.
 * Hypercalls of a paravirtualised domain are system calls, no VM exits. LIMIT: one vCPU; events are
 * looked at between pieces of work, not in the middle of one; no timer tick; tasks do not share a
 * turn by time; switches between tasks make no hypercalls of their own.
 */
#include "core/linux/fair.h"
#include "core/trace/measure.h"
#include "models/guest/linux-regs.h"
#include "models/hypervisor/xen-regs.h"
#include "models/hypervisor/xen.h"

struct work_list {
    struct iov_xen_work *first, *last;
};

struct _IovXenDomain {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    uint64_t id;
    struct iov_count_list pin;
    /* costs */
    iov_time hypercall_cost, send_cost, block_cost, upcall_cost, switch_cost;
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_thread *thread;
    struct iov_xen_domain channels;
    uint8_t page[XEN_PAGE]; /* its shared info */
    struct work_list softirqs, tasks;
    const void *task;        /* that has the vCPU; NULL: idle; the domain itself: ksoftirqd */
    iov_time softirqs_since; /* when there were none */
    iov_time turn_ends;
    bool is_tasks_turn; /* not ksoftirqd's */
    /* statistics */
    uint64_t hypercalls, upcalls, events, task_switches, blocks;
    iov_time vcpu_time;
};

G_DEFINE_FINAL_TYPE(IovXenDomain, iov_xen_domain, IOV_TYPE_MODEL)

/* ---- Hypercalls ---- */

void iov_xen_domain_hypercall(IovXenDomain *self, struct iov_thread *thread, iov_time work)
{
    self->hypercalls++;
    self->measure->counters.hypercalls++;
    iov_thread_compute(thread, self->hypercall_cost + work, IOV_PART_MONITOR);
}

void iov_xen_domain_send(IovXenDomain *self, struct iov_thread *thread, unsigned port,
                         struct iov_span *span)
{
    iov_xen_domain_hypercall(self, thread, self->send_cost);
    iov_xen_send(&self->channels, port, &thread->exec, span);
}

/* ---- Work ---- */

void iov_xen_domain_queue(IovXenDomain *self, struct iov_xen_work *work, struct iov_exec *waker,
                          struct iov_span *span)
{
    struct work_list *list = work->task != NULL ? &self->tasks : &self->softirqs;

    if (!work->queued) {
        work->queued = true;
        work->span = span;
        work->next = NULL;
        if (list->last != NULL)
            list->last->next = work;
        else
            list->first = work;
        list->last = work;
    }
    if (self->thread != NULL && (waker == NULL || waker != &self->thread->exec))
        iov_thread_wake(waker, self->thread, span);
}

static struct iov_xen_work *pop(struct work_list *list)
{
    struct iov_xen_work *work = list->first;

    if (work == NULL)
        return NULL;
    list->first = work->next;
    if (list->first == NULL)
        list->last = NULL;
    work->queued = false;
    return work;
}

static bool is_ksoftirqds(const IovXenDomain *self)
{
    return self->tasks.first != NULL && self->softirqs.first != NULL &&
           iov_now(self->parent_instance.kernel) - self->softirqs_since >= LINUX_MAX_SOFTIRQ_TIME;
}

/* Softirqs first; while they do not end, ksoftirqd and who else waits take turns, as of two threads
 * under CFS. */
static struct iov_xen_work *next_work(IovXenDomain *self)
{
    iov_time now = iov_now(self->parent_instance.kernel);

    if (self->softirqs.first == NULL) {
        self->softirqs_since = now;
        return pop(&self->tasks);
    }
    if (!is_ksoftirqds(self))
        return pop(&self->softirqs);
    if (now >= self->turn_ends) {
        self->turn_ends = now + IOV_FAIR_LATENCY / 2;
        self->is_tasks_turn = !self->is_tasks_turn;
    }
    return self->is_tasks_turn ? pop(&self->tasks) : pop(&self->softirqs);
}

static void switch_to(IovXenDomain *self, const void *task)
{
    if (task == NULL || task == self->task)
        return;
    self->task = task;
    self->task_switches++;
    iov_thread_compute(self->thread, self->switch_cost, IOV_PART_WAKEUP);
}

static bool work_once(IovXenDomain *self)
{
    bool is_shared = is_ksoftirqds(self);
    struct iov_xen_work *work = next_work(self);

    if (work == NULL)
        return false;
    iov_span_mark(work->span, self->thread->exec.holder, IOV_PART_QUEUE,
                  iov_now(self->parent_instance.kernel)); /* behind other work */
    if (work->span != NULL)
        self->thread->exec.span = work->span;
    switch_to(self, work->task == NULL && is_shared ? self : work->task);
    work->run(work, self->thread);
    self->thread->exec.span = NULL;
    return true;
}

/* ---- The vCPU ---- */

static bool is_pending(const IovXenDomain *self)
{
    return self->page[XEN_VCPU_UPCALL_PENDING] != 0;
}

static uint64_t word(const uint8_t *page, unsigned offset)
{
    uint64_t value;

    memcpy(&value, page + offset, sizeof value);
    return value;
}

/* Handlers of all ports of one word that are pending and not masked. */
static void scan(IovXenDomain *self, unsigned index)
{
    uint64_t bits = word(self->page, XEN_EVTCHN_PENDING + 8 * index) &
                    ~word(self->page, XEN_EVTCHN_MASK + 8 * index);

    while (bits != 0) {
        unsigned bit = (unsigned)__builtin_ctzll(bits);
        unsigned port = 64 * index + bit;
        struct iov_xen_channel *channel = &self->channels.channels[port % IOV_XEN_PORTS];

        bits &= bits - 1;
        self->page[XEN_EVTCHN_PENDING + port / 8] &= (uint8_t) ~(1u << (port & 7));
        if (channel->handle != NULL)
            channel->handle(channel, self->thread);
        channel->span = NULL;
    }
}

static void upcall(IovXenDomain *self)
{
    const uint64_t none = 0;
    uint64_t words;

    self->upcalls++;
    iov_thread_compute(self->thread, self->upcall_cost, IOV_PART_HOST);
    self->page[XEN_VCPU_UPCALL_PENDING] = 0;
    words = word(self->page, XEN_VCPU_PENDING_SELECT);
    memcpy(self->page + XEN_VCPU_PENDING_SELECT, &none, sizeof none);
    for (; words != 0; words &= words - 1)
        scan(self, (unsigned)__builtin_ctzll(words));
}

static void vcpu_main(void *argument)
{
    IovXenDomain *self = argument;

    for (;;) {
        if (is_pending(self)) {
            upcall(self);
        } else if (work_once(self)) {
            iov_thread_resched(self->thread);
        } else {
            self->task = NULL;
            self->blocks++;
            self->thread->exec.span = NULL;
            iov_xen_domain_hypercall(self, self->thread, self->block_cost);
            while (!is_pending(self) && self->softirqs.first == NULL && self->tasks.first == NULL)
                iov_thread_block(self->thread);
            self->softirqs_since = iov_now(self->parent_instance.kernel);
        }
    }
}

static void notify(struct iov_xen_domain *channels, struct iov_exec *exec, struct iov_span *span)
{
    IovXenDomain *self = iov_container_of(channels, IovXenDomain, channels);

    if (self->thread != NULL && exec != &self->thread->exec)
        iov_thread_wake(exec, self->thread, span);
}

/* ---- Facts ---- */

struct iov_xen_domain *iov_xen_domain_channels(IovXenDomain *self)
{
    return &self->channels;
}

struct iov_thread *iov_xen_domain_thread(const IovXenDomain *self)
{
    return self->thread;
}

/* ---- Life ---- */

static bool iov_xen_domain_realize(IovModel *model, GError **error)
{
    IovXenDomain *self = (IovXenDomain *)(void *)model;

    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    self->channels.id = (uint16_t)self->id;
    self->channels.shared = self->page;
    self->channels.notify = notify;
    return iov_model_realize(self->host_ref, error) &&
           iov_host_has(self->host, &self->pin, model, "pin", error);
}

static void iov_xen_domain_start(IovModel *model)
{
    IovXenDomain *self = (IovXenDomain *)(void *)model;
    g_autofree char *name = g_strdup_printf("%s/vcpu0", model->path);

    self->thread =
        iov_thread_new(self->host, name, iov_host_mask(self->host, &self->pin), vcpu_main, self);
    self->thread->domain = &self->channels;
}

static void iov_xen_domain_update_statistics(IovModel *model)
{
    IovXenDomain *self = (IovXenDomain *)(void *)model;

    self->events = self->channels.events;
    if (self->thread != NULL)
        self->vcpu_time = iov_thread_cpu_time(self->thread);
}

static void iov_xen_domain_reset_statistics(IovModel *model)
{
    ((IovXenDomain *)(void *)model)->channels.events = 0;
}

static void iov_xen_domain_class_init(IovXenDomainClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "xen-domain",
                             "A domain of Xen that serves others: Dom0, a driver domain");
    IOV_PROP_REF(mc, IovXenDomain, host_ref, "xen-host", true, "The Xen that schedules it");
    IOV_PROP_COUNT(mc, IovXenDomain, id, 0, 0x7fef, 0, "Number of the domain");
    IOV_PROP_COUNT_LIST(mc, IovXenDomain, pin, 0, 63, "Host processors of its vCPU; none: any");
    IOV_COST(mc, IovXenDomain, hypercall_cost, "xen-hypercall-pv",
             "A hypercall of a paravirtualised domain, both ways");
    IOV_COST(mc, IovXenDomain, send_cost, "xen-event-send", "Sending an event, wake-up apart");
    IOV_COST(mc, IovXenDomain, block_cost, "xen-sched-block", "Blocking a vCPU, the switch apart");
    IOV_COST(mc, IovXenDomain, upcall_cost, "xen-upcall",
             "From the event upcall to a channel's handler");
    IOV_COST(mc, IovXenDomain, switch_cost, "xen-task-switch",
             "Waking a task of the domain and switching to it");
    IOV_STAT(mc, IovXenDomain, hypercalls, "Hypercalls of the domain");
    IOV_STAT(mc, IovXenDomain, upcalls, "Event upcalls taken");
    IOV_STAT(mc, IovXenDomain, events, "Events sent to it");
    IOV_STAT(mc, IovXenDomain, task_switches, "Switches to another task within the domain");
    IOV_STAT(mc, IovXenDomain, blocks, "Times it had nothing to do and blocked");
    IOV_STAT_TIME(mc, IovXenDomain, vcpu_time, "Processor time of its vCPU");
    mc->realize = iov_xen_domain_realize;
    mc->start = iov_xen_domain_start;
    mc->update_statistics = iov_xen_domain_update_statistics;
    mc->reset_statistics = iov_xen_domain_reset_statistics;
}

static void iov_xen_domain_init(IovXenDomain *self)
{
    (void)self;
}
