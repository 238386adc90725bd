/* SPDX-License-Identifier: Apache-2.0 */
/* The igb does what the 82576's data sheet says to a driver, a cable and memory. */
#include "tests/models/nic/igb-bench.h"

static void setup(void)
{
    igb_make(igb_costs);
    igb_start();
}

TestSuite(igb, .init = setup, .fini = igb_stop);

/* ---- Registers ---- */

Test(igb, after_reset_the_link_is_up_at_1000_full_duplex_and_it_may_master_the_bus)
{
    cr_assert(
        eq(u32, reg(IGB_STATUS) & 0xc3, IGB_STATUS_FD | IGB_STATUS_LU | IGB_STATUS_SPEED_1000));
    cr_assert(ne(u32, reg(IGB_STATUS) & IGB_STATUS_MASTER, 0));
    cr_assert(eq(u32, reg(IGB_RAL(0)), 0x12005452));
    cr_assert(eq(u32, reg(IGB_RAH(0)), 0x80005634));
}

Test(igb, every_offset_answers_every_size_without_harm)
{
    struct iov_mem_target *io = iov_model_port(igb.nic, "io", 0);
    struct iov_mem_target *config = iov_model_port(igb.nic, "config", 0);

    for (uint32_t offset = 0; offset < IGB_BAR_SIZE; offset++) {
        for (uint32_t size = 1; size <= 8; size *= 2) {
            bench_read(igb.registers, offset, size);
            bench_write(igb.registers, offset, size, UINT64_C(0xa5a5a5a55a5a5a5a) << (offset & 7));
        }
        if (offset % 4096 == 0)
            run_for(IOV_MS);
    }
    for (uint32_t offset = 0; offset < 4200; offset++) {
        for (uint32_t size = 1; size <= 8; size *= 2) {
            bench_write(io, offset, size, UINT64_MAX);
            bench_read(io, offset, size);
            bench_write(igb.msix, 4 * offset, size, UINT64_MAX);
            bench_read(igb.msix, 4 * offset, size);
            bench_write(config, offset, size, UINT64_MAX);
            bench_read(config, offset, size);
        }
    }
    run_for(IOV_SEC);
}

Test(igb, a_write_that_is_no_aligned_word_changes_nothing_and_is_counted)
{
    bench_write(igb.registers, IGB_RAL(3), 2, 0x1234);
    bench_write(igb.registers, IGB_RAL(3) + 1, 4, 0x1234);
    cr_assert(eq(u32, reg(IGB_RAL(3)), 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 2));
}

Test(igb, a_device_reset_puts_registers_back_and_stops_queues)
{
    open_transmit(0);
    set(IGB_RCTL, IGB_RCTL_EN);
    set(IGB_EIMS, 3);
    set(IGB_VET, 0x88a8);
    set(IGB_CTRL, reg(IGB_CTRL) | IGB_CTRL_RST);
    cr_assert(eq(u32, reg(IGB_RCTL), 0));
    cr_assert(eq(u32, reg(IGB_EIMS), 0));
    cr_assert(eq(u32, reg(IGB_VET), 0x8100));
    cr_assert(eq(u32, reg(IGB_CTRL), IGB_CTRL_RESET));
    cr_assert(eq(u32, reg(IGB_TX_REG(0, IGB_QUEUE_LEN)), 0));
    cr_assert(eq(u32, reg(IGB_TX_REG(0, IGB_QUEUE_DCTL)), IGB_DCTL_ENABLE));
    cr_assert(eq(u32, reg(IGB_TX_REG(1, IGB_QUEUE_DCTL)), 0));
}

Test(igb, queue_registers_are_at_old_and_new_places)
{
    set(IGB_RX_OLD + 0x300 + IGB_QUEUE_BAL, 0x12345680);
    cr_assert(eq(u32, reg(IGB_RX + 3 * 0x40 + IGB_QUEUE_BAL), 0x12345680));
    set(IGB_TX + 15 * 0x40 + IGB_QUEUE_LEN, 0x1000);
    cr_assert(eq(u32, reg(IGB_TX + 15 * 0x40 + IGB_QUEUE_LEN), 0x1000));
    set(IGB_TX + 16 * 0x40 + IGB_QUEUE_LEN, 0x1000);
    cr_assert(eq(u32, reg(IGB_TX + 16 * 0x40 + IGB_QUEUE_LEN), 0)); /* there are sixteen */
}

Test(igb, the_eeprom_holds_the_address_and_sums_to_baba)
{
    uint16_t total = 0, words[64];

    for (uint32_t i = 0; i < 64; i++) {
        set(IGB_EERD, i << IGB_EERD_ADDRESS_SHIFT | IGB_EERD_START);
        cr_assert(ne(u32, reg(IGB_EERD) & IGB_EERD_DONE, 0));
        words[i] = (uint16_t)(reg(IGB_EERD) >> IGB_EERD_DATA_SHIFT);
        total = (uint16_t)(total + words[i]);
    }
    cr_assert(eq(u16, total, 0xbaba));
    cr_assert(eq(u16, words[0], 0x5452));
    cr_assert(eq(u16, words[2], 0x5634));
}

