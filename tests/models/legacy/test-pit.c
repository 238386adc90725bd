/* SPDX-License-Identifier: Apache-2.0 */
/* The interval timer counts as its modes say. */
#include "models/legacy/pit-regs.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *pit;
static struct iov_mem_target *ports, *status;
static struct bench_line line;

static void setup(void)
{
    bench = bench_new(NULL);
    pit = bench_add(bench, "pit", "pit");
    bench_prepare(bench);
    bench_line_connect(bench, &line, pit, "output");
    bench_start(bench);
    ports = iov_model_port(pit, "ports", 0);
    status = iov_model_port(pit, "status", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(pit, .init = setup, .fini = teardown);

/* When a tick begins. */
static iov_time tick(uint64_t n)
{
    return (iov_time)(((unsigned __int128)n * IOV_SEC + PIT_FREQUENCY - 1) / PIT_FREQUENCY);
}

static void control(unsigned counter, unsigned mode)
{
    bench_write(ports, PIT_CONTROL, 1, counter << 6 | 3 << 4 | mode << 1);
}

static void load(unsigned counter, unsigned count)
{
    bench_write(ports, counter, 1, count & 0xff);
    bench_write(ports, counter, 1, count >> 8);
}

static unsigned latched(unsigned counter)
{
    bench_write(ports, PIT_CONTROL, 1, counter << 6);
    unsigned low = (unsigned)bench_read(ports, counter, 1);

    return low | (unsigned)bench_read(ports, counter, 1) << 8;
}

static unsigned status_of(unsigned counter)
{
    bench_write(ports, PIT_CONTROL, 1, 0xe0 | 2u << counter);
    return (unsigned)bench_read(ports, counter, 1);
}

static bool out_of(unsigned counter)
{
    return status_of(counter) & PIT_STATUS_OUT;
}

static bool null_of(unsigned counter)
{
    return status_of(counter) & PIT_STATUS_NULL;
}

Test(pit, at_power_on_counter_0_is_a_square_wave_of_the_longest_count)
{
    cr_assert(eq(uint, status_of(0), 0xb6));
    run_until(bench, tick(65536));
    cr_assert(eq(uint, line.rises, 1));
    run_until(bench, tick(5 * 65536));
    cr_assert(eq(uint, line.rises, 5));
    cr_assert(eq(u64, line.last, tick(5 * 65536)));
}

Test(pit, a_tick_that_has_begun_is_counted_and_one_picosecond_before_it_is_not)
{
    control(0, 2);
    load(0, 0x8000);
    run_until(bench, tick(1000) - 1);
    cr_assert(eq(uint, latched(0), 0x8000 - 999));
    run_until(bench, tick(1000));
    cr_assert(eq(uint, latched(0), 0x8000 - 1000));
    run_until(bench, tick(UINT64_C(1193182) * 3600)); /* an hour, to the tick */
    cr_assert(eq(uint, latched(0), 0x8000 - (UINT64_C(1193182) * 3600) % 0x8000));
}

Test(pit, mode_0_rises_once_at_terminal_count_and_goes_on_counting)
{
    control(0, 0);
    cr_assert(not(line.level));
    load(0, 100);
    run_until(bench, tick(100) - 1);
    cr_assert(not(line.level));
    run_until(bench, tick(100));
    cr_assert(line.level);
    cr_assert(eq(u64, line.last, tick(100)));
    run_until(bench, tick(105));
    cr_assert(eq(uint, latched(0), 65536 - 5));
    load(0, 50);
    cr_assert(not(line.level), "a new count begins anew");
}

Test(pit, the_first_byte_of_a_count_stops_mode_0)
{
    control(0, 0);
    load(0, 1000);
    run_until(bench, tick(10));
    bench_write(ports, 0, 1, 0x10);
    run_until(bench, tick(500));
    cr_assert(eq(uint, latched(0), 990));
    bench_write(ports, 0, 1, 0);
    cr_assert(eq(uint, latched(0), 0x10));
}

Test(pit, mode_2_is_low_for_the_last_tick_of_each_period)
{
    control(0, 2);
    load(0, 100);
    run_until(bench, tick(99));
    cr_assert(not(line.level));
    cr_assert(eq(uint, latched(0), 1));
    run_until(bench, tick(100));
    cr_assert(line.level);
    cr_assert(eq(uint, latched(0), 100));
    run_until(bench, tick(1000));
    cr_assert(eq(uint, line.rises, 11), "one by the control word");
}

Test(pit, a_count_rewritten_in_mode_2_waits_for_the_end_of_the_period)
{
    control(0, 2);
    load(0, 100);
    run_until(bench, tick(30));
    load(0, 40);
    cr_assert(eq(uint, latched(0), 70));
    cr_assert(null_of(0));
    run_until(bench, tick(110));
    cr_assert(eq(uint, latched(0), 30));
    cr_assert(not(null_of(0)));
}

Test(pit, mode_3_counts_by_two_and_has_two_halves)
{
    control(0, 3);
    load(0, 100);
    run_until(bench, tick(10));
    cr_assert(eq(uint, latched(0), 80));
    cr_assert(out_of(0));
    run_until(bench, tick(50));
    cr_assert(not(line.level));
    cr_assert(eq(uint, latched(0), 100));
    run_until(bench, tick(100));
    cr_assert(line.level);
}

Test(pit, an_odd_count_of_mode_3_has_the_longer_half_high)
{
    control(0, 3);
    load(0, 7);
    run_until(bench, tick(3));
    cr_assert(line.level);
    run_until(bench, tick(4));
    cr_assert(not(line.level));
    cr_assert(eq(uint, latched(0), 6));
    run_until(bench, tick(7));
    cr_assert(line.level);
}

Test(pit, mode_4_gives_one_low_tick)
{
    control(0, 4);
    load(0, 10);
    run_until(bench, tick(10));
    cr_assert(not(line.level));
    run_until(bench, tick(11));
    cr_assert(line.level);
    run_until(bench, tick(200000));
    cr_assert(eq(uint, line.rises, 2), "one by the control word");
}

Test(pit, modes_1_and_5_wait_for_the_gate)
{
    control(2, 1);
    load(2, 100);
    run_until(bench, tick(50));
    cr_assert(out_of(2));
    bench_write(status, 0, 1, NMI_STATUS_GATE);
    cr_assert(not(out_of(2)));
    run_until(bench, tick(152));
    cr_assert(out_of(2));
    control(2, 5);
    load(2, 100);
    bench_write(status, 0, 1, 0);
    run_until(bench, tick(400));
    cr_assert(eq(uint, latched(2), 100));
    bench_write(status, 0, 1, NMI_STATUS_GATE);
    run_for(bench, tick(100));
    cr_assert(not(out_of(2)));
    run_for(bench, tick(1));
    cr_assert(out_of(2));
}

Test(pit, the_gate_holds_mode_0_and_starts_mode_3_anew)
{
    bench_write(status, 0, 1, NMI_STATUS_GATE);
    control(2, 0);
    load(2, 1000);
    run_until(bench, tick(100));
    bench_write(status, 0, 1, 0);
    run_until(bench, tick(5000));
    cr_assert(eq(uint, latched(2), 900));
    bench_write(status, 0, 1, NMI_STATUS_GATE);
    run_for(bench, tick(50));
    cr_assert(eq(uint, latched(2), 850));
    control(2, 3);
    load(2, 1000);
    run_for(bench, tick(600));
    bench_write(status, 0, 1, 0);
    cr_assert(out_of(2), "high while the gate is low");
    bench_write(status, 0, 1, NMI_STATUS_GATE);
    cr_assert(eq(uint, latched(2), 1000));
}

Test(pit, bcd_counts_in_decades)
{
    bench_write(ports, PIT_CONTROL, 1, 3 << 4 | 2 << 1 | PIT_BCD);
    load(0, 0x1000);
    run_until(bench, tick(1));
    cr_assert(eq(uint, latched(0), 0x0999));
    run_until(bench, tick(1000));
    cr_assert(eq(uint, latched(0), 0x1000));
    load(0, 0);
    run_until(bench, tick(2001));
    cr_assert(eq(uint, latched(0), 0x9999));
}

Test(pit, the_first_latch_stays_until_it_is_read)
{
    control(0, 2);
    load(0, 1000);
    run_until(bench, tick(10));
    bench_write(ports, PIT_CONTROL, 1, 0);
    run_until(bench, tick(20));
    bench_write(ports, PIT_CONTROL, 1, 0);
    cr_assert(eq(u64, bench_read(ports, 0, 1), 990 & 0xff));
    cr_assert(eq(u64, bench_read(ports, 0, 1), 990 >> 8));
    cr_assert(eq(u64, bench_read(ports, 0, 1), 980 & 0xff), "not latched any more");
}

Test(pit, read_back_gives_status_before_count_of_all_counters)
{
    control(0, 2);
    load(0, 1000);
    bench_write(ports, PIT_CONTROL, 1, 1 << 6 | 1 << 4 | 2 << 1); /* low byte only */
    bench_write(ports, 1, 1, 18);
    run_until(bench, tick(10));
    bench_write(ports, PIT_CONTROL, 1, 0xc6);
    cr_assert(eq(u64, bench_read(ports, 0, 1), 0xb4));
    cr_assert(eq(u64, bench_read(ports, 0, 1), 990 & 0xff));
    cr_assert(eq(u64, bench_read(ports, 0, 1), 990 >> 8));
    cr_assert(eq(u64, bench_read(ports, 1, 1), 0x94));
    cr_assert(eq(u64, bench_read(ports, 1, 1), 8));
    cr_assert(eq(u64, bench_read(ports, 1, 1), 8), "the low byte again");
}

Test(pit, a_control_word_without_a_count_is_null)
{
    control(1, 2);
    cr_assert(eq(uint, status_of(1), PIT_STATUS_OUT | PIT_STATUS_NULL | 0x34));
    control(1, 7);
    load(1, 4);
    cr_assert(eq(uint, status_of(1) & 0x3f, 0x3e), "the mode as written, though it acts as 3");
}

Test(pit, port_61_keeps_four_bits_and_shows_refresh)
{
    bench_write(status, 0, 1, 0xff);
    cr_assert(eq(u64, bench_read(status, 0, 1) & 0xcf, NMI_STATUS_WRITABLE));
    bool before = bench_read(status, 0, 1) & NMI_STATUS_REFRESH;

    run_for(bench, 15085 * IOV_NS);
    cr_assert(ne(int, !!(bench_read(status, 0, 1) & NMI_STATUS_REFRESH), before));
}

Test(pit, any_access_is_harmless)
{
    disturb(bench, ports, 100000);
    disturb(bench, status, 10000);
}
