/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e1000e - Intel 82574L Gigabit Ethernet controller, as Linux's e1000e driver uses it: the engines
 * of the e1000 family, and around them PCI Express configuration space, extended receive
 * descriptors and five MSI-X vectors.
 *
 * With MSI-X each queue has a cause of its own, all others together are OTHER; IVAR names the
 * vector of each, EITR keeps messages of a vector apart. Sending clears the cause if EIAC names it,
 * and masks it with CTRL_EXT.EIAME if IAM names it: a driver in its poll loop touches nothing but
 * IMS, when it is done. Without MSI-X there is one message (MSI) or the line, as in the e1000.
 *
 * SPEC: 82574 Datasheet, 7.4 (interrupts), 10.2 (registers).
 * LIMIT: one queue each way (no RSS; the causes of queue 1 can be set by software only), no packet
 * split, no time stamps; flash and management registers are stored without effect; EITR of a vector
 * counts time only; CTRL_EXT.PBA_CLR does nothing.
 */
#include <linux/pci_regs.h>

#include "models/nic/e1000-private.h"

#define EITR_UNIT (256 * IOV_NS)
#define CAUSES 5u
#define PLAIN 8u

typedef struct _IovE1000e IovE1000e;

struct message {
    struct iov_event throttle; /* armed while it waits for EITR */
    IovE1000e *owner;
    iov_time last;
    bool ever;
};

struct _IovE1000e {
    IovE1000 parent_instance;
    /* ports */
    struct iov_mem_target msix;
    struct iov_mem_target flash; /* of BAR 1 */
    /* state */
    uint32_t eiac, iam, ivar, eitr[E1000_82574_VECTORS];
    uint32_t told; /* causes that were sent and are still set */
    uint32_t plain[PLAIN];
    struct message messages[E1000_82574_VECTORS];
};

typedef struct {
    IovE1000Class parent_class;
} IovE1000eClass;

GType iov_e1000e_get_type(void);
G_DEFINE_FINAL_TYPE(IovE1000e, iov_e1000e, IOV_TYPE_E1000_FAMILY)

static IovE1000e *from_family(IovE1000 *family)
{
    return (IovE1000e *)(void *)family;
}

/* ---- Interrupts ---- */

/* Where in IVAR a cause's vector stands. */
static const struct {
    uint32_t cause;
    unsigned shift;
} entries[CAUSES] = {
    { E1000_ICR_RXQ0, E1000_IVAR_RXQ0 },   { E1000_ICR_RXQ1, E1000_IVAR_RXQ1 },
    { E1000_ICR_TXQ0, E1000_IVAR_TXQ0 },   { E1000_ICR_TXQ1, E1000_IVAR_TXQ1 },
    { E1000_ICR_OTHER, E1000_IVAR_OTHER },
};

static uint32_t further_causes(const IovE1000 *family, uint32_t causes)
{
    uint32_t further = 0;

    if (causes & E1000_ICR_RXT0)
        further |= E1000_ICR_RXQ0;
    if (causes & E1000_ICR_TXDW)
        further |= E1000_ICR_TXQ0;
    if (causes & (E1000_ICR_LSC | E1000_ICR_RXO | E1000_ICR_MDAC | E1000_ICR_TXD_LOW |
                  E1000_ICR_SRPD | E1000_ICR_ACK | E1000_ICR_MNG))
        further |= E1000_ICR_OTHER;
    (void)family;
    return further;
}

/* May the vector's message leave now? Otherwise its event is armed. */
static bool throttle_passes(IovE1000e *self, unsigned vector, uint32_t units)
{
    IovE1000 *family = &self->parent_instance;
    struct message *message = &self->messages[vector];
    iov_time now = e1000_now(family);
    iov_time interval = MAX((units & 0xffff) * EITR_UNIT, family->interval_floor);

    if (iov_event_armed(&message->throttle))
        return false;
    if (message->ever && now - message->last < interval) {
        family->throttled++;
        iov_event_at(&message->throttle, message->last + interval);
        return false;
    }
    message->last = now;
    message->ever = true;
    family->interrupts++;
    return true;
}

static struct iov_span *announced(IovE1000 *family)
{
    struct iov_span *span = family->irq.span;

