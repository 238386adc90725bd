/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux-host - the host kernel: its threads, and how a processor goes from one to the next. Who is
 * next is in host-queue.c, where a thread runs in host-place.c, interrupts and timers are in
 * host-irq.c.
 *
 * The hand-over of a processor takes no time, the context switch is paid by the thread that comes.
 */
#include <string.h>

#include "core/kernel/fiber-wait-private.h"
#include "core/trace/measure.h"
#include "models/hypervisor/host-private.h"

#define POLL_ROUND IOV_MS /* an interrupt cuts it; only the number of rounds depends on it */
enum { APIC_SVR = 0xf0, APIC_ENABLED = 0x1ff }; /* SPEC: SDM vol. 3A, 11.9 */
static const char *const idle_stats[IOV_HOST_IDLE_STATES] = { "idle-c1", "idle-c1e", "idle-c6" };
static const char *const idle_kinds[] = { "hlt", "poll", NULL };
static const char *const scalings[] = { "none", "logarithmic", "linear", NULL };

G_DEFINE_TYPE(IovLinuxHost, iov_linux_host, IOV_TYPE_MODEL)

/* ---- Switching ---- */

static void wait_running(struct iov_thread *thread)
{
    while (thread->state != IOV_THREAD_RUNNING) {
        iov_fiber_park_inline(thread->host->parent_instance.kernel, IOV_TIME_MAX);
        if (thread->state == IOV_THREAD_RUNNABLE && thread->cpu->rest.heir == thread->fiber)
            iov_host_idle_over(thread->cpu);
    }
}

static void current_set(struct iov_host_cpu *cpu, struct iov_thread *thread)
{
    cpu->current = thread;
    thread->state = IOV_THREAD_RUNNING;
    thread->exec.processor = cpu->processor;
    cpu->processor->running = &thread->exec;
    if (iov_event_armed(&cpu->slice) || cpu->slice_over)
        iov_host_slice_end(cpu);
}

/* The processor goes to a thread that waited for it. */
static void give(struct iov_host_cpu *cpu, struct iov_thread *to)
{
    if (to->domain != NULL && to->domain != cpu->current->domain) {
        cpu->host->domain_switches++;
        cpu->host->measure->counters.domain_switches++;
    }
    current_set(cpu, to);
    to->since = iov_now(cpu->host->parent_instance.kernel);
    to->switches++;
    iov_host_slice_arm(cpu);
    iov_fiber_unpark(to->fiber);
}

/* Nobody waits for it. True: it rests. */
static bool give_to_idle(struct iov_host_cpu *cpu)
{
    current_set(cpu, cpu->idle);
    cpu->host->free |= UINT64_C(1) << cpu->index;
    if (iov_host_idle_rest(cpu))
        return true;
    iov_fiber_unpark(cpu->idle->fiber);
    return false;
}

/*
 * What a thread waits for memory because others used the private caches since it left them: in
 * proportion to how long they did, all of it after a move. LIMIT: the working set of every thread
 * has one size.
 */
static iov_time cold_caches(struct iov_thread *thread)
{
    IovLinuxHost *host = thread->host;
    struct iov_host_cpu *cpu = thread->cpu;
    iov_time others = host->turnover;

    if (!host->cache_refill || thread->idle)
        return 0;
    if (thread->warm_cpu == cpu)
        others = MIN(others, cpu->used - thread->warm_at);
    else if (host->turnover == 0)
        return host->refill;
    if (others == 0)
        return 0;
    host->refills++;
    return (iov_time)((unsigned __int128)host->refill * others / host->turnover);
}

/*
 * What it takes to load a thread's state, if the processor has another one's: one that went idle
 * has not been touched since, and a thread that ran elsewhere has taken its state along. The first
 * of all finds it there.
 */
static iov_time load_state(struct iov_thread *thread)
{
    struct iov_host_cpu *cpu = thread->cpu;
    struct iov_host_cpu *before = thread->warm_cpu;
    bool first = cpu->holds == NULL;

    if (thread->idle || cpu->holds == thread)
        return 0;
    if (before != NULL && before->holds == thread)
        before->holds = before->idle;
    cpu->holds = thread;
    if (first)
        return 0;
    thread->host->state_loads++;
    return thread->host->state_load;
}

