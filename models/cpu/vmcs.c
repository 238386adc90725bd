/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMCS regions and the VMX instructions of root operation: SDM vol. 3C, 25.11 and chapter 31.
 *
 * A VMCS lives in memory at its host-physical address; while it is active the processor works on a
 * copy, which VMCLEAR writes back. So a VMCS moves to another processor as on hardware: VMCLEAR
 * here, VMPTRLD there. LIMIT: no VMCS shadowing, no SMM-transfer monitor; VMX instructions outside
 * of VMX operation fail as VMfailInvalid instead of #UD.
 */
#include <string.h>

#include "models/cpu/cpu-private.h"

/* After revision identifier and abort indicator; the rest is the processor's own. */
enum { REGION_DATA = 8 };
_Static_assert(REGION_DATA + VMCS_SLOTS * 8 <= 4096, "a VMCS fits its region");

/* ---- Fields ---- */

#define KEY(encoding) \
    (((encoding) >> 13 & 3) << 8 | ((encoding) >> 10 & 3) << 6 | ((encoding) >> 1 & 63))
#define ENTRY(name) [KEY(IOV_VMCS_##name)] = VMCS_##name,
static const uint8_t slot_of_key[1024] = { IOV_VMCS_FIELDS(ENTRY) };
#undef ENTRY
_Static_assert(VMCS_SLOTS <= 256, "slots fit the table");

enum { FIELD_HIGH = 1, FIELD_BITS = 0x6c7f }; /* index to 63, type, width */

/* Bits of a field's width; a 64-bit field read by its high encoding has the upper 32. */
static unsigned slot_of(uint32_t field)
{
    if (field & ~(uint32_t)FIELD_BITS || (field & FIELD_HIGH && (field >> 13 & 3) != 1))
        return VMCS_NONE;
    return slot_of_key[KEY(field)];
}

static uint64_t field_mask(uint32_t field)
{
    static const uint64_t masks[] = { UINT16_MAX, UINT64_MAX, UINT32_MAX, UINT64_MAX };

    return masks[field >> 13 & 3];
}

/* Fields that monitors write often and that the checks of VM entry do not read, or read each
 * time. */
static const bool unchecked[VMCS_SLOTS] = {
    [VMCS_ENTRY_INTERRUPTION_INFO] = true,
    [VMCS_ENTRY_EXCEPTION_ERROR] = true,
    [VMCS_ENTRY_INSTRUCTION_LENGTH] = true,
    [VMCS_TPR_THRESHOLD] = true,
    [VMCS_TSC_OFFSET] = true,
    [VMCS_PREEMPTION_TIMER] = true,
    [VMCS_EOI_EXIT_BITMAP0] = true,
    [VMCS_EOI_EXIT_BITMAP1] = true,
    [VMCS_EOI_EXIT_BITMAP2] = true,
    [VMCS_EOI_EXIT_BITMAP3] = true,
};

static void activate_secondary(struct iov_vmcs *vmcs)
{
    vmcs->secondary = vmcs->field[VMCS_PRIMARY_CONTROLS] & IOV_PRIMARY_SECONDARY
                          ? vmcs->field[VMCS_SECONDARY_CONTROLS]
                          : 0;
}

/* After a VMWRITE what was found out about the field no longer holds. */
static void written(struct iov_vmcs *vmcs, uint32_t field, unsigned slot)
{
    unsigned type = field >> 10 & 3;

    if (unchecked[slot])
        return;
    if (type == 0) {
        vmcs->checked = false;
        activate_secondary(vmcs);
    } else if (type == 2) {
        vmcs->guest_checked = false;
    }
}

/* ---- Outcomes: 31.2 ---- */

enum iov_vmx_status iov_vmx_fail(IovCpu *self, uint32_t error)
{
    if (self->current == NULL)
        return IOV_VMX_FAIL_INVALID;
    self->current->field[VMCS_INSTRUCTION_ERROR] = error;
    return IOV_VMX_FAIL_VALID;
}

static bool region_valid(iov_hpa region)
{
    return (region & PAGE_MASK) == 0 && (region & ~PHYSICAL_ADDRESS_MASK) == 0;
}

static uint32_t region_revision(IovCpu *self, iov_hpa region)
{
    uint32_t revision = 0;

    return iov_cpu_copy_from(self, region, &revision, 4) ? revision : UINT32_MAX;
}

/* ---- Entering and leaving VMX operation ---- */

static enum iov_vmx_status vmxon(struct iov_exec *exec, iov_hpa region)
{
    IovCpu *self = iov_cpu_of(exec);

    if (!self->vmx)
        return IOV_VMX_FAIL_INVALID;
    if (self->vmx_on)
        return iov_vmx_fail(self, IOV_VMX_ERROR_VMXON_IN_ROOT);
    if (!region_valid(region) || region_revision(self, region) != IOV_VMX_REVISION)
        return IOV_VMX_FAIL_INVALID;
    self->vmx_on = true;
    self->vmxon_region = region;
    self->current = NULL;
    return IOV_VMX_SUCCEED;
}

