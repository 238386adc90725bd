/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vmxnet3 - the paravirtual NIC of a monolithic monitor: rings in guest memory with generation
 * bits, a shared area that says where they are, one register write to send.
 *
 *   reset → shared area's address → ACTIVATE → active → QUIESCE or RESET
 *
 * It has no time of its own: whoever runs it accounts for copies, frames and interrupts. Register
 * writes arm an event; rings are read and written there. While a guest sends and receives nothing,
 * the device lets it collect frames (the shared threshold doubles with every fourth doorbell, up to
 * `defer`) and looks at the ring itself every `defer-time`; a received frame or a look in vain ends
 * that.
 *
 * A ring that makes no sense stops its queue: error in the shared area, event interrupt, counted.
 * LIMIT: revision 1, one queue a direction; large segments go out as they are, for the switch's NIC
 * to cut; no LRO, no VLANs, no group filter (multicast only if all are wanted), no wake-up
 * patterns; a frame is complete as soon as it is taken; the rule of the threshold is ours, for the
 * real one is not published.
 */
#include "models/nic/vmxnet3-private.h"

#include <stdio.h>

#include "core/net/address.h"
#include "core/trace/measure.h"

#define CAP_MSIX 0x40
#define BACKLOG 512u

enum { SETUP_RESET, SETUP_INTX, SETUP_MSIX };
static const char *const setups[] = { "reset", "intx", "msi-x", NULL };

G_DEFINE_FINAL_TYPE(IovVmxnet3, iov_vmxnet3, IOV_TYPE_MODEL)

void vmxnet3_guest_fault(IovVmxnet3 *self)
{
    iov_measure_guest_fault(self->parent_instance.run->measure, &self->guest_faults);
}

void vmxnet3_drop(IovVmxnet3 *self, uint64_t *statistic)
{
    iov_measure_drop(self->parent_instance.run->measure, statistic, NULL);
}

/* ---- DMA ---- */

bool vmxnet3_dma(IovVmxnet3 *self, uint64_t address, void *data, uint32_t size, bool write,
                 uint16_t flags, struct iov_span **span)
{
    struct iov_mem_req req = { .address = address,
                               .data = data,
                               .size = size,
                               .requester = self->pci.bus != NULL ? self->pci.requester
                                                                  : (uint16_t)self->requester,
                               .flags = flags,
                               .pasid = IOV_NO_PASID,
                               .span = span != NULL ? *span : NULL };
    enum iov_status status;

    if (!iov_pci_master(&self->space) || size == 0 || address + (size - 1) < address)
        return false;
    status = write ? iov_mem_write_req(&self->dma, &req) : iov_mem_read_req(&self->dma, &req);
    if (span != NULL && !write && status == IOV_STATUS_OK)
        *span = req.span;
    return status == IOV_STATUS_OK;
}

/* ---- Interrupts ---- */

static bool disabled(IovVmxnet3 *self)
{
    uint32_t control = VMXNET3_DISABLE_ALL;

    return !vmxnet3_get(self, self->shared_at + offsetof(struct vmxnet3_shared, interrupts.control),
                        &control, sizeof control) ||
           (control & VMXNET3_DISABLE_ALL);
}

static void fire(IovVmxnet3 *self, unsigned vector, struct iov_span *span)
{
    self->interrupts++;
    if (self->auto_mask)
        self->masked |= 1u << vector;
    if (iov_pci_msix_enabled(&self->space)) {
        iov_pci_message(&self->space, vector, 0, span);
    } else {
        self->line = true;
        iov_irq_set(&self->interrupt, true, span);
    }
}

void vmxnet3_raise(IovVmxnet3 *self, unsigned vector, struct iov_span *span)
{
    if (self->masked >> vector & 1 || disabled(self)) {
        self->pending |= 1u << vector;
        return;
    }
    self->pending &= ~(1u << vector);
    fire(self, vector, span);
}

/* What was held back and is no longer masked. The request it was for may be over: the late
 * interrupt announces none. */
static void raise_pending(IovVmxnet3 *self)
{
    for (unsigned vector = 0; vector < VMXNET3_VECTORS; vector++) {
        if ((self->pending & ~self->masked) >> vector & 1)
            vmxnet3_raise(self, vector, NULL);
    }
}

