/* SPDX-License-Identifier: Apache-2.0 */
/*
 * root-port - a PCIe link between the root complex and one device.
 *
 * Down the link go the processor's register accesses (port `port`, a window of the host's address space, to the targets wired to
 * `devices`) and the completions of DMA reads; up go DMA (port `upstream`, on to `bus`), completions of register reads and INTx
 * messages. A transfer waits until its direction of the link is free, takes its bytes with TLP overhead at the link's rate, and
 * arrives the cost pcie-link-latency later; each pass through the root complex takes the cost pcie-root-complex. Both are fitted to a
 * DMA read of 64 bytes and a register read. A posted write costs the processor pcie-posted-write only.
 *
 * Contention: a direction carries its rate and no more, but a transfer that starts in the future leaves the time until then to others.
 * SPEC: PCI Express Base 3.0: 2.2 (headers), 2.2.2 (MPS), 2.2.7 (MRRS), 2.3.1.1 (RCB), 2.2.8.1 (INTx messages).
 * LIMIT: no credits, tags, retries or configuration space; the bytes move at once, only time follows the link.
 */
#include "core/object/model.h"

#define IOV_TYPE_ROOT_PORT (iov_root_port_get_type())
G_DECLARE_FINAL_TYPE(IovRootPort, iov_root_port, IOV, ROOT_PORT, IovModel)

/* Bytes on the link: header of a 64-bit request or message, and of a completion, with framing, sequence number and LCRC. */
#define REQUEST_BYTES 24u
#define COMPLETION_BYTES 20u
#define MESSAGES_MAX 16u /* INTx messages on their way */

struct intx {
    iov_time when;
    bool level;
    struct iov_span *span;
};

struct _IovRootPort {
    IovModel parent_instance;
    uint64_t generation, lanes, efficiency;                           /* properties */
    uint64_t max_payload, max_read_request, read_completion_boundary; /* properties */
    uint64_t window;                                                  /* property */
    iov_time link_latency, root_complex, posted_write;                /* costs */
    struct iov_mem_target port;                                       /* port */
    struct iov_mem_map devices;                                       /* port */
    struct iov_mem_target upstream;                                   /* port */
    struct iov_mem_initiator bus;                                     /* port */
    struct iov_irq_sink interrupt_in;                                 /* port */
    struct iov_irq_source interrupt;                                  /* port */
    uint64_t rate_mbps;                                               /* of the link, TLPs only */
    uint64_t bytes_down, bytes_up;                                    /* statistics */
    uint64_t register_reads, register_writes, dma_reads, dma_writes, intx_messages;
    iov_time down_busy, up_busy; /* until when each direction is taken */
    struct iov_event arrival;    /* armed for the first of `messages` */
    struct intx messages[MESSAGES_MAX];
    unsigned first, count;
};

G_DEFINE_FINAL_TYPE(IovRootPort, iov_root_port, IOV_TYPE_MODEL)

/* ---- The link ---- */

/*
 * Puts `bytes` on a direction at time `at`, not before now; returns when they have left. The time until `at` stays free for
 * others, the capacity is used up.
 */
static iov_time link_take(const IovRootPort *self, iov_time *busy_until, uint64_t bytes,
                          iov_time at)
{
    iov_time now = iov_now(self->parent_instance.kernel);
    iov_time taken = bytes * 8 * IOV_US / self->rate_mbps;
    iov_time end = MAX(at, *busy_until) + taken;

    *busy_until = MAX(now, *busy_until) + taken;
    return end;
}

static iov_time take_down(IovRootPort *self, uint64_t bytes, iov_time at)
{
    self->bytes_down += bytes;
    return link_take(self, &self->down_busy, bytes, at);
}

static iov_time take_up(IovRootPort *self, uint64_t bytes, iov_time at)
{
    self->bytes_up += bytes;
    return link_take(self, &self->up_busy, bytes, at);
}

/* Into how many TLPs `size` bytes at `address` fall when none crosses a multiple of `unit`. */
static uint64_t pieces(uint64_t address, uint32_t size, uint64_t unit)
{
    return ((address & (unit - 1)) + size + unit - 1) / unit;
}

/* Completions: the first ends at a read completion boundary, the others are full. */
static uint64_t completion_bytes(const IovRootPort *self, uint64_t address, uint32_t size)
{
    uint64_t head =
        self->read_completion_boundary - (address & (self->read_completion_boundary - 1));
    uint64_t count = 1;

    if (head < size && head != self->read_completion_boundary)
        count += (size - head + self->max_payload - 1) / self->max_payload;
    else
        count = (size + self->max_payload - 1) / self->max_payload;
    return size + count * COMPLETION_BYTES;
}

static uint64_t write_bytes(const IovRootPort *self, uint64_t address, uint32_t size)
{
    return ((size + 3u) & ~3u) + pieces(address, size, self->max_payload) * REQUEST_BYTES;
}

/* ---- Registers: processor to device ---- */

