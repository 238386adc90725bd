/* SPDX-License-Identifier: Apache-2.0 */
/* The host kernel shares processors fairly, wakes threads in time and loses no wake-up. */
#include "tests/models/hypervisor/machine.h"

static const struct bench_cost costs[] = {
    { "host-wake-up", 1000 * IOV_NS },
    { "host-context-switch", 500 * IOV_NS },
    { "host-interrupt", 300 * IOV_NS },
    { "host-timer-interrupt", 200 * IOV_NS },
    { "host-reschedule-interrupt", 100 * IOV_NS },
    { "hlt-wake", 2000 * IOV_NS },
    { "idle-exit-c1e", 10 * IOV_US },
    { "idle-exit-c6", 130 * IOV_US },
    { "idle-residency-c1e", 20 * IOV_US },
    { "idle-residency-c6", 600 * IOV_US },
    { "host-cache-refill", 8 * IOV_US },
    { "host-cache-turnover", 100 * IOV_US },
    { NULL, 0 },
};

static struct machine machine;

static void setup(void)
{
    machine_new(&machine, costs, 2);
    machine_wire(&machine);
}

static void start(void)
{
    bench_start(machine.bench);
}

static void teardown(void)
{
    bench_free(machine.bench);
}

TestSuite(host, .init = setup, .fini = teardown);

struct worker {
    struct iov_thread *thread;
    struct worker *other;
    struct iov_host_lock *lock;
    iov_time work;
    iov_time finished;
    iov_time woken_at;
    unsigned rounds;
    unsigned tokens;
};

static void work_main(void *argument)
{
    struct worker *worker = argument;

    iov_thread_compute(worker->thread, worker->work, IOV_PART_EMULATOR);
    worker->finished = machine_now(&machine);
}

static void worker_start(struct worker *worker, const char *name, uint64_t affinity,
                         iov_thread_fn *function)
{
    worker->thread = iov_thread_new(machine.host, name, affinity, function, worker);
}

Test(host, a_thread_alone_runs_without_interruption)
{
    struct worker worker = { .work = 10 * IOV_MS };

    start();
    machine_run(&machine, IOV_MS);
    worker_start(&worker, "alone", 1, work_main);
    machine_run(&machine, 50 * IOV_MS);
    /* reschedule interrupt, leaving HLT, switch, work */
    cr_assert(eq(u64, worker.finished, IOV_MS + (2000 + 100 + 500) * IOV_NS + 10 * IOV_MS));
    cr_assert(eq(u64, worker.thread->exec.used[IOV_PART_EMULATOR], 10 * IOV_MS));
}

/* Made by a part that starts before the host does. */
Test(host, a_thread_that_is_there_before_the_host_starts_runs_however_it_idles)
{
    for (unsigned idle = IDLE_HLT; idle <= IDLE_POLL; idle++) {
        struct worker worker = { .work = IOV_MS };

        teardown();
        setup();
        machine.host->idle = (int)idle;
        cr_assert(iov_model_realize((IovModel *)machine.host, NULL));
        worker_start(&worker, "early", 1, work_main);
        start();
        machine_run(&machine, 50 * IOV_MS);
        cr_assert(lt(u64, 0, worker.finished), "idle: %u", idle);
    }
}

Test(host, two_threads_on_one_processor_share_it_in_turns)
{
    struct worker a = { .work = 30 * IOV_MS };
    struct worker b = { .work = 30 * IOV_MS };

    start();
    worker_start(&a, "a", 1, work_main);
    worker_start(&b, "b", 1, work_main);
    machine_run(&machine, 40 * IOV_MS);
    cr_assert(lt(u64,
                 MAX(iov_thread_cpu_time(a.thread), iov_thread_cpu_time(b.thread)) -
                     MIN(iov_thread_cpu_time(a.thread), iov_thread_cpu_time(b.thread)),
                 7 * IOV_MS));
    machine_run(&machine, 40 * IOV_MS);
    cr_assert(lt(u64, 50 * IOV_MS, a.finished));
    cr_assert(lt(u64, 50 * IOV_MS, b.finished));
    cr_assert(lt(u64, MAX(a.finished, b.finished), 61 * IOV_MS));
}

