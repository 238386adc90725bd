/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which operation of non-root operation exits, and what the exit says: SDM vol. 3C, 26.1
 * (instructions), 26.2 (exceptions), 28.2 (exit information). Loads and stores are in memory.c,
 * virtualised APIC registers in apic-virtualisation.c.
 *
 * LIMIT: the guest's program runs at CPL 0 in 64-bit mode, so faults of privilege and mode do not
 * occur; there is no SMM, so RSM is undefined; instruction information is given for INS and OUTS
 * only (bit 9:7 address size).
 */
#include "models/cpu/cpu-private.h"

/* Usual encodings in 64-bit mode; loads, stores and I/O depend on the operand: see
 * iov_op_length(). */
static const uint8_t lengths[IOV_OP_COUNT] = {
    [IOV_OP_CPUID] = 2,
    [IOV_OP_RDMSR] = 2,
    [IOV_OP_WRMSR] = 2,
    [IOV_OP_HLT] = 1,
    [IOV_OP_PAUSE] = 2,
    [IOV_OP_MONITOR] = 3,
    [IOV_OP_MWAIT] = 3,
    [IOV_OP_VMCALL] = 3,
    [IOV_OP_MOV_TO_CR] = 3,
    [IOV_OP_MOV_FROM_CR] = 3,
    [IOV_OP_CLTS] = 2,
    [IOV_OP_LMSW] = 3,
    [IOV_OP_MOV_TO_DR] = 3,
    [IOV_OP_MOV_FROM_DR] = 3,
    [IOV_OP_INVLPG] = 3,
    [IOV_OP_INVPCID] = 5,
    [IOV_OP_INVD] = 2,
    [IOV_OP_WBINVD] = 2,
    [IOV_OP_RDTSC] = 2,
    [IOV_OP_RDTSCP] = 3,
    [IOV_OP_RDPMC] = 2,
    [IOV_OP_RDRAND] = 3,
    [IOV_OP_RDSEED] = 3,
    [IOV_OP_XSETBV] = 3,
    [IOV_OP_XSAVES] = 3,
    [IOV_OP_XRSTORS] = 3,
    [IOV_OP_GETSEC] = 2,
    [IOV_OP_RSM] = 2,
    [IOV_OP_DESCRIPTOR_TABLE] = 3,
    [IOV_OP_TASK_REGISTER] = 3,
    [IOV_OP_TASK_SWITCH] = 5,
    [IOV_OP_VMX] = 3,
    [IOV_OP_VMFUNC] = 3,
    [IOV_OP_ENCLS] = 3,
    [IOV_OP_CLI] = 1,
    [IOV_OP_STI] = 1,
    [IOV_OP_MOV_SS] = 2,
    [IOV_OP_POPF] = 1,
    [IOV_OP_IRET] = 2,
};

static uint32_t io_length(const struct iov_op *op)
{
    uint32_t length = op->kind == IOV_OP_IN || op->kind == IOV_OP_OUT
                          ? (op->flags & IOV_OP_IMMEDIATE ? 2 : 1)
                          : (op->count > 1 ? 2 : 1);

    return length + (op->size == 2); /* operand-size prefix */
}

uint32_t iov_op_length(const struct iov_op *op)
{
    if (op->length != 0)
        return op->length;
    switch (op->kind) {
    case IOV_OP_IN:
    case IOV_OP_OUT:
    case IOV_OP_INS:
    case IOV_OP_OUTS:
        return io_length(op);
    case IOV_OP_LOAD: /* MOV, MOVZX for small operands */
        return op->size >= 4 ? (op->size == 8 ? 3 : 2) : 3;
    case IOV_OP_STORE:
        return op->size == 2 || op->size == 8 ? 3 : 2;
    case IOV_OP_MOV_TO_CR:
    case IOV_OP_MOV_FROM_CR:
        return op->index == 8 ? 4 : 3; /* REX.R */
    case IOV_OP_VMX:
        switch (op->index) {
        case IOV_EXIT_VMCLEAR:
        case IOV_EXIT_VMON:
            return 4;
        case IOV_EXIT_INVEPT:
        case IOV_EXIT_INVVPID:
            return 5;
        default:
            return 3;
        }
    default:
        return op->kind < IOV_OP_COUNT ? lengths[op->kind] : 0;
    }
}

