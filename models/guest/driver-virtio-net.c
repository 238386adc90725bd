/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-net driver, with the habits of Linux 6.1's: a queue pair for each processor that the
 * device has one for, NAPI for both directions, MSI-X vectors for configuration and each queue (or
 * a wire, with a read of the ISR register for each interrupt).
 *
 *   transmit:   take back sent frames, ask for an interrupt after three quarters of what is under
 *               way, add, kick
 *   interrupt:  no more interrupts of this queue, the rest in a poll:
 *   rx poll:    take back sent frames, take received frames, refill when half of a budget is free,
 *               frames go up, interrupts on, look once more
 *   tx poll:    take back sent frames, wake the queue, interrupts on, look once more
 *
 * virtio-pmd is the same device under a poll-mode driver, as DPDK's: no vectors, no interrupts, no
 * event index; a poll takes what is there.
 *
 * Several pairs: all are set up, the control queue is told how many are used; a processor sends by
 * its own (XPS), and takes that one's interrupts.
 *
 * A large segment is one descriptor; one that is received takes several merged buffers.
 *
 * LIMIT: no control commands but the number of pairs; the poll-mode driver uses one pair; buffers
 * of one size, where Linux's grow with the frames; no large segments of IPv6.
 */
#include <glib.h>

#include "core/net/segment.h"
#include "models/guest/drivers-private.h"
#include "models/guest/large-buffers.h"
#include "models/guest/virtio-transport-private.h"
#include "models/virtio/virtio-regs.h"

#define BUFFER 2048u
#define TX_RESERVE 19 /* descriptors that the largest frame may need */
#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr))
#define COMMAND_TRIES 1000000 /* looks at the control queue before the driver gives up */

#define WANTED \
    (VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VLAN) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | VIRTIO_FEATURE(VIRTIO_NET_F_MQ) | \
     VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) | \
     VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | VIRTIO_FEATURE(VIRTIO_F_RING_PACKED) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_HOST_TSO4))
/* Only with merged buffers: a driver without them would need buffers of 64 KiB. */
#define WANTED_MERGEABLE (WANTED | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_TSO4))

/* What DPDK's driver takes of it. */
#define PMD_WANTED \
    (VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | \
     VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | \
     VIRTIO_FEATURE(VIRTIO_F_RING_PACKED))
#define PMD_BURST 32

struct driver;

struct pair {
    struct driver *driver;
    unsigned index;
    struct virtio_queue rx;
    struct virtio_queue tx;
    struct iov_guest_napi rx_napi;
    struct iov_guest_napi tx_napi;
    iov_gpa rx_buffers; /* one for each descriptor */
    iov_gpa tx_buffers;
    struct iov_guest_sent sent[VIRTIO_QUEUE_MAX]; /* by descriptor */
    uint8_t large_number[VIRTIO_QUEUE_MAX];       /* of its large buffer; 0: it has none */
    struct iov_guest_large large;
    bool tx_locked; /* Linux's transmit lock: two processors may come */
};

struct driver {
    struct iov_guest_netdev dev;
    IovLinuxGuest *guest;
    struct virtio_transport transport;
    struct pair *pairs; /* `most` of them: those of the device; dev.queues are in use */
    unsigned most;
    struct virtio_queue control;
    bool has_control;
    iov_gpa command; /* buffer of a control command */
};

static struct driver *from_dev(struct iov_guest_netdev *dev)
{
    return iov_container_of(dev, struct driver, dev);
}

static bool has(const struct driver *self, unsigned feature)
{
    return (self->transport.features & VIRTIO_FEATURE(feature)) != 0;
}

/* ---- Transmit ---- */

static void take_back_sent(struct pair *self, struct iov_guest_cpu *cpu)
{
    uint16_t descriptor;
    uint32_t size;

    while (iov_virtio_queue_take(&self->tx, cpu, &descriptor, &size)) {
        struct iov_guest_sent sent = self->sent[descriptor];

        iov_guest_large_give(&self->large, self->large_number[descriptor]);
        if (self->driver->dev.ops->poll == NULL) /* the other one's price of a frame has it */
            iov_guest_charge(cpu, cpu->guest->costs.virtio_tx_clean);
        iov_guest_netdev_sent(&self->driver->dev, cpu, &sent);
    }
}

static void lock_tx(struct pair *self, struct iov_guest_cpu *cpu)
{
    while (self->tx_locked) {
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
        iov_guest_charge(cpu, cpu->guest->costs.idle_poll);
    }
    self->tx_locked = true;
}

