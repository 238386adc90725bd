/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest kernel's clock, its idle loop and how tasks wait.
 *
 * A processor has several timers: the tick (HZ a second), the end of its task's sleep, and those of
 * its kernel. The first is programmed, by a write of the TSC deadline or of the APIC timer's
 * initial count. The tick stops in idle if the governor expects that to last for at least one
 * period, and leaving idle starts it again. So a short wait costs no timer writes and a long one
 * costs one to stop, one an expiry and one to restart. Without a governor every wait does.
 *
 * LIMIT: no timer slack, no timer wheel granularity, no high-resolution switch; one idle state,
 * which is left in no time, as ACPI tells a virtual machine.
 */
#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/guest/guest-private.h"

#define POLL_START (50 * IOV_US) /* halt polling begins with this and doubles */
#define CLOCK_DIVIDE_BY_16 0x3

iov_time iov_guest_now(const struct iov_guest_cpu *cpu)
{
    return iov_now(cpu->guest->parent_instance.kernel);
}

/* ---- Timers ---- */

/* Clock periods in `duration`, rounded up. */
static uint64_t periods(iov_time duration, uint64_t frequency_hz)
{
    unsigned __int128 product = (unsigned __int128)duration * frequency_hz;

    return (uint64_t)((product + IOV_SEC - 1) / IOV_SEC);
}

static void write_timer(struct iov_guest_cpu *cpu, iov_time when)
{
    iov_time now = iov_guest_now(cpu);
    iov_time delay = when > now ? when - now : 0;

    cpu->programmed = when;
    cpu->guest->timer_writes++;
    if (cpu->tsc_deadline) {
        struct iov_op tsc = { .kind = IOV_OP_RDTSC };
        uint64_t deadline = 0; /* disarmed */

        if (when != IOV_TIME_MAX) {
            iov_exec_operate(cpu->exec, &tsc);
            /* One more, so that it is not early when both clocks round down. */
            deadline = tsc.value[0] + periods(delay, cpu->exec->processor->frequency_hz) + 1;
        }
        iov_exec_wrmsr(cpu->exec, IOV_MSR_TSC_DEADLINE, deadline);
        return;
    }
    uint64_t count = when == IOV_TIME_MAX ? 0 : periods(delay, cpu->guest->apic_timer / 16);

    if (when != IOV_TIME_MAX && count == 0)
        count = 1;
    iov_guest_apic_write(cpu, IOV_APIC_TIMER_INITIAL,
                         count > UINT32_MAX ? UINT32_MAX : (uint32_t)count);
}

static iov_time next_timer(const struct iov_guest_cpu *cpu)
{
    iov_time tick = cpu->tick_stopped ? IOV_TIME_MAX : cpu->tick;

    return MIN(MIN(tick, cpu->sleep), MIN(cpu->flush, cpu->tcp_timer));
}

static iov_time tick_period(const struct iov_guest_cpu *cpu)
{
    return IOV_SEC / cpu->guest->hz;
}

void iov_guest_start_timer(struct iov_guest_cpu *cpu)
{
    uint32_t mode = cpu->tsc_deadline ? IOV_APIC_TIMER_DEADLINE : IOV_APIC_TIMER_ONE_SHOT;

    cpu->sleep = IOV_TIME_MAX;
    cpu->flush = IOV_TIME_MAX;
    cpu->tcp_timer = IOV_TIME_MAX;
    cpu->programmed = IOV_TIME_MAX;
    cpu->tick = IOV_TIME_MAX;
    if (!cpu->tsc_deadline)
        iov_guest_apic_write(cpu, IOV_APIC_TIMER_DIVIDE, CLOCK_DIVIDE_BY_16);
    iov_guest_apic_write(cpu, IOV_APIC_LVT_TIMER,
                         mode << IOV_APIC_TIMER_MODE_SHIFT | IOV_GUEST_VECTOR_TIMER);
    if (cpu->guest->tick == IOV_GUEST_NO_TICK)
        return;
    cpu->tick = iov_guest_now(cpu) + tick_period(cpu);
    write_timer(cpu, cpu->tick);
}

void iov_guest_set_timer(struct iov_guest_cpu *cpu, iov_time *timer, iov_time when)
{
    *timer = when;
    if (when < cpu->programmed && !cpu->idle) /* the idle loop looks for itself */
        write_timer(cpu, when);
}

void iov_guest_timer_interrupt(struct iov_guest_cpu *cpu)
{
    const struct iov_guest_costs *costs = &cpu->guest->costs;
    iov_time now = iov_guest_now(cpu);
    bool ticks = !cpu->tick_stopped && cpu->tick <= now;

    cpu->programmed = IOV_TIME_MAX;
    if (ticks) {
        while (cpu->tick <= now)
            cpu->tick += tick_period(cpu);
        cpu->tick_woke = cpu->asleep;
        iov_guest_sched_tick(cpu);
    }
    iov_guest_charge(cpu, ticks ? costs->tick : costs->timer);
    if (cpu->sleep <= now) {
        cpu->sleep = IOV_TIME_MAX;
        iov_guest_wake(cpu, cpu);
    }
    iov_guest_dma_timer(cpu);
    if (cpu->tcp_timer <= now) {
        cpu->tcp_timer = IOV_TIME_MAX;
        iov_guest_raise_softirq(cpu, IOV_GUEST_TIMER);
    }
    write_timer(cpu, next_timer(cpu));
}

