/* SPDX-License-Identifier: Apache-2.0 */
/*
 * esxi-vm - a virtual machine under a monolithic monitor. Exits, EPT, the local APIC and injection
 * are kvm-vm's; what this monitor does differently: no exit is ever a trip to a process, for all
 * devices are in the monitor (esxi-vmm), and it offers nothing of KVM's paravirtual interface.
 *
 * LIMIT: this monitor's own paravirtual interface (the backdoor port) answers nothing; memory that
 * is a device's is found by the same kind of EPT entry as under KVM.
 */
#include "models/hypervisor/esxi-vmm.h"
#include "models/hypervisor/kvm-private.h"

#define SIGNATURE 0x40000000u
#define TIMING 0x40000010u                /* frequencies of TSC and APIC timer, in kHz */
#define APIC_FREQUENCY UINT64_C(66000000) /* what Linux reports of such guests when it boots */

typedef IovKvmVm IovEsxiVm;
typedef IovKvmVmClass IovEsxiVmClass;
GType iov_esxi_vm_get_type(void);
G_DEFINE_FINAL_TYPE(IovEsxiVm, iov_esxi_vm, IOV_TYPE_KVM_VM)

static void access_device(struct iov_vcpu *vcpu, const struct iov_mem_window *window,
                          struct iov_mem_req *req, bool write)
{
    uint64_t address = req->address;

    iov_vcpu_compute(vcpu, 0);
    if (window == NULL || !iov_esxi_vmm_owns(window->target)) {
        iov_kvm_visit(vcpu->vm, vcpu->thread, window, req, write, 0);
        return;
    }
    req->address -= window->base;
    iov_esxi_vmm_access(window->target, vcpu->thread, req, write);
    req->address = address;
}

static void cpuid(const struct iov_vcpu *vcpu, uint32_t leaf, uint64_t value[4])
{
    value[0] = value[1] = value[2] = value[3] = 0;
    if (leaf == SIGNATURE) { /* "VMwareVMware" */
        value[0] = TIMING;
        value[1] = 0x61774d56;
        value[2] = 0x4d566572;
        value[3] = 0x65726177;
    } else if (leaf == TIMING) {
        value[0] = vcpu->thread->exec.processor->frequency_hz / 1000;
        value[1] = APIC_FREQUENCY / 1000;
    }
}

static void hypercall(struct iov_vcpu *vcpu, uint64_t value[4])
{
    (void)vcpu;
    value[0] = UINT64_MAX; /* there are none */
}

static void iov_esxi_vm_class_init(IovEsxiVmClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "esxi-vm", "A virtual machine as a monolithic monitor runs it");
    /* Of KVM's paravirtual interface, of its eventfds, of devices in user space and of those that
     * are assigned. */
    iov_model_class_drop_property(mc, "exitless-interrupts");
    iov_model_class_drop_property(mc, "pv-eoi");
    iov_model_class_drop_property(mc, "ioeventfd");
    iov_model_class_drop_property(mc, "kernel-irqchip");
    IOV_COST(mc, IovKvmVm, costs.exit, "esxi-exit", "Common path of an exit, from exit to entry");
    IOV_COST(mc, IovKvmVm, costs.inject, "esxi-inject", "Choosing and injecting an interrupt");
    IOV_COST(mc, IovKvmVm, costs.hypercall, "esxi-hypercall", "A hypercall, which is refused");
    IOV_COST(mc, IovKvmVm, costs.halt, "esxi-halt", "HLT, up to descheduling the vCPU");
    IOV_COST(mc, IovKvmVm, costs.emulate, "esxi-emulate", "Decoding and emulating one instruction");
    IOV_COST(mc, IovKvmVm, costs.irq_route, "esxi-irq-route", "From a device to the local APIC");
    IOV_COST(mc, IovKvmVm, costs.kick, "esxi-kick", "Kicking a vCPU that runs");
    klass->access = access_device;
    klass->apic_frequency = APIC_FREQUENCY;
    klass->cpuid = cpuid;
    klass->hypercall = hypercall;
}

static void iov_esxi_vm_init(IovEsxiVm *self)
{
    (void)self;
}
