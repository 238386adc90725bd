/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-host: interrupts, softirqs and timers of the host kernel.
 *
 * An interrupt is a nested call on the fiber of the stream that it cut, whether it came by the
 * interrupt gate (root operation) or by an exit with the vector acknowledged. The handler runs with
 * interrupts off, softirqs after it with interrupts on, and at the very end the processor goes to
 * another thread if one of them asked for it.
 */
#include "core/trace/measure.h"
#include "models/hypervisor/host-private.h"

enum { APIC_EOI = 0xb0 }; /* SPEC: SDM vol. 3A, table 11-1 */

/* The request that the interrupt announces; the stream takes it over. */
static struct iov_span *span_take(struct iov_exec *exec)
{
    struct iov_apic *apic = exec->processor->apic;
    struct iov_span *span;

    if (apic == NULL || apic->span == NULL)
        return NULL;
    span = apic->span;
    apic->span = NULL;
    iov_span_claim(span, exec->holder, IOV_PART_INTERRUPT, iov_now(exec->processor->kernel));
    return span;
}

static void timers_run(struct iov_host_cpu *cpu, struct iov_exec *exec)
{
    while (cpu->expired != NULL) {
        struct iov_host_timer *timer = cpu->expired;

        cpu->expired = timer->next;
        timer->expired = false;
        cpu->host->timers++;
        timer->expire(timer, exec);
    }
}

/* Each has a look in memory; the first that is wanted gets the request. */
static void sleepers_wake(struct iov_host_cpu *cpu, struct iov_exec *exec, struct iov_span *span)
{
    struct iov_host_sleeper *next;

    for (struct iov_host_sleeper *sleeper = cpu->sleepers; sleeper != NULL; sleeper = next) {
        next = sleeper->next;
        if (!sleeper->wanted(sleeper))
            continue;
        iov_host_sleeper_remove(sleeper);
        iov_thread_wake(exec, sleeper->thread, span);
        span = NULL;
        next = cpu->sleepers; /* the list may have changed while the waker worked */
    }
}

void iov_host_sleeper_add(struct iov_host_sleeper *sleeper, struct iov_thread *thread)
{
    struct iov_host_cpu *cpu = thread->cpu;

    sleeper->thread = thread;
    sleeper->cpu = cpu;
    sleeper->next = cpu->sleepers;
    cpu->sleepers = sleeper;
    /* SPEC: VT-d 5.2.8: what was posted before the vector changed has notified the other one. */
    if (sleeper->wanted(sleeper))
        cpu->processor->ops->interrupt(cpu->processor, IOV_HOST_VECTOR_POSTED_WAKEUP, NULL);
}

void iov_host_sleeper_remove(struct iov_host_sleeper *sleeper)
{
    struct iov_host_sleeper **place = sleeper->cpu != NULL ? &sleeper->cpu->sleepers : NULL;

    for (; place != NULL && *place != NULL; place = &(*place)->next) {
        if (*place == sleeper) {
            *place = sleeper->next;
            break;
        }
    }
    sleeper->cpu = NULL;
}

static void vector_handle(struct iov_host_cpu *cpu, struct iov_exec *exec, uint8_t vector)
{
    IovLinuxHost *host = cpu->host;
    struct iov_host_irq *irq = cpu->irqs[vector];
    struct iov_span *own = exec->span;
    struct iov_span *span;

    switch (vector) {
    case IOV_HOST_VECTOR_POSTED: /* its target is not in the guest any more: the next entry looks */
        span = span_take(exec);
        if (span != NULL && !iov_span_held(exec->span, exec->holder))
            exec->span = span;
        iov_exec_compute(exec, host->reschedule, IOV_PART_HOST);
        return;
    case IOV_HOST_VECTOR_RESCHEDULE:
        iov_exec_compute(exec, host->reschedule, IOV_PART_HOST);
        return;
    case IOV_HOST_VECTOR_POSTED_WAKEUP:
        span = span_take(exec);
        if (span != NULL)
            exec->span = span;
        iov_exec_compute(exec, host->interrupt, IOV_PART_HOST);
        sleepers_wake(cpu, exec, span);
        exec->span = own;
        return;
    case IOV_HOST_VECTOR_TIMER:
        iov_exec_compute(exec, host->timer_interrupt, IOV_PART_HOST);
        timers_run(cpu, exec);
        iov_host_slice_check(cpu);
        return;
    default:
        span = span_take(exec);
        if (span != NULL)
            exec->span = span;
        iov_exec_compute(exec, host->interrupt, IOV_PART_HOST);
        if (irq != NULL)
            irq->handle(irq, exec, span);
        else
            host->spurious++;
        exec->span = own;
    }
}

static void softirqs_run(struct iov_host_cpu *cpu, struct iov_exec *exec)
{
    struct iov_span *own = exec->span;

    cpu->in_softirq = true;
    exec->interrupts = true;
    while (cpu->softirqs != NULL) {
        struct iov_host_softirq *softirq = cpu->softirqs;

        cpu->softirqs = softirq->next;
        softirq->raised = false;
        softirq->run(softirq, exec);
        exec->span = own;
    }
    exec->interrupts = false;
    cpu->in_softirq = false;
}

