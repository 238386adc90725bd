/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts and exceptions of a guest: exits for external interrupts, injection at VM entry,
 * windows, shadows, HLT, the VMX-preemption timer (SDM vol. 3C, 26.2, 26.5, 27.6, 27.7).
 */
#include "tests/models/cpu/cpu-bench.h"

static void cpuid(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_CPUID);
}

static void inject(struct bench *bench, uint32_t info)
{
    vmwrite(bench, IOV_VMCS_ENTRY_INTERRUPTION_INFO, info);
}

static unsigned count_exits(const struct bench *bench, uint32_t reason)
{
    unsigned count = 0;

    for (unsigned i = 0; i < bench->exit_count; i++)
        count += bench->exits[i].reason == reason;
    return count;
}

/* ---- External interrupts ---- */

static void end_of_interrupt(struct bench *bench)
{
    if (bench->exits[bench->exit_count - 1].reason == IOV_EXIT_EXTERNAL_INTERRUPT)
        bench->cpu->apic->ops->write(bench->cpu->apic, IOV_APIC_EOI, 0);
}

static void guest_computes(struct bench *bench)
{
    iov_exec_compute(&bench->guest, 2000 * IOV_NS, IOV_PART_GUEST);
    bench->note = iov_now(bench->kernel);
}

Test(external_interrupt, exits_whatever_the_guests_flag_says)
{
    struct bench *bench = bench_new();

    bench->on_exit = end_of_interrupt;
    bench_interrupt_at(bench, 1000 * IOV_NS, 0x41, NULL);
    bench_run_guest(bench, NULL, guest_computes);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_EXTERNAL_INTERRUPT));
    cr_assert(
        eq(uint, bench->exits[0].interruption_info, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x41)));
    cr_assert(eq(u64, bench->exit_times[0], (1000 + COST_EXIT) * IOV_NS));
    cr_assert(eq(u64, bench->note, (COST_ENTRY + 2000 + COST_EXIT + COST_ENTRY) * IOV_NS));
    cr_assert(eq(uint, bench->vector_count, 0), "no gate was used");
    bench_free(bench);
}

static void no_acknowledge(struct bench *bench)
{
    vmwrite(bench, IOV_VMCS_EXIT_CONTROLS, IOV_EXITCTL_TRUE_DEFAULT1);
    bench->host.interrupts = true;
}

static void take_it_in_root(struct bench *bench)
{
    cr_assert(eq(int, bench->cpu->apic->ops->pending(bench->cpu->apic), 0x41));
    cr_assert(not(bench->host.interrupts), "an exit clears RFLAGS.IF");
    bench->host.interrupts = true;
    bench->cpu->ops->boundary(&bench->host);
}

Test(external_interrupt, without_acknowledge_stays_pending_for_the_hosts_gate)
{
    struct bench *bench = bench_new();

    bench->on_exit = take_it_in_root;
    bench_interrupt_at(bench, 1000 * IOV_NS, 0x41, NULL);
    bench_run_guest(bench, no_acknowledge, guest_computes);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->exits[0].interruption_info, 0));
    cr_assert(eq(uint, bench->host_interrupts, 1));
    bench_free(bench);
}

static void no_exiting(struct bench *bench)
{
    vmwrite(bench, IOV_VMCS_PIN_CONTROLS, IOV_PIN_DEFAULT1);
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 0x202);
}

Test(external_interrupt, without_the_control_goes_through_the_guests_own_gate)
{
    struct bench *bench = bench_new();

    bench_interrupt_at(bench, 1000 * IOV_NS, 0x41, NULL);
    bench_run_guest(bench, no_exiting, guest_computes);
    cr_assert(eq(uint, bench->exit_count, 0));
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(uint, bench->vectors[0], 0x41));
    bench_free(bench);
}

enum { GATES = 0x10000 };

