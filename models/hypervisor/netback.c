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
#include "core/net/address.h"
#include "core/net/segment.h"
#include "core/trace/measure.h"
#include "models/guest/linux-regs.h"
#include "models/hypervisor/bridge.h"
#include "models/hypervisor/xen-regs.h"
#include "models/hypervisor/xen.h"

enum { BATCH = 64, HEADER = 128, FRAME_MIN = 14 };
enum { GRANT_COPY, GRANT_MAP };
static const char *const grant_kinds[] = { "copy", "map", NULL };

#define IOV_TYPE_NETBACK (iov_netback_get_type())
G_DECLARE_FINAL_TYPE(IovNetback, iov_netback, IOV, NETBACK, IovModel)

/* A ring as this end sees it. */
struct ring {
    uint8_t *bytes; /* the granted page; NULL: not connected */
    unsigned entry;
    uint32_t consumed; /* requests */
    uint32_t produced; /* responses */
};

/* A transmit request of the present batch. */
struct request {
    struct xen_netif_tx_request wire;
    iov_gpa page;
    int status; /* of the grant */
    /* of a frame's first request; the others are behind it */
    uint32_t total; /* bytes of the frame */
    uint16_t mss;   /* of a large segment */
    uint8_t pieces; /* requests; 0: one of the others */
    bool extra;     /* a slot with extra information belongs to it */
    bool open;      /* its sum is */
};

struct _IovNetback {
    IovModel parent_instance;
    /* properties */
    IovModel *domain_ref, *vm_ref, *bridge_ref;
    uint64_t store;
    uint64_t queue_length;
    int grant;
    /* costs */
    iov_time transmit_cost, receive_cost, queue_cost, copy_cost, map_cost, unmap_cost, copy_kib,
        gso_cost;
    struct iov_packet_port netdev; /* port */
    /* state */
    struct iov_measure *measure;
    struct iov_thread *sending; /* to `netdev` */
    IovXenDomain *domain;
    IovXenVm *vm;
    IovBridge *bridge;
    struct iov_switch_port port;
    struct iov_packet_pool *pool;
    unsigned tx_port, rx_port; /* of the domain */
    struct iov_xen_work transmit, receive, release;
    struct iov_span *kicked;
    struct xen_store offer;
    struct ring tx, rx;
    bool broken;
    struct iov_packet_queue received;
    struct request batch[BATCH + XEN_NETTX_SLOTS];
    struct xen_netif_tx_request mapped[XEN_NET_RING_SIZE]; /* waiting to be unmapped */
    unsigned mapped_first, mapped_count;
    /* statistics */
    uint64_t frames_sent, frames_received, copies, maps, unmaps, batches, events_sent, bad_requests,
        bad_rings, drops;
};

G_DEFINE_FINAL_TYPE(IovNetback, iov_netback, IOV_TYPE_MODEL)

static iov_time now(const IovNetback *self)
{
    return iov_now(self->parent_instance.kernel);
}

/* ---- Rings ---- */

static uint32_t ring_get(const struct ring *ring, unsigned offset)
{
    uint32_t value;

    memcpy(&value, ring->bytes + offset, sizeof value);
    return value;
}

static void ring_set(struct ring *ring, unsigned offset, uint32_t value)
{
    memcpy(ring->bytes + offset, &value, sizeof value);
}

static uint8_t *ring_slot(struct ring *ring, uint32_t index)
{
    return ring->bytes + XEN_RING_ENTRIES + index % XEN_NET_RING_SIZE * ring->entry;
}

/* Requests that wait; an index that cannot be stops the interface. */
static uint32_t ring_waiting(IovNetback *self, struct ring *ring)
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

/* Nothing waits: asks for an event with the next request. What came meanwhile is returned. */
static uint32_t ring_final_check(IovNetback *self, struct ring *ring)
{
    ring_set(ring, XEN_RING_REQ_EVENT, ring->consumed + 1);
    return ring_waiting(self, ring);
}

/* Publishes responses up to ring->produced; true if the front end wants to hear of it. */
static bool ring_push(struct ring *ring)
{
    uint32_t old = ring_get(ring, XEN_RING_RSP_PROD);

    ring_set(ring, XEN_RING_RSP_PROD, ring->produced);
    return ring->produced - ring_get(ring, XEN_RING_RSP_EVENT) < ring->produced - old;
}

