/* SPDX-License-Identifier: Apache-2.0 */
/* The e1000 does what the 8254x manual says to a driver, a cable and memory. */
#include "core/net/ethernet-regs.h"
#include "core/pci/bus.h"
#include "models/nic/e1000-regs.h"
#include "tests/models/bench.h"

#define TX_RING 0x1000
#define RX_RING 0x2000
#define RING_ENTRIES 16
#define BUFFERS 0x10000

static const struct bench_cost costs[] = {
    { "dram-access", 100 * IOV_NS },
    { "e1000-processing", 300 * IOV_NS },
    { NULL, 0 },
};

static struct bench *bench;
static IovModel *nic, *dram;
static struct iov_mem_target *registers, *memory;
static struct bench_line line;
static struct bench_end end;
static uint32_t rdt, tdt;

static uint32_t reg(uint32_t offset)
{
    return (uint32_t)bench_read(registers, offset, 4);
}

static void set(uint32_t offset, uint32_t value)
{
    bench_write(registers, offset, 4, value);
}

static void run(void)
{
    iov_kernel_run(bench->run.kernel);
}

static void setup_with(const char *placement)
{
    bench = bench_new(costs);
    nic = bench_add(bench, "e1000", "nic");
    dram = bench_add(bench, "dram", "dram");
    bench_string(nic, "placement", placement);
    bench_number(dram, "size", 1 << 20);
    bench_prepare(bench);
    bench_wire(nic, "dma", dram, "port");
    bench_line_connect(bench, &line, nic, "interrupt");
    bench_end_connect(bench, &end, nic, "wire");
    bench_start(bench);
    registers = iov_model_port(nic, "registers", 0);
    memory = iov_model_port(dram, "port", 0);
    rdt = tdt = 0;
}

static void setup(void)
{
    setup_with("hardware");
}

static void setup_software(void)
{
    setup_with("software");
}

static void teardown(void)
{
    bench_end_free(&end);
    bench_free(bench);
}

/* ---- A minimal driver ---- */

static void open_transmit(void)
{
    set(E1000_TDBAL, TX_RING);
    set(E1000_TDLEN, RING_ENTRIES * 16);
    set(E1000_TDH, 0);
    set(E1000_TDT, 0);
    set(E1000_TCTL, E1000_TCTL_EN | E1000_TCTL_PSP);
    reg(E1000_ICR);
}

static void open_receive(uint32_t rctl)
{
    for (unsigned i = 0; i < RING_ENTRIES; i++) {
        bench_write(memory, RX_RING + 16 * i, 8, BUFFERS + 0x1000 * i);
        bench_write(memory, RX_RING + 16 * i + 8, 8, 0);
    }
    set(E1000_RDBAL, RX_RING);
    set(E1000_RDLEN, RING_ENTRIES * 16);
    set(E1000_RDH, 0);
    rdt = RING_ENTRIES - 1;
    set(E1000_RDT, rdt);
    set(E1000_RCTL, rctl | E1000_RCTL_EN | E1000_RCTL_BAM);
    run();
}

static void describe(uint64_t address, uint32_t lower, uint32_t upper)
{
    bench_write(memory, TX_RING + 16 * tdt, 8, address);
    bench_write(memory, TX_RING + 16 * tdt + 8, 4, lower);
    bench_write(memory, TX_RING + 16 * tdt + 12, 4, upper);
    tdt = (tdt + 1) % RING_ENTRIES;
}

static void transmit(void)
{
    set(E1000_TDT, tdt);
    run();
}

static uint64_t written_back(unsigned index)
{
    return bench_read(memory, TX_RING + 16 * index + 12, 1);
}

/* A frame for the device's own address with `size` bytes, 0x40 on the first byte after the
 * header. */
static struct iov_packet *frame(uint32_t size)
{
    static const uint8_t own[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
    struct iov_packet *packet = iov_packet_new(end.pool, size);

    memset(packet->data, 0, size);
    memcpy(packet->data, own, 6);
    packet->data[6] = 0x02;
    for (uint32_t i = ETHERNET_HEADER; i < size; i++)
        packet->data[i] = (uint8_t)(0x40 + i - ETHERNET_HEADER);
    return packet;
}

static void receive(struct iov_packet *packet)
{
    iov_packet_send(&end.port, packet);
    run();
}

static void memory_fill(uint64_t address, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        bench_write(memory, address + i, 1, i & 0xff);
}

static uint32_t sum(const uint8_t *data, uint32_t size)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < size; i++)
        total += i & 1 ? data[i] : (uint32_t)data[i] << 8;
    while (total >> 16)
        total = (total & 0xffff) + (total >> 16);
    return total;
}

/* ---- Registers ---- */

TestSuite(e1000, .init = setup, .fini = teardown);
TestSuite(e1000_software, .init = setup_software, .fini = teardown);

Test(e1000, after_reset_the_link_is_up_at_1000_full_duplex)
{
    cr_assert(eq(u32, reg(E1000_STATUS), E1000_STATUS_RESET));
    cr_assert(eq(u32, reg(E1000_CTRL), E1000_CTRL_RESET));
    cr_assert(eq(u32, reg(E1000_RAL), 0x12005452));
    cr_assert(eq(u32, reg(E1000_RAH), 0x80005634));
}

