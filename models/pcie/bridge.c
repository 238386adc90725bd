/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration side of a root or switch port: a type 1 function with bus numbers, windows and
 * bridge control, which keeps the bus behind it.
 *
 * SPEC: PCI-to-PCI Bridge 1.2, 3.2 (registers), 4 (windows), 9.1 (interrupts); PCI Express
 * Base 5.0, 7.3.3 (only device 0 behind a downstream port), 6.13 (ARI forwarding), 6.12 (access
 * control: source validation).
 * LIMIT: no VGA and ISA ranges; an access to the window of a sibling goes up to the root complex
 * first, whatever ACS says; the payload size in Device Control does not change the link's
 * (properties of the port do).
 */
#include "models/pcie/root-port-private.h"

#define WINDOW_UNIT_MEMORY UINT64_C(0x100000)
#define WINDOW_UNIT_IO UINT64_C(0x1000)
#define ACS_PORT (PCI_ACS_SV | PCI_ACS_TB | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF | PCI_ACS_DT)

static PciePort *port_of(struct iov_pci_function *function)
{
    return iov_container_of(function, PciePort, pci);
}

/* ---- Windows ---- */

static enum iov_status passage_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct pcie_passage *passage = iov_container_of(target, struct pcie_passage, target);
    PciePort *self = passage->owner;
    enum iov_status status;

    req->address += passage->base;
    status = pcie_down_read(self, passage->io ? &self->slots.io : &self->slots.memory, req);
    req->address -= passage->base;
    return status;
}

static enum iov_status passage_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    struct pcie_passage *passage = iov_container_of(target, struct pcie_passage, target);
    PciePort *self = passage->owner;
    enum iov_status status;

    req->address += passage->base;
    status = pcie_down_write(self, passage->io ? &self->slots.io : &self->slots.memory, req);
    req->address -= passage->base;
    return status;
}

static const struct iov_mem_target_ops passage_ops = { .read = passage_read,
                                                       .write = passage_write };

/* First and last address of a window; closed if first > last. */
static void window_range(const struct iov_pci_space *space, enum pcie_window window,
                         uint64_t *first, uint64_t *last)
{
    uint64_t high_base, high_limit;

    switch (window) {
    case PCIE_IO:
        *first = (uint64_t)(space->bytes[PCI_IO_BASE] & 0xf0) << 8;
        *last = ((uint64_t)(space->bytes[PCI_IO_LIMIT] & 0xf0) << 8) | (WINDOW_UNIT_IO - 1);
        break;
    case PCIE_MEMORY:
        *first = (uint64_t)(iov_pci_get16(space, PCI_MEMORY_BASE) & 0xfff0) << 16;
        *last = ((uint64_t)(iov_pci_get16(space, PCI_MEMORY_LIMIT) & 0xfff0) << 16) |
                (WINDOW_UNIT_MEMORY - 1);
        break;
    default:
        high_base = (uint64_t)iov_pci_get32(space, PCI_PREF_BASE_UPPER32) << 32;
        high_limit = (uint64_t)iov_pci_get32(space, PCI_PREF_LIMIT_UPPER32) << 32;
        *first = high_base | (uint64_t)(iov_pci_get16(space, PCI_PREF_MEMORY_BASE) & 0xfff0) << 16;
        *last = high_limit |
                (uint64_t)(iov_pci_get16(space, PCI_PREF_MEMORY_LIMIT) & 0xfff0) << 16 |
                (WINDOW_UNIT_MEMORY - 1);
        break;
    }
}

