/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole machine by its registers, as specifications say: configuration by ports and by memory,
 * DMA through four levels of tables, the invalidation queue, remapped interrupts of devices and of
 * the I/O APIC, disks and frames through the legacy interface.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "models/irq/ioapic-regs.h"
#include "models/misc/edu-regs.h"
#include "tests/bindings/qtest/driver.h"

#define VTD 0xfed90000u
#define GCMD (VTD + 0x18)
#define GSTS (VTD + 0x1c)
#define RTADDR (VTD + 0x20)
#define CCMD (VTD + 0x28)
#define FSTS (VTD + 0x34)
#define IQH (VTD + 0x80)
#define IQT (VTD + 0x88)
#define IQA (VTD + 0x90)
#define IRTA (VTD + 0xb8)
#define IOTLB (VTD + 0xf8)
#define FRCD (VTD + 0x220)
#define G_TE (1u << 31)
#define G_SRTP (1u << 30)
#define G_QIE (1u << 26)
#define G_IRE (1u << 25)
#define G_SIRTP (1u << 24)

#define ROOT 0x100000u
#define CONTEXTS 0x101000u
#define TABLES 0x110000u /* level 4; the levels below follow at 4 KiB each */
#define QUEUE 0x120000u
#define INTERRUPTS 0x130000u
#define EDU 0xe0000000u
#define EDU_SLOT 0x18u

TestSuite(qtest_machine, .fini = end);

static void edu_begin(void)
{
    begin("-M q35 -m 64 -device intel-iommu,aw-bits=48 -device "
          "edu,addr=3,dma_mask=0xffffffffffffffff");
    config_write(EDU_SLOT, PCI_BASE_ADDRESS_0, EDU);
    config_enable(EDU_SLOT);
}

/* ---- Configuration ---- */

Test(qtest_machine, configuration_is_the_same_by_ports_and_by_memory)
{
    begin("-M q35 -m 16 -device edu,addr=3 -device virtio-net-pci,addr=4 -device nvme,addr=5");
    ecam_enable();
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        if ((devfn & 7) != 0 && devfn < 0xf8)
            continue;
        for (unsigned at = 0; at < 256; at += 4)
            cr_assert(eq(u32, readl(ecam(0, devfn, at)), config_read(devfn, at)), "%02x at %02x",
                      devfn, at);
    }
    writew(ecam(0, EDU_SLOT, PCI_COMMAND), PCI_COMMAND_MEMORY);
    cr_assert(eq(u32, config_read(EDU_SLOT, PCI_COMMAND) & 0xffff, PCI_COMMAND_MEMORY));
    cr_assert(eq(u32, readl(ecam(1, 0, 0)), UINT32_MAX));
    cr_assert(
        eq(u32, readl(ecam(0, EDU_SLOT, 0x100)), UINT32_MAX)); /* conventional: it ends there */
}

