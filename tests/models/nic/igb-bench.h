/* SPDX-License-Identifier: Apache-2.0 */
/* An igb on the bench: memory that keeps interrupt messages, a cable that keeps frames, and a
 * minimal driver. */
#ifndef IOV_TESTS_NIC_IGB_BENCH_H
#define IOV_TESTS_NIC_IGB_BENCH_H

#include "core/net/ethernet-regs.h"
#include "core/pci/bus.h"
#include "core/pci/space.h"
#include "models/nic/igb-regs.h"
#include "tests/models/bench.h"

#define TX_RING 0x10000u /* + 0x1000 a queue */
#define RX_RING 0x80000u
#define RING_ENTRIES 64u
#define BUFFERS 0x100000u
#define RAM 0x800000u

static const struct bench_cost igb_costs[] = {
    { "dram-access", 100 * IOV_NS },
    { "igb-processing", 300 * IOV_NS },
    { NULL, 0 },
};

struct igb_message {
    uint64_t address;
    uint32_t data;
    uint16_t requester;
    uint32_t pasid;
    iov_time when;
    struct iov_span *span;
};

struct igb_bench {
    struct bench *bench;
    IovModel *nic, *dram;
    struct iov_mem_target fabric; /* what the function's DMA sees */
    struct iov_mem_target *registers, *msix, *memory;
    struct iov_mem_initiator to_memory;
    struct igb_message messages[64];
    unsigned message_count;
    uint16_t requester; /* of the last DMA */
    uint32_t pasid;     /* of the last one that was no message */
    struct bench_line line;
    struct bench_end end;
    uint32_t tails[IGB_QUEUES]; /* of transmit queues */
};

static struct igb_bench igb;

static inline enum iov_status fabric_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    igb.requester = req->requester;
    igb.pasid = req->pasid;
    return igb.memory->ops->read(igb.memory, req);
}

static inline enum iov_status fabric_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    igb.requester = req->requester;
    if (req->address >> 20 != 0xfee) {
        igb.pasid = req->pasid;
        return igb.memory->ops->write(igb.memory, req);
    }
    if (igb.message_count < G_N_ELEMENTS(igb.messages))
        igb.messages[igb.message_count] =
            (struct igb_message){ .address = req->address,
                                  .data = (uint32_t)iov_mem_value(req),
                                  .requester = req->requester,
                                  .pasid = req->pasid,
                                  .when = iov_now(igb.bench->run.kernel) + req->delay,
                                  .span = req->span };
    igb.message_count++;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops fabric_ops = { .read = fabric_read, .write = fabric_write };

static inline uint32_t reg(uint32_t offset)
{
    return (uint32_t)bench_read(igb.registers, offset, 4);
}

static inline void set(uint32_t offset, uint32_t value)
{
    bench_write(igb.registers, offset, 4, value);
}

static inline void run(void)
{
    iov_kernel_run(igb.bench->run.kernel);
}

static inline iov_time now(void)
{
    return iov_now(igb.bench->run.kernel);
}

static inline void run_for(iov_time duration)
{
    iov_kernel_run_until(igb.bench->run.kernel, now() + duration);
}

/* Made, but not started: properties may be set. */
static inline void igb_make_kind(const char *kind, const struct bench_cost *costs)
{
    igb = (struct igb_bench){ .bench = bench_new(costs) };
    igb.nic = bench_add(igb.bench, kind, "nic");
    igb.dram = bench_add(igb.bench, "dram", "dram");
    bench_number(igb.dram, "size", RAM);
    igb.fabric.ops = &fabric_ops;
}

static inline void igb_make(const struct bench_cost *costs)
{
    igb_make_kind("igb", costs);
}

static inline void igb_start(void)
{
    struct iov_mem_initiator *dma = iov_model_port(igb.nic, "dma", 0);

    bench_prepare(igb.bench);
    igb.memory = iov_model_port(igb.dram, "port", 0);
    dma->peer = &igb.fabric;
    bench_line_connect(igb.bench, &igb.line, igb.nic, "interrupt");
    bench_end_connect(igb.bench, &igb.end, igb.nic, "wire");
    bench_start(igb.bench);
    igb.registers = iov_model_port(igb.nic, "registers", 0);
    igb.msix = iov_model_port(igb.nic, "msix", 0);
}

static inline void igb_stop(void)
{
    bench_end_free(&igb.end);
    bench_free(igb.bench);
}

/* ---- A minimal driver ---- */

