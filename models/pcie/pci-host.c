/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pci-host - the root complex: a root bus and the ways to it.
 *
 * Configuration: the ports 0xCF8 and 0xCFC (`config-io`) and the ECAM window (`ecam`, a MiB a bus).
 * Accesses of processors that no memory claims come in at `memory` and `io` and go to the function
 * that decodes them. DMA of the root bus's functions comes in at `upstream` and goes on to `bus`:
 * an IOMMU, or memory. INTx of slots leave on eight lines PIRQA to PIRQH. With `firmware: on` buses
 * are numbered and addresses assigned before the run begins (firmware.c).
 *
 * SPEC: PCI Local Bus 3.0, 3.2.2.3.2 (configuration mechanism 1); PCI Express Base 5.0, 7.2.2
 * (ECAM), 6.12 (peer accesses go up); Intel I/O Controller Hub 9, 10.1 (DxxIR), 13.7.3 (0xCF9).
 * LIMIT: integrated functions take no time of their own; an access of a root-bus function to
 * another one's window goes to `bus` first.
 */
#include "models/pcie/pci-host-private.h"

#define CONFIG_ADDRESS 0u /* offsets in `config-io` */
#define RESET_CONTROL 1u
#define CONFIG_DATA 4u
#define CONFIG_IO_SIZE 8u
#define ADDRESS_ENABLE UINT32_C(0x80000000)
#define RESET_CONTROL_KEPT 0x0au
#define RESET_CONTROL_RESET 0x04u
#define BUS_SIZE (UINT64_C(1) << 20) /* of a bus in the ECAM window */
#define IO_SIZE 0x10000u

G_DEFINE_FINAL_TYPE(IovPciHost, iov_pci_host, IOV_TYPE_MODEL)

static const char *const routings[] = { "swizzle", "ich9", NULL };
enum { ROUTING_SWIZZLE, ROUTING_ICH9 };

/* ---- Configuration ---- */

static enum iov_status config_access(IovPciHost *self, unsigned bus, unsigned devfn,
                                     struct iov_mem_req *req, bool write)
{
    enum iov_status status;

    self->config_accesses++;
    status = iov_pci_config_access(&self->slots, bus, devfn, req, write);
    if (status == IOV_STATUS_UNSUPPORTED)
        self->config_unclaimed++;
    return status;
}

/* The address register's low two bits and the port's select the byte, together. */
static enum iov_status data_access(IovPciHost *self, struct iov_mem_req *req, bool write)
{
    uint32_t config = self->config_address;
    uint64_t port = req->address;
    enum iov_status status;

    if (!(config & ADDRESS_ENABLE))
        return IOV_STATUS_UNSUPPORTED;
    req->address = (config & 0xff) | (port & 3);
    status = config_access(self, config >> 16 & 0xff, config >> 8 & 0xff, req, write);
    req->address = port;
    return status;
}

static enum iov_status config_io_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovPciHost *self = iov_container_of(port, IovPciHost, config_io);

    if (req->address + req->size > CONFIG_IO_SIZE || req->size > 4)
        return IOV_STATUS_UNSUPPORTED;
    if (req->address >= CONFIG_DATA)
        return data_access(self, req, false);
    if (req->address == RESET_CONTROL && req->size == 1)
        iov_mem_set_value(req, self->reset_control);
    else
        iov_mem_set_value(req, self->config_address >> 8 * req->address);
    return IOV_STATUS_OK;
}

static void reset_write(IovPciHost *self, uint8_t value)
{
    bool rises = value & RESET_CONTROL_RESET && !(self->reset_control & RESET_CONTROL_RESET);

    self->reset_control = value & RESET_CONTROL_KEPT;
    if (rises)
        iov_notify_signal(&self->reset, NULL);
}

/* Only DWORD writes reach the address register; a byte to its second is the reset control
 * register. */
static enum iov_status config_io_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovPciHost *self = iov_container_of(port, IovPciHost, config_io);

    if (req->address + req->size > CONFIG_IO_SIZE || req->size > 4)
        return IOV_STATUS_UNSUPPORTED;
    if (req->address >= CONFIG_DATA)
        return data_access(self, req, true);
    if (req->address == CONFIG_ADDRESS && req->size == 4)
        self->config_address = (uint32_t)iov_mem_value(req);
    else if (req->address == RESET_CONTROL && req->size == 1)
        reset_write(self, (uint8_t)iov_mem_value(req));
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops config_io_ops = { .read = config_io_read,
                                                         .write = config_io_write };

/* SPEC: 7.2.2: no access crosses a DWORD on the link; a QWORD becomes two. */
static enum iov_status ecam_access(IovPciHost *self, struct iov_mem_req *req, bool write)
{
    enum iov_status status = IOV_STATUS_OK;
    struct iov_mem_req part = *req;

    for (uint32_t done = 0; done < req->size && status == IOV_STATUS_OK; done += part.size) {
        uint64_t address = req->address + done;

        part.size = 4 - (uint32_t)(address & 3);
        if (part.size > req->size - done)
            part.size = req->size - done;
        part.address = address & (IOV_PCI_CONFIG_SIZE - 1);
        part.data = (uint8_t *)req->data + done;
        status = config_access(self, (unsigned)(address >> 20), (unsigned)(address >> 12) & 0xff,
                               &part, write);
    }
    req->delay = part.delay;
    return status;
}