/* The mean of `threads` that never sleep on one of `cpus` processors, in steps of 150 us. */
static iov_time turn_among(unsigned threads, unsigned cpus)
{
    struct worker workers[16] = { 0 };

    teardown();
    machine_new(&machine, costs, cpus);
    machine_wire(&machine);
    start();
    for (unsigned i = 0; i < threads; i++) {
        workers[i].work = 10 * IOV_SEC;
        worker_start(&workers[i], "busy", 1, work_main);
    }
    machine_run(&machine, 100 * IOV_MS);
    machine.host->preemptions = 0;
    machine_run(&machine, IOV_SEC);
    return (IOV_SEC / machine.host->preemptions + 75 * IOV_US) / (150 * IOV_US) * 150 * IOV_US;
}

Test(host, threads_share_out_the_latency_until_their_turns_are_of_the_least_length)
{
    cr_assert(eq(u64, turn_among(2, 1) / IOV_US, 3000));
    cr_assert(eq(u64, turn_among(4, 1) / IOV_US, 1500));
    cr_assert(eq(u64, turn_among(8, 1) / IOV_US, 750));
    cr_assert(eq(u64, turn_among(16, 1) / IOV_US, 750));
}

Test(host, turns_are_longer_by_one_with_each_doubling_of_the_processors_up_to_eight)
{
    cr_assert(eq(u64, turn_among(2, 2) / IOV_US, 6000));
    cr_assert(eq(u64, turn_among(2, 4) / IOV_US, 9000));
    cr_assert(eq(u64, turn_among(2, 7) / IOV_US, 9000));
    cr_assert(eq(u64, turn_among(2, 8) / IOV_US, 12000));
    cr_assert(eq(u64, turn_among(2, 16) / IOV_US, 12000));
}

Test(host, threads_that_may_run_anywhere_use_both_processors)
{
    struct worker a = { .work = 10 * IOV_MS };
    struct worker b = { .work = 10 * IOV_MS };

    start();
    machine_run(&machine, IOV_MS);
    worker_start(&a, "a", 0, work_main);
    worker_start(&b, "b", 0, work_main);
    machine_run(&machine, 20 * IOV_MS);
    cr_assert(ne(ptr, a.thread->cpu, b.thread->cpu));
    cr_assert(lt(u64, MAX(a.finished, b.finished), 12 * IOV_MS));
}

struct metronome {
    struct iov_host_timer timer;
    unsigned beats;
};

static void on_beat(struct iov_host_timer *timer, struct iov_exec *exec)
{
    struct metronome *metronome = iov_container_of(timer, struct metronome, timer);

    (void)exec;
    metronome->beats++;
    iov_host_timer_arm(timer, 0, machine_now(&machine) + 100 * IOV_US);
}

/* Somebody's: a sleep, a guest's clock. Nobody is woken. */
Test(host, a_timer_does_not_end_a_turn)
{
    struct worker a = { .work = IOV_SEC };
    struct worker b = { .work = IOV_SEC };
    struct metronome metronome = { 0 };

    start();
    worker_start(&a, "a", 1, work_main);
    worker_start(&b, "b", 1, work_main);
    iov_host_timer_init(&metronome.timer, machine.host, on_beat);
    iov_host_timer_arm(&metronome.timer, 0, 100 * IOV_US);
    machine_run(&machine, 90 * IOV_MS);
    cr_assert(lt(uint, 800, metronome.beats));
    cr_assert(le(u64, a.thread->switches + b.thread->switches, 16));
}

static void nap_main(void *argument)
{
    struct worker *worker = argument;

    for (;;) {
        iov_thread_compute(worker->thread, 20 * IOV_US, IOV_PART_EMULATOR);
        iov_thread_block_until(worker->thread, machine_now(&machine) + 5 * IOV_US);
        worker->rounds++;
    }
}

Test(host, a_thread_is_not_overtaken_for_ever_by_those_that_sleep_and_move)
{
    struct worker long_one = { .work = IOV_SEC };
    struct worker naps[8] = { 0 };

    start();
    worker_start(&long_one, "long", 0, work_main);
    machine_run(&machine, 20 * IOV_MS); /* its clock is ahead of everybody's */
    for (unsigned i = 0; i < G_N_ELEMENTS(naps); i++)
        worker_start(&naps[i], "nap", 0, nap_main);
    machine_run(&machine, 200 * IOV_MS);
    /* Two processors, nine threads that want them: a fair share is 44 ms. */
    cr_assert(lt(u64, 60 * IOV_MS, iov_thread_cpu_time(long_one.thread)));
    for (unsigned i = 0; i < G_N_ELEMENTS(naps); i++)
        cr_assert(lt(u64, 1000, naps[i].rounds), "nap %u", i);
}

