/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xen-vm: accesses to emulated devices. Xen writes an access down in a page that it shares with the
 * emulator in Dom0, sends an event and blocks the vCPU; Dom0's vCPU is scheduled, its kernel wakes
 * the emulator, which answers in the page and sends an event back.
 *
 * Interrupt lines of the emulator come as hypercalls. LIMIT: a repeated string access is one
 * request an element; no buffered requests.
 */
#include "models/hypervisor/xen-private.h"

static void finish(struct iov_xen_ioreq *request, struct iov_thread *thread)
{
    IovXenVm *self = (IovXenVm *)(void *)request->vcpu->vm;

    request->page->state = XEN_IOREQ_RESPONSE;
    iov_xen_domain_hypercall(self->device_model, thread, self->send_cost);
    iov_thread_wake(&thread->exec, request->vcpu->thread, request->span);
}

/* The emulator's turn, in Dom0. */
static void answer(struct iov_xen_work *work, struct iov_thread *thread)
{
    struct iov_xen_ioreq *request = iov_container_of(work, struct iov_xen_ioreq, work);
    struct xen_ioreq *page = request->page;
    struct iov_mem_req req = *request->req;

    if (page->state != XEN_IOREQ_READY)
        return;
    page->state = XEN_IOREQ_INPROCESS;
    thread->exec.span = request->span;
    req.address = page->address;
    if (req.size <= sizeof page->data)
        req.data = &page->data;
    iov_kvm_visit(request->vcpu->vm, thread, request->window, &req, !(page->flags & 1), 0);
    finish(request, thread);
}

static void on_event(struct iov_xen_channel *channel, struct iov_thread *thread)
{
    struct iov_xen_ioreq *request = channel->owner;
    IovXenVm *self = (IovXenVm *)(void *)request->vcpu->vm;

    iov_xen_domain_queue(self->device_model, &request->work, &thread->exec, request->span);
}

void iov_xen_ioreq_access(struct iov_vcpu *vcpu, const struct iov_mem_window *window,
                          struct iov_mem_req *req, bool write)
{
    IovXenVm *self = (IovXenVm *)(void *)vcpu->vm;
    struct iov_thread *thread = vcpu->thread;
    struct iov_xen_ioreq *request = self->requests != NULL ? &self->requests[vcpu->index] : NULL;

    if (request == NULL || window == NULL) { /* nobody answers */
        iov_vcpu_compute(vcpu, 0);
        if (!write)
            memset(req->data, 0xff, req->size);
        return;
    }
    self->ioreqs++;
    vcpu->vm->measure->counters.user_exits++;
    iov_vcpu_compute(vcpu, vcpu->vm->costs.user_exit);
    *request->page = (struct xen_ioreq){ .address = req->address,
                                         .count = 1,
                                         .size = req->size,
                                         .vp_eport = request->port,
                                         .state = XEN_IOREQ_READY,
                                         .flags = write ? 0 : 1 };
    if (write && req->size <= sizeof request->page->data)
        memcpy(&request->page->data, req->data, req->size);
    request->vcpu = vcpu;
    request->window = window;
    request->work.task =
        iov_emulator_owns(window->target) ? iov_emulator_process(window->target) : self;
    request->req = req;
    /* One that the vCPU let go of may be in Dom0's hands by now, on its way through another
     * device. */
    request->span =
        iov_span_held(thread->exec.span, thread->exec.holder) ? thread->exec.span : NULL;
    iov_xen_event(iov_xen_domain_channels(self->device_model), request->port, &thread->exec,
                  request->span);
    while (request->page->state != XEN_IOREQ_RESPONSE)
        iov_thread_block(thread);
    request->page->state = XEN_IOREQ_NONE;
    if (!write && req->size <= sizeof request->page->data)
        memcpy(req->data, &request->page->data, req->size);
    iov_vcpu_compute(vcpu, vcpu->vm->costs.user_entry);
}

void iov_xen_ioreq_route(IovKvmVm *vm, struct iov_thread *thread)
{
    IovXenVm *self = (IovXenVm *)(void *)vm;

    if (self->device_model != NULL && thread == iov_xen_domain_thread(self->device_model))
        iov_xen_domain_hypercall(self->device_model, thread, 0);
}

bool iov_xen_ioreq_realize(IovXenVm *self, GError **error)
{
    IovKvmVm *vm = &self->parent_instance;

    if (self->device_model_ref == NULL)
        return true;
    if (!iov_model_realize(self->device_model_ref, error))
        return false;
    self->device_model = (IovXenDomain *)(void *)self->device_model_ref;
    self->requests = g_new0(struct iov_xen_ioreq, vm->vcpus);
    self->page = g_new0(struct xen_ioreq, XEN_PAGE / sizeof(struct xen_ioreq));
    if (vm->vcpus > XEN_PAGE / sizeof(struct xen_ioreq))
        return iov_model_fail(&vm->parent_instance, error,
                              "vcpus: a page has room for the accesses of %zu",
                              XEN_PAGE / sizeof(struct xen_ioreq));
    for (unsigned i = 0; i < vm->vcpus; i++) {
        struct iov_xen_ioreq *request = &self->requests[i];
        struct iov_xen_domain *channels = iov_xen_domain_channels(self->device_model);

        request->work.run = answer;
        request->work.task = self;
        request->page = &self->page[i];
        request->port = iov_xen_port_alloc(channels);
        if (request->port == 0)
            return iov_model_fail(&vm->parent_instance, error,
                                  "device-model: no event channel is left");
        channels->channels[request->port].handle = on_event;
        channels->channels[request->port].owner = request;
    }
    return true;
}

void iov_xen_ioreq_describe(IovModelClass *mc)
{
    IOV_PROP_REF(mc, IovXenVm, device_model_ref, "xen-domain", false,
                 "The domain whose emulator answers accesses to devices; none: nobody");
}
