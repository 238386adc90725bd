/* SPDX-License-Identifier: Apache-2.0 */
/*
 * siov-nic - a Gigabit controller with assignable interfaces (Intel Scalable I/O Virtualization):
 * queues, switch and registers of an igb, but in place of virtual functions parts of one PCI
 * function (ADIs), up to 63.
 *
 *   an ADI   a pair of queues whose DMA has the function's requester ID and the ADI's own PASID
 *            a page of doorbells: tails, interrupt mask and throttling; what a guest may reach
 *            entries of the interrupt message storage (IMS), one a vector; messages leave without
 *                a PASID
 *            a window with everything else, for the host's software, which emulates it to the
 *                guest
 *
 * An ADI without a PASID, or on a function whose PASID capability is off, sends no request.
 *
 * SPEC: Scalable I/O Virtualization Technical Specification 1.1, 3; PCI Express Base 5.0, 6.20
 * (PASID).
 * LIMIT: as igb's; no part is sold with this register map; interrupts of the function itself are
 * MSI-X.
 */
#include "models/nic/igb-private.h"
#include "models/nic/siov-regs.h"

#include "core/trace/measure.h"

#define INTERRUPT_RANGE 0xfeeu /* address bits 31:20 of a message */

struct ims_entry {
    uint32_t address, upper, data;
    bool masked, pending;
};

typedef struct {
    IovIgb parent_instance;
    /* ports */
    struct iov_mem_target interfaces;
    /* state */
    bool sending; /* a message is on its way: what it makes this card send waits for the next change
                     of its mask */
    struct ims_entry ims[SIOV_ADIS_MAX * SIOV_IMS_ENTRIES];
    /* statistics */
    uint64_t messages, messages_pending;
} IovSiovNic;

typedef struct {
    IovIgbClass parent_class;
} IovSiovNicClass;

GType iov_siov_nic_get_type(void);
G_DEFINE_FINAL_TYPE(IovSiovNic, iov_siov_nic, IOV_TYPE_IGB_FAMILY)

static IovSiovNic *from_family(IovIgb *family)
{
    return (IovSiovNic *)(void *)family;
}

/* ---- Interrupt message storage ---- */

static void ims_send(IovSiovNic *self, struct ims_entry *entry, iov_time delay,
                     struct iov_span *span)
{
    IovIgb *family = &self->parent_instance;
    struct iov_mem_req req = {
        .address = (uint64_t)entry->upper << 32 | entry->address,
        .data = &entry->data,
        .size = sizeof entry->data,
        .requester = family->pci.requester,
        .flags = entry->address >> 20 == INTERRUPT_RANGE ? IOV_MEM_INTERRUPT : 0,
        .pasid = IOV_NO_PASID,
        .delay = delay,
        .span = span,
    };

    entry->pending = self->sending;
    if (self->sending) /* LIMIT: a message to this card itself sends no other one */
        return;
    self->messages++;
    self->sending = true;
    (void)iov_mem_write_req(family->pci.dma, &req); /* posted: a message to nowhere is lost */
    self->sending = false;
}

static void ims_message(struct igb_function *function, unsigned vector, iov_time delay,
                        struct iov_span *span)
{
    IovSiovNic *self = from_family(function->nic);
    struct ims_entry *entry = &self->ims[function->pool * SIOV_IMS_ENTRIES + vector];

    if (!iov_pci_master(&function->nic->physical.space))
        return;
    if (entry->masked) {
        self->messages_pending += !entry->pending;
        entry->pending = true;
        return;
    }
    ims_send(self, entry, delay, span);
}

static uint32_t ims_read(const IovSiovNic *self, uint32_t offset)
{
    const struct ims_entry *entry = &self->ims[offset / SIOV_IMS_ENTRY];

    switch (offset % SIOV_IMS_ENTRY) {
    case SIOV_IMS_ADDRESS:
        return entry->address;
    case SIOV_IMS_UPPER:
        return entry->upper;
    case SIOV_IMS_DATA:
        return entry->data;
    default:
        return (entry->masked ? SIOV_IMS_MASKED : 0) | (entry->pending ? SIOV_IMS_PENDING : 0);
    }
}