/* The other half of a switch, on the thread that comes: it pays, with interrupts off. */
static void arrive(struct iov_thread *thread)
{
    IovLinuxHost *host = thread->host;
    bool interrupts = thread->exec.interrupts;
    iov_time cold = cold_caches(thread);
    iov_time state = load_state(thread);

    host->context_switches++;
    host->refill_time += cold;
    if (!thread->idle)
        host->measure->counters.context_switches++;
    thread->exec.interrupts = false;
    iov_exec_compute(&thread->exec, host->context_switch + state + cold, IOV_PART_WAKEUP);
    thread->exec.interrupts = interrupts;
    if (interrupts)
        thread->exec.processor->ops->boundary(&thread->exec);
}

/* The processor goes to the next thread; `thread` goes on there, when it may, or goes on
 * `elsewhere` if that is not NULL. */
static void leave(struct iov_thread *thread, struct iov_host_cpu *elsewhere)
{
    struct iov_host_cpu *cpu = thread->cpu;
    struct iov_thread *to = iov_host_queue_pop(cpu);

    if (to == NULL && cpu->host->crowded != 0)
        to = iov_host_pull(cpu);
    cpu->need_resched = false;
    if (to == thread) {
        thread->state = IOV_THREAD_RUNNING;
        return;
    }
    if (thread->sched_out != NULL)
        thread->sched_out(thread, thread->state == IOV_THREAD_RUNNABLE);
    thread->exec.processor = NULL;
    thread->warm_cpu = cpu;
    thread->warm_at = cpu->used;
    if (to != NULL)
        give(cpu, to);
    else if (give_to_idle(cpu) && elsewhere == NULL)
        cpu->left = thread;
    if (thread->state == IOV_THREAD_ENDED)
        return;
    if (elsewhere != NULL)
        iov_host_enqueue_at(NULL, thread, elsewhere);
    wait_running(thread);
    if (thread->sched_in != NULL)
        thread->sched_in(thread);
    if (thread->idle && cpu->resting)
        iov_host_idle_rested(cpu);
    else
        arrive(thread);
}

void iov_host_schedule(struct iov_thread *thread)
{
    struct iov_host_cpu *cpu = thread->cpu;

    iov_host_account(thread);
    cpu->need_resched = false;
    if (cpu->queued == 0)
        return;
    thread->state = IOV_THREAD_RUNNABLE;
    if (!thread->idle)
        iov_host_queue_insert(cpu, thread);
    leave(thread, NULL);
}

void iov_host_move(struct iov_thread *thread, struct iov_host_cpu *to)
{
    iov_host_account(thread);
    thread->state = IOV_THREAD_RUNNABLE;
    leave(thread, to);
}

void iov_host_idle_give(struct iov_host_cpu *cpu)
{
    cpu->need_resched = false;
    cpu->idle->state = IOV_THREAD_RUNNABLE;
    give(cpu, iov_host_queue_pop(cpu));
}

void iov_thread_resched(struct iov_thread *thread)
{
    if (thread->cpu->need_resched)
        iov_host_schedule(thread);
}

bool iov_thread_alone(const struct iov_thread *thread)
{
    return thread->cpu->queued == 0;
}

void iov_thread_yield(struct iov_thread *thread)
{
    struct iov_host_cpu *cpu = thread->cpu;

    iov_host_account(thread);
    if (cpu->queued == 0)
        return;
    cpu->skipped = thread;
    iov_host_schedule(thread);
}

void iov_thread_block(struct iov_thread *thread)
{
    if (!thread->woken) {
        iov_host_account(thread);
        thread->state = IOV_THREAD_BLOCKED;
        leave(thread, NULL);
    }
    thread->woken = false;
}

struct sleep_timer {
    struct iov_host_timer timer;
    struct iov_thread *thread;
    bool expired;
};

static void on_sleep_over(struct iov_host_timer *timer, struct iov_exec *exec)
{
    struct sleep_timer *sleeper = iov_container_of(timer, struct sleep_timer, timer);

    sleeper->expired = true;
    iov_thread_wake(exec, sleeper->thread, NULL);
}

bool iov_thread_block_until(struct iov_thread *thread, iov_time until)
{
    struct sleep_timer sleeper = { .thread = thread };
    bool woken;

    if (until == IOV_TIME_MAX || thread->woken) {
        iov_thread_block(thread);
        return true;
    }
    iov_host_timer_init(&sleeper.timer, thread->host, on_sleep_over);
    iov_host_timer_arm(&sleeper.timer, thread->cpu->index, until);
    iov_thread_block(thread);
    woken = !sleeper.expired;
    iov_host_timer_cancel(&sleeper.timer);
    return woken;
}

/* ---- Threads ---- */