static inline void open_vector(struct iov_mem_target *table, unsigned vector, uint32_t data)
{
    bench_write(table, 16 * vector, 4, 0xfee00000);
    bench_write(table, 16 * vector + 4, 4, 0);
    bench_write(table, 16 * vector + 8, 4, data);
    bench_write(table, 16 * vector + 12, 4, 0);
}

/* Vector 0 for other causes, vector n + 1 for queue n of both directions, as Linux sets it up. */
static inline void open_interrupts(unsigned queues)
{
    set(IGB_GPIE, IGB_GPIE_MULTIPLE_MSIX | IGB_GPIE_PBA | IGB_GPIE_EIAME | IGB_GPIE_NSICR);
    set(IGB_IVAR_MISC, IGB_IVAR_VALID << 8);
    for (unsigned i = 0; i <= queues; i++)
        open_vector(igb.msix, i, 0x40 + i);
    for (unsigned i = 0; i < queues; i++)
        set(IGB_IVAR(i), (IGB_IVAR_VALID | (i + 1)) * 0x0101u);
    set(IGB_EIAC, (2u << queues) - 1);
    set(IGB_EIAM, (2u << queues) - 1);
    set(IGB_EIMS, (2u << queues) - 1);
    set(IGB_IMS, IGB_ICR_LSC);
}

static inline void open_transmit(unsigned queue)
{
    set(IGB_TX_REG(queue, IGB_QUEUE_DCTL), 0);
    set(IGB_TX_REG(queue, IGB_QUEUE_BAL), TX_RING + 0x1000 * queue);
    set(IGB_TX_REG(queue, IGB_QUEUE_LEN), RING_ENTRIES * 16);
    set(IGB_TX_REG(queue, IGB_QUEUE_HEAD), 0);
    set(IGB_TX_REG(queue, IGB_QUEUE_TAIL), 0);
    set(IGB_TX_REG(queue, IGB_QUEUE_DCTL), IGB_DCTL_ENABLE);
    set(IGB_TCTL, IGB_TCTL_EN | IGB_TCTL_PSP);
    igb.tails[queue] = 0;
}

static inline uint64_t rx_buffer(unsigned queue, unsigned index)
{
    return BUFFERS + 0x40000 * queue + 0x1000 * index;
}

static inline void open_receive(unsigned queue, uint32_t rctl)
{
    set(IGB_RX_REG(queue, IGB_QUEUE_DCTL), 0);
    for (unsigned i = 0; i < RING_ENTRIES; i++) {
        bench_write(igb.memory, RX_RING + 0x1000 * queue + 16 * i, 8, rx_buffer(queue, i));
        bench_write(igb.memory, RX_RING + 0x1000 * queue + 16 * i + 8, 8, 0);
    }
    set(IGB_RX_REG(queue, IGB_QUEUE_BAL), RX_RING + 0x1000 * queue);
    set(IGB_RX_REG(queue, IGB_QUEUE_LEN), RING_ENTRIES * 16);
    set(IGB_RX_REG(queue, IGB_QUEUE_SRRCTL),
        2 | IGB_SRRCTL_TYPE_ONE_BUFFER << IGB_SRRCTL_TYPE_SHIFT);
    set(IGB_RX_REG(queue, IGB_QUEUE_HEAD), 0);
    set(IGB_RX_REG(queue, IGB_QUEUE_DCTL), IGB_DCTL_ENABLE);
    set(IGB_RX_REG(queue, IGB_QUEUE_TAIL), RING_ENTRIES - 1);
    set(IGB_RCTL, rctl | IGB_RCTL_EN | IGB_RCTL_BAM | IGB_RCTL_SECRC);
    run();
}

static inline struct igb_rx_done received(unsigned queue, unsigned index)
{
    struct igb_rx_done done;
    uint64_t low = bench_read(igb.memory, RX_RING + 0x1000 * queue + 16 * index, 8);
    uint64_t high = bench_read(igb.memory, RX_RING + 0x1000 * queue + 16 * index + 8, 8);

    memcpy(&done, &low, 8);
    memcpy((uint8_t *)&done + 8, &high, 8);
    return done;
}

static inline void describe(unsigned queue, uint64_t address, uint32_t command, uint32_t status)
{
    uint64_t at = TX_RING + 0x1000 * queue + 16 * igb.tails[queue];

    bench_write(igb.memory, at, 8, address);
    bench_write(igb.memory, at + 8, 4, command);
    bench_write(igb.memory, at + 12, 4, status);
    igb.tails[queue] = (igb.tails[queue] + 1) % RING_ENTRIES;
}

