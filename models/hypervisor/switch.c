/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent of the switches, see switch.h. LIMIT: no ageing, no VLANs; a bounded table of
 * addresses.
 */
#include "models/hypervisor/switch.h"

G_DEFINE_ABSTRACT_TYPE(IovSwitch, iov_switch, IOV_TYPE_MODEL)

bool iov_switch_attach(IovSwitch *self, struct iov_switch_port *port)
{
    if (self->port_count == IOV_MAC_PORTS)
        return false;
    port->number = self->port_count;
    self->ports[self->port_count++] = port;
    return true;
}

void iov_switch_drop(IovSwitch *self, struct iov_packet *packet)
{
    iov_measure_drop(self->parent_instance.run->measure, &self->drops, packet);
}

static void charge(struct iov_exec *exec, iov_time cost)
{
    if (exec != NULL && cost > 0)
        iov_exec_compute(exec, cost, IOV_PART_HOST);
}

static void port_deliver(IovSwitch *self, int port, struct iov_exec *exec,
                         struct iov_packet *packet, iov_time owed)
{
    self->ports[port]->deliver(self->ports[port], exec, packet, owed);
}

static void send(IovSwitch *self, int port, struct iov_exec *exec, struct iov_packet *packet,
                 iov_time owed)
{
    iov_time cutting;
    unsigned frames;

    if (port != IOV_SWITCH_NIC) {
        packet->span = iov_span_after_sending(packet->span);
        IOV_SWITCH_GET_CLASS(self)->port_send(self, port, exec, packet, owed);
        return;
    }
    frames = iov_host_nic_frames(&self->nic, packet, &cutting);
    charge(exec, owed + cutting + frames * self->transmit_cost);
    iov_host_nic_send(&self->nic, packet);
}

/* To all ports but the one it came from; the last one gets the frame itself, with its request. */
static void flood(IovSwitch *self, int from, struct iov_exec *exec, struct iov_packet *packet)
{
    int last = from == IOV_SWITCH_NIC ? self->port_count - 1 : IOV_SWITCH_NIC;

    self->flooded++;
    for (int port = 0; port < self->port_count; port++) {
        if (port != from && port != last)
            send(self, port, exec, iov_packet_copy(self->pool, packet), 0);
    }
    if (last == from)
        iov_switch_drop(self, packet); /* no port at all */
    else
        send(self, last, exec, packet, 0);
}

/* Whether it may come in there: a guest sends under its own address only. */
static bool admit(IovSwitch *self, int from, const struct iov_packet *packet)
{
    const struct iov_switch_port *port;

    if (from == IOV_SWITCH_NIC || !self->anti_spoof)
        return true;
    port = self->ports[from];
    return iov_mac_admit(&self->addresses, packet->data, from,
                         port->has_address ? port->address : NULL);
}

void iov_switch_forward(IovSwitch *self, int from, struct iov_exec *exec, struct iov_packet *packet,
                        iov_time owed)
{
    bool knows = IOV_SWITCH_GET_CLASS(self)->knows_stations;
    int to;

    self->forwarded++;
    if (packet->size < IOV_MAC_HEADER) {
        iov_switch_drop(self, packet);
        return;
    }
    if (!admit(self, from, packet)) {
        charge(exec, owed);
        self->spoofed++;
        iov_switch_drop(self, packet);
        return;
    }
    if (from != IOV_SWITCH_NIC || !knows)
        iov_mac_learn(&self->addresses, packet->data, from);
    to = iov_mac_find(&self->addresses, packet->data);
    if (to == IOV_MAC_NOWHERE && knows && !iov_mac_is_group(packet->data))
        to = IOV_SWITCH_NIC;
    if (to != IOV_MAC_NOWHERE && to != from) {
        send(self, to, exec, packet, owed);
        return;
    }
    charge(exec, owed);
    if (to == from)
        iov_switch_drop(self, packet); /* its receiver is where it came from */
    else
        flood(self, from, exec, packet);
}

/* ---- Life ---- */

static bool iov_switch_realize(IovModel *model, GError **error)
{
    IovSwitch *self = IOV_SWITCH(model);

    (void)error;
    self->nic.drops = &self->drops;
    iov_host_nic_init(&self->nic, model);
    return true;
}

static void iov_switch_unrealize(IovModel *model)
{
    iov_host_nic_clear(&IOV_SWITCH(model)->nic);
}

static void iov_switch_finalize(GObject *object)
{
    iov_packet_pool_unref(IOV_SWITCH(object)->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_switch_parent_class)->finalize(object);
}

static void iov_switch_class_init(IovSwitchClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "switch", "Parent of the switches of hosts");
    IOV_PROP_BOOL(mc, IovSwitch, anti_spoof, true,
                  "A guest sends under the address of its device only");
    iov_host_nic_describe(mc, G_STRUCT_OFFSET(IovSwitch, nic));
    IOV_STAT(mc, IovSwitch, forwarded, "Frames looked up");
    IOV_STAT(mc, IovSwitch, flooded, "Of them, sent to all other ports");
    IOV_STAT(mc, IovSwitch, received_frames, "Frames from the wire");
    IOV_STAT(mc, IovSwitch, drops, "Frames lost");
    IOV_STAT(mc, IovSwitch, spoofed, "Of them, for a source that is not the guest\'s");
    klass->port_send = port_deliver;
    mc->realize = iov_switch_realize;
    mc->unrealize = iov_switch_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_switch_finalize;
}

static void iov_switch_init(IovSwitch *self)
{
    self->pool = iov_packet_pool_new();
}
