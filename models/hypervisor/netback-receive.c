/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest receives, see netback.c: from the bridge, or a program in the domain, into the
 * pages that its requests grant. */
#include "models/hypervisor/netback-private.h"

/* From the bridge, in the same domain or in an event. */
static void deliver(struct iov_switch_port *port, struct iov_exec *exec, struct iov_packet *packet,
                    iov_time owed)
{
    IovNetback *self = iov_container_of(port, IovNetback, port);

    if (packet->segment_size != 0) { /* the frontend takes none that large */
        struct iov_packet_queue pieces = { 0 };

        if (!iov_segment_cut(self->pool, packet, &pieces))
            iov_measure_drop(self->measure, &self->drops, NULL);
        for (; pieces.first != NULL; owed = 0)
            deliver(port, exec, iov_packet_queue_pop(&pieces), owed + self->gso_cost);
        return;
    }
    iov_segment_sum(packet);
    if (exec != NULL)
        iov_exec_compute(exec, owed + self->queue_cost, IOV_PART_HOST);
    if (self->rx.bytes == NULL || self->broken || self->received.count >= self->queue_length) {
        iov_measure_drop(self->measure, &self->drops, packet);
        return;
    }
    iov_packet_queue_push(&self->received, packet);
    iov_xen_domain_queue(self->domain, &self->receive, exec, packet->span);
}

/* From a program in the domain: in the call that took its request, or in an event. */
static iov_time netdev_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovNetback *self = iov_container_of(port, IovNetback, netdev);

    deliver(&self->port, self->sending != NULL ? &self->sending->exec : NULL, packet, 0);
    return 0;
}

const struct iov_packet_ops netback_netdev_ops = { .receive = netdev_receive };

/* One frame into the page of the next request; false if the request was no good. */
static bool rx_put(IovNetback *self, struct iov_packet *packet)
{
    uint16_t by = iov_xen_domain_channels(self->domain)->id;
    struct xen_netif_rx_response response = { 0 };
    struct xen_netif_rx_request request;
    iov_gpa page = 0;
    bool good;

    memcpy(&request, netback_slot(&self->rx, self->rx.consumed++), sizeof request);
    good = packet->size <= XEN_PAGE &&
           iov_xen_grant_use(self->vm, request.gref, by, true, &page) == XEN_GNTST_OKAY;
    response.id = request.id;
    response.status = good ? (int16_t)packet->size : XEN_NETIF_RSP_ERROR;
    /* What the NIC, or the guest that sent it, vouches for; the rest is the guest's to sum. */
    response.flags = packet->flags & (IOV_PACKET_CHECKSUM_GOOD | IOV_PACKET_NEEDS_CHECKSUM)
                         ? XEN_NETRXF_DATA_VALIDATED
                         : 0;
    if (good) {
        iov_xen_memory(self->vm, page, packet->data, packet->size, true, &packet->span);
        iov_xen_grant_done(self->vm, request.gref);
        self->frames_received++;
    } else {
        iov_measure_guest_fault(self->measure, &self->bad_requests);
    }
    memcpy(netback_slot(&self->rx, self->rx.produced++), &response, sizeof response);
    return good;
}

/* A batch into the ring: prepared one by one, copied by one hypercall. */
static unsigned rx_batch(IovNetback *self, struct iov_thread *thread, struct iov_span **ret_last)
{
    struct iov_packet_queue batch = { 0 };
    struct iov_packet *packet;
    iov_time copy = 0, bytes = 0;
    unsigned count = 0;

    while (batch.count < NETBACK_BATCH && batch.count < netback_waiting(self, &self->rx) &&
           (packet = iov_packet_queue_pop(&self->received)) != NULL) {
        thread->exec.span = packet->span;
        iov_span_claim(packet->span, thread->exec.holder, IOV_PART_QUEUE, netback_now(self));
        iov_span_mark(packet->span, thread->exec.holder, IOV_PART_QUEUE, netback_now(self));
        iov_thread_compute(thread, self->receive_cost, IOV_PART_HOST);
        copy += self->copy_cost;
        bytes += self->copy_kib * packet->size / 1024;
        self->copies++;
        iov_measure_copy(self->measure, packet->size);
        iov_packet_queue_push(&batch, packet);
    }
    if (batch.count == 0)
        return 0;
    iov_xen_domain_hypercall(self->domain, thread, copy);
    iov_thread_compute(thread, bytes, IOV_PART_COPY);
    while ((packet = iov_packet_queue_pop(&batch)) != NULL) {
        count++;
        if (netback_waiting(self, &self->rx) == 0) { /* the guest took requests back */
            iov_measure_drop(self->measure, &self->drops, packet);
        } else if (rx_put(self, packet)) {
            *ret_last = packet->span;
            iov_packet_free(packet);
        } else {
            iov_packet_drop(packet);
        }
    }
    return count;
}

static void receive_run(struct iov_xen_work *work, struct iov_thread *thread)
{
    IovNetback *self = iov_container_of(work, IovNetback, receive);
    struct iov_span *last = NULL;

    if (self->rx.bytes == NULL || self->broken || self->received.first == NULL)
        return;
    if (rx_batch(self, thread, &last) > 0) {
        if (netback_push(&self->rx))
            netback_notify(self, thread, self->rx_port, last);
        if (self->received.first != NULL)
            iov_xen_domain_queue(self->domain, work, &thread->exec, NULL);
    } else if (!self->broken && netback_final_check(self, &self->rx) > 0) {
        iov_xen_domain_queue(self->domain, work, &thread->exec, NULL);
    }
}

void netback_on_rx_event(struct iov_xen_channel *channel, struct iov_thread *thread)
{
    IovNetback *self = channel->owner;

    if (self->rx.bytes == NULL)
        netback_connect(self, thread);
    iov_xen_domain_queue(self->domain, &self->receive, &thread->exec, NULL);
}

void netback_receive_init(IovNetback *self)
{
    self->receive = (struct iov_xen_work){ .run = receive_run, .task = &self->receive };
    self->port.deliver = deliver;
    self->rx.entry = XEN_NETIF_RX_ENTRY;
}
