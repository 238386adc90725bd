/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How interrupts reach a guest, and what their delivery and their EOI cost in exits: counted
 * against what a Linux 6.1 KVM was seen to do.
 */
#include "tests/models/hypervisor/guest.h"

static struct later later[4];
static unsigned taken;
static bool use_pv_eoi;

static void take(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken++;
    iov_exec_compute(exec, 2 * IOV_US, IOV_PART_GUEST);
    guest_eoi(exec);
}

static void setup(void)
{
    guest_new(2);
    guest.program->interrupt = take;
    taken = 0;
    use_pv_eoi = true;
}

static void start(void (*main)(TestProgram *, struct iov_exec *, unsigned))
{
    guest_wire();
    guest.program->main = main;
    guest_start();
    guest_run(100 * IOV_MS);
}

static void teardown(void)
{
    guest_free();
}

TestSuite(kvm_interrupts, .init = setup, .fini = teardown);

static iov_time soon(void)
{
    return machine_now(&guest.machine) + 20 * IOV_US;
}

/* ---- Delivering one interrupt ---- */

static void main_running(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    msi_at(&later[0], soon(), 0x31);
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, a_running_guest_is_kicked_out_once)
{
    start(main_running);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 1));
    cr_assert(eq(u64, all_exits(), 1), "with paravirtual EOI nothing else");
}

static void main_masked(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    msi_at(&later[0], soon(), 0x31);
    iov_exec_do(exec, IOV_OP_CLI);
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    cr_assert(eq(uint, taken, 0));
    iov_exec_do(exec, IOV_OP_STI);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    cr_assert(eq(uint, taken, 1));
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, a_guest_that_masks_interrupts_takes_a_window_more)
{
    start(main_masked);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_INTERRUPT_WINDOW), 1));
    cr_assert(eq(u64, all_exits(), 2));
}

static void main_halted(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    msi_at(&later[0], soon(), 0x31);
    guest_idle(exec, &taken, 1);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, a_halted_guest_has_paid_with_its_hlt)
{
    start(main_halted);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, all_exits(), 1));
    cr_assert(eq(u64, bench_stat(guest.vm, "halts"), 1));
}

static void main_in_exit(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    msi_at(&later[0], machine_now(&guest.machine) + IOV_US, 0x31); /* while user space is at it */
    iov_exec_load(exec, DEVICE_BASE, 4);
    iov_exec_compute(exec, 10 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, a_guest_that_is_in_an_exit_gets_it_for_free)
{
    start(main_in_exit);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, exits(IOV_EXIT_EPT_MISCONFIG), 1));
    cr_assert(eq(u64, all_exits(), 1));
}

static void main_late_halt(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    iov_exec_do(exec, IOV_OP_CLI);
    msi_at(&later[0], machine_now(&guest.machine) + 5 * IOV_US, 0x31);
    iov_exec_compute(exec, 10 * IOV_US, IOV_PART_GUEST); /* on the way to idle */
    iov_exec_do(exec, IOV_OP_STI);
    iov_exec_do(exec, IOV_OP_HLT);
    iov_exec_compute(exec, 10 * IOV_US, IOV_PART_GUEST);
    cr_assert(eq(uint, taken, 1));
    guest.done = true;
}

Test(kvm_interrupts, an_interrupt_on_the_way_to_idle_takes_kick_hlt_and_window)
{
    start(main_late_halt);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_INTERRUPT_WINDOW), 1));
    cr_assert(eq(u64, all_exits(), 3));
    cr_assert(eq(u64, vcpu(0)->thread->switches, 1), "the HLT did not sleep");
}

static void main_shadow(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op cpuid = { .kind = IOV_OP_CPUID };

    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    iov_exec_do(exec, IOV_OP_CLI);
    iov_exec_operate(exec, &cpuid); /* an instruction that KVM skips */
    msi_at(&later[0], machine_now(&guest.machine) + 50 * IOV_NS, 0x31);
    iov_exec_do(exec, IOV_OP_STI); /* takes 100 ns */
    iov_exec_do(
        exec,
        IOV_OP_RDTSC); /* in the shadow of STI: the kick comes out here, the interrupt not yet */
    cr_assert(eq(uint, taken, 0));
    iov_exec_do(exec, IOV_OP_RDTSC);
    cr_assert(eq(uint, taken, 1));
    guest.done = true;
}

