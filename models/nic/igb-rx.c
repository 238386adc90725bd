/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb's receive engines, one a queue.
 *
 *   a frame arrives --> filters --> packet buffer (full: the frame is lost) --> a queue
 *   IDLE -- frame or RDT --> NEXT: fetch descriptors
 *       --> STORE: write bytes and descriptor, raise causes --> NEXT
 *
 * The packet buffer is as large as RXPBS says. A frame for a queue without descriptors is lost if
 * the queue may drop (SRRCTL.Drop_En or QDE), otherwise it waits in the packet buffer.
 * SPEC: 82576, 7.1 (receive), 7.1.5 (descriptors), 7.1.11 (checksums).
 * LIMIT: no header split (such queues get one buffer), no descriptor-minimum interrupt, thresholds
 * of RXDCTL are stored only, the fragment checksum is zero; the FCS is counted in the length if it
 * is not stripped, not written.
 */
#include "core/net/ethernet-regs.h"
#include "models/nic/checksum-private.h"
#include "models/nic/igb-private.h"

#define FRAME_LONG 1522u /* with FCS and tag: longer ones need LPE */

/* What is remembered of a frame in the packet buffer: its `stamp`. */
static iov_time stamp_make(const struct igb_route *route, bool looped)
{
    return route->hash | (iov_time)route->rss << 32 | (iov_time)looped << 40;
}

static uint64_t ring_base(const struct igb_rx *rx)
{
    return (uint64_t)rx->bah << 32 | rx->bal;
}

static uint32_t ring_count(const struct igb_rx *rx)
{
    return rx->len / IGB_DESCRIPTOR_SIZE;
}

static bool is_on(const struct igb_queue *queue)
{
    return queue->nic->rctl & IGB_RCTL_EN && queue->rx.dctl & IGB_DCTL_ENABLE;
}

/* ---- Arrival ---- */

static bool has_descriptor(const struct igb_rx *rx)
{
    uint32_t count = ring_count(rx);
    uint32_t free =
        rx->tail >= rx->head ? rx->tail - rx->head : rx->tail + count - MIN(rx->head, count);

    return rx->fifo.count < free;
}

static void queue_take(struct igb_queue *queue, struct iov_packet *packet)
{
    IovIgb *self = queue->nic;
    struct igb_rx *rx = &queue->rx;

    if (!(rx->dctl & IGB_DCTL_ENABLE)) {
        igb_drop(self, packet);
        return;
    }
    if (!has_descriptor(rx)) {
        igb_count(self, IGB_RNBC, 1);
        if (rx->srrctl & IGB_SRRCTL_DROP || self->qde >> (queue->index & 31) & 1) {
            rx->drops += rx->drops != UINT32_MAX;
            igb_drop(self, packet);
            return;
        }
    }
    if (self->rx_bytes + packet->size > self->rxpbs * 1024) {
        igb_count(self, IGB_MPC, 1);
        igb_other_raise(self, IGB_ICR_RXO);
        igb_drop(self, packet);
        return;
    }
    self->rx_bytes += packet->size;
    iov_packet_queue_push(&rx->fifo, packet);
    igb_rx_kick(queue, 0);
}

static struct iov_packet *copy_of(IovIgb *self, const struct iov_packet *packet)
{
    struct iov_packet *copy = iov_packet_new(self->pool, packet->size);

    memcpy(copy->data, packet->data, packet->size);
    copy->size = packet->size;
    copy->stamp = packet->stamp;
    return copy;
}

/* Those of `pools` whose limit a frame of `on_wire` bytes keeps. */
static uint64_t pools_of_length(const IovIgb *self, uint64_t pools, uint32_t on_wire)
{
    uint64_t fitting = 0;

    for (; pools != 0; pools &= pools - 1) {
        uint32_t vmolr = self->pools[__builtin_ctzll(pools)].vmolr;

        if (on_wire <= (vmolr & IGB_VMOLR_LPE ? vmolr & IGB_VMOLR_RLPML : FRAME_LONG))
            fitting |= pools & -pools;
    }
    return fitting;
}

