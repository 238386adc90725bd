/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmxnet3: the queues. What a descriptor says is read once and checked; a queue that makes no sense
 * stops until the device is activated again. Work of one call is bounded by the ring's size, or by
 * the frames that wait.
 */
#include "models/nic/vmxnet3-private.h"

#include <string.h>

#include "core/net/internet.h"
#include "core/net/segment.h"

#define HEADER 14u  /* of Ethernet */
#define DOUBLING 4u /* doorbells in a row */

/* ---- Queues ---- */

static void stop_queue(IovVmxnet3 *self, bool tx, uint32_t error)
{
    struct vmxnet3_queue_status status = { .stopped = 1, .error = error };
    uint64_t at = tx ? vmxnet3_tx_queue(self, offsetof(struct vmxnet3_tx_queue, status))
                     : vmxnet3_rx_queue(self, offsetof(struct vmxnet3_rx_queue, status));

    vmxnet3_guest_fault(self);
    if (tx)
        self->tx_stopped = true;
    else
        self->rx_stopped = true;
    vmxnet3_put(self, at, &status, sizeof status);
    vmxnet3_tell_event(self, tx ? VMXNET3_EVENT_TX_ERROR : VMXNET3_EVENT_RX_ERROR);
}

static void advance(struct vmxnet3_ring *ring)
{
    if (++ring->next == ring->size) {
        ring->next = 0;
        ring->generation = !ring->generation;
    }
}

static bool complete(IovVmxnet3 *self, struct vmxnet3_ring *ring, struct vmxnet3_descriptor *done)
{
    if (ring->generation)
        done->word3 |= VMXNET3_DONE_GENERATION;
    if (!vmxnet3_put(self, ring->base + sizeof *done * ring->next, done, sizeof *done))
        return false;
    advance(ring);
    return true;
}

/* ---- Transmit ---- */

static void set_threshold(IovVmxnet3 *self, uint32_t threshold)
{
    if (threshold == self->threshold)
        return;
    self->threshold = threshold;
    vmxnet3_put(self, vmxnet3_tx_queue(self, offsetof(struct vmxnet3_tx_queue, threshold)),
                &threshold, sizeof threshold);
}

/* The descriptors of one frame; how many, 0: none is there, or the queue stopped. */
static unsigned take_pieces(IovVmxnet3 *self, struct vmxnet3_descriptor *pieces)
{
    struct vmxnet3_ring ring = self->tx;

    for (unsigned count = 0; count < VMXNET3_TX_PIECES; count++) {
        struct vmxnet3_descriptor *piece = &pieces[count];

        if (!vmxnet3_get(self, ring.base + sizeof *piece * ring.next, piece, sizeof *piece)) {
            stop_queue(self, true, VMXNET3_ERROR_INVALID);
            return 0;
        }
        if (((piece->word2 & VMXNET3_TX_GENERATION) != 0) != ring.generation) {
            if (count > 0)
                stop_queue(self, true, VMXNET3_ERROR_NO_END);
            return 0;
        }
        if (piece->word2 & VMXNET3_TX_TYPE) {
            stop_queue(self, true, VMXNET3_ERROR_UNSUPPORTED);
            return 0;
        }
        advance(&ring);
        if (piece->word3 & VMXNET3_TX_END) {
            self->tx = ring;
            return count + 1;
        }
    }
    stop_queue(self, true, VMXNET3_ERROR_TOO_LONG);
    return 0;
}

static uint32_t piece_size(const struct vmxnet3_descriptor *piece)
{
    uint32_t size = piece->word2 & VMXNET3_LENGTH;

    return size != 0 ? size : VMXNET3_LENGTH + 1;
}

/* Is what the first descriptor asks for something that the device does with a frame of this
 * size? */
static bool offload_is_sound(const struct vmxnet3_descriptor *first, uint32_t size)
{
    unsigned mode = first->word3 >> VMXNET3_TX_MODE_SHIFT & 3;
    uint32_t start = first->word3 & VMXNET3_TX_HEADER;
    uint32_t place = first->word2 >> VMXNET3_TX_OFFSET_SHIFT;

    if (mode == VMXNET3_TX_MODE_SEGMENTS)
        return place > 0 && start > HEADER && start < size; /* the MSS; the headers' size */
    return mode == 0 ||
           (mode == VMXNET3_TX_MODE_CHECKSUM && start < size && place > start && place + 2 <= size);
}

