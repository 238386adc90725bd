/* SPDX-License-Identifier: Apache-2.0 */
/*
 * edu - an educational PCI device (1234:11e8): liveness, factorial, interrupts by register, and a
 * DMA engine with a buffer of 4 KiB.
 *
 *     factorial:  IDLE --write--> COMPUTING --factorial-time--> IDLE
 *     engine:     IDLE --start--> BEGINS --engine-time--> MOVES --time of the path--> IDLE
 *
 * Each ends with an interrupt, if one was asked for.
 * The engine's requests follow each other and do not cross a page; the transfer ends when the last
 * one has. Registers of a transfer are locked while it runs. A transfer that does not stay in the
 * buffer ends without having moved a byte; what memory refuses to give reads as zeros.
 *
 * Accesses in sizes that a register does not take change nothing: 8 bytes below 0x80 read as ones,
 * 1 and 2 bytes as zeros.
 */
#include "models/misc/edu-regs.h"

#include "core/object/model.h"
#include "core/pci/space.h"
#include "core/trace/measure.h"

#define PAGE 4096u

#define IOV_TYPE_EDU (iov_edu_get_type())
G_DECLARE_FINAL_TYPE(IovEdu, iov_edu, IOV, EDU, IovModel)

enum engine_state { ENGINE_IDLE, ENGINE_BEGINS, ENGINE_MOVES };

struct _IovEdu {
    IovModel parent_instance;
    uint64_t dma_mask;                    /* property */
    iov_time engine_time, factorial_time; /* properties */
    struct iov_pci_function pci;          /* port */
    struct iov_mem_target registers;      /* port: BAR 0 */
    struct iov_mem_initiator dma;         /* port */
    struct iov_irq_source interrupt;      /* port */
    struct iov_pci_space space;
    struct iov_event engine, computed, message;
    enum engine_state state;
    uint32_t liveness, factorial, status, interrupts_pending, messages_due;
    uint64_t source, destination, count, command;
    uint8_t buffer[EDU_BUFFER_SIZE];
    uint64_t transfers, bytes_in, bytes_out, refused, outside, interrupts; /* statistics */
    uint64_t bad_accesses;                                                 /* statistic */
};

G_DEFINE_FINAL_TYPE(IovEdu, iov_edu, IOV_TYPE_MODEL)

static void guest_mistake(IovEdu *self, uint64_t *counter)
{
    iov_measure_guest_fault(self->parent_instance.run->measure, counter);
}

/* ---- Interrupts ---- */

