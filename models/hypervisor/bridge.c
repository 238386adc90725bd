/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bridge - a learning bridge of the host kernel with taps as ports, and the physical NIC below it.
 *
 * A frame goes where its destination was last seen, or to all other ports: the thread that brings
 * it pays for the bridge, and for the NIC's driver or the other tap's queue. From the wire: a frame
 * is an interrupt on processor irq-cpu; its softirq takes frames through driver and bridge, and
 * there is no further interrupt while it has some, as with NAPI. With `irq-cpus` the NIC has a
 * receive queue for each, and the flow's hash picks it (RSS). LIMIT: no ageing, spanning tree,
 * VLANs, netfilter or queueing discipline.
 */
#include "models/hypervisor/bridge.h"

#include "core/net/flow.h"
#include "core/trace/measure.h"
#include "models/hypervisor/host-nic.h"
#include "models/hypervisor/ksoftirqd.h"
#include "models/hypervisor/mac-table.h"
#include "models/hypervisor/xen.h"

#define PORTS IOV_MAC_PORTS
#define QUEUES 16
#define NIC (-1)

/* A receive queue of the NIC. */
struct rx_queue {
    IovBridge *bridge;
    unsigned cpu;
    struct iov_packet_queue *frames; /* the NIC's, or `own` if it has several queues */
    struct iov_packet_queue own;
    struct iov_host_irq irq;
    struct iov_ksoftirqd ksoftirqd;
    uint8_t vector;
    bool polling; /* an interrupt, softirq or thread takes frames, or is on its way */
};

struct _IovBridge {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    IovModel *domain_ref;
    uint64_t irq_cpu;
    struct iov_count_list irq_cpus;
    uint64_t queue_length;
    bool anti_spoof;
    bool gro;
    /* costs */
    iov_time bridge_cost, transmit_cost, receive_cost;
    struct iov_host_nic nic;
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_bridge_port *ports[PORTS];
    int port_count;
    struct iov_mac_table addresses;
    struct iov_packet_pool *pool; /* of copies */
    struct rx_queue queues[QUEUES];
    unsigned queue_count;
    struct iov_xen_work work; /* the softirq's, in a domain */
    unsigned pirq;            /* the domain's event channel of the interrupt */
    /* statistics */
    uint64_t forwarded, flooded, received_frames, interrupts, handovers, drops, spoofed;
};

G_DEFINE_FINAL_TYPE(IovBridge, iov_bridge, IOV_TYPE_MODEL)

static iov_time now(const IovBridge *self)
{
    return iov_now(self->parent_instance.kernel);
}

bool iov_bridge_attach(IovBridge *self, struct iov_bridge_port *port)
{
    if (self->port_count == PORTS)
        return false;
    port->number = self->port_count;
    self->ports[self->port_count++] = port;
    return true;
}

static const uint8_t *address_of(const struct iov_bridge_port *port)
{
    return port->has_address ? port->address : NULL;
}

static void drop(IovBridge *self, struct iov_packet *packet)
{
    iov_measure_drop(self->measure, &self->drops, packet);
}

static void charge(struct iov_exec *exec, iov_time cost)
{
    if (exec != NULL)
        iov_exec_compute(exec, cost, IOV_PART_HOST);
}

/* ---- Out ---- */

static void nic_send(IovBridge *self, struct iov_exec *exec, struct iov_packet *packet,
                     iov_time owed)
{
    iov_time cutting;
    unsigned frames = iov_host_nic_frames(&self->nic, packet, &cutting);

    charge(exec, owed + cutting + frames * self->transmit_cost);
    iov_host_nic_send(&self->nic, packet);
}

static void port_send(IovBridge *self, int port, struct iov_exec *exec, struct iov_packet *packet,
                      iov_time owed)
{
    if (port == NIC)
        nic_send(self, exec, packet, owed);
    else
        self->ports[port]->deliver(self->ports[port], exec, packet, owed);
}

/* To all ports but the one it came from; the last one gets the frame itself, with its request. */
static void flood(IovBridge *self, int from, struct iov_exec *exec, struct iov_packet *packet)
{
    int last = from == NIC ? self->port_count - 1 : NIC;

    self->flooded++;
    for (int port = 0; port < self->port_count; port++) {
        struct iov_packet *copy;

        if (port == from || port == last)
            continue;
        copy = iov_packet_copy(self->pool, packet);
        port_send(self, port, exec, copy, 0);
    }
    if (last == NIC && from == NIC)
        iov_packet_free(packet); /* no port at all */
    else
        port_send(self, last, exec, packet, 0);
}

/* The stream owes `owed` from before; it is paid with the rest of the way. */
static void forward(IovBridge *self, int from, struct iov_exec *exec, struct iov_packet *packet,
                    iov_time owed)
{
    int to;

    owed += self->bridge_cost;
    self->forwarded++;
    if (packet->size < IOV_MAC_HEADER) {
        drop(self, packet);
        return;
    }
    if (from != NIC && self->anti_spoof &&
        !iov_mac_admit(&self->addresses, packet->data, from, address_of(self->ports[from]))) {
        charge(exec, owed);
        self->spoofed++;
        drop(self, packet);
        return;
    }
    iov_mac_learn(&self->addresses, packet->data, from);
    to = iov_mac_find(&self->addresses, packet->data);
    if (to != IOV_MAC_NOWHERE && to != from) {
        port_send(self, to, exec, packet, owed);
        return;
    }
    charge(exec, owed);
    if (to == from)
        drop(self, packet); /* its receiver is where it came from */
    else
        flood(self, from, exec, packet);
}

