/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kvm-vm: the vCPU's local APIC and how interrupts get into the guest.
 *
 * Without APIC virtualisation an accepted interrupt sets KVM_REQ_EVENT (request_event) and kicks
 * the vCPU; before the next entry one vector is injected if the guest can take it, else an
 * interrupt window is asked for. The check is made only when the request is set: a halted guest
 * that finds its interrupt already waiting goes through the window that was asked for before. With
 * APIC virtualisation the interrupt is posted, and the processor delivers it and handles EOI by
 * itself.
 *
 * Paravirtual EOI: the guest's flag byte is set before an entry if exactly one edge interrupt is in
 * service and nothing else waits; at the next exit a cleared flag is the EOI, and a set one is
 * taken back.
 *
 * Calls of the APIC model do not wait; what its owner is told during a call is remembered and acted
 * on afterwards.
 */
#include "models/cpu/apic-regs.h"
#include "models/cpu/vmx-regs.h"
#include "models/hypervisor/kvm-private.h"

enum { PV_EOI_ENABLED = 1 };

static struct iov_vcpu *vcpu_of(const struct iov_apic *apic)
{
    return iov_container_of(apic->owner, struct iov_vcpu, owner);
}

/* ---- Facts about the registers ---- */

static uint32_t *apic_word(const struct iov_apic *apic, uint32_t base, uint8_t vector)
{
    return (uint32_t *)(void *)(apic->page + base + (vector >> 5) * 0x10u);
}

static int highest(const struct iov_apic *apic, uint32_t base)
{
    int word = 7;

    if ((*apic_word(apic, base, 0xe0) | *apic_word(apic, base, 0xc0) |
         *apic_word(apic, base, 0xa0) | *apic_word(apic, base, 0x80)) == 0)
        word = 3;
    for (; word >= 0; word--) {
        uint32_t bits = *apic_word(apic, base, (uint8_t)(word * 32));

        if (bits != 0)
            return word * 32 + 31 - __builtin_clz(bits);
    }
    return -1;
}

static bool is_level(const struct iov_apic *apic, uint8_t vector)
{
    return *apic_word(apic, IOV_APIC_TMR, vector) >> (vector & 31) & 1;
}

/* ---- What the APIC tells its owner ---- */

static void on_changed(struct iov_apic *apic)
{
    vcpu_of(apic)->request_event = true;
    vcpu_of(apic)->eoi_look = true;
}

static void on_ipi(struct iov_apic *apic, uint64_t icr)
{
    struct iov_vcpu *vcpu = vcpu_of(apic);

    vcpu->icr = icr;
    vcpu->icr_written = true;
}

static void on_eoi(struct iov_apic *apic, uint8_t vector, bool level)
{
    struct iov_vcpu *vcpu = vcpu_of(apic);

    vcpu->request_event = true;
    vcpu->eoi_look = true;
    if (level)
        vcpu->level_eoi = vector;
}

static void on_timer(struct iov_apic *apic, iov_time when)
{
    struct iov_vcpu *vcpu = vcpu_of(apic);

    vcpu->deadline = when;
    if (vcpu->vm->preemption_timer && !vcpu->blocked)
        return; /* armed at the entry */
    if (when == IOV_TIME_MAX)
        iov_host_timer_cancel(&vcpu->timer);
    else
        iov_host_timer_arm(&vcpu->timer, iov_host_cpu_index(vcpu->thread->cpu), when);
}

const struct iov_apic_owner_ops iov_kvm_apic_owner_ops = {
    .changed = on_changed,
    .ipi = on_ipi,
    .eoi = on_eoi,
    .timer = on_timer,
};

/* ---- IPIs ---- */

static void send_shorthand(struct iov_vcpu *vcpu, unsigned shorthand, uint8_t vector)
{
    IovKvmVm *vm = vcpu->vm;

    for (unsigned i = 0; i < vm->vcpus; i++) {
        bool self = &vm->vcpu[i] == vcpu;

        if (shorthand == IOV_APIC_SHORTHAND_SELF ? self
                                                 : shorthand == IOV_APIC_SHORTHAND_ALL || !self)
            iov_vcpu_interrupt(&vm->vcpu[i], vector, false, NULL);
    }
}

