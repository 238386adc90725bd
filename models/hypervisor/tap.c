/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap - the host's network path of a software back end: tap device, bridge, driver of the physical
 * NIC.
 *
 * Out: the thread that sends pays for the write, the bridge and the NIC driver; the NIC takes the
 * frame to the wire, one at a time. In: a frame from the wire is an interrupt on processor irq-cpu,
 * a softirq that goes through driver and bridge, and a wake-up of whoever reads the tap. While the
 * softirq has frames to do there is no further interrupt, as with NAPI. With `bridge` the tap is a
 * port of that one, which then has the NIC. LIMIT: the physical NIC is
 * a latency each way, not a device; no offloads, no netfilter, no queueing discipline but first in,
 * first out.
 */
#include "core/trace/measure.h"
#include "models/hypervisor/bridge.h"

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
    /* costs */
    iov_time write_cost, sendmsg_cost, bridge_cost, transmit_cost, receive_cost, queue_cost,
        nic_latency, copy_fixed, copy_kib;
    /* ports */
    struct iov_packet_port guest;
    struct iov_packet_port wire;
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_bridge_port port;
    struct iov_host_irq irq;
    struct iov_host_softirq softirq;
    uint8_t vector;
    struct iov_packet_queue transmit; /* in the NIC's ring */
    struct iov_packet_queue
        arriving; /* on their way through the NIC, stamp: when they are in memory */
    struct iov_packet_queue receive; /* in memory, for the softirq */
    struct iov_event sent;
    struct iov_event arrived;
    iov_time busy_until; /* the wire takes the next frame */
    bool polling;        /* the interrupt is masked: an interrupt or softirq is on its way */
    /* statistics */
    uint64_t sent_frames, received_frames, interrupts, drops;
};

G_DEFINE_FINAL_TYPE(IovTap, iov_tap, IOV_TYPE_MODEL)

static iov_time now(const IovTap *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* ---- Out ---- */

static void on_sent(struct iov_event *event)
{
    IovTap *self = iov_container_of(event, IovTap, sent);
    struct iov_packet *packet = iov_packet_queue_pop(&self->transmit);

    iov_span_mark(packet->span, self, IOV_PART_DEVICE, packet->stamp);
    iov_span_mark(packet->span, self, IOV_PART_QUEUE, now(self));
    self->sent_frames++;
    self->busy_until = now(self) + iov_packet_send(&self->wire, packet);
    if (self->transmit.first != NULL)
        iov_event_at(&self->sent, MAX(self->busy_until, self->transmit.first->stamp));
}

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
        self->sent_frames++;
        iov_bridge_send((IovBridge *)(void *)self->bridge_ref, &self->port,
                        thread != NULL ? &thread->exec : NULL, packet, owed);
        return 0;
    }
    if (thread != NULL)
        iov_thread_compute(thread, owed + self->bridge_cost + self->transmit_cost, IOV_PART_HOST);
    if (self->transmit.count >= self->queue_length) {
        self->drops++;
        self->measure->counters.drops++;
        iov_packet_free(packet);
        return 0;
    }
    iov_span_claim(packet->span, self, IOV_PART_HOST, now(self));
    packet->stamp = now(self) + self->nic_latency;
    iov_packet_queue_push(&self->transmit, packet);
    if (!iov_event_armed(&self->sent))
        iov_event_at(&self->sent, MAX(self->busy_until, packet->stamp));
    return 0;
}

static const struct iov_packet_ops guest_ops = { .receive = guest_receive };

/* ---- In ---- */

/* From the bridge: the frame queues for the reader. */
static void port_deliver(struct iov_bridge_port *port, struct iov_exec *exec,
                         struct iov_packet *packet, iov_time owed)
{
    IovTap *self = iov_container_of(port, IovTap, port);

    if (exec != NULL)
        iov_exec_compute(exec, owed + self->queue_cost, IOV_PART_HOST);
    self->received_frames++;
    iov_packet_send(&self->guest, packet);
}

static void on_arrived(struct iov_event *event)
{
    IovTap *self = iov_container_of(event, IovTap, arrived);
    struct iov_processor *processor = iov_host_processor(self->host, (unsigned)self->irq_cpu);

    while (self->arriving.first != NULL && self->arriving.first->stamp <= now(self)) {
        struct iov_packet *packet = iov_packet_queue_pop(&self->arriving);

        iov_span_mark(packet->span, self, IOV_PART_DEVICE, now(self));
        iov_packet_queue_push(&self->receive, packet);
    }
    if (self->arriving.first != NULL)
        iov_event_at(&self->arrived, self->arriving.first->stamp);
    if (self->polling)
        return;
    self->polling = true;
    self->interrupts++;
    processor->ops->interrupt(processor, self->vector, NULL);
}

static iov_time wire_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovTap *self = iov_container_of(port, IovTap, wire);

    if (self->arriving.count + self->receive.count >= self->queue_length) {
        self->drops++;
        self->measure->counters.drops++;
        iov_packet_free(packet);
        return 0;
    }
    iov_span_claim(packet->span, self, IOV_PART_WIRE, now(self));
    packet->stamp = now(self) + self->nic_latency;
    iov_packet_queue_push(&self->arriving, packet);
    if (!iov_event_armed(&self->arrived))
        iov_event_at(&self->arrived, packet->stamp);
    return 0;
}

