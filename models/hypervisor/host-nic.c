/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's physical NIC, see host-nic.h.
 *
 * Out: doorbell, descriptor and data by DMA (host-nic-out), of the frames behind each other one
 * after the other at the pace of the slot (host-nic-dma-kib, host-nic-out-frame); then the wire
 * takes the frame, and its descriptor is free. In: likewise up to the descriptor's write-back
 * (host-nic-in, host-nic-in-frame); frames wait in the NIC's buffer while the slot is slower than
 * the wire. Offloads: sums in both directions, and large TCP segments (TSO), which are fetched as
 * one frame and cut at the wire; the kernel cuts them if `tso` is off. With `rx-usecs` the driver
 * is told of frames no more often than that: several go up together then, which gives GRO something
 * to do.
 * LIMIT: one queue; descriptors are fetched and written back one by one; a large segment is cut
 * when all of it is there.
 */
#include "models/hypervisor/host-nic.h"

#include "core/net/ethernet-regs.h"
#include "core/net/segment.h"
#include "core/trace/measure.h"

/* Bytes of received frames. SPEC: 82576, 8.10.1 (RXPBS): the default of a port. */
#define BUFFER (64 * 1024)

static iov_time now(const struct iov_host_nic *self)
{
    return iov_now(self->model->kernel);
}

static void drop(struct iov_host_nic *self, struct iov_packet *packet)
{
    iov_measure_drop(self->model->run->measure, self->drops, packet);
}

/* When a frame that is there now has crossed the slot, which takes the next one `fixed` after
 * that. */
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
    self->wire_busy =
        now(self) + iov_segment_send(&self->wire, self->pool, packet, &self->tso_segments);
    if (self->transmit.first != NULL)
        iov_event_at(&self->sent, MAX(self->wire_busy, self->transmit.first->stamp));
}

static void enqueue(struct iov_host_nic *self, struct iov_packet *packet)
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

unsigned iov_host_nic_frames(const struct iov_host_nic *self, const struct iov_packet *packet,
                             iov_time *ret_cost)
{
    struct iov_segment_plan plan;

    *ret_cost = 0;
    if (packet->segment_size == 0 || self->tso ||
        !iov_segment_plan(packet->data, packet->size, packet->size, packet->segment_size, &plan))
        return 1;
    *ret_cost = plan.count * self->gso;
    return plan.count;
}

void iov_host_nic_send(struct iov_host_nic *self, struct iov_packet *packet)
{
    struct iov_packet_queue pieces = { 0 };

    if (packet->segment_size == 0 || self->tso) {
        enqueue(self, packet);
        return;
    }
    if (!iov_segment_cut(self->pool, packet, &pieces))
        drop(self, NULL);
    self->gso_segments += pieces.count;
    while (pieces.first != NULL)
        enqueue(self, iov_packet_queue_pop(&pieces));
}

/* ---- In ---- */

static void on_moderated(struct iov_event *event)
{
    struct iov_host_nic *self = iov_container_of(event, struct iov_host_nic, moderated);

    self->told = now(self);
    self->received(self);
}

static void tell(struct iov_host_nic *self)
{
    if (self->rx_usecs == 0)
        self->received(self);
    else if (!iov_event_armed(&self->moderated))
        iov_event_at(&self->moderated, MAX(now(self), self->told + self->rx_usecs));
}

void iov_host_nic_announced(const struct iov_host_nic *self, const struct iov_packet_queue *frames)
{
    const struct iov_packet *packet = self->rx_usecs != 0 ? frames->first : NULL;

    for (; packet != NULL; packet = packet->next)
        iov_span_mark(packet->span, self, IOV_PART_IDLE, now(self));
}

/* What has crossed the slot makes room in the buffer. */
static void make_room(struct iov_host_nic *self)
{
    while (self->stored != NULL && self->stored->stamp <= now(self) + self->in_latency) {
        self->buffered -= self->stored->size;
        self->stored = self->stored->next;
    }
}

