/* SPDX-License-Identifier: Apache-2.0 */
/* The processor without a hypervisor: time, interrupts, HLT, loads and stores, its own APIC; and
 * what time an exit takes. */
#include "tests/models/cpu/cpu-bench.h"

/* ---- Time ---- */

static void compute_a_little(struct bench *bench)
{
    iov_exec_compute(&bench->host, 700 * IOV_NS, IOV_PART_HOST);
    bench->note = iov_now(bench->kernel);
}

Test(cpu, compute_takes_its_time_and_books_it)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, compute_a_little);
    cr_assert(eq(u64, bench->note, 700 * IOV_NS));
    cr_assert(eq(u64, bench->host.used[IOV_PART_HOST], 700 * IOV_NS));
    cr_assert(eq(u64, bench->cpu->busy, 700 * IOV_NS));
    bench_free(bench);
}

struct look {
    struct iov_event event;
    struct iov_processor *cpu;
    iov_time busy;
};

static void look_now(struct iov_event *event)
{
    struct look *look = iov_container_of(event, struct look, event);

    iov_processor_settle(look->cpu);
    look->busy = look->cpu->busy;
}

Test(cpu, who_looks_in_the_middle_of_a_computation_sees_what_is_used_so_far)
{
    struct bench *bench = bench_new();
    struct look look = { .cpu = bench->cpu };

    iov_event_init(&look.event, bench->kernel, look_now, IOV_PRIORITY_DEFAULT);
    iov_event_at(&look.event, 300 * IOV_NS);
    bench_run_host(bench, compute_a_little);
    cr_assert(eq(u64, look.busy, 300 * IOV_NS));
    cr_assert(eq(u64, bench->cpu->busy, 700 * IOV_NS));
    bench_free(bench);
}

static void compute_with_interrupts(struct bench *bench)
{
    bench->host.interrupts = true;
    iov_exec_compute(&bench->host, 1000 * IOV_NS, IOV_PART_HOST);
    bench->note = iov_now(bench->kernel);
}

