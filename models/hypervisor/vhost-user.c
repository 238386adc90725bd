/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vhost-user - back end of virtio-net in a poll-mode switch process: a port of a poll-switch
 * (vhost.c has the rings). The switch's thread looks at the guest's transmit ring, so the guest
 * never kicks; interrupts are a write to an eventfd by system call. Both directions copy, since the
 * process sends from memory of its own.
 */
#include "models/hypervisor/poll-switch.h"

G_DECLARE_FINAL_TYPE(IovVhostUser, iov_vhost_user, IOV, VHOST_USER, IovVhost)

struct _IovVhostUser {
    IovVhost parent_instance;
    IovModel *switch_ref; /* property */
    struct iov_switch_port port;
};

G_DEFINE_FINAL_TYPE(IovVhostUser, iov_vhost_user, IOV_TYPE_VHOST)

static void vhost_user_send(IovVhost *vhost, struct iov_thread *thread, struct iov_packet *packet)
{
    IovVhostUser *self = (IovVhostUser *)(void *)vhost;

    iov_poll_switch_forward((IovPollSwitch *)(void *)self->switch_ref, self->port.number, thread,
                            packet);
}

/* What is owed has been paid: the switch pays for itself frame by frame. */
static void port_deliver(struct iov_switch_port *port, struct iov_exec *exec,
                         struct iov_packet *packet, iov_time owed)
{
    (void)owed;
    iov_vhost_receive(&iov_container_of(port, IovVhostUser, port)->parent_instance, packet, exec);
}

static bool iov_vhost_user_realize(IovModel *model, GError **error)
{
    IovVhostUser *self = (IovVhostUser *)(void *)model;
    IovVhost *vhost = IOV_VHOST(model);
    IovPollSwitch *place = (IovPollSwitch *)(void *)self->switch_ref;

    if (!iov_model_realize(self->switch_ref, error))
        return false;
    if (vhost->worker_ref == NULL)
        vhost->worker_ref = IOV_MODEL(iov_poll_switch_worker(place));
    self->port.deliver = port_deliver;
    if (!iov_switch_attach(IOV_SWITCH(place), &self->port))
        return iov_model_fail(model, error, "switch: all ports of '%s' are taken",
                              self->switch_ref->path);
    return IOV_MODEL_CLASS(iov_vhost_user_parent_class)->realize(model, error);
}

static void iov_vhost_user_start(IovModel *model)
{
    IovVhostUser *self = (IovVhostUser *)(void *)model;

    self->port.has_address = iov_packet_station(&self->parent_instance.frames, self->port.address);
}

static void iov_vhost_user_class_init(IovVhostUserClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "vhost-user", "Back end of virtio-net in a poll-mode switch");
    IOV_PROP_REF(mc, IovVhostUser, switch_ref, "poll-switch", true, "The switch it is a port of");
    iov_vhost_describe(mc, &(struct iov_vhost_cost_names){ .begin = "dpdk-burst",
                                                           .transmit = "dpdk-dequeue",
                                                           .receive = "dpdk-enqueue",
                                                           .call = "kvm-irqfd-write" });
    IOV_VHOST_CLASS(klass)->send = vhost_user_send;
    mc->realize = iov_vhost_user_realize;
    mc->start = iov_vhost_user_start;
}

static void iov_vhost_user_init(IovVhostUser *self)
{
    (void)self;
}