static const struct iov_packet_ops wire_ops = { .receive = wire_receive };

static void irq_handle(struct iov_host_irq *irq, struct iov_exec *exec, struct iov_span *span)
{
    IovTap *self = iov_container_of(irq, IovTap, irq);

    (void)span;
    iov_span_mark(self->receive.first != NULL ? self->receive.first->span : NULL, self,
                  IOV_PART_HOST, now(self));
    iov_host_softirq_raise(exec, &self->softirq);
}

static void softirq_run(struct iov_host_softirq *softirq, struct iov_exec *exec)
{
    IovTap *self = iov_container_of(softirq, IovTap, softirq);
    struct iov_packet *packet;

    while ((packet = iov_packet_queue_pop(&self->receive)) != NULL) {
        iov_span_mark(packet->span, self, IOV_PART_QUEUE, now(self));
        iov_span_pass(packet->span, self, exec->holder);
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
        return true;
    }
    self->irq.handle = irq_handle;
    self->softirq.run = softirq_run;
    iov_event_init(&self->sent, model->kernel, on_sent, IOV_PRIORITY_DEFAULT);
    iov_event_init(&self->arrived, model->kernel, on_arrived, IOV_PRIORITY_DEFAULT);
    if (!iov_host_irq_alloc(self->host, (unsigned)self->irq_cpu, &self->irq, &self->vector))
        return iov_model_fail(model, error, "irq-cpu: no vector is left");
    return true;
}

static void iov_tap_unrealize(IovModel *model)
{
    IovTap *self = (IovTap *)(void *)model;
    struct iov_packet_queue *queues[] = { &self->transmit, &self->arriving, &self->receive };

    if (self->sent.kernel != NULL) {
        iov_event_disarm(&self->sent);
        iov_event_disarm(&self->arrived);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(queues); i++) {
        struct iov_packet *packet;

        while ((packet = iov_packet_queue_pop(queues[i])) != NULL)
            iov_packet_free(packet);
    }
}

static void iov_tap_class_init(IovTapClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "tap",
                             "Host network path: tap, bridge, driver of the physical NIC");
    iov_model_class_add_property(
        mc, &(struct iov_property){ .name = "host",
                                    .type = IOV_VALUE_REF,
                                    .required = true,
                                    .offset = G_STRUCT_OFFSET(IovTap, host_ref),
                                    .width = sizeof(void *),
                                    .kind = "linux-host",
                                    .text = "The host whose network stack it is" });
    iov_model_class_add_property(
        mc, &(struct iov_property){
                .name = "bridge",
                .type = IOV_VALUE_REF,
                .offset = G_STRUCT_OFFSET(IovTap, bridge_ref),
                .width = sizeof(void *),
                .kind = "bridge",
                .text = "The bridge it is a port of; none: a bridge and a NIC of its own" });
    IOV_PROP_COUNT(mc, IovTap, irq_cpu, 0, 63, 0,
                   "Host processor that takes the physical NIC's interrupts");
    IOV_PROP_COUNT(mc, IovTap, queue_length, 1, 65536, 1000, "Frames that each direction holds");
    IOV_PROP_ENUM(mc, IovTap, sender, senders, SENDER_PROCESS,
                  "Who sends: a process by a system call, or the kernel itself");
    IOV_COST(mc, IovTap, write_cost, "tap-write",
             "Writing one frame to the tap, copy and bridge apart");
    IOV_COST(mc, IovTap, sendmsg_cost, "tap-sendmsg",
             "The same from within the kernel: no system call");
    IOV_COST(mc, IovTap, bridge_cost, "host-bridge", "One frame through the bridge");
    IOV_COST(mc, IovTap, transmit_cost, "host-nic-transmit", "NIC driver, one frame out");
    IOV_COST(mc, IovTap, receive_cost, "host-nic-receive", "NIC driver, one frame in");
    IOV_COST(mc, IovTap, queue_cost, "tap-queue", "Putting one frame on the tap's queue");
    IOV_COST(mc, IovTap, nic_latency, "host-nic-latency", "The physical NIC, one frame, one way");
    IOV_COST(mc, IovTap, copy_fixed, "copy-fixed", "A copy of payload: start");
    IOV_COST(mc, IovTap, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
    IOV_PORT_PACKET_END(mc, IovTap, guest, &guest_ops,
                        "The reader and writer of the tap: emulator.netdev");
    IOV_PORT_PACKET_END(mc, IovTap, wire, &wire_ops, "The physical NIC's wire");
    IOV_STAT(mc, IovTap, sent_frames, "Frames to the wire");
    IOV_STAT(mc, IovTap, received_frames, "Frames from the wire");
    IOV_STAT(mc, IovTap, interrupts, "Interrupts of the physical NIC");
    IOV_STAT(mc, IovTap, drops, "Frames lost for want of room");
    mc->realize = iov_tap_realize;
    mc->unrealize = iov_tap_unrealize;
}

static void iov_tap_init(IovTap *self)
{
    (void)self;
}
