/* SPDX-License-Identifier: Apache-2.0 */
/* The 82574L: its configuration space, its messages, its receive descriptors. What it shares with
 * the e1000 is tested there. */
#include <linux/pci_regs.h>

#include "models/nic/e1000-regs.h"
#include "tests/models/bench.h"

#define RX_RING 0x2000
#define BUFFERS 0x10000
#define MESSAGE 0xfee01000u
#define EVERYTHING (E1000_ICR_RXQ0 | E1000_ICR_TXQ0 | E1000_ICR_OTHER)

static struct bench *bench;
static IovModel *nic, *dram;
static struct iov_mem_target *registers, *memory, *msix, *config, fabric;
static struct bench_line line;
static struct bench_end end;
static uint32_t sent[16]; /* data of messages */
static unsigned sent_count;
static iov_time sent_at;

static enum iov_status fabric_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    return memory->ops->read(memory, req);
}

static enum iov_status fabric_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    if (req->address >> 20 != 0xfee)
        return memory->ops->write(memory, req);
    if (sent_count < G_N_ELEMENTS(sent))
        sent[sent_count++] = (uint32_t)iov_mem_value(req);
    sent_at = iov_now(bench->run.kernel);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops fabric_ops = { .read = fabric_read, .write = fabric_write };

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

static void setup(void)
{
    struct iov_mem_initiator *dma;

    bench = bench_new(NULL);
    nic = bench_add(bench, "e1000e", "nic");
    dram = bench_add(bench, "dram", "dram");
    bench_string(nic, "placement", "software");
    bench_string(nic, "mac", "52:54:00:12:34:59");
    bench_number(dram, "size", 1 << 20);
    bench_prepare(bench);
    memory = iov_model_port(dram, "port", 0);
    fabric = (struct iov_mem_target){ &fabric_ops, UINT64_C(1) << 32 };
    dma = iov_model_port(nic, "dma", 0);
    dma->peer = &fabric;
    bench_line_connect(bench, &line, nic, "interrupt");
    bench_end_connect(bench, &end, nic, "wire");
    bench_start(bench);
    registers = iov_model_port(nic, "registers", 0);
    msix = iov_model_port(nic, "msix", 0);
    config = iov_model_port(nic, "config", 0);
    sent_count = 0;
}

static void teardown(void)
{
    bench_end_free(&end);
    bench_free(bench);
}

TestSuite(e1000e, .init = setup, .fini = teardown);

/* ---- A minimal driver ---- */

static void open_vector(unsigned vector)
{
    bench_write(msix, 16 * vector, 8, MESSAGE);
    bench_write(msix, 16 * vector + 8, 4, 0x40 + vector);
    bench_write(msix, 16 * vector + 12, 4, 0);
}

/* As Linux sets it up: queues clear and mask themselves. */
static void open_vectors(void)
{
    for (unsigned i = 0; i < 3; i++)
        open_vector(i);
    set(E1000_IAM, UINT32_MAX);
    set(E1000_CTRL_EXT, E1000_CTRL_EXT_IAME | E1000_CTRL_EXT_EIAME | E1000_CTRL_EXT_PBA_CLR);
    set(E1000_IVAR, 0x800a0908);
    set(E1000_EIAC, E1000_ICR_RXQ0 | E1000_ICR_TXQ0);
    set(E1000_IMS, EVERYTHING);
}

static void open_receive(uint32_t rfctl)
{
    for (unsigned i = 0; i < 16; i++) {
        bench_write(memory, RX_RING + 16 * i, 8, BUFFERS + 0x1000 * i);
        bench_write(memory, RX_RING + 16 * i + 8, 8, 0);
    }
    set(E1000_RFCTL, rfctl);
    set(E1000_RDBAL, RX_RING);
    set(E1000_RDLEN, 256);
    set(E1000_RDT, 15);
    set(E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_UPE | E1000_RCTL_SECRC);
}

static void receive(void)
{
    static const uint8_t bytes[100] = { 0x52, 0x54, 0, 0x12, 0x34, 0x59 };

    iov_packet_send(&end.port, bench_end_frame(&end, bytes, sizeof bytes));
    run();
}

