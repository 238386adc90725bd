/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupt remapping and posting of the vt-d kind: formats, source validation, faults by
 * reason. */
#include "tests/models/iommu/vtd-bench.h"

#define PD 0x300040u

static struct vtd_bench vtd;

static void set_up(void)
{
    vtd_bench_init(&vtd, NULL);
}

static void tear_down(void)
{
    vtd_bench_free(&vtd);
}

TestSuite(vtd_interrupt, .init = set_up, .fini = tear_down);

/* A table of 256 entries, remapping on. */
static void start_with(uint32_t flags)
{
    vtd_bench_start(&vtd);
    reg_write_wide(&vtd, VTD_IRTA, IRT | 7 | flags);
    command(&vtd, VTD_G_SIRTP);
    command(&vtd, VTD_G_IRE);
}

static void start(void)
{
    start_with(0);
}

static void entry_put(unsigned index, uint64_t low, uint64_t high)
{
    memory_write(&vtd, IRT + 16 * index, low);
    memory_write(&vtd, IRT + 16 * index + 8, high);
}

static uint32_t handle(unsigned index)
{
    return 0xfee00010u | (index & 0x7fff) << 5 | (index >> 15) << 2;
}

static enum iov_status message(uint32_t address, uint32_t data)
{
    return dma_by(&vtd, DEVICE, address, &data, 4, true);
}

static void check_blocked(unsigned index, unsigned reason)
{
    unsigned before = vtd.messages.count;

    cr_expect(eq(int, message(handle(index), 0), IOV_STATUS_FAULT), "reason %#x", reason);
    cr_expect(eq(u64, reg_read_wide(&vtd, VTD_FRCD), (uint64_t)(index & 0xffff) << 48));
    cr_expect(eq(uint, fault_take(&vtd), reason));
    cr_expect(eq(uint, vtd.messages.count, before));
}

static const struct bench_record *last(void)
{
    return &vtd.messages.records[vtd.messages.count - 1];
}

Test(vtd_interrupt, messages_pass_as_they_are_while_remapping_is_off)
{
    vtd_bench_start(&vtd);
    cr_assert(eq(int, message(0xfee01004, 0x4031), IOV_STATUS_OK));
    cr_assert(eq(u64, last()->address, 0xfee01004));
    cr_assert(eq(u64, last()->value, 0x4031));
}

Test(vtd_interrupt, an_entry_makes_the_message)
{
    start();
    entry_put(3, 1 | 0x300ull << 32 | 0x45 << 16, 0);
    cr_assert(eq(int, message(handle(3), 0), IOV_STATUS_OK));
    cr_assert(eq(u64, last()->address, 0xfee03000));
    cr_assert(eq(u64, last()->value, 0x45));
    entry_put(
        4, 1 | 0xff00ull << 32 | 0x46 << 16 | VTD_IRTE_DM | VTD_IRTE_RH | VTD_IRTE_TM | 1 << 5, 0);
    cr_assert(eq(int, message(handle(4), 0), IOV_STATUS_OK));
    cr_assert(eq(u64, last()->address, 0xfee0000c | 0xff << 12));
    cr_assert(eq(u64, last()->value, 0xc146));
}

Test(vtd_interrupt, a_subhandle_adds_to_the_handle_only_if_it_is_said_to_be_valid)
{
    start();
    entry_put(3, 1 | 0x45 << 16, 0);
    entry_put(5, 1 | 0x47 << 16, 0);
    cr_assert(eq(int, message(handle(3) | VTD_MSI_SHV, 2), IOV_STATUS_OK));
    cr_assert(eq(u64, last()->value, 0x47));
    cr_assert(eq(int, message(handle(3), 2), IOV_STATUS_OK));
    cr_assert(eq(u64, last()->value, 0x45));
    cr_assert(eq(int, message(handle(3) | VTD_MSI_SHV, 0x10000), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_IR_REQUEST));
}

