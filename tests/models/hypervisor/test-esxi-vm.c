/* SPDX-License-Identifier: Apache-2.0 */
/* What a virtual machine under the monolithic monitor is told about itself. */
#include "models/cpu/local-apic-private.h"
#include "models/hypervisor/kvm-private.h"
#include "tests/models/hypervisor/machine.h"

Test(esxi_vm, cpuid_tells_the_frequencies_that_tsc_and_apic_have)
{
    struct bench *bench = bench_new(NULL);
    IovModel *vm = bench_add(bench, "esxi-vm", "vm");
    struct iov_processor processor = { .frequency_hz = UINT64_C(2400000000) };
    struct iov_thread thread = { .exec.processor = &processor };
    const struct iov_vcpu vcpu = { .vm = (IovKvmVm *)(void *)vm, .thread = &thread };
    uint64_t value[4];

    bench_prepare(bench);
    IOV_KVM_VM_GET_CLASS(vm)->cpuid(&vcpu, 0x40000000, value);
    cr_assert(eq(u64, value[0], 0x40000010));
    IOV_KVM_VM_GET_CLASS(vm)->cpuid(&vcpu, 0x40000010, value);
    cr_assert(eq(u64, value[0], 2400000), "kHz");
    cr_assert(eq(u64, value[1], 66000));
    cr_assert(eq(u64, value[2] | value[3], 0));
    cr_assert(eq(u64, ((IovLocalApic *)(void *)vcpu.vm->apics[0])->timer_frequency, 66000000));
    bench_free(bench);
}