/* ---- Configuration space, EEPROM ---- */

Test(e1000e, has_the_identity_the_windows_and_the_serial_number_of_an_82574)
{
    static const struct {
        uint16_t bar;
        uint32_t mask;
    } bars[] = { { PCI_BASE_ADDRESS_0, 0xfffe0000 },
                 { PCI_BASE_ADDRESS_1, 0xfffe0000 },
                 { PCI_BASE_ADDRESS_2, 0xffffffe1 },
                 { PCI_BASE_ADDRESS_3, 0xffffc000 } };

    cr_assert(eq(u64, bench_read(config, PCI_VENDOR_ID, 4), 0x10d38086));
    for (unsigned i = 0; i < G_N_ELEMENTS(bars); i++) {
        bench_write(config, bars[i].bar, 4, UINT32_MAX);
        cr_assert(eq(u64, bench_read(config, bars[i].bar, 4), bars[i].mask));
    }
    cr_assert(eq(u64, bench_read(config, 0x140, 2), PCI_EXT_CAP_ID_DSN));
    cr_assert(eq(u64, bench_read(config, 0x144, 4), 0xff123459));
    cr_assert(eq(u64, bench_read(config, 0x148, 4), 0x525400ff));
}

Test(e1000e, tells_its_address_by_eerd_in_the_layout_of_its_own)
{
    set(E1000_EERD, 2u << E1000_82574_EERD_ADDRESS_SHIFT | E1000_EERD_START);
    cr_assert(eq(u32, reg(E1000_EERD) & E1000_82574_EERD_DONE, E1000_82574_EERD_DONE));
    cr_assert(eq(u32, reg(E1000_EERD) >> E1000_EERD_DATA_SHIFT, 0x5934));
    set(E1000_EERD, 0x3fffu << E1000_82574_EERD_ADDRESS_SHIFT | E1000_EERD_START);
    cr_assert(eq(u32, reg(E1000_EERD) >> E1000_EERD_DATA_SHIFT, 0));
}

/* ---- Receive descriptors ---- */

Test(e1000e, writes_extended_descriptors_if_asked_and_legacy_ones_otherwise)
{
    open_receive(E1000_RFCTL_EXTENDED);
    receive();
    cr_assert(eq(u64, bench_read(memory, RX_RING, 8), 0)); /* no RSS */
    cr_assert(eq(u64, bench_read(memory, RX_RING + 8, 4) & 3,
                 E1000_RXD_STATUS_DD | E1000_RXD_STATUS_EOP));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 12, 2), 100));
    open_receive(0);
    receive();
    cr_assert(eq(u64, bench_read(memory, RX_RING + 16, 8), BUFFERS + 0x1000));
    cr_assert(eq(u64, bench_read(memory, RX_RING + 24, 2), 100));
    cr_assert(
        eq(u64, bench_read(memory, RX_RING + 28, 1), E1000_RXD_STATUS_DD | E1000_RXD_STATUS_EOP));
}

/* ---- Interrupts ---- */

Test(e1000e, a_queue_sends_its_message_and_then_is_silent_until_it_is_unmasked)
{
    open_vectors();
    open_receive(E1000_RFCTL_EXTENDED);
    receive();
    receive();
    cr_assert(eq(uint, sent_count, 1));
    cr_assert(eq(u32, sent[0], 0x40));
    cr_assert(zero(u32, reg(E1000_IMS) & E1000_ICR_RXQ0));
    cr_assert(eq(u32, reg(E1000_IMS) & E1000_ICR_TXQ0, E1000_ICR_TXQ0));
    set(E1000_IMS, E1000_ICR_RXQ0); /* the second frame's cause is still there */
    cr_assert(eq(uint, sent_count, 2));
    set(E1000_IMS, E1000_ICR_RXQ0); /* and now it is not */
    cr_assert(eq(uint, sent_count, 2));
    cr_assert(eq(uint, line.rises, 0));
}

Test(e1000e, without_automatic_masking_a_queue_goes_on_sending)
{
    open_vectors();
    set(E1000_CTRL_EXT, 0);
    open_receive(E1000_RFCTL_EXTENDED);
    receive();
    receive();
    cr_assert(eq(uint, sent_count, 2));
}

