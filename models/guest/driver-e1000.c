/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The e1000 driver's fast half, with the accesses of Linux 6.1:
 *
 *   transmit:   descriptors, W TDT
 *   interrupt:  R ICR, W IMC, R STATUS (flush); the rest in a poll:
 *   poll:       take back sent frames, take received frames and give buffers (W RDT if there were
 *               any), frames go up, W ITR if the load changed, W IMS, R STATUS (flush)
 *
 * A UDP frame takes two descriptors: the checksum is the adapter's work and a context descriptor
 * says where it is. So it does for a large segment, which the adapter cuts: a data descriptor for
 * each 4 KiB. LIMIT: behind a remapping unit the kernel cuts it.
 */
#include <glib.h>

#include "models/guest/driver-e1000-private.h"
#include "models/guest/drivers-private.h"
#include "models/nic/e1000-regs.h"

#define TX_DELAY 8 /* TIDV, TADV, RDTR and RADV as the driver sets them */
#define TX_DELAY_MAX 32
#define RX_DELAY_MAX 8
#define RX_BUFFER_WRITE 16 /* buffers are returned when so many are free */
#define TX_RESERVE 24      /* descriptors the largest frame may need */
#define TX_WAKE 32         /* free descriptors that start a stopped queue */
#define INTERRUPT_MASK \
    (E1000_ICR_RXT0 | E1000_ICR_TXDW | E1000_ICR_RXDMT0 | E1000_ICR_RXSEQ | E1000_ICR_LSC)
#define TIPG_COPPER 0x00602008
#define TCTL_ENABLED 0x010000f8 /* pad short frames, collision threshold, multiple requests */
#define THROTTLE_DYNAMIC 1      /* values of the driver's parameter InterruptThrottleRate */
#define THROTTLE_CONSERVATIVE 3
#define COPY_BREAK 256   /* shorter frames are copied out of their buffer, which stays */
#define FIRST_RATE 20000 /* interrupts a second */
#define LINK_POLLS 8
#define LINK_FIRST (7 * IOV_MS)
#define LINK_PERIOD (2 * IOV_SEC)

static struct e1000_driver *from_dev(struct iov_guest_netdev *dev)
{
    return iov_container_of(dev, struct e1000_driver, dev);
}

static uint32_t next_index(uint32_t index)
{
    return (index + 1) % E1000_RING;
}

static uint32_t tx_unused(const struct e1000_driver *self)
{
    return (self->tx_clean - self->tx_use - 1 + E1000_RING) % E1000_RING;
}

static uint32_t rx_unused(const struct e1000_driver *self)
{
    return (self->rx_clean - self->rx_use - 1 + E1000_RING) % E1000_RING;
}

/* ---- Transmit ---- */

static void put_tx(struct e1000_driver *self, struct iov_guest_cpu *cpu, const void *descriptor)
{
    iov_exec_put(cpu->exec, self->tx_ring + self->tx_use * E1000_DESCRIPTOR_SIZE, descriptor,
                 E1000_DESCRIPTOR_SIZE);
    self->tx_info[self->tx_use].first = false;
    self->tx_use = next_index(self->tx_use);
}

/* What the adapter needs to know of a large segment, and its data. */
static void put_large(struct e1000_driver *self, struct iov_guest_cpu *cpu,
                      const struct iov_guest_frame *frame, uint8_t number)
{
    uint64_t address = iov_guest_large_address(&self->large, number);
    struct e1000_context_descriptor context = {
        .ipcss = ETHERNET_HEADER,
        .ipcso = ETHERNET_HEADER + IPV4_CHECKSUM,
        .ipcse = ETHERNET_HEADER + IPV4_HEADER - 1,
        .tucss = ETHERNET_HEADER + IPV4_HEADER,
        .tucso = ETHERNET_HEADER + IPV4_HEADER + TCP_CHECKSUM,
        .lower = E1000_TXD_DEXT | E1000_TXD_TYPE_CONTEXT | E1000_TXD_CONTEXT_TSE |
                 E1000_TXD_CONTEXT_IP | E1000_TXD_CONTEXT_TCP | (frame->size - IOV_TCP_PAYLOAD_AT),
        .header_length = IOV_TCP_PAYLOAD_AT,
        .mss = frame->segment_size,
    };
    struct e1000_tx_descriptor data = { .upper = E1000_TXD_POPTS_TXSM | E1000_TXD_POPTS_IXSM };

    put_tx(self, cpu, &context);
    iov_guest_put_frame_for_tso(cpu, address, frame);
    for (uint32_t done = 0, piece; done < frame->size; done += piece) {
        bool last = frame->size - done <= E1000_TX_PIECE;

        piece = last ? frame->size - done : E1000_TX_PIECE;
        data.address = address + done;
        data.lower = piece | E1000_TXD_DEXT | E1000_TXD_TYPE_DATA | E1000_TXD_IFCS | E1000_TXD_TSE |
                     (last ? E1000_TXD_EOP | E1000_TXD_RS | E1000_TXD_IDE : 0);
        put_tx(self, cpu, &data);
    }
}

