/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: what the kernel does about each exit that is no access to a device.
 *
 * LIMIT: a guest that runs into something KVM would report as an internal error (a task switch, an
 * unexpected VMX instruction) has the instruction skipped; it is counted.
 */
#include <string.h>

#include "models/cpu/apic-regs.h"
#include "models/cpu/msr-regs.h"
#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/kvm-private.h"
#include "models/hypervisor/kvm-regs.h"

/* An exception for the guest at the next entry, instead of the instruction. */
static enum iov_resume raise_exception(struct iov_vcpu *vcpu, uint8_t vector)
{
    bool error_code = vector == KVM_EXCEPTION_GP;

    vcpu->entry_info = IOV_INTERRUPTION(IOV_EVENT_HARDWARE_EXCEPTION, vector) |
                       (error_code ? IOV_INTERRUPTION_ERROR_CODE : 0);
    vcpu->entry_error = 0;
    vcpu->request_event = true;
    return iov_vcpu_skip(vcpu);
}

/* ---- CPUID ---- */

static void cpuid_kvm(const struct iov_vcpu *vcpu, struct iov_op *op, uint32_t leaf)
{
    uint64_t *value = op->value;

    value[0] = value[1] = value[2] = value[3] = 0;
    if (leaf == KVM_CPUID_SIGNATURE) {
        value[0] = KVM_CPUID_FEATURES;
        value[1] = KVM_SIGNATURE_EBX;
        value[2] = KVM_SIGNATURE_ECX;
        value[3] = KVM_SIGNATURE_EDX;
    } else if (leaf == KVM_CPUID_FEATURES) {
        value[0] = KVM_FEATURE_CLOCKSOURCE2 | KVM_FEATURE_STEAL_TIME | KVM_FEATURE_PV_SEND_IPI |
                   (vcpu->vm->pv_eoi ? KVM_FEATURE_PV_EOI : 0);
    }
}

static void cpuid_plain(const struct iov_vcpu *vcpu, struct iov_op *op, uint32_t leaf)
{
    uint64_t hertz = vcpu->thread->exec.processor->frequency_hz;
    uint64_t *value = op->value;

    value[0] = value[1] = value[2] = value[3] = 0;
    switch (leaf) {
    case 0:
        value[0] = 0x16;
        value[1] = 0x756e6547; /* "GenuineIntel" */
        value[3] = 0x49656e69;
        value[2] = 0x6c65746e;
        break;
    case 1:
        value[0] = 0x50654;
        value[1] = (uint64_t)vcpu->index << 24;
        value[2] = CPUID_1_ECX_HYPERVISOR | CPUID_1_ECX_DEADLINE |
                   (vcpu->vm->x2apic ? CPUID_1_ECX_X2APIC : 0);
        value[3] = 0x0f8bfbff;
        break;
    case 0x15: /* crystal of 25 MHz */
        value[0] = 1;
        value[1] = hertz / 25000000;
        value[2] = 25000000;
        break;
    case 0x16:
        value[0] = hertz / 1000000;
        break;
    default:
        break;
    }
}

static enum iov_resume handle_cpuid(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    uint32_t leaf = (uint32_t)exit->op->value[0];

    iov_vcpu_compute(vcpu, vcpu->vm->costs.cpuid);
    if (leaf >= KVM_CPUID_SIGNATURE && leaf < KVM_CPUID_SIGNATURE + 0x100) {
        if (vcpu->vm->class->cpuid != NULL)
            vcpu->vm->class->cpuid(vcpu, leaf, exit->op->value);
        else
            cpuid_kvm(vcpu, exit->op, leaf);
    } else {
        cpuid_plain(vcpu, exit->op, leaf);
    }
    return iov_vcpu_skip(vcpu);
}

/* ---- MSRs ---- */

static bool msr_is_apic(uint32_t msr)
{
    return msr >= IOV_MSR_X2APIC_FIRST && msr <= IOV_MSR_X2APIC_LAST;
}

static bool in_x2apic(const struct iov_vcpu *vcpu)
{
    return vcpu->apic->ops->base(vcpu->apic) & IOV_APIC_BASE_X2APIC;
}

static uint64_t *msr_stored(struct iov_vcpu *vcpu, uint32_t msr)
{
    static const uint32_t kept[IOV_KVM_MSRS] = {
        IOV_MSR_TSC_ADJUST, IOV_MSR_MISC_ENABLE, IOV_MSR_PAT,         IOV_MSR_EFER,
        IOV_MSR_STAR,       IOV_MSR_LSTAR,       IOV_MSR_CSTAR,       IOV_MSR_FMASK,
        IOV_MSR_TSC_AUX,    IOV_MSR_XSS,         IOV_MSR_DEBUGCTL,    MSR_KVM_SYSTEM_TIME,
        MSR_KVM_STEAL_TIME, MSR_KVM_WALL_CLOCK,  MSR_KVM_POLL_CONTROL
    };

    for (unsigned i = 0; i < IOV_KVM_MSRS; i++) {
        if (kept[i] == msr)
            return &vcpu->msrs[i];
    }
    return NULL;
}

