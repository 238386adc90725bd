/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root-port - a PCIe link between the root complex and one device.
 *
 * Down the link go the processor's register accesses (port `port`, a window of the host's address space, to the targets wired to
 * `devices`) and the completions of DMA reads; up go DMA (port `upstream`, on to `bus`), completions of register reads and INTx
 * messages. A transfer waits for credits, for a tag if it is a read, and until its direction of the link is free, takes its bytes with TLP overhead
 * at the rate that encoding, Acks and credit updates leave (link-private.h), and arrives the cost pcie-link-latency later; each pass through the root complex takes the cost pcie-root-complex. Both are fitted to a
 * DMA read of 64 bytes and a register read. A posted write costs the processor pcie-posted-write only.
 *
 * SPEC: PCI Express Base 5.0: 2.2.8.1 (INTx messages).
 * LIMIT: the bytes move at once, only time follows the link; no configuration space.
 */
#include "core/object/model.h"
#include "models/pcie/link-private.h"

#define IOV_TYPE_ROOT_PORT (iov_root_port_get_type())
G_DECLARE_FINAL_TYPE(IovRootPort, iov_root_port, IOV, ROOT_PORT, IovModel)

#define MESSAGES_MAX 16u /* INTx messages on their way */

struct intx {
    iov_time when;
    bool level;
    struct iov_span *span;
};

struct _IovRootPort {
    IovModel parent_instance;
    uint64_t generation, lanes;                                       /* properties */
    uint64_t max_payload, max_read_request, read_completion_boundary; /* properties */
    uint64_t tags, posted_headers, posted_data, nonposted_headers;    /* properties */
    uint64_t window;                                                  /* property */
    iov_time link_latency, root_complex, posted_write;                /* costs */
    struct iov_mem_target port;                                       /* port */
    struct iov_mem_map devices;                                       /* port */
    struct iov_mem_target upstream;                                   /* port */
    struct iov_mem_initiator bus;                                     /* port */
    struct iov_irq_sink interrupt_in;                                 /* port */
    struct iov_irq_source interrupt;                                  /* port */
    struct pcie_link link;
    uint64_t bytes_down, bytes_up, tlp_rate; /* statistics */
    uint64_t register_reads, register_writes, dma_reads, dma_writes, intx_messages;
    struct iov_event arrival; /* armed for the first of `messages` */
    struct intx messages[MESSAGES_MAX];
    unsigned first, count;
};

G_DEFINE_FINAL_TYPE(IovRootPort, iov_root_port, IOV_TYPE_MODEL)

/* ---- Registers: processor to device ---- */

static enum iov_status port_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, port);
    iov_time now = iov_now(self->parent_instance.kernel), at;
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_map_access(&self->devices, req, false);
    self->register_reads++;
    at = pcie_send(&self->link, &self->link.down, req->requester, pcie_request_header(req->address),
                   now, now + req->delay + self->root_complex) +
         self->link_latency;
    req->delay = at - now;
    status = iov_mem_map_access(&self->devices, req, false);
    at = pcie_send(&self->link, &self->link.up, req->requester,
                   PCIE_COMPLETION_HEADER + (status == IOV_STATUS_OK ? req->size : 0), now,
                   now + req->delay);
    req->delay = at + self->link_latency + self->root_complex - now;
    return status;
}

static enum iov_status port_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, port);
    iov_time now = iov_now(self->parent_instance.kernel), at;
    iov_time issued = req->delay;
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_map_access(&self->devices, req, true);
    self->register_writes++;
    at = pcie_send(&self->link, &self->link.down, req->requester,
                   pcie_write_bytes(&self->link, req->address, req->size), now,
                   now + issued + self->root_complex);
    req->delay = at + self->link_latency - now;
    status = iov_mem_map_access(&self->devices, req, true);
    req->delay = issued + self->posted_write;
    return status;
}

static const struct iov_mem_target_ops port_ops = { .read = port_read, .write = port_write };

/* ---- DMA: device to memory ---- */