    family->irq.span = NULL;
    if (!e1000_is_software(family))
        iov_span_mark(span, family, IOV_PART_IDLE, e1000_now(family)); /* by EITR */
    return span;
}

static void cause_try(IovE1000e *self, unsigned index)
{
    IovE1000 *family = &self->parent_instance;
    uint32_t cause = entries[index].cause, entry = self->ivar >> entries[index].shift & 0xf;
    unsigned vector = entry & 7;

    if (!(family->icr & family->ims & ~self->told & cause) || !(entry & E1000_IVAR_VALID) ||
        vector >= E1000_82574_VECTORS || !throttle_passes(self, vector, self->eitr[vector]))
        return;
    if (self->eiac & cause)
        family->icr &= ~cause;
    else
        self->told |= cause;
    if (family->ctrl_ext & E1000_CTRL_EXT_EIAME)
        family->ims &= ~(self->iam & cause);
    iov_pci_message(&family->space, vector, 0, cause == E1000_ICR_RXQ0 ? announced(family) : NULL);
}

static bool announce(IovE1000 *family)
{
    IovE1000e *self = from_family(family);

    self->told &= family->icr | E1000_ICR_ASSERTED;
    if (iov_pci_msix_enabled(&family->space)) {
        for (unsigned i = 0; i < CAUSES; i++)
            cause_try(self, i);
        return true;
    }
    if ((family->icr & family->ims & ~E1000_ICR_ASSERTED) == 0) {
        family->icr &= ~E1000_ICR_ASSERTED;
        self->told = 0;
    } else {
        family->icr |= E1000_ICR_ASSERTED;
    }
    if (!iov_pci_msi_enabled(&family->space))
        return false;
    if (!(family->icr & E1000_ICR_ASSERTED) || self->told != 0 ||
        !throttle_passes(self, 0, family->itr))
        return true;
    self->told = E1000_ICR_ASSERTED;
    iov_pci_message(&family->space, 0, 0, announced(family));
    return true;
}

static void on_throttle(struct iov_event *event)
{
    struct message *message = iov_container_of(event, struct message, throttle);

    announce(&message->owner->parent_instance);
}

/* SPEC: 82574, 10.2.4.1: reading clears all causes; IAME masks with it. */
static uint32_t icr_read(IovE1000e *self, bool peek)
{
    IovE1000 *family = &self->parent_instance;
    uint32_t causes = family->icr;

    if (peek)
        return causes;
    if (family->ctrl_ext & E1000_CTRL_EXT_IAME && causes & E1000_ICR_ASSERTED)
        family->ims &= ~self->iam;
    family->icr = 0;
    e1000_irq_update(family);
    return causes;
}

/* ---- Registers ---- */

static uint32_t *plain_register(IovE1000e *self, uint32_t offset)
{
    static const uint32_t offsets[] = { E1000_EXTCNF_CTRL, E1000_TARC0, E1000_RFCTL,
                                        E1000_GCR,         E1000_FWSM,  E1000_SWSM2 };

    G_STATIC_ASSERT(G_N_ELEMENTS(offsets) <= PLAIN);
    for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
        if (offsets[i] == offset)
            return &self->plain[i];
    }
    switch (offset) {
    case E1000_EIAC:
        return &self->eiac;
    case E1000_IAM:
        return &self->iam;
    case E1000_IVAR:
        return &self->ivar;
    default:
        break;
    }
    if (offset >= E1000_EITR(0) && offset < E1000_EITR(E1000_82574_VECTORS))
        return &self->eitr[(offset - E1000_EITR(0)) / 4];
    return NULL;
}

static bool further_read(IovE1000 *family, uint32_t offset, bool peek, uint32_t *ret_value)
{
    IovE1000e *self = from_family(family);
    const uint32_t *plain;

    if (offset == E1000_ICR) {
        *ret_value = icr_read(self, peek);
        return true;
    }
    plain = plain_register(self, offset);
    if (plain == NULL)
        return false;
    *ret_value = *plain;
    return true;
}

