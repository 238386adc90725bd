/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's scheduler: who of a processor's two threads has it, the task or ksoftirqd. It
 * is Linux's CFS (core/linux/fair.h) for two threads: each has a virtual run time, and the smaller
 * one goes first; the tick ends a turn. So ksoftirqd, which seldom runs, goes first when it is
 * woken, and has half of the processor when it always has work. Time in interrupts and in softirqs
 * outside of ksoftirqd is nobody's (Linux's IRQ_TIME_ACCOUNTING).
 */
#include "models/guest/guest-private.h"

static bool is_runnable(const struct iov_guest_cpu *cpu, enum iov_guest_thread thread)
{
    return thread == IOV_GUEST_TASK ? !cpu->waiting : cpu->softirq_thread;
}

/* Brings the virtual run times up to date. */
static void account(struct iov_guest_cpu *cpu)
{
    struct iov_guest_sched *sched = &cpu->sched;
    iov_time now = sched->interrupts != 0 ? sched->interrupted : iov_guest_now(cpu);

    if (sched->current != IOV_GUEST_NOBODY) {
        iov_time least = sched->vruntime[sched->current] += now - sched->accounted;

        for (unsigned i = 0; i < IOV_GUEST_NOBODY; i++) {
            if (is_runnable(cpu, i))
                least = MIN(least, sched->vruntime[i]);
        }
        sched->least = MAX(sched->least, least);
    }
    sched->accounted = now;
}

void iov_guest_sched_interrupt_begin(struct iov_guest_cpu *cpu)
{
    if (cpu->sched.interrupts++ == 0)
        cpu->sched.interrupted = iov_guest_now(cpu);
}

void iov_guest_sched_interrupt_end(struct iov_guest_cpu *cpu)
{
    if (--cpu->sched.interrupts == 0)
        cpu->sched.accounted += iov_guest_now(cpu) - cpu->sched.interrupted;
}

void iov_guest_sched_switch(struct iov_guest_cpu *cpu, enum iov_guest_thread thread)
{
    account(cpu);
    cpu->sched.current = thread;
    if (thread != IOV_GUEST_NOBODY)
        cpu->sched.began = cpu->sched.vruntime[thread];
    cpu->need_resched = false;
}

void iov_guest_sched_wake(struct iov_guest_cpu *cpu, enum iov_guest_thread thread)
{
    struct iov_guest_sched *sched = &cpu->sched;
    const struct iov_fair *fair = &cpu->guest->fair;

    account(cpu);
    sched->vruntime[thread] = iov_fair_place(fair, sched->vruntime[thread], sched->least);
    if (sched->current == IOV_GUEST_NOBODY ||
        iov_fair_preempts(fair, sched->vruntime[sched->current], sched->vruntime[thread]))
        cpu->need_resched = true;
}

void iov_guest_sched_tick(struct iov_guest_cpu *cpu)
{
    const struct iov_guest_sched *sched = &cpu->sched;

    account(cpu);
    if (is_runnable(cpu, IOV_GUEST_TASK) && is_runnable(cpu, IOV_GUEST_KSOFTIRQD) &&
        sched->current != IOV_GUEST_NOBODY &&
        sched->vruntime[sched->current] - sched->began > iov_fair_turn(&cpu->guest->fair, 2))
        cpu->need_resched = true;
}

enum iov_guest_thread iov_guest_sched_pick(struct iov_guest_cpu *cpu)
{
    const iov_time *vruntime = cpu->sched.vruntime;

    account(cpu);
    if (!is_runnable(cpu, IOV_GUEST_KSOFTIRQD))
        return is_runnable(cpu, IOV_GUEST_TASK) ? IOV_GUEST_TASK : IOV_GUEST_NOBODY;
    if (!is_runnable(cpu, IOV_GUEST_TASK))
        return IOV_GUEST_KSOFTIRQD;
    return vruntime[IOV_GUEST_TASK] <= vruntime[IOV_GUEST_KSOFTIRQD] ? IOV_GUEST_TASK
                                                                     : IOV_GUEST_KSOFTIRQD;
}
