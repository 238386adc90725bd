/* SPDX-License-Identifier: Apache-2.0 */
/*
 * e1000 - Intel 82540EM Gigabit Ethernet controller, as Linux's e1000 driver uses it; and the
 * parent of its family.
 *
 * The same model is a card behind a root port (placement hardware: descriptor fetches and data take
 * the time that its `dma` port says, each descriptor the cost e1000-processing, moderation timers
 * run) and the device inside an emulator (placement software: it reacts in the instant it is
 * touched, and whoever carries out its DMA, frames and interrupts accounts for the time).
 * Serialisation on the cable is the wire's. What each engine leaves out is said in its file.
 */
#include "models/nic/e1000-private.h"

#include <stdio.h>

#include "core/net/address.h"
#include "core/trace/measure.h"

G_DEFINE_ABSTRACT_TYPE(IovE1000, iov_e1000_family, IOV_TYPE_MODEL)

static const char *const placements[] = { "hardware", "software", NULL };

/* ---- Counting ---- */

void e1000_guest_fault(IovE1000 *self)
{
    iov_measure_guest_fault(self->parent_instance.run->measure, &self->guest_faults);
}

void e1000_drop(IovE1000 *self, struct iov_packet *packet)
{
    iov_measure_drop(self->parent_instance.run->measure, &self->frames_dropped, packet);
}

void e1000_count(IovE1000 *self, uint32_t reg, uint32_t by)
{
    uint32_t *counter = &self->statistics[(reg - E1000_STATISTICS) / 4];

    *counter = *counter > UINT32_MAX - by ? UINT32_MAX : *counter + by;
}

void e1000_count64(IovE1000 *self, uint32_t low_reg, uint64_t by)
{
    uint32_t *counter = &self->statistics[(low_reg - E1000_STATISTICS) / 4];
    uint64_t value = (uint64_t)counter[1] << 32 | counter[0];

    value = value > UINT64_MAX - by ? UINT64_MAX : value + by;
    counter[0] = (uint32_t)value;
    counter[1] = (uint32_t)(value >> 32);
}

void e1000_count_size(IovE1000 *self, uint32_t first, uint32_t size)
{
    static const uint32_t limits[] = { 64, 127, 255, 511, 1023 };
    uint32_t place = 0;

    while (place < G_N_ELEMENTS(limits) && size > limits[place])
        place++;
    e1000_count(self, first + 4 * place, 1);
}

bool e1000_step_allowed(IovE1000 *self, uint32_t *steps, iov_time *steps_at)
{
    if (*steps_at != e1000_now(self)) {
        *steps_at = e1000_now(self);
        *steps = 0;
    }
    if (++*steps <= E1000_STEPS_MAX)
        return true;
    e1000_guest_fault(self);
    return false;
}

/* ---- DMA ---- */

static bool dma(IovE1000 *self, struct iov_mem_req *req, bool write)
{
    enum iov_status status = IOV_STATUS_UNSUPPORTED;

    req->requester = self->pci.bus != NULL ? self->pci.requester : (uint16_t)self->requester;
    req->pasid = IOV_NO_PASID;
    if (iov_pci_master(&self->space))
        status = write ? iov_mem_write_req(&self->dma, req) : iov_mem_read_req(&self->dma, req);
    if (status != IOV_STATUS_OK)
        e1000_guest_fault(self);
    return status == IOV_STATUS_OK;
}

bool e1000_dma_read(IovE1000 *self, uint64_t address, void *data, uint32_t size, iov_time *delay)
{
    struct iov_mem_req req = { .address = address, .data = data, .size = size, .delay = *delay };
    bool done = dma(self, &req, false);

    *delay = req.delay;
    return done;
}

/* Requests hold what is written as `void *`, too; a write only reads it. */
static void *unconst(const void *data)
{
    void *result;

    memcpy(&result, &data, sizeof result);
    return result;
}

bool e1000_dma_write(IovE1000 *self, uint64_t address, const void *data, uint32_t size,
                     iov_time *delay)
{
    struct iov_mem_req req = {
        .address = address, .data = unconst(data), .size = size, .delay = *delay
    };
    bool done = dma(self, &req, true);

    *delay = req.delay;
    return done;
}

