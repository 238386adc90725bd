/* SPDX-License-Identifier: Apache-2.0 */
/* Ports as bridges: a root port with a card, and a switch with two, numbered and opened by firmware
 * or by hand. */
#include "tests/models/bench.h"

#include "tests/core/pci/fixture.h"

static struct bench *bench;
static IovModel *host, *port, *upstream, *left, *right, *ram;
static struct iov_mem_target *ecam, *window;
static struct bench_line line_b;
static struct bench_recorder registers;
static struct card nic, far, near;

static const struct bench_cost costs[] = {
    { "pcie-link-latency", 55 * IOV_NS },
    { "pcie-root-complex", 312 * IOV_NS },
    { "pcie-posted-write", 100 * IOV_NS },
    { "pcie-switch-port", 75 * IOV_NS },
    { NULL, 0 },
};

static const struct iov_pci_capability capabilities[] = {
    IOV_PCI_EXPRESS(.type = PCI_EXP_TYPE_ENDPOINT, .generation = 3, .lanes = 8),
    IOV_PCI_ARI(.next_function = 0),
};

/* 00:01.0 root port, nic behind it; 00:02.0 root port, the switch behind it with `near` and
 * `far`. */
static void setup(void)
{
    struct iov_pci_bar bars[] = {
        { .index = 0, .size = 0x20000, .target = &registers.port },
        { .index = 2,
          .flags = IOV_PCI_BAR_64 | IOV_PCI_BAR_PREFETCH,
          .size = 0x400000,
          .target = &registers.port },
        { .index = 4, .flags = IOV_PCI_BAR_IO, .size = 32, .target = &registers.port },
        { .size = 0 },
    };
    IovModel *second;

    bench = bench_new(costs);
    host = bench_add(bench, "pci-host", "host");
    port = bench_add(bench, "root-port", "port");
    second = bench_add(bench, "root-port", "second");
    upstream = bench_add(bench, "switch-upstream", "upstream");
    left = bench_add(bench, "switch-downstream", "left");
    right = bench_add(bench, "switch-downstream", "right");
    ram = bench_add(bench, "dram", "ram");
    bench_number(ram, "size", 1 << 20);
    bench_prepare(bench);
    bench_wire(host, "bus", ram, "port");
    bench_wire_at(host, "slots", port, "pci", 0x08);
    bench_wire_at(host, "slots", second, "pci", 0x10);
    bench_wire_at(second, "slots", upstream, "pci", 0x00);
    bench_wire_at(upstream, "slots", left, "pci", 0x00);
    bench_wire_at(upstream, "slots", right, "pci", 0x08);
    bench_line_connect(bench, &line_b, host, "pirq-d");
    registers = (struct bench_recorder){ .port.ops = &bench_recorder_ops };
    card_init(&nic, &card_header, bars, capabilities, G_N_ELEMENTS(capabilities));
    card_init(&near, &card_header, bars, capabilities, G_N_ELEMENTS(capabilities));
    card_init(&far, &card_header, bars, capabilities, G_N_ELEMENTS(capabilities));
    cr_assert(iov_pci_plug(iov_model_port(port, "slots", 0), &nic.function, 0));
    cr_assert(iov_pci_plug(iov_model_port(left, "slots", 0), &near.function, 0));
    cr_assert(iov_pci_plug(iov_model_port(right, "slots", 0), &far.function, 0));
    ecam = iov_model_port(host, "ecam", 0);
    window = iov_model_port(host, "memory", 0);
}

static void start(bool firmware)
{
    bench_number(host, "firmware", firmware);
    bench_start(bench);
}

static void teardown(void)
{
    card_clear(&nic);
    card_clear(&near);
    card_clear(&far);
    bench_free(bench);
}

TestSuite(bridge, .init = setup, .fini = teardown);

static uint64_t place(unsigned bus, unsigned device, unsigned function, unsigned at)
{
    return (uint64_t)bus << 20 | device << 15 | function << 12 | at;
}

static uint32_t get(uint64_t at, uint32_t size)
{
    struct iov_mem_initiator initiator = { ecam };
    uint64_t value = 0;
    struct iov_mem_req req = bench_req(at, &value, size);

    (void)iov_mem_read_req(&initiator, &req);
    return (uint32_t)value;
}

static void set(uint64_t at, uint32_t size, uint32_t value)
{
    struct iov_mem_req req = bench_req(at, &value, size);

    (void)ecam->ops->write(ecam, &req);
}