/*
 * Into a queue of every pool that takes one of this length; the span goes with the first. It is
 * dropped if none does.
 */
static void pools_take(IovIgb *self, struct iov_packet *packet, uint64_t pools, unsigned number)
{
    struct iov_span *span = packet->span;

    pools = pools_of_length(self, pools, packet->size + ETHERNET_FCS);
    if (pools == 0) {
        igb_drop(self, packet);
        return;
    }
    packet->span = NULL;
    while (pools != 0) {
        unsigned pool = (unsigned)__builtin_ctzll(pools);
        uint32_t vmolr = self->pools[pool].vmolr;
        struct iov_packet *mine;

        pools &= pools - 1;
        mine = pools != 0 ? copy_of(self, packet) : packet;
        mine->span = span;
        span = NULL;
        queue_take(igb_pool_queue(self, pool, vmolr & IGB_VMOLR_RSSE ? number & 1 : 0), mine);
    }
}

static bool length_accepts(const IovIgb *self, uint32_t on_wire)
{
    if (on_wire > IGB_FRAME_MAX)
        return false;
    if (igb_has_pools(self)) /* each pool has its own limit */
        return true;
    return on_wire <= (self->rctl & IGB_RCTL_LPE ? self->rlpml : FRAME_LONG);
}

/*
 * A frame that is too short to have a header, or too long. Senders here leave padding to the
 * hardware, so a frame below 60 bytes is padded and no runt.
 */
static iov_time drop_length(IovIgb *self, struct iov_packet *packet, uint32_t counter)
{
    igb_count(self, counter, 1);
    igb_count(self, IGB_RLEC, 1);
    igb_drop(self, packet);
    return 0;
}

iov_time igb_rx_frame(IovIgb *self, struct iov_packet *packet)
{
    struct igb_route route;
    uint32_t on_wire;

    iov_span_claim(packet->span, self, IOV_PART_WIRE, igb_now(self));
    if (!self->link || !(self->rctl & IGB_RCTL_EN)) {
        igb_drop(self, packet);
        return 0;
    }
    if (packet->size < ETHERNET_HEADER)
        return drop_length(self, packet, IGB_RUC);
    if (packet->size < ETHERNET_MIN) {
        memset(packet->data + packet->size, 0, ETHERNET_MIN - packet->size);
        packet->size = ETHERNET_MIN;
    }
    on_wire = packet->size + ETHERNET_FCS;
    igb_count(self, IGB_TPR, 1);
    igb_count64(self, IGB_TORL, on_wire);
    if (!length_accepts(self, on_wire))
        return drop_length(self, packet, IGB_ROC);
    if (!igb_filter_route(self, packet, &route)) {
        self->frames_filtered++;
        iov_packet_drop(packet);
        return 0;
    }
    packet->stamp = stamp_make(&route, false);
    if (igb_has_pools(self))
        pools_take(self, packet, route.pools, route.queue);
    else
        queue_take(&self->queues[route.queue], packet);
    return 0;
}

void igb_rx_deliver(IovIgb *self, struct iov_packet *packet, uint64_t pools)
{
    struct igb_route route;

    if (!(self->rctl & IGB_RCTL_EN)) {
        igb_drop(self, packet);
        return;
    }
    igb_filter_hash(self, packet, &route);
    packet->stamp = stamp_make(&route, true);
    pools_take(self, packet, pools, route.queue);
}

/* ---- Descriptors ---- */

/* Fetches as many as there are room and ring for; false if that failed. */
static bool descriptors_fetch(struct igb_queue *queue, iov_time *ret_delay)
{
    struct igb_rx *rx = &queue->rx;
    uint32_t run = (rx->tail > rx->head ? rx->tail : ring_count(rx)) - rx->head;

    rx->used = 0;
    rx->cached = MIN(run, (uint32_t)queue->nic->cache);
    queue->nic->descriptor_fetches++;
    *ret_delay = 0;
    if (igb_dma_read(queue->owner, ring_base(rx) + rx->head * IGB_DESCRIPTOR_SIZE, rx->cache,
                     rx->cached * IGB_DESCRIPTOR_SIZE, ret_delay, NULL, NULL))
        return true;
    rx->cached = 0;
    return false;
}