static void ims_write(IovSiovNic *self, uint32_t offset, uint32_t value)
{
    struct ims_entry *entry = &self->ims[offset / SIOV_IMS_ENTRY];

    switch (offset % SIOV_IMS_ENTRY) {
    case SIOV_IMS_ADDRESS:
        entry->address = value & ~3u;
        return;
    case SIOV_IMS_UPPER:
        entry->upper = value;
        return;
    case SIOV_IMS_DATA:
        entry->data = value;
        return;
    default:
        entry->masked = value & SIOV_IMS_MASKED;
        if (!entry->masked && entry->pending &&
            iov_pci_master(&self->parent_instance.physical.space))
            ims_send(self, entry, 0, NULL); /* what it announces may be over */
    }
}

/* ---- BAR 4 ---- */

/* The ADI whose part of a row of `size` bytes each begins at `base`; NULL: none. */
static struct igb_function *adi_find(IovSiovNic *self, uint64_t address, uint64_t base,
                                     uint64_t size)
{
    uint64_t index = (address - base) / size;

    if (address < base || index >= self->parent_instance.vfs)
        return NULL;
    return &self->parent_instance.virtual[index];
}

static enum iov_status doorbell_access(struct igb_function *adi, struct iov_mem_req *req,
                                       bool write)
{
    struct iov_mem_req inner = *req;
    uint32_t reg = siov_register_of((uint32_t)req->address % SIOV_DOORBELL_SIZE);
    enum iov_status status = IOV_STATUS_OK;

    inner.address = reg;
    if (req->size == 4 && reg != SIOV_NOT_FAST)
        status = write ? igb_function_write(adi, &inner, SIOV_WINDOW_SIZE)
                       : igb_function_read(adi, &inner, SIOV_WINDOW_SIZE);
    else if (!write)
        memset(req->data, 0, req->size);
    else if (!(req->flags & IOV_MEM_DEBUG))
        igb_guest_fault(adi->nic); /* nothing is there, or it is not a register as a whole */
    return status;
}

static uint32_t pasid_read(const struct igb_function *adi)
{
    return adi->pasid == IOV_NO_PASID ? 0 : adi->pasid | SIOV_PASID_VALID;
}

static void pasid_write(struct igb_function *adi, uint32_t value)
{
    adi->pasid = value & SIOV_PASID_VALID ? value & 0xfffff : IOV_NO_PASID;
}

static enum iov_status window_access(struct igb_function *adi, struct iov_mem_req *req, bool write)
{
    struct iov_mem_req inner = *req;

    inner.address = req->address % SIOV_WINDOW_SIZE;
    if (inner.address != SIOV_PASID || req->size != 4)
        return write ? igb_function_write(adi, &inner, SIOV_WINDOW_SIZE)
                     : igb_function_read(adi, &inner, SIOV_WINDOW_SIZE);
    if (!write)
        iov_mem_set_value(req, pasid_read(adi));
    else if (!(req->flags & IOV_MEM_DEBUG))
        pasid_write(adi, (uint32_t)iov_mem_value(req));
    return IOV_STATUS_OK;
}

static enum iov_status ims_access(IovSiovNic *self, struct iov_mem_req *req, bool write)
{
    uint32_t offset = (uint32_t)(req->address - SIOV_IMS(0));

    if (req->size != 4 || offset & 3 || offset >= SIOV_IMS(self->parent_instance.vfs) - SIOV_IMS(0))
        return IOV_STATUS_UNSUPPORTED;
    if (!write)
        iov_mem_set_value(req, ims_read(self, offset));
    else if (!(req->flags & IOV_MEM_DEBUG))
        ims_write(self, offset, (uint32_t)iov_mem_value(req));
    return IOV_STATUS_OK;
}

static enum iov_status interfaces_access(IovSiovNic *self, struct iov_mem_req *req, bool write)
{
    struct igb_function *adi;

    if (req->size > 8 || (req->address & 0xfff) + req->size > 0x1000)
        return IOV_STATUS_UNSUPPORTED;
    adi = adi_find(self, req->address, SIOV_DOORBELLS(0), SIOV_DOORBELL_SIZE);
    if (adi != NULL)
        return doorbell_access(adi, req, write);
    adi = adi_find(self, req->address, SIOV_WINDOWS(0), SIOV_WINDOW_SIZE);
    if (adi != NULL)
        return window_access(adi, req, write);
    return req->address >= SIOV_IMS(0) ? ims_access(self, req, write) : IOV_STATUS_UNSUPPORTED;
}

static enum iov_status interfaces_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return interfaces_access(iov_container_of(port, IovSiovNic, interfaces), req, false);
}

static enum iov_status interfaces_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return interfaces_access(iov_container_of(port, IovSiovNic, interfaces), req, true);
}

static const struct iov_mem_target_ops interfaces_ops = { .read = interfaces_read,
                                                          .write = interfaces_write };

