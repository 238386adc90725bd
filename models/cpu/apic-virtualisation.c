/* SPDX-License-Identifier: Apache-2.0 */
/*
 * APIC virtualisation: SDM vol. 3C, chapter 30. TPR shadow, accesses to the APIC-access page,
 * virtualised x2APIC mode, APIC-register virtualisation, virtual-interrupt delivery, posted
 * interrupts. All of it works on the virtual-APIC page in memory.
 *
 * Trap-like exits (TPR_BELOW_THRESHOLD, EOI_INDUCED, APIC_WRITE) are taken here, after the access
 * is done. LIMIT: IPI virtualisation (tertiary controls) is not offered. Without plain memory
 * behind the virtual-APIC address its bytes read as zero.
 */
#include <string.h>

#include "models/cpu/cpu-private.h"

static uint32_t vget(const struct iov_vmcs *vmcs, unsigned offset)
{
    uint32_t value = 0;

    if (vmcs->virtual_apic != NULL)
        memcpy(&value, vmcs->virtual_apic + offset, 4);
    return value;
}

static void vput(struct iov_vmcs *vmcs, unsigned offset, uint32_t value)
{
    if (vmcs->virtual_apic != NULL)
        memcpy(vmcs->virtual_apic + offset, &value, 4);
}

static void vector_put(struct iov_vmcs *vmcs, unsigned set, uint8_t vector, bool value)
{
    unsigned offset = set + (vector >> 5) * 0x10u;
    uint32_t bit = UINT32_C(1) << (vector & 31);
    uint32_t word = vget(vmcs, offset);

    vput(vmcs, offset, value ? word | bit : word & ~bit);
}

/* The highest vector of a set, or 0. */
static uint8_t vector_highest(const struct iov_vmcs *vmcs, unsigned set)
{
    for (unsigned i = 8; i > 0; i--) {
        uint32_t word = vget(vmcs, set + (i - 1) * 0x10u);

        if (word != 0)
            return (uint8_t)((i - 1) * 32 + 31 - (unsigned)__builtin_clz(word));
    }
    return 0;
}

/* Guest interrupt status: RVI in the low byte, SVI in the high one. */
static uint8_t requesting(const struct iov_vmcs *vmcs)
{
    return (uint8_t)vmcs->field[VMCS_GUEST_INTERRUPT_STATUS];
}

static uint8_t servicing(const struct iov_vmcs *vmcs)
{
    return (uint8_t)(vmcs->field[VMCS_GUEST_INTERRUPT_STATUS] >> 8);
}

static void set_status(struct iov_vmcs *vmcs, uint8_t rvi, uint8_t svi)
{
    vmcs->field[VMCS_GUEST_INTERRUPT_STATUS] = (uint64_t)svi << 8 | rvi;
}

/* SPEC: 30.1.3 */
static void virtualise_ppr(struct iov_vmcs *vmcs)
{
    uint8_t tpr = (uint8_t)vget(vmcs, IOV_APIC_TPR);
    uint8_t svi = servicing(vmcs);

    vput(vmcs, IOV_APIC_PPR, (tpr & 0xf0) >= (svi & 0xf0) ? tpr : svi & 0xf0u);
}

static bool delivers(const struct iov_vmcs *vmcs)
{
    return iov_vmcs_secondary(vmcs, IOV_SECONDARY_VIRTUAL_INTERRUPT);
}

/* ---- Virtual interrupts: 30.2 ---- */

bool iov_vapic_recognised(const struct iov_vmcs *vmcs)
{
    return delivers(vmcs) && requesting(vmcs) >> 4 > (uint8_t)vget(vmcs, IOV_APIC_PPR) >> 4;
}

void iov_vapic_deliver(struct iov_exec *exec)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;
    struct iov_measure *measure = self->parent_instance.run->measure;
    uint8_t vector = requesting(vmcs);

    vector_put(vmcs, IOV_APIC_ISR, vector, true);
    vput(vmcs, IOV_APIC_PPR, vector & 0xf0u);
    vector_put(vmcs, IOV_APIC_IRR, vector, false);
    set_status(vmcs, vector_highest(vmcs, IOV_APIC_IRR), vector);
    self->virtual_interrupts++;
    if (measure != NULL)
        measure->counters.posted++;
    iov_cpu_deliver_interrupt(exec, vector, NULL);
}

void iov_vapic_enter(struct iov_vmcs *vmcs)
{
    if (delivers(vmcs)) {
        virtualise_ppr(vmcs);
        return;
    }
    /* SPEC: 27.7.7: a TPR below its threshold exits right after the entry. */
    vmcs->threshold_pending =
        iov_vmcs_secondary(vmcs, IOV_SECONDARY_APIC_ACCESSES) &&
        (vget(vmcs, IOV_APIC_TPR) >> 4 & 0xf) < vmcs->field[VMCS_TPR_THRESHOLD];
}

/* ---- Posted interrupts: 30.6 ---- */