static void send_ipi(struct iov_vcpu *vcpu, uint64_t icr)
{
    unsigned mode = (icr & IOV_APIC_ICR_MODE_MASK) >> IOV_APIC_ICR_MODE_SHIFT;
    unsigned shorthand = (icr & IOV_APIC_ICR_SHORTHAND_MASK) >> IOV_APIC_ICR_SHORTHAND_SHIFT;
    uint8_t vector = icr & IOV_APIC_ICR_VECTOR;

    if (mode != IOV_APIC_MODE_FIXED && mode != IOV_APIC_MODE_LOWEST)
        return; /* LIMIT: all vCPUs start at once, so INIT and STARTUP have nothing to do; no NMI,
                   no SMI */
    if (shorthand != IOV_APIC_SHORTHAND_NONE)
        send_shorthand(vcpu, shorthand, vector);
    else
        iov_kvm_deliver(vcpu->vm, (uint32_t)(icr >> 32), icr & IOV_APIC_ICR_LOGICAL,
                        mode == IOV_APIC_MODE_LOWEST, vector, false, NULL);
}

void iov_kvm_deliver(IovKvmVm *vm, uint32_t destination, bool logical, bool lowest, uint8_t vector,
                     bool level, struct iov_span *span)
{
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct iov_vcpu *vcpu = &vm->vcpu[i];

        if (!vcpu->apic->ops->addressed(vcpu->apic, destination, logical))
            continue;
        iov_vcpu_interrupt(vcpu, vector, level, span);
        if (lowest) /* LIMIT: the first one addressed */
            return;
    }
}

/* Acts on what the APIC told during a call. */
static void settle(struct iov_vcpu *vcpu)
{
    if (vcpu->level_eoi != 0) {
        uint8_t vector = vcpu->level_eoi;

        vcpu->level_eoi = 0;
        iov_kvm_eoi(vcpu, vector);
    }
    if (vcpu->icr_written) {
        vcpu->icr_written = false;
        send_ipi(vcpu, vcpu->icr);
    }
}

bool iov_vcpu_apic_read(struct iov_vcpu *vcpu, uint32_t offset, uint64_t *ret_value)
{
    return vcpu->apic->ops->read(vcpu->apic, offset, ret_value);
}

bool iov_vcpu_apic_write(struct iov_vcpu *vcpu, uint32_t offset, uint64_t value)
{
    bool ok;

    if (offset == IOV_APIC_EOI) {
        vcpu->vm->eoi_exits++;
        if (iov_vcpu_direct_eoi(vcpu))
            return true;
    }
    ok = vcpu->apic->ops->write(vcpu->apic, offset, value);
    settle(vcpu);
    return ok;
}

/* ---- An interrupt arrives ---- */

static void span_take(struct iov_vcpu *vcpu, struct iov_span *span)
{
    struct iov_exec *exec = vcpu->in_guest ? &vcpu->guest : &vcpu->thread->exec;

    if (span == NULL)
        return;
    iov_span_claim(span, vcpu->thread->exec.holder, IOV_PART_INTERRUPT,
                   iov_now(vcpu->vm->parent_instance.kernel));
    if (exec->span == NULL || !iov_span_held(exec->span, exec->holder))
        exec->span = span;
}

/* SPEC: SDM vol. 3C, 30.6: PIR bit, then the notification if none is outstanding: true. */
static bool post(struct iov_vcpu *vcpu, uint8_t vector, bool level)
{
    IovKvmVm *vm = vcpu->vm;
    uint32_t *tmr = apic_word(vcpu->apic, IOV_APIC_TMR, vector);
    uint32_t bit = UINT32_C(1) << (vector & 31);

    *tmr = level ? *tmr | bit : *tmr & ~bit;
    if (level && !(vm->eoi_exit_bitmap[vector >> 6] >> (vector & 63) & 1)) {
        vm->eoi_exit_bitmap[vector >> 6] |= UINT64_C(1) << (vector & 63);
        vm->eoi_exit_generation++;
    }
    return iov_vcpu_posted_request(vcpu, vector);
}

