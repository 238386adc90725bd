/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VM entries and VM exits (SDM vol. 3C, chapters 27 and 28).
 *
 * An exit is a nested call: save the guest's state, charge the exit, call the monitor in root
 * operation, check and load the guest's state, charge the entry, inject. The monitor may have moved
 * its thread meanwhile, so the processor is looked up again after every call. RFLAGS.IF of the
 * host's stream is cleared by an exit, as the hardware does; it is for the monitor to set it.
 *
 * LIMIT: register state beyond what the models use is kept as the monitor wrote it. No VMX abort; a
 * failure in an MSR area of an exit is ignored. A VMRESUME that fails as VMfailValid is reported to
 * the monitor as an entry failure with reason 33.
 */
#include <string.h>

#include "models/cpu/cpu-private.h"

enum { ENTRY_ATTEMPTS = 4 }; /* a monitor that cannot repair its VMCS is ours to repair */

static uint32_t field32(const struct iov_vmcs *vmcs, unsigned slot)
{
    return (uint32_t)vmcs->field[slot];
}

/* ---- MSR areas: 27.4, 28.4, 28.6 ---- */

struct msr_entry {
    uint32_t index;
    uint32_t reserved;
    uint64_t value;
};

/* The number of the entry that failed, from 1, or 0. */
static uint32_t msrs_load(struct iov_exec *exec, IovCpu *self, uint64_t address, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct msr_entry entry;

        if (!iov_cpu_copy_from(self, address + i * 16, &entry, sizeof entry) ||
            entry.reserved != 0 || entry.index == IOV_MSR_FS_BASE ||
            entry.index == IOV_MSR_GS_BASE || entry.index >> 8 == 8 ||
            !iov_msr_write(self, exec, entry.index, entry.value))
            return i + 1;
        iov_cpu_charge(exec, self->cost_wrmsr, IOV_PART_EXIT);
    }
    return 0;
}

static void msrs_store(struct iov_exec *exec, IovCpu *self, uint64_t address, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct msr_entry entry;

        if (!iov_cpu_copy_from(self, address + i * 16, &entry, sizeof entry) ||
            entry.reserved != 0 || !iov_msr_read(self, exec, entry.index, &entry.value))
            return;
        iov_cpu_copy_to(self, address + i * 16, &entry, sizeof entry);
        iov_cpu_charge(exec, self->cost_rdmsr, IOV_PART_EXIT);
    }
}

/* ---- Exit ---- */

static void timer_stop(IovCpu *self, struct iov_vmcs *vmcs)
{
    iov_time now = iov_cpu_now(self);
    iov_time left;

    if (self->timer_due == IOV_TIME_MAX)
        return;
    left = self->timer_due > now ? self->timer_due - now : 0;
    if (vmcs->field[VMCS_EXIT_CONTROLS] & IOV_EXITCTL_SAVE_TIMER)
        vmcs->field[VMCS_PREEMPTION_TIMER] =
            (uint32_t)((unsigned __int128)left * self->frequency / IOV_SEC >>
                       self->preemption_timer_rate);
    self->timer_due = IOV_TIME_MAX;
}

static void record_exit(struct iov_exec *exec, IovCpu *self, struct iov_vmcs *vmcs,
                        const struct iov_exit *exit)
{
    struct iov_measure *measure = self->parent_instance.run->measure;
    uint32_t basic = exit->reason & 0xffff;

    vmcs->field[VMCS_EXIT_REASON] = exit->reason;
    vmcs->field[VMCS_EXIT_QUALIFICATION] = exit->qualification;
    vmcs->field[VMCS_EXIT_INSTRUCTION_LENGTH] = exit->instruction_length;
    vmcs->field[VMCS_EXIT_INSTRUCTION_INFO] = exit->instruction_info;
    vmcs->field[VMCS_EXIT_INTERRUPTION_INFO] = exit->interruption_info;
    vmcs->field[VMCS_EXIT_INTERRUPTION_ERROR] = exit->interruption_error;
    vmcs->field[VMCS_IDT_VECTORING_INFO] = exit->idt_vectoring_info;
    vmcs->field[VMCS_GUEST_PHYSICAL_ADDRESS] = exit->guest_physical;
    vmcs->field[VMCS_GUEST_LINEAR_ADDRESS] = exit->guest_linear;
    vmcs->field[VMCS_ENTRY_INTERRUPTION_INFO] &= ~(uint64_t)IOV_INTERRUPTION_VALID;
    self->exits++;
    if (measure != NULL && basic < IOV_MEASURE_REASONS)
        measure->counters.exits[basic]++;
    if (iov_span_held(exec->span, exec->holder)) {
        exec->span->exits++;
        iov_span_note(exec->span, iov_now(self->parent_instance.kernel),
                      iov_exit_reason_name(basic));
    }
}

