/* SPDX-License-Identifier: Apache-2.0 */
/* The siov-nic's assignable interfaces: whose PASID a request has, what a page of doorbells is and
 * is not, where messages are stored. */
#include "models/nic/siov-regs.h"

#include "tests/models/nic/igb-bench.h"

#define BAR UINT64_C(0xd0000000)
#define PASID_CONTROL 0x156
#define DVSEC 0x160
#define PASID(adi) (0x40u + (adi))

static struct iov_pci_bus bus;
static const uint8_t macs[][6] = { { 0x52, 0x54, 0x00, 0x00, 0x01, 0x00 },
                                   { 0x52, 0x54, 0x00, 0x00, 0x01, 0x01 } };

static uint64_t config(unsigned at, unsigned size, uint64_t value, bool write)
{
    struct iov_mem_req req = bench_req(at, &value, size);

    (void)iov_pci_config_access(&bus, 0, 8, &req, write);
    return value;
}

static uint64_t bar(uint64_t offset, unsigned size, uint64_t value, bool write)
{
    struct iov_mem_req req = bench_req(BAR + offset, &value, size);

    if (iov_mem_map_access(&bus.memory, &req, write) != IOV_STATUS_OK)
        return UINT64_MAX >> (64 - 8 * size);
    return value;
}

static void bar_set(uint64_t offset, uint32_t value)
{
    bar(offset, 4, value, true);
}

static uint32_t bar_reg(uint64_t offset)
{
    return (uint32_t)bar(offset, 4, 0, false);
}

static void no_intx(struct iov_pci_bus *slots, struct iov_pci_function *function, unsigned pin,
                    bool level, struct iov_span *span)
{
    (void)slots, (void)function, (void)pin, (void)level, (void)span;
}

static const struct iov_pci_bus_ops bus_ops = { .intx = no_intx };

/* What the host's software does to give interfaces 0 and 1 away. */
static void host_set_up(void)
{
    config(PCI_BASE_ADDRESS_4, 4, BAR, true);
    config(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, true);
    config(PASID_CONTROL, 2, PCI_PASID_CTRL_ENABLE, true);
    set(IGB_MRQC, IGB_MRQC_POOLS);
    set(IGB_VT_CTL, IGB_VT_CTL_REPLICATE | IGB_VT_CTL_NO_DEFAULT);
    set(IGB_DTXSWC, IGB_DTXSWC_LOOPBACK | 0xff); /* with a look at who sends */
    set(IGB_GPIE, IGB_GPIE_MULTIPLE_MSIX | IGB_GPIE_EIAME);
    set(IGB_RCTL, IGB_RCTL_EN | IGB_RCTL_BAM | IGB_RCTL_SECRC);
    set(IGB_TCTL, IGB_TCTL_EN | IGB_TCTL_PSP);
    set(IGB_VFRE, 3);
    set(IGB_VFTE, 3);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t low;

        memcpy(&low, macs[i], 4);
        set(IGB_VMOLR(i), IGB_VMOLR_AUPE | IGB_VMOLR_BAM | 1522);
        set(IGB_RAL(i), low);
        set(IGB_RAH(i), IGB_RAH_VALID | 1u << (IGB_RAH_POOL_SHIFT + i) |
                            (uint32_t)(macs[i][5] << 8 | macs[i][4]));
        bar_set(SIOV_WINDOWS(i) + SIOV_PASID, PASID(i) | SIOV_PASID_VALID);
    }
}

static void setup(void)
{
    igb_make_kind("siov-nic", igb_costs);
    bus = (struct iov_pci_bus){ .ops = &bus_ops, .upstream = &igb.fabric };
    cr_assert(iov_pci_plug(&bus, iov_model_port(igb.nic, "pci", 0), 8));
    igb_start();
    host_set_up();
}

static void teardown(void)
{
    igb_stop();
    iov_pci_bus_clear(&bus);
}

TestSuite(siov_nic, .init = setup, .fini = teardown);

static void window_set(unsigned adi, uint32_t offset, uint32_t value)
{
    bar_set(SIOV_WINDOWS(adi) + offset, value);
}

static void doorbell(unsigned adi, uint32_t place, uint32_t value)
{
    bar_set(SIOV_DOORBELLS(adi) + place, value);
}