static void notify(IovNetback *self, struct iov_thread *thread, unsigned port,
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

/* The front end has written down where its rings are. */
static bool connect(IovNetback *self, struct iov_thread *thread)
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

/* ---- Transmit ---- */

static void tx_respond(IovNetback *self, uint16_t id, int16_t status)
{
    const struct xen_netif_tx_response response = { id, status };

    memcpy(ring_slot(&self->tx, self->tx.produced++), &response, sizeof response);
}

static void tx_push(IovNetback *self, struct iov_thread *thread)
{
    if (ring_push(&self->tx))
        notify(self, thread, self->tx_port, NULL);
}

static bool request_is_sound(const struct xen_netif_tx_request *wire)
{
    return wire->offset < XEN_PAGE && wire->size > 0 && wire->size <= XEN_PAGE - wire->offset;
}

/* The slot behind the first request of a frame. False: it says nothing that is known. */
static bool take_extra(IovNetback *self, struct request *head)
{
    struct xen_netif_extra_info extra;

    if (ring_waiting(self, &self->tx) == 0)
        return false;
    memcpy(&extra, ring_slot(&self->tx, self->tx.consumed++), sizeof extra);
    head->extra = true;
    head->mss = extra.gso_size;
    return extra.type == XEN_NETIF_EXTRA_GSO && extra.gso_type == XEN_NETIF_GSO_TCPV4 &&
           extra.gso_size != 0 && !(extra.flags & XEN_NETIF_EXTRA_MORE);
}

/* The further requests of a frame: each holds its own size, the first one the sum of all. False:
 * they do not fit together. */
static bool take_pieces(IovNetback *self, struct request *head)
{
    struct request *last = head;
    uint32_t rest = 0;

    while (last->wire.flags & XEN_NETTXF_MORE_DATA) {
        if (ring_waiting(self, &self->tx) == 0 || head->pieces == XEN_NETTX_SLOTS)
            return false;
        last = &head[head->pieces++];
        *last = (struct request){ .status = XEN_GNTST_BAD_COPY_ARG };
        memcpy(&last->wire, ring_slot(&self->tx, self->tx.consumed++), sizeof last->wire);
        rest += last->wire.size;
        if (!request_is_sound(&last->wire) || last->wire.flags & XEN_NETTXF_EXTRA_INFO)
            return false;
    }
    if (rest >= head->total)
        return false;
    head->wire.size = (uint16_t)(head->total - rest);
    return head->total >= FRAME_MIN && request_is_sound(&head->wire) &&
           (head->mss != 0 || head->total <= IOV_PACKET_INLINE);
}

/* Grants of all pieces; those of a frame that is refused are given back. */
static void use_grants(IovNetback *self, struct request *head, bool sound)
{
    uint16_t by = iov_xen_domain_channels(self->domain)->id;
    int status = sound ? XEN_GNTST_OKAY : XEN_GNTST_BAD_COPY_ARG;
    unsigned used = 0;

    while (status == XEN_GNTST_OKAY && used < head->pieces) {
        struct request *piece = &head[used];

        status = iov_xen_grant_use(self->vm, piece->wire.gref, by, false, &piece->page);
        used += status == XEN_GNTST_OKAY;
    }
    for (unsigned i = 0; status != XEN_GNTST_OKAY && i < used; i++)
        iov_xen_grant_done(self->vm, head[i].wire.gref);
    for (unsigned i = 0; i < head->pieces; i++)
        head[i].status = status;
}

/* Takes up to a batch off the ring and checks it. */
static unsigned tx_take(IovNetback *self, struct iov_thread *thread)
{
    unsigned count = 0;

    while (count < BATCH && ring_waiting(self, &self->tx) > 0) {
        struct request *head = &self->batch[count];
        bool sound = true;

        *head = (struct request){ .pieces = 1 };
        memcpy(&head->wire, ring_slot(&self->tx, self->tx.consumed++), sizeof head->wire);
        head->total = head->wire.size;
        head->open = head->wire.flags & XEN_NETTXF_CSUM_BLANK;
        if (head->wire.flags & XEN_NETTXF_EXTRA_INFO)
            sound = take_extra(self, head);
        sound = take_pieces(self, head) && sound;
        use_grants(self, head, sound);
        count += head->pieces;
        iov_thread_compute(thread, self->transmit_cost, IOV_PART_HOST);
    }
    return count;
}

static bool is_head(const struct request *request)
{
    return request->pieces != 0;
}

/* The first bytes of a frame are copied, to be looked at; what is behind them is only handed on. */
static bool is_mapped(const IovNetback *self, const struct request *request)
{
    return self->grant == GRANT_MAP && (!is_head(request) || request->wire.size > HEADER);
}

/* The hypercalls of a batch: one that copies, one that maps. */
static void tx_grants(IovNetback *self, struct iov_thread *thread, unsigned count)
{
    iov_time copy = 0, map = 0, bytes = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct request *request = &self->batch[i];
        uint32_t size = request->wire.size;

        if (request->status == XEN_GNTST_OKAY && is_mapped(self, request)) {
            self->maps++;
            map += self->map_cost;
            if (!is_head(request))
                continue;
            size = HEADER;
        }
        self->copies++;
        copy += self->copy_cost;
        if (request->status != XEN_GNTST_OKAY)
            continue;
        iov_measure_copy(self->measure, size);
        bytes += self->copy_kib * size / 1024;
    }
    iov_xen_domain_hypercall(self->domain, thread, copy);
    if (bytes > 0)
        iov_thread_compute(thread, bytes, IOV_PART_COPY);
    if (map > 0)
        iov_xen_domain_hypercall(self->domain, thread, map);
}

