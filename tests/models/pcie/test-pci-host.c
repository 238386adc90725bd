/* SPDX-License-Identifier: Apache-2.0 */
/* The root complex: configuration by ports and by memory, decoding, interrupt lines, firmware. */
#include "tests/models/bench.h"

#include "tests/core/pci/fixture.h"

static struct bench *bench;
static IovModel *host, *ram;
static struct iov_pci_bus *root;
static struct iov_mem_target *ports, *ecam, *window, *io;
static struct bench_recorder registers;
static struct bench_line lines[8];
static struct card nic, disk, absent;

static const struct iov_pci_capability capabilities[] = {
    IOV_PCI_MSI(.vectors = 1),
    IOV_PCI_SERIAL(.serial = 0x1122334455667788),
};

static void setup(void)
{
    struct iov_pci_bar bars[] = {
        { .index = 0, .size = 0x20000, .target = &registers.port },
        { .index = 1, .flags = IOV_PCI_BAR_IO, .size = 64, .target = &registers.port },
        { .index = 2,
          .flags = IOV_PCI_BAR_64 | IOV_PCI_BAR_PREFETCH,
          .size = 0x4000,
          .target = &registers.port },
        { .size = 0 },
    };
    struct iov_pci_header conventional = card_header;

    conventional.conventional = true;
    bench = bench_new(NULL);
    host = bench_add(bench, "pci-host", "host");
    bench_string(host, "interrupt-routing", "ich9");
    ram = bench_add(bench, "dram", "ram");
    bench_number(ram, "size", 1 << 20);
    bench_prepare(bench);
    bench_wire(host, "bus", ram, "port");
    for (unsigned i = 0; i < 8; i++) {
        char name[] = { 'p', 'i', 'r', 'q', '-', (char)('a' + i), '\0' };
        struct iov_irq_source *source = iov_model_port(host, name, 0);

        lines[i] = (struct bench_line){ .sink.ops = &bench_line_ops, .kernel = bench->run.kernel };
        source->peer = &lines[i].sink;
    }
    root = iov_model_port(host, "slots", 0);
    registers = (struct bench_recorder){ .port.ops = &bench_recorder_ops };
    card_init(&nic, &card_header, bars, capabilities, G_N_ELEMENTS(capabilities));
    card_init(&disk, &conventional, bars, NULL, 0);
    card_init(&absent, &card_header, NULL, NULL, 0);
    cr_assert(iov_pci_plug(root, &nic.function, 0x20));
    cr_assert(iov_pci_plug(root, &disk.function, 0x28));
    ports = iov_model_port(host, "config-io", 0);
    ecam = iov_model_port(host, "ecam", 0);
    window = iov_model_port(host, "memory", 0);
    io = iov_model_port(host, "io", 0);
}

static void teardown(void)
{
    card_clear(&nic);
    card_clear(&disk);
    card_clear(&absent);
    bench_free(bench);
}

TestSuite(pci_host, .init = setup, .fini = teardown);

static uint32_t get(struct iov_mem_target *target, uint64_t address, uint32_t size)
{
    struct iov_mem_initiator initiator = { target };
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(address, &value, size);

    (void)iov_mem_read_req(&initiator, &req);
    return (uint32_t)value;
}

static void set(struct iov_mem_target *target, uint64_t address, uint32_t size, uint32_t value)
{
    struct iov_mem_req req = bench_req(address, &value, size);

    (void)target->ops->write(target, &req);
}

Test(pci_host, cf8_selects_and_cfc_reads)
{
    set(ports, 0, 4, 0x80002000);
    cr_assert(eq(u32, get(ports, 0, 4), 0x80002000));
    cr_assert(eq(u32, get(ports, 4, 4), 0x10c98086));
    cr_assert(eq(u32, get(ports, 6, 2), 0x10c9));
    cr_assert(eq(u32, get(ports, 5, 1), 0x80));
    set(ports, 0, 4, 0x80003000);
    cr_assert(eq(u32, get(ports, 4, 4), 0xffffffff));
    set(ports, 0, 4, 0x80012000);
    cr_assert(eq(u32, get(ports, 4, 4), 0xffffffff));
}

Test(pci_host, without_the_enable_bit_nobody_answers)
{
    set(ports, 0, 4, 0x00002000);
    cr_assert(eq(u32, get(ports, 0, 4), 0x00002000));
    cr_assert(eq(u32, get(ports, 4, 4), 0xffffffff));
    set(ports, 4, 4, 0);
    cr_assert(eq(u64, bench_stat(host, "config-accesses"), 0));
}

Test(pci_host, the_low_two_bits_of_the_address_select_the_byte)
{
    set(ports, 0, 4, 0x80002001);
    cr_assert(eq(u32, get(ports, 4, 1), 0x80));
    set(ports, 0, 4, 0x80002002);
    cr_assert(eq(u32, get(ports, 4, 2), 0x10c9));
    cr_assert(eq(u32, get(ports, 5, 1), 0x10));
}

Test(pci_host, bytes_and_words_do_not_change_the_address_register)
{
    set(ports, 0, 4, 0x80002002);
    set(ports, 0, 1, 0xff);
    set(ports, 0, 2, 0xffff);
    cr_assert(eq(u32, get(ports, 0, 4), 0x80002002));
    cr_assert(eq(u32, get(ports, 0, 1), 0x02));
    cr_assert(eq(u32, get(ports, 0, 2), 0x2002));
    set(ports, 1, 1, 0x0a); /* the reset control register */
    cr_assert(eq(u32, get(ports, 1, 1), 0x0a));
    cr_assert(eq(u32, get(ports, 0, 4), 0x80002002));
}