/* ---- Idle ---- */

/* SPEC: Linux, cpuidle_idle_call(): without a driver, and with the governor haltpoll before an HLT,
 * nobody asks how long the sleep will be. */
static bool has_forecast(const IovLinuxGuest *guest)
{
    return guest->cpuidle && guest->idle != IOV_GUEST_IDLE_HALTPOLL;
}

static void stop_tick(struct iov_guest_cpu *cpu)
{
    iov_time now = iov_guest_now(cpu);
    /* Linux asks for the flush of deferred mappings as well, but lets it wait for the tick: here it
     * comes at its own time, for as many writes of the timer. */
    iov_time timer = MIN(cpu->sleep, cpu->tcp_timer), expected = timer > now ? timer - now : 0;

    if (has_forecast(cpu->guest))
        expected = iov_menu_expect(&cpu->menu, expected);
    if (cpu->guest->tick != IOV_GUEST_TICKLESS || cpu->tick_stopped || expected < tick_period(cpu))
        return;
    cpu->tick_stopped = true;
    write_timer(cpu, next_timer(cpu));
}

/* From an idle period. One that the tick has ended, which would not have come but for a forecast,
 * was to be long. */
static void learn(struct iov_guest_cpu *cpu, iov_time slept)
{
    bool ended_early = cpu->tick_woke && cpu->menu.timer > tick_period(cpu);

    iov_menu_learn(&cpu->menu, ended_early ? IOV_MENU_LONG : slept, 0);
}

static void restart_tick(struct iov_guest_cpu *cpu)
{
    if (!cpu->tick_stopped)
        return;
    iov_time now = iov_guest_now(cpu);

    cpu->tick_stopped = false;
    while (cpu->tick <= now)
        cpu->tick += tick_period(cpu);
    if (next_timer(cpu) != cpu->programmed)
        write_timer(cpu, next_timer(cpu));
}

/* A thread other than the idle loop has something to do. */
static bool is_wanted(const struct iov_guest_cpu *cpu)
{
    return !cpu->waiting || cpu->softirq_thread;
}

/* Polls until there is something to do or the time is up. A look tells how long looks take (there
 * was no interrupt in the shortest), the others are no events. */
static void poll(struct iov_guest_cpu *cpu, iov_time limit)
{
    iov_time until = limit == IOV_TIME_MAX ? IOV_TIME_MAX : iov_guest_now(cpu) + limit;

    while (!is_wanted(cpu) && iov_guest_now(cpu) < until) {
        iov_time begin = iov_guest_now(cpu), look;

        cpu->guest->idle_polls++;
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
        iov_exec_compute(cpu->exec, cpu->guest->costs.idle_poll, IOV_PART_GUEST);
        look = iov_guest_now(cpu) - begin;
        if (cpu->idle_look == 0 || look < cpu->idle_look)
            cpu->idle_look = look;
        if (is_wanted(cpu) || iov_guest_now(cpu) >= until)
            return;
        if (cpu->exec->processor->ops->spin == NULL)
            continue;
        begin = iov_guest_now(cpu);
        cpu->idle_spin.pauses = cpu->idle_look != 0; /* in no time no loop exits */
        iov_exec_spin(cpu->exec, &cpu->idle_spin, cpu->idle_look, until - begin, IOV_PART_GUEST);
        if (cpu->idle_look != 0)
            cpu->guest->idle_polls += (iov_guest_now(cpu) - begin) / cpu->idle_look;
    }
}

/* The guest's own halt polling grows after a short time in HLT, and shrinks after a long one. SPEC:
 * Linux, the governor haltpoll. */
static void adjust_poll_limit(struct iov_guest_cpu *cpu, iov_time slept)
{
    iov_time highest = cpu->guest->haltpoll;

    if (slept > cpu->poll_limit && slept <= highest) {
        cpu->poll_limit = cpu->poll_limit == 0 ? POLL_START : 2 * cpu->poll_limit;
        if (cpu->poll_limit > highest)
            cpu->poll_limit = highest;
    } else if (slept > highest) {
        cpu->poll_limit /= 2;
    }
}