static void save_guest(const struct iov_exec *exec, struct iov_vmcs *vmcs)
{
    uint64_t *rflags = &vmcs->field[VMCS_GUEST_RFLAGS];
    uint64_t *state = &vmcs->field[VMCS_GUEST_INTERRUPTIBILITY];

    *rflags = (*rflags & ~UINT64_C(0x200)) | (exec->interrupts ? 0x200 : 0);
    *state = (*state & ~UINT64_C(3)) | exec->blocking; /* bits 0 and 1 are the same in both */
    vmcs->field[VMCS_GUEST_ACTIVITY] = exec->halted ? IOV_ACTIVITY_HLT : IOV_ACTIVITY_ACTIVE;
}

/* From non-root to root operation. */
static void leave(struct iov_exec *exec, const struct iov_exit *exit)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;
    struct iov_exec *host = exec->guest_state;

    save_guest(exec, vmcs);
    timer_stop(self, vmcs);
    record_exit(exec, self, vmcs, exit);
    self->non_root = false;
    self->context = TLB_ROOT_CONTEXT;
    iov_cpu_charge(exec, self->cost_exit, IOV_PART_EXIT);
    if (G_UNLIKELY(vmcs->field[VMCS_EXIT_MSR_STORE_COUNT] != 0))
        msrs_store(exec, self, vmcs->field[VMCS_EXIT_MSR_STORE_ADDRESS],
                   field32(vmcs, VMCS_EXIT_MSR_STORE_COUNT));
    if (G_UNLIKELY(vmcs->field[VMCS_EXIT_MSR_LOAD_COUNT] != 0))
        msrs_load(exec, self, vmcs->field[VMCS_EXIT_MSR_LOAD_ADDRESS],
                  field32(vmcs, VMCS_EXIT_MSR_LOAD_COUNT));
    host->interrupts = false;
    host->blocking = 0;
    self->processor.running = host;
}

/* ---- Entry ---- */

static void timer_start(IovCpu *self, const struct iov_vmcs *vmcs)
{
    uint64_t ticks = vmcs->field[VMCS_PREEMPTION_TIMER] << self->preemption_timer_rate;

    self->timer_due = IOV_TIME_MAX;
    if (iov_vmcs_pin(vmcs, IOV_PIN_PREEMPTION_TIMER))
        self->timer_due = iov_cpu_now(self) + iov_ratio_of(self->tick, ticks);
}

static void translations_start(IovCpu *self, const struct iov_vmcs *vmcs)
{
    uint64_t eptp = iov_vmcs_secondary(vmcs, IOV_SECONDARY_EPT) ? vmcs->field[VMCS_EPT_POINTER] : 0;
    uint16_t vpid =
        iov_vmcs_secondary(vmcs, IOV_SECONDARY_VPID) ? (uint16_t)vmcs->field[VMCS_VPID] : 0;

    /* SPEC: 29.4.3.1: without VPIDs an entry invalidates the combined mappings of VPID 0. */
    if (vpid == 0)
        iov_tlb_renew_context(self, vpid, eptp);
    self->context = iov_tlb_context(self, vpid, eptp);
}