/* A write of the local APIC sends `vector` to where the vCPU runs, and costs the sender. False: it
 * is not in the guest, or came out meanwhile and looks before it enters. */
static bool ring(struct iov_vcpu *vcpu, struct iov_thread *sender, uint8_t vector)
{
    struct iov_processor *processor;

    if (vcpu->in_guest && sender != NULL)
        iov_exec_compute(&sender->exec, vcpu->vm->costs.kick, IOV_PART_INTERRUPT);
    processor = vcpu->thread->exec.processor;
    if (!vcpu->in_guest || processor == NULL)
        return false;
    processor->ops->interrupt(processor, vector, NULL);
    return true;
}

/* Its EOI-exit bitmap does not know of all lines: it must come out to load it, or an EOI stays
 * unheard. LIMIT: KVM has it do so when the I/O APIC's entry is written, once, not at the first
 * interrupt. */
static bool misses_eois(const struct iov_vcpu *vcpu)
{
    return vcpu->eoi_exit_generation != vcpu->vm->eoi_exit_generation;
}

void iov_vcpu_interrupt(struct iov_vcpu *vcpu, uint8_t vector, bool level, struct iov_span *span)
{
    bool is_first;

    span_take(vcpu, span);
    if (!vcpu->vm->apic_virtualisation) {
        vcpu->apic->ops->accept(vcpu->apic, vector, level, span);
        iov_vcpu_kick(vcpu, span);
        return;
    }
    is_first = post(vcpu, vector, level);
    vcpu->request_event = true;
    if (!vcpu->in_guest || vcpu->thread->exec.processor == NULL || (level && misses_eois(vcpu)))
        iov_vcpu_kick(vcpu, span);
    else if (is_first)
        vcpu->vm->posted += ring(vcpu, iov_host_current(vcpu->vm->host), IOV_HOST_VECTOR_POSTED);
}

void iov_vcpu_upcall(struct iov_vcpu *vcpu, struct iov_span *span)
{
    span_take(vcpu, span);
    vcpu->request_event = true;
    iov_vcpu_kick(vcpu, span);
}

void iov_vcpu_kick(struct iov_vcpu *vcpu, struct iov_span *span)
{
    IovKvmVm *vm = vcpu->vm;
    struct iov_thread *waker = iov_host_current(vm->host);

    if (waker == vcpu->thread)
        return; /* it is handling an exit: it looks before it enters */
    if (vcpu->blocked) {
        vm->kicks++;
        iov_thread_wake(waker != NULL ? &waker->exec : NULL, vcpu->thread, span);
        return;
    }
    vm->kicks += ring(vcpu, waker, IOV_HOST_VECTOR_RESCHEDULE);
}

/* ---- Injection ---- */

static bool interruptible(const struct iov_vcpu *vcpu)
{
    return vcpu->guest.interrupts && (vcpu->guest.blocking == 0 || vcpu->skipped);
}

/* Requests that were posted while nobody was in the guest move into IRR. */
static void sync_posted(struct iov_vcpu *vcpu)
{
    uint32_t pir[8];

    if (!iov_vcpu_posted_take(vcpu, pir))
        return;
    vcpu->request_event = true; /* the guest interrupt status is to follow */
    for (unsigned i = 0; i < 8; i++)
        *apic_word(vcpu->apic, IOV_APIC_IRR, (uint8_t)(i * 32)) |= pir[i];
}

bool iov_vcpu_wakes(struct iov_vcpu *vcpu)
{
    if (vcpu->vm->apic_virtualisation)
        sync_posted(vcpu);
    return vcpu->entry_info != 0 || (interruptible(vcpu) && iov_vcpu_pending(vcpu) >= 0);
}

bool iov_vcpu_has_event(struct iov_vcpu *vcpu)
{
    return vcpu->request_event && (vcpu->entry_info != 0 || iov_vcpu_pending(vcpu) >= 0);
}

