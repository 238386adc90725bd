/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap - the host's network path of a software back end: tap device, bridge, driver of the physical
 * NIC.
 *
 * Out: the thread that sends pays for the write, the bridge and the NIC driver; the NIC takes the
 * frame to the wire, one at a time. In: a frame from the wire is an interrupt on processor irq-cpu,
 * a softirq that goes through driver and bridge, and a wake-up of whoever reads the tap. While the
 * softirq has frames to do there is no further interrupt, as with NAPI. With `bridge` the tap is a
 * port of that one, which then has the NIC. LIMIT: no offloads, no netfilter, no
 * queueing discipline but first in, first out.
 */
#include "core/net/segment.h"
#include "core/trace/measure.h"
#include "models/hypervisor/bridge.h"
#include "models/hypervisor/host-nic.h"

enum { SENDER_PROCESS, SENDER_KERNEL };
static const char *const senders[] = { "process", "kernel", NULL };

#define IOV_TYPE_TAP (iov_tap_get_type())
G_DECLARE_FINAL_TYPE(IovTap, iov_tap, IOV, TAP, IovModel)

struct _IovTap {
    IovModel parent_instance;
    /* properties */
    IovModel *host_ref;
    IovModel *bridge_ref;
    uint64_t irq_cpu;
    uint64_t queue_length;
    int sender;
    bool vnet_header;
    /* costs */
    iov_time write_cost, sendmsg_cost, bridge_cost, transmit_cost, receive_cost, queue_cost,
        copy_fixed, copy_kib;
    /* ports */
    struct iov_packet_port guest;
    struct iov_host_nic nic; /* with its port */
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_bridge_port port;
    struct iov_host_irq irq;
    struct iov_host_softirq softirq;
    uint8_t vector;
    bool polling; /* the interrupt is masked: an interrupt or softirq is on its way */
    /* statistics */
    uint64_t received_frames, interrupts, drops;
};

G_DEFINE_FINAL_TYPE(IovTap, iov_tap, IOV_TYPE_MODEL)

static iov_time now(const IovTap *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* ---- Out ---- */

static iov_time guest_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovTap *self = iov_container_of(port, IovTap, guest);
    struct iov_thread *thread = iov_host_current(self->host);

    iov_time owed = self->sender == SENDER_KERNEL ? self->sendmsg_cost : self->write_cost;

    if (thread != NULL) {
        self->measure->counters.copies++;
        self->measure->counters.copied_bytes += packet->size;
        iov_thread_compute(thread, self->copy_fixed + self->copy_kib * packet->size / 1024,
                           IOV_PART_COPY);
    }
    if (self->bridge_ref != NULL) {
        self->nic.sent_frames++;
        iov_bridge_send((IovBridge *)(void *)self->bridge_ref, &self->port,
                        thread != NULL ? &thread->exec : NULL, packet, owed);
        return 0;
    }
    iov_time cutting;
    unsigned frames = iov_host_nic_frames(&self->nic, packet, &cutting);

    if (thread != NULL)
        iov_thread_compute(thread,
                           owed + self->bridge_cost + cutting + frames * self->transmit_cost,
                           IOV_PART_HOST);
    iov_host_nic_send(&self->nic, packet);
    return 0;
}

static const struct iov_packet_ops guest_ops = { .receive = guest_receive };

/* ---- In ---- */

/* The reader takes no large segments: the kernel cuts. */
static void deliver_cut(IovTap *self, struct iov_exec *exec, struct iov_packet *packet,
                        iov_time owed)
{
    struct iov_packet_queue pieces = { 0 };

    if (!iov_segment_cut(self->nic.pool, packet, &pieces)) {
        self->drops++;
        self->measure->counters.drops++;
    }
    self->nic.gso_segments += pieces.count;
    for (packet = iov_packet_queue_pop(&pieces); packet != NULL;
         packet = iov_packet_queue_pop(&pieces)) {
        if (exec != NULL)
            iov_exec_compute(exec, owed + self->nic.gso + self->queue_cost, IOV_PART_HOST);
        owed = 0;
        self->received_frames++;
        iov_packet_send(&self->guest, packet);
    }
}

/* From the bridge: the frame queues for the reader. */
static void port_deliver(struct iov_bridge_port *port, struct iov_exec *exec,
                         struct iov_packet *packet, iov_time owed)
{
    IovTap *self = iov_container_of(port, IovTap, port);

    if (packet->segment_size != 0 && !self->vnet_header) {
        deliver_cut(self, exec, packet, owed);
        return;
    }
    if (!self->vnet_header)
        iov_segment_sum(packet);
    if (exec != NULL)
        iov_exec_compute(exec, owed + self->queue_cost, IOV_PART_HOST);
    self->received_frames++;
    iov_packet_send(&self->guest, packet);
}

static void nic_received(struct iov_host_nic *nic)
{
    IovTap *self = iov_container_of(nic, IovTap, nic);
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
    IovTap *self = iov_container_of(irq, IovTap, irq);

    (void)span;
    iov_span_mark(self->nic.receive.first != NULL ? self->nic.receive.first->span : NULL,
                  &self->nic, IOV_PART_HOST, now(self));
    iov_host_softirq_raise(exec, &self->softirq);
}