static enum iov_resume handle_rdmsr(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    struct iov_op *op = exit->op;
    const uint64_t *stored;
    uint64_t value = 0;

    if (msr_is_apic(op->index)) {
        vcpu->vm->measure->counters.regions[vcpu->vm->region_lapic].exits++;
        iov_vcpu_compute(vcpu, vcpu->vm->costs.apic);
        if (!in_x2apic(vcpu) || !iov_vcpu_apic_read(vcpu, (op->index & 0xff) << 4, &value))
            return raise_exception(vcpu, KVM_EXCEPTION_GP);
        op->value[0] = value;
        return iov_vcpu_skip(vcpu);
    }
    iov_vcpu_compute(vcpu, vcpu->vm->costs.msr);
    stored = msr_stored(vcpu, op->index);
    if (op->index == IOV_MSR_APIC_BASE)
        value = vcpu->apic->ops->base(vcpu->apic);
    else if (op->index == IOV_MSR_TSC_DEADLINE)
        value = vcpu->apic->ops->deadline(vcpu->apic);
    else if (op->index == MSR_KVM_PV_EOI_EN)
        value = vcpu->pv_eoi;
    else if (stored != NULL)
        value = *stored;
    else {
        vcpu->vm->unknown_msrs++;
        return raise_exception(vcpu, KVM_EXCEPTION_GP);
    }
    op->value[0] = value;
    return iov_vcpu_skip(vcpu);
}

static enum iov_resume write_apic_msr(struct iov_vcpu *vcpu, const struct iov_op *op)
{
    vcpu->vm->measure->counters.regions[vcpu->vm->region_lapic].exits++;
    iov_vcpu_compute(vcpu, vcpu->vm->costs.apic);
    if (!in_x2apic(vcpu) || !iov_vcpu_apic_write(vcpu, (op->index & 0xff) << 4, op->value[0]))
        return raise_exception(vcpu, KVM_EXCEPTION_GP);
    return iov_vcpu_skip(vcpu);
}

static enum iov_resume handle_wrmsr(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    struct iov_op *op = exit->op;
    uint64_t *stored, value = op->value[0];

    if (msr_is_apic(op->index))
        return write_apic_msr(vcpu, op);
    if (op->index == IOV_MSR_TSC_DEADLINE) {
        iov_vcpu_compute(vcpu, vcpu->vm->costs.timer_set);
        vcpu->apic->ops->set_deadline(vcpu->apic, value);
        iov_vcpu_timer_check(vcpu);
        return iov_vcpu_skip(vcpu);
    }
    iov_vcpu_compute(vcpu, vcpu->vm->costs.msr);
    stored = msr_stored(vcpu, op->index);
    if (op->index == IOV_MSR_APIC_BASE) {
        if (!vcpu->apic->ops->set_base(vcpu->apic, value))
            return raise_exception(vcpu, KVM_EXCEPTION_GP);
        iov_vcpu_apic_mode(vcpu);
    } else if (op->index == MSR_KVM_PV_EOI_EN) {
        if (!vcpu->vm->pv_eoi || (value & ~UINT64_C(1)) % 4 != 0)
            return raise_exception(vcpu, KVM_EXCEPTION_GP);
        vcpu->pv_eoi = value;
    } else if (stored != NULL) {
        *stored = value;
    } else {
        vcpu->vm->unknown_msrs++;
        return raise_exception(vcpu, KVM_EXCEPTION_GP);
    }
    return iov_vcpu_skip(vcpu);
}

/* ---- Hypercalls ---- */

static uint64_t hypercall_ipi(struct iov_vcpu *vcpu, uint64_t low, uint64_t high, uint64_t first,
                              uint64_t icr)
{
    IovKvmVm *vm = vcpu->vm;
    uint64_t sent = 0;

    for (unsigned i = 0; i < vm->vcpus; i++) {
        uint64_t bit = vm->vcpu[i].apic->id - first;

        if (vm->vcpu[i].apic->id < first || bit >= 128 ||
            !((bit < 64 ? low >> bit : high >> (bit - 64)) & 1))
            continue;
        iov_vcpu_interrupt(&vm->vcpu[i], icr & IOV_APIC_ICR_VECTOR, false, NULL);
        sent++;
    }
    return sent;
}