void iov_vapic_process_posted(IovCpu *self, struct iov_vmcs *vmcs)
{
    uint32_t control;
    uint8_t rvi = requesting(vmcs);

    (void)self;
    if (vmcs->posted == NULL)
        return;
    memcpy(&control, vmcs->posted + IOV_PID_CONTROL, 4);
    control &= ~IOV_PID_ON;
    memcpy(vmcs->posted + IOV_PID_CONTROL, &control, 4);
    for (unsigned i = 0; i < 8; i++) {
        uint32_t word;

        memcpy(&word, vmcs->posted + IOV_PID_PIR + i * 4, 4);
        if (word == 0)
            continue;
        memset(vmcs->posted + IOV_PID_PIR + i * 4, 0, 4);
        vput(vmcs, IOV_APIC_IRR + i * 0x10, vget(vmcs, IOV_APIC_IRR + i * 0x10) | word);
        rvi = MAX(rvi, (uint8_t)(i * 32 + 31 - (unsigned)__builtin_clz(word)));
    }
    set_status(vmcs, rvi, servicing(vmcs));
}

/* ---- Virtualisation of TPR, EOI, self-IPI: 30.1.2, 30.1.4, 30.1.5 ---- */

static void trap(struct iov_exec *exec, uint32_t reason, uint64_t qualification)
{
    struct iov_exit exit = { .reason = reason, .qualification = qualification };

    iov_vmx_exit(exec, &exit);
}

uint8_t iov_vapic_read_tpr(const struct iov_vmcs *vmcs)
{
    return (uint8_t)vget(vmcs, IOV_APIC_TPR);
}

static void tpr_written(struct iov_exec *exec)
{
    struct iov_vmcs *vmcs = exec->vmcs;

    if (delivers(vmcs)) {
        virtualise_ppr(vmcs);
        iov_cpu_of(exec)->attention = true;
    } else if ((vget(vmcs, IOV_APIC_TPR) >> 4 & 0xf) < vmcs->field[VMCS_TPR_THRESHOLD]) {
        trap(exec, IOV_EXIT_TPR_BELOW_THRESHOLD, 0);
    }
}

void iov_vapic_write_tpr(struct iov_exec *exec, uint8_t value)
{
    vput(exec->vmcs, IOV_APIC_TPR, value);
    tpr_written(exec);
}

static void eoi_written(struct iov_exec *exec)
{
    struct iov_vmcs *vmcs = exec->vmcs;
    uint8_t vector = servicing(vmcs);

    vector_put(vmcs, IOV_APIC_ISR, vector, false);
    set_status(vmcs, requesting(vmcs), vector_highest(vmcs, IOV_APIC_ISR));
    virtualise_ppr(vmcs);
    iov_cpu_of(exec)->attention = true;
    if (vmcs->field[VMCS_EOI_EXIT_BITMAP0 + vector / 64] >> (vector & 63) & 1)
        trap(exec, IOV_EXIT_EOI_INDUCED, vector);
}

static void self_ipi(struct iov_exec *exec, uint8_t vector)
{
    struct iov_vmcs *vmcs = exec->vmcs;

    vector_put(vmcs, IOV_APIC_IRR, vector, true);
    set_status(vmcs, MAX(requesting(vmcs), vector), servicing(vmcs));
    iov_cpu_of(exec)->attention = true;
}

/* SPEC: 30.4.3.2: only a fixed, edge-triggered self-IPI of a legal vector is virtualised. */
static bool is_self_ipi(uint32_t icr)
{
    return (icr & IOV_APIC_ICR_SHORTHAND_MASK) == (uint32_t)IOV_APIC_SHORTHAND_SELF
                                                      << IOV_APIC_ICR_SHORTHAND_SHIFT &&
           (icr & (IOV_APIC_ICR_MODE_MASK | IOV_APIC_ICR_LEVEL | IOV_APIC_ICR_PENDING |
                   0xfff32000u)) == 0 &&
           (icr & 0xf0) != 0;
}

/* ---- The APIC-access page: 30.4 ---- */

/* SPEC: 30.4.2: offsets whose reads APIC-register virtualisation answers. */
static bool readable(uint32_t offset)
{
    switch (offset) {
    case IOV_APIC_ID:
    case IOV_APIC_VERSION:
    case IOV_APIC_TPR:
    case IOV_APIC_EOI:
    case IOV_APIC_LDR:
    case IOV_APIC_DFR:
    case IOV_APIC_SVR:
    case IOV_APIC_ESR:
    case IOV_APIC_ICR:
    case IOV_APIC_ICR_HIGH:
    case IOV_APIC_TIMER_INITIAL:
    case IOV_APIC_TIMER_DIVIDE:
        return true;
    default:
        return (offset >= IOV_APIC_ISR && offset < IOV_APIC_ESR) ||
               (offset >= IOV_APIC_LVT_TIMER && offset <= IOV_APIC_LVT_ERROR);
    }
}

/* SPEC: 30.4.3.1 */
static bool writable(const struct iov_vmcs *vmcs, uint32_t offset)
{
    if (offset == IOV_APIC_TPR)
        return true;
    if (iov_vmcs_secondary(vmcs, IOV_SECONDARY_APIC_REGISTER)) {
        if (offset == IOV_APIC_VERSION || (offset >= IOV_APIC_ISR && offset < IOV_APIC_ESR))
            return false;
        return readable(offset);
    }
    return delivers(vmcs) && (offset == IOV_APIC_EOI || offset == IOV_APIC_ICR);
}