static void add_frame(struct pair *self, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame)
{
    struct virtio_net_hdr header = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
    iov_gpa buffer = self->tx_buffers + self->tx.free_head * BUFFER;
    uint8_t number = frame->segment_size != 0 ? iov_guest_large_take(&self->large) : 0;

    self->large_number[self->tx.free_head] = number;
    if (number != 0) {
        buffer = iov_guest_large_address(&self->large, number);
        header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        header.gso_size = frame->segment_size;
        header.hdr_len = IOV_TCP_PAYLOAD_AT;
    }
    if (frame->checksum_offset != 0) {
        header.flags = VIRTIO_NET_HDR_NEEDS_CSUM;
        header.csum_start = frame->checksum_start;
        header.csum_offset = (uint16_t)(frame->checksum_offset - frame->checksum_start);
    }
    self->sent[self->tx.free_head] =
        (struct iov_guest_sent){ frame->span, frame->size, frame->socket };
    iov_exec_put(cpu->exec, buffer, &header, HEADER);
    iov_guest_put_frame(cpu, buffer + HEADER, frame);
    /* The header has room in front of the frame: one descriptor for both. */
    iov_virtio_queue_add(&self->tx, cpu, buffer, HEADER + frame->size, false);
}

static bool virtio_net_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                                const struct iov_guest_frame *frame)
{
    struct pair *self = &from_dev(dev)->pairs[frame->queue];

    lock_tx(self, cpu);
    do {
        iov_virtio_queue_disable(&self->tx, cpu);
        take_back_sent(self, cpu);
    } while (!iov_virtio_queue_enable_delayed(&self->tx, cpu));
    iov_guest_work_for(cpu, frame->span);
    if (self->tx.free_count == 0 || self->tx.broken ||
        (frame->segment_size != 0 && self->large.count == 0)) {
        dev->tx[self->index].stopped = true;
        self->tx_locked = false;
        return false;
    }
    iov_guest_charge(cpu, cpu->guest->costs.virtio_tx);
    add_frame(self, cpu, frame);
    if (self->tx.free_count < TX_RESERVE) {
        dev->tx[self->index].stopped = true;
        if (!iov_virtio_queue_enable_delayed(&self->tx, cpu)) {
            iov_virtio_queue_disable(&self->tx, cpu);
            iov_guest_napi_schedule(cpu, &self->tx_napi);
        }
    }
    iov_virtio_queue_kick(&self->tx, cpu);
    self->tx_locked = false;
    return true;
}

static void wake_if_room(struct pair *self, struct iov_guest_cpu *cpu)
{
    if (self->tx.free_count >= TX_RESERVE && (!self->driver->dev.tso || self->large.count > 0))
        iov_guest_netdev_wake(&self->driver->dev, cpu, self->index);
}

static unsigned tx_poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct pair *self = iov_container_of(napi, struct pair, tx_napi);

    (void)budget; /* taking back is not counted */
    lock_tx(self, cpu);
    iov_virtio_queue_disable(&self->tx, cpu);
    take_back_sent(self, cpu);
    wake_if_room(self, cpu);
    uint16_t since = iov_virtio_queue_enable(&self->tx, cpu);
    bool done = iov_guest_napi_complete(cpu, napi);

    if (!done)
        iov_virtio_queue_disable(&self->tx, cpu);
    self->tx_locked = false;
    if (done && iov_virtio_queue_missed(&self->tx, cpu, since) &&
        iov_guest_napi_schedule(cpu, napi))
        iov_virtio_queue_disable(&self->tx, cpu);
    return 0;
}

/* ---- Receive ---- */

static void refill(struct pair *self, struct iov_guest_cpu *cpu)
{
    while (self->rx.free_count > 0)
        iov_virtio_queue_add(&self->rx, cpu, self->rx_buffers + self->rx.free_head * BUFFER, BUFFER,
                             true);
    iov_virtio_queue_kick(&self->rx, cpu);
}

/* The further buffers of a frame that was merged: nobody looks at what is in them. False: they are
 * not what the header says. */
static bool take_merged(struct pair *self, struct iov_guest_cpu *cpu, uint16_t buffers,
                        uint32_t *size)
{
    for (uint16_t i = 1; i < buffers; i++) {
        uint16_t descriptor;
        uint32_t more;

        if (!iov_virtio_queue_take(&self->rx, cpu, &descriptor, &more) || more > BUFFER)
            return false;
        *size += more;
    }
    return true;
}

