/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vmxnet3 driver, with the habits of Linux 6.1's: one queue pair whose two halves share a
 * vector, another vector for events, masks that the device sets by itself.
 *
 *   transmit:   the first bytes into the data ring, the rest as it lies; W TXPROD when as many
 *               frames wait as the device said
 *   interrupt:  nothing but scheduling the poll: the device has masked the vector
 *   poll:       take back sent frames, take received frames and give each buffer back, W RXPROD
 *               only if the device wants it; W IMR
 *
 * LIMIT: revision 1 of the interface: no receive data ring; no LRO, no RSS; the second receive ring
 * is filled and its buffers are never needed (MTU 1500); BAR 1 is right behind BAR 0.
 */
#include <glib.h>
#include <linux/pci_regs.h>

#include "core/net/ethernet-regs.h"
#include "models/guest/drivers-private.h"
#include "models/guest/guest-private.h"
#include "models/guest/large-buffers.h"
#include "models/nic/vmxnet3-regs.h"

#define TX_RING 512u
#define RX_RING 1024u
#define RX_RING2 256u
#define RX_DONE (RX_RING + RX_RING2)
#define LARGE_PIECES 5u /* of 16 KiB, and the headers */
#define BUFFER 2048u
#define TX_WAKE (TX_RING / 4)
#define DESCRIPTOR ((uint32_t)sizeof(struct vmxnet3_descriptor))

enum { ENTRY_QUEUES, ENTRY_EVENTS, ENTRIES };

struct ring {
    iov_gpa base;
    uint32_t size;
    uint32_t next;
    bool generation;
};

struct driver {
    struct iov_guest_netdev dev;
    IovLinuxGuest *guest;
    uint64_t registers, control, msix;
    iov_gpa shared, queues;
    struct ring tx, tx_done, rx[2], rx_done;
    uint32_t tx_clean; /* oldest descriptor that the device has */
    uint32_t tx_used;  /* how many it has */
    iov_gpa data, tx_buffers, rx_buffers[2];
    struct iov_guest_sent sent[TX_RING]; /* by a frame's last descriptor */
    uint8_t large_number[TX_RING];       /* likewise; 0: no large buffer */
    struct iov_guest_large large;
    struct iov_guest_napi napi;
    bool tx_locked;
};

static struct driver *from_dev(struct iov_guest_netdev *dev)
{
    return iov_container_of(dev, struct driver, dev);
}

static void advance(struct ring *ring)
{
    if (++ring->next == ring->size) {
        ring->next = 0;
        ring->generation = !ring->generation;
    }
}

static iov_gpa tx_field(const struct driver *self, size_t field)
{
    return self->queues + field;
}

static iov_gpa rx_field(const struct driver *self, size_t field)
{
    return self->queues + sizeof(struct vmxnet3_tx_queue) + field;
}

static uint32_t get32(struct iov_guest_cpu *cpu, iov_gpa address)
{
    uint32_t value;

    iov_exec_get(cpu->exec, address, &value, sizeof value);
    return value;
}

static void put32(struct iov_guest_cpu *cpu, iov_gpa address, uint32_t value)
{
    iov_exec_put(cpu->exec, address, &value, sizeof value);
}

static void put_descriptor(struct iov_guest_cpu *cpu, const struct ring *ring, uint32_t index,
                           const struct vmxnet3_descriptor *descriptor)
{
    iov_exec_put(cpu->exec, ring->base + index * DESCRIPTOR, descriptor, DESCRIPTOR);
}

/* The next completion; false if there is none. */
static bool take_done(struct iov_guest_cpu *cpu, struct ring *ring,
                      struct vmxnet3_descriptor *ret_done)
{
    iov_exec_get(cpu->exec, ring->base + ring->next * DESCRIPTOR, ret_done, DESCRIPTOR);
    if (((ret_done->word3 & VMXNET3_DONE_GENERATION) != 0) != ring->generation)
        return false;
    advance(ring);
    return true;
}

static uint32_t command(struct driver *self, struct iov_guest_cpu *cpu, uint32_t value)
{
    iov_guest_write(cpu, self->control + VMXNET3_CMD, 4, value);
    return (uint32_t)iov_guest_read(cpu, self->control + VMXNET3_CMD, 4);
}