/* ---- The PCI function ---- */

static void space_init(IovIgb *family)
{
    static const struct iov_pci_header header = { .vendor = SIOV_VENDOR_ID,
                                                  .device = SIOV_DEVICE_ID,
                                                  .subsystem_vendor = SIOV_VENDOR_ID,
                                                  .subsystem = SIOV_DEVICE_ID,
                                                  .class_code = 0x020000,
                                                  .revision = 1 };
    /* Behind the header of an extended capability: vendor, revision and length; ID, dependency,
     * flags; page sizes; the one in use; features. */
    static const uint8_t scalable[SIOV_DVSEC_SIZE - 4] = {
        SIOV_DVSEC_VENDOR & 0xff,
        SIOV_DVSEC_VENDOR >> 8,
        (SIOV_DVSEC_SIZE & 0xf) << 4,
        SIOV_DVSEC_SIZE >> 4,
        SIOV_DVSEC_ID,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        1,
        0,
        0,
        0,
        1,
    };
    static const uint8_t writable[SIOV_DVSEC_SIZE - 4] = { [SIOV_DVSEC_PAGE - 4] = 1 };
    const struct iov_pci_bar bars[] = {
        { .index = 0, .size = IGB_BAR_SIZE, .target = &family->registers },
        { .index = 3, .size = IGB_MSIX_BAR_SIZE, .target = &family->msix },
        { .index = SIOV_BAR,
          .flags = IOV_PCI_BAR_64,
          .size = SIOV_BAR_SIZE,
          .target = &from_family(family)->interfaces },
        { .size = 0 },
    };
    const struct iov_pci_capability capabilities[] = {
        IOV_PCI_POWER(.at = 0x40),
        IOV_PCI_MSIX(.at = 0x70, .vectors = (uint16_t)family->vectors, .bar = 3, .table = 0,
                     .pending = IGB_MSIX_PENDING),
        IOV_PCI_EXPRESS(.at = 0xa0, .type = PCI_EXP_TYPE_ENDPOINT, .max_payload = 512,
                        .generation = 1, .lanes = 4, .flr = true,
                        .device2 = PCI_EXP_DEVCAP2_EE_PREFIX),
        IOV_PCI_ERROR_REPORTING(.at = 0x100, .size = 0x40),
        IOV_PCI_PASID(.at = 0x150, .pasid_bits = 20),
        { .id = PCI_EXT_CAP_ID_DVSEC,
          .extended = true,
          .at = 0x160,
          .size = SIOV_DVSEC_SIZE,
          .bytes = scalable,
          .writable = writable },
    };

    family->physical.space.changed = igb_pci_changed;
    iov_pci_space_init(&family->physical.space, &family->pci, &header, bars, capabilities,
                       G_N_ELEMENTS(capabilities));
}

/* A reset of the function takes PASIDs and messages away from all ADIs. */
static void reset(IovIgb *family)
{
    IovSiovNic *self = from_family(family);

    for (unsigned i = 0; i < G_N_ELEMENTS(self->ims); i++)
        self->ims[i] = (struct ims_entry){ .masked = true };
    for (unsigned i = 0; i < family->vfs; i++)
        family->virtual[i].pasid = IOV_NO_PASID;
}

static const struct igb_variant variant = { .space_init = space_init,
                                            .message = ims_message,
                                            .reset = reset };

/* ---- Life ---- */

static void iov_siov_nic_class_init(IovSiovNicClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "siov-nic",
                             "Gigabit controller with assignable interfaces (Scalable IOV)");
    iov_model_class_add_property(mc, &(struct iov_property){ .name = "adis",
                                                             .type = IOV_VALUE_COUNT,
                                                             .offset = G_STRUCT_OFFSET(IovIgb, vfs),
                                                             .width = sizeof(uint64_t),
                                                             .lowest = 1,
                                                             .highest = SIOV_ADIS_MAX,
                                                             .standard = 8,
                                                             .text = "Assignable interfaces" });
    IOV_PORT_MEM_TARGET(mc, IovSiovNic, interfaces, &interfaces_ops,
                        "BAR 4: doorbells, interrupt message storage and windows of the ADIs");
    IOV_STAT(mc, IovSiovNic, messages, "Interrupt messages of ADIs");
    IOV_STAT(mc, IovSiovNic, messages_pending, "Times one had to wait for its mask");
}

static void iov_siov_nic_init(IovSiovNic *self)
{
    self->parent_instance.variant = &variant;
    self->interfaces.size = SIOV_BAR_SIZE;
}
