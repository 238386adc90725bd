/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio-net driver, with the habits of Linux 6.1's: one queue pair, NAPI for both directions, MSI-X vectors for
 * configuration, receive and transmit (or a wire, with a read of the ISR register for each interrupt).
 *
 *   transmit:   take back sent frames, ask for an interrupt after three quarters of what is under way, add, kick
 *   interrupt:  no more interrupts of this queue, the rest in a poll:
 *   rx poll:    take back sent frames, take received frames, refill when half of a budget is free, frames go up,
 *               interrupts on, look once more
 *   tx poll:    take back sent frames, wake the queue, interrupts on, look once more
 *
 * virtio-pmd is the same device under a poll-mode driver, as DPDK's: no vectors, no interrupts, no event index; a poll takes what is there.
 *
 * LIMIT: no control commands, no segmentation offloads, one queue pair; a frame in several merged buffers is dropped.
 */
#include <glib.h>

#include "models/guest/drivers-private.h"
#include "models/guest/virtio-transport-private.h"
#include "models/virtio/virtio-regs.h"

#define BUFFER 2048u
#define MSIX_ENTRIES 4 /* of the table: one more than is used */
#define TX_RESERVE 19  /* descriptors that the largest frame may need */
#define HEADER ((uint32_t)sizeof(struct virtio_net_hdr))
#define RECEIVED VIRTIO_NET_RECEIVEQ(0)
#define TRANSMITTED VIRTIO_NET_TRANSMITQ(0)

#define WANTED \
    (VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) | VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | VIRTIO_FEATURE(VIRTIO_NET_F_STATUS) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VQ) | VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_RX) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_VLAN) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_ANNOUNCE) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_CTRL_MAC_ADDR) | VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | \
     VIRTIO_FEATURE(VIRTIO_F_EVENT_IDX) | VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | \
     VIRTIO_FEATURE(VIRTIO_F_RING_PACKED))

/* What DPDK's driver takes of it. */
#define PMD_WANTED \
    (VIRTIO_FEATURE(VIRTIO_NET_F_CSUM) | VIRTIO_FEATURE(VIRTIO_NET_F_GUEST_CSUM) | \
     VIRTIO_FEATURE(VIRTIO_NET_F_MAC) | VIRTIO_FEATURE(VIRTIO_NET_F_MRG_RXBUF) | \
     VIRTIO_FEATURE(VIRTIO_F_INDIRECT_DESC) | VIRTIO_FEATURE(VIRTIO_F_VERSION_1) | \
     VIRTIO_FEATURE(VIRTIO_F_RING_PACKED))
#define PMD_BURST 32