void vmxnet3_tell_event(IovVmxnet3 *self, uint32_t event)
{
    self->events |= event;
    vmxnet3_put(self, self->shared_at + offsetof(struct vmxnet3_shared, events), &self->events,
                sizeof self->events);
    vmxnet3_raise(self, self->event_vector, NULL);
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovVmxnet3 *self = iov_container_of(port, IovVmxnet3, wire);

    iov_span_claim(packet->span, self, IOV_PART_QUEUE, vmxnet3_now(self));
    if (self->waiting.count >= BACKLOG) {
        vmxnet3_drop(self, &self->rx_not_ready);
        iov_packet_free(packet);
        return 0;
    }
    iov_packet_queue_push(&self->waiting, packet);
    if (!iov_event_armed(&self->work))
        iov_event_in(&self->work, 0);
    return 0;
}

static bool wire_station(struct iov_packet_port *port, uint8_t *ret_address)
{
    const IovVmxnet3 *self = iov_container_of(port, IovVmxnet3, wire);

    memcpy(ret_address, self->address, 6);
    return true;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive, .station = wire_station };

/* ---- Commands ---- */

static void forget(IovVmxnet3 *self)
{
    self->active = self->doorbell = self->looking = self->want_producer = false;
    self->tx_stopped = self->rx_stopped = false;
    self->pending = 0;
    self->masked = UINT32_MAX;
    self->threshold = 1;
    self->doorbells = 0;
    self->queues_at = 0;
    if (self->look.kernel != NULL)
        iov_event_disarm(&self->look);
    self->line = false;
    iov_irq_set(&self->interrupt, false, NULL);
}

static bool activate(IovVmxnet3 *self)
{
    struct vmxnet3_shared shared;
    struct vmxnet3_queue_status running = { 0 };
    uint32_t threshold = 1;
    unsigned vectors;

    forget(self);
    if (!vmxnet3_get(self, self->shared_at, &shared, sizeof shared) ||
        shared.magic != VMXNET3_MAGIC)
        return false;
    vectors = shared.interrupts.count;
    if (shared.misc.tx_queues != 1 || shared.misc.rx_queues != 1 || vectors == 0 ||
        vectors > VMXNET3_VECTORS || shared.interrupts.event_vector >= vectors ||
        shared.misc.queues % VMXNET3_QUEUES_ALIGN != 0 ||
        shared.misc.queues_size <
            sizeof(struct vmxnet3_tx_queue) + sizeof(struct vmxnet3_rx_queue) ||
        shared.misc.queues > UINT64_MAX - 4096)
        return false;
    self->queues_at = shared.misc.queues;
    self->event_vector = shared.interrupts.event_vector;
    self->auto_mask = shared.interrupts.auto_mask;
    self->rx_mode = shared.filter.mode;
    self->features = (uint32_t)shared.misc.features;
    if (!vmxnet3_queues_read(self, vectors))
        return false;
    vmxnet3_put(self, vmxnet3_tx_queue(self, offsetof(struct vmxnet3_tx_queue, threshold)),
                &threshold, sizeof threshold);
    vmxnet3_put(self, vmxnet3_tx_queue(self, offsetof(struct vmxnet3_tx_queue, status)), &running,
                sizeof running);
    vmxnet3_put(self, vmxnet3_rx_queue(self, offsetof(struct vmxnet3_rx_queue, status)), &running,
                sizeof running);
    self->active = true;
    return true;
}

static bool reread(IovVmxnet3 *self, size_t field, uint32_t *ret_value)
{
    return self->active && vmxnet3_get(self, self->shared_at + field, ret_value, sizeof *ret_value);
}

static bool put_statistics(IovVmxnet3 *self)
{
    uint64_t tx[10] = { [4] = self->tx_frames, [5] = self->tx_bytes };
    uint64_t rx[10] = { [2] = self->rx_frames, [3] = self->rx_bytes, [8] = self->rx_no_buffer };

    return self->active &&
           vmxnet3_put(self, vmxnet3_tx_queue(self, offsetof(struct vmxnet3_tx_queue, statistics)),
                       tx, sizeof tx) &&
           vmxnet3_put(self, vmxnet3_rx_queue(self, offsetof(struct vmxnet3_rx_queue, statistics)),
                       rx, sizeof rx);
}

/* Commands that need memory; result 0 is success. */
static void do_command(IovVmxnet3 *self, uint32_t command)
{
    uint32_t value;
    bool done = true;

    switch (command) {
    case VMXNET3_SET_ACTIVATE:
        done = activate(self);
        break;
    case VMXNET3_SET_QUIESCE:
    case VMXNET3_SET_RESET:
        forget(self);
        break;
    case VMXNET3_SET_RX_MODE:
        done = reread(self, offsetof(struct vmxnet3_shared, filter.mode), &value);
        if (done)
            self->rx_mode = value;
        break;
    case VMXNET3_SET_FEATURES:
        done = reread(self, offsetof(struct vmxnet3_shared, misc.features), &value);
        if (done)
            self->features = value;
        break;
    default:
        done = put_statistics(self);
        break;
    }
    if (!done)
        vmxnet3_guest_fault(self);
    self->result = !done;
}

