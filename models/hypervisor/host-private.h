/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the host kernel, shared by its files: scheduler (host.c, host-place.c, host-idle.c)
 * and interrupts (host-irq.c). */
#ifndef IOV_HYPERVISOR_HOST_PRIVATE_H
#define IOV_HYPERVISOR_HOST_PRIVATE_H

#include "core/linux/fair.h"
#include "core/linux/menu.h"
#include "models/hypervisor/host.h"

enum iov_host_idle { IDLE_HLT, IDLE_POLL };
enum { IOV_HOST_IDLE_STATES = 3 }; /* C1, C1E, C6 */

/* A runnable thread; who puts it in its place looks at none of the others. */
struct iov_host_waiting {
    iov_time vruntime;
    struct iov_thread *thread;
};

struct iov_host_cpu {
    IovLinuxHost *host;
    unsigned index;
    struct iov_processor *processor;
    struct iov_thread *idle;
    struct iov_thread *current;
    /* The last one here, while the processor rests and nobody waits for it; or NULL. */
    struct iov_thread *left;
    const struct iov_thread *holds; /* whose state its registers have: idleness changes nothing */
    struct iov_host_waiting *queue; /* the last one runs next: least vruntime, then first come */
    unsigned queued;
    const struct iov_thread *skipped; /* it has yielded and not run since; or NULL */
    iov_time vruntime_floor;          /* where a newcomer starts */
    iov_time used;                    /* by threads, since ever */
    iov_time period_begin;            /* since then ... */
    iov_time interrupted;             /* ... by interrupts and softirqs */
    iov_time idle_since;
    struct iov_menu menu; /* expects how long it will be idle */
    unsigned idle_state;
    struct iov_rest rest;
    bool rests;        /* idles without its idle thread's fiber, where that can be */
    bool resting;      /* it idles without its idle thread's fiber, and halts at idle_since */
    bool counted_halt; /* in the statistics, of the rest that goes on */
    bool counted_handler;
    struct iov_host_timer *timers; /* armed */
    bool need_resched;
    uint8_t irq_depth;
    bool in_softirq;
    struct iov_event slice;
    iov_time slice_begin; /* while it is armed: somebody waits since then */
    bool slice_over;      /* a timer interrupt is on its way to say so */
    struct iov_host_irq *irqs[256];
    unsigned next_vector;
    struct iov_host_softirq *softirqs;
    struct iov_host_timer *expired;
    struct iov_host_sleeper *sleepers;
    bool vmx_on;
    uint64_t vmcs_current;
};

struct iov_host_range {
    iov_hpa base;
    uint64_t size;
};

struct _IovLinuxHostClass {
    IovModelClass parent_class;
};

struct _IovLinuxHost {
    IovModel parent_instance;
    uint64_t free;                            /* by processor: it idles and nobody waits for it */
    uint64_t crowded;                         /* by processor: its slice is armed */
    struct iov_model_list cpus;               /* property */
    struct iov_count_list isolate;            /* property */
    iov_time latency;                         /* property */
    iov_time min_granularity;                 /* property */
    iov_time wakeup_granularity;              /* property */
    int tunable_scaling;                      /* property: enum iov_fair_scaling */
    iov_time migration_cost;                  /* property */
    int idle;                                 /* property: enum iov_host_idle */
    uint32_t idle_states;                     /* property */
    bool cache_refill;                        /* property */
    bool irq_time_accounting;                 /* property */
    iov_time idle_exit[IOV_HOST_IDLE_STATES]; /* costs; the first is the processor's own */
    iov_time idle_residency[IOV_HOST_IDLE_STATES];
    iov_time refill, turnover;
    iov_time wake_up;
    iov_time context_switch;
    iov_time state_load; /* of the kind whose threads are vCPUs: the state of another one, besides
                            the switch */
    iov_time interrupt;
    iov_time timer_interrupt;
    iov_time reschedule;
    iov_time lock_slow;
    struct iov_program program;
    struct iov_host_cpu *processors;
    unsigned count;
    struct iov_fair fair; /* the three times above, on this machine */
    struct iov_thread *threads;
    unsigned thread_count, queue_room; /* what each processor's queue has room for: all threads */
    uint16_t vpids;
    GArray *memory; /* struct iov_host_range: given out */
    struct iov_measure *measure;
    uint64_t context_switches, wakeups, preemptions, migrations, interrupts, reschedules, timers,
        spurious;             /* stats */
    uint64_t domain_switches; /* of the kind that has domains: a processor went to another domain's
                                 vCPU */
    uint64_t state_loads;     /* of them, those that had to load its state */
    uint64_t idle_entries[IOV_HOST_IDLE_STATES], idle_too_deep, refills; /* stats */
    iov_time refill_time;
    iov_time busy_time; /* statistics */
    iov_time idle_time;
    iov_time interrupt_time;
    iov_time busy_base, idle_base; /* of the processors when the statistics were reset */
};