struct driver {
    struct iov_guest_netdev dev;
    IovLinuxGuest *guest;
    struct virtio_transport transport;
    struct virtio_queue rx;
    struct virtio_queue tx;
    struct virtio_queue control;
    bool has_control;
    struct iov_guest_napi rx_napi;
    struct iov_guest_napi tx_napi;
    iov_gpa rx_buffers; /* one for each descriptor */
    iov_gpa tx_buffers;
    struct iov_guest_sent sent[VIRTIO_QUEUE_MAX]; /* by descriptor */
    bool tx_locked; /* Linux's transmit lock: two processors may come */
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

static void take_back_sent(struct driver *self, struct iov_guest_cpu *cpu)
{
    uint16_t descriptor;
    uint32_t size;

    while (iov_virtio_queue_take(&self->tx, cpu, &descriptor, &size)) {
        struct iov_guest_sent sent = self->sent[descriptor];

        if (self->dev.ops->poll == NULL) /* the other one's price of a frame has it */
            iov_guest_charge(cpu, cpu->guest->costs.virtio_tx_clean);
        iov_guest_netdev_sent(&self->dev, cpu, &sent);
    }
}

static void lock_tx(struct driver *self, struct iov_guest_cpu *cpu)
{
    while (self->tx_locked) {
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
        iov_guest_charge(cpu, cpu->guest->costs.idle_poll);
    }
    self->tx_locked = true;
}

static void add_frame(struct driver *self, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame)
{
    struct virtio_net_hdr header = { .gso_type = VIRTIO_NET_HDR_GSO_NONE };
    iov_gpa buffer = self->tx_buffers + self->tx.free_head * BUFFER;

    if (frame->checksum_offset != 0) {
        header.flags = VIRTIO_NET_HDR_NEEDS_CSUM;
        header.csum_start = frame->checksum_start;
        header.csum_offset = (uint16_t)(frame->checksum_offset - frame->checksum_start);
    }
    self->sent[self->tx.free_head] =
        (struct iov_guest_sent){ frame->span, frame->size, frame->socket };
    iov_exec_put(cpu->exec, buffer, &header, HEADER);
    iov_exec_put_payload(cpu->exec, buffer + HEADER, frame->data, frame->size, frame->span);
    /* The header has room in front of the frame: one descriptor for both. */
    iov_virtio_queue_add(&self->tx, cpu, buffer, HEADER + frame->size, false);
}

static bool virtio_net_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                                const struct iov_guest_frame *frame)
{
    struct driver *self = from_dev(dev);

    lock_tx(self, cpu);
    do {
        iov_virtio_queue_disable(&self->tx, cpu);
        take_back_sent(self, cpu);
    } while (!iov_virtio_queue_enable_delayed(&self->tx, cpu));
    iov_guest_work_for(cpu, frame->span);
    if (self->tx.free_count == 0 || self->tx.broken) {
        dev->tx[0].stopped = true;
        self->tx_locked = false;
        return false;
    }
    iov_guest_charge(cpu, cpu->guest->costs.virtio_tx);
    add_frame(self, cpu, frame);
    if (self->tx.free_count < TX_RESERVE) {
        dev->tx[0].stopped = true;
        if (!iov_virtio_queue_enable_delayed(&self->tx, cpu)) {
            iov_virtio_queue_disable(&self->tx, cpu);
            iov_guest_napi_schedule(cpu, &self->tx_napi);
        }
    }
    iov_virtio_queue_kick(&self->tx, cpu);
    self->tx_locked = false;
    return true;
}

static void wake_if_room(struct driver *self, struct iov_guest_cpu *cpu)
{
    if (self->tx.free_count >= TX_RESERVE)
        iov_guest_netdev_wake(&self->dev, cpu, 0);
}

static unsigned tx_poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct driver *self = iov_container_of(napi, struct driver, tx_napi);

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

static void refill(struct driver *self, struct iov_guest_cpu *cpu)
{
    while (self->rx.free_count > 0)
        iov_virtio_queue_add(&self->rx, cpu, self->rx_buffers + self->rx.free_head * BUFFER, BUFFER,
                             true);
    iov_virtio_queue_kick(&self->rx, cpu);
}

static void take_frame(struct driver *self, struct iov_guest_cpu *cpu, uint16_t descriptor,
                       uint32_t size)
{
    iov_gpa buffer = self->rx_buffers + descriptor * BUFFER;
    struct iov_guest_frame *frame = iov_guest_napi_frame(&self->rx_napi);
    struct virtio_net_hdr header;

    iov_exec_get(cpu->exec, buffer, &header, HEADER);
    bool whole = !has(self, VIRTIO_NET_F_MRG_RXBUF) || header.num_buffers == 1;

    if (size <= HEADER || size - HEADER > IOV_GUEST_FRAME_MAX || !whole) {
        cpu->guest->device_errors++;
        return;
    }
    frame->size = (uint16_t)(size - HEADER);
    frame->span = iov_exec_get_payload(cpu->exec, buffer + HEADER, frame->data, frame->size);
    frame->checksum_start =
        (header.flags & (VIRTIO_NET_HDR_DATA_VALID | VIRTIO_NET_HDR_NEEDS_CSUM)) != 0;
    iov_span_claim(frame->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_work_for(cpu, frame->span);
    iov_guest_charge(cpu, self->dev.ops->poll != NULL ? cpu->guest->costs.pmd_rx
                                                      : cpu->guest->costs.virtio_rx);
    iov_guest_napi_receive(cpu, &self->rx_napi);
}

/* The receive poll helps the transmit side along, if nobody else does just now. */
static void clean_tx_from_rx(struct driver *self, struct iov_guest_cpu *cpu)
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
    struct driver *self = iov_container_of(napi, struct driver, rx_napi);
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
    struct driver *self = context;

    schedule(cpu, &self->rx, &self->rx_napi);
}

