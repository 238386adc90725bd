/* SPDX-License-Identifier: Apache-2.0 */
/* What empties which cache of the vt-d kind: registers, queue descriptors; waits, errors,
 * recovery. */
#include "tests/models/iommu/vtd-bench.h"

#define STATUS 0x300000u

static struct vtd_bench vtd;
static unsigned tail;

static void set_up(void)
{
    vtd_bench_init(&vtd, NULL);
    tail = 0;
}

static void tear_down(void)
{
    vtd_bench_free(&vtd);
}

TestSuite(vtd_invalidate, .init = set_up, .fini = tear_down);

static void queue_on(void)
{
    reg_write_wide(&vtd, VTD_IQA, QUEUE);
    command(&vtd, VTD_G_QIE);
}

/* Two domains, a page each, both in the caches; then both mappings are taken away. */
static void start(void)
{
    vtd_bench_start(&vtd);
    context_set_domain(&vtd, DEVICE, 5);
    context_set_domain(&vtd, DEVICE + 1, 6);
    entry_set(&vtd, 0x40001000, 1, 0x200003);
    entry_set(&vtd, 0x40002000, 1, 0x201003);
    translation_on(&vtd);
    queue_on();
}

static bool reaches(uint16_t source, uint64_t iova)
{
    uint32_t data;
    bool result = dma_by(&vtd, source, iova, &data, 4, false) == IOV_STATUS_OK;

    fault_take(&vtd);
    return result;
}

static void warm(void)
{
    for (uint16_t source = DEVICE; source <= DEVICE + 1; source++) {
        cr_assert(reaches(source, 0x40001000));
        cr_assert(reaches(source, 0x40002000));
    }
}

static void unmap(void)
{
    warm();
    entry_set(&vtd, 0x40001000, 1, 0);
    entry_set(&vtd, 0x40002000, 1, 0);
}

/* Which of the four (source, page) pairs are still reached, as bits. */
static unsigned still(void)
{
    return reaches(DEVICE, 0x40001000) | reaches(DEVICE, 0x40002000) << 1 |
           reaches(DEVICE + 1, 0x40001000) << 2 | reaches(DEVICE + 1, 0x40002000) << 3;
}

static void push(uint64_t low, uint64_t high)
{
    memory_write(&vtd, QUEUE + tail, low);
    memory_write(&vtd, QUEUE + tail + 8, high);
    tail = (tail + 16) & 0xfff;
    reg_write_wide(&vtd, VTD_IQT, tail);
}

Test(vtd_invalidate, without_invalidation_cached_pages_stay)
{
    start();
    unmap();
    cr_assert(eq(uint, still(), 0xf));
}

Test(vtd_invalidate, global_domain_and_page_by_register)
{
    start();
    unmap();
    reg_write_wide(&vtd, VTD_IVA, 0x40001000);
    reg_write_wide(&vtd, VTD_IOTLB, 0xb000000500000000);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IOTLB), 0x3600000500000000));
    cr_assert(eq(uint, still(), 0xe));
    reg_write_wide(&vtd, VTD_IOTLB, 0xa000000600000000);
    cr_assert(eq(uint, still(), 0x2));
    reg_write_wide(&vtd, VTD_IOTLB, 0x9000000000000000);
    cr_assert(eq(uint, still(), 0));
}

Test(vtd_invalidate, global_domain_and_page_by_descriptor)
{
    start();
    unmap();
    push(VTD_INV_IOTLB | 3 << 4 | 6 << 16, 0x40002000);
    cr_assert(eq(uint, still(), 0x7));
    push(VTD_INV_IOTLB | 2 << 4 | 5 << 16 | 0xc0, 0); /* with drain of reads and writes */
    cr_assert(eq(uint, still(), 0x4));
    push(VTD_INV_IOTLB | 1 << 4, 0);
    cr_assert(eq(uint, still(), 0));
    cr_assert(eq(u64, bench_stat(vtd.unit, "invalidations-iotlb"), 3));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQH), 0x30));
}

Test(vtd_invalidate, a_page_mask_covers_an_aligned_range)
{
    start();
    unmap();
    push(VTD_INV_IOTLB | 3 << 4 | 5 << 16, 0x40003000 | 2); /* 16 KiB: pages 0 to 3 */
    cr_assert(eq(uint, still(), 0xc));
}