Test(kvm_interrupts, the_shadow_of_sti_holds_an_interrupt_back_for_one_instruction)
{
    start(main_shadow);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_INTERRUPT_WINDOW), 1));
}

/* ---- EOI ---- */

static void main_two(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    msi_at(&later[0], soon(), 0x27);
    msi_at(&later[1], soon(), 0x26);
    guest_idle(exec, &taken, 2);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, with_another_vector_pending_one_eoi_and_one_window_exit)
{
    start(main_two);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_INTERRUPT_WINDOW), 1));
    cr_assert(eq(u64, all_exits(), 3));
    cr_assert(eq(u64, guest.counters->injections, 2));
}

Test(kvm_interrupts, without_paravirtual_eoi_every_injection_has_its_eoi_exit)
{
    bench_number(guest.vm, "pv-eoi", false);
    use_pv_eoi = false;
    start(main_two);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 2));
    cr_assert(eq(u64, exits(IOV_EXIT_INTERRUPT_WINDOW), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, guest.counters->injections, 2));
}

static void main_pv_eoi_hidden(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    iov_exec_wrmsr(exec, MSR_KVM_PV_EOI_EN, PV_EOI_ADDRESS | 1);
    guest.done = true;
}

Test(kvm_interrupts, paravirtual_eoi_that_is_not_offered_cannot_be_enabled)
{
    bench_number(guest.vm, "pv-eoi", false);
    start(main_pv_eoi_hidden);
    cr_assert(eq(uint, guest.program->exceptions, 1));
    cr_assert(eq(uint, guest.program->last_exception, KVM_EXCEPTION_GP));
}

enum { LINE = 11 };
static struct iov_irq_source line;

struct line_later {
    struct iov_event event;
    bool level;
} line_events[2];

static void on_line(struct iov_event *event)
{
    iov_irq_set(&line, iov_container_of(event, struct line_later, event)->level, NULL);
}

static void line_at(struct line_later *change, iov_time when, bool level)
{
    change->level = level;
    iov_event_init(&change->event, machine_kernel(&guest.machine), on_line, IOV_PRIORITY_DEFAULT);
    iov_event_at(&change->event, when);
}

static void take_level(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken++;
    iov_irq_set(&line, false, NULL);
    guest_eoi(exec);
}

static void main_level(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    self->interrupt = take_level;
    (void)index;
    guest_ioapic(exec, LINE, IOAPIC_ENTRY_LEVEL | 0x26);
    guest_boot(exec, use_pv_eoi);
    line = (struct iov_irq_source){ .peer = iov_model_port(guest.vm, "gsi", LINE) };
    line_at(&line_events[0], soon(), true);
    guest_idle(exec, &taken, 1);
    line_at(&line_events[0], soon(), true);
    guest_idle(exec, &taken, 2);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, a_level_interrupt_of_the_ioapic_always_exits_at_its_eoi)
{
    start(main_level);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 2));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 2));
    cr_assert(eq(u64, all_exits(), 4));
    cr_assert(eq(u64, guest.counters->user_exits, 0));
}

Test(kvm_interrupts, with_the_split_irqchip_that_eoi_goes_to_user_space)
{
    cr_assert(iov_model_set_string(guest.vm, "kernel-irqchip", "split", NULL));
    start(main_level);
    cr_assert(guest.done);
    cr_assert(eq(u64, all_exits(), 4), "the same exits");
    cr_assert(eq(u64, guest.counters->user_exits, 2));
}

static void main_level_stays(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)index;
    guest_ioapic(exec, LINE, IOAPIC_ENTRY_LEVEL | 0x26);
    guest_boot(exec, use_pv_eoi);
    self->interrupt = take; /* does not lower the line */
    line = (struct iov_irq_source){ .peer = iov_model_port(guest.vm, "gsi", LINE) };
    line_at(&line_events[0], soon(), true);
    line_at(&line_events[1], soon() + 16 * IOV_US, false);
    iov_exec_compute(exec, 200 * IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, a_line_that_stays_up_interrupts_again_after_each_eoi)
{
    start(main_level_stays);
    cr_assert(guest.done);
    cr_assert(ge(uint, taken, 3));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), taken));
}

