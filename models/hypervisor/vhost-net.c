/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost-net - back end of virtio-net in the host kernel: a worker thread moves frames between the
 * guest's rings and a tap (vhost.c). The guest's kick wakes it from within the exit, its interrupts
 * go straight to the irqfd; nothing on the data path is a trip to user space.
 */
#include "models/hypervisor/vhost-private.h"

G_DECLARE_FINAL_TYPE(IovVhostNet, iov_vhost_net, IOV, VHOST_NET, IovVhost)

struct _IovVhostNet {
    IovVhost parent_instance;
};

G_DEFINE_FINAL_TYPE(IovVhostNet, iov_vhost_net, IOV_TYPE_VHOST)

static void vhost_net_send(IovVhost *vhost, struct iov_thread *thread, struct iov_packet *packet)
{
    (void)thread;
    iov_packet_send(&vhost->netdev, packet);
}

static void iov_vhost_net_class_init(IovVhostNetClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vhost-net", "Back end of virtio-net in the host kernel");
    iov_vhost_describe(mc, &(struct iov_vhost_cost_names){ .begin = "vhost-work",
                                                           .transmit = "vhost-transmit",
                                                           .receive = "vhost-receive",
                                                           .call = "vhost-signal" });
    IOV_PORT_PACKET_END(mc, IovVhost, netdev, NULL, "The tap");
    IOV_VHOST_CLASS(klass)->send = vhost_net_send;
}

static void iov_vhost_net_init(IovVhostNet *self)
{
    (void)self;
}
