/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The igb driver's fast half, with the accesses of Linux 6.1's igb: a queue pair for each
 * processor, up to eight; MSI-X vectors for the link, each receive and each transmit queue, or,
 * with more than four pairs, each pair. Received flows are spread by the adapter's hash (RSS).
 *
 *   transmit:   descriptors, W TDT
 *   interrupt:  W EITR if the load has changed; the rest in a poll (the device has masked the
 *               vector by itself: EIAC, EIAM)
 *   rx poll:    take received frames; W RDT every sixteen and at the end if there were any; frames
 *               go up; W EIMS
 *   tx poll:    take back sent frames; W EIMS
 *
 * A UDP frame takes two descriptors: the checksum is the adapter's work and a context descriptor
 * says where it is. Receive buffers are halves of pages that stay mapped. A large segment takes a
 * context descriptor with its MSS and a data descriptor for each 32 KiB; the adapter cuts it.
 * LIMIT: a processor sends by its own queue, as if XPS had been set up (Linux's igb leaves the
 * choice to a hash of the flow); behind a remapping unit large segments are cut by the kernel.
 */
#include <glib.h>

#include "core/net/ethernet-regs.h"
#include "models/guest/driver-igb-private.h"
#include "models/guest/drivers-private.h"
#include "models/nic/igb-regs.h"

#define RX_BUFFER_WRITE 16 /* buffers are returned when so many are free */
#define TX_NEEDED 21       /* descriptors the largest frame may need */
#define THRESHOLDS_RX (8u | 8u << 8 | 1u << 16)
#define THRESHOLDS_TX (8u | 1u << 8 | 1u << 16)
#define LINK_POLLS 8
#define LINK_PERIOD (2 * IOV_SEC)
#define JIFFY (4 * IOV_MS)
#define ENTRY_BIT(entry) (1u << (entry))
#define TIME_CAUSES 0xb66c

static struct igb_driver *from_dev(struct iov_guest_netdev *dev)
{
    return iov_container_of(dev, struct igb_driver, dev);
}

/* By a program that has the device, without interrupts. */
static bool is_polled(const struct igb_driver *self)
{
    return self->dev.ops->poll != NULL;
}

static uint32_t next_index(uint32_t index)
{
    return (index + 1) % IGB_RING;
}

static uint32_t tx_unused(const struct igb_ring *self)
{
    return (self->tx_clean - self->tx_use - 1 + IGB_RING) % IGB_RING;
}

static uint32_t rx_unused(const struct igb_ring *self)
{
    return (self->rx_clean - self->rx_use - 1 + IGB_RING) % IGB_RING;
}

/* ---- Transmit ---- */

static void put_tx(struct igb_ring *self, struct iov_guest_cpu *cpu, const void *descriptor)
{
    iov_exec_put(cpu->exec, self->tx_ring + self->tx_use * IGB_DESCRIPTOR_SIZE, descriptor,
                 IGB_DESCRIPTOR_SIZE);
    self->tx_info[self->tx_use].first = false;
    self->tx_use = next_index(self->tx_use);
}

/* What the adapter needs to know of a large segment, and its data. */
static void put_large(struct igb_ring *self, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame, uint8_t number)
{
    uint64_t address = iov_guest_large_address(&self->large, number);
    struct igb_tx_context context = {
        .lengths = IPV4_HEADER | ETHERNET_HEADER << IGB_TXC_MACLEN_SHIFT,
        .command = IGB_TXD_DEXT | IGB_TXD_TYPE_CONTEXT | IGB_TXC_IPV4 | IGB_TXC_TCP,
        .mss = TCP_HEADER << IGB_TXC_L4LEN_SHIFT | (uint32_t)frame->segment_size
                                                       << IGB_TXC_MSS_SHIFT,
    };
    struct igb_tx_descriptor data = {
        .status = (frame->size - IOV_TCP_PAYLOAD_AT) << IGB_TXD_PAYLEN_SHIFT | IGB_TXD_TXSM |
                  IGB_TXD_IXSM,
    };

    put_tx(self, cpu, &context);
    iov_guest_put_frame_for_tso(cpu, address, frame);
    for (uint32_t done = 0, piece; done < frame->size; done += piece) {
        bool last = frame->size - done <= IGB_TX_PIECE;

        piece = last ? frame->size - done : IGB_TX_PIECE;
        data.address = address + done;
        data.command = piece | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_IFCS | IGB_TXD_TSE |
                       (last ? IGB_TXD_EOP | IGB_TXD_RS : 0);
        put_tx(self, cpu, &data);
    }
}