/* To the bridge, or to a program in the domain. */
static void send(IovNetback *self, struct iov_thread *thread, struct iov_packet *packet)
{
    if (self->netdev.peer == NULL) {
        iov_bridge_send(self->bridge, &self->port, &thread->exec, packet, 0);
        return;
    }
    self->sending = thread;
    iov_packet_send(&self->netdev, packet);
    self->sending = NULL;
}

/* A piece that was copied goes back to its owner at once, one that is mapped later. */
static void piece_done(IovNetback *self, const struct request *piece)
{
    if (is_mapped(self, piece)) {
        self->mapped[(self->mapped_first + self->mapped_count++) % XEN_NET_RING_SIZE] = piece->wire;
        return;
    }
    iov_xen_grant_done(self->vm, piece->wire.gref);
    tx_respond(self, piece->wire.id, XEN_NETIF_RSP_OKAY);
}

static struct iov_packet *frame_of(IovNetback *self, const struct request *head)
{
    struct iov_packet *packet = iov_packet_new(self->pool, head->total);
    uint32_t done = 0;

    for (unsigned i = 0; i < head->pieces; i++) {
        const struct request *piece = &head[i];
        struct iov_span *span = NULL;

        iov_xen_memory(self->vm, piece->page + piece->wire.offset, packet->data + done,
                       piece->wire.size, false, &span);
        if (i == 0)
            packet->span = span;
        done += piece->wire.size;
    }
    packet->segment_size = head->mss;
    packet->flags = head->open ? IOV_PACKET_NEEDS_CHECKSUM : 0;
    return packet;
}

static bool can_be_cut(const struct iov_packet *packet)
{
    struct iov_segment_plan plan;

    return packet->segment_size == 0 ||
           iov_segment_plan(packet->data, packet->size, packet->size, packet->segment_size, &plan);
}

static void tx_send(IovNetback *self, struct iov_thread *thread, const struct request *head)
{
    struct iov_packet *packet = frame_of(self, head);
    bool mapped = false;

    iov_span_claim(packet->span, thread->exec.holder, IOV_PART_QUEUE, now(self));
    thread->exec.span = packet->span;
    for (unsigned i = 0; i < head->pieces; i++) {
        mapped |= is_mapped(self, &head[i]);
        if (!is_mapped(self, &head[i]))
            piece_done(self, &head[i]);
        if (i == 0 && head->extra)
            tx_respond(self, 0, XEN_NETIF_RSP_NULL);
    }
    if (!mapped || head->extra)
        tx_push(self, thread);
    if (can_be_cut(packet)) {
        self->frames_sent++;
        send(self, thread, packet);
    } else {
        iov_packet_free(packet);
        iov_measure_guest_fault(self->measure, &self->bad_requests);
    }
    thread->exec.span = NULL;
    if (!mapped)
        return;
    for (unsigned i = 0; i < head->pieces; i++) {
        if (is_mapped(self, &head[i]))
            piece_done(self, &head[i]);
    }
    iov_xen_domain_queue(self->domain, &self->release, &thread->exec, NULL);
}

/* Nothing of the frame is sent: each slot says so. */
static void tx_refuse(IovNetback *self, struct iov_thread *thread, const struct request *head)
{
    iov_measure_guest_fault(self->measure, &self->bad_requests);
    for (unsigned i = 0; i < head->pieces; i++) {
        tx_respond(self, head[i].wire.id, XEN_NETIF_RSP_ERROR);
        if (i == 0 && head->extra)
            tx_respond(self, 0, XEN_NETIF_RSP_NULL);
    }
    tx_push(self, thread);
}