/* Gates at GATES: of 0x41 one that leads to the handler of 0x61; that of 0x42 is not present. */
static void own_gates(struct bench *bench)
{
    no_exiting(bench);
    bench_put64(bench, GATES + 16 * 0x41, UINT64_C(0x61) | UINT64_C(0x8e) << 40);
    bench_put64(bench, GATES + 16 * 0x42, 0x62);
    vmwrite(bench, IOV_VMCS_GUEST_IDTR_BASE, GATES);
    vmwrite(bench, IOV_VMCS_GUEST_IDTR_LIMIT, 4095);
    vmwrite(bench, IOV_VMCS_EXCEPTION_BITMAP, 1u << 11);
}

Test(external_interrupt, goes_to_the_handler_that_a_present_gate_names)
{
    struct bench *bench = bench_new();

    bench_interrupt_at(bench, 1000 * IOV_NS, 0x41, NULL);
    bench_run_guest(bench, own_gates, guest_computes);
    cr_assert(eq(uint, bench->exit_count, 0));
    cr_assert(eq(uint, bench->vector_count, 1));
    cr_assert(eq(uint, bench->vectors[0], 0x61));
    bench_free(bench);
}

Test(external_interrupt, that_meets_no_present_gate_is_a_fault_that_exits_with_the_vector)
{
    struct bench *bench = bench_new();

    bench->on_exit = end_of_interrupt;
    bench_interrupt_at(bench, 1000 * IOV_NS, 0x42, NULL);
    bench_run_guest(bench, own_gates, guest_computes);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_EXCEPTION_NMI));
    cr_assert(eq(uint, bench->exits[0].interruption_info & IOV_INTERRUPTION_VECTOR, 11));
    cr_assert(eq(uint, bench->exits[0].interruption_error,
                 0x42 << 3 | IOV_ERROR_IDT | IOV_ERROR_EXTERNAL));
    cr_assert(
        eq(uint, bench->exits[0].idt_vectoring_info, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x42)));
    cr_assert(eq(uint, bench->vector_count, 0));
    bench_free(bench);
}

static void short_table(struct bench *bench)
{
    own_gates(bench);
    vmwrite(bench, IOV_VMCS_GUEST_IDTR_LIMIT, 16 * 0x41 + 14);
}

Test(external_interrupt, whose_gate_is_cut_by_the_limit_is_not_delivered)
{
    struct bench *bench = bench_new();

    bench->on_exit = end_of_interrupt;
    bench_interrupt_at(bench, 1000 * IOV_NS, 0x41, NULL);
    bench_run_guest(bench, short_table, guest_computes);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->vector_count, 0));
    bench_free(bench);
}

static void cpuid_then_compute(struct bench *bench)
{
    cpuid(bench);
    iov_exec_compute(&bench->guest, 10 * IOV_NS, IOV_PART_GUEST);
}

static void interrupt_in_root(struct bench *bench)
{
    if (bench->exit_count == 1)
        bench->cpu->ops->interrupt(bench->cpu, 0x41, NULL);
    else
        end_of_interrupt(bench);
}

Test(external_interrupt, that_comes_in_root_operation_exits_right_after_the_entry)
{
    struct bench *bench = bench_new();

    bench->on_exit = interrupt_in_root;
    bench_run_guest(bench, NULL, cpuid_then_compute);
    cr_assert(eq(uint, bench->exit_count, 2));
    cr_assert(eq(uint, bench->exits[1].reason, IOV_EXIT_EXTERNAL_INTERRUPT));
    cr_assert(
        eq(u64, bench->exit_times[1] - bench->exit_times[0], (COST_ENTRY + COST_EXIT) * IOV_NS));
    bench_free(bench);
}

/* ---- Injection ---- */

static void flag_on(struct bench *bench)
{
    vmwrite(bench, IOV_VMCS_GUEST_RFLAGS, 0x202);
}

static void inject_interrupt(struct bench *bench)
{
    if (bench->exit_count == 1)
        inject(bench, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x31));
}