/* ---- Wake-ups ---- */

static void ping_main(void *argument)
{
    struct worker *worker = argument;

    for (unsigned i = 0; i < worker->rounds; i++) {
        worker->other->tokens++;
        iov_thread_wake(&worker->thread->exec, worker->other->thread, NULL);
        while (worker->tokens == 0)
            iov_thread_block(worker->thread);
        worker->tokens--;
    }
    worker->finished = machine_now(&machine);
}

static void pong_main(void *argument)
{
    struct worker *worker = argument;

    for (unsigned i = 0; i < worker->rounds; i++) {
        while (worker->tokens == 0)
            iov_thread_block(worker->thread);
        worker->tokens--;
        worker->other->tokens++;
        iov_thread_wake(&worker->thread->exec, worker->other->thread, NULL);
    }
    worker->finished = machine_now(&machine);
}

Test(host, a_round_trip_across_processors_costs_two_wake_ups)
{
    struct worker a = { .rounds = 100 };
    struct worker b = { .rounds = 100 };

    a.other = &b;
    b.other = &a;
    start();
    worker_start(&a, "a", 1, ping_main);
    worker_start(&b, "b", 2, pong_main);
    machine_run(&machine, 10 * IOV_MS);
    /* each way: wake, leave HLT, reschedule interrupt, switch; the sleeper's own switch to idle is
     * hidden behind */
    cr_assert(eq(u64, a.finished > 0, 1));
    cr_assert(lt(u64, a.finished, 100 * 2 * 3700 * IOV_NS));
    cr_assert(lt(u64, 100 * 2 * 3500 * IOV_NS, a.finished));
    cr_assert(ge(u64, machine.bench->run.measure->counters.wakeups, 199));
}

Test(host, the_time_from_wake_up_to_running_is_marked_on_the_request)
{
    struct worker b = { .rounds = 1 };
    struct worker a = { .rounds = 1 };
    struct iov_span span;

    a.other = &b;
    b.other = &a;
    start();
    worker_start(&b, "b", 2, pong_main);
    machine_run(&machine, IOV_MS);
    a.thread = b.thread; /* nobody else to wake */
    iov_span_begin(&span, 1, &machine, machine_now(&machine));
    b.tokens = 1;
    iov_thread_wake(NULL, b.thread, &span);
    cr_assert(eq(ptr, (void *)(uintptr_t)span.holder, b.thread));
    machine_run(&machine, IOV_MS);
    cr_assert(eq(u64, span.parts[IOV_PART_WAKEUP], (2000 + 100 + 500) * IOV_NS));
}

Test(host, a_wake_up_before_the_sleep_is_not_lost)
{
    struct worker b = { .rounds = 1 };
    struct worker a = { 0 };

    b.other = &a;
    start();
    worker_start(&a, "a", 1, work_main);
    worker_start(&b, "b", 2, pong_main);
    b.tokens = 1;
    iov_thread_wake(NULL, b.thread, NULL);
    machine_run(&machine, IOV_MS);
    cr_assert(lt(u64, 0, b.finished));
}

static void token_main(void *argument)
{
    struct worker *worker = argument;

    iov_thread_compute(worker->thread, 20 * IOV_US, IOV_PART_EMULATOR); /* woken meanwhile */
    iov_thread_block(worker->thread);
    worker->finished = machine_now(&machine);
    iov_thread_block(worker->thread);
    worker->woken_at = machine_now(&machine);
}

Test(host, a_wake_up_of_a_running_thread_ends_its_next_sleep_only)
{
    struct worker worker = { 0 };

    start();
    worker_start(&worker, "w", 1, token_main);
    machine_run(&machine, 10 * IOV_US);
    iov_thread_wake(NULL, worker.thread, NULL);
    machine_run(&machine, IOV_MS);
    cr_assert(lt(u64, 0, worker.finished));
    cr_assert(eq(u64, worker.woken_at, 0));
    iov_thread_wake(NULL, worker.thread, NULL);
    machine_run(&machine, IOV_MS);
    cr_assert(lt(u64, 0, worker.woken_at));
}

