/* SPDX-License-Identifier: Apache-2.0 */
/* The high precision event timer: counter, comparators, legacy replacement. */
#include "models/legacy/hpet-regs.h"
#include "tests/models/legacy/legacy-bench.h"

#define TICK (10 * IOV_NS)
#define TIMER(n, reg) (HPET_TIMERS + (n)*HPET_TIMER_SIZE + HPET_TIMER_##reg)

static struct bench *bench;
static IovModel *hpet;
static struct iov_mem_target *registers;
static struct bench_line lines[24];
static struct bench_recorder messages;
static struct iov_irq_source pit, rtc;

static void setup(void)
{
    bench = bench_new(NULL);
    hpet = bench_add(bench, "hpet", "hpet");
    bench_prepare(bench);
    for (unsigned i = 0; i < 24; i++) {
        struct iov_irq_source *source = iov_model_port(hpet, "lines", i);

        lines[i] = (struct bench_line){ .sink.ops = &bench_line_ops, .kernel = bench->run.kernel };
        source->peer = &lines[i].sink;
    }
    messages = (struct bench_recorder){ .port.ops = &bench_recorder_ops };
    ((struct iov_mem_initiator *)iov_model_port(hpet, "messages", 0))->peer = &messages.port;
    pit = (struct iov_irq_source){ .peer = iov_model_port(hpet, "timer", 0) };
    rtc = (struct iov_irq_source){ .peer = iov_model_port(hpet, "clock", 0) };
    bench_start(bench);
    registers = iov_model_port(hpet, "registers", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(hpet, .init = setup, .fini = teardown);

static uint64_t get(unsigned offset)
{
    return bench_read(registers, offset, 8);
}

static void set(unsigned offset, uint64_t value)
{
    bench_write(registers, offset, 8, value);
}

static void route(unsigned timer, unsigned line, unsigned bits)
{
    set(TIMER(timer, CONFIGURATION), line << HPET_TN_ROUTE_SHIFT | HPET_TN_ENABLE | bits);
}

Test(hpet, says_what_it_is)
{
    cr_assert(eq(u64, get(HPET_CAPABILITY), 0x009896808086a201));
    cr_assert(eq(u64, bench_read(registers, HPET_CAPABILITY + 4, 4), 10000000));
    cr_assert(eq(u64, get(TIMER(2, CONFIGURATION)), 0x00ff010400000030));
    cr_assert(eq(u64, get(TIMER(2, COMPARATOR)), UINT64_MAX));
    cr_assert(eq(u64, get(TIMER(3, CONFIGURATION)), 0));
}

Test(hpet, counts_only_while_enabled_and_can_be_set_only_while_halted)
{
    run_for(bench, 100 * TICK);
    cr_assert(eq(u64, get(HPET_COUNTER), 0));
    set(HPET_COUNTER, 0xfffffffe);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_for(bench, 3 * TICK - 1);
    cr_assert(eq(u64, get(HPET_COUNTER), 0x100000000));
    run_for(bench, 1);
    cr_assert(eq(u64, get(HPET_COUNTER), 0x100000001));
    set(HPET_COUNTER, 5);
    cr_assert(eq(u64, get(HPET_COUNTER), 0x100000001));
    set(HPET_CONFIGURATION, 0);
    run_for(bench, 50 * TICK);
    cr_assert(eq(u64, get(HPET_COUNTER), 0x100000001));
}

Test(hpet, a_one_shot_comparator_matches_once)
{
    route(2, 20, 0);
    set(TIMER(2, COMPARATOR), 1000);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_until(bench, 1000 * TICK - 1);
    cr_assert(eq(uint, lines[20].rises, 0));
    run_until(bench, 1000 * TICK);
    cr_assert(eq(uint, lines[20].rises, 1));
    cr_assert(not(lines[20].level), "an edge is a pulse");
    run_until(bench, IOV_SEC);
    cr_assert(eq(uint, lines[20].rises, 1));
    set(TIMER(2, COMPARATOR), 5);
    run_for(bench, IOV_SEC);
    cr_assert(eq(uint, lines[20].rises, 1), "the counter has passed it");
}

Test(hpet, a_comparator_of_32_bits_matches_again_when_the_counter_has_gone_round)
{
    route(0, 16, HPET_TN_32BIT);
    cr_assert(eq(u64, get(TIMER(0, COMPARATOR)), UINT32_MAX));
    set(TIMER(0, COMPARATOR), 1000);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_until(bench, 1000 * TICK);
    run_until(bench, ((UINT64_C(1) << 32) + 1000) * TICK - 1);
    cr_assert(eq(uint, lines[16].rises, 1));
    run_for(bench, 1);
    cr_assert(eq(uint, lines[16].rises, 2));
}

Test(hpet, a_periodic_comparator_moves_on_by_its_period)
{
    route(1, 17, HPET_TN_PERIODIC | HPET_TN_SET);
    set(TIMER(1, COMPARATOR), 5000);
    set(TIMER(1, COMPARATOR), 1000);
    cr_assert(eq(u64, get(TIMER(1, COMPARATOR)), 5000));
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_until(bench, 5000 * TICK);
    cr_assert(eq(uint, lines[17].rises, 1));
    cr_assert(eq(u64, get(TIMER(1, COMPARATOR)), 6000));
    run_until(bench, 15000 * TICK);
    cr_assert(eq(uint, lines[17].rises, 11));
    cr_assert(eq(u64, lines[17].last, 15000 * TICK));
}

Test(hpet, a_period_of_one_tick_does_not_flood)
{
    route(1, 17, HPET_TN_PERIODIC | HPET_TN_SET);
    set(TIMER(1, COMPARATOR), 1);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_until(bench, IOV_MS);
    cr_assert(le(uint, lines[17].rises, 1001));
    set(TIMER(1, COMPARATOR), 0);
    run_for(bench, IOV_MS);
}

Test(hpet, a_level_interrupt_stays_until_its_status_is_cleared)
{
    route(0, 16, HPET_TN_LEVEL);
    set(TIMER(0, COMPARATOR), 10);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_until(bench, 20 * TICK);
    cr_assert(lines[16].level);
    cr_assert(eq(u64, get(HPET_STATUS), 1));
    set(HPET_STATUS, 2);
    cr_assert(lines[16].level);
    set(HPET_STATUS, 1);
    cr_assert(not(lines[16].level));
    cr_assert(eq(u64, get(HPET_STATUS), 0));
}

Test(hpet, a_message_goes_where_the_message_register_says)
{
    route(0, 0, HPET_TN_MESSAGES);
    set(TIMER(0, MESSAGE), UINT64_C(0xfee01000) << 32 | 0x41);
    set(TIMER(0, COMPARATOR), 10);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_until(bench, 20 * TICK);
    cr_assert(eq(uint, messages.count, 1));
    cr_assert(eq(u64, messages.records[0].address, 0xfee01000));
    cr_assert(eq(u64, messages.records[0].value, 0x41));
}

Test(hpet, legacy_replacement_takes_the_lines_of_pit_and_rtc)
{
    iov_irq_set(&pit, true, NULL);
    iov_irq_set(&rtc, true, NULL);
    cr_assert(lines[0].level);
    cr_assert(lines[8].level);
    route(0, 16, 0);
    route(1, 17, 0);
    set(TIMER(0, COMPARATOR), 10);
    set(TIMER(1, COMPARATOR), 20);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE | HPET_CFG_LEGACY);
    cr_assert(not(lines[0].level));
    cr_assert(not(lines[8].level));
    run_until(bench, 30 * TICK);
    cr_assert(eq(uint, lines[0].rises, 2));
    cr_assert(eq(uint, lines[8].rises, 2));
    cr_assert(eq(uint, lines[16].rises + lines[17].rises, 0));
    set(HPET_CONFIGURATION, 0);
    cr_assert(lines[8].level, "the RTC has its line back");
}

Test(hpet, a_comparator_behind_the_counter_can_match_at_once)
{
    bench_number(hpet, "passed-matches", 1);
    set(HPET_CONFIGURATION, HPET_CFG_ENABLE);
    run_until(bench, 10000 * TICK);
    route(2, 20, 0);
    run_for(bench, TICK);
    cr_assert(eq(uint, lines[20].rises, 0), "it was never set");
    set(TIMER(2, COMPARATOR), 500);
    run_for(bench, IOV_SEC);
    route(2, 20, 0);
    run_for(bench, IOV_SEC);
    cr_assert(eq(uint, lines[20].rises, 1), "once");
    route(1, 17, HPET_TN_PERIODIC | HPET_TN_SET);
    set(TIMER(1, COMPARATOR), 3000);
    run_for(bench, TICK);
    cr_assert(eq(uint, lines[17].rises, 1));
    cr_assert(lt(u64, get(HPET_COUNTER), get(TIMER(1, COMPARATOR))));
    cr_assert(eq(u64, get(TIMER(1, COMPARATOR)) % 3000, 0));
}

Test(hpet, halves_can_be_written_alone_and_read_only_bits_stay)
{
    bench_write(registers, TIMER(0, CONFIGURATION), 4, UINT32_MAX);
    bench_write(registers, TIMER(0, CONFIGURATION) + 4, 4, UINT32_MAX);
    cr_assert(eq(u64, get(TIMER(0, CONFIGURATION)), 0x00ff010400007f7e));
    set(TIMER(1, CONFIGURATION), 0);
    bench_write(registers, TIMER(1, COMPARATOR), 4, 0x11223344);
    bench_write(registers, TIMER(1, COMPARATOR) + 4, 4, 0x55667788);
    cr_assert(eq(u64, get(TIMER(1, COMPARATOR)), 0x5566778811223344));
    set(HPET_CONFIGURATION, UINT64_MAX - 1);
    cr_assert(eq(u64, get(HPET_CONFIGURATION), HPET_CFG_LEGACY));
    cr_assert(eq(u64, bench_read(registers, HPET_CAPABILITY, 1), 0), "bytes are not accesses");
}

Test(hpet, any_access_is_harmless)
{
    disturb(bench, registers, 50000);
}
