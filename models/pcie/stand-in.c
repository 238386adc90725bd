/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stand-in - a PCI function of a device that has no model: its configuration space is true, behind
 * it is nothing.
 *
 * Enumeration, BAR sizing, capability lists, MSI-X tables and interrupt routing can be tried on it.
 * What a device is made of stands in one row of a table; when it gets a model, its row goes.
 *
 * LIMIT: registers read as zeros and swallow writes, but for MSI-X table and pending bits. No DMA,
 * no interrupts.
 */
#include <stdio.h>

#include "core/net/address.h"
#include "core/object/model.h"
#include "core/pci/space.h"

#define BARS_MAX 4u
#define CAPABILITIES_MAX 6u

#define IOV_TYPE_STAND_IN (iov_stand_in_get_type())
G_DECLARE_FINAL_TYPE(IovStandIn, iov_stand_in, IOV, STAND_IN, IovModel)

struct window {
    struct iov_mem_target target;
    IovStandIn *owner;
    unsigned bar;
};

struct _IovStandIn {
    IovModel parent_instance;
    int identity;                    /* property */
    char *mac;                       /* property */
    struct iov_pci_function pci;     /* port */
    struct iov_mem_initiator dma;    /* port */
    struct iov_irq_source interrupt; /* port */
    struct iov_pci_space space;
    struct window windows[BARS_MAX];
    uint64_t accesses; /* statistic */
};

G_DEFINE_FINAL_TYPE(IovStandIn, iov_stand_in, IOV_TYPE_MODEL)

/* ---- The table ---- */

struct identity {
    struct iov_pci_header header;
    struct iov_pci_bar bars[BARS_MAX];
    struct iov_pci_capability capabilities[CAPABILITIES_MAX];
    unsigned capability_count;
};

enum { IDENTITY_NVME };
static const char *const identity_names[] = { "nvme", NULL };

static const struct identity identities[] = {
    [IDENTITY_NVME] = {
        .header = { .vendor = 0x1b36, .device = 0x0010, .subsystem_vendor = 0x1af4,
                    .subsystem = 0x1100, .class_code = 0x010802, .revision = 2,
                    .interrupt_pin = 1, .scratch = true },
        .bars = { { .index = 0, .flags = IOV_PCI_BAR_64, .size = 0x4000 } },
        .capabilities = {
            IOV_PCI_MSIX(.at = 0x40, .vectors = 65, .bar = 0, .table = 0x2000, .pending = 0x3000),
            IOV_PCI_EXPRESS(.at = 0x80, .type = PCI_EXP_TYPE_RC_END, .max_payload = 128,
                            .max_read_request = 128, .generation = 1, .lanes = 1, .flr = true,
                            .device2 = 0x300000 /* extended format field, end-end TLP prefixes */),
            IOV_PCI_POWER(.at = 0x60, .version = 3, .no_soft_reset = true),
        },
        .capability_count = 3,
    },
};

/* ---- Accesses ---- */

/* Where in the BAR the MSI-X structures lie; NULL if the access is to neither. The address becomes
 * relative to it. */
static struct iov_mem_target *msix_target(struct window *window, uint64_t *address)
{
    struct iov_pci_space *space = &window->owner->space;

    for (unsigned i = 0; i < space->capability_count; i++) {
        const struct iov_pci_capability *row = &space->capabilities[i];

        if (row->extended || row->id != PCI_CAP_ID_MSIX || row->bar != window->bar)
            continue;
        if (*address - row->table < UINT64_C(16) * row->vectors) {
            *address -= row->table;
            return &space->msix_table;
        }
        if (*address - row->pending < (row->vectors + UINT64_C(63)) / 64 * 8) {
            *address -= row->pending;
            return &space->msix_pending;
        }
    }
    return NULL;
}

static enum iov_status window_access(struct iov_mem_target *target, struct iov_mem_req *req,
                                     bool write)
{
    struct window *window = iov_container_of(target, struct window, target);
    uint64_t address = req->address, whole;
    struct iov_mem_target *msix = msix_target(window, &address);
    enum iov_status status;

    if (msix == NULL) {
        if (!write)
            memset(req->data, 0, req->size);
        if (!(req->flags & IOV_MEM_DEBUG))
            window->owner->accesses++;
        return IOV_STATUS_OK;
    }
    whole = req->address;
    req->address = address;
    status = write ? msix->ops->write(msix, req) : msix->ops->read(msix, req);
    req->address = whole;
    return status;
}