void iov_bridge_send(IovBridge *self, const struct iov_bridge_port *port, struct iov_exec *exec,
                     struct iov_packet *packet, iov_time owed)
{
    forward(self, port->number, exec, packet, owed);
}

/* ---- In ---- */

static void announce(struct rx_queue *queue)
{
    struct iov_processor *processor = iov_host_processor(queue->bridge->host, queue->cpu);

    if (queue->polling || queue->frames->first == NULL)
        return;
    queue->polling = true;
    queue->bridge->interrupts++;
    iov_host_nic_announced(&queue->bridge->nic, queue->frames);
    processor->ops->interrupt(processor, queue->vector, NULL);
}

/* LIMIT: a frame whose queue is full has taken its way through the slot. */
static void deal_out(IovBridge *self)
{
    struct iov_packet *packet;

    while ((packet = iov_packet_queue_pop(&self->nic.receive)) != NULL) {
        uint32_t hash = iov_flow_hash(packet->data, packet->size);
        struct rx_queue *queue = &self->queues[(uint64_t)hash * self->queue_count >> 32];

        if (queue->own.count >= self->queue_length)
            drop(self, packet);
        else
            iov_packet_queue_push(&queue->own, packet);
    }
}

static void nic_received(struct iov_host_nic *nic)
{
    IovBridge *self = iov_container_of(nic, IovBridge, nic);

    if (self->queue_count > 1)
        deal_out(self);
    for (unsigned i = 0; i < self->queue_count; i++)
        announce(&self->queues[i]);
}

static void irq_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    struct rx_queue *queue = iov_container_of(irq, struct rx_queue, irq);
    IovBridge *self = queue->bridge;

    (void)span;
    iov_span_mark(queue->frames->first != NULL ? queue->frames->first->span : NULL, &self->nic,
                  IOV_PART_HOST, now(self));
    if (self->domain_ref == NULL)
        iov_host_softirq_raise(exec, &queue->ksoftirqd.softirq);
    else
        iov_xen_event(iov_xen_domain_channels((IovXenDomain *)(void *)self->domain_ref), self->pirq,
                      exec, NULL);
}

/* The interrupt stays masked while frames wait. */
static bool receive(struct iov_ksoftirqd *ksoftirqd, struct iov_exec *exec)
{
    struct rx_queue *queue = iov_container_of(ksoftirqd, struct rx_queue, ksoftirqd);
    IovBridge *self = queue->bridge;
    unsigned merged = 0;

    for (unsigned i = 0; i < LINUX_NETDEV_BUDGET; i += 1 + merged) {
        struct iov_packet *packet = self->gro ? iov_host_nic_gro(&self->nic, queue->frames, &merged)
                                              : iov_packet_queue_pop(queue->frames);

        if (packet == NULL)
            break;
        iov_span_mark(packet->span, &self->nic, IOV_PART_QUEUE, now(self));
        iov_span_pass(packet->span, &self->nic, exec->holder);
        exec->span = packet->span;
        self->received_frames += 1 + merged;
        forward(self, NIC, exec, packet,
                (1 + merged) * self->receive_cost + merged * self->nic.gro);
    }
    exec->span = NULL;
    queue->polling = queue->frames->first != NULL;
    return queue->polling;
}

/* ---- In a domain of Xen, which takes the interrupt as an event ---- */

static void on_event(struct iov_xen_channel *channel, struct iov_thread *thread)
{
    IovBridge *self = channel->owner;

    iov_span_mark(self->nic.receive.first != NULL ? self->nic.receive.first->span : NULL,
                  &self->nic, IOV_PART_WAKEUP, now(self));
    iov_xen_domain_queue((IovXenDomain *)(void *)self->domain_ref, &self->work, &thread->exec,
                         NULL);
}

static void work_run(struct iov_xen_work *work, struct iov_thread *thread)
{
    iov_ksoftirqd_run(&iov_container_of(work, IovBridge, work)->queues[0].ksoftirqd, &thread->exec);
}

static bool domain_bind(IovBridge *self, GError **error)
{
    struct iov_xen_domain *channels;

    if (!iov_model_realize(self->domain_ref, error))
        return false;
    channels = iov_xen_domain_channels((IovXenDomain *)(void *)self->domain_ref);
    self->pirq = iov_xen_port_alloc(channels);
    if (self->pirq == 0)
        return iov_model_fail(&self->parent_instance, error, "domain: no event channel is left");
    channels->channels[self->pirq] = (struct iov_xen_channel){ .handle = on_event, .owner = self };
    self->work.run = work_run;
    return true;
}

/* ---- Life ---- */