/* Its queues, on the rings that the bench keeps for that number; and its vectors. */
static void adi_open(unsigned adi)
{
    for (unsigned i = 0; i < RING_ENTRIES; i++) {
        bench_write(igb.memory, RX_RING + 0x1000 * adi + 16 * i, 8, rx_buffer(adi, i));
        bench_write(igb.memory, RX_RING + 0x1000 * adi + 16 * i + 8, 8, 0);
    }
    window_set(adi, IGB_RX_OLD + IGB_QUEUE_BAL, RX_RING + 0x1000 * adi);
    window_set(adi, IGB_RX_OLD + IGB_QUEUE_LEN, RING_ENTRIES * 16);
    window_set(adi, IGB_RX_OLD + IGB_QUEUE_SRRCTL,
               2 | IGB_SRRCTL_TYPE_ONE_BUFFER << IGB_SRRCTL_TYPE_SHIFT);
    window_set(adi, IGB_RX_OLD + IGB_QUEUE_DCTL, IGB_DCTL_ENABLE);
    doorbell(adi, SIOV_DB_RDT, RING_ENTRIES - 1);
    window_set(adi, IGB_TX_OLD + IGB_QUEUE_BAL, TX_RING + 0x1000 * adi);
    window_set(adi, IGB_TX_OLD + IGB_QUEUE_LEN, RING_ENTRIES * 16);
    window_set(adi, IGB_TX_OLD + IGB_QUEUE_DCTL, IGB_DCTL_ENABLE);
    window_set(adi, IGB_VF_IVAR, (IGB_IVAR_VALID | 1) | IGB_IVAR_VALID << 8);
    window_set(adi, IGB_VF_EIAC, 3);
    window_set(adi, IGB_VF_EIAM, 3);
    for (unsigned i = 0; i < 2; i++) {
        uint64_t entry = SIOV_IMS(adi) + SIOV_IMS_ENTRY * i;

        bar_set(entry + SIOV_IMS_ADDRESS, 0xfee01000);
        bar_set(entry + SIOV_IMS_DATA, 0x60 + 16 * adi + i);
        bar_set(entry + SIOV_IMS_CONTROL, 0);
    }
    doorbell(adi, IGB_VF_EIMS & 0xfff, 3);
    igb.tails[adi] = 0;
    run();
}

static void send_from(unsigned adi, const uint8_t *destination, const uint8_t *source)
{
    uint64_t buffer = BUFFERS + 0x40000 * adi + 0x3f000;

    for (unsigned i = 0; i < 6; i++) {
        bench_write(igb.memory, buffer + i, 1, destination[i]);
        bench_write(igb.memory, buffer + 6 + i, 1, source[i]);
    }
    describe_frame(adi, buffer, 64, 0);
    doorbell(adi, SIOV_DB_TDT, igb.tails[adi]);
    run();
}

static const uint8_t outside[6] = { 0x02, 1, 2, 3, 4, 5 };

/* ---- Requests ---- */

Test(siov_nic, an_interface_sends_with_the_function_s_requester_and_its_own_pasid)
{
    adi_open(0);
    adi_open(1);
    send_from(0, outside, macs[0]);
    cr_assert(eq(u32, igb.pasid, PASID(0)));
    cr_assert(eq(uint, igb.requester, 8));
    send_from(1, outside, macs[1]);
    cr_assert(eq(u32, igb.pasid, PASID(1)));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-sent"), 2));
    cr_assert(eq(u32, igb.end.queue.count, 2));
}

Test(siov_nic, without_a_pasid_nothing_is_sent)
{
    adi_open(0);
    window_set(0, SIOV_PASID, PASID(0));
    igb.pasid = 0;
    send_from(0, outside, macs[0]);
    cr_assert(eq(u32, igb.pasid, 0));
    cr_assert(eq(u32, igb.end.queue.count, 0));
    cr_assert(lt(u64, 0, bench_stat(igb.nic, "guest-faults")));
}

Test(siov_nic, nor_while_the_capability_is_off)
{
    adi_open(0);
    config(PASID_CONTROL, 2, 0, true);
    igb.pasid = 0;
    send_from(0, outside, macs[0]);
    cr_assert(eq(u32, igb.pasid, 0));
    cr_assert(eq(u32, igb.end.queue.count, 0));
}

