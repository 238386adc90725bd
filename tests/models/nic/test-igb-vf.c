/* SPDX-License-Identifier: Apache-2.0 */
/* The igb's virtual functions: coming and going, mailbox, switch, and what one may not do to
 * another. */
#include "tests/models/nic/igb-bench.h"

#define VF_BAR0 UINT64_C(0xd0000000)
#define VF_BAR3 UINT64_C(0xd1000000)
#define SRIOV 0x160
#define FIRST 0x80 /* function number of the first one, the others two apart */

static struct iov_pci_bus bus;

static uint64_t config(unsigned devfn, unsigned at, unsigned size, uint64_t value, bool write)
{
    struct iov_mem_req req = bench_req(at, &value, size);

    if (iov_pci_config_access(&bus, 0, devfn, &req, write) != IOV_STATUS_OK && !write)
        return UINT64_MAX >> (64 - 8 * size);
    return value;
}

static uint64_t memory_access(uint64_t address, unsigned size, uint64_t value, bool write)
{
    struct iov_mem_req req = bench_req(address, &value, size);

    if (iov_mem_map_access(&bus.memory, &req, write) != IOV_STATUS_OK)
        return UINT64_MAX >> (64 - 8 * size);
    return value;
}

static uint32_t vf_reg(unsigned vf, uint32_t offset)
{
    return (uint32_t)memory_access(VF_BAR0 + IGB_VF_BAR_SIZE * vf + offset, 4, 0, false);
}

static void vf_set(unsigned vf, uint32_t offset, uint32_t value)
{
    memory_access(VF_BAR0 + IGB_VF_BAR_SIZE * vf + offset, 4, value, true);
}

static void no_intx(struct iov_pci_bus *slots, struct iov_pci_function *function, unsigned pin,
                    bool level, struct iov_span *span)
{
    (void)slots, (void)function, (void)pin, (void)level, (void)span;
}

static const struct iov_pci_bus_ops bus_ops = { .intx = no_intx };

static void start(unsigned vfs, const struct bench_cost *costs)
{
    igb_make(costs);
    bench_number(igb.nic, "vfs", vfs);
    bus = (struct iov_pci_bus){ .ops = &bus_ops, .upstream = &igb.fabric };
    cr_assert(iov_pci_plug(&bus, iov_model_port(igb.nic, "pci", 0), 0));
    igb_start();
}

static void setup(void)
{
    start(8, igb_costs);
}

/* Several frames are on their way at once. */
static void setup_far(void)
{
    static const struct bench_cost costs[] = { { "dram-access", 2 * IOV_US },
                                               { "igb-processing", 300 * IOV_NS },
                                               { NULL, 0 } };

    start(8, costs);
}

static void teardown(void)
{
    igb_stop();
    iov_pci_bus_clear(&bus);
}

TestSuite(igb_vf, .init = setup, .fini = teardown);
TestSuite(igb_vf_far, .init = setup_far, .fini = teardown);

/* What the physical function's driver does when functions are asked for. */
static void enable(unsigned count)
{
    config(0, SRIOV + PCI_SRIOV_NUM_VF, 2, count, true);
    config(0, SRIOV + PCI_SRIOV_BAR, 4, VF_BAR0, true);
    config(0, SRIOV + PCI_SRIOV_BAR + 12, 4, VF_BAR3, true);
    config(0, SRIOV + PCI_SRIOV_CTRL, 2, PCI_SRIOV_CTRL_VFE | PCI_SRIOV_CTRL_MSE, true);
    for (unsigned i = 0; i < count; i++)
        config(FIRST + 2 * i, PCI_COMMAND, 2, PCI_COMMAND_MASTER, true);
}

static const uint8_t *mac_of(unsigned vf)
{
    static const uint8_t macs[][6] = { { 0x52, 0x54, 0x00, 0x00, 0x01, 0x00 },
                                       { 0x52, 0x54, 0x00, 0x00, 0x01, 0x01 },
                                       { 0x52, 0x54, 0x00, 0x00, 0x01, 0x02 } };

    return macs[vf];
}

