/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rubbish for the vt-d kind, bit by bit: every bit of root, context, interrupt and posted entries
 * and of descriptors is either defined or a fault with its reason; bases that point anywhere, the
 * unit's own registers too, are faults and nothing worse. (Paging entries: test-vtd-walk.c.)
 */
#include "core/kernel/random.h"
#include "tests/models/iommu/vtd-bench.h"

#define PD 0x300040u
#define PAGE 0x200000u
#define IOVA 0x40001000u

static struct vtd_bench vtd;

static void set_up(void)
{
    vtd_bench_init(&vtd, NULL);
    bench_number(vtd.unit, "posting", true);
    bench_number(vtd.unit, "device-iotlb", true);
    vtd.levels = 4;
}

static void tear_down(void)
{
    vtd_bench_free(&vtd);
}

TestSuite(vtd_hostile, .init = set_up, .fini = tear_down);

static bool in(uint64_t mask, unsigned bit)
{
    return mask >> bit & 1;
}

static unsigned dma_fault(void)
{
    invalidate_all(&vtd);
    return dma_read(&vtd, IOVA) == IOV_STATUS_OK ? 0 : fault_take(&vtd);
}

/* Sets each bit of the word at `address` in turn, all the others as they are; bits of `skipped`
 * mean something else. */
static void expect_bits(uint64_t address, uint64_t reserved, uint64_t skipped, unsigned reason)
{
    uint64_t good = memory_read(&vtd, address);

    for (unsigned bit = 0; bit < 64; bit++) {
        if (in(good | skipped, bit))
            continue;
        memory_write(&vtd, address, good | 1ull << bit);
        cr_expect(eq(uint, dma_fault(), in(reserved, bit) ? reason : 0), "bit %u", bit);
    }
    memory_write(&vtd, address, good);
    cr_assert(eq(uint, dma_fault(), 0));
}

Test(vtd_hostile, every_bit_of_root_and_context_entries)
{
    vtd_bench_start(&vtd);
    context_set_domain(&vtd, DEVICE, 5);
    entry_set(&vtd, IOVA, 1, PAGE | 3);
    translation_on(&vtd);
    expect_bits(ROOT, 0xffff000000000ffe, 0x0000fffffffff000, VTD_FAULT_ROOT_RESERVED);
    expect_bits(ROOT + 8, UINT64_MAX, 0, VTD_FAULT_ROOT_RESERVED);
    /* fault processing disable and the type are others' tests, as is the address */
    expect_bits(CONTEXTS + 16 * DEVICE, 0xffff000000000ff0, 0x0000fffffffff00e,
                VTD_FAULT_CONTEXT_RESERVED);
    expect_bits(CONTEXTS + 16 * DEVICE + 8, 0xffffffffff000080, 0x7, VTD_FAULT_CONTEXT_RESERVED);
}

/* ---- Interrupts ---- */

static void remapping_on(uint64_t low, uint64_t high)
{
    vtd_bench_start(&vtd);
    memory_write(&vtd, IRT + 16, low);
    memory_write(&vtd, IRT + 24, high);
    reg_write_wide(&vtd, VTD_IRTA, IRT | 7);
    command(&vtd, VTD_G_SIRTP);
    command(&vtd, VTD_G_IRE);
}

static unsigned message_fault(void)
{
    uint32_t data = 0;

    command(&vtd, VTD_G_SIRTP); /* forgets the entry */
    return dma_by(&vtd, DEVICE, 0xfee00030, &data, 4, true) == IOV_STATUS_OK ? 0 : fault_take(&vtd);
}

static void expect_entry_bits(unsigned word, uint64_t reserved, uint64_t skipped)
{
    uint64_t address = IRT + 16 + 8 * word, good = memory_read(&vtd, address);

    for (unsigned bit = 0; bit < 64; bit++) {
        if (in(good | skipped, bit))
            continue;
        memory_write(&vtd, address, good | 1ull << bit);
        cr_expect(eq(uint, message_fault(), in(reserved, bit) ? VTD_FAULT_IR_RESERVED : 0),
                  "word %u bit %u", word, bit);
    }
    memory_write(&vtd, address, good);
    cr_assert(eq(uint, message_fault(), 0));
}

