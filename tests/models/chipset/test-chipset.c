/* SPDX-License-Identifier: Apache-2.0 */
/* Fixed functions of a Q35 board: what their configuration space holds after power on, and what
 * chipset registers move. */
#include "tests/models/bench.h"

#include "core/pci/bus.h"
#include "core/pci/space.h"

static struct bench *bench;
static IovModel *host, *mch, *lpc, *acpi;
static struct iov_mem_target *ecam, *memory, *io;
static struct bench_recorder registers;
static struct bench_line pin, isa;

/* What is not zero in the first 256 bytes, as a machine of the same kind was seen to have it. */
struct dump {
    const char *kind;
    struct {
        unsigned at;
        uint32_t value;
    } rows[20];
};

static const struct dump dumps[] = {
    { "q35-mch",
      { { 0x00, 0x29c08086 },
        { 0x08, 0x06000000 },
        { 0x2c, 0x11001af4 },
        { 0x50, 0x10 },
        { 0x60, 0xb0000000 },
        { 0x9c, 0x00380200 } } },
    { "ich9-lpc",
      { { 0x00, 0x29188086 },
        { 0x08, 0x06010002 },
        { 0x0c, 0x00800000 },
        { 0x2c, 0x11001af4 },
        { 0x40, 1 },
        { 0x60, 0x80808080 },
        { 0x68, 0x80808080 } } },
    { "ahci",
      { { 0x00, 0x29228086 },
        { 0x04, 0x00100000 },
        { 0x08, 0x01060102 },
        { 0x20, 1 },
        { 0x2c, 0x11001af4 },
        { 0x34, 0x80 },
        { 0x3c, 0x100 },
        { 0x80, 0x0080a805 },
        { 0x90, 0x40 },
        { 0xa8, 0x00100012 },
        { 0xac, 0x48 } } },
    { "ich9-smbus",
      { { 0x00, 0x29308086 },
        { 0x08, 0x0c050002 },
        { 0x0c, 0x00800000 },
        { 0x20, 1 },
        { 0x2c, 0x11001af4 },
        { 0x3c, 0x100 } } },
};

static void setup(void)
{
    bench = bench_new(NULL);
    host = bench_add(bench, "pci-host", "host");
    mch = bench_add(bench, "q35-mch", "mch");
    lpc = bench_add(bench, "ich9-lpc", "lpc");
    acpi = bench_add(bench, "bus", "acpi");
    bench_prepare(bench);
    bench_wire_at(host, "slots", mch, "pci", 0);
    bench_wire_at(host, "slots", lpc, "pci", 0xf8);
    bench_wire(mch, "ecam", host, "ecam");
    bench_wire(lpc, "acpi", acpi, "port");
    bench_wire_at(host, "pirq-c", lpc, "pirq", 2);
    registers = (struct bench_recorder){ .port.ops = &bench_recorder_ops };
    cr_assert(iov_mem_map_add(iov_model_port(acpi, "windows", 0), 0, 128, &registers.port));
    bench_start(bench);
    ecam = iov_model_port(host, "ecam", 0);
    memory = iov_model_port(host, "memory", 0);
    io = iov_model_port(host, "io", 0);
}

static void teardown(void)
{
    bench_free(bench);
}

TestSuite(chipset, .init = setup, .fini = teardown);

static uint32_t get(struct iov_mem_target *target, uint64_t address)
{
    struct iov_mem_initiator initiator = { target };
    uint32_t value = 0;
    struct iov_mem_req req = bench_req(address, &value, 4);

    (void)iov_mem_read_req(&initiator, &req);
    return value;
}

static void set(struct iov_mem_target *target, uint64_t address, uint32_t value)
{
    struct iov_mem_req req = bench_req(address, &value, 4);

    (void)target->ops->write(target, &req);
}

Test(chipset, every_function_begins_as_on_the_board)
{
    for (size_t i = 2; i < G_N_ELEMENTS(dumps); i++) { /* the first two are there */
        IovModel *model = bench_add(bench, dumps[i].kind, dumps[i].kind);

        cr_assert(iov_model_prepare(model, NULL));
        bench_wire_at(host, "slots", model, "pci", 8 * (unsigned)i);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(dumps); i++) {
        uint64_t base = i == 0 ? 0 : i == 1 ? 0xf8000 : (uint64_t)i << 15;
        size_t row = 0;

        for (unsigned at = 0; at < 256; at += 4) {
            uint32_t wanted = 0;

            if (row < G_N_ELEMENTS(dumps[i].rows) && dumps[i].rows[row].at == at)
                wanted = dumps[i].rows[row++].value;
            cr_assert(eq(u32, get(ecam, base + at), wanted), "%s 0x%x", dumps[i].kind, at);
            if (row > 0 && row < G_N_ELEMENTS(dumps[i].rows) && dumps[i].rows[row].at == 0)
                row = G_N_ELEMENTS(dumps[i].rows);
        }
    }
}

