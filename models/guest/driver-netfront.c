/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The netfront driver, with the habits of Linux 6.1's: one queue, an event channel for each
 * direction, a grant for each buffer.
 *
 *   transmit:   grant, request, event if the back end asked for one, take back what was answered
 *   tx event:   take back, ask for an event with the next answer, wake the queue
 *   rx event:   NAPI: take responses, frames go up, new requests (an event only if the back end ran
 *               out), look once more
 *
 * Giving and taking back a grant is a write to the table, no hypercall. SPEC:
 * xen/include/public/io/netif.h, ring.h, grant_table.h.
 *
 * LIMIT: one request a frame, no extra segments, no segmentation offload; buffers keep their pages
 * and grant references. What xenstore holds is one page at `registers`.
 */
#include <glib.h>

#include "models/guest/drivers-private.h"
#include "models/guest/guest-xen.h"

#define RING XEN_NET_RING_SIZE
#define GRANT_TX_RING XEN_GRANT_RESERVED
#define GRANT_RX_RING (XEN_GRANT_RESERVED + 1)
#define GRANT_TX (XEN_GRANT_RESERVED + 2) /* one for each buffer */
#define GRANT_RX (GRANT_TX + RING)
#define MOST_SLOTS 18u /* of a frame: Linux stops the queue when they might be missing */

struct driver {
    struct iov_guest_netdev dev;
    IovLinuxGuest *guest;
    struct iov_guest_xen xen;
    struct iov_guest_napi napi;
    struct xen_store store;
    iov_gpa tx_ring, rx_ring;
    iov_gpa tx_buffers, rx_buffers;    /* a page each */
    uint32_t tx_produced, tx_consumed; /* requests, responses */
    uint32_t rx_produced, rx_consumed;
    uint16_t free[RING]; /* transmit buffers without a frame */
    unsigned free_count;
    unsigned extras; /* slots on their way that are no requests */
    bool busy[RING];
    struct iov_guest_sent sent[RING];
    bool tx_locked;
};

static struct driver *from_dev(struct iov_guest_netdev *dev)
{
    return iov_container_of(dev, struct driver, dev);
}

/* ---- Rings ---- */

static uint32_t ring_get(struct iov_guest_cpu *cpu, iov_gpa ring, unsigned offset)
{
    uint32_t value;

    iov_exec_get(cpu->exec, ring + offset, &value, sizeof value);
    return value;
}

static void ring_set(struct iov_guest_cpu *cpu, iov_gpa ring, unsigned offset, uint32_t value)
{
    iov_exec_put(cpu->exec, ring + offset, &value, sizeof value);
}

static iov_gpa ring_slot(iov_gpa ring, uint32_t index, unsigned entry)
{
    return ring + XEN_RING_ENTRIES + index % RING * entry;
}

/* Publishes requests from `old` on; true if the back end asked for an event with one of them. */
static bool ring_push(struct iov_guest_cpu *cpu, iov_gpa ring, uint32_t produced)
{
    uint32_t old = ring_get(cpu, ring, XEN_RING_REQ_PROD);

    ring_set(cpu, ring, XEN_RING_REQ_PROD, produced);
    return produced - ring_get(cpu, ring, XEN_RING_REQ_EVENT) < produced - old;
}

/* ---- Transmit ---- */

static void lock_tx(struct driver *self, struct iov_guest_cpu *cpu)
{
    while (self->tx_locked) {
        iov_exec_do(cpu->exec, IOV_OP_PAUSE);
        iov_guest_charge(cpu, cpu->guest->costs.idle_poll);
    }
    self->tx_locked = true;
}

static void take_response(struct driver *self, struct iov_guest_cpu *cpu)
{
    struct xen_netif_tx_response response;
    struct iov_guest_sent sent;

    iov_exec_get(cpu->exec, ring_slot(self->tx_ring, self->tx_consumed++, XEN_NETIF_TX_ENTRY),
                 &response, sizeof response);
    if (response.status == XEN_NETIF_RSP_NULL && self->extras > 0) {
        self->extras--;
        return;
    }
    if (response.id >= RING || !self->busy[response.id]) {
        cpu->guest->device_errors++;
        return;
    }
    if (response.status != XEN_NETIF_RSP_OKAY)
        cpu->guest->device_errors++;
    if (self->sent[response.id].size != 0)
        iov_guest_charge(cpu, cpu->guest->costs.netfront_tx_clean);
    iov_guest_grant_end(&self->xen, cpu, GRANT_TX + response.id);
    self->busy[response.id] = false;
    self->free[self->free_count++] = response.id;
    sent = self->sent[response.id];
    if (sent.size != 0) /* the last piece of a frame */
        iov_guest_netdev_sent(&self->dev, cpu, &sent);
}

