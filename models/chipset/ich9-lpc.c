/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ich9-lpc - the LPC bridge 00:1f.0 of Intel's ICH9: where power management I/O and chipset
 * configuration lie, and which ISA interrupts the PIRQ lines are routed to.
 *
 * PMBASE puts 128 bytes of ACPI I/O (port `acpi`) anywhere while ACPI_CNTL enables them. PIRQA to
 * PIRQH (`pirq`) are pins 16 to 23 of the IOAPIC
 * (`ioapic`) always, and an ISA interrupt of the PIC (`isa`) while their routing register says so.
 * RCBA puts 16 KiB of chipset configuration into memory; they keep what is written. SPEC: Intel I/O
 * Controller Hub 9, 13.1 (configuration), 10.1 (chipset configuration).
 * LIMIT: GPIO, decode ranges, SMI and BIOS control are registers only.
 */
#include "models/chipset/chipset-private.h"

#define PMBASE 0x40
#define PMBASE_ADDRESS 0xff80u
#define ACPI_CNTL 0x44
#define ACPI_CNTL_ENABLE 0x80
#define PIRQ_ROUTE(n) ((n) < 4 ? 0x60 + (n) : 0x68 + (n)-4)
#define PIRQ_ROUTE_OFF 0x80
#define RCBA 0xf0
#define RCBA_ENABLE 1u
#define RCBA_SIZE 0x4000u
#define DXXIR_FIRST 0x3140u /* D31IR, and downwards in the numbers to D25IR */
#define DXXIR_LAST 0x314cu
#define PIRQS 8u
#define ISA_IRQS 16u
#define IOAPIC_PINS 24u
#define IOAPIC_FIRST 16u
#define ACPI_SIZE 128u

#define IOV_TYPE_ICH9_LPC (iov_ich9_lpc_get_type())
GType iov_ich9_lpc_get_type(void);

struct pirq {
    struct iov_irq_sink sink;
    unsigned index;
    bool level;
};

typedef struct {
    ChipsetFunction parent_instance;
    struct iov_mem_initiator acpi;             /* port */
    struct pirq pirq[PIRQS];                   /* port */
    struct iov_irq_source ioapic[IOAPIC_PINS]; /* port */
    struct iov_irq_source isa[ISA_IRQS];       /* port */
    struct iov_mem_target acpi_window, configuration;
    uint8_t chipset[RCBA_SIZE];
} IovIch9Lpc;
typedef ChipsetFunctionClass IovIch9LpcClass;

G_DEFINE_TYPE(IovIch9Lpc, iov_ich9_lpc, CHIPSET_TYPE_FUNCTION)

static const struct chipset_register registers[] = {
    { PMBASE, 4, 1, PMBASE_ADDRESS },
    { ACPI_CNTL, 1, 0, 0x87 },
    { 0x48, 4, 0, 0xff80 }, /* GPIOBASE */
    { 0x4c, 1, 0, 0x11 },   /* GC */
    { 0x60, 4, 0x80808080, 0x8f8f8f8f },
    { 0x64, 1, 0, 0xc3 }, /* SIRQ_CNTL */
    { 0x68, 4, 0x80808080, 0x8f8f8f8f },
    { 0x80, 2, 0, 0x1377 },     /* LPC_I/O_DEC */
    { 0x82, 2, 0, 0x3f0f },     /* LPC_EN */
    { 0x84, 4, 0, 0x00fcfffd }, /* GEN1_DEC to GEN4_DEC */
    { 0x88, 4, 0, 0x00fcfffd },
    { 0x8c, 4, 0, 0x00fcfffd },
    { 0x90, 4, 0, 0x00fcfffd },
    { 0xa0, 2, 0, 0x0413 }, /* GEN_PMCON_1 */
    { 0xdc, 1, 0, 0x0f },   /* BIOS_CNTL */
    { RCBA, 4, 0, 0xffffc001 },
    { 0 },
};

/* ---- Windows ---- */

static enum iov_status acpi_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_read_req(&iov_container_of(port, IovIch9Lpc, acpi_window)->acpi, req);
}

static enum iov_status acpi_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_write_req(&iov_container_of(port, IovIch9Lpc, acpi_window)->acpi, req);
}

static const struct iov_mem_target_ops acpi_ops = { .read = acpi_read, .write = acpi_write };

static bool inside(const struct iov_mem_req *req)
{
    return req->address < RCBA_SIZE && req->size <= RCBA_SIZE - req->address;
}

