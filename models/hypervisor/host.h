/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host kernel, as the other parts of this family see it: threads on host processors, interrupts
 * of the host, timers, locks.
 *
 * A thread is a stream of root operation on a fiber of its own. It has a processor while it runs;
 * functions that say so may give it away and come back on another one. Nothing here is lost: a
 * wake-up of a thread that does not sleep lets its next iov_thread_block() return at once, so every
 * sleeper checks its condition in a loop.
 */
#ifndef IOV_HYPERVISOR_HOST_H
#define IOV_HYPERVISOR_HOST_H

#include "core/object/model.h"

#define IOV_TYPE_LINUX_HOST (iov_linux_host_get_type())
GType iov_linux_host_get_type(void);
typedef struct _IovLinuxHost IovLinuxHost; /* kinds are derived from it: host-private.h */
typedef struct _IovLinuxHostClass IovLinuxHostClass;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(IovLinuxHost, g_object_unref)

/* Vectors of the host kernel. Device vectors are given out from the first one up. */
enum {
    IOV_HOST_VECTOR_DEVICE = 0x30,
    IOV_HOST_VECTOR_TIMER = 0xec,
    IOV_HOST_VECTOR_POSTED_WAKEUP = 0xf1,
    IOV_HOST_VECTOR_POSTED = 0xf2,
    IOV_HOST_VECTOR_RESCHEDULE = 0xfd,
};

struct iov_host_cpu;
struct iov_thread;
typedef void iov_thread_fn(void *argument);

enum iov_thread_state {
    IOV_THREAD_BLOCKED,
    IOV_THREAD_RUNNABLE,
    IOV_THREAD_RUNNING,
    IOV_THREAD_ENDED
};

struct iov_thread {
    struct iov_exec exec; /* holder of spans: the thread's address */
    IovLinuxHost *host;
    struct iov_fiber *fiber;
    struct iov_host_cpu *cpu;      /* where it runs, waits to run, or ran last */
    uint8_t state;                 /* enum iov_thread_state */
    bool idle;                     /* it is the idle thread of its processor */
    bool waiting;                  /* on the list of a lock */
    bool woken;                    /* a wake-up came while it did not sleep */
    iov_time vruntime;             /* fair share: the one with the least runs next */
    iov_time since;                /* got its processor */
    iov_time cpu_time;             /* had a processor, since the statistics were reset */
    uint64_t affinity;             /* a bit for each host processor that it may run on */
    uint64_t switches;             /* times it got a processor */
    struct iov_host_cpu *warm_cpu; /* whose caches it filled */
    iov_time warm_at;              /* how long threads had used that processor when it left */
    /* Told when it loses its processor (preempted: it would go on) and when it has one again; NULL:
     * nobody wants to know. They do not wait. */
    void (*sched_out)(struct iov_thread *thread, bool preempted);
    void (*sched_in)(struct iov_thread *thread);
    void *owner;        /* theirs */
    const void *domain; /* under Xen: whose vCPU it is */
    iov_thread_fn *function;
    void *argument;
    char *name;
    struct iov_thread *next_of_all;
    struct iov_thread *next_waiter; /* for a lock */
};

/*
 * A new thread that runs function(argument) as soon as it gets a processor of `affinity` (0: any).
 * Belongs to the host. May be called from realize() on.
 */
struct iov_thread *iov_thread_new(IovLinuxHost *host, const char *name, uint64_t affinity,
                                  iov_thread_fn *function, void *argument);
/* Uses the processor for `cost`. May lose it to another thread in between. */
static inline void iov_thread_compute(struct iov_thread *thread, iov_time cost, enum iov_part part)
{
    iov_exec_compute(&thread->exec, cost, part);
}
/* Sleeps until woken. On the thread's own fiber. */
void iov_thread_block(struct iov_thread *thread);
/* Sleeps until woken or `until`; true if woken. */
bool iov_thread_block_until(struct iov_thread *thread, iov_time until);
/*
 * Wakes `thread`. `waker` is the stream that does it and pays for it, or NULL in an event. The
 * thread becomes the holder of `span` if the waker (or, without one, whoever) held it.
 */
void iov_thread_wake(struct iov_exec *waker, struct iov_thread *thread, struct iov_span *span);
/* A place where a thread gives way if another should run: the return to user space, the entry of a
 * guest. */
void iov_thread_resched(struct iov_thread *thread);
/* Lets another of the same processor run first, unless that has run the wake-up granularity longer.
 * It costs no virtual run time. LIMIT: KVM names the vCPU that it yields to. */
void iov_thread_yield(struct iov_thread *thread);
/* Nobody waits for the running thread's processor. */
bool iov_thread_alone(const struct iov_thread *thread);
/* CPU time of a thread up to now. */
iov_time iov_thread_cpu_time(const struct iov_thread *thread);