/* ---- xAPIC ---- */

static void take_xapic(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken++;
    iov_exec_compute(exec, 2 * IOV_US, IOV_PART_GUEST);
    iov_exec_store(exec, IOV_APIC_DEFAULT_BASE + IOV_APIC_EOI, 4, 0);
}

static void main_xapic(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)index;
    self->interrupt = take_xapic;
    iov_exec_store(exec, IOV_APIC_DEFAULT_BASE + IOV_APIC_SVR, 4, 0x1ff);
    iov_exec_do(exec, IOV_OP_STI);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    clear_counters();
    msi_at(&later[0], soon(), 0x27);
    msi_at(&later[1], soon(), 0x26);
    guest_idle(exec, &taken, 2);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    guest.done = true;
}

Test(kvm_interrupts, in_xapic_mode_the_same_counts_are_accesses_of_the_apic_page)
{
    bench_number(guest.vm, "x2apic", false);
    start(main_xapic);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_APIC_ACCESS), 2));
    cr_assert(eq(u64, exits(IOV_EXIT_INTERRUPT_WINDOW), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, all_exits(), 4));
}

/* ---- The timer ---- */

static void main_timer(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op tsc = { .kind = IOV_OP_RDTSC };
    iov_time due;

    (void)self;
    (void)index;
    x2apic_write(exec, IOV_APIC_SVR, 0x1ff);
    guest_boot(exec, use_pv_eoi);
    x2apic_write(exec, IOV_APIC_LVT_TIMER,
                 IOV_APIC_TIMER_DEADLINE << IOV_APIC_TIMER_MODE_SHIFT | 0xec);
    clear_counters();
    for (unsigned i = 1; i <= 4; i++) {
        iov_exec_operate(exec, &tsc);
        due = machine_now(&guest.machine) + 50 * IOV_US;
        iov_exec_wrmsr(exec, IOV_MSR_TSC_DEADLINE, tsc.value[0] + 100000); /* 50 us at 2 GHz */
        iov_exec_compute(exec, 60 * IOV_US, IOV_PART_GUEST);
        cr_assert(eq(uint, taken, i));
        cr_assert(ge(u64, machine_now(&guest.machine), due));
    }
    guest.done = true;
}

Test(kvm_interrupts, a_tsc_deadline_costs_a_write_and_a_preemption_timer_exit)
{
    start(main_timer);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 4));
    cr_assert(eq(u64, exits(IOV_EXIT_PREEMPTION_TIMER), 4));
    cr_assert(eq(u64, all_exits(), 8));
}

Test(kvm_interrupts, without_that_timer_the_host_s_timer_interrupt_exits)
{
    bench_number(guest.vm, "preemption-timer", false);
    start(main_timer);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 4));
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 4));
    cr_assert(eq(u64, all_exits(), 8));
}

static void main_timer_halted(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op tsc = { .kind = IOV_OP_RDTSC };

    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    x2apic_write(exec, IOV_APIC_LVT_TIMER,
                 IOV_APIC_TIMER_DEADLINE << IOV_APIC_TIMER_MODE_SHIFT | 0xec);
    clear_counters();
    iov_exec_operate(exec, &tsc);
    iov_exec_wrmsr(exec, IOV_MSR_TSC_DEADLINE, tsc.value[0] + 100000);
    guest_idle(exec, &taken, 1);
    guest.done = true;
}

Test(kvm_interrupts, a_halted_guest_is_woken_by_the_host_s_timer)
{
    start(main_timer_halted);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, all_exits(), 2));
}

/* ---- IPIs ---- */

static unsigned ready;
static bool halted_target;

