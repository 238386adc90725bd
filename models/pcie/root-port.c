/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root-port - a PCIe link between the root complex and one device: a bridge with a bus behind it.
 *
 * In a slot of a pci-host (`pci`) it is a type 1 function: software numbers the bus behind it
 * (`slots`) and opens its windows (bridge.c). Down the link go register accesses of processors and
 * the completions of DMA reads; up go DMA (port `upstream`, on to `bus`), completions of register
 * reads and INTx messages. A transfer waits for credits, for a tag if it is a read, and until its
 * direction of the link is free, takes its bytes with TLP overhead at the rate that encoding, Acks
 * and credit updates leave (link-private.h), and arrives the cost pcie-link-latency later; each
 * pass through the root complex takes the cost pcie-root-complex. Both are fitted to a DMA read of
 * 64 bytes and a register read. A posted write costs the processor pcie-posted-write only; a
 * configuration access is answered, both ways.
 *
 * Without a slot the port is a window of fixed size (`port`, to `devices`) that takes the same
 * time.
 * SPEC: PCI Express Base 5.0: 2.2.8.1 (INTx messages).
 * LIMIT: the bytes move at once, only time follows the link.
 */
#include "models/pcie/root-port-private.h"

G_DEFINE_TYPE(IovRootPort, iov_root_port, IOV_TYPE_MODEL)

#define CONFIG_SIZE 4u /* payload of a configuration write and of the answer to a read */

/* Puts a TLP on a direction of the link; inside a switch only its latency passes. Returns when it
 * has arrived. */
static iov_time carry(PciePort *self, struct pcie_direction *direction, uint16_t requester,
                      uint64_t bytes, iov_time at)
{
    iov_time now = iov_now(self->parent_instance.kernel);

    if (!pcie_has_link(self))
        return at + self->switch_latency;
    return pcie_send(&self->link, direction, requester, bytes, now, at) + self->link_latency +
           self->switch_latency;
}

/* ---- Registers: processor to device ---- */

enum iov_status pcie_down_read(PciePort *self, struct iov_mem_map *map, struct iov_mem_req *req)
{
    iov_time now = iov_now(self->parent_instance.kernel), at;
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_map_access(map, req, false);
    self->register_reads++;
    at = carry(self, &self->link.down, req->requester, pcie_request_header(req->address),
               now + req->delay + self->root_complex);
    req->delay = at - now;
    status = iov_mem_map_access(map, req, false);
    at =
        carry(self, &self->link.up, req->requester,
              PCIE_COMPLETION_HEADER + (status == IOV_STATUS_OK ? req->size : 0), now + req->delay);
    req->delay = at + self->root_complex - now;
    return status;
}

enum iov_status pcie_down_write(PciePort *self, struct iov_mem_map *map, struct iov_mem_req *req)
{
    iov_time now = iov_now(self->parent_instance.kernel), at;
    iov_time issued = req->delay;
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_map_access(map, req, true);
    self->register_writes++;
    at = carry(self, &self->link.down, req->requester,
               pcie_write_bytes(&self->link, req->address, req->size),
               now + issued + self->root_complex);
    req->delay = at - now;
    status = iov_mem_map_access(map, req, true);
    req->delay = issued + self->posted_write;
    return status;
}

/* SPEC: PCI Express Base 5.0, 2.4: configuration writes are not posted. */
enum iov_status pcie_down_config(PciePort *self, unsigned bus, unsigned devfn,
                                 struct iov_mem_req *req, bool write)
{
    iov_time now = iov_now(self->parent_instance.kernel), at;
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_pci_config_access(&self->slots, bus, devfn, req, write);
    self->config_accesses++;
    at = carry(self, &self->link.down, 0, pcie_request_header(0) + (write ? CONFIG_SIZE : 0),
               now + req->delay + self->root_complex);
    req->delay = at - now;
    status = iov_pci_config_access(&self->slots, bus, devfn, req, write);
    at = carry(self, &self->link.up, 0, PCIE_COMPLETION_HEADER + (write ? 0 : CONFIG_SIZE),
               now + req->delay);
    req->delay = at + self->root_complex - now;
    return status;
}

static enum iov_status port_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, port);

    return pcie_down_read(self, &self->devices, req);
}

static enum iov_status port_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, port);

    return pcie_down_write(self, &self->devices, req);
}

static const struct iov_mem_target_ops port_ops = { .read = port_read, .write = port_write };

/* ---- DMA: device to memory ---- */

