/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioapic - the I/O APIC: 24 pins in, interrupt messages out.
 *
 * A pin's level means asserted: polarity is what a board does with it, so the polarity bit is
 * stored and changes nothing. Sources that share a pin are counted, and the pin is asserted while
 * one of them is. An edge entry sends a message when its pin rises; a level entry sends one, waits
 * with remote IRR set until the EOI of its vector, and sends again if the pin is still asserted.
 *
 * Messages are in the format that the entry chooses: compatibility, or remappable, where the
 * entry's index and the source ID `requester` are what interrupt remapping looks at. A PC joins the
 * timer's input 0 to pin 2: property timer-pin.
 *
 * The EOI of a level interrupt comes from whoever owns the local APICs: a write of one byte, the
 * vector, to port `eoi`; in version 0x20 software may also write the EOI register. The same kind
 * serves as a chipset's and, owned by a monitor, as its emulation: it takes no time of its own.
 * LIMIT: ExtINT, SMI, NMI and INIT entries send messages that the router drops; no boot or
 * arbitration bus.
 */
#include "core/object/model.h"
#include "models/irq/ioapic-regs.h"

#define IOV_TYPE_IOAPIC (iov_ioapic_get_type())
G_DECLARE_FINAL_TYPE(IovIoapic, iov_ioapic, IOV, IOAPIC, IovModel)

struct pin {
    struct iov_irq_sink sink; /* port element */
    uint8_t index;
    uint16_t asserted;     /* by how many sources */
    uint64_t entry;        /* redirection entry */
    struct iov_span *span; /* what the pin last announced */
};

struct _IovIoapic {
    IovModel parent_instance;
    uint64_t version; /* property */
    uint64_t id;      /* property, then register */
    uint64_t reset_id;
    uint64_t requester;                /* property */
    uint64_t timer_pin;                /* property */
    struct iov_mem_target registers;   /* port */
    struct iov_mem_target eoi;         /* port */
    struct iov_mem_initiator messages; /* port */
    struct pin pins[IOAPIC_PINS];      /* port */
    uint8_t select;
    uint32_t unacknowledged; /* bits: pins whose entry has its remote IRR set */
    uint64_t edges, sent, resent, eois, masked, lost; /* statistics */
};

G_DEFINE_FINAL_TYPE(IovIoapic, iov_ioapic, IOV_TYPE_MODEL)

static void remote_irr_put(IovIoapic *self, struct pin *pin, bool value)
{
    uint32_t bit = UINT32_C(1) << pin->index;

    pin->entry = value ? pin->entry | IOAPIC_ENTRY_REMOTE_IRR
                       : pin->entry & ~(uint64_t)IOAPIC_ENTRY_REMOTE_IRR;
    self->unacknowledged = value ? self->unacknowledged | bit : self->unacknowledged & ~bit;
}

/*
 * SPEC: SDM vol. 3A, 11.11; VT-d 5.1.5.1: entry bits 63:48 are message address bits 19:4 in either
 * format (destination and reserved bits, or index 14:0 and the format bit), entry bit 11 is bit 2.
 */
static void message_send(IovIoapic *self, struct pin *pin)
{
    uint64_t entry = pin->entry;
    uint32_t data = (uint32_t)(entry & (IOAPIC_ENTRY_MODE | IOAPIC_ENTRY_VECTOR)) |
                    MSI_DATA_ASSERT | (entry & IOAPIC_ENTRY_LEVEL ? MSI_DATA_LEVEL : 0);
    struct iov_mem_req req = {
        .address =
            MSI_BASE | entry >> 48 << 4 | (entry & IOAPIC_ENTRY_LOGICAL ? MSI_ADDRESS_LOGICAL : 0),
        .data = &data,
        .size = sizeof data,
        .flags = IOV_MEM_INTERRUPT,
        .requester = (uint16_t)self->requester,
        .pasid = IOV_NO_PASID,
        .span = pin->span,
    };

    self->sent++;
    if (entry & IOAPIC_ENTRY_LEVEL)
        remote_irr_put(self, pin, true);
    if (iov_mem_write_req(&self->messages, &req) != IOV_STATUS_OK)
        self->lost++;
}