static void main_ipi(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    guest_boot(exec, false);
    if (index == 1) {
        ready = 1;
        if (halted_target)
            guest_idle(exec, &taken, 1);
        else
            iov_exec_compute(exec, 200 * IOV_US, IOV_PART_GUEST);
        guest.done = true;
        return;
    }
    while (!ready)
        iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    iov_exec_compute(exec, 30 * IOV_US, IOV_PART_GUEST);
    memset(guest.counters->exits, 0, sizeof guest.counters->exits);
    if (!halted_target)
        ready = 2;
    x2apic_write(exec, IOV_APIC_ICR, UINT64_C(1) << 32 | 0xfb);
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
}

Test(kvm_interrupts, an_ipi_to_a_running_vcpu_is_a_write_and_an_interrupt_exit)
{
    ready = 0;
    halted_target = false;
    bench_number(guest.vm, "vcpus", 2);
    start(main_ipi);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 2), "ICR, and the target's EOI");
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 1));
    cr_assert(eq(u64, all_exits(), 3));
}

Test(kvm_interrupts, an_ipi_to_a_halted_vcpu_is_a_write)
{
    ready = 0;
    halted_target = true;
    bench_number(guest.vm, "vcpus", 2);
    start(main_ipi);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 2));
    cr_assert(eq(u64, all_exits(), 2), "its HLT lies before");
}

static void main_hypercall_ipi(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op op = { .kind = IOV_OP_VMCALL,
                         .value = { KVM_HC_SEND_IPI, 2, 0, 0 },
                         .address = 0xfb };

    (void)self;
    guest_boot(exec, false);
    if (index == 1) {
        guest_idle(exec, &taken, 1);
        guest.done = true;
        return;
    }
    iov_exec_compute(exec, 30 * IOV_US, IOV_PART_GUEST);
    iov_exec_operate(exec, &op);
    cr_assert(eq(u64, op.value[0], 1));
}

Test(kvm_interrupts, the_send_ipi_hypercall_reaches_every_vcpu_in_its_bitmap)
{
    bench_number(guest.vm, "vcpus", 2);
    start(main_hypercall_ipi);
    cr_assert(guest.done);
    cr_assert(eq(uint, taken, 1));
    cr_assert(eq(u64, guest.counters->hypercalls, 1));
}

/* ---- APIC virtualisation ---- */

static void take_virtual(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken++;
    iov_exec_compute(exec, 2 * IOV_US, IOV_PART_GUEST);
    x2apic_write(exec, IOV_APIC_EOI, 0);
}

static void main_virtual(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)index;
    self->interrupt = take_virtual;
    guest_boot(exec, false);
    msi_at(&later[0], soon(), 0x31);
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    cr_assert(eq(uint, taken, 1));
    iov_exec_do(exec, IOV_OP_CLI);
    msi_at(&later[0], soon(), 0x32);
    iov_exec_compute(exec, 100 * IOV_US, IOV_PART_GUEST);
    iov_exec_do(exec, IOV_OP_STI);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    cr_assert(eq(uint, taken, 2));
    guest.done = true;
}

Test(kvm_interrupts, posted_interrupts_and_their_eois_do_not_exit)
{
    bench_number(guest.vm, "apic-virtualisation", true);
    start(main_virtual);
    cr_assert(guest.done);
    cr_assert(eq(u64, all_exits(), 0));
    cr_assert(eq(u64, bench_stat(guest.vm, "posted"), 2));
}

static iov_time ipi_takes(struct iov_exec *exec, uint64_t destination)
{
    iov_time begin = machine_now(&guest.machine);

    x2apic_write(exec, IOV_APIC_ICR, destination << 32 | 0xfb);
    return machine_now(&guest.machine) - begin;
}

static void main_posted_ipi(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    self->interrupt = take_virtual;
    guest_boot(exec, false);
    if (index == 1) {
        ready = 1;
        iov_exec_compute(exec, 200 * IOV_US, IOV_PART_GUEST);
        guest.done = true;
        return;
    }
    while (!ready)
        iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    cr_assert(eq(u64, ipi_takes(exec, 1) - ipi_takes(exec, 7), 100 * IOV_NS), "7 is nobody");
    iov_exec_compute(exec, 50 * IOV_US, IOV_PART_GUEST);
    cr_assert(eq(uint, taken, 1));
}