static void thread_main(void *argument)
{
    struct iov_thread *thread = argument;

    wait_running(thread);
    if (!thread->idle)
        arrive(thread);
    thread->function(thread->argument);
    iov_host_account(thread);
    thread->state = IOV_THREAD_ENDED;
    leave(thread, NULL);
}

/* As the real one: look with interrupts off, and halt in the shadow of STI, so that no wake-up
 * slips between. */
static void idle_main(void *argument)
{
    struct iov_thread *thread = argument;
    struct iov_host_cpu *cpu = thread->cpu;

    for (;;) {
        if (cpu->host->idle == IDLE_POLL) {
            if (cpu->queued > 0) /* since before there were interrupts */
                iov_host_schedule(thread);
            else
                iov_exec_compute(&thread->exec, POLL_ROUND, IOV_PART_HOST);
            continue;
        }
        thread->exec.interrupts = false;
        if (cpu->queued > 0) {
            iov_host_schedule(thread);
        } else {
            thread->exec.interrupts = true;
            thread->exec.blocking |= IOV_BLOCKING_STI;
            iov_host_idle_enter(cpu);
            iov_exec_do(&thread->exec, IOV_OP_HLT);
            iov_host_idle_leave(cpu);
        }
    }
}

static struct iov_thread *thread_make(IovLinuxHost *host, const char *name, uint64_t affinity,
                                      iov_thread_fn *function, void *argument)
{
    struct iov_thread *thread = g_new0(struct iov_thread, 1);

    thread->host = host;
    thread->name = g_strdup(name);
    thread->affinity = affinity;
    thread->function = function;
    thread->argument = argument;
    thread->exec.program = &host->program;
    thread->exec.holder = thread;
    thread->exec.interrupts = true;
    thread->exec.part = IOV_PART_HOST;
    thread->exec.owner = thread;
    thread->next_of_all = host->threads;
    host->threads = thread;
    host->thread_count++;
    iov_host_queues_fit(host);
    return thread;
}

static iov_time busy_of_thread(const void *thread)
{
    return iov_thread_cpu_time(thread);
}

struct iov_thread *iov_thread_new(IovLinuxHost *host, const char *name, uint64_t affinity,
                                  iov_thread_fn *function, void *argument)
{
    uint64_t all = host->count < 64 ? (UINT64_C(1) << host->count) - 1 : UINT64_MAX;
    uint64_t mask = affinity & all;
    uint64_t shared = all & ~iov_host_mask(host, &host->isolate);
    struct iov_thread *thread;

    if (mask == 0)
        mask = shared != 0 ? shared : all;
    thread = thread_make(host, name, mask, function, argument);

    thread->fiber = iov_fiber_new(host->parent_instance.kernel, name, thread_main, thread);
    if (host->measure != NULL)
        iov_measure_watch_thread(host->measure, name, busy_of_thread, thread);
    iov_host_enqueue(thread);
    return thread;
}

/* ---- Life ---- */

static bool iov_linux_host_realize(IovModel *model, GError **error)
{
    IovLinuxHost *self = (IovLinuxHost *)(void *)model;

    if (self->cpus.count == 0 || self->cpus.count > 64)
        return iov_model_fail(model, error, "cpus: 1 to 64 processors are possible, not %u",
                              self->cpus.count);
    self->measure = model->run->measure;
    self->count = self->cpus.count;
    self->fair =
        (struct iov_fair){ self->latency, self->min_granularity, self->wakeup_granularity };
    iov_fair_scale(&self->fair, (enum iov_fair_scaling)self->tunable_scaling, self->count);
    self->program.ops = &iov_host_program_ops;
    self->processors = g_new0(struct iov_host_cpu, self->count);
    for (unsigned i = 0; i < self->count; i++) {
        struct iov_host_cpu *cpu = &self->processors[i];
        g_autofree char *name = g_strdup_printf("idle%u", i);

        cpu->host = self;
        cpu->index = i;
        cpu->processor = iov_model_port(self->cpus.items[i], "processor", 0);
        cpu->next_vector = IOV_HOST_VECTOR_DEVICE;
        iov_host_slice_init(cpu);
        cpu->idle = thread_make(self, name, UINT64_C(1) << i, idle_main, NULL);
        cpu->idle->argument = cpu->idle;
        cpu->idle->idle = true;
        cpu->idle->cpu = cpu;
        cpu->idle->state = IOV_THREAD_RUNNING;
        cpu->current = cpu->idle;
        self->free |= UINT64_C(1) << i;
    }
    return iov_host_has(self, &self->isolate, model, "isolate", error);
}

