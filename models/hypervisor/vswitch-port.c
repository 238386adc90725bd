/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vswitch-port - the place where a virtual NIC meets the vSwitch. It has no cost of its own; it is
 * a part so that a wire can name it, as it names a tap. A large segment for a guest is cut here.
 * LIMIT: that takes no time, and no guest is given large segments (LRO).
 */
#include "core/net/segment.h"
#include "models/hypervisor/vswitch.h"

G_DECLARE_FINAL_TYPE(IovVswitchPort, iov_vswitch_port, IOV, VSWITCH_PORT, IovModel)

struct _IovVswitchPort {
    IovModel parent_instance;
    /* properties */
    IovModel *vswitch_ref;
    /* ports */
    struct iov_packet_port guest;
    /* state */
    struct iov_switch_port port;
    struct iov_packet_pool *pool; /* of what is cut */
    /* statistics */
    uint64_t sent_frames, received_frames, drops;
};

G_DEFINE_FINAL_TYPE(IovVswitchPort, iov_vswitch_port, IOV_TYPE_MODEL)

static iov_time guest_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovVswitchPort *self = iov_container_of(port, IovVswitchPort, guest);
    IovVswitch *vswitch = (IovVswitch *)(void *)self->vswitch_ref;

    self->sent_frames++;
    iov_vswitch_send(vswitch, &self->port, iov_host_current(iov_vswitch_host(vswitch)), packet);
    return 0;
}

static const struct iov_packet_ops guest_ops = { .receive = guest_receive };

static void cut(IovVswitchPort *self, struct iov_packet *packet, struct iov_packet_queue *pieces)
{
    if (!iov_segment_cut(self->pool, packet, pieces))
        iov_measure_drop(self->parent_instance.run->measure, &self->drops, NULL);
}

/* On the world, which owes nothing here. */
static void deliver(struct iov_switch_port *port, struct iov_exec *exec, struct iov_packet *packet,
                    iov_time owed)
{
    IovVswitchPort *self = iov_container_of(port, IovVswitchPort, port);
    struct iov_packet_queue pieces = { 0 };

    (void)exec;
    (void)owed;
    if (packet->segment_size == 0)
        iov_packet_queue_push(&pieces, packet);
    else
        cut(self, packet, &pieces);
    while (pieces.first != NULL) {
        self->received_frames++;
        iov_packet_send(&self->guest, iov_packet_queue_pop(&pieces));
    }
}

static bool iov_vswitch_port_realize(IovModel *model, GError **error)
{
    IovVswitchPort *self = (IovVswitchPort *)(void *)model;

    self->port.deliver = deliver;
    self->pool = iov_packet_pool_new();
    if (!iov_model_realize(self->vswitch_ref, error))
        return false;
    if (!iov_switch_attach(IOV_SWITCH(self->vswitch_ref), &self->port))
        return iov_model_fail(model, error, "vswitch: all ports of '%s' are taken",
                              self->vswitch_ref->path);
    return true;
}

static void iov_vswitch_port_start(IovModel *model)
{
    IovVswitchPort *self = (IovVswitchPort *)(void *)model;

    self->port.has_address = iov_packet_station(&self->guest, self->port.address);
}

static void iov_vswitch_port_unrealize(IovModel *model)
{
    IovVswitchPort *self = (IovVswitchPort *)(void *)model;

    iov_packet_pool_unref(self->pool, model->kernel);
    self->pool = NULL;
}

static void iov_vswitch_port_class_init(IovVswitchPortClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vswitch-port", "A virtual NIC's place at the vSwitch");
    IOV_PROP_REF(mc, IovVswitchPort, vswitch_ref, "vswitch", true, "The switch it belongs to");
    IOV_PORT_PACKET_END(mc, IovVswitchPort, guest, &guest_ops, "The virtual NIC's back end");
    IOV_STAT(mc, IovVswitchPort, sent_frames, "Frames into the switch");
    IOV_STAT(mc, IovVswitchPort, received_frames, "Frames out of it");
    IOV_STAT(mc, IovVswitchPort, drops, "Large segments that could not be cut");
    mc->realize = iov_vswitch_port_realize;
    mc->start = iov_vswitch_port_start;
    mc->unrealize = iov_vswitch_port_unrealize;
}

static void iov_vswitch_port_init(IovVswitchPort *self)
{
    (void)self;
}
