/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vswitch - the virtual switch of a monolithic monitor, with the monitor's own driver of the
 * physical NIC (the uplink) below it.
 *
 * It does not flood to find somebody: it knows who is at its ports, and everybody else is behind
 * the uplink. The thread that sends pays for the switch and, to the uplink, for the driver: a
 * vCPU's thread in the middle of its exit. In: an interrupt of the NIC on processor irq-cpu wakes a
 * world of the monitor, which takes frames through driver and switch into the virtual NIC, until
 * there are no more. A frame from one guest for another waits for that world as well, so that no
 * vCPU works in another VM's device.
 * LIMIT: a port's address is learned from the first frame that it sends, where the real switch has
 * it from the VM's configuration; no VLANs, teaming or shaping.
 */
#include "models/hypervisor/vswitch.h"

struct _IovVswitch {
    IovSwitch parent_instance;
    /* properties */
    IovModel *host_ref;
    struct iov_count_list cpus;
    uint64_t irq_cpu;
    uint64_t queue_length;
    /* costs */
    iov_time switch_cost, receive_cost, interrupt_cost, world_cost;
    /* state */
    IovLinuxHost *host;
    struct iov_thread *world;
    struct iov_host_irq irq;
    uint8_t vector;
    struct iov_packet_queue inside[IOV_MAC_PORTS]; /* from guest to guest, by their target */
    uint32_t inside_count;
    int inside_next;
    bool polling; /* the interrupt is masked until the world has nothing left */
    /* statistics */
    uint64_t interrupts;
    iov_time world_time;
};

G_DEFINE_FINAL_TYPE(IovVswitch, iov_vswitch, IOV_TYPE_SWITCH)

static iov_time now(const IovVswitch *self)
{
    return iov_now(self->parent_instance.parent_instance.kernel);
}

IovLinuxHost *iov_vswitch_host(IovVswitch *self)
{
    return self->host;
}

/* ---- Out ---- */

/* The world itself delivers; anybody else leaves the frame to it. */
static void port_send(IovSwitch *parent, int port, struct iov_exec *exec, struct iov_packet *packet,
                      iov_time owed)
{
    IovVswitch *self = (IovVswitch *)(void *)parent;

    if (exec != NULL && owed > 0)
        iov_exec_compute(exec, owed, IOV_PART_HOST);
    if (exec == &self->world->exec) {
        parent->ports[port]->deliver(parent->ports[port], exec, packet, 0);
        return;
    }
    if (self->inside_count >= self->queue_length) {
        iov_switch_drop(parent, packet);
        return;
    }
    self->inside_count++;
    iov_span_claim(packet->span, self, IOV_PART_QUEUE, now(self));
    iov_packet_queue_push(&self->inside[port], packet);
    iov_thread_wake(exec, self->world, NULL);
}

void iov_vswitch_send(IovVswitch *self, const struct iov_switch_port *port,
                      struct iov_thread *thread, struct iov_packet *packet)
{
    iov_switch_forward(&self->parent_instance, port->number, thread != NULL ? &thread->exec : NULL,
                       packet, self->switch_cost);
}

/* ---- In ---- */

static void nic_received(struct iov_host_nic *nic)
{
    IovVswitch *self = iov_container_of(nic, IovVswitch, parent_instance.nic);
    struct iov_processor *processor = iov_host_processor(self->host, (unsigned)self->irq_cpu);

    if (self->polling)
        return;
    self->polling = true;
    self->interrupts++;
    iov_host_nic_announced(&self->parent_instance.nic, &self->parent_instance.nic.receive);
    processor->ops->interrupt(processor, self->vector, NULL);
}

static void irq_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovVswitch *self = iov_container_of(irq, IovVswitch, irq);
    struct iov_span *first = self->parent_instance.nic.receive.first != NULL
                                 ? self->parent_instance.nic.receive.first->span
                                 : NULL;
    struct iov_span *own = exec->span;

    (void)span;
    iov_span_mark(first, &self->parent_instance.nic, IOV_PART_HOST, now(self));
    iov_span_pass(first, &self->parent_instance.nic, exec->holder);
    exec->span = first;
    iov_exec_compute(exec, self->interrupt_cost, IOV_PART_HOST);
    exec->span = own;
    iov_thread_wake(exec, self->world, first);
}