Test(igb, the_software_semaphore_is_taken_by_a_read_and_given_back_by_a_write)
{
    cr_assert(eq(u32, reg(IGB_SWSM) & IGB_SWSM_SMBI, 0));
    cr_assert(eq(u32, reg(IGB_SWSM) & IGB_SWSM_SMBI, IGB_SWSM_SMBI));
    set(IGB_SWSM, IGB_SWSM_SMBI | IGB_SWSM_SWESMBI);
    cr_assert(eq(u32, reg(IGB_SWSM), IGB_SWSM_SMBI | IGB_SWSM_SWESMBI));
    set(IGB_SWSM, 0);
    cr_assert(eq(u32, reg(IGB_SWSM), 0));
}

static uint32_t phy_read(uint32_t number)
{
    set(IGB_MDIC,
        IGB_MDIC_READ | IGB_PHY_ADDRESS << IGB_MDIC_PHY_SHIFT | number << IGB_MDIC_REGISTER_SHIFT);
    cr_assert(ne(u32, reg(IGB_MDIC) & IGB_MDIC_READY, 0));
    return reg(IGB_MDIC) & IGB_MDIC_DATA;
}

static void phy_write(uint32_t number, uint32_t value)
{
    set(IGB_MDIC, IGB_MDIC_WRITE | IGB_PHY_ADDRESS << IGB_MDIC_PHY_SHIFT |
                      number << IGB_MDIC_REGISTER_SHIFT | value);
}

Test(igb, a_phy_reset_takes_the_link_down_until_it_has_negotiated)
{
    cr_assert(eq(u32, phy_read(IGB_PHY_ID1) << 16 | phy_read(IGB_PHY_ID2), IGB_PHY_ID));
    cr_assert(ne(u32, phy_read(IGB_PHY_STATUS) & IGB_PHY_STATUS_LINK, 0));
    phy_write(IGB_PHY_CONTROL, IGB_PHY_CONTROL_RESET);
    cr_assert(eq(u32, phy_read(IGB_PHY_STATUS) & IGB_PHY_STATUS_LINK, 0));
    cr_assert(eq(u32, reg(IGB_STATUS) & IGB_STATUS_LU, 0));
    cr_assert(eq(u32, reg(IGB_ICR) & IGB_ICR_LSC, IGB_ICR_LSC));
    run_for(499 * IOV_MS);
    cr_assert(eq(u32, reg(IGB_STATUS) & IGB_STATUS_LU, 0));
    run_for(2 * IOV_MS);
    cr_assert(ne(u32, reg(IGB_STATUS) & IGB_STATUS_LU, 0));
    cr_assert(eq(u32, reg(IGB_ICR) & IGB_ICR_LSC, IGB_ICR_LSC));
    set(IGB_MDIC, IGB_MDIC_READ | 7u << IGB_MDIC_PHY_SHIFT); /* no PHY there */
    cr_assert(ne(u32, reg(IGB_MDIC) & IGB_MDIC_ERROR, 0));
}

Test(igb, master_disable_stops_dma_and_status_says_so)
{
    open_transmit(0);
    set(IGB_CTRL, IGB_CTRL_RESET | IGB_CTRL_MASTER_DISABLE);
    cr_assert(eq(u32, reg(IGB_STATUS) & IGB_STATUS_MASTER, 0));
    describe_frame(0, BUFFERS, 64, 0);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 1));
}

Test(igb, its_configuration_space_has_the_capabilities_of_an_82576)
{
    const struct iov_pci_function *function = iov_model_port(igb.nic, "pci", 0);
    static const uint16_t plain[] = { PCI_CAP_ID_PM, PCI_CAP_ID_MSI, PCI_CAP_ID_MSIX,
                                      PCI_CAP_ID_EXP };
    static const uint16_t extended[] = { PCI_EXT_CAP_ID_ERR, PCI_EXT_CAP_ID_DSN, PCI_EXT_CAP_ID_ARI,
                                         PCI_EXT_CAP_ID_SRIOV };

    cr_assert(eq(u32, iov_pci_get32(function->space, 0), 0x10c98086));
    for (unsigned i = 0; i < G_N_ELEMENTS(plain); i++)
        cr_assert(ne(u16, iov_pci_space_find(function->space, plain[i], false), 0));
    for (unsigned i = 0; i < G_N_ELEMENTS(extended); i++)
        cr_assert(ne(u16, iov_pci_space_find(function->space, extended[i], true), 0));
    cr_assert(eq(u16, iov_pci_space_find(function->space, PCI_EXT_CAP_ID_ATS, true), 0));
    cr_assert(eq(u16, function->space->vectors, 10));
}

/* ---- Transmit ---- */

