/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: the interrupt boundary before each, the decision of non-root operation, and the
 * execution of what does not exit.
 *
 * An operation that exits and is emulated by the monitor is done; one that is to be retried passes
 * the boundary again first. Timing: the cost row of the operation's kind, in the stream's own part.
 * LIMIT: faults of privilege do not occur; MONITOR does not watch memory, so MWAIT is a HLT; IRET,
 * POPF and STI matter for RFLAGS.IF only.
 */
#include <string.h>

#include "models/cpu/cpu-private.h"

enum { VECTOR_UD = 6, VECTOR_GP = 13 };

void iov_cpu_raise(struct iov_exec *exec, uint8_t vector, uint32_t error_code, uint64_t linear)
{
    struct iov_exit exit = { 0 };

    if (exec->vmcs != NULL &&
        iov_vmx_exception_exits(exec->vmcs, vector, error_code, linear, &exit)) {
        iov_vmx_exit(exec, &exit);
        return;
    }
    iov_cpu_deliver_exception(exec, vector, error_code);
}

/* ---- I/O ---- */

static void port_access(struct iov_exec *exec, struct iov_op *op, bool in, void *data)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_mem_req req = {
        .address = op->index & 0xffff,
        .data = data,
        .size = op->size,
        .pasid = IOV_NO_PASID,
    };

    iov_cpu_charge(exec, self->cost_port, (enum iov_part)exec->part);
    op->status = in ? iov_mem_read_req(&self->ports, &req) : iov_mem_write_req(&self->ports, &req);
    iov_cpu_charge(exec, req.delay, IOV_PART_PCIE);
}

static void execute_io(struct iov_exec *exec, struct iov_op *op)
{
    uint32_t count = op->count > 1 ? op->count : 1;
    bool in = op->kind == IOV_OP_IN || op->kind == IOV_OP_INS;

    if (op->size != 1 && op->size != 2 && op->size != 4) {
        iov_cpu_raise(exec, VECTOR_UD, 0, 0);
        return;
    }
    if (op->kind == IOV_OP_IN || op->kind == IOV_OP_OUT) {
        if (in)
            op->value[0] = 0;
        port_access(exec, op, in, &op->value[0]); /* little-endian */
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        port_access(exec, op, in, (uint8_t *)op->data + (size_t)i * op->size);
}

/* ---- Registers ---- */

/* What a guest reads of CR0 and CR4: its own bits, and the shadow where the host owns them
 * (26.3). */
static uint64_t shadowed(const struct iov_vmcs *vmcs, unsigned guest, unsigned mask,
                         unsigned shadow)
{
    return (vmcs->field[guest] & ~vmcs->field[mask]) | (vmcs->field[shadow] & vmcs->field[mask]);
}

static void read_control(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);
    const struct iov_vmcs *vmcs = exec->vmcs;
    uint64_t tpr = 0;

    if (op->index == 8) {
        if (vmcs != NULL && iov_vmcs_primary(vmcs, IOV_PRIMARY_TPR_SHADOW))
            tpr = iov_vapic_read_tpr(vmcs);
        else
            self->apic->ops->read(self->apic, IOV_APIC_TPR, &tpr);
        op->value[0] = tpr >> 4 & 0xf;
    } else if (vmcs != NULL && op->index == 0) {
        op->value[0] = shadowed(vmcs, VMCS_GUEST_CR0, VMCS_CR0_MASK, VMCS_CR0_SHADOW);
    } else if (vmcs != NULL && op->index == 4) {
        op->value[0] = shadowed(vmcs, VMCS_GUEST_CR4, VMCS_CR4_MASK, VMCS_CR4_SHADOW);
    } else if (vmcs != NULL && op->index == 3) {
        op->value[0] = vmcs->field[VMCS_GUEST_CR3];
    } else {
        op->value[0] = self->control[op->index & 15];
    }
}

/* The bits that the host does not own change; those it owns are equal to the shadow, or there was
 * an exit. */
static void write_owned(struct iov_vmcs *vmcs, unsigned guest, unsigned mask, uint64_t value)
{
    vmcs->field[guest] = (vmcs->field[guest] & vmcs->field[mask]) | (value & ~vmcs->field[mask]);
}

