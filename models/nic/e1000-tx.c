/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000's transmit engine.
 *
 *   IDLE -- TDT moves --> NEXT: fetch descriptors, take one --> DATA: read its bytes --> SEND
 *     ^                    ^                                     |  ^                      |
 *     +--- ring is empty --+------ REPORT: write back <----------+  +----------------------+
 *
 * It sends whenever a frame or segment is complete.
 * One descriptor is in work at a time; the wire runs while the next one is read. As software (an
 * emulation) every step takes no time, so one kick handles the whole ring in its instant.
 * SPEC: 3.3 (descriptors), 3.4 (ring), 3.5 (segmentation), 3.6 (checksums).
 * LIMIT: thresholds of TXDCTL and TIPG are stored only; no loop-back; a frame is sent even if the
 * link is down.
 */
#include "core/net/ethernet-regs.h"
#include "core/net/internet.h"
#include "models/nic/e1000-private.h"

static uint64_t ring_base(const IovE1000 *self)
{
    return (uint64_t)self->tdbah << 32 | self->tdbal;
}

/* ---- Sums ---- */

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* Sum over data[begin..end], both included; the result goes to data[place]. What lies outside of
 * the frame is left alone. */
static void sum_insert(uint8_t *data, uint32_t size, uint32_t place, uint32_t begin, uint32_t end)
{
    uint32_t limit = end != 0 && end + 1 < size ? end + 1 : size;

    if (size < 2 || place > size - 2 || begin >= limit)
        return;
    put16(data + place, ~iov_net_sum(0, data + begin, limit - begin));
}

/* ---- Frames ---- */

static struct e1000_context *context_of(struct e1000_tx *tx)
{
    return tx->segment ? &tx->tso : &tx->plain;
}

/* SPEC: 3.5.7: what changes in the headers from segment to segment. */
static void segment_headers(IovE1000 *self, uint8_t *data, uint32_t size, bool last)
{
    const struct e1000_tx *tx = &self->tx;
    const struct e1000_context *context = &tx->tso;
    uint32_t ip = context->ipcss, transport = context->tucss, sum;

    if (ip + 8 <= size) {
        if (context->ip) {
            put16(data + ip + IPV4_LENGTH, size - ip);
            put16(data + ip + IPV4_ID, get16(data + ip + IPV4_ID) + tx->segments);
        } else {
            put16(data + ip + 4, size - ip - 40);
        }
    }
    if (transport >= size)
        return;
    if (context->tcp && transport + TCP_HEADER <= size) {
        uint8_t *sequence = data + transport + TCP_SEQUENCE;
        uint32_t number = ((uint32_t)get16(sequence) << 16 | get16(sequence + 2)) + tx->sent_bytes;

        put16(sequence, number >> 16);
        put16(sequence + 2, number);
        if (!last)
            data[transport + TCP_FLAGS] &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
    } else if (!context->tcp && transport + UDP_HEADER <= size) {
        put16(data + transport + UDP_LENGTH, size - transport);
    }
    /* The driver's sum of the pseudo header leaves out the length. */
    if (tx->options & E1000_TXD_POPTS_TXSM >> 8 && (uint32_t)context->tucso + 2 <= size) {
        sum = (uint32_t)get16(data + context->tucso) + (size - transport);
        put16(data + context->tucso, (sum & 0xffff) + (sum >> 16));
    }
}

static void statistics(IovE1000 *self, const uint8_t *data, uint32_t size)
{
    uint32_t on_wire = size + ETHERNET_FCS;

    self->frames_sent++;
    self->bytes_sent += size;
    e1000_count(self, E1000_TPT, 1);
    e1000_count(self, E1000_GPTC, 1);
    e1000_count64(self, E1000_TOTL, on_wire);
    e1000_count64(self, E1000_GOTCL, on_wire);
    e1000_count_size(self, E1000_PTC64, on_wire);
    if (memcmp(data, "\xff\xff\xff\xff\xff\xff", ETHERNET_ADDRESS) == 0)
        e1000_count(self, E1000_BPTC, 1);
    else if (data[0] & 1)
        e1000_count(self, E1000_MPTC, 1);
}

static void tag_insert(const IovE1000 *self, struct iov_packet *packet)
{
    memmove(packet->data + ETHERNET_TYPE + ETHERNET_VLAN_TAG, packet->data + ETHERNET_TYPE,
            packet->size - ETHERNET_TYPE);
    put16(packet->data + ETHERNET_TYPE, self->vet);
    put16(packet->data + ETHERNET_TYPE + 2, self->tx.vlan);
    packet->size += ETHERNET_VLAN_TAG;
}