static void on_tx(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;

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
        on_rx(self, cpu);
        on_tx(self, cpu);
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

static bool set_up_queue(struct driver *self, struct iov_guest_cpu *cpu, struct virtio_queue *queue,
                         uint16_t index, uint16_t entry,
                         void (*handler)(void *context, struct iov_guest_cpu *cpu))
{
    if (self->transport.msix == 0)
        entry = VIRTIO_MSI_NO_VECTOR;
    if (!iov_virtio_set_up_queue(&self->transport, cpu, queue, index, entry))
        return false;
    if (entry == VIRTIO_MSI_NO_VECTOR)
        return true;
    uint8_t vector = iov_guest_request_irq(self->guest, false, handler, self);

    iov_virtio_set_vector(&self->transport, cpu, entry, vector);
    return vector != 0;
}

static void set_up_config_interrupt(struct driver *self, struct iov_guest_cpu *cpu)
{
    bool msix = self->transport.msix != 0;
    uint8_t vector = iov_guest_request_irq(self->guest, !msix, msix ? on_config : on_wire, self);

    if (!msix) {
        iov_guest_route_gsi(cpu, (uint32_t)self->guest->gsi, vector);
        return;
    }
    iov_virtio_enable_msix(&self->transport, cpu, 3, MSIX_ENTRIES);
    iov_virtio_set_vector(&self->transport, cpu, 0, vector);
    iov_virtio_set_config_vector(&self->transport, cpu, 0);
}

/* ---- The poll-mode driver ---- */

static bool pmd_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                         const struct iov_guest_frame *frame)
{
    struct driver *self = from_dev(dev);

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
    struct driver *self = from_dev(dev);
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
    iov_guest_poll_complete(cpu, &self->rx_napi);
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
    if (!iov_virtio_set_up_queue(&self->transport, cpu, &self->rx, RECEIVED,
                                 VIRTIO_MSI_NO_VECTOR) ||
        !iov_virtio_set_up_queue(&self->transport, cpu, &self->tx, TRANSMITTED,
                                 VIRTIO_MSI_NO_VECTOR))
        return false;
    iov_virtio_queue_disable(&self->rx, cpu);
    iov_virtio_queue_disable(&self->tx, cpu);
    iov_virtio_enable_queue(&self->transport, cpu, RECEIVED);
    iov_virtio_enable_queue(&self->transport, cpu, TRANSMITTED);
    iov_virtio_driver_ok(&self->transport, cpu);
    return true;
}

static bool virtio_net_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    if (!iov_virtio_negotiate(&self->transport, cpu, WANTED))
        return false;
    dev->net->checksum_offload = has(self, VIRTIO_NET_F_CSUM);
    if (has(self, VIRTIO_NET_F_MAC))
        read_address(self, cpu);
    set_up_config_interrupt(self, cpu);
    if (!set_up_queue(self, cpu, &self->rx, RECEIVED, 1, on_rx) ||
        !set_up_queue(self, cpu, &self->tx, TRANSMITTED, 2, on_tx))
        return false;
    self->has_control = has(self, VIRTIO_NET_F_CTRL_VQ);
    if (self->has_control &&
        !iov_virtio_set_up_queue(&self->transport, cpu, &self->control, 2, VIRTIO_MSI_NO_VECTOR))
        return false;
    iov_virtio_enable_queue(&self->transport, cpu, RECEIVED);
    iov_virtio_enable_queue(&self->transport, cpu, TRANSMITTED);
    if (self->has_control)
        iov_virtio_enable_queue(&self->transport, cpu, 2);
    iov_virtio_driver_ok(&self->transport, cpu);
    if (has(self, VIRTIO_NET_F_STATUS))
        return iov_virtio_config_read(&self->transport, cpu, VIRTIO_NET_CONFIG_STATUS, 2) &
               VIRTIO_NET_STATUS_LINK_UP;
    return true;
}

static bool virtio_net_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    self->rx_buffers = iov_guest_allocate(self->guest, self->rx.size * BUFFER, 4096);
    self->tx_buffers = iov_guest_allocate(self->guest, self->tx.size * BUFFER, 4096);
    if (self->rx_buffers == 0 || self->tx_buffers == 0)
        return false;
    refill(self, cpu);
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
    iov_guest_napi_init(&self->rx_napi, &self->dev, rx_poll);
    iov_guest_napi_init(&self->tx_napi, &self->dev, tx_poll);
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

    iov_guest_napi_finish(&self->rx_napi);
    iov_guest_napi_finish(&self->tx_napi);
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
