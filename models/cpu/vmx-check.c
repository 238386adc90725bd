/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checks of VM entry: SDM vol. 3C, 27.2.1 (controls: VMfailValid 7) and 27.3.1 (guest state:
 * exit reason 33).
 *
 * LIMIT: of the host-state area (27.2.2) and of control registers, segments and descriptor tables
 * of the guest (27.3.1.1-27.3.1.3) only what the models use is checked.
 */
#include "models/cpu/cpu-private.h"

/* Bits outside allowed-0 and allowed-1 of a capability MSR. */
static bool allowed(const IovCpu *self, uint64_t controls, uint32_t msr)
{
    uint64_t capability = iov_vmx_capability(self, msr);

    return (capability & UINT32_MAX & ~controls) == 0 && (controls & ~(capability >> 32)) == 0;
}

static bool page_valid(uint64_t address)
{
    return (address & PAGE_MASK) == 0 && (address & ~PHYSICAL_ADDRESS_MASK) == 0;
}

/* 27.2.1.1: VM-execution controls that are not about APIC virtualisation. */
static bool execution_valid(const struct iov_vmcs *vmcs)
{
    const uint64_t *field = vmcs->field;
    bool virtual_nmis = iov_vmcs_pin(vmcs, IOV_PIN_VIRTUAL_NMIS);

    if (field[VMCS_CR3_TARGET_COUNT] > 4)
        return false;
    if (iov_vmcs_primary(vmcs, IOV_PRIMARY_IO_BITMAPS) &&
        (!page_valid(field[VMCS_IO_BITMAP_A]) || !page_valid(field[VMCS_IO_BITMAP_B])))
        return false;
    if (iov_vmcs_primary(vmcs, IOV_PRIMARY_MSR_BITMAPS) && !page_valid(field[VMCS_MSR_BITMAP]))
        return false;
    if ((virtual_nmis && !iov_vmcs_pin(vmcs, IOV_PIN_NMI)) ||
        (!virtual_nmis && iov_vmcs_primary(vmcs, IOV_PRIMARY_NMI_WINDOW)))
        return false;
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_VPID) && field[VMCS_VPID] == 0)
        return false;
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_EPT))
        return iov_ept_pointer_valid(field[VMCS_EPT_POINTER]);
    return !iov_vmcs_secondary(vmcs, IOV_SECONDARY_UNRESTRICTED_GUEST | IOV_SECONDARY_PML);
}

static bool posted_valid(const struct iov_vmcs *vmcs)
{
    uint64_t descriptor = vmcs->field[VMCS_POSTED_INTERRUPT_DESCRIPTOR];

    if (!iov_vmcs_pin(vmcs, IOV_PIN_POSTED_INTERRUPTS))
        return true;
    return iov_vmcs_secondary(vmcs, IOV_SECONDARY_VIRTUAL_INTERRUPT) &&
           vmcs->field[VMCS_EXIT_CONTROLS] & IOV_EXITCTL_ACKNOWLEDGE &&
           vmcs->field[VMCS_POSTED_INTERRUPT_VECTOR] <= 0xff && (descriptor & 63) == 0 &&
           (descriptor & ~PHYSICAL_ADDRESS_MASK) == 0;
}

static bool apic_valid(const struct iov_vmcs *vmcs)
{
    bool virtual_interrupts = iov_vmcs_secondary(vmcs, IOV_SECONDARY_VIRTUAL_INTERRUPT);

    if (iov_vmcs_primary(vmcs, IOV_PRIMARY_TPR_SHADOW)) {
        if (!page_valid(vmcs->field[VMCS_VIRTUAL_APIC_ADDRESS]))
            return false;
    } else if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_X2APIC | IOV_SECONDARY_APIC_REGISTER |
                                            IOV_SECONDARY_VIRTUAL_INTERRUPT)) {
        return false;
    }
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_APIC_ACCESSES) &&
        (!page_valid(vmcs->field[VMCS_APIC_ACCESS_ADDRESS]) ||
         iov_vmcs_secondary(vmcs, IOV_SECONDARY_X2APIC)))
        return false;
    if (virtual_interrupts && !iov_vmcs_pin(vmcs, IOV_PIN_EXTERNAL_INTERRUPT))
        return false;
    return posted_valid(vmcs);
}

static bool msr_area_valid(const struct iov_vmcs *vmcs, unsigned count, unsigned address)
{
    uint64_t first = vmcs->field[address];

    if (vmcs->field[count] == 0)
        return true;
    return (first & 15) == 0 &&
           ((first + vmcs->field[count] * 16 - 1) & ~PHYSICAL_ADDRESS_MASK) == 0;
}