Test(host, a_woken_thread_preempts_one_that_has_run_long)
{
    struct worker hog = { .work = 500 * IOV_MS };
    struct worker b = { .rounds = 1 };
    struct worker a = { 0 };

    b.other = &a;
    start();
    worker_start(&a, "a", 2, work_main);
    worker_start(&b, "b", 1, pong_main);
    machine_run(&machine, IOV_MS);
    worker_start(&hog, "hog", 1, work_main);
    machine_run(&machine, 100 * IOV_MS);
    b.tokens = 1;
    iov_thread_wake(NULL, b.thread, NULL);
    machine_run(&machine, 10 * IOV_US);
    cr_assert(lt(u64, 0, b.finished));
    cr_assert(eq(u64, hog.finished, 0));
}

/* Does a thread that wakes have the processor at once from one that has run 1.5 ms more? */
static bool preempts(unsigned cpus)
{
    struct worker hog = { .work = 500 * IOV_MS };
    struct worker b = { .rounds = 1 };
    struct worker a = { 0 };

    teardown();
    machine_new(&machine, costs, cpus);
    machine_wire(&machine);
    b.other = &a;
    start();
    worker_start(&a, "a", 1, work_main);
    worker_start(&b, "b", 1, pong_main);
    machine_run(&machine, 10 * IOV_US);
    worker_start(&hog, "hog", 1, work_main);
    machine_run(&machine, 1500 * IOV_US);
    b.tokens = 1;
    iov_thread_wake(NULL, b.thread, NULL);
    machine_run(&machine, 10 * IOV_US);
    return b.finished > 0;
}

Test(host, a_woken_thread_is_less_eager_among_more_processors)
{
    cr_assert(preempts(1));
    cr_assert(not(preempts(2)));
}

static void sleep_main(void *argument)
{
    struct worker *worker = argument;

    while (!iov_thread_block_until(worker->thread, 5 * IOV_MS) &&
           machine_now(&machine) < 5 * IOV_MS)
        ;
    worker->finished = machine_now(&machine);
}

Test(host, a_sleep_with_a_limit_ends_at_it)
{
    struct worker sleeper = { 0 };

    start();
    worker_start(&sleeper, "sleeper", 1, sleep_main);
    machine_run(&machine, 10 * IOV_MS);
    cr_assert(ge(u64, sleeper.finished, 5 * IOV_MS));
    cr_assert(lt(u64, sleeper.finished, 5 * IOV_MS + 10 * IOV_US));
}

/* ---- Locks ---- */

static unsigned inside, most_inside, entered;

static void lock_main(void *argument)
{
    struct worker *worker = argument;

    for (unsigned i = 0; i < worker->rounds; i++) {
        iov_host_lock(worker->thread, worker->lock);
        inside++;
        entered++;
        most_inside = MAX(most_inside, inside);
        iov_thread_compute(worker->thread, 3 * IOV_US, IOV_PART_EMULATOR);
        inside--;
        iov_host_unlock(worker->thread, worker->lock);
        iov_thread_compute(worker->thread, (1 + i % 3) * IOV_US, IOV_PART_EMULATOR);
    }
    worker->finished = machine_now(&machine);
}

Test(host, a_lock_lets_one_in_and_forgets_nobody)
{
    struct iov_host_lock lock = { 0 };
    struct worker workers[5];

    inside = most_inside = entered = 0;
    start();
    for (unsigned i = 0; i < 5; i++) {
        workers[i] = (struct worker){ .lock = &lock, .rounds = 200 };
        worker_start(&workers[i], "w", i == 0 ? 1 : 0, lock_main);
    }
    machine_run(&machine, IOV_SEC);
    cr_assert(eq(uint, most_inside, 1));
    cr_assert(eq(uint, entered, 1000));
    for (unsigned i = 0; i < 5; i++)
        cr_assert(lt(u64, 0, workers[i].finished));
}

/* ---- Interrupts ---- */

struct device_irq {
    struct iov_host_irq irq;
    struct iov_host_softirq softirq;
    struct worker *worker;
    unsigned handled, deferred;
    bool interrupts_off;
    struct iov_span *span;
};

static void softirq_run(struct iov_host_softirq *softirq, struct iov_exec *exec)
{
    struct device_irq *device = iov_container_of(softirq, struct device_irq, softirq);

    device->deferred++;
    cr_assert(exec->interrupts);
    device->worker->tokens++;
    iov_thread_wake(exec, device->worker->thread, device->span);
}

