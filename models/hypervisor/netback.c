/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netback - back end of a Xen network device in the kernel of Dom0 or a driver domain: one
 * interface, two shared rings, a port of the bridge.
 *
 * Transmit: the event queues a softirq that takes requests in batches of 64; a hypercall copies
 * what they grant (grant: copy), or maps the pages of frames longer than a header (of which it
 * copies the header) and, after the frame is gone, a task unmaps them (grant: map). A copied
 * frame's response goes out before the frame does. Receive: the bridge wakes a task that copies a
 * batch of frames into granted pages by one hypercall. Each side tells the other only when the
 * event index asks for it.
 *
 * Everything in the rings is the guest's: indices that cannot be stop the interface, bad requests
 * are answered with an error; both are counted. SPEC: xen/include/public/io/netif.h and ring.h. A
 * large segment is a frame of several requests with a slot of extra information. LIMIT: none of
 * these towards the guest, one queue; a mapped page is given back when the frame has been handed
 * on, not when the NIC has sent it.
 */
#include "models/hypervisor/netback-private.h"

#include "core/net/address.h"
#include "models/guest/linux-regs.h"

static const char *const grant_kinds[] = { "copy", "map", NULL };

G_DEFINE_FINAL_TYPE(IovNetback, iov_netback, IOV_TYPE_MODEL)

/* ---- Rings ---- */

static uint32_t ring_get(const struct netback_ring *ring, unsigned offset)
{
    uint32_t value;

    memcpy(&value, ring->bytes + offset, sizeof value);
    return value;
}

static void ring_set(struct netback_ring *ring, unsigned offset, uint32_t value)
{
    memcpy(ring->bytes + offset, &value, sizeof value);
}

uint32_t netback_waiting(IovNetback *self, struct netback_ring *ring)
{
    uint32_t waiting;

    if (ring->bytes == NULL || self->broken)
        return 0;
    waiting = ring_get(ring, XEN_RING_REQ_PROD) - ring->consumed;
    if (waiting > XEN_NET_RING_SIZE - (ring->consumed - ring->produced)) {
        self->broken = true;
        iov_measure_guest_fault(self->measure, &self->bad_rings);
        return 0;
    }
    return waiting;
}

uint32_t netback_final_check(IovNetback *self, struct netback_ring *ring)
{
    ring_set(ring, XEN_RING_REQ_EVENT, ring->consumed + 1);
    return netback_waiting(self, ring);
}

bool netback_push(struct netback_ring *ring)
{
    uint32_t old = ring_get(ring, XEN_RING_RSP_PROD);

    ring_set(ring, XEN_RING_RSP_PROD, ring->produced);
    return ring->produced - ring_get(ring, XEN_RING_RSP_EVENT) < ring->produced - old;
}

void netback_notify(IovNetback *self, struct iov_thread *thread, unsigned port,
                    struct iov_span *span)
{
    self->events_sent++;
    iov_xen_domain_send(self->domain, thread, port, span);
}

/* ---- Connecting ---- */

static uint8_t *ring_map(IovNetback *self, uint32_t ref)
{
    struct iov_mem_target *ram = iov_model_port(self->vm_ref, "ram", 0);
    uint64_t size = 0;
    iov_gpa page;
    uint8_t *bytes;

    if (iov_xen_grant_use(self->vm, ref, iov_xen_domain_channels(self->domain)->id, true, &page) !=
        XEN_GNTST_OKAY)
        return NULL;
    bytes = ram->ops->direct(ram, page, &size);
    return size >= XEN_PAGE ? bytes : NULL;
}

bool netback_connect(IovNetback *self, struct iov_thread *thread)
{
    struct xen_store store;

    if (self->broken || !iov_xen_memory(self->vm, self->store, &store, sizeof store, false, NULL) ||
        store.connected != 1)
        return false;
    self->tx.bytes = ring_map(self, store.tx_ring);
    self->rx.bytes = ring_map(self, store.rx_ring);
    iov_xen_domain_hypercall(self->domain, thread, 2 * self->map_cost);
    if (self->tx.bytes != NULL && self->rx.bytes != NULL)
        return true;
    self->tx.bytes = self->rx.bytes = NULL;
    self->broken = true;
    iov_measure_guest_fault(self->measure, &self->bad_rings);
    return false;
}

/* ---- Life ---- */

static bool channel_bind(IovNetback *self, unsigned *ret_port, uint32_t *ret_front,
                         void (*handle)(struct iov_xen_channel *, struct iov_thread *),
                         GError **error)
{
    struct iov_xen_domain *back = iov_xen_domain_channels(self->domain);
    struct iov_xen_domain *front = iov_xen_vm_channels(self->vm);
    unsigned at = iov_xen_port_alloc(back), other = iov_xen_port_alloc(front);

    if (at == 0 || other == 0)
        return iov_model_fail(&self->parent_instance, error, "no event channel is left");
    back->channels[at] = (struct iov_xen_channel){
        .remote = front, .remote_port = (uint16_t)other, .handle = handle, .owner = self
    };
    front->channels[other] =
        (struct iov_xen_channel){ .remote = back, .remote_port = (uint16_t)at };
    *ret_port = at;
    *ret_front = other;
    return true;
}