static enum iov_resume handle_vmcall(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    IovKvmVm *vm = vcpu->vm;
    uint64_t *value = exit->op->value;

    vm->measure->counters.hypercalls++;
    iov_vcpu_compute(vcpu, vm->costs.hypercall);
    if (vm->class->hypercall != NULL) {
        vm->class->hypercall(vcpu, value);
        return iov_vcpu_skip(vcpu);
    }
    switch (value[0]) {
    case KVM_HC_KICK_CPU:
        value[0] = 0;
        for (unsigned i = 0; i < vm->vcpus; i++) {
            if (vm->vcpu[i].apic->id == value[2])
                iov_vcpu_kick(&vm->vcpu[i], NULL);
        }
        break;
    case KVM_HC_SEND_IPI:
        value[0] = hypercall_ipi(vcpu, value[1], value[2], value[3], exit->op->address);
        break;
    case KVM_HC_SCHED_YIELD:
        value[0] = 0;
        iov_thread_yield(vcpu->thread);
        break;
    default:
        value[0] = (uint64_t)-KVM_ENOSYS;
    }
    return iov_vcpu_skip(vcpu);
}

/* ---- APIC virtualisation ---- */

static enum iov_resume handle_apic_access(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    uint32_t offset = (uint32_t)(exit->qualification & IOV_QUAL_APIC_OFFSET);
    bool write = exit->qualification >> IOV_QUAL_APIC_TYPE_SHIFT & 1;
    struct iov_op *op = exit->op;
    uint64_t value = 0;

    vcpu->vm->measure->counters.regions[vcpu->vm->region_lapic].exits++;
    /* An EOI is known by its offset; anything else is decoded. */
    iov_vcpu_compute(vcpu, write && offset == IOV_APIC_EOI ? vcpu->vm->costs.apic
                                                           : vcpu->vm->costs.apic_decode);
    if (op == NULL)
        return iov_vcpu_skip(vcpu);
    if (write) {
        memcpy(&value, op->data, MIN(op->size, 8u));
        iov_vcpu_apic_write(vcpu, offset & 0xff0, value);
    } else {
        iov_vcpu_apic_read(vcpu, offset & 0xff0, &value);
        memset(op->data, 0, op->size);
        memcpy(op->data, &value, MIN(op->size, 8u));
        op->status = IOV_STATUS_OK;
    }
    return iov_vcpu_skip(vcpu);
}

/* SPEC: SDM vol. 3C, 30.4.3.3: trap-like: the value is in the page already. */
static enum iov_resume handle_apic_write(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    uint32_t offset = (uint32_t)(exit->qualification & 0xff0);
    uint64_t value = 0;

    vcpu->vm->measure->counters.regions[vcpu->vm->region_lapic].exits++;
    iov_vcpu_compute(vcpu, vcpu->vm->costs.apic);
    memcpy(&value, vcpu->apic->page + offset, 4);
    if (offset == IOV_APIC_ICR && in_x2apic(vcpu))
        memcpy((char *)&value + 4, vcpu->apic->page + IOV_APIC_ICR_HIGH, 4);
    iov_vcpu_apic_write(vcpu, offset, value);
    return IOV_RESUME_RETRY;
}

static enum iov_resume handle_eoi_induced(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    vcpu->vm->measure->counters.regions[vcpu->vm->region_lapic].exits++;
    vcpu->vm->eoi_exits++;
    vcpu->request_event = true;
    iov_kvm_eoi(vcpu, (uint8_t)exit->qualification);
    return IOV_RESUME_RETRY;
}

/* ---- The rest ---- */

static enum iov_resume handle_cr(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    unsigned number = exit->qualification & IOV_QUAL_CR_NUMBER;
    unsigned type = exit->qualification >> IOV_QUAL_CR_TYPE_SHIFT & 3;

    iov_vcpu_compute(vcpu, vcpu->vm->costs.msr);
    if (type == IOV_QUAL_CR_TO && (number == 0 || number == 4)) {
        uint64_t value = exit->op->value[0];

        iov_vcpu_write(vcpu, number == 0 ? IOV_VMCS_CR0_SHADOW : IOV_VMCS_CR4_SHADOW, value);
        iov_vcpu_write(vcpu, number == 0 ? IOV_VMCS_GUEST_CR0 : IOV_VMCS_GUEST_CR4,
                       value | (number == 4 ? 0x2000u : 0u));
    } else if (type == IOV_QUAL_CR_CLTS) {
        iov_vcpu_write(vcpu, IOV_VMCS_CR0_SHADOW,
                       iov_vcpu_read(vcpu, IOV_VMCS_CR0_SHADOW) & ~UINT64_C(8));
    }
    return iov_vcpu_skip(vcpu);
}