static enum iov_status ecam_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    enum iov_status status = ecam_access(iov_container_of(port, IovPciHost, ecam), req, false);

    if (status != IOV_STATUS_UNSUPPORTED)
        return status;
    /* SPEC: 2.3.2: software that looks for functions gets ones, not an error, where there is
     * none. */
    memset(req->data, 0xff, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status ecam_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return ecam_access(iov_container_of(port, IovPciHost, ecam), req, true);
}

static const struct iov_mem_target_ops ecam_ops = { .read = ecam_read, .write = ecam_write };

/* ---- Memory and I/O: processors to functions ---- */

static enum iov_status decode(IovPciHost *self, struct iov_mem_map *map, struct iov_mem_req *req,
                              bool write)
{
    enum iov_status status = iov_mem_map_access(map, req, write);

    if (status == IOV_STATUS_UNSUPPORTED && !(req->flags & IOV_MEM_DEBUG))
        self->unclaimed++;
    return status;
}

static enum iov_status memory_access(IovPciHost *self, struct iov_mem_req *req, bool write)
{
    enum iov_status status;

    req->address += self->memory_base;
    status = decode(self, &self->slots.memory, req, write);
    req->address -= self->memory_base;
    return status;
}

static enum iov_status memory_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return memory_access(iov_container_of(port, IovPciHost, memory), req, false);
}

static enum iov_status memory_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return memory_access(iov_container_of(port, IovPciHost, memory), req, true);
}

static const struct iov_mem_target_ops memory_ops = { .read = memory_read, .write = memory_write };

static enum iov_status io_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovPciHost *self = iov_container_of(port, IovPciHost, io);

    return decode(self, &self->slots.io, req, false);
}

static enum iov_status io_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovPciHost *self = iov_container_of(port, IovPciHost, io);

    return decode(self, &self->slots.io, req, true);
}

static const struct iov_mem_target_ops io_ops = { .read = io_read, .write = io_write };

/* ---- DMA and messages of functions ---- */

static enum iov_status upstream_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_read_req(&iov_container_of(port, IovPciHost, upstream)->bus, req);
}

static enum iov_status upstream_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_mem_write_req(&iov_container_of(port, IovPciHost, upstream)->bus, req);
}

static const struct iov_mem_target_ops upstream_ops = { .read = upstream_read,
                                                        .write = upstream_write };

/* ---- INTx ---- */

/*
 * Which line a slot's pin drives. Plain boards turn the four lines by the slot. An ICH9 has lines A
 * to D for its own devices 25 to 29 and 31, as its DxxIR registers say after reset, and boards give
 * the others E to H, turned by the slot. LIMIT: DxxIR cannot be changed.
 */
static unsigned pirq_of(const IovPciHost *self, unsigned device, unsigned pin)
{
    if (self->interrupt_routing == ROUTING_SWIZZLE)
        return (device + pin - 1) % 4;
    if (device == 30)
        return pin - 1 + 4;
    if (device >= 25)
        return pin - 1;
    return (device + pin - 1) % 4 + 4;
}

/* Each function tells its changes in turns, up and down: the lines count them. */
static void slots_intx(struct iov_pci_bus *bus, struct iov_pci_function *function, unsigned pin,
                       bool level, struct iov_span *span)
{
    IovPciHost *self = iov_container_of(bus, IovPciHost, slots);
    unsigned pirq = pirq_of(self, function->devfn >> 3, pin);

    if (level)
        self->asserted[pirq]++;
    else if (self->asserted[pirq] > 0)
        self->asserted[pirq]--;
    iov_irq_set(&self->pirq[pirq], self->asserted[pirq] > 0, span);
}

static const struct iov_pci_bus_ops slots_ops = { .intx = slots_intx };

/* ---- Life ---- */

static bool iov_pci_host_prepare(IovModel *model, GError **error)
{
    IovPciHost *self = (IovPciHost *)(void *)model;

    if (self->memory_size - 1 > UINT64_MAX - self->memory_base)
        return iov_model_fail(model, error, "memory-base and memory-size end beyond 2^64");
    self->memory.size = self->memory_size;
    self->ecam.size = self->buses * BUS_SIZE;
    return true;
}

static void firmware_run(IovPciHost *self)
{
    struct pci_firmware firmware = {
        .memory = { self->memory_window, self->memory_window_size },
        .prefetch = { self->prefetch_window, self->prefetch_window_size },
        .io = { self->io_window, self->io_window_size },
    };

    if (!self->firmware)
        return;
    self->unassigned = pci_firmware_run(&firmware, &self->slots);
}

/* Early, so that a function's owner finds numbers and addresses in its configuration space. */
static bool iov_pci_host_realize(IovModel *model, GError **error)
{
    (void)error;
    firmware_run((IovPciHost *)(void *)model);
    return true;
}

