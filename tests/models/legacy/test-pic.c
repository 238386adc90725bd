/* SPDX-License-Identifier: Apache-2.0 */
/* The pair of interrupt controllers: priorities, ends of interrupt, cascade. */
#include "models/legacy/pic-regs.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *pic;
static struct iov_mem_target *first, *second, *trigger, *acknowledge;
static struct bench_line output;
static struct iov_irq_source inputs[16];

static void initialise(unsigned icw4_first, unsigned icw4_second)
{
    bench_write(first, 0, 1, 0x11);
    bench_write(first, 1, 1, 0x20);
    bench_write(first, 1, 1, 0x04);
    bench_write(first, 1, 1, icw4_first);
    bench_write(second, 0, 1, 0x11);
    bench_write(second, 1, 1, 0x28);
    bench_write(second, 1, 1, 0x02);
    bench_write(second, 1, 1, icw4_second);
}

static void setup(void)
{
    bench = bench_new(NULL);
    pic = bench_add(bench, "pic", "pic");
    bench_prepare(bench);
    bench_line_connect(bench, &output, pic, "output");
    for (unsigned i = 0; i < 16; i++)
        inputs[i] = (struct iov_irq_source){ .peer = iov_model_port(pic, "pins", i) };
    bench_start(bench);
    first = iov_model_port(pic, "first", 0);
    second = iov_model_port(pic, "second", 0);
    trigger = iov_model_port(pic, "trigger", 0);
    acknowledge = iov_model_port(pic, "acknowledge", 0);
    initialise(1, 1);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(pic, .init = setup, .fini = teardown);

static void pulse(unsigned input)
{
    iov_irq_set(&inputs[input], true, NULL);
    iov_irq_set(&inputs[input], false, NULL);
}

static unsigned vector(void)
{
    return (unsigned)bench_read(acknowledge, 0, 1);
}

static unsigned in_service(struct iov_mem_target *chip)
{
    bench_write(chip, 0, 1, 0x0b);
    return (unsigned)bench_read(chip, 0, 1);
}

static unsigned requested(struct iov_mem_target *chip)
{
    bench_write(chip, 0, 1, 0x0a);
    return (unsigned)bench_read(chip, 0, 1);
}

Test(pic, an_edge_is_requested_acknowledged_and_ended)
{
    pulse(4);
    cr_assert(output.level);
    cr_assert(eq(uint, requested(first), 0x10));
    cr_assert(eq(uint, vector(), 0x24));
    cr_assert(not(output.level));
    cr_assert(eq(uint, requested(first), 0));
    cr_assert(eq(uint, in_service(first), 0x10));
    bench_write(first, 0, 1, 0x20);
    cr_assert(eq(uint, in_service(first), 0));
}

Test(pic, the_lower_input_goes_first_and_interrupts_the_higher)
{
    pulse(5);
    pulse(3);
    cr_assert(eq(uint, vector(), 0x23));
    cr_assert(not(output.level), "5 has to wait");
    pulse(1);
    cr_assert(output.level);
    cr_assert(eq(uint, vector(), 0x21));
    bench_write(first, 0, 1, 0x20);
    bench_write(first, 0, 1, 0x20);
    cr_assert(eq(uint, vector(), 0x25));
}

Test(pic, inputs_8_to_15_come_through_the_cascade)
{
    pulse(12);
    cr_assert(eq(uint, vector(), 0x2c));
    cr_assert(eq(uint, in_service(first), 0x04));
    cr_assert(eq(uint, in_service(second), 0x10));
    pulse(10);
    cr_assert(not(output.level), "the first chip's input 2 is in service");
    bench_write(second, 0, 1, 0x20);
    bench_write(first, 0, 1, 0x20);
    cr_assert(eq(uint, vector(), 0x2a));
}

Test(pic, special_fully_nested_mode_lets_the_second_chip_interrupt_itself)
{
    initialise(0x11, 1);
    pulse(12);
    cr_assert(eq(uint, vector(), 0x2c));
    pulse(10);
    cr_assert(output.level);
    cr_assert(eq(uint, vector(), 0x2a));
}

Test(pic, two_requests_of_the_second_chip_come_one_after_the_other_by_automatic_end)
{
    initialise(3, 3);
    pulse(9);
    pulse(14);
    cr_assert(eq(uint, vector(), 0x29));
    cr_assert(eq(uint, vector(), 0x2e));
    cr_assert(not(output.level));
    cr_assert(eq(uint, in_service(first), 0));
}

Test(pic, an_acknowledge_without_a_request_is_spurious)
{
    cr_assert(eq(uint, vector(), 0x27));
    cr_assert(eq(uint, in_service(first), 0));
}

Test(pic, a_level_stays_requested_until_it_falls)
{
    bench_write(trigger, 0, 1, 0xff);
    bench_write(trigger, 1, 1, 0xff);
    cr_assert(eq(u64, bench_read(trigger, 0, 2), 0xdef8));
    iov_irq_set(&inputs[5], true, NULL);
    cr_assert(eq(uint, vector(), 0x25));
    bench_write(first, 0, 1, 0x20);
    cr_assert(output.level);
    iov_irq_set(&inputs[5], false, NULL);
    cr_assert(not(output.level));
}

Test(pic, masks_hold_requests_back)
{
    bench_write(first, 1, 1, 0x10);
    pulse(4);
    cr_assert(not(output.level));
    bench_write(first, 1, 1, 0);
    cr_assert(output.level);
}

Test(pic, special_mask_mode_lets_lower_priorities_in)
{
    pulse(1);
    vector();
    pulse(6);
    cr_assert(not(output.level));
    bench_write(first, 1, 1, 0x02);
    bench_write(first, 0, 1, 0x68);
    cr_assert(output.level);
    bench_write(first, 0, 1, 0x48);
    cr_assert(not(output.level));
}

Test(pic, rotation_makes_the_served_input_the_lowest)
{
    pulse(2 + 1);
    vector();
    bench_write(first, 0, 1, 0xa0);
    pulse(3);
    pulse(4);
    cr_assert(eq(uint, vector(), 0x24));
    bench_write(first, 0, 1, 0x64);
    bench_write(first, 0, 1, 0xc7); /* as at the beginning */
    pulse(4);
    cr_assert(eq(uint, vector(), 0x23));
    bench_write(first, 0, 1, 0xe3); /* ends 3 and makes it the lowest */
    cr_assert(eq(uint, vector(), 0x24));
}

Test(pic, rotation_by_automatic_end)
{
    initialise(3, 1);
    bench_write(first, 0, 1, 0x80);
    pulse(0);
    cr_assert(eq(uint, vector(), 0x20));
    pulse(0);
    pulse(1);
    cr_assert(eq(uint, vector(), 0x21));
}

Test(pic, a_poll_is_an_acknowledge)
{
    pulse(6);
    bench_write(first, 0, 1, 0x0c);
    cr_assert(eq(u64, bench_read(first, 0, 1), 0x86));
    cr_assert(eq(uint, in_service(first), 0x40));
    bench_write(first, 0, 1, 0x0c);
    cr_assert(eq(u64, bench_read(first, 0, 1), 0));
}

Test(pic, initialisation_clears_all_but_the_trigger_modes)
{
    bench_write(trigger, 0, 1, 0x20);
    bench_write(first, 1, 1, 0xff);
    pulse(3);
    iov_irq_set(&inputs[5], true, NULL);
    bench_write(first, 0, 1, 0x13); /* alone */
    cr_assert(eq(uint, requested(first), 0x20));
    bench_write(first, 1, 1, 0x40);
    bench_write(first, 1, 1, 0x01);
    cr_assert(eq(u64, bench_read(first, 1, 1), 0));
    cr_assert(eq(uint, vector(), 0x45));
}

Test(pic, any_access_is_harmless)
{
    for (unsigned i = 0; i < 16; i++) {
        disturb(bench, first, 5000);
        iov_irq_set(&inputs[i], !inputs[i].level, NULL);
        disturb(bench, second, 5000);
        disturb(bench, trigger, 100);
        disturb(bench, acknowledge, 1000);
    }
}