static iov_time stop(struct igb_rx *rx)
{
    rx->state = IGB_RX_IDLE;
    return 0;
}

static iov_time store_begin(struct igb_queue *queue)
{
    queue->rx.state = IGB_RX_STORE;
    iov_span_mark(queue->rx.fifo.first->span, queue->nic, IOV_PART_QUEUE, igb_now(queue->nic));
    return queue->nic->processing;
}

static iov_time step_next(struct igb_queue *queue)
{
    struct igb_rx *rx = &queue->rx;
    iov_time delay;

    if (!is_on(queue) || rx->head == rx->tail)
        return stop(rx);
    if (rx->head >= ring_count(rx) || rx->tail >= ring_count(rx)) {
        igb_guest_fault(queue->nic);
        return stop(rx);
    }
    if (rx->used >= rx->cached) {
        if (!descriptors_fetch(queue, &delay))
            return stop(rx);
        if (delay != 0)
            return delay;
    }
    return rx->fifo.first != NULL ? store_begin(queue) : stop(rx);
}

/* ---- What is said of a frame ---- */

/* SPEC: 82576, 7.1.11: which checksums were looked at, and what was found. */
static uint32_t checksum_status(const IovIgb *self, const struct iov_packet *packet, uint16_t types,
                                uint32_t ip, uint32_t l4)
{
    const uint8_t *header = packet->data + ip;
    uint32_t status = 0, length, size, pseudo;

    if (!(types & IGB_RXD_TYPE_IP4))
        return 0;
    length = igb_get16(header + IPV4_LENGTH);
    size = (header[IPV4_VERSION] & 0xfu) * 4;
    if (length < size || length > packet->size - ip)
        return 0;
    if (self->rxcsum & IGB_RXCSUM_IPOFL) {
        status |= IGB_RXD_IPCS;
        if (nic_sum(header, size, 0) != 0xffff)
            status |= IGB_RXD_IPE;
    }
    if (!(self->rxcsum & IGB_RXCSUM_TUOFL) || !(types & (IGB_RXD_TYPE_TCP | IGB_RXD_TYPE_UDP)) ||
        length - size < UDP_HEADER)
        return status;
    if (types & IGB_RXD_TYPE_UDP && igb_get16(packet->data + l4 + UDP_CHECKSUM) == 0)
        return status;
    status |= types & IGB_RXD_TYPE_UDP ? IGB_RXD_L4CS | IGB_RXD_UDPCS : IGB_RXD_L4CS;
    pseudo = nic_sum(header + IPV4_SOURCE, 8, header[IPV4_PROTOCOL] + length - size);
    if (nic_sum(packet->data + l4, length - size, pseudo) != 0xffff)
        status |= IGB_RXD_L4E;
    return status;
}

static bool strips_tag(const struct igb_queue *queue)
{
    const IovIgb *self = queue->nic;

    if (igb_has_pools(self))
        return self->pools[igb_queue_pool(queue)].vmolr & IGB_VMOLR_STRVLAN;
    return self->ctrl & IGB_CTRL_VME;
}

/* Takes the tag out of the frame, once. */
static void frame_begin(struct igb_queue *queue, struct iov_packet *packet)
{
    struct igb_rx *rx = &queue->rx;

    rx->begun = true;
    queue->nic->rx_bytes -= packet->size;
    rx->tagged = strips_tag(queue) && igb_filter_is_tagged(queue->nic, packet);
    rx->tag = rx->tagged ? igb_get16(packet->data + ETHERNET_TYPE + 2) : 0;
    if (!rx->tagged)
        return;
    packet->size -= ETHERNET_VLAN_TAG;
    memmove(packet->data + ETHERNET_TYPE, packet->data + ETHERNET_TYPE + ETHERNET_VLAN_TAG,
            packet->size - ETHERNET_TYPE);
}