static enum iov_vmx_decision exits(struct iov_exit *exit, uint32_t reason, uint64_t qualification)
{
    exit->reason = reason;
    exit->qualification = qualification;
    return IOV_VMX_EXITS;
}

static enum iov_vmx_decision exits_if(bool condition, struct iov_exit *exit, uint32_t reason)
{
    return condition ? exits(exit, reason, 0) : IOV_VMX_EXECUTE;
}

/* ---- I/O instructions: 26.1.3, 25.6.4 ---- */

static bool io_bitmap_set(IovCpu *self, const struct iov_vmcs *vmcs, uint32_t port, uint32_t size)
{
    if (port + size > 0x10000) /* SPEC: 26.1.3: an access that wraps round exits */
        return true;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t number = port + i;
        iov_hpa bitmap = vmcs->field[number < 0x8000 ? VMCS_IO_BITMAP_A : VMCS_IO_BITMAP_B];

        if (iov_cpu_read8(self, bitmap + (number & 0x7fff) / 8) >> (number & 7) & 1)
            return true;
    }
    return false;
}

static enum iov_vmx_decision decide_io(IovCpu *self, const struct iov_vmcs *vmcs,
                                       const struct iov_op *op, struct iov_exit *exit)
{
    bool in = op->kind == IOV_OP_IN || op->kind == IOV_OP_INS;
    bool string = op->kind == IOV_OP_INS || op->kind == IOV_OP_OUTS;
    uint32_t port = op->index & 0xffff;
    uint64_t qualification = (op->size - 1) & IOV_QUAL_IO_SIZE;

    /* The bitmaps take the place of unconditional exiting. */
    if (iov_vmcs_primary(vmcs, IOV_PRIMARY_IO_BITMAPS)) {
        if (!io_bitmap_set(self, vmcs, port, op->size))
            return IOV_VMX_EXECUTE;
    } else if (!iov_vmcs_primary(vmcs, IOV_PRIMARY_UNCONDITIONAL_IO)) {
        return IOV_VMX_EXECUTE;
    }
    qualification |= (in ? IOV_QUAL_IO_IN : 0) | (string ? IOV_QUAL_IO_STRING : 0) |
                     (string && op->count > 1 ? IOV_QUAL_IO_REP : 0) |
                     (op->flags & IOV_OP_IMMEDIATE && !string ? IOV_QUAL_IO_IMMEDIATE : 0) |
                     (uint64_t)port << IOV_QUAL_IO_PORT_SHIFT;
    if (string) {
        exit->guest_linear = op->linear;
        exit->instruction_info = 2u << 7; /* 64-bit addresses */
    }
    return exits(exit, IOV_EXIT_IO_INSTRUCTION, qualification);
}

/* ---- MSR bitmaps: 26.1.3, 25.6.9 ---- */

static bool msr_bitmap_set(IovCpu *self, const struct iov_vmcs *vmcs, uint32_t msr, bool write)
{
    uint32_t part;

    if (msr <= 0x1fff)
        part = write ? IOV_MSR_BITMAP_WRITE_LOW : IOV_MSR_BITMAP_READ_LOW;
    else if (msr >= 0xc0000000 && msr <= 0xc0001fff)
        part = write ? IOV_MSR_BITMAP_WRITE_HIGH : IOV_MSR_BITMAP_READ_HIGH;
    else
        return true;
    msr &= 0x1fff;
    return iov_cpu_read8(self, vmcs->field[VMCS_MSR_BITMAP] + part + msr / 8) >> (msr & 7) & 1;
}

static enum iov_vmx_decision decide_msr(IovCpu *self, const struct iov_vmcs *vmcs,
                                        const struct iov_op *op, struct iov_exit *exit)
{
    bool write = op->kind == IOV_OP_WRMSR;
    bool bitmaps = iov_vmcs_primary(vmcs, IOV_PRIMARY_MSR_BITMAPS);

    return exits_if(!bitmaps || msr_bitmap_set(self, vmcs, op->index, write), exit,
                    write ? IOV_EXIT_MSR_WRITE : IOV_EXIT_MSR_READ);
}