/* Takes back what was answered, and asks for an event with the next answer. With the lock. */
static void take_back(struct driver *self, struct iov_guest_cpu *cpu)
{
    do {
        while (self->tx_consumed != ring_get(cpu, self->tx_ring, XEN_RING_RSP_PROD) &&
               self->free_count < RING)
            take_response(self, cpu);
        ring_set(cpu, self->tx_ring, XEN_RING_RSP_EVENT, self->tx_consumed + 1);
    } while (self->tx_consumed != ring_get(cpu, self->tx_ring, XEN_RING_RSP_PROD) &&
             self->free_count < RING);
    if (self->free_count > RING / 4)
        iov_guest_netdev_wake(&self->dev, cpu, 0);
}

static uint16_t take_id(struct driver *self)
{
    uint16_t id = self->free[--self->free_count];

    self->busy[id] = true;
    self->sent[id] = (struct iov_guest_sent){ 0 };
    return id;
}

static void put_slot(struct driver *self, struct iov_guest_cpu *cpu, const void *slot)
{
    iov_exec_put(cpu->exec, ring_slot(self->tx_ring, self->tx_produced++, XEN_NETIF_TX_ENTRY), slot,
                 XEN_NETIF_TX_ENTRY);
}

/* Slots of the ring that a frame takes. */
static uint32_t slots_of(const struct iov_guest_frame *frame)
{
    return frame->segment_size == 0 ? 1 : (frame->size + XEN_PAGE - 1) / XEN_PAGE + 1;
}

/* A page of the frame, from `at` on, to the page of request `id`. */
static void put_page(struct driver *self, struct iov_guest_cpu *cpu,
                     const struct iov_guest_frame *frame, uint32_t at, uint32_t size, uint16_t id)
{
    iov_gpa page = self->tx_buffers + (iov_gpa)id * XEN_PAGE;

    if (frame->more == NULL) {
        iov_exec_put_payload(cpu->exec, page, frame->data, size, frame->span);
    } else if (at == 0) {
        iov_exec_put_payload(cpu->exec, page, frame->data, IOV_TCP_PAYLOAD_AT, frame->span);
        iov_exec_put(cpu->exec, page + IOV_TCP_PAYLOAD_AT, frame->more, size - IOV_TCP_PAYLOAD_AT);
    } else {
        iov_exec_put(cpu->exec, page, frame->more + at - IOV_TCP_PAYLOAD_AT, size);
    }
    iov_guest_grant(&self->xen, cpu, GRANT_TX + id, self->store.backend, page, true);
}

/* One request, or of a large segment one for each page, and how it is cut behind the first. */
static void put_request(struct driver *self, struct iov_guest_cpu *cpu,
                        const struct iov_guest_frame *frame)
{
    static const struct xen_netif_extra_info nothing;
    struct xen_netif_extra_info extra = nothing;
    uint16_t id = 0;

    for (uint32_t at = 0, size; at < frame->size; at += size) {
        struct xen_netif_tx_request request = { 0 };

        size = frame->size - at < XEN_PAGE ? frame->size - at : XEN_PAGE;
        id = take_id(self);
        put_page(self, cpu, frame, at, size, id);
        request.gref = GRANT_TX + id;
        request.id = id;
        request.size = (uint16_t)(at == 0 ? frame->size : size);
        request.flags =
            (uint16_t)((at + size < frame->size ? XEN_NETTXF_MORE_DATA : 0) |
                       (at == 0 && frame->segment_size != 0 ? XEN_NETTXF_EXTRA_INFO : 0) |
                       (at == 0 && frame->checksum_offset != 0
                            ? XEN_NETTXF_CSUM_BLANK | XEN_NETTXF_DATA_VALIDATED
                            : 0));
        put_slot(self, cpu, &request);
        if (at != 0 || frame->segment_size == 0)
            continue;
        extra.type = XEN_NETIF_EXTRA_GSO;
        extra.gso_type = XEN_NETIF_GSO_TCPV4;
        extra.gso_size = frame->segment_size;
        put_slot(self, cpu, &extra);
        self->extras++;
    }
    self->sent[id] = (struct iov_guest_sent){ frame->span, frame->size, frame->socket };
}