/* A data descriptor of one frame. */
static inline void describe_frame(unsigned queue, uint64_t address, uint32_t size, uint32_t options)
{
    describe(queue, address,
             size | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_EOP | IGB_TXD_IFCS | IGB_TXD_RS,
             size << IGB_TXD_PAYLEN_SHIFT | options);
}

/* A context of an IPv4 frame. */
static inline void describe_context(unsigned queue, uint32_t command, uint32_t l4, uint32_t mss)
{
    uint64_t at = TX_RING + 0x1000 * queue + 16 * igb.tails[queue];

    bench_write(igb.memory, at, 8, IPV4_HEADER | ETHERNET_HEADER << IGB_TXC_MACLEN_SHIFT);
    bench_write(igb.memory, at + 8, 4,
                IGB_TXD_DEXT | IGB_TXD_TYPE_CONTEXT | IGB_TXC_IPV4 | command);
    bench_write(igb.memory, at + 12, 4, l4 << IGB_TXC_L4LEN_SHIFT | mss << IGB_TXC_MSS_SHIFT);
    igb.tails[queue] = (igb.tails[queue] + 1) % RING_ENTRIES;
}

static inline void ring(unsigned queue)
{
    set(IGB_TX_REG(queue, IGB_QUEUE_TAIL), igb.tails[queue]);
}

static inline void transmit(unsigned queue)
{
    ring(queue);
    run();
}

static inline uint32_t sent(unsigned queue, unsigned index)
{
    return (uint32_t)bench_read(igb.memory, TX_RING + 0x1000 * queue + 16 * index + 12, 4);
}

/* A frame for `address` of `size` bytes, 0x40 on the first byte after the header. */
static inline struct iov_packet *frame_to(const void *address, uint32_t size)
{
    struct iov_packet *packet = iov_packet_new(igb.end.pool, size);

    memset(packet->data, 0, size);
    memcpy(packet->data, address, 6);
    packet->data[6] = 0x02;
    for (uint32_t i = ETHERNET_HEADER; i < size; i++)
        packet->data[i] = (uint8_t)(0x40 + i - ETHERNET_HEADER);
    return packet;
}

static inline struct iov_packet *frame(uint32_t size)
{
    return frame_to("\x52\x54\x00\x12\x34\x56", size);
}

/* A frame whose request `span` follows. */
static inline struct iov_packet *followed(struct iov_packet *packet, struct iov_span *span)
{
    iov_span_begin(span, 1, "sender", iov_now(igb.bench->run.kernel));
    packet->span = span;
    return packet;
}

static inline void arrive(struct iov_packet *packet)
{
    iov_packet_send(&igb.end.port, packet);
}

static inline void receive(struct iov_packet *packet)
{
    arrive(packet);
    run();
}

/* An IPv4 frame with ports in place; sums are zero. */
static inline struct iov_packet *datagram(uint8_t protocol, uint32_t source, uint32_t destination,
                                          uint16_t from, uint16_t to, uint32_t size)
{
    struct iov_packet *packet = frame(size);
    uint8_t *ip = packet->data + ETHERNET_HEADER;
    uint16_t length = (uint16_t)(size - ETHERNET_HEADER);

    memset(ip, 0, length);
    packet->data[ETHERNET_TYPE] = 0x08;
    packet->data[ETHERNET_TYPE + 1] = 0x00;
    ip[0] = 0x45;
    ip[IPV4_LENGTH] = (uint8_t)(length >> 8);
    ip[IPV4_LENGTH + 1] = (uint8_t)length;
    ip[IPV4_TTL] = 64;
    ip[IPV4_PROTOCOL] = protocol;
    for (unsigned i = 0; i < 4; i++) {
        ip[IPV4_SOURCE + i] = (uint8_t)(source >> (24 - 8 * i));
        ip[IPV4_DESTINATION + i] = (uint8_t)(destination >> (24 - 8 * i));
    }
    ip[IPV4_HEADER] = (uint8_t)(from >> 8);
    ip[IPV4_HEADER + 1] = (uint8_t)from;
    ip[IPV4_HEADER + 2] = (uint8_t)(to >> 8);
    ip[IPV4_HEADER + 3] = (uint8_t)to;
    return packet;
}

static inline uint32_t sum_of(const uint8_t *data, uint32_t size)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < size; i++)
        total += i & 1 ? data[i] : (uint32_t)data[i] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

#endif