/* ---- Control and debug registers: 26.1.3, 26.3 ---- */

static enum iov_vmx_decision cr_exit(const struct iov_op *op, struct iov_exit *exit,
                                     unsigned number, unsigned type)
{
    uint64_t qualification = number | type << IOV_QUAL_CR_TYPE_SHIFT;

    if (type == IOV_QUAL_CR_TO || type == IOV_QUAL_CR_FROM)
        qualification |= (uint64_t)(op->reg & 0xf) << IOV_QUAL_CR_REGISTER_SHIFT;
    if (type == IOV_QUAL_CR_LMSW) {
        qualification |= (op->value[0] & 0xffff) << IOV_QUAL_CR_LMSW_SHIFT;
        if (op->linear != 0) { /* the operand is in memory */
            qualification |= IOV_QUAL_CR_LMSW_MEMORY;
            exit->guest_linear = op->linear;
        }
    }
    return exits(exit, IOV_EXIT_CR_ACCESS, qualification);
}

static bool is_cr3_target(const struct iov_vmcs *vmcs, uint64_t value)
{
    uint64_t count = MIN(vmcs->field[VMCS_CR3_TARGET_COUNT], 4);

    for (uint64_t i = 0; i < count; i++) {
        if (vmcs->field[VMCS_CR3_TARGET0 + i] == value)
            return true;
    }
    return false;
}

static enum iov_vmx_decision decide_mov_to_cr(const struct iov_vmcs *vmcs, const struct iov_op *op,
                                              struct iov_exit *exit)
{
    bool exit_taken = false;

    switch (op->index) {
    case 0:
        exit_taken =
            ((op->value[0] ^ vmcs->field[VMCS_CR0_SHADOW]) & vmcs->field[VMCS_CR0_MASK]) != 0;
        break;
    case 3:
        exit_taken =
            iov_vmcs_primary(vmcs, IOV_PRIMARY_CR3_LOAD) && !is_cr3_target(vmcs, op->value[0]);
        break;
    case 4:
        exit_taken =
            ((op->value[0] ^ vmcs->field[VMCS_CR4_SHADOW]) & vmcs->field[VMCS_CR4_MASK]) != 0;
        break;
    case 8:
        exit_taken = iov_vmcs_primary(vmcs, IOV_PRIMARY_CR8_LOAD);
        break;
    case 2:
        break;
    default:
        return IOV_VMX_UNDEFINED;
    }
    if (exit_taken)
        return cr_exit(op, exit, op->index, IOV_QUAL_CR_TO);
    return op->index == 8 && op->value[0] > 0xf ? IOV_VMX_PROTECTION : IOV_VMX_EXECUTE;
}

static enum iov_vmx_decision decide_mov_from_cr(const struct iov_vmcs *vmcs,
                                                const struct iov_op *op, struct iov_exit *exit)
{
    bool exit_taken = (op->index == 3 && iov_vmcs_primary(vmcs, IOV_PRIMARY_CR3_STORE)) ||
                      (op->index == 8 && iov_vmcs_primary(vmcs, IOV_PRIMARY_CR8_STORE));

    if (op->index != 0 && op->index != 2 && op->index != 3 && op->index != 4 && op->index != 8)
        return IOV_VMX_UNDEFINED;
    return exit_taken ? cr_exit(op, exit, op->index, IOV_QUAL_CR_FROM) : IOV_VMX_EXECUTE;
}

/* CLTS exits if the host owns TS and the guest sees it set. */
static bool clts_exits(const struct iov_vmcs *vmcs)
{
    return vmcs->field[VMCS_CR0_MASK] & vmcs->field[VMCS_CR0_SHADOW] & 8;
}

/* LMSW cannot clear PE: only setting it counts; of MP, EM and TS any difference counts. */
static bool lmsw_exits(const struct iov_vmcs *vmcs, uint64_t source)
{
    uint64_t mask = vmcs->field[VMCS_CR0_MASK];
    uint64_t shadow = vmcs->field[VMCS_CR0_SHADOW];

    return (mask & source & ~shadow & 1) != 0 || ((source ^ shadow) & mask & 0xe) != 0;
}