/* The wire shows whether something is pending; messages are sent for each cause. */
static void wire_update(IovEdu *self)
{
    bool level = self->interrupts_pending != 0 && !iov_pci_msi_enabled(&self->space);

    if (self->interrupt.peer != &self->pci.intx) { /* in a slot core/pci sees to this */
        uint8_t *status = &self->space.bytes[PCI_STATUS];

        *status = (uint8_t)((*status & ~PCI_STATUS_INTERRUPT) | (level ? PCI_STATUS_INTERRUPT : 0));
        if (iov_pci_get16(&self->space, PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE)
            level = false;
    }
    iov_irq_set(&self->interrupt, level, NULL);
}

static void on_message(struct iov_event *event)
{
    IovEdu *self = iov_container_of(event, IovEdu, message);

    for (; self->messages_due > 0; self->messages_due--)
        iov_pci_message(&self->space, 0, 0, NULL);
}

static void interrupt_raise(IovEdu *self, uint32_t cause)
{
    self->interrupts_pending |= cause;
    if (self->interrupts_pending == 0)
        return;
    self->interrupts++;
    if (iov_pci_msi_enabled(&self->space)) { /* nothing leaves inside a register access */
        self->messages_due++;
        if (!iov_event_armed(&self->message))
            iov_event_in(&self->message, 0);
    }
    wire_update(self);
}

/* ---- Factorial ---- */

static void on_computed(struct iov_event *event)
{
    IovEdu *self = iov_container_of(event, IovEdu, computed);
    uint32_t product = 1;

    /* From 34 on the product of 32 bits is zero. */
    for (uint32_t factor = MIN(self->factorial, 34); factor > 0; factor--)
        product *= factor;
    self->factorial = product;
    self->status &= ~EDU_STATUS_COMPUTING;
    if (self->status & EDU_STATUS_INTERRUPT)
        interrupt_raise(self, EDU_INTERRUPT_FACTORIAL);
}

static void compute(IovEdu *self, uint32_t value)
{
    if (self->status & EDU_STATUS_COMPUTING)
        return;
    self->factorial = value;
    self->status |= EDU_STATUS_COMPUTING;
    iov_event_in(&self->computed, self->factorial_time);
}

/* ---- The DMA engine ---- */

/* One request; returns when it is through. */
static iov_time move_piece(IovEdu *self, uint64_t address, uint8_t *bytes, uint32_t size,
                           bool write, iov_time delay)
{
    struct iov_mem_req req = {
        .address = address,
        .data = bytes,
        .size = size,
        .requester = self->pci.requester,
        .pasid = IOV_NO_PASID,
        .delay = delay,
    };
    enum iov_status status = IOV_STATUS_ABORT;

    if (iov_pci_master(&self->space))
        status = write ? iov_mem_write_req(&self->dma, &req) : iov_mem_read_req(&self->dma, &req);
    if (status != IOV_STATUS_OK) {
        guest_mistake(self, &self->refused);
        if (!write)
            memset(bytes, 0, size);
    }
    return req.delay;
}

static iov_time move_all(IovEdu *self)
{
    bool write = self->command & EDU_DMA_TO_MEMORY;
    uint64_t address = (write ? self->destination : self->source) & self->dma_mask;
    uint64_t inside = (write ? self->source : self->destination) - EDU_BUFFER;
    uint64_t left = self->count;
    iov_time delay = 0;

    if (inside > EDU_BUFFER_SIZE || left > EDU_BUFFER_SIZE - inside) {
        guest_mistake(self, &self->outside);
        return 0;
    }
    self->transfers++;
    *(write ? &self->bytes_out : &self->bytes_in) += left;
    while (left > 0) {
        uint32_t size = (uint32_t)MIN(left, PAGE - address % PAGE);

        delay = move_piece(self, address, self->buffer + inside, size, write, delay);
        address += size;
        inside += size;
        left -= size;
    }
    return delay;
}

static void on_engine(struct iov_event *event)
{
    IovEdu *self = iov_container_of(event, IovEdu, engine);

    if (self->state == ENGINE_BEGINS) {
        self->state = ENGINE_MOVES;
        iov_event_in(&self->engine, move_all(self));
        return;
    }
    self->state = ENGINE_IDLE;
    self->command &= ~(uint64_t)EDU_DMA_START;
    if (self->command & EDU_DMA_INTERRUPT)
        interrupt_raise(self, EDU_INTERRUPT_DMA);
}

/* A command without the start bit is not taken. */
static void command_write(IovEdu *self, uint64_t value)
{
    if ((value & EDU_DMA_START) == 0)
        return;
    self->command = value;
    self->state = ENGINE_BEGINS;
    iov_event_in(&self->engine, self->engine_time);
}

/* ---- Registers ---- */

static bool size_is_good(const struct iov_mem_req *req)
{
    return (req->size == 4 || (req->size == 8 && req->address >= EDU_WIDE)) &&
           req->address % 4 == 0;
}

static uint64_t register_value(const IovEdu *self, uint64_t offset)
{
    switch (offset) {
    case EDU_ID:
        return EDU_ID_VALUE;
    case EDU_LIVENESS:
        return self->liveness;
    case EDU_FACTORIAL:
        return self->factorial;
    case EDU_STATUS:
        return self->status;
    case EDU_INTERRUPT_STATUS:
        return self->interrupts_pending;
    case EDU_DMA_SOURCE:
        return self->source;
    case EDU_DMA_DESTINATION:
        return self->destination;
    case EDU_DMA_COUNT:
        return self->count;
    case EDU_DMA_COMMAND:
        return self->command;
    default:
        return UINT64_MAX;
    }
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovEdu *self = iov_container_of(port, IovEdu, registers);

    if (size_is_good(req)) {
        iov_mem_set_value(req, register_value(self, req->address));
    } else {
        self->bad_accesses++;
        memset(req->data, req->size > 4 ? 0xff : 0, req->size);
    }
    return IOV_STATUS_OK;
}

static void low_register_write(IovEdu *self, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case EDU_LIVENESS:
        self->liveness = ~value;
        return;
    case EDU_FACTORIAL:
        compute(self, value);
        return;
    case EDU_STATUS:
        self->status = (self->status & ~EDU_STATUS_INTERRUPT) | (value & EDU_STATUS_INTERRUPT);
        return;
    case EDU_INTERRUPT_RAISE:
        interrupt_raise(self, value);
        return;
    case EDU_INTERRUPT_ACK:
        self->interrupts_pending &= ~value;
        wire_update(self);
        return;
    default: /* read only, or nothing there */
        self->bad_accesses++;
        return;
    }
}

static void engine_register_write(IovEdu *self, uint64_t offset, uint64_t value)
{
    if (self->state != ENGINE_IDLE) {
        self->bad_accesses++;
        return;
    }
    switch (offset) {
    case EDU_DMA_SOURCE:
        self->source = value;
        return;
    case EDU_DMA_DESTINATION:
        self->destination = value;
        return;
    case EDU_DMA_COUNT:
        self->count = value;
        return;
    case EDU_DMA_COMMAND:
        command_write(self, value);
        return;
    default:
        self->bad_accesses++;
        return;
    }
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovEdu *self = iov_container_of(port, IovEdu, registers);
    uint64_t value = iov_mem_value(req);

    if (!size_is_good(req))
        self->bad_accesses++;
    else if (req->address < EDU_WIDE)
        low_register_write(self, req->address, (uint32_t)value);
    else
        engine_register_write(self, req->address, value);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* ---- The function ---- */

static void registers_reset(IovEdu *self)
{
    iov_event_disarm(&self->engine);
    iov_event_disarm(&self->computed);
    iov_event_disarm(&self->message);
    self->state = ENGINE_IDLE;
    self->messages_due = 0;
    self->liveness = self->factorial = self->status = self->interrupts_pending = 0;
    self->source = self->destination = self->count = self->command = 0;
    memset(self->buffer, 0, sizeof self->buffer);
    wire_update(self);
}

static void function_reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    IovEdu *self = iov_container_of(function, IovEdu, pci);

    registers_reset(self);
    iov_pci_space_reset(&self->space, kind);
}

