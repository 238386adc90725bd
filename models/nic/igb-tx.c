/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb's transmit engines, one a queue. What is behind the packet buffer is in igb-wire.c.
 *
 *   TDT moves --> fetch descriptors --> issue: ask for a frame's bytes --> flight: they are there
 *                      ^                   |                                  |
 *                      +-- cache is empty -+      write back, raise causes <--+--> packet buffer
 *
 * After `processing` a queue asks for the next frame while the bytes of up to `reads` others are on
 * their way; frames of all queues meet in the packet buffer (TXPBS), and a queue that finds it full
 * waits for its turn.
 * SPEC: 82576, 7.2 (transmit), 7.2.4 (segmentation), 7.2.5 (checksums), 7.2.3 (write-back).
 * LIMIT: thresholds of TXDCTL are stored only: a descriptor with RS is written back when its bytes
 * have been read; no SCTP sum, no IPsec, no launch times; a frame is sent even if the link is down.
 */
#include "core/net/ethernet-regs.h"
#include "models/nic/checksum-private.h"
#include "models/nic/igb-private.h"

#define PACKET_ROOM (IOV_PACKET_INLINE - ETHERNET_VLAN_TAG)
#define SEGMENT_MIN 8u /* keeps one hostile descriptor from becoming a million frames */

static uint64_t ring_base(const struct igb_tx *tx)
{
    return (uint64_t)tx->bah << 32 | tx->bal;
}

static uint32_t ring_count(const struct igb_tx *tx)
{
    return tx->len / IGB_DESCRIPTOR_SIZE;
}

static bool is_on(const struct igb_queue *queue)
{
    const IovIgb *self = queue->nic;

    return self->tctl & IGB_TCTL_EN && queue->tx.dctl & IGB_DCTL_ENABLE &&
           igb_pools_allowed(self, self->vfte) >> igb_queue_pool(queue) & 1;
}

/* ---- Sums ---- */

/* Sum over data[begin..end); the result goes to data[place]. What lies outside of the frame is left
 * alone. */
static void sum_insert(uint8_t *data, uint32_t size, uint32_t place, uint32_t begin, uint32_t end)
{
    uint32_t limit = MIN(end, size);

    if (size < 2 || place > size - 2 || begin >= limit)
        return;
    igb_put16(data + place, ~nic_sum(data + begin, limit - begin, 0));
}

static uint32_t l4_start(const struct igb_context *context)
{
    return (uint32_t)context->mac + context->ip;
}

static void sums_insert(const struct igb_tx *tx, uint8_t *data, uint32_t size)
{
    const struct igb_context *context = &tx->context;
    uint32_t l4 = l4_start(context);

    if (tx->options & IGB_TXD_TXSM && !context->sctp)
        sum_insert(data, size, l4 + (context->tcp ? TCP_CHECKSUM : UDP_CHECKSUM), l4, size);
    if (tx->options & IGB_TXD_IXSM)
        sum_insert(data, size, (uint32_t)context->mac + IPV4_CHECKSUM, context->mac, l4);
}

/* ---- Segments ---- */

/* SPEC: 82576, 7.2.4.7: what changes in the headers from segment to segment. */
static void segment_headers(const struct igb_tx *tx, uint8_t *data, uint32_t size, bool last)
{
    const struct igb_context *context = &tx->context;
    uint32_t ip = context->mac, l4 = l4_start(context), place, sum;

    if (context->ipv4 && ip + IPV4_HEADER <= size) {
        igb_put16(data + ip + IPV4_LENGTH, size - ip);
        igb_put16(data + ip + IPV4_ID, igb_get16(data + ip + IPV4_ID) + tx->segments);
    } else if (!context->ipv4 && ip + 40 <= size) {
        igb_put16(data + ip + 4, size - ip - 40);
    }
    if (context->tcp && l4 + TCP_HEADER <= size) {
        uint8_t *sequence = data + l4 + TCP_SEQUENCE;
        uint32_t number =
            ((uint32_t)igb_get16(sequence) << 16 | igb_get16(sequence + 2)) + tx->sent_bytes;

        igb_put16(sequence, number >> 16);
        igb_put16(sequence + 2, number);
        if (!last)
            data[l4 + TCP_FLAGS] &= (uint8_t) ~(TCP_FLAG_FIN | TCP_FLAG_PSH);
        if (tx->segments >
            0) /* SPEC: 82576, 8.12.7, 8.12.8 (DTXTCPFLGL, DTXTCPFLGH): the defaults */
            data[l4 + TCP_FLAGS] &= (uint8_t)~TCP_FLAG_CWR;
    } else if (!context->tcp && l4 + UDP_HEADER <= size) {
        igb_put16(data + l4 + UDP_LENGTH, size - l4);
    }
    /* The driver's sum of the pseudo header leaves out the length. */
    place = l4 + (context->tcp ? TCP_CHECKSUM : UDP_CHECKSUM);
    if (tx->options & IGB_TXD_TXSM && place + 2 <= size) {
        sum = (uint32_t)igb_get16(data + place) + (size - l4);
        igb_put16(data + place, (sum & 0xffff) + (sum >> 16));
    }
}

