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

#include "core/trace/measure.h"
#include "models/hypervisor/host-nic.h"
#include "models/hypervisor/mac-table.h"

#define PORTS IOV_MAC_PORTS
#define UPLINK (-1)

struct _IovVswitch {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    struct iov_count_list cpus;
    uint64_t irq_cpu;
    uint64_t queue_length;
    bool anti_spoof;
    /* costs */
    iov_time switch_cost, transmit_cost, receive_cost, interrupt_cost, world_cost;
    struct iov_host_nic nic; /* with its port */
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_thread *world;
    struct iov_vswitch_port *ports[PORTS];
    int port_count;
    struct iov_mac_table addresses; /* of the ports */
    struct iov_packet_pool *pool;   /* of copies */
    struct iov_host_irq irq;
    uint8_t vector;
    struct iov_packet_queue inside[PORTS]; /* from guest to guest, by their target */
    uint32_t inside_count;
    int inside_next;
    bool polling; /* the interrupt is masked until the world has nothing left */
    /* statistics */
    uint64_t forwarded, flooded, received_frames, interrupts, drops, spoofed;
    iov_time world_time;
};

G_DEFINE_FINAL_TYPE(IovVswitch, iov_vswitch, IOV_TYPE_MODEL)

static iov_time now(const IovVswitch *self)
{
    return iov_now(self->parent_instance.kernel);
}

bool iov_vswitch_attach(IovVswitch *self, struct iov_vswitch_port *port)
{
    if (self->port_count == PORTS)
        return false;
    port->number = self->port_count;
    self->ports[self->port_count++] = port;
    return true;
}

IovLinuxHost *iov_vswitch_host(IovVswitch *self)
{
    return self->host;
}

static const uint8_t *address_of(const struct iov_vswitch_port *port)
{
    return port->has_address ? port->address : NULL;
}

static void drop(IovVswitch *self, struct iov_packet *packet)
{
    iov_measure_drop(self->measure, &self->drops, packet);
}

static void charge(struct iov_thread *thread, iov_time cost)
{
    if (thread != NULL)
        iov_thread_compute(thread, cost, IOV_PART_HOST);
}

/* ---- Out ---- */

static void uplink_send(IovVswitch *self, struct iov_thread *thread, struct iov_packet *packet,
                        iov_time owed)
{
    iov_time cutting;
    unsigned frames = iov_host_nic_frames(&self->nic, packet, &cutting);

    charge(thread, owed + cutting + frames * self->transmit_cost);
    iov_host_nic_send(&self->nic, packet);
}

/* The world itself delivers; anybody else leaves the frame to it. */
static void port_send(IovVswitch *self, int port, struct iov_thread *thread,
                      struct iov_packet *packet, iov_time owed)
{
    charge(thread, owed);
    if (thread != NULL && thread == self->world) {
        self->ports[port]->deliver(self->ports[port], packet);
        return;
    }
    if (self->inside_count >= self->queue_length) {
        drop(self, packet);
        return;
    }
    self->inside_count++;
    iov_span_claim(packet->span, self, IOV_PART_QUEUE, now(self));
    iov_packet_queue_push(&self->inside[port], packet);
    iov_thread_wake(thread != NULL ? &thread->exec : NULL, self->world, NULL);
}

/* A group address: to all other ports and the uplink; the last gets the frame itself, with its
 * request. */
static void flood(IovVswitch *self, int from, struct iov_thread *thread, struct iov_packet *packet,
                  iov_time owed)
{
    int last = from == UPLINK ? self->port_count - 1 : UPLINK;

    self->flooded++;
    charge(thread, owed);
    for (int port = 0; port < self->port_count; port++) {
        struct iov_packet *copy;

        if (port == from || port == last)
            continue;
        copy = iov_packet_copy(self->pool, packet);
        port_send(self, port, thread, copy, 0);
    }
    if (last != UPLINK)
        port_send(self, last, thread, packet, 0);
    else if (from != UPLINK)
        uplink_send(self, thread, packet, 0);
    else
        drop(self, packet); /* no port at all */
}

static void forward(IovVswitch *self, int from, struct iov_thread *thread,
                    struct iov_packet *packet, iov_time owed)
{
    int to;

    owed += self->switch_cost;
    self->forwarded++;
    if (packet->size < IOV_MAC_HEADER) {
        drop(self, packet);
        return;
    }
    if (from != UPLINK && self->anti_spoof &&
        !iov_mac_admit(&self->addresses, packet->data, from, address_of(self->ports[from]))) {
        charge(thread, owed);
        self->spoofed++;
        drop(self, packet);
        return;
    }
    if (from != UPLINK)
        iov_mac_learn(&self->addresses, packet->data, from);
    if (packet->data[0] & 1) {
        flood(self, from, thread, packet, owed);
        return;
    }
    to = iov_mac_find(&self->addresses, packet->data);
    if (to == IOV_MAC_NOWHERE)
        to = UPLINK;
    if (to != from && to == UPLINK) {
        uplink_send(self, thread, packet, owed);
    } else if (to != from) {
        port_send(self, to, thread, packet, owed);
    } else {
        charge(thread, owed);
        drop(self, packet); /* for nobody here, or for its own sender */
    }
}

void iov_vswitch_send(IovVswitch *self, const struct iov_vswitch_port *port,
                      struct iov_thread *thread, struct iov_packet *packet)
{
    forward(self, port->number, thread, packet, 0);
}

/* ---- In ---- */