/* One frame from the wire or from a guest; false if there is none. */
static bool take_frame(IovVswitch *self)
{
    struct iov_thread *thread = self->world;
    struct iov_packet *packet = iov_packet_queue_pop(&self->parent_instance.nic.receive);
    const void *holder = packet != NULL ? (const void *)&self->parent_instance.nic : self;
    int port = self->inside_next;

    if (packet == NULL && self->inside_count == 0)
        return false;
    while (packet == NULL && self->inside[port].first == NULL)
        port = (port + 1) % self->parent_instance.port_count;
    if (packet == NULL) {
        packet = iov_packet_queue_pop(&self->inside[port]);
        self->inside_count--;
        self->inside_next = (port + 1) % self->parent_instance.port_count;
    } else {
        self->parent_instance.received_frames++;
        port = IOV_SWITCH_NIC;
    }
    iov_span_mark(packet->span, holder, IOV_PART_QUEUE, now(self));
    iov_span_pass(packet->span, holder, thread->exec.holder);
    thread->exec.span = packet->span;
    if (port == IOV_SWITCH_NIC)
        iov_switch_forward(&self->parent_instance, IOV_SWITCH_NIC, &thread->exec, packet,
                           self->receive_cost + self->switch_cost);
    else
        port_send(&self->parent_instance, port, &thread->exec, packet, 0);
    thread->exec.span = NULL;
    return true;
}

static void world_main(void *argument)
{
    IovVswitch *self = argument;

    for (;;) {
        while (self->parent_instance.nic.receive.first == NULL && self->inside_count == 0) {
            self->polling = false;
            iov_thread_block(self->world);
        }
        self->polling = true;
        iov_thread_compute(self->world, self->world_cost, IOV_PART_HOST);
        while (take_frame(self))
            iov_thread_resched(self->world);
    }
}

/* ---- Life ---- */

static bool iov_vswitch_realize(IovModel *model, GError **error)
{
    IovVswitch *self = (IovVswitch *)(void *)model;

    self->host = (IovLinuxHost *)(void *)self->host_ref;
    self->parent_instance.nic.ring = self->queue_length;
    self->parent_instance.nic.received = nic_received;
    self->irq.handle = irq_handle;
    if (!IOV_MODEL_CLASS(iov_vswitch_parent_class)->realize(model, error) ||
        !iov_model_realize(self->host_ref, error) ||
        !iov_host_has(self->host, &self->cpus, model, "cpus", error))
        return false;
    if (self->irq_cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(model, error, "irq-cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    if (!iov_host_irq_alloc(self->host, (unsigned)self->irq_cpu, &self->irq, &self->vector))
        return iov_model_fail(model, error, "irq-cpu: no vector is left");
    return true;
}

static void iov_vswitch_start(IovModel *model)
{
    IovVswitch *self = (IovVswitch *)(void *)model;

    self->world = iov_thread_new(self->host, model->path, iov_host_mask(self->host, &self->cpus),
                                 world_main, self);
}

static void iov_vswitch_update_statistics(IovModel *model)
{
    IovVswitch *self = (IovVswitch *)(void *)model;

    if (self->world != NULL)
        self->world_time = iov_thread_cpu_time(self->world);
}

static void iov_vswitch_unrealize(IovModel *model)
{
    IovVswitch *self = (IovVswitch *)(void *)model;

    IOV_MODEL_CLASS(iov_vswitch_parent_class)->unrealize(model);
    for (int i = 0; i < self->parent_instance.port_count; i++)
        iov_packet_queue_clear(&self->inside[i]);
}

static void iov_vswitch_class_init(IovVswitchClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    IOV_SWITCH_CLASS(klass)->knows_stations = true;
    IOV_SWITCH_CLASS(klass)->port_send = port_send;

    iov_model_class_describe(mc, "vswitch",
                             "Virtual switch inside the monitor, with its own NIC driver below");
    IOV_PROP_REF(mc, IovVswitch, host_ref, "linux-host", true,
                 "The scheduler whose threads (worlds) it uses");
    IOV_PROP_COUNT_LIST(mc, IovVswitch, cpus, 0, 63, "Host processors of its world; none: any");
    IOV_PROP_COUNT(mc, IovVswitch, irq_cpu, 0, 63, 0,
                   "Host processor that takes the physical NIC's interrupts");
    IOV_PROP_COUNT(mc, IovVswitch, queue_length, 1, 65536, 1000,
                   "Frames that the NIC holds each way, and frames between guests");
    IOV_COST(mc, IovVswitch, switch_cost, "esxi-switch", "One frame through the vSwitch");
    IOV_COST(mc, IovVswitch, parent_instance.transmit_cost, "esxi-nic-transmit",
             "NIC driver, one frame out");
    IOV_COST(mc, IovVswitch, receive_cost, "esxi-nic-receive", "NIC driver, one frame in");
    IOV_COST(mc, IovVswitch, interrupt_cost, "esxi-nic-interrupt",
             "NIC driver, an interrupt up to waking the world");
    IOV_COST(mc, IovVswitch, world_cost, "esxi-world", "A turn of a monitor's world");
    IOV_STAT(mc, IovVswitch, interrupts, "Interrupts of the physical NIC");
    IOV_STAT_TIME(mc, IovVswitch, world_time, "CPU time of its world");
    mc->realize = iov_vswitch_realize;
    mc->start = iov_vswitch_start;
    mc->update_statistics = iov_vswitch_update_statistics;
    mc->unrealize = iov_vswitch_unrealize;
}

static void iov_vswitch_init(IovVswitch *self)
{
    (void)self;
}