Test(qtest_machine, a_device_sits_behind_a_root_port)
{
    begin("-M q35 -m 16 -device pcie-root-port,id=rp0,addr=6 -device edu,bus=rp0");
    ecam_enable();
    cr_assert(eq(u32, readl(ecam(1, 0, 0)), UINT32_MAX));
    config_write(0x30, PCI_PRIMARY_BUS, 0x010100);
    config_write(0x30, PCI_MEMORY_BASE, 0xe000e000);
    config_enable(0x30);
    cr_assert(eq(u32, readl(ecam(1, 0, 0)), 0x11e81234));
    writel(ecam(1, 0, PCI_BASE_ADDRESS_0), EDU);
    writew(ecam(1, 0, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    cr_assert(eq(u32, readl(EDU), 0x010000ed));
    writel(0x1000, 0xabcd);
    writeq(EDU + EDU_DMA_SOURCE, 0x1000);
    writeq(EDU + EDU_DMA_DESTINATION, EDU_BUFFER);
    writeq(EDU + EDU_DMA_COUNT, 4);
    writeq(EDU + EDU_DMA_COMMAND, EDU_DMA_START);
    step(1000000);
    cr_assert(eq(u64, readq(EDU + EDU_DMA_COMMAND), 0));
}

Test(qtest_machine, a_bar_is_decoded_where_it_stands_and_only_while_enabled)
{
    begin("-M q35 -m 16 -device edu,addr=3");
    config_write(EDU_SLOT, PCI_BASE_ADDRESS_0, EDU);
    cr_assert(ne(u32, readl(EDU), 0x010000ed));
    config_enable(EDU_SLOT);
    cr_assert(eq(u32, readl(EDU), 0x010000ed));
    config_write(EDU_SLOT, PCI_BASE_ADDRESS_0, EDU + 0x100000);
    cr_assert(eq(u32, readl(EDU + 0x100000), 0x010000ed));
    cr_assert(ne(u32, readl(EDU), 0x010000ed));
}

/* ---- DMA remapping ---- */

static void tables_place(void)
{
    writeq(ROOT, CONTEXTS | 1);
    writeq(CONTEXTS + EDU_SLOT * 16, TABLES | 1);
    writeq(CONTEXTS + EDU_SLOT * 16 + 8, 2 /* 48 bits */ | 7 << 8);
    writeq(RTADDR, ROOT);
    writel(GCMD, G_SRTP);
    writel(GCMD, G_TE);
    cr_assert(eq(u32, readl(GSTS), G_TE | G_SRTP));
}

static void map(uint64_t iova, uint64_t page)
{
    for (unsigned level = 4; level >= 1; level--) {
        uint64_t table = TABLES + (4 - level) * 0x1000;

        writeq(table + (iova >> (3 + 9 * level) & 0x1ff) * 8,
               (level > 1 ? table + 0x1000 : page) | 3);
    }
}

static void transfer(uint64_t from, uint64_t to, unsigned count, unsigned command_bits)
{
    writeq(EDU + EDU_DMA_SOURCE, from);
    writeq(EDU + EDU_DMA_DESTINATION, to);
    writeq(EDU + EDU_DMA_COUNT, count);
    writeq(EDU + EDU_DMA_COMMAND, command_bits | EDU_DMA_START);
    step(100000000);
    cr_assert(eq(u64, readq(EDU + EDU_DMA_COMMAND) & EDU_DMA_START, 0));
}

Test(qtest_machine, dma_goes_through_four_levels)
{
    edu_begin();
    tables_place();
    map(0x123456789000, 0x200000);
    writeq(0x200010, 0x1122334455667788);
    transfer(0x123456789010, EDU_BUFFER, 8, 0);
    map(0x123456789000, 0x300000);
    writeq(IOTLB, UINT64_C(1) << 63 | UINT64_C(1) << 60); /* all of it */
    transfer(EDU_BUFFER, 0x123456789020, 8, EDU_DMA_TO_MEMORY);
    cr_assert(eq(u64, readq(0x300020), 0x1122334455667788));
    cr_assert(eq(u32, readl(FSTS), 0));
}

Test(qtest_machine, a_device_behind_a_switch_is_reached_and_named_by_bus_numbers)
{
    begin("-M q35 -m 64 -device intel-iommu -device ioh3420,id=rp,addr=3 -device "
          "x3130-upstream,id=up,bus=rp "
          "-device xio3130-downstream,id=down,bus=up -device edu,bus=down");
    ecam_enable();
    for (unsigned bus = 0; bus < 3; bus++) { /* a bridge on each */
        unsigned devfn = bus == 0 ? 0x18 : 0;

        writel(ecam(bus, devfn, PCI_PRIMARY_BUS), bus | (bus + 1) << 8 | 3 << 16);
        writel(ecam(bus, devfn, PCI_MEMORY_BASE), EDU >> 16 | EDU);
        writew(ecam(bus, devfn, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    }
    cr_assert(eq(u32, readl(ecam(3, 0, 0)), 0x11e81234));
    writel(ecam(3, 0, PCI_BASE_ADDRESS_0), EDU);
    writew(ecam(3, 0, PCI_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    cr_assert(eq(u32, readl(EDU), 0x010000ed));
    writeq(0x200010, 0x1122334455667788);
    transfer(0x200010, EDU_BUFFER, 8, 0);
    transfer(EDU_BUFFER, 0x300020, 8, EDU_DMA_TO_MEMORY);
    cr_assert(eq(u64, readq(0x300020), 0x1122334455667788));
    writeq(RTADDR, ROOT); /* with no entry in it */
    writel(GCMD, G_SRTP);
    writel(GCMD, G_TE);
    transfer(EDU_BUFFER, 0x300030, 8, EDU_DMA_TO_MEMORY);
    cr_assert(eq(u64, readq(0x300030), 0));
    cr_assert(eq(u64, readq(FRCD + 8) & 0xffff, 0x0300));
}

Test(qtest_machine, dma_to_what_is_not_mapped_is_recorded_and_changes_nothing)
{
    edu_begin();
    tables_place();
    map(0x123456789000, 0x200000);
    transfer(EDU_BUFFER, 0x12345678a000, 8, EDU_DMA_TO_MEMORY);
    cr_assert(eq(u32, readl(FSTS), 2)); /* a fault is pending */
    cr_assert(eq(u64, readq(FRCD), 0x12345678a000));
    cr_assert(eq(u32, readl(FRCD + 8) & 0xffff, EDU_SLOT));
    cr_assert(eq(u32, readl(FRCD + 12) & 0xc00000ff, 0x80000005)); /* a write, reason 5 */
    writel(FRCD + 12, 0x80000000);
    cr_assert(eq(u32, readl(FSTS), 0));
}

/* ---- The invalidation queue ---- */

static void queue_put(unsigned index, uint64_t low, uint64_t high)
{
    writeq(QUEUE + index * 16, low);
    writeq(QUEUE + index * 16 + 8, high);
}

Test(qtest_machine, a_wait_descriptor_writes_its_status_behind_what_came_before)
{
    edu_begin();
    tables_place();
    map(0x40000000, 0x200000);
    writeq(0x200000, 1);
    transfer(0x40000000, EDU_BUFFER, 8, 0);
    map(0x40000000, 0x201000);
    writeq(0x201000, 0xabcd);
    writeq(IQA, QUEUE);
    writel(GCMD, G_TE | G_QIE);
    cr_assert(eq(u32, readl(GSTS) & G_QIE, G_QIE));
    queue_put(0, 0x2 | 1 << 4, 0); /* IOTLB, global */
    queue_put(1, 0x5 | 1 << 5 | UINT64_C(0x600d) << 32, 0x150000);
    writeq(IQT, 0x20);
    cr_assert(eq(u32, readl(0x150000), 0x600d));
    cr_assert(eq(u64, readq(IQH), 0x20));
    transfer(0x40000000, EDU_BUFFER, 8, 0);
    transfer(EDU_BUFFER, 0x40000100, 8, EDU_DMA_TO_MEMORY);
    cr_assert(eq(u64, readq(0x201100), 0xabcd));
}

Test(qtest_machine, a_descriptor_that_is_none_stops_the_queue_until_it_is_repaired)
{
    edu_begin();
    writeq(IQA, QUEUE);
    writel(GCMD, G_QIE);
    queue_put(0, 0xf, 0);
    writeq(IQT, 0x10);
    cr_assert(eq(u32, readl(FSTS) & 0x10, 0x10)); /* IQE */
    cr_assert(eq(u64, readq(IQH), 0));
    queue_put(0, 0x5 | 1 << 5 | UINT64_C(9) << 32, 0x150000);
    writel(FSTS, 0x10);
    writeq(IQT, 0x10);
    cr_assert(eq(u32, readl(0x150000), 9));
    cr_assert(eq(u32, readl(FSTS), 0));
}

/* ---- Interrupt remapping ---- */

#define IRTE_SOURCE(id) (UINT64_C(1) << 18 | (uint64_t)(id))

static void remapping_on(void)
{
    writeq(IRTA, INTERRUPTS | 7); /* 256 entries */
    writel(GCMD, G_SIRTP);
    writel(GCMD, G_IRE);
    cr_assert(eq(u32, readl(GSTS) & G_IRE, G_IRE));
}

static void entry_put(unsigned index, unsigned vector, uint64_t high)
{
    writeq(INTERRUPTS + index * 16, (uint64_t)vector << 16 | 1);
    writeq(INTERRUPTS + index * 16 + 8, high);
}

/* edu's MSI capability stands at 0x40. */
static void message_to(unsigned index)
{
    config_write(EDU_SLOT, 0x44, 0xfee00000 | index << 5 | 1 << 4);
    config_write(EDU_SLOT, 0x48, 0);
    config_write(EDU_SLOT, 0x4c, 0);
    config_write(EDU_SLOT, 0x40, 1 << 16);
}

Test(qtest_machine, a_device_s_message_becomes_the_vector_of_its_entry)
{
    edu_begin();
    remapping_on();
    entry_put(5, 0x61, IRTE_SOURCE(EDU_SLOT));
    message_to(5);
    writel(EDU + EDU_INTERRUPT_RAISE, 1);
    g_autofree char *now = vectors();
    cr_assert_str_eq(now, "97");
    cr_assert(eq(u32, readl(FSTS), 0));
}

Test(qtest_machine, a_message_of_another_source_is_blocked_and_recorded)
{
    edu_begin();
    remapping_on();
    entry_put(5, 0x61, IRTE_SOURCE(0x20));
    message_to(5);
    writel(EDU + EDU_INTERRUPT_RAISE, 1);
    g_autofree char *now = vectors();
    cr_assert_str_eq(now, "(none)");
    cr_assert(eq(u64, readq(FRCD), UINT64_C(5) << 48));
    cr_assert(eq(u64, readq(FRCD + 8) >> 32 & 0xff, 0x26));
    cr_assert(eq(u64, readq(FRCD + 8) & 0xffff, EDU_SLOT));
}

Test(qtest_machine, an_entry_that_is_not_present_is_recorded)
{
    edu_begin();
    remapping_on();
    message_to(9);
    writel(EDU + EDU_INTERRUPT_RAISE, 1);
    cr_assert(eq(u64, readq(FRCD + 8) >> 32 & 0xff, 0x22));
}

Test(qtest_machine, the_ioapic_sends_through_its_entry)
{
    edu_begin();
    remapping_on();
    entry_put(3, 0x72, IRTE_SOURCE(0xff00));
    writel(0xfec00000, IOAPIC_REG_TABLE + 2 * 5 + 1); /* pin 5: format, index 3 */
    writel(0xfec00010, 3 << 17 | 1 << 16);
    writel(0xfec00000, IOAPIC_REG_TABLE + 2 * 5);
    writel(0xfec00010, 0x72);
    expect("set_irq_in lines inputs 5 1", "OK");
    g_autofree char *now = vectors();
    cr_assert_str_eq(now, "114");
}

Test(qtest_machine, messages_of_the_old_format_are_blocked_while_it_is_not_allowed)
{
    edu_begin();
    remapping_on();
    config_write(EDU_SLOT, 0x44, 0xfee00000);
    config_write(EDU_SLOT, 0x4c, 0x41);
    config_write(EDU_SLOT, 0x40, 1 << 16);
    writel(EDU + EDU_INTERRUPT_RAISE, 1);
    g_autofree char *now = vectors();
    cr_assert_str_eq(now, "(none)");
    cr_assert(eq(u64, readq(FRCD + 8) >> 32 & 0xff, 0x25));
}

/* ---- Legacy virtio ---- */

#define PORTS 0xc000u
#define RING 0x10000u

static uint64_t in(const char *size, unsigned at)
{
    return number(say("in%s 0x%x", size, PORTS + at));
}

static void out(const char *size, unsigned at, unsigned value)
{
    number(say("out%s 0x%x 0x%x", size, PORTS + at, value));
}

/* A transitional device in slot 4 with queue `queue` at `ring`; the driver takes no feature.
 * Returns the queue's size. */
static unsigned legacy_begin(unsigned queue, unsigned ring)
{
    config_write(4 << 3, PCI_BASE_ADDRESS_0, PORTS | 1);
    config_enable(4 << 3);
    out("b", 18, 0);
    out("b", 18, 3);
    out("l", 4, 0);
    out("w", 14, queue);
    out("l", 8, ring >> 12);
    out("b", 18, 7);
    return (unsigned)in("w", 12);
}

static void descriptor(unsigned ring, unsigned index, uint64_t address, unsigned size,
                       unsigned flags, unsigned next)
{
    writeq(ring + index * 16, address);
    writel(ring + index * 16 + 8, size);
    writew(ring + index * 16 + 12, (uint16_t)flags);
    writew(ring + index * 16 + 14, (uint16_t)next);
}

Test(qtest_machine, a_disk_is_read_through_the_legacy_interface)
{
    unsigned size, used;

    begin("-M q35 -m 16 -drive if=none,id=d,file=null-co://,size=64K -device "
          "virtio-blk-pci,addr=4,drive=d");
    expect("irq_intercept_in ioapic", "OK");
    size = legacy_begin(0, RING);
    cr_assert(eq(uint, size, 256));
    cr_assert(eq(u64, in("l", 20), 128)); /* sectors */
    used = (RING + size * 16 + 6 + 2 * size + 4095) & ~4095u;
    writeq(0x20000, 1); /* write */
    writeq(0x20008, 5);
    expect("memset 0x21000 0x200 0x5a", "OK");
    descriptor(RING, 0, 0x20000, 16, 1, 1);
    descriptor(RING, 1, 0x21000, 512, 1, 2);
    descriptor(RING, 2, 0x22000, 1, 2, 0);
    writeb(0x22000, 0xff);
    writew(RING + size * 16 + 4, 0);
    writew(RING + size * 16 + 2, 1);
    g_autofree char *lines = say("outw 0x%x 0", PORTS + 16);
    cr_assert_str_eq(lines, "IRQ raise 20\nOK");
    cr_assert(eq(u16, readw(used + 2), 1));
    cr_assert(eq(u8, readb(0x22000), 0));
    expect("inb 0xc013", "IRQ lower 20\nOK 0x0001");
    writel(0x20000, 0); /* read */
    descriptor(RING, 1, 0x23000, 512, 3, 2);
    writew(RING + size * 16 + 6, 0);
    writew(RING + size * 16 + 2, 2);
    out("w", 16, 0);
    cr_assert(eq(u16, readw(used + 2), 2));
    cr_assert(eq(u64, readq(0x23000), UINT64_C(0x5a5a5a5a5a5a5a5a)));
}

Test(qtest_machine, frames_go_out_and_come_in_through_the_legacy_interface)
{
    g_autofree char *options = NULL;
    int sockets[2];
    uint8_t bytes[128];
    unsigned size;

    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0));
    options = g_strdup_printf("-M q35 -m 16 -netdev socket,id=n,fd=%d -device "
                              "virtio-net-pci,addr=4,netdev=n,mac=52:54:00:12:34:57",
                              sockets[0]);
    begin(options);
    size = legacy_begin(1, RING); /* transmit */
    out("w", 14, 0);
    out("l", 8, 0x40000 >> 12);
    cr_assert(eq(u64, in("b", 20), 0x52)); /* its address */
    expect("memset 0x20000 0x100 0", "OK");
    expect("memset 0x2000a 0x40 0x77", "OK");
    descriptor(RING, 0, 0x20000, 10 + 64, 0, 0); /* header without mergeable buffers */
    writew(RING + size * 16 + 4, 0);
    writew(RING + size * 16 + 2, 1);
    out("w", 16, 1);
    cr_assert(eq(int, (int)recv(sockets[1], bytes, sizeof bytes, MSG_DONTWAIT), 64));
    cr_assert(eq(u8, bytes[0], 0x77));
    descriptor(0x40000, 0, 0x30000, 2048, 2, 0);
    writew(0x40000 + size * 16 + 4, 0);
    writew(0x40000 + size * 16 + 2, 1);
    out("w", 16, 0);
    memset(bytes, 0xff, 6);
    cr_assert(eq(int, (int)send(sockets[1], bytes, 64, 0), 64));
    netdevs_receive(machine->netdevs, machine->machine);
    cr_assert(eq(u64, readq(0x3000a), UINT64_C(0x7777ffffffffffff)));
    close(sockets[1]);
}

Test(qtest_machine, devices_announce_where_they_are)
{
    int sockets[2];
    uint8_t bytes[128];
    g_autofree char *options = NULL;

    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0));
    options = g_strdup_printf("-M q35 -m 16 -netdev socket,id=n,fd=%d -device "
                              "virtio-net-pci,netdev=n,mac=52:54:00:12:34:57",
                              sockets[0]);
    begin(options);
    command_good("{\"execute\": \"qmp_capabilities\"}");
    command_good("{\"execute\": \"announce-self\", \"arguments\": {\"initial\": 50, \"rounds\": "
                 "2}}");
    cr_assert(eq(int, (int)recv(sockets[1], bytes, sizeof bytes, MSG_DONTWAIT), 64));
    cr_assert(eq(u8, bytes[3], 60)); /* the length comes first */
    cr_assert(eq(u8, bytes[4 + 12], 0x80));
    cr_assert(eq(u8, bytes[4 + 13], 0x35));
    cr_assert(lt(int, (int)recv(sockets[1], bytes, sizeof bytes, MSG_DONTWAIT), 0));
    step(50000000);
    cr_assert(eq(int, (int)recv(sockets[1], bytes, sizeof bytes, MSG_DONTWAIT), 64));
    close(sockets[1]);
}

Test(qtest_machine, a_hub_joins_devices_and_a_peer)
{
    int sockets[2];
    uint8_t bytes[128];
    g_autofree char *options = NULL;

    cr_assert(eq(int, socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0));
    options =
        g_strdup_printf("-M q35 -m 16 -netdev socket,id=n,fd=%d -netdev "
                        "hubport,id=h0,hubid=1,netdev=n -netdev hubport,id=h1,hubid=1 -device "
                        "virtio-net-pci,netdev=h1",
                        sockets[0]);
    begin(options);
    command_good("{\"execute\": \"qmp_capabilities\"}");
    command_good("{\"execute\": \"announce-self\", \"arguments\": {\"rounds\": 1}}");
    cr_assert(eq(int, (int)recv(sockets[1], bytes, sizeof bytes, MSG_DONTWAIT), 60));
    close(sockets[1]);
}

/* ---- The other board ---- */

Test(qtest_machine, the_pc_has_a_440fx_and_a_piix3)
{
    begin("-M pc -m 16 -device edu");
    cr_assert(eq(u32, config_read(0x00, 0), 0x12378086));
    cr_assert(eq(u32, config_read(0x08, 0), 0x70008086));
    cr_assert(eq(u32, config_read(0x09, 0), 0x70108086));
    cr_assert(eq(u32, config_read(0x0b, 0), 0x71138086));
    cr_assert(eq(u32, config_read(0x10, 0), 0x11e81234)); /* the first free slot */
    config_write(0x0b, 0x40, 0x601);
    config_write(0x0b, 0x80, 1);
    step(1000000);
    cr_assert(gt(u64, number(say("inl 0x608")), 0)); /* the timer runs */
}

Test(qtest_machine, a_slot_s_interrupt_takes_the_way_that_the_piix3_routes)
{
    begin("-M pc -m 16 -device edu,addr=3");
    config_write(EDU_SLOT, PCI_BASE_ADDRESS_0, EDU);
    config_enable(EDU_SLOT);
    expect("irq_intercept_in ioapic", "OK");
    expect("writel 0xe0000060 0x1", "OK"); /* not routed anywhere */
    config_read(0x08, 0x60);
    expect("outl 0xcfc 0x800b8080", "IRQ raise 11\nOK"); /* PIRQC, slot 3's INTA, to interrupt 11 */
    expect("writel 0xe0000064 0x1", "IRQ lower 11\nOK");
}