static void unmask(struct driver *self, struct iov_guest_cpu *cpu, unsigned vector)
{
    iov_guest_write(cpu, self->registers + VMXNET3_IMR + 8 * vector, 4, 0);
}

/* ---- Transmit ---- */

uint32_t iov_guest_vmxnet3_copied(const struct iov_guest_frame *frame)
{
    const uint8_t *transport = frame->data + frame->checksum_start;

    if (frame->size <= VMXNET3_TX_DATA)
        return frame->size;
    if (frame->checksum_offset == 0)
        return VMXNET3_TX_DATA;
    if (frame->data[ETHERNET_HEADER + IPV4_PROTOCOL] == IPV4_PROTOCOL_TCP)
        return frame->checksum_start + (transport[TCP_OFFSET] >> 4) * 4u;
    return frame->checksum_start + UDP_HEADER;
}

static struct vmxnet3_descriptor piece(const struct ring *ring, iov_gpa address, uint32_t size)
{
    return (struct vmxnet3_descriptor){ .address = address,
                                        .word2 =
                                            size | (ring->generation ? VMXNET3_TX_GENERATION : 0) };
}

/* A large segment: its headers go into the data ring, the rest is in pieces as large as a
 * descriptor takes. */
static void add_large(struct driver *self, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame)
{
    uint32_t first = self->tx.next, last = first, left = frame->size - IOV_TCP_PAYLOAD_AT;
    iov_gpa slot = self->data + first * VMXNET3_TX_DATA;
    struct vmxnet3_descriptor begin = piece(&self->tx, slot, IOV_TCP_PAYLOAD_AT);
    uint8_t number = iov_guest_large_take(&self->large);
    iov_gpa address = iov_guest_large_address(&self->large, number);

    iov_exec_put_payload(cpu->exec, slot, frame->data, IOV_TCP_PAYLOAD_AT, frame->span);
    iov_exec_put(cpu->exec, address, frame->more, left);
    advance(&self->tx);
    self->tx_used++;
    for (uint32_t size; left > 0; left -= size, address += size) {
        size = left <= VMXNET3_LENGTH ? left : VMXNET3_LENGTH + 1;
        struct vmxnet3_descriptor rest = piece(&self->tx, address, size & VMXNET3_LENGTH);

        last = self->tx.next;
        rest.word3 = left == size ? VMXNET3_TX_END | VMXNET3_TX_COMPLETE : 0;
        put_descriptor(cpu, &self->tx, last, &rest);
        advance(&self->tx);
        self->tx_used++;
    }
    begin.word2 |= (uint32_t)frame->segment_size << VMXNET3_TX_OFFSET_SHIFT;
    begin.word3 |= IOV_TCP_PAYLOAD_AT | VMXNET3_TX_MODE_SEGMENTS << VMXNET3_TX_MODE_SHIFT;
    self->sent[last] = (struct iov_guest_sent){ frame->span, frame->size, frame->socket };
    self->large_number[last] = number;
    put_descriptor(cpu, &self->tx, first, &begin);
}

/* The first descriptor is written last: with it the device has the frame. */
static void add_frame(struct driver *self, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame)
{
    uint32_t copied = iov_guest_vmxnet3_copied(frame), first = self->tx.next, last = first;
    iov_gpa slot = self->data + first * VMXNET3_TX_DATA;
    struct vmxnet3_descriptor begin = piece(&self->tx, slot, copied);
    const uint32_t end = VMXNET3_TX_END | VMXNET3_TX_COMPLETE;

    iov_exec_put_payload(cpu->exec, slot, frame->data, copied, frame->span);
    advance(&self->tx);
    self->tx_used++;
    if (copied < frame->size) {
        iov_gpa buffer = self->tx_buffers + self->tx.next * BUFFER;
        struct vmxnet3_descriptor rest = piece(&self->tx, buffer, frame->size - copied);

        last = self->tx.next;
        rest.word3 = end;
        iov_exec_put_payload(cpu->exec, buffer, frame->data + copied, frame->size - copied, NULL);
        put_descriptor(cpu, &self->tx, last, &rest);
        advance(&self->tx);
        self->tx_used++;
    } else {
        begin.word3 = end;
    }
    if (frame->checksum_offset != 0) {
        begin.word2 |= (uint32_t)frame->checksum_offset << VMXNET3_TX_OFFSET_SHIFT;
        begin.word3 |= frame->checksum_start | VMXNET3_TX_MODE_CHECKSUM << VMXNET3_TX_MODE_SHIFT;
    }
    self->sent[last] = (struct iov_guest_sent){ frame->span, frame->size, frame->socket };
    self->large_number[last] = 0;
    put_descriptor(cpu, &self->tx, first, &begin);
}