static void irq_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    struct device_irq *device = iov_container_of(irq, struct device_irq, irq);

    device->handled++;
    device->interrupts_off = !exec->interrupts;
    device->span = span;
    iov_host_softirq_raise(exec, &device->softirq);
}

Test(host, a_device_interrupt_wakes_a_thread_through_a_softirq)
{
    struct worker a = { 0 };
    struct worker b = { .rounds = 1, .other = &a };
    struct device_irq device = { .irq.handle = irq_handle,
                                 .softirq.run = softirq_run,
                                 .worker = &b };
    struct iov_processor *processor = iov_model_port(machine.cpus[0], "processor", 0);
    struct iov_span span;
    uint8_t vector;

    start();
    cr_assert(iov_host_irq_alloc(machine.host, 0, &device.irq, &vector));
    worker_start(&a, "a", 1, work_main);
    worker_start(&b, "b", 1, pong_main);
    machine_run(&machine, IOV_MS);
    iov_span_begin(&span, 1, &device, machine_now(&machine));
    processor->ops->interrupt(processor, vector, &span);
    machine_run(&machine, IOV_MS);
    cr_assert(eq(uint, device.handled, 1));
    cr_assert(eq(uint, device.deferred, 1));
    cr_assert(device.interrupts_off);
    cr_assert(eq(ptr, device.span, &span));
    cr_assert(lt(u64, 0, b.finished));
    cr_assert(eq(u64, span.cursor - span.begin,
                 span.parts[IOV_PART_WAKEUP] + span.parts[IOV_PART_HOST] +
                     span.parts[IOV_PART_INTERRUPT]));
    cr_assert(eq(u64, span.parts[IOV_PART_HOST], 300 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_WAKEUP], (2000 + 1000 + 500) * IOV_NS));
}

/* ---- Balance ---- */

Test(host, who_waits_moves_to_a_processor_that_has_become_idle)
{
    struct worker stays = { .work = 20 * IOV_MS };
    struct worker leaves = { .work = 2 * IOV_MS };
    struct worker waits = { .work = 10 * IOV_MS };

    start();
    worker_start(&stays, "stays", 1, work_main);
    worker_start(&leaves, "leaves", 2, work_main);
    machine_run(&machine, IOV_MS);
    worker_start(&waits, "waits", 0, work_main);
    machine_run(&machine, 30 * IOV_MS);
    cr_assert(eq(uint, waits.thread->cpu->index, 1));
    /* One of the two has waited for a slice, then each had a processor. */
    cr_assert(lt(u64, waits.finished, (1 + 6 + 10) * IOV_MS + 100 * IOV_US));
    cr_assert(lt(u64, stays.finished, (6 + 20) * IOV_MS + 100 * IOV_US));
}

/*
 * Where a thread is that had to give way after 6 ms, when the other processor has lost its work
 * some time later.
 */
static unsigned where_it_waits(uint64_t affinity, iov_time idle_after)
{
    struct worker waits = { .work = 20 * IOV_MS };
    struct worker leaves = { .work = 6 * IOV_MS + idle_after };
    struct worker preempts = { .work = 20 * IOV_MS };

    start();
    worker_start(&waits, "waits", affinity, work_main);
    worker_start(&leaves, "leaves", 2, work_main);
    worker_start(&preempts, "preempts", 1, work_main);
    machine_run(&machine, 6 * IOV_MS + idle_after + 100 * IOV_US);
    return waits.thread->cpu->index;
}

Test(host, a_processor_without_work_takes_over_who_waits_elsewhere)
{
    cr_assert(eq(uint, where_it_waits(3, 600 * IOV_US), 1));
}

Test(host, a_thread_that_ran_a_moment_ago_stays_by_its_caches)
{
    cr_assert(eq(uint, where_it_waits(3, 400 * IOV_US), 0));
}

Test(host, a_pinned_thread_is_not_taken_over)
{
    cr_assert(eq(uint, where_it_waits(1, 600 * IOV_US), 0));
}

/* Interrupts every 10 us whose softirq takes 5. */
struct burden {
    struct iov_host_irq irq;
    struct iov_host_softirq softirq;
    struct iov_event event;
    struct iov_processor *processor;
    uint8_t vector;
};