static void eerd_write(IovE1000 *family, uint32_t value)
{
    uint32_t address = value >> E1000_82574_EERD_ADDRESS_SHIFT & E1000_82574_EERD_ADDRESS;

    family->eerd =
        value & (E1000_EERD_START | E1000_82574_EERD_ADDRESS << E1000_82574_EERD_ADDRESS_SHIFT);
    if (!(value & E1000_EERD_START))
        return;
    family->eerd |= E1000_82574_EERD_DONE;
    if (address < E1000_EEPROM_WORDS)
        family->eerd |= (uint32_t)family->eeprom[address] << E1000_EERD_DATA_SHIFT;
}

static void eitr_write(IovE1000e *self, unsigned vector, uint32_t value)
{
    struct message *message = &self->messages[vector];

    self->eitr[vector] = value & 0xffff;
    if (!iov_event_armed(&message->throttle))
        return;
    iov_event_disarm(&message->throttle); /* waits by the new interval */
    e1000_irq_update(&self->parent_instance);
}

static bool further_write(IovE1000 *family, uint32_t offset, uint32_t value)
{
    IovE1000e *self = from_family(family);
    uint32_t *plain;

    if (offset == E1000_EERD) {
        eerd_write(family, value);
        return true;
    }
    if (offset == E1000_CTRL_EXT) {
        family->ctrl_ext = value & ~E1000_CTRL_EXT_PBA_CLR;
        return true;
    }
    if (offset >= E1000_EITR(0) && offset < E1000_EITR(E1000_82574_VECTORS)) {
        eitr_write(self, (offset - E1000_EITR(0)) / 4, value);
        return true;
    }
    plain = plain_register(self, offset);
    if (plain == NULL)
        return false;
    *plain = value;
    if (offset == E1000_EIAC)
        self->eiac &= E1000_ICR_QUEUES | E1000_ICR_OTHER;
    if (offset == E1000_RFCTL)
        family->extended = value & E1000_RFCTL_EXTENDED;
    if (offset == E1000_IVAR)
        e1000_irq_update(family);
    return true;
}

static void further_reset(IovE1000 *family)
{
    IovE1000e *self = from_family(family);

    self->eiac = self->iam = self->ivar = self->told = 0;
    memset(self->eitr, 0, sizeof self->eitr);
    memset(self->plain, 0, sizeof self->plain);
    for (unsigned i = 0; i < E1000_82574_VECTORS; i++) {
        iov_event_disarm(&self->messages[i].throttle);
        self->messages[i].ever = false;
    }
}

/* ---- Configuration space ---- */

static void on_config_changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                              uint16_t size)
{
    (void)offset;
    (void)size;
    if (what & IOV_PCI_CHANGED_MSI)
        e1000_irq_update(iov_container_of(function, IovE1000, pci));
}

static void config_rows(IovE1000 *family)
{
    static const struct iov_pci_header header = {
        .vendor = E1000_VENDOR_ID,
        .device = E1000_82574_DEVICE_ID,
        .subsystem_vendor = E1000_VENDOR_ID,
        .class_code = 0x020000,
        .interrupt_pin = 1,
        .scratch = true,
    };
    const uint8_t *mac = family->address;
    const struct iov_pci_capability capabilities[] = {
        IOV_PCI_POWER(.at = 0xc8, .version = 2, .pm = PCI_PM_CAP_DSI),
        IOV_PCI_MSI(.at = 0xd0, .vectors = 1, .wide = true),
        IOV_PCI_EXPRESS(.at = 0xe0, .version = 1, .type = PCI_EXP_TYPE_RC_END, .max_payload = 128,
                        .max_read_request = 128, .generation = 1, .lanes = 1),
        IOV_PCI_MSIX(.at = 0xa0, .vectors = E1000_82574_VECTORS, .bar = 3,
                     .pending = E1000_82574_MSIX_PENDING),
        IOV_PCI_ERROR_REPORTING(.at = 0x100, .size = 0x40),
        /* SPEC: PCI Express Base 5.0, 7.9.3: an EUI-64 made from the Ethernet address. */
        IOV_PCI_SERIAL(.at = 0x140, .serial = (uint64_t)mac[0] << 56 | (uint64_t)mac[1] << 48 |
                                              (uint64_t)mac[2] << 40 | UINT64_C(0xffff) << 24 |
                                              (uint64_t)mac[3] << 16 | (uint64_t)mac[4] << 8 |
                                              mac[5]),
    };
    const struct iov_pci_bar bars[] = {
        { .index = 0, .size = E1000_BAR_SIZE, .target = &family->registers },
        { .index = 1, .size = E1000_BAR_SIZE, .target = &from_family(family)->flash },
        { .index = 2, .flags = IOV_PCI_BAR_IO, .size = E1000_82574_IO_SIZE, .target = &family->io },
        { .index = 3, .size = E1000_82574_MSIX_SIZE, .target = &from_family(family)->msix },
        { .size = 0 },
    };

    iov_pci_space_init(&family->space, &family->pci, &header, bars, capabilities,
                       G_N_ELEMENTS(capabilities));
    family->space.changed = on_config_changed;
}