bool e1000_dma_read_payload(IovE1000 *self, uint64_t address, void *data, uint32_t size,
                            iov_time *delay, iov_time *translation, struct iov_span **span)
{
    struct iov_mem_req req = {
        .address = address, .data = data, .size = size, .flags = IOV_MEM_PAYLOAD, .delay = *delay
    };
    bool done = dma(self, &req, false);

    *delay = req.delay;
    *translation = req.translation;
    *span = done ? req.span : NULL;
    return done;
}

bool e1000_dma_write_payload(IovE1000 *self, uint64_t address, const void *data, uint32_t size,
                             iov_time *delay, struct iov_span *span)
{
    struct iov_mem_req req = { .address = address,
                               .data = unconst(data),
                               .size = size,
                               .flags = IOV_MEM_PAYLOAD,
                               .delay = *delay,
                               .span = span };
    bool done = dma(self, &req, true);

    *delay = req.delay;
    return done;
}

/* ---- Ports ---- */

/* Reads of any size see the 32-bit registers they touch, each read once. */
static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovE1000 *self = iov_container_of(port, IovE1000, registers);
    bool peek = req->flags & IOV_MEM_DEBUG;
    uint32_t offset = (uint32_t)req->address;
    uint32_t words[3] = { 0 };
    uint32_t first = offset & ~3u;

    if (req->size > 8 || req->address >= E1000_BAR_SIZE ||
        req->size > E1000_BAR_SIZE - req->address)
        return IOV_STATUS_UNSUPPORTED;
    self->register_reads += !peek;
    if (req->size == 4 && offset == first) {
        iov_mem_set_value(req, e1000_register_read(self, offset, peek));
        return IOV_STATUS_OK;
    }
    for (unsigned i = 0; first + 4 * i < offset + req->size; i++)
        words[i] = e1000_register_read(self, first + 4 * i, peek);
    memcpy(req->data, (const uint8_t *)words + (offset & 3), req->size);
    return IOV_STATUS_OK;
}

/* SPEC: 13.2: registers are written as aligned 32-bit words; anything else is the driver's mistake
 * and changes nothing. */
static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovE1000 *self = iov_container_of(port, IovE1000, registers);
    uint32_t offset = (uint32_t)req->address;
    uint64_t value = iov_mem_value(req);

    if (req->size > 8 || req->address >= E1000_BAR_SIZE ||
        req->size > E1000_BAR_SIZE - req->address || req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    self->register_writes++;
    if (offset & 3 || (req->size != 4 && req->size != 8)) {
        e1000_guest_fault(self);
        return IOV_STATUS_OK;
    }
    e1000_register_write(self, offset, (uint32_t)value, req->delay);
    if (req->size == 8)
        e1000_register_write(self, offset + 4, (uint32_t)(value >> 32), req->delay);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops registers_ops = { .read = registers_read,
                                                         .write = registers_write };

/* SPEC: 13.3: a window of two registers, address and data. */
static enum iov_status io_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovE1000 *self = iov_container_of(port, IovE1000, io);
    uint32_t value = 0;

    if (req->address == E1000_IOADDR)
        value = self->io_address;
    else if (req->address == E1000_IODATA && self->io_address < E1000_BAR_SIZE)
        value = e1000_register_read(self, self->io_address & ~3u, req->flags & IOV_MEM_DEBUG);
    iov_mem_set_value(req, value);
    return IOV_STATUS_OK;
}

static enum iov_status io_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovE1000 *self = iov_container_of(port, IovE1000, io);
    uint32_t value = (uint32_t)iov_mem_value(req);

    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    if (req->size != 4)
        e1000_guest_fault(self);
    else if (req->address == E1000_IOADDR)
        self->io_address = value;
    else if (req->address == E1000_IODATA && self->io_address < E1000_BAR_SIZE)
        e1000_register_write(self, self->io_address & ~3u, value, req->delay);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops io_ops = { .read = io_read, .write = io_write };

static enum iov_status config_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_pci_space_read(&iov_container_of(port, IovE1000, config)->pci, req);
}

static enum iov_status config_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_pci_space_write(&iov_container_of(port, IovE1000, config)->pci, req);
}