Test(e1000, every_offset_answers_every_size_without_harm)
{
    struct iov_mem_target *io = iov_model_port(nic, "io", 0);
    struct iov_mem_target *config = iov_model_port(nic, "config", 0);

    for (uint32_t offset = 0; offset < E1000_BAR_SIZE; offset++) {
        for (uint32_t size = 1; size <= 8; size *= 2) {
            bench_read(registers, offset, size);
            bench_write(registers, offset, size, UINT64_C(0xa5a5a5a55a5a5a5a) << (offset & 7));
        }
        if (offset % 4096 == 0)
            iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + IOV_MS);
    }
    for (uint32_t offset = 0; offset < 300; offset++) {
        for (uint32_t size = 1; size <= 8; size *= 2) {
            bench_write(io, offset, size, UINT64_MAX);
            bench_read(io, offset, size);
            bench_write(config, offset, size, UINT64_MAX);
            bench_read(config, offset, size);
        }
    }
    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + IOV_SEC);
}

Test(e1000, a_write_that_is_no_aligned_word_changes_nothing_and_is_counted)
{
    set(E1000_ITR, 0x1234);
    bench_write(registers, E1000_ITR, 1, 0xff);
    bench_write(registers, E1000_ITR + 2, 4, 0xffffffff);
    cr_assert(eq(u32, reg(E1000_ITR), 0x1234));
    cr_assert(eq(u64, bench_stat(nic, "guest-faults"), 2));
    cr_assert(eq(u64, bench->run.measure->counters.guest_faults, 2));
}

Test(e1000, partial_reads_see_their_bytes_of_the_word)
{
    cr_assert(eq(u64, bench_read(registers, E1000_RAL, 8), UINT64_C(0x8000563412005452)));
    cr_assert(eq(u64, bench_read(registers, E1000_RAL + 1, 2), 0x0054));
    cr_assert(eq(u64, bench_read(registers, E1000_RAL + 3, 1), 0x12));
    cr_assert(eq(u64, bench_read(registers, E1000_RAL + 3, 2), 0x3412));
}

Test(e1000, a_debug_read_does_not_clear_causes)
{
    uint32_t value = 0;
    struct iov_mem_req req = bench_req(E1000_ICR, &value, 4);

    set(E1000_ICS, E1000_ICR_LSC);
    req.flags = IOV_MEM_DEBUG;
    registers->ops->read(registers, &req);
    cr_assert(eq(u32, value, E1000_ICR_LSC));
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_LSC));
    cr_assert(eq(u32, reg(E1000_ICR), 0));
}

Test(e1000, the_io_window_reaches_the_registers)
{
    struct iov_mem_target *io = iov_model_port(nic, "io", 0);

    bench_write(io, E1000_IOADDR, 4, E1000_TIPG);
    bench_write(io, E1000_IODATA, 4, 0x00602008);
    cr_assert(eq(u64, bench_read(io, E1000_IODATA, 4), 0x00602008));
    cr_assert(eq(u32, reg(E1000_TIPG), 0x00602008));
    bench_write(io, E1000_IOADDR, 4, E1000_BAR_SIZE);
    cr_assert(eq(u64, bench_read(io, E1000_IODATA, 4), 0));
}

Test(e1000, a_device_reset_puts_registers_back_and_lowers_the_line)
{
    set(E1000_IMS, E1000_ICR_LSC);
    set(E1000_ICS, E1000_ICR_LSC);
    set(E1000_RCTL, E1000_RCTL_EN);
    cr_assert(line.level);
    set(E1000_CTRL, E1000_CTRL_RST);
    cr_assert(not(line.level));
    cr_assert(eq(u32, reg(E1000_RCTL), 0));
    cr_assert(eq(u32, reg(E1000_CTRL), E1000_CTRL_RESET));
}

Test(e1000, its_configuration_space_has_ids_and_bars_that_size)
{
    struct iov_mem_target *config = iov_model_port(nic, "config", 0);

    cr_assert(eq(u64, bench_read(config, 0, 4), 0x100e8086));
    cr_assert(eq(u64, bench_read(config, 8, 4), 0x02000003));
    cr_assert(eq(u64, bench_read(config, 0x10, 4), 0xfebc0000));
    cr_assert(eq(u64, bench_read(config, 0x14, 4), 0xc001));
    bench_write(config, 0x10, 4, 0xffffffff);
    bench_write(config, 0x14, 4, 0xffffffff);
    bench_write(config, 0x18, 4, 0xffffffff);
    cr_assert(eq(u64, bench_read(config, 0x10, 4), 0xfffe0000));
    cr_assert(eq(u64, bench_read(config, 0x14, 4), 0xffffffc1));
    cr_assert(eq(u64, bench_read(config, 0x18, 4), 0));
    cr_assert(eq(u64, bench_read(config, 0x2c, 4), 0x11001af4));
    bench_write(config, 0x30, 4, 0xffffffff);
    cr_assert(eq(u64, bench_read(config, 0x30, 4), 0xfffc0001));
    cr_assert(eq(u64, bench_read(config, 0x34, 4), 0));
    cr_assert(eq(u64, bench_read(config, 0x3c, 4), 0x100));
    bench_write(config, 0, 4, 0);
    cr_assert(eq(u64, bench_read(config, 0, 4), 0x100e8086));
}

/* ---- EEPROM and PHY ---- */

Test(e1000, the_eeprom_holds_the_address_and_sums_to_baba)
{
    uint16_t total = 0, words[64];

    for (uint32_t i = 0; i < 64; i++) {
        set(E1000_EERD, i << E1000_EERD_ADDRESS_SHIFT | E1000_EERD_START);
        cr_assert(ne(u32, reg(E1000_EERD) & E1000_EERD_DONE, 0));
        words[i] = (uint16_t)(reg(E1000_EERD) >> E1000_EERD_DATA_SHIFT);
        total = (uint16_t)(total + words[i]);
    }
    cr_assert(eq(u16, total, 0xbaba));
    cr_assert(eq(u16, words[0], 0x5452));
    cr_assert(eq(u16, words[1], 0x1200));
    cr_assert(eq(u16, words[2], 0x5634));
}