static void transmit_run(struct iov_xen_work *work, struct iov_thread *thread)
{
    IovNetback *self = iov_container_of(work, IovNetback, transmit);
    unsigned count;

    thread->exec.span = self->kicked;
    iov_span_mark(self->kicked, thread->exec.holder, IOV_PART_QUEUE, now(self));
    self->kicked = NULL;
    if (self->tx.bytes == NULL && !connect(self, thread))
        return;
    count = tx_take(self, thread);
    if (count == 0) {
        if (!self->broken && ring_final_check(self, &self->tx) > 0)
            iov_xen_domain_queue(self->domain, work, &thread->exec, NULL);
        return;
    }
    self->batches++;
    tx_grants(self, thread, count);
    for (unsigned i = 0; i < count; i += self->batch[i].pieces) {
        if (self->batch[i].status == XEN_GNTST_OKAY)
            tx_send(self, thread, &self->batch[i]);
        else
            tx_refuse(self, thread, &self->batch[i]);
    }
    iov_xen_domain_queue(self->domain, work, &thread->exec, NULL); /* another look */
}

/* The task that gives pages back. */
static void release_run(struct iov_xen_work *work, struct iov_thread *thread)
{
    IovNetback *self = iov_container_of(work, IovNetback, release);
    unsigned count = self->mapped_count;

    iov_xen_domain_hypercall(self->domain, thread, count * self->unmap_cost);
    for (unsigned i = 0; i < count; i++) {
        const struct xen_netif_tx_request *wire =
            &self->mapped[self->mapped_first++ % XEN_NET_RING_SIZE];

        self->mapped_count--;
        self->unmaps++;
        iov_xen_grant_done(self->vm, wire->gref);
        tx_respond(self, wire->id, XEN_NETIF_RSP_OKAY);
    }
    tx_push(self, thread);
}

static void on_tx_event(struct iov_xen_channel *channel, struct iov_thread *thread)
{
    IovNetback *self = channel->owner;

    if (channel->span != NULL)
        self->kicked = channel->span;
    iov_xen_domain_queue(self->domain, &self->transmit, &thread->exec, NULL);
}

/* ---- Receive ---- */

/* From the bridge, in the same domain or in an event. */
static void deliver(struct iov_switch_port *port, struct iov_exec *exec, struct iov_packet *packet,
                    iov_time owed)
{
    IovNetback *self = iov_container_of(port, IovNetback, port);

    if (packet->segment_size != 0) { /* the frontend takes none that large */
        struct iov_packet_queue pieces = { 0 };

        (void)iov_segment_cut(self->pool, packet, &pieces);
        for (; pieces.first != NULL; owed = 0)
            deliver(port, exec, iov_packet_queue_pop(&pieces), owed + self->gso_cost);
        return;
    }
    iov_segment_sum(packet);
    if (exec != NULL)
        iov_exec_compute(exec, owed + self->queue_cost, IOV_PART_HOST);
    if (self->rx.bytes == NULL || self->broken || self->received.count >= self->queue_length) {
        iov_measure_drop(self->measure, &self->drops, packet);
        return;
    }
    iov_packet_queue_push(&self->received, packet);
    iov_xen_domain_queue(self->domain, &self->receive, exec, packet->span);
}

/* From a program in the domain: in the call that took its request, or in an event. */
static iov_time netdev_receive(struct iov_packet_port *port, struct iov_packet *packet)
{
    IovNetback *self = iov_container_of(port, IovNetback, netdev);

    deliver(&self->port, self->sending != NULL ? &self->sending->exec : NULL, packet, 0);
    return 0;
}

static const struct iov_packet_ops netdev_ops = { .receive = netdev_receive };

/* One frame into the page of the next request; false if the request was no good. */
static bool rx_put(IovNetback *self, struct iov_packet *packet)
{
    uint16_t by = iov_xen_domain_channels(self->domain)->id;
    struct xen_netif_rx_response response = { 0 };
    struct xen_netif_rx_request request;
    iov_gpa page = 0;
    bool good;

    memcpy(&request, ring_slot(&self->rx, self->rx.consumed++), sizeof request);
    good = packet->size <= XEN_PAGE &&
           iov_xen_grant_use(self->vm, request.gref, by, true, &page) == XEN_GNTST_OKAY;
    response.id = request.id;
    response.status = good ? (int16_t)packet->size : XEN_NETIF_RSP_ERROR;
    /* What the NIC, or the guest that sent it, vouches for; the rest is the guest's to sum. */
    response.flags = packet->flags & (IOV_PACKET_CHECKSUM_GOOD | IOV_PACKET_NEEDS_CHECKSUM)
                         ? XEN_NETRXF_DATA_VALIDATED
                         : 0;
    if (good) {
        iov_xen_memory(self->vm, page, packet->data, packet->size, true, &packet->span);
        iov_xen_grant_done(self->vm, request.gref);
        self->frames_received++;
    } else {
        iov_measure_guest_fault(self->measure, &self->bad_requests);
    }
    memcpy(ring_slot(&self->rx, self->rx.produced++), &response, sizeof response);
    return good;
}

