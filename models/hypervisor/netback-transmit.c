/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest sends, see netback.c: requests off the ring, their grants, the frame, its
 * responses. */
#include "models/hypervisor/netback-private.h"

enum { HEADER = 128, FRAME_MIN = 14 };

static void tx_respond(IovNetback *self, uint16_t id, int16_t status)
{
    const struct xen_netif_tx_response response = { id, status };

    memcpy(netback_slot(&self->tx, self->tx.produced++), &response, sizeof response);
}

static void tx_push(IovNetback *self, struct iov_thread *thread)
{
    if (netback_push(&self->tx))
        netback_notify(self, thread, self->tx_port, NULL);
}

static bool request_is_sound(const struct xen_netif_tx_request *wire)
{
    return wire->offset < XEN_PAGE && wire->size > 0 && wire->size <= XEN_PAGE - wire->offset;
}

/* The slot behind the first request of a frame. False: it says nothing that is known. */
static bool take_extra(IovNetback *self, struct netback_request *head)
{
    struct xen_netif_extra_info extra;

    if (netback_waiting(self, &self->tx) == 0)
        return false;
    memcpy(&extra, netback_slot(&self->tx, self->tx.consumed++), sizeof extra);
    head->extra = true;
    head->mss = extra.gso_size;
    return extra.type == XEN_NETIF_EXTRA_GSO && extra.gso_type == XEN_NETIF_GSO_TCPV4 &&
           extra.gso_size != 0 && !(extra.flags & XEN_NETIF_EXTRA_MORE);
}

/* The further requests of a frame: each holds its own size, the first one the sum of all. False:
 * they do not fit together. */
static bool take_pieces(IovNetback *self, struct netback_request *head)
{
    struct netback_request *last = head;
    uint32_t rest = 0;

    while (last->wire.flags & XEN_NETTXF_MORE_DATA) {
        if (netback_waiting(self, &self->tx) == 0 || head->pieces == XEN_NETTX_SLOTS)
            return false;
        last = &head[head->pieces++];
        *last = (struct netback_request){ .status = XEN_GNTST_BAD_COPY_ARG };
        memcpy(&last->wire, netback_slot(&self->tx, self->tx.consumed++), sizeof last->wire);
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
static void use_grants(IovNetback *self, struct netback_request *head, bool sound)
{
    uint16_t by = iov_xen_domain_channels(self->domain)->id;
    int status = sound ? XEN_GNTST_OKAY : XEN_GNTST_BAD_COPY_ARG;
    unsigned used = 0;

    while (status == XEN_GNTST_OKAY && used < head->pieces) {
        struct netback_request *piece = &head[used];

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

    while (count < NETBACK_BATCH && netback_waiting(self, &self->tx) > 0) {
        struct netback_request *head = &self->batch[count];
        bool sound = true;

        *head = (struct netback_request){ .pieces = 1 };
        memcpy(&head->wire, netback_slot(&self->tx, self->tx.consumed++), sizeof head->wire);
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

static bool is_head(const struct netback_request *request)
{
    return request->pieces != 0;
}

/* The first bytes of a frame are copied, to be looked at; what is behind them is only handed on. */
static bool is_mapped(const IovNetback *self, const struct netback_request *request)
{
    return self->grant == NETBACK_MAP && (!is_head(request) || request->wire.size > HEADER);
}

/* The hypercalls of a batch: one that copies, one that maps. */
static void tx_grants(IovNetback *self, struct iov_thread *thread, unsigned count)
{
    iov_time copy = 0, map = 0, bytes = 0;

    for (unsigned i = 0; i < count; i++) {
        const struct netback_request *request = &self->batch[i];
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
static void piece_done(IovNetback *self, const struct netback_request *piece)
{
    if (is_mapped(self, piece)) {
        self->mapped[(self->mapped_first + self->mapped_count++) % XEN_NET_RING_SIZE] = piece->wire;
        return;
    }
    iov_xen_grant_done(self->vm, piece->wire.gref);
    tx_respond(self, piece->wire.id, XEN_NETIF_RSP_OKAY);
}

static struct iov_packet *frame_of(IovNetback *self, const struct netback_request *head)
{
    struct iov_packet *packet = iov_packet_new(self->pool, head->total);
    uint32_t done = 0;

    for (unsigned i = 0; i < head->pieces; i++) {
        const struct netback_request *piece = &head[i];
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

static void tx_send(IovNetback *self, struct iov_thread *thread, const struct netback_request *head)
{
    struct iov_packet *packet = frame_of(self, head);
    bool mapped = false;

    iov_span_claim(packet->span, thread->exec.holder, IOV_PART_QUEUE, netback_now(self));
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
static void tx_refuse(IovNetback *self, struct iov_thread *thread,
                      const struct netback_request *head)
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
    iov_span_mark(self->kicked, thread->exec.holder, IOV_PART_QUEUE, netback_now(self));
    self->kicked = NULL;
    if (self->tx.bytes == NULL && !netback_connect(self, thread))
        return;
    count = tx_take(self, thread);
    if (count == 0) {
        if (!self->broken && netback_final_check(self, &self->tx) > 0)
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

void netback_on_tx_event(struct iov_xen_channel *channel, struct iov_thread *thread)
{
    IovNetback *self = channel->owner;

    if (channel->span != NULL)
        self->kicked = channel->span;
    iov_xen_domain_queue(self->domain, &self->transmit, &thread->exec, NULL);
}

void netback_transmit_init(IovNetback *self)
{
    self->transmit.run = transmit_run;
    self->release = (struct iov_xen_work){ .run = release_run, .task = &self->release };
    self->tx.entry = XEN_NETIF_TX_ENTRY;
}
