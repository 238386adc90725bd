/* SPDX-License-Identifier: Apache-2.0 */
/* The DMA controllers keep what software sets up. */
#include "models/legacy/isa-dma-regs.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static struct iov_mem_target *first, *second;

static void setup(void)
{
    IovModel *dma;

    bench = bench_new(NULL);
    dma = bench_add(bench, "isa-dma", "isa-dma");
    bench_prepare(bench);
    bench_start(bench);
    first = iov_model_port(dma, "first", 0);
    second = iov_model_port(dma, "second", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(isa_dma, .init = setup, .fini = teardown);

Test(isa_dma, addresses_and_counts_go_through_the_flip_flop)
{
    for (unsigned port = 0; port < 8; port++) {
        bench_write(first, port, 1, port);
        bench_write(first, port, 1, 0x80 + port);
        bench_write(second, 2 * port, 1, 0x40 + port);
        bench_write(second, 2 * port, 1, 0xc0 + port);
    }
    for (unsigned port = 0; port < 8; port++) {
        cr_assert(eq(u64, bench_read(first, port, 1), port));
        cr_assert(eq(u64, bench_read(first, port, 1), 0x80 + port));
        cr_assert(eq(u64, bench_read(second, 2 * port, 1), 0x40 + port));
        cr_assert(eq(u64, bench_read(second, 2 * port, 1), 0xc0 + port));
    }
    bench_read(first, 0, 1);
    bench_write(first, ISA_DMA_CLEAR_FLIP_FLOP, 1, 0);
    cr_assert(eq(u64, bench_read(first, 3, 1), 3));
}

Test(isa_dma, masks_and_requests_are_set_one_by_one_or_together)
{
    cr_assert(eq(u64, bench_read(first, ISA_DMA_MASK, 1), 0x0f));
    bench_write(first, ISA_DMA_MASK_ONE, 1, 2);
    cr_assert(eq(u64, bench_read(first, ISA_DMA_MASK, 1), 0x0b));
    bench_write(first, ISA_DMA_CLEAR_MASK, 1, 0);
    cr_assert(eq(u64, bench_read(first, ISA_DMA_MASK, 1), 0));
    bench_write(first, ISA_DMA_REQUEST, 1, ISA_DMA_SET | 3);
    cr_assert(eq(u64, bench_read(first, ISA_DMA_STATUS, 1), 0x80));
    bench_write(first, ISA_DMA_CLEAR, 1, 0);
    cr_assert(eq(u64, bench_read(first, ISA_DMA_STATUS, 1), 0));
    cr_assert(eq(u64, bench_read(first, ISA_DMA_MASK, 1), 0x0f));
    cr_assert(eq(u64, bench_read(second, 2 * ISA_DMA_MASK, 1), 0x0f));
}

Test(isa_dma, any_access_is_harmless)
{
    disturb(bench, first, 20000);
    disturb(bench, second, 20000);
}
