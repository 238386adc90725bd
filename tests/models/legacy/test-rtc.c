/* SPDX-License-Identifier: Apache-2.0 */
/* The real-time clock: time, formats, interrupts, memory. */
#include "models/legacy/rtc-regs.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *rtc;
static struct iov_mem_target *registers;
static struct bench_line line;

static void open_at(const char *base)
{
    bench = bench_new(NULL);
    rtc = bench_add(bench, "rtc", "rtc");
    bench_string(rtc, "base", base);
    bench_number(rtc, "memory", UINT64_C(256) << 20);
    bench_number(rtc, "memory-high", UINT64_C(5) << 30);
    bench_number(rtc, "processors", 4);
    bench_prepare(bench);
    bench_line_connect(bench, &line, rtc, "interrupt");
    bench_start(bench);
    registers = iov_model_port(rtc, "registers", 0);
}

static void setup(void)
{
    open_at("2006-06-17T16:01:21");
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(rtc, .init = setup, .fini = teardown);

static unsigned get(unsigned place)
{
    bench_write(registers, RTC_INDEX, 1, place);
    return (unsigned)bench_read(registers, RTC_DATA, 1);
}

static void set(unsigned place, unsigned value)
{
    bench_write(registers, RTC_INDEX, 1, place);
    bench_write(registers, RTC_DATA, 1, value);
}

/* "2006-06-17 7 16:01:21" of BCD registers. */
static char *time_text(void)
{
    static char text[32];

    g_snprintf(text, sizeof text, "%02x%02x-%02x-%02x %x %02x:%02x:%02x", get(CMOS_CENTURY),
               get(RTC_YEAR), get(RTC_MONTH), get(RTC_DAY), get(RTC_WEEKDAY), get(RTC_HOURS),
               get(RTC_MINUTES), get(RTC_SECONDS));
    return text;
}

Test(rtc, shows_the_time_that_it_began_with_and_counts)
{
    cr_assert(eq(str, time_text(), (char[]){ "2006-06-17 7 16:01:21" }));
    run_until(bench, IOV_SEC - 1);
    cr_assert(eq(str, time_text(), (char[]){ "2006-06-17 7 16:01:21" }));
    run_until(bench, IOV_SEC);
    cr_assert(eq(str, time_text(), (char[]){ "2006-06-17 7 16:01:22" }));
    run_until(bench, 8 * 3600 * IOV_SEC);
    cr_assert(eq(str, time_text(), (char[]){ "2006-06-18 1 00:01:21" }));
}

Test(rtc, knows_leap_years_and_centuries)
{
    static char days[][2][24] = {
        { "2000-02-28T23:59:59", "2000-02-29 3 00:00:00" },
        { "2100-02-28T23:59:59", "2100-03-01 2 00:00:00" },
        { "1999-12-31T23:59:59", "2000-01-01 7 00:00:00" },
        { "1969-12-31T23:59:59", "1970-01-01 5 00:00:00" },
        { "2024-12-31T23:59:59", "2025-01-01 4 00:00:00" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(days); i++) {
        bench_free(bench);
        open_at(days[i][0]);
        run_until(bench, IOV_SEC);
        cr_expect(eq(str, time_text(), days[i][1]));
    }
}

Test(rtc, a_base_that_is_no_time_is_refused)
{
    static const char *const bad[] = { "2006-02-29T00:00:00", "2006-06-17", "2006-06-17T24:00:00",
                                       "2006-13-01T00:00:00", "2006-06-17 16:01:21" };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        IovModel *other = iov_model_new("rtc", "other", &bench->run, NULL);
        GError *error = NULL;

        bench_string(other, "base", bad[i]);
        cr_assert(iov_model_prepare(other, NULL));
        cr_expect(not(iov_model_realize(other, &error)), "%s", bad[i]);
        g_clear_error(&error);
        g_object_unref(other);
    }
}

Test(rtc, speaks_binary_and_twelve_hours)
{
    set(RTC_B, RTC_B_BINARY);
    cr_assert(eq(uint, get(RTC_HOURS), RTC_HOURS_PM | 4));
    cr_assert(eq(uint, get(RTC_SECONDS), 21));
    run_until(bench, 8 * 3600 * IOV_SEC);
    cr_assert(eq(uint, get(RTC_HOURS), 12), "midnight is twelve");
    run_until(bench, 20 * 3600 * IOV_SEC);
    cr_assert(eq(uint, get(RTC_HOURS), RTC_HOURS_PM | 12));
    set(RTC_HOURS, RTC_HOURS_PM | 1);
    set(RTC_B, RTC_B_24H);
    cr_assert(eq(uint, get(RTC_HOURS), 0x13));
}

Test(rtc, set_holds_the_time_while_software_writes_it)
{
    run_until(bench, 300 * IOV_MS);
    set(RTC_B, RTC_B_SET | RTC_B_24H | RTC_B_UPDATE);
    cr_assert(eq(uint, get(RTC_B), RTC_B_SET | RTC_B_24H), "SET clears the update enable");
    set(RTC_YEAR, 0x99);
    set(CMOS_CENTURY, 0x19);
    set(RTC_MONTH, 0x12);
    set(RTC_DAY, 0x31);
    set(RTC_WEEKDAY, 0x06);
    set(RTC_HOURS, 0x23);
    set(RTC_MINUTES, 0x59);
    set(RTC_SECONDS, 0x59);
    run_for(bench, 5 * IOV_SEC);
    cr_assert(eq(str, time_text(), (char[]){ "1999-12-31 6 23:59:59" }));
    cr_assert(eq(uint, get(RTC_C), 0), "no update");
    set(RTC_B, RTC_B_24H);
    run_for(bench, 699 * IOV_MS);
    cr_assert(eq(str, time_text(), (char[]){ "1999-12-31 6 23:59:59" }));
    run_for(bench, IOV_MS);
    cr_assert(eq(str, time_text(), (char[]){ "2000-01-01 7 00:00:00" }), "the second goes on");
}

Test(rtc, the_divider_held_in_reset_stops_it_and_it_goes_on_after_half_a_second)
{
    run_until(bench, 900 * IOV_MS);
    set(RTC_A, 0x76);
    run_for(bench, 10 * IOV_SEC);
    cr_assert(eq(uint, get(RTC_SECONDS), 0x21));
    set(RTC_A, 0x26);
    run_for(bench, 499 * IOV_MS);
    cr_assert(eq(uint, get(RTC_SECONDS), 0x21));
    run_for(bench, IOV_MS);
    cr_assert(eq(uint, get(RTC_SECONDS), 0x22));
}

Test(rtc, tells_that_an_update_is_near)
{
    cr_assert(eq(uint, get(RTC_A), 0x26));
    run_until(bench, IOV_SEC - 200 * IOV_US);
    cr_assert(eq(uint, get(RTC_A), 0xa6));
    set(RTC_A, 0xff);
    cr_assert(eq(uint, get(RTC_A), 0x7f), "the bit cannot be written");
    set(RTC_A, 0x26);
    run_until(bench, 2 * IOV_SEC);
    cr_assert(eq(uint, get(RTC_A), 0x26));
}

Test(rtc, update_interrupts_and_the_flags_are_cleared_by_reading)
{
    run_until(bench, IOV_SEC);
    cr_assert(eq(uint, get(RTC_C), RTC_C_UPDATE));
    set(RTC_B, RTC_B_24H | RTC_B_UPDATE);
    run_until(bench, 2 * IOV_SEC);
    cr_assert(line.level);
    cr_assert(eq(uint, get(RTC_C), RTC_C_REQUEST | RTC_C_UPDATE));
    cr_assert(not(line.level));
    cr_assert(eq(uint, get(RTC_C), 0));
}

Test(rtc, an_interrupt_whose_flag_is_set_comes_with_its_enable)
{
    run_until(bench, IOV_SEC);
    set(RTC_B, RTC_B_24H | RTC_B_UPDATE);
    cr_assert(line.level);
    set(RTC_B, RTC_B_24H);
    cr_assert(not(line.level));
}

Test(rtc, the_alarm_fits_the_time_or_anything)
{
    set(RTC_SECONDS_ALARM, 0x25);
    set(RTC_MINUTES_ALARM, 0x01);
    set(RTC_HOURS_ALARM, 0x16);
    set(RTC_B, RTC_B_24H | RTC_B_ALARM);
    run_until(bench, 4 * IOV_SEC - 1);
    cr_assert(not(line.level));
    run_until(bench, 4 * IOV_SEC);
    cr_assert(line.level);
    cr_assert(eq(uint, get(RTC_C), RTC_C_REQUEST | RTC_C_ALARM | RTC_C_UPDATE));
    set(RTC_MINUTES_ALARM, 0xff);
    set(RTC_HOURS_ALARM, 0xc0);
    run_until(bench, 64 * IOV_SEC);
    cr_assert(eq(uint, line.rises, 2));
}

Test(rtc, periodic_interrupts_have_the_rates_of_the_table)
{
    static const unsigned hertz[] = { 0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                      256, 128, 64,  32,   16,   8,    4,    2 };

    for (unsigned rate = 0; rate < 16; rate++) {
        unsigned before = line.rises;

        set(RTC_A, 0x20 | rate);
        set(RTC_B, RTC_B_24H | RTC_B_PERIODIC);
        for (unsigned i = 0; i < 20000; i++) {
            run_for(bench, 50 * IOV_US);
            if (line.level)
                get(RTC_C);
        }
        cr_expect(le(uint, line.rises - before, hertz[rate]), "rate %u", rate);
        cr_expect(ge(uint, line.rises - before + 1, hertz[rate]), "rate %u", rate);
        set(RTC_B, RTC_B_24H);
    }
}

Test(rtc, the_memory_tells_sizes_and_keeps_bytes)
{
    cr_assert(eq(uint, get(CMOS_BASE_MEMORY) | get(CMOS_BASE_MEMORY + 1) << 8, 640));
    cr_assert(eq(uint, get(CMOS_EXTENDED_MEMORY) | get(CMOS_EXTENDED_MEMORY + 1) << 8, 0xffff));
    cr_assert(eq(uint, get(CMOS_MEMORY_16M) | get(CMOS_MEMORY_16M + 1) << 8, 0xf00));
    cr_assert(eq(uint, get(CMOS_MEMORY_HIGH) | get(CMOS_MEMORY_HIGH + 1) << 8, 0x4000));
    cr_assert(eq(uint, get(CMOS_MEMORY_HIGH + 2), 1));
    cr_assert(eq(uint, get(CMOS_PROCESSORS), 3));
    for (unsigned place = 0x40; place < 0x80; place++)
        set(place, place ^ 0x55);
    for (unsigned place = 0x40; place < 0x80; place++)
        cr_assert(eq(uint, get(place | 0x80), place ^ 0x55), "bit 7 only masks NMI");
    set(RTC_D, 0);
    cr_assert(eq(uint, get(RTC_D), RTC_D_VALID));
    cr_assert(eq(u64, bench_read(registers, RTC_INDEX, 1), 0xff));
    cr_assert(eq(uint, get(CMOS_CENTURY_2), 0x20));
}

Test(rtc, a_reset_takes_the_interrupts_and_leaves_the_time)
{
    set(0x50, 0x77);
    set(RTC_B, RTC_B_24H | RTC_B_UPDATE | RTC_B_PERIODIC);
    run_until(bench, 3 * IOV_SEC);
    iov_model_reset(rtc);
    cr_assert(not(line.level));
    cr_assert(eq(uint, get(RTC_B), RTC_B_24H));
    cr_assert(eq(uint, get(RTC_SECONDS), 0x24));
    cr_assert(eq(uint, get(0x50), 0x77));
}

Test(rtc, any_access_is_harmless)
{
    disturb(bench, registers, 200000);
}