Test(vtd_hostile, every_bit_of_a_remapped_interrupt_entry)
{
    remapping_on(VTD_IRTE_P | 0x41ull << 16, 0);
    /* 8 to 11 are software's, 15 is the other format, the vector and an APIC ID of 8 bits are
     * data */
    expect_entry_bits(0, 0xffff00ffff007000, 1ull << 15);
    expect_entry_bits(1, 0xfffffffffff00000, 0xc0000 /* the kind of validation */);
}

Test(vtd_hostile, every_bit_of_a_posted_interrupt_entry)
{
    remapping_on(vtd_irte_posted(0x41, PD), 0);
    memory_write(&vtd, PD + 32, 0xf2ull << VTD_PD_NV_SHIFT);
    expect_entry_bits(0, 0x0000003fff0030fc, 0xffffffc000000000 /* another descriptor */);
    expect_entry_bits(1, 0x00000000fff00000, 0xffffffff000c0000);
}

Test(vtd_hostile, every_bit_of_a_posted_interrupt_descriptor)
{
    const uint64_t good = 0xf2ull << VTD_PD_NV_SHIFT, reserved = 0xff00fffc;

    remapping_on(vtd_irte_posted(0x41, PD), 0);
    for (unsigned bit = 0; bit < 64; bit++) {
        memory_write(&vtd, PD + 32, good | 1ull << bit);
        cr_expect(eq(uint, message_fault(), in(reserved, bit) ? VTD_FAULT_PD_RESERVED : 0),
                  "bit %u", bit);
    }
}

/* ---- Descriptors ---- */

static bool descriptor_is_good(uint64_t low, uint64_t high)
{
    bool good;

    command(&vtd, 0);
    reg_write(&vtd, VTD_GCMD, 0); /* the queue off and on: head and tail at 0 */
    reg_write_wide(&vtd, VTD_IQT, 0);
    memory_write(&vtd, QUEUE, low);
    memory_write(&vtd, QUEUE + 8, high);
    reg_write_wide(&vtd, VTD_IQA, QUEUE);
    command(&vtd, VTD_G_QIE);
    reg_write_wide(&vtd, VTD_IQT, 16);
    good = !(reg_read(&vtd, VTD_FSTS) & VTD_FSTS_IQE);
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_IQH), good ? 16 : 0));
    reg_write(&vtd, VTD_GCMD, 0);
    reg_write(&vtd, VTD_FSTS, VTD_FSTS_IQE);
    return good;
}

Test(vtd_hostile, every_bit_of_every_descriptor)
{
    /* What is defined besides the type; bits 9 to 11 are part of that. */
    static const struct {
        uint64_t low, high, low_defined, high_defined;
    } rows[] = {
        { VTD_INV_CONTEXT | 1 << 4, 0, 0x0003ffffffff0030, 0 },
        { VTD_INV_IOTLB | 1 << 4, 0, 0x00000000ffff00f0, 0xfffffffffffff07f },
        { VTD_INV_DEVICE_TLB, 0, 0x0000ffff001f0000, 0xfffffffffffff001 },
        { VTD_INV_IEC, 0, 0x0000fffff8000010, 0 },
        { VTD_INV_WAIT, 0, 0xffffffff00000070, 0xfffffffffffffffc },
    };

    vtd_bench_start(&vtd);
    for (unsigned row = 0; row < G_N_ELEMENTS(rows); row++) {
        for (unsigned bit = 4; bit < 64; bit++) {
            uint64_t low = rows[row].low | 1ull << bit;

            if (low != rows[row].low &&
                !(row < 2 && bit == 5)) /* granularity 3 is page or device */
                cr_expect(eq(int, descriptor_is_good(low, rows[row].high),
                             in(rows[row].low_defined, bit)),
                          "descriptor %u bit %u", row + 1, bit);
        }
        for (unsigned bit = 0; bit < 64; bit++)
            cr_expect(eq(int, descriptor_is_good(rows[row].low, 1ull << bit),
                         in(rows[row].high_defined, bit)),
                      "descriptor %u bit %u", row + 1, 64 + bit);
    }
    for (unsigned type = 6; type < 16; type++)
        cr_expect(not(descriptor_is_good(type, 0)), "type %u", type);
    cr_expect(not(descriptor_is_good(0, 0)));
}