Test(cpu, an_interrupt_cuts_compute_and_the_rest_follows)
{
    struct bench *bench = bench_new();

    bench_interrupt_at(bench, 300 * IOV_NS, 0x41, NULL);
    bench_run_host(bench, compute_with_interrupts);
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(uint, bench->vectors[0], 0x41));
    cr_assert(eq(u64, bench->vector_times[0], (300 + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(u64, bench->note, (1000 + COST_INTERRUPT) * IOV_NS));
    cr_assert(bench->host.interrupts);
    bench_free(bench);
}

static void compute_masked(struct bench *bench)
{
    bench->host.interrupts = false;
    iov_exec_compute(&bench->host, 1000 * IOV_NS, IOV_PART_HOST);
    cr_assert(eq(uint, bench->vector_count, 0));
    iov_exec_do(&bench->host, IOV_OP_STI);
    iov_exec_do(&bench->host, IOV_OP_CPUID); /* in the shadow of STI */
    cr_assert(eq(uint, bench->vector_count, 0));
    iov_exec_do(&bench->host, IOV_OP_CPUID);
    bench->note = bench->vector_count;
}

Test(cpu, a_masked_interrupt_waits_for_sti_and_one_more_instruction)
{
    struct bench *bench = bench_new();

    bench_interrupt_at(bench, 300 * IOV_NS, 0x41, NULL);
    bench_run_host(bench, compute_masked);
    cr_assert(eq(u64, bench->note, 1));
    bench_free(bench);
}

static void nest(struct bench *bench)
{
    if (bench->vector_count == 1) {
        iov_exec_do(&bench->host, IOV_OP_STI);
        iov_exec_compute(&bench->host, 500 * IOV_NS, IOV_PART_HOST);
    }
}

Test(cpu, a_handler_that_allows_interrupts_is_interrupted_by_a_higher_class)
{
    struct bench *bench = bench_new();

    bench_interrupt_at(bench, 100 * IOV_NS, 0x41, NULL);
    bench_interrupt_at(bench, 400 * IOV_NS, 0x81, NULL);
    bench->handler = nest;
    bench_run_host(bench, compute_with_interrupts);
    cr_assert(eq(uint, bench->vector_count, 2));
    cr_assert(eq(u64, bench->vector_times[1], (400 + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(u64, bench->note, (1000 + 500 + 2 * COST_INTERRUPT) * IOV_NS));
    bench_free(bench);
}

/* ---- HLT ---- */

static void sti_hlt(struct bench *bench)
{
    iov_exec_do(&bench->host, IOV_OP_STI);
    iov_exec_do(&bench->host, IOV_OP_HLT);
    bench->note = iov_now(bench->kernel);
}

Test(cpu, hlt_idles_until_an_interrupt_and_pays_for_waking)
{
    struct bench *bench = bench_new();

    bench_interrupt_at(bench, 5000 * IOV_NS, 0x41, NULL);
    bench_run_host(bench, sti_hlt);
    cr_assert(eq(u64, bench->note, (5000 + COST_WAKE + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(u64, bench->cpu->idle, 5000 * IOV_NS));
    cr_assert(eq(u64, bench->cpu->busy, (COST_WAKE + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(uint, bench->vectors[0], 0x41));
    bench_free(bench);
}

static void pending_then_sti_hlt(struct bench *bench)
{
    bench->cpu->ops->interrupt(bench->cpu, 0x41, NULL);
    sti_hlt(bench);
}

Test(cpu, an_interrupt_that_is_pending_at_sti_hlt_is_not_lost)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, pending_then_sti_hlt);
    cr_assert(bench->done);
    cr_assert(eq(u64, bench->note, COST_INTERRUPT * IOV_NS), "it did not sleep");
    bench_free(bench);
}

Test(cpu, an_announced_request_is_claimed_and_its_time_adds_up)
{
    struct bench *bench = bench_new();
    struct iov_span span;
    int device;

    iov_span_begin(&span, 1, &device, 0);
    iov_span_mark(&span, &device, IOV_PART_DEVICE, 4800 * IOV_NS);
    bench_interrupt_at(bench, 5000 * IOV_NS, 0x41, &span);
    bench->host.part = IOV_PART_GUEST;
    bench_run_host(bench, sti_hlt);
    cr_assert(eq(ptr, (void *)bench->host.span, &span));
    cr_assert(eq(u64, span.parts[IOV_PART_INTERRUPT], (200 + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_WAKEUP], COST_WAKE * IOV_NS));
    cr_assert(eq(u64, span.cursor, bench->note));
    bench_free(bench);
}

Test(cpu, software_of_a_host_takes_the_announced_request_from_the_apic)
{
    struct bench *bench = bench_new();
    struct iov_span span;
    int device;

    iov_span_begin(&span, 1, &device, 0);
    bench_interrupt_at(bench, 5000 * IOV_NS, 0x41, &span);
    bench_run_host(bench, sti_hlt);
    cr_assert(eq(ptr, bench->host.span, NULL));
    cr_assert(eq(ptr, bench->cpu->apic->span, &span));
    cr_assert(iov_span_held(&span, bench->host.holder));
    bench_free(bench);
}

static void sti_twice(struct bench *bench)
{
    iov_exec_do(&bench->host, IOV_OP_STI);
    iov_exec_do(&bench->host, IOV_OP_RDTSC);
    iov_exec_do(&bench->host, IOV_OP_STI);
    bench->cpu->ops->interrupt(bench->cpu, 0x41, NULL);
    bench->cpu->ops->boundary(&bench->host);
    bench->note = bench->vector_count;
}

Test(cpu, sti_has_no_shadow_when_interrupts_were_on)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, sti_twice);
    cr_assert(eq(u64, bench->note, 1));
    bench_free(bench);
}

/* ---- Memory, ports, APIC ---- */

static void touch_memory(struct bench *bench)
{
    uint8_t data[6000], back[6000];

    for (unsigned i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7);
    iov_exec_put(&bench->host, BENCH_RAM + 100, data, sizeof data);
    iov_exec_get(&bench->host, BENCH_RAM + 100, back, sizeof back);
    cr_assert(eq(int, memcmp(data, back, sizeof data), 0));
    cr_assert(eq(int, memcmp(bench->memory + BENCH_RAM + 100, data, sizeof data), 0));
    bench->note = iov_now(bench->kernel);
}

Test(cpu, plain_memory_takes_no_time_of_its_own)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, touch_memory);
    cr_assert(bench->done);
    cr_assert(eq(u64, bench->note, 0));
    bench_free(bench);
}

static void pass_payload(struct bench *bench)
{
    struct iov_span span = { 0 };
    uint8_t data[5000] = { 1 };

    iov_exec_put_payload(&bench->host, BENCH_RAM + 0xf00, data, sizeof data, &span);
    cr_assert(eq(uint, bench->payloads, 1), "the first byte carries it");
    cr_assert(eq(u64, bench->payload_address, BENCH_RAM + 0xf00));
    cr_assert(eq(ptr, bench->payload, &span));
    cr_assert(
        eq(ptr, iov_exec_get_payload(&bench->host, BENCH_RAM + 0xf00, data, sizeof data), &span));
    cr_assert(eq(ptr, iov_exec_get_payload(&bench->host, BENCH_RAM + 0xe00, data, 16), NULL));
}

Test(cpu, request_data_carries_its_span_through_memory)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, pass_payload);
    cr_assert(bench->done);
    bench_free(bench);
}

