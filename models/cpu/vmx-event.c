/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events at the boundaries of non-root operation, in the order of their priority (SDM vol. 3C, 26.2
 * and 26.3; vol. 3A, table 6-2): monitor trap flag, VMX-preemption timer, NMI window, interrupt
 * window or virtual interrupt, external interrupt.
 *
 * An external interrupt exits whatever RFLAGS.IF says if the pin control is set; with
 * posted-interrupt processing its vector decides. LIMIT: physical NMIs, SMIs, INIT and SIPI do not
 * arrive.
 */
#include "models/cpu/cpu-private.h"

enum { VECTOR_NP = 11 };

enum event {
    EVENT_NONE,
    EVENT_THRESHOLD,
    EVENT_TRAP,
    EVENT_TIMER,
    EVENT_NMI_WINDOW,
    EVENT_INTERRUPT_WINDOW,
    EVENT_VIRTUAL,
    EVENT_EXTERNAL, /* exit or posted */
    EVENT_NATIVE,   /* through the guest's own gate */
};

static enum event next_event(IovCpu *self, const struct iov_exec *exec, const struct iov_vmcs *vmcs)
{
    bool open = exec->interrupts && exec->blocking == 0;

    if (vmcs->threshold_pending)
        return EVENT_THRESHOLD;
    if (vmcs->trap_pending)
        return EVENT_TRAP;
    if (iov_cpu_now(self) >= self->timer_due)
        return EVENT_TIMER;
    if (iov_vmcs_primary(vmcs, IOV_PRIMARY_NMI_WINDOW) && !(exec->blocking & IOV_BLOCKING_MOV_SS) &&
        !(vmcs->field[VMCS_GUEST_INTERRUPTIBILITY] & IOV_INTERRUPTIBILITY_NMI))
        return EVENT_NMI_WINDOW;
    if (open) {
        if (iov_vmcs_primary(vmcs, IOV_PRIMARY_INTERRUPT_WINDOW))
            return EVENT_INTERRUPT_WINDOW;
        if (iov_vapic_recognised(vmcs))
            return EVENT_VIRTUAL;
    }
    if (!self->physical)
        return EVENT_NONE;
    if (iov_vmcs_pin(vmcs, IOV_PIN_EXTERNAL_INTERRUPT))
        return EVENT_EXTERNAL;
    return open ? EVENT_NATIVE : EVENT_NONE;
}

static void exit_for(struct iov_exec *exec, uint32_t reason, uint32_t interruption_info)
{
    struct iov_exit exit = { .reason = reason, .interruption_info = interruption_info };

    iov_vmx_exit(exec, &exit);
}

/* SPEC: 30.6: the notification vector is acknowledged and its EOI sent; anything else exits as
 * usual. */
static void external(struct iov_exec *exec, IovCpu *self, struct iov_vmcs *vmcs)
{
    uint8_t vector;

    if (!(vmcs->field[VMCS_EXIT_CONTROLS] & IOV_EXITCTL_ACKNOWLEDGE)) {
        exit_for(exec, IOV_EXIT_EXTERNAL_INTERRUPT, 0);
        return;
    }
    vector = iov_cpu_acknowledge(self);
    if (iov_vmcs_pin(vmcs, IOV_PIN_POSTED_INTERRUPTS) &&
        vector == vmcs->field[VMCS_POSTED_INTERRUPT_VECTOR]) {
        self->apic->ops->write(self->apic, IOV_APIC_EOI, 0);
        self->notifications++;
        iov_cpu_claim(exec, self, self->apic->span);
        self->apic->span = NULL;
        iov_cpu_charge(exec, self->cost_posted, IOV_PART_INTERRUPT);
        iov_vapic_process_posted(self, vmcs);
        self->attention = true;
        return;
    }
    exit_for(exec, IOV_EXIT_EXTERNAL_INTERRUPT, IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, vector));
}

/*
 * Without external-interrupt exiting an interrupt goes through the guest's own gate (SDM vol.
 * 3A, 6.14), if the VMCS says where the gates are; one that is not present is #NP with the vector
 * in the error code, and that exits if the exception bitmap says so.
 * LIMIT: guests' programs are no machine code and have no page tables: the base is a host-physical
 * address, and the low byte of a gate's offset is the vector whose handler runs. Outside of the
 * limit counts as not present.
 */
static void native(struct iov_exec *exec, IovCpu *self, const struct iov_vmcs *vmcs)
{
    uint8_t vector = iov_cpu_acknowledge(self);
    uint64_t place = UINT64_C(16) * vector, base = vmcs->field[VMCS_GUEST_IDTR_BASE];
    uint32_t error = (uint32_t)vector << 3 | IOV_ERROR_IDT | IOV_ERROR_EXTERNAL;
    struct iov_exit exit = { 0 };

    if (vmcs->field[VMCS_GUEST_IDTR_LIMIT] == 0) {
        iov_cpu_deliver_interrupt(exec, vector, self->apic->span);
    } else if (place + 15 <= vmcs->field[VMCS_GUEST_IDTR_LIMIT] &&
               iov_cpu_read8(self, base + place + 5) & IOV_GATE_PRESENT) {
        iov_cpu_deliver_interrupt(exec, iov_cpu_read8(self, base + place), self->apic->span);
    } else if (iov_vmx_exception_exits(vmcs, VECTOR_NP, error, 0, &exit)) {
        exit.idt_vectoring_info = IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, vector);
        iov_vmx_exit(exec, &exit);
    } else {
        iov_cpu_deliver_exception(exec, VECTOR_NP, error);
    }
}

bool iov_vmx_service(struct iov_exec *exec)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;

    switch (next_event(self, exec, vmcs)) {
    case EVENT_NONE:
        return false;
    case EVENT_THRESHOLD:
        vmcs->threshold_pending = false;
        exit_for(exec, IOV_EXIT_TPR_BELOW_THRESHOLD, 0);
        break;
    case EVENT_TRAP:
        vmcs->trap_pending = false;
        exit_for(exec, IOV_EXIT_MONITOR_TRAP_FLAG, 0);
        break;
    case EVENT_TIMER:
        exit_for(exec, IOV_EXIT_PREEMPTION_TIMER, 0);
        break;
    case EVENT_NMI_WINDOW:
        exit_for(exec, IOV_EXIT_NMI_WINDOW, 0);
        break;
    case EVENT_INTERRUPT_WINDOW:
        exit_for(exec, IOV_EXIT_INTERRUPT_WINDOW, 0);
        break;
    case EVENT_VIRTUAL:
        iov_vapic_deliver(exec);
        break;
    case EVENT_EXTERNAL:
        external(exec, self, vmcs);
        break;
    case EVENT_NATIVE:
        native(exec, self, vmcs);
        break;
    }
    return true;
}

bool iov_vmx_deliverable(IovCpu *self, const struct iov_exec *exec)
{
    return next_event(self, exec, exec->vmcs) != EVENT_NONE;
}

bool iov_vmx_watchful(const IovCpu *self, const struct iov_exec *exec)
{
    const struct iov_vmcs *vmcs = exec->vmcs;

    return iov_vmcs_primary(vmcs, IOV_PRIMARY_INTERRUPT_WINDOW | IOV_PRIMARY_NMI_WINDOW) ||
           iov_vapic_recognised(vmcs) || self->physical;
}
