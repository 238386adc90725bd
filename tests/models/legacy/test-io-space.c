/* SPDX-License-Identifier: Apache-2.0 */
/* The I/O space and the interrupt lines of a PC. */
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *io, *ports;
static struct iov_mem_target *space;
static struct bench_recorder beyond;

static void setup(void)
{
    bench = bench_new(NULL);
    io = bench_add(bench, "io-space", "io");
    ports = bench_add(bench, "pc-ports", "ports");
    bench_prepare(bench);
    bench_wire_at(io, "windows", ports, "fast-a20", 0x92);
    bench_wire_at(io, "windows", ports, "pages", 0x80);
    bench_wire_at(io, "bytes", ports, "reset-control", 0x8a);
    beyond = (struct bench_recorder){ .port.ops = &bench_recorder_ops };
    ((struct iov_mem_initiator *)iov_model_port(io, "beyond", 0))->peer = &beyond.port;
    bench_start(bench);
    space = iov_model_port(io, "port", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(io_space, .init = setup, .fini = teardown);

Test(io_space, what_no_window_touches_goes_beyond_in_one_piece)
{
    bench_write(space, 0xcf8, 4, 0x80000000);
    cr_assert(eq(uint, beyond.count, 1));
    cr_assert(eq(uint, beyond.records[0].size, 4));
    cr_assert(eq(u64, beyond.records[0].address, 0xcf8));
}

Test(io_space, an_access_over_the_end_of_a_window_is_cut_into_bytes)
{
    bench_write(space, 0x91, 4, 0x44330211);
    cr_assert(eq(uint, beyond.count, 3));
    cr_assert(eq(u64, beyond.records[0].address, 0x91));
    cr_assert(eq(u64, beyond.records[0].value, 0x11));
    cr_assert(eq(u64, beyond.records[1].address, 0x93));
    cr_assert(eq(u64, beyond.records[2].value, 0x44));
    cr_assert(eq(u64, bench_read(space, 0x92, 1), 0x02));
    cr_assert(eq(u64, bench_read(space, 0x91, 2), 0x0200));
}

Test(io_space, a_single_port_inside_a_window_is_for_accesses_of_one_byte)
{
    bench_write(space, 0x87, 2, 0x2211);
    bench_write(space, 0x8a, 1, 0x0a);
    cr_assert(eq(u64, bench_read(space, 0x8a, 1), 0x0a), "reset control");
    cr_assert(eq(u64, bench_read(space, 0x89, 4), 0xff000000), "page registers");
    cr_assert(eq(uint, beyond.count, 0));
}

Test(io_space, nobody_reads_as_ones)
{
    ((struct iov_mem_initiator *)iov_model_port(io, "beyond", 0))->peer = NULL;
    cr_assert(eq(u64, bench_read(space, 0x300, 4), 0xffffffff));
    cr_assert(eq(u64, bench_read(space, 0x8f, 2), 0xff00));
    cr_assert(eq(u64, bench_read(space, 0xffff, 2), 0xffff), "there is nothing above");
    cr_assert(eq(u64, bench_stat(io, "unclaimed"), 2));
}

Test(io_space, any_access_is_harmless)
{
    disturb(bench, space, 200000);
}

/* ---- Its neighbours ---- */

Test(io_space, fast_a20_and_reset_control_ask_for_a_reset)
{
    struct bench_line a20;
    struct iov_mem_target *control = iov_model_port(ports, "reset-control", 0);

    bench_line_connect(bench, &a20, ports, "a20");
    bench_write(space, 0x92, 1, 0x02);
    cr_assert(a20.level);
    bench_write(space, 0x92, 1, 0x03);
    bench_write(space, 0x92, 1, 0x03);
    cr_assert(eq(u64, bench_stat(ports, "resets"), 1), "at the rise of the bit");
    bench_write(control, 0, 1, 0x0a);
    cr_assert(eq(u64, bench_stat(ports, "resets"), 1));
    bench_write(control, 0, 1, 0x0e);
    cr_assert(eq(u64, bench_stat(ports, "resets"), 2));
    cr_assert(eq(u64, bench_read(control, 0, 1), 0x0a));
    bench_write(space, 0x81, 1, 0x55);
    bench_write(space, 0x80, 1, 0x55);
    cr_assert(eq(u64, bench_read(space, 0x80, 2), 0x55ff));
}
