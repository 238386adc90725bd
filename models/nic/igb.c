/* SPDX-License-Identifier: Apache-2.0 */
/*
 * igb - Intel 82576 Gigabit Ethernet controller, one of its two ports, as Linux's igb and igbvf
 * drivers use it: advanced descriptors, sixteen queue pairs, MSI-X with throttling, RSS, and SR-IOV
 * with an embedded switch.
 *
 * It is hardware: a PCI function in a slot (port `pci`), or with `registers`, `msix` and `dma`
 * wired one by one. Descriptor fetches and data take the time that the way of its DMA says, each
 * descriptor the cost igb-processing; data reads overlap. Serialisation on the cable is the wire's.
 * What each engine leaves out is said in its file.
 */
#include "models/nic/igb-private.h"

#include <stdio.h>

#include "core/net/address.h"
#include "core/trace/measure.h"

G_DEFINE_ABSTRACT_TYPE(IovIgb, iov_igb_family, IOV_TYPE_MODEL)

/* ---- Counting ---- */

void igb_guest_fault(IovIgb *self)
{
    iov_measure_guest_fault(self->parent_instance.run->measure, &self->guest_faults);
}

void igb_drop(IovIgb *self, struct iov_packet *packet)
{
    iov_measure_drop(self->parent_instance.run->measure, &self->frames_dropped, packet);
}

void igb_count(IovIgb *self, uint32_t reg, uint32_t by)
{
    uint32_t *counter = &self->statistics[(reg - IGB_STATISTICS) / 4];

    *counter = *counter > UINT32_MAX - by ? UINT32_MAX : *counter + by;
}

void igb_count64(IovIgb *self, uint32_t low_reg, uint64_t by)
{
    uint32_t *counter = &self->statistics[(low_reg - IGB_STATISTICS) / 4];
    uint64_t value = (uint64_t)counter[1] << 32 | counter[0];

    value = value > UINT64_MAX - by ? UINT64_MAX : value + by;
    counter[0] = (uint32_t)value;
    counter[1] = (uint32_t)(value >> 32);
}

void igb_count_size(IovIgb *self, uint32_t first, uint32_t size)
{
    static const uint32_t limits[] = { 64, 127, 255, 511, 1023 };
    uint32_t place = 0;

    while (place < G_N_ELEMENTS(limits) && size > limits[place])
        place++;
    igb_count(self, first + 4 * place, 1);
}

bool igb_step_allowed(IovIgb *self, uint32_t *steps, iov_time *steps_at)
{
    if (*steps_at != igb_now(self)) {
        *steps_at = igb_now(self);
        *steps = 0;
    }
    if (++*steps <= IGB_STEPS_MAX)
        return true;
    igb_guest_fault(self);
    return false;
}

/* ---- DMA ---- */

/* An ADI's requests have a PASID, or are not sent. */
static bool pasid_allowed(const struct igb_function *function)
{
    const struct iov_pci_space *space = &function->nic->physical.space;

    return function->pasid != IOV_NO_PASID &&
           iov_pci_get16(space, (uint16_t)(space->pasid + PCI_PASID_CTRL)) & PCI_PASID_CTRL_ENABLE;
}

static bool dma(struct igb_function *function, struct iov_mem_req *req, bool write)
{
    IovIgb *self = function->nic;
    enum iov_status status = IOV_STATUS_UNSUPPORTED;

    const struct iov_pci_space *space =
        function->assignable ? &self->physical.space : &function->space;

    req->requester = function->pci->requester;
    req->pasid = function->pasid;
    if (iov_pci_master(space) && (!function->assignable || pasid_allowed(function)) &&
        !(self->ctrl & IGB_CTRL_MASTER_DISABLE))
        status = write ? iov_mem_write_req(function->pci->dma, req)
                       : iov_mem_read_req(function->pci->dma, req);
    if (status != IOV_STATUS_OK)
        igb_guest_fault(self);
    return status == IOV_STATUS_OK;
}

bool igb_dma_read(struct igb_function *function, uint64_t address, void *data, uint32_t size,
                  iov_time *delay, iov_time *translation, struct iov_span **span)
{
    struct iov_mem_req req = { .address = address,
                               .data = data,
                               .size = size,
                               .flags = span != NULL ? IOV_MEM_PAYLOAD : 0,
                               .delay = *delay };
    bool done = dma(function, &req, false);

    *delay = req.delay;
    if (translation != NULL)
        *translation = req.translation;
    if (span != NULL)
        *span = done ? req.span : NULL;
    return done;
}