static void nic_received(struct iov_host_nic *nic)
{
    IovVswitch *self = iov_container_of(nic, IovVswitch, nic);
    struct iov_processor *processor = iov_host_processor(self->host, (unsigned)self->irq_cpu);

    if (self->polling)
        return;
    self->polling = true;
    self->interrupts++;
    iov_host_nic_announced(&self->nic, &self->nic.receive);
    processor->ops->interrupt(processor, self->vector, NULL);
}

static void irq_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovVswitch *self = iov_container_of(irq, IovVswitch, irq);
    struct iov_span *first = self->nic.receive.first != NULL ? self->nic.receive.first->span : NULL;
    struct iov_span *own = exec->span;

    (void)span;
    iov_span_mark(first, &self->nic, IOV_PART_HOST, now(self));
    iov_span_pass(first, &self->nic, exec->holder);
    exec->span = first;
    iov_exec_compute(exec, self->interrupt_cost, IOV_PART_HOST);
    exec->span = own;
    iov_thread_wake(exec, self->world, first);
}

/* One frame from the wire or from a guest; false if there is none. */
static bool take_frame(IovVswitch *self)
{
    struct iov_thread *thread = self->world;
    struct iov_packet *packet = iov_packet_queue_pop(&self->nic.receive);
    const void *holder = packet != NULL ? (const void *)&self->nic : self;
    int port = self->inside_next;

    if (packet == NULL && self->inside_count == 0)
        return false;
    while (packet == NULL && self->inside[port].first == NULL)
        port = (port + 1) % self->port_count;
    if (packet == NULL) {
        packet = iov_packet_queue_pop(&self->inside[port]);
        self->inside_count--;
        self->inside_next = (port + 1) % self->port_count;
    } else {
        self->received_frames++;
        port = UPLINK;
    }
    iov_span_mark(packet->span, holder, IOV_PART_QUEUE, now(self));
    iov_span_pass(packet->span, holder, thread->exec.holder);
    thread->exec.span = packet->span;
    if (port == UPLINK)
        forward(self, UPLINK, thread, packet, self->receive_cost);
    else
        self->ports[port]->deliver(self->ports[port], packet);
    thread->exec.span = NULL;
    return true;
}

static void world_main(void *argument)
{
    IovVswitch *self = argument;

    for (;;) {
        while (self->nic.receive.first == NULL && self->inside_count == 0) {
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

    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    self->nic.ring = self->queue_length;
    self->nic.drops = &self->drops;
    self->nic.received = nic_received;
    iov_host_nic_init(&self->nic, model);
    self->pool = iov_packet_pool_new();
    self->irq.handle = irq_handle;
    if (!iov_model_realize(self->host_ref, error) ||
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

    iov_host_nic_clear(&self->nic);
    for (int i = 0; i < self->port_count; i++)
        iov_packet_queue_clear(&self->inside[i]);
}

static void iov_vswitch_finalize(GObject *object)
{
    iov_packet_pool_unref(((IovVswitch *)(void *)object)->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_vswitch_parent_class)->finalize(object);
}

static void iov_vswitch_class_init(IovVswitchClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vswitch",
                             "Virtual switch inside the monitor, with its own NIC driver below");
    IOV_PROP_REF(mc, IovVswitch, host_ref, "linux-host", true,
                 "The scheduler whose threads (worlds) it uses");
    IOV_PROP_COUNT_LIST(mc, IovVswitch, cpus, 0, 63, "Host processors of its world; none: any");
    IOV_PROP_COUNT(mc, IovVswitch, irq_cpu, 0, 63, 0,
                   "Host processor that takes the physical NIC's interrupts");
    IOV_PROP_COUNT(mc, IovVswitch, queue_length, 1, 65536, 1000,
                   "Frames that the NIC holds each way, and frames between guests");
    IOV_PROP_BOOL(mc, IovVswitch, anti_spoof, true,
                  "A guest sends under the address of its device only");
    IOV_COST(mc, IovVswitch, switch_cost, "esxi-switch", "One frame through the vSwitch");
    IOV_COST(mc, IovVswitch, transmit_cost, "esxi-nic-transmit", "NIC driver, one frame out");
    IOV_COST(mc, IovVswitch, receive_cost, "esxi-nic-receive", "NIC driver, one frame in");
    IOV_COST(mc, IovVswitch, interrupt_cost, "esxi-nic-interrupt",
             "NIC driver, an interrupt up to waking the world");
    IOV_COST(mc, IovVswitch, world_cost, "esxi-world", "A turn of a monitor's world");
    iov_host_nic_describe(mc, G_STRUCT_OFFSET(IovVswitch, nic));
    IOV_STAT(mc, IovVswitch, forwarded, "Frames looked up");
    IOV_STAT(mc, IovVswitch, flooded, "Of them, sent to all other ports");
    IOV_STAT(mc, IovVswitch, received_frames, "Frames from the wire");
    IOV_STAT(mc, IovVswitch, interrupts, "Interrupts of the physical NIC");
    IOV_STAT(mc, IovVswitch, drops, "Frames lost");
    IOV_STAT(mc, IovVswitch, spoofed, "Of them, for a source that is not the guest\'s");
    IOV_STAT_TIME(mc, IovVswitch, world_time, "CPU time of its world");
    mc->realize = iov_vswitch_realize;
    mc->start = iov_vswitch_start;
    mc->update_statistics = iov_vswitch_update_statistics;
    mc->unrealize = iov_vswitch_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_vswitch_finalize;
}

static void iov_vswitch_init(IovVswitch *self)
{
    (void)self;
}
