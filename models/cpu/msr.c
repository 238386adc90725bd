/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Model-specific registers and CPUID of the processor, and the VMX capabilities that its properties
 * make (SDM vol. 3D, appendix A).
 *
 * The registers of the local APIC are the x2APIC range; a few others hold what was written to them
 * and have no effect.
 */
#include "models/cpu/cpu-private.h"

/* ---- VMX capabilities ---- */

static uint64_t capability(uint32_t must, uint32_t may)
{
    return (uint64_t)(must | may) << 32 | must;
}

static uint64_t secondary_capability(const IovCpu *self)
{
    uint32_t may = IOV_SECONDARY_APIC_ACCESSES | IOV_SECONDARY_EPT |
                   IOV_SECONDARY_DESCRIPTOR_TABLE | IOV_SECONDARY_RDTSCP | IOV_SECONDARY_VPID |
                   IOV_SECONDARY_WBINVD | IOV_SECONDARY_UNRESTRICTED_GUEST |
                   IOV_SECONDARY_PAUSE_LOOP | IOV_SECONDARY_RDRAND | IOV_SECONDARY_INVPCID |
                   IOV_SECONDARY_VMFUNC | IOV_SECONDARY_ENCLS | IOV_SECONDARY_RDSEED |
                   IOV_SECONDARY_XSAVES | IOV_SECONDARY_TSC_SCALING;

    if (self->x2apic)
        may |= IOV_SECONDARY_X2APIC;
    if (self->apic_register_virtualisation)
        may |= IOV_SECONDARY_APIC_REGISTER;
    if (self->virtual_interrupt_delivery)
        may |= IOV_SECONDARY_VIRTUAL_INTERRUPT;
    return capability(0, may);
}

static uint64_t pin_capability(const IovCpu *self)
{
    uint32_t may =
        IOV_PIN_EXTERNAL_INTERRUPT | IOV_PIN_NMI | IOV_PIN_VIRTUAL_NMIS | IOV_PIN_PREEMPTION_TIMER;

    if (self->posted_interrupts && self->virtual_interrupt_delivery)
        may |= IOV_PIN_POSTED_INTERRUPTS;
    return capability(IOV_PIN_DEFAULT1, may);
}

static uint64_t primary_capability(uint32_t must)
{
    /* Bits 2, 3, 7, 9-12, 15, 16, 19-25, 27-31; tertiary controls (17) are not offered. */
    return capability(must, 0xfbf99e8cu);
}

static uint64_t exit_capability(uint32_t must)
{
    return capability(must, IOV_EXITCTL_SAVE_DEBUG | IOV_EXITCTL_HOST_64 | IOV_EXITCTL_ACKNOWLEDGE |
                                IOV_EXITCTL_SAVE_PAT | IOV_EXITCTL_LOAD_PAT |
                                IOV_EXITCTL_SAVE_EFER | IOV_EXITCTL_LOAD_EFER |
                                IOV_EXITCTL_SAVE_TIMER | 1u << 12);
}

static uint64_t entry_capability(uint32_t must)
{
    return capability(must, IOV_ENTRYCTL_LOAD_DEBUG | IOV_ENTRYCTL_GUEST_64 |
                                IOV_ENTRYCTL_LOAD_PAT | IOV_ENTRYCTL_LOAD_EFER | 1u << 13);
}

static uint64_t ept_capability(void)
{
    return IOV_VMX_EPT_CAP_EXECUTE_ONLY | IOV_VMX_EPT_CAP_WALK_4 | IOV_VMX_EPT_CAP_UC |
           IOV_VMX_EPT_CAP_WB | IOV_VMX_EPT_CAP_2M | IOV_VMX_EPT_CAP_1G | IOV_VMX_EPT_CAP_INVEPT |
           IOV_VMX_EPT_CAP_INVEPT_SINGLE | IOV_VMX_EPT_CAP_INVEPT_ALL |
           UINT64_C(0xf01) << 32; /* INVVPID with its four types */
}

