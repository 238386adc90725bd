/* SPDX-License-Identifier: Apache-2.0 */
/* Translation of the vt-d kind: pages of each size, rights, faults by reason, caches, time. */
#include "tests/models/iommu/vtd-bench.h"

static struct vtd_bench vtd;

static void set_up(void)
{
    vtd_bench_init(&vtd, NULL);
}

static void tear_down(void)
{
    vtd_bench_free(&vtd);
}

TestSuite(vtd_walk, .init = set_up, .fini = tear_down);

/* Translation on with the device in domain 5. */
static void start(unsigned levels)
{
    vtd.levels = levels;
    vtd_bench_start(&vtd);
    context_set_domain(&vtd, DEVICE, 5);
    translation_on(&vtd);
}

/* What the four bytes at the address become when the device writes through its mapping. */
static void check_reaches(uint64_t iova, uint64_t address)
{
    cr_expect(eq(int, dma_write(&vtd, iova, 0xfeedbeef), IOV_STATUS_OK));
    cr_expect(eq(u64, bench_read(vtd.memory, address, 4), 0xfeedbeef));
}

Test(vtd_walk, pages_of_4k_2m_and_1g_with_three_levels)
{
    bench_number(vtd.unit, "aw-bits", 39);
    start(3);
    entry_set(&vtd, 0x40001000, 1, 0x200003);
    entry_set(&vtd, 0x40200000, 2, 0x600083);
    entry_set(&vtd, 0x80000000, 3, 0x83);
    check_reaches(0x40001234, 0x200234);
    check_reaches(0x402abcd0, 0x6abcd0);
    check_reaches(0x80345678, 0x345678);
}

Test(vtd_walk, four_levels)
{
    start(4);
    entry_set(&vtd, 0x8040001000, 1, 0x200003);
    check_reaches(0x8040001ffc, 0x200ffc);
}

Test(vtd_walk, a_dma_over_two_pages_goes_to_both)
{
    uint8_t bytes[32], back[32];

    start(3);
    entry_set(&vtd, 0x40001000, 1, 0x200003);
    entry_set(&vtd, 0x40002000, 1, 0x300003);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i + 1);
    cr_assert(eq(int, dma_by(&vtd, DEVICE, 0x40001ff0, bytes, 32, true), IOV_STATUS_OK));
    cr_assert(eq(u64, memory_read(&vtd, 0x200ff8), 0x100f0e0d0c0b0a09));
    cr_assert(eq(u64, memory_read(&vtd, 0x300000), 0x1817161514131211));
    cr_assert(eq(int, dma_by(&vtd, DEVICE, 0x40001ff0, back, 32, false), IOV_STATUS_OK));
    cr_assert(zero(int, memcmp(bytes, back, sizeof bytes)));
}

Test(vtd_walk, of_a_dma_over_two_pages_the_mapped_half_arrives)
{
    uint64_t data[2] = { 1, 2 };

    start(3);
    entry_set(&vtd, 0x40001000, 1, 0x200003);
    cr_assert(eq(int, dma_by(&vtd, DEVICE, 0x40001ff8, data, 16, true), IOV_STATUS_FAULT));
    cr_assert(eq(u64, memory_read(&vtd, 0x200ff8), 1));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_FRCD), 0x40002000));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_WRITE));
}

Test(vtd_walk, pass_through_and_translation_off_change_no_address)
{
    vtd_bench_start(&vtd);
    check_reaches(0x5000, 0x5000);
    context_set(&vtd, DEVICE, 1 | VTD_TYPE_PASS_THROUGH << 2, 0x101);
    translation_on(&vtd);
    check_reaches(0x6000, 0x6000);
}

Test(vtd_walk, two_domains_do_not_see_each_other)
{
    uint32_t value = 7;

    start(3);
    entry_set(&vtd, 0x40001000, 1, 0x200003);
    memory_write(&vtd, CONTEXTS + 16 * 0x20, 0x150001);
    memory_write(&vtd, CONTEXTS + 16 * 0x20 + 8, 0x601);
    check_reaches(0x40001000, 0x200000);
    cr_assert(eq(int, dma_by(&vtd, 0x20, 0x40001000, &value, 4, true), IOV_STATUS_FAULT));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_FRCD + 8) & 0xffff, 0x20));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_WRITE));
}

/* ---- Faults ---- */