static uint32_t phy_read(uint32_t number)
{
    set(E1000_MDIC, E1000_MDIC_READ | E1000_PHY_ADDRESS << E1000_MDIC_PHY_SHIFT |
                        number << E1000_MDIC_REGISTER_SHIFT);
    cr_assert(ne(u32, reg(E1000_MDIC) & E1000_MDIC_READY, 0));
    return reg(E1000_MDIC) & E1000_MDIC_DATA;
}

static void phy_write(uint32_t number, uint32_t value)
{
    set(E1000_MDIC, E1000_MDIC_WRITE | E1000_PHY_ADDRESS << E1000_MDIC_PHY_SHIFT |
                        number << E1000_MDIC_REGISTER_SHIFT | value);
}

Test(e1000, the_phy_is_an_88e1000_with_link)
{
    cr_assert(eq(u32, phy_read(E1000_PHY_ID1), 0x0141));
    cr_assert(eq(u32, phy_read(E1000_PHY_ID2), 0x0c20));
    cr_assert(eq(u32, phy_read(E1000_PHY_STATUS), 0x796d));
    phy_write(E1000_PHY_ID1, 0xffff);
    cr_assert(eq(u32, phy_read(E1000_PHY_ID1), 0x0141));
    set(E1000_MDIC, E1000_MDIC_READ | 5u << E1000_MDIC_PHY_SHIFT);
    cr_assert(ne(u32, reg(E1000_MDIC) & E1000_MDIC_ERROR, 0));
}

Test(e1000, negotiation_takes_the_link_down_and_up_again_and_says_so)
{
    set(E1000_IMS, E1000_ICR_LSC);
    phy_write(E1000_PHY_CONTROL, 0x1340);
    cr_assert(eq(u32, reg(E1000_STATUS) & E1000_STATUS_LU, 0));
    cr_assert(eq(u32, phy_read(E1000_PHY_STATUS), 0x7949));
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_LSC));
    run();
    cr_assert(eq(u64, iov_now(bench->run.kernel), 500 * IOV_MS));
    cr_assert(ne(u32, reg(E1000_STATUS) & E1000_STATUS_LU, 0));
    cr_assert(eq(u32, phy_read(E1000_PHY_STATUS), 0x796d));
    cr_assert(line.level);
}

/* ---- Interrupts ---- */

Test(e1000, the_line_follows_causes_and_mask)
{
    set(E1000_ICS, E1000_ICR_RXDMT0);
    cr_assert(not(line.level));
    set(E1000_IMS, E1000_ICR_RXDMT0);
    cr_assert(line.level);
    set(E1000_IMC, UINT32_MAX);
    cr_assert(not(line.level));
    set(E1000_IMS, E1000_ICR_RXDMT0);
    cr_assert(line.level);
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_RXDMT0));
    cr_assert(not(line.level));
}

Test(e1000, itr_keeps_interrupts_apart)
{
    set(E1000_ITR, 195); /* 49.92 us */
    set(E1000_IMS, E1000_ICR_LSC);
    set(E1000_ICS, E1000_ICR_LSC);
    cr_assert(line.level);
    reg(E1000_ICR);
    iov_kernel_run_until(bench->run.kernel, 10 * IOV_US);
    set(E1000_ICS, E1000_ICR_LSC);
    cr_assert(not(line.level));
    run();
    cr_assert(line.level);
    cr_assert(eq(u64, line.last, 195 * 256 * IOV_NS));
    cr_assert(eq(u64, bench_stat(nic, "throttled"), 1));
}

Test(e1000, a_cause_that_goes_away_while_throttled_raises_nothing)
{
    set(E1000_ITR, 195);
    set(E1000_IMS, E1000_ICR_LSC);
    set(E1000_ICS, E1000_ICR_LSC);
    reg(E1000_ICR);
    set(E1000_ICS, E1000_ICR_LSC);
    reg(E1000_ICR);
    run();
    cr_assert(eq(uint, line.rises, 1));
}

/* ---- Transmit ---- */

Test(e1000, a_frame_leaves_with_its_bytes_and_is_written_back)
{
    open_transmit();
    memory_fill(BUFFERS, 100);
    describe(BUFFERS, 100 | E1000_TXD_EOP | E1000_TXD_IFCS | E1000_TXD_RS, 0);
    transmit();
    cr_assert(eq(u32, end.queue.count, 1));
    cr_assert(eq(u32, end.queue.first->size, 100));
    for (unsigned i = 0; i < 100; i++)
        cr_assert(eq(u8, end.queue.first->data[i], i));
    cr_assert(eq(u64, written_back(0), E1000_TXD_STATUS_DD));
    cr_assert(eq(u32, reg(E1000_TDH), 1));
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_TXDW | E1000_ICR_TXQE));
}

Test(e1000, as_hardware_it_takes_the_time_of_fetch_work_and_read)
{
    open_transmit();
    describe(BUFFERS, 100 | E1000_TXD_EOP, 0);
    transmit();
    cr_assert(eq(u64, end.last, 100 * IOV_NS + 300 * IOV_NS + 100 * IOV_NS));
}

Test(e1000, a_doorbell_that_arrives_later_starts_later)
{
    uint32_t value = 1;
    struct iov_mem_req req = bench_req(E1000_TDT, &value, 4);

    open_transmit();
    describe(BUFFERS, 100 | E1000_TXD_EOP, 0);
    req.delay = 200 * IOV_NS;
    registers->ops->write(registers, &req);
    run();
    cr_assert(eq(u64, end.last, 700 * IOV_NS));
}