/* Puts the staged bytes on the wire as one frame. */
static void emit(IovE1000 *self, bool last)
{
    struct e1000_tx *tx = &self->tx;
    const struct e1000_context *context = context_of(tx);
    struct iov_packet *packet =
        iov_packet_new(self->pool, tx->size + ETHERNET_VLAN_TAG + ETHERNET_MIN);
    iov_time busy;

    packet->size = tx->size;
    memcpy(packet->data, tx->staging, tx->size);
    if (tx->segment)
        segment_headers(self, packet->data, tx->size, last);
    if (tx->options & E1000_TXD_POPTS_TXSM >> 8)
        sum_insert(packet->data, tx->size, context->tucso, context->tucss, context->tucse);
    if (tx->options & E1000_TXD_POPTS_IXSM >> 8)
        sum_insert(packet->data, tx->size, context->ipcso, context->ipcss, context->ipcse);
    if (tx->insert_vlan)
        tag_insert(self, packet);
    if (packet->size < ETHERNET_MIN && self->tctl & E1000_TCTL_PSP) {
        memset(packet->data + packet->size, 0, ETHERNET_MIN - packet->size);
        packet->size = ETHERNET_MIN;
    }
    statistics(self, packet->data, packet->size);
    if (last)
        packet->span = tx->span;
    if (!e1000_is_software(self))
        iov_span_mark(packet->span, self, IOV_PART_QUEUE,
                      e1000_now(self)); /* until the wire was free */
    busy = iov_packet_send(&self->wire, packet);
    tx->wire_free = e1000_now(self) + busy;
}

static void frame_begin(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;
    uint32_t lower = tx->descriptor.lower, upper = tx->descriptor.upper;
    bool extended = lower & E1000_TXD_DEXT;

    tx->open = true;
    tx->broken = false;
    tx->segment = extended && lower & E1000_TXD_TSE;
    tx->options = extended ? (uint8_t)(upper >> 8) : 0;
    tx->insert_vlan = false;
    tx->size = 0;
    tx->sent_bytes = 0;
    tx->segments = 0;
    tx->span = NULL;
    if (tx->segment) {
        uint32_t frame = (uint32_t)tx->tso.header + tx->tso.mss;

        /* The smallest segment keeps one hostile descriptor from becoming a million frames. */
        if (tx->tso.mss < 8 || tx->tso.header < ETHERNET_HEADER || frame > E1000_FRAME_MAX) {
            tx->broken = true;
            e1000_guest_fault(self);
        } else {
            e1000_count(self, E1000_TSCTC, 1);
        }
    }
}

/* What the descriptor that completes a frame or segment asks for. */
static void frame_finish(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;
    uint32_t lower = tx->descriptor.lower, upper = tx->descriptor.upper;

    if (lower & E1000_TXD_VLE && self->ctrl & E1000_CTRL_VME) {
        tx->insert_vlan = true;
        tx->vlan = (uint16_t)(upper >> E1000_TXD_SPECIAL_SHIFT);
    }
    if (!(lower & E1000_TXD_DEXT) && lower & E1000_TXD_IC) {
        uint32_t place = lower >> E1000_TXD_CSO_SHIFT & 0xff,
                 begin = upper >> E1000_TXD_CSS_SHIFT & 0xff;

        sum_insert(tx->staging, tx->size, place, begin, 0);
    }
}

/* ---- Steps: each returns the time to the next one ---- */

static iov_time stop(IovE1000 *self)
{
    self->tx.state = E1000_TX_IDLE;
    return 0;
}

static void context_load(struct e1000_tx *tx)
{
    struct e1000_context_descriptor raw;
    uint32_t lower = tx->descriptor.lower;

    memcpy(&raw, &tx->descriptor, sizeof raw);
    *(lower & E1000_TXD_CONTEXT_TSE ? &tx->tso : &tx->plain) =
        (struct e1000_context){ .ipcss = raw.ipcss,
                                .ipcso = raw.ipcso,
                                .ipcse = raw.ipcse,
                                .tucss = raw.tucss,
                                .tucso = raw.tucso,
                                .tucse = raw.tucse,
                                .payload = lower & E1000_TXD_LENGTH,
                                .header = raw.header_length,
                                .mss = raw.mss,
                                .tcp = lower & E1000_TXD_CONTEXT_TCP,
                                .ip = lower & E1000_TXD_CONTEXT_IP };
}