static void take_frame(struct pair *self, struct iov_guest_cpu *cpu, uint16_t descriptor,
                       uint32_t size)
{
    iov_gpa buffer = self->rx_buffers + descriptor * BUFFER;
    struct iov_guest_frame *frame = iov_guest_napi_frame(&self->rx_napi);
    struct virtio_net_hdr header;
    uint32_t first = size;

    iov_exec_get(cpu->exec, buffer, &header, HEADER);
    uint16_t buffers = has(self->driver, VIRTIO_NET_F_MRG_RXBUF) ? header.num_buffers : 1;
    bool large = header.gso_type == VIRTIO_NET_HDR_GSO_TCPV4 && header.gso_size != 0 &&
                 has(self->driver, VIRTIO_NET_F_GUEST_TSO4);

    if (size <= HEADER || size > BUFFER || buffers == 0 ||
        !take_merged(self, cpu, buffers, &size) ||
        size - HEADER > (large ? IOV_SEGMENT_MERGED_MAX : IOV_GUEST_FRAME_MAX) ||
        (large && first - HEADER < IOV_TCP_PAYLOAD_AT)) {
        cpu->guest->device_errors++;
        return;
    }
    frame->size = size - HEADER;
    frame->segment_size = large ? header.gso_size : 0;
    first -= HEADER;
    frame->span = iov_exec_get_payload(cpu->exec, buffer + HEADER, frame->data,
                                       first < IOV_GUEST_FRAME_MAX ? first : IOV_GUEST_FRAME_MAX);
    /* SPEC: 5.1.6.4.1: an open sum is one that needs no check. */
    frame->checksum_start = header.flags & VIRTIO_NET_HDR_NEEDS_CSUM   ? IOV_GUEST_SUM_OPEN
                            : header.flags & VIRTIO_NET_HDR_DATA_VALID ? IOV_GUEST_SUM_GOOD
                                                                       : 0;
    iov_span_claim(frame->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_work_for(cpu, frame->span);
    iov_guest_charge(cpu, self->driver->dev.ops->poll != NULL ? cpu->guest->costs.pmd_rx
                                                              : cpu->guest->costs.virtio_rx);
    iov_guest_napi_receive(cpu, &self->rx_napi);
}

/* The receive poll helps the transmit side along, if nobody else does just now. */
static void clean_tx_from_rx(struct pair *self, struct iov_guest_cpu *cpu)
{
    if (self->tx_locked)
        return;
    self->tx_locked = true;
    do {
        iov_virtio_queue_disable(&self->tx, cpu);
        take_back_sent(self, cpu);
    } while (!iov_virtio_queue_enable_delayed(&self->tx, cpu));
    wake_if_room(self, cpu);
    self->tx_locked = false;
}

static unsigned rx_poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct pair *self = iov_container_of(napi, struct pair, rx_napi);
    unsigned done = 0;
    uint16_t descriptor;
    uint32_t size;

    clean_tx_from_rx(self, cpu);
    while (done < budget && iov_virtio_queue_take(&self->rx, cpu, &descriptor, &size)) {
        take_frame(self, cpu, descriptor, size);
        done++;
    }
    unsigned batch = budget < self->rx.size ? budget : self->rx.size;

    if (self->rx.free_count > batch / 2)
        refill(self, cpu);
    if (done >= budget)
        return budget;
    uint16_t since = iov_virtio_queue_enable(&self->rx, cpu);

    if (!iov_guest_napi_complete(cpu, napi))
        iov_virtio_queue_disable(&self->rx, cpu);
    else if (iov_virtio_queue_missed(&self->rx, cpu, since) && iov_guest_napi_schedule(cpu, napi))
        iov_virtio_queue_disable(&self->rx, cpu);
    return done;
}

/* ---- Interrupts ---- */

static void schedule(struct iov_guest_cpu *cpu, struct virtio_queue *queue,
                     struct iov_guest_napi *napi)
{
    if (iov_virtio_queue_interrupt(queue, cpu) && iov_guest_napi_schedule(cpu, napi))
        iov_virtio_queue_disable(queue, cpu);
}

static void on_rx(void *context, struct iov_guest_cpu *cpu)
{
    struct pair *self = context;

    schedule(cpu, &self->rx, &self->rx_napi);
}

static void on_tx(void *context, struct iov_guest_cpu *cpu)
{
    struct pair *self = context;

    schedule(cpu, &self->tx, &self->tx_napi);
}