/* ---- Configuration space. SPEC: 4.1; IDs of the subsystem as common emulators give them ---- */

static void pci_reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    IovE1000 *self = iov_container_of(function, IovE1000, pci);

    iov_pci_space_reset(&self->space, kind);
    e1000_reset(self);
}

static const struct iov_pci_function_ops pci_ops = {
    .config_read = iov_pci_space_read,
    .config_write = iov_pci_space_write,
    .windows = iov_pci_space_windows,
    .reset = pci_reset,
};

void e1000_config_put(IovE1000 *self, uint16_t at, uint32_t value)
{
    struct iov_mem_req req = { .address = at, .data = &value, .size = 4, .pasid = IOV_NO_PASID };

    (void)iov_pci_space_write(&self->pci, &req);
}

/* In a slot it is as after power on. Elsewhere it is as firmware and driver leave it: nobody else
 * will. */
static void config_init(IovE1000 *self)
{
    iov_pci_space_clear(&self->space);
    self->variant->config_rows(self);
    if (self->pci.bus != NULL)
        return;
    e1000_config_put(self, PCI_BASE_ADDRESS_0, (uint32_t)self->registers_at);
    if (self->variant->config_enable != NULL)
        self->variant->config_enable(self);
    e1000_config_put(self, PCI_COMMAND,
                     PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR);
}

static const struct iov_mem_target_ops config_ops = { .read = config_read, .write = config_write };

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    return e1000_rx_frame(iov_container_of(port, IovE1000, wire), packet);
}

static bool wire_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    const IovE1000 *self = iov_container_of(port, IovE1000, wire);

    memcpy(ret_address, self->address, 6);
    return true;
}

/* Of an emulation: it receives, and has a descriptor. */
static bool wire_ready(const struct iov_packet_port *port)
{
    const IovE1000 *self =
        (const IovE1000 *)(const void *)((const char *)port - G_STRUCT_OFFSET(IovE1000, wire));

    return self->status & E1000_STATUS_LU && self->rctl & E1000_RCTL_EN && self->rdh != self->rdt &&
           iov_pci_master(&self->space);
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive,
                                                .station = wire_station,
                                                .ready = wire_ready };

/* ---- Life ---- */

/* What power-on and CTRL.RST leave. SPEC: 13.4, initial values; the values of CTRL, MANC and LEDCTL
 * come from the EEPROM. */
void e1000_reset(IovE1000 *self)
{
    e1000_irq_reset(self);
    e1000_tx_reset(self);
    e1000_rx_reset(self);
    self->ctrl = E1000_CTRL_RESET;
    self->status = (self->status & E1000_STATUS_LU) | (E1000_STATUS_RESET & ~E1000_STATUS_LU);
    self->ctrl_ext = self->eerd = self->mdic = 0;
    self->itr = self->rctl = self->tipg = 0;
    self->tctl = E1000_TCTL_PSP;
    self->pba = 0x00100030;
    self->ledctl = 0x00000602;
    self->manc = 0x00222300;
    self->fcal = self->fcah = self->fct = self->fcttv = self->fcrtl = self->fcrth = self->vet = 0;
    self->txcw = self->ait = self->rxcsum = self->wuc = self->wufc = self->swsm = self->rsrpd = 0;
    self->rdbal = self->rdbah = self->rdlen = self->rdh = self->rdt = self->rdtr = self->radv =
        self->rxdctl = 0;
    self->tdbal = self->tdbah = self->tdlen = self->tdh = self->tdt = self->tidv = self->tadv =
        self->txdctl = 0;
    self->tspmt = 0;
    memset(self->ra, 0, sizeof self->ra);
    memset(self->statistics, 0, sizeof self->statistics);
    self->extended = false;
    if (self->variant->reset != NULL)
        self->variant->reset(self);
    self->ra[0] = (uint32_t)self->eeprom[1] << 16 | self->eeprom[0];
    self->ra[1] = E1000_RAH_VALID | self->eeprom[2];
    self->eecd = 0;
    self->eeprom_reading = false;
}

static bool iov_e1000_family_prepare(IovModel *model, GError **error)
{
    IovE1000 *self = (IovE1000 *)(void *)model;

    (void)error;
    self->io.size = self->variant->io_size;
    self->config.size = self->variant->config_size;
    return true;
}