static void handler_is_done(struct bench *bench)
{
    cpuid(bench);
    cr_assert(eq(uint, bench->vector_count, 1), "the handler runs before the next instruction");
    cr_assert(bench->guest.interrupts, "IRET restores IF");
    cr_assert(
        eq(u64, bench->vector_times[0], (2 * COST_ENTRY + COST_EXIT + COST_INTERRUPT) * IOV_NS));
}

Test(injection, an_interrupt_is_delivered_by_the_entry)
{
    struct bench *bench = bench_new();

    bench->eoi = false;
    bench->on_exit = inject_interrupt;
    bench_run_guest(bench, flag_on, handler_is_done);
    cr_assert(bench->done);
    cr_assert(eq(uint, bench->vectors[0], 0x31));
    cr_assert(eq(u64, bench->measure.counters.injections, 1));
    bench_free(bench);
}

static void inject_twice_wanted(struct bench *bench)
{
    if (bench->exit_count == 1)
        inject(bench, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x31));
    else
        cr_assert(
            eq(u64, vmread(bench, IOV_VMCS_ENTRY_INTERRUPTION_INFO) & IOV_INTERRUPTION_VALID, 0));
}

static void cpuid_twice(struct bench *bench)
{
    cpuid(bench);
    cpuid(bench);
    cr_assert(eq(uint, bench->vector_count, 1));
}

Test(injection, the_valid_bit_is_cleared_and_nothing_comes_twice)
{
    struct bench *bench = bench_new();

    bench->eoi = false;
    bench->on_exit = inject_twice_wanted;
    bench_guest_passes(bench, flag_on, cpuid_twice);
}

static void inject_fault(struct bench *bench)
{
    if (bench->exit_count != 1)
        return;
    vmwrite(bench, IOV_VMCS_ENTRY_EXCEPTION_ERROR, 0x12);
    inject(bench, IOV_INTERRUPTION(IOV_EVENT_HARDWARE_EXCEPTION, 13) | IOV_INTERRUPTION_ERROR_CODE);
}

Test(injection, an_exception_brings_its_error_code)
{
    struct bench *bench = bench_new();

    bench->on_exit = inject_fault;
    bench_run_guest(bench, NULL, cpuid);
    cr_assert(eq(uint, bench->exception_count, 1));
    cr_assert(eq(uint, bench->exceptions[0], 13));
    cr_assert(eq(uint, bench->exception_errors[0], 0x12));
    bench_free(bench);
}

static void inject_and_interrupt(struct bench *bench)
{
    if (bench->exit_count == 1) {
        bench->cpu->ops->interrupt(bench->cpu, 0x41, NULL);
        inject(bench, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x31));
    }
    end_of_interrupt(bench);
}

static void compute_in_handler(struct bench *bench)
{
    bench->note = bench->exit_count;
    iov_exec_compute(&bench->guest, 100 * IOV_NS, IOV_PART_GUEST);
    cr_assert(eq(uint, bench->exit_count, 2), "the exit comes in the handler");
}

Test(injection, comes_before_an_external_interrupt_that_is_pending)
{
    struct bench *bench = bench_new();

    bench->eoi = false;
    bench->on_exit = inject_and_interrupt;
    bench->handler = compute_in_handler;
    bench_run_guest(bench, flag_on, cpuid);
    cr_assert(bench->done);
    cr_assert(eq(u64, bench->note, 1), "injected first");
    bench_free(bench);
}

/* ---- Windows ---- */

static void window_open(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_INTERRUPT_WINDOW);
}

static void window_closes(struct bench *bench)
{
    if (bench->exits[bench->exit_count - 1].reason == IOV_EXIT_INTERRUPT_WINDOW)
        vmwrite(bench, IOV_VMCS_PRIMARY_CONTROLS,
                vmread(bench, IOV_VMCS_PRIMARY_CONTROLS) & ~(uint64_t)IOV_PRIMARY_INTERRUPT_WINDOW);
}