bool igb_dma_write(struct igb_function *function, uint64_t address, const void *data, uint32_t size,
                   iov_time *delay, struct iov_span *const *span)
{
    struct iov_mem_req req = { .address = address,
                               .size = size,
                               .flags = span != NULL ? IOV_MEM_PAYLOAD : 0,
                               .delay = *delay,
                               .span = span != NULL ? *span : NULL };
    bool done;

    memcpy(&req.data, &data, sizeof data); /* requests hold what is written as `void *`, too */
    done = dma(function, &req, true);
    *delay = req.delay;
    function->nic->written = igb_now(function->nic) + MAX(req.delay, req.arrival);
    return done;
}

/* ---- Registers ---- */

static uint32_t word_read(struct igb_function *function, uint32_t offset, bool peek)
{
    return function->physical ? igb_register_read(function->nic, offset, peek)
                              : igb_virtual_read(function, offset, peek);
}

static void word_write(struct igb_function *function, uint32_t offset, uint32_t value,
                       iov_time arrival)
{
    if (function->physical)
        igb_register_write(function->nic, offset, value, arrival);
    else
        igb_virtual_write(function, offset, value, arrival);
}

/* Reads of any size see the 32-bit registers they touch, each read once. */
enum iov_status igb_function_read(struct igb_function *function, struct iov_mem_req *req,
                                  uint32_t bar_size)
{
    bool peek = req->flags & IOV_MEM_DEBUG;
    uint32_t offset = (uint32_t)req->address;
    uint32_t words[3] = { 0 };
    uint32_t first = offset & ~3u;

    if (req->size > 8 || req->address >= bar_size || req->size > bar_size - req->address)
        return IOV_STATUS_UNSUPPORTED;
    function->nic->register_reads += !peek;
    if (req->size == 4 && offset == first) {
        iov_mem_set_value(req, word_read(function, offset, peek));
        return IOV_STATUS_OK;
    }
    for (unsigned i = 0; first + 4 * i < offset + req->size; i++)
        words[i] = word_read(function, first + 4 * i, peek);
    memcpy(req->data, (const uint8_t *)words + (offset & 3), req->size);
    return IOV_STATUS_OK;
}

/* SPEC: 82576, 8.1.1: registers are written as aligned 32-bit words; anything else is the driver's
 * mistake and changes nothing. */
enum iov_status igb_function_write(struct igb_function *function, const struct iov_mem_req *req,
                                   uint32_t bar_size)
{
    uint32_t offset = (uint32_t)req->address;
    uint64_t value = iov_mem_value(req);

    if (req->size > 8 || req->address >= bar_size || req->size > bar_size - req->address ||
        req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    function->nic->register_writes++;
    if (offset & 3 || (req->size != 4 && req->size != 8)) {
        igb_guest_fault(function->nic);
        return IOV_STATUS_OK;
    }
    word_write(function, offset, (uint32_t)value, req->delay);
    if (req->size == 8)
        word_write(function, offset + 4, (uint32_t)(value >> 32), req->delay);
    return IOV_STATUS_OK;
}

static enum iov_status registers_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return igb_function_read(&iov_container_of(port, IovIgb, registers)->physical, req,
                             IGB_BAR_SIZE);
}

static enum iov_status registers_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return igb_function_write(&iov_container_of(port, IovIgb, registers)->physical, req,
                              IGB_BAR_SIZE);
}

const struct iov_mem_target_ops igb_registers_ops = { .read = registers_read,
                                                      .write = registers_write };

static enum iov_status virtual_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return igb_function_read(iov_container_of(port, struct igb_function, registers), req,
                             IGB_VF_BAR_SIZE);
}

static enum iov_status virtual_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return igb_function_write(iov_container_of(port, struct igb_function, registers), req,
                              IGB_VF_BAR_SIZE);
}

const struct iov_mem_target_ops igb_virtual_registers_ops = { .read = virtual_read,
                                                              .write = virtual_write };

/* SPEC: 82576, 8.1.1.2: a window of two registers, address and data. */
static enum iov_status io_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovIgb *self = iov_container_of(port, IovIgb, io);
    uint32_t value = 0;

    if (req->address == IGB_IOADDR)
        value = self->io_address;
    else if (req->address == IGB_IODATA && self->io_address < IGB_BAR_SIZE)
        value = igb_register_read(self, self->io_address & ~3u, req->flags & IOV_MEM_DEBUG);
    iov_mem_set_value(req, value);
    return IOV_STATUS_OK;
}