Test(vtd_interrupt, faults_by_reason)
{
    start();
    check_blocked(3, VTD_FAULT_IR_ABSENT);
    check_blocked(256, VTD_FAULT_IR_INDEX);
    check_blocked(0xffff, VTD_FAULT_IR_INDEX);
    cr_expect(eq(int, message(0xfee01000, 0x31), IOV_STATUS_FAULT));
    cr_expect(eq(uint, fault_take(&vtd), VTD_FAULT_IR_COMPATIBILITY));
    entry_put(3, 1 | 1 << 12, 0);
    check_blocked(3, VTD_FAULT_IR_RESERVED);
    entry_put(3, 1 | 1ull << 32, 0); /* the low destination byte is for extended mode */
    check_blocked(3, VTD_FAULT_IR_RESERVED);
    entry_put(3, 1, 1 << 20);
    check_blocked(3, VTD_FAULT_IR_RESERVED);
    entry_put(3, 1, 3 << 18);
    check_blocked(3, VTD_FAULT_IR_RESERVED);
    entry_put(3, 1 | VTD_IRTE_IM, 0); /* posting is not supported */
    check_blocked(3, VTD_FAULT_IR_RESERVED);
    entry_put(3, 1, 1 << 18 | 0x20);
    check_blocked(3, VTD_FAULT_IR_SOURCE);
    reg_write_wide(&vtd, VTD_IRTA, 0x7000000007);
    command(&vtd, VTD_G_SIRTP);
    check_blocked(3, VTD_FAULT_IR_TABLE);
}

Test(vtd_interrupt, fault_processing_disable_silences_an_entry_but_not_the_table)
{
    start();
    entry_put(3, VTD_IRTE_FPD, 0);
    cr_expect(eq(int, message(handle(3), 0), IOV_STATUS_FAULT));
    entry_put(3, VTD_IRTE_FPD | 1, 1 << 18);
    cr_expect(eq(int, message(handle(3), 0), IOV_STATUS_FAULT));
    cr_expect(eq(uint, fault_take(&vtd), 0));
    cr_expect(eq(u64, bench_stat(vtd.unit, "interrupts-blocked"), 2));
    check_blocked(256, VTD_FAULT_IR_INDEX);
}

Test(vtd_interrupt, the_source_may_differ_in_as_many_function_bits_as_the_qualifier_says)
{
    static const uint16_t free_bits[] = { 0, 4, 6, 7 };

    start();
    for (unsigned sq = 0; sq < 4; sq++) {
        for (unsigned bit = 0; bit < 16; bit++) {
            bool fits = free_bits[sq] >> bit & 1;

            entry_put(3, 1 | 0x45 << 16, 1 << 18 | sq << 16 | (DEVICE ^ 1u << bit));
            command(&vtd, VTD_G_SIRTP); /* empties the entry cache */
            cr_expect(eq(int, message(handle(3), 0), fits ? IOV_STATUS_OK : IOV_STATUS_FAULT));
            cr_expect(eq(uint, fault_take(&vtd), fits ? 0 : VTD_FAULT_IR_SOURCE));
        }
    }
}

Test(vtd_interrupt, the_source_bus_may_lie_in_a_range)
{
    uint32_t data = 0;

    start();
    entry_put(3, 1 | 0x45 << 16, 2 << 18 | 0x0204);
    for (unsigned bus = 0; bus < 8; bus++)
        cr_expect(eq(int, dma_by(&vtd, (uint16_t)(bus << 8 | 9), handle(3), &data, 4, true),
                     bus >= 2 && bus <= 4 ? IOV_STATUS_OK : IOV_STATUS_FAULT));
}

Test(vtd_interrupt, compatibility_format_needs_its_enable_and_no_extended_mode)
{
    bench_number(vtd.unit, "eim", 1);
    start();
    command(&vtd, VTD_G_CFI);
    cr_assert(eq(int, message(0xfee01000, 0x31), IOV_STATUS_OK));
    cr_assert(eq(u64, last()->address, 0xfee01000));
    reg_write_wide(&vtd, VTD_IRTA, IRT | 7 | VTD_IRTA_EIME);
    command(&vtd, VTD_G_SIRTP);
    cr_assert(eq(int, message(0xfee01000, 0x31), IOV_STATUS_FAULT));
    cr_assert(eq(uint, fault_take(&vtd), VTD_FAULT_IR_COMPATIBILITY));
}