/* ---- Frames ---- */

static void tag_insert(const IovIgb *self, struct iov_packet *packet, uint16_t tag)
{
    memmove(packet->data + ETHERNET_TYPE + ETHERNET_VLAN_TAG, packet->data + ETHERNET_TYPE,
            packet->size - ETHERNET_TYPE);
    igb_put16(packet->data + ETHERNET_TYPE, self->vet);
    igb_put16(packet->data + ETHERNET_TYPE + 2, tag);
    packet->size += ETHERNET_VLAN_TAG;
}

/* SPEC: 82576, 7.8.3.8.2: a pool's own tag comes before what its driver asks for. */
static void tag_choose(struct igb_queue *queue, struct iov_packet *packet)
{
    const IovIgb *self = queue->nic;
    const struct igb_tx *tx = &queue->tx;
    uint32_t vmvir = self->pools[igb_queue_pool(queue)].vmvir;

    if (igb_has_pools(self) && vmvir & IGB_VMVIR_DEFAULT)
        tag_insert(self, packet, (uint16_t)vmvir);
    else if (tx->insert_vlan && !(igb_has_pools(self) && vmvir & IGB_VMVIR_NEVER))
        tag_insert(self, packet, tx->context.vlan);
}

/* Makes the bytes in the packet a frame. */
static void packet_finish(struct igb_queue *queue, struct iov_packet *packet, bool last)
{
    struct igb_tx *tx = &queue->tx;

    if (tx->segment)
        segment_headers(tx, packet->data, packet->size, last);
    sums_insert(tx, packet->data, packet->size);
    tag_choose(queue, packet);
    if (packet->size < ETHERNET_MIN && queue->nic->tctl & IGB_TCTL_PSP) {
        memset(packet->data + packet->size, 0, ETHERNET_MIN - packet->size);
        packet->size = ETHERNET_MIN;
    }
    if (last)
        packet->span = tx->span;
}

static void frame_begin(struct igb_queue *queue, const struct igb_tx_descriptor *descriptor)
{
    struct igb_tx *tx = &queue->tx;
    uint32_t index = descriptor->status >> IGB_TXD_IDX_SHIFT & 1;
    bool advanced = descriptor->command & IGB_TXD_DEXT;

    tx->open = true;
    tx->broken = false;
    tx->segment = advanced && descriptor->command & IGB_TXD_TSE;
    tx->options = advanced ? descriptor->status & (IGB_TXD_IXSM | IGB_TXD_TXSM) : 0;
    tx->context = tx->contexts[index];
    tx->insert_vlan = descriptor->command & IGB_TXD_VLE && queue->nic->ctrl & IGB_CTRL_VME;
    if (!advanced)
        tx->context.vlan = (uint16_t)(descriptor->status >> 16);
    tx->payload = descriptor->status >> IGB_TXD_PAYLEN_SHIFT;
    tx->header_size = tx->header_got = 0;
    tx->sent_bytes = tx->segments = 0;
    tx->span = NULL;
    if (!tx->segment)
        return;
    tx->header_size = l4_start(&tx->context) + tx->context.l4;
    if (tx->context.mss < SEGMENT_MIN || tx->header_size < ETHERNET_HEADER ||
        tx->header_size > IGB_HEADER_MAX || tx->header_size + tx->context.mss > IGB_FRAME_MAX) {
        tx->broken = true;
        igb_guest_fault(queue->nic);
    } else {
        igb_count(queue->nic, IGB_TSCTC, 1);
    }
}