static void load_guest(struct iov_exec *exec, IovCpu *self, struct iov_vmcs *vmcs)
{
    exec->interrupts = vmcs->field[VMCS_GUEST_RFLAGS] >> 9 & 1;
    exec->blocking =
        vmcs->field[VMCS_GUEST_INTERRUPTIBILITY] & (IOV_BLOCKING_STI | IOV_BLOCKING_MOV_SS);
    exec->halted = vmcs->field[VMCS_GUEST_ACTIVITY] == IOV_ACTIVITY_HLT;
    vmcs->guest = exec;
    vmcs->launched = true;
    vmcs->virtual_apic = NULL;
    vmcs->posted = NULL;
    if (iov_vmcs_primary(vmcs, IOV_PRIMARY_TPR_SHADOW)) {
        vmcs->virtual_apic = iov_cpu_pointer(self, vmcs->field[VMCS_VIRTUAL_APIC_ADDRESS]);
        if (iov_vmcs_pin(vmcs, IOV_PIN_POSTED_INTERRUPTS))
            vmcs->posted = iov_cpu_pointer(self, vmcs->field[VMCS_POSTED_INTERRUPT_DESCRIPTOR]);
        iov_vapic_enter(vmcs);
    }
    translations_start(self, vmcs);
    timer_start(self, vmcs);
    self->entries++;
    self->non_root = true;
    self->attention = iov_vmx_watchful(self, exec) || vmcs->threshold_pending || vmcs->trap_pending;
    self->processor.running = exec;
}

static bool fail(struct iov_exec *exec, IovCpu *self, struct iov_vmcs *vmcs,
                 struct iov_exit *failure, uint32_t reason, uint64_t qualification)
{
    *failure = (struct iov_exit){ .reason = IOV_EXIT_ENTRY_FAILURE | reason,
                                  .qualification = qualification };
    record_exit(exec, self, vmcs, failure);
    return false;
}

/* From root to non-root operation with the current VMCS. False: the entry failed, `failure` is what
 * the monitor gets to see. */
static bool enter(struct iov_exec *exec, bool advanced, struct iov_exit *failure)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = self->current;
    uint64_t qualification;
    uint32_t error;

    /* A monitor makes its guest's VMCS current before it lets it run. */
    IOV_REQUIRE(self->vmx_on && vmcs != NULL && (vmcs->guest == NULL || vmcs->guest == exec));
    exec->vmcs = vmcs;
    if (advanced) /* whoever advances RIP ends the shadow of the instruction */
        vmcs->field[VMCS_GUEST_INTERRUPTIBILITY] &= ~UINT64_C(3);
    iov_cpu_charge(exec, self->cost_entry, IOV_PART_EXIT);
    error = iov_vmcs_controls_hold(vmcs) ? 0 : iov_vmcs_check_controls(self, vmcs);
    if (error != 0) {
        vmcs->field[VMCS_INSTRUCTION_ERROR] = error;
        return fail(exec, self, vmcs, failure, IOV_EXIT_INVALID_STATE, IOV_QUAL_ENTRY_OTHER);
    }
    if (!iov_vmcs_check_guest(vmcs, &qualification))
        return fail(exec, self, vmcs, failure, IOV_EXIT_INVALID_STATE, qualification);
    if (G_UNLIKELY(vmcs->field[VMCS_ENTRY_MSR_LOAD_COUNT] != 0)) {
        error = msrs_load(exec, self, vmcs->field[VMCS_ENTRY_MSR_LOAD_ADDRESS],
                          field32(vmcs, VMCS_ENTRY_MSR_LOAD_COUNT));
        if (error != 0)
            return fail(exec, self, vmcs, failure, IOV_EXIT_MSR_LOAD_FAIL, error);
    }
    load_guest(exec, self, vmcs);
    return true;
}