static void put_context(struct e1000_driver *self, struct iov_guest_cpu *cpu,
                        const struct iov_guest_frame *frame)
{
    struct e1000_context_descriptor context = {
        .tucss = (uint8_t)frame->checksum_start,
        .tucso = (uint8_t)frame->checksum_offset,
        .lower = E1000_TXD_DEXT | E1000_TXD_TYPE_CONTEXT,
    };

    put_tx(self, cpu, &context);
}

static void put_data(struct e1000_driver *self, struct iov_guest_cpu *cpu,
                     const struct iov_guest_frame *frame)
{
    iov_gpa buffer = self->tx_buffers + self->tx_use * E1000_TX_BUFFER;
    struct e1000_tx_descriptor data = {
        .address = self->tx_info[self->tx_use].address,
        .lower = frame->size | E1000_TXD_EOP | E1000_TXD_IFCS | E1000_TXD_RS | E1000_TXD_IDE,
    };

    if (frame->checksum_offset != 0) {
        data.lower |= E1000_TXD_DEXT | E1000_TXD_TYPE_DATA;
        data.upper = E1000_TXD_POPTS_TXSM;
    }
    iov_exec_put_payload(cpu->exec, buffer, frame->data, frame->size, frame->span);
    put_tx(self, cpu, &data);
}

bool iov_e1000_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                        const struct iov_guest_frame *frame)
{
    struct e1000_driver *self = from_dev(dev);
    bool large = frame->segment_size != 0;
    uint32_t needed = large ? 1 + (frame->size + E1000_TX_PIECE - 1) / E1000_TX_PIECE
                      : frame->checksum_offset != 0 ? 2
                                                    : 1;
    uint32_t first = self->tx_use;
    uint8_t number = 0;

    if (tx_unused(self) < needed + 2 || (large && self->large.count == 0)) {
        dev->tx[0].stopped = true;
        return false;
    }
    iov_guest_charge(cpu, cpu->guest->costs.e1000_tx);
    if (frame->checksum_offset != 0 && !large)
        put_context(self, cpu, frame);
    uint32_t last = (first + needed - 1) % E1000_RING;

    if (large) {
        number = iov_guest_large_take(&self->large);
        put_large(self, cpu, frame, number);
    } else {
        self->tx_info[last].address =
            iov_guest_dma_map(cpu, self->tx_buffers + last * E1000_TX_BUFFER, frame->size);
        put_data(self, cpu, frame);
    }
    self->tx_info[first].large = number;
    self->tx_info[first].sent = (struct iov_guest_sent){ frame->span, frame->size, frame->socket };
    self->tx_info[first].last = (uint16_t)last;
    self->tx_info[first].frames = (uint16_t)iov_guest_frames_of(frame);
    self->tx_info[first].first = true;
    if (tx_unused(self) < TX_RESERVE)
        dev->tx[0].stopped = true;
    iov_guest_kick(cpu, self->registers + E1000_TDT, 4, self->tx_use);
    return true;
}