static enum iov_vmx_decision decide_dr(const struct iov_vmcs *vmcs, const struct iov_op *op,
                                       struct iov_exit *exit)
{
    uint64_t qualification = (op->index & IOV_QUAL_DR_NUMBER) | (uint64_t)(op->reg & 0xf)
                                                                    << IOV_QUAL_DR_REGISTER_SHIFT;

    if (op->kind == IOV_OP_MOV_FROM_DR)
        qualification |= IOV_QUAL_DR_FROM;
    if (!iov_vmcs_primary(vmcs, IOV_PRIMARY_MOV_DR))
        return IOV_VMX_EXECUTE;
    return exits(exit, IOV_EXIT_DR_ACCESS, qualification);
}

/* ---- PAUSE: 26.1.3 ---- */

static iov_time tsc_ticks(const IovCpu *self, uint64_t ticks)
{
    return (iov_time)((unsigned __int128)ticks * IOV_SEC / self->frequency);
}

bool iov_vmx_pauses_exit(const IovCpu *self, const struct iov_vmcs *vmcs, iov_time period)
{
    return iov_vmcs_primary(vmcs, IOV_PRIMARY_PAUSE) ||
           (iov_vmcs_secondary(vmcs, IOV_SECONDARY_PAUSE_LOOP) &&
            period <= tsc_ticks(self, vmcs->field[VMCS_PLE_GAP]));
}

static enum iov_vmx_decision decide_pause(IovCpu *self, struct iov_vmcs *vmcs,
                                          struct iov_exit *exit)
{
    iov_time now = iov_cpu_now(self);
    bool in_loop;

    if (iov_vmcs_primary(vmcs, IOV_PRIMARY_PAUSE))
        return exits(exit, IOV_EXIT_PAUSE_INSTRUCTION, 0);
    if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_PAUSE_LOOP))
        return IOV_VMX_EXECUTE;
    in_loop = vmcs->pause_last != 0 &&
              now - vmcs->pause_last <= tsc_ticks(self, vmcs->field[VMCS_PLE_GAP]);
    vmcs->pause_last = now;
    if (!in_loop)
        vmcs->pause_first = now;
    if (!in_loop || now - vmcs->pause_first <= tsc_ticks(self, vmcs->field[VMCS_PLE_WINDOW]))
        return IOV_VMX_EXECUTE;
    return exits(exit, IOV_EXIT_PAUSE_INSTRUCTION, 0);
}

/* ---- Exceptions: 26.2, 28.2.2 ---- */

bool iov_exception_has_error(uint8_t vector)
{
    return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

static unsigned exception_type(uint8_t vector)
{
    if (vector == 2)
        return IOV_EVENT_NMI;
    return vector == 3 || vector == 4 ? IOV_EVENT_SOFTWARE_EXCEPTION : IOV_EVENT_HARDWARE_EXCEPTION;
}

bool iov_vmx_exception_exits(const struct iov_vmcs *vmcs, uint8_t vector, uint32_t error_code,
                             uint64_t linear, struct iov_exit *exit)
{
    bool bit = vmcs->field[VMCS_EXCEPTION_BITMAP] >> (vector & 31) & 1;
    bool match;

    if (vector == 2) {
        if (!iov_vmcs_pin(vmcs, IOV_PIN_NMI))
            return false;
    } else if (vector == 14) {
        /* SPEC: 25.6.3: the bit decides if the error code matches, its opposite if it does not. */
        match = (error_code & vmcs->field[VMCS_PFEC_MASK]) == vmcs->field[VMCS_PFEC_MATCH];
        if (bit != match)
            return false;
    } else if (!bit) {
        return false;
    }
    exit->reason = IOV_EXIT_EXCEPTION_NMI;
    exit->qualification =
        vector == 14 || vector == 1 ? linear : 0; /* #DB: the debug bits are passed there */
    exit->interruption_info = IOV_INTERRUPTION(exception_type(vector), vector);
    if (iov_exception_has_error(vector)) {
        exit->interruption_info |= IOV_INTERRUPTION_ERROR_CODE;
        exit->interruption_error = error_code;
    }
    return true;
}

/* ---- The others ---- */

static enum iov_vmx_decision decide_xsaves(const IovCpu *self, const struct iov_vmcs *vmcs,
                                           const struct iov_op *op, struct iov_exit *exit)
{
    uint64_t xss = 0;

    if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_XSAVES))
        return IOV_VMX_UNDEFINED;
    for (unsigned i = 0; i < self->msr_count; i++) {
        if (self->msrs[i].index == IOV_MSR_XSS)
            xss = self->msrs[i].value;
    }
    return exits_if((op->value[0] & xss & vmcs->field[VMCS_XSS_EXITING_BITMAP]) != 0, exit,
                    op->kind == IOV_OP_XSAVES ? IOV_EXIT_XSAVES : IOV_EXIT_XRSTORS);
}