static bool iov_e1000_family_realize(IovModel *model, GError **error)
{
    IovE1000 *self = (IovE1000 *)(void *)model;

    if (!iov_net_address_choose(self->mac, model->path, IOV_NET_VENDOR_KVM, self->address))
        return iov_model_fail(
            model, error, "mac: '%s' is not a unicast address like 52:54:00:12:34:56", self->mac);
    if (self->rom & (self->rom - 1))
        return iov_model_fail(model, error, "rom: sizes are powers of two");
    config_init(self);
    e1000_eeprom_init(self);
    iov_event_init(&self->link_up, model->kernel, e1000_on_link_up, IOV_PRIORITY_DEFAULT);
    e1000_irq_init(self);
    e1000_tx_init(self);
    e1000_rx_init(self);
    e1000_phy_reset(self);
    e1000_reset(self);
    return true;
}

static void iov_e1000_family_unrealize(IovModel *model)
{
    IovE1000 *self = (IovE1000 *)(void *)model;

    if (self->tx.staging == NULL)
        return; /* realize failed */
    e1000_irq_reset(self);
    e1000_tx_reset(self);
    e1000_rx_reset(self);
    iov_event_disarm(&self->link_up);
    g_clear_pointer(&self->tx.staging, g_free);
}

static void iov_e1000_family_finalize(GObject *object)
{
    IovE1000 *self = (IovE1000 *)(void *)object;

    iov_packet_pool_unref(self->pool, self->parent_instance.kernel);
    iov_pci_space_clear(&self->space);
    G_OBJECT_CLASS(iov_e1000_family_parent_class)->finalize(object);
}

static void describe_ports(IovModelClass *mc)
{
    IOV_PORT_MEM_TARGET(mc, IovE1000, registers, &registers_ops, "Memory BAR, 128 KiB");
    IOV_PORT_MEM_TARGET(mc, IovE1000, io, &io_ops, "I/O BAR: IOADDR, IODATA");
    IOV_PORT_MEM_TARGET(mc, IovE1000, config, &config_ops, "PCI configuration space");
    IOV_PORT_MEM_INITIATOR(mc, IovE1000, dma, "Descriptors and frames in memory");
    IOV_PORT_IRQ_SOURCE(mc, IovE1000, interrupt, "INTA, level");
    IOV_PORT_PACKET_END(mc, IovE1000, wire, &wire_ops, "The cable");
    IOV_PORT_PCI_FUNCTION(mc, IovE1000, pci, &pci_ops,
                          "The slot: it connects registers, dma and interrupt");
}

static void describe_statistics(IovModelClass *mc)
{
    IOV_STAT(mc, IovE1000, frames_sent, "Frames and segments sent");
    IOV_STAT(mc, IovE1000, frames_received, "Frames stored in memory");
    IOV_STAT_BYTES(mc, IovE1000, bytes_sent, "Bytes of frames sent, without FCS");
    IOV_STAT_BYTES(mc, IovE1000, bytes_received, "Bytes of frames stored, without FCS");
    IOV_STAT(mc, IovE1000, segments, "Segments cut from larger frames");
    IOV_STAT(mc, IovE1000, frames_dropped,
             "Frames lost: no room, receiver off, broken descriptors");
    IOV_STAT(mc, IovE1000, frames_filtered, "Frames for somebody else");
    IOV_STAT(mc, IovE1000, interrupts, "Times the interrupt line rose");
    IOV_STAT(mc, IovE1000, throttled, "Times it had to wait for ITR");
    IOV_STAT(mc, IovE1000, descriptor_fetches, "DMA reads of descriptors");
    IOV_STAT(mc, IovE1000, register_reads, "Register reads");
    IOV_STAT(mc, IovE1000, register_writes, "Register writes");
    IOV_STAT(mc, IovE1000, guest_faults,
             "The driver's mistakes: bad rings, failed DMA, partial writes");
}

