/* SPDX-License-Identifier: Apache-2.0 */
/* The serial port, as a driver finds it. */
#include <glib/gstdio.h>

#include "models/legacy/uart-regs.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *uart;
static struct iov_mem_target *registers;
static struct bench_line line;
static char *file;

static void setup(void)
{
    int handle = g_file_open_tmp("uart-XXXXXX", &file, NULL);

    cr_assert(ge(int, handle, 0));
    g_close(handle, NULL);
    bench = bench_new(NULL);
    uart = bench_add(bench, "uart", "uart");
    bench_string(uart, "output", file);
    bench_prepare(bench);
    bench_line_connect(bench, &line, uart, "interrupt");
    bench_start(bench);
    registers = iov_model_port(uart, "registers", 0);
}

static void teardown(void)
{
    bench_free(bench);
    g_unlink(file);
    g_free(file);
}

TestSuite(uart, .init = setup, .fini = teardown);

static unsigned get(unsigned port)
{
    return (unsigned)bench_read(registers, port, 1);
}

static void set(unsigned port, unsigned value)
{
    bench_write(registers, port, 1, value);
}

static void divisor(unsigned value)
{
    set(UART_LCR, UART_LCR_DLAB | 3);
    set(UART_DATA, value & 0xff);
    set(UART_IER, value >> 8);
    set(UART_LCR, 3);
}

Test(uart, a_driver_finds_a_16550a)
{
    set(UART_SCRATCH, 0xae);
    cr_assert(eq(uint, get(UART_SCRATCH), 0xae));
    set(UART_IER, 0xff);
    cr_assert(eq(uint, get(UART_IER), 0x0f));
    set(UART_IER, 0);
    cr_assert(eq(uint, get(UART_IIR), UART_IIR_NONE));
    set(UART_FCR, UART_FCR_ENABLE);
    cr_assert(eq(uint, get(UART_IIR), UART_IIR_NONE | UART_IIR_FIFO));
    set(UART_FCR, 0);
    set(UART_MCR, UART_MCR_LOOP | 0x0a);
    cr_assert(eq(uint, get(UART_MSR) & 0xf0, 0x90));
    divisor(0x1234);
    set(UART_LCR, UART_LCR_DLAB);
    cr_assert(eq(uint, get(UART_DATA) | get(UART_IER) << 8, 0x1234));
}

Test(uart, bytes_leave_in_the_time_of_their_bits)
{
    g_autofree char *text = NULL;

    divisor(1); /* 115200 bit/s, 10 bits a byte */
    set(UART_FCR, UART_FCR_ENABLE);
    for (const char *c = "hello"; *c != '\0'; c++)
        set(UART_DATA, (unsigned char)*c);
    cr_assert(eq(uint, get(UART_LSR), 0));
    run_for(bench, 4 * (IOV_SEC / 11520) + IOV_US);
    cr_assert(eq(uint, get(UART_LSR), UART_LSR_EMPTY));
    run_for(bench, IOV_SEC / 11520);
    cr_assert(eq(uint, get(UART_LSR), UART_LSR_EMPTY | UART_LSR_IDLE));
    cr_assert(eq(u64, bench_stat(uart, "sent-bytes"), 5));
    cr_assert(g_file_get_contents(file, &text, NULL, NULL));
    cr_assert(eq(str, text, (char[]){ "hello" }));
}

Test(uart, an_empty_register_interrupts_and_reading_the_cause_takes_it)
{
    set(UART_MCR, UART_MCR_OUT2);
    set(UART_IER, UART_IER_EMPTY);
    cr_assert(line.level);
    cr_assert(eq(uint, get(UART_IIR), UART_IIR_EMPTY));
    cr_assert(not(line.level));
    set(UART_DATA, 'x');
    set(UART_DATA, 'y');
    run_for(bench, 10 * IOV_MS);
    cr_assert(line.level);
}

Test(uart, loop_back_brings_bytes_back)
{
    set(UART_FCR, UART_FCR_ENABLE | 1 << UART_FCR_TRIGGER_SHIFT);
    set(UART_MCR, UART_MCR_LOOP);
    set(UART_IER, UART_IER_DATA | UART_IER_LINE);
    for (unsigned i = 0; i < 4; i++)
        set(UART_DATA, 0x30 + i);
    run_for(bench, IOV_SEC);
    cr_assert(eq(uint, get(UART_IIR), UART_IIR_DATA | UART_IIR_FIFO));
    for (unsigned i = 0; i < 4; i++)
        cr_assert(eq(uint, get(UART_DATA), 0x30 + i));
    cr_assert(eq(uint, get(UART_LSR) & UART_LSR_DATA, 0));
    for (unsigned i = 0; i < 17; i++) {
        set(UART_DATA, i);
        run_for(bench, 10 * IOV_MS);
    }
    cr_assert(eq(uint, get(UART_IIR), UART_IIR_LINE | UART_IIR_FIFO));
    cr_assert(eq(uint, get(UART_LSR) & UART_LSR_OVERRUN, UART_LSR_OVERRUN));
    cr_assert(eq(uint, get(UART_LSR) & UART_LSR_OVERRUN, 0), "reading clears it");
}

Test(uart, any_access_is_harmless)
{
    disturb(bench, registers, 20000);
}