/* Tells the device, unless it said that it can wait for more than `frames`. */
static void tell(struct driver *self, struct iov_guest_cpu *cpu, uint32_t frames)
{
    iov_gpa deferred_at = tx_field(self, offsetof(struct vmxnet3_tx_queue, deferred));
    uint32_t deferred = get32(cpu, deferred_at) + frames;

    if (deferred < get32(cpu, tx_field(self, offsetof(struct vmxnet3_tx_queue, threshold)))) {
        put32(cpu, deferred_at, deferred);
        iov_guest_kick_suppressed(cpu);
        return;
    }
    put32(cpu, deferred_at, 0);
    iov_guest_kick(cpu, self->registers + VMXNET3_TXPROD, 4, self->tx.next);
}

static void lock_tx(struct driver *self, struct iov_guest_cpu *cpu)
{
    while (self->tx_locked) {
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
        iov_guest_charge(cpu, cpu->guest->costs.idle_poll);
    }
    self->tx_locked = true;
}

static bool vmxnet3_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                             const struct iov_guest_frame *frame)
{
    struct driver *self = from_dev(dev);

    lock_tx(self, cpu);
    bool large = frame->segment_size != 0;

    if (TX_RING - self->tx_used < (large ? LARGE_PIECES + 1 : 3u) ||
        (large && self->large.count == 0)) { /* one is never used, so that full is not empty */
        dev->tx[0].stopped = true;
        self->tx_locked = false;
        return false;
    }
    iov_guest_charge(cpu, cpu->guest->costs.vmxnet3_tx);
    if (large)
        add_large(self, cpu, frame);
    else
        add_frame(self, cpu, frame);
    self->tx_locked = false;
    tell(self, cpu, iov_guest_frames_of(frame));
    return true;
}

static void clean_tx(struct driver *self, struct iov_guest_cpu *cpu)
{
    struct vmxnet3_descriptor done;

    while (take_done(cpu, &self->tx_done, &done)) {
        uint32_t last = (uint32_t)done.address & VMXNET3_INDEX;
        uint32_t count = (last + TX_RING - self->tx_clean) % TX_RING + 1;
        struct iov_guest_sent sent;

        if (last >= TX_RING || count > self->tx_used) { /* it never had that */
            cpu->guest->device_errors++;
            continue;
        }
        sent = self->sent[last];
        iov_guest_large_give(&self->large, self->large_number[last]);
        self->large_number[last] = 0;
        self->tx_clean = (last + 1) % TX_RING;
        self->tx_used -= count;
        iov_guest_charge(cpu, cpu->guest->costs.vmxnet3_tx_clean);
        iov_guest_netdev_sent(&self->dev, cpu, &sent);
    }
    if (self->dev.tx[0].stopped && TX_RING - self->tx_used > TX_WAKE)
        iov_guest_netdev_wake(&self->dev, cpu, 0);
}

/* ---- Receive ---- */

static void give_buffer(struct driver *self, struct iov_guest_cpu *cpu, unsigned which)
{
    struct ring *ring = &self->rx[which];
    struct vmxnet3_descriptor buffer = {
        .address = self->rx_buffers[which] + ring->next * BUFFER,
        .word2 = BUFFER | (which != 0 ? VMXNET3_RX_BODY : 0) |
                 (ring->generation ? VMXNET3_RX_GENERATION : 0),
    };

    put_descriptor(cpu, ring, ring->next, &buffer);
    advance(ring);
}