/* The address of a pool among those that are received exactly. */
static void set_address(unsigned index, const uint8_t *mac, unsigned pool)
{
    uint32_t low;

    memcpy(&low, mac, 4);
    set(IGB_RAL(index), low);
    set(IGB_RAH(index),
        IGB_RAH_VALID | 1u << (IGB_RAH_POOL_SHIFT + pool) | (uint32_t)(mac[5] << 8 | mac[4]));
}

/* Pools of `count` functions and, behind them, the physical one's. */
static void open_pools(unsigned count)
{
    enable(count);
    open_receive(count, 0);
    for (unsigned i = 0; i <= count; i++) {
        set(IGB_VMOLR(i), IGB_VMOLR_AUPE | IGB_VMOLR_BAM | 1522);
        set_address(i, i < count ? mac_of(i) : (const uint8_t *)"\x52\x54\x00\x12\x34\x56", i);
    }
    set(IGB_VFRE, (1u << count) - 1);
    set(IGB_VFTE, (1u << count) - 1);
    set(IGB_VT_CTL, count << IGB_VT_CTL_POOL_SHIFT | IGB_VT_CTL_REPLICATE);
    set(IGB_DTXSWC, IGB_DTXSWC_LOOPBACK);
    set(IGB_MRQC, IGB_MRQC_POOLS);
}

/* Its first queue of both directions; rings and buffers are those that the bench keeps for the
 * queue `vf`. */
static void vf_open(unsigned vf)
{
    for (unsigned i = 0; i < RING_ENTRIES; i++) {
        bench_write(igb.memory, RX_RING + 0x1000 * vf + 16 * i, 8, rx_buffer(vf, i));
        bench_write(igb.memory, RX_RING + 0x1000 * vf + 16 * i + 8, 8, 0);
    }
    vf_set(vf, IGB_RX_OLD + IGB_QUEUE_BAL, RX_RING + 0x1000 * vf);
    vf_set(vf, IGB_RX_OLD + IGB_QUEUE_LEN, RING_ENTRIES * 16);
    vf_set(vf, IGB_RX_OLD + IGB_QUEUE_SRRCTL,
           2 | IGB_SRRCTL_TYPE_ONE_BUFFER << IGB_SRRCTL_TYPE_SHIFT);
    vf_set(vf, IGB_RX_OLD + IGB_QUEUE_DCTL, IGB_DCTL_ENABLE);
    vf_set(vf, IGB_RX_OLD + IGB_QUEUE_TAIL, RING_ENTRIES - 1);
    vf_set(vf, IGB_TX_OLD + IGB_QUEUE_BAL, TX_RING + 0x1000 * vf);
    vf_set(vf, IGB_TX_OLD + IGB_QUEUE_LEN, RING_ENTRIES * 16);
    vf_set(vf, IGB_TX_OLD + IGB_QUEUE_DCTL, IGB_DCTL_ENABLE);
    set(IGB_TCTL, IGB_TCTL_EN | IGB_TCTL_PSP);
    igb.tails[vf] = 0;
    run();
}

static void vf_open_interrupts(unsigned vf)
{
    uint64_t table = VF_BAR3 + IGB_MSIX_BAR_SIZE * vf;

    config(FIRST + 2 * vf, 0x70 + PCI_MSIX_FLAGS, 2, PCI_MSIX_FLAGS_ENABLE, true);
    for (unsigned i = 0; i < IGB_VF_VECTORS; i++) {
        memory_access(table + 16 * i, 8, 0xfee00000, true);
        memory_access(table + 16 * i + 8, 4, 0x50 + 16 * vf + i, true);
        memory_access(table + 16 * i + 12, 4, 0, true);
    }
    vf_set(vf, IGB_VF_IVAR, IGB_IVAR_VALID | (IGB_IVAR_VALID | 1) << 8);
    vf_set(vf, IGB_VF_IVAR_MISC, IGB_IVAR_VALID | 2);
    vf_set(vf, IGB_VF_EIAC, 7);
    vf_set(vf, IGB_VF_EIAM, 7);
    vf_set(vf, IGB_VF_EIMS, 7);
    set(IGB_GPIE, IGB_GPIE_MULTIPLE_MSIX | IGB_GPIE_EIAME);
}