Test(igb, a_frame_is_read_sent_written_back_and_counted)
{
    struct iov_packet *packet;

    open_transmit(0);
    for (uint32_t i = 0; i < 100; i++)
        bench_write(igb.memory, BUFFERS + i, 1, i);
    describe_frame(0, BUFFERS, 100, 0);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 1));
    packet = igb.end.queue.first;
    cr_assert(eq(u32, packet->size, 100));
    for (uint32_t i = 0; i < 100; i++)
        cr_assert(eq(uint, packet->data[i], i));
    cr_assert(eq(u32, sent(0, 0) & IGB_TXD_DD, IGB_TXD_DD));
    cr_assert(eq(u32, reg(IGB_TX_REG(0, IGB_QUEUE_HEAD)), 1));
    cr_assert(eq(u32, reg(IGB_GPTC), 1));
    cr_assert(eq(u32, reg(IGB_PTC127), 1));
    cr_assert(eq(u32, reg(IGB_GOTCL), 104));
    cr_assert(eq(u32, reg(IGB_GPTC), 0));
}

Test(igb, a_frame_takes_a_descriptor_read_processing_and_a_data_read)
{
    open_transmit(0);
    describe_frame(0, BUFFERS, 64, 0);
    transmit(0);
    cr_assert(eq(u64, igb.end.last, (100 + 300 + 100) * IOV_NS));
}

Test(igb, data_reads_of_several_frames_overlap)
{
    static const struct bench_cost slow[] = { { "dram-access", 1000 * IOV_NS },
                                              { "igb-processing", 300 * IOV_NS },
                                              { NULL, 0 } };

    igb_stop();
    igb_make(slow);
    igb_start();
    open_transmit(0);
    for (unsigned i = 0; i < 8; i++)
        describe_frame(0, BUFFERS, 64, 0);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 8));
    cr_assert(eq(u64, igb.end.last, (1000 + 8 * 300 + 1000) * IOV_NS));
}

Test(igb, with_one_read_at_a_time_they_do_not)
{
    igb_stop();
    igb_make(igb_costs);
    bench_number(igb.nic, "reads", 1);
    igb_start();
    open_transmit(0);
    for (unsigned i = 0; i < 4; i++)
        describe_frame(0, BUFFERS, 64, 0);
    transmit(0);
    cr_assert(eq(u64, igb.end.last, (100 + 4 * (300 + 100)) * IOV_NS));
}

Test(igb, frames_go_through_the_packet_buffer_at_the_wire_s_pace_and_no_more_than_it_holds)
{
    igb.end.busy = 12 * IOV_US;
    for (unsigned queue = 0; queue < 2; queue++) {
        open_transmit(queue);
        for (unsigned i = 0; i < 40; i++)
            describe_frame(queue, BUFFERS, 1500, 0);
        ring(queue);
    }
    run_for(100 * IOV_US); /* 40 KiB is 27 frames, and 9 are on the wire by now */
    cr_assert(lt(u32, reg(IGB_TX_REG(0, IGB_QUEUE_HEAD)) + reg(IGB_TX_REG(1, IGB_QUEUE_HEAD)), 54));
    run();
    cr_assert(eq(u32, igb.end.queue.count, 80));
    cr_assert(eq(u64, now() / IOV_US, igb.end.last / IOV_US));
    cr_assert(eq(u32, reg(IGB_TX_REG(0, IGB_QUEUE_HEAD)), 40));
    cr_assert(eq(u32, reg(IGB_TX_REG(1, IGB_QUEUE_HEAD)), 40));
}

Test(igb, a_frame_of_several_descriptors_is_put_together_and_long_ones_fit)
{
    struct iov_packet *packet;

    open_transmit(0);
    for (uint32_t i = 0; i < 9000; i++)
        bench_write(igb.memory, BUFFERS + i, 1, i & 0xff);
    describe(0, BUFFERS, 14 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA, 9000u << IGB_TXD_PAYLEN_SHIFT);
    describe(0, BUFFERS + 14, 4000 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA, 0);
    describe(0, BUFFERS + 4014, 4986 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_EOP | IGB_TXD_RS,
             0);
    transmit(0);
    packet = igb.end.queue.first;
    cr_assert(eq(u32, packet->size, 9000));
    for (uint32_t i = 0; i < 9000; i++)
        cr_assert(eq(uint, packet->data[i], i & 0xff));
    cr_assert(eq(u32, sent(0, 0), 9000u << IGB_TXD_PAYLEN_SHIFT)); /* not asked for: as it was */
    cr_assert(eq(u32, sent(0, 2), IGB_TXD_DD));
}

static void put_datagram(uint8_t protocol, uint32_t size)
{
    struct iov_packet *packet = datagram(protocol, 0x0a000001, 0x0a000002, 40000, 7, size);

    for (uint32_t i = 0; i < size; i++)
        bench_write(igb.memory, BUFFERS + i, 1, packet->data[i]);
    iov_packet_free(packet);
}

static uint32_t pseudo_sum(const uint8_t *ip, uint32_t length)
{
    return sum_of(ip + IPV4_SOURCE, 8) + ip[IPV4_PROTOCOL] + length;
}