/* A batch into the ring: prepared one by one, copied by one hypercall. */
static unsigned rx_batch(IovNetback *self, struct iov_thread *thread, struct iov_span **ret_last)
{
    struct iov_packet_queue batch = { 0 };
    struct iov_packet *packet;
    iov_time copy = 0, bytes = 0;
    unsigned count = 0;

    while (batch.count < BATCH && batch.count < ring_waiting(self, &self->rx) &&
           (packet = iov_packet_queue_pop(&self->received)) != NULL) {
        thread->exec.span = packet->span;
        iov_span_claim(packet->span, thread->exec.holder, IOV_PART_QUEUE, now(self));
        iov_span_mark(packet->span, thread->exec.holder, IOV_PART_QUEUE, now(self));
        iov_thread_compute(thread, self->receive_cost, IOV_PART_HOST);
        copy += self->copy_cost;
        bytes += self->copy_kib * packet->size / 1024;
        self->copies++;
        iov_measure_copy(self->measure, packet->size);
        iov_packet_queue_push(&batch, packet);
    }
    if (batch.count == 0)
        return 0;
    iov_xen_domain_hypercall(self->domain, thread, copy);
    iov_thread_compute(thread, bytes, IOV_PART_COPY);
    while ((packet = iov_packet_queue_pop(&batch)) != NULL) {
        count++;
        if (ring_waiting(self, &self->rx) == 0) { /* the guest took requests back */
            iov_measure_drop(self->measure, &self->drops, NULL);
        } else if (rx_put(self, packet)) {
            *ret_last = packet->span;
            iov_packet_free(packet);
            continue;
        }
        iov_packet_drop(packet);
    }
    return count;
}

static void receive_run(struct iov_xen_work *work, struct iov_thread *thread)
{
    IovNetback *self = iov_container_of(work, IovNetback, receive);
    struct iov_span *last = NULL;

    if (self->rx.bytes == NULL || self->broken || self->received.first == NULL)
        return;
    if (rx_batch(self, thread, &last) > 0) {
        if (ring_push(&self->rx))
            notify(self, thread, self->rx_port, last);
        if (self->received.first != NULL)
            iov_xen_domain_queue(self->domain, work, &thread->exec, NULL);
    } else if (!self->broken && ring_final_check(self, &self->rx) > 0) {
        iov_xen_domain_queue(self->domain, work, &thread->exec, NULL);
    }
}

static void on_rx_event(struct iov_xen_channel *channel, struct iov_thread *thread)
{
    IovNetback *self = channel->owner;

    if (self->rx.bytes == NULL)
        connect(self, thread);
    iov_xen_domain_queue(self->domain, &self->receive, &thread->exec, NULL);
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
    self->transmit.run = transmit_run;
    self->receive = (struct iov_xen_work){ .run = receive_run, .task = &self->receive };
    self->release = (struct iov_xen_work){ .run = release_run, .task = &self->release };
    self->port.deliver = deliver;
    self->tx.entry = XEN_NETIF_TX_ENTRY;
    self->rx.entry = XEN_NETIF_RX_ENTRY;
    if (!iov_switch_attach(IOV_SWITCH(self->bridge), &self->port))
        return iov_model_fail(model, error, "bridge: all ports of '%s' are taken",
                              self->bridge_ref->path);
    if (!channel_bind(self, &self->tx_port, &store->tx_port, on_tx_event, error) ||
        !channel_bind(self, &self->rx_port, &store->rx_port, on_rx_event, error))
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
        mc, IovNetback, netdev, &netdev_ops,
        "In place of the bridge: a program in the domain, as at a socket of its own");
    IOV_PROP_COUNT(mc, IovNetback, store, 0, UINT32_MAX, 0x2000,
                   "Guest-physical address of what both ends know of each other");
    IOV_PROP_COUNT(mc, IovNetback, queue_length, 1, 65536, LINUX_TX_QUEUE_LENGTH,
                   "Frames that wait for the guest");
    IOV_PROP_ENUM(mc, IovNetback, grant, grant_kinds, GRANT_COPY,
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