static void on_burden(struct iov_event *event)
{
    struct burden *burden = iov_container_of(event, struct burden, event);

    burden->processor->ops->interrupt(burden->processor, burden->vector, NULL);
    iov_event_in(event, 10 * IOV_US);
}

static void burden_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    (void)span;
    iov_host_softirq_raise(exec, &iov_container_of(irq, struct burden, irq)->softirq);
}

static void burden_run(struct iov_host_softirq *softirq, struct iov_exec *exec)
{
    (void)softirq;
    iov_exec_compute(exec, 5 * IOV_US, IOV_PART_HOST);
}

/* When a thread with 20 ms of work is done that begins on the processor with the interrupts. */
static iov_time done_under_burden(uint64_t affinity, bool accounting)
{
    static struct burden burden = { .irq.handle = burden_handle, .softirq.run = burden_run };
    struct worker worker = { .work = 20 * IOV_MS };

    machine.host->irq_time_accounting = accounting;
    burden.processor = iov_model_port(machine.cpus[0], "processor", 0);
    start();
    cr_assert(iov_host_irq_alloc(machine.host, 0, &burden.irq, &burden.vector));
    iov_event_init(&burden.event, machine.bench->run.kernel, on_burden, IOV_PRIORITY_DEFAULT);
    worker_start(&worker, "worker", affinity, work_main);
    iov_event_in(&burden.event, 10 * IOV_US);
    machine_run(&machine, 100 * IOV_MS);
    iov_event_disarm(&burden.event);
    return worker.finished;
}

Test(host, a_thread_leaves_a_processor_whose_time_goes_to_interrupts)
{
    cr_assert(lt(u64, done_under_burden(0, true), 24 * IOV_MS)); /* a period in which it has half */
}

Test(host, without_accounting_nobody_knows_what_interrupts_take)
{
    cr_assert(lt(u64, 40 * IOV_MS, done_under_burden(0, false)));
}

Test(host, a_pinned_thread_stays_where_interrupts_take_the_time)
{
    cr_assert(lt(u64, 40 * IOV_MS, done_under_burden(1, true)));
}

/* ---- Yielding ---- */

static void yield_main(void *argument)
{
    struct worker *worker = argument;

    for (;;) {
        iov_thread_compute(worker->thread, 100 * IOV_US, IOV_PART_EMULATOR);
        iov_thread_yield(worker->thread);
        worker->rounds++;
    }
}

Test(host, who_yields_all_the_time_gets_its_share_all_the_same)
{
    struct worker yields = { 0 };
    struct worker takes = { .work = IOV_SEC };

    start();
    worker_start(&yields, "yields", 1, yield_main);
    worker_start(&takes, "takes", 1, work_main);
    machine_run(&machine, 500 * IOV_MS);
    cr_assert(lt(u64, 240 * IOV_MS, iov_thread_cpu_time(yields.thread)));
    cr_assert(lt(u64, 240 * IOV_MS, iov_thread_cpu_time(takes.thread)));
}

/* The other has run 7.5 ms when its turn ends; 2 ms are the wake-up granularity. */
Test(host, a_yield_is_for_who_has_run_no_more_than_the_wake_up_granularity_longer)
{
    struct worker yields = { 0 };
    struct worker takes = { .work = IOV_SEC };

    start();
    worker_start(&takes, "takes", 1, work_main);
    machine_run(&machine, 1500 * IOV_US);
    worker_start(&yields, "yields", 1, yield_main);
    machine_run(&machine, 13 * IOV_MS);
    cr_assert(lt(u64, 5400 * IOV_US, iov_thread_cpu_time(yields.thread)));
    cr_assert(lt(u64, iov_thread_cpu_time(yields.thread), 5700 * IOV_US));
}

/* ---- No lost wake-ups ---- */

enum { STORM_THREADS = 8, STORM_OPERATIONS = 100000 };
static struct worker storm[STORM_THREADS];
static uint64_t storm_sent, storm_taken;
static struct iov_random storm_random;

/* Each token must be taken by its owner, who sleeps whenever it has none. */
static void storm_main(void *argument)
{
    struct worker *self = argument;

    for (;;) {
        while (self->tokens == 0)
            iov_thread_block(self->thread);
        self->tokens--;
        storm_taken++;
        iov_thread_compute(self->thread, iov_random_uniform(&storm_random, 0, 5000 - 1) * IOV_NS,
                           IOV_PART_EMULATOR);
        if (storm_sent < STORM_OPERATIONS) {
            struct worker *other = &storm[iov_random_uniform(&storm_random, 0, STORM_THREADS - 1)];

            storm_sent++;
            other->tokens++;
            iov_thread_wake(&self->thread->exec, other->thread, NULL);
        }
    }
}