static bool netfront_transmit(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu,
                              const struct iov_guest_frame *frame)
{
    struct driver *self = from_dev(dev);

    lock_tx(self, cpu);
    if (self->free_count < slots_of(frame) + self->extras) {
        dev->tx[0].stopped = true;
        self->tx_locked = false;
        return false;
    }
    iov_guest_charge(cpu, cpu->guest->costs.netfront_tx);
    put_request(self, cpu, frame);
    if (ring_push(cpu, self->tx_ring, self->tx_produced))
        iov_guest_xen_send(&self->xen, cpu, self->store.tx_port);
    else
        iov_guest_kick_suppressed(cpu);
    take_back(self, cpu);
    if (self->free_count < MOST_SLOTS + self->extras)
        dev->tx[0].stopped = true;
    iov_guest_work_for(cpu, NULL);
    self->tx_locked = false;
    return true;
}

static void on_tx(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;

    if (self->tx_locked)
        return; /* LIMIT: Linux has interrupts off meanwhile: who has the lock looks by itself */
    self->tx_locked = true;
    take_back(self, cpu);
    self->tx_locked = false;
}

/* ---- Receive ---- */

static void put_buffer(struct driver *self, struct iov_guest_cpu *cpu, uint16_t id)
{
    const struct xen_netif_rx_request request = { .id = id, .gref = GRANT_RX + id };

    iov_guest_grant(&self->xen, cpu, GRANT_RX + id, self->store.backend,
                    self->rx_buffers + (iov_gpa)id * XEN_PAGE, false);
    iov_exec_put(cpu->exec, ring_slot(self->rx_ring, self->rx_produced++, XEN_NETIF_RX_ENTRY),
                 &request, sizeof request);
}

static void take_frame(struct driver *self, struct iov_guest_cpu *cpu)
{
    struct iov_guest_frame *frame = iov_guest_napi_frame(&self->napi);
    struct xen_netif_rx_response response;
    uint16_t id;

    iov_exec_get(cpu->exec, ring_slot(self->rx_ring, self->rx_consumed, XEN_NETIF_RX_ENTRY),
                 &response, sizeof response);
    id = (uint16_t)(self->rx_consumed++ % RING);
    if (response.status <= 0 || response.status > IOV_GUEST_FRAME_MAX || response.id != id ||
        response.offset > XEN_PAGE - (uint32_t)response.status) {
        cpu->guest->device_errors++;
    } else {
        frame->size = (uint16_t)response.status;
        frame->span = iov_exec_get_payload(
            cpu->exec, self->rx_buffers + (iov_gpa)id * XEN_PAGE + response.offset, frame->data,
            frame->size);
        frame->checksum_start = (response.flags & XEN_NETRXF_DATA_VALIDATED) != 0;
        iov_span_claim(frame->span, cpu->exec->holder, IOV_PART_QUEUE, iov_guest_now(cpu));
        iov_guest_work_for(cpu, frame->span);
        iov_guest_charge(cpu, cpu->guest->costs.netfront_rx);
        iov_guest_napi_receive(cpu, &self->napi);
    }
    iov_guest_grant_end(&self->xen, cpu, GRANT_RX + id);
    put_buffer(self, cpu, id);
}

static bool has_frames(struct driver *self, struct iov_guest_cpu *cpu)
{
    return self->rx_consumed != ring_get(cpu, self->rx_ring, XEN_RING_RSP_PROD);
}