static void on_config_changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                              uint16_t size)
{
    IovEdu *self = iov_container_of(function, IovEdu, pci);

    (void)offset;
    (void)size;
    if (what & (IOV_PCI_CHANGED_INTX | IOV_PCI_CHANGED_MSI))
        wire_update(self);
}

static const struct iov_pci_function_ops function_ops = {
    .config_read = iov_pci_space_read,
    .config_write = iov_pci_space_write,
    .windows = iov_pci_space_windows,
    .reset = function_reset,
};

static bool edu_prepare(IovModel *model, GError **error)
{
    static const struct iov_pci_header header = {
        .vendor = EDU_VENDOR,
        .device = EDU_DEVICE,
        .subsystem_vendor = 0x1af4,
        .subsystem = 0x1100,
        .class_code = 0x00ff00, /* of no class */
        .revision = 0x10,
        .interrupt_pin = 1,
        .conventional = true,
        .scratch = true,
    };
    static const struct iov_pci_capability capabilities[] = {
        IOV_PCI_MSI(.at = 0x40, .vectors = 1, .wide = true),
    };
    IovEdu *self = IOV_EDU(model);
    const struct iov_pci_bar bars[] = {
        { .index = 0, .size = EDU_BAR_SIZE, .target = &self->registers },
        { .size = 0 },
    };

    (void)error;
    self->registers.size = EDU_BAR_SIZE;
    iov_pci_space_init(&self->space, &self->pci, &header, bars, capabilities,
                       G_N_ELEMENTS(capabilities));
    self->space.changed = on_config_changed;
    iov_event_init(&self->engine, model->kernel, on_engine, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->computed, model->kernel, on_computed, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->message, model->kernel, on_message, IOV_PRIORITY_DEFAULT);
    return true;
}

static void edu_reset(IovModel *model)
{
    function_reset(&IOV_EDU(model)->pci, IOV_PCI_RESET_COLD);
}

static void edu_unrealize(IovModel *model)
{
    IovEdu *self = IOV_EDU(model);

    if (self->engine.kernel == NULL)
        return;
    iov_event_disarm(&self->engine);
    iov_event_disarm(&self->computed);
    iov_event_disarm(&self->message);
}

static void edu_finalize(GObject *object)
{
    iov_pci_space_clear(&IOV_EDU(object)->space);
    G_OBJECT_CLASS(iov_edu_parent_class)->finalize(object);
}

static void iov_edu_init(IovEdu *self)
{
    self->pci.space = &self->space;
    self->pci.dma = &self->dma;
    self->pci.interrupt = &self->interrupt;
}

static void iov_edu_class_init(IovEduClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    G_OBJECT_CLASS(klass)->finalize = edu_finalize;
    mc->prepare = edu_prepare;
    mc->reset = edu_reset;
    mc->unrealize = edu_unrealize;
    iov_model_class_describe(mc, "edu", "Educational PCI device with a DMA engine");
    IOV_PROP_COUNT(mc, IovEdu, dma_mask, 0, UINT64_MAX, 0x0fffffff,
                   "Bits of a DMA address that reach the bus");
    IOV_PROP_TIME(mc, IovEdu, engine_time, 0, IOV_SEC, IOV_US,
                  "From the start of a transfer to its first request");
    IOV_PROP_TIME(mc, IovEdu, factorial_time, 0, IOV_SEC, IOV_US, "That a factorial takes");
    IOV_PORT_PCI_FUNCTION(mc, IovEdu, pci, &function_ops, "Slot");
    IOV_PORT_MEM_TARGET(mc, IovEdu, registers, &registers_ops,
                        "BAR 0, for those who reach it without a slot");
    IOV_PORT_MEM_INITIATOR(mc, IovEdu, dma, "DMA and messages; connected by the slot");
    IOV_PORT_IRQ_SOURCE(mc, IovEdu, interrupt, "INTx; connected by the slot");
    IOV_STAT(mc, IovEdu, transfers, "DMA transfers");
    IOV_STAT_BYTES(mc, IovEdu, bytes_in, "Bytes from memory");
    IOV_STAT_BYTES(mc, IovEdu, bytes_out, "Bytes to memory");
    IOV_STAT(mc, IovEdu, refused, "DMA requests that memory or an IOMMU refused");
    IOV_STAT(mc, IovEdu, outside, "Transfers that did not stay in the buffer");
    IOV_STAT(mc, IovEdu, interrupts, "Interrupts raised");
    IOV_STAT(mc, IovEdu, bad_accesses, "Register accesses that make no sense");
}