static bool is_context(const struct e1000_tx_descriptor *descriptor)
{
    return (descriptor->lower & (E1000_TXD_DEXT | E1000_TXD_TYPE)) ==
           (E1000_TXD_DEXT | E1000_TXD_TYPE_CONTEXT);
}

/* Takes the next descriptor, or fetches as many as there are room and ring for. */
static iov_time step_next(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;
    uint32_t count = self->tdlen / E1000_DESCRIPTOR_SIZE;
    iov_time delay = 0;

    if (!(self->tctl & E1000_TCTL_EN) || self->tdh == self->tdt)
        return stop(self);
    if (self->tdh >= count || self->tdt >= count) {
        e1000_guest_fault(self);
        return stop(self);
    }
    if (tx->used >= tx->cached) {
        uint32_t limit = e1000_is_software(self) ? 1 : (uint32_t)self->cache;
        uint32_t run = (self->tdt > self->tdh ? self->tdt : count) - self->tdh;

        tx->used = 0;
        tx->cached = MIN(run, limit);
        self->descriptor_fetches++;
        if (!e1000_dma_read(self, ring_base(self) + self->tdh * E1000_DESCRIPTOR_SIZE, tx->cache,
                            tx->cached * E1000_DESCRIPTOR_SIZE, &delay)) {
            tx->cached = 0;
            return stop(self);
        }
        if (delay != 0)
            return delay;
    }
    tx->descriptor = tx->cache[tx->used];
    tx->taken = 0;
    tx->state = is_context(&tx->descriptor) ? E1000_TX_REPORT : E1000_TX_DATA;
    if (tx->state == E1000_TX_REPORT)
        context_load(tx);
    return e1000_is_software(self) ? 0 : self->processing;
}

static uint32_t descriptor_length(const struct e1000_tx_descriptor *descriptor)
{
    return descriptor->lower &
           (descriptor->lower & E1000_TXD_DEXT ? E1000_TXD_LENGTH : E1000_TXD_LEGACY_LENGTH);
}

/* The span came with the first bytes: what lies before was the ring's, the fetch's and ours. */
static void span_take(IovE1000 *self, struct iov_span *span)
{
    struct e1000_tx *tx = &self->tx;

    if (span == NULL)
        return;
    tx->span = span;
    if (e1000_is_software(self))
        return;
    iov_span_claim(span, self, IOV_PART_QUEUE, tx->since);
    iov_span_mark(span, self, IOV_PART_PCIE,
                  e1000_now(self) - MIN(self->processing, e1000_now(self)));
    iov_span_mark(span, self, IOV_PART_DEVICE, e1000_now(self));
}

/* Reads bytes of the present descriptor, up to the end of a segment. */
static iov_time step_data(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;
    uint32_t length = descriptor_length(&tx->descriptor);
    uint32_t limit, part;
    iov_time delay = 0, translation = 0;
    struct iov_span *span = NULL;

    if (!tx->open)
        frame_begin(self);
    limit = tx->segment && !tx->broken ? (uint32_t)tx->tso.header + tx->tso.mss : E1000_FRAME_MAX;
    part = MIN(length - tx->taken, limit - tx->size);
    if (!tx->broken && part == 0 && length > tx->taken) {
        tx->broken = true; /* longer than any frame may be */
        e1000_guest_fault(self);
    }
    if (tx->broken)
        part = 0;
    if (part > 0 &&
        !e1000_dma_read_payload(self, tx->descriptor.address + tx->taken, tx->staging + tx->size,
                                part, &delay, &translation, &span))
        tx->broken = true;
    span_take(self, span);
    if (!e1000_is_software(self) && tx->span != NULL) {
        iov_span_mark(tx->span, self, IOV_PART_IOMMU, e1000_now(self) + translation);
        iov_span_mark(tx->span, self, IOV_PART_PCIE, e1000_now(self) + delay);
    }
    tx->size += part;
    tx->taken = tx->broken ? length : tx->taken + part;
    tx->state = E1000_TX_SEND;
    return delay;
}

/* The frame is over: it went out, or it is dropped. */
static void frame_close(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;

    if (tx->broken)
        e1000_drop(self, NULL);
    tx->open = false;
    tx->span = NULL;
    tx->state = E1000_TX_REPORT;
}