static void on_work(struct iov_event *event)
{
    IovVmxnet3 *self = iov_container_of(event, IovVmxnet3, work);
    uint32_t command = self->command;

    self->command = 0;
    if (command != 0)
        do_command(self, command);
    if (self->active && self->doorbell)
        vmxnet3_doorbell(self);
    self->doorbell = false;
    if (self->active && self->looking)
        vmxnet3_look(self);
    self->looking = false;
    vmxnet3_receive(self);
    if (self->active)
        raise_pending(self);
}

static void on_look(struct iov_event *event)
{
    IovVmxnet3 *self = iov_container_of(event, IovVmxnet3, look);

    self->looking = true;
    if (!iov_event_armed(&self->work))
        iov_event_in(&self->work, 0);
}

/* ---- Configuration space ---- */

static enum iov_status config_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_pci_space_read(&iov_container_of(port, IovVmxnet3, config)->pci, req);
}

static enum iov_status config_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    return iov_pci_space_write(&iov_container_of(port, IovVmxnet3, config)->pci, req);
}

static const struct iov_mem_target_ops config_ops = { .read = config_read, .write = config_write };

static void pci_reset(struct iov_pci_function *function, enum iov_pci_reset kind)
{
    IovVmxnet3 *self = iov_container_of(function, IovVmxnet3, pci);

    forget(self);
    iov_pci_space_reset(&self->space, kind);
}

static const struct iov_pci_function_ops pci_ops = {
    .config_read = iov_pci_space_read,
    .config_write = iov_pci_space_write,
    .windows = iov_pci_space_windows,
    .reset = pci_reset,
};

static void space_init(IovVmxnet3 *self)
{
    static const struct iov_pci_header header = {
        .vendor = VMXNET3_VENDOR_ID,
        .device = VMXNET3_DEVICE_ID,
        .subsystem_vendor = VMXNET3_VENDOR_ID,
        .subsystem = VMXNET3_DEVICE_ID,
        .class_code = 0x020000,
        .revision = 1,
        .interrupt_pin = 1,
        .conventional = true,
    };
    static const struct iov_pci_capability capabilities[] = {
        IOV_PCI_MSIX(.at = CAP_MSIX, .vectors = VMXNET3_VECTORS, .bar = 2, .table = 0,
                     .pending = VMXNET3_MSIX_PENDING),
    };
    const struct iov_pci_bar bars[] = {
        { .index = 0, .size = VMXNET3_BAR_SIZE, .target = &self->registers },
        { .index = 1, .size = VMXNET3_BAR_SIZE, .target = &self->control },
        { .index = 2, .size = VMXNET3_BAR_SIZE, .target = &self->msix },
        { .size = 0 },
    };

    iov_pci_space_clear(&self->space);
    iov_pci_space_init(&self->space, &self->pci, &header, bars, capabilities,
                       G_N_ELEMENTS(capabilities));
    if (self->setup != SETUP_RESET) {
        self->space.bytes[PCI_COMMAND] |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
        self->space.reset[PCI_COMMAND] |= PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    }
    if (self->setup == SETUP_MSIX) {
        self->space.bytes[CAP_MSIX + PCI_MSIX_FLAGS + 1] |= PCI_MSIX_FLAGS_ENABLE >> 8;
        self->space.reset[CAP_MSIX + PCI_MSIX_FLAGS + 1] |= PCI_MSIX_FLAGS_ENABLE >> 8;
    }
    self->pci.requester = (uint16_t)self->requester;
}

/* ---- Life ---- */

static bool iov_vmxnet3_prepare(IovModel *model, GError **error)
{
    IovVmxnet3 *self = (IovVmxnet3 *)(void *)model;

    (void)error;
    self->config.size = 256;
    self->registers.size = self->control.size = self->msix.size = VMXNET3_BAR_SIZE;
    return true;
}

static bool iov_vmxnet3_realize(IovModel *model, GError **error)
{
    IovVmxnet3 *self = (IovVmxnet3 *)(void *)model;

    if (!iov_net_address_choose(self->mac, model->path, IOV_NET_VENDOR_VMWARE, self->address))
        return iov_model_fail(
            model, error, "mac: '%s' is not a unicast address like 00:0c:29:12:34:56", self->mac);
    self->pool = iov_packet_pool_new();
    iov_event_init(&self->work, model->kernel, on_work, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->look, model->kernel, on_look, IOV_PRIORITY_DEFAULT);
    space_init(self);
    forget(self);
    return true;
}