static enum iov_vmx_status vmxoff(struct iov_exec *exec)
{
    IovCpu *self = iov_cpu_of(exec);

    if (!self->vmx_on)
        return IOV_VMX_FAIL_INVALID;
    self->vmx_on = false;
    self->current = NULL;
    return IOV_VMX_SUCCEED;
}

/* ---- The current VMCS ---- */

static struct iov_vmcs *active_find(IovCpu *self, iov_hpa region)
{
    for (unsigned i = 0; i < self->vmcs_slots; i++) {
        if (self->vmcs_regions[i] == (region | 1))
            return self->vmcses[i];
    }
    return NULL;
}

static void write_back(IovCpu *self, struct iov_vmcs *vmcs)
{
    iov_cpu_copy_to(self, vmcs->region + REGION_DATA, vmcs->field, sizeof vmcs->field);
    vmcs->active = false;
    self->vmcs_regions[vmcs->slot] = 0;
}

void iov_vmcs_slots_add(IovCpu *self, unsigned count)
{
    unsigned first = self->vmcs_slots;

    self->vmcs_slots += count;
    self->vmcses = g_renew(struct iov_vmcs *, self->vmcses, self->vmcs_slots);
    self->vmcs_regions = g_renew(iov_hpa, self->vmcs_regions, self->vmcs_slots);
    for (unsigned i = first; i < self->vmcs_slots; i++) {
        self->vmcses[i] = g_new0(struct iov_vmcs, 1);
        self->vmcses[i]->slot = i;
        self->vmcs_regions[i] = 0;
    }
}

void iov_vmcs_slots_free(IovCpu *self)
{
    for (unsigned i = 0; i < self->vmcs_slots; i++)
        g_free(self->vmcses[i]);
    g_free(self->vmcses);
    g_free(self->vmcs_regions);
}

/*
 * A free slot; the processor may write back any active VMCS when it likes, and here it does so when
 * it runs out, with one that has no guest: where all have one there are more slots. LIMIT: a real
 * processor would write back those, too, and take time to load them again.
 */
static struct iov_vmcs *slot_take(IovCpu *self)
{
    struct iov_vmcs *victim = NULL;

    for (unsigned i = 0; i < self->vmcs_slots; i++) {
        struct iov_vmcs *vmcs = self->vmcses[i];

        if (!vmcs->active)
            return vmcs;
        if (victim == NULL && vmcs != self->current && vmcs->guest == NULL)
            victim = vmcs;
    }
    if (victim == NULL) {
        iov_vmcs_slots_add(self, VMCS_ACTIVE);
        return self->vmcses[self->vmcs_slots - VMCS_ACTIVE];
    }
    write_back(self, victim);
    return victim;
}

static enum iov_vmx_status vmclear(struct iov_exec *exec, iov_hpa region)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs;

    if (!self->vmx_on)
        return IOV_VMX_FAIL_INVALID;
    iov_cpu_charge(exec, self->cost_vmclear, (enum iov_part)exec->part);
    self = iov_cpu_of(exec);
    if (!region_valid(region))
        return iov_vmx_fail(self, IOV_VMX_ERROR_VMCLEAR_ADDRESS);
    if (region == self->vmxon_region)
        return iov_vmx_fail(self, IOV_VMX_ERROR_VMCLEAR_VMXON);
    vmcs = active_find(self, region);
    if (vmcs != NULL) {
        write_back(self, vmcs);
        if (vmcs == self->current)
            self->current = NULL;
    }
    return IOV_VMX_SUCCEED;
}

static enum iov_vmx_status vmptrld(struct iov_exec *exec, iov_hpa region)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs;

    if (!self->vmx_on)
        return IOV_VMX_FAIL_INVALID;
    iov_cpu_charge(exec, self->cost_vmptrld, (enum iov_part)exec->part);
    self = iov_cpu_of(exec);
    if (!region_valid(region))
        return iov_vmx_fail(self, IOV_VMX_ERROR_VMPTRLD_ADDRESS);
    if (region == self->vmxon_region)
        return iov_vmx_fail(self, IOV_VMX_ERROR_VMPTRLD_VMXON);
    vmcs = active_find(self, region);
    if (vmcs == NULL) {
        if (region_revision(self, region) != IOV_VMX_REVISION)
            return iov_vmx_fail(self, IOV_VMX_ERROR_VMPTRLD_REVISION);
        vmcs = slot_take(self);
        *vmcs = (struct iov_vmcs){ .region = region, .active = true, .slot = vmcs->slot };
        self->vmcs_regions[vmcs->slot] = region | 1;
        iov_cpu_copy_from(self, region + REGION_DATA, vmcs->field, sizeof vmcs->field);
        activate_secondary(vmcs);
    }
    self->current = vmcs;
    return IOV_VMX_SUCCEED;
}

static enum iov_vmx_status vmptrst(struct iov_exec *exec, iov_hpa *ret_region)
{
    const IovCpu *self = iov_cpu_of(exec);