static void statistics(struct igb_queue *queue, const struct iov_packet *packet)
{
    IovIgb *self = queue->nic;
    struct igb_function *owner = queue->owner;
    uint32_t on_wire = packet->size + ETHERNET_FCS;
    bool looped = packet->stamp >> 40 & 1;

    self->frames_received++;
    self->bytes_received += packet->size;
    owner->received++;
    owner->received_bytes += on_wire;
    owner->received_loop += looped;
    owner->received_loop_bytes += looped ? on_wire : 0;
    owner->multicast += packet->data[0] & 1;
    igb_count(self, IGB_RPTHC, 1);
    igb_count64(self, IGB_HGORCL, on_wire);
    if (looped)
        return;
    igb_count(self, IGB_GPRC, 1);
    igb_count64(self, IGB_GORCL, on_wire);
    igb_count_size(self, IGB_PRC64, on_wire);
    if (memcmp(packet->data, "\xff\xff\xff\xff\xff\xff", ETHERNET_ADDRESS) == 0)
        igb_count(self, IGB_BPRC, 1);
    else if (packet->data[0] & 1)
        igb_count(self, IGB_MPRC, 1);
}

/* ---- Store ---- */

static uint32_t buffer_size(const struct igb_queue *queue)
{
    uint32_t size = (queue->rx.srrctl & IGB_SRRCTL_PACKET_MASK) * 1024;

    return size != 0 ? size : 2048u >> (queue->nic->rctl >> IGB_RCTL_BSIZE_SHIFT & 3);
}

static bool is_legacy(const struct igb_queue *queue)
{
    return (queue->rx.srrctl >> IGB_SRRCTL_TYPE_SHIFT & 7) == IGB_SRRCTL_TYPE_LEGACY;
}

/* Writes the descriptor back; `done`: with all that is known of the frame. */
static void write_back(struct igb_queue *queue, const struct iov_packet *packet, uint32_t length,
                       bool done, iov_time *delay)
{
    IovIgb *self = queue->nic;
    struct igb_rx *rx = &queue->rx;
    uint64_t address = ring_base(rx) + rx->head * IGB_DESCRIPTOR_SIZE;
    struct igb_rx_done back = { .status = IGB_RXD_DD, .length = (uint16_t)length };
    uint32_t ip, l4;

    if (done) {
        uint16_t types = igb_filter_types(packet, &ip, &l4);

        back.types = (uint16_t)(types | (packet->stamp >> 32 & 0xf));
        back.hash = self->rxcsum & IGB_RXCSUM_PCSD ? (uint32_t)packet->stamp : 0;
        back.status |= IGB_RXD_EOP | checksum_status(self, packet, types, ip, l4);
        back.status |= (rx->tagged ? IGB_RXD_VP : 0) | (packet->stamp >> 40 & 1 ? IGB_RXD_LB : 0);
        back.vlan = rx->tag;
    }
    if (is_legacy(queue)) { /* length, checksum, status, errors, tag: the last eight bytes */
        uint64_t word = length | (uint64_t)(back.status & 0xff) << 32 |
                        (uint64_t)(back.status >> 24 & 0xff) << 40 | (uint64_t)back.vlan << 48;

        igb_dma_write(queue->owner, address + 8, &word, sizeof word, delay, NULL);
        return;
    }
    igb_dma_write(queue->owner, address, &back, sizeof back, delay, NULL);
}