static enum iov_status configuration_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovIch9Lpc *self = iov_container_of(port, IovIch9Lpc, configuration);

    if (!inside(req))
        return IOV_STATUS_UNSUPPORTED;
    memcpy(req->data, self->chipset + req->address, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status configuration_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovIch9Lpc *self = iov_container_of(port, IovIch9Lpc, configuration);

    if (!inside(req))
        return IOV_STATUS_UNSUPPORTED;
    memcpy(self->chipset + req->address, req->data, req->size);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops configuration_ops = { .read = configuration_read,
                                                             .write = configuration_write };

static unsigned lpc_windows(ChipsetFunction *function, struct iov_pci_window *windows)
{
    IovIch9Lpc *self = (IovIch9Lpc *)(void *)function;
    const struct iov_pci_space *space = &function->space;
    uint32_t io = iov_pci_get32(space, PMBASE) & PMBASE_ADDRESS;
    uint32_t rcba = iov_pci_get32(space, RCBA);
    unsigned count = 0;

    if (space->bytes[ACPI_CNTL] & ACPI_CNTL_ENABLE && io != 0)
        windows[count++] = (struct iov_pci_window){ io, ACPI_SIZE, &self->acpi_window, true };
    if (rcba & RCBA_ENABLE)
        windows[count++] = (struct iov_pci_window){ rcba & ~(RCBA_SIZE - 1), RCBA_SIZE,
                                                    &self->configuration, false };
    return count;
}

/* ---- Interrupts ---- */

/* An ISA interrupt is the sum of the lines routed to it. */
static void update_isa(IovIch9Lpc *self, struct iov_span *span)
{
    const uint8_t *bytes = self->parent_instance.space.bytes;
    bool levels[ISA_IRQS] = { false };

    for (unsigned i = 0; i < PIRQS; i++) {
        uint8_t route = bytes[PIRQ_ROUTE(i)];

        if (!(route & PIRQ_ROUTE_OFF) && self->pirq[i].level)
            levels[route & 0xf] = true;
    }
    for (unsigned i = 0; i < ISA_IRQS; i++)
        iov_irq_set(&self->isa[i], levels[i], span);
}

static void pirq_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct pirq *pirq = iov_container_of(sink, struct pirq, sink);
    IovIch9Lpc *self = iov_container_of(pirq - pirq->index, IovIch9Lpc, pirq);

    pirq->level = level;
    iov_irq_set(&self->ioapic[IOAPIC_FIRST + pirq->index], level, span);
    update_isa(self, span);
}

static const struct iov_irq_sink_ops pirq_ops = { .set = pirq_set };

/* ---- Life ---- */

static void set_chipset(IovIch9Lpc *self)
{
    memset(self->chipset, 0, sizeof self->chipset);
    for (unsigned at = DXXIR_FIRST; at <= DXXIR_LAST; at += 2) { /* INTA to PIRQA, and so on */
        self->chipset[at] = 0x10;
        self->chipset[at + 1] = 0x32;
    }
}

static void lpc_changed(ChipsetFunction *function, unsigned offset, unsigned size)
{
    IovIch9Lpc *self = (IovIch9Lpc *)(void *)function;

    (void)offset;
    if (size == IOV_PCI_CONFIG_SIZE)
        set_chipset(self);
    update_isa(self, NULL);
}

static void iov_ich9_lpc_class_init(IovIch9LpcClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "ich9-lpc", "The LPC bridge of an ICH9: configuration space");
    IOV_PORT_MEM_INITIATOR(mc, IovIch9Lpc, acpi, "ACPI I/O, 128 bytes, where PMBASE says");
    IOV_ROW_PORT(mc, IovIch9Lpc, pirq, IOV_PORT_IRQ, IOV_PORT_TARGET, 0, PIRQS, sizeof(struct pirq),
                 &pirq_ops, "PIRQA (0) to PIRQH (7)");
    IOV_PORT_IRQ_SOURCES(mc, IovIch9Lpc, ioapic, IOAPIC_PINS, "Pins 16 to 23: PIRQA to PIRQH");
    IOV_PORT_IRQ_SOURCES(mc, IovIch9Lpc, isa, ISA_IRQS, "ISA interrupts that PIRQs are routed to");
    klass->header = (struct iov_pci_header){ .vendor = 0x8086,
                                             .device = 0x2918,
                                             .subsystem_vendor = CHIPSET_SUBSYSTEM_VENDOR,
                                             .subsystem = CHIPSET_SUBSYSTEM,
                                             .class_code = 0x060100,
                                             .revision = 2,
                                             .multifunction = true,
                                             .conventional = true };
    klass->registers = registers;
    klass->windows = lpc_windows;
    klass->changed = lpc_changed;
}

static void iov_ich9_lpc_init(IovIch9Lpc *self)
{
    self->acpi_window.ops = &acpi_ops;
    self->configuration.ops = &configuration_ops;
    for (unsigned i = 0; i < PIRQS; i++)
        self->pirq[i].index = i;
    set_chipset(self);
}