extern const struct iov_program_ops iov_host_program_ops;

static inline struct iov_thread *iov_thread_of(struct iov_exec *exec)
{
    return iov_container_of(exec, struct iov_thread, exec);
}

/* host-queue.c */
void iov_host_queue_insert(struct iov_host_cpu *cpu, struct iov_thread *thread);
struct iov_thread *iov_host_queue_take(struct iov_host_cpu *cpu, unsigned place);
/* Who runs next; NULL: nobody waits. */
struct iov_thread *iov_host_queue_pop(struct iov_host_cpu *cpu);
/* Every thread may wait for the same processor. */
void iov_host_queues_fit(IovLinuxHost *host);
/* Books the time that a running thread has had its processor. */
void iov_host_account(struct iov_thread *thread);
void iov_host_slice_init(struct iov_host_cpu *cpu);
/* Somebody may wait now. */
void iov_host_slice_arm(struct iov_host_cpu *cpu);
/* Nobody waits behind the running thread, or the slice is over. */
void iov_host_slice_end(struct iov_host_cpu *cpu);
/* From a timer interrupt: is the time slice of the running thread over? */
void iov_host_slice_check(struct iov_host_cpu *cpu);
/* host.c */
/* Gives the processor to the next thread if that is another one; comes back when `thread` runs
 * again. */
void iov_host_schedule(struct iov_thread *thread);
/* The running thread goes on at another processor. */
void iov_host_move(struct iov_thread *thread, struct iov_host_cpu *to);
/* host-place.c */
/* Puts a thread that can run on a queue and lets the processor know if it should run at once; at
 * the one that suits it best, or at `cpu`. */
void iov_host_enqueue(struct iov_thread *thread);
void iov_host_enqueue_at(struct iov_exec *waker, struct iov_thread *thread,
                         struct iov_host_cpu *cpu);
/*
 * The thread that has not run for longest of those that wait for other processors, may run at this
 * one, and have cold caches; or NULL.
 */
struct iov_thread *iov_host_pull(struct iov_host_cpu *cpu);
/* Threads that wait go to idle processors, as far as there are any for them. */
void iov_host_share_waiting(struct iov_host_cpu *cpu);
/*
 * The processor was `interrupted` for so long. Where its thread had better go on, if interrupts
 * took much of the last period of half the latency and an idle processor is there for it; else
 * NULL.
 * LIMIT: Linux looks at an average that decays over 32 ms.
 */
struct iov_host_cpu *iov_host_refuge(struct iov_host_cpu *cpu, iov_time interrupted);
/* Around the halt of an idle processor. */
void iov_host_idle_enter(struct iov_host_cpu *cpu);
void iov_host_idle_leave(struct iov_host_cpu *cpu);
/*
 * An idle thread gets its processor: the switch to it, the halt and the interrupt that makes it
 * give the processor to a thread that was woken, without its fiber if that can be; false: not so.
 * At the interrupt's end the fiber of the thread that was woken first calls iov_host_idle_over(),
 * which gives the processor to whoever is to run. If something else comes it is the idle thread's
 * turn, and what that does first is iov_host_idle_rested(), which returns when the interrupt has
 * been handled, or the switch is over.
 */
void iov_host_idle_init(struct iov_host_cpu *cpu); /* its idle thread is made */
bool iov_host_idle_rest(struct iov_host_cpu *cpu);
void iov_host_idle_over(struct iov_host_cpu *cpu);
void iov_host_idle_rested(struct iov_host_cpu *cpu);
/* Statistics of a processor that rests are brought up to date. */
void iov_host_idle_settle(struct iov_host_cpu *cpu);
/* The idle thread, not on its fiber, gives its processor to the first that waits. */
void iov_host_idle_give(struct iov_host_cpu *cpu);

#endif