Test(siov_nic, the_switch_takes_frames_from_one_interface_to_another)
{
    adi_open(0);
    adi_open(1);
    send_from(0, macs[1], macs[0]);
    cr_assert(eq(u32, igb.end.queue.count, 0));
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-looped"), 1));
    cr_assert(received(1, 0).status & IGB_RXD_DD);
    send_from(0, macs[1], outside); /* not its address */
    cr_assert(eq(u64, bench_stat(igb.nic, "frames-spoofed"), 1));
}

/* ---- Doorbells ---- */

Test(siov_nic, a_page_of_doorbells_has_tails_masks_and_throttling_and_nothing_else)
{
    static const uint32_t fast[] = { SIOV_DB_RDT,      SIOV_DB_TDT, 0x520, 0x524, 0x528,
                                     0x580 /* EICR */, 0x680,       0x684, 0x688 };
    unsigned found = 0;

    for (uint32_t place = 0; place < SIOV_DOORBELL_SIZE; place += 4) {
        bool known = siov_register_of(place) != SIOV_NOT_FAST, listed = false;

        for (unsigned i = 0; i < G_N_ELEMENTS(fast); i++)
            listed |= fast[i] == place;
        cr_assert(eq(int, known, listed), "%#x", place);
        found += known;
    }
    cr_assert(eq(uint, found, G_N_ELEMENTS(fast)));
    doorbell(0, IGB_VF_EITR(1) & 0xfff, 0x88);
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(0) + IGB_VF_EITR(1)), 0x88));
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(1) + IGB_VF_EITR(1)), 0));
}

Test(siov_nic, what_is_not_a_doorbell_reads_zero_and_changes_nothing)
{
    uint64_t faults = bench_stat(igb.nic, "guest-faults");

    for (uint32_t place = 0; place < SIOV_DOORBELL_SIZE; place += 4) {
        if (siov_register_of(place) != SIOV_NOT_FAST)
            continue;
        doorbell(0, place, UINT32_MAX);
        cr_expect(eq(u32, bar_reg(SIOV_DOORBELLS(0) + place), 0), "%#x", place);
    }
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(0) + SIOV_PASID), PASID(0) | SIOV_PASID_VALID));
    cr_assert(eq(u64, bench_stat(igb.nic, "guest-faults") - faults, 1024 - 9));
    bar(SIOV_DOORBELLS(0) + SIOV_DB_TDT, 8, UINT64_MAX, true);
    bar(SIOV_DOORBELLS(0) + SIOV_DB_TDT + 1, 2, UINT64_MAX, true);
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(0) + IGB_TX_OLD + IGB_QUEUE_TAIL), 0));
}

Test(siov_nic, there_are_no_more_pages_than_interfaces)
{
    cr_assert(eq(u32, bar_reg(SIOV_DOORBELLS(8) + SIOV_DB_TDT), UINT32_MAX));
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(8)), UINT32_MAX));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(8)), UINT32_MAX));
    cr_assert(eq(u32, bar_reg(SIOV_DOORBELLS(7) + SIOV_DB_TDT), 0));
}

/* ---- Messages ---- */

Test(siov_nic, a_message_comes_from_the_storage_and_has_no_pasid)
{
    adi_open(1);
    arrive(frame_to(macs[1], 64));
    run();
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u64, igb.messages[0].address, 0xfee01000));
    cr_assert(eq(u32, igb.messages[0].data, 0x71));
    cr_assert(eq(u32, igb.messages[0].pasid, IOV_NO_PASID));
    cr_assert(eq(uint, igb.messages[0].requester, 8));
    cr_assert(eq(u64, bench_stat(igb.nic, "messages"), 1));
}

Test(siov_nic, a_masked_message_waits_for_its_mask)
{
    adi_open(1);
    bar_set(SIOV_IMS(1) + SIOV_IMS_ENTRY + SIOV_IMS_CONTROL, SIOV_IMS_MASKED);
    arrive(frame_to(macs[1], 64));
    run();
    cr_assert(eq(uint, igb.message_count, 0));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(1) + SIOV_IMS_ENTRY + SIOV_IMS_CONTROL),
                 SIOV_IMS_MASKED | SIOV_IMS_PENDING));
    bar_set(SIOV_IMS(1) + SIOV_IMS_ENTRY + SIOV_IMS_CONTROL, 0);
    cr_assert(eq(uint, igb.message_count, 1));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(1) + SIOV_IMS_ENTRY + SIOV_IMS_CONTROL), 0));
}

