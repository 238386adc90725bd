/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's softirqs, and ksoftirqd.
 *
 * The exit of the outermost interrupt, or of a section without bottom halves, runs what was raised,
 * and what that raises in turn: for ten rounds, two milliseconds or until a thread is to have the
 * processor. What is left then goes to ksoftirqd, and as long as that is runnable all softirqs are
 * its business (Linux 4.9 to 6.3). So a flood of frames takes half of the processor and not all of
 * it: the device stays masked until it is polled again.
 *
 * ksoftirqd runs in the idle loop, or on top of the task that it preempts. LIMIT: it preempts in
 * system calls too, where Linux waits for their end.
 */
#include "models/guest/guest-private.h"
#include "models/guest/linux-regs.h"

void iov_guest_raise_softirq(struct iov_guest_cpu *cpu, enum iov_guest_softirq softirq)
{
    cpu->softirqs |= 1u << softirq;
}

static void wake_thread(struct iov_guest_cpu *cpu)
{
    if (cpu->softirq_thread)
        return;
    cpu->softirq_thread = true;
    iov_guest_sched_wake(cpu, IOV_GUEST_KSOFTIRQD);
    iov_guest_charge(cpu, cpu->guest->costs.wake_up);
    iov_spin_end(&cpu->idle_spin);
}

/* Called with interrupts off, returns with interrupts off. */
static void do_softirq(struct iov_guest_cpu *cpu)
{
    struct iov_span *span = cpu->span;
    iov_time end = iov_guest_now(cpu) + LINUX_MAX_SOFTIRQ_TIME;

    cpu->in_softirq = true;
    for (int round = 0; cpu->softirqs != 0 && round < LINUX_MAX_SOFTIRQ_RESTART; round++) {
        if (round > 0 && (cpu->need_resched || iov_guest_now(cpu) >= end))
            break;
        uint32_t pending = cpu->softirqs;

        cpu->softirqs = 0;
        cpu->guest->softirq_rounds++;
        iov_exec_do(cpu->exec, IOV_OP_STI);
        iov_guest_charge(cpu, cpu->guest->costs.softirq);
        if (pending & (1u << IOV_GUEST_TIMER))
            iov_guest_tcp_timer(cpu);
        if (pending & (1u << IOV_GUEST_NET_TX))
            iov_guest_net_tx_softirq(cpu);
        if (pending & (1u << IOV_GUEST_NET_RX))
            iov_guest_net_rx_softirq(cpu);
        iov_exec_do(cpu->exec, IOV_OP_CLI);
    }
    if (cpu->softirqs != 0)
        wake_thread(cpu);
    cpu->in_softirq = false;
    iov_guest_resume(cpu, span);
}

/* Outside of ksoftirqd. */
static void run_now(struct iov_guest_cpu *cpu)
{
    iov_guest_sched_interrupt_begin(cpu);
    do_softirq(cpu);
    iov_guest_sched_interrupt_end(cpu);
}

void iov_guest_bottom_half_disable(struct iov_guest_cpu *cpu)
{
    cpu->bottom_half_off++;
}

/* Softirqs may run here, and some are raised. */
static bool may_run(const struct iov_guest_cpu *cpu)
{
    return cpu->softirqs != 0 && cpu->hardirqs == 0 && !cpu->in_softirq &&
           cpu->bottom_half_off == 0;
}

/* With `tick: none` turns end where softirqs are looked at: Linux starts the tick again for that
 * while two threads want to run. */
static void tick_if_none(struct iov_guest_cpu *cpu)
{
    if (cpu->guest->tick == IOV_GUEST_NO_TICK)
        iov_guest_sched_tick(cpu);
}

void iov_guest_softirq_thread(struct iov_guest_cpu *cpu)
{
    enum iov_guest_thread before = cpu->sched.current;

    cpu->guest->context_switches++;
    iov_guest_charge(cpu, cpu->guest->costs.context_switch);
    do {
        iov_guest_sched_switch(cpu, IOV_GUEST_KSOFTIRQD);
        do {
            do_softirq(cpu);
            tick_if_none(cpu);
        } while (cpu->softirqs != 0 && !cpu->need_resched);
        cpu->softirq_thread = cpu->softirqs != 0;
    } while (iov_guest_sched_pick(cpu) == IOV_GUEST_KSOFTIRQD);
    iov_guest_sched_switch(cpu, before);
}

void iov_guest_softirq_exit(struct iov_guest_cpu *cpu)
{
    if (!may_run(cpu))
        return;
    if (!cpu->softirq_thread)
        run_now(cpu);
    tick_if_none(cpu);
    if (!cpu->softirq_thread || cpu->sched.current != IOV_GUEST_TASK || !cpu->need_resched)
        return;
    if (iov_guest_sched_pick(cpu) != IOV_GUEST_KSOFTIRQD) {
        cpu->need_resched = false;
        return;
    }
    iov_guest_softirq_thread(cpu);
    cpu->guest->context_switches++;
    iov_guest_charge(cpu, cpu->guest->costs.context_switch);
}

void iov_guest_bottom_half_enable(struct iov_guest_cpu *cpu)
{
    cpu->bottom_half_off--;
    if (!may_run(cpu))
        return;
    iov_exec_do(cpu->exec, IOV_OP_CLI);
    iov_guest_softirq_exit(cpu);
    iov_exec_do(cpu->exec, IOV_OP_STI);
}
