/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: exit-less interrupts for processors that cannot post (ELI): an assigned device interrupts
 * its guest without the monitor.
 *
 *   direct mode     external interrupts do not exit but go through a shadow table of gates: those
 *                   of the guest's devices are present and lead to the guest's handlers, all others
 *                   are not and make a #NP exit, whose interrupt the host then handles as its own.
 *                   The guest's EOI is the physical x2APIC's: the MSR bitmap lets it through.
 *   injection mode  while a virtual interrupt waits or is in service: external interrupts exit and
 *                   EOI is trapped, as without all this.
 *
 * The physical APIC of the vCPU's processor is in x2APIC mode. An EOI that is trapped while no
 * virtual interrupt is in service ends a direct one whose handler was cut by an exit: it is passed
 * on.
 * LIMIT: one vCPU, pinned to the processor that takes the device's interrupts; the guest is trusted
 * to send an EOI (a guest that does not keeps that processor's lower vectors back); the guest's own
 * table is not tracked: handlers are known by their vectors.
 */
#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/kvm-private.h"
#include "models/irq/ioapic-regs.h"

enum { PAGE = 4096, GATE = 16, GATE_FLAGS = 5, VECTOR_NP = 11 };

static struct iov_apic *physical(const struct iov_vcpu *vcpu)
{
    return vcpu->thread->exec.processor->apic;
}

/* Is a bit of IRR or ISR set? */
static bool any(const struct iov_apic *apic, uint32_t base)
{
    for (uint32_t word = 0; word < 8; word++) {
        uint32_t bits;

        memcpy(&bits, apic->page + base + 0x10 * word, sizeof bits);
        if (bits != 0)
            return true;
    }
    return false;
}

void iov_kvm_direct(IovKvmVm *vm, uint8_t host_vector, uint32_t data)
{
    uint8_t gate[GATE] = { (uint8_t)data };

    if (!vm->exitless_interrupts || (data >> MSI_DATA_MODE_SHIFT & 7) != 0)
        return;
    gate[GATE_FLAGS] = IOV_GATE_PRESENT | 0xe; /* an interrupt gate */
    iov_kvm_host_write(vm, vm->shadow_gates + GATE * host_vector, gate, sizeof gate);
}

bool iov_kvm_direct_init(IovKvmVm *vm, GError **error)
{
    uint8_t bitmap[PAGE];
    uint32_t eoi = (IOV_MSR_X2APIC_FIRST + (IOV_APIC_EOI >> 4)) & 0x1fff;

    if (!vm->exitless_interrupts)
        return true;
    if (vm->apic_virtualisation)
        return iov_model_fail(
            IOV_MODEL(vm), error,
            "exitless-interrupts: not with apic-virtualisation, which posts them");
    if (vm->vcpus != 1 || vm->pin.count != 1)
        return iov_model_fail(IOV_MODEL(vm), error,
                              "exitless-interrupts: for one vCPU that is pinned");
    vm->shadow_gates = iov_kvm_reserve(vm, PAGE);
    vm->msr_bitmap_direct = iov_kvm_reserve(vm, PAGE);
    iov_kvm_host_read(vm, vm->msr_bitmap, bitmap, sizeof bitmap);
    bitmap[IOV_MSR_BITMAP_WRITE_LOW + eoi / 8] &= (uint8_t) ~(1u << (eoi & 7));
    iov_kvm_host_write(vm, vm->msr_bitmap_direct, bitmap, sizeof bitmap);
    return true;
}

void iov_vcpu_direct_init(struct iov_vcpu *vcpu)
{
    const IovKvmVm *vm = vcpu->vm;
    struct iov_apic *apic;

    if (!vm->exitless_interrupts)
        return;
    apic = physical(vcpu);
    IOV_REQUIRE(apic->ops->set_base(apic, apic->ops->base(apic) | IOV_APIC_BASE_X2APIC));
    iov_vcpu_write(vcpu, IOV_VMCS_EXCEPTION_BITMAP, UINT32_C(1) << VECTOR_NP);
    iov_vcpu_write(vcpu, IOV_VMCS_GUEST_IDTR_BASE, vm->shadow_gates);
    iov_vcpu_write(vcpu, IOV_VMCS_GUEST_IDTR_LIMIT, PAGE - 1);
}

void iov_vcpu_direct_choose(struct iov_vcpu *vcpu)
{
    IovKvmVm *vm = vcpu->vm;
    bool direct;

    if (!vm->exitless_interrupts)
        return;
    direct = vcpu->apic->ops->base(vcpu->apic) & IOV_APIC_BASE_X2APIC &&
             !any(vcpu->apic, IOV_APIC_ISR) && !any(vcpu->apic, IOV_APIC_IRR);
    if (direct == vcpu->direct)
        return;
    vcpu->direct = direct;
    vm->mode_switches++;
    vcpu->pin = direct ? vcpu->pin & ~(uint32_t)IOV_PIN_EXTERNAL_INTERRUPT
                       : vcpu->pin | IOV_PIN_EXTERNAL_INTERRUPT;
    iov_vcpu_write(vcpu, IOV_VMCS_PIN_CONTROLS, vcpu->pin);
    iov_vcpu_write(vcpu, IOV_VMCS_MSR_BITMAP, direct ? vm->msr_bitmap_direct : vm->msr_bitmap);
}

bool iov_vcpu_direct_exit(struct iov_vcpu *vcpu, const struct iov_exit *exit)
{
    if (!vcpu->direct || exit->reason != IOV_EXIT_EXCEPTION_NMI ||
        (exit->interruption_info & IOV_INTERRUPTION_VECTOR) != VECTOR_NP ||
        !(exit->interruption_error & IOV_ERROR_EXTERNAL))
        return false;
    vcpu->vm->reflections++;
    iov_host_interrupt(vcpu->thread, (uint8_t)(exit->interruption_error >> 3));
    return true;
}

bool iov_vcpu_direct_eoi(struct iov_vcpu *vcpu)
{
    struct iov_apic *apic;

    if (!vcpu->vm->exitless_interrupts || any(vcpu->apic, IOV_APIC_ISR))
        return false;
    apic = physical(vcpu);
    apic->ops->write(apic, IOV_APIC_EOI, 0);
    return true;
}