/* Inside a switch: the upstream link belongs to the port above. */
static enum iov_status inside_read(PciePort *self, struct iov_mem_req *req)
{
    enum iov_status status;

    req->delay += self->switch_latency;
    status = iov_mem_read_req(&self->bus, req);
    req->delay += self->switch_latency;
    return status;
}

/* The link above holds back a port, not the device: that goes on when its own link has the
 * bytes. */
static enum iov_status inside_write(PciePort *self, struct iov_mem_req *req)
{
    req->delay += self->switch_latency;
    return iov_mem_write_req(&self->bus, req);
}

/* One read request after the other; what the memory takes for the first it takes for each. */
static enum iov_status upstream_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, upstream);
    struct pcie_link *link = &self->link;
    iov_time now = iov_now(self->parent_instance.kernel), begin = now + req->delay, at, end = 0;
    iov_time answer = 0; /* from the request on the root port to its data */
    uint32_t prefix = req->pasid != IOV_NO_PASID ? PCIE_PASID_PREFIX : 0;
    enum iov_status status = IOV_STATUS_OK;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_read_req(&self->bus, req);
    if (!pcie_bridge_admits(self, req->requester))
        return IOV_STATUS_UNSUPPORTED;
    self->dma_reads++;
    if (!pcie_has_link(self))
        return inside_read(self, req);
    for (uint32_t done = 0, size; done == 0 || done < req->size; done += size) {
        uint64_t address = req->address + done;

        size = MAX(pcie_read_piece(link, address, req->size - done), 1);
        at = pcie_credits_take(&link->nonposted, 0, pcie_tag_take(&link->tags, begin));
        at = carry(self, &link->up, req->requester, pcie_request_header(address) + prefix, at);
        if (done == 0) {
            req->delay = at + self->root_complex - now;
            status = iov_mem_read_req(&self->bus, req);
            answer = now + req->delay - at;
        }
        pcie_credits_return(&link->nonposted, 0, at + answer);
        at = carry(self, &link->down, req->requester,
                   status == IOV_STATUS_OK ? pcie_completion_bytes(link, address, size)
                                           : PCIE_COMPLETION_HEADER,
                   at + answer);
        pcie_tag_return(&link->tags, at);
        end = MAX(end, at);
    }
    req->delay = end - now;
    return status;
}

/* Posted: the device goes on when the link has taken the bytes; errors do not come back to it. */
static enum iov_status upstream_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, upstream);
    struct pcie_link *link = &self->link;
    iov_time now = iov_now(self->parent_instance.kernel), at;
    enum iov_status status;
    uint64_t bytes;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_write_req(&self->bus, req);
    if (!pcie_bridge_admits(self, req->requester))
        return IOV_STATUS_UNSUPPORTED;
    self->dma_writes++;
    if (!pcie_has_link(self))
        return inside_write(self, req);
    at = pcie_credits_take(&link->posted, req->size, now + req->delay);
    bytes = pcie_write_bytes(link, req->address, req->size);
    if (req->pasid != IOV_NO_PASID)
        bytes += pcie_write_prefixes(link, req->address, req->size);
    at = pcie_send(link, &link->up, req->requester, bytes, now, at);
    req->delay = at + self->link_latency + self->switch_latency + self->root_complex - now;
    status = iov_mem_write_req(&self->bus, req);
    pcie_credits_return(&link->posted, req->size, now + req->delay);
    req->delay = at - now;
    return status;
}

static const struct iov_mem_target_ops upstream_ops = { .read = upstream_read,
                                                        .write = upstream_write };

/* ---- INTx ---- */

/* At the other end: the wire of a port without a slot, or the pin of this bridge on the bus
 * above. */
static void arrive(PciePort *self, unsigned line, bool level, struct iov_span *span)
{
    struct iov_pci_bus *above = self->pci.bus;

    if (line == PCIE_LINE_PORT || above == NULL)
        iov_irq_set(&self->interrupt, level, span);
    else if (above->ops != NULL && above->ops->intx != NULL)
        above->ops->intx(above, &self->pci, line, level, span);
}

static void on_message(struct iov_event *event)
{
    struct pcie_line *line = iov_container_of(event, struct pcie_line, arrival);
    PciePort *self = line->owner;
    bool level = line->messages[line->first].level;
    struct iov_span *span = line->messages[line->first].span;

    line->first = (line->first + 1) % PCIE_MESSAGES_MAX;
    line->count--;
    if (line->count > 0)
        iov_event_at(event, line->messages[line->first].when);
    arrive(self, (unsigned)(line - self->lines), level, span);
}

