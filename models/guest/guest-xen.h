/* SPDX-License-Identifier: Apache-2.0 */
/* Inside the guest kernel: what it does as a guest of Xen. Event channels with handlers, grants of
 * its pages, hypercalls. */
#ifndef IOV_GUEST_XEN_H
#define IOV_GUEST_XEN_H

#include "models/guest/guest-private.h"
#include "models/hypervisor/xen-regs.h"

#define IOV_GUEST_XEN_PORTS 64
#define IOV_GUEST_XEN_GRANT_PAGES 2

struct iov_guest_xen {
    iov_gpa shared;   /* the shared info page */
    iov_gpa grants;   /* the grant table */
    iov_gpa argument; /* of hypercalls */
    struct {
        void (*handler)(void *context, struct iov_guest_cpu *cpu);
        void *context;
    } ports[IOV_GUEST_XEN_PORTS];
};

/* Finds the hypervisor, hands it the shared pages and asks for upcalls. False: this is not Xen. */
bool iov_guest_xen_boot(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu);
void iov_guest_xen_bind(struct iov_guest_xen *xen, uint32_t port,
                        void (*handler)(void *context, struct iov_guest_cpu *cpu), void *context);
/* An event for the other end: a hypercall. The request goes with it. */
void iov_guest_xen_send(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, uint32_t port);
/* Lets `domain` use the page at `page`; and no longer. */
void iov_guest_grant(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, uint32_t ref,
                     uint16_t domain, iov_gpa page, bool readonly);
void iov_guest_grant_end(struct iov_guest_xen *xen, struct iov_guest_cpu *cpu, uint32_t ref);

#endif