static struct iov_packet *read_frame(IovVmxnet3 *self, const struct vmxnet3_descriptor *pieces,
                                     unsigned count)
{
    struct iov_packet *packet;
    struct iov_segment_plan plan;
    uint32_t size = 0, done = 0;

    for (unsigned i = 0; i < count; i++)
        size += piece_size(&pieces[i]);
    if (size < HEADER || size > IOV_PACKET_MAX || !offload_is_sound(&pieces[0], size)) {
        vmxnet3_drop(self, &self->tx_malformed);
        return NULL;
    }
    packet = iov_packet_new(self->pool, size);
    for (unsigned i = 0; i < count; i++) {
        struct iov_span *span = NULL;

        if (!vmxnet3_dma(self, pieces[i].address, packet->data + done, piece_size(&pieces[i]),
                         false, IOV_MEM_PAYLOAD, &span)) {
            iov_packet_free(packet);
            stop_queue(self, true, VMXNET3_ERROR_INVALID);
            return NULL;
        }
        if (packet->span == NULL)
            packet->span = span;
        done += piece_size(&pieces[i]);
    }
    if ((pieces[0].word3 >> VMXNET3_TX_MODE_SHIFT & 3) == VMXNET3_TX_MODE_CHECKSUM)
        packet->flags |= IOV_PACKET_NEEDS_CHECKSUM;
    if ((pieces[0].word3 >> VMXNET3_TX_MODE_SHIFT & 3) == VMXNET3_TX_MODE_SEGMENTS)
        packet->segment_size = (uint16_t)(pieces[0].word2 >> VMXNET3_TX_OFFSET_SHIFT);
    if (packet->segment_size != 0 &&
        !iov_segment_plan(packet->data, packet->size, packet->size, packet->segment_size, &plan)) {
        iov_packet_free(packet);
        vmxnet3_drop(self, &self->tx_malformed);
        return NULL;
    }
    iov_span_claim(packet->span, self, IOV_PART_QUEUE, vmxnet3_now(self));
    return packet;
}

/* Tells the driver that a frame is through, if it asked for that; true if it did. */
static bool complete_frame(IovVmxnet3 *self, const struct vmxnet3_descriptor *last)
{
    struct vmxnet3_descriptor done = { .word3 = VMXNET3_DONE_TX << VMXNET3_DONE_TYPE_SHIFT };

    if (!(last->word3 & VMXNET3_TX_COMPLETE))
        return false;
    done.address = (self->tx.next + self->tx.size - 1) % self->tx.size;
    if (!complete(self, &self->tx_done, &done))
        stop_queue(self, true, VMXNET3_ERROR_INVALID);
    return true;
}

/*
 * All that is there; returns the number of frames. A driver leaves one descriptor free, and no time
 * passes here: a full lap is one that feeds itself, and stops the queue.
 */
static unsigned transmit(IovVmxnet3 *self)
{
    struct vmxnet3_descriptor pieces[VMXNET3_TX_PIECES];
    unsigned frames = 0;
    bool tell = false;
    uint32_t left = self->tx.size - 1;

    while (!self->tx_stopped) {
        unsigned count = take_pieces(self, pieces);
        struct iov_packet *packet;

        if (count == 0)
            break;
        if (count > left) {
            stop_queue(self, true, VMXNET3_ERROR_REUSED);
            break;
        }
        left -= count;
        packet = read_frame(self, pieces, count);
        if (self->tx_stopped)
            break;
        frames++;
        if (packet != NULL) {
            self->tx_frames++;
            self->tx_bytes += packet->size;
            iov_packet_send(&self->wire, packet);
        }
        tell |= complete_frame(self, &pieces[count - 1]);
    }
    if (tell)
        vmxnet3_raise(self, self->tx_vector, NULL);
    return frames;
}

static void look_later(IovVmxnet3 *self)
{
    if (iov_event_armed(&self->look))
        iov_event_disarm(&self->look);
    iov_event_in(&self->look, self->defer_time);
}

/* A guest that sends and sends may collect frames; see the head of the file. */
static void adapt(IovVmxnet3 *self)
{
    bool soon = vmxnet3_now(self) - self->last_doorbell <= self->defer_time * self->threshold;

    self->last_doorbell = vmxnet3_now(self);
    self->doorbells = soon ? self->doorbells + 1 : 0;
    if (self->doorbells == DOUBLING) {
        self->doorbells = 0;
        set_threshold(self, MIN(2 * self->threshold, (uint32_t)self->defer));
    }
    if (self->threshold > 1)
        look_later(self);
}