static void iov_linux_host_start(IovModel *model)
{
    IovLinuxHost *self = (IovLinuxHost *)(void *)model;

    for (unsigned i = 0; i < self->count; i++) {
        struct iov_host_cpu *cpu = &self->processors[i];

        cpu->processor->apic->ops->write(cpu->processor->apic, APIC_SVR, APIC_ENABLED);
        cpu->idle->exec.processor = cpu->processor;
        if (cpu->current == cpu->idle)
            cpu->processor->running = &cpu->idle->exec;
        cpu->idle->fiber = iov_fiber_new(model->kernel, cpu->idle->name, thread_main, cpu->idle);
        iov_host_idle_init(cpu);
    }
}

static void processors_sum(const IovLinuxHost *self, iov_time *ret_busy, iov_time *ret_idle)
{
    iov_time busy = 0;
    iov_time idle = 0;

    for (unsigned i = 0; i < self->count; i++) {
        iov_processor_settle(self->processors[i].processor);
        busy += self->processors[i].processor->busy;
        idle += self->processors[i].processor->idle;
    }
    *ret_busy = busy;
    *ret_idle = idle;
}

static void iov_linux_host_reset_statistics(IovModel *model)
{
    IovLinuxHost *self = (IovLinuxHost *)(void *)model;

    for (struct iov_thread *thread = self->threads; thread != NULL; thread = thread->next_of_all) {
        if (thread->state == IOV_THREAD_RUNNING)
            iov_host_account(thread);
        thread->cpu_time = 0;
        thread->switches = 0;
    }
    for (unsigned i = 0; i < self->count; i++)
        iov_host_idle_settle(&self->processors[i]);
    memset(self->idle_entries, 0, sizeof self->idle_entries);
    self->interrupts = 0;
    processors_sum(self, &self->busy_base, &self->idle_base);
}

static void iov_linux_host_update_statistics(IovModel *model)
{
    IovLinuxHost *self = (IovLinuxHost *)(void *)model;

    for (unsigned i = 0; i < self->count; i++)
        iov_host_idle_settle(&self->processors[i]);
    processors_sum(self, &self->busy_time, &self->idle_time);
    self->busy_time -= MIN(self->busy_time, self->busy_base);
    self->idle_time -= MIN(self->idle_time, self->idle_base);
}

static void iov_linux_host_finalize(GObject *object)
{
    IovLinuxHost *self = (IovLinuxHost *)(void *)object;

    while (self->threads != NULL) {
        struct iov_thread *thread = self->threads;
        self->threads = thread->next_of_all;
        g_free(thread->name);
        g_free(thread);
    }
    for (unsigned i = 0; self->processors != NULL && i < self->count; i++)
        g_free(self->processors[i].queue);
    g_free(self->processors);
    g_array_unref(self->memory);
    G_OBJECT_CLASS(iov_linux_host_parent_class)->finalize(object);
}