/* SPEC: Linux, vmxnet3_rx_csum(): of IPv4 both sums, of IPv6 the only one. */
static bool is_summed(uint32_t word)
{
    const uint32_t both = VMXNET3_DONE_CHECKSUM_OK | VMXNET3_DONE_IP_OK;

    if (word & VMXNET3_DONE_IPV4)
        return (word & both) == both;
    return word & VMXNET3_DONE_IPV6 && word & VMXNET3_DONE_CHECKSUM_OK;
}

static void take_frame(struct driver *self, struct iov_guest_cpu *cpu,
                       const struct vmxnet3_descriptor *done)
{
    const uint32_t whole = VMXNET3_DONE_BEGIN | VMXNET3_DONE_END;
    uint32_t word0 = (uint32_t)done->address, index = word0 & VMXNET3_INDEX;
    uint32_t size = done->word2 & VMXNET3_LENGTH;
    struct iov_guest_frame *frame = iov_guest_napi_frame(&self->napi);

    if ((done->word3 >> VMXNET3_DONE_TYPE_SHIFT & 0x7f) != VMXNET3_DONE_RX || index >= RX_RING ||
        (word0 & whole) != whole || done->word2 & VMXNET3_DONE_ERROR || size == 0 ||
        size > IOV_GUEST_FRAME_MAX) {
        cpu->guest->device_errors++;
        return;
    }
    frame->size = (uint16_t)size;
    frame->span =
        iov_exec_get_payload(cpu->exec, self->rx_buffers[0] + index * BUFFER, frame->data, size);
    frame->checksum_start = is_summed(done->word3);
    iov_span_claim(frame->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_work_for(cpu, frame->span);
    iov_guest_charge(cpu, cpu->guest->costs.vmxnet3_rx);
    iov_guest_napi_receive(cpu, &self->napi);
}

static unsigned clean_rx(struct driver *self, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct vmxnet3_descriptor done;
    unsigned count = 0;

    while (count < budget && take_done(cpu, &self->rx_done, &done)) {
        uint8_t want;

        take_frame(self, cpu, &done);
        give_buffer(self, cpu, 0);
        iov_exec_get(cpu->exec, rx_field(self, offsetof(struct vmxnet3_rx_queue, want_producer)),
                     &want, 1);
        if (want)
            iov_guest_write(cpu, self->registers + VMXNET3_RXPROD, 4, self->rx[0].next);
        count++;
    }
    return count;
}

static unsigned poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct driver *self = iov_container_of(napi, struct driver, napi);
    unsigned done;

    clean_tx(self, cpu);
    done = clean_rx(self, cpu, budget);
    if (done < budget) {
        iov_guest_napi_complete(cpu, napi);
        unmask(self, cpu, ENTRY_QUEUES);
    }
    return done;
}

/* ---- Interrupts ---- */

static void on_queues(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;

    iov_guest_napi_schedule(cpu, &self->napi);
}

static void on_wire(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;

    if (iov_guest_read(cpu, self->control + VMXNET3_ICR, 4) != 0)
        iov_guest_napi_schedule(cpu, &self->napi);
}

/* A queue that stopped stays so: Linux would reset the device in a work queue. */
static void on_events(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;
    uint32_t events = get32(cpu, self->shared + offsetof(struct vmxnet3_shared, events));

    if (events != 0) {
        iov_guest_write(cpu, self->control + VMXNET3_ECR, 4, events);
        if (events & (VMXNET3_EVENT_RX_ERROR | VMXNET3_EVENT_TX_ERROR)) {
            cpu->guest->device_errors++;
            command(self, cpu, VMXNET3_GET_QUEUE_STATUS);
        }
    }
    unmask(self, cpu, ENTRY_EVENTS);
}

static void start_vector(struct driver *self, struct iov_guest_cpu *cpu, unsigned entry,
                         uint8_t vector)
{
    uint64_t at = self->msix + entry * PCI_MSIX_ENTRY_SIZE;
    uint64_t message = iov_guest_msi_address(cpu, vector);

    iov_guest_write(cpu, at + PCI_MSIX_ENTRY_LOWER_ADDR, 4, (uint32_t)message);
    iov_guest_write(cpu, at + PCI_MSIX_ENTRY_UPPER_ADDR, 4, message >> 32);
    iov_guest_write(cpu, at + PCI_MSIX_ENTRY_DATA, 4, vector);
    iov_guest_write(cpu, at + PCI_MSIX_ENTRY_VECTOR_CTRL, 4, 0);
}