static void put_context(struct igb_ring *self, struct iov_guest_cpu *cpu,
                        const struct iov_guest_frame *frame)
{
    uint32_t network = frame->checksum_start - ETHERNET_HEADER;
    bool tcp = frame->checksum_offset - frame->checksum_start == TCP_CHECKSUM;
    struct igb_tx_context context = {
        .lengths = network | ETHERNET_HEADER << IGB_TXC_MACLEN_SHIFT,
        .command = IGB_TXD_DEXT | IGB_TXD_TYPE_CONTEXT | IGB_TXC_IPV4 | (tcp ? IGB_TXC_TCP : 0),
    };

    put_tx(self, cpu, &context);
}

static void put_data(struct igb_ring *self, struct iov_guest_cpu *cpu,
                     const struct iov_guest_frame *frame)
{
    iov_gpa buffer = self->tx_buffers + self->tx_use * IGB_TX_ROOM;
    struct igb_tx_descriptor data = {
        .address = self->tx_info[self->tx_use].address,
        .command = frame->size | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_IFCS | IGB_TXD_EOP |
                   IGB_TXD_RS,
        .status = (uint32_t)frame->size << IGB_TXD_PAYLEN_SHIFT |
                  (frame->checksum_offset != 0 ? IGB_TXD_TXSM : 0),
    };

    iov_exec_put_payload(cpu->exec, buffer, frame->data, frame->size, frame->span);
    put_tx(self, cpu, &data);
}

bool iov_igb_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame)
{
    struct igb_ring *self = &from_dev(dev)->rings[is_polled(from_dev(dev)) ? 0 : frame->queue];
    bool large = frame->segment_size != 0;
    uint32_t needed = large ? 1 + (frame->size + IGB_TX_PIECE - 1) / IGB_TX_PIECE
                      : frame->checksum_offset != 0 ? 2
                                                    : 1;
    uint32_t first = self->tx_use;
    uint8_t number = 0;

    if (tx_unused(self) < needed + 3 || (large && self->large.count == 0)) {
        dev->tx[self->index].stopped = !is_polled(self->driver);
        return false;
    }
    iov_guest_charge(cpu,
                     is_polled(self->driver) ? cpu->guest->costs.pmd_tx : cpu->guest->costs.igb_tx);
    if (frame->checksum_offset != 0 && !large)
        put_context(self, cpu, frame);
    uint32_t last = (first + needed - 1) % IGB_RING;

    if (large) {
        number = iov_guest_large_take(&self->large);
        put_large(self, cpu, frame, number);
    } else {
        self->tx_info[last].address =
            iov_guest_dma_map(cpu, self->tx_buffers + last * IGB_TX_ROOM, frame->size);
        put_data(self, cpu, frame);
    }
    self->tx_info[first].large = number;
    self->tx_info[first].sent = (struct iov_guest_sent){ frame->span, frame->size, frame->socket };
    self->tx_info[first].last = (uint16_t)last;
    self->tx_info[first].frames = (uint16_t)iov_guest_frames_of(frame);
    self->tx_info[first].first = true;
    if (tx_unused(self) < TX_NEEDED)
        dev->tx[self->index].stopped = !is_polled(self->driver);
    iov_guest_kick(cpu, iov_igb_address(self->driver, IGB_TX_REG(self->index, IGB_QUEUE_TAIL)), 4,
                   self->tx_use);
    return true;
}