static void packet_drop(struct igb_tx *tx)
{
    iov_packet_free(tx->packet);
    tx->packet = NULL;
}

static void frame_break(struct igb_queue *queue)
{
    queue->tx.broken = true;
    igb_guest_fault(queue->nic);
}

/* Room for `more` bytes behind what the packet holds. */
static bool packet_reserve(struct igb_queue *queue, uint32_t more)
{
    struct igb_tx *tx = &queue->tx;
    struct iov_packet *packet = tx->packet, *large;

    if (packet == NULL) {
        tx->packet = packet = iov_packet_new(queue->nic->pool, MIN(more, IGB_FRAME_MAX) + 64);
        packet->size = 0;
        if (tx->segment) {
            memcpy(packet->data, tx->header, tx->header_size);
            packet->size = tx->header_size;
        }
    }
    if (packet->size + more > IGB_FRAME_MAX)
        return false;
    if (packet->size + more <= PACKET_ROOM || packet->is_large)
        return true;
    large = iov_packet_new(queue->nic->pool, IOV_PACKET_MAX);
    memcpy(large->data, packet->data, packet->size);
    large->size = packet->size;
    iov_packet_free(packet);
    tx->packet = large;
    return true;
}

/* ---- Issue ---- */

/* The span came with the first bytes: what lies before was the ring's, the fetch's and ours. */
static void span_take(struct igb_queue *queue, struct iov_span *span, iov_time begin,
                      iov_time translation, iov_time delay)
{
    IovIgb *self = queue->nic;
    iov_time now = igb_now(self);

    if (span != NULL) {
        queue->tx.span = span;
        iov_span_claim(span, self, IOV_PART_QUEUE, queue->tx.since);
        iov_span_mark(span, self, IOV_PART_PCIE, now);
        iov_span_mark(span, self, IOV_PART_DEVICE, now + begin);
    }
    iov_span_mark(queue->tx.span, self, IOV_PART_IOMMU, now + begin + translation);
    iov_span_mark(queue->tx.span, self, IOV_PART_PCIE, now + delay);
}

/* Asks for `size` bytes of the descriptor; they are there `*delay` from now. */
static bool bytes_read(struct igb_queue *queue, uint64_t address, uint8_t *to, uint32_t size,
                       iov_time begin, iov_time *delay)
{
    iov_time translation = 0, taken = begin;
    struct iov_span *span = NULL;
    bool done = igb_dma_read(queue->owner, address, to, size, &taken, &translation, &span);

    span_take(queue, span, begin, translation, taken);
    *delay = MAX(*delay, taken);
    return done;
}

/* `counts`: a descriptor ends here; context descriptors before it go with it. */
static void flight_push(struct igb_queue *queue, iov_time ready, struct iov_packet *packet,
                        bool counts, bool report)
{
    struct igb_tx *tx = &queue->tx;
    uint32_t descriptors = counts ? tx->contexts_seen + 1 : 0;

    if (counts)
        tx->contexts_seen = 0;
    if (packet != NULL)
        queue->nic->tx_bytes += packet->size;
    tx->last_ready = MAX(ready, tx->last_ready);
    tx->flight[(tx->first + tx->flying) % IGB_FLIGHT] = (struct igb_flight){
        .ready = tx->last_ready, .packet = packet, .descriptors = descriptors, .report = report
    };
    if (tx->flying++ == 0)
        iov_event_at(&tx->complete, tx->last_ready);
}

/* A frame or segment is complete in tx->packet; NULL if it is dropped. */
static struct iov_packet *packet_take(struct igb_queue *queue, bool last)
{
    struct igb_tx *tx = &queue->tx;
    struct iov_packet *packet = tx->packet;

    tx->packet = NULL;
    if (packet == NULL)
        return NULL;
    if (tx->broken || packet->size < ETHERNET_HEADER) {
        if (!tx->broken)
            frame_break(queue);
        iov_packet_free(packet);
        return NULL;
    }
    uint32_t payload = packet->size - tx->header_size;