void vmxnet3_doorbell(IovVmxnet3 *self)
{
    adapt(self);
    transmit(self);
}

void vmxnet3_look(IovVmxnet3 *self)
{
    self->looks++;
    if (transmit(self) > 0)
        look_later(self);
    else
        set_threshold(self, 1);
}

/* ---- Receive ---- */

static bool wanted(const IovVmxnet3 *self, const uint8_t *frame)
{
    static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    if (self->rx_mode & VMXNET3_RX_PROMISCUOUS)
        return true;
    if (memcmp(frame, all, sizeof all) == 0)
        return self->rx_mode & VMXNET3_RX_BROADCAST;
    if (frame[0] & 1)
        return self->rx_mode & VMXNET3_RX_ALL_MULTICAST;
    return self->rx_mode & VMXNET3_RX_UNICAST && memcmp(frame, self->address, 6) == 0;
}

/* The buffer at the head of a ring; false: there is none, or the queue stopped. */
static bool peek_buffer(IovVmxnet3 *self, unsigned which, bool first,
                        struct vmxnet3_descriptor *buffer)
{
    const struct vmxnet3_ring *ring = &self->rx[which];

    if (ring->size == 0)
        return false;
    if (!vmxnet3_get(self, ring->base + sizeof *buffer * ring->next, buffer, sizeof *buffer)) {
        stop_queue(self, false, VMXNET3_ERROR_INVALID);
        return false;
    }
    if (((buffer->word2 & VMXNET3_RX_GENERATION) != 0) != ring->generation)
        return false;
    if ((buffer->word2 & VMXNET3_LENGTH) == 0 ||
        ((buffer->word2 & VMXNET3_RX_BODY) != 0) == first) {
        stop_queue(self, false, VMXNET3_ERROR_SMALL_BUFFER);
        return false;
    }
    return true;
}

/* Out of buffers: the driver is to say when there are some. */
void vmxnet3_want_producer(IovVmxnet3 *self, uint8_t want)
{
    if (self->want_producer == (want != 0))
        return;
    self->want_producer = want != 0;
    vmxnet3_put(self, vmxnet3_rx_queue(self, offsetof(struct vmxnet3_rx_queue, want_producer)),
                &want, 1);
}

static uint32_t checks_of_ipv4(const uint8_t *ip, uint32_t size)
{
    uint32_t header = (ip[IPV4_VERSION] & 0xfu) * 4;

    return header >= IPV4_HEADER && header <= size && iov_net_sum(0, ip, header) == 0xffff
               ? VMXNET3_DONE_IPV4 | VMXNET3_DONE_IP_OK
               : VMXNET3_DONE_IPV4;
}

/*
 * What is said of a frame whose sum was found right, or is left open: what the sum is of, and, of
 * IPv4, if that of the header is right, too. 0: nothing. LIMIT: nothing of tagged frames and of
 * IPv6 with extension headers.
 */
static uint32_t checks(const struct iov_packet *packet)
{
    const uint8_t *ip = packet->data + ETHERNET_HEADER;
    uint32_t size = packet->size - ETHERNET_HEADER, of, protocol;
    uint16_t type = iov_net_get16(packet->data + ETHERNET_TYPE);

    if (type == ETHERNET_TYPE_IPV4 && size >= IPV4_HEADER) {
        of = checks_of_ipv4(ip, size);
        protocol = ip[IPV4_PROTOCOL];
    } else if (type == ETHERNET_TYPE_IPV6 && size >= IPV6_HEADER) {
        of = VMXNET3_DONE_IPV6;
        protocol = ip[IPV6_NEXT];
    } else {
        return 0;
    }
    if (protocol == IPV4_PROTOCOL_TCP)
        return of | VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_TCP;
    return protocol == IPV4_PROTOCOL_UDP ? of | VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_UDP : 0;
}

