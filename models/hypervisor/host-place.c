/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-host: which processor a thread goes to.
 *
 * A woken thread goes to its last processor if that is idle, else to an idle one, else it queues
 * there; it preempts whoever has run more than the wake-up granularity longer. A processor that
 * would go idle takes over who waits elsewhere and has not run for the migration cost. Who waits at
 * the end of a time slice moves to a processor that is idle, and so does, with irq-time-accounting,
 * who runs where interrupts take much of the time. LIMIT: looking for idle processors and for work
 * costs nothing, so a processor looks for work however short it was idle lately.
 */
#include "core/trace/measure.h"
#include "models/hypervisor/host-private.h"

/* SPEC: Linux, imbalance_pct of a domain of processors: a thread moves if it gets this much of what
 * it had, in percent. */
enum { IMBALANCE = 117 };

/* One that the thread may run on and that idles, or NULL. */
static struct iov_host_cpu *idle_for(const struct iov_thread *thread)
{
    uint64_t places = thread->host->free & thread->affinity;

    return places != 0 ? &thread->host->processors[__builtin_ctzll(places)] : NULL;
}

/* ---- Waking ---- */

static struct iov_host_cpu *cpu_choose(const struct iov_thread *thread)
{
    IovLinuxHost *host = thread->host;
    struct iov_host_cpu *best = NULL, *idle;

    if (thread->cpu != NULL && thread->affinity >> thread->cpu->index & 1) {
        best = thread->cpu;
        if (host->free >> best->index & 1)
            return best;
    }
    idle = idle_for(thread);
    if (idle != NULL)
        return idle;
    for (unsigned i = 0; i < host->count; i++) {
        struct iov_host_cpu *cpu = &host->processors[i];

        if (thread->affinity >> i & 1 && (best == NULL || cpu->queued < best->queued))
            best = cpu;
    }
    return best;
}

/*
 * Clocks of processors are not comparable, but how far a thread is from its processor's is. A
 * thread that lost this by moving would overtake whoever waits, each time.
 */
static void move_clock(struct iov_thread *thread, const struct iov_host_cpu *cpu)
{
    iov_time from = thread->cpu->vruntime_floor;
    iov_time to = cpu->vruntime_floor;

    if (thread->vruntime >= from)
        thread->vruntime = to + (thread->vruntime - from);
    else
        thread->vruntime = to > from - thread->vruntime ? to - (from - thread->vruntime) : 0;
}

static void reschedule(struct iov_host_cpu *cpu)
{
    cpu->host->reschedules++;
    cpu->processor->ops->interrupt(cpu->processor, IOV_HOST_VECTOR_RESCHEDULE, NULL);
}

/* Its processor has nothing else to do, ever since the thread left it; it is not the waker's. */
static void call_back(struct iov_host_cpu *cpu, struct iov_thread *thread)
{
    cpu->left = NULL;
    cpu->rest.heir = thread->fiber;
    cpu->need_resched = true;
    thread->state = IOV_THREAD_RUNNABLE;
    iov_host_queue_insert(cpu, thread);
    reschedule(cpu);
}

/* The thread comes to the processor's queue, or runs there. */
static void settle_at(struct iov_thread *thread, struct iov_host_cpu *cpu)
{
    if (thread->cpu != NULL && thread->cpu != cpu) {
        move_clock(thread, cpu);
        thread->host->migrations++;
    }
    thread->cpu = cpu;
    thread->vruntime = iov_fair_place(&cpu->host->fair, thread->vruntime, cpu->vruntime_floor);
}

/* It can be woken: it has begun, and it is not itself that goes elsewhere. */
static bool is_parked(const struct iov_thread *thread)
{
    return thread->warm_cpu != NULL &&
           thread->fiber != iov_fiber_current(thread->host->parent_instance.kernel);
}

void iov_host_enqueue_at(struct iov_exec *waker, struct iov_thread *thread,
                         struct iov_host_cpu *cpu)
{
    struct iov_thread *current = cpu->current;