static void sti_and_on(struct bench *bench)
{
    struct iov_exec *guest = &bench->guest;

    iov_exec_compute(guest, 100 * IOV_NS, IOV_PART_GUEST);
    cr_assert(eq(uint, bench->exit_count, 0), "IF is clear");
    iov_exec_do(guest, IOV_OP_STI);
    cr_assert(eq(uint, bench->exit_count, 0));
    iov_exec_do(guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->exit_count, 0), "the shadow of STI");
    iov_exec_do(guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_INTERRUPT_WINDOW));
}

Test(window, opens_after_the_instruction_that_follows_sti)
{
    struct bench *bench = bench_new();

    bench->on_exit = window_closes;
    bench_guest_passes(bench, window_open, sti_and_on);
}

static void mov_ss_then(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_MOV_SS);
    window_open(bench); /* LIMIT of the test: as if another exit had set it */
    cr_assert(eq(uint, bench->exit_count, 0));
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->exit_count, 0), "the shadow of MOV SS");
    iov_exec_compute(&bench->guest, 1, IOV_PART_GUEST);
    bench->cpu->ops->interrupt(bench->cpu, 0x41, NULL);
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_INTERRUPT_WINDOW),
              "before the external interrupt");
    cr_assert(eq(uint, bench->exits[1].reason, IOV_EXIT_EXTERNAL_INTERRUPT));
}

static void windows_and_ends(struct bench *bench)
{
    window_closes(bench);
    end_of_interrupt(bench);
}

Test(window, waits_for_the_shadow_of_mov_ss_and_comes_before_external_interrupts)
{
    struct bench *bench = bench_new();

    bench->on_exit = windows_and_ends;
    bench_guest_passes(bench, flag_on, mov_ss_then);
}

static void popf_opens(struct bench *bench)
{
    iov_exec_operate(&bench->guest, &(struct iov_op){ .kind = IOV_OP_POPF, .value = { 0x202 } });
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->exit_count, 1), "POPF has no shadow");
}

Test(window, opens_right_after_popf)
{
    struct bench *bench = bench_new();

    bench->on_exit = window_closes;
    bench_guest_passes(bench, window_open, popf_opens);
}

static void window_in_handler(struct bench *bench)
{
    iov_exec_compute(&bench->guest, 50 * IOV_NS, IOV_PART_GUEST);
    cr_assert(eq(uint, count_exits(bench, IOV_EXIT_INTERRUPT_WINDOW), 0), "not in the handler");
}

static void inject_with_window(struct bench *bench)
{
    if (bench->exit_count == 1) {
        inject(bench, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x31));
        window_open(bench);
    }
    window_closes(bench);
}

static void after_handler(struct bench *bench)
{
    cpuid(bench);
    iov_exec_compute(&bench->guest, 50 * IOV_NS, IOV_PART_GUEST);
    cr_assert(eq(uint, count_exits(bench, IOV_EXIT_INTERRUPT_WINDOW), 1), "after IRET");
}

Test(window, opens_at_the_iret_of_the_handler)
{
    struct bench *bench = bench_new();

    bench->eoi = false;
    bench->on_exit = inject_with_window;
    bench->handler = window_in_handler;
    bench_guest_passes(bench, flag_on, after_handler);
}

static void virtual_nmis(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PIN_CONTROLS, IOV_PIN_NMI | IOV_PIN_VIRTUAL_NMIS);
}

static void inject_nmi(struct bench *bench)
{
    if (bench->exits[bench->exit_count - 1].reason == IOV_EXIT_NMI_WINDOW)
        vmwrite(bench, IOV_VMCS_PRIMARY_CONTROLS,
                vmread(bench, IOV_VMCS_PRIMARY_CONTROLS) & ~(uint64_t)IOV_PRIMARY_NMI_WINDOW);
    if (bench->exit_count == 1) {
        inject(bench, IOV_INTERRUPTION(IOV_EVENT_NMI, 2));
        bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_NMI_WINDOW);
    }
}