static bool request_interrupts(struct driver *self, struct iov_guest_cpu *cpu)
{
    static void (*const handlers[ENTRIES])(void *, struct iov_guest_cpu *) = { on_queues,
                                                                               on_events };

    if (self->msix == 0) {
        uint8_t vector = iov_guest_request_irq(self->guest, true, on_wire, self);

        iov_guest_route_gsi(cpu, (uint32_t)self->guest->gsi, vector);
        return vector != 0;
    }
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint8_t vector = iov_guest_request_irq(self->guest, false, handlers[i], self);

        if (vector == 0)
            return false;
        start_vector(self, cpu, i, vector);
    }
    return true;
}

/* ---- Probe and open ---- */

static bool vmxnet3_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);
    uint32_t low, high, kind;

    if (!(iov_guest_read(cpu, self->control + VMXNET3_VRRS, 4) & 1))
        return false;
    iov_guest_write(cpu, self->control + VMXNET3_VRRS, 4, 1);
    if (!(iov_guest_read(cpu, self->control + VMXNET3_UVRS, 4) & 1))
        return false;
    iov_guest_write(cpu, self->control + VMXNET3_UVRS, 4, 1);
    low = (uint32_t)iov_guest_read(cpu, self->control + VMXNET3_MACL, 4);
    high = (uint32_t)iov_guest_read(cpu, self->control + VMXNET3_MACH, 4);
    memcpy(dev->mac, &low, 4);
    memcpy(dev->mac + 4, &high, 2);
    kind = command(self, cpu, VMXNET3_GET_INTERRUPTS) & 3;
    if (kind == VMXNET3_TYPE_INTX)
        self->msix = 0;
    command(self, cpu, VMXNET3_SET_RESET);
    dev->net->checksum_offload = true;
    return self->msix != 0 || kind == VMXNET3_TYPE_INTX;
}

static bool make_ring(struct driver *self, struct ring *ring, uint32_t size)
{
    *ring = (struct ring){ .base = iov_guest_allocate(self->guest, size * DESCRIPTOR,
                                                      VMXNET3_RING_ALIGN),
                           .size = size,
                           .generation = true };
    return ring->base != 0;
}

static bool allocate(struct driver *self)
{
    self->shared = iov_guest_allocate(self->guest, sizeof(struct vmxnet3_shared), 128);
    self->queues = iov_guest_allocate(
        self->guest, sizeof(struct vmxnet3_tx_queue) + sizeof(struct vmxnet3_rx_queue),
        VMXNET3_QUEUES_ALIGN);
    if (self->shared == 0 || self->queues == 0 || !make_ring(self, &self->tx, TX_RING) ||
        !make_ring(self, &self->tx_done, TX_RING) || !make_ring(self, &self->rx[0], RX_RING) ||
        !make_ring(self, &self->rx[1], RX_RING2) || !make_ring(self, &self->rx_done, RX_DONE))
        return false;
    self->data = iov_guest_allocate(self->guest, TX_RING * VMXNET3_TX_DATA, VMXNET3_RING_ALIGN);
    self->tx_buffers = iov_guest_allocate(self->guest, TX_RING * BUFFER, 4096);
    self->rx_buffers[0] = iov_guest_allocate(self->guest, RX_RING * BUFFER, 4096);
    self->rx_buffers[1] = iov_guest_allocate(self->guest, RX_RING2 * BUFFER, 4096);
    return self->data != 0 && self->tx_buffers != 0 && self->rx_buffers[0] != 0 &&
           self->rx_buffers[1] != 0;
}