static iov_time access_window(uint64_t address, bool write, enum iov_status wanted)
{
    uint32_t value = 0;
    struct iov_mem_req req = bench_req(address, &value, 4);

    cr_assert(eq(int, write ? window->ops->write(window, &req) : window->ops->read(window, &req),
                 wanted));
    return req.delay;
}

Test(bridge, a_bus_is_reached_once_software_has_numbered_it)
{
    start(false);
    cr_assert(eq(u32, get(place(0, 1, 0, 0), 4), 0x34208086));
    cr_assert(eq(u32, get(place(0, 1, 0, 0xe), 1), 1));
    cr_assert(eq(u32, get(place(5, 0, 0, 0), 4), 0xffffffff));
    set(place(0, 1, 0, PCI_PRIMARY_BUS), 4, 0x00050500);
    cr_assert(eq(u32, get(place(5, 0, 0, 0), 4), 0x10c98086));
    cr_assert(eq(uint, nic.function.requester, 0x0500));
    cr_assert(eq(u32, get(place(6, 0, 0, 0), 4), 0xffffffff));
    set(place(0, 1, 0, PCI_SECONDARY_BUS), 1, 6); /* 6 to 5: no bus at all */
    cr_assert(eq(u32, get(place(6, 0, 0, 0), 4), 0xffffffff));
}

Test(bridge, below_a_link_there_is_device_0_only_without_ari)
{
    struct card more;
    uint16_t control = PCI_EXP_DEVCTL2 + 0x90;

    start(true);
    card_init(&more, &card_header, NULL, NULL, 0);
    cr_assert(iov_pci_plug(iov_model_port(port, "slots", 0), &more.function, 0x80));
    cr_assert(eq(u32, get(place(1, 16, 0, 0), 4), 0x10c98086)); /* firmware saw an ARI function */
    set(place(0, 1, 0, control), 2, 0);
    cr_assert(eq(u32, get(place(1, 16, 0, 0), 4), 0xffffffff));
    card_clear(&more);
}

Test(bridge, firmware_numbers_depth_first)
{
    start(true);
    cr_assert(eq(u32, get(place(0, 1, 0, PCI_PRIMARY_BUS), 4), 0x00010100));
    cr_assert(eq(u32, get(place(0, 2, 0, PCI_PRIMARY_BUS), 4), 0x00050200));
    cr_assert(eq(u32, get(place(2, 0, 0, PCI_PRIMARY_BUS), 4), 0x00050302));
    cr_assert(eq(u32, get(place(3, 0, 0, PCI_PRIMARY_BUS), 4), 0x00040403));
    cr_assert(eq(u32, get(place(3, 1, 0, PCI_PRIMARY_BUS), 4), 0x00050503));
    cr_assert(eq(u32, get(place(5, 0, 0, 0), 4), 0x10c98086));
    cr_assert(eq(uint, far.function.requester, 0x0500));
    cr_assert(eq(u64, bench_stat(host, "unassigned"), 0));
}

Test(bridge, firmware_opens_windows_that_hold_what_is_behind)
{
    start(true);
    /* The switch's window is the larger one and comes first. */
    cr_assert(eq(u64, iov_pci_bar_address(&near.space, 0), 0xf0000000));
    cr_assert(eq(u64, iov_pci_bar_address(&far.space, 0), 0xf0100000));
    cr_assert(eq(u64, iov_pci_bar_address(&nic.space, 0), 0xf0200000));
    cr_assert(eq(u64, iov_pci_bar_address(&near.space, 2), 0x380000000000));
    cr_assert(eq(u64, iov_pci_bar_address(&far.space, 2), 0x380000400000));
    cr_assert(eq(u64, iov_pci_bar_address(&near.space, 4), 0xc000));
    cr_assert(eq(u64, iov_pci_bar_address(&far.space, 4), 0xd000));
    access_window(0xf0100010, true, IOV_STATUS_OK);
    cr_assert(eq(uint, registers.count, 1));
    cr_assert(eq(u64, registers.records[0].address, 0x10));
    access_window(0x380000400020, true, IOV_STATUS_OK);
    cr_assert(eq(u64, registers.records[1].address, 0x20));
    access_window(0xf0300000, false, IOV_STATUS_UNSUPPORTED);
}