/* 27.2.1.2 and 27.2.1.3, without event injection. */
static bool exit_entry_valid(const struct iov_vmcs *vmcs)
{
    if (!iov_vmcs_pin(vmcs, IOV_PIN_PREEMPTION_TIMER) &&
        vmcs->field[VMCS_EXIT_CONTROLS] & IOV_EXITCTL_SAVE_TIMER)
        return false;
    return msr_area_valid(vmcs, VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_STORE_ADDRESS) &&
           msr_area_valid(vmcs, VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD_ADDRESS) &&
           msr_area_valid(vmcs, VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_ADDRESS) &&
           !(vmcs->field[VMCS_ENTRY_CONTROLS] & IOV_ENTRYCTL_SMM);
}

/* 27.2.1.3: the event to inject. */
static bool injection_valid(const struct iov_vmcs *vmcs)
{
    uint32_t info = (uint32_t)vmcs->field[VMCS_ENTRY_INTERRUPTION_INFO];
    unsigned type = (info & IOV_INTERRUPTION_TYPE_MASK) >> IOV_INTERRUPTION_TYPE_SHIFT;
    uint8_t vector = (uint8_t)(info & IOV_INTERRUPTION_VECTOR);
    bool error_code = info & IOV_INTERRUPTION_ERROR_CODE;
    bool wants_error = type == IOV_EVENT_HARDWARE_EXCEPTION && iov_exception_has_error(vector);

    if (!(info & IOV_INTERRUPTION_VALID))
        return true;
    if (info & 0x7ffff000u || type == 1 || error_code != wants_error)
        return false;
    if ((type == IOV_EVENT_NMI && vector != 2) ||
        (type == IOV_EVENT_HARDWARE_EXCEPTION && vector > 31) ||
        (type == IOV_EVENT_OTHER && vector != 0))
        return false;
    if (error_code && vmcs->field[VMCS_ENTRY_EXCEPTION_ERROR] & ~UINT64_C(0x7fff))
        return false;
    if (type >= IOV_EVENT_SOFTWARE_INTERRUPT && type <= IOV_EVENT_SOFTWARE_EXCEPTION)
        return vmcs->field[VMCS_ENTRY_INSTRUCTION_LENGTH] <= 15;
    return true;
}

/* SPEC: 27.2.1.1: without virtual-interrupt delivery the threshold may not lie above the guest's
 * TPR. */
static bool threshold_valid(IovCpu *self, const struct iov_vmcs *vmcs)
{
    uint8_t tpr;

    if (vmcs->field[VMCS_TPR_THRESHOLD] == 0 || !iov_vmcs_primary(vmcs, IOV_PRIMARY_TPR_SHADOW) ||
        iov_vmcs_secondary(vmcs, IOV_SECONDARY_VIRTUAL_INTERRUPT))
        return true;
    if (vmcs->field[VMCS_TPR_THRESHOLD] > 15)
        return false;
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_APIC_ACCESSES))
        return true;
    tpr = iov_cpu_read8(self, vmcs->field[VMCS_VIRTUAL_APIC_ADDRESS] + IOV_APIC_TPR);
    return vmcs->field[VMCS_TPR_THRESHOLD] <= (tpr >> 4);
}

uint32_t iov_vmcs_check_controls(IovCpu *self, struct iov_vmcs *vmcs)
{
    const uint64_t *field = vmcs->field;
    bool valid = vmcs->checked;

    if (!valid) {
        valid = allowed(self, field[VMCS_PIN_CONTROLS], IOV_MSR_VMX_TRUE_PINBASED_CTLS) &&
                allowed(self, field[VMCS_PRIMARY_CONTROLS], IOV_MSR_VMX_TRUE_PROCBASED_CTLS) &&
                allowed(self, field[VMCS_EXIT_CONTROLS], IOV_MSR_VMX_TRUE_EXIT_CTLS) &&
                allowed(self, field[VMCS_ENTRY_CONTROLS], IOV_MSR_VMX_TRUE_ENTRY_CTLS) &&
                (!iov_vmcs_primary(vmcs, IOV_PRIMARY_SECONDARY) ||
                 allowed(self, field[VMCS_SECONDARY_CONTROLS], IOV_MSR_VMX_PROCBASED_CTLS2)) &&
                execution_valid(vmcs) && apic_valid(vmcs) && exit_entry_valid(vmcs);
        vmcs->checked = valid;
    }
    return valid && injection_valid(vmcs) && threshold_valid(self, vmcs)
               ? 0
               : IOV_VMX_ERROR_ENTRY_CONTROLS;
}

