/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap - a port of the host's bridge for a software back end.
 *
 * Out: the thread that sends pays for the write and its copy; the rest of the way is the bridge's.
 * In: a frame is queued for whoever reads the tap, and wakes it; if the reader takes no large
 * segments the kernel cuts in front of it. LIMIT: no queueing discipline but first in, first out.
 */
#include "core/net/segment.h"
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
    int sender;
    bool vnet_header;
    /* costs */
    iov_time write_cost, sendmsg_cost, queue_cost, copy_fixed, copy_kib, gso_cost;
    struct iov_packet_port guest; /* port */
    /* state */
    IovLinuxHost *host;
    struct iov_measure *measure;
    struct iov_switch_port port;
    struct iov_packet_pool *pool; /* of what is cut */
    /* statistics */
    uint64_t received_frames, sent_frames, gso_segments, drops;
};

G_DEFINE_FINAL_TYPE(IovTap, iov_tap, IOV_TYPE_MODEL)

/* ---- Out ---- */

static iov_time guest_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovTap *self = iov_container_of(port, IovTap, guest);
    struct iov_thread *thread = iov_host_current(self->host);

    iov_time owed = self->sender == SENDER_KERNEL ? self->sendmsg_cost : self->write_cost;

    if (thread != NULL) {
        iov_measure_copy(self->measure, packet->size);
        iov_thread_compute(thread, self->copy_fixed + self->copy_kib * packet->size / 1024,
                           IOV_PART_COPY);
    }
    self->sent_frames++;
    iov_bridge_send((IovBridge *)(void *)self->bridge_ref, &self->port,
                    thread != NULL ? &thread->exec : NULL, packet, owed);
    return 0;
}

static const struct iov_packet_ops guest_ops = { .receive = guest_receive };

/* ---- In ---- */

static void enqueue(IovTap *self, struct iov_packet *packet)
{
    self->received_frames++;
    packet->queued = true;
    iov_packet_send(&self->guest, packet);
}

/* The reader takes no large segments: the kernel cuts. */
static void deliver_cut(IovTap *self, struct iov_exec *exec, struct iov_packet *packet,
                        iov_time owed)
{
    struct iov_packet_queue pieces = { 0 };

    if (!iov_segment_cut(self->pool, packet, &pieces))
        iov_measure_drop(self->measure, &self->drops, NULL);
    self->gso_segments += pieces.count;
    for (packet = iov_packet_queue_pop(&pieces); packet != NULL;
         packet = iov_packet_queue_pop(&pieces)) {
        if (exec != NULL)
            iov_exec_compute(exec, owed + self->gso_cost + self->queue_cost, IOV_PART_HOST);
        owed = 0;
        enqueue(self, packet);
    }
}

/* From the bridge: the frame queues for the reader. */
static void port_deliver(struct iov_switch_port *port, struct iov_exec *exec,
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
    enqueue(self, packet);
}

/* ---- Life ---- */

static bool iov_tap_realize(IovModel *model, GError **error)
{
    IovTap *self = (IovTap *)(void *)model;

    self->measure = model->run->measure;
    self->host = (IovLinuxHost *)(void *)self->host_ref;
    self->pool = iov_packet_pool_new();
    self->port.deliver = port_deliver;
    if (!iov_model_realize(self->host_ref, error) || !iov_model_realize(self->bridge_ref, error))
        return false;
    if (!iov_switch_attach(IOV_SWITCH(self->bridge_ref), &self->port))
        return iov_model_fail(model, error, "bridge: all ports of '%s' are taken",
                              self->bridge_ref->path);
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

    iov_packet_pool_unref(self->pool, model->kernel);
    self->pool = NULL;
}

static void iov_tap_class_init(IovTapClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "tap", "A port of the host's bridge for a back end");
    IOV_PROP_REF(mc, IovTap, host_ref, "linux-host", true, "The host whose network stack it is");
    IOV_PROP_REF(mc, IovTap, bridge_ref, "bridge", true, "The bridge it is a port of");
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
    IOV_COST(mc, IovTap, queue_cost, "tap-queue", "Putting one frame on the tap's queue");
    IOV_COST(mc, IovTap, copy_fixed, "copy-fixed", "A copy of payload: start");
    IOV_COST(mc, IovTap, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
    IOV_COST(mc, IovTap, gso_cost, "host-gso", "Each segment that is cut for the reader");
    IOV_PORT_PACKET_END(mc, IovTap, guest, &guest_ops,
                        "The reader and writer of the tap: emulator.netdev");
    IOV_STAT(mc, IovTap, sent_frames, "Frames to the bridge");
    IOV_STAT(mc, IovTap, gso_segments, "Segments that the kernel cut for the reader (GSO)");
    IOV_STAT(mc, IovTap, received_frames, "Frames from the bridge");
    IOV_STAT(mc, IovTap, drops, "Large segments that could not be cut");
    mc->realize = iov_tap_realize;
    mc->start = iov_tap_start;
    mc->unrealize = iov_tap_unrealize;
}

static void iov_tap_init(IovTap *self)
{
    (void)self;
}