/* A lock with sleeping waiters, as a user-space mutex on a futex. Initialise with zeros. */
struct iov_host_lock {
    enum iov_part part; /* that going to sleep for it is booked as; 0: IOV_PART_EMULATOR */
    struct iov_thread *owner;
    struct iov_thread *first; /* waiters, in the order of their coming */
    struct iov_thread *last;
    uint64_t contentions;
};
void iov_host_lock(struct iov_thread *thread, struct iov_host_lock *lock);
void iov_host_unlock(struct iov_thread *thread, struct iov_host_lock *lock);

/*
 * A handler of a host interrupt. It runs on the fiber of the stream that was interrupted, with
 * interrupts off, and must not sleep. `span` is the request that the interrupt announced; the
 * stream holds it.
 */
struct iov_host_irq {
    void (*handle)(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span);
};
/* A vector of host processor `cpu` for `irq`. Slow plane. False if all are taken. */
bool iov_host_irq_alloc(IovLinuxHost *host, unsigned cpu, struct iov_host_irq *irq,
                        uint8_t *ret_vector);
/* The interrupt of a vector that came to `thread`'s processor, with interrupts off: what the
 * interrupt gate or an exit leads to. */
void iov_host_interrupt(struct iov_thread *thread, uint8_t vector);

/*
 * Who sleeps until the posted-interrupt wake-up vector of its processor finds that it is wanted.
 * Initialise wanted, leave the rest zero. Removing one that is not on a list does nothing.
 */
struct iov_host_sleeper {
    bool (*wanted)(struct iov_host_sleeper *sleeper);
    struct iov_thread *thread;
    struct iov_host_cpu *cpu; /* on whose list it is */
    struct iov_host_sleeper *next;
};
void iov_host_sleeper_add(struct iov_host_sleeper *sleeper, struct iov_thread *thread);
void iov_host_sleeper_remove(struct iov_host_sleeper *sleeper);

/* Work at the end of a host interrupt, with interrupts on, not preempted. Initialise run, leave the
 * rest zero. */
struct iov_host_softirq {
    void (*run)(struct iov_host_softirq *softirq, struct iov_exec *exec);
    struct iov_host_softirq *next;
    bool raised;
};
/* From a handler of an interrupt on the same processor. */
void iov_host_softirq_raise(struct iov_exec *exec, struct iov_host_softirq *softirq);

/* A high-resolution timer: an interrupt on a processor, and in it expire(). */
struct iov_host_timer {
    struct iov_event event;
    IovLinuxHost *host;
    struct iov_host_cpu *cpu;
    struct iov_host_timer *next; /* expired */
    struct iov_host_timer *after,
        **before; /* armed on the same processor; before NULL: it is not */
    iov_time when;
    bool expired; /* the interrupt is on its way */
    void (*expire)(struct iov_host_timer *timer, struct iov_exec *exec);
};
void iov_host_timer_init(struct iov_host_timer *timer, IovLinuxHost *host,
                         void (*expire)(struct iov_host_timer *timer, struct iov_exec *exec));
/* Arms or re-arms it on host processor `cpu`. */
void iov_host_timer_arm(struct iov_host_timer *timer, unsigned cpu, iov_time when);
void iov_host_timer_cancel(struct iov_host_timer *timer);

/* The thread whose fiber is running, perhaps in an interrupt on top of it; NULL in an event. */
struct iov_thread *iov_host_current(const IovLinuxHost *host);
/* Is an interrupt or softirq running on the thread's processor? */
bool iov_host_in_interrupt(const struct iov_thread *thread);
/* Affinity mask of a list of processor numbers; 0 for an empty list. */
uint64_t iov_host_mask(const IovLinuxHost *host, const struct iov_count_list *cpus);
/* Whether the (realized) host has all of them; if not, `property` of `model` is what is wrong. */
bool iov_host_has(const IovLinuxHost *host, const struct iov_count_list *cpus, IovModel *model,
                  const char *property, GError **error);
unsigned iov_host_cpu_count(const IovLinuxHost *host);
struct iov_processor *iov_host_processor(const IovLinuxHost *host, unsigned cpu);
unsigned iov_host_cpu_index(const struct iov_host_cpu *cpu);
/* VMX operation of a processor, entered on first use. False if VMXON failed. `region`: 4 KiB of
 * host memory. */
bool iov_host_vmx_enable(struct iov_thread *thread, iov_hpa region);
/* Which VMCS is current on a processor: a number of the caller's choice, 0 none. */
uint64_t *iov_host_vmcs_current(struct iov_thread *thread);
uint64_t *iov_host_vmcs_current_of(struct iov_host_cpu *cpu);
/*
 * Host memory for `size` bytes: at `base`, or behind whatever was given out there. Slow plane;
 * never fails (an address without memory behind it is found out when it is used).
 */
iov_hpa iov_host_claim_memory(IovLinuxHost *host, iov_hpa base, uint64_t size);
/* Numbers for VPIDs: `count` of them that nobody else has, from 1 up. */
uint16_t iov_host_vpids(IovLinuxHost *host, unsigned count);

#endif