static void write_control(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;

    if (op->index == 8) {
        if (op->value[0] > 0xf)
            iov_cpu_raise(exec, VECTOR_GP, 0, 0);
        else if (vmcs != NULL && iov_vmcs_primary(vmcs, IOV_PRIMARY_TPR_SHADOW))
            iov_vapic_write_tpr(exec, (uint8_t)(op->value[0] << 4));
        else
            self->apic->ops->write(self->apic, IOV_APIC_TPR, op->value[0] << 4);
    } else if (vmcs != NULL && op->index == 0) {
        write_owned(vmcs, VMCS_GUEST_CR0, VMCS_CR0_MASK, op->value[0]);
    } else if (vmcs != NULL && op->index == 4) {
        write_owned(vmcs, VMCS_GUEST_CR4, VMCS_CR4_MASK, op->value[0]);
    } else if (vmcs != NULL && op->index == 3) {
        vmcs->field[VMCS_GUEST_CR3] = op->value[0];
    } else {
        self->control[op->index & 15] = op->value[0];
    }
}

/* CLTS and LMSW that did not exit: the bits of CR0 that the guest owns. */
static void change_cr0(struct iov_exec *exec, uint64_t clear, uint64_t set)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;

    if (vmcs != NULL)
        write_owned(vmcs, VMCS_GUEST_CR0, VMCS_CR0_MASK,
                    (vmcs->field[VMCS_GUEST_CR0] & ~clear) | set);
    else
        self->control[0] = (self->control[0] & ~clear) | set;
}

static bool is_x2apic(uint32_t msr)
{
    return msr >= IOV_MSR_X2APIC_FIRST && msr <= IOV_MSR_X2APIC_LAST;
}

static void execute_rdmsr(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);
    bool x2apic = is_x2apic(op->index);

    if (x2apic && exec->vmcs != NULL && iov_vapic_read_msr(exec, op))
        return;
    iov_cpu_charge(exec, x2apic ? self->cost_x2apic_read : self->cost_rdmsr,
                   (enum iov_part)exec->part);
    if (!iov_msr_read(self, exec, op->index, &op->value[0])) {
        op->value[0] = 0;
        iov_cpu_raise(exec, VECTOR_GP, 0, 0);
    }
}

static void execute_wrmsr(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);
    bool x2apic = is_x2apic(op->index);

    if (x2apic && exec->vmcs != NULL && iov_vapic_write_msr(exec, op))
        return;
    iov_cpu_charge(exec, x2apic ? self->cost_x2apic_write : self->cost_wrmsr,
                   (enum iov_part)exec->part);
    if (!iov_msr_write(self, exec, op->index, op->value[0]))
        iov_cpu_raise(exec, VECTOR_GP, 0, 0);
}

/* ---- RFLAGS.IF ---- */

static void set_interrupts(struct iov_exec *exec, bool on)
{
    exec->interrupts = on;
    if (on)
        iov_cpu_of(exec)->attention = true;
}

/* None of these exits. */
static void execute_flags(struct iov_exec *exec, const struct iov_op *op)
{
    iov_cpu_charge(exec, iov_cpu_of(exec)->cost_of[op->kind], (enum iov_part)exec->part);
    switch (op->kind) {
    case IOV_OP_CLI:
        exec->interrupts = false;
        break;
    case IOV_OP_STI: /* SPEC: SDM vol. 2, STI: the shadow exists only if IF was clear */
        if (!exec->interrupts)
            exec->blocking |= IOV_BLOCKING_STI;
        set_interrupts(exec, true);
        break;
    case IOV_OP_MOV_SS:
        exec->blocking |= IOV_BLOCKING_MOV_SS;
        break;
    case IOV_OP_IRET: /* ends the blocking of NMIs */
        if (exec->vmcs != NULL)
            exec->vmcs->field[VMCS_GUEST_INTERRUPTIBILITY] &= ~(uint64_t)IOV_INTERRUPTIBILITY_NMI;
        set_interrupts(exec, op->value[0] >> 9 & 1);
        break;
    default: /* POPF */
        set_interrupts(exec, op->value[0] >> 9 & 1);
        break;
    }
}

/* ---- Execution ---- */

static void execute_random(struct iov_exec *exec, struct iov_op *op)
{
    op->value[0] = iov_random_u64(&iov_cpu_of(exec)->parent_instance.random);
}

