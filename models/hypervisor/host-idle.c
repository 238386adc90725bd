/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-host: which idle state a processor goes to, and what coming back costs: the deepest whose
 * target residency fits in the time that the governor expects it to be idle. A state costs its exit
 * latency at each wake-up, before the interrupt is taken.
 *
 * LIMIT: no power, no state of a whole package, no limit on latency from devices (PM QoS), no ticks
 * that are stopped; a state is left at once even while it is being entered.
 */
#include "models/hypervisor/host-private.h"

/* Time to it. */
static iov_time next_timer(const struct iov_host_cpu *cpu)
{
    iov_time now = iov_now(cpu->host->parent_instance.kernel), next = IOV_TIME_MAX;

    for (const struct iov_host_timer *timer = cpu->timers; timer != NULL; timer = timer->after)
        next = MIN(next, timer->when);
    return next > now ? next - now : 0;
}

void iov_host_idle_enter(struct iov_host_cpu *cpu)
{
    IovLinuxHost *host = cpu->host;
    iov_time expected;

    cpu->idle_since = iov_now(host->parent_instance.kernel);
    cpu->idle_state = 0;
    if (host->idle_states > 1) {
        expected = iov_menu_expect(&cpu->menu, next_timer(cpu));
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
    iov_menu_init(&cpu->menu, IOV_MENU_LONGEST);
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

void iov_host_idle_leave(struct iov_host_cpu *cpu)
{
    IovLinuxHost *host = cpu->host;
    iov_time slept = iov_now(host->parent_instance.kernel) - cpu->idle_since;

    if (slept < host->idle_residency[cpu->idle_state])
        host->idle_too_deep++;
    if (host->idle_states > 1)
        iov_menu_learn(&cpu->menu, slept, host->idle_exit[cpu->idle_state]);
}