Test(igb, checksums_are_inserted_as_the_context_says)
{
    const uint8_t *ip;
    uint32_t total, seed;

    open_transmit(0);
    put_datagram(IPV4_PROTOCOL_UDP, 101);
    seed = (0x0a00 + 1 + 0x0a00 + 2 + IPV4_PROTOCOL_UDP +
            67); /* pseudo header, as a driver leaves it */
    bench_write(igb.memory, BUFFERS + 40, 1, seed >> 8);
    bench_write(igb.memory, BUFFERS + 41, 1, seed & 0xff);
    describe_context(0, 0, 8, 0);
    describe_frame(0, BUFFERS, 101, IGB_TXD_IXSM | IGB_TXD_TXSM);
    transmit(0);
    ip = igb.end.queue.first->data + ETHERNET_HEADER;
    cr_assert(eq(u32, sum_of(ip, IPV4_HEADER), 0xffff));
    total = sum_of(ip + IPV4_HEADER, 67) + pseudo_sum(ip, 67);
    cr_assert(eq(u32, (total & 0xffff) + (total >> 16), 0xffff));
    cr_assert(eq(u32, reg(IGB_TX_REG(0, IGB_QUEUE_HEAD)), 2));
}

Test(igb, a_large_send_becomes_segments_with_their_own_headers)
{
    uint32_t header = ETHERNET_HEADER + IPV4_HEADER + TCP_HEADER;

    open_transmit(0);
    put_datagram(IPV4_PROTOCOL_TCP, header + 2500);
    bench_write(igb.memory, BUFFERS + 34 + TCP_OFFSET, 1, 0x50);
    bench_write(igb.memory, BUFFERS + 34 + TCP_FLAGS, 1, TCP_FLAG_PSH | TCP_FLAG_ACK);
    bench_write(igb.memory, BUFFERS + 14 + IPV4_LENGTH, 2, 0);
    describe_context(0, IGB_TXC_TCP, TCP_HEADER, 1000);
    describe(0, BUFFERS, header | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE | IGB_TXD_IFCS,
             2500u << IGB_TXD_PAYLEN_SHIFT | IGB_TXD_IXSM | IGB_TXD_TXSM);
    describe(0, BUFFERS + header,
             2500 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE | IGB_TXD_EOP | IGB_TXD_RS, 0);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 3));
    struct iov_packet *packet = igb.end.queue.first;

    for (uint32_t i = 0; i < 3; i++, packet = packet->next) {
        const uint8_t *ip = packet->data + ETHERNET_HEADER;
        uint32_t payload = i < 2 ? 1000 : 500;

        cr_assert(eq(u32, packet->size, header + payload));
        cr_assert(eq(u32, sum_of(ip, IPV4_HEADER), 0xffff));
        cr_assert(eq(uint, ip[IPV4_LENGTH] << 8 | ip[IPV4_LENGTH + 1], packet->size - 14));
        cr_assert(eq(uint, ip[IPV4_ID + 1], i));
        cr_assert(eq(uint, ip[20 + TCP_SEQUENCE + 2] << 8 | ip[20 + TCP_SEQUENCE + 3], 1000 * i));
        cr_assert(eq(uint, ip[20 + TCP_FLAGS], i < 2 ? TCP_FLAG_ACK : TCP_FLAG_PSH | TCP_FLAG_ACK));
    }
    cr_assert(eq(u32, sent(0, 2), IGB_TXD_DD));
    cr_assert(eq(u64, bench_stat(igb.nic, "segments"), 3));
}

Test(igb, the_head_can_be_written_back_instead_of_descriptors)
{
    open_transmit(0);
    set(IGB_TX_REG(0, IGB_QUEUE_WBAL), (BUFFERS + 0x800) | IGB_WBAL_ENABLE);
    describe_frame(0, BUFFERS, 64, 0);
    describe_frame(0, BUFFERS, 64, 0);
    transmit(0);
    cr_assert(eq(u64, bench_read(igb.memory, BUFFERS + 0x800, 4), 2));
    cr_assert(eq(u32, sent(0, 1), 64u << IGB_TXD_PAYLEN_SHIFT));
}

Test(igb, a_legacy_descriptor_is_sent_too_with_one_sum)
{
    open_transmit(0);
    for (uint32_t i = 0; i < 60; i++)
        bench_write(igb.memory, BUFFERS + i, 1, i < 20 ? 0 : 1);
    describe(0, BUFFERS, 60 | 10u << 16 | IGB_TXD_EOP | IGB_TXD_RS | IGB_TXD_IC, 14u << 8);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 1));
    cr_assert(eq(u32, sum_of(igb.end.queue.first->data + 10, 50) & 0xffff,
                 (0xffff & ~(20 * 0x0101u)) + 20 * 0x0101u));
    cr_assert(eq(u32, sent(0, 0) & 1, 1));
}

Test(igb, a_tag_is_inserted_and_stripped)
{
    struct iov_packet *packet;

    set(IGB_CTRL, IGB_CTRL_RESET | IGB_CTRL_VME);
    open_transmit(0);
    open_receive(0, 0);
    uint64_t at = TX_RING;

    bench_write(igb.memory, at, 8, 14u << IGB_TXC_MACLEN_SHIFT | 0x0123u << IGB_TXC_VLAN_SHIFT);
    bench_write(igb.memory, at + 8, 8, IGB_TXD_DEXT | IGB_TXD_TYPE_CONTEXT);
    igb.tails[0] = 1;
    describe(0, BUFFERS,
             100 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_EOP | IGB_TXD_VLE | IGB_TXD_RS, 0);
    transmit(0);
    packet = iov_packet_queue_pop(&igb.end.queue);
    cr_assert(eq(u32, packet->size, 104));
    cr_assert(eq(uint, packet->data[12] << 8 | packet->data[13], 0x8100));
    cr_assert(eq(uint, packet->data[14] << 8 | packet->data[15], 0x0123));
    memcpy(packet->data, "\x52\x54\x00\x12\x34\x56", 6);
    receive(packet);
    struct igb_rx_done done = received(0, 0);

    cr_assert(eq(u16, done.length, 100));
    cr_assert(eq(u16, done.vlan, 0x0123));
    cr_assert(ne(u32, done.status & IGB_RXD_VP, 0));
}

