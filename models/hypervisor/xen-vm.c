/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xen-vm - a guest domain of Xen in hardware virtualisation (domU). Exits, EPT, the local APIC and
 * injection are kvm-vm's; this file is what Xen does differently: hypercalls, event channels by an
 * upcall vector that passes the local APIC, grants, and what is no memory is not mapped at all.
 * Accesses to emulated devices are in xen-ioreq.c.
 *
 * LIMIT: the shared info page and the grant table lie in pages that the guest gives, instead of
 * Xen's own pages mapped over them; no posted interrupts; all events go to vCPU 0; the guest's
 * timer is its local APIC's, not a hypercall.
 */
#include "models/hypervisor/xen-private.h"

#include "models/cpu/vmx-regs.h"

typedef IovKvmVmClass IovXenVmClass;
G_DEFINE_FINAL_TYPE(IovXenVm, iov_xen_vm, IOV_TYPE_KVM_VM)

/* The bytes of a page of guest memory, or NULL. */
static uint8_t *page_of(IovKvmVm *vm, uint64_t frame)
{
    uint64_t size = 0;
    uint8_t *bytes;

    if (frame == 0 || frame >= vm->memory / XEN_PAGE)
        return NULL;
    bytes = vm->ram.ops->direct(&vm->ram, frame * XEN_PAGE, &size);
    return bytes != NULL && size >= XEN_PAGE ? bytes : NULL;
}

/* ---- Grants ---- */

int iov_xen_grant_use(IovXenVm *self, uint32_t ref, uint16_t by, bool write, iov_gpa *ret_frame)
{
    uint8_t *page = ref < IOV_XEN_GRANT_PAGES * XEN_GRANTS_PER_PAGE
                        ? self->grants[ref / XEN_GRANTS_PER_PAGE]
                        : NULL;
    struct xen_grant_entry entry;

    if (page == NULL || ref < XEN_GRANT_RESERVED) {
        self->bad_grants++;
        return XEN_GNTST_BAD_GNTREF;
    }
    page += ref % XEN_GRANTS_PER_PAGE * sizeof entry;
    memcpy(&entry, page, sizeof entry); /* once: the guest may change it */
    if ((entry.flags & XEN_GTF_TYPE_MASK) != XEN_GTF_PERMIT_ACCESS) {
        self->bad_grants++;
        return XEN_GNTST_BAD_GNTREF;
    }
    if (entry.domid != by || (write && entry.flags & XEN_GTF_READONLY)) {
        self->bad_grants++;
        return XEN_GNTST_PERMISSION_DENIED;
    }
    if (entry.frame >= self->parent_instance.memory / XEN_PAGE) {
        self->bad_grants++;
        return XEN_GNTST_BAD_PAGE;
    }
    entry.flags |= (uint16_t)(write ? XEN_GTF_READING | XEN_GTF_WRITING : XEN_GTF_READING);
    memcpy(page, &entry.flags, sizeof entry.flags);
    self->grants_used++;
    *ret_frame = (iov_gpa)entry.frame * XEN_PAGE;
    return XEN_GNTST_OKAY;
}

void iov_xen_grant_done(IovXenVm *self, uint32_t ref)
{
    uint8_t *page = self->grants[ref / XEN_GRANTS_PER_PAGE];
    uint16_t flags;

    page += ref % XEN_GRANTS_PER_PAGE * sizeof(struct xen_grant_entry);
    memcpy(&flags, page, sizeof flags);
    flags &= (uint16_t) ~(XEN_GTF_READING | XEN_GTF_WRITING);
    memcpy(page, &flags, sizeof flags);
}

bool iov_xen_memory(IovXenVm *self, iov_gpa gpa, void *data, uint32_t size, bool write,
                    struct iov_span **span)
{
    IovKvmVm *vm = &self->parent_instance;
    struct iov_mem_req req = { .address = gpa,
                               .data = data,
                               .size = size,
                               .pasid = IOV_NO_PASID,
                               .flags = span != NULL ? IOV_MEM_PAYLOAD : 0,
                               .span = span != NULL && write ? *span : NULL };
    enum iov_status status =
        write ? vm->ram.ops->write(&vm->ram, &req) : vm->ram.ops->read(&vm->ram, &req);

    if (span != NULL && !write)
        *span = req.span;
    return status == IOV_STATUS_OK;
}

/* ---- Hypercalls ---- */