uint64_t iov_vmx_capability(const IovCpu *self, uint32_t msr)
{
    switch (msr) {
    case IOV_MSR_VMX_BASIC: /* 4 KiB regions, write-back, INS/OUTS information, true controls */
        return IOV_VMX_REVISION | UINT64_C(0x1000) << 32 | UINT64_C(6) << 50 | UINT64_C(3) << 54;
    case IOV_MSR_VMX_PINBASED_CTLS:
    case IOV_MSR_VMX_TRUE_PINBASED_CTLS:
        return pin_capability(self);
    case IOV_MSR_VMX_PROCBASED_CTLS:
        return primary_capability(IOV_PRIMARY_DEFAULT1);
    case IOV_MSR_VMX_TRUE_PROCBASED_CTLS:
        return primary_capability(IOV_PRIMARY_TRUE_DEFAULT1);
    case IOV_MSR_VMX_EXIT_CTLS:
        return exit_capability(IOV_EXITCTL_DEFAULT1);
    case IOV_MSR_VMX_TRUE_EXIT_CTLS:
        return exit_capability(IOV_EXITCTL_TRUE_DEFAULT1);
    case IOV_MSR_VMX_ENTRY_CTLS:
        return entry_capability(IOV_ENTRYCTL_DEFAULT1);
    case IOV_MSR_VMX_TRUE_ENTRY_CTLS:
        return entry_capability(IOV_ENTRYCTL_TRUE_DEFAULT1);
    case IOV_MSR_VMX_MISC: /* rate of the preemption timer, activity state HLT, four CR3 targets */
        return self->preemption_timer_rate | 1u << 6 | 4u << 16;
    case IOV_MSR_VMX_CR0_FIXED0:
        return 0x80000021;
    case IOV_MSR_VMX_CR0_FIXED1:
        return UINT32_MAX;
    case IOV_MSR_VMX_CR4_FIXED0:
        return 0x2000;
    case IOV_MSR_VMX_CR4_FIXED1:
        return 0x3767ff;
    case IOV_MSR_VMX_VMCS_ENUM: /* the highest index of a field, in bits 9:1 */
        return 0x17 << 1;
    case IOV_MSR_VMX_PROCBASED_CTLS2:
        return secondary_capability(self);
    case IOV_MSR_VMX_EPT_VPID_CAP:
        return ept_capability();
    default: /* IA32_VMX_VMFUNC: no functions */
        return 0;
    }
}

/* ---- Registers ---- */

static const struct iov_msr initial[] = {
    { IOV_MSR_PLATFORM_ID, 0 },
    { IOV_MSR_TSC_ADJUST, 0 },
    { IOV_MSR_SPEC_CTRL, 0 },
    { IOV_MSR_PRED_CMD, 0 },
    { IOV_MSR_BIOS_SIGN_ID, 0 },
    { IOV_MSR_MTRRCAP, 0x508 },
    { IOV_MSR_ARCH_CAPABILITIES, 0 },
    { IOV_MSR_SYSENTER_CS, 0 },
    { IOV_MSR_SYSENTER_ESP, 0 },
    { IOV_MSR_SYSENTER_EIP, 0 },
    { IOV_MSR_MISC_ENABLE, 1 },
    { IOV_MSR_DEBUGCTL, 0 },
    { IOV_MSR_PAT, UINT64_C(0x0007040600070406) },
    { IOV_MSR_PERF_GLOBAL_CTRL, 0 },
    { IOV_MSR_XSS, 0 },
    { IOV_MSR_EFER, 0xd01 },
    { IOV_MSR_STAR, 0 },
    { IOV_MSR_LSTAR, 0 },
    { IOV_MSR_CSTAR, 0 },
    { IOV_MSR_FMASK, 0 },
    { IOV_MSR_FS_BASE, 0 },
    { IOV_MSR_GS_BASE, 0 },
    { IOV_MSR_KERNEL_GS_BASE, 0 },
    { IOV_MSR_TSC_AUX, 0 },
};
_Static_assert(G_N_ELEMENTS(initial) == MSR_COUNT, "room for every register");

void iov_msr_init(IovCpu *self)
{
    for (unsigned i = 0; i < MSR_COUNT; i++)
        self->msrs[i] = initial[i];
    self->msr_count = MSR_COUNT;
}