/* ---- Receive ---- */

Test(igb, a_frame_is_stored_with_its_descriptor_and_counted)
{
    open_receive(0, 0);
    receive(frame(100));
    struct igb_rx_done done = received(0, 0);

    cr_assert(eq(u16, done.length, 100));
    cr_assert(eq(u32, done.status, IGB_RXD_DD | IGB_RXD_EOP));
    for (uint32_t i = 14; i < 100; i++)
        cr_assert(eq(u64, bench_read(igb.memory, rx_buffer(0, 0) + i, 1), 0x40 + i - 14));
    cr_assert(eq(u32, reg(IGB_GPRC), 1));
    cr_assert(eq(u32, reg(IGB_PRC127), 1));
    cr_assert(eq(u32, reg(IGB_RX_REG(0, IGB_QUEUE_HEAD)), 1));
}

Test(igb, a_frame_larger_than_its_buffer_takes_several)
{
    open_receive(0, IGB_RCTL_LPE);
    receive(frame(5000));
    cr_assert(eq(u16, received(0, 0).length, 2048));
    cr_assert(eq(u32, received(0, 0).status, IGB_RXD_DD));
    cr_assert(eq(u16, received(0, 2).length, 5000 - 4096));
    cr_assert(eq(u32, received(0, 2).status, IGB_RXD_DD | IGB_RXD_EOP));
    cr_assert(eq(u64, bench_read(igb.memory, rx_buffer(0, 1), 1), (0x40 + 2048 - 14) & 0xff));
}

Test(igb, a_frame_that_is_filtered_or_lost_lets_go_of_its_request)
{
    struct iov_span span;

    open_receive(0, 0);
    receive(followed(frame_to("\x52\x54\x00\x12\x34\x57", 64), &span));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-filtered"), 1));
    cr_assert(span.holder == NULL);
    set(IGB_RX_REG(0, IGB_QUEUE_TAIL), reg(IGB_RX_REG(0, IGB_QUEUE_HEAD))); /* no buffers */
    while (bench_stat(igb.nic, "frames-dropped") == 0)
        receive(followed(frame(1500), &span));
    cr_assert(span.holder == NULL);
}

Test(igb, frames_for_others_too_long_or_on_other_vlans_do_not_pass)
{
    struct iov_packet *tagged = frame(64);

    open_receive(0, IGB_RCTL_VFE);
    receive(frame_to("\x52\x54\x00\x12\x34\x57", 64));
    receive(frame_to("\x01\x00\x5e\x00\x00\x01", 64));
    receive(frame(2000));
    tagged->data[12] = 0x81;
    tagged->data[13] = 0x00;
    receive(tagged);
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-received"), 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-filtered"), 3));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 1));
    receive(frame_to("\xff\xff\xff\xff\xff\xff", 64));
    set(IGB_RAL(20), 0x12005452);
    set(IGB_RAH(20), IGB_RAH_VALID | 0x5734);
    receive(frame_to("\x52\x54\x00\x12\x34\x57", 64));
    set(IGB_MTA + 4 * (0x010 >> 5), 1u << (0x010 & 31)); /* 47:36 of ...:00:01 */
    receive(frame_to("\x01\x00\x5e\x00\x00\x01", 64));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-received"), 3));
}

Test(igb, lengths_that_cannot_be_are_counted_and_a_full_tagged_frame_is_none)
{
    struct iov_packet *stump = frame(60);

    open_receive(0, 0);
    stump->size = 13;
    receive(stump);
    cr_assert(eq(u32, reg(IGB_RLEC), 1));
    cr_assert(eq(u32, reg(IGB_RUC), 1));
    receive(frame(1518)); /* with a tag and without FCS */
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-received"), 1));
    receive(frame(1519));
    cr_assert(eq(u32, reg(IGB_RLEC), 1));
    cr_assert(eq(u32, reg(IGB_ROC), 1));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 2));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-received"), 1));
}

