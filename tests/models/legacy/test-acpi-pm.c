/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI power management: timer, events, control. */
#include "models/legacy/acpi-pm-regs.h"
#include "models/legacy/acpi-tco-private.h"
#include "tests/models/legacy/legacy-bench.h"

static struct bench *bench;
static IovModel *pm;
static struct iov_mem_target *registers, *apm;
static struct bench_line sci, smi;
static unsigned sleeps;

static void sleep_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    (void)sink;
    (void)span;
    sleeps++;
}

static const struct iov_notify_sink_ops sleep_ops = { .signal = sleep_signal };
static struct iov_notify_sink sleep_sink = { .ops = &sleep_ops };

static void setup(void)
{
    bench = bench_new(NULL);
    pm = bench_add(bench, "acpi-pm", "pm");
    bench_prepare(bench);
    bench_line_connect(bench, &sci, pm, "sci");
    bench_line_connect(bench, &smi, pm, "smi");
    ((struct iov_notify_source *)iov_model_port(pm, "sleep", 0))->peer = &sleep_sink;
    bench_start(bench);
    registers = iov_model_port(pm, "registers", 0);
    apm = iov_model_port(pm, "apm", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(acpi_pm, .init = setup, .fini = teardown);

/* When a tick of the timer begins. */
static iov_time tick(uint64_t n)
{
    return (iov_time)(((unsigned __int128)n * IOV_SEC + ACPI_PM_FREQUENCY - 1) / ACPI_PM_FREQUENCY);
}

static uint64_t get(unsigned offset, uint32_t size)
{
    return bench_read(registers, offset, size);
}

static void set(unsigned offset, uint32_t size, uint64_t value)
{
    bench_write(registers, offset, size, value);
}

Test(acpi_pm, the_timer_counts_24_bits)
{
    run_until(bench, tick(0x123456) - 1);
    cr_assert(eq(u64, get(ACPI_PM1_TIMER, 4), 0x123455));
    run_until(bench, tick(0x123456));
    cr_assert(eq(u64, get(ACPI_PM1_TIMER, 4), 0x123456));
    run_until(bench, tick(0x1000003));
    cr_assert(eq(u64, get(ACPI_PM1_TIMER, 4), 3));
    set(ACPI_PM1_TIMER, 4, 77);
    cr_assert(eq(u64, get(ACPI_PM1_TIMER, 4), 3));
}

Test(acpi_pm, a_change_of_the_timers_highest_bit_is_an_event)
{
    set(ACPI_PM1_CONTROL, 2, ACPI_CONTROL_SCI);
    set(ACPI_PM1_ENABLE, 2, ACPI_TIMER_STATUS);
    run_until(bench, tick(0x800000) - 1);
    cr_assert(not(sci.level));
    cr_assert(eq(u64, get(ACPI_PM1_STATUS, 2), 0));
    run_until(bench, tick(0x800000));
    cr_assert(sci.level);
    cr_assert(eq(u64, sci.last, tick(0x800000)));
    cr_assert(eq(u64, get(ACPI_PM1_STATUS, 2), ACPI_TIMER_STATUS));
    set(ACPI_PM1_STATUS, 2, ACPI_TIMER_STATUS);
    cr_assert(not(sci.level));
    run_until(bench, tick(0x1000000));
    cr_assert(eq(uint, sci.rises, 2));
}

Test(acpi_pm, a_timer_event_that_nobody_enabled_costs_no_event)
{
    iov_time when;

    cr_assert(not(iov_kernel_next(bench->run.kernel, &when)));
    run_until(bench, tick(0x800000));
    cr_assert(eq(u64, get(ACPI_PM1_STATUS, 2), ACPI_TIMER_STATUS));
}

Test(acpi_pm, sci_enable_opens_the_way)
{
    struct iov_irq_source button = { .peer = iov_model_port(pm, "button", 0) };

    set(ACPI_PM1_ENABLE, 2, ACPI_POWER_BUTTON);
    iov_irq_set(&button, true, NULL);
    cr_assert(not(sci.level));
    bench_write(apm, 0, 1, 2); /* what firmware does with it */
    cr_assert(eq(u64, get(ACPI_PM1_CONTROL, 2), ACPI_CONTROL_SCI));
    cr_assert(sci.level);
    bench_write(apm, 0, 1, 3);
    cr_assert(not(sci.level));
    bench_number(pm, "sci-always", 1);
    set(ACPI_PM1_ENABLE, 2, ACPI_POWER_BUTTON);
    cr_assert(sci.level);
}

Test(acpi_pm, general_purpose_events_are_cleared_by_ones)
{
    struct iov_irq_source event = { .peer = iov_model_port(pm, "events", 33) };

    set(ACPI_PM1_CONTROL, 2, ACPI_CONTROL_SCI);
    set(ACPI_GPE0_ENABLE + 4, 4, 2);
    iov_irq_set(&event, true, NULL);
    cr_assert(sci.level);
    cr_assert(eq(u64, get(ACPI_GPE0_STATUS, 8), UINT64_C(2) << 32));
    set(ACPI_GPE0_STATUS + 4, 1, 0xfd);
    cr_assert(sci.level);
    set(ACPI_GPE0_STATUS + 4, 1, 2);
    cr_assert(not(sci.level));
}

Test(acpi_pm, a_sleep_request_is_passed_on_and_reads_as_nothing)
{
    set(ACPI_PM1_CONTROL, 2, ACPI_CONTROL_SLEEP | 5 << ACPI_CONTROL_SLEEP_TYPE_SHIFT);
    cr_assert(eq(uint, sleeps, 1));
    cr_assert(eq(u64, get(ACPI_PM1_CONTROL, 4), 5 << ACPI_CONTROL_SLEEP_TYPE_SHIFT));
}

Test(acpi_pm, a_write_of_the_apm_port_is_a_management_interrupt_if_enabled)
{
    bench_write(apm, 0, 2, 0x5aa5);
    cr_assert(eq(u64, bench_read(apm, 0, 2), 0x5aa5));
    cr_assert(eq(uint, smi.rises, 0));
    set(ACPI_SMI_ENABLE, 4, ACPI_SMI_APM);
    bench_write(apm, 0, 1, 0x10);
    cr_assert(eq(uint, smi.rises, 1));
    cr_assert(eq(u64, get(ACPI_SMI_STATUS, 4), ACPI_SMI_APM));
    set(ACPI_SMI_STATUS, 4, ACPI_SMI_APM);
    cr_assert(eq(u64, get(ACPI_SMI_STATUS, 4), 0));
}

Test(acpi_pm, the_watchdog_has_its_values_of_reset)
{
    cr_assert(eq(u64, get(ACPI_TCO, 4), 0));
    cr_assert(eq(u64, get(ACPI_TCO + TCO_STATUS1, 4), 0));
    cr_assert(eq(u64, get(ACPI_TCO + TCO_CONTROL1, 4), 0x00080000));
    cr_assert(eq(u64, get(ACPI_TCO + TCO_SOFTWARE_IRQ, 1), 3));
    cr_assert(eq(u64, get(ACPI_TCO + TCO_TIMER, 2), 4));
}

Test(acpi_pm, the_watchdog_counts_down_twice)
{
    set(ACPI_SMI_ENABLE, 4, ACPI_SMI_TCO);
    set(ACPI_TCO + TCO_TIMER, 2, 0xfc08);
    cr_assert(eq(u64, get(ACPI_TCO + TCO_TIMER, 2), 8));
    set(ACPI_TCO + TCO_RELOAD, 2, 1);
    for (unsigned left = 8; left > 0; left--) {
        cr_assert(eq(u64, get(ACPI_TCO + TCO_RELOAD, 2), left));
        cr_assert(eq(u64, get(ACPI_TCO + TCO_STATUS1, 2), 0));
        run_for(bench, TCO_TICK);
    }
    cr_assert(eq(u64, get(ACPI_TCO + TCO_STATUS1, 2), TCO_STATUS1_TIMEOUT));
    cr_assert(eq(uint, smi.rises, 1));
    set(ACPI_TCO + TCO_STATUS1, 2, TCO_STATUS1_TIMEOUT);
    cr_assert(eq(u64, get(ACPI_TCO + TCO_STATUS1, 4), 0));
    run_for(bench, 8 * TCO_TICK);
    cr_assert(eq(u64, get(ACPI_TCO + TCO_STATUS2, 2), TCO_STATUS2_SECOND | TCO_STATUS2_BOOT));
    cr_assert(eq(u64, bench_stat(pm, "watchdogs"), 1));
    set(ACPI_TCO + TCO_CONTROL1, 2, TCO_CONTROL1_HALT | TCO_CONTROL1_LOCK);
    set(ACPI_TCO + TCO_CONTROL1, 2, TCO_CONTROL1_HALT);
    cr_assert(eq(u64, get(ACPI_TCO + TCO_CONTROL1, 2), TCO_CONTROL1_HALT | TCO_CONTROL1_LOCK));
    run_for(bench, 100 * TCO_TICK);
    cr_assert(eq(u64, bench_stat(pm, "watchdogs"), 1), "halted");
}

Test(acpi_pm, ports_without_a_register_read_as_ones)
{
    cr_assert(eq(u64, get(0x10, 4), 0xffffffff));
    cr_assert(eq(u64, get(0x40, 8), UINT64_MAX));
}

Test(acpi_pm, any_access_is_harmless)
{
    disturb(bench, registers, 200000);
    disturb(bench, apm, 1000);
}