/* The frame in the buffer is from `source` to `destination`. */
static void put_frame(uint64_t buffer, const void *destination, const void *source)
{
    uint8_t bytes[12];

    memcpy(bytes, destination, 6);
    memcpy(bytes + 6, source, 6);
    for (unsigned i = 0; i < 12; i++)
        bench_write(igb.memory, buffer + i, 1, bytes[i]);
}

static void vf_send_typed(unsigned vf, const void *destination, const void *source, uint32_t type)
{
    uint64_t buffer = BUFFERS + 0x40000 * vf + 0x3f000;

    put_frame(buffer, destination, source);
    for (unsigned i = 0; i < 4; i++) /* type and, of a tag, what is in it */
        bench_write(igb.memory, buffer + 12 + i, 1, (uint8_t)(type >> (24 - 8 * i)));
    describe_frame(vf, buffer, 64, 0);
    vf_set(vf, IGB_TX_OLD + IGB_QUEUE_TAIL, igb.tails[vf]);
    run();
}

static void vf_send(unsigned vf, const void *destination, const void *source)
{
    vf_send_typed(vf, destination, source, 0x88b50000);
}

/* ---- On the bus ---- */

Test(igb_vf, functions_come_when_they_are_enabled_and_go_again)
{
    cr_assert(eq(u64, config(FIRST, 0, 4, 0, false), UINT32_MAX));
    cr_assert(eq(u64, config(0, SRIOV + PCI_SRIOV_VF_DID, 2, 0, false), IGB_VF_DEVICE_ID));
    enable(2);
    cr_assert(ne(u64, config(FIRST, 0x34, 1, 0, false), 0xff));
    cr_assert(ne(u64, config(FIRST + 2, 0x34, 1, 0, false), 0xff));
    cr_assert(eq(u64, config(FIRST + 4, 0x34, 1, 0, false), 0xff));
    cr_assert(eq(u32, reg(IGB_STATUS) & (IGB_STATUS_IOV | 15u << IGB_STATUS_VFS_SHIFT),
                 IGB_STATUS_IOV | 2u << IGB_STATUS_VFS_SHIFT));
    cr_assert(ne(u32, vf_reg(1, IGB_VF_STATUS), UINT32_MAX));
    config(0, SRIOV + PCI_SRIOV_CTRL, 2, 0, true);
    cr_assert(eq(u64, config(FIRST, 0x34, 1, 0, false), 0xff));
    cr_assert(eq(u32, vf_reg(1, IGB_VF_STATUS), UINT32_MAX));
    cr_assert(eq(u32, reg(IGB_STATUS) & IGB_STATUS_IOV, 0));
}

Test(igb_vf, their_windows_move_with_the_bar_of_the_physical_function)
{
    enable(3);
    vf_set(2, IGB_VF_EITR(1), 0x88);
    config(0, SRIOV + PCI_SRIOV_BAR, 4, VF_BAR0 + 0x100000, true);
    cr_assert(eq(u32, vf_reg(2, IGB_VF_EITR(1)), UINT32_MAX));
    cr_assert(eq(
        u64, memory_access(VF_BAR0 + 0x100000 + 2 * IGB_VF_BAR_SIZE + IGB_VF_EITR(1), 4, 0, false),
        0x88));
}

Test(igb_vf, every_offset_of_a_virtual_function_answers_without_harm)
{
    enable(8);
    for (uint32_t offset = 0; offset < IGB_VF_BAR_SIZE; offset += 4) {
        vf_set(offset / 4 % 8, offset, 0xa5a5a5a5u << (offset & 7));
        vf_reg(offset / 4 % 8, offset);
        if (offset % 1024 == 0)
            run_for(IOV_MS);
    }
    for (uint32_t at = 0; at < 4096; at++)
        config(FIRST + 2 * (at % 8), at & ~3u, 4, UINT32_MAX, true);
    run_for(IOV_SEC);
}