Test(igb, received_sums_are_checked)
{
    struct iov_packet *good = datagram(IPV4_PROTOCOL_UDP, 1, 2, 3, 4, 100), *bad;
    uint8_t *ip = good->data + 14;
    uint32_t total;

    open_receive(0, 0);
    ip[24] = 0;
    ip[25] = 66;
    total = ~sum_of(ip, 20);
    ip[10] = (uint8_t)(total >> 8);
    ip[11] = (uint8_t)total;
    total = sum_of(ip + 20, 66) + pseudo_sum(ip, 66);
    total = ~((total & 0xffff) + (total >> 16));
    ip[26] = (uint8_t)(total >> 8);
    ip[27] = (uint8_t)total;
    bad = frame(100);
    memcpy(bad->data, good->data, 100);
    bad->data[99] ^= 1;
    receive(good);
    receive(bad);
    cr_assert(eq(u32, received(0, 0).status,
                 IGB_RXD_DD | IGB_RXD_EOP | IGB_RXD_IPCS | IGB_RXD_L4CS | IGB_RXD_UDPCS));
    cr_assert(eq(u32, received(0, 1).status & (IGB_RXD_L4E | IGB_RXD_IPE), IGB_RXD_L4E));
    cr_assert(eq(u16, received(0, 0).types, IGB_RXD_TYPE_IP4 | IGB_RXD_TYPE_UDP));
}

Test(igb, a_queue_without_descriptors_keeps_frames_or_drops_them_if_it_may)
{
    open_receive(0, 0);
    set(IGB_RX_REG(0, IGB_QUEUE_TAIL), 0);
    receive(frame(64));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 0));
    set(IGB_RX_REG(0, IGB_QUEUE_TAIL), 1);
    run();
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-received"), 1));
    set(IGB_RX_REG(0, IGB_QUEUE_SRRCTL), reg(IGB_RX_REG(0, IGB_QUEUE_SRRCTL)) | IGB_SRRCTL_DROP);
    receive(frame(64));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 1));
    cr_assert(eq(u32, reg(IGB_RX + IGB_QUEUE_DROPS), 1));
    cr_assert(eq(u32, reg(IGB_RX + IGB_QUEUE_DROPS), 0));
}

Test(igb, a_full_packet_buffer_loses_frames_and_says_so)
{
    open_receive(0, 0);
    set(IGB_RX_REG(0, IGB_QUEUE_TAIL), 0);
    for (unsigned i = 0; i < 50; i++)
        receive(frame(1500));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 50 - 65536 / 1500));
    cr_assert(eq(u32, reg(IGB_MPC), 50 - 65536 / 1500));
    cr_assert(ne(u32, reg(IGB_ICR) & IGB_ICR_RXO, 0));
}

/* ---- Receive-side scaling ---- */

/* The key and the results that are published with the hash's definition. */
static const uint8_t rss_key[40] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static void open_rss(void)
{
    for (unsigned i = 0; i < 10; i++) {
        uint32_t word;

        memcpy(&word, rss_key + 4 * i, 4);
        set(IGB_RSSRK + 4 * i, word);
    }
    for (unsigned i = 0; i < 32; i++)
        set(IGB_RETA + 4 * i, 0x03020100);
    set(IGB_MRQC, IGB_MRQC_RSS | IGB_MRQC_IP4 | IGB_MRQC_TCP4);
    set(IGB_RXCSUM, reg(IGB_RXCSUM) | IGB_RXCSUM_PCSD);
    for (unsigned i = 0; i < 4; i++)
        open_receive(i, 0);
}

Test(igb, the_hash_is_the_published_one_and_picks_the_queue)
{
    open_rss();
    receive(datagram(IPV4_PROTOCOL_TCP, 0x420995bb, 0xa18e6450, 2794, 1766, 100));
    receive(datagram(IPV4_PROTOCOL_UDP, 0x420995bb, 0xa18e6450, 2794, 1766, 100));
    struct igb_rx_done tcp = received(0x51ccc178 & 3, 0), udp = received(0x323e8fc2 & 3, 0);

    cr_assert(eq(u32, tcp.hash, 0x51ccc178));
    cr_assert(eq(uint, tcp.types & 15, IGB_RSS_TCP4));
    cr_assert(eq(u32, udp.hash, 0x323e8fc2));
    cr_assert(eq(uint, udp.types & 15, IGB_RSS_IP4));
}

/* ---- Interrupts ---- */

Test(igb, a_received_frame_sends_its_queue_s_vector_once_until_the_driver_is_done)
{
    struct iov_span span;

    open_interrupts(1);
    open_receive(0, 0);
    struct iov_packet *packet = frame(64);

    iov_span_begin(&span, 1, &span, now());
    packet->span = &span;
    receive(packet);
    receive(frame(64));
    receive(frame(64));
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u32, igb.messages[0].data, 0x41));
    cr_assert(eq(ptr, igb.messages[0].span, &span));
    cr_assert(eq(u32, reg(IGB_EIMS), 1)); /* masked by itself: EIAM */
    set(IGB_EIMS, 2);                     /* what came meanwhile is announced now */
    run();
    cr_assert(eq(uint, igb.message_count, 2));
    set(IGB_EIMS, 2); /* cleared by itself: EIAC */
    run();
    cr_assert(eq(uint, igb.message_count, 2));
}

Test(igb, a_sent_frame_sends_its_queue_s_vector)
{
    open_interrupts(2);
    open_transmit(1);
    describe_frame(1, BUFFERS, 64, 0);
    transmit(1);
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u32, igb.messages[0].data, 0x42));
    cr_assert(eq(uint, igb.messages[0].requester, 0x0008));
}