static struct iov_event storm_event;

static void on_storm(struct iov_event *event)
{
    struct worker *other = &storm[iov_random_uniform(&storm_random, 0, STORM_THREADS - 1)];

    if (storm_sent >= STORM_OPERATIONS)
        return;
    storm_sent++;
    other->tokens++;
    iov_thread_wake(NULL, other->thread, NULL);
    iov_event_in(event, iov_random_uniform(&storm_random, 0, 20000 - 1) * IOV_NS);
}

Test(host, a_hundred_thousand_random_wake_ups_all_arrive)
{
    storm_sent = storm_taken = 0;
    iov_random_init(&storm_random, 7, "storm");
    start();
    for (unsigned i = 0; i < STORM_THREADS; i++) {
        storm[i] = (struct worker){ 0 };
        worker_start(&storm[i], "storm", i % 3, storm_main); /* some pinned, some free */
    }
    iov_event_init(&storm_event, machine_kernel(&machine), on_storm, IOV_PRIORITY_DEFAULT);
    iov_event_in(&storm_event, 0);
    iov_kernel_run_until(machine_kernel(&machine), 30 * IOV_SEC);
    cr_assert(eq(u64, storm_sent, STORM_OPERATIONS));
    cr_assert(eq(u64, storm_taken, storm_sent));
}

Test(host, busy_and_idle_time_add_up_to_all_time)
{
    struct worker worker = { .work = 10 * IOV_MS };
    IovModelClass *klass = IOV_MODEL_GET_CLASS(machine.host);

    start();
    worker_start(&worker, "w", 1, work_main);
    machine_run(&machine, 40 * IOV_MS);
    for (unsigned i = 0; i < 2; i++)
        IOV_MODEL_GET_CLASS(machine.cpus[i])->update_statistics(machine.cpus[i]);
    klass->update_statistics((IovModel *)machine.host);
    cr_assert(eq(u64,
                 bench_stat((IovModel *)machine.host, "busy-time") +
                     bench_stat((IovModel *)machine.host, "idle-time"),
                 80 * IOV_MS));
}

/* ---- Idle states ---- */

struct napper {
    struct iov_thread *thread;
    iov_time nap;
    iov_time last_delay, longest_delay; /* from the end of a nap until the thread runs */
};

static void naps_main(void *argument)
{
    struct napper *napper = argument;

    for (;;) {
        iov_time until = machine_now(&machine) + napper->nap;

        (void)iov_thread_block_until(napper->thread, until);
        napper->last_delay = machine_now(&machine) - until;
        napper->longest_delay = MAX(napper->longest_delay, napper->last_delay);
    }
}

/* Runs naps of one length under `states` idle states; returns how late the last was. */
static iov_time nap(unsigned states, iov_time length, iov_time until)
{
    struct napper napper = { .nap = length };

    machine.host->idle_states = states;
    start();
    napper.thread = iov_thread_new(machine.host, "napper", 1, naps_main, &napper);
    machine_run(&machine, until);
    return napper.last_delay;
}

/* Leaving HLT, the timer, a wake-up, a switch. */
#define LATE_C1 ((2000 + 200 + 1000 + 500) * IOV_NS)

Test(host, naps_that_are_alike_are_spent_in_the_deepest_state_that_pays)
{
    cr_assert(eq(u64, nap(3, 400 * IOV_US, 20 * IOV_MS), LATE_C1 + 8 * IOV_US));
    cr_assert(lt(u64, 40, machine.host->idle_entries[1]));
}

Test(host, long_naps_are_spent_in_c6_and_end_late)
{
    cr_assert(eq(u64, nap(3, 5 * IOV_MS, 200 * IOV_MS), LATE_C1 + 128 * IOV_US));
    cr_assert(lt(u64, 30, machine.host->idle_entries[2]));
    cr_assert(le(u64, machine.host->idle_too_deep, 1));
}

Test(host, short_naps_stay_in_c1)
{
    cr_assert(eq(u64, nap(3, 15 * IOV_US, 5 * IOV_MS), LATE_C1));
}