static enum iov_status io_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovIgb *self = iov_container_of(port, IovIgb, io);
    uint32_t value = (uint32_t)iov_mem_value(req);

    if (req->flags & IOV_MEM_DEBUG)
        return IOV_STATUS_UNSUPPORTED;
    if (req->size != 4)
        igb_guest_fault(self);
    else if (req->address == IGB_IOADDR)
        self->io_address = value;
    else if (req->address == IGB_IODATA && self->io_address < IGB_BAR_SIZE)
        igb_register_write(self, self->io_address & ~3u, value, req->delay);
    return IOV_STATUS_OK;
}

static const struct iov_mem_target_ops io_ops = { .read = io_read, .write = io_write };

/* ---- The MSI-X BAR: table and pending bits, zeros elsewhere ---- */

static enum iov_status msix_access(struct igb_function *function, struct iov_mem_req *req,
                                   bool write)
{
    struct iov_pci_space *space = &function->space;
    bool pending = req->address >= IGB_MSIX_PENDING;
    uint64_t base = pending ? IGB_MSIX_PENDING : 0;
    struct iov_mem_target *target = pending ? &space->msix_pending : &space->msix_table;
    enum iov_status status;

    if (req->size > IGB_MSIX_BAR_SIZE || req->address > IGB_MSIX_BAR_SIZE - req->size)
        return IOV_STATUS_UNSUPPORTED;
    if (req->address - base + req->size > target->size) {
        if (!write)
            memset(req->data, 0, req->size);
        return IOV_STATUS_OK;
    }
    req->address -= base;
    status = write ? target->ops->write(target, req) : target->ops->read(target, req);
    req->address += base;
    return status;
}

static enum iov_status msix_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(&iov_container_of(port, IovIgb, msix)->physical, req, false);
}

static enum iov_status msix_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(&iov_container_of(port, IovIgb, msix)->physical, req, true);
}

static const struct iov_mem_target_ops msix_ops = { .read = msix_read, .write = msix_write };

static enum iov_status virtual_msix_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(iov_container_of(port, struct igb_function, msix), req, false);
}

static enum iov_status virtual_msix_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return msix_access(iov_container_of(port, struct igb_function, msix), req, true);
}

const struct iov_mem_target_ops igb_virtual_msix_ops = { .read = virtual_msix_read,
                                                         .write = virtual_msix_write };

/* ---- The PCI function ---- */

static enum iov_status config_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_pci_space_read(&iov_container_of(port, IovIgb, config)->pci, req);
}

static enum iov_status config_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_pci_space_write(&iov_container_of(port, IovIgb, config)->pci, req);
}

static const struct iov_mem_target_ops config_ops = { .read = config_read, .write = config_write };

static void config_set16(IovIgb *self, uint16_t at, uint16_t value)
{
    struct iov_mem_req req = {
        .address = at, .data = &value, .size = sizeof value, .pasid = IOV_NO_PASID
    };

    iov_pci_space_write(&self->pci, &req);
}

/* Command register and MSI-X as a guest's PCI core leaves them; LIMIT: the guest kernel has
 * none. */
static void enable_at_start(IovIgb *self)
{
    if (!self->enabled_at_start)
        return;
    config_set16(self, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    config_set16(self, (uint16_t)(self->physical.space.msix + PCI_MSIX_FLAGS),
                 PCI_MSIX_FLAGS_ENABLE);
}

static void pci_reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    IovIgb *self = iov_container_of(function, IovIgb, pci);

    iov_pci_space_reset(&self->physical.space, kind);
    igb_virtual_changed(self);
    igb_reset(self);
    if (kind == IOV_PCI_RESET_COLD) {
        igb_phy_reset(self);
        enable_at_start(self);
    }
}

static const struct iov_pci_function_ops pci_ops = { .config_read = iov_pci_space_read,
                                                     .config_write = iov_pci_space_write,
                                                     .windows = iov_pci_space_windows,
                                                     .reset = pci_reset };