Test(chipset, pciexbar_puts_configuration_into_memory)
{
    cr_assert(eq(u32, get(memory, 0xb0000000), 0xffffffff));
    set(ecam, 0x60, 0xb0000001);
    cr_assert(eq(u32, get(memory, 0xb0000000), 0x29c08086));
    cr_assert(eq(u32, get(memory, 0xb00f8000), 0x29188086));
    cr_assert(eq(u32, get(memory, 0xbfffffff & ~3u), 0xffffffff));
    set(memory, 0xb0000064, 1); /* moves it, by itself: above 4 GiB */
    cr_assert(eq(u32, get(memory, 0xb0000000), 0xffffffff));
    cr_assert(eq(u32, get(memory, 0x1b0000000), 0x29c08086));
}

Test(chipset, a_shorter_ecam_window_claims_less)
{
    set(ecam, 0x60, 0xe4000005); /* 64 MiB */
    cr_assert(eq(u32, get(memory, 0xe4000000), 0x29c08086));
    cr_assert(eq(u32, get(memory, 0xe8000000), 0xffffffff));
    set(ecam, 0x60, 0xe4000007); /* reserved */
    cr_assert(eq(u32, get(memory, 0xe4000000), 0xffffffff));
}

Test(chipset, smram_stays_locked_until_reset)
{
    set(ecam, 0x9c, 0x00014800); /* open and enabled; TSEG on */
    cr_assert(eq(u32, get(ecam, 0x9c), 0x00394a00));
    set(ecam, 0x9c, 0x00015800);
    cr_assert(eq(u32, get(ecam, 0x9c), 0x00391a00));
    set(ecam, 0x9c, 0);
    cr_assert(eq(u32, get(ecam, 0x9c), 0x00391a00));
    iov_pci_bus_reset(iov_model_port(host, "slots", 0), IOV_PCI_RESET_COLD);
    cr_assert(eq(u32, get(ecam, 0x9c), 0x00380200));
    set(ecam, 0x9c, 0x00004800);
    cr_assert(eq(u32, get(ecam, 0x9c), 0x00384a00));
}

Test(chipset, an_emulators_register_tells_how_large_an_extended_tseg_is)
{
    set(ecam, 0x50, 0x1234);
    cr_assert(eq(u32, get(ecam, 0x50), 0x1234));
    set(ecam, 0x50, 0xffff);
    cr_assert(eq(u32, get(ecam, 0x50), 16));
}

Test(chipset, acpi_io_is_where_pmbase_says_while_it_is_enabled)
{
    set(ecam, 0xf8040, 0x601);
    set(io, 0x608, 1);
    cr_assert(eq(uint, registers.count, 0));
    set(ecam, 0xf8044, 0x80);
    set(io, 0x608, 1);
    cr_assert(eq(uint, registers.count, 1));
    cr_assert(eq(u64, registers.records[0].address, 8));
    cr_assert(eq(u32, get(ecam, 0xf8040), 0x601));
}

Test(chipset, chipset_configuration_is_where_rcba_says)
{
    set(ecam, 0xf80f0, 0xfed1c001);
    cr_assert(eq(u32, get(memory, 0xfed1c000 + 0x3140), 0x32103210));
    set(memory, 0xfed1c000 + 0x3410, 0x20);
    cr_assert(eq(u32, get(memory, 0xfed1c000 + 0x3410), 0x20));
}

Test(chipset, a_pirq_is_an_ioapic_pin_and_an_isa_interrupt_if_routed)
{
    struct iov_irq_source *source = iov_model_port(host, "pirq-c", 0);
    struct iov_irq_source *to_pin = iov_model_port(lpc, "ioapic", 18);
    struct iov_irq_source *to_isa = iov_model_port(lpc, "isa", 11);

    pin = isa = (struct bench_line){ .sink.ops = &bench_line_ops, .kernel = bench->run.kernel };
    to_pin->peer = &pin.sink;
    to_isa->peer = &isa.sink;
    iov_irq_set(source, true, NULL);
    cr_assert(pin.level);
    cr_assert(not(isa.level));
    set(ecam, 0xf8060, 0x800b8080);
    cr_assert(isa.level);
    iov_irq_set(source, false, NULL);
    cr_assert(not(pin.level));
    cr_assert(not(isa.level));
}
