/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-host: what threads use besides the processor: locks with sleeping waiters, facts about the
 * host, VMX operation of its processors.
 *
 * A lock is a user-space mutex, as glibc has it: nobody spins; who comes while it is free takes it,
 * even before a waiter that was woken for it (the waiter is woken after it was freed, by the thread
 * that did it); the waiter then queues again, as the last. A waiter that is woken for something
 * else stays in the queue.
 */
#include "models/hypervisor/host-private.h"

#include <inttypes.h>

#define LARGE_PAGE (UINT64_C(2) << 20)

/* ---- Locks ---- */

static void waiter_remove(struct iov_host_lock *lock, struct iov_thread *thread)
{
    struct iov_thread **place = &lock->first;
    struct iov_thread *before = NULL;

    while (*place != thread) {
        before = *place;
        place = &(*place)->next_waiter;
    }
    *place = thread->next_waiter;
    if (lock->last == thread)
        lock->last = before;
    thread->waiting = false;
}

void iov_host_lock(struct iov_thread *thread, struct iov_host_lock *lock)
{
    enum iov_part part = lock->part != 0 ? lock->part : IOV_PART_EMULATOR;

    if (lock->owner != NULL)
        lock->contentions++;
    while (lock->owner != NULL) {
        if (!thread->waiting) { /* it may have been woken for something else */
            thread->waiting = true;
            thread->next_waiter = NULL;
            if (lock->last != NULL)
                lock->last->next_waiter = thread;
            else
                lock->first = thread;
            lock->last = thread;
        }
        iov_thread_compute(thread, thread->host->lock_slow, part);
        if (lock->owner != NULL)
            iov_thread_block(thread);
    }
    if (thread->waiting)
        waiter_remove(lock, thread);
    lock->owner = thread;
}

void iov_host_unlock(struct iov_thread *thread, struct iov_host_lock *lock)
{
    struct iov_thread *waiter = lock->first;

    IOV_REQUIRE(lock->owner == thread);
    lock->owner = NULL;
    if (waiter == NULL)
        return;
    waiter_remove(lock, waiter);
    iov_thread_wake(&thread->exec, waiter, NULL);
}

/* ---- Facts ---- */

struct iov_thread *iov_host_current(const IovLinuxHost *host)
{
    struct iov_fiber *fiber = iov_fiber_current(host->parent_instance.kernel);

    for (unsigned i = 0; fiber != NULL && i < host->count; i++) {
        if (host->processors[i].current->fiber == fiber)
            return host->processors[i].current;
    }
    return NULL;
}

bool iov_host_in_interrupt(const struct iov_thread *thread)
{
    return thread->cpu->irq_depth > 0 || thread->cpu->in_softirq;
}

uint64_t iov_host_mask(const IovLinuxHost *host, const struct iov_count_list *cpus)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < cpus->count; i++) {
        if (cpus->items[i] < host->count)
            mask |= UINT64_C(1) << cpus->items[i];
    }
    return mask;
}

bool iov_host_has(const IovLinuxHost *host, const struct iov_count_list *cpus, IovModel *model,
                  const char *property, GError **error)
{
    for (unsigned i = 0; i < cpus->count; i++) {
        if (cpus->items[i] >= host->count)
            return iov_model_fail(model, error,
                                  "%s: %" PRIu64 " is none of the host's processors, 0 to %u",
                                  property, cpus->items[i], host->count - 1);
    }
    return true;
}

unsigned iov_host_cpu_count(const IovLinuxHost *host)
{
    return host->count;
}

struct iov_processor *iov_host_processor(const IovLinuxHost *host, unsigned cpu)
{
    return host->processors[cpu].processor;
}

unsigned iov_host_cpu_index(const struct iov_host_cpu *cpu)
{
    return cpu->index;
}

bool iov_host_vmx_enable(struct iov_thread *thread, iov_hpa region)
{
    struct iov_host_cpu *cpu = thread->cpu;

    if (!cpu->vmx_on && cpu->processor->ops->vmxon(&thread->exec, region) == IOV_VMX_SUCCEED)
        cpu->vmx_on = true;
    return cpu->vmx_on;
}

uint64_t *iov_host_vmcs_current(struct iov_thread *thread)
{
    return &thread->cpu->vmcs_current;
}

uint64_t *iov_host_vmcs_current_of(struct iov_host_cpu *cpu)
{
    return &cpu->vmcs_current;
}

iov_hpa iov_host_claim_memory(IovLinuxHost *host, iov_hpa base, uint64_t size)
{
    struct iov_host_range range = { base, size };
    bool moved = true;

    while (moved) {
        moved = false;
        for (unsigned i = 0; i < host->memory->len; i++) {
            const struct iov_host_range *taken =
                &g_array_index(host->memory, struct iov_host_range, i);

            if (range.base >= taken->base + taken->size || taken->base >= range.base + range.size)
                continue;
            range.base = (taken->base + taken->size + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
            moved = true;
        }
    }
    g_array_append_val(host->memory, range);
    return range.base;
}

uint16_t iov_host_vpids(IovLinuxHost *host, unsigned count)
{
    uint16_t first = (uint16_t)(host->vpids + 1);

    host->vpids = (uint16_t)(host->vpids + count);
    return first;
}