static void on_config(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;

    iov_virtio_config_read(&self->transport, cpu, VIRTIO_NET_CONFIG_STATUS, 2);
}

static void on_wire(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;
    uint8_t causes = iov_virtio_isr(&self->transport, cpu);

    if (causes & VIRTIO_ISR_CONFIG)
        on_config(self, cpu);
    if (causes & VIRTIO_ISR_QUEUE) {
        for (unsigned i = 0; i < self->most; i++) { /* all share the wire */
            on_rx(&self->pairs[i], cpu);
            on_tx(&self->pairs[i], cpu);
        }
    }
}

/* ---- Probe and open ---- */

static void read_address(struct driver *self, struct iov_guest_cpu *cpu)
{
    uint8_t before;

    do {
        before = iov_virtio_generation(&self->transport, cpu);
        for (uint32_t i = 0; i < sizeof self->dev.mac; i++)
            self->dev.mac[i] = (uint8_t)iov_virtio_config_read(&self->transport, cpu,
                                                               VIRTIO_NET_CONFIG_MAC + i, 1);
    } while (iov_virtio_generation(&self->transport, cpu) != before);
}

/* How many pairs there are. SPEC: 5.1.4: told with MQ; one without a control queue to switch them
 * on. */
static bool make_pairs(struct driver *self, struct iov_guest_cpu *cpu)
{
    uint64_t most = 1;

    if (has(self, VIRTIO_NET_F_MQ))
        most = iov_virtio_config_read(&self->transport, cpu, VIRTIO_NET_CONFIG_MAX_PAIRS, 2);
    if (most == 0 || most > IOV_GUEST_QUEUES || !has(self, VIRTIO_NET_F_CTRL_VQ))
        most = 1;
    self->pairs = g_new0(struct pair, most);
    self->most = (unsigned)most;
    for (unsigned i = 0; i < self->most; i++) {
        struct pair *pair = &self->pairs[i];

        pair->driver = self;
        pair->index = i;
        iov_guest_napi_init(&pair->rx_napi, &self->dev, rx_poll);
        iov_guest_napi_init(&pair->tx_napi, &self->dev, tx_poll);
    }
    self->dev.queues = has(self, VIRTIO_F_INDIRECT_DESC) /* the form of commands */
                           ? iov_guest_queue_pairs(self->guest, self->most)
                           : 1;
    if (self->dev.queues > 1) /* their interrupts have addresses */
        iov_guest_wait_processors(cpu);
    return true;
}

/* Entry 0 of the MSI-X table is the configuration's, then come the pairs' queues in turn. */
static bool set_up_queue(struct pair *pair, struct iov_guest_cpu *cpu, struct virtio_queue *queue,
                         uint16_t index, void (*handler)(void *context, struct iov_guest_cpu *cpu))
{
    struct driver *self = pair->driver;
    uint16_t entry =
        self->transport.msix == 0 || handler == NULL ? VIRTIO_MSI_NO_VECTOR : (uint16_t)(index + 1);

    if (!iov_virtio_set_up_queue(&self->transport, cpu, queue, index, entry))
        return false;
    if (entry == VIRTIO_MSI_NO_VECTOR)
        return true;
    uint8_t vector = iov_guest_request_queue_irq(self->guest, pair->index, handler, pair);

    iov_virtio_set_vector(&self->transport, cpu, entry, vector);
    return vector != 0;
}

static bool set_up_pair(struct pair *pair, struct iov_guest_cpu *cpu, bool interrupts)
{
    return set_up_queue(pair, cpu, &pair->rx, VIRTIO_NET_RECEIVEQ((uint16_t)pair->index),
                        interrupts ? on_rx : NULL) &&
           set_up_queue(pair, cpu, &pair->tx, VIRTIO_NET_TRANSMITQ((uint16_t)pair->index),
                        interrupts ? on_tx : NULL);
}

static void enable_pairs(struct driver *self, struct iov_guest_cpu *cpu)
{
    for (unsigned i = 0; i < self->most; i++) {
        iov_virtio_enable_queue(&self->transport, cpu, self->pairs[i].rx.index);
        iov_virtio_enable_queue(&self->transport, cpu, self->pairs[i].tx.index);
    }
}

