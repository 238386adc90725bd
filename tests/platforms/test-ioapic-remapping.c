/* SPDX-License-Identifier: Apache-2.0 */
/* I/O APIC and VT-d agree: a remappable entry names an index, its message the source that the
 * table's entry asks for. */
#include "models/irq/ioapic-regs.h"
#include "tests/models/iommu/vtd-bench.h"

#define SOURCE 0xff00u
#define PIN 8u
#define INDEX 0x8005u /* all 16 bits of the index have a way */

static struct vtd_bench vtd;
static IovModel *ioapic;
static struct iov_irq_source line;

static void set_up(void)
{
    vtd_bench_init(&vtd, NULL);
    ioapic = bench_add(vtd.bench, "ioapic", "ioapic");
    bench_number(ioapic, "requester", SOURCE);
    bench_prepare(vtd.bench);
    bench_wire(ioapic, "messages", vtd.unit, "upstream");
    vtd_bench_start(&vtd);
    reg_write_wide(&vtd, VTD_IRTA, IRT | 15);
    command(&vtd, VTD_G_SIRTP);
    command(&vtd, VTD_G_IRE);
    line = (struct iov_irq_source){ .peer = iov_model_port(ioapic, "pins", PIN) };
}

static void tear_down(void)
{
    vtd_bench_free(&vtd);
}

TestSuite(ioapic_remapping, .init = set_up, .fini = tear_down);

static void window_write(unsigned index, uint32_t value)
{
    struct iov_mem_target *registers = iov_model_port(ioapic, "registers", 0);

    bench_write(registers, IOAPIC_IOREGSEL, 4, index);
    bench_write(registers, IOAPIC_IOWIN, 4, value);
}

static void pin_route(uint32_t low)
{
    window_write(IOAPIC_REG_TABLE + 2 * PIN + 1,
                 (INDEX & 0x7fff) << IOAPIC_REMAP_INDEX_SHIFT | IOAPIC_REMAPPABLE);
    window_write(IOAPIC_REG_TABLE + 2 * PIN, low | (INDEX >> 15) << 11);
}

static void table_entry(uint16_t source)
{
    memory_write(&vtd, IRT + 16 * INDEX, 1 | 0x200ull << 32 | 0x49 << 16);
    memory_write(&vtd, IRT + 16 * INDEX + 8, 1u << 18 | source); /* the whole source ID counts */
}

Test(ioapic_remapping, a_message_of_the_right_source_leaves_as_the_table_says)
{
    table_entry(SOURCE);
    pin_route(0x31);
    iov_irq_set(&line, true, NULL);
    cr_assert(eq(uint, vtd.messages.count, 1));
    cr_assert(eq(u64, vtd.messages.records[0].address, 0xfee02000));
    cr_assert(eq(u64, vtd.messages.records[0].value & 0xff, 0x49));
}

Test(ioapic_remapping, another_source_is_blocked_and_recorded)
{
    table_entry(0x00f8);
    pin_route(0x31);
    iov_irq_set(&line, true, NULL);
    cr_assert(eq(uint, vtd.messages.count, 0));
    cr_assert(eq(u64, bench_stat(ioapic, "lost"), 1));
    cr_assert(eq(u64, reg_read_wide(&vtd, VTD_FRCD), (uint64_t)INDEX << 48));
    cr_assert(eq(uint, fault_take(&vtd), 0x26));
}

Test(ioapic_remapping, a_level_interrupt_ends_by_the_vector_in_its_own_entry)
{
    table_entry(SOURCE);
    pin_route(IOAPIC_ENTRY_LEVEL | 0x49);
    iov_irq_set(&line, true, NULL);
    bench_write(iov_model_port(ioapic, "eoi", 0), 0, 1, 0x49);
    cr_assert(eq(uint, vtd.messages.count, 2), "the line is still asserted");
}