static unsigned poll(struct iov_guest_napi *napi, struct iov_guest_cpu *cpu, unsigned budget)
{
    struct driver *self = iov_container_of(napi, struct driver, napi);
    unsigned done = 0;

    for (; done < budget && has_frames(self, cpu); done++)
        take_frame(self, cpu);
    if (done > 0 && ring_push(cpu, self->rx_ring, self->rx_produced))
        iov_guest_xen_send(&self->xen, cpu, self->store.rx_port);
    if (done >= budget)
        return budget;
    iov_guest_napi_complete(cpu, napi);
    ring_set(cpu, self->rx_ring, XEN_RING_RSP_EVENT, self->rx_consumed + 1);
    if (has_frames(self, cpu))
        iov_guest_napi_schedule(cpu, napi);
    return done;
}

static void on_rx(void *context, struct iov_guest_cpu *cpu)
{
    struct driver *self = context;

    if (has_frames(self, cpu))
        iov_guest_napi_schedule(cpu, &self->napi);
}

/* ---- Probe and open ---- */

static bool netfront_probe(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    if (!iov_guest_xen_boot(&self->xen, cpu))
        return false;
    iov_exec_get(cpu->exec, self->guest->registers, &self->store, sizeof self->store);
    memcpy(dev->mac, self->store.mac, sizeof dev->mac);
    dev->net->checksum_offload = true;
    dev->tso = true;
    return self->store.tx_port != 0 && self->store.rx_port != 0 &&
           self->store.tx_port < IOV_GUEST_XEN_PORTS && self->store.rx_port < IOV_GUEST_XEN_PORTS;
}

static bool netfront_open(struct iov_guest_netdev *dev, struct iov_guest_cpu *cpu)
{
    struct driver *self = from_dev(dev);

    self->tx_ring = iov_guest_allocate(self->guest, XEN_PAGE, XEN_PAGE);
    self->rx_ring = iov_guest_allocate(self->guest, XEN_PAGE, XEN_PAGE);
    self->tx_buffers = iov_guest_allocate(self->guest, RING * XEN_PAGE, XEN_PAGE);
    self->rx_buffers = iov_guest_allocate(self->guest, RING * XEN_PAGE, XEN_PAGE);
    if (self->rx_buffers == 0)
        return false;
    ring_set(cpu, self->tx_ring, XEN_RING_REQ_EVENT, 1);
    ring_set(cpu, self->tx_ring, XEN_RING_RSP_EVENT, 1);
    ring_set(cpu, self->rx_ring, XEN_RING_REQ_EVENT, 1);
    ring_set(cpu, self->rx_ring, XEN_RING_RSP_EVENT, 1);
    iov_guest_grant(&self->xen, cpu, GRANT_TX_RING, self->store.backend, self->tx_ring, false);
    iov_guest_grant(&self->xen, cpu, GRANT_RX_RING, self->store.backend, self->rx_ring, false);
    for (uint16_t id = 0; id < RING; id++) {
        self->free[self->free_count++] = (uint16_t)(RING - 1 - id);
        put_buffer(self, cpu, id);
    }
    ring_set(cpu, self->rx_ring, XEN_RING_REQ_PROD, self->rx_produced);
    iov_guest_xen_bind(&self->xen, self->store.tx_port, on_tx, self);
    iov_guest_xen_bind(&self->xen, self->store.rx_port, on_rx, self);
    self->store.tx_ring = GRANT_TX_RING;
    self->store.rx_ring = GRANT_RX_RING;
    self->store.connected = 1;
    iov_exec_put(cpu->exec, self->guest->registers, &self->store, sizeof self->store);
    iov_guest_xen_send(&self->xen, cpu, self->store.rx_port);
    return true;
}

/* ---- Life cycle ---- */

static struct iov_guest_netdev *netfront_create(struct iov_guest_net *net)
{
    struct driver *self = g_new0(struct driver, 1);

    self->dev = (struct iov_guest_netdev){ .ops = &iov_guest_netfront_ops, .net = net };
    self->guest = net->guest;
    iov_guest_napi_init(&self->napi, &self->dev, poll);
    return &self->dev;
}

static void netfront_destroy(struct iov_guest_netdev *dev)
{
    struct driver *self = from_dev(dev);

    iov_guest_napi_finish(&self->napi);
    g_free(self);
}

const struct iov_guest_netdev_ops iov_guest_netfront_ops = {
    .name = "netfront",
    .create = netfront_create,
    .destroy = netfront_destroy,
    .probe = netfront_probe,
    .open = netfront_open,
    .transmit = netfront_transmit,
};