Test(vtd_interrupt, extended_mode_has_destinations_of_32_bits)
{
    bench_number(vtd.unit, "eim", 1);
    start_with(VTD_IRTA_EIME);
    entry_put(3, 1 | 0x12345678ull << 32 | 0x45 << 16, 0);
    cr_assert(eq(int, message(handle(3), 0), IOV_STATUS_OK));
    cr_assert(eq(u64, last()->address, 0x12345600fee78000));
}

Test(vtd_interrupt, only_aligned_writes_of_four_bytes_are_messages)
{
    uint64_t data = 0;

    start();
    entry_put(3, 1 | 0x45 << 16, 0);
    cr_expect(eq(int, dma_by(&vtd, DEVICE, handle(3), &data, 8, true), IOV_STATUS_UNSUPPORTED));
    cr_expect(eq(int, dma_by(&vtd, DEVICE, handle(3) + 2, &data, 4, true), IOV_STATUS_UNSUPPORTED));
    cr_expect(eq(int, dma_by(&vtd, DEVICE, handle(3), &data, 4, false), IOV_STATUS_UNSUPPORTED));
    cr_expect(eq(uint, fault_take(&vtd), 0));
    cr_expect(eq(uint, vtd.messages.count, 0));
}

Test(vtd_interrupt, a_rewritten_entry_counts_after_its_invalidation)
{
    start();
    reg_write_wide(&vtd, VTD_IQA, QUEUE);
    command(&vtd, VTD_G_QIE);
    for (unsigned i = 0; i < 16; i++) {
        entry_put(i, 1 | 0x45 << 16 | 0x100ull << 32, 0);
        message(handle(i), 0);
        entry_put(i, 1 | 0x45 << 16 | 0x200ull << 32, 0);
    }
    memory_write(&vtd, QUEUE, VTD_INV_IEC | VTD_INV_IEC_INDEX | 2 << 27 | 5ull << 32);
    reg_write_wide(&vtd, VTD_IQT, 0x10);
    for (unsigned i = 0; i < 16; i++) {
        message(handle(i), 0);
        cr_expect(eq(u64, last()->address, i >= 4 && i < 8 ? 0xfee02000 : 0xfee01000), "%u", i);
    }
    memory_write(&vtd, QUEUE + 16, VTD_INV_IEC);
    reg_write_wide(&vtd, VTD_IQT, 0x20);
    message(handle(0), 0);
    cr_expect(eq(u64, last()->address, 0xfee02000));
}

Test(vtd_interrupt, a_hit_takes_less_than_a_walk)
{
    static const struct bench_cost costs[] = { { "vtd-interrupt-entry", 20 * IOV_NS },
                                               { "vtd-walk-step", 100 * IOV_NS },
                                               { NULL, 0 } };

    tear_down();
    vtd_bench_init(&vtd, costs);
    start();
    entry_put(3, 1 | 0x45 << 16, 0);
    message(handle(3), 0);
    cr_assert(eq(u64, last()->delay, 120 * IOV_NS));
    message(handle(3), 0);
    cr_assert(eq(u64, last()->delay, 20 * IOV_NS));
}

/* ---- Posting ---- */

static void entry_post(unsigned index, unsigned vector, uint64_t flags)
{
    entry_put(index, 1 | VTD_IRTE_IM | flags | vector << 16 | (PD & 0xffffffc0ull) << 32, 0);
}

static void start_posting(uint64_t control)
{
    bench_number(vtd.unit, "posting", 1);
    start();
    memory_write(&vtd, PD + 32, control);
    entry_post(3, 0x91, 0);
    entry_post(4, 0x12, 0);
    entry_post(5, 0xff, VTD_IRTE_URG);
}

#define NOTIFY (0xf2ull << VTD_PD_NV_SHIFT | 0x500ull << VTD_PD_NDST_SHIFT)

Test(vtd_interrupt, posting_sets_the_request_and_notifies_once)
{
    start_posting(NOTIFY);
    cr_assert(eq(int, message(handle(3), 0), IOV_STATUS_OK));
    cr_assert(eq(u64, memory_read(&vtd, PD + 16), 1 << 17));
    cr_assert(eq(u64, memory_read(&vtd, PD + 32), NOTIFY | VTD_PD_ON));
    cr_assert(eq(u64, last()->address, 0xfee05000));
    cr_assert(eq(u64, last()->value, 0xf2));
    cr_assert(eq(int, message(handle(4), 0), IOV_STATUS_OK));
    cr_assert(eq(u64, memory_read(&vtd, PD), 1 << 18));
    cr_assert(eq(uint, vtd.messages.count, 1));
}