/* Writes as much of the frame as the descriptor's buffer takes, then the descriptor. */
static iov_time step_store(struct igb_queue *queue)
{
    IovIgb *self = queue->nic;
    struct igb_rx *rx = &queue->rx;
    struct iov_packet *packet = rx->fifo.first;
    uint64_t buffer = rx->used < rx->cached ? rx->cache[rx->used].packet : 0;
    uint32_t total, part, bytes;
    iov_time delay = 0;

    if (!rx->begun)
        frame_begin(queue, packet);
    if (rx->stored == 0)
        iov_span_mark(packet->span, self, IOV_PART_DEVICE, igb_now(self));
    total = packet->size + (self->rctl & IGB_RCTL_SECRC ? 0 : ETHERNET_FCS);
    part = MIN(total - rx->stored, buffer_size(queue));
    bytes = rx->stored < packet->size ? MIN(part, packet->size - rx->stored) : 0;
    if (bytes > 0) {
        struct iov_span *span = rx->stored == 0 ? packet->span : NULL;

        igb_dma_write(queue->owner, buffer, packet->data + rx->stored, bytes, &delay, &span);
    }
    rx->stored += part;
    write_back(queue, packet, part, rx->stored >= total, &delay);
    rx->head = rx->head + 1 < ring_count(rx) ? rx->head + 1 : 0;
    rx->used += rx->used < rx->cached;
    rx->state = IGB_RX_NEXT;
    if (rx->stored < total)
        return delay;
    iov_packet_queue_pop(&rx->fifo);
    iov_span_mark(packet->span, self, IOV_PART_PCIE, self->written);
    statistics(queue, packet);
    rx->stored = 0;
    rx->begun = false;
    igb_queue_raise(queue, false, delay, packet->span);
    iov_packet_free(packet);
    return delay;
}

/* ---- The engine ---- */

static void on_receive(struct iov_event *event)
{
    struct igb_queue *queue = iov_container_of(event, struct igb_queue, rx.event);
    struct igb_rx *rx = &queue->rx;
    iov_time delay = 0;

    do {
        if (!igb_step_allowed(queue->nic, &rx->steps, &rx->steps_at))
            stop(rx);
        else
            delay = rx->state == IGB_RX_STORE ? step_store(queue) : step_next(queue);
        if (rx->state == IGB_RX_NEXT && rx->fifo.first == NULL && rx->used < rx->cached)
            stop(rx);
    } while (rx->state != IGB_RX_IDLE && delay == 0);
    if (rx->state != IGB_RX_IDLE)
        iov_event_in(event, delay);
}

void igb_rx_kick(struct igb_queue *queue, iov_time arrival)
{
    struct igb_rx *rx = &queue->rx;

    if (rx->state != IGB_RX_IDLE || !is_on(queue) || rx->head == rx->tail)
        return;
    if (rx->used < rx->cached) {
        if (rx->fifo.first == NULL)
            return; /* nothing to do now */
        if (arrival == 0) {
            iov_event_in(&rx->event, store_begin(queue));
            return;
        }
    }
    rx->state = IGB_RX_NEXT;
    iov_event_in(&rx->event, arrival);
}

void igb_rx_init(struct igb_queue *queue)
{
    iov_event_init(&queue->rx.event, queue->nic->parent_instance.kernel, on_receive,
                   IOV_PRIORITY_DEFAULT);
}

/* The queue is turned off: what waits for it is lost. */
static void rx_stop(struct igb_queue *queue)
{
    struct igb_rx *rx = &queue->rx;
    struct iov_packet *packet;

    iov_event_disarm(&rx->event);
    stop(rx);
    while ((packet = iov_packet_queue_pop(&rx->fifo)) != NULL) {
        queue->nic->rx_bytes -= rx->begun ? 0 : packet->size;
        rx->begun = false;
        iov_packet_free(packet);
    }
    rx->stored = 0;
    rx->cached = rx->used = 0;
}

void igb_rx_set_control(struct igb_queue *queue, uint32_t value, iov_time arrival)
{
    bool was_on = queue->rx.dctl & IGB_DCTL_ENABLE;

    queue->rx.dctl = value & 0x031f1f1f & ~IGB_DCTL_FLUSH;
    if (was_on && !(value & IGB_DCTL_ENABLE))
        rx_stop(queue);
    igb_rx_kick(queue, arrival);
}

void igb_rx_reset(struct igb_queue *queue)
{
    struct igb_rx *rx = &queue->rx;

    rx_stop(queue);
    rx->bal = rx->bah = rx->len = rx->head = rx->tail = rx->dca = rx->drops = 0;
    rx->srrctl = 0x00000400; /* SPEC: 82576, 8.10.2: header 256 bytes, packets by RCTL */
    rx->dctl = queue->index == 0 ? IGB_DCTL_ENABLE : 0;
}