static void check_faults(uint64_t iova, bool write, unsigned reason)
{
    uint64_t before = memory_read(&vtd, 0x200000), high;
    enum iov_status status = write ? dma_write(&vtd, iova, 0x5a5a5a5a) : dma_read(&vtd, iova);

    cr_expect(eq(int, status, IOV_STATUS_FAULT), "reason %#x", reason);
    high = reg_read_wide(&vtd, VTD_FRCD + 8);
    cr_expect(eq(u64, high & 0xffff, DEVICE));
    cr_expect(eq(u64, high >> 62 & 1, !write));
    cr_expect(eq(u64, reg_read_wide(&vtd, VTD_FRCD), iova & ~0xfffull));
    cr_expect(eq(uint, fault_take(&vtd), reason));
    cr_expect(eq(u64, memory_read(&vtd, 0x200000), before));
}

Test(vtd_walk, root_and_context_faults_by_reason)
{
    vtd_bench_start(&vtd);
    translation_on(&vtd);
    check_faults(0x1000, false, VTD_FAULT_ROOT_ABSENT);
    memory_write(&vtd, ROOT, CONTEXTS | 0x11);
    check_faults(0x1000, false, VTD_FAULT_ROOT_RESERVED);
    memory_write(&vtd, ROOT, CONTEXTS | 1);
    memory_write(&vtd, ROOT + 8, 1);
    check_faults(0x1000, false, VTD_FAULT_ROOT_RESERVED);
    memory_write(&vtd, ROOT + 8, 0);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_ABSENT);
    memory_write(&vtd, ROOT, 0x7000000001);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_TABLE);
    context_set(&vtd, DEVICE, TABLE | 0x11, 0x501);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_RESERVED);
    context_set(&vtd, DEVICE, TABLE | 1, 0x581);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_RESERVED);
    context_set(&vtd, DEVICE, TABLE | 1, 0x503);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_INVALID);
    context_set(&vtd, DEVICE, TABLE | 0xd, 0x501);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_INVALID);
    context_set(&vtd, DEVICE, TABLE | 0x5, 0x501);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_INVALID);
    context_set(&vtd, DEVICE, 0x7000000001, 0x501);
    check_faults(0x1000, true, VTD_FAULT_CONTEXT_INVALID);
    reg_write_wide(&vtd, VTD_RTADDR, 0x7000000000);
    command(&vtd, VTD_G_SRTP);
    check_faults(0x1000, true, VTD_FAULT_ROOT_TABLE);
}

Test(vtd_walk, paging_faults_by_reason)
{
    start(3);
    check_faults(0x40001000, false, VTD_FAULT_READ);
    check_faults(0x40001000, true, VTD_FAULT_WRITE);
    check_faults(0x8000000000, true, VTD_FAULT_BEYOND_WIDTH);
    entry_set(&vtd, 0x40001000, 1, 0x200001);
    check_faults(0x40001000, true, VTD_FAULT_WRITE);
    entry_set(&vtd, 0x40002000, 1, 0x200002);
    check_faults(0x40002000, false, VTD_FAULT_READ);
    entry_set(&vtd, 0x40400000, 2, 0x7000000003);
    check_faults(0x40400000, true, VTD_FAULT_NEXT_TABLE);
    entry_set(&vtd, 0x40003000, 1, MSI_BASE | 3);
    check_faults(0x40003000, true, VTD_FAULT_INTERRUPT_RANGE);
    cr_assert(eq(u64, bench_stat(vtd.unit, "faults-recorded"), 7));
}

Test(vtd_walk, every_reserved_bit_of_every_level_faults_and_no_other_does)
{
    bench_number(vtd.unit, "host-address-bits", 40);
    start(4);
    for (unsigned level = 1; level <= 4; level++) {
        for (unsigned bit = 2; bit < 64; bit++) {
            bool page = level == 1 || (bit == 7 && level < 4);
            bool bad =
                bit == 11 || (bit >= 40 && bit < 52) || bit == 62 || (bit == 7 && level == 4);

            if (bit >= 12 && bit < 40)
                continue;
            entry_set(&vtd, 0x40001000, 1, 0x200003);
            entry_set(&vtd, 0x40001000, level,
                      (memory_read(&vtd, entry_address(&vtd, 0x40001000, level)) & ~0xffcull) |
                          1ull << bit);
            if (page && level > 1) /* the table's address is not one of a large page */
                entry_set(&vtd, 0x40001000, level, 0x83);
            invalidate_all(&vtd);
            if (bad)
                check_faults(0x40001000, true, VTD_FAULT_PAGE_RESERVED);
            else
                cr_expect(eq(int, dma_read(&vtd, 0x40001000), IOV_STATUS_OK), "level %u bit %u",
                          level, bit);
        }
    }
}

Test(vtd_walk, low_address_bits_of_large_pages_are_reserved)
{
    start(3);
    for (unsigned level = 2; level <= 3; level++) {
        for (unsigned bit = 12; bit < 3 + 9 * level; bit++) {
            entry_set(&vtd, 0x40001000, level, 0x83 | 1ull << bit);
            check_faults(0x40001000, true, VTD_FAULT_PAGE_RESERVED);
        }
    }
}