/* Wakes the other after computing for a short and a long time in turn. */
static void knock_main(void *argument)
{
    struct worker *worker = argument;

    for (unsigned i = 0; i < worker->rounds; i++) {
        iov_thread_compute(worker->thread, i % 2 != 0 ? 95 * IOV_US : 15 * IOV_US,
                           IOV_PART_EMULATOR);
        worker->other->tokens++;
        iov_thread_wake(&worker->thread->exec, worker->other->thread, NULL);
    }
}

static void open_main(void *argument)
{
    struct worker *worker = argument;

    for (unsigned i = 0; i < worker->rounds; i++, worker->tokens--) {
        while (worker->tokens == 0)
            iov_thread_block(worker->thread);
    }
    worker->finished = machine_now(&machine);
}

/* Neither alike, nor ended by the timer that is some milliseconds away. */
Test(host, who_is_woken_long_before_its_timer_learns_not_to_sleep_deeply)
{
    struct napper far = { .nap = 5 * IOV_MS };
    struct worker opens = { .rounds = 2000 }, knocks = { .rounds = 2000, .other = &opens };

    machine.host->idle_states = 3;
    start();
    far.thread = iov_thread_new(machine.host, "far", 1, naps_main, &far);
    worker_start(&opens, "opens", 1, open_main);
    worker_start(&knocks, "knocks", 2, knock_main);
    machine_run(&machine, 120 * IOV_MS);
    cr_assert(lt(u64, 0, opens.finished));
    cr_assert(lt(u64, 1500, machine.host->idle_entries[0] + machine.host->idle_entries[1]));
    cr_assert(lt(u64, machine.host->idle_entries[2], 100));
}

Test(host, with_one_idle_state_every_nap_is_spent_in_it)
{
    cr_assert(eq(u64, nap(1, 5 * IOV_MS, 200 * IOV_MS), LATE_C1));
    cr_assert(eq(u64, machine.host->idle_entries[1] + machine.host->idle_entries[2], 0));
}

/* Whoever of them runs, even one that has just come and has had less than the others. */
Test(host, who_sleeps_most_of_the_time_runs_at_once_among_threads_that_never_do)
{
    struct worker busy[3] = { { .work = IOV_SEC }, { .work = IOV_SEC }, { .work = IOV_SEC } };
    struct napper napper = { .nap = 4100 * IOV_US };

    start();
    for (unsigned i = 0; i < G_N_ELEMENTS(busy); i++)
        worker_start(&busy[i], "busy", 1, work_main);
    napper.thread = iov_thread_new(machine.host, "napper", 1, naps_main, &napper);
    machine_run(&machine, 20 * IOV_MS);
    napper.longest_delay = 0;
    machine_run(&machine, 200 * IOV_MS);
    cr_assert(lt(u64, 0, napper.longest_delay));
    cr_assert(lt(u64, napper.longest_delay, 10 * IOV_US));
}

/* ---- Caches ---- */

/* A napper of 300 us beside one that computes for `work` between two naps of the first; how late is
 * the first? */
static iov_time beside(bool refill, iov_time work)
{
    struct napper napper = { .nap = 300 * IOV_US };
    struct worker other = { .work = work };

    machine.host->cache_refill = refill;
    start();
    napper.thread = iov_thread_new(machine.host, "napper", 1, naps_main, &napper);
    machine_run(&machine, IOV_MS);
    if (work > 0)
        worker_start(&other, "other", 1, work_main);
    machine_run(&machine, 310 * IOV_US);
    return napper.last_delay;
}

Test(host, a_thread_that_comes_back_to_its_own_caches_does_not_wait)
{
    cr_assert(eq(u64, beside(true, 0), LATE_C1));
    cr_assert(eq(u64, machine.host->refills, 1)); /* the first time */
}

Test(host, caches_are_colder_the_longer_others_used_the_processor)
{
    iov_time late = beside(true, 50 * IOV_US);

    /* The other thread's work, its switch and its own cold caches. */
    cr_assert(eq(u64, late, LATE_C1 + 8 * IOV_US * (50000 + 500 + 8000) / 100000),
              "%" G_GUINT64_FORMAT, late);
}

Test(host, without_the_key_no_thread_waits_for_caches)
{
    cr_assert(eq(u64, beside(false, 50 * IOV_US), LATE_C1));
    cr_assert(eq(u64, machine.host->refill_time, 0));
}