Test(pci_host, the_ecam_window_shows_all_4096_bytes)
{
    cr_assert(eq(u32, get(ecam, 0x20000, 4), 0x10c98086));
    cr_assert(eq(u32, get(ecam, 0x20100, 4), 0x00010003));
    cr_assert(eq(u32, get(ecam, 0x20104, 4), 0x55667788));
    cr_assert(eq(u32, get(ecam, 0x28100, 4), 0xffffffff)); /* conventional: no more than 256 */
    cr_assert(eq(u32, get(ecam, 0x120000, 4), 0xffffffff));
    set(ecam, 0x2003c, 1, 9);
    cr_assert(eq(u32, get(ecam, 0x2003c, 2), 0x0109));
}

Test(pci_host, an_ecam_access_of_eight_bytes_is_two)
{
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(0x20000, &value, 8);

    cr_assert(eq(int, ecam->ops->read(ecam, &req), IOV_STATUS_OK));
    cr_assert(eq(u64, value, 0x0010000010c98086));
    cr_assert(eq(u64, bench_stat(host, "config-accesses"), 2));
}

Test(pci_host, accesses_reach_what_a_function_decodes)
{
    set(ecam, 0x20010, 4, 0xfeb00000);
    cr_assert(eq(u32, get(window, 0xfeb00010, 4), 0xffffffff));
    set(ecam, 0x20004, 2, 7);
    set(window, 0xfeb00010, 4, 1);
    cr_assert(eq(uint, registers.count, 1));
    cr_assert(eq(u64, registers.records[0].address, 0x10));
    set(ecam, 0x20014, 4, 0xc001);
    set(io, 0xc004, 4, 1);
    cr_assert(eq(u64, registers.records[1].address, 4));
    cr_assert(eq(u64, bench_stat(host, "unclaimed"), 1));
}

Test(pci_host, dma_goes_to_memory)
{
    uint32_t value = 0x12345678;
    struct iov_mem_req req = bench_req(0x1000, &value, 4);

    cr_assert(eq(int, iov_mem_write_req(&nic.dma, &req), IOV_STATUS_OK));
    value = 0;
    cr_assert(eq(int, iov_mem_read_req(&nic.dma, &req), IOV_STATUS_OK));
    cr_assert(eq(u32, value, 0x12345678));
}

Test(pci_host, slots_drive_lines_e_to_h_and_chipset_devices_a_to_d)
{
    iov_irq_set(&nic.interrupt, true, NULL); /* device 4, INTA */
    cr_assert(lines[4].level);
    iov_irq_set(&disk.interrupt, true, NULL); /* device 5 */
    cr_assert(lines[5].level);
    iov_irq_set(&nic.interrupt, false, NULL);
    cr_assert(not(lines[4].level));
    cr_assert(iov_pci_plug(root, &absent.function, 0xfa)); /* 31.2 */
    iov_irq_set(&absent.interrupt, true, NULL);
    cr_assert(lines[0].level);
}

Test(pci_host, a_line_stays_up_until_its_last_function_lets_go)
{
    cr_assert(iov_pci_plug(root, &absent.function, 0x40)); /* device 8: shares with device 4 */
    iov_irq_set(&nic.interrupt, true, NULL);
    iov_irq_set(&absent.interrupt, true, NULL);
    iov_irq_set(&nic.interrupt, false, NULL);
    cr_assert(lines[4].level);
    iov_pci_unplug(&absent.function);
    cr_assert(not(lines[4].level));
}

Test(pci_host, firmware_gives_the_largest_bar_the_beginning_of_the_window)
{
    bench_number(host, "firmware", true);
    bench_start(bench);
    cr_assert(eq(u64, iov_pci_bar_address(&nic.space, 0), 0xf0000000));
    cr_assert(eq(u64, iov_pci_bar_address(&disk.space, 0), 0xf0020000));
    cr_assert(eq(u64, iov_pci_bar_address(&nic.space, 1), 0xc000));
    cr_assert(eq(u64, iov_pci_bar_address(&disk.space, 1), 0xc040));
    cr_assert(eq(u64, iov_pci_bar_address(&nic.space, 2), 0x380000000000));
    cr_assert(eq(u64, bench_stat(host, "unassigned"), 0));
}

Test(pci_host, a_function_s_owner_finds_its_address_while_it_is_realized)
{
    bench_number(host, "firmware", true);
    cr_assert(iov_model_realize(host, NULL));
    cr_assert(eq(u64, iov_pci_bar_address(&disk.space, 0), 0xf0020000));
}

Test(pci_host, a_function_that_is_wired_without_a_place_gets_the_next_free_one)
{
    struct iov_pci_function *functions[3];

    for (unsigned i = 0; i < 3; i++) {
        IovModel *port = bench_add(bench, "root-port", "port");

        cr_assert(iov_model_prepare(port, NULL));
        bench_wire(host, "slots", port, "pci");
        functions[i] = iov_model_port(port, "pci", 0);
    }
    for (unsigned i = 0; i < 3; i++)
        cr_assert(eq(uint, functions[i]->devfn, i));
}

Test(pci_host, what_finds_no_room_is_counted_and_not_decoded)
{
    bench_number(host, "firmware", true);
    bench_number(host, "memory-window-size", 0x20000);
    bench_start(bench);
    cr_assert(eq(u64, iov_pci_bar_address(&disk.space, 0), UINT64_MAX));
    cr_assert(eq(u64, bench_stat(host, "unassigned"), 1));
}