Test(vtd_walk, the_snoop_bit_of_a_page_needs_the_capability)
{
    bench_number(vtd.unit, "snoop-control", 1);
    start(3);
    entry_set(&vtd, 0x40001000, 1, 0x200803);
    check_reaches(0x40001000, 0x200000);
}

Test(vtd_walk, upper_levels_limit_rights_even_when_they_are_cached)
{
    start(3);
    entry_set(&vtd, 0x40001000, 1, 0x200003);
    entry_set(&vtd, 0x40002000, 1, 0x201003);
    memory_write(&vtd, entry_address(&vtd, 0x40001000, 2), (TABLE + 0x2000) | 1);
    cr_assert(eq(int, dma_read(&vtd, 0x40001000), IOV_STATUS_OK));
    check_faults(0x40001000, true, VTD_FAULT_WRITE);
    check_faults(0x40002000, true, VTD_FAULT_WRITE);
}

Test(vtd_walk, fault_processing_disable_blocks_in_silence)
{
    start(3);
    context_set(&vtd, DEVICE, TABLE | 3, 0x501);
    cr_assert(eq(int, dma_read(&vtd, 0x40001000), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), 0));
    cr_assert(eq(u64, bench_stat(vtd.unit, "blocked"), 1));
}

Test(vtd_walk, pasids_and_unknown_table_modes_are_blocked)
{
    uint32_t data = 0;
    struct iov_mem_req req = bench_req(0x1000, &data, 4);

    start(3);
    req.pasid = 3;
    cr_assert(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_PASID));
    reg_write_wide(&vtd, VTD_RTADDR, ROOT | 0x400);
    command(&vtd, VTD_G_SRTP);
    check_faults(0x1000, false, VTD_FAULT_MODE);
}

Test(vtd_walk, translated_requests_need_a_device_tlb_context)
{
    uint32_t data = 0;
    struct iov_mem_req req = bench_req(0x1000, &data, 4);

    bench_number(vtd.unit, "device-iotlb", 1);
    start(3);
    req.requester = DEVICE;
    req.flags = IOV_MEM_TRANSLATED;
    cr_assert(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_TRANSLATED));
    context_set(&vtd, DEVICE, TABLE | 1 | VTD_TYPE_DEVICE_TLB << 2, 0x501);
    invalidate_all(&vtd);
    cr_assert(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_OK));
}

Test(vtd_walk, zero_length_reads_of_write_only_pages_need_the_capability)
{
    uint32_t data;

    bench_number(vtd.unit, "zero-length-read", 1);
    start(3);
    entry_set(&vtd, 0x40001000, 1, 0x200002);
    cr_assert(eq(int, dma_by(&vtd, DEVICE, 0x40001000, &data, 0, false), IOV_STATUS_OK));
    cr_assert(eq(int, dma_by(&vtd, DEVICE, 0x40002000, &data, 0, false), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_READ));
    check_faults(0x40001000, false, VTD_FAULT_READ);
}

/* ---- Fault records ---- */

Test(vtd_walk, a_full_record_overflows_and_overflow_silences_until_it_is_cleared)
{
    uint32_t data;

    start(3);
    dma_read(&vtd, 0x1000);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_PPF));
    dma_read(&vtd, 0x2000);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_PPF));
    dma_by(&vtd, 0x28, 0x3000, &data, 4, false);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_PPF | VTD_FSTS_PFO));
    reg_write(&vtd, VTD_FRCD + 12, 0x80000000u);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_PFO));
    dma_read(&vtd, 0x1000);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_PFO));
    reg_write(&vtd, VTD_FSTS, VTD_FSTS_PFO);
    check_faults(0x1000, false, VTD_FAULT_READ);
}

Test(vtd_walk, several_records_fill_in_turn_and_the_index_names_the_first)
{
    uint32_t data;

    bench_number(vtd.unit, "fault-records", 4);
    start(3);
    dma_read(&vtd, 0x1000);
    reg_write(&vtd, VTD_FRCD + 12, 0x80000000u);
    for (uint16_t i = 0; i < 3; i++)
        dma_by(&vtd, (uint16_t)(0x100 + i), 0x1000, &data, 4, false);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FSTS), VTD_FSTS_PPF | 1 << VTD_FSTS_FRI_SHIFT));
    for (unsigned i = 0; i < 3; i++)
        cr_expect(eq(u64, reg_read_wide(&vtd, VTD_FRCD + 16 * (i + 1) + 8) & 0xffff, 0x100 + i));
}

