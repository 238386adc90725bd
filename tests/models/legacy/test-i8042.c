/* SPDX-License-Identifier: Apache-2.0 */
/* The keyboard controller, as a driver's probe finds it. */
#include "models/legacy/i8042-regs.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *controller;
static struct iov_mem_target *data, *command;
static struct bench_line keyboard_line, aux_line, a20;

static void setup(void)
{
    bench = bench_new(NULL);
    controller = bench_add(bench, "i8042", "keyboard");
    bench_prepare(bench);
    bench_line_connect(bench, &keyboard_line, controller, "keyboard-interrupt");
    bench_line_connect(bench, &aux_line, controller, "aux-interrupt");
    bench_line_connect(bench, &a20, controller, "a20");
    bench_start(bench);
    data = iov_model_port(controller, "data", 0);
    command = iov_model_port(controller, "command", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(i8042, .init = setup, .fini = teardown);

static unsigned status(void)
{
    return (unsigned)bench_read(command, 0, 1);
}

static unsigned byte(void)
{
    return (unsigned)bench_read(data, 0, 1);
}

static void controller_do(unsigned value)
{
    bench_write(command, 0, 1, value);
}

static void argument(unsigned value)
{
    bench_write(data, 0, 1, value);
}

Test(i8042, the_self_test_passes_and_shows)
{
    cr_assert(eq(uint, status(), 0x18));
    controller_do(I8042_SELF_TEST);
    cr_assert(eq(uint, status(), 0x1d));
    cr_assert(eq(uint, byte(), I8042_SELF_TEST_PASSED));
    cr_assert(eq(uint, status(), 0x1c));
    controller_do(I8042_KEYBOARD_TEST);
    cr_assert(eq(uint, byte(), 0));
}

Test(i8042, the_mode_byte_is_read_and_written)
{
    controller_do(I8042_READ_MODE);
    cr_assert(eq(uint, byte(), 3));
    controller_do(I8042_WRITE_MODE);
    argument(0x65);
    controller_do(I8042_AUX_DISABLE);
    controller_do(I8042_READ_MODE);
    cr_assert(eq(uint, byte(), 0x65));
}

Test(i8042, the_keyboard_answers_with_interrupts)
{
    argument(0xff);
    cr_assert(keyboard_line.level);
    cr_assert(eq(uint, byte(), PS2_ACK));
    cr_assert(eq(uint, byte(), PS2_TEST_PASSED));
    cr_assert(not(keyboard_line.level));
    cr_assert(eq(uint, keyboard_line.rises, 1));
    argument(0xf2);
    cr_assert(eq(uint, byte(), PS2_ACK));
    cr_assert(eq(uint, byte(), 0xab));
    cr_assert(eq(uint, byte(), 0x83));
    argument(0xed);
    argument(0x07);
    cr_assert(eq(uint, byte(), PS2_ACK));
    cr_assert(eq(uint, byte(), PS2_ACK));
    argument(0x01);
    cr_assert(eq(uint, byte(), PS2_RESEND));
}

Test(i8042, a_keyboard_that_is_off_waits)
{
    argument(0xee);
    byte();
    argument(0xf2);
    controller_do(I8042_KEYBOARD_DISABLE);
    cr_assert(eq(uint, byte(), PS2_ACK), "it was in the buffer");
    cr_assert(eq(uint, status() & I8042_STATUS_OUTPUT, 0));
    cr_assert(not(keyboard_line.level));
    controller_do(I8042_SELF_TEST);
    cr_assert(not(keyboard_line.level), "and is not heard");
    byte();
    controller_do(I8042_KEYBOARD_ENABLE);
    cr_assert(keyboard_line.level);
    cr_assert(eq(uint, byte(), 0xab));
}

Test(i8042, the_mouse_answers_on_its_own_line)
{
    controller_do(I8042_WRITE_AUX);
    argument(0xff);
    cr_assert(aux_line.level);
    cr_assert(eq(uint, status() & (I8042_STATUS_AUX | I8042_STATUS_OUTPUT), 0x21));
    cr_assert(eq(uint, byte(), PS2_ACK));
    cr_assert(eq(uint, byte(), PS2_TEST_PASSED));
    cr_assert(eq(uint, byte(), 0));
    controller_do(I8042_WRITE_AUX_BUFFER);
    argument(0x5a);
    cr_assert(eq(uint, byte(), 0x5a));
}

Test(i8042, the_output_port_has_a20_and_reset)
{
    cr_assert(a20.level);
    controller_do(I8042_A20_OFF);
    cr_assert(not(a20.level));
    controller_do(I8042_WRITE_OUTPUT);
    argument(0xcf);
    cr_assert(a20.level);
    controller_do(I8042_READ_OUTPUT);
    cr_assert(eq(uint, byte(), 0xcf));
    controller_do(0xfe);
    cr_assert(eq(u64, bench_stat(controller, "resets"), 1));
    controller_do(0xff);
    cr_assert(eq(u64, bench_stat(controller, "resets"), 1));
}

Test(i8042, any_access_is_harmless)
{
    for (unsigned i = 0; i < 100; i++) {
        disturb(bench, data, 1000);
        disturb(bench, command, 100);
    }
}