static uint64_t *plain(IovCpu *self, uint32_t index)
{
    for (unsigned i = 0; i < self->msr_count; i++) {
        if (self->msrs[i].index == index)
            return &self->msrs[i].value;
    }
    return NULL;
}

static bool in_x2apic(const IovCpu *self)
{
    return self->apic->ops->base(self->apic) & IOV_APIC_BASE_X2APIC;
}

bool iov_msr_read(IovCpu *self, struct iov_exec *exec, uint32_t index, uint64_t *ret_value)
{
    const uint64_t *value;

    if (index >= IOV_MSR_X2APIC_FIRST && index <= IOV_MSR_X2APIC_LAST)
        return in_x2apic(self) && index != 0x800 + (IOV_APIC_EOI >> 4) &&
               index != 0x800 + (IOV_APIC_SELF_IPI >> 4) &&
               self->apic->ops->read(self->apic, (index & 0xff) << 4, ret_value);
    if (index >= IOV_MSR_VMX_BASIC && index <= IOV_MSR_VMX_VMFUNC) {
        *ret_value = iov_vmx_capability(self, index);
        return self->vmx;
    }
    switch (index) {
    case IOV_MSR_TSC:
        *ret_value = iov_cpu_guest_tsc(self, exec);
        return true;
    case IOV_MSR_APIC_BASE:
        *ret_value = self->apic->ops->base(self->apic);
        return true;
    case IOV_MSR_TSC_DEADLINE:
        *ret_value = self->apic->ops->deadline(self->apic);
        return true;
    case IOV_MSR_FEATURE_CONTROL: /* locked, VMX outside SMX */
        *ret_value = self->vmx ? 5 : 1;
        return true;
    default:
        value = plain(self, index);
        if (value == NULL)
            return false;
        *ret_value = *value;
        return true;
    }
}

bool iov_msr_write(IovCpu *self, struct iov_exec *exec, uint32_t index, uint64_t value)
{
    uint64_t *place;

    (void)exec;
    if (index >= IOV_MSR_X2APIC_FIRST && index <= IOV_MSR_X2APIC_LAST)
        return in_x2apic(self) && self->apic->ops->write(self->apic, (index & 0xff) << 4, value);
    switch (index) {
    case IOV_MSR_TSC: /* LIMIT: the counter runs with time and is not written */
        return true;
    case IOV_MSR_APIC_BASE:
        if (!self->apic->ops->set_base(self->apic, value))
            return false;
        iov_cpu_apic_mode_changed(self);
        return true;
    case IOV_MSR_TSC_DEADLINE:
        self->apic->ops->set_deadline(self->apic, value);
        return true;
    default:
        place = plain(self, index);
        if (place == NULL)
            return false;
        *place = value;
        return true;
    }
}

/* ---- CPUID ---- */

/* LIMIT: what software of the models looks at: vendor, VMX, x2APIC, TSC deadline, the frequency of
 * the TSC. */
void iov_cpuid(IovCpu *self, struct iov_op *op)
{
    uint64_t leaf = op->value[0];

    op->value[0] = op->value[1] = op->value[2] = op->value[3] = 0;
    switch (leaf) {
    case 0:
        op->value[0] = 0x16;
        op->value[1] = 0x756e6547; /* "GenuineIntel" in EBX, EDX, ECX */
        op->value[2] = 0x6c65746e;
        op->value[3] = 0x49656e69;
        break;
    case 1:
        op->value[0] = 0x50654;
        op->value[1] = (uint64_t)(self->apic_id & 0xff) << 24;
        op->value[2] =
            (self->vmx ? 1u << 5 : 0) | (self->x2apic ? 1u << 21 : 0) | 1u << 24 | 1u << 30;
        op->value[3] = 1u << 4 | 1u << 5 | 1u << 9;
        break;
    case 0x15: /* TSC = crystal * EBX / EAX */
        op->value[0] = 1;
        op->value[1] = self->frequency / self->apic_timer_frequency;
        op->value[2] = self->apic_timer_frequency;
        break;
    case 0x16:
        op->value[0] = op->value[1] = self->frequency / 1000000;
        break;
    default:
        break;
    }
}