Test(bridge, a_closed_window_lets_nothing_through)
{
    start(true);
    set(place(0, 1, 0, PCI_COMMAND), 2, PCI_COMMAND_MASTER);
    access_window(0xf0200000, false, IOV_STATUS_UNSUPPORTED);
    set(place(0, 1, 0, PCI_COMMAND), 2, PCI_COMMAND_MASTER | PCI_COMMAND_MEMORY);
    access_window(0xf0200000, false, IOV_STATUS_OK);
    set(place(0, 1, 0, PCI_MEMORY_LIMIT), 2, 0);
    access_window(0xf0200000, false, IOV_STATUS_UNSUPPORTED);
}

Test(bridge, a_read_takes_the_time_of_every_link_and_switch_port)
{
    iov_time direct, through;

    start(true);
    direct = access_window(0xf0200000, false, IOV_STATUS_OK);
    through = access_window(0xf0000000, false, IOV_STATUS_OK);
    cr_assert(ge(u64, direct, 2 * (55 + 312) * IOV_NS));
    /* One link and two switch ports more, both ways, and few bytes on the link. */
    cr_assert(ge(u64, through - direct, 2 * (55 + 150) * IOV_NS));
    cr_assert(le(u64, through - direct, 2 * (55 + 150 + 8) * IOV_NS));
    cr_assert(eq(u64, access_window(0xf0000000, true, IOV_STATUS_OK), 100 * IOV_NS));
}

Test(bridge, configuration_accesses_are_answered_and_take_their_time)
{
    uint32_t value = 0;
    struct iov_mem_req req = bench_req(place(1, 0, 0, 0x3c), &value, 4);

    start(true);
    cr_assert(eq(int, ecam->ops->write(ecam, &req), IOV_STATUS_OK));
    cr_assert(ge(u64, req.delay, 2 * (55 + 312) * IOV_NS));
}