static unsigned windows(struct iov_pci_function *function, struct iov_pci_window *list)
{
    PciePort *self = port_of(function);
    unsigned count = 0;
    uint16_t command;

    if (self->space.bytes == NULL)
        return 0;
    command = iov_pci_get16(&self->space, PCI_COMMAND);
    for (unsigned i = 0; i < PCIE_WINDOWS; i++) {
        struct pcie_passage *passage = &self->passages[i];
        uint64_t first, last;

        window_range(&self->space, i, &first, &last);
        if (first > last || !(command & (passage->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
            continue;
        passage->base = first;
        list[count++] =
            (struct iov_pci_window){ first, last - first + 1, &passage->target, passage->io };
    }
    return count;
}

/* ---- Configuration ---- */

/* SPEC: 7.3.3: below a link there is device 0 and nothing else, unless functions are numbered the
 * ARI way. */
static enum iov_status forward(struct iov_pci_function *function, unsigned bus, unsigned devfn,
                               struct iov_mem_req *req, bool write)
{
    PciePort *self = port_of(function);
    uint16_t control =
        iov_pci_get16(&self->space, (uint16_t)(self->space.express + PCI_EXP_DEVCTL2));

    if (bus == self->slots.number && devfn >> 3 != 0 && pcie_has_link(self) &&
        !(control & PCI_EXP_DEVCTL2_ARI))
        return IOV_STATUS_UNSUPPORTED;
    return pcie_down_config(self, bus, devfn, req, write);
}

static void follow_bus_number(PciePort *self)
{
    uint8_t number = self->space.bytes[PCI_SECONDARY_BUS];

    if (number != self->slots.number)
        iov_pci_bus_renumber(&self->slots, number);
}

static bool touches(uint16_t offset, uint16_t size, unsigned first, unsigned last)
{
    return offset <= last && offset + (unsigned)size > first;
}

static enum iov_status config_write(struct iov_pci_function *function, struct iov_mem_req *req)
{
    PciePort *self = port_of(function);
    bool held = self->space.bytes[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_CTL_BUS_RESET;
    enum iov_status status = iov_pci_space_write(function, req);

    if (status != IOV_STATUS_OK)
        return status;
    follow_bus_number(self);
    if (touches((uint16_t)req->address, (uint16_t)req->size, PCI_IO_BASE, PCI_IO_LIMIT_UPPER16))
        iov_pci_decode_changed(function);
    if (!held && self->space.bytes[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_CTL_BUS_RESET)
        iov_pci_bus_reset(&self->slots, IOV_PCI_RESET_BUS);
    return status;
}

/* Whether the slot shows a card, and whether that is another answer than before. */
static bool show_presence(PciePort *self)
{
    uint8_t *status = &self->space.bytes[self->space.express + PCI_EXP_SLTSTA];
    uint8_t before = *status;

    if (!pcie_has_link(self))
        return false;
    *status &= (uint8_t)~PCI_EXP_SLTSTA_PDS;
    for (unsigned i = 0; i < IOV_PCI_FUNCTIONS; i++) {
        if (self->slots.functions[i] != NULL)
            *status |= PCI_EXP_SLTSTA_PDS;
    }
    return before != *status;
}

static void reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    PciePort *self = port_of(function);

    iov_pci_space_reset(&self->space, kind);
    (void)show_presence(self);
    follow_bus_number(self);
}

const struct iov_pci_function_ops pcie_bridge_ops = {
    .config_read = iov_pci_space_read,
    .config_write = config_write,
    .windows = windows,
    .reset = reset,
    .forward = forward,
};

static void slots_intx(struct iov_pci_bus *bus, struct iov_pci_function *function, unsigned pin,
                       bool level, struct iov_span *span)
{
    PciePort *self = iov_container_of(bus, PciePort, slots);

    pcie_intx_send(self, iov_pci_swizzle(function->devfn, pin), level, span);
}

/*
 * SPEC: PCI Express Base 5.0, 6.7.3: a card that comes or goes while the machine runs changes
 * presence and link, and is announced if software wants that. LIMIT: by MSI only.
 */
static void slots_plugged(struct iov_pci_bus *bus, struct iov_pci_function *function, bool present)
{
    PciePort *self = iov_container_of(bus, PciePort, slots);
    uint8_t *status;
    uint16_t control;

    (void)function;
    (void)present;
    if (!self->parent_instance.realized || !pcie_has_link(self) || self->space.bytes == NULL ||
        !show_presence(self))
        return;
    status = &self->space.bytes[self->space.express + PCI_EXP_SLTSTA];
    status[0] |= PCI_EXP_SLTSTA_PDC;
    status[1] |= PCI_EXP_SLTSTA_DLLSC >> 8;
    control = iov_pci_get16(&self->space, (uint16_t)(self->space.express + PCI_EXP_SLTCTL));
    if (control & PCI_EXP_SLTCTL_HPIE && control & (PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_DLLSCE))
        iov_pci_message(&self->space, 0, 0, NULL);
}

const struct iov_pci_bus_ops pcie_slots_ops = { .intx = slots_intx, .plugged = slots_plugged };

/* A device wired to `upstream` by hand has no bus behind the bridge: it is admitted. */
bool pcie_bridge_admits(PciePort *self, uint16_t requester)
{
    const struct iov_pci_space *space = &self->space;
    unsigned bus = requester >> 8;
    uint16_t acs;

    if (self->pci.bus == NULL)
        return true;
    if (!iov_pci_master(space)) {
        self->blocked++;
        return false;
    }
    if (space->access_control == 0)
        return true;
    acs = iov_pci_get16(space, (uint16_t)(space->access_control + PCI_ACS_CTRL));
    if (!(acs & PCI_ACS_SV) ||
        (bus >= space->bytes[PCI_SECONDARY_BUS] && bus <= space->bytes[PCI_SUBORDINATE_BUS]))
        return true;
    self->blocked++;
    iov_pci_error(&self->space, false, PCI_ERR_UNC_ACSV, NULL);
    return false;
}

/* ---- Life ---- */

void pcie_bridge_init(PciePort *self)
{
    self->pci.dma = &self->bus;
    self->pci.secondary = &self->slots;
    self->slots.bridge = &self->pci;
    self->slots.upstream = &self->upstream;
    for (unsigned i = 0; i < PCIE_WINDOWS; i++) {
        self->passages[i].target.ops = &passage_ops;
        self->passages[i].owner = self;
        self->passages[i].io = i == PCIE_IO;
    }
}

void pcie_bridge_prepare(PciePort *self)
{
    const struct _IovRootPortClass *klass =
        (const struct _IovRootPortClass *)(const void *)IOV_MODEL_GET_CLASS(self);
    bool link = pcie_has_link(self);
    bool own = self->vendor_id != 0;
    const struct iov_pci_header header = { .vendor =
                                               own ? (uint16_t)self->vendor_id : klass->vendor,
                                           .device =
                                               own ? (uint16_t)self->device_id : klass->device,
                                           .class_code = 0x060400,
                                           .revision = 2,
                                           .type = 1,
                                           .interrupt_pin = link ? 1 : 0 };
    const struct iov_pci_capability capabilities[] = {
        IOV_PCI_POWER(.at = 0x40, .no_soft_reset = true),
        IOV_PCI_MSI(.at = 0x60, .vectors = 2, .maskable = true),
        IOV_PCI_EXPRESS(.at = 0x90, .type = klass->type, .max_payload = (uint16_t)self->max_payload,
                        .generation = (uint8_t)self->generation, .lanes = (uint8_t)self->lanes,
                        .port_number = (uint8_t)self->number, .slot = link, .ari_forwarding = link),
        IOV_PCI_ERROR_REPORTING(.at = 0x100),
        IOV_PCI_ACCESS_CONTROL(.at = 0x150, .acs = ACS_PORT),
    };

    iov_pci_space_clear(&self->space);
    iov_pci_space_init(&self->space, &self->pci, &header, NULL, capabilities,
                       link ? G_N_ELEMENTS(capabilities) : G_N_ELEMENTS(capabilities) - 1);
}

void pcie_bridge_realize(PciePort *self)
{
    (void)show_presence(self);
}