static enum iov_status loop_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    if (req->address >= BAR && req->address < BAR + SIOV_BAR_SIZE)
        return iov_mem_map_access(&bus.memory, req, true);
    return fabric_write(port, req);
}

static const struct iov_mem_target_ops loop_ops = { .read = fabric_read, .write = loop_write };

Test(siov_nic, a_message_to_the_card_itself_does_not_go_round_for_ever)
{
    adi_open(0);
    igb.fabric.ops = &loop_ops;
    bar_set(SIOV_IMS(0) + SIOV_IMS_ADDRESS, (uint32_t)BAR + (IGB_VF_EICS & 0xfff));
    bar_set(SIOV_IMS(0) + SIOV_IMS_DATA, 1);
    window_set(0, IGB_VF_EIAM, 0); /* its vector is never masked */
    doorbell(0, IGB_VF_EICS & 0xfff, 1);
    run();
    cr_assert(eq(u64, bench_stat(igb.nic, "messages"), 1));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(0) + SIOV_IMS_CONTROL), SIOV_IMS_PENDING));
    igb.fabric.ops = &fabric_ops;
}

Test(siov_nic, entries_keep_address_and_data)
{
    bar_set(SIOV_IMS(3) + SIOV_IMS_ADDRESS, 0xfee00123);
    bar_set(SIOV_IMS(3) + SIOV_IMS_UPPER, 0x11);
    bar_set(SIOV_IMS(3) + SIOV_IMS_DATA, 0x22);
    cr_assert(eq(u32, bar_reg(SIOV_IMS(3) + SIOV_IMS_ADDRESS), 0xfee00120));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(3) + SIOV_IMS_UPPER), 0x11));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(3) + SIOV_IMS_DATA), 0x22));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(3) + SIOV_IMS_CONTROL), SIOV_IMS_MASKED));
    cr_assert(eq(u64, bar(SIOV_IMS(3), 8, 0, false), UINT64_MAX)); /* DWORDs only */
}

/* ---- The function ---- */

Test(siov_nic, a_reset_of_the_function_takes_pasids_and_messages_away)
{
    adi_open(0);
    config(0xa0 + PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_BCR_FLR, true);
    config(PCI_BASE_ADDRESS_4, 4, BAR, true);
    config(PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, true);
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(0) + SIOV_PASID), 0));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(0) + SIOV_IMS_DATA), 0));
    cr_assert(eq(u32, bar_reg(SIOV_IMS(0) + SIOV_IMS_CONTROL), SIOV_IMS_MASKED));
    cr_assert(eq(u64, config(PASID_CONTROL, 2, 0, false), 0));
}

Test(siov_nic, a_reset_of_an_interface_leaves_it_its_pasid_and_others_alone)
{
    adi_open(0);
    adi_open(1);
    window_set(0, IGB_VF_CTRL, IGB_CTRL_RST);
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(0) + SIOV_PASID), PASID(0) | SIOV_PASID_VALID));
    cr_assert(eq(u32, bar_reg(SIOV_WINDOWS(0) + IGB_TX_OLD + IGB_QUEUE_BAL), 0));
    send_from(1, outside, macs[1]);
    cr_assert(eq(u32, igb.end.queue.count, 1));
}

Test(siov_nic, its_capability_says_scalable_iov)
{
    cr_assert(eq(u64, config(DVSEC, 2, 0, false), PCI_EXT_CAP_ID_DVSEC));
    cr_assert(eq(u64, config(DVSEC + PCI_DVSEC_HEADER1, 4, 0, false),
                 SIOV_DVSEC_VENDOR | SIOV_DVSEC_SIZE << 20));
    cr_assert(eq(u64, config(DVSEC + PCI_DVSEC_HEADER2, 2, 0, false), SIOV_DVSEC_ID));
    cr_assert(eq(u64, config(DVSEC + SIOV_DVSEC_PAGES, 4, 0, false), 1)); /* 4 KiB */
    cr_assert(eq(u64, config(DVSEC + SIOV_DVSEC_PAGE, 4, 0, false), 1));
    cr_assert(eq(u64, config(DVSEC + SIOV_DVSEC_CAP, 4, 0, false), 1)); /* IMS */
}