/* Sends a frame or a segment if one is complete. */
static iov_time step_send(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;
    bool end = tx->taken >= descriptor_length(&tx->descriptor);
    bool over = end && tx->descriptor.lower & E1000_TXD_EOP;
    bool full = tx->segment && !tx->broken && tx->size == (uint32_t)tx->tso.header + tx->tso.mss;
    bool last = !tx->segment || over || tx->sent_bytes + (uint64_t)tx->tso.mss >= tx->tso.payload;

    if (!full && !over) {
        tx->state = end ? E1000_TX_REPORT : E1000_TX_DATA;
        return 0;
    }
    if (!tx->broken && !e1000_is_software(self) && e1000_now(self) < tx->wire_free)
        return tx->wire_free - e1000_now(self);
    if (!tx->broken && tx->size < ETHERNET_HEADER) {
        tx->broken = true;
        e1000_guest_fault(self);
    }
    if (!tx->broken && !(tx->segments > 0 && tx->size == tx->tso.header)) {
        frame_finish(self);
        emit(self, last);
        if (tx->segment) {
            self->segments++;
            tx->segments++;
            tx->sent_bytes += tx->size - MIN(tx->size, tx->tso.header);
            tx->size = tx->tso.header;
        }
    }
    if (over)
        frame_close(self);
    else
        tx->state = end ? E1000_TX_REPORT : E1000_TX_DATA;
    return 0;
}

/* Writes the descriptor back if it asks for it, and moves the head. */
static iov_time step_report(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;
    uint32_t count = self->tdlen / E1000_DESCRIPTOR_SIZE;
    uint32_t lower = tx->descriptor.lower;
    uint32_t causes = 0;
    iov_time delay = 0;

    if (lower & (E1000_TXD_RS | E1000_TXD_RPS)) {
        uint32_t upper = tx->descriptor.upper | E1000_TXD_STATUS_DD;

        e1000_dma_write(self, ring_base(self) + self->tdh * E1000_DESCRIPTOR_SIZE + 12, &upper,
                        sizeof upper, &delay);
        causes |= E1000_ICR_TXDW;
    }
    self->tdh = self->tdh + 1 < count ? self->tdh + 1 : 0;
    if (tx->used < tx->cached)
        tx->used++;
    if (self->tdh == self->tdt)
        causes |= E1000_ICR_TXQE;
    tx->since = e1000_now(self);
    tx->state = E1000_TX_NEXT;
    if (causes != 0)
        e1000_irq_transmitted(self, lower & E1000_TXD_IDE, causes);
    return delay;
}

static iov_time step(IovE1000 *self)
{
    switch (self->tx.state) {
    case E1000_TX_NEXT:
        return step_next(self);
    case E1000_TX_DATA:
        return step_data(self);
    case E1000_TX_SEND:
        return step_send(self);
    case E1000_TX_REPORT:
        return step_report(self);
    default:
        return 0;
    }
}

static void on_transmit(struct iov_event *event)
{
    IovE1000 *self = iov_container_of(event, IovE1000, tx.event);
    iov_time delay = 0;

    do {
        if (!e1000_step_allowed(self, &self->tx.steps, &self->tx.steps_at))
            stop(self);
        else
            delay = step(self);
    } while (self->tx.state != E1000_TX_IDLE && delay == 0);
    if (self->tx.state != E1000_TX_IDLE)
        iov_event_in(event, delay);
}

void e1000_tx_kick(IovE1000 *self, iov_time arrival)
{
    struct e1000_tx *tx = &self->tx;

    if (tx->state != E1000_TX_IDLE || !(self->tctl & E1000_TCTL_EN))
        return;
    if (self->tdh == self->tdt) {
        e1000_irq_raise(self, E1000_ICR_TXQE); /* there is nothing to send */
        return;
    }
    tx->state = E1000_TX_NEXT;
    tx->since = e1000_now(self);
    iov_event_in(&tx->event, arrival);
}

void e1000_tx_forget(IovE1000 *self)
{
    self->tx.cached = 0;
    self->tx.used = 0;
}

void e1000_tx_init(IovE1000 *self)
{
    iov_event_init(&self->tx.event, self->parent_instance.kernel, on_transmit,
                   IOV_PRIORITY_DEFAULT);
    self->tx.staging = g_malloc0(E1000_FRAME_MAX);
}

void e1000_tx_reset(IovE1000 *self)
{
    struct e1000_tx *tx = &self->tx;

    iov_event_disarm(&tx->event);
    tx->state = E1000_TX_IDLE;
    tx->open = false;
    tx->span = NULL;
    tx->plain = tx->tso = (struct e1000_context){ 0 };
    e1000_tx_forget(self);
}