/* SPEC: 30.4.2, 30.4.3: a virtualised access has at most 32 bits and stays within the low 4 bytes
 * of its 16. */
static bool virtualises(const struct iov_vmcs *vmcs, uint32_t offset, uint32_t size, bool write)
{
    uint32_t reg = offset & ~UINT32_C(0xf);

    if (!iov_vmcs_primary(vmcs, IOV_PRIMARY_TPR_SHADOW) || size > 4 || (offset & 0xf) + size > 4)
        return false;
    if (write)
        return writable(vmcs, reg);
    return reg == IOV_APIC_TPR ||
           (iov_vmcs_secondary(vmcs, IOV_SECONDARY_APIC_REGISTER) && readable(reg));
}

/* SPEC: 30.4.3.2: what follows a virtualised write. */
static void write_emulation(struct iov_exec *exec, uint32_t reg)
{
    struct iov_vmcs *vmcs = exec->vmcs;

    switch (reg) {
    case IOV_APIC_TPR:
        vput(vmcs, reg, vget(vmcs, reg) & 0xff);
        tpr_written(exec);
        return;
    case IOV_APIC_EOI:
        if (delivers(vmcs)) {
            vput(vmcs, reg, 0);
            eoi_written(exec);
            return;
        }
        break;
    case IOV_APIC_ICR:
        if (delivers(vmcs) && is_self_ipi(vget(vmcs, reg))) {
            self_ipi(exec, (uint8_t)vget(vmcs, reg));
            return;
        }
        break;
    case IOV_APIC_ICR_HIGH:
        vput(vmcs, reg, vget(vmcs, reg) & 0xff000000u);
        return;
    default:
        break;
    }
    trap(exec, IOV_EXIT_APIC_WRITE, reg);
}

enum iov_resume iov_vapic_access(struct iov_exec *exec, struct iov_op *op, uint32_t offset)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;
    bool write = op->kind == IOV_OP_STORE;

    if (!virtualises(vmcs, offset, op->size, write)) {
        struct iov_exit exit = {
            .reason = IOV_EXIT_APIC_ACCESS,
            .qualification = offset | (unsigned)(write ? IOV_QUAL_APIC_WRITE : IOV_QUAL_APIC_READ)
                                          << IOV_QUAL_APIC_TYPE_SHIFT,
            .instruction_length = iov_op_length(op),
            .guest_physical = op->address,
            .guest_linear = op->linear != 0 ? op->linear : op->address,
            .op = op,
        };

        return iov_vmx_exit(exec, &exit);
    }
    iov_cpu_charge(exec, self->cost_virtual_apic, (enum iov_part)exec->part);
    if (vmcs->virtual_apic == NULL) {
        if (!write)
            memset(op->data, 0, op->size);
        return IOV_RESUME_NEXT;
    }
    if (!write) {
        memcpy(op->data, vmcs->virtual_apic + offset, op->size);
        return IOV_RESUME_NEXT;
    }
    memcpy(vmcs->virtual_apic + offset, op->data, op->size);
    write_emulation(exec, offset & ~UINT32_C(0xf));
    return IOV_RESUME_NEXT;
}

/* ---- Virtualised x2APIC mode: 30.5 ---- */

bool iov_vapic_read_msr(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);
    const struct iov_vmcs *vmcs = exec->vmcs;
    uint32_t offset = (op->index & 0xff) << 4;

    if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_X2APIC))
        return false;
    if (offset != IOV_APIC_TPR && !iov_vmcs_secondary(vmcs, IOV_SECONDARY_APIC_REGISTER))
        return false;
    iov_cpu_charge(exec, self->cost_virtual_apic, (enum iov_part)exec->part);
    op->value[0] = vget(vmcs, offset) | (uint64_t)vget(vmcs, offset + 4) << 32;
    return true;
}

bool iov_vapic_write_msr(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;
    uint32_t offset = (op->index & 0xff) << 4;
    uint64_t value = op->value[0];

    if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_X2APIC))
        return false;
    if (offset != IOV_APIC_TPR &&
        !(delivers(vmcs) && (offset == IOV_APIC_EOI || offset == IOV_APIC_SELF_IPI)))
        return false;
    iov_cpu_charge(exec, self->cost_virtual_apic, (enum iov_part)exec->part);
    if (offset == IOV_APIC_EOI ? value != 0 : value > 0xff) {
        iov_cpu_raise(exec, 13, 0, 0);
        return true;
    }
    vput(vmcs, offset, (uint32_t)value);
    vput(vmcs, offset + 4, 0);
    if (offset == IOV_APIC_TPR)
        tpr_written(exec);
    else if (offset == IOV_APIC_EOI)
        eoi_written(exec);
    else if (value < 16)
        trap(exec, IOV_EXIT_APIC_WRITE, offset);
    else
        self_ipi(exec, (uint8_t)value);
    return true;
}