static int64_t add_to_physmap(IovXenVm *self, iov_gpa argument)
{
    struct xen_add_to_physmap call;
    uint8_t *page;

    if (!iov_kvm_guest_read(&self->parent_instance, argument, &call, sizeof call))
        return -XEN_EFAULT;
    page = page_of(&self->parent_instance, call.gpfn);
    if (call.domid != XEN_DOMID_SELF || page == NULL)
        return -XEN_EINVAL;
    if (call.space == XENMAPSPACE_SHARED_INFO && call.index == 0) {
        memset(page, 0, XEN_PAGE);
        self->channels.shared = page;
        return 0;
    }
    if (call.space == XENMAPSPACE_GRANT_TABLE && call.index < IOV_XEN_GRANT_PAGES) {
        memset(page, 0, XEN_PAGE);
        self->grants[call.index] = page;
        return 0;
    }
    return -XEN_EINVAL;
}

static int64_t set_param(IovXenVm *self, iov_gpa argument)
{
    struct xen_hvm_param call;

    if (!iov_kvm_guest_read(&self->parent_instance, argument, &call, sizeof call))
        return -XEN_EFAULT;
    if (call.domid != XEN_DOMID_SELF || call.index != XEN_HVM_PARAM_CALLBACK_IRQ ||
        (call.value & ~UINT64_C(0xff)) != XEN_HVM_CALLBACK_VECTOR || (call.value & 0xff) < 0x20)
        return -XEN_EINVAL;
    self->upcall_vector = (uint8_t)call.value;
    return 0;
}

static int64_t send_event(IovXenVm *self, struct iov_vcpu *vcpu, iov_gpa argument)
{
    struct xen_evtchn_send call;
    struct iov_exec *exec = &vcpu->thread->exec;

    iov_vcpu_compute(vcpu, self->send_cost);
    if (!iov_kvm_guest_read(&self->parent_instance, argument, &call, sizeof call))
        return -XEN_EFAULT;
    self->events_sent++;
    return iov_xen_send(&self->channels, call.port, exec, exec->span) ? 0 : -XEN_EINVAL;
}

static void hypercall(struct iov_vcpu *vcpu, uint64_t value[4])
{
    IovXenVm *self = (IovXenVm *)(void *)vcpu->vm;
    int64_t result = -XEN_ENOSYS;

    self->hypercalls++;
    if (value[0] == XEN_HYPERCALL_EVENT_CHANNEL_OP && value[1] == XEN_EVTCHNOP_SEND)
        result = send_event(self, vcpu, value[2]);
    else if (value[0] == XEN_HYPERCALL_MEMORY_OP && value[1] == XENMEM_ADD_TO_PHYSMAP)
        result = add_to_physmap(self, value[2]);
    else if (value[0] == XEN_HYPERCALL_HVM_OP && value[1] == XEN_HVMOP_SET_PARAM)
        result = set_param(self, value[2]);
    if (result < 0)
        self->bad_hypercalls++;
    value[0] = (uint64_t)result;
}

static void cpuid(const struct iov_vcpu *vcpu, uint32_t leaf, uint64_t value[4])
{
    (void)vcpu;
    value[0] = value[1] = value[2] = value[3] = 0;
    if (leaf != XEN_CPUID_SIGNATURE)
        return;
    value[0] = XEN_CPUID_SIGNATURE + 4;
    value[1] = XEN_SIGNATURE_EBX;
    value[2] = XEN_SIGNATURE_ECX;
    value[3] = XEN_SIGNATURE_EDX;
}

/* ---- Upcalls ---- */

static int upcall(const struct iov_vcpu *vcpu)
{
    const IovXenVm *self = (const IovXenVm *)(const void *)vcpu->vm;

    return vcpu->index == 0 && self->upcall_vector != 0 && self->channels.shared != NULL &&
                   self->channels.shared[XEN_VCPU_UPCALL_PENDING] != 0
               ? self->upcall_vector
               : -1;
}

static void notify(struct iov_xen_domain *channels, struct iov_exec *exec, struct iov_span *span)
{
    IovXenVm *self = iov_container_of(channels, IovXenVm, channels);

    (void)exec; /* the kick finds who pays by itself */
    iov_vcpu_upcall(&self->parent_instance.vcpu[0], span);
}

struct iov_xen_domain *iov_xen_vm_channels(IovXenVm *self)
{
    return &self->channels;
}

/* ---- Life ---- */