Test(igb_vf, more_than_eight_have_registers_of_their_own)
{
    teardown();
    start(63, igb_costs);
    enable(63);
    cr_assert(ne(u64, config(FIRST + 124, 0x34, 1, 0, false), 0xff));
    set(IGB_X_VFTE, UINT32_MAX);
    set(IGB_X_VFTE + 4, UINT32_MAX);
    cr_assert(eq(u32, reg(IGB_X_VFTE + 4), UINT32_MAX));
    cr_assert(eq(u32, reg(IGB_VFTE), 0xff));
    open_interrupts(1);
    set(IGB_IMS, IGB_ICR_VMMB);
    set(IGB_X_MBVFIMR + 4, UINT32_MAX);
    vf_set(62, IGB_VF_MBX, IGB_V2P_REQ);
    cr_assert(eq(u32, reg(IGB_X_MBVFREQ + 4), 1u << 30));
    cr_assert(eq(u32, reg(IGB_ICR) & IGB_ICR_VMMB, IGB_ICR_VMMB));
    vf_set(62, IGB_RX_OLD + 0x100 + IGB_QUEUE_LEN, 0x400);
    cr_assert(eq(u32, reg(IGB_RX + 0x40 * (62 + 64) + IGB_QUEUE_LEN), 0x400));
}

/* ---- Mailbox ---- */

Test(igb_vf, a_message_goes_through_the_mailbox_and_an_answer_comes_back)
{
    enable(2);
    open_interrupts(1);
    vf_open_interrupts(1);
    set(IGB_IMS, IGB_ICR_VMMB);
    set(IGB_MBVFIMR, 3);
    cr_assert(eq(u32, vf_reg(1, IGB_VF_MBX) & IGB_V2P_RSTI, IGB_V2P_RSTI));
    set(IGB_CTRL_EXT, IGB_CTRL_EXT_PFRSTD);
    cr_assert(eq(u32, vf_reg(1, IGB_VF_MBX), IGB_V2P_RSTD));
    cr_assert(eq(u32, vf_reg(1, IGB_VF_MBX), 0));
    vf_set(1, IGB_VF_MBX, IGB_V2P_VFU);
    cr_assert(eq(u32, vf_reg(1, IGB_VF_MBX), IGB_V2P_VFU));
    set(IGB_P2VMAILBOX(1), IGB_P2V_PFU); /* not while the other one has it */
    cr_assert(eq(u32, reg(IGB_P2VMAILBOX(1)), IGB_P2V_VFU));
    vf_set(1, IGB_VF_MBMEM, 0x12345678);
    vf_set(1, IGB_VF_MBX, IGB_V2P_REQ);
    cr_assert(eq(uint, igb.message_count, 1)); /* the physical function's "other" vector */
    cr_assert(eq(u32, igb.messages[0].data, 0x40));
    cr_assert(eq(u32, reg(IGB_ICR), IGB_ICR_VMMB));
    cr_assert(eq(u32, reg(IGB_MBVFICR), 2));
    cr_assert(eq(u32, reg(IGB_VMBMEM(1)), 0x12345678));
    set(IGB_MBVFICR, 2);
    cr_assert(eq(u32, reg(IGB_MBVFICR), 0));
    set(IGB_P2VMAILBOX(1), IGB_P2V_PFU);
    set(IGB_VMBMEM(1) + 60, 0xabcd);
    set(IGB_P2VMAILBOX(1), IGB_P2V_STS | IGB_P2V_ACK);
    cr_assert(eq(uint, igb.message_count, 2));
    cr_assert(eq(u32, igb.messages[1].data, 0x50 + 16 + 2));
    cr_assert(eq(uint, igb.messages[1].requester, FIRST + 2));
    cr_assert(eq(u32, vf_reg(1, IGB_VF_MBMEM + 60), 0xabcd));
    cr_assert(eq(u32, vf_reg(1, IGB_VF_MBX), IGB_V2P_PFSTS | IGB_V2P_PFACK));
    cr_assert(eq(u32, vf_reg(1, IGB_VF_MBX), 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "mailbox-messages"), 2));
}