static enum iov_vmx_decision decide_encls(const struct iov_vmcs *vmcs, const struct iov_op *op,
                                          struct iov_exit *exit)
{
    unsigned leaf = op->value[0] < 63 ? (unsigned)op->value[0] : 63;

    if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_ENCLS))
        return IOV_VMX_UNDEFINED; /* there is no SGX */
    return vmcs->field[VMCS_ENCLS_EXITING_BITMAP] >> leaf & 1 ? exits(exit, IOV_EXIT_ENCLS, 0)
                                                              : IOV_VMX_UNDEFINED;
}

/* Instructions that exist only if a secondary control enables them. */
static enum iov_vmx_decision decide_enabled(const struct iov_vmcs *vmcs, const struct iov_op *op,
                                            struct iov_exit *exit)
{
    switch (op->kind) {
    case IOV_OP_RDTSCP:
        if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_RDTSCP))
            return IOV_VMX_UNDEFINED;
        return exits_if(iov_vmcs_primary(vmcs, IOV_PRIMARY_RDTSC), exit, IOV_EXIT_RDTSCP);
    case IOV_OP_INVPCID:
        if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_INVPCID))
            return IOV_VMX_UNDEFINED;
        return exits_if(iov_vmcs_primary(vmcs, IOV_PRIMARY_INVLPG), exit, IOV_EXIT_INVPCID);
    default: /* VMFUNC; LIMIT: no VM function is implemented, so an enabled one exits */
        if (!iov_vmcs_secondary(vmcs, IOV_SECONDARY_VMFUNC))
            return IOV_VMX_UNDEFINED;
        return exits(exit, IOV_EXIT_VMFUNC, 0);
    }
}