static void nmi_and_window(struct bench *bench)
{
    cpuid(bench);
    cr_assert(eq(uint, bench->exceptions[0], 2));
    iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    cr_assert(eq(uint, bench->exit_count, 2));
    cr_assert(eq(uint, bench->exits[1].reason, IOV_EXIT_NMI_WINDOW));
}

Test(window, of_nmis_opens_when_the_nmi_handler_has_returned)
{
    struct bench *bench = bench_new();

    bench->on_exit = inject_nmi;
    bench_guest_passes(bench, virtual_nmis, nmi_and_window);
}

/* ---- Shadows and HLT in the VMCS ---- */

static void see_shadow(struct bench *bench)
{
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_INTERRUPTIBILITY), IOV_INTERRUPTIBILITY_STI));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_RFLAGS) & 0x200, 0x200));
}

static void sti_cpuid(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_STI);
    cpuid(bench);
    cr_assert(eq(uint, bench->guest.blocking, 0), "the monitor advanced RIP");
}

Test(interruptibility, an_exit_saves_the_shadow_and_the_flag)
{
    struct bench *bench = bench_new();

    bench->on_exit = see_shadow;
    bench_guest_passes(bench, NULL, sti_cpuid);
}

static void hlt_exiting(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_HLT);
}

static void sleep_then_inject(struct bench *bench)
{
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_HLT));
    iov_fiber_sleep(bench->kernel, 5000 * IOV_NS);
    inject(bench, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x31));
}

static void sti_hlt(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_STI);
    iov_exec_do(&bench->guest, IOV_OP_HLT);
    cr_assert(eq(uint, bench->vector_count, 1));
    bench->note = iov_now(bench->kernel);
}

Test(hlt, with_exiting_is_the_monitors_to_emulate)
{
    struct bench *bench = bench_new();

    bench->eoi = false;
    bench->on_exit = sleep_then_inject;
    bench_run_guest(bench, hlt_exiting, sti_hlt);
    cr_assert(eq(u64, bench->note,
                 (COST_ENTRY + COST_EXIT + 5000 + COST_ENTRY + COST_INTERRUPT) * IOV_NS));
    cr_assert(eq(uint, bench->exit_count, 1));
    bench_free(bench);
}

static void see_activity_then_inject(struct bench *bench)
{
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_EXTERNAL_INTERRUPT));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_ACTIVITY), IOV_ACTIVITY_HLT));
    end_of_interrupt(bench);
    if (bench->exit_count == 2) {
        vmwrite(bench, IOV_VMCS_GUEST_ACTIVITY, IOV_ACTIVITY_ACTIVE);
        inject(bench, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, 0x31));
    }
}

Test(hlt, without_exiting_halts_in_the_guest_and_goes_on_after_exits)
{
    struct bench *bench = bench_new();

    bench->eoi = false;
    bench->on_exit = see_activity_then_inject;
    bench_interrupt_at(bench, 3000 * IOV_NS, 0x41, NULL);
    bench_interrupt_at(bench, 9000 * IOV_NS, 0x41, NULL);
    bench_run_guest(bench, NULL, sti_hlt);
    cr_assert(eq(uint, bench->exit_count, 2));
    cr_assert(eq(u64, bench->exit_times[0], (3000 + COST_WAKE + COST_EXIT) * IOV_NS));
    cr_assert(eq(u64, bench->note,
                 (9000 + COST_WAKE + COST_EXIT + COST_ENTRY + COST_INTERRUPT) * IOV_NS));
    bench_free(bench);
}