/* A command and its answer, which is waited for on the spot. False: refused, or never answered. */
static bool command(struct driver *self, struct iov_guest_cpu *cpu, uint8_t class, uint8_t code,
                    const void *data, uint32_t size)
{
    const uint8_t header[2] = { class, code };
    uint8_t answer = VIRTIO_NET_ERR;
    uint16_t descriptor;
    uint32_t written;

    iov_exec_put(cpu->exec, self->command, header, sizeof header);
    iov_exec_put(cpu->exec, self->command + sizeof header, data, size);
    iov_virtio_queue_add_command(&self->control, cpu, self->command, sizeof header + size,
                                 sizeof answer);
    iov_virtio_queue_kick(&self->control, cpu);
    for (unsigned i = 0; !iov_virtio_queue_take(&self->control, cpu, &descriptor, &written); i++) {
        if (self->control.broken || i == COMMAND_TRIES)
            return false;
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
        iov_guest_charge(cpu, cpu->guest->costs.idle_poll);
    }
    iov_exec_get(cpu->exec, self->command + sizeof header + size, &answer, sizeof answer);
    return answer == VIRTIO_NET_OK;
}

/* As many pairs as are to be used; a device that refuses goes on with one. */
static void switch_pairs(struct driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t pairs = (uint16_t)self->dev.queues;

    if (!has(self, VIRTIO_NET_F_MQ) || !has(self, VIRTIO_F_INDIRECT_DESC) || self->command == 0)
        return;
    if (command(self, cpu, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, &pairs,
                sizeof pairs))
        return;
    cpu->guest->device_errors++;
    self->dev.queues = 1;
}

static void set_up_config_interrupt(struct driver *self, struct iov_guest_cpu *cpu)
{
    bool msix = self->transport.msix != 0;
    uint8_t vector = iov_guest_request_irq(self->guest, !msix, msix ? on_config : on_wire, self);

    if (!msix) {
        iov_guest_route_gsi(cpu, (uint32_t)self->guest->gsi, vector);
        return;
    }
    /* QEMU's table has one entry more than is used. */
    iov_virtio_enable_msix(&self->transport, cpu, 2 * self->most + 1, 2 * self->most + 2);
    iov_virtio_set_vector(&self->transport, cpu, 0, vector);
    iov_virtio_set_config_vector(&self->transport, cpu, 0);
}

/* ---- The poll-mode driver ---- */

static bool pmd_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                         const struct iov_guest_frame *frame)
{
    struct pair *self = &from_dev(dev)->pairs[0];

    take_back_sent(self, cpu);
    iov_guest_work_for(cpu, frame->span);
    if (self->tx.free_count == 0 || self->tx.broken)
        return false;
    iov_guest_charge(cpu, cpu->guest->costs.pmd_tx);
    add_frame(self, cpu, frame);
    iov_virtio_queue_kick(&self->tx, cpu);
    return true;
}

static unsigned pmd_poll(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct pair *self = &from_dev(dev)->pairs[0];
    uint16_t before = self->tx.free_count;
    unsigned done = 0;
    uint16_t descriptor;
    uint32_t size;

    iov_guest_charge(cpu, cpu->guest->costs.pmd_poll);
    take_back_sent(self, cpu);
    while (done < PMD_BURST && iov_virtio_queue_take(&self->rx, cpu, &descriptor, &size)) {
        take_frame(self, cpu, descriptor, size);
        done++;
    }
    if (self->rx.free_count >= PMD_BURST)
        refill(self, cpu);
    iov_guest_napi_deliver(cpu, &self->rx_napi);
    return done + (unsigned)(self->tx.free_count - before);
}

static bool pmd_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    if (!iov_virtio_negotiate(&self->transport, cpu, PMD_WANTED))
        return false;
    dev->net->checksum_offload = has(self, VIRTIO_NET_F_CSUM);
    if (has(self, VIRTIO_NET_F_MAC))
        read_address(self, cpu);
    if (!make_pairs(self, cpu) || !set_up_pair(&self->pairs[0], cpu, false))
        return false;
    iov_virtio_queue_disable(&self->pairs[0].rx, cpu);
    iov_virtio_queue_disable(&self->pairs[0].tx, cpu);
    enable_pairs(self, cpu);
    iov_virtio_driver_ok(&self->transport, cpu);
    return true;
}