void iov_host_interrupt(struct iov_thread *thread, uint8_t vector)
{
    struct iov_host_cpu *cpu = thread->cpu;
    struct iov_exec *exec = &thread->exec;
    struct iov_kernel *kernel = cpu->processor->kernel;
    iov_time begin = iov_now(kernel), taken;
    struct iov_host_cpu *refuge;

    cpu->host->interrupts++;
    cpu->irq_depth++;
    vector_handle(cpu, exec, vector);
    if (cpu->processor->apic != NULL)
        cpu->processor->apic->ops->write(cpu->processor->apic, APIC_EOI, 0);
    if (cpu->irq_depth == 1 && !cpu->in_softirq && cpu->softirqs != NULL)
        softirqs_run(cpu, exec);
    cpu->irq_depth--;
    if (cpu->irq_depth > 0 || cpu->in_softirq)
        return;
    iov_span_mark(exec->span, exec->holder, IOV_PART_HOST, iov_now(kernel));
    taken = iov_now(kernel) - begin;
    cpu->host->interrupt_time += taken;
    refuge = iov_host_refuge(cpu, taken);
    if (cpu->need_resched && (!thread->idle || cpu->host->idle == IDLE_POLL))
        iov_host_schedule(thread);
    else if (refuge != NULL)
        iov_host_move(thread, refuge);
}

static void host_program_interrupt(struct iov_program *program, struct iov_exec *exec,
                                   uint8_t vector)
{
    (void)program;
    iov_host_interrupt(iov_thread_of(exec), vector);
}

static void host_program_start(struct iov_program *program, struct iov_exec *exec, unsigned index)
{
    (void)program;
    (void)exec;
    (void)index; /* threads begin on their own fibers */
}

const struct iov_program_ops iov_host_program_ops = {
    .start = host_program_start,
    .interrupt = host_program_interrupt,
};

bool iov_host_irq_alloc(IovLinuxHost *host, unsigned cpu, struct iov_host_irq *irq,
                        uint8_t *ret_vector)
{
    struct iov_host_cpu *place = &host->processors[cpu];

    if (place->next_vector >= IOV_HOST_VECTOR_TIMER)
        return false;
    place->irqs[place->next_vector] = irq;
    *ret_vector = (uint8_t)place->next_vector++;
    return true;
}

void iov_host_softirq_raise(struct iov_exec *exec, struct iov_host_softirq *softirq)
{
    struct iov_host_cpu *cpu = iov_thread_of(exec)->cpu;
    struct iov_host_softirq **place = &cpu->softirqs;

    if (softirq->raised)
        return;
    softirq->raised = true;
    softirq->next = NULL;
    while (*place != NULL)
        place = &(*place)->next;
    *place = softirq;
}

/* ---- Timers ---- */

static void timer_unlink(struct iov_host_timer *timer)
{
    if (timer->before == NULL)
        return;
    *timer->before = timer->after;
    if (timer->after != NULL)
        timer->after->before = timer->before;
    timer->before = NULL;
}

static void timer_link(struct iov_host_timer *timer)
{
    struct iov_host_timer **first = &timer->cpu->timers;

    timer->after = *first;
    if (timer->after != NULL)
        timer->after->before = &timer->after;
    timer->before = first;
    *first = timer;
}

static void on_timer(struct iov_event *event)
{
    struct iov_host_timer *timer = iov_container_of(event, struct iov_host_timer, event);
    struct iov_host_timer **place = &timer->cpu->expired;

    timer_unlink(timer);
    timer->expired = true;
    timer->next = NULL;
    while (*place != NULL)
        place = &(*place)->next;
    *place = timer;
    timer->cpu->processor->ops->interrupt(timer->cpu->processor, IOV_HOST_VECTOR_TIMER, NULL);
}

void iov_host_timer_init(struct iov_host_timer *timer, IovLinuxHost *host,
                         void (*expire)(struct iov_host_timer *timer, struct iov_exec *exec))
{
    *timer = (struct iov_host_timer){ .host = host, .expire = expire };
    iov_event_init(&timer->event, host->parent_instance.kernel, on_timer, IOV_PRIORITY_DEFAULT);
}

void iov_host_timer_arm(struct iov_host_timer *timer, unsigned cpu, iov_time when)
{
    iov_time now = iov_now(timer->host->parent_instance.kernel);

    iov_host_timer_cancel(timer);
    timer->cpu = &timer->host->processors[cpu];
    timer->when = MAX(when, now);
    timer_link(timer);
    iov_event_at(&timer->event, timer->when);
}

void iov_host_timer_cancel(struct iov_host_timer *timer)
{
    iov_event_disarm(&timer->event);
    timer_unlink(timer);
    if (!timer->expired)
        return;
    for (struct iov_host_timer **place = &timer->cpu->expired; *place != NULL;
         place = &(*place)->next) {
        if (*place == timer) {
            *place = timer->next;
            break;
        }
    }
    timer->expired = false;
}