static enum iov_status port_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, port);
    iov_time now = iov_now(self->parent_instance.kernel), at;
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_map_access(&self->devices, req, false);
    self->register_reads++;
    at = take_down(self, REQUEST_BYTES, now + req->delay + self->root_complex) + self->link_latency;
    req->delay = at - now;
    status = iov_mem_map_access(&self->devices, req, false);
    at = take_up(self, COMPLETION_BYTES + (status == IOV_STATUS_OK ? req->size : 0),
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
    at = take_down(self, write_bytes(self, req->address, req->size),
                   now + issued + self->root_complex);
    req->delay = at + self->link_latency - now;
    status = iov_mem_map_access(&self->devices, req, true);
    req->delay = issued + self->posted_write;
    return status;
}

static const struct iov_mem_target_ops port_ops = { .read = port_read, .write = port_write };

/* ---- DMA: device to memory ---- */

static enum iov_status upstream_read(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, upstream);
    iov_time now = iov_now(self->parent_instance.kernel), at;
    uint64_t requests = pieces(req->address, req->size, self->max_read_request);
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_read_req(&self->bus, req);
    self->dma_reads++;
    at = take_up(self, requests * REQUEST_BYTES, now + req->delay);
    req->delay = at + self->link_latency + self->root_complex - now;
    status = iov_mem_read_req(&self->bus, req);
    at = take_down(self,
                   status == IOV_STATUS_OK ? completion_bytes(self, req->address, req->size)
                                           : COMPLETION_BYTES,
                   now + req->delay);
    req->delay = at + self->link_latency - now;
    return status;
}

/* Posted: the device goes on when the link has taken the bytes; errors do not come back to it. */
static enum iov_status upstream_write(struct iov_mem_target *port, struct iov_mem_req *req)
{
    IovRootPort *self = iov_container_of(port, IovRootPort, upstream);
    iov_time now = iov_now(self->parent_instance.kernel), at;
    enum iov_status status;

    if (req->flags & IOV_MEM_DEBUG)
        return iov_mem_write_req(&self->bus, req);
    self->dma_writes++;
    at = take_up(self, write_bytes(self, req->address, req->size), now + req->delay);
    req->delay = at + self->link_latency + self->root_complex - now;
    status = iov_mem_write_req(&self->bus, req);
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
    iov_time when;

    if (self->count == MESSAGES_MAX) { /* the last change on its way and this one cancel out */
        self->count--;
        return;
    }
    self->intx_messages++;
    when = take_up(self, REQUEST_BYTES, iov_now(self->parent_instance.kernel)) +
           self->link_latency + self->root_complex;
    self->messages[(self->first + self->count) % MESSAGES_MAX] = (struct intx){ when, level, span };
    if (self->count++ == 0)
        iov_event_at(&self->arrival, when);
}

static const struct iov_irq_sink_ops interrupt_ops = { .set = interrupt_set };

/* ---- Life ---- */

/* Per lane and direction, encoding taken off. SPEC: PCI Express Base 5.0: 8b/10b, from 8 GT/s on 128b/130b. */
static const uint64_t lane_mbps[] = { 0, 2000, 4000, 7877, 15754, 31508 };

static bool iov_root_port_prepare(IovModel *model, GError **error)
{
    IovRootPort *self = (IovRootPort *)(void *)model;

    if (self->lanes & (self->lanes - 1) || self->max_payload & (self->max_payload - 1) ||
        self->max_read_request & (self->max_read_request - 1) ||
        self->read_completion_boundary & (self->read_completion_boundary - 1))
        return iov_model_fail(
            model, error,
            "lanes, max-payload, max-read-request and read-completion-boundary are powers of two");
    self->port.size = self->window;
    self->rate_mbps = lane_mbps[self->generation] * self->lanes * self->efficiency / 1000;
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

static void iov_root_port_class_init(IovRootPortClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "root-port", "A PCIe link to one device");
    IOV_PROP_COUNT(mc, IovRootPort, generation, 1, 5, 3, "PCIe generation of the link");
    IOV_PROP_COUNT(mc, IovRootPort, lanes, 1, 16, 8, "Lanes: 1, 2, 4, 8, 16");
    IOV_PROP_COUNT(mc, IovRootPort, efficiency, 500, 1000, 918,
                   "Thousandths of the rate that are left for TLPs by link-layer packets");
    IOV_PROP_SIZE(mc, IovRootPort, max_payload, 128, 4096, 256, "Largest payload of a TLP");
    IOV_PROP_SIZE(mc, IovRootPort, max_read_request, 128, 4096, 512, "Largest read request");
    IOV_PROP_SIZE(mc, IovRootPort, read_completion_boundary, 64, 128, 64,
                  "Where completions may be cut");
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
    mc->prepare = iov_root_port_prepare;
    mc->realize = iov_root_port_realize;
    mc->unrealize = iov_root_port_unrealize;
}

static void iov_root_port_init(IovRootPort *self)
{
    (void)self;
}