static void put_into_hlt(struct bench *bench)
{
    if (bench->exit_count == 1)
        vmwrite(bench, IOV_VMCS_GUEST_ACTIVITY, IOV_ACTIVITY_HLT);
    end_of_interrupt(bench);
    if (bench->exit_count == 2)
        vmwrite(bench, IOV_VMCS_GUEST_ACTIVITY, IOV_ACTIVITY_ACTIVE);
}

static void cpuid_and_time(struct bench *bench)
{
    cpuid(bench);
    iov_exec_compute(&bench->guest, IOV_NS, IOV_PART_GUEST);
    bench->note = iov_now(bench->kernel);
}

Test(hlt, an_entry_into_activity_state_hlt_waits_there)
{
    struct bench *bench = bench_new();

    bench->on_exit = put_into_hlt;
    bench_interrupt_at(bench, 8000 * IOV_NS, 0x41, NULL);
    bench_run_guest(bench, NULL, cpuid_and_time);
    cr_assert(eq(uint, bench->exit_count, 2));
    cr_assert(eq(u64, bench->note, (8000 + COST_WAKE + COST_EXIT + COST_ENTRY + 1) * IOV_NS));
    bench_free(bench);
}

/* ---- The VMX-preemption timer ---- */

static void timer_on(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PIN_CONTROLS, IOV_PIN_PREEMPTION_TIMER);
    bench_add(bench, IOV_VMCS_EXIT_CONTROLS, IOV_EXITCTL_SAVE_TIMER);
    vmwrite(bench, IOV_VMCS_PREEMPTION_TIMER, 1500); /* a tick is a nanosecond */
}

static void timer_saved(struct bench *bench)
{
    if (bench->exit_count == 1) {
        cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_CPUID));
        cr_assert(eq(u64, vmread(bench, IOV_VMCS_PREEMPTION_TIMER), 500));
    } else {
        cr_assert(eq(uint, bench->exits[1].reason, IOV_EXIT_PREEMPTION_TIMER));
        cr_assert(eq(u64, vmread(bench, IOV_VMCS_PREEMPTION_TIMER), 0));
        vmwrite(bench, IOV_VMCS_PIN_CONTROLS, IOV_PIN_DEFAULT1 | IOV_PIN_EXTERNAL_INTERRUPT);
        vmwrite(bench, IOV_VMCS_EXIT_CONTROLS, IOV_EXITCTL_TRUE_DEFAULT1);
    }
}

static void compute_and_exit(struct bench *bench)
{
    iov_exec_compute(&bench->guest, 1000 * IOV_NS, IOV_PART_GUEST);
    cpuid(bench);
    iov_exec_compute(&bench->guest, 1000 * IOV_NS, IOV_PART_GUEST);
    bench->note = iov_now(bench->kernel);
}

Test(preemption_timer, runs_in_the_guest_only_and_is_saved)
{
    struct bench *bench = bench_new();

    bench->on_exit = timer_saved;
    bench_run_guest(bench, timer_on, compute_and_exit);
    cr_assert(eq(uint, bench->exit_count, 2));
    cr_assert(eq(u64, bench->exit_times[1],
                 (COST_ENTRY + 1000 + COST_EXIT + COST_ENTRY + 500 + COST_EXIT) * IOV_NS));
    cr_assert(eq(u64, bench->note, bench->exit_times[1] + (COST_ENTRY + 500) * IOV_NS));
    bench_free(bench);
}

static void timer_zero(struct bench *bench)
{
    timer_on(bench);
    vmwrite(bench, IOV_VMCS_PREEMPTION_TIMER, 0);
}

static void timer_off(struct bench *bench)
{
    bench->note = bench->guest.operations;
    vmwrite(bench, IOV_VMCS_PREEMPTION_TIMER, 1000000);
}