static void on_arrived(struct iov_event *event)
{
    struct iov_host_nic *self = iov_container_of(event, struct iov_host_nic, arrived);

    make_room(self);
    while (self->arriving.first != NULL && self->arriving.first->stamp <= now(self)) {
        struct iov_packet *packet = iov_packet_queue_pop(&self->arriving);

        iov_span_mark(packet->span, self, IOV_PART_DEVICE, now(self));
        iov_packet_queue_push(&self->receive, packet);
    }
    if (self->arriving.first != NULL)
        iov_event_at(event, self->arriving.first->stamp);
    tell(self);
}

/* A frame that no sender may send: a stump without a whole header, or longer than a tagged one at
 * an MTU of 1500. */
static bool has_bad_length(const struct iov_packet *packet)
{
    return packet->size < ETHERNET_HEADER ||
           (packet->segment_size == 0 && packet->size > ETHERNET_MAX + ETHERNET_VLAN_TAG);
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    struct iov_host_nic *self = iov_container_of(port, struct iov_host_nic, wire);

    make_room(self);
    if (has_bad_length(packet) || self->arriving.count + self->receive.count >= self->ring ||
        self->buffered + packet->size > BUFFER) {
        drop(self, packet);
        return 0;
    }
    if (self->rx_checksum && iov_segment_verify(packet->data, packet->size))
        packet->flags |= IOV_PACKET_CHECKSUM_GOOD;
    iov_span_claim(packet->span, self, IOV_PART_WIRE, now(self));
    packet->stamp = cross(self, &self->storing, packet, self->in_frame) + self->in_latency;
    iov_packet_queue_push(&self->arriving, packet);
    self->buffered += packet->size;
    if (self->stored == NULL)
        self->stored = packet;
    if (!iov_event_armed(&self->arrived))
        iov_event_at(&self->arrived, packet->stamp);
    return 0;
}

/* The first frame's headers and all payload, in a packet that has room for more. */
static struct iov_packet *large_new(struct iov_host_nic *self, struct iov_packet *first,
                                    const struct iov_segment_data *data)
{
    struct iov_packet *large = iov_packet_new(self->pool, IOV_PACKET_MAX);

    large->size = data->header + data->payload;
    memcpy(large->data, first->data, large->size);
    large->span = first->span;
    large->stamp = first->stamp;
    large->segment_size = (uint16_t)data->payload;
    iov_packet_free(first);
    return large;
}

/* Does the next frame go on where `packet`, which holds `payload` bytes in segments of `size`,
 * ends? */
static bool goes_on(const struct iov_packet *packet, uint32_t payload, uint32_t size,
                    const struct iov_packet *next, struct iov_segment_data *ret_data)
{
    if (next == NULL || !(next->flags & IOV_PACKET_CHECKSUM_GOOD) ||
        (next->span != NULL && packet->span != NULL))
        return false;
    *ret_data = iov_segment_data(next->data, next->size);
    return ret_data->payload != 0 && ret_data->payload <= size &&
           packet->size + ret_data->payload <= IOV_SEGMENT_MERGED_MAX &&
           iov_segment_follows(packet->data, payload, next->data);
}