static void softirq_run(struct iov_host_softirq *softirq, struct iov_exec *exec)
{
    IovTap *self = iov_container_of(softirq, IovTap, softirq);
    struct iov_packet *packet;

    while ((packet = iov_packet_queue_pop(&self->nic.receive)) != NULL) {
        iov_span_mark(packet->span, &self->nic, IOV_PART_QUEUE, now(self));
        iov_span_pass(packet->span, &self->nic, exec->holder);
        exec->span = packet->span;
        iov_exec_compute(exec, self->receive_cost + self->bridge_cost + self->queue_cost,
                         IOV_PART_HOST);
        self->received_frames++;
        iov_packet_send(&self->guest, packet);
    }
    exec->span = NULL;
    self->polling = false;
}

/* ---- Life ---- */

static bool iov_tap_realize(IovModel *model, GError **error)
{
    IovTap *self = (IovTap *)(void *)model;

    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    if (!iov_model_realize(self->host_ref, error))
        return false;
    if (self->irq_cpu >= iov_host_cpu_count(self->host))
        return iov_model_fail(model, error, "irq-cpu: the host has %u processors",
                              iov_host_cpu_count(self->host));
    if (self->bridge_ref != NULL) {
        self->port.deliver = port_deliver;
        if (!iov_model_realize(self->bridge_ref, error))
            return false;
        if (!iov_bridge_attach((IovBridge *)(void *)self->bridge_ref, &self->port))
            return iov_model_fail(model, error, "bridge: all ports of '%s' are taken",
                                  self->bridge_ref->path);
        self->nic.pool = iov_packet_pool_new();
        return true;
    }
    self->irq.handle = irq_handle;
    self->softirq.run = softirq_run;
    self->nic.ring = self->queue_length;
    self->nic.drops = &self->drops;
    self->nic.received = nic_received;
    iov_host_nic_init(&self->nic, model);
    if (!iov_host_irq_alloc(self->host, (unsigned)self->irq_cpu, &self->irq, &self->vector))
        return iov_model_fail(model, error, "irq-cpu: no vector is left");
    return true;
}

static void iov_tap_start(IovModel *model)
{
    IovTap *self = (IovTap *)(void *)model;

    self->port.has_address = iov_packet_station(&self->guest, self->port.address);
}

static void iov_tap_unrealize(IovModel *model)
{
    IovTap *self = (IovTap *)(void *)model;

    iov_host_nic_clear(&self->nic);
    iov_packet_pool_unref(self->nic.pool, model->kernel); /* of one that is a port of a bridge */
    self->nic.pool = NULL;
}

static void iov_tap_class_init(IovTapClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "tap",
                             "Host network path: tap, bridge, driver of the physical NIC");
    IOV_PROP_REF(mc, IovTap, host_ref, "linux-host", true, "The host whose network stack it is");
    IOV_PROP_REF(mc, IovTap, bridge_ref, "bridge", false,
                 "The bridge it is a port of; none: a bridge and a NIC of its own");
    IOV_PROP_COUNT(mc, IovTap, irq_cpu, 0, 63, 0,
                   "Host processor that takes the physical NIC's interrupts");
    IOV_PROP_COUNT(mc, IovTap, queue_length, 1, 65536, 1000, "Frames that each direction holds");
    IOV_PROP_ENUM(mc, IovTap, sender, senders, SENDER_PROCESS,
                  "Who sends: a process by a system call, or the kernel itself");
    IOV_PROP_BOOL(
        mc, IovTap, vnet_header, false,
        "Its reader takes large segments and open sums (virtio-net); else the kernel cuts "
        "and sums in front of it");
    IOV_COST(mc, IovTap, write_cost, "tap-write",
             "Writing one frame to the tap, copy and bridge apart");
    IOV_COST(mc, IovTap, sendmsg_cost, "tap-sendmsg",
             "The same from within the kernel: no system call");
    IOV_COST(mc, IovTap, bridge_cost, "host-bridge", "One frame through the bridge");
    IOV_COST(mc, IovTap, transmit_cost, "host-nic-transmit", "NIC driver, one frame out");
    IOV_COST(mc, IovTap, receive_cost, "host-nic-receive", "NIC driver, one frame in");
    IOV_COST(mc, IovTap, queue_cost, "tap-queue", "Putting one frame on the tap's queue");
    IOV_COST(mc, IovTap, copy_fixed, "copy-fixed", "A copy of payload: start");
    IOV_COST(mc, IovTap, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
    IOV_PORT_PACKET_END(mc, IovTap, guest, &guest_ops,
                        "The reader and writer of the tap: emulator.netdev");
    iov_host_nic_describe(mc, G_STRUCT_OFFSET(IovTap, nic));
    IOV_STAT(mc, IovTap, received_frames, "Frames from the wire");
    IOV_STAT(mc, IovTap, interrupts, "Interrupts of the physical NIC");
    IOV_STAT(mc, IovTap, drops, "Frames lost for want of room");
    mc->realize = iov_tap_realize;
    mc->start = iov_tap_start;
    mc->unrealize = iov_tap_unrealize;
}

static void iov_tap_init(IovTap *self)
{
    (void)self;
}
