/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt lines of a PC split towards PICs and I/O APIC. */
#include "models/irq/ioapic-regs.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *router, *pic, *ioapic;
static struct iov_irq_source sources[24];

static void setup(void)
{
    bench = bench_new(NULL);
    router = bench_add(bench, "gsi-router", "lines");
    pic = bench_add(bench, "pic", "pic");
    ioapic = bench_add(bench, "ioapic", "ioapic");
    bench_prepare(bench);
    bench_wire(router, "pic", pic, "pins");
    bench_wire(ioapic, "pins", router, "ioapic"); /* from either end */
    for (unsigned i = 0; i < 24; i++)
        sources[i] = (struct iov_irq_source){ .peer = iov_model_port(router, "inputs", i) };
    bench_start(bench);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(gsi_router, .init = setup, .fini = teardown);

Test(gsi_router, a_wire_without_a_place_joins_all_places)
{
    for (unsigned i = 0; i < 24; i++) {
        struct iov_irq_source *source = iov_model_port(router, "ioapic", i);

        cr_assert(eq(ptr, source->peer, iov_model_port(ioapic, "pins", i)));
    }
    cr_assert(not(iov_model_wire(router, "pic", pic, "pins", false, 0, NULL)), "only once");
    cr_assert(not(iov_model_wire(router, "ioapic", pic, "pins", false, 0, NULL)),
              "arrays of two lengths need places");
}

Test(gsi_router, lines_below_16_go_to_both_and_the_others_to_one)
{
    for (unsigned i = 0; i < 24; i++) {
        struct iov_irq_source *out = iov_model_port(router, "ioapic", i);

        iov_irq_set(&sources[i], true, NULL);
        cr_assert(out->level);
        iov_irq_set(&sources[i], false, NULL);
        cr_assert(not(out->level));
    }
    cr_assert(eq(u64, bench_stat(pic, "requests"), 15), "the cascade has no line");
    cr_assert(eq(u64, bench_stat(ioapic, "edges"), 24));
}

Test(gsi_router, sources_of_one_line_are_ored)
{
    struct iov_irq_source other = sources[5];
    struct iov_irq_source *out = iov_model_port(router, "ioapic", 5);

    iov_irq_set(&sources[5], true, NULL);
    iov_irq_set(&other, true, NULL);
    iov_irq_set(&sources[5], false, NULL);
    cr_assert(out->level);
    iov_irq_set(&other, false, NULL);
    cr_assert(not(out->level));
    cr_assert(eq(u64, bench_stat(router, "edges"), 1));
}