Test(bridge, dma_passes_while_every_bridge_is_bus_master)
{
    uint32_t value = 0x1234;
    struct iov_mem_req req = bench_req(0x1000, &value, 4);

    start(true);
    req.requester = far.function.requester;
    cr_assert(eq(int, iov_mem_write_req(&far.dma, &req), IOV_STATUS_OK));
    set(place(2, 0, 0, PCI_COMMAND), 2, PCI_COMMAND_MEMORY);
    req = bench_req(0x1000, &value, 4);
    req.requester = far.function.requester;
    cr_assert(eq(int, iov_mem_read_req(&far.dma, &req), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(u64, bench_stat(upstream, "blocked"), 1));
}

Test(bridge, source_validation_stops_and_reports_a_function_that_lies)
{
    uint32_t value = 0;
    struct iov_mem_req req = bench_req(0x1000, &value, 4);

    start(true);
    set(place(0, 1, 0, 0x150 + PCI_ACS_CTRL), 2, PCI_ACS_SV);
    set(place(0, 1, 0, 0x90 + PCI_EXP_DEVCTL), 2, PCI_EXP_DEVCTL_NFERE);
    req.requester = 0x0100;
    cr_assert(eq(int, iov_mem_write_req(&nic.dma, &req), IOV_STATUS_OK));
    req.requester = 0x0500;
    cr_assert(eq(int, iov_mem_write_req(&nic.dma, &req), IOV_STATUS_UNSUPPORTED));
    cr_assert(eq(u32, get(place(0, 1, 0, 0x104), 4), PCI_ERR_UNC_ACSV));
}

Test(bridge, an_error_of_a_function_is_heard_by_its_root_port)
{
    start(true);
    set(place(5, 0, 0, 0x40 + PCI_EXP_DEVCTL), 2, PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_URRE);
    iov_pci_error(&far.space, false, PCI_ERR_UNC_UNSUP, NULL);
    cr_assert(eq(u32, get(place(0, 2, 0, 0x100 + PCI_ERR_ROOT_STATUS), 4),
                 PCI_ERR_ROOT_UNCOR_RCV | PCI_ERR_ROOT_NONFATAL_RCV));
    cr_assert(eq(u32, get(place(0, 2, 0, 0x100 + PCI_ERR_ROOT_ERR_SRC), 4), 0x05000000));
    set(place(0, 2, 0, 0x100 + PCI_ERR_ROOT_STATUS), 4, 0x7f);
    cr_assert(eq(u32, get(place(0, 2, 0, 0x100 + PCI_ERR_ROOT_STATUS), 4), 0));
}

Test(bridge, a_root_port_announces_errors_by_msi_if_it_is_told_to)
{
    uint32_t word = 0;
    struct iov_mem_req req = bench_req(0x2000, &word, 4);
    struct iov_mem_target *memory = iov_model_port(ram, "port", 0);

    start(true);
    set(place(5, 0, 0, 0x40 + PCI_EXP_DEVCTL), 2, PCI_EXP_DEVCTL_CERE);
    set(place(0, 2, 0, 0x60 + PCI_MSI_ADDRESS_LO), 4, 0x2000);
    set(place(0, 2, 0, 0x60 + PCI_MSI_DATA_32), 2, 0x4321);
    set(place(0, 2, 0, 0x60 + PCI_MSI_FLAGS), 2, PCI_MSI_FLAGS_ENABLE);
    iov_pci_error(&far.space, true, PCI_ERR_COR_RCVR, NULL);
    (void)memory->ops->read(memory, &req);
    cr_assert(eq(u32, word, 0));
    set(place(0, 2, 0, 0x100 + PCI_ERR_ROOT_COMMAND), 4, PCI_ERR_ROOT_CMD_COR_EN);
    iov_pci_error(&far.space, true, PCI_ERR_COR_RCVR, NULL);
    (void)memory->ops->read(memory, &req);
    cr_assert(eq(u32, word, 0x4321));
}

Test(bridge, intx_is_turned_at_every_bridge_and_arrives_after_the_links)
{
    start(true);
    /* Slot 0 of `right`, device 1 in the switch, device 0 below 00:02.0: A, B, B, then line D. */
    iov_irq_set(&far.interrupt, true, NULL);
    cr_assert(not(line_b.level));
    iov_kernel_run(bench->run.kernel);
    cr_assert(line_b.level);
    cr_assert(ge(u64, line_b.last, (55 + 75 + 75 + 55 + 312) * IOV_NS));
    iov_irq_set(&far.interrupt, false, NULL);
    iov_kernel_run(bench->run.kernel);
    cr_assert(not(line_b.level));
}

Test(bridge, a_secondary_bus_reset_reaches_every_function_behind)
{
    start(true);
    set(place(0, 2, 0, PCI_BRIDGE_CONTROL), 2, PCI_BRIDGE_CTL_BUS_RESET);
    cr_assert(eq(u64, iov_pci_bar_address(&far.space, 0), UINT64_MAX));
    cr_assert(eq(u64, iov_pci_bar_address(&near.space, 0), UINT64_MAX));
    cr_assert(eq(u32, get(place(2, 0, 0, PCI_PRIMARY_BUS), 4), 0));
    cr_assert(eq(u32, get(place(3, 0, 0, 0), 4), 0xffffffff));
    cr_assert(eq(u64, iov_pci_bar_address(&nic.space, 0), 0xf0200000));
}

Test(bridge, presence_shows_in_the_slot)
{
    start(false);
    cr_assert(eq(u32, get(place(0, 1, 0, 0x90 + PCI_EXP_SLTSTA), 2), PCI_EXP_SLTSTA_PDS));
}

Test(bridge, a_card_that_comes_or_goes_is_announced)
{
    uint32_t word = 0;
    struct iov_mem_req req = bench_req(0x2000, &word, 4);
    struct iov_mem_target *memory = iov_model_port(ram, "port", 0);

    start(true);
    set(place(0, 1, 0, 0x60 + PCI_MSI_ADDRESS_LO), 4, 0x2000);
    set(place(0, 1, 0, 0x60 + PCI_MSI_DATA_32), 2, 0x77);
    set(place(0, 1, 0, 0x60 + PCI_MSI_FLAGS), 2, PCI_MSI_FLAGS_ENABLE);
    set(place(0, 1, 0, 0x90 + PCI_EXP_SLTCTL), 2, PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_PDCE);
    iov_pci_unplug(&nic.function);
    cr_assert(eq(u32, get(place(0, 1, 0, 0x90 + PCI_EXP_SLTSTA), 2),
                 PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC));
    cr_assert(eq(u32, get(place(1, 0, 0, 0), 4), 0xffffffff));
    (void)memory->ops->read(memory, &req);
    cr_assert(eq(u32, word, 0x77));
    set(place(0, 1, 0, 0x90 + PCI_EXP_SLTSTA), 2, PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
    cr_assert(eq(u32, get(place(0, 1, 0, 0x90 + PCI_EXP_SLTSTA), 2), 0));
    cr_assert(iov_pci_plug(iov_model_port(port, "slots", 0), &nic.function, 0));
    cr_assert(ne(u32, get(place(0, 1, 0, 0x90 + PCI_EXP_SLTSTA), 2) & PCI_EXP_SLTSTA_PDS, 0));
    cr_assert(eq(u32, get(place(1, 0, 0, 0), 4), 0x10c98086));
}