static bool iov_xen_vm_realize(IovModel *model, GError **error)
{
    IovXenVm *self = (IovXenVm *)(void *)model;

    self->channels.notify = notify;
    /* Xen has timers of its own for the local APICs of guests; the VMX-preemption timer it keeps
     * for nested guests. */
    self->parent_instance.preemption_timer = false;
    if (!iov_xen_ioreq_realize(self, error) ||
        !IOV_MODEL_CLASS(iov_xen_vm_parent_class)->realize(model, error))
        return false;
    /* Numbers of vCPUs are given out one VM after the other; 1 is a driver domain's. */
    self->channels.id = (uint16_t)(self->id != 0 ? self->id : 1u + self->parent_instance.vpid_base);
    return true;
}

static void iov_xen_vm_start(IovModel *model)
{
    IovXenVm *self = (IovXenVm *)(void *)model;

    IOV_MODEL_CLASS(iov_xen_vm_parent_class)->start(model);
    for (unsigned i = 0; i < self->parent_instance.vcpus; i++)
        self->parent_instance.vcpu[i].thread->domain = &self->channels;
}

static void iov_xen_vm_finalize(GObject *object)
{
    IovXenVm *self = (IovXenVm *)(void *)object;

    g_free(self->requests);
    g_free(self->page);
    G_OBJECT_CLASS(iov_xen_vm_parent_class)->finalize(object);
}

/* KVM's and QEMU's own, and posted interrupts, which LIMIT says are not modelled. */
static void drop_properties(IovModelClass *mc)
{
    static const char *const names[] = {
        "apic-virtualisation", "exitless-interrupts",    "pv-eoi",         "ioeventfd",
        "preemption-timer",    "preemption-timer-shift", "kernel-irqchip", "halt-poll-max",
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        iov_model_class_drop_property(mc, names[i]);
}

static void describe_costs(IovModelClass *mc)
{
    IOV_COST(mc, IovKvmVm, costs.exit, "xen-exit", "Common path of an exit, from exit to entry");
    IOV_COST(mc, IovKvmVm, costs.inject, "xen-inject", "Choosing and injecting an interrupt");
    IOV_COST(mc, IovKvmVm, costs.hypercall, "xen-hypercall", "A hypercall, its work apart");
    IOV_COST(mc, IovKvmVm, costs.halt, "xen-halt", "HLT, up to blocking");
    IOV_COST(mc, IovKvmVm, costs.emulate, "xen-emulate", "Decoding and emulating one instruction");
    IOV_COST(mc, IovKvmVm, costs.irq_route, "xen-irq-route", "From a line to the local APIC");
    IOV_COST(mc, IovKvmVm, costs.kick, "xen-kick", "Kicking a vCPU that runs");
    IOV_COST(mc, IovKvmVm, costs.user_exit, "xen-ioreq-send",
             "Writing down an access for Dom0 and blocking");
    IOV_COST(mc, IovKvmVm, costs.user_entry, "xen-ioreq-complete",
             "Taking the answer and finishing the instruction");
    IOV_COST(mc, IovKvmVm, costs.vcpu_load, "xen-vcpu-load", "Loading a vCPU's state");
    IOV_COST(mc, IovXenVm, send_cost, "xen-event-send", "Sending an event, wake-up apart");
}

static void iov_xen_vm_class_init(IovXenVmClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);
    IovKvmVmClass *vm = klass;

    iov_model_class_describe(mc, "xen-vm", "A guest domain as Xen runs it");
    drop_properties(mc);
    IOV_PROP_COUNT(mc, IovXenVm, id, 0, 0x7fef, 0, "Number of the domain; 0: the next free one");
    iov_xen_ioreq_describe(mc);
    describe_costs(mc);
    IOV_STAT(mc, IovXenVm, hypercalls, "Hypercalls of the guest");
    IOV_STAT(mc, IovXenVm, bad_hypercalls, "Of them, refused");
    IOV_STAT(mc, IovXenVm, events_sent, "Events sent");
    IOV_STAT(mc, IovXenVm, grants_used, "Grants that were looked up and found good");
    IOV_STAT(mc, IovXenVm, bad_grants, "Grants that were refused");
    IOV_STAT(mc, IovXenVm, ioreqs, "Accesses that a process in Dom0 answered");
    mc->realize = iov_xen_vm_realize;
    mc->start = iov_xen_vm_start;
    vm->hypercall = hypercall;
    vm->cpuid = cpuid;
    vm->upcall = upcall;
    G_OBJECT_CLASS(klass)->finalize = iov_xen_vm_finalize;
    vm->access = iov_xen_ioreq_access;
    vm->route = iov_xen_ioreq_route;
    vm->unmapped_mmio = true;
}

static void iov_xen_vm_init(IovXenVm *self)
{
    (void)self;
}