Test(e1000e, causes_of_no_queue_share_a_vector_and_stay_until_they_are_read)
{
    open_vectors();
    set(E1000_ICS, E1000_ICR_LSC);
    cr_assert(eq(uint, sent_count, 1));
    cr_assert(eq(u32, sent[0], 0x42));
    cr_assert(eq(u32, reg(E1000_ICS), E1000_ICR_LSC | E1000_ICR_OTHER));
    set(E1000_IMS, E1000_ICR_OTHER); /* told already */
    cr_assert(eq(uint, sent_count, 1));
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_LSC | E1000_ICR_OTHER));
    cr_assert(zero(u32, reg(E1000_ICR)));
    set(E1000_ICS, E1000_ICR_LSC);
    cr_assert(eq(uint, sent_count, 2));
}

Test(e1000e, eitr_keeps_the_messages_of_its_vector_apart_and_no_others)
{
    iov_time begin;

    open_vectors();
    set(E1000_EITR(0), 1000);
    begin = iov_now(bench->run.kernel);
    set(E1000_ICS, E1000_ICR_RXQ0);
    set(E1000_IMS, EVERYTHING);
    set(E1000_ICS, E1000_ICR_RXQ0);
    set(E1000_ICS, E1000_ICR_TXQ0);
    cr_assert(eq(uint, sent_count, 2));
    cr_assert(eq(u32, sent[1], 0x41));
    run();
    cr_assert(eq(uint, sent_count, 3));
    cr_assert(eq(u64, sent_at, begin + 256 * IOV_US));
}

Test(e1000e, a_cause_without_a_valid_vector_is_kept)
{
    open_vectors();
    set(E1000_IVAR, 0x0000000f); /* vector 7 of five, and nothing else */
    set(E1000_ICS, E1000_ICR_RXQ0 | E1000_ICR_TXQ0);
    cr_assert(eq(uint, sent_count, 0));
    cr_assert(eq(u32, reg(E1000_ICS), E1000_ICR_RXQ0 | E1000_ICR_TXQ0));
    set(E1000_IVAR, 0x00000908);
    cr_assert(eq(uint, sent_count, 2));
}

Test(e1000e, a_masked_vector_waits_in_the_pending_bits)
{
    open_vectors();
    bench_write(msix, 12, 4, 1);
    set(E1000_ICS, E1000_ICR_RXQ0);
    cr_assert(eq(uint, sent_count, 0));
    cr_assert(eq(u64, bench_read(msix, E1000_82574_MSIX_PENDING, 8), 1));
    bench_write(msix, 12, 4, 0);
    cr_assert(eq(uint, sent_count, 1));
}

Test(e1000e, without_msix_the_line_tells_and_reading_takes_it_back)
{
    bench_write(config, 0xa2, 2, 0);
    set(E1000_IMS, E1000_ICR_LSC);
    set(E1000_ICS, E1000_ICR_LSC);
    cr_assert(line.level);
    cr_assert(eq(u32, reg(E1000_ICR), E1000_ICR_ASSERTED | E1000_ICR_OTHER | E1000_ICR_LSC));
    cr_assert(not(line.level));
    cr_assert(eq(uint, sent_count, 0));
}

Test(e1000e, with_msi_one_message_tells_of_all_causes)
{
    bench_write(config, 0xa2, 2, 0);
    bench_write(config, 0xd4, 4, MESSAGE);
    bench_write(config, 0xdc, 2, 0x55);
    bench_write(config, 0xd2, 2, PCI_MSI_FLAGS_ENABLE);
    set(E1000_IMS, E1000_ICR_LSC | E1000_ICR_TXDW);
    set(E1000_ICS, E1000_ICR_LSC);
    set(E1000_ICS, E1000_ICR_TXDW);
    cr_assert(eq(uint, sent_count, 1));
    cr_assert(eq(u32, sent[0], 0x55));
    reg(E1000_ICR);
    set(E1000_ICS, E1000_ICR_TXDW);
    cr_assert(eq(uint, sent_count, 2));
}
