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
#include "models/hypervisor/ksoftirqd.h"
#include "models/hypervisor/xen.h"

#define QUEUES 16

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
    IovSwitch parent_instance;
    /* properties */
    IovModel *host_ref;
    IovModel *domain_ref;
    uint64_t irq_cpu;
    struct iov_count_list irq_cpus;
    uint64_t queue_length;
    bool gro;
    /* costs */
    iov_time bridge_cost, receive_cost;
    /* state */
    IovLinuxHost *host;
    struct rx_queue queues[QUEUES];
    unsigned queue_count;
    struct iov_xen_work work; /* the softirq's, in a domain */
    unsigned pirq;            /* the domain's event channel of the interrupt */
    /* statistics */
    uint64_t interrupts, handovers;
};

G_DEFINE_FINAL_TYPE(IovBridge, iov_bridge, IOV_TYPE_SWITCH)

static iov_time now(const IovBridge *self)
{
    return iov_now(self->parent_instance.parent_instance.kernel);
}

void iov_bridge_send(IovBridge *self, const struct iov_switch_port *port, struct iov_exec *exec,
                     struct iov_packet *packet, iov_time owed)
{
    iov_switch_forward(&self->parent_instance, port->number, exec, packet,
                       owed + self->bridge_cost);
}

bool iov_bridge_is_domains(const IovBridge *self)
{
    return self->domain_ref != NULL;
}

/* ---- In ---- */

static void announce(struct rx_queue *queue)
{
    struct iov_processor *processor = iov_host_processor(queue->bridge->host, queue->cpu);

    if (queue->polling || queue->frames->first == NULL)
        return;
    queue->polling = true;
    queue->bridge->interrupts++;
    iov_host_nic_announced(&queue->bridge->parent_instance.nic, queue->frames);
    processor->ops->interrupt(processor, queue->vector, NULL);
}

/* LIMIT: a frame whose queue is full has taken its way through the slot. */
static void deal_out(IovBridge *self)
{
    struct iov_packet *packet;

    while ((packet = iov_packet_queue_pop(&self->parent_instance.nic.receive)) != NULL) {
        uint32_t hash = iov_flow_hash(packet->data, packet->size);
        struct rx_queue *queue = &self->queues[(uint64_t)hash * self->queue_count >> 32];

        if (queue->own.count >= self->queue_length)
            iov_switch_drop(&self->parent_instance, packet);
        else
            iov_packet_queue_push(&queue->own, packet);
    }
}

static void nic_received(struct iov_host_nic *nic)
{
    IovBridge *self = iov_container_of(nic, IovBridge, parent_instance.nic);

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
    iov_span_mark(queue->frames->first != NULL ? queue->frames->first->span : NULL,
                  &self->parent_instance.nic, IOV_PART_HOST, now(self));
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
        struct iov_packet *packet =
            self->gro ? iov_host_nic_gro(&self->parent_instance.nic, queue->frames, &merged)
                      : iov_packet_queue_pop(queue->frames);

        if (packet == NULL)
            break;
        iov_span_mark(packet->span, &self->parent_instance.nic, IOV_PART_QUEUE, now(self));
        iov_span_pass(packet->span, &self->parent_instance.nic, exec->holder);
        exec->span = packet->span;
        self->parent_instance.received_frames += 1 + merged;
        iov_switch_forward(&self->parent_instance, IOV_SWITCH_NIC, exec, packet,
                           self->bridge_cost + (1 + merged) * self->receive_cost +
                               merged * self->parent_instance.nic.gro);
    }
    exec->span = NULL;
    queue->polling = queue->frames->first != NULL;
    return queue->polling;
}

/* ---- In a domain of Xen, which takes the interrupt as an event ---- */

static void on_event(struct iov_xen_channel *channel, struct iov_thread *thread)
{
    IovBridge *self = channel->owner;

    iov_span_mark(self->parent_instance.nic.receive.first != NULL
                      ? self->parent_instance.nic.receive.first->span
                      : NULL,
                  &self->parent_instance.nic, IOV_PART_WAKEUP, now(self));
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
        return iov_model_fail(IOV_MODEL(self), error, "domain: no event channel is left");
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
    queue->frames = self->queue_count > 1 ? &queue->own : &self->parent_instance.nic.receive;
    queue->irq.handle = irq_handle;
    iov_ksoftirqd_init(&queue->ksoftirqd, receive, &self->handovers);
    if (queue->cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(IOV_MODEL(self), error, "irq-cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    return iov_host_irq_alloc(self->host, queue->cpu, &queue->irq, &queue->vector) ||
           iov_model_fail(IOV_MODEL(self), error, "irq-cpu: no vector is left");
}

static bool iov_bridge_realize(IovModel *model, GError **error)
{
    IovBridge *self = (IovBridge *)(void *)model;

    self->host = (IovLinuxHost *)(void *)self->host_ref;
    if (!iov_model_realize(self->host_ref, error))
        return false;
    self->parent_instance.nic.ring = self->queue_length;
    self->parent_instance.nic.received = nic_received;
    if (!IOV_MODEL_CLASS(iov_bridge_parent_class)->realize(model, error))
        return false;
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
    IOV_MODEL_CLASS(iov_bridge_parent_class)->unrealize(model);
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
    IOV_PROP_BOOL(mc, IovBridge, gro, true, "Received TCP segments that wait are put together");
    IOV_COST(mc, IovBridge, bridge_cost, "host-bridge", "One frame through the bridge");
    IOV_COST(mc, IovBridge, parent_instance.transmit_cost, "host-nic-transmit",
             "NIC driver, one frame out");
    IOV_COST(mc, IovBridge, receive_cost, "host-nic-receive", "NIC driver, one frame in");
    IOV_STAT(mc, IovBridge, interrupts, "Interrupts of the physical NIC");
    IOV_STAT(mc, IovBridge, handovers, "Softirqs that were too long: a thread went on");
    mc->realize = iov_bridge_realize;
    mc->start = iov_bridge_start;
    mc->unrealize = iov_bridge_unrealize;
}

static void iov_bridge_init(IovBridge *self)
{
    (void)self;
}
