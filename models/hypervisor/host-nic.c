/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's physical NIC, see host-nic.h.
 *
 * Out: doorbell, descriptor and data by DMA (host-nic-out), of the frames behind each other one after the other at the pace of the slot
 * (host-nic-dma-kib, host-nic-out-frame); then the wire takes the frame, and its descriptor is free. In: likewise up to the descriptor's
 * write-back (host-nic-in, host-nic-in-frame); frames wait in the NIC's buffer while the slot is slower than the wire.
 * LIMIT: one queue, no interrupt moderation, no offloads that it does itself; descriptors are fetched and written back one by one.
 */
#include "models/hypervisor/host-nic.h"

#include "core/trace/measure.h"

#define BUFFER_KIB 64 /* of received frames. SPEC: 82576, 8.10.1 (RXPBS): the default of a port */

static iov_time now(const struct iov_host_nic *self)
{
    return iov_now(self->model->kernel);
}

static void drop(struct iov_host_nic *self, struct iov_packet *packet)
{
    (*self->drops)++;
    self->model->run->measure->counters.drops++;
    iov_packet_free(packet);
}

/* When a frame that is there now has crossed the slot, which takes the next one `fixed` after that. */
static iov_time cross(const struct iov_host_nic *self, iov_time *busy,
                      const struct iov_packet *packet, iov_time fixed)
{
    iov_time done = MAX(now(self), *busy) + self->dma_kib * packet->size / 1024;

    *busy = done + fixed;
    return done;
}

/* ---- Out ---- */

static void on_sent(struct iov_event *event)
{
    struct iov_host_nic *self = iov_container_of(event, struct iov_host_nic, sent);
    struct iov_packet *packet = iov_packet_queue_pop(&self->transmit);

    iov_span_mark(packet->span, self, IOV_PART_DEVICE, packet->stamp);
    iov_span_mark(packet->span, self, IOV_PART_QUEUE, now(self));
    self->sent_frames++;
    self->wire_busy = now(self) + iov_packet_send(&self->wire, packet);
    if (self->transmit.first != NULL)
        iov_event_at(&self->sent, MAX(self->wire_busy, self->transmit.first->stamp));
}

void iov_host_nic_send(struct iov_host_nic *self, struct iov_packet *packet)
{
    if (self->transmit.count >= self->ring) {
        drop(self, packet);
        return;
    }
    iov_span_claim(packet->span, self, IOV_PART_HOST, now(self));
    packet->stamp = cross(self, &self->fetching, packet, self->out_frame) + self->out_latency;
    iov_packet_queue_push(&self->transmit, packet);
    if (!iov_event_armed(&self->sent))
        iov_event_at(&self->sent, MAX(self->wire_busy, packet->stamp));
}

/* ---- In ---- */

static void on_arrived(struct iov_event *event)
{
    struct iov_host_nic *self = iov_container_of(event, struct iov_host_nic, arrived);

    while (self->arriving.first != NULL && self->arriving.first->stamp <= now(self)) {
        struct iov_packet *packet = iov_packet_queue_pop(&self->arriving);

        iov_span_mark(packet->span, self, IOV_PART_DEVICE, now(self));
        iov_packet_queue_push(&self->receive, packet);
    }
    if (self->arriving.first != NULL)
        iov_event_at(event, self->arriving.first->stamp);
    self->received(self);
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct iov_host_nic *self = iov_container_of(port, struct iov_host_nic, wire);
    iov_time behind = self->storing > now(self) ? self->storing - now(self) : 0;

    if (self->arriving.count + self->receive.count >= self->ring ||
        behind > BUFFER_KIB * (self->dma_kib + self->in_frame)) {
        drop(self, packet);
        return 0;
    }
    iov_span_claim(packet->span, self, IOV_PART_WIRE, now(self));
    packet->stamp = cross(self, &self->storing, packet, self->in_frame) + self->in_latency;
    iov_packet_queue_push(&self->arriving, packet);
    if (!iov_event_armed(&self->arrived))
        iov_event_at(&self->arrived, packet->stamp);
    return 0;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- Life ---- */

void iov_host_nic_init(struct iov_host_nic *self, IovModel *model)
{
    self->model = model;
    iov_event_init(&self->sent, model->kernel, on_sent, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->arrived, model->kernel, on_arrived, IOV_PRIORITY_DEFAULT);
}

void iov_host_nic_clear(struct iov_host_nic *self)
{
    struct iov_packet_queue *queues[] = { &self->transmit, &self->arriving, &self->receive };

    if (self->model == NULL)
        return;
    iov_event_disarm(&self->sent);
    iov_event_disarm(&self->arrived);
    for (unsigned i = 0; i < G_N_ELEMENTS(queues); i++) {
        struct iov_packet *packet;

        while ((packet = iov_packet_queue_pop(queues[i])) != NULL)
            iov_packet_free(packet);
    }
}

static void describe_cost(IovModelClass *mc, size_t offset, const char *name, const char *text)
{
    iov_model_class_add_cost(mc,
                             &(struct iov_cost){ .name = name, .offset = offset, .text = text });
}

#define PLACE(field) (offset + G_STRUCT_OFFSET(struct iov_host_nic, field))

void iov_host_nic_describe(IovModelClass *mc, size_t offset)
{
    describe_cost(mc, PLACE(out_latency), "host-nic-out",
                  "The physical NIC, from the driver's doorbell to the wire, data apart");
    describe_cost(mc, PLACE(in_latency), "host-nic-in",
                  "The physical NIC, from the wire to the descriptor in memory, data apart");
    describe_cost(mc, PLACE(out_frame), "host-nic-out-frame",
                  "Its slot, each frame out: descriptor and headers");
    describe_cost(mc, PLACE(in_frame), "host-nic-in-frame",
                  "Its slot, each frame in: descriptor and headers");
    describe_cost(mc, PLACE(dma_kib), "host-nic-dma-kib", "Its slot, each 1024 bytes of a frame");
    iov_model_class_add_port(mc, &(struct iov_port){ .name = "wire",
                                                     .type = IOV_PORT_PACKET,
                                                     .role = IOV_PORT_EQUAL,
                                                     .offset = PLACE(wire),
                                                     .count = 1,
                                                     .ops = &wire_ops,
                                                     .text = "The physical NIC's wire" });
    iov_model_class_add_stat(mc, &(struct iov_stat){ .name = "sent-frames",
                                                     .type = IOV_STAT_TYPE_COUNT,
                                                     .offset = PLACE(sent_frames),
                                                     .text = "Frames to the wire" });
}
