/* SPDX-License-Identifier: Apache-2.0 */
/* Polling without an event for each look: iov_exec_spin() ends with the look after the change. */
#include "core/kernel/backend.h"
#include "tests/models/cpu/cpu-bench.h"

struct change {
    struct iov_event event;
    struct iov_event interrupt;
    struct iov_spin spin;
    struct iov_processor *cpu;
};

static struct change change;
static bool found;

static void on_change(struct iov_event *event)
{
    (void)event;
    iov_spin_end(&change.spin);
    iov_spin_end(&change.spin); /* once more means nothing */
}

static void spin_until_change(struct bench *bench)
{
    iov_event_init(&change.event, bench->kernel, on_change, IOV_PRIORITY_DEFAULT);
    iov_event_at(&change.event, 730 * IOV_NS);
    found = iov_exec_spin(&bench->host, &change.spin, 40 * IOV_NS, IOV_MS, IOV_PART_HOST);
    bench->note = iov_now(bench->kernel);
}

Test(spin, ends_with_the_look_after_the_change)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, spin_until_change);
    cr_assert(eq(int, found, true));
    cr_assert(eq(u64, bench->note, 760 * IOV_NS));
    cr_assert(eq(u64, bench->host.used[IOV_PART_HOST], 760 * IOV_NS));
    cr_assert(eq(u64, bench->cpu->busy, 760 * IOV_NS));
    bench_free(bench);
}

static void spin_in_vain(struct bench *bench)
{
    found = iov_exec_spin(&bench->host, &change.spin, 40 * IOV_NS, IOV_US, IOV_PART_HOST);
    iov_spin_end(&change.spin); /* nobody spins any more */
    bench->note = iov_now(bench->kernel);
}

Test(spin, ends_at_its_limit_if_nothing_changes)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, spin_in_vain);
    cr_assert(eq(int, found, false));
    cr_assert(eq(u64, bench->note, IOV_US));
    bench_free(bench);
}

static void on_interrupt(struct iov_event *event)
{
    (void)event;
    change.cpu->ops->interrupt(change.cpu, 0x41, NULL);
}

static void spin_with_an_interrupt(struct bench *bench)
{
    bench->host.interrupts = true;
    bench->eoi = true;
    change.cpu = bench->cpu;
    iov_event_init(&change.interrupt, bench->kernel, on_interrupt, IOV_PRIORITY_DEFAULT);
    iov_event_at(&change.interrupt, 300 * IOV_NS);
    spin_until_change(bench);
}

Test(spin, takes_interrupts_and_goes_on)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, spin_with_an_interrupt);
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(int, found, true));
    cr_assert(eq(u64, bench->note, 760 * IOV_NS));
    bench_free(bench);
}

/* ---- Without time ---- */

static void compute_nothing(struct bench *bench)
{
    for (;;)
        iov_exec_compute(&bench->host, 0, IOV_PART_HOST);
}

static void pause_for_ever(struct bench *bench)
{
    for (;;)
        iov_exec_do(&bench->host, IOV_OP_PAUSE); /* costs nothing on this bench */
}

Test(spin, software_that_goes_round_without_using_time_ends_the_run_with_its_name)
{
    bench_fn *const loops[] = { compute_nothing, pause_for_ever };

    for (unsigned i = 0; i < 2; i++) {
        struct bench *bench = bench_new();

        bench_run_host(bench, loops[i]);
        cr_assert_not_null(iov_kernel_failure(bench->kernel));
        cr_assert_not_null(strstr(iov_kernel_failure(bench->kernel), "the last by host"));
        bench_free(bench);
    }
}