static void inject_virtual(struct iov_vcpu *vcpu)
{
    uint64_t status = iov_vcpu_read(vcpu, IOV_VMCS_GUEST_INTERRUPT_STATUS);
    int request;

    sync_posted(vcpu);
    vcpu->request_event = false;
    request = highest(vcpu->apic, IOV_APIC_IRR);
    status = (status & 0xff00) | (request >= 0 ? (unsigned)request : 0u);
    iov_vcpu_write(vcpu, IOV_VMCS_GUEST_INTERRUPT_STATUS, status);
    if (misses_eois(vcpu)) {
        vcpu->eoi_exit_generation = vcpu->vm->eoi_exit_generation;
        for (unsigned i = 0; i < 4; i++)
            iov_vcpu_write(vcpu, IOV_VMCS_EOI_EXIT_BITMAP0 + 2 * i, vcpu->vm->eoi_exit_bitmap[i]);
    }
}

/* One that comes past the local APIC: nothing is acknowledged, the guest itself takes the mark
 * away. */
static bool inject_upcall(struct iov_vcpu *vcpu)
{
    int vector = vcpu->vm->class->upcall != NULL ? vcpu->vm->class->upcall(vcpu) : -1;

    if (vector < 0)
        return false;
    if (vcpu->injected || !interruptible(vcpu)) {
        iov_vcpu_set_window(vcpu, true);
        return true;
    }
    vcpu->injected = true;
    vcpu->vm->injections++;
    iov_vcpu_write(vcpu, IOV_VMCS_ENTRY_INTERRUPTION_INFO,
                   IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, (unsigned)vector));
    if (vcpu->apic->ops->pending(vcpu->apic) >= 0)
        iov_vcpu_set_window(vcpu, true);
    return true;
}

void iov_vcpu_inject(struct iov_vcpu *vcpu)
{
    struct iov_apic *apic = vcpu->apic;
    int vector;

    vcpu->request_event = false;
    if (vcpu->entry_info != 0 &&
        !vcpu->injected) { /* an exception, or an event that an exit had cut */
        if (vcpu->entry_info & IOV_INTERRUPTION_ERROR_CODE)
            iov_vcpu_write(vcpu, IOV_VMCS_ENTRY_EXCEPTION_ERROR, vcpu->entry_error);
        iov_vcpu_write(vcpu, IOV_VMCS_ENTRY_INTERRUPTION_INFO, vcpu->entry_info);
        vcpu->entry_info = 0;
        vcpu->injected = true;
        vcpu->vm->injections++;
        if (!vcpu->vm->apic_virtualisation && iov_vcpu_pending(vcpu) >= 0)
            iov_vcpu_set_window(vcpu, true);
        return;
    }
    if (vcpu->vm->apic_virtualisation) {
        inject_virtual(vcpu);
        return;
    }
    if (inject_upcall(vcpu))
        return;
    vector = apic->ops->pending(apic);
    if (vector >= 0 && !vcpu->injected && interruptible(vcpu)) {
        vector = apic->ops->acknowledge(apic);
        vcpu->eoi_look = true;
        if (iov_span_held(apic->span, vcpu->thread->exec.holder))
            vcpu->thread->exec.span = apic->span;
        vcpu->injected = true;
        vcpu->vm->injections++;
        iov_vcpu_write(vcpu, IOV_VMCS_ENTRY_INTERRUPTION_INFO,
                       IOV_INTERRUPTION(IOV_EVENT_EXTERNAL, (unsigned)vector));
        vector = apic->ops->pending(apic);
    }
    if (vector >= 0)
        iov_vcpu_set_window(vcpu, true);
}

/* An event whose delivery the exit cut comes again. */
void iov_vcpu_requeue(struct iov_vcpu *vcpu, const struct iov_exit *exit)
{
    if (!(exit->idt_vectoring_info & IOV_INTERRUPTION_VALID))
        return;
    vcpu->entry_info =
        exit->idt_vectoring_info & (IOV_INTERRUPTION_VALID | IOV_INTERRUPTION_TYPE_MASK |
                                    IOV_INTERRUPTION_VECTOR | IOV_INTERRUPTION_ERROR_CODE);
    vcpu->request_event = true;
}