    if (!self->vmx_on)
        return IOV_VMX_FAIL_INVALID;
    *ret_region = self->current != NULL ? self->current->region : UINT64_MAX;
    return IOV_VMX_SUCCEED;
}

static enum iov_vmx_status vmread(struct iov_exec *exec, uint32_t field, uint64_t *ret_value)
{
    IovCpu *self = iov_cpu_of(exec);
    unsigned slot = slot_of(field);
    uint64_t value;

    if (!self->vmx_on || self->current == NULL)
        return IOV_VMX_FAIL_INVALID;
    iov_cpu_charge(exec, self->cost_vmread, (enum iov_part)exec->part);
    if (slot == VMCS_NONE)
        return iov_vmx_fail(self, IOV_VMX_ERROR_FIELD_UNSUPPORTED);
    value = self->current->field[slot] & field_mask(field);
    *ret_value = field & 1 ? value >> 32 : value;
    return IOV_VMX_SUCCEED;
}

static enum iov_vmx_status vmwrite(struct iov_exec *exec, uint32_t field, uint64_t value)
{
    IovCpu *self = iov_cpu_of(exec);
    unsigned slot = slot_of(field);
    uint64_t *place;

    if (!self->vmx_on || self->current == NULL)
        return IOV_VMX_FAIL_INVALID;
    iov_cpu_charge(exec, self->cost_vmwrite, (enum iov_part)exec->part);
    if (slot == VMCS_NONE)
        return iov_vmx_fail(self, IOV_VMX_ERROR_FIELD_UNSUPPORTED);
    if ((field >> 10 & 3) == 1) /* exit information; LIMIT: VMWRITE to any field is not offered */
        return iov_vmx_fail(self, IOV_VMX_ERROR_FIELD_READ_ONLY);
    place = &self->current->field[slot];
    if (field & 1)
        *place = (*place & UINT32_MAX) | value << 32;
    else
        *place = value & field_mask(field);
    written(self->current, field, slot);
    return IOV_VMX_SUCCEED;
}

static uint32_t vm_instruction_error(const struct iov_processor *processor)
{
    union {
        const struct iov_processor *in;
        struct iov_processor *out;
    } port = { .in = processor };
    const IovCpu *self = iov_container_of(port.out, IovCpu, processor);

    return self->current != NULL ? (uint32_t)self->current->field[VMCS_INSTRUCTION_ERROR] : 0;
}

/* ---- Invalidation ---- */

static enum iov_vmx_status invept(struct iov_exec *exec, uint64_t type, uint64_t eptp)
{
    IovCpu *self = iov_cpu_of(exec);

    if (!self->vmx_on)
        return IOV_VMX_FAIL_INVALID;
    iov_cpu_charge(exec, self->cost_invept, (enum iov_part)exec->part);
    if ((type != IOV_INVEPT_SINGLE && type != IOV_INVEPT_ALL) ||
        (type == IOV_INVEPT_SINGLE && !iov_ept_pointer_valid(eptp)))
        return iov_vmx_fail(self, IOV_VMX_ERROR_INVALIDATION_OPERAND);
    iov_tlb_flush_eptp(self, eptp, type == IOV_INVEPT_ALL);
    return IOV_VMX_SUCCEED;
}

static bool canonical(uint64_t linear)
{
    uint64_t top = linear >> 47;

    return top == 0 || top == 0x1ffff;
}

static enum iov_vmx_status invvpid(struct iov_exec *exec, uint64_t type, uint16_t vpid,
                                   uint64_t linear)
{
    IovCpu *self = iov_cpu_of(exec);

    if (!self->vmx_on)
        return IOV_VMX_FAIL_INVALID;
    iov_cpu_charge(exec, self->cost_invept, (enum iov_part)exec->part);
    if (type > IOV_INVVPID_SINGLE_KEEP_GLOBAL || (type != IOV_INVVPID_ALL && vpid == 0) ||
        (type == IOV_INVVPID_ADDRESS && !canonical(linear)))
        return iov_vmx_fail(self, IOV_VMX_ERROR_INVALIDATION_OPERAND);
    if (type == IOV_INVVPID_ADDRESS)
        iov_tlb_flush_linear(self, vpid, linear);
    else
        iov_tlb_flush_vpid(self, vpid, type == IOV_INVVPID_ALL);
    return IOV_VMX_SUCCEED;
}

void iov_vmcs_set_ops(struct iov_processor_ops *ops)
{
    ops->vmxon = vmxon;
    ops->vmxoff = vmxoff;
    ops->vmclear = vmclear;
    ops->vmptrld = vmptrld;
    ops->vmptrst = vmptrst;
    ops->vmread = vmread;
    ops->vmwrite = vmwrite;
    ops->invept = invept;
    ops->invvpid = invvpid;
    ops->vmlaunch = iov_vmx_launch;
    ops->vm_instruction_error = vm_instruction_error;
}