static void write_shared(struct driver *self, struct iov_guest_cpu *cpu)
{
    struct vmxnet3_tx_queue tx = {
        .ring = self->tx.base,
        .data = self->data,
        .completions = self->tx_done.base,
        .ring_size = TX_RING,
        .data_size = TX_RING,
        .completions_size = TX_RING,
        .data_descriptor_size = VMXNET3_TX_DATA,
        .vector = ENTRY_QUEUES,
    };
    struct vmxnet3_rx_queue rx = {
        .rings = { self->rx[0].base, self->rx[1].base },
        .completions = self->rx_done.base,
        .ring_sizes = { RX_RING, RX_RING2 },
        .completions_size = RX_DONE,
        .vector = ENTRY_QUEUES,
    };
    struct vmxnet3_shared shared = {
        .magic = VMXNET3_MAGIC,
        .misc = { .driver_version = 1,
                  .guest = 2 | 1 << 2, /* 64 bit, Linux */
                  .revisions = 1,
                  .pass_through_versions = 1,
                  .features = VMXNET3_FEATURE_RX_CHECKSUM,
                  .queues = self->queues,
                  .queues_size = sizeof tx + sizeof rx,
                  .mtu = 1500,
                  .rx_pieces = 17,
                  .tx_queues = 1,
                  .rx_queues = 1 },
        .interrupts = { .auto_mask = 1,
                        .count = self->msix != 0 ? ENTRIES : 1,
                        .event_vector = self->msix != 0 ? ENTRY_EVENTS : ENTRY_QUEUES,
                        .control = VMXNET3_DISABLE_ALL },
        .filter = { .mode = VMXNET3_RX_UNICAST | VMXNET3_RX_BROADCAST },
    };

    iov_exec_put(cpu->exec, self->queues, &tx, sizeof tx);
    iov_exec_put(cpu->exec, self->queues + sizeof tx, &rx, sizeof rx);
    iov_exec_put(cpu->exec, self->shared, &shared, sizeof shared);
}

/* Rings begin as zeros: guest memory is new. One buffer of each stays out, so that full is not
 * empty. */
static void fill(struct driver *self, struct iov_guest_cpu *cpu)
{
    for (unsigned which = 0; which < 2; which++) {
        for (uint32_t i = 1; i < self->rx[which].size; i++)
            give_buffer(self, cpu, which);
    }
}

static bool vmxnet3_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    if (!allocate(self))
        return false;
    self->dev.tso = iov_guest_large_init(&self->large, self->guest, 1);
    write_shared(self, cpu);
    fill(self, cpu);
    if (!request_interrupts(self, cpu))
        return false;
    iov_guest_write(cpu, self->control + VMXNET3_DSAL, 4, (uint32_t)self->shared);
    iov_guest_write(cpu, self->control + VMXNET3_DSAH, 4, self->shared >> 32);
    if (command(self, cpu, VMXNET3_SET_ACTIVATE) != 0)
        return false;
    iov_guest_write(cpu, self->registers + VMXNET3_RXPROD, 4, self->rx[0].next);
    iov_guest_write(cpu, self->registers + VMXNET3_RXPROD2, 4, self->rx[1].next);
    iov_guest_write(cpu, self->control + VMXNET3_CMD, 4, VMXNET3_SET_RX_MODE);
    iov_guest_write(cpu, self->control + VMXNET3_CMD, 4, VMXNET3_SET_MAC_FILTERS);
    for (unsigned i = 0; i < (self->msix != 0 ? ENTRIES : 1); i++)
        unmask(self, cpu, i);
    put32(cpu, self->shared + offsetof(struct vmxnet3_shared, interrupts.control), 0);
    return command(self, cpu, VMXNET3_GET_LINK) & 1;
}

/* ---- Life cycle ---- */

static struct iov_guest_netdev *vmxnet3_create(struct iov_guest_net *net)
{
    struct driver *self = g_new0(struct driver, 1);

    self->dev = (struct iov_guest_netdev){ .ops = &iov_guest_vmxnet3_ops, .net = net };
    self->guest = net->guest;
    self->registers = self->guest->registers;
    self->control = self->registers + VMXNET3_BAR_SIZE;
    self->msix = self->guest->msix;
    iov_guest_napi_init(&self->napi, &self->dev, poll);
    return &self->dev;
}

static void vmxnet3_destroy(struct iov_guest_netdev *dev)
{
    struct driver *self = from_dev(dev);

    iov_guest_napi_finish(&self->napi);
    g_free(self);
}

const struct iov_guest_netdev_ops iov_guest_vmxnet3_ops = {
    .name = "vmxnet3",
    .create = vmxnet3_create,
    .destroy = vmxnet3_destroy,
    .probe = vmxnet3_probe,
    .open = vmxnet3_open,
    .transmit = vmxnet3_transmit,
};