    if (!current->idle)
        iov_host_account(current);
    thread->state = IOV_THREAD_RUNNABLE;
    settle_at(thread, cpu);
    cpu->left = NULL;
    iov_host_queue_insert(cpu, thread);
    iov_host_slice_arm(cpu);
    if (!current->idle &&
        !iov_fair_preempts(&thread->host->fair, current->vruntime, thread->vruntime))
        return;
    if (cpu->need_resched)
        return; /* it knows */
    cpu->need_resched = true;
    if (!current->idle)
        thread->host->preemptions++;
    if (waker == NULL || waker->processor != cpu->processor) {
        if (cpu->resting && is_parked(thread))
            cpu->rest.heir = thread->fiber;
        reschedule(cpu);
    }
}

void iov_host_enqueue(struct iov_thread *thread)
{
    iov_host_enqueue_at(NULL, thread, cpu_choose(thread));
}

void iov_thread_wake(struct iov_exec *waker, struct iov_thread *thread, struct iov_span *span)
{
    if (thread->state == IOV_THREAD_ENDED)
        return;
    if (waker != NULL && thread->state == IOV_THREAD_BLOCKED)
        iov_exec_compute(waker, thread->host->wake_up, IOV_PART_WAKEUP);
    if (span != NULL) {
        iov_span_pass(span, waker != NULL ? waker->holder : span->holder, thread->exec.holder);
        if (thread->exec.span == NULL)
            thread->exec.span = span;
    }
    if (thread->state != IOV_THREAD_BLOCKED) { /* it may have been woken while the waker computed */
        thread->woken = true;
        return;
    }
    thread->host->wakeups++;
    thread->host->measure->counters.wakeups++;
    thread->woken = true;
    if (thread->cpu->left == thread)
        call_back(thread->cpu, thread);
    else
        iov_host_enqueue_at(waker, thread, cpu_choose(thread));
}

/* ---- Balance ---- */

void iov_host_share_waiting(struct iov_host_cpu *cpu)
{
    for (unsigned i = cpu->queued; i > 0 && cpu->host->free != 0; i--) {
        struct iov_thread *thread = cpu->queue[i - 1].thread;
        struct iov_host_cpu *to = idle_for(thread);

        if (to == NULL)
            continue;
        iov_host_enqueue_at(NULL, iov_host_queue_take(cpu, i - 1), to);
    }
}

/* SPEC: Linux, newidle_balance() and task_hot(). */
struct iov_thread *iov_host_pull(struct iov_host_cpu *cpu)
{
    IovLinuxHost *host = cpu->host;
    iov_time now = iov_now(host->parent_instance.kernel);
    struct iov_host_cpu *from = NULL;
    unsigned place = 0;

    for (uint64_t crowded = host->crowded; crowded != 0; crowded &= crowded - 1) {
        struct iov_host_cpu *other = &host->processors[__builtin_ctzll(crowded)];

        for (unsigned k = 0; k < other->queued; k++) {
            const struct iov_thread *thread = other->queue[k].thread;

            if (thread->affinity >> cpu->index & 1 && now - thread->since >= host->migration_cost &&
                (from == NULL || thread->since < from->queue[place].thread->since)) {
                from = other;
                place = k;
            }
        }
    }
    if (from == NULL)
        return NULL;

    struct iov_thread *thread = iov_host_queue_take(from, place);

    settle_at(thread, cpu);
    return thread;
}

struct iov_host_cpu *iov_host_refuge(struct iov_host_cpu *cpu, iov_time interrupted)
{
    iov_time now, period, left;

    if (!cpu->host->irq_time_accounting)
        return NULL;
    now = iov_now(cpu->host->parent_instance.kernel);
    period = now - cpu->period_begin;
    cpu->interrupted += interrupted;
    if (period < cpu->host->fair.latency / 2)
        return NULL;
    left = period - cpu->interrupted;
    cpu->period_begin = now;
    cpu->interrupted = 0;
    return left * IMBALANCE < period * 100 && !cpu->current->idle ? idle_for(cpu->current) : NULL;
}
