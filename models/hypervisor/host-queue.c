/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-host: who waits for a processor, and for how long.
 *
 * Each processor has a run queue in the order of virtual run time, so that threads share it fairly
 * (core/linux/fair.h); a time slice is armed only while somebody waits. LIMIT: no priorities, no
 * groups, no NUMA; a turn begins when somebody begins to wait and ends on time, where Linux counts
 * from the thread's coming and looks at each tick.
 */
#include <string.h>

#include "models/hypervisor/host-private.h"

void iov_host_queue_insert(struct iov_host_cpu *cpu, struct iov_thread *thread)
{
    unsigned place = cpu->queued++;

    for (; place > 0 && cpu->queue[place - 1].vruntime <= thread->vruntime; place--)
        cpu->queue[place] = cpu->queue[place - 1];
    cpu->queue[place] = (struct iov_host_waiting){ thread->vruntime, thread };
    cpu->host->free &= ~(UINT64_C(1) << cpu->index);
}

struct iov_thread *iov_host_queue_take(struct iov_host_cpu *cpu, unsigned place)
{
    struct iov_thread *thread = cpu->queue[place].thread;

    if (cpu->skipped == thread)
        cpu->skipped = NULL;
    cpu->queued--;
    memmove(&cpu->queue[place], &cpu->queue[place + 1], (cpu->queued - place) * sizeof *cpu->queue);
    return thread;
}

/* SPEC: Linux 6.1, pick_next_entity() and its skip buddy: who yields is passed
 * over unless the next one has had so much more that it would be preempted at once. */
struct iov_thread *iov_host_queue_pop(struct iov_host_cpu *cpu)
{
    unsigned place = cpu->queued - 1;

    if (cpu->queued == 0)
        return NULL;
    if (place > 0 && cpu->queue[place].thread == cpu->skipped &&
        !iov_fair_preempts(&cpu->host->fair, cpu->queue[place - 1].vruntime,
                           cpu->queue[place].vruntime))
        place--;
    return iov_host_queue_take(cpu, place);
}

void iov_host_queues_fit(IovLinuxHost *host)
{
    if (host->thread_count <= host->queue_room)
        return;
    host->queue_room = 2 * host->thread_count;
    for (unsigned i = 0; i < host->count; i++) {
        struct iov_host_cpu *cpu = &host->processors[i];

        cpu->queue = g_renew(struct iov_host_waiting, cpu->queue, host->queue_room);
    }
}

/* The clock of a processor is that of whoever is furthest behind. SPEC: Linux 6.1,
 * update_min_vruntime(). */
static void clock_advance(struct iov_host_cpu *cpu, iov_time running)
{
    iov_time least = cpu->queued > 0 ? MIN(running, cpu->queue[cpu->queued - 1].vruntime) : running;

    cpu->vruntime_floor = MAX(cpu->vruntime_floor, least);
}

void iov_host_account(struct iov_thread *thread)
{
    iov_time now = iov_now(thread->host->parent_instance.kernel);
    iov_time used = now - thread->since;

    thread->since = now;
    if (thread->idle)
        return;
    thread->cpu_time += used;
    thread->vruntime += used;
    thread->cpu->used += used;
    clock_advance(thread->cpu, thread->vruntime);
}

iov_time iov_thread_cpu_time(const struct iov_thread *thread)
{
    if (thread->state != IOV_THREAD_RUNNING || thread->idle)
        return thread->cpu_time;
    return thread->cpu_time + iov_now(thread->host->parent_instance.kernel) - thread->since;
}

/* ---- Time slices ---- */

void iov_host_slice_arm(struct iov_host_cpu *cpu)
{
    iov_time now = iov_now(cpu->host->parent_instance.kernel);

    if (cpu->queued == 0 || cpu->current->idle)
        return;
    if (!iov_event_armed(&cpu->slice))
        cpu->slice_begin = now;
    iov_event_disarm(&cpu->slice);
    iov_event_at(&cpu->slice,
                 MAX(now, cpu->slice_begin + iov_fair_turn(&cpu->host->fair, cpu->queued + 1)));
    cpu->host->crowded |= UINT64_C(1) << cpu->index;
}

void iov_host_slice_end(struct iov_host_cpu *cpu)
{
    cpu->slice_over = false;
    iov_event_disarm(&cpu->slice);
    cpu->host->crowded &= ~(UINT64_C(1) << cpu->index);
}

static void on_slice(struct iov_event *event)
{
    struct iov_host_cpu *cpu = iov_container_of(event, struct iov_host_cpu, slice);

    iov_host_slice_end(cpu);
    cpu->slice_over = true;
    cpu->processor->ops->interrupt(cpu->processor, IOV_HOST_VECTOR_TIMER, NULL);
}

void iov_host_slice_init(struct iov_host_cpu *cpu)
{
    iov_event_init(&cpu->slice, cpu->host->parent_instance.kernel, on_slice, IOV_PRIORITY_DEFAULT);
}

void iov_host_slice_check(struct iov_host_cpu *cpu)
{
    struct iov_thread *current = cpu->current;

    if (!cpu->slice_over) /* a timer of somebody's */
        return;
    cpu->slice_over = false;
    if (current->idle) /* on its way to who waits */
        return;
    iov_host_share_waiting(cpu);
    if (cpu->queued == 0)
        return;
    iov_host_account(current);
    if (cpu->queue[cpu->queued - 1].vruntime <= current->vruntime) {
        cpu->need_resched = true;
        cpu->host->preemptions++;
    }
    iov_host_slice_arm(cpu);
}
