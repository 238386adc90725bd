/* SPDX-License-Identifier: Apache-2.0 */
/* Which exits a guest's operations cause, and where they are handled. */
#include "tests/models/hypervisor/guest.h"

static struct bench_recorder device;

static void setup(void)
{
    guest_new(1);
    device = (struct bench_recorder){ .port = { .ops = &bench_recorder_ops, .size = DEVICE_SIZE } };
}

static void start(void (*main)(TestProgram *, struct iov_exec *, unsigned))
{
    guest_wire();
    cr_assert(iov_mem_map_add(iov_model_port(guest.vm, "mmio", 0), DEVICE_BASE, DEVICE_SIZE,
                              &device.port));
    cr_assert(iov_mem_map_add(iov_model_port(guest.vm, "ports", 0), 0x3f8, 8, &device.port));
    guest.program->main = main;
    guest_start();
    guest_run(100 * IOV_MS);
}

static void teardown(void)
{
    guest_free();
}

TestSuite(kvm_exits, .init = setup, .fini = teardown);

static void main_memory(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    uint64_t value;

    (void)self;
    cr_assert(eq(uint, index, 0));
    iov_exec_store(exec, 0x1000, 8, 0x1122334455667788);
    value = iov_exec_load(exec, 0x1000, 8);
    cr_assert(eq(u64, value, 0x1122334455667788));
    guest.done = true;
}

Test(kvm_exits, populated_memory_is_reached_without_exits)
{
    uint64_t bytes = 0;

    start(main_memory);
    cr_assert(guest.done);
    cr_assert(eq(u64, all_exits(), 0));
    struct iov_mem_target *bus = iov_model_port(guest.machine.bus, "port", 0);
    bytes = bench_read(bus, GUEST_BASE + 0x1000, 8);
    cr_assert(eq(u64, bytes, 0x1122334455667788));
}

Test(kvm_exits, memory_that_is_not_populated_is_mapped_at_its_first_touch)
{
    bench_number(guest.vm, "populate", false);
    start(main_memory);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EPT_VIOLATION), 1));
    cr_assert(eq(u64, all_exits(), 1));
}

static void main_mmio(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    iov_exec_store(exec, DEVICE_BASE + 0x3818, 4, 7);
    cr_assert(eq(u64, iov_exec_load(exec, DEVICE_BASE + 8, 4), 0));
    cr_assert(eq(u64, iov_exec_load(exec, 0xd0000000, 4), 0xffffffff));
    guest.done = true;
}

Test(kvm_exits, device_registers_are_misconfigured_pages_that_user_space_answers)
{
    start(main_mmio);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_EPT_MISCONFIG), 3));
    cr_assert(eq(u64, guest.counters->user_exits, 3));
    cr_assert(eq(u64, guest.counters->device_exits, 3));
    cr_assert(eq(uint, device.count, 1));
    cr_assert(eq(u64, device.records[0].address, 0x3818));
    cr_assert(eq(u64, device.records[0].value, 7));
}

static void main_ports(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    uint8_t text[] = "hello";
    struct iov_op op = { .kind = IOV_OP_OUTS, .index = 0x3f8, .size = 1, .count = 5, .data = text };

    (void)self;
    (void)index;
    iov_exec_out(exec, 0x3f9, 1, 0x42);
    cr_assert(eq(u64, iov_exec_in(exec, 0x3f8, 1), 0));
    cr_assert(eq(u64, iov_exec_in(exec, 0x60, 1), 0xff));
    iov_exec_operate(exec, &op);
    guest.done = true;
}

Test(kvm_exits, every_port_access_exits_and_a_string_is_one_trip)
{
    start(main_ports);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_IO_INSTRUCTION), 4));
    cr_assert(eq(u64, guest.counters->user_exits, 4));
    cr_assert(eq(uint, device.count, 6));
    cr_assert(eq(u64, device.records[0].address, 1));
    cr_assert(eq(u64, device.records[3].value, 'l'));
}

