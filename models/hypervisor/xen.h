/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains of a Xen machine, as the parts of this family see them: event channels between them,
 * grants of their memory, and the kernel of a domain that serves others (Dom0, a driver domain;
 * kind xen-domain).
 */
#ifndef IOV_HYPERVISOR_XEN_H
#define IOV_HYPERVISOR_XEN_H

#include "models/hypervisor/kvm.h"

enum { IOV_XEN_PORTS = 512 }; /* of the 4096 that the layout has */

struct iov_xen_domain;

/* One end of an event channel. */
struct iov_xen_channel {
    struct iov_xen_domain *remote; /* NULL: not bound */
    uint16_t remote_port;
    /* In a domain that serves others: what its kernel does. Waits, on the domain's fiber. */
    void (*handle)(struct iov_xen_channel *channel, struct iov_thread *thread);
    void *owner;
    struct iov_span *span; /* request of the last event */
};

struct iov_xen_domain {
    uint16_t id;
    uint8_t *shared; /* its shared info page; NULL until there is one */
    unsigned next_port;
    struct iov_xen_channel channels[IOV_XEN_PORTS];
    /* vcpu_info says that something is pending: the domain's vCPU is to look. `exec` pays, NULL in
     * an event. */
    void (*notify)(struct iov_xen_domain *domain, struct iov_exec *exec, struct iov_span *span);
    uint64_t events; /* marked pending */
};

/* A free port; 0 if there is none. Slow plane. */
unsigned iov_xen_port_alloc(struct iov_xen_domain *domain);
/* Marks `port` pending and, where that is news to an unmasked one, notifies the domain. From any
 * context. */
void iov_xen_event(struct iov_xen_domain *domain, unsigned port, struct iov_exec *exec,
                   struct iov_span *span);
/* EVTCHNOP_send by `domain`: false if `port` is no channel. The hypercall itself is the
 * caller's. */
bool iov_xen_send(struct iov_xen_domain *domain, unsigned port, struct iov_exec *exec,
                  struct iov_span *span);

/* ---- Kind xen-domain: xen-domain.c ---- */

#define IOV_TYPE_XEN_DOMAIN (iov_xen_domain_get_type())
G_DECLARE_FINAL_TYPE(IovXenDomain, iov_xen_domain, IOV, XEN_DOMAIN, IovModel)

/* A piece of work of the domain's kernel or of a process there. Initialise run and task, leave the
 * rest zero. */
struct iov_xen_work {
    void (*run)(struct iov_xen_work *work, struct iov_thread *thread);
    const void *task;      /* the kernel thread or process that does it; NULL: a softirq */
    struct iov_span *span; /* request that it was queued for, the first of them */
    struct iov_xen_work *next;
    bool queued;
};

struct iov_xen_domain *iov_xen_domain_channels(IovXenDomain *domain);
/* Queues `work`, once. From an event handler or work of this domain, or with `waker` like
 * iov_thread_wake() from elsewhere. */
void iov_xen_domain_queue(IovXenDomain *domain, struct iov_xen_work *work, struct iov_exec *waker,
                          struct iov_span *span);
/* The thread that is its vCPU; NULL before its start. */
struct iov_thread *iov_xen_domain_thread(const IovXenDomain *domain);
/* A hypercall of the domain's kernel, whose handler takes `work` longer than none. */
void iov_xen_domain_hypercall(IovXenDomain *domain, struct iov_thread *thread, iov_time work);
/* EVTCHNOP_send as a hypercall. */
void iov_xen_domain_send(IovXenDomain *domain, struct iov_thread *thread, unsigned port,
                         struct iov_span *span);

/* ---- Kind xen-vm: xen-vm.c ---- */

#define IOV_TYPE_XEN_VM (iov_xen_vm_get_type())
GType iov_xen_vm_get_type(void);
typedef struct _IovXenVm IovXenVm;

struct iov_xen_domain *iov_xen_vm_channels(IovXenVm *vm);
/*
 * Checks that grant `ref` lets domain `by` read (or write) its page and marks it in use; *ret_frame
 * is the guest-physical page. A status of grant operations. From any context; takes no time.
 */
int iov_xen_grant_use(IovXenVm *vm, uint32_t ref, uint16_t by, bool write, iov_gpa *ret_frame);
/* No longer in use. */
void iov_xen_grant_done(IovXenVm *vm, uint32_t ref);
/* Guest memory for a domain that has it mapped or copied by the hypervisor. `span`: of payload, in
 * or out; NULL: none. False outside. */
bool iov_xen_memory(IovXenVm *vm, iov_gpa gpa, void *data, uint32_t size, bool write,
                    struct iov_span **span);

#endif