static void execute(struct iov_exec *exec, struct iov_op *op)
{
    IovCpu *self = iov_cpu_of(exec);

    if (op->kind < IOV_OP_COUNT)
        iov_cpu_charge(exec, self->cost_of[op->kind], (enum iov_part)exec->part);
    switch (op->kind) {
    case IOV_OP_IN:
    case IOV_OP_OUT:
    case IOV_OP_INS:
    case IOV_OP_OUTS:
        execute_io(exec, op);
        break;
    case IOV_OP_CPUID:
        iov_cpuid(self, op);
        break;
    case IOV_OP_RDMSR:
        execute_rdmsr(exec, op);
        break;
    case IOV_OP_WRMSR:
        execute_wrmsr(exec, op);
        break;
    case IOV_OP_HLT:
    case IOV_OP_MWAIT:
        iov_cpu_halt(exec, false);
        break;
    case IOV_OP_MOV_TO_CR:
        write_control(exec, op);
        break;
    case IOV_OP_MOV_FROM_CR:
        read_control(exec, op);
        break;
    case IOV_OP_CLTS:
        change_cr0(exec, 8, 0);
        break;
    case IOV_OP_LMSW:
        change_cr0(exec, 0xe, op->value[0] & 0xf);
        break;
    case IOV_OP_MOV_TO_DR:
        self->debug[op->index & 7] = op->value[0];
        break;
    case IOV_OP_MOV_FROM_DR:
        op->value[0] = self->debug[op->index & 7];
        break;
    case IOV_OP_RDTSC:
    case IOV_OP_RDTSCP:
        op->value[0] = iov_cpu_guest_tsc(self, exec);
        break;
    case IOV_OP_RDRAND:
    case IOV_OP_RDSEED:
        execute_random(exec, op);
        break;
    case IOV_OP_INVLPG:
        if (exec->vmcs != NULL)
            iov_tlb_flush_linear(self,
                                 iov_vmcs_secondary(exec->vmcs, IOV_SECONDARY_VPID)
                                     ? (uint16_t)exec->vmcs->field[VMCS_VPID]
                                     : 0,
                                 op->linear);
        break;
    case IOV_OP_VMCALL: /* outside of non-root operation there is nobody to call */
    case IOV_OP_VMX:
    case IOV_OP_VMFUNC:
    case IOV_OP_GETSEC:
    case IOV_OP_RSM:
    case IOV_OP_ENCLS:
        iov_cpu_raise(exec, VECTOR_UD, 0, 0);
        break;
    case IOV_OP_EXCEPTION:
        iov_cpu_raise(exec, (uint8_t)op->index, (uint32_t)op->value[0], op->linear);
        break;
    default: /* takes its time and changes nothing that is modelled */
        break;
    }
}

/* Non-root operation: exits and retries until the operation is done. */
static void operate_guest(struct iov_exec *exec, struct iov_op *op)
{
    for (;;) {
        IovCpu *self = iov_cpu_of(exec);
        struct iov_exit exit;

        switch (iov_vmx_decide(self, exec->vmcs, op, &exit)) {
        case IOV_VMX_EXECUTE:
            execute(exec, op);
            return;
        case IOV_VMX_UNDEFINED:
            iov_cpu_raise(exec, VECTOR_UD, 0, 0);
            return;
        case IOV_VMX_PROTECTION:
            iov_cpu_raise(exec, VECTOR_GP, 0, 0);
            return;
        case IOV_VMX_EXITS:
            break;
        }
        if (iov_vmx_exit(exec, &exit) == IOV_RESUME_NEXT)
            return;
        iov_cpu_service(exec);
    }
}

static __attribute__((noinline)) void operate(struct iov_exec *exec, struct iov_op *op)
{
    uint8_t shadow;

    iov_cpu_service(exec);
    exec->operations++;
    iov_cpu_of(exec)->operations++;
    iov_cpu_step(iov_cpu_of(exec));
    shadow = exec->blocking;
    if (op->kind <= IOV_OP_STORE)
        iov_cpu_access_memory(exec, op);
    else if (op->kind >= IOV_OP_CLI && op->kind < IOV_OP_COUNT)
        execute_flags(exec, op);
    else if (exec->vmcs != NULL)
        operate_guest(exec, op);
    else
        execute(exec, op);
    exec->blocking &= (uint8_t)~shadow;
    /* A virtual interrupt that ended it comes before whatever the program computes next, as an
     * injected one does. */
    if (op->kind == IOV_OP_HLT && exec->vmcs != NULL && iov_vapic_recognised(exec->vmcs))
        iov_cpu_service(exec);
    if (G_UNLIKELY(exec->vmcs != NULL && iov_vmcs_primary(exec->vmcs, IOV_PRIMARY_MONITOR_TRAP))) {
        exec->vmcs->trap_pending = true;
        iov_cpu_of(exec)->attention = true;
    }
}

void iov_cpu_operate(struct iov_exec *exec, struct iov_op *op)
{
    if (op->kind > IOV_OP_STORE || !(op->flags & IOV_OP_FREE))
        operate(exec, op);
    else if (!iov_cpu_access_cached(exec, op))
        iov_cpu_access_memory(exec, op);
}
