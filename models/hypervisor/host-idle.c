/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-host: which idle state a processor goes to, and what coming back costs. The governor
 * expects the shorter of two times: as much of the time to the processor's next timer as it was
 * idle before such a timer lately, and what its last idle times were like if they were alike. It
 * takes the deepest state whose target residency fits in it. A state costs its exit latency at each
 * wake-up, before the interrupt is taken.
 *
 * SPEC: Linux 6.1, drivers/cpuidle/governors/menu.c: menu_select(), menu_update(). LIMIT: no power,
 * no state of a whole package, no limit on latency from devices (PM QoS), no ticks that are
 * stopped, nobody who waits for a disk; a state is left at once even while it is being entered.
 */
#include "models/hypervisor/host-private.h"

enum {
    ALIKE_LEAST = 6, /* fewer than these that are alike say nothing */
    RESOLUTION = 1024,
    DECAY = 8,
    WHOLE = RESOLUTION * DECAY, /* a factor: idle until the timer */
};
#define BUCKET_LEAST (10 * IOV_US) /* to the next timer; the next bucket begins at ten times that */
#define INTERESTING (50 * IOV_MS)  /* who was idle longer was so as foreseen */
/* SPEC: Linux 6.1, kernel/watchdog.c: each processor's timer. */
#define WATCHDOG_PERIOD (4 * IOV_SEC)

/* Time to it. */
static iov_time next_timer(const struct iov_host_cpu *cpu)
{
    iov_time now = iov_now(cpu->host->parent_instance.kernel), next = now + WATCHDOG_PERIOD;

    for (const struct iov_host_timer *timer = cpu->timers; timer != NULL; timer = timer->after)
        next = MIN(next, timer->when);
    return next > now ? next - now : 0;
}

/* How far timers are away whose factor is the same. */
static unsigned bucket(iov_time timer)
{
    unsigned bucket = 0;

    for (iov_time end = BUCKET_LEAST; bucket < IOV_HOST_IDLE_BUCKETS - 1 && timer >= end; end *= 10)
        bucket++;
    return bucket;
}

/* The mean of the last idle times without the longest, if the rest are near it; else
 * IOV_TIME_MAX. */
static iov_time typical(const struct iov_host_cpu *cpu)
{
    iov_time limit = IOV_TIME_MAX;

    if (cpu->idle_count < IOV_HOST_IDLE_PAST)
        return IOV_TIME_MAX;
    for (unsigned left = IOV_HOST_IDLE_PAST; left >= ALIKE_LEAST;) {
        iov_time sum = 0, longest = 0, mean, deviation = 0;
        unsigned taken = 0;

        for (unsigned i = 0; i < IOV_HOST_IDLE_PAST; i++) {
            if (cpu->idle_past[i] >= limit)
                continue;
            sum += cpu->idle_past[i];
            longest = MAX(longest, cpu->idle_past[i]);
            taken++;
        }
        if (taken < ALIKE_LEAST)
            return IOV_TIME_MAX;
        mean = sum / taken;
        for (unsigned i = 0; i < IOV_HOST_IDLE_PAST; i++) {
            if (cpu->idle_past[i] < limit)
                deviation +=
                    mean > cpu->idle_past[i] ? mean - cpu->idle_past[i] : cpu->idle_past[i] - mean;
        }
        deviation /= taken;
        if (deviation <= 20 * IOV_US || deviation <= mean / 6)
            return mean;
        limit = longest; /* without the longest */
        left = taken - 1;
    }
    return IOV_TIME_MAX;
}

void iov_host_idle_enter(struct iov_host_cpu *cpu)
{
    IovLinuxHost *host = cpu->host;
    iov_time expected;

    cpu->idle_since = iov_now(host->parent_instance.kernel);
    cpu->idle_state = 0;
    if (host->idle_states > 1) {
        cpu->idle_timer = next_timer(cpu);
        expected = cpu->idle_timer * cpu->idle_factor[bucket(cpu->idle_timer)] / WHOLE;
        expected = MIN(typical(cpu), expected);
        for (unsigned i = 1; i < host->idle_states; i++) {
            if (expected >= host->idle_residency[i])
                cpu->idle_state = i;
        }
    }
    host->idle_entries[cpu->idle_state]++;
    cpu->idle->exec.halt_latency = host->idle_exit[cpu->idle_state];
}