static bool queue_init(IovBridge *self, unsigned index, GError **error)
{
    struct rx_queue *queue = &self->queues[index];

    queue->bridge = self;
    queue->cpu = (unsigned)(self->irq_cpus.count > 0 ? self->irq_cpus.items[index] : self->irq_cpu);
    queue->frames = self->queue_count > 1 ? &queue->own : &self->nic.receive;
    queue->irq.handle = irq_handle;
    iov_ksoftirqd_init(&queue->ksoftirqd, receive, &self->handovers);
    if (queue->cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(&self->parent_instance, error, "irq-cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    return iov_host_irq_alloc(self->host, queue->cpu, &queue->irq, &queue->vector) ||
           iov_model_fail(&self->parent_instance, error, "irq-cpu: no vector is left");
}

static bool iov_bridge_realize(IovModel *model, GError **error)
{
    IovBridge *self = (IovBridge *)(void *)model;

    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    if (!iov_model_realize(self->host_ref, error))
        return false;
    self->pool = iov_packet_pool_new();
    self->nic.ring = self->queue_length;
    self->nic.drops = &self->drops;
    self->nic.received = nic_received;
    iov_host_nic_init(&self->nic, model);
    if (self->irq_cpus.count > QUEUES || (self->irq_cpus.count > 1 && self->domain_ref != NULL))
        return iov_model_fail(model, error, "irq-cpus: at most %d, and one in a domain", QUEUES);
    self->queue_count = MAX((unsigned)self->irq_cpus.count, 1);
    for (unsigned i = 0; i < self->queue_count; i++) {
        if (!queue_init(self, i, error))
            return false;
    }
    return self->domain_ref == NULL || domain_bind(self, error);
}

static void iov_bridge_start(IovModel *model)
{
    IovBridge *self = (IovBridge *)(void *)model;

    for (unsigned i = 0; i < self->queue_count; i++) {
        struct rx_queue *queue = &self->queues[i];
        g_autofree char *name = self->queue_count == 1
                                    ? g_strdup_printf("%s/ksoftirqd", model->path)
                                    : g_strdup_printf("%s/ksoftirqd%u", model->path, i);

        iov_ksoftirqd_start(&queue->ksoftirqd, self->host, name, queue->cpu);
    }
}

static void iov_bridge_unrealize(IovModel *model)
{
    IovBridge *self = (IovBridge *)(void *)model;

    for (unsigned i = 0; i < self->queue_count; i++)
        iov_packet_queue_clear(&self->queues[i].own);
    iov_host_nic_clear(&self->nic);
}

static void iov_bridge_finalize(GObject *object)
{
    iov_packet_pool_unref(((IovBridge *)(void *)object)->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_bridge_parent_class)->finalize(object);
}

static void iov_bridge_class_init(IovBridgeClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "bridge", "Learning bridge of the host kernel with a NIC below");
    IOV_PROP_REF(mc, IovBridge, host_ref, "linux-host", true, "The host whose network stack it is");
    IOV_PROP_REF(mc, IovBridge, domain_ref, "xen-domain", false,
                 "Under Xen: the domain whose kernel it is in");
    IOV_PROP_COUNT(mc, IovBridge, irq_cpu, 0, 63, 0,
                   "Host processor that takes the physical NIC's interrupts");
    IOV_PROP_COUNT_LIST(
        mc, IovBridge, irq_cpus, 0, 63,
        "In place of it: one for each receive queue of the NIC, which spreads flows");
    IOV_PROP_COUNT(mc, IovBridge, queue_length, 1, 65536, 1000,
                   "Frames that the NIC holds each way");
    IOV_PROP_BOOL(mc, IovBridge, anti_spoof, true,
                  "A guest sends under the address of its device only");
    IOV_PROP_BOOL(mc, IovBridge, gro, true, "Received TCP segments that wait are put together");
    IOV_COST(mc, IovBridge, bridge_cost, "host-bridge", "One frame through the bridge");
    IOV_COST(mc, IovBridge, transmit_cost, "host-nic-transmit", "NIC driver, one frame out");
    IOV_COST(mc, IovBridge, receive_cost, "host-nic-receive", "NIC driver, one frame in");
    iov_host_nic_describe(mc, G_STRUCT_OFFSET(IovBridge, nic));
    IOV_STAT(mc, IovBridge, forwarded, "Frames looked up");
    IOV_STAT(mc, IovBridge, flooded, "Of them, sent to all other ports");
    IOV_STAT(mc, IovBridge, received_frames, "Frames from the wire");
    IOV_STAT(mc, IovBridge, interrupts, "Interrupts of the physical NIC");
    IOV_STAT(mc, IovBridge, handovers, "Softirqs that were too long: a thread went on");
    IOV_STAT(mc, IovBridge, drops, "Frames lost");
    IOV_STAT(mc, IovBridge, spoofed, "Of them, for a source that is not the guest\'s");
    mc->realize = iov_bridge_realize;
    mc->start = iov_bridge_start;
    mc->unrealize = iov_bridge_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_bridge_finalize;
}

static void iov_bridge_init(IovBridge *self)
{
    (void)self;
}