Test(igb_vf, a_reset_of_one_is_told_and_leaves_the_others_alone)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    cr_assert(eq(u32, reg(IGB_VFLRE), 0));
    vf_set(0, IGB_VF_CTRL, IGB_CTRL_RST);
    cr_assert(eq(u32, reg(IGB_VFLRE), 1));
    cr_assert(eq(u32, reg(IGB_VFRE), 2));
    cr_assert(eq(u32, vf_reg(0, IGB_RX_OLD + IGB_QUEUE_LEN), 0));
    cr_assert(eq(u32, vf_reg(1, IGB_RX_OLD + IGB_QUEUE_LEN), RING_ENTRIES * 16));
    set(IGB_VFLRE, 1);
    cr_assert(eq(u32, reg(IGB_VFLRE), 0));
    config(FIRST + 2, 0xa0 + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR, true);
    cr_assert(eq(u32, reg(IGB_VFLRE), 2));
    cr_assert(eq(u32, vf_reg(1, IGB_RX_OLD + IGB_QUEUE_LEN), 0));
}

/* ---- The switch ---- */

Test(igb_vf, a_function_sends_with_its_own_requester_and_its_own_vector)
{
    open_pools(2);
    vf_open(1);
    vf_open_interrupts(1);
    vf_send(1, "\x52\x54\x00\x00\x00\x99", mac_of(1));
    cr_assert(eq(u32, igb.end.queue.count, 1));
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u32, igb.messages[0].data, 0x50 + 16 + 1));
    cr_assert(eq(uint, igb.messages[0].requester, FIRST + 2));
    cr_assert(eq(u32, vf_reg(1, IGB_VF_GPTC), 1));
    cr_assert(eq(u32, vf_reg(0, IGB_VF_GPTC), 0));
}

Test(igb_vf, one_that_may_not_send_or_master_the_bus_does_not)
{
    open_pools(2);
    set(IGB_VFTE, 1);
    vf_open(1);
    vf_send(1, "\x52\x54\x00\x00\x00\x99", mac_of(1));
    cr_assert(eq(u32, igb.end.queue.count, 0));
    set(IGB_VFTE, 3);
    run();
    cr_assert(eq(u32, igb.end.queue.count, 1));
    config(FIRST + 2, PCI_COMMAND, 2, 0, true);
    vf_send(1, "\x52\x54\x00\x00\x00\x99", mac_of(1));
    cr_assert(eq(u32, igb.end.queue.count, 1));
    cr_assert(lt(u64, 0, bench_stat(igb.nic, "guest-faults")));
}

Test(igb_vf, one_that_may_master_the_bus_at_last_gets_what_waited)
{
    open_pools(2);
    config(FIRST + 2, PCI_COMMAND, 2, 0, true);
    vf_open(1);
    for (unsigned i = 0; i < 4; i++)
        receive(frame_to(mac_of(1), 64));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-received"), 0));
    config(FIRST + 2, PCI_COMMAND, 2, PCI_COMMAND_MASTER, true);
    run();
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-received"), 4));
    cr_assert(eq(u16, received(1, 3).length, 64));
}

Test(igb_vf, frames_are_sorted_by_address_and_the_rest_is_the_default_pool_s)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    receive(frame_to(mac_of(1), 64));
    cr_assert(eq(u16, received(1, 0).length, 64));
    cr_assert(eq(u32, received(0, 0).status, 0));
    receive(frame(64));
    cr_assert(eq(u16, received(2, 0).length, 64));
    set(IGB_RCTL, reg(IGB_RCTL) | IGB_RCTL_UPE);
    receive(frame_to("\x52\x54\x00\x00\x00\x77", 64));
    cr_assert(eq(u16, received(2, 1).length, 64));
    set(IGB_VT_CTL, reg(IGB_VT_CTL) | IGB_VT_CTL_NO_DEFAULT);
    receive(frame_to("\x52\x54\x00\x00\x00\x77", 64));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-filtered"), 1));
}

