/* SPDX-License-Identifier: Apache-2.0 */
/* Idle processors without a fiber: struct iov_rest takes as long, and counts as much, as a stream
 * that computes, halts and is interrupted. */
#include "core/kernel/fiber.h"
#include "tests/models/cpu/cpu-bench.h"

enum { LIGHT = 0xfd, OTHER = 0x41, BEFORE = 200, HANDLER = 50 };

static struct iov_rest rest;
static struct iov_processor *cpu;
static unsigned overs;
static bool alone, halted;
static iov_time over_at;

/* Whose turn it is when the handler is over. */
static void heir_main(void *argument)
{
    struct bench *bench = argument;

    iov_fiber_park(bench->kernel);
    if (!cpu->ops->rest_over(&rest))
        return;
    overs++;
    over_at = iov_now(bench->kernel);
    iov_fiber_unpark(rest.fiber); /* here the stream itself is the one that comes next */
}

/* Rests from 0 on. With `done` the bench's stream is back. */
static void begin(struct bench *bench)
{
    cpu = bench->cpu;
    bench->eoi = true;
    bench->host.interrupts = false;
    rest = (struct iov_rest){ .exec = &bench->host,
                              .fiber = iov_fiber_current(bench->kernel),
                              .duration = BEFORE * IOV_NS,
                              .part = IOV_PART_WAKEUP,
                              .vector = LIGHT,
                              .handler = HANDLER * IOV_NS,
                              .handler_part = IOV_PART_HOST };
    overs = 0;
    if (!alone)
        rest.heir = iov_fiber_new(bench->kernel, "heir", heir_main, bench);
    cr_assert(cpu->ops->rest(&rest));
    iov_fiber_park(bench->kernel);
    if (overs == 0)
        halted = cpu->ops->rested(&rest);
    bench->note = iov_now(bench->kernel);
}

static void wake(struct bench *bench)
{
    bench_interrupt_at(bench, IOV_US, LIGHT, NULL);
    begin(bench);
}

Test(rest, passes_the_wake_up_and_a_handler_that_only_takes_time)
{
    struct bench *bench = bench_new();

    alone = false;
    bench_run_host(bench, wake);
    cr_assert(eq(uint, overs, 1));
    cr_assert(eq(u64, over_at, (1000 + COST_WAKE + COST_INTERRUPT + HANDLER) * IOV_NS));
    cr_assert(eq(uint, bench->vector_count, 0), "nobody needs to call the handler");
    cr_assert(eq(u64, rest.handled, over_at - HANDLER * IOV_NS));
    cr_assert(eq(u64, cpu->idle, (1000 - BEFORE) * IOV_NS));
    cr_assert(eq(u64, cpu->used[IOV_PART_WAKEUP], (BEFORE + COST_WAKE) * IOV_NS));
    cr_assert(eq(u64, cpu->used[IOV_PART_INTERRUPT], COST_INTERRUPT * IOV_NS));
    cr_assert(eq(u64, cpu->used[IOV_PART_HOST], HANDLER * IOV_NS));
    cr_assert(eq(int, cpu->apic->ops->pending(cpu->apic), -1));
    bench_free(bench);
}

static void be_interrupted(struct bench *bench)
{
    bench_interrupt_at(bench, IOV_US, OTHER, NULL);
    begin(bench);
}

Test(rest, wakes_its_fiber_for_another_interrupt)
{
    struct bench *bench = bench_new();

    alone = false;
    bench_run_host(bench, be_interrupted);
    cr_assert(eq(uint, overs, 0));
    cr_assert(halted);
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(u64, bench->vector_times[0], (1000 + COST_WAKE + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(u64, cpu->idle, (1000 - BEFORE) * IOV_NS));
    cr_assert(eq(u64, cpu->busy, (BEFORE + COST_WAKE + COST_INTERRUPT) * IOV_NS));
    bench_free(bench);
}

static void be_early(struct bench *bench)
{
    bench_interrupt_at(bench, 50 * IOV_NS, LIGHT, NULL);
    begin(bench);
}

Test(rest, is_over_before_the_halt_if_something_comes_by_then)
{
    struct bench *bench = bench_new();

    alone = false;
    bench_run_host(bench, be_early);
    cr_assert(not(halted));
    cr_assert(eq(u64, bench->note, BEFORE * IOV_NS));
    cr_assert(eq(u64, cpu->busy, BEFORE * IOV_NS));
    cr_assert(eq(u64, cpu->idle, 0));
    cr_assert(eq(uint, bench->vector_count, 0), "interrupts are off");
    bench_free(bench);
}

static void be_interrupted_twice(struct bench *bench)
{
    bench_interrupt_at(bench, IOV_US, LIGHT, NULL);
    bench_interrupt_at(bench, (1000 + COST_WAKE + 20) * IOV_NS, OTHER, NULL);
    begin(bench);
}

Test(rest, leaves_what_comes_during_the_handler_to_the_fiber)
{
    struct bench *bench = bench_new();

    alone = false;
    bench_run_host(bench, be_interrupted_twice);
    cr_assert(eq(uint, overs, 0));
    cr_assert(halted);
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(u64, bench->vector_times[0],
                 (1000 + COST_WAKE + COST_INTERRUPT + HANDLER + COST_INTERRUPT) * IOV_NS));
    bench_free(bench);
}

Test(rest, goes_on_with_the_fiber_where_there_is_no_heir)
{
    struct bench *bench = bench_new();

    alone = true;
    bench_run_host(bench, wake);
    cr_assert(eq(uint, overs, 0));
    cr_assert(halted);
    cr_assert(eq(u64, bench->note, (1000 + COST_WAKE + COST_INTERRUPT + HANDLER) * IOV_NS));
    bench_free(bench);
}

static void look_on_the_way(struct bench *bench)
{
    static const unsigned times[] = { 100, 300, 1500, 2050, 2120 };
    iov_time busy[G_N_ELEMENTS(times)];

    bench_interrupt_at(bench, IOV_US, LIGHT, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(times); i++) {
        iov_fiber_sleep(bench->kernel, times[i] * IOV_NS - iov_now(bench->kernel));
        iov_processor_settle(bench->cpu);
        busy[i] = bench->cpu->busy;
    }
    cr_assert(eq(u64, busy[0], 0));
    cr_assert(eq(u64, busy[1], BEFORE * IOV_NS));
    cr_assert(eq(u64, busy[2], BEFORE * IOV_NS));
    cr_assert(eq(u64, busy[3], (BEFORE + COST_WAKE) * IOV_NS));
    cr_assert(eq(u64, busy[4], (BEFORE + COST_WAKE + COST_INTERRUPT) * IOV_NS));
    bench->note = 1;
}

static void look_main(void *argument)
{
    look_on_the_way(argument);
}

static void be_watched(struct bench *bench)
{
    iov_fiber_new(bench->kernel, "look", look_main, bench);
    begin(bench);
}

Test(rest, counts_each_of_its_steps_when_it_is_over)
{
    struct bench *bench = bench_new();

    alone = false;
    bench_run_host(bench, be_watched);
    cr_assert(eq(uint, overs, 1));
    bench_free(bench);
}