Test(preemption_timer, of_zero_exits_before_the_first_instruction)
{
    struct bench *bench = bench_new();

    bench->on_exit = timer_off;
    bench_run_guest(bench, timer_zero, cpuid);
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_PREEMPTION_TIMER));
    cr_assert(eq(u64, bench->exit_times[0], (COST_ENTRY + COST_EXIT) * IOV_NS));
    cr_assert(eq(uint, bench->exits[1].reason, IOV_EXIT_CPUID));
    bench_free(bench);
}

static void timer_in_hlt(struct bench *bench)
{
    vmwrite(bench, IOV_VMCS_GUEST_ACTIVITY, IOV_ACTIVITY_ACTIVE);
    vmwrite(bench, IOV_VMCS_PREEMPTION_TIMER, 1000000);
}

static void just_hlt(struct bench *bench)
{
    iov_exec_do(&bench->guest, IOV_OP_HLT);
    bench->note = iov_now(bench->kernel);
}

Test(preemption_timer, wakes_the_guest_from_hlt)
{
    struct bench *bench = bench_new();

    bench->on_exit = timer_in_hlt;
    bench_run_guest(bench, timer_on, just_hlt);
    cr_assert(bench->done);
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_PREEMPTION_TIMER));
    cr_assert(eq(u64, bench->exit_times[0], (COST_ENTRY + 1500 + COST_WAKE + COST_EXIT) * IOV_NS));
    bench_free(bench);
}

/* ---- Monitor trap flag, PAUSE loops, page faults ---- */

static void trap_flag(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_MONITOR_TRAP);
}

static void three_instructions(struct bench *bench)
{
    for (unsigned i = 0; i < 3; i++)
        iov_exec_do(&bench->guest, IOV_OP_RDTSC);
    bench->cpu->ops->boundary(&bench->guest);
}

Test(monitor_trap_flag, exits_after_every_instruction)
{
    struct bench *bench = bench_new();

    bench_run_guest(bench, trap_flag, three_instructions);
    cr_assert(eq(uint, count_exits(bench, IOV_EXIT_MONITOR_TRAP_FLAG), 3));
    bench_free(bench);
}

static void pause_loops(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_PAUSE_LOOP);
    vmwrite(bench, IOV_VMCS_PLE_GAP, 100);
    vmwrite(bench, IOV_VMCS_PLE_WINDOW, 1000);
}

static unsigned pauses(struct bench *bench, unsigned count, iov_time apart)
{
    unsigned before = bench->exit_count;

    for (unsigned i = 0; i < count; i++) {
        iov_exec_do(&bench->guest, IOV_OP_PAUSE);
        iov_exec_compute(&bench->guest, apart, IOV_PART_GUEST);
    }
    return bench->exit_count - before;
}

static void spin(struct bench *bench)
{
    cr_assert(eq(uint, pauses(bench, 30, 101 * IOV_NS), 0),
              "a gap longer than PLE_Gap begins a new loop");
    iov_exec_compute(&bench->guest, 500 * IOV_NS, IOV_PART_GUEST);
    cr_assert(eq(uint, pauses(bench, 21, 50 * IOV_NS), 0),
              "1000 ticks in the loop are not more than PLE_Window");
    cr_assert(eq(uint, pauses(bench, 1, 50 * IOV_NS), 1));
    cr_assert(eq(uint, pauses(bench, 1, 50 * IOV_NS), 0), "the exit took longer than the gap");
}

Test(pause_loop, exits_when_a_loop_outlasts_its_window)
{
    struct bench *bench = bench_new();

    bench_run_guest(bench, pause_loops, spin);
    cr_assert(bench->done);
    cr_assert(eq(uint, bench->exits[0].reason, IOV_EXIT_PAUSE_INSTRUCTION));
    bench_free(bench);
}

static void look_with_pauses(struct bench *bench)
{
    struct iov_spin look = { .pauses = true };

    iov_exec_spin(&bench->guest, &look, 50 * IOV_NS, IOV_US, IOV_PART_GUEST);
    cr_assert(eq(u64, iov_now(bench->kernel) - look.begin, 0), "loops of these exit");
    iov_exec_spin(&bench->guest, &look, 101 * IOV_NS, IOV_US, IOV_PART_GUEST);
    cr_assert(eq(u64, iov_now(bench->kernel) - look.begin, IOV_US), "these make no loop");
}