Test(vtd_interrupt, suppressed_notification_accumulates_unless_urgent)
{
    start_posting(NOTIFY | VTD_PD_SN);
    message(handle(3), 0);
    cr_assert(eq(uint, vtd.messages.count, 0));
    cr_assert(eq(u64, memory_read(&vtd, PD + 32), NOTIFY | VTD_PD_SN));
    message(handle(5), 0);
    cr_assert(eq(uint, vtd.messages.count, 1));
    cr_assert(eq(u64, memory_read(&vtd, PD + 24), 1ull << 63));
    cr_assert(eq(u64, bench_stat(vtd.unit, "interrupts-posted"), 2));
}

Test(vtd_interrupt, migration_by_rewriting_the_notification_destination)
{
    start_posting(NOTIFY);
    memory_write(&vtd, PD + 32, 0xf2ull << VTD_PD_NV_SHIFT | 0x700ull << VTD_PD_NDST_SHIFT);
    message(handle(3), 0);
    cr_assert(eq(u64, last()->address, 0xfee07000));
}

Test(vtd_interrupt, descriptors_that_are_malformed_or_nowhere_block)
{
    start_posting(NOTIFY | 4);
    check_blocked(3, VTD_FAULT_PD_RESERVED);
    cr_assert(eq(u64, memory_read(&vtd, PD + 16), 0));
    entry_put(6, 1 | VTD_IRTE_IM | 0x91 << 16, 0x70ull << 32);
    check_blocked(6, VTD_FAULT_PD_ACCESS);
    entry_put(7, 1 | VTD_IRTE_IM | 1 << 5, 0);
    check_blocked(7, VTD_FAULT_IR_RESERVED);
}

Test(vtd_interrupt, a_descriptor_changes_when_its_message_has_arrived_and_not_when_it_was_sent)
{
    static const struct bench_cost costs[] = { { "vtd-interrupt-entry", 20 * IOV_NS },
                                               { "vtd-walk-step", 100 * IOV_NS },
                                               { NULL, 0 } };
    struct iov_kernel *kernel;
    uint32_t data = 0;
    struct iov_mem_req req = bench_req(handle(3), &data, sizeof data);

    tear_down();
    vtd_bench_init(&vtd, costs);
    start_posting(NOTIFY);
    kernel = vtd.unit->kernel;
    req.requester = DEVICE;
    req.delay = 500 * IOV_NS; /* on the link */
    cr_assert(eq(int, (int)vtd.upstream->ops->write(vtd.upstream, &req), IOV_STATUS_OK));
    iov_kernel_run_until(kernel, 719 * IOV_NS); /* 500, 120 for the entry, 100 for the descriptor */
    cr_assert(eq(u64, memory_read(&vtd, PD + 16), 0));
    cr_assert(eq(uint, vtd.messages.count, 0));
    iov_kernel_run_until(kernel, 720 * IOV_NS);
    cr_assert(eq(u64, memory_read(&vtd, PD + 16), 1 << 17));
    cr_assert(eq(uint, vtd.messages.count, 1));
}

Test(vtd_interrupt, more_messages_than_the_unit_can_have_on_their_way_are_posted_all_the_same)
{
    static const struct bench_cost costs[] = { { "vtd-interrupt-entry", 20 * IOV_NS },
                                               { NULL, 0 } };

    tear_down();
    vtd_bench_init(&vtd, costs);
    start_posting(NOTIFY);
    for (unsigned i = 0; i < 100; i++)
        cr_assert(eq(int, message(handle(3), 0), IOV_STATUS_OK));
    iov_kernel_run_until(vtd.unit->kernel, IOV_US);
    cr_assert(eq(u64, bench_stat(vtd.unit, "interrupts-posted"), 100));
    cr_assert(eq(u64, memory_read(&vtd, PD + 16), 1 << 17));
}