    packet_finish(queue, packet, last);
    if (tx->segment) {
        queue->nic->segments++;
        tx->segments++;
        tx->sent_bytes += payload;
    }
    return packet;
}

/* A legacy descriptor may ask for one sum. */
static void legacy_sum(struct igb_queue *queue, const struct igb_tx_descriptor *descriptor)
{
    struct iov_packet *packet = queue->tx.packet;

    if (packet != NULL && !(descriptor->command & IGB_TXD_DEXT) && descriptor->command & IGB_TXD_IC)
        sum_insert(packet->data, packet->size, descriptor->command >> 16 & 0xff,
                   descriptor->status >> 8 & 0xff, packet->size);
}

/*
 * Handles the data descriptor up to the end of a frame or segment, or its own end. `begin`: from
 * now until its bytes are asked for. True if it is done.
 */
static bool data_issue(struct igb_queue *queue, struct igb_tx_descriptor *descriptor,
                       iov_time begin)
{
    struct igb_tx *tx = &queue->tx;
    uint32_t length = descriptor->command & IGB_TXD_LENGTH, part = length;
    iov_time delay = begin;
    bool end, over, full = false;

    if (!tx->open)
        frame_begin(queue, descriptor);
    if (!tx->broken && tx->segment && tx->header_got < tx->header_size) {
        part = MIN(length, tx->header_size - tx->header_got);
        if (part > 0 && !bytes_read(queue, descriptor->address, tx->header + tx->header_got, part,
                                    begin, &delay))
            tx->broken = true;
        tx->header_got += part;
        descriptor->address += part;
        length -= part;
        part = length;
    }
    if (!tx->broken && tx->segment) {
        uint32_t limit = tx->header_size + tx->context.mss;
        uint32_t have = tx->packet != NULL ? tx->packet->size : tx->header_size;

        part = MIN(length, limit - have);
        full = have + part == limit;
    }
    if (!tx->broken && part > 0) {
        if (!packet_reserve(queue, part))
            frame_break(queue);
        else if (!bytes_read(queue, descriptor->address, tx->packet->data + tx->packet->size, part,
                             begin, &delay))
            tx->broken = true;
        else
            tx->packet->size += part;
    }
    if (tx->broken)
        part = length;
    descriptor->address += part;
    length -= part;
    descriptor->command = (descriptor->command & ~IGB_TXD_LENGTH) | length;
    end = length == 0;
    over = end && descriptor->command & IGB_TXD_EOP;
    if (over && !tx->broken && tx->segments == 0 && tx->packet == NULL)
        frame_break(queue); /* nothing in it, or not even all headers */
    if (over)
        legacy_sum(queue, descriptor);
    if (full || over || end) {
        bool last = over || (tx->segment && tx->sent_bytes + tx->context.mss >= tx->payload);
        struct iov_packet *packet = full || over ? packet_take(queue, last) : NULL;

        flight_push(queue, igb_now(queue->nic) + delay, packet, end,
                    end && descriptor->command & IGB_TXD_RS);
    }
    if (over) {
        if (tx->broken)
            igb_drop(queue->nic, NULL);
        packet_drop(tx);
        tx->open = false;
        tx->span = NULL;
    }
    return end;
}

static void context_load(struct igb_tx *tx, const struct igb_tx_descriptor *descriptor)
{
    struct igb_tx_context raw;

    memcpy(&raw, descriptor, sizeof raw);
    tx->contexts[raw.mss >> IGB_TXD_IDX_SHIFT & 1] =
        (struct igb_context){ .ip = raw.lengths & 0x1ff,
                              .mac = raw.lengths >> IGB_TXC_MACLEN_SHIFT & 0x7f,
                              .vlan = (uint16_t)(raw.lengths >> IGB_TXC_VLAN_SHIFT),
                              .l4 = (uint8_t)(raw.mss >> IGB_TXC_L4LEN_SHIFT),
                              .mss = (uint16_t)(raw.mss >> IGB_TXC_MSS_SHIFT),
                              .ipv4 = raw.command & IGB_TXC_IPV4,
                              .tcp = raw.command & IGB_TXC_TCP,
                              .sctp = raw.command & IGB_TXC_SCTP };
}