static void touch_device(struct bench *bench)
{
    iov_exec_store(&bench->host, BENCH_DEVICE + 0x10, 4, 0x1234);
    cr_assert(eq(u64, bench->device_register, 0x1234));
    cr_assert(eq(u64, iov_now(bench->kernel), 0));
    cr_assert(eq(u64, iov_exec_load(&bench->host, BENCH_DEVICE + 0x10, 4), 0x1234));
    bench->note = iov_now(bench->kernel);
    cr_assert(eq(u64, iov_exec_load(&bench->host, 0xd0000000, 4), 0xffffffff),
              "nobody there: ones");
    iov_exec_out(&bench->host, 0x70, 1, 0x8f);
    cr_assert(eq(u64, bench->device_address, 0x70));
    cr_assert(eq(u64, iov_exec_in(&bench->host, 0x71, 1), 0x8f));
}

Test(cpu, a_read_of_a_device_register_waits_for_the_answer)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, touch_device);
    cr_assert(bench->done);
    cr_assert(eq(u64, bench->note, COST_DEVICE * IOV_NS));
    cr_assert(eq(u64, bench->host.used[IOV_PART_PCIE], COST_DEVICE * IOV_NS));
    bench_free(bench);
}

static void use_own_apic(struct bench *bench)
{
    struct iov_exec *host = &bench->host;

    cr_assert(eq(u64, iov_exec_load(host, 0xfee00030, 4), IOV_APIC_VERSION_VALUE));
    iov_exec_store(host, 0xfee00080, 4, 0x20);
    cr_assert(eq(u64, iov_exec_load(host, 0xfee00080, 4), 0x20));
    cr_assert(eq(u64, iov_exec_rdmsr(host, 0x808), 0));
    cr_assert(eq(uint, bench->exception_count, 1), "no x2APIC registers in xAPIC mode");
    iov_exec_wrmsr(host, IOV_MSR_APIC_BASE, 0xfee00c00);
    cr_assert(eq(u64, iov_exec_rdmsr(host, 0x808), 0x20));
    cr_assert(eq(u64, iov_exec_load(host, 0xfee00080, 4), 0xffffffff), "no page in x2APIC mode");
    cr_assert(eq(uint, bench->exception_count, 1));
}

Test(cpu, its_own_apic_answers_at_its_page_or_as_msrs)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, use_own_apic);
    cr_assert(bench->done);
    bench_free(bench);
}

