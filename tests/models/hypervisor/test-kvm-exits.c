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