static bool iov_netback_realize(IovModel *model, GError **error)
{
    IovNetback *self = (IovNetback *)(void *)model;
    struct xen_store *store = &self->offer;

    self->measure = model->run->measure;
    if (!iov_model_realize(self->domain_ref, error) || !iov_model_realize(self->vm_ref, error) ||
        !iov_model_realize(self->bridge_ref, error))
        return false;
    self->domain = (IovXenDomain *)(void *)self->domain_ref;
    self->vm = (IovXenVm *)(void *)self->vm_ref;
    self->bridge = (IovBridge *)(void *)self->bridge_ref;
    self->pool = iov_packet_pool_new();
    netback_transmit_init(self);
    netback_receive_init(self);
    if (!iov_switch_attach(IOV_SWITCH(self->bridge), &self->port))
        return iov_model_fail(model, error, "bridge: all ports of '%s' are taken",
                              self->bridge_ref->path);
    if (!channel_bind(self, &self->tx_port, &store->tx_port, netback_on_tx_event, error) ||
        !channel_bind(self, &self->rx_port, &store->rx_port, netback_on_rx_event, error))
        return false;
    store->backend = iov_xen_domain_channels(self->domain)->id;
    iov_net_address_of_path(model->path, IOV_NET_VENDOR_XEN, store->mac);
    memcpy(self->port.address, store->mac, sizeof store->mac);
    self->port.has_address = true;
    return true;
}

static void iov_netback_start(IovModel *model)
{
    IovNetback *self = (IovNetback *)(void *)model;

    iov_xen_memory(self->vm, self->store, &self->offer, sizeof self->offer, true, NULL);
}

static void iov_netback_unrealize(IovModel *model)
{
    IovNetback *self = (IovNetback *)(void *)model;

    iov_packet_queue_clear(&self->received);
}

static void iov_netback_finalize(GObject *object)
{
    iov_packet_pool_unref(((IovNetback *)(void *)object)->pool, IOV_MODEL(object)->kernel);
    G_OBJECT_CLASS(iov_netback_parent_class)->finalize(object);
}

static void iov_netback_class_init(IovNetbackClass *klass)
{
    IovModelClass *mc = IOV_MODEL_CLASS(klass);

    iov_model_class_describe(mc, "netback", "Back end of a Xen network device");
    IOV_PROP_REF(mc, IovNetback, domain_ref, "xen-domain", true,
                 "The domain whose kernel it is in");
    IOV_PROP_REF(mc, IovNetback, vm_ref, "xen-vm", true, "The guest it serves");
    IOV_PROP_REF(mc, IovNetback, bridge_ref, "bridge", true,
                 "The bridge of the domain that it is a port of");
    IOV_PORT_PACKET_END(
        mc, IovNetback, netdev, &netback_netdev_ops,
        "In place of the bridge: a program in the domain, as at a socket of its own");
    IOV_PROP_COUNT(mc, IovNetback, store, 0, UINT32_MAX, 0x2000,
                   "Guest-physical address of what both ends know of each other");
    IOV_PROP_COUNT(mc, IovNetback, queue_length, 1, 65536, LINUX_TX_QUEUE_LENGTH,
                   "Frames that wait for the guest");
    IOV_PROP_ENUM(mc, IovNetback, grant, grant_kinds, NETBACK_COPY,
                  "How it gets what the guest sends: copied by the hypervisor, or mapped");
    IOV_COST(mc, IovNetback, transmit_cost, "netback-transmit",
             "A frame from the guest, up to the bridge, hypercalls apart");
    IOV_COST(mc, IovNetback, receive_cost, "netback-receive",
             "A frame for the guest, hypercalls apart");
    IOV_COST(mc, IovNetback, gso_cost, "host-gso",
             "Each segment that is cut for a frontend that takes no large ones");
    IOV_COST(mc, IovNetback, queue_cost, "netback-queue", "From the bridge to the back end's task");
    IOV_COST(mc, IovNetback, copy_cost, "xen-grant-copy",
             "One grant copy in a hypercall, its bytes apart");
    IOV_COST(mc, IovNetback, map_cost, "xen-grant-map", "Mapping one grant in a hypercall");
    IOV_COST(mc, IovNetback, unmap_cost, "xen-grant-unmap",
             "Unmapping one grant in a hypercall, TLB flush included");
    IOV_COST(mc, IovNetback, copy_kib, "copy-per-kib", "A copy of payload: each 1024 bytes");
    IOV_STAT(mc, IovNetback, frames_sent, "Frames out of the guest");
    IOV_STAT(mc, IovNetback, frames_received, "Frames for the guest");
    IOV_STAT(mc, IovNetback, batches, "Batches of transmit requests");
    IOV_STAT(mc, IovNetback, copies, "Grant copies");
    IOV_STAT(mc, IovNetback, maps, "Grants mapped");
    IOV_STAT(mc, IovNetback, unmaps, "Grants unmapped");
    IOV_STAT(mc, IovNetback, events_sent, "Events to the guest");
    IOV_STAT(mc, IovNetback, bad_requests, "Requests answered with an error");
    IOV_STAT(mc, IovNetback, bad_rings, "Times the rings made no sense: the interface stopped");
    IOV_STAT(mc, IovNetback, drops, "Frames lost for want of room");
    mc->realize = iov_netback_realize;
    mc->start = iov_netback_start;
    mc->unrealize = iov_netback_unrealize;
    G_OBJECT_CLASS(klass)->finalize = iov_netback_finalize;
}

static void iov_netback_init(IovNetback *self)
{
    (void)self;
}