Test(igb_vf, a_broadcast_goes_to_every_pool_that_wants_it)
{
    open_pools(3);
    for (unsigned i = 0; i < 3; i++)
        vf_open(i);
    set(IGB_VMOLR(1), IGB_VMOLR_AUPE | 1522);
    receive(frame_to("\xff\xff\xff\xff\xff\xff", 64));
    cr_assert(eq(u16, received(0, 0).length, 64));
    cr_assert(eq(u32, received(1, 0).status, 0));
    cr_assert(eq(u16, received(2, 0).length, 64));
    cr_assert(eq(u16, received(3, 0).length, 64));
    set(IGB_VT_CTL, reg(IGB_VT_CTL) & ~IGB_VT_CTL_REPLICATE);
    receive(frame_to("\xff\xff\xff\xff\xff\xff", 64));
    cr_assert(eq(u16, received(0, 1).length, 64));
    cr_assert(eq(u32, received(2, 1).status, 0));
}

Test(igb_vf, a_frame_too_long_for_some_pools_is_lost_only_if_it_is_for_all)
{
    static const char all[] = "\xff\xff\xff\xff\xff\xff";

    open_pools(2);
    vf_open(0);
    vf_open(1);
    set(IGB_VMOLR(0), IGB_VMOLR_AUPE | IGB_VMOLR_BAM | IGB_VMOLR_LPE | 100);
    receive(frame_to(all, 200));
    cr_assert(eq(u32, received(0, 0).status, 0));
    cr_assert(eq(u16, received(1, 0).length, 200));
    cr_assert(eq(u16, received(2, 0).length, 200));
    for (unsigned i = 0; i < 3; i++)
        set(IGB_VMOLR(i), IGB_VMOLR_AUPE | IGB_VMOLR_BAM | IGB_VMOLR_LPE | (i < 1 ? 1522 : 100));
    receive(frame_to(all, 200));
    cr_assert(eq(u16, received(0, 0).length, 200));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 0));
    set(IGB_VMOLR(0), IGB_VMOLR_AUPE | IGB_VMOLR_BAM | IGB_VMOLR_LPE | 100);
    receive(frame_to(all, 200));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-dropped"), 1));
}

Test(igb_vf, frames_between_functions_do_not_leave_the_card)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    vf_send(0, mac_of(1), mac_of(0));
    cr_assert(eq(u32, igb.end.queue.count, 0));
    cr_assert(eq(u16, received(1, 0).length, 64));
    cr_assert(ne(u32, received(1, 0).status & IGB_RXD_LB, 0));
    cr_assert(eq(u32, vf_reg(0, IGB_VF_GPTLBC), 1));
    cr_assert(eq(u32, vf_reg(1, IGB_VF_GPRLBC), 1));
    vf_send(0, "\xff\xff\xff\xff\xff\xff", mac_of(0));
    cr_assert(eq(u32, igb.end.queue.count, 1));
    cr_assert(eq(u16, received(1, 1).length, 64));
    cr_assert(eq(u16, received(2, 0).length, 64));
    cr_assert(eq(u32, received(0, 0).status, 0)); /* not to itself */
    set(IGB_DTXSWC, 0);
    vf_send(0, mac_of(1), mac_of(0));
    cr_assert(eq(u32, igb.end.queue.count, 2));
}