static bool virtio_net_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    if (!iov_virtio_negotiate_either(&self->transport, cpu, VIRTIO_NET_F_MRG_RXBUF,
                                     WANTED_MERGEABLE, WANTED) ||
        !make_pairs(self, cpu))
        return false;
    dev->tso = has(self, VIRTIO_NET_F_HOST_TSO4);
    dev->net->checksum_offload = has(self, VIRTIO_NET_F_CSUM);
    if (has(self, VIRTIO_NET_F_MAC))
        read_address(self, cpu);
    set_up_config_interrupt(self, cpu);
    for (unsigned i = 0; i < self->most; i++) {
        if (!set_up_pair(&self->pairs[i], cpu, true))
            return false;
    }
    self->has_control = has(self, VIRTIO_NET_F_CTRL_VQ);
    if (self->has_control &&
        !iov_virtio_set_up_queue(&self->transport, cpu, &self->control, (uint16_t)(2 * self->most),
                                 VIRTIO_MSI_NO_VECTOR))
        return false;
    enable_pairs(self, cpu);
    if (self->has_control)
        iov_virtio_enable_queue(&self->transport, cpu, self->control.index);
    iov_virtio_driver_ok(&self->transport, cpu);
    if (has(self, VIRTIO_NET_F_STATUS))
        return iov_virtio_config_read(&self->transport, cpu, VIRTIO_NET_CONFIG_STATUS, 2) &
               VIRTIO_NET_STATUS_LINK_UP;
    return true;
}

#define TOO_SHORT(least) \
    "its driver wants rings of at least " G_STRINGIFY(least) " descriptors ('queue-size')"

/* With smaller rings Linux's driver would stop its queue for want of TX_RESERVE descriptors, and
 * DPDK's not wait for less than a burst, both for ever. */
static bool is_large_enough(const struct pair *pair)
{
    struct iov_guest_netdev *dev = &pair->driver->dev;

    if (dev->ops->poll != NULL && pair->rx.size < PMD_BURST)
        dev->trouble = TOO_SHORT(PMD_BURST);
    if (dev->ops->poll == NULL && pair->tx.size < TX_RESERVE)
        dev->trouble = TOO_SHORT(TX_RESERVE);
    return dev->trouble == NULL;
}

static bool virtio_net_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    if (has(self, VIRTIO_NET_F_MQ))
        self->command = iov_guest_allocate(self->guest, 64, 64);
    switch_pairs(self, cpu);
    for (unsigned i = 0; i < dev->queues; i++) {
        struct pair *pair = &self->pairs[i];

        pair->rx_buffers = iov_guest_allocate(self->guest, pair->rx.size * BUFFER, 4096);
        pair->tx_buffers = iov_guest_allocate(self->guest, pair->tx.size * BUFFER, 4096);
        if (pair->rx_buffers == 0 || pair->tx_buffers == 0 || !is_large_enough(pair))
            return false;
        dev->tso = dev->tso && iov_guest_large_init(&pair->large, self->guest, dev->queues);
        refill(pair, cpu);
    }
    return true;
}

/* ---- Life cycle ---- */

static struct iov_guest_netdev *create(struct iov_guest_net *net,
                                       const struct iov_guest_netdev_ops *ops)
{
    struct driver *self = g_new0(struct driver, 1);

    self->dev = (struct iov_guest_netdev){ .ops = ops, .net = net };
    self->guest = net->guest;
    self->transport =
        (struct virtio_transport){ .registers = self->guest->registers, .msix = self->guest->msix };
    return &self->dev;
}

static struct iov_guest_netdev *virtio_net_create(struct iov_guest_net *net)
{
    return create(net, &iov_guest_virtio_net_ops);
}

static struct iov_guest_netdev *pmd_create(struct iov_guest_net *net)
{
    return create(net, &iov_guest_virtio_pmd_ops);
}

static void virtio_net_destroy(struct iov_guest_netdev *dev)
{
    struct driver *self = from_dev(dev);

    for (unsigned i = 0; i < self->most; i++) {
        iov_guest_napi_finish(&self->pairs[i].rx_napi);
        iov_guest_napi_finish(&self->pairs[i].tx_napi);
    }
    g_free(self->pairs);
    g_free(self);
}

const struct iov_guest_netdev_ops iov_guest_virtio_net_ops = {
    .name = "virtio-net",
    .create = virtio_net_create,
    .destroy = virtio_net_destroy,
    .probe = virtio_net_probe,
    .open = virtio_net_open,
    .transmit = virtio_net_transmit,
};

const struct iov_guest_netdev_ops iov_guest_virtio_pmd_ops = {
    .name = "virtio-pmd",
    .create = pmd_create,
    .destroy = virtio_net_destroy,
    .probe = pmd_probe,
    .open = virtio_net_open,
    .transmit = pmd_transmit,
    .poll = pmd_poll,
};