static enum iov_resume handle_other(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    vcpu->vm->unknown_exits++;
    iov_vcpu_compute(vcpu, vcpu->vm->costs.emulate);
    if (exit->op == NULL)
        return IOV_RESUME_RETRY;
    return exit->op->kind == IOV_OP_VMX || exit->op->kind == IOV_OP_GETSEC
               ? raise_exception(vcpu, KVM_EXCEPTION_UD)
               : iov_vcpu_skip(vcpu);
}

static enum iov_resume handle_halt(struct iov_vcpu *vcpu)
{
    vcpu->vm->halts++;
    iov_vcpu_compute(vcpu, vcpu->vm->costs.halt);
    vcpu->halted = true;
    return iov_vcpu_skip(vcpu);
}

static enum iov_resume handle_event(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    IovKvmVm *vm = vcpu->vm;

    switch (exit->reason) {
    case IOV_EXIT_INTERRUPT_WINDOW:
        vm->windows++;
        iov_vcpu_compute(vcpu, vm->costs.window);
        iov_vcpu_set_window(vcpu, false);
        vcpu->request_event = true;
        return IOV_RESUME_RETRY;
    case IOV_EXIT_PREEMPTION_TIMER:
        iov_vcpu_compute(vcpu, vm->costs.timer_expire);
        iov_vcpu_timer_expire(vcpu);
        return IOV_RESUME_RETRY;
    case IOV_EXIT_TPR_BELOW_THRESHOLD:
        iov_vcpu_compute(vcpu, vm->costs.apic);
        vcpu->request_event = true;
        return IOV_RESUME_RETRY;
    default: /* an external interrupt: the host has handled it */
        return IOV_RESUME_RETRY;
    }
}

enum iov_resume iov_vcpu_handle(struct iov_vcpu *vcpu, struct iov_exit *exit)
{
    switch (exit->reason) {
    case IOV_EXIT_EPT_MISCONFIG:
        return iov_vcpu_mmio(vcpu, exit);
    case IOV_EXIT_EPT_VIOLATION:
        return iov_vcpu_ept_violation(vcpu, exit);
    case IOV_EXIT_IO_INSTRUCTION:
        return iov_vcpu_port_io(vcpu, exit);
    case IOV_EXIT_MSR_WRITE:
        return handle_wrmsr(vcpu, exit);
    case IOV_EXIT_MSR_READ:
        return handle_rdmsr(vcpu, exit);
    case IOV_EXIT_HLT:
        return handle_halt(vcpu);
    case IOV_EXIT_EXTERNAL_INTERRUPT:
    case IOV_EXIT_INTERRUPT_WINDOW:
    case IOV_EXIT_PREEMPTION_TIMER:
    case IOV_EXIT_TPR_BELOW_THRESHOLD:
        return handle_event(vcpu, exit);
    case IOV_EXIT_EXCEPTION_NMI: /* KVM asks for one only, and the host has handled it */
        return vcpu->vm->exitless_interrupts ? IOV_RESUME_RETRY : handle_other(vcpu, exit);
    case IOV_EXIT_CPUID:
        return handle_cpuid(vcpu, exit);
    case IOV_EXIT_VMCALL:
        return handle_vmcall(vcpu, exit);
    case IOV_EXIT_APIC_ACCESS:
        return handle_apic_access(vcpu, exit);
    case IOV_EXIT_APIC_WRITE:
        return handle_apic_write(vcpu, exit);
    case IOV_EXIT_EOI_INDUCED:
        return handle_eoi_induced(vcpu, exit);
    case IOV_EXIT_CR_ACCESS:
        return handle_cr(vcpu, exit);
    case IOV_EXIT_PAUSE_INSTRUCTION:
        iov_vcpu_compute(vcpu, vcpu->vm->costs.pause);
        iov_thread_yield(vcpu->thread);
        return iov_vcpu_skip(vcpu);
    case IOV_EXIT_WBINVD:
    case IOV_EXIT_INVD:
    case IOV_EXIT_MONITOR_INSTRUCTION:
    case IOV_EXIT_MWAIT_INSTRUCTION: /* KVM makes them do nothing */
    case IOV_EXIT_DR_ACCESS:
    case IOV_EXIT_RDPMC:
    case IOV_EXIT_XSETBV:
        iov_vcpu_compute(vcpu, vcpu->vm->costs.msr);
        return iov_vcpu_skip(vcpu);
    default:
        return handle_other(vcpu, exit);
    }
}