static bool is_context(const struct igb_tx_descriptor *descriptor)
{
    return (descriptor->command & (IGB_TXD_DEXT | IGB_TXD_TYPE)) ==
           (IGB_TXD_DEXT | IGB_TXD_TYPE_CONTEXT);
}

static void stop(struct igb_tx *tx)
{
    tx->busy = false;
    tx->fetching = false;
}

/* Fetches as many descriptors as there are room and ring for; false if there is nothing to work on
 * now. */
static bool descriptors_fetch(struct igb_queue *queue, iov_time *ret_delay)
{
    struct igb_tx *tx = &queue->tx;
    uint32_t run = (tx->tail > tx->next ? tx->tail : ring_count(tx)) - tx->next;

    tx->used = 0;
    tx->cached = MIN(run, (uint32_t)queue->nic->cache);
    queue->nic->descriptor_fetches++;
    *ret_delay = 0;
    if (igb_dma_read(queue->owner, ring_base(tx) + tx->next * IGB_DESCRIPTOR_SIZE, tx->cache,
                     tx->cached * IGB_DESCRIPTOR_SIZE, ret_delay, NULL, NULL))
        return true;
    tx->cached = 0;
    return false;
}

/* May the queue go on now? Somebody wakes it if not. */
static bool may_issue(struct igb_queue *queue)
{
    IovIgb *self = queue->nic;
    struct igb_tx *tx = &queue->tx;

    if (!is_on(queue) || tx->next == tx->tail || tx->flying >= self->reads)
        return false;
    if (tx->next >= ring_count(tx) || tx->tail >= ring_count(tx)) {
        igb_guest_fault(self);
        return false;
    }
    if (self->tx_bytes < self->txpbs * 1024)
        return true;
    if (!tx->waiting) {
        tx->waiting = true;
        self->waiting++;
    }
    return false;
}

static void descriptor_next(struct igb_tx *tx)
{
    tx->used++;
    tx->next = tx->next + 1 < ring_count(tx) ? tx->next + 1 : 0;
}

/* One step; returns the time to the next one, or stops the queue. */
static iov_time issue(struct igb_queue *queue)
{
    struct igb_tx *tx = &queue->tx;
    iov_time begin = 0;

    if (!tx->fetching && !tx->fresh)
        tx->since = igb_now(queue->nic);
    while (may_issue(queue)) {
        struct igb_tx_descriptor *descriptor;
        iov_time delay;

        if (tx->used >= tx->cached) {
            if (!descriptors_fetch(queue, &delay))
                break;
            tx->fetching = delay != 0;
            if (delay != 0)
                return begin + delay;
        }
        descriptor = &tx->cache[tx->used];
        begin += queue->nic->processing;
        if (is_context(descriptor)) {
            context_load(tx, descriptor);
            descriptor_next(tx);
            if (!(descriptor->command & IGB_TXD_RS) && tx->next != tx->tail) {
                tx->contexts_seen++;
                continue;
            }
            flight_push(queue, igb_now(queue->nic) + begin, NULL, true,
                        descriptor->command & IGB_TXD_RS);
        } else if (data_issue(queue, descriptor, begin)) {
            descriptor_next(tx);
        }
        tx->fetching = tx->fresh = false;
        if (begin != 0)
            return begin;
        if (!igb_step_allowed(queue->nic, &tx->steps, &tx->steps_at))
            break;
    }
    stop(tx);
    if (queue->nic->tx_bytes == 0 &&
        queue->nic->txpbs != 0) /* nobody else would pass its turn on */
        igb_wire_leave(queue->nic, 0);
    return 0;
}

static void on_issue(struct iov_event *event)
{
    struct igb_queue *queue = iov_container_of(event, struct igb_queue, tx.event);
    iov_time delay = issue(queue);

    if (queue->tx.busy)
        iov_event_in(event, delay);
}

/* ---- Completion ---- */