Test(igb_vf, a_false_source_is_dropped_counted_and_told)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    set(IGB_DTXSWC, IGB_DTXSWC_LOOPBACK | 3);
    vf_send(0, mac_of(1), mac_of(1));
    vf_send(0, "\x52\x54\x00\x00\x00\x99", "\x52\x54\x00\x12\x34\x56");
    cr_assert(eq(u32, igb.end.queue.count, 0));
    cr_assert(eq(u32, received(1, 0).status, 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-spoofed"), 2));
    cr_assert(eq(u32, reg(IGB_WVBR), 1));
    cr_assert(eq(u32, reg(IGB_WVBR), 0));
    vf_send(0, "\x52\x54\x00\x00\x00\x99", mac_of(0));
    cr_assert(eq(u32, igb.end.queue.count, 1));
}

Test(igb_vf, a_frame_under_a_false_source_lets_go_of_its_request)
{
    uint64_t buffer = BUFFERS + 0x3f000;
    struct iov_mem_req req = { .address = buffer,
                               .data = &(uint8_t){ 0 },
                               .size = 1,
                               .flags = IOV_MEM_PAYLOAD,
                               .pasid = IOV_NO_PASID };
    struct iov_span span;

    open_pools(2);
    vf_open(0);
    set(IGB_DTXSWC, IGB_DTXSWC_LOOPBACK | 3);
    iov_span_begin(&span, 1, "sender", iov_now(igb.bench->run.kernel));
    req.span = &span;
    put_frame(buffer, mac_of(1), mac_of(1));
    igb.memory->ops->write(igb.memory, &req);
    bench_write(igb.memory, buffer, 1, *(const uint8_t *)mac_of(1));
    describe_frame(0, buffer, 64, 0);
    vf_set(0, IGB_TX_OLD + IGB_QUEUE_TAIL, igb.tails[0]);
    run();
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-spoofed"), 1));
    cr_assert(span.holder == NULL);
}

/* Sixteen frames of 1 KiB from the function, which all wait in its ring. */
static void vf_send_large(unsigned vf, const void *destination, const void *source)
{
    uint64_t buffer = BUFFERS + 0x40000 * vf + 0x3f000;

    put_frame(buffer, destination, source);
    for (unsigned i = 0; i < 16; i++)
        describe_frame(vf, buffer, 1024, 0);
    vf_set(vf, IGB_TX_OLD + IGB_QUEUE_TAIL, igb.tails[vf]);
    run();
}

Test(igb_vf_far, frames_between_functions_make_room_in_the_packet_buffer_as_those_for_the_wire_do)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    set(IGB_TXPBS, 2);
    vf_send_large(0, mac_of(1), mac_of(0));
    cr_assert(eq(u32, vf_reg(0, IGB_TX_OLD + IGB_QUEUE_HEAD), 16));
    cr_assert(eq(u16, received(1, 15).length, 1024));
}

Test(igb_vf_far, frames_with_a_false_source_make_room_too)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    set(IGB_TXPBS, 2);
    set(IGB_DTXSWC, IGB_DTXSWC_LOOPBACK | 3);
    vf_send_large(0, mac_of(1), mac_of(1));
    cr_assert(eq(u32, vf_reg(0, IGB_TX_OLD + IGB_QUEUE_HEAD), 16));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-spoofed"), 16));
}

Test(igb_vf_far, one_that_has_nothing_sound_to_send_passes_its_turn_on)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    set(IGB_TXPBS, 1);
    put_frame(BUFFERS + 0x3f000, "\x52\x54\x00\x00\x00\x99", mac_of(0));
    describe(1, 0, 4 | IGB_TXD_DEXT | IGB_TXD_TYPE_DATA | IGB_TXD_EOP, 0); /* no frame */
    describe_frame(0, BUFFERS + 0x3f000, 1024, 0);
    open_transmit(2); /* the physical function's: it has the room first */
    describe_frame(2, BUFFERS, 1024, 0);
    ring(2);
    run_for(3 * IOV_US);
    for (unsigned vf = 0; vf < 2; vf++)
        vf_set(vf, IGB_TX_OLD + IGB_QUEUE_TAIL, igb.tails[vf]);
    run();
    cr_assert(eq(u32, vf_reg(0, IGB_TX_OLD + IGB_QUEUE_HEAD), 1));
    set(IGB_TXPBS, 0); /* no room at all: nobody is woken for ever */
    describe_frame(0, BUFFERS + 0x3f000, 1024, 0);
    vf_set(0, IGB_TX_OLD + IGB_QUEUE_TAIL, igb.tails[0]);
    run();
    cr_assert(eq(u32, vf_reg(0, IGB_TX_OLD + IGB_QUEUE_HEAD), 1));
}

Test(igb_vf_far, one_that_is_turned_off_leaves_its_room_to_those_that_wait)
{
    open_pools(2);
    vf_open(0);
    vf_open(1);
    set(IGB_TXPBS, 1);
    for (unsigned vf = 0; vf < 2; vf++) {
        put_frame(BUFFERS + 0x40000 * vf + 0x3f000, "\x52\x54\x00\x00\x00\x99", mac_of(vf));
        describe_frame(vf, BUFFERS + 0x40000 * vf + 0x3f000, 1024, 0);
        vf_set(vf, IGB_TX_OLD + IGB_QUEUE_TAIL, igb.tails[vf]);
        run_for(500 * IOV_NS);
    }
    run_for(2 * IOV_US); /* the bytes of one are on their way, the other waits for room */
    vf_set(0, IGB_TX_OLD + IGB_QUEUE_DCTL, 0);
    run();
    cr_assert(eq(u32, vf_reg(0, IGB_TX_OLD + IGB_QUEUE_HEAD), 0));
    cr_assert(eq(u32, vf_reg(1, IGB_TX_OLD + IGB_QUEUE_HEAD), 1));
}

