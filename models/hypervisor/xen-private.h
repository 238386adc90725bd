/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of xen-vm, shared by its files: xen-vm.c (hypercalls, grants, upcalls), xen-ioreq.c
 * (emulated devices). */
#ifndef IOV_HYPERVISOR_XEN_PRIVATE_H
#define IOV_HYPERVISOR_XEN_PRIVATE_H

#include <string.h>

#include "models/hypervisor/kvm-private.h"
#include "models/hypervisor/xen-regs.h"
#include "models/hypervisor/xen.h"

enum { IOV_XEN_GRANT_PAGES = 4 };

/* An access on its way to Dom0 and back, of one vCPU. */
struct iov_xen_ioreq {
    struct iov_xen_work work;
    struct iov_vcpu *vcpu;
    struct xen_ioreq *page; /* as the hypervisor and the emulator see it */
    const struct iov_mem_window *window;
    struct iov_mem_req *req;
    struct iov_span *span;
    unsigned port; /* of Dom0 */
};

struct _IovXenVm {
    IovKvmVm parent_instance;
    /* properties */
    uint64_t id;
    IovModel *device_model_ref;
    /* costs */
    iov_time send_cost;
    /* state */
    struct iov_xen_domain channels;
    uint8_t *grants[IOV_XEN_GRANT_PAGES];
    uint8_t upcall_vector;
    IovXenDomain *device_model;
    struct iov_xen_ioreq *requests; /* one for each vCPU */
    struct xen_ioreq *page;
    /* statistics */
    uint64_t hypercalls, bad_hypercalls, events_sent, grants_used, bad_grants, ioreqs;
};

/* ---- xen-ioreq.c ---- */
void iov_xen_ioreq_describe(IovModelClass *mc);
bool iov_xen_ioreq_realize(IovXenVm *vm, GError **error);
void iov_xen_ioreq_access(struct iov_vcpu *vcpu, const struct iov_mem_window *window,
                          struct iov_mem_req *req, bool write);
void iov_xen_ioreq_route(IovKvmVm *vm, struct iov_thread *thread);

#endif