/* Sends what a level entry has to say now; true if it did. */
static bool level_service(IovIoapic *self, struct pin *pin)
{
    if (!(pin->entry & IOAPIC_ENTRY_LEVEL) || pin->asserted == 0 ||
        pin->entry & (IOAPIC_ENTRY_MASKED | IOAPIC_ENTRY_REMOTE_IRR))
        return false;
    message_send(self, pin);
    return true;
}

static void pin_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    struct pin *pin = iov_container_of(sink, struct pin, sink);
    IovIoapic *self = iov_container_of(pin - pin->index, IovIoapic, pins);

    if (pin->index == 0)
        pin = &self->pins[self->timer_pin];
    if (!level) {
        if (pin->asserted > 0)
            pin->asserted--;
        if (pin->asserted == 0)
            pin->span = NULL;
        return;
    }
    pin->asserted++;
    if (span != NULL)
        pin->span = span;
    if (pin->asserted > 1)
        return;
    self->edges++;
    if (pin->entry & IOAPIC_ENTRY_MASKED)
        self->masked++;
    else if (pin->entry & IOAPIC_ENTRY_LEVEL)
        level_service(self, pin);
    else
        message_send(self, pin);
}

static const struct iov_irq_sink_ops pin_ops = { .set = pin_set };

static void vector_done(IovIoapic *self, uint8_t vector)
{
    self->eois++;
    for (uint32_t left = self->unacknowledged; left != 0; left &= left - 1) {
        struct pin *pin = &self->pins[__builtin_ctz(left)];

        if ((pin->entry & IOAPIC_ENTRY_VECTOR) != vector)
            continue;
        remote_irr_put(self, pin, false);
        if (level_service(self, pin))
            self->resent++;
    }
}

/* ---- Registers ---- */

static uint32_t indirect_read(const IovIoapic *self, unsigned index)
{
    switch (index) {
    case IOAPIC_REG_ID:
    case IOAPIC_REG_ARBITRATION:
        return (uint32_t)self->id << 24;
    case IOAPIC_REG_VERSION:
        return (uint32_t)self->version | (IOAPIC_PINS - 1) << 16;
    default:
        if (index < IOAPIC_REG_TABLE || index >= IOAPIC_REG_TABLE + 2 * IOAPIC_PINS)
            return 0;
        index -= IOAPIC_REG_TABLE;
        return (uint32_t)(self->pins[index / 2].entry >> (index % 2 * 32));
    }
}

static void entry_write(IovIoapic *self, struct pin *pin, unsigned half, uint32_t value)
{
    uint64_t mask =
        (half != 0 ? UINT64_C(0xffffffff00000000) : UINT64_C(0xffffffff)) & IOAPIC_ENTRY_WRITABLE;

    pin->entry = (pin->entry & ~mask) | ((uint64_t)value << (32 * half) & mask);
    if (!(pin->entry & IOAPIC_ENTRY_LEVEL))
        remote_irr_put(self, pin, false); /* software's way to end a stuck level interrupt */
    level_service(self, pin);
}

static void indirect_write(IovIoapic *self, unsigned index, uint32_t value)
{
    if (index == IOAPIC_REG_ID) {
        self->id = value >> 24 & 0xf;
    } else if (index >= IOAPIC_REG_TABLE && index < IOAPIC_REG_TABLE + 2 * IOAPIC_PINS) {
        index -= IOAPIC_REG_TABLE;
        entry_write(self, &self->pins[index / 2], index % 2, value);
    }
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovIoapic *self = iov_container_of(port, IovIoapic, registers);
    uint64_t value = 0;
    unsigned offset = req->address & IOAPIC_DECODED;

    if (offset == IOAPIC_IOREGSEL)
        value = self->select;
    else if (offset == IOAPIC_IOWIN && req->size >= 4)
        value = indirect_read(self, self->select);
    iov_mem_set_value(req, value);
    return IOV_STATUS_OK;
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovIoapic *self = iov_container_of(port, IovIoapic, registers);
    uint64_t value = iov_mem_value(req);
    unsigned offset = req->address & IOAPIC_DECODED;

    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    if (offset == IOAPIC_IOREGSEL)
        self->select = (uint8_t)value;
    else if (offset == IOAPIC_IOWIN && req->size >= 4)
        indirect_write(self, self->select, (uint32_t)value);
    else if (offset == IOAPIC_EOI && self->version >= 0x20)
        vector_done(self, (uint8_t)value);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

static enum iov_status eoi_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    (void)port;
    (void)req;
    return IOV_STATUS_UNSUPPORTED;
}