void pcie_intx_send(PciePort *self, unsigned index, bool level, struct iov_span *span)
{
    struct pcie_line *line = &self->lines[index];
    unsigned place;
    iov_time when;

    if (line->count == PCIE_MESSAGES_MAX) { /* the last change on its way and this one cancel out */
        line->count--;
        return;
    }
    self->intx_messages++;
    when =
        carry(self, &self->link.up, 0, PCIE_MESSAGE_BYTES, iov_now(self->parent_instance.kernel)) +
        self->root_complex;
    place = (line->first + line->count) % PCIE_MESSAGES_MAX;
    line->messages[place].when = when;
    line->messages[place].level = level;
    line->messages[place].span = span;
    if (line->count++ == 0)
        iov_event_at(&line->arrival, when);
}

static void interrupt_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    pcie_intx_send(iov_container_of(sink, IovRootPort, interrupt_in), PCIE_LINE_PORT, level, span);
}

static const struct iov_irq_sink_ops interrupt_ops = { .set = interrupt_set };

/* ---- Life ---- */

static bool iov_root_port_prepare(IovModel *model, GError **error)
{
    IovRootPort *self = (IovRootPort *)(void *)model;
    struct pcie_link_settings settings = {
        .generation = (unsigned)self->generation,
        .lanes = (unsigned)self->lanes,
        .max_payload = (uint32_t)self->max_payload,
        .max_read_request = (uint32_t)self->max_read_request,
        .completion_boundary = (uint32_t)self->read_completion_boundary,
        .tags = (unsigned)self->tags,
        .posted_headers = (unsigned)self->posted_headers,
        .posted_data = (unsigned)self->posted_data,
        .nonposted_headers = (unsigned)self->nonposted_headers,
    };

    pcie_link_clear(&self->link);
    if (!pcie_link_init(&self->link, &settings))
        return iov_model_fail(
            model, error,
            "lanes, max-payload, max-read-request and read-completion-boundary are powers of two");
    self->port.size = self->window;
    if (pcie_type(self) != PCI_EXP_TYPE_ROOT_PORT)
        self->root_complex = self->posted_write = 0; /* those are the root port's */
    pcie_bridge_prepare(self);
    return true;
}

static bool iov_root_port_realize(IovModel *model, GError **error)
{
    IovRootPort *self = (IovRootPort *)(void *)model;

    (void)error;
    for (unsigned i = 0; i < PCIE_LINES; i++) {
        iov_event_init(&self->lines[i].arrival, model->kernel, on_message, IOV_PRIORITY_DEFAULT);
        self->lines[i].owner = self;
    }
    pcie_bridge_realize(self);
    return true;
}

static void iov_root_port_unrealize(IovModel *model)
{
    IovRootPort *self = (IovRootPort *)(void *)model;

    for (unsigned i = 0; i < PCIE_LINES; i++) {
        iov_event_disarm(&self->lines[i].arrival);
        self->lines[i].count = 0;
    }
}

static void iov_root_port_reset_statistics(IovModel *model)
{
    IovRootPort *self = (IovRootPort *)(void *)model;

    self->link.up.bytes = 0;
    self->link.down.bytes = 0;
}

static void iov_root_port_update_statistics(IovModel *model)
{
    IovRootPort *self = (IovRootPort *)(void *)model;

    self->bytes_up = self->link.up.bytes;
    self->bytes_down = self->link.down.bytes;
    self->tlp_rate = self->link.rate;
}

static void iov_root_port_finalize(GObject *object)
{
    IovRootPort *self = (IovRootPort *)(void *)object;

    pcie_link_clear(&self->link);
    iov_pci_space_clear(&self->space);
    G_OBJECT_CLASS(iov_root_port_parent_class)->finalize(object);
}