static void config_enable(IovE1000 *family)
{
    e1000_config_put(family, 0xa0, (uint32_t)PCI_MSIX_FLAGS_ENABLE << 16);
}

static const struct e1000_variant variant = {
    .causes = E1000_ICR_82574,
    .device_id = E1000_82574_DEVICE_ID,
    .phy_id = E1000_PHY_82574,
    .io_size = E1000_82574_IO_SIZE,
    .config_size = E1000_82574_CONFIG_SIZE,
    .config_rows = config_rows,
    .config_enable = config_enable,
    .read = further_read,
    .write = further_write,
    .further_causes = further_causes,
    .announce = announce,
    .reset = further_reset,
};

/* ---- Windows ---- */

/* Table or pending bits; the rest of the BAR is empty. */
static enum iov_status msix_access(struct iov_mem_target *port, struct iov_mem_req *req, bool write)
{
    struct iov_pci_space *space = &iov_container_of(port, IovE1000e, msix)->parent_instance.space;
    uint64_t whole = req->address;
    struct iov_mem_target *target = NULL;
    enum iov_status status;

    if (whole < UINT64_C(16) * E1000_82574_VECTORS)
        target = &space->msix_table;
    else if (whole - E1000_82574_MSIX_PENDING < 8)
        target = &space->msix_pending;
    if (target == NULL) {
        if (!write)
            memset(req->data, 0, req->size);
        return IOV_STATUS_OK;
    }
    req->address = target == &space->msix_table ? whole : whole - E1000_82574_MSIX_PENDING;
    status = write ? target->ops->write(target, req) : target->ops->read(target, req);
    req->address = whole;
    return status;
}

static enum iov_status msix_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(port, req, false);
}

static enum iov_status msix_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(port, req, true);
}

static const struct iov_mem_target_ops msix_ops = { .read = msix_read, .write = msix_write };

static enum iov_status flash_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    memset(req->data, 0, req->size);
    return IOV_STATUS_OK;
}

static enum iov_status flash_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops flash_ops = { .read = flash_read, .write = flash_write };

/* ---- Life ---- */

static bool iov_e1000e_realize(IovModel *model, GError **error)
{
    IovE1000e *self = (IovE1000e *)(void *)model;

    for (unsigned i = 0; i < E1000_82574_VECTORS; i++) {
        self->messages[i].owner = self;
        iov_event_init(&self->messages[i].throttle, model->kernel, on_throttle,
                       IOV_PRIORITY_DEFAULT);
    }
    return IOV_MODEL_CLASS(iov_e1000e_parent_class)->realize(model, error);
}

static void iov_e1000e_unrealize(IovModel *model)
{
    IovE1000e *self = (IovE1000e *)(void *)model;

    IOV_MODEL_CLASS(iov_e1000e_parent_class)->unrealize(model);
    for (unsigned i = 0; i < E1000_82574_VECTORS; i++)
        iov_event_disarm(&self->messages[i].throttle);
}

static void iov_e1000e_class_init(IovE1000eClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "e1000e", "Intel 82574L Gigabit Ethernet controller");
    IOV_PORT_MEM_TARGET(mc, IovE1000e, msix, &msix_ops,
                        "BAR 3: MSI-X table, and pending bits at 0x2000");
    mc->realize = iov_e1000e_realize;
    mc->unrealize = iov_e1000e_unrealize;
}

static void iov_e1000e_init(IovE1000e *self)
{
    self->parent_instance.variant = &variant;
    self->msix.size = E1000_82574_MSIX_SIZE;
    self->flash = (struct iov_mem_target){ &flash_ops, E1000_BAR_SIZE };
}