Test(igb_vf, a_tag_of_a_vlan_that_is_not_the_pool_s_is_dropped_counted_and_told)
{
    open_pools(2);
    vf_open(0);
    set(IGB_DTXSWC, IGB_DTXSWC_LOOPBACK | 3u << IGB_DTXSWC_VLAN_SPOOF_SHIFT);
    set(IGB_VLVF(0), IGB_VLVF_ENABLE | 1u << IGB_VLVF_POOL_SHIFT | 5); /* pool 0 is in VLAN 5 */
    vf_send_typed(0, "\x52\x54\x00\x00\x00\x99", mac_of(0), 0x81000006);
    cr_assert(eq(u32, igb.end.queue.count, 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-spoofed"), 1));
    cr_assert(eq(u32, reg(IGB_WVBR), 1));
    vf_send_typed(0, "\x52\x54\x00\x00\x00\x99", mac_of(0), 0x81000005);
    vf_send(0, "\x52\x54\x00\x00\x00\x99", mac_of(0));
    cr_assert(eq(u32, igb.end.queue.count, 2));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-spoofed"), 1));
}

Test(igb_vf, a_pool_s_own_vlan_keeps_it_apart)
{
    struct iov_packet *packet;

    open_pools(2);
    vf_open(0);
    vf_open(1);
    set(IGB_VMVIR(0), IGB_VMVIR_DEFAULT | 5);
    set(IGB_VMOLR(0), IGB_VMOLR_BAM | IGB_VMOLR_STRVLAN | 1522);
    set(IGB_VLVF(0), IGB_VLVF_ENABLE | 1u << IGB_VLVF_POOL_SHIFT | 5);
    set(IGB_VFTA, 1u << 5);
    set(IGB_RCTL, reg(IGB_RCTL) | IGB_RCTL_VFE);
    vf_send(0, mac_of(1), mac_of(0)); /* tagged: function 1 does not hear it */
    cr_assert(eq(u32, received(1, 0).status, 0));
    cr_assert(eq(u32, igb.end.queue.count, 1));
    packet = iov_packet_queue_pop(&igb.end.queue);
    cr_assert(eq(u32, packet->size, 68));
    cr_assert(eq(uint, packet->data[14] << 8 | packet->data[15], 5));
    memcpy(packet->data, mac_of(0), 6);
    receive(packet);
    cr_assert(eq(u16, received(0, 0).length, 64));
    cr_assert(eq(u16, received(0, 0).vlan, 5));
    set(IGB_VT_CTL, reg(IGB_VT_CTL) | IGB_VT_CTL_NO_DEFAULT);
    receive(frame_to(mac_of(0), 64)); /* untagged */
    cr_assert(eq(u32, received(0, 1).status, 0));
}

Test(igb_vf, functions_that_go_in_the_middle_leave_nothing_behind)
{
    for (unsigned round = 0; round < 20; round++) {
        open_pools(2);
        vf_open(0);
        vf_open_interrupts(0);
        put_frame(BUFFERS, mac_of(1), mac_of(0));
        for (unsigned i = 0; i < 20; i++)
            describe_frame(0, BUFFERS, 1000, 0);
        vf_set(0, IGB_TX_OLD + IGB_QUEUE_TAIL, igb.tails[0]);
        arrive(frame_to(mac_of(0), 1000));
        run_for(round * 311 * IOV_NS);
        config(0, SRIOV + PCI_SRIOV_CTRL, 2, 0, true);
        run();
        set(IGB_CTRL, IGB_CTRL_RST);
    }
    open_transmit(0);
    describe_frame(0, BUFFERS, 64, 0);
    uint64_t before = bench_stat(igb.nic, "frames-sent");

    transmit(0);
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-sent"), before + 1));
}