Test(pause_loop, is_no_spin_where_it_would_exit)
{
    struct bench *bench = bench_new();

    bench_guest_passes(bench, pause_loops, look_with_pauses);
}

static void filter_page_faults(struct bench *bench)
{
    /* SPEC: 25.6.3: with the bit clear, those that do not match exit. */
    vmwrite(bench, IOV_VMCS_PFEC_MASK, 1);
    vmwrite(bench, IOV_VMCS_PFEC_MATCH, 1);
}

static void page_faults(struct bench *bench)
{
    struct iov_op op = { .kind = IOV_OP_EXCEPTION, .index = 14, .linear = 0x5000, .value = { 3 } };

    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(uint, bench->exit_count, 0));
    cr_assert(eq(uint, bench->exceptions[0], 14));
    op.value[0] = 2;
    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(uint, bench->exit_count, 1));
    cr_assert(eq(uint, bench->exits[0].interruption_info,
                 IOV_INTERRUPTION(IOV_EVENT_HARDWARE_EXCEPTION, 14) | IOV_INTERRUPTION_ERROR_CODE));
    cr_assert(eq(uint, bench->exits[0].interruption_error, 2));
    cr_assert(eq(u64, bench->exits[0].qualification, 0x5000));
}

Test(page_fault, the_error_code_mask_turns_the_bitmaps_bit)
{
    struct bench *bench = bench_new();

    bench_guest_passes(bench, filter_page_faults, page_faults);
}

/* ---- The time-stamp counter and control registers ---- */

static void scaled_tsc(struct bench *bench)
{
    bench_add(bench, IOV_VMCS_PRIMARY_CONTROLS, IOV_PRIMARY_TSC_OFFSETTING);
    bench_add(bench, IOV_VMCS_SECONDARY_CONTROLS, IOV_SECONDARY_TSC_SCALING);
    vmwrite(bench, IOV_VMCS_TSC_OFFSET, 1000000);
    vmwrite(bench, IOV_VMCS_TSC_MULTIPLIER, UINT64_C(2) << 48);
}

static void read_tsc(struct bench *bench)
{
    struct iov_op op = { .kind = IOV_OP_RDTSC };

    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(u64, op.value[0], 2 * iov_now(bench->kernel) / IOV_NS + 1000000));
}

Test(tsc, the_guest_sees_it_scaled_and_offset)
{
    struct bench *bench = bench_new();

    bench_guest_passes(bench, scaled_tsc, read_tsc);
}

static void owned_cr0(struct bench *bench)
{
    vmwrite(bench, IOV_VMCS_GUEST_CR0, 0x80000031);
    vmwrite(bench, IOV_VMCS_CR0_MASK, 0x20);
    vmwrite(bench, IOV_VMCS_CR0_SHADOW, 0);
}

static void read_cr0(struct bench *bench)
{
    struct iov_op op = { .kind = IOV_OP_MOV_FROM_CR, .index = 0 };

    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(u64, op.value[0], 0x80000011), "NE as the shadow has it");
    op = (struct iov_op){ .kind = IOV_OP_MOV_TO_CR, .index = 0, .value = { 0x80000019 } };
    iov_exec_operate(&bench->guest, &op);
    cr_assert(eq(uint, bench->exit_count, 0));
    cr_assert(eq(u64, vmread(bench, IOV_VMCS_GUEST_CR0), 0x80000039), "owned bits stay");
}

Test(control_registers, owned_bits_read_as_the_shadow_and_stay_as_they_are)
{
    struct bench *bench = bench_new();

    bench_guest_passes(bench, owned_cr0, read_cr0);
}