struct iov_packet *iov_host_nic_gro(struct iov_host_nic *self, struct iov_packet_queue *queue,
                                    unsigned *ret_merged)
{
    struct iov_packet *packet = iov_packet_queue_pop(queue);
    struct iov_segment_data data, more = { 0 };
    bool last;

    *ret_merged = 0;
    if (packet == NULL || queue->first == NULL || !(packet->flags & IOV_PACKET_CHECKSUM_GOOD))
        return packet;
    data = iov_segment_data(packet->data, packet->size);
    last = data.last || data.payload == 0;
    while (!last &&
           goes_on(packet, data.payload, *ret_merged > 0 ? packet->segment_size : data.payload,
                   queue->first, &more)) {
        struct iov_packet *next = iov_packet_queue_pop(queue);

        if ((*ret_merged)++ == 0)
            packet = large_new(self, packet, &data);
        memcpy(packet->data + packet->size, next->data + more.header, more.payload);
        packet->size += more.payload;
        data.payload += more.payload;
        last = more.last || more.payload < packet->segment_size;
        if (next->span != NULL)
            packet->span = next->span;
        iov_packet_free(next);
    }
    if (*ret_merged > 0) {
        self->gro_segments += *ret_merged;
        iov_segment_merged(packet->data, data.payload, last && more.last);
        packet->flags = IOV_PACKET_NEEDS_CHECKSUM;
        packet->checksum_start = ETHERNET_HEADER + IPV4_HEADER;
        packet->checksum_place = ETHERNET_HEADER + IPV4_HEADER + TCP_CHECKSUM;
    }
    return packet;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- Life ---- */

void iov_host_nic_init(struct iov_host_nic *self, IovModel *model)
{
    self->model = model;
    self->pool = iov_packet_pool_new();
    iov_event_init(&self->sent, model->kernel, on_sent, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->arrived, model->kernel, on_arrived, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->moderated, model->kernel, on_moderated, IOV_PRIORITY_DEFAULT);
}

void iov_host_nic_clear(struct iov_host_nic *self)
{
    if (self->model == NULL)
        return;
    self->stored = NULL;
    self->buffered = 0;
    iov_event_disarm(&self->sent);
    iov_event_disarm(&self->arrived);
    iov_event_disarm(&self->moderated);
    iov_packet_queue_clear(&self->transmit);
    iov_packet_queue_clear(&self->arriving);
    iov_packet_queue_clear(&self->receive);
    iov_packet_pool_unref(self->pool, self->model->kernel);
    self->pool = NULL;
    self->model = NULL;
}

static void describe_switch(IovModelClass *mc, size_t offset, const char *name, const char *text)
{
    iov_model_class_add_property(mc, &(struct iov_property){ .name = name,
                                                             .type = IOV_VALUE_BOOL,
                                                             .offset = (uint16_t)offset,
                                                             .width = sizeof(bool),
                                                             .highest = 1,
                                                             .standard = 1,
                                                             .text = text });
}

static void describe_statistic(IovModelClass *mc, size_t offset, const char *name, const char *text)
{
    iov_model_class_add_stat(mc, &(struct iov_stat){ .name = name,
                                                     .type = IOV_STAT_TYPE_COUNT,
                                                     .offset = (uint16_t)offset,
                                                     .text = text });
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
    describe_cost(mc, PLACE(gso), "host-gso",
                  "The kernel, each segment it cuts because the NIC does not");
    describe_cost(mc, PLACE(gro), "host-gro",
                  "The kernel, each received segment it adds to a large one");
    describe_switch(mc, PLACE(tso), "tso", "The physical NIC cuts large TCP segments");
    describe_switch(mc, PLACE(rx_checksum), "rx-checksum",
                    "The physical NIC checks the sums of received frames");
    iov_model_class_add_property(
        mc, &(struct iov_property){ .name = "rx-usecs",
                                    .type = IOV_VALUE_TIME,
                                    .offset = (uint16_t)PLACE(rx_usecs),
                                    .width = sizeof(iov_time),
                                    .highest = IOV_SEC,
                                    .text = "Shortest time between two interrupts for received "
                                            "frames; 0: each frame is told of" });
    describe_statistic(mc, PLACE(sent_frames), "sent-frames", "Frames to the wire");
    describe_statistic(mc, PLACE(tso_segments), "tso-segments",
                       "Segments that the physical NIC cut (TSO)");
    describe_statistic(mc, PLACE(gso_segments), "gso-segments",
                       "Segments that the kernel cut for it (GSO)");
    describe_statistic(mc, PLACE(gro_segments), "gro-segments",
                       "Received segments that became part of a large one (GRO)");
}