/* SPEC: 82576, 7.2.3: the descriptor's last word with DD, or the head where TDWBA says. */
static void write_back(struct igb_queue *queue, uint32_t index)
{
    struct igb_tx *tx = &queue->tx;
    uint32_t word = tx->wbal & IGB_WBAL_ENABLE ? tx->head : IGB_TXD_DD;
    uint64_t address = tx->wbal & IGB_WBAL_ENABLE
                           ? (uint64_t)tx->wbah << 32 | (tx->wbal & ~3u)
                           : ring_base(tx) + index * IGB_DESCRIPTOR_SIZE + 12;
    iov_time delay = 0;

    igb_dma_write(queue->owner, address, &word, sizeof word, &delay, NULL);
    igb_queue_raise(queue, true, delay, NULL);
}

static void on_complete(struct iov_event *event)
{
    struct igb_queue *queue = iov_container_of(event, struct igb_queue, tx.complete);
    struct igb_tx *tx = &queue->tx;
    iov_time now = igb_now(queue->nic);

    while (tx->flying > 0 && tx->flight[tx->first].ready <= now) {
        struct igb_flight flight = tx->flight[tx->first];
        uint32_t index;

        tx->first = (tx->first + 1) % IGB_FLIGHT;
        tx->flying--;
        if (flight.packet != NULL)
            igb_wire_forward(queue, flight.packet);
        if (flight.descriptors == 0)
            continue;
        index = (tx->head + flight.descriptors - 1) % MAX(ring_count(tx), 1u);
        tx->head = index + 1 < ring_count(tx) ? index + 1 : 0;
        if (flight.report)
            write_back(queue, index);
    }
    if (tx->flying > 0)
        iov_event_at(event, tx->flight[tx->first].ready);
    igb_tx_kick(queue, 0);
}

/* ---- From outside ---- */

void igb_tx_kick(struct igb_queue *queue, iov_time arrival)
{
    struct igb_tx *tx = &queue->tx;

    if (tx->busy || tx->waiting || !is_on(queue) || tx->next == tx->tail)
        return;
    tx->busy = true;
    tx->fresh = true;
    tx->since = igb_now(queue->nic);
    iov_event_in(&tx->event, arrival);
}

void igb_tx_init(struct igb_queue *queue)
{
    struct iov_kernel *kernel = queue->nic->parent_instance.kernel;

    iov_event_init(&queue->tx.event, kernel, on_issue, IOV_PRIORITY_DEFAULT);
    iov_event_init(&queue->tx.complete, kernel, on_complete, IOV_PRIORITY_DEFAULT);
    queue->tx.header = g_malloc0(IGB_HEADER_MAX);
}

/* The queue is turned off: what is on its way is forgotten. */
static void tx_stop(struct igb_queue *queue)
{
    struct igb_tx *tx = &queue->tx;

    iov_event_disarm(&tx->event);
    iov_event_disarm(&tx->complete);
    queue->nic->waiting -= tx->waiting;
    tx->waiting = tx->open = false;
    while (tx->flying > 0) {
        struct iov_packet *packet = tx->flight[tx->first].packet;

        if (packet != NULL)
            igb_wire_leave(queue->nic, packet->size);
        iov_packet_free(packet);
        tx->first = (tx->first + 1) % IGB_FLIGHT;
        tx->flying--;
    }
    packet_drop(tx);
    tx->span = NULL;
    tx->cached = tx->used = tx->contexts_seen = 0;
    tx->last_ready = 0;
    tx->next = tx->head;
    stop(tx);
}

void igb_tx_set_control(struct igb_queue *queue, uint32_t value, iov_time arrival)
{
    bool was_on = queue->tx.dctl & IGB_DCTL_ENABLE;

    queue->tx.dctl = value & 0x031f1f1f & ~IGB_DCTL_FLUSH;
    if (was_on && !(value & IGB_DCTL_ENABLE))
        tx_stop(queue);
    igb_tx_kick(queue, arrival);
}

void igb_tx_reset(struct igb_queue *queue)
{
    struct igb_tx *tx = &queue->tx;

    tx_stop(queue);
    tx->bal = tx->bah = tx->len = tx->head = tx->tail = tx->next = tx->dca = 0;
    tx->wbal = tx->wbah = 0;
    tx->dctl = queue->index == 0 ? IGB_DCTL_ENABLE : 0;
    memset(tx->contexts, 0, sizeof tx->contexts);
}