/* Instructions that always exit, or that have one control. */
static enum iov_vmx_decision decide_plain(const struct iov_vmcs *vmcs, const struct iov_op *op,
                                          struct iov_exit *exit)
{
    switch (op->kind) {
    case IOV_OP_CPUID: /* SPEC: 26.1.2: these exit always */
        return exits(exit, IOV_EXIT_CPUID, 0);
    case IOV_OP_GETSEC:
        return exits(exit, IOV_EXIT_GETSEC, 0);
    case IOV_OP_INVD:
        return exits(exit, IOV_EXIT_INVD, 0);
    case IOV_OP_XSETBV:
        return exits(exit, IOV_EXIT_XSETBV, 0);
    case IOV_OP_VMCALL:
        return exits(exit, IOV_EXIT_VMCALL, 0);
    case IOV_OP_VMX:
        return exits(exit, op->index, op->linear);
    case IOV_OP_TASK_SWITCH:
        return exits(exit, IOV_EXIT_TASK_SWITCH, op->value[0]);
    case IOV_OP_HLT: /* SPEC: 26.1.3: these depend on a control */
        return exits_if(iov_vmcs_primary(vmcs, IOV_PRIMARY_HLT), exit, IOV_EXIT_HLT);
    case IOV_OP_INVLPG:
        return iov_vmcs_primary(vmcs, IOV_PRIMARY_INVLPG) ? exits(exit, IOV_EXIT_INVLPG, op->linear)
                                                          : IOV_VMX_EXECUTE;
    case IOV_OP_MONITOR:
        return exits_if(iov_vmcs_primary(vmcs, IOV_PRIMARY_MONITOR), exit,
                        IOV_EXIT_MONITOR_INSTRUCTION);
    case IOV_OP_MWAIT: /* the qualification says whether the monitor is armed: LIMIT: it never is */
        return exits_if(iov_vmcs_primary(vmcs, IOV_PRIMARY_MWAIT), exit,
                        IOV_EXIT_MWAIT_INSTRUCTION);
    case IOV_OP_RDPMC:
        return exits_if(iov_vmcs_primary(vmcs, IOV_PRIMARY_RDPMC), exit, IOV_EXIT_RDPMC);
    case IOV_OP_RDTSC:
        return exits_if(iov_vmcs_primary(vmcs, IOV_PRIMARY_RDTSC), exit, IOV_EXIT_RDTSC);
    case IOV_OP_WBINVD:
        return exits_if(iov_vmcs_secondary(vmcs, IOV_SECONDARY_WBINVD), exit, IOV_EXIT_WBINVD);
    case IOV_OP_RDRAND:
        return exits_if(iov_vmcs_secondary(vmcs, IOV_SECONDARY_RDRAND), exit, IOV_EXIT_RDRAND);
    case IOV_OP_RDSEED:
        return exits_if(iov_vmcs_secondary(vmcs, IOV_SECONDARY_RDSEED), exit, IOV_EXIT_RDSEED);
    case IOV_OP_DESCRIPTOR_TABLE:
        exit->guest_linear = op->linear;
        return exits_if(iov_vmcs_secondary(vmcs, IOV_SECONDARY_DESCRIPTOR_TABLE), exit,
                        IOV_EXIT_GDTR_IDTR);
    case IOV_OP_TASK_REGISTER:
        return exits_if(iov_vmcs_secondary(vmcs, IOV_SECONDARY_DESCRIPTOR_TABLE), exit,
                        IOV_EXIT_LDTR_TR);
    case IOV_OP_RSM:
        return IOV_VMX_UNDEFINED;
    default:
        return IOV_VMX_EXECUTE;
    }
}

enum iov_vmx_decision iov_vmx_decide(IovCpu *self, struct iov_vmcs *vmcs, struct iov_op *op,
                                     struct iov_exit *exit)
{
    *exit = (struct iov_exit){ .instruction_length = iov_op_length(op), .op = op };
    switch (op->kind) {
    case IOV_OP_IN:
    case IOV_OP_OUT:
    case IOV_OP_INS:
    case IOV_OP_OUTS:
        return decide_io(self, vmcs, op, exit);
    case IOV_OP_RDMSR:
    case IOV_OP_WRMSR:
        return decide_msr(self, vmcs, op, exit);
    case IOV_OP_MOV_TO_CR:
        return decide_mov_to_cr(vmcs, op, exit);
    case IOV_OP_MOV_FROM_CR:
        return decide_mov_from_cr(vmcs, op, exit);
    case IOV_OP_CLTS:
        return clts_exits(vmcs) ? cr_exit(op, exit, 0, IOV_QUAL_CR_CLTS) : IOV_VMX_EXECUTE;
    case IOV_OP_LMSW:
        return lmsw_exits(vmcs, op->value[0]) ? cr_exit(op, exit, 0, IOV_QUAL_CR_LMSW)
                                              : IOV_VMX_EXECUTE;
    case IOV_OP_MOV_TO_DR:
    case IOV_OP_MOV_FROM_DR:
        return decide_dr(vmcs, op, exit);
    case IOV_OP_PAUSE:
        return decide_pause(self, vmcs, exit);
    case IOV_OP_XSAVES:
    case IOV_OP_XRSTORS:
        return decide_xsaves(self, vmcs, op, exit);
    case IOV_OP_ENCLS:
        return decide_encls(vmcs, op, exit);
    case IOV_OP_RDTSCP:
    case IOV_OP_INVPCID:
    case IOV_OP_VMFUNC:
        return decide_enabled(vmcs, op, exit);
    default:
        return decide_plain(vmcs, op, exit);
    }
}