/* One pass of the idle loop, entered with interrupts off and left with interrupts on. */
static void idle_once(struct iov_guest_cpu *cpu)
{
    IovLinuxGuest *guest = cpu->guest;
    iov_time begin = iov_guest_now(cpu), polled;

    if (guest->idle == IOV_GUEST_IDLE_POLL ||
        (guest->idle == IOV_GUEST_IDLE_HALTPOLL && cpu->poll_limit > 0)) {
        iov_exec_do(cpu->exec, IOV_OP_STI);
        poll(cpu, guest->idle == IOV_GUEST_IDLE_POLL ? IOV_TIME_MAX : cpu->poll_limit);
        if (is_wanted(cpu))
            return;
        iov_exec_do(cpu->exec, IOV_OP_CLI);
    }
    polled = iov_guest_now(cpu) - begin;
    stop_tick(cpu);
    cpu->tick_woke = false;
    if (next_timer(cpu) < cpu->programmed) /* a sleep, and no tick before it */
        write_timer(cpu, next_timer(cpu));
    cpu->asleep = true;
    if (is_wanted(cpu)) {
        iov_exec_do(cpu->exec, IOV_OP_STI);
    } else {
        guest->halts++;
        iov_exec_do(cpu->exec, IOV_OP_STI);
        iov_exec_do(cpu->exec, IOV_OP_HLT);
    }
    cpu->asleep = false;
    iov_time slept = iov_guest_now(cpu) - begin;

    learn(cpu, slept);
    adjust_poll_limit(cpu, slept - polled);
}

static void leave_idle(struct iov_guest_cpu *cpu)
{
    if (!cpu->idle)
        return;
    restart_tick(cpu);
    iov_guest_charge(cpu, cpu->guest->costs.idle_exit);
    cpu->idle = false;
}

/* Until the task has the processor. */
static void idle_until_task(struct iov_guest_cpu *cpu)
{
    enum iov_guest_thread next;

    iov_guest_sched_switch(cpu, IOV_GUEST_NOBODY);
    cpu->idle = true;
    while ((next = iov_guest_sched_pick(cpu)) != IOV_GUEST_TASK) {
        if (next == IOV_GUEST_KSOFTIRQD) {
            leave_idle(cpu);
            iov_exec_do(cpu->exec, IOV_OP_CLI);
            iov_guest_softirq_thread(cpu);
            iov_exec_do(cpu->exec, IOV_OP_STI);
            continue;
        }
        cpu->idle = true;
        iov_exec_do(cpu->exec, IOV_OP_CLI);
        iov_guest_charge(cpu, cpu->guest->costs.idle_entry);
        if (is_wanted(cpu))
            iov_exec_do(cpu->exec, IOV_OP_STI);
        else
            idle_once(cpu);
    }
    leave_idle(cpu);
    iov_guest_sched_switch(cpu, IOV_GUEST_TASK);
}

void iov_guest_idle_for_ever(struct iov_guest_cpu *cpu)
{
    iov_guest_work_for(cpu, NULL);
    for (;;) {
        cpu->waiting = true;
        idle_until_task(cpu);
    }
}

/* ---- Waiting ---- */

void iov_guest_wait_prepare(struct iov_guest_cpu *cpu)
{
    cpu->waiting = true;
}

void iov_guest_wait_block(struct iov_guest_cpu *cpu)
{
    if (!cpu->waiting)
        return; /* woken since prepare: the scheduler picks the same task */
    iov_guest_work_for(cpu, NULL);
    cpu->guest->context_switches += 2;
    iov_guest_charge(cpu, cpu->guest->costs.context_switch);
    idle_until_task(cpu);
    iov_guest_charge(cpu, cpu->guest->costs.context_switch);
}

void iov_guest_wait_done(struct iov_guest_cpu *cpu)
{
    cpu->waiting = false;
}

void iov_guest_wake(struct iov_guest_cpu *cpu, struct iov_guest_cpu *target)
{
    if (!target->waiting)
        return;
    target->waiting = false;
    iov_guest_charge(cpu, cpu->guest->costs.wake_up);
    iov_guest_sched_wake(target, IOV_GUEST_TASK);
    if (target != cpu && cpu->use != NULL)
        cpu->use->wakeups++;
    iov_spin_end(&target->idle_spin);
    /* An idle processor that sleeps needs an interrupt; one that polls sees the flag. */
    if (target == cpu || !target->asleep)
        return;
    iov_guest_send_ipi(cpu, target, IOV_GUEST_VECTOR_RESCHEDULE);
}

void iov_guest_sleep_until(struct iov_guest_cpu *cpu, iov_time when)
{
    if (iov_guest_net_poll_until(cpu, when))
        return; /* a program that polls has nobody to wake it */
    if (when <= iov_guest_now(cpu))
        return;
    iov_guest_work_for(cpu, NULL);
    iov_guest_wait_prepare(cpu);
    iov_guest_set_timer(cpu, &cpu->sleep, when);
    while (cpu->sleep != IOV_TIME_MAX) {
        iov_guest_wait_block(cpu);
        if (cpu->sleep != IOV_TIME_MAX) /* somebody else's wake-up */
            iov_guest_wait_prepare(cpu);
    }
    iov_guest_wait_done(cpu);
}

void iov_guest_sleep(struct iov_guest_cpu *cpu, iov_time duration)
{
    iov_guest_sleep_until(cpu, iov_guest_now(cpu) + duration);
}

void iov_guest_delay(struct iov_guest_cpu *cpu, iov_time duration)
{
    iov_guest_charge(cpu, duration);
}