/* Takes back what was sent. */
void iov_igb_clean_tx(struct igb_ring *self, struct iov_guest_cpu *cpu)
{
    struct igb_totals *total = self->driver->paired ? &self->rx_vector.tx : &self->tx_vector.tx;

    while (self->tx_info[self->tx_clean].first) {
        uint32_t last = self->tx_info[self->tx_clean].last;
        struct iov_guest_sent sent = self->tx_info[self->tx_clean].sent;
        struct igb_tx_descriptor descriptor;

        iov_exec_get(cpu->exec, self->tx_ring + last * IGB_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        if (!(descriptor.status & IGB_TXD_DD))
            break;
        self->tx_info[self->tx_clean].first = false;
        iov_guest_large_give(&self->large, self->tx_info[self->tx_clean].large);
        total->packets += self->tx_info[self->tx_clean].frames;
        total->bytes += iov_guest_bytes_of(&sent, self->tx_info[self->tx_clean].frames);
        self->tx_clean = next_index(last);
        if (!is_polled(self->driver)) /* the other one's price of a frame has it */
            iov_guest_charge(cpu, cpu->guest->costs.igb_tx_clean);
        iov_guest_dma_unmap(cpu, self->tx_info[last].address, sent.size);
        iov_guest_netdev_sent(&self->driver->dev, cpu, &sent);
    }
    if (self->driver->dev.tx[self->index].stopped && tx_unused(self) >= 2 * TX_NEEDED)
        iov_guest_netdev_wake(&self->driver->dev, cpu, self->index);
}

/* ---- Receive ---- */

/* Gives the adapter all free buffers. */
void iov_igb_give_buffers(struct igb_ring *self, struct iov_guest_cpu *cpu)
{
    static const struct igb_rx_read nothing;
    uint32_t count = rx_unused(self);

    if (count == 0)
        return;
    while (count-- > 0) {
        struct igb_rx_read descriptor = { .packet = self->rx_address[self->rx_use] };

        iov_exec_put(cpu->exec, self->rx_ring + self->rx_use * IGB_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        self->rx_use = next_index(self->rx_use);
    }
    /* The one behind must not look used. */
    iov_exec_put(cpu->exec, self->rx_ring + self->rx_use * IGB_DESCRIPTOR_SIZE, &nothing,
                 sizeof nothing);
    iov_igb_write(self->driver, cpu, IGB_RX_REG(self->index, IGB_QUEUE_TAIL), self->rx_use);
}

static void take_frame(struct igb_ring *self, struct iov_guest_cpu *cpu,
                       const struct igb_rx_done *descriptor)
{
    struct iov_guest_frame *frame = iov_guest_napi_frame(&self->rx_vector.napi);
    uint32_t size = descriptor->length;

    if (!(descriptor->status & IGB_RXD_EOP) || descriptor->status & IGB_RXD_RXE ||
        size > IOV_GUEST_FRAME_MAX) {
        cpu->guest->device_errors++;
        return;
    }
    frame->span = iov_exec_get_payload(cpu->exec, self->rx_buffers + self->rx_clean * IGB_RX_ROOM,
                                       frame->data, size);
    iov_span_claim(frame->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_work_for(cpu, frame->span);
    frame->size = (uint16_t)size;
    frame->checksum_start = descriptor->status & (IGB_RXD_L4CS | IGB_RXD_UDPCS) &&
                            !(descriptor->status & (IGB_RXD_L4E | IGB_RXD_IPE));
    iov_guest_charge(cpu,
                     is_polled(self->driver) ? cpu->guest->costs.pmd_rx : cpu->guest->costs.igb_rx);
    iov_guest_napi_receive(cpu, &self->rx_vector.napi);
}

unsigned iov_igb_clean_rx(struct igb_ring *self, struct iov_guest_cpu *cpu, unsigned budget,
                          unsigned batch)
{
    unsigned done = 0;

    while (done < budget) {
        struct igb_rx_done descriptor;

        if (rx_unused(self) >= batch)
            iov_igb_give_buffers(self, cpu);
        iov_exec_get(cpu->exec, self->rx_ring + self->rx_clean * IGB_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        if (descriptor.length == 0 || self->rx_clean == self->rx_use)
            break;
        take_frame(self, cpu, &descriptor);
        self->rx_clean = next_index(self->rx_clean);
        self->rx_vector.rx.packets++;
        self->rx_vector.rx.bytes += descriptor.length;
        done++;
    }
    return done;
}

/* ---- Interrupts and polls ---- */

static void on_ring(struct igb_driver *self, struct iov_guest_cpu *cpu,
                    struct igb_vector_state *vector)
{
    iov_igb_write_itr(self, cpu, vector);
    iov_guest_napi_schedule(cpu, &vector->napi);
}

static void on_rx(void *context, struct iov_guest_cpu *cpu)
{
    struct igb_ring *ring = context;

    on_ring(ring->driver, cpu, &ring->rx_vector);
}

static void on_tx(void *context, struct iov_guest_cpu *cpu)
{
    struct igb_ring *ring = context;

    on_ring(ring->driver, cpu, &ring->tx_vector);
}

static void on_other(void *context, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = context;
    uint32_t causes = iov_igb_read(self, cpu, IGB_LEGACY_ICR);

    if (causes & IGB_ICR_LSC) {
        self->link_asked = true;
        if (self->waiter != NULL)
            iov_guest_wake(cpu, self->waiter);
    }
    iov_igb_write(self, cpu, IGB_EIMS, ENTRY_BIT(IGB_ENTRY_OTHER));
}

static unsigned rx_poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct igb_ring *self = iov_container_of(napi, struct igb_ring, rx_vector.napi);

    if (self->driver->paired)
        iov_igb_clean_tx(self, cpu);
    unsigned done = iov_igb_clean_rx(self, cpu, budget, RX_BUFFER_WRITE);

    iov_igb_give_buffers(self, cpu);

    if (done >= budget)
        return budget;
    if (iov_guest_napi_complete(cpu, napi))
        iov_igb_enable_vector(self->driver, cpu, &self->rx_vector);
    return done;
}

static unsigned tx_poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct igb_ring *self = iov_container_of(napi, struct igb_ring, tx_vector.napi);

    (void)budget; /* taking back is not counted */
    iov_igb_clean_tx(self, cpu);
    if (iov_guest_napi_complete(cpu, napi))
        iov_igb_enable_vector(self->driver, cpu, &self->tx_vector);
    return 0;
}

/* ---- Open ---- */

static void configure_tx(struct igb_ring *ring, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = ring->driver;

    iov_igb_write(self, cpu, IGB_TX_REG(ring->index, IGB_QUEUE_LEN),
                  IGB_RING * IGB_DESCRIPTOR_SIZE);
    iov_igb_write(self, cpu, IGB_TX_REG(ring->index, IGB_QUEUE_BAL), (uint32_t)ring->tx_device);
    iov_igb_write(self, cpu, IGB_TX_REG(ring->index, IGB_QUEUE_BAH),
                  (uint32_t)(ring->tx_device >> 32));
    iov_igb_write(self, cpu, IGB_TX_REG(ring->index, IGB_QUEUE_HEAD), 0);
    iov_igb_write(self, cpu, IGB_TX_REG(ring->index, IGB_QUEUE_TAIL), 0);
    iov_igb_write(self, cpu, IGB_TX_REG(ring->index, IGB_QUEUE_DCTL),
                  THRESHOLDS_TX | IGB_DCTL_ENABLE);
}

/*
 * All are off before the first is set up. LIMIT: the wait is usleep_range(10000, 20000), which ends
 * with the first timer interrupt in it.
 */
static void configure_tx_rings(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    for (unsigned i = 0; i < self->count; i++)
        iov_igb_write(self, cpu, IGB_TX_REG(i, IGB_QUEUE_DCTL), 0);
    iov_igb_flush(self, cpu);
    iov_guest_sleep(cpu, 10 * IOV_MS);
    for (unsigned i = 0; i < self->count; i++)
        configure_tx(&self->rings[i], cpu);
}

static void configure_rx(struct igb_ring *ring, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = ring->driver;

    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_DCTL), 0);
    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_BAL), (uint32_t)ring->rx_device);
    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_BAH),
                  (uint32_t)(ring->rx_device >> 32));
    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_LEN),
                  IGB_RING * IGB_DESCRIPTOR_SIZE);
    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_HEAD), 0);
    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_TAIL), 0);
    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_SRRCTL),
                  IGB_RX_ROOM / 1024 | 4u << IGB_SRRCTL_HEADER_SHIFT |
                      IGB_SRRCTL_TYPE_ONE_BUFFER << IGB_SRRCTL_TYPE_SHIFT);
    uint32_t pool = iov_igb_read(self, cpu, IGB_VMOLR(ring->index & 7)) & ~IGB_VMOLR_RSSE;

    iov_igb_write(self, cpu, IGB_VMOLR(ring->index & 7), pool | IGB_VMOLR_AUPE | IGB_VMOLR_BAM);
    iov_igb_write(self, cpu, IGB_RX_REG(ring->index, IGB_QUEUE_DCTL),
                  THRESHOLDS_RX | IGB_DCTL_ENABLE);
}