Test(igb, the_message_comes_when_data_and_descriptor_have_left)
{
    open_interrupts(1);
    open_receive(0, 0);
    iov_time begin = now();

    receive(frame(64));
    cr_assert(eq(u64, igb.messages[0].when - begin, 300 * IOV_NS)); /* writes are posted */
}

/* A program that polls, and is told when it is worth looking. */
struct poller {
    struct iov_notify_sink sink;
    unsigned times;
    iov_time last;
};

static void poller_signal(struct iov_notify_sink *sink, struct iov_span *span)
{
    struct poller *poller = iov_container_of(sink, struct poller, sink);

    (void)span;
    poller->times++;
    poller->last = now();
}

static const struct iov_notify_sink_ops poller_ops = { .signal = poller_signal };

Test(igb, all_programs_that_poll_are_told_when_data_and_descriptor_are_in_memory)
{
    struct poller pollers[3] = { 0 };

    open_receive(0, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(pollers); i++) {
        struct iov_notify_source *source = iov_model_port(igb.nic, "changed", i);

        pollers[i].sink.ops = &poller_ops;
        source->peer = &pollers[i].sink;
    }
    iov_time begin = now();

    receive(frame(64));
    for (unsigned i = 0; i < G_N_ELEMENTS(pollers); i++) {
        cr_assert(eq(uint, pollers[i].times, 1), "%u", i);
        cr_assert(eq(u64, pollers[i].last - begin, 300 * IOV_NS), "%u", i);
    }
}

Test(igb, eitr_keeps_messages_apart_and_a_masked_vector_does_not_count)
{
    open_interrupts(1);
    open_receive(0, 0);
    set(IGB_EITR(1), 50u << IGB_EITR_SHIFT);
    run_for(200 * IOV_US);
    receive(frame(64));
    iov_time first = igb.messages[0].when;

    set(IGB_EIMS, 2);
    receive(frame(64));
    cr_assert(eq(uint, igb.message_count, 2));
    cr_assert(eq(u64, igb.messages[1].when, first + 50 * IOV_US));
    cr_assert(eq(u64, bench_stat(igb.nic, "throttled"), 1));
    arrive(frame(64));
    run_for(IOV_US);
    set(IGB_EIMC, 2);
    run();
    cr_assert(eq(uint, igb.message_count, 2));
}

Test(igb, a_shorter_eitr_lets_a_waiting_message_go_earlier)
{
    open_interrupts(1);
    open_receive(0, 0);
    set(IGB_EITR(1), 8000u << IGB_EITR_SHIFT);
    receive(frame(64));
    set(IGB_EIMS, 2);
    iov_time begin = now();

    arrive(frame(64));
    run_for(10 * IOV_US);
    cr_assert(eq(uint, igb.message_count, 1));
    set(IGB_EITR(1), 20u << IGB_EITR_SHIFT | IGB_EITR_KEEP);
    run();
    cr_assert(eq(uint, igb.message_count, 2));
    cr_assert(lt(u64, now() - begin, 25 * IOV_US));
}

Test(igb, a_change_of_the_link_is_the_other_vector)
{
    open_interrupts(1);
    phy_write(IGB_PHY_CONTROL, IGB_PHY_CONTROL_RESET);
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u32, igb.messages[0].data, 0x40));
    cr_assert(eq(u32, reg(IGB_ICR), IGB_ICR_LSC));
    cr_assert(eq(u32, reg(IGB_ICR), 0));
}

Test(igb, software_can_set_causes)
{
    open_interrupts(1);
    set(IGB_EICS, 2);
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u32, igb.messages[0].data, 0x41));
    cr_assert(eq(u32, reg(IGB_EICR), 0));
}

Test(igb, a_vector_whose_table_entry_is_masked_waits_in_the_pending_bits)
{
    open_interrupts(1);
    bench_write(igb.msix, 16 + 12, 4, 1);
    set(IGB_EICS, 2);
    cr_assert(eq(uint, igb.message_count, 0));
    cr_assert(eq(u64, bench_read(igb.msix, IGB_MSIX_PENDING, 8), 2));
    bench_write(igb.msix, 16 + 12, 4, 0);
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u64, bench_read(igb.msix, IGB_MSIX_PENDING, 8), 0));
}

Test(igb, without_msix_the_line_says_it_until_icr_is_read)
{
    bench_write(iov_model_port(igb.nic, "config", 0), 0x72, 2, 0);
    open_receive(0, 0);
    set(IGB_IMS, IGB_ICR_RXDW);
    receive(frame(64));
    cr_assert(igb.line.level);
    cr_assert(eq(u32, reg(IGB_ICR), IGB_ICR_RXDW | IGB_ICR_ASSERTED));
    cr_assert(not(igb.line.level));
    receive(frame(64));
    cr_assert(igb.line.level);
    set(IGB_IMC, IGB_ICR_RXDW);
    cr_assert(not(igb.line.level));
}

/* ---- Drivers that mean no good ---- */