static void main_cpuid(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op op = { .kind = IOV_OP_CPUID, .value = { KVM_CPUID_SIGNATURE } };

    (void)self;
    (void)index;
    iov_exec_operate(exec, &op);
    cr_assert(eq(u64, op.value[1], KVM_SIGNATURE_EBX));
    op.value[0] = KVM_CPUID_FEATURES;
    iov_exec_operate(exec, &op);
    cr_assert(eq(u64, op.value[0] & KVM_FEATURE_PV_EOI, KVM_FEATURE_PV_EOI));
    guest.done = true;
}

Test(kvm_exits, cpuid_names_kvm_and_its_features)
{
    start(main_cpuid);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_CPUID), 2));
    cr_assert(eq(u64, guest.counters->user_exits, 0));
}

static void main_msr(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)index;
    iov_exec_wrmsr(exec, IOV_MSR_FS_BASE, 0x1234); /* passed through */
    cr_assert(eq(uint, self->exceptions, 0));
    iov_exec_wrmsr(exec, IOV_MSR_MISC_ENABLE, 1);
    cr_assert(eq(u64, iov_exec_rdmsr(exec, IOV_MSR_MISC_ENABLE), 1));
    iov_exec_rdmsr(exec, 0x12345); /* there is none */
    cr_assert(eq(uint, self->exceptions, 1));
    cr_assert(eq(uint, self->last_exception, KVM_EXCEPTION_GP));
    guest.done = true;
}

Test(kvm_exits, msrs_are_passed_through_kept_or_refused)
{
    start(main_msr);
    cr_assert(guest.done);
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_WRITE), 1));
    cr_assert(eq(u64, exits(IOV_EXIT_MSR_READ), 2));
    cr_assert(eq(u64, bench_stat(guest.vm, "unknown-msrs"), 1));
}

static void main_cr4(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    enum { BITS = 17 };

    (void)self;
    (void)index;
    for (unsigned bit = 0; bit < BITS; bit++) {
        uint64_t before = guest.counters->exits[IOV_EXIT_CR_ACCESS];
        struct iov_op op = { .kind = IOV_OP_MOV_TO_CR,
                             .index = 4,
                             .value = { UINT64_C(0x626f0) ^ UINT64_C(1) << bit } };
        struct iov_op back = op;

        back.value[0] = UINT64_C(0x626f0);
        iov_exec_operate(exec, &op);
        iov_exec_operate(exec, &back);
        cr_assert(eq(u64, guest.counters->exits[IOV_EXIT_CR_ACCESS] - before,
                     UINT64_C(0x1078e) >> bit & 1 ? 0 : 2),
                  "bit %u", bit);
    }
    guest.done = true;
}

Test(kvm_exits, of_cr4_the_guest_owns_what_kvm_leaves_it)
{
    start(main_cr4);
    cr_assert(guest.done);
}

static void main_vmcall(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op op = { .kind = IOV_OP_VMCALL, .value = { 9999 } };
    iov_time begin = machine_now(&guest.machine);

    (void)self;
    (void)index;
    iov_exec_operate(exec, &op);
    cr_assert(eq(u64, op.value[0], (uint64_t)-KVM_ENOSYS));
    cr_assert(eq(u64, machine_now(&guest.machine) - begin, 600 * IOV_NS));
    guest.done = true;
}

Test(kvm_exits, a_hypercall_takes_exit_common_path_and_entry)
{
    start(main_vmcall);
    cr_assert(guest.done);
    cr_assert(eq(u64, guest.counters->hypercalls, 1));
}

static struct iov_span span;

static void main_span(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    (void)index;
    iov_span_begin(&span, 1, exec->holder, machine_now(&guest.machine));
    exec->span = &span;
    iov_exec_compute(exec, 5 * IOV_US, IOV_PART_GUEST);
    iov_exec_load(exec, DEVICE_BASE, 4);
    iov_exec_compute(exec, IOV_US, IOV_PART_GUEST);
    exec->span = NULL;
    guest.done = true;
}