/* ---- Paravirtual EOI ---- */

void iov_vcpu_pv_eoi_from_guest(struct iov_vcpu *vcpu)
{
    uint8_t flag = 0;
    uint8_t zero = 0;

    if (!vcpu->pv_eoi_pending)
        return;
    vcpu->pv_eoi_pending = false;
    iov_kvm_guest_read(vcpu->vm, vcpu->pv_eoi & ~UINT64_C(3), &flag, 1);
    if (flag & PV_EOI_ENABLED) { /* not done yet: from here on the guest must tell */
        iov_kvm_guest_write(vcpu->vm, vcpu->pv_eoi & ~UINT64_C(3), &zero, 1);
        return;
    }
    vcpu->vm->pv_eois++;
    vcpu->apic->ops->write(vcpu->apic, IOV_APIC_EOI, 0);
    settle(vcpu);
}

/* An edge interrupt is in service, and nothing waits for its end. */
static bool eoi_may_be_flag(const struct iov_apic *apic)
{
    int vector = highest(apic, IOV_APIC_ISR);

    return vector >= 0 && highest(apic, IOV_APIC_IRR) < 0 && !is_level(apic, (uint8_t)vector);
}

void iov_vcpu_pv_eoi_to_guest(struct iov_vcpu *vcpu)
{
    uint8_t flag = PV_EOI_ENABLED;

    if (!(vcpu->pv_eoi & PV_EOI_ENABLED) || vcpu->vm->apic_virtualisation)
        return;
    if (vcpu->eoi_look) {
        vcpu->eoi_look = false;
        vcpu->eoi_by_flag = eoi_may_be_flag(vcpu->apic);
    }
    if (!vcpu->eoi_by_flag)
        return;
    if (iov_kvm_guest_write(vcpu->vm, vcpu->pv_eoi & ~UINT64_C(3), &flag, 1))
        vcpu->pv_eoi_pending = true;
}

/* ---- The timer ---- */

static void on_expire(struct iov_host_timer *timer, struct iov_exec *exec)
{
    struct iov_vcpu *vcpu = iov_container_of(timer, struct iov_vcpu, timer);

    iov_exec_compute(exec, vcpu->vm->costs.timer_expire, IOV_PART_MONITOR);
    iov_vcpu_timer_expire(vcpu);
}

void iov_vcpu_timer_expire(struct iov_vcpu *vcpu)
{
    vcpu->deadline = IOV_TIME_MAX;
    vcpu->apic->ops->expire(vcpu->apic);
    if (vcpu->apic->ops->pending(vcpu->apic) >= 0)
        iov_vcpu_kick(vcpu, NULL);
}

/* A deadline that has passed expires in the exit that wrote it. */
void iov_vcpu_timer_check(struct iov_vcpu *vcpu)
{
    if (vcpu->deadline > iov_now(vcpu->vm->parent_instance.kernel))
        return;
    iov_host_timer_cancel(&vcpu->timer);
    iov_vcpu_timer_expire(vcpu);
}

void iov_vcpu_timer_init(struct iov_vcpu *vcpu)
{
    vcpu->deadline = IOV_TIME_MAX;
    iov_host_timer_init(&vcpu->timer, vcpu->vm->host, on_expire);
}

void iov_vcpu_timer_block(struct iov_vcpu *vcpu)
{
    if (vcpu->deadline != IOV_TIME_MAX && vcpu->vm->preemption_timer)
        iov_host_timer_arm(&vcpu->timer, iov_host_cpu_index(vcpu->thread->cpu), vcpu->deadline);
}

void iov_vcpu_timer_unblock(struct iov_vcpu *vcpu)
{
    if (vcpu->vm->preemption_timer)
        iov_host_timer_cancel(&vcpu->timer);
}
