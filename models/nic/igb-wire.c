/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb's packet buffer before the cable, where frames of all queues meet: a frame whose bytes
 * are there leaves its queue to other pools, to the cable, or to both; room that a frame leaves
 * behind goes to the queues that wait for it, in turn.
 * SPEC: 82576, 7.2.1.2 (packet buffer), 7.8.3 (switching).
 */
#include "core/net/ethernet-regs.h"
#include "models/nic/igb-private.h"

static void statistics(struct igb_queue *queue, const uint8_t *data, uint32_t size)
{
    IovIgb *self = queue->nic;
    uint32_t on_wire = size + ETHERNET_FCS;

    self->frames_sent++;
    self->bytes_sent += size;
    queue->owner->sent++;
    queue->owner->sent_bytes += on_wire;
    igb_count(self, IGB_TPT, 1);
    igb_count(self, IGB_GPTC, 1);
    igb_count(self, IGB_HGPTC, 1);
    igb_count64(self, IGB_TOTL, on_wire);
    igb_count64(self, IGB_GOTCL, on_wire);
    igb_count64(self, IGB_HGOTCL, on_wire);
    igb_count_size(self, IGB_PTC64, on_wire);
    if (memcmp(data, "\xff\xff\xff\xff\xff\xff", ETHERNET_ADDRESS) == 0)
        igb_count(self, IGB_BPTC, 1);
    else if (data[0] & 1)
        igb_count(self, IGB_MPTC, 1);
}

/* The queue that waits next after the last one goes on; one that is off now is passed over. */
static void room_give(IovIgb *self)
{
    unsigned last = self->turn;

    for (unsigned i = 1; self->waiting > 0 && i <= self->queue_count; i++) {
        struct igb_queue *queue = &self->queues[(last + i) % self->queue_count];

        if (!queue->tx.waiting)
            continue;
        queue->tx.waiting = false;
        self->waiting--;
        self->turn = queue->index;
        igb_tx_kick(queue, 0);
        if (queue->tx.busy)
            return;
    }
}

void igb_wire_leave(IovIgb *self, uint32_t size)
{
    self->tx_bytes -= size;
    if (self->waiting > 0)
        room_give(self);
}

static void wire_send(IovIgb *self)
{
    while (self->wire_fifo.first != NULL) {
        struct iov_packet *packet;

        if (igb_now(self) < self->wire_free) {
            if (!iov_event_armed(&self->wire_event))
                iov_event_at(&self->wire_event, self->wire_free);
            return;
        }
        packet = iov_packet_queue_pop(&self->wire_fifo);
        self->tx_bytes -= packet->size;
        iov_span_mark(packet->span, self, IOV_PART_QUEUE, igb_now(self)); /* until it was free */
        self->wire_free = igb_now(self) + iov_packet_send(&self->wire, packet);
        if (self->waiting > 0)
            room_give(self);
    }
}

static void on_wire(struct iov_event *event)
{
    wire_send(iov_container_of(event, IovIgb, wire_event));
}

void igb_wire_init(IovIgb *self)
{
    iov_event_init(&self->wire_event, self->parent_instance.kernel, on_wire, IOV_PRIORITY_DEFAULT);
}

void igb_wire_reset(IovIgb *self)
{
    iov_event_disarm(&self->wire_event);
    iov_packet_queue_clear(&self->wire_fifo);
    self->tx_bytes = 0;
    self->waiting = 0;
}

static struct iov_packet *copy_of(IovIgb *self, const struct iov_packet *packet)
{
    struct iov_packet *copy = iov_packet_new(self->pool, packet->size + ETHERNET_MIN);

    memcpy(copy->data, packet->data, packet->size);
    copy->size = packet->size;
    return copy;
}

void igb_wire_forward(struct igb_queue *queue, struct iov_packet *packet)
{
    IovIgb *self = queue->nic;
    unsigned pool = igb_queue_pool(queue);
    bool outside;
    uint64_t pools;

    if (igb_has_pools(self) && !igb_filter_may_send(self, packet, pool)) {
        self->frames_spoofed++;
        self->wvbr |= 1u << (pool & 15);
        self->lvmmc = 1u | pool << 24;
        igb_wire_leave(self, packet->size);
        igb_drop(self, packet);
        return;
    }
    statistics(queue, packet->data, packet->size);
    pools = igb_filter_local(self, packet, pool, &outside);
    if (pools != 0) {
        queue->owner->sent_loop++;
        queue->owner->sent_loop_bytes += packet->size + ETHERNET_FCS;
        self->frames_looped++;
        if (!outside) {
            igb_wire_leave(self, packet->size);
            packet->span = iov_span_after_sending(packet->span);
            igb_rx_deliver(self, packet, pools);
            return;
        }
        igb_rx_deliver(self, copy_of(self, packet), pools);
    }
    iov_packet_queue_push(&self->wire_fifo, packet);
    wire_send(self);
}