Test(vtd_invalidate, a_page_inside_a_large_one_takes_the_large_one)
{
    start();
    entry_set(&vtd, 0x40200000, 2, 0x600083);
    cr_assert(reaches(DEVICE, 0x40201000));
    entry_set(&vtd, 0x40200000, 2, 0);
    cr_assert(reaches(DEVICE, 0x403ff000));
    push(VTD_INV_IOTLB | 3 << 4 | 5 << 16, 0x40207000);
    cr_assert(not(reaches(DEVICE, 0x403ff000)));
}

Test(vtd_invalidate, a_leaf_hint_leaves_the_tables_cached)
{
    start();
    warm();
    memory_write(&vtd, entry_address(&vtd, 0x40001000, 3), 0);
    push(VTD_INV_IOTLB | 3 << 4 | 5 << 16, 0x40001000 | VTD_IVA_IH);
    cr_assert(reaches(DEVICE, 0x40001000)); /* the cached table still leads there */
    push(VTD_INV_IOTLB | 3 << 4 | 5 << 16, 0x40001000);
    cr_assert(not(reaches(DEVICE, 0x40001000)));
}

Test(vtd_invalidate, contexts_by_device_with_function_mask_and_globally)
{
    start();
    warm();
    context_set(&vtd, DEVICE, 0, 0);
    context_set(&vtd, DEVICE + 1, 0, 0);
    push(VTD_INV_CONTEXT | 3 << 4 | 5 << 16 | (uint64_t)DEVICE << 32, 0);
    cr_assert(eq(uint, still(), 0xc));
    push(VTD_INV_CONTEXT | 3 << 4 | 6 << 16 | (uint64_t)DEVICE << 32 | 3ull << 48, 0);
    cr_assert(eq(uint, still(), 0));
}

Test(vtd_invalidate, contexts_by_register)
{
    start();
    warm();
    context_set(&vtd, DEVICE, 0, 0);
    context_set(&vtd, DEVICE + 1, 0, 0);
    reg_write_wide(&vtd, VTD_CCMD, 0xe000000000000005 | DEVICE << 16);
    cr_assert(eq(uint, still(), 0xc));
    reg_write_wide(&vtd, VTD_CCMD, 0xc000000000000006);
    cr_assert(eq(uint, still(), 0));
}

Test(vtd_invalidate, a_wait_writes_its_status_and_interrupts_once_until_acknowledged)
{
    start();
    reg_write(&vtd, VTD_IEDATA, 0x55);
    reg_write(&vtd, VTD_IEADDR, 0xfee02000);
    reg_write(&vtd, VTD_IECTL, 0);
    push(VTD_INV_WAIT | VTD_INV_WAIT_SW | VTD_INV_WAIT_FN | 0x1234ull << 32, STATUS);
    cr_assert(eq(u64, memory_read(&vtd, STATUS), 0x1234));
    cr_assert(eq(uint, vtd.messages.count, 0));
    push(VTD_INV_WAIT | VTD_INV_WAIT_IF, 0);
    push(VTD_INV_WAIT | VTD_INV_WAIT_IF, 0);
    cr_assert(eq(uint, vtd.messages.count, 1));
    cr_assert(eq(u64, vtd.messages.records[0].value, 0x55));
    cr_assert(eq(u32, reg_read(&vtd, VTD_ICS), VTD_ICS_IWC));
    reg_write(&vtd, VTD_ICS, VTD_ICS_IWC);
    cr_assert(eq(u32, reg_read(&vtd, VTD_ICS), 0));
    reg_write(&vtd, VTD_IECTL, VTD_EVENT_IM);
    push(VTD_INV_WAIT | VTD_INV_WAIT_IF, 0);
    cr_assert(eq(u32, reg_read(&vtd, VTD_IECTL), VTD_EVENT_IM | VTD_EVENT_IP));
    reg_write(&vtd, VTD_IECTL, 0);
    cr_assert(eq(uint, vtd.messages.count, 2));
}

Test(vtd_invalidate, the_queue_wraps)
{
    start();
    for (unsigned i = 0; i < 300; i++)
        push(VTD_INV_WAIT | VTD_INV_WAIT_SW | (uint64_t)i << 32, STATUS);
    cr_assert(eq(u64, memory_read(&vtd, STATUS), 299));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQH), (300 * 16) & 0xfff));
}