static void count_halt(struct iov_host_cpu *cpu)
{
    if (!cpu->counted_halt)
        cpu->host->idle_entries[0]++;
    cpu->counted_halt = true;
}

static void count_handler(struct iov_host_cpu *cpu)
{
    if (!cpu->counted_handler)
        cpu->host->interrupts++;
    cpu->counted_handler = true;
}

void iov_host_idle_settle(struct iov_host_cpu *cpu)
{
    iov_time now = iov_now(cpu->host->parent_instance.kernel);

    if (!cpu->resting)
        return;
    if (now >= cpu->idle_since)
        count_halt(cpu);
    if (now >= cpu->rest.handled)
        count_handler(cpu);
}

static void rest_end(struct iov_host_cpu *cpu)
{
    cpu->resting = false;
    cpu->rest.heir = NULL;
    cpu->left = NULL;
    if (cpu->counted_handler)
        cpu->host->interrupt_time += cpu->rest.handler;
}

void iov_host_idle_over(struct iov_host_cpu *cpu)
{
    if (!cpu->processor->ops->rest_over(&cpu->rest))
        return;
    count_halt(cpu);
    count_handler(cpu);
    rest_end(cpu);
    iov_host_idle_give(cpu);
}

/* LIMIT: not with several idle states: which is chosen depends on what is known when it halts. */
void iov_host_idle_init(struct iov_host_cpu *cpu)
{
    const IovLinuxHost *host = cpu->host;

    cpu->rests =
        host->idle == IDLE_HLT && host->idle_states == 1 && cpu->processor->ops->rest != NULL;
    cpu->idle->exec.halt_latency = host->idle_exit[0];
    for (unsigned i = 0; i < IOV_HOST_IDLE_BUCKETS; i++)
        cpu->idle_factor[i] = WHOLE;
    cpu->rest = (struct iov_rest){ .exec = &cpu->idle->exec,
                                   .fiber = cpu->idle->fiber,
                                   .duration = host->context_switch,
                                   .part = IOV_PART_WAKEUP,
                                   .vector = IOV_HOST_VECTOR_RESCHEDULE,
                                   .handler = host->reschedule,
                                   .handler_part = IOV_PART_HOST };
}

bool iov_host_idle_rest(struct iov_host_cpu *cpu)
{
    IovLinuxHost *host = cpu->host;

    if (!cpu->rests || !cpu->processor->ops->rest(&cpu->rest))
        return false;
    host->context_switches++;
    cpu->resting = true;
    cpu->counted_halt = cpu->counted_handler = false;
    cpu->idle_since = iov_now(host->parent_instance.kernel) + host->context_switch;
    return true;
}

void iov_host_idle_rested(struct iov_host_cpu *cpu)
{
    iov_host_idle_settle(cpu);
    rest_end(cpu);
    cpu->idle->exec.interrupts = false;
    if (cpu->processor->ops->rested(&cpu->rest))
        iov_host_idle_leave(cpu);
}

/* From an idle time and what it took to end it. */
static void learn(struct iov_host_cpu *cpu, iov_time slept)
{
    iov_time latency = cpu->host->idle_exit[cpu->idle_state];
    unsigned *factor = &cpu->idle_factor[bucket(cpu->idle_timer)];
    iov_time idle = slept > 2 * latency ? slept - latency : slept / 2;

    idle = MIN(idle, cpu->idle_timer);
    *factor -= *factor / DECAY;
    *factor += cpu->idle_timer > 0 && idle < INTERESTING ? RESOLUTION * idle / cpu->idle_timer
                                                         : RESOLUTION;
    cpu->idle_past[cpu->idle_count++ % IOV_HOST_IDLE_PAST] = idle;
}

void iov_host_idle_leave(struct iov_host_cpu *cpu)
{
    IovLinuxHost *host = cpu->host;
    iov_time slept = iov_now(host->parent_instance.kernel) - cpu->idle_since;

    if (slept < host->idle_residency[cpu->idle_state])
        host->idle_too_deep++;
    if (host->idle_states > 1)
        learn(cpu, slept);
}