/* SPEC: 27.6: event injection, the last step of an entry, before anything else that is pending. */
static void inject(struct iov_exec *exec)
{
    IovCpu *self = iov_cpu_of(exec);
    struct iov_vmcs *vmcs = exec->vmcs;
    uint32_t info = field32(vmcs, VMCS_ENTRY_INTERRUPTION_INFO);
    struct iov_measure *measure = self->parent_instance.run->measure;
    uint8_t vector = (uint8_t)(info & IOV_INTERRUPTION_VECTOR);

    if (!(info & IOV_INTERRUPTION_VALID))
        return;
    vmcs->field[VMCS_ENTRY_INTERRUPTION_INFO] &= ~(uint64_t)IOV_INTERRUPTION_VALID;
    self->injections++;
    if (measure != NULL)
        measure->counters.injections++;
    switch ((info & IOV_INTERRUPTION_TYPE_MASK) >> IOV_INTERRUPTION_TYPE_SHIFT) {
    case IOV_EVENT_EXTERNAL:
        iov_cpu_deliver_interrupt(exec, vector, NULL);
        break;
    case IOV_EVENT_SOFTWARE_INTERRUPT:
        iov_cpu_deliver_exception(exec, vector, 0);
        break;
    case IOV_EVENT_OTHER: /* 27.6.2: a pending MTF exit */
        vmcs->trap_pending = true;
        self->attention = true;
        break;
    case IOV_EVENT_NMI: /* blocked until IRET */
        vmcs->field[VMCS_GUEST_INTERRUPTIBILITY] |= IOV_INTERRUPTIBILITY_NMI;
        iov_cpu_deliver_exception(exec, vector, 0);
        if (exec->vmcs != NULL)
            exec->vmcs->field[VMCS_GUEST_INTERRUPTIBILITY] &= ~(uint64_t)IOV_INTERRUPTIBILITY_NMI;
        break;
    default:
        iov_cpu_deliver_exception(exec, vector, field32(vmcs, VMCS_ENTRY_EXCEPTION_ERROR));
        break;
    }
}

/* Enters until it works; a failed entry goes to the monitor like an exit. */
static void enter_at_last(struct iov_exec *exec, bool advanced)
{
    struct iov_exit failure;

    for (unsigned attempt = 0; !enter(exec, advanced, &failure); attempt++) {
        IOV_REQUIRE(attempt < ENTRY_ATTEMPTS);
        exec->monitor->ops->exit(exec->monitor, exec, &failure);
        advanced = false;
    }
}

enum iov_resume iov_vmx_exit(struct iov_exec *exec, struct iov_exit *exit)
{
    enum iov_resume resume;

    leave(exec, exit);
    resume = exec->monitor->ops->exit(exec->monitor, exec, exit);
    enter_at_last(exec, resume == IOV_RESUME_NEXT);
    inject(exec);
    return resume;
}

/* SPEC: 27.1: the basic checks of VMLAUNCH, then those of controls; the guest-state checks report
 * through the monitor. */
enum iov_vmx_status iov_vmx_launch(struct iov_exec *host, struct iov_exec *guest, unsigned index)
{
    IovCpu *self = iov_cpu_of(host);
    bool interrupts = host->interrupts;
    uint32_t error;

    if (!self->vmx_on || self->current == NULL)
        return IOV_VMX_FAIL_INVALID;
    if (host->blocking & IOV_BLOCKING_MOV_SS)
        return iov_vmx_fail(self, IOV_VMX_ERROR_ENTRY_MOV_SS);
    if (self->current->launched)
        return iov_vmx_fail(self, IOV_VMX_ERROR_VMLAUNCH_NOT_CLEAR);
    error = iov_vmcs_check_controls(self, self->current);
    if (error != 0)
        return iov_vmx_fail(self, error);
    guest->processor = host->processor;
    guest->guest_state = host;
    enter_at_last(guest, false);
    inject(guest);
    guest->program->ops->start(guest->program, guest, index);

    self = iov_cpu_of(guest);
    timer_stop(self, guest->vmcs);
    guest->vmcs->guest = NULL;
    guest->vmcs = NULL;
    self->non_root = false;
    self->context = TLB_ROOT_CONTEXT;
    self->attention = true;
    self->processor.running = host;
    host->interrupts = interrupts;
    return IOV_VMX_SUCCEED;
}