static void iov_linux_host_class_init(IovLinuxHostClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "linux-host",
                             "Host kernel: threads, scheduler, interrupts, timers");
    IOV_PROP_REF_LIST(mc, IovLinuxHost, cpus, "cpu", true, "Processors of the host");
    IOV_PROP_COUNT_LIST(mc, IovLinuxHost, isolate, 0, 63,
                        "Processors that only threads use that name them, as with isolcpus");
    IOV_PROP_TIME(mc, IovLinuxHost, latency, 10 * IOV_US, IOV_SEC, IOV_FAIR_LATENCY,
                  "Threads that want one processor share it out among them");
    IOV_PROP_TIME(mc, IovLinuxHost, min_granularity, 10 * IOV_US, IOV_SEC, IOV_FAIR_MIN_GRANULARITY,
                  "Least turn of a thread while others wait for its processor");
    IOV_PROP_TIME(mc, IovLinuxHost, wakeup_granularity, 0, IOV_SEC, IOV_FAIR_WAKEUP_GRANULARITY,
                  "A woken thread preempts one that has run this much longer");
    IOV_PROP_ENUM(mc, IovLinuxHost, tunable_scaling, scalings, IOV_FAIR_LOGARITHMIC,
                  "How these three grow with the processors, up to eight: not; by one for each "
                  "doubling; with their number");
    IOV_PROP_TIME(mc, IovLinuxHost, migration_cost, 0, IOV_SEC, 500 * IOV_US,
                  "A processor without work takes a thread over that waits elsewhere and has not "
                  "run for so long");
    IOV_PROP_ENUM(mc, IovLinuxHost, idle, idle_kinds, IDLE_HLT, "What an idle processor does");
    IOV_PROP_COUNT(mc, IovLinuxHost, idle_states, 1, IOV_HOST_IDLE_STATES, 1,
                   "Idle states of a processor that halts: C1; C1E too; C6 too");
    IOV_PROP_BOOL(mc, IovLinuxHost, cache_refill, false,
                  "A thread that comes back waits for memory as others used the caches");
    IOV_PROP_BOOL(
        mc, IovLinuxHost, irq_time_accounting, false,
        "A thread leaves a processor whose time goes to interrupts, if another one is idle");
    IOV_COST(mc, IovLinuxHost, idle_exit[1], "idle-exit-c1e", "Leaving C1E");
    IOV_COST(mc, IovLinuxHost, idle_exit[2], "idle-exit-c6", "Leaving C6");
    IOV_COST(mc, IovLinuxHost, idle_residency[1], "idle-residency-c1e",
             "Least idle time that C1E is chosen for");
    IOV_COST(mc, IovLinuxHost, idle_residency[2], "idle-residency-c6",
             "Least idle time that C6 is chosen for");
    IOV_COST(mc, IovLinuxHost, refill, "host-cache-refill",
             "A thread's working set, back into the private caches");
    IOV_COST(mc, IovLinuxHost, turnover, "host-cache-turnover",
             "How long others use a processor until nothing of a thread is left in its caches");
    IOV_COST(mc, IovLinuxHost, wake_up, "host-wake-up", "Waking a thread, on the waker");
    IOV_COST(mc, IovLinuxHost, context_switch, "host-context-switch", "Switch to another thread");
    IOV_COST(mc, IovLinuxHost, interrupt, "host-interrupt", "Entry and exit of a device interrupt");
    IOV_COST(mc, IovLinuxHost, timer_interrupt, "host-timer-interrupt",
             "A timer interrupt, handlers apart");
    IOV_COST(mc, IovLinuxHost, reschedule, "host-reschedule-interrupt", "A reschedule interrupt");
    IOV_COST(mc, IovLinuxHost, lock_slow, "host-lock-contended",
             "Going to sleep for a user-space lock");
    IOV_STAT(mc, IovLinuxHost, context_switches,
             "Switches of processors between threads, idle ones too");
    IOV_STAT(mc, IovLinuxHost, wakeups, "Threads woken");
    IOV_STAT(mc, IovLinuxHost, preemptions, "Threads that had to give way");
    IOV_STAT(mc, IovLinuxHost, migrations, "Threads that changed processors");
    IOV_STAT(mc, IovLinuxHost, interrupts, "Host interrupts handled");
    IOV_STAT(mc, IovLinuxHost, reschedules, "Reschedule interrupts sent");
    IOV_STAT(mc, IovLinuxHost, timers, "Timers expired");
    IOV_STAT(mc, IovLinuxHost, spurious, "Interrupts of vectors that nobody handles");
    for (unsigned i = 0; i < IOV_HOST_IDLE_STATES; i++)
        iov_model_class_add_stat(
            mc, &(struct iov_stat){ .name = idle_stats[i],
                                    .type = IOV_STAT_TYPE_COUNT,
                                    .offset = G_STRUCT_OFFSET(IovLinuxHost, idle_entries) +
                                              i * sizeof(uint64_t),
                                    .text = "Times a halting processor went to this idle state" });
    IOV_STAT(mc, IovLinuxHost, idle_too_deep, "Of them, for less than the target residency");
    IOV_STAT(mc, IovLinuxHost, refills, "Switches to threads whose caches were cold");
    IOV_STAT_TIME(mc, IovLinuxHost, refill_time, "Waiting for memory after switches");
    IOV_STAT_TIME(mc, IovLinuxHost, busy_time, "Processors in use");
    IOV_STAT_TIME(mc, IovLinuxHost, idle_time, "Processors idle");
    IOV_STAT_TIME(mc, IovLinuxHost, interrupt_time, "Of it, in host interrupts and softirqs");
    mc->realize = iov_linux_host_realize;
    mc->start = iov_linux_host_start;
    mc->reset_statistics = iov_linux_host_reset_statistics;
    mc->update_statistics = iov_linux_host_update_statistics;
    G_OBJECT_CLASS(klass)->finalize = iov_linux_host_finalize;
}

static void iov_linux_host_init(IovLinuxHost *self)
{
    self->memory = g_array_new(false, false, sizeof(struct iov_host_range));
}