static void ignore_ipv6_options(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t filter = iov_igb_read(self, cpu, IGB_RFCTL);

    iov_igb_write(self, cpu, IGB_RFCTL, filter | 1u << 16);
}

static bool allocate_ring(struct igb_ring *self, struct iov_guest_cpu *cpu)
{
    static const uint8_t zeros[IGB_RING * IGB_DESCRIPTOR_SIZE];
    IovLinuxGuest *guest = cpu->guest;

    self->tx_ring = iov_guest_allocate(guest, sizeof zeros, 4096);
    self->rx_ring = iov_guest_allocate(guest, sizeof zeros, 4096);
    self->tx_buffers = iov_guest_allocate(guest, IGB_RING * IGB_TX_ROOM, 4096);
    self->rx_buffers = iov_guest_allocate(guest, IGB_RING * IGB_RX_ROOM, 4096);
    if (self->tx_ring == 0 || self->rx_ring == 0 || self->tx_buffers == 0 || self->rx_buffers == 0)
        return false;
    iov_exec_put(cpu->exec, self->tx_ring, zeros, sizeof zeros);
    iov_exec_put(cpu->exec, self->rx_ring, zeros, sizeof zeros);
    self->tx_device = iov_guest_dma_share(cpu, self->tx_ring, sizeof zeros);
    self->rx_device = iov_guest_dma_share(cpu, self->rx_ring, sizeof zeros);
    self->driver->dev.tso =
        self->driver->dev.tso && iov_guest_large_init(&self->large, guest, self->driver->count);
    for (uint32_t i = 0; i < IGB_RING; i++)
        self->rx_address[i] =
            iov_guest_dma_map(cpu, self->rx_buffers + i * IGB_RX_ROOM, IGB_RX_ROOM);
    return true;
}