/* One read request after the other; what the memory takes for the first it takes for each. */
static enum iov_status upstream_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, upstream);
    struct pcie_link *link = &self->link;
    iov_time now = iov_now(self->parent_instance.kernel), begin = now + req->delay, at, end = 0;
    iov_time answer = 0; /* from the request on the root port to its data */
    enum iov_status status = IOV_STATUS_OK;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_read_req(&self->bus, req);
    self->dma_reads++;
    for (uint32_t done = 0, size; done == 0 || done < req->size; done += size) {
        uint64_t address = req->address + done;

        size = MAX(pcie_read_piece(link, address, req->size - done), 1);
        at = pcie_credits_take(&link->nonposted, 0, pcie_tag_take(&link->tags, begin));
        at = pcie_send(link, &link->up, req->requester, pcie_request_header(address), now, at) +
             self->link_latency;
        if (done == 0) {
            req->delay = at + self->root_complex - now;
            status = iov_mem_read_req(&self->bus, req);
            answer = now + req->delay - at;
        }
        pcie_credits_return(&link->nonposted, 0, at + answer);
        at = pcie_send(link, &link->down, req->requester,
                       status == IOV_STATUS_OK ? pcie_completion_bytes(link, address, size)
                                               : PCIE_COMPLETION_HEADER,
                       now, at + answer) +
             self->link_latency;
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

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_write_req(&self->bus, req);
    self->dma_writes++;
    at = pcie_credits_take(&link->posted, req->size, now + req->delay);
    at = pcie_send(link, &link->up, req->requester, pcie_write_bytes(link, req->address, req->size),
                   now, at);
    req->delay = at + self->link_latency + self->root_complex - now;
    status = iov_mem_write_req(&self->bus, req);
    pcie_credits_return(&link->posted, req->size, now + req->delay);
    req->delay = at - now;
    return status;
}

static const struct iov_mem_target_ops upstream_ops = { .read = upstream_read,
                                                        .write = upstream_write };

/* ---- INTx ---- */

static void on_message(struct iov_event *event)
{
    IovRootPort *self = iov_container_of(event, IovRootPort, arrival);
    struct intx message = self->messages[self->first];

    self->first = (self->first + 1) % MESSAGES_MAX;
    self->count--;
    if (self->count > 0)
        iov_event_at(event, self->messages[self->first].when);
    iov_irq_set(&self->interrupt, message.level, message.span);
}

static void interrupt_set(struct iov_irq_sink *sink, bool level, struct iov_span *span)
{
    IovRootPort *self = iov_container_of(sink, IovRootPort, interrupt_in);
    iov_time when, now;

    if (self->count == MESSAGES_MAX) { /* the last change on its way and this one cancel out */
        self->count--;
        return;
    }
    self->intx_messages++;
    now = iov_now(self->parent_instance.kernel);
    when = pcie_send(&self->link, &self->link.up, 0, PCIE_MESSAGE_BYTES, now, now) +
           self->link_latency + self->root_complex;
    self->messages[(self->first + self->count) % MESSAGES_MAX] = (struct intx){ when, level, span };
    if (self->count++ == 0)
        iov_event_at(&self->arrival, when);
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
    return true;
}

static bool iov_root_port_realize(IovModel *model, GError **error)
{
    IovRootPort *self = (IovRootPort *)(void *)model;

    (void)error;
    iov_event_init(&self->arrival, model->kernel, on_message, IOV_PRIORITY_DEFAULT);
    return true;
}

static void iov_root_port_unrealize(IovModel *model)
{
    IovRootPort *self = (IovRootPort *)(void *)model;

    iov_event_disarm(&self->arrival);
    self->count = 0;
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
    pcie_link_clear(&((IovRootPort *)(void *)object)->link);
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
                  "Of the host's address space that it claims");
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
    IOV_STAT(mc, IovRootPort, register_reads, "Register reads");
    IOV_STAT(mc, IovRootPort, register_writes, "Register writes");
    IOV_STAT(mc, IovRootPort, dma_reads, "DMA reads");
    IOV_STAT(mc, IovRootPort, dma_writes, "DMA writes and message-signalled interrupts");
    IOV_STAT(mc, IovRootPort, intx_messages, "INTx messages");
    IOV_STAT_BYTES(mc, IovRootPort, bytes_down,
                   "Bytes on the link towards the device, with TLP overhead");
    IOV_STAT_BYTES(mc, IovRootPort, bytes_up,
                   "Bytes on the link from the device, with TLP overhead");
    IOV_STAT(mc, IovRootPort, tlp_rate,
             "Bits a second that the link has for TLPs: encoding, Acks and credits taken off");
    G_OBJECT_CLASS(klass)->finalize = iov_root_port_finalize;
    mc->reset_statistics = iov_root_port_reset_statistics;
    mc->update_statistics = iov_root_port_update_statistics;
    mc->prepare = iov_root_port_prepare;
    mc->realize = iov_root_port_realize;
    mc->unrealize = iov_root_port_unrealize;
}

static void iov_root_port_init(IovRootPort *self)
{
    (void)self;
}