Test(e1000_software, as_software_everything_happens_in_the_same_instant)
{
    set(E1000_TIDV, 8);
    set(E1000_IMS, E1000_ICR_TXDW);
    open_transmit();
    describe(BUFFERS, 100 | E1000_TXD_EOP | E1000_TXD_RS | E1000_TXD_IDE, 0);
    transmit();
    /* Memory's own time is the bench's: an emulator's port takes none. */
    cr_assert(eq(u64, line.last, 300 * IOV_NS - 100 * IOV_NS));
    cr_assert(eq(u32, end.queue.count, 1));
}

Test(e1000, frames_of_several_descriptors_are_put_together)
{
    open_transmit();
    memory_fill(BUFFERS, 200);
    describe(BUFFERS, 14, 0);
    describe(BUFFERS + 14, 100, 0);
    describe(BUFFERS + 114, 86 | E1000_TXD_EOP | E1000_TXD_RS, 0);
    transmit();
    cr_assert(eq(u32, end.queue.count, 1));
    cr_assert(eq(u32, end.queue.first->size, 200));
    cr_assert(eq(u8, end.queue.first->data[199], 199));
    cr_assert(eq(u64, written_back(0), 0));
    cr_assert(eq(u64, written_back(2), 1));
}

Test(e1000, short_frames_are_padded)
{
    open_transmit();
    describe(BUFFERS, 42 | E1000_TXD_EOP, 0);
    transmit();
    cr_assert(eq(u32, end.queue.first->size, 60));
}

Test(e1000, the_next_frame_waits_until_the_wire_is_free)
{
    open_transmit();
    end.busy = 10 * IOV_US;
    describe(BUFFERS, 100 | E1000_TXD_EOP, 0);
    describe(BUFFERS, 100 | E1000_TXD_EOP, 0);
    transmit();
    cr_assert(eq(u64, end.last, 500 * IOV_NS + 10 * IOV_US));
}

Test(e1000, tidv_holds_txdw_back_and_tadv_limits_it)
{
    open_transmit();
    set(E1000_IMS, E1000_ICR_TXDW);
    set(E1000_TIDV, 8);
    describe(BUFFERS, 100 | E1000_TXD_EOP | E1000_TXD_RS | E1000_TXD_IDE, 0);
    transmit();
    cr_assert(eq(u64, line.last, 500 * IOV_NS + 8 * 1024 * IOV_NS));
}

Test(e1000, checksums_are_inserted_where_the_context_says)
{
    struct e1000_context_descriptor context = { .ipcss = 14,
                                                .ipcso = 14 + IPV4_CHECKSUM,
                                                .ipcse = 33,
                                                .tucss = 34,
                                                .tucso = 34 + UDP_CHECKSUM,
                                                .lower = E1000_TXD_DEXT | E1000_TXD_TYPE_CONTEXT };
    struct iov_mem_req req = bench_req(TX_RING, &context, sizeof context);
    const uint8_t *data;

    open_transmit();
    memory_fill(BUFFERS, 90);
    bench_write(memory, BUFFERS + 14 + IPV4_CHECKSUM, 2, 0);
    bench_write(memory, BUFFERS + 34 + UDP_CHECKSUM, 2, 0);
    memory->ops->write(memory, &req);
    tdt = 1;
    describe(BUFFERS, 90 | E1000_TXD_DEXT | E1000_TXD_TYPE_DATA | E1000_TXD_EOP,
             E1000_TXD_POPTS_IXSM | E1000_TXD_POPTS_TXSM);
    transmit();
    cr_assert(eq(u32, end.queue.count, 1));
    data = end.queue.first->data;
    cr_assert(eq(u32, sum(data + 14, 20), 0xffff));
    cr_assert(eq(u32, sum(data + 34, 56), 0xffff));
}

/* One segmented frame: 54 bytes of headers and `payload` bytes, segments of 100. */
static void transmit_segments(uint32_t payload)
{
    struct e1000_context_descriptor context = { .ipcss = 14,
                                                .ipcso = 24,
                                                .ipcse = 33,
                                                .tucss = 34,
                                                .tucso = 50,
                                                .header_length = 54,
                                                .mss = 100,
                                                .lower = E1000_TXD_DEXT | E1000_TXD_CONTEXT_TSE |
                                                         E1000_TXD_CONTEXT_IP |
                                                         E1000_TXD_CONTEXT_TCP | payload };
    struct iov_mem_req req = bench_req(TX_RING, &context, sizeof context);
    uint32_t pseudo;
    uint8_t addresses[12] = { 10, 0, 0, 1, 10, 0, 0, 2, 0, IPV4_PROTOCOL_TCP, 0, 0 };

    memory_fill(BUFFERS, 54 + payload);
    bench_write(memory, BUFFERS + 14, 1, 0x45);
    bench_write(memory, BUFFERS + 14 + IPV4_ID, 2, 0xff00); /* 0x00ff */
    bench_write(memory, BUFFERS + 14 + IPV4_CHECKSUM, 2, 0);
    req.data = addresses;
    req.size = 8;
    req.address = BUFFERS + 14 + IPV4_SOURCE;
    memory->ops->write(memory, &req);
    bench_write(memory, BUFFERS + 34 + TCP_SEQUENCE, 4, 0xf0ffffff); /* 0xfffffff0 */
    bench_write(memory, BUFFERS + 34 + TCP_FLAGS, 1, TCP_FLAG_ACK | TCP_FLAG_PSH);
    pseudo = sum(addresses, sizeof addresses);
    bench_write(memory, BUFFERS + 34 + TCP_CHECKSUM, 1, pseudo >> 8);
    bench_write(memory, BUFFERS + 34 + TCP_CHECKSUM + 1, 1, pseudo & 0xff);
    req = bench_req(TX_RING, &context, sizeof context);
    memory->ops->write(memory, &req);
    tdt = 1;
    describe(BUFFERS, 54 | E1000_TXD_DEXT | E1000_TXD_TYPE_DATA | E1000_TXD_TSE,
             E1000_TXD_POPTS_IXSM | E1000_TXD_POPTS_TXSM);
    describe(BUFFERS + 54,
             payload | E1000_TXD_DEXT | E1000_TXD_TYPE_DATA | E1000_TXD_TSE | E1000_TXD_EOP |
                 E1000_TXD_RS,
             E1000_TXD_POPTS_IXSM | E1000_TXD_POPTS_TXSM);
    transmit();
}