static void iov_e1000_family_class_init(IovE1000Class *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "e1000-family", "Parent of Intel's Gigabit controllers of 2002");
    IOV_PROP_ENUM(mc, IovE1000, placement, placements, E1000_HARDWARE,
                  "hardware: a card; software: inside an emulator, takes no time of its own");
    IOV_PROP_STRING(mc, IovE1000, mac, "52:54:00:12:34:56",
                    "Ethernet address; auto: one that the part's path gives");
    IOV_PROP_COUNT(mc, IovE1000, requester, 0, 0xffff, 0x0008,
                   "PCI requester ID: bus, device, function; outside a slot");
    IOV_PROP_COUNT(mc, IovE1000, cache, 1, E1000_CACHE, E1000_CACHE,
                   "Descriptors fetched at once, as hardware");
    IOV_PROP_COUNT(mc, IovE1000, registers_at, 0, UINT32_MAX, 0xfebc0000,
                   "BAR 0 as firmware leaves it, outside a slot");
    IOV_PROP_TIME(mc, IovE1000, negotiation, 0, 10 * IOV_SEC, 500 * IOV_MS,
                  "Auto-negotiation of the link");
    IOV_PROP_TIME(mc, IovE1000, interval_floor, 0, IOV_SEC, 0,
                  "Least time between interrupts whatever ITR says; common emulators use 128us");
    IOV_COST(mc, IovE1000, processing, "e1000-processing", "Of a descriptor, as hardware");
    describe_ports(mc);
    describe_statistics(mc);
    mc->prepare = iov_e1000_family_prepare;
    mc->realize = iov_e1000_family_realize;
    mc->unrealize = iov_e1000_family_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_e1000_family_finalize;
}

static void iov_e1000_family_init(IovE1000 *self)
{
    self->registers.size = E1000_BAR_SIZE;
    self->pool = iov_packet_pool_new();
    self->pci.dma = &self->dma;
    self->pci.interrupt = &self->interrupt;
}

/* ---- The 82540EM ---- */

static void config_rows(IovE1000 *self)
{
    static const struct iov_pci_header header = {
        .vendor = E1000_VENDOR_ID,
        .device = E1000_DEVICE_ID,
        .subsystem_vendor = E1000_SUBSYSTEM_VENDOR,
        .subsystem = E1000_SUBSYSTEM,
        .class_code = 0x020000,
        .revision = E1000_REVISION,
        .interrupt_pin = 1,
        .conventional = true,
        .scratch = true,
    };
    const struct iov_pci_bar bars[] = {
        { .index = 0, .size = E1000_BAR_SIZE, .target = &self->registers },
        { .index = 1, .flags = IOV_PCI_BAR_IO, .size = E1000_IO_SIZE, .target = &self->io },
        { .index = IOV_PCI_ROM, .size = self->rom }, /* LIMIT: nothing in it */
        { .size = 0 },
    };

    iov_pci_space_init(&self->space, &self->pci, &header, bars, NULL, 0);
}

static void config_enable(IovE1000 *self)
{
    e1000_config_put(self, PCI_BASE_ADDRESS_1, (uint32_t)self->io_at);
}

static const struct e1000_variant variant = {
    .causes = E1000_ICR_ALL,
    .device_id = E1000_DEVICE_ID,
    .phy_id = E1000_PHY_M88E1000,
    .io_size = E1000_IO_SIZE,
    .config_size = E1000_CONFIG_SIZE,
    .config_rows = config_rows,
    .config_enable = config_enable,
};

typedef struct {
    IovE1000 parent_instance;
} IovE1000Card;

typedef struct {
    IovE1000Class parent_class;
} IovE1000CardClass;

GType iov_e1000_get_type(void);
G_DEFINE_FINAL_TYPE(IovE1000Card, iov_e1000, IOV_TYPE_E1000_FAMILY)

static void iov_e1000_class_init(IovE1000CardClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "e1000", "Intel 82540EM Gigabit Ethernet controller");
    IOV_PROP_COUNT(mc, IovE1000, io_at, 0, 0xffff, 0xc000,
                   "BAR 1 as firmware leaves it, outside a slot");
    IOV_PROP_SIZE(mc, IovE1000, rom, 0, 1 << 20, 256 << 10, "Expansion ROM; 0: none");
}

static void iov_e1000_init(IovE1000Card *self)
{
    self->parent_instance.variant = &variant;
}