static enum iov_status eoi_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    vector_done(iov_container_of(port, IovIoapic, eoi), (uint8_t)iov_mem_value(req));
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops eoi_ops = { .read = eoi_read, .write = eoi_write };

/* ---- Life ---- */

static bool iov_ioapic_realize(IovModel *model, GError **error)
{
    IovIoapic *self = (IovIoapic *)(void *)model;

    (void)error;
    self->reset_id = self->id;
    return true;
}

static void iov_ioapic_reset(IovModel *model)
{
    IovIoapic *self = (IovIoapic *)(void *)model;

    self->id = self->reset_id;
    self->select = 0;
    self->unacknowledged = 0;
    for (unsigned i = 0; i < IOAPIC_PINS; i++)
        self->pins[i].entry = IOAPIC_ENTRY_MASKED;
}

static void iov_ioapic_class_init(IovIoapicClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "ioapic", "I/O APIC: pins become interrupt messages");
    IOV_PROP_COUNT(mc, IovIoapic, version, 0x11, 0x20, 0x20,
                   "Version register; from 0x20 on there is an EOI register");
    IOV_PROP_COUNT(mc, IovIoapic, id, 0, 15, 0, "APIC ID after reset");
    IOV_PROP_COUNT(mc, IovIoapic, requester, 0, 0xffff, 0xf0f8,
                   "Requester ID of its messages, for interrupt remapping");
    IOV_PROP_COUNT(mc, IovIoapic, timer_pin, 0, IOAPIC_PINS - 1, 0,
                   "Pin that input 0, a PC's timer, is joined to");
    IOV_PORT_MEM_TARGET(mc, IovIoapic, registers, &registers_ops, "The page at 0xFEC00000");
    IOV_PORT_MEM_TARGET(mc, IovIoapic, eoi, &eoi_ops,
                        "Write of one byte: the vector whose level interrupt is done");
    IOV_PORT_MEM_INITIATOR(mc, IovIoapic, messages, "Interrupt messages, at their full address");
    IOV_ROW_PORT(mc, IovIoapic, pins, IOV_PORT_IRQ, IOV_PORT_TARGET, IOV_PORT_SHARED, IOAPIC_PINS,
                 sizeof(struct pin), &pin_ops, "Interrupt inputs; level means asserted");
    IOV_STAT(mc, IovIoapic, edges, "Rising edges of pins");
    IOV_STAT(mc, IovIoapic, sent, "Messages sent");
    IOV_STAT(mc, IovIoapic, resent, "Of them, after an EOI with the pin still asserted");
    IOV_STAT(mc, IovIoapic, eois, "EOIs heard");
    IOV_STAT(mc, IovIoapic, masked, "Edges while the entry was masked");
    IOV_STAT(mc, IovIoapic, lost, "Messages that nobody took");
    mc->realize = iov_ioapic_realize;
    mc->reset = iov_ioapic_reset;
}

static void iov_ioapic_init(IovIoapic *self)
{
    self->registers.size = IOAPIC_SIZE;
    self->eoi.size = 1;
    for (unsigned i = 0; i < IOAPIC_PINS; i++) {
        self->pins[i].index = (uint8_t)i;
        self->pins[i].entry = IOAPIC_ENTRY_MASKED;
    }
}