Test(e1000, segmentation_cuts_the_payload_and_makes_the_headers_of_each_segment)
{
    const struct iov_packet *packet;
    uint32_t sizes[3] = { 154, 154, 104 }, seen = 0;

    open_transmit();
    transmit_segments(250);
    cr_assert(eq(u32, end.queue.count, 3));
    for (packet = end.queue.first; packet != NULL; packet = packet->next, seen++) {
        const uint8_t *data = packet->data;
        uint32_t transport = packet->size - 34;
        uint8_t pseudo[12] = {
            10, 0, 0, 1, 10, 0, 0, 2, 0, IPV4_PROTOCOL_TCP, 0, (uint8_t)transport
        };
        uint32_t sequence = (uint32_t)data[38] << 24 | (uint32_t)data[39] << 16 |
                            (uint32_t)data[40] << 8 | data[41];

        cr_assert(eq(u32, packet->size, sizes[seen]));
        cr_assert(eq(uint, data[16] << 8 | data[17], packet->size - 14));
        cr_assert(eq(uint, data[18] << 8 | data[19], 0xff + seen));
        cr_assert(eq(u32, sequence, 0xfffffff0u + 100 * seen));
        cr_assert(eq(u32, data[34 + TCP_FLAGS] & TCP_FLAG_PSH, seen == 2 ? TCP_FLAG_PSH : 0));
        cr_assert(eq(u32, sum(data + 14, 20), 0xffff));
        cr_assert(eq(u32,
                     sum(pseudo, 12) + sum(data + 34, transport) > 0xffff
                         ? (sum(pseudo, 12) + sum(data + 34, transport)) - 0xffff
                         : sum(pseudo, 12) + sum(data + 34, transport),
                     0xffff));
        cr_assert(eq(u8, data[54], (uint8_t)(54 + 100 * seen)));
    }
    cr_assert(eq(u32, reg(E1000_TSCTC), 1));
}

Test(e1000, a_payload_of_whole_segments_sends_no_empty_one)
{
    open_transmit();
    transmit_segments(200);
    cr_assert(eq(u32, end.queue.count, 2));
    cr_assert(eq(u64, written_back(2), 1));
}

Test(e1000, an_empty_last_descriptor_after_whole_segments_sends_no_empty_one)
{
    open_transmit();
    transmit_segments(200);
    describe(BUFFERS, 254 | E1000_TXD_DEXT | E1000_TXD_TYPE_DATA | E1000_TXD_TSE, 0);
    describe(
        BUFFERS,
        0 | E1000_TXD_DEXT | E1000_TXD_TYPE_DATA | E1000_TXD_TSE | E1000_TXD_EOP | E1000_TXD_RS, 0);
    transmit();
    cr_assert(eq(u32, end.queue.count, 4));
    cr_assert(eq(u64, written_back(4), 1));
}

Test(e1000, broken_rings_and_descriptors_are_counted_and_stop_nothing)
{
    open_transmit();
    set(E1000_TDT, 5000);
    run();
    cr_assert(eq(u64, bench_stat(nic, "guest-faults"), 1));
    set(E1000_TDH, 0);
    tdt = 0;
    describe(UINT64_C(1) << 60, 100 | E1000_TXD_EOP | E1000_TXD_RS, 0); /* no memory there */
    describe(BUFFERS, 16200 | E1000_TXD_RS, 0);                         /* too long with the next */
    describe(BUFFERS, 16200 | E1000_TXD_EOP | E1000_TXD_RS, 0);
    describe(BUFFERS, 5 | E1000_TXD_EOP | E1000_TXD_RS, 0); /* shorter than a header */
    describe(BUFFERS, 100 | E1000_TXD_DEXT | E1000_TXD_TYPE_DATA | E1000_TXD_TSE | E1000_TXD_EOP,
             0); /* no context */
    describe(BUFFERS, 64 | E1000_TXD_EOP | E1000_TXD_RS, 0);
    transmit();
    cr_assert(eq(u32, end.queue.count, 1));
    cr_assert(eq(u32, end.queue.first->size, 64));
    cr_assert(eq(u64, bench_stat(nic, "guest-faults"), 5));
    cr_assert(eq(u64, bench_stat(nic, "frames-dropped"), 4));
    cr_assert(eq(u64, bench->run.measure->counters.drops, 4));
    set(E1000_TDBAH, 0xffffffff);
    describe(BUFFERS, 64 | E1000_TXD_EOP | E1000_TXD_RS, 0);
    transmit();
    cr_assert(eq(u64, bench_stat(nic, "guest-faults"), 6));
}

