/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Xen's event channels: pending and mask bits in the receiver's shared info page, a bit for the
 * word in its vcpu_info, and the upcall.
 *
 * An event that is pending already, or masked, tells nobody; so events merge until the receiver
 * looks. All events go to vCPU 0 of a domain. The page is the receiver's memory: what it writes
 * there can only cost it events.
 */
#include <string.h>

#include "models/hypervisor/xen-regs.h"
#include "models/hypervisor/xen.h"

unsigned iov_xen_port_alloc(struct iov_xen_domain *domain)
{
    if (domain->next_port + 1 >= IOV_XEN_PORTS)
        return 0;
    return ++domain->next_port;
}

/* Sets a bit of the page; true if it was set. */
static bool test_and_set(uint8_t *page, unsigned offset, unsigned bit)
{
    uint8_t mask = (uint8_t)(1u << (bit & 7));
    bool was = page[offset + bit / 8] & mask;

    page[offset + bit / 8] |= mask;
    return was;
}

/* SPEC: xen/include/public/event_channel.h and xen.h: bit of the port, then of its word, then the
 * upcall. */
void iov_xen_event(struct iov_xen_domain *domain, unsigned port, struct iov_exec *exec,
                   struct iov_span *span)
{
    uint8_t *page = domain->shared;

    if (page == NULL || port >= IOV_XEN_PORTS)
        return;
    domain->events++;
    if (span != NULL)
        domain->channels[port].span = span;
    if (test_and_set(page, XEN_EVTCHN_PENDING, port) ||
        page[XEN_EVTCHN_MASK + port / 8] >> (port & 7) & 1)
        return;
    if (test_and_set(page, XEN_VCPU_PENDING_SELECT, port / 64))
        return;
    if (page[XEN_VCPU_UPCALL_PENDING] != 0)
        return;
    page[XEN_VCPU_UPCALL_PENDING] = 1;
    domain->notify(domain, exec, span);
}

bool iov_xen_send(struct iov_xen_domain *domain, unsigned port, struct iov_exec *exec,
                  struct iov_span *span)
{
    struct iov_xen_channel *channel;

    if (port >= IOV_XEN_PORTS || domain->channels[port].remote == NULL)
        return false;
    channel = &domain->channels[port];
    iov_xen_event(channel->remote, channel->remote_port, exec, span);
    return true;
}