bool iov_igb_allocate_rings(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    self->dev.tso = !is_polled(self) && !iov_guest_dma_translates(cpu);
    for (unsigned i = 0; i < self->count; i++) {
        if (!allocate_ring(&self->rings[i], cpu))
            return false;
    }
    return true;
}

/* The entry of IVAR for the vector: receive queues in the even bytes, transmit queues in the odd
 * ones. */
static void assign_vector(struct igb_ring *ring, struct iov_guest_cpu *cpu,
                          struct igb_vector_state *vector, bool transmit)
{
    struct igb_driver *self = ring->driver;
    unsigned shift = transmit ? 8 : 0;
    uint32_t entry = (vector->entry | IGB_IVAR_VALID) << shift;
    uint32_t row = iov_igb_read(self, cpu, IGB_IVAR(ring->index)) & ~(0xffu << shift);

    iov_igb_write(self, cpu, IGB_IVAR(ring->index), row | entry);
    vector->set_itr = true;
}

static unsigned entry_count(const struct igb_driver *self)
{
    return 1 + self->count * (self->paired ? 1 : 2);
}

static bool request_vector(struct igb_ring *ring, struct iov_guest_cpu *cpu,
                           struct igb_vector_state *vector,
                           void (*handler)(void *, struct iov_guest_cpu *))
{
    uint8_t number = iov_guest_request_queue_irq(cpu->guest, ring->index, handler, ring);

    if (number == 0)
        return false;
    iov_igb_start_vector(ring->driver, cpu, vector->entry, number);
    return true;
}

static bool request_interrupts(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint8_t other = iov_guest_request_irq(self->guest, false, on_other, self);

    if (other == 0)
        return false;
    iov_igb_start_vector(self, cpu, IGB_ENTRY_OTHER, other);
    for (unsigned i = 0; i < self->count; i++) {
        if (!request_vector(&self->rings[i], cpu, &self->rings[i].rx_vector, on_rx))
            return false;
    }
    for (unsigned i = 0; i < self->count && !self->paired; i++) {
        if (!request_vector(&self->rings[i], cpu, &self->rings[i].tx_vector, on_tx))
            return false;
    }
    iov_igb_write(self, cpu, IGB_GPIE,
                  IGB_GPIE_MULTIPLE_MSIX | IGB_GPIE_PBA | IGB_GPIE_EIAME | IGB_GPIE_NSICR);
    iov_igb_write(self, cpu, IGB_IVAR_MISC, (IGB_ENTRY_OTHER | IGB_IVAR_VALID) << 8);
    for (unsigned i = 0; i < self->count; i++) {
        assign_vector(&self->rings[i], cpu, &self->rings[i].rx_vector, false);
        if (self->paired)
            assign_vector(&self->rings[i], cpu, &self->rings[i].rx_vector, true);
    }
    for (unsigned i = 0; i < self->count && !self->paired; i++)
        assign_vector(&self->rings[i], cpu, &self->rings[i].tx_vector, true);
    iov_igb_flush(self, cpu);
    return true;
}