Test(e1000, a_function_that_may_not_master_the_bus_reads_nothing)
{
    bench_write(iov_model_port(nic, "config", 0), 4, 2, 0x0003);
    open_transmit();
    describe(BUFFERS, 100 | E1000_TXD_EOP, 0);
    transmit();
    cr_assert(eq(u32, end.queue.count, 0));
}

/* A card of its own: the one on the bench sits in an emulator. */
Test(e1000, in_a_slot_it_begins_as_after_power_on_and_is_decoded_where_software_puts_it)
{
    struct bench *board = bench_new(NULL);
    IovModel *host = bench_add(board, "pci-host", "host");
    IovModel *card = bench_add(board, "e1000", "card");
    struct iov_mem_target *ecam, *window;

    bench_prepare(board);
    bench_wire_at(host, "slots", card, "pci", 0x20);
    bench_start(board);
    ecam = iov_model_port(host, "ecam", 0);
    window = iov_model_port(host, "memory", 0);
    cr_assert(eq(u64, bench_read(ecam, 0x20004, 4), 0));
    cr_assert(eq(u64, bench_read(ecam, 0x20010, 4), 0));
    bench_write(ecam, 0x20010, 4, 0xfeb80000);
    bench_write(ecam, 0x20004, 2, 7);
    cr_assert(eq(u64, bench_read(window, 0xfeb80000 + E1000_RAL, 4), 0x12005452));
    bench_write(window, 0xfeb80000 + E1000_IMS, 4, 1 << 2);
    bench_write(window, 0xfeb80000 + E1000_ICS, 4, 1 << 2);
    cr_assert(eq(u64, bench_read(ecam, 0x20006, 2), 8)); /* interrupt status */
    iov_pci_bus_reset(iov_model_port(host, "slots", 0), IOV_PCI_RESET_BUS);
    cr_assert(eq(u64, bench_read(ecam, 0x20004, 4), 0));
    bench_free(board);
}

Test(e1000, a_tag_is_inserted_and_stripped)
{
    struct iov_packet *packet;

    set(E1000_CTRL, E1000_CTRL_RESET | E1000_CTRL_VME);
    set(E1000_VET, ETHERNET_TYPE_VLAN);
    open_transmit();
    open_receive(0);
    memory_fill(BUFFERS + 0x800, 100);
    describe(BUFFERS + 0x800, 100 | E1000_TXD_EOP | E1000_TXD_VLE,
             0x0123u << E1000_TXD_SPECIAL_SHIFT);
    transmit();
    packet = iov_packet_queue_pop(&end.queue);
    cr_assert(eq(u32, packet->size, 104));
    cr_assert(eq(uint, packet->data[12], 0x81));
    cr_assert(eq(uint, packet->data[15], 0x23));
    memcpy(packet->data, "\x52\x54\x00\x12\x34\x56", 6);
    receive(packet);
    cr_assert(eq(u64, bench_read(memory, RX_RING + 8, 2), 104));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 12, 1),
                 E1000_RXD_STATUS_DD | E1000_RXD_STATUS_EOP | E1000_RXD_STATUS_VP));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 14, 2), 0x0123));
}

/* ---- Receive ---- */

Test(e1000, a_frame_is_stored_and_announced)
{
    open_receive(0);
    set(E1000_IMS, E1000_ICR_RXT0);
    receive(frame(100));
    cr_assert(eq(u64, bench_read(memory, BUFFERS, 4), 0x12005452));
    cr_assert(eq(u64, bench_read(memory, BUFFERS + 14, 4), 0x43424140));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 8, 2), 104), "the length counts the FCS");
    cr_assert(
        eq(u64, bench_read(memory, RX_RING + 12, 1), E1000_RXD_STATUS_DD | E1000_RXD_STATUS_EOP));
    cr_assert(eq(u32, reg(E1000_RDH), 1));
    cr_assert(line.level);
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_RXT0));
}

Test(e1000, strip_crc_leaves_the_fcs_out)
{
    open_receive(E1000_RCTL_SECRC);
    receive(frame(100));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 8, 2), 100));
}

Test(e1000, a_frame_longer_than_a_buffer_takes_several)
{
    open_receive(3u << E1000_RCTL_BSIZE_SHIFT); /* 256 bytes */
    receive(frame(600));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 8, 2), 256));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 12, 1), E1000_RXD_STATUS_DD));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 40, 2), 92));
    cr_assert(
        eq(u64, bench_read(memory, RX_RING + 44, 1), E1000_RXD_STATUS_DD | E1000_RXD_STATUS_EOP));
    cr_assert(eq(u64, bench_read(memory, BUFFERS + 0x2000, 1), (0x40 + 512 - 14) & 0xff));
}

Test(e1000, frames_wait_for_descriptors_and_overflow_is_counted)
{
    open_receive(0);
    for (unsigned i = 0; i < 100; i++)
        receive(frame(1514));
    cr_assert(eq(u32, reg(E1000_RDH), 15));
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 15));
    cr_assert(eq(u32, reg(E1000_MPC), 100 - 15 - 48 * 1024 / 1518));
    cr_assert(ne(u32, reg(E1000_ICR) & E1000_ICR_RXO, 0));
    cr_assert(lt(u32, 0, reg(E1000_RNBC)));
    set(E1000_RDT, 4);
    run();
    cr_assert(eq(u32, reg(E1000_RDH), 4));
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 20));
}