Test(kvm_interrupts, who_notifies_a_running_vcpu_pays_for_the_interrupt_it_sends)
{
    ready = 0;
    bench_number(guest.vm, "apic-virtualisation", true);
    bench_number(guest.vm, "vcpus", 2);
    start(main_posted_ipi);
    cr_assert(guest.done);
    cr_assert(eq(u64, bench_stat(guest.vm, "posted"), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_EXTERNAL_INTERRUPT), 0));
}

static void main_virtual_halted(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)index;
    self->interrupt = take_virtual;
    guest_boot(exec, false);
    msi_at(&later[0], soon(), 0x27);
    msi_at(&later[1], soon(), 0x26);
    guest_idle(exec, &taken, 2);
    guest.done = true;
}

Test(kvm_interrupts, a_halted_guest_finds_what_was_posted)
{
    bench_number(guest.vm, "apic-virtualisation", true);
    start(main_virtual_halted);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 1));
    cr_assert(eq(u64, all_exits(), 1), "neither EOI nor window");
}

static void take_virtual_level(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    taken++;
    iov_irq_set(&line, false, NULL);
    x2apic_write(exec, IOV_APIC_EOI, 0);
}

static void main_virtual_level(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)index;
    self->interrupt = take_virtual_level;
    guest_ioapic(exec, LINE, IOAPIC_ENTRY_LEVEL | 0x26);
    guest_boot(exec, false);
    line = (struct iov_irq_source){ .peer = iov_model_port(guest.vm, "gsi", LINE) };
    line_at(&line_events[0], soon(), true);
    guest_idle(exec, &taken, 1);
    line_at(&line_events[0], soon(), true);
    guest_idle(exec, &taken, 2);
    guest.done = true;
}

Test(kvm_interrupts, with_apic_virtualisation_a_level_eoi_still_exits)
{
    bench_number(guest.vm, "apic-virtualisation", true);
    start(main_virtual_level);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EOI_INDUCED), 2));
    cr_assert(eq(u64, exits(IOV_EXIT_HLT), 2));
    cr_assert(eq(u64, all_exits(), 4));
}

/* ---- Halt polling ---- */

Test(kvm_interrupts, a_poll_that_is_long_enough_saves_the_sleep)
{
    bench_number(guest.vm, "halt-poll-max", 200 * IOV_US);
    guest_wire();
    guest.program->main = main_halted;
    guest_start();
    vcpu(0)->poll = 200 * IOV_US;
    ((IovKvmVm *)(void *)guest.vm)->costs.halt_poll_step = 100 * IOV_NS;
    guest_run(100 * IOV_MS);
    cr_assert(guest.done);
    cr_assert(eq(u64, bench_stat(guest.vm, "poll-successes"), 1));
    cr_assert(eq(u64, vcpu(0)->thread->switches, 1));
}

static iov_time asked, began;

static void neighbour_main(void *argument)
{
    (void)argument;
    began = machine_now(&guest.machine);
}

static void on_neighbour(struct iov_event *event)
{
    (void)event;
    asked = machine_now(&guest.machine);
    (void)iov_thread_new(guest.machine.host, "neighbour", 1, neighbour_main, NULL);
}

static void main_halted_for_good(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    guest_boot(exec, use_pv_eoi);
    guest_idle(exec, &taken, 1);
}

Test(kvm_interrupts, a_poll_ends_when_another_thread_waits_for_the_processor)
{
    struct iov_event neighbour;

    bench_number(guest.vm, "halt-poll-max", 200 * IOV_US);
    guest_wire();
    guest.program->main = main_halted_for_good;
    guest_start();
    vcpu(0)->poll = 200 * IOV_US;
    ((IovKvmVm *)(void *)guest.vm)->costs.halt_poll_step = 100 * IOV_NS;
    iov_event_init(&neighbour, machine_kernel(&guest.machine), on_neighbour, IOV_PRIORITY_DEFAULT);
    iov_event_in(&neighbour, 50 * IOV_US);
    guest_run(IOV_MS);
    cr_assert(lt(u64, 0, began));
    cr_assert(lt(u64, began, asked + 5 * IOV_US));
}