/* Head from the first ring, what does not fit from the second. False: dropped. */
static bool store(IovVmxnet3 *self, struct iov_packet *packet)
{
    const uint16_t sums = IOV_PACKET_CHECKSUM_GOOD | IOV_PACKET_NEEDS_CHECKSUM;
    bool reports = self->features & VMXNET3_FEATURE_RX_CHECKSUM && packet->flags & sums;
    uint32_t found = reports ? checks(packet) : 0;
    struct vmxnet3_descriptor buffer;
    uint32_t done = 0;

    while (done < packet->size) {
        unsigned which = done > 0;
        struct vmxnet3_ring *ring = &self->rx[which];
        struct iov_span *span = packet->span;
        struct vmxnet3_descriptor report = { .word3 = VMXNET3_DONE_RX << VMXNET3_DONE_TYPE_SHIFT };
        uint32_t part;

        if (!peek_buffer(self, which, done == 0, &buffer)) {
            if (!self->rx_stopped && done > 0) /* half of it is reported: there is no way back */
                stop_queue(self, false, VMXNET3_ERROR_SMALL_BUFFER);
            return false;
        }
        part = MIN(packet->size - done, buffer.word2 & VMXNET3_LENGTH);
        if (!vmxnet3_dma(self, buffer.address, packet->data + done, part, true, IOV_MEM_PAYLOAD,
                         &span)) {
            stop_queue(self, false, VMXNET3_ERROR_INVALID);
            return false;
        }
        report.address = ring->next | which << VMXNET3_DONE_RING_SHIFT;
        if (done == 0)
            report.address |= VMXNET3_DONE_BEGIN;
        done += part;
        if (done == packet->size)
            report.address |= VMXNET3_DONE_END;
        if (found != 0)
            report.word3 |= found;
        else
            report.address |= VMXNET3_DONE_UNCHECKED;
        report.word2 = part;
        advance(ring);
        if (!complete(self, &self->rx_done, &report)) {
            stop_queue(self, false, VMXNET3_ERROR_INVALID);
            return false;
        }
    }
    return true;
}

void vmxnet3_receive(IovVmxnet3 *self)
{
    struct iov_span *span = NULL;
    struct iov_packet *packet;
    bool tell = false;

    while ((packet = iov_packet_queue_pop(&self->waiting)) != NULL) {
        if (!self->active || self->rx_stopped) {
            vmxnet3_drop(self, &self->rx_not_ready);
        } else if (packet->size < HEADER || !wanted(self, packet->data)) {
            self->rx_filtered++;
        } else if (store(self, packet)) {
            self->rx_frames++;
            self->rx_bytes += packet->size;
            if (span == NULL)
                span = packet->span;
            tell = true;
            iov_packet_free(packet);
            continue;
        } else {
            vmxnet3_drop(self, &self->rx_no_buffer);
            if (!self->rx_stopped)
                vmxnet3_want_producer(self, 1);
        }
        iov_packet_drop(packet);
    }
    if (!tell)
        return;
    if (self->threshold > 1) { /* a guest that waits for answers is not to be kept waiting */
        set_threshold(self, 1);
        transmit(self);
    }
    self->doorbells = 0;
    vmxnet3_raise(self, self->rx_vector, span);
}

/* ---- Set-up ---- */

static bool set_ring(struct vmxnet3_ring *ring, uint64_t base, uint32_t size, uint32_t most)
{
    *ring = (struct vmxnet3_ring){ .base = base, .size = size, .generation = true };
    return size > 0 && size <= most && size % VMXNET3_RING_STEP == 0 &&
           base % VMXNET3_RING_ALIGN == 0 && base + size * sizeof(struct vmxnet3_descriptor) > base;
}

bool vmxnet3_queues_read(IovVmxnet3 *self, unsigned vectors)
{
    struct vmxnet3_tx_queue tx;
    struct vmxnet3_rx_queue rx;

    if (!vmxnet3_get(self, vmxnet3_tx_queue(self, 0), &tx, sizeof tx) ||
        !vmxnet3_get(self, vmxnet3_rx_queue(self, 0), &rx, sizeof rx) || tx.vector >= vectors ||
        rx.vector >= vectors)
        return false;
    self->tx_vector = tx.vector;
    self->rx_vector = rx.vector;
    return set_ring(&self->tx, tx.ring, tx.ring_size, VMXNET3_RING_MAX) &&
           set_ring(&self->tx_done, tx.completions, tx.completions_size, VMXNET3_RING_MAX) &&
           set_ring(&self->rx[0], rx.rings[0], rx.ring_sizes[0], VMXNET3_RING_MAX) &&
           (set_ring(&self->rx[1], rx.rings[1], rx.ring_sizes[1], VMXNET3_RING_MAX) ||
            rx.ring_sizes[1] == 0) &&
           set_ring(&self->rx_done, rx.completions, rx.completions_size,
                    VMXNET3_RX_COMPLETIONS_MAX);
}