Test(igb, broken_rings_and_descriptors_are_counted_and_stop_nothing)
{
    open_transmit(0);
    set(IGB_TX_REG(0, IGB_QUEUE_TAIL), 5000);
    run();
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 1));
    set(IGB_TX_REG(0, IGB_QUEUE_TAIL), 0);
    describe_frame(0, UINT64_C(1) << 60, 100, 0); /* no memory there */
    for (unsigned i = 0; i < 3; i++)              /* too long together */
        describe(0, BUFFERS, 4000 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | (i == 2 ? IGB_TXD_EOP : 0),
                 0);
    describe_frame(0, BUFFERS, 5, 0); /* shorter than a header */
    describe_frame(0, BUFFERS, 0, 0); /* nothing */
    describe(0, BUFFERS, 100 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE | IGB_TXD_EOP,
             IGB_TXD_CC | 1u << IGB_TXD_IDX_SHIFT); /* no context */
    describe_frame(0, BUFFERS, 64, 0);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 1));
    cr_assert(eq(u32, igb.end.queue.first->size, 64));
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 6));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 5));
    cr_assert(eq(u32, reg(IGB_TX_REG(0, IGB_QUEUE_HEAD)), 8));
    set(IGB_TX_REG(0, IGB_QUEUE_BAH), 0xffffffff);
    describe_frame(0, BUFFERS, 64, 0);
    transmit(0);
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 7));
}

Test(igb, the_smallest_segments_of_the_largest_send_are_as_many_as_they_should_be)
{
    uint32_t header = ETHERNET_HEADER + IPV4_HEADER + TCP_HEADER;

    open_transmit(0);
    describe_context(0, IGB_TXC_TCP, TCP_HEADER, 8);
    describe(0, BUFFERS, header | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE,
             60000u << IGB_TXD_PAYLEN_SHIFT);
    describe(0, BUFFERS, 60000 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE | IGB_TXD_EOP, 0);
    transmit(0);
    cr_assert(eq(u64, bench_stat(igb.nic, "segments"), 7500));
    cr_assert(eq(u32, reg(IGB_TX_REG(0, IGB_QUEUE_HEAD)), 3));
}

static void describe_large(uint32_t size, uint32_t payload, bool last)
{
    describe(0, BUFFERS,
             size | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE | (last ? IGB_TXD_EOP : 0),
             payload << IGB_TXD_PAYLEN_SHIFT | IGB_TXD_IXSM | IGB_TXD_TXSM);
}

Test(igb, large_sends_that_make_no_sense_are_counted_and_stop_nothing)
{
    open_transmit(0);
    put_datagram(IPV4_PROTOCOL_TCP, 3000);
    describe_context(0, IGB_TXC_TCP, TCP_HEADER, 0); /* no MSS */
    describe_large(2000, 1946, true);
    describe_context(0, IGB_TXC_TCP, TCP_HEADER, 0xffff); /* segments longer than any frame */
    describe_large(2000, 1946, true);
    describe_context(0, IGB_TXC_TCP, TCP_HEADER, 1000);
    describe_large(30, 1946, true); /* shorter than its headers */
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 0));
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 3));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 3));
    describe_large(2054, 5, true); /* a length that is not true: all bytes go out */
    describe_large(2054, 260000, true);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 4));
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults"), 3));
}

Test(igb, headers_may_come_in_several_descriptors)
{
    open_transmit(0);
    put_datagram(IPV4_PROTOCOL_TCP, 3000);
    bench_write(igb.memory, BUFFERS + 34 + TCP_OFFSET, 1, 0x50);
    describe_context(0, IGB_TXC_TCP, TCP_HEADER, 1000);
    for (uint32_t at = 0; at < 54; at += 18)
        describe(0, BUFFERS + at, 18 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE,
                 1500u << IGB_TXD_PAYLEN_SHIFT | IGB_TXD_IXSM | IGB_TXD_TXSM);
    describe(0, BUFFERS + 54, 1500 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_TSE | IGB_TXD_EOP,
             0);
    transmit(0);
    cr_assert(eq(u32, igb.end.queue.count, 2));
    cr_assert(eq(u32, igb.end.queue.first->size, 1054));
    cr_assert(eq(u32, igb.end.queue.last->size, 554));
    cr_assert(eq(u32, sum_of(igb.end.queue.last->data + 14, IPV4_HEADER), 0xffff));
}

Test(igb, a_queue_that_is_turned_off_in_the_middle_forgets_what_it_did)
{
    open_transmit(0);
    open_receive(0, 0);
    for (unsigned round = 0; round < 40; round++) {
        for (unsigned i = 0; i < 8; i++)
            describe_frame(0, BUFFERS, 1500, 0);
        ring(0);
        arrive(frame(1500));
        arrive(frame(1500));
        run_for(round * 97 * IOV_NS);
        set(IGB_TX_REG(0, IGB_QUEUE_DCTL), 0);
        set(IGB_RX_REG(0, IGB_QUEUE_DCTL), 0);
        run();
        open_transmit(0);
        open_receive(0, 0);
        if (round % 8 == 7)
            set(IGB_CTRL, IGB_CTRL_RST);
    }
    set(IGB_CTRL, IGB_CTRL_RST);
    open_transmit(0);
    describe_frame(0, BUFFERS, 64, 0);
    uint64_t before = bench_stat(igb.nic, "frames-sent");

    transmit(0);
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-sent"), before + 1));
}