Test(vtd_walk, the_fault_event_waits_while_masked_and_is_sent_once)
{
    start(3);
    reg_write(&vtd, VTD_FEDATA, 0x41);
    reg_write(&vtd, VTD_FEADDR, 0xfee01000);
    dma_read(&vtd, 0x1000);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FECTL), VTD_EVENT_IM | VTD_EVENT_IP));
    cr_assert(eq(uint, vtd.messages.count, 0));
    reg_write(&vtd, VTD_FECTL, 0);
    cr_assert(eq(uint, vtd.messages.count, 1));
    cr_assert(eq(u64, vtd.messages.records[0].address, 0xfee01000));
    cr_assert(eq(u64, vtd.messages.records[0].value, 0x41));
    fault_take(&vtd);
    dma_read(&vtd, 0x1000);
    cr_assert(eq(uint, vtd.messages.count, 2));
}

Test(vtd_walk, a_pending_event_is_forgotten_when_software_clears_its_reasons)
{
    start(3);
    dma_read(&vtd, 0x1000);
    fault_take(&vtd);
    cr_assert(eq(u32, reg_read(&vtd, VTD_FECTL), VTD_EVENT_IM));
}

/* ---- Caches and time ---- */

static iov_time read_delay(uint64_t iova)
{
    uint32_t data;
    struct iov_mem_req req = bench_req(iova, &data, 4);

    req.requester = DEVICE;
    cr_expect(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_OK));
    cr_expect(eq(u64, req.delay - req.translation, 80 * IOV_NS));
    return req.translation;
}

static void start_timed(const char *property, uint64_t value)
{
    static const struct bench_cost costs[] = {
        { "vtd-iotlb-hit", 2 * IOV_NS },
        { "vtd-walk-step", 10 * IOV_NS },
        { "dram-access", 80 * IOV_NS },
        { NULL, 0 },
    };

    tear_down();
    vtd_bench_init(&vtd, costs);
    if (property != NULL)
        bench_number(vtd.unit, property, value);
    start(4);
    for (unsigned i = 0; i < 512; i++)
        entry_set(&vtd, 0x40000000 + 0x1000 * i, 1, (0x200000 + 0x1000 * i) | 3);
}

Test(vtd_walk, time_is_a_hit_and_a_step_for_each_table_that_is_not_cached)
{
    start_timed(NULL, 0);
    cr_expect(eq(u64, read_delay(0x40000000), (2 + 6 * 90) * IOV_NS));
    cr_expect(eq(u64, read_delay(0x40000000), 2 * IOV_NS));
    iov_kernel_run_until(vtd.bench->run.kernel, IOV_US);
    cr_expect(eq(u64, read_delay(0x40001000), (2 + 90) * IOV_NS));
    cr_expect(eq(u64, bench_stat(vtd.unit, "iotlb-misses"), 2));
    cr_expect(eq(u64, bench_stat(vtd.unit, "walk-reads"), 7));
}

Test(vtd_walk, walks_wait_for_a_walker)
{
    start_timed("walkers", 2);
    read_delay(0x40000000);
    iov_kernel_run_until(vtd.bench->run.kernel, IOV_US);
    cr_expect(eq(u64, read_delay(0x40001000), 92 * IOV_NS));
    cr_expect(eq(u64, read_delay(0x40002000), 92 * IOV_NS));
    cr_expect(eq(u64, read_delay(0x40003000), (92 + 90) * IOV_NS));
}

Test(vtd_walk, the_iotlb_keeps_as_many_pages_as_it_has_entries)
{
    start_timed("iotlb-entries", 64);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 64; i++)
            read_delay(0x40000000 + 0x1000 * i);
    }
    cr_expect(eq(u64, bench_stat(vtd.unit, "iotlb-misses"), 64));
    for (unsigned i = 0; i < 72; i++)
        read_delay(0x40000000 + 0x1000 * i);
    cr_expect(eq(u64, bench_stat(vtd.unit, "iotlb-misses"), 72));
    read_delay(0x40000000);
    cr_expect(eq(u64, bench_stat(vtd.unit, "iotlb-misses"), 73));
}

Test(vtd_walk, a_tool_that_looks_leaves_no_trace)
{
    uint32_t data;
    struct iov_mem_req req = bench_req(0x40000000, &data, 4);

    start_timed(NULL, 0);
    req.requester = DEVICE;
    req.flags = IOV_MEM_DEBUG;
    cr_expect(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_OK));
    req.address = 0x1000;
    cr_expect(eq(int, vtd.upstream->ops->read(vtd.upstream, &req), IOV_STATUS_FAULT));
    cr_expect(eq(u64, req.delay, 0));
    cr_expect(eq(u64, bench_stat(vtd.unit, "walk-reads"), 0));
    cr_expect(eq(u64, bench_stat(vtd.unit, "blocked"), 0));
    cr_expect(eq(uint, fault_take(&vtd), 0));
}