Test(e1000, it_has_room_while_it_receives_and_has_a_descriptor)
{
    cr_assert(not(iov_packet_ready(&end.port)));
    open_receive(0);
    cr_assert(iov_packet_ready(&end.port));
    for (unsigned i = 0; i < RING_ENTRIES - 1; i++)
        receive(frame(100));
    cr_assert(not(iov_packet_ready(&end.port)));
    set(E1000_RDT, 0);
    cr_assert(iov_packet_ready(&end.port));
    set(E1000_RCTL, 0);
    cr_assert(not(iov_packet_ready(&end.port)));
}

Test(e1000, rxdmt0_is_raised_once_when_half_of_the_ring_is_used)
{
    open_receive(0);
    for (unsigned i = 0; i < 6; i++)
        receive(frame(100));
    cr_assert(eq(u32, reg(E1000_ICR) & E1000_ICR_RXDMT0, 0));
    receive(frame(100));
    cr_assert(ne(u32, reg(E1000_ICR) & E1000_ICR_RXDMT0, 0));
    receive(frame(100));
    cr_assert(eq(u32, reg(E1000_ICR) & E1000_ICR_RXDMT0, 0));
}

Test(e1000, filters_let_own_broadcast_and_chosen_addresses_in)
{
    struct {
        const char *address;
        uint32_t rctl;
        bool taken;
    } cases[] = {
        { "\x52\x54\x00\x12\x34\x56", 0, true },
        { "\x52\x54\x00\x12\x34\x57", 0, false },
        { "\x52\x54\x00\x12\x34\x57", E1000_RCTL_UPE, true },
        { "\xff\xff\xff\xff\xff\xff", 0, true },
        { "\x01\x00\x5e\x00\x00\x01", 0, false },
        { "\x01\x00\x5e\x00\x00\x01", E1000_RCTL_MPE, true },
        { "\x33\x33\x00\x00\x00\xfb", 0, true }, /* hashed below */
    };
    uint32_t hash = (0xfb00 >> 4) & 0xfff;

    open_receive(0);
    set(E1000_MTA + 4 * (hash >> 5), 1u << (hash & 31));
    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t before = bench_stat(nic, "frames-received");
        struct iov_packet *packet = frame(64);

        memcpy(packet->data, cases[i].address, 6);
        set(E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_BAM | cases[i].rctl);
        receive(packet);
        cr_assert(eq(u64, bench_stat(nic, "frames-received") - before, cases[i].taken), "case %u",
                  i);
    }
}

Test(e1000, the_vlan_filter_lets_chosen_tags_in)
{
    open_receive(E1000_RCTL_VFE);
    set(E1000_VET, ETHERNET_TYPE_VLAN);
    set(E1000_VFTA + 4 * (0x123 >> 5), 1u << (0x123 & 31));
    for (unsigned id = 0x122; id <= 0x123; id++) {
        struct iov_packet *packet = frame(64);

        memcpy(packet->data + 12, "\x81\x00\x01", 3);
        packet->data[15] = (uint8_t)id;
        receive(packet);
    }
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 1));
    cr_assert(eq(u64, bench_stat(nic, "frames-filtered"), 1));
}

/* A frame whose request `span` follows. */
static struct iov_packet *followed(struct iov_packet *packet, struct iov_span *span)
{
    iov_span_begin(span, 1, "sender", iov_now(bench->run.kernel));
    packet->span = span;
    return packet;
}

Test(e1000, a_frame_that_is_filtered_or_lost_lets_go_of_its_request)
{
    struct iov_packet *other = frame(64);
    struct iov_span span;

    open_receive(0);
    other->data[5] ^= 1;
    receive(followed(other, &span));
    cr_assert(eq(u64, bench_stat(nic, "frames-filtered"), 1));
    cr_assert(span.holder == NULL);
    set(E1000_RDT, reg(E1000_RDH)); /* no buffers */
    while (bench_stat(nic, "frames-dropped") == 0)
        receive(followed(frame(1500), &span));
    cr_assert(span.holder == NULL);
}

Test(e1000, oversize_frames_need_lpe)
{
    open_receive(0);
    receive(frame(1600));
    cr_assert(eq(u32, reg(E1000_ROC), 1));
    set(E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_BAM | E1000_RCTL_LPE);
    receive(frame(1600));
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 1));
}

Test(e1000, lengths_that_cannot_be_are_counted_and_a_full_tagged_frame_is_none)
{
    struct iov_packet *stump = frame(60);

    open_receive(0);
    stump->size = 13;
    receive(stump);
    cr_assert(eq(u32, reg(E1000_RLEC), 1));
    cr_assert(eq(u32, reg(E1000_RUC), 1));
    receive(frame(1518)); /* with a tag and without FCS */
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 1));
    receive(frame(1519));
    cr_assert(eq(u32, reg(E1000_RLEC), 1));
    cr_assert(eq(u32, reg(E1000_ROC), 1));
    cr_assert(eq(u64, bench_stat(nic, "frames-dropped"), 2));
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 1));
}

Test(e1000, without_link_or_receiver_frames_are_lost)
{
    receive(frame(100));
    cr_assert(eq(u64, bench_stat(nic, "frames-dropped"), 1));
}

Test(e1000, rdtr_gathers_frames_and_radv_limits_the_wait)
{
    iov_time begin;

    open_receive(0);
    set(E1000_IMS, E1000_ICR_RXT0);
    set(E1000_RDTR, 10);
    set(E1000_RADV, 15);
    begin = iov_now(bench->run.kernel);
    iov_packet_send(&end.port, frame(100));
    iov_kernel_run_until(bench->run.kernel, begin + 8 * IOV_US);
    iov_packet_send(&end.port, frame(100));
    run();
    cr_assert(eq(uint, line.rises, 1));
    cr_assert(eq(u64, line.last, begin + 300 * IOV_NS + 15 * 1024 * IOV_NS),
              "the absolute timer, from the first frame");
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 2));
}

