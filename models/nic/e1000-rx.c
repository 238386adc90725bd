/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000's receive engine.
 *
 *   a frame arrives --> filter --> FIFO (as large as PBA says; full: the frame is lost)
 *   IDLE -- frame or RDT --> NEXT: fetch descriptors --> STORE: write bytes and descriptor
 *       --> REPORT: raise causes --> NEXT
 *
 * A frame that finds no descriptor waits in the FIFO. As software (an emulation) every step takes
 * no time.
 * SPEC: 3.2 (receive), 13.5 (filters), 3.2.9 (checksums).
 * LIMIT: no flow control frames, no header split; the descriptor's packet checksum is zero; the FCS
 * is counted in the length, not written; thresholds of RXDCTL are stored only.
 */
#include "core/net/ethernet-regs.h"
#include "models/nic/e1000-private.h"

#define FRAME_LONG 1522u /* with FCS and tag: longer ones need LPE */

static uint64_t ring_base(const IovE1000 *self)
{
    return (uint64_t)self->rdbah << 32 | self->rdbal;
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* ---- Filters ---- */

static bool is_tagged(const IovE1000 *self, const struct iov_packet *packet)
{
    return packet->size >= ETHERNET_HEADER + ETHERNET_VLAN_TAG &&
           get16(packet->data + ETHERNET_TYPE) == self->vet;
}

static bool vlan_accepts(const IovE1000 *self, const struct iov_packet *packet)
{
    uint16_t id;

    if (!(self->rctl & E1000_RCTL_VFE) || !is_tagged(self, packet))
        return true;
    id = get16(packet->data + ETHERNET_TYPE + 2) & 0xfff;
    return self->vfta[id >> 5] >> (id & 31) & 1;
}

static bool exact_accepts(const IovE1000 *self, const uint8_t *address)
{
    uint32_t low = (uint32_t)address[0] | (uint32_t)address[1] << 8 | (uint32_t)address[2] << 16 |
                   (uint32_t)address[3] << 24;
    uint32_t high = (uint32_t)address[4] | (uint32_t)address[5] << 8;

    for (unsigned i = 0; i < 16; i++) {
        if (self->ra[2 * i + 1] & E1000_RAH_VALID && self->ra[2 * i] == low &&
            (self->ra[2 * i + 1] & 0xffff) == high)
            return true;
    }
    return false;
}

/* SPEC: 13.5.1: MO picks which twelve of the address's last sixteen bits index the table. */
static bool hash_accepts(const IovE1000 *self, const uint8_t *address)
{
    static const uint8_t shifts[4] = { 4, 3, 2, 0 };
    uint32_t bits = (uint32_t)address[4] | (uint32_t)address[5] << 8;
    uint32_t hash = bits >> shifts[self->rctl >> E1000_RCTL_MO_SHIFT & 3] & 0xfff;

    return self->mta[hash >> 5] >> (hash & 31) & 1;
}

static bool filter_accepts(const IovE1000 *self, const struct iov_packet *packet)
{
    const uint8_t *address = packet->data;

    if (!vlan_accepts(self, packet))
        return false;
    if (memcmp(address, "\xff\xff\xff\xff\xff\xff", ETHERNET_ADDRESS) == 0)
        return self->rctl & (E1000_RCTL_BAM | E1000_RCTL_MPE);
    if (address[0] & 1 ? self->rctl & E1000_RCTL_MPE : self->rctl & E1000_RCTL_UPE)
        return true;
    return exact_accepts(self, address) || (address[0] & 1 && hash_accepts(self, address));
}

/* ---- Arrival ---- */

static uint32_t fifo_size(const IovE1000 *self)
{
    uint32_t size = (self->pba & 0xffff) * 1024;

    return size != 0 && size <= 64 * 1024 ? size : 64 * 1024;
}

static iov_time drop(IovE1000 *self, struct iov_packet *packet)
{
    e1000_drop(self, packet);
    return 0;
}

/*
 * A frame that is too short to have a header, or too long. Senders here leave padding to the
 * hardware, so a frame below 60 bytes is padded and no runt.
 */
static iov_time drop_length(IovE1000 *self, struct iov_packet *packet, uint32_t counter)
{
    e1000_count(self, counter, 1);
    e1000_count(self, E1000_RLEC, 1);
    return drop(self, packet);
}

iov_time e1000_rx_frame(IovE1000 *self, struct iov_packet *packet)
{
    uint32_t on_wire;

    if (!e1000_is_software(self))
        iov_span_claim(packet->span, self, IOV_PART_WIRE, e1000_now(self));
    if (!(self->status & E1000_STATUS_LU) || !(self->rctl & E1000_RCTL_EN))
        return drop(self, packet);
    if (packet->size < ETHERNET_HEADER)
        return drop_length(self, packet, E1000_RUC);
    if (packet->size < ETHERNET_MIN) {
        memset(packet->data + packet->size, 0, ETHERNET_MIN - packet->size);
        packet->size = ETHERNET_MIN;
    }
    on_wire = packet->size + ETHERNET_FCS;
    e1000_count(self, E1000_TPR, 1);
    e1000_count64(self, E1000_TORL, on_wire);
    if (on_wire > E1000_FRAME_MAX ||
        (on_wire > FRAME_LONG && !(self->rctl & (E1000_RCTL_LPE | E1000_RCTL_SBP))))
        return drop_length(self, packet, E1000_ROC);
    if (!filter_accepts(self, packet)) {
        self->frames_filtered++;
        iov_packet_drop(packet);
        return 0;
    }
    if (self->rx.fifo_bytes + on_wire > fifo_size(self)) {
        e1000_count(self, E1000_MPC, 1);
        e1000_irq_raise(self, E1000_ICR_RXO);
        return drop(self, packet);
    }
    if (self->rdh == self->rdt)
        e1000_count(self, E1000_RNBC, 1);
    packet->stamp = e1000_now(self);
    iov_packet_queue_push(&self->rx.fifo, packet);
    self->rx.fifo_bytes += on_wire;
    e1000_rx_kick(self, 0);
    return 0;
}

/* ---- Steps: each returns the time to the next one ---- */

static iov_time stop(IovE1000 *self)
{
    self->rx.state = E1000_RX_IDLE;
    return 0;
}

static iov_time step_next(IovE1000 *self)
{
    struct e1000_rx *rx = &self->rx;
    uint32_t count = self->rdlen / E1000_DESCRIPTOR_SIZE;
    iov_time delay = 0;

    if (!(self->rctl & E1000_RCTL_EN) || self->rdh == self->rdt)
        return stop(self);
    if (self->rdh >= count || self->rdt >= count) {
        e1000_guest_fault(self);
        return stop(self);
    }
    if (rx->used >= rx->cached) {
        uint32_t run = (self->rdt > self->rdh ? self->rdt : count) - self->rdh;

        if (e1000_is_software(self) && rx->fifo.first == NULL)
            return stop(self); /* an emulation looks when it needs one */
        rx->used = 0;
        rx->cached = e1000_is_software(self) ? 1 : MIN(run, (uint32_t)self->cache);
        self->descriptor_fetches++;
        if (!e1000_dma_read(self, ring_base(self) + self->rdh * E1000_DESCRIPTOR_SIZE, rx->cache,
                            rx->cached * E1000_DESCRIPTOR_SIZE, &delay)) {
            rx->cached = 0;
            return stop(self);
        }
        if (delay != 0)
            return delay;
    }
    if (rx->fifo.first == NULL)
        return stop(self);
    rx->state = E1000_RX_STORE;
    if (e1000_is_software(self))
        return 0;
    iov_span_mark(rx->fifo.first->span, self, IOV_PART_QUEUE, e1000_now(self));
    return self->processing;
}

static uint32_t buffer_size(const IovE1000 *self)
{
    uint32_t code = self->rctl >> E1000_RCTL_BSIZE_SHIFT & 3;

    return (self->rctl & E1000_RCTL_BSEX && code != 0 ? 32768u : 2048u) >> code;
}

/* Ones' complement sum of bytes, folded; 0xffff over a header or datagram with a right checksum in
 * it. */
static uint32_t sum_of(const uint8_t *data, uint32_t size, uint32_t sum)
{
    for (uint32_t i = 0; i + 1 < size; i += 2)
        sum += get16(data + i);
    if (size & 1)
        sum += (uint32_t)data[size - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* SPEC: 3.2.9: which checksums were looked at, and what was found. */
static void checksums(const IovE1000 *self, const struct iov_packet *packet,
                      struct e1000_rx_descriptor *descriptor)
{
    const uint8_t *ip = packet->data + ETHERNET_HEADER;
    uint32_t room = packet->size - ETHERNET_HEADER, header, length, protocol;
    uint32_t pseudo;

    if (get16(packet->data + ETHERNET_TYPE) != ETHERNET_TYPE_IPV4 || room < IPV4_HEADER) {
        descriptor->status |= E1000_RXD_STATUS_IXSM;
        return;
    }
    header = (ip[IPV4_VERSION] & 0xfu) * 4;
    length = get16(ip + IPV4_LENGTH);
    if (ip[IPV4_VERSION] >> 4 != 4 || header < IPV4_HEADER || header > length || length > room) {
        descriptor->status |= E1000_RXD_STATUS_IXSM;
        return;
    }
    if (self->rxcsum & E1000_RXCSUM_IPOFL) {
        descriptor->status |= E1000_RXD_STATUS_IPCS;
        if (sum_of(ip, header, 0) != 0xffff)
            descriptor->errors |= E1000_RXD_ERROR_IPE;
    }
    protocol = ip[IPV4_PROTOCOL];
    if (!(self->rxcsum & E1000_RXCSUM_TUOFL) || (get16(ip + IPV4_FRAGMENT) & 0x3fff) != 0 ||
        (protocol != IPV4_PROTOCOL_TCP && protocol != IPV4_PROTOCOL_UDP))
        return;
    if (length - header < UDP_HEADER ||
        (protocol == IPV4_PROTOCOL_UDP && get16(ip + header + UDP_CHECKSUM) == 0))
        return;
    descriptor->status |= E1000_RXD_STATUS_TCPCS;
    pseudo = sum_of(ip + IPV4_SOURCE, 8, protocol + length - header);
    if (sum_of(ip + header, length - header, pseudo) != 0xffff)
        descriptor->errors |= E1000_RXD_ERROR_TCPE;
}

/* SPEC: 3.2.3: takes the tag out of the frame and puts it into the descriptor. */
static void tag_strip(const IovE1000 *self, struct iov_packet *packet,
                      struct e1000_rx_descriptor *descriptor)
{
    if (!(self->ctrl & E1000_CTRL_VME) || !is_tagged(self, packet))
        return;
    descriptor->special = get16(packet->data + ETHERNET_TYPE + 2);
    descriptor->status |= E1000_RXD_STATUS_VP;
}

static void tag_remove(const IovE1000 *self, struct iov_packet *packet)
{
    if (!(self->ctrl & E1000_CTRL_VME) || !is_tagged(self, packet))
        return;
    packet->size -= ETHERNET_VLAN_TAG;
    memmove(packet->data + ETHERNET_TYPE, packet->data + ETHERNET_TYPE + ETHERNET_VLAN_TAG,
            packet->size - ETHERNET_TYPE);
}

static void write_back(IovE1000 *self, const struct e1000_rx_descriptor *descriptor,
                       iov_time *delay)
{
    uint64_t at = ring_base(self) + self->rdh * E1000_DESCRIPTOR_SIZE;
    struct e1000_rx_writeback whole = {
        .status = descriptor->status | (uint32_t)descriptor->errors
                                           << E1000_RXD_EXTENDED_ERRORS_SHIFT,
        .length = descriptor->length,
        .vlan = descriptor->special,
    };

    if (self->extended)
        e1000_dma_write(self, at, &whole, sizeof whole, delay);
    else
        e1000_dma_write(self, at + 8, &descriptor->length, 8, delay);
}

/* Writes as much of the frame as the descriptor's buffer takes, then the descriptor. */
static iov_time step_store(IovE1000 *self)
{
    struct e1000_rx *rx = &self->rx;
    struct iov_packet *packet = rx->fifo.first;
    struct e1000_rx_descriptor descriptor =
        rx->used < rx->cached ? rx->cache[rx->used] : (struct e1000_rx_descriptor){ 0 };
    uint32_t count = self->rdlen / E1000_DESCRIPTOR_SIZE;
    uint32_t total, part, bytes;
    iov_time delay = 0;

    descriptor.status = E1000_RXD_STATUS_DD;
    descriptor.errors = 0;
    descriptor.checksum = 0;
    descriptor.special = 0;
    descriptor.length = 0;
    if (!rx->begun) {
        rx->begun = true;
        rx->fifo_bytes -= packet->size + ETHERNET_FCS;
        tag_strip(self, packet, &descriptor);
        rx->tag_status = descriptor.status & E1000_RXD_STATUS_VP;
        rx->tag = descriptor.special;
        tag_remove(self, packet);
    }
    total = packet->size + (self->rctl & E1000_RCTL_SECRC ? 0 : ETHERNET_FCS);
    if (!e1000_is_software(self) && rx->stored == 0)
        iov_span_mark(packet->span, self, IOV_PART_DEVICE, e1000_now(self));
    if (descriptor.address != 0) { /* SPEC: 3.2.3: a null descriptor takes nothing */
        part = MIN(total - rx->stored, buffer_size(self));
        bytes = rx->stored < packet->size ? MIN(part, packet->size - rx->stored) : 0;
        if (bytes > 0)
            e1000_dma_write_payload(self, descriptor.address, packet->data + rx->stored, bytes,
                                    &delay, rx->stored == 0 ? packet->span : NULL);
        descriptor.length = (uint16_t)part;
        rx->stored += part;
    }
    if (rx->stored >= total) {
        descriptor.status |= E1000_RXD_STATUS_EOP | rx->tag_status;
        descriptor.special = rx->tag;
        if (!e1000_is_software(self) && self->rxcsum & (E1000_RXCSUM_IPOFL | E1000_RXCSUM_TUOFL))
            checksums(self, packet, &descriptor);
    }
    write_back(self, &descriptor, &delay);
    self->rdh = self->rdh + 1 < count ? self->rdh + 1 : 0;
    if (rx->used < rx->cached)
        rx->used++;
    if (rx->stored >= total) {
        rx->state = E1000_RX_REPORT;
        if (!e1000_is_software(self))
            iov_span_mark(packet->span, self, IOV_PART_PCIE, e1000_now(self) + delay);
    } else {
        rx->state = E1000_RX_NEXT;
    }
    return delay;
}

static void statistics(IovE1000 *self, const struct iov_packet *packet)
{
    uint32_t on_wire = packet->size + ETHERNET_FCS;

    self->frames_received++;
    self->bytes_received += packet->size;
    e1000_count(self, E1000_GPRC, 1);
    e1000_count64(self, E1000_GORCL, on_wire);
    e1000_count_size(self, E1000_PRC64, on_wire);
    if (memcmp(packet->data, "\xff\xff\xff\xff\xff\xff", ETHERNET_ADDRESS) == 0)
        e1000_count(self, E1000_BPRC, 1);
    else if (packet->data[0] & 1)
        e1000_count(self, E1000_MPRC, 1);
}

/* SPEC: 13.4.22: free descriptors have come down to the share of the ring that RDMTS names. */
static bool descriptors_low(IovE1000 *self)
{
    uint32_t count = self->rdlen / E1000_DESCRIPTOR_SIZE;
    uint32_t available =
        self->rdt >= self->rdh ? self->rdt - self->rdh : self->rdt + count - self->rdh;
    bool before = self->rx.below;

    self->rx.below = available <= count >> ((self->rctl >> E1000_RCTL_RDMTS_SHIFT & 3) + 1);
    return self->rx.below && !before;
}

static iov_time step_report(IovE1000 *self)
{
    struct e1000_rx *rx = &self->rx;
    struct iov_packet *packet = iov_packet_queue_pop(&rx->fifo);

    statistics(self, packet);
    rx->stored = 0;
    rx->begun = false;
    rx->state = E1000_RX_NEXT;
    if (packet->span != NULL)
        self->irq.span = packet->span;
    iov_packet_free(packet);
    if (descriptors_low(self))
        e1000_irq_raise(self, E1000_ICR_RXDMT0);
    e1000_irq_received(self);
    return 0;
}

static iov_time step(IovE1000 *self)
{
    switch (self->rx.state) {
    case E1000_RX_NEXT:
        return step_next(self);
    case E1000_RX_STORE:
        return step_store(self);
    case E1000_RX_REPORT:
        return step_report(self);
    default:
        return 0;
    }
}

static void on_receive(struct iov_event *event)
{
    IovE1000 *self = iov_container_of(event, IovE1000, rx.event);
    iov_time delay = 0;

    do {
        if (!e1000_step_allowed(self, &self->rx.steps, &self->rx.steps_at))
            stop(self);
        else
            delay = step(self);
    } while (self->rx.state != E1000_RX_IDLE && delay == 0);
    if (self->rx.state != E1000_RX_IDLE)
        iov_event_in(event, delay);
}

void e1000_rx_kick(IovE1000 *self, iov_time arrival)
{
    struct e1000_rx *rx = &self->rx;

    if (rx->state != E1000_RX_IDLE || !(self->rctl & E1000_RCTL_EN) || self->rdh == self->rdt)
        return;
    if (rx->fifo.first == NULL && (rx->used < rx->cached || e1000_is_software(self)))
        return; /* nothing to do now */
    rx->state = E1000_RX_NEXT;
    iov_event_in(&rx->event, arrival);
}

void e1000_rx_forget(IovE1000 *self)
{
    self->rx.cached = 0;
    self->rx.used = 0;
}

void e1000_rx_init(IovE1000 *self)
{
    iov_event_init(&self->rx.event, self->parent_instance.kernel, on_receive, IOV_PRIORITY_DEFAULT);
}

void e1000_rx_reset(IovE1000 *self)
{
    struct e1000_rx *rx = &self->rx;

    iov_event_disarm(&rx->event);
    rx->state = E1000_RX_IDLE;
    rx->stored = 0;
    rx->begun = false;
    rx->below = false;
    iov_packet_queue_clear(&rx->fifo);
    rx->fifo_bytes = 0;
    e1000_rx_forget(self);
}