/* 27.3.1.5: activity and interruptibility, alone and with the event to inject. */
static bool interruptibility_valid(const struct iov_vmcs *vmcs, uint64_t *ret_qualification)
{
    const uint64_t *field = vmcs->field;
    uint64_t state = field[VMCS_GUEST_INTERRUPTIBILITY];
    uint64_t shadow = state & (IOV_INTERRUPTIBILITY_STI | IOV_INTERRUPTIBILITY_MOV_SS);
    bool flag = field[VMCS_GUEST_RFLAGS] >> 9 & 1;
    uint32_t info = (uint32_t)field[VMCS_ENTRY_INTERRUPTION_INFO];
    unsigned type = (info & IOV_INTERRUPTION_TYPE_MASK) >> IOV_INTERRUPTION_TYPE_SHIFT;

    if (state & ~UINT64_C(0x1f) || shadow == 3 || (state & IOV_INTERRUPTIBILITY_STI && !flag))
        return false;
    if (shadow != 0 && field[VMCS_GUEST_ACTIVITY] != IOV_ACTIVITY_ACTIVE)
        return false;
    if (!(info & IOV_INTERRUPTION_VALID))
        return true;
    if (type == IOV_EVENT_EXTERNAL)
        return flag && shadow == 0;
    if (type == IOV_EVENT_NMI) {
        if (state & IOV_INTERRUPTIBILITY_MOV_SS) {
            *ret_qualification = IOV_QUAL_ENTRY_NMI;
            return false;
        }
        return !(iov_vmcs_pin(vmcs, IOV_PIN_VIRTUAL_NMIS) && state & IOV_INTERRUPTIBILITY_NMI);
    }
    return true;
}

/* SPEC: 27.3.1.5: what may be injected into a halted processor. */
static bool activity_valid(const struct iov_vmcs *vmcs)
{
    uint64_t activity = vmcs->field[VMCS_GUEST_ACTIVITY];
    uint32_t info = (uint32_t)vmcs->field[VMCS_ENTRY_INTERRUPTION_INFO];
    unsigned type = (info & IOV_INTERRUPTION_TYPE_MASK) >> IOV_INTERRUPTION_TYPE_SHIFT;
    uint8_t vector = (uint8_t)(info & IOV_INTERRUPTION_VECTOR);

    /* LIMIT: shutdown and wait-for-SIPI are not entered. */
    if (activity > IOV_ACTIVITY_HLT)
        return false;
    if (activity == IOV_ACTIVITY_ACTIVE || !(info & IOV_INTERRUPTION_VALID))
        return true;
    return type == IOV_EVENT_EXTERNAL || type == IOV_EVENT_NMI || type == IOV_EVENT_OTHER ||
           (type == IOV_EVENT_HARDWARE_EXCEPTION && (vector == 1 || vector == 18));
}

bool iov_vmcs_check_guest(struct iov_vmcs *vmcs, uint64_t *ret_qualification)
{
    uint64_t rflags = vmcs->field[VMCS_GUEST_RFLAGS];

    /* The rest is about events, shadows and activity, of which there mostly is nothing. */
    if (vmcs->guest_checked &&
        !(vmcs->field[VMCS_ENTRY_INTERRUPTION_INFO] & IOV_INTERRUPTION_VALID) &&
        vmcs->field[VMCS_GUEST_INTERRUPTIBILITY] == 0 &&
        vmcs->field[VMCS_GUEST_ACTIVITY] == IOV_ACTIVITY_ACTIVE)
        return true;
    *ret_qualification = IOV_QUAL_ENTRY_OTHER;
    /* SPEC: 27.3.1.4: bit 1 is one, bits 63:22, 15, 5 and 3 are zero. */
    if (!(rflags & 2) || rflags & (~UINT64_C(0x3fffff) | 0x8028))
        return false;
    if (!activity_valid(vmcs) || !interruptibility_valid(vmcs, ret_qualification))
        return false;
    /* LIMIT: 27.3.1.5: VMCS shadowing is not there, so the link pointer must be all ones. */
    if (vmcs->field[VMCS_LINK_POINTER] != UINT64_MAX) {
        *ret_qualification = IOV_QUAL_ENTRY_LINK;
        return false;
    }
    vmcs->guest_checked = true;
    return true;
}
