/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O APIC turns pins into messages as its redirection table says. */
#include "models/irq/ioapic-regs.h"
#include "tests/models/bench.h"

static struct bench *bench;
static IovModel *ioapic;
static struct iov_mem_target *registers, *eoi;
static struct bench_recorder messages;
static struct iov_irq_source source, other;

static uint32_t window_read(unsigned index)
{
    bench_write(registers, IOAPIC_IOREGSEL, 4, index);
    return (uint32_t)bench_read(registers, IOAPIC_IOWIN, 4);
}

static void window_write(unsigned index, uint32_t value)
{
    bench_write(registers, IOAPIC_IOREGSEL, 4, index);
    bench_write(registers, IOAPIC_IOWIN, 4, value);
}

static void entry_set(unsigned pin, uint64_t entry)
{
    window_write(IOAPIC_REG_TABLE + 2 * pin + 1, (uint32_t)(entry >> 32));
    window_write(IOAPIC_REG_TABLE + 2 * pin, (uint32_t)entry);
}

static bool remote_irr(unsigned pin)
{
    return window_read(IOAPIC_REG_TABLE + 2 * pin) & IOAPIC_ENTRY_REMOTE_IRR;
}

static void setup(void)
{
    bench = bench_new(NULL);
    ioapic = bench_add(bench, "ioapic", "ioapic");
    bench_prepare(bench);
    messages = (struct bench_recorder){ .port.ops = &bench_recorder_ops };
    ((struct iov_mem_initiator *)iov_model_port(ioapic, "messages", 0))->peer = &messages.port;
    source = (struct iov_irq_source){ .peer = iov_model_port(ioapic, "pins", 11) };
    other = source;
    bench_start(bench);
    registers = iov_model_port(ioapic, "registers", 0);
    eoi = iov_model_port(ioapic, "eoi", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(ioapic, .init = setup, .fini = teardown);

Test(ioapic, reset_masks_all_entries_and_forgets_what_was_selected)
{
    entry_set(3, 0x41);
    iov_model_reset(ioapic);
    cr_assert(eq(u64, bench_read(registers, IOAPIC_IOREGSEL, 4), 0));
    cr_assert(eq(u32, window_read(IOAPIC_REG_TABLE + 6), 0x10000));
}

Test(ioapic, it_has_24_masked_entries_and_says_so)
{
    cr_assert(eq(u32, window_read(IOAPIC_REG_VERSION), 0x00170020));
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        cr_assert(eq(u32, window_read(IOAPIC_REG_TABLE + 2 * pin), IOAPIC_ENTRY_MASKED));
    cr_assert(eq(u32, window_read(IOAPIC_REG_TABLE + 2 * IOAPIC_PINS), 0));
}

Test(ioapic, a_masked_pin_is_silent)
{
    iov_irq_set(&source, true, NULL);
    cr_assert(eq(uint, messages.count, 0));
}

Test(ioapic, an_edge_entry_sends_one_message_for_each_rise)
{
    struct iov_span span;

    iov_span_begin(&span, 1, NULL, 0);
    entry_set(11,
              UINT64_C(3) << IOAPIC_ENTRY_DESTINATION_SHIFT | IOAPIC_ENTRY_LOGICAL | 1 << 8 | 0x26);
    iov_irq_set(&source, true, &span);
    iov_irq_set(&source, false, NULL);
    iov_irq_set(&source, true, NULL);
    cr_assert(eq(uint, messages.count, 2));
    cr_assert(eq(u64, messages.records[0].address, 0xfee03004));
    cr_assert(eq(u64, messages.records[0].value, MSI_DATA_ASSERT | 0x126));
    cr_assert(eq(ptr, messages.records[0].span, &span));
}

Test(ioapic, a_level_entry_waits_for_eoi_and_sends_again_while_asserted)
{
    entry_set(11, IOAPIC_ENTRY_LEVEL | 0x31);
    iov_irq_set(&source, true, NULL);
    cr_assert(eq(u64, messages.records[0].value, MSI_DATA_LEVEL | MSI_DATA_ASSERT | 0x31));
    cr_assert(remote_irr(11));
    iov_irq_set(&source, false, NULL);
    iov_irq_set(&source, true, NULL);
    cr_assert(eq(uint, messages.count, 1), "remote IRR holds it back");
    bench_write(eoi, 0, 1, 0x30);
    cr_assert(eq(uint, messages.count, 1), "another vector");
    bench_write(eoi, 0, 1, 0x31);
    cr_assert(eq(uint, messages.count, 2));
    iov_irq_set(&source, false, NULL);
    bench_write(registers, IOAPIC_EOI, 4, 0x31);
    cr_assert(eq(uint, messages.count, 2));
    cr_assert(not(remote_irr(11)));
}

Test(ioapic, a_level_that_came_while_masked_is_sent_when_unmasked)
{
    entry_set(11, IOAPIC_ENTRY_LEVEL | IOAPIC_ENTRY_MASKED | 0x31);
    iov_irq_set(&source, true, NULL);
    cr_assert(eq(uint, messages.count, 0));
    entry_set(11, IOAPIC_ENTRY_LEVEL | 0x31);
    cr_assert(eq(uint, messages.count, 1));
}

Test(ioapic, sources_that_share_a_pin_are_ored)
{
    entry_set(11, IOAPIC_ENTRY_LEVEL | 0x31);
    iov_irq_set(&source, true, NULL);
    iov_irq_set(&other, true, NULL);
    iov_irq_set(&source, false, NULL);
    bench_write(eoi, 0, 1, 0x31);
    cr_assert(eq(uint, messages.count, 2), "the other one still asserts it");
    iov_irq_set(&other, false, NULL);
    bench_write(eoi, 0, 1, 0x31);
    cr_assert(eq(uint, messages.count, 2));
}

Test(ioapic, software_ends_a_stuck_level_interrupt_by_switching_to_edge)
{
    entry_set(11, IOAPIC_ENTRY_LEVEL | 0x31);
    iov_irq_set(&source, true, NULL);
    entry_set(11, IOAPIC_ENTRY_MASKED | 0x31);
    cr_assert(not(remote_irr(11)));
}

Test(ioapic, read_only_bits_do_not_stick)
{
    entry_set(11, UINT64_MAX);
    cr_assert(eq(u32, window_read(IOAPIC_REG_TABLE + 22), 0xffffafff));
    cr_assert(eq(u32, window_read(IOAPIC_REG_TABLE + 23), 0xffffffff));
    window_write(IOAPIC_REG_VERSION, 0xffffffff);
    cr_assert(eq(u32, window_read(IOAPIC_REG_VERSION), 0x00170020));
}

static uint16_t last_requester;

static enum iov_status requester_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    last_requester = req->requester;
    return bench_recorder_write(port, req);
}

Test(ioapic, a_remappable_entry_sends_its_index_and_the_source_id)
{
    static const struct iov_mem_target_ops ops = { .read = bench_recorder_read,
                                                   .write = requester_write };

    bench_number(ioapic, "requester", 0xff00);
    messages.port.ops = &ops;
    entry_set(11, UINT64_C(0x1234) << 49 | (uint64_t)IOAPIC_REMAPPABLE << 32 | 1 << 11 | 0x26);
    iov_irq_set(&source, true, NULL);
    cr_assert(eq(u64, messages.records[0].address,
                 MSI_BASE | 0x1234 << 5 | MSI_ADDRESS_REMAPPABLE | 1 << 2));
    cr_assert(eq(uint, last_requester, 0xff00));
}

Test(ioapic, the_timers_input_acts_on_the_pin_it_is_joined_to)
{
    bench_number(ioapic, "timer-pin", 2);
    source = (struct iov_irq_source){ .peer = iov_model_port(ioapic, "pins", 0) };
    entry_set(0, 0x30);
    entry_set(2, 0x32);
    iov_irq_set(&source, true, NULL);
    cr_assert(eq(uint, messages.count, 1));
    cr_assert(eq(u64, messages.records[0].value & 0xff, 0x32));
}

Test(ioapic, the_window_is_for_32_bits_and_comes_again_every_256_bytes)
{
    bench_write(registers, 0x100 + IOAPIC_IOREGSEL, 4, IOAPIC_REG_VERSION);
    cr_assert(eq(u64, bench_read(registers, 0x300 + IOAPIC_IOWIN, 4), 0x00170020));
    cr_assert(eq(u64, bench_read(registers, IOAPIC_IOWIN, 1), 0));
}

Test(ioapic, any_access_of_any_size_anywhere_is_harmless)
{
    for (unsigned address = 0; address < 0x60; address++) {
        for (unsigned size = 1; size <= 8; size *= 2) {
            bench_write(registers, address, size, UINT64_MAX);
            bench_read(registers, address, size);
        }
    }
}