static void send_ipi(struct bench *bench)
{
    iov_exec_wrmsr(&bench->host, IOV_MSR_APIC_BASE, 0xfee00c00);
    iov_exec_wrmsr(&bench->host, 0x830, UINT64_C(3) << 32 | 0xfd);
}

Test(cpu, an_ipi_is_an_interrupt_message_on_the_bus)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, send_ipi);
    cr_assert(eq(uint, bench->messages, 1));
    cr_assert(eq(u64, bench->message_address, 0xfee03000));
    cr_assert(eq(uint, bench->message_data, 0xfd));
    bench_free(bench);
}

static void arm_deadline(struct bench *bench)
{
    struct iov_exec *host = &bench->host;

    iov_exec_wrmsr(host, IOV_MSR_APIC_BASE, 0xfee00c00);
    iov_exec_wrmsr(host, 0x832, 0xec | IOV_APIC_TIMER_DEADLINE << IOV_APIC_TIMER_MODE_SHIFT);
    iov_exec_wrmsr(host, IOV_MSR_TSC_DEADLINE, 2500);
    host->interrupts = true;
    iov_exec_compute(host, 4000 * IOV_NS, IOV_PART_HOST);
}

Test(cpu, the_timer_interrupts_at_its_deadline)
{
    struct bench *bench = bench_new();

    bench_run_host(bench, arm_deadline);
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(uint, bench->vectors[0], 0xec));
    cr_assert(eq(u64, bench->vector_times[0], (2500 + COST_INTERRUPT) * IOV_NS));
    bench_free(bench);
}

/* ---- Exits take time ---- */

static void one_cpuid(struct bench *bench)
{
    iov_exec_compute(&bench->guest, 100 * IOV_NS, IOV_PART_GUEST);
    iov_exec_do(&bench->guest, IOV_OP_CPUID);
    bench->note = iov_now(bench->kernel);
}

static void monitor_works(struct bench *bench)
{
    iov_exec_compute(&bench->host, 250 * IOV_NS, IOV_PART_MONITOR);
}

Test(cpu, an_exit_costs_its_parts_and_the_monitor_its_own)
{
    struct bench *bench = bench_new();

    bench->on_exit = monitor_works;
    bench_run_guest(bench, NULL, one_cpuid);
    cr_assert(eq(u64, bench->exit_times[0], (COST_ENTRY + 100 + COST_EXIT) * IOV_NS));
    cr_assert(eq(u64, bench->note, (COST_ENTRY + 100 + COST_EXIT + 250 + COST_ENTRY) * IOV_NS));
    cr_assert(eq(u64, bench->guest.used[IOV_PART_EXIT], (COST_EXIT + 2 * COST_ENTRY) * IOV_NS));
    cr_assert(eq(u64, bench->guest.used[IOV_PART_GUEST], 100 * IOV_NS));
    cr_assert(eq(u64, bench->host.used[IOV_PART_MONITOR], 250 * IOV_NS));
    bench_free(bench);
}

static void cpuid_with_request(struct bench *bench)
{
    static struct iov_span span;

    iov_span_begin(&span, 1, bench->guest.holder, iov_now(bench->kernel));
    bench->guest.span = &span;
    iov_exec_compute(&bench->guest, 100 * IOV_NS, IOV_PART_GUEST);
    iov_exec_do(&bench->guest, IOV_OP_CPUID);
    cr_assert(eq(uint, span.exits, 1));
    cr_assert(eq(u64, span.parts[IOV_PART_GUEST], 100 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_EXIT], (COST_EXIT + COST_ENTRY) * IOV_NS));
    cr_assert(eq(u64, span.cursor, iov_now(bench->kernel)));
}

Test(cpu, exits_and_entries_are_part_of_the_request_that_the_guest_works_for)
{
    struct bench *bench = bench_new();

    bench_guest_passes(bench, NULL, cpuid_with_request);
}