static void iov_root_port_class_init(IovRootPortClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "root-port", "A PCIe link to one device");
    IOV_PROP_COUNT(mc, IovRootPort, generation, 1, 5, 3, "PCIe generation of the link");
    IOV_PROP_COUNT(mc, IovRootPort, lanes, 1, 16, 8, "Lanes: 1, 2, 4, 8, 16");
    IOV_PROP_SIZE(mc, IovRootPort, max_payload, 128, 4096, 256, "Largest payload of a TLP");
    IOV_PROP_SIZE(mc, IovRootPort, max_read_request, 128, 4096, 512, "Largest read request");
    IOV_PROP_SIZE(mc, IovRootPort, read_completion_boundary, 64, 128, 64,
                  "Where completions may be cut");
    IOV_PROP_COUNT(mc, IovRootPort, tags, 0, 1024, 32,
                   "Reads of the device that may be out at the same time; 0: any number");
    IOV_PROP_COUNT(mc, IovRootPort, posted_headers, 0, 256, 64,
                   "Writes that the root port has room for; 0: any number");
    IOV_PROP_COUNT(mc, IovRootPort, posted_data, 0, 4096, 1024,
                   "Their data that it has room for, in units of 16 bytes; 0: any");
    IOV_PROP_COUNT(mc, IovRootPort, nonposted_headers, 0, 256, 64,
                   "Read requests that it has room for; 0: any number");
    IOV_PROP_SIZE(mc, IovRootPort, window, 4096, UINT64_C(1) << 40, 0x20000,
                  "Of the host's address space that it claims, outside a slot");
    IOV_PROP_COUNT(mc, IovRootPort, vendor_id, 0, 0xfffe, 0,
                   "Whose bridge it is; 0: as kinds of this name are found in machines");
    IOV_PROP_COUNT(mc, IovRootPort, device_id, 0, 0xffff, 0, "Which one, with vendor-id");
    IOV_PROP_COUNT(mc, IovRootPort, number, 0, 255, 0, "Of the port and of its physical slot");
    IOV_COST(mc, IovRootPort, link_latency, "pcie-link-latency",
             "One way, from the last byte leaving to the receiver having it");
    IOV_COST(mc, IovRootPort, root_complex, "pcie-root-complex",
             "One pass through the root complex");
    IOV_COST(mc, IovRootPort, posted_write, "pcie-posted-write",
             "What a register write costs the processor");
    IOV_PORT_MEM_TARGET(mc, IovRootPort, port, &port_ops,
                        "The device's registers in the host's address space");
    IOV_PORT_MEM_WINDOWS(mc, IovRootPort, devices,
                         "The device's BARs; `at`: offset from the port's window");
    IOV_PORT_MEM_TARGET(mc, IovRootPort, upstream, &upstream_ops, "DMA and messages of the device");
    IOV_PORT_MEM_INITIATOR(mc, IovRootPort, bus, "Towards memory: IOMMU or bus");
    IOV_PORT_IRQ_SINK(mc, IovRootPort, interrupt_in, &interrupt_ops, "INTx of the device");
    IOV_PORT_IRQ_SOURCE(mc, IovRootPort, interrupt, "INTx, when its message has arrived");
    IOV_PORT_PCI_FUNCTION(mc, IovRootPort, pci, &pcie_bridge_ops,
                          "The slot that the port itself is in: it connects bus and interrupts");
    IOV_PORT_PCI_BUS(mc, IovRootPort, slots, &pcie_slots_ops, "The bus behind it");
    IOV_STAT(mc, IovRootPort, register_reads, "Register reads");
    IOV_STAT(mc, IovRootPort, register_writes, "Register writes");
    IOV_STAT(mc, IovRootPort, dma_reads, "DMA reads");
    IOV_STAT(mc, IovRootPort, dma_writes, "DMA writes and message-signalled interrupts");
    IOV_STAT(mc, IovRootPort, intx_messages, "INTx messages");
    IOV_STAT(mc, IovRootPort, config_accesses, "Configuration accesses to buses behind it");
    IOV_STAT(mc, IovRootPort, blocked,
             "DMA that the bridge stopped: no bus mastering, or a wrong source");
    IOV_STAT_BYTES(mc, IovRootPort, bytes_down,
                   "Bytes on the link towards the device, with TLP overhead");
    IOV_STAT_BYTES(mc, IovRootPort, bytes_up,
                   "Bytes on the link from the device, with TLP overhead");
    IOV_STAT(mc, IovRootPort, tlp_rate,
             "Bits a second that the link has for TLPs: encoding, Acks and credits taken off");
    klass->type = PCI_EXP_TYPE_ROOT_PORT;
    klass->vendor = 0x8086;
    klass->device = 0x3420;
    G_OBJECT_CLASS(klass)->finalize = iov_root_port_finalize;
    mc->reset_statistics = iov_root_port_reset_statistics;
    mc->update_statistics = iov_root_port_update_statistics;
    mc->prepare = iov_root_port_prepare;
    mc->realize = iov_root_port_realize;
    mc->unrealize = iov_root_port_unrealize;
}

static void iov_root_port_init(IovRootPort *self)
{
    pcie_bridge_init(self);
}
