/* SPDX-License-Identifier: Apache-2.0 */
/* DMA writes fill only the ways they may; DMA reads that find their lines do not take the memory's
 * time. */
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *cache, *dram;
static struct iov_mem_target *port;

static const struct bench_cost costs[] = {
    { "dram-access", 70 * IOV_NS },
    { "llc-hit", 5 * IOV_NS },
    { NULL, 0 },
};

/* 16 sets of 4 ways, of which DMA may fill 2. */
static void setup(void)
{
    bench = bench_new(costs);
    cache = bench_add(bench, "llc", "cache");
    dram = bench_add(bench, "dram", "dram");
    bench_number(dram, "size", 1 << 20);
    bench_number(cache, "size", 4096);
    bench_number(cache, "ways", 4);
    bench_number(cache, "dma-ways", 2);
    bench_prepare(bench);
    bench_wire(cache, "bus", dram, "port");
    bench_start(bench);
    port = iov_model_port(cache, "port", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(llc, .init = setup, .fini = teardown);

static iov_time take(uint64_t address, uint32_t size, bool write)
{
    static uint8_t bytes[4096];
    struct iov_mem_req req = bench_req(address, bytes, size);

    cr_assert(
        eq(int, write ? port->ops->write(port, &req) : port->ops->read(port, &req), IOV_STATUS_OK));
    return req.delay;
}

Test(llc, a_read_of_what_was_written_is_a_hit_and_of_anything_else_is_not)
{
    take(0x1000, 64, true);
    cr_assert(eq(u64, take(0x1000, 64, false), 5 * IOV_NS));
    cr_assert(eq(u64, take(0x2040, 64, false), 75 * IOV_NS));
    cr_assert(eq(u64, take(0x2040, 64, false), 75 * IOV_NS)); /* reads do not allocate */
}

Test(llc, a_read_that_misses_one_of_its_lines_waits_for_memory)
{
    take(0x1000, 64, true);
    cr_assert(eq(u64, take(0x1000, 128, false), 75 * IOV_NS));
    take(0x1040, 64, true);
    cr_assert(eq(u64, take(0x1000, 128, false), 5 * IOV_NS));
    cr_assert(eq(u64, take(0x1020, 64, false), 5 * IOV_NS)); /* in two lines */
}

Test(llc, dma_fills_no_more_than_its_ways_and_drops_what_was_used_least_recently)
{
    for (unsigned i = 0; i < 2; i++)
        take(i * 0x400, 64, true); /* the same set */
    take(0, 64, false);
    take(2 * 0x400, 64, true);
    cr_assert(eq(u64, take(0, 64, false), 5 * IOV_NS));
    cr_assert(eq(u64, take(0x400, 64, false), 75 * IOV_NS));
    cr_assert(eq(u64, take(0x800, 64, false), 5 * IOV_NS));
    cr_assert(eq(u64, bench_stat(cache, "allocations"), 3));
}

Test(llc, a_tool_that_looks_changes_nothing_and_bytes_are_those_of_memory)
{
    uint32_t value = 0x12345678, seen = 0;
    struct iov_mem_req req = bench_req(0x3000, &value, 4);

    cr_assert(eq(int, port->ops->write(port, &req), IOV_STATUS_OK));
    req = bench_req(0x3000, &seen, 4);
    req.flags = IOV_MEM_DEBUG;
    cr_assert(eq(int, port->ops->read(port, &req), IOV_STATUS_OK));
    cr_assert(eq(u32, seen, value));
    cr_assert(zero(u64, bench_stat(cache, "hits")));
}