void igb_pci_changed(struct iov_pci_function *function, unsigned what, uint16_t offset,
                     uint16_t size)
{
    IovIgb *self = iov_container_of(function, IovIgb, pci);

    (void)offset, (void)size;
    if (what & IOV_PCI_CHANGED_FLR) {
        pci_reset(function, IOV_PCI_RESET_FUNCTION);
        return;
    }
    if (what & (IOV_PCI_CHANGED_SRIOV | IOV_PCI_CHANGED_DECODE | IOV_PCI_CHANGED_POWER))
        igb_virtual_changed(self);
    if (what & (IOV_PCI_CHANGED_MASTER | IOV_PCI_CHANGED_POWER)) {
        for (unsigned i = 0; i < self->queue_count; i++) {
            igb_tx_kick(&self->queues[i], 0);
            igb_rx_kick(&self->queues[i], 0);
        }
    }
}

/* SPEC: 82576, 9.3 to 9.6. */
static void space_init(IovIgb *self)
{
    static const struct iov_pci_header header = { .vendor = IGB_VENDOR_ID,
                                                  .device = IGB_DEVICE_ID,
                                                  .subsystem_vendor = IGB_VENDOR_ID,
                                                  .subsystem = IGB_DEVICE_ID,
                                                  .class_code = 0x020000,
                                                  .revision = IGB_REVISION,
                                                  .interrupt_pin = 1 };
    const struct iov_pci_bar bars[] = {
        { .index = 0, .size = IGB_BAR_SIZE, .target = &self->registers },
        { .index = 2, .flags = IOV_PCI_BAR_IO, .size = IGB_IO_SIZE, .target = &self->io },
        { .index = 3, .size = IGB_MSIX_BAR_SIZE, .target = &self->msix },
        { .size = 0 },
    };
    const uint8_t *mac = self->address;
    uint64_t serial = (uint64_t)mac[0] << 56 | (uint64_t)mac[1] << 48 | (uint64_t)mac[2] << 40 |
                      UINT64_C(0xffff) << 24 | (uint64_t)mac[3] << 16 | (uint64_t)mac[4] << 8 |
                      mac[5];
    struct iov_pci_capability capabilities[] = {
        IOV_PCI_POWER(.at = 0x40),
        IOV_PCI_MSI(.at = 0x50, .vectors = 1, .wide = true, .maskable = true),
        IOV_PCI_MSIX(.at = 0x70, .vectors = (uint16_t)self->vectors, .bar = 3, .table = 0,
                     .pending = IGB_MSIX_PENDING),
        IOV_PCI_EXPRESS(.at = 0xa0, .type = PCI_EXP_TYPE_ENDPOINT, .max_payload = 512,
                        .generation = 1, .lanes = 4, .flr = true),
        IOV_PCI_ERROR_REPORTING(.at = 0x100, .size = 0x40),
        IOV_PCI_SERIAL(.at = 0x140, .serial = serial),
        IOV_PCI_ARI(.at = 0x150),
        { 0 },
        { 0 },
    };
    unsigned count = 7;

    if (self->vfs > 0)
        capabilities[count++] = (struct iov_pci_capability)IOV_PCI_SRIOV(
                .at = 0x160, .vfs = (uint16_t)self->vfs, .vf_offset = 128, .vf_stride = 2,
                .vf_device = IGB_VF_DEVICE_ID,
                .vf_bars = { { .index = 0, .flags = IOV_PCI_BAR_64, .size = IGB_VF_BAR_SIZE },
                             { .index = 3, .flags = IOV_PCI_BAR_64, .size = IGB_MSIX_BAR_SIZE } });
    if (self->ats)
        capabilities[count++] =
            (struct iov_pci_capability)IOV_PCI_ATS(.at = 0x1a0, .queue_depth = 32);
    self->physical.space.changed = igb_pci_changed;
    iov_pci_space_init(&self->physical.space, &self->pci, &header, bars, capabilities, count);
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    return igb_rx_frame(iov_container_of(port, IovIgb, wire), packet);
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

/* ---- Life ---- */

void igb_reset(IovIgb *self)
{
    igb_mac_reset(self);
    igb_causes_reset(&self->physical);
    for (unsigned i = 0; i < self->enabled; i++)
        igb_causes_reset(&self->virtual[i]);
    if (self->variant->reset != NULL)
        self->variant->reset(self);
    for (unsigned i = 0; i < self->queue_count; i++) {
        igb_rx_reset(&self->queues[i]);
        igb_tx_reset(&self->queues[i]);
    }
    igb_wire_reset(self);
    igb_vt_reset(self);
}

/* SPEC: 82576, 7.8.1: eight pools of two queues. A part with more functions has as many more. */
static void queues_init(IovIgb *self)
{
    self->pool_count = 8;
    while (self->pool_count < self->vfs)
        self->pool_count *= 2;
    self->queue_count = 2 * self->pool_count;
    self->queues = g_new0(struct igb_queue, self->queue_count);
    for (unsigned i = 0; i < self->queue_count; i++) {
        self->queues[i].nic = self;
        self->queues[i].owner = &self->physical;
        self->queues[i].index = (uint16_t)i;
        igb_rx_init(&self->queues[i]);
        igb_tx_init(&self->queues[i]);
    }
}

static bool iov_igb_family_realize(IovModel *model, GError **error)
{
    IovIgb *self = (IovIgb *)(void *)model;

    if (!iov_net_address_parse(self->mac, self->address) || self->address[0] & 1)
        return iov_model_fail(
            model, error, "mac: '%s' is not a unicast address like 52:54:00:12:34:56", self->mac);
    if (self->pci.bus == NULL)
        self->pci.requester = (uint16_t)self->requester;
    self->toeplitz = g_malloc0(36 * sizeof *self->toeplitz);
    iov_event_init(&self->link_up, model->kernel, igb_on_link_up, IOV_PRIORITY_DEFAULT);
    igb_eeprom_init(self);
    igb_wire_init(self);
    iov_event_init(&self->tell_changed, model->kernel, igb_on_changed, IOV_PRIORITY_DEFAULT);
    igb_causes_init(&self->physical, IGB_VECTORS_MAX);
    queues_init(self);
    self->variant->space_init(self);
    igb_virtual_init(self);
    igb_phy_reset(self); /* the cable has been plugged in long since */
    iov_event_disarm(&self->link_up);
    igb_on_link_up(&self->link_up);
    igb_reset(self);
    enable_at_start(self);
    return true;
}

static void iov_igb_family_unrealize(IovModel *model)
{
    IovIgb *self = (IovIgb *)(void *)model;

    if (self->queues == NULL)
        return; /* realize failed */
    iov_event_disarm(&self->tell_changed);
    igb_reset(self);
    iov_event_disarm(&self->link_up);
    igb_virtual_finish(self);
    for (unsigned i = 0; i < self->queue_count; i++)
        g_free(self->queues[i].tx.header);
    g_clear_pointer(&self->queues, g_free);
    g_clear_pointer(&self->toeplitz, g_free);
    self->queue_count = 0;
}

static void iov_igb_family_finalize(GObject *object)
{
    IovIgb *self = (IovIgb *)(void *)object;

    iov_packet_pool_unref(self->pool, self->parent_instance.kernel);
    iov_pci_space_clear(&self->physical.space);
    G_OBJECT_CLASS(iov_igb_family_parent_class)->finalize(object);
}

static void describe_ports(IovModelClass *mc)
{
    IOV_PORT_PCI_FUNCTION(mc, IovIgb, pci, &pci_ops, "The slot: all ports below but the wire");
    IOV_PORT_MEM_TARGET(mc, IovIgb, registers, &igb_registers_ops, "BAR 0, 128 KiB");
    IOV_PORT_MEM_TARGET(mc, IovIgb, io, &io_ops, "BAR 2: IOADDR, IODATA");
    IOV_PORT_MEM_TARGET(mc, IovIgb, msix, &msix_ops, "BAR 3: MSI-X table and pending bits, 16 KiB");
    IOV_PORT_MEM_TARGET(mc, IovIgb, config, &config_ops, "PCI configuration space, 4 KiB");
    IOV_PORT_MEM_INITIATOR(mc, IovIgb, dma, "Descriptors, frames and messages");
    IOV_PORT_IRQ_SOURCE(mc, IovIgb, interrupt, "INTA, level");
    IOV_PORT_NOTIFY_SOURCE_SHARED(
        mc, IovIgb, changed, IGB_POOLS_MAX,
        "A descriptor was written back: no signal of the part, but for programs that poll and "
        "would look in vain until then; a wire takes the next place");
    IOV_PORT_PACKET_END(mc, IovIgb, wire, &wire_ops, "The cable");
}

static void describe_statistics(IovModelClass *mc)
{
    IOV_STAT(mc, IovIgb, frames_sent, "Frames and segments sent");
    IOV_STAT(mc, IovIgb, frames_received, "Frames stored in memory");
    IOV_STAT_BYTES(mc, IovIgb, bytes_sent, "Bytes of frames sent, without FCS");
    IOV_STAT_BYTES(mc, IovIgb, bytes_received, "Bytes of frames stored, without FCS");
    IOV_STAT(mc, IovIgb, frames_looped, "Frames that the embedded switch took to other pools");
    IOV_STAT(mc, IovIgb, segments, "Segments cut from larger frames");
    IOV_STAT(mc, IovIgb, frames_dropped,
             "Frames lost: no room, receiver or queue off, broken descriptors");
    IOV_STAT(mc, IovIgb, frames_filtered, "Frames for somebody else");
    IOV_STAT(mc, IovIgb, frames_spoofed, "Frames with a source that is not their pool's");
    IOV_STAT(mc, IovIgb, interrupts, "Messages sent, or times the line rose");
    IOV_STAT(mc, IovIgb, throttled, "Times one had to wait for EITR");
    IOV_STAT(mc, IovIgb, descriptor_fetches, "DMA reads of descriptors");
    IOV_STAT(mc, IovIgb, mailbox_messages, "Messages between physical and virtual functions");
    IOV_STAT(mc, IovIgb, register_reads, "Register reads");
    IOV_STAT(mc, IovIgb, register_writes, "Register writes");
    IOV_STAT(mc, IovIgb, guest_faults,
             "The drivers' mistakes: bad rings, failed DMA, partial writes");
}

static void iov_igb_family_class_init(IovIgbClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "igb-family",
                             "Parent of Gigabit controllers with pools of queues");
    IOV_PROP_STRING(mc, IovIgb, mac, "52:54:00:12:34:56", "Ethernet address");
    IOV_PROP_COUNT(mc, IovIgb, requester, 0, 0xffff, 0x0008,
                   "PCI requester ID without a slot: bus, device, function");
    IOV_PROP_COUNT(mc, IovIgb, vectors, 1, IGB_VECTORS_MAX, 10, "MSI-X vectors");
    IOV_PROP_COUNT(mc, IovIgb, cache, 1, IGB_CACHE, IGB_CACHE,
                   "Descriptors fetched at once, a queue");
    IOV_PROP_COUNT(mc, IovIgb, reads, 1, IGB_FLIGHT - 2, 8,
                   "Frames whose data is on its way at once, a queue");
    IOV_PROP_BOOL(mc, IovIgb, enabled_at_start, true,
                  "Command register and MSI-X are on, as a guest's PCI core leaves them");
    IOV_PROP_TIME(mc, IovIgb, negotiation, 0, 10 * IOV_SEC, 500 * IOV_MS,
                  "Auto-negotiation of the link");
    IOV_COST(mc, IovIgb, processing, "igb-processing", "Of a descriptor");
    describe_ports(mc);
    describe_statistics(mc);
    mc->realize = iov_igb_family_realize;
    mc->unrealize = iov_igb_family_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_igb_family_finalize;
}