static enum iov_status window_read(struct iov_mem_target *target, struct iov_mem_req *req)
{
    return window_access(target, req, false);
}

static enum iov_status window_write(struct iov_mem_target *target, struct iov_mem_req *req)
{
    return window_access(target, req, true);
}

static const struct iov_mem_target_ops window_ops = { .read = window_read, .write = window_write };

/* ---- Configuration ---- */

static void function_reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    iov_pci_space_reset(function->space, kind);
}

static void on_config_changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                              uint16_t size)
{
    (void)offset;
    (void)size;
    if (what & IOV_PCI_CHANGED_FLR)
        function_reset(function, IOV_PCI_RESET_FUNCTION);
}

static const struct iov_pci_function_ops function_ops = {
    .config_read = iov_pci_space_read,
    .config_write = iov_pci_space_write,
    .windows = iov_pci_space_windows,
    .reset = function_reset,
};

/* ---- Life ---- */

/* SPEC: PCI Express Base 5.0, 7.9.3: an EUI-64 made from the Ethernet address. */
static bool serial_number(const IovStandIn *self, uint64_t *ret_serial)
{
    uint8_t octets[6];

    if (!iov_net_address_parse(self->mac, octets))
        return false;
    *ret_serial = (uint64_t)octets[0] << 56 | (uint64_t)octets[1] << 48 |
                  (uint64_t)octets[2] << 40 | UINT64_C(0xffff) << 24 | (uint32_t)octets[3] << 16 |
                  (uint32_t)octets[4] << 8 | octets[5];
    return true;
}

static bool stand_in_prepare(IovModel *model, GError **error)
{
    IovStandIn *self = IOV_STAND_IN(model);
    const struct identity *identity = &identities[self->identity];
    struct iov_pci_capability capabilities[CAPABILITIES_MAX];
    struct iov_pci_bar bars[BARS_MAX + 1] = { 0 };
    uint64_t serial;

    if (!serial_number(self, &serial))
        return iov_model_fail(model, error, "mac: '%s' is no Ethernet address", self->mac);
    for (unsigned i = 0; i < BARS_MAX && identity->bars[i].size != 0; i++) {
        bars[i] = identity->bars[i];
        bars[i].target = &self->windows[i].target;
        self->windows[i] = (struct window){ .target = { &window_ops, bars[i].size },
                                            .owner = self,
                                            .bar = bars[i].index };
    }
    for (unsigned i = 0; i < identity->capability_count; i++) {
        capabilities[i] = identity->capabilities[i];
        capabilities[i].serial = serial;
    }
    iov_pci_space_init(&self->space, &self->pci, &identity->header, bars, capabilities,
                       identity->capability_count);
    self->space.changed = on_config_changed;
    return true;
}

static void stand_in_reset(IovModel *model)
{
    function_reset(&IOV_STAND_IN(model)->pci, IOV_PCI_RESET_COLD);
}

static void stand_in_finalize(GObject *object)
{
    iov_pci_space_clear(&IOV_STAND_IN(object)->space);
    G_OBJECT_CLASS(iov_stand_in_parent_class)->finalize(object);
}

static void iov_stand_in_init(IovStandIn *self)
{
    self->pci.space = &self->space;
    self->pci.dma = &self->dma;
    self->pci.interrupt = &self->interrupt;
}

static void iov_stand_in_class_init(IovStandInClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = stand_in_finalize;
    mc->prepare = stand_in_prepare;
    mc->reset = stand_in_reset;
    iov_model_class_describe(mc, "stand-in", "The configuration space of a device without a model");
    IOV_PROP_ENUM(mc, IovStandIn, identity, identity_names, IDENTITY_NVME,
                  "What it stands in for: an NVMe controller (1b36:0010)");
    IOV_PROP_STRING(mc, IovStandIn, mac, "52:54:00:12:34:56",
                    "Ethernet address that the serial number is made of");
    IOV_PORT_PCI_FUNCTION(mc, IovStandIn, pci, &function_ops, "Slot");
    IOV_PORT_MEM_INITIATOR(mc, IovStandIn, dma, "Connected by the slot; nothing leaves it");
    IOV_PORT_IRQ_SOURCE(mc, IovStandIn, interrupt, "Connected by the slot; never raised");
    IOV_STAT(mc, IovStandIn, accesses, "Register accesses that went nowhere");
}