static void iov_vmxnet3_unrealize(IovModel *model)
{
    IovVmxnet3 *self = (IovVmxnet3 *)(void *)model;

    if (self->work.kernel != NULL) {
        iov_event_disarm(&self->work);
        iov_event_disarm(&self->look);
    }
    iov_packet_queue_clear(&self->waiting);
}

static void iov_vmxnet3_finalize(GObject *object)
{
    IovVmxnet3 *self = (IovVmxnet3 *)(void *)object;

    iov_packet_pool_unref(self->pool, IOV_MODEL(object)->kernel);
    iov_pci_space_clear(&self->space);
    G_OBJECT_CLASS(iov_vmxnet3_parent_class)->finalize(object);
}

static void describe_ports(IovModelClass *mc)
{
    IOV_PORT_PCI_FUNCTION(mc, IovVmxnet3, pci, &pci_ops, "Slot");
    IOV_PORT_MEM_TARGET(mc, IovVmxnet3, config, &config_ops, "Configuration space");
    IOV_PORT_MEM_TARGET(mc, IovVmxnet3, registers, &vmxnet3_registers_ops,
                        "BAR 0: doorbells and interrupt masks");
    IOV_PORT_MEM_TARGET(mc, IovVmxnet3, control, &vmxnet3_control_ops, "BAR 1: control");
    IOV_PORT_MEM_TARGET(mc, IovVmxnet3, msix, &vmxnet3_msix_ops,
                        "BAR 2: MSI-X table and pending bits");
    IOV_PORT_IRQ_SOURCE(mc, IovVmxnet3, interrupt, "INTx, while MSI-X is off");
    IOV_PORT_MEM_INITIATOR(mc, IovVmxnet3, dma, "Shared area, rings, frames, interrupt messages");
    IOV_PORT_PACKET_END(mc, IovVmxnet3, wire, &wire_ops, "The network");
}

static void iov_vmxnet3_class_init(IovVmxnet3Class *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vmxnet3", "Paravirtual NIC of a monolithic monitor");
    IOV_PROP_STRING(mc, IovVmxnet3, mac, "auto",
                    "Ethernet address; auto: one that the part's path gives");
    IOV_PROP_ENUM(mc, IovVmxnet3, setup, setups, SETUP_MSIX,
                  "Set up as by: nobody; firmware, interrupts by wire; a kernel, MSI-X on");
    IOV_PROP_COUNT(mc, IovVmxnet3, requester, 0, UINT16_MAX, 8,
                   "PCIe requester ID when it is not plugged in");
    IOV_PROP_COUNT(mc, IovVmxnet3, defer, 1, 1024, 16,
                   "Most frames that the guest may collect before it writes TXPROD");
    IOV_PROP_TIME(mc, IovVmxnet3, defer_time, IOV_NS, IOV_SEC, 20 * IOV_US,
                  "And how long they wait before the device looks by itself");
    describe_ports(mc);
    IOV_STAT(mc, IovVmxnet3, tx_frames, "Frames sent");
    IOV_STAT(mc, IovVmxnet3, tx_bytes, "Bytes of them");
    IOV_STAT(mc, IovVmxnet3, rx_frames, "Frames received");
    IOV_STAT(mc, IovVmxnet3, rx_bytes, "Bytes of them");
    IOV_STAT(mc, IovVmxnet3, doorbells_seen, "Writes of TXPROD");
    IOV_STAT(mc, IovVmxnet3, looks, "Looks at the transmit ring without one");
    IOV_STAT(mc, IovVmxnet3, tx_malformed,
             "Frames of a size or with an offload that make no sense");
    IOV_STAT(mc, IovVmxnet3, rx_filtered, "Frames for somebody else");
    IOV_STAT(mc, IovVmxnet3, rx_no_buffer, "Frames that found no buffer");
    IOV_STAT(mc, IovVmxnet3, rx_not_ready, "Frames while the device was not active or full");
    IOV_STAT(mc, IovVmxnet3, interrupts, "Interrupts sent");
    IOV_STAT(mc, IovVmxnet3, guest_faults, "Mistakes of the guest");
    mc->prepare = iov_vmxnet3_prepare;
    mc->realize = iov_vmxnet3_realize;
    mc->unrealize = iov_vmxnet3_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_vmxnet3_finalize;
}

static void iov_vmxnet3_init(IovVmxnet3 *self)
{
    self->pci.space = &self->space;
    self->pci.dma = &self->dma;
    self->pci.interrupt = &self->interrupt;
}