void iov_e1000_clean_tx(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    while (self->tx_info[self->tx_clean].first) {
        uint32_t last = self->tx_info[self->tx_clean].last;
        struct iov_guest_sent sent = self->tx_info[self->tx_clean].sent;
        struct e1000_tx_descriptor descriptor;

        iov_exec_get(cpu->exec, self->tx_ring + last * E1000_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        if (!(descriptor.upper & E1000_TXD_STATUS_DD))
            break;
        self->tx_info[self->tx_clean].first = false;
        iov_guest_large_give(&self->large, self->tx_info[self->tx_clean].large);
        self->tx_total.packets += self->tx_info[self->tx_clean].frames;
        self->tx_total.bytes += iov_guest_bytes_of(&sent, self->tx_info[self->tx_clean].frames);
        self->tx_clean = next_index(last);
        iov_guest_charge(cpu, cpu->guest->costs.e1000_tx_clean);
        iov_guest_dma_unmap(cpu, self->tx_info[last].address, sent.size);
        iov_guest_netdev_sent(&self->dev, cpu, &sent);
    }
    if (self->dev.tx[0].stopped && tx_unused(self) >= TX_WAKE)
        iov_guest_netdev_wake(&self->dev, cpu, 0);
}

/* ---- Receive ---- */

static void map_buffer(struct e1000_driver *self, struct iov_guest_cpu *cpu, uint32_t index)
{
    self->rx_address[index] =
        iov_guest_dma_map(cpu, self->rx_buffers + index * E1000_RX_BUFFER, E1000_RX_BUFFER);
}

/* Gives the adapter all free buffers, and tells it at the end, or at multiples of `rx_write`. */
void iov_e1000_give_buffers(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t count = rx_unused(self);

    if (count == 0)
        return;
    while (count-- > 0) {
        if (self->rx_write != 0 && self->rx_use % self->rx_write == 0)
            iov_e1000_write(self, cpu, E1000_RDT, self->rx_use);
        struct e1000_rx_descriptor descriptor = { .address = self->rx_address[self->rx_use] };

        iov_exec_put(cpu->exec, self->rx_ring + self->rx_use * E1000_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        self->rx_use = next_index(self->rx_use);
    }
    if (self->rx_write == 0)
        iov_e1000_write(self, cpu, E1000_RDT, (self->rx_use + E1000_RING - 1) % E1000_RING);
}

static void take_frame(struct e1000_driver *self, struct iov_guest_cpu *cpu,
                       const struct e1000_rx_descriptor *descriptor)
{
    struct iov_guest_frame *frame = iov_guest_napi_frame(&self->napi);
    uint32_t size = descriptor->length;
    bool whole = descriptor->status & E1000_RXD_STATUS_EOP && descriptor->errors == 0;

    if (!whole || size == 0 || size > IOV_GUEST_FRAME_MAX) {
        cpu->guest->device_errors++;
        return;
    }
    frame->span = iov_exec_get_payload(
        cpu->exec, self->rx_buffers + self->rx_clean * E1000_RX_BUFFER, frame->data, size);
    iov_span_claim(frame->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
    iov_guest_work_for(cpu, frame->span);
    frame->size = (uint16_t)size;
    frame->checksum_start = !(descriptor->status & E1000_RXD_STATUS_IXSM) &&
                            descriptor->status & E1000_RXD_STATUS_TCPCS;
    iov_guest_charge(cpu, cpu->guest->costs.e1000_rx);
    if (size > COPY_BREAK) { /* the frame keeps its buffer, the ring gets another one */
        iov_guest_dma_unmap(cpu, self->rx_address[self->rx_clean], E1000_RX_BUFFER);
        map_buffer(self, cpu, self->rx_clean);
    }
    iov_guest_napi_receive(cpu, &self->napi);
}

/* A received descriptor, in the legacy format. */
static struct e1000_rx_descriptor get_rx(const struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_gpa at = self->rx_ring + self->rx_clean * E1000_DESCRIPTOR_SIZE;
    struct e1000_rx_descriptor descriptor;
    struct e1000_rx_writeback whole;

    if (!self->extended) {
        iov_exec_get(cpu->exec, at, &descriptor, sizeof descriptor);
        return descriptor;
    }
    iov_exec_get(cpu->exec, at, &whole, sizeof whole);
    return (struct e1000_rx_descriptor){
        .length = whole.length,
        .status = (uint8_t)whole.status,
        .errors = (uint8_t)(whole.status >> E1000_RXD_EXTENDED_ERRORS_SHIFT),
    };
}

unsigned iov_e1000_clean_rx(struct e1000_driver *self, struct iov_guest_cpu *cpu, unsigned budget)
{
    unsigned done = 0;

    while (done < budget) {
        struct e1000_rx_descriptor descriptor = get_rx(self, cpu);

        if (!(descriptor.status & E1000_RXD_STATUS_DD))
            break;
        take_frame(self, cpu, &descriptor);
        descriptor.status = 0;
        iov_exec_put(cpu->exec, self->rx_ring + self->rx_clean * E1000_DESCRIPTOR_SIZE, &descriptor,
                     sizeof descriptor);
        self->rx_clean = next_index(self->rx_clean);
        self->rx_total.packets++;
        self->rx_total.bytes += descriptor.length;
        done++;
        if (rx_unused(self) >= RX_BUFFER_WRITE)
            iov_e1000_give_buffers(self, cpu);
    }
    iov_e1000_give_buffers(self, cpu);
    return done;
}

/* ---- Interrupt throttling ---- */

/* The class of latency for what one interrupt brought: few small frames want low latency, many
 * bytes throughput. */
static uint8_t next_latency(uint8_t latency, const struct e1000_totals *total)
{
    if (total->packets == 0)
        return latency;
    uint32_t mean = total->bytes / total->packets;

    switch (latency) {
    case E1000_LOWEST_LATENCY:
        if (mean > 8000)
            return E1000_BULK_LATENCY;
        return total->packets < 5 && total->bytes > 512 ? E1000_LOW_LATENCY : latency;
    case E1000_LOW_LATENCY:
        if (total->bytes > 10000) {
            if (mean > 8000 || total->packets < 10 || mean > 1200)
                return E1000_BULK_LATENCY;
            return total->packets > 35 ? E1000_LOWEST_LATENCY : latency;
        }
        if (mean > 2000)
            return E1000_BULK_LATENCY;
        return total->packets <= 2 && total->bytes < 512 ? E1000_LOWEST_LATENCY : latency;
    default:
        if (total->bytes > 25000)
            return total->packets > 35 ? E1000_LOW_LATENCY : latency;
        return total->bytes < 6000 ? E1000_LOW_LATENCY : latency;
    }
}

bool iov_e1000_is_dynamic(const struct e1000_driver *self)
{
    return self->guest->interrupt_throttle_rate == THROTTLE_DYNAMIC ||
           self->guest->interrupt_throttle_rate == THROTTLE_CONSERVATIVE;
}

/* The default mode is conservative: the lowest latency is not used. */
static uint8_t bounded(const struct e1000_driver *self, uint8_t latency)
{
    if (latency == E1000_LOWEST_LATENCY &&
        self->guest->interrupt_throttle_rate == THROTTLE_CONSERVATIVE)
        return E1000_LOW_LATENCY;
    return latency;
}

uint32_t iov_e1000_next_rate(struct e1000_driver *self)
{
    static const uint32_t rates[] = {
        [E1000_LOWEST_LATENCY] = 70000, [E1000_LOW_LATENCY] = 20000, [E1000_BULK_LATENCY] = 4000
    };
    uint32_t rate = rates[E1000_BULK_LATENCY]; /* below 1000 Mb/s */

    if (self->gigabit) {
        self->tx_latency = bounded(self, next_latency(self->tx_latency, &self->tx_total));
        self->rx_latency = bounded(self, next_latency(self->rx_latency, &self->rx_total));
        rate = rates[self->rx_latency > self->tx_latency ? self->rx_latency : self->tx_latency];
    }
    if (rate == self->interrupts_per_second)
        return 0;
    /* Down at once, up in steps of a quarter of the goal. */
    if (rate > self->interrupts_per_second && self->interrupts_per_second + rate / 4 < rate)
        rate = self->interrupts_per_second + rate / 4;
    self->interrupts_per_second = rate;
    return rate;
}

uint32_t iov_e1000_throttle(uint32_t rate)
{
    return rate != 0 ? 1000000000 / (rate * 256) : 0;
}

static void adapt_throttling(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t rate;

    if (!iov_e1000_is_dynamic(self))
        return;
    rate = iov_e1000_next_rate(self);
    if (rate != 0)
        iov_e1000_write(self, cpu, E1000_ITR, iov_e1000_throttle(rate));
}

/* ---- Interrupt and poll ---- */

static void enable_interrupts(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_write(self, cpu, E1000_IMS, INTERRUPT_MASK);
    iov_e1000_flush(self, cpu);
}

static void on_interrupt(void *context, struct iov_guest_cpu *cpu)
{
    struct e1000_driver *self = context;
    uint32_t causes = iov_e1000_read(self, cpu, E1000_ICR);

    if (causes == 0)
        return; /* somebody else's */
    iov_e1000_write(self, cpu, E1000_IMC, UINT32_MAX);
    iov_e1000_flush(self, cpu);
    if (!iov_guest_napi_schedule(cpu, &self->napi)) {
        enable_interrupts(self, cpu);
        return;
    }
    self->tx_total = (struct e1000_totals){ 0 };
    self->rx_total = (struct e1000_totals){ 0 };
}

static unsigned e1000_poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct e1000_driver *self = iov_container_of(napi, struct e1000_driver, napi);

    iov_e1000_clean_tx(self, cpu);
    unsigned done = iov_e1000_clean_rx(self, cpu, budget);

    if (done >= budget)
        return budget;
    if (iov_guest_napi_complete(cpu, napi)) {
        adapt_throttling(self, cpu);
        enable_interrupts(self, cpu);
    }
    return done;
}

/* ---- Open ---- */

static void configure_tx(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    iov_e1000_write(self, cpu, E1000_TDLEN, E1000_RING * E1000_DESCRIPTOR_SIZE);
    iov_e1000_write(self, cpu, E1000_TDBAH, (uint32_t)(self->tx_device >> 32));
    iov_e1000_write(self, cpu, E1000_TDBAL, (uint32_t)self->tx_device);
    iov_e1000_write(self, cpu, E1000_TDT, 0);
    iov_e1000_write(self, cpu, E1000_TDH, 0);
    iov_e1000_write(self, cpu, E1000_TIPG, TIPG_COPPER);
    iov_e1000_write(self, cpu, E1000_TIDV, TX_DELAY);
    iov_e1000_write(self, cpu, E1000_TADV, TX_DELAY_MAX);
    iov_e1000_read(self, cpu, E1000_TCTL);
    uint32_t control = iov_e1000_read(self, cpu, E1000_TCTL);

    iov_e1000_write(self, cpu, E1000_TCTL, control | 0x3f000);
    iov_e1000_flush(self, cpu);
    iov_e1000_write(self, cpu, E1000_TCTL, TCTL_ENABLED);
}

static void configure_rx(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    uint32_t control = iov_e1000_read(self, cpu, E1000_RCTL) | E1000_RCTL_BAM;

    iov_e1000_write(self, cpu, E1000_RCTL, control);
    control = iov_e1000_read(self, cpu, E1000_RCTL);
    iov_e1000_write(self, cpu, E1000_RCTL, control);
    iov_e1000_write(self, cpu, E1000_RDTR, 0);
    iov_e1000_write(self, cpu, E1000_RADV, RX_DELAY_MAX);
    iov_e1000_write(self, cpu, E1000_ITR, iov_e1000_throttle(self->interrupts_per_second));
    iov_e1000_write(self, cpu, E1000_RDLEN, E1000_RING * E1000_DESCRIPTOR_SIZE);
    iov_e1000_write(self, cpu, E1000_RDBAH, (uint32_t)(self->rx_device >> 32));
    iov_e1000_write(self, cpu, E1000_RDBAL, (uint32_t)self->rx_device);
    iov_e1000_write(self, cpu, E1000_RDT, 0);
    iov_e1000_write(self, cpu, E1000_RDH, 0);
    uint32_t checksum = iov_e1000_read(self, cpu, E1000_RXCSUM);

    iov_e1000_write(self, cpu, E1000_RXCSUM, checksum | E1000_RXCSUM_TUOFL);
    iov_e1000_write(self, cpu, E1000_RCTL, control | E1000_RCTL_EN);
}

static bool allocate_rings(struct e1000_driver *self)
{
    IovLinuxGuest *guest = self->guest;

    self->tx_ring = iov_guest_allocate(guest, E1000_RING * E1000_DESCRIPTOR_SIZE, 4096);
    self->rx_ring = iov_guest_allocate(guest, E1000_RING * E1000_DESCRIPTOR_SIZE, 4096);
    self->tx_buffers = iov_guest_allocate(guest, E1000_RING * E1000_TX_BUFFER, 4096);
    self->rx_buffers = iov_guest_allocate(guest, E1000_RING * E1000_RX_BUFFER, 4096);
    return self->tx_ring != 0 && self->rx_ring != 0 && self->tx_buffers != 0 &&
           self->rx_buffers != 0;
}

static void clear_ring(struct iov_guest_cpu *cpu, iov_gpa ring)
{
    static const uint8_t zeros[E1000_RING * E1000_DESCRIPTOR_SIZE];

    iov_exec_put(cpu->exec, ring, zeros, sizeof zeros);
}

bool iov_e1000_open_rings(struct e1000_driver *self, struct iov_guest_cpu *cpu)
{
    if (!allocate_rings(self))
        return false;
    clear_ring(cpu, self->tx_ring);
    clear_ring(cpu, self->rx_ring);
    self->tx_device = iov_guest_dma_share(cpu, self->tx_ring, E1000_RING * E1000_DESCRIPTOR_SIZE);
    self->rx_device = iov_guest_dma_share(cpu, self->rx_ring, E1000_RING * E1000_DESCRIPTOR_SIZE);
    for (uint32_t i = 0; i < E1000_RING; i++)
        map_buffer(self, cpu, i);
    self->dev.tso =
        !iov_guest_dma_translates(cpu) && iov_guest_large_init(&self->large, self->guest, 1);
    return true;
}

static bool e1000_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct e1000_driver *self = from_dev(dev);

    if (!iov_e1000_open_rings(self, cpu))
        return false;
    iov_e1000_power_up_phy(self, cpu);
    iov_e1000_set_rx_mode(self, cpu);
    configure_tx(self, cpu);
    configure_rx(self, cpu);
    iov_e1000_give_buffers(self, cpu);
    uint8_t vector = iov_guest_request_irq(self->guest, true, on_interrupt, self);

    if (vector == 0)
        return false;
    iov_guest_route_gsi(cpu, (uint32_t)self->guest->gsi, vector);
    enable_interrupts(self, cpu);
    iov_e1000_write(self, cpu, E1000_ICS, E1000_ICR_LSC); /* begins the watch for a link */
    iov_e1000_set_rx_mode(self, cpu);
    iov_guest_sleep(cpu, LINK_FIRST);
    for (unsigned i = 0; i < LINK_POLLS; i++) {
        if (iov_e1000_check_link(self, cpu))
            return true;
        iov_guest_sleep(cpu, LINK_PERIOD);
    }
    return false;
}

/* ---- Life cycle ---- */

void iov_e1000_init(struct e1000_driver *self, struct iov_guest_net *net)
{
    self->dev.net = net;
    self->guest = net->guest;
    self->registers = self->guest->registers;
    self->interrupts_per_second =
        iov_e1000_is_dynamic(self) ? FIRST_RATE : self->guest->interrupt_throttle_rate;
    self->tx_latency = E1000_LOW_LATENCY;
    self->rx_latency = E1000_LOW_LATENCY;
    net->checksum_offload = true;
}

static struct iov_guest_netdev *e1000_create(struct iov_guest_net *net)
{
    struct e1000_driver *self = g_new0(struct e1000_driver, 1);

    self->dev.ops = &iov_guest_e1000_ops;
    iov_e1000_init(self, net);
    iov_guest_napi_init(&self->napi, &self->dev, e1000_poll);
    return &self->dev;
}

static void e1000_destroy(struct iov_guest_netdev *dev)
{
    struct e1000_driver *self = from_dev(dev);

    iov_guest_napi_finish(&self->napi);
    g_free(self);
}

const struct iov_guest_netdev_ops iov_guest_e1000_ops = {
    .name = "e1000",
    .create = e1000_create,
    .destroy = e1000_destroy,
    .probe = iov_e1000_probe,
    .open = e1000_open,
    .transmit = iov_e1000_transmit,
};