Test(vtd_invalidate, a_bad_descriptor_stops_the_queue_until_it_is_repaired)
{
    static const uint64_t bad[][2] = {
        { 0, 0 },
        { VTD_INV_CONTEXT, 0 },
        { VTD_INV_CONTEXT | 1 << 4, 1 },
        { VTD_INV_CONTEXT | 1 << 4 | 1 << 6, 0 },
        { VTD_INV_IOTLB, 0 },
        { VTD_INV_IOTLB | 1 << 4 | 1ull << 40, 0 },
        { VTD_INV_IOTLB | 3 << 4, 0x80 },
        { VTD_INV_IOTLB | 3 << 4, VTD_MAMV + 1 },
        { VTD_INV_DEVICE_TLB, 0 }, /* not supported */
        { VTD_INV_IEC | 1 << 5, 0 },
        { VTD_INV_IEC | 1 << 4 | 16ull << 27, 0 },
        { VTD_INV_WAIT | VTD_INV_WAIT_SW, STATUS + 1 },
        { VTD_INV_WAIT | 1 << 8, 0 },
        { 6, 0 },
        { 0xf, 0 },
    };

    start();
    reg_write(&vtd, VTD_FECTL, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        unsigned at = tail;

        push(bad[i][0], bad[i][1]);
        cr_expect(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_IQE), "descriptor %u", i);
        cr_expect(eq(u64, reg_read_wide(&vtd, VTD_IQH), at));
        cr_expect(eq(uint, vtd.messages.count, i + 1));
        push(VTD_INV_WAIT | VTD_INV_WAIT_SW | (i + 1ull) << 32, STATUS);
        cr_expect(eq(u64, memory_read(&vtd, STATUS), i));
        memory_write(&vtd, QUEUE + at, VTD_INV_WAIT);
        memory_write(&vtd, QUEUE + at + 8, 0);
        reg_write(&vtd, VTD_FSTS, VTD_FSTS_IQE);
        cr_expect(eq(u64, memory_read(&vtd, STATUS), i + 1));
        cr_expect(eq(u64, reg_read_wide(&vtd, VTD_IQH), tail));
    }
}

Test(vtd_invalidate, a_tail_behind_the_queue_and_a_queue_in_no_memory_are_errors)
{
    start();
    reg_write_wide(&vtd, VTD_IQT, 0x1000);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_IQE));
    reg_write_wide(&vtd, VTD_IQT, 0);
    reg_write(&vtd, VTD_FSTS, VTD_FSTS_IQE);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), 0));
    reg_write(&vtd, VTD_GCMD, VTD_G_TE);
    reg_write_wide(&vtd, VTD_IQA, 0x7000000000);
    reg_write(&vtd, VTD_GCMD, VTD_G_TE | VTD_G_QIE);
    reg_write_wide(&vtd, VTD_IQT, 0x10);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_IQE));
}

Test(vtd_invalidate, a_queue_that_writes_its_own_tail_does_not_run_away)
{
    start();
    push(VTD_INV_WAIT | VTD_INV_WAIT_SW | 0x20ull << 32, VTD_BASE + VTD_IQT);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQT), 0x20));
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_IQE));
}

Test(vtd_invalidate, device_tlb_descriptors_complete_where_they_are_supported)
{
    bench_number(vtd.unit, "device-iotlb", 1);
    start();
    push(VTD_INV_DEVICE_TLB | (uint64_t)DEVICE << 32 | 4 << 16, 0x40001001);
    cr_assert(eq(u64, bench_stat(vtd.unit, "invalidations-device"), 1));
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), 0));
}

Test(vtd_invalidate, descriptors_take_their_time_one_after_the_other)
{
    static const struct bench_cost costs[] = { { "vtd-invalidation", 100 * IOV_NS },
                                               { "dram-access", 80 * IOV_NS },
                                               { NULL, 0 } };

    tear_down();
    vtd_bench_init(&vtd, costs);
    start();
    memory_write(&vtd, QUEUE, VTD_INV_IOTLB | 1 << 4);
    memory_write(&vtd, QUEUE + 16, VTD_INV_WAIT | VTD_INV_WAIT_SW | 7ull << 32);
    memory_write(&vtd, QUEUE + 24, STATUS);
    reg_write_wide(&vtd, VTD_IQT, 0x20);
    iov_kernel_run_until(vtd.bench->run.kernel, 179 * IOV_NS);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQH), 0));
    cr_assert(eq(u64, memory_read(&vtd, STATUS), 0));
    iov_kernel_run_until(vtd.bench->run.kernel, 180 * IOV_NS);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQH), 0x10));
    cr_assert(eq(u64, memory_read(&vtd, STATUS), 7));
    iov_kernel_run_until(vtd.bench->run.kernel, 360 * IOV_NS);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQH), 0x20));
}