Test(e1000, an_announced_frame_is_not_announced_again_by_the_other_timer)
{
    open_receive(0);
    set(E1000_IMS, E1000_ICR_RXT0);
    set(E1000_RDTR, 10);
    set(E1000_RADV, 15);
    iov_packet_send(&end.port, frame(100));
    iov_kernel_run_until(bench->run.kernel, iov_now(bench->run.kernel) + 12 * IOV_US);
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_RXT0));
    run();
    cr_assert(eq(u32, reg(E1000_ICR), 0));
}

Test(e1000, receive_checksums_are_reported)
{
    struct iov_packet *good = frame(60), *bad;
    uint8_t ip[28] = { 0x45, 0, 0,  28, 0, 0, 0,  0, 64, IPV4_PROTOCOL_UDP,
                       0,    0, 10, 0,  0, 1, 10, 0, 0,  2,
                       0,    7, 0,  7,  0, 8, 0,  0 };
    uint32_t folded = sum(ip, 20);

    ip[10] = (uint8_t)(~folded >> 8);
    ip[11] = (uint8_t)~folded;
    folded = sum(ip + 12, 16) + IPV4_PROTOCOL_UDP + 8;
    ip[26] = (uint8_t)(~folded >> 8);
    ip[27] = (uint8_t)~folded;
    memcpy(good->data + 12, "\x08\x00", 2);
    memcpy(good->data + 14, ip, sizeof ip);
    bad = bench_end_frame(&end, good->data, 60);
    bad->data[14 + 25] ^= 1;
    open_receive(0);
    set(E1000_RXCSUM, E1000_RXCSUM_IPOFL | E1000_RXCSUM_TUOFL);
    receive(good);
    receive(bad);
    cr_assert(eq(u64, bench_read(memory, RX_RING + 12, 2),
                 E1000_RXD_STATUS_DD | E1000_RXD_STATUS_EOP | E1000_RXD_STATUS_IPCS |
                     E1000_RXD_STATUS_TCPCS));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 28 + 1, 1), E1000_RXD_ERROR_TCPE));
}

Test(e1000, receive_rings_out_of_bounds_are_counted)
{
    open_receive(0);
    set(E1000_RDH, 999);
    receive(frame(100));
    cr_assert(eq(u64, bench_stat(nic, "guest-faults"), 1));
    cr_assert(eq(u64, bench_stat(nic, "frames-received"), 0));
}

/* ---- Statistics, spans ---- */

Test(e1000, statistics_count_and_clear_when_read)
{
    open_transmit();
    open_receive(0);
    describe(BUFFERS + 0x800, 100 | E1000_TXD_EOP, 0);
    transmit();
    receive(frame(60));
    cr_assert(eq(u32, reg(E1000_GPTC), 1));
    cr_assert(eq(u32, reg(E1000_GPTC), 0));
    cr_assert(eq(u32, reg(E1000_PTC127), 1));
    cr_assert(eq(u32, reg(E1000_GOTCL), 104));
    cr_assert(eq(u32, reg(E1000_GOTCL), 104), "the lower half stays");
    cr_assert(eq(u32, reg(E1000_GOTCH), 0));
    cr_assert(eq(u32, reg(E1000_GOTCL), 0), "until the upper one is read");
    cr_assert(eq(u32, reg(E1000_GPRC), 1));
    cr_assert(eq(u32, reg(E1000_PRC64), 1));
    cr_assert(eq(u32, reg(E1000_TORL), 64));
}

Test(e1000, a_span_goes_from_the_buffer_to_the_frame_and_its_parts_add_up)
{
    struct iov_span span;
    uint8_t bytes[100] = { 0 };
    struct iov_mem_req req = bench_req(BUFFERS, bytes, sizeof bytes);
    iov_time total = 0;

    iov_span_begin(&span, 1, &bench, 0);
    req.flags = IOV_MEM_PAYLOAD;
    req.span = &span;
    memory->ops->write(memory, &req);
    open_transmit();
    describe(BUFFERS, 100 | E1000_TXD_EOP, 0);
    transmit();
    cr_assert(eq(ptr, end.queue.first->span, &span));
    cr_assert(iov_span_held(&span, nic));
    for (unsigned i = 0; i < IOV_PART_COUNT; i++)
        total += span.parts[i];
    cr_assert(eq(u64, total, 500 * IOV_NS));
    cr_assert(eq(u64, span.cursor, end.last));
    cr_assert(eq(u64, span.parts[IOV_PART_PCIE], 200 * IOV_NS));
    cr_assert(eq(u64, span.parts[IOV_PART_DEVICE], 300 * IOV_NS));
}

Test(e1000, the_interrupt_announces_the_newest_frames_span_and_memory_carries_it)
{
    struct iov_span span;
    struct iov_packet *packet = frame(100);
    uint8_t bytes[100];
    struct iov_mem_req req = bench_req(BUFFERS, bytes, sizeof bytes);

    open_receive(0);
    set(E1000_IMS, E1000_ICR_RXT0);
    iov_span_begin(&span, 1, &bench, iov_now(bench->run.kernel));
    packet->span = &span;
    receive(packet);
    cr_assert(eq(ptr, line.span, &span));
    req.flags = IOV_MEM_PAYLOAD;
    memory->ops->read(memory, &req);
    cr_assert(eq(ptr, req.span, &span));
    cr_assert(eq(u64, span.parts[IOV_PART_DEVICE], 300 * IOV_NS));
}