static void enable_interrupts(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t all = ENTRY_BIT(entry_count(self)) - 1;
    uint32_t clear = iov_igb_read(self, cpu, IGB_EIAC);

    iov_igb_write(self, cpu, IGB_EIAC, clear | all);
    uint32_t mask = iov_igb_read(self, cpu, IGB_EIAM);

    iov_igb_write(self, cpu, IGB_EIAM, mask | all);
    iov_igb_write(self, cpu, IGB_EIMS, all);
    iov_igb_write(self, cpu, IGB_LEGACY_IMS, IGB_ICR_LSC | IGB_ICR_DOUTSYNC | IGB_ICR_DRSTA);
}

/* Until the adapter says that the link has changed, or for the period of the watchdog. */
static void wait_for_link(struct igb_driver *self, struct iov_guest_cpu *cpu)
{
    iov_time deadline = iov_guest_now(cpu) + LINK_PERIOD;

    while (!self->link_asked && iov_guest_now(cpu) < deadline) {
        iov_guest_wait_prepare(cpu);
        self->waiter = cpu;
        cpu->sleep = deadline;
        if (!self->link_asked)
            iov_guest_wait_block(cpu);
        iov_guest_wait_done(cpu);
        cpu->sleep = IOV_TIME_MAX;
        self->waiter = NULL;
    }
    if (self->link_asked)
        iov_guest_sleep(cpu, JIFFY); /* then the watchdog comes */
    self->link_asked = false;
}

static bool igb_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct igb_driver *self = from_dev(dev);

    if (!iov_igb_allocate_rings(self, cpu))
        return false;
    iov_igb_power_up_link(self, cpu);
    iov_igb_configure(self, cpu);
    configure_tx_rings(self, cpu);
    iov_igb_set_address(self, cpu);
    for (unsigned i = 0; i < self->count; i++)
        configure_rx(&self->rings[i], cpu);
    ignore_ipv6_options(self, cpu);
    for (unsigned i = 0; i < self->count; i++)
        iov_igb_give_buffers(&self->rings[i], cpu);
    if (!request_interrupts(self, cpu))
        return false;
    iov_igb_read(self, cpu, TIME_CAUSES);
    iov_igb_read(self, cpu, IGB_LEGACY_ICR);
    enable_interrupts(self, cpu);
    for (unsigned i = 0; i < LINK_POLLS; i++) {
        if (iov_igb_check_link(self, cpu))
            return true;
        wait_for_link(self, cpu);
    }
    return false;
}

/* ---- Life cycle ---- */

void iov_igb_make_rings(struct igb_driver *self, unsigned count)
{
    self->rings = g_new0(struct igb_ring, count);
    self->count = count;
    self->paired = count > IGB_RINGS / 2; /* vectors are few */
    self->dev.queues = count;
    for (unsigned i = 0; i < count; i++) {
        struct igb_ring *ring = &self->rings[i];

        ring->driver = self;
        ring->index = i;
        iov_igb_vector_init(self, &ring->rx_vector, 1 + i, rx_poll);
        iov_igb_vector_init(self, &ring->tx_vector, 1 + count + i, tx_poll);
    }
}

void iov_igb_free_rings(struct igb_driver *self)
{
    for (unsigned i = 0; i < self->count; i++) {
        iov_guest_napi_finish(&self->rings[i].rx_vector.napi);
        iov_guest_napi_finish(&self->rings[i].tx_vector.napi);
    }
    g_clear_pointer(&self->rings, g_free);
    self->count = 0;
}

static struct iov_guest_netdev *igb_create(struct iov_guest_net *net)
{
    struct igb_driver *self = g_new0(struct igb_driver, 1);

    self->dev = (struct iov_guest_netdev){ .ops = &iov_guest_igb_ops, .net = net };
    self->guest = net->guest;
    self->registers = self->guest->registers;
    self->msix = self->guest->msix;
    net->checksum_offload = true;
    return &self->dev;
}

static void igb_destroy(struct iov_guest_netdev *dev)
{
    struct igb_driver *self = from_dev(dev);

    iov_igb_free_rings(self);
    g_free(self);
}

const struct iov_guest_netdev_ops iov_guest_igb_ops = {
    .name = "igb",
    .create = igb_create,
    .destroy = igb_destroy,
    .probe = iov_igb_probe,
    .open = igb_open,
    .transmit = iov_igb_transmit,
};