/* All functions, and those behind bridges, are on the same reset; then firmware runs again. */
static void iov_pci_host_reset(IovModel *model)
{
    IovPciHost *self = (IovPciHost *)(void *)model;

    self->config_address = 0;
    self->reset_control = 0;
    iov_pci_bus_reset(&self->slots, IOV_PCI_RESET_COLD);
    firmware_run(self);
}

static void describe_properties(IovModelClass *mc)
{
    IOV_PROP_COUNT(mc, IovPciHost, buses, 1, 256, 256, "Buses in the ECAM window, 1 MiB each");
    IOV_PROP_COUNT(mc, IovPciHost, memory_base, 0, UINT64_MAX, 0,
                   "Address of the first byte of the port `memory`");
    IOV_PROP_SIZE(mc, IovPciHost, memory_size, 4096, UINT64_MAX, UINT64_MAX,
                  "Of the port `memory`");
    IOV_PROP_ENUM(mc, IovPciHost, interrupt_routing, routings, ROUTING_SWIZZLE,
                  "INTx of slots: swizzle: lines A to D in turns; ich9: as on Q35 boards");
    IOV_PROP_BOOL(mc, IovPciHost, firmware, false,
                  "Number buses and assign addresses before the run");
    IOV_PROP_COUNT(mc, IovPciHost, memory_window, 0, UINT32_MAX, 0xf0000000,
                   "Where firmware puts 32-bit BARs");
    IOV_PROP_SIZE(mc, IovPciHost, memory_window_size, 4096, UINT64_C(1) << 32, 0x08000000,
                  "Of that window");
    IOV_PROP_COUNT(mc, IovPciHost, prefetch_window, 0, UINT64_C(1) << 52, UINT64_C(0x380000000000),
                   "Where firmware puts 64-bit prefetchable BARs");
    IOV_PROP_SIZE(mc, IovPciHost, prefetch_window_size, 4096, UINT64_C(1) << 48, UINT64_C(1) << 40,
                  "Of that window");
    IOV_PROP_COUNT(mc, IovPciHost, io_window, 0, 0xffff, 0xc000, "Where firmware puts I/O BARs");
    IOV_PROP_SIZE(mc, IovPciHost, io_window_size, 256, 0x10000, 0x4000, "Of that window");
}

/* One port each: they lead to different pins of an array. */
static void describe_pirqs(IovModelClass *mc)
{
    static const char *const names[PIRQS] = { "pirq-a", "pirq-b", "pirq-c", "pirq-d",
                                              "pirq-e", "pirq-f", "pirq-g", "pirq-h" };

    for (unsigned i = 0; i < PIRQS; i++)
        iov_model_class_add_port(
            mc, &(struct iov_port){ .name = names[i],
                                    .type = IOV_PORT_IRQ,
                                    .role = IOV_PORT_INITIATOR,
                                    .offset = (uint16_t)(G_STRUCT_OFFSET(IovPciHost, pirq) +
                                                         i * sizeof(struct iov_irq_source)),
                                    .count = 1,
                                    .text = "INTx line of the slots" });
}

static void iov_pci_host_class_init(IovPciHostClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "pci-host", "A PCIe root complex: a root bus and the ways to it");
    describe_properties(mc);
    IOV_PORT_PCI_BUS(mc, IovPciHost, slots, &slots_ops, "The root bus");
    IOV_PORT_MEM_TARGET(mc, IovPciHost, config_io, &config_io_ops,
                        "I/O ports 0xCF8 to 0xCFF: configuration, and reset control at 0xCF9");
    IOV_PORT_MEM_TARGET(mc, IovPciHost, ecam, &ecam_ops,
                        "Configuration in memory: bus << 20 | device << 15 | function << 12");
    IOV_PORT_MEM_TARGET(mc, IovPciHost, memory, &memory_ops, "Memory that functions may decode");
    IOV_PORT_MEM_TARGET(mc, IovPciHost, io, &io_ops, "I/O ports that functions may decode");
    IOV_PORT_MEM_TARGET(mc, IovPciHost, upstream, &upstream_ops,
                        "DMA and messages of the root bus");
    IOV_PORT_MEM_INITIATOR(mc, IovPciHost, bus, "Towards memory: IOMMU or bus");
    describe_pirqs(mc);
    IOV_PORT_NOTIFY_SOURCE(mc, IovPciHost, reset, "Software asked for a reset at 0xCF9");
    IOV_STAT(mc, IovPciHost, config_accesses, "Configuration accesses");
    IOV_STAT(mc, IovPciHost, config_unclaimed, "Configuration accesses to nobody");
    IOV_STAT(mc, IovPciHost, unclaimed, "Memory and I/O accesses to nobody");
    IOV_STAT(mc, IovPciHost, unassigned, "BARs that firmware had no room for");
    mc->prepare = iov_pci_host_prepare;
    mc->realize = iov_pci_host_realize;
    mc->reset = iov_pci_host_reset;
}

static void iov_pci_host_init(IovPciHost *self)
{
    self->config_io.size = CONFIG_IO_SIZE;
    self->io.size = IO_SIZE;
    self->slots.upstream = &self->upstream;
}