Test(kvm_exits, the_parts_of_a_request_name_every_step_of_an_exit)
{
    start(main_span);
    cr_assert(guest.done);
    cr_assert(eq(u64, span.parts[IOV_PART_GUEST], 6 * IOV_US));
    cr_assert(eq(u64, span.parts[IOV_PART_EXIT], 500 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_MONITOR], 590 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_EMULATOR], 1100 * IOV_NS));
    cr_assert(eq(u64, span.cursor - span.begin, 8190 * IOV_NS));
    cr_assert(eq(uint, span.exits, 1));
}

/* ---- A vCPU that moves ---- */

static void main_wander(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    struct iov_op tsc = { .kind = IOV_OP_RDTSC };

    (void)self;
    (void)index;
    guest_boot(exec, true);
    x2apic_write(exec, IOV_APIC_LVT_TIMER,
                 IOV_APIC_TIMER_DEADLINE << IOV_APIC_TIMER_MODE_SHIFT | 0xec);
    for (unsigned i = 1; i <= 50; i++) {
        iov_exec_operate(exec, &tsc);
        iov_exec_wrmsr(exec, IOV_MSR_TSC_DEADLINE, tsc.value[0] + 400000);
        guest_idle(exec, &self->interrupts, i);
        iov_exec_store(exec, 0x2000 + 8 * i, 8, i);
        cr_assert(eq(u64, iov_exec_load(exec, 0x2000 + 8 * i, 8), i));
        iov_exec_load(exec, DEVICE_BASE, 4);
    }
    guest.done = true;
}

static void take_timer(TestProgram *self, struct iov_exec *exec, uint8_t vector)
{
    (void)self;
    (void)vector;
    guest_eoi(exec);
}

struct hog {
    struct iov_thread *thread;
    iov_time busy;
};

static void hog_main(void *argument)
{
    struct hog *hog = argument;

    for (unsigned i = 0; i < 2000; i++) {
        iov_thread_compute(hog->thread, hog->busy, IOV_PART_HOST);
        iov_thread_block_until(hog->thread, machine_now(&guest.machine) + 130 * IOV_US);
    }
}

Test(kvm_exits, a_vcpu_goes_on_where_it_was_on_another_processor)
{
    struct hog hogs[3];

    guest_free();
    guest_new(3);
    cr_assert(iov_model_set_counts(guest.vm, "pin", NULL, 0, NULL));
    guest.program->interrupt = take_timer;
    guest_wire();
    cr_assert(iov_mem_map_add(iov_model_port(guest.vm, "mmio", 0), DEVICE_BASE, DEVICE_SIZE,
                              &device.port));
    guest.program->main = main_wander;
    guest_start();
    for (unsigned i = 0; i < 3; i++) {
        hogs[i].busy = (110 + 37 * i) * IOV_US;
        hogs[i].thread =
            iov_thread_new(guest.machine.host, "hog", UINT64_C(1) << i, hog_main, &hogs[i]);
    }
    guest_run(100 * IOV_MS);
    cr_assert(guest.done);
    cr_assert(lt(u64, 3, bench_stat((IovModel *)guest.machine.host, "migrations")));
}

static unsigned shared_done;

static void main_share(TestProgram *self, struct iov_exec *exec, unsigned index)
{
    (void)self;
    iov_exec_compute(exec, 20 * IOV_MS, IOV_PART_GUEST);
    shared_done |= 1u << index;
}

Test(kvm_exits, two_vcpus_share_one_processor)
{
    const uint64_t pin[] = { 0 };

    guest_free();
    guest_new(1);
    bench_number(guest.vm, "vcpus", 2);
    cr_assert(iov_model_set_counts(guest.vm, "pin", pin, 1, NULL));
    guest_wire();
    guest.program->main = main_share;
    guest_start();
    guest_run(100 * IOV_MS);
    cr_assert(eq(uint, shared_done, 3));
    cr_assert(lt(u64, 4, exits(IOV_EXIT_EXTERNAL_INTERRUPT)),
              "the host's scheduler takes the processor away");
}