static void iov_igb_family_init(IovIgb *self)
{
    self->registers.size = IGB_BAR_SIZE;
    self->io.size = IGB_IO_SIZE;
    self->msix.size = IGB_MSIX_BAR_SIZE;
    self->config.size = IOV_PCI_CONFIG_SIZE;
    self->pci.dma = &self->dma;
    self->pci.interrupt = &self->interrupt;
    self->physical.nic = self;
    self->physical.physical = true;
    self->physical.pci = &self->pci;
    self->physical.pasid = IOV_NO_PASID;
    self->pool = iov_packet_pool_new();
}

/* ---- The 82576 ---- */

static const struct igb_variant variant = { .space_init = space_init };

typedef struct {
    IovIgb parent_instance;
} IovIgbCard;

typedef struct {
    IovIgbClass parent_class;
} IovIgbCardClass;

GType iov_igb_get_type(void);
G_DEFINE_FINAL_TYPE(IovIgbCard, iov_igb, IOV_TYPE_IGB_FAMILY)

static void iov_igb_class_init(IovIgbCardClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "igb", "Intel 82576 Gigabit Ethernet controller, with SR-IOV");
    IOV_PROP_COUNT(mc, IovIgb, vfs, 0, IGB_POOLS_MAX - 1, 8,
                   "Virtual functions; an 82576 has 8, with more there are more queues as well");
    IOV_PROP_BOOL(mc, IovIgb, ats, false, "The functions have the ATS capability");
}

static void iov_igb_init(IovIgbCard *self)
{
    self->parent_instance.variant = &variant;
}
