/* SPDX-License-Identifier: Apache-2.0 */
/* The line protocol: what each command does and answers, and what becomes of rubbish. */
#include "tests/bindings/qtest/driver.h"

static void setup(void)
{
    begin("-M q35 -m 16");
}

TestSuite(qtest_line, .init = setup, .fini = end);

Test(qtest_line, begins_with_the_order_of_bytes)
{
    expect("endianness", "OK little");
}

Test(qtest_line, memory_is_read_as_it_was_written_in_all_sizes)
{
    expect("writeq 0x1000 0x1122334455667788", "OK");
    expect("readb 0x1000", "OK 0x0000000000000088");
    expect("readw 0x1002", "OK 0x0000000000005566");
    expect("readl 0x1004", "OK 0x0000000011223344");
    expect("readq 0x1000", "OK 0x1122334455667788");
    expect("writew 0x1001 0xabcd", "OK");
    expect("readl 0x1000", "OK 0x0000000055abcd88");
}

Test(qtest_line, bytes_are_read_and_written_as_digits_and_in_base64)
{
    expect("write 0x2000 0x4 0x01020304", "OK");
    expect("read 0x2000 0x6", "OK 0x010203040000");
    expect("b64write 0x2002 0x3 YWJj", "OK");
    expect("b64read 0x2000 0x5", "OK AQJhYmM=");
    expect("memset 0x1fff 0x3 0x7f", "OK");
    expect("read 0x1ffe 0x5", "OK 0x007f7f7f61");
}

Test(qtest_line, digits_that_are_missing_are_zeros)
{
    expect("memset 0x2000 0x4 0xff", "OK");
    expect("write 0x2000 0x4 0x01", "OK");
    expect("read 0x2000 0x4", "OK 0x01000000");
}

Test(qtest_line, bytes_pass_from_memory_to_where_nobody_is)
{
    expect("memset 0xfffff0 0x20 0x55", "OK");
    expect("read 0xfffffe 0x4", "OK 0x55550000");
}

Test(qtest_line, ports_answer_in_their_size_and_with_ones_where_nobody_is)
{
    expect("outl 0xcf8 0x80000000", "OK");
    expect("inl 0xcfc", "OK 0x29c08086");
    expect("inw 0xcfe", "OK 0x29c0");
    expect("inb 0xcfd", "OK 0x0080");
    expect("inl 0x5000", "OK 0xffffffff");
}

Test(qtest_line, the_clock_moves_only_when_it_is_told_to)
{
    expect("clock_step 1000", "OK 1000");
    expect("readl 0x0", "OK 0x0000000000000000");
    expect("clock_step 0", "OK 1000");
    expect("clock_set 5000", "OK 5000");
    expect("clock_set 100", "OK 5000");
    expect("clock_step -1", "OK 5000");
    expect("clock_step -6000", "OK 5000");
    expect("clock_set -1", "OK 5000");
}

Test(qtest_line, a_step_without_a_number_goes_to_the_next_timer)
{
    g_autofree char *first = NULL, *second = NULL;

    expect("outb 0x70 0xb", "OK"); /* RTC: periodic interrupts, 1024 Hz */
    expect("outb 0x71 0x42", "OK");
    first = say("clock_step");
    cr_assert(ge(u64, machine_now(machine->machine), 1));
    cr_assert(le(u64, machine_now(machine->machine), 1000000));
    second = say("clock_step");
    cr_assert_str_neq(first, second);
}

Test(qtest_line, pins_of_the_ioapic_are_watched)
{
    expect("irq_intercept_in ioapic", "OK");
    expect("outb 0x70 0xb", "OK");
    expect("outb 0x71 0x42", "OK");
    expect("clock_step 1000000", "IRQ raise 8\nOK 1000000");
    expect("outb 0x70 0xc", "OK");
    expect("inb 0x71", "IRQ lower 8\nOK 0x00c0");
    expect("irq_intercept_in ioapic", "OK");
    expect("irq_intercept_in pic", "FAIL IRQ intercept already enabled");
}

Test(qtest_line, a_wire_that_is_watched_works_on)
{
    expect("irq_intercept_in ioapic", "OK");
    expect("writel 0xfec00000 0x20", "OK"); /* entry 8: vector 0x48, edge */
    expect("writel 0xfec00010 0x48", "OK");
    expect("outb 0x70 0xb", "OK");
    expect("outb 0x71 0x42", "OK");
    expect("clock_step 1000000", "IRQ raise 8\nOK 1000000");
    g_autofree char *now = vectors();
    cr_assert_str_eq(now, "72");
}

Test(qtest_line, outputs_of_a_part_are_watched)
{
    expect("irq_intercept_out rtc", "OK");
    expect("outb 0x70 0xb", "OK");
    expect("outb 0x71 0x42", "OK");
    expect("clock_step 1000000", "IRQ raise 0\nOK 1000000");
}

Test(qtest_line, a_part_that_is_not_there_cannot_be_watched)
{
    expect("irq_intercept_in nobody", "FAIL Unknown device");
}

Test(qtest_line, an_input_is_driven_from_outside)
{
    expect("writel 0xfec00000 0x18", "OK"); /* entry 4: vector 0x44, edge */
    expect("writel 0xfec00010 0x44", "OK");
    expect("set_irq_in ioapic pins 4 1", "OK");
    expect("set_irq_in ioapic pins 24 1", "FAIL Unknown input 'ioapic.pins[24]'");
    g_autofree char *now = vectors();
    cr_assert_str_eq(now, "68");
}

Test(qtest_line, whatever_is_not_understood_fails_and_changes_nothing)
{
    expect("", "FAIL Unknown command ''");
    expect("jump 0x1000", "FAIL Unknown command 'jump'");
    expect("readl", "FAIL Wrong number of arguments of 'readl'");
    expect("readl 0x1000 1", "FAIL Wrong number of arguments of 'readl'");
    expect("readl here", "FAIL Invalid number 'here'");
    expect("writel 0x1000 12z", "FAIL Invalid number '12z'");
    expect("write 0x1000 4 zzzz", "FAIL Invalid data");
    expect("write 0x1000 4 0", "FAIL Invalid data");
    expect("b64write 0x1000 4 YWJj", "FAIL b64 data has 3 bytes");
    expect("read 0x1000 0xffffffffffff", "FAIL Too many bytes '0xffffffffffff'");
    expect("a b c d e f", "FAIL Too many words");
}