/* ---- Bases ---- */

static const uint64_t wild[] = { 0x7ffffffff000, 0x1000000000, 0xfffffffffffff000,
                                 VTD_BASE,       0xfee00000,   RAM_SIZE };

Test(vtd_hostile, tables_and_queues_anywhere_are_faults_and_mend)
{
    vtd_bench_start(&vtd);
    context_set_domain(&vtd, DEVICE, 5);
    entry_set(&vtd, IOVA, 1, PAGE | 3);
    memory_write(&vtd, IRT + 16, VTD_IRTE_P | 0x41ull << 16);
    memory_write(&vtd, QUEUE, VTD_INV_WAIT);
    for (unsigned i = 0; i < G_N_ELEMENTS(wild); i++) {
        uint32_t data = 0;

        reg_write_wide(&vtd, VTD_RTADDR, wild[i]);
        command(&vtd, VTD_G_SRTP);
        command(&vtd, VTD_G_TE);
        cr_expect(eq(int, dma_read(&vtd, IOVA), IOV_STATUS_FAULT));
        cr_expect(ne(uint, fault_take(&vtd), 0));
        reg_write_wide(&vtd, VTD_IRTA, wild[i] | 7);
        command(&vtd, VTD_G_SIRTP);
        command(&vtd, VTD_G_IRE);
        cr_expect(eq(int, dma_by(&vtd, DEVICE, 0xfee00030, &data, 4, true), IOV_STATUS_FAULT));
        cr_expect(ne(uint, fault_take(&vtd), 0));
        reg_write_wide(&vtd, VTD_IQT, 0);
        reg_write_wide(&vtd, VTD_IQA, wild[i]);
        command(&vtd, VTD_G_QIE);
        reg_write_wide(&vtd, VTD_IQT, 16);
        cr_expect(ne(uint, reg_read(&vtd, VTD_FSTS) & VTD_FSTS_IQE, 0), "base %u", i);
        /* Software sees it, sets all three right, and goes on. */
        reg_write(&vtd, VTD_GCMD, 0);
        reg_write(&vtd, VTD_FSTS, VTD_FSTS_IQE);
        reg_write_wide(&vtd, VTD_IQT, 0);
        reg_write_wide(&vtd, VTD_IQA, QUEUE);
        command(&vtd, VTD_G_QIE);
        reg_write_wide(&vtd, VTD_IQT, 16);
        cr_expect(eq(u64, reg_read_wide(&vtd, VTD_IQH), 16));
        reg_write_wide(&vtd, VTD_IRTA, IRT | 7);
        command(&vtd, VTD_G_SIRTP);
        command(&vtd, VTD_G_IRE);
        cr_expect(eq(int, dma_by(&vtd, DEVICE, 0xfee00030, &data, 4, true), IOV_STATUS_OK));
        reg_write_wide(&vtd, VTD_RTADDR, ROOT);
        command(&vtd, VTD_G_SRTP);
        command(&vtd, VTD_G_TE);
        cr_expect(eq(int, dma_read(&vtd, IOVA), IOV_STATUS_OK));
        reg_write(&vtd, VTD_GCMD, 0);
    }
}

/* The unit's registers are on the bus behind it: a device that may write there is software's
 * mistake. */
Test(vtd_hostile, a_device_that_may_write_the_unit_s_registers_ends_nothing)
{
    struct iov_random random;

    iov_random_init(&random, 1, "device");
    vtd_bench_start(&vtd);
    context_set_domain(&vtd, DEVICE, 5);
    entry_set(&vtd, IOVA, 1, VTD_BASE | 3);
    translation_on(&vtd);
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t data = iov_random_u64(&random);
        uint32_t size = 1u << iov_random_u64(&random) % 4;

        dma_by(&vtd, DEVICE, IOVA + iov_random_u64(&random) % 0x260, &data, size, i & 1);
        if (i % 16 == 0) { /* it may have turned itself off */
            reg_write(&vtd, VTD_GCMD, 0);
            reg_write(&vtd, VTD_FSTS, ~0u);
            translation_on(&vtd);
        }
    }
    cr_assert(lt(u64, 0, bench_stat(vtd.unit, "requests")));
}
